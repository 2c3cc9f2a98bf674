import Documents
import Values

/// What the paths of an expression begin at.
struct Scope {
    struct Row {
        var value: JSON
        /// Where the row is, e.g. `fields[费用明细][1]`, made only when a failure needs it.
        var list: String
        var index: Int

        var place: String { "\(list)[\(index)]" }
    }

    var document: JSON
    var row: Row?
    var part: Row?

    func root(_ path: Path) -> JSON {
        switch path.root {
        case .document: document
        case .row: row?.value ?? .null
        case .part: part?.value ?? .null
        }
    }

    /// The path as it reads from the top of the document.
    func place(_ path: Path) -> String {
        let start: String
        switch path.root {
        case .document: return path.relative
        case .row: start = row?.place ?? "row"
        case .part: start = part?.place ?? "part"
        }
        return path.relative.isEmpty || path.relative.first == "[" ? start + path.relative : "\(start).\(path.relative)"
    }

    func rows(_ path: Path) throws(MappingFailure) -> [JSON] {
        let value = path.find(in: root(path))
        switch value {
        case .array(let rows)?: return rows
        case .null?: return []
        case nil: throw MappingFailure(.noSuchField, source: place(path), seen: nil)
        case .some(let other): throw MappingFailure(.notList, source: place(path), seen: other)
        }
    }

    func with(_ row: JSON, _ index: Int, of path: Path) -> Scope {
        Scope(document: document, row: Row(value: row, list: place(path), index: index), part: part)
    }
}

extension Expression {
    /// The value, or nil where there is none; never an empty text.
    func value(_ scope: Scope) throws(MappingFailure) -> JSON? {
        switch self {
        case .constant(let value): return value
        case .path(let path):
            let value = path.find(in: scope.root(path))
            return isEmpty(value) ? nil : value
        case .lookup(let lookup): return try self.lookUp(lookup, scope)
        case .when, .choice: return try chosen(scope)?.value(scope)
        case .concat(let parts):
            var text = ""
            for part in parts {
                if let value = try part.text(scope) {
                    text += value
                } else if !part.toleratesNothing(scope) {
                    return nil
                }
            }
            return try bounded(text, scope)
        case .join(let path, let separator):
            var texts: [String] = []
            for row in try scope.rows(path) where !isEmpty(row) {
                guard let text = scalarText(row) else {
                    throw MappingFailure(.notText, source: scope.place(path), seen: row)
                }
                texts.append(text)
            }
            return texts.isEmpty ? nil : try bounded(texts.joined(separator: separator), scope)
        case .substring(let inner, let from, let length):
            guard let text = try inner.text(scope) else { return nil }
            let rest = text.unicodeScalars.dropFirst(from)
            let cut = String(length.map { String(rest.prefix($0)) } ?? String(rest))
            return cut.isEmpty ? nil : .string(cut)
        case .trim(let inner):
            guard let text = try inner.text(scope) else { return nil }
            let cut = trimmed(text)
            return cut.isEmpty ? nil : .string(cut)
        case .date(let inner, let zone, let part):
            guard let text = try inner.text(scope) else { return nil }
            guard let date = businessDate(trimmed(text), zone) else { throw fault(.notDate, scope, .string(text)) }
            return Self.give(date, part)
        case .sum, .sumEach, .negate, .multiply, .divide, .round:
            return try decimal(scope).map { .string($0.text) }
        case .count(let path): return .number(JSONNumber(Int64(try scope.rows(path).count)))
        case .firstPresent(let list):
            for one in list {
                if let value = try one.value(scope) { return value }
            }
            return nil
        case .optional(let inner): return try inner.value(scope)
        }
    }

    /// The value as a text; numbers and booleans as they are written.
    func text(_ scope: Scope) throws(MappingFailure) -> String? {
        guard let value = try value(scope) else { return nil }
        guard let text = scalarText(value) else { throw fault(.notText, scope, value) }
        return text
    }

    /// The value as an exact decimal.
    func decimal(_ scope: Scope) throws(MappingFailure) -> ExactDecimal? {
        switch self {
        case .sum(let list):
            var sum = ExactDecimal.zero
            for one in list {
                guard let value = try one.decimal(scope) else {
                    if one.toleratesNothing(scope) { continue }
                    return nil
                }
                sum = try arithmetic(scope) { () throws(Problem) in try sum + value }
            }
            return sum
        case .sumEach(let path, let inner):
            var sum = ExactDecimal.zero
            for (index, row) in try scope.rows(path).enumerated() {
                let scope = scope.with(row, index, of: path)
                guard let value = try inner.decimal(scope) else {
                    if inner.toleratesNothing(scope) { continue }
                    return nil
                }
                sum = try arithmetic(scope) { () throws(Problem) in try sum + value }
            }
            return sum
        case .negate(let inner):
            guard let value = try inner.decimal(scope) else { return nil }
            return try arithmetic(scope) { () throws(Problem) in try value.negated() }
        case .multiply(let list):
            var product = ExactDecimal(1)
            for one in list {
                guard let value = try one.decimal(scope) else { return nil }
                product = try arithmetic(scope) { () throws(Problem) in try product * value }
            }
            return product
        case .divide(let left, let right, let scale, let rule):
            guard let a = try left.decimal(scope), let b = try right.decimal(scope) else { return nil }
            return try arithmetic(scope) { () throws(Problem) in try a.divided(by: b, scale: scale, rule: rule) }
        case .round(let inner, let scale, let rule):
            guard let value = try inner.decimal(scope) else { return nil }
            return try arithmetic(scope) { () throws(Problem) in try value.rounded(scale: scale, rule: rule) }
        default:
            guard let value = try value(scope) else { return nil }
            guard let decimal = plainDecimal(value) else { throw fault(.notNumber, scope, value) }
            return decimal
        }
    }

    /// Whether it is fine that nothing came out.
    func toleratesNothing(_ scope: Scope) -> Bool {
        switch self {
        case .optional: true
        case .firstPresent(let list): list.last?.toleratesNothing(scope) ?? false
        case .when, .choice: ((try? chosen(scope)) ?? nil)?.toleratesNothing(scope) ?? false
        default: false
        }
    }

    /// Why nothing came out: the first path that is empty or missing, else that no case applied.
    func explain(_ scope: Scope) -> MappingFailure {
        firstMissing(scope) ?? MappingFailure(.emptyValue, source: firstPath.map(scope.place), seen: nil)
    }

    // MARK: parts

    private func lookUp(_ lookup: Lookup, _ scope: Scope) throws(MappingFailure) -> JSON? {
        var cells: [String] = []
        for key in lookup.keys {
            guard let text = try key.text(scope) else { return nil }
            cells.append(trimmed(text))
        }
        guard let row = lookup.index[ByteKey(text: Lookup.join(cells))] else {
            throw MappingFailure(
                .missingCode(file: lookup.file, columns: lookup.columns, column: lookup.column),
                source: firstPath.map(scope.place), seen: .string(cells.joined(separator: " + ")))
        }
        guard !lookup.cells[row].isEmpty else {
            throw MappingFailure(
                .emptyCode(file: lookup.file, line: lookup.lines[row], column: lookup.column),
                source: firstPath.map(scope.place), seen: .string(cells.joined(separator: " + ")))
        }
        return .string(lookup.cells[row])
    }

    /// The branch of a `when` or `case` that applies.
    private func chosen(_ scope: Scope) throws(MappingFailure) -> Expression? {
        switch self {
        case .when(let branches, let otherwise):
            for branch in branches where try branch.condition.holds(scope) { return branch.value }
            return otherwise
        case .choice(let subject, let cases, let otherwise):
            guard let text = try subject.text(scope) else { return otherwise }
            return cases[ByteKey(text: trimmed(text))] ?? otherwise
        default: return nil
        }
    }

    private func firstMissing(_ scope: Scope) -> MappingFailure? {
        switch self {
        case .constant, .join, .count, .optional: return nil
        case .path(let path):
            let root = scope.root(path)
            let value = path.find(in: root)
            guard isEmpty(value) else { return nil }
            // A null on the way (no department, say) is an empty value; a step nobody filled is another template.
            let reach = path.reach(in: root)
            let stopped = Path.prefix(of: path, reach).find(in: root)
            let kind: Fault = value == nil && stopped?.isNull != true ? .noSuchField : .emptyValue
            return MappingFailure(kind, source: scope.place(path), seen: nil)
        case .lookup(let lookup): return Self.first(lookup.keys, scope)
        case .when:
            guard let chosen = (try? chosen(scope)) ?? nil else {
                return MappingFailure(
                    .noCase, source: conditionPath.map(scope.place), seen: conditionPath?.find(in: scope.document))
            }
            return chosen.firstMissing(scope)
        case .choice(let subject, _, _):
            guard let chosen = (try? chosen(scope)) ?? nil else {
                if let missing = subject.firstMissing(scope) { return missing }
                let seen = (try? subject.value(scope)) ?? nil
                return MappingFailure(.noCase, source: subject.firstPath.map(scope.place), seen: seen)
            }
            return chosen.firstMissing(scope)
        case .concat(let list), .sum(let list), .multiply(let list), .firstPresent(let list):
            return Self.first(list, scope)
        case .sumEach(let path, let inner):
            guard let rows = try? scope.rows(path) else { return nil }
            for (index, row) in rows.enumerated() {
                if let missing = inner.firstMissing(scope.with(row, index, of: path)) { return missing }
            }
            return nil
        case .substring(let inner, _, _), .trim(let inner), .date(let inner, _, _), .negate(let inner),
            .round(let inner, _, _):
            return inner.firstMissing(scope)
        case .divide(let left, let right, _, _): return left.firstMissing(scope) ?? right.firstMissing(scope)
        }
    }

    private static func first(_ list: [Expression], _ scope: Scope) -> MappingFailure? {
        for one in list {
            if let missing = one.firstMissing(scope) { return missing }
        }
        return nil
    }

    private var conditionPath: Path? {
        if case .when(let branches, _) = self { branches.lazy.compactMap(\.condition.firstPath).first } else { nil }
    }

    private func fault(_ kind: Fault, _ scope: Scope, _ seen: JSON?) -> MappingFailure {
        MappingFailure(kind, source: firstPath.map(scope.place), seen: seen)
    }

    private func bounded(_ text: String, _ scope: Scope) throws(MappingFailure) -> JSON? {
        guard text.utf8.count <= Limits.textBytes else { throw fault(.tooLong, scope, nil) }
        return text.isEmpty ? nil : .string(text)
    }

    private func arithmetic(
        _ scope: Scope, _ work: () throws(Problem) -> ExactDecimal
    ) throws(MappingFailure) -> ExactDecimal {
        do throws(Problem) {
            return try work()
        } catch {
            throw fault(.arithmetic(error), scope, nil)
        }
    }

    private static func give(_ date: CivilDate, _ part: DatePart) -> JSON {
        switch part {
        case .date: .string(date.text)
        case .year: .number(JSONNumber(Int64(date.year)))
        case .month: .number(JSONNumber(Int64(date.month)))
        case .yearMonth: .string(String(date.text.prefix(7)))
        case .monthStart: .string(date.firstOfMonth.text)
        case .monthEnd: .string(date.lastOfMonth.text)
        }
    }
}

extension Condition {
    func holds(_ scope: Scope) throws(MappingFailure) -> Bool {
        switch self {
        case .equals(let left, let right):
            guard let a = try left.value(scope), let b = try right.value(scope) else { return false }
            return sameScalar(a, b)
        case .isIn(let subject, let list):
            guard let value = try subject.value(scope) else { return false }
            return list.contains { sameScalar(value, $0) }
        case .empty(let subject): return isEmpty(try subject.value(scope))
        case .present(let subject): return !isEmpty(try subject.value(scope))
        case .greater(let left, let right):
            guard let a = try left.decimal(scope) else { throw left.explain(scope) }
            guard let b = try right.decimal(scope) else { throw right.explain(scope) }
            return a > b
        case .not(let inner): return try !inner.holds(scope)
        case .all(let list):
            for one in list where try !one.holds(scope) { return false }
            return true
        case .any(let list):
            for one in list where try one.holds(scope) { return true }
            return false
        }
    }

    var firstPath: Path? {
        switch self {
        case .equals(let subject, _), .isIn(let subject, _), .empty(let subject), .present(let subject),
            .greater(let subject, _):
            subject.firstPath
        case .not(let inner): inner.firstPath
        case .all(let list), .any(let list): list.lazy.compactMap(\.firstPath).first
        }
    }
}

extension Path {
    /// The first steps of a path.
    static func prefix(of path: Path, _ count: Int) -> Path {
        Path(text: path.text, relative: path.relative, root: path.root, steps: Array(path.steps.prefix(count)))
    }
}

/// A single value's text; nil for null, lists and objects.
func scalarText(_ value: JSON) -> String? {
    switch value {
    case .string(let text): text
    case .number(let number): number.text
    case .bool(let flag): flag ? "true" : "false"
    case .null, .array, .object: nil
    }
}

/// A number, or a text that is a plain decimal when the space around it is gone.
func plainDecimal(_ value: JSON) -> ExactDecimal? {
    switch value {
    case .number: value.decimal
    case .string(let text):
        if let decimal = ExactDecimal(text), isPlainDecimal(text) {
            decimal
        } else {
            isPlainDecimal(trimmed(text)) ? ExactDecimal(trimmed(text)) : nil
        }
    default: nil
    }
}

/// The day of a text: a moment with an offset seen from the zone, a plain day, or a day with a time of day.
func businessDate(_ text: String, _ zone: TimeZoneRule) -> CivilDate? {
    if let date = CivilDate(text) { return date }
    if let instant = Instant(text) { return zone.date(at: instant) }
    let bytes = Array(text.utf8)
    guard bytes.count == 16 || bytes.count == 19, bytes[10] == UInt8(ascii: " ") else { return nil }
    let time = String(decoding: bytes[11...], as: UTF8.self) + (bytes.count == 16 ? ":00" : "")
    let day = String(decoding: bytes[..<10], as: UTF8.self)
    return Instant("\(day)T\(time)Z") == nil ? nil : CivilDate(day)
}
