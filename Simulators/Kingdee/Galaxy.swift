import SimulatorKit

/// The ERP server: pure state, every answer a function of the request and the time.
struct Galaxy: Sendable {
    var options: Options
    var credentials = Credentials()
    var sessions: Sessions
    var books: Books
    /// Users whose login ends in another LoginResultType than 1.
    var loginResults: [String: Int] = [:]
    private(set) var load = Load()
    /// Results of calls begun with BeginQueryImpl, by task id; the order tells the oldest.
    private var tasks: [String: Reply] = [:]
    private var taskOrder: [String] = []
    private var random: SeededGenerator

    init(options: Options, seed: UInt64, now: Int64) {
        self.options = options
        sessions = Sessions(seed: seed)
        books = Books(dimensions: options.dimensions, at: now)
        random = SeededGenerator(seed: seed ^ 0x5a5a)
    }

    /// Answers one call of DynamicFormService. The caller is nil when the call was let in by nobody.
    mutating func call(_ name: String, _ request: SimRequest, at now: Int64) -> (Reply, Caller?) {
        let caller: Caller
        do {
            caller = try admit(request, at: now)
        } catch {
            switch error {
            case .refusal(let refusal): return (refused(refusal, by: name), nil)
            case .http(let status, let text): return (.text(text, status: status), nil)
            }
        }
        do throws(Refusal) {
            try load.count(at: now, options)
            if !options.licensed { throw Refusal.licence }
            let arguments = try Arguments(body: request.body, contentType: request.header("content-type"))
            if name == "queryasyncresult" { return (try asyncResult(arguments), caller) }
            let reply: Reply
            do {
                reply = try perform(name, arguments, user: caller.session.user, at: now)
            } catch {
                reply = refused(error, by: name)
            }
            if arguments.text("beginmethod", at: .max)?.lowercased() == "beginqueryimpl" {
                let task = random.hex(32)
                tasks[task] = reply
                taskOrder.append(task)
                if taskOrder.count > Limits.keptSessions { tasks[taskOrder.removeFirst()] = nil }
                return (.json(["TaskId": .string(task), "Status": 0, "Result": nil]), caller)
            }
            return (reply, caller)
        } catch {
            return (refused(error, by: name), caller)
        }
    }

    /// A refusal in the shape of the operation's answer: ExecuteBillQuery nests it twice in arrays.
    func refused(_ refusal: Refusal, by operation: String) -> Reply {
        let json = AnswerWriter(options).refusal(refusal)
        return .json(operation == "executebillquery" ? [[json]] : json)
    }

    mutating func enterCall() { load.enter() }
    mutating func leaveCall() { load.leave() }

    private mutating func asyncResult(_ arguments: Arguments) throws(Refusal) -> Reply {
        let info = arguments.value("queryInfo", at: 0)
        let query: SimJSON? = if case .string(let text) = info { try? SimJSON.parse(text) } else { info }
        guard let task = query?["TaskId"]?.string else { throw Refusal(8, "参数 queryInfo 不正确") }
        guard case .json(let result)? = tasks[task] else { throw Refusal(10, "任务 \(task) 不存在") }
        if query?["Cancelled"]?.truth == true { tasks[task] = nil }
        return .json(["TaskId": .string(task), "Status": 2, "Result": result])
    }

    private mutating func perform(
        _ name: String, _ arguments: Arguments, user: String, at now: Int64
    ) throws(Refusal) -> Reply {
        let writer = AnswerWriter(options)
        switch name {
        case "executebillquery", "billquery":
            if name == "billquery", !options.billQuery { return .text("response_error:找不到服务 BillQuery", status: 200) }
            let query = try BillQuery(arguments.data(at: 0, onlyText: options.dataAsString), options: options)
            try checkPermission(name, form: query.form.id)
            let rows = try query.rows(in: books)
            if name == "executebillquery" { return .json(.array(rows.map { .array($0.map(\.json)) })) }
            return .json(
                .array(
                    rows.map { row in
                        .object(
                            zip(query.fields, row).reduce(into: SimObject()) { $0[$1.0] = $1.1.json })
                    }))
        case "querybusinessinfo":
            let data = try arguments.data(at: 0, onlyText: options.dataAsString)
            let form = try form(data["FormId"]?.string)
            try checkPermission(name, form: form.id)
            return .json([
                "Result": [
                    "ResponseStatus": writer.status(succeeded: [], failed: []), "NeedReturnData": form.businessInfo,
                ]
            ])
        case "excuteoperation":
            // The SDK's misspelt name: a current server answers 200 and does nothing.
            return .json(writer.operated([], failed: []))
        default: break
        }
        let form = try form(arguments.text("formid", at: 0))
        try checkPermission(name, form: form.id)
        switch name {
        case "executeoperation":
            guard let operation = arguments.text("opNumber", at: 1), !operation.isEmpty else {
                throw Refusal(3, "操作Id(opNumber)不能为空")
            }
            let data = try arguments.data(at: 2, onlyText: options.dataAsString)
            return .json(try execute(operation, form: form, data, user: user, at: now))
        case "save", "draft", "batchsave":
            let data = try arguments.data(at: 1, onlyText: options.dataAsString)
            guard form.id == "GL_VOUCHER" else { throw Refusal(12, "业务对象“\(form.title)”在此模拟账套中不支持保存") }
            return .json(try saveAll(data, operation: name, user: user, at: now))
        case "view":
            let data = try arguments.data(at: 1, onlyText: options.dataAsString)
            return .json(try view(form, data))
        case "submit", "audit", "unaudit", "delete", "cancelassign":
            let data = try arguments.data(at: 1, onlyText: options.dataAsString)
            return .json(try operate(name, form: form, data, user: user, at: now))
        default: return .text("response_error:找不到服务 \(name)", status: 200)
        }
    }

    private func form(_ id: String?) throws(Refusal) -> Form {
        guard let id, !id.isEmpty else { throw Refusal(5, "业务对象Id(FormId)不能为空") }
        guard let form = Form.named(id, options: options) else { throw Refusal(4, "业务对象 \(id) 不存在") }
        return form
    }

    private func checkPermission(_ operation: String, form: String) throws(Refusal) {
        if options.denied.contains(operation) || options.denied.contains("\(form.lowercased()).\(operation)") {
            throw .noPermission
        }
    }
}

// MARK: - saving

extension Galaxy {
    private mutating func saveAll(
        _ data: SimJSON, operation: String, user: String, at now: Int64
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
        if save.refusesRepeats, books.isRepeated(package, at: now) { throw Refusal(11, "数据包重复：相同的数据已经保存过") }
        var succeeded: [SuccessEntity] = []
        var failed: [FailedMember] = []
        var returned: [SimJSON] = []
        for (position, model) in models.enumerated() {
            let index = save.batchCount > 0 ? position % save.batchCount : position
            do {
                let voucher = try self.save(model, save, operation: operation, user: user, at: now)
                succeeded.append(SuccessEntity(id: voucher.id, number: voucher.billNumber, index: index))
                returned.append(Self.returned(voucher, save.returnedFields, options: options, books: books))
            } catch {
                failed.append(FailedMember(index: index, refusal: error))
                books.note(
                    operation, id: error.committed?.id, number: error.committed?.number, user: user, at: now,
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
        guard case .object = model else { throw Refusal(8, "参数 Model 应为对象") }
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
        guard let key, !key.isNull, let text = key.plainText?.trimmingBlanks, !text.isEmpty, text != "0" else {
            if let key, !key.isNull, key.plainText == nil {
                throw Refusal(8, "字段“FVOUCHERID”的值不正确", field: "FVOUCHERID")
            }
            return nil
        }
        guard let id = Int64(text) else { throw Refusal(8, "字段“FVOUCHERID”的值不正确", field: "FVOUCHERID") }
        guard let voucher = books.vouchers[id] else { throw Refusal(10, "内码为\(id)的数据不存在", field: "FVOUCHERID") }
        return voucher
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

// MARK: - operations on saved documents

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

    private mutating func operate(
        _ name: String, form: Form, _ data: SimJSON, user: String, at now: Int64
    ) throws(Refusal) -> SimJSON {
        guard form.id == "GL_VOUCHER" else { throw Refusal(12, "业务对象“\(form.title)”在此模拟账套中不支持该操作") }
        var succeeded: [SuccessEntity] = []
        var failed: [FailedMember] = []
        for (index, target) in try targets(data).enumerated() {
            do throws(Refusal) {
                let found =
                    target.isID
                    ? Int64(target.text).flatMap { books.vouchers[$0] } : books.voucher(number: target.text)
                guard let voucher = found else {
                    throw Refusal(10, target.isID ? "内码为\(target.text)的数据不存在" : "编码为\(target.text)的数据不存在")
                }
                try change(voucher.id, by: name, user: user, at: now)
                succeeded.append(SuccessEntity(id: voucher.id, number: voucher.billNumber, index: index))
            } catch {
                failed.append(FailedMember(index: index, refusal: error))
                books.note(
                    name, id: target.isID ? Int64(target.text) : nil, number: target.isID ? nil : target.text,
                    user: user, at: now, refusal: error)
            }
        }
        return AnswerWriter(options).operated(succeeded, failed: failed)
    }

    /// One step of one voucher's life: A or D → Submit → B → Audit → C → UnAudit → D; CancelAssign B → D; Delete in Z, A, D.
    private mutating func change(_ id: Int64, by name: String, user: String, at now: Int64) throws(Refusal) {
        guard let voucher = books.vouchers[id] else { throw Refusal(10, "内码为\(id)的数据不存在") }
        try checkNotEdited(voucher)
        let next: BillStatus?
        switch (name, voucher.status) {
        case ("submit", .created), ("submit", .reopened): next = .inReview
        case ("audit", .inReview):
            if options.workflow { throw Refusal(12, "单据“\(voucher.billNumber)”的工作流未结束，不允许审核") }
            next = .audited
        case ("unaudit", .audited), ("cancelassign", .inReview): next = .reopened
        case ("delete", let status) where status.isEditable: next = nil
        default:
            let titles = [
                "submit": "提交", "audit": "审核", "unaudit": "反审核", "delete": "删除", "cancelassign": "撤销",
            ]
            throw Refusal(
                12, "单据“\(voucher.billNumber)”的状态为“\(voucher.status.title)”，不允许\(titles[name] ?? name)")
        }
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

    /// ExecuteOperation: Forbid and Enable of base data.
    private mutating func execute(
        _ operation: String, form: Form, _ data: SimJSON, user: String, at now: Int64
    ) throws(Refusal) -> SimJSON {
        let lowered = operation.lowercased()
        guard form.id != "GL_VOUCHER" else {
            guard ["submit", "audit", "unaudit", "delete", "cancelassign"].contains(lowered) else {
                throw Refusal(12, "单据不支持操作“\(operation)”")
            }
            return try operate(lowered, form: form, data, user: user, at: now)
        }
        guard lowered == "forbid" || lowered == "enable" else { throw Refusal(12, "基础资料不支持操作“\(operation)”") }
        var succeeded: [SuccessEntity] = []
        var failed: [FailedMember] = []
        for (index, target) in try targets(data).enumerated() {
            let table = books.base[form.id]
            let found = target.isID ? Int64(target.text).flatMap { table?[id: $0] } : table?[target.text]
            guard var record = found else {
                failed.append(FailedMember(index: index, refusal: Refusal(10, "\(target.text)的数据不存在")))
                continue
            }
            guard record.isForbidden != (lowered == "forbid") else {
                let state = record.isForbidden ? "已禁用" : "未禁用"
                failed.append(FailedMember(index: index, refusal: Refusal(12, "“\(record.number)”\(state)，不允许该操作")))
                continue
            }
            record.isForbidden = lowered == "forbid"
            record.modified = Moment(milliseconds: now)
            books.base[form.id]?[record.number] = record
            books.note("\(form.id) \(lowered)", id: record.id, number: record.number, user: user, at: now)
            succeeded.append(SuccessEntity(id: record.id, number: record.number, index: index))
        }
        return AnswerWriter(options).operated(succeeded, failed: failed)
    }

    // MARK: view

    private func view(_ form: Form, _ data: SimJSON) throws(Refusal) -> SimJSON {
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
