import Documents
import Values

/// One target document of a source document.
public struct MappedDocument: Sendable, Hashable {
    /// Which of the parts of the source document it is, from 0; parts that were left out keep their number.
    public let ordinal: Int
    /// The target document, valid by its type.
    public let document: JSON

    /// A target document and its number among the parts.
    public init(ordinal: Int, document: JSON) {
        self.ordinal = ordinal
        self.document = document
    }
}

/// What came of mapping one source document.
public enum MappingResult: Sendable, Hashable {
    /// One target document, or several by ordinal; never none.
    case mapped([MappedDocument])
    /// A rule of the mapping says that this document has no effect; the rule's own words.
    case skipped(rule: String)
    /// Every failure found, at least one. Nothing was guessed and nothing may be delivered.
    case failed([MappingFailure])
}

/// A compiled mapping from one document type to another: a closed table language in which every mapping ends.
///
/// The language is described in docs/mapping.md. A mapping is immutable and may run on any thread.
public struct Mapping: Sendable {
    /// The mapping's name.
    public let name: String
    /// The paths of the source document that the mapping reads, sorted: `fields[费用明细][*].fields[金额]` for a field of
    /// rows, `attachments#` where only the number of rows matters.
    public var reads: [String] { sourceReads.map(\.text) }

    private struct Skip: Sendable {
        var condition: Condition
        var rule: String
    }

    private enum Parts: Sendable {
        case each(Path, Condition?, rule: String)
        case constants([JSON], Condition?, rule: String)
    }

    private let target: DocumentType
    private let build: Build
    private let skips: [Skip]
    private let parts: Parts?
    private let sourceReads: [SourceRead]

    /// Compiles a mapping given as JSON (scalars of the YAML file with their text kept). Throws everything wrong with
    /// it: keys, paths the source cannot have, fields the target does not know or requires, tables and columns,
    /// doubled keys of a table, constants that do not fit.
    public static func compile(
        _ json: JSON, tables: [String: CodeTable], from source: DocumentType, to target: DocumentType
    ) throws(MappingProblems) -> Mapping {
        var compiler = Compiler(tables: tables)
        let mapping = Mapping(json, source, target, &compiler)
        guard let mapping, compiler.problems.isEmpty else { throw MappingProblems(problems: compiler.problems) }
        return mapping
    }

    private init?(_ json: JSON, _ source: DocumentType, _ target: DocumentType, _ compiler: inout Compiler) {
        let allowed = ["mapping", "note", "from", "to", "skip", "split", "document"]
        guard let object = compiler.members(json, "", allowed: allowed, needed: ["mapping", "document"]),
            let name = compiler.text(object["mapping"], "mapping")
        else { return nil }
        self.name = name
        self.target = target
        for (key, type) in [("from", source), ("to", target)] {
            guard let value = object[key], let given = compiler.text(value, key), given != type.name else { continue }
            compiler.refuse(.otherDocument(key, given: given, expected: type.name))
        }
        var names = Compiler.Names(document: .known(.root(of: source.schema)))
        skips = Self.skips(object["skip"], names, &compiler)
        parts = Self.parts(object["split"], &names, &compiler)
        build = compiler.build(object["document"] ?? .null, "document", .known(.root(of: target.schema)), names)
        sourceReads = Set(compiler.reads).sorted { $0.text < $1.text }
    }

    private static func skips(_ json: JSON?, _ names: Compiler.Names, _ compiler: inout Compiler) -> [Skip] {
        guard let json, let elements = compiler.elements(json, "skip") else { return [] }
        var skips: [Skip] = []
        for (index, element) in elements.enumerated() {
            let at = "skip[\(index)]"
            guard let object = compiler.members(element, at, allowed: ["when", "rule"], needed: ["when", "rule"]),
                let rule = compiler.text(object["rule"], "\(at).rule"),
                let condition = compiler.condition(object["when"] ?? .null, "\(at).when", names)
            else { continue }
            skips.append(Skip(condition: condition, rule: rule))
        }
        return skips
    }

    private static func parts(_ json: JSON?, _ names: inout Compiler.Names, _ compiler: inout Compiler) -> Parts? {
        guard let json else { return nil }
        guard let object = compiler.members(json, "split", allowed: ["each", "of", "when", "rule"]) else { return nil }
        guard (object["each"] == nil) != (object["of"] == nil) else {
            compiler.refuse(.wrongShape("split", zh: "each 或 of 之一", en: "either each or of"))
            return nil
        }
        var rule = "split"
        if let text = object["rule"] { rule = compiler.text(text, "split.rule") ?? rule }
        if let each = object["each"] {
            guard let (path, rows) = compiler.list(each, "split.each", names) else { return nil }
            names.part = rows
            return .each(path, object["when"].flatMap { compiler.condition($0, "split.when", names) }, rule: rule)
        }
        guard let constants = compiler.elements(object["of"], "split.of") else { return nil }
        if constants.count > Limits.parts {
            compiler.refuse(.wrongShape("split.of", zh: "至多 \(Limits.parts) 份", en: "at most \(Limits.parts) parts"))
        }
        names.part = Compiler.List(place: .anything, chain: nil, constants: constants)
        return .constants(constants, object["when"].flatMap { compiler.condition($0, "split.when", names) }, rule: rule)
    }

    /// Maps one source document. Never traps, always ends, and gives the same for the same document.
    public func run(source: JSON) -> MappingResult {
        let scope = Scope(document: source)
        do throws(MappingFailure) {
            for skip in skips where try skip.condition.holds(scope) { return .skipped(rule: skip.rule) }
            guard let parts else { return finish([(0, scope)]) }
            let chosen = try scopes(parts, scope)
            switch parts {
            case .each(_, _, let rule), .constants(_, _, let rule):
                return chosen.isEmpty ? .skipped(rule: rule) : finish(chosen)
            }
        } catch {
            return .failed([error])
        }
    }

    private func scopes(_ parts: Parts, _ scope: Scope) throws(MappingFailure) -> [(ordinal: Int, scope: Scope)] {
        let rows: [JSON]
        let condition: Condition?
        let list: String
        switch parts {
        case .each(let path, let test, _):
            rows = try scope.rows(path)
            guard !rows.isEmpty else { throw MappingFailure(.emptyValue, source: scope.place(path), seen: nil) }
            guard rows.count <= Limits.parts else {
                throw MappingFailure(.tooManyParts, source: scope.place(path), seen: nil)
            }
            (condition, list) = (test, scope.place(path))
        case .constants(let constants, let test, _): (rows, condition, list) = (constants, test, "split.of")
        }
        var chosen: [(ordinal: Int, scope: Scope)] = []
        for (ordinal, row) in rows.enumerated() {
            let inside = Scope(document: scope.document, part: Scope.Row(value: row, list: list, index: ordinal))
            if let condition, try !condition.holds(inside) { continue }
            chosen.append((ordinal, inside))
        }
        return chosen
    }

    private func finish(_ scopes: [(ordinal: Int, scope: Scope)]) -> MappingResult {
        var mapped: [MappedDocument] = []
        var failures: [MappingFailure] = []
        for (ordinal, scope) in scopes {
            var builder = Builder()
            let document = builder.make(build, scope) ?? .null
            if builder.failures.isEmpty {
                failures.append(contentsOf: target.validate(document).map(MappingFailure.init))
                mapped.append(MappedDocument(ordinal: ordinal, document: document))
            } else {
                failures.append(contentsOf: builder.failures)
            }
            guard failures.count < Limits.failures else { break }
        }
        return failures.isEmpty ? .mapped(mapped) : .failed(failures)
    }

    /// Canonical bytes of exactly what the mapping reads of a document: two versions of a document with the same
    /// bytes map to the same target documents.
    public func readHashInput(source: JSON) -> [UInt8] {
        JSON.array(sourceReads.map { [.string($0.text), $0.value(of: source)] }).canonical()
    }
}

extension MappingFailure {
    /// What the target document's own rules find wrong.
    init(_ violation: Violation) {
        self.init(
            code: violation.code, target: violation.pointer, source: nil, seen: nil, table: nil,
            what: .init(
                zh: "生成的单据 \(violation.pointer) 不合规则：\(violation.text.zh)",
                en: "the document made breaks a rule at \(violation.pointer): \(violation.text.en)"),
            next: .init(
                zh: "请核对源单据的金额与内容，或调整映射。", en: "Compare the source document's figures, or change the mapping."))
    }
}
