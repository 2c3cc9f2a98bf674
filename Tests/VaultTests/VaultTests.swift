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
