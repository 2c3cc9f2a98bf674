import Values

/// A compiled JSON Schema of the house's subset of 2020-12, with its cross-field rules.
///
/// Keywords: `type`, `properties`, `required`, `additionalProperties`, `items`, `enum`, `const`, `format` (decimal,
/// date, date-time), `minItems`, `maxItems`, `minLength`, `maxLength`, `$ref` to `#/$defs/NAME`, `$defs`, `oneOf`;
/// notes without effect: `$schema`, `$id`, `$comment`, `title`, `description`, `default`, `examples`, `identity`;
/// at the root `x-rules`. Any other keyword is refused: a rule nobody checks would only look like one.
public struct Schema: Sendable {
    struct Types: OptionSet, Sendable {
        let rawValue: UInt8
        static let object = Types(rawValue: 1)
        static let array = Types(rawValue: 2)
        static let string = Types(rawValue: 4)
        static let number = Types(rawValue: 8)
        static let integer = Types(rawValue: 16)
        static let boolean = Types(rawValue: 32)
        static let null = Types(rawValue: 64)
        static let names: [(String, Types)] = [
            ("object", .object), ("array", .array), ("string", .string), ("number", .number), ("integer", .integer),
            ("boolean", .boolean), ("null", .null),
        ]

        var text: String { Self.names.filter { contains($0.1) }.map(\.0).joined(separator: " | ") }
    }

    package enum Format: String, Sendable {
        case decimal
        case date
        case dateTime = "date-time"
    }

    enum Additional: Sendable, Equatable {
        case any
        case none
        case schema(Int)
    }

    struct Node: Sendable {
        var types: Types?
        var properties = Names()
        var required: [String] = []
        var additional = Additional.any
        var items: Int?
        var allowed: [JSON]?
        var format: Format?
        var minItems: Int?
        var maxItems: Int?
        var minLength: Int?
        var maxLength: Int?
        var reference: Int?
        var oneOf: [Int] = []
    }

    /// Nodes by the names of properties. An object has a few dozen at most, and their tags decide.
    struct Names: Sendable {
        private(set) var keys: [String] = []
        private var tags: [UInt64] = []
        private var nodes: [Int] = []

        var isEmpty: Bool { keys.isEmpty }

        subscript(_ key: String) -> Int? {
            let tag = keyTag(key)
            for at in tags.indices where tags[at] == tag && sameBytes(keys[at], key) { return nodes[at] }
            return nil
        }

        mutating func append(_ key: String, _ node: Int) {
            keys.append(key)
            tags.append(keyTag(key))
            nodes.append(node)
        }
    }

    /// A node behind a reference: walking a document then copies one pointer instead of a dozen.
    final class Box: Sendable {
        let node: Node

        init(_ node: Node) { self.node = node }
    }

    let boxes: [Box]
    let rules: [Rule]
    static let root = 0

    /// Compiles a schema; the first keyword, reference, format or rule outside the subset throws `E-SCHEMA-0NN` with
    /// its place.
    public init(_ json: JSON) throws(Problem) {
        var compiler = SchemaCompiler()
        let root = try compiler.compile(json, at: "", depth: 0, isRoot: true)
        precondition(root == Self.root)
        try compiler.link()
        boxes = compiler.nodes.map(Box.init)
        rules = compiler.rules
    }

    /// Everything wrong with a value, in the order of the document, then what the cross-field rules find; empty when
    /// it is valid. At most `Limits.violations` are reported.
    public func validate(_ value: JSON) -> [Violation] {
        var validator = Validator(boxes)
        validator.check(value, Self.root)
        for rule in rules { validator.violations.append(contentsOf: rule.check(value)) }
        return Array(validator.violations.prefix(Limits.violations))
    }
}

/// Turns the JSON of a schema into nodes; references are resolved when all of them are known.
struct SchemaCompiler {
    var nodes: [Schema.Node] = []
    var rules: [Rule] = []
    private var definitions: [String: Int] = [:]
    private var references: [(node: Int, name: String, at: String)] = []

    mutating func compile(_ json: JSON, at pointer: String, depth: Int, isRoot: Bool) throws(Problem) -> Int {
        guard depth <= Limits.schemaDepth else { throw .schemaTooDeep(pointer) }
        guard let object = json.object else { throw .keywordValue(pointer, zh: "对象", en: "an object") }
        let index = nodes.count
        nodes.append(Schema.Node())
        var node = Schema.Node()
        for (keyword, value) in object {
            let here = "\(pointer)/\(pointerToken(keyword))"
            switch keyword {
            case "$schema", "$id", "$comment", "title", "description", "default", "examples", "identity": break
            case "type": node.types = try types(value, here)
            case "properties":
                guard let members = value.object else { throw .keywordValue(here, zh: "对象", en: "an object") }
                for (key, schema) in members {
                    let made = try compile(
                        schema, at: "\(here)/\(pointerToken(key))", depth: depth + 1, isRoot: false)
                    node.properties.append(key, made)
                }
            case "required": node.required = try strings(value, here)
            case "additionalProperties":
                switch value {
                case .bool(true): node.additional = .any
                case .bool(false): node.additional = .none
                default:
                    node.additional = .schema(try compile(value, at: here, depth: depth + 1, isRoot: false))
                }
            case "items": node.items = try compile(value, at: here, depth: depth + 1, isRoot: false)
            case "enum":
                guard let values = value.array, !values.isEmpty else {
                    throw .keywordValue(here, zh: "非空数组", en: "an array that is not empty")
                }
                node.allowed = values
            case "const": node.allowed = [value]
            case "format":
                guard let name = value.string else { throw .keywordValue(here, zh: "文本", en: "a text") }
                guard let format = Schema.Format(rawValue: name) else { throw .unknownFormat(here, name) }
                node.format = format
            case "minItems": node.minItems = try count(value, here)
            case "maxItems": node.maxItems = try count(value, here)
            case "minLength": node.minLength = try count(value, here)
            case "maxLength": node.maxLength = try count(value, here)
            case "oneOf":
                guard let branches = value.array, !branches.isEmpty else {
                    throw .keywordValue(here, zh: "非空数组", en: "an array that is not empty")
                }
                for (at, branch) in branches.enumerated() {
                    node.oneOf.append(try compile(branch, at: "\(here)/\(at)", depth: depth + 1, isRoot: false))
                }
            case "$ref":
                guard let name = value.string else { throw .keywordValue(here, zh: "文本", en: "a text") }
                references.append((index, name, here))
            case "$defs" where isRoot:
                guard let members = value.object else { throw .keywordValue(here, zh: "对象", en: "an object") }
                for (key, schema) in members {
                    definitions["#/$defs/\(key)"] = try compile(
                        schema, at: "\(here)/\(pointerToken(key))", depth: depth + 1, isRoot: false)
                }
            case "x-rules" where isRoot:
                guard let list = value.array else { throw .keywordValue(here, zh: "数组", en: "an array") }
                for (at, rule) in list.enumerated() { rules.append(try Rule(rule, at: "\(here)/\(at)")) }
            default: throw .unknownKeyword(pointer, keyword)
            }
        }
        nodes[index] = node
        return index
    }

    /// Resolves references and refuses circles that never move on to a part of the value.
    mutating func link() throws(Problem) {
        for (node, name, at) in references {
            guard let target = definitions[name] else { throw .badReference(at, name) }
            nodes[node].reference = target
        }
        for (node, _, at) in references {
            var open = [node]
            var passed: Set<Int> = []
            while let next = open.popLast() {
                for step in nodes[next].oneOf + (nodes[next].reference.map { [$0] } ?? []) {
                    if step == node { throw .referenceCircle(at) }
                    if passed.insert(step).inserted { open.append(step) }
                }
            }
        }
    }

    private func types(_ value: JSON, _ at: String) throws(Problem) -> Schema.Types {
        let names = if let one = value.string { [one] } else { try strings(value, at) }
        var types: Schema.Types = []
        for name in names {
            guard let type = Schema.Types.names.first(where: { $0.0 == name }) else {
                throw .keywordValue(at, zh: "JSON 类型名", en: "names of JSON types")
            }
            types.insert(type.1)
        }
        return types
    }

    private func strings(_ value: JSON, _ at: String) throws(Problem) -> [String] {
        guard let array = value.array, array.allSatisfy({ $0.string != nil }) else {
            throw .keywordValue(at, zh: "文本数组", en: "an array of texts")
        }
        return array.compactMap(\.string)
    }

    private func count(_ value: JSON, _ at: String) throws(Problem) -> Int {
        guard let count = value.int, count >= 0 else {
            throw .keywordValue(at, zh: "非负整数", en: "an integer of zero or more")
        }
        return Int(count)
    }
}
