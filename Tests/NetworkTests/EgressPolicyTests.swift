import Testing
import Values

@testable import Network

@Suite("Allow-list and URLs")
struct EgressPolicyTests {
    private func code(_ work: () throws(Problem) -> Void) -> String {
        do throws(Problem) {
            try work()
            return "allowed"
        } catch {
            return error.code
        }
    }

    @Test(
        "what no two parsers may read differently is refused",
        arguments: [
            ("", "E-NET-001"), ("erp.example.com/a", "E-NET-001"), ("/a", "E-NET-001"),
            ("ftp://erp.example.com/", "E-NET-001"),
            ("file:///etc/passwd", "E-NET-001"), ("https://", "E-NET-001"), ("https:///a", "E-NET-001"),
            ("https://erp.example.com:0/", "E-NET-001"), ("https://erp.example.com:65536/", "E-NET-001"),
            ("https://erp.example.com:/", "E-NET-001"), ("https://erp.example.com:44a/", "E-NET-001"),
            ("https://erp..example.com/", "E-NET-001"), ("https://erp.example.com./", "E-NET-001"),
            ("https://erp.example.com\\@evil.example/", "E-NET-001"), ("https://erp.example.com /", "E-NET-001"),
            ("https://erp.example.com/a\r\nHost: x", "E-NET-001"), ("https://例子.example.com/", "E-NET-001"),
            ("https://erp.example.com/中", "E-NET-001"), ("https://erp%2eexample.com/", "E-NET-001"),
            ("https://user@erp.example.com/", "E-NET-002"), ("https://user:word@erp.example.com/", "E-NET-002"),
            ("https://erp.example.com@evil.example/", "E-NET-002"), ("https://2130706433/", "E-NET-001"),
            ("https://0x7f.1/", "E-NET-001"), ("https://0x7f000001/", "E-NET-001"), ("https://127.1/", "E-NET-001"),
            ("https://0177.0.0.1/", "E-NET-001"), ("https://[::1/", "E-NET-001"), ("https://[::g]/", "E-NET-001"),
            ("https://[127.0.0.1]/", "E-NET-001"), ("https://[fe80::1%25eth0]/", "E-NET-001"),
        ])
    func refusedURLs(url: String, expected: String) throws {
        let policy = try EgressPolicy(allow: ["https://erp.example.com"])
        #expect(code { () throws(Problem) in try policy.check(url: url) } == expected)
    }

    @Test(
        "only the exact origin is let out",
        arguments: [
            ("https://erp.example.com/", "allowed"), ("https://ERP.Example.COM:443/a?b=https://x@y", "allowed"),
            ("wss://erp.example.com/stream?ticket=1", "allowed"), ("https://erp.example.com", "allowed"),
            ("https://erp.example.com?x=1", "allowed"), ("http://erp.example.com/", "E-NET-004"),
            ("ws://erp.example.com/", "E-NET-004"), ("https://erp.example.com:8443/", "E-NET-003"),
            ("https://example.com/", "E-NET-003"), ("https://a.erp.example.com/", "E-NET-003"),
            ("https://erp.example.com.evil.example/", "E-NET-003"), ("http://10.0.0.5:8080/k3", "allowed"),
            ("https://10.0.0.5:8080/", "E-NET-003"), ("http://10.0.0.5/", "E-NET-003"),
            ("https://a.cdn.example.net/", "allowed"),
            ("https://a.b.cdn.example.net/", "allowed"), ("https://cdn.example.net/", "E-NET-003"),
            ("https://evilcdn.example.net/", "E-NET-003"), ("http://a.cdn.example.net/", "E-NET-004"),
            ("https://[2001:db8::1]:8443/", "allowed"), ("https://169.254.169.254/", "E-NET-003"),
        ])
    func origins(url: String, expected: String) throws {
        let policy = try EgressPolicy(allow: [
            "https://erp.example.com", "http://10.0.0.5:8080/", "https://*.cdn.example.net",
            "https://[2001:db8::1]:8443",
        ])
        #expect(code { () throws(Problem) in try policy.check(url: url) } == expected)
    }

    @Test("an origin is shown as it is written on the list")
    func description() throws {
        #expect(try Origin(url: "https://ERP.example.com:443/a").description == "https://erp.example.com")
        #expect(try Origin(url: "http://[::1]:8080").description == "http://[::1]:8080")
        #expect(try Origin(url: "ws://a.example/").description == "http://a.example")
    }

    @Test("bad entries, pins, proxies and CA files are refused when the policy is made")
    func badPolicies() {
        for entry in [
            "erp.example.com", "https://erp.example.com/k3cloud", "https://*.com", "http://*.example.com", "https://*",
            "https://erp.example.com?x", "https://user@erp.example.com", "https://*.10.0.0.5",
        ] {
            #expect(code { () throws(Problem) in _ = try EgressPolicy(allow: [entry]) } == "E-NET-006", "\(entry)")
        }
        for pin in ["", "sha256//", "sha256//AAAA", "sha256//" + String(repeating: "A", count: 43), "md5//AAAA"] {
            #expect(
                code { () throws(Problem) in _ = try EgressPolicy(allow: [], pins: [pin]) } == "E-NET-007", "\(pin)")
        }
        #expect(
            code { () throws(Problem) in _ = try EgressPolicy(allow: [], caFile: "/nonexistent/ca.pem") } == "E-NET-008"
        )
        for proxy in [EgressPolicy.Proxy(host: "a b", port: 3128), .init(host: "proxy", port: 0)] {
            #expect(code { () throws(Problem) in _ = try EgressPolicy(allow: [], proxy: proxy) } == "E-NET-009")
        }
    }

    @Test(
        "link-local and metadata addresses are known in every spelling",
        arguments: [
            ("169.254.169.254", true), ("169.254.0.1", true), ("100.100.100.200", true), ("fe80::1", true),
            ("febf::1", true),
            ("::ffff:169.254.169.254", true), ("::169.254.169.254", true), ("64:ff9b::a9fe:a9fe", true),
            ("fd00:ec2::254", true), ("168.63.129.16", true), ("192.0.0.192", true), ("64:ff9b:1::a9fe:a9fe", true),
            ("2002:a9fe:a9fe::1", true),
            ("10.0.0.5", false), ("127.0.0.1", false), ("::1", false), ("2001:db8::1", false), ("fec0::1", false),
        ])
    func localAddresses(text: String, expected: Bool) throws {
        let address = try #require(NetworkAddress(text: text))
        #expect(address.isLinkLocalOrMetadata == expected)
        #expect(try EgressPolicy(allow: ["https://erp.example.com"]).permits(address) == !expected)
        let literal = text.contains(":") ? "[\(text)]" : text
        #expect(try EgressPolicy(allow: ["http://\(literal)"]).permits(address))
    }
}

@Suite("Allow-list on the wire", .timeLimit(.minutes(5)))
struct EgressTests {
    @Test("an origin off the list is denied before anything is connected")
    func denied() async throws {
        try await withServer({ _ = $0.request() }) { server in
            let policy = try EgressPolicy(allow: ["https://erp.example.com"])
            try await withClient { client in
                let failure = try #require(
                    await client.send(HTTPRequest("POST", server.url + "/a"), through: policy).failure)
                #expect(failure.kind == .denied)
                #expect(!failure.mayHaveArrived)
                #expect(failure.problem.code == "E-NET-003")
                #expect(failure.description.contains("127.0.0.1:\(server.port)"))
            }
            #expect(server.accepts == 0)
        }
    }

    @Test(
        "headers that decide framing or host are the room's",
        arguments: [
            "Host", "content-length", "Transfer-Encoding", "Connection", "Proxy-Authorization", "Expect", "Upgrade",
            "TE",
        ])
    func reserved(name: String) async throws {
        let policy = try EgressPolicy(allow: ["http://127.0.0.1:1"])
        try await withClient { client in
            let request = HTTPRequest("GET", "http://127.0.0.1:1/", headers: [HTTPHeader(name, "x")])
            #expect(await client.send(request, through: policy).failure?.problem.code == "E-NET-011")
        }
    }

    @Test(
        "a request that is no request is denied",
        arguments: [
            HTTPRequest("get", "http://127.0.0.1:1/"), HTTPRequest("CONNECT", "http://127.0.0.1:1/"),
            HTTPRequest("", "http://127.0.0.1:1/"), HTTPRequest("GET", "ws://127.0.0.1:1/"),
            HTTPRequest("GET", "http://127.0.0.1:1/", headers: [HTTPHeader("X-A", "a\r\nX-B: b")]),
            HTTPRequest("GET", "http://127.0.0.1:1/", headers: [HTTPHeader("X A", "a")]),
            HTTPRequest("GET", "http://127.0.0.1:1/", headers: [HTTPHeader("", "a")]),
            HTTPRequest("GET", "http://127.0.0.1:1/", timeoutMilliseconds: 0),
            HTTPRequest("GET", "http://127.0.0.1:1/", timeoutMilliseconds: .max),
            HTTPRequest("GET", "http://127.0.0.1:1/", connectTimeoutMilliseconds: .max),
            HTTPRequest("GET", "http://127.0.0.1:1/", headers: .init(repeating: HTTPHeader("X-A", "a"), count: 1000)),
        ])
    func malformed(request: HTTPRequest) async throws {
        let policy = try EgressPolicy(allow: ["http://127.0.0.1:1"])
        try await withClient { client in
            let failure = await client.send(request, through: policy).failure
            #expect(failure?.kind == .denied)
            #expect(failure?.problem.code == "E-NET-010")
        }
    }
}

@Suite("TLS", .timeLimit(.minutes(5)))
struct TLSTests {
    private static let answers: @Sendable (LoopbackServer.Peer) -> Void = { peer in
        while peer.request() != nil { peer.reply("{}") }
    }

    @Test("without the private CA the certificate is refused; with it, it is trusted")
    func privateCA() async throws {
        try await withTLS(Self.answers) { front, authority, server in
            let url = "https://localhost:\(front.port)"
            try await withClient { client in
                let failure = await client.send(
                    HTTPRequest("POST", url + "/", body: [1]), through: try EgressPolicy(allow: [url])
                ).failure
                #expect(failure?.kind == .unreachable)
                #expect(failure?.mayHaveArrived == false)
                #expect(failure?.problem.code == "E-NET-024")
                let policy = try EgressPolicy(allow: [url], caFile: authority.caFile)
                #expect(
                    await (try client.send(HTTPRequest("POST", url + "/", body: [1]), through: policy).get()).status
                        == 200)
                let literal = "https://127.0.0.1:\(front.port)"
                let byAddress = try EgressPolicy(allow: [literal], caFile: authority.caFile)
                #expect(
                    await (try client.send(HTTPRequest("GET", literal + "/"), through: byAddress).get()).status == 200)
            }
        }
    }

    @Test("a certificate for another name is refused")
    func wrongName() async throws {
        try await withTLS(Self.answers, names: "DNS:other.example") { front, authority, server in
            let url = "https://localhost:\(front.port)"
            let policy = try EgressPolicy(allow: [url], caFile: authority.caFile)
            try await withClient { client in
                let failure = await client.send(HTTPRequest("POST", url + "/"), through: policy).failure
                #expect(failure?.kind == .unreachable)
                #expect(failure?.problem.code == "E-NET-024")
            }
            let problem = await #expect(throws: Problem.self) {
                try await WebSocketClient().connect(url: "wss://localhost:\(front.port)/", policy: policy)
            }
            #expect(problem?.code == "E-NET-024")
        }
    }

    @Test("a wrong pin is refused, the right one among several is accepted, and a pin replaces no CA")
    func pins() async throws {
        try await withTLS(Self.answers) { front, authority, server in
            let url = "https://localhost:\(front.port)"
            let wrong = "sha256//" + String(repeating: "A", count: 43) + "="
            try await withClient { client in
                for (pins, caFile, expected) in [
                    ([wrong], authority.caFile, "E-NET-025"), ([wrong, authority.pin], authority.caFile, "200"),
                    ([authority.pin], nil, "E-NET-024"),
                ] as [([String], String?, String)] {
                    let policy = try EgressPolicy(allow: [url], caFile: caFile, pins: pins)
                    switch await client.send(HTTPRequest("POST", url + "/"), through: policy) {
                    case .success(let response): #expect("\(response.status)" == expected)
                    case .failure(let failure):
                        #expect(failure.problem.code == expected)
                        #expect(failure.kind == .unreachable)
                        #expect(!failure.mayHaveArrived)
                    }
                }
            }
        }
    }

    @Test("a plain server behind https: the handshake fails and nothing was sent")
    func notTLS() async throws {
        try await withServer({ peer in
            _ = peer.read()
            peer.write("HTTP/1.1 400 Bad Request\r\n\r\n")
        }) { server in
            let url = "https://127.0.0.1:\(server.port)"
            let policy = try EgressPolicy(allow: [url])
            try await withClient { client in
                let failure = await client.send(HTTPRequest("POST", url + "/"), through: policy).failure
                #expect(failure?.kind == .unreachable)
                #expect(failure?.mayHaveArrived == false)
                #expect(failure?.problem.code == "E-NET-023")
            }
        }
    }

    @Test("a connection trusted under one policy is not used under a stricter one")
    func noSharingAcrossTrust() async throws {
        try await withTLS(Self.answers) { front, authority, server in
            let url = "https://localhost:\(front.port)"
            let wrong = "sha256//" + String(repeating: "A", count: 43) + "="
            try await withClient { client in
                let open = try EgressPolicy(allow: [url], caFile: authority.caFile)
                _ = try await client.send(HTTPRequest("GET", url + "/"), through: open).get()
                let strict = try EgressPolicy(allow: [url], caFile: authority.caFile, pins: [wrong])
                #expect(
                    await client.send(HTTPRequest("GET", url + "/"), through: strict).failure?.problem.code
                        == "E-NET-025")
            }
        }
    }

    @Test("through a proxy: CONNECT with its credentials, and the tunnel's TLS verified as ever")
    func proxy() async throws {
        let notes = Notes<LoopbackServer.Seen>()
        try await withServer({ tunnel($0, notes) }) { proxy in
            try await withTLS(Self.answers) { front, authority, server in
                let url = "https://localhost:\(front.port)"
                let policy = try EgressPolicy(
                    allow: [url], caFile: authority.caFile,
                    proxy: .init(host: "127.0.0.1", port: proxy.port, credentials: "proxy_login"))
                try await withClient { client in
                    let response = try await client.send(
                        HTTPRequest("POST", url + "/a", body: [1]), through: policy,
                        secrets: { (_, lend) throws(Problem) in
                            "user:pass".utf8CString.withUnsafeBytes { lend(.init(rebasing: $0.dropLast())) }
                        }
                    ).get()
                    #expect(response.status == 200)
                    #expect(notes.all.first?.line == "CONNECT localhost:\(front.port) HTTP/1.1")
                    #expect(notes.all.first?.header("proxy-authorization") == "Basic dXNlcjpwYXNz")
                    let strangers = try EgressPolicy(allow: [url], proxy: policy.proxy)
                    let failure = await client.send(
                        HTTPRequest("POST", url + "/a"), through: strangers,
                        secrets: { (_, lend) throws(Problem) in lend(.init(start: nil, count: 0)) }
                    ).failure
                    #expect(failure?.kind == .unreachable)
                    #expect(failure?.mayHaveArrived == false)
                    #expect(failure?.problem.code == "E-NET-024")
                }
            }
        }
    }

    @Test("a proxy that refuses the tunnel: nothing arrived at the server")
    func proxyRefuses() async throws {
        try await withServer({ peer in
            _ = peer.request()
            peer.reply("no", status: "407 Proxy Authentication Required")
        }) { proxy in
            let policy = try EgressPolicy(
                allow: ["https://erp.example.com"], proxy: .init(host: "127.0.0.1", port: proxy.port))
            try await withClient { client in
                let failure = await client.send(HTTPRequest("POST", "https://erp.example.com/"), through: policy)
                    .failure
                #expect(failure?.kind == .unreachable)
                #expect(failure?.mayHaveArrived == false)
                #expect(failure?.problem.code == "E-NET-027")
            }
            let problem = await #expect(throws: Problem.self) {
                try await WebSocketClient().connect(url: "wss://erp.example.com/", policy: policy)
            }
            #expect(problem?.code == "E-NET-027")
        }
    }
}
