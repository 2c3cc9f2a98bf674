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
    /// In the standard form 32 characters of [a-z2-7]: 160 bits of SHA-256 over the parts, each with its length in front, so that
    /// ("ab", "c") and ("a", "bc") differ.
    public static func make(parts: [String], as form: Form = .standard) -> String {
        var writer = ByteWriter()
        for part in parts { writer.counted64(Array(part.utf8)) }
        let hash = Hash.sha256(writer.bytes)
        switch form {
        case .standard: return Hash.base32Lower(Array(hash.prefix(20)))
        case .digits(let digits, let count): return spelled(hash, digits, count)
        }
    }

    /// The lowest digits of the hash, read as one number, in a numeral system with these digits.
    private static func spelled(_ hash: [UInt8], _ digits: [UInt8], _ count: Int) -> String {
        var number = hash
        var text: [UInt8] = []
        for _ in 0..<count {
            var rest = 0
            for index in number.indices {
                let value = rest << 8 | Int(number[index])
                number[index] = UInt8(value / digits.count)
                rest = value % digits.count
            }
            text.append(digits[rest])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// How a target wants its keys.
    public enum Form: Sendable, Hashable {
        /// 32 characters of [a-z2-7].
        case standard
        /// So many of these characters.
        case digits([UInt8], count: Int)

        /// Below this two of a billion documents might share a key: 2^96 keys make that one chance in 2^37.
        private static let leastKeys: UInt128 = 1 << 96

        /// The form for keys of at most `maxBytes` bytes out of `alphabet` ("a-z0-9-", nil: any); nil where such keys
        /// are too few to tell documents apart. Only digits and one case of letters are used: targets compare text
        /// without looking at case.
        public init?(maxBytes: Int?, alphabet: String?) {
            guard let allowed = Self.members(alphabet ?? "a-z0-9") else { return nil }
            let room = maxBytes ?? 32
            if room >= 32, Array("abcdefghijklmnopqrstuvwxyz234567".utf8).allSatisfy(allowed.contains) {
                self = .standard
                return
            }
            let lower = (0x61...0x7a as ClosedRange<UInt8>).filter(allowed.contains)
            let upper = (0x41...0x5a as ClosedRange<UInt8>).filter(allowed.contains)
            let digits = (0x30...0x39 as ClosedRange<UInt8>).filter(allowed.contains) + (lower.isEmpty ? upper : lower)
            let count = min(room, 32)
            guard digits.count > 1, count > 0 else { return nil }
            var keys: UInt128 = 1
            for _ in 0..<count where keys < Self.leastKeys { keys *= UInt128(digits.count) }
            guard keys >= Self.leastKeys else { return nil }
            self = .digits(digits, count: count)
        }

        /// As it is stored: "standard", or the count, a space and the digits.
        public var stored: String {
            switch self {
            case .standard: "standard"
            case .digits(let digits, let count): "\(count) \(String(decoding: digits, as: UTF8.self))"
            }
        }

        /// What `stored` gave; nil for anything else.
        public init?(stored: String) {
            let parts = stored.split(separator: " ")
            if stored == "standard" {
                self = .standard
            } else if parts.count == 2, let count = Int(parts[0]) {
                self = .digits(Array(parts[1].utf8), count: count)
            } else {
                return nil
            }
        }

        /// The characters of "a-z0-9-": a dash between two is a range, one at an end itself. Nil where it is no ASCII.
        private static func members(_ alphabet: String) -> Set<UInt8>? {
            let bytes = Array(alphabet.utf8)
            guard bytes.allSatisfy({ $0 < 0x80 }) else { return nil }
            var members: Set<UInt8> = []
            var index = 0
            while index < bytes.count {
                if index + 2 < bytes.count, bytes[index + 1] == 0x2d {
                    guard bytes[index] <= bytes[index + 2] else { return nil }
                    members.formUnion(bytes[index]...bytes[index + 2])
                    index += 3
                } else {
                    members.insert(bytes[index])
                    index += 1
                }
            }
            return members
        }
    }
}
