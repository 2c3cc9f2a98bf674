/// Hexadecimal text.
public enum Hex {
    /// Two lower-case digits a byte.
    public static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digit(byte >> 4, letters: 0x61))
            text.append(digit(byte & 15, letters: 0x61))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes, of digits in either case; nil for anything else.
    public static func decode(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    static func digit(_ value: UInt8, letters: UInt8) -> UInt8 { value < 10 ? 0x30 + value : letters + value - 10 }

    static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }
}

/// Base64 (RFC 4648).
public enum Base64 {
    /// Which 64 characters.
    public enum Alphabet: Sendable {
        /// `+` and `/`, padded with `=`.
        case standard
        /// `-` and `_`, not padded.
        case url

        fileprivate var characters: [UInt8] {
            let common = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
            return common + Array((self == .standard ? "+/" : "-_").utf8)
        }
    }

    /// The text of the bytes.
    public static func encode(_ bytes: [UInt8], alphabet: Alphabet = .standard) -> String {
        let characters = alphabet.characters
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let second = start + 1 < bytes.count ? bytes[start + 1] : 0
            let third = start + 2 < bytes.count ? bytes[start + 2] : 0
            text.append(characters[Int(bytes[start] >> 2)])
            text.append(characters[Int((bytes[start] & 3) << 4 | second >> 4)])
            if start + 1 < bytes.count {
                text.append(characters[Int((second & 15) << 2 | third >> 6)])
            } else if alphabet == .standard {
                text.append(0x3d)
            }
            if start + 2 < bytes.count {
                text.append(characters[Int(third & 63)])
            } else if alphabet == .standard {
                text.append(0x3d)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes; both alphabets are read, padding may be missing; nil for anything else, white space too.
    public static func decode(_ text: String) -> [UInt8]? {
        var digits = Array(text.utf8)
        var padding = 0
        while digits.last == 0x3d, padding < 2 {
            digits.removeLast()
            padding += 1
        }
        guard digits.count % 4 != 1, padding == 0 || (digits.count + padding) % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count * 3 / 4)
        var pending: UInt32 = 0
        var bits = 0
        for digit in digits {
            guard let value = value(digit) else { return nil }
            pending = pending << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: pending >> UInt32(bits)))
                pending &= (1 << UInt32(bits)) - 1
            }
        }
        return pending == 0 ? bytes : nil
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x41...0x5a: digit - 0x41
        case 0x61...0x7a: digit - 0x61 + 26
        case 0x30...0x39: digit - 0x30 + 52
        case 0x2b, 0x2d: 62
        case 0x2f, 0x5f: 63
        default: nil
        }
    }
}

/// Percent-encoding (RFC 3986), upper-case digits.
public enum Percent {
    /// Everything but letters, digits and `-._~` is encoded, a slash too.
    public static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: text.append(byte)
            default:
                text.append(0x25)
                text.append(Hex.digit(byte >> 4, letters: 0x41))
                text.append(Hex.digit(byte & 15, letters: 0x41))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The UTF-8 of a text, encoded.
    public static func encode(_ text: String) -> String { encode(Array(text.utf8)) }

    /// The bytes; nil where `%` is not followed by two digits. A plus sign stays one.
    public static func decode(_ text: String) -> [UInt8]? {
        let input = Array(text.utf8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(input.count)
        var index = 0
        while index < input.count {
            if input[index] != 0x25 {
                bytes.append(input[index])
                index += 1
                continue
            }
            guard index + 2 < input.count, let high = Hex.value(input[index + 1]), let low = Hex.value(input[index + 2])
            else { return nil }
            bytes.append(high << 4 | low)
            index += 3
        }
        return bytes
    }
}

/// Bodies of browsers' forms.
public enum Form {
    /// `application/x-www-form-urlencoded`, or a query: a space is `%20`, which every server reads alike.
    public static func encode(_ fields: [(name: String, value: String)]) -> String {
        var text = ""
        for (name, value) in fields {
            if !text.isEmpty { text += "&" }
            text += Percent.encode(name) + "=" + Percent.encode(value)
        }
        return text
    }

    /// The fields in order; a plus sign is a space. nil where an escape is broken or the text is no UTF-8.
    public static func decode(_ text: String) -> [(name: String, value: String)]? {
        var fields: [(name: String, value: String)] = []
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = parts.first, let name = decoded(first) else { return nil }
            guard let value = parts.count > 1 ? decoded(parts[1]) : "" else { return nil }
            fields.append((name, value))
        }
        return fields
    }

    private static func decoded(_ part: Substring) -> String? {
        let spaced = String(part.map { $0 == "+" ? " " : $0 })
        return Percent.decode(spaced).flatMap { String(validating: $0, as: UTF8.self) }
    }
}

/// A `multipart/form-data` body (RFC 7578).
public struct Multipart: Sendable, Hashable {
    /// Stands between the parts; must not occur in them. Take it from `call.random`, as hex.
    public let boundary: String
    private var template = TemplateBytes()

    /// An empty body.
    public init(boundary: String) { self.boundary = boundary }

    /// What the `Content-Type` header says.
    public var contentType: String { "multipart/form-data; boundary=\(boundary)" }

    /// A field, whose value may hold secrets.
    public mutating func field(_ name: String, _ value: TemplateBytes) {
        template.append("--\(boundary)\r\nContent-Disposition: form-data; name=\"\(Self.quoted(name))\"\r\n\r\n")
        template.append(value)
        template.append("\r\n")
    }

    /// A file.
    public mutating func file(_ name: String, fileName: String, mediaType: String, _ bytes: [UInt8]) {
        template.append(
            "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(Self.quoted(name))\"; "
                + "filename=\"\(Self.quoted(fileName))\"\r\nContent-Type: \(mediaType)\r\n\r\n")
        template.append(bytes)
        template.append("\r\n")
    }

    /// The finished body.
    public var body: TemplateBytes {
        var whole = template
        whole.append("--\(boundary)--\r\n")
        return whole
    }

    // What would end the quoted name or the header line is escaped as browsers do.
    private static func quoted(_ text: String) -> String {
        var quoted = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "%22"
            case "\r": quoted += "%0D"
            case "\n": quoted += "%0A"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted
    }
}

/// Orders texts by their UTF-8 bytes, as vendors' signatures want it.
public enum Bytewise {
    /// Whether `left` comes before `right`.
    public static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    /// Ascending.
    public static func sorted(_ texts: [String]) -> [String] { texts.sorted(by: precedes) }
}
