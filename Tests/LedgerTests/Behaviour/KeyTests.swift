import Engine
import Testing
import Values

@testable import Ledger

@Suite("One business document per idempotency key, by the database itself")
struct KeyTests {
    @Test(
        "two live items with one key cannot be stored, whatever the state of the first",
        arguments: Backend.allCases,
        [
            ItemState.ready, .delivering(epoch: 1), .retrying(at: 1, class: .transient),
            .checking(Check(since: 1, nextAt: 2)), .atVendor(AtVendor(reason: .accepted, since: 1, pollAt: 2)),
            .held(.mapping), .held(.severalFound), .done,
        ])
    func twice(_ backend: Backend, first: ItemState) throws {
        let books = try Books(backend)
        try books.add(1, key: "aaaa", state: first)
        #expect(code { try books.add(2, document: "doc-2", key: "aaaa") } == "E-LEDGER-003")
        let counts = try #require(try books.ledger.counts().first)
        #expect((counts.flow, counts.counts, counts.read) == (1, [first.seen: 1], 1))
    }

    @Test(
        "not even within one commit, and not when the first only gives its key up afterwards",
        arguments: Backend.allCases)
    func order(_ backend: Backend) throws {
        let books = try Books(backend)
        let second = Books.receive(2, key: "aaaa")
        #expect(code { try books.ledger.commit(Books.receive(1, key: "aaaa") + second) } == "E-LEDGER-003")
        try books.add(1, key: "aaaa")
        let skipped = Change.item(Books.item(1, state: .skipped(.superseded)), detail: nil, at: 9)
        #expect(code { try books.ledger.commit(second + [skipped]) } == "E-LEDGER-003")
        // The earlier form gives the key up first: that is the order the conductor writes.
        try books.ledger.commit([skipped] + second)
        #expect(try books.ledger.counts() == [FlowCounts(flow: 1, counts: [.skipped: 1, .pending: 1], read: 2)])
    }

    @Test("a skipped item frees its key and cannot take it back", arguments: Backend.allCases)
    func skippedFrees(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.add(1, key: "aaaa", state: .skipped(.filter))
        try books.add(2, key: "aaaa")
        let back = Change.item(Books.item(1, state: .ready), detail: nil, at: 9)
        #expect(code { try books.ledger.commit([back]) } == "E-LEDGER-003")
    }

    @Test("forms that must not be sent have no key, and any number of them can wait", arguments: Backend.allCases)
    func noKey(_ backend: Backend) throws {
        let books = try Books(backend)
        for id in 1...3 as ClosedRange<Int64> {
            try books.add(id, state: .held(.changedAfterEffect), hash: [UInt8(id)])
        }
        #expect(try books.ledger.counts().first?.counts == [.held: 3])
    }

    @Test(
        "the newest form of a document is the one compared with, per stream; an older form may come back",
        arguments: Backend.allCases)
    func newestForm(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.add(1, hash: [7])
        #expect(try books.ledger.latest(stream: 1, document: "doc-1")?.hash == [7])
        try books.add(2, ordinal: 1, hash: [8])
        #expect(try books.ledger.latest(stream: 1, document: "doc-1")?.hash == [8])
        try books.add(3, ordinal: 2, hash: [7])
        #expect(try books.ledger.latest(stream: 1, document: "doc-1")?.hash == [7])
        #expect(try books.ledger.latest(stream: 3, document: "doc-1") == nil)
    }

    @Test("names are unique both ways: one number has one name, one name one number", arguments: Backend.allCases)
    func names(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.ledger.commit([
            .name(kind: .flow, id: 1, name: "claims"), .name(kind: .lane, id: 1, name: "books/voucher"),
            .name(kind: .stream, id: 1, name: "office/approval"),
        ])
        #expect(code { try books.ledger.commit([.name(kind: .flow, id: 2, name: "claims")]) } == "E-LEDGER-003")
        #expect(code { try books.ledger.commit([.name(kind: .flow, id: 1, name: "other")]) } == "E-LEDGER-003")
        try books.reopen()
        #expect(
            try books.ledger.start().names == [
                .flow: ["claims": 1], .lane: ["books/voucher": 1], .stream: ["office/approval": 1],
            ])
    }
}
