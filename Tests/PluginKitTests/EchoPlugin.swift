import PluginKit
import PluginKitTesting
import Values

/// A connector whose every ability does one small thing, so that the border is what is tested.
struct EchoConnector: Probing, Reading, Writing, Finding, Querying, Listening, Receiving, Identifying {
    static var description: JSON { ["id": "echo", "version": "1.0.0", "products": []] }

    let configuration: ConnectionConfiguration

    init(_ configuration: ConnectionConfiguration) throws(Failure) {
        if configuration.settings["refuse"] != nil {
            throw .invalidRecord(zh: "设置不对", en: "bad setting", field: "/refuse")
        }
        self.configuration = configuration
    }

    func probe(_ call: Call) throws(Failure) -> ProbeReport {
        ProbeReport(
            vendor: configuration.product, version: configuration.timeZone, fingerprint: call.isProbe ? "probe" : "",
            checks: [
                ProbeReport.Check("secrets", isGood: true, zh: "有", en: configuration.secrets.joined(separator: ","))
            ]
        )
    }

    func read(_ request: ReadRequest, into sink: ReadSink, _ call: Call) throws(Failure) {
        switch request.selection {
        case .ids(let ids):
            for id in ids { try sink.record(id: id, version: "v", ["id": .string(id)]) }
        case .page(let cursor, let since):
            try sink.hint(id: "hinted")
            try sink.deleted(id: "gone")
            if request.filter["long"] != nil { try sink.hint(id: String(repeating: "x", count: 257)) }
            try sink.page(next: cursor + Array("\(since ?? -1)".utf8), more: since != nil)
        }
    }

    func write(_ request: WriteRequest, into sink: WriteSink, _ call: Call) throws(Failure) {
        switch request.document {
        case "forgets": return
        case "twice":
            for _ in 0..<2 { try sink.report(0, .applied(Written(number: "1"))) }
        default:
            try request.each(into: sink, call) { record throws(Failure) in
                if let text = record.document["throw"]?.string {
                    let kind = Failure.Kind.allCases.first { "\($0)" == text }
                    throw Failure(
                        kind ?? .bug,
                        messages: [Failure.Message("原因", .vendor, vendorCode: "7"), Failure.Message("cause", .en)],
                        vendorCode: "11", field: "/lines/0/account", existing: "记-1", retryAfterMilliseconds: 1500)
                }
                try call.checkpoint(record.index, Array("saved \(record.key)".utf8))
                let seen = String(decoding: record.checkpoint, as: UTF8.self)
                return .applied(Written(number: record.key, id: "id", readBack: ["seen": .string(seen)]))
            }
        }
    }

    func find(_ request: FindRequest, _ call: Call) throws(Failure) -> [Written] {
        request.key == "absent"
            ? [] : [Written(number: request.key), Written(number: "second", readBack: request.sent)]
    }

    func query(_ name: String, _ parameters: JSONObject, _ call: Call) throws(Failure) -> JSON {
        switch name {
        case "send":
            var request = HTTPRequest("POST", "https://vendor.example.test/a?x=\(secret: "key")&y=1", effect: .write)
            request.header("Authorization", "Bearer \(secret: "token") end")
            request.json(.object([.init("name", "\"{secret}\""), .init("password", .secret("password"))]))
            request.http11Only = true
            if parameters["session"] != nil {
                _ = try call.session(name: "login", principal: "me").value { () throws(Failure) in
                    Session.Login(value: [1], lifetimeMilliseconds: 1)
                }
            }
            request.session = "login"
            let reply = try call.http.send(request)
            return ["status": .number(JSONNumber(Int64(reply.status))), "header": .string(reply.header("x-a") ?? "")]
        case "session":
            return try call.withSession("login", principal: "me") { () throws(Failure) in
                let reply = try call.http.send(HTTPRequest("POST", "https://vendor.example.test/login", effect: .auth))
                guard reply.status == 200 else {
                    throw Failure(.authDenied, zh: "登录被拒绝", en: "the log-in was refused")
                }
                return Session.Login(value: reply.body, lifetimeMilliseconds: 1000)
            } body: { value throws(Failure) in
                var request = HTTPRequest("GET", "https://vendor.example.test/work", effect: .read)
                request.header("token", TemplateBytes(value))
                let reply = try call.http.send(request)
                if reply.status == 401 { throw Failure(.authExpired, zh: "会话失效", en: "session gone") }
                return .string(reply.text)
            }
        case "narrow":
            return try call.withSession("narrow", principal: "me", maxInFlight: 2) { () throws(Failure) in
                Session.Login(value: [1], lifetimeMilliseconds: 1000)
            } body: { _ throws(Failure) in
                let reply = try call.http.send(HTTPRequest("GET", "https://vendor.example.test/", effect: .read))
                return .string(reply.text)
            }
        case "services":
            try call.state.put("k", try call.state.get("k") + [1])
            try call.secrets.replace("refresh", Array("new".utf8))
            call.log(.info, "hello")
            let exists = try call.secrets.exists("refresh")
            return [
                "now": .number(JSONNumber(try call.now())), "random": .string(Hex.encode(try call.random(4))),
                "exists": .bool(exists),
                "hmac": .string(Hex.encode(try call.crypto.hmac(.sha256, key: .secret("key"), [.text("x")]))),
            ]
        case "clientSecret":
            let digest = try call.crypto.digest(.sha256, [.text("b"), .secret("key"), .text("a")], sorted: true)
            return .string(Hex.encode(digest))
        default: throw Failure(.unsupported, zh: "不认识", en: "unknown query")
        }
    }

    func endpoint(_ call: Call) throws(Failure) -> ListenEndpoint {
        ListenEndpoint(
            url: "wss://vendor.example.test/s",
            headers: [HTTPRequest.Header("a", configuration.product == "leaky" ? "\(secret: "key")" : "b")],
            pingIntervalMilliseconds: 5,
            idleTimeoutMilliseconds: 9)
    }

    func frame(_ bytes: [UInt8], into sink: EventSink, _ call: Call) throws(Failure) {
        sink.hint(Hint(document: "approval", id: "1", eventID: "e", kind: "k", message: ["m": 1]))
        sink.sendNow(bytes)
        sink.sendAfterDurable([1])
        sink.reconnect("soon")
    }

    func receive(_ request: ReceivedRequest, into sink: ReceiveSink, _ call: Call) throws(Failure) {
        sink.hint(Hint(document: request.path, id: request.header("X-Id") ?? ""))
        sink.answer(status: 200, body: request.body, afterDurable: true)
    }

    func identify(_ user: String, _ call: Call) throws(Failure) -> JSON { ["user": .string(user)] }
}

private let entry = ConnectorEntry(EchoConnector.self, describe: echoDescribe)
@c(echo_describe) func echoDescribe(_ call: ABI.Call, _ sink: ABI.TextSink) -> Int32 { entry.describe(call, sink) }
@c(echo_init) func echoInit(_ host: ABI.Host) -> Int32 { entry.initialize(host) }
@c(echo_ability) func echoAbility(_ id: ABI.AbilityID) -> ABI.Ability { entry.ability(id) }
@c(echo_open) func echoOpen(_ call: ABI.Call, _ request: ABI.OpenRequest, _ slot: ABI.ConnectionSlot) -> Int32 {
    entry.open(call, request, slot)
}
@c(echo_close) func echoClose(_ connection: ABI.Connection) { entry.close(connection) }

func makeEcho() -> PluginFunctions {
    PluginFunctions(
        initialize: { echoInit($0) }, ability: { echoAbility($0) }, open: { echoOpen($0, $1, $2) },
        close: { echoClose($0) })
}
