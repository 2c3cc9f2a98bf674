import Engine
import GRDB
import Values

import struct Foundation.Data

/// Writes one change with statements that are compiled once.
struct ChangeWriter {
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
            // From the sealed head and not from the last row: a tail that was cut off stays a gap for ever.
            let head = try AuditHead.read(db, sealer)
            let line = AuditLine(seq: head.line + 1, at: at, actor: actor, action: action, detail: detail)
            let chain = try sealer.keyedHash(head.chain + line.bytes)
            try run(
                "INSERT INTO audit (seq, at, actor, action, detail, chain) VALUES (?, ?, ?, ?, ?, ?)",
                [line.seq, at, actor, action, detail, Data(chain)])
            let sealed = try AuditHead.sealed(line: line.seq, chain: chain, sealer)
            try run("UPDATE writer SET audit_head = ?", [Data(sealed)])
        default: break
        }
    }
}
