import Glibc
import Values
import WorkerCore

/// One `datong-worker` process: its start, the last of what it wrote, its end. Used on the switchboard's thread only,
/// `kill` excepted.
final class WorkerProcess: Sendable {
    /// How a process ended.
    enum Exit {
        case running
        case left(Int32)
        case signal(Int32)
        /// Somebody else took its status.
        case unknown
    }

    /// Readable once it has ended. A pid can be given to another process after that; this cannot.
    let handle: Descriptor
    /// What it writes to stdout and stderr.
    let output: Descriptor
    let pid: pid_t
    private nonisolated(unsafe) var tail: [UInt8] = []

    private init(pid: pid_t, handle: Descriptor, output: Descriptor) {
        self.pid = pid
        self.handle = handle
        self.output = output
    }

    /// Start the worker of a configuration, `socket` being its end of the conversation.
    static func start(
        _ executable: String, _ configuration: WorkerConfiguration, socket: Int32
    ) throws(Problem) -> WorkerProcess {
        guard let (reading, writing) = readablePipe() else {
            throw Problems.cannotSpawn(executable: executable, errno: errno)
        }
        var environment = ["LANG=C.UTF-8", "SWIFT_BACKTRACE=enable=no"]
        if let folder = configuration.runtimeFolder { environment.append("LD_LIBRARY_PATH=\(folder)") }
        var pid: pid_t = 0
        let error = spawn(
            executable, ["3", configuration.plugin] + (configuration.rehearsal.argument.map { [$0] } ?? []),
            environment: environment, socket: socket, output: writing,
            pid: &pid)
        close(writing)
        guard error == 0 else { throw Problems.cannotSpawn(executable: executable, errno: error) }
        // The child is not reaped yet, so its number cannot be anybody else's.
        let handle = datong_pidfd_open(pid)
        guard handle >= 0 else {
            let code = errno
            Glibc.kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw Problems.cannotSpawn(executable: executable, errno: code)
        }
        return WorkerProcess(pid: pid, handle: Descriptor(handle), output: reading)
    }

    func kill() { datong_pidfd_kill(handle.number, SIGKILL) }

    /// Once `handle` is readable: end what the plugin has started in the process's group, and take its status. Until
    /// that is taken the group's number cannot be anybody else's.
    func reap() -> Exit {
        Glibc.kill(-pid, SIGKILL)
        var status: Int32 = 0
        return switch datong_pidfd_reap(handle.number, &status) {
        case 0: .running
        case 1: .left(status)
        case 2: .signal(status)
        default: .unknown
        }
    }

    /// Keep the last of what it has written. True when it writes no more. One read takes all that a pipe holds; one
    /// that never stops writing has its turn with the other workers.
    func readOutput() -> Bool {
        let buffer = Switchboard.shared.buffer
        let count = read(output.number, buffer.baseAddress, buffer.count)
        guard count > 0 else { return count == 0 }
        tail.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[0..<count]).suffix(Limits.stderrTailBytes))
        tail.removeFirst(max(tail.count - Limits.stderrTailBytes, 0))
        return false
    }

    /// Its last words, without empty lines.
    var lastWords: String {
        String(decoding: tail, as: UTF8.self).split(separator: "\n").joined(separator: "\n")
    }
}
