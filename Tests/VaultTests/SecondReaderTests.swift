import Glibc
import Testing
import Values

@testable import Vault

/// The reader that stands in `docs/vault-format.md`, written in another language from that text.
private enum SecondReader {
    static let source: String? = {
        let directory = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        guard let bytes = try? SystemFiles().read("/" + directory + "/docs/vault-format.md", limit: 1 << 20) else {
            return nil
        }
        let document = String(decoding: bytes, as: UTF8.self)
        guard let start = document.range(of: "```python\n"),
            let end = document[start.upperBound...].range(of: "\n```\n")
        else { return nil }
        return String(document[start.upperBound..<end.lowerBound]) + "\n"
    }()

    /// It needs an interpreter and a package that not every machine has.
    static let isAvailable: Bool = system("python3 -c 'import cryptography' >/dev/null 2>&1") == 0

    /// What it prints, and whether it accepted the file. Paths are the tests' own, without blanks or quotes.
    static func run(_ vault: String, _ way: String, _ material: String, in directory: String) throws -> (String, Bool) {
        store(Array(try #require(source).utf8), at: directory + "/reader.py")
        let pipe = try #require(popen("python3 \(directory)/reader.py \(vault) \(way) \(material)", "r"))
        var output: [UInt8] = []
        var byte = fgetc(pipe)
        while byte != EOF {
            output.append(UInt8(byte))
            byte = fgetc(pipe)
        }
        let status = pclose(pipe)
        return (String(decoding: output, as: UTF8.self), status == 0)
    }
}

extension String {
    fileprivate func range(of needle: String) -> Range<String.Index>? { self[...].range(of: needle) }
}

extension Substring {
    fileprivate func range(of needle: String) -> Range<String.Index>? { firstRange(of: needle) }
}

@Suite("The format is what the document says")
struct SecondReaderTests {
    @Test func theDocumentHoldsAReader() {
        #expect(SecondReader.source?.contains("def read(data, way, material)") == true)
    }

    @Test(.enabled(if: SecondReader.isAvailable, "python3 with the package cryptography"))
    func secondReaderReadsWhatTheHostWrites() throws {
        try withDirectory { directory in
            let path = directory + "/vault.datong"
            let vault = try Vault.create(
                path: path, customer: "恒达五金", unlock: unlock(), parameters: cheap, anchor: MemoryAnchor())
            let key = directory + "/key"
            try UnlockMaterial.createKeyFile(path: key, workspace: "/usr")
            try vault.addUnlock(.keyFile(path: key, workspace: "/usr"))
            try vault.put(name: "erp/app-secret", value: secret("one"))
            try vault.put(name: "erp/app-secret", value: secret("two 二"))
            try vault.rotateKey()
            let whole = [UInt8](repeating: 0xa5, count: VaultLimits.secretBytes)
            try vault.put(name: "Z", value: SecretBytes(copying: whole))
            store(Array(passphrase.utf8), at: directory + "/passphrase")
            let expected =
                "Z 6 1 \(Hash.hexLower(whole))\n"
                + "erp/app-secret 4 1 \(Hash.hexLower(Array("two 二".utf8)))\n"
                + "erp/app-secret 3 2 \(Hash.hexLower(Array("one".utf8)))\n"
            for (way, material) in [("p", "passphrase"), ("k", "key")] {
                let (output, accepted) = try SecondReader.run(path, way, directory + "/" + material, in: directory)
                #expect(accepted)
                #expect(output == expected)
            }
            store(Array("wrong passphrase".utf8), at: directory + "/passphrase")
            let wrong = try SecondReader.run(path, "p", directory + "/passphrase", in: directory)
            #expect(wrong == ("E-VAULT-004\n", false))
            var bad = load(path)
            bad[100] ^= 1
            store(bad, at: path)
            let damaged = try SecondReader.run(path, "k", key, in: directory)
            #expect(damaged == ("E-VAULT-003\n", false))
        }
    }

    /// A file of format 1.0 as it was first written. It must open for ever.
    @Test func vaultOfTheFirstReleaseOpens() throws {
        try withDirectory { directory in
            let path = directory + "/vault.datong"
            store(fromBase64(Self.firstRelease), at: path)
            let vault = try Vault.open(path: path, unlock: unlock(), anchor: MemoryAnchor())
            #expect(vault.list().map(\.name) == ["erp/app-id", "erp/app-secret"])
            #expect(text(try vault.read(name: "erp/app-secret")) == "second value")
            #expect(text(try vault.readPrevious(name: "erp/app-secret")!) == "first value")
            #expect(text(try vault.read(name: "erp/app-id")) == "268001_example")
            #expect(
                Hash.hexLower(bytes(try vault.hostKey(label: "audit")))
                    == "57978f5d82f59e6096c1753368f27d66690734543e62ee330e0ac5d1be091fe6")
            #expect(
                text(try vault.unwrap(label: "ledger", wrapped: fromBase64(Self.firstWrapped))) == "ledger data key")
            try vault.verify()
            try vault.put(name: "erp/app-id", value: secret("268001_changed"))
        }
    }

    private static let firstWrapped =
        "AAEAAAABipvW65MKn9j7zMz9Su7j2/pp7yaWOHmG5VybUAH+mmB6jtiHAGP4OE9rgw=="

    private static let firstRelease = """
        iURUVg0KGgoAAQAAAAAApsp7BTquYFvJyXSzVhsPAOkADOaBkui+vuS6lOmHkQAAAAAAAAAEAAABog+8150AAAGiD7zYFwABAAEA
        AQABAAABog+8150ACnBhc3NwaHJhc2UAFpJ4hCYlJryQ3nN0Htizii4ADgAIAAFKjIjHOJebDDX2ShcR2qQf9JFYRimGByS0o0ay
        5WvrFvpkodDIwM1LgXOkmtgORYmRZHxA9MW1XWqdCNxPjEoGpwk+HxihRVnzx+scvUi964XXgQUQHc6jsC2zdAACAAAAAQACAAAB
        og+8150/mPLiJ2hb6do64LV4XfI0j96d4xfFTd6l0s40pLY6PYSL3ZZYKWqGyRSfEQsgnI0wSbaYpXreqRRlPvkAAAACAAEAAAGi
        D7zXnc0fAG6OChXfkry1YiCtxKBw10nNmK5cC2V25jLihUzxc0obQ0zMH+1Ml7999juykrqXzeYvAysxvN41uEiWah/KTLKDmEtM
        3QAAAH4AYfSV3hcMgnTy8irfyE5zsgIGVHsQL6FXsX9VZyDjI4OjmcYzyCbLcZi4Q0KK6J7AjS7O5CVrb8+p+Y9OPIkFKGOAbaAb
        14wjdjNz7ORXc6KEBMgrqQkuk5vBNTPVby4GbsU6MY1oXEkU53mbHloAGe20nH9dyeWvKQA0M8kAAAADWdtBkg48PzK+CtxgOIrr
        ggAAAAAAAAACAAAAAgACAAABog+82BT38tjrtGLxfOrY0pYAAABQMlFrGxAS1snNuIXVWvS3hm7f0QzAFGXMXwg7Lxxyekmb336a
        cWNx9KJ4QdzVbzVAt7pwRTBQKAl7EPSkN7aMsgyXEIQWaZmRHtUUK1w8J7hZ20GSDjw/Mr4K3GA4iuuCAAAAAAAAAAMAAAACAAEA
        AAGiD7zYFSr/kkh6YJSf8hrV1gAAAFAuUCsL2vZGic0aei8ZswagYw8Lj0svWRNg2myOuOcGYkufoEYg48JzCuEFC1QLvdGC0lyu
        +yNSHFl9WdhU0Q0oB3YcIO22HQ5TVU9CbzYYWrvE15v1+EiWu0UphCq7DAMAAAAAAAAABAAAAAIAAQAAAaIPvNgXb1R7LYco/WP4
        +R63AAAAUJqTmjsuJAEtnsCe0Ic3WJ7QZICFjGij1oa55rfhyPd+HOZbw62c8KtAP46VrtdP7Ojq4yGVJyxMtxR61b43NtJCWYd4
        TTlyFFquE8uoc4KR8JCk3DojkjRJfEQ+L0r2DK8TSkhSrFB+f7CP94ScuXvspGxlQSp7YNIELbQlaBkCuc989oE2+VeRN+DHPV9E
        fQ==
        """.filter { $0 != "\n" }
}
