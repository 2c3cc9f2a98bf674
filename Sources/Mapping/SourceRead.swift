import Values

/// One thing a mapping reads of its source: a value, or how many rows a list has.
struct SourceRead: Sendable, Hashable {
    /// From the document down; every path but the last leads to a list whose rows the next one begins at.
    let chain: [Path]
    /// Whether only the number of rows matters.
    let countOnly: Bool
    /// `fields[费用明细][*].fields[金额]`, with `#` after it for a number of rows.
    let text: String

    init(chain: [Path], countOnly: Bool) {
        self.chain = chain
        self.countOnly = countOnly
        let steps = chain.map(\.relative).filter { !$0.isEmpty }
        text =
            steps.joined(separator: "[*].") + (chain.last?.relative.isEmpty == true ? "[*]" : "")
            + (countOnly ? "#" : "")
    }

    /// What is read of a document.
    func value(of document: JSON) -> JSON { Self.read(chain[...], document, countOnly) }

    private static func read(_ chain: ArraySlice<Path>, _ root: JSON, _ countOnly: Bool) -> JSON {
        guard let path = chain.first else { return root }
        let found = path.find(in: root)
        let rest = chain.dropFirst()
        if rest.isEmpty {
            guard countOnly else { return found ?? .null }
            return found?.array.map { .number(JSONNumber(Int64($0.count))) } ?? .null
        }
        return .array((found?.array ?? []).map { read(rest, $0, countOnly) })
    }
}
