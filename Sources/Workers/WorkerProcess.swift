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
    private nonisolated(unsafe) var tail: [UInt8] = []

    private init(handle: Descriptor, output: Descriptor) {
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
            executable, ["3", configuration.plugin], environment: environment, socket: socket, output: writing,
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
        return WorkerProcess(handle: Descriptor(handle), output: reading)
    }

    func kill() { datong_pidfd_kill(handle.number, SIGKILL) }

    /// Take the status of an ended process; `running` while it has none.
    func reap() -> Exit {
        var status: Int32 = 0
        return switch datong_pidfd_reap(handle.number, &status) {
        case 0: .running
        case 1: .left(status)
        case 2: .signal(status)
        default: .unknown
        }
    }

    /// Keep the last of what it has written. True when it writes no more.
    func readOutput() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(output.number, &buffer, buffer.count)
            if count > 0 {
                tail.append(contentsOf: buffer[0..<count])
                let over = tail.count - Limits.stderrTailBytes
                if over > 0 { tail.removeFirst(over) }
                continue
            }
            if count < 0 && errno == EINTR { continue }
            return count == 0
        }
    }

    /// Its last words, without empty lines.
    var lastWords: String {
        String(decoding: tail, as: UTF8.self).split(separator: "\n").joined(separator: "\n")
    }
}
