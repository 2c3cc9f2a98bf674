import SimulatorKit

extension Galaxy {
    /// The documents an operation names: `Numbers` (array) or `Ids` (comma text).
    private func targets(_ data: SimJSON) throws(Refusal) -> [(text: String, isID: Bool)] {
        if let numbers = data["Numbers"], !numbers.isNull {
            guard let list = numbers.array else { throw Refusal(8, "参数 Numbers 应为数组") }
            let texts = list.compactMap(\.plainText)
            guard texts.count == list.count else { throw Refusal(8, "参数 Numbers 应为编码数组") }
            if !texts.isEmpty { return texts.map { ($0, false) } }
        }
        if let ids = data["Ids"], !ids.isNull {
            guard let text = ids.plainText else { throw Refusal(8, "参数 Ids 应为以逗号分隔的字符串") }
            let texts = text.split(separator: ",").map(\.trimmingBlanks).filter { !$0.isEmpty }
            guard texts.allSatisfy({ Int64($0) != nil }) else { throw Refusal(8, "参数 Ids 应为以逗号分隔的内码") }
            if !texts.isEmpty { return texts.map { ($0, true) } }
        }
        throw Refusal(8, "参数 Numbers 和 Ids 不能同时为空")
    }

    /// Submit, Audit, UnAudit, CancelAssign, Delete, and for base data Forbid and Enable: each document for itself, so
    /// that an answer may be half good.
    mutating func operate(
        _ name: String, form: Form, _ data: SimJSON, user: String, at now: Int64
    ) throws(Refusal) -> SimJSON {
        var succeeded: [SuccessEntity] = []
        var failed: [FailedMember] = []
        for (index, target) in try targets(data).enumerated() {
            do throws(Refusal) {
                let isVoucher = form.id == "GL_VOUCHER"
                guard let (id, number) = isVoucher ? findVoucher(target) : findRecord(target, in: form) else {
                    throw Refusal(10, target.isID ? "内码为\(target.text)的数据不存在" : "编码为\(target.text)的数据不存在")
                }
                if isVoucher {
                    try change(id, by: name, user: user, at: now)
                } else {
                    try changeRecord(number, of: form, by: name, user: user, at: now)
                }
                succeeded.append(SuccessEntity(id: id, number: number, index: index))
            } catch {
                failed.append(FailedMember(index: index, refusal: error))
                books.note(
                    Self.trailName(name, form), id: target.isID ? Int64(target.text) : nil,
                    number: target.isID ? nil : target.text, user: user, at: now, refusal: error)
            }
        }
        return AnswerWriter(options).operated(succeeded, failed: failed)
    }

    /// Vouchers by the bare operation, base data with their form.
    static func trailName(_ operation: String, _ form: Form) -> String {
        form.id == "GL_VOUCHER" ? operation : "\(form.id) \(operation)"
    }

    private func findVoucher(_ target: (text: String, isID: Bool)) -> (Int64, String)? {
        let found = target.isID ? Int64(target.text).flatMap { books.vouchers[$0] } : books.voucher(number: target.text)
        return found.map { ($0.id, $0.billNumber) }
    }

    private func findRecord(_ target: (text: String, isID: Bool), in form: Form) -> (Int64, String)? {
        let table = books.base[form.id]
        let found = target.isID ? Int64(target.text).flatMap { table?[id: $0] } : table?[target.text]
        return found.map { ($0.id, $0.number) }
    }

    /// Where an operation leads: A or D → Submit → B → Audit → C → UnAudit → D; CancelAssign B → D; Delete in Z, A, D
    /// (nil: gone).
    private func step(_ name: String, from status: BillStatus, of number: String) throws(Refusal) -> BillStatus? {
        switch (name, status) {
        case ("submit", .created), ("submit", .reopened): return .inReview
        case ("audit", .inReview):
            if options.workflow { throw Refusal(12, "单据“\(number)”的工作流未结束，不允许审核") }
            return .audited
        case ("unaudit", .audited), ("cancelassign", .inReview): return .reopened
        case ("delete", _) where status.isEditable: return nil
        default:
            let titles = [
                "submit": "提交", "audit": "审核", "unaudit": "反审核", "delete": "删除", "cancelassign": "撤销",
            ]
            throw Refusal(12, "单据“\(number)”的状态为“\(status.title)”，不允许\(titles[name] ?? name)")
        }
    }

    /// One step of one voucher.
    mutating func change(_ id: Int64, by name: String, user: String, at now: Int64) throws(Refusal) {
        guard let voucher = books.vouchers[id] else { throw Refusal(10, "内码为\(id)的数据不存在") }
        if books.edited.contains(voucher.billNumber) { throw .networkControl }
        let next = try step(name, from: voucher.status, of: voucher.billNumber)
        let period = Books.Period(book: voucher.book, year: voucher.year, period: voucher.period)
        if name == "unaudit" || name == "delete", books.closed.contains(period) {
            throw Refusal(12, "账簿“\(voucher.book)”\(voucher.year)年\(voucher.period)期已结账，不允许该操作")
        }
        if let next {
            books.set(next, of: id, at: Moment(milliseconds: now))
        } else {
            books.remove(id)
        }
        books.note(name, id: id, number: voucher.billNumber, user: user, at: now)
    }

    /// One step of one base data record. A record in use is not deleted; only an audited one is forbidden.
    private mutating func changeRecord(
        _ number: String, of form: Form, by name: String, user: String, at now: Int64
    ) throws(Refusal) {
        guard var record = books.base[form.id]?[number] else { throw Refusal(10, "编码为\(number)的数据不存在") }
        if books.edited.contains(number) { throw .networkControl }
        var next: BillStatus? = record.status
        switch name {
        case "forbid", "enable":
            guard record.status == .audited, record.isForbidden != (name == "forbid") else {
                let state = record.isForbidden ? "已禁用" : record.status == .audited ? "未禁用" : record.status.title
                throw Refusal(12, "“\(number)”的状态为“\(state)”，不允许该操作")
            }
            record.isForbidden = name == "forbid"
        default:
            next = try step(name, from: record.status, of: number)
            if next == nil || name == "unaudit", books.isUsed(number, of: form.id) {
                throw Refusal(12, "“\(number)”已被凭证引用，不允许该操作")
            }
        }
        if let next {
            record.status = next
            record.modified = Moment(milliseconds: now)
            books.base[form.id]?.put(record)
        } else {
            books.base[form.id]?.remove(number)
        }
        books.note(Self.trailName(name, form), id: record.id, number: number, user: user, at: now)
    }

    /// ExecuteOperation.
    mutating func execute(
        _ operation: String, form: Form, _ data: SimJSON, user: String, at now: Int64
    ) throws(Refusal) -> SimJSON {
        let name = operation.lowercased()
        let life = ["submit", "audit", "unaudit", "delete", "cancelassign"]
        let known = form.id == "GL_VOUCHER" ? life : life + ["forbid", "enable"]
        guard known.contains(name) else { throw Refusal(12, "业务对象“\(form.title)”不支持操作“\(operation)”") }
        return try operate(name, form: form, data, user: user, at: now)
    }
}
