import Engine
import Foundation
import GRDB
import Synchronization
import Testing
import Values

@testable import Ledger

@Suite("A full disk and a locked file")
struct DiskTests {
    @Test("a full disk: E-LEDGER-003, nothing half-written, and the books go on when there is room")
    func diskFull() throws {
        let books = try Books(.sqlite)
        try books.add(1)
        try books.sqlite.pool.writeWithoutTransaction { db in
            let pages = try #require(try Int.fetchOne(db, sql: "PRAGMA page_count"))
            try db.execute(sql: "PRAGMA max_page_count = \(pages + 1)")
        }
        let large =
            Books.receive(2, document: "doc-2", payload: [UInt8](repeating: 65, count: 200_000))
            + [.cursor(stream: 1, bytes: [9], at: 1)]
        #expect(code { try books.ledger.commit(large) } == "E-LEDGER-003")
        #expect(try books.ledger.start().items.map(\.0.id) == [1])
        #expect(try books.ledger.cursor(stream: 1) == [])
        try books.sqlite.pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA max_page_count = 1073741823")
        }
        try books.ledger.commit(large)
        #expect(try books.ledger.start().items.map(\.0.id) == [1, 2])
        #expect(try books.ledger.payload(inbox: 2).payload.count == 200_000)
    }

    @Test("another program holds the write lock: the commit waits, and goes through when it lets go")
    func waitsForTheLock() throws {
        let books = try Books(.sqlite)
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
        let books = try Books(.sqlite)
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
}
