import Testing
import Values

@testable import Vault

/// A small vault with a key file, so that opening costs no scrypt, and the tools of an attacker.
private struct Target {
    let directory: String
    let path: String
    let keyFile: String
    let workspace: String
    let anchor = MemoryAnchor()
    let vault: Vault

    init(_ directory: String) throws {
        self.directory = directory
        workspace = "/usr"
        keyFile = directory + "/key"
        path = directory + "/vault.datong"
        try UnlockMaterial.createKeyFile(path: keyFile, workspace: workspace)
        vault = try Vault.create(
            path: path, customer: "恒达五金", unlock: .keyFile(path: keyFile, workspace: workspace), parameters: cheap,
            anchor: anchor)
        try vault.put(name: "erp/app-secret", value: secret("first value"))
        try vault.put(name: "erp/app-secret", value: secret("second value"))
        try vault.put(name: "erp/password", value: secret("other value!"))
        // Only the file itself is judged here, not the copy beside it.
        try SystemFiles().remove(path + Vault.previousSuffix)
    }

    func open() throws -> Vault {
        try Vault.open(path: path, unlock: .keyFile(path: keyFile, workspace: workspace), anchor: anchor)
    }

    /// What opening and reading everything says about these bytes.
    func verdict(_ bytes: [UInt8]) -> String? {
        store(bytes, at: path)
        return code { _ = try open().verify() }
    }

    /// The root key, as somebody inside would have it.
    func root() throws -> SecretBytes {
        let header = try VaultFile.readHeader(load(path), path: path).header
        return try header.rootKey(unlock: .keyFile(path: keyFile, workspace: workspace))
    }

    /// The file as values, changed, and written with every MAC made anew: what is left to refuse it is the
    /// binding of each ciphertext.
    func verdict(resealed change: (inout VaultFile, inout [VaultFile.Entry]) throws -> Void) throws -> String? {
        let root = try root()
        var file = try VaultFile.read(VaultFile.readHeader(load(path), path: path), root: root)
        let key = try file.header.key(.index, root: root)
        let plain = try Primitives.open(file.index, key: key, aad: file.header.indexBinding())!
        var entries = try VaultFile.Entry.parse(bytes(plain))
        try change(&file, &entries)
        file.index = try Primitives.seal(
            SecretBytes(copying: VaultFile.Entry.serialized(entries)), key: key, aad: file.header.indexBinding())
        return verdict(try file.serialized(root: root))
    }
}

/// The checksum made anew, as anybody can.
private func rechecked(_ bytes: [UInt8]) -> [UInt8] {
    let body = Array(bytes.dropLast(VaultFile.digestBytes))
    return body + Hash.sha256(body)
}

/// The same numbers every time.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

@Suite("An altered vault is refused")
struct TamperTests {
    @Test func everyFlippedByteIsRefused() throws {
        try withDirectory { directory in
            let target = try Target(directory)
            let good = load(target.path)
            #expect(target.verdict(good) == nil)
            var codes: [String: Int] = [:]
            for place in good.indices {
                for mask: UInt8 in [0x01, 0x80] {
                    var bad = good
                    bad[place] ^= mask
                    let verdict = target.verdict(bad)
                    #expect(verdict != nil, "byte \(place)")
                    codes[verdict ?? "opened", default: 0] += 1
                }
            }
            // Magic, version, and everything else by the checksum.
            #expect(codes == ["E-VAULT-001": 16, "E-VAULT-002": 8, "E-VAULT-003": 2 * (good.count - 12)])
        }
    }

    @Test func everyFlippedByteIsRefusedThoughTheChecksumIsMadeAnew() throws {
        try withDirectory { directory in
            let target = try Target(directory)
            let good = load(target.path)
            let known: Set = [
                "E-VAULT-001", "E-VAULT-002", "E-VAULT-003", "E-VAULT-004", "E-VAULT-005", "E-VAULT-006", "E-VAULT-016",
                "E-VAULT-030",
            ]
            var codes: Set<String> = []
            for place in good.indices.dropLast(VaultFile.digestBytes) {
                var bad = good
                bad[place] ^= 0x01
                let verdict = target.verdict(rechecked(bad))
                #expect(verdict != nil, "byte \(place)")
                codes.insert(verdict ?? "opened")
            }
            #expect(codes.isSubset(of: known))
            #expect(codes.isSuperset(of: ["E-VAULT-004", "E-VAULT-005", "E-VAULT-006", "E-VAULT-030"]))
        }
    }

    @Test func everyTruncationAndAnyTailIsRefused() throws {
        try withDirectory { directory in
            let target = try Target(directory)
            let good = load(target.path)
            for length in 0..<good.count {
                let cut = Array(good.prefix(length))
                let plain = target.verdict(cut)
                #expect(plain == (length < 8 ? "E-VAULT-001" : "E-VAULT-003"), "length \(length)")
                if length > VaultFile.digestBytes {
                    #expect(target.verdict(rechecked(cut)) != nil, "length \(length), checksum made anew")
                }
            }
            #expect(target.verdict(good + [0]) == "E-VAULT-003")
            #expect(target.verdict(rechecked(good + [0])) == "E-VAULT-005")
        }
    }

    @Test func everyFlippedByteOfTheBodyNeverCrashesThoughAllMACsAreMadeAnew() throws {
        try withDirectory { directory in
            let target = try Target(directory)
            let good = load(target.path)
            let root = try target.root()
            let unverified = try VaultFile.readHeader(good, path: target.path)
            let key = try unverified.header.key(.fileMAC, root: root)
            var opened = 0
            for place in (unverified.headerEnd + VaultFile.digestBytes)..<(good.count - 2 * VaultFile.digestBytes) {
                for mask: UInt8 in [0x01, 0x40, 0xff] {
                    var body = Array(good.dropLast(2 * VaultFile.digestBytes))
                    body[place] ^= mask
                    body += Primitives.hmac(key: key, body)
                    body += Hash.sha256(body)
                    if target.verdict(body) == nil { opened += 1 }
                }
            }
            // Every field of the body is bound to a ciphertext or to the structure.
            #expect(opened == 0)
        }
    }

    /// Many bytes at once, cut and lengthened, all MACs made anew: what a fuzzer with the keys would do.
    @Test func tenThousandMutationsWithAllMACsMadeAnewNeverCrash() throws {
        try withDirectory { directory in
            let target = try Target(directory)
            let good = load(target.path)
            let root = try target.root()
            let header = try VaultFile.readHeader(good, path: "").header
            let headerKey = try header.key(.headerMAC, root: root)
            let fileKey = try header.key(.fileMAC, root: root)
            let headerEnd = try VaultFile.readHeader(good, path: "").headerEnd
            var random = Seeded(state: 20_260_105)
            var opened = 0
            for _ in 0..<10_000 {
                var body = Array(good.dropLast(2 * VaultFile.digestBytes))
                for _ in 0..<Int.random(in: 1...6, using: &random) {
                    let place = Int.random(in: 8..<body.count, using: &random)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: body[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random)!
                    case 1: body[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                    case 2: body.removeLast(min(Int.random(in: 0..<40, using: &random), body.count - 200))
                    default: body.insert(UInt8.random(in: 0...255, using: &random), at: place)
                    }
                }
                if body.count > headerEnd + 32 {
                    let mac = Primitives.hmac(key: headerKey, Array(body[..<headerEnd]))
                    body.replaceSubrange(headerEnd..<headerEnd + 32, with: mac)
                }
                body += Primitives.hmac(key: fileKey, body)
                body += Hash.sha256(body)
                let verdict = code {
                    let file = try VaultFile.read(VaultFile.readHeader(body, path: ""), root: root)
                    try VaultContent(file: file, root: root).proveAll(root: root)
                }
                if verdict == nil { opened += 1 }
            }
            // What opens changed only what no ciphertext is bound to: the instant of writing, or nothing.
            #expect(opened < 200)
        }
    }

    // MARK: Splices

    @Test func spliceTwoRecordsSwapped() throws {
        try withDirectory { directory in
            let verdict = try Target(directory).verdict { file, entries in
                let (one, two) = (entries[0], entries[1])
                let first = file.records.firstIndex { $0.id == one.id && $0.version == one.current }!
                let second = file.records.firstIndex { $0.id == two.id && $0.version == two.current }!
                (file.records[first].value, file.records[second].value) =
                    (file.records[second].value, file.records[first].value)
            }
            #expect(verdict == "E-VAULT-005")
        }
    }

    @Test func spliceNamesSwapped() throws {
        try withDirectory { directory in
            let verdict = try Target(directory).verdict { file, entries in
                (entries[0].id, entries[1].id) = (entries[1].id, entries[0].id)
                (entries[0].current, entries[1].current) = (entries[1].current, entries[0].current)
                (entries[0].previous, entries[1].previous) = (entries[1].previous, entries[0].previous)
            }
            #expect(verdict == "E-VAULT-005")
        }
    }

    @Test func spliceSecretRenamed() throws {
        try withDirectory { directory in
            let verdict = try Target(directory).verdict { _, entries in entries[1].name = "erp/passwore" }
            #expect(verdict == "E-VAULT-005")
        }
    }

    @Test func spliceOldVersionShownAsCurrent() throws {
        try withDirectory { directory in
            let verdict = try Target(directory).verdict { file, entries in
                let entry = entries[0]
                file.records.removeAll { $0.id == entry.id && $0.version == entry.current }
                let old = file.records.firstIndex { $0.id == entry.id && $0.version == entry.previous }!
                file.records[old].state = .current
                entries[0].current = entry.previous
                entries[0].previous = 0
            }
            #expect(verdict == "E-VAULT-005")
        }
    }

    @Test func spliceOldValueUnderTheNewVersionNumber() throws {
        try withDirectory { directory in
            let verdict = try Target(directory).verdict { file, entries in
                let entry = entries[0]
                let old = file.records.firstIndex { $0.id == entry.id && $0.version == entry.previous }!
                let new = file.records.firstIndex { $0.id == entry.id && $0.version == entry.current }!
                file.records[new].value = file.records[old].value
            }
            #expect(verdict == "E-VAULT-005")
        }
    }

    @Test func spliceRetaggedTermStateAndTime() throws {
        try withDirectory { directory in
            let target = try Target(directory)
            let good = load(target.path)
            let root = try target.root()
            #expect(
                try target.verdict { file, _ in
                    var content = try VaultContent(
                        file: VaultFile.read(VaultFile.readHeader(good, path: ""), root: root), root: root)
                    try content.addTerm(.records, now: 1, root: root)
                    file.terms = content.terms
                    file.records[0].term = content.recordTerm
                } == "E-VAULT-005")
            store(good, at: target.path)
            #expect(try target.verdict { file, _ in file.records[0].created += 1 } == "E-VAULT-005")
            store(good, at: target.path)
            #expect(
                try target.verdict { file, _ in
                    file.records[0].state = file.records[0].state == .current ? .previous : .current
                } == "E-VAULT-005")
        }
    }

    @Test func spliceRecordOfAnotherVault() throws {
        try withDirectory { directory in
            let target = try Target(directory)
            let good = load(target.path)
            try withDirectory { other in
                let foreign = try Target(other)
                let foreignRoot = try foreign.root()
                let foreignFile = try VaultFile.read(
                    VaultFile.readHeader(load(foreign.path), path: ""), root: foreignRoot)
                #expect(
                    try target.verdict { file, _ in file.records[0].value = foreignFile.records[0].value }
                        == "E-VAULT-005")
                store(good, at: target.path)
                #expect(try target.verdict { file, _ in file.terms = foreignFile.terms } == "E-VAULT-005")
            }
        }
    }

    @Test func spliceIndexOfAnOlderGeneration() throws {
        try withDirectory { directory in
            let target = try Target(directory)
            let root = try target.root()
            let old = try VaultFile.read(VaultFile.readHeader(load(target.path), path: ""), root: root)
            try target.vault.rotateKey()
            var new = try VaultFile.read(VaultFile.readHeader(load(target.path), path: ""), root: root)
            new.index = old.index
            try SystemFiles().remove(target.path + Vault.previousSuffix)
            #expect(target.verdict(try new.serialized(root: root)) == "E-VAULT-005")
        }
    }

    @Test func spliceSlotOfAnotherNumberOrKind() throws {
        try withDirectory { directory in
            let target = try Target(directory)
            let good = load(target.path)
            // The unlocking happens first: a moved slot looks like a wrong key.
            #expect(try target.verdict { file, _ in file.header.slots[0].number = 2 } == "E-VAULT-004")
            store(good, at: target.path)
            #expect(try target.verdict { file, _ in file.header.slots[0].parameters[0] ^= 1 } == "E-VAULT-004")
            store(good, at: target.path)
            #expect(try target.verdict { file, _ in file.header.slots[0].kind = 3 } == "E-VAULT-016")
            store(good, at: target.path)
            #expect(try target.verdict { file, _ in file.header.slots[0].kind = 77 } == "E-VAULT-016")
        }
    }

    // MARK: Structure

    @Test func duplicatesAreRefused() throws {
        try withDirectory { directory in
            let target = try Target(directory)
            let good = load(target.path)
            let cases: [(inout VaultFile, inout [VaultFile.Entry]) -> Void] = [
                { file, _ in file.records.append(file.records[0]) },
                { file, _ in file.records.insert(file.records[0], at: 0) },
                { file, _ in file.terms.append(file.terms[0]) },
                { file, _ in file.header.slots.append(file.header.slots[0]) },
                { _, entries in entries.append(entries[0]) },
                { _, entries in entries.insert(entries[0], at: 0) },
                { _, entries in entries[1].id = entries[0].id },
                { _, entries in entries.swapAt(0, 1) },
                { _, entries in entries[0].previous = entries[0].current },
                { _, entries in entries[0].name = "" },
                { _, entries in entries[0].name = "a b" },
                { _, entries in entries[0].field = "other" },
                { file, _ in file.terms = [] },
                { file, _ in file.header.slots = [] },
                { file, _ in file.header.generation = 0 },
                { file, _ in file.header.customer = "" },
                { file, _ in file.header.customer = "line\nbreak" },
            ]
            for (number, change) in cases.enumerated() {
                store(good, at: target.path)
                #expect(try target.verdict { change(&$0, &$1) } == "E-VAULT-006", "case \(number)")
            }
        }
    }

    @Test func indexAndRecordsMustBelongTogether() throws {
        try withDirectory { directory in
            let target = try Target(directory)
            let good = load(target.path)
            let cases: [(inout VaultFile, inout [VaultFile.Entry]) -> Void] = [
                { file, _ in file.records.removeLast() },
                { _, entries in entries.removeLast() },
                { _, entries in entries[0].previous = 0 },
                { _, entries in entries[0].current += 100 },
                { file, _ in file.terms.removeAll { $0.purpose == .records } },
                { file, _ in file.terms.removeAll { $0.purpose == .host } },
            ]
            for (number, change) in cases.enumerated() {
                store(good, at: target.path)
                #expect(try target.verdict { change(&$0, &$1) } == "E-VAULT-005", "case \(number)")
            }
        }
    }

    private func unpaddedLength(_ padded: [UInt8]) -> Int? {
        length(Padding.remove(SecretBytes(copying: padded)))
    }

    @Test func paddingIsCanonical() throws {
        for size in [1, 59, 60, 61, 124, 125, VaultLimits.secretBytes] {
            let padded = Padding.add(SecretBytes(copying: [UInt8](repeating: 7, count: size)))
            #expect(padded.count % VaultLimits.paddingBytes == 0)
            #expect(padded.count + Primitives.tagBytes <= Padding.sealedBytesMax)
            let back = length(Padding.remove(padded))
            #expect(back == size)
            var dirty = bytes(padded)
            dirty[dirty.count - 1] ^= 1
            // Without padding the last byte is the value's.
            let accepted = unpaddedLength(dirty)
            #expect(accepted == (size % 64 == 60 ? size : nil))
        }
        let tooMuch = unpaddedLength([0, 0, 0, 1] + [UInt8](repeating: 0, count: 124))
        #expect(tooMuch == nil)
        let empty = unpaddedLength([UInt8](repeating: 0, count: 64))
        #expect(empty == nil)
    }
}
