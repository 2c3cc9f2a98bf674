import PluginKit
import Values

/// The Stream mode, §4: a ticketed WebSocket whose socket the host owns.
struct Stream {
    let client: Client

    private static let robotTopic = "/v1.0/im/bot/messages/get"

    func open(_ call: Call) throws(Failure) -> ListenEndpoint {
        let body: JSONTemplate = .object([
            .init("clientId", .secret("app_key")), .init("clientSecret", .secret("app_secret")),
            .init("localIp", .string("127.0.0.1")), .init("ua", .string("datong/0.1.0")),
            .init(
                "subscriptions",
                [
                    ["type": "EVENT", "topic": "*"], ["type": "CALLBACK", "topic": .string(Self.robotTopic)],
                ]),
        ])
        let answer: JSON
        do {
            answer = try client.bare(
                TemplateBytes(client.settings.base + "/v1.0/gateway/connections/open"), body, effect: .auth,
                isOld: false,
                call)
        } catch {
            // The code of a bad pair is not documented: any refusal but a limit is for an operator [DOC].
            throw error.kind == .invalidRecord || error.kind == .authExpired ? error.as(.authDenied) : error
        }
        guard let endpoint = answer["endpoint"]?.string, let ticket = answer["ticket"]?.string,
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
        let topic = Text.of(headers["topic"])
        guard let message = Text.filled(headers["messageId"]) else {
            // Notices of the gateway carry none and want no answer.
            return
        }
        switch Text.of(frame["type"]) {
        case "SYSTEM" where topic == "ping":
            sink.sendNow(Self.acknowledgement(message, data: Text.of(frame["data"])))
        case "SYSTEM" where topic == "disconnect":
            sink.reconnect(Text.of(Self.data(frame)["reason"]))
        case "SYSTEM": return
        case "EVENT": event(frame, headers, message, into: sink)
        case "CALLBACK" where topic == Self.robotTopic:
            sink.sendAfterDurable(Self.acknowledgement(message, data: "{\"response\":null}"))
        default: sink.sendNow(Self.acknowledgement(message, code: 404, data: "{}"))
        }
    }

    /// Only that something happened to an approval; the host fetches it for the truth.
    private func event(_ frame: JSON, _ headers: JSON, _ message: String, into sink: EventSink) {
        let success = Self.acknowledgement(message, data: "{\"status\":\"SUCCESS\",\"message\":\"ok\"}")
        let data = Self.data(frame)
        let type = Text.filled(headers["eventType"]) ?? Text.of(data["EventType"])
        let kind = Text.of(data["type"])
        guard type == "bpms_instance_change", ["finish", "terminate"].contains(kind),
            let id = Text.filled(data["processInstanceId"])
        else { return sink.sendNow(success) }
        var known: JSONObject = [:]
        if let template = Text.filled(data["processCode"]) { known["template"] = .string(template) }
        sink.hint(
            Hint(
                document: "approval", id: id, eventID: Text.filled(headers["eventId"]) ?? Text.of(data["eventId"]),
                kind: "\(type) \(kind) \(Text.of(data["result"]))", message: .object(known)))
        sink.sendAfterDurable(success)
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
