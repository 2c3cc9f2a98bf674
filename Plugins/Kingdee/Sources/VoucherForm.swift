import PluginKit
import Values

/// Our voucher as the ERP's form wants it.
///
/// Base data values are objects (`{"FNumber":…}`), amounts are JSON numbers with the text they came in.
/// Unknown members of a Model are ignored by the ERP without a word, so every name here is checked against the
/// tenant's form by `probe`.
struct VoucherForm: Sendable {
    let model: JSON
    let book: String
    /// As people say it: 记.
    let group: String
    let date: CivilDate
    let debit: ExactDecimal

    init(_ document: JSON, key: String, _ settings: Settings, _ flow: FlowSettings) throws(Failure) {
        guard document.object != nil else {
            throw .invalidRecord(zh: "单据不是对象", en: "the document is no object")
        }
        book = document["book"]?.string ?? flow.book ?? ""
        guard !book.isEmpty else {
            throw .invalidRecord(
                zh: "没有账簿：请在映射里或流程的 to.settings.book 里给出", en: "no book: give it in the mapping or in to.settings.book",
                field: "/book")
        }
        let given = document["group"]?.string ?? flow.group ?? ""
        guard let (group, groupCode) = Self.code(given, in: settings.groups) else {
            throw .invalidRecord(
                zh: "凭证字“\(given)”没有对应的编码：请补充连接设置 groups",
                en: "no code for the voucher word \"\(given)\": add it to the connection's setting groups",
                field: "/group")
        }
        self.group = group
        let date = try Self.date(document["date"], "/date")
        self.date = date
        let businessDate =
            document["business_date"].map(\.isNull) == false
            ? try Self.date(document["business_date"], "/business_date") : date
        guard let lines = document["lines"]?.array, !lines.isEmpty else {
            throw .invalidRecord(zh: "凭证没有分录", en: "the voucher has no lines", field: "/lines")
        }
        let summary = document["summary"]?.string ?? ""
        var total = ExactDecimal(0)
        var entries: [JSON] = []
        for (index, line) in lines.enumerated() {
            let (entry, debit) = try Self.entry(line, at: index, summary: summary, settings)
            entries.append(entry)
            do { total = try total + debit } catch { throw Failure(.invalidRecord, error) }
        }
        do { debit = try total.rounded(scale: Limits.moneyScale, rule: .halfUp) } catch {
            throw Failure(.invalidRecord, error)
        }
        var model: JSONObject = [
            "FVOUCHERID": 0, "FAccountBookID": Self.base(book), "FDate": .string(date.text),
            "FBUSDATE": .string(businessDate.text), "FYEAR": .number(JSONNumber(Int64(date.year))),
            "FPERIOD": .number(JSONNumber(Int64(date.month))), "FVOUCHERGROUPID": Self.base(groupCode),
            // Empty: the ERP numbers the voucher; a number of ours would be refused once it is taken.
            "FVOUCHERGROUPNO": "",
        ]
        if let attachments = document["attachment_count"], !attachments.isNull {
            guard let count = attachments.int, count >= 0 else {
                throw .invalidRecord(
                    zh: "附件数不是整数", en: "the attachment count is no whole number", field: "/attachment_count")
            }
            model["FATTACHMENTS"] = .number(JSONNumber(count))
        }
        model[settings.externalField] = .string(key)
        model["FEntity"] = .array(entries)
        try Self.add(document["extra"], to: &model, "/extra")
        self.model = .object(model)
    }

    /// The data of a Save.
    var data: JSON {
        [
            // A wrong code would otherwise be taken for an empty one.
            "IsVerifyBaseDataField": "true", "ValidateFlag": "true",
            // One more net under the look-up: the ERP refuses a package it has just stored.
            "ValidateRepeatJson": "true", "NeedReturnFields": ["FVOUCHERGROUPNO"], "Model": model,
        ]
    }

    // MARK: - Parts

    static func base(_ code: String) -> JSON { ["FNumber": .string(code)] }

    /// The word people use and its code. A code that the table knows may be given itself.
    private static func code(_ given: String, in table: [String: String]) -> (word: String, code: String)? {
        if let code = table[given] { return (given, code) }
        return table.first { $0.value == given }.map { ($0.key, $0.value) }
    }

    private static func date(_ value: JSON?, _ field: String) throws(Failure) -> CivilDate {
        guard let text = value?.string, let date = CivilDate(text) else {
            throw .invalidRecord(zh: "日期要写成 2026-01-15", en: "a date is written 2026-01-15", field: field)
        }
        return date
    }

    private static func entry(
        _ line: JSON, at index: Int, summary: String, _ settings: Settings
    ) throws(Failure) -> (JSON, ExactDecimal) {
        let place = "/lines/\(index)"
        let explanation = line["summary"]?.string ?? summary
        guard !explanation.isEmpty else {
            throw .invalidRecord(zh: "分录没有摘要", en: "the line has no summary", field: "\(place)/summary")
        }
        guard let account = line["account"]?.string, !account.isEmpty else {
            throw .invalidRecord(zh: "分录没有科目", en: "the line has no account", field: "\(place)/account")
        }
        let debit = try amount(line["debit"], "\(place)/debit")
        let credit = try amount(line["credit"], "\(place)/credit")
        guard debit.isZero != credit.isZero else {
            throw .invalidRecord(
                zh: "分录要么借、要么贷", en: "a line has either a debit or a credit", field: "\(place)/debit")
        }
        var entry: JSONObject = ["FEXPLANATION": .string(explanation), "FACCOUNTID": base(account)]
        var details: JSONObject = [:]
        for (name, value) in line["dimensions"]?.object ?? [:] where !value.isNull {
            guard let key = settings.dimensions[name] else {
                throw .invalidRecord(
                    zh: "核算维度 \(name) 没有对应的标识：请补充连接设置 dimensions",
                    en: "no key for the dimension \(name): add it to the connection's setting dimensions",
                    field: "\(place)/dimensions/\(name)")
            }
            guard let code = value.string, !code.isEmpty else {
                throw .invalidRecord(
                    zh: "核算维度 \(name) 的编码不是文本", en: "the dimension \(name) has no code",
                    field: "\(place)/dimensions/\(name)")
            }
            details[key] = base(code)
        }
        if !details.isEmpty { entry["FDetailID"] = .object(details) }
        let side = debit.isZero ? credit : debit
        if let currency = line["currency"]?.string {
            guard let (_, code) = code(currency, in: settings.currencies) else {
                throw .invalidRecord(
                    zh: "币别 \(currency) 没有对应的编码：请补充连接设置 currencies",
                    en: "no code for the currency \(currency): add it to the connection's setting currencies",
                    field: "\(place)/currency")
            }
            entry["FCURRENCYID"] = base(code)
            entry["FEXCHANGERATETYPE"] = base(settings.rateType)
            let given = line["rate"] ?? .null
            // Yuan are worth one; anything else without its rate would be booked as if it were yuan.
            guard !given.isNull || code == settings.currencies["CNY"] else {
                throw .invalidRecord(
                    zh: "币别 \(currency) 的分录要给出汇率", en: "a line in \(currency) needs its rate",
                    field: "\(place)/rate")
            }
            let rate = given.isNull ? ExactDecimal(1) : try decimal(given, "\(place)/rate")
            entry["FEXCHANGERATE"] = try number(rate, "\(place)/rate")
            if let original = line["extra"]?["amount"], !original.isNull {
                let field = "\(place)/extra/amount"
                entry["FAMOUNTFOR"] = try number(try amount(original, field), field)
            } else if rate == ExactDecimal(1) {
                entry["FAMOUNTFOR"] = try number(side, "\(place)/debit")
            } else {
                // Dividing the yuan amount by the rate would guess the last cent.
                throw .invalidRecord(
                    zh: "外币分录要在 extra.amount 里给出原币金额",
                    en: "a line in a foreign currency needs its amount in that currency, in extra.amount",
                    field: "\(place)/extra/amount")
            }
        }
        entry["FDEBIT"] = try number(debit, "\(place)/debit")
        entry["FCREDIT"] = try number(credit, "\(place)/credit")
        try add(line["extra"], to: &entry, "\(place)/extra")
        return (.object(entry), debit)
    }

    /// Fields only this ERP has, by their own names (`F…`): what the mapping puts into `extra` goes along. What the
    /// connector itself sets cannot be replaced: a primary key would turn a new voucher into a change of another.
    private static func add(_ extra: JSON?, to model: inout JSONObject, _ place: String) throws(Failure) {
        let taken = Set(model.keys.map { $0.lowercased() } + ["fentryid", "fentity_fentryid"])
        for (name, value) in extra?.object ?? [:] where name.hasPrefix("F") {
            guard !taken.contains(name.lowercased()) else {
                throw .invalidRecord(
                    zh: "字段 \(name) 由连接器填写，不能放在 extra 里",
                    en: "the field \(name) is set by the connector and cannot be in extra", field: "\(place)/\(name)")
            }
            model[name] = value
        }
    }

    private static func decimal(_ value: JSON?, _ field: String) throws(Failure) -> ExactDecimal {
        guard let decimal = value?.decimal else {
            throw .invalidRecord(zh: "不是十进制数", en: "no decimal number", field: field)
        }
        return decimal
    }

    /// An amount in yuan; a fraction of a cent is refused, not rounded.
    private static func amount(_ value: JSON?, _ field: String) throws(Failure) -> ExactDecimal {
        guard let value, !value.isNull else { return ExactDecimal(0) }
        let exact = try decimal(value, field)
        let rounded: ExactDecimal
        do { rounded = try exact.rounded(scale: Limits.moneyScale, rule: .halfUp) } catch {
            throw .invalidRecord(zh: "金额太大", en: "the amount is too large", field: field)
        }
        guard rounded == exact else {
            throw .invalidRecord(
                zh: "金额的小数超过 \(Limits.moneyScale) 位", en: "the amount has more than \(Limits.moneyScale) decimals",
                field: field)
        }
        return exact
    }

    private static func number(_ value: ExactDecimal, _ field: String) throws(Failure) -> JSON {
        guard let number = JSONNumber(value.text) else {
            throw .invalidRecord(zh: "不是十进制数", en: "no decimal number", field: field)
        }
        return .number(number)
    }
}

extension VoucherForm {
    /// Where in our document a refused field of the form is, as a JSON pointer; empty where that is unknown.
    /// `message` may name the line (第2行).
    static func pointer(field: String, message: String, _ settings: Settings) -> String {
        let name = field.split(separator: ".").last.map { $0.lowercased() } ?? ""
        let head: [String: String] = [
            "faccountbookid": "/book", "fdate": "/date", "fyear": "/date", "fperiod": "/date",
            "fbusdate": "/business_date", "fvouchergroupid": "/group", "fvouchergroupno": "/group",
            "fattachments": "/attachment_count",
        ]
        if let found = head[name] { return found }
        let line = Self.line(in: message).map { "/lines/\($0)" }
        let entry: [String: String] = [
            "fexplanation": "/summary", "faccountid": "/account", "fdetailid": "/dimensions",
            "fcurrencyid": "/currency", "fexchangeratetype": "/currency", "fexchangerate": "/rate",
            "famountfor": "/extra/amount", "fdebit": "/debit", "fcredit": "/credit",
        ]
        if let found = entry[name] { return line.map { $0 + found } ?? "/lines" }
        if let dimension = settings.dimensions.first(where: { $0.value.lowercased() == name })?.key {
            return line.map { "\($0)/dimensions/\(dimension)" } ?? "/lines"
        }
        return line ?? (name == "fentity" ? "/lines" : "")
    }

    /// The line a message names, counted from 0: 第2行, 第 2 条分录.
    private static func line(in message: String) -> Int? {
        guard let mark = message.firstIndex(of: "第") else { return nil }
        var digits = ""
        for character in message[message.index(after: mark)...] {
            if character == " " { continue }
            guard character.isASCII, character.isNumber else {
                guard character == "行" || character == "条", let number = Int(digits), number > 0 else { return nil }
                return number - 1
            }
            digits.append(character)
        }
        return nil
    }
}
