import Engine
import Ledger
import Testing
import Values
import Vault

@testable import Host

@Suite("The audit of a whole host, and the one writer of its ledger")
struct RunningAuditTests {
    private func pause(_ host: HostProcess) async throws {
        _ = try await host.answer("flow.pause", ["flow": "claims", "why": "test"])
        _ = try await host.answer("flow.resume", ["flow": "claims", "why": "test"])
    }

    private func actions(_ host: HostProcess) throws -> [String] {
        try host.ledger.audit(limit: 100).map(\.action).filter { $0 != "secret.use" }
    }

    @Test("whole across restarts, and the newest line is noted beside the ledger")
    func whole() async throws {
        let stage = try await Stage()
        for _ in 1...2 {
            try await stage.run { host in
                try await pause(host)
                let answer = try await host.answer("audit.verify", [:])
                #expect(answer["broken"] == .null && answer["gaps"] == [])
                #expect(answer["lines"] == answer["newest"] && (answer["lines"]?.int ?? 0) >= 2)
            }
            let paths = WorkspacePaths(root: stage.root)
            let (noted, ledger) = (
                try #require(try AuditAnchor(paths: paths).noted()), try await ledger(stage)
            )
            defer { ledger.close() }
            #expect(try ledger.auditHead().sealed == noted)
        }
    }

    private func ledger(_ stage: Stage) async throws -> SQLiteLedger {
        let paths = WorkspacePaths(root: stage.root)
        return try SQLiteLedger(path: paths.ledger, sealer: try LedgerSealer(paths: paths, vault: try stage.vault()))
    }

    @Test("an older ledger put back: the start writes it down, the walk tells it, and nothing hides it later")
    func older() async throws {
        let stage = try await Stage()
        let paths = WorkspacePaths(root: stage.root)
        try await stage.run { host in try await pause(host) }
        let older = try FileStore.read(paths.ledger, limit: 64 << 20)
        try await stage.run { host in try await pause(host) }
        try FileStore.replace(paths.ledger, older)
        for _ in 1...2 {
            try await stage.run { host in
                let answer = try await host.answer("audit.verify", [:])
                #expect(answer["broken"] == .null && answer["gaps"]?.array?.count == 1)
                #expect(try actions(host).filter { $0 == AuditLine.gap }.count == 1)
            }
        }
    }

    @Test("a note that is gone is written down as well")
    func noteGone() async throws {
        let stage = try await Stage()
        let paths = WorkspacePaths(root: stage.root)
        try await stage.run { host in try await pause(host) }
        FileStore.removeTree(paths.auditHead)
        try await stage.run { host in
            let last = try actions(host).last
            #expect(last == AuditLine.gap)
        }
    }

    @Test("another writer takes the ledger: the older host writes nothing more and ends with E-LEDGER-007")
    func takenOver() async throws {
        let stage = try await Stage()
        try await stage.run { host in
            let other = try await ledger(stage)
            defer { other.close() }
            do {
                try await pause(host)
                Issue.record("the older host has written")
            } catch let problem as Problem {
                #expect(problem.code == "E-LEDGER-007")
            }
            #expect(await host.wait()?.code == "E-LEDGER-007")
            #expect(try other.audit(limit: 100).allSatisfy { $0.action != "flow.pause" })
        }
    }

    @Test("a revision raises the fence, and its attempts carry the new generation")
    func raised() async throws {
        let stage = try await Stage()
        try await stage.run { host in
            let before = host.ledger.epoch
            try await host.runActiveRevision()
            #expect(host.ledger.epoch == before + 1)
            #expect(host.plan.lanes.values.allSatisfy { $0.rules.epoch == before + 1 })
        }
    }

    // MARK: the vault's commands

    @Test("a use of the vault is a line of the audit, in the name of the one who asks, without the value")
    func vaultWithHost() async throws {
        let stage = try await Stage()
        try await stage.run { host in
            let use = VaultUse(.put, "books/token", version: 1)
            _ = try await HostProcess.$person.withValue("li") {
                try await host.answer("vault.record", .object(use.arguments))
            }
            let line = try #require(try host.ledger.audit(limit: 100).last { $0.action == "vault.put" })
            #expect(line.actor == "li" && line.detail == #"{"secret":"books/token","version":1}"#)
            for wrong in [["action": "burn", "secret": "a"], ["action": "put", "secret": "not a name!"]] as [JSON] {
                await #expect(throws: Problem.self) { try await host.answer("vault.record", wrong) }
            }
        }
    }

    @Test("alone, under the lock; a workspace without a ledger gets none for it")
    func vaultAlone() async throws {
        let stage = try await Stage()
        let paths = WorkspacePaths(root: stage.root)
        let vault = try stage.vault()
        try await VaultUse(.put, "books/token", version: 1).recordAlone(stage.root, vault)
        #expect(!FileStore.exists(paths.ledger) && !FileStore.exists(paths.ledgerKey))
        try await stage.run { host in try await pause(host) }
        try await VaultUse(.get, "books/token", version: 1).recordAlone(stage.root, vault)
        try await VaultUse(.remove, "books/token").recordAlone(stage.root, vault)
        try await stage.run { host in
            #expect(try actions(host).suffix(2) == ["vault.get", "vault.remove"])
            #expect(try await host.answer("audit.verify", [:])["broken"] == .null)
            #expect(try await host.answer("audit.verify", [:])["gaps"] == [])
            // A running host owns the workspace: nobody writes beside it.
            do {
                try await VaultUse(.get, "books/token").recordAlone(stage.root, vault)
                Issue.record("written beside the host")
            } catch let problem as Problem {
                #expect(problem.code == "E-HOST-004")
            }
        }
    }
}
