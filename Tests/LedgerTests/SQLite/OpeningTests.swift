import Engine
import Foundation
import GRDB
import Testing
import Values

@testable import Ledger

@Suite("A ledger that cannot be trusted does not open")
struct OpeningTests {
    @Test("a file that is no database: E-LEDGER-001, and the file is left as it was")
    func noDatabase() throws {
        let path = NSTemporaryDirectory() + "datong-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let text = Data(String(repeating: "this is a letter, not a ledger\n", count: 400).utf8)
        try text.write(to: URL(fileURLWithPath: path))
        #expect(code { try SQLiteLedger(path: path, sealer: ToySealer()) } == "E-LEDGER-001")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == text)
    }

    @Test("a directory in its place: E-LEDGER-001")
    func directory() throws {
        let path = NSTemporaryDirectory() + "datong-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(code { try SQLiteLedger(path: path, sealer: ToySealer()) } == "E-LEDGER-001")
    }

    @Test("a path that cannot be written: E-LEDGER-001", arguments: ["/proc/ledger.sqlite", "/nowhere/at/all.sqlite"])
    func unwritable(path: String) {
        #expect(code { try SQLiteLedger(path: path, sealer: ToySealer()) } == "E-LEDGER-001")
    }

    @Test("a ledger of a newer version: E-LEDGER-004, and nothing of it is changed")
    func newer() throws {
        let books = try Books(.sqlite)
        try books.add(1)
        books.ledger.close()
        try books.tamper("INSERT INTO grdb_migrations (identifier) VALUES ('9999 what comes later')")
        #expect(code { try SQLiteLedger(path: books.path, sealer: books.sealer) } == "E-LEDGER-004")
        try books.tamper("DELETE FROM grdb_migrations WHERE identifier LIKE '9999%'")
        try books.reopen()
        #expect(try books.ledger.start().items.count == 1)
    }

    @Test("a state no version wrote: E-LEDGER-005 at start, not a guess")
    func unknownState() throws {
        let books = try Books(.sqlite)
        try books.add(1)
        try books.tamper("UPDATE item SET kind = 6, a = 99")
        #expect(code { try books.ledger.start() } == "E-LEDGER-005")
    }

    @Test("the writer's synchronous setting reads back FULL, in WAL mode, also after reopening")
    func synchronous() throws {
        let books = try Books(.sqlite)
        for _ in 1...2 {
            let (synchronous, journal) = try books.sqlite.pool.writeWithoutTransaction { db in
                (
                    try Int.fetchOne(db, sql: "PRAGMA synchronous"), try String.fetchOne(db, sql: "PRAGMA journal_mode")
                )
            }
            #expect(synchronous == 2)
            #expect(journal == "wal")
            try books.reopen()
        }
    }

    @Test("after closing, one file is the whole ledger: no log beside it, whoever has read")
    func oneFile() throws {
        let books = try Books(.sqlite)
        try books.add(1)
        #expect(try books.ledger.counts().count == 1)
        #expect(FileManager.default.fileExists(atPath: books.path + "-wal"))
        books.ledger.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: books.folder) == ["ledger.sqlite"])
    }

    @Test("a file moved away or replaced while it is open: E-LEDGER-008, and the new one is left as it was")
    func replaced() throws {
        let books = try Books(.sqlite)
        try books.add(1)
        let files = FileManager.default
        try files.moveItem(atPath: books.path, toPath: books.path + ".away")
        #expect(code { try books.add(2, document: "doc-2") } == "E-LEDGER-008")
        try files.copyItem(atPath: books.path + ".away", toPath: books.path)
        let before = try Data(contentsOf: URL(fileURLWithPath: books.path))
        #expect(code { try books.add(2, document: "doc-2") } == "E-LEDGER-008")
        #expect(code { try books.ledger.raiseFence() } == "E-LEDGER-008")
        #expect(try Data(contentsOf: URL(fileURLWithPath: books.path)) == before)
    }
}
