import Documents
import Testing
import Values

private func json(_ text: String) -> JSON {
    do throws(Problem) {
        return try JSON.parse(text)
    } catch {
        fatalError("\(error) in \(text)")
    }
}

@Suite("A schema outside the subset is refused when it is loaded")
struct SchemaRefusals {
    @Test(
        "with the place and a code of its own",
        arguments: Self.cases)
    func refused(schema: String, code: String, place: String) {
        let problem = #expect(throws: Problem.self) { try Schema(json(schema)) }
        #expect(problem?.code == code)
        #expect(problem?.what.en.hasPrefix("Document schema \(place): ") == true, "\(problem?.what.en ?? "")")
    }

    static let cases: [(String, String, String)] = [
        (#"{"pattern":"a"}"#, "E-SCHEMA-001", "/"),
        (#"{"properties":{"a":{"minimum":1}}}"#, "E-SCHEMA-001", "/properties/a"),
        (#"{"properties":{"a":{"$defs":{}}}}"#, "E-SCHEMA-001", "/properties/a"),
        (#"{"properties":{"a/b":{"x-rules":[]}}}"#, "E-SCHEMA-001", "/properties/a~1b"),
        (
            #"{"x-rules":[{"rule":"balanced","lines":"/l","debit":"d","credit":"c","tolerance":"1"}]}"#, "E-SCHEMA-001",
            "/x-rules/0"
        ),
        ("[]", "E-SCHEMA-002", "/"), (#"{"type":"text"}"#, "E-SCHEMA-002", "/type"),
        (#"{"type":7}"#, "E-SCHEMA-002", "/type"), (#"{"required":"a"}"#, "E-SCHEMA-002", "/required"),
        (#"{"properties":[]}"#, "E-SCHEMA-002", "/properties"), (#"{"items":true}"#, "E-SCHEMA-002", "/items"),
        (#"{"enum":[]}"#, "E-SCHEMA-002", "/enum"), (#"{"minItems":-1}"#, "E-SCHEMA-002", "/minItems"),
        (#"{"maxLength":"9"}"#, "E-SCHEMA-002", "/maxLength"), (#"{"oneOf":[]}"#, "E-SCHEMA-002", "/oneOf"),
        (#"{"format":1}"#, "E-SCHEMA-002", "/format"), (#"{"$ref":1}"#, "E-SCHEMA-002", "/$ref"),
        (#"{"$defs":[]}"#, "E-SCHEMA-002", "/$defs"), (#"{"x-rules":{}}"#, "E-SCHEMA-002", "/x-rules"),
        (#"{"x-rules":[{}]}"#, "E-SCHEMA-002", "/x-rules/0"),
        (#"{"x-rules":[{"rule":"balanced","lines":"l","debit":"d","credit":"c"}]}"#, "E-SCHEMA-002", "/x-rules/0"),
        (#"{"x-rules":[{"rule":"balanced","lines":"/l","debit":"d"}]}"#, "E-SCHEMA-002", "/x-rules/0"),
        (#"{"x-rules":[{"rule":"exactly-one-nonzero","lines":"/l","fields":["a"]}]}"#, "E-SCHEMA-002", "/x-rules/0"),
        (#"{"x-rules":[{"rule":"not-after","earlier":"/a"}]}"#, "E-SCHEMA-002", "/x-rules/0"),
        (##"{"$ref":"#/$defs/a"}"##, "E-SCHEMA-003", "/$ref"),
        (##"{"$ref":"https://x/y","$defs":{}}"##, "E-SCHEMA-003", "/$ref"),
        (#"{"format":"email"}"#, "E-SCHEMA-004", "/format"),
        (#"{"x-rules":[{"rule":"sum"}]}"#, "E-SCHEMA-005", "/x-rules/0"),
        (
            ##"{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"oneOf":[{"$ref":"#/$defs/a"}]}}}"##,
            "E-SCHEMA-006", "/$defs/a/$ref"
        ),
    ]

    @Test("nesting has a bottom")
    func depth() {
        let deep = String(repeating: #"{"items":"#, count: 60) + "{}" + String(repeating: "}", count: 60)
        #expect(#expect(throws: Problem.self) { try Schema(json(deep)) }?.code == "E-SCHEMA-007")
    }

    @Test("a document type nobody knows is refused with the names that exist")
    func unknown() throws {
        let problem = #expect(throws: Problem.self) { try DocumentType.named("invoice") }
        #expect(problem?.code == "E-DOC-101")
        #expect(problem?.next.en.contains("approval, voucher") == true)
        #expect(try DocumentType.named("voucher").name == "voucher")
        #expect(throws: Problem.self) { try DocumentType(name: "x-a/1", schemaText: Array("{".utf8)) }
    }
}

@Suite("A document is checked wholly")
struct Validation {
    @Test(
        "each keyword finds what it is for, at its place",
        arguments: Self.cases)
    func keyword(schema: String, document: String, expected: [String]) throws {
        let violations = try Schema(json(schema)).validate(json(document))
        #expect(violations.map { "\($0.code) \($0.pointer.isEmpty ? "/" : $0.pointer)" } == expected)
        #expect(violations.allSatisfy { !$0.text.zh.isEmpty && !$0.text.en.isEmpty })
    }

    static let cases: [(String, String, [String])] = [
        (#"{"type":"string"}"#, "1", ["E-DOC-001 /"]), (#"{"type":"integer"}"#, "1.0", ["E-DOC-001 /"]),
        (#"{"type":"integer"}"#, "12345678901234567890", []), (#"{"type":"number"}"#, "1.5", []),
        (#"{"type":["string","null"]}"#, "null", []), (#"{"type":["string","null"]}"#, "true", ["E-DOC-001 /"]),
        (#"{"type":"object"}"#, "[]", ["E-DOC-001 /"]), (#"{"type":"array"}"#, "{}", ["E-DOC-001 /"]),
        (#"{"type":"boolean"}"#, "0", ["E-DOC-001 /"]), (#"{"required":["a","b"]}"#, #"{"a":null}"#, ["E-DOC-002 /b"]),
        (
            #"{"properties":{"a":{}},"additionalProperties":false}"#, #"{"a":1,"b":2,"c~/":3}"#,
            ["E-DOC-003 /b", "E-DOC-003 /c~0~1"]
        ),
        (#"{"additionalProperties":{"type":"string"}}"#, #"{"a":"x","b":2}"#, ["E-DOC-001 /b"]),
        (#"{"additionalProperties":true}"#, #"{"a":1}"#, []),
        (#"{"enum":["a",null]}"#, #""b""#, ["E-DOC-004 /"]), (#"{"enum":["a",null]}"#, "null", []),
        (#"{"const":{"a":1,"b":2}}"#, #"{"b":2,"a":1}"#, []), (#"{"const":1}"#, "2", ["E-DOC-004 /"]),
        (#"{"format":"decimal"}"#, #""1.50""#, []), (#"{"format":"decimal"}"#, #""1e5""#, ["E-DOC-006 /"]),
        (#"{"format":"decimal"}"#, #""1,000""#, ["E-DOC-006 /"]), (#"{"format":"decimal"}"#, "7", []),
        (#"{"format":"date"}"#, #""2026-02-29""#, ["E-DOC-007 /"]), (#"{"format":"date"}"#, #""2024-02-29""#, []),
        (#"{"format":"date-time"}"#, #""2026-01-05T18:34:00""#, ["E-DOC-008 /"]),
        (#"{"format":"date-time"}"#, #""2026-01-05T18:34:00+08:00""#, []),
        (#"{"minItems":2}"#, "[1]", ["E-DOC-009 /"]), (#"{"maxItems":1}"#, "[1,2]", ["E-DOC-010 /"]),
        (#"{"minLength":1}"#, #""""#, ["E-DOC-011 /"]), (#"{"minLength":3}"#, #""二字""#, ["E-DOC-011 /"]),
        (#"{"maxLength":2}"#, #""三个字""#, ["E-DOC-012 /"]), (#"{"maxLength":2}"#, #""😀😀""#, []),
        (#"{"items":{"type":"string"}}"#, #"["a",1,null]"#, ["E-DOC-001 /1", "E-DOC-001 /2"]),
        (#"{"oneOf":[{"type":"string","format":"date"},{"type":"null"}]}"#, #""x""#, ["E-DOC-007 /"]),
        (
            #"{"oneOf":[{"type":"null"},{"type":"object","required":["a","b"]}]}"#, "{}",
            ["E-DOC-002 /a", "E-DOC-002 /b"]
        ),
        (#"{"oneOf":[{"type":"string"},{"type":"null"}]}"#, "1", ["E-DOC-001 /"]),
        (#"{"oneOf":[{"type":"string"},{"minLength":0}]}"#, #""x""#, ["E-DOC-013 /"]),
        (
            ##"{"$ref":"#/$defs/t","$defs":{"t":{"properties":{"c":{"items":{"$ref":"#/$defs/t"}}},"required":["n"]}}}"##,
            ##"{"n":1,"c":[{"n":1},{"c":[{}]}]}"##, ["E-DOC-002 /c/1/n", "E-DOC-002 /c/1/c/0/n"]
        ),
    ]

    @Test("a thousand wrong lines make a hundred texts")
    func bounded() throws {
        let schema = try Schema(json(#"{"items":{"type":"string"}}"#))
        let numbers = JSON.array(Array(repeating: 1, count: 1000))
        #expect(schema.validate(numbers).count == 100)
        let one = try Schema(json(#"{"items":{"enum":["a"]}}"#)).validate([.string(String(repeating: "长", count: 500))])
        #expect(one[0].text.zh.count < 200)
    }
}
