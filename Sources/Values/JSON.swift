import Glibc

/// A JSON value that keeps what came: numbers as their text, objects in their order, strings as their bytes.
///
/// Equality is by content: objects compare without their order, strings byte for byte (Swift's own string
/// equality holds composed and decomposed letters for equal, which would make equal values hash and send
/// differently), numbers by their text (`1.0` and `1.00` are two texts; compare `decimal` for the value).
public enum JSON: Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number, its text exactly as it came.
    case number(JSONNumber)
    /// A string, any Unicode.
    case string(String)
    /// An array.
    case array([JSON])
    /// An object, in insertion order.
    case object(JSONObject)
}

extension JSON: Hashable {
    /// Equality by content, see the type.
    public static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.string(let a), .string(let b)): sameBytes(a, b)
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)): a == b
        default: false
        }
    }

    /// Hashes what equality compares.
    public func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let value):
            hasher.combine(1)
            hasher.combine(value)
        case .number(let value):
            hasher.combine(2)
            hasher.combine(value)
        case .string(let value):
            hasher.combine(3)
            hashBytes(value, into: &hasher)
        case .array(let value):
            hasher.combine(4)
            hasher.combine(value)
        case .object(let value):
            hasher.combine(5)
            hasher.combine(value)
        }
    }
}

extension JSON {
    /// The string, or nil when this is something else.
    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The boolean, or nil when this is something else.
    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// A number written as an integer that fits 64 bits; nil for `1.0`, `1e3`, strings and everything else.
    public var int: Int64? {
        if case .number(let value) = self { Int64(value.text) } else { nil }
    }

    /// The exact decimal of a number or of a string that holds one; nil for everything else.
    public var decimal: ExactDecimal? {
        switch self {
        case .number(let value): ExactDecimal(value.text)
        case .string(let value): ExactDecimal(value)
        default: nil
        }
    }

    /// The elements, or nil when this is no array.
    public var array: [JSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The object, or nil when this is something else.
    public var object: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// Whether this is `null`.
    public var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The value under a key; nil when this is no object or has no such key.
    public subscript(key: String) -> JSON? {
        if case .object(let value) = self { value[key] } else { nil }
    }

    /// The element at an index; nil when this is no array or the index is outside of it.
    public subscript(index: Int) -> JSON? {
        if case .array(let value) = self, value.indices.contains(index) { value[index] } else { nil }
    }
}

extension JSON: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// An integer number.
    public init(integerLiteral value: Int64) { self = .number(JSONNumber(value)) }
    /// A boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An array.
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    /// An object; a key given twice keeps the later value.
    public init(dictionaryLiteral elements: (String, JSON)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
    /// `null`.
    public init(nilLiteral: ()) { self = .null }
}

extension JSON: CustomStringConvertible {
    /// The compact JSON text.
    public var description: String { text }
}

/// A JSON number as the text it came in: `1280.50` stays `1280.50`, and twenty digits stay twenty digits.
public struct JSONNumber: Sendable, Hashable {
    /// The number's text, of JSON's grammar.
    public let text: String

    /// A number from its text; nil unless the whole text is of JSON's grammar (`01`, `.5`, `+1`, `NaN` are not).
    public init?(_ text: String) {
        var copy = text
        let good = copy.withUTF8 { bytes in
            var scanner = JSONScanner(bytes: bytes, limits: .standard)
            return (try? scanner.skipNumber()) != nil && scanner.at == bytes.count
        }
        guard good else { return nil }
        self.text = text
    }

    /// An integer number.
    public init(_ int: Int64) { text = String(int) }

    init(unchecked text: String) { self.text = text }
}

/// Byte equality of two strings.
package func sameBytes(_ a: String, _ b: String) -> Bool {
    let x = a.utf8
    let y = b.utf8
    guard x.count == y.count else { return false }
    let known = x.withContiguousStorageIfAvailable { p in
        y.withContiguousStorageIfAvailable { q in
            guard let from = p.baseAddress, let to = q.baseAddress else { return true }
            return memcmp(from, to, p.count) == 0
        }
    }
    if case .some(.some(let same)) = known { return same }
    return x.elementsEqual(y)
}

func hashBytes(_ text: String, into hasher: inout Hasher) {
    var copy = text
    copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    hasher.combine(UInt8(0xff))
}
