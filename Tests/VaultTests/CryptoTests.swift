import Testing
import Values

@testable import Vault

@Suite("Vendors' algorithms")
struct CryptoTests {
    private func run(_ request: CryptoRequest) throws -> [UInt8] {
        try VendorCrypto.run(request) { (name) throws(Problem) in
            switch name {
            case "private": secret(Self.privateKey)
            case "public": secret(Self.publicKey)
            case "key16": secret("0123456789abcdef")
            case "key32": secret("0123456789abcdef0123456789abcdef")
            default: throw VaultProblems.unknownSecret(name)
            }
        }
    }

    private func literal(_ text: String) -> CryptoRequest.Segment { .literal(Array(text.utf8)) }

    // MARK: RSA and Ed25519

    /// Signatures made by the openssl command.
    @Test(arguments: [
        ("rsa-sha256", Self.sha256Signature), ("rsa-sha1", Self.sha1Signature), ("rsa-pss-sha256", Self.pssSignature),
    ])
    func rsaSignaturesOfAnotherProgram(algorithm: String, signature: String) throws {
        let expected = fromBase64(signature)
        _ = try run(
            CryptoRequest(
                .verify, algorithm, key: .secret("public"), input: [literal("message "), literal("to sign")],
                signature: expected))
        let own = try run(CryptoRequest(.sign, algorithm, key: .secret("private"), input: [literal("message to sign")]))
        if algorithm != "rsa-pss-sha256" { #expect(own == expected) }
        _ = try run(
            CryptoRequest(
                .verify, algorithm, key: literal(Self.publicKey), input: [literal("message to sign")], signature: own))
        var bad = own
        bad[7] ^= 1
        for (signature, message) in [(bad, "message to sign"), (own, "message to Sign"), ([], "message to sign")] {
            #expect(
                code {
                    _ = try run(
                        CryptoRequest(
                            .verify, algorithm, key: .secret("public"), input: [literal(message)], signature: signature)
                    )
                } == "E-CRYPTO-006")
        }
    }

    /// Sealed by the openssl command.
    @Test(arguments: [("rsa-oaep-sha256", Self.oaepSealed), ("rsa-pkcs1", Self.pkcs1Sealed)])
    func rsaSealedByAnotherProgram(algorithm: String, sealed: String) throws {
        let opened = try run(
            CryptoRequest(.open, algorithm, key: .secret("private"), input: [.literal(fromBase64(sealed))]))
        #expect(opened == Array("sealed elsewhere".utf8))
        let own = try run(CryptoRequest(.seal, algorithm, key: .secret("public"), input: [.secret("key32")]))
        #expect(
            try run(CryptoRequest(.open, algorithm, key: .secret("private"), input: [.literal(own)]))
                == Array("0123456789abcdef0123456789abcdef".utf8))
        var bad = own
        bad[9] ^= 1
        #expect(
            code { _ = try run(CryptoRequest(.open, algorithm, key: .secret("private"), input: [.literal(bad)])) }
                == "E-CRYPTO-005")
        let tooLong = [UInt8](repeating: 1, count: 256)
        #expect(
            code { _ = try run(CryptoRequest(.seal, algorithm, key: .secret("public"), input: [.literal(tooLong)])) }
                == "E-CRYPTO-007")
    }

    /// RFC 8032, section 7.1, test 3.
    @Test func ed25519() throws {
        let pem =
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIMWqjfQ/n4N77bdELzHct7Fm04U1B28JS4XOOi4LRFj3\n"
            + "-----END PRIVATE KEY-----\n"
        let publicPEM =
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=\n"
            + "-----END PUBLIC KEY-----\n"
        let signature = try run(
            CryptoRequest(.sign, "ed25519", key: literal(pem), input: [.literal(hex("af82"))]))
        #expect(
            Hash.hexLower(signature)
                == "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        )
        _ = try run(
            CryptoRequest(
                .verify, "ed25519", key: literal(publicPEM), input: [.literal(hex("af82"))], signature: signature))
        #expect(
            code {
                _ = try run(
                    CryptoRequest(
                        .verify, "ed25519", key: literal(publicPEM), input: [.literal(hex("af83"))],
                        signature: signature))
            } == "E-CRYPTO-006")
        #expect(
            code { _ = try run(CryptoRequest(.sign, "rsa-sha256", key: literal(pem), input: [])) } == "E-CRYPTO-002")
        #expect(
            code { _ = try run(CryptoRequest(.sign, "ed25519", key: .secret("private"), input: [])) }
                == "E-CRYPTO-002")
        #expect(
            code { _ = try run(CryptoRequest(.seal, "rsa-pkcs1", key: literal(publicPEM), input: [])) }
                == "E-CRYPTO-002")
    }

    @Test func unusableKeysAreRefused() throws {
        for key in ["", "no key", Self.publicKey, Self.encryptedKey] {
            #expect(
                code { _ = try run(CryptoRequest(.sign, "rsa-sha256", key: literal(key), input: [literal("m")])) }
                    == "E-CRYPTO-002")
        }
        for key in ["", "no key", Self.privateKey, Self.shortKey] {
            #expect(
                code { _ = try run(CryptoRequest(.seal, "rsa-pkcs1", key: literal(key), input: [literal("m")])) }
                    == "E-CRYPTO-002")
        }
    }

    // MARK: Refusals

    @Test(arguments: [
        (CryptoRequest.Operation.digest, "sha3"), (.digest, "SHA256"), (.digest, ""), (.hmac, "md5"), (.hmac, "sm3"),
        (.encrypt, "aes-128-ecb"), (.decrypt, "des"), (.sign, "rsa-md5"), (.verify, "dsa"), (.seal, "rsa"),
        (.open, "rsa-oaep"),
    ])
    func unknownAlgorithmIsRefused(operation: CryptoRequest.Operation, algorithm: String) {
        let key: CryptoRequest.Segment =
            switch operation {
            case .verify, .seal: .secret("public")
            case .sign, .open: .secret("private")
            default: .secret("key32")
            }
        #expect(
            code { _ = try run(CryptoRequest(operation, algorithm, key: key, iv: [], input: [literal("x")])) }
                == "E-CRYPTO-001")
    }

    @Test func keysIVsAndBlocksOfWrongLengthAreRefused() {
        func verdict(
            _ operation: CryptoRequest.Operation, _ algorithm: String, key: Int = 32, iv: Int = 16, input: Int = 16,
            noPadding: Bool = false
        ) -> String? {
            code {
                _ = try run(
                    CryptoRequest(
                        operation, algorithm, key: .literal([UInt8](repeating: 1, count: key)),
                        iv: [UInt8](repeating: 2, count: iv), input: [.literal([UInt8](repeating: 5, count: input))],
                        noPadding: noPadding))
            }
        }
        #expect(verdict(.encrypt, "aes-256-cbc", key: 16) == "E-CRYPTO-002")
        #expect(verdict(.encrypt, "aes-128-cbc", key: 32) == "E-CRYPTO-002")
        #expect(verdict(.encrypt, "aes-256-gcm", key: 0, iv: 12) == "E-CRYPTO-002")
        #expect(verdict(.encrypt, "aes-256-cbc", iv: 15) == "E-CRYPTO-003")
        #expect(verdict(.encrypt, "aes-256-ctr", iv: 0) == "E-CRYPTO-003")
        #expect(verdict(.encrypt, "aes-256-gcm", iv: 11) == "E-CRYPTO-003")
        #expect(verdict(.encrypt, "aes-256-gcm", iv: 17) == "E-CRYPTO-003")
        #expect(verdict(.encrypt, "aes-256-cbc", input: 15, noPadding: true) == "E-CRYPTO-004")
        #expect(verdict(.decrypt, "aes-256-cbc", input: 17) == "E-CRYPTO-004")
        #expect(verdict(.decrypt, "aes-256-gcm", iv: 12, input: 15) == "E-CRYPTO-005")
        #expect(verdict(.decrypt, "aes-256-gcm", iv: 12, input: 32) == "E-CRYPTO-005")
        #expect(verdict(.decrypt, "aes-256-cbc", input: 0) == "E-CRYPTO-005")
        #expect(verdict(.encrypt, "aes-256-cbc", input: 0, noPadding: true) == nil)
    }

    @Test(arguments: [0, 1, 15, 16, 17, 31, 1000])
    func paddedBlocksComeBack(size: Int) throws {
        let plain = [UInt8](repeating: 9, count: size)
        let iv = [UInt8](repeating: 3, count: 16)
        let sealed = try run(
            CryptoRequest(.encrypt, "aes-128-cbc", key: .secret("key16"), iv: iv, input: [.literal(plain)]))
        #expect(sealed.count == size / 16 * 16 + 16)
        let opened = try run(
            CryptoRequest(.decrypt, "aes-128-cbc", key: .secret("key16"), iv: iv, input: [.literal(sealed)]))
        #expect(opened == plain)
    }

    @Test func changedGCMIsRefusedWhereverItChanged() throws {
        let request = CryptoRequest(
            .encrypt, "aes-256-gcm", key: .secret("key32"), iv: [UInt8](repeating: 1, count: 16),
            input: [literal("body of a webhook")], additional: Array("nonce".utf8))
        let sealed = try run(request)
        var back = request
        back.operation = .decrypt
        for place in sealed.indices {
            var bad = sealed
            bad[place] ^= 1
            back.input = [.literal(bad)]
            #expect(code { _ = try run(back) } == "E-CRYPTO-005")
        }
        back.input = [.literal(sealed)]
        #expect(try run(back) == Array("body of a webhook".utf8))
        back.additional = []
        #expect(code { _ = try run(back) } == "E-CRYPTO-005")
    }

    @Test func inputIsBounded() {
        let many = [CryptoRequest.Segment](repeating: .literal([1]), count: CryptoLimits.segments + 1)
        #expect(code { _ = try run(CryptoRequest(.digest, "sha1", input: many)) } == "E-CRYPTO-004")
        let half = CryptoRequest.Segment.literal([UInt8](repeating: 0, count: CryptoLimits.inputBytes / 2 + 1))
        #expect(code { _ = try run(CryptoRequest(.digest, "sha1", input: [half, half])) } == "E-CRYPTO-004")
    }

    @Test func missingSecretAndBadExpressionAreNamed() {
        #expect(code { _ = try run(CryptoRequest(.digest, "sha1", input: [.secret("none")])) } == "E-VAULT-018")
        #expect(
            code { _ = try run(CryptoRequest(.digest, "sha1", input: [.secret("key16 | shout")])) } == "E-SECRET-001")
    }

    @Test func sortingIsBytewiseAndKeepsDuplicates() throws {
        let sorted = try run(
            CryptoRequest(
                .digest, "sha256",
                input: [
                    literal("b"), literal("é"), literal("B"), literal(""), literal("b"), literal("ba"), literal("a"),
                ],
                sortSegments: true))
        #expect(sorted == Hash.sha256(Array("Babbbaé".utf8)))
        let unsorted = try run(CryptoRequest(.digest, "sha256", input: [literal("b"), literal("a")]))
        #expect(unsorted == Hash.sha256(Array("ba".utf8)))
    }

    // MARK: Keys made for these tests only

    private static let sha256Signature =
        "g+sxzg2LP4BCw/Zdhic7J4ZHrh5v/fPwhKDJS3GtAj3uxitMGmz/WSXn1M2t2IpI2fs15985JTPp2APatkDthFmNWokQpivDzxEi8HGtADjqdEvckQKXJ/dz96PBuIZcpu3H3Zm5cvdj/zAHDQ68CqjkwZiS8C/Xx88sR6LoGIi9sZtRNXl3rGXObJCKHJV2Smesfq4wYY7WoNtLjDPqJFiv9OgMSUaWNfClUsjYPxIk2lSCsP6Rv3WVR/cMU5RVertgedLjuZKnDI/fYs3Sqyv8SvwcubPzmS7NcFUcKVoj9CDF+3EGAu6BPAvoLaPMW7YKUc/vBaRnBnvY88xTQA=="
    private static let sha1Signature =
        "ku8+uXmRBO6TFD9FzC8MivomN2WAuDWNrbtzIkNY3jmfYCDW5S74W3NFP0kErs2sO1vh2TODU58O3Ie6ZpzChibcBQ2urqeDEgACc+EJc0BJTBiVQg8gMChvEnc4h6rLgpW3tl4ppipa4BG/O5VK1xmHWPDvS/OBtHVeer5GI6hfBDsUjBbVGmuS3LG4pNlREui5z/y8Ds4xwU+5CtWU5TKHhcBLNL/5Cn71Pkab3qn/srphijZWUpQYcRH4elOG+vFMuMt589HVH8HBgGdfSXACGU0FMZV+4GlrW+jgrvyDZGdeIYTWUw6lCAsNfkNSjVmDyitX3fRYFhuoqLEvhQ=="
    private static let pssSignature =
        "zVVxBU+0pjnCPNuIlR6NbyERc9uvzBHLsgNzyib0uNvDSfT2ziABCKqp6gvSnTNeOks1X7Ir3Wm0w30wf7ggNsOXlTnqy/0j8D5YjYlxlNW6mhdq3EOKty6K65s3Zwh9woKhptypTPXa6fl6gIK86WylDGz20T3X0pK7t/o2jni6A/Utt+fX1Y4E8av9WDy2W+frg5O6kAeJI0l56YwmLfOzF4nR2WC/upeAdSsY2gGp2Ax7Sv447F0avohJfCvCi03gABhZfA3g3VjDxkYqquzVECwqkGSmq6r/Khnd6KifCyctjQ+KWqlUlzavbXUK/au3vcWCh9W/RhQG0PcCsA=="
    private static let oaepSealed =
        "2VWoLPhMh7b9BHR9UfhoHw/5lTx/Ag3yRBXYVYhxfSap/9qn3i7MR/3s5lBBgmy/Um4j/NgvmB6Jqi/klGoysme0iJt1HuxqsmGy7rw7m9saNyXj0LwhIQTlciABytuy6OgO705HKIKOn3OuKR0XMVo7NTxGOUh4vA8Cu5QBuwqSkFMup5waYPbyu1jZ0ts1rlr95nIDM/PRFzCa5fc2bDM4WzaXCcxMar/v/CKJ/rFIb+TikdU5q56CAQAPGQ0DGWgVMadAgLfsm4O+CLK3QIL3aQVJq4hXk3TW7Rx0eAGRmYxYCq3zJAP0zBFtSUaYLUjPTmshUSvuA1yvtrzsiw=="
    private static let pkcs1Sealed =
        "KneHdaNq+Gy2LmWTQqTxjnCq2SDstMlhsf8TpHlzcKDP4YN1zzgY3ZmwkYoaVzAwHz3Gz13xCbTomxm+wdB/nuJ0F1vwKUFPMWd6LNbJqO+kelXNGwjs3OXhWdLo9skq75HZMo2NHWNq4AE97Nzh3cHl60ut/gEB+UgXTR5amor2gSLyvKtzl6ulRsNQDnhvctUOR6oqp5AEO6yGbbjFtDdusP17ZTa00R7/Y6F1L0EAcECtiqYBQF/ZuglZxB5m16LwkdSg4zdeOPDgreAV8jdeD6IsVloGPAkBF76lUsBoJH7t2xWamFaJ2ZWOtepsEK2ifdvjKRvl1BGhhvZv8g=="

    private static let privateKey = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDy4j4uJpqvmzQQ
        GdTXSKnAw1S1x7N9goxz5lT99Ti4KqXBcaUj8RRlE+3c0FZmYgk66cvbrigjK29m
        wtpCkS3wQGuroCipFtUUtgG2GaYcUHfMZvTalCS0NCXpkLrItfgGTx/n3reUyfJ5
        Y/xkZ3XyW/7VjBT2OH8wtVyhDwWn+qRJb2L/Z8PH7oRbxC4IgG90lJlZ/Is344SW
        VPch8xSXHVPfAcEnnqCO+DkEbg+qxhlMVBOfdPdGQ7+wdZx+sKHJMTUy1ZEB4K/Q
        pTgps3tuc9TsI02z6QpUQIYBzQp6cGjWfZU2xFzJXVtChahfk1FqjZVNKq+RloFP
        frIUk8yNAgMBAAECggEAG8alS0RVbM8wO0Yk+dDAvv9nlNlHbMtM8iUtY5STXbZc
        2dw8ATn89dk7WsUFmHROL2tUyaTnSKxbM1KFwNaW/RJ07b3lYH7ws8tjszZIMZU/
        OgQtLMED2IrdKhKH1dO/j0MluC/XaT/WB61YTAgr7CE6qaO5MvY/j2uyMeYEpNKz
        RCcSklSwPDetltsukMu+OtQHRM3h9qo2NfGd1el2wPyN6BOt8B3SwBsmEGympJTG
        CFzl/2DebsPPSmyr495KFYPz+T0N5upmhBN4D3LE43GmPecdFZk6H7VAfkXU7H6g
        gkRtCa7EoToIIYGN2pSVCLmbc88T/JyT41kpVDVJkQKBgQD9bRC1VB9Df9+UfRmI
        nVy7NaRItO65wxTr/Hs0Te68I7Rzy6cmM7SJgG3qvqotOnOIpmk1TsFKq0NW96zm
        pcBkALCo89bc19UEJzmZgjiud3OyXVn5vIC+116M3dVHJ3y8cNAdO2WUB6470VfV
        ziHyJMdNU9bTwC7ckFx0ADftfQKBgQD1WcQ+70F6wn95gVb43YwSFydfiNONygX6
        T52if1S4atNfaMlrXsQ0qA4NjyLZEC5n3BWsFgqV05m0cu8KhZjglVMlCr3v1FWx
        DzfQzMSlSK+wNvBewuw2Cg8P+3jLNjTwc1e9m5U4XZSsQzj/KhOh2gMb8IfyaBH8
        WGvWNjjIUQKBgQDVBUh2Iy/kXShieIVuAFhiRMTDGNNR8lkzxBcL8DYsjxav/w+R
        XQT0T7AVEg+Z1PgodTkaRgjT6wG/qJD9j3YYmTvlyJFjMUktJIuWLY/XlzD5TN7E
        vV67C+2+GvmbxeVjwLAu4i6QL6SVQ3LBlXOTRrcAmOiLNZAudmpAV66rQQKBgGqQ
        d7ViE82vBtEOhWkISRteZSKQelp+YcRLqkr3BSQoefBZwgpZmdzJFXl8LwWaip1f
        sSYSWLyksID43qxyRGlfUkKnfMHbNvD1jCermMm1XWGrKxHtlc0O52XospmIzMuX
        PYfEOLbHpph/hhUGAIru9yS+fz2hSBaTjRr4aAdRAoGAEfql2PMVVAikY4RvdEMO
        vnpM74ez5EAqzp+YzcKfWAzQZ5q2VOfX2fg8KRRY82K0CVvylGVpNFBgxKe8Z+dM
        TKdoaiSbzHE+AjgSrCDEv1iAf3tq7Ms7ZRLSZqhV50JgWdN7fhNbXdomutbDLbiU
        ZA0MUU7ClNJQpne7Y5YQ4hE=
        -----END PRIVATE KEY-----
        """

    private static let publicKey = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA8uI+Liaar5s0EBnU10ip
        wMNUtcezfYKMc+ZU/fU4uCqlwXGlI/EUZRPt3NBWZmIJOunL264oIytvZsLaQpEt
        8EBrq6AoqRbVFLYBthmmHFB3zGb02pQktDQl6ZC6yLX4Bk8f5963lMnyeWP8ZGd1
        8lv+1YwU9jh/MLVcoQ8Fp/qkSW9i/2fDx+6EW8QuCIBvdJSZWfyLN+OEllT3IfMU
        lx1T3wHBJ56gjvg5BG4PqsYZTFQTn3T3RkO/sHWcfrChyTE1MtWRAeCv0KU4KbN7
        bnPU7CNNs+kKVECGAc0KenBo1n2VNsRcyV1bQoWoX5NRao2VTSqvkZaBT36yFJPM
        jQIDAQAB
        -----END PUBLIC KEY-----
        """

    /// 512 bits: below what is accepted.
    private static let shortKey = """
        -----BEGIN PUBLIC KEY-----
        MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL81WJncLcXT6fzjrwo5jbMC7HOy0vOU
        YUe5zHxErVHSE/DB7qKhgn0WZvXYOcWMu9ZMJ8Uz0B432CbVy+RUZTUCAwEAAQ==
        -----END PUBLIC KEY-----
        """

    /// Needs a passphrase: refused, not asked for.
    private static let encryptedKey = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIIC3TBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIZtQObUKTLSUCAggA
        MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAECBBBkTDy6dKO19tQxgQ59VHOZBIIC
        gF8JpqrnO7ZBuBULR51wKEei1kmD6PDLlTx1n76NBxI0WN6NOu//8La2pw3z3lnV
        48ltY1wTTE9s+IaJVxwxUTHw9URGLfCLG7bEySzN38IPASwo8q4iqje5en74AO5e
        4H5cISnzFpVtoDFioXqEICk7XPbtDMKAZLs1foGIXl7TQpvr4yvg5ZrVSryXcWnJ
        tcP4CeNAn5bkSyOexVzD+ssFkbyQvSB4UmeDMQB8XlbC2buLsDvxiQiulxkikq3z
        g7lxPXYa3KvxqpCB2FiK7btCuUsqoxJiC9LMnrG7EPOgtp3ia9ncqFrmSGAw0FU0
        SV1lmyibwTgfMgYxYzVJYkBpJM4FVAZAYryxSe1HiRbh72169sv9ueSLy+6c8nr6
        ksNPXlC6+BmmfWWNqLTMqsUwImGZrkCkPPk8VxYnBweC5wWvVtBOGLMD+IUCwq6u
        1ULZoWfsQCWR9G6kctADswY29u/6ar8+orF/i3ITpFp4Zmg4yhKzU5k3BDygIhAi
        hU7RGEf1QYFdUr9Yz3pvAY2vwtPolMZAV9+d6WEfTDre25+3LYgsAo7rAXT1ydmm
        uNaAHO0mNsoaA/MQfzkvOdMhLHJOMQc6z4sLgxbmhQFWSYC+UlWZcjdyrN9fAYU2
        kiUcQOzo9gHnwRT2wX+A5YvZi/May/p3HwHPLPhg/GikHUYRQKZMiXMyBHn0/pI1
        FJgmi0Y1oZO1LskensS7Q6pVz85Cw419pgNMMosOWuUS2EMkco8iilZiNnQaCko6
        geOkfV624SCx03nKE/wuj0ndZuA68wS3vDTpGkLItHCek6AM8wGMMpaUztmrc1CJ
        fybweVRa/Qb5nmsmvuWESAo=
        -----END ENCRYPTED PRIVATE KEY-----
        """
}
