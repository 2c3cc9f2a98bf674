import PluginKit
import Values

/// Reads the vendor's answers. HTTP says almost nothing: a refusal, a server exception and a good answer all
/// come with status 200, so `IsSuccess` and `MsgCode` decide. What is neither a clear refusal nor a clear
/// success is, on a write, an unknown outcome.
struct AnswerReader: Sendable {
    /// What the call would have changed.
    enum Kind: Sendable {
        case read
        case write
    }

    let settings: Settings

    /// A good answer, or the failure it stands for. `locate` turns a refused field and its message into a
    /// JSON pointer.
    func read(
        _ reply: HTTPReply, _ kind: Kind, _ locate: (String, String) -> String = { _, _ in "" }
    ) throws(Failure) -> JSON {
        try checkStatus(reply, kind)
        let text = reply.text
        let start = text.drop { $0.isWhitespace || $0 == "\u{feff}" }
        if start.isEmpty { throw unclear(kind, zh: "应答为空", en: "the answer is empty").told(as: .empty) }
        if start.hasPrefix("response_error:") {
            throw unclear(kind, zh: "服务器异常", en: "the server had an exception", shown: String(start))
        }
        if start.hasPrefix("<") {
            throw unclear(kind, zh: "应答是网页而不是数据", en: "the answer is a web page, not data").told(as: .page)
        }
        let json: JSON
        do { json = try JSON.parse(Array(start.utf8)) } catch {
            if isSessionText(text) { throw sessionLost(text) }
            throw unclear(kind, zh: "应答不是 JSON", en: "the answer is no JSON", shown: text).told(as: .unreadable)
        }
        if json.isNull { throw unclear(kind, zh: "应答为空", en: "the answer is null") }
        if let plain = json.string {
            if isSessionText(plain) { throw sessionLost(plain) }
            throw unclear(kind, zh: "应答只有文字", en: "the answer is only a text", shown: plain)
        }
        guard let status = Self.status(in: json) else {
            guard kind == .read else {
                throw unclear(kind, zh: "应答没有结果状态", en: "the answer carries no response status")
            }
            return json
        }
        try check(status, in: json, kind, locate)
        return json
    }

    /// The response status, also where the vendor nests it in arrays.
    static func status(in json: JSON) -> JSON? { result(in: json)?["ResponseStatus"] }

    /// `Result`, also where the vendor nests it in arrays (`[[{"Result":…}]]`).
    static func result(in json: JSON) -> JSON? {
        if let result = json["Result"] { return result }
        guard let first = json[0] else { return nil }
        return first["Result"] ?? first[0]?["Result"]
    }

    /// Text, or a number as its text.
    static func text(_ value: JSON?) -> String {
        switch value {
        case .string(let text): text
        case .number(let number): number.text
        default: ""
        }
    }

    private func checkStatus(_ reply: HTTPReply, _ kind: Kind) throws(Failure) {
        switch reply.status {
        case 200...299: return
        case 429:
            let seconds = reply.header("retry-after").flatMap { Int64($0) }.map { min(max($0, 0), Limits.daySeconds) }
            throw Failure(
                .throttled, zh: "对方限流（HTTP 429）", en: "the vendor limits the rate (HTTP 429)", vendorCode: "429",
                retryAfterMilliseconds: seconds.map { $0 * 1000 } ?? Limits.throttledMilliseconds)
        case 401, 403, 519:
            throw Failure(
                .authDenied, zh: "网关拒绝了签名或授权（HTTP \(reply.status)）；请核对 app_id、app_secret 与本机时钟",
                en: "the gateway refused the signature or authorisation (HTTP \(reply.status)): "
                    + "check app_id, app_secret and the clock", vendorCode: String(reply.status))
        case 404:
            throw Failure(
                .unsupported, zh: "地址不存在（HTTP 404）；请核对 endpoint，它以 /k3cloud/ 结尾",
                en: "no such address (HTTP 404): check the endpoint, it ends in /k3cloud/", vendorCode: "404")
        default:
            // An unknown account set is the one thing servers are known to say with an HTTP status.
            // After a write only a clear answer ends the attempt, and this is a page of text.
            if kind == .read, reply.text.contains("数据中心") {
                throw Failure(
                    .authDenied, zh: "对方没有这个账套；请核对 account_set", en: "no such account set: check account_set",
                    vendorCode: String(reply.status))
            }
            let failure = unclear(
                kind, zh: "HTTP \(reply.status)", en: "HTTP \(reply.status)", vendorCode: String(reply.status))
            throw reply.text.first { !$0.isWhitespace } == "<" ? failure.told(as: .page) : failure
        }
    }

    private func check(
        _ status: JSON, in json: JSON, _ kind: Kind, _ locate: (String, String) -> String
    ) throws(Failure) {
        let codeText = Self.text(status["MsgCode"])
        let code = codeText.isEmpty ? 0 : Int(codeText)
        let isSuccess = status["IsSuccess"]?.bool ?? (status["IsSuccess"]?.string?.lowercased() == "true")
        if isSuccess, code == 0 { return }
        if isSuccess {
            throw unclear(
                kind, zh: "应答自相矛盾：成功，但 MsgCode 为 \(codeText)",
                en: "the answer contradicts itself: success, but MsgCode \(codeText)", vendorCode: codeText)
        }
        var failure = refusal(status, code: code, codeText: codeText, kind)
        for error in status["Errors"]?.array ?? [] where failure.field.isEmpty {
            failure.field = locate(AnswerReader.text(error["FieldName"]), AnswerReader.text(error["Message"]))
        }
        let committed = Self.text(Self.result(in: json)?["Id"])
        if kind == .write, !(status["SuccessEntitys"]?.array ?? []).isEmpty || !(committed.isEmpty || committed == "0")
        {
            // The answer is a refusal although a document came of it.
            failure = failure.as(.unknownOutcome)
        }
        throw failure
    }

    private func refusal(_ status: JSON, code: Int?, codeText: String, _ kind: Kind) -> Failure {
        let errors = status["Errors"]?.array ?? []
        var messages: [Failure.Message] = []
        for error in errors {
            let text = Self.text(error["Message"])
            if !text.isEmpty { messages.append(Failure.Message(text, .vendor, vendorCode: codeText)) }
        }
        let joined = messages.map(\.text).joined(separator: "\n")
        if messages.isEmpty {
            messages = [
                Failure.Message("对方拒绝，未说明原因（MsgCode \(codeText)）", .zh),
                Failure.Message("refused without a reason (MsgCode \(codeText))", .en),
            ]
        }
        let unclearKind: Failure.Kind = kind == .write ? .unknownOutcome : .transient
        func failure(_ kind: Failure.Kind, retry: Int64? = nil) -> Failure {
            Failure(kind, messages: messages, vendorCode: codeText, retryAfterMilliseconds: retry)
        }
        if isSessionText(joined), code == 0 || code == 1 { return sessionLost(joined) }
        switch code {
        case 1: return sessionLost(joined)
        case 2, 7, 15: return failure(.authDenied)
        case 13: return failure(.transient)
        case 14: return failure(.throttled, retry: Limits.throttledMilliseconds)
        case 6: return failure(unclearKind)
        case 4: return failure(Self.isPermanent(joined, kind) ? .invalidRecord : unclearKind)
        case 0: return failure(errors.isEmpty || Self.isPassing(joined) ? unclearKind : .invalidRecord)
        case 3, 5, 8, 9, 10, 11, 12: return failure(.invalidRecord)
        default: return failure(errors.isEmpty ? unclearKind : .invalidRecord)
        }
    }

    /// An exception (MsgCode 4) that will come again: the object or the filter itself is wrong. A write has no
    /// filter, so only the missing object is certain there: other exceptions may come from what runs after it.
    private static func isPermanent(_ text: String, _ kind: Kind) -> Bool {
        switch kind {
        case .read: ["不存在", "语法", "无效"].contains { text.contains($0) }
        case .write: text.contains("业务对象") && text.contains("不存在")
        }
    }

    /// A refusal without a code that is the database's passing trouble.
    private static func isPassing(_ text: String) -> Bool {
        let lower = text.lowercased()
        return ["超时", "死锁", "timeout", "deadlock"].contains { lower.contains($0) }
    }

    private func isSessionText(_ text: String) -> Bool { settings.sessionMessages.contains { text.contains($0) } }

    /// "Session lost" is what it says only where there was a log-in. With signed headers the server opens a
    /// session by itself, so the same words mean that the credentials are not accepted [3P, measured].
    private func sessionLost(_ text: String) -> Failure {
        let own =
            settings.authentication == .signedHeaders
            ? Failure(
                .authDenied, zh: "对方不接受凭据：请核对 app_id、app_secret、账套，以及该用户是否在第三方登录授权的名单里",
                en: "the credentials are not accepted: check app_id, app_secret, the account set, and that the user is "
                    + "on the authorisation's list", vendorCode: "1")
            : Failure(.authExpired, zh: "会话已失效", en: "the session is gone", vendorCode: "1")
        var failure = own
        let shown = shortened(text)
        if !shown.isEmpty { failure.messages.append(Failure.Message(shown, .vendor, vendorCode: "1")) }
        return failure
    }

    private func unclear(
        _ kind: Kind, zh: String, en: String, shown: String = "", vendorCode: String = ""
    ) -> Failure {
        var failure =
            switch kind {
            case .write:
                Failure(
                    .unknownOutcome, zh: "写入后没有明确的答复：\(zh)", en: "no clear answer after a write: \(en)",
                    vendorCode: vendorCode)
            case .read: Failure(.transient, zh: zh, en: en, vendorCode: vendorCode)
            }
        let shown = shortened(shown)
        if !shown.isEmpty { failure.messages.append(Failure.Message(shown, .vendor)) }
        return failure
    }

    /// The beginning of what the vendor said, on one line.
    private func shortened(_ text: String) -> String {
        var short = ""
        for character in text {
            guard short.utf8.count + character.utf8.count <= Limits.shownAnswerBytes else { return short + "…" }
            short.append(character.isNewline ? " " : character)
        }
        return short
    }
}
