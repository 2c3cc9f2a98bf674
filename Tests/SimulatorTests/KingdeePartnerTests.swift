import SimulatorKit
import Testing

@testable import KingdeeSimulator

@Suite("Kingdee: customers and suppliers")
struct KingdeePartnerTests {
    private static let good: SimJSON = [
        "FCUSTID": 0, "FNumber": "CUST9001", "FName": "新客户", "FCreateOrgId": ["FNumber": "100"],
        "FUseOrgId": ["FNumber": "100"], "FTEL": "010-1234", "F_KYDD_ExtID": "crm-1",
    ]

    private func save(_ desk: KingdeeDesk, _ model: SimJSON, _ more: SimJSON = [:]) async throws -> KingdeeAnswer {
        var data = more
        data["Model"] = model
        data["IsVerifyBaseDataField"] = more["IsVerifyBaseDataField"] ?? "true"
        return KingdeeAnswer(try await desk.form("Save", data, form: "BD_Customer"))
    }

    private func operate(_ desk: KingdeeDesk, _ operation: String, _ number: String) async throws -> KingdeeAnswer {
        KingdeeAnswer(try await desk.form(operation, ["Numbers": [.string(number)]], form: "BD_Customer"))
    }

    static let broken: [BrokenRule] = [
        .init("the name must be given", "FName", nil, 11, "FName", "必填项"),
        .init("the name is not blank", "FName", " ", 11, "FName", "必填项"),
        .init("the name is text", "FName", ["x": 1], 8, "FName", "应为文本"),
        .init("a number that exists", "FNumber", "CUST0001", 11, "FNumber", "违反字段唯一性要求：编码"),
        .init("a text fits its column", "FADDRESS", .string(String(repeating: "x", count: 256)), 11, "FADDRESS", "长度"),
        .init("the creating organisation must be given", "FCreateOrgId", nil, 11, "FCreateOrgId", "必填项"),
        .init("the using organisation exists", "FUseOrgId/FNumber", "999", 9, "FUseOrgId", "不存在"),
        .init("an organisation is an object", "FUseOrgId", "100", 8, "FUseOrgId", "应为对象"),
        .init("the key exists", "FCUSTID", 5, 10, "FCUSTID", "不存在"),
        .init("an audited customer is not edited", "FCUSTID", 100_301, 12, "", "不允许修改"),
    ]

    @Test("a broken rule is refused, and nothing is written", arguments: broken)
    func brokenRule(rule: BrokenRule) async throws {
        let desk = try KingdeeDesk()
        let answer = try await save(desk, Self.good.with(rule.path, rule.value))
        #expect(answer.success == false)
        #expect(answer.code == rule.code)
        if !rule.field.isEmpty { #expect(answer.fields.contains(rule.field)) }
        #expect(answer.messages.first?.contains(rule.says) == true, "\(answer.messages)")
        #expect(try await desk.query("BD_Customer", "FNumber").array?.count == 3)
    }

    @Test("other base data are not written by the interface")
    func readOnly() async throws {
        let desk = try KingdeeDesk()
        let answer = KingdeeAnswer(try await desk.form("Save", ["Model": ["FName": "x"]], form: "BD_Account"))
        #expect(answer.code == 12)
    }

    @Test("a customer is usable by a voucher only once it is audited")
    func usable() async throws {
        let desk = try KingdeeDesk()
        #expect(try await save(desk, Self.good).success == true)
        let voucher = goodVoucher().with("FEntity/0/FACCOUNTID/FNumber", "1122")
            .with("FEntity/0/FDetailID", ["FDETAILID__FFLEX6": ["FNumber": "CUST9001"]])
        #expect(KingdeeAnswer(try await desk.save(voucher)).messages.first?.contains("未审核") == true)
        #expect(try await operate(desk, "Audit", "CUST9001").code == 12)
        #expect(try await operate(desk, "Submit", "CUST9001").success == true)
        #expect(try await operate(desk, "Audit", "CUST9001").success == true)
        #expect(KingdeeAnswer(try await desk.save(voucher)).success == true)
        #expect(try await operate(desk, "UnAudit", "CUST9001").code == 12)
        #expect(try await operate(desk, "Delete", "CUST9001").code == 12)
    }

    @Test("to change an audited customer: UnAudit, Save, Submit, Audit; fields not sent stay")
    func change() async throws {
        let desk = try KingdeeDesk()
        _ = try await save(desk, Self.good)
        for step in ["Submit", "Audit"] { _ = try await operate(desk, step, "CUST9001") }
        let id = try await desk.query("BD_Customer", "FCUSTID", filter: "F_KYDD_ExtID='crm-1'")[0]?[0]
        let change: SimJSON = ["FCUSTID": id ?? .null, "FTEL": "021-9", "FName": "改名"]
        #expect(try await save(desk, change).code == 12)
        #expect(try await operate(desk, "UnAudit", "CUST9001").success == true)
        desk.clock.advance(milliseconds: 60_000)
        #expect(try await save(desk, change, ["NeedUpDateFields": ["FTEL"]]).success == true)
        #expect(try await save(desk, change.with("FNumber", "OTHER")).messages == ["编码不允许修改"])
        let rows = try await desk.query(
            "BD_Customer", "FName,FTEL,FUseOrgId.FNumber,FDocumentStatus",
            filter: "FModifyDate>='2026-01-15 12:01:00'")
        #expect(rows == [["新客户", "021-9", "100", "D"]])
    }

    @Test("without a number the server gives one; the same customer twice is two customers")
    func numbers() async throws {
        let desk = try KingdeeDesk()
        for _ in 0..<2 { #expect(try await save(desk, Self.good.with("FNumber", nil)).success == true) }
        let rows = try await desk.query("BD_Customer", "FNumber,FCUSTID", filter: "F_KYDD_ExtID='crm-1'")
        #expect(rows == [["CUST0004", 100_304], ["CUST0005", 100_305]])
        #expect(try await operate(desk, "Delete", "CUST0005").success == true)
        let partners = await desk.simulator.books()["partners"]?["BD_Customer"]?.array ?? []
        #expect(partners.map { $0["status"] } == ["C", "C", "C", "A"])
        #expect(partners.last?["fields"]?["F_KYDD_ExtID"] == "crm-1")
        #expect(try await save(desk, Self.good.with("FNumber", nil)).success == true)
        #expect(try await desk.query("BD_Customer", "FCUSTID", filter: "FNumber='CUST0005'") == [[100_306]])
    }

    @Test("only an audited customer is forbidden, and a customer somebody has open is not changed")
    func forbid() async throws {
        let desk = try KingdeeDesk()
        func forbid(_ number: String) async throws -> KingdeeAnswer {
            KingdeeAnswer(
                try await desk.call(
                    "ExecuteOperation",
                    ["formid": "BD_Customer", "opNumber": "Forbid", "data": ["Numbers": [.string(number)]]]))
        }
        _ = try await save(desk, Self.good)
        #expect(try await forbid("CUST9001").code == 12)
        await desk.control("edited", ["numbers": ["CUST0001"]])
        #expect(try await forbid("CUST0001").code == 13)
        #expect(try await forbid("CUST0002").success == true)
        let rows = try await desk.query("BD_Customer", "FNumber", filter: "FForbidStatus='B'")
        #expect(rows == [["CUST0002"]])
    }

    @Test("a supplier has its own key")
    func supplier() async throws {
        let desk = try KingdeeDesk()
        let model = Self.good.with("FCUSTID", nil).with("FSupplierId", 0).with("FNumber", "")
        let json = try await desk.form(
            "Save", ["Model": model, "NeedReturnFields": ["FName"]], form: "BD_Supplier")
        #expect(json["Result"]?["Number"] == "VEN0004")
        #expect(json["Result"]?["NeedReturnData"] == [["FName": "新客户"]])
    }
}
