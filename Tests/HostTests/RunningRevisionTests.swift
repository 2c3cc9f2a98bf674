import Engine
import Ledger
import Testing
import Values
import Workers

@testable import Host

@Suite("Flows, connections and books change under documents in flight")
struct RunningRevisionTests {
    /// The same workspace with the target leading to another company.
    private static let otherBooks = Rehearsal.sample().replacing("connections/books.yaml", "\"7\"", "\"8\"")
    private static let withoutFlow = Rehearsal.sample().with("flows/claims.yaml", nil)
    private static let otherAccount = Rehearsal.sample().replacing("tables/accounts.csv", "6602.01", "6602.99")

    /// The flow goes to another connection from here on; the old one stays.
    private static func moved(_ account: String = "6602.99") -> Sample {
        let sample = Rehearsal.sample().replacing("tables/accounts.csv", "6602.01", account)
        let books = (sample.files["connections/books.yaml"] ?? "")
        return sample.with(
            "connections/archive.yaml",
            books.replacing("connection: books", with: "connection: archive").replacing("\"7\"", with: "\"9\"")
        ).replacing("flows/claims.yaml", "{ connection: books,", "{ connection: archive,")
    }

    private func text(_ delivery: Conductor.Delivery) -> String { String(decoding: delivery.bytes, as: UTF8.self) }

    private func connection(_ host: Rehearsal, _ delivery: Conductor.Delivery) -> String? {
        host.plan.lanes[delivery.lane]?.connection
    }

    private func pause(_ host: Rehearsal, _ paused: Bool) {
        _ = host.ask(.pauseFlow(host.flow.id, paused, why: "", actor: "li"))
    }

    // MARK: other books

    /// How the other books came into force.
    enum Road: CaseIterable {
        case applied, whileNoProcessRan, appliedThenKilled
    }

    @Test(
        "an unknown outcome is not looked for in other books, however they came into force",
        arguments: [true, false], Road.allCases)
    func otherBooks(answered: Bool, road: Road) throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let sent = try host.delivery
        if answered { host.round(Rehearsal.failed(sent, .transient, arrived: true)) }
        if road == .whileNoProcessRan { try host.restart(Self.otherBooks) } else { try host.apply(Self.otherBooks) }
        if road == .appliedThenKilled { try host.restart() }
        if !answered && road == .applied { host.round(Rehearsal.failed(sent, .transient, arrived: true)) }
        #expect(try host.states() == [.held(.otherBooks)])
        #expect(try JSON.parse(try #require(try host.items().first?.detail))["code"] == "E-TARGET-CHANGED")
        let deliveries = host.actor.log.deliveries.count
        // Nobody looks there by mistake either, and it cannot be left out: it may be in the former books.
        #expect(host.ask(.retry([1], actor: "li")).json?["retried"] == 0)
        #expect(host.ask(.skip(1, why: "x", actor: "li")).code == "E-HOST-003")
        host.later(HostLimits.commitHorizonMs)
        host.later(HostLimits.commitHorizonMs)
        #expect(host.actor.log.finds.isEmpty)
        #expect(host.actor.log.deliveries.count == deliveries)
        #expect(host.ask(.resolve(1, number: "记-1", why: "looked", actor: "li")).json?["state"] == "done")
    }

    @Test("a clear answer that comes after the books changed counts as ever")
    func clearAnswer() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let sent = try host.delivery
        try host.apply(Self.otherBooks)
        host.round(Rehearsal.applied(sent))
        #expect(try host.states() == [.done])
        // What is sent to the new books is looked for there.
        host.round(host.received(Rehearsal.claim("b")))
        host.round(Rehearsal.failed(try host.delivery, .transient, arrived: true))
        host.later(EngineLimits.firstLookAfter)
        #expect(host.actor.log.finds.count == 1)
    }

    // MARK: a flow goes and comes back

    @Test("a flow that is gone: what is on its way is settled or looked up, what was never sent stays")
    func gone() throws {
        let host = try Rehearsal()
        let flow = host.flow.id
        host.round(host.received(Rehearsal.claim("a"), Rehearsal.claim("b"), Rehearsal.claim("c")))
        host.round(Rehearsal.failed(try host.delivery, .transient, arrived: true))
        let second = try host.delivery
        try host.apply(Self.withoutFlow)
        host.round(Rehearsal.applied(second))
        #expect(host.actor.log.deliveries.count == 2, "c was never sent and is nobody's now")
        host.later(EngineLimits.firstLookAfter)
        host.round(
            .found(
                try #require(host.actor.log.finds.last), .found(count: 1),
                Written(number: "记-1", id: "1", readBack: []), detail: nil))
        #expect(try host.states() == [.done, .done, .ready])
        #expect(try host.counts(flow) == [.done: 2, .pending: 1])
        try host.restart()
        #expect(try host.states() == [.done, .done, .ready])
        #expect(host.actor.log.deliveries.isEmpty)
    }

    @Test("a flow that comes back maps anew what was never sent", arguments: [true, false])
    func back(restarted: Bool) throws {
        let host = try Rehearsal()
        pause(host, true)
        host.round(host.received(Rehearsal.claim("a")))
        pause(host, false)
        host.round(Rehearsal.failed(try host.delivery, .transient))
        host.round(host.received(Rehearsal.claim("b"), Rehearsal.claim("c")))
        let sent = host.actor.log.deliveries.count
        let before = try host.delivery
        try host.apply(Self.withoutFlow)
        host.round(Rehearsal.applied(before))
        #expect(host.actor.log.deliveries.count == sent)
        if restarted { try host.restart() }
        try host.apply(Self.otherAccount)
        let next = try host.delivery
        #expect(next.item == 3)
        #expect(text(next).contains("6602.99"))
        #expect(try host.items().last?.item.revision == 3)
    }

    // MARK: another target

    @Test("what was never sent goes to the flow's new connection, mapped for it, and once")
    func newTarget() throws {
        let host = try Rehearsal()
        pause(host, true)
        host.round(host.received(Rehearsal.claim("a")))
        let key = try host.items().first?.key
        try host.apply(Self.moved())
        #expect(host.actor.log.deliveries.isEmpty)
        pause(host, false)
        let delivery = try host.delivery
        #expect(connection(host, delivery) == "archive")
        #expect(text(delivery).contains("6602.99"))
        #expect(delivery.key == key)
        host.round(Rehearsal.applied(delivery))
        #expect(try host.states() == [.skipped(.superseded), .done])
        try host.restart()
        #expect(host.actor.log.deliveries.isEmpty)
    }

    @Test("so does what the old target clearly refused, once a person retries it")
    func refusedThenNewTarget() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.failed(try host.delivery, .invalidRecord, arrived: true))
        try host.apply(Self.moved())
        #expect(host.ask(.retry([1], actor: "li")).json?["retried"] == 1)
        #expect(host.actor.log.deliveries.count == 2)
        #expect(connection(host, try host.delivery) == "archive")
        #expect(text(try host.delivery).contains("6602.99"))
    }

    @Test("what waits for its next try keeps target, bytes and settings together")
    func retryingKeepsItsTarget() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let first = try host.delivery
        host.round(Rehearsal.failed(first, .transient))
        try host.apply(Self.moved().replacing("flows/claims.yaml", "finish: save", "finish: submit"))
        try host.restart()
        host.later(ConfigurationLimits.standardLadder[0])
        let again = try host.delivery
        #expect(again.attempt == 2)
        #expect(connection(host, again) == "books")
        #expect((again.bytes, again.settings, again.key) == (first.bytes, first.settings, first.key))
    }

    @Test("a document whose tries are spent goes, when retried, where its bytes were made for")
    func spentKeepsItsTarget() throws {
        let host = try Rehearsal(Rehearsal.sample("retry: { ladder: [1s] }\n"))
        host.round(host.received(Rehearsal.claim("a")))
        let first = try host.delivery
        host.round(Rehearsal.failed(first, .transient))
        host.later(1_000)
        host.round(Rehearsal.failed(try host.delivery, .transient))
        #expect(try host.states() == [.held(.triesSpent(.transient))])
        try host.apply(Self.moved())
        #expect(host.ask(.retry([1], actor: "li")).json?["retried"] == 1)
        let again = try host.delivery
        #expect(again.attempt == 3)
        #expect(connection(host, again) == "books")
        #expect((again.bytes, again.settings) == (first.bytes, first.settings))
    }

    @Test("new settings go with the new bytes, old ones with the old")
    func settings() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let first = try host.delivery
        host.round(Rehearsal.failed(first, .invalidRecord, arrived: true))
        host.round(host.received(Rehearsal.claim("b")))
        let second = try host.delivery
        host.round(Rehearsal.failed(second, .transient))
        try host.apply(Self.otherAccount.replacing("flows/claims.yaml", "finish: save", "finish: submit"))
        host.later(ConfigurationLimits.standardLadder[0])
        let again = try host.delivery
        #expect((again.item, again.bytes, again.settings) == (second.item, second.bytes, second.settings))
        host.round(Rehearsal.applied(again))
        _ = host.ask(.retry([first.item], actor: "li"))
        let anew = try host.delivery
        #expect(anew.item == first.item)
        #expect(text(anew).contains("6602.99"))
        #expect(String(decoding: anew.settings, as: UTF8.self).contains("submit"))
    }

    // MARK: another road

    /// The source connection under another name: the same tenant behind it.
    private static let renamedSource: Sample = {
        let sample = Rehearsal.sample()
        let office = sample.files["connections/office.yaml"] ?? ""
        return sample.with("connections/office.yaml", nil)
            .with("connections/portal.yaml", office.replacing("connection: office", with: "connection: portal"))
            .replacing("flows/claims.yaml", "from: { connection: office", "from: { connection: portal")
            .replacing("flows/claims.yaml", "master: office", "master: portal")
    }()

    @Test("the same document from a source connection under a new name is the same effect")
    func renamed() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a"), Rehearsal.claim("b")))
        let first = try host.delivery
        host.round(Rehearsal.applied(first))
        try host.apply(Self.renamedSource)
        host.round(host.received(Rehearsal.claim("a"), Rehearsal.claim("b")))
        #expect(host.actor.log.deliveries.count == 2)
        #expect(try host.states().filter { $0 == .skipped(.duplicate) }.count == 2)
        host.round(Rehearsal.applied(try host.delivery))
        #expect(try host.counts(host.flow.id) == [.done: 2, .skipped: 2])
    }

    @Test("a flow that is new on a stream takes what the stream has, once, over restarts and events")
    func replayed() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a"), Rehearsal.claim("b", result: "refuse")))
        host.round(Rehearsal.applied(try host.delivery))
        let sample = Rehearsal.sample()
        let second = (sample.files["flows/claims.yaml"] ?? "")
            .replacing("flow: claims", with: "flow: copies").replacing("8c1d01", with: "8c1d02")
        try host.apply(sample.with("flows/copies.yaml", second))
        #expect(host.actor.log.deliveries.map(\.flow).count == 2)
        #expect(Set(host.actor.log.deliveries.map(\.key)).count == 2)
        host.round(Rehearsal.applied(try host.delivery, number: "记-2"))
        host.round(host.received(Rehearsal.claim("a"), Rehearsal.claim("b", result: "refuse")))
        try host.restart()
        host.round(host.received(Rehearsal.claim("a")))
        #expect(host.actor.log.deliveries.isEmpty)
        #expect(try host.items().count == 4)
    }

    @Test("taking them in again after a process died in the middle of it brings nothing twice")
    func replayedTwice() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a"), Rehearsal.claim("b")))
        host.round(Rehearsal.applied(try host.delivery))
        let before = try host.states().map(\.seen)
        host.round(.commit([.state(connection: "@host", key: "replayed \(host.flow.id)", bytes: [])]) {})
        try host.restart()
        #expect(try host.states().map(\.seen).count == before.count)
        #expect(try host.items().map(\.document) == ["a", "b"])
    }

    @Test("what a mapping left out is taken in once as well")
    func replayedLeftOut() throws {
        let rule = "skip: [{ when: { path: title, equals: 借款 }, rule: 借款 }]\ndocument:\n"
        let host = try Rehearsal(Rehearsal.sample().replacing("mappings/claims.yaml", "document:\n", rule))
        host.round(host.received(Rehearsal.claim("a", title: "借款")))
        #expect(try host.states() == [.skipped(.mapping)])
        try host.restart()
        #expect(try host.states() == [.skipped(.mapping)])
    }

    // MARK: late answers

    @Test("a look-up answered after a person has decided changes nothing", arguments: [true, false])
    func lateFind(polled: Bool) throws {
        let host = try Rehearsal(Rehearsal.sample("write_back: comment\n"))
        host.round(host.received(Rehearsal.claim("a")))
        let sent = try host.delivery
        let late = Written(number: "记-3", id: "3", readBack: [])
        if polled {
            host.round(
                .delivered(
                    sent, Conductor.Answer(outcome: .atVendor(.accepted, pollAfter: 500), detail: nil, token: [9])))
        } else {
            host.round(Rehearsal.failed(sent, .transient, arrived: true))
        }
        host.later(EngineLimits.firstLookAfter)
        #expect(host.ask(.resolve(1, number: "记-9", why: "seen", actor: "li")).json?["state"] == "done")
        let comments = host.actor.log.deliveries.count
        if polled {
            host.round(.polled(sent, Conductor.Answer(outcome: .applied, detail: nil, written: late)))
        } else {
            host.round(.found(sent, .found(count: 1), late, detail: nil))
        }
        #expect(try host.items().first?.targetNumber == "记-9")
        #expect(host.actor.log.deliveries.count == comments)
    }

    @Test("an answer of another writer generation brings no number")
    func otherGeneration() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        var stale = try host.delivery
        stale.epoch = 0
        host.round(Rehearsal.applied(stale, number: "记-0"))
        #expect(try host.states() == [.delivering(epoch: 1)])
        #expect(try host.items().first?.targetNumber == nil)
    }

    // MARK: corrections

    @Test("a correction of what the target refused takes its place, also after a restart", arguments: [true, false])
    func correction(restarted: Bool) throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let first = try host.delivery
        host.round(Rehearsal.failed(first, .invalidRecord, arrived: true))
        if restarted { try host.restart() }
        host.round(host.received(Rehearsal.claim("a", amount: "5.00")))
        let next = try host.delivery
        #expect(next.key == first.key)
        #expect(text(next).contains("5.00"))
        host.round(Rehearsal.applied(next))
        #expect(try host.states() == [.skipped(.superseded), .done])
    }

    @Test("a correction of what stands half at the target waits for a person")
    func correctionOfHalf() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let first = try host.delivery
        host.round(.commit([.checkpoint(first.item, bytes: [1])]) {})
        host.round(Rehearsal.failed(first, .invalidRecord, arrived: true))
        host.round(host.received(Rehearsal.claim("a", amount: "5.00")))
        #expect(try host.states() == [.held(.refused(.invalidRecord)), .held(.changedAfterEffect)])
        #expect(host.actor.log.deliveries.count == 1)
    }
}
