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
    /// The newest audit line, noted beside the ledger.
    var auditHead: String { state + "/audit.head" }
    var lock: String { state + "/run.lock" }
    var socket: String { state + "/control.sock" }

    func prepare() throws(Problem) {
        guard mkdir(state, 0o700) == 0 || errno == EEXIST else {
            throw .hostGone("cannot make \(state): \(String(cString: strerror(errno)))")
        }
    }
}

/// One process owns a workspace, because two would send the same document. The lock goes with the process, however it ends.
final class RunLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock. One that a short command holds is waited for; one of a running host is refused at once.
    init(_ path: String, role: Role) throws(Problem) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .hostGone("cannot open \(path): \(String(cString: strerror(errno)))") }
        var waited: Int64 = 0
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let owner = Self.owner(path)
            if owner.hasPrefix(Role.command.rawValue) && waited < HostLimits.commandLockWaitMs {
                usleep(useconds_t(HostLimits.lockPollMs * 1000))
                waited += HostLimits.lockPollMs
                continue
            }
            close(descriptor)
            throw .workspaceInUse(owner.isEmpty ? "pid ?" : owner)
        }
        let text = "\(role.rawValue) pid \(getpid())\n"
        ftruncate(descriptor, 0)
        _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    /// Who holds it, as other processes read it.
    enum Role: String {
        case host
        case command
    }

    private static func owner(_ path: String) -> String {
        (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    }

    /// Given back by name and not by closing alone: a child between fork and exec still holds the descriptor.
    func release() {
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}
