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
    private var tasks: [String: (reply: Reply, isAskedFor: Bool)] = [:]
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
            let isBegun = arguments.text("beginmethod", at: .max)?.lowercased() == "beginqueryimpl"
            if isBegun, arguments.text("querymethod", at: .max)?.lowercased() != "queryasyncresult" {
                throw Refusal(8, "参数 querymethod 不正确")
            }
            let reply: Reply
            do {
                reply = try perform(name, arguments, user: caller.session.user, at: now)
            } catch {
                reply = refused(error, by: name)
            }
            if isBegun {
                let task = random.hex(32)
                tasks[task] = (reply, false)
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
        guard let found = tasks[task], case .json(let result) = found.reply else {
            throw Refusal(10, "任务 \(task) 不存在")
        }
        // The first question finds it still at work: a client must go on asking until Status 2.
        guard found.isAskedFor else {
            tasks[task]?.isAskedFor = true
            return .json(["TaskId": .string(task), "Status": 1, "Result": nil])
        }
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
            return .json(try saveAll(form, data, operation: name, user: user, at: now))
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
