import PluginKit
import Values

/// Sends operations, in whichever way the connection authenticates.
struct Client: Sendable {
    let settings: Settings
    private static let sessionName = "galaxy"
    private static let form = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService."
    private static let auth = "Kingdee.BOS.WebApi.ServicesStub.AuthService."
    private static let suffix = ".common.kdsvc"
    /// The vendor's SDK hides the gateway's secret in the second half of the application's id.
    private static let gatewaySecret = SecretExpression("app_id").after("_").requireLength(32).base64Decoded
        .xor(text: "0054f397c6234378b09ca7d3e5debce7").base64

    /// Calls an operation of a form. `formid` stands beside the data except where the data name the form.
    /// `locate` turns a refused field and its message into a JSON pointer.
    func operate(
        _ operation: String, form: String?, _ data: JSON, _ kind: AnswerReader.Kind, _ call: Call,
        locate: (_ field: String, _ message: String) -> String = { _, _ in "" }
    ) throws(Failure) -> JSON {
        var body: JSONObject = [:]
        if let form { body["formid"] = .string(form) }
        body["data"] = settings.dataAsString ? .string(data.text) : data
        let bytes = JSON.object(body)
        let path = settings.basePath + Self.form + operation + Self.suffix
        return try call.withSession(Self.sessionName, principal: settings.principal) { () throws(Failure) in
            try logIn(call)
        } body: { session throws(Failure) in
            var request = HTTPRequest(
                "POST", TemplateBytes(settings.base + Self.form + operation + Self.suffix),
                effect: kind == .write ? .write : .read)
            try authenticate(&request, path: path, session: session, call)
            request.json(.value(bytes))
            common(&request)
            return try AnswerReader(settings: settings).read(try call.http.send(request), kind, locate)
        }
    }

    private func common(_ request: inout HTTPRequest) {
        request.header("Accept-Charset", "utf-8")
        request.http11Only = true
        request.session = Self.sessionName
    }

    // MARK: - Signed headers

    private func authenticate(
        _ request: inout HTTPRequest, path: String, session: [UInt8], _ call: Call
    ) throws(Failure) {
        guard settings.authentication == .signedHeaders else {
            request.header("kdservice-sessionid", TemplateBytes(session))
            return
        }
        let seconds = String(try call.now() / 1000)
        let signed = "POST\n\(Percent.encode(path))\n\nx-api-nonce:\(seconds)\nx-api-timestamp:\(seconds)\n"
        let appData = "\(settings.accountSet),\(settings.user),\(settings.language),\(settings.organisation)"
        request.header("X-Api-ClientID", "\(secret: SecretExpression("app_id").before("_"))")
        request.header("X-Api-Auth-Version", "2.0")
        request.header("x-api-timestamp", TemplateBytes(seconds))
        request.header("x-api-nonce", TemplateBytes(seconds))
        request.header("x-api-signheaders", "x-api-timestamp,x-api-nonce")
        request.header("X-Api-Signature", TemplateBytes(try gatewaySignature(signed, call)))
        request.header("X-Kd-Appkey", "\(secret: "app_id")")
        request.header("X-Kd-Appdata", TemplateBytes(Base64.encode(Array(appData.utf8))))
        request.header(
            "X-Kd-Signature",
            TemplateBytes(try signature(.secret("app_secret"), [.secret("app_id"), .text(appData)], call)))
    }

    /// An application's id whose second half is not 32 characters hides no secret: the vendor's SDK then signs with an
    /// empty one, which a server without a gateway never looks at [SDK].
    private func gatewaySignature(_ signed: String, _ call: Call) throws(Failure) -> String {
        do {
            return try signature(.secret(Self.gatewaySecret), [.text(signed)], call)
        } catch {
            guard [.authDenied, .denied].contains(error.kind) else { throw error }
            return try signature(.text(""), [.text(signed)], call)
        }
    }

    /// base64 of the 64 hexadecimal characters, not of the 32 bytes [SDK].
    private func signature(_ key: Segment, _ message: [Segment], _ call: Call) throws(Failure) -> String {
        Base64.encode(Array(Hex.encode(try call.crypto.hmac(.sha256, key: key, message)).utf8))
    }

    // MARK: - Log-ins

    private func logIn(_ call: Call) throws(Failure) -> Session.Login {
        let operation: String
        let body: JSONTemplate
        switch settings.authentication {
        case .signedHeaders:
            // The server opens a session by itself and hands its cookie to the jar; what is shared is the jar.
            return Session.Login(
                value: Array("signed".utf8), lifetimeMilliseconds: Limits.sessionMilliseconds)
        case .loginBySign:
            operation = "LoginBySign"
            let seconds = try call.now() / 1000
            let parts: [Segment] = [
                .text(settings.accountSet), .text(settings.user), .secret("app_id"), .secret("app_secret"),
                .text(String(seconds)),
            ]
            let sign = Hex.encode(try call.crypto.digest(settings.digest, parts, sorted: true))
            body = .object([
                .init("acctID", .string(settings.accountSet)), .init("username", .string(settings.user)),
                .init("appId", .secret("app_id")), .init("timestamp", .number(JSONNumber(seconds))),
                .init("sign", .string(sign)), .init("lcid", .number(JSONNumber(settings.language))),
            ])
        case .loginByAppSecret:
            operation = "LoginByAppSecret"
            body = .object([
                .init("acctID", .string(settings.accountSet)), .init("username", .string(settings.user)),
                .init("appId", .secret("app_id")), .init("appSecret", .secret("app_secret")),
                .init("lcid", .number(JSONNumber(settings.language))),
            ])
        }
        var request = HTTPRequest(
            "POST", TemplateBytes(settings.base + Self.auth + operation + Self.suffix), effect: .auth)
        request.json(body)
        common(&request)
        let answer = try AnswerReader(settings: settings).read(try call.http.send(request), .read)
        return Session.Login(
            value: Array(try session(in: answer).utf8), lifetimeMilliseconds: Limits.sessionMilliseconds)
    }

    /// LoginResultType [DOC]: 1 good; -4 a warning and -5 a form to fill in, both with a session; the rest are
    /// refusals an operator must look at.
    private func session(in answer: JSON) throws(Failure) -> String {
        let type = AnswerReader.text(answer["LoginResultType"])
        let session = AnswerReader.text(answer["KDSVCSessionId"])
        switch type {
        case "1":
            guard !session.isEmpty else {
                throw Failure(.schemaDrift, zh: "登录成功却没有会话号", en: "logged in, but no session id came")
            }
            return session
        case "-4" where !session.isEmpty, "-5" where !session.isEmpty: return session
        case "":
            throw Failure(.schemaDrift, zh: "登录应答没有 LoginResultType", en: "no LoginResultType in the log-in's answer")
        default:
            let (zh, en) = Self.refusedLogIn(type)
            var failure = Failure(.authDenied, zh: "登录被拒绝：\(zh)", en: "the log-in was refused: \(en)", vendorCode: type)
            let message = AnswerReader.text(answer["Message"])
            if !message.isEmpty { failure.messages.append(Failure.Message(message, .vendor, vendorCode: type)) }
            throw failure
        }
    }

    private static func refusedLogIn(_ type: String) -> (zh: String, en: String) {
        switch type {
        case "0", "-1":
            (
                "请核对 user、app_id、app_secret，以及该用户是否在第三方登录授权的名单里",
                "check user, app_id, app_secret, and that the user is on the authorisation's list"
            )
        case "-2", "-3": ("密码不符合策略，请先在 ERP 中修改", "the password breaks the policy: change it in the ERP")
        case "-5": ("该用户登录时要先填写表单，请先在 ERP 中登录一次", "the user must fill in a form first: log in to the ERP once")
        case "-6": ("未绑定云账号，请先在 ERP 中绑定", "no cloud account is bound: bind one in the ERP")
        case "-7": ("产品未激活，请先激活", "the product is not activated: activate it")
        default:
            (
                "LoginResultType \(type)，请用该用户在 ERP 中登录一次查看原因",
                "LoginResultType \(type): log in to the ERP as this user to see why"
            )
        }
    }
}
