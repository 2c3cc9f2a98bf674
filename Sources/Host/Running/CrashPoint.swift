import Foundation
import Glibc
import Synchronization

/// The named places where a crash hurts most, and a way to die exactly there.
///
/// `DATONG_CRASH_AT=NAME` or `NAME:N` ends the process with SIGKILL when the point is reached for the N-th time (else the
/// first); `worker:NAME` ends the host's workers in its place, and the host says so on stderr. Only practice workspaces
/// look at it. Tests walk the whole list for both and count what the books hold afterwards.
enum CrashPoint: String, CaseIterable, Sendable {
    /// An event's hint is durable, the vendor not yet acknowledged.
    case hintDurable = "hint-durable"
    /// The document was fetched, nothing of it is durable.
    case fetched
    /// Items are decided, their commit has not begun.
    case beforeCommit = "before-commit"
    /// The commit is durable; acknowledgements and deliveries follow.
    case afterCommit = "after-commit"
    /// The intent is durable, the call has not reached the worker.
    case beforeDelivery = "before-delivery"
    /// A write's request is about to be given to the network.
    case beforeWriteSent = "before-write-sent"
    /// The vendor has answered a write, the plugin does not know yet.
    case writeAnswered = "write-answered"
    /// A checkpoint is durable, the plugin does not know yet.
    case checkpointDurable = "checkpoint-durable"
    /// The worker's outcome has arrived, nothing of it is durable.
    case outcomeArrived = "outcome-arrived"
    /// A look-up's answer has arrived, nothing of it is durable.
    case findAnswered = "find-answered"
    /// A revision is frozen and active on disk, the host still runs the old one.
    case revisionFrozen = "revision-frozen"

    private enum Victim { case host, workers }

    private static let armed = Mutex<(victim: Victim, point: CrashPoint, left: Int)?>(nil)

    /// Reads the environment; called when a practice workspace starts.
    static func arm() {
        guard let text = ProcessInfo.processInfo.environment["DATONG_CRASH_AT"] else { return }
        var parts = text.split(separator: ":")
        let victim = parts.first == "worker" ? Victim.workers : .host
        if victim == .workers { parts.removeFirst() }
        guard let point = parts.first.flatMap({ CrashPoint(rawValue: String($0)) }) else { return }
        let times = parts.count > 1 ? Int(parts[1]) ?? 1 : 1
        armed.withLock { $0 = (victim, point, max(times, 1)) }
    }

    /// Dies here, or lets the workers die, if this is the point.
    func reach() {
        let victim = Self.armed.withLock { armed -> Victim? in
            guard let known = armed, known.point == self else { return nil }
            armed = (known.victim, known.point, known.left - 1)
            return known.left == 1 ? known.victim : nil
        }
        switch victim {
        case .host: kill(getpid(), SIGKILL)
        case .workers:
            let workers = Self.workers()
            for worker in workers { kill(worker, SIGKILL) }
            let line = "crash point \(rawValue): \(workers.count) workers killed\n"
            try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
        case nil: break
        }
    }

    /// The host's children. It reaps them through their own handles, so no number here can be another process's.
    private static func workers() -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { pid in
            // pid (name) state parent …, where the name may hold anything.
            let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
            let rest = stat.split(separator: ")").last?.split(separator: " ") ?? []
            return rest.count > 1 && rest[0] != "Z" && pid_t(rest[1]) == getpid()
        }
    }
}
