import Engine
import Foundation
import Ledger
import Synchronization
import Testing
import Values
import Workers

@testable import Host

@Suite("The conductor: one effect per document, durable before anything else")
struct RunningConductorTests {
    // MARK: failures

    @Test("a dead ledger: nobody is acknowledged, nothing is delivered, and it stays that way")
    func ledgerDies() throws {
        let host = try Rehearsal()
        host.sealer.fail(true)
        #expect(host.round(host.received(Rehearsal.claim("a"))) == false)
        #expect(host.actor.log.order == ["died"])
        #expect(host.actor.log.deaths.map(\.code) == ["E-LEDGER-003"])
        host.sealer.fail(false)
        #expect(host.round(host.received(Rehearsal.claim("b"))) == false)
        host.clock.advance(100_000)
        #expect(host.round() == false)
        #expect(host.actor.log.order == ["died"])
        #expect(try host.ledger.counts().isEmpty)
        // What comes back is what was durable: nothing, and the source still has both documents.
        try host.restart()
        #expect(host.round(host.received(Rehearsal.claim("a"), Rehearsal.claim("b"))))
        #expect(try host.items().map(\.document) == ["a", "b"])
    }

    @Test("the ledger dies while an answer is settled: the outcome is looked up after the restart, not sent again")
    func diesAtTheAnswer() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let delivery = try host.delivery
        host.sealer.fail(true)
        let answer = Conductor.Answer(
            outcome: .applied, detail: nil, written: Written(number: "记-1", id: "1", readBack: Array("{}".utf8)))
        #expect(host.round(.delivered(delivery, answer)) == false)
        host.sealer.fail(false)
        try host.restart()
        #expect(host.actor.log.deliveries.isEmpty)
        host.later(EngineLimits.firstLookAfter)
        #expect(host.actor.log.finds.map(\.key) == [delivery.key])
    }

    @Test("a missing code holds the document with field and table; the table mended and a retry deliver it")
    func missingCode() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a", type: "招待费")))
        let held = try #require(try host.items().first)
        #expect(held.item.state == .held(.mapping))
        #expect(host.actor.log.deliveries.isEmpty)
        let cause = try JSON.parse(try #require(held.detail))
        #expect(cause["field"]?.string?.contains("费用类型") == true)
        #expect(cause["table"]?.string?.contains("accounts") == true)
        #expect(cause["value"]?.string?.contains("招待费") == true)

        // A retry without the table mended ends where it began.
        #expect(host.ask(.retry([held.id], actor: "li")).json?["asked"] == 1)
        #expect(try host.states() == [.held(.mapping)])

        let sample = Rehearsal.sample()
        try host.apply(
            sample.with("tables/accounts.csv", (sample.files["tables/accounts.csv"] ?? "") + "招待费,6602.09\n"))
        #expect(try host.states() == [.held(.mapping)], "a revision alone moves nothing a person must see")
        #expect(host.ask(.retry([held.id], actor: "li")).json?["retried"] == 1)
        let delivery = try host.delivery
        #expect(String(decoding: delivery.bytes, as: UTF8.self).contains("6602.09"))
        host.round(Rehearsal.applied(delivery))
        #expect(try host.states() == [.done])
        #expect(try host.items().first?.item.revision == 2)
    }

    @Test("a document whose earlier form retention took: the same again is nothing new, another is a change")
    func afterRetention() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.applied(try host.delivery))
        #expect(try host.ledger.prune(Retention(settledBefore: .max)).documents == 1)
        host.round(host.received(Rehearsal.claim("a")))
        #expect(try host.states() == [.done])
        host.round(host.received(Rehearsal.claim("a", amount: "200.00")))
        #expect(try host.states() == [.done, .held(.changedAfterEffect)])
        #expect(!host.loop.failed)
    }

    @Test("a document that changed after its effect is held without a key, and its effect stays")
    func changedAfterEffect() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.applied(try host.delivery))
        host.round(host.received(Rehearsal.claim("a", amount: "999.00")))
        #expect(try host.states() == [.done, .held(.changedAfterEffect)])
        #expect(try host.items().last?.key == nil)
        #expect(host.actor.log.deliveries.count == 1)
        // The next change waits beside it, and neither can be sent by a retry.
        host.round(host.received(Rehearsal.claim("a", amount: "998.00")))
        let held = try host.items().suffix(2).map(\.id)
        #expect(host.ask(.retry(held, actor: "li")).json?["retried"] == 0)
        #expect(try host.states() == [.done, .held(.changedAfterEffect), .held(.changedAfterEffect)])
        #expect(host.actor.log.deliveries.count == 1)
    }

    @Test("on_change: ignore skips the change and says by which rule")
    func changeIgnored() throws {
        let host = try Rehearsal(Rehearsal.sample("on_change: ignore\n"))
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.applied(try host.delivery))
        host.round(host.received(Rehearsal.claim("a", amount: "999.00")))
        #expect(try host.states() == [.done, .skipped(.changeIgnored)])
    }

    @Test("the change arrives in the same round in which the first form is sent: held, and the books live on")
    func changeWhileSending() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        // The target takes one at a time: b waits for a.
        host.round(host.received(Rehearsal.claim("b")))
        let first = try host.delivery
        #expect(host.actor.log.deliveries.count == 1)
        let alive = host.round(Rehearsal.applied(first), host.received(Rehearsal.claim("b", amount: "5.00")))
        #expect(alive)
        #expect(host.actor.log.deaths.map(\.code) == [])
        #expect(host.actor.log.deliveries.count == 2)
        #expect(try host.states() == [.done, .delivering(epoch: 1), .held(.changedAfterEffect)])
    }

    @Test("the change arrives in the same round in which a person settles the first form: held, and the books live on")
    func changeWhileResolving() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a", type: "招待费")))
        let held = try #require(try host.items().first?.id)
        let reply = Reply()
        let alive = host.round(
            .person(.resolve(held, number: "记-9", why: "keyed by hand", actor: "li")) { reply.take($0) },
            host.received(Rehearsal.claim("a", amount: "5.00")))
        #expect(alive)
        #expect(reply.json?["state"] == "done")
        #expect(try host.states() == [.done, .held(.changedAfterEffect)])
    }

    @Test("a person resolves a changed form of a flow that writes back: its number is told too, and the books live on")
    func resolveChangedWithWriteBack() throws {
        let host = try Rehearsal(Rehearsal.sample("write_back: comment\n"))
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.applied(try host.delivery))
        host.round(host.received(Rehearsal.claim("a", amount: "999.00")))
        let changed = try #require(try host.items().last { $0.flow == host.flow.id }?.id)
        let reply = host.ask(.resolve(changed, number: "记-2", why: "corrected by hand", actor: "li"))
        #expect(reply.json?["state"] == "done")
        #expect(host.actor.log.deaths.map(\.code) == [])
        #expect(try host.counts(host.flow.id) == [.done: 2])
        let comments = try host.items().filter { $0.flow != host.flow.id }
        #expect(Set(comments.compactMap(\.key)).count == 2)
    }

    @Test("a connection refused keeps the document and spends no try")
    func connectionTrouble() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        for _ in 1...8 {
            host.round(Rehearsal.failed(try host.delivery, .unreachable))
            host.later(EngineLimits.longestLanePause)
        }
        #expect(host.actor.log.deliveries.count == 9)
        #expect(try host.items().first?.item.triesSpent == 0)
        #expect(Set(host.actor.log.deliveries.map(\.key)).count == 1)
        #expect(Set(host.actor.log.deliveries.map(\.bytes)).count == 1)
    }

    // MARK: the way of a document

    @Test("received, delivered, settled: rows, intent, link, and the exact bytes durable before they are sent")
    func way() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a"), cursor: [7, 7]))
        let delivery = try host.delivery
        #expect(host.actor.log.order == ["ack", "deliver"])
        #expect(host.actor.log.openIntents == [1])
        #expect(host.actor.log.stored == [delivery.bytes])
        #expect(try host.ledger.cursor(stream: host.flow.stream) == [7, 7])
        #expect(delivery.key.utf8.count == 32)
        #expect((delivery.attempt, delivery.epoch) == (1, 1))
        #expect(try host.states() == [.delivering(epoch: 1)])

        host.round(Rehearsal.applied(delivery, number: "记-17"))
        let line = try #require(try host.items().first)
        #expect((line.item.state, line.targetNumber, line.key) == (.done, "记-17", delivery.key))
        let intents = try host.ledger.intents(delivery.item)
        #expect(intents.map(\.end) == [.applied])
        #expect(try host.ledger.payload(inbox: 1).number == "No-a")
        #expect(try host.counts(host.flow.id) == [.done: 1])
        #expect(host.loop.engine.openCount == 0)
    }

    @Test("the acknowledgement comes after the rows are durable and before anything is sent")
    func acknowledgement() throws {
        let host = try Rehearsal()
        let seen = Mutex<[Int]>([])
        let (ledger, actor, stream) = (host.ledger, host.actor, host.flow.stream)
        host.loop.handle(
            .received(stream: stream, [Rehearsal.claim("a")], cursor: [1], fetched: []) {
                seen.withLock { $0.append((try? ledger.counts().first?.read) ?? 0) }
                actor.note("ack")
            })
        #expect(seen.withLock { $0 } == [], "before the commit nobody is told")
        host.round()
        #expect(seen.withLock { $0 } == [1])
        #expect(actor.log.order == ["ack", "deliver"])
    }

    @Test("the same document again, in the same round and in a later one, is one item")
    func twice() throws {
        let host = try Rehearsal()
        host.round(
            host.received(Rehearsal.claim("a"), Rehearsal.claim("a")), host.received(Rehearsal.claim("a")))
        host.round(host.received(Rehearsal.claim("a")))
        try host.restart()
        host.round(host.received(Rehearsal.claim("a")))
        #expect(try host.items().count == 1)
        #expect(try host.ledger.start().nextInbox == 2)
    }

    @Test("a change of what the flow does not look at is no change")
    func unreadChange() throws {
        let host = try Rehearsal()
        var other = Rehearsal.claim("a")
        host.round(host.received(other))
        var object = try #require(other.content.object)
        object["attachments"] = [["id": "1", "name": "x.pdf", "size": 1]]
        other.content = .object(object)
        host.round(host.received(other))
        #expect(try host.items().count == 1)
    }

    @Test("a revision that looks at more of a document does not make it a changed one")
    func wideLook() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a"), Rehearsal.claim("b", result: "refuse")))
        host.round(Rehearsal.applied(try host.delivery))
        host.round(host.received(Rehearsal.claim("a", amount: "9.00")))
        _ = host.ask(.skip(try #require(try host.items().last?.id), why: "known", actor: "li"))
        let before: [ItemState] = [.done, .skipped(.filter), .skipped(.person)]
        #expect(try host.states() == before)
        let sample = Rehearsal.sample()
        try host.apply(
            sample.replacing("mappings/claims.yaml", "document:\n", "document:\n  reference: { path: number }\n"))
        // An event says nothing of what happened: the documents are fetched, and are what they were.
        host.round(host.received(Rehearsal.claim("a", amount: "9.00")))
        #expect(try host.states() == before)
        // A real change is one, also of what the new mapping looks at.
        var other = Rehearsal.claim("a", amount: "9.00")
        var object = try #require(other.content.object)
        object["number"] = "No-a-2"
        other.content = .object(object)
        host.round(host.received(other))
        #expect(try host.states() == before + [.held(.changedAfterEffect)])
    }

    @Test("a document that changes back is what it was: the form in between is not sent")
    func changesBack() throws {
        let host = try Rehearsal()
        _ = host.ask(.pauseFlow(host.flow.id, true, why: "", actor: "li"))
        for amount in ["1.00", "2.00", "1.00", "1.00", "2.00", "1.00", "1.00"] {
            host.round(host.received(Rehearsal.claim("a", amount: amount)))
        }
        host.round(host.received(Rehearsal.claim("a", amount: "1.00"), Rehearsal.claim("a", amount: "1.00")))
        #expect(try host.items().count == 5, "each change once")
        #expect(try host.ledger.start().nextInbox == 6)
        _ = host.ask(.pauseFlow(host.flow.id, false, why: "", actor: "li"))
        #expect(host.actor.log.deliveries.count == 1)
        #expect(String(decoding: try host.delivery.bytes, as: UTF8.self).contains("1.00"))
    }

    @Test("a page that brings a new document twice, with a known one in between, brings its second form as a change")
    func twiceInAPage() throws {
        let host = try Rehearsal()
        _ = host.ask(.pauseFlow(host.flow.id, true, why: "", actor: "li"))
        host.round(host.received(Rehearsal.claim("b")))
        host.round(
            host.received(
                Rehearsal.claim("a", amount: "1.00"), Rehearsal.claim("b", amount: "7.00"),
                Rehearsal.claim("a", amount: "2.00")))
        let forms = try host.items().filter { $0.document == "a" }
        #expect(forms.map(\.item.state) == [.skipped(.superseded), .ready])
        #expect(Set(forms.compactMap(\.key)).count == 1)
    }

    @Test("a newer form replaces one that was never sent, under the same key")
    func superseded() throws {
        let host = try Rehearsal()
        _ = host.ask(.pauseFlow(host.flow.id, true, why: "", actor: "li"))
        host.round(host.received(Rehearsal.claim("a", amount: "1.00"), Rehearsal.claim("a", amount: "2.00")))
        host.round(host.received(Rehearsal.claim("a", amount: "3.00")))
        #expect(try host.states() == [.skipped(.superseded), .skipped(.superseded), .ready])
        #expect(Set(try host.items().compactMap(\.key)).count == 1)
        _ = host.ask(.pauseFlow(host.flow.id, false, why: "", actor: "li"))
        #expect(host.actor.log.deliveries.count == 1)
        #expect(String(decoding: try host.delivery.bytes, as: UTF8.self).contains("3.00"))
    }

    @Test("a newer form of a held one replaces it, and the newest that fits no more skips it")
    func supersedesHeld() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a", type: "招待费")))
        host.round(host.received(Rehearsal.claim("a", type: "招待费", result: "refuse")))
        #expect(try host.states() == [.skipped(.superseded), .skipped(.filter)])
        #expect(host.actor.log.deliveries.isEmpty)
    }

    @Test("a document of another template is not this flow's at all; one that was refused is skipped by rule")
    func filtered() throws {
        let host = try Rehearsal()
        host.round(
            host.received(Rehearsal.claim("a", template: "T2"), Rehearsal.claim("b", result: "refuse")))
        #expect(try host.items().map(\.document) == ["b"])
        #expect(try host.states() == [.skipped(.filter)])
        #expect(host.actor.log.order == ["ack"])
    }

    @Test("the target's number is written back as an effect of its own, which does not count as the flow's")
    func writeBack() throws {
        let host = try Rehearsal(Rehearsal.sample("write_back: comment\n"))
        let back = try #require(host.flow.writeBack)
        host.round(host.received(Rehearsal.claim("a")))
        #expect(try host.counts(back.flow) == [:])
        host.round(Rehearsal.applied(try host.delivery, number: "记-17"))
        let comment = try host.delivery
        #expect((comment.flow, comment.lane) == (back.flow, back.lane))
        let text = try JSON.parse(comment.bytes)
        #expect(text["document"] == "a")
        #expect(text["text"]?.string?.contains("记-17") == true)
        host.round(Rehearsal.applied(comment, number: "c-1"))
        #expect(try host.counts(host.flow.id) == [.done: 1])
        #expect(try host.counts(back.flow) == [.done: 1])
        #expect(host.actor.log.deliveries.count == 2, "a comment is not commented")
    }

    @Test("a paused flow's comments wait as well")
    func writeBackPaused() throws {
        let host = try Rehearsal(Rehearsal.sample("write_back: comment\n"))
        host.round(host.received(Rehearsal.claim("a")))
        let delivery = try host.delivery
        _ = host.ask(.pauseFlow(host.flow.id, true, why: "", actor: "li"))
        host.round(Rehearsal.applied(delivery))
        #expect(host.actor.log.deliveries.count == 1)
        try host.restart()
        #expect(host.actor.log.deliveries.isEmpty, "a pause outlives the process")
        _ = host.ask(.pauseFlow(host.flow.id, false, why: "", actor: "li"))
        #expect(host.actor.log.deliveries.map(\.flow) == [try #require(host.flow.writeBack).flow])
    }

    // MARK: restarts

    @Test("the process dies with a call on its way: the outcome is looked up, and found under its key it is done")
    func openIntent() throws {
        let host = try Rehearsal(Rehearsal.sample("write_back: comment\n"))
        host.round(host.received(Rehearsal.claim("a")))
        let sent = try host.delivery
        try host.restart()
        guard case .checking? = try host.states().first else {
            Issue.record("not checking: \(try host.states())")
            return
        }
        #expect(try host.ledger.intents(sent.item).map(\.end) == [.unknown])
        #expect(host.actor.log.deliveries.isEmpty)
        host.later(EngineLimits.firstLookAfter)
        let look = try #require(host.actor.log.finds.first)
        #expect((look.key, look.bytes) == (sent.key, sent.bytes))
        host.round(.found(look, .found(count: 1), Written(number: "记-3", id: "3", readBack: []), detail: nil))
        #expect(try host.items().first?.item.state == .done)
        #expect(try host.items().first?.targetNumber == "记-3")
        #expect(host.actor.log.deliveries.map(\.flow) == [try #require(host.flow.writeBack).flow])
    }

    @Test("absent once proves nothing; absent again after the horizon sends the same bytes under the same key")
    func absentTwice() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let sent = try host.delivery
        host.round(Rehearsal.failed(sent, .transient, arrived: true))
        host.later(EngineLimits.firstLookAfter)
        host.round(.found(try #require(host.actor.log.finds.last), .absent, nil, detail: nil))
        #expect(host.actor.log.finds.count == 1)
        host.later(HostLimits.commitHorizonMs)
        #expect(host.actor.log.finds.count == 2)
        host.round(.found(try #require(host.actor.log.finds.last), .absent, nil, detail: nil))
        #expect(host.actor.log.deliveries.count == 1)
        host.later(ConfigurationLimits.standardLadder[0])
        let again = try host.delivery
        #expect(host.actor.log.deliveries.count == 2)
        #expect((again.key, again.bytes, again.attempt) == (sent.key, sent.bytes, 2))
    }

    @Test("an answer of the generation before is dropped")
    func staleAnswer() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let sent = try host.delivery
        try host.restart()
        host.round(Rehearsal.applied(sent))
        #expect(try host.items().first?.targetNumber == nil)
        guard case .checking? = try host.states().first else {
            Issue.record("a stale answer settled the item")
            return
        }
    }

    @Test("a checkpoint is handed back on the next attempt and after a restart, and keeps the bytes as they are")
    func checkpoint() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let first = try host.delivery
        #expect(first.checkpoint == [])
        let actor = host.actor
        host.round(.commit([.checkpoint(first.item, bytes: [1, 2, 3])]) { actor.note("checkpoint durable") })
        #expect(actor.log.order.last == "checkpoint durable")
        host.round(Rehearsal.failed(first, .transient))
        host.later(ConfigurationLimits.standardLadder[0])
        #expect(try host.delivery.checkpoint == [1, 2, 3])
        host.round(Rehearsal.failed(try host.delivery, .invalidRecord))
        try host.restart()
        // Half of it is at the target: another mapping must not change what the rest of it looks like.
        let sample = Rehearsal.sample()
        try host.apply(sample.replacing("tables/accounts.csv", "6602.01", "6602.99"))
        _ = host.ask(.retry([first.item], actor: "li"))
        let next = try host.delivery
        #expect((next.checkpoint, next.bytes, next.key) == ([1, 2, 3], first.bytes, first.key))
    }

    @Test("the token of an accepted document survives, and poll is asked with it")
    func token() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        host.round(
            .delivered(
                try host.delivery,
                Conductor.Answer(outcome: .atVendor(.accepted, pollAfter: 500), detail: Words.accepted, token: [9])))
        #expect(try host.counts(host.flow.id) == [.pending: 1])
        try host.restart()
        host.later(500)
        let (asked, token) = try #require(host.actor.log.polls.first)
        #expect(token == [9])
        host.round(
            .polled(asked, Conductor.Answer(outcome: .applied, detail: nil, written: Written(number: "记-5"))))
        #expect(try host.items().first?.targetNumber == "记-5")
        #expect(try host.states() == [.done])
    }

    @Test("hints without their document are fetched again after a restart, and a fetched one is not")
    func hints() throws {
        let host = try Rehearsal()
        let stream = host.flow.stream
        let actor = host.actor
        host.round(
            .hints(
                stream: stream, [.init(document: "a", known: ""), .init(document: "b", known: "")], cursor: nil
            ) { actor.note("ack") })
        #expect(actor.log.order == ["ack"])
        #expect(actor.log.fetched == ["a", "b"])
        host.round(host.received(Rehearsal.claim("a")))
        try host.restart()
        #expect(host.actor.log.fetched == ["b"])
    }

    // MARK: revisions

    @Test("a revision maps again what was never sent, and keeps the bytes of what was")
    func revision() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let sent = try host.delivery
        host.round(host.received(Rehearsal.claim("b")))
        host.round(Rehearsal.failed(sent, .transient))
        // a waits for its second try, b has taken the only place: neither may change. c was never sent.
        let second = try host.delivery
        host.round(host.received(Rehearsal.claim("c")))
        try host.apply(Rehearsal.sample().replacing("tables/accounts.csv", "6602.01", "6602.99"))
        host.round(Rehearsal.applied(second))
        let third = try host.delivery
        #expect(third.item == 3)
        #expect(String(decoding: third.bytes, as: UTF8.self).contains("6602.99"))
        host.round(Rehearsal.applied(third, number: "记-2"))
        host.later(ConfigurationLimits.standardLadder[0])
        let again = try host.delivery
        #expect((again.item, again.bytes) == (sent.item, sent.bytes))
        #expect(String(decoding: again.bytes, as: UTF8.self).contains("6602.01"))
        #expect(try host.items().map(\.item.revision) == [1, 1, 2])
    }

    @Test("what a person had mapped again goes out as mapped then, also when the process died before")
    func remappedSurvives() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.failed(try host.delivery, .invalidRecord))
        try host.apply(Rehearsal.sample().replacing("tables/accounts.csv", "6602.01", "6602.99"))
        host.round(.lane(host.flow.lane, .stopped(nil)))
        #expect(host.ask(.retry([1], actor: "li")).json?["retried"] == 1)
        #expect(host.actor.log.deliveries.count == 1)
        try host.restart()
        host.round(.lane(host.flow.lane, nil))
        #expect(String(decoding: try host.delivery.bytes, as: UTF8.self).contains("6602.99"))
    }

    @Test("a revision whose mapping fits no more holds what was ready, with the cause")
    func revisionHolds() throws {
        let host = try Rehearsal()
        _ = host.ask(.pauseFlow(host.flow.id, true, why: "", actor: "li"))
        host.round(host.received(Rehearsal.claim("a")))
        try host.apply(Rehearsal.sample().replacing("tables/accounts.csv", "差旅费,6602.01\n", ""))
        #expect(try host.states() == [.held(.mapping)])
        #expect(try host.items().first?.detail?.contains("差旅费") == true)
        #expect(host.loop.engine.isPaused(flow: host.flow.id), "no revision resumes a flow")
    }

    // MARK: people

    @Test("what cannot be done is refused with a code, and leaves no audit line")
    func refusals() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        #expect(host.ask(.skip(1, why: "x", actor: "li")).code == "E-HOST-003")
        #expect(host.ask(.resolve(1, number: "1", why: "x", actor: "li")).code == "E-HOST-003")
        #expect(host.ask(.skip(99, why: "x", actor: "li")).code == "E-HOST-002")
        #expect(host.ask(.resolve(99, number: "1", why: "x", actor: "li")).code == "E-HOST-002")
        #expect(try host.ledger.verifyAudit(knowing: nil).lines == 0)
        host.round(Rehearsal.failed(try host.delivery, .transient, arrived: true))
        #expect(host.ask(.skip(1, why: "x", actor: "li")).code == "E-HOST-003", "it may be in the books")
    }

    @Test("each verb writes who did what to which item and why, chained, and answers when it is durable")
    func verbs() throws {
        let host = try Rehearsal()
        host.round(
            host.received(
                Rehearsal.claim("a", type: "x"), Rehearsal.claim("b", type: "x"), Rehearsal.claim("c", type: "x")))
        #expect(host.ask(.retry([1], actor: "li")).json?["asked"] == 1)
        #expect(host.ask(.skip(2, why: "double", actor: "wang")).json?["state"] == "skipped")
        #expect(host.ask(.resolve(3, number: "记-8", why: "by hand", actor: "zhao")).json?["state"] == "done")
        #expect(host.ask(.pauseFlow(host.flow.id, true, why: "month end", actor: "li")).json?["state"] == "paused")
        #expect(host.ask(.audit(actor: "li", action: "apply", detail: ["revision": 2])).json == .null)
        let lines = try host.ledger.audit(limit: 10)
        #expect(lines.map(\.action) == ["ledger.retry", "ledger.skip", "ledger.resolve", "flow.pause", "apply"])
        #expect(lines.map(\.actor) == ["li", "wang", "zhao", "li", "li"])
        #expect(lines[1].detail.contains("double") && lines[1].detail.contains("2"))
        #expect(lines[2].detail.contains("记-8") && lines[2].detail.contains("by hand"))
        #expect(lines[3].detail.contains("claims") && lines[3].detail.contains("month end"))
        let report = try host.ledger.verifyAudit(knowing: nil)
        #expect(report.lines == 5 && report.broken == nil)
        #expect(try host.items().map(\.item.state.seen) == [.held, .skipped, .done])
        #expect(try host.items().last?.targetNumber == "记-8")
        #expect(try host.items()[1].detail?.contains("double") == true)
    }

    @Test("a lane that was stopped stays stopped over a restart, and runs when it is told to")
    func stoppedLane() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.failed(try host.delivery, .authDenied))
        try host.restart()
        host.later(86_400_000)
        #expect(host.actor.log.deliveries.isEmpty)
        host.round(.lane(host.flow.lane, nil))
        #expect(host.actor.log.deliveries.count == 1)
    }

    @Test("a target with shorter keys or another alphabet gets keys that fit")
    func keyForm() throws {
        let host = try Rehearsal(books: Sample.books(keys: ["max_bytes": 20, "alphabet": "A-Z0-9"]))
        host.round(host.received(Rehearsal.claim("a")))
        let key = try host.delivery.key
        #expect(key.utf8.count == 20)
        #expect(key.allSatisfy { ("A"..."Z").contains($0) || ("0"..."9").contains($0) })
        // A connector that says something else later changes no key: the same document would be another there.
        try host.restart(Rehearsal.sample())
        host.round(host.received(Rehearsal.claim("b")))
        #expect(Set(host.actor.log.deliveries.map(\.key.utf8.count)) == [20])
    }

    @Test("a drained lane sends nothing more until the process ends")
    func drain() throws {
        let host = try Rehearsal()
        host.round(.drain(host.flow.lane))
        host.round(host.received(Rehearsal.claim("a")))
        #expect(host.actor.log.order == ["ack"])
        try host.restart()
        #expect(host.actor.log.deliveries.count == 1)
    }
}
