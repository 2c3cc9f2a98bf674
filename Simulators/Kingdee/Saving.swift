import SimulatorKit

extension Galaxy {
    /// Save, Draft and BatchSave: each Model for itself, so that a batch may be half good.
    mutating func saveAll(
        _ form: Form, _ data: SimJSON, operation: String, user: String, at now: Int64
    ) throws(Refusal) -> SimJSON {
        let save = SaveOptions(data, draft: operation == "draft")
        let models: [SimJSON]
        switch (data["Model"], operation) {
        case (.object(let model), "save"), (.object(let model), "draft"): models = [.object(model)]
        case (.array(let list), "batchsave"): models = list
        case (nil, _): throw Refusal(8, "参数 Model 不能为空")
        case (_, "batchsave"): throw Refusal(8, "参数 Model 应为数组")
        default: throw Refusal(8, "参数 Model 应为对象")
        }
        let package = data.text
        if save.refusesRepeats, books.isRepeated(package, at: now, span: options.repeatMilliseconds) {
            throw Refusal(11, "数据包重复：相同的数据已经保存过")
        }
        var succeeded: [SuccessEntity] = []
        var failed: [FailedMember] = []
        var returned: [SimJSON] = []
        for (position, model) in models.enumerated() {
            let index = save.batchCount > 0 ? position % save.batchCount : position
            do throws(Refusal) {
                guard case .object = model else { throw Refusal(8, "参数 Model 应为对象") }
                var saved: SuccessEntity
                if form.id == "GL_VOUCHER" {
                    let voucher = try self.save(model, save, operation: operation, user: user, at: now)
                    saved = SuccessEntity(id: voucher.id, number: voucher.billNumber)
                    returned.append(Self.returned(voucher, save.returnedFields, options: options, books: books))
                } else {
                    let record = try saveRecord(form, model, save, operation: operation, user: user, at: now)
                    saved = SuccessEntity(id: record.id, number: record.number)
                    returned.append(
                        save.returnedFields.reduce(into: [:]) { out, field in
                            out[field] = books.reader(of: field, in: form)?.read(.record(record)).json
                        })
                }
                saved.index = index
                succeeded.append(saved)
            } catch {
                failed.append(FailedMember(index: index, refusal: error))
                books.note(
                    Self.trailName(operation, form), id: error.committed?.id, number: error.committed?.number,
                    user: user, at: now,
                    refusal: error)
            }
        }
        if succeeded.isEmpty, failed.allSatisfy({ $0.refusal.committed == nil }) { books.forgetPackage(package) }
        return AnswerWriter(options).saved(
            succeeded, failed: failed, returned: returned, single: operation != "batchsave")
    }

    private mutating func save(
        _ model: SimJSON, _ save: SaveOptions, operation: String, user: String, at now: Int64
    ) throws(Refusal) -> Voucher {
        let existing = try existingVoucher(model["FVOUCHERID"])
        if let existing {
            try checkNotEdited(existing)
            guard existing.status.isEditable else {
                throw Refusal(12, "单据“\(existing.billNumber)”的状态为“\(existing.status.title)”，不允许修改")
            }
        }
        var effective = model
        if let existing, !save.updatedFields.isEmpty { effective = Self.merged(model, into: existing, save, options) }
        var voucher = try read(effective, save, over: existing, user: user, at: now)
        if voucher.id == 0 { voucher.id = books.newVoucherID() }
        if voucher.billNumber.isEmpty { voucher.billNumber = books.newBillNumber() }
        let known = Set(existing?.lines.map(\.id) ?? [])
        for index in voucher.lines.indices where !known.contains(voucher.lines[index].id) {
            voucher.lines[index].id = books.newEntryID()
        }
        voucher.status = operation == "draft" ? .draft : existing?.status == .reopened ? .reopened : .created
        books.put(voucher)
        books.note(
            existing == nil ? operation : "\(operation) (replaces)", id: voucher.id, number: voucher.billNumber,
            user: user, at: now)
        if save.submitsAndAudits, operation != "draft" {
            for step in ["submit", "audit"] {
                do {
                    try change(voucher.id, by: step, user: user, at: now)
                } catch {
                    var refusal = error
                    refusal.committed = SuccessEntity(id: voucher.id, number: voucher.billNumber)
                    throw refusal
                }
            }
        }
        return voucher
    }

    /// Its own function, so that the reader's hold on the books ends before they change.
    private func read(
        _ model: SimJSON, _ save: SaveOptions, over existing: Voucher?, user: String, at now: Int64
    ) throws(Refusal) -> Voucher {
        var reader = VoucherReader(books: books, options: options, save: save, existing: existing)
        return try reader.read(model, user: user, now: Moment(milliseconds: now))
    }

    private func existingVoucher(_ key: SimJSON?) throws(Refusal) -> Voucher? {
        guard let id = try Self.primaryID(key, "FVOUCHERID") else { return nil }
        guard let voucher = books.vouchers[id] else { throw Refusal(10, "内码为\(id)的数据不存在", field: "FVOUCHERID") }
        return voucher
    }

    /// The internal id a Model carries; nil for a new document (absent, empty or 0).
    static func primaryID(_ key: SimJSON?, _ field: String) throws(Refusal) -> Int64? {
        guard let key, !key.isNull else { return nil }
        guard let text = key.plainText?.trimmingBlanks, let id = Int64(text.isEmpty ? "0" : text), id >= 0 else {
            throw Refusal(8, "字段“\(field)”的值不正确", field: field)
        }
        return id == 0 ? nil : id
    }

    private func checkNotEdited(_ voucher: Voucher) throws(Refusal) {
        if books.edited.contains(voucher.billNumber) { throw .networkControl }
    }

    /// The voucher with only the named fields taken from the Model.
    private static func merged(
        _ model: SimJSON, into voucher: Voucher, _ save: SaveOptions, _ options: Options
    ) -> SimJSON {
        var out = voucher.model(externalField: options.externalField)
        for key in model.object?.keys ?? [] where key != "FEntity" && save.updatedFields.contains(key) {
            out[key] = model[key]
        }
        guard save.updatedFields.contains("FEntity"), let sent = model["FEntity"]?.array else { return out }
        let lines = sent.map { line -> SimJSON in
            guard let id = line["FEntryID"]?.plainText.flatMap({ Int64($0) }),
                let old = voucher.lines.first(where: { $0.id == id })
            else { return line }
            var merged = old.model
            for key in line.object?.keys ?? [] where save.updatedFields.contains(key) { merged[key] = line[key] }
            return merged
        }
        out["FEntity"] = .array(lines)
        return out
    }

    /// NeedReturnFields: head fields by key, line fields as `FEntity.KEY`; what the form does not have is left out.
    private static func returned(_ voucher: Voucher, _ fields: [String], options: Options, books: Books) -> SimJSON {
        guard let form = Form.named("GL_VOUCHER", options: options) else { return [:] }
        var out: SimJSON = [:]
        var lines = [SimObject](repeating: [:], count: voucher.lines.count)
        for field in fields {
            let isEntry = field.hasPrefix("FEntity.")
            let name = isEntry ? String(field.dropFirst("FEntity.".count)) : field
            guard let (read, readsLine) = books.reader(of: name, in: form) else { continue }
            if readsLine {
                for (index, line) in voucher.lines.enumerated() {
                    lines[index][name] = read(.voucher(voucher, line: line)).json
                }
            } else {
                out[name] = read(.voucher(voucher, line: nil)).json
            }
        }
        if lines.contains(where: { !$0.keys.isEmpty }) { out["FEntity"] = .array(lines.map { .object($0) }) }
        return out
    }
}
