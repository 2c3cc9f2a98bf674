import Documents
import Mapping
import Testing
import Values

private func problems(_ text: String, tables given: [String: CodeTable] = tables) -> [Problem] {
    do throws(MappingProblems) {
        _ = try Mapping.compile(json(text), tables: given, from: .approval, to: .voucher)
        return []
    } catch {
        return error.problems
    }
}

/// A voucher mapping that is fine but for what is put in.
private func voucher(_ field: String = "", line: String = "", top: String = "") -> String {
    """
    {"mapping":"m"\(top),"document":{"date":{"date":{"path":"created_at"}}\(field),"lines":[{"each":"fields[明细]","line":{
     "summary":"s","account":"1001","currency":"CNY","debit":{"path":"row.fields[金额]"},"credit":"0"\(line)}}]}}
    """
}

@Suite("A mapping is checked wholly before any document comes")
struct Compiling {
    @Test("the frame of these tests is itself fine")
    func frame() { #expect(problems(voucher()) == []) }

    static let fields: [(String, String, String)] = [
        (#""colour":"x""#, "E-MAP-105", "document"),
        (#""summary":{"paht":"x"}"#, "E-MAP-101", "document.summary"),
        (#""summary":{}"#, "E-MAP-101", "document.summary"),
        (#""summary":{"path":"id","trim":"x"}"#, "E-MAP-101", "document.summary"),
        (#""summary":{"path":"id","give":"x"}"#, "E-MAP-101", "document.summary"),
        (#""summary":null"#, "E-MAP-102", "document.summary"), (#""summary":["a"]"#, "E-MAP-102", "document.summary"),
        (#""summary":{"path":{}}"#, "E-MAP-102", "document.summary.path"),
        (#""summary":{"concat":"a"}"#, "E-MAP-102", "document.summary.concat"),
        (#""summary":{"concat":[]}"#, "E-MAP-102", "document.summary.concat"),
        (#""summary":{"case":{"path":"id"}}"#, "E-MAP-102", "document.summary"),
        (#""summary":{"case":{"path":"id"},"of":{}}"#, "E-MAP-102", "document.summary.of"),
        (#""summary":{"when":{}}"#, "E-MAP-102", "document.summary.when"),
        (#""summary":{"when":[{"if":{"path":"id","equals":"x"}}]}"#, "E-MAP-102", "document.summary.when[0]"),
        (#""summary":{"when":[{"if":{"path":"id"},"then":"x"}]}"#, "E-MAP-102", "document.summary.when[0].if"),
        (
            #""summary":{"when":[{"if":{"path":"id","equals":"x","empty":true},"then":"x"}]}"#, "E-MAP-102",
            "document.summary.when[0].if"
        ),
        (
            #""summary":{"when":[{"if":{"path":"id","empty":false},"then":"x"}]}"#, "E-MAP-102",
            "document.summary.when[0].if.empty"
        ),
        (
            #""summary":{"when":[{"if":{"path":"id","in":[]},"then":"x"}]}"#, "E-MAP-102",
            "document.summary.when[0].if.in"
        ),
        (
            #""summary":{"when":[{"if":{"path":"id","in":[["x"]]},"then":"x"}]}"#, "E-MAP-102",
            "document.summary.when[0].if.in"
        ),
        (
            #""summary":{"when":[{"if":{"not":{"path":"id","empty":true},"path":"id"},"then":"x"}]}"#, "E-MAP-102",
            "document.summary.when[0].if"
        ),
        (#""summary":{"when":[{"if":{"all":[]},"then":"x"}]}"#, "E-MAP-102", "document.summary.when[0].if.all"),
        (
            #""summary":{"when":[{"if":{"path":"id","like":"x"},"then":"x"}]}"#, "E-MAP-101",
            "document.summary.when[0].if"
        ),
        (#""summary":{"substring":{"path":"id"},"from":-1}"#, "E-MAP-102", "document.summary.from"),
        (#""summary":{"substring":{"path":"id"},"length":0}"#, "E-MAP-102", "document.summary.length"),
        (#""summary":{"lookup":"departments"}"#, "E-MAP-102", "document.summary"),
        (#""summary":{"lookup":"departments","where":{},"give":"erp_code"}"#, "E-MAP-102", "document.summary.where"),
        (#""summary":{"path":"applicant..id"}"#, "E-MAP-103", "document.summary.path"),
        (#""summary":{"path":""}"#, "E-MAP-103", "document.summary.path"),
        (#""summary":{"path":"fields[a"}"#, "E-MAP-103", "document.summary.path"),
        (#""summary":{"path":"fields[]"}"#, "E-MAP-103", "document.summary.path"),
        (#""summary":{"path":"fields[a]b"}"#, "E-MAP-103", "document.summary.path"),
        (#""summary":{"path":"a b"}"#, "E-MAP-103", "document.summary.path"),
        (#""summary":{"path":"fields[\"a]"}"#, "E-MAP-103", "document.summary.path"),
        (#""summary":{"path":"id."}"#, "E-MAP-103", "document.summary.path"),
        (#""summary":{"path":"fields[99999999999999999999]"}"#, "E-MAP-103", "document.summary.path"),
        (#""summary":{"path":"applicant.nmae"}"#, "E-MAP-104", "document.summary.path"),
        (#""summary":{"path":"id.x"}"#, "E-MAP-104", "document.summary.path"),
        (#""summary":{"path":"applicant[0]"}"#, "E-MAP-104", "document.summary.path"),
        (#""summary":{"path":"applicant[姓名]"}"#, "E-MAP-104", "document.summary.path"),
        (#""summary":{"path":"applicant"}"#, "E-MAP-115", "document.summary.path"),
        (#""summary":{"path":"applicant.department"}"#, "E-MAP-115", "document.summary.path"),
        (#""summary":{"path":"attachments"}"#, "E-MAP-115", "document.summary.path"),
        (#""summary":{"path":"doc"}"#, "E-MAP-115", "document.summary.path"),
        (#""attachment_count":{"count":"applicant"}"#, "E-MAP-116", "document.attachment_count.count"),
        (#""summary":{"join":"title"}"#, "E-MAP-116", "document.summary.join"),
        (#""summary":{"lookup":"nowhere","where":{"a":"b"},"give":"c"}"#, "E-MAP-107", "document.summary.lookup"),
        (
            #""summary":{"lookup":"departments","where":{"id":"b"},"give":"erp_code"}"#, "E-MAP-108",
            "document.summary.where"
        ),
        (
            #""summary":{"lookup":"departments","where":{"dingtalk_id":"b"},"give":"code"}"#, "E-MAP-108",
            "document.summary.give"
        ),
        (#""summary":{"lookup":"double","where":{"a":"b"},"give":"c"}"#, "E-MAP-109", "document.summary.lookup"),
        (#""attachment_count":"many""#, "E-MAP-110", "document.attachment_count"),
        (#""business_date":"2026-02-30""#, "E-MAP-110", "document.business_date"),
        (#""book":"""#, "E-MAP-110", "document.book"), (#""book":{"constant":["a"]}"#, "E-MAP-110", "document.book"),
        (#""book":{"default":[{"path":"id"},""]}"#, "E-MAP-110", "document.book"),
        (#""book":{"case":{"path":"id"},"of":{"a":""}}"#, "E-MAP-110", "document.book"),
        (#""book":{"when":[{"if":{"path":"id","empty":true},"then":""}],"else":"1"}"#, "E-MAP-110", "document.book"),
        (#""business_date":{"path":"created_at"}"#, "E-MAP-111", "document.business_date"),
        (#""business_date":{"default":[{"path":"finished_at"},"2026-01-01"]}"#, "E-MAP-111", "document.business_date"),
        (#""business_date":{"sum":["1"]}"#, "E-MAP-111", "document.business_date"),
        (#""attachment_count":{"date":{"path":"created_at"}}"#, "E-MAP-111", "document.attachment_count"),
        (#""summary":{"negate":{"date":{"path":"created_at"}}}"#, "E-MAP-111", "document.summary.negate"),
        (#""summary":{"path":"row.x"}"#, "E-MAP-112", "document.summary.path"),
        (#""summary":{"path":"part.x"}"#, "E-MAP-112", "document.summary.path"),
        (#""summary":{"sum":["a"]}"#, "E-MAP-117", "document.summary.sum"),
        (#""summary":{"round":{"path":"id"},"scale":13}"#, "E-MAP-102", "document.summary.scale"),
        (#""summary":{"round":{"path":"id"},"scale":2,"rule":"banker"}"#, "E-MAP-101", "document.summary.rule"),
        (#""summary":{"round":{"path":"id"}}"#, "E-MAP-102", "document.summary"),
        (#""summary":{"divide":{"path":"id"},"by":"x","scale":2}"#, "E-MAP-117", "document.summary.divide"),
        (#""summary":{"date":{"path":"created_at"},"zone":"Asia/Atlantis"}"#, "E-TIME-001", "document.summary.zone"),
        (#""summary":{"date":{"path":"created_at"},"give":"week"}"#, "E-MAP-101", "document.summary.give"),
        (#""source":{"document":"approval"}"#, "E-MAP-106", "document.source"),
        (#""source":"x""#, "E-MAP-102", "document.source"),
    ]

    @Test("each mistake in a value has its code and its place", arguments: fields)
    func field(text: String, code: String, place: String) throws {
        var given = tables
        given["double"] = try CodeTable(file: "double.csv", csv: Array("a,c\nx,1\ny,2\nx,3\nx,4\n".utf8))
        let found = problems(voucher("," + text), tables: given)
        #expect(found.map(\.code) == [code], "\(found)")
        #expect(found.first?.what.en.hasPrefix("Mapping \(place):") == true, "\(found)")
    }

    static let others: [(String, String, String)] = [
        (voucher(line: #","amount":"1""#), "E-MAP-105", "document.lines[0].line"),
        (voucher(line: #","rate":{"path":"row.feilds[x]"}"#), "E-MAP-104", "document.lines[0].line.rate.path"),
        (voucher(line: #","rate":"eins""#), "E-MAP-110", "document.lines[0].line.rate"),
        (
            voucher(line: #","dimensions":{"department":{"path":"row"}}"#), "E-MAP-115",
            "document.lines[0].line.dimensions.department.path"
        ),
        (voucher(top: #","colour":"red""#), "E-MAP-101", "."), (voucher(top: #","from":"order""#), "E-MAP-114", "from"),
        (voucher(top: #","to":"order""#), "E-MAP-114", "to"), (voucher(top: #","skip":[]"#), "E-MAP-102", "skip"),
        (voucher(top: #","skip":[{"when":{"path":"id","empty":true}}]"#), "E-MAP-102", "skip[0]"),
        (voucher(top: #","split":{}"#), "E-MAP-102", "split"),
        (voucher(top: #","split":{"each":"id"}"#), "E-MAP-116", "split.each"),
        (voucher(top: #","split":{"of":[]}"#), "E-MAP-102", "split.of"),
        (
            voucher(#","book":{"path":"part.book"}"#, top: #","split":{"of":[{"book":"1"},{"bok":"2"}]}"#), "E-MAP-104",
            "document.book.path"
        ),
        (#"{"document":{}}"#, "E-MAP-102", "."), (#"{"mapping":"m"}"#, "E-MAP-102", "."), ("[]", "E-MAP-102", "."),
        (#"{"mapping":"m","document":{"date":"2026-01-01","lines":{}}}"#, "E-MAP-102", "document.lines"),
        (
            #"{"mapping":"m","document":{"date":"2026-01-01","lines":[{"each":"fields[x]"}]}}"#, "E-MAP-102",
            "document.lines[0]"
        ),
        (#"{"mapping":"m","document":{"date":"2026-01-01"}}"#, "E-MAP-106", "document"),
        (
            voucher(#","business_date":"2026-01-01""#).replacing(
                #""date":{"date""#, with: #""date":{"optional":{"date""#
            ).replacing(#"created_at"}}"#, with: #"created_at"}}}"#), "E-MAP-106", "document.date"
        ),
    ]

    @Test("mistakes in the frame", arguments: others)
    func frame(text: String, code: String, place: String) {
        let found = problems(text)
        #expect(found.map(\.code) == [code], "\(found)")
        #expect(found.first?.what.en.hasPrefix("Mapping \(place):") == true, "\(found)")
    }

    @Test("all mistakes are told at once")
    func allAtOnce() {
        let text = voucher(
            #","book":{"path":"nowhere"},"colour":"x","summary":{"lookup":"none","where":{"a":"b"},"give":"c"}"#)
        #expect(problems(text).map(\.code) == ["E-MAP-104", "E-MAP-105", "E-MAP-107"])
    }

    @Test("doubled keys name every line of the file")
    func doubled() throws {
        let table = try CodeTable(file: "tables/d.csv", csv: Array("a,b,c\nx,1,p\nx,2,q\nx,1,r\n".utf8))
        let one = voucher(#","book":{"lookup":"d","where":{"a":"x"},"give":"c"}"#)
        #expect(
            problems(one, tables: ["d": table]).map(\.what.en).first?.hasSuffix(
                "has the key \"x\" of a in lines 2, 3, 4.") == true)
        let two = voucher(#","book":{"lookup":"d","where":{"a":"x","b":"2"},"give":"c"}"#)
        #expect(
            problems(two, tables: ["d": table]).map(\.what.en).first?.hasSuffix(
                "has the key \"x + 1\" of a + b in lines 2, 4.") == true)
    }

    @Test("two key columns find their row")
    func twoColumns() throws {
        let table = try CodeTable(file: "tables/d.csv", csv: Array("a,b,c\nx,1,p\nx,2,q\n".utf8))
        let text = voucher(#","book":{"lookup":"d","where":{"b":{"path":"id"},"a":"x"},"give":"c"}"#)
        let mapping = try Mapping.compile(json(text), tables: ["d": table], from: .approval, to: .voucher)
        let source = approval {
            $0.set(["id"], "3")
            $0.set(["fields", "3", "label"], "明细")
        }
        #expect(mapping.run(source: source).failures.first?.seen == "3 + x")
    }

    @Test("nesting has a bottom, and a hundred problems are enough")
    func bounds() {
        let deep = String(repeating: #"{"trim":"#, count: 30) + #""x""# + String(repeating: "}", count: 30)
        #expect(problems(voucher(#","summary":\#(deep)"#)).map(\.code) == ["E-MAP-113"])
        let not =
            String(repeating: #"{"not":"#, count: 30) + #"{"path":"id","empty":true}"#
            + String(repeating: "}", count: 30)
        #expect(problems(voucher(#","summary":{"when":[{"if":\#(not),"then":"x"}]}"#)).map(\.code) == ["E-MAP-113"])
        let many = (0..<300).map { ",\"c\($0)\":\"x\"" }.joined()
        #expect(problems(voucher(many)).count == 100)
    }

    @Test("a name, a note and the document types may be said")
    func frameIsComplete() throws {
        let mapping = try compile(voucher(top: #","note":"由财务维护","from":"approval","to":"voucher""#))
        #expect(mapping.name == "m")
    }
}

@Suite("A flow's filter")
struct Filters {
    static let wrong: [(String, String)] = [
        ("[]", "E-MAP-102"), (#"{"tmplate":"x"}"#, "E-MAP-104"), (#"{"result":"agreed"}"#, "E-MAP-110"),
        (#"{"result":["agree","no"]}"#, "E-MAP-110"), (#"{"applicant":"x"}"#, "E-MAP-115"),
        (#"{"status":[]}"#, "E-MAP-102"),
        (#"{"status":{"not":"x"}}"#, "E-MAP-102"), (#"{"a b":"x"}"#, "E-MAP-103"), (#"{"row.x":"x"}"#, "E-MAP-112"),
    ]

    @Test("what cannot be a condition is refused", arguments: wrong)
    func refused(text: String, code: String) {
        do throws(MappingProblems) {
            _ = try SourceFilter(json(text), from: .approval)
            Issue.record("not refused")
        } catch {
            #expect(error.problems.map(\.code) == [code])
        }
    }

    @Test("every condition must hold, and the first that does not is told")
    func matching() throws {
        let filter = try SourceFilter(
            json(#"{"template":"PROC-EXPENSE","result":["agree",null],"fields[支付方式]":["转账","现金"],"main_id":null}"#),
            from: .approval)
        #expect(filter.matches(approval()))
        #expect(filter.matches(approval { $0.set(["result"], .null) }))
        let refused = filter.firstUnmet(approval { $0.set(["result"], "refuse") })
        #expect(refused?.condition.path == "result")
        #expect(refused?.seen == "refuse")
        #expect(filter.firstUnmet(approval { $0.set(["fields", "2"], nil) })?.condition.path == "fields[支付方式]")
        #expect(filter.firstUnmet(approval { $0.set(["main_id"], "pi-0") })?.condition.allowed == [nil])
        #expect(!filter.matches([]))
        #expect(filter.conditions.map(\.path) == ["template", "result", "fields[支付方式]", "main_id"])
        #expect(try SourceFilter([:], from: .approval).matches(approval()))
    }
}
