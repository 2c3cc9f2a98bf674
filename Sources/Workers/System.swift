import Glibc
import PluginABI
import WorkerCore

/// This host's contract epoch, for messages.
let DATONG_EPOCH_NUMBER: UInt32 = DATONG_EPOCH

/// The system's words for an errno.
func message(of code: Int32) -> String {
    guard let text = strerror(code) else { return "errno \(code)" }
    return String(cString: text)
}

/// A signal's name as people know it.
func signalName(_ number: Int32) -> String {
    guard let text = strsignal(number) else { return "?" }
    return String(cString: text)
}

/// An open descriptor that is closed when nobody holds it any more, and so never while someone still writes.
final class Descriptor: Sendable {
    let number: Int32
    init(_ number: Int32) { self.number = number }
    deinit { close(number) }
}

/// Move a descriptor out of the range 0…2 and of the numbers a child's are moved to.
private func high(_ number: Int32) -> Int32? {
    let moved = fcntl(number, F_DUPFD_CLOEXEC, 10)
    close(number)
    return moved < 0 ? nil : moved
}

/// Both, or none of them.
private func high(_ pair: [Int32]) -> (Descriptor, Int32)? {
    let (ours, theirs) = (high(pair[0]).map { Descriptor($0) }, high(pair[1]))
    if let ours, let theirs { return (ours, theirs) }
    if let theirs { close(theirs) }
    return nil
}

/// Two connected sockets, both closed on exec, ours never blocking.
func socketPair() -> (Descriptor, Int32)? {
    var pair: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &pair) == 0, let (ours, theirs) = high(pair) else { return nil }
    _ = fcntl(ours.number, F_SETFL, O_NONBLOCK)
    return (ours, theirs)
}

/// A pipe, both ends closed on exec, the reading end never blocking.
func readablePipe() -> (Descriptor, Int32)? {
    var pair: [Int32] = [-1, -1]
    guard datong_pipe(&pair, O_CLOEXEC) == 0, let (reading, writing) = high(pair) else { return nil }
    _ = fcntl(reading.number, F_SETFL, O_NONBLOCK)
    return (reading, writing)
}

/// Start a program with these descriptors: 0 is /dev/null, 1 and 2 the pipe, 3 the socket. Whatever else is not closed
/// on exec the worker closes before it loads anything. In a process group of its own, so that a Ctrl-C at the terminal
/// reaches the host only. 0, or an errno.
func spawn(
    _ executable: String, _ arguments: [String], environment: [String], socket: Int32, output: Int32, pid: inout pid_t
) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, output, 2)
    posix_spawn_file_actions_adddup2(&actions, socket, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    var all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
        &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
    var argv: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
    var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
    defer { for pointer in argv + envp { free(pointer) } }
    return posix_spawn(&pid, executable, &actions, &attributes, &argv, &envp)
}
