import Kingdee
import PluginKit
import PluginKitTesting
import Testing
import Values

@Suite struct ConnectionTests {
    static let wrong: [(name: String, value: JSON)] = [
        ("account_set", JSON.null), ("user", ""), ("user", "a,b"), ("auth", "basic"), ("digest", "md5"),
        ("language", "zh"), ("ext_id_field", "F' or 1=1"), ("number_field", ""), ("groups", "PRE001"),
        ("currencies", ["CNY": ""]), ("duplicate_messages", "x"),
    ]

    @Test(arguments: wrong)
    func aWrongSettingIsNamed(_ name: String, _ value: JSON) throws {
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(FakeGalaxy()), [name: value])
        }
        #expect(failure?.kind == .invalidRecord)
        #expect(failure?.field == "/settings/\(name)")
    }

    @Test func anotherProductLineIsRefused() throws {
        let failure = #expect(throws: Failure.self) {
            try Sample.host(FakeGalaxy()).open(Sample.plugin, product: "cosmic")
        }
        #expect(failure?.kind == .unsupported)
    }

    @Test func anEndpointWithoutItsSlashGetsOne() throws {
        let host = Sample.host(FakeGalaxy())
        let connection = try host.open(
            Sample.plugin, product: "galaxy", endpoint: "https://erp.example.test:8443/K3Cloud",
            settings: ["account_set": "a", "user": "张三"])
        _ = try connection.find("voucher", key: "k")
        #expect(
            host.requests.first?.url.hasPrefix("https://erp.example.test:8443/K3Cloud/Kingdee.BOS.WebApi.") == true)
        let appData = host.requests.first?.header("X-Kd-Appdata")
        #expect(appData == Base64.encode(Array("a,张三,2052,0".utf8)))
    }

    // MARK: - probe

    private func check(_ report: JSON, _ id: String) -> Bool? {
        report["checks"]?.array?.first { $0["id"]?.string == id }?["ok"]?.bool
    }

    @Test func aProbeWithWrongCredentialsSaysSo() throws {
        let galaxy = FakeGalaxy()
        galaxy.fault("QueryBusinessInfo", .instead(FakeGalaxy.bad(1, "会话信息已丢失，请重新登录")))
        let report = try Sample.connection(Sample.host(galaxy)).probe()
        #expect(check(report, "login") == false)
        #expect(check(report, "ext-id-field") == nil)
    }

    @Test func aProbeWithoutThePermissionSaysSo() throws {
        let galaxy = FakeGalaxy()
        galaxy.fault("QueryBusinessInfo", .instead(FakeGalaxy.bad(4, "业务对象 GL_VOUCHER 不存在")))
        #expect(check(try Sample.connection(Sample.host(galaxy)).probe(), "voucher-form") == false)
    }

    @Test func aProbeOfAnUnreachableServerFails() throws {
        let host = FakeHost(secrets: ["app_id": Sample.appID, "app_secret": Sample.appSecret]) { _ in
            .failure(.unreachable, "refused")
        }
        let failure = #expect(throws: Failure.self) { try Sample.connection(host).probe() }
        #expect(failure?.kind == .unreachable)
    }

    @Test func aMissingFieldOfTheFormIsNamed() throws {
        let galaxy = FakeGalaxy()
        galaxy.fields.removeAll { $0 == "F_KYDD_ExtID" || $0 == "FDEBIT" }
        let report = try Sample.connection(Sample.host(galaxy)).probe()
        #expect(check(report, "login") == true)
        #expect(check(report, "ext-id-field") == false)
        #expect(check(report, "fields") == false)
        #expect(report["checks"]?[3]?["en"]?.string?.contains("FDEBIT") == true)
    }

    @Test func theFieldsAreFoundWhereverTheAnswerHasThem() throws {
        let galaxy = FakeGalaxy()
        let fields: [JSON] = FakeGalaxy.standardFields.map { ["Key": .string($0)] }
        galaxy.fault(
            "QueryBusinessInfo",
            .instead(
                .json([
                    "Result": [
                        "ResponseStatus": ["IsSuccess": true, "MsgCode": 0],
                        "Result": ["Entrys": [["Key": "FEntity", "Fields": .array(fields)]]],
                    ]
                ])))
        let report = try Sample.connection(Sample.host(galaxy)).probe()
        #expect(report["checks"]?.array?.allSatisfy { $0["ok"]?.bool == true } == true)
    }

    @Test func theFingerprintChangesWithTheForm() throws {
        let galaxy = FakeGalaxy()
        let connection = try Sample.connection(Sample.host(galaxy))
        let first = try connection.probe()
        #expect(first["checks"]?.array?.allSatisfy { $0["ok"]?.bool == true } == true)
        #expect(try connection.probe()["fingerprint"] == first["fingerprint"])
        galaxy.fields.append("FUPGRADEMARK")
        #expect(try connection.probe()["fingerprint"] != first["fingerprint"])
    }

    // MARK: - codes

    private func codes(_ rows: [JSON]) -> FakeHost {
        FakeHost(secrets: ["app_id": Sample.appID, "app_secret": Sample.appSecret]) { request in
            let data = request.json?["data"]
            let start = Int(data?["StartRow"]?.int ?? 0)
            let limit = Int(data?["Limit"]?.int ?? 0)
            return .json(.array(Array(rows.dropFirst(start).prefix(limit))))
        }
    }

    @Test func anUnknownTypeIsNotRead() throws {
        let failure = #expect(throws: Failure.self) { try Sample.connection(codes([])).read("approval") }
        #expect(failure?.kind == .unsupported)
    }

    @Test func aBrokenCursorIsRefused() throws {
        #expect(throws: Failure.self) { try Sample.connection(codes([])).read("account", cursor: [1]) }
    }

    @Test func codesAreReadPageByPageAndTheNextSweepAsksForChangesOnly() throws {
        let host = codes([
            ["BM001", "总部", "A", "C", "2026-01-10T09:12:00"], ["BM002", "销售部", "B", "C", "2026-01-10T09:13:00"],
            ["BM003", "新部门", "A", "A", "2026-01-10T09:14:00"],
        ])
        let connection = try Sample.connection(host)
        let first = try connection.read("department", maximumRecords: 2)
        #expect(
            first.records.map(\.document) == [
                ["code": "BM001", "name": "总部", "enabled": true], ["code": "BM002", "name": "销售部", "enabled": false],
            ])
        #expect(first.records.first?.version == "2026-01-10T09:12:00")
        #expect(first.more)
        host.now += 60_000
        let second = try connection.read("department", cursor: try #require(first.next), maximumRecords: 2)
        #expect(second.records.map(\.id) == ["BM003"])
        #expect(second.records.first?.document?["enabled"] == false)
        #expect(!second.more)
        _ = try connection.read("department", cursor: try #require(second.next), maximumRecords: 2)
        // The mark is when the first page was asked for, less the overlap, on the customer's wall clock.
        let filters = host.requests.map { $0.json?["data"]?["FilterString"]?.string }
        #expect(filters == ["", "", "FModifyDate>='2026-01-01 07:55:00'"])
        #expect(host.requests.first?.json?["data"]?["FormId"] == "BD_Department")
    }

    @Test func namedCodesAreQuoted() throws {
        let host = codes([["1002", "银行存款", "A", "C", ""]])
        let page = try Sample.connection(host).read("account", ids: ["1002", "o'x"])
        #expect(page.records.map(\.id) == ["1002"])
        #expect(host.requests.first?.json?["data"]?["FilterString"] == "FNumber in ('1002','o''x')")
    }

    // MARK: - describe

    @Test func theDescriptionOffersWhatTheTablesOffer() throws {
        let description = try Sample.host(FakeGalaxy()).describe(Sample.plugin)
        #expect(description["id"] == "kingdee")
        let product = try #require(description["products"]?[0])
        #expect(product["id"] == "galaxy")
        #expect(product["settings"]?["properties"]?["account_set"]?["identity"] == true)
        #expect(product["documents"]?[0]?["unique_key"] == false)
        #expect(product["http"]?["version"] == "1.1")
        for (ability, offered) in [
            ("describe", true), ("probe", true), ("read", true), ("write", true), ("find", true), ("poll", false),
            ("void", false), ("query", false), ("listen", false), ("receive", false),
        ] {
            #expect(Sample.plugin.offers("datong.\(ability)/1") == offered)
        }
    }

    @Test func everySettingTheDescriptionOffersHasBothTitles() throws {
        let description = try Sample.host(FakeGalaxy()).describe(Sample.plugin)
        let product = try #require(description["products"]?[0])
        let settings = try #require(product["settings"]?["properties"]?.object)
        let flow = try #require(product["documents"]?[0]?["settings"]?["properties"]?.object)
        for schema in settings.values + flow.values {
            #expect(schema["title"]?["zh"]?.string?.isEmpty == false)
            #expect(schema["title"]?["en"]?.string?.isEmpty == false)
        }
    }
}
