import Engine
import Testing
import Values

@testable import Ledger

@Suite("What people are shown")
struct ListTests {
    private func books(_ backend: Backend) throws -> Books {
        let books = try Books(backend)
        try books.add(1, document: "a", key: "k1", state: .done, attempts: 1)
        try books.add(2, document: "b", state: .held(.mapping))
        try books.add(3, document: "c", flow: 2, state: .checking(Check(since: 1, nextAt: 2)), attempts: 1)
        try books.add(4, document: "d", flow: 2, state: .retrying(at: 1, class: .transient), attempts: 1)
        try books.add(5, document: "e", flow: 2, state: .skipped(.filter))
        try books.add(6, document: "f", flow: 3, state: .ready)
        try books.ledger.commit([.link(LinkRow(item: 1, number: "记-7", targetID: "77", readBack: [], at: 1))])
        return books
    }

    private func list(
        _ books: Books, flow: FlowID? = nil, quiet: Set<FlowID> = [], state: FiveStates? = nil, limit: Int = 50
    ) throws -> [ItemID] {
        try books.ledger.list(flow: flow, hidingDone: quiet, state: state, limit: limit, ids: nil).map(\.id)
    }

    @Test(
        "newest first, by flow, without what quiet flows have done, by word, and no more than asked",
        arguments: Backend.allCases)
    func filters(_ backend: Backend) throws {
        let books = try books(backend)
        #expect(try list(books) == [6, 5, 4, 3, 2, 1])
        #expect(try list(books, flow: 2) == [5, 4, 3])
        // A quiet flow shows only what is not done.
        #expect(try list(books, quiet: [1]) == [6, 5, 4, 3, 2])
        #expect(try list(books, quiet: [1], state: .done) == [])
        #expect(try list(books, state: .pending) == [6, 4])
        #expect(try list(books, state: .held) == [2])
        #expect(try list(books, state: .checking) == [3])
        #expect(try list(books, state: .done) == [1])
        #expect(try list(books, flow: 2, state: .skipped) == [5])
        #expect(try list(books, flow: 1, state: .skipped) == [])
        #expect(try list(books, limit: 2) == [6, 5])
    }

    @Test("who has a number at the target: of one lane only", arguments: Backend.allCases)
    func holders(_ backend: Backend) throws {
        let books = try books(backend)
        let one = try books.ledger.list(flow: nil, hidingDone: [], state: nil, limit: 1, ids: [1])
        let lane = try #require(one.first).item.lane
        let found = try books.ledger.holders(ofNumber: "记-7", lane: lane)
        #expect(found.map(\.item) == [1])
        #expect(found.map(\.document) == ["a"])
        #expect(try books.ledger.holders(ofNumber: "记-7", lane: lane + 1).isEmpty)
        #expect(try books.ledger.holders(ofNumber: "记-8", lane: lane).isEmpty)
    }

    @Test("an item by its row, its source and its target", arguments: Backend.allCases)
    func named(_ backend: Backend) throws {
        let books = try books(backend)
        for name in ["1", "a", "N-a", "记-7"] { #expect(try books.ledger.items(named: name) == [1], "\(name)") }
        #expect(try books.ledger.items(named: "none") == [])
    }

    @Test("one line: both documents, key, state and time", arguments: Backend.allCases)
    func line(_ backend: Backend) throws {
        let books = try books(backend)
        let one = try books.ledger.list(flow: nil, hidingDone: [], state: nil, limit: 9, ids: [1])
        let line = try #require(one.first)
        #expect(one.count == 1)
        #expect((line.document, line.number, line.targetDocument, line.targetNumber) == ("a", "N-a", "voucher", "记-7"))
        #expect((line.key, line.at, line.flow) == ("k1", 2_001, 1))
        #expect(
            try books.ledger.list(flow: nil, hidingDone: [], state: nil, limit: 9, ids: [2]).first?.targetNumber == nil)
        #expect(try books.ledger.origin(1)?.key == "k1")
        #expect(try books.ledger.origin(99) == nil)
    }

    @Test("the five counts of a flow add up to what was read, and say so when they do not", arguments: Backend.allCases)
    func honesty(_ backend: Backend) throws {
        let books = try books(backend)
        let counts = try books.ledger.counts()
        #expect(
            counts == [
                FlowCounts(flow: 1, counts: [.done: 1, .held: 1], read: 2, lastDone: 2_001),
                FlowCounts(flow: 2, counts: [.checking: 1, .pending: 1, .skipped: 1], read: 3),
                FlowCounts(flow: 3, counts: [.pending: 1], read: 1),
            ])
        #expect(counts.map(\.isBalanced) == [true, true, true])
        try books.tamper("UPDATE item SET kind = 0 WHERE id = 5")
        #expect(try books.ledger.counts().map(\.isBalanced) == [true, false, true])
    }
}
