import DingTalk
import PluginKit
import PluginKitTesting
import Testing
import Values

@Suite struct CommentTests {
    private func write(_ connection: FakeConnection, _ document: JSON) throws -> WriteOutcome? {
        try connection.write("approval-comment", [FakeRecord(key: Sample.key, document)])[0]
    }

    @Test(arguments: [
        JSON.object([:]), ["document": "pi-1"], ["text": "x"], ["document": "", "text": "x"],
        ["document": "pi-1", "text": ""],
    ])
    func anIncompleteCommentIsRefused(_ document: JSON) throws {
        let vendor = FakeDingTalk()
        let outcome = try write(try Sample.connection(Sample.host(vendor)), document)
        #expect(outcome.failure?.kind == .invalidRecord)
        #expect(vendor.history.isEmpty)
    }

    static let refusals: [(answer: JSON, kind: Failure.Kind)] = [
        (["success": false, "result": false], .invalidRecord), (["success": "false"], .invalidRecord),
        (["success": true, "result": false], .invalidRecord), ([:], .unknownOutcome),
        (["requestId": "x"], .unknownOutcome),
    ]

    @Test(arguments: refusals)
    func anAnswerThatDoesNotSayYesIsNoComment(_ answer: JSON, _ kind: Failure.Kind) throws {
        let vendor = FakeDingTalk()
        vendor.always("comment", .json(answer))
        let connection = try Sample.connection(Sample.host(vendor), ["comment_user": "u"])
        #expect(try write(connection, ["document": "pi-1", "text": "x"]).failure?.kind == kind)
    }

    @Test func aCommentOnAnApprovalThatIsGoneIsRefused() throws {
        let vendor = FakeDingTalk()
        let outcome = try write(try Sample.connection(Sample.host(vendor)), ["document": "gone", "text": "x"])
        #expect(outcome.failure?.kind == .invalidRecord)
        #expect(outcome.failure?.field == "/document")
        #expect(vendor.history == ["token", "detail"])
    }

    @Test func aLostAnswerIsAnUnknownOutcome() throws {
        let vendor = FakeDingTalk()
        vendor.always("comment", .failure(.unknownOutcome, "closed"))
        let connection = try Sample.connection(Sample.host(vendor), ["comment_user": "u"])
        #expect(try write(connection, ["document": "pi-1", "text": "x"]).failure?.kind == .unknownOutcome)
    }

    @Test(arguments: [JSON.object(["success": true, "result": true]), ["success": "true"], ["result": true]])
    func theApplicantCommentsUnlessAnotherIsNamed(_ answer: JSON) throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        vendor.always("comment", .json(answer))
        let host = Sample.host(vendor)
        let first = try write(try Sample.connection(host), ["document": "pi-1", "text": "凭证 记-12"])
        #expect(first.applied == Written(number: "pi-1", id: "pi-1"))
        #expect(
            host.requests.last?.json == ["processInstanceId": "pi-1", "text": "凭证 记-12", "commentUserId": "user001"])
        #expect(host.requests.last?.effect == .write)
        vendor.forget()
        _ = try write(try Sample.connection(host, ["comment_user": "clerk"]), ["document": "pi-1", "text": "x"])
        #expect(host.requests.last?.json?["commentUserId"] == "clerk")
        #expect(vendor.history == ["comment"])
    }

    @Test(arguments: [
        (String(repeating: "长", count: 1024), String(repeating: "长", count: 1024)),
        (String(repeating: "长", count: 1025), String(repeating: "长", count: 1023) + "…"),
        // A character of two units that does not fit wholly is left out wholly.
        (String(repeating: "长", count: 1022) + "😀😀", String(repeating: "长", count: 1022) + "…"),
    ])
    func aLongCommentIsCutWhereTheVendorWouldRefuseIt(_ text: String, _ sent: String) throws {
        let host = Sample.host(FakeDingTalk())
        let connection = try Sample.connection(host, ["comment_user": "clerk"])
        _ = try write(connection, ["document": "pi-1", "text": .string(text)])
        #expect(host.requests.last?.json?["text"]?.string == sent)
        #expect(sent.utf16.count <= 1024)
    }

    // MARK: - find

    private func find(_ remarks: [JSON], _ sent: JSON?) throws -> [Written] {
        let vendor = FakeDingTalk()
        let records = remarks.map { JSON.object(["userId": "u", "type": "ADD_REMARK", "remark": $0]) }
        vendor.put("pi-1", Sample.approval(["operationRecords": .array(records)]))
        return try Sample.connection(Sample.host(vendor)).find("approval-comment", key: Sample.key, sent: sent)
    }

    @Test func withoutItsTextACommentCannotBeLookedFor() throws {
        let failure = #expect(throws: Failure.self) { try find(["记-12"], .none) }
        #expect(failure?.kind == .unsupported)
    }

    @Test(arguments: [[], [JSON.null], ["同意"], ["记-123"], ["原 记-12"]] as [[JSON]])
    func anotherRemarkIsNotOurs(_ remarks: [JSON]) throws {
        #expect(try find(remarks, ["document": "pi-1", "text": "记-12"]).isEmpty)
    }

    @Test func theSameRemarkIsFoundOnce() throws {
        let found = try find(["同意", " 记-12\n", "记-12"], ["document": "pi-1", "text": "记-12"])
        #expect(found == [Written(number: "pi-1", id: "pi-1")])
        let long = String(repeating: "长", count: 2000)
        let cut = JSON.string(String(repeating: "长", count: 1023) + "…")
        #expect(try find([cut], ["document": "pi-1", "text": .string(long)]).count == 1)
    }

    @Test(arguments: ["message", "voucher"]) func nothingElseCanBeLookedFor(_ document: String) throws {
        let vendor = FakeDingTalk()
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(vendor)).find(document, key: "k", sent: [:])
        }
        #expect(failure?.kind == .unsupported)
        #expect(vendor.history.isEmpty)
    }
}

@Suite struct MessageTests {
    private func write(_ connection: FakeConnection, _ document: JSON) throws -> WriteOutcome? {
        try connection.write("message", [FakeRecord(key: Sample.key, document)])[0]
    }

    private func message(_ to: JSON, _ markdown: String = "### 日报") -> JSON {
        ["to": to, "title": "营收日报", "markdown": .string(markdown)]
    }

    @Test(arguments: [
        JSON.object(["to": ["group": true], "title": "t"]), ["to": ["group": true], "markdown": "m"],
        ["title": "t", "markdown": "m"], ["to": ["group": false], "title": "t", "markdown": "m"],
        ["to": ["users": []], "title": "t", "markdown": "m"], ["to": ["users": "a"], "title": "t", "markdown": "m"],
        ["to": ["users": ["a", nil]], "title": "t", "markdown": "m"],
        ["to": ["users": ["a,b"]], "title": "t", "markdown": "m"],
        .object([
            "to": ["users": .array((0...100).map { .string("u\($0)") })], "title": "t", "markdown": "m",
        ]),
    ])
    func aMessageThatCannotBeSentIsRefusedBeforeItIs(_ document: JSON) throws {
        let vendor = FakeDingTalk()
        let outcome = try write(try Sample.connection(Sample.host(vendor)), document)
        #expect(outcome.failure?.kind == .invalidRecord)
        #expect(vendor.history.isEmpty)
    }

    @Test func anotherTypeIsNotWritten() throws {
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(FakeDingTalk())).write("voucher", [FakeRecord(key: "k", [:])])
        }
        #expect(failure?.kind == .unsupported)
    }

    @Test func aGroupWithoutARobotAndUsersWithoutAnAgentAreRefused() throws {
        let vendor = FakeDingTalk()
        let host = Sample.host(vendor, secrets: ["app_key": Sample.appKey, "app_secret": Sample.appSecret])
        let connection = try Sample.connection(host, ["agent_id": nil])
        #expect(try write(connection, message(["group": true])).failure?.kind == .invalidRecord)
        #expect(try write(connection, message(["users": ["user001"]])).failure?.kind == .invalidRecord)
        #expect(vendor.history.isEmpty)
    }

    @Test func whatIsTooLongIsRefused() throws {
        let vendor = FakeDingTalk()
        let connection = try Sample.connection(Sample.host(vendor))
        let long = try write(connection, message(["users": ["user001"]], String(repeating: "长", count: 700)))
        #expect(long.failure?.field == "/markdown")
        let longer = try write(connection, message(["group": true], String(repeating: "x", count: 20_000)))
        #expect(longer.failure?.field == "/markdown")
        #expect(vendor.history.isEmpty)
        #expect(try write(connection, message(["group": true], String(repeating: "长", count: 700))).applied != nil)
    }

    @Test func onceTheConnectionIsInTroubleNothingMoreIsSent() throws {
        let vendor = FakeDingTalk()
        vendor.always("robot", FakeDingTalk.old(410100))
        let records = (0..<3).map { FakeRecord(key: "k\($0)", message(["group": true])) }
        let outcomes = try Sample.connection(Sample.host(vendor)).write("message", records)
        #expect(outcomes.map { $0.failure?.kind } == [.throttled, .throttled, .throttled])
        #expect(outcomes.last??.failure?.retryAfterMilliseconds == 600_000)
        #expect(vendor.history == ["robot"])
    }

    @Test func theSignatureIsTheVendorsOwn() throws {
        let host = Sample.host(FakeDingTalk())
        #expect(try write(try Sample.connection(host), message(["group": true])).applied?.number == Sample.key)
        let request = try #require(host.requests.first)
        #expect(
            request.url == "https://oapi.example.test/robot/send?access_token=robot%2Btoken%2F0123"
                + "&timestamp=1767225600000&sign=i2c5tiV6h%2F3SNAw2dFLqlaqeECJxGo%2F5aOpgXbGdttM%3D")
        #expect(request.insertions.map(\.part) == ["url"])
        #expect(request.insertions.map(\.expression) == ["robot_token | url"])
        #expect(request.effect == .write)
        #expect(
            request.json == [
                "msgtype": "markdown", "markdown": ["title": "营收日报", "text": "### 日报"], "at": ["isAtAll": false],
                "msgUuid": .string(Sample.key),
            ])
    }

    @Test func aRobotWithoutASecretIsNotSigned() throws {
        var secrets = Sample.everySecret
        secrets["robot_secret"] = nil
        let host = Sample.host(FakeDingTalk(), secrets: secrets)
        #expect(try write(try Sample.connection(host), message(["group": true])).applied != nil)
        #expect(host.requests.first?.url == "https://oapi.example.test/robot/send?access_token=robot%2Btoken%2F0123")
    }

    @Test(arguments: [JSON.number(JSONNumber(0)), "0"]) func zeroIsGoodAsNumberAndAsText(_ zero: JSON) throws {
        let vendor = FakeDingTalk()
        vendor.always("robot", .json(["errcode": zero, "errmsg": "ok"]))
        #expect(try write(try Sample.connection(Sample.host(vendor)), message(["group": true])).applied != nil)
    }

    @Test func aWorkNotificationGoesToItsUsersUnderTheAppsNumber() throws {
        let host = Sample.host(FakeDingTalk())
        let outcome = try write(try Sample.connection(host), message(["users": ["user001", "user002"]]))
        // Beyond what a floating point number holds.
        #expect(outcome.applied?.number == "9007199254740993")
        #expect(
            host.requests.last?.json == [
                "agent_id": 3_001_002_003, "userid_list": "user001,user002",
                // The vendor drops the same text to the same person on one day without a word: the time makes it another.
                "msg": [
                    "msgtype": "markdown",
                    "markdown": ["title": "营收日报", "text": "### 日报\n\n> 2026-01-01 08:00:00"],
                ],
            ])
        #expect(host.requests.last?.effect == .write)
    }

    @Test func anAcceptedNotificationWithoutItsTaskIsUnknown() throws {
        let vendor = FakeDingTalk()
        vendor.always("notify", .json(["errcode": 0]))
        let outcome = try write(try Sample.connection(Sample.host(vendor)), message(["users": ["user001"]]))
        #expect(outcome.failure?.kind == .unknownOutcome)
    }
}
