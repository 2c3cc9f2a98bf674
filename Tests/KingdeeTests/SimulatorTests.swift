import Kingdee
import KingdeeSimulator
import PluginKit
import PluginKitTesting
import SimulatorKit
import Testing
import Values

/// The connector against the vendor's simulator, which was written without looking at the connector: the same public
/// specification read twice.
@Suite struct SimulatorTests {
    private let simulator: KingdeeSimulator
    private let host: FakeHost

    init() throws {
        let simulator = try KingdeeSimulator(options: SimulatorOptions(clock: VirtualClock()))
        self.simulator = simulator
        host = Self.host(simulator)
    }

    /// A host whose vendor is the simulator, in this process and without sockets.
    private static func host(_ simulator: KingdeeSimulator, secret: String = Sample.appSecret) -> FakeHost {
        FakeHost(secrets: ["app_id": Sample.appID, "app_secret": secret]) { request in
            var headers = request.headers
            if !request.cookies.isEmpty {
                let cookie = request.cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
                headers.append((name: "Cookie", value: cookie))
            }
            let sent = SimRequest(
                method: request.method, target: request.path, headers: headers, body: request.body)
            let response = Handover.wait { await simulator.handle(sent) }
            return .reply(
                status: response.status,
                headers: response.headers.map { (name: $0.name.lowercased(), value: $0.value) },
                body: response.body)
        }
    }

    /// The connector blocks its thread, so it runs on one that the simulator does not need.
    private func run<Result: Sendable>(
        settings: JSONObject = [:], on other: FakeHost? = nil,
        _ body: @escaping @Sendable (FakeConnection) throws -> Result
    ) async throws -> Result {
        let host = other ?? host
        var all: JSONObject = ["account_set": "66f0a1b2c3d4e5", "user": "Connector"]
        for (name, value) in settings { all[name] = value }
        let connection = try host.open(
            Sample.plugin, product: "galaxy", endpoint: "http://erp.example.test/k3cloud/", settings: .object(all))
        return try await Handover.onThread { try body(connection) }
    }

    private func option(_ name: String, _ value: String) async {
        let body = SimJSON.object([name: .string(value)])
        let answer = await simulator.control(
            SimRequest(method: "POST", target: "/_sim/options", body: body.bytes))
        #expect(answer?.status == 200)
    }

    private func vouchers() async -> [SimJSON] { await simulator.books()["vouchers"]?.array ?? [] }

    private static let voucher: JSON = [
        "book": "001", "date": "2026-01-15", "group": "记", "attachment_count": 2, "summary": "张三差旅费",
        "lines": [
            [
                "summary": "机票", "account": "6601.01", "dimensions": ["department": "BM002", "employee": "E001"],
                "currency": "CNY", "rate": "1", "debit": "1000.50", "credit": "0",
            ], ["summary": "机票", "account": "1002.01", "currency": "CNY", "debit": "0", "credit": "1000.50"],
        ],
    ]

    private static func write(_ connection: FakeConnection, finish: String = "save") throws -> WriteOutcome? {
        try connection.write(
            "voucher", settings: ["finish": .string(finish)], [FakeRecord(key: Sample.key, voucher)])[0]
    }

    // MARK: - Refusals

    @Test func aWrongSecretIsNamedAndNotHammered() async throws {
        for auth in ["signed-headers", "login-by-sign", "login-by-app-secret"] {
            let host = Self.host(simulator, secret: "wrong")
            let failure = try await run(settings: ["auth": .string(auth)], on: host) { connection in
                try Self.write(connection).failure
            }
            #expect(failure?.kind == .authDenied)
            #expect(host.requests.count == 1)
        }
        #expect(await vouchers().isEmpty)
    }

    @Test func anUnknownAccountSetIsTheOperatorsMatter() async throws {
        for auth in ["signed-headers", "login-by-sign"] {
            let failure = try await run(settings: ["auth": .string(auth), "account_set": "other"]) { connection in
                try Self.write(connection).failure
            }
            #expect(failure?.kind == .authDenied)
        }
    }

    @Test func withoutTheExternalFieldNothingIsWritten() async throws {
        await option("ext_field", "")
        let failure = try await run { try Self.write($0).failure }
        #expect(failure?.kind == .invalidRecord)
        #expect(await vouchers().isEmpty)
        let report = try await run { try $0.probe() }
        #expect(report["checks"]?[2]?["ok"] == false)
    }

    @Test func aMissingDimensionPointsAtTheLine() async throws {
        var document = Self.voucher.object ?? [:]
        document["lines"] = [
            ["summary": "机票", "account": "6601.01", "currency": "CNY", "debit": "1000.50", "credit": "0"],
            ["summary": "机票", "account": "1002.01", "currency": "CNY", "debit": "0", "credit": "1000.50"],
        ]
        let bare = JSON.object(document)
        let failure = try await run { connection in
            try connection.write("voucher", [FakeRecord(key: "k", bare)])[0].failure
        }
        #expect(failure?.kind == .invalidRecord)
        #expect(failure?.field == "/lines/0/dimensions")
    }

    @Test func aServerThatLeavesOutWhatItDidIsUnknownAndThenFound() async throws {
        await option("drop_success_entities", "true")
        let outcome = try await run { try Self.write($0, finish: "submit") }
        // Save names its document once more outside the list; Submit does not, and looking settles it.
        #expect(outcome.applied != nil)
        #expect(await vouchers().map { $0["status"]?.string } == ["B"])
    }

    @Test func aWorkflowStopsTheAuditAndKeepsTheNumber() async throws {
        await option("workflow", "true")
        let failure = try await run { try Self.write($0, finish: "audit").failure }
        #expect(failure?.kind == .invalidRecord)
        #expect(failure?.existing == "记-1")
        #expect(await vouchers().count == 1)
    }

    // MARK: - Done

    @Test(arguments: ["signed-headers", "login-by-sign", "login-by-app-secret"])
    func aVoucherGoesAllTheWay(_ auth: String) async throws {
        let host = host
        let (outcome, again, found) = try await run(settings: ["auth": .string(auth)]) { connection in
            let outcome = try Self.write(connection, finish: "audit")
            host.checkpoints = [:]
            return (
                outcome, try Self.write(connection, finish: "audit"),
                try connection.find("voucher", settings: ["finish": "audit"], key: Sample.key)
            )
        }
        let applied = try #require(outcome.applied)
        #expect(applied.number == "记-1")
        #expect(again.existed == applied)
        #expect(found == [applied])
        let books = await vouchers()
        #expect(books.map { $0["status"]?.string } == ["C"])
        #expect(books.first?["ext_id"]?.string == Sample.key)
        #expect(books.first?["debits"]?.string == "1000.50")
        #expect(books.first?["attachments"]?.int == 2)
    }

    @Test(arguments: [("data_as_string", "true"), ("msgcode_as_text", "true"), ("gateway", "false")])
    func otherServersWorkAsWell(_ name: String, _ value: String) async throws {
        await option(name, value)
        let outcome = try await run(settings: name == "data_as_string" ? ["data_as_string": true] : [:]) { connection in
            try Self.write(connection)
        }
        #expect(outcome.applied != nil)
    }

    @Test func anOlderServerKnowsOnlySHA1() async throws {
        await option("sha1_only", "true")
        let outcome = try await run(settings: ["auth": "login-by-sign", "digest": "sha1"]) { try Self.write($0) }
        #expect(outcome.applied != nil)
    }

    @Test func aGoodTenantPassesItsProbeAndAnUpgradeIsSeen() async throws {
        let before = try await run { try $0.probe() }
        #expect(before["checks"]?.array?.allSatisfy { $0["ok"]?.bool == true } == true)
        await option("upgraded", "true")
        let after = try await run { try $0.probe() }
        #expect(after["fingerprint"] != before["fingerprint"])
    }

    @Test(arguments: ["account", "department", "employee", "customer", "supplier", "expense"])
    func everyKindOfCodeIsReadToItsEnd(_ document: String) async throws {
        let (paged, whole) = try await run { connection in
            var ids: [String] = []
            var cursor: [UInt8] = []
            while true {
                let page = try connection.read(document, cursor: cursor, maximumRecords: 2)
                ids += page.records.map(\.id)
                cursor = page.next ?? []
                if !page.more { break }
            }
            return (ids, try connection.read(document, maximumRecords: 1000).records.map(\.id))
        }
        #expect(!whole.isEmpty)
        #expect(paged == whole)
        #expect(Set(whole).count == whole.count)
    }
}
