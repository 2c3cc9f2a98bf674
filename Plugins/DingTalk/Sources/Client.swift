import PluginKit
import Values

/// Calls both generations of the API under one token, and tells a success from everything else.
struct Client: Sendable {
    let settings: Settings
    private static let session = "token"
    private var principal: String { settings.corporation }

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

    /// A call whose credentials are in the request itself: opening a stream, a group robot.
    func bare(
        _ url: TemplateBytes, _ body: JSONTemplate, effect: HTTPRequest.Effect, isOld: Bool, _ call: Call
    ) throws(Failure) -> JSON {
        var request = HTTPRequest("POST", url, effect: effect)
        request.header("Accept", "application/json")
        request.json(body)
        let reply = try call.http.send(request)
        return isOld
            ? try Self.readOld(reply, wrote: effect == .write) : try Self.readNew(reply, wrote: effect == .write)
    }

    private func logIn(_ call: Call) throws(Failure) -> Session.Login {
        var request = HTTPRequest("POST", TemplateBytes(settings.base + "/v1.0/oauth2/accessToken"), effect: .auth)
        request.json(.object([.init("appKey", .secret("app_key")), .init("appSecret", .secret("app_secret"))]))
        let answer: JSON
        do { answer = try Self.readNew(try call.http.send(request), wrote: false) } catch {
            // A refused pair is refused for ever, whatever the code is called.
            throw error.kind == .invalidRecord || error.kind == .authExpired ? error.as(.authDenied) : error
        }
        guard let token = answer["accessToken"]?.string, !token.isEmpty else {
            throw Failure(.schemaDrift, zh: "令牌应答没有 accessToken", en: "no accessToken in the token's answer")
        }
        let seconds = Text.integer(answer["expireIn"]) ?? Limits.tokenMilliseconds / 1000
        return Session.Login(value: Array(token.utf8), lifetimeMilliseconds: max(seconds, 1) * 1000)
    }

    // MARK: answers

    static func readNew(_ reply: HTTPReply, wrote: Bool) throws(Failure) -> JSON {
        if (200..<300).contains(reply.status) && reply.body.isEmpty { return [:] }
        let body = try parse(reply, wrote: wrote)
        if (200..<300).contains(reply.status) { return body }
        let code = Text.of(body["code"])
        let meaning =
            code.isEmpty ? Codes.meaning(new: "", status: reply.status) : Codes.meaning(new: code, status: reply.status)
        var failure = failure(meaning, wrote: wrote && reply.status >= 500, code, Text.of(body["message"]))
        if let scopes = (body["accessdenieddetail"] ?? body["accessDeniedDetail"])?["requiredScopes"]?.array {
            let names = scopes.map { Text.of($0) }.joined(separator: ", ")
            failure.messages.insert(Failure.Message("缺少权限 \(names), 在开发者后台为应用开通", .zh), at: 0)
            failure.messages.insert(Failure.Message("permission \(names) is missing: grant it to the app", .en), at: 1)
        }
        throw failure
    }

    static func readOld(_ reply: HTTPReply, wrote: Bool) throws(Failure) -> JSON {
        let body = try parse(reply, wrote: wrote)
        let code = Text.of(body["errcode"])
        if code == "0" { return body }
        if code.isEmpty {
            throw wrote
                ? Failure(.unknownOutcome, zh: "应答没有 errcode", en: "no errcode in the answer")
                : Failure(.schemaDrift, zh: "应答没有 errcode", en: "no errcode in the answer")
        }
        let sub = Text.of(body["sub_code"])
        let text = Text.of(body["sub_msg"]).isEmpty ? Text.of(body["errmsg"]) : Text.of(body["sub_msg"])
        let meaning = Codes.meaning(old: code, sub: sub)
        throw failure(meaning, wrote: wrote && meaning.kind == .transient, sub.isEmpty ? code : "\(code)/\(sub)", text)
    }

    /// JSON, or the two ways in which a banned address is answered [DOC].
    private static func parse(_ reply: HTTPReply, wrote: Bool) throws(Failure) -> JSON {
        let body: JSON
        do { body = try JSON.parse(reply.body) } catch {
            if reply.text.prefix(200).contains("<") {
                throw Failure(
                    .throttled, zh: "返回了网页而不是数据, 本机地址可能被限流",
                    en: "a web page instead of data: our address may be banned",
                    retryAfterMilliseconds: Limits.addressBanMilliseconds)
            }
            if wrote { throw Failure(.unknownOutcome, zh: "写入后的应答读不懂", en: "the answer to a write cannot be read") }
            throw Failure(reply.status >= 500 ? .transient : .schemaDrift, error)
        }
        if Text.of(body["status"]) == "1111", body["punish"] != nil {
            throw Failure(
                .throttled, zh: "本机地址被暂时封禁", en: "our address is banned for a while", vendorCode: "1111",
                retryAfterMilliseconds: Limits.addressBanMilliseconds)
        }
        return body
    }

    private static func failure(_ meaning: Codes.Meaning, wrote: Bool, _ code: String, _ text: String) -> Failure {
        // A vendor's fault after a write leaves open whether it was applied.
        let kind = wrote && meaning.kind == .transient ? .unknownOutcome : meaning.kind
        var failure = Failure(
            kind, zh: text.isEmpty ? "被拒绝, 代码 \(code)" : text, en: text.isEmpty ? "refused, code \(code)" : text,
            vendorCode: code)
        failure.retryAfterMilliseconds = meaning.retryAfter
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
