import DingTalk
import PluginKit
import PluginKitTesting
import Testing
import Values

@Suite struct StreamTests {
    // MARK: - opening

    @Test(arguments: [
        (FakeDingTalk.bad("aNameNobodyDocumented"), Failure.Kind.authDenied),
        (FakeDingTalk.bad("InvalidAuthentication", status: 401), .authDenied),
        (FakeDingTalk.bad("", status: 403), .authDenied), (.text("", status: 429), .throttled),
        (FakeDingTalk.bad("systemError", status: 500), .transient), (.failure(.unreachable, "x"), .unreachable),
        (.json([:]), .schemaDrift), (.json(["endpoint": "wss://a.test/connect"]), .schemaDrift),
        (.json(["endpoint": "wss://a.test/connect", "ticket": ""]), .schemaDrift),
        (.json(["endpoint": "https://a.test/connect", "ticket": "t"]), .schemaDrift),
    ])
    func aStreamThatDoesNotOpenSaysWhy(_ answer: FakeAnswer, _ kind: Failure.Kind) throws {
        let vendor = FakeDingTalk()
        vendor.always("stream", answer)
        let failure = #expect(throws: Failure.self) { try Sample.connection(Sample.host(vendor)).endpoint() }
        #expect(failure?.kind == kind)
        #expect(vendor.history == ["stream"])
    }

    @Test func theTicketIsEncodedAndAskedForEveryTime() throws {
        let vendor = FakeDingTalk()
        let host = Sample.host(vendor)
        let connection = try Sample.connection(host)
        let endpoint = try connection.endpoint()
        #expect(endpoint.url == "wss://stream.example.test:443/connect?ticket=t%2B%2F%3D%201")
        #expect(endpoint.pingIntervalMilliseconds == 30_000)
        #expect(endpoint.idleTimeoutMilliseconds > 60_000)
        _ = try connection.endpoint()
        #expect(vendor.history == ["stream", "stream"])
    }

    @Test func onlyEventsAreSubscribedAndNoTokenIsSent() throws {
        let host = Sample.host(FakeDingTalk())
        _ = try Sample.connection(host).endpoint()
        let request = try #require(host.requests.first)
        #expect(request.header("Accept") == "application/json")
        #expect(request.header("x-acs-dingtalk-access-token") == nil)
        #expect(request.json?["clientId"]?.string == Sample.appKey)
        #expect(request.json?["clientSecret"]?.string == Sample.appSecret)
        #expect(request.json?["subscriptions"] == [["type": "EVENT", "topic": "*"]])
        #expect(request.effect == .auth)
    }

    // MARK: - frames

    private func frame(
        _ type: String, _ topic: String, _ data: JSON, _ headers: JSONObject = ["messageId": "m-1"],
        host: FakeHost? = nil
    ) throws -> FakeEvents {
        var all: JSONObject = ["topic": .string(topic), "contentType": "application/json", "time": "1767225600000"]
        for (name, value) in headers { all[name] = value }
        let frame: JSON = ["specVersion": "1.0", "type": .string(type), "headers": .object(all), "data": data]
        return try Sample.connection(host ?? Sample.host(FakeDingTalk())).frame(frame.serialized())
    }

    private func acknowledgement(_ data: String, code: Int64 = 200) -> JSON {
        [
            "code": .number(JSONNumber(code)), "message": code == 200 ? "OK" : "not handled",
            "headers": ["messageId": "m-1", "contentType": "application/json"], "data": .string(data),
        ]
    }

    private let done = #"{"status":"SUCCESS","message":"ok"}"#

    @Test(arguments: ["", "{", "hello", "{\"type\":\"EVENT\"", "\u{0}"]) func aBrokenFrameIsDrift(_ text: String) throws
    {
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(FakeDingTalk())).frame(Array(text.utf8))
        }
        #expect(failure?.kind == .schemaDrift)
    }

    @Test(arguments: ["null", "[]", "{}", "{\"type\":\"EVENT\",\"headers\":[],\"data\":\"{}\"}"])
    func aFrameWithoutAnythingInItIsPassedOver(_ text: String) throws {
        let events = try Sample.connection(Sample.host(FakeDingTalk())).frame(Array(text.utf8))
        #expect(events.hints.isEmpty && events.sentNow.isEmpty && events.sentAfterDurable.isEmpty)
        #expect(events.reconnects.isEmpty)
    }

    @Test(arguments: [
        JSON.string("not JSON"), "{}", #"{"type":"finish"}"#, #"{"processInstanceId":"pi-1"}"#,
        #"{"processInstanceId":"","type":"finish"}"#, nil,
    ])
    func anApprovalEventThatNamesNoneIsDriftAndIsPushedAgain(_ data: JSON) throws {
        let failure = #expect(throws: Failure.self) {
            try frame("EVENT", "*", data, ["messageId": "m-1", "eventType": "bpms_instance_change"])
        }
        #expect(failure?.kind == .schemaDrift)
    }

    @Test(arguments: [JSON.string(#"{"opaque":"0a-1"}"#), ["opaque": "0a-1"]])
    func aPingIsAnsweredWithItsOwnData(_ data: JSON) throws {
        let events = try frame("SYSTEM", "ping", data)
        #expect(try events.sentNow.map { try JSON.parse($0) } == [acknowledgement(#"{"opaque":"0a-1"}"#)])
        #expect(events.sentAfterDurable.isEmpty)
    }

    @Test(arguments: [JSONObject(), ["messageId": "m-1"]])
    func aDisconnectAsksForTheNextConnectionAndIsNotAnswered(_ headers: JSONObject) throws {
        let events = try frame("SYSTEM", "disconnect", #"{"reason":"connection is expired"}"#, headers)
        #expect(events.reconnects == ["connection is expired"])
        #expect(events.sentNow.isEmpty && events.sentAfterDurable.isEmpty)
    }

    @Test(arguments: ["CONNECTED", "REGISTERED", "KEEPALIVE"]) func noticesAreNotAnswered(_ topic: String) throws {
        let events = try frame("SYSTEM", topic, "{}")
        #expect(events.sentNow.isEmpty && events.sentAfterDurable.isEmpty && events.reconnects.isEmpty)
    }

    @Test(arguments: [
        ("CALLBACK", "/v1.0/im/bot/messages/get"), ("CALLBACK", "/v1.0/card/instances/callback"), ("OTHER", "x"),
    ])
    func whatNobodyHereHandlesIsSaidSo(_ type: String, _ topic: String) throws {
        let events = try frame(type, topic, "{}")
        #expect(try events.sentNow.map { try JSON.parse($0) } == [acknowledgement("{}", code: 404)])
        #expect(events.hints.isEmpty)
    }

    @Test(arguments: [
        ("bpms_instance_change", "start"), ("bpms_instance_change", "delete"), ("bpms_task_change", "finish"),
        ("user_add_org", "finish"),
    ])
    func eventsThatFinishNothingAreAcknowledgedAtOnce(_ event: String, _ type: String) throws {
        let data = JSON.object(["processInstanceId": "pi-1", "type": .string(type)])
        let events = try frame("EVENT", "*", .string(data.text), ["messageId": "m-1", "eventType": .string(event)])
        #expect(events.hints.isEmpty)
        #expect(try events.sentNow.map { try JSON.parse($0) } == [acknowledgement(done)])
    }

    private let finished: JSON = [
        "processInstanceId": "pi-1", "processCode": "PROC-EXPENSE", "businessId": "202601010001", "title": "张三提交的报销",
        "type": "finish", "result": "agree", "createTime": 1_767_220_000_000, "staffId": "manager01",
    ]

    @Test func aFinishedApprovalIsAHintAcknowledgedOnceItIsDurable() throws {
        let host = Sample.host(FakeDingTalk())
        let events = try frame(
            "EVENT", "*", .string(finished.text),
            ["messageId": "m-1", "eventType": "bpms_instance_change", "eventId": "e-77", "eventCorpId": "ding01"],
            host: host)
        #expect(
            events.hints == [
                Hint(
                    document: "approval", id: "pi-1", eventID: "e-77", kind: "bpms_instance_change finish agree",
                    message: ["template": "PROC-EXPENSE"])
            ])
        #expect(events.sentNow.isEmpty)
        #expect(try events.sentAfterDurable.map { try JSON.parse($0) } == [acknowledgement(done)])
        #expect(host.requests.isEmpty)
    }

    @Test func aWithdrawnApprovalIsAHintToo() throws {
        let data: JSON = ["processInstanceId": "pi-1", "type": "terminate"]
        let events = try frame(
            "EVENT", "*", .string(data.text), ["messageId": "m-1", "eventType": "bpms_instance_change"])
        #expect(events.hints.map(\.kind) == ["bpms_instance_change terminate"])
    }

    @Test func theEventMayStandInTheBodyAndTheBodyMayBeNoText() throws {
        var body = try #require(finished.object)
        body["EventType"] = "bpms_instance_change"
        body["eventId"] = "e-78"
        let events = try frame("EVENT", "*", .object(body))
        #expect(events.hints.map(\.eventID) == ["e-78"])
    }

    @Test func theSameEventHasTheSameIdHoweverOftenItComes() throws {
        let headers: JSONObject = ["eventType": "bpms_instance_change"]
        func id(_ message: String, _ more: JSONObject) throws -> String? {
            var all = headers
            all["messageId"] = .string(message)
            for (name, value) in more { all[name] = value }
            return try frame("EVENT", "*", .string(finished.text), all).hints.first?.eventID
        }
        #expect(try id("m-1", ["eventId": "e-1"]) == id("m-2", ["eventId": "e-1"]))
        #expect(try id("m-1", ["eventId": "e-1"]) != id("m-1", ["eventId": "e-2"]))
        #expect(try id("m-1", [:]) == "pi-1/finish/agree")
        #expect(try id("m-2", [:]) == "pi-1/finish/agree")
    }

    @Test func anEventWithoutAMessageIdIsHeardAndCannotBeAcknowledged() throws {
        let events = try frame("EVENT", "*", .string(finished.text), ["eventType": "bpms_instance_change"])
        #expect(events.hints.count == 1)
        #expect(events.sentNow.isEmpty && events.sentAfterDurable.isEmpty)
    }
}
