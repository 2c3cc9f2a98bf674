import Engine
import Ledger
import Testing
import Values

@testable import Host

@Suite("A target that becomes other books, and a person who looks where the host cannot")
struct RunningTargetTests {
    private static let elsewhere = Rehearsal.sample().replacing(
        "connections/books.yaml", #"company: "7""#, #"company: "8""#)

    private func cause(_ host: Rehearsal) throws -> String? {
        try JSON.parse(try #require(try host.items().first?.detail))["code"]?.string
    }

    @Test("a revision leads the connection to other books: what is unknown waits for a person, and is not sent there")
    func otherBooks() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.failed(try host.delivery, .transient, arrived: true))
        try host.apply(Self.elsewhere)
        #expect(try host.states() == [.held(.otherBooks)])
        #expect(try cause(host) == "E-TARGET-CHANGED")
        for _ in 1...5 { host.later(86_400_000) }
        #expect(host.actor.log.finds.isEmpty)
        #expect(host.actor.log.deliveries.count == 1)
    }

    @Test("the same when the call was on its way at the change, and its answer is lost after it")
    func otherBooksInFlight() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let sent = try host.delivery
        try host.apply(Self.elsewhere)
        host.round(Rehearsal.failed(sent, .transient, arrived: true))
        #expect(try host.states() == [.held(.otherBooks)])
        host.later(86_400_000)
        #expect(host.actor.log.finds.isEmpty)
    }

    @Test("the same when the process dies after the change with the call on its way")
    func otherBooksInFlightOverARestart() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        try host.apply(Self.elsewhere)
        try host.restart()
        #expect(try host.states() == [.held(.otherBooks)])
        #expect(try cause(host) == "E-TARGET-CHANGED")
        // What is sent from now on is looked for in the books of now.
        _ = host.ask(.absent(1, why: "looked", actor: "li"))
        try host.restart()
        #expect(try host.states().map(\.seen) == [.checking])
    }

    @Test("the same when the revision was frozen while no host ran")
    func otherBooksOverARestart() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        try host.restart(Self.elsewhere)
        #expect(try host.states() == [.held(.otherBooks)])
        #expect(try cause(host) == "E-TARGET-CHANGED")
        host.later(86_400_000)
        #expect(host.actor.log.finds.isEmpty)
        #expect(host.actor.log.deliveries.isEmpty)
        // Told once: the next start finds nothing new.
        try host.restart()
        #expect(try host.states() == [.held(.otherBooks)])
    }

    @Test(
        "a person who looked says that it is not there: the same bytes go again from the beginning, audited"
    )
    func absent() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let first = try host.delivery
        host.round(.commit([.checkpoint(first.item, bytes: [1])]) {})
        host.round(Rehearsal.failed(first, .transient, arrived: true))
        try host.apply(Self.elsewhere)
        let reply = host.ask(.absent(first.item, why: "looked in the former books", actor: "li"))
        #expect(reply.json?["state"] == "pending")
        let again = try host.delivery
        #expect((again.key, again.bytes, again.attempt, again.checkpoint) == (first.key, first.bytes, 2, []))
        #expect(try host.ledger.audit(limit: 1).map(\.action) == ["ledger.absent"])
        // While it is on its way again nobody can say so.
        #expect(host.ask(.absent(first.item, why: "x", actor: "li")).code == "E-HOST-003")
        #expect(host.ask(.absent(99, why: "x", actor: "li")).code == "E-HOST-002")
        // The checkpoint is gone over a restart too.
        host.round(Rehearsal.failed(again, .transient))
        try host.restart()
        host.later(ConfigurationLimits.standardLadder[0])
        #expect(try host.delivery.checkpoint == [])
    }
}
