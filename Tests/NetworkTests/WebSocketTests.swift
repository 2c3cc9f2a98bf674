import COpenSSL
import Glibc
import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing
import Values

@testable import Network

extension LoopbackServer.Peer {
    struct Frame: Sendable, Equatable {
        var opcode: UInt8
        var payload: [UInt8]
        var fin = true
        var isMasked = true
    }

    /// Answers the upgrade; the request as seen, nil when there was none.
    func upgrade(_ extra: String = "", thenAtOnce bytes: [UInt8] = []) -> LoopbackServer.Seen? {
        guard let seen = request(), let key = seen.header("sec-websocket-key") else { return nil }
        let text = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        var digest = [UInt8](repeating: 0, count: 20)
        EVP_Digest(text, text.count, &digest, nil, EVP_sha1(), nil)
        let accept = String(decoding: Base64.encode(digest), as: UTF8.self)
        let head =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n\(extra)\r\n"
        write(Array(head.utf8) + bytes)
        return seen
    }

    static func bytes(_ opcode: UInt8, _ payload: [UInt8], fin: Bool = true, first: UInt8 = 0, masked: Bool = false)
        -> [UInt8]
    {
        var bytes = [opcode | (fin ? 0x80 : 0) | first]
        let bit: UInt8 = masked ? 0x80 : 0
        switch payload.count {
        case ..<126: bytes.append(UInt8(payload.count) | bit)
        case ..<65536: bytes += [126 | bit, UInt8(payload.count >> 8), UInt8(payload.count & 0xff)]
        default:
            bytes.append(127 | bit)
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(payload.count >> shift & 0xff)) }
        }
        return bytes + (masked ? [0, 0, 0, 0] : []) + payload
    }

    func frame(_ opcode: UInt8, _ payload: [UInt8], fin: Bool = true, first: UInt8 = 0, masked: Bool = false) {
        write(Self.bytes(opcode, payload, fin: fin, first: first, masked: masked))
    }

    /// The next frame, unmasked by the key it carries.
    func nextFrame() -> Frame? {
        guard let head = readExactly(2) else { return nil }
        var length = Int(head[1] & 0x7f)
        let extra = length == 126 ? 2 : length == 127 ? 8 : 0
        if extra > 0 {
            guard let more = readExactly(extra) else { return nil }
            length = more.reduce(0) { $0 << 8 | Int($1) }
        }
        let isMasked = head[1] & 0x80 != 0
        guard let mask = isMasked ? readExactly(4) : [0, 0, 0, 0], let payload = readExactly(length) else { return nil }
        return Frame(
            opcode: head[0] & 0x0f, payload: payload.enumerated().map { $1 ^ mask[$0 % 4] }, fin: head[0] & 0x80 != 0,
            isMasked: isMasked)
    }
}

@Suite("WebSocket", .timeLimit(.minutes(5)))
struct WebSocketTests {
    /// Connects to a script that begins behind the upgrade.
    private func with<T>(
        pingInterval: Int = 0, idleTimeout: Int = 0, maxMessageBytes: Int? = nil, pongTimeout: Int? = nil,
        _ script: @escaping @Sendable (LoopbackServer.Peer) -> Void, _ test: (WebSocketConnection) async throws -> T
    ) async throws -> T {
        try await withServer({ peer in
            guard peer.upgrade() != nil else { return }
            script(peer)
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            let connection = try await WebSocketClient().connect(
                url: "ws://127.0.0.1:\(server.port)/stream?ticket=abc", policy: policy, pingInterval: pingInterval,
                idleTimeout: idleTimeout, maxMessageBytes: maxMessageBytes, pongTimeout: pongTimeout)
            let value = try await test(connection)
            await connection.close()
            return value
        }
    }

    /// The code the message stream ends with; "clean" without one.
    private func end(_ connection: WebSocketConnection) async -> String {
        do {
            for try await _ in connection.messages {}
            return "clean"
        } catch {
            return (error as? Problem)?.code ?? "\(error)"
        }
    }

    private static func closeAnswer(_ peer: LoopbackServer.Peer) {
        while let frame = peer.nextFrame() {
            if frame.opcode == 8 {
                peer.frame(8, frame.payload)
                return
            }
        }
    }

    @Test("an upgrade refused with a status says which", arguments: [400, 401, 403, 404, 503, 200])
    func refusedUpgrade(status: Int) async throws {
        try await withServer({ peer in
            _ = peer.request()
            peer.reply("no", status: "\(status) Refused")
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            let problem = await #expect(throws: Problem.self) {
                try await WebSocketClient().connect(
                    url: "ws://127.0.0.1:\(server.port)/?ticket=t0psecret", policy: policy)
            }
            #expect(problem?.code == "E-NET-050")
            #expect(problem?.what.en.contains("\(status)") == true)
            #expect(problem?.description.contains("t0psecret") == false)
        }
    }

    @Test(
        "an upgrade that is not one is refused",
        arguments: [
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "gibberish\r\n\r\n", "",
        ])
    func invalidUpgrade(answer: String) async throws {
        try await withServer({ peer in
            _ = peer.request()
            peer.write(answer)
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            let problem = await #expect(throws: Problem.self) {
                try await WebSocketClient().connect(url: "ws://127.0.0.1:\(server.port)/", policy: policy)
            }
            #expect(problem?.code == "E-NET-051")
        }
    }

    @Test("an extension nobody offered is refused")
    func unknownExtension() async throws {
        try await withServer({ peer in
            _ = peer.upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n")
            _ = peer.read()
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            let problem = await #expect(throws: Problem.self) {
                try await WebSocketClient().connect(url: "ws://127.0.0.1:\(server.port)/", policy: policy)
            }
            #expect(problem?.code == "E-NET-051")
        }
    }

    @Test("an origin off the list is denied and never connected; http is no WebSocket")
    func denied() async throws {
        try await withServer({ _ = $0.request() }) { server in
            for (url, allow, code) in [
                ("ws://127.0.0.1:\(server.port)/", "https://stream.example.com", "E-NET-003"),
                ("ws://stream.example.com:443/", "wss://stream.example.com", "E-NET-004"),
                ("ws://u@127.0.0.1:\(server.port)/", server.url, "E-NET-002"),
                (server.url + "/", server.url, "E-NET-010"),
            ] {
                let policy = try EgressPolicy(allow: [allow])
                let problem = await #expect(throws: Problem.self) {
                    try await WebSocketClient().connect(url: url, policy: policy)
                }
                #expect(problem?.code == code)
            }
            #expect(server.accepts == 0)
        }
    }

    @Test("connection refused and unknown names are told apart")
    func unreachable() async throws {
        let server = LoopbackServer { _ in }
        server.stop()
        let policy = try EgressPolicy(allow: [server.url, "http://no-such-host.invalid"])
        let refused = await #expect(throws: Problem.self) {
            try await WebSocketClient().connect(url: "ws://127.0.0.1:\(server.port)/", policy: policy)
        }
        #expect(refused?.code == "E-NET-021")
        let unknown = await #expect(throws: Problem.self) {
            try await WebSocketClient().connect(url: "ws://no-such-host.invalid/", policy: policy)
        }
        #expect(unknown?.code == "E-NET-020")
    }

    @Test("cancelling while the upgrade waits ends the attempt")
    func cancelled() async throws {
        let arrived = AsyncStream<Void>.makeStream()
        try await withServer({ peer in
            _ = peer.request()
            arrived.continuation.yield()
            _ = peer.read()
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            let task = Task {
                try await WebSocketClient().connect(url: "ws://127.0.0.1:\(server.port)/", policy: policy)
            }
            for await _ in arrived.stream { break }
            task.cancel()
            let problem = await #expect(throws: Problem.self) { _ = try await task.value }
            #expect(problem?.code == "E-NET-035")
        }
    }

    @Test("the upgrade request is right, and our frames are masked")
    func upgradeRequest() async throws {
        let notes = Notes<LoopbackServer.Seen>()
        let frames = Notes<LoopbackServer.Peer.Frame>()
        try await withServer({ peer in
            guard let seen = peer.upgrade() else { return }
            notes.add(seen)
            while let frame = peer.nextFrame() {
                frames.add(frame)
                if frame.opcode == 8 { return peer.frame(8, frame.payload) }
            }
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            let connection = try await WebSocketClient().connect(
                url: "ws://127.0.0.1:\(server.port)/a/b?ticket=a%20b#x", headers: [HTTPHeader("X-A", "1")],
                policy: policy)
            try await connection.send(text: "中文")
            try await connection.send(binary: [UInt8](repeating: 7, count: 70_000))
            await connection.close()
            await #expect(throws: Problem.self) { try await connection.send(text: "late") }
        }
        let seen = try #require(notes.all.first)
        #expect(seen.line == "GET /a/b?ticket=a%20b HTTP/1.1")
        #expect(seen.header("host")?.hasPrefix("127.0.0.1:") == true)
        #expect(seen.header("x-a") == "1")
        #expect(seen.header("sec-websocket-version") == "13")
        #expect(seen.header("sec-websocket-extensions") == nil)
        #expect(
            frames.all == [
                .init(opcode: 1, payload: Array("中文".utf8)),
                .init(opcode: 2, payload: .init(repeating: 7, count: 70_000)),
                .init(opcode: 8, payload: [0x03, 0xe8]),
            ])
    }

    @Test("messages come back as sent, fragments joined, a ping between fragments answered")
    func messages() async throws {
        let pongs = Notes<LoopbackServer.Peer.Frame>()
        try await with({ peer in
            peer.frame(1, Array("你".utf8.prefix(2)), fin: false)
            peer.frame(9, Array("p1".utf8))
            peer.frame(0, Array("你".utf8.dropFirst(2)), fin: false)
            peer.frame(0, Array("好".utf8))
            peer.frame(2, [UInt8](repeating: 1, count: 300))
            peer.frame(1, [])
            if let pong = peer.nextFrame() { pongs.add(pong) }
            if let echo = peer.nextFrame() { peer.frame(echo.opcode, echo.payload) }
            Self.closeAnswer(peer)
        }) { connection in
            try await connection.send(text: "echo me")
            var seen: [WebSocketMessage] = []
            for try await message in connection.messages {
                seen.append(message)
                if seen.count == 4 { break }
            }
            #expect(seen == [.text("你好"), .binary(.init(repeating: 1, count: 300)), .text(""), .text("echo me")])
        }
        #expect(pongs.all == [.init(opcode: 10, payload: Array("p1".utf8))])
    }

    @Test("frames that arrive in one packet with the upgrade are not lost")
    func earlyFrames() async throws {
        try await withServer({ peer in
            _ = peer.upgrade(thenAtOnce: LoopbackServer.Peer.bytes(1, Array("early".utf8)))
            Self.closeAnswer(peer)
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            let connection = try await WebSocketClient().connect(url: "ws://127.0.0.1:\(server.port)/", policy: policy)
            for try await message in connection.messages {
                #expect(message == .text("early"))
                break
            }
            await connection.close()
        }
    }

    @Test("answered pings keep the stream open")
    func pings() async throws {
        try await with(
            pingInterval: 20, pongTimeout: 5000,
            { peer in
                for _ in 0..<3 {
                    guard let ping = peer.nextFrame(), ping.opcode == 9 else { return }
                    peer.frame(10, ping.payload)
                }
                peer.frame(1, Array("alive".utf8))
                Self.closeAnswer(peer)
            }
        ) { connection in
            let first = try await connection.messages.first { _ in true }
            #expect(first == .text("alive"))
        }
    }

    @Test("a peer that pings and does not read is not answered: nothing piles up")
    func pingFlood() throws {
        let channel = EmbeddedChannel()
        let terms = WebSocketTerms(pingInterval: 0, pongTimeout: 1000, idleTimeout: 0, maxMessageBytes: 1000)
        try channel.pipeline.syncOperations.addHandler(WebSocketHandler(terms, Mailbox(channel)))
        let ping = WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer(string: "a"))
        channel.isWritable = false
        try channel.writeInbound(ping)
        #expect(try channel.readOutbound(as: WebSocketFrame.self) == nil)
        channel.isWritable = true
        try channel.writeInbound(ping)
        #expect(try channel.readOutbound(as: WebSocketFrame.self)?.opcode == .pong)
    }

    @Test("a backlog is bounded in bytes too, and drained before it may grow again")
    func backlogBytes() async throws {
        let mailbox = Mailbox(NIOAsyncTestingChannel())
        let message = WebSocketMessage.binary(.init(repeating: 0, count: Limits.webSocketBacklogBytes / 4))
        let text = WebSocketMessage.text(String(repeating: "文", count: Limits.webSocketBacklogBytes / 12 + 1))
        let rests = [message, text, message, message].map { mailbox.put($0) }
        #expect(rests == [false, false, false, true])
        for _ in 0..<3 { _ = try await mailbox.next() }
        let restsAgain = mailbox.put(message)
        #expect(!restsAgain)
    }

    @Test("a missed pong closes with its own error")
    func pongMissed() async throws {
        try await with(pingInterval: 20, pongTimeout: 60, { while $0.nextFrame() != nil {} }) { connection in
            #expect(await end(connection) == "E-NET-052")
        }
    }

    @Test("silence closes with its own error")
    func idle() async throws {
        try await with(idleTimeout: 60, { while $0.nextFrame() != nil {} }) { connection in
            #expect(await end(connection) == "E-NET-053")
        }
    }

    @Test(
        "how the peer ends the stream",
        arguments: [
            ([0x03, 0xe8], "clean"), ([0x03, 0xe9, 0x62, 0x79, 0x65], "clean"), ([], "clean"),
            ([0x03, 0xf3], "E-NET-054"),
            ([0x0f, 0xa0], "E-NET-054"),
        ] as [([UInt8], String)])
    func peerCloses(payload: [UInt8], expected: String) async throws {
        let answers = Notes<LoopbackServer.Peer.Frame?>()
        try await with({ peer in
            peer.frame(8, payload)
            answers.add(peer.nextFrame())
        }) { connection in
            #expect(await end(connection) == expected)
        }
        #expect(answers.all == [.init(opcode: 8, payload: Array(payload.prefix(2)))])
    }

    @Test("a stream cut without a close frame says so")
    func cut() async throws {
        try await with({ peer in
            _ = peer.nextFrame()
            peer.reset()
        }) { connection in
            try await connection.send(text: "now")
            #expect(await end(connection) == "E-NET-055")
        }
    }

    @Test("a message above the limit is refused: in one frame by its header alone, and in fragments")
    func tooLarge() async throws {
        let codes = Notes<[UInt8]>()
        let scripts: [@Sendable (LoopbackServer.Peer) -> Void] = [
            { $0.write([0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]) },
            { peer in
                peer.frame(2, .init(repeating: 0, count: 600), fin: false)
                peer.frame(0, .init(repeating: 0, count: 600))
            },
        ]
        for script in scripts {
            try await with(
                maxMessageBytes: 1000,
                { peer in
                    script(peer)
                    if let close = peer.nextFrame() { codes.add(close.payload) }
                }
            ) { connection in
                #expect(await end(connection) == "E-NET-056")
            }
        }
        #expect(codes.all == [[0x03, 0xf1], [0x03, 0xf1]])
    }

    @Test(
        "a peer that breaks the protocol is told and left",
        arguments: [
            LoopbackServer.Peer.bytes(1, [0xff]), LoopbackServer.Peer.bytes(1, [0x61], masked: true),
            LoopbackServer.Peer.bytes(1, [0x61], first: 0x40), LoopbackServer.Peer.bytes(0, [0x61]),
            LoopbackServer.Peer.bytes(3, [0x61]), LoopbackServer.Peer.bytes(9, [0x61], fin: false),
            LoopbackServer.Peer.bytes(1, [0x61], fin: false) + LoopbackServer.Peer.bytes(1, [0x61]),
        ])
    func protocolBroken(bytes: [UInt8]) async throws {
        let closes = Notes<UInt8?>()
        try await with({ peer in
            peer.write(bytes)
            closes.add(peer.nextFrame()?.opcode)
        }) { connection in
            #expect(await end(connection) == "E-NET-057")
        }
        #expect(closes.all == [8])
    }

    @Test("a reader far behind stops the socket, loses nothing, and the watchdog waits")
    func backpressure() async throws {
        let total = Limits.webSocketBacklog * 4
        try await with(
            pingInterval: 50, idleTimeout: 1500, pongTimeout: 20_000,
            { peer in
                let filler = [UInt8](repeating: 0x61, count: 16_000)
                for index in 0..<total { peer.frame(1, Array("\(index):".utf8) + filler) }
                while let frame = peer.nextFrame() {
                    if frame.opcode == 9 { peer.frame(10, frame.payload) }
                    if frame.opcode == 8 { return peer.frame(8, frame.payload) }
                }
            }
        ) { connection in
            try await Task.sleep(for: .milliseconds(2000))
            var next = 0
            for try await message in connection.messages {
                guard case .text(let text) = message else { break }
                #expect(text.hasPrefix("\(next):"))
                next += 1
                if next == total { break }
            }
            #expect(next == total)
        }
    }

    @Test("over TLS with the private CA and the pin; not without; and through a proxy")
    func tls() async throws {
        let notes = Notes<LoopbackServer.Seen>()
        try await withServer({ tunnel($0, notes) }) { proxy in
            try await withTLS({ peer in
                guard peer.upgrade() != nil else { return }
                if let echo = peer.nextFrame() { peer.frame(echo.opcode, echo.payload) }
                Self.closeAnswer(peer)
            }) { front, authority, server in
                let allow = ["wss://localhost:\(front.port)"]
                let url = "wss://localhost:\(front.port)/stream"
                let wrong = "sha256//" + String(repeating: "A", count: 43) + "="
                let through = EgressPolicy.Proxy(host: "127.0.0.1", port: proxy.port)
                for (policy, expected) in [
                    (try EgressPolicy(allow: allow), "E-NET-024"),
                    (try EgressPolicy(allow: allow, caFile: authority.caFile, pins: [wrong]), "E-NET-025"),
                    (try EgressPolicy(allow: allow, pins: [authority.pin]), "E-NET-024"),
                    (try EgressPolicy(allow: allow, caFile: authority.caFile, pins: [wrong, authority.pin]), "hello"),
                    (try EgressPolicy(allow: allow, caFile: authority.caFile, proxy: through), "hello"),
                ] {
                    do {
                        let connection = try await WebSocketClient().connect(url: url, policy: policy)
                        try await connection.send(text: "hello")
                        let first = try await connection.messages.first { _ in true }
                        #expect(first == .text(expected))
                        await connection.close()
                    } catch let problem as Problem {
                        #expect(problem.code == expected)
                    }
                }
                #expect(notes.all.map(\.line) == ["CONNECT localhost:\(front.port) HTTP/1.1"])
            }
        }
    }

    @Test("a plain server behind wss: the handshake fails")
    func notTLS() async throws {
        try await withServer({ peer in
            _ = peer.read()
            peer.write("HTTP/1.1 400 Bad Request\r\n\r\n")
        }) { server in
            let policy = try EgressPolicy(allow: ["https://127.0.0.1:\(server.port)"])
            let problem = await #expect(throws: Problem.self) {
                try await WebSocketClient().connect(url: "wss://127.0.0.1:\(server.port)/", policy: policy)
            }
            #expect(problem?.code == "E-NET-023")
        }
    }
}
