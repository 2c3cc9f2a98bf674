import Testing
import Values

@testable import Network

@Suite("Secrets by position", .timeLimit(.minutes(5)))
struct InsertionTests {
    static let secrets: SecretSource = { (expression, lend) throws(Problem) in
        let values = [
            "app_secret": "s3cr3t-Value", "app_secret | url": "s3cr3t%20Value", "broken": "a\r\nX-Evil: 1",
            "spaced": "a b",
            "fragment": "a#b", "empty": "",
        ]
        guard let value = values[expression] else {
            throw Problem("E-VAULT-900", zh: "无", en: "none", nextZH: "", nextEN: "")
        }
        Array(value.utf8).withUnsafeBytes { lend($0) }
    }

    @Test("secrets land at their byte offsets in URL, header and body; a typed mark stays text")
    func offsets() async throws {
        let notes = Notes<LoopbackServer.Seen>()
        try await withServer({ peer in
            while let request = peer.request() {
                notes.add(request)
                peer.reply("{}")
            }
        }) { server in
            let policy = try EgressPolicy(allow: [server.url])
            let url = server.url + "/login?sig=&x=1"
            let body = "{\"摘要\":\"‹app_secret›\",\"secret\":\"\",\"again\":\"\"}"
            let first = body.utf8.count - "\",\"again\":\"\"}".utf8.count
            try await withClient { client in
                for _ in 0..<2 {
                    let request = HTTPRequest(
                        "POST", url, headers: [HTTPHeader("X-A", "plain"), HTTPHeader("Authorization", "Bearer ")],
                        body: Array(body.utf8),
                        insertions: [
                            Insertion(.url, at: url.utf8.count - 4, secret: "app_secret | url"),
                            Insertion(.header(1), at: 7, secret: "app_secret"),
                            Insertion(.body, at: first, secret: "app_secret"),
                            Insertion(.body, at: body.utf8.count - 2, secret: "app_secret"),
                            Insertion(.body, at: body.utf8.count, secret: "empty"),
                        ])
                    _ = try await client.send(request, through: policy, secrets: Self.secrets).get()
                }
            }
        }
        for seen in notes.all {
            #expect(seen.line == "POST /login?sig=s3cr3t%20Value&x=1 HTTP/1.1")
            #expect(seen.header("authorization") == "Bearer s3cr3t-Value")
            #expect(seen.header("x-a") == "plain")
            #expect(
                String(decoding: seen.body, as: UTF8.self)
                    == "{\"摘要\":\"‹app_secret›\",\"secret\":\"s3cr3t-Value\",\"again\":\"s3cr3t-Value\"}")
        }
        #expect(notes.all.count == 2)
    }

    @Test("no failure of a filled-in request tells the secret")
    func absentFromFailures() async throws {
        try await withServer({ peer in
            _ = peer.request()
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        }) { server in
            let policy = try EgressPolicy(allow: [server.url, "http://127.0.0.1:1"])
            try await withClient { client in
                for base in [server.url, "http://127.0.0.1:1"] {
                    let url = base + "/login?sig="
                    let request = HTTPRequest(
                        "POST", url, headers: [HTTPHeader("Authorization", "")], body: [],
                        insertions: [
                            Insertion(.url, at: url.utf8.count, secret: "app_secret"),
                            Insertion(.header(0), at: 0, secret: "app_secret"),
                            Insertion(.body, at: 0, secret: "app_secret"),
                        ])
                    let failure = try #require(
                        await client.send(request, through: policy, secrets: Self.secrets).failure)
                    var shown = ""
                    dump(failure, to: &shown)
                    dump(request, to: &shown)
                    shown += "\(failure) \(request) \(Redaction().render(request))"
                    #expect(!shown.contains("s3cr3t"))
                    #expect(shown.contains("app_secret"))
                }
            }
        }
    }

    @Test(
        "an insertion that would break out of its part, or is misplaced, is denied",
        arguments: [
            (Insertion(.url, at: 21, secret: "broken"), "E-NET-013"),
            (Insertion(.url, at: 21, secret: "spaced"), "E-NET-013"),
            (Insertion(.url, at: 21, secret: "fragment"), "E-NET-013"),
            (Insertion(.header(0), at: 0, secret: "broken"), "E-NET-013"),
            (Insertion(.url, at: 7, secret: "app_secret"), "E-NET-012"),
            (Insertion(.url, at: 18, secret: "app_secret"), "E-NET-012"),
            (Insertion(.url, at: 22, secret: "app_secret"), "E-NET-012"),
            (Insertion(.header(1), at: 0, secret: "app_secret"), "E-NET-012"),
            (Insertion(.header(0), at: 2, secret: "app_secret"), "E-NET-012"),
            (Insertion(.body, at: 1, secret: "app_secret"), "E-NET-012"),
            (Insertion(.body, at: -1, secret: "app_secret"), "E-NET-012"),
            (Insertion(.body, at: 0, secret: "unknown"), "E-VAULT-900"),
        ])
    func misplaced(insertion: Insertion, code: String) async throws {
        let url = "http://127.0.0.1:1/ab"
        let policy = try EgressPolicy(allow: ["http://127.0.0.1:1"])
        try await withClient { client in
            let request = HTTPRequest("POST", url, headers: [HTTPHeader("X", "a")], insertions: [insertion])
            let failure = try #require(await client.send(request, through: policy, secrets: Self.secrets).failure)
            #expect(failure.kind == .denied)
            #expect(!failure.mayHaveArrived)
            #expect(failure.problem.code == code)
        }
    }

    @Test("without a secret source every insertion is denied")
    func noSource() async throws {
        let policy = try EgressPolicy(allow: ["http://127.0.0.1:1"])
        try await withClient { client in
            let request = HTTPRequest(
                "POST", "http://127.0.0.1:1/", insertions: [Insertion(.body, at: 0, secret: "app_secret")])
            #expect(await client.send(request, through: policy).failure?.problem.code == "E-NET-014")
            // A source that lends nothing is no empty secret.
            let silent: SecretSource = { (_, _) throws(Problem) in }
            #expect(await client.send(request, through: policy, secrets: silent).failure?.problem.code == "E-NET-014")
        }
    }

    @Test("descending insertions are denied")
    func descending() async throws {
        let policy = try EgressPolicy(allow: ["http://127.0.0.1:1"])
        try await withClient { client in
            let request = HTTPRequest(
                "POST", "http://127.0.0.1:1/", body: [1, 2],
                insertions: [Insertion(.body, at: 2, secret: "empty"), Insertion(.body, at: 1, secret: "empty")])
            #expect(
                await client.send(request, through: policy, secrets: Self.secrets).failure?.problem.code == "E-NET-012")
        }
    }
}

@Suite("Redaction")
struct RedactionTests {
    @Test(
        "values behind names of credentials are hidden, the rest is shown",
        arguments: [
            ("https://a.example/get?access_token=abc&x=1", "https://a.example/get?access_token=‹hidden›&x=1"),
            ("https://a.example/get?x=1&sign=ab%2Bc", "https://a.example/get?x=1&sign=‹hidden›"),
            ("https://a.example/get?design=1&errcode=5", "https://a.example/get?design=1&errcode=5"),
            ("https://a.example/get?Access-Token=abc#f", "https://a.example/get?Access-Token=‹hidden›"),
            ("https://a.example/get?sign=a,b;c}d&n=1", "https://a.example/get?sign=‹hidden›&n=1"),
            ("https://a.example/get?sign=‹a›bcd&n=1", "https://a.example/get?sign=‹a›‹hidden›&n=1"),
        ])
    func urls(url: String, expected: String) { #expect(Redaction().render(url: url) == expected) }

    @Test(
        "bodies in JSON, nested JSON, forms and XML",
        arguments: [
            (#"{"accessToken":"abc","expireIn":7200}"#, #"{"accessToken":"‹hidden›","expireIn":7200}"#),
            (#"{"password" : "a\"b", "n":1}"#, #"{"password" : "‹hidden›", "n":1}"#),
            (#"{"pwd":12345,"n":1}"#, #"{"pwd":‹hidden›,"n":1}"#),
            (#"{"secrets":["a","b"],"n":1}"#, #"{"secrets":‹hidden›,"n":1}"#),
            (#"{"data":"{\"appSecret\":\"abc\",\"n\":1}"}"#, #"{"data":"{\"appSecret\":\"‹hidden›\",\"n\":1}"}"#),
            ("grant_type=x&client_secret=abc&n=1", "grant_type=x&client_secret=‹hidden›&n=1"),
            ("<a><Password>abc</Password><n>1</n></a>", "<a><Password>‹hidden›</Password><n>1</n></a>"),
            (#"{"errcode":0,"message":"the password is wrong"}"#, #"{"errcode":0,"message":"the password is wrong"}"#),
            (#"{"token":"cut off"#, #"{"token":"‹hidden›"#),
        ])
    func bodies(body: String, expected: String) {
        let shown = Redaction().render(HTTPRequest("POST", "https://a.example/", body: Array(body.utf8)))
        #expect(shown == "POST https://a.example/\n" + expected)
    }

    @Test("insertions are shown by name, headers of credentials hidden, bodies cut")
    func request() {
        let request = HTTPRequest(
            "POST", "https://a.example/?sig=",
            headers: [
                HTTPHeader("X-Token", "abc"), HTTPHeader("Authorization", "Bearer "), HTTPHeader("Accept", "*/*"),
            ],
            body: Array((#"{"secret":""}"# + String(repeating: "单", count: 100)).utf8),
            insertions: [
                Insertion(.url, at: 23, secret: "app_secret | url"), Insertion(.header(1), at: 7, secret: "app_secret"),
                Insertion(.body, at: 11, secret: "app_secret"),
            ])
        let shown = Redaction(bodyBytes: 40).render(request)
        #expect(
            shown == """
                POST https://a.example/?sig=‹app_secret | url›
                X-Token: ‹hidden›
                Authorization: ‹app_secret›
                Accept: */*
                {"secret":"‹app_secret›"}单单单… ‹313 bytes›
                """)
    }

    @Test("an answer's cookies and tokens are hidden, the rest is shown")
    func response() {
        let response = HTTPResponse(
            status: 200,
            headers: ReplyHeaders([
                HTTPHeader("Set-Cookie", "sid=abc"), HTTPHeader("Content-Type", " application/json "),
                HTTPHeader("X-Empty", ""),
            ]), body: Array(#"{"access_token":"abc","errcode":0}"#.utf8))
        #expect(response.headers.map(\.name) == ["set-cookie", "content-type", "x-empty"])
        #expect(response.headers.first("content-type") == "application/json")
        #expect(
            Redaction().render(response) == """
                200
                set-cookie: ‹hidden›
                content-type: application/json
                x-empty: 
                {"access_token":"‹hidden›","errcode":0}
                """)
    }

    @Test("a body that is not text is not shown, and further names can be hidden")
    func others() {
        let binary = HTTPRequest("POST", "https://a.example/", body: [0xff, 0x00, 0xfe])
        #expect(Redaction().render(binary) == "POST https://a.example/\n‹3 bytes, not text›")
        #expect(
            Redaction(names: ["card_no"]).render(url: "https://a.example/?cardNo=1")
                == "https://a.example/?cardNo=‹hidden›")
    }
}
