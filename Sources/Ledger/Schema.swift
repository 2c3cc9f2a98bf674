import GRDB

import struct Foundation.Data

/// The ledger's tables. A schema is only ever migrated forward; each step is named for what it brings.
enum Schema {
    static func migrator(_ sealer: any PayloadSealing) -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("0001 documents, effects, audit") { db in
            try db.execute(
                sql: """
                    CREATE TABLE name (kind TEXT NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,
                        PRIMARY KEY (kind, id), UNIQUE (kind, name)) STRICT, WITHOUT ROWID;

                    CREATE TABLE inbox (id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, document TEXT NOT NULL,
                        number TEXT NOT NULL, hash BLOB NOT NULL, at INTEGER NOT NULL, revision INTEGER NOT NULL,
                        payload BLOB) STRICT;
                    CREATE INDEX inbox_document ON inbox (stream, document, id);

                    CREATE TABLE item (id INTEGER PRIMARY KEY, inbox INTEGER NOT NULL REFERENCES inbox (id),
                        flow INTEGER NOT NULL, lane INTEGER NOT NULL, document TEXT NOT NULL, ordinal INTEGER NOT NULL,
                        key TEXT, order_key TEXT NOT NULL DEFAULT '', kind INTEGER NOT NULL DEFAULT 0,
                        a INTEGER NOT NULL DEFAULT 0, b INTEGER NOT NULL DEFAULT 0, c INTEGER NOT NULL DEFAULT 0,
                        tries INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
                        revision INTEGER NOT NULL DEFAULT 0, detail BLOB, mapped BLOB, settings BLOB, checkpoint BLOB,
                        token BLOB,
                        at INTEGER NOT NULL DEFAULT 0) STRICT;
                    CREATE INDEX item_open ON item (id) WHERE kind < 7;
                    CREATE INDEX item_flow_kind ON item (flow, kind, id);
                    CREATE INDEX item_inbox ON item (inbox);
                    -- One business document per idempotency key: two live items with one key cannot even be stored.
                    CREATE UNIQUE INDEX item_key ON item (key) WHERE key IS NOT NULL AND kind <> 8;

                    CREATE TABLE intent (item INTEGER NOT NULL REFERENCES item (id), attempt INTEGER NOT NULL,
                        epoch INTEGER NOT NULL, opened INTEGER NOT NULL, closed INTEGER, end INTEGER, detail BLOB,
                        PRIMARY KEY (item, attempt)) STRICT, WITHOUT ROWID;

                    CREATE TABLE link (item INTEGER PRIMARY KEY REFERENCES item (id), number TEXT NOT NULL,
                        target_id TEXT NOT NULL, read_back BLOB, at INTEGER NOT NULL) STRICT;

                    CREATE TABLE cursor (stream INTEGER PRIMARY KEY, bytes BLOB NOT NULL, at INTEGER NOT NULL) STRICT;
                    CREATE TABLE hint (stream INTEGER NOT NULL, document TEXT NOT NULL, known BLOB NOT NULL,
                        at INTEGER NOT NULL, PRIMARY KEY (stream, document)) STRICT, WITHOUT ROWID;
                    CREATE TABLE connector_state (connection TEXT NOT NULL, key TEXT NOT NULL, bytes BLOB NOT NULL,
                        PRIMARY KEY (connection, key)) STRICT, WITHOUT ROWID;
                    CREATE TABLE limit_block (bucket TEXT NOT NULL, starts INTEGER NOT NULL, calls INTEGER NOT NULL,
                        PRIMARY KEY (bucket, starts)) STRICT, WITHOUT ROWID;
                    CREATE TABLE lane (id INTEGER PRIMARY KEY, until INTEGER, class INTEGER) STRICT;
                    CREATE TABLE flow (id INTEGER PRIMARY KEY, paused INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;
                    CREATE TABLE audit (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL,
                        action TEXT NOT NULL, detail TEXT NOT NULL, chain BLOB NOT NULL) STRICT;
                    """)
        }
        migrator.registerMigration("0002 one writer, the newest audit line, retention") { db in
            let last = try Row.fetchOne(db, sql: "SELECT seq, chain FROM audit ORDER BY seq DESC LIMIT 1")
            let chain: Data = last?["chain"] ?? Data()
            let head = try AuditHead.sealed(line: last?["seq"] ?? 0, chain: [UInt8](chain), sealer)
            try db.execute(
                sql: """
                    -- One row: who may write, and where the audit chain stands.
                    CREATE TABLE writer (only INTEGER PRIMARY KEY CHECK (only = 1), epoch INTEGER NOT NULL,
                        audit_head BLOB NOT NULL) STRICT;
                    -- When retention took the payload; the row stays, so that the document stays known.
                    ALTER TABLE inbox ADD COLUMN pruned INTEGER;
                    CREATE INDEX inbox_kept ON inbox (at) WHERE pruned IS NULL;
                    """)
            try db.execute(
                sql: "INSERT INTO writer VALUES (1, (SELECT coalesce(max(epoch), 0) FROM intent), ?)",
                arguments: [Data(head)])
        }
        return migrator
    }
}
