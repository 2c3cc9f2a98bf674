import SimulatorKit

/// A row as a query reads it: a base data record, or a voucher's head, or a voucher with one of its lines.
enum Row: Sendable {
    case record(BaseRecord)
    case voucher(Voucher, line: VoucherLine?)
}

/// One field of a form: what the query language, View and QueryBusinessInfo know of it.
struct Column: Sendable {
    enum Kind: Sendable {
        case text, integer, decimal, date, flag
        /// Points at a base data form: the bare field answers the internal id, `.FNumber` and `.FName` its attributes.
        case base(form: String)
        case dimensions
    }
    let key: String
    let title: String
    let kind: Kind
    var mustInput = false
    var isEntry = false
    /// For `.base` it answers the number, which the form's table turns into an id.
    let read: @Sendable (Row) -> Cell
}

/// A business object (form id) of the tenant.
struct Form: Sendable {
    let id: String
    let title: String
    let primaryKey: String
    let columns: [Column]

    func column(_ name: String) -> Column? {
        let wanted = name.lowercased()
        return columns.first { $0.key.lowercased() == wanted }
    }
}

extension Form {
    static let baseForms: [(id: String, title: String, primaryKey: String)] = [
        ("ORG_Organizations", "组织机构", "FOrgID"), ("BD_Account", "科目", "FACCTID"), ("BD_AccountBook", "账簿", "FBOOKID"),
        ("BD_Currency", "币别", "FCURRENCYID"),
        ("BD_RateType", "汇率类型", "FRATETYPEID"), ("BD_VoucherGroup", "凭证字", "FVCHGROUPID"),
        ("BD_Department", "部门", "FDEPTID"), ("BD_Empinfo", "员工", "FID"), ("BD_Customer", "客户", "FCUSTID"),
        ("BD_Supplier", "供应商", "FSupplierId"), ("BD_Expense", "费用项目", "FEXPID"),
    ]

    /// The form of the id, case ignored; nil when the tenant has none.
    static func named(_ id: String, options: Options) -> Form? {
        let wanted = id.lowercased()
        if wanted == "gl_voucher" { return voucher(options: options) }
        guard let base = baseForms.first(where: { $0.id.lowercased() == wanted }) else { return nil }
        return baseForm(id: base.id, title: base.title, primaryKey: base.primaryKey, options: options)
    }

    private static func record(_ read: @escaping @Sendable (BaseRecord) -> Cell) -> @Sendable (Row) -> Cell {
        { row in if case .record(let record) = row { read(record) } else { .null } }
    }

    private static func baseForm(id: String, title: String, primaryKey: String, options: Options) -> Form {
        var columns = [
            Column(key: primaryKey, title: "内码", kind: .integer, read: record { .integer($0.id) }),
            Column(key: "FNumber", title: "编码", kind: .text, mustInput: true, read: record { .text($0.number) }),
            Column(key: "FName", title: "名称", kind: .text, mustInput: true, read: record { .text($0.name) }),
            Column(key: "FDocumentStatus", title: "数据状态", kind: .text, read: record { .text($0.status.rawValue) }),
            Column(
                key: "FForbidStatus", title: "禁用状态", kind: .text, read: record { .text($0.isForbidden ? "B" : "A") }),
            Column(key: "FModifyDate", title: "修改日期", kind: .date, read: record { .moment($0.modified) }),
        ]
        if id == "BD_Account" {
            columns += [
                Column(
                    key: "FISDETAIL", title: "是否明细科目", kind: .flag, read: record { $0.attributes["FISDETAIL"] ?? .null }
                ),
                Column(key: "FDC", title: "余额方向", kind: .integer, read: record { $0.attributes["FDC"] ?? .null }),
            ]
        }
        if writable[id] != nil {
            var texts = partnerFields
            if !options.externalField.isEmpty { texts.append((options.externalField, "外部单据标识")) }
            columns += texts.map { key, title in
                Column(key: key, title: title, kind: .text, read: record { $0.attributes[key] ?? .text("") })
            }
            columns += organizationFields.map { key, title in
                Column(
                    key: key, title: title, kind: .base(form: "ORG_Organizations"), mustInput: true,
                    read: record { $0.attributes[key] ?? .text("") })
            }
        }
        if id == "BD_Empinfo" {
            columns.append(
                Column(key: "FStaffNumber", title: "员工编码", kind: .text, read: record { .text($0.number) }))
        }
        return Form(id: id, title: title, primaryKey: primaryKey, columns: columns)
    }

    private static func head(_ read: @escaping @Sendable (Voucher) -> Cell) -> @Sendable (Row) -> Cell {
        { row in if case .voucher(let voucher, _) = row { read(voucher) } else { .null } }
    }

    private static func entry(_ read: @escaping @Sendable (VoucherLine) -> Cell) -> @Sendable (Row) -> Cell {
        { row in if case .voucher(_, let line?) = row { read(line) } else { .null } }
    }

    private static func voucher(options: Options) -> Form {
        var columns = [
            Column(key: "FVOUCHERID", title: "内码", kind: .integer, read: head { .integer($0.id) }),
            Column(key: "FBillNo", title: "单据编号", kind: .text, read: head { .text($0.billNumber) }),
            Column(
                key: "FAccountBookID", title: "账簿", kind: .base(form: "BD_AccountBook"), mustInput: true,
                read: head { .text($0.book) }),
            Column(key: "FDate", title: "日期", kind: .date, mustInput: true, read: head { .moment($0.date) }),
            Column(key: "FBUSDATE", title: "业务日期", kind: .date, read: head { .moment($0.businessDate) }),
            Column(key: "FYEAR", title: "会计年度", kind: .integer, read: head { .integer(Int64($0.year)) }),
            Column(key: "FPERIOD", title: "期间", kind: .integer, read: head { .integer(Int64($0.period)) }),
            Column(
                key: "FVOUCHERGROUPID", title: "凭证字", kind: .base(form: "BD_VoucherGroup"), mustInput: true,
                read: head { .text($0.group) }),
            Column(key: "FVOUCHERGROUPNO", title: "凭证号", kind: .text, read: head { .text(String($0.groupNumber)) }),
            Column(key: "FATTACHMENTS", title: "附件数", kind: .integer, read: head { .integer($0.attachments) }),
            Column(
                key: "FISADJUSTVOUCHER", title: "是否调整期凭证", kind: .flag,
                read: head { .text($0.isAdjustment ? "1" : "0") }),
            Column(key: "FDocumentStatus", title: "审核状态", kind: .text, read: head { .text($0.status.rawValue) }),
            Column(key: "FDEBITTOTAL", title: "借方总金额", kind: .decimal, read: head { .decimal($0.debits) }),
            Column(key: "FCREDITTOTAL", title: "贷方总金额", kind: .decimal, read: head { .decimal($0.credits) }),
            Column(key: "FCreateDate", title: "创建日期", kind: .date, read: head { .moment($0.created) }),
            Column(key: "FModifyDate", title: "修改日期", kind: .date, read: head { .moment($0.modified) }),
        ]
        if !options.externalField.isEmpty {
            columns.append(
                Column(key: options.externalField, title: "外部单据标识", kind: .text, read: head { .text($0.externalID) }))
        }
        if options.upgraded {
            columns.append(Column(key: "FUPGRADEMARK", title: "升级标记", kind: .text, read: head { _ in .text("") }))
        }
        columns += [
            Column(
                key: "FEntity_FEntryID", title: "分录内码", kind: .integer, isEntry: true, read: entry { .integer($0.id) }),
            Column(
                key: "FEXPLANATION", title: "摘要", kind: .text, mustInput: true, isEntry: true,
                read: entry { .text($0.explanation) }),
            Column(
                key: "FACCOUNTID", title: "科目编码", kind: .base(form: "BD_Account"), mustInput: true, isEntry: true,
                read: entry { .text($0.account) }),
            Column(key: "FDetailID", title: "核算维度", kind: .dimensions, isEntry: true, read: entry { _ in .null }),
            Column(
                key: "FCURRENCYID", title: "币别", kind: .base(form: "BD_Currency"), isEntry: true,
                read: entry { .text($0.currency) }),
            Column(
                key: "FEXCHANGERATETYPE", title: "汇率类型", kind: .base(form: "BD_RateType"), isEntry: true,
                read: entry { .text($0.rateType) }),
            Column(key: "FEXCHANGERATE", title: "汇率", kind: .decimal, isEntry: true, read: entry { .decimal($0.rate) }),
            Column(
                key: "FAMOUNTFOR", title: "原币金额", kind: .decimal, isEntry: true,
                read: entry { .decimal($0.amountInCurrency) }),
            Column(key: "FDEBIT", title: "借方金额", kind: .decimal, isEntry: true, read: entry { .decimal($0.debit) }),
            Column(key: "FCREDIT", title: "贷方金额", kind: .decimal, isEntry: true, read: entry { .decimal($0.credit) }),
        ]
        return Form(id: "GL_VOUCHER", title: "凭证", primaryKey: "FVOUCHERID", columns: columns)
    }
}

extension Form {
    /// The answer of QueryBusinessInfo: the fields of head and lines.
    var businessInfo: SimJSON {
        func fields(entry: Bool) -> SimJSON {
            .array(
                columns.filter { $0.isEntry == entry }.map { column in
                    let type =
                        switch column.kind {
                        case .text: "TextField"
                        case .integer: "IntegerField"
                        case .decimal: "DecimalField"
                        case .date: "DateField"
                        case .flag: "CheckBoxField"
                        case .base: "BaseDataField"
                        case .dimensions: "FlexField"
                        }
                    var field: SimJSON = [
                        "Key": .string(column.key), "Name": localized(column.title), "ElementType": .string(type),
                        "MustInput": column.mustInput ? 1 : 0,
                    ]
                    if case .base(let form) = column.kind { field["LookUpObjectFormId"] = .string(form) }
                    return field
                })
        }
        var entries: [SimJSON] = [
            ["Key": "FBillHead", "EntryPkFieldName": .string(primaryKey), "Fields": fields(entry: false)]
        ]
        if columns.contains(where: \.isEntry) {
            entries.append([
                "Key": "FEntity", "Name": localized("分录"), "EntryPkFieldName": "FEntryID",
                "Fields": fields(entry: true),
            ])
        }
        return [
            "Id": .string(id), "Name": localized(title), "PkFieldName": .string(primaryKey), "Entrys": .array(entries),
        ]
    }
}
