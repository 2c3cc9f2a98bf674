import Values

/// A place inside documents of a schema, for checking paths before any document is there.
package struct SchemaPlace: Sendable {
    /// What a step to a part led to.
    package enum Step {
        /// The part.
        case place(SchemaPlace)
        /// The schema says nothing about this part: anything may be there.
        case anything
        /// No document has this part; the names that exist, sorted.
        case nothing(known: [String])
    }

    private let schema: Schema
    /// The nodes the place may be validated by: a reference or `oneOf` gives several.
    private let candidates: [Int]

    private init(_ schema: Schema, _ start: [Int]) {
        self.schema = schema
        var open = start
        var all: [Int] = []
        while let next = open.popLast() {
            guard !all.contains(next) else { continue }
            all.append(next)
            let node = schema.boxes[next].node
            if let reference = node.reference { open.append(reference) }
            open.append(contentsOf: node.oneOf)
        }
        candidates = all.sorted()
    }

    /// The whole document.
    package static func root(of schema: Schema) -> SchemaPlace { SchemaPlace(schema, [Schema.root]) }

    private var nodes: [Schema.Node] { candidates.map { schema.boxes[$0].node } }

    /// Whether a value of these JSON types may be here.
    private func may(_ types: Schema.Types) -> Bool {
        let said = nodes.compactMap { $0.types ?? $0.allowed.map(Self.types(of:)) }
        return said.isEmpty || said.contains { !$0.isDisjoint(with: types) }
    }

    private static func types(of values: [JSON]) -> Schema.Types {
        values.reduce(into: []) { types, value in
            switch value {
            case .null: types.insert(.null)
            case .bool: types.insert(.boolean)
            case .number: types.insert([.number, .integer])
            case .string: types.insert(.string)
            case .array: types.insert(.array)
            case .object: types.insert(.object)
            }
        }
    }

    /// Whether an object may be here.
    package var mayBeObject: Bool { may(.object) }
    /// Whether an array may be here.
    package var mayBeArray: Bool { may(.array) }
    /// Whether a text, number or boolean may be here.
    package var mayBeScalar: Bool { may([.string, .number, .integer, .boolean]) }
    /// Whether a text may be here.
    package var mayBeString: Bool { may(.string) }
    /// Whether nothing but an integer (or null) may be here.
    package var isInteger: Bool { may(.integer) && !may([.string, .boolean, .object, .array]) && !may(.number) }
    /// Whether the schema says anything about the type here.
    package var isTyped: Bool { nodes.contains { $0.types != nil || $0.allowed != nil } }
    /// The format of texts here.
    package var format: Schema.Format? { nodes.lazy.compactMap(\.format).first }
    /// The keys that must be present here.
    package var required: [String] { nodes.flatMap(\.required) }

    /// The part under a key.
    package func member(_ key: String) -> Step {
        guard mayBeObject else { return .nothing(known: []) }
        var found: [Int] = []
        var anything = !nodes.contains { !$0.properties.isEmpty || $0.additional != .any }
        for node in nodes {
            if let property = node.properties[key] {
                found.append(property)
            } else if case .schema(let index) = node.additional {
                found.append(index)
            } else if node.additional == .any, !node.properties.isEmpty {
                anything = true
            }
        }
        if !found.isEmpty { return .place(SchemaPlace(schema, found)) }
        if anything { return .anything }
        return .nothing(known: Set(nodes.flatMap { $0.properties.keys }).sorted())
    }

    /// An element of the array here.
    package var element: Step {
        guard mayBeArray else { return .nothing(known: []) }
        let items = nodes.compactMap(\.items)
        return items.isEmpty ? .anything : .place(SchemaPlace(schema, items))
    }

    /// What is wrong with a value put here.
    package func validate(_ value: JSON) -> [Violation] {
        var validator = Validator(schema.boxes)
        for start in starts { validator.check(value, start) }
        return validator.violations
    }

    private var starts: [Int] {
        let led = Set(nodes.flatMap { $0.oneOf + ($0.reference.map { [$0] } ?? []) })
        return candidates.filter { !led.contains($0) }
    }
}
