import Foundation
import Glibc
import Synchronization
import Values

/// The control socket: `state/control.sock`, mode 0600, one JSON object a line each way, same user only.
///
/// Request `{"verb","arguments"}`, answer `{"ok":…}` or `{"problem":{"code","zh","en","next_zh","next_en"}}`.
enum ControlSocket {
    static func address(_ path: String) throws(Problem) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw .hostGone("the path of the control socket is longer than 107 bytes: \(path)")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    static func withAddress<T>(_ address: sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// The lines of a connection, one after the other.
    struct Lines {
        let descriptor: Int32
        /// What came behind the last line.
        private var rest: [UInt8] = []

        init(_ descriptor: Int32) { self.descriptor = descriptor }

        /// One line, without its end; nil when the other side closed or sent more than the limit.
        mutating func next() -> [UInt8]? {
            var searched = 0
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                if let end = rest[searched...].firstIndex(of: 10) {
                    defer { rest.removeSubrange(...end) }
                    return Array(rest[..<end])
                }
                searched = rest.count
                if rest.count > HostLimits.controlBytes { return nil }
                let count = recv(descriptor, &buffer, buffer.count, 0)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return nil }
                rest += buffer[..<count]
            }
        }
    }

    static func writeLine(_ descriptor: Int32, _ json: JSON) -> Bool {
        let bytes = json.serialized() + [10]
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    static func json(_ problem: Problem) -> JSON {
        [
            "problem": [
                "code": .string(problem.code), "zh": .string(problem.what.zh), "en": .string(problem.what.en),
                "next_zh": .string(problem.next.zh), "next_en": .string(problem.next.en),
            ]
        ]
    }

    static func problem(_ json: JSON) -> Problem? {
        guard let problem = json["problem"], let code = problem["code"]?.string else { return nil }
        return Problem(
            code, zh: problem["zh"]?.string ?? "", en: problem["en"]?.string ?? "",
            nextZH: problem["next_zh"]?.string ?? "", nextEN: problem["next_en"]?.string ?? "")
    }
}

/// The host's end. One thread accepts; each connection has a thread while it lasts (an operator's command).
final class ControlServer: Sendable {
    private let descriptor: Int32
    private let path: String
    private let stopping = Atomic(false)

    /// Listens at `path`. `answer` may take its time; it runs as a task.
    init(path: String, answer: @escaping @Sendable (String, JSON) async throws(Problem) -> JSON) throws(Problem) {
        self.path = path
        unlink(path)
        let address = try ControlSocket.address(path)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let old = umask(0o177)
        let bound = ControlSocket.withAddress(address) { bind(descriptor, $0, $1) }
        umask(old)
        guard descriptor >= 0, bound == 0, listen(descriptor, 16) == 0 else {
            throw .hostGone("cannot listen at \(path): \(String(cString: strerror(errno)))")
        }
        let thread = Thread { [self] in
            // The thread that accepts is the one that closes: a number closed by another could be somebody else's
            // socket by the next accept.
            defer { Glibc.close(descriptor) }
            while !stopping.load(ordering: .acquiring) {
                let peer = accept(descriptor, nil, nil)
                if peer < 0 {
                    switch errno {
                    case EINTR, ECONNABORTED: continue
                    case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                        usleep(HostLimits.acceptAgainMicroseconds)
                        continue
                    default: return
                    }
                }
                _ = fcntl(peer, F_SETFD, FD_CLOEXEC)
                if stopping.load(ordering: .acquiring) {
                    Glibc.close(peer)
                    return
                }
                Thread.detachNewThread { Self.converse(peer, answer) }
            }
        }
        thread.name = "control"
        thread.start()
    }

    private static func converse(
        _ peer: Int32, _ answer: @escaping @Sendable (String, JSON) async throws(Problem) -> JSON
    ) {
        defer { Glibc.close(peer) }
        // struct ucred: process, user, group; the C library shows it only to GNU sources.
        var credentials: [UInt32] = [0, 0, 0]
        var size = socklen_t(12)
        guard getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0,
            credentials[1] == geteuid() || credentials[1] == 0
        else { return }
        let person = SystemUser.name(of: credentials[1])
        var lines = ControlSocket.Lines(peer)
        while let line = lines.next() {
            let done = DispatchSemaphore(value: 0)
            let reply = Mutex(JSON.null)
            Task {
                var result: JSON
                do throws(Problem) {
                    let request = try JSON.parse(line)
                    let verb = request["verb"]?.string ?? ""
                    result = ["ok": try await Self.asking(person, verb, request["arguments"] ?? [:], answer)]
                } catch {
                    result = ControlSocket.json(error)
                }
                let sending = result
                reply.withLock { $0 = sending }
                done.signal()
            }
            done.wait()
            if !ControlSocket.writeLine(peer, reply.withLock { $0 }) { return }
        }
    }

    /// Answers in the name of the one who asks: that is who the audit names.
    private static func asking(
        _ person: String, _ verb: String, _ arguments: JSON,
        _ answer: @escaping @Sendable (String, JSON) async throws(Problem) -> JSON
    ) async throws(Problem) -> JSON {
        let result: Result<JSON, Problem> = await HostProcess.$person.withValue(person) {
            do throws(Problem) { return .success(try await answer(verb, arguments)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    func stop() {
        stopping.store(true, ordering: .releasing)
        shutdown(descriptor, Int32(SHUT_RDWR))
        unlink(path)
    }
}

/// The command's end.
struct ControlClient: HostControl {
    let path: String

    /// Whether a host answers at the socket now.
    func isAlive() -> Bool {
        guard let descriptor = try? connect() else { return false }
        close(descriptor)
        return true
    }

    /// Waits a little for a host that is starting.
    func isAliveSoon() async -> Bool {
        for _ in 0..<HostLimits.startingHostTries {
            if isAlive() { return true }
            try? await Task.sleep(for: .milliseconds(HostLimits.startingHostWaitMs))
        }
        return false
    }

    private func connect() throws(Problem) -> Int32 {
        let address = try ControlSocket.address(path)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0, ControlSocket.withAddress(address, { Glibc.connect(descriptor, $0, $1) }) == 0 else {
            let reason = String(cString: strerror(errno))
            if descriptor >= 0 { close(descriptor) }
            throw .hostGone(reason)
        }
        return descriptor
    }

    func request(_ verb: String, _ arguments: JSON) async throws(Problem) -> JSON {
        let descriptor = try connect()
        let answer: JSON? = await Blocking.run {
            defer { close(descriptor) }
            var lines = ControlSocket.Lines(descriptor)
            guard ControlSocket.writeLine(descriptor, ["verb": .string(verb), "arguments": arguments]),
                let line = lines.next()
            else { return nil }
            return try? JSON.parse(line)
        }
        guard let answer else { throw .hostGone("it closed the connection") }
        if let problem = ControlSocket.problem(answer) { throw problem }
        return answer["ok"] ?? .null
    }
}
