import Values

/// An opened vault in memory: names and numbers in clear, values still sealed. Copying it copies no secret,
/// so a change is made on a copy and adopted only when the file with it is in place.
struct VaultContent: Sendable, Hashable {
    struct RecordKey: Hashable {
        var id: [UInt8]
        var version: UInt64
    }

    var header: VaultFile.Header
    var terms: [VaultFile.Term]
    var entries: [String: VaultFile.Entry]
    var records: [RecordKey: VaultFile.Record]

    /// A vault without secrets: one host term, one record term.
    init(header: VaultFile.Header, now: UInt64, root: borrowing SecretBytes) throws(Problem) {
        self.header = header
        (terms, entries, records) = ([], [:], [:])
        try addTerm(.host, now: now, root: root)
        try addTerm(.records, now: now, root: root)
    }

    /// What a parsed file holds. `E-VAULT-005` when index and records do not belong together.
    init(file: VaultFile, root: borrowing SecretBytes) throws(Problem) {
        header = file.header
        terms = file.terms
        guard terms.contains(where: { $0.purpose == .host }), terms.contains(where: { $0.purpose == .records }) else {
            throw VaultProblems.tampered("keyring")
        }
        let key = try header.key(.index, root: root)
        guard let index = try Primitives.open(file.index, key: key, aad: header.indexBinding()) else {
            throw VaultProblems.tampered("index")
        }
        // Names are no secret once the vault is open; only the values stay sealed.
        let list = try VaultFile.Entry.parse(index.withBytes { Array($0) })
        entries = Dictionary(uniqueKeysWithValues: list.map { ($0.name, $0) })
        records = Dictionary(
            uniqueKeysWithValues: file.records.map { (RecordKey(id: $0.id, version: $0.version), $0) })
        var expected = 0
        for entry in list {
            guard records[RecordKey(id: entry.id, version: entry.current)]?.state == .current else {
                throw VaultProblems.tampered("index")
            }
            expected += 1
            if entry.previous > 0 {
                guard records[RecordKey(id: entry.id, version: entry.previous)]?.state == .previous else {
                    throw VaultProblems.tampered("index")
                }
                expected += 1
            }
        }
        guard expected == records.count else { throw VaultProblems.tampered("index") }
        let usable = Set(terms.lazy.filter { $0.purpose == .records }.map(\.number))
        guard records.values.allSatisfy({ usable.contains($0.term) }) else { throw VaultProblems.tampered("keyring") }
    }

    /// The file of this content, its index sealed anew.
    func file(root: borrowing SecretBytes) throws(Problem) -> VaultFile {
        let list = entries.values.sorted { Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) }
        let index = try Primitives.seal(
            SecretBytes(copying: VaultFile.Entry.serialized(list)), key: try header.key(.index, root: root),
            aad: header.indexBinding())
        return VaultFile(
            header: header, terms: terms, index: index,
            records: records.values.sorted { $0.precedes(id: $1.id, version: $1.version) })
    }

    // MARK: Terms

    mutating func addTerm(
        _ purpose: VaultFile.Term.Purpose, now: UInt64, root: borrowing SecretBytes
    ) throws(Problem) {
        guard terms.count < VaultLimits.terms else { throw VaultProblems.full("terms", limit: VaultLimits.terms) }
        let number = (terms.last?.number ?? 0) + 1
        let key = try SecretBytes.random(count: Primitives.keyBytes)
        terms.append(try wrapped(key, number: number, purpose: purpose, created: now, root: root))
    }

    func wrapped(
        _ key: borrowing SecretBytes, number: UInt32, purpose: VaultFile.Term.Purpose, created: UInt64,
        root: borrowing SecretBytes
    ) throws(Problem) -> VaultFile.Term {
        let sealed = try Primitives.seal(
            key, key: try header.key(.keyring, root: root),
            aad: header.termBinding(number: number, purpose: purpose, created: created))
        return VaultFile.Term(number: number, purpose: purpose, created: created, key: sealed)
    }

    func termKey(_ number: UInt32, purpose: VaultFile.Term.Purpose, root: borrowing SecretBytes) throws(Problem)
        -> SecretBytes
    {
        guard let term = terms.first(where: { $0.number == number && $0.purpose == purpose }),
            let key = try Primitives.open(
                term.key, key: try header.key(.keyring, root: root),
                aad: header.termBinding(number: number, purpose: purpose, created: term.created))
        else { throw VaultProblems.tampered("keyring term \(number)") }
        return key
    }

    /// The term new records are sealed under.
    var recordTerm: UInt32 { terms.last { $0.purpose == .records }!.number }
    /// The term the host's own keys hang from; it never changes.
    var hostTerm: UInt32 { terms.first { $0.purpose == .host }!.number }

    // MARK: Records

    func value(
        of entry: VaultFile.Entry, version: UInt64, root: borrowing SecretBytes
    ) throws(Problem) -> SecretBytes {
        guard let record = records[RecordKey(id: entry.id, version: version)] else {
            throw VaultProblems.tampered("index")
        }
        let term = try termKey(record.term, purpose: .records, root: root)
        let key = try header.recordKey(term: term, id: record.id, version: record.version)
        let binding = header.recordBinding(record, entry: entry)
        guard let padded = try Primitives.open(record.value, key: key, aad: binding),
            let value = Padding.remove(padded)
        else { throw VaultProblems.tampered("record \(entry.name)") }
        return value
    }

    /// Seals a value as one version of a record, under the newest term.
    mutating func store(
        _ value: borrowing SecretBytes, entry: VaultFile.Entry, version: UInt64, state: VaultFile.Record.State,
        created: UInt64, root: borrowing SecretBytes
    ) throws(Problem) {
        var record = VaultFile.Record(
            id: entry.id, version: version, term: recordTerm, state: state, created: created,
            value: Sealed(nonce: [], bytes: []))
        let term = try termKey(record.term, purpose: .records, root: root)
        let key = try header.recordKey(term: term, id: record.id, version: version)
        record.value = try Primitives.seal(
            Padding.add(value), key: key, aad: header.recordBinding(record, entry: entry))
        records[RecordKey(id: entry.id, version: version)] = record
    }

    /// Makes a value current; the version before becomes the previous one, and the one before that goes.
    mutating func put(
        name: String, value: borrowing SecretBytes, now: UInt64, root: borrowing SecretBytes
    ) throws(Problem) {
        var entry: VaultFile.Entry
        if let old = entries[name] {
            entry = old
            if old.previous > 0 { records[RecordKey(id: old.id, version: old.previous)] = nil }
            let demoted = try self.value(of: old, version: old.current, root: root)
            let created = records[RecordKey(id: old.id, version: old.current)]!.created
            entry.previous = old.current
            try store(demoted, entry: entry, version: old.current, state: .previous, created: created, root: root)
        } else {
            guard entries.count < VaultLimits.secrets else {
                throw VaultProblems.full("secrets", limit: VaultLimits.secrets)
            }
            entry = VaultFile.Entry(
                id: try Primitives.random(count: VaultFile.idBytes), name: name, field: VaultFile.Entry.valueField,
                current: 0, previous: 0)
        }
        // The generation that writes a version is its number: it rises, and is never used twice for a name.
        entry.current = header.generation
        try store(value, entry: entry, version: entry.current, state: .current, created: now, root: root)
        entries[name] = entry
    }

    mutating func remove(name: String) throws(Problem) {
        guard let entry = entries.removeValue(forKey: name) else { throw VaultProblems.unknownSecret(name) }
        records = records.filter { $0.key.id != entry.id }
    }

    /// A new record term; every version sealed anew under it; older record terms gone.
    mutating func rotateRecordTerm(now: UInt64, root: borrowing SecretBytes) throws(Problem) {
        try addTerm(.records, now: now, root: root)
        for entry in entries.values {
            for version in [entry.current, entry.previous] where version > 0 {
                let old = records[RecordKey(id: entry.id, version: version)]!
                let value = try value(of: entry, version: version, root: root)
                try store(
                    value, entry: entry, version: version, state: old.state, created: old.created, root: root)
            }
        }
        let newest = recordTerm
        terms.removeAll { $0.purpose == .records && $0.number != newest }
    }

    /// The same keyring under another root key.
    mutating func rewrapTerms(from old: borrowing SecretBytes, to new: borrowing SecretBytes) throws(Problem) {
        for position in terms.indices {
            let term = terms[position]
            let key = try termKey(term.number, purpose: term.purpose, root: old)
            terms[position] = try wrapped(
                key, number: term.number, purpose: term.purpose, created: term.created, root: new)
        }
    }

    /// Opens every key and every value. `E-VAULT-005` names the first that does not open.
    func proveAll(root: borrowing SecretBytes) throws(Problem) {
        for term in terms { _ = try termKey(term.number, purpose: term.purpose, root: root) }
        for entry in entries.values {
            for version in [entry.current, entry.previous] where version > 0 {
                _ = try value(of: entry, version: version, root: root)
            }
        }
    }
}
