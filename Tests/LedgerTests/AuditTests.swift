import Testing
import Values

@testable import Ledger

/// What the chain tells and what it does not: every line is chained to the one before it under the sealer's key, so a
/// change, a removal or an insertion inside breaks it. A cut at the end leaves a shorter chain that is whole: only the
/// number of lines, kept elsewhere, tells it.
@Suite("The audit chain")
struct AuditTests {
    private func books() throws -> Books {
        let books = try Books()
        for n in 1...5 as ClosedRange<Int64> {
            try books.ledger.commit([
                .audit(actor: "li", action: "ledger.skip", detail: "{\"item\":\"\(n)\"}", at: 1_000 + n)
            ])
        }
        return books
    }

    @Test(
        "one place changed, removed or inserted: E-LEDGER-006",
        arguments: [
            "UPDATE audit SET actor = 'wang' WHERE seq = 3",
            "UPDATE audit SET action = 'ledger.retry' WHERE seq = 3",
            "UPDATE audit SET detail = '{\"item\":\"9\"}' WHERE seq = 5",
            "UPDATE audit SET at = at + 1 WHERE seq = 1",
            "UPDATE audit SET chain = x'00' WHERE seq = 2",
            "DELETE FROM audit WHERE seq = 1",
            "DELETE FROM audit WHERE seq = 3",
            "DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3",
            "INSERT INTO audit SELECT 6, at, actor, action, detail, chain FROM audit WHERE seq = 5",
            "INSERT INTO audit SELECT 0, at, actor, action, detail, chain FROM audit WHERE seq = 1",
            "UPDATE audit SET seq = 10 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 10",
        ])
    func broken(sql: String) throws {
        let books = try books()
        try books.tamper(sql)
        #expect(code { try books.ledger.verifyAudit() } == "E-LEDGER-006")
    }

    @Test("text moved from one field to the next is a change")
    func fieldsAreApart() {
        let a = AuditLine(seq: 1, at: 1, actor: "ab", action: "c", detail: "")
        let b = AuditLine(seq: 1, at: 1, actor: "a", action: "bc", detail: "")
        #expect(a.bytes != b.bytes)
    }

    @Test("another key does not verify the chain, so nobody without the key can write one anew")
    func otherKey() throws {
        let books = try books()
        books.ledger.close()
        let other = try Ledger(path: books.path, sealer: ToySealer(key: 1))
        defer { other.close() }
        #expect(code { try other.verifyAudit() } == "E-LEDGER-006")
    }

    @Test("a cut tail is a whole chain with fewer lines: the count is what tells it")
    func cutTail() throws {
        let books = try books()
        #expect(try books.ledger.verifyAudit() == 5)
        try books.tamper("DELETE FROM audit WHERE seq > 3")
        #expect(try books.ledger.verifyAudit() == 3)
    }

    @Test("an untouched chain is whole, across restarts, and gives the newest lines oldest first")
    func whole() throws {
        let books = try books()
        try books.reopen()
        try books.ledger.commit([.audit(actor: "host", action: "apply", detail: "{}", at: 9)])
        #expect(try books.ledger.verifyAudit() == 6)
        #expect(try books.ledger.audit(limit: 2).map(\.seq) == [5, 6])
        #expect(try books.ledger.audit(limit: 100).first?.actor == "li")
    }

    @Test("several lines of one commit are chained one after the other")
    func oneCommit() throws {
        let books = try Books()
        try books.ledger.commit([
            .audit(actor: "a", action: "x", detail: "", at: 1), .audit(actor: "b", action: "y", detail: "", at: 1),
        ])
        #expect(try books.ledger.verifyAudit() == 2)
    }

    @Test("an empty log is whole")
    func empty() throws {
        let books = try Books()
        #expect(try books.ledger.verifyAudit() == 0)
    }
}
