import Glibc
import Synchronization
import Testing
import Values

@testable import Vault

/// Files in memory with a disk below them: what was not synced is lost, or torn, when the power goes.
private final class UnsafeDisk: FileLayer {
    struct PowerCut: Error {}

    enum Fault {
        /// The n-th operation (from 0) fails and changes nothing; everything after it works.
        case fail(at: Int)
        /// The machine stops before the n-th operation.
        case stop(at: Int)
    }

    private struct File {
        var written: [UInt8]
        var durable: [UInt8]?
    }

    private struct State {
        /// Contents by inode number, so that a rename moves a name and not the bytes.
        var files: [Int: File] = [:]
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        /// Changes of names since the directory was last synced, in order.
        var pending: [(String, Int?)] = []
        var nextFile = 0
        var operations = 0
        var fault: Fault?
        var log: [String] = []
    }

    private let state = Mutex(State())

    var operations: Int { state.withLock { $0.operations } }
    var log: [String] { state.withLock { $0.log } }

    func arm(_ fault: Fault?) {
        state.withLock {
            $0.fault = fault
            $0.operations = 0
            $0.log = []
        }
    }

    private func step(_ name: String, _ body: (inout State) throws(Problem) -> Void) throws(Problem) {
        try state.withLock { state throws(Problem) in
            let number = state.operations
            state.operations += 1
            state.log.append(name)
            switch state.fault {
            case .fail(number): throw VaultProblems.fileSystem(name, path: "", errno: EIO)
            case .stop(let at) where at <= number: throw VaultProblems.fileSystem("power", path: "", errno: EIO)
            default: try body(&state)
            }
        }
    }

    func read(_ path: String, limit: Int) throws(Problem) -> [UInt8]? {
        var found: [UInt8]?
        try step("read \(FilePaths.split(path).name)") { state in
            found = state.names[path].map { state.files[$0]!.written }
        }
        return found
    }

    func write(_ path: String, _ bytes: [UInt8]) throws(Problem) {
        try step("write \(FilePaths.split(path).name)") { state in
            let file = state.nextFile
            state.nextFile += 1
            state.files[file] = File(written: bytes, durable: nil)
            state.names[path] = file
            state.pending.append((path, file))
        }
    }

    func sync(_ path: String) throws(Problem) {
        try step("sync \(FilePaths.split(path).name)") { state in
            guard let file = state.names[path] else { return }
            state.files[file]!.durable = state.files[file]!.written
        }
    }

    func rename(_ path: String, to other: String) throws(Problem) {
        try step("rename \(FilePaths.split(path).name)") { state throws(Problem) in
            guard let file = state.names.removeValue(forKey: path) else {
                throw VaultProblems.fileSystem("rename", path: path, errno: ENOENT)
            }
            state.names[other] = file
            state.pending.append((other, file))
            state.pending.append((path, nil))
        }
    }

    func remove(_ path: String) throws(Problem) {
        try step("remove \(FilePaths.split(path).name)") { state in
            if state.names.removeValue(forKey: path) != nil { state.pending.append((path, nil)) }
        }
    }

    func syncDirectory(_ path: String) throws(Problem) {
        try step("sync directory") { state in
            state.durableNames = state.names
            state.pending = []
        }
    }

    func exclusively(_ lockPath: String, _ body: () throws(Problem) -> Void) throws(Problem) {
        try step("lock") { _ in }
        try body()
    }

    /// How many name changes a power cut may or may not keep.
    var pendingNames: Int { state.withLock { $0.pending.count } }

    /// The disk after a power cut that kept the first `kept` name changes. Bytes that were not synced are gone:
    /// the file is empty, or half of it is there.
    func afterPowerCut(kept: Int, torn: Bool) -> UnsafeDisk {
        let other = UnsafeDisk()
        state.withLock { old in
            var names = old.durableNames
            for (name, file) in old.pending.prefix(kept) { names[name] = file }
            other.state.withLock { new in
                new.nextFile = old.nextFile
                for (name, file) in names {
                    let content = old.files[file]!
                    let bytes =
                        content.durable ?? (torn ? Array(content.written.prefix(content.written.count / 2)) : [])
                    new.files[file] = File(written: bytes, durable: bytes)
                    new.names[name] = file
                }
                new.durableNames = new.names
            }
        }
        return other
    }
}

@Suite("A change is whole or not at all")
struct DurabilityTests {
    /// A key file, because these tests open some hundreds of vaults.
    private let key = KeyFileFixture()
    private static let path = "/w/vault.datong"
    private static let clock: @Sendable () -> UInt64 = { 1_767_225_600_000 }

    /// A vault with one secret at its first value, on a disk where that is durable.
    private func prepared() throws -> (vault: Vault, disk: UnsafeDisk, anchor: MemoryAnchor) {
        let disk = UnsafeDisk()
        let anchor = MemoryAnchor()
        let vault = try Vault.create(
            path: Self.path, customer: "c", unlock: key.unlock, parameters: .standard, anchor: anchor, files: disk,
            now: Self.clock)
        try vault.put(name: "a", value: secret("old value"))
        return (vault, disk, anchor)
    }

    private func reopened(_ disk: UnsafeDisk, _ anchor: MemoryAnchor) throws -> Vault {
        try Vault.open(
            path: Self.path, unlock: key.unlock, anchor: anchor, acceptingRollback: nil, files: disk, now: Self.clock)
    }

    @Test func theStepsAreTheDocumentedOnes() throws {
        let (vault, disk, anchor) = try prepared()
        disk.arm(nil)
        try vault.put(name: "a", value: secret("new value"))
        #expect(
            disk.log == [
                "lock", "read vault.datong", "write vault.datong.next", "sync vault.datong.next",
                "read vault.datong.next", "write vault.datong.previous.next", "sync vault.datong.previous.next",
                "rename vault.datong.previous.next", "rename vault.datong.next", "sync directory",
            ])
        #expect(anchor.value == 3)
    }

    @Test func theOldWayInIsGoneForGood() throws {
        let (vault, disk, _) = try prepared()
        disk.arm(nil)
        try vault.changeUnlock(to: unlock("another passphrase"), parameters: cheap)
        #expect(disk.log.suffix(2) == ["remove vault.datong.previous", "sync directory"])
        #expect(disk.pendingNames == 0)
    }

    @Test func whatIsStoredIsNotCalledUnchanged() throws {
        let (vault, disk, _) = try prepared()
        disk.arm(.fail(at: 9))
        let problem = #expect(throws: Problem.self) { try vault.put(name: "a", value: secret("new value")) }
        #expect(problem?.code == "E-VAULT-031")
        #expect(problem?.what.en.contains("unchanged") == false)
    }

    /// Every step fails once: the vault in memory, the one opened anew and the one after a repetition are right.
    @Test func everyStepFailingLeavesOldOrNew() throws {
        for step in 0..<10 {
            let (vault, disk, anchor) = try prepared()
            disk.arm(.fail(at: step))
            let refused = code { try vault.put(name: "a", value: secret("new value")) }
            disk.arm(nil)
            // Only the sync of the directory comes after the change has taken place.
            let isIn = step == 9
            #expect(refused == (isIn ? "E-VAULT-031" : "E-VAULT-024"), "step \(step)")
            #expect(text(try vault.read(name: "a")) == (isIn ? "new value" : "old value"), "step \(step)")
            let other = try reopened(disk, anchor)
            #expect(text(try other.read(name: "a")) == (isIn ? "new value" : "old value"), "step \(step)")
            try vault.verify()
            try vault.put(name: "a", value: secret("newer value"))
            let third = try reopened(disk, anchor)
            #expect(text(try third.read(name: "a")) == "newer value", "step \(step)")
            #expect(third.recovery == nil)
        }
    }

    /// The power goes before every step, with every number of name changes kept and unsynced bytes lost or
    /// torn: the vault opens with the old or the new value, and a `put` that returned is never lost.
    @Test func powerCutBeforeEveryStepLeavesOldOrNew() throws {
        var outcomes: Set<String> = []
        for step in 0...10 {
            let (vault, disk, anchor) = try prepared()
            disk.arm(.stop(at: step))
            let refused = code { try vault.put(name: "a", value: secret("new value")) }
            #expect((refused == nil) == (step == 10), "step \(step)")
            for kept in 0...disk.pendingNames {
                for torn in [false, true] {
                    let survivor = disk.afterPowerCut(kept: kept, torn: torn)
                    let copy = MemoryAnchor()
                    copy.value = anchor.value
                    let again = try reopened(survivor, copy)
                    let value = text(try again.read(name: "a"))
                    outcomes.insert(value)
                    #expect(["old value", "new value"].contains(value), "step \(step), kept \(kept)")
                    if refused == nil { #expect(value == "new value") }
                    try again.verify()
                    try again.put(name: "a", value: secret("newer value"))
                    let third = try reopened(survivor, copy)
                    #expect(text(try third.read(name: "a")) == "newer value")
                }
            }
        }
        #expect(outcomes == ["old value", "new value"])
    }

    @Test func anchorThatCannotBeMovedIsReportedAndTheValueIsKept() throws {
        let (vault, disk, anchor) = try prepared()
        anchor.fails = true
        #expect(code { try vault.put(name: "a", value: secret("new value")) } == "E-VAULT-031")
        #expect(text(try vault.read(name: "a")) == "new value")
        #expect(code { _ = try reopened(disk, anchor) } == "E-VAULT-026")
        anchor.fails = false
        let again = try reopened(disk, anchor)
        #expect(text(try again.read(name: "a")) == "new value")
        #expect(anchor.value == 3)
    }

    @Test func creationStoppedAtEveryStepCanBeRepeated() throws {
        for step in 0..<10 {
            let disk = UnsafeDisk()
            let anchor = MemoryAnchor()
            disk.arm(.stop(at: step))
            let refused = code {
                _ = try Vault.create(
                    path: Self.path, customer: "c", unlock: key.unlock, parameters: .standard, anchor: anchor,
                    files: disk,
                    now: Self.clock)
            }
            for kept in 0...disk.pendingNames {
                let survivor = disk.afterPowerCut(kept: kept, torn: true)
                let copy = MemoryAnchor()
                copy.value = anchor.value
                let again = code {
                    _ = try Vault.create(
                        path: Self.path, customer: "c", unlock: key.unlock, parameters: .standard, anchor: copy,
                        files: survivor, now: Self.clock)
                }
                // Either it can be made now, or the first one is there and opens.
                if again != nil {
                    #expect(again == "E-VAULT-008")
                    try reopened(survivor, copy).verify()
                } else {
                    #expect(refused != nil)
                }
            }
        }
    }
}

@Suite("Generations go forward only")
struct GenerationTests {
    private func make(_ directory: String) throws -> (path: String, anchor: MemoryAnchor, vault: Vault) {
        let path = directory + "/vault.datong"
        let anchor = MemoryAnchor()
        let vault = try Vault.create(path: path, customer: "c", unlock: unlock(), parameters: cheap, anchor: anchor)
        try vault.put(name: "a", value: secret("old value"))
        return (path, anchor, vault)
    }

    @Test func olderFileIsRefusedAndTakenOnlyWithAReason() throws {
        try withDirectory { directory in
            let (path, anchor, vault) = try make(directory)
            let old = load(path)
            try vault.put(name: "a", value: secret("new value"))
            try vault.put(name: "b", value: secret("one more"))
            store(old, at: path)
            #expect(code { _ = try Vault.open(path: path, unlock: unlock(), anchor: anchor) } == "E-VAULT-007")
            #expect(
                code { _ = try Vault.open(path: path, unlock: unlock(), anchor: anchor, acceptingRollback: " ") }
                    == "E-VAULT-034")
            #expect(anchor.value == 4)
            let taken = try Vault.open(
                path: path, unlock: unlock(), anchor: anchor, acceptingRollback: "disk replaced, backup of Friday")
            #expect(text(try taken.read(name: "a")) == "old value")
            #expect(anchor.value == 5)
            // It is the newest generation now, and its version numbers do not collide with the lost ones.
            #expect(try Vault.inspect(path: path).generation == 5)
            let version = try Vault.open(path: path, unlock: unlock(), anchor: anchor).put(
                name: "a", value: secret("x"))
            #expect(version == 6)
        }
    }

    @Test func damagedFileWithAnOldPreviousIsDamagedNotOld() throws {
        try withDirectory { directory in
            let (path, anchor, vault) = try make(directory)
            try vault.put(name: "a", value: secret("new value"))
            var bad = load(path)
            bad[200] ^= 1
            store(bad, at: path)
            #expect(code { _ = try Vault.open(path: path, unlock: unlock(), anchor: anchor) } == "E-VAULT-003")
            #expect(code { _ = try vault.verify() } == "E-VAULT-003")
            let taken = try Vault.open(
                path: path, unlock: unlock(), anchor: anchor, acceptingRollback: "main file damaged")
            #expect(taken.recovery?.code == "E-VAULT-003")
            #expect(text(try taken.read(name: "a")) == "old value")
            try taken.verify()
            let again = try Vault.open(path: path, unlock: unlock(), anchor: anchor)
            #expect(again.recovery == nil)
        }
    }

    @Test func previousIsTakenByItselfWhenNoAnchorKnowsBetter() throws {
        try withDirectory { directory in
            let (path, _, vault) = try make(directory)
            try vault.put(name: "a", value: secret("new value"))
            unlink(path)
            let fresh = MemoryAnchor()
            let taken = try Vault.open(path: path, unlock: unlock(), anchor: fresh)
            #expect(taken.recovery?.code == "E-VAULT-009")
            #expect(text(try taken.read(name: "a")) == "old value")
            #expect(fresh.value == 2)
            #expect(
                code { _ = try Vault.open(path: path, unlock: unlock("wrong passphrase"), anchor: fresh) }
                    == "E-VAULT-009")
        }
    }

    @Test func wrongPassphraseNeverFallsBackToAnOlderFile() throws {
        try withDirectory { directory in
            let (path, _, vault) = try make(directory)
            let old = load(path)
            try vault.changeUnlock(to: unlock("another passphrase"), parameters: cheap)
            // An attacker puts the file back that the old passphrase opens.
            store(old, at: path + Vault.previousSuffix)
            #expect(code { _ = try Vault.open(path: path, unlock: unlock(), anchor: MemoryAnchor()) } == "E-VAULT-004")
        }
    }

    @Test func newVaultContinuesTheAnchorAndLeavesOldFilesAlone() throws {
        try withDirectory { directory in
            let (path, anchor, _) = try make(directory)
            #expect(
                code {
                    _ = try Vault.create(path: path, customer: "c", unlock: unlock(), parameters: cheap, anchor: anchor)
                }
                    == "E-VAULT-008")
            unlink(path)
            #expect(
                code {
                    _ = try Vault.create(path: path, customer: "c", unlock: unlock(), parameters: cheap, anchor: anchor)
                }
                    == "E-VAULT-008")
            unlink(path + Vault.previousSuffix)
            _ = try Vault.create(path: path, customer: "c", unlock: unlock(), parameters: cheap, anchor: anchor)
            _ = try Vault.open(path: path, unlock: unlock(), anchor: anchor)
            #expect(anchor.value == 3)
        }
    }

    @Test func secondWriterIsRefusedUntilItOpensAgain() throws {
        try withDirectory { directory in
            let (path, anchor, first) = try make(directory)
            let second = try Vault.open(path: path, unlock: unlock(), anchor: anchor)
            try second.put(name: "a", value: secret("by the second"))
            #expect(code { try first.put(name: "a", value: secret("by the first")) } == "E-VAULT-023")
            #expect(code { _ = try first.verify() } == "E-VAULT-023")
            let again = try Vault.open(path: path, unlock: unlock(), anchor: anchor)
            #expect(text(try again.read(name: "a")) == "by the second")
        }
    }

    @Test func versionNumbersRiseAndSurviveRemoval() throws {
        try withDirectory { directory in
            let (_, _, vault) = try make(directory)
            let first = vault.version(of: "a")
            try vault.remove(name: "a")
            #expect(vault.version(of: "a") == nil)
            #expect(code { _ = try vault.read(name: "a") } == "E-VAULT-018")
            #expect(code { try vault.remove(name: "a") } == "E-VAULT-018")
            let second = try vault.put(name: "a", value: secret("again"))
            #expect(second > first!)
            #expect(vault.version(of: "a") == second)
        }
    }

    @Test func anchorBeyondAnyGenerationIsUnreadable() throws {
        try withDirectory { directory in
            let (path, anchor, _) = try make(directory)
            anchor.value = .max
            for reason in [nil, "the anchor is wrong"] {
                #expect(
                    code {
                        _ = try Vault.open(path: path, unlock: unlock(), anchor: anchor, acceptingRollback: reason)
                    } == "E-VAULT-026")
            }
            #expect(
                code {
                    _ = try Vault.create(
                        path: directory + "/new", customer: "c", unlock: unlock(), parameters: cheap, anchor: anchor)
                } == "E-VAULT-026")
        }
    }

    @Test func fileAnchorIsStrictAndDurable() throws {
        try withDirectory { directory in
            let anchor = FileGenerationAnchor(path: directory + "/generation")
            #expect(try anchor.read() == nil)
            try anchor.write(41)
            try anchor.write(42)
            #expect(try anchor.read() == 42)
            let left = try names(in: directory)
            #expect(left == ["generation"])
            for bad in ["", "42", "042\n", "-1\n", "4 2\n", "99999999999999999999\n"] {
                store(Array(bad.utf8), at: directory + "/generation")
                #expect(code { _ = try anchor.read() } == "E-VAULT-026")
            }
        }
    }
}
