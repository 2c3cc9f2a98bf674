import SimulatorKit
import Testing

@testable import KingdeeSimulator

@Suite("Kingdee: one tenant is not another")
struct KingdeeTenantTests {
    @Test("another tenant's dimension key is an unknown key: lost, and then missing")
    func dimensionKeys() async throws {
        let desk = try KingdeeDesk(["dimensions": "BD_Department:FF100001"])
        let usual = KingdeeAnswer(try await desk.save(goodVoucher()))
        #expect(usual.messages == ["第1行分录科目“6601.01”必录维度未录入：部门"])
        let own = goodVoucher().with("FEntity/0/FDetailID", ["FDETAILID__FF100001": ["FNumber": "BM002"]])
        #expect(KingdeeAnswer(try await desk.save(own)).success == true)
        let rows = try await desk.query("GL_VOUCHER", "FDetailID.FF100001.FNumber")
        #expect(rows[0] == ["BM002"])
        #expect(KingdeeAnswer(try await desk.query("GL_VOUCHER", "FDetailID.FFLEX5.FNumber")).code == 9)
        let refused = await desk.control("options", ["dimensions": "BD_Department:X"])
        #expect(refused?.status == 400)
        #expect(throws: SimulatorOptionError.self) { try KingdeeDesk(["dimensions": "BD_Nope:FF1"]) }
    }

    @Test("a dimension the account does not carry is dropped without a word")
    func foreignDimension() async throws {
        let desk = try KingdeeDesk()
        let model = goodVoucher().with("FEntity/1/FDetailID", ["FDETAILID__FFLEX5": ["FNumber": "BM002"]])
        #expect(KingdeeAnswer(try await desk.save(model)).success == true)
        #expect(await desk.vouchers().first?["lines"]?[1]?["dimensions"] == [:])
    }

    @Test("currency and rate may be left out in a book in yuan, and in no other")
    func bookCurrency() async throws {
        let desk = try KingdeeDesk()
        var model = goodVoucher()
        for line in ["0", "1"] {
            for key in ["FCURRENCYID", "FEXCHANGERATETYPE", "FEXCHANGERATE", "FAMOUNTFOR"] {
                model.put(["FEntity", line, key], nil)
            }
        }
        #expect(KingdeeAnswer(try await desk.save(model)).success == true)
        let line = await desk.vouchers().first?["lines"]?[0]
        #expect(line?["currency"] == "PRE001")
        #expect(line?["amount_in_currency"] == "1200.50")
        let other = KingdeeAnswer(try await desk.save(model.with("FAccountBookID/FNumber", "002")))
        let needed = ["FCURRENCYID", "FEXCHANGERATETYPE", "FEXCHANGERATE"]
        #expect(other.fields == needed + needed)
        // A line in another currency needs its rate in every book.
        let foreign = KingdeeAnswer(try await desk.save(model.with("FEntity/0/FCURRENCYID", ["FNumber": "PRE007"])))
        #expect(foreign.fields == ["FEXCHANGERATETYPE", "FEXCHANGERATE"])
        let given = goodVoucher().with("FAccountBookID/FNumber", "002")
        #expect(KingdeeAnswer(try await desk.save(given)).success == true)
    }

    @Test("year and period may be left out, and follow from the date")
    func derivedPeriod() async throws {
        let desk = try KingdeeDesk()
        let model = goodVoucher().with("FYEAR", nil).with("FPERIOD", nil).with("FDate", "2026-03-31 10:00:00")
        #expect(KingdeeAnswer(try await desk.save(model)).success == true)
        #expect(await desk.vouchers().first?["period"] == 3)
    }

    @Test("a voucher is not moved out of a closed period")
    func movedOut() async throws {
        let desk = try KingdeeDesk()
        _ = try await desk.save(goodVoucher())
        await desk.control("periods/close", ["year": 2026, "period": 1])
        let moved = goodVoucher().with("FVOUCHERID", 100_001).with("FDate", "2026-02-01").with("FPERIOD", 2)
        #expect(KingdeeAnswer(try await desk.save(moved)).messages.first?.contains("1期已结账") == true)
    }

    @Test("numbers run per book, voucher word and period; a deleted last number is given again")
    func numbering() async throws {
        let desk = try KingdeeDesk()
        let january = goodVoucher()
        let february = january.with("FDate", "2026-02-10").with("FPERIOD", 2)
        for model in [
            january, january, february, january.with("FVOUCHERGROUPID/FNumber", "PRE004"),
            january.with("FAccountBookID/FNumber", "002"),
        ] {
            #expect(KingdeeAnswer(try await desk.save(model)).success == true)
        }
        #expect(await desk.vouchers().compactMap { $0["group_number"]?.int } == [1, 2, 1, 1, 1])
        _ = try await desk.form("Delete", ["Ids": "100002"])
        _ = try await desk.save(january)
        #expect(await desk.vouchers().last?["group_number"] == 2)
        #expect(await desk.vouchers().last?["number"] == "PZ000006")
    }

    @Test("a query pinned to an external id finds the same as a full scan")
    func pinned() async throws {
        let desk = try KingdeeDesk()
        for external in ["a", "b", "A ", "", "b"] { _ = try await desk.save(goodVoucher(external)) }
        _ = try await desk.save(goodVoucher("c").with("FVOUCHERID", 100_002))
        for text in ["a", "b", "c", "", "zz"] {
            let pinned = try await desk.query("GL_VOUCHER", "FBillNo", filter: "F_KYDD_ExtID='\(text)' and FYEAR=2026")
            let scanned = try await desk.query(
                "GL_VOUCHER", "FBillNo", filter: "(F_KYDD_ExtID='\(text)' or F_KYDD_ExtID='\(text)')")
            #expect(pinned == scanned)
        }
        let a = try await desk.query("GL_VOUCHER", "FBillNo", filter: "f_kydd_extid='a'")
        #expect(a == [["PZ000001"], ["PZ000003"]])
    }

    @Test("thirty base data fields in one query are too many")
    func baseDataFields() async throws {
        let desk = try KingdeeDesk()
        let fields = [String](repeating: "FACCOUNTID.FNumber", count: 30)
        #expect(KingdeeAnswer(try await desk.query("GL_VOUCHER", fields.joined(separator: ","))).code == 8)
        #expect(try await desk.query("GL_VOUCHER", fields.dropLast().joined(separator: ",")) == [])
    }

    @Test("the tenant's ceiling of rows is at most 10000", arguments: ["0", "10001"])
    func ceiling(rows: String) {
        #expect(throws: SimulatorOptionError.self) { try KingdeeDesk(["query_rows": rows]) }
    }

    @Test("a rotated secret shuts out the old one once the session ends")
    func rotation() async throws {
        let desk = try KingdeeDesk()
        #expect(try await desk.query("BD_Currency", "FNumber", more: ["Limit": 1]) == [["PRE001"]])
        await desk.control("credentials", ["app_secret": "another"])
        #expect(KingdeeAnswer(try await desk.query("BD_Currency", "FNumber")).code == 1)
        let path = KingdeeDesk.path("ExecuteBillQuery")
        let headers = KingdeeDesk.signed(path: path, secret: "another")
        let body: SimJSON = ["data": ["FormId": "BD_Currency", "FieldKeys": "FNumber", "Limit": 1]]
        #expect(try SimJSON.parse(await desk.send(path, body, headers: headers).body) == [["PRE001"]])
    }

    @Test("the integration user's name may be Chinese, utf-8 in both places")
    func chineseUser() async throws {
        let desk = try KingdeeDesk()
        await desk.control("credentials", ["username": "集成用户"])
        let path = KingdeeDesk.path("ExecuteBillQuery")
        let body: SimJSON = ["data": ["FormId": "BD_Currency", "FieldKeys": "FNumber", "Limit": 1]]
        let headers = KingdeeDesk.signed(path: path, user: "集成用户")
        #expect(try SimJSON.parse(await desk.send(path, body, headers: headers).body) == [["PRE001"]])
    }

    @Test("a client that opens a session per call is seen, and so is how hard it works the server")
    func load() async throws {
        let desk = try KingdeeDesk(["work_ms": "100", "max_in_flight": "2"])
        let answers = try await withThrowingTaskGroup(of: SimJSON.self) { group in
            for _ in 0..<3 { group.addTask { try await desk.query("BD_Currency", "FNumber", more: ["Limit": 1]) } }
            while desk.clock.sleepers < 3 { await Task.yield() }
            desk.clock.advance(milliseconds: 100)
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.filter { KingdeeAnswer($0).code == 14 }.count == 1)
        let books = await desk.simulator.books()
        #expect(books["sessions"]?["most_open"] == 3)
        #expect(
            books["load"] == ["calls": 3, "refused_by_limit": 1, "most_per_second": 3, "most_in_flight": 3])
    }

    @Test("the credentials let a client in")
    func credentials() async throws {
        let desk = try KingdeeDesk()
        let credentials = await desk.simulator.credentials()
        #expect(credentials["app_id"]?.string?.split(separator: "_").last?.utf8.count == 32)
        #expect(credentials["server_url"]?.string?.hasSuffix("/k3cloud/") == true)
        let login: SimJSON = [
            "acctID": credentials["acct_id"] ?? .null, "username": credentials["username"] ?? .null,
            "password": credentials["password"] ?? .null,
        ]
        let path = KingdeeDesk.path("ValidateUser", service: KingdeeDesk.logins)
        #expect(try SimJSON.parse(await desk.send(path, login).body)["LoginResultType"] == 1)
    }
}
