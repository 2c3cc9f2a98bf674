import DingTalk
import PluginKit
import PluginKitTesting
import Testing
import Values

@Suite struct ConnectionTests {
    static let wrong: [(name: String, value: JSON)] = [
        ("corp_id", ""), ("corp_id", true), ("old_endpoint", "oapi.example.test"), ("old_endpoint", "https://"),
        ("old_endpoint", 5), ("agent_id", "my app"), ("agent_id", "-1"), ("agent_id", ""), ("comment_user", ["a"]),
        ("times_zone", "Mars/Olympus"), ("times_zone", ""),
    ]

    @Test(arguments: wrong) func aWrongSettingIsNamed(_ name: String, _ value: JSON) throws {
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(FakeDingTalk()), [name: value])
        }
        #expect(failure?.kind == .invalidRecord)
        #expect(failure?.field == "/settings/\(name)")
    }

    @Test(arguments: ["", "api.example.test", "ftp://api.example.test", "http://"])
    func anEndpointThatIsNoAddressIsRefused(_ endpoint: String) throws {
        let failure = #expect(throws: Failure.self) {
            try Sample.host(FakeDingTalk()).open(Sample.plugin, product: "standard", endpoint: endpoint)
        }
        #expect(failure?.field == "/settings/endpoint")
    }

    @Test func anotherProductLineIsRefused() throws {
        let failure = #expect(throws: Failure.self) {
            try Sample.host(FakeDingTalk()).open(Sample.plugin, product: "isv")
        }
        #expect(failure?.kind == .unsupported)
    }

    @Test func theOldAPIHasItsOwnAddressUnlessToldOtherwise() throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        let host = Sample.host(vendor)
        let connection = try host.open(
            Sample.plugin, product: "standard", endpoint: "https://api.example.test", settings: ["agent_id": 1])
        _ = try connection.read("approval", ids: ["pi-1"])
        #expect(
            host.requests.map { String($0.url.prefix { $0 != "?" }) } == [
                "https://api.example.test/v1.0/oauth2/accessToken",
                "https://api.example.test/v1.0/workflow/processInstances",
                "https://oapi.dingtalk.com/topapi/v2/user/get",
            ])
    }

    // MARK: - probe

    private func checks(_ report: JSON) -> [String: Bool] {
        var found: [String: Bool] = [:]
        for check in report["checks"]?.array ?? [] { found[check["id"]?.string ?? ""] = check["ok"]?.bool }
        return found
    }

    @Test func aProbeOfAnUnreachableServerFails() throws {
        let vendor = FakeDingTalk()
        vendor.always("token", .failure(.unreachable, "refused"))
        let failure = #expect(throws: Failure.self) { try Sample.connection(Sample.host(vendor)).probe() }
        #expect(failure?.kind == .unreachable)
    }

    @Test func aProbeWithAWrongPairSaysSoAndAsksNothingMore() throws {
        let vendor = FakeDingTalk()
        vendor.always("token", FakeDingTalk.bad("invalidClientIdOrSecret", "无效的clientId或者clientSecret"))
        let report = try Sample.connection(Sample.host(vendor)).probe()
        #expect(checks(report) == ["token": false])
        #expect(report["checks"]?[0]?["zh"]?.string?.contains("无效的clientId") == true)
        #expect(vendor.history == ["token"])
    }

    @Test func aProbeFromAnAddressThatIsNotAllowedSaysSo() throws {
        let vendor = FakeDingTalk()
        vendor.always("departments", FakeDingTalk.old(60020))
        #expect(checks(try Sample.connection(Sample.host(vendor)).probe()) == ["token": false])
    }

    @Test func aThrottledProbeIsNoVerdict() throws {
        for operation in ["departments", "detail"] {
            let vendor = FakeDingTalk()
            vendor.always(operation, .text("", status: 429))
            #expect(throws: Failure.self) { try Sample.connection(Sample.host(vendor)).probe() }
        }
    }

    @Test(arguments: [FakeDingTalk.old(60011), FakeDingTalk.gateway("60011"), FakeDingTalk.old("50002")])
    func missingContactsAreNamed(_ answer: FakeAnswer) throws {
        let vendor = FakeDingTalk()
        vendor.always("departments", answer)
        let report = try Sample.connection(Sample.host(vendor)).probe()
        #expect(checks(report) == ["token": true, "contacts": false, "approvals": true])
    }

    @Test(arguments: [
        FakeDingTalk.bad("Forbidden.AccessDenied.AccessTokenPermissionDenied", status: 403),
        FakeDingTalk.bad("needAuth"),
    ])
    func missingApprovalsAreNamed(_ answer: FakeAnswer) throws {
        let vendor = FakeDingTalk()
        vendor.always("detail", answer)
        let report = try Sample.connection(Sample.host(vendor)).probe()
        #expect(checks(report) == ["token": true, "contacts": true, "approvals": false])
    }

    @Test func aGoodProbeIsCheap() throws {
        let vendor = FakeDingTalk()
        let host = Sample.host(vendor)
        let report = try Sample.connection(host).probe()
        #expect(checks(report) == ["token": true, "contacts": true, "approvals": true])
        #expect(report["fingerprint"] == "ding0123456789abcdef")
        #expect(host.requests.map(\.meter) == ["", "", "metered"])
    }

    // MARK: - describe

    private func product() throws -> JSON {
        try #require(try Sample.host(FakeDingTalk()).describe(Sample.plugin)["products"]?[0])
    }

    @Test func theDescriptionOffersWhatTheTablesOffer() throws {
        let description = try Sample.host(FakeDingTalk()).describe(Sample.plugin)
        #expect(description["id"] == "dingtalk")
        #expect(description["version"] == "0.1.0")
        let product = try product()
        #expect(product["id"] == "standard")
        #expect(product["settings"]?["properties"]?["corp_id"]?["identity"] == true)
        let documents = try #require(product["documents"]?.array)
        let streams = try #require(product["streams"]?.array)
        let said = Set((documents + streams).flatMap { $0["abilities"]?.array ?? [] }.compactMap(\.string))
        #expect(said == ["read", "write", "find", "listen"])
        for ability in ["describe", "probe", "read", "write", "find", "listen"] {
            #expect(Sample.plugin.offers("datong.\(ability)/1"))
        }
        for ability in ["poll", "void", "query", "receive", "identify"] {
            #expect(!Sample.plugin.offers("datong.\(ability)/1"))
        }
    }

    @Test func theDescriptionHasTheShapeOfTheContract() throws {
        let product = try product()
        let secrets = try #require(product["secrets"]?.object)
        #expect(Set(secrets.keys) == Set(Sample.everySecret.keys))
        #expect(Set(secrets.filter { $0.value["required"] == true }.map(\.key)) == ["app_key", "app_secret"])
        for ability in product["concurrency"]?.object?.keys ?? [] {
            #expect(["read", "write", "find", "poll", "probe", "listen"].contains(ability))
        }
        for limit in try #require(product["limits"]?.array) {
            #expect(limit["id"]?.string?.isEmpty == false)
            let standard = try #require(limit["default"]?.int)
            #expect(standard > 0 && standard <= limit["max"]?.int ?? 0)
            if limit["id"] != "concurrency" {
                #expect((limit["window_ms"]?.int ?? 0) > 0)
                #expect(limit["meter"]?.string != nil)
            }
        }
        // What nobody changed is what the free edition bears.
        let monthly = product["limits"]?.array?.first { $0["meter"] == "metered" }
        #expect(monthly?["default"] == 5000)
        // Every meter a request names is one of these; "" counts all of them.
        let meters = Set((product["limits"]?.array ?? []).compactMap { $0["meter"]?.string })
        #expect(meters == ["", "metered", "robot"])
        for document in try #require(product["documents"]?.array) {
            #expect(document["key"]?["max_bytes"]?.int ?? 0 >= 32)
            // What can be looked up is never settled unseen.
            let canFind = (document["abilities"]?.array ?? []).contains("find")
            #expect(document["unknown"] == (canFind ? nil : "settle"))
            if canFind { #expect(document["commit_horizon_ms"]?.int ?? 0 >= 120_000) }
            #expect(document["settings"]?["type"] == "object")
        }
        #expect(product["streams"]?[0]?["filter"]?["properties"]?["template"] != nil)
        for host in try #require(product["hosts"]?.array) {
            #expect(host.string?.hasPrefix("https://") == true || host.string?.hasPrefix("wss://") == true)
        }
    }

    @Test func everythingAPersonReadsIsInBothLanguages() throws {
        let description = try Sample.host(FakeDingTalk()).describe(Sample.plugin)
        let product = try product()
        var titled = [description, product]
        titled += product["settings"]?["properties"]?.object.map { Array($0.values) } ?? []
        titled += product["secrets"]?.object.map { Array($0.values) } ?? []
        titled += product["documents"]?.array ?? []
        #expect(titled.count == 13)
        for item in titled {
            #expect(item["title"]?["zh"]?.string?.isEmpty == false)
            #expect(item["title"]?["en"]?.string?.isEmpty == false)
        }
    }
}
