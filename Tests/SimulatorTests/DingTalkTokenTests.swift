import SimulatorKit
import Testing

@Suite("DingTalk: tokens")
struct DingTalkTokenTests {
    @Test("a wrong pair or a missing member is refused in the shape of its generation")
    func wrongPairs() async throws {
        let ding = try DingTalk()
        let new: [(SimJSON, Int, String)] = [
            (["appKey": .string(DingTalk.key), "appSecret": "x"], 400, "invalidClientIdOrSecret"),
            (["appKey": "x", "appSecret": .string(DingTalk.secret)], 400, "invalidClientIdOrSecret"),
            (["appSecret": .string(DingTalk.secret)], 400, "MissingappKey"),
            (["appKey": .string(DingTalk.key)], 400, "MissingappSecret"),
            (["clientId": .string(DingTalk.key), "clientSecret": .string(DingTalk.secret)], 400, "MissingappKey"),
        ]
        for (body, status, code) in new {
            let answer = await ding.ask("POST", "/v1.0/oauth2/accessToken", body)
            #expect(answer.status == status)
            #expect(answer.code == code)
            #expect(answer.json["requestid"]?.string?.isEmpty == false)
        }
        func unified(_ change: SimObject, corp: String = DingTalk.corp) async -> Answer {
            var body: SimJSON = [
                "client_id": .string(DingTalk.key), "client_secret": .string(DingTalk.secret),
                "grant_type": "client_credentials",
            ]
            for key in change.keys { body[key] = change[key] }
            return await ding.ask("POST", "/v1.0/oauth2/\(corp)/token", body)
        }
        #expect(await unified(["client_secret": "x"]).code == "invalid.client")
        #expect(await unified([:], corp: "dingother").code == "invalid.client")
        #expect(await unified(["grant_type": "password"]).code == "unsupported.grant.type")
        let stranger = await unified(["client_id": "x"])
        #expect(stranger.status == 401)
        #expect(stranger.code == "unauthorized.client")
        #expect(await unified([:]).json["expires_in"]?.int == 7200)

        let old = await ding.ask("GET", "/gettoken?appkey=\(DingTalk.key)&appsecret=x")
        #expect(old.status == 200)
        #expect(old.errcode == 40089)
    }

    @Test("a body that is no JSON, or not said to be, is refused")
    func noJSON() async throws {
        let ding = try DingTalk()
        let good: SimJSON = ["appKey": .string(DingTalk.key), "appSecret": .string(DingTalk.secret)]
        #expect(await ding.ask("POST", "/v1.0/oauth2/accessToken").code == "invalidParameter")
        #expect(await ding.ask("POST", "/v1.0/oauth2/accessToken", good, headers: []).code == "invalidParameter")
        #expect(await ding.ask("POST", "/v1.0/oauth2/accessToken", [1]).code == "invalidParameter")
    }

    @Test("while it is valid the same token comes, its time renewed; after 7200 s a new one")
    func sameToken() async throws {
        let ding = try DingTalk()
        let first = await ding.token()
        ding.clock.advance(milliseconds: 7_000_000)
        #expect(await ding.token() == first)
        ding.clock.advance(milliseconds: 7_000_000)
        let old = await ding.ask("GET", "/gettoken?appkey=\(DingTalk.key)&appsecret=\(DingTalk.secret)")
        #expect(old.json["access_token"]?.string == first)
        ding.clock.advance(milliseconds: 7_200_000)
        #expect(await ding.token() != first)
        #expect(await ding.simulator.books()["tokens_issued"]?.int == 2)
    }

    @Test("an ended token is refused by each generation in its own way")
    func expired() async throws {
        let ding = try DingTalk(["auth_status": "401"])
        let token = await ding.token()
        let detail = "/v1.0/workflow/processInstances?processInstanceId=x"
        func new(_ token: String) async -> Answer {
            await ding.ask("GET", detail, headers: [("x-acs-dingtalk-access-token", token)])
        }
        #expect(await new(token).code == "processInstanceNotExist")
        #expect(
            await ding.ask("POST", "/topapi/v2/user/get?access_token=\(token)", ["userid": "user001"]).errcode == 0)
        ding.clock.advance(milliseconds: 7_200_000)
        let refused = await new(token)
        #expect(refused.status == 401)
        #expect(refused.code == "InvalidAuthentication")
        let plain = await ding.ask("POST", "/topapi/v2/user/get?access_token=\(token)", ["userid": "user001"])
        #expect(plain.status == 200)
        #expect(plain.errcode == 42001)
        let wrapped = await ding.ask("POST", "/topapi/v2/user/get?access_token=nonsense", ["userid": "user001"])
        #expect(wrapped.errcode == 88)
        #expect(wrapped.json["sub_code"]?.string == "40014")
        #expect(await ding.ask("POST", "/topapi/user/listid?access_token=nonsense", ["dept_id": 1]).errcode == 40014)
        let usual = try DingTalk()
        #expect(await usual.ask("GET", detail).status == 400)
    }

    @Test("the token belongs into the header of the new and into the query of the old generation")
    func placement() async throws {
        let ding = try DingTalk()
        let token = await ding.token()
        let inQuery = await ding.ask(
            "GET", "/v1.0/workflow/processInstances?processInstanceId=x&access_token=\(token)")
        #expect(inQuery.code == "InvalidAuthentication")
        let inHeader = await ding.ask(
            "POST", "/topapi/v2/user/get", ["userid": "user001"],
            headers: [("Content-Type", "application/json"), ("x-acs-dingtalk-access-token", token)])
        #expect(inHeader.errcode == 41001)
    }

    @Test("asking for tokens all the time is refused by the minute")
    func tokenLimit() async throws {
        let ding = try DingTalk(["calls_per_second": "1000"])
        for _ in 0..<60 { #expect(await ding.token() != "") }
        let refused = await ding.ask("GET", "/gettoken?appkey=\(DingTalk.key)&appsecret=\(DingTalk.secret)")
        #expect(refused.json["sub_code"]?.string == "90006")
        let new = await ding.ask(
            "POST", "/v1.0/oauth2/accessToken",
            ["appKey": .string(DingTalk.key), "appSecret": .string(DingTalk.secret)])
        #expect(new.status == 403)
        #expect(new.code == "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi")
        ding.clock.advance(milliseconds: 60_000)
        #expect(await ding.token() != "")
    }
}

@Suite("DingTalk: limits, permissions and unknown interfaces")
struct DingTalkLimitTests {
    @Test("the 21st call of a second to one interface is refused, another interface is not")
    func perSecond() async throws {
        let ding = try DingTalk()
        let token = await ding.token()
        func detail() async -> Answer {
            await ding.ask(
                "GET", "/v1.0/workflow/processInstances?processInstanceId=x",
                headers: [("x-acs-dingtalk-access-token", token)])
        }
        for _ in 0..<20 { #expect(await detail().code == "processInstanceNotExist") }
        let refused = await detail()
        #expect(refused.status == 403)
        #expect(refused.code == "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi")
        #expect(
            await ding.ask("POST", "/topapi/v2/user/get?access_token=\(token)", ["userid": "user001"]).errcode == 0)
        ding.clock.advance(milliseconds: 999)
        #expect(await detail().status == 403)
        ding.clock.advance(milliseconds: 1)
        #expect(await detail().status == 400)

        for _ in 0..<20 {
            _ = await ding.ask("POST", "/topapi/user/listid?access_token=\(token)", ["dept_id": 1])
        }
        let old = await ding.ask("POST", "/topapi/user/listid?access_token=\(token)", ["dept_id": 1])
        #expect(old.status == 200)
        #expect(old.errcode == 88)
        #expect(old.json["sub_code"]?.string == "90018")
    }

    @Test("the month's calls end; tokens, people and throttled calls are not counted; the next month in Beijing is new")
    func monthly() async throws {
        let ding = try DingTalk(["monthly_calls": "3", "calls_per_second": "2"])
        let detail = "/v1.0/workflow/processInstances?processInstanceId=x"
        let token = await ding.token()
        func ask() async -> Answer {
            await ding.ask("GET", detail, headers: [("x-acs-dingtalk-access-token", token)])
        }
        _ = await ask()
        _ = await ask()
        #expect(await ask().code == "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi")
        ding.clock.advance(milliseconds: 1_000)
        _ = await ding.ask("POST", "/topapi/v2/user/get?access_token=\(token)", ["userid": "user001"])
        #expect(await ask().code == "processInstanceNotExist")
        let spent = await ask()
        #expect(spent.status == 403)
        #expect(spent.code == "Forbidden.AccessDenied.ApiCountLimitForOrg")
        let old = await ding.ask(
            "POST", "/topapi/message/corpconversation/getsendresult?access_token=\(token)", ["task_id": 1])
        #expect(old.json["sub_code"]?.string == "90020")
        #expect(await ding.simulator.books()["quota"]?["calls"]?.int == 3)
        ding.clock.advance(milliseconds: 32 * 86_400_000)
        #expect(await ding.new("GET", detail).code == "processInstanceNotExist")
    }

    @Test("a permission taken away is named, in each generation's way")
    func permission() async throws {
        let ding = try DingTalk()
        _ = await ding.control("/_sim/scopes", ["remove": ["Workflow.Instance.Read", "qyapi_get_member"]])
        let refused = await ding.new("GET", "/v1.0/workflow/processInstances?processInstanceId=x")
        #expect(refused.status == 403)
        #expect(refused.code == "Forbidden.AccessDenied.AccessTokenPermissionDenied")
        #expect(refused.json["accessdenieddetail"]?["requiredScopes"] == ["Workflow.Instance.Read"])
        let old = await ding.old("/topapi/v2/user/get", ["userid": "user001"])
        #expect(old.errcode == 88)
        #expect(old.json["sub_code"]?.string == "60011")
        _ = await ding.control("/_sim/scopes", ["grant": ["qyapi_get_member"], "remove": ["fieldMobile"]])
        let user = await ding.old("/topapi/v2/user/get", ["userid": "user001"]).json["result"]
        #expect(user?["name"]?.string == "张三")
        #expect(user?["mobile"] == nil)
    }

    @Test("an unknown interface is 404 in the new and errcode 22 in the old generation")
    func unknown() async throws {
        let ding = try DingTalk()
        #expect(await ding.new("GET", "/v1.0/nothing").status == 404)
        #expect(await ding.new("GET", "/v1.0/workflow/processInstances/comments").status == 404)
        let old = await ding.old("/topapi/nothing", [:])
        #expect(old.status == 200)
        #expect(old.errcode == 22)
    }

    @Test("faults come in the vendor's own shapes")
    func faults() async throws {
        let ding = try DingTalk()
        try await withServer(ding.simulator) { (server, client) async throws in
            let token = await ding.token()
            func detail() async throws -> Answer {
                try await client.ask(
                    "GET", "/v1.0/workflow/processInstances?processInstanceId=x",
                    headers: ["x-acs-dingtalk-access-token": token])
            }
            func user() async throws -> Answer {
                try await client.ask("POST", "/topapi/v2/user/get?access_token=\(token)", ["userid": "user001"])
            }
            server.faults.add(Fault(match: "approval.*", kind: .rateLimit, times: 1))
            #expect(try await detail().code == "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi")
            server.faults.add(Fault(match: "contact.user", kind: .rateLimit, times: 1))
            #expect(try await user().json["sub_code"]?.string == "90018")
            server.faults.add(Fault(match: "*", kind: .http500, times: 2))
            let failed = try await detail()
            #expect(failed.status == 500)
            #expect(failed.code == "systemError")
            #expect(try await user().errcode == -1)
            server.faults.add(Fault(kind: .vendor("ipBan"), times: 1))
            #expect(try await detail().headers["content-type"]?.hasPrefix("text/html") == true)
            server.faults.add(Fault(kind: .vendor("punish"), times: 1))
            #expect(try await user().json["status"]?.int == 1111)
            server.faults.add(Fault(kind: .vendor("quota"), times: 1))
            #expect(try await user().json["sub_code"]?.string == "90020")
            let errors: [(String, Int, String?)] = [
                ("IpNotInWhiteList", 400, "IpNotInWhiteList"), ("ServiceUnavailable", 503, "ServiceUnavailable"),
                ("Forbidden.AccessDenied.QpsLimitForApi", 403, "Forbidden.AccessDenied.QpsLimitForApi"),
                ("server.error", 500, "server.error"),
            ]
            for (code, status, shown) in errors {
                server.faults.add(Fault(kind: .vendor("error:\(code)"), times: 1))
                let answer = try await detail()
                #expect(answer.status == status)
                #expect(answer.code == shown)
            }
            server.faults.add(Fault(kind: .vendor("error:90002"), times: 1))
            #expect(try await user().errcode == 90002)
            server.faults.add(Fault(kind: .vendor("error:88/60020"), times: 1))
            #expect(try await user().json["sub_code"] == "60020")
            server.faults.add(Fault(match: "robot.send", kind: .rateLimit, times: 1))
            #expect(try await client.ask("POST", "/robot/send?access_token=x", [:]).errcode == 410_100)
            server.faults.add(Fault(match: "contact.user", kind: .expireTokens, times: 1))
            #expect(try await user().errcode == 42001)
        }
    }

    private static let newCodes = [
        "InvalidAuthentication", "systemError", "system.error", "server.error", "ServiceUnavailable", "unknown.error",
        "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi",
        "Forbidden.AccessDenied.QpsLimitForApi", "Forbidden.AccessDenied.ApiCountLimitForOrg",
        "Forbidden.AccessDenied.AccessTokenPermissionDenied", "request.too.frequent", "toomuch.msg",
        "daily.call.limit", "ding.serverquota.insufficient", "invalidClientIdOrSecret", "invalid.client",
        "IpNotInWhiteList", "needAuth", "invalidParameter", "invalidParameter.robotCode.auth", "group.disbanded",
        "bot.stopped", "processInstanceIdError", "formConverterError",
    ]
    private static let oldCodes = [
        "-1", "40014", "42001", "40001", "41001", "90002", "90005", "90006", "90007", "90008", "90014", "90018",
        "45009", "90020", "410100", "40089", "40078", "40096", "60011", "60020", "50002", "310000", "400101",
        "400102", "400105", "400106", "400013", "430101", "430102", "430103", "430104", "400002", "40035", "33012",
        "60003", "60121", "43004", "22",
    ]

    @Test("every code the vendor lists can be had, in the shape of its generation")
    func codes() async throws {
        let ding = try DingTalk()
        func answer(_ code: String, _ target: String) async throws -> Answer {
            let request = SimRequest(method: target.contains("/topapi/") ? "POST" : "GET", target: target)
            let response = try #require(await ding.simulator.answer(to: .vendor("error:\(code)"), request))
            return Answer(status: response.status, bytes: response.body, headers: [:])
        }
        for code in Self.newCodes {
            let refused = try await answer(code, "/v1.0/workflow/processInstances")
            #expect((400..<600).contains(refused.status))
            #expect(refused.code == code)
            #expect(refused.json["requestid"]?.string?.isEmpty == false)
        }
        for code in Self.oldCodes {
            let plain = try await answer(code, "/topapi/v2/user/get")
            #expect(plain.status == 200)
            #expect(plain.errcode == Int(code))
            let wrapped = try await answer("88/\(code)", "/topapi/v2/user/get")
            #expect(wrapped.status == 200)
            #expect(wrapped.errcode == 88)
            #expect(wrapped.json["sub_code"]?.string == code)
        }
    }

    @Test("a setting that cannot be read stops the simulator before it starts")
    func settings() {
        for setting in [
            ["calls_per_second": "many"], ["qps": "20"], ["auth_status": "500"], ["approvals": "3", "rejected": "4"],
            ["approvals": "1", "templates": "holiday"], ["approvals": "x"],
        ] {
            #expect(throws: SimulatorOptionError.self) { try DingTalk(setting) }
        }
    }
}
