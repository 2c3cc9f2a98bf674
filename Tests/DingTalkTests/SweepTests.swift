import DingTalk
import PluginKit
import PluginKitTesting
import Testing
import Values

@Suite struct SweepTests {
    private static let day: Int64 = 86_400_000
    private static let now: Int64 = 1_767_225_600_000

    private func list(_ ids: [String], next: JSON = nil) -> FakeAnswer {
        .json(["success": true, "result": ["list": .array(ids.map { .string($0) }), "nextToken": next]])
    }

    private func asked(_ host: FakeHost) -> [JSON] {
        host.requests.filter { FakeDingTalk.operation(of: $0) == "list" }.compactMap(\.json)
    }

    @Test(arguments: [JSON.object([:]), ["template": []], ["template": ""], ["template": nil]])
    func withoutATemplateNothingCanBeListed(_ filter: JSON) throws {
        let vendor = FakeDingTalk()
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(vendor)).read("approval", filter: filter)
        }
        #expect(failure?.kind == .unsupported)
        #expect(vendor.history.isEmpty)
    }

    @Test(arguments: [
        JSON.object([:]), ["success": true, "result": []], ["success": false, "result": ["list": []]],
        ["success": "false", "result": ["list": []]],
    ])
    func aListWithoutAResultIsDrift(_ answer: JSON) throws {
        let vendor = FakeDingTalk()
        vendor.always("list", .json(answer))
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(vendor)).read("approval", filter: ["template": ["PROC-A"]])
        }
        #expect(failure?.kind == .schemaDrift)
    }

    @Test func aTokenThatStandsStillIsDriftAndNoEndlessSweep() throws {
        let vendor = FakeDingTalk()
        vendor.always("list", list(["pi-1"], next: "20"))
        let connection = try Sample.connection(Sample.host(vendor))
        let first = try connection.read("approval", filter: ["template": ["PROC-A"]], since: Self.now - Self.day)
        let failure = #expect(throws: Failure.self) {
            try connection.read(
                "approval", filter: ["template": ["PROC-A"]], cursor: first.next ?? [], since: Self.now - Self.day)
        }
        #expect(failure?.kind == .schemaDrift)
    }

    @Test func pagesFollowTheTokenThatComesAsTextAndGoesAsNumber() throws {
        let vendor = FakeDingTalk()
        vendor.script("list", list(["pi-1", "pi-2"], next: "20"), list(["pi-3"], next: ""))
        let host = Sample.host(vendor)
        let connection = try Sample.connection(host)
        let filter: JSON = ["template": ["PROC-A"]]
        let first = try connection.read("approval", filter: filter, since: Self.now - 45 * Self.day)
        #expect(first.records.map(\.id) == ["pi-1", "pi-2"])
        #expect(first.records.allSatisfy { $0.document == ["template": "PROC-A"] && !$0.isDeleted })
        #expect(first.more)
        // The clock goes on; the sweep keeps to the end it began with.
        host.now += 3_600_000
        let second = try connection.read(
            "approval", filter: filter, cursor: try #require(first.next), since: Self.now - 45 * Self.day)
        #expect(second.records.map(\.id) == ["pi-3"])
        #expect(!second.more)
        #expect(second.next == [])
        let begin = JSONNumber(Self.now - 45 * Self.day)
        func body(_ token: Int64) -> JSON {
            [
                "processCode": "PROC-A", "startTime": .number(begin), "endTime": .number(JSONNumber(Self.now)),
                "nextToken": .number(JSONNumber(token)), "maxResults": 20, "statuses": ["COMPLETED", "TERMINATED"],
            ]
        }
        #expect(asked(host) == [body(0), body(20)])
    }

    @Test(arguments: [JSON.null, "", "null"]) func theLastPageHasNoToken(_ last: JSON) throws {
        let vendor = FakeDingTalk()
        vendor.always("list", list([], next: last))
        let page = try Sample.connection(Sample.host(vendor)).read(
            "approval", filter: ["template": "PROC-A"], since: Self.now - Self.day)
        #expect(!page.more && page.next == [])
    }

    @Test func aPageIsNeverLargerThanAskedFor() throws {
        let host = Sample.host(FakeDingTalk())
        _ = try Sample.connection(host).read("approval", filter: ["template": ["PROC-A"]], maximumRecords: 7)
        #expect(asked(host).first?["maxResults"] == 7)
    }

    /// Sweeps to the end; what was asked for.
    private func sweep(_ filter: JSON, since: Int64?, _ vendor: FakeDingTalk = FakeDingTalk()) throws -> [JSON] {
        let host = Sample.host(vendor)
        let connection = try Sample.connection(host)
        var cursor: [UInt8] = []
        for _ in 0..<50 {
            let page = try connection.read("approval", filter: filter, cursor: cursor, since: since)
            guard page.more else { return asked(host) }
            cursor = try #require(page.next)
        }
        Issue.record("the sweep does not end")
        return []
    }

    @Test func aLongLookBackIsCutIntoWindowsWithoutAGap() throws {
        let bodies = try sweep(["template": ["PROC-A"]], since: Self.now - 300 * Self.day)
        let starts = bodies.compactMap { $0["startTime"]?.int }
        let ends = bodies.compactMap { $0["endTime"]?.int }
        #expect(starts.first == Self.now - 300 * Self.day)
        #expect(ends.last == Self.now)
        #expect(Array(starts.dropFirst()) == Array(ends.dropLast()))
        #expect(zip(starts, ends).allSatisfy { $1 - $0 <= 120 * Self.day && $0 < $1 })
        #expect(starts.count == 3)
    }

    @Test(arguments: [nil, 0, 1_600_000_000_000] as [Int64?])
    func nothingOlderThanAYearIsAskedFor(_ since: Int64?) throws {
        let bodies = try sweep(["template": ["PROC-A"]], since: since)
        #expect(bodies.first?["startTime"]?.int == Self.now - 364 * Self.day)
        #expect(bodies.count == 4)
    }

    @Test func everyTemplateIsSweptFromTheBeginning() throws {
        let since = Self.now - 150 * Self.day
        let bodies = try sweep(["template": ["PROC-A", "PROC-B"]], since: since)
        #expect(bodies.compactMap { $0["processCode"]?.string } == ["PROC-A", "PROC-A", "PROC-B", "PROC-B"])
        #expect(
            bodies.compactMap { $0["startTime"]?.int } == [
                since, since + 119 * Self.day, since, since + 119 * Self.day,
            ])
    }

    @Test func aWindowThatHoldsMoreThanAQueryGivesIsCut() throws {
        let vendor = FakeDingTalk()
        vendor.script("list", list(["pi-1"], next: "9980"), list(["pi-2"], next: "10000"))
        let since = Self.now - 10 * Self.day
        let bodies = try sweep(["template": ["PROC-A"]], since: since, vendor)
        #expect(bodies.compactMap { $0["nextToken"]?.int } == [0, 9980, 0, 0])
        #expect(bodies.compactMap { $0["startTime"]?.int } == [since, since, since, since + 5 * Self.day + 1])
        #expect(bodies.compactMap { $0["endTime"]?.int } == [Self.now, Self.now, since + 5 * Self.day + 1, Self.now])
    }

    @Test func aWindowThatIsFullWithoutSayingSoIsCutAsWell() throws {
        let vendor = FakeDingTalk()
        vendor.script(
            "list", list((0..<9_990).map { "pi-\($0)" }, next: "9980"), list((9_990..<10_000).map { "pi-\($0)" }))
        let since = Self.now - 10 * Self.day
        let bodies = try sweep(["template": ["PROC-A"]], since: since, vendor)
        #expect(bodies.compactMap { $0["nextToken"]?.int } == [0, 9980, 0, 0])
        #expect(bodies.compactMap { $0["endTime"]?.int } == [Self.now, Self.now, since + 5 * Self.day + 1, Self.now])
    }

    @Test func aTokenThatIsNoCountDoesNotCutAnything() throws {
        let vendor = FakeDingTalk()
        vendor.script("list", list(["pi-1"], next: "1767225600000"), list(["pi-2"]))
        let bodies = try sweep(["template": ["PROC-A"]], since: Self.now - 10 * Self.day, vendor)
        #expect(bodies.compactMap { $0["nextToken"]?.int } == [0, 1_767_225_600_000])
    }

    @Test func aCursorThatCannotBeGoneOnFromBeginsAnew() throws {
        let vendor = FakeDingTalk()
        vendor.script("list", list(["pi-1"], next: "20"))
        let host = Sample.host(vendor)
        let connection = try Sample.connection(host)
        let filter: JSON = ["template": ["PROC-A"]]
        let first = try connection.read("approval", filter: filter, since: 0)
        _ = try connection.read("approval", filter: filter, cursor: Array("another version".utf8), since: 0)
        let far = #"{"t":"0","f":"9223372036854775806","u":"9223372036854775807","w":"1","n":"20"}"#
        let counted =
            #"{"t":"0","f":"\#(host.now - Self.day)","u":"\#(host.now)","w":"9","n":"20","g":"9223372036854775807"}"#
        _ = try connection.read("approval", filter: filter, cursor: Array(far.utf8), since: 0)
        // A count that cannot be is no reason to fall over.
        _ = try connection.read("approval", filter: filter, cursor: Array(counted.utf8), since: 0)
        // Paused for days: the vendor would refuse the window.
        host.now += 3 * Self.day
        _ = try connection.read("approval", filter: filter, cursor: try #require(first.next), since: 0)
        #expect(asked(host).compactMap { $0["nextToken"]?.int } == [0, 0, 0, 20, 0])
        #expect(asked(host).last?["startTime"]?.int == host.now - 364 * Self.day)
    }

    @Test func nothingIsListedBetweenNowAndNow() throws {
        let vendor = FakeDingTalk()
        let page = try Sample.connection(Sample.host(vendor)).read(
            "approval", filter: ["template": ["PROC-A"]], since: Self.now + Self.day)
        #expect(!page.more && page.next == [])
        #expect(vendor.history.isEmpty)
    }
}
