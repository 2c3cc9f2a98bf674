/// One value of one column, as the query language sees it.
enum Cell: Sendable, Hashable {
    case text(String)
    case integer(Int64)
    case decimal(Amount)
    case moment(Moment)
    case null
}

/// A filter or order text the server's database refuses, in the words it uses.
struct QueryError: Error, Equatable {
    let code: Int
    let message: String

    /// A column the form does not have, in `FieldKeys`, `FilterString` or `OrderString`.
    static func unknownColumn(_ name: String) -> QueryError { QueryError(code: 9, message: "列名 '\(name)' 无效。") }
    static func syntax(near text: String) -> QueryError { QueryError(code: 4, message: "“\(text)”附近有语法错误。") }
    static let openQuote = QueryError(code: 4, message: "字符串后的引号不完整。")
    static let badDate = QueryError(code: 4, message: "从字符串转换日期和/或时间时，转换失败。")
    static let badNumber = QueryError(code: 4, message: "从数据类型 varchar 转换为 numeric 时出错。")
}

/// `FilterString`, read for real: a closed part of SQL. What the grammar does not know is refused, so pasted user text
/// that breaks out of its quotes shows itself as an error and never as a wider answer.
///
///     filter     := and-term { "or" and-term }
///     and-term   := factor { "and" factor }
///     factor     := "(" filter ")" | column test
///     test       := ( = | <> | != | >= | <= | > | < ) literal | [not] like text | [not] in "(" literal {"," literal} ")"
///                 | is [not] null
///     literal    := 'text' with '' for one quote | number
indirect enum Filter: Sendable, Equatable {
    enum Comparison: String, Sendable {
        case equal = "="
        case notEqual = "<>"
        case atLeast = ">="
        case atMost = "<="
        case greater = ">"
        case less = "<"
    }
    enum Literal: Sendable, Equatable {
        case text(String)
        case number(Amount)
    }
    case everything
    case compare(String, Comparison, Literal)
    case like(String, String, negated: Bool)
    case oneOf(String, [Literal], negated: Bool)
    case isNull(String, negated: Bool)
    case and(Filter, Filter)
    case or(Filter, Filter)

    static func parse(_ text: String) throws(QueryError) -> Filter {
        guard text.utf8.count <= Limits.filterBytes else { throw .syntax(near: String(text.prefix(20))) }
        var parser = FilterParser(tokens: try FilterToken.all(in: text))
        if parser.isAtEnd { return .everything }
        let filter = try parser.filter(depth: 0)
        guard parser.isAtEnd else { throw .syntax(near: parser.next.shown) }
        return filter
    }

    /// The text a column must equal for any row to pass; nil when the filter does not pin it.
    func pinned(_ column: String) -> String? {
        switch self {
        case .compare(let name, .equal, .text(let text)) where name.lowercased() == column.lowercased(): text
        case .and(let a, let b): a.pinned(column) ?? b.pinned(column)
        default: nil
        }
    }

    /// The columns it reads.
    var columns: [String] {
        switch self {
        case .everything: []
        case .compare(let name, _, _), .like(let name, _, _), .oneOf(let name, _, _), .isNull(let name, _): [name]
        case .and(let a, let b), .or(let a, let b): a.columns + b.columns
        }
    }

    /// Whether a row passes; `value` answers the cell of a column (lower-case name).
    func matches(_ value: (String) -> Cell) throws(QueryError) -> Bool {
        switch self {
        case .everything: return true
        case .compare(let name, let comparison, let literal):
            guard let order = try Self.order(value(name.lowercased()), literal) else { return false }
            return switch comparison {
            case .equal: order == 0
            case .notEqual: order != 0
            case .atLeast: order >= 0
            case .atMost: order <= 0
            case .greater: order > 0
            case .less: order < 0
            }
        case .like(let name, let pattern, let negated):
            guard let text = Self.shown(value(name.lowercased())) else { return false }
            return Self.like(Array(text.lowercased())[...], Array(pattern.lowercased())[...]) != negated
        case .oneOf(let name, let literals, let negated):
            let cell = value(name.lowercased())
            if cell == .null { return false }
            for literal in literals where try Self.order(cell, literal) == 0 { return !negated }
            return negated
        case .isNull(let name, let negated):
            return (value(name.lowercased()) == .null) != negated
        case .and(let a, let b):
            if try !a.matches(value) { return false }
            return try b.matches(value)
        case .or(let a, let b):
            if try a.matches(value) { return true }
            return try b.matches(value)
        }
    }

    /// -1, 0 or 1; nil when the cell is null (SQL: unknown). Text compares as the vendor's database does: without case,
    /// trailing spaces ignored.
    private static func order(_ cell: Cell, _ literal: Literal) throws(QueryError) -> Int? {
        switch (cell, literal) {
        case (.null, _): return nil
        case (.text(let a), .text(let b)): return sign(folded(a), folded(b))
        case (.text(let a), .number(let b)):
            guard let number = Amount(a) else { throw .badNumber }
            return sign(number, b)
        case (.integer(let a), .number(let b)): return sign(Amount(coefficient: Int128(a), scale: 0), b)
        case (.decimal(let a), .number(let b)): return sign(a, b)
        case (.integer, .text(let b)), (.decimal, .text(let b)):
            guard let number = Amount(b) else { throw .badNumber }
            return try order(cell, .number(number))
        case (.moment(let a), .text(let b)):
            guard let moment = Moment(b) else { throw .badDate }
            return sign(a, moment)
        case (.moment, .number): throw .badDate
        }
    }

    private static func sign<T: Comparable>(_ a: T, _ b: T) -> Int { a < b ? -1 : a > b ? 1 : 0 }

    /// Text as the database compares it: without case and trailing blanks.
    static func folded(_ text: String) -> String {
        var text = Substring(text.lowercased())
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    private static func shown(_ cell: Cell) -> String? {
        switch cell {
        case .text(let text): text
        case .integer(let value): String(value)
        case .decimal(let value): value.text()
        case .moment(let moment): moment.text
        case .null: nil
        }
    }

    private static func like(_ text: ArraySlice<Character>, _ pattern: ArraySlice<Character>) -> Bool {
        var (text, pattern) = (text, pattern)
        while let head = pattern.first {
            if head == "%" {
                let rest = pattern.drop { $0 == "%" }
                if rest.isEmpty { return true }
                return text.indices.contains { like(text[$0...], rest) }
            }
            guard let character = text.first, head == "_" || head == character else { return false }
            text.removeFirst()
            pattern.removeFirst()
        }
        return text.isEmpty
    }
}

enum FilterToken: Sendable, Equatable {
    case word(String)
    case text(String)
    case number(Amount)
    case symbol(String)
    case end

    var shown: String {
        switch self {
        case .word(let word), .text(let word), .symbol(let word): word
        case .number(let value): value.text()
        case .end: "结尾"
        }
    }

    static func all(in text: String) throws(QueryError) -> [FilterToken] {
        var tokens: [FilterToken] = []
        var rest = Substring(text)
        while let character = rest.first {
            switch character {
            case " ", "\t", "\n", "\r", "\r\n": rest.removeFirst()
            case "'":
                rest.removeFirst()
                var literal = ""
                while true {
                    guard let end = rest.firstIndex(of: "'") else { throw .openQuote }
                    literal += rest[..<end]
                    rest = rest[rest.index(after: end)...]
                    guard rest.first == "'" else { break }
                    literal += "'"
                    rest.removeFirst()
                }
                tokens.append(.text(literal))
            case "(", ")", ",", "=":
                tokens.append(.symbol(String(character)))
                rest.removeFirst()
            case "<", ">", "!":
                let pair = String(rest.prefix(2))
                guard ["<>", "<=", ">=", "!="].contains(pair) || character != "!" else { throw .syntax(near: pair) }
                let symbol = ["<>", "<=", ">=", "!="].contains(pair) ? pair : String(character)
                tokens.append(.symbol(symbol == "!=" ? "<>" : symbol))
                rest = rest.dropFirst(symbol.count)
            case _ where isDigit(character) || (character == "-" && rest.dropFirst().first.map(isDigit) == true):
                let digits = String(rest.prefix(1)) + rest.dropFirst().prefix { isDigit($0) || $0 == "." }
                guard let amount = Amount(digits) else { throw .syntax(near: digits) }
                tokens.append(.number(amount))
                rest = rest.dropFirst(digits.count)
            case _ where isWordStart(character):
                let word = String(rest.prefix { isWordStart($0) || isDigit($0) || $0 == "." })
                tokens.append(.word(word))
                rest = rest.dropFirst(word.count)
            default: throw .syntax(near: String(rest.prefix(2)))
            }
        }
        return tokens
    }

    private static func isDigit(_ c: Character) -> Bool { c.isASCII && c.isNumber }
    private static func isWordStart(_ c: Character) -> Bool { c.isASCII && (c.isLetter || c == "_") }
}

private struct FilterParser {
    var tokens: [FilterToken]
    var position = 0

    init(tokens: [FilterToken]) { self.tokens = tokens }

    var next: FilterToken { position < tokens.count ? tokens[position] : .end }
    var isAtEnd: Bool { position >= tokens.count }

    private mutating func take() -> FilterToken {
        defer { position += 1 }
        return next
    }

    private mutating func takeWord(_ word: String) -> Bool {
        guard case .word(let found) = next, found.lowercased() == word else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ symbol: String) throws(QueryError) {
        let token = take()
        guard token == .symbol(symbol) else { throw .syntax(near: token.shown) }
    }

    mutating func filter(depth: Int) throws(QueryError) -> Filter {
        guard depth <= Limits.filterDepth else { throw .syntax(near: "(") }
        var result = try andTerm(depth: depth)
        while takeWord("or") { result = .or(result, try andTerm(depth: depth)) }
        return result
    }

    private mutating func andTerm(depth: Int) throws(QueryError) -> Filter {
        var result = try factor(depth: depth)
        while takeWord("and") { result = .and(result, try factor(depth: depth)) }
        return result
    }

    private mutating func factor(depth: Int) throws(QueryError) -> Filter {
        if next == .symbol("(") {
            position += 1
            let inner = try filter(depth: depth + 1)
            try expect(")")
            return inner
        }
        let token = take()
        guard case .word(let column) = token, !Self.reserved.contains(column.lowercased()) else {
            throw .syntax(near: token.shown)
        }
        if takeWord("is") {
            let negated = takeWord("not")
            guard takeWord("null") else { throw .syntax(near: next.shown) }
            return .isNull(column, negated: negated)
        }
        let negated = takeWord("not")
        if takeWord("like") {
            let pattern = take()
            guard case .text(let text) = pattern else { throw .syntax(near: pattern.shown) }
            return .like(column, text, negated: negated)
        }
        if takeWord("in") {
            try expect("(")
            var literals = [try literal()]
            while next == .symbol(",") {
                position += 1
                literals.append(try literal())
            }
            try expect(")")
            return .oneOf(column, literals, negated: negated)
        }
        let symbol = take()
        guard !negated, case .symbol(let text) = symbol, let comparison = Filter.Comparison(rawValue: text) else {
            throw .syntax(near: symbol.shown)
        }
        return .compare(column, comparison, try literal())
    }

    private mutating func literal() throws(QueryError) -> Filter.Literal {
        let token = take()
        switch token {
        case .text(let text): return .text(text)
        case .number(let value): return .number(value)
        default: throw .syntax(near: token.shown)
        }
    }

    private static let reserved: Set<String> = ["and", "or", "not", "in", "like", "is", "null"]
}
