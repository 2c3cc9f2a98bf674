import PluginKit
import Values

/// Base data as code tables want it: code, name, whether it may be used.
struct Codes: Sendable {
    let settings: Settings
    let client: Client

    init(_ settings: Settings) {
        self.settings = settings
        client = Client(settings: settings)
    }

    /// Our document types and the ERP's forms behind them.
    static let forms: [(document: String, form: String)] = [
        ("account", "BD_Account"), ("department", "BD_Department"), ("employee", "BD_Empinfo"),
        ("customer", "BD_Customer"), ("supplier", "BD_Supplier"), ("expense", "BD_Expense"),
    ]

    // Only fields every base data form has: primary keys are named differently in each.
    private static let fields = ["FNumber", "FName", "FForbidStatus", "FDocumentStatus", "FModifyDate"]

    func read(_ request: ReadRequest, into sink: ReadSink, _ call: Call) throws(Failure) {
        guard let form = Self.forms.first(where: { $0.document == request.document })?.form else {
            throw Failure(
                .unsupported, zh: "不读取单据类型 \(request.document)",
                en: "documents of type \(request.document) are not read")
        }
        switch request.selection {
        case .ids(let ids): try named(ids, form, into: sink, call)
        case .page(let cursor, let since):
            try page(Cursor(cursor), since: since, limit: request.maximumRecords, form, into: sink, call)
        }
    }

    private func named(_ ids: [String], _ form: String, into sink: ReadSink, _ call: Call) throws(Failure) {
        for start in stride(from: 0, to: ids.count, by: Limits.codesPerQuery) {
            let part = ids[start..<min(start + Limits.codesPerQuery, ids.count)]
            let list = part.map(Client.literal).joined(separator: ",")
            let rows = try client.query(
                form: form, fields: Self.fields, filter: "FNumber in (\(list))", order: "FNumber ASC", call)
            for row in rows where try !put(row, into: sink) { return }
        }
    }

    private func page(
        _ cursor: Cursor, since: Int64?, limit: Int, _ form: String, into sink: ReadSink, _ call: Call
    ) throws(Failure) {
        let bound = max(1, min(limit, Limits.queryRows))
        // A sweep's mark is taken before its first row, so that what changes meanwhile is seen by the next.
        let mark = cursor.start == 0 ? try call.now() : cursor.mark
        let from = [cursor.since, since].compactMap { $0 }.max()
        var filter = ""
        if let from, let wall = VendorTime.wall(Instant(ms: from - Limits.overlapMilliseconds), zone: settings.zone) {
            filter = "FModifyDate>=\(Client.literal(wall))"
        }
        let rows = try client.query(
            form: form, fields: Self.fields, filter: filter, order: "FNumber ASC", start: cursor.start, limit: bound,
            call)
        for row in rows where try !put(row, into: sink) { return }
        let isFull = rows.count >= bound
        let next =
            isFull
            ? Cursor(start: cursor.start + rows.count, since: cursor.since, mark: mark)
            : Cursor(start: 0, since: mark, mark: mark)
        try sink.page(next: next.bytes, more: isFull)
    }

    private func put(_ row: [JSON], into sink: ReadSink) throws(Failure) -> Bool {
        let code = Client.cell(row[0])
        // A row without a code cannot be used by a table.
        guard !code.isEmpty else { return true }
        let isEnabled = Client.cell(row[2]) != "B" && Client.cell(row[3]) == "C"
        return try sink.record(
            id: code, version: Client.cell(row[4]),
            ["code": .string(code), "name": .string(Client.cell(row[1])), "enabled": .bool(isEnabled)])
    }

    /// Where a sweep stands: the next row, what it narrows by, and where the next sweep begins.
    private struct Cursor {
        let start: Int
        let since: Int64?
        let mark: Int64

        init(start: Int, since: Int64?, mark: Int64) {
            self.start = start
            self.since = since
            self.mark = mark
        }

        init(_ bytes: [UInt8]) throws(Failure) {
            guard !bytes.isEmpty else {
                self.init(start: 0, since: nil, mark: 0)
                return
            }
            guard let json = try? JSON.parse(bytes), let start = json["start"]?.int.flatMap({ Int(exactly: $0) }),
                (0...Limits.cursorRows).contains(start), let mark = json["mark"]?.int, mark >= 0
            else { throw .bug(zh: "游标不可读", en: "the cursor cannot be read") }
            self.init(start: start, since: json["since"]?.int.map { max($0, 0) }, mark: mark)
        }

        var bytes: [UInt8] {
            var json: JSONObject = [
                "start": .number(JSONNumber(Int64(start))), "mark": .number(JSONNumber(mark)),
            ]
            if let since { json["since"] = .number(JSONNumber(since)) }
            return JSON.object(json).serialized()
        }
    }
}
