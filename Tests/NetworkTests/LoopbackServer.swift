import Glibc
import Synchronization

/// A server of raw sockets on 127.0.0.1: a script decides what each connection sees, to the byte. Stopped by the
/// test; nothing outlives `stop`.
final class LoopbackServer: Sendable {
    struct Seen: Sendable {
        var head: String
        var body: [UInt8]

        var line: String { String(head.prefix { $0 != "\r\n" }) }
        func header(_ name: String) -> String? {
            for line in head.split(separator: "\r\n").dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                if parts.count == 2, parts[0].lowercased() == name.lowercased() {
                    return String(parts[1].drop { $0 == " " })
                }
            }
            return nil
        }
    }

    /// One accepted connection, used by its own thread.
    final class Peer: Sendable {
        let descriptor: Int32
        private let rest = Mutex<[UInt8]>([])
        private let isClosed = Mutex(false)

        init(_ descriptor: Int32) { self.descriptor = descriptor }

        /// Up to `count` bytes; empty at the end.
        func read(_ count: Int = 65536) -> [UInt8] {
            let kept = rest.withLock { kept in
                let taken = Array(kept.prefix(count))
                kept.removeFirst(taken.count)
                return taken
            }
            if !kept.isEmpty { return kept }
            var buffer = [UInt8](repeating: 0, count: count)
            let got = recv(descriptor, &buffer, count, 0)
            return got > 0 ? Array(buffer[..<got]) : []
        }

        func readExactly(_ count: Int) -> [UInt8]? {
            var bytes: [UInt8] = []
            while bytes.count < count {
                let more = read(count - bytes.count)
                if more.isEmpty { return nil }
                bytes += more
            }
            return bytes
        }

        /// One HTTP request with its body by Content-Length; nil at the end.
        func request() -> Seen? {
            var bytes: [UInt8] = []
            while true {
                if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                    let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
                    var seen = Seen(head: head, body: Array(bytes[end.upperBound...]))
                    let length = Int(seen.header("Content-Length") ?? "0") ?? 0
                    while seen.body.count < length {
                        let more = read()
                        if more.isEmpty { return nil }
                        seen.body += more
                    }
                    rest.withLock { $0 = Array(seen.body[length...]) + $0 }
                    seen.body = Array(seen.body[..<length])
                    return seen
                }
                let more = read()
                if more.isEmpty { return nil }
                bytes += more
            }
        }

        @discardableResult
        func write(_ bytes: [UInt8]) -> Bool {
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes {
                    send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                }
                if count <= 0 { return false }
                sent += count
            }
            return true
        }

        @discardableResult
        func write(_ text: String) -> Bool { write(Array(text.utf8)) }

        func reply(_ body: String, status: String = "200 OK", headers: String = "") {
            write("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
        }

        /// Closes with RST instead of FIN.
        func reset() {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
            finish()
        }

        func finish() {
            isClosed.withLock { closed in
                if !closed { close(descriptor) }
                closed = true
            }
        }

        /// Wakes a thread that reads.
        func cut() {
            isClosed.withLock { closed in
                if !closed { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
            }
        }
    }

    private struct State {
        var peers: [Peer] = []
        var threads: [pthread_t] = []
        var accepts = 0
        var isStopped = false
    }

    let port: Int
    private let listener: Int32
    private let state = Mutex(State())
    private let script: @Sendable (Peer) -> Void

    /// Connections taken so far.
    var accepts: Int { state.withLock { $0.accepts } }
    var url: String { "http://127.0.0.1:\(port)" }

    init(_ script: @escaping @Sendable (Peer) -> Void) {
        self.script = script
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                precondition(bind(descriptor, raw, length) == 0 && listen(descriptor, 256) == 0)
                precondition(getsockname(descriptor, raw, &length) == 0)
            }
            return Int(UInt16(bigEndian: pointer.pointee.sin_port))
        }
        let thread = Self.thread { [self] in accept() }
        state.withLock { $0.threads.append(thread) }
    }

    private func accept() {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            guard descriptor >= 0 else { return }
            var one: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
            let peer = Peer(descriptor)
            let goOn = state.withLock { state in
                guard !state.isStopped else { return false }
                state.accepts += 1
                state.peers.append(peer)
                state.threads.append(
                    Self.thread { [self] in
                        script(peer)
                        peer.finish()
                    })
                return true
            }
            if !goOn {
                peer.finish()
                return
            }
        }
    }

    func stop() {
        let (peers, threads) = state.withLock { state in
            defer { state.threads = [] }
            state.isStopped = true
            return (state.peers, state.threads)
        }
        guard !threads.isEmpty else { return }
        shutdown(listener, Int32(SHUT_RDWR))
        for peer in peers { peer.cut() }
        for thread in threads { pthread_join(thread, nil) }
        close(listener)
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private static func thread(_ run: @escaping @Sendable () -> Void) -> pthread_t {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Body(run)).toOpaque()
        let result = pthread_create(
            &thread, nil,
            { raw in
                if let raw { Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run() }
                return nil
            }, context)
        precondition(result == 0)
        return thread
    }
}

/// Runs a test against a server and stops it whatever happens.
func withServer<T>(
    _ script: @escaping @Sendable (LoopbackServer.Peer) -> Void, _ test: (LoopbackServer) async throws -> T
) async throws -> T {
    let server = LoopbackServer(script)
    defer { server.stop() }
    return try await test(server)
}

/// A place for a script to note what it saw.
final class Notes<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    func add(_ value: Value) { values.withLock { $0.append(value) } }
    var all: [Value] { values.withLock { $0 } }
}
