import Values

/// A declared rule across fields, one entry of a schema's `x-rules`.
enum Rule: Sendable {
    /// Per group of lines, the debits sum up to the credits.
    case balanced(lines: Pointer, group: String?, debit: String, credit: String)
    /// Of the decimals of a line exactly one is not zero.
    case exactlyOneNonzero(lines: Pointer, fields: [String])
    /// A date or time does not come after another; where one of them is missing or null the rule is silent.
    case notAfter(earlier: Pointer, later: Pointer)

    /// A JSON pointer of plain keys.
    struct Pointer: Sendable {
        let text: String
        let keys: [String]

        init?(_ json: JSON?) {
            guard let text = json?.string, text.utf8.first == UInt8(ascii: "/"), !text.contains("~") else { return nil }
            self.text = text
            keys = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        }

        func value(in document: JSON) -> JSON? {
            var value = document
            for key in keys {
                guard let next = value[key] else { return nil }
                value = next
            }
            return value
        }
    }

    init(_ json: JSON, at pointer: String) throws(Problem) {
        guard let object = json.object, let name = json["rule"]?.string else {
            throw .keywordValue(pointer, zh: "带 rule 的对象", en: "an object with \"rule\"")
        }
        let known: [String]
        let made: Rule?
        switch name {
        case "balanced":
            known = ["rule", "lines", "group", "debit", "credit"]
            if let lines = Pointer(json["lines"]), let debit = json["debit"]?.string,
                let credit = json["credit"]?.string
            {
                made = .balanced(lines: lines, group: json["group"]?.string, debit: debit, credit: credit)
            } else {
                made = nil
            }
        case "exactly-one-nonzero":
            known = ["rule", "lines", "fields"]
            let fields = json["fields"]?.array?.compactMap(\.string) ?? []
            made = Pointer(json["lines"]).flatMap {
                fields.count < 2 ? nil : .exactlyOneNonzero(lines: $0, fields: fields)
            }
        case "not-after":
            known = ["rule", "earlier", "later"]
            if let earlier = Pointer(json["earlier"]), let later = Pointer(json["later"]) {
                made = .notAfter(earlier: earlier, later: later)
            } else {
                made = nil
            }
        default: throw .unknownRule(pointer, name)
        }
        for key in object.keys where !known.contains(key) { throw .unknownKeyword(pointer, key) }
        guard let made else {
            throw .keywordValue(pointer, zh: "规则 \(name) 的全部参数", en: "every parameter of the rule \(name)")
        }
        self = made
    }

    /// What the rule finds wrong. Values of a wrong shape are left to the schema itself.
    func check(_ document: JSON) -> [Violation] {
        switch self {
        case .balanced(let lines, let group, let debit, let credit):
            guard let entries = lines.value(in: document)?.array else { return [] }
            return Self.balance(entries, lines.text, group, debit, credit)
        case .exactlyOneNonzero(let lines, let fields):
            guard let entries = lines.value(in: document)?.array else { return [] }
            return entries.enumerated().compactMap { at, line in
                let amounts = fields.compactMap { line[$0]?.decimal }
                guard amounts.count == fields.count, amounts.count(where: { !$0.isZero }) != 1 else { return nil }
                let list = fields.map { "\($0)=\(line[$0].map(seen) ?? "")" }.joined(separator: ", ")
                return Violation(
                    pointer: "\(lines.text)/\(at)", code: "E-DOC-021",
                    text: .init(zh: "应当只有一方不为零：\(list)。", en: "exactly one side must not be zero: \(list)."))
            }
        case .notAfter(let earlier, let later):
            guard let from = earlier.value(in: document)?.string, let to = later.value(in: document)?.string,
                Self.isAfter(from, to)
            else { return [] }
            return [
                Violation(
                    pointer: later.text, code: "E-DOC-022",
                    text: .init(
                        zh: "\(to) 早于 \(earlier.text) 的 \(from)。", en: "\(to) is before \(from) of \(earlier.text)."))
            ]
        }
    }

    private static func isAfter(_ first: String, _ second: String) -> Bool {
        if let a = Instant(first), let b = Instant(second) { return a > b }
        if let a = CivilDate(first), let b = CivilDate(second) { return a > b }
        return false
    }

    private static func balance(
        _ entries: [JSON], _ pointer: String, _ group: String?, _ debit: String, _ credit: String
    ) -> [Violation] {
        var names: [String] = []
        var sums: [(debit: ExactDecimal, credit: ExactDecimal)] = []
        for line in entries {
            guard let debit = line[debit]?.decimal, let credit = line[credit]?.decimal else { return [] }
            let name = group.flatMap { line[$0]?.string } ?? ""
            let at = names.firstIndex { $0 == name } ?? names.count
            if at == names.count {
                names.append(name)
                sums.append((.zero, .zero))
            }
            do throws(Problem) {
                sums[at] = (try sums[at].debit + debit, try sums[at].credit + credit)
            } catch {
                return [Violation(pointer: pointer, code: "E-DOC-023", text: error.what)]
            }
        }
        return zip(names, sums).compactMap { name, sum in
            guard sum.debit != sum.credit else { return nil }
            let which = name.isEmpty ? "" : "\(name) "
            return Violation(
                pointer: pointer, code: "E-DOC-020",
                text: .init(
                    zh: "\(which)借贷不平：借 \(sum.debit)，贷 \(sum.credit)。",
                    en: "\(which)does not balance: debit \(sum.debit), credit \(sum.credit)."))
        }
    }
}
