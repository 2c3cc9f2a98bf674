import Values

/// The vault file as values. `docs/vault-format.md` describes the bytes; this file is the only one that
/// reads or writes them.
struct VaultFile: Sendable, Hashable {
    static let magic: [UInt8] = [0x89, 0x44, 0x54, 0x56, 0x0d, 0x0a, 0x1a, 0x0a]
    static let major: UInt16 = 1
    static let minor: UInt16 = 0
    static let suite: UInt16 = 1
    static let preambleBytes = 16
    /// Header MAC, file MAC and checksum.
    static let digestBytes = 32
    static let idBytes = 16

    var header: Header
    var terms: [Term]
    var index: Sealed
    var records: [Record]

    struct Header: Sendable, Hashable {
        var vaultID: [UInt8]
        var customer: String
        var generation: UInt64
        var created: UInt64
        var written: UInt64
        var slots: [Slot]
    }

    struct Slot: Sendable, Hashable {
        var number: UInt16
        var kind: UInt16
        var created: UInt64
        var label: String
        /// What the kind needs to stretch its secret; its layout is the kind's.
        var parameters: [UInt8]
        var rootKey: Sealed
    }

    /// One key of the keyring.
    struct Term: Sendable, Hashable {
        /// What the term's key is for: records are re-sealed under newer terms, the host's keys are not.
        enum Purpose: UInt16 { case records = 1, host = 2 }
        var number: UInt32
        var purpose: Purpose
        var created: UInt64
        var key: Sealed
    }

    /// One version of one secret.
    struct Record: Sendable, Hashable {
        enum State: UInt16 { case current = 1, previous = 2 }
        var id: [UInt8]
        var version: UInt64
        var term: UInt32
        var state: State
        var created: UInt64
        var value: Sealed
    }

    /// The sealed table of names: which record bears which name, and which version is current.
    struct Entry: Sendable, Hashable {
        var id: [UInt8]
        var name: String
        var field: String
        var current: UInt64
        /// 0: none.
        var previous: UInt64
    }
}

// MARK: - Writing

extension VaultFile {
    /// The header with its preamble: what the header MAC covers.
    var headerBytes: [UInt8] {
        var body = ByteWriter()
        body.raw(header.vaultID)
        body.text(header.customer)
        body.u64(header.generation)
        body.u64(header.created)
        body.u64(header.written)
        body.u16(Self.suite)
        body.u16(UInt16(header.slots.count))
        for slot in header.slots {
            body.u16(slot.number)
            body.u16(slot.kind)
            body.u64(slot.created)
            body.text(slot.label)
            body.u16(UInt16(slot.parameters.count))
            body.raw(slot.parameters)
            body.raw(slot.rootKey.nonce)
            body.raw(slot.rootKey.bytes)
        }
        var whole = ByteWriter()
        whole.raw(Self.magic)
        whole.u16(Self.major)
        whole.u16(Self.minor)
        whole.u32(UInt32(body.bytes.count))
        whole.raw(body.bytes)
        return whole.bytes
    }

    /// The whole file under the two MAC keys.
    func serialized(root: borrowing SecretBytes) throws(Problem) -> [UInt8] {
        var writer = ByteWriter()
        writer.raw(headerBytes)
        writer.raw(Primitives.hmac(key: try header.key(.headerMAC, root: root), writer.bytes))
        writer.u16(UInt16(terms.count))
        for term in terms {
            writer.u32(term.number)
            writer.u16(term.purpose.rawValue)
            writer.u64(term.created)
            writer.raw(term.key.nonce)
            writer.raw(term.key.bytes)
        }
        writer.raw(index.nonce)
        writer.counted(index.bytes)
        writer.u32(UInt32(records.count))
        for record in records {
            writer.raw(record.id)
            writer.u64(record.version)
            writer.u32(record.term)
            writer.u16(record.state.rawValue)
            writer.u64(record.created)
            writer.raw(record.value.nonce)
            writer.counted(record.value.bytes)
        }
        writer.raw(Primitives.hmac(key: try header.key(.fileMAC, root: root), writer.bytes))
        writer.raw(Hash.sha256(writer.bytes))
        return writer.bytes
    }
}

// MARK: - Reading

extension VaultFile {
    /// What can be read without a key: the checksum is right and the header well formed. Nothing here is
    /// authenticated yet.
    struct Unverified: Sendable {
        let bytes: [UInt8]
        let header: Header
        /// Offset of the header MAC.
        let headerEnd: Int
    }

    /// First pass, before any key: magic, version, checksum, header.
    static func readHeader(_ bytes: [UInt8], path: String) throws(Problem) -> Unverified {
        guard bytes.count <= VaultLimits.fileBytes else { throw VaultProblems.tooLarge(path) }
        guard bytes.count >= magic.count, Array(bytes.prefix(magic.count)) == magic else {
            throw VaultProblems.notAVault(path)
        }
        guard bytes.count >= preambleBytes + 3 * digestBytes else {
            throw VaultProblems.damaged("\(bytes.count) bytes")
        }
        var reader = ByteReader(bytes[...])
        _ = try reader.raw(magic.count)
        let (foundMajor, foundMinor) = (try reader.u16(), try reader.u16())
        guard (foundMajor, foundMinor) == (major, minor) else {
            throw VaultProblems.version(major: foundMajor, minor: foundMinor)
        }
        let covered = bytes.count - digestBytes
        guard Hash.sha256(Array(bytes[..<covered])) == Array(bytes[covered...]) else {
            throw VaultProblems.damaged("checksum")
        }
        let length = Int(try reader.u32())
        guard length <= VaultLimits.headerBytes, preambleBytes + length + 3 * digestBytes <= bytes.count else {
            throw VaultProblems.malformed("header of \(length) bytes", at: 12)
        }
        let end = preambleBytes + length
        var body = ByteReader(bytes[preambleBytes..<end])
        let header = try Header(from: &body)
        try body.end()
        return Unverified(bytes: bytes, header: header, headerEnd: end)
    }

    /// Second pass, with the root key: both MACs, then keyring, index and records.
    static func read(_ unverified: Unverified, root: borrowing SecretBytes) throws(Problem) -> VaultFile {
        let (bytes, header, headerEnd) = (unverified.bytes, unverified.header, unverified.headerEnd)
        let bodyStart = headerEnd + digestBytes
        let bodyEnd = bytes.count - 2 * digestBytes
        let headerMAC = Primitives.hmac(key: try header.key(.headerMAC, root: root), Array(bytes[..<headerEnd]))
        guard equal(headerMAC, Array(bytes[headerEnd..<bodyStart])) else { throw VaultProblems.tampered("header") }
        let fileMAC = Primitives.hmac(key: try header.key(.fileMAC, root: root), Array(bytes[..<bodyEnd]))
        guard equal(fileMAC, Array(bytes[bodyEnd..<bodyEnd + digestBytes])) else {
            throw VaultProblems.tampered("body")
        }

        var reader = ByteReader(bytes[bodyStart..<bodyEnd])
        var terms: [Term] = []
        for _ in 0..<(try reader.count16(1...VaultLimits.terms)) {
            let number = try reader.u32()
            guard number > terms.last?.number ?? 0 else { throw reader.malformed("terms not ascending") }
            guard let purpose = Term.Purpose(rawValue: try reader.u16()) else {
                throw reader.malformed("unknown purpose")
            }
            let created = try reader.u64()
            terms.append(Term(number: number, purpose: purpose, created: created, key: try Sealed(wrappedIn: &reader)))
        }
        let indexNonce = try reader.raw(Primitives.nonceBytes)
        let index = Sealed(nonce: indexNonce, bytes: try reader.counted(limit: VaultLimits.fileBytes))
        var records: [Record] = []
        for _ in 0..<(try reader.count32(limit: 2 * VaultLimits.secrets)) {
            let id = try reader.raw(idBytes)
            let version = try reader.u64()
            if let last = records.last {
                guard last.precedes(id: id, version: version) else { throw reader.malformed("records not ascending") }
            }
            guard version > 0 else { throw reader.malformed("version 0") }
            let term = try reader.u32()
            guard let state = Record.State(rawValue: try reader.u16()) else { throw reader.malformed("unknown state") }
            let created = try reader.u64()
            let nonce = try reader.raw(Primitives.nonceBytes)
            let value = try reader.counted(limit: Padding.sealedBytesMax)
            records.append(
                Record(
                    id: id, version: version, term: term, state: state, created: created,
                    value: Sealed(nonce: nonce, bytes: value)))
        }
        try reader.end()
        return VaultFile(header: header, terms: terms, index: index, records: records)
    }

    /// MACs are compared in constant time.
    private static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        SecretBytes(copying: left) == SecretBytes(copying: right)
    }
}

extension VaultFile.Record {
    /// The order of records in the file: by id, then by version, without equals.
    func precedes(id other: [UInt8], version otherVersion: UInt64) -> Bool {
        id == other ? version < otherVersion : id.lexicographicallyPrecedes(other)
    }
}

extension Sealed {
    /// A wrapped 32-byte key: nonce, ciphertext and tag, without a length.
    init(wrappedIn reader: inout ByteReader) throws(Problem) {
        nonce = try reader.raw(Primitives.nonceBytes)
        bytes = try reader.raw(Primitives.keyBytes + Primitives.tagBytes)
    }
}

extension VaultFile.Header {
    fileprivate init(from reader: inout ByteReader) throws(Problem) {
        vaultID = try reader.raw(VaultFile.idBytes)
        customer = try reader.text(limit: VaultLimits.customerBytes)
        generation = try reader.u64()
        guard generation > 0 else { throw reader.malformed("generation 0") }
        created = try reader.u64()
        written = try reader.u64()
        let suite = try reader.u16()
        guard suite == VaultFile.suite else { throw VaultProblems.suite(suite) }
        slots = []
        for _ in 0..<(try reader.count16(1...VaultLimits.slots)) {
            let number = try reader.u16()
            guard number > slots.last?.number ?? 0 else { throw reader.malformed("slots not ascending") }
            let kind = try reader.u16()
            let slotCreated = try reader.u64()
            let label = try reader.text(limit: VaultLimits.slotLabelBytes, mayBeEmpty: true)
            let parameters = try reader.raw(try reader.count16(0...VaultLimits.slotParameterBytes))
            slots.append(
                VaultFile.Slot(
                    number: number, kind: kind, created: slotCreated, label: label, parameters: parameters,
                    rootKey: try Sealed(wrappedIn: &reader)))
        }
    }
}

// MARK: - Keys and what they are bound to

extension VaultFile.Header {
    /// The keys derived from the root key, each for one purpose.
    enum Purpose: String {
        case headerMAC = "header mac"
        case fileMAC = "file mac"
        case keyring = "keyring wrap"
        case index = "index"
    }

    func key(_ purpose: Purpose, root: borrowing SecretBytes) throws(Problem) -> SecretBytes {
        var info = ByteWriter()
        info.text("datong vault 1 " + purpose.rawValue)
        return try Primitives.derive(from: root, salt: vaultID, info: info.bytes)
    }

    /// The start of everything that is authenticated beside a ciphertext: what it is, and whose vault.
    func binding(_ what: String) -> ByteWriter {
        var writer = ByteWriter()
        writer.text("datong vault 1 " + what)
        writer.raw(vaultID)
        writer.text(customer)
        writer.u16(VaultFile.suite)
        return writer
    }

    func slotBinding(_ slot: VaultFile.Slot) -> [UInt8] {
        var writer = binding("slot")
        writer.u16(slot.number)
        writer.u16(slot.kind)
        writer.u64(slot.created)
        writer.text(slot.label)
        writer.u16(UInt16(slot.parameters.count))
        writer.raw(slot.parameters)
        return writer.bytes
    }

    func termBinding(number: UInt32, purpose: VaultFile.Term.Purpose, created: UInt64) -> [UInt8] {
        var writer = binding("term")
        writer.u32(number)
        writer.u16(purpose.rawValue)
        writer.u64(created)
        return writer.bytes
    }

    func indexBinding() -> [UInt8] {
        var writer = binding("index")
        writer.u64(generation)
        return writer.bytes
    }

    func recordBinding(_ record: VaultFile.Record, entry: VaultFile.Entry) -> [UInt8] {
        var writer = binding("record")
        writer.raw(record.id)
        writer.text(entry.name)
        writer.text(entry.field)
        writer.u64(record.version)
        writer.u32(record.term)
        writer.u64(record.created)
        writer.u16(record.state.rawValue)
        return writer.bytes
    }

    /// The key of one version of one record.
    func recordKey(term: borrowing SecretBytes, id: [UInt8], version: UInt64) throws(Problem) -> SecretBytes {
        var info = ByteWriter()
        info.text("datong vault 1 record key")
        info.raw(id)
        info.u64(version)
        return try Primitives.derive(from: term, salt: vaultID, info: info.bytes)
    }
}

// MARK: - The index

extension VaultFile.Entry {
    /// The only field of a secret that this version writes.
    static let valueField = "value"

    static func serialized(_ entries: [VaultFile.Entry]) -> [UInt8] {
        var writer = ByteWriter()
        writer.u32(UInt32(entries.count))
        for entry in entries {
            writer.raw(entry.id)
            writer.text(entry.name)
            writer.text(entry.field)
            writer.u64(entry.current)
            writer.u64(entry.previous)
        }
        return writer.bytes
    }

    static func parse(_ bytes: [UInt8]) throws(Problem) -> [VaultFile.Entry] {
        var reader = ByteReader(bytes[...])
        var entries: [VaultFile.Entry] = []
        var ids: Set<[UInt8]> = []
        for _ in 0..<(try reader.count32(limit: VaultLimits.secrets)) {
            let entry = VaultFile.Entry(
                id: try reader.raw(VaultFile.idBytes), name: try reader.text(limit: VaultLimits.nameBytes),
                field: try reader.text(limit: VaultLimits.fieldBytes), current: try reader.u64(),
                previous: try reader.u64())
            guard SecretName.isValid(entry.name), entry.field == valueField else {
                throw reader.malformed("name or field")
            }
            if let last = entries.last {
                guard Array(last.name.utf8).lexicographicallyPrecedes(Array(entry.name.utf8)) else {
                    throw reader.malformed("names not ascending")
                }
            }
            guard ids.insert(entry.id).inserted else { throw reader.malformed("a record with two names") }
            guard entry.current > 0, entry.previous < entry.current else { throw reader.malformed("versions") }
            entries.append(entry)
        }
        try reader.end()
        return entries
    }
}

/// The names of secrets.
enum SecretName {
    /// 1...128 of letters, digits and `. _ @ / -`.
    static func isValid(_ name: String) -> Bool {
        (1...VaultLimits.nameBytes).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                switch $0 {
                case 0x61...0x7a, 0x41...0x5a, 0x30...0x39, 0x2e, 0x5f, 0x40, 0x2f, 0x2d: true
                default: false
                }
            }
    }
}

/// A value before sealing: four bytes of length, the value, zeros up to a multiple of 64.
enum Padding {
    static let sealedBytesMax =
        (VaultLimits.secretBytes + 4 + VaultLimits.paddingBytes - 1) / VaultLimits.paddingBytes
        * VaultLimits.paddingBytes + Primitives.tagBytes

    static func add(_ value: borrowing SecretBytes) -> SecretBytes {
        let count = value.count
        let unit = VaultLimits.paddingBytes
        return value.withBytes { bytes in
            SecretBytes(count: (count + 4 + unit - 1) / unit * unit) { room in
                room.storeBytes(of: UInt32(count).bigEndian, as: UInt32.self)
                UnsafeMutableRawBufferPointer(rebasing: room[4..<4 + count]).copyMemory(from: bytes)
            }
        }
    }

    /// `nil` when the padding is not the one `add` makes.
    static func remove(_ padded: borrowing SecretBytes) -> SecretBytes? {
        padded.withBytes { bytes in
            guard bytes.count >= VaultLimits.paddingBytes, bytes.count % VaultLimits.paddingBytes == 0 else {
                return nil
            }
            let count = Int(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
            guard (1...VaultLimits.secretBytes).contains(count), count + 4 <= bytes.count,
                bytes.count - count - 4 < VaultLimits.paddingBytes, bytes[(4 + count)...].allSatisfy({ $0 == 0 })
            else { return nil }
            return SecretBytes(copying: UnsafeRawBufferPointer(rebasing: bytes[4..<4 + count]))
        }
    }
}
