import SimulatorKit

/// One component of an approval form.
struct Component: Sendable {
    let id: String
    let kind: String
    let label: String
    var alias: String?
    var required = true
    var options: [String] = []
    var children: [Component] = []

    /// As `forms/schemas` shows it.
    var schema: SimJSON {
        var props: SimJSON = ["id": .string(id), "label": .string(label), "required": .bool(required)]
        if let alias { props["bizAlias"] = .string(alias) }
        if !options.isEmpty {
            props["options"] = .array(
                options.enumerated().map { index, option in
                    let item: SimJSON = ["value": .string(option), "key": .string("option_\(index)")]
                    return .string(item.text)
                })
        }
        if kind == "MoneyField" { props["notUpper"] = "0" }
        var out: SimJSON = ["componentName": .string(kind), "props": props]
        if !children.isEmpty { out["children"] = .array(children.map(\.schema)) }
        return out
    }
}

/// An approval template.
struct Template: Sendable {
    let key: String
    let code: String
    let name: String
    let category: String
    let components: [Component]

    static let expenseTypes = ["差旅费", "业务招待费", "办公费", "交通费", "培训费", "通讯费", "快递费", "会议费", "无人机租赁费"]
    /// The expense type that the demo's code table lacks.
    static let unmappedType = "无人机租赁费"
    static let paymentTypes = ["货款", "服务费", "房租", "广告费", "设备款"]
    static let paymentMethods = ["银行转账", "支票", "现金"]

    static let all: [Template] = [
        Template(
            key: "expense", code: "PROC-EXPENSE", name: "费用报销单", category: "dingtalk.businessFinance.reimbursement",
            components: [
                Component(id: "TextField-K2A", kind: "TextField", label: "报销事由", alias: "reason"),
                Component(id: "MoneyField-K2B", kind: "MoneyField", label: "总金额", alias: "total"),
                Component(
                    id: "DDSelectField-K2C", kind: "DDSelectField", label: "费用类型", alias: "expense_type",
                    options: expenseTypes),
                Component(id: "DDDateField-K2D", kind: "DDDateField", label: "日期", alias: "date"),
                Component(
                    id: "TableField-K2E", kind: "TableField", label: "费用明细", alias: "items",
                    children: [
                        Component(
                            id: "DDSelectField-R0", kind: "DDSelectField", label: "费用类型", options: expenseTypes),
                        Component(id: "MoneyField-R1", kind: "MoneyField", label: "金额"),
                        Component(id: "TextField-R2", kind: "TextField", label: "摘要", required: false),
                        Component(id: "DDDateField-R3", kind: "DDDateField", label: "发生日期"),
                    ]),
                Component(id: "DDAttachment-K2F", kind: "DDAttachment", label: "附件", required: false),
                Component(id: "TextareaField-K2G", kind: "TextareaField", label: "备注", required: false),
            ]),
        Template(
            key: "payment", code: "PROC-PAYMENT", name: "付款申请单", category: "dingtalk.businessFinance.payment",
            components: [
                Component(id: "TextField-P1", kind: "TextField", label: "付款事由", alias: "reason"),
                Component(id: "MoneyField-P2", kind: "MoneyField", label: "付款总额", alias: "total"),
                Component(
                    id: "DDSelectField-P3", kind: "DDSelectField", label: "付款类型", alias: "payment_type",
                    options: paymentTypes),
                Component(
                    id: "DDSelectField-P4", kind: "DDSelectField", label: "付款方式", alias: "payment_method",
                    options: paymentMethods),
                Component(id: "DDDateField-P5", kind: "DDDateField", label: "付款日期", alias: "date"),
                Component(id: "TextField-P6", kind: "TextField", label: "收款方", alias: "payee"),
                Component(id: "TextField-P7", kind: "TextField", label: "银行账户", alias: "bank_account"),
                Component(id: "DDAttachment-P8", kind: "DDAttachment", label: "附件", required: false),
                Component(id: "TextareaField-P9", kind: "TextareaField", label: "备注", required: false),
            ]),
        Template(
            key: "loan", code: "PROC-LOAN", name: "借款申请单", category: "dingtalk.businessFinance.reserve",
            components: [
                Component(id: "TextField-L1", kind: "TextField", label: "借款事由", alias: "reason"),
                Component(id: "MoneyField-L2", kind: "MoneyField", label: "借款金额", alias: "total"),
                Component(
                    id: "DDDateRangeField-L3", kind: "DDDateRangeField", label: "[\"使用日期\",\"归还日期\"]",
                    alias: "period"),
                Component(id: "InnerContactField-L4", kind: "InnerContactField", label: "借款人", alias: "borrower"),
                Component(id: "DepartmentField-L5", kind: "DepartmentField", label: "所在部门", alias: "department"),
                Component(id: "TextareaField-L6", kind: "TextareaField", label: "备注", required: false),
            ]),
    ]

    static func code(_ code: String) -> Template? { all.first { $0.code == code } }
    static func key(_ key: String) -> Template? { all.first { $0.key == key } }
}
