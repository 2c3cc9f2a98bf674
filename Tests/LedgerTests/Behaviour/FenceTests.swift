import Engine
import Testing
import Values

@testable import Ledger

@Suite("One writer generation")
struct FenceTests {
    @Test("each opening claims the next epoch, across restarts", arguments: Backend.allCases)
    func claims(_ backend: Backend) throws {
        let books = try Books(backend)
        #expect(books.ledger.epoch == 1)
        try books.reopen()
        #expect(books.ledger.epoch == 2)
        #expect(try books.ledger.raiseFence() == 3)
        #expect(books.ledger.epoch == 3)
        try books.reopen()
        #expect(books.ledger.epoch == 4)
    }

    @Test(
        "the older of two writers is refused, nothing of its commit is there, and it may still read",
        arguments: Backend.allCases)
    func fenced(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.add(1)
        let older = books.ledger
        let newer = try backend.open(books.folder, books.sealer)
        defer { newer.close() }
        #expect(code { try older.commit(Books.receive(2, document: "doc-2")) } == "E-LEDGER-007")
        #expect(code { try older.prune(Retention()) } == "E-LEDGER-007")
        #expect(code { try older.raiseFence() } == "E-LEDGER-007")
        #expect(older.epoch == 1)
        try newer.commit(Books.receive(2, document: "doc-2b"))
        #expect(try older.all().map(\.document) == ["doc-2b", "doc-1"])
        #expect(try newer.all().map(\.document) == ["doc-2b", "doc-1"])
    }

    @Test("a commit of nothing asks nobody", arguments: Backend.allCases)
    func nothing(_ backend: Backend) throws {
        let books = try Books(backend)
        let newer = try backend.open(books.folder, books.sealer)
        defer { newer.close() }
        try books.ledger.commit([])
    }

    @Test("a raised fence shuts out nobody but the others", arguments: Backend.allCases)
    func raised(_ backend: Backend) throws {
        let books = try Books(backend)
        for expected in 2...4 as ClosedRange<Int64> {
            #expect(try books.ledger.raiseFence() == expected)
            try books.add(expected, document: "doc-\(expected)")
        }
        #expect(try books.ledger.all().count == 3)
    }
}
