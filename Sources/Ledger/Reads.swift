import Engine
import GRDB
import Values

import struct Foundation.Data

extension SQLiteLedger {
    /// See `Ledger`.
    public func start() throws(Problem) -> LedgerStart {
        try read { db in
            var start = LedgerStart()
            for row in try Row.fetchAll(db, sql: "SELECT kind, id, name FROM name") {
                guard let kind = NameKind(rawValue: row["kind"]) else { continue }
                start.names[kind, default: [:]][row["name"]] = row["id"]
            }
            start.nextInbox = try (Int64.fetchOne(db, sql: "SELECT max(id) FROM inbox") ?? 0) + 1
            start.nextItem = try (Int64.fetchOne(db, sql: "SELECT max(id) FROM item") ?? 0) + 1
            for row in try Row.fetchAll(db, sql: "SELECT * FROM item WHERE kind < 7 ORDER BY id") {
                start.items.append((try Self.item(row), Self.origin(row)))
            }
            for row in try Row.fetchAll(db, sql: "SELECT id, until, class FROM lane WHERE class IS NOT NULL") {
                let cls = FailureClass(rawValue: row["class"])
                if let until: Milliseconds = row["until"], let cls {
                    start.lanes[row["id"]] = .until(until, cls)
                } else {
                    start.lanes[row["id"]] = .stopped(cls)
                }
            }
            for row in try Row.fetchAll(db, sql: "SELECT id, paused FROM flow") {
                start.pausedFlows[row["id"]] = (row["paused"] as Int) != 0
            }
            for row in try Row.fetchAll(db, sql: "SELECT stream, document, known FROM hint ORDER BY at, document") {
                let (stream, document): (Int64, String) = (row["stream"], row["document"])
                let known = try self.unsealed(row["known"], "hint \(stream) \(document)", "hint", stream)
                start.hints.append((stream, document, known ?? ""))
            }
            return start
        }
    }

    /// See `Ledger`.
    public func latest(stream: Int64, document: String) throws(Problem) -> (hash: [UInt8], payload: [UInt8])? {
        let id = try read { db in
            try Int64.fetchOne(
                db, sql: "SELECT id FROM inbox WHERE stream = ? AND document = ? ORDER BY id DESC LIMIT 1",
                arguments: [stream, document])
        }
        guard let id else { return nil }
        let row = try payload(inbox: id)
        return (row.hash, row.payload)
    }

    /// See `Ledger`.
    public func newestForms(stream: Int64, after: Int64, limit: Int) throws(Problem) -> [Int64] {
        try read { db in
            try Int64.fetchAll(
                db,
                sql: """
                    SELECT newest FROM
                        (SELECT max(id) AS newest FROM inbox WHERE stream = ? GROUP BY document HAVING newest > ?)
                        JOIN inbox ON inbox.id = newest
                    WHERE inbox.pruned IS NULL ORDER BY newest LIMIT ?
                    """, arguments: [stream, after, limit])
        }
    }

    /// See `Ledger`.
    public func unseen(stream: Int64, of documents: [String]) throws(Problem) -> [String] {
        try read { db in
            let known = try Set(
                String.fetchAll(
                    db,
                    sql: """
                        SELECT document FROM inbox WHERE stream = ?
                            AND document IN (\(databaseQuestionMarks(count: documents.count)))
                        """, arguments: [stream] + StatementArguments(documents)))
            return documents.filter { !known.contains($0) }
        }
    }

    /// See `Ledger`.
    public func liveParts(flow: FlowID, stream: Int64, document: String) throws(Problem) -> [LivePart] {
        try read { db in
            // CROSS keeps SQLite from walking every item of the flow for the sake of the order.
            try Row.fetchAll(
                db,
                sql: """
                    SELECT item.id, item.ordinal, item.key IS NOT NULL AS keyed, item.attempts, item.kind, item.a, item.b,
                        item.checkpoint IS NOT NULL AS begun
                    FROM inbox CROSS JOIN item ON item.inbox = inbox.id
                    WHERE inbox.stream = ? AND inbox.document = ? AND item.flow = ? AND item.kind <> ? ORDER BY item.id
                    """, arguments: [stream, document, flow, StateCode.skipped]
            ).map { row in
                let kind: Int = row["kind"]
                let isRefused =
                    kind == StateCode.held && (row["a"] as Int64) == 3
                    && (row["b"] as Int64) != Int64(FailureClass.conflict.rawValue)
                let isBegun: Bool = row["begun"]
                let isReplaceable = !isBegun && kind != StateCode.done && ((row["attempts"] as Int) == 0 || isRefused)
                // A changed form that waits for a person stands for no effect of its own.
                let isChange = !(row["keyed"] as Bool)
                return LivePart(
                    id: row["id"], ordinal: row["ordinal"], isReplaceable: isReplaceable, isChange: isChange)
            }
        }
    }

    /// See `Ledger`.
    public func liveItem(key: String) throws(Problem) -> ItemID? {
        try read { db in
            // The literal is what lets SQLite use the index of live keys.
            try Int64.fetchOne(
                db.cachedStatement(
                    sql: "SELECT id FROM item WHERE key = ? AND key IS NOT NULL AND kind <> \(StateCode.skipped)"),
                arguments: [key])
        }
    }

    /// See `Ledger`.
    public func ordinals(inbox: Int64, flow: FlowID) throws(Problem) -> Set<Int> {
        try read { db in
            try Set(
                Int.fetchAll(
                    db, sql: "SELECT ordinal FROM item WHERE inbox = ? AND flow = ? AND NOT (kind = ? AND a = ?)",
                    arguments: [inbox, flow, StateCode.skipped, SkipRule.mapping.rawValue]))
        }
    }

    /// See `Ledger`.
    public func payload(inbox: Int64) throws(Problem) -> InboxRow {
        try read { db in
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM inbox WHERE id = ?", arguments: [inbox]) else {
                throw Problem.ledgerRowUnreadable("inbox", inbox)
            }
            var found = InboxRow(
                id: inbox, stream: row["stream"], document: row["document"], number: row["number"],
                hash: [UInt8](row["hash"] as Data), at: row["at"], revision: row["revision"], payload: [])
            if (row["pruned"] as Milliseconds?) != nil { return found }
            guard let sealed: Data = row["payload"],
                let bytes = try? self.sealer.open([UInt8](sealed), context: "inbox \(inbox)")
            else { throw Problem.ledgerRowUnreadable("inbox", inbox) }
            found.payload = bytes
            return found
        }
    }

    /// See `Ledger`.
    public func mapped(_ item: ItemID) throws(Problem) -> [UInt8]? {
        try sealedColumn("mapped", item)
    }

    /// See `Ledger`.
    public func settings(_ item: ItemID) throws(Problem) -> [UInt8]? { try sealedColumn("settings", item) }

    /// See `Ledger`.
    public func checkpoint(_ item: ItemID) throws(Problem) -> [UInt8]? { try sealedColumn("checkpoint", item) }

    /// See `Ledger`.
    public func token(_ item: ItemID) throws(Problem) -> [UInt8]? { try sealedColumn("token", item) }

    private func sealedColumn(_ column: String, _ item: ItemID) throws(Problem) -> [UInt8]? {
        try read { db in
            guard
                let sealed = try Data.fetchOne(
                    db, sql: "SELECT \(column) FROM item WHERE id = ?", arguments: [item])
            else { return nil }
            guard let bytes = try? self.sealer.open([UInt8](sealed), context: "\(column) \(item)") else {
                throw Problem.ledgerRowUnreadable("item", item)
            }
            return bytes
        }
    }

    /// See `Ledger`.
    public func cursor(stream: Int64) throws(Problem) -> [UInt8] {
        try read { db in
            try Data.fetchOne(db, sql: "SELECT bytes FROM cursor WHERE stream = ?", arguments: [stream]).map {
                [UInt8]($0)
            } ?? []
        }
    }

    /// See `Ledger`.
    public func state(connection: String, key: String) throws(Problem) -> [UInt8] {
        try read { db in
            guard
                let sealed = try Data.fetchOne(
                    db, sql: "SELECT bytes FROM connector_state WHERE connection = ? AND key = ?",
                    arguments: [connection, key])
            else { return [] }
            guard let bytes = try? self.sealer.open([UInt8](sealed), context: "state \(connection) \(key)") else {
                throw Problem.ledgerRowUnreadable("connector_state", 0)
            }
            return bytes
        }
    }

    /// See `Ledger`.
    public func limitBlocks(bucket: String, from: Milliseconds) throws(Problem) -> [(at: Milliseconds, calls: Int)] {
        try read { db in
            try Row.fetchAll(
                db, sql: "SELECT starts, calls FROM limit_block WHERE bucket = ? AND starts >= ? ORDER BY starts",
                arguments: [bucket, from]
            ).map { ($0["starts"], $0["calls"]) }
        }
    }

    /// See `Ledger`.
    public func counts() throws(Problem) -> [FlowCounts] {
        try read { db in
            var flows: [FlowID: FlowCounts] = [:]
            for row in try Row.fetchAll(
                db, sql: "SELECT flow, kind, count(*) AS n, max(at) AS latest FROM item GROUP BY flow, kind")
            {
                let flow: FlowID = row["flow"]
                let kind: Int = row["kind"]
                let seen = FiveStates.allCases.first { StateCode.kinds(of: $0).contains(kind) }
                var counts = flows[flow] ?? FlowCounts(flow: flow, counts: [:], read: 0)
                counts.read += row["n"]
                if let seen { counts.counts[seen, default: 0] += row["n"] }
                if kind == StateCode.done { counts.lastDone = row["latest"] }
                flows[flow] = counts
            }
            return flows.values.sorted { $0.flow < $1.flow }
        }
    }

    /// See `Ledger`.
    public func list(
        flow: FlowID?, hidingDone quiet: Set<FlowID>, state: FiveStates?, limit: Int, ids: [ItemID]?
    ) throws(Problem) -> [ItemView] {
        try read { db in
            var sql = """
                SELECT item.*, inbox.document AS source, inbox.number AS source_number, link.number AS target_number
                FROM item JOIN inbox ON inbox.id = item.inbox LEFT JOIN link ON link.item = item.id WHERE 1
                """
            var arguments = StatementArguments()
            if let flow {
                sql += " AND item.flow = ?"
                arguments += [flow]
            }
            if !quiet.isEmpty {
                sql += " AND NOT (item.kind = ? AND item.flow IN (\(databaseQuestionMarks(count: quiet.count))))"
                arguments += [StateCode.done] + StatementArguments(quiet.sorted())
            }
            if let state {
                let kinds = StateCode.kinds(of: state)
                sql += " AND item.kind IN (\(databaseQuestionMarks(count: kinds.count)))"
                arguments += StatementArguments(kinds)
            }
            if let ids {
                sql += " AND item.id IN (\(databaseQuestionMarks(count: ids.count)))"
                arguments += StatementArguments(ids)
            }
            sql += " ORDER BY item.id DESC LIMIT ?"
            arguments += [limit]
            return try Row.fetchAll(db, sql: sql, arguments: arguments).map { row in
                let origin = Self.origin(row)
                return ItemView(
                    id: origin.id, flow: origin.flow, document: row["source"], number: row["source_number"],
                    item: try Self.item(row),
                    detail: try self.unsealed(row["detail"], "detail \(origin.id)", "item", origin.id), key: origin.key,
                    targetDocument: origin.document,
                    targetNumber: row["target_number"], at: row["at"])
            }
        }
    }

    /// See `Ledger`.
    public func items(named name: String) throws(Problem) -> [ItemID] {
        try read { db in
            try Int64.fetchAll(
                db,
                sql: """
                    SELECT item.id FROM item JOIN inbox ON inbox.id = item.inbox LEFT JOIN link ON link.item = item.id
                    WHERE inbox.document = ?1 OR inbox.number = ?1 OR link.number = ?1 OR CAST(item.id AS TEXT) = ?1
                    ORDER BY item.id DESC LIMIT 20
                    """, arguments: [name])
        }
    }

    /// See `Ledger`.
    public func holders(ofNumber number: String, lane: LaneID) throws(Problem) -> [(item: ItemID, document: String)] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT item.id, inbox.document FROM link JOIN item ON item.id = link.item
                        JOIN inbox ON inbox.id = item.inbox
                    WHERE link.number = ? AND item.lane = ? ORDER BY item.id
                    """, arguments: [number, lane]
            ).map { ($0["id"], $0["document"]) }
        }
    }

    /// See `Ledger`.
    public func intents(_ item: ItemID) throws(Problem) -> [IntentView] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM intent WHERE item = ? ORDER BY attempt", arguments: [item]).map {
                try IntentView(
                    attempt: $0["attempt"], epoch: $0["epoch"], openedAt: $0["opened"], closedAt: $0["closed"],
                    end: ($0["end"] as Int?).flatMap { IntentEnd(rawValue: $0) },
                    detail: self.unsealed($0["detail"], "intent \(item)", "intent", item))
            }
        }
    }

    private func unsealed(_ sealed: Data?, _ context: String, _ table: String, _ id: Int64) throws -> String? {
        guard let sealed else { return nil }
        guard let bytes = try? sealer.open([UInt8](sealed), context: context) else {
            throw Problem.ledgerRowUnreadable(table, id)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// See `Ledger`.
    public func origin(_ item: ItemID) throws(Problem) -> ItemOrigin? {
        try read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM item WHERE id = ?", arguments: [item]).map(Self.origin)
        }
    }

    private static func item(_ row: Row) throws -> Item {
        let code = StateCode(kind: row["kind"], a: row["a"], b: row["b"], c: row["c"])
        guard let state = code.state else { throw Problem.ledgerRowUnreadable("item", row["id"]) }
        return Item(
            id: row["id"], flow: row["flow"], lane: row["lane"], orderKey: row["order_key"], state: state,
            triesSpent: row["tries"], attempts: row["attempts"], revision: row["revision"])
    }

    private static func origin(_ row: Row) -> ItemOrigin {
        ItemOrigin(
            id: row["id"], inbox: row["inbox"], flow: row["flow"], lane: row["lane"], document: row["document"],
            ordinal: row["ordinal"], key: row["key"])
    }
}
