import Testing
import Values

@testable import Vault

/// Numbers published by others, or computed with other people's code.
@Suite("Published vectors")
struct VectorTests {
    private static let secrets: [String: String] = [
        "app_id": "268001_TtMxQzDFyPq91dYJ45wX78zK2uDb6CxF",
        "app_secret": "0123456789abcdef0123456789abcdef",
        "account": "66f0a1b2c3d4e5",
        "aes_key": "4g5j64qlyl3zvetqxz5jiocdr586fn2zvjpa8zls3ij",
        "sample_key": "1234567890123456789012345678901234567890123",
        "token": "tokEN2026abc",
        "robot": "SEC0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "client_secret": "AppSecret_example_0123456789",
    ]

    private static func resolve(_ name: String) throws(Problem) -> SecretBytes {
        guard let value = secrets[name] else { throw VaultProblems.unknownSecret(name) }
        return secret(value)
    }

    private static func run(_ request: CryptoRequest) throws -> [UInt8] {
        try VendorCrypto.run(request) { (name) throws(Problem) in try resolve(name) }
    }

    private static func evaluate(_ expression: String) throws -> String {
        text(try SecretExpression(expression).evaluate { (name) throws(Problem) in try resolve(name) })
    }

    private static let clientSecret =
        "app_id | after:_ | base64-decode | xor-text:0054f397c6234378b09ca7d3e5debce7 | base64"

    // MARK: Kingdee

    @Test func kingdeeClientSecretIsDerivedByExpression() throws {
        #expect(try Self.evaluate(Self.clientSecret) == "fuMEd1b28c3e4+Q6168g167644O630h2")
        #expect(try Self.evaluate("app_id | before:_") == "268001")
    }

    @Test func kingdeeGatewaySignature() throws {
        let signed =
            "POST\n%2Fk3cloud%2FKingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save.common.kdsvc\n\n"
            + "x-api-nonce:1767225600\nx-api-timestamp:1767225600\n"
        let mac = try Self.run(
            CryptoRequest(.hmac, "sha256", key: .secret(Self.clientSecret), input: [.literal(Array(signed.utf8))]))
        #expect(
            base64(Array(Hash.hexLower(mac).utf8))
                == "NDE1M2ZkZmJlYzNmZTNiN2I3MDJhN2E3YTA5N2RhN2YwMDFjNzhkODAwMTBkMjM1OTRmMGNlZGE2NmM0MWY1Yw==")
    }

    @Test func kingdeeSystemSignature() throws {
        let mac = try Self.run(
            CryptoRequest(
                .hmac, "sha256", key: .secret("app_secret"),
                input: [.secret("app_id"), .literal(Array("66f0a1b2c3d4e5,Connector,2052,100".utf8))]))
        #expect(
            base64(Array(Hash.hexLower(mac).utf8))
                == "ZjhiNGQyNGY1YWQ2MGYyODUwNzg4ZTMyMzY3ODJmYzVkMjAyNWE0OGM5ZDNmNDgwMjJhMjlmYWE5ZjQxNzA5Mg==")
    }

    @Test(arguments: [
        ("sha256", "718814858b76bc2d30a101703824acdd3097eb676dba7e91abae6f061096c841"),
        ("sha1", "b655e0f84e966db4f9c98b9b7fc76523719477ae"),
    ])
    func kingdeeLoginSignSortsSecretsAmongLiterals(algorithm: String, expected: String) throws {
        let sign = try Self.run(
            CryptoRequest(
                .digest, algorithm,
                input: [
                    .secret("account"), .literal(Array("Connector".utf8)), .secret("app_id"), .secret("app_secret"),
                    .literal(Array("1767225600".utf8)),
                ], sortSegments: true))
        #expect(Hash.hexLower(sign) == expected)
    }

    // MARK: DingTalk

    private static let callbacks: [(message: String, random: String, encrypted: String, signature: String)] = [
        (
            #"{"EventType":"check_url"}"#, "0123456789abcdef",
            "HcA0QDKRG/U9FnFvX30Rg3cmHeq0C2cGbcAKqeLm0GR3PgT+O4U/IdQpmL45HaxvjT50TP9LtAYjUjkUqPqnMzL6S24L/SbR9+4Mc+VQAUMBmtqs0UP1sKEFuTMQFuF6",
            "b400b07659f6fc442b164285e8b0a0852a807d66"
        ),
        (
            "success", "fedcba9876543210",
            "B+N5/9IoV0UVcnIy5lrOKFgq2gUBC5UoehQuiiaElvxCnJyqjAIZlSJHvV+Qg3gpgOEVbbmSHQO8zYGyxjWkKw==",
            "1394ed0029ace18576c8c9d7b0fea808b44a236e"
        ),
        (
            #"{"EventType":"bpms_instance_change","type":"finish","result":"agree","title":"张三提交的报销"}"#,
            "A1b2C3d4E5f6G7h8",
            "CyEdKHyKO/NWnQxAIX2dG9hnkN2kWC6ANI8XoRAaQJTgvFBaUHAb7ZE3R8EuVvMc7h10c8vOmhqJL2uv5J3Yf0RUxShxG8xN3xvseKdZyj5L517VymZ3ja2/Z6cjEjpoPG8sWsdGvxLscAnj86RnPrEhaYnSnVbnopK1a6rBIjbT2EePPg0KXHpPJe5LalBYQT4v1nQcZlmrtUAVzbtC8g==",
            "fa8bb8d243570f7811ca5f14488e53879633e58a"
        ),
    ]

    private static func paddedTo32(_ message: String, random: String, owner: String) -> [UInt8] {
        let body = Array(message.utf8)
        var plain =
            Array(random.utf8) + [0, 0, UInt8(body.count >> 8), UInt8(body.count & 255)] + body + Array(owner.utf8)
        let missing = 32 - plain.count % 32
        plain += [UInt8](repeating: UInt8(missing), count: missing)
        return plain
    }

    @Test(arguments: [0, 1, 2])
    func dingTalkCallbackWithItsPaddingOf32(row: Int) throws {
        let vector = Self.callbacks[row]
        let plain = Self.paddedTo32(vector.message, random: vector.random, owner: "dingappkey0example1")
        let iv = Array(fromBase64("4g5j64qlyl3zvetqxz5jiocdr586fn2zvjpa8zls3ij").prefix(16))
        let encrypted = try Self.run(
            CryptoRequest(
                .encrypt, "aes-256-cbc", key: .secret("aes_key | base64-decode | require-length:32"), iv: iv,
                input: [.literal(plain)], noPadding: true))
        #expect(base64(encrypted) == vector.encrypted)
        let decrypted = try Self.run(
            CryptoRequest(
                .decrypt, "aes-256-cbc", key: .secret("aes_key | base64-decode"), iv: iv,
                input: [.literal(encrypted)], noPadding: true))
        #expect(decrypted == plain)
        let signature = try Self.run(
            CryptoRequest(
                .digest, "sha1",
                input: [
                    .secret("token"), .literal(Array("1767225600000".utf8)), .literal(Array("nOnce8Zx".utf8)),
                    .literal(Array(vector.encrypted.utf8)),
                ], sortSegments: true))
        #expect(Hash.hexLower(signature) == vector.signature)
    }

    @Test func dingTalkOfficialSampleWithSpareBitsInTheKey() throws {
        let iv = Array(fromBase64("1234567890123456789012345678901234567890123").prefix(16))
        let plain = try Self.run(
            CryptoRequest(
                .decrypt, "aes-256-cbc", key: .secret("sample_key | base64-decode"), iv: iv,
                input: [
                    .literal(
                        fromBase64(
                            "YvkvaGe4hQxd3VxRmEty0dVlnCOAqwf56xwTRHDHoOURqhalbmBJQk5FNcRk42Gl5T0YQXZNwpwWSm1xAFJ5ZA=="))
                ], noPadding: true))
        let content = plain.dropFirst(20).dropLast(Int(plain.last!))
        #expect(String(decoding: content, as: UTF8.self) == "successdingsnotzck6pm5veliw")
    }

    @Test func dingTalkRobotSignatures() throws {
        let robot = try Self.run(
            CryptoRequest(
                .hmac, "sha256", key: .secret("robot"),
                input: [.literal(Array("1767225600000\n".utf8)), .secret("robot")]))
        #expect(base64(robot) == "i2c5tiV6h/3SNAw2dFLqlaqeECJxGo/5aOpgXbGdttM=")
        let incoming = try Self.run(
            CryptoRequest(
                .hmac, "sha256", key: .secret("client_secret"),
                input: [.literal(Array("1767225600000\n".utf8)), .secret("client_secret")]))
        #expect(base64(incoming) == "G3fssrQZK3o5PhBxAXedkD78w+TEvKI2Pi5r2CG5Th4=")
    }

    // MARK: Yonyou

    @Test func yonyouKeyTextDecodesToItsKey() throws {
        let decoded = try SecretExpression("k | base64-decode | hex").evaluate { (_) throws(Problem) in
            secret("7f3c9a52e1d84b6f90aa17c2d3e4f5a600010000000=")
        }
        #expect(text(decoded) == "edfddcf5ae767b577ce1be9ff7469ad7b7367777b87f96bad34d35d34d34d34d")
    }

    // MARK: RFC and NIST

    /// RFC 4231, cases 1, 2 and 6.
    @Test(arguments: [
        (
            String(repeating: "0b", count: 20), "4869205468657265",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            String(repeating: "aa", count: 131),
            "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func hmacSHA256(key: String, message: String, expected: String) throws {
        let mac = try Self.run(
            CryptoRequest(.hmac, "sha256", key: .literal(hex(key)), input: [.literal(hex(message))]))
        #expect(mac == hex(expected))
        #expect(Primitives.hmac(key: SecretBytes(copying: hex(key)), hex(message)) == hex(expected))
    }

    /// RFC 5869, case 1 (its first 32 bytes) and case 3 (no salt, no info).
    @Test func hkdfSHA256() throws {
        let first = try Primitives.derive(
            from: SecretBytes(copying: [UInt8](repeating: 0x0b, count: 22)), salt: hex("000102030405060708090a0b0c"),
            info: hex("f0f1f2f3f4f5f6f7f8f9"))
        #expect(bytes(first) == hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"))
        let third = try Primitives.derive(
            from: SecretBytes(copying: [UInt8](repeating: 0x0b, count: 22)), salt: [], info: [])
        #expect(bytes(third) == hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"))
    }

    /// RFC 7914, the vector with N = 16384, r = 8, p = 1 (its first 32 bytes: one block of the last PBKDF2).
    @Test func scrypt() throws {
        let key = try Primitives.scrypt(
            secret("pleaseletmein"), salt: Array("SodiumChloride".utf8), parameters: cheap)
        #expect(bytes(key) == hex("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"))
    }

    /// The GCM specification's cases 13, 14 and 16 (256-bit key).
    @Test(arguments: [
        (
            String(repeating: "00", count: 32), String(repeating: "00", count: 12), "", "", "",
            "530f8afbc74536b9a963b4f1c4cb738b"
        ),
        (
            String(repeating: "00", count: 32), String(repeating: "00", count: 12), "",
            String(repeating: "00", count: 16), "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"
        ),
        (
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b"
        ),
    ])
    func aesGCM(key: String, nonce: String, aad: String, plain: String, cipher: String, tag: String) throws {
        let sealed = try Self.run(
            CryptoRequest(
                .encrypt, "aes-256-gcm", key: .literal(hex(key)), iv: hex(nonce), input: [.literal(hex(plain))],
                additional: hex(aad)))
        #expect(sealed == hex(cipher + tag))
        let opened = try Self.run(
            CryptoRequest(
                .decrypt, "aes-256-gcm", key: .literal(hex(key)), iv: hex(nonce), input: [.literal(sealed)],
                additional: hex(aad)))
        #expect(opened == hex(plain))
        var box = try Primitives.open(
            Sealed(nonce: hex(nonce), bytes: sealed), key: SecretBytes(copying: hex(key)), aad: hex(aad))
        #expect(bytes(box.take()!) == hex(plain))
    }

    /// NIST SP 800-38A, F.2.1, F.2.5 and F.5.5 (first two blocks).
    @Test(arguments: [
        (
            "aes-128-cbc", "2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f",
            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
        ),
        (
            "aes-256-cbc", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "000102030405060708090a0b0c0d0e0f", "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
        ),
        (
            "aes-256-ctr", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
        ),
    ])
    func aesBlockModes(algorithm: String, key: String, iv: String, cipher: String) throws {
        let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
        let encrypted = try Self.run(
            CryptoRequest(
                .encrypt, algorithm, key: .literal(hex(key)), iv: hex(iv), input: [.literal(plain)], noPadding: true))
        #expect(encrypted == hex(cipher))
        let decrypted = try Self.run(
            CryptoRequest(
                .decrypt, algorithm, key: .literal(hex(key)), iv: hex(iv), input: [.literal(encrypted)],
                noPadding: true))
        #expect(decrypted == plain)
    }

    @Test(arguments: [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "sha512",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        ("sm3", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    ])
    func digestsOfABC(algorithm: String, expected: String) throws {
        #expect(try Self.run(CryptoRequest(.digest, algorithm, input: [.literal(Array("abc".utf8))])) == hex(expected))
    }

    /// RFC 4648, section 10, in lower case and without padding.
    @Test(arguments: [
        ("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"), ("fooba", "mzxw6ytb"),
        ("foobar", "mzxw6ytboi"),
    ])
    func base32(plain: String, expected: String) {
        #expect(Hash.base32Lower(Array(plain.utf8)) == expected)
    }
}
