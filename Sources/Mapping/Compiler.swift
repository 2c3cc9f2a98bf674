import Documents
import Values

/// Turns the JSON of a mapping into its compiled form and gathers everything wrong on the way.
struct Compiler {
    /// What `row.` or `part.` means at a place.
    struct List {
        var place: Place
        /// The paths from the document to the rows; nil for rows that are constants of the mapping.
        var chain: [Path]?
        var constants: [JSON] = []
    }

    struct Names {
        var document: Place
        var row: List?
        var part: List?
    }

    let tables: [String: CodeTable]
    private(set) var problems: [Problem] = []
    private(set) var reads: [SourceRead] = []
    /// Paths that lead to moments, as seen last: `row.` paths mean another place in another list.
    private var moments: Set<Path> = []

    init(tables: [String: CodeTable]) { self.tables = tables }

    mutating func refuse(_ problem: Problem) {
        if problems.count < Limits.problems { problems.append(problem) }
    }

    // MARK: shapes

    /// The members of an object whose keys are all allowed.
    mutating func members(_ json: JSON, _ at: String, allowed: [String], needed: [String] = []) -> JSONObject? {
        guard let object = json.object else {
            refuse(.wrongShape(at, zh: "对象", en: "an object"))
            return nil
        }
        for key in object.keys where !allowed.contains(key) { refuse(.unknownKey(at, key, allowed: allowed)) }
        for key in needed where object[key] == nil {
            refuse(.wrongShape(at, zh: "带“\(key)”的对象", en: "an object with \"\(key)\""))
            return nil
        }
        return object
    }

    mutating func text(_ json: JSON?, _ at: String) -> String? {
        guard let text = json.flatMap(scalarText) else {
            refuse(.wrongShape(at, zh: "文本", en: "a text"))
            return nil
        }
        return text
    }

    mutating func elements(_ json: JSON?, _ at: String) -> [JSON]? {
        guard let elements = json?.array, !elements.isEmpty else {
            refuse(.wrongShape(at, zh: "非空列表", en: "a list that is not empty"))
            return nil
        }
        return elements
    }

    private mutating func integer(_ json: JSON?, _ at: String, _ range: ClosedRange<Int>) -> Int? {
        guard let value = json.flatMap(scalarText).flatMap(Int.init), range.contains(value) else {
            refuse(
                .wrongShape(
                    at, zh: "\(range.lowerBound)–\(range.upperBound) 的整数",
                    en: "an integer from \(range.lowerBound) to \(range.upperBound)"))
            return nil
        }
        return value
    }

    private mutating func choice<Value: RawRepresentable & CaseIterable>(
        _ json: JSON?, _ at: String, _ type: Value.Type
    ) -> Value? where Value.RawValue == String {
        let name = json.flatMap(scalarText)
        guard let value = name.flatMap(Value.init(rawValue:)) else {
            refuse(.unknownKey(at, name ?? "", allowed: Value.allCases.map(\.rawValue)))
            return nil
        }
        return value
    }

    // MARK: paths

    enum Wanted {
        case scalar
        case list
        case anything
    }

    /// A path that leads somewhere, noted as read.
    mutating func path(_ json: JSON?, _ at: String, _ names: Names, _ wanted: Wanted) -> (path: Path, place: Place)? {
        guard let text = text(json, at) else { return nil }
        guard let path = Path(text) else {
            refuse(.badPath(at, text))
            return nil
        }
        let list: List
        switch path.root {
        case .document: list = List(place: names.document, chain: [])
        case .row:
            guard let row = names.row else {
                refuse(.outOfScope(at, "row"))
                return nil
            }
            list = row
        case .part:
            guard let part = names.part else {
                refuse(.outOfScope(at, "part"))
                return nil
            }
            list = part
        }
        guard let chain = list.chain else {
            for constant in list.constants where path.find(in: constant) == nil {
                refuse(.noSuchSource(at, text, path.relative, known: constant.object?.keys ?? []))
                return nil
            }
            return (path, .anything)
        }
        let place: Place
        do throws(Place.Lost) {
            place = try list.place.follow(path, wantsList: wanted == .list)
        } catch {
            refuse(.noSuchSource(at, text, error.step, known: error.known))
            return nil
        }
        moments.remove(path)
        if case .known(let here) = place, here.isTyped {
            if here.format == .dateTime { moments.insert(path) }
            switch wanted {
            case .scalar where !here.mayBeScalar:
                refuse(.notScalar(at, text))
                return nil
            case .list where !here.mayBeArray:
                refuse(.notList(at, text))
                return nil
            default: break
            }
        }
        reads.append(SourceRead(chain: chain + [path], countOnly: false))
        return (path, place)
    }

    /// The rows of a list, as names for what is inside; the list itself counts as read only by its length.
    mutating func list(_ json: JSON?, _ at: String, _ names: Names) -> (path: Path, rows: List)? {
        guard let (path, place) = path(json, at, names, .list) else { return nil }
        let outer: [Path]? =
            switch path.root {
            case .document: []
            case .row: names.row?.chain
            case .part: names.part?.chain
            }
        guard let outer else { return (path, List(place: .anything, chain: nil)) }
        reads[reads.count - 1] = SourceRead(chain: outer + [path], countOnly: true)
        return (path, List(place: place.element, chain: outer + [path]))
    }

    // MARK: expressions

    static let operations = [
        "path", "constant", "lookup", "when", "case", "concat", "join", "substring", "trim", "date", "sum", "negate",
        "multiply", "divide", "round", "count", "default", "optional",
    ]

    /// An expression; a scalar stands for itself. What is wrong is noted, and a constant stands in for it.
    mutating func expression(_ json: JSON, _ at: String, _ names: Names, depth: Int = 0) -> Expression {
        let broken = Expression.constant(.null)
        guard depth <= Limits.expressionDepth else {
            refuse(.tooDeep(at))
            return broken
        }
        switch json {
        case .string, .number, .bool: return .constant(json)
        case .null, .array:
            refuse(.wrongShape(at, zh: "一个值或一种运算", en: "a value or an operation"))
            return broken
        case .object(let object):
            let found = object.keys.filter { Self.operations.contains($0) }
            guard found.count == 1 else {
                let key = found.count > 1 ? found.joined(separator: " + ") : object.keys.joined(separator: " + ")
                refuse(.unknownKey(at, key, allowed: Self.operations))
                return broken
            }
            return operation(found[0], json, at, names, depth) ?? broken
        }
    }

    private mutating func operation(
        _ name: String, _ json: JSON, _ at: String, _ names: Names, _ depth: Int
    ) -> Expression? {
        let here = "\(at).\(name)"
        let argument = json[name] ?? .null
        func allow(_ others: String...) -> [String] { [name] + others }
        switch name {
        case "path":
            guard members(json, at, allowed: allow()) != nil else { return nil }
            return path(argument, here, names, .scalar).map { .path($0.path) }
        case "constant":
            guard members(json, at, allowed: allow()) != nil else { return nil }
            return .constant(argument)
        case "lookup": return lookup(json, at, names, depth)
        case "when": return when(json, at, names, depth)
        case "case":
            guard let object = members(json, at, allowed: allow("of", "else"), needed: ["of"]) else { return nil }
            let subject = expression(argument, here, names, depth: depth + 1)
            guard let cases = object["of"]?.object, !cases.isEmpty else {
                refuse(.wrongShape("\(at).of", zh: "值到结果的对象", en: "an object from values to results"))
                return nil
            }
            var results: [ByteKey: Expression] = [:]
            for (key, value) in cases {
                results[ByteKey(text: trimmed(key))] = expression(value, "\(at).of.\(key)", names, depth: depth + 1)
            }
            return .choice(subject, results, otherwise: otherwise(object, at, names, depth))
        case "concat", "multiply", "default":
            guard members(json, at, allowed: allow()) != nil, let list = list(argument, here, names, depth) else {
                return nil
            }
            return switch name {
            case "concat": .concat(list)
            case "multiply": .multiply(numbers(list, here))
            default: .firstPresent(list)
            }
        case "join":
            guard let object = members(json, at, allowed: allow("with")) else { return nil }
            guard let found = path(argument, here, names, .list) else { return nil }
            guard let separator = object["with"] else { return .join(found.path, with: "、") }
            return text(separator, "\(at).with").map { .join(found.path, with: $0) }
        case "substring":
            guard let object = members(json, at, allowed: allow("from", "length")) else { return nil }
            let inner = expression(argument, here, names, depth: depth + 1)
            let from = object["from"] == nil ? 0 : integer(object["from"], "\(at).from", 0...Limits.textBytes)
            if object["length"] == nil { return from.map { .substring(inner, from: $0, length: nil) } }
            let length = integer(object["length"], "\(at).length", 1...Limits.textBytes)
            guard let from, let length else { return nil }
            return .substring(inner, from: from, length: length)
        case "trim", "optional", "negate":
            guard members(json, at, allowed: allow()) != nil else { return nil }
            let inner = expression(argument, here, names, depth: depth + 1)
            return switch name {
            case "trim": .trim(inner)
            case "optional": .optional(inner)
            default: .negate(numbers([inner], here)[0])
            }
        case "date": return date(json, at, names, depth)
        case "sum":
            guard let object = members(json, at, allowed: allow("each")) else { return nil }
            guard let each = object["each"] else {
                return list(argument, here, names, depth).map { .sum(numbers($0, here)) }
            }
            guard let (path, rows) = list(each, "\(at).each", names) else { return nil }
            var inside = names
            inside.row = rows
            return .sumEach(path, numbers([expression(argument, here, inside, depth: depth + 1)], here)[0])
        case "divide":
            let all = allow("by", "scale", "rule")
            guard let object = members(json, at, allowed: all, needed: ["by", "scale"]) else { return nil }
            let left = expression(argument, here, names, depth: depth + 1)
            let right = expression(object["by"] ?? .null, "\(at).by", names, depth: depth + 1)
            let checked = numbers([left, right], here)
            guard let (scale, rule) = rounding(object, at) else { return nil }
            return .divide(checked[0], checked[1], scale: scale, rule: rule)
        case "round":
            guard let object = members(json, at, allowed: allow("scale", "rule"), needed: ["scale"]) else { return nil }
            let inner = numbers([expression(argument, here, names, depth: depth + 1)], here)[0]
            return rounding(object, at).map { .round(inner, scale: $0.scale, rule: $0.rule) }
        case "count":
            guard members(json, at, allowed: allow()) != nil else { return nil }
            return list(argument, here, names).map { .count($0.path) }
        default: return nil
        }
    }

    private mutating func list(_ json: JSON, _ at: String, _ names: Names, _ depth: Int) -> [Expression]? {
        guard let elements = elements(json, at) else { return nil }
        var list: [Expression] = []
        for (index, element) in elements.enumerated() {
            list.append(expression(element, "\(at)[\(index)]", names, depth: depth + 1))
        }
        return list
    }

    private mutating func otherwise(
        _ object: JSONObject, _ at: String, _ names: Names, _ depth: Int
    ) -> Expression? {
        object["else"].map { expression($0, "\(at).else", names, depth: depth + 1) }
    }

    private mutating func rounding(_ object: JSONObject, _ at: String) -> (scale: Int, rule: ExactDecimal.Rounding)? {
        let scale = integer(object["scale"], "\(at).scale", 0...12)
        let rule =
            object["rule"] == nil ? .halfUp : choice(object["rule"], "\(at).rule", ExactDecimal.Rounding.self)
        guard let scale, let rule else { return nil }
        return (scale, rule)
    }

    /// Refuses what can never be a number.
    private mutating func numbers(_ list: [Expression], _ at: String) -> [Expression] {
        for one in list {
            if one.kind == .date { refuse(.kindDoesNotFit(at, given: one.kind.rawValue, wanted: "decimal")) }
            for constant in one.outcomes where plainDecimal(constant) == nil && !constant.isNull {
                refuse(.badNumber(at, scalarText(constant) ?? constant.text))
            }
        }
        return list
    }

    private mutating func when(_ json: JSON, _ at: String, _ names: Names, _ depth: Int) -> Expression? {
        guard let object = members(json, at, allowed: ["when", "else"]),
            let branches = elements(object["when"], "\(at).when")
        else { return nil }
        var made: [Expression.Branch] = []
        for (index, branch) in branches.enumerated() {
            let here = "\(at).when[\(index)]"
            guard let parts = members(branch, here, allowed: ["if", "then"], needed: ["if", "then"]) else { continue }
            guard let condition = condition(parts["if"] ?? .null, "\(here).if", names, depth: depth + 1) else {
                continue
            }
            made.append(
                .init(
                    condition: condition,
                    value: expression(parts["then"] ?? .null, "\(here).then", names, depth: depth + 1)))
        }
        return .when(made, otherwise: otherwise(object, at, names, depth))
    }

    private mutating func date(_ json: JSON, _ at: String, _ names: Names, _ depth: Int) -> Expression? {
        guard let object = members(json, at, allowed: ["date", "zone", "give"]) else { return nil }
        let inner = expression(object["date"] ?? .null, "\(at).date", names, depth: depth + 1)
        let part = object["give"] == nil ? .date : choice(object["give"], "\(at).give", Expression.DatePart.self)
        var zone: TimeZoneRule? = .shanghai
        if let name = object["zone"] {
            do throws(Problem) {
                zone = try text(name, "\(at).zone").map { name throws(Problem) in try TimeZoneRule(named: name) }
            } catch {
                refuse(.inMapping("\(at).zone", error))
                zone = nil
            }
        }
        guard let part, let zone else { return nil }
        return .date(inner, zone, part)
    }

    private mutating func lookup(_ json: JSON, _ at: String, _ names: Names, _ depth: Int) -> Expression? {
        guard
            let object = members(json, at, allowed: ["lookup", "where", "give"], needed: ["where", "give"]),
            let name = text(object["lookup"], "\(at).lookup"), let column = text(object["give"], "\(at).give")
        else { return nil }
        guard let keys = object["where"]?.object, !keys.isEmpty else {
            refuse(.wrongShape("\(at).where", zh: "列名到值的对象", en: "an object from columns to values"))
            return nil
        }
        var expressions: [Expression] = []
        for (key, value) in keys {
            expressions.append(expression(value, "\(at).where.\(key)", names, depth: depth + 1))
        }
        guard let table = tables[name] else {
            refuse(.unknownTable("\(at).lookup", name, known: Array(tables.keys)))
            return nil
        }
        let known = problems.count
        for missing in keys.keys where table.position(missing) == nil {
            refuse(.unknownColumn("\(at).where", missing, file: table.file, known: table.columns))
        }
        guard let give = table.position(column) else {
            refuse(.unknownColumn("\(at).give", column, file: table.file, known: table.columns))
            return nil
        }
        guard problems.count == known else { return nil }
        let index = index(table, keys.keys, "\(at).lookup")
        return .lookup(
            Lookup(
                file: table.file, columns: keys.keys, keys: expressions, column: column, index: index,
                cells: table.rows.map { $0[give] }, lines: table.lines))
    }

    /// Row by key; keys that come twice are refused with their lines.
    private mutating func index(_ table: CodeTable, _ columns: [String], _ at: String) -> [ByteKey: Int] {
        let positions = columns.compactMap(table.position)
        var index: [ByteKey: Int] = [:]
        index.reserveCapacity(table.rows.count)
        var doubles: [(key: String, rows: [Int])] = []
        for (row, cells) in table.rows.enumerated() {
            let key = Lookup.join(positions.map { cells[$0] })
            guard let first = index.updateValue(row, forKey: ByteKey(text: key)) else { continue }
            index[ByteKey(text: key)] = first
            if let known = doubles.firstIndex(where: { sameBytes($0.key, key) }) {
                doubles[known].rows.append(row)
            } else if doubles.count < Limits.problems {
                doubles.append((key, [first, row]))
            }
        }
        for (_, rows) in doubles {
            let cells = positions.map { table.rows[rows[0]][$0] }
            refuse(
                .duplicateRows(
                    at, file: table.file, columns: columns, key: cells.joined(separator: " + "),
                    lines: rows.map { table.lines[$0] }))
        }
        return index
    }

    // MARK: conditions

    private static let tests = ["equals", "in", "empty", "present", "greater"]

    /// A condition, or nil with what is wrong noted.
    mutating func condition(_ json: JSON, _ at: String, _ names: Names, depth: Int = 0) -> Condition? {
        guard depth <= Limits.expressionDepth else {
            refuse(.tooDeep(at))
            return nil
        }
        let all = ["path", "value", "not", "all", "any"] + Self.tests
        guard let object = members(json, at, allowed: all), object.keys.allSatisfy(all.contains) else { return nil }
        for (name, value) in object where ["not", "all", "any"].contains(name) {
            guard object.count == 1 else {
                refuse(.wrongShape(at, zh: "仅含“\(name)”的对象", en: "an object with \"\(name)\" alone"))
                return nil
            }
            if name == "not" { return condition(value, "\(at).not", names, depth: depth + 1).map { .not($0) } }
            guard let elements = elements(value, "\(at).\(name)") else { return nil }
            var list: [Condition] = []
            for (index, element) in elements.enumerated() {
                if let one = condition(element, "\(at).\(name)[\(index)]", names, depth: depth + 1) { list.append(one) }
            }
            return name == "all" ? .all(list) : .any(list)
        }
        let tests = object.keys.filter { Self.tests.contains($0) }
        guard tests.count == 1, object.count == 2, object["path"] != nil || object["value"] != nil else {
            refuse(
                .wrongShape(
                    at, zh: "path 或 value 加一种比较（\(Self.tests.joined(separator: ", "))）",
                    en: "path or value, and one test (\(Self.tests.joined(separator: ", ")))"))
            return nil
        }
        let test = tests[0]
        let here = "\(at).\(test)"
        let operand = object[test] ?? .null
        let subject: Expression
        if let value = object["value"] {
            subject = expression(value, "\(at).value", names, depth: depth + 1)
        } else {
            let wanted: Wanted = test == "empty" || test == "present" ? .anything : .scalar
            guard let found = path(object["path"], "\(at).path", names, wanted) else { return nil }
            subject = .path(found.path)
        }
        switch test {
        case "equals": return .equals(subject, expression(operand, here, names, depth: depth + 1))
        case "greater":
            let right = numbers([expression(operand, here, names, depth: depth + 1)], here)[0]
            return .greater(subject, right)
        case "in":
            guard let list = elements(operand, here) else { return nil }
            guard list.allSatisfy({ scalarText($0) != nil }) else {
                refuse(.wrongShape(here, zh: "单个值的列表", en: "a list of single values"))
                return nil
            }
            return .isIn(subject, list)
        default:
            guard operand.bool == true || operand.string == "true" else {
                refuse(.wrongShape(here, zh: "true", en: "true"))
                return nil
            }
            return test == "empty" ? .empty(subject) : .present(subject)
        }
    }

    // MARK: target

    /// What makes a place of the target document.
    mutating func build(_ json: JSON, _ at: String, _ target: Place, _ names: Names, depth: Int = 0) -> Build {
        guard case .known(let place) = target, place.isTyped, !place.mayBeScalar else {
            return .leaf(leaf(json, at, target, names))
        }
        guard depth <= Limits.expressionDepth else {
            refuse(.tooDeep(at))
            return .object([])
        }
        if place.mayBeArray { return .list(groups(json, at, target.element, names, depth)) }
        guard let object = json.object else {
            refuse(.wrongShape(at, zh: "字段到值的对象", en: "an object from fields to values"))
            return .object([])
        }
        var members: [Build.Member] = []
        for (key, value) in object {
            let here = "\(at).\(key)"
            switch place.member(key) {
            case .place(let member):
                members.append(.init(key: key, build: build(value, here, .known(member), names, depth: depth + 1)))
            case .anything:
                members.append(.init(key: key, build: .leaf(leaf(value, here, .anything, names))))
            case .nothing(let known): refuse(.noSuchTarget(at, key, known: known))
            }
        }
        for key in place.required {
            let member = members.first { $0.key == key }
            if case .leaf(let leaf)? = member?.build, !leaf.expression.isOptional { continue }
            if case .leaf? = member?.build {
                refuse(.requiredTarget("\(at).\(key)", key))
            } else if member == nil, object[key] == nil {
                refuse(.requiredTarget(at, key))
            }
        }
        return .object(members)
    }

    private mutating func groups(
        _ json: JSON, _ at: String, _ target: Place, _ names: Names, _ depth: Int
    ) -> [Build.Group] {
        guard let elements = elements(json, at) else { return [] }
        var groups: [Build.Group] = []
        for (index, element) in elements.enumerated() {
            let here = "\(at)[\(index)]"
            guard let object = members(element, here, allowed: ["each", "when", "line"], needed: ["line"]) else {
                continue
            }
            var inside = names
            var each: Path?
            if let path = object["each"] {
                guard let (path, rows) = list(path, "\(here).each", names) else { continue }
                inside.row = rows
                each = path
            }
            let test = object["when"].flatMap { condition($0, "\(here).when", inside, depth: depth + 1) }
            let line = build(object["line"] ?? .null, "\(here).line", target, inside, depth: depth + 1)
            groups.append(.init(each: each, condition: test, line: line))
        }
        return groups
    }

    private mutating func leaf(_ json: JSON, _ at: String, _ target: Place, _ names: Names) -> Build.Leaf {
        let expression = expression(json, at, names)
        guard case .known(let place) = target else { return .init(expression: expression, shape: .any) }
        let shape: Build.Shape =
            switch place.format {
            case .decimal?: .decimal
            case .date?: .date
            default: place.isInteger ? .integer : place.isTyped && place.mayBeString ? .text : .any
            }
        let given = expression.kind
        let impossible =
            switch (shape, given) {
            case (.decimal, .date), (.integer, .date), (.date, .decimal), (.date, .integer): true
            default: false
            }
        if shape == .date, expression.resultPaths.contains(where: moments.contains) {
            refuse(.kindDoesNotFit(at, given: "date-time", wanted: "date"))
        }
        if impossible { refuse(.kindDoesNotFit(at, given: given.rawValue, wanted: shape.rawValue)) }
        for constant in expression.outcomes where !constant.isNull {
            let shown = scalarText(constant) ?? constant.text
            switch shape.fit(constant) {
            case .success(let value):
                if let first = place.validate(value).first {
                    refuse(.constantDoesNotFit(at, shown, zh: first.text.zh, en: first.text.en))
                }
            case .failure:
                refuse(.constantDoesNotFit(at, shown, zh: "需要 \(shape.rawValue)。", en: "\(shape.rawValue) is needed."))
            }
        }
        return .init(expression: expression, shape: shape)
    }
}
