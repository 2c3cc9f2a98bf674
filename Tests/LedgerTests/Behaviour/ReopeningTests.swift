import Engine
import Testing
import Values

@testable import Ledger

@Suite("What the host knows again after a restart")
struct ReopeningTests {
    @Test("a fresh ledger knows nothing", arguments: Backend.allCases)
    func fresh(_ backend: Backend) throws {
        let books = try Books(backend)
        let start = try books.ledger.start()
        #expect(start.items.isEmpty && start.lanes.isEmpty && start.hints.isEmpty && start.names.isEmpty)
        #expect((start.nextInbox, start.nextItem) == (1, 1))
    }

    @Test("numbers go on after the highest, also when the newest items are settled", arguments: Backend.allCases)
    func numbers(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.add(1)
        try books.add(9, document: "doc-9", state: .done)
        try books.reopen()
        let start = try books.ledger.start()
        #expect((start.nextInbox, start.nextItem) == (10, 10))
        #expect(start.items.map(\.0.id) == [1])
    }

    @Test("the cursor of each stream, the newest one", arguments: Backend.allCases)
    func cursors(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.ledger.commit([.cursor(stream: 1, bytes: [1, 2], at: 1), .cursor(stream: 2, bytes: [3], at: 1)])
        try books.ledger.commit([.cursor(stream: 1, bytes: [], at: 2)])
        try books.reopen()
        #expect(try books.ledger.cursor(stream: 1) == [])
        #expect(try books.ledger.cursor(stream: 2) == [3])
        #expect(try books.ledger.cursor(stream: 3) == [])
    }

    @Test("hints without their document, once each, oldest first; a fetched one is gone", arguments: Backend.allCases)
    func hints(_ backend: Backend) throws {
        let books = try Books(backend)
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

    @Test("a connector's state, by connection and key", arguments: Backend.allCases)
    func connectorState(_ backend: Backend) throws {
        let books = try Books(backend)
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

    @Test("limit blocks add up per bucket and beginning, and old ones stay out", arguments: Backend.allCases)
    func limitBlocks(_ backend: Backend) throws {
        let books = try Books(backend)
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

    @Test("why a lane stands still; a resumed one runs", arguments: Backend.allCases)
    func lanes(_ backend: Backend) throws {
        let books = try Books(backend)
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

    @Test("which flows a person paused", arguments: Backend.allCases)
    func flows(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.ledger.commit([
            .flowPaused(1, true, at: 1), .flowPaused(2, true, at: 1), .flowPaused(2, false, at: 2),
        ])
        try books.reopen()
        #expect(try books.ledger.start().pausedFlows == [1: true, 2: false])
    }

    @Test("the attempts of an item, the open one without an end", arguments: Backend.allCases)
    func intents(_ backend: Backend) throws {
        let books = try Books(backend)
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
