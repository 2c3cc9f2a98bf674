import Testing
import Values

@testable import Vault

@Suite("Secret expressions")
struct ExpressionTests {
    private func evaluate(_ expression: String, of value: String) throws -> String {
        text(try SecretExpression(expression).evaluate { (_) throws(Problem) in secret(value) })
    }

    @Test(arguments: [
        "", " ", "a b", "|", "a|", "a |", "a | ", "a||upper", "a | shout", "a | Upper", "a |  upper", "a | upper ",
        "a | upper  | lower", "a | after", "a | after:", "a | before:", "a | xor-text:", "a | xor-hex:",
        "a | xor-hex:0",
        "a | xor-hex:zz", "a | require-length:", "a | require-length:-1", "a | require-length:032",
        "a | require-length:1e3",
        "a | require-length:99999999999999999999", "a | upper:x", "a | base64:", "名称 | upper", " a | upper",
        "a\n| upper",
    ])
    func malformedIsRefused(expression: String) {
        let found = code { _ = try SecretExpression(expression) }
        #expect(found == "E-SECRET-001" || found == "E-SECRET-002")
    }

    @Test func lengthAndStepsAreBounded() {
        let long = "a | after:" + String(repeating: "x", count: ExpressionLimits.textBytes)
        #expect(code { _ = try SecretExpression(long) } == "E-SECRET-002")
        let steps = "a" + String(repeating: "|upper", count: ExpressionLimits.steps)
        #expect(code { _ = try SecretExpression(steps) } == nil)
        #expect(code { _ = try SecretExpression(steps + "|upper") } == "E-SECRET-001")
        let grows = "a" + String(repeating: "|hex", count: ExpressionLimits.steps)
        #expect(code { _ = try evaluate(grows, of: "9 bytes!!") } == "E-SECRET-005")
    }

    @Test(arguments: [
        ("k", "a|b", "a|b"),
        ("k | after:_", "12_ab_c", "ab_c"),
        ("k | after:_", "12ab", ""),
        ("k | before:_", "12_ab_c", "12"),
        ("k | before:_", "12ab", "12ab"),
        ("k | after:::", "a::b", "b"),
        ("k | after: ", "a b", "b"),
        ("k|after:_|upper", "x_straße", "STRAßE"),
        ("k | lower", "ÄBC", "Äbc"),
        ("k | rot13", "Hello, 世界 Zz", "Uryyb, 世界 Mm"),
        ("k | hex", "\u{1}az", "01617a"),
        ("k | hex | hex-decode", "any Text 世", "any Text 世"),
        ("k | hex-decode", "4A4a", "JJ"),
        ("k | base64", "f", "Zg=="),
        ("k | base64", "foob>?", "Zm9vYj4/"),
        ("k | base64url", "foob>?", "Zm9vYj4_"),
        ("k | base64url", "f", "Zg"),
        ("k | base64-decode", "Zm9vYg==", "foob"),
        ("k | base64-decode", "Zm9vYg", "foob"),
        ("k | base64-decode", "", ""),
        ("k | url", "a b+c/世~._-*", "a%20b%2Bc%2F%E4%B8%96~._-%2A"),
        ("k | url-twice", "a b", "a%2520b"),
        ("k | xml", "<a b=\"1\">'&'</a>", "&lt;a b=&quot;1&quot;&gt;&apos;&amp;&apos;&lt;/a&gt;"),
        ("k | json", "say \"hi\"\\\n\t\u{1}/世", "say \\\"hi\\\"\\\\\\n\\t\\u0001/世"),
        ("k | utf8", "世", "世"),
        ("k | xor-text:  | hex", "AB", "6162"),
        ("k | xor-hex:0100 | hex", "AAA", "404140"),
        ("k | require-length:3", "世", "世"),
        ("k | sha1 | hex", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("k | md5 | hex", "abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("k | sha256 | hex", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func stepsDoWhatTheySay(expression: String, value: String, expected: String) throws {
        #expect(try evaluate(expression, of: value) == expected)
    }

    @Test(arguments: [
        ("k | hex-decode", "abc", "E-SECRET-003"), ("k | hex-decode", "zz", "E-SECRET-003"),
        ("k | base64-decode", "Zm9v\n", "E-SECRET-003"), ("k | base64-decode", "Zm9vY", "E-SECRET-003"),
        ("k | base64-decode", "Zm9v-_", "E-SECRET-003"), ("k | base64-decode", "Zg=", "E-SECRET-003"),
        ("k | base64-decode", "Zg==Zg==", "E-SECRET-003"), ("k | base64-decode", "Zg===", "E-SECRET-003"),
        ("k | base64-decode", "=", "E-SECRET-003"),
        ("k | require-length:4", "世", "E-SECRET-004"),
        ("k | hex-decode | utf8", "c080", "E-SECRET-003"), ("k | hex-decode | json", "eda080", "E-SECRET-003"),
        ("k | hex-decode | utf8", "f5808080", "E-SECRET-003"), ("k | hex-decode | utf8", "e4b8", "E-SECRET-003"),
    ])
    func bytesThatDoNotFitAreRefused(expression: String, value: String, expected: String) {
        #expect(code { _ = try evaluate(expression, of: value) } == expected)
    }

    @Test func problemsNeverCarryTheValue() {
        let canary = "canary0123"
        for expression in ["k | hex-decode", "k | base64-decode | base64-decode", "k | require-length:1"] {
            do {
                _ = try evaluate(expression, of: canary)
                Issue.record("\(expression) should fail")
            } catch let problem as Problem {
                #expect(!"\(problem) \(problem.next.zh) \(problem.next.en)".contains(canary))
            } catch {
                Issue.record("foreign error")
            }
        }
    }
}
