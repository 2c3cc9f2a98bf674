import Documents
import Mapping
import Testing
import Values

/// A target with a place of each shape, nothing required.
private let shapes: DocumentType = {
    let schema = #"""
        {"type":"object","additionalProperties":false,"properties":{
           "text":{"type":"string","maxLength":40},"decimal":{"type":"string","format":"decimal"},
           "integer":{"type":"integer"},"date":{"type":"string","format":"date"},"any":{},
           "choice":{"enum":["a","b"]},"list":{"type":"array","items":{"type":"object","properties":{
              "n":{"type":"string"},"inner":{"type":"array","items":{"type":"object","properties":{"m":{"type":"string"}}}}}}},
           "free":{"type":"object"}}}
        """#
    do throws(Problem) {
        return try DocumentType(name: "x-shapes/1", schemaText: Array(schema.utf8))
    } catch {
        fatalError("\(error)")
    }
}()

/// A source nobody describes, so that every path is possible.
private let anything: DocumentType = {
    do throws(Problem) {
        return try DocumentType(name: "x-anything/1", schemaText: Array("{}".utf8))
    } catch {
        fatalError("\(error)")
    }
}()

private let source = json(
    #"""
    {"a":"甲","b":"乙","n":"12.345","m":3,"t":true,"z":"0","big":"99999999999999999999999999999999999999","e":"","x":null,
     "s":"  两边有空格　","long":"一二三四五六七八九十","when":"2026-01-31T16:30:00Z","day":"2026-02-10","minute":"2026-02-10 08:30",
     "second":"2026-02-10 23:59:59","bad":"2026-02-30","list":["x","y",null,"z"],"none":[],"nested":[["x"]],"obj":{"k":"v","null":null},
     "rows":[{"v":"1.10","q":"2","in":[{"w":"p"},{"w":"q"}]},{"v":"2.20","q":"3","in":[]},{"v":null,"q":"1","in":[{"w":"r"}]}],
     "fields":[{"id":"A1","alias":"one","label":"甲","value":"by alias"},{"id":"two","label":"one","value":"by id"},
               {"id":"A3","label":"三.]","value":{"id":"u1","name":"张三"}},{"id":"7","label":"8","value":"seven"},
               {"id":"A5","label":"two","value":"never"},{"id":"A6","label":"空","value":null}]}
    """#)

private func run(_ place: String, _ expression: String, extra: String = "") throws -> MappingResult {
    let text = "{\"mapping\":\"t\",\"document\":{\"\(place)\":\(expression)}\(extra)}"
    return try Mapping.compile(json(text), tables: tables, from: anything, to: shapes).run(source: source)
}

@Suite("Every operation ends in a value, nothing or a failure")
struct Operations {
    static let failing: [(String, String, String, String?)] = [
        ("text", #"{"path":"x"}"#, "E-MAP-003", "x"), ("text", #"{"path":"e"}"#, "E-MAP-003", "e"),
        ("text", #"{"path":"gone"}"#, "E-MAP-004", "gone"), ("text", #"{"path":"obj.gone"}"#, "E-MAP-004", "obj.gone"),
        ("text", #"{"path":"obj.null.deep"}"#, "E-MAP-003", "obj.null.deep"),
        ("text", #"{"path":"a.k"}"#, "E-MAP-004", "a.k"),
        ("text", #"{"path":"list[4]"}"#, "E-MAP-004", "list[4]"),
        ("text", #"{"path":"list[2]"}"#, "E-MAP-003", "list[2]"),
        ("text", #"{"path":"fields[空]"}"#, "E-MAP-003", "fields[空]"),
        ("text", #"{"path":"fields[没有]"}"#, "E-MAP-004", "fields[没有]"),
        ("text", #"{"path":"obj"}"#, "E-MAP-007", "obj"), ("text", #"{"path":"list"}"#, "E-MAP-007", "list"),
        ("text", #"{"concat":["a",{"path":"obj"}]}"#, "E-MAP-007", "obj"),
        ("text", #"{"concat":["a",{"path":"x"}]}"#, "E-MAP-003", "x"),
        ("text", #"{"trim":{"path":"x"}}"#, "E-MAP-003", "x"),
        ("text", #"{"substring":{"path":"x"}}"#, "E-MAP-003", "x"),
        ("text", #"{"join":"a"}"#, "E-MAP-013", "a"), ("text", #"{"join":"nested"}"#, "E-MAP-007", "nested"),
        ("text", #"{"join":"gone"}"#, "E-MAP-004", "gone"), ("text", #"{"join":"none"}"#, "E-MAP-003", "none"),
        ("text", #"{"substring":{"path":"a"},"from":5}"#, "E-MAP-003", "a"),
        ("text", #"{"default":[{"path":"x"},{"path":"e"}]}"#, "E-MAP-003", "x"),
        ("text", #"{"case":{"path":"a"},"of":{"乙":"1"}}"#, "E-MAP-008", "a"),
        ("text", #"{"case":{"path":"x"},"of":{"乙":"1"}}"#, "E-MAP-003", "x"),
        ("text", #"{"when":[{"if":{"path":"a","equals":"乙"},"then":"1"}]}"#, "E-MAP-008", "a"),
        ("text", #"{"when":[{"if":{"path":"a","equals":"甲"},"then":{"path":"x"}}]}"#, "E-MAP-003", "x"),
        ("text", #"{"when":[{"if":{"path":"a","greater":"1"},"then":"1"}],"else":"2"}"#, "E-MAP-005", "a"),
        ("text", #"{"when":[{"if":{"path":"x","greater":"1"},"then":"1"}],"else":"2"}"#, "E-MAP-003", "x"),
        ("text", #"{"when":[{"if":{"value":"1","greater":{"path":"x"}},"then":"1"}],"else":"2"}"#, "E-MAP-003", "x"),
        ("date", #"{"date":{"path":"bad"}}"#, "E-MAP-006", "bad"),
        ("date", #"{"date":{"path":"x"}}"#, "E-MAP-003", "x"),
        ("date", #"{"path":"when"}"#, "E-MAP-006", "when"), ("date", #"{"path":"m"}"#, "E-MAP-006", "m"),
        ("decimal", #"{"path":"a"}"#, "E-MAP-005", "a"), ("decimal", #"{"path":"t"}"#, "E-MAP-005", "t"),
        ("decimal", #"{"sum":["1",{"path":"a"}]}"#, "E-MAP-005", "a"),
        ("decimal", #"{"sum":["1",{"path":"x"}]}"#, "E-MAP-003", "x"),
        ("decimal", #"{"multiply":["1",{"path":"x"}]}"#, "E-MAP-003", "x"),
        ("decimal", #"{"sum":{"path":"row.v"},"each":"rows"}"#, "E-MAP-003", "rows[2].v"),
        ("decimal", #"{"sum":{"path":"row.w"},"each":"rows"}"#, "E-MAP-004", "rows[0].w"),
        ("decimal", #"{"sum":{"path":"row.v"},"each":"gone"}"#, "E-MAP-004", "gone"),
        ("decimal", #"{"sum":{"path":"row.v"},"each":"a"}"#, "E-MAP-013", "a"),
        ("decimal", #"{"sum":[{"path":"big"},{"path":"big"}]}"#, "E-MAP-009", "big"),
        ("decimal", #"{"multiply":[{"path":"big"},"10"]}"#, "E-MAP-009", "big"),
        ("decimal", #"{"negate":{"path":"x"}}"#, "E-MAP-003", "x"),
        ("decimal", #"{"round":{"path":"x"},"scale":2}"#, "E-MAP-003", "x"),
        ("decimal", #"{"round":{"path":"big"},"scale":2}"#, "E-MAP-009", "big"),
        ("decimal", #"{"divide":{"path":"n"},"by":{"path":"z"},"scale":2}"#, "E-MAP-009", "n"),
        ("decimal", #"{"divide":{"path":"n"},"by":{"path":"x"},"scale":2}"#, "E-MAP-003", "x"),
        ("integer", #"{"path":"n"}"#, "E-MAP-012", "n"), ("integer", #"{"path":"a"}"#, "E-MAP-005", "a"),
        ("integer", #"{"count":"gone"}"#, "E-MAP-004", "gone"), ("integer", #"{"count":"a"}"#, "E-MAP-013", "a"),
        ("choice", #"{"path":"a"}"#, "E-DOC-004", nil),
        (
            "text", #"{"concat":[{"path":"long"},{"path":"long"},{"path":"long"},{"path":"long"},{"path":"long"}]}"#,
            "E-DOC-012", nil
        ),
        ("text", #"{"lookup":"departments","where":{"dingtalk_id":{"path":"x"}},"give":"erp_code"}"#, "E-MAP-003", "x"),
        (
            "text", #"{"optional":{"lookup":"departments","where":{"dingtalk_id":{"path":"a"}},"give":"erp_code"}}"#,
            "E-MAP-001", "a"
        ),
    ]

    @Test("failures first: each has its code and the path to blame", arguments: failing)
    func fails(place: String, expression: String, code: String, blamed: String?) throws {
        let failures = try run(place, expression).failures
        #expect(failures.map(\.code) == [code])
        #expect(failures.first?.source == blamed)
        #expect(failures.first?.target == "/\(place)")
        #expect(failures.allSatisfy { !$0.next.zh.isEmpty && !$0.next.en.isEmpty && !$0.what.zh.isEmpty })
    }

    static let giving: [(String, String, String)] = [
        ("text", #""常量""#, #""常量""#), ("text", "6601.01", #""6601.01""#), ("text", "true", #""true""#),
        ("text", #"{"constant":"001"}"#, #""001""#), ("any", #"{"constant":{"k":[1]}}"#, #"{"k":[1]}"#),
        ("integer", #""3""#, "3"), ("integer", "3.0", "3"), ("decimal", "1280.50", #""1280.50""#),
        ("decimal", "1e2", #""100""#),
        ("text", #"{"path":"m"}"#, #""3""#), ("text", #"{"path":"t"}"#, #""true""#), ("any", #"{"path":"m"}"#, "3"),
        ("any", #"{"path":"obj"}"#, #"{"k":"v","null":null}"#), ("text", #"{"path":"doc.a"}"#, #""甲""#),
        ("text", #"{"path":"obj.k"}"#, #""v""#), ("text", #"{"path":"list[1]"}"#, #""y""#),
        ("text", #"{"path":"fields[one]"}"#, #""by alias""#), ("text", #"{"path":"fields[two]"}"#, #""by id""#),
        ("text", #"{"path":"fields[甲]"}"#, #""by alias""#), ("text", #"{"path":"fields[\"三.]\"].name"}"#, #""张三""#),
        ("text", #"{"path":"fields[\"7\"]"}"#, #""seven""#), ("text", #"{"path":"fields[\"8\"]"}"#, #""seven""#),
        ("text", #"{"path":"fields[1].value"}"#, #""by id""#), ("text", #"{"path":"nested[0][0]"}"#, #""x""#),
        (
            "text",
            #"{"concat":["a",{"path":"a"},{"path":"m"},{"optional":{"path":"x"}},{"optional":{"path":"gone"}}]}"#,
            #""a甲3""#
        ),
        ("text", #"{"join":"list"}"#, #""x、y、z""#), ("text", #"{"join":"list","with":","}"#, #""x,y,z""#),
        ("text", #"{"substring":{"path":"long"},"from":2,"length":3}"#, #""三四五""#),
        ("text", #"{"substring":{"path":"long"},"length":"4"}"#, #""一二三四""#),
        ("text", #"{"substring":{"path":"long"},"from":8}"#, #""九十""#),
        ("text", #"{"substring":{"path":"a"},"length":99}"#, #""甲""#),
        ("text", #"{"trim":{"path":"s"}}"#, #""两边有空格""#),
        ("text", #"{"default":[{"path":"x"},{"path":"gone"},{"path":"b"}]}"#, #""乙""#),
        ("date", #"{"date":{"path":"when"}}"#, #""2026-02-01""#),
        ("date", #"{"date":{"path":"when"},"zone":"UTC"}"#, #""2026-01-31""#),
        ("date", #"{"date":{"path":"when"},"zone":"-08:00","give":"date"}"#, #""2026-01-31""#),
        ("date", #"{"date":{"path":"day"}}"#, #""2026-02-10""#),
        ("date", #"{"date":{"path":"minute"},"zone":"UTC"}"#, #""2026-02-10""#),
        ("date", #"{"date":{"path":"second"}}"#, #""2026-02-10""#),
        ("date", #"{"date":{"path":"day"},"give":"month-start"}"#, #""2026-02-01""#),
        ("date", #"{"date":{"path":"day"},"give":"month-end"}"#, #""2026-02-28""#),
        ("integer", #"{"date":{"path":"day"},"give":"year"}"#, "2026"),
        ("text", #"{"date":{"path":"day"},"give":"month"}"#, #""2""#),
        ("text", #"{"date":{"path":"day"},"give":"year-month"}"#, #""2026-02""#),
        ("date", #"{"path":"day"}"#, #""2026-02-10""#),
        ("decimal", #"{"path":"n"}"#, #""12.345""#), ("decimal", #"{"path":"m"}"#, #""3""#),
        ("decimal", #"{"sum":[{"path":"n"},{"path":"m"},"0.655"]}"#, #""16.000""#),
        ("decimal", #"{"sum":{"optional":{"path":"row.v"}},"each":"rows"}"#, #""3.30""#),
        ("decimal", #"{"sum":{"path":"row.q"},"each":"none"}"#, #""0""#),
        ("decimal", #"{"sum":[{"optional":{"path":"x"}},"1"]}"#, #""1""#),
        (
            "decimal", #"{"sum":{"multiply":[{"default":[{"path":"row.v"},"0"]},{"path":"row.q"}]},"each":"rows"}"#,
            #""8.80""#
        ),
        ("decimal", #"{"negate":{"path":"n"}}"#, #""-12.345""#),
        ("decimal", #"{"multiply":[{"path":"n"},"2"]}"#, #""24.690""#),
        ("decimal", #"{"round":{"path":"n"},"scale":2}"#, #""12.35""#),
        ("decimal", #"{"round":{"path":"n"},"scale":"2","rule":"half-even"}"#, #""12.34""#),
        ("decimal", #"{"round":{"path":"n"},"scale":0,"rule":"up"}"#, #""13""#),
        ("decimal", #"{"divide":"113","by":"1.13","scale":2}"#, #""100.00""#),
        ("decimal", #"{"divide":{"path":"n"},"by":{"path":"m"},"scale":1,"rule":"down"}"#, #""4.1""#),
        ("integer", #"{"count":"rows"}"#, "3"), ("integer", #"{"count":"none"}"#, "0"),
        ("integer", #"{"count":"x"}"#, "0"), ("decimal", #"{"count":"rows"}"#, #""3""#),
        ("text", #"{"count":"rows"}"#, #""3""#),
        ("text", #"{"lookup":"departments","where":{"dingtalk_id":" 1002 "},"give":"erp_code"}"#, #""BM003""#),
        ("text", #"{"case":{"path":"a"},"of":{"甲":"1","乙":"2"}}"#, #""1""#),
        ("text", #"{"case":{"path":"m"},"of":{"3":{"path":"b"}}}"#, #""乙""#),
        ("text", #"{"case":{"path":"x"},"of":{"甲":"1"},"else":"9"}"#, #""9""#),
        ("choice", #"{"case":{"path":"a"},"of":{"甲":"b"}}"#, #""b""#),
    ]

    @Test("values", arguments: giving)
    func gives(place: String, expression: String, value: String) throws {
        let result = try run(place, expression)
        #expect(result.documents.first?[place] == json(value), "\(result)")
    }

    static let conditions: [(String, Bool)] = [
        (#"{"path":"a","equals":"甲"}"#, true), (#"{"path":"a","equals":"乙"}"#, false),
        (#"{"path":"a","equals":{"path":"a"}}"#, true),
        (#"{"path":"x","equals":""}"#, false), (#"{"path":"gone","equals":"x"}"#, false),
        (#"{"path":"z","equals":"0.0"}"#, false),
        (#"{"path":"z","equals":0.0}"#, true), (#"{"path":"m","equals":"3.00"}"#, true),
        (#"{"path":"m","equals":"drei"}"#, false),
        (#"{"path":"t","equals":true}"#, true), (#"{"path":"t","equals":"true"}"#, true),
        (#"{"value":"true","equals":{"path":"t"}}"#, true),
        (#"{"path":"s","equals":"两边有空格"}"#, true), (#"{"path":"a","in":["乙","甲"]}"#, true),
        (#"{"path":"a","in":["乙"]}"#, false),
        (#"{"path":"x","in":["乙"]}"#, false), (#"{"path":"x","empty":true}"#, true),
        (#"{"path":"gone","empty":true}"#, true),
        (#"{"path":"none","empty":true}"#, true), (#"{"path":"list","empty":true}"#, false),
        (#"{"path":"a","present":true}"#, true),
        (#"{"path":"e","present":"true"}"#, false), (#"{"path":"n","greater":12}"#, true),
        (#"{"path":"n","greater":"12.345"}"#, false),
        (#"{"path":"n","greater":{"path":"m"}}"#, true),
        (#"{"value":{"sum":{"path":"row.q"},"each":"rows"},"greater":"5.9"}"#, true),
        (#"{"not":{"path":"a","equals":"甲"}}"#, false),
        (#"{"all":[{"path":"a","equals":"甲"},{"path":"b","equals":"乙"}]}"#, true),
        (#"{"all":[{"path":"a","equals":"甲"},{"path":"b","equals":"甲"}]}"#, false),
        (#"{"any":[{"path":"a","equals":"x"},{"path":"b","equals":"乙"}]}"#, true),
        (#"{"any":[{"path":"a","equals":"x"},{"not":{"path":"b","present":true}}]}"#, false),
    ]

    @Test("conditions", arguments: conditions)
    func holds(condition: String, holds: Bool) throws {
        let expression = "{\"when\":[{\"if\":\(condition),\"then\":\"yes\"}],\"else\":\"no\"}"
        #expect(try run("text", expression).documents.first?["text"]?.string == (holds ? "yes" : "no"))
    }

    static let left: [String] = [
        #"{"optional":{"path":"x"}}"#, #"{"optional":{"path":"gone"}}"#,
        #"{"default":[{"path":"x"},{"optional":{"path":"e"}}]}"#,
        #"{"optional":{"concat":["a",{"path":"x"}]}}"#,
        #"{"optional":{"when":[{"if":{"path":"a","equals":"乙"},"then":"1"}]}}"#,
        #"{"when":[{"if":{"path":"a","equals":"甲"},"then":{"optional":{"path":"x"}}}],"else":"1"}"#,
        #"{"case":{"path":"a"},"of":{"甲":{"optional":{"path":"x"}}}}"#,
    ]

    @Test("what is optional is left out when there is nothing", arguments: left)
    func leftOut(expression: String) throws { #expect(try run("text", expression).documents == [[:]]) }

    @Test("a text that outgrows its bound fails instead of growing")
    func tooLong() throws {
        var text = "{\"path\":\"long\"}"
        for _ in 0..<5 { text = "{\"concat\":[\(Array(repeating: text, count: 5).joined(separator: ","))]}" }
        let failures = try run("any", text).failures
        #expect(failures.map(\.code) == ["E-MAP-010"])
    }
}

@Suite("Lines and parts")
struct LinesAndParts {
    @Test("groups come in order, rows may be left out, and lists nest")
    func groups() throws {
        let lines = #"""
            [{"line":{"n":"first"}},
             {"each":"rows","when":{"path":"row.q","greater":"1"},
              "line":{"n":{"path":"row.q"},"inner":[{"each":"row.in","line":{"m":{"concat":[{"path":"row.w"},{"path":"a"}]}}}]}},
             {"when":{"path":"a","equals":"乙"},"line":{"n":"never"}},
             {"each":"list","when":{"path":"row","present":true},"line":{"n":{"path":"row"}}}]
            """#
        let document = try run("list", lines).documents.first
        let expected = json(
            #"{"list":[{"n":"first"},{"n":"2","inner":[{"m":"p甲"},{"m":"q甲"}]},{"n":"3","inner":[]},{"n":"x"},{"n":"y"},{"n":"z"}]}"#
        )
        #expect(document == expected)
    }

    @Test("a failure in a nested row names both rows")
    func nestedFailure() throws {
        let lines = #"[{"each":"rows","line":{"inner":[{"each":"row.in","line":{"m":{"path":"row.missing"}}}]}}]"#
        let failures = try run("list", lines).failures
        #expect(failures.map(\.target) == ["/list/0/inner/0/m", "/list/0/inner/1/m", "/list/2/inner/0/m"])
        #expect(failures.map(\.source) == ["rows[0].in[0].missing", "rows[0].in[1].missing", "rows[2].in[0].missing"])
    }

    @Test("a failing test of a row holds the document")
    func failingTest() throws {
        let failures = try run("list", #"[{"each":"rows","when":{"path":"row.v","greater":"1"},"line":{"n":"x"}}]"#)
            .failures
        #expect(failures.map(\.code) == ["E-MAP-003"])
        #expect(failures.map(\.target) == ["/list/2"])
    }

    @Test("ten thousand lines are the end")
    func bound() throws {
        let mapping = try Mapping.compile(
            json(#"{"mapping":"t","document":{"list":[{"each":"l","line":{"n":{"path":"row"}}}]}}"#), tables: [:],
            from: anything, to: shapes)
        let large: JSON = ["l": .array(Array(repeating: "x", count: 10_000))]
        #expect(mapping.run(source: large).documents.first?["list"]?.array?.count == 10_000)
        let larger: JSON = ["l": .array(Array(repeating: "x", count: 10_001))]
        #expect(mapping.run(source: larger).failures.map(\.code) == ["E-MAP-011"])
    }

    @Test("failures have a bound too")
    func failureBound() throws {
        let mapping = try Mapping.compile(
            json(#"{"mapping":"t","document":{"list":[{"each":"l","line":{"n":{"path":"row.x"}}}]}}"#), tables: [:],
            from: anything, to: shapes)
        let failures = mapping.run(source: ["l": .array(Array(repeating: [:], count: 5000))]).failures
        #expect(failures.count == 100)
        #expect(failures.last?.target == "/list/99/n")
    }

    @Test("a document is split by its rows; a part left out keeps its number")
    func splitByRows() throws {
        let extra = #","split":{"each":"rows","when":{"not":{"path":"part.q","equals":"3"}},"rule":"没有要入账的行"}"#
        let result = try run("text", #"{"concat":[{"path":"part.q"},{"path":"a"}]}"#, extra: extra)
        #expect(
            result
                == .mapped([.init(ordinal: 0, document: ["text": "2甲"]), .init(ordinal: 2, document: ["text": "1甲"])]))
    }

    @Test("a document is split by constants of the mapping, nested lists included")
    func splitByConstants() throws {
        let extra = #","split":{"of":[{"book":"001","l":["x"]},{"book":"002","l":["y","z"]}]}"#
        let documents = try run(
            "list", #"[{"line":{"n":{"path":"part.book"}}},{"each":"part.l","line":{"n":{"path":"row"}}}]"#,
            extra: extra
        ).documents
        #expect(
            documents == [["list": [["n": "001"], ["n": "x"]]], ["list": [["n": "002"], ["n": "y"], ["n": "z"]]]])
    }

    @Test("no part left is a skip, no row at all or no list a failure, and one bad part fails all")
    func splitEnds() throws {
        let none = #","split":{"each":"rows","when":{"path":"part.q","equals":"9"},"rule":"没有要入账的行"}"#
        #expect(try run("text", #""x""#, extra: none).rule == "没有要入账的行")
        #expect(
            try run("text", #""x""#, extra: #","split":{"of":[{"a":"1"}],"when":{"path":"a","equals":"x"}}"#).rule
                == "split")
        #expect(try run("text", #""x""#, extra: #","split":{"each":"none"}"#).failures.map(\.code) == ["E-MAP-003"])
        #expect(try run("text", #""x""#, extra: #","split":{"each":"gone"}"#).failures.map(\.code) == ["E-MAP-004"])
        let failures = try run("text", #"{"path":"part.v"}"#, extra: #","split":{"each":"rows"}"#).failures
        #expect(failures.map(\.source) == ["rows[2].v"])
        let mapping = try Mapping.compile(
            json(#"{"mapping":"t","split":{"each":"l"},"document":{"text":{"path":"part"}}}"#), tables: [:],
            from: anything, to: shapes)
        let many: JSON = ["l": .array(Array(repeating: "x", count: 1001))]
        #expect(mapping.run(source: many).failures.map(\.code) == ["E-MAP-014"])
        #expect(mapping.reads == ["l#", "l[*]"])
    }

    @Test("the first skip rule that holds decides; one that cannot be decided holds the document")
    func skips() throws {
        let rules =
            #","skip":[{"when":{"path":"a","equals":"x"},"rule":"一"},{"when":{"path":"m","greater":"1"},"rule":"二"}]"#
        #expect(try run("text", #""x""#, extra: rules).rule == "二")
        let undecided = #","skip":[{"when":{"path":"a","greater":"1"},"rule":"一"}]"#
        #expect(try run("text", #""x""#, extra: undecided).failures.map(\.code) == ["E-MAP-005"])
    }

    @Test("no document makes a mapping trap")
    func anyDocument() throws {
        let mapping = try compile(expenseMapping)
        let odd: [JSON] = [
            nil, true, 1, "x", [], [:], [nil], ["fields": nil], ["fields": [1, nil, [:], []]], ["fields": [:]],
        ]
        for document in odd { #expect(!mapping.run(source: document).failures.isEmpty) }
        let bytes = Array(expenseApproval.utf8)
        var state: UInt64 = 7
        var parsed = 0
        for _ in 0..<6000 {
            var copy = bytes
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            copy[Int(state >> 33) % copy.count] = UInt8(truncatingIfNeeded: state >> 25)
            guard let document = try? JSON.parse(copy) else { continue }
            parsed += 1
            _ = mapping.run(source: document)
            _ = mapping.readHashInput(source: document)
        }
        #expect(parsed > 300, "\(parsed)")
    }
}
