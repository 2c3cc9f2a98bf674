import Engine
import GRDB
import Values

import struct Foundation.Data

/// One line of the audit log.
public struct AuditLine: Sendable, Equatable {
    /// Counts from 1 without a gap.
    public var seq: Int64
    /// When.
    public var at: Milliseconds
    /// Who: a person's account name, or `host`.
    public var actor: String
    /// What, as a fixed word, e.g. `ledger.resolve`.
    public var action: String
    /// On what and why, JSON text without secrets.
    public var detail: String

    /// The action of a line that says: the chain was shorter at a start than the host had seen it.
    public static let gap = "audit.gap"

    /// What the chain covers, each part with its length so that no two lines share bytes.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for part in ["\(seq)", "\(at)", actor, action, detail] {
            bytes += Array("\(part.utf8.count):".utf8) + Array(part.utf8)
        }
        return bytes
    }
}

/// The newest line of the audit chain.
public struct AuditHead: Sendable, Equatable {
    /// Its number; 0 before the first line.
    public var line: Int64
    /// What the next line is chained to.
    public var chain: [UInt8]
    /// Line and chain under the sealer's key. Kept elsewhere, it tells later that this line was there.
    public var sealed: [UInt8]

    private static let context = "audit head"

    static func sealed(line: Int64, chain: [UInt8], _ sealer: any PayloadSealing) throws -> [UInt8] {
        try sealer.seal(Array("\(line):".utf8) + chain, context: context)
    }

    /// Nil when the bytes were changed or sealed under another key.
    static func opened(_ sealed: [UInt8], _ sealer: any PayloadSealing) -> AuditHead? {
        guard let bytes = try? sealer.open(sealed, context: context), let colon = bytes.firstIndex(of: 58),
            let line = Int64(String(decoding: bytes[..<colon], as: UTF8.self))
        else { return nil }
        return AuditHead(line: line, chain: Array(bytes[(colon + 1)...]), sealed: sealed)
    }

    static func read(_ db: Database, _ sealer: any PayloadSealing) throws -> AuditHead {
        let sealed = try Data.fetchOne(db.cachedStatement(sql: "SELECT audit_head FROM writer"))
        guard let head = sealed.flatMap({ opened([UInt8]($0), sealer) }) else { throw Problem.auditHeadUnreadable() }
        return head
    }
}

/// What a walk over the audit chain found.
public struct AuditReport: Sendable {
    /// Lines that are there.
    public var lines: Int64
    /// The newest line, as the ledger holds it beside the chain.
    public var head: AuditHead
    /// The first line that does not fit, and what is wrong there.
    public var broken: (line: Int64, problem: Problem)?
    /// Lines in which a starting host wrote down that the chain was shorter than it had seen.
    public var gaps: [Int64]
}

extension SQLiteLedger {
    /// See `Ledger`.
    public func audit(limit: Int) throws(Problem) -> [AuditLine] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM audit ORDER BY seq DESC LIMIT ?", arguments: [limit])
                .reversed().map(Self.auditLine)
        }
    }

    /// See `Ledger`.
    public func auditHead() throws(Problem) -> AuditHead { try read { db in try AuditHead.read(db, self.sealer) } }

    /// See `Ledger`.
    public func holdsAudit(_ head: [UInt8]) throws(Problem) -> Bool {
        guard let known = AuditHead.opened(head, sealer) else { return false }
        return try read { db in try Self.holds(known, db) }
    }

    private static func holds(_ known: AuditHead, _ db: Database) throws -> Bool {
        if known.line == 0 { return true }
        let chain = try Data.fetchOne(db, sql: "SELECT chain FROM audit WHERE seq = ?", arguments: [known.line])
        return chain.map { [UInt8]($0) } == known.chain
    }

    /// See `Ledger`.
    public func verifyAudit(knowing other: [UInt8]?) throws(Problem) -> AuditReport {
        try read { db in
            let head = try AuditHead.read(db, self.sealer)
            var report = AuditReport(lines: 0, head: head, gaps: [])
            var previous: [UInt8] = []
            var expected: Int64 = 1
            let rows = try Row.fetchCursor(db, sql: "SELECT * FROM audit ORDER BY seq")
            while let row = try rows.next() {
                report.lines += 1
                if report.broken != nil { continue }
                let line = Self.auditLine(row)
                let chain = [UInt8](row["chain"] as Data)
                guard line.seq == expected, try chain == self.sealer.keyedHash(previous + line.bytes) else {
                    report.broken = (expected, .auditBroken(expected))
                    continue
                }
                if line.action == AuditLine.gap { report.gaps.append(line.seq) }
                previous = chain
                expected += 1
            }
            if report.broken == nil, head.line != expected - 1 || head.chain != previous {
                report.broken = (expected, .auditCut(after: expected - 1, newest: head.line))
            }
            if report.broken == nil, let other {
                guard let known = AuditHead.opened(other, self.sealer) else { throw Problem.auditHeadUnreadable() }
                if try !Self.holds(known, db) {
                    report.broken = (expected, .auditCut(after: expected - 1, newest: known.line))
                }
            }
            return report
        }
    }

    private static func auditLine(_ row: Row) -> AuditLine {
        AuditLine(seq: row["seq"], at: row["at"], actor: row["actor"], action: row["action"], detail: row["detail"])
    }
}
