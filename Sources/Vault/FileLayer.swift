import Glibc
import Values

/// The file operations of a commit, one by one, so that tests can fail each of them.
///
/// Every function throws `E-VAULT-024` naming the operation.
protocol FileLayer: Sendable {
    /// The whole file, or `nil` when there is none. More than `limit` bytes: `E-VAULT-029`.
    func read(_ path: String, limit: Int) throws(Problem) -> [UInt8]?
    /// Makes or empties the file, mode 0600, and writes all bytes. Not durable yet.
    func write(_ path: String, _ bytes: [UInt8]) throws(Problem)
    /// Makes the file's content durable.
    func sync(_ path: String) throws(Problem)
    /// Gives a file a new name, replacing what has it.
    func rename(_ path: String, to other: String) throws(Problem)
    /// Removes a name; no complaint when there is none.
    func remove(_ path: String) throws(Problem)
    /// Makes the names in a directory durable.
    func syncDirectory(_ path: String) throws(Problem)
    /// Keeps other processes out while `body` runs. `E-VAULT-022` after five seconds.
    func exclusively(_ lockPath: String, _ body: () throws(Problem) -> Void) throws(Problem)
}

/// Paths as text.
enum FilePaths {
    /// ("/a/b", "c") of "/a/b/c"; (".", "c") of "c".
    static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let name = String(path[path.index(after: slash)...])
        return (slash == path.startIndex ? "/" : String(path[..<slash]), name)
    }
}

/// The real file system.
struct SystemFiles: FileLayer {
    func read(_ path: String, limit: Int) throws(Problem) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw VaultProblems.fileSystem("open", path: path, errno: errno)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw VaultProblems.fileSystem("stat", path: path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw VaultProblems.notAVault(path) }
        guard status.st_size <= limit else { throw VaultProblems.tooLarge(path) }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size) + 1)
        var length = 0
        while length < bytes.count {
            let room = bytes.count - length
            let got = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + length, room) }
            if got < 0 {
                if errno == EINTR { continue }
                throw VaultProblems.fileSystem("read", path: path, errno: errno)
            }
            if got == 0 { break }
            length += got
        }
        guard length <= Int(status.st_size) else { throw VaultProblems.damaged("it grows while it is read") }
        bytes.removeLast(bytes.count - length)
        return bytes
    }

    func write(_ path: String, _ bytes: [UInt8]) throws(Problem) {
        // A leftover of a crash may have any mode or be a link: make it anew.
        try remove(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw VaultProblems.fileSystem("create", path: path, errno: errno) }
        defer { close(descriptor) }
        var written = 0
        while written < bytes.count {
            let more = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if more < 0 {
                if errno == EINTR { continue }
                throw VaultProblems.fileSystem("write", path: path, errno: errno)
            }
            written += more
        }
    }

    func sync(_ path: String) throws(Problem) { try sync(path, flags: O_RDONLY | O_NOFOLLOW) }

    func syncDirectory(_ path: String) throws(Problem) { try sync(path, flags: O_RDONLY | O_DIRECTORY) }

    private func sync(_ path: String, flags: Int32) throws(Problem) {
        let descriptor = open(path, flags | O_CLOEXEC)
        guard descriptor >= 0 else { throw VaultProblems.fileSystem("open", path: path, errno: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw VaultProblems.fileSystem("fsync", path: path, errno: errno) }
    }

    func rename(_ path: String, to other: String) throws(Problem) {
        guard Glibc.rename(path, other) == 0 else {
            throw VaultProblems.fileSystem("rename", path: other, errno: errno)
        }
    }

    func remove(_ path: String) throws(Problem) {
        guard unlink(path) == 0 || errno == ENOENT else {
            throw VaultProblems.fileSystem("unlink", path: path, errno: errno)
        }
    }

    func exclusively(_ lockPath: String, _ body: () throws(Problem) -> Void) throws(Problem) {
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw VaultProblems.fileSystem("open", path: lockPath, errno: errno) }
        defer { close(descriptor) }
        var waited = 0
        let step = 20
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw VaultProblems.fileSystem("flock", path: lockPath, errno: errno)
            }
            guard waited < VaultLimits.lockWaitMilliseconds else { throw VaultProblems.busy(lockPath) }
            usleep(UInt32(step * 1000))
            waited += step
        }
        try body()
    }
}

/// Where the newest generation is remembered outside the vault file, so that an old file is noticed.
public protocol GenerationAnchor: Sendable {
    /// The newest generation seen, or `nil` when none was.
    func read() throws -> UInt64?
    /// Remembers a generation, durably.
    func write(_ generation: UInt64) throws
}

/// An anchor in a small text file of its own, replaced atomically.
///
/// It must not lie where the vault is backed up and restored with it, or it goes back together with the vault.
public struct FileGenerationAnchor: GenerationAnchor {
    private let path: String
    private let files: any FileLayer

    /// The anchor at a path; the file need not exist.
    public init(path: String) {
        self.init(path: path, files: SystemFiles())
    }

    init(path: String, files: any FileLayer) {
        self.path = path
        self.files = files
    }

    /// The number in the file. An unreadable file is an error, never "none".
    public func read() throws -> UInt64? {
        guard let bytes = try files.read(path, limit: 32) else { return nil }
        guard bytes.last == 0x0a, let generation = UInt64(String(decoding: bytes.dropLast(), as: UTF8.self)),
            String(generation).utf8.elementsEqual(bytes.dropLast())
        else { throw VaultProblems.anchorUnreadable("not a number: \(path)") }
        return generation
    }

    /// Writes beside, makes durable, renames.
    public func write(_ generation: UInt64) throws {
        try files.write(path + ".next", Array("\(generation)\n".utf8))
        try files.sync(path + ".next")
        try files.rename(path + ".next", to: path)
        try files.syncDirectory(FilePaths.split(path).directory)
    }
}
