import Testing
import Values

@testable import Vault

@Suite("Secrets are masked")
struct MaskTests {
    private let value = "Pa/ss \"w0rd\"+<世界>"

    private func mask(_ secrets: [(String, String)]) throws -> SecretMask {
        let mask = SecretMask()
        for (name, value) in secrets { try mask.add(secret(value), name: name) }
        return mask
    }

    @Test func plainValueIsFoundAnywhere() throws {
        let mask = try mask([("erp/password", value)])
        #expect(mask.mask(value) == "[secret:erp/password]")
        #expect(mask.mask("a\(value)b\(value)") == "a[secret:erp/password]b[secret:erp/password]")
        #expect(mask.mask("\(value)\(value)") == "[secret:erp/password][secret:erp/password]")
        #expect(mask.mask("nothing here") == "nothing here")
        #expect(mask.mask("") == "")
        #expect(mask.mask(String(value.dropLast())) == String(value.dropLast()))
    }

    @Test(arguments: ["url", "url-twice", "base64", "base64url", "hex", "json", "xml"])
    func encodedValueIsFound(step: String) throws {
        let mask = try mask([("p", value)])
        let encoded = text(try SecretExpression("p | \(step)").evaluate { (_) throws(Problem) in secret(value) })
        let masked = mask.mask("x=\(encoded)&y=1")
        #expect(masked.hasPrefix("x=[secret:p]"))
        #expect(masked.hasSuffix("&y=1"))
        #expect(!masked.contains(encoded.prefix(8)))
    }

    @Test func otherSpellingsAreFound() throws {
        let mask = try mask([("p", value)])
        let url = text(try SecretExpression("p | url").evaluate { (_) throws(Problem) in secret(value) })
        for spelling in [
            url.lowercased().replacing("pa", with: "Pa"), url.replacing("%20", with: "+"),
            Hash.hexLower(Array(value.utf8)).uppercased(), "Pa\\/ss \\\"w0rd\\\"+<世界>",
        ] {
            #expect(mask.mask("<\(spelling)>") == "<[secret:p]>")
        }
    }

    @Test(arguments: ["", "u:", "us:", "user:"])
    func valueInsideALongerBase64IsFound(prefix: String) throws {
        let mask = try mask([("p", "sixteen byte key")])
        for tail in ["", "1", "12", "123"] {
            let header = base64(Array("\(prefix)sixteen byte key\(tail)".utf8))
            let masked = mask.mask("Authorization: Basic \(header)")
            #expect(masked.contains("[secret:p]"), "\(prefix) \(tail)")
            // At most the digits that neighbours share stay: not enough for a byte more than they tell anyway.
            #expect(!masked.contains("IGJ5dGUg"))
        }
    }

    @Test func overlappingSecretsLeaveNoTail() throws {
        let mask = try mask([("one", "abcdefgh"), ("two", "efghijkl"), ("three", "bcdefg")])
        #expect(mask.mask("<abcdefghijkl>") == "<[secret:one]>")
        #expect(mask.mask("<abcdefgh><efghijkl>") == "<[secret:one]><[secret:two]>")
        #expect(mask.mask("<abcdefghefghijkl>") == "<[secret:one][secret:two]>")
    }

    @Test func longestOfTwoWithTheSameBeginningWins() throws {
        let mask = try mask([("short", "token-"), ("long", "token-0123456789")])
        #expect(
            mask.mask("token-0123456789!") == "[secret:short]!" || mask.mask("token-0123456789!") == "[secret:long]!")
        #expect(!mask.mask("token-0123456789!").contains("0123"))
    }

    @Test func shortValuesAreIgnored() throws {
        let mask = try mask([("five", "12345"), ("six", "abc123")])
        #expect(mask.mask("12345 abc123") == "12345 [secret:six]")
    }

    @Test func bytesThatAreNoTextAreMasked() throws {
        let mask = SecretMask()
        try mask.add(SecretBytes(copying: [0xff, 0xfe, 0, 1, 2, 3, 4]), name: "raw")
        #expect(mask.mask([9, 0xff, 0xfe, 0, 1, 2, 3, 4, 9]) == [9] + Array("[secret:raw]".utf8) + [9])
    }

    @Test func keyOfSeveralLinesIsFoundLineByLine() throws {
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIMWqjfQ\nshort\n-----END PRIVATE KEY-----\n"
        let mask = try mask([("pem", pem)])
        #expect(mask.mask("pem: \(pem)") == "pem: [secret:pem]")
        #expect(mask.mask("line MC4CAQAwBQYDK2VwBCIEIMWqjfQ, then") == "line [secret:pem], then")
        #expect(mask.mask("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----")
    }

    @Test func forgottenTokensAreForgottenAndOldVersionsAreNot() throws {
        let mask = try mask([("token", "first-token"), ("token", "second-token"), ("other", "other-secret")])
        #expect(mask.mask("first-token second-token") == "[secret:token] [secret:token]")
        mask.forget(name: "token")
        #expect(mask.mask("first-token other-secret") == "first-token [secret:other]")
        try mask.add(secret("third-token"), name: "token")
        #expect(mask.mask("third-token") == "[secret:token]")
    }

    @Test func tokensMayBeAddedForEverAndTheNewestStayMasked() throws {
        let mask = try mask([("secret", "kept-secret")])
        let many = 3 * MaskLimits.valuesPerName
        for number in 1...many { try mask.add(secret("token number \(number)."), name: "session") }
        #expect(mask.mask("token number \(many).") == "[secret:session]")
        let oldest = many - MaskLimits.valuesPerName + 1
        #expect(mask.mask("token number \(oldest).") == "[secret:session]")
        #expect(mask.mask("token number \(oldest - 1).") == "token number \(oldest - 1).")
        #expect(mask.mask("kept-secret") == "[secret:secret]")
    }

    @Test func learningTheSameValueAgainCostsNothing() throws {
        let mask = SecretMask()
        for _ in 0..<2000 { try mask.add(secret("refreshed-token"), name: "token") }
        #expect(mask.mask("refreshed-token") == "[secret:token]")
    }

    @Test func tooManyPatternsAreRefusedNotDropped() throws {
        let mask = SecretMask()
        let refused = code {
            let line = "a line of a very long key number "
            let lines = (0..<1000).map { line + String($0) }.joined(separator: "\n")
            for number in 0..<20 { try mask.add(secret(lines + String(number)), name: "n") }
        }
        #expect(refused == "E-SECRET-011")
    }

    @Test func everyPlaceInALongTextIsFound() throws {
        let mask = try mask([("p", "needle-needle")])
        let hay = String(repeating: "needle-needl", count: 20)
        for place in stride(from: 0, through: hay.count, by: 7) {
            let text = hay.prefix(place) + " needle-needle " + hay.dropFirst(place)
            #expect(mask.mask(String(text)) == hay.prefix(place) + " [secret:p] " + hay.dropFirst(place))
        }
    }
}
