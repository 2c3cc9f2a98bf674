import COpenSSL
import Values

/// A secret's name and what to do with its bytes: `app_id | after:_ | base64-decode | xor-text:0054 | base64`.
///
/// The grammar is `datong_segment`'s in `datong_plugin.h`: pieces divided by `|`; one blank on either side of
/// a `|` is layout, every other character of an argument is meant. The set of steps is closed.
public struct SecretExpression: Sendable, Hashable {
    /// One step.
    enum Step: Sendable, Hashable {
        case after([UInt8])
        case before([UInt8])
        case upper, lower, rot13
        case hex, hexDecode
        case base64, base64url, base64Decode
        case url, urlTwice, xml, json
        case utf8
        case xor([UInt8])
        case digest(DigestName)
        case requireLength(Int)
    }

    /// Digests an expression may use.
    enum DigestName: String, Sendable {
        case sha1, sha256, md5
    }

    /// The secret's name, as the connection's `secrets:` lists it.
    public let name: String
    let steps: [Step]

    /// Parses an expression. `E-SECRET-001` names the part that is wrong, counted from 1.
    public init(_ text: String) throws(Problem) {
        let utf8 = Array(text.utf8)
        guard (1...ExpressionLimits.textBytes).contains(utf8.count) else {
            throw SecretProblems.expressionLength(utf8.count)
        }
        let pieces = utf8.split(separator: 0x7c, omittingEmptySubsequences: false)
        guard pieces.count - 1 <= ExpressionLimits.steps else {
            throw SecretProblems.expression("more than \(ExpressionLimits.steps) steps", step: pieces.count)
        }
        var name = ""
        var steps: [Step] = []
        for (position, piece) in pieces.enumerated() {
            var piece = piece
            if position > 0, piece.first == 0x20 { piece = piece.dropFirst() }
            if position < pieces.count - 1, piece.last == 0x20 { piece = piece.dropLast() }
            if position == 0 {
                name = String(decoding: piece, as: UTF8.self)
                guard SecretName.isValid(name) else { throw SecretProblems.expression("not a secret's name", step: 1) }
            } else {
                guard let step = Self.step(Array(piece)) else {
                    throw SecretProblems.expression("no such step, or a wrong argument", step: position + 1)
                }
                steps.append(step)
            }
        }
        self.name = name
        self.steps = steps
    }

    private static func step(_ piece: [UInt8]) -> Step? {
        let parts = piece.split(separator: 0x3a, maxSplits: 1, omittingEmptySubsequences: false)
        let word = String(decoding: parts[0], as: UTF8.self)
        guard parts.count == 2 else {
            return switch word {
            case "upper": .upper
            case "lower": .lower
            case "rot13": .rot13
            case "hex": .hex
            case "hex-decode": .hexDecode
            case "base64": .base64
            case "base64url": .base64url
            case "base64-decode": .base64Decode
            case "url": .url
            case "url-twice": .urlTwice
            case "xml": .xml
            case "json": .json
            case "utf8": .utf8
            case "sha1", "sha256", "md5": .digest(DigestName(rawValue: word)!)
            default: nil
            }
        }
        let argument = Array(parts[1])
        guard !argument.isEmpty else { return nil }
        switch word {
        case "after": return .after(argument)
        case "before": return .before(argument)
        case "xor-text": return .xor(argument)
        case "xor-hex": return Codec.hexDecoded(argument).map { .xor($0) }
        case "require-length":
            let digits = String(decoding: argument, as: UTF8.self)
            guard let length = Int(digits), String(length) == digits, (0...ExpressionLimits.valueBytes).contains(length)
            else { return nil }
            return .requireLength(length)
        default: return nil
        }
    }

    /// The expression's value. `resolve` gives the secret of a name; every value in between is wiped.
    ///
    /// `E-SECRET-003` when the bytes are not what a decoding step expects, `E-SECRET-004` when they have another
    /// length than required.
    public func evaluate(_ resolve: (String) throws(Problem) -> SecretBytes) throws(Problem) -> SecretBytes {
        var value = try resolve(name)
        for step in steps {
            value = try value.withBytes { bytes throws(Problem) in try apply(step, bytes) }
            guard value.count <= ExpressionLimits.valueBytes else { throw SecretProblems.valueTooLarge(name: name) }
        }
        return value
    }

    private func apply(_ step: Step, _ bytes: UnsafeRawBufferPointer) throws(Problem) -> SecretBytes {
        switch step {
        case .after(let mark):
            // As a split at the mark: without it everything is before, and nothing after.
            guard let place = Codec.find(mark, in: bytes) else { return SecretBytes(copying: []) }
            return SecretBytes(copying: UnsafeRawBufferPointer(rebasing: bytes[(place + mark.count)...]))
        case .before(let mark):
            guard let place = Codec.find(mark, in: bytes) else { return SecretBytes(copying: bytes) }
            return SecretBytes(copying: UnsafeRawBufferPointer(rebasing: bytes[..<place]))
        case .upper: return Codec.mapped(bytes) { (0x61...0x7a).contains($0) ? $0 - 32 : $0 }
        case .lower: return Codec.mapped(bytes) { (0x41...0x5a).contains($0) ? $0 + 32 : $0 }
        case .rot13:
            return Codec.mapped(bytes) { byte in
                switch byte {
                case 0x41...0x5a: (byte - 0x41 + 13) % 26 + 0x41
                case 0x61...0x7a: (byte - 0x61 + 13) % 26 + 0x61
                default: byte
                }
            }
        case .xor(let key):
            return SecretBytes(count: bytes.count) { room in
                for index in 0..<bytes.count { room[index] = bytes[index] ^ key[index % key.count] }
            }
        case .hex: return Codec.encoded(bytes, as: .hex)
        case .base64: return Codec.encoded(bytes, as: .base64)
        case .base64url: return Codec.encoded(bytes, as: .base64url)
        case .url: return Codec.encoded(bytes, as: .url)
        case .urlTwice:
            let once = Codec.encoded(bytes, as: .url)
            return once.withBytes { Codec.encoded($0, as: .url) }
        case .xml: return Codec.encoded(bytes, as: .xml)
        case .json:
            try requireUTF8(bytes)
            return Codec.encoded(bytes, as: .json)
        case .utf8:
            try requireUTF8(bytes)
            return SecretBytes(copying: bytes)
        case .hexDecode:
            guard let decoded = Codec.hexDecoded(bytes) else { throw SecretProblems.notEncoded("hex", name: name) }
            return decoded
        case .base64Decode:
            guard let decoded = Codec.base64Decoded(bytes) else {
                throw SecretProblems.notEncoded("base64", name: name)
            }
            return decoded
        case .digest(let digest): return try Self.digest(digest, bytes)
        case .requireLength(let expected):
            guard bytes.count == expected else {
                throw SecretProblems.wrongLength(name: name, expected: expected, found: bytes.count)
            }
            return SecretBytes(copying: bytes)
        }
    }

    private func requireUTF8(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        guard Codec.isUTF8(bytes) else { throw SecretProblems.notEncoded("UTF-8", name: name) }
    }

    private static func digest(_ name: DigestName, _ bytes: UnsafeRawBufferPointer) throws(Problem) -> SecretBytes {
        let (algorithm, size) =
            switch name {
            case .sha1: (EVP_sha1(), 20)
            case .sha256: (EVP_sha256(), 32)
            case .md5: (EVP_md5(), 16)
            }
        return try SecretBytes(count: size) { room throws(Problem) in
            var written: UInt32 = 0
            let out = room.baseAddress!.assumingMemoryBound(to: UInt8.self)
            guard EVP_Digest(bytes.baseAddress, bytes.count, out, &written, algorithm, nil) == 1 else {
                throw Primitives.failure(name.rawValue)
            }
        }
    }
}
