/// Base64 (RFC 4648, with padding), for pins and for a proxy's credentials.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        encode(bytes) { text.append($0) }
        return text
    }

    /// Byte by byte into a sink, so that a secret leaves no copy behind.
    static func encode(_ bytes: some Collection<UInt8>, into sink: (UInt8) -> Void) {
        var bits: UInt32 = 0
        var held = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            held += 1
            if held == 3 {
                for shift in [18, 12, 6, 0] as [UInt32] { sink(alphabet[Int(bits >> shift & 63)]) }
                (bits, held) = (0, 0)
            }
        }
        guard held > 0 else { return }
        bits <<= UInt32(8 * (3 - held))
        for position in 0..<4 {
            sink(position <= held ? alphabet[Int(bits >> UInt32(18 - 6 * position) & 63)] : UInt8(ascii: "="))
        }
    }

    /// Strict: nil for a wrong length, a foreign character or misplaced padding.
    static func decode(_ text: String) -> [UInt8]? {
        let bytes = Array(text.utf8)
        guard bytes.count.isMultiple(of: 4) else { return nil }
        let digits = bytes.prefix { $0 != UInt8(ascii: "=") }
        let padding = bytes.count - digits.count
        guard padding <= 2, bytes[digits.count...].allSatisfy({ $0 == UInt8(ascii: "=") }) else { return nil }
        var result: [UInt8] = []
        var bits: UInt32 = 0
        var held = 0
        for digit in digits {
            guard let value = alphabet.firstIndex(of: digit) else { return nil }
            bits = bits << 6 | UInt32(value)
            held += 6
            if held >= 8 {
                held -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            }
        }
        return result
    }
}
