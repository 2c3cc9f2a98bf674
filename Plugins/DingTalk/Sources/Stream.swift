import PluginKit
import Values

/// The Stream mode: a ticketed WebSocket whose socket the host owns.
struct Stream {
    let client: Client

    func open(_ call: Call) throws(Failure) -> ListenEndpoint {
        let body: JSONTemplate = .object([
            .init("clientId", .secret("app_key")), .init("clientSecret", .secret("app_secret")),
            .init("localIp", .string("127.0.0.1")), .init("ua", .string("datong/0.1.0")),
            // Events only: a subscribed callback that nobody here answers would be taken from who does.
            .init("subscriptions", [["type": "EVENT", "topic": "*"]]),
        ])
        let answer: JSON
        do {
            answer = try client.bare(
                TemplateBytes(client.settings.base + "/v1.0/gateway/connections/open"), body, effect: .auth,
                isOld: false,
                call)
        } catch {
            // The code of a bad pair is not documented: any refusal but a limit is for an operator [DOC].
            throw error.kind == .invalidRecord ? error.as(.authDenied) : error
        }
        guard let endpoint = answer["endpoint"]?.string, let ticket = Text.filled(answer["ticket"]),
            endpoint.hasPrefix("ws://") || endpoint.hasPrefix("wss://")
        else {
            throw Failure(
                .schemaDrift, zh: "长连接应答没有 endpoint 或 ticket", en: "no endpoint or ticket in the stream's answer")
        }
        return ListenEndpoint(
            url: endpoint + "?ticket=" + Percent.encode(ticket), pingIntervalMilliseconds: Limits.pingMilliseconds,
            idleTimeoutMilliseconds: Limits.idleMilliseconds)
    }

    func frame(_ bytes: [UInt8], into sink: EventSink) throws(Failure) {
        let frame: JSON
        do { frame = try JSON.parse(bytes) } catch { throw Failure(.schemaDrift, error) }
        let headers = frame["headers"] ?? .null
        let message = Text.filled(headers["messageId"])
        switch (Text.of(frame["type"]), Text.of(headers["topic"])) {
        case ("SYSTEM", "ping"):
            if let message { sink.sendNow(Self.acknowledgement(message, data: Self.dataText(frame))) }
        case ("SYSTEM", "disconnect"): sink.reconnect(Text.of(Self.data(frame)["reason"]))
        case ("SYSTEM", _): return
        case ("EVENT", _):
            let isHint = try event(frame, headers, into: sink)
            guard let message else { return }
            let success = Self.acknowledgement(message, data: #"{"status":"SUCCESS","message":"ok"}"#)
            isHint ? sink.sendAfterDurable(success) : sink.sendNow(success)
        default:
            if let message { sink.sendNow(Self.acknowledgement(message, code: 404, data: "{}")) }
        }
    }

    /// Only that something happened to an approval; the host fetches it for the truth. False where it is none.
    private func event(_ frame: JSON, _ headers: JSON, into sink: EventSink) throws(Failure) -> Bool {
        let data = Self.data(frame)
        let type = Text.filled(headers["eventType"]) ?? Text.of(data["EventType"])
        guard type == "bpms_instance_change" else { return false }
        let kind = Text.of(data["type"])
        guard let id = Text.filled(data["processInstanceId"]), !kind.isEmpty else {
            // Not acknowledged: it is pushed again, and the sweep finds the approval in any case.
            throw Failure(.schemaDrift, zh: "审批事件没有实例编号", en: "an approval's event names no instance")
        }
        guard ["finish", "terminate"].contains(kind) else { return false }
        let result = Text.filled(data["result"])
        var known: JSONObject = [:]
        if let template = Text.filled(data["processCode"]) { known["template"] = .string(template) }
        // Duplicates are to be told by eventId; the instance and what happened to it stand in for a missing one.
        let named = Text.filled(headers["eventId"]) ?? Text.filled(data["eventId"])
        let words = [kind, result].compactMap { $0 }
        sink.hint(
            Hint(
                document: "approval", id: id, eventID: named ?? ([id] + words).joined(separator: "/"),
                kind: ([type] + words).joined(separator: " "), message: .object(known)))
        return true
    }

    /// The frame's data as text, as the acknowledgement of a ping repeats it.
    private static func dataText(_ frame: JSON) -> String {
        switch frame["data"] {
        case .string(let text)?: text
        case let other?: other.text
        case nil: "{}"
        }
    }

    private static func data(_ frame: JSON) -> JSON {
        switch frame["data"] {
        case .string(let text)?: (try? JSON.parse(text)) ?? .null
        case let other?: other
        case nil: .null
        }
    }

    private static func acknowledgement(_ message: String, code: Int64 = 200, data: String) -> [UInt8] {
        ([
            "code": .number(JSONNumber(code)), "message": code == 200 ? "OK" : "not handled",
            "headers": ["messageId": .string(message), "contentType": "application/json"], "data": .string(data),
        ] as JSON).serialized()
    }
}
