import SimulatorKit

/// One approval.
struct Instance: Sendable {
    enum Outcome: String {
        case running, agreed, refused, withdrawn
    }

    let id: String
    let number: String
    let template: Template
    let applicant: Person
    let created: Int64
    var outcome: Outcome
    var finished: Int64?
    var action = "NONE"
    var main: String?
    let cents: Int
    let missingCode: Bool
    let values: [SimJSON]
    var files: [File] = []
    var comments: [Comment] = []

    struct File {
        let id: String
        let name: String
        let size: Int
    }

    struct Comment {
        let user: String
        let text: String
        let at: Int64
    }

    var title: String { "\(applicant.name)提交的\(template.name)" }

    var status: String {
        switch outcome {
        case .running: "RUNNING"
        case .agreed, .refused: "COMPLETED"
        case .withdrawn: "TERMINATED"
        }
    }

    var result: String? {
        switch outcome {
        case .agreed: "agree"
        case .refused: "refuse"
        case .running, .withdrawn: nil
        }
    }

    /// The `result` of the detail call.
    var detail: SimJSON {
        let department = Organisation.department(applicant.department)
        var records: [SimJSON] = [
            [
                "userId": .string(applicant.id), "date": .string(Time.minute(created)),
                "type": "START_PROCESS_INSTANCE", "result": "NONE",
            ]
        ]
        var task: SimJSON = [
            "taskId": SimJSON(90_000_000_000 + (Int(number.suffix(7)) ?? 0)),
            "userId": "manager01", "activityId": "a1", "createTime": .string(Time.minute(created)),
            "processInstanceId": .string(id),
        ]
        if let finished {
            let verdict: SimJSON = outcome == .withdrawn ? "NONE" : outcome == .agreed ? "AGREE" : "REFUSE"
            records.append(
                outcome == .withdrawn
                    ? [
                        "userId": .string(applicant.id), "date": .string(Time.minute(finished)),
                        "type": "TERMINATE_PROCESS_INSTANCE", "result": "NONE",
                    ]
                    : [
                        "userId": "manager01", "date": .string(Time.minute(finished)), "type": "EXECUTE_TASK_NORMAL",
                        "result": verdict, "remark": outcome == .agreed ? "同意" : "票据不符，请重新提交",
                    ])
            task["status"] = outcome == .withdrawn ? "CANCELED" : "COMPLETED"
            task["result"] = verdict
            task["finishTime"] = .string(Time.minute(finished))
        } else {
            task["status"] = "RUNNING"
            task["result"] = "NONE"
        }
        for comment in comments {
            records.append([
                "userId": .string(comment.user), "date": .string(Time.minute(comment.at)), "type": "ADD_REMARK",
                "result": "NONE", "remark": .string(comment.text),
            ])
        }
        var out: SimJSON = [
            "title": .string(title), "businessId": .string(number), "status": .string(status),
            "result": .string(result ?? ""), "bizAction": .string(action), "originatorUserId": .string(applicant.id),
            "originatorDeptId": .string("\(applicant.department)"),
            "originatorDeptName": .string(department?.name ?? ""), "createTime": .string(Time.minute(created)),
            "approverUserIds": ["manager01"], "ccUserIds": [], "attachedProcessInstanceIds": [],
            "mainProcessInstanceId": SimJSON(main), "operationRecords": .array(records), "tasks": [task],
            "formComponentValues": .array(values),
        ]
        if let finished { out["finishTime"] = .string(Time.minute(finished)) }
        return out
    }

    /// The line of the books.
    var line: SimJSON {
        [
            "id": .string(id), "number": .string(number), "template": .string(template.code),
            "title": .string(title), "applicant": .string(applicant.id), "employee_number": .string(applicant.number),
            "status": .string(status), "result": SimJSON(result), "action": .string(action), "main_id": SimJSON(main),
            "amount": .string(Money.plain(cents)), "missing_code": .bool(missingCode),
            "created_at": SimJSON(created), "finished_at": finished.map { SimJSON($0) } ?? .null,
            "comments": .array(
                comments.map { ["user": .string($0.user), "text": .string($0.text), "at": SimJSON($0.at)] }),
        ]
    }

    /// The body of a `bpms_instance_change` push; a result is in it at `finish` only.
    func event(_ id: String, kind: String, at time: Int64) -> SimJSON {
        var out: SimJSON = [
            "eventId": .string(id), "processInstanceId": .string(self.id), "processCode": .string(template.code),
            "businessId": .string(number), "bizCategoryId": .string(template.category), "businessType": "",
            "title": .string(title), "type": .string(kind), "createTime": SimJSON(created),
            "EventTime": SimJSON(time), "BizId": .string(self.id),
            "url": .string("https://aflow.example.com/dingtalk/pc/query/pchomepage.htm?procInsId=\(self.id)"),
            "staffId": .string(kind == "start" || kind == "terminate" ? applicant.id : "manager01"),
        ]
        if kind == "finish", let result { out["result"] = .string(result) }
        if let finished { out["finishTime"] = SimJSON(finished) }
        return out
    }

    /// Which change the last push told of.
    var change: String {
        switch outcome {
        case .running: "start"
        case .agreed, .refused: "finish"
        case .withdrawn: "terminate"
        }
    }
}

/// How many approvals of which kind to make. The counts are parts of `count`; what is left over is agreed.
public struct ApprovalPlan: Sendable, Hashable {
    /// All of them together.
    public var count: Int
    /// COMPLETED and refused.
    public var rejected: Int
    /// TERMINATED.
    public var withdrawn: Int
    /// Still RUNNING.
    public var running: Int
    /// Agreed instances whose expense type has no account in the demo's code table.
    public var missingCode: Int
    /// Agreed instances that revoke one agreed before them.
    public var revoked: Int
    /// Agreed instances that change one agreed before them.
    public var modified: Int
    /// `expense`, `payment`, `loan`, in turn; one is usual.
    public var templates: [String]
    /// Filed so many days before now at least: a filing date outside a poll's window.
    public var filedDaysAgo: Int

    /// A plan; everything left out is none.
    public init(
        count: Int, rejected: Int = 0, withdrawn: Int = 0, running: Int = 0, missingCode: Int = 0, revoked: Int = 0,
        modified: Int = 0, templates: [String] = ["expense"], filedDaysAgo: Int = 0
    ) {
        self.count = count
        self.rejected = rejected
        self.withdrawn = withdrawn
        self.running = running
        self.missingCode = missingCode
        self.revoked = revoked
        self.modified = modified
        self.templates = templates
        self.filedDaysAgo = filedDaysAgo
    }

    /// Why this plan cannot be made; nil when it can.
    var objection: String? {
        let parts = [rejected, withdrawn, running, missingCode, revoked, modified]
        if count < 1 || count > 10_000 { return "count must be 1...10000" }
        if parts.contains(where: { $0 < 0 }) || parts.reduce(0, +) > count { return "the parts exceed count" }
        if templates.isEmpty || templates.contains(where: { Template.key($0) == nil }) {
            return "templates are expense, payment, loan"
        }
        if missingCode > 0, !templates.contains("expense") { return "missing_code needs the template expense" }
        if filedDaysAgo < 0 { return "filed_days_ago must not be negative" }
        return nil
    }
}

/// Makes approvals that look like those of real people.
struct ApprovalMaker: Sendable {
    var random: SeededGenerator

    mutating func make(_ plan: ApprovalPlan, agreedBefore: [Instance], now: Int64) -> [Instance] {
        enum Kind { case agreed, refused, withdrawn, running, missing, revoke, modify }
        var kinds: [Kind] = []
        kinds += Array(repeating: .refused, count: plan.rejected)
        kinds += Array(repeating: .withdrawn, count: plan.withdrawn)
        kinds += Array(repeating: .running, count: plan.running)
        kinds += Array(repeating: .missing, count: plan.missingCode)
        let late = plan.revoked + plan.modified
        kinds += Array(repeating: .agreed, count: plan.count - late - kinds.count)
        kinds.shuffle(using: &random)
        kinds += Array(repeating: .revoke, count: plan.revoked) + Array(repeating: .modify, count: plan.modified)

        var made: [Instance] = []
        var targets = agreedBefore
        for (index, kind) in kinds.enumerated() {
            let chosen = plan.templates[index % plan.templates.count]
            let template = Template.key(kind == .missing ? "expense" : chosen) ?? Template.all[0]
            switch kind {
            case .revoke, .modify:
                guard !targets.isEmpty else {
                    made.append(instance(template, .agreed, missing: false, plan: plan, now: now))
                    continue
                }
                let main = targets.remove(at: random.int(0...targets.count - 1))
                made.append(follow(main, action: kind == .revoke ? "REVOKE" : "MODIFY", plan: plan, now: now))
            default:
                let outcome: Instance.Outcome =
                    switch kind {
                    case .refused: .refused
                    case .withdrawn: .withdrawn
                    case .running: .running
                    default: .agreed
                    }
                let one = instance(template, outcome, missing: kind == .missing, plan: plan, now: now)
                if kind == .agreed { targets.append(one) }
                made.append(one)
            }
        }
        return made
    }

    private mutating func instance(
        _ template: Template, _ outcome: Instance.Outcome, missing: Bool, plan: ApprovalPlan, now: Int64
    ) -> Instance {
        let person = random.pick(Organisation.claimants)
        let created = filed(plan, now)
        let (cents, values, files) =
            switch template.key {
            case "payment": payment(template, created)
            case "loan": loan(template, person, created)
            default: expense(template, missing: missing, created)
            }
        return Instance(
            id: identifier(), number: number(created), template: template, applicant: person, created: created,
            outcome: outcome, finished: outcome == .running ? nil : now, cents: cents, missingCode: missing,
            values: values, files: files)
    }

    /// An approval about an earlier one: its withdrawal, or a corrected copy.
    private mutating func follow(_ main: Instance, action: String, plan: ApprovalPlan, now: Int64) -> Instance {
        let created = max(main.created, filed(plan, now))
        return Instance(
            id: identifier(), number: number(created), template: main.template, applicant: main.applicant,
            created: created, outcome: .agreed, finished: now, action: action, main: main.id, cents: main.cents,
            missingCode: false, values: main.values, files: main.files)
    }

    private mutating func filed(_ plan: ApprovalPlan, _ now: Int64) -> Int64 {
        now - Int64(plan.filedDaysAgo) * Time.day - Int64(random.int(10...4_320)) * 60_000
    }

    private mutating func identifier() -> String {
        [8, 4, 4, 4, 12].map { random.hex($0) }.joined(separator: "-")
    }

    private mutating func number(_ created: Int64) -> String {
        Time.stamp(created) + String(String(1_000_000_000 + random.int(0...999_999_999)).dropFirst())
    }

    private mutating func expense(_ template: Template, missing: Bool, _ created: Int64)
        -> (Int, [SimJSON], [Instance.File])
    {
        let topics: [(type: String, reason: String, notes: [String], range: ClosedRange<Int>)] = [
            ("差旅费", "北京客户拜访", ["机票", "高铁票", "酒店住宿", "出差补贴"], 18_000...320_000),
            ("业务招待费", "客户接待", ["工作餐", "茶歇", "宴请"], 9_800...260_000),
            ("办公费", "部门办公采购", ["打印纸", "硒鼓", "文具", "显示器支架"], 1_590...89_900),
            ("交通费", "市内交通", ["打车", "地铁充值", "停车费", "过路费"], 400...38_000),
            ("培训费", "岗位技能培训", ["课程费", "教材", "考试报名费"], 19_900...480_000),
            ("通讯费", "话费报销", ["手机话费", "宽带费"], 3_000...29_900),
            ("快递费", "样品寄送", ["顺丰快递", "物流费"], 1_200...26_000),
            ("会议费", "季度会议", ["会场租赁", "会务用品"], 50_000...880_000),
        ]
        let topic = random.pick(topics)
        let single = random.chance(0.35)
        let count = single ? 1 : random.int(2...9)
        var rows: [SimJSON] = []
        var total = 0
        var main = missing ? Template.unmappedType : topic.type
        for row in 1...count {
            let other = row == 1 || random.chance(0.7) ? topic : random.pick(topics)
            let type = missing && row == 1 ? Template.unmappedType : other.type
            if row == 1 { main = type }
            let cents = random.int(other.range)
            total += cents
            let option = Template.expenseTypes.firstIndex(of: type) ?? 0
            let chosen: SimJSON = ["label": .string(type), "key": .string("option_\(option)")]
            var cells: [SimJSON] = [
                [
                    "label": "费用类型", "value": .string(type), "key": "DDSelectField-R0",
                    "extendValue": .string(chosen.text),
                ],
                ["label": "金额", "value": .string(Money.plain(cents)), "key": "MoneyField-R1"],
            ]
            if !random.chance(0.15) {
                cells.append(["label": "摘要", "value": .string(random.pick(other.notes)), "key": "TextField-R2"])
            }
            cells.append([
                "label": "发生日期",
                "value": .string(Time.day(created - Int64(random.int(0...20)) * Time.day)), "key": "DDDateField-R3",
            ])
            rows.append(["rowValue": .array(cells), "rowNumber": .string("TableField-K2E_\(row)")])
        }
        let files = (0..<(random.chance(0.8) ? random.int(1...3) : 0)).map { _ in file("发票") }
        let values = [
            value(template, 0, .string(missing ? "航拍项目设备租赁" : topic.reason)),
            money(template, 1, total, grouped: false),
            select(template, 2, main),
            value(template, 3, .string(Time.day(created))),
            value(template, 4, .string(SimJSON.array(rows).text)),
            attachment(template, 5, files),
            note(template, 6),
        ].compactMap(\.self)
        return (total, values, files)
    }

    private mutating func payment(_ template: Template, _ created: Int64) -> (Int, [SimJSON], [Instance.File]) {
        let cents = random.int(50_000...9_800_000)
        let payees = ["宁波样品材料有限公司", "上海范例物流有限公司", "苏州示范设备有限公司", "杭州样板物业管理有限公司"]
        let files = [file("合同")]
        let type = random.pick(Template.paymentTypes)
        let values = [
            value(template, 0, .string("\(type)付款")),
            money(template, 1, cents, grouped: random.chance(0.3)),
            select(template, 2, type),
            select(template, 3, random.pick(Template.paymentMethods)),
            value(template, 4, .string(Time.day(created + 3 * Time.day))),
            value(template, 5, .string(random.pick(payees))),
            value(template, 6, .string("6222\(100_000_000_000 + random.int(0...899_999_999_999))")),
            attachment(template, 7, files),
            note(template, 8),
        ].compactMap(\.self)
        return (cents, values, files)
    }

    private mutating func loan(_ template: Template, _ person: Person, _ created: Int64)
        -> (Int, [SimJSON], [Instance.File])
    {
        let cents = random.int(5...100) * 10_000
        let range: SimJSON = [
            .string(Time.day(created)), .string(Time.day(created + Int64(random.int(7...60)) * Time.day)),
        ]
        let who: SimJSON = [["emplId": .string(person.id), "name": .string(person.name)]]
        let department = Organisation.department(person.department)?.name ?? ""
        let place: SimJSON = [["id": .string("\(person.department)"), "name": .string(department)]]
        let values = [
            value(template, 0, .string(random.pick(["出差备用金", "展会备用金", "采购备用金"]))),
            money(template, 1, cents, grouped: false),
            value(template, 2, .string(range.text)),
            value(template, 3, .string(person.name), ext: who),
            value(template, 4, .string(department), ext: place),
            note(template, 5),
        ].compactMap(\.self)
        return (cents, values, [])
    }

    private func value(_ template: Template, _ index: Int, _ value: SimJSON?, ext: SimJSON? = nil) -> SimJSON {
        let component = template.components[index]
        var out: SimJSON = [
            "id": .string(component.id), "name": .string(component.label), "componentType": .string(component.kind),
        ]
        if let alias = component.alias { out["bizAlias"] = .string(alias) }
        if let value { out["value"] = value }
        if let ext { out["extValue"] = .string(ext.text) }
        return out
    }

    private func money(_ template: Template, _ index: Int, _ cents: Int, grouped: Bool) -> SimJSON {
        value(
            template, index, .string(grouped ? Money.grouped(cents) : Money.plain(cents)),
            ext: ["upper": .string(Money.capital(cents)), "componentName": "MoneyField"])
    }

    private func select(_ template: Template, _ index: Int, _ label: String) -> SimJSON {
        let option = template.components[index].options.firstIndex(of: label) ?? 0
        return value(
            template, index, .string(label), ext: ["label": .string(label), "key": .string("option_\(option)")])
    }

    private mutating func file(_ name: String) -> Instance.File {
        Instance.File(
            id: "\(600_000_000 + random.int(0...99_999_999))", name: "\(name)\(random.int(1...99)).pdf",
            size: random.int(12_000...480_000))
    }

    private func attachment(_ template: Template, _ index: Int, _ files: [Instance.File]) -> SimJSON {
        guard !files.isEmpty else { return value(template, index, "null") }
        let list = SimJSON.array(
            files.map {
                [
                    "spaceId": "1635000658", "fileName": .string($0.name), "fileSize": .string("\($0.size)"),
                    "fileType": "pdf", "fileId": .string($0.id),
                ]
            })
        return value(template, index, .string(list.text))
    }

    /// An optional text: filled, the text "null", null, or not there at all – all four are seen.
    private mutating func note(_ template: Template, _ index: Int) -> SimJSON? {
        switch random.int(0...3) {
        case 0: value(template, index, .string("已与部门负责人沟通"))
        case 1: value(template, index, "null")
        case 2: value(template, index, .null)
        default: nil
        }
    }
}
