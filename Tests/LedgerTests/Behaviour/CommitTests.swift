import Engine
import Testing
import Values

@testable import Ledger

@Suite("A commit is everything or nothing")
struct CommitTests {
    @Test("a change that fails in the middle leaves nothing of the commit: E-LEDGER-003", arguments: Backend.allCases)
    func failsInTheMiddle(_ backend: Backend) throws {
        let books = try Books(backend)
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
        #expect(try books.ledger.verifiedLines() == 0)
        // The ledger works on: the refusal was of the changes, not of the file.
        try books.add(2, document: "doc-2")
        #expect(try books.ledger.start().items.count == 2)
    }

    @Test("a payload that cannot be sealed fails the whole commit", arguments: Backend.allCases)
    func cannotSeal(_ backend: Backend) throws {
        let books = try Books(backend, sealer: ToySealer(poison: Array("poison".utf8)))
        let changes = Books.receive(1) + Books.receive(2, document: "doc-2", payload: Array("poison".utf8))
        #expect(code { try books.ledger.commit(changes) } == "E-LEDGER-003")
        #expect(try books.ledger.counts().isEmpty)
    }

    @Test("an item that points to no document is refused", arguments: Backend.allCases)
    func orphan(_ backend: Backend) throws {
        let books = try Books(backend)
        let orphan = ItemOrigin(id: 1, inbox: 77, flow: 1, lane: 1, document: "voucher", ordinal: 0, key: nil)
        #expect(code { try books.ledger.commit([.origin(orphan)]) } == "E-LEDGER-003")
    }

    @Test("no changes, no transaction", arguments: Backend.allCases)
    func nothing(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.ledger.commit([])
        #expect(try books.ledger.start().nextItem == 1)
    }
}
