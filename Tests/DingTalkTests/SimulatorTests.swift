import DingTalk
import DingTalkSimulator
import PluginKit
import PluginKitTesting
import SimulatorKit
import Testing
import Values

/// The connector against the vendor's simulator, which was written without looking at the connector: the same public
/// specification read twice.
@Suite struct SimulatorTests {
    private let simulator: DingTalkSimulator
    private let clock: VirtualClock
    private let credentials: SimJSON
    private let host: FakeHost

    init() async throws {
        clock = VirtualClock()
        simulator = try DingTalkSimulator(
            options: SimulatorOptions(clock: clock, settings: ["calls_per_second": "1000"]))
        await simulator.started(at: "http://127.0.0.1:8701")
        credentials = await simulator.credentials()
        host = Self.host(simulator, credentials, now: clock.now())
    }

    /// A host whose vendor is the simulator, in this process and without sockets.
    private static func host(
        _ simulator: DingTalkSimulator, _ credentials: SimJSON, now: Int64, secret: String? = nil
    ) -> FakeHost {
        let secrets = [
            "app_key": credentials["app_key"]?.string ?? "",
            "app_secret": secret ?? credentials["app_secret"]?.string ?? "",
            "robot_token": credentials["robot"]?["access_token"]?.string ?? "",
            "robot_secret": credentials["robot"]?["secret"]?.string ?? "",
        ]
        return FakeHost(secrets: secrets, now: now) { request in
            let sent = SimRequest(
                method: request.method, target: request.path, headers: request.headers, body: request.body)
            let response = Handover.wait { await simulator.handle(sent) }
            return .reply(
                status: response.status,
                headers: response.headers.map { (name: $0.name.lowercased(), value: $0.value) }, body: response.body)
        }
    }

    /// The connector blocks its thread, so it runs on one that the simulator does not need.
    private func run<Result: Sendable>(
        on other: FakeHost? = nil, _ body: @escaping @Sendable (FakeConnection) throws -> Result
    ) async throws -> Result {
        let agent = credentials["agent_id"]?.int ?? 0
        let connection = try Sample.connection(
            other ?? host, ["corp_id": "ding01", "agent_id": .number(JSONNumber(Int64(agent)))])
        return try await Handover.onThread { try body(connection) }
    }

    private func expireTokens() async {
        _ = await simulator.control(SimRequest(method: "POST", target: "/_sim/tokens/expire", body: []))
    }

    private var template: JSON { ["template": [.string(credentials["templates"]?["expense"]?.string ?? "")]] }

    // MARK: - Refusals

    @Test func aWrongSecretIsNamedAndNotHammered() async throws {
        let host = Self.host(simulator, credentials, now: clock.now(), secret: "wrong")
        let kinds = try await run(on: host) { connection in
            (0..<3).map { _ in
                do throws(Failure) {
                    _ = try connection.read("approval", ids: ["x"])
                    return Failure.Kind?.none
                } catch { return error.kind }
            }
        }
        #expect(kinds == [.authDenied, .authDenied, .authDenied])
        #expect(host.requests.count == 1)
    }

    @Test func anExpiredTokenCostsOneLogIn() async throws {
        let id = try #require(simulator.generate(ApprovalPlan(count: 1)).first)
        _ = try await run { try $0.read("approval", ids: [id]) }
        await expireTokens()
        let page = try await run { try $0.read("approval", ids: [id]) }
        #expect(page.records.count == 1)
        #expect(host.logInCount == 2)
    }

    @Test func anInstanceThatIsNotThereIsLeftOut() async throws {
        let id = try #require(simulator.generate(ApprovalPlan(count: 1)).first)
        let page = try await run { try $0.read("approval", ids: ["nothing", id]) }
        #expect(page.records.map(\.id) == [id])
    }

    @Test func aTemplateNobodyHasIsRefused() async throws {
        await #expect(throws: Failure.self) {
            try await run { try $0.read("approval", filter: ["template": ["PROC-X"]], since: 1) }
        }
    }

    // MARK: - What works

    @Test func aProbeFindsEverythingInOrder() async throws {
        let report = try await run { try $0.probe() }
        #expect(report["checks"]?.array?.count == 3)
        #expect(report["checks"]?.array?.allSatisfy { $0["ok"] == true } == true)
    }

    @Test func aSweepFindsEveryFinishedApprovalOnceAndTheyCanBeRead() async throws {
        let made = simulator.generate(ApprovalPlan(count: 45, rejected: 2, withdrawn: 2))
        let filter = template
        let since = clock.now() - 45 * 86_400_000
        host.now = clock.now() + 1000
        let ids = try await run { connection in
            var found: [String] = []
            var cursor: [UInt8] = []
            for _ in 0..<20 {
                let page = try connection.read("approval", filter: filter, cursor: cursor, since: since)
                found += page.records.map(\.id)
                guard page.more else { break }
                cursor = page.next ?? []
            }
            return found
        }
        #expect(ids.count == Set(ids).count)
        #expect(Set(ids) == Set(made))
        let documents = try await run { try $0.read("approval", ids: ids).records.compactMap(\.document) }
        #expect(documents.count == made.count)
        #expect(documents.allSatisfy { $0["fields"]?.array?.contains { $0["kind"] == "table" } == true })
        #expect(documents.allSatisfy { $0["applicant"]?["name"]?.string?.isEmpty == false })
        #expect(documents.filter { $0["result"] == "agree" }.count == made.count - 4)
    }

    @Test func aCommentIsWrittenOnceAndFound() async throws {
        let id = try #require(simulator.generate(ApprovalPlan(count: 1)).first)
        let document: JSON = ["document": .string(id), "text": "凭证 记-12"]
        let before = try await run { try $0.find("approval-comment", key: Sample.key, sent: document) }
        #expect(before.isEmpty)
        let applied = try await run {
            try $0.write("approval-comment", [FakeRecord(key: Sample.key, document)])[0].applied
        }
        #expect(applied?.number == id)
        let after = try await run { try $0.find("approval-comment", key: Sample.key, sent: document) }
        #expect(after == [Written(number: id, id: id)])
        #expect(await simulator.books()["comments"]?.int == 1)
    }

    @Test func theSameGroupMessageArrivesOnce() async throws {
        let record = FakeRecord(key: Sample.key, ["to": ["group": true], "title": "日报", "markdown": "### 日报"])
        for _ in 0..<2 {
            let applied = try await run { try $0.write("message", [record])[0].applied }
            #expect(applied != nil)
        }
        #expect(await simulator.books()["messages"]?.array?.count == 1)
    }

    @Test func aWorkNotificationArrivesAndSoDoesTheSameAgainOnOneDay() async throws {
        for key in ["k1", "k2"] {
            let record = FakeRecord(key: key, ["to": ["users": ["user001"]], "title": "t", "markdown": "m"])
            let applied = try await run { try $0.write("message", [record])[0].applied }
            #expect(applied?.number.isEmpty == false)
            host.now += 60_000
            clock.advance(milliseconds: 60_000)
        }
        let notifications = await simulator.books()["notifications"]?.array ?? []
        #expect(notifications.map { $0["delivered"] } == [["user001"], ["user001"]])
    }

    @Test func aTicketIsGivenForTheStream() async throws {
        let endpoint = try await run { try $0.endpoint() }
        #expect(endpoint.url.contains("?ticket="))
    }
}
