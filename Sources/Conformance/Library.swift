import Values

/// What the file of a library says, read without running any of it: ELF64, little endian.
struct Library: Sendable {
    /// Symbols the library defines and shows, in their order.
    var exports: [(name: String, isObject: Bool)] = []
    /// Symbols it takes from elsewhere, without their versions.
    var imports: Set<String> = []
    /// What the loader is told that a connector may not ask for.
    var warnings: [String] = []

    private struct Bad: Error {}

    /// Reads a file; throws what is wrong with it, in words.
    init?(_ bytes: [UInt8], why: inout String) {
        do { try read(bytes) } catch {
            why = "not a whole ELF64 shared object"
            return nil
        }
    }

    private mutating func read(_ bytes: [UInt8]) throws {
        func number(_ at: Int, _ size: Int) throws -> Int {
            guard at >= 0, size <= 8, at <= bytes.count - size else { throw Bad() }
            return Int(
                truncatingIfNeeded: (0..<size).reduce(UInt64(0)) { $0 | UInt64(bytes[at + $1]) << (8 * UInt64($1)) })
        }
        func text(_ at: Int) throws -> String {
            guard bytes.indices.contains(at), let end = bytes[at...].firstIndex(of: 0) else { throw Bad() }
            return String(decoding: bytes[at..<end], as: UTF8.self)
        }
        guard bytes.count > 64, bytes[0..<6] == [0x7f, 0x45, 0x4c, 0x46, 2, 1], try number(16, 2) == 3 else {
            throw Bad()
        }
        // Program headers: stack and dynamic part. Section headers: the table of dynamic symbols.
        let (segments, sections) = (try number(32, 8), try number(40, 8))
        var dynamic: [(tag: Int, value: Int)] = []
        var hasStack = false
        for index in 0..<(try number(56, 2)) {
            let at = segments + index * 56
            let (type, flags) = (try number(at, 4), try number(at + 4, 4))
            if type == 0x6474_e551 {
                hasStack = true
                if flags & 1 != 0 { warnings.append("an executable stack") }
            }
            if type == 2 {
                let (offset, size) = (try number(at + 8, 8), try number(at + 32, 8))
                for entry in 0..<(size / 16) {
                    dynamic.append((try number(offset + entry * 16, 8), try number(offset + entry * 16 + 8, 8)))
                }
            }
        }
        if !hasStack { warnings.append("no word on the stack, which makes it executable") }
        if dynamic.contains(where: { $0.tag == 22 }) { warnings.append("text relocations") }
        if dynamic.contains(where: { $0.tag == 15 }) { warnings.append("an RPATH") }
        let isBoundAtOnce = dynamic.contains {
            $0.tag == 24 || ($0.tag == 30 && $0.value & 8 != 0) || ($0.tag == 0x6fff_fffb && $0.value & 1 != 0)
        }
        if !isBoundAtOnce { warnings.append("symbols bound late (link with -z now)") }
        for index in 0..<(try number(60, 2)) {
            let at = sections + index * 64
            guard try number(at + 4, 4) == 11 else { continue }
            let (offset, size) = (try number(at + 24, 8), try number(at + 32, 8))
            let strings = try number(sections + (try number(at + 40, 4)) * 64 + 24, 8)
            for entry in 1..<max(size / 24, 1) {
                let symbol = offset + entry * 24
                let name = try text(strings + (try number(symbol, 4)))
                let (info, section) = (try number(symbol + 4, 1), try number(symbol + 6, 2))
                if section == 0 {
                    imports.insert(name)
                } else if info >> 4 != 0 {
                    exports.append((name, info & 15 == 1))
                }
            }
        }
    }

    /// Functions a connector has no business with, by what they do.
    static let forbidden: [(what: String, names: Set<String>)] = [
        ("sockets", ["socket", "connect", "bind", "listen", "accept", "getaddrinfo", "gethostbyname", "sendto"]),
        (
            "threads and processes",
            [
                "pthread_create", "thrd_create", "fork", "vfork", "clone", "execve", "execv", "execvp", "posix_spawn",
                "posix_spawnp", "system", "popen", "daemon",
            ]
        ),
        (
            "sleep and timers",
            ["sleep", "usleep", "nanosleep", "clock_nanosleep", "setitimer", "timer_create", "alarm"]
        ),
        ("signals and jumps", ["signal", "sigaction", "longjmp", "_longjmp", "siglongjmp", "__longjmp_chk"]),
        ("process state", ["setlocale", "setenv", "putenv", "unsetenv", "chdir", "exit", "_exit", "quick_exit"]),
        ("loading code", ["dlopen", "dlmopen"]),
    ]

    /// The forbidden functions it asks the loader for.
    var forbidden: [String] {
        Self.forbidden.flatMap { group in
            imports.filter { group.names.contains($0) }.sorted().map { "\($0) (\(group.what))" }
        }
    }
}
