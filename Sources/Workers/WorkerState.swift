import Glibc
import Values
import WorkerCore

/// What is known of a worker: a value that `Worker` keeps behind its lock.
struct WorkerState {
    /// Until HELLO or REFUSED has come.
    enum Greeting {
        case awaited(CheckedContinuation<Result<Hello, Problem>, Never>, untilMs: Int64)
        case done
    }

    enum Life {
        case running
        /// No new calls; CLOSE once the last has ended; killed at the time given.
        case stopping(killAtMs: Int64, closeSent: Bool)
        case ended(WorkerDeath)
    }

    var greeting = Greeting.done
    var hello: Hello?
    var life = Life.running
    var process: WorkerProcess?
    /// Set when this side kills it, so that its end is told apart from a crash.
    var killedFor: WorkerDeath.Cause?
    /// The socket has ended but the process has not.
    var lingersUntilMs: Int64?
    var calls: CallTable
    var endWaiters: [CheckedContinuation<WorkerDeath, Never>] = []

    /// False once it is stopping, is being killed or has ended.
    var takesCalls: Bool {
        if case .running = life { return killedFor == nil }
        return false
    }

    /// How it ended; nil while it runs.
    var death: WorkerDeath? {
        if case .ended(let death) = life { return death }
        return nil
    }

    /// What is due by the clock: the calls whose deadline has passed, a reason to kill the worker, and whether there is
    /// anything left to wait for.
    func due(_ now: Int64) -> (late: [UInt64], fatal: WorkerDeath.Cause?, waits: Bool) {
        if death != nil { return ([], nil, false) }
        var fatal: WorkerDeath.Cause?
        var waits = !calls.isEmpty
        let (late, hangs) = calls.late(now)
        if hangs { fatal = .killedForDeadline }
        if case .awaited(_, let until) = greeting {
            waits = true
            if now >= until { fatal = .killedForDeadline }
        }
        if let until = lingersUntilMs {
            waits = true
            if now >= until { fatal = fatal ?? .killedForProtocol }
        }
        if case .stopping(let killAt, _) = life {
            waits = true
            if now >= killAt { fatal = .stopped }
        }
        return (late, fatal, waits)
    }

    /// Say CLOSE once a stopping worker has no call any more.
    mutating func closeIfIdle(_ outgoing: Outgoing) {
        guard case .stopping(let killAt, closeSent: false) = life, calls.isEmpty else { return }
        outgoing.append(DW_CLOSE, id: 0)
        life = .stopping(killAtMs: killAt, closeSent: true)
    }

    /// What an end of the process means.
    func cause(of exit: WorkerProcess.Exit) -> WorkerDeath.Cause {
        if let killedFor, case .signal(SIGKILL) = exit { return killedFor }
        if case .stopping(_, closeSent: true) = life, case .left(0) = exit { return .stopped }
        return switch exit {
        case .left(let status): .exited(status)
        case .signal(let signal): .signal(signal)
        case .running, .unknown: .hungUp
        }
    }
}
