import DingTalkSimulator
import SimulatorKit
import Testing

/// A Stream client of a test: opens connections and speaks frames.
private struct Stream {
    let ding: DingTalk
    let client: Client

    static let everything: SimJSON = [
        ["type": "EVENT", "topic": "*"], ["type": "CALLBACK", "topic": "/v1.0/im/bot/messages/get"],
    ]

    static func registration(_ subscriptions: SimJSON? = everything) -> SimJSON {
        var body: SimJSON = [
            "clientId": .string(DingTalk.key), "clientSecret": .string(DingTalk.secret), "ua": "test/1",
            "localIp": "10.0.0.8",
        ]
        body["subscriptions"] = subscriptions
        return body
    }

    func register(_ body: SimJSON = registration()) async throws -> Answer {
        try await client.ask("POST", "/v1.0/gateway/connections/open", body)
    }

    func address() async throws -> String {
        let answer = try await register().json
        return "\(answer["endpoint"]?.string ?? "")?ticket=\(answer["ticket"]?.string ?? "")"
    }

    func connect() async throws -> SocketClient {
        let before = await books()["opened"]?.int ?? 0
        let socket = try await SocketClient.open(try await address())
        try await until { await books()["opened"]?.int != before }
        return socket
    }

    func books() async -> SimJSON { await ding.simulator.books()["stream"] ?? .null }

    func push(_ index: Int) async -> SimJSON { await books()["pushes"]?[index] ?? .null }

    /// Waits until the n-th push is in the state.
    func wait(_ index: Int, _ state: String) async throws {
        try await until { await push(index)["state"]?.string == state }
    }
}

extension SocketClient {
    /// Acknowledges a frame.
    fileprivate func acknowledge(_ frame: SimJSON, code: Int = 200, _ data: SimJSON = ["status": "SUCCESS"]) {
        let answer: SimJSON = [
            "code": SimJSON(code), "message": "OK",
            "headers": ["messageId": frame["headers"]?["messageId"] ?? .null, "contentType": "application/json"],
            "data": .string(data.text),
        ]
        send(answer.text)
    }
}

private func withStream(
    _ settings: [String: String] = [:], _ body: (Stream) async throws -> Void
) async throws {
    let ding = try DingTalk(settings.merging(["ping_ms": "0"]) { given, _ in given })
    try await withServer(ding.simulator) { _, client in try await body(Stream(ding: ding, client: client)) }
}

@Suite("DingTalk: Stream", .timeLimit(.minutes(5)))
struct DingTalkStreamTests {
    @Test("a registration with a wrong pair or wrong subscriptions is refused")
    func refusesRegistration() async throws {
        try await withStream { (stream) async throws in
            var wrong = Stream.registration()
            wrong["clientSecret"] = "x"
            #expect(try await stream.register(wrong).status == 401)
            let subscriptions: [SimJSON?] = [
                nil, [], [["type": "EVENT", "topic": "bpms_instance_change"]], [["type": "EVENT"]],
                [["type": "SYSTEM", "topic": "*"]], [["type": "CALLBACK", "topic": "*"]], "*",
            ]
            for wrong in subscriptions {
                let answer = try await stream.register(Stream.registration(wrong))
                #expect(answer.status == 400)
                #expect(answer.code == "invalidParameter")
            }
            let form = try await stream.client.ask(
                "POST", "/v1.0/gateway/connections/open",
                raw: ("application/x-www-form-urlencoded", "clientId=\(DingTalk.key)&clientSecret=\(DingTalk.secret)"))
            #expect(form.code == "invalidParameter")
            #expect(await stream.books()["opened"]?.int == 0)
        }
    }

    @Test("a ticket works once, for 90 seconds, and an invented one never")
    func tickets() async throws {
        try await withStream { (stream) async throws in
            let address = try await stream.address()
            let socket = try await SocketClient.open(address)
            await #expect(throws: SocketClient.Refused.self) { try await SocketClient.open(address) }
            await #expect(throws: SocketClient.Refused.self) { try await SocketClient.open(address + "0") }
            let old = try await stream.address()
            stream.ding.clock.advance(milliseconds: 90_000)
            await #expect(throws: SocketClient.Refused.self) { try await SocketClient.open(old) }
            let plain = "/connect?" + address.split(separator: "?")[1]
            #expect(try await stream.client.ask("GET", plain).status == 401)
            socket.drop()
        }
    }

    @Test(
        "an event has the documented frame: strings in headers, the body as JSON inside text, no result but at finish")
    func frame() async throws {
        try await withStream { (stream) async throws in
            let socket = try await stream.connect()
            let made = await stream.ding.control(
                "/_sim/approvals/generate", ["count": 3, "withdrawn": 1, "running": 1, "seed": 3])["created"]
            var kinds: [String: String] = [:]
            for _ in 0..<3 {
                let frame = try await socket.json()
                #expect(frame["specVersion"] == "1.0")
                #expect(frame["type"] == "EVENT")
                for header in [
                    "appId", "connectionId", "contentType", "messageId", "time", "topic", "eventType", "eventId",
                    "eventCorpId", "eventBornTime", "eventUnifiedAppId",
                ] {
                    #expect(frame["headers"]?[header]?.string?.isEmpty == false, "\(header)")
                }
                #expect(frame["headers"]?["topic"] == "*")
                #expect(frame["headers"]?["eventType"] == "bpms_instance_change")
                #expect(frame["headers"]?["eventCorpId"] == .string(DingTalk.corp))
                let data = try SimJSON.parse(try #require(frame["data"]?.string))
                #expect(data["EventType"] == nil)
                #expect(data["processCode"] == "PROC-EXPENSE")
                #expect(data["createTime"]?.int != nil)
                kinds[data["type"]?.string ?? ""] = data["result"]?.string ?? "-"
                socket.acknowledge(frame)
            }
            #expect(kinds == ["finish": "agree", "terminate": "-", "start": "-"])
            #expect(made?.array?.count == 3)
            for index in 0..<3 { try await stream.wait(index, "done") }
        }
    }

    @Test("an event that nobody acknowledges comes again, as does one answered LATER or 500; 200 ends it")
    func again() async throws {
        try await withStream { (stream) async throws in
            let socket = try await stream.connect()
            let clock = stream.ding.clock
            await stream.ding.control("/_sim/approvals/generate", ["count": 1]).discard()
            let first = try await socket.json()
            try await until { clock.sleepers > 0 }
            clock.advance(milliseconds: 10_000)
            let second = try await socket.json()
            #expect(second["headers"]?["eventId"] == first["headers"]?["eventId"])
            #expect(second["headers"]?["messageId"] != first["headers"]?["messageId"])
            socket.acknowledge(second, ["status": "LATER"])
            try await stream.wait(0, "later")
            try await until { clock.sleepers >= 2 }
            clock.advance(milliseconds: 5_000)
            let third = try await socket.json()
            socket.acknowledge(third, code: 500)
            try await stream.wait(0, "later")
            try await until { clock.sleepers >= 3 }
            clock.advance(milliseconds: 5_000)
            let fourth = try await socket.json()
            // The vendor's own client sends the event back as data: the code decides.
            socket.acknowledge(fourth, try SimJSON.parse(fourth["data"]?.string ?? ""))
            try await stream.wait(0, "done")
            #expect(await stream.push(0)["attempts"]?.int == 4)
        }
    }

    @Test("an event waits for a connection, but not longer than the vendor keeps it")
    func waits() async throws {
        try await withStream(["retention_ms": "60000"]) { (stream) async throws in
            await stream.ding.control("/_sim/approvals/generate", ["count": 1]).discard()
            try await stream.wait(0, "waiting")
            let socket = try await stream.connect()
            socket.acknowledge(try await socket.json())
            try await stream.wait(0, "done")
            socket.drop()
            try await until { await stream.books()["connections"] == [] }
            await stream.ding.control("/_sim/approvals/generate", ["count": 1]).discard()
            try await stream.wait(1, "waiting")
            stream.ding.clock.advance(milliseconds: 60_001)
            _ = try await stream.connect()
            try await stream.wait(1, "lost: not taken in time")
        }
    }

    @Test("several connections share the pushes at random, each goes to one; a half-open one swallows its share")
    func several() async throws {
        try await withStream { (stream) async throws in
            let first = try await stream.connect()
            let second = try await stream.connect()
            let ids = stream.ding.simulator.generate(ApprovalPlan(count: 20))
            for id in ids { await stream.ding.simulator.push(id) }
            let frames = await stream.books()["connections"]?.array?.compactMap { $0["frames"]?.int } ?? []
            #expect(frames.reduce(0, +) == 20)
            #expect(frames.allSatisfy { $0 > 0 })
            let quiet = await stream.books()["connections"]?[0]?["id"] ?? .null
            await stream.ding.control("/_sim/stream/silence", ["connection": quiet]).discard()
            for id in ids { await stream.ding.simulator.push(id) }
            let after = await stream.books()["connections"]?.array?.compactMap { $0["frames"]?.int } ?? []
            for _ in 0..<frames[0] { _ = try await first.json() }
            for _ in 0..<after[1] { _ = try await second.json() }
            await stream.ding.control("/_sim/stream/drop").discard()
            // Nothing of the second round reached the half-open line.
            #expect(after[0] > frames[0])
            #expect(try await first.next() == .gone)
            #expect(try await second.next() == .gone)
        }
    }

    @Test("a connection without the subscription gets nothing of it")
    func subscription() async throws {
        try await withStream { (stream) async throws in
            let answer = try await stream.register(
                Stream.registration([["type": "CALLBACK", "topic": "/v1.0/im/bot/messages/get"]])
            ).json
            let socket = try await SocketClient.open(
                "\(answer["endpoint"]?.string ?? "")?ticket=\(answer["ticket"]?.string ?? "")")
            try await until { await stream.books()["opened"]?.int == 1 }
            await stream.ding.control("/_sim/approvals/generate", ["count": 1]).discard()
            try await stream.wait(0, "waiting")
            socket.drop()
        }
    }

    @Test("ping wants its opaque back; another answer does not count")
    func ping() async throws {
        try await withStream { (stream) async throws in
            let socket = try await stream.connect()
            await stream.ding.control("/_sim/stream/ping").discard()
            let wrong = try await socket.json()
            #expect(wrong["type"] == "SYSTEM")
            #expect(wrong["headers"]?["topic"] == "ping")
            socket.acknowledge(wrong, ["opaque": "x"])
            await stream.ding.control("/_sim/stream/ping").discard()
            let right = try await socket.json()
            socket.acknowledge(right, try SimJSON.parse(right["data"]?.string ?? ""))
            try await until { await stream.books()["pings_answered"]?.int == 1 }
            #expect(await stream.books()["pings_sent"]?.int == 2)
            socket.send("no frame")
            try await until { await stream.books()["bad_frames"]?.int == 1 }
        }
    }

    @Test("an acknowledgement carries its data as JSON inside text and says so, or it is none")
    func badAcknowledgements() async throws {
        try await withStream { (stream) async throws in
            let socket = try await stream.connect()
            await stream.ding.control("/_sim/approvals/generate", ["count": 1]).discard()
            let message = try await socket.json()["headers"]?["messageId"] ?? .null
            let good: SimJSON = [
                "code": 200, "message": "OK", "headers": ["messageId": message, "contentType": "application/json"],
                "data": .string(#"{"status":"SUCCESS"}"#),
            ]
            let bad = [
                good.with("data", ["status": "SUCCESS"]), good.with("data", nil), good.with("data", "SUCCESS"),
                good.with("headers/contentType", nil), good.with("headers/messageId", nil), good.with("code", nil),
            ]
            for frame in bad { socket.send(frame.text) }
            try await until { await stream.books()["bad_frames"]?.int == bad.count }
            #expect(await stream.push(0)["state"] == "sent")
            socket.send(good.text)
            try await stream.wait(0, "done")
        }
    }

    @Test("after disconnect the line is silent and closed 10 s later; what comes meanwhile goes to the new connection")
    func disconnect() async throws {
        try await withStream { (stream) async throws in
            let old = try await stream.connect()
            await stream.ding.control("/_sim/stream/disconnect").discard()
            let bye = try await old.json()
            #expect(bye["headers"]?["topic"] == "disconnect")
            #expect(try SimJSON.parse(bye["data"]?.string ?? "") == ["reason": "connection is expired"])
            await stream.ding.control("/_sim/approvals/generate", ["count": 1]).discard()
            try await stream.wait(0, "waiting")
            let new = try await stream.connect()
            #expect(try await new.json()["type"] == "EVENT")
            stream.ding.clock.advance(milliseconds: 10_000)
            #expect(try await old.next() == .gone)
        }
    }

    @Test("a duplicate has the same event id and another message id, even when the first was acknowledged")
    func duplicate() async throws {
        try await withStream { (stream) async throws in
            let socket = try await stream.connect()
            await stream.ding.control("/_sim/stream/duplicate", ["count": 1]).discard()
            await stream.ding.control("/_sim/approvals/generate", ["count": 1]).discard()
            let first = try await socket.json()
            socket.acknowledge(first)
            let second = try await socket.json()
            #expect(first["headers"]?["eventId"] == second["headers"]?["eventId"])
            #expect(first["headers"]?["messageId"] != second["headers"]?["messageId"])
        }
    }

    @Test("a robot message is lost while nobody is connected; a stranger has no staff id; the reply address expires")
    func robot() async throws {
        try await withStream { (stream) async throws in
            await stream.ding.control("/_sim/robot/message", ["text": "库存 A001"]).discard()
            try await stream.wait(0, "lost: nobody connected")
            let socket = try await stream.connect()
            await stream.ding.control("/_sim/robot/message", ["text": "库存 A001"]).discard()
            let frame = try await socket.json()
            #expect(frame["type"] == "CALLBACK")
            #expect(frame["headers"]?["topic"] == "/v1.0/im/bot/messages/get")
            let data = try SimJSON.parse(frame["data"]?.string ?? "")
            #expect(data["text"]?["content"] == " 库存 A001")
            #expect(data["senderStaffId"] == "user001")
            socket.acknowledge(frame, ["response": nil])
            await stream.ding.control("/_sim/robot/message", ["text": "x", "user": "guest", "group": false]).discard()
            let stranger = try SimJSON.parse(try await socket.json()["data"]?.string ?? "")
            #expect(stranger["senderStaffId"] == nil)
            #expect(stranger["text"]?["content"] == "x")
            let address = try #require(data["sessionWebhook"]?.string?.dropFirst(stream.client.base.count))
            let reply: SimJSON = ["msgtype": "text", "text": ["content": "12 台"]]
            #expect(try await stream.client.ask("POST", String(address), reply).errcode == 0)
            stream.ding.clock.advance(milliseconds: 5_400_000)
            #expect(try await stream.client.ask("POST", String(address), reply).errcode == 300_001)
            #expect(await stream.ding.simulator.books()["replies"] == [reply])
        }
    }

    @Test("with the month's pushes spent events do not come and robot messages come without text")
    func quota() async throws {
        try await withStream(["monthly_pushes": "1"]) { (stream) async throws in
            let socket = try await stream.connect()
            await stream.ding.control("/_sim/approvals/generate", ["count": 1]).discard()
            #expect(try await socket.json()["type"] == "EVENT")
            await stream.ding.control("/_sim/approvals/generate", ["count": 1]).discard()
            try await stream.wait(1, "lost: the month's pushes are spent")
            await stream.ding.control("/_sim/robot/message", ["text": "库存"]).discard()
            let data = try SimJSON.parse(try await socket.json()["data"]?.string ?? "")
            #expect(data["text"] == nil)
            #expect(data["errCode"]?.int == 20001)
        }
    }

    @Test("approvals can come one by one: each exists only once its time has come")
    func interval() async throws {
        try await withStream { (stream) async throws in
            let socket = try await stream.connect()
            let clock = stream.ding.clock
            await stream.ding.control("/_sim/approvals/generate", ["count": 2, "interval_ms": 1_000]).discard()
            try await until { clock.sleepers > 0 }
            #expect(await stream.ding.simulator.books()["instances"] == [])
            clock.advance(milliseconds: 1_000)
            socket.acknowledge(try await socket.json())
            #expect(await stream.ding.simulator.books()["instances"]?.array?.count == 1)
        }
    }

    @Test("the server asks for a sign of life by itself")
    func heartbeat() async throws {
        try await withStream(["ping_ms": "30000"]) { (stream) async throws in
            let socket = try await stream.connect()
            try await until { stream.ding.clock.sleepers > 0 }
            stream.ding.clock.advance(milliseconds: 30_000)
            #expect(try await socket.json()["headers"]?["topic"] == "ping")
        }
    }
}

extension SimJSON {
    /// Says that only the effect was wanted.
    fileprivate func discard() {}
}
