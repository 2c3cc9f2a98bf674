import FoundationEssentials

/// A JSON value of the simulators: numbers keep the text they came with, objects keep the order of their keys.
///
/// Deliberately its own type: a simulator that shared the connector's JSON code would share its mistakes.
public enum SimJSON: Sendable, Hashable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number, as its JSON text.
    case number(String)
    /// Text.
    case string(String)
    /// A list.
    case array([SimJSON])
    /// An object.
    case object(SimObject)
}

/// A JSON object whose keys keep their order. Two objects are equal when their content is, whatever the order.
public struct SimObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// The keys in the order in which they were set.
    public private(set) var keys: [String] = []
    private var values: [String: SimJSON] = [:]

    /// An empty object.
    public init() {}

    /// An object from a literal; a later equal key wins.
    public init(dictionaryLiteral elements: (String, SimJSON)...) {
        for (key, value) in elements { self[key] = value }
    }

    /// The value of a key; setting nil removes the key.
    public subscript(key: String) -> SimJSON? {
        get { values[key] }
        set {
            if let newValue {
                if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
            } else if values.removeValue(forKey: key) != nil {
                keys.removeAll { $0 == key }
            }
        }
    }

    /// Compares content only.
    public static func == (left: SimObject, right: SimObject) -> Bool { left.values == right.values }

    /// Hashes content only.
    public func hash(into hasher: inout Hasher) { hasher.combine(values) }
}

extension SimJSON: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// Text from a literal.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A number from a literal.
    public init(integerLiteral value: Int) { self = .number(String(value)) }
    /// A Boolean from a literal.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A list from a literal.
    public init(arrayLiteral elements: SimJSON...) { self = .array(elements) }
    /// An object from a literal; a later equal key wins.
    public init(dictionaryLiteral elements: (String, SimJSON)...) {
        var object = SimObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
    /// `null` from a literal.
    public init(nilLiteral: ()) { self = .null }
    /// A whole number.
    public init(_ value: some BinaryInteger) { self = .number(String(value)) }
    /// A decimal number, written as JSON number.
    public init(_ value: Decimal) { self = .number(value.description) }
    /// A list of texts.
    public init(_ values: [String]) { self = .array(values.map { .string($0) }) }
    /// Text, or `null` when there is none.
    public init(_ value: String?) { self = value.map { .string($0) } ?? .null }
}

extension SimJSON {
    /// The text, if this is text.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The Boolean, if this is one.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The whole number, if this is a number without fraction and exponent that fits.
    public var int: Int? { if case .number(let text) = self { Int(text) } else { nil } }
    /// The decimal, from a number or from text that holds one.
    public var decimal: Decimal? {
        switch self {
        case .number(let text), .string(let text): Decimal(string: text)
        default: nil
        }
    }
    /// The list, if this is one.
    public var array: [SimJSON]? { if case .array(let value) = self { value } else { nil } }
    /// The object, if this is one.
    public var object: SimObject? { if case .object(let value) = self { value } else { nil } }
    /// True for `null`.
    public var isNull: Bool { self == .null }

    /// The value of an object's key; setting it on a value that is no object makes an object of it.
    public subscript(key: String) -> SimJSON? {
        get { object?[key] }
        set {
            var changed = object ?? SimObject()
            changed[key] = newValue
            self = .object(changed)
        }
    }

    /// The element of a list, nil outside it.
    public subscript(index: Int) -> SimJSON? {
        guard case .array(let list) = self, list.indices.contains(index) else { return nil }
        return list[index]
    }

    /// Compact JSON text.
    public var text: String {
        var out = ""
        write(to: &out)
        return out
    }

    /// Compact JSON text as UTF-8.
    public var bytes: [UInt8] { Array(text.utf8) }

    private func write(to out: inout String) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .number(let value): out += value
        case .string(let value): Self.write(value, to: &out)
        case .array(let list):
            out += "["
            for (index, item) in list.enumerated() {
                if index > 0 { out += "," }
                item.write(to: &out)
            }
            out += "]"
        case .object(let object):
            out += "{"
            for (index, key) in object.keys.enumerated() {
                if index > 0 { out += "," }
                Self.write(key, to: &out)
                out += ":"
                (object[key] ?? .null).write(to: &out)
            }
            out += "}"
        }
    }

    private static func write(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}

/// Why a text is not JSON.
public struct SimJSONError: Error, Sendable, CustomStringConvertible {
    /// What is wrong.
    public let reason: String
    /// At which byte.
    public let offset: Int
    /// The reason with its place.
    public var description: String { "\(reason) at byte \(offset)" }
}

extension SimJSON {
    /// Reads one JSON value; throws `SimJSONError` for anything else, also for bytes after it.
    public static func parse(_ bytes: [UInt8]) throws(SimJSONError) -> SimJSON {
        var parser = SimJSONParser(bytes: bytes)
        return try parser.document()
    }

    /// Reads one JSON value from text.
    public static func parse(_ text: String) throws(SimJSONError) -> SimJSON { try parse(Array(text.utf8)) }
}

private struct SimJSONParser {
    let bytes: [UInt8]
    var at = 0

    mutating func document() throws(SimJSONError) -> SimJSON {
        let value = try value(depth: 0)
        space()
        guard at == bytes.count else { throw fail("bytes after the value") }
        return value
    }

    func fail(_ reason: String) -> SimJSONError { SimJSONError(reason: reason, offset: at) }

    mutating func space() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    mutating func word(_ text: StaticString, _ value: SimJSON) throws(SimJSONError) -> SimJSON {
        for index in 0..<text.utf8CodeUnitCount {
            guard take(text.utf8Start[index]) else { throw fail("unknown word") }
        }
        return value
    }

    mutating func value(depth: Int) throws(SimJSONError) -> SimJSON {
        guard depth < KitLimits.jsonDepth else { throw fail("nested too deeply") }
        space()
        guard at < bytes.count else { throw fail("the value is missing") }
        switch bytes[at] {
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "["): return try list(depth: depth)
        case UInt8(ascii: "{"): return try object(depth: depth)
        default: return try number()
        }
    }

    mutating func list(depth: Int) throws(SimJSONError) -> SimJSON {
        at += 1
        var items: [SimJSON] = []
        space()
        if take(UInt8(ascii: "]")) { return .array(items) }
        while true {
            items.append(try value(depth: depth + 1))
            space()
            if take(UInt8(ascii: "]")) { return .array(items) }
            guard take(UInt8(ascii: ",")) else { throw fail("a comma is missing") }
        }
    }

    mutating func object(depth: Int) throws(SimJSONError) -> SimJSON {
        at += 1
        var object = SimObject()
        space()
        if take(UInt8(ascii: "}")) { return .object(object) }
        while true {
            space()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw fail("a key is missing") }
            let key = try string()
            space()
            guard take(UInt8(ascii: ":")) else { throw fail("a colon is missing") }
            object[key] = try value(depth: depth + 1)
            space()
            if take(UInt8(ascii: "}")) { return .object(object) }
            guard take(UInt8(ascii: ",")) else { throw fail("a comma is missing") }
        }
    }

    mutating func number() throws(SimJSONError) -> SimJSON {
        let start = at
        _ = take(UInt8(ascii: "-"))
        if take(UInt8(ascii: "0")) {
        } else {
            guard digits() else { throw fail("not a value") }
        }
        if take(UInt8(ascii: ".")) { guard digits() else { throw fail("a fraction without digits") } }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard digits() else { throw fail("an exponent without digits") }
        }
        return .number(String(decoding: bytes[start..<at], as: UTF8.self))
    }

    mutating func digits() -> Bool {
        let start = at
        while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
        return at > start
    }

    mutating func string() throws(SimJSONError) -> String {
        at += 1
        var out: [UInt8] = []
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: out, as: UTF8.self) else { throw fail("text is not UTF-8") }
                return text
            case UInt8(ascii: "\\"): try escape(into: &out)
            case 0..<0x20: throw fail("a control character in text")
            default: out.append(byte)
            }
        }
        throw fail("text without end")
    }

    mutating func escape(into out: inout [UInt8]) throws(SimJSONError) {
        guard at < bytes.count else { throw fail("text without end") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(byte)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "u"):
            var code = try unit()
            if (0xD800..<0xDC00).contains(code) {
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw fail("half a surrogate pair") }
                let low = try unit()
                guard (0xDC00..<0xE000).contains(low) else { throw fail("half a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fail("half a surrogate pair") }
            out.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: throw fail("unknown escape")
        }
    }

    mutating func unit() throws(SimJSONError) -> UInt32 {
        guard at + 4 <= bytes.count, bytes[at..<at + 4].allSatisfy({ $0.isHexDigit }),
            let code = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
        else { throw fail("an escape without four hex digits") }
        at += 4
        return code
    }
}

extension UInt8 {
    var isHexDigit: Bool {
        (0x30...0x39).contains(self) || (0x41...0x46).contains(self) || (0x61...0x66).contains(self)
    }
}
