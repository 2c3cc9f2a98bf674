import COpenSSL
import Synchronization
import Values

/// Seals what the ledger stores, under a data key the vault wraps: AES-256-GCM, bound to the row it belongs to.
///
/// Sealed bytes: 1 (format), 12 bytes nonce, ciphertext, 16 bytes tag. Nonces are random; one data key may seal
/// 2^32 payloads, far above a customer's documents of a century. May be used from several threads.
public final class PayloadSealer: Sendable {
    /// OpenSSL's context keeps the key; the nonces come from a pool, since drawing twelve bytes at a time costs
    /// more than sealing.
    private struct State: ~Copyable {
        let sealing: OpaquePointer
        let opening: OpaquePointer
        var pool: [UInt8]
        var used: Int

        deinit {
            EVP_CIPHER_CTX_free(sealing)
            EVP_CIPHER_CTX_free(opening)
        }
    }

    private static let format: UInt8 = 1
    private let state: Mutex<State>
    private let hashKey: SecretBytes

    /// From the data key, 32 bytes or more: the sealing key and the hashing key are derived from it.
    public init(dataKey: borrowing SecretBytes) throws(Problem) {
        guard dataKey.count >= Primitives.keyBytes else { throw VaultProblems.valueLength(dataKey.count) }
        let sealKey = try Primitives.derive(from: dataKey, salt: [], info: Array("datong payload 1 seal".utf8))
        hashKey = try Primitives.derive(from: dataKey, salt: [], info: Array("datong payload 1 hash".utf8))
        guard let sealing = EVP_CIPHER_CTX_new() else { throw Primitives.failure("EVP_CIPHER_CTX_new") }
        guard let opening = EVP_CIPHER_CTX_new() else {
            EVP_CIPHER_CTX_free(sealing)
            throw Primitives.failure("EVP_CIPHER_CTX_new")
        }
        let keyed = sealKey.withBytes { key in
            let bytes = key.baseAddress!.assumingMemoryBound(to: UInt8.self)
            return datong_gcm_key(sealing, bytes, 1) == 1 && datong_gcm_key(opening, bytes, 0) == 1
        }
        state = Mutex(State(sealing: sealing, opening: opening, pool: [], used: 0))
        guard keyed else { throw Primitives.failure("AES-256-GCM key") }
    }

    /// Seals a payload. `aad` is not stored: the same bytes must be given to `open`.
    public func seal(_ plain: [UInt8], aad: [UInt8]) throws(Problem) -> [UInt8] {
        guard plain.count <= SealerLimits.payloadBytes else { throw VaultProblems.valueLength(plain.count) }
        let nonceBytes = Primitives.nonceBytes
        return try state.withLock { state throws(Problem) in
            if state.used + nonceBytes > state.pool.count {
                state.pool = try Primitives.random(count: SealerLimits.randomPoolBytes)
                state.used = 0
            }
            let start = state.used
            state.used += nonceBytes
            var sealed = false
            let context = state.sealing
            let out = [UInt8](unsafeUninitializedCapacity: 1 + nonceBytes + plain.count + Primitives.tagBytes) {
                room, count in
                room[0] = Self.format
                for index in 0..<nonceBytes { room[1 + index] = state.pool[start + index] }
                let base = room.baseAddress!
                sealed =
                    datong_gcm_seal(context, base + 1, aad, aad.count, plain, plain.count, base + 1 + nonceBytes) == 1
                count = 1 + nonceBytes + plain.count + Primitives.tagBytes
            }
            guard sealed else { throw Primitives.failure("AES-256-GCM") }
            return out
        }
    }

    /// The payload, or `E-VAULT-033` when key, row or content do not belong together.
    public func open(_ sealed: [UInt8], aad: [UInt8]) throws(Problem) -> [UInt8] {
        let nonceBytes = Primitives.nonceBytes
        let plainBytes = sealed.count - 1 - nonceBytes - Primitives.tagBytes
        guard plainBytes >= 0, plainBytes <= SealerLimits.payloadBytes, sealed[0] == Self.format else {
            throw VaultProblems.payload("\(sealed.count) bytes")
        }
        return try state.withLock { state throws(Problem) in
            var fits = false
            let context = state.opening
            let plain = sealed.withUnsafeBufferPointer { sealed in
                // One byte at least, so that an empty payload has an address to write to.
                [UInt8](unsafeUninitializedCapacity: max(plainBytes, 1)) { room, count in
                    let base = sealed.baseAddress!
                    fits =
                        datong_gcm_open(
                            context, base + 1, aad, aad.count, base + 1 + nonceBytes,
                            sealed.count - 1 - nonceBytes, room.baseAddress!) == 1
                    count = fits ? plainBytes : 0
                }
            }
            guard fits else {
                ERR_clear_error()
                throw VaultProblems.payload("\(sealed.count) bytes")
            }
            return plain
        }
    }

    /// HMAC-SHA256, 32 bytes, under a key only this ledger has: equal contents give equal hashes, and nobody
    /// without the data key can try out guesses.
    public func keyedHash(_ bytes: [UInt8]) -> [UInt8] {
        Primitives.hmac(key: hashKey, bytes)
    }

    /// What a payload is bound to: its purpose and the identity of its row, each with its length in front.
    public static func aad(purpose: String, identity: [String]) -> [UInt8] {
        var writer = ByteWriter()
        writer.counted64(Array(purpose.utf8))
        for part in identity { writer.counted64(Array(part.utf8)) }
        return writer.bytes
    }
}
