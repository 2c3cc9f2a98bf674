import Ledger
import Testing

@testable import Host

@Suite("Pages of one round: a document they share is taken once")
struct RunningPageTests {
    @Test("the second page brings what the first just brought, after a document known for long: the books live on")
    func sharedByTwoPages() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        let alive = host.round(
            host.received(Rehearsal.claim("b")), host.received(Rehearsal.claim("a"), Rehearsal.claim("b")))
        #expect(alive)
        #expect(host.actor.log.deaths.map(\.code) == [])
        #expect(try host.items().map(\.document) == ["a", "b"])
    }

    @Test("one page names documents twice, one after the other and mixed: each is taken once")
    func namedTwice() throws {
        let host = try Rehearsal()
        let alive = host.round(
            host.received(
                Rehearsal.claim("a"), Rehearsal.claim("b"), Rehearsal.claim("b"), Rehearsal.claim("a")))
        #expect(alive)
        #expect(try host.items().map(\.document) == ["a", "b"])
    }
}
