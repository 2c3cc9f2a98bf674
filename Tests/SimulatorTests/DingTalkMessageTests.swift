import DingTalkSimulator
import SimulatorKit
import Testing

@Suite("DingTalk: people")
struct DingTalkContactTests {
    @Test("a person or department that is not there, or not named, is refused")
    func refuses() async throws {
        let ding = try DingTalk()
        #expect(await ding.old("/topapi/v2/user/get", ["userid": "nobody"]).errcode == 60121)
        #expect(await ding.old("/topapi/v2/user/get", [:]).errcode == 40035)
        #expect(await ding.old("/topapi/v2/department/get", ["dept_id": 9999]).errcode == 60003)
        #expect(await ding.old("/topapi/v2/department/get", [:]).errcode == 40035)
        #expect(await ding.old("/topapi/v2/department/listsubid", [:]).errcode == 40035)
        #expect(await ding.old("/topapi/user/listid", ["dept_id": 9999]).errcode == 60003)
    }

    @Test("everybody is found by walking the departments; numbers may be missing or shared")
    func walk() async throws {
        let ding = try DingTalk(["calls_per_second": "1000", "tokens_per_minute": "1000"])
        var open = [1]
        var people: [String] = []
        var departments = 0
        while let department = open.popLast() {
            departments += 1
            let body: SimJSON = ["dept_id": SimJSON(department)]
            let below = await ding.old("/topapi/v2/department/listsubid", body).json["result"]?["dept_id_list"]
            let listed = await ding.old("/topapi/v2/department/listsub", body).json["result"]
            #expect(listed?.array?.map { $0["dept_id"] } == below?.array)
            open += below?.array?.compactMap(\.int) ?? []
            people +=
                await ding.old("/topapi/user/listid", body).json["result"]?["userid_list"]?.array?.compactMap(\.string)
                ?? []
        }
        #expect(departments == 10)
        #expect(people.count == 42)
        var numbers: [String: Int] = [:]
        for id in people {
            let person = await ding.old("/topapi/v2/user/get", ["userid": .string(id)]).json["result"]
            numbers[person?["job_number"]?.string ?? "", default: 0] += 1
            #expect(person?["unionid"]?.string != person?["userid"]?.string)
        }
        #expect(numbers[""] == 1)
        #expect(numbers.values.contains(2))
    }

    @Test("a body of the old generation is JSON or a form, and says so")
    func contentType() async throws {
        let ding = try DingTalk()
        let target = "/topapi/v2/user/get?access_token=\(await ding.token())"
        for headers in [[], [("Content-Type", "text/plain")]] as [[(name: String, value: String)]] {
            #expect(await ding.ask("POST", target, ["userid": "user001"], headers: headers).errcode == 43_004)
        }
        #expect(await ding.ask("POST", target).errcode == 40_035)
    }

    @Test("the old generation also takes a form")
    func form() async throws {
        let ding = try DingTalk()
        let response = await ding.simulator.handle(
            SimRequest(
                method: "POST", target: "/topapi/v2/user/get?access_token=\(await ding.token())",
                headers: [("Content-Type", "application/x-www-form-urlencoded")], body: Array("userid=user002".utf8)))
        #expect(try SimJSON.parse(response.body)["result"]?["name"] == "李四")
    }
}

@Suite("DingTalk: custom robot")
struct DingTalkRobotTests {
    private static let secret = "SEC0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    private static let robot =
        "/robot/send?access_token=5f2d0c7a9b8e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a29181706"
    private static let worded =
        "/robot/send?access_token=1111111122222222333333334444444455555555666666667777777788888888"
    /// A signature computed apart from the simulator: this secret at 1767225600000, which is when the clock starts.
    private static let signed = "&timestamp=1767225600000&sign=i2c5tiV6h%2F3SNAw2dFLqlaqeECJxGo%2F5aOpgXbGdttM%3D"

    private static func report(_ uuid: String? = nil) -> SimJSON {
        var body: SimJSON = ["msgtype": "markdown", "markdown": ["title": "日报", "text": "### 日报"]]
        if let uuid { body["msgUuid"] = .string(uuid) }
        return body
    }

    @Test("the published vector is taken; a wrong or missing signature, or an hour's difference, is 310000")
    func sign() async throws {
        let ding = try DingTalk()
        #expect(await ding.ask("POST", Self.robot + Self.signed, Self.report()).errcode == 0)
        let wrong = await ding.ask("POST", Self.robot + "&timestamp=1767225600001&sign=i2c5tiV6h", Self.report())
        #expect(wrong.status == 200)
        #expect(wrong.errcode == 310_000)
        #expect(wrong.json["errmsg"] == "sign not match")
        #expect(await ding.ask("POST", Self.robot, Self.report()).json["errmsg"] == "invalid timestamp")
        // The sign must be escaped: a plus or slash sent raw is another text.
        ding.clock.advance(milliseconds: 3_600_000)
        #expect(await ding.ask("POST", Self.robot + Self.signed, Self.report()).errcode == 0)
        ding.clock.advance(milliseconds: 1)
        let late = await ding.ask("POST", Self.robot + Self.signed, Self.report())
        #expect(late.json["errmsg"] == "invalid timestamp")
    }

    @Test("a robot with a keyword wants it in the shown text")
    func keyword() async throws {
        let ding = try DingTalk()
        let bare: SimJSON = ["msgtype": "text", "text": ["content": "hello"], "msgUuid": "日报"]
        #expect(await ding.ask("POST", Self.worded, bare).json["errmsg"] == "keywords not in content")
        #expect(await ding.ask("POST", Self.worded, Self.report()).errcode == 0)
    }

    @Test("an unknown robot, a wrong type, a missing part or header is refused with HTTP 200")
    func refuses() async throws {
        let ding = try DingTalk()
        let card: SimJSON = ["title": "日报", "text": "日报"]
        let cases: [(String, SimJSON?, String, Int)] = [
            ("/robot/send?access_token=x", Self.report(), "application/json", 400_101),
            (Self.worded, ["msgtype": "song"], "application/json", 400_105),
            (Self.worded, ["msgtype": "markdown"], "application/json", 40_035),
            (Self.worded, ["msgtype": "markdown", "markdown": ["text": "日报"]], "application/json", 40_035),
            (Self.worded, ["msgtype": "markdown", "markdown": ["title": "日报"]], "application/json", 40_035),
            (Self.worded, ["msgtype": "text", "text": ["content": ""]], "application/json", 40_035),
            (Self.worded, ["msgtype": "link", "link": card], "application/json", 40_035),
            (Self.worded, ["msgtype": "actionCard", "actionCard": card], "application/json", 40_035),
            (
                Self.worded, ["msgtype": "actionCard", "actionCard": card.with("singleTitle", "看")],
                "application/json", 40_035
            ),
            (
                Self.worded, ["msgtype": "actionCard", "actionCard": card.with("btns", [])], "application/json",
                40_035
            ),
            (Self.worded, ["msgtype": "feedCard", "feedCard": ["links": []]], "application/json", 40_035),
            (Self.worded, nil, "application/json", 40_035),
            (Self.worded, Self.report(), "text/plain", 43_004),
        ]
        for (target, body, type, errcode) in cases {
            let answer = await ding.ask("POST", target, body, headers: [("Content-Type", type)])
            #expect(answer.status == 200)
            #expect(answer.errcode == errcode, "\(body?.text ?? "") \(type)")
        }
        let single = card.with("singleTitle", "看").with("singleURL", "https://example.com")
        for content in [single, card.with("btns", [["title": "看", "actionURL": "https://example.com"]])] {
            let taken = await ding.ask("POST", Self.worded, ["msgtype": "actionCard", "actionCard": content])
            #expect(taken.errcode == 0)
        }
        _ = await ding.control("/_sim/robot/stop")
        #expect(await ding.ask("POST", Self.worded, Self.report()).errcode == 400_102)
        #expect(await ding.simulator.books()["messages"]?.array?.count == 2)
        _ = await ding.control("/_sim/robot/stop", ["stopped": false])
        #expect(await ding.ask("POST", Self.worded, Self.report()).errcode == 0)
    }

    @Test("the same msgUuid is delivered once")
    func once() async throws {
        let ding = try DingTalk()
        for _ in 0..<3 { #expect(await ding.ask("POST", Self.worded, Self.report("r-1")).errcode == 0) }
        #expect(await ding.ask("POST", Self.worded, Self.report("r-2")).errcode == 0)
        #expect(await ding.simulator.books()["messages"]?.array?.count == 2)
    }

    @Test("the 21st message of a minute shuts the robot for ten minutes; errcode may be text")
    func throttle() async throws {
        let ding = try DingTalk()
        var texts = 0
        for number in 0..<20 {
            let answer = await ding.ask("POST", Self.worded, Self.report("m-\(number)"))
            #expect(answer.errcode == 0)
            if answer.json["errcode"]?.string != nil { texts += 1 }
        }
        #expect((1..<20).contains(texts))
        #expect(await ding.ask("POST", Self.worded, Self.report("m-20")).errcode == 410_100)
        // A robot that is shut takes nothing, not even what it has delivered already.
        #expect(await ding.ask("POST", Self.worded, Self.report("m-0")).errcode == 410_100)
        ding.clock.advance(milliseconds: 599_999)
        #expect(await ding.ask("POST", Self.worded, Self.report("m-20")).errcode == 410_100)
        ding.clock.advance(milliseconds: 1)
        #expect(await ding.ask("POST", Self.worded, Self.report("m-20")).errcode == 0)
    }
}

@Suite("DingTalk: work notifications")
struct DingTalkNotificationTests {
    private static let send = "/topapi/message/corpconversation/asyncsend_v2"

    private func body(_ change: (inout SimJSON) -> Void = { _ in }) -> SimJSON {
        var body: SimJSON = [
            "agent_id": 3_001_002_003, "userid_list": "user001,nobody",
            "msg": ["msgtype": "markdown", "markdown": ["title": "提醒", "text": "请补充科目"]],
        ]
        change(&body)
        return body
    }

    @Test("a wrong agent, no receiver, too many of them or too long a message is refused")
    func refuses() async throws {
        let ding = try DingTalk()
        let changes: [(inout SimJSON) -> Void] = [
            { $0["agent_id"] = 1 }, { $0["userid_list"] = nil },
            { $0["userid_list"] = .string((0...100).map { "u\($0)" }.joined(separator: ",")) },
            {
                $0["userid_list"] = nil
                $0["dept_id_list"] = .string((1...21).map { "\($0)" }.joined(separator: ","))
            },
            { $0["msg"] = ["msgtype": "text", "text": ["content": .string(String(repeating: "长", count: 700))]] },
        ]
        for change in changes {
            let answer = await ding.old(Self.send, body(change))
            #expect(answer.errcode == 88)
            #expect(answer.json["sub_code"] == "400002")
        }
        let messages: [SimJSON?] = [
            nil, ["msgtype": "markdown"], ["msgtype": "markdown", "markdown": ["text": "t"]],
            ["msgtype": "markdown", "markdown": ["title": "t", "text": ""]], ["msgtype": "text", "text": [:]],
        ]
        for message in messages {
            #expect(await ding.old(Self.send, body { $0["msg"] = message }).errcode == 40_035)
        }
    }

    @Test("a person gets 500 a day, and 5000 receivers are served a minute; the rest is dropped without a word")
    func silentLimits() async throws {
        let ding = try DingTalk(["calls_per_second": "10000", "monthly_calls": "10000"])
        let token = await ding.token()
        func send(_ number: Int, _ change: (inout SimJSON) -> Void) async throws -> [SimJSON] {
            let message: SimJSON = ["msgtype": "text", "text": ["content": .string("第\(number)条")]]
            let answer = await ding.ask(
                "POST", "\(Self.send)?access_token=\(token)",
                body {
                    $0["msg"] = message
                    change(&$0)
                })
            #expect(answer.errcode == 0)
            let task = answer.json["task_id"] ?? .null
            let result = await ding.ask(
                "POST", "/topapi/message/corpconversation/getsendresult?access_token=\(token)",
                ["agent_id": 3_001_002_003, "task_id": task])
            return try #require(result.json["send_result"]?["unread_user_id_list"]?.array)
        }
        for number in 1...500 {
            #expect(try await send(number) { $0["userid_list"] = "user001" } == ["user001"])
        }
        #expect(try await send(501) { $0["userid_list"] = "user001" } == [])
        #expect(try await send(502) { $0["userid_list"] = "user002" } == ["user002"])
        // The next minute: 119 times 42 people are 4998.
        ding.clock.advance(milliseconds: 60_000)
        for number in 1...119 {
            #expect(try await send(1_000 + number) { $0["to_all_user"] = true }.count >= 41)
        }
        #expect(try await send(2_000) { $0["to_all_user"] = true } == [])
        ding.clock.advance(milliseconds: 60_000)
        #expect(try await send(2_001) { $0["to_all_user"] = true }.count >= 41)
    }

    @Test("errcode 0 is not delivery: strangers show in the result, the same text of the day is dropped silently")
    func asynchronous() async throws {
        let ding = try DingTalk()
        let path = "/topapi/message/corpconversation/getsendresult"
        func result(_ answer: Answer) async -> SimJSON? {
            let task = answer.json["task_id"] ?? .null
            return await ding.old(path, ["agent_id": 3_001_002_003, "task_id": task]).json["send_result"]
        }
        let first = await ding.old(Self.send, body())
        #expect(first.errcode == 0)
        let shown = await result(first)
        #expect(shown?["invalid_user_id_list"] == ["nobody"])
        #expect(shown?["unread_user_id_list"] == ["user001"])
        let again = await ding.old(Self.send, body())
        #expect(again.errcode == 0)
        #expect(await result(again)?["unread_user_id_list"] == [])
        ding.clock.advance(milliseconds: 86_400_000)
        #expect(await result(await ding.old(Self.send, body()))?["unread_user_id_list"] == ["user001"])
        #expect(await ding.old(path, ["agent_id": 3_001_002_003, "task_id": 1]).json["sub_code"] == "400002")
        let task = first.json["task_id"] ?? .null
        #expect(await ding.old(path, ["agent_id": 1, "task_id": task]).json["sub_code"] == "400002")
    }
}

@Suite("DingTalk: the application's own robot")
struct DingTalkAppRobotTests {
    private func body(_ change: (inout SimJSON) -> Void = { _ in }) -> SimJSON {
        var body: SimJSON = [
            "robotCode": .string(DingTalk.key), "openConversationId": "cidSample0001==",
            "userIds": ["user001", "nobody"], "msgKey": "sampleMarkdown",
            "msgParam": .string((["title": "日报", "text": "### 日报"] as SimJSON).text),
        ]
        change(&body)
        return body
    }

    @Test("each part that is missing or wrong has its own code")
    func refuses() async throws {
        let ding = try DingTalk()
        let shared: [((inout SimJSON) -> Void, String)] = [
            ({ $0["robotCode"] = nil }, "invalidParameter.robotCode.empty"),
            ({ $0["robotCode"] = "x" }, "invalidParameter.robotCode.notExsit"),
            ({ $0["msgKey"] = "" }, "invalidParameter.msgKey.empty"),
            ({ $0["msgKey"] = "markdown" }, "invalidParameter.msgKey.invalid"),
            ({ $0["msgKey"] = "sampleActionCard7" }, "invalidParameter.msgKey.invalid"),
            ({ $0["msgParam"] = ["title": "t", "text": "t"] }, "invalidParameter.msgParam.invalid"),
            ({ $0["msgParam"] = "{\"text\":\"t\"}" }, "invalidParameter.msgParam.invalid"),
            (
                { $0["msgParam"] = .string("{\"title\":\"t\",\"text\":\"\(String(repeating: "长", count: 5_000))\"}") },
                "invalidParameter.msgParam.tooLong"
            ),
        ]
        let group: [((inout SimJSON) -> Void, String)] = [
            ({ $0["openConversationId"] = nil }, "miss.openConversationId"),
            ({ $0["openConversationId"] = "cidOther" }, "invalid.openConversationId"),
        ]
        let person: [((inout SimJSON) -> Void, String)] = [
            ({ $0["userIds"] = [] }, "invalidParameter.userIds.empty"),
            ({ $0["userIds"] = SimJSON((0...20).map { "u\($0)" }) }, "invalidParameter.userIds.overMax"),
        ]
        for (path, cases) in [("groupMessages/send", shared + group), ("oToMessages/batchSend", shared + person)] {
            for (change, code) in cases {
                let answer = await ding.new("POST", "/v1.0/robot/\(path)", body(change))
                #expect(answer.status == 400)
                #expect(answer.code == code)
            }
        }
        #expect(await ding.simulator.books()["app_messages"] == [])
    }

    @Test("a message to people succeeds as a whole and names those it did not reach")
    func partial() async throws {
        let ding = try DingTalk()
        let answer = await ding.new("POST", "/v1.0/robot/oToMessages/batchSend", body()).json
        #expect(answer["invalidStaffIdList"] == ["nobody"])
        #expect(answer["flowControlledStaffIdList"] == [])
        #expect(await ding.new("POST", "/v1.0/robot/groupMessages/send", body()).json["processQueryKey"] != nil)
        #expect(await ding.simulator.books()["app_messages"]?[0]?["to"]?["users"] == ["user001"])
        try await withServer(ding.simulator) { (server, client) async throws in
            server.faults.add(Fault(match: "app.person", kind: .vendor("flowControl"), times: 1))
            let slowed = try await client.ask("POST", "/v1.0/robot/oToMessages/batchSend", body())
            #expect(slowed.status == 200)
            #expect(slowed.json["flowControlledStaffIdList"] == ["user001", "nobody"])
        }
    }

    @Test("a DING needs what the edition has left, and not too many people")
    func ding() async throws {
        let standard = try DingTalk()
        let path = "/v1.0/robot/ding/send"
        let body: SimJSON = [
            "robotCode": .string(DingTalk.key), "remindType": 1, "receiverUserIdList": ["manager01"], "content": "日报",
        ]
        #expect(await standard.new("POST", path, body).code == "ding.serverquota.insufficient")
        let paid = try DingTalk(["dings": "1"])
        let names: [String] = (0...200).map { "u\($0)" }
        let crowd = SimJSON(names)
        let changes: [(String, SimJSON, String)] = [
            ("robotCode", "x", "invalid.chatbotId"), ("receiverUserIdList", [], "miss.staffId"),
            ("remindType", 4, "send.ding.exception"), ("content", "", "send.ding.exception"),
            ("receiverUserIdList", crowd, "ding.receivercount.limit"),
        ]
        for (key, value, code) in changes {
            var wrong = body
            wrong[key] = value
            #expect(await paid.new("POST", path, wrong).code == code)
        }
        // By telephone only twenty.
        let calls = body.with("remindType", 3).with("receiverUserIdList", SimJSON(Array(names.prefix(21))))
        #expect(await paid.new("POST", path, calls).code == "ding.receivercount.limit")
        #expect(await paid.new("POST", path, body).json["openDingId"]?.string?.isEmpty == false)
        #expect(await paid.new("POST", path, body).code == "ding.serverquota.insufficient")
    }
}
