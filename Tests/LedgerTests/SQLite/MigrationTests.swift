import Engine
import Foundation
import GRDB
import LedgerFaults
import Testing
import Values

@testable import Ledger

/// A ledger of every earlier schema, as the code of its time wrote it (`Fixtures/README.md`), under today's code.
@Suite("A ledger of an earlier version is brought forward")
struct MigrationTests {
    /// Names of the fixtures; one per schema that was ever released.
    static let fixtures = ["0001", "0002"]

    static func restore(_ name: String, to folder: String) throws {
        let sql = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/\(name).sql")
        let file = try DatabaseQueue(path: folder + "/ledger.sqlite")
        try file.inDatabase { db in try db.execute(sql: String(contentsOf: sql, encoding: .utf8)) }
        try file.close()
    }

    /// What `Story` put there.
    private func check(_ ledger: any Ledger) throws {
        let start = try ledger.start()
        #expect(
            start.names == [
                .stream: ["office/approval": 1], .lane: ["books/voucher": 1], .flow: ["0197a3c2": 1],
            ])
        #expect((start.nextInbox, start.nextItem) == (5, 5))
        #expect(
            start.items.map(\.0.state) == [.held(.mapping), .checking(Check(since: 1_400, nextAt: 1_500, looks: 1))])
        #expect(start.lanes == [1: .until(5_000, .throttled)] && start.pausedFlows == [1: true])
        #expect(start.hints.map(\.document) == ["doc-9"])
        #expect(
            try ledger.counts() == [
                FlowCounts(
                    flow: 1, counts: [.done: 1, .held: 1, .skipped: 1, .checking: 1], read: 4, lastDone: 1_300)
            ])
        for id in 1...4 as ClosedRange<Int64> {
            let inbox = try ledger.payload(inbox: id)
            #expect(inbox.payload == Array("{\"id\":\"\(id)\"}".utf8) && inbox.hash == [UInt8(id)])
        }
        #expect(try ledger.mapped(1) == Array("{\"amount\":\"1.00\"}".utf8))
        #expect(try ledger.settings(1) == Array("{\"group\":\"记\"}".utf8))
        #expect(try ledger.checkpoint(1) == Array("saved".utf8) && ledger.token(1) == Array("token".utf8))
        #expect(try ledger.intents(1).map(\.end) == [.applied] && ledger.intents(4).map(\.epoch) == [7])
        #expect(try ledger.all().last?.targetNumber == "记-1")
        #expect(try ledger.all().first { $0.id == 2 }?.detail == "{\"field\":\"科目\"}")
        #expect(try ledger.liveItem(key: "effect-1") == 1 && ledger.liveItem(key: "effect-3") == nil)
        #expect(try ledger.cursor(stream: 1) == [2, 3])
        #expect(try ledger.state(connection: "books", key: "page") == Array("page 3".utf8))
        #expect(try ledger.limitBlocks(bucket: "books/per_day", from: 0).map(\.calls) == [7])
        #expect(try ledger.verifiedLines() == 3)
        // No generation that ever delivered comes again.
        #expect(ledger.epoch > 7)
    }

    @Test("with all it held, and goes on", arguments: fixtures)
    func forward(fixture: String) throws {
        let folder = try TemporaryFolder()
        try Self.restore(fixture, to: folder.path)
        let ledger = try Backend.sqlite.open(folder.path, ToySealer())
        try check(ledger)
        try ledger.commit(Books.receive(5) + [.audit(actor: "host", action: "apply", detail: "{}", at: 1)])
        #expect(try ledger.verifiedLines() == 4)
        ledger.close()
    }

    @Test("every schema of today's code has its fixture")
    func complete() {
        let schemas = Schema.migrator(ToySealer()).migrations.map { String($0.prefix(4)) }
        #expect(schemas == Self.fixtures)
    }

    @Test("a fresh ledger and a migrated one have the same tables", arguments: fixtures)
    func sameSchema(fixture: String) throws {
        func schema(_ folder: TemporaryFolder) throws -> [String] {
            try Backend.sqlite.open(folder.path, ToySealer()).close()
            let file = try DatabaseQueue(path: folder.path + "/ledger.sqlite")
            defer { try? file.close() }
            return try file.read { db in
                try String.fetchAll(db, sql: "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").map {
                    $0.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                }
            }
        }
        let migrated = try TemporaryFolder()
        try Self.restore(fixture, to: migrated.path)
        #expect(try schema(migrated) == schema(TemporaryFolder()))
    }

    @Test(
        "interrupted at any file operation, the next opening completes it",
        arguments: [FaultyFolder.Fault.failure, .diskFull, .powerLoss])
    func interrupted(fault: FaultyFolder.Fault) async throws {
        var at = 1
        while true {
            await Task.yield()
            let folder = try TemporaryFolder()
            try Self.restore("0001", to: folder.path)
            let faults = FaultyFolder(folder.path)
            faults.plan(fault, at: at, forEver: true)
            try? Backend.sqlite.open(folder.path, ToySealer()).close()
            let wasHit = faults.wasHit
            if fault == .powerLoss { faults.losePower(seed: UInt64(at)) }
            faults.mend()
            let ledger = try Backend.sqlite.open(folder.path, ToySealer())
            try check(ledger)
            ledger.close()
            if !wasHit { break }
            at += 1
        }
        print("migration, \(fault): \(at - 1) faults")
        #expect(at > 20)
    }

    /// Writes a fixture of today's schema where `DATONG_WRITE_FIXTURE` says; see `Fixtures/README.md`.
    @Test(
        "the fixture of today's schema is written on request",
        .enabled(if: ProcessInfo.processInfo.environment["DATONG_WRITE_FIXTURE"] != nil))
    func write() throws {
        let path = try #require(ProcessInfo.processInfo.environment["DATONG_WRITE_FIXTURE"])
        let ledger = try SQLiteLedger(path: path, sealer: ToySealer())
        // The generation the story's intents are of.
        while ledger.epoch < 7 { _ = try ledger.raiseFence() }
        for changes in Story.commits { try ledger.commit(changes) }
        ledger.close()
    }
}
