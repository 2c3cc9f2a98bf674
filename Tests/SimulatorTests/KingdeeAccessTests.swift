import SimulatorKit
import Testing

@testable import KingdeeSimulator

@Suite("Kingdee: who is let in")
struct KingdeeAccessTests {
    private let path = KingdeeDesk.path("ExecuteBillQuery")
    private let query: SimJSON = ["data": ["FormId": "BD_Currency", "FieldKeys": "FNumber", "Limit": 1]]
    private let rows: SimJSON = [["PRE001"]]

    private func replacing(
        _ headers: [(name: String, value: String)], _ name: String, _ value: String?
    ) -> [(name: String, value: String)] {
        headers.compactMap { header in
            guard header.name.lowercased() == name.lowercased() else { return header }
            return value.map { (header.name, $0) }
        }
    }

    private func json(_ response: SimResponse) throws -> SimJSON { try SimJSON.parse(response.body) }

    private func cookies(_ response: SimResponse) -> [String] {
        response.headers.filter { $0.name == "Set-Cookie" }.compactMap {
            $0.value.split(separator: ";").first.map(String.init)
        }
    }

    static let gatewayHeaders: [(String, String?)] =
        [
            ("X-Api-ClientID", "1"), ("X-Api-ClientID", nil), ("X-Api-Auth-Version", "1.0"),
            ("X-Api-Auth-Version", nil),
            ("x-api-timestamp", "1768449601"), ("x-api-timestamp", "soon"), ("x-api-timestamp", nil),
            ("x-api-nonce", "another"), ("x-api-nonce", nil), ("x-api-signheaders", "x-api-nonce"),
            ("x-api-signheaders", nil), ("X-Api-Signature", "AAAA"), ("X-Api-Signature", nil),
        ] as [(String, String?)]

    @Test(
        "a gateway header that is wrong or missing is answered 401",
        arguments: gatewayHeaders)
    func gateway(header: String, value: String?) async throws {
        let desk = try KingdeeDesk()
        let response = await desk.send(path, query, headers: replacing(KingdeeDesk.signed(path: path), header, value))
        #expect(response.status == 401)
        #expect(cookies(response).isEmpty)
    }

    static let applicationHeaders: [(String, String?)] =
        [
            ("X-Kd-Appkey", "1_2"), ("X-Kd-Appkey", nil), ("X-Kd-Appdata", "!"), ("X-Kd-Appdata", nil),
            ("X-Kd-Appdata", "NjZmMGExYjJjM2Q0ZTUsQ29ubmVjdG9y"), ("X-Kd-Signature", "AAAA"), ("X-Kd-Signature", nil),
        ] as [(String, String?)]

    @Test(
        "an ERP header that is wrong or missing is MsgCode 1 at HTTP 200, with the misleading text",
        arguments: applicationHeaders)
    func application(header: String, value: String?) async throws {
        let desk = try KingdeeDesk()
        let response = await desk.send(path, query, headers: replacing(KingdeeDesk.signed(path: path), header, value))
        #expect(response.status == 200)
        let answer = KingdeeAnswer(try json(response))
        #expect(answer.code == 1)
        #expect(answer.messages == ["会话信息已丢失，请重新登录"])
        #expect(try json(response)[0]?[0]?["Result"] != nil)
    }

    @Test("a wrong secret, a user not in the list, the administrator, a wrong data centre")
    func wrongAuthorization() async throws {
        let desk = try KingdeeDesk()
        func code(_ headers: [(name: String, value: String)]) async throws -> Int? {
            KingdeeAnswer(try json(await desk.send(path, query, headers: headers))).code
        }
        #expect(try await code(KingdeeDesk.signed(path: path, secret: "wrong")) == 1)
        #expect(try await code(KingdeeDesk.signed(path: path, user: "张三")) == 1)
        #expect(try await code(KingdeeDesk.signed(path: path, user: "Administrator")) == 15)
        #expect(await desk.send(path, query, headers: KingdeeDesk.signed(path: path, account: "nope")).status == 500)
        #expect(await desk.simulator.books()["sessions"]?["logins"] == 0)
    }

    @Test("a request without any authentication is MsgCode 1")
    func nobody() async throws {
        let desk = try KingdeeDesk()
        #expect(KingdeeAnswer(try json(await desk.send(path, query))).code == 1)
        let stale: [(name: String, value: String)] = [("Cookie", "kdservice-sessionid=dead")]
        #expect(KingdeeAnswer(try json(await desk.send(path, query, headers: stale))).code == 1)
        #expect(KingdeeAnswer(try json(await desk.send(KingdeeDesk.path("Save"), [:]))).code == 1)
    }

    @Test("signed headers open a session silently, in seconds or milliseconds; nonces may repeat")
    func signed() async throws {
        let desk = try KingdeeDesk()
        for stamp in ["1768449600", "1768449600123", "1768449600"] {
            let headers = KingdeeDesk.signed(path: path, timestamp: stamp)
            let response = await desk.send(path, query, headers: headers)
            #expect(try json(response) == rows)
            #expect(cookies(response).count == 2)
        }
        #expect(await desk.simulator.books()["sessions"]?["by_mode"] == ["signedHeaders": 3])
    }

    @Test("while a session lives nobody looks at the signature, so a wrong secret shows only later")
    func sessionFirst() async throws {
        let desk = try KingdeeDesk()
        let first = await desk.send(path, query, headers: KingdeeDesk.signed(path: path))
        let cookie = cookies(first).joined(separator: "; ")
        var spoiled = replacing(KingdeeDesk.signed(path: path, secret: "wrong"), "X-Api-Signature", "AAAA")
        spoiled.append(("Cookie", "Theme=standard;\(cookie)"))
        let second = await desk.send(path, query, headers: spoiled)
        #expect(try json(second) == rows)
        #expect(cookies(second).isEmpty)
        desk.clock.advance(milliseconds: 1_200_000)
        #expect(await desk.send(path, query, headers: spoiled).status == 401)
    }

    @Test("a session lives twenty minutes after its last use, and its id may come as header")
    func sliding() async throws {
        let desk = try KingdeeDesk()
        let first = await desk.send(path, query, headers: KingdeeDesk.signed(path: path))
        let id = String(cookies(first)[0].dropFirst("kdservice-sessionid=".count))
        let headers: [(name: String, value: String)] = [("kdservice-sessionid", id)]
        for _ in 0..<3 {
            desk.clock.advance(milliseconds: 1_199_999)
            #expect(try json(await desk.send(path, query, headers: headers)) == rows)
        }
        desk.clock.advance(milliseconds: 1_200_000)
        #expect(KingdeeAnswer(try json(await desk.send(path, query, headers: headers))).code == 1)
    }

    @Test("on premises without a gateway X-Api headers are not needed")
    func onPremises() async throws {
        let desk = try KingdeeDesk(["gateway": "false"])
        let headers = KingdeeDesk.signed(path: path).filter { !$0.name.lowercased().hasPrefix("x-api") }
        #expect(try json(await desk.send(path, query, headers: headers)) == rows)
    }

    // MARK: - logins

    private func login(_ operation: String, _ body: SimJSON, _ desk: KingdeeDesk) async -> SimResponse {
        await desk.send(KingdeeDesk.path(operation, service: KingdeeDesk.logins), body)
    }

    private static let account: SimJSON = ["acctID": "66f0a1b2c3d4e5", "username": "Connector", "lcid": 2052]

    private static func byPassword() -> SimJSON { account.with("password", "practice-only") }
    private static func bySecret() -> SimJSON {
        account.with("appId", .string(Credentials().appID)).with("appSecret", .string(Credentials().appSecret))
    }
    private static func bySign(sha1: Bool = false) -> SimJSON {
        account.with("appId", .string(Credentials().appID)).with("timestamp", 1_768_449_600)
            .with(
                "sign",
                .string(Credentials().loginSignature(user: "Connector", timestamp: "1768449600", sha1: sha1)))
    }

    @Test(
        "each login mode opens a session whose cookie is enough",
        arguments: [
            ("ValidateUser", byPassword()), ("LoginByAppSecret", bySecret()), ("LoginBySign", bySign()),
        ])
    func logins(operation: String, body: SimJSON) async throws {
        let desk = try KingdeeDesk()
        let response = await login(operation, body, desk)
        let answer = try json(response)
        #expect(answer["LoginResultType"] == 1)
        #expect(answer["IsSuccessByAPI"] == true)
        #expect(cookies(response)[0] == "kdservice-sessionid=\(answer["KDSVCSessionId"]?.string ?? "")")
        #expect(cookies(response)[1].hasPrefix("ASP.NET_SessionId="))
        let cookie: [(name: String, value: String)] = [("Cookie", cookies(response).joined(separator: "; "))]
        #expect(try json(await desk.send(path, query, headers: cookie)) == rows)
        let logout = KingdeeDesk.path("Logout", service: KingdeeDesk.logins)
        #expect(try json(await desk.send(logout, [:], headers: cookie)) == true)
        #expect(try json(await desk.send(logout, [:], headers: cookie)) == false)
        #expect(KingdeeAnswer(try json(await desk.send(path, query, headers: cookie))).code == 1)
    }

    static let wrongLogins: [(String, SimJSON, Int)] = [
        ("ValidateUser", byPassword().with("password", "x"), 0),
        ("ValidateUser", byPassword().with("username", "x"), 0),
        ("ValidateUser", byPassword().with("password", nil), 0),
        ("LoginByAppSecret", bySecret().with("appSecret", "x"), -1),
        ("LoginByAppSecret", bySecret().with("appId", "x"), -1),
        ("LoginByAppSecret", bySecret().with("username", "张三"), -1),
        ("LoginBySign", bySign().with("sign", "x"), -1), ("LoginBySign", bySign().with("timestamp", 1), -1),
        ("LoginBySign", bySign().with("timestamp", "soon"), -1), ("LoginBySign", bySign(sha1: true), -1),
        ("LoginBySign", bySign().with("username", "张三"), -1),
    ]

    @Test(
        "a wrong login is refused at HTTP 200 with its LoginResultType",
        arguments: wrongLogins)
    func wrongLogin(operation: String, body: SimJSON, type: Int) async throws {
        let desk = try KingdeeDesk()
        let response = await login(operation, body, desk)
        #expect(response.status == 200)
        #expect(try json(response)["LoginResultType"] == SimJSON(type))
        #expect(try json(response)["Context"] == .null)
        #expect(try json(response)["Message"]?.string?.isEmpty == false)
        #expect(cookies(response).isEmpty)
    }

    @Test("a wrong data centre is not answered 200", arguments: ["ValidateUser", "LoginByAppSecret", "LoginBySign"])
    func wrongDataCentre(operation: String) async throws {
        let desk = try KingdeeDesk()
        let body = Self.byPassword().with("acctID", "nope")
        #expect(await login(operation, body, desk).status == 500)
    }

    @Test("a server before 8.0.0.202205 knows only SHA-1")
    func sha1() async throws {
        let desk = try KingdeeDesk(["sha1_only": "true"])
        #expect(try json(await login("LoginBySign", Self.bySign(), desk))["LoginResultType"] == -1)
        #expect(try json(await login("LoginBySign", Self.bySign(sha1: true), desk))["LoginResultType"] == 1)
    }

    @Test(
        "every LoginResultType can be had; only -5 still opens a session", arguments: [-7, -6, -5, -4, -3, -2, -1, 0])
    func resultTypes(type: Int) async throws {
        let desk = try KingdeeDesk()
        await desk.control("users", ["name": "Connector", "login_result": SimJSON(type)])
        let response = await login("ValidateUser", Self.byPassword(), desk)
        #expect(try json(response)["LoginResultType"] == SimJSON(type))
        #expect(cookies(response).isEmpty == (type != -5))
    }

    @Test("each login is a session of its own, unless a new one ends the old one")
    func kick() async throws {
        for (kick, alive) in [("false", true), ("true", false)] {
            let desk = try KingdeeDesk(["kick_old_session": kick])
            let first = cookies(await login("ValidateUser", Self.byPassword(), desk))
            _ = await login("ValidateUser", Self.byPassword(), desk)
            let answer = try json(await desk.send(path, query, headers: [("Cookie", first[0])]))
            #expect((answer == rows) == alive)
        }
    }

    @Test("logins that overlap are counted, and may be refused")
    func overlapping() async throws {
        let desk = try KingdeeDesk(["login_ms": "500", "refuse_parallel_logins": "true"])
        async let first = login("ValidateUser", Self.byPassword(), desk)
        while desk.clock.sleepers == 0 { await Task.yield() }
        let second = await login("ValidateUser", Self.byPassword(), desk)
        #expect(try json(second)["LoginResultType"] == -1)
        await desk.set("refuse_parallel_logins", false)
        async let third = login("ValidateUser", Self.byPassword(), desk)
        while desk.clock.sleepers < 2 { await Task.yield() }
        desk.clock.advance(milliseconds: 500)
        #expect(try json(await first)["LoginResultType"] == 1)
        #expect(try json(await third)["LoginResultType"] == 1)
        #expect(await desk.simulator.books()["sessions"]?["most_in_flight"] == 2)
    }

    // MARK: - addresses and bodies

    @Test("the address is not case-sensitive; another address is not there")
    func addresses() async throws {
        let desk = try KingdeeDesk()
        for prefix in ["/k3cloud/", "/K3Cloud/", "/K3CLOUD/"] {
            let path = KingdeeDesk.path("executebillquery", prefix: prefix)
            #expect(try json(await desk.send(path, query, headers: KingdeeDesk.signed(path: path))) == rows)
        }
        #expect(await desk.send("/galaxy/x.common.kdsvc", query).status == 404)
        #expect(await desk.send("/k3cloud/Kingdee.BOS", query).status == 404)
        #expect(await desk.simulator.handle(SimRequest(method: "GET", target: path)).status == 405)
        let unknown = KingdeeDesk.path("Fly")
        let fly = await desk.send(
            unknown, ["formid": "GL_VOUCHER", "data": [:]], headers: KingdeeDesk.signed(path: unknown))
        #expect(String(decoding: fly.body, as: UTF8.self).hasPrefix("response_error:"))
        let noService = await desk.send("/k3cloud/Some.Other.Service.common.kdsvc", [:])
        #expect(String(decoding: noService.body, as: UTF8.self).hasPrefix("response_error:"))
    }

    @Test("data centres are listed without a login")
    func dataCentres() async throws {
        let path = KingdeeDesk.path(
            "GetDataCenterList", service: "Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService.")
        let list = try json(await KingdeeDesk().send(path, [:]))
        #expect(list[0]?["Id"] == "66f0a1b2c3d4e5")
    }

    @Test("every body encoding carries the same call")
    func bodies() async throws {
        let data = "{\"FormId\":\"BD_Currency\",\"FieldKeys\":\"FNumber\",\"Limit\":1}"
        let object = try SimJSON.parse(data)
        let encoded = data.replacing("{", with: "%7B").replacing("\"", with: "%22").replacing("}", with: "%7D")
        let forms: [(String, String)] = [
            ("application/json", (["data": object] as SimJSON).text),
            ("application/json", (["data": .string(data)] as SimJSON).text),
            ("application/json", (["parameters": [.string(data)]] as SimJSON).text),
            ("application/json", (["parameters": .string(([.string(data)] as SimJSON).text)] as SimJSON).text),
            ("application/json", ([.string(data)] as SimJSON).text),
            ("application/x-www-form-urlencoded", "data=\(encoded)"),
        ]
        for (type, body) in forms {
            let desk = try KingdeeDesk()
            let headers = replacing(KingdeeDesk.signed(path: path), "Content-Type", type)
            let request = SimRequest(method: "POST", target: path, headers: headers, body: Array(body.utf8))
            #expect(try json(await desk.simulator.handle(request)) == rows, "\(type) \(body)")
        }
        let desk = try KingdeeDesk()
        let save: SimJSON = ["parameters": ["GL_VOUCHER", .string((["Model": goodVoucher()] as SimJSON).text)]]
        #expect(KingdeeAnswer(try await desk.call("Save", save)).success == true)
        let login: SimJSON = ["parameters": ["66f0a1b2c3d4e5", "Connector", "practice-only", 2052]]
        #expect(try json(await self.login("ValidateUser", login, desk))["LoginResultType"] == 1)
    }

    @Test(
        "a body that is none is MsgCode 8",
        arguments: ["{", "5", "\"x\"", "{\"parameters\":5}", "{\"parameters\":\"x\"}"])
    func noBody(text: String) async throws {
        let desk = try KingdeeDesk()
        let request = SimRequest(
            method: "POST", target: path, headers: KingdeeDesk.signed(path: path), body: Array(text.utf8))
        #expect(KingdeeAnswer(try json(await desk.simulator.handle(request))).code == 8)
    }

    @Test("an older server wants data as text")
    func dataAsString() async throws {
        let desk = try KingdeeDesk(["data_as_string": "true"])
        #expect(KingdeeAnswer(try await desk.call("ExecuteBillQuery", query)).code == 8)
        let text: SimJSON = ["data": .string((query["data"] ?? .null).text)]
        #expect(try await desk.call("ExecuteBillQuery", text) == rows)
    }

    @Test(
        "a setting it does not know is refused",
        arguments: [("gatway", "true"), ("gateway", "yes"), ("call_limit", "-1")])
    func settings(name: String, value: String) {
        #expect(throws: SimulatorOptionError.self) { try KingdeeDesk([name: value]) }
    }
}
