import SimulatorKit
import Testing

@testable import KingdeeSimulator

@Suite("Kingdee: a voucher's life, and the vendor's traps")
struct KingdeeLifeTests {
    /// Which status each operation leads to; what is not listed is refused with MsgCode 12.
    private static let legal: [String: [String: String]] = [
        "Submit": ["A": "B", "D": "B"], "Audit": ["B": "C"], "UnAudit": ["C": "D"], "CancelAssign": ["B": "D"],
        "Delete": ["Z": "gone", "A": "gone", "D": "gone"],
    ]
    /// The calls that bring a new voucher into a status.
    private static let roads: [String: [String]] = [
        "Z": [], "A": [], "B": ["Submit"], "C": ["Submit", "Audit"], "D": ["Submit", "Audit", "UnAudit"],
    ]

    @Test("only the legal transitions happen", arguments: ["Submit", "Audit", "UnAudit", "CancelAssign", "Delete"])
    func transitions(operation: String) async throws {
        for (status, road) in Self.roads {
            let desk = try KingdeeDesk()
            let data: SimJSON = ["Model": goodVoucher(), "IsVerifyBaseDataField": true]
            _ = try await desk.form(status == "Z" ? "Draft" : "Save", data)
            for step in road { _ = try await desk.form(step, ["Ids": "100001"]) }
            #expect(await desk.vouchers().first?["status"] == .string(status))
            let answer = KingdeeAnswer(try await desk.form(operation, ["Numbers": ["PZ000001"]]))
            let after = await desk.vouchers().first?["status"]?.string ?? "gone"
            if let expected = Self.legal[operation]?[status] {
                #expect(answer.success == true, "\(operation) in \(status): \(answer.messages)")
                #expect(answer.succeeded == [["Id": 100_001, "Number": "PZ000001", "DIndex": 0]])
                #expect(after == expected)
            } else {
                #expect(answer.code == 12, "\(operation) in \(status)")
                #expect(after == status)
            }
        }
    }

    @Test("editing is refused in review and after audit", arguments: [["Submit"], ["Submit", "Audit"]])
    func editing(road: [String]) async throws {
        let desk = try KingdeeDesk()
        _ = try await desk.save(goodVoucher())
        for step in road { _ = try await desk.form(step, ["Ids": "100001"]) }
        #expect(KingdeeAnswer(try await desk.save(goodVoucher().with("FVOUCHERID", 100_001))).code == 12)
    }

    @Test("several documents may be half done, matched by DIndex")
    func partial() async throws {
        let desk = try KingdeeDesk()
        _ = try await desk.save(goodVoucher("a"))
        _ = try await desk.save(goodVoucher("b"))
        let answer = KingdeeAnswer(try await desk.form("Submit", ["Numbers": ["PZ000001", "PZ000009", "PZ000002"]]))
        #expect(answer.success == false)
        #expect(answer.succeeded.compactMap { $0["DIndex"]?.int } == [0, 2])
        #expect(answer.indices == [1])
        #expect(answer.code == 10)
    }

    @Test("BatchSave saves the good ones; with BatchCount DIndex counts inside each sub-batch")
    func batch() async throws {
        let desk = try KingdeeDesk()
        let models: SimJSON = [
            goodVoucher("a"), goodVoucher("b").with("FEntity/0/FDEBIT", 1), goodVoucher("c"),
            goodVoucher("d").with("FDate", nil),
        ]
        let answer = KingdeeAnswer(try await desk.form("BatchSave", ["Model": models]))
        #expect(answer.success == false)
        #expect(answer.succeeded.compactMap { $0["DIndex"]?.int } == [0, 2])
        #expect(answer.indices == [1, 3])
        let again = KingdeeAnswer(try await desk.form("BatchSave", ["Model": models, "BatchCount": 2]))
        #expect(again.succeeded.compactMap { $0["DIndex"]?.int } == [0, 0])
        #expect(again.indices == [1, 1])
    }

    @Test("there is no idempotency: the same external id twice is two vouchers")
    func doubled() async throws {
        let desk = try KingdeeDesk()
        for _ in 0..<2 { #expect(KingdeeAnswer(try await desk.save(goodVoucher("proc-1"))).success == true) }
        _ = try await desk.save(goodVoucher("proc-2"))
        let totals = await desk.totals()
        #expect(totals["count"] == 3)
        #expect(totals["distinct_ext_ids"] == 2)
        #expect(totals["doubled_ext_ids"] == ["proc-1"])
        #expect(totals["debits"] == "3601.50")
        let found = try await desk.query("GL_VOUCHER", "FVOUCHERID,FBillNo", filter: "F_KYDD_ExtID='proc-1'")
        #expect(found.array?.count == 2)
    }

    @Test("a given FVOUCHERID replaces the voucher, fields not sent are lost")
    func replaced() async throws {
        let desk = try KingdeeDesk()
        _ = try await desk.save(goodVoucher("first"))
        let second = goodVoucher(amount: "8").with("FVOUCHERID", "100001").with("F_KYDD_ExtID", nil)
        let answer = KingdeeAnswer(try await desk.save(second))
        #expect(answer.success == true, "\(answer.messages)")
        let vouchers = await desk.vouchers()
        #expect(vouchers.count == 1)
        #expect(vouchers.first?["debits"] == "8.00")
        #expect(vouchers.first?["ext_id"] == "")
        #expect(vouchers.first?["number"] == "PZ000001")
        #expect(await desk.totals()["replaced"] == 1)
    }

    @Test("NeedUpDateFields changes only what it names; IsDeleteEntry false keeps the lines not sent")
    func update() async throws {
        let desk = try KingdeeDesk()
        _ = try await desk.save(goodVoucher("keep"))
        let change: SimJSON = [
            "FVOUCHERID": 100_001, "FATTACHMENTS": 9, "FDate": "2026-01-20",
            "FEntity": [["FEntryID": 200_001, "FEXPLANATION": "改"]],
        ]
        let options: SimJSON = [
            "NeedUpDateFields": ["FATTACHMENTS", "FEntity", "FEXPLANATION"], "IsDeleteEntry": "false",
        ]
        let answer = KingdeeAnswer(try await desk.save(change, options))
        #expect(answer.success == true, "\(answer.messages)")
        let voucher = await desk.vouchers().first ?? [:]
        #expect(voucher["attachments"] == 9)
        #expect(voucher["date"] == "2026-01-15")
        #expect(voucher["ext_id"] == "keep")
        #expect(voucher["lines"]?.array?.compactMap { $0["summary"]?.string }.sorted() == ["改", "王小明差旅费"].sorted())
        let losing: SimJSON = ["NeedUpDateFields": ["FEntity", "FEXPLANATION"]]
        #expect(KingdeeAnswer(try await desk.save(change, losing)).messages.contains("凭证至少需要两条分录"))
    }

    @Test("unknown keys of the Model are lost without a word")
    func unknownKeys() async throws {
        let desk = try KingdeeDesk()
        let model = goodVoucher().with("FAttachment", 5).with("F_KYDD_ExtId", "misspelt").with("F_KYDD_ExtID", nil)
        #expect(KingdeeAnswer(try await desk.save(model)).success == true)
        #expect(await desk.vouchers().first?["ext_id"] == "")
        #expect(await desk.vouchers().first?["attachments"] == 2)
    }

    @Test("without IsVerifyBaseDataField an unknown code is treated as empty")
    func unverified() async throws {
        let desk = try KingdeeDesk()
        let optional = goodVoucher().with("FEntity/0/FDetailID/FDETAILID__FFLEX7", ["FNumber": "E999"])
        #expect(KingdeeAnswer(try await desk.save(optional)).code == 9)
        #expect(KingdeeAnswer(try await desk.save(optional, [:])).success == true)
        #expect(await desk.vouchers().first?["lines"]?[0]?["dimensions"] == ["FFLEX5": "BM002"])
        let required = goodVoucher().with("FEntity/0/FDetailID/FDETAILID__FFLEX5/FNumber", "BM999")
        #expect(KingdeeAnswer(try await desk.save(required, [:])).messages.first?.contains("必录维度未录入") == true)
        let account = goodVoucher().with("FEntity/0/FACCOUNTID/FNumber", "6699")
        #expect(KingdeeAnswer(try await desk.save(account, [:])).messages == ["字段“科目编码”是必填项"])
    }

    @Test("ValidateFlag false skips the checks, Draft is weaker and gives status Z")
    func unchecked() async throws {
        let desk = try KingdeeDesk()
        let crooked = goodVoucher().with("FEntity/0/FDEBIT", 1)
        #expect(KingdeeAnswer(try await desk.save(crooked, ["ValidateFlag": "false"])).success == true)
        #expect(KingdeeAnswer(try await desk.form("Draft", ["Model": crooked])).success == true)
        #expect(await desk.vouchers().map { $0["status"] } == ["A", "Z"])
        let fixed = goodVoucher().with("FVOUCHERID", 100_002)
        #expect(KingdeeAnswer(try await desk.save(fixed)).success == true)
        #expect(await desk.vouchers().last?["status"] == "A")
    }

    @Test("a tenant without the external field ignores it in a save and does not know it in a query")
    func noExternalField() async throws {
        let desk = try KingdeeDesk(["ext_field": ""])
        #expect(KingdeeAnswer(try await desk.save(goodVoucher())).success == true)
        #expect(await desk.vouchers().first?["ext_id"] == "")
        let answer = KingdeeAnswer(try await desk.query("GL_VOUCHER", "FVOUCHERID", filter: "F_KYDD_ExtID='x'"))
        #expect(answer.messages == ["列名 'F_KYDD_ExtID' 无效。"])
    }

    @Test("IsAutoSubmitAndAudit can fail although the voucher is saved, and says its number")
    func autoAudit() async throws {
        let desk = try KingdeeDesk()
        #expect(KingdeeAnswer(try await desk.save(goodVoucher(), ["IsAutoSubmitAndAudit": "true"])).success == true)
        #expect(await desk.vouchers().first?["status"] == "C")
        await desk.set("workflow", true)
        let json = try await desk.save(goodVoucher("b"), ["IsAutoSubmitAndAudit": "true"])
        #expect(KingdeeAnswer(json).code == 12)
        #expect(json["Result"]?["Number"] == "PZ000002")
        #expect(await desk.vouchers().last?["status"] == "B")
    }

    @Test("some servers say success and list fewer than were asked; MsgCode may be text")
    func dropped() async throws {
        let desk = try KingdeeDesk(["drop_success_entities": "true", "msgcode_as_text": "true"])
        let json = try await desk.save(goodVoucher())
        #expect(json["Result"]?["ResponseStatus"]?["MsgCode"] == "0")
        #expect(KingdeeAnswer(json).success == true)
        #expect(KingdeeAnswer(json).succeeded.isEmpty)
        #expect(await desk.totals()["count"] == 1)
    }

    @Test("View answers property names without F, names per language")
    func view() async throws {
        let desk = try KingdeeDesk()
        _ = try await desk.save(goodVoucher("proc-9"))
        for key: SimJSON in [["Number": "PZ000001"], ["Id": "100001"]] {
            let result = (try await desk.form("View", key))["Result"]?["Result"]
            #expect(result?["Id"] == 100_001)
            #expect(result?["BillNo"] == "PZ000001")
            #expect(result?["F_KYDD_ExtID"] == "proc-9")
            #expect(result?["AccountBookID"]?["Name"] == [["Key": 2052, "Value": "示例科技主账簿"]])
            #expect(result?["Entity"]?[0]?["DetailID"]?["FFLEX5"]?["Number"] == "BM002")
            #expect(result?["Entity"]?[1]?["CREDIT"] == .number("1200.5"))
        }
        let account = try await desk.form("View", ["Number": "6601.01"], form: "BD_Account")
        #expect(account["Result"]?["Result"]?["Name"] == [["Key": 2052, "Value": "销售费用_差旅费"]])
    }

    @Test("Forbid and Enable change base data; the SDK's misspelt operation does nothing")
    func forbid() async throws {
        let desk = try KingdeeDesk()
        func operate(_ service: String, _ operation: SimJSON) async throws -> KingdeeAnswer {
            KingdeeAnswer(
                try await desk.call(
                    service, ["formid": "BD_Department", "opNumber": operation, "data": ["Numbers": ["BM002"]]]))
        }
        #expect(try await operate("ExcuteOperation", "Forbid").success == true)
        #expect(KingdeeAnswer(try await desk.save(goodVoucher())).success == true)
        #expect(try await operate("ExecuteOperation", "Forbid").success == true)
        #expect(try await operate("ExecuteOperation", "Forbid").code == 12)
        #expect(KingdeeAnswer(try await desk.save(goodVoucher("b"))).messages.first?.contains("已被禁用") == true)
        #expect(try await operate("ExecuteOperation", "Enable").success == true)
        #expect(KingdeeAnswer(try await desk.save(goodVoucher("b"))).success == true)
    }

    @Test("the asynchronous form gives a task, and the task the answer once its Status is 2")
    func asynchronous() async throws {
        let desk = try KingdeeDesk()
        let half: SimJSON = [
            "formid": "GL_VOUCHER", "data": ["Model": [goodVoucher()]], "beginmethod": "BeginQueryImpl",
        ]
        #expect(KingdeeAnswer(try await desk.call("BatchSave", half)).code == 8)
        #expect(await desk.totals()["count"] == 0)
        let begun = try await desk.call("BatchSave", half.with("querymethod", "QueryAsyncResult"))
        #expect(begun["Status"] == 0)
        let info: SimJSON = ["TaskId": begun["TaskId"] ?? .null, "Cancelled": false]
        let early = try await desk.call("QueryAsyncResult", ["queryInfo": .string(info.text)])
        #expect(early["Status"] == 1)
        #expect(early["Result"] == .null)
        let done = try await desk.call("QueryAsyncResult", ["queryInfo": .string(info.text)])
        #expect(done["Status"] == 2)
        #expect(KingdeeAnswer(done["Result"] ?? .null).success == true)
    }

    @Test("the trail tells who did what, in order, refusals included")
    func trail() async throws {
        let desk = try KingdeeDesk()
        _ = try await desk.save(goodVoucher())
        _ = try await desk.form("Audit", ["Numbers": ["PZ000001"]])
        _ = try await desk.form("Submit", ["Numbers": ["PZ000001"]])
        let trail = await desk.simulator.books()["trail"]?.array ?? []
        #expect(trail.map { $0["operation"] } == ["save", "audit", "submit"])
        #expect(trail.map { $0["refused"] } == [nil, 12, nil])
        #expect(trail.allSatisfy { $0["user"] == "Connector" })
    }
}
