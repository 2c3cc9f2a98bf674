import SimulatorKit

/// Options of a Save, beside its Model [DOC].
struct SaveOptions: Sendable {
    /// Only these are changed on an update.
    let updatedFields: Set<String>
    let returnedFields: [String]
    /// Lines not sent are deleted.
    let deletesEntries: Bool
    /// False: an unknown code is silently treated as empty.
    let verifiesBaseData: Bool
    /// False: saved without checks.
    let validates: Bool
    let refusesRepeats: Bool
    let submitsAndAudits: Bool
    /// DIndex counts inside each sub-batch of this many.
    let batchCount: Int

    init(_ data: SimJSON, draft: Bool) {
        updatedFields = Set((data["NeedUpDateFields"]?.array ?? []).compactMap(\.string))
        returnedFields = (data["NeedReturnFields"]?.array ?? []).compactMap(\.string)
        deletesEntries = data["IsDeleteEntry"]?.truth ?? true
        verifiesBaseData = data["IsVerifyBaseDataField"]?.truth ?? false
        validates = !draft && data["ValidateFlag"]?.truth ?? true
        refusesRepeats = data["ValidateRepeatJson"]?.truth ?? false
        submitsAndAudits = data["IsAutoSubmitAndAudit"]?.truth ?? false
        batchCount = data["BatchCount"]?.plainText.flatMap { Int($0) } ?? 0
    }
}

/// Reads a voucher's Model, collecting everything the vendor would refuse. Keys it does not know are passed over
/// without a word: that is the vendor's trap, and it stays one here.
struct VoucherReader {
    let books: Books
    let options: Options
    let save: SaveOptions
    let existing: Voucher?
    private(set) var errors: [FieldError] = []
    private(set) var code = 11

    init(books: Books, options: Options, save: SaveOptions, existing: Voucher?) {
        self.books = books
        self.options = options
        self.save = save
        self.existing = existing
    }

    private mutating func refuse(_ field: String, _ message: String, code: Int = 11) {
        if errors.isEmpty { self.code = code }
        errors.append(FieldError(field: field, message: message))
    }

    /// The voucher, without id, numbers and times of its own; or every reason against it.
    mutating func read(_ model: SimJSON, user: String, now: Moment) throws(Refusal) -> Voucher {
        let book = baseCode(model["FAccountBookID"], "FAccountBookID", "账簿", form: "BD_AccountBook", required: true)
        let date = date(model["FDate"], "FDate", "日期", required: true) ?? now
        let businessDate = self.date(model["FBUSDATE"], "FBUSDATE", "业务日期", required: false) ?? date
        let group = baseCode(
            model["FVOUCHERGROUPID"], "FVOUCHERGROUPID", "凭证字", form: "BD_VoucherGroup", required: save.validates)
        let year = whole(model["FYEAR"], "FYEAR", "会计年度") ?? Int64(date.year)
        let period = whole(model["FPERIOD"], "FPERIOD", "期间") ?? Int64(date.month)
        if save.validates {
            if year != Int64(date.year) || period != Int64(date.month) {
                refuse("FDate", "凭证日期\(date.date)与会计期间\(year)年\(period)期不一致")
            }
            var periods = [Books.Period(book: book, year: date.year, period: date.month)]
            if let existing {
                periods.append(Books.Period(book: existing.book, year: existing.year, period: existing.period))
            }
            if let closed = periods.first(where: books.closed.contains) {
                refuse("FDate", "账簿“\(closed.book)”\(closed.year)年\(closed.period)期已结账，不允许录入凭证")
            }
        }
        let attachments = whole(model["FATTACHMENTS"], "FATTACHMENTS", "附件数") ?? 0
        if attachments < 0 { refuse("FATTACHMENTS", "字段“附件数”不能小于零") }
        var external = ""
        if !options.externalField.isEmpty, let value = model[options.externalField], !value.isNull {
            external = value.plainText ?? ""
            if external.count > Limits.externalIDCharacters {
                refuse(options.externalField, "字段“外部单据标识”的长度超过了\(Limits.externalIDCharacters)")
            }
        }
        let lines = lines(model["FEntity"], book: book)
        let groupNumber = groupNumber(model["FVOUCHERGROUPNO"], book: book, group: group, date: date)
        let billNumber = billNumber(model["FBillNo"])
        guard errors.isEmpty else { throw Refusal(code, errors: errors) }
        return Voucher(
            id: existing?.id ?? 0, billNumber: billNumber, groupNumber: groupNumber, book: book, group: group,
            date: date, businessDate: businessDate, year: Int(year), period: Int(period), attachments: attachments,
            isAdjustment: model["FISADJUSTVOUCHER"]?.truth ?? false, externalID: external, status: .created,
            creator: existing?.creator ?? user, created: existing?.created ?? now, modified: now, lines: lines)
    }

    // MARK: - head

    private mutating func groupNumber(_ value: SimJSON?, book: String, group: String, date: Moment) -> Int {
        let period = Books.Period(book: book, year: date.year, period: date.month)
        let kept = existing.flatMap {
            $0.book == book && $0.group == group && $0.year == date.year && $0.period == date.month
                ? $0.groupNumber : nil
        }
        guard let text = value?.plainText, !text.trimmingBlanks.isEmpty, text != "0" else {
            return kept ?? books.nextGroupNumber(group: group, in: period)
        }
        guard let number = Int(text), number > 0 else {
            refuse("FVOUCHERGROUPNO", "字段“凭证号”的值“\(text)”不正确")
            return 0
        }
        if number != kept, books.groupNumberIsUsed(number, group: group, in: period) {
            refuse("FVOUCHERGROUPNO", "违反字段唯一性要求：凭证号。\(text)在当前系统中已经被使用。")
        }
        return number
    }

    /// Empty: to be numbered by the server.
    private mutating func billNumber(_ value: SimJSON?) -> String {
        guard let text = value?.plainText?.trimmingBlanks, !text.isEmpty else { return existing?.billNumber ?? "" }
        if text != existing?.billNumber, books.voucher(number: text) != nil {
            refuse("FBillNo", "违反字段唯一性要求：单据编号。\(text)在当前系统中已经被使用。")
        }
        return text
    }

    private mutating func date(_ value: SimJSON?, _ field: String, _ title: String, required: Bool) -> Moment? {
        let text = value?.plainText?.trimmingBlanks ?? ""
        if text.isEmpty {
            if let value, !value.isNull, value.string == nil { refuse(field, "字段“\(title)”的值不是有效的日期") }
            if required { refuse(field, "字段“\(title)”是必填项") }
            return nil
        }
        guard let moment = Moment(text) else {
            refuse(field, "字段“\(title)”的值“\(text)”不是有效的日期")
            return nil
        }
        return moment
    }

    private mutating func whole(_ value: SimJSON?, _ field: String, _ title: String) -> Int64? {
        guard let value, !value.isNull, value.plainText != "" else { return nil }
        guard let number = value.plainText.flatMap({ Int64($0) }) else {
            refuse(field, "字段“\(title)”的值应为整数")
            return nil
        }
        return number
    }

    /// The code of a base data value: always an object `{"FNumber":…}`. Empty when it is not given, or unknown and not
    /// verified.
    private mutating func baseCode(
        _ value: SimJSON?, _ field: String, _ title: String, form: String, required: Bool
    ) -> String {
        var code = ""
        switch value {
        case nil, .null: break
        case .object(let object): code = (object["FNumber"] ?? object["FNUMBER"])?.plainText?.trimmingBlanks ?? ""
        default:
            refuse(field, "字段“\(title)”是基础资料，其值应为对象，例如{\"FNumber\":\"\"}", code: 8)
            return ""
        }
        if !code.isEmpty {
            if let record = books.base[form]?[code] {
                if record.isForbidden { refuse(field, "字段“\(title)”的值“\(code)”已被禁用") }
                if record.status != .audited { refuse(field, "字段“\(title)”的值“\(code)”未审核") }
            } else if save.verifiesBaseData {
                refuse(field, "字段“\(title)”的值“\(code)”在系统中不存在", code: 9)
                return ""
            } else {
                code = ""
            }
        }
        if code.isEmpty, required { refuse(field, "字段“\(title)”是必填项") }
        return code
    }

    // MARK: - lines

    private mutating func lines(_ value: SimJSON?, book: String) -> [VoucherLine] {
        let bookCurrency: String? =
            if case .text(let code)? = books.base["BD_AccountBook"]?[book]?.attributes["FCURRENCY"] { code } else {
                nil
            }
        var lines: [VoucherLine] = []
        switch value {
        case nil, .null: break
        case .array(let list):
            for (index, item) in list.enumerated() {
                guard case .object = item else {
                    refuse("FEntity", "第\(index + 1)行分录应为对象", code: 8)
                    continue
                }
                lines.append(line(item, row: index + 1, bookCurrency: bookCurrency ?? SampleCompany.baseCurrency))
            }
        default: refuse("FEntity", "字段“FEntity”是单据体，其值应为数组", code: 8)
        }
        if let existing, !save.deletesEntries {
            let sent = Set(lines.map(\.id))
            lines = existing.lines.filter { !sent.contains($0.id) } + lines
        }
        guard save.validates else { return lines }
        if lines.count < 2 { refuse("FEntity", "凭证至少需要两条分录") }
        let debits = lines.reduce(Amount.zero) { $0 + $1.debit }
        let credits = lines.reduce(Amount.zero) { $0 + $1.credit }
        if debits != credits {
            refuse("FEntity", "借贷不平衡：借方合计\(debits.text(places: 2))，贷方合计\(credits.text(places: 2))")
        }
        return lines
    }

    private mutating func line(_ item: SimJSON, row: Int, bookCurrency: String) -> VoucherLine {
        let explanation = item["FEXPLANATION"]?.plainText ?? ""
        let account = baseCode(
            item["FACCOUNTID"], "FACCOUNTID", "科目编码", form: "BD_Account", required: save.validates)
        // Only a book in yuan lets currency and rate be left out, and only of a line in yuan.
        let isForeignBook = bookCurrency != SampleCompany.baseCurrency
        let currency = baseCode(
            item["FCURRENCYID"], "FCURRENCYID", "币别", form: "BD_Currency",
            required: save.validates && isForeignBook)
        let needsRate = save.validates && (isForeignBook || ![bookCurrency, ""].contains(currency))
        let rateType = baseCode(
            item["FEXCHANGERATETYPE"], "FEXCHANGERATETYPE", "汇率类型", form: "BD_RateType", required: needsRate)
        let rate = amount(item["FEXCHANGERATE"], "FEXCHANGERATE", "汇率", row: row, places: 10)
        if needsRate, Self.isAbsent(item["FEXCHANGERATE"]) { refuse("FEXCHANGERATE", "第\(row)行分录“汇率”是必填项") }
        let debit = amount(item["FDEBIT"], "FDEBIT", "借方金额", row: row, places: Limits.moneyPlaces)
        let credit = amount(item["FCREDIT"], "FCREDIT", "贷方金额", row: row, places: Limits.moneyPlaces)
        let given = amount(item["FAMOUNTFOR"], "FAMOUNTFOR", "原币金额", row: row, places: Limits.moneyPlaces)
        let dimensions = dimensions(item["FDetailID"], account: account, row: row)
        if save.validates {
            if explanation.trimmingBlanks.isEmpty { refuse("FEXPLANATION", "第\(row)行分录摘要不能为空") }
            if (debit ?? .zero).isZero == (credit ?? .zero).isZero {
                refuse(
                    "FDEBIT",
                    (debit ?? .zero).isZero ? "第\(row)行分录借方金额和贷方金额不能同时为零" : "第\(row)行分录借方金额和贷方金额不能同时录入")
            }
            if let record = books.base["BD_Account"]?[account], record.attributes["FISDETAIL"] == .text("0") {
                refuse("FACCOUNTID", "第\(row)行分录科目“\(account) \(record.name)”不是明细科目")
            }
        }
        if explanation.count > Limits.explanationCharacters {
            refuse("FEXPLANATION", "第\(row)行分录摘要长度超过了\(Limits.explanationCharacters)")
        }
        let side = (debit ?? .zero) + (credit ?? .zero)
        return VoucherLine(
            id: item["FEntryID"]?.plainText.flatMap { Int64($0) } ?? 0, explanation: explanation, account: account,
            dimensions: dimensions, currency: currency.isEmpty ? bookCurrency : currency,
            rateType: rateType.isEmpty ? "HLTX01_SYS" : rateType, rate: rate ?? Amount(coefficient: 1, scale: 0),
            amountInCurrency: given ?? side, debit: debit ?? .zero, credit: credit ?? .zero)
    }

    private static func isAbsent(_ value: SimJSON?) -> Bool { value.map { $0.isNull || $0.plainText == "" } ?? true }

    private mutating func amount(
        _ value: SimJSON?, _ field: String, _ title: String, row: Int, places: Int
    ) -> Amount? {
        guard let value, !Self.isAbsent(value) else { return nil }
        guard let amount = value.plainText.flatMap({ Amount($0.trimmingBlanks) }) else {
            refuse(field, "第\(row)行分录“\(title)”的值不是有效的数字")
            return nil
        }
        if amount.scale > places {
            refuse(field, "第\(row)行分录“\(title)”的值\(amount.text())超过了\(places)位小数精度")
        }
        return amount
    }

    private mutating func dimensions(_ value: SimJSON?, account: String, row: Int) -> [DimensionValue] {
        var given: [DimensionValue] = []
        switch value {
        case nil, .null: break
        case .object(let object):
            for dimension in books.dimensions {
                let name = "FDETAILID__\(dimension.key)"
                let code = baseCode(object[name], name, dimension.title, form: dimension.form, required: false)
                if !code.isEmpty { given.append(DimensionValue(dimension: dimension, code: code)) }
            }
        default: refuse("FDetailID", "字段“核算维度”的值应为对象", code: 8)
        }
        guard let record = books.base["BD_Account"]?[account] else { return given }
        // A dimension the account does not carry is dropped without a word.
        let carried = record.requiredDimensions + record.optionalDimensions
        given = given.filter { carried.contains($0.dimension.form) }
        if save.validates {
            for form in record.requiredDimensions where !given.contains(where: { $0.dimension.form == form }) {
                let title = books.dimensions.first { $0.form == form }?.title ?? form
                refuse("FDetailID", "第\(row)行分录科目“\(account)”必录维度未录入：\(title)")
            }
        }
        return given
    }
}

extension Voucher {
    /// The voucher as a Model again: what an update with NeedUpDateFields starts from.
    func model(externalField: String) -> SimJSON {
        var model: SimJSON = [
            "FVOUCHERID": SimJSON(id), "FBillNo": .string(billNumber), "FAccountBookID": ["FNumber": .string(book)],
            "FDate": .string(date.date), "FBUSDATE": .string(businessDate.date), "FYEAR": SimJSON(year),
            "FPERIOD": SimJSON(period), "FVOUCHERGROUPID": ["FNumber": .string(group)],
            "FVOUCHERGROUPNO": .string(String(groupNumber)), "FATTACHMENTS": SimJSON(attachments),
            "FISADJUSTVOUCHER": .bool(isAdjustment), "FEntity": .array(lines.map(\.model)),
        ]
        if !externalField.isEmpty { model[externalField] = .string(externalID) }
        return model
    }
}

extension VoucherLine {
    var model: SimJSON {
        [
            "FEntryID": SimJSON(id), "FEXPLANATION": .string(explanation), "FACCOUNTID": ["FNumber": .string(account)],
            "FDetailID": .object(
                dimensions.reduce(into: SimObject()) { $0["FDETAILID__\($1.key)"] = ["FNumber": .string($1.code)] }),
            "FCURRENCYID": ["FNumber": .string(currency)], "FEXCHANGERATETYPE": ["FNumber": .string(rateType)],
            "FEXCHANGERATE": .number(rate.text()), "FAMOUNTFOR": .number(amountInCurrency.text()),
            "FDEBIT": .number(debit.text()), "FCREDIT": .number(credit.text()),
        ]
    }
}
