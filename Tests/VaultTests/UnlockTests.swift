import Glibc
import Testing
import Values

@testable import Vault

@Suite("Only the right key opens")
struct UnlockTests {
    private func make(
        _ directory: String, logN: Int = 14, r: Int = 8, p: Int = 1, passphrase: String = passphrase
    ) throws -> Vault {
        try Vault.create(
            path: directory + "/vault.datong", customer: "c", unlock: unlock(passphrase),
            parameters: ScryptParameters(logN: logN, r: r, p: p), anchor: MemoryAnchor())
    }

    @Test(arguments: [
        (13, 8, 1), (20, 8, 1), (14, 0, 1), (14, 17, 1), (14, 8, 0), (14, 8, 5), (19, 9, 1), (18, 16, 2), (64, 8, 1),
        (-1, 8, 1),
    ])
    func scryptOutOfBoundsIsRefusedAtCreation(logN: Int, r: Int, p: Int) throws {
        try withDirectory { directory in
            let expected = (logN, r) == (18, 16) ? nil : "E-VAULT-010"
            // 2^18 with r = 16 is exactly 512 MiB: allowed, but too slow to run here.
            #expect(code { try ScryptParameters(logN: logN, r: r, p: p).check() } == expected)
            if expected != nil { #expect(code { _ = try make(directory, logN: logN, r: r, p: p) } == expected) }
        }
    }

    @Test(arguments: [(13, 8, 1), (31, 8, 1), (14, 65535, 1), (14, 8, 65535), (65535, 65535, 65535)])
    func scryptOutOfBoundsInAHostileHeaderIsRefusedBeforeItIsPaid(logN: Int, r: Int, p: Int) throws {
        try withDirectory { directory in
            let vault = try make(directory)
            let path = vault.path
            let unverified = try VaultFile.readHeader(load(path), path: path)
            let root = try unverified.header.rootKey(unlock: unlock())
            var file = try VaultFile.read(unverified, root: root)
            file.header.slots[0].parameters =
                SlotParameters.passphrase(
                    salt: [UInt8](repeating: 0, count: 16), scrypt: ScryptParameters(logN: logN, r: r, p: p)
                ).bytes
            store(try file.serialized(root: root), at: path)
            #expect(code { _ = try Vault.open(path: path, unlock: unlock(), anchor: MemoryAnchor()) } == "E-VAULT-010")
            #expect(code { _ = try Vault.inspect(path: path) } == "E-VAULT-010")
        }
    }

    @Test func slotParametersWithATailAreRefused() throws {
        try withDirectory { directory in
            let path = try make(directory).path
            let unverified = try VaultFile.readHeader(load(path), path: path)
            let root = try unverified.header.rootKey(unlock: unlock())
            var file = try VaultFile.read(unverified, root: root)
            file.header.slots[0].parameters.append(0)
            store(try file.serialized(root: root), at: path)
            #expect(code { _ = try Vault.open(path: path, unlock: unlock(), anchor: MemoryAnchor()) } == "E-VAULT-006")
        }
    }

    @Test(arguments: ["", "1234567", String(repeating: "x", count: 1025)])
    func passphraseOfBadLengthIsRefused(passphrase: String) throws {
        try withDirectory { directory in
            #expect(code { _ = try make(directory, passphrase: passphrase) } == "E-VAULT-011")
            let left = try names(in: directory)
            #expect(left == [])
        }
    }

    // MARK: Key files

    private func withKeyFile(_ body: (_ directory: String, _ workspace: String, _ key: String) throws -> Void) throws {
        try withDirectory { directory in
            try withDirectory { workspace in
                let key = directory + "/key"
                try UnlockMaterial.createKeyFile(path: key, workspace: workspace)
                try body(directory, workspace, key)
            }
        }
    }

    @Test func keyFileOpensAndAnotherOneDoesNot() throws {
        try withKeyFile { directory, workspace, key in
            let path = workspace + "/vault.datong"
            let anchor = MemoryAnchor()
            let vault = try Vault.create(
                path: path, customer: "c", unlock: .keyFile(path: key, workspace: workspace), anchor: anchor)
            try vault.put(name: "a", value: secret("value"))
            let again = try Vault.open(path: path, unlock: .keyFile(path: key, workspace: workspace), anchor: anchor)
            #expect(text(try again.read(name: "a")) == "value")
            let other = directory + "/other"
            try UnlockMaterial.createKeyFile(path: other, workspace: workspace)
            #expect(
                code {
                    _ = try Vault.open(path: path, unlock: .keyFile(path: other, workspace: workspace), anchor: anchor)
                } == "E-VAULT-004")
            #expect(code { _ = try Vault.open(path: path, unlock: unlock(), anchor: anchor) } == "E-VAULT-016")
            #expect(code { try UnlockMaterial.createKeyFile(path: key, workspace: workspace) } == "E-VAULT-008")
        }
    }

    @Test func keyFileInsideTheWorkspaceIsRefusedAlsoThroughALink() throws {
        try withKeyFile { directory, workspace, key in
            let inside = workspace + "/key"
            #expect(code { try UnlockMaterial.createKeyFile(path: inside, workspace: workspace) } == "E-VAULT-012")
            #expect(
                code { try UnlockMaterial.createKeyFile(path: workspace + "/./key", workspace: workspace) }
                    == "E-VAULT-012")
            #expect(try names(in: workspace) == [])
            store(load(key), at: inside)
            #expect(code { _ = try KeyFile.read(path: inside, workspace: workspace) } == "E-VAULT-012")
            // A link outside that leads inside, and a workspace named through a link.
            symlink(inside, directory + "/link")
            #expect(code { _ = try KeyFile.read(path: directory + "/link", workspace: workspace) } == "E-VAULT-012")
            symlink(workspace, directory + "/workspace-link")
            #expect(
                code { _ = try KeyFile.read(path: inside, workspace: directory + "/workspace-link") } == "E-VAULT-012")
            #expect(
                code {
                    _ = try Vault.create(
                        path: workspace + "/v", customer: "c", unlock: .keyFile(path: inside, workspace: workspace),
                        anchor: MemoryAnchor())
                } == "E-VAULT-012")
            // A neighbour whose name only begins like the workspace's is outside.
            let neighbour = workspace + "-keys"
            try UnlockMaterial.createKeyFile(path: neighbour, workspace: workspace)
            #expect(try KeyFile.read(path: neighbour, workspace: workspace).count == 65)
            unlink(neighbour)
        }
    }

    @Test func keyFileKeptUnsafelyIsRefused() throws {
        try withKeyFile { directory, workspace, key in
            let made = try KeyFile.read(path: key, workspace: workspace).count
            #expect(made == 65)
            for mode: mode_t in [0o640, 0o604, 0o660, 0o644, 0o700, 0o4600] {
                chmod(key, mode)
                #expect(code { _ = try KeyFile.read(path: key, workspace: workspace) } == "E-VAULT-013")
            }
            chmod(key, 0o600)
            Glibc.link(key, directory + "/second-name")
            #expect(code { _ = try KeyFile.read(path: key, workspace: workspace) } == "E-VAULT-013")
            unlink(directory + "/second-name")
            #expect(code { _ = try KeyFile.read(path: directory, workspace: workspace) } == "E-VAULT-013")
            #expect(code { _ = try KeyFile.read(path: directory + "/none", workspace: workspace) } == "E-VAULT-015")
            store([UInt8](repeating: 1, count: 31), at: key)
            #expect(code { _ = try KeyFile.read(path: key, workspace: workspace) } == "E-VAULT-014")
            store([UInt8](repeating: 1, count: 4097), at: key)
            #expect(code { _ = try KeyFile.read(path: key, workspace: workspace) } == "E-VAULT-014")
            store([UInt8](repeating: 1, count: 32), at: key)
            let shortest = try KeyFile.read(path: key, workspace: workspace).count
            #expect(shortest == 32)
        }
    }

    // MARK: Changing the way in

    @Test func changedUnlockShutsTheOldWayAndKeepsEverything() throws {
        try withDirectory { directory in
            let path = directory + "/vault.datong"
            let anchor = MemoryAnchor()
            let vault = try Vault.create(path: path, customer: "c", unlock: unlock(), parameters: cheap, anchor: anchor)
            try vault.put(name: "a", value: secret("one"))
            try vault.put(name: "a", value: secret("two"))
            let wrapped = try vault.wrap(label: "ledger", key: secret("data key of the ledger, 32 bytes"))
            let audit = bytes(try vault.hostKey(label: "audit"))
            let rootBefore = try VaultFile.readHeader(load(path), path: path).header.rootKey(unlock: unlock())
            try vault.changeUnlock(to: unlock("another passphrase"), parameters: cheap)
            #expect(try names(in: directory) == ["vault.datong", "vault.datong.lock"])
            #expect(code { _ = try Vault.open(path: path, unlock: unlock(), anchor: anchor) } == "E-VAULT-004")
            let again = try Vault.open(path: path, unlock: unlock("another passphrase"), anchor: anchor)
            #expect(text(try again.read(name: "a")) == "two")
            #expect(text(try again.readPrevious(name: "a")!) == "one")
            #expect(text(try again.unwrap(label: "ledger", wrapped: wrapped)) == "data key of the ledger, 32 bytes")
            #expect(bytes(try again.hostKey(label: "audit")) == audit)
            // The root key of the old file does not open the new one.
            #expect(
                code { _ = try VaultFile.read(VaultFile.readHeader(load(path), path: path), root: rootBefore) }
                    == "E-VAULT-005")
            try again.verify()
            try vault.verify()
        }
    }

    @Test func secondWayInIsAddedAndTakenAway() throws {
        try withKeyFile { _, workspace, key in
            let path = workspace + "/vault.datong"
            let anchor = MemoryAnchor()
            let vault = try Vault.create(path: path, customer: "c", unlock: unlock(), parameters: cheap, anchor: anchor)
            try vault.put(name: "a", value: secret("value"))
            let slot = try vault.addUnlock(.keyFile(path: key, workspace: workspace))
            #expect(try Vault.inspect(path: path).slots.map(\.kind) == ["passphrase", "key-file"])
            _ = try Vault.open(path: path, unlock: unlock(), anchor: anchor)
            _ = try Vault.open(path: path, unlock: .keyFile(path: key, workspace: workspace), anchor: anchor)
            try vault.removeUnlock(slot: 1)
            #expect(code { _ = try Vault.open(path: path, unlock: unlock(), anchor: anchor) } == "E-VAULT-016")
            #expect(code { try vault.removeUnlock(slot: slot) } == "E-VAULT-016")
            #expect(code { try vault.removeUnlock(slot: 9) } == "E-VAULT-016")
            for _ in 1..<VaultLimits.slots { try vault.addUnlock(.keyFile(path: key, workspace: workspace)) }
            #expect(code { try vault.addUnlock(.keyFile(path: key, workspace: workspace)) } == "E-VAULT-021")
        }
    }
}
