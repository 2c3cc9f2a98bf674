import Engine
import struct Foundation.Data
import GRDB
import Values

/// Durable truth: inbox, items, intents, links, cursors, limits, audit. SQLite through GRDB, WAL, synchronous=FULL.
///
/// One writer calls `commit`; a commit is one transaction with one fsync, whatever number of changes it holds.
/// Reads come from other threads and see the last commit. Every call blocks: never on Swift's cooperative pool.
public final class Ledger: Sendable {
    let pool: DatabasePool
    let sealer: any PayloadSealing

    /// Opens or makes the ledger at `path` and brings its schema forward.
    public init(path: String, sealer: any PayloadSealing) throws(Problem) {
        self.sealer = sealer
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(LedgerLimits.busyTimeoutSeconds)
            configuration.maximumReaderCount = LedgerLimits.readers
            pool = try DatabasePool(path: path, configuration: configuration)
            let known = Set(Schema.migrator.migrations)
            let foreign = try pool.read { db in
                try Schema.migrator.appliedIdentifiers(db).filter { !known.contains($0) }.sorted()
            }
            if let newest = foreign.last { throw Problem.ledgerNewer(newest) }
            try Schema.migrator.migrate(pool)
            // Turning WAL on leaves synchronous at NORMAL, whatever was asked before: set it after, and read it back.
            let synchronous = try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = FULL")
                return try Int.fetchOne(db, sql: "PRAGMA synchronous") ?? -1
            }
            if synchronous != 2 { throw Problem.ledgerNotDurable(synchronous) }
        } catch let problem as Problem {
            throw problem
        } catch {
            throw .ledgerCannotOpen(path, Self.words(error))
        }
    }

    /// Makes the changes durable together, or none of them.
    public func commit(_ changes: [Change]) throws(Problem) {
        if changes.isEmpty { return }
        do {
            try pool.writeWithoutTransaction { db in
                try db.inTransaction(.immediate) {
                    let writer = ChangeWriter(db: db, sealer: sealer)
                    for change in changes { try writer.write(change) }
                    return .commit
                }
            }
        } catch let problem as Problem {
            throw problem
        } catch {
            throw .ledgerWriteFailed(Self.words(error))
        }
    }

    /// A read on a snapshot of the last commit.
    func read<T>(_ body: (Database) throws -> T) throws(Problem) -> T {
        do {
            return try pool.read(body)
        } catch let problem as Problem {
            throw problem
        } catch {
            throw .ledgerCannotOpen(pool.path, Self.words(error))
        }
    }

    /// Ends the connections; the last reader checkpoints the WAL.
    public func close() { try? pool.close() }

    /// The database's own words without the statement or its arguments, which may hold documents.
    private static func words(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return "\(type(of: error))" }
        return "\(error.extendedResultCode.rawValue) \(error.message ?? "")"
    }
}

/// Writes one change with statements that are compiled once.
private struct ChangeWriter {
    let db: Database
    let sealer: any PayloadSealing

    private func run(_ sql: String, _ arguments: StatementArguments) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    func write(_ change: Change) throws {
        switch change {
        case .name(let kind, let id, let name):
            try run("INSERT INTO name (kind, id, name) VALUES (?, ?, ?)", [kind.rawValue, id, name])
        case .inbox(let row):
            let sealed = try sealer.seal(row.payload, context: "inbox \(row.id)")
            try run(
                """
                INSERT INTO inbox (id, stream, document, number, hash, at, revision, payload)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    row.id, row.stream, row.document, row.number, Data(row.hash), row.at, row.revision, Data(sealed),
                ])
        case .origin(let origin):
            try run(
                "INSERT INTO item (id, inbox, flow, lane, document, ordinal, key) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    origin.id, origin.inbox, origin.flow, origin.lane, origin.document, origin.ordinal, origin.key,
                ])
        case .item(let item, let detail, let at): try write(item, detail, at)
        case .mapped(let id, let bytes, let settings):
            let sealed = try sealer.seal(bytes, context: "mapped \(id)")
            let sealedSettings = try sealer.seal(settings, context: "settings \(id)")
            try run(
                "UPDATE item SET mapped = ?, settings = ? WHERE id = ?", [Data(sealed), Data(sealedSettings), id])
        case .openIntent(let id, let attempt, let epoch, let at):
            try run(
                "INSERT INTO intent (item, attempt, epoch, opened) VALUES (?, ?, ?, ?)", [id, attempt, epoch, at])
        case .closeIntent(let id, let attempt, let end, let detail, let at):
            try run(
                "UPDATE intent SET closed = ?, end = ?, detail = ? WHERE item = ? AND attempt = ?",
                [at, end.rawValue, try sealed(detail, "intent \(id)"), id, attempt])
        case .checkpoint(let id, let bytes):
            let sealed = bytes.isEmpty ? nil : Data(try sealer.seal(bytes, context: "checkpoint \(id)"))
            try run("UPDATE item SET checkpoint = ? WHERE id = ?", [sealed, id])
        case .token(let id, let bytes):
            let sealed = bytes.isEmpty ? nil : Data(try sealer.seal(bytes, context: "token \(id)"))
            try run("UPDATE item SET token = ? WHERE id = ?", [sealed, id])
        case .link(let link):
            let sealed =
                link.readBack.isEmpty ? nil : Data(try sealer.seal(link.readBack, context: "link \(link.item)"))
            try run(
                "INSERT OR REPLACE INTO link (item, number, target_id, read_back, at) VALUES (?, ?, ?, ?, ?)",
                [link.item, link.number, link.targetID, sealed, link.at])
        default: try writeRest(change)
        }
    }

    /// Causes quote documents and vendors: they are payload too.
    private func sealed(_ text: String?, _ context: String) throws -> Data? {
        guard let text else { return nil }
        return Data(try sealer.seal(Array(text.utf8), context: context))
    }

    private func write(_ item: Item, _ detail: String?, _ at: Milliseconds) throws {
        let code = StateCode(item.state)
        try run(
            """
            UPDATE item SET order_key = ?, kind = ?, a = ?, b = ?, c = ?, tries = ?, attempts = ?, revision = ?,
                detail = ?, at = ? WHERE id = ?
            """,
            [
                item.orderKey, code.kind, code.a, code.b, code.c, item.triesSpent, item.attempts, item.revision,
                try sealed(detail, "detail \(item.id)"), at, item.id,
            ])
    }

    private func writeRest(_ change: Change) throws {
        switch change {
        case .cursor(let stream, let bytes, let at):
            try run("INSERT OR REPLACE INTO cursor (stream, bytes, at) VALUES (?, ?, ?)", [stream, Data(bytes), at])
        case .hint(let stream, let document, let known, let at):
            try run(
                "INSERT OR REPLACE INTO hint (stream, document, known, at) VALUES (?, ?, ?, ?)",
                [stream, document, try sealed(known, "hint \(stream) \(document)"), at])
        case .hintDone(let stream, let document, let before):
            try run("DELETE FROM hint WHERE stream = ? AND document = ? AND at <= ?", [stream, document, before])
        case .state(let connection, let key, let bytes):
            let sealed = try sealer.seal(bytes, context: "state \(connection) \(key)")
            try run(
                "INSERT OR REPLACE INTO connector_state (connection, key, bytes) VALUES (?, ?, ?)",
                [connection, key, Data(sealed)])
        case .limitBlock(let bucket, let from, let calls):
            try run(
                """
                INSERT INTO limit_block (bucket, starts, calls) VALUES (?, ?, ?)
                ON CONFLICT (bucket, starts) DO UPDATE SET calls = calls + excluded.calls
                """, [bucket, from, calls])
        case .lane(let id, let pause):
            let (until, cls): (Milliseconds?, Int?) =
                switch pause {
                case .until(let at, let cls)?: (at, cls.rawValue)
                case .stopped(let cls)?: (nil, cls?.rawValue ?? 0)
                case nil: (nil, nil)
                }
            try run("INSERT OR REPLACE INTO lane (id, until, class) VALUES (?, ?, ?)", [id, until, cls])
        case .flowPaused(let id, let paused, let at):
            try run("INSERT OR REPLACE INTO flow (id, paused, at) VALUES (?, ?, ?)", [id, paused ? 1 : 0, at])
        case .audit(let actor, let action, let detail, let at):
            let last = try Row.fetchOne(
                db.cachedStatement(sql: "SELECT seq, chain FROM audit ORDER BY seq DESC LIMIT 1"))
            let seq = (last?["seq"] as Int64? ?? 0) + 1
            let previous: Data = last?["chain"] ?? Data()
            let line = AuditLine(seq: seq, at: at, actor: actor, action: action, detail: detail)
            try run(
                "INSERT INTO audit (seq, at, actor, action, detail, chain) VALUES (?, ?, ?, ?, ?, ?)",
                [seq, at, actor, action, detail, Data(try sealer.keyedHash([UInt8](previous) + line.bytes))])
        default: break
        }
    }
}

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

    /// What the chain covers, each part with its length so that no two lines share bytes.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for part in ["\(seq)", "\(at)", actor, action, detail] {
            bytes += Array("\(part.utf8.count):".utf8) + Array(part.utf8)
        }
        return bytes
    }
}
