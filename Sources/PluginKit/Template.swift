import Values

/// A secret and what to do with it, e.g. `app_id | after:_ | base64`. The host evaluates it; the connector
/// never sees the bytes.
public struct SecretExpression: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The expression as the contract writes it.
    public let text: String

    /// A whole expression, or just a secret's name.
    public init(_ text: String) { self.text = text }

    /// A whole expression, or just a secret's name.
    public init(stringLiteral value: String) { self.text = value }

    /// The expression, which is no secret itself.
    public var description: String { text }

    /// The same with one more step at the end.
    public func step(_ step: String) -> SecretExpression { SecretExpression("\(text) | \(step)") }

    /// What follows the first `mark`.
    public func after(_ mark: String) -> SecretExpression { step("after:\(mark)") }
    /// What precedes the first `mark`.
    public func before(_ mark: String) -> SecretExpression { step("before:\(mark)") }
    /// Refuses any other length in bytes.
    public func requireLength(_ bytes: Int) -> SecretExpression { step("require-length:\(bytes)") }
    /// Byte by byte exclusive or with the text's UTF-8.
    public func xor(text: String) -> SecretExpression { step("xor-text:\(text)") }
    /// Base64 of it.
    public var base64: SecretExpression { step("base64") }
    /// The bytes it is the base64 of.
    public var base64Decoded: SecretExpression { step("base64-decode") }
    /// Percent-encoded.
    public var url: SecretExpression { step("url") }
    /// As the inside of a JSON string, without quotes.
    public var json: SecretExpression { step("json") }
}

/// Bytes with secrets inserted by position. What people typed is literal and can never become a secret.
public struct TemplateBytes: Sendable, Hashable, ExpressibleByStringInterpolation {
    /// One stretch of the result.
    public enum Piece: Sendable, Hashable {
        /// Sent as it stands.
        case literal([UInt8])
        /// Filled in by the host.
        case secret(SecretExpression)
    }

    /// The stretches in order.
    public private(set) var pieces: [Piece]

    /// Nothing yet.
    public init() { pieces = [] }

    /// Literal text.
    public init(_ text: String) { self.init(Array(text.utf8)) }

    /// Literal bytes.
    public init(_ bytes: [UInt8]) { pieces = bytes.isEmpty ? [] : [.literal(bytes)] }

    /// One secret.
    public init(secret: SecretExpression) { pieces = [.secret(secret)] }

    /// Literal text.
    public init(stringLiteral value: String) { self.init(value) }

    /// Literal text, and secrets where `\(secret: …)` stands.
    public init(stringInterpolation: Interpolation) { pieces = stringInterpolation.template.pieces }

    /// Builds a template from `"Bearer \(secret: "token")"`.
    public struct Interpolation: StringInterpolationProtocol {
        var template = TemplateBytes()

        /// Room is not reserved: templates are short.
        public init(literalCapacity: Int, interpolationCount: Int) {}
        /// Literal text.
        public mutating func appendLiteral(_ literal: String) { template.append(literal) }
        /// Literal text.
        public mutating func appendInterpolation(_ text: String) { template.append(text) }
        /// Literal number.
        public mutating func appendInterpolation(_ number: some FixedWidthInteger) { template.append(String(number)) }
        /// A secret.
        public mutating func appendInterpolation(secret: SecretExpression) { template.append(secret: secret) }
    }

    /// Appends literal text.
    public mutating func append(_ text: String) { append(Array(text.utf8)) }

    /// Appends literal bytes.
    public mutating func append(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        if case .literal(let before) = pieces.last {
            pieces[pieces.count - 1] = .literal(before + bytes)
        } else {
            pieces.append(.literal(bytes))
        }
    }

    /// Appends a secret.
    public mutating func append(secret: SecretExpression) { pieces.append(.secret(secret)) }

    /// Appends another template.
    public mutating func append(_ other: TemplateBytes) {
        for piece in other.pieces {
            switch piece {
            case .literal(let bytes): append(bytes)
            case .secret(let expression): append(secret: expression)
            }
        }
    }

    /// The literal bytes, joined.
    public var literal: [UInt8] {
        pieces.flatMap { piece -> [UInt8] in
            if case .literal(let bytes) = piece { bytes } else { [] }
        }
    }

    /// The secrets, each with its offset in `literal`, ascending.
    public var insertions: [(offset: Int, secret: SecretExpression)] {
        var found: [(offset: Int, secret: SecretExpression)] = []
        var offset = 0
        for piece in pieces {
            switch piece {
            case .literal(let bytes): offset += bytes.count
            case .secret(let expression): found.append((offset, expression))
            }
        }
        return found
    }
}

/// A JSON document in which a string may be a secret.
public indirect enum JSONTemplate: Sendable, Hashable {
    /// A value without secrets.
    case value(JSON)
    /// A string whose content is a secret; the host escapes it.
    case secret(SecretExpression)
    /// An array.
    case array([JSONTemplate])
    /// An object, members in this order.
    case object([Member])

    /// One member of an object.
    public struct Member: Sendable, Hashable {
        /// The member's name.
        public var name: String
        /// Its value.
        public var value: JSONTemplate

        /// A member.
        public init(_ name: String, _ value: JSONTemplate) {
            self.name = name
            self.value = value
        }

        /// A member without secrets.
        public init(_ name: String, _ value: JSON) { self.init(name, .value(value)) }
    }

    /// The compact text with its insertions.
    public var bytes: TemplateBytes {
        var template = TemplateBytes()
        append(to: &template)
        return template
    }

    private func append(to template: inout TemplateBytes) {
        switch self {
        case .value(let value): template.append(value.serialized())
        case .secret(let expression):
            template.append("\"")
            template.append(secret: expression.json)
            template.append("\"")
        case .array(let items):
            template.append("[")
            for (index, item) in items.enumerated() {
                if index > 0 { template.append(",") }
                item.append(to: &template)
            }
            template.append("]")
        case .object(let members):
            template.append("{")
            for (index, member) in members.enumerated() {
                if index > 0 { template.append(",") }
                template.append(JSON.string(member.name).serialized())
                template.append(":")
                member.value.append(to: &template)
            }
            template.append("}")
        }
    }
}
