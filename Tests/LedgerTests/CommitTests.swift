import Engine
import Foundation
import GRDB
import Synchronization
import Testing
import Values

@testable import Ledger

@Suite("A commit is everything or nothing")
struct CommitTests {
    @Test("a change that fails in the middle leaves nothing of the commit: E-LEDGER-003")
    func failsInTheMiddle() throws {
        let books = try Books()
        try books.add(1)
        let failing: [Change] =
            [.audit(actor: "host", action: "before", detail: "{}", at: 1)] + Books.receive(2, document: "doc-2")
            + Books.receive(1, document: "doc-3")
            + [.cursor(stream: 1, bytes: [1], at: 1), .audit(actor: "host", action: "after", detail: "{}", at: 1)]
        #expect(code { try books.ledger.commit(failing) } == "E-LEDGER-003")
        let start = try books.ledger.start()
        #expect(start.items.map(\.0.id) == [1])
        #expect((start.nextInbox, start.nextItem) == (2, 2))
        #expect(try books.ledger.cursor(stream: 1) == [])
        #expect(try books.ledger.verifyAudit() == 0)
        // The ledger works on: the refusal was of the changes, not of the file.
        try books.add(2, document: "doc-2")
        #expect(try books.ledger.start().items.count == 2)
    }

    @Test("a payload that cannot be sealed fails the whole commit")
    func cannotSeal() throws {
        let books = try Books(sealer: ToySealer(poison: Array("poison".utf8)))
        let changes = Books.receive(1) + Books.receive(2, document: "doc-2", payload: Array("poison".utf8))
        #expect(code { try books.ledger.commit(changes) } == "E-LEDGER-003")
        #expect(try books.ledger.counts().isEmpty)
    }

    @Test("an item that points to no document is refused")
    func orphan() throws {
        let books = try Books()
        let orphan = ItemOrigin(id: 1, inbox: 77, flow: 1, lane: 1, document: "voucher", ordinal: 0, key: nil)
        #expect(code { try books.ledger.commit([.origin(orphan)]) } == "E-LEDGER-003")
    }

    @Test("a full disk: E-LEDGER-003, nothing half-written, and the books go on when there is room")
    func diskFull() throws {
        let books = try Books()
        try books.add(1)
        try books.ledger.pool.writeWithoutTransaction { db in
            let pages = try #require(try Int.fetchOne(db, sql: "PRAGMA page_count"))
            try db.execute(sql: "PRAGMA max_page_count = \(pages + 1)")
        }
        let large =
            Books.receive(2, document: "doc-2", payload: [UInt8](repeating: 65, count: 200_000))
            + [.cursor(stream: 1, bytes: [9], at: 1)]
        #expect(code { try books.ledger.commit(large) } == "E-LEDGER-003")
        #expect(try books.ledger.start().items.map(\.0.id) == [1])
        #expect(try books.ledger.cursor(stream: 1) == [])
        try books.ledger.pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA max_page_count = 1073741823")
        }
        try books.ledger.commit(large)
        #expect(try books.ledger.start().items.map(\.0.id) == [1, 2])
        #expect(try books.ledger.payload(inbox: 2).payload.count == 200_000)
    }

    @Test("another program holds the write lock: the commit waits, and goes through when it lets go")
    func waitsForTheLock() throws {
        let books = try Books()
        let other = try DatabaseQueue(path: books.path)
        let done = Mutex(false)
        let finished = DispatchSemaphore(value: 0)
        let ledger = books.ledger
        try other.inDatabase { db in
            try db.execute(sql: "BEGIN IMMEDIATE")
            Thread.detachNewThread {
                try? ledger.commit(Books.receive(1))
                done.withLock { $0 = true }
                finished.signal()
            }
            Thread.sleep(forTimeInterval: 0.2)
            // Whatever the clock says: it cannot be through while the lock is held.
            #expect(done.withLock { $0 } == false)
            try db.execute(sql: "ROLLBACK")
        }
        finished.wait()
        #expect(try books.ledger.start().items.map(\.0.id) == [1])
    }

    @Test("another program never lets go of the lock: E-LEDGER-003, and reading still works")
    func lockIsNeverFreed() throws {
        let books = try Books()
        try books.add(1)
        let other = try DatabaseQueue(path: books.path)
        try other.inDatabase { db in
            try db.execute(sql: "BEGIN IMMEDIATE")
            #expect(code { try books.ledger.commit(Books.receive(2, document: "doc-2")) } == "E-LEDGER-003")
            #expect(code { try books.ledger.start().items.count } == nil)
            try db.execute(sql: "ROLLBACK")
        }
        #expect(try books.ledger.start().items.map(\.0.id) == [1])
    }

    @Test("no changes, no transaction")
    func nothing() throws {
        let books = try Books()
        try books.ledger.commit([])
        #expect(try books.ledger.start().nextItem == 1)
    }
}

@Suite("One business document per idempotency key, by the database itself")
struct KeyTests {
    @Test(
        "two live items with one key cannot be stored, whatever the state of the first",
        arguments: [
            ItemState.ready, .delivering(epoch: 1), .retrying(at: 1, class: .transient),
            .checking(Check(since: 1, nextAt: 2)), .atVendor(AtVendor(reason: .accepted, since: 1, pollAt: 2)),
            .held(.mapping), .held(.severalFound), .done,
        ])
    func twice(first: ItemState) throws {
        let books = try Books()
        try books.add(1, key: "aaaa", state: first)
        #expect(code { try books.add(2, document: "doc-2", key: "aaaa") } == "E-LEDGER-003")
        let counts = try #require(try books.ledger.counts().first)
        #expect((counts.flow, counts.counts, counts.read) == (1, [first.seen: 1], 1))
    }

    @Test("not even within one commit, and not when the first only gives its key up afterwards")
    func order() throws {
        let books = try Books()
        let second = Books.receive(2, key: "aaaa")
        #expect(code { try books.ledger.commit(Books.receive(1, key: "aaaa") + second) } == "E-LEDGER-003")
        try books.add(1, key: "aaaa")
        let skipped = Change.item(Books.item(1, state: .skipped(.superseded)), detail: nil, at: 9)
        #expect(code { try books.ledger.commit(second + [skipped]) } == "E-LEDGER-003")
        // The earlier form gives the key up first: that is the order the conductor writes.
        try books.ledger.commit([skipped] + second)
        #expect(try books.ledger.counts() == [FlowCounts(flow: 1, counts: [.skipped: 1, .pending: 1], read: 2)])
    }

    @Test("a skipped item frees its key and cannot take it back")
    func skippedFrees() throws {
        let books = try Books()
        try books.add(1, key: "aaaa", state: .skipped(.filter))
        try books.add(2, key: "aaaa")
        let back = Change.item(Books.item(1, state: .ready), detail: nil, at: 9)
        #expect(code { try books.ledger.commit([back]) } == "E-LEDGER-003")
    }

    @Test("forms that must not be sent have no key, and any number of them can wait")
    func noKey() throws {
        let books = try Books()
        for id in 1...3 as ClosedRange<Int64> {
            try books.add(id, state: .held(.changedAfterEffect), hash: [UInt8(id)])
        }
        #expect(try books.ledger.counts().first?.counts == [.held: 3])
    }

    @Test("the newest form of a document is the one compared with, per stream; an older form may come back")
    func newestForm() throws {
        let books = try Books()
        try books.add(1, hash: [7])
        #expect(try books.ledger.latest(stream: 1, document: "doc-1")?.hash == [7])
        try books.add(2, ordinal: 1, hash: [8])
        #expect(try books.ledger.latest(stream: 1, document: "doc-1")?.hash == [8])
        try books.add(3, ordinal: 2, hash: [7])
        #expect(try books.ledger.latest(stream: 1, document: "doc-1")?.hash == [7])
        #expect(try books.ledger.latest(stream: 3, document: "doc-1") == nil)
    }

    @Test("names are unique both ways: one number has one name, one name one number")
    func names() throws {
        let books = try Books()
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
