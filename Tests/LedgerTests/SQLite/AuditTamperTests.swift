import Testing
import Values

@testable import Ledger

@Suite("An altered audit chain is found at its first altered line")
struct AuditTamperTests {
    private func books() throws -> Books {
        let books = try Books(.sqlite)
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
        #expect(code { try books.ledger.verifiedLines() } == "E-LEDGER-006")
    }

    @Test("the walk names the line, and counts the rest", arguments: [1, 3, 5])
    func line(seq: Int64) throws {
        let books = try books()
        try books.tamper("UPDATE audit SET detail = 'x' WHERE seq = ?", [seq])
        let report = try books.ledger.verifyAudit(knowing: nil)
        #expect(report.broken?.line == seq && report.lines == 5)
    }

    @Test("an end that was cut off is found, and what is written afterwards does not hide it: E-LEDGER-010")
    func cutTail() throws {
        let books = try books()
        try books.tamper("DELETE FROM audit WHERE seq > 3")
        #expect(code { try books.ledger.verifiedLines() } == "E-LEDGER-010")
        #expect(try books.ledger.verifyAudit(knowing: nil).broken?.line == 4)
        try books.reopen()
        try books.ledger.commit([.audit(actor: "host", action: "apply", detail: "{}", at: 9)])
        #expect(try books.ledger.audit(limit: 1).map(\.seq) == [6])
        #expect(code { try books.ledger.verifiedLines() } == "E-LEDGER-006")
    }

    @Test("the whole log removed is a cut too")
    func emptied() throws {
        let books = try books()
        try books.tamper("DELETE FROM audit")
        #expect(code { try books.ledger.verifiedLines() } == "E-LEDGER-010")
    }

    @Test("the sealed head altered: E-LEDGER-009, and no line can be added over it")
    func headAltered() throws {
        let books = try books()
        try books.tamper("UPDATE writer SET audit_head = x'00'")
        #expect(code { try books.ledger.verifiedLines() } == "E-LEDGER-009")
        let line = Change.audit(actor: "host", action: "apply", detail: "{}", at: 9)
        #expect(code { try books.ledger.commit([line]) } == "E-LEDGER-009")
    }

    @Test("an older head put back with an older chain is whole: only a head kept elsewhere tells it")
    func replayed() throws {
        let books = try books()
        let kept = try books.ledger.auditHead()
        try books.tamper("CREATE TABLE aside AS SELECT audit_head FROM writer")
        try books.ledger.commit([.audit(actor: "li", action: "ledger.skip", detail: "{}", at: 9)])
        let newest = try books.ledger.auditHead()
        try books.tamper(
            "DELETE FROM audit WHERE seq = 6; UPDATE writer SET audit_head = (SELECT audit_head FROM aside)")
        #expect(try books.ledger.verifiedLines(knowing: kept.sealed) == 5)
        #expect(code { try books.ledger.verifiedLines(knowing: newest.sealed) } == "E-LEDGER-010")
    }
}
