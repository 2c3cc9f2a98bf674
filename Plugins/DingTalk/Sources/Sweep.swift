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
        var width = Limits.listWindowMilliseconds
        var token: String = "0"
        /// Ids this window has given so far.
        var given: Int64 = 0

        var end: Int64 { min(from + width, until) }

        var bytes: [UInt8] {
            ([
                "t": .string("\(template)"), "f": .string("\(from)"), "u": .string("\(until)"),
                "w": .string("\(width)"), "n": .string(token), "g": .string("\(given)"),
            ] as JSON).serialized()
        }

        init(from: Int64, until: Int64) {
            self.from = from
            self.until = until
        }

        /// nil for what this version cannot go on from: the sweep then begins again.
        init?(_ bytes: [UInt8]) {
            guard let json = try? JSON.parse(bytes), let template = Text.integer(json["t"]).flatMap(Int.init(exactly:)),
                let from = Text.integer(json["f"]), let until = Text.integer(json["u"]),
                (0...Limits.latestMilliseconds).contains(from), until <= Limits.latestMilliseconds,
                let width = Text.integer(json["w"]), width > 0, width <= Limits.listWindowMilliseconds,
                let token = json["n"]?.string
            else { return nil }
            self.template = template
            self.from = from
            self.until = until
            self.width = width
            self.token = token
            given = min(max(0, Text.integer(json["g"]) ?? 0), Limits.listIDs)
        }

        /// To the beginning of the next stretch, or of the same one.
        mutating func rewind() {
            token = "0"
            given = 0
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
        let begin = max(since ?? oldest, oldest)
        var position = Position(from: begin, until: now)
        // A sweep that stood still so long that the vendor no longer takes its window begins again.
        if let known = Position(cursor), known.from >= oldest - Limits.oldestStartSlackMilliseconds { position = known }
        guard request.maximumRecords > 0, templates.indices.contains(position.template),
            position.from < position.until
        else { return try sink.page(next: [], more: false) }
        let template = templates[position.template]
        let answer = try client.new(
            "POST", "/v1.0/workflow/processes/instanceIds/query",
            [
                "processCode": .string(template), "startTime": .number(JSONNumber(position.from)),
                "endTime": .number(JSONNumber(position.end)), "nextToken": Self.number(position.token),
                "maxResults": .number(JSONNumber(Int64(min(Limits.listSize, request.maximumRecords)))),
                "statuses": ["COMPLETED", "TERMINATED"],
            ], metered: true, call)
        guard Text.of(answer["success"]) != "false", let result = answer["result"], result.object != nil else {
            throw Failure(.schemaDrift, zh: "列表应答没有 result", en: "no result in the list's answer")
        }
        let list = result["list"]?.array ?? []
        position.given += Int64(list.count)
        for id in list {
            guard let id = Text.filled(id) else { continue }
            if try !sink.hint(id: id, known: ["template": .string(template)]) { return }
        }
        let isMore = try advance(&position, after: Text.filled(result["nextToken"]), begin, templates.count)
        try sink.page(next: isMore ? position.bytes : [], more: isMore)
    }

    /// Moves on to the next page, window or template; false at the end of the sweep.
    private func advance(
        _ position: inout Position, after token: String?, _ begin: Int64, _ templates: Int
    ) throws(Failure) -> Bool {
        if let token, token == position.token {
            throw Failure(.schemaDrift, zh: "列表的 nextToken 不再前进", en: "the list's nextToken does not move on")
        }
        // A token that counts the ids so far tells of those that were left out too; not every token need be one.
        func number(_ token: String) -> Int64 { max(0, Int64(token) ?? 0) }
        let offset = token.map(number) ?? 0
        let isCount = offset - number(position.token) <= Int64(Limits.listSize)
        if max(position.given, isCount ? offset : 0) >= Limits.listIDs,
            position.width > Limits.listNarrowestMilliseconds
        {
            // The query gives no more than this, with a token or without: the same stretch again in narrower windows.
            position.width = min(position.width, position.end - position.from) / 2 + 1
            position.rewind()
            return true
        }
        if let token {
            position.token = token
            return true
        }
        position.rewind()
        if position.end < position.until {
            position.from = position.end
            return true
        }
        position.template += 1
        position.from = begin
        position.width = Limits.listWindowMilliseconds
        return position.template < templates && position.from < position.until
    }

    /// The token comes as a string and is sent as a number [DOC].
    private static func number(_ token: String) -> JSON { JSONNumber(token).map { .number($0) } ?? .string(token) }

    private static func templates(_ filter: JSONObject) -> [String] {
        switch filter["template"] {
        case .array(let list)?: list.compactMap { Text.filled($0) }
        case .string(let one)? where !one.isEmpty: [one]
        default: []
        }
    }
}
