import PluginKit
import Values

/// Writes and finds vouchers, each at most once.
///
/// The ERP knows no idempotency key. Ours goes into a text field of the form that the customer adds, and it is
/// looked up before every Save; after a Save the checkpoint remembers the voucher's id, and from then on nothing
/// is ever saved again for that key.
struct Vouchers: Sendable {
    let settings: Settings
    let client: Client

    init(_ settings: Settings) {
        self.settings = settings
        client = Client(settings: settings)
    }

    // MARK: - Writing

    /// Look up → Save → Submit → Audit, as far as the flow says, from where an earlier attempt stopped.
    func write(_ record: WriteRecord, _ flow: FlowSettings, _ call: Call) throws(Failure) -> WriteOutcome {
        if let saved = VoucherFacts(checkpoint: record.checkpoint) {
            if saved.stage >= flow.finish { return .applied(saved.written) }
            // The answer to the step after this one may have been lost: the ERP knows how far it came.
            guard let now = try lookUp("FVOUCHERID=\(try Self.identifier(saved.id))", call).first else {
                throw Failure(
                    .conflict, zh: "已保存的凭证 \(saved.shownNumber) 在 ERP 里不见了，可能被人删除",
                    en: "the saved voucher \(saved.shownNumber) is gone from the ERP, perhaps somebody deleted it",
                    existing: saved.shownNumber)
            }
            return .applied(try advance(now, to: flow.finish, record, call).written)
        }
        let form = try VoucherForm(record.document, key: record.key, settings, flow)
        if let there = try existing(record.key, form, call) {
            return .existed(try advance(there, to: flow.finish, record, call).written)
        }
        let saved: VoucherFacts
        do { saved = try save(form, call) } catch {
            guard isDuplicate(error) else { throw error }
            guard let there = try existing(record.key, form, call) else { throw error.as(.conflict) }
            return .existed(try advance(there, to: flow.finish, record, call).written)
        }
        try call.checkpoint(record.index, saved.json.serialized())
        return .applied(try advance(saved, to: flow.finish, record, call).written)
    }

    private func save(_ form: VoucherForm, _ call: Call) throws(Failure) -> VoucherFacts {
        let answer = try client.operate("Save", form: settings.voucherForm, form.data, .write, call) {
            VoucherForm.pointer(field: $0, message: $1, settings)
        }
        let result = AnswerReader.result(in: answer)
        let entity = result?["ResponseStatus"]?["SuccessEntitys"]?[0]
        let first = AnswerReader.text(result?["Id"])
        let id = first.isEmpty ? AnswerReader.text(entity?["Id"]) : first
        guard !id.isEmpty, id != "0" else {
            throw Failure(
                .unknownOutcome, zh: "保存的应答没有内码", en: "the answer to the save carries no id")
        }
        let number = AnswerReader.text(result?["Number"])
        let returned = result?["NeedReturnData"]?[0]?["FVOUCHERGROUPNO"]
        return VoucherFacts(
            id: id, number: number.isEmpty ? AnswerReader.text(entity?["Number"]) : number, group: form.group,
            groupNumber: returned.map(Client.cell) ?? "", book: form.book, date: form.date.text, debit: form.debit,
            stage: .saved)
    }

    /// Takes a voucher on to `finish`, remembering every step.
    private func advance(
        _ facts: VoucherFacts, to finish: Stage, _ record: WriteRecord, _ call: Call
    ) throws(Failure) -> VoucherFacts {
        var facts = facts
        while facts.stage < finish, let (operation, stage) = facts.stage.next {
            do { try step(operation, facts.id, call) } catch {
                guard error.kind == .unknownOutcome else {
                    var failure = error
                    if failure.existing.isEmpty { failure.existing = facts.shownNumber }
                    throw failure
                }
                // Looking costs nothing and may settle it.
                let seen = try lookUp("FVOUCHERID=\(try Self.identifier(facts.id))", call).first
                guard let seen, seen.stage >= stage else { throw error }
            }
            facts.stage = stage
            try call.checkpoint(record.index, facts.json.serialized())
        }
        return facts
    }

    private func step(_ operation: String, _ id: String, _ call: Call) throws(Failure) {
        let answer = try client.operate(operation, form: settings.voucherForm, ["Ids": .string(id)], .write, call)
        let done = AnswerReader.status(in: answer)?["SuccessEntitys"]?.array ?? []
        // Some servers say success and leave out what they did not do.
        guard done.contains(where: { AnswerReader.text($0["Id"]) == id }) else {
            throw Failure(
                .unknownOutcome, zh: "\(operation) 的应答没有列出这张凭证",
                en: "the answer to \(operation) does not list the voucher")
        }
    }

    // MARK: - Looking

    /// Every voucher under the key, or on a day with an amount.
    func find(_ request: FindRequest, _ flow: FlowSettings, _ call: Call) throws(Failure) -> [Written] {
        if !request.key.isEmpty {
            let found = try byKey(request.key, call)
            // One that did not come as far as the flow asks is not in effect yet: `write` takes it on, and
            // does not save it again.
            if found.count == 1, let only = found.first, only.stage < flow.finish { return [] }
            return found.map(\.written)
        }
        guard let day = request.business["date"]?.string.flatMap({ CivilDate($0) }),
            let amount = request.business["amount"]?.decimal
        else {
            throw .invalidRecord(
                zh: "按业务查找要给出 date 和 amount", en: "a search by business fields needs date and amount")
        }
        let filter = "FDate>='\(day.text) 00:00:00' and FDate<='\(day.text) 23:59:59'"
        return try lookUp(filter, call).filter { $0.debit == amount && (flow.book == nil || flow.book == $0.book) }
            .map(\.written)
    }

    private func byKey(_ key: String, _ call: Call) throws(Failure) -> [VoucherFacts] {
        try lookUp("\(settings.externalField)=\(Client.literal(key))", call)
    }

    /// What is there under the key already, when it is what we would write.
    private func existing(_ key: String, _ form: VoucherForm, _ call: Call) throws(Failure) -> VoucherFacts? {
        let found = try byKey(key, call)
        guard let first = found.first else { return nil }
        let numbers = found.map(\.shownNumber).joined(separator: ", ")
        guard found.count == 1 else {
            throw Failure(
                .conflict, zh: "同一标识下已有 \(found.count) 张凭证：\(numbers)",
                en: "\(found.count) vouchers carry this key already: \(numbers)", existing: numbers)
        }
        guard first.debit == form.debit, first.date == form.date.text, first.book == form.book else {
            throw Failure(
                .conflict,
                zh: "凭证 \(numbers) 已存在，但内容不同：ERP 为 \(first.book) \(first.date) \(first.debit.text)，"
                    + "单据为 \(form.book) \(form.date.text) \(form.debit.text)",
                en: "the voucher \(numbers) exists with other contents: \(first.book) \(first.date) "
                    + "\(first.debit.text) in the ERP, \(form.book) \(form.date.text) \(form.debit.text) here",
                existing: numbers)
        }
        return first
    }

    private func lookUp(_ filter: String, _ call: Call) throws(Failure) -> [VoucherFacts] {
        var rows: [[JSON]] = []
        while true {
            let page = try client.query(
                form: settings.voucherForm,
                fields: [
                    "FVOUCHERID", settings.numberField, "FVOUCHERGROUPID.FName", "FVOUCHERGROUPNO",
                    "FAccountBookID.FNumber", "FDate", "FDocumentStatus", "FDEBIT",
                ], filter: filter, order: "FVOUCHERID ASC", start: rows.count, call)
            rows += page
            guard page.count >= Limits.queryRows else { break }
            guard rows.count < Limits.lookUpRows else {
                throw Failure(
                    .unsupported, zh: "匹配的凭证分录超过 \(Limits.lookUpRows) 行，请在 ERP 里查找",
                    en: "more than \(Limits.lookUpRows) voucher lines match: look in the ERP")
            }
        }
        // Asking for a line's field repeats the head for each line.
        var found: [VoucherFacts] = []
        for row in rows {
            let id = Client.cell(row[0])
            guard let debit = row[7].decimal, let stage = Stage(letter: Client.cell(row[6])), !id.isEmpty else {
                throw Failure(
                    .schemaDrift, zh: "凭证查询的应答里有不认识的状态或金额",
                    en: "a voucher in the answer has an unknown status or amount")
            }
            do {
                if let last = found.indices.last, found[last].id == id {
                    found[last].debit = try found[last].debit + debit
                } else {
                    found.append(
                        VoucherFacts(
                            id: id, number: Client.cell(row[1]), group: Client.cell(row[2]),
                            groupNumber: Client.cell(row[3]), book: Client.cell(row[4]),
                            date: String(Client.cell(row[5]).prefix(10)), debit: debit, stage: stage))
                }
                if let last = found.indices.last {
                    found[last].debit = try found[last].debit.rounded(scale: Limits.moneyScale, rule: .halfUp)
                }
            } catch { throw Failure(.schemaDrift, error) }
        }
        return found
    }

    // MARK: - Refusals

    private func isDuplicate(_ failure: Failure) -> Bool {
        failure.kind == .invalidRecord
            && failure.messages.contains { message in
                settings.duplicateMessages.contains { message.text.contains($0) }
            }
    }

    /// An id goes into a query unquoted: only digits may.
    private static func identifier(_ id: String) throws(Failure) -> String {
        guard !id.isEmpty, id.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw Failure(.schemaDrift, zh: "凭证内码不是数字", en: "a voucher's id is no number")
        }
        return id
    }
}
