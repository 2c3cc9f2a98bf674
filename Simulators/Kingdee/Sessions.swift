import SimulatorKit

/// How a session came to be: an integration user (signed headers, LoginBySign, LoginByAppSecret) or a person
/// (ValidateUser).
enum LoginMode: String, Sendable {
    case signedHeaders
    case sign
    case appSecret
    case password
}

struct Session: Sendable {
    let id: String
    let aspID: String
    let user: String
    let mode: LoginMode
    var lastUsed: Int64
}

/// The server's sessions: each login makes one, twenty idle minutes end it.
struct Sessions: Sendable {
    private(set) var open: [String: Session] = [:]
    /// Logins that succeeded so far, per mode.
    private(set) var logins: [LoginMode: Int] = [:]
    private(set) var refusedLogins = 0
    /// Contexts that stood open at once: a client that logs in before every call shows here.
    private(set) var mostOpen = 0
    private(set) var loginsInFlight: [String: Int] = [:]
    private(set) var mostLoginsInFlight = 0
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// The live session of the id, its life renewed; nil when there is none or it has idled too long.
    mutating func use(_ id: String, at now: Int64, life seconds: Int) -> Session? {
        guard var session = open[id] else { return nil }
        guard now - session.lastUsed < Int64(seconds) * 1000 else {
            open[id] = nil
            return nil
        }
        session.lastUsed = now
        open[id] = session
        return session
    }

    mutating func begin(user: String, mode: LoginMode, at now: Int64, kickOld: Bool) -> Session {
        if kickOld { open = open.filter { $0.value.user != user } }
        if open.count >= Limits.keptSessions {
            open = open.filter { now - $0.value.lastUsed < Int64(Limits.sessionSeconds) * 1000 }
        }
        let session = Session(
            id: Self.uuid(random.hex(32)), aspID: random.hex(24), user: user, mode: mode, lastUsed: now)
        open[session.id] = session
        mostOpen = max(mostOpen, open.count)
        logins[mode, default: 0] += 1
        return session
    }

    mutating func end(_ id: String) -> Bool { open.removeValue(forKey: id) != nil }

    mutating func endAll() { open.removeAll() }

    mutating func refused() { refusedLogins += 1 }

    /// Marks a login as under way; false when one of this user already is and that is not allowed.
    mutating func enterLogin(_ user: String, alone: Bool) -> Bool {
        let running = loginsInFlight[user, default: 0]
        if alone, running > 0 { return false }
        loginsInFlight[user] = running + 1
        mostLoginsInFlight = max(mostLoginsInFlight, running + 1)
        return true
    }

    mutating func leaveLogin(_ user: String) {
        loginsInFlight[user, default: 1] -= 1
        if loginsInFlight[user] == 0 { loginsInFlight[user] = nil }
    }

    private static func uuid(_ hex: String) -> String {
        let digits = Array(hex)
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }

    var json: SimJSON {
        [
            "open": SimJSON(open.count), "most_open": SimJSON(mostOpen), "logins": SimJSON(logins.values.reduce(0, +)),
            "by_mode": .object(
                logins.reduce(into: SimObject()) { $0[$1.key.rawValue] = SimJSON($1.value) }),
            "refused": SimJSON(refusedLogins), "most_in_flight": SimJSON(mostLoginsInFlight),
        ]
    }
}

/// Who a call acts for.
struct Caller: Sendable {
    let session: Session
    /// A session this call opened, whose cookies go back with the answer.
    let isNew: Bool
}

/// Why a call is not let in.
enum Rejection: Error, Sendable {
    /// The ERP's own answer, in the call's answer shape.
    case refusal(Refusal)
    /// The gateway's or the web server's answer.
    case http(status: Int, text: String)
}

extension Galaxy {
    /// Finds or opens the session of a call. A live session is enough: the signatures are not looked at then.
    mutating func admit(_ request: SimRequest, at now: Int64) throws(Rejection) -> Caller {
        if let id = Self.sessionID(of: request),
            let session = sessions.use(id, at: now, life: options.sessionSeconds)
        {
            return Caller(session: session, isNew: false)
        }
        guard let appKey = request.header("x-kd-appkey") else {
            if options.gateway, request.header("x-api-signature") != nil {
                try checkGateway(request)
            }
            throw .refusal(.contextLost)
        }
        if options.gateway { try checkGateway(request) }
        guard let encoded = request.header("x-kd-appdata"), let bytes = Digest.decodeBase64(encoded),
            let appData = String(validating: bytes, as: UTF8.self)
        else { throw .refusal(.notAuthorized) }
        let parts = appData.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4 else { throw .refusal(.notAuthorized) }
        guard parts[0] == credentials.accountID else { throw .http(status: 500, text: Self.noDataCentre) }
        guard appKey == credentials.appID,
            request.header("x-kd-signature") == credentials.applicationSignature(appData: appData)
        else {
            sessions.refused()
            throw .refusal(.notAuthorized)
        }
        if parts[1] == credentials.administrator { throw .refusal(.administrator) }
        guard parts[1] == credentials.user, Int(parts[2]) != nil, Int(parts[3]) != nil else {
            sessions.refused()
            throw .refusal(.notAuthorized)
        }
        let session = sessions.begin(
            user: parts[1], mode: .signedHeaders, at: now, kickOld: options.kickOldSession)
        return Caller(session: session, isNew: true)
    }

    static let noDataCentre = "数据中心不存在或未启用"

    private func checkGateway(_ request: SimRequest) throws(Rejection) {
        let timestamp = request.header("x-api-timestamp") ?? ""
        let nonce = request.header("x-api-nonce") ?? ""
        let signed = (request.header("x-api-signheaders") ?? "").lowercased().filter { $0 != " " }
        guard request.header("x-api-clientid") == credentials.clientID,
            request.header("x-api-auth-version") == "2.0",
            signed == "x-api-timestamp,x-api-nonce",
            timestamp.utf8.count == 10 || timestamp.utf8.count == 13,
            timestamp.utf8.allSatisfy({ (48...57).contains($0) }),
            !nonce.isEmpty,
            request.header("x-api-signature")
                == credentials.gatewaySignature(path: request.path, nonce: nonce, timestamp: timestamp)
        else {
            throw .http(
                status: 401, text: #"{"errcode":401,"description_cn":"签名校验失败","description":"Invalid signature"}"#)
        }
    }

    static func sessionID(of request: SimRequest) -> String? {
        for header in request.headers where header.name.lowercased() == "cookie" {
            for pair in header.value.split(separator: ";") {
                let parts = pair.split(separator: "=", maxSplits: 1)
                if parts.count == 2, parts[0].trimmingBlanks.lowercased() == "kdservice-sessionid" {
                    return parts[1].trimmingBlanks
                }
            }
        }
        return request.header("kdservice-sessionid")
    }

    /// Answers one of the login operations. HTTP is 200 for every LoginResultType; only an unknown data centre is not.
    mutating func login(_ operation: String, _ arguments: Arguments, at now: Int64) -> (Reply, Session?) {
        let account = arguments.text("acctid", at: 0) ?? ""
        let user = arguments.text("username", at: 1) ?? ""
        guard account == credentials.accountID else {
            sessions.refused()
            return (.text(Self.noDataCentre, status: 500), nil)
        }
        let mode: LoginMode
        let failure: (type: Int, message: String)?
        switch operation {
        case "validateuser":
            mode = .password
            let known =
                user == credentials.user || user == credentials.administrator
                ? credentials.password : credentials.persons[user]
            failure = known != nil && known == arguments.text("password", at: 2) ? nil : (0, "用户名或密码错误")
        case "loginbyappsecret":
            mode = .appSecret
            failure =
                arguments.text("appid", at: 2) == credentials.appID
                    && arguments.text("appsecret", at: 3) == credentials.appSecret
                ? nil : (-1, "应用ID或应用密钥错误")
        case "loginbysign":
            mode = .sign
            let timestamp = arguments.text("timestamp", at: 3) ?? ""
            let expected = credentials.loginSignature(user: user, timestamp: timestamp, sha1: options.sha1Only)
            failure =
                arguments.text("appid", at: 2) == credentials.appID && Int64(timestamp) != nil
                    && arguments.text("sign", at: 4) == expected
                ? nil : (-1, "签名校验失败")
        default: return (.text("response_error:找不到服务 \(operation)", status: 200), nil)
        }
        if let failure {
            sessions.refused()
            return (.json(loginAnswer(type: failure.type, message: failure.message, session: nil)), nil)
        }
        if mode != .password, user != credentials.user {
            sessions.refused()
            return (.json(loginAnswer(type: -1, message: "用户未在第三方系统登录授权的用户列表中", session: nil)), nil)
        }
        let result = loginResults[user] ?? 1
        guard result == 1 || result == -5 else {
            sessions.refused()
            return (.json(loginAnswer(type: result, message: Self.loginMessage(result), session: nil)), nil)
        }
        let session = sessions.begin(user: user, mode: mode, at: now, kickOld: options.kickOldSession)
        let message = result == 1 ? nil : Self.loginMessage(result)
        return (.json(loginAnswer(type: result, message: message, session: session)), session)
    }

    static func loginMessage(_ type: Int) -> String {
        switch type {
        case 0: "用户名或密码错误"
        case -2: "密码验证不符合策略，建议修改密码"
        case -3: "密码验证不符合策略，必须修改密码"
        case -4: "登录警告"
        case -5: "需要打开表单处理"
        case -6: "云通行证未绑定"
        case -7: "产品未激活"
        default: "登录失败"
        }
    }

    private func loginAnswer(type: Int, message: String?, session: Session?) -> SimJSON {
        let context: SimJSON =
            session.map {
                [
                    "UserLocale": "zh-CN", "LogLocale": "zh-CN", "DBid": .string(credentials.accountID),
                    "UserId": 100_008,
                    "UserName": .string($0.user), "SessionId": .string($0.aspID),
                    "CurrentOrganizationInfo": ["ID": 1, "AcctOrgType": "1", "Name": "示例科技", "FunctionIds": []],
                    "DataCenterName": "示例科技", "UserToken": .string($0.id), "ClientType": 32,
                ]
            } ?? .null
        return [
            "Message": SimJSON(message), "MessageCode": type == 1 ? "CheckPasswordPolicy" : "LoginFailed",
            "LoginResultType": SimJSON(type), "Context": context,
            "KDSVCSessionId": SimJSON(session?.id), "FormId": nil, "RedirectFormParam": nil,
            "FormInputObject": nil, "ErrorStackTrace": nil, "Lcid": 0, "AccessToken": nil, "KdAccessResult": nil,
            "IsSuccessByAPI": .bool(session != nil),
        ]
    }
}

extension Substring {
    /// Without blanks at both ends.
    var trimmingBlanks: String {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

extension String {
    var trimmingBlanks: String { self[...].trimmingBlanks }
}
