import Foundation
import Glibc
import Values

/// The files of a workspace that the running host owns.
struct WorkspacePaths: Sendable {
    let root: String
    var vault: String { root + "/vault.datong" }
    var state: String { root + "/state" }
    var ledger: String { state + "/ledger.sqlite" }
    var ledgerKey: String { state + "/ledger.key" }
    var anchor: String { state + "/vault.generation" }
    var lock: String { state + "/run.lock" }
    var socket: String { state + "/control.sock" }

    func prepare() throws(Problem) {
        guard mkdir(state, 0o700) == 0 || errno == EEXIST else {
            throw .hostGone("cannot make \(state): \(String(cString: strerror(errno)))")
        }
    }
}

/// One process owns a workspace (ruling 25). The lock goes with the process, however it ends.
final class RunLock: Sendable {
    private let descriptor: Int32

    init(_ path: String) throws(Problem) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .hostGone("cannot open \(path): \(String(cString: strerror(errno)))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let owner = (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(
                in: .whitespacesAndNewlines)
            close(descriptor)
            throw .workspaceInUse(owner.flatMap { $0.isEmpty ? nil : "pid \($0)" } ?? "pid ?")
        }
        let text = "\(getpid())\n"
        ftruncate(descriptor, 0)
        _ = text.withCString { write(descriptor, $0, strlen($0)) }
    }

    func release() { close(descriptor) }
}
