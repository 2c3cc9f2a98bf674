import CCurl
import Glibc
import Testing
import Values

@testable import Network

/// A client that is shut down with the test.
func withClient<T>(connectionsPerHost: Int? = nil, _ test: (HTTPClient) async throws -> T) async throws -> T {
    let client = try HTTPClient(connectionsPerHost: connectionsPerHost)
    do {
        let value = try await test(client)
        await client.shutDown()
        return value
    } catch {
        await client.shutDown()
        throw error
    }
}

extension Result where Success == HTTPResponse, Failure == HTTPFailure {
    var failure: HTTPFailure? { if case .failure(let failure) = self { failure } else { nil } }
}

@Suite("HTTP: what goes wrong on the way", .timeLimit(.minutes(5)))
struct HTTPFaultTests {
    /// Why one request to a server with this script has no answer.
    private static func failure(
        _ method: String = "POST", timeoutMilliseconds: Int? = nil, maxReplyBytes: Int? = nil,
        _ script: @escaping @Sendable (LoopbackServer.Peer) -> Void
    ) async throws -> HTTPFailure {
        try await withServer(script) { server in
            let policy = try EgressPolicy(allow: [server.url])
            let request = HTTPRequest(
                method, server.url + "/a", body: method == "POST" ? Array("{}".utf8) : [],
                timeoutMilliseconds: timeoutMilliseconds, maxReplyBytes: maxReplyBytes)
            return try await withClient { client in
                let failure = try #require(await client.send(request, through: policy).failure)
                #expect(server.accepts == 1)
                return failure
            }
        }
    }

    @Test("connection refused: unreachable, and certainly not arrived")
    func refused() async throws {
        let server = LoopbackServer { _ in }
        let url = server.url
        server.stop()
        let policy = try EgressPolicy(allow: [url])
        try await withClient { client in
            let failure = try #require(
                await client.send(HTTPRequest("POST", url + "/a", body: [1]), through: policy).failure)
            #expect(failure.kind == .unreachable)
            #expect(!failure.mayHaveArrived)
            #expect(failure.problem.code == "E-NET-021")
        }
    }

    @Test("an unknown name: unreachable, not arrived")
    func noName() async throws {
        let policy = try EgressPolicy(allow: ["http://no-such-host.invalid"])
        try await withClient { client in
            let failure = try #require(
                await client.send(HTTPRequest("POST", "http://no-such-host.invalid/"), through: policy).failure)
            #expect(failure.kind == .unreachable)
            #expect(!failure.mayHaveArrived)
            #expect(failure.problem.code == "E-NET-020")
        }
    }

    @Test("the server closes after reading the request: interrupted, may have arrived")
    func closedAfterRequest() async throws {
        let failure = try await Self.failure { _ = $0.request() }
        #expect(failure.kind == .interrupted)
        #expect(failure.mayHaveArrived)
    }

    @Test("reset in the middle of the body: interrupted, may have arrived")
    func resetMidBody() async throws {
        let failure = try await Self.failure("GET") { peer in
            _ = peer.request()
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"half\":")
            peer.reset()
        }
        #expect(failure.kind == .interrupted)
        #expect(failure.mayHaveArrived)
    }

    @Test("half a JSON document under a Content-Length is no answer")
    func halfBody() async throws {
        let failure = try await Self.failure("GET") { peer in
            _ = peer.request()
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"half\":")
        }
        #expect(failure.kind == .interrupted)
        #expect(failure.mayHaveArrived)
    }

    @Test("a chunked body without its last chunk is no answer")
    func cutChunks() async throws {
        let failure = try await Self.failure("GET") { peer in
            _ = peer.request()
            peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        }
        #expect(failure.kind == .interrupted)
    }

    @Test("an announced reply of 50 MB is refused before its body is read")
    func announcedTooLarge() async throws {
        let sent = Notes<Int>()
        let failure = try await Self.failure("GET", maxReplyBytes: 1_000_000) { peer in
            _ = peer.request()
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n")
            let chunk = [UInt8](repeating: 0x20, count: 65536)
            for _ in 0..<800 {
                guard peer.write(chunk) else { return }
                sent.add(chunk.count)
            }
        }
        #expect(failure.kind == .tooLarge)
        #expect(failure.mayHaveArrived)
        #expect(failure.problem.code == "E-NET-032")
        // What fits into socket buffers may have left; never the whole body.
        #expect(sent.all.reduce(0, +) < 52_428_800)
    }

    @Test("an endless chunked reply is refused at the limit")
    func endlessChunks() async throws {
        let failure = try await Self.failure("GET", maxReplyBytes: 100_000) { peer in
            _ = peer.request()
            peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = Array("1000\r\n".utf8) + [UInt8](repeating: 0x20, count: 4096) + Array("\r\n".utf8)
            while peer.write(chunk) {}
        }
        #expect(failure.kind == .tooLarge)
    }

    @Test("reply headers without end are refused")
    func endlessHeaders() async throws {
        let failure = try await Self.failure("GET") { peer in
            _ = peer.request()
            peer.write("HTTP/1.1 200 OK\r\n")
            while peer.write("X-Filler: \(String(repeating: "x", count: 1000))\r\n") {}
        }
        #expect(failure.kind == .tooLarge)
        #expect(failure.problem.code == "E-NET-033")
    }

    @Test("a reply that drips byte by byte ends at the time-out")
    func slowLoris() async throws {
        let failure = try await Self.failure(timeoutMilliseconds: 200) { peer in
            _ = peer.request()
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while peer.write("x") { usleep(20_000) }
        }
        #expect(failure.kind == .timedOut)
        #expect(failure.mayHaveArrived)
        #expect(failure.problem.code == "E-NET-030")
    }

    @Test(
        "what is not HTTP is a malformed reply",
        arguments: [
            "220 smtp.example.com ESMTP\r\n\r\n", "{\"errcode\":0}", "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            "HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\nx",
        ])
    func notHTTP(answer: String) async throws {
        let failure = try await Self.failure { peer in
            _ = peer.request()
            peer.write(answer)
        }
        #expect(failure.kind == .malformedReply)
        #expect(failure.mayHaveArrived)
    }

    @Test("cancelling the task aborts the exchange")
    func cancelled() async throws {
        let arrived = AsyncStream<Void>.makeStream()
        try await withServer({ peer in
            _ = peer.request()
            arrived.continuation.yield()
            _ = peer.read()
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient { client in
                let task = Task { await client.send(HTTPRequest("POST", server.url + "/a"), through: policy) }
                for await _ in arrived.stream { break }
                task.cancel()
                let failure = try #require(await task.value.failure)
                #expect(failure.kind == .cancelled)
                #expect(failure.mayHaveArrived)
            }
        }
    }

    @Test("a task cancelled before it began sends nothing")
    func cancelledEarly() async throws {
        try await withServer({ _ = $0.request() }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient { client in
                let task = Task {
                    withUnsafeCurrentTask { $0?.cancel() }
                    return await client.send(HTTPRequest("POST", server.url + "/a"), through: policy)
                }
                let failure = try #require(await task.value.failure)
                #expect(failure.kind == .cancelled)
                #expect(!failure.mayHaveArrived)
            }
            #expect(server.accepts == 0)
        }
    }

    @Test("shutting down ends what is under way, and what comes later")
    func shutDown() async throws {
        let arrived = AsyncStream<Void>.makeStream()
        try await withServer({ peer in
            _ = peer.request()
            arrived.continuation.yield()
            _ = peer.read()
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            let client = try HTTPClient()
            let task = Task { await client.send(HTTPRequest("POST", server.url + "/a"), through: policy) }
            for await _ in arrived.stream { break }
            await client.shutDown()
            #expect(await task.value.failure?.kind == .cancelled)
            #expect(await task.value.failure?.mayHaveArrived == true)
            let later = await client.send(HTTPRequest("GET", server.url + "/a"), through: policy).failure
            #expect(later?.kind == .cancelled)
            #expect(later?.mayHaveArrived == false)
            await client.shutDown()
        }
    }

    /// Answers the first request of a connection and closes under the second.
    private static func closesUnderSecond(_ notes: Notes<String>) -> @Sendable (LoopbackServer.Peer) -> Void {
        { peer in
            guard let first = peer.request() else { return }
            notes.add(first.line)
            peer.reply("one")
            if let second = peer.request() { notes.add(second.line) }
        }
    }

    @Test("a kept connection closed under a write: the write is not sent again")
    func staleConnectionWrite() async throws {
        let notes = Notes<String>()
        try await withServer(Self.closesUnderSecond(notes)) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient { client in
                _ = try await client.send(HTTPRequest("GET", server.url + "/first"), through: policy).get()
                let failure = try #require(
                    await client.send(
                        HTTPRequest("POST", server.url + "/write", body: Array("{}".utf8)), through: policy
                    ).failure)
                #expect(failure.kind == .interrupted)
                #expect(failure.mayHaveArrived)
            }
        }
        #expect(notes.all.filter { $0.contains("/write") }.count == 1)
    }

    @Test("a kept connection closed under a repeatable read: it is asked once more on a fresh one")
    func staleConnectionRead() async throws {
        let notes = Notes<String>()
        try await withServer(Self.closesUnderSecond(notes)) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient { client in
                _ = try await client.send(HTTPRequest("GET", server.url + "/first"), through: policy).get()
                let response = try await client.send(
                    HTTPRequest("GET", server.url + "/read", repeatable: true), through: policy
                ).get()
                #expect(response.status == 200)
            }
            #expect(server.accepts == 2)
        }
        #expect(notes.all.filter { $0.contains("/read") }.count == 2)
    }

    @Test("a name that leads to a forbidden address when libcurl repeats: the first sending still counts")
    func refusedRepetition() throws {
        let policy = try EgressPolicy(allow: ["http://127.0.0.1:1"])
        let request = HTTPRequest("POST", "http://127.0.0.1:1/")
        let address = try Address(request.url)
        let wire = try Wire(request, address: address, proxy: nil, secrets: noSecrets)
        let transfer = Transfer(request, wire: wire, policy: policy, origin: address.origin)
        let slot = try #require(Slot(policy))
        slot.transfer = transfer
        transfer.refusal = .localAddress
        transfer.stage = .connecting
        #expect(Verdict.answer(CURLE_COULDNT_CONNECT, slot, transfer).failure?.mayHaveArrived == false)
        // No byte was ever sent by this handle: 0 is one more than before.
        transfer.stage = .sending(after: -1)
        #expect(Verdict.answer(CURLE_COULDNT_CONNECT, slot, transfer).failure?.mayHaveArrived == true)
    }

    @Test("waiting for a free connection ends as a time-out of which nothing was sent")
    func noFreeConnection() async throws {
        let arrived = AsyncStream<Void>.makeStream()
        try await withServer({ peer in
            _ = peer.request()
            arrived.continuation.yield()
            _ = peer.read()
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient(connectionsPerHost: 1) { client in
                let first = Task { await client.send(HTTPRequest("POST", server.url + "/a"), through: policy) }
                for await _ in arrived.stream { break }
                let second = await client.send(
                    HTTPRequest("POST", server.url + "/b", timeoutMilliseconds: 150), through: policy)
                #expect(second.failure?.kind == .timedOut)
                #expect(second.failure?.mayHaveArrived == false)
                #expect(second.failure?.problem.code == "E-NET-026")
                first.cancel()
                _ = await first.value
            }
        }
    }
}

@Suite("HTTP: answers", .timeLimit(.minutes(5)))
struct HTTPAnswerTests {
    @Test("a redirect is an answer and is not followed")
    func redirect() async throws {
        let notes = Notes<String>()
        try await withServer({ peer in
            while let request = peer.request() {
                notes.add(request.line)
                peer.reply("", status: "302 Found", headers: "Location: /elsewhere\r\n")
            }
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient { client in
                let response = try await client.send(HTTPRequest("GET", server.url + "/a"), through: policy).get()
                #expect(response.status == 302)
                #expect(response.headers.first("location") == "/elsewhere")
            }
        }
        #expect(notes.all == ["GET /a HTTP/1.1"])
    }

    @Test("header names are lower case and repeated headers stay apart")
    func repeatedHeaders() async throws {
        try await withServer({ peer in
            _ = peer.request()
            peer.reply("{}", headers: "X-A: 1\r\nSet-Cookie: a=1\r\nSET-COOKIE:  b=2  \r\nx-empty:\r\n")
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient { client in
                let response = try await client.send(HTTPRequest("GET", server.url + "/a"), through: policy).get()
                #expect(
                    response.headers.map { $0.name } == [
                        "content-length", "x-a", "set-cookie", "set-cookie", "x-empty",
                    ])
                #expect(response.headers.all("set-cookie") == ["a=1", "b=2"])
                #expect(response.headers.first("x-empty") == "")
            }
        }
    }

    @Test("a chunked reply arrives whole, its trailers dropped")
    func chunked() async throws {
        try await withServer({ peer in
            _ = peer.request()
            peer.write("HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n")
            peer.write(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX-Late: 1\r\n\r\n"
            )
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient { client in
                let response = try await client.send(HTTPRequest("GET", server.url + "/a"), through: policy).get()
                #expect(response.body == Array("hello!".utf8))
                #expect(response.headers.first("x-a") == "1")
                #expect(response.headers.first("x-early") == nil)
                #expect(response.headers.first("x-late") == nil)
            }
        }
    }

    @Test("twenty requests in a row use one connection")
    func keepAlive() async throws {
        try await withServer({ peer in while peer.request() != nil { peer.reply("{}") } }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient { client in
                for _ in 0..<20 {
                    _ = try await client.send(
                        HTTPRequest("POST", server.url + "/a", body: [0x7b, 0x7d]), through: policy
                    ).get()
                }
            }
            #expect(server.accepts == 1)
        }
    }

    @Test("64 at once each get their own answer")
    func concurrent() async throws {
        try await withServer({ peer in
            while let request = peer.request() { peer.reply(String(decoding: request.body, as: UTF8.self)) }
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient(connectionsPerHost: 64) { client in
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for task in 0..<64 {
                        group.addTask {
                            for round in 0..<20 {
                                let body = Array("\(task)/\(round)".utf8)
                                let response = try await client.send(
                                    HTTPRequest("POST", server.url + "/echo", body: body), through: policy
                                ).get()
                                guard response.body == body else { return false }
                            }
                            return true
                        }
                    }
                    for try await right in group { #expect(right) }
                }
            }
            #expect(server.accepts <= 64)
        }
    }

    @Test("more requests than connections wait their turn")
    func queued() async throws {
        try await withServer({ peer in while peer.request() != nil { peer.reply("{}") } }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient(connectionsPerHost: 2) { client in
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<40 {
                        group.addTask {
                            try await client.send(HTTPRequest("POST", server.url + "/a"), through: policy).get().status
                        }
                    }
                    for try await status in group { #expect(status == 200) }
                }
            }
            #expect(server.accepts <= 2)
        }
    }

    @Test("plain http through a proxy: whole URL, credentials for the proxy only")
    func plainProxy() async throws {
        let notes = Notes<LoopbackServer.Seen>()
        try await withServer({ peer in
            while let request = peer.request() {
                notes.add(request)
                peer.reply("{}")
            }
        }) { proxy in
            let policy = try EgressPolicy(
                allow: ["http://erp.example.com"],
                proxy: .init(host: "127.0.0.1", port: proxy.port, credentials: "app_secret"))
            try await withClient { client in
                let request = HTTPRequest("POST", "http://erp.example.com/a", body: [0x7b, 0x7d])
                #expect(await client.send(request, through: policy).failure?.problem.code == "E-NET-014")
                _ = try await client.send(request, through: policy, secrets: InsertionTests.secrets).get()
            }
        }
        #expect(notes.all.map(\.line) == ["POST http://erp.example.com/a HTTP/1.1"])
        #expect(notes.all.first?.header("proxy-authorization") == "Basic czNjcjN0LVZhbHVl")
    }

    @Test(
        "the request goes out as given: method, path, body and headers",
        arguments: [
            ("GET", ""), ("POST", ""), ("POST", "{}"), ("PUT", "x"), ("PATCH", "x"), ("DELETE", ""), ("DELETE", "x"),
            ("GET", "x"),
        ])
    func asGiven(method: String, body: String) async throws {
        let notes = Notes<LoopbackServer.Seen>()
        try await withServer({ peer in
            while let request = peer.request() {
                notes.add(request)
                peer.reply("{}")
            }
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient { client in
                // A custom method must not stay on the reused handle.
                for path in ["/a/../b//c?x=%20&y=%E4%B8%AD", "/second"] {
                    let headers = [
                        HTTPHeader("X-Empty", ""), HTTPHeader("X-A", " b "), HTTPHeader("Accept", "application/json"),
                    ]
                    _ = try await client.send(
                        HTTPRequest(
                            path == "/second" ? "POST" : method, server.url + path, headers: headers,
                            body: Array(body.utf8)),
                        through: policy
                    ).get()
                }
            }
        }
        let seen = try #require(notes.all.first)
        #expect(seen.line == "\(method) /a/../b//c?x=%20&y=%E4%B8%AD HTTP/1.1")
        #expect(notes.all.last?.line == "POST /second HTTP/1.1")
        #expect(seen.body == Array(body.utf8))
        #expect(seen.header("X-Empty") == "")
        #expect(seen.header("x-a")?.trimming == "b")
        #expect(seen.header("accept") == "application/json")
        #expect(seen.header("user-agent") == "datong")
        #expect(seen.header("expect") == nil)
        #expect(seen.header("content-type") == nil)
        if method != "GET" && method != "DELETE" || !body.isEmpty {
            #expect(seen.header("content-length") == "\(body.utf8.count)")
        }
    }

    @Test("HEAD has no body to wait for, also where a large one is announced")
    func head() async throws {
        try await withServer({ peer in
            _ = peer.request()
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n")
            _ = peer.read()
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            try await withClient { client in
                let response = try await client.send(HTTPRequest("HEAD", server.url + "/a"), through: policy).get()
                #expect(response.body.isEmpty)
                #expect(response.headers.first("content-length") == "52428800")
            }
        }
    }

    @Test("proxy variables of the environment are ignored")
    func environmentProxy() async {
        // In a process of its own: every other client of the test process would see the variable too.
        await #expect(processExitsWith: .success) {
            setenv("http_proxy", "http://127.0.0.1:1", 1)
            try await withServer({ peer in while peer.request() != nil { peer.reply("{}") } }) { server in
                let policy = try EgressPolicy(allow: [server.url])
                try await withClient { client in
                    let response = try await client.send(HTTPRequest("GET", server.url + "/a"), through: policy).get()
                    if response.status != 200 { exit(1) }
                }
            }
        }
    }

    @Test("cookies come back on the next request of the same jar only")
    func cookies() async throws {
        let notes = Notes<String?>()
        try await withServer({ peer in
            while let request = peer.request() {
                notes.add(request.header("cookie"))
                peer.reply("{}", headers: "Set-Cookie: sid=abc; Path=/; HttpOnly;\r\nSet-Cookie: old=1; Max-Age=0\r\n")
            }
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            let jar = CookieJar()
            try await withClient { client in
                for request in [
                    HTTPRequest("GET", server.url + "/a", cookies: jar),
                    HTTPRequest("GET", server.url + "/a", cookies: jar),
                    HTTPRequest("GET", server.url + "/a", headers: [HTTPHeader("Cookie", "mine=1")], cookies: jar),
                    HTTPRequest("GET", server.url + "/a", cookies: CookieJar()), HTTPRequest("GET", server.url + "/a"),
                ] {
                    _ = try await client.send(request, through: policy).get()
                }
            }
        }
        #expect(notes.all == [nil, "sid=abc", "mine=1; sid=abc", nil, nil])
    }
}

extension String {
    var trimming: String {
        var text = Substring(self)
        while text.last == " " { text.removeLast() }
        while text.first == " " { text.removeFirst() }
        return String(text)
    }
}
