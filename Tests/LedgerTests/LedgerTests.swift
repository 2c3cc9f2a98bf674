import Engine
import Testing
import Values

@testable import Ledger

@Suite("The parts a newer form must reckon with")
struct LivePartTests {
    private func parts(_ books: Books) throws -> [LivePart] {
        try books.ledger.liveParts(flow: 1, stream: 1, document: "doc-1")
    }

    @Test("nothing, and only skipped forms, are no parts")
    func none() throws {
        let books = try Books()
        #expect(try parts(books) == [])
        for rule in (1...7).compactMap({ SkipRule(rawValue: $0) }) {
            try books.add(Int64(rule.rawValue), state: .skipped(rule))
        }
        #expect(try parts(books) == [])
    }

    @Test("another flow, stream or document is another matter; every ordinal counts")
    func others() throws {
        let books = try Books()
        try books.add(1, flow: 2, state: .done)
        try books.add(2, stream: 2, state: .done)
        try books.add(3, document: "doc-2", state: .done)
        try books.add(4, ordinal: 1, key: "k4", state: .done)
        #expect(try parts(books) == [LivePart(id: 4, ordinal: 1, isReplaceable: false, isChange: false)])
    }

    @Test(
        "never sent or clearly refused: it can be replaced",
        arguments: [
            (ItemState.ready, 0), (.held(.mapping), 0), (.held(.refused(.invalidRecord)), 1),
            (.held(.refused(.schemaDrift)), 2),
        ])
    func replaceable(state: ItemState, attempts: Int) throws {
        let books = try Books()
        try books.add(1, state: state, attempts: attempts)
        #expect(try parts(books).map(\.isReplaceable) == [true])
    }

    @Test(
        "sent, on its way, existing or settled: an effect",
        arguments: [
            (ItemState.delivering(epoch: 1), 1), (.retrying(at: 1, class: .transient), 1),
            (.checking(Check(since: 1, nextAt: 2)), 1), (.atVendor(AtVendor(reason: .waiting, since: 1, pollAt: 2)), 1),
            (.held(.refused(.conflict)), 1), (.held(.severalFound), 1), (.held(.cannotFind), 1), (.done, 1), (.done, 0),
        ])
    func effect(state: ItemState, attempts: Int) throws {
        let books = try Books()
        try books.add(1, state: state, attempts: attempts)
        #expect(try parts(books).map(\.isReplaceable) == [false])
    }

    @Test("a refused document of which half stands at the target is an effect")
    func half() throws {
        let books = try Books()
        try books.add(1, state: .held(.refused(.invalidRecord)), attempts: 1)
        try books.ledger.commit([.checkpoint(1, bytes: [1])])
        #expect(try parts(books).map(\.isReplaceable) == [false])
    }

    @Test("a changed form that waits for a person is told apart")
    func changed() throws {
        let books = try Books()
        try books.add(1, state: .held(.changedAfterEffect))
        #expect(try parts(books).map(\.isChange) == [true])
    }

    @Test("a key is taken while its item is not skipped")
    func keys() throws {
        let books = try Books()
        try books.add(1, key: "k1", state: .done)
        #expect(try books.ledger.liveItem(key: "k1") == 1)
        #expect(try books.ledger.liveItem(key: "k2") == nil)
        try books.add(2, key: "k2", state: .skipped(.superseded))
        #expect(try books.ledger.liveItem(key: "k2") == nil)
    }
}

@Suite("What the host knows again after a restart")
struct ReopeningTests {
    @Test("a fresh ledger knows nothing")
    func fresh() throws {
        let books = try Books()
        let start = try books.ledger.start()
        #expect(start.items.isEmpty && start.lanes.isEmpty && start.hints.isEmpty && start.names.isEmpty)
        #expect((start.nextInbox, start.nextItem, start.highestEpoch) == (1, 1, 0))
    }

    @Test("numbers go on after the highest, also when the newest items are settled")
    func numbers() throws {
        let books = try Books()
        try books.add(1)
        try books.add(9, document: "doc-9", state: .done)
        try books.ledger.commit([.openIntent(9, attempt: 1, epoch: 17, at: 1)])
        try books.reopen()
        let start = try books.ledger.start()
        #expect((start.nextInbox, start.nextItem, start.highestEpoch) == (10, 10, 17))
        #expect(start.items.map(\.0.id) == [1])
    }

    @Test("the cursor of each stream, the newest one")
    func cursors() throws {
        let books = try Books()
        try books.ledger.commit([.cursor(stream: 1, bytes: [1, 2], at: 1), .cursor(stream: 2, bytes: [3], at: 1)])
        try books.ledger.commit([.cursor(stream: 1, bytes: [], at: 2)])
        try books.reopen()
        #expect(try books.ledger.cursor(stream: 1) == [])
        #expect(try books.ledger.cursor(stream: 2) == [3])
        #expect(try books.ledger.cursor(stream: 3) == [])
    }

    @Test("hints without their document, once each, oldest first; a fetched one is gone")
    func hints() throws {
        let books = try Books()
        try books.ledger.commit([
            .hint(stream: 1, document: "b", known: "", at: 2), .hint(stream: 1, document: "a", known: "{}", at: 3),
            .hint(stream: 2, document: "b", known: "", at: 1), .hint(stream: 1, document: "c", known: "", at: 4),
        ])
        try books.ledger.commit([
            .hint(stream: 1, document: "a", known: "{\"t\":1}", at: 3), .hintDone(stream: 1, document: "c", before: 9),
            .hintDone(stream: 1, document: "never", before: 9),
        ])
        try books.reopen()
        let hints = try books.ledger.start().hints
        #expect(hints.map(\.document) == ["b", "b", "a"])
        #expect(hints.map(\.stream) == [2, 1, 1])
        #expect(hints.last?.known == "{\"t\":1}")
    }

    @Test("a connector's state, by connection and key")
    func connectorState() throws {
        let books = try Books()
        try books.ledger.commit([
            .state(connection: "a", key: "k", bytes: [1]), .state(connection: "b", key: "k", bytes: [2]),
            .state(connection: "a", key: "k", bytes: [3]), .state(connection: "a", key: "e", bytes: []),
        ])
        try books.reopen()
        #expect(try books.ledger.state(connection: "a", key: "k") == [3])
        #expect(try books.ledger.state(connection: "b", key: "k") == [2])
        #expect(try books.ledger.state(connection: "a", key: "e") == [])
        #expect(try books.ledger.state(connection: "c", key: "k") == [])
    }

    @Test("limit blocks add up per bucket and beginning, and old ones stay out")
    func limitBlocks() throws {
        let books = try Books()
        try books.ledger.commit([
            .limitBlock(bucket: "a/day", from: 100, calls: 5), .limitBlock(bucket: "a/day", from: 200, calls: 5),
            .limitBlock(bucket: "b/day", from: 200, calls: 1),
        ])
        try books.ledger.commit([.limitBlock(bucket: "a/day", from: 200, calls: 2)])
        try books.reopen()
        let blocks = try books.ledger.limitBlocks(bucket: "a/day", from: 101)
        #expect(blocks.map(\.at) == [200])
        #expect(blocks.map(\.calls) == [7])
        #expect(try books.ledger.limitBlocks(bucket: "a/day", from: 100).map(\.calls) == [5, 7])
        #expect(try books.ledger.limitBlocks(bucket: "c/day", from: 0).isEmpty)
    }

    @Test("why a lane stands still; a resumed one runs")
    func lanes() throws {
        let books = try Books()
        try books.ledger.commit([
            .lane(1, .until(5_000, .throttled)), .lane(2, .stopped(.authDenied)), .lane(3, .stopped(nil)),
            .lane(4, .until(1, .unreachable)), .lane(4, nil),
        ])
        try books.reopen()
        #expect(
            try books.ledger.start().lanes == [
                1: .until(5_000, .throttled), 2: .stopped(.authDenied), 3: .stopped(nil),
            ])
    }

    @Test("which flows a person paused")
    func flows() throws {
        let books = try Books()
        try books.ledger.commit([
            .flowPaused(1, true, at: 1), .flowPaused(2, true, at: 1), .flowPaused(2, false, at: 2),
        ])
        try books.reopen()
        #expect(try books.ledger.start().pausedFlows == [1: true, 2: false])
    }

    @Test("the attempts of an item, the open one without an end")
    func intents() throws {
        let books = try Books()
        try books.add(1)
        try books.ledger.commit([.openIntent(1, attempt: 1, epoch: 3, at: 10)])
        #expect(code { try books.ledger.commit([.openIntent(1, attempt: 1, epoch: 3, at: 11)]) } == "E-LEDGER-003")
        try books.ledger.commit([
            .closeIntent(1, attempt: 1, end: .unknown, detail: "{}", at: 12),
            .openIntent(1, attempt: 2, epoch: 4, at: 13),
        ])
        try books.reopen()
        let intents = try books.ledger.intents(1)
        #expect(intents.map(\.attempt) == [1, 2])
        #expect(intents.map(\.end) == [.unknown, nil])
        #expect(intents.map(\.epoch) == [3, 4])
        #expect(intents.map(\.closedAt) == [12, nil])
    }
}

@Suite("What people are shown")
struct ListTests {
    private func books() throws -> Books {
        let books = try Books()
        try books.add(1, document: "a", key: "k1", state: .done, attempts: 1)
        try books.add(2, document: "b", state: .held(.mapping))
        try books.add(3, document: "c", flow: 2, state: .checking(Check(since: 1, nextAt: 2)), attempts: 1)
        try books.add(4, document: "d", flow: 2, state: .retrying(at: 1, class: .transient), attempts: 1)
        try books.add(5, document: "e", flow: 2, state: .skipped(.filter))
        try books.add(6, document: "f", flow: 3, state: .ready)
        try books.ledger.commit([.link(LinkRow(item: 1, number: "记-7", targetID: "77", readBack: [], at: 1))])
        return books
    }

    @Test("who has a number at the target: of one lane only")
    func holders() throws {
        let books = try books()
        let lane = try #require(books.ledger.list(flow: nil, hidingDone: [], state: nil, limit: 1, ids: [1]).first).item
            .lane
        let found = try books.ledger.holders(ofNumber: "记-7", lane: lane)
        #expect(found.map(\.item) == [1])
        #expect(found.map(\.document) == ["a"])
        #expect(try books.ledger.holders(ofNumber: "记-7", lane: lane + 1).isEmpty)
        #expect(try books.ledger.holders(ofNumber: "记-8", lane: lane).isEmpty)
    }

    private func list(
        _ books: Books, flow: FlowID? = nil, quiet: Set<FlowID> = [], state: FiveStates? = nil, limit: Int = 50
    ) throws -> [ItemID] {
        try books.ledger.list(flow: flow, hidingDone: quiet, state: state, limit: limit).map(\.id)
    }

    @Test("newest first, by flow, without what quiet flows have done, by word, and no more than asked")
    func filters() throws {
        let books = try books()
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

    @Test("one line: both documents, key, state and time")
    func line() throws {
        let books = try books()
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

    @Test("an item by row number, document id, number or target number; a name of none gives none")
    func named() throws {
        let books = try books()
        #expect(try books.ledger.items(named: "3") == [3])
        #expect(try books.ledger.items(named: "c") == [3])
        #expect(try books.ledger.items(named: "N-c") == [3])
        #expect(try books.ledger.items(named: "记-7") == [1])
        #expect(try books.ledger.items(named: "' OR 1") == [])
    }

    @Test("the five counts of a flow add up to what was read, and say so when they do not")
    func honesty() throws {
        let books = try books()
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
