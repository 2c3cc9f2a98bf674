import SimulatorKit
import Synchronization
import Testing

@Suite("SimJSON reads what JSON is and nothing else")
struct KitJSONTests {
    @Test(
        "refuses",
        arguments: [
            "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", "1e", "+1", "nul", "\"a", "\"\\x\"", "\"\\ud800\"",
            "\"\\u12\"", "1 2", "\"\n\"", "[1", "{a:1}", "-", "\"\\ud800\\u0041\"",
        ])
    func refuses(_ text: String) {
        #expect(throws: SimJSONError.self) { try SimJSON.parse(text) }
    }

    @Test("refuses bytes that are not UTF-8, and nesting without end")
    func refusesBytes() {
        #expect(throws: SimJSONError.self) { try SimJSON.parse([0x22, 0xFF, 0x22]) }
        #expect(throws: SimJSONError.self) { try SimJSON.parse(String(repeating: "[", count: 10_000)) }
    }

    @Test(
        "writes what it read",
        arguments: [
            "null", "true", "[1.50,-0,1e5,12345678901234567890]", "{\"b\":1,\"a\":{\"c\":[]}}", "\"费用\\n\\\"\\\\\"",
        ])
    func roundTrip(_ text: String) throws {
        #expect(try SimJSON.parse(text).text == text)
    }

    @Test("objects are equal by content, and escapes become their characters")
    func equality() throws {
        #expect(try SimJSON.parse("{\"a\":1,\"b\":2}") == SimJSON.parse("{\"b\":2,\"a\":1}"))
        #expect(try SimJSON.parse("\"\\ud83d\\ude00\\u8d39\"").string == "😀费")
        #expect(SimJSON.string("12.30").decimal == SimJSON.number("12.3").decimal)
        #expect(SimJSON.number("1.5").int == nil)
    }
}

private final class Woken: Sendable {
    private let list = Mutex<[Int]>([])
    var all: [Int] { list.withLock { $0 } }
    func note(_ delay: Int) { list.withLock { $0.append(delay) } }
}

@Suite("Time and chance are under control")
struct KitClockTests {
    @Test("a virtual clock wakes sleepers when, and only when, their time has come")
    func virtual() async throws {
        let clock = VirtualClock(at: 1_000)
        let woken = Woken()
        let tasks = [300, 100].map { delay in
            Task {
                try await clock.sleep(milliseconds: delay)
                woken.note(delay)
            }
        }
        try await until { clock.sleepers >= 2 }
        clock.advance(milliseconds: 99)
        #expect(clock.sleepers == 2)
        clock.advance(milliseconds: 1)
        try await tasks[1].value
        #expect(woken.all == [100])
        clock.advance(milliseconds: 1_000)
        try await tasks[0].value
        #expect(clock.now() == 2_100)
    }

    @Test("a cancelled sleeper leaves")
    func cancelled() async throws {
        let clock = VirtualClock()
        let task = Task { try await clock.sleep(milliseconds: 10) }
        try await until { clock.sleepers > 0 }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(clock.sleepers == 0)
    }

    @Test("the same seed gives the same choices, another seed others")
    func seeds() {
        var first = SeededGenerator(seed: 7)
        var second = SeededGenerator(seed: 7)
        var other = SeededGenerator(seed: 8)
        let text = first.hex(32)
        #expect(text == second.hex(32))
        #expect(text != other.hex(32))
    }
}

/// Sends back what comes in; takes only upgrades with a key.
private struct Echo: SimulatorService {
    func operation(of request: SimRequest) -> String? { "socket" }
    func handle(_ request: SimRequest) async -> SimResponse { .text("no key", status: 401) }
    func accepts(socket request: SimRequest) async -> Bool { request.query("key") == "1" }

    func serve(_ socket: SimSocket, request: SimRequest) async {
        for await message in socket.messages {
            switch message {
            case .text("bye"): return await socket.close(code: 4001)
            case .text("ping me"): await socket.ping(Array("p".utf8))
            case .text(let text): await socket.send("echo " + text)
            case .pong(let bytes): await socket.send("pong " + String(decoding: bytes, as: UTF8.self))
            default: break
            }
        }
    }
}

@Suite("The server speaks WebSocket by the book")
struct KitSocketTests {
    @Test("an upgrade without what the service wants is answered as a plain request")
    func refusedUpgrade() async throws {
        try await withServer(Echo()) { (server, client) async throws in
            let url = "ws" + client.base.dropFirst(4)
            let refused = await #expect(throws: SocketClient.Refused.self) { try await SocketClient.open(url + "/c") }
            #expect(refused?.status == 401)
            server.faults.add(Fault(match: "socket", kind: .http500, times: 1))
            let broken = await #expect(throws: SocketClient.Refused.self) {
                try await SocketClient.open(url + "/c?key=1")
            }
            #expect(broken?.status == 500)
            #expect(server.faults.json[0]?["seen"]?.int == 1)
            let socket = try await SocketClient.open(url + "/c?key=1")
            socket.send("x")
            #expect(try await socket.next() == .text("echo x"))
        }
    }

    @Test("an unmasked frame ends the connection with 1002")
    func unmasked() async throws {
        try await withServer(Echo()) { (_, client) async throws in
            let socket = try await SocketClient.open("ws" + client.base.dropFirst(4) + "/c?key=1")
            socket.send("x", masked: false)
            #expect(try await socket.next() == .close(1002))
        }
    }

    @Test("fragments become one message, pings are answered, our pings come through")
    func frames() async throws {
        try await withServer(Echo()) { (_, client) async throws in
            let socket = try await SocketClient.open("ws" + client.base.dropFirst(4) + "/c?key=1")
            socket.send("费", final: false)
            socket.send("用", opcode: 0)
            #expect(try await socket.next() == .text("echo 费用"))
            socket.send("here", opcode: 9)
            #expect(try await socket.next() == .pong("here"))
            socket.send("ping me")
            #expect(try await socket.next() == .ping("p"))
            socket.send("p", opcode: 10)
            #expect(try await socket.next() == .text("pong p"))
        }
    }

    @Test("a close frame carries its code, and stopping the server ends open connections")
    func closing() async throws {
        try await withServer(Echo()) { (server, client) async throws in
            let url = "ws" + client.base.dropFirst(4) + "/c?key=1"
            let first = try await SocketClient.open(url)
            first.send("bye")
            #expect(try await first.next() == .close(4001))
            let second = try await SocketClient.open(url)
            await server.stop()
            #expect(try await second.next() == .gone)
        }
    }
}
