import SimulatorKit

/// A query of ExecuteBillQuery or BillQuery, read and checked.
struct BillQuery: Sendable {
    let form: Form
    let fields: [String]
    let filter: Filter
    let order: [(column: String, descending: Bool)]
    let start: Int
    let limit: Int
    let top: Int
    private let externalField: String

    init(_ data: SimJSON, options: Options) throws(Refusal) {
        guard let formID = data["FormId"]?.string, !formID.isEmpty else { throw Refusal(5, "业务对象Id(FormId)不能为空") }
        guard let form = Form.named(formID, options: options) else { throw Refusal(4, "业务对象 \(formID) 不存在") }
        self.form = form
        externalField = options.externalField
        let keys = (data["FieldKeys"]?.string ?? "").split(separator: ",").map(\.trimmingBlanks).filter { !$0.isEmpty }
        guard !keys.isEmpty else { throw Refusal(8, "查询字段(FieldKeys)不能为空") }
        fields = keys
        let baseData = keys.filter { key in
            switch form.column(key.split(separator: ".").first.map(String.init) ?? "")?.kind {
            case .base, .dimensions: true
            default: false
            }
        }
        if baseData.count > Limits.baseDataFields { throw Refusal(8, "查询的基础资料字段不能超过\(Limits.baseDataFields)个") }
        switch data["FilterString"] {
        case nil, .null: filter = .everything
        case .string(let text): filter = try Self.refusing { () throws(QueryError) in try Filter.parse(text) }
        case .array(let list) where list.isEmpty: filter = .everything
        default: throw Refusal(8, "过滤条件(FilterString)应为字符串")
        }
        order = try Self.order(data["OrderString"]?.string ?? "")
        func number(_ name: String) throws(Refusal) -> Int {
            guard let value = data[name], !value.isNull else { return 0 }
            guard let number = value.plainText.flatMap({ Int($0.isEmpty ? "0" : $0) }), number >= 0 else {
                throw Refusal(8, "参数 \(name) 应为不小于零的整数")
            }
            return number
        }
        start = try number("StartRow")
        let asked = try number("Limit")
        // More than the ceiling is cut without a word: that is the vendor's trap, and it stays one here.
        limit = asked == 0 ? options.queryRows : min(asked, options.queryRows)
        top = try number("TopRowCount")
    }

    private static func order(_ text: String) throws(Refusal) -> [(column: String, descending: Bool)] {
        var out: [(String, Bool)] = []
        for term in text.split(separator: ",") {
            let words = term.split(separator: " ").map(String.init)
            if words.isEmpty { continue }
            let direction = words.count == 2 ? words[1].lowercased() : "asc"
            guard words.count <= 2, direction == "asc" || direction == "desc",
                words[0].utf8.allSatisfy({ isColumnByte($0) })
            else { throw Refusal(4, QueryError.syntax(near: term.trimmingBlanks).message) }
            out.append((words[0], direction == "desc"))
        }
        return out
    }

    private static func isColumnByte(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 95 || byte == 46
    }

    private static func refusing<T>(_ body: () throws(QueryError) -> T) throws(Refusal) -> T {
        do { return try body() } catch { throw Refusal(error.code, error.message) }
    }

    /// The answer's rows, each with the cells in the order of `fields`.
    func rows(in books: Books) throws(Refusal) -> [[Cell]] {
        let names = fields + filter.columns + order.map(\.column)
        var readers: [String: @Sendable (Row) -> Cell] = [:]
        var joinsLines = false
        for name in names where readers[name.lowercased()] == nil {
            guard let (reader, isEntry) = books.reader(of: name, in: form) else {
                let error = QueryError.unknownColumn(name)
                throw Refusal(error.code, error.message)
            }
            readers[name.lowercased()] = reader
            joinsLines = joinsLines || isEntry
        }
        var rows: [Row] = []
        let external = externalField.isEmpty ? nil : filter.pinned(externalField)
        for row in books.rows(of: form, joiningLines: joinsLines, externalID: external) {
            let passes = try Self.refusing { () throws(QueryError) in try filter.matches { readers[$0]?(row) ?? .null }
            }
            if passes { rows.append(row) }
        }
        if !order.isEmpty {
            let keys = order.map { (readers[$0.column.lowercased()] ?? { _ in .null }, $0.descending) }
            let decorated = rows.map { row in (row, keys.map { $0.0(row) }) }
            rows = decorated.enumerated().sorted { a, b in
                for (index, key) in keys.enumerated() {
                    let (x, y) = (a.element.1[index], b.element.1[index])
                    if x != y { return x.precedes(y) != key.1 }
                }
                return a.offset < b.offset
            }.map(\.element.0)
        }
        let end = top > 0 ? min(rows.count, top) : rows.count
        guard start < end else { return [] }
        let shown = fields.map { readers[$0.lowercased()] ?? { _ in .null } }
        return rows[start..<min(end, start + limit)].map { row in shown.map { $0(row) } }
    }
}

extension Cell {
    /// The database's order: null first.
    func precedes(_ other: Cell) -> Bool {
        switch (self, other) {
        case (.null, .null): false
        case (.null, _): true
        case (_, .null): false
        case (.text(let a), .text(let b)): a < b
        case (.integer(let a), .integer(let b)): a < b
        case (.decimal(let a), .decimal(let b)): a < b
        case (.moment(let a), .moment(let b)): a < b
        default: false
        }
    }
}

extension Books {
    func rows(of form: Form, joiningLines: Bool, externalID: String?) -> [Row] {
        guard form.id == "GL_VOUCHER" else { return (base[form.id]?.records ?? []).map { .record($0) } }
        let ordered = vouchers(externalID: externalID)
        return joiningLines
            ? ordered.flatMap { voucher in voucher.lines.map { .voucher(voucher, line: $0) } }
            : ordered.map { .voucher($0, line: nil) }
    }

    /// How to read a field path: `F`, or `F.FNumber` / `F.FName` / `F.FDocumentStatus` of a base data field, or
    /// `FDetailID.FFLEX5[.FNumber|.FName]` of a dimension. Nil: no such column.
    func reader(of path: String, in form: Form) -> (read: @Sendable (Row) -> Cell, isEntry: Bool)? {
        let parts = path.lowercased().split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard let head = parts.first, let column = form.column(head) else { return nil }
        switch column.kind {
        case .base(let target):
            guard let read = attribute(parts.dropFirst(), of: target, number: column.read) else { return nil }
            return (read, column.isEntry)
        case .dimensions:
            guard parts.count >= 2 else { return (column.read, true) }
            let key = parts[1].uppercased()
            guard let target = dimensions.first(where: { $0.key.uppercased() == key })?.form else { return nil }
            let number: @Sendable (Row) -> Cell = { row in
                guard case .voucher(_, let line?) = row,
                    let value = line.dimensions.first(where: { $0.key.uppercased() == key })
                else { return .null }
                return .text(value.code)
            }
            return attribute(parts.dropFirst(2), of: target, number: number).map { ($0, true) }
        default: return parts.count == 1 ? (column.read, column.isEntry) : nil
        }
    }

    private func attribute(
        _ path: ArraySlice<String>, of form: String, number: @escaping @Sendable (Row) -> Cell
    ) -> (@Sendable (Row) -> Cell)? {
        guard path.count <= 1, let table = base[form] else { return nil }
        let pick: @Sendable (BaseRecord) -> Cell
        switch path.first {
        case nil: pick = { .integer($0.id) }
        case "fnumber": pick = { .text($0.number) }
        case "fname": pick = { .text($0.name) }
        case "fdocumentstatus": pick = { .text($0.status.rawValue) }
        default: return nil
        }
        let isID = path.isEmpty
        return { row in
            guard case .text(let code) = number(row), let record = table[code] else {
                return isID ? .integer(0) : .text("")
            }
            return pick(record)
        }
    }
}
