import Testing
import Values

@Suite("JSON is refused with its code and byte")
struct JSONRefusals {
    @Test(
        "what is not JSON",
        arguments: [
            ("", "E-JSON-004", 0), ("   ", "E-JSON-004", 3), ("[", "E-JSON-004", 1), ("{\"a\"", "E-JSON-004", 4),
            ("\"abc", "E-JSON-004", 4), ("tru", "E-JSON-004", 3), ("trux", "E-JSON-003", 3), ("nul!", "E-JSON-003", 3),
            ("[1,]", "E-JSON-003", 3), ("[1 2]", "E-JSON-003", 3), ("{\"a\" 1}", "E-JSON-003", 5),
            ("{\"a\":1,}", "E-JSON-003", 7), ("{a:1}", "E-JSON-003", 1), ("'a'", "E-JSON-003", 0),
            ("NaN", "E-JSON-003", 0), ("+1", "E-JSON-003", 0), (".5", "E-JSON-003", 0), ("// x", "E-JSON-003", 0),
            ("\u{FEFF}1", "E-JSON-003", 0), ("1 2", "E-JSON-008", 2), ("{}x", "E-JSON-008", 2),
            ("01", "E-JSON-009", 1), ("-", "E-JSON-009", 1), ("1.", "E-JSON-009", 2), ("1e", "E-JSON-009", 2),
            ("1e+", "E-JSON-009", 3), ("-x", "E-JSON-009", 1), ("\"a\nb\"", "E-JSON-010", 2),
            ("\"12345678\u{1}\"", "E-JSON-010", 9), ("\"\\x\"", "E-JSON-011", 1), ("\"\\u12g4\"", "E-JSON-011", 5),
            ("\"\\u12", "E-JSON-004", 5), ("\"\\", "E-JSON-004", 1), ("\"\\ud800\"", "E-JSON-006", 1),
            ("\"\\udc00\"", "E-JSON-006", 1), ("\"\\ud83d\\n\"", "E-JSON-006", 1),
            ("\"\\ud83d\\u0041\"", "E-JSON-006", 1), ("{\"a\":1,\"a\":2}", "E-JSON-007", 0),
            ("[{\"a\":1,\"\\u0061\":2}]", "E-JSON-007", 1),
        ])
    func refused(text: String, code: String, offset: Int) {
        let problem = #expect(throws: Problem.self) { try JSON.parse(text) }
        #expect(problem?.code == code)
        #expect(problem?.what.en.contains("byte \(offset):") == true, "\(problem?.what.en ?? "")")
    }

    @Test(
        "bytes that are no UTF-8",
        arguments: [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe4, 0xb8], [0xf5, 0x80, 0x80, 0x80]] as [[UInt8]])
    func badUTF8(bytes: [UInt8]) {
        for escape in [[], Array("\\n".utf8)] {
            let problem = #expect(throws: Problem.self) { try JSON.parse([0x22] + escape + bytes + [0x22]) }
            #expect(problem?.code == "E-JSON-005")
        }
    }

    @Test("duplicates among many keys are found too")
    func duplicateAmongMany() {
        let members = (0..<200).map { "\"k\($0)\":\($0)" } + ["\"k7\":0"]
        let problem = #expect(throws: Problem.self) { try JSON.parse("{\(members.joined(separator: ","))}") }
        #expect(problem?.code == "E-JSON-007")
    }

    @Test("depth and size have limits, and the limit itself still passes")
    func limits() throws {
        let limits = JSONLimits(maxBytes: 10, maxDepth: 3)
        _ = try JSON.parse("[[[1]]]", limits: limits)
        #expect(#expect(throws: Problem.self) { try JSON.parse("[[[[]]]]", limits: limits) }?.code == "E-JSON-002")
        #expect(
            #expect(throws: Problem.self) {
                try JSON.parse("{\"a\":{\"b\":[{}]}}", limits: .init(maxBytes: 99, maxDepth: 3))
            }?.code == "E-JSON-002")
        _ = try JSON.parse("[1,[2],[3]]".replacing(",[3]", with: ""), limits: limits)
        #expect(#expect(throws: Problem.self) { try JSON.parse("[1,2,3,4,5]", limits: limits) }?.code == "E-JSON-001")
        let deep = String(repeating: "[", count: 1_000_000)
        #expect(#expect(throws: Problem.self) { try JSON.parse(deep) }?.code == "E-JSON-002")
    }
}

@Suite("JSON keeps what came")
struct JSONValues {
    @Test(
        "text in, the same text out",
        arguments: [
            "null", "true", "false", "0", "-0", "1280.50", "1e400", "-1.20E+05", "12345678901234567890123456789.10",
            "\"\"", "\"报销事由\"", "\"😀 e\u{301}\"", "\"a\\\"\\\\b\\n\\t\\r\\b\\f\\u0001\\u001f\"", "[]", "{}", "[[],{}]",
            "{\"z\":1,\"a\":{\"b\":[1,2.0,\"三\"]},\"m\":null}",
        ])
    func roundTrip(text: String) throws {
        #expect(try JSON.parse(text).text == text)
        #expect(try JSON.parse(" \t\r\n" + text + " \n").serialized() == Array(text.utf8))
    }

    @Test("escapes are decoded")
    func escapes() throws {
        #expect(try JSON.parse("\"\\u6253\\u901A \\ud83d\\ude00 \\/ \\u0000\"").string == "打通 😀 / \0")
    }

    @Test("every length around the eight-byte step finds the end of the string")
    func stringLengths() throws {
        for length in 0..<40 {
            for filler in ["a", "~", "中", "é"] {
                let text = String(repeating: filler, count: length)
                #expect(try JSON.parse("[\"\(text)\",1]")[0]?.string == text)
                #expect(try JSON.parse("\"\(text)\\n\(text)\"").string == text + "\n" + text)
                #expect(JSON.string(text + "\"" + text).text == "\"\(text)\\\"\(text)\"")
            }
        }
    }

    @Test("objects keep their order and compare without it")
    func order() throws {
        let one = try JSON.parse("{\"b\":1,\"a\":[{\"d\":1,\"c\":2}]}")
        let two = try JSON.parse("{\"a\":[{\"c\":2,\"d\":1}],\"b\":1}")
        #expect(one == two)
        #expect(Set([one, two]).count == 1)
        #expect(one.text != two.text)
        #expect(one.canonical() == two.canonical())
        #expect(String(decoding: one.canonical(), as: UTF8.self) == "{\"a\":[{\"c\":2,\"d\":1}],\"b\":1}")
        #expect(one.object?.keys == ["b", "a"])
        #expect(try JSON.parse("[1,2]") != JSON.parse("[2,1]"))
        #expect(try JSON.parse("{\"a\":1}") != JSON.parse("{\"a\":1,\"b\":1}"))
        #expect(try JSON.parse("{\"a\":1}") != JSON.parse("{\"b\":1}"))
    }

    @Test("canonical order is by bytes, not by alphabet or UTF-16")
    func canonicalOrder() {
        let object: JSON = ["\u{10000}": 1, "\u{ffff}": 2, "Z": 3, "a": 4, "ab": 5, "": 6]
        #expect(
            String(decoding: object.canonical(), as: UTF8.self)
                == "{\"\":6,\"Z\":3,\"a\":4,\"ab\":5,\"\u{ffff}\":2,\"\u{10000}\":1}")
    }

    @Test("composed and decomposed letters are two strings and two keys")
    func bytesDecide() throws {
        #expect(JSON.string("\u{e9}") != JSON.string("e\u{301}"))
        let object = try JSON.parse("{\"\u{e9}\":1,\"e\u{301}\":2}")
        #expect(object["\u{e9}"] == 1)
        #expect(object["e\u{301}"] == 2)
    }

    @Test("numbers are told apart by their text, values by their decimal")
    func numbers() throws {
        #expect(try JSON.parse("1.0") != JSON.parse("1.00"))
        #expect(try JSON.parse("1.0").decimal == JSON.parse("\"1.00\"").decimal)
        #expect(JSONNumber("1.50")?.text == "1.50")
        for bad in ["", "01", "+1", ".5", "1.", " 1", "1 ", "NaN", "1,0", "--1", "0x1"] {
            #expect(JSONNumber(bad) == nil)
        }
    }

    @Test("accessors are strict")
    func accessors() {
        let value: JSON = ["s": "7", "i": 7, "b": true, "n": nil, "a": [1, 2], "o": [:]]
        #expect(value["i"]?.int == 7)
        #expect(value["s"]?.int == nil)
        #expect(value["s"]?.decimal == ExactDecimal(7))
        #expect(JSON.number(JSONNumber("7.0")!).int == nil)
        #expect(value["b"]?.bool == true)
        #expect(value["n"]?.isNull == true)
        #expect(value["a"]?[1] == 2)
        #expect(value["a"]?[2] == nil)
        #expect(value["a"]?[-1] == nil)
        #expect(value["o"]?.object?.isEmpty == true)
        #expect(value["missing"] == nil)
        #expect(value["s"]?["x"] == nil)
        #expect(value["b"]?.decimal == nil)
        #expect(JSON.string("abc").decimal == nil)
    }

    @Test("an object of any size changes as a dictionary would")
    func largeObject() {
        for size in [3, 16, 17, 18, 60] {
            var object = JSONObject()
            for at in 0..<size { object["k\(at)"] = JSON(integerLiteral: Int64(at)) }
            #expect(object.count == size)
            object["k1"] = nil
            object["absent"] = nil
            object["k2"] = "two"
            #expect(object.count == size - 1)
            #expect(object["k1"] == nil)
            #expect(object["k2"] == "two")
            #expect(object["k\(size - 1)"] == (size == 3 ? "two" : JSON(integerLiteral: Int64(size - 1))))
            #expect(object.map(\.key) == object.keys)
            #expect(object.values.count == size - 1)
            for key in object.keys { object[key] = nil }
            #expect(object == [:])
        }
    }
}
