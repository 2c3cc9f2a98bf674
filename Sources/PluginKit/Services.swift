import PluginABI
import Values

/// A piece of input of a vendor algorithm: literal bytes or a secret. Pieces are joined in order.
public enum Segment: Sendable, Hashable {
    /// Bytes the connector knows.
    case bytes([UInt8])
    /// Bytes only the host knows.
    case secret(SecretExpression)

    /// The UTF-8 of a text.
    public static func text(_ text: String) -> Segment { .bytes(Array(text.utf8)) }

    func laidOut(in arena: Arena) -> datong_segment {
        switch self {
        case .bytes(let bytes): datong_segment(literal: arena.bytes(bytes), secret: datong_bytes())
        case .secret(let expression): datong_segment(literal: datong_bytes(), secret: arena.text(expression.text))
        }
    }
}

/// Vendor algorithms, run by the host: `call.crypto`. Throws `denied` for an unknown algorithm, secret or
/// step, and where padding or a signature does not verify.
public struct CryptoService {
    let call: Call

    /// Hash algorithms.
    public enum Hash: String, Sendable {
        /// MD5, 16 bytes; for `digest` only.
        case md5
        /// SHA-1, 20 bytes.
        case sha1
        /// SHA-256, 32 bytes.
        case sha256
        /// SHA-512, 64 bytes.
        case sha512
        /// SM3, 32 bytes; for `digest` only.
        case sm3
    }

    /// Symmetric algorithms.
    public enum Cipher: String, Sendable {
        /// AES, 16 byte key, CBC.
        case aes128CBC = "aes-128-cbc"
        /// AES, 32 byte key, CBC.
        case aes256CBC = "aes-256-cbc"
        /// AES, 32 byte key, counter mode.
        case aes256CTR = "aes-256-ctr"
        /// AES, 32 byte key, Galois counter mode.
        case aes256GCM = "aes-256-gcm"
    }

    /// Signature algorithms; the key is PEM.
    public enum Signature: String, Sendable {
        /// RSA PKCS#1 v1.5 over SHA-256.
        case rsaSHA256 = "rsa-sha256"
        /// RSA PKCS#1 v1.5 over SHA-1.
        case rsaSHA1 = "rsa-sha1"
        /// RSA-PSS over SHA-256.
        case rsaPSS = "rsa-pss-sha256"
        /// Ed25519.
        case ed25519
    }

    /// Algorithms that seal to a public key, PEM.
    public enum Sealing: String, Sendable {
        /// RSA-OAEP with SHA-256.
        case rsaOAEP = "rsa-oaep-sha256"
        /// RSA PKCS#1 v1.5.
        case rsaPKCS1 = "rsa-pkcs1"
    }

    /// The hash of the joined segments; `sorted` orders them bytewise ascending first.
    public func digest(_ hash: Hash, _ input: [Segment], sorted: Bool = false) throws(Failure) -> [UInt8] {
        try run(DATONG_CRYPTO_DIGEST, hash.rawValue, input: input, flags: sorted ? DATONG_CRYPTO_SORT_SEGMENTS : 0)
    }

    /// The keyed hash of the joined segments.
    public func hmac(_ hash: Hash, key: Segment, _ input: [Segment]) throws(Failure) -> [UInt8] {
        try run(DATONG_CRYPTO_HMAC, hash.rawValue, key: key, input: input)
    }

    /// Encrypts. `padding` false: the connector has padded to the block already.
    public func encrypt(
        _ cipher: Cipher, key: Segment, iv: [UInt8], _ input: [Segment], padding: Bool = true,
        additional: [UInt8] = []
    ) throws(Failure) -> [UInt8] {
        try run(
            DATONG_CRYPTO_ENCRYPT, cipher.rawValue, key: key, input: input,
            flags: padding ? 0 : DATONG_CRYPTO_NO_PADDING, iv: iv, additional: additional)
    }

    /// Decrypts. `padding` false: the padding is left for the connector to take off.
    public func decrypt(
        _ cipher: Cipher, key: Segment, iv: [UInt8], _ input: [Segment], padding: Bool = true,
        additional: [UInt8] = []
    ) throws(Failure) -> [UInt8] {
        try run(
            DATONG_CRYPTO_DECRYPT, cipher.rawValue, key: key, input: input,
            flags: padding ? 0 : DATONG_CRYPTO_NO_PADDING, iv: iv, additional: additional)
    }

    /// Signs with a private key.
    public func sign(_ algorithm: Signature, key: Segment, _ input: [Segment]) throws(Failure) -> [UInt8] {
        try run(DATONG_CRYPTO_SIGN, algorithm.rawValue, key: key, input: input)
    }

    /// Returns when the signature is good; throws `denied` when it is not.
    public func verify(
        _ algorithm: Signature, key: Segment, _ input: [Segment], signature: [UInt8]
    ) throws(Failure) {
        _ = try run(DATONG_CRYPTO_VERIFY, algorithm.rawValue, key: key, input: input, signature: signature)
    }

    /// Encrypts to a public key.
    public func seal(_ algorithm: Sealing, key: Segment, _ input: [Segment]) throws(Failure) -> [UInt8] {
        try run(DATONG_CRYPTO_SEAL, algorithm.rawValue, key: key, input: input)
    }

    /// Decrypts with a private key.
    public func open(_ algorithm: Sealing, key: Segment, _ input: [Segment]) throws(Failure) -> [UInt8] {
        try run(DATONG_CRYPTO_OPEN, algorithm.rawValue, key: key, input: input)
    }

    private func run(
        _ operation: UInt32, _ algorithm: String, key: Segment? = nil, input: [Segment], flags: UInt32 = 0,
        iv: [UInt8] = [], signature: [UInt8] = [], additional: [UInt8] = []
    ) throws(Failure) -> [UInt8] {
        let service = try call.service(DATONG_SERVICE_CRYPTO, datong_crypto_service())
        guard let run = service.run else { throw Call.missing(DATONG_SERVICE_CRYPTO) }
        let arena = Arena()
        var request = datong_crypto_request()
        request.size = UInt32(MemoryLayout<datong_crypto_request>.size)
        request.flags = flags
        request.operation = operation
        request.algorithm = arena.text(algorithm)
        if let key { request.key = key.laidOut(in: arena) }
        request.iv = arena.bytes(iv)
        let segments = input.map { $0.laidOut(in: arena) }
        request.input = arena.list(segments)
        request.input_count = UInt64(segments.count)
        request.signature = arena.bytes(signature)
        request.additional = arena.bytes(additional)
        return try call.reply { reply in
            withExtendedLifetime(arena) { run(call.pointer, &request, reply) }
        }
    }
}

/// The connection's secrets, by name: `call.secrets`.
public struct SecretService {
    let call: Call

    /// Whether the connection names this secret and the vault holds it.
    public func exists(_ name: String) throws(Failure) -> Bool {
        let service = try call.service(DATONG_SERVICE_SECRET, datong_secret_service())
        guard let exists = service.exists else { throw Call.missing(DATONG_SERVICE_SECRET) }
        let arena = Arena()
        return withExtendedLifetime(arena) { exists(call.pointer, arena.text(name)) } == 1
    }

    /// Stores a new version, e.g. a rotating refresh token. Durable before it returns.
    public func replace(_ name: String, _ value: [UInt8]) throws(Failure) {
        let service = try call.service(DATONG_SERVICE_SECRET, datong_secret_service())
        guard let replace = service.replace else { throw Call.missing(DATONG_SERVICE_SECRET) }
        let arena = Arena()
        let code = withExtendedLifetime(arena) { replace(call.pointer, arena.text(name), arena.bytes(value)) }
        guard code == DATONG_OK else { throw call.refusal(code) }
    }
}

/// State of this connection that survives the worker, at most 64 KiB a key: `call.state`.
public struct StateService {
    let call: Call

    /// What was put; empty where nothing was.
    public func get(_ key: String) throws(Failure) -> [UInt8] {
        let service = try call.service(DATONG_SERVICE_STATE, datong_state_service())
        guard let get = service.get else { throw Call.missing(DATONG_SERVICE_STATE) }
        let arena = Arena()
        return try call.reply { reply in
            withExtendedLifetime(arena) { get(call.pointer, arena.text(key), reply) }
        }
    }

    /// Durable before it returns.
    public func put(_ key: String, _ value: [UInt8]) throws(Failure) {
        let service = try call.service(DATONG_SERVICE_STATE, datong_state_service())
        guard let put = service.put else { throw Call.missing(DATONG_SERVICE_STATE) }
        guard value.count <= Limits.stateBytes else {
            throw .bug(zh: "状态每个键最多 64 KiB", en: "state holds at most 64 KiB a key")
        }
        let arena = Arena()
        let code = withExtendedLifetime(arena) { put(call.pointer, arena.text(key), arena.bytes(value)) }
        guard code == DATONG_OK else { throw call.refusal(code) }
    }
}

/// Invoices and attachments held by the host: `call.blobs`.
public struct BlobService {
    let call: Call

    /// Length in bytes.
    public func length(_ blob: [UInt8]) throws(Failure) -> UInt64 {
        let service = try call.service(DATONG_SERVICE_BLOB, datong_blob_service())
        guard let length = service.length else { throw Call.missing(DATONG_SERVICE_BLOB) }
        let arena = Arena()
        var bytes: UInt64 = 0
        let code = withExtendedLifetime(arena) { length(call.pointer, arena.bytes(blob), &bytes) }
        guard code == DATONG_OK else { throw call.refusal(code) }
        return bytes
    }

    /// Some of its bytes.
    public func read(_ blob: [UInt8], offset: UInt64, size: UInt64) throws(Failure) -> [UInt8] {
        let service = try call.service(DATONG_SERVICE_BLOB, datong_blob_service())
        guard let read = service.read else { throw Call.missing(DATONG_SERVICE_BLOB) }
        let arena = Arena()
        return try call.reply { reply in
            withExtendedLifetime(arena) { read(call.pointer, arena.bytes(blob), offset, size, reply) }
        }
    }

    /// A new blob's handle.
    public func create(_ bytes: [UInt8], mediaType: String) throws(Failure) -> [UInt8] {
        let service = try call.service(DATONG_SERVICE_BLOB, datong_blob_service())
        guard let create = service.create else { throw Call.missing(DATONG_SERVICE_BLOB) }
        let arena = Arena()
        return try call.reply { reply in
            withExtendedLifetime(arena) { create(call.pointer, arena.bytes(bytes), arena.text(mediaType), reply) }
        }
    }
}

extension Call {
    /// Runs a service that answers with bytes.
    func reply(_ run: (UnsafeMutablePointer<datong_reply>) -> Int32) throws(Failure) -> [UInt8] {
        var reply = datong_reply()
        reply.size = UInt32(MemoryLayout<datong_reply>.size)
        let code = run(&reply)
        guard code == DATONG_OK else { throw refusal(code) }
        return reply.bytes.array
    }
}

/// A logged-in session or token. It lives in the host, in memory only, shared by every worker of the same
/// principal; one log-in at a time.
public struct Session {
    let call: Call
    let name: String
    let principal: String
    let maxInFlight: UInt32

    /// What a log-in gave.
    public struct Login: Sendable, Hashable {
        /// The token or session value.
        public var value: [UInt8]
        /// Milliseconds the vendor says it lives; the host renews early.
        public var lifetimeMilliseconds: Int64

        /// A fresh value.
        public init(value: [UInt8], lifetimeMilliseconds: Int64) {
            self.value = value
            self.lifetimeMilliseconds = lifetimeMilliseconds
        }
    }

    /// What `acquire` gave.
    public enum Acquired: Sendable, Hashable {
        /// The session's value.
        case value([UInt8])
        /// The caller holds the log-in lease and owes `publish` or `abandon`.
        case logIn(lease: UInt64)
    }

    private func request(_ arena: Arena) -> datong_session_request {
        var request = datong_session_request()
        request.size = UInt32(MemoryLayout<datong_session_request>.size)
        request.name = arena.text(name)
        request.principal = arena.text(principal)
        request.max_in_flight = maxInFlight
        return request
    }

    private func service() throws(Failure) -> datong_session_service {
        try call.service(DATONG_SERVICE_SESSION, datong_session_service())
    }

    /// The value, or the lease to make one. Waits while another caller logs in. Throws `authDenied` at once
    /// while a refused log-in is fresh.
    public func acquire() throws(Failure) -> Acquired {
        guard let acquire = try service().acquire else { throw Call.missing(DATONG_SERVICE_SESSION) }
        let arena = Arena()
        var request = request(arena)
        var reply = datong_session_reply()
        reply.size = UInt32(MemoryLayout<datong_session_reply>.size)
        let code = withExtendedLifetime(arena) { acquire(call.pointer, &request, &reply) }
        guard code == DATONG_OK else { throw call.refusal(code) }
        return reply.must_log_in == 1 ? .logIn(lease: reply.lease) : .value(reply.value.array)
    }

    /// Stores what the log-in gave and wakes the others.
    public func publish(_ login: Login, lease: UInt64) throws(Failure) {
        guard let publish = try service().publish else { throw Call.missing(DATONG_SERVICE_SESSION) }
        let arena = Arena()
        let code = withExtendedLifetime(arena) {
            publish(call.pointer, lease, arena.bytes(login.value), login.lifetimeMilliseconds)
        }
        guard code == DATONG_OK else { throw call.refusal(code) }
    }

    /// The log-in failed; `authDenied` makes the host refuse further log-ins for a while.
    public func abandon(_ lease: UInt64, _ kind: Failure.Kind) throws(Failure) {
        guard let abandon = try service().abandon else { throw Call.missing(DATONG_SERVICE_SESSION) }
        _ = abandon(call.pointer, lease, kind.code)
    }

    /// The vendor refused this value. No effect where the session already has another one.
    public func invalidate(_ value: [UInt8]) throws(Failure) {
        guard let invalidate = try service().invalidate else { throw Call.missing(DATONG_SERVICE_SESSION) }
        let arena = Arena()
        var request = request(arena)
        let code = withExtendedLifetime(arena) { invalidate(call.pointer, &request, arena.bytes(value)) }
        guard code == DATONG_OK else { throw call.refusal(code) }
    }

    /// The session's value, logging in where there is none.
    public func value(login: () throws(Failure) -> Login) throws(Failure) -> [UInt8] {
        switch try acquire() {
        case .value(let value): return value
        case .logIn(let lease):
            let fresh: Login
            do { fresh = try login() } catch {
                try abandon(lease, error.kind)
                throw error
            }
            try publish(fresh, lease: lease)
            return fresh.value
        }
    }
}

extension Call {
    /// Runs `body` in a session: logs in where nobody has, and when `body` throws a failure that
    /// `isRefused` takes for "session gone" (as delivered: `authExpired`), invalidates the value, logs in
    /// once more and runs `body` once more. A second refusal is thrown as it is.
    ///
    /// `body` must throw it only where the vendor certainly did nothing, since it is run again.
    public func withSession<Result>(
        _ name: String, principal: String, maxInFlight: UInt32 = 0, login: () throws(Failure) -> Session.Login,
        isRefused: (Failure) -> Bool = { $0.kind == .authExpired },
        body: (_ value: [UInt8]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let session = session(name: name, principal: principal, maxInFlight: maxInFlight)
        let first = try session.value(login: login)
        do { return try body(first) } catch {
            guard isRefused(error) else { throw error }
            try session.invalidate(first)
        }
        return try body(try session.value(login: login))
    }
}
