import Kingdee
import PluginKit
import PluginKitTesting
import Testing
import Values

@Suite struct AuthenticationTests {
    @Test func theSignedHeadersAreTheVendorsOwn() throws {
        let galaxy = FakeGalaxy()
        let host = Sample.host(galaxy)
        let connection = try Sample.connection(host)
        _ = try connection.write("voucher", [FakeRecord(key: "k", Sample.voucher)])
        let request = try #require(host.requests.last)
        #expect(
            request.url == "http://erp.example.test/k3cloud/"
                + "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save.common.kdsvc")
        #expect(request.header("X-Api-ClientID") == "268001")
        #expect(request.header("X-Api-Auth-Version") == "2.0")
        #expect(request.header("x-api-timestamp") == "1767225600")
        #expect(request.header("x-api-nonce") == "1767225600")
        #expect(request.header("x-api-signheaders") == "x-api-timestamp,x-api-nonce")
        #expect(
            request.header("X-Api-Signature")
                == "NDE1M2ZkZmJlYzNmZTNiN2I3MDJhN2E3YTA5N2RhN2YwMDFjNzhkODAwMTBkMjM1OTRmMGNlZGE2NmM0MWY1Yw==")
        #expect(request.header("X-Kd-Appkey") == Sample.appID)
        #expect(request.header("X-Kd-Appdata") == "NjZmMGExYjJjM2Q0ZTUsQ29ubmVjdG9yLDIwNTIsMTAw")
        #expect(
            request.header("X-Kd-Signature")
                == "ZjhiNGQyNGY1YWQ2MGYyODUwNzg4ZTMyMzY3ODJmYzVkMjAyNWE0OGM5ZDNmNDgwMjJhMjlmYWE5ZjQxNzA5Mg==")
        #expect(request.http11Only)
        #expect(request.session == "galaxy")
    }

    @Test func theConnectorNeverWritesASecretItself() throws {
        for auth in ["signed-headers", "login-by-sign", "login-by-app-secret"] {
            let host = Sample.host(FakeGalaxy())
            let connection = try Sample.connection(host, ["auth": .string(auth)])
            _ = try connection.write("voucher", [FakeRecord(key: "k", Sample.voucher)])
            for request in host.requests {
                #expect(!request.literal.contains(Sample.appSecret))
                #expect(!request.literal.contains("TtMxQzDFyPq91dYJ45wX78zK2uDb6CxF"))
                #expect(!request.literal.contains("fuMEd1b28c3e4+Q6168g167644O630h2"))
            }
        }
    }

    @Test(arguments: [
        ("sha256", "718814858b76bc2d30a101703824acdd3097eb676dba7e91abae6f061096c841"),
        ("sha1", "b655e0f84e966db4f9c98b9b7fc76523719477ae"),
    ])
    func theLogInsSignatureIsTheVendorsOwn(_ digest: String, _ sign: String) throws {
        let host = Sample.host(FakeGalaxy())
        let connection = try Sample.connection(host, ["auth": "login-by-sign", "digest": .string(digest)])
        _ = try connection.find("voucher", key: "k")
        let login = try #require(host.requests.first)
        #expect(login.path.hasSuffix("AuthService.LoginBySign.common.kdsvc"))
        #expect(login.effect == .auth)
        #expect(
            login.json
                == [
                    "acctID": "66f0a1b2c3d4e5", "username": "Connector", "appId": .string(Sample.appID),
                    "timestamp": 1_767_225_600, "sign": .string(sign), "lcid": 2052,
                ])
        let query = try #require(host.requests.last)
        #expect(query.header("kdservice-sessionid") == "session-1")
        #expect(query.cookies["kdservice-sessionid"] == "session-1")
        #expect(query.header("X-Kd-Appkey") == nil)
    }

    @Test func anAppIDThatHidesNoGatewaySecretIsSignedWithAnEmptyOne() throws {
        let galaxy = FakeGalaxy()
        let host = FakeHost(
            secrets: ["app_id": "268001_short", "app_secret": Sample.appSecret], now: 1_767_225_600_000
        ) { galaxy.answer($0) }
        #expect(try Sample.connection(host).find("voucher", key: "k").isEmpty)
        #expect(
            host.requests.last?.header("X-Api-Signature")
                == "ODc3M2JmNmI2OGJjZDc1Zjk3ZjM0MWZkY2U5Y2ExNDgxNzY1ZjkzOTAzYjNlYjA1NzEzODE5MzNlNzcyODk2Mg==")
    }

    @Test func anAppIDThatIsNotThereIsRefusedByTheHost() throws {
        let host = FakeHost(secrets: ["app_secret": Sample.appSecret]) { _ in .text("") }
        let failure = #expect(throws: Failure.self) { try Sample.connection(host).find("voucher", key: "k") }
        #expect(failure?.kind == .authDenied)
        #expect(host.requests.isEmpty)
    }

    @Test(arguments: [("0", "用户名或密码错误"), ("-1", "登录失败"), ("-3", "必须修改密码"), ("-7", "未激活")])
    func aRefusedLogInIsNotRepeated(_ type: String, _ message: String) throws {
        let galaxy = FakeGalaxy()
        galaxy.fault(
            "LoginBySign",
            .instead(.json(["LoginResultType": .number(JSONNumber(type)!), "Message": .string(message)])))
        let host = Sample.host(galaxy)
        let connection = try Sample.connection(host, ["auth": "login-by-sign"])
        let failure = #expect(throws: Failure.self) { try connection.find("voucher", key: "k") }
        #expect(failure?.kind == .authDenied)
        #expect(failure?.vendorCode == type)
        #expect(failure?.messages.last?.text == message)
        #expect(throws: Failure.self) { try connection.find("voucher", key: "k") }
        #expect(galaxy.history == ["LoginBySign"])
    }

    @Test(arguments: [-4, -5]) func aWarningWithoutASessionIsARefusal(_ type: Int64) throws {
        let galaxy = FakeGalaxy()
        galaxy.fault(
            "LoginBySign",
            .instead(.json(["LoginResultType": .number(JSONNumber(type)), "KDSVCSessionId": nil, "Message": "警告"])))
        let connection = try Sample.connection(Sample.host(galaxy), ["auth": "login-by-sign"])
        let failure = #expect(throws: Failure.self) { try connection.find("voucher", key: "k") }
        #expect(failure?.kind == .authDenied)
        #expect(failure?.messages.last?.text == "警告")
    }

    @Test func aLogInThatWantsAFormIsGood() throws {
        let galaxy = FakeGalaxy()
        galaxy.fault("LoginBySign", .instead(.json(["LoginResultType": -5, "KDSVCSessionId": "s"])))
        let connection = try Sample.connection(Sample.host(galaxy), ["auth": "login-by-sign"])
        #expect(try connection.find("voucher", key: "k").isEmpty)
    }

    @Test(arguments: ["login-by-sign", "login-by-app-secret"])
    func aLostSessionIsRenewedOnceAndTheCallRepeatedOnce(_ auth: String) throws {
        let galaxy = FakeGalaxy()
        let connection = try Sample.connection(Sample.host(galaxy), ["auth": .string(auth)])
        _ = try connection.find("voucher", key: "k")
        galaxy.forget()
        galaxy.fault("Save", .instead(FakeGalaxy.bad(1, "会话信息已丢失，请重新登录")))
        let outcome = try connection.write("voucher", [FakeRecord(key: "k", Sample.voucher)])[0]
        #expect(outcome.applied != nil)
        let login = auth == "login-by-sign" ? "LoginBySign" : "LoginByAppSecret"
        #expect(galaxy.history == ["ExecuteBillQuery", "Save", login, "Save"])
        #expect(galaxy.books.count == 1)
    }

    @Test(arguments: [
        FakeAnswer.text("ctx == null"), FakeGalaxy.badQuery("1", "会话信息已丢失"), FakeGalaxy.badQuery(0, "未登录"),
    ])
    func everyWayOfSayingSoIsUnderstood(_ answer: FakeAnswer) throws {
        let galaxy = FakeGalaxy()
        galaxy.fault("ExecuteBillQuery", .instead(answer))
        let connection = try Sample.connection(Sample.host(galaxy), ["auth": "login-by-sign"])
        #expect(try connection.find("voucher", key: "k").isEmpty)
        #expect(galaxy.history == ["LoginBySign", "ExecuteBillQuery", "LoginBySign", "ExecuteBillQuery"])
    }

    @Test func aSessionLostTwiceIsReported() throws {
        let galaxy = FakeGalaxy()
        let lost = FakeGalaxy.badQuery(1, "会话信息已丢失")
        galaxy.fault("ExecuteBillQuery", .instead(lost), .instead(lost))
        let connection = try Sample.connection(Sample.host(galaxy), ["auth": "login-by-sign"])
        let failure = #expect(throws: Failure.self) { try connection.find("voucher", key: "k") }
        #expect(failure?.kind == .authExpired)
        #expect(galaxy.history.count == 4)
    }

    @Test func sixteenThreadsWhoseSessionIsGoneCostOneLogIn() throws {
        let galaxy = FakeGalaxy()
        let barrier = Barrier(16)
        let host = FakeHost(secrets: ["app_id": Sample.appID, "app_secret": Sample.appSecret]) { request in
            if FakeGalaxy.operation(of: request) == "ExecuteBillQuery", barrier.enter() {
                return FakeGalaxy.badQuery(1, "会话信息已丢失")
            }
            return galaxy.answer(request)
        }
        let connection = try Sample.connection(host, ["auth": "login-by-sign"])
        let failures = onThreads(16) { _ = try connection.find("voucher", key: "k") }
        #expect(failures == 0)
        // One for all at the beginning, and one for all after the vendor forgot the session.
        #expect(host.logInCount == 2)
        #expect(galaxy.history.filter { $0 == "LoginBySign" }.count == 2)
    }

    @Test func olderServersGetTheirDataAsAText() throws {
        let host = Sample.host(FakeGalaxy())
        let connection = try Sample.connection(host, ["data_as_string": true])
        _ = try connection.write("voucher", [FakeRecord(key: "k", Sample.voucher)])
        let data = try #require(host.requests.last?.json?["data"]?.string)
        #expect(try JSON.parse(data)["Model"]?["FDate"] == "2026-01-15")
    }
}

/// Holds the first callers back until all of them are inside.
final class Barrier: @unchecked Sendable {
    private let monitor = Monitor()
    private let size: Int
    private var inside = 0

    init(_ size: Int) { self.size = size }

    /// True for one of the first callers, once all of them have come; false at once for later ones.
    func enter() -> Bool {
        monitor.locked {
            guard inside < size else { return false }
            inside += 1
            monitor.broadcast()
            while inside < size { monitor.wait() }
            return true
        }
    }
}
