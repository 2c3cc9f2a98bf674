import Testing

@testable import Network

@Suite("HTTP/2 and HTTP/1.1: what is spoken, and what becomes of a write", .timeLimit(.minutes(5)))
struct NegotiationTests {
    private static func write(_ server: NegotiatingServer, _ path: String, body: String = "{}") -> HTTPRequest {
        HTTPRequest("POST", "https://localhost:\(server.port)" + path, body: Array(body.utf8))
    }

    private static func read(_ server: NegotiatingServer, _ path: String, http11: Bool = false) -> HTTPRequest {
        HTTPRequest("GET", "https://localhost:\(server.port)" + path, http11: http11, repeatable: true)
    }

    @Test("HTTP/2 is spoken where it is offered, and requests in flight share the connection")
    func shared() async throws {
        try await withNegotiation { server, policy in
            try await withClient { client in
                let response = try await client.send(Self.read(server, "/first"), through: policy).get()
                #expect(response.status == 200)
                #expect(response.headers.first("x-version") == "2")
                #expect(response.body == Array("{}".utf8))
                // Eight wait for an answer at once: the ninth, on the same connection, releases them.
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            try await client.send(Self.write(server, "/hold"), through: policy).get().status
                        }
                    }
                    while server.seen.all.count < 9 { try await Task.sleep(for: .milliseconds(5)) }
                    _ = try await client.send(Self.read(server, "/release"), through: policy).get()
                    for try await status in group { #expect(status == 200) }
                }
            }
            #expect(server.seen.all.count == 10)
            #expect(server.seen.all.allSatisfy { $0.version == "HTTP/2" && $0.connection == 1 })
        }
    }

    @Test("forced to 1.1, the same server is spoken to in 1.1, also beside an open HTTP/2 connection")
    func forced() async throws {
        try await withNegotiation { server, policy in
            try await withClient { client in
                _ = try await client.send(Self.read(server, "/a"), through: policy).get()
                let response = try await client.send(Self.read(server, "/b", http11: true), through: policy).get()
                #expect(response.headers.first("x-version") == "1.1")
            }
            try await withClient { client in
                _ = try await client.send(Self.read(server, "/c", http11: true), through: policy).get()
            }
            #expect(server.seen.all.map(\.version) == ["HTTP/2", "HTTP/1.1", "HTTP/1.1"])
        }
    }

    @Test("a server that offers 1.1 only is spoken to in 1.1")
    func onlyOld() async throws {
        try await withNegotiation(offers: ["http/1.1"]) { server, policy in
            try await withClient { client in
                for path in ["/a", "/b"] {
                    let response = try await client.send(Self.write(server, path), through: policy).get()
                    #expect(response.body == Array("{}".utf8))
                }
            }
            #expect(
                server.seen.all == [
                    .init(connection: 1, version: "HTTP/1.1", line: "POST /a"),
                    .init(connection: 1, version: "HTTP/1.1", line: "POST /b"),
                ])
        }
    }

    @Test(
        "a stream reset, refused or disowned under a write: the outcome is unknown and nothing is sent again",
        arguments: ["/reset", "/refuse", "/leave"], ["{}", ""])
    func lostWrite(path: String, body: String) async throws {
        for isKept in [false, true] {
            try await withNegotiation { server, policy in
                try await withClient { client in
                    if isKept { _ = try await client.send(Self.read(server, "/first"), through: policy).get() }
                    let failure = try #require(
                        await client.send(Self.write(server, path, body: body), through: policy).failure)
                    #expect(failure.kind == .interrupted)
                    #expect(failure.mayHaveArrived)
                    // Whatever libcurl would still have sent comes before this one.
                    _ = try await client.send(Self.read(server, "/later"), through: policy).get()
                }
                #expect(server.seen.all.filter { $0.line == "POST \(path)" }.count == 1)
            }
        }
    }

    @Test("one stream's reset leaves the other requests of the connection alone")
    func otherStreams() async throws {
        try await withNegotiation { server, policy in
            try await withClient { client in
                _ = try await client.send(Self.read(server, "/first"), through: policy).get()
                let held = Task { await client.send(Self.write(server, "/hold"), through: policy) }
                while server.seen.all.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
                #expect(
                    await client.send(Self.write(server, "/reset"), through: policy).failure?.mayHaveArrived == true)
                _ = try await client.send(Self.read(server, "/release"), through: policy).get()
                #expect(try await held.value.get().status == 200)
            }
            #expect(server.seen.all.map(\.connection) == [1, 1, 1, 1])
        }
    }

    @Test("a write that the server still answers after its GOAWAY is answered; the next request takes a new connection")
    func lastStream() async throws {
        try await withNegotiation { server, policy in
            try await withClient { client in
                _ = try await client.send(Self.write(server, "/last"), through: policy).get()
                _ = try await client.send(Self.write(server, "/next"), through: policy).get()
            }
            #expect(
                server.seen.all == [
                    .init(connection: 1, version: "HTTP/2", line: "POST /last"),
                    .init(connection: 2, version: "HTTP/2", line: "POST /next"),
                ])
        }
    }
}
