import SimulatorKit
import Testing

@testable import KingdeeSimulator

@Suite("Kingdee: the query language")
struct KingdeeQueryTests {
    static let garbageFilters: [String] = [
        "FNumber='x' or 1=1", "FNumber='x'; drop table T_BD_ACCOUNT", "FNumber='x' --", "FNumber='O'Brien'",
        "FNumber='x", "FNumber=", "='x'", "FNumber", "(FNumber='x'", "FNumber='x')", "FNumber in ()",
        "FNumber in 'x'", "FNumber like 5", "FNumber is 'x'", "FNumber not = 'x'", "FNumber==='x'", "FNumber=x",
        "and FNumber='x'", "FNumber='x' and", "FNumber='x' FName='y'", "exists(select 1)", "FNumber='x'/*",
        "FNumber!'x'", "not FNumber='x'", "FNumber between 1 and 2", "FNumber=1.2.3", "len(FNumber)>3",
    ]

    @Test(
        "what is not the closed grammar is refused, nested as the vendor nests it",
        arguments: garbageFilters)
    func garbage(filter: String) async throws {
        let desk = try KingdeeDesk()
        let json = try await desk.query("BD_Account", "FNumber", filter: filter)
        let answer = KingdeeAnswer(json)
        #expect(json[0]?[0]?["Result"] != nil, "\(filter) gave \(json.text)")
        #expect(answer.success == false)
        #expect(answer.code == 4)
    }

    @Test("parentheses deeper than the guard are refused")
    func deep() async throws {
        let desk = try KingdeeDesk()
        let filter = String(repeating: "(", count: 40) + "FNumber='1001'" + String(repeating: ")", count: 40)
        #expect(KingdeeAnswer(try await desk.query("BD_Account", "FNumber", filter: filter)).code == 4)
    }

    static let unknownColumns: [(String, String, String, String)] = [
        ("BD_Customer", "FID,FNumber", "", ""), ("BD_Customer", "FNumber", "FID=1", ""),
        ("BD_Customer", "FNumber", "", "FID ASC"), ("GL_VOUCHER", "FVOUCHERID,FNope", "", ""),
        ("GL_VOUCHER", "FACCOUNTID.FNope", "", ""), ("GL_VOUCHER", "FDate.FNumber", "", ""),
        ("GL_VOUCHER", "FDetailID.FFLEX99.FNumber", "", ""),
    ]

    @Test(
        "a column the form lacks is named, wherever it stands",
        arguments: unknownColumns)
    func unknownColumn(form: String, fields: String, filter: String, order: String) async throws {
        let desk = try KingdeeDesk()
        let json = try await desk.query(form, fields, filter: filter, more: ["OrderString": .string(order)])
        let answer = KingdeeAnswer(json)
        #expect(answer.code == 9)
        #expect(answer.messages.first?.hasPrefix("列名 '") == true)
        #expect(answer.messages.first?.hasSuffix("' 无效。") == true)
    }

    @Test(
        "a filter finds what SQL would find",
        arguments: [
            ("FNumber='1001'", ["1001"]), ("fnumber = '1001'", ["1001"]),
            ("FNumber in ('1001','1221','nope')", ["1001", "1221"]),
            ("FNumber like '6601.%'", ["6601.01", "6601.02", "6601.03", "6601.04", "6601.05", "6601.06"]),
            ("FNumber like '_001'", ["1001", "4001", "6001"]),
            ("FNumber like '1002%' and FISDETAIL='1'", ["1002.01", "1002.02"]),
            ("FNumber like '1002%' and not FISDETAIL='1'", []),
            ("(FNumber='1001' or FNumber='1002') and FISDETAIL='0'", ["1002"]),
            ("FNumber='1001' or FNumber='1002' and FISDETAIL='1'", ["1001"]),
            ("FForbidStatus='B'", ["2242"]), ("FName='it''s'", []), ("FNumber is null", []),
            ("FNumber not in ('1001') and FNumber < '1002'", []), ("FACCTID<=4002", ["1001", "1002"]),
            ("FModifyDate>='2027-01-01'", []), ("FName = '库存现金  '", ["1001"]),
        ])
    func finds(filter: String, expected: [String]) async throws {
        let desk = try KingdeeDesk()
        let json = try await desk.query("BD_Account", "FNumber", filter: filter)
        if filter.contains("and not") {
            #expect(KingdeeAnswer(json).code == 4)
        } else {
            #expect((json.array ?? []).compactMap { $0[0]?.string } == expected, "\(json.text)")
        }
    }

    @Test("a text that is no date or number does not compare", arguments: ["FModifyDate>'gestern'", "FACCTID='abc'"])
    func conversion(filter: String) async throws {
        #expect(KingdeeAnswer(try await KingdeeDesk().query("BD_Account", "FNumber", filter: filter)).code == 4)
    }

    @Test("more rows than the ceiling are cut without a word, and a tenant may raise it")
    func ceiling() async throws {
        let desk = try KingdeeDesk(["query_rows": "5"])
        #expect(try await desk.query("BD_Account", "FNumber", more: ["Limit": 9999]).array?.count == 5)
        #expect(try await desk.query("BD_Account", "FNumber").array?.count == 5)
        #expect(try await desk.query("BD_Account", "FNumber", more: ["Limit": 3]).array?.count == 3)
        #expect(Options().queryRows == 2000)
    }

    @Test("StartRow pages, TopRowCount is the absolute last row and no page size")
    func pages() async throws {
        let desk = try KingdeeDesk()
        let all = try await desk.query("BD_Account", "FNumber", more: ["OrderString": "FNumber ASC"]).array ?? []
        let page = try await desk.query(
            "BD_Account", "FNumber", more: ["OrderString": "FNumber ASC", "StartRow": 4, "Limit": 3])
        #expect(page.array ?? [] == Array(all[4..<7]))
        let topped = try await desk.query(
            "BD_Account", "FNumber",
            more: ["OrderString": "FNumber ASC", "StartRow": 4, "Limit": 100, "TopRowCount": 6])
        #expect(topped.array ?? [] == Array(all[4..<6]))
        let none = try await desk.query("BD_Account", "FNumber", more: ["StartRow": 1000])
        #expect(none == [])
        let last = try await desk.query("BD_Account", "FNumber", more: ["OrderString": "FNumber desc", "Limit": 1])
        #expect(last[0] == all.last)
    }

    @Test("a line field repeats the head; empty text is one blank; numbers and dates are the vendor's")
    func cells() async throws {
        let desk = try KingdeeDesk()
        _ = try await desk.save(goodVoucher(""))
        let rows = try await desk.query(
            "GL_VOUCHER",
            "FVOUCHERID,F_KYDD_ExtID,FDate,FACCOUNTID.FNumber,FDEBIT,FDetailID.FFLEX5.FNumber,FDetailID.FFLEX5.FName,FAccountBookID,FEntity_FEntryID"
        )
        #expect(rows.array?.count == 2)
        #expect(
            rows[0]
                == [
                    100_001, " ", "2026-01-15T00:00:00", "6601.01", .number("1200.5"), "BM002", "销售部", 100_001, 200_001,
                ])
        #expect(rows[1]?[5] == " ")
        #expect(try await desk.query("GL_VOUCHER", "FVOUCHERID").array?.count == 1)
    }

    @Test("BillQuery answers objects, and its error is a plain object; before 2023-09 it is not there")
    func billQuery() async throws {
        let desk = try KingdeeDesk()
        let data: SimJSON = [
            "FormId": "BD_Department", "FieldKeys": "FNumber,FName", "FilterString": "FNumber='BM002'",
        ]
        #expect(try await desk.call("BillQuery", ["data": data]) == [["FNumber": "BM002", "FName": "销售部"]])
        let bad = try await desk.call("BillQuery", ["data": data.with("FieldKeys", "FNope")])
        #expect(bad["Result"]?["ResponseStatus"]?["MsgCode"]?.int == 9)
        await desk.set("bill_query", false)
        let path = KingdeeDesk.path("BillQuery")
        let old = await desk.send(path, ["data": data], headers: KingdeeDesk.signed(path: path))
        #expect(String(decoding: old.body, as: UTF8.self).hasPrefix("response_error:"))
    }

    @Test("every base data form answers number and name")
    func baseForms() async throws {
        let desk = try KingdeeDesk()
        for form in Form.baseForms {
            let rows = try await desk.query(form.id, "\(form.primaryKey),FNumber,FName,FForbidStatus")
            #expect((rows.array?.count ?? 0) >= 2, "\(form.id): \(rows.text)")
        }
    }

    @Test("QueryBusinessInfo lists the fields, and an upgrade changes it")
    func businessInfo() async throws {
        let desk = try KingdeeDesk()
        let before = try await desk.call("QueryBusinessInfo", ["data": ["FormId": "GL_VOUCHER"]])
        #expect(before.text.contains("\"F_KYDD_ExtID\"") && before.text.contains("\"FACCOUNTID\""))
        #expect(KingdeeAnswer(before).success == true)
        await desk.set("upgraded", true)
        #expect(try await desk.call("QueryBusinessInfo", ["data": ["FormId": "GL_VOUCHER"]]) != before)
        await desk.set("ext_field", "")
        #expect(!(try await desk.call("QueryBusinessInfo", ["data": ["FormId": "GL_VOUCHER"]])).text.contains("F_KYDD"))
    }
}
