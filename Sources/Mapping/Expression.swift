import Values

/// A value of a mapping. Every kind is total: it ends, and gives a value, nothing, or a failure.
indirect enum Expression: Sendable {
    case constant(JSON)
    case path(Path)
    case lookup(Lookup)
    case when([Branch], otherwise: Expression?)
    case choice(Expression, [ByteKey: Expression], otherwise: Expression?)
    case concat([Expression])
    case join(Path, with: String)
    case substring(Expression, from: Int, length: Int?)
    case trim(Expression)
    case date(Expression, TimeZoneRule, DatePart)
    case sum([Expression])
    case sumEach(Path, Expression)
    case negate(Expression)
    case multiply([Expression])
    case divide(Expression, Expression, scale: Int, rule: ExactDecimal.Rounding)
    case round(Expression, scale: Int, rule: ExactDecimal.Rounding)
    case count(Path)
    /// The first that gives a value.
    case firstPresent([Expression])
    /// Nothing is fine.
    case optional(Expression)

    struct Branch: Sendable {
        var condition: Condition
        var value: Expression
    }

    /// What a date gives.
    enum DatePart: String, Sendable, CaseIterable {
        case date
        case year
        case month
        case yearMonth = "year-month"
        case monthStart = "month-start"
        case monthEnd = "month-end"
    }

    /// What kind of value comes out, as far as it is known before a document is there.
    enum Kind: String, Sendable {
        case text
        case decimal
        case integer
        case date
        case any
    }

    var kind: Kind {
        switch self {
        case .constant, .path: .any
        case .lookup, .concat, .join, .substring, .trim: .text
        case .when(let branches, let otherwise): Self.common(branches.map(\.value) + (otherwise.map { [$0] } ?? []))
        case .choice(_, let cases, let otherwise): Self.common(Array(cases.values) + (otherwise.map { [$0] } ?? []))
        case .date(_, _, .date), .date(_, _, .monthStart), .date(_, _, .monthEnd): .date
        case .date(_, _, .yearMonth): .text
        case .date: .integer
        case .sum, .sumEach, .negate, .multiply, .divide, .round: .decimal
        case .count: .integer
        case .firstPresent(let list): Self.common(list)
        case .optional(let inner): inner.kind
        }
    }

    private static func common(_ list: [Expression]) -> Kind {
        guard let first = list.first?.kind else { return .any }
        return list.allSatisfy { $0.kind == first } ? first : .any
    }

    /// The constants that can come out as they are, for checking them against the place they go to.
    var outcomes: [JSON] {
        results.compactMap { if case .constant(let value) = $0 { value } else { nil } }
    }

    /// The paths whose values can come out as they are.
    var resultPaths: [Path] {
        results.compactMap { if case .path(let path) = $0 { path } else { nil } }
    }

    /// The expressions one of which gives the value, unchanged.
    private var results: [Expression] {
        switch self {
        case .when(let branches, let otherwise):
            (branches.map(\.value) + (otherwise.map { [$0] } ?? [])).flatMap(\.results)
        case .choice(_, let cases, let otherwise):
            (Array(cases.values) + (otherwise.map { [$0] } ?? [])).flatMap(\.results)
        case .firstPresent(let list): list.flatMap(\.results)
        case .optional(let inner): inner.results
        default: [self]
        }
    }

    /// Whether nothing may come out without that being a failure.
    var isOptional: Bool {
        switch self {
        case .optional: true
        case .firstPresent(let list): list.last?.isOptional ?? false
        case .when(let branches, let otherwise):
            (branches.map(\.value) + (otherwise.map { [$0] } ?? [])).contains { $0.isOptional }
        case .choice(_, let cases, let otherwise):
            (Array(cases.values) + (otherwise.map { [$0] } ?? [])).contains { $0.isOptional }
        default: false
        }
    }

    /// The first path inside, for telling a person where a value came from.
    var firstPath: Path? {
        switch self {
        case .constant: nil
        case .path(let path), .join(let path, _), .count(let path), .sumEach(let path, _): path
        case .lookup(let lookup): lookup.keys.lazy.compactMap(\.firstPath).first
        case .when(let branches, let otherwise):
            (branches.map(\.value) + (otherwise.map { [$0] } ?? [])).lazy.compactMap(\.firstPath).first
        case .choice(let inner, _, _), .substring(let inner, _, _), .trim(let inner), .date(let inner, _, _),
            .negate(let inner), .round(let inner, _, _), .optional(let inner):
            inner.firstPath
        case .concat(let list), .sum(let list), .multiply(let list), .firstPresent(let list):
            list.lazy.compactMap(\.firstPath).first
        case .divide(let left, let right, _, _): left.firstPath ?? right.firstPath
        }
    }
}

/// A look-up of a code: the row whose key columns equal the keys gives the value of one column.
struct Lookup: Sendable {
    let file: String
    let columns: [String]
    let keys: [Expression]
    let column: String
    /// Row by its key cells, joined; the value's cell and line by row.
    let index: [ByteKey: Int]
    let cells: [String]
    let lines: [Int]

    /// Cells joined to one key. The separator is a control character that no cell of a table has reason to hold.
    static func join(_ cells: [String]) -> String { cells.count == 1 ? cells[0] : cells.joined(separator: "\u{1f}") }
}

/// A closed comparison.
indirect enum Condition: Sendable {
    case equals(Expression, Expression)
    case isIn(Expression, [JSON])
    case empty(Expression)
    case present(Expression)
    case greater(Expression, Expression)
    case not(Condition)
    case all([Condition])
    case any([Condition])
}

/// Whether two single values are the same: a number compares by value, a text by its bytes, so that the code `001` is
/// not `1`.
func sameScalar(_ a: JSON, _ b: JSON) -> Bool {
    switch (a, b) {
    case (.string(let x), .string(let y)): return sameBytes(trimmed(x), trimmed(y))
    case (.number, .number), (.number, .string), (.string, .number):
        guard let x = a.decimal, let y = b.decimal else { return false }
        return x == y
    case (.bool(let x), .string(let y)), (.string(let y), .bool(let x)): return sameBytes(x ? "true" : "false", y)
    default: return a == b
    }
}

/// Whether a value counts as not filled in.
func isEmpty(_ value: JSON?) -> Bool {
    switch value {
    case nil, .null?: true
    case .string(let text)?: isBlank(text)
    case .array(let elements)?: elements.isEmpty
    case .object(let object)?: object.isEmpty
    default: false
    }
}
