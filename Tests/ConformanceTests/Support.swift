import Conformance
import Foundation
import Glibc
import Values

/// The root of the project.
let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .path

/// A folder that goes with its owner.
final class Folder: Sendable {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appending(path: "datong-kit-\(UUID().uuidString)").path
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file that only its owner may read; its path.
    func write(_ name: String, _ text: String) -> String {
        let place = path + "/" + name
        _ = FileManager.default.createFile(
            atPath: place, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        return place
    }
}

struct Failed: Error, CustomStringConvertible { let description: String }

/// A program the build has made.
func built(_ name: String) throws -> String {
    let folder = ProcessInfo.processInfo.environment["DATONG_BIN"] ?? root + "/.build/debug"
    guard FileManager.default.isReadableFile(atPath: folder + "/" + name) else {
        throw Failed(description: "\(folder)/\(name) is missing; run: make tests")
    }
    return folder + "/" + name
}

/// Starts a command line in a folder, its output in a file. Not Foundation's Process, which learns of an end by a
/// descriptor that other children inherit.
func start(_ line: String, in folder: String, output: String) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    for descriptor in Int32(3)..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
    let words: [String] = ["/bin/sh", "-c", "cd '\(folder)' && \(line)"]
    var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for pointer in argv { free(pointer) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, "/bin/sh", &actions, nil, &argv, environ)
    guard code == 0 else { throw Failed(description: "\(line): \(code)") }
    return pid
}

/// Runs a command line in a folder; throws what it wrote where it fails.
func shell(_ line: String, in folder: String) throws {
    let log = FileManager.default.temporaryDirectory.appending(path: "datong-shell-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: log) }
    let pid = try start(line, in: folder, output: log)
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    guard status == 0 else {
        throw Failed(description: line + "\n" + ((try? String(contentsOfFile: log, encoding: .utf8)) ?? ""))
    }
}

/// The commands of a README's fences that begin with a word.
func commands(_ readme: String, beginningWith word: String) throws -> [String] {
    let text = try String(contentsOfFile: readme, encoding: .utf8)
    var inFence = false
    return text.split(separator: "\n", omittingEmptySubsequences: false).compactMap { line in
        if line.hasPrefix("```") {
            inFence.toggle()
            return nil
        }
        return inFence && line.hasPrefix(word + " ") ? String(line) : nil
    }
}

/// The kit's word on a library.
func examine(_ library: String, settings: String? = nil, seed: UInt64 = 1) async throws(Problem) -> Report {
    let folder = ProcessInfo.processInfo.environment["DATONG_WORKER"] ?? root + "/.build/debug/datong-worker"
    return try await Conformance(worker: folder, seed: seed).test(library: library, settings: settings) {
        (path) throws(Problem) in
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Problem("E-TEST-001", zh: "读不到", en: "unreadable", nextZH: "", nextEN: "")
        }
        return Array(data)
    }
}

extension Report {
    /// The ids of the checks that ended so.
    func ids(_ word: String) -> [String] { checks.filter { $0.verdict.word == word }.map(\.id) }
    /// What failed and why, for a test's message.
    var failures: String {
        checks.filter { $0.verdict.word == "fail" }.map { "\($0.id): \($0.verdict.reason)" }.joined(separator: "\n")
    }
}
