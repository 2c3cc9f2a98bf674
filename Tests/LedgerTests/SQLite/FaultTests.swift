import Engine
import Foundation
import GRDB
import LedgerFaults
import Testing
import Values

@testable import Ledger

/// The n-th file operation fails, for n = 1, 2, 3 … until a run meets no fault any more. Afterwards the ledger opens,
/// is whole, and holds every commit that returned, nothing of one that never began, and all or nothing of the one that
/// threw.
@Suite("Whichever file operation fails, a commit is there as a whole or not at all", .serialized)
struct FaultTests {
    struct Trial: CustomTestStringConvertible {
        var fault: FaultyFolder.Fault
        var forEver: Bool
        var seeds: [UInt64] = [0]
        var testDescription: String { "\(fault)\(forEver ? " for ever" : "")" }
    }

    static let trials = [
        Trial(fault: .failure, forEver: false), Trial(fault: .failure, forEver: true),
        Trial(fault: .shortWrite, forEver: false), Trial(fault: .shortWrite, forEver: true),
        Trial(fault: .diskFull, forEver: false), Trial(fault: .diskFull, forEver: true),
        // Nothing unsynced survives; then some of it, twice.
        Trial(fault: .powerLoss, forEver: true, seeds: [0, 1, 2]),
    ]

    /// Everything in the ledger but who may write it.
    static func content(_ ledger: any Ledger) throws -> [String] {
        let sqlite = try #require(ledger as? SQLiteLedger)
        return try sqlite.pool.read { db in
            #expect(try String.fetchAll(db, sql: "PRAGMA integrity_check") == ["ok"])
            let tables = try String.fetchAll(
                db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
            )
            return try tables.flatMap { table in
                let columns = table == "writer" ? "audit_head" : "*"
                return try Row.fetchAll(db, sql: "SELECT \(columns) FROM \(table)").map { row in
                    row.reduce(into: table) { $0 += " " + $1.1.sqlExpressionText }
                }
            }
        }
    }

    /// One step of the workload: what it writes is one commit.
    static let steps: [@Sendable (any Ledger) throws -> Void] =
        Story.commits.map { changes in { ledger in try ledger.commit(changes) } } + [
            { _ = try $0.prune(Retention(settledBefore: 1_350)) },
            { _ = try $0.prune(Retention(limitBlocksBefore: ["books/per_day": 1_200])) },
            { try $0.commit([.audit(actor: "li", action: "ledger.skip", detail: "{}", at: 2_000)]) },
        ]

    /// What the ledger holds after each number of steps.
    static func expected() throws -> [[String]] {
        let books = try Books(.sqlite)
        var contents: [[String]] = []
        for step in [{ _ in }] + steps {
            try step(books.ledger)
            contents.append(try content(books.ledger))
        }
        return contents
    }

    /// Opens the ledger and works until the end or the first error; gives the steps that returned.
    private func work(_ folder: String) -> Int {
        guard let ledger = try? Backend.sqlite.open(folder, ToySealer()) else { return 0 }
        defer { ledger.close() }
        for (index, step) in Self.steps.enumerated() {
            do { try step(ledger) } catch { return index }
            // Reading fails or not; it is no business of the commits'.
            if index.isMultiple(of: 4) { _ = try? ledger.start() }
        }
        return Self.steps.count
    }

    @Test("fail, write short, run out of room, lose power", arguments: trials)
    func everyOperation(trial: Trial) async throws {
        let expected = try Self.expected()
        var tried = 0
        for seed in trial.seeds {
            var at = 1
            while true {
                // None of the pool's few threads is kept for long: other tests wait for answers in time.
                await Task.yield()
                let folder = try TemporaryFolder()
                let faults = FaultyFolder(folder.path)
                faults.plan(trial.fault, at: at, forEver: trial.forEver)
                let done = work(folder.path)
                let wasHit = faults.wasHit
                if trial.fault == .powerLoss {
                    faults.losePower(seed: seed == 0 ? 0 : seed &* 1_000_003 &+ UInt64(at))
                }
                faults.mend()
                let what = "\(trial.fault), operation \(at), seed \(seed), after \(done) steps"
                let ledger = try Backend.sqlite.open(folder.path, ToySealer())
                defer { ledger.close() }
                #expect(try ledger.verifyAudit(knowing: nil).broken == nil, "\(what)")
                let content = try Self.content(ledger)
                let mayHold = expected[done...min(done + 1, Self.steps.count)]
                let held = mayHold.firstIndex(of: content)
                #expect(held != nil, "\(what): it holds what step \(expected.firstIndex(of: content) ?? -1) left")
                // It works on from where it is, to the same end; not tried each time, for the time it takes.
                if let index = held, at.isMultiple(of: 5) {
                    for step in Self.steps[index...] { try step(ledger) }
                    let isAll = try Self.content(ledger) == expected.last
                    #expect(isAll, "\(what), and all the rest")
                }
                if !wasHit {
                    #expect(done == Self.steps.count)
                    break
                }
                tried += 1
                at += 1
            }
        }
        print("ledger, \(trial.testDescription): \(tried) faults")
        #expect(tried > 40)
    }
}

extension DatabaseValue {
    /// The value with every byte of it.
    fileprivate var sqlExpressionText: String {
        if case .blob(let bytes) = storage { return bytes.map { "\($0)" }.joined(separator: ",") }
        return "\(storage.value ?? "-")"
    }
}
