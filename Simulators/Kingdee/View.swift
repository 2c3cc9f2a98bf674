import SimulatorKit

extension Galaxy {
    func view(_ form: Form, _ data: SimJSON) throws(Refusal) -> SimJSON {
        let id = data["Id"]?.plainText.flatMap { $0.isEmpty ? nil : $0 }
        let number = data["Number"]?.plainText.flatMap { $0.isEmpty ? nil : $0 }
        guard id != nil || number != nil else { throw Refusal(8, "参数 Number 和 Id 不能同时为空") }
        let row: Row?
        if form.id == "GL_VOUCHER" {
            let voucher =
                id.map { Int64($0).flatMap { books.vouchers[$0] } } ?? number.flatMap { books.voucher(number: $0) }
            row = voucher.map { .voucher($0, line: nil) }
        } else {
            let table = books.base[form.id]
            let record = id.map { Int64($0).flatMap { table?[id: $0] } } ?? number.flatMap { table?[$0] }
            row = record.map { .record($0) }
        }
        guard let row else { throw Refusal(10, "\(id.map { "内码为\($0)" } ?? "编码为\(number ?? "")")的数据不存在") }
        var result = properties(form, row, entry: false)
        if case .voucher(let voucher, _) = row {
            result["Entity"] = .array(
                voucher.lines.map { line in
                    var json = properties(form, .voucher(voucher, line: line), entry: true)
                    var dimensions: SimJSON = [:]
                    for value in line.dimensions {
                        dimensions[value.key] = reference(value.code, of: value.dimension.form)
                    }
                    json["DetailID"] = dimensions
                    return json
                })
        }
        return [
            "Result": [
                "ResponseStatus": AnswerWriter(options).status(succeeded: [], failed: []), "Result": result,
            ]
        ]
    }

    /// Property names are the keys without the leading F; a tenant's own field (`F_…`) keeps its key, and the internal
    /// id is `Id`.
    private func properties(_ form: Form, _ row: Row, entry: Bool) -> SimJSON {
        var out: SimJSON = [:]
        for column in form.columns where column.isEntry == entry {
            let name: String
            switch column.key {
            case form.primaryKey, "FEntity_FEntryID": name = "Id"
            case let key where key.hasPrefix("F_"): name = key
            case let key: name = String(key.dropFirst())
            }
            let cell = column.read(row)
            switch column.kind {
            case .base(let target):
                guard case .text(let code) = cell else { continue }
                let reference = reference(code, of: target)
                out["\(name)_Id"] = reference["Id"] ?? 0
                out[name] = reference
            case .dimensions: continue
            case .text where name == "Name": out[name] = localizedCell(cell)
            default: out[name] = cell.json
            }
        }
        return out
    }

    private func localizedCell(_ cell: Cell) -> SimJSON {
        if case .text(let text) = cell { localized(text) } else { cell.json }
    }

    private func reference(_ code: String, of form: String) -> SimJSON {
        guard let record = books.base[form]?[code] else { return .null }
        return ["Id": SimJSON(record.id), "Number": .string(record.number), "Name": localized(record.name)]
    }
}
