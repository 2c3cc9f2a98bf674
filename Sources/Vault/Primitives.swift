import COpenSSL
import Values

/// Suite 1 on top of libcrypto: the only functions of the vault that touch keys.
enum Primitives {
    static let nonceBytes = Int(datong_gcm_nonce_size)
    static let tagBytes = Int(datong_gcm_tag_size)
    static let keyBytes = 32
    static let hashBytes = Int(datong_sha256_size)

    /// The library's own reason, taken off its queue so that the next failure is not blamed for it.
    static func failure(_ operation: String) -> Problem {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        return VaultProblems.library(operation, code: code)
    }

    static func random(into room: UnsafeMutableRawBufferPointer) throws(Problem) {
        guard room.count > 0 else { return }
        guard RAND_bytes(room.baseAddress!.assumingMemoryBound(to: UInt8.self), Int32(room.count)) == 1 else {
            throw failure("RAND_bytes")
        }
    }

    static func random(count: Int) throws(Problem) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let ok = bytes.withUnsafeMutableBufferPointer { RAND_bytes($0.baseAddress, Int32(count)) }
        guard ok == 1 else { throw failure("RAND_bytes") }
        return bytes
    }

    /// HMAC-SHA256, 32 bytes.
    static func hmac(key: borrowing SecretBytes, _ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var size: UInt32 = 0
        let ok = key.withBytes { key in
            datong_hmac(EVP_sha256(), key.baseAddress, key.count, bytes, bytes.count, &digest, &size)
        }
        // Fails only without memory, and then the process cannot go on either.
        guard ok == 1 else { fatalError("HMAC-SHA256 is not available") }
        digest.removeLast(digest.count - hashBytes)
        return digest
    }

    /// HKDF-SHA256, 32 bytes.
    static func derive(
        from key: borrowing SecretBytes, salt: [UInt8], info: [UInt8]
    ) throws(Problem) -> SecretBytes {
        try SecretBytes(count: keyBytes) { room throws(Problem) in
            let ok = key.withBytes { key in
                datong_hkdf_sha256(
                    key.baseAddress, key.count, salt, salt.count, info, info.count,
                    room.baseAddress!.assumingMemoryBound(to: UInt8.self))
            }
            guard ok == 1 else { throw failure("HKDF") }
        }
    }

    static func scrypt(
        _ passphrase: borrowing SecretBytes, salt: [UInt8], parameters: ScryptParameters
    ) throws(Problem) -> SecretBytes {
        try parameters.check()
        return try SecretBytes(count: keyBytes) { room throws(Problem) in
            // The default ceiling of the library is 32 MiB, below the memory of N = 2^15: always name ours.
            let ok = passphrase.withBytes { bytes in
                EVP_PBE_scrypt(
                    bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count, salt, salt.count,
                    UInt64(1) << UInt64(parameters.logN), UInt64(parameters.r), UInt64(parameters.p),
                    UInt64(VaultLimits.scryptMemoryBytes + VaultLimits.scryptMemorySlackBytes),
                    room.baseAddress!.assumingMemoryBound(to: UInt8.self), room.count)
            }
            guard ok == 1 else { throw failure("scrypt") }
        }
    }

    /// AES-256-GCM under a fresh random nonce: (nonce, ciphertext then tag).
    static func seal(
        _ plain: borrowing SecretBytes, key: borrowing SecretBytes, aad: [UInt8]
    ) throws(Problem) -> Sealed {
        let nonce = try random(count: nonceBytes)
        var out = [UInt8](repeating: 0, count: plain.count + tagBytes)
        guard let context = EVP_CIPHER_CTX_new() else { throw failure("EVP_CIPHER_CTX_new") }
        defer { EVP_CIPHER_CTX_free(context) }
        let ok = key.withBytes { key in
            plain.withBytes { plain in
                datong_gcm_key(context, key.baseAddress!.assumingMemoryBound(to: UInt8.self), 1) == 1
                    && datong_gcm_seal(
                        context, nonce, aad, aad.count, plain.baseAddress!.assumingMemoryBound(to: UInt8.self),
                        plain.count, &out) == 1
            }
        }
        guard ok else { throw failure("AES-256-GCM") }
        return Sealed(nonce: nonce, bytes: out)
    }

    /// The other way; `nil` when the tag does not fit.
    static func open(
        _ sealed: Sealed, key: borrowing SecretBytes, aad: [UInt8]
    ) throws(Problem) -> SecretBytes? {
        guard sealed.nonce.count == nonceBytes, sealed.bytes.count >= tagBytes else { return nil }
        guard let context = EVP_CIPHER_CTX_new() else { throw failure("EVP_CIPHER_CTX_new") }
        defer { EVP_CIPHER_CTX_free(context) }
        var fits = false
        let plain = SecretBytes(count: sealed.bytes.count - tagBytes) { room in
            fits = key.withBytes { key in
                datong_gcm_key(context, key.baseAddress!.assumingMemoryBound(to: UInt8.self), 0) == 1
                    && datong_gcm_open(
                        context, sealed.nonce, aad, aad.count, sealed.bytes, sealed.bytes.count,
                        room.baseAddress!.assumingMemoryBound(to: UInt8.self)) == 1
            }
        }
        if fits { return plain }
        ERR_clear_error()
        return nil
    }
}

/// What AES-256-GCM gave: the nonce it used and ciphertext followed by the tag.
struct Sealed: Sendable, Hashable {
    var nonce: [UInt8]
    var bytes: [UInt8]
}

/// How dear one guess of a passphrase is.
public struct ScryptParameters: Sendable, Hashable {
    /// log2 of N, 14...19.
    public var logN: Int
    /// Block size, 1...16.
    public var r: Int
    /// Lanes, 1...4.
    public var p: Int

    /// Parameters as given; they are checked where they are used.
    public init(logN: Int, r: Int = 8, p: Int = 1) {
        self.logN = logN
        self.r = r
        self.p = p
    }

    /// 128 MiB and about 0.6 s on a small server: paid once per start.
    public static let standard = ScryptParameters(logN: 17)

    /// Refuses with `E-VAULT-010` what is too cheap to protect or dear enough to stall the host.
    func check() throws(Problem) {
        guard VaultLimits.scryptLogNRange.contains(logN), VaultLimits.scryptBlockRange.contains(r),
            VaultLimits.scryptLanesRange.contains(p), (128 * r) << logN <= VaultLimits.scryptMemoryBytes
        else { throw VaultProblems.scryptBounds(logN: logN, r: r, p: p) }
    }
}
