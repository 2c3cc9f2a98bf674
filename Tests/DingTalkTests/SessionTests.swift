import DingTalk
import Glibc
import PluginKit
import PluginKitTesting
import Testing
import Values

@Suite struct SessionTests {
    private let notification = FakeRecord(
        key: Sample.key, ["to": ["users": ["user001"]], "title": "t", "markdown": "m"])

    @Test(arguments: [
        FakeDingTalk.bad("invalidClientIdOrSecret"), FakeDingTalk.bad("aNameNobodyDocumented"),
        FakeDingTalk.bad("unauthorized.client", status: 401), FakeDingTalk.bad("InvalidAuthentication"),
        .text("", status: 401),
    ])
    func aWrongPairIsDeniedAndNotTriedAgain(_ answer: FakeAnswer) throws {
        let vendor = FakeDingTalk()
        vendor.always("token", answer)
        let connection = try Sample.connection(Sample.host(vendor))
        for _ in 0..<3 {
            let failure = #expect(throws: Failure.self) { try connection.read("approval", ids: ["pi-1"]) }
            #expect(failure?.kind == .authDenied)
        }
        #expect(vendor.history == ["token"])
    }

    @Test(arguments: [
        (FakeDingTalk.bad("systemError", status: 500), Failure.Kind.transient),
        (FakeDingTalk.bad("Forbidden.AccessDenied.QpsLimitForApi", status: 403), .throttled),
        (.failure(.unreachable, "refused"), .unreachable), (.json(["expireIn": 7200]), .schemaDrift),
        (.json(["accessToken": "", "expireIn": 7200]), .schemaDrift),
    ])
    func aPassingTroubleAtTheLogInIsNoDenial(_ answer: FakeAnswer, _ kind: Failure.Kind) throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        vendor.script("token", answer)
        let connection = try Sample.connection(Sample.host(vendor))
        let failure = #expect(throws: Failure.self) { try connection.read("approval", ids: ["pi-1"]) }
        #expect(failure?.kind == kind)
        #expect(try connection.read("approval", ids: ["pi-1"]).records.count == 1)
    }

    @Test(arguments: [
        FakeDingTalk.bad("InvalidAuthentication"), FakeDingTalk.bad("InvalidAuthentication", status: 401),
    ])
    func aTokenThatRanOutCostsOneLogInAndOneRepeat(_ answer: FakeAnswer) throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        let host = Sample.host(vendor)
        let connection = try Sample.connection(host)
        _ = try connection.read("approval", ids: ["pi-1"])
        vendor.forget()
        vendor.script("detail", answer)
        #expect(try connection.read("approval", ids: ["pi-1"]).records.count == 1)
        #expect(vendor.history == ["detail", "token", "detail"])
        #expect(host.requests.last?.header("x-acs-dingtalk-access-token") == "token-2")
    }

    @Test(arguments: [
        FakeDingTalk.old(40014), FakeDingTalk.old("42001"), FakeDingTalk.old(40001), FakeDingTalk.old(41001),
        FakeDingTalk.gateway("40014"), FakeDingTalk.gateway(42001),
    ])
    func aTokenThatRanOutCostsTheSameInTheOldAPI(_ answer: FakeAnswer) throws {
        let vendor = FakeDingTalk()
        vendor.script("notify", answer)
        let host = Sample.host(vendor)
        let connection = try Sample.connection(host)
        #expect(try connection.write("message", [notification])[0].applied != nil)
        #expect(vendor.history == ["token", "notify", "token", "notify"])
        #expect(host.requests.last?.url.hasSuffix("asyncsend_v2?access_token=token-2") == true)
    }

    @Test func aTokenRefusedTwiceIsReported() throws {
        let vendor = FakeDingTalk()
        vendor.always("detail", FakeDingTalk.bad("InvalidAuthentication", status: 401))
        let connection = try Sample.connection(Sample.host(vendor))
        let failure = #expect(throws: Failure.self) { try connection.read("approval", ids: ["pi-1", "pi-2"]) }
        #expect(failure?.kind == .authExpired)
        #expect(vendor.history == ["token", "detail", "token", "detail"])
    }

    @Test func sixteenThreadsWhoseTokenIsGoneCostOneLogIn() throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        let barrier = Barrier(16)
        let host = FakeHost(secrets: Sample.everySecret) { request in
            // All sixteen hold the first token before the first of them is refused.
            if request.header("x-acs-dingtalk-access-token") == "token-1" {
                barrier.wait()
                return FakeDingTalk.bad("InvalidAuthentication")
            }
            return vendor.answer(request)
        }
        let connection = try Sample.connection(host)
        #expect(onThreads(16) { _ = try connection.read("approval", ids: ["pi-1"]) } == 0)
        // One for all at the beginning, and one for all after the vendor forgot the token.
        #expect(vendor.history.filter { $0 == "token" }.count == 2)
        #expect(host.logInCount == 2)
    }

    @Test func oneTokenServesBothGenerations() throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        let host = Sample.host(vendor)
        _ = try Sample.connection(host).read("approval", ids: ["pi-1"])
        #expect(vendor.history == ["token", "detail", "user"])
        let requests = host.requests
        #expect(requests[0].json == ["appKey": .string(Sample.appKey), "appSecret": .string(Sample.appSecret)])
        #expect(requests[0].effect == .auth)
        #expect(requests[1].url == "https://api.example.test/v1.0/workflow/processInstances?processInstanceId=pi-1")
        #expect(requests[1].header("x-acs-dingtalk-access-token") == "token-1")
        #expect(requests[2].url == "https://oapi.example.test/topapi/v2/user/get?access_token=token-1")
    }

    @Test func twoAppsOfOneOrganisationDoNotShareAToken() throws {
        let vendor = FakeDingTalk()
        let host = Sample.host(vendor)
        _ = try Sample.connection(host, name: "first").read("approval", ids: ["pi-1"])
        _ = try Sample.connection(host, name: "second").read("approval", ids: ["pi-1"])
        #expect(vendor.history == ["token", "detail", "token", "detail"])
        #expect(host.requests.last?.header("x-acs-dingtalk-access-token") == "token-2")
    }

    @Test func onlyWhatTheVendorCountsSpendsTheMonth() throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        let host = Sample.host(vendor)
        let connection = try Sample.connection(host)
        _ = try connection.read("approval", ids: ["pi-1"])
        _ = try connection.endpoint()
        _ = try connection.write(
            "message", [FakeRecord(key: "k", ["to": ["group": true], "title": "t", "markdown": "m"])])
        _ = try connection.write("message", [notification])
        #expect(host.requests.map(\.meter) == ["", "metered", "", "", "robot", "metered"])
    }

    @Test func aPersonIsLookedUpOnceInAWorkingDayAndAStrangerSoonAgain() throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        vendor.put("pi-2", Sample.approval(["originatorUserId": "left", "title": "无题"]))
        let host = Sample.host(vendor)
        let connection = try Sample.connection(host)
        let ids = ["pi-1", "pi-1", "pi-2", "pi-2"]
        let page = try connection.read("approval", ids: ids)
        #expect(page.records.map { $0.document?["applicant"]?["employee_number"] } == ["E001", "E001", .null, .null])
        #expect(page.records.last?.document?["applicant"]?["name"] == JSON.null)
        #expect(vendor.history.filter { $0 == "user" }.count == 2)
        host.now += 601_000
        _ = try connection.read("approval", ids: ids)
        #expect(vendor.history.filter { $0 == "user" }.count == 3)
        host.now += 8 * 3_600_000
        _ = try connection.read("approval", ids: ["pi-1"])
        #expect(vendor.history.filter { $0 == "user" }.count == 4)
    }

    @Test func noSecretIsEverInWhatTheConnectorWrites() throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        let host = Sample.host(vendor)
        let connection = try Sample.connection(host)
        _ = try connection.probe()
        _ = try connection.read("approval", ids: ["pi-1"])
        _ = try connection.read("approval", filter: ["template": ["PROC-A"]])
        _ = try connection.endpoint()
        _ = try connection.write("approval-comment", [FakeRecord(key: "k", ["document": "pi-1", "text": "记-12"])])
        _ = try connection.write(
            "message", [FakeRecord(key: "k", ["to": ["group": true], "title": "t", "markdown": "m"])])
        _ = try connection.write("message", [notification])
        #expect(host.requests.count == 11)
        for request in host.requests {
            for secret in Sample.everySecret.values {
                #expect(!request.literal.contains(secret) && !request.literal.contains(Percent.encode(secret)))
            }
            #expect(request.insertions.allSatisfy { $0.part == "body" || $0.part == "url" })
        }
        #expect(host.log.allSatisfy { line in Sample.everySecret.values.allSatisfy { !line.contains($0) } })
    }
}

/// Holds callers back until all of them have come.
final class Barrier: @unchecked Sendable {
    private let raw: UnsafeMutablePointer<pthread_barrier_t>

    init(_ size: Int) {
        raw = .allocate(capacity: 1)
        pthread_barrier_init(raw, nil, UInt32(size))
    }

    deinit {
        pthread_barrier_destroy(raw)
        raw.deallocate()
    }

    func wait() { pthread_barrier_wait(raw) }
}
