import Values

/// Text encodings over secret bytes. Nothing here makes a `String` or an array of a secret: sizes are counted
/// first, then the bytes are written into their own memory.
enum Codec {
    enum Encoding: CaseIterable {
        case hex, hexUpper, base64, base64url, url, urlLower, form, xml, json, jsonSlash
    }

    /// The bytes in an encoding.
    static func encoded(_ bytes: UnsafeRawBufferPointer, as encoding: Encoding) -> SecretBytes {
        var count = 0
        encode(bytes, as: encoding) { _ in count += 1 }
        return SecretBytes(count: count) { room in
            var place = 0
            encode(bytes, as: encoding) { byte in
                room[place] = byte
                place += 1
            }
        }
    }

    private static let upperDigits = Array("0123456789ABCDEF".utf8)
    private static let lowerDigits = Array("0123456789abcdef".utf8)
    private static let standard = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafe = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    private static func encode(_ bytes: UnsafeRawBufferPointer, as encoding: Encoding, _ put: (UInt8) -> Void) {
        func putAll(_ text: StaticString) {
            for index in 0..<text.utf8CodeUnitCount { put(text.utf8Start[index]) }
        }
        switch encoding {
        case .hex, .hexUpper:
            let digits = encoding == .hex ? lowerDigits : upperDigits
            for byte in bytes {
                put(digits[Int(byte >> 4)])
                put(digits[Int(byte & 15)])
            }
        case .base64, .base64url:
            let alphabet = encoding == .base64 ? standard : urlSafe
            var index = 0
            while index < bytes.count {
                let left = bytes.count - index
                let window =
                    UInt32(bytes[index]) << 16 | (left > 1 ? UInt32(bytes[index + 1]) << 8 : 0)
                    | (left > 2 ? UInt32(bytes[index + 2]) : 0)
                for digit in 0..<min(left + 1, 4) { put(alphabet[Int(window >> UInt32(18 - 6 * digit) & 63)]) }
                if encoding == .base64 { for _ in 0..<(3 - min(left, 3)) { put(0x3d) } }
                index += 3
            }
        case .url, .urlLower, .form:
            let digits = encoding == .urlLower ? lowerDigits : upperDigits
            for byte in bytes {
                switch byte {
                case 0x41...0x5a, 0x61...0x7a, 0x30...0x39, 0x2d, 0x2e, 0x5f: put(byte)
                case 0x7e where encoding != .form: put(byte)
                case 0x2a where encoding == .form: put(byte)
                case 0x20 where encoding == .form: put(0x2b)
                default:
                    put(0x25)
                    put(digits[Int(byte >> 4)])
                    put(digits[Int(byte & 15)])
                }
            }
        case .xml:
            for byte in bytes {
                switch byte {
                case 0x26: putAll("&amp;")
                case 0x3c: putAll("&lt;")
                case 0x3e: putAll("&gt;")
                case 0x22: putAll("&quot;")
                case 0x27: putAll("&apos;")
                default: put(byte)
                }
            }
        case .json, .jsonSlash:
            for byte in bytes {
                switch byte {
                case 0x22: putAll("\\\"")
                case 0x5c: putAll("\\\\")
                case 0x2f where encoding == .jsonSlash: putAll("\\/")
                case 0x0a: putAll("\\n")
                case 0x0d: putAll("\\r")
                case 0x09: putAll("\\t")
                case 0x08: putAll("\\b")
                case 0x0c: putAll("\\f")
                case 0..<0x20:
                    putAll("\\u00")
                    put(lowerDigits[Int(byte >> 4)])
                    put(lowerDigits[Int(byte & 15)])
                default: put(byte)
                }
            }
        }
    }

    /// Standard base64. Padding may be left out and spare bits may be set, because vendors hand out keys of 43
    /// random characters; any other character is refused, and so is text after the padding.
    static func base64Decoded(_ bytes: UnsafeRawBufferPointer) -> SecretBytes? {
        var end = bytes.count
        while end > 0, bytes.count - end < 2, bytes[end - 1] == 0x3d { end -= 1 }
        if end < bytes.count, bytes.count % 4 != 0 { return nil }
        guard end % 4 != 1 else { return nil }
        for index in 0..<end where base64Value(bytes[index]) == nil { return nil }
        return SecretBytes(count: end * 3 / 4) { room in
            var window: UInt32 = 0
            var bits: UInt32 = 0
            var place = 0
            for index in 0..<end {
                window = window << 6 | base64Value(bytes[index])!
                bits += 6
                if bits >= 8 {
                    bits -= 8
                    room[place] = UInt8(truncatingIfNeeded: window >> bits)
                    place += 1
                }
            }
        }
    }

    private static func base64Value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x41...0x5a: UInt32(byte - 0x41)
        case 0x61...0x7a: UInt32(byte - 0x61 + 26)
        case 0x30...0x39: UInt32(byte - 0x30 + 52)
        case 0x2b: 62
        case 0x2f: 63
        default: nil
        }
    }

    /// Hexadecimal digits of either case, an even number of them.
    static func hexDecoded(_ bytes: UnsafeRawBufferPointer) -> SecretBytes? {
        guard bytes.count % 2 == 0, bytes.allSatisfy({ hexValue($0) != nil }) else { return nil }
        return SecretBytes(count: bytes.count / 2) { room in
            for index in 0..<room.count {
                room[index] = hexValue(bytes[2 * index])! << 4 | hexValue(bytes[2 * index + 1])!
            }
        }
    }

    /// The same for what is no secret: an argument in an expression's text.
    static func hexDecoded(_ digits: [UInt8]) -> [UInt8]? {
        guard digits.count % 2 == 0, digits.allSatisfy({ hexValue($0) != nil }) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { hexValue(digits[$0])! << 4 | hexValue(digits[$0 + 1])! }
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    static func mapped(_ bytes: UnsafeRawBufferPointer, _ transform: (UInt8) -> UInt8) -> SecretBytes {
        SecretBytes(count: bytes.count) { room in
            for index in 0..<bytes.count { room[index] = transform(bytes[index]) }
        }
    }

    /// Offset of the first occurrence.
    static func find(_ mark: [UInt8], in bytes: UnsafeRawBufferPointer) -> Int? {
        guard mark.count <= bytes.count else { return nil }
        return (0...(bytes.count - mark.count)).first { start in
            mark.indices.allSatisfy { bytes[start + $0] == mark[$0] }
        }
    }

    /// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
    static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var decoder = UTF8()
        var source = bytes.makeIterator()
        while true {
            switch decoder.decode(&source) {
            case .scalarValue: continue
            case .emptyInput: return true
            case .error: return false
            }
        }
    }
}
