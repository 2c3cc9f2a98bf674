import Engine
import GRDB
import Values

extension SQLiteLedger {
    /// See `Ledger`.
    public func prune(_ retention: Retention) throws(Problem) -> Pruned {
        var pruned = Pruned()
        if let before = retention.settledBefore {
            // In pieces: the conductor's commits go in between.
            while true {
                let count = try write { db in try Self.pruneDocuments(db, before) }
                if count == 0 { break }
                pruned.documents += count
            }
        }
        pruned.limitBlocks = try write { db in
            try retention.limitBlocksBefore.reduce(0) { count, limit in
                try db.cachedStatement(sql: "DELETE FROM limit_block WHERE bucket = ? AND starts < ?")
                    .execute(arguments: [limit.key, limit.value])
                return count + db.changesCount
            }
        }
        return pruned
    }

    private static func pruneDocuments(_ db: Database, _ before: Milliseconds) throws -> Int {
        let rows = try Int64.fetchAll(
            db,
            sql: """
                SELECT id FROM inbox WHERE pruned IS NULL AND at < ?1 AND NOT EXISTS
                    (SELECT 1 FROM item WHERE item.inbox = inbox.id AND (item.kind < \(StateCode.done) OR item.at >= ?1))
                LIMIT \(LedgerLimits.prunedAtOnce)
                """, arguments: [before])
        for row in rows {
            try db.cachedStatement(
                sql: "DELETE FROM intent WHERE item IN (SELECT id FROM item WHERE inbox = ?)"
            ).execute(arguments: [row])
            try db.cachedStatement(
                sql: """
                    UPDATE item SET detail = NULL, mapped = NULL, settings = NULL, checkpoint = NULL, token = NULL
                    WHERE inbox = ?
                    """
            ).execute(arguments: [row])
            try db.cachedStatement(sql: "UPDATE inbox SET payload = NULL, pruned = ? WHERE id = ?")
                .execute(arguments: [before, row])
        }
        return rows.count
    }
}
