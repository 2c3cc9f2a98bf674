import PluginKit
import Values

/// Calls both generations of the API under one token, and tells a success from everything else.
struct Client: Sendable {
    let settings: Settings
    private static let session = "token"

    /// The host shares a session between connections of one principal. Which app asks is in a secret, so the
    /// connection stands for it: two apps of one organisation must not get each other's token.
    private var principal: String { "\(settings.corporation)/\(settings.connection)" }

    // MARK: calls

    /// A call of the new API: token in a header, errors by HTTP status and `code`.
    func new(
        _ method: String, _ path: String, _ body: JSON? = nil, effect: HTTPRequest.Effect = .read, metered: Bool,
        _ call: Call
    ) throws(Failure) -> JSON {
        try call.withSession(Self.session, principal: principal) { () throws(Failure) in
            try logIn(call)
        } body: { token throws(Failure) in
            var request = HTTPRequest(method, TemplateBytes(settings.base + path), effect: effect)
            request.header("x-acs-dingtalk-access-token", TemplateBytes(token))
            if let body { request.json(.value(body)) }
            if metered { request.meter = "metered" }
            return try Self.readNew(try call.http.send(request), wrote: effect == .write)
        }
    }

    /// A call of the old API: token in the query, HTTP 200 always, errors by `errcode`.
    func old(
        _ path: String, _ body: JSON, effect: HTTPRequest.Effect = .read, metered: Bool, _ call: Call
    ) throws(Failure) -> JSON {
        try call.withSession(Self.session, principal: principal) { () throws(Failure) in
            try logIn(call)
        } body: { token throws(Failure) in
            var request = HTTPRequest(
                "POST", TemplateBytes(settings.oldBase + path + "?access_token=" + Percent.encode(token)),
                effect: effect)
            request.json(.value(body))
            if metered { request.meter = "metered" }
            return try Self.readOld(try call.http.send(request), wrote: effect == .write)
        }
    }

    /// A call whose credentials are in the request itself: opening a stream, a group robot. There is no session to
    /// renew, so whatever says "wrong credentials" is for an operator.
    func bare(
        _ url: TemplateBytes, _ body: JSONTemplate, effect: HTTPRequest.Effect, isOld: Bool, meter: String = "",
        _ call: Call
    ) throws(Failure) -> JSON {
        var request = HTTPRequest("POST", url, effect: effect)
        request.header("Accept", "application/json")
        request.json(body)
        request.meter = meter
        let reply = try call.http.send(request)
        do {
            return isOld
                ? try Self.readOld(reply, wrote: effect == .write) : try Self.readNew(reply, wrote: effect == .write)
        } catch { throw error.kind == .authExpired ? error.as(.authDenied) : error }
    }

    private func logIn(_ call: Call) throws(Failure) -> Session.Login {
        let answer: JSON
        do {
            answer = try bare(
                TemplateBytes(settings.base + "/v1.0/oauth2/accessToken"),
                .object([.init("appKey", .secret("app_key")), .init("appSecret", .secret("app_secret"))]),
                effect: .auth, isOld: false, call)
        } catch {
            // A refused pair is refused for ever, whatever the code is called.
            throw error.kind == .invalidRecord ? error.as(.authDenied) : error
        }
        guard let token = answer["accessToken"]?.string, !token.isEmpty else {
            throw Failure(.schemaDrift, zh: "令牌应答没有 accessToken", en: "no accessToken in the token's answer")
        }
        let seconds = Text.integer(answer["expireIn"]).flatMap { $0 > 0 ? $0 : nil }
        return Session.Login(
            value: Array(token.utf8),
            lifetimeMilliseconds: seconds.map { min($0, Limits.tokenSeconds) * 1000 } ?? Limits.tokenSeconds * 1000)
    }

    /// One approval as the vendor holds it, or nil when there is no such instance.
    func instance(_ id: String, _ call: Call) throws(Failure) -> JSON? {
        let answer: JSON
        do {
            answer = try new(
                "GET", "/v1.0/workflow/processInstances?processInstanceId=" + Percent.encode(id), metered: true, call)
        } catch {
            if ["processinstancenotexist", "processinstanceiderror"].contains(error.vendorCode.lowercased()) {
                return nil
            }
            throw error
        }
        // A string "true" here, a boolean elsewhere [DOC].
        guard Text.of(answer["success"]) != "false", let result = answer["result"], result.object != nil else {
            throw Failure(.schemaDrift, zh: "审批详情没有 result", en: "no result in the approval's detail")
        }
        return result
    }

    // MARK: answers

    static func readNew(_ reply: HTTPReply, wrote: Bool) throws(Failure) -> JSON {
        let isGood = (200..<300).contains(reply.status)
        guard let body = try parse(reply) else {
            throw isGood ? unreadable(wrote) : failure(Codes.meaning(status: reply.status), wrote, reply)
        }
        if isGood { return body }
        let code = Text.of(body["code"])
        var failure = failure(
            Codes.meaning(new: code, status: reply.status), wrote, reply, code: code, said: body["message"],
            request: body["requestid"])
        if let scopes = (body["accessdenieddetail"] ?? body["accessDeniedDetail"])?["requiredScopes"]?.array {
            let names = scopes.map { Text.of($0) }.joined(separator: ", ")
            failure.messages.insert(Failure.Message("缺少权限 \(names), 在开发者后台为应用开通", .zh), at: 0)
            failure.messages.insert(Failure.Message("permission \(names) is missing: grant it to the app", .en), at: 1)
        }
        throw failure
    }

    static func readOld(_ reply: HTTPReply, wrote: Bool) throws(Failure) -> JSON {
        let isGood = (200..<300).contains(reply.status)
        let body = try parse(reply)
        let code = Text.of(body?["errcode"])
        if isGood, code == "0", let body { return body }
        guard let body, !code.isEmpty, code != "0" else {
            // The old API itself always answers 200 [DOC]: another status is what stands before it.
            throw isGood ? unreadable(wrote) : failure(Codes.meaning(status: reply.status), wrote, reply)
        }
        let sub = Text.of(body["sub_code"])
        throw failure(
            Codes.meaning(old: code, sub: sub), wrote, reply, code: sub.isEmpty ? code : "\(code)/\(sub)",
            said: Text.filled(body["sub_msg"]).map { .string($0) } ?? body["errmsg"], request: body["request_id"])
    }

    /// JSON, or nil where it is none; throws for the two ways in which a banned address is answered [DOC].
    private static func parse(_ reply: HTTPReply) throws(Failure) -> JSON? {
        guard let body = try? JSON.parse(reply.body) else {
            // A page under a server's status comes from a gateway on the way, under 404 from another web server: they
            // say nothing about our address.
            let isPage = reply.text.first { !$0.isWhitespace } == "<"
            if isPage, reply.status < 500, reply.status != 404 { throw banned("").told(as: .page) }
            return nil
        }
        if Text.of(body["status"]) == "1111", body["punish"] != nil { throw banned("1111") }
        return body
    }

    private static func banned(_ code: String) -> Failure {
        Failure(
            .throttled, zh: "本机地址被暂时封禁, 返回的不是数据", en: "our address is banned for a while: no data came back",
            vendorCode: code, retryAfterMilliseconds: Limits.addressBanMilliseconds)
    }

    /// A success that cannot be read: after a write nobody knows what became of it.
    private static func unreadable(_ wrote: Bool) -> Failure {
        let failure =
            wrote
            ? Failure(.unknownOutcome, zh: "写入后的应答读不懂", en: "the answer to a write cannot be read")
            : Failure(.schemaDrift, zh: "应答读不懂", en: "the answer cannot be read")
        return failure.told(as: .unreadable)
    }

    private static func failure(
        _ meaning: Codes.Meaning, _ wrote: Bool, _ reply: HTTPReply, code: String = "", said: JSON? = nil,
        request: JSON? = nil
    ) -> Failure {
        // A vendor's fault after a write leaves open whether it was applied, whatever code it names.
        let isFault = meaning.kind == .transient || (reply.status >= 500 && meaning.kind == .invalidRecord)
        let kind = wrote && isFault ? .unknownOutcome : meaning.kind
        let shown = code.isEmpty ? "HTTP \(reply.status)" : code
        let advice = Codes.advice(code)
        var failure = Failure(
            kind, zh: "钉钉拒绝了请求 (\(shown))" + (advice.map { ": \($0.zh)" } ?? ""),
            en: "DingTalk refused the request (\(shown))" + (advice.map { ": \($0.en)" } ?? ""), vendorCode: code,
            retryAfterMilliseconds: meaning.retryAfter)
        if let text = Text.filled(said) {
            // The vendor's own number of the request: what its support asks for first.
            let id = Text.filled(request).map { " [\($0)]" } ?? ""
            failure.messages.append(Failure.Message(text + id, .vendor, vendorCode: code))
        }
        if kind == .throttled || kind == .transient, let seconds = reply.header("retry-after").flatMap({ Int64($0) }),
            seconds > 0
        {
            failure.retryAfterMilliseconds = max(min(seconds, Limits.retryAfterSeconds) * 1000, meaning.retryAfter ?? 0)
        }
        return failure
    }
}

/// The vendor writes numbers and booleans as text now and then: both are taken.
enum Text {
    static func of(_ value: JSON?) -> String {
        switch value {
        case .string(let text)?: text
        case .number(let number)?: number.text
        case .bool(let bool)?: bool ? "true" : "false"
        default: ""
        }
    }

    static func integer(_ value: JSON?) -> Int64? { Int64(of(value)) }

    /// An optional component comes empty as null, as "", or as the text "null".
    static func filled(_ value: JSON?) -> String? {
        let text = of(value)
        return text.isEmpty || text == "null" ? nil : text
    }
}
