import Engine
import Foundation
import Testing
import Values

@testable import Ledger

@Suite("Documents cannot be read in the file, nor moved within it")
struct SealingTests {
    static let secret = "差旅报销-王小明-1280.50-SECRET-PAYLOAD"

    private func full() throws -> Books {
        let books = try Books(.sqlite)
        let bytes = Array(Self.secret.utf8)
        try books.ledger.commit(Books.receive(1, payload: bytes) + Books.receive(2, document: "doc-2", payload: bytes))
        try books.ledger.commit([
            .mapped(1, bytes: bytes, settings: bytes), .checkpoint(1, bytes: bytes), .token(1, bytes: bytes),
            .mapped(2, bytes: bytes, settings: bytes), .checkpoint(2, bytes: bytes), .token(2, bytes: bytes),
            .state(connection: "books", key: "page", bytes: bytes),
            .state(connection: "office", key: "page", bytes: bytes),
            .link(LinkRow(item: 1, number: "记-1", targetID: "100", readBack: bytes, at: 1)),
            .item(
                Item(id: 2, flow: 1, lane: 1, orderKey: "", state: .held(.mapping), revision: 1), detail: Self.secret,
                at: 1
            ),
            .openIntent(2, attempt: 1, epoch: 1, at: 1),
            .closeIntent(2, attempt: 1, end: .notApplied, detail: Self.secret, at: 2),
            .hint(stream: 1, document: "doc-3", known: Self.secret, at: 1),
        ])
        return books
    }

    @Test("neither the database nor its write-ahead log holds the text, before and after a checkpoint")
    func unreadable() throws {
        let books = try full()
        #expect(try contains(books.bytes(), "doc-2"), "the search finds what is there in the clear")
        for part in [Self.secret, "王小明", "SECRET-PAYLOAD", "1280.50"] {
            #expect(try !contains(books.bytes(), part))
        }
        try books.reopen()
        #expect(try !contains(books.bytes(), "SECRET-PAYLOAD"))
        #expect(try books.ledger.payload(inbox: 1).payload == Array(Self.secret.utf8))
        #expect(try books.ledger.mapped(1) == Array(Self.secret.utf8))
        #expect(try books.ledger.checkpoint(1) == Array(Self.secret.utf8))
        #expect(try books.ledger.token(1) == Array(Self.secret.utf8))
        #expect(try books.ledger.state(connection: "books", key: "page") == Array(Self.secret.utf8))
        // Causes and what an event told are payload too.
        let views = try books.ledger.list(flow: nil, hidingDone: [], state: nil, limit: 9, ids: nil)
        #expect(views.first { $0.id == 2 }?.detail == Self.secret)
        #expect(try books.ledger.intents(2).map(\.detail) == [Self.secret])
        #expect(try books.ledger.start().hints.map(\.known) == [Self.secret])
    }

    @Test(
        "a sealed payload put into another row, or another column: E-LEDGER-005",
        arguments: [
            "UPDATE inbox SET payload = (SELECT payload FROM inbox WHERE id = 2) WHERE id = 1",
            "UPDATE inbox SET payload = (SELECT mapped FROM item WHERE id = 1) WHERE id = 1",
            "UPDATE inbox SET payload = CAST(x'00' || substr(payload, 2) AS BLOB) WHERE id = 1",
            "UPDATE inbox SET payload = substr(payload, 1, length(payload) - 1) WHERE id = 1",
            "UPDATE inbox SET payload = x'' WHERE id = 1",
            "UPDATE inbox SET payload = NULL WHERE id = 1",
        ])
    func payloadMoved(sql: String) throws {
        let books = try full()
        try books.tamper(sql)
        #expect(code { try books.ledger.payload(inbox: 1) } == "E-LEDGER-005")
        #expect(code { try books.ledger.payload(inbox: 2) } == nil)
    }

    @Test("so with what was sent, the checkpoint and the token", arguments: ["mapped", "checkpoint", "token"])
    func columnMoved(column: String) throws {
        let books = try full()
        try books.tamper("UPDATE item SET \(column) = (SELECT \(column) FROM item WHERE id = 2) WHERE id = 1")
        let read: (ItemID) throws -> [UInt8]? = { id in
            switch column {
            case "mapped": try books.ledger.mapped(id)
            case "checkpoint": try books.ledger.checkpoint(id)
            default: try books.ledger.token(id)
            }
        }
        #expect(code { try read(1) } == "E-LEDGER-005")
        #expect(try read(2) == Array(Self.secret.utf8))
    }

    @Test("so with a connector's own state")
    func stateMoved() throws {
        let books = try full()
        try books.tamper(
            """
            UPDATE connector_state SET bytes = (SELECT bytes FROM connector_state WHERE connection = 'office')
            WHERE connection = 'books'
            """)
        #expect(code { try books.ledger.state(connection: "books", key: "page") } == "E-LEDGER-005")
    }
}
