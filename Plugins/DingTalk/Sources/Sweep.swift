import PluginKit
import Values

/// Lists finished approvals by creation time, so far back that nothing approved late is missed.
///
/// One list call a page. The vendor filters by the time of creation and not of approval [DOC], so a sweep always
/// begins at `since`; the host knows which of the ids it has.
struct Sweep {
    let client: Client

    /// Where a sweep stands. Kept as compact JSON in the host's cursor.
    private struct Position {
        var template = 0
        var from: Int64
        var until: Int64
        var token: String = "0"

        var bytes: [UInt8] {
            (["t": .string("\(template)"), "f": .string("\(from)"), "u": .string("\(until)"), "n": .string(token)]
                as JSON)
                .serialized()
        }

        init(from: Int64, until: Int64) {
            self.from = from
            self.until = until
        }

        /// The same window of the next template.
        func at(_ template: Int) -> Position {
            var moved = self
            moved.template = template
            return moved
        }

        init?(_ bytes: [UInt8]) {
            guard let json = try? JSON.parse(bytes), let template = Text.integer(json["t"]),
                let from = Text.integer(json["f"]), let until = Text.integer(json["u"]), let token = json["n"]?.string
            else { return nil }
            self.template = Int(template)
            self.from = from
            self.until = until
            self.token = token
        }
    }

    func page(
        _ request: ReadRequest, _ cursor: [UInt8], since: Int64?, into sink: ReadSink, _ call: Call
    ) throws(Failure) {
        let templates = Self.templates(request.filter)
        guard !templates.isEmpty else {
            throw Failure(
                .unsupported, zh: "流程的 where 中要写 template: 钉钉只能按审批模板列出审批单",
                en: "name the template in the flow's where: approvals are listed per template only")
        }
        let now = try call.now()
        let oldest = now - Limits.oldestStartMilliseconds
        var position: Position
        if let known = Position(cursor) {
            position = known
        } else {
            position = Position(from: max(since ?? oldest, oldest), until: now)
        }
        guard templates.indices.contains(position.template), position.from < position.until else {
            return try sink.page(next: [], more: false)
        }
        let end = min(position.from + Limits.listWindowMilliseconds, position.until)
        let answer = try client.new(
            "POST", "/v1.0/workflow/processes/instanceIds/query",
            [
                "processCode": .string(templates[position.template]), "startTime": .number(JSONNumber(position.from)),
                "endTime": .number(JSONNumber(end)), "nextToken": Self.number(position.token),
                "maxResults": .number(JSONNumber(Int64(Limits.listSize))), "statuses": ["COMPLETED", "TERMINATED"],
            ], metered: true, call)
        guard let result = answer["result"], result.object != nil else {
            throw Failure(.schemaDrift, zh: "列表应答没有 result", en: "no result in the list's answer")
        }
        for id in result["list"]?.array ?? [] {
            guard let id = Text.filled(id) else { continue }
            if try !sink.hint(id: id, known: ["template": .string(templates[position.template])]) { return }
        }
        if let token = Text.filled(result["nextToken"]) {
            position.token = token
        } else if end < position.until {
            position.from = end
            position.token = "0"
        } else if position.template + 1 < templates.count {
            position = Position(from: max(since ?? oldest, oldest), until: position.until).at(position.template + 1)
        } else {
            return try sink.page(next: [], more: false)
        }
        try sink.page(next: position.bytes, more: true)
    }

    /// The token comes as a string and is sent as a number [DOC].
    private static func number(_ token: String) -> JSON { JSONNumber(token).map { .number($0) } ?? .string(token) }

    private static func templates(_ filter: JSONObject) -> [String] {
        switch filter["template"] {
        case .array(let list)?: list.compactMap(\.string)
        case .string(let one)?: [one]
        default: []
        }
    }
}
