import SimulatorKit
import Synchronization
import Testing

/// Counts what was done, to tell "not answered" from "not done".
private final class Counter: SimulatorService {
    let clock: any SimClock = RealClock()
    let done = Mutex(0)
    let expired = Mutex(0)

    func operation(of request: SimRequest) -> String? { request.path == "/save" ? "document.save" : nil }

    func handle(_ request: SimRequest) async -> SimResponse {
        done.withLock { $0 += 1 }
        return .json(["path": .string(request.path), "text": .string(String(repeating: "字", count: 2_000))])
    }

    func answer(to fault: Fault.Kind, _ request: SimRequest) async -> SimResponse? {
        if fault == .expireTokens { expired.withLock { $0 += 1 } }
        return nil
    }

    func books() async -> SimJSON { ["done": SimJSON(done.withLock { $0 })] }
}

@Suite("A simulator server misbehaves exactly as told")
struct KitServerTests {
    @Test("an answer lost after the commit leaves the document saved and the client without an answer")
    func loseAnswer() async throws {
        let service = Counter()
        try await withServer(service) { (server, client) async throws in
            server.faults.add(Fault(match: "document.save", kind: .loseAnswerAfterCommit, times: 1))
            await #expect(throws: (any Error).self) { try await client.ask("POST", "/save", ["a": 1]) }
            #expect(service.done.withLock { $0 } == 1)
            #expect(try await client.ask("POST", "/save", ["a": 1]).status == 200)
            #expect(try await client.ask("GET", "/_sim/books").json["done"]?.int == 2)
        }
    }

    @Test("a late commit happens after the connection was closed")
    func commitLate() async throws {
        let service = Counter()
        try await withServer(service) { (server, client) async throws in
            server.faults.add(Fault(match: "/save", kind: .commitLate(milliseconds: 3_000), times: 1))
            await #expect(throws: (any Error).self) { try await client.ask("POST", "/save", ["a": 1]) }
            #expect(service.done.withLock { $0 } == 0)
            try await until { service.done.withLock { $0 } > 0 && server.journal.count == 2 }
            #expect(server.journal.json.array?.count == 2)
        }
    }

    @Test("a cut body announces more than it sends")
    func cutBody() async throws {
        try await withServer(Counter()) { (server, client) async throws in
            server.faults.add(Fault(kind: .cutBody, times: 1))
            await #expect(throws: (any Error).self) { try await client.ask("GET", "/x") }
            #expect(try await client.ask("GET", "/x").json["path"]?.string == "/x")
        }
    }

    @Test("a cut JSON is an answer of a right length that is none")
    func cutJSON() async throws {
        try await withServer(Counter()) { (server, client) async throws in
            let whole = try await client.ask("GET", "/x").bytes
            server.faults.add(Fault(kind: .cutJSON, times: 1))
            let half = try await client.ask("GET", "/x").bytes
            #expect(half.count < whole.count && whole.starts(with: half))
            #expect(throws: (any Error).self) { try SimJSON.parse(half) }
        }
    }

    @Test("a hanging request ends only when the client gives up, and does nothing")
    func hang() async throws {
        let service = Counter()
        try await withServer(service) { (server, client) async throws in
            server.faults.add(Fault(kind: .hang))
            await #expect(throws: (any Error).self) {
                try await Client(client.base, timeout: 1).ask("POST", "/save", ["a": 1])
            }
            #expect(service.done.withLock { $0 } == 0)
        }
    }

    @Test("a huge body is 50 MB long")
    func huge() async throws {
        try await withServer(Counter()) { (server, client) async throws in
            server.faults.add(Fault(kind: .hugeBody, times: 1))
            #expect(try await client.ask("GET", "/x").bytes.count > 49 << 20)
        }
    }

    @Test("an unreadable fault is refused with its reason")
    func refusesFault() async throws {
        try await withServer(Counter()) { (_, client) async throws in
            #expect(try await client.ask("POST", "/_sim/faults", ["match": "*"]).status == 400)
            #expect(try await client.ask("POST", "/_sim/faults", ["kind": "slow"]).status == 400)
            #expect(try await client.ask("POST", "/_sim/faults", nil, raw: ("application/json", "{")).status == 400)
            #expect(try await client.ask("GET", "/_sim/nothing").status == 404)
        }
    }

    @Test("faults come over HTTP, strike the n-th request, and are cleared")
    func faultsOverHTTP() async throws {
        let service = Counter()
        try await withServer(service) { (_, client) async throws in
            try await client.ask(
                "POST", "/_sim/faults",
                [["match": "document.*", "kind": "http500", "nth": 2], ["match": "/page", "kind": "htmlPage"]])
            #expect(try await client.ask("POST", "/save", ["a": 1]).status == 200)
            #expect(try await client.ask("POST", "/save", ["a": 1]).status == 500)
            #expect(try await client.ask("POST", "/save", ["a": 1]).status == 200)
            #expect(try await client.ask("GET", "/page").text.hasPrefix("<!DOCTYPE"))
            #expect(try await client.ask("GET", "/_sim/faults").json[0]?["struck"]?.int == 1)
            try await client.ask("DELETE", "/_sim/faults")
            #expect(try await client.ask("GET", "/page").json["path"]?.string == "/page")
            try await client.ask("POST", "/_sim/faults", ["kind": "expireTokens", "times": 1])
            #expect(try await client.ask("GET", "/page").status == 200)
            #expect(service.expired.withLock { $0 } == 1)
            try await client.ask("POST", "/_sim/faults", ["kind": "rateLimit", "times": 1])
            #expect(try await client.ask("GET", "/page").status == 429)
        }
    }

    @Test("a request body above 32 MB is refused before it is whole; the next connection works")
    func tooLarge() async throws {
        try await withServer(Counter()) { (_, client) async throws in
            let big = String(repeating: " ", count: 33 << 20)
            let answer = try? await client.ask("POST", "/save", nil, raw: ("text/plain", big))
            #expect(answer == nil || answer?.status == 413)
            #expect(try await client.ask("GET", "/_sim/books").json["done"]?.int == 0)
        }
    }

    @Test("probability follows the seed and is neither never nor always")
    func probability() async throws {
        try await withServer(Counter()) { (server, client) async throws in
            server.faults.add(Fault(kind: .http500, probability: 0.5))
            var failed = 0
            for _ in 0..<40 where try await client.ask("GET", "/x").status == 500 { failed += 1 }
            #expect((5...35).contains(failed))
        }
    }

    @Test("the journal keeps no secret: not in the query, the headers, the body, nor in JSON inside text")
    func journalMasks() async throws {
        try await withServer(Counter()) { (server, client) async throws in
            try await client.ask(
                "POST", "/x?access_token=s3cret-1&a=1",
                [
                    "appSecret": "s3cret-2", "inner": ["password": "s3cret-3"],
                    "text": "{\"clientSecret\":\"s3cret-4\"}",
                ],
                headers: ["X-Acs-Dingtalk-Access-Token": "s3cret-5"])
            try await client.ask(
                "POST", "/x", nil, raw: ("application/x-www-form-urlencoded", "password=s3cret-6&user=me"))
            let text = server.journal.json.text
            #expect(!text.contains("s3cret"))
            #expect(text.contains("\"user\":\"me\""))
        }
    }
}
