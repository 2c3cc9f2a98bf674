import Glibc
import Testing
import Values

@testable import Vault

@Suite("The vault keeps secrets")
struct VaultTests {
    @Test func whatIsPutComesBackAfterReopening() throws {
        try withDirectory { directory in
            let path = directory + "/vault.datong"
            let anchor = MemoryAnchor()
            do {
                let vault = try Vault.create(
                    path: path, customer: "恒达五金", unlock: unlock(), parameters: cheap, anchor: anchor)
                try vault.put(name: "erp/app-secret", value: secret("s3cret-value"))
                try vault.put(name: "erp/app-id", value: secret("268001"))
                try vault.put(name: "erp/app-secret", value: secret("s3cret-value-2"))
            }
            let vault = try Vault.open(path: path, unlock: unlock(), anchor: anchor)
            #expect(text(try vault.read(name: "erp/app-secret")) == "s3cret-value-2")
            #expect(text(try vault.readPrevious(name: "erp/app-secret")!) == "s3cret-value")
            #expect(try vault.readPrevious(name: "erp/app-id") == nil)
            #expect(vault.list().map(\.name) == ["erp/app-id", "erp/app-secret"])
            #expect(vault.contains("erp/app-id"))
            #expect(!vault.contains("erp/other"))
            let report = try vault.verify()
            #expect(report.secrets == 2)
            #expect(report.versions == 3)
            #expect(report.generation == 4)
            #expect(anchor.value == 4)
            #expect(try vault.with(name: "erp/app-id") { $0.count } == 6)
        }
    }

    @Test func wrongPassphraseAndDamageHaveDifferentCodes() throws {
        try withDirectory { directory in
            let path = directory + "/vault.datong"
            let anchor = MemoryAnchor()
            let vault = try Vault.create(path: path, customer: "c", unlock: unlock(), parameters: cheap, anchor: anchor)
            try vault.put(name: "a", value: secret("value"))
            #expect(
                code { _ = try Vault.open(path: path, unlock: unlock("wrong passphrase"), anchor: anchor) }
                    == "E-VAULT-004")
            var file = load(path)
            file[file.count / 2] ^= 1
            store(file, at: path)
            #expect(code { _ = try Vault.open(path: path, unlock: unlock(), anchor: anchor) } == "E-VAULT-003")
        }
    }
}

@Suite("The vault in use")
struct VaultUseTests {
    private func make(_ directory: String) throws -> Vault {
        try Vault.create(
            path: directory + "/vault.datong", customer: "恒达五金", unlock: unlock(), parameters: cheap,
            anchor: MemoryAnchor())
    }

    @Test(arguments: ["", "a b", "名称", "a\n", "a|b", "a:b", String(repeating: "x", count: 129)])
    func badNamesAreRefused(name: String) throws {
        try withDirectory { directory in
            let vault = try make(directory)
            #expect(code { try vault.put(name: name, value: secret("value")) } == "E-VAULT-019")
            #expect(code { _ = try vault.read(name: name) } == "E-VAULT-019")
        }
    }

    @Test func badLengthsAreRefused() throws {
        try withDirectory { directory in
            let vault = try make(directory)
            #expect(code { try vault.put(name: "a", value: secret("")) } == "E-VAULT-020")
            let large = SecretBytes(copying: [UInt8](repeating: 1, count: VaultLimits.secretBytes + 1))
            #expect(code { try vault.put(name: "a", value: large) } == "E-VAULT-020")
            let largest = SecretBytes(copying: [UInt8](repeating: 1, count: VaultLimits.secretBytes))
            try vault.put(name: "a", value: largest)
            #expect(try vault.with(name: "a") { $0.count } == VaultLimits.secretBytes)
            try vault.verify()
        }
    }

    @Test func missingAndForeignFilesHaveTheirCodes() throws {
        try withDirectory { directory in
            #expect(
                code { _ = try Vault.open(path: directory + "/none", unlock: unlock(), anchor: MemoryAnchor()) }
                    == "E-VAULT-009")
            #expect(code { _ = try Vault.inspect(path: directory + "/none") } == "E-VAULT-009")
            store(Array("# just a text file\n".utf8), at: directory + "/text")
            #expect(
                code { _ = try Vault.open(path: directory + "/text", unlock: unlock(), anchor: MemoryAnchor()) }
                    == "E-VAULT-001")
            #expect(
                code { _ = try Vault.open(path: directory, unlock: unlock(), anchor: MemoryAnchor()) } == "E-VAULT-001")
        }
    }

    @Test func inspectNeedsNoKeyAndTellsNoNames() throws {
        try withDirectory { directory in
            let vault = try make(directory)
            try vault.put(name: "erp/very-telling-name", value: secret("canary-canary-canary"))
            let summary = try Vault.inspect(path: vault.path)
            #expect(summary.customer == "恒达五金")
            #expect(summary.generation == 2)
            #expect(summary.format == "1.0")
            #expect(summary.slots.map(\.kind) == ["passphrase"])
            #expect(summary.slots[0].scrypt == cheap)
            let file = load(vault.path)
            for needle in ["very-telling-name", "canary"] {
                #expect(file.firstRange(of: Array(needle.utf8)) == nil)
            }
            #expect(!"\(summary)".contains("telling"))
        }
    }

    @Test func theFileDoesNotTellHowLongAValueIs() throws {
        try withDirectory { directory in
            let vault = try make(directory)
            try vault.put(name: "a", value: secret("1"))
            let short = load(vault.path).count
            try vault.remove(name: "a")
            try vault.put(name: "a", value: secret(String(repeating: "1", count: 60)))
            #expect(load(vault.path).count == short)
        }
    }

    @Test func theSameValueIsNeverTheSameCiphertext() throws {
        try withDirectory { directory in
            let vault = try make(directory)
            try vault.put(name: "a", value: secret("same value"))
            try vault.put(name: "b", value: secret("same value"))
            try vault.put(name: "b", value: secret("same value"))
            let header = try VaultFile.readHeader(load(vault.path), path: "")
            let file = try VaultFile.read(header, root: header.header.rootKey(unlock: unlock()))
            #expect(Set(file.records.map(\.value.bytes)).count == 3)
            #expect(Set(file.records.map(\.value.nonce)).count == 3)
        }
    }

    @Test func rotatedKeyKeepsValuesAndDropsTheOldTerm() throws {
        try withDirectory { directory in
            let vault = try make(directory)
            try vault.put(name: "a", value: secret("one"))
            try vault.put(name: "a", value: secret("two"))
            let wrapped = try vault.wrap(label: "ledger", key: secret("0123456789abcdef0123456789abcdef"))
            let version = vault.version(of: "a")
            for _ in 0..<3 { try vault.rotateKey() }
            #expect(text(try vault.read(name: "a")) == "two")
            #expect(text(try vault.readPrevious(name: "a")!) == "one")
            #expect(vault.version(of: "a") == version)
            #expect(try vault.verify().terms == 2)
            #expect(text(try vault.unwrap(label: "ledger", wrapped: wrapped)) == "0123456789abcdef0123456789abcdef")
        }
    }

    @Test func wrappedKeyOpensOnlyWithItsLabelAndItsVault() throws {
        try withDirectory { directory in
            let vault = try make(directory)
            let key = try SecretBytes.random(count: 32)
            let wrapped = try vault.wrap(label: "ledger", key: key)
            let back = try vault.unwrap(label: "ledger", wrapped: wrapped)
            #expect(bytes(back) == bytes(key))
            #expect(code { _ = try vault.unwrap(label: "ledgeR", wrapped: wrapped) } == "E-VAULT-027")
            for place in wrapped.indices {
                var bad = wrapped
                bad[place] ^= 1
                #expect(code { _ = try vault.unwrap(label: "ledger", wrapped: bad) } == "E-VAULT-027", "byte \(place)")
            }
            for length in 0..<wrapped.count {
                #expect(
                    code { _ = try vault.unwrap(label: "ledger", wrapped: Array(wrapped.prefix(length))) }
                        == "E-VAULT-027")
            }
            try withDirectory { other in
                let foreign = try make(other)
                #expect(code { _ = try foreign.unwrap(label: "ledger", wrapped: wrapped) } == "E-VAULT-027")
                #expect(bytes(try foreign.hostKey(label: "audit")) != bytes(try vault.hostKey(label: "audit")))
            }
            #expect(bytes(try vault.hostKey(label: "audit")) == bytes(try vault.hostKey(label: "audit")))
            #expect(bytes(try vault.hostKey(label: "audit")) != bytes(try vault.hostKey(label: "content")))
            for label in ["", String(repeating: "l", count: 70_000)] {
                #expect(code { _ = try vault.wrap(label: label, key: key) } == "E-VAULT-032")
                #expect(code { _ = try vault.unwrap(label: label, wrapped: wrapped) } == "E-VAULT-032")
            }
        }
    }

    @Test func manyThreadsReadWhileOthersWrite() async throws {
        let directory = try withDirectory { $0 }
        mkdir(directory, 0o700)
        defer {
            for name in (try? names(in: directory)) ?? [] { unlink(directory + "/" + name) }
            rmdir(directory)
        }
        let vault = try make(directory)
        for name in 0..<4 { try vault.put(name: "s\(name)", value: secret("s\(name) value 0")) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in 0..<4 {
                group.addTask {
                    for round in 1...10 { try vault.put(name: "s\(name)", value: secret("s\(name) value \(round)")) }
                }
                group.addTask {
                    for _ in 0..<200 {
                        let value = text(try vault.read(name: "s\(name)"))
                        #expect(value.hasPrefix("s\(name) value "))
                    }
                }
            }
            try await group.waitForAll()
        }
        for name in 0..<4 { #expect(text(try vault.read(name: "s\(name)")) == "s\(name) value 10") }
        #expect(try vault.verify().generation == 45)
    }
}
