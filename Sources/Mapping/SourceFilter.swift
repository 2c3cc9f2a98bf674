import Documents
import Values

/// Which documents of a stream a flow takes: every condition must hold (`where:` of a flow).
///
/// `{template: PROC-EXPENSE, result: [agree]}`: a path and the value it must have, or a list of values one of which it
/// must have. `null` stands for an empty or missing value.
public struct SourceFilter: Sendable {
    /// One condition of a filter.
    public struct Condition: Sendable, Hashable {
        /// The path as written.
        public let path: String
        /// The values allowed.
        public let allowed: [JSON]
        fileprivate let compiled: Path
    }

    /// The conditions in the order of the file; none lets every document pass.
    public let conditions: [Condition]

    /// Compiles a filter against the source's document type. Throws everything wrong with it (`E-MAP-1NN`).
    public init(_ json: JSON, from source: DocumentType) throws(MappingProblems) {
        var compiler = Compiler(tables: [:])
        let names = Compiler.Names(document: .known(.root(of: source.schema)))
        guard let object = json.object else {
            throw MappingProblems(problems: [.wrongShape("where", zh: "路径到值的对象", en: "an object from paths to values")])
        }
        var conditions: [Condition] = []
        for (key, value) in object {
            let at = "where.\(key)"
            guard let (path, place) = compiler.path(.string(key), at, names, .scalar) else { continue }
            let allowed = value.array ?? [value]
            guard !allowed.isEmpty, allowed.allSatisfy({ $0.isNull || scalarText($0) != nil }) else {
                compiler.refuse(.wrongShape(at, zh: "一个值或值的列表", en: "a value or a list of values"))
                continue
            }
            if case .known(let place) = place {
                for value in allowed where !value.isNull {
                    guard let first = place.validate(value).first else { continue }
                    compiler.refuse(
                        .constantDoesNotFit(
                            at, scalarText(value) ?? value.text, zh: first.text.zh, en: first.text.en))
                }
            }
            conditions.append(Condition(path: key, allowed: allowed, compiled: path))
        }
        guard compiler.problems.isEmpty else { throw MappingProblems(problems: compiler.problems) }
        self.conditions = conditions
    }

    /// Whether a document passes.
    public func matches(_ document: JSON) -> Bool { firstUnmet(document) == nil }

    /// The first condition a document does not meet, and the value seen; nil when it passes.
    public func firstUnmet(_ document: JSON) -> (condition: Condition, seen: JSON?)? {
        for condition in conditions {
            let value = condition.compiled.find(in: document)
            let met = condition.allowed.contains { allowed in
                if allowed.isNull { return isEmpty(value) }
                return value.map { sameScalar($0, allowed) } ?? false
            }
            if !met { return (condition, value) }
        }
        return nil
    }
}
