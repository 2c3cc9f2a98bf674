import Testing
import Values

private func dec(_ text: String) -> ExactDecimal {
    guard let value = ExactDecimal(text) else { fatalError("no decimal: \(text)") }
    return value
}

private let largest = "170141183460469231731687303715884105727"

@Suite("Decimals refuse what they cannot hold")
struct DecimalRefusals {
    @Test(
        "texts that are no decimal",
        arguments: [
            "", "-", "+1", ".5", "5.", "-.5", "1,000", "1 000", " 1", "1 ", "1e", "1e+", "e5", "1.2.3", "NaN", "∞", "１",
            "1e-39", "1e1001", "1e99999999999999999999", "0x10", "170141183460469231731687303715884105728", "1e39",
            "0.000000000000000000000000000000000000001", "1_000", "--1",
        ])
    func texts(text: String) { #expect(ExactDecimal(text) == nil) }

    @Test("a text longer than any amount")
    func long() { #expect(ExactDecimal(String(repeating: "0", count: 129)) == nil) }

    @Test("results that leave the range throw, they do not trap")
    func overflow() {
        let small = dec("0.00000000000000000000000000000000000001")
        #expect(code { try dec(largest) + ExactDecimal(1) } == "E-DECIMAL-001")
        #expect(code { try dec("-" + largest) - ExactDecimal(2) } == "E-DECIMAL-001")
        #expect(code { try dec(largest) + dec("0.1") } == "E-DECIMAL-001")
        #expect(code { try dec(largest) * ExactDecimal(2) } == "E-DECIMAL-001")
        #expect(code { try small * dec("0.1") } == "E-DECIMAL-001")
        #expect(code { try dec(largest).rounded(scale: 1, rule: .halfUp) } == "E-DECIMAL-001")
        #expect(code { try dec("1").rounded(scale: 39, rule: .halfUp) } == "E-DECIMAL-001")
        #expect(code { try dec("1").rounded(scale: -1, rule: .halfUp) } == "E-DECIMAL-001")
        #expect(code { try dec(largest).divided(by: dec("0.1"), scale: 0, rule: .down) } == "E-DECIMAL-001")
        #expect(code { try dec(largest).divided(by: small, scale: 38, rule: .down) } == "E-DECIMAL-001")
        #expect(code { try dec("1").divided(by: dec("1"), scale: 39, rule: .down) } == "E-DECIMAL-001")
        #expect(code { try dec("1").divided(by: dec("0.00"), scale: 2, rule: .down) } == "E-DECIMAL-002")
        #expect(code { try ExactDecimal(coefficient: .min, scale: 0)!.negated() } == "E-DECIMAL-001")
        #expect(ExactDecimal(coefficient: 1, scale: 39) == nil)
        #expect(ExactDecimal(coefficient: 1, scale: -1) == nil)
    }

    private func code(_ work: () throws -> ExactDecimal) -> String {
        do {
            return "gave \(try work())"
        } catch {
            return (error as? Problem)?.code ?? "\(error)"
        }
    }
}

@Suite("Decimals are exact")
struct DecimalArithmetic {
    @Test(
        "text in, plain text out",
        arguments: [
            ("0", "0"), ("-0", "0"), ("0.00", "0.00"), ("-0.00", "0.00"), ("1280.50", "1280.50"), ("-0.05", "-0.05"),
            ("007.10", "7.10"), ("1e3", "1000"), ("1.28E+3", "1280"), ("1.5e-3", "0.0015"), ("12.50e1", "125.0"),
            ("0e50", "0"), ("123456789012345678901.12", "123456789012345678901.12"), (largest, largest),
            ("-" + largest, "-" + largest),
            ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
            ("0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"),
            ("00000000000000000000000000000000000000000000001.5", "1.5"),
        ])
    func text(text: String, plain: String) { #expect(ExactDecimal(text)?.text == plain) }

    @Test("every length of digits and every place of the point survives")
    func lengths() {
        let digits = "12345678901234567890123456789012345678"
        for length in 1...38 {
            let whole = digits.prefix(length)
            #expect(ExactDecimal(String(whole))?.text == String(whole))
            for point in 1..<length {
                let text = whole.prefix(point) + "." + whole.dropFirst(point)
                #expect(ExactDecimal(String(text))?.text == String(text))
                #expect(ExactDecimal("-" + text)?.text == "-" + text)
            }
        }
    }

    @Test("sums, differences, products")
    func operations() throws {
        #expect(try (dec("0.1") + dec("0.2")).text == "0.3")
        #expect(try (dec("1000.00") + dec("280.5")).text == "1280.50")
        #expect(try (dec("1") - dec("0.001")).text == "0.999")
        #expect(try (dec("-1.5") * dec("1.50")).text == "-2.250")
        #expect(try dec("2.50").negated().text == "-2.50")
        #expect(try (dec(largest) - dec("1.0")).text == "170141183460469231731687303715884105726")
        let nearOne = dec("1.0000000000000000000000000000")
        #expect(try nearOne * nearOne == dec("1"))
        var sum = ExactDecimal.zero
        for _ in 0..<1000 { sum = try sum + dec("0.01") }
        #expect(sum.text == "10.00")
    }

    @Test(
        "rounding",
        arguments: [
            ("2.345", 2, ["2.35", "2.34", "2.34", "2.35"]), ("2.355", 2, ["2.36", "2.36", "2.35", "2.36"]),
            ("-2.345", 2, ["-2.35", "-2.34", "-2.34", "-2.35"]), ("2.3450001", 2, ["2.35", "2.35", "2.34", "2.35"]),
            ("2.341", 2, ["2.34", "2.34", "2.34", "2.35"]), ("2.30", 1, ["2.3", "2.3", "2.3", "2.3"]),
            ("0.5", 0, ["1", "0", "0", "1"]), ("1.5", 0, ["2", "2", "1", "2"]), ("-0.5", 0, ["-1", "0", "0", "-1"]),
            ("9.995", 2, ["10.00", "10.00", "9.99", "10.00"]), ("1.5", 3, ["1.500", "1.500", "1.500", "1.500"]),
            ("0.00000000000000000000000000000000000009", 0, ["0", "0", "0", "1"]),
        ] as [(String, Int, [String])])
    func rounding(text: String, scale: Int, expected: [String]) throws {
        let rules: [ExactDecimal.Rounding] = [.halfUp, .halfEven, .down, .up]
        for (rule, result) in zip(rules, expected) {
            #expect(try dec(text).rounded(scale: scale, rule: rule).text == result, "\(rule)")
        }
    }

    @Test(
        "division to a scale",
        arguments: [
            ("1", "3", 4, "0.3333", "0.3334"), ("2", "3", 2, "0.67", "0.67"), ("-1", "8", 2, "-0.13", "-0.13"),
            ("113", "1.13", 2, "100.00", "100.00"), ("1280.50", "1.06", 2, "1208.02", "1208.02"),
            ("1", "1000000", 2, "0.00", "0.01"), ("0", "7", 3, "0.000", "0.000"), ("6", "-3", 0, "-2", "-2"),
            ("1000000", "0.5", 0, "2000000", "2000000"), (largest, largest, 10, "1.0000000000", "1.0000000000"),
            (
                "1", "99999999999999999999999999999999999999", 38, "0.00000000000000000000000000000000000001",
                "0.00000000000000000000000000000000000002"
            ),
            (
                "12", "0.99999999999999999999999999999999999999", 30, "12.000000000000000000000000000000",
                "12.000000000000000000000000000001"
            ),
            ("-0.00000000000000000000000000000000000001", "10", 0, "0", "-1"),
            ("0.00000000000000000000000000000000000001", "10", 0, "0", "1"),
        ])
    func division(left: String, right: String, scale: Int, halfUp: String, up: String) throws {
        #expect(try dec(left).divided(by: dec(right), scale: scale, rule: .halfUp).text == halfUp)
        #expect(try dec(left).divided(by: dec(right), scale: scale, rule: .up).text == up)
    }

    @Test("equality, hash and order are by value, whatever the scale")
    func order() {
        #expect(dec("1.0") == dec("1.00"))
        #expect(Set([dec("1.0"), dec("1.00"), dec("1"), dec("0"), dec("0.000")]).count == 2)
        #expect(dec("0.1") < dec("0.11"))
        #expect(dec("-0.11") < dec("-0.1"))
        #expect(dec("0.00000000000000000000000000000000000001") < dec(largest))
        #expect(dec("-" + largest) < dec("0.00000000000000000000000000000000000001"))
        #expect(dec(largest) != dec("0.10000000000000000000000000000000000000"))
        #expect(dec("10.00").normalized.text == "10")
        #expect(dec("10.50").normalized.text == "10.5")
        #expect(dec("0.00").normalized.text == "0")
        #expect(dec("0.00").isZero)
        #expect(dec("-0.01").isNegative)
        #expect(dec("-7").description == "-7")
    }
}
