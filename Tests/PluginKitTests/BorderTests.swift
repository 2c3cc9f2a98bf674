import Glibc
import PluginKit
import PluginKitTesting
import Synchronization
import Testing
import Values

@Suite struct BorderTests {
    private func connection(
        _ host: FakeHost = FakeHost { _ in .text("") }, settings: JSON = [:]
    ) throws -> FakeConnection {
        try host.open(makeEcho(), product: "line", settings: settings, timeZone: "Asia/Shanghai")
    }

    @Test func aRefusedOpenReportsItsFailureAndMakesNoConnection() throws {
        let failure = #expect(throws: Failure.self) { try connection(settings: ["refuse": true]) }
        #expect(failure?.kind == .invalidRecord)
        #expect(failure?.field == "/refuse")
        #expect(failure?.messages.map(\.text) == ["设置不对", "bad setting"])
    }

    @Test func aRecordLeftWithoutAResultIsABug() throws {
        let failure = #expect(throws: Failure.self) {
            try connection().write("forgets", [FakeRecord(key: "a", [:])])
        }
        #expect(failure?.kind == .bug)
    }

    @Test func aRecordReportedTwiceIsABug() throws {
        let failure = #expect(throws: Failure.self) { try connection().write("twice", [FakeRecord(key: "a", [:])]) }
        #expect(failure?.kind == .bug)
    }

    @Test func anIdLongerThanTheContractAllowsIsABug() throws {
        let failure = #expect(throws: Failure.self) { try connection().read("approval", filter: ["long": true]) }
        #expect(failure?.kind == .bug)
    }

    @Test func aHostWithoutServicesRefusesThemByName() throws {
        let host = FakeHost(withoutServices: true) { _ in .text("") }
        let failure = #expect(throws: Failure.self) { try connection(host).query("services") }
        #expect(failure?.kind == .authDenied)
        #expect(failure?.description.contains("datong.state/1") == true)
    }

    @Test func aSecretInAStreamsHeadersIsABugAndNotLost() throws {
        let connection = try FakeHost { _ in .text("") }.open(makeEcho(), product: "leaky")
        #expect(#expect(throws: Failure.self) { try connection.endpoint() }?.kind == .bug)
    }

    @Test func theCodeOfWhatTheNetworkDidIsPassedOn() throws {
        let host = FakeHost { _ in .failure(.transient, "E-NET-032 the reply is too large") }
        let failure = #expect(throws: Failure.self) { try connection(host).query("narrow") }
        #expect(failure?.messages.first?.vendorCode == "E-NET-032")
        #expect(failure?.messages.first?.text == "the reply is too large")
    }

    @Test func anAbilityNotOfferedIsNull() {
        #expect(makeEcho().offers("datong.write/1"))
        #expect(!makeEcho().offers("datong.poll/1"))
        #expect(!makeEcho().offers("datong.void/1"))
        #expect(!makeEcho().offers("datong.write/2"))
    }

    @Test(arguments: Failure.Kind.allCases) func everyClassCrossesTheBorder(_ kind: Failure.Kind) throws {
        let outcome = try connection().write("voucher", [FakeRecord(key: "a", ["throw": .string("\(kind)")])])[0]
        // A service's refusal reaches the host as trouble an operator must look at.
        let expected: Failure.Kind = kind == .denied ? .authDenied : kind
        #expect(
            outcome
                == .refused(
                    Failure(
                        expected,
                        messages: [Failure.Message("原因", .vendor, vendorCode: "7"), Failure.Message("cause", .en)],
                        vendorCode: "11", field: "/lines/0/account", existing: "记-1", retryAfterMilliseconds: 1500)))
    }

    @Test func oneBadRecordDoesNotStopTheOthers() throws {
        let outcomes = try connection()
            .write(
                "voucher",
                [
                    FakeRecord(key: "a", [:]), FakeRecord(key: "b", ["throw": "invalidRecord"]),
                    FakeRecord(key: "c", [:]),
                ])
        #expect(outcomes[0] == .applied(Written(number: "a", id: "id", readBack: ["seen": ""])))
        guard case .refused(let failure) = outcomes[1] else { return #expect(Bool(false), "b was not refused") }
        #expect(failure.kind == .invalidRecord)
        #expect(outcomes[2] == .applied(Written(number: "c", id: "id", readBack: ["seen": ""])))
    }

    @Test func connectionTroubleRefusesTheRestWithoutTrying() throws {
        let host = FakeHost { _ in .text("") }
        let outcomes = try connection(host)
            .write("voucher", [FakeRecord(key: "a", ["throw": "unreachable"]), FakeRecord(key: "b", [:])])
        guard case .refused(let failure) = outcomes[1] else { return #expect(Bool(false), "b was not refused") }
        #expect(failure.kind == .unreachable)
        #expect(host.checkpoints.isEmpty)
    }

    @Test func aCheckpointComesBackOnTheNextAttempt() throws {
        let host = FakeHost { _ in .text("") }
        let connection = try connection(host)
        _ = try connection.write("voucher", [FakeRecord(key: "a", [:])])
        let again = try connection.write("voucher", [FakeRecord(key: "a", [:])], attempt: 2)
        #expect(again == [.applied(Written(number: "a", id: "id", readBack: ["seen": "saved a"]))])
    }

    @Test func secretsGoInByPositionAndTextThatLooksLikeOneStaysText() throws {
        let host = FakeHost(secrets: ["key": "K", "token": "T", "password": "p\"w"]) { _ in
            .reply(status: 503, headers: [(name: "X-A", value: "1")], body: [])
        }
        let answer = try connection(host).query("send", ["session": true])
        #expect(answer == ["status": 503, "header": "1"])
        let request = try #require(host.requests.first)
        #expect(request.url == "https://vendor.example.test/a?x=K&y=1")
        #expect(request.header("authorization") == "Bearer T end")
        #expect(request.text == #"{"name":"\"{secret}\"","password":"p\"w"}"#)
        #expect(request.effect == .write)
        #expect(request.http11Only)
        #expect(request.session == "login")
        #expect(request.header("Content-Type") == "application/json")
        #expect(request.insertions.map(\.expression) == ["key", "token", "password | json"])
        #expect(!request.literal.contains("p\"w"))
    }

    @Test func aCookieJarBelongsToWhoAcquiredItsSession() throws {
        let host = FakeHost(secrets: ["key": "K", "token": "T", "password": "p"]) { _ in .text("") }
        let failure = #expect(throws: Failure.self) { try connection(host).query("send") }
        #expect(failure?.kind == .authDenied)
        #expect(host.requests.isEmpty)
    }

    @Test func anUnknownSecretRefusesTheRequest() throws {
        let host = FakeHost { _ in .text("") }
        #expect(throws: Failure.self) { try connection(host).query("send", ["session": true]) }
        #expect(host.requests.isEmpty)
    }

    @Test func servicesAnswer() throws {
        let host = FakeHost(secrets: ["key": "key"], now: 5) { _ in .text("") }
        let connection = try connection(host)
        let answer = try connection.query("services")
        #expect(answer["now"] == 5)
        #expect(answer["random"] == "01020304")
        #expect(answer["exists"] == true)
        #expect(host.state == ["k": [1]])
        #expect(host.log == ["hello"])
        _ = try connection.query("services")
        #expect(host.state == ["k": [1, 1]])
        let sorted = try connection.query("clientSecret")
        #expect(sorted == .string(Hex.encode(Digests.sha256(Array("abkey".utf8)))))
    }

    @Test func aClockThatIsNotAnsweredEndsTheCallAndIsNot1970() throws {
        let host = FakeHost(now: 0) { _ in .text("") }
        let failure = #expect(throws: Failure.self) { try connection(host).query("services") }
        #expect(failure?.kind == .cancelled)
    }

    @Test func probeReadFindAndEventsCarryTheirFields() throws {
        let host = FakeHost(secrets: ["s": "x"]) { _ in .text("") }
        let connection = try connection(host)
        #expect(try host.describe(makeEcho()) == ["id": "echo", "version": "1.0.0", "products": []])
        #expect(
            try connection.probe()
                == [
                    "vendor": "line", "version": "Asia/Shanghai", "fingerprint": "probe",
                    "checks": [["id": "secrets", "ok": true, "zh": "有", "en": "s"]],
                ])
        let page = try connection.read("approval", cursor: [0x63], since: 7)
        #expect(page.records.map(\.id) == ["hinted", "gone"])
        #expect(page.records.map(\.isDeleted) == [false, true])
        #expect(page.next == Array("c7".utf8))
        #expect(page.more)
        #expect(try connection.read("approval", ids: []).records.isEmpty)
        #expect(try connection.read("approval", ids: ["a"]).records.first?.document == ["id": "a"])
        #expect(try connection.find("voucher", key: "absent").isEmpty)
        let found = try connection.find("voucher", key: "k", sent: ["a": "1.50"])
        #expect(found == [Written(number: "k"), Written(number: "second", readBack: ["a": "1.50"])])
        let events = try connection.frame([9])
        #expect(events.hints == [Hint(document: "approval", id: "1", eventID: "e", kind: "k", message: ["m": 1])])
        #expect(events.sentNow == [[9]])
        #expect(events.sentAfterDurable == [[1]])
        #expect(events.reconnects == ["soon"])
        let endpoint = try connection.endpoint()
        #expect(endpoint.url == "wss://vendor.example.test/s")
        #expect(endpoint.headers == [HTTPRequest.Header("a", "b")])
        let hook = try connection.receive(path: "p", headers: [(name: "x-id", value: "7")], body: [1, 2])
        #expect(hook.hints == [Hint(document: "p", id: "7")])
        #expect(hook.answers.first?.body == [1, 2])
        #expect(try connection.identify("u") == ["user": "u"])
    }
}

@Suite struct SessionTests {
    @Test func aRefusedLogInIsNotRepeatedAndTheNextCallerIsRefusedAtOnce() throws {
        let host = FakeHost { _ in .text("", status: 401) }
        let connection = try host.open(makeEcho())
        for _ in 0..<2 {
            let failure = #expect(throws: Failure.self) { try connection.query("session") }
            #expect(failure?.kind == .authDenied)
        }
        #expect(host.requests.count == 1)
    }

    @Test func aSecondRefusalAfterANewLogInIsThrown() throws {
        let host = FakeHost { $0.path == "/login" ? .text("t") : .text("", status: 401) }
        let failure = #expect(throws: Failure.self) { try host.open(makeEcho()).query("session") }
        #expect(failure?.kind == .authExpired)
        #expect(host.requests.map(\.path) == ["/login", "/work", "/login", "/work"])
    }

    @Test func aLostSessionCostsOneLogInAndOneRepeat() throws {
        let logIns = Mutex(0)
        let host = FakeHost { request in
            if request.path == "/login" {
                return .text(
                    logIns.withLock {
                        $0 += 1
                        return "t\($0)"
                    })
            }
            // The vendor has forgotten the first one.
            return request.header("token") == "t2" ? .text("done") : .text("", status: 401)
        }
        let connection = try host.open(makeEcho())
        #expect(try connection.query("session") == "done")
        #expect(try connection.query("session") == "done")
        #expect(host.requests.map(\.path) == ["/login", "/work", "/login", "/work", "/work"])
    }
}

@Suite struct CrowdTests {
    @Test func atMostAsManyCallsAreInsideASessionAsTheVendorBears() throws {
        let inside = Gauge()
        let host = FakeHost { _ in
            inside.enter()
            sched_yield()
            inside.leave()
            return .text("done")
        }
        let connection = try host.open(makeEcho())
        let failures = onThreads(16) {
            if try connection.query("narrow") != "done" { throw Failure.bug(zh: "不对", en: "wrong") }
        }
        #expect(failures == 0)
        #expect(host.requests.count == 16)
        #expect(inside.most <= 2)
        #expect(host.logInCount == 1)
    }
}

/// Counts who is inside at once.
final class Gauge: Sendable {
    private let inside = Mutex((now: 0, most: 0))

    func enter() {
        inside.withLock {
            $0.now += 1
            $0.most = max($0.most, $0.now)
        }
    }
    func leave() { inside.withLock { $0.now -= 1 } }
    var most: Int { inside.withLock { $0.most } }
}
