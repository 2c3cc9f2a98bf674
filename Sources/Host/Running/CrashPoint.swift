import Foundation
import Glibc
import Synchronization

/// The named places where a crash hurts most, and a way to die exactly there.
///
/// `DATONG_CRASH_AT=NAME` or `NAME:N` ends the process with SIGKILL when the point is reached for the N-th time (else the
/// first). Only practice workspaces look at it. Tests walk the whole list and count what the books hold afterwards.
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

    private static let armed = Mutex<(point: CrashPoint, left: Int)?>(nil)

    /// Reads the environment; called when a practice workspace starts.
    static func arm() {
        guard let text = ProcessInfo.processInfo.environment["DATONG_CRASH_AT"] else { return }
        let parts = text.split(separator: ":")
        guard let point = parts.first.flatMap({ CrashPoint(rawValue: String($0)) }) else { return }
        let times = parts.count > 1 ? Int(parts[1]) ?? 1 : 1
        armed.withLock { $0 = (point, max(times, 1)) }
    }

    /// Dies here if this is the point.
    func reach() {
        let now = Self.armed.withLock { armed -> Bool in
            guard let known = armed, known.point == self else { return false }
            armed = (known.point, known.left - 1)
            return known.left == 1
        }
        if now { kill(getpid(), SIGKILL) }
    }
}
