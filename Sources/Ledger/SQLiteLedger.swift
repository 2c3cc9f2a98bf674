import Engine
import GRDB
import GRDBSQLite
import Synchronization
import Values

/// The ledger in one SQLite file, through GRDB: WAL, synchronous=FULL.
public final class SQLiteLedger: Ledger {
    let pool: DatabasePool
    let sealer: any PayloadSealing
    private let current: Mutex<Int64>

    /// Opens or makes the ledger at `path`, brings its schema forward and claims the next epoch: whoever had the file
    /// before can no longer write it.
    public init(path: String, sealer: any PayloadSealing) throws(Problem) {
        self.sealer = sealer
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(LedgerLimits.busyTimeoutSeconds)
            configuration.maximumReaderCount = LedgerLimits.readers
            // A new file becomes a WAL file by a rollback journal. Were the journal's end not synced too, a power loss
            // days later could bring it back, and with it the empty file.
            configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA synchronous = EXTRA") }
            pool = try DatabasePool(path: path, configuration: configuration)
            let migrator = Schema.migrator(sealer)
            let known = Set(migrator.migrations)
            let foreign = try pool.read { db in
                try migrator.appliedIdentifiers(db).filter { !known.contains($0) }.sorted()
            }
            if let newest = foreign.last { throw Problem.ledgerNewer(newest) }
            try migrator.migrate(pool)
            // Turning WAL on leaves synchronous at NORMAL, whatever was asked before: set it after, and read it back.
            let synchronous = try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = FULL")
                return try Int.fetchOne(db, sql: "PRAGMA synchronous") ?? -1
            }
            if synchronous != 2 { throw Problem.ledgerNotDurable(synchronous) }
            current = Mutex(try pool.write { db in try Self.claim(db) })
        } catch let problem as Problem {
            throw problem
        } catch {
            throw .ledgerCannotOpen(path, Self.words(error))
        }
    }

    // MARK: one writer

    /// See `Ledger`.
    public var epoch: Int64 { current.withLock { $0 } }

    /// See `Ledger`.
    public func raiseFence() throws(Problem) -> Int64 {
        let claimed = try write { db in try Self.claim(db) }
        current.withLock { $0 = claimed }
        return claimed
    }

    private static func claim(_ db: Database) throws -> Int64 {
        try db.execute(sql: "UPDATE writer SET epoch = epoch + 1")
        return try Int64.fetchOne(db, sql: "SELECT epoch FROM writer") ?? 0
    }

    /// Nobody has claimed the file since, and the path still names it: a commit to a file that was replaced under us
    /// would be durable for nobody.
    private func checkFence(_ db: Database) throws {
        var moved: CInt = 0
        if sqlite3_file_control(db.sqliteConnection, nil, SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK, moved != 0 {
            throw Problem.ledgerReplaced(pool.path)
        }
        let claimed = try Int64.fetchOne(db.cachedStatement(sql: "SELECT epoch FROM writer")) ?? -1
        if claimed != epoch { throw Problem.ledgerFenced(own: epoch, claimed: claimed) }
    }

    // MARK: writing and reading

    /// See `Ledger`.
    public func commit(_ changes: [Change]) throws(Problem) {
        if changes.isEmpty { return }
        try write { db in
            let writer = ChangeWriter(db: db, sealer: sealer)
            for change in changes { try writer.write(change) }
        }
    }

    /// One transaction of this writer, durable when it returns.
    func write<T>(_ body: (Database) throws -> T) throws(Problem) -> T {
        do {
            return try pool.writeWithoutTransaction { db in
                var result: T?
                try db.inTransaction(.immediate) {
                    try checkFence(db)
                    result = try body(db)
                    return .commit
                }
                // The transaction was committed, so its body gave a result.
                return result!
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

    /// Ends the connections. The writer's must be the last: only it can move the write-ahead log into the file, so that
    /// one file is the ledger of a stopped host.
    public func close() {
        pool.invalidateReadOnlyConnections()
        try? pool.close()
    }

    /// The database's own words without the statement or its arguments, which may hold documents.
    private static func words(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return "\(type(of: error))" }
        return "\(error.extendedResultCode.rawValue) \(error.message ?? "")"
    }
}
