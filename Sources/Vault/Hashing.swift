import COpenSSL

/// Plain hashes and their texts, for identities that are no secret.
public enum Hash {
    /// SHA-256, 32 bytes.
    public static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Primitives.hashBytes)
        var size: UInt32 = 0
        // Fails only without memory, and then the process cannot go on either.
        guard EVP_Digest(bytes, bytes.count, &digest, &size, EVP_sha256(), nil) == 1 else {
            fatalError("SHA-256 is not available")
        }
        return digest
    }

    /// SHA-256 as 64 lower-case hexadecimal digits.
    public static func sha256Hex(_ bytes: [UInt8]) -> String {
        hexLower(sha256(bytes))
    }

    /// Lower-case hexadecimal digits.
    public static func hexLower(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.flatMap { [hexDigits[Int($0 >> 4)], hexDigits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// RFC 4648 base32 in lower case without padding: [a-z2-7].
    public static func base32Lower(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 8 + 4) / 5)
        var window: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            window = window << 8 | UInt32(byte)
            bits += 8
            while bits >= 5 {
                bits -= 5
                text.append(base32Digits[Int(window >> bits & 31)])
            }
        }
        if bits > 0 { text.append(base32Digits[Int(window << (5 - bits) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)
    private static let base32Digits = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
}

/// The key under which a target recognises a document it has already been given.
public enum IdempotencyKey {
    /// 32 characters of [a-z2-7]: 160 bits of SHA-256 over the parts, each with its length in front, so that
    /// ("ab", "c") and ("a", "bc") differ.
    public static func make(parts: [String]) -> String {
        var writer = ByteWriter()
        for part in parts { writer.counted64(Array(part.utf8)) }
        return Hash.base32Lower(Array(Hash.sha256(writer.bytes).prefix(20)))
    }
}
