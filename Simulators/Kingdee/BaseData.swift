/// One row of base data (基础资料): an account, a department, a customer …
struct BaseRecord: Sendable {
    let id: Int64
    let number: String
    var name: String
    /// A record that is not audited may not be used by a bill.
    var status = BillStatus.audited
    /// 禁用.
    var isForbidden = false
    var modified: Moment
    /// Further columns by field key, for example `FISDETAIL` of an account.
    var attributes: [String: Cell] = [:]
    /// Forms of the dimensions an account demands of every line, and of those it takes when given.
    var requiredDimensions: [String] = []
    var optionalDimensions: [String] = []
}

/// All rows of one base data form.
struct BaseTable: Sendable {
    private(set) var records: [BaseRecord] = []
    private var positions: [String: Int] = [:]
    private var highestID: Int64 = 0

    init(_ records: [BaseRecord]) {
        self.records = records
        for (position, record) in records.enumerated() { positions[record.number] = position }
        highestID = records.map(\.id).max() ?? 0
    }

    subscript(number: String) -> BaseRecord? {
        get { positions[number].map { records[$0] } }
        set {
            guard let newValue, let position = positions[number] else { return }
            records[position] = newValue
        }
    }

    /// Enters a record, in place of the one with its number if there is one.
    mutating func put(_ record: BaseRecord) {
        if let position = positions[record.number] {
            records[position] = record
        } else {
            positions[record.number] = records.count
            records.append(record)
        }
        highestID = max(highestID, record.id)
    }

    mutating func remove(_ number: String) {
        records.removeAll { $0.number == number }
        positions = [:]
        for (position, record) in records.enumerated() { positions[record.number] = position }
    }

    /// An id no record ever had.
    var nextID: Int64 { highestID + 1 }

    /// The next free automatic number, four digits at least.
    func nextNumber(prefix: String) -> String {
        var next = records.count + 1
        while true {
            let digits = String(next)
            let number = prefix + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            if positions[number] == nil { return number }
            next += 1
        }
    }

    subscript(id id: Int64) -> BaseRecord? { records.first { $0.id == id } }
}

/// One accounting dimension (核算维度) of this tenant: the key of its flex field, the form that holds its codes.
struct Dimension: Sendable, Hashable {
    let key: String
    let form: String
    let title: String

    /// The keys most tenants have; every tenant may differ [DOC].
    static let usual = [
        Dimension(key: "FFLEX4", form: "BD_Supplier", title: "供应商"),
        Dimension(key: "FFLEX5", form: "BD_Department", title: "部门"),
        Dimension(key: "FFLEX6", form: "BD_Customer", title: "客户"),
        Dimension(key: "FFLEX7", form: "BD_Empinfo", title: "员工"),
        Dimension(key: "FFLEX9", form: "BD_Expense", title: "费用项目"),
    ]
}

/// The company the simulator starts with: one book, a chart of accounts, a few departments, people and partners.
enum SampleCompany {
    static let bookNumber = "001"
    /// 人民币: lines in a book of this currency may leave currency and rate out [DOC].
    static let baseCurrency = "PRE001"

    /// Numbered from E001: those who file claims in the approvals' simulator, as a customer's ERP knows its own staff.
    private static let employees = [
        "张三", "李四", "王五", "赵六", "钱七", "孙八", "周九", "吴十", "郑小明", "冯小红", "陈晓东", "褚建国", "卫志强", "蒋丽华", "沈佳怡", "韩雪梅", "杨柳青",
        "朱子涵", "秦岭", "尤海洋", "许文博", "何雨欣", "吕思远", "施慧敏", "张三", "孔令辉煌", "曹安琪", "严格非", "华天宇", "金明亮", "魏然", "陶渊", "姜山",
        "戚静", "谢春生", "邹凯文", "喻晓",
    ]

    static func tables(at moment: Moment) -> [String: BaseTable] {
        var tables: [String: BaseTable] = [:]
        func add(_ form: String, from first: Int64, _ rows: [(String, String)]) {
            tables[form] = BaseTable(
                rows.enumerated().map {
                    BaseRecord(
                        id: first + Int64($0.offset), number: $0.element.0, name: $0.element.1, modified: moment)
                })
        }
        tables["BD_Account"] = BaseTable(accounts(at: moment))
        add("BD_AccountBook", from: 100_001, [(bookNumber, "示例科技主账簿"), ("002", "示例科技香港账簿")])
        tables["BD_AccountBook"]?[bookNumber]?.attributes["FCURRENCY"] = .text(baseCurrency)
        tables["BD_AccountBook"]?["002"]?.attributes["FCURRENCY"] = .text("PRE002")
        add("ORG_Organizations", from: 1, [("100", "示例科技"), ("101", "示例科技上海分公司")])
        add("BD_Currency", from: 1, [("PRE001", "人民币"), ("PRE002", "香港元"), ("PRE007", "美元")])
        add("BD_RateType", from: 1, [("HLTX01_SYS", "固定汇率"), ("HLTX02_SYS", "即期汇率")])
        add("BD_VoucherGroup", from: 1, [("PRE001", "记"), ("PRE002", "收"), ("PRE003", "付"), ("PRE004", "转")])
        add(
            "BD_Department", from: 100_101,
            [
                ("BM001", "总经办"), ("BM002", "销售部"), ("BM003", "研发部"), ("BM004", "财务部"), ("BM005", "人事行政部"),
                ("BM006", "采购部"), ("BM007", "仓储部"), ("BM008", "旧市场部"),
            ])
        tables["BD_Department"]?["BM008"]?.isForbidden = true
        add(
            "BD_Empinfo", from: 100_201,
            employees.enumerated().map { index, name in (index < 9 ? "E00\(index + 1)" : "E0\(index + 1)", name) })
        add(
            "BD_Customer", from: 100_301,
            [("CUST0001", "华北贸易有限公司"), ("CUST0002", "江南制造有限公司"), ("CUST0003", "西部物流有限公司")])
        add(
            "BD_Supplier", from: 100_401,
            [("VEN00001", "蓝天航空票务"), ("VEN00002", "绿洲办公用品"), ("VEN00003", "远山酒店")])
        for form in Form.writable.keys {
            for number in tables[form]?.records.map(\.number) ?? [] {
                for (key, _) in Form.organizationFields { tables[form]?[number]?.attributes[key] = .text("100") }
            }
        }
        add(
            "BD_Expense", from: 100_501,
            [("CI001", "差旅费"), ("CI002", "业务招待费"), ("CI003", "交通费"), ("CI004", "办公费"), ("CI005", "通讯费")])
        return tables
    }

    private static func accounts(at moment: Moment) -> [BaseRecord] {
        let employee = ["BD_Empinfo"]
        let department = ["BD_Department"]
        let expenseOptions = ["BD_Empinfo", "BD_Expense"]
        // number, name, direction (1 debit, -1 credit), required dimensions, optional dimensions
        let rows: [(String, String, Int64, [String], [String])] = [
            ("1001", "库存现金", 1, [], []),
            ("1002", "银行存款", 1, [], []),
            ("1002.01", "银行存款_基本户", 1, [], []),
            ("1002.02", "银行存款_一般户", 1, [], []),
            ("1122", "应收账款", 1, ["BD_Customer"], []),
            ("1123", "预付账款", 1, ["BD_Supplier"], []),
            ("1221", "其他应收款", 1, employee, []),
            ("1405", "库存商品", 1, [], []),
            ("1601", "固定资产", 1, [], []),
            ("2202", "应付账款", -1, ["BD_Supplier"], []),
            ("2203", "预收账款", -1, ["BD_Customer"], []),
            ("2211", "应付职工薪酬", -1, [], []),
            ("2221", "应交税费", -1, [], []),
            ("2221.01", "应交税费_应交增值税", -1, [], []),
            ("2221.01.01", "应交税费_应交增值税_进项税额", 1, [], []),
            ("2221.01.02", "应交税费_应交增值税_销项税额", -1, [], []),
            ("2241", "其他应付款", -1, employee, []),
            ("2242", "已停用往来", -1, [], []),
            ("4001", "实收资本", -1, [], []),
            ("6001", "主营业务收入", -1, [], ["BD_Customer"]),
            ("6401", "主营业务成本", 1, [], []),
            ("6601", "销售费用", 1, [], []),
            ("6601.01", "销售费用_差旅费", 1, department, expenseOptions),
            ("6601.02", "销售费用_业务招待费", 1, department, expenseOptions),
            ("6601.03", "销售费用_交通费", 1, department, expenseOptions),
            ("6601.04", "销售费用_办公费", 1, department, expenseOptions),
            ("6601.05", "销售费用_通讯费", 1, department, expenseOptions),
            ("6601.06", "销售费用_其他", 1, department, expenseOptions),
            ("6602", "管理费用", 1, [], []),
            ("6602.01", "管理费用_差旅费", 1, department, expenseOptions),
            ("6602.02", "管理费用_业务招待费", 1, department, expenseOptions),
            ("6602.03", "管理费用_交通费", 1, department, expenseOptions),
            ("6602.04", "管理费用_办公费", 1, department, expenseOptions),
            ("6602.05", "管理费用_通讯费", 1, department, expenseOptions),
            ("6602.06", "管理费用_其他", 1, department, expenseOptions),
            ("6603", "财务费用", 1, [], []),
        ]
        let parents: Set<String> = ["1002", "2221", "2221.01", "6601", "6602"]
        let disabled = "2242"
        return rows.enumerated().map { offset, row in
            var record = BaseRecord(
                id: 4001 + Int64(offset), number: row.0, name: row.1, modified: moment,
                attributes: [
                    "FISDETAIL": .text(parents.contains(row.0) ? "0" : "1"), "FDC": .integer(row.2),
                ], requiredDimensions: row.3, optionalDimensions: row.4)
            record.isForbidden = row.0 == disabled
            return record
        }
    }
}
