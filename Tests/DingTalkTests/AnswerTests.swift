import DingTalk
import PluginKit
import PluginKitTesting
import Testing
import Values

/// The vendor's error codes: what each code means, in both generations.
@Suite struct AnswerTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let answer: FakeAnswer
        let onRead: Failure.Kind
        let onWrite: Failure.Kind
        let after: Int64?
        var testDescription: String { name }

        init(
            _ name: String, _ answer: FakeAnswer, _ onRead: Failure.Kind, _ onWrite: Failure.Kind? = nil,
            after: Int64? = nil
        ) {
            self.name = name
            self.answer = answer
            self.onRead = onRead
            self.onWrite = onWrite ?? onRead
            self.after = after
        }
    }

    private static func rows(
        _ codes: [String], _ onRead: Failure.Kind, _ onWrite: Failure.Kind? = nil, status: Int = 400,
        after: Int64? = nil
    ) -> [Row] {
        codes.map {
            Row("\($0) \(status)", FakeDingTalk.bad(.string($0), status: status), onRead, onWrite, after: after)
        }
    }

    static let new: [Row] =
        rows(["InvalidAuthentication"], .authExpired) + rows(["InvalidAuthentication"], .authExpired, status: 401)
        + rows(
            ["systemError", "system.error", "server.error", "SYSTEMERROR"], .transient, .unknownOutcome, status: 500)
        + rows(["ServiceUnavailable"], .transient, .unknownOutcome, status: 503)
        + rows(["unknown.error"], .transient, .unknownOutcome)
        + rows(
            [
                "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
                "Forbidden.AccessDenied.QpsLimitForSuitekeyAndOrgAndApi", "Forbidden.AccessDenied.QpsLimitForApi",
                "Forbidden.AccessDenied.QpsLimitForSomethingNew",
            ], .throttled, status: 403, after: 1000)
        + rows(
            [
                "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi", "Forbidden.AccessDenied.QpmLimitForSomethingNew",
            ], .throttled, status: 403, after: 60_000)
        + rows(["toomuch.msg"], .throttled, after: 60_000)
        + rows(["request.too.frequent", "autoflowLikeTriggerRateLimited"], .throttled, after: 1000)
        + rows(
            ["Forbidden.AccessDenied.ApiCountLimitForOrg", "Forbidden.AccessDenied.ApiCountLimitForApp"], .quotaSpent,
            status: 403)
        + rows(["daily.call.limit", "ding.serverquota.insufficient"], .quotaSpent)
        + rows(["invalidClientIdOrSecret", "invalid.client", "needAuth", "accessKeyNotMatch"], .authDenied)
        + rows(["unauthorized.client"], .authDenied, status: 401)
        + rows(
            [
                "Forbidden.AccessDenied.AccessTokenPermissionDenied", "AccessTokenPermissionDenied",
                "Forbidden.AccessDenied.IpNotInWhiteList", "IpNotInWhiteList", "Forbidden.Whatever",
            ], .authDenied, status: 403)
        + rows(["crm.not.installed"], .unsupported)
        // Whatever a failing server says of a write, nobody knows what became of it.
        + rows(["invalidParameter", "formConverterError"], .invalidRecord, .unknownOutcome, status: 500)
        + rows(["same.data.exists"], .conflict)
        + rows(
            [
                "invalidParameter", "invalidParameter.robotCode.auth", "formConverterError", "MissingText",
                "invalidProcessCode", "invalidInstanceListIdsStartTime", "invalidNextToken", "invalidMaxResults",
                "invalidEndTime", "invalidUserIds", "aCodeNobodyKnows",
            ], .invalidRecord)
        + [
            Row("no code", .json([:], status: 400), .invalidRecord),
            Row("no code 401", .json([:], status: 401), .authDenied),
            Row("no code 403", .text("", status: 403), .authDenied),
            Row("no code 429", .json(["message": "slow down"], status: 429), .throttled, after: 1000),
            Row("empty 429", .text("", status: 429), .throttled, after: 1000),
            Row("no code 500", .json([:], status: 500), .transient, .unknownOutcome),
            Row("a gateway's page", .text("<html>502</html>", status: 502), .transient, .unknownOutcome),
            Row("empty 504", .text("", status: 504), .transient, .unknownOutcome),
            Row("empty 200", .text(""), .schemaDrift, .unknownOutcome),
            Row("half a JSON", .text("{\"result\":"), .schemaDrift, .unknownOutcome),
        ] + everywhere

    /// Neither generation's shape: a banned address, and what happens on the way.
    static let everywhere: [Row] = [
        Row("ban page", .text("\n <!DOCTYPE html><html>"), .throttled, after: 300_000),
        Row("ban page 405", .text("<html></html>", status: 405), .throttled, after: 300_000),
        Row(
            "status 1111", .json(["status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "u"]),
            .throttled,
            after: 300_000),
        Row("status \"1111\"", .json(["status": "1111", "punish": "deny"]), .throttled, after: 300_000),
        Row("a web server that is not the vendor's", .text("<html>404</html>", status: 404), .schemaDrift),
        Row("a redirect", .text("", status: 302), .schemaDrift),
        Row("no connection", .failure(.unreachable, "refused"), .unreachable),
        Row("lost on the way", .failure(.transient, "reset"), .transient),
        Row("the host's own limit", .failure(.throttled, "bucket"), .throttled),
        Row("origin not approved", .failure(.denied, "not on the list"), .authDenied),
    ]

    @Test(arguments: new) func aReadOfTheNewAPIIsClassified(_ row: Row) throws {
        let vendor = FakeDingTalk()
        vendor.always("detail", row.answer)
        let connection = try Sample.connection(Sample.host(vendor))
        let failure = #expect(throws: Failure.self) { try connection.read("approval", ids: ["pi-1"]) }
        #expect(failure?.kind == row.onRead)
        #expect(failure?.retryAfterMilliseconds == row.after)
        let once = ["token", "detail"]
        #expect(vendor.history == (row.onRead == .authExpired ? once + once : once))
    }

    @Test(arguments: new) func aWriteToTheNewAPIIsClassified(_ row: Row) throws {
        let vendor = FakeDingTalk()
        vendor.always("comment", row.answer)
        let connection = try Sample.connection(Sample.host(vendor), ["comment_user": "robot"])
        let record = FakeRecord(key: Sample.key, ["document": "pi-1", "text": "记-12"])
        let failure = try #require(try connection.write("approval-comment", [record])[0]?.failure)
        #expect(failure.kind == row.onWrite)
        #expect(failure.retryAfterMilliseconds == row.after)
        #expect(vendor.history.filter { $0 == "comment" }.count == (row.onWrite == .authExpired ? 2 : 1))
    }

    private static func old(
        _ codes: [Int64], _ onRead: Failure.Kind, _ onWrite: Failure.Kind? = nil, after: Int64? = nil
    ) -> [Row] {
        codes.flatMap { code in
            let number = JSON.number(JSONNumber(code))
            let text = JSON.string("\(code)")
            return [
                Row("\(code)", FakeDingTalk.old(number), onRead, onWrite, after: after),
                Row("\"\(code)\"", FakeDingTalk.old(text), onRead, onWrite, after: after),
                Row("88+\(code)", FakeDingTalk.gateway(number), onRead, onWrite, after: after),
                Row("\"88\"+\"\(code)\"", FakeDingTalk.gateway(text, code: "88"), onRead, onWrite, after: after),
            ]
        }
    }

    static let oldTable: [Row] =
        old([40014, 42001, 40001, 41001], .authExpired)
        + old([-1], .transient, .unknownOutcome)
        + old([90002, 90014, 90018, 45009], .throttled, after: 1000)
        + old([90005, 90006, 90007, 90008], .throttled, after: 60_000)
        + old([410100, 130101], .throttled, after: 600_000)
        + old([90020], .quotaSpent)
        + old([40089, 40078, 40096, 60020, 310000, 400101, 400102], .authDenied)
        + old([22], .unsupported)
        + [
            Row("88 alone", .json(["errcode": 88, "errmsg": "ding talk error"]), .transient, .unknownOutcome),
            Row("no errcode", .json(["errmsg": "ok"]), .schemaDrift, .unknownOutcome),
            Row("errcode null", .json(["errcode": nil]), .schemaDrift, .unknownOutcome),
            Row("empty", .text(""), .schemaDrift, .unknownOutcome),
            Row("a gateway's page", .text("<html>502</html>", status: 502), .transient, .unknownOutcome),
            Row("errcode 0 but 503", .json(["errcode": 0], status: 503), .transient, .unknownOutcome),
            Row("429", .json([:], status: 429), .throttled, after: 1000),
        ] + everywhere

    /// Permanent for one record, or only a permission: a message is refused, an approval is whole without the person.
    static let oldRecords: [Row] =
        old([400002, 40035, 33012, 60003, 60121, 43004, 12345], .invalidRecord)
        + old([400105, 400106, 400013, 430101, 430102, 430103, 430104], .invalidRecord)
        + old([60011, 50002], .authDenied)

    @Test(arguments: oldTable) func aReadOfTheOldAPIIsClassified(_ row: Row) throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        vendor.always("user", row.answer)
        let connection = try Sample.connection(Sample.host(vendor))
        let failure = #expect(throws: Failure.self) { try connection.read("approval", ids: ["pi-1"]) }
        #expect(failure?.kind == row.onRead)
        #expect(failure?.retryAfterMilliseconds == row.after)
    }

    @Test(arguments: oldRecords) func aPersonWhoCannotBeLookedUpDoesNotStopAnApproval(_ row: Row) throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        vendor.always("user", row.answer)
        let page = try Sample.connection(Sample.host(vendor)).read("approval", ids: ["pi-1"])
        let applicant = page.records.first?.document?["applicant"]
        #expect(applicant?["employee_number"] == JSON.null)
        #expect(applicant?["name"] == "张三")
    }

    @Test(arguments: oldTable + oldRecords) func aWorkNotificationIsClassified(_ row: Row) throws {
        let vendor = FakeDingTalk()
        vendor.always("notify", row.answer)
        let connection = try Sample.connection(Sample.host(vendor))
        let record = FakeRecord(key: Sample.key, ["to": ["users": ["user001"]], "title": "t", "markdown": "m"])
        let failure = try #require(try connection.write("message", [record])[0]?.failure)
        #expect(failure.kind == row.onWrite)
        #expect(failure.retryAfterMilliseconds == row.after)
        #expect(vendor.history.filter { $0 == "notify" }.count == (row.onWrite == .authExpired ? 2 : 1))
    }

    @Test(arguments: oldTable + oldRecords) func aGroupMessageIsClassifiedAndNeverRepeated(_ row: Row) throws {
        let vendor = FakeDingTalk()
        vendor.always("robot", row.answer)
        let connection = try Sample.connection(Sample.host(vendor))
        let record = FakeRecord(key: Sample.key, ["to": ["group": true], "title": "t", "markdown": "m"])
        let failure = try #require(try connection.write("message", [record])[0]?.failure)
        // There is no session behind the robot's token: whatever says "expired" is for an operator.
        #expect(failure.kind == (row.onWrite == .authExpired ? .authDenied : row.onWrite))
        #expect(vendor.history == ["robot"])
    }

    @Test func aRefusalShowsTheVendorsWordsAndItsRequestNumber() throws {
        let vendor = FakeDingTalk()
        vendor.always("detail", FakeDingTalk.bad("invalidParameter", "参数不合法"))
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(vendor)).read("approval", ids: ["x"])
        }
        #expect(failure?.vendorCode == "invalidParameter")
        #expect(failure?.messages.map(\.language) == [.zh, .en, .vendor])
        #expect(failure?.messages.last?.text == "参数不合法 [9A2B-7F]")
    }

    @Test(arguments: [
        ("invalidClientIdOrSecret", "app_secret"), ("Forbidden.AccessDenied.IpNotInWhiteList", "出口 IP"),
        ("Forbidden.AccessDenied.ApiCountLimitForOrg", "额度"),
    ])
    func aRefusalOfTheNewAPISaysWhatToDo(_ code: String, _ advice: String) throws {
        let vendor = FakeDingTalk()
        vendor.always("detail", FakeDingTalk.bad(.string(code), status: 403))
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(vendor)).read("approval", ids: ["x"])
        }
        #expect(failure?.messages.first { $0.language == .zh }?.text.contains(advice) == true)
        #expect(failure?.messages.first { $0.language == .en }?.text.contains(": ") == true)
    }

    @Test(arguments: [
        (310_000, "robot_secret"), (400_101, "robot_token"), (400_102, "启用"), (40_089, "app_secret"),
        (60_020, "出口 IP"),
    ])
    func aRefusalOfTheOldAPISaysWhatToDo(_ code: Int64, _ advice: String) throws {
        let vendor = FakeDingTalk()
        vendor.always("robot", FakeDingTalk.old(.number(JSONNumber(code))))
        let record = FakeRecord(key: Sample.key, ["to": ["group": true], "title": "t", "markdown": "m"])
        let failure = try Sample.connection(Sample.host(vendor)).write("message", [record])[0]?.failure
        #expect(failure?.messages.first { $0.language == .zh }?.text.contains(advice) == true)
    }

    @Test func aHiddenCodeIsNamedWithItsGateway() throws {
        let vendor = FakeDingTalk()
        vendor.always("notify", FakeDingTalk.gateway("60020"))
        let record = FakeRecord(key: "k", ["to": ["users": ["a"]], "title": "t", "markdown": "m"])
        let outcome = try Sample.connection(Sample.host(vendor)).write("message", [record])[0]
        #expect(outcome?.failure?.vendorCode == "88/60020")
        #expect(outcome?.failure?.messages.last?.text == "原因 [5imj]")
    }

    @Test(arguments: ["accessdenieddetail", "accessDeniedDetail"])
    func aMissingPermissionIsNamed(_ member: String) throws {
        let vendor = FakeDingTalk()
        vendor.always(
            "detail",
            .json(
                .object([
                    "code": "Forbidden.AccessDenied.AccessTokenPermissionDenied",
                    member: ["requiredScopes": ["Workflow.Instance.Read"]],
                ]), status: 403))
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(vendor)).read("approval", ids: ["x"])
        }
        #expect(failure?.kind == .authDenied)
        #expect(failure?.messages.first?.text.contains("Workflow.Instance.Read") == true)
    }

    @Test(arguments: [("7", 7000), ("0", 1000), ("soon", 1000), ("99999999", 86_400_000)])
    func aStatedPauseIsKeptWithinReason(_ header: String, _ wait: Int64) throws {
        let vendor = FakeDingTalk()
        vendor.always("detail", .reply(status: 429, headers: [(name: "Retry-After", value: header)], body: []))
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(vendor)).read("approval", ids: ["x"])
        }
        #expect(failure?.retryAfterMilliseconds == wait)
    }
}

extension Optional where Wrapped == WriteOutcome {
    var failure: Failure? { if case .refused(let failure)? = self { failure } else { nil } }
    var applied: Written? { if case .applied(let written)? = self { written } else { nil } }
}

extension WriteOutcome {
    var failure: Failure? { if case .refused(let failure) = self { failure } else { nil } }
}
