import Engine
import Testing
import Values

@testable import Ledger

@Suite("Bytes that are there, and that are not")
struct BytesTests {
    @Test("a document that is not there: E-LEDGER-005; bytes that never were: nil", arguments: Backend.allCases)
    func absent(_ backend: Backend) throws {
        let books = try Books(backend)
        #expect(code { try books.ledger.payload(inbox: 99) } == "E-LEDGER-005")
        #expect(try books.ledger.mapped(99) == nil)
        try books.add(1)
        #expect(try books.ledger.mapped(1) == nil)
        #expect(try books.ledger.checkpoint(1) == nil)
    }

    @Test("an empty checkpoint or token forgets the one before", arguments: Backend.allCases)
    func forgotten(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.add(1)
        try books.add(2, document: "doc-2")
        for id in [1, 2] as [ItemID] {
            try books.ledger.commit([.checkpoint(id, bytes: [1]), .token(id, bytes: [2])])
        }
        try books.ledger.commit([.checkpoint(1, bytes: []), .token(1, bytes: [])])
        #expect(try books.ledger.checkpoint(1) == nil)
        #expect(try books.ledger.token(1) == nil)
        #expect(try books.ledger.checkpoint(2) != nil)
    }
}
