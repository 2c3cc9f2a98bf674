import Synchronization

/// The last requests a simulator answered, without their secrets.
public final class Journal: Sendable {
    private struct State {
        var entries: [SimJSON] = []
        var next = 1
    }

    private let state = Mutex(State())
    private let secrets: Set<String>

    /// Names of headers, query values, form fields and JSON members whose values are never kept, lower case.
    static let usualSecrets: Set<String> = [
        "access_token", "accesstoken", "appsecret", "app_secret", "authorization", "client_secret", "clientsecret",
        "cookie", "password", "secret", "set-cookie", "sign", "ticket", "token", "x-acs-dingtalk-access-token",
    ]

    init(secrets: Set<String>) { self.secrets = Self.usualSecrets.union(secrets.map { $0.lowercased() }) }

    /// The entries, oldest first.
    public var json: SimJSON { .array(state.withLock { $0.entries }) }

    /// How many requests were answered so far, the forgotten ones included.
    public var count: Int { state.withLock { $0.next - 1 } }

    /// Forgets the entries.
    public func clear() { state.withLock { $0.entries.removeAll() } }

    func note(_ request: SimRequest, operation: String?, fault: Fault.Kind?, answer: SimResponse?, at time: Int64) {
        var entry: SimJSON = [
            "time": SimJSON(time), "method": .string(request.method), "path": .string(request.path),
            "query": masked(request.query), "headers": masked(request.headers),
        ]
        if let operation { entry["operation"] = .string(operation) }
        if !request.body.isEmpty { entry["body"] = body(request.body, type: request.header("content-type")) }
        if let fault { entry["fault"] = Fault(kind: fault).json["kind"] }
        if let answer {
            entry["status"] = SimJSON(answer.status)
            if answer.delivery != .whole { entry["delivery"] = .string("\(answer.delivery)") }
            entry["answer"] = body(answer.body, type: nil)
        } else {
            entry["status"] = 101
        }
        state.withLock { [entry] state in
            var entry = entry
            entry["number"] = SimJSON(state.next)
            state.next += 1
            state.entries.append(entry)
            if state.entries.count > KitLimits.journalEntries { state.entries.removeFirst() }
        }
    }

    private func masked(_ pairs: [(name: String, value: String)]) -> SimJSON {
        var out = SimObject()
        for pair in pairs { out[pair.name] = .string(secrets.contains(pair.name.lowercased()) ? "***" : pair.value) }
        return .object(out)
    }

    private func body(_ bytes: [UInt8], type: String?) -> SimJSON {
        if let json = try? SimJSON.parse(bytes) {
            let kept = masked(json)
            return bytes.count > KitLimits.journalBody ? .string("\(bytes.count) bytes of JSON") : kept
        }
        if let type, type.lowercased().hasPrefix("application/x-www-form-urlencoded") {
            return masked(formDecoded(String(decoding: bytes, as: UTF8.self)))
        }
        return .string("\(bytes.count) bytes")
    }

    /// The value with its secrets masked, also inside JSON that travels as text.
    private func masked(_ json: SimJSON) -> SimJSON {
        switch json {
        case .object(let object):
            var out = SimObject()
            for key in object.keys {
                let value = object[key] ?? .null
                out[key] = secrets.contains(key.lowercased()) && !value.isNull ? "***" : masked(value)
            }
            return .object(out)
        case .array(let list): return .array(list.map(masked))
        case .string(let text) where text.hasPrefix("{") || text.hasPrefix("["):
            guard let inner = try? SimJSON.parse(text) else { return json }
            let kept = masked(inner)
            return kept == inner ? json : .string(kept.text)
        default: return json
        }
    }
}
