import Glibc
import Values

/// What opens a vault.
public enum UnlockMaterial: ~Copyable, Sendable {
    /// A text a person remembers, 8...1024 bytes; stretched with scrypt.
    case passphrase(SecretBytes)
    /// A file with at least 32 bytes of randomness, outside `workspace`, mode 0600.
    case keyFile(path: String, workspace: String)

    /// Makes a key file: 64 random hexadecimal digits and a line feed, mode 0600, durable.
    ///
    /// Refuses an existing path (`E-VAULT-008`) and a path inside the workspace (`E-VAULT-012`).
    public static func createKeyFile(path: String, workspace: String) throws(Problem) {
        try KeyFile.create(path: path, workspace: workspace)
    }
}

/// Ways to unlock, by their number in the file.
enum SlotKind: UInt16 {
    case passphrase = 1
    case keyFile = 2
    /// Reserved: a credential sealed by systemd, with or without a TPM.
    case systemd = 3
    /// Reserved: a key split among people.
    case recovery = 4

    var word: String {
        switch self {
        case .passphrase: "passphrase"
        case .keyFile: "key-file"
        case .systemd: "systemd"
        case .recovery: "recovery"
        }
    }
}

/// The parameters of a slot: 16 bytes of salt, and for a passphrase log2 N, r and p as two bytes each.
enum SlotParameters: Hashable {
    case passphrase(salt: [UInt8], scrypt: ScryptParameters)
    case keyFile(salt: [UInt8])

    static let saltBytes = 16

    var bytes: [UInt8] {
        var writer = ByteWriter()
        switch self {
        case .passphrase(let salt, let scrypt):
            writer.raw(salt)
            writer.u16(UInt16(scrypt.logN))
            writer.u16(UInt16(scrypt.r))
            writer.u16(UInt16(scrypt.p))
        case .keyFile(let salt):
            writer.raw(salt)
        }
        return writer.bytes
    }

    /// `nil` for a kind that this version reserves or does not know: carried along, never used.
    init?(slot: VaultFile.Slot) throws(Problem) {
        var reader = ByteReader(slot.parameters[...])
        switch SlotKind(rawValue: slot.kind) {
        case .passphrase:
            let salt = try reader.raw(Self.saltBytes)
            let scrypt = ScryptParameters(
                logN: Int(try reader.u16()), r: Int(try reader.u16()), p: Int(try reader.u16()))
            try scrypt.check()
            self = .passphrase(salt: salt, scrypt: scrypt)
        case .keyFile:
            self = .keyFile(salt: try reader.raw(Self.saltBytes))
        case .systemd, .recovery, nil:
            return nil
        }
        try reader.end()
    }
}

extension VaultFile.Header {
    /// A slot that gives `root` to whoever has `unlock`.
    func makeSlot(
        number: UInt16, unlock: borrowing UnlockMaterial, scrypt: ScryptParameters, now: UInt64,
        root: borrowing SecretBytes
    ) throws(Problem) -> VaultFile.Slot {
        let salt = try Primitives.random(count: SlotParameters.saltBytes)
        let kind: SlotKind
        let parameters: SlotParameters
        switch unlock {
        case .passphrase:
            (kind, parameters) = (.passphrase, .passphrase(salt: salt, scrypt: scrypt))
        case .keyFile:
            (kind, parameters) = (.keyFile, .keyFile(salt: salt))
        }
        var slot = VaultFile.Slot(
            number: number, kind: kind.rawValue, created: now, label: kind.word, parameters: parameters.bytes,
            rootKey: Sealed(nonce: [], bytes: []))
        let key = try slotKey(slot, parameters: parameters, unlock: unlock)
        slot.rootKey = try Primitives.seal(root, key: key, aad: slotBinding(slot))
        return slot
    }

    /// The root key. `E-VAULT-016` without a slot of this kind, `E-VAULT-004` when none of them opens.
    func rootKey(unlock: borrowing UnlockMaterial) throws(Problem) -> SecretBytes {
        let wanted: SlotKind
        switch unlock {
        case .passphrase: wanted = .passphrase
        case .keyFile: wanted = .keyFile
        }
        // Every slot's bounds are checked before the first is stretched: a hostile header stalls nobody.
        for slot in slots { _ = try SlotParameters(slot: slot) }
        var tried = false
        for slot in slots where slot.kind == wanted.rawValue {
            guard let parameters = try SlotParameters(slot: slot) else { continue }
            tried = true
            let key = try slotKey(slot, parameters: parameters, unlock: unlock)
            if let root = try Primitives.open(slot.rootKey, key: key, aad: slotBinding(slot)) { return root }
        }
        throw tried ? VaultProblems.wrongKey : VaultProblems.noSlot(wanted.word)
    }

    private func slotKey(
        _ slot: VaultFile.Slot, parameters: SlotParameters, unlock: borrowing UnlockMaterial
    ) throws(Problem) -> SecretBytes {
        var info = ByteWriter()
        info.text("datong vault 1 slot key")
        info.raw(vaultID)
        info.u16(slot.number)
        info.u16(slot.kind)
        switch unlock {
        case .passphrase(let passphrase):
            guard case .passphrase(let salt, let scrypt) = parameters else { throw VaultProblems.slotKind(slot.kind) }
            guard (VaultLimits.passphraseBytesMin...VaultLimits.passphraseBytesMax).contains(passphrase.count) else {
                throw VaultProblems.passphraseLength(passphrase.count)
            }
            let stretched = try Primitives.scrypt(passphrase, salt: salt, parameters: scrypt)
            return try Primitives.derive(from: stretched, salt: salt, info: info.bytes)
        case .keyFile(let path, let workspace):
            guard case .keyFile(let salt) = parameters else { throw VaultProblems.slotKind(slot.kind) }
            let content = try KeyFile.read(path: path, workspace: workspace)
            return try Primitives.derive(from: content, salt: salt, info: info.bytes)
        }
    }
}

/// The key file on disk.
enum KeyFile {
    /// All of its bytes, a final line feed included, are the key.
    static func read(path: String, workspace: String) throws(Problem) -> SecretBytes {
        guard let real = resolve(path) else { throw VaultProblems.keyFileUnreadable(path, errno: errno) }
        try refuseInside(real, workspace: workspace, shown: path)
        let descriptor = open(real, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw VaultProblems.keyFileUnreadable(path, errno: errno) }
        defer { close(descriptor) }
        // Judged on the descriptor that is read, so that nobody exchanges the file in between.
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw VaultProblems.keyFileUnreadable(path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw VaultProblems.keyFileMode(path, detail: "not a regular file")
        }
        guard status.st_mode & 0o7177 == 0 else {
            throw VaultProblems.keyFileMode(path, detail: "mode " + String(status.st_mode & 0o7777, radix: 8))
        }
        guard status.st_uid == geteuid() else {
            throw VaultProblems.keyFileMode(path, detail: "owner \(status.st_uid)")
        }
        guard status.st_nlink == 1 else { throw VaultProblems.keyFileMode(path, detail: "\(status.st_nlink) links") }
        let size = Int(status.st_size)
        guard (VaultLimits.keyFileBytesMin...VaultLimits.keyFileBytesMax).contains(size) else {
            throw VaultProblems.keyFileLength(path, count: size)
        }
        let content = try SecretBytes.read(
            descriptor: descriptor, limit: VaultLimits.keyFileBytesMax, trimmingNewline: false)
        guard content.count >= VaultLimits.keyFileBytesMin else {
            throw VaultProblems.keyFileLength(path, count: content.count)
        }
        return content
    }

    static func create(path: String, workspace: String) throws(Problem) {
        let (directory, name) = FilePaths.split(path)
        guard let realDirectory = resolve(directory) else {
            throw VaultProblems.keyFileUnreadable(directory, errno: errno)
        }
        try refuseInside(realDirectory + "/" + name, workspace: workspace, shown: path)
        let digits = try SecretBytes.random(count: 32).withBytes { Codec.encoded($0, as: .hex) }
        let content = digits.withBytes { digits in
            SecretBytes(count: digits.count + 1) { room in
                room.copyMemory(from: digits)
                room[digits.count] = 0x0a
            }
        }
        let descriptor = open(realDirectory + "/" + name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw errno == EEXIST ? VaultProblems.exists(path) : VaultProblems.keyFileUnreadable(path, errno: errno)
        }
        let written = content.withBytes { write(descriptor, $0.baseAddress, $0.count) }
        let durable = written == content.count && fsync(descriptor) == 0
        let failure = errno
        close(descriptor)
        guard durable else {
            unlink(realDirectory + "/" + name)
            throw VaultProblems.keyFileUnreadable(path, errno: failure)
        }
        try SystemFiles().syncDirectory(realDirectory)
    }

    private static func refuseInside(_ real: String, workspace: String, shown: String) throws(Problem) {
        guard let root = resolve(workspace) else { throw VaultProblems.keyFileUnreadable(workspace, errno: errno) }
        guard root != "/", !real.hasPrefix(root + "/") else { throw VaultProblems.keyFileInWorkspace(shown) }
    }

    private static func resolve(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}
