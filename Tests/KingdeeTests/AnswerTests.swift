import Kingdee
import PluginKit
import PluginKitTesting
import Testing
import Values

/// The vendor's answers and the class each stands for, as a read and as a write.
@Suite struct AnswerTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let answer: FakeAnswer
        let onRead: Failure.Kind
        let onWrite: Failure.Kind
        var testDescription: String { name }

        init(_ name: String, _ answer: FakeAnswer, _ onRead: Failure.Kind, _ onWrite: Failure.Kind? = nil) {
            self.name = name
            self.answer = answer
            self.onRead = onRead
            self.onWrite = onWrite ?? onRead
        }
    }

    static let table: [Row] = [
        Row("nothing was sent", .failure(.unreachable, "refused"), .unreachable),
        Row("our own limits", .failure(.throttled, "limit"), .throttled),
        Row("HTTP 429", .text("", status: 429), .throttled),
        Row("HTTP 401", .text("Invalid signature", status: 401), .authDenied),
        Row("HTTP 519", .text("", status: 519), .authDenied),
        Row("HTTP 404", .text("", status: 404), .unsupported),
        Row("HTTP 500", .text("", status: 500), .transient, .unknownOutcome),
        Row("HTTP 502", .text("<html>", status: 502), .transient, .unknownOutcome),
        Row("HTTP 503", .text("", status: 503), .transient, .unknownOutcome),
        Row("HTTP 504", .text("", status: 504), .transient, .unknownOutcome),
        Row("unknown account set", .text("数据中心不存在或未启用", status: 500), .authDenied, .unknownOutcome),
        Row("server exception", .text("response_error:NullReference"), .transient, .unknownOutcome),
        Row("a web page", .text("\n<!DOCTYPE html>"), .transient, .unknownOutcome),
        Row("empty", .text(""), .transient, .unknownOutcome),
        Row("null", .text("null"), .transient, .unknownOutcome),
        Row("no JSON", .text("{\"Result\":"), .transient, .unknownOutcome),
        Row("code 1 under signed headers", FakeGalaxy.bad(1, "会话信息已丢失，请重新登录"), .authDenied),
        Row("ctx == null under signed headers", .text("ctx == null"), .authDenied),
        Row("permission", FakeGalaxy.bad(2, "没有权限"), .authDenied),
        Row("operation id", FakeGalaxy.bad(3, "x"), .invalidRecord),
        Row("exception", FakeGalaxy.bad(4, "未将对象引用设置到对象的实例"), .transient, .unknownOutcome),
        Row("no such object", FakeGalaxy.bad(4, "业务对象 X 不存在"), .invalidRecord),
        Row(
            "an exception that speaks of something missing", FakeGalaxy.bad(4, "索引不存在"), .invalidRecord, .unknownOutcome
        ),
        Row("an exception that speaks of a column", FakeGalaxy.bad(4, "列名 'FX' 无效"), .invalidRecord, .unknownOutcome),
        Row("form id", FakeGalaxy.bad(5, "x"), .invalidRecord),
        Row("database", FakeGalaxy.bad(6, "x"), .transient, .unknownOutcome),
        Row("licence", FakeGalaxy.bad(7, "x"), .authDenied),
        Row("parameter", FakeGalaxy.bad(8, "x"), .invalidRecord),
        Row("field", FakeGalaxy.bad(9, "x"), .invalidRecord),
        Row("no such data", FakeGalaxy.bad(10, "x"), .invalidRecord),
        Row("validation", FakeGalaxy.bad(11, "x"), .invalidRecord),
        Row("validation, code as text", FakeGalaxy.bad("11", "x"), .invalidRecord),
        Row("operation", FakeGalaxy.bad(12, "x"), .invalidRecord),
        Row("somebody edits it", FakeGalaxy.bad(13, "网控冲突"), .transient),
        Row("call limit", FakeGalaxy.bad(14, "x"), .throttled),
        Row("administrator", FakeGalaxy.bad(15, "x"), .authDenied),
        Row("no code but a reason", FakeGalaxy.bad(0, "凭证不平"), .invalidRecord),
        Row("no code, passing trouble", FakeGalaxy.bad(0, "Timeout 时间已到"), .transient, .unknownOutcome),
        Row("a code nobody knows", FakeGalaxy.bad(99, "x"), .invalidRecord),
        Row("nested in arrays", FakeGalaxy.badQuery(2, "没有权限"), .authDenied),
        Row("nested, code as text", FakeGalaxy.badQuery("14", "x"), .throttled),
        Row(
            "refused without a word", .json(["Result": ["ResponseStatus": ["IsSuccess": false]]]), .transient,
            .unknownOutcome),
        Row(
            "success as text, code set", .json(["Result": ["ResponseStatus": ["IsSuccess": "true", "MsgCode": 2]]]),
            .transient, .unknownOutcome),
    ]

    @Test(arguments: [
        ("<!DOCTYPE html>", "E-ANSWER-001"), ("{\"Result\":", "E-ANSWER-002"), ("", "E-ANSWER-003"),
    ]) func anAnswerThatIsNoneHasACode(text: String, code: String) throws {
        let galaxy = FakeGalaxy()
        galaxy.fault("ExecuteBillQuery", .instead(.text(text)))
        let connection = try Sample.connection(Sample.host(galaxy))
        let failure = #expect(throws: Failure.self) { try connection.find("voucher", key: Sample.key) }
        #expect(failure?.messages.first?.vendorCode == code)
    }

    @Test(arguments: table) func aReadIsClassified(_ row: Row) throws {
        let galaxy = FakeGalaxy()
        galaxy.fault("ExecuteBillQuery", .instead(row.answer))
        let connection = try Sample.connection(Sample.host(galaxy))
        let failure = #expect(throws: Failure.self) { try connection.find("voucher", key: Sample.key) }
        #expect(failure?.kind == row.onRead)
        #expect(galaxy.history == ["ExecuteBillQuery"])
    }

    @Test(arguments: table) func aWriteIsClassified(_ row: Row) throws {
        let galaxy = FakeGalaxy()
        galaxy.fault("Save", .instead(row.answer))
        let connection = try Sample.connection(Sample.host(galaxy))
        let outcome = try connection.write("voucher", [FakeRecord(key: Sample.key, Sample.voucher)])[0]
        #expect(outcome.failure?.kind == row.onWrite)
        #expect(galaxy.books.isEmpty)
        #expect(galaxy.history == ["ExecuteBillQuery", "Save"])
    }

    @Test func aRateLimitSaysWhen() throws {
        let galaxy = FakeGalaxy()
        galaxy.fault(
            "ExecuteBillQuery", .instead(FakeGalaxy.badQuery(14, "x")),
            .instead(.reply(status: 429, headers: [(name: "retry-after", value: "7")], body: [])))
        let connection = try Sample.connection(Sample.host(galaxy))
        let first = #expect(throws: Failure.self) { try connection.find("voucher", key: "k") }
        #expect(first?.retryAfterMilliseconds == 120_000)
        let second = #expect(throws: Failure.self) { try connection.find("voucher", key: "k") }
        #expect(second?.retryAfterMilliseconds == 7000)
    }

    @Test func rowsThatDoNotFitTheQuestionAreDrift() throws {
        let galaxy = FakeGalaxy()
        galaxy.fault("ExecuteBillQuery", .instead(.json([[1, 2]])))
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(galaxy)).find("voucher", key: "k")
        }
        #expect(failure?.kind == .schemaDrift)
    }
}
