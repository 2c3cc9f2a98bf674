import Glibc
import Synchronization
import Values

/// The only place with secrets: one file, encrypted and authenticated as a whole, replaced and never edited.
///
/// May be used from several threads. Two processes may have it open, but the one that writes second is
/// refused (`E-VAULT-023`) until it opens the file again.
public final class Vault: Sendable {
    private struct State: ~Copyable {
        var root: SecretBytes
        var content: VaultContent
        /// The file this content came from or went to; it becomes `.previous` at the next change.
        var bytes: [UInt8]
        /// What stands at `path`, to notice another writer. `nil`: no file. Differs from `bytes` only while
        /// the vault goes on from `.previous`.
        var onDisk: [UInt8]?
    }

    /// Where the file is.
    public let path: String
    /// Why the vault goes on from the `.previous` beside its file: missing, damaged or altered. `nil`: it does not.
    /// Not `nil` is something to warn about, and the file to keep as evidence before the next change replaces it.
    public let recovery: Problem?
    private let anchor: any GenerationAnchor
    private let files: any FileLayer
    private let now: @Sendable () -> UInt64
    private let state: Mutex<State>

    private init(
        path: String, recovery: Problem?, anchor: any GenerationAnchor, files: any FileLayer,
        now: @escaping @Sendable () -> UInt64,
        state: consuming sending State
    ) {
        self.path = path
        self.recovery = recovery
        self.anchor = anchor
        self.files = files
        self.now = now
        self.state = Mutex(state)
    }

    // MARK: Making and opening

    /// Makes an empty vault. `customer` is shown by `inspect`; every ciphertext is bound to it.
    ///
    /// Refuses an existing file (`E-VAULT-008`), a weak passphrase, a key file inside the workspace and scrypt
    /// parameters out of bounds.
    public static func create(
        path: String, customer: String, unlock: borrowing UnlockMaterial, parameters: ScryptParameters = .standard,
        anchor: any GenerationAnchor
    ) throws(Problem) -> Vault {
        try create(
            path: path, customer: customer, unlock: unlock, parameters: parameters, anchor: anchor,
            files: SystemFiles(), now: wallClock)
    }

    static func create(
        path: String, customer: String, unlock: borrowing UnlockMaterial, parameters: ScryptParameters,
        anchor: any GenerationAnchor, files: any FileLayer, now: @escaping @Sendable () -> UInt64
    ) throws(Problem) -> Vault {
        try parameters.check()
        try checkText(customer, what: "customer", limit: VaultLimits.customerBytes)
        let seen = try readAnchor(anchor)
        let time = now()
        let root = try SecretBytes.random(count: Primitives.keyBytes)
        var header = VaultFile.Header(
            vaultID: try Primitives.random(count: VaultFile.idBytes), customer: customer, generation: seen ?? 0,
            created: time, written: time, slots: [])
        header.slots = [try header.makeSlot(number: 1, unlock: unlock, scrypt: parameters, now: time, root: root)]
        let content = try VaultContent(header: header, now: time, root: root)
        for place in [path, path + previousSuffix] where try files.read(place, limit: VaultLimits.fileBytes) != nil {
            throw VaultProblems.exists(place)
        }
        let vault = Vault(
            path: path, recovery: nil, anchor: anchor, files: files, now: now,
            state: State(root: root, content: content, bytes: [], onDisk: nil))
        try vault.change { _, _, _ in }
        return vault
    }

    /// Opens `path`, or the `.previous` beside it when `path` is missing, damaged or altered: the newest that passes.
    ///
    /// `E-VAULT-004` wrong passphrase or key, `E-VAULT-003` damaged, `E-VAULT-005` altered by somebody who made
    /// the checksum anew, `E-VAULT-007` older than the anchor. With a reason in `acceptingRollback` an older
    /// file is taken and at once becomes the newest generation; the caller records the reason.
    public static func open(
        path: String, unlock: borrowing UnlockMaterial, anchor: any GenerationAnchor, acceptingRollback: String? = nil
    ) throws(Problem) -> Vault {
        try open(
            path: path, unlock: unlock, anchor: anchor, acceptingRollback: acceptingRollback, files: SystemFiles(),
            now: wallClock)
    }

    static func open(
        path: String, unlock: borrowing UnlockMaterial, anchor: any GenerationAnchor, acceptingRollback: String?,
        files: any FileLayer, now: @escaping @Sendable () -> UInt64
    ) throws(Problem) -> Vault {
        if let reason = acceptingRollback, reason.utf8.allSatisfy({ $0 <= 0x20 }) {
            throw VaultProblems.rollbackReason()
        }
        let seen = try readAnchor(anchor)
        let onDisk = try files.read(path, limit: VaultLimits.fileBytes)
        let main = Self.attempt(onDisk, place: path, unlock: unlock)
        let complaint: Problem
        switch consume main {
        case .opened(let root, let content):
            return try start(
                Vault(
                    path: path, recovery: nil, anchor: anchor, files: files, now: now,
                    state: State(root: root, content: content, bytes: onDisk!, onDisk: onDisk)),
                seen: seen, acceptingRollback: acceptingRollback, older: VaultProblems.rolledBack)
        case .refused(let problem):
            // A wrong key is final, since an older file may still have an older passphrase; so is a newer format.
            guard VaultProblems.meansFileIsLost(problem) else { throw problem }
            complaint = problem
        }
        let previousPath = path + previousSuffix
        let previous = try files.read(previousPath, limit: VaultLimits.fileBytes)
        switch Self.attempt(previous, place: previousPath, unlock: unlock) {
        case .opened(let root, let content):
            return try start(
                Vault(
                    path: path, recovery: complaint, anchor: anchor, files: files, now: now,
                    state: State(root: root, content: content, bytes: previous!, onDisk: onDisk)),
                seen: seen, acceptingRollback: acceptingRollback, older: { _, _ in complaint })
        case .refused:
            throw complaint
        }
    }

    /// What became of one file.
    private enum Attempt: ~Copyable {
        case opened(SecretBytes, VaultContent)
        case refused(Problem)
    }

    private static func attempt(_ bytes: [UInt8]?, place: String, unlock: borrowing UnlockMaterial) -> Attempt {
        guard let bytes else { return .refused(VaultProblems.missing(place)) }
        do throws(Problem) {
            let unverified = try VaultFile.readHeader(bytes, path: place)
            let root = try unverified.header.rootKey(unlock: unlock)
            let content = try VaultContent(file: VaultFile.read(unverified, root: root), root: root)
            return .opened(root, content)
        } catch {
            return .refused(error)
        }
    }

    /// Compares a vault that opened with the anchor, and brings the two together.
    private static func start(
        _ vault: Vault, seen: UInt64?, acceptingRollback: String?, older: (UInt64, UInt64) -> Problem
    ) throws(Problem) -> Vault {
        let generation = vault.state.withLock { $0.content.header.generation }
        if let seen, generation < seen {
            guard acceptingRollback != nil else { throw older(generation, seen) }
            try vault.change(generation: seen + 1) { _, _, _ in }
        } else if generation != seen {
            try vault.moveAnchor(to: generation)
        }
        return vault
    }

    static let previousSuffix = ".previous"

    // MARK: Secrets

    /// Stores a new version of a secret; the version before stays readable until the next `put` of the name.
    ///
    /// Returns the version's number. Durable when it returns. `E-VAULT-031`: in place, but a power cut may
    /// bring the previous generation back.
    @discardableResult
    public func put(name: String, value: borrowing SecretBytes) throws(Problem) -> UInt64 {
        guard SecretName.isValid(name) else { throw VaultProblems.badName(length: name.utf8.count) }
        guard (1...VaultLimits.secretBytes).contains(value.count) else { throw VaultProblems.valueLength(value.count) }
        var version: UInt64 = 0
        try change { content, time, root throws(Problem) in
            try content.put(name: name, value: value, now: time, root: root)
            version = content.header.generation
        }
        return version
    }

    /// Lends the current value of a secret. `E-VAULT-018` when there is none of that name.
    public func with<R: ~Copyable>(
        name: String, _ body: (UnsafeRawBufferPointer) throws(Problem) -> R
    ) throws(Problem) -> R {
        try read(name: name).withBytes(body)
    }

    /// The current value of a secret, for one owner: what a secret expression's resolver gives.
    public func read(name: String) throws(Problem) -> SecretBytes {
        try state.withLock { state throws(Problem) in
            let entry = try Self.entry(name, in: state.content)
            return try state.content.value(of: entry, version: entry.current, root: state.root)
        }
    }

    /// The version before the current one, or `nil` when a secret has only one.
    public func readPrevious(name: String) throws(Problem) -> SecretBytes? {
        try state.withLock { state throws(Problem) in
            let entry = try Self.entry(name, in: state.content)
            guard entry.previous > 0 else { return nil }
            return try state.content.value(of: entry, version: entry.previous, root: state.root)
        }
    }

    /// Whether the vault holds a secret of this name.
    public func contains(_ name: String) -> Bool {
        state.withLock { $0.content.entries[name] != nil }
    }

    /// The number of the current version: the vault's generation that wrote it, so it rises and is never
    /// used again for the name, not even after a removal. `nil` when there is no such secret.
    public func version(of name: String) -> UInt64? {
        state.withLock { $0.content.entries[name]?.current }
    }

    /// All secrets by name, in bytewise order.
    public func list() -> [SecretInfo] {
        state.withLock { state in
            state.content.entries.values.map { entry in
                let record = state.content.records[.init(id: entry.id, version: entry.current)]!
                return SecretInfo(
                    name: entry.name, version: entry.current, created: record.created,
                    previousVersion: entry.previous == 0 ? nil : entry.previous)
            }
        }.sorted { Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) }
    }

    /// Removes a secret with all its versions. The `.previous` file keeps them until the next change.
    public func remove(name: String) throws(Problem) {
        try change { content, _, _ throws(Problem) in try content.remove(name: name) }
    }

    // MARK: Keys the host lives on

    /// Wraps a key of the host's, e.g. the ledger's data key. The result is no secret; it stays valid through
    /// `rotateKey` and `changeUnlock`.
    public func wrap(label: String, key: borrowing SecretBytes) throws(Problem) -> [UInt8] {
        try Self.checkText(label, what: "label", limit: VaultLimits.labelBytes)
        guard (1...VaultLimits.wrappedKeyBytes).contains(key.count) else { throw VaultProblems.valueLength(key.count) }
        return try state.withLock { state throws(Problem) in
            let content = state.content
            let number = content.hostTerm
            let wrapKey = try Self.wrapKey(content, term: number, label: label, root: state.root)
            let sealed = try Primitives.seal(
                key, key: wrapKey, aad: Self.wrapBinding(content, term: number, label: label))
            var writer = ByteWriter()
            writer.u16(Self.wrapFormat)
            writer.u32(number)
            writer.raw(sealed.nonce)
            writer.raw(sealed.bytes)
            return writer.bytes
        }
    }

    /// The key that `wrap` was given. `E-VAULT-027` for another vault's, another label's or altered bytes.
    public func unwrap(label: String, wrapped: [UInt8]) throws(Problem) -> SecretBytes {
        try Self.checkText(label, what: "label", limit: VaultLimits.labelBytes)
        return try state.withLock { state throws(Problem) in
            let content = state.content
            var reader = ByteReader(wrapped[...])
            let sealedBytes = wrapped.count - 6 - Primitives.nonceBytes
            guard sealedBytes > Primitives.tagBytes, sealedBytes <= VaultLimits.wrappedKeyBytes + Primitives.tagBytes,
                try reader.u16() == Self.wrapFormat
            else { throw VaultProblems.wrappedKey(label) }
            let number = try reader.u32()
            guard content.terms.contains(where: { $0.number == number && $0.purpose == .host }) else {
                throw VaultProblems.wrappedKey(label)
            }
            let sealed = Sealed(nonce: try reader.raw(Primitives.nonceBytes), bytes: try reader.raw(sealedBytes))
            let wrapKey = try Self.wrapKey(content, term: number, label: label, root: state.root)
            guard
                let key = try Primitives.open(
                    sealed, key: wrapKey, aad: Self.wrapBinding(content, term: number, label: label))
            else { throw VaultProblems.wrappedKey(label) }
            return key
        }
    }

    /// A 32-byte key made for a purpose of the host's, e.g. the audit chain's MAC. The same label gives the
    /// same key for the life of the vault, through every rotation.
    public func hostKey(label: String) throws(Problem) -> SecretBytes {
        try Self.checkText(label, what: "label", limit: VaultLimits.labelBytes)
        return try state.withLock { state throws(Problem) in
            let content = state.content
            let term = try content.termKey(content.hostTerm, purpose: .host, root: state.root)
            var info = ByteWriter()
            info.text("datong vault 1 host key")
            info.text(label)
            return try Primitives.derive(from: term, salt: content.header.vaultID, info: info.bytes)
        }
    }

    // MARK: Rotation

    /// A new key for the records; every value sealed anew. Nobody needs to enter anything.
    public func rotateKey() throws(Problem) {
        try change { content, time, root throws(Problem) in try content.rotateRecordTerm(now: time, root: root) }
    }

    /// Replaces every way to unlock by one, under a new root key and a new record key.
    ///
    /// The `.previous` file, which opens the old way, is removed. A copy of the old file still opens the old
    /// way: who may have one is answered by rotating the credentials themselves.
    public func changeUnlock(
        to unlock: borrowing UnlockMaterial, parameters: ScryptParameters = .standard
    ) throws(Problem) {
        try parameters.check()
        let root = try SecretBytes.random(count: Primitives.keyBytes)
        let time = now()
        let (start, number) = state.withLock { ($0.content.header, ($0.content.header.slots.last?.number ?? 0) + 1) }
        let slot = try start.makeSlot(number: number, unlock: unlock, scrypt: parameters, now: time, root: root)
        try change(newRoot: root.copy(), keepPrevious: false) { content, time, old throws(Problem) in
            try content.rotateRecordTerm(now: time, root: old)
            try content.rewrapTerms(from: old, to: root)
            content.header.slots = [slot]
        }
    }

    /// One more way to unlock. Returns its slot's number.
    @discardableResult
    public func addUnlock(
        _ unlock: borrowing UnlockMaterial, parameters: ScryptParameters = .standard
    ) throws(Problem) -> UInt16 {
        try parameters.check()
        var number: UInt16 = 0
        try change { content, time, root throws(Problem) in
            guard content.header.slots.count < VaultLimits.slots else {
                throw VaultProblems.full("slots", limit: VaultLimits.slots)
            }
            number = (content.header.slots.last?.number ?? 0) + 1
            content.header.slots.append(
                try content.header.makeSlot(number: number, unlock: unlock, scrypt: parameters, now: time, root: root))
        }
        return number
    }

    /// Takes a way to unlock away; the last one stays (`E-VAULT-016`).
    public func removeUnlock(slot: UInt16) throws(Problem) {
        try change(keepPrevious: false) { content, _, _ throws(Problem) in
            let rest = content.header.slots.filter { $0.number != slot }
            guard rest.count < content.header.slots.count, !rest.isEmpty else { throw VaultProblems.noSlot("#\(slot)") }
            content.header.slots = rest
        }
    }

    // MARK: Checking

    /// Reads the file anew and opens every key and every value in it.
    @discardableResult
    public func verify() throws(Problem) -> VaultReport {
        try state.withLock { state throws(Problem) in
            guard let bytes = try files.read(path, limit: VaultLimits.fileBytes) else {
                throw VaultProblems.missing(path)
            }
            guard bytes == state.bytes else {
                _ = try VaultFile.readHeader(bytes, path: path)
                throw VaultProblems.changedElsewhere(path: path)
            }
            let unverified = try VaultFile.readHeader(bytes, path: path)
            let content = try VaultContent(file: VaultFile.read(unverified, root: state.root), root: state.root)
            try content.proveAll(root: state.root)
            let seen = try Self.readAnchor(anchor)
            guard content.header.generation >= seen ?? 0 else {
                throw VaultProblems.rolledBack(found: content.header.generation, expected: seen!)
            }
            return VaultReport(
                generation: content.header.generation, secrets: content.entries.count, versions: content.records.count,
                terms: content.terms.count)
        }
    }

    /// What the file says of itself, without a key. The checksum is right; nothing is authenticated.
    public static func inspect(path: String) throws(Problem) -> VaultSummary {
        guard let bytes = try SystemFiles().read(path, limit: VaultLimits.fileBytes) else {
            throw VaultProblems.missing(path)
        }
        return try VaultSummary(VaultFile.readHeader(bytes, path: path).header, bytes: bytes.count)
    }

    // MARK: Replacing the file

    /// One generation forward. Before the rename nothing has changed; after it the new content is adopted even
    /// when finishing fails, because it is what the disk now holds.
    private func change(
        generation: UInt64? = nil, newRoot: consuming SecretBytes? = nil, keepPrevious: Bool = true,
        _ edit: (inout VaultContent, UInt64, borrowing SecretBytes) throws(Problem) -> Void
    ) throws(Problem) {
        let adoptedRoot = newRoot
        try state.withLock { state throws(Problem) in
            let time = now()
            var content = state.content
            content.header.generation = generation ?? content.header.generation + 1
            content.header.written = time
            try edit(&content, time, state.root)
            let nextRoot = adoptedRoot?.copy() ?? state.root.copy()
            let bytes = try content.file(root: nextRoot).serialized(root: nextRoot)
            guard bytes.count <= VaultLimits.fileBytes else { throw VaultProblems.tooLarge(path) }
            let (next, previous) = (path + ".next", path + Self.previousSuffix)
            try files.exclusively(path + ".lock") { () throws(Problem) in
                guard try files.read(path, limit: VaultLimits.fileBytes) == state.onDisk else {
                    throw VaultProblems.changedElsewhere(path: path)
                }
                do throws(Problem) {
                    try files.write(next, bytes)
                    try files.sync(next)
                    try Self.readBack(next, expecting: bytes, content: content, root: nextRoot, files: files)
                    if !state.bytes.isEmpty {
                        try files.write(previous + ".next", state.bytes)
                        try files.sync(previous + ".next")
                        try files.rename(previous + ".next", to: previous)
                    }
                    try files.rename(next, to: path)
                } catch {
                    try? files.remove(previous + ".next")
                    try? files.remove(next)
                    throw error
                }
                state.root = nextRoot.copy()
                state.content = content
                state.bytes = bytes
                state.onDisk = bytes
                do throws(Problem) {
                    try files.syncDirectory(FilePaths.split(path).directory)
                    try moveAnchor(to: content.header.generation)
                    if !keepPrevious {
                        try files.remove(previous)
                        try files.syncDirectory(FilePaths.split(path).directory)
                    }
                } catch {
                    throw VaultProblems.storedUnconfirmed(error)
                }
            }
        }
    }

    private static func readBack(
        _ place: String, expecting bytes: [UInt8], content: VaultContent, root: borrowing SecretBytes,
        files: any FileLayer
    ) throws(Problem) {
        guard let found = try files.read(place, limit: VaultLimits.fileBytes), found == bytes else {
            throw VaultProblems.readBack(place)
        }
        let file = try VaultFile.read(VaultFile.readHeader(found, path: place), root: root)
        guard try VaultContent(file: file, root: root) == content else { throw VaultProblems.readBack(place) }
    }

    private func moveAnchor(to generation: UInt64) throws(Problem) {
        do {
            try anchor.write(generation)
        } catch {
            throw VaultProblems.anchorUnreadable(Self.detail(error))
        }
    }

    private static func readAnchor(_ anchor: any GenerationAnchor) throws(Problem) -> UInt64? {
        let seen: UInt64?
        do {
            seen = try anchor.read()
        } catch {
            throw VaultProblems.anchorUnreadable(detail(error))
        }
        // Nobody vouches for the anchor, and the next generation is one more.
        guard seen ?? 0 <= VaultLimits.generation else { throw VaultProblems.anchorUnreadable("\(seen ?? 0)") }
        return seen
    }

    /// A problem's code, or the type of a foreign error: its text may hold anything.
    private static func detail(_ error: any Error) -> String {
        (error as? Problem)?.code ?? String(describing: type(of: error))
    }

    private static func entry(_ name: String, in content: VaultContent) throws(Problem) -> VaultFile.Entry {
        guard let entry = content.entries[name] else {
            throw SecretName.isValid(name)
                ? VaultProblems.unknownSecret(name) : VaultProblems.badName(length: name.utf8.count)
        }
        return entry
    }

    private static let wrapFormat: UInt16 = 1

    private static func wrapKey(
        _ content: VaultContent, term: UInt32, label: String, root: borrowing SecretBytes
    ) throws(Problem) -> SecretBytes {
        var info = ByteWriter()
        info.text("datong vault 1 host wrap")
        info.text(label)
        return try Primitives.derive(
            from: content.termKey(term, purpose: .host, root: root), salt: content.header.vaultID, info: info.bytes)
    }

    private static func wrapBinding(_ content: VaultContent, term: UInt32, label: String) -> [UInt8] {
        var writer = content.header.binding("wrapped key")
        writer.u32(term)
        writer.text(label)
        return writer.bytes
    }

    private static func checkText(_ text: String, what: String, limit: Int) throws(Problem) {
        guard (1...limit).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw VaultProblems.badText(what, limit: limit)
        }
    }

    private static let wallClock: @Sendable () -> UInt64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    }
}

/// One secret without its value. Its length is not told.
public struct SecretInfo: Sendable, Hashable {
    /// As the connection's `vault:` reference writes it.
    public var name: String
    /// Number of the current version.
    public var version: UInt64
    /// When the current version was stored, milliseconds since 1970.
    public var created: UInt64
    /// Number of the version before, if it is still kept.
    public var previousVersion: UInt64?
}

/// What `verify` walked.
public struct VaultReport: Sendable, Hashable {
    /// The file's generation.
    public var generation: UInt64
    /// Names.
    public var secrets: Int
    /// Values opened, current and previous.
    public var versions: Int
    /// Keys of the keyring.
    public var terms: Int
}

/// What a vault file says of itself, without a key.
public struct VaultSummary: Sendable, Hashable {
    /// One way to unlock.
    public struct Slot: Sendable, Hashable {
        /// Its number, for `removeUnlock`.
        public var number: UInt16
        /// passphrase, key-file, systemd, recovery, or the number of a kind this version does not know.
        public var kind: String
        /// When it was made, milliseconds since 1970.
        public var created: UInt64
        /// The cost of one guess, for a passphrase.
        public var scrypt: ScryptParameters?
    }

    /// 32 lower-case hexadecimal digits.
    public var vaultID: String
    /// As given to `create`.
    public var customer: String
    /// How many times the file has been replaced.
    public var generation: UInt64
    /// When the vault was made, milliseconds since 1970.
    public var created: UInt64
    /// When this generation was written, milliseconds since 1970.
    public var written: UInt64
    /// Major and minor number of the format.
    public var format: String
    /// Cipher suite: 1 = scrypt, HKDF-SHA256, AES-256-GCM.
    public var suite: UInt16
    /// Ways to unlock.
    public var slots: [Slot]
    /// Length of the file.
    public var bytes: Int

    init(_ header: VaultFile.Header, bytes: Int) throws(Problem) {
        vaultID = Hash.hexLower(header.vaultID)
        customer = header.customer
        generation = header.generation
        created = header.created
        written = header.written
        format = "\(VaultFile.major).\(VaultFile.minor)"
        suite = VaultFile.suite
        slots = []
        for slot in header.slots {
            var scrypt: ScryptParameters?
            if case .passphrase(_, let found) = try SlotParameters(slot: slot) { scrypt = found }
            slots.append(
                Slot(
                    number: slot.number, kind: SlotKind(rawValue: slot.kind)?.word ?? "\(slot.kind)",
                    created: slot.created, scrypt: scrypt))
        }
        self.bytes = bytes
    }
}
