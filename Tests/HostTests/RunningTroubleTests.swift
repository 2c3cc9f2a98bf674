import Engine
import Ledger
import Testing
import Values

@testable import Host

@Suite("Documents nobody can read, and comments over restarts")
struct RunningTroubleTests {
    private func unreadable(_ host: Rehearsal, _ document: String, at: Int64 = .max) -> Conductor.Message {
        let actor = host.actor
        return .unreadable(
            stream: host.flow.stream, Conductor.Hinted(document: document, known: ""), cause: Words.sourceGone, at: at
        ) { actor.note("ack") }
    }

    // MARK: documents that cannot be read

    @Test("it is held once with its reason and counted; a retry reads it again, and what comes takes its place")
    func vanished() throws {
        let host = try Rehearsal()
        let stream = host.flow.stream
        host.round(.hints(stream: stream, [.init(document: "a", known: "")], cursor: nil) {})
        host.round(unreadable(host, "a"), unreadable(host, "a"))
        #expect(host.actor.log.order == ["ack", "ack"])
        #expect(try host.states() == [.held(.mapping)])
        #expect(try JSON.parse(try #require(try host.items().first?.detail))["code"] == "E-SOURCE-GONE")
        #expect(try host.counts(host.flow.id) == [.held: 1])
        try host.restart()
        #expect(host.actor.log.fetched.isEmpty, "the hint is answered")
        _ = host.ask(.retry([1], actor: "li"))
        #expect(host.actor.log.fetched == ["a"])
        #expect(try host.states() == [.held(.mapping)])
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.applied(try host.delivery))
        #expect(try host.states() == [.skipped(.superseded), .done])
    }

    @Test("the retry's question outlives the process")
    func retryDurable() throws {
        let host = try Rehearsal()
        host.round(unreadable(host, "a"))
        _ = host.ask(.retry([1], actor: "li"))
        try host.restart()
        #expect(host.actor.log.fetched == ["a"])
    }

    @Test("one that is in the books already and cannot be read now is no changed document when it can be again")
    func unreadableBetween() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.applied(try host.delivery))
        host.round(unreadable(host, "a"))
        host.round(host.received(Rehearsal.claim("a")))
        #expect(try host.states() == [.done])
        // A real change is still one.
        host.round(unreadable(host, "a"))
        host.round(host.received(Rehearsal.claim("a", amount: "5.00")))
        #expect(try host.states() == [.done, .held(.changedAfterEffect)])
    }

    @Test("one whose readable form waits to be sent is held instead: nobody knows what it says now")
    func unreadableBeforeSent() throws {
        let host = try Rehearsal()
        _ = host.ask(.pauseFlow(host.flow.id, true, why: "", actor: "li"))
        host.round(host.received(Rehearsal.claim("a")))
        host.round(unreadable(host, "a"))
        _ = host.ask(.pauseFlow(host.flow.id, false, why: "", actor: "li"))
        #expect(try host.states() == [.skipped(.superseded), .held(.mapping)])
        #expect(host.actor.log.deliveries.isEmpty)
    }

    // MARK: comments

    @Test("a comment not sent yet goes after a restart with the same words, once")
    func commentWaits() throws {
        let host = try Rehearsal(Rehearsal.sample("write_back: comment\n"))
        let back = try #require(host.flow.writeBack)
        host.round(.lane(back.lane, .stopped(nil)))
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.applied(try host.delivery, number: "记-17"))
        #expect(host.actor.log.deliveries.count == 1)
        try host.restart()
        try host.restart()
        host.round(.lane(back.lane, nil))
        let comment = try host.delivery
        #expect(host.actor.log.deliveries.count == 1)
        #expect(try JSON.parse(comment.bytes)["text"]?.string?.contains("记-17") == true)
        host.round(Rehearsal.applied(comment, number: "c-1"))
        try host.restart()
        #expect(host.actor.log.deliveries.isEmpty)
        #expect(try host.counts(back.flow) == [.done: 1])
    }

    @Test("a comment on its way when the process dies is not said twice, and the one behind it is said")
    func commentOnItsWay() throws {
        let host = try Rehearsal(Rehearsal.sample("write_back: comment\n"))
        let back = try #require(host.flow.writeBack)
        host.round(host.received(Rehearsal.claim("a"), Rehearsal.claim("b")))
        for _ in 1...2 {
            let voucher = try #require(host.actor.log.deliveries.last { $0.flow == host.flow.id })
            host.round(Rehearsal.applied(voucher))
        }
        let said = host.actor.log.deliveries.filter { $0.flow == back.flow }
        #expect(said.count == 1)
        try host.restart()
        host.later(HostLimits.commitHorizonMs)
        host.later(HostLimits.commitHorizonMs)
        #expect(host.actor.log.deliveries.count == 1)
        #expect(try host.delivery.key != said.first?.key)
        #expect(try host.counts(back.flow) == [.held: 1, .pending: 1])
    }

    // MARK: the horizon

    @Test("the commit horizon is shortened in a practice workspace only")
    func horizon() throws {
        func horizon(_ sample: Sample) throws -> Int64? {
            var builder = try Rehearsal.builder(sample, revision: 1, epoch: 1, names: [:])
            let plan = try builder.build()
            return plan.lanes.values.first { $0.document == "voucher" }?.rules.commitHorizon
        }
        func sample(_ practice: Bool, _ chosen: String) -> Sample {
            let sample = Rehearsal.sample().replacing("datong.yaml", "practice: true", "practice: \(practice)")
            return sample.with(
                "connections/books.yaml",
                (sample.files["connections/books.yaml"] ?? "") + "commit_horizon: \(chosen)\n")
        }
        #expect(try horizon(sample(true, "1s")) == 1_000)
        #expect(try horizon(sample(false, "1s")) == HostLimits.commitHorizonMs)
        #expect(try horizon(sample(false, "2d")) == 172_800_000)
    }
}

@Suite("Fetches and pauses of a source, without a clock")
struct RunningFetchTests {
    private func hint(_ document: String, _ known: String = "") -> Conductor.Hinted {
        Conductor.Hinted(document: document, known: known)
    }

    @Test("a hint that comes while the document is fetched is not lost: it is fetched again")
    func hintMeanwhile() throws {
        var queue = FetchQueue()
        queue.add(hint("a"))
        let entry = try #require(queue.take(0, atMost: 5).first)
        queue.add(hint("a", "{}"))
        #expect(queue.isEmpty)
        queue.finish(entry)
        #expect(queue.take(0, atMost: 5).map(\.hint) == [hint("a", "{}")])
    }

    @Test("one document asked for several times is fetched once")
    func once() {
        var queue = FetchQueue()
        for _ in 1...3 { queue.add(hint("a")) }
        #expect(queue.take(0, atMost: 5).count == 1)
        #expect(queue.isEmpty)
    }

    @Test("what failed is asked for later, alone, and takes nothing else along")
    func alone() throws {
        var queue = FetchQueue()
        for name in ["a", "b", "c"] { queue.add(hint(name)) }
        let taken = queue.take(0, atMost: 2)
        #expect(taken.map(\.hint.document) == ["a", "b"])
        for entry in taken { queue.putBack(entry, spends: true, 0) }
        #expect(queue.take(0, atMost: 5).map(\.hint.document) == ["c"])
        #expect(queue.take(HostLimits.firstRetryMs - 1, atMost: 5).isEmpty)
        let again = queue.take(HostLimits.firstRetryMs, atMost: 5)
        #expect(again.map(\.hint.document) == ["a"])
        #expect(again.map(\.attempts) == [1])
        #expect(queue.take(HostLimits.firstRetryMs, atMost: 5).map(\.hint.document) == ["b"])
    }

    @Test("trouble of the connection spends no attempt of a document")
    func spendsNothing() throws {
        var queue = FetchQueue()
        queue.add(hint("a"))
        queue.putBack(try #require(queue.take(0, atMost: 1).first), spends: false, 0)
        #expect(queue.take(0, atMost: 1).map(\.attempts) == [0])
    }

    @Test("wrong credentials stop a source until a person acts, whatever the vendor says of time")
    func denied() {
        #expect(SourcePause(.authDenied, retryAfter: 5, after: nil, now: 100).until == .max)
    }

    @Test("a spent allowance and a rate limit wait as long as the vendor says, or their own time")
    func waits() {
        #expect(SourcePause(.quotaSpent, retryAfter: 9_000, after: nil, now: 100).until == 9_100)
        #expect(SourcePause(.quotaSpent, retryAfter: nil, after: nil, now: 100).until == 100 + EngineLimits.quotaPause)
        #expect(SourcePause(.throttled, retryAfter: 70_000, after: nil, now: 100).until == 70_100)
        #expect(
            SourcePause(.throttled, retryAfter: nil, after: nil, now: 100).until == 100 + EngineLimits.throttledPause)
    }

    @Test("an unreachable source is asked again after twice the time, up to a bound")
    func backOff() {
        var pause: SourcePause?
        var waits: [Int64] = []
        for _ in 1...20 {
            let next = SourcePause(.unreachable, retryAfter: nil, after: pause, now: 0)
            waits.append(next.until)
            pause = next
        }
        #expect(waits[0] == HostLimits.firstRetryMs)
        #expect(waits[1] == 2 * HostLimits.firstRetryMs)
        #expect(waits.last == HostLimits.longestRetryMs)
    }
}
