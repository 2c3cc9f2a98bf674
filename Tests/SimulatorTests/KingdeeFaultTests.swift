import SimulatorKit
import Testing

@testable import KingdeeSimulator

@Suite("Kingdee: misbehaviour on the wire")
struct KingdeeFaultTests {
    private let savePath = KingdeeDesk.path("Save")
    private let saveBody: SimJSON = ["formid": "GL_VOUCHER", "data": ["Model": goodVoucher("proc-1")]]
    private let queryPath = KingdeeDesk.path("ExecuteBillQuery")
    private let queryBody: SimJSON = [
        "data": [
            "FormId": "GL_VOUCHER", "FieldKeys": "FBillNo", "FilterString": "F_KYDD_ExtID='proc-1'", "Limit": 2000,
        ]
    ]

    private func headers(_ path: String) -> [String: String] {
        Dictionary(KingdeeDesk.signed(path: path).map { ($0.name, $0.value) }) { first, _ in first }
    }

    private func ask(_ client: Client, _ path: String, _ body: SimJSON) async throws -> Answer {
        try await client.ask("POST", path, body, headers: headers(path))
    }

    private func count(_ client: Client) async throws -> Int? {
        try await client.ask("GET", "/_sim/books").json["totals"]?["count"]?.int
    }

    @Test("an answer lost after the commit leaves a voucher that a query finds")
    func answerLost() async throws {
        let desk = try KingdeeDesk()
        try await withServer(desk.simulator) { server, client in
            server.faults.add(Fault(match: "save", kind: .loseAnswerAfterCommit, times: 1))
            await #expect(throws: (any Error).self) { try await ask(client, savePath, saveBody) }
            #expect(try await count(client) == 1)
            #expect(try await ask(client, queryPath, queryBody).json == [["PZ000001"]])
            // The trap: whoever repeats the save without looking has two vouchers.
            #expect(KingdeeAnswer(try await ask(client, savePath, saveBody).json).success == true)
            let totals = try await client.ask("GET", "/_sim/books").json["totals"]
            #expect(totals?["doubled_ext_ids"] == ["proc-1"])
        }
    }

    @Test("a late commit is absent at first and there afterwards", arguments: [true, false])
    func commitsLate(hangs: Bool) async throws {
        let desk = try KingdeeDesk()
        try await withServer(desk.simulator) { server, client in
            let kind: Fault.Kind = hangs ? .vendor("hangCommitLate:60000") : .commitLate(milliseconds: 60_000)
            server.faults.add(Fault(match: "save", kind: kind, times: 1))
            let impatient = Client(client.base, timeout: 0.3)
            await #expect(throws: (any Error).self) { try await ask(impatient, savePath, saveBody) }
            while desk.clock.sleepers == 0 { await Task.yield() }
            #expect(try await ask(client, queryPath, queryBody).json == [])
            desk.clock.advance(milliseconds: 59_999)
            #expect(try await count(client) == 0)
            desk.clock.advance(milliseconds: 1)
            while try await count(client) == 0 { await Task.yield() }
            #expect(try await ask(client, queryPath, queryBody).json == [["PZ000001"]])
        }
    }

    /// kind, HTTP status, how the body begins (nil: JSON), MsgCode, vouchers afterwards
    private static let answered: [(kind: String, status: Int, begins: String?, code: Int?, vouchers: Int)] = [
        ("responseError", 200, "response_error:", nil, 0), ("responseErrorAfterCommit", 200, "response_error:", nil, 1),
        ("ctxNull", 200, "ctx == null", nil, 0), ("http500", 500, "internal", nil, 0),
        ("http500AfterCommit", 500, "internal", nil, 1), ("htmlPage", 200, "<!DOCTYPE html>", nil, 0),
        ("htmlAfterCommit", 504, "<!DOCTYPE html>", nil, 1), ("exception", 200, nil, 4, 0),
        ("database", 200, nil, 6, 0), ("databaseAfterCommit", 200, nil, 6, 1), ("networkControl", 200, nil, 13, 0),
        ("rateLimit", 200, nil, 14, 0), ("licence", 200, nil, 7, 0), ("noPermission", 200, nil, 2, 0),
        ("sessionLost", 200, nil, 1, 0),
    ]

    @Test("each misbehaviour answers as planned, and is written or not as its name says", arguments: answered)
    func answers(kind: String, status: Int, begins: String?, code: Int?, vouchers: Int) async throws {
        let desk = try KingdeeDesk()
        try await withServer(desk.simulator) { _, client in
            try await client.ask("POST", "/_sim/faults", ["match": "save", "kind": .string(kind), "times": 1])
            let answer = try await ask(client, savePath, saveBody)
            #expect(answer.status == status)
            if let begins { #expect(answer.text.hasPrefix(begins)) }
            if let code { #expect(KingdeeAnswer(answer.json).code == code) }
            #expect(try await count(client) == vouchers)
            #expect(KingdeeAnswer(try await ask(client, savePath, saveBody).json).success == true)
        }
    }

    @Test("a lost session in a query is nested as every error of a query")
    func nested() async throws {
        let desk = try KingdeeDesk()
        try await withServer(desk.simulator) { server, client in
            server.faults.add(Fault(match: "executebillquery", kind: .vendor("sessionLost"), times: 1))
            let answer = try await ask(client, queryPath, queryBody)
            #expect(answer.json[0]?[0]?["Result"]?["ResponseStatus"]?["MsgCode"] == 1)
            #expect(try await ask(client, queryPath, queryBody).json == [])
        }
    }

    @Test("expired tokens: a login mode must log in anew, signed headers go on")
    func expired() async throws {
        let desk = try KingdeeDesk()
        try await withServer(desk.simulator) { server, client in
            server.faults.add(Fault(match: "executebillquery", kind: .expireTokens))
            #expect(try await ask(client, queryPath, queryBody).json == [])
            let login: SimJSON = ["acctID": "66f0a1b2c3d4e5", "username": "Connector", "password": "practice-only"]
            let path = KingdeeDesk.path("ValidateUser", service: KingdeeDesk.logins)
            let session = try await client.ask("POST", path, login).json["KDSVCSessionId"]?.string ?? ""
            let answer = try await client.ask("POST", queryPath, queryBody, headers: ["kdservice-sessionid": session])
            #expect(KingdeeAnswer(answer.json).code == 1)
        }
    }

    @Test("the controls answer, and refuse what they cannot read")
    func controls() async throws {
        let desk = try KingdeeDesk()
        try await withServer(desk.simulator) { _, client in
            #expect(try await client.ask("GET", "/_sim/options").json["gateway"] == true)
            #expect(try await client.ask("POST", "/_sim/options", ["call_limit": 5]).json["call_limit"] == 5)
            #expect(try await client.ask("POST", "/_sim/options", ["nope": 5]).status == 400)
            #expect(try await client.ask("POST", "/_sim/periods/close", ["year": 2026]).status == 400)
            let closed = try await client.ask("POST", "/_sim/periods/close", ["year": 2026, "period": 3]).json
            #expect(closed == ["001:2026-3"])
            #expect(try await client.ask("GET", "/_sim/base").json["BD_Department"]?[1]?["name"] == "销售部")
            #expect(try await client.ask("POST", "/_sim/users", ["name": "x"]).status == 400)
            #expect(try await client.ask("GET", "/_sim/nope").status == 404)
        }
    }

    @Test("the journal shows the calls and no signature, secret or session")
    func journal() async throws {
        let desk = try KingdeeDesk()
        try await withServer(desk.simulator) { _, client in
            _ = try await ask(client, savePath, saveBody)
            let login: SimJSON = [
                "acctID": "66f0a1b2c3d4e5", "username": "Connector", "appId": .string(Credentials().appID),
                "appSecret": .string(Credentials().appSecret),
            ]
            let path = KingdeeDesk.path("LoginByAppSecret", service: KingdeeDesk.logins)
            let session = try await client.ask("POST", path, login).json["KDSVCSessionId"]?.string
            let text = try await client.ask("GET", "/_sim/journal").text
            #expect(text.contains("\"operation\":\"save\"") && text.contains("\"operation\":\"login\""))
            let signature = KingdeeDesk.signed(path: savePath).first { $0.name == "X-Kd-Signature" }?.value
            for secret in [Credentials().appSecret, try #require(session), try #require(signature)] {
                #expect(!text.contains(secret))
            }
        }
    }
}
