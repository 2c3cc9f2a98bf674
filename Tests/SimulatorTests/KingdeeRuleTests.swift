import SimulatorKit
import Testing

@testable import KingdeeSimulator

/// One rule of the voucher, broken: what is sent, and what the vendor says to it.
struct BrokenRule: Sendable, CustomTestStringConvertible {
    let rule: String
    let path: String
    let value: SimJSON?
    let code: Int
    let field: String
    let says: String

    init(_ rule: String, _ path: String, _ value: SimJSON?, _ code: Int, _ field: String, _ says: String) {
        (self.rule, self.path, self.value, self.code, self.field, self.says) = (rule, path, value, code, field, says)
    }

    var testDescription: String { rule }

    static let voucher: [BrokenRule] = [
        .init("the book must be given", "FAccountBookID", nil, 11, "FAccountBookID", "必填项"),
        .init("the book must exist", "FAccountBookID/FNumber", "999", 9, "FAccountBookID", "不存在"),
        .init("the book is an object", "FAccountBookID", "001", 8, "FAccountBookID", "应为对象"),
        .init("the date must be given", "FDate", nil, 11, "FDate", "必填项"),
        .init("the date must be a date", "FDate", "2026-02-30", 11, "FDate", "不是有效的日期"),
        .init("the date is text", "FDate", ["x": 1], 11, "FDate", "不是有效的日期"),
        .init("the business date must be a date", "FBUSDATE", "15.01.2026", 11, "FBUSDATE", "不是有效的日期"),
        .init("the year agrees with the date", "FYEAR", 2025, 11, "FDate", "不一致"),
        .init("the period agrees with the date", "FPERIOD", 2, 11, "FDate", "不一致"),
        .init("the period is a number", "FPERIOD", "eins", 11, "FPERIOD", "应为整数"),
        .init("the voucher word must be given", "FVOUCHERGROUPID", nil, 11, "FVOUCHERGROUPID", "必填项"),
        .init("the voucher word must exist", "FVOUCHERGROUPID/FNumber", "PRE999", 9, "FVOUCHERGROUPID", "不存在"),
        .init("the voucher number is a number", "FVOUCHERGROUPNO", "abc", 11, "FVOUCHERGROUPNO", "不正确"),
        .init("attachments are not negative", "FATTACHMENTS", -1, 11, "FATTACHMENTS", "小于零"),
        .init("attachments are a whole number", "FATTACHMENTS", .number("1.5"), 11, "FATTACHMENTS", "应为整数"),
        .init(
            "the external id fits its column", "F_KYDD_ExtID", .string(String(repeating: "x", count: 101)), 11,
            "F_KYDD_ExtID", "长度"),
        .init("an id that does not exist", "FVOUCHERID", 999, 10, "FVOUCHERID", "不存在"),
        .init("an id that is no number", "FVOUCHERID", "abc", 8, "FVOUCHERID", "不正确"),
        .init("lines are needed", "FEntity", nil, 11, "FEntity", "至少需要两条分录"),
        .init("lines are a list", "FEntity", ["FDEBIT": 1], 8, "FEntity", "应为数组"),
        .init("a line is an object", "FEntity/0", "x", 8, "FEntity", "应为对象"),
        .init("one line is no voucher", "FEntity/1", nil, 11, "FEntity", "至少需要两条分录"),
        .init("the summary is not empty", "FEntity/0/FEXPLANATION", "", 11, "FEXPLANATION", "摘要不能为空"),
        .init("a blank summary is empty", "FEntity/0/FEXPLANATION", "  ", 11, "FEXPLANATION", "摘要不能为空"),
        .init("the summary must be given", "FEntity/1/FEXPLANATION", nil, 11, "FEXPLANATION", "第2行"),
        .init(
            "the summary fits its column", "FEntity/0/FEXPLANATION", .string(String(repeating: "长", count: 256)), 11,
            "FEXPLANATION", "长度"),
        .init("the account must be given", "FEntity/0/FACCOUNTID", nil, 11, "FACCOUNTID", "必填项"),
        .init("the account must exist", "FEntity/0/FACCOUNTID/FNumber", "6699", 9, "FACCOUNTID", "不存在"),
        .init("the account is an object", "FEntity/0/FACCOUNTID", "6601.01", 8, "FACCOUNTID", "应为对象"),
        .init("the account is a leaf", "FEntity/0/FACCOUNTID/FNumber", "6601", 11, "FACCOUNTID", "不是明细科目"),
        .init("the account is enabled", "FEntity/0/FACCOUNTID/FNumber", "2242", 11, "FACCOUNTID", "已被禁用"),
        .init("a required dimension is given", "FEntity/0/FDetailID", nil, 11, "FDetailID", "必录维度未录入"),
        .init(
            "a required dimension is the right one", "FEntity/0/FDetailID",
            ["FDETAILID__FFLEX7": ["FNumber": "E001"]], 11, "FDetailID", "必录维度未录入：部门"),
        .init(
            "a dimension code exists", "FEntity/0/FDetailID/FDETAILID__FFLEX5/FNumber", "BM999", 9,
            "FDETAILID__FFLEX5", "不存在"),
        .init(
            "a dimension code is enabled", "FEntity/0/FDetailID/FDETAILID__FFLEX5/FNumber", "BM008", 11,
            "FDETAILID__FFLEX5", "已被禁用"),
        .init(
            "a dimension is an object", "FEntity/0/FDetailID/FDETAILID__FFLEX5", "BM002", 8, "FDETAILID__FFLEX5",
            "应为对象"),
        .init("dimensions are an object", "FEntity/0/FDetailID", "BM002", 8, "FDetailID", "应为对象"),
        .init("the currency exists", "FEntity/0/FCURRENCYID/FNumber", "XXX", 9, "FCURRENCYID", "不存在"),
        .init("the currency is an object", "FEntity/0/FCURRENCYID", "PRE001", 8, "FCURRENCYID", "应为对象"),
        .init(
            "the rate type exists", "FEntity/0/FEXCHANGERATETYPE/FNumber", "XXX", 9, "FEXCHANGERATETYPE", "不存在"),
        .init("the rate is a number", "FEntity/0/FEXCHANGERATE", "eins", 11, "FEXCHANGERATE", "不是有效的数字"),
        .init("debits equal credits, to the cent", "FEntity/0/FDEBIT", .number("1200.51"), 11, "FEntity", "借贷不平衡"),
        .init("a line has a side", "FEntity/0/FDEBIT", 0, 11, "FDEBIT", "不能同时为零"),
        .init("a line has one side only", "FEntity/0/FCREDIT", 5, 11, "FDEBIT", "不能同时录入"),
        .init("an amount has two decimals", "FEntity/0/FDEBIT", .number("1200.505"), 11, "FDEBIT", "小数精度"),
        .init(
            "an amount with the noise of binary floats", "FEntity/0/FDEBIT", .number("1200.5000000000002"), 11,
            "FDEBIT",
            "小数精度"),
        .init("an amount is a number", "FEntity/0/FDEBIT", "1,200.50", 11, "FDEBIT", "不是有效的数字"),
        .init("the original amount has two decimals", "FEntity/0/FAMOUNTFOR", "0.001", 11, "FAMOUNTFOR", "小数精度"),
    ]
}

/// One rule of a call, broken.
struct BrokenCall: Sendable, CustomTestStringConvertible {
    let rule: String
    let operation: String
    let body: SimJSON
    let code: Int
    var testDescription: String { rule }

    init(_ rule: String, _ operation: String, _ body: SimJSON, _ code: Int) {
        (self.rule, self.operation, self.body, self.code) = (rule, operation, body, code)
    }

    static let all: [BrokenCall] = [
        .init("formid is needed", "Save", ["data": ["Model": [:]]], 5),
        .init("formid is not empty", "Submit", ["formid": "", "data": ["Numbers": ["x"]]], 5),
        .init("the object must exist", "Save", ["formid": "GL_NOPE", "data": ["Model": [:]]], 4),
        .init("data is needed", "Save", ["formid": "GL_VOUCHER"], 8),
        .init("data is an object", "Save", ["formid": "GL_VOUCHER", "data": 5], 8),
        .init("data as text holds an object", "Save", ["formid": "GL_VOUCHER", "data": "{no"], 8),
        .init("data as text is no list", "Save", ["formid": "GL_VOUCHER", "data": "[1]"], 8),
        .init("Save needs a Model", "Save", ["formid": "GL_VOUCHER", "data": [:]], 8),
        .init("Save takes one Model", "Save", ["formid": "GL_VOUCHER", "data": ["Model": []]], 8),
        .init("BatchSave takes a list", "BatchSave", ["formid": "GL_VOUCHER", "data": ["Model": [:]]], 8),
        .init("Numbers are a list", "Submit", ["formid": "GL_VOUCHER", "data": ["Numbers": "PZ000001"]], 8),
        .init("Ids are text", "Submit", ["formid": "GL_VOUCHER", "data": ["Ids": [1]]], 8),
        .init("Ids are numbers", "Submit", ["formid": "GL_VOUCHER", "data": ["Ids": "a,b"]], 8),
        .init("Numbers or Ids are needed", "Audit", ["formid": "GL_VOUCHER", "data": [:]], 8),
        .init("a document must exist", "Submit", ["formid": "GL_VOUCHER", "data": ["Numbers": ["PZ999999"]]], 10),
        .init("an id must exist", "Audit", ["formid": "GL_VOUCHER", "data": ["Ids": "5"]], 10),
        .init("View needs a key", "View", ["formid": "GL_VOUCHER", "data": [:]], 8),
        .init("View of nothing", "View", ["formid": "GL_VOUCHER", "data": ["Number": "PZ999999"]], 10),
        .init("View of no account", "View", ["formid": "BD_Account", "data": ["Number": "9999"]], 10),
        .init(
            "the operation id is needed", "ExecuteOperation", ["formid": "BD_Account", "data": ["Numbers": ["1001"]]], 3
        ),
        .init(
            "the operation id is not empty", "ExecuteOperation",
            ["formid": "BD_Account", "opNumber": "", "data": ["Numbers": ["1001"]]], 3),
        .init(
            "the operation exists", "ExecuteOperation",
            ["formid": "BD_Account", "opNumber": "Explode", "data": ["Numbers": ["1001"]]], 12),
        .init(
            "what is enabled is not enabled", "ExecuteOperation",
            ["formid": "BD_Account", "opNumber": "Enable", "data": ["Numbers": ["1001"]]], 12),
        .init("a query needs FormId", "ExecuteBillQuery", ["data": ["FieldKeys": "FNumber"]], 5),
        .init("a query's object exists", "ExecuteBillQuery", ["data": ["FormId": "X", "FieldKeys": "FNumber"]], 4),
        .init("a query needs FieldKeys", "ExecuteBillQuery", ["data": ["FormId": "BD_Account", "FieldKeys": " "]], 8),
        .init(
            "Limit is a number", "ExecuteBillQuery",
            ["data": ["FormId": "BD_Account", "FieldKeys": "FNumber", "Limit": "viel"]], 8),
        .init(
            "StartRow is not negative", "ExecuteBillQuery",
            ["data": ["FormId": "BD_Account", "FieldKeys": "FNumber", "StartRow": -1]], 8),
        .init(
            "OrderString is a column and a direction", "ExecuteBillQuery",
            ["data": ["FormId": "BD_Account", "FieldKeys": "FNumber", "OrderString": "FNumber upwards"]], 4),
        .init("QueryBusinessInfo needs FormId", "QueryBusinessInfo", ["data": [:]], 5),
        .init("QueryBusinessInfo's object exists", "QueryBusinessInfo", ["data": ["FormId": "X"]], 4),
        .init("a task must exist", "QueryAsyncResult", ["queryInfo": "{\"TaskId\":\"nope\"}"], 10),
        .init("queryInfo is needed", "QueryAsyncResult", [:], 8),
    ]
}

@Suite("Kingdee: what the vendor refuses")
struct KingdeeRuleTests {
    @Test("a broken rule of the voucher is refused, and nothing is written", arguments: BrokenRule.voucher)
    func brokenRule(rule: BrokenRule) async throws {
        let desk = try KingdeeDesk()
        let answer = KingdeeAnswer(try await desk.save(goodVoucher().with(rule.path, rule.value)))
        #expect(answer.success == false)
        #expect(answer.code == rule.code)
        #expect(answer.fields.contains(rule.field), "fields \(answer.fields)")
        #expect(answer.messages.contains { $0.contains(rule.says) }, "says \(answer.messages)")
        #expect(answer.indices.allSatisfy { $0 == 0 })
        #expect(await desk.totals()["count"] == 0)
    }

    @Test("a broken call is refused with its MsgCode, at HTTP 200", arguments: BrokenCall.all)
    func brokenCall(call: BrokenCall) async throws {
        let desk = try KingdeeDesk()
        let path = KingdeeDesk.path(call.operation)
        let response = await desk.send(path, call.body, headers: KingdeeDesk.signed(path: path))
        #expect(response.status == 200)
        let answer = KingdeeAnswer(try SimJSON.parse(response.body))
        #expect(answer.success == false)
        #expect(answer.code == call.code, "\(answer.messages)")
        #expect(answer.messages.first?.isEmpty == false)
    }

    @Test("the number of rules broken by tables is printed, and no rule stands twice")
    func count() {
        let tables = [
            ("voucher", BrokenRule.voucher.count), ("call", BrokenCall.all.count),
            ("partner", KingdeePartnerTests.broken.count), ("gateway", KingdeeAccessTests.gatewayHeaders.count),
            ("signature", KingdeeAccessTests.applicationHeaders.count), ("login", KingdeeAccessTests.wrongLogins.count),
            ("filter", KingdeeQueryTests.garbageFilters.count), ("column", KingdeeQueryTests.unknownColumns.count),
        ]
        let shown = tables.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        print("Kingdee rules broken and refused: \(tables.reduce(0) { $0 + $1.1 }) (\(shown))")
        let names = BrokenRule.voucher.map(\.rule) + BrokenCall.all.map(\.rule)
        #expect(Set(names).count == names.count)
    }

    @Test("several faults of one voucher come together")
    func severalErrors() async throws {
        let desk = try KingdeeDesk()
        let model = goodVoucher().with("FEntity/0/FEXPLANATION", "").with("FEntity/0/FDEBIT", 7)
        let answer = KingdeeAnswer(try await desk.save(model))
        #expect(answer.messages.count == 2)
    }

    @Test("a good voucher is saved, numbered, and returns the fields asked for")
    func good() async throws {
        let desk = try KingdeeDesk()
        let json = try await desk.save(
            goodVoucher(),
            ["NeedReturnFields": ["FVOUCHERGROUPNO", "FEntity.FDEBIT", "FNope"], "IsVerifyBaseDataField": "true"])
        #expect(
            json
                == [
                    "Result": [
                        "ResponseStatus": [
                            "IsSuccess": true, "Errors": [],
                            "SuccessEntitys": [["Id": 100_001, "Number": "PZ000001", "DIndex": 0]],
                            "SuccessMessages": [], "MsgCode": 0,
                        ],
                        "Id": 100_001, "Number": "PZ000001",
                        "NeedReturnData": [
                            [
                                "FVOUCHERGROUPNO": "1",
                                "FEntity": [["FDEBIT": .number("1200.5")], ["FDEBIT": .number("0")]],
                            ]
                        ],
                    ]
                ])
        #expect(await desk.totals()["debits"] == "1200.50")
    }

    @Test("a closed period takes no voucher, gives none back, and opens again")
    func closedPeriod() async throws {
        let desk = try KingdeeDesk()
        let number = try await saved(desk)
        await desk.control("periods/close", ["book": "001", "year": 2026, "period": 1])
        let answer = KingdeeAnswer(try await desk.save(goodVoucher("proc-2")))
        #expect(answer.code == 11)
        #expect(answer.messages == ["账簿“001”2026年1期已结账，不允许录入凭证"])
        #expect(KingdeeAnswer(try await desk.form("Delete", ["Numbers": [.string(number)]])).code == 12)
        let next = goodVoucher("proc-2").with("FDate", "2026-02-01").with("FPERIOD", 2)
        #expect(KingdeeAnswer(try await desk.save(next)).success == true)
        await desk.control("periods/open", ["book": "001", "year": 2026, "period": 1])
        #expect(KingdeeAnswer(try await desk.save(goodVoucher("proc-2"))).success == true)
    }

    @Test("a given voucher number or bill number that exists is refused; an own new one is kept")
    func ownNumbers() async throws {
        let desk = try KingdeeDesk()
        let own = goodVoucher().with("FVOUCHERGROUPNO", "7").with("FBillNo", "DT-1")
        #expect((try await desk.save(own))["Result"]?["Number"] == "DT-1")
        let sameGroup = KingdeeAnswer(try await desk.save(goodVoucher("b").with("FVOUCHERGROUPNO", "7")))
        #expect(sameGroup.messages == ["违反字段唯一性要求：凭证号。7在当前系统中已经被使用。"])
        let sameBill = KingdeeAnswer(try await desk.save(goodVoucher("b").with("FBillNo", "DT-1")))
        #expect(sameBill.messages == ["违反字段唯一性要求：单据编号。DT-1在当前系统中已经被使用。"])
        let otherPeriod = goodVoucher("b").with("FVOUCHERGROUPNO", "7").with("FDate", "2026-02-03").with("FPERIOD", 2)
        #expect(KingdeeAnswer(try await desk.save(otherPeriod)).success == true)
        _ = try await desk.save(goodVoucher("c"))
        #expect(await desk.vouchers().map { $0["group_number"] } == [7, 7, 8])
    }

    @Test("the repeated package is refused only where it is asked for")
    func repeatedPackage() async throws {
        let desk = try KingdeeDesk()
        let options: SimJSON = ["ValidateRepeatJson": "true"]
        #expect(KingdeeAnswer(try await desk.save(goodVoucher(), options)).success == true)
        let again = KingdeeAnswer(try await desk.save(goodVoucher(), options))
        #expect(again.code == 11)
        #expect(again.messages == ["数据包重复：相同的数据已经保存过"])
        #expect(KingdeeAnswer(try await desk.save(goodVoucher("other"), options)).success == true)
        #expect(await desk.totals()["count"] == 2)
        desk.clock.advance(milliseconds: 5_000)
        #expect(KingdeeAnswer(try await desk.save(goodVoucher(), options)).success == true)
    }

    @Test("a refused package may come again once its data are right in the books")
    func refusedPackage() async throws {
        let desk = try KingdeeDesk()
        let options: SimJSON = ["ValidateRepeatJson": true]
        await desk.control("periods/close", ["year": 2026, "period": 1])
        #expect(KingdeeAnswer(try await desk.save(goodVoucher(), options)).success == false)
        await desk.control("periods/open", ["year": 2026, "period": 1])
        #expect(KingdeeAnswer(try await desk.save(goodVoucher(), options)).success == true)
    }

    @Test("permission, licence, network control and call limit answer with their own MsgCode")
    func otherRefusals() async throws {
        let desk = try KingdeeDesk()
        let number = try await saved(desk)
        await desk.set("denied", "gl_voucher.submit,view")
        #expect(KingdeeAnswer(try await desk.form("Submit", ["Numbers": [.string(number)]])).code == 2)
        #expect(KingdeeAnswer(try await desk.form("View", ["Number": .string(number)])).code == 2)
        await desk.set("denied", "")
        await desk.control("edited", ["numbers": [.string(number)]])
        #expect(KingdeeAnswer(try await desk.form("Submit", ["Numbers": [.string(number)]])).code == 13)
        #expect(KingdeeAnswer(try await desk.save(goodVoucher().with("FVOUCHERID", 100_001))).code == 13)
        await desk.control("edited", ["numbers": []])
        await desk.set("licensed", false)
        #expect(KingdeeAnswer(try await desk.query("BD_Account", "FNumber")).code == 7)
        await desk.set("licensed", true)
        await desk.set("call_limit", 2)
        var codes: [Int?] = []
        for _ in 0..<3 { codes.append(KingdeeAnswer(try await desk.query("BD_Account", "FNumber")).code) }
        #expect(codes == [nil, nil, 14])
        desk.clock.advance(milliseconds: 1000)
        #expect(KingdeeAnswer(try await desk.query("BD_Account", "FNumber")).code == nil)
    }

    private func saved(_ desk: KingdeeDesk) async throws -> String {
        (try await desk.save(goodVoucher()))["Result"]?["Number"]?.string ?? ""
    }
}
