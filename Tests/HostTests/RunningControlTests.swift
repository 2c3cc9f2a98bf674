import Foundation
import Glibc
import Synchronization
import Testing
import Values

@testable import Host

@Suite("The control socket: one line each way, for the same user only")
struct RunningControlTests {
    private let folder = TemporaryFolder()
    private var path: String { folder.path + "/control.sock" }

    private func serve(
        _ answer: @escaping @Sendable (String, JSON) async throws(Problem) -> JSON = { verb, arguments in
            ["verb": .string(verb), "arguments": arguments]
        }
    ) throws -> ControlServer {
        try ControlServer(path: path, answer: answer)
    }

    private func code(_ body: () async throws -> some Any) async -> String? {
        do {
            _ = try await body()
            return nil
        } catch let problem as Problem {
            return problem.code
        } catch {
            return "\(type(of: error))"
        }
    }

    /// A peer that does not keep to the protocol. It blocks away from the pool that the host's answer runs on.
    private final class Peer: Sendable {
        private let descriptor: Int32
        private let lines: Held<ControlSocket.Lines>

        init(_ path: String) throws {
            let address = try ControlSocket.address(path)
            descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            let socket = descriptor
            #expect(ControlSocket.withAddress(address) { connect(socket, $0, $1) } == 0)
            // So that an answer that never comes fails the test instead of hanging it.
            var patience = timeval(tv_sec: 120, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            lines = Held(ControlSocket.Lines(descriptor))
        }

        func send(_ bytes: [UInt8]) async {
            await Blocking.run { [descriptor] in
                var sent = 0
                while sent < bytes.count {
                    let count = bytes[sent...].withUnsafeBytes {
                        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                    }
                    if count <= 0 { return }
                    sent += count
                }
            }
        }

        func answer() async throws -> JSON? {
            try await Blocking.run { [lines] () -> [UInt8]? in
                var line: [UInt8]?
                lines.change { line = $0.next() }
                return line
            }.map { try JSON.parse($0) }
        }

        func leave() { close(descriptor) }
    }

    // MARK: failures

    @Test("no host: E-HOST-005, and nobody is alive")
    func nobody() async throws {
        let client = ControlClient(path: path)
        #expect(client.isAlive() == false)
        #expect(await code { try await client.request("status", [:]) } == "E-HOST-005")
    }

    @Test("a path too long for a socket: E-HOST-005 on both ends")
    func longPath() async {
        let long = folder.path + "/" + String(repeating: "x", count: 120)
        #expect(await code { try ControlServer(path: long) { _, _ in .null } } == "E-HOST-005")
        #expect(await code { try await ControlClient(path: long).request("status", [:]) } == "E-HOST-005")
    }

    @Test("a folder that is not there: E-HOST-005")
    func noFolder() async {
        #expect(await code { try ControlServer(path: "/nowhere/control.sock") { _, _ in .null } } == "E-HOST-005")
    }

    @Test("a problem comes over whole: code and all four texts")
    func problem() async throws {
        let sent = Problem("E-TEST-001", zh: "错", en: "wrong \"quoted\"\n", nextZH: "改", nextEN: "mend it")
        let server = try serve { _, _ throws(Problem) in throw sent }
        defer { server.stop() }
        do {
            _ = try await ControlClient(path: path).request("x", [:])
            Issue.record("no problem came")
        } catch {
            #expect(error == sent)
        }
    }

    @Test("a request above the limit: the host closes, and the next one is served")
    func oversized() async throws {
        let server = try serve()
        defer { server.stop() }
        let peer = try Peer(path)
        defer { peer.leave() }
        await peer.send([UInt8](repeating: 0x78, count: HostLimits.controlBytes + 200_000))
        #expect(try await peer.answer() == nil)
        let client = ControlClient(path: path)
        #expect(try await client.request("status", [:])["verb"] == "status")
    }

    @Test(
        "what is no JSON, or no request, gets a problem and not the end of the host",
        arguments: [
            "not json", "{", "\u{0}\u{1}\u{2}", "", "{\"verb\":1}{", "[[[[",
        ])
    func noise(text: String) async throws {
        let server = try serve()
        defer { server.stop() }
        let peer = try Peer(path)
        defer { peer.leave() }
        await peer.send(Array(text.utf8) + [10])
        #expect(try await peer.answer()?["problem"]?["code"]?.string?.hasPrefix("E-JSON") == true)
        // The conversation goes on.
        await peer.send(Array("{\"verb\":\"status\"}\n".utf8))
        #expect(try await peer.answer()?["ok"]?["verb"] == "status")
    }

    @Test("bytes that are no UTF-8 get a problem")
    func noText() async throws {
        let server = try serve()
        defer { server.stop() }
        let peer = try Peer(path)
        defer { peer.leave() }
        await peer.send([0x22, 0xff, 0xfe, 0x22, 10])
        #expect(try await peer.answer()?["problem"] != nil)
    }

    @Test("a request without verb or arguments reaches the host as empty ones")
    func bare() async throws {
        let server = try serve()
        defer { server.stop() }
        let peer = try Peer(path)
        defer { peer.leave() }
        await peer.send(Array("[]\n".utf8))
        let told = try await peer.answer()?["ok"]
        #expect(told?["verb"] == "")
        #expect(told?["arguments"] == [:])
    }

    @Test("a peer that leaves in the middle of a line, or before its answer, costs nothing")
    func gone() async throws {
        let server = try serve()
        defer { server.stop() }
        for text in ["{\"verb\":", "{\"verb\":\"status\"}\n", ""] {
            let peer = try Peer(path)
            await peer.send(Array(text.utf8))
            peer.leave()
        }
        #expect(try await ControlClient(path: path).request("status", [:])["verb"] == "status")
    }

    @Test("two requests in one packet are both answered, in order")
    func pipelined() async throws {
        let server = try serve()
        defer { server.stop() }
        let peer = try Peer(path)
        defer { peer.leave() }
        await peer.send(Array("{\"verb\":\"one\"}\n{\"verb\":\"two\"}\n".utf8))
        #expect(try await peer.answer()?["ok"]?["verb"] == "one")
        #expect(try await peer.answer()?["ok"]?["verb"] == "two")
    }

    // MARK: the way it should go

    @Test("a round trip keeps verb, arguments and number text")
    func roundTrip() async throws {
        let server = try serve()
        defer { server.stop() }
        let client = ControlClient(path: path)
        #expect(client.isAlive())
        let arguments = try JSON.parse("{\"amount\":1280.500,\"名\":\"张三\\n\"}")
        let answer = try await client.request("ledger.list", arguments)
        #expect(answer["verb"] == "ledger.list")
        #expect(answer["arguments"]?.text == arguments.text)
    }

    @Test("two clients at once: neither waits for the other's answer")
    func twoAtOnce() async throws {
        let second = AsyncStream<Void>.makeStream()
        let server = try serve { verb, _ in
            if verb == "first" { for await _ in second.stream { break } } else { second.continuation.yield() }
            return .string(verb)
        }
        defer { server.stop() }
        let path = path
        async let first = ControlClient(path: path).request("first", [:])
        let other = try await ControlClient(path: path).request("second", [:])
        #expect(other == "second")
        #expect(try await first == "first")
    }

    @Test("the socket is for its owner only, replaces a dead one, and goes with the host")
    func file() throws {
        try FileStore.replace(path, Array("left over".utf8))
        let server = try serve()
        var status = stat()
        #expect(lstat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(status.st_mode & S_IFMT == S_IFSOCK)
        server.stop()
        #expect(access(path, F_OK) != 0)
        #expect(ControlClient(path: path).isAlive() == false)
    }
}

@Suite("One process owns a workspace")
struct RunningLockTests {
    @Test("a second holder is refused with E-HOST-004 and the owner's process number, and gets it when it is free")
    func second() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/run.lock"
        let first = try RunLock(path, role: .host)
        do {
            _ = try RunLock(path, role: .host)
            Issue.record("two owners")
        } catch {
            #expect(error.code == "E-HOST-004")
            #expect(error.what.en.contains("\(getpid())"))
        }
        first.release()
        let third = try RunLock(path, role: .host)
        third.release()
    }

    @Test("given back while a child between fork and exec still shares the descriptor: it is free all the same")
    func shared() throws {
        let path = TemporaryFolder()
        let first = try RunLock(path.path + "/run.lock", role: .host)
        // What a fork leaves behind for a moment: a second descriptor of the same open file.
        let own = try #require(
            FileStore.names(in: "/proc/self/fd").compactMap { Int32($0) }.first {
                FileStore.absolute("/proc/self/fd/\($0)") == FileStore.absolute(path.path + "/run.lock")
            })
        let child = dup(own)
        defer { close(child) }
        first.release()
        try RunLock(path.path + "/run.lock", role: .host).release()
    }

    @Test("a command's short hold is waited for")
    func commandHold() async throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/run.lock"
        let command = try RunLock(path, role: .command)
        async let host = Blocking.run { try RunLock(path, role: .host) }
        try await Task.sleep(for: .milliseconds(50))
        command.release()
        try await host.release()
    }

    @Test("a lock file that cannot be made: E-HOST-005")
    func unwritable() {
        do {
            _ = try RunLock("/nowhere/run.lock", role: .host)
            Issue.record("a lock out of nothing")
        } catch {
            #expect(error.code == "E-HOST-005")
        }
    }

    @Test("a longer number left by an earlier owner leaves nothing behind")
    func leftOver() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/run.lock"
        try FileStore.replace(path, Array("99999999999999\n".utf8))
        let lock = try RunLock(path, role: .host)
        defer { lock.release() }
        #expect(String(decoding: try FileStore.read(path, limit: 100), as: UTF8.self) == "host pid \(getpid())\n")
    }
}
