import Glibc
import Values

/// The few file operations of the configuration room. Writing is durable: data, then name, then folder.
enum FileStore {
    static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// The names in a folder, sorted; none where there is no such folder.
    static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The bytes of an ordinary file of at most `limit` bytes.
    static func read(_ path: String, limit: Int) throws(Problem) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw .fileUnreadable(reason()) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .fileUnreadable(reason()) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .fileUnreadable("not an ordinary file") }
        guard status.st_size <= limit else { throw .fileTooLarge(Int(status.st_size), limit: limit) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(status.st_size))
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw .fileUnreadable(reason())
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= limit else { throw .fileTooLarge(bytes.count, limit: limit) }
        }
    }

    /// Writes a new file and waits until it is on the disk. The file must not exist.
    static func writeNew(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws(Problem) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw .notWritten(path, reason()) }
        defer { close(descriptor) }
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw .notWritten(path, reason())
            }
            offset += count
        }
        guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0 else { throw .notWritten(path, reason()) }
    }

    /// Replaces a file as one step: whoever reads it sees the old bytes or the new ones.
    static func replace(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws(Problem) {
        let temporary = "\(path).\(getpid()).new"
        unlink(temporary)
        try writeNew(temporary, bytes, mode: mode)
        guard Glibc.rename(temporary, path) == 0 else { throw .notWritten(path, reason()) }
        try sync(folder(of: path))
    }

    /// Gives a file or folder its name and waits until that is on the disk. A folder with content is never replaced.
    static func rename(_ old: String, to new: String) throws(Problem) {
        guard Glibc.rename(old, new) == 0 else { throw .notWritten(new, reason()) }
        try sync(folder(of: new))
    }

    /// Makes a folder and those above it.
    static func makeFolder(_ path: String, mode: mode_t = 0o755) throws(Problem) {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        let parent = folder(of: path)
        guard errno == ENOENT, parent != path else { throw .notWritten(path, reason()) }
        try makeFolder(parent, mode: mode)
        guard mkdir(path, mode) == 0 || errno == EEXIST else { throw .notWritten(path, reason()) }
    }

    /// Waits until the names in a folder are on the disk.
    static func sync(_ folder: String) throws(Problem) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .notWritten(folder, reason()) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .notWritten(folder, reason()) }
    }

    /// Removes a folder with what is in it; symbolic links are removed, not followed.
    static func removeTree(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        for name in names(in: path) { removeTree("\(path)/\(name)") }
        rmdir(path)
    }

    /// `~/x` of the user that runs this, a path relative to `root`, or an absolute path, as an absolute path.
    static func expand(_ path: String, in root: String) -> String {
        if path == "~" || path.hasPrefix("~/") { return home + path.dropFirst(1) }
        return path.hasPrefix("/") ? path : absolute(root) + "/" + path
    }

    /// The home folder of the user that runs this.
    static var home: String {
        getenv("HOME").map { String(cString: $0) } ?? "/"
    }

    /// An absolute path without `.`, `..` and symbolic links as far as the path exists.
    static func absolute(_ path: String) -> String {
        if let resolved = realpath(path, nil) {
            defer { free(resolved) }
            return String(cString: resolved)
        }
        let parent = folder(of: path)
        let last = path.split(separator: "/").last.map(String.init) ?? ""
        return parent == path || last == ".." ? path : absolute(parent) + "/" + last
    }

    /// Whether a path lies in a folder, symbolic links followed.
    static func isInside(_ path: String, folder: String) -> Bool {
        let inner = absolute(path)
        let outer = absolute(folder)
        return inner == outer || inner.hasPrefix(outer.hasSuffix("/") ? outer : outer + "/")
    }

    /// The folder a path lies in.
    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The last error of the system, in its words.
    static func reason() -> String { String(cString: strerror(errno)) }
}
