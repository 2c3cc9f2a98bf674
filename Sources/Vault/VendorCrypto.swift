import COpenSSL
import Values

/// One call of the service `datong.crypto/1`, as values: see `datong_crypto_request` in `datong_plugin.h`.
public struct CryptoRequest: Sendable {
    /// What to do; the numbers are the header's.
    public enum Operation: UInt32, Sendable {
        /// md5 sha1 sha256 sha512 sm3
        case digest = 1
        /// sha1 sha256 sha512
        case hmac = 2
        /// aes-128-cbc aes-256-cbc aes-256-ctr aes-256-gcm
        case encrypt = 3
        /// As `encrypt`.
        case decrypt = 4
        /// rsa-sha256 rsa-sha1 rsa-pss-sha256 ed25519; key = private PEM
        case sign = 5
        /// As `sign`; key = public PEM.
        case verify = 6
        /// rsa-oaep-sha256 rsa-pkcs1; key = public PEM
        case seal = 7
        /// As `seal`; key = private PEM.
        case open = 8
    }

    /// A piece of input or a key.
    public enum Segment: Sendable, Hashable {
        /// The bytes themselves.
        case literal([UInt8])
        /// A secret expression's text.
        case secret(String)
    }

    /// What to do.
    public var operation: Operation
    /// With what; which names go with which operation stands at `Operation`.
    public var algorithm: String
    /// The key; ignored by `digest`.
    public var key: Segment
    /// 16 bytes for CBC and CTR, 12...16 for GCM.
    public var iv: [UInt8]
    /// Joined in order, or sorted.
    public var input: [Segment]
    /// `verify`: the signature to check.
    public var signature: [UInt8]
    /// GCM: authenticated, not encrypted.
    public var additional: [UInt8]
    /// Order the segments bytewise ascending, secrets by their values, before joining.
    public var sortSegments: Bool
    /// CBC: the input is whole blocks, padded by the plugin.
    public var noPadding: Bool

    /// A request; everything that an operation does not use may be left out.
    public init(
        _ operation: Operation, _ algorithm: String, key: Segment = .literal([]), iv: [UInt8] = [], input: [Segment],
        signature: [UInt8] = [], additional: [UInt8] = [], sortSegments: Bool = false, noPadding: Bool = false
    ) {
        self.operation = operation
        self.algorithm = algorithm
        self.key = key
        self.iv = iv
        self.input = input
        self.signature = signature
        self.additional = additional
        self.sortSegments = sortSegments
        self.noPadding = noPadding
    }
}

/// Algorithms of vendors over secrets the plugin never sees.
///
/// This keeps secrets out of plugins' memory, logs and crash reports. It is no wall against a hostile plugin:
/// whoever may encrypt a secret under a key of his own can read it. That wall is the bundle's signature.
public enum VendorCrypto {
    /// Runs a request. The result is what the plugin gets; `verify` gives no bytes.
    ///
    /// `E-CRYPTO-001` unknown algorithm, `002` unusable key, `003` IV, `004` input, `005` does not open,
    /// `006` does not verify; and what `resolve` and the expressions throw.
    public static func run(
        _ request: CryptoRequest, resolve: (String) throws(Problem) -> SecretBytes
    ) throws(Problem) -> [UInt8] {
        defer { ERR_clear_error() }
        let input = try join(request, resolve: resolve)
        switch request.operation {
        case .digest: return try digest(request, input)
        case .hmac: return try hmac(request, input, key: value(request.key, resolve: resolve))
        case .encrypt: return try cipher(request, input, key: value(request.key, resolve: resolve), sealing: true)
        case .decrypt: return try cipher(request, input, key: value(request.key, resolve: resolve), sealing: false)
        case .sign: return try sign(request, input, key: value(request.key, resolve: resolve))
        case .verify:
            try verify(request, input, key: value(request.key, resolve: resolve))
            return []
        case .seal: return try rsa(request, input, key: value(request.key, resolve: resolve), sealing: true)
        case .open: return try rsa(request, input, key: value(request.key, resolve: resolve), sealing: false)
        }
    }

    // MARK: Input

    private static func value(
        _ segment: CryptoRequest.Segment, resolve: (String) throws(Problem) -> SecretBytes
    ) throws(Problem) -> SecretBytes {
        switch segment {
        case .literal(let bytes): SecretBytes(copying: bytes)
        case .secret(let text): try SecretExpression(text).evaluate(resolve)
        }
    }

    private static func join(
        _ request: CryptoRequest, resolve: (String) throws(Problem) -> SecretBytes
    ) throws(Problem) -> SecretBytes {
        guard request.input.count <= CryptoLimits.segments else {
            throw CryptoProblems.input("more than \(CryptoLimits.segments) segments")
        }
        var total = 0
        var pieces: [Piece] = []
        for segment in request.input {
            let piece: Piece =
                switch segment {
                case .literal(let bytes): .literal(bytes)
                case .secret: .secret(SharedSecret(try value(segment, resolve: resolve)))
                }
            total += piece.count
            guard total <= CryptoLimits.inputBytes else {
                throw CryptoProblems.input("more than \(CryptoLimits.inputBytes) bytes")
            }
            pieces.append(piece)
        }
        if request.sortSegments {
            pieces.sort { left, right in
                left.withBytes { left in right.withBytes { left.lexicographicallyPrecedes($0) } }
            }
        }
        return SecretBytes(count: total) { room in
            var place = 0
            for piece in pieces {
                piece.withBytes { bytes in
                    UnsafeMutableRawBufferPointer(rebasing: room[place..<place + bytes.count]).copyMemory(from: bytes)
                    place += bytes.count
                }
            }
        }
    }

    /// A segment after evaluation. Literals are no secret and need no locked page each.
    private enum Piece {
        case literal([UInt8])
        case secret(SharedSecret)

        var count: Int {
            switch self {
            case .literal(let bytes): bytes.count
            case .secret(let secret): secret.bytes.count
            }
        }

        func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
            switch self {
            case .literal(let bytes): bytes.withUnsafeBytes(body)
            case .secret(let secret): secret.bytes.withBytes(body)
            }
        }
    }

    // MARK: Digests

    private static func hashFunction(_ name: String) -> OpaquePointer? {
        switch name {
        case "md5": EVP_md5()
        case "sha1": EVP_sha1()
        case "sha256": EVP_sha256()
        case "sha512": EVP_sha512()
        case "sm3": EVP_sm3()
        default: nil
        }
    }

    private static func digest(_ request: CryptoRequest, _ input: borrowing SecretBytes) throws(Problem) -> [UInt8] {
        guard let function = hashFunction(request.algorithm) else {
            throw CryptoProblems.algorithm(request.algorithm, operation: "digest")
        }
        var out = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var size: UInt32 = 0
        let ok = input.withBytes { EVP_Digest($0.baseAddress, $0.count, &out, &size, function, nil) }
        guard ok == 1 else { throw CryptoProblems.library("digest") }
        return Array(out.prefix(Int(size)))
    }

    private static func hmac(
        _ request: CryptoRequest, _ input: borrowing SecretBytes, key: borrowing SecretBytes
    ) throws(Problem) -> [UInt8] {
        guard ["sha1", "sha256", "sha512"].contains(request.algorithm),
            let function = hashFunction(request.algorithm)
        else { throw CryptoProblems.algorithm(request.algorithm, operation: "hmac") }
        var out = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var size: UInt32 = 0
        let ok = key.withBytes { key in
            input.withBytes { input in
                datong_hmac(function, key.baseAddress, key.count, input.baseAddress, input.count, &out, &size)
            }
        }
        guard ok == 1 else { throw CryptoProblems.library("hmac") }
        return Array(out.prefix(Int(size)))
    }

    // MARK: Ciphers

    private enum Mode { case cbc, ctr, gcm }

    private static func cipher(
        _ request: CryptoRequest, _ input: borrowing SecretBytes, key: borrowing SecretBytes, sealing: Bool
    ) throws(Problem) -> [UInt8] {
        let (function, keyBytes, mode): (OpaquePointer?, Int, Mode)
        switch request.algorithm {
        case "aes-128-cbc": (function, keyBytes, mode) = (EVP_aes_128_cbc(), 16, .cbc)
        case "aes-256-cbc": (function, keyBytes, mode) = (EVP_aes_256_cbc(), 32, .cbc)
        case "aes-256-ctr": (function, keyBytes, mode) = (EVP_aes_256_ctr(), 32, .ctr)
        case "aes-256-gcm": (function, keyBytes, mode) = (EVP_aes_256_gcm(), 32, .gcm)
        default: throw CryptoProblems.algorithm(request.algorithm, operation: sealing ? "encrypt" : "decrypt")
        }
        guard key.count == keyBytes else { throw CryptoProblems.key("\(key.count) bytes, \(keyBytes) wanted") }
        let ivRange = mode == .gcm ? CryptoLimits.gcmNonceBytesRange : 16...16
        guard ivRange.contains(request.iv.count) else {
            throw CryptoProblems.initialVector(
                expected: "\(ivRange.lowerBound)...\(ivRange.upperBound)", found: request.iv.count)
        }
        if mode == .cbc, request.noPadding || !sealing, input.count % 16 != 0 {
            throw CryptoProblems.input("\(input.count) bytes are no whole blocks of 16")
        }
        let tagBytes = mode == .gcm ? Primitives.tagBytes : 0
        guard sealing || input.count >= tagBytes else { throw CryptoProblems.doesNotOpen }
        guard let context = EVP_CIPHER_CTX_new() else { throw CryptoProblems.library("cipher") }
        defer { EVP_CIPHER_CTX_free(context) }

        let bodyBytes = sealing ? input.count : input.count - tagBytes
        let out = SecretResult(count: bodyBytes + 32)
        let ok = key.withBytes { key in
            input.withBytes { input in
                var (first, last): (Int32, Int32) = (0, 0)
                let keyStart = key.baseAddress!.assumingMemoryBound(to: UInt8.self)
                let body = input.baseAddress!.assumingMemoryBound(to: UInt8.self)
                guard EVP_CipherInit_ex(context, function, nil, nil, nil, sealing ? 1 : 0) == 1,
                    mode != .gcm
                        || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_IVLEN, Int32(request.iv.count), nil) == 1,
                    EVP_CipherInit_ex(context, nil, nil, keyStart, request.iv, sealing ? 1 : 0) == 1,
                    EVP_CIPHER_CTX_set_padding(context, request.noPadding ? 0 : 1) == 1
                else { return false }
                if mode == .gcm, !sealing {
                    let tag = UnsafeMutableRawPointer(mutating: body + bodyBytes)
                    guard EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, Int32(tagBytes), tag) == 1 else {
                        return false
                    }
                }
                if mode == .gcm, !request.additional.isEmpty {
                    guard
                        EVP_CipherUpdate(context, nil, &first, request.additional, Int32(request.additional.count)) == 1
                    else { return false }
                    first = 0
                }
                if bodyBytes > 0 {
                    guard EVP_CipherUpdate(context, out.start, &first, body, Int32(bodyBytes)) == 1 else {
                        return false
                    }
                }
                guard EVP_CipherFinal_ex(context, out.start + Int(first), &last) == 1 else { return false }
                out.used = Int(first) + Int(last)
                if mode == .gcm, sealing {
                    guard EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, Int32(tagBytes), out.start + out.used) == 1
                    else { return false }
                    out.used += tagBytes
                }
                return true
            }
        }
        guard ok else { throw sealing ? CryptoProblems.library("encrypt") : CryptoProblems.doesNotOpen }
        return out.bytes
    }

    // MARK: Keys in PEM

    /// A key object of the library, freed with its owner.
    private struct KeyObject: ~Copyable {
        let pointer: OpaquePointer
        deinit { EVP_PKEY_free(pointer) }
    }

    private static func readKey(_ pem: borrowing SecretBytes, isPrivate: Bool) throws(Problem) -> KeyObject {
        let found = pem.withBytes { bytes in
            isPrivate
                ? datong_read_private_pem(bytes.baseAddress, bytes.count)
                : datong_read_public_pem(bytes.baseAddress, bytes.count)
        }
        guard let found else {
            throw CryptoProblems.key(isPrivate ? "not a private key in PEM" : "not a public key in PEM")
        }
        let key = KeyObject(pointer: found)
        if datong_is_rsa(key.pointer) == 1 {
            let bits = Int(EVP_PKEY_get_bits(key.pointer))
            guard CryptoLimits.rsaBitsRange.contains(bits) else { throw CryptoProblems.key("RSA of \(bits) bits") }
        }
        return key
    }

    private static func requireRSA(_ key: borrowing KeyObject) throws(Problem) {
        guard datong_is_rsa(key.pointer) == 1 else { throw CryptoProblems.key("not an RSA key") }
    }

    // MARK: Signatures

    /// Sets up signing or checking: `start` is the library's init function for either.
    private static func prepare(
        _ context: OpaquePointer, _ request: CryptoRequest, key: borrowing KeyObject,
        start: (OpaquePointer, UnsafeMutablePointer<OpaquePointer?>, OpaquePointer?, OpaquePointer) -> Int32
    ) throws(Problem) {
        var parameters: OpaquePointer?
        switch request.algorithm {
        case "ed25519":
            guard datong_is_ed25519(key.pointer) == 1 else { throw CryptoProblems.key("not an Ed25519 key") }
            guard start(context, &parameters, nil, key.pointer) == 1 else { throw CryptoProblems.library("ed25519") }
        case "rsa-sha256", "rsa-sha1", "rsa-pss-sha256":
            try requireRSA(key)
            let function = request.algorithm == "rsa-sha1" ? EVP_sha1() : EVP_sha256()
            guard start(context, &parameters, function, key.pointer) == 1 else {
                throw CryptoProblems.library(request.algorithm)
            }
            if request.algorithm == "rsa-pss-sha256" {
                // Salt as long as the digest: what RFC 8017 recommends and the vendors' libraries expect.
                guard EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1,
                    EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1
                else { throw CryptoProblems.library(request.algorithm) }
            }
        default: throw CryptoProblems.algorithm(request.algorithm, operation: "sign")
        }
    }

    private static func sign(
        _ request: CryptoRequest, _ input: borrowing SecretBytes, key pem: borrowing SecretBytes
    ) throws(Problem) -> [UInt8] {
        let key = try readKey(pem, isPrivate: true)
        guard let context = EVP_MD_CTX_new() else { throw CryptoProblems.library("sign") }
        defer { EVP_MD_CTX_free(context) }
        try prepare(context, request, key: key) { EVP_DigestSignInit($0, $1, $2, nil, $3) }
        var size = Int(EVP_PKEY_get_size(key.pointer))
        var out = [UInt8](repeating: 0, count: size)
        let ok = input.withBytes { input in
            EVP_DigestSign(context, &out, &size, input.baseAddress!.assumingMemoryBound(to: UInt8.self), input.count)
        }
        guard ok == 1 else { throw CryptoProblems.library("sign") }
        return Array(out.prefix(size))
    }

    private static func verify(
        _ request: CryptoRequest, _ input: borrowing SecretBytes, key pem: borrowing SecretBytes
    ) throws(Problem) {
        let key = try readKey(pem, isPrivate: false)
        guard let context = EVP_MD_CTX_new() else { throw CryptoProblems.library("verify") }
        defer { EVP_MD_CTX_free(context) }
        try prepare(context, request, key: key) { EVP_DigestVerifyInit($0, $1, $2, nil, $3) }
        let ok = input.withBytes { input in
            EVP_DigestVerify(
                context, request.signature, request.signature.count,
                input.baseAddress!.assumingMemoryBound(to: UInt8.self), input.count)
        }
        guard ok == 1 else { throw CryptoProblems.doesNotVerify }
    }

    // MARK: RSA encryption

    private static func rsa(
        _ request: CryptoRequest, _ input: borrowing SecretBytes, key pem: borrowing SecretBytes, sealing: Bool
    ) throws(Problem) -> [UInt8] {
        guard ["rsa-oaep-sha256", "rsa-pkcs1"].contains(request.algorithm) else {
            throw CryptoProblems.algorithm(request.algorithm, operation: sealing ? "seal" : "open")
        }
        let key = try readKey(pem, isPrivate: !sealing)
        try requireRSA(key)
        guard let context = EVP_PKEY_CTX_new(key.pointer, nil) else { throw CryptoProblems.library(request.algorithm) }
        defer { EVP_PKEY_CTX_free(context) }
        guard (sealing ? EVP_PKEY_encrypt_init(context) : EVP_PKEY_decrypt_init(context)) == 1 else {
            throw CryptoProblems.library(request.algorithm)
        }
        if request.algorithm == "rsa-pkcs1" {
            guard EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 else {
                throw CryptoProblems.library(request.algorithm)
            }
        } else {
            // The mask function uses SHA-256 as well, as vendors on the Java platform do when told so.
            guard EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1,
                EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1,
                EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1
            else { throw CryptoProblems.library(request.algorithm) }
        }
        let out = SecretResult(count: Int(EVP_PKEY_get_size(key.pointer)))
        var size = out.count
        let ok = input.withBytes { input in
            let start = input.baseAddress!.assumingMemoryBound(to: UInt8.self)
            return sealing
                ? EVP_PKEY_encrypt(context, out.start, &size, start, input.count)
                : EVP_PKEY_decrypt(context, out.start, &size, start, input.count)
        }
        guard ok == 1 else { throw sealing ? CryptoProblems.library(request.algorithm) : CryptoProblems.doesNotOpen }
        out.used = size
        return out.bytes
    }
}

/// Room for a result that is wiped when it was refused or has been handed out.
private final class SecretResult {
    let count: Int
    var used = 0
    private let room: UnsafeMutableRawBufferPointer

    init(count: Int) {
        self.count = count
        room = .allocate(byteCount: count, alignment: 16)
    }

    var start: UnsafeMutablePointer<UInt8> { room.baseAddress!.assumingMemoryBound(to: UInt8.self) }
    var bytes: [UInt8] { Array(room[..<used]) }

    deinit {
        OPENSSL_cleanse(room.baseAddress, room.count)
        room.deallocate()
    }
}
