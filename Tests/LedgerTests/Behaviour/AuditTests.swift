import Testing
import Values

@testable import Ledger

/// Every line is chained to the one before it under the sealer's key, and the newest is sealed beside the chain.
@Suite("The audit chain")
struct AuditTests {
    private func books(_ backend: Backend) throws -> Books {
        let books = try Books(backend)
        for n in 1...5 as ClosedRange<Int64> {
            try books.ledger.commit([
                .audit(actor: "li", action: "ledger.skip", detail: "{\"item\":\"\(n)\"}", at: 1_000 + n)
            ])
        }
        return books
    }

    @Test("text moved from one field to the next is a change")
    func fieldsAreApart() {
        let a = AuditLine(seq: 1, at: 1, actor: "ab", action: "c", detail: "")
        let b = AuditLine(seq: 1, at: 1, actor: "a", action: "bc", detail: "")
        #expect(a.bytes != b.bytes)
    }

    @Test(
        "under another key the chain is no chain, so nobody without the key can write one anew",
        arguments: Backend.allCases)
    func otherKey(_ backend: Backend) throws {
        let books = try books(backend)
        let other = try backend.open(books.folder, ToySealer(key: 1))
        defer { other.close() }
        #expect(code { try other.verifiedLines() } == "E-LEDGER-009")
    }

    @Test("a head kept elsewhere is found again, in a longer chain too", arguments: Backend.allCases)
    func kept(_ backend: Backend) throws {
        let books = try books(backend)
        let head = try books.ledger.auditHead()
        #expect(head.line == 5)
        #expect(try books.ledger.verifiedLines(knowing: head.sealed) == 5)
        try books.ledger.commit([.audit(actor: "host", action: "apply", detail: "{}", at: 9)])
        #expect(try books.ledger.holdsAudit(head.sealed))
        #expect(try books.ledger.verifiedLines(knowing: head.sealed) == 6)
        let first = try Books(backend)
        #expect(try books.ledger.holdsAudit(first.ledger.auditHead().sealed), "the head before the first line")
    }

    @Test(
        "a ledger that is older than the head kept elsewhere, or another one: E-LEDGER-010", arguments: Backend.allCases
    )
    func older(_ backend: Backend) throws {
        let books = try books(backend)
        let older = try Books(backend)
        try older.ledger.commit([.audit(actor: "li", action: "ledger.skip", detail: "{\"item\":\"1\"}", at: 1_001)])
        let known = try books.ledger.auditHead().sealed
        #expect(try !older.ledger.holdsAudit(known))
        #expect(code { try older.ledger.verifiedLines(knowing: known) } == "E-LEDGER-010")
        #expect(try older.ledger.verifyAudit(knowing: known).broken?.line == 2)
        // As many lines, but not the same ones.
        for n in 2...5 as ClosedRange<Int64> {
            try older.ledger.commit([.audit(actor: "li", action: "other", detail: "", at: n)])
        }
        #expect(code { try older.ledger.verifiedLines(knowing: known) } == "E-LEDGER-010")
    }

    @Test("a head nobody sealed is no head: E-LEDGER-009", arguments: Backend.allCases)
    func forgedHead(_ backend: Backend) throws {
        let books = try books(backend)
        #expect(try !books.ledger.holdsAudit([1, 2, 3]))
        #expect(code { try books.ledger.verifiedLines(knowing: [1, 2, 3]) } == "E-LEDGER-009")
    }

    @Test("a start that missed lines says so in the chain, and the walk tells where", arguments: Backend.allCases)
    func gaps(_ backend: Backend) throws {
        let books = try books(backend)
        try books.ledger.commit([.audit(actor: "host", action: AuditLine.gap, detail: "{}", at: 1)])
        let report = try books.ledger.verifyAudit(knowing: nil)
        #expect(report.broken == nil && report.gaps == [6] && report.lines == 6)
    }

    @Test(
        "an untouched chain is whole, across restarts, and gives the newest lines oldest first",
        arguments: Backend.allCases)
    func whole(_ backend: Backend) throws {
        let books = try books(backend)
        try books.reopen()
        try books.ledger.commit([.audit(actor: "host", action: "apply", detail: "{}", at: 9)])
        #expect(try books.ledger.verifiedLines() == 6)
        #expect(try books.ledger.audit(limit: 2).map(\.seq) == [5, 6])
        #expect(try books.ledger.audit(limit: 100).first?.actor == "li")
    }

    @Test("several lines of one commit are chained one after the other", arguments: Backend.allCases)
    func oneCommit(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.ledger.commit([
            .audit(actor: "a", action: "x", detail: "", at: 1), .audit(actor: "b", action: "y", detail: "", at: 1),
        ])
        #expect(try books.ledger.verifiedLines() == 2)
    }

    @Test("an empty log is whole", arguments: Backend.allCases)
    func empty(_ backend: Backend) throws {
        let books = try Books(backend)
        #expect(try books.ledger.verifiedLines() == 0)
    }
}
