import Testing

@testable import KingdeeSimulator

@Suite("Kingdee: hashes and signatures")
struct KingdeeSignatureTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("SHA-256, SHA-1 and HMAC give the standards' own examples")
    func standardVectors() {
        #expect(
            Digest.hex(Digest.sha256(bytes("abc")))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            Digest.hex(Digest.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            Digest.hex(Digest.sha256(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(Digest.hex(Digest.sha1(bytes("abc"))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            Digest.hex(Digest.sha1([UInt8](repeating: UInt8(ascii: "a"), count: 1_000)))
                == "291e9a6c66994949b57ba5e650361e98fc36b1ba")
        #expect(
            Digest.hex(Digest.hmacSHA256(key: bytes("Jefe"), bytes("what do ya want for nothing?")))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            Digest.hex(
                Digest.hmacSHA256(
                    key: [UInt8](repeating: 0xaa, count: 131),
                    bytes("Test Using Larger Than Block-Size Key - Hash Key First")))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }

    @Test(
        "base64 goes both ways at every length",
        arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func base64(plain: String, encoded: String) {
        #expect(Digest.base64(bytes(plain)) == encoded)
        #expect(Digest.decodeBase64(encoded) == bytes(plain))
    }

    @Test("what is not base64 is refused", arguments: ["Zg", "Z===", "Zg==Zg==", "Zm9*"])
    func notBase64(text: String) { #expect(Digest.decodeBase64(text) == nil) }

    @Test("the public vector of the signed headers, bit by bit")
    func signedHeaders() {
        let credentials = Credentials()
        #expect(credentials.clientSecret == "fuMEd1b28c3e4+Q6168g167644O630h2")
        #expect(
            credentials.gatewaySignature(
                path: "/k3cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save.common.kdsvc",
                nonce: "1767225600", timestamp: "1767225600")
                == "NDE1M2ZkZmJlYzNmZTNiN2I3MDJhN2E3YTA5N2RhN2YwMDFjNzhkODAwMTBkMjM1OTRmMGNlZGE2NmM0MWY1Yw==")
        #expect(
            credentials.applicationSignature(appData: "66f0a1b2c3d4e5,Connector,2052,100")
                == "ZjhiNGQyNGY1YWQ2MGYyODUwNzg4ZTMyMzY3ODJmYzVkMjAyNWE0OGM5ZDNmNDgwMjJhMjlmYWE5ZjQxNzA5Mg==")
    }

    @Test("an app id whose second part is not 32 characters has no gateway secret")
    func shortAppID() {
        var credentials = Credentials()
        credentials.appID = "268001_short"
        #expect(credentials.clientSecret.isEmpty)
    }

    @Test("the public vector of LoginBySign, SHA-256 and SHA-1")
    func loginSign() {
        let credentials = Credentials()
        #expect(
            credentials.loginSignature(user: "Connector", timestamp: "1767225600", sha1: false)
                == "718814858b76bc2d30a101703824acdd3097eb676dba7e91abae6f061096c841")
        #expect(
            credentials.loginSignature(user: "Connector", timestamp: "1767225600", sha1: true)
                == "b655e0f84e966db4f9c98b9b7fc76523719477ae")
    }
}
