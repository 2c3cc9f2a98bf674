import SimulatorKit

/// Customers and suppliers: the base data this tenant lets the interface write.
extension Form {
    /// Text fields besides number and name; the tenant's own field comes on top.
    static let partnerFields: [(key: String, title: String)] = [
        ("FShortName", "简称"), ("FTEL", "联系电话"), ("FADDRESS", "通讯地址"), ("FINVOICETITLE", "发票抬头"),
        ("FTAXREGISTERCODE", "纳税登记号"),
    ]
    static let organizationFields: [(key: String, title: String)] = [("FCreateOrgId", "创建组织"), ("FUseOrgId", "使用组织")]

    /// Forms Save takes besides the voucher, with the prefix of their automatic numbers.
    static let writable = ["BD_Customer": "CUST", "BD_Supplier": "VEN"]
}

extension Galaxy {
    /// Saves a customer or supplier. A given key means update: fields that are sent change, the others stay.
    mutating func saveRecord(
        _ form: Form, _ model: SimJSON, _ save: SaveOptions, operation: String, user: String, at now: Int64
    ) throws(Refusal) -> BaseRecord {
        guard let prefix = Form.writable[form.id], let table = books.base[form.id] else {
            throw Refusal(12, "业务对象“\(form.title)”不允许通过接口保存")
        }
        var existing: BaseRecord?
        if let id = try Self.primaryID(model[form.primaryKey], form.primaryKey) {
            guard let found = table[id: id] else { throw Refusal(10, "内码为\(id)的数据不存在", field: form.primaryKey) }
            if books.edited.contains(found.number) { throw .networkControl }
            guard found.status.isEditable else {
                throw Refusal(12, "“\(found.number)”的状态为“\(found.status.title)”，不允许修改")
            }
            existing = found
        }
        func sent(_ key: String) -> SimJSON? {
            if existing != nil, !save.updatedFields.isEmpty, !save.updatedFields.contains(key) { return nil }
            return model[key].flatMap { $0.isNull ? Optional<SimJSON>.none : $0 }
        }
        var errors: [FieldError] = []
        var code = 11
        func refuse(_ field: String, _ message: String, code reason: Int = 11) {
            if errors.isEmpty { code = reason }
            errors.append(FieldError(field: field, message: message))
        }
        func text(_ key: String, _ title: String) -> String? {
            guard let value = sent(key) else { return nil }
            guard let text = value.plainText else {
                refuse(key, "字段“\(title)”的值应为文本", code: 8)
                return nil
            }
            if text.count > Limits.textCharacters { refuse(key, "字段“\(title)”的长度超过了\(Limits.textCharacters)") }
            return text.trimmingBlanks
        }
        var number = text("FNumber", "编码") ?? existing?.number ?? ""
        if number != existing?.number, !number.isEmpty, table[number] != nil {
            refuse("FNumber", "违反字段唯一性要求：编码。\(number)在当前系统中已经被使用。")
        }
        if let existing, number != existing.number { refuse("FNumber", "编码不允许修改") }
        let name = text("FName", "名称") ?? existing?.name ?? ""
        if name.isEmpty, save.validates { refuse("FName", "字段“名称”是必填项") }
        var attributes = existing?.attributes ?? [:]
        var fields = Form.partnerFields
        if !options.externalField.isEmpty { fields.append((options.externalField, "外部单据标识")) }
        for (key, title) in fields {
            if let text = text(key, title) { attributes[key] = .text(text) }
        }
        for (key, title) in Form.organizationFields {
            switch sent(key) {
            case nil:
                if existing == nil, save.validates { refuse(key, "字段“\(title)”是必填项") }
            case .object(let object):
                let organization = (object["FNumber"] ?? object["FNUMBER"])?.plainText ?? ""
                if books.base["ORG_Organizations"]?[organization] != nil {
                    attributes[key] = .text(organization)
                } else if save.verifiesBaseData {
                    refuse(key, "字段“\(title)”的值“\(organization)”在系统中不存在", code: 9)
                } else if save.validates {
                    refuse(key, "字段“\(title)”是必填项")
                }
            default: refuse(key, "字段“\(title)”是基础资料，其值应为对象，例如{\"FNumber\":\"\"}", code: 8)
            }
        }
        guard errors.isEmpty else { throw Refusal(code, errors: errors) }
        if number.isEmpty { number = table.nextNumber(prefix: prefix) }
        var record = BaseRecord(
            id: existing?.id ?? table.nextID, number: number, name: name, modified: Moment(milliseconds: now))
        record.attributes = attributes
        record.isForbidden = existing?.isForbidden ?? false
        record.status = operation == "draft" ? .draft : existing?.status == .reopened ? .reopened : .created
        books.base[form.id]?.put(record)
        books.note(Self.trailName(operation, form), id: record.id, number: number, user: user, at: now)
        return record
    }
}

extension Books {
    /// Whether a voucher line names the record as a dimension.
    func isUsed(_ number: String, of form: String) -> Bool {
        vouchers.values.contains { voucher in
            voucher.lines.contains { line in
                line.dimensions.contains { $0.dimension.form == form && $0.code == number }
                    || (form == "BD_Account" && line.account == number)
            }
        }
    }

    /// What `/_sim/books` shows of customers and suppliers.
    var partners: SimJSON {
        .object(
            Form.writable.keys.sorted().reduce(into: SimObject()) { out, form in
                out[form] = .array(
                    (base[form]?.records ?? []).map { record in
                        [
                            "id": SimJSON(record.id), "number": .string(record.number), "name": .string(record.name),
                            "status": .string(record.status.rawValue), "forbidden": .bool(record.isForbidden),
                            "modified": .string(record.modified.text),
                            "fields": .object(
                                record.attributes.sorted { $0.key < $1.key }.reduce(into: SimObject()) {
                                    $0[$1.key] = $1.value.json
                                }),
                        ]
                    })
            })
    }
}
