import Foundation
import Glibc
import Values

@testable import Host

/// The programs as they were built: what an operator runs.
enum Programs {
    struct NotBuilt: Error, CustomStringConvertible {
        let path: String
        var description: String { "\(path) is missing; run: make build" }
    }

    /// `datong`, `datong-simulator` or `datong-worker` in `$DATONG_BIN`.
    static func path(_ name: String) throws -> String {
        let path = (ProcessInfo.processInfo.environment["DATONG_BIN"] ?? "$DATONG_BIN") + "/" + name
        guard access(path, X_OK) == 0 else { throw NotBuilt(path: path) }
        return path
    }

    /// The root of the project.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// 200 random kills and every crash point several times, in place of what fits a quick run.
    static var isFull: Bool { ProcessInfo.processInfo.environment["DATONG_FULL"] == "1" }

    /// What random moments come from: `DATONG_SEED`, or another one each time.
    static var seed: UInt64 {
        ProcessInfo.processInfo.environment["DATONG_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...99_999)
    }
}

/// A process that a test started, and the only ones it ends.
struct Child: Sendable {
    let pid: pid_t

    struct CannotStart: Error, CustomStringConvertible {
        let path: String
        let code: Int32
        var description: String { "\(path) cannot be started: \(String(cString: strerror(code)))" }
    }

    /// Starts a program; `input`, `output` and `errors` are files.
    init(
        _ path: String, _ arguments: [String], input: String = "/dev/null", output: String, errors: String,
        environment: [String: String] = [:]
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        // Nothing else of the test process is the child's business; closing what is not open is no error here.
        for descriptor in Int32(3)..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        var variables = ProcessInfo.processInfo.environment
        variables["DATONG_WORKER"] = nil
        variables["DATONG_CRASH_AT"] = nil
        variables.merge(environment) { $1 }
        var argv = ([path] + arguments).map { strdup($0) } + [nil]
        var envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, path, &actions, nil, &argv, &envp)
        guard code == 0 else { throw CannotStart(path: path, code: code) }
        self.pid = pid
    }

    /// How a process ended.
    enum End: Sendable, Equatable {
        case exit(Int32)
        case signal(Int32)
    }

    /// Waits at most so long; nil: it still runs. Once it has ended it must not be asked again.
    func end(within milliseconds: Int) async -> End? {
        var left = milliseconds
        while true {
            var status: Int32 = 0
            if waitpid(pid, &status, WNOHANG) == pid {
                let number = status & 0x7f
                return number == 0 ? .exit((status >> 8) & 0xff) : .signal(number)
            }
            if left <= 0 { return nil }
            try? await Task.sleep(for: .milliseconds(min(left, 20)))
            left -= 20
        }
    }

    func send(_ signal: Int32) { kill(pid, signal) }

    /// A file of /proc, whose size says nothing.
    static func bytes(_ path: String) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count <= 0 { return all }
            all += buffer.prefix(count)
        }
    }

    private static func text(_ path: String) -> String { String(decoding: bytes(path), as: UTF8.self) }

    /// The workers of a host: its children that carry a library, which their command line names.
    var workers: [(pid: pid_t, library: String)] {
        var found: [(pid_t, String)] = []
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let other = pid_t(name),
                let rest = Self.text("/proc/\(name)/stat").split(separator: ")").last?.split(separator: " "),
                rest.count > 1, pid_t(rest[1]) == pid, rest[0] != "Z"
            else { continue }
            let line = Self.text("/proc/\(name)/cmdline")
            for library in ["DingTalk", "Kingdee"] where line.contains("lib\(library).so") {
                found.append((other, library))
            }
        }
        return found
    }
}

/// One command that has ended.
struct Ran: Sendable {
    var status: Child.End
    var out: String
    var err: String
}
