import PluginKit
import Values

/// Comments on approvals, messages to the group robot, work notifications.
struct Messages {
    let client: Client

    private var settings: Settings { client.settings }

    // MARK: comments

    /// `{"document": instance id, "text", "number"}`.
    func comment(_ record: WriteRecord, _ call: Call) throws(Failure) -> WriteOutcome {
        let (instance, text) = try Self.parts(record.document)
        var user = settings.commentUser
        if user == nil { user = Text.filled(try self.instance(instance, call)["originatorUserId"]) }
        guard let user else {
            throw .invalidRecord(zh: "不知道以谁的身份评论: 设置 comment_user", en: "nobody to comment as: set comment_user")
        }
        let answer = try client.new(
            "POST", "/v1.0/workflow/processInstances/comments",
            ["processInstanceId": .string(instance), "text": .string(text), "commentUserId": .string(user)],
            effect: .write, metered: true, call)
        let words = [Text.of(answer["success"]), Text.of(answer["result"])]
        if words.contains("false") {
            throw Failure(.invalidRecord, zh: "评论没有被接受", en: "the comment was not accepted")
        }
        guard words.contains("true") else {
            throw Failure(.unknownOutcome, zh: "应答没有说评论是否成功", en: "the answer does not say whether it worked")
        }
        return .applied(Written(number: instance, id: instance))
    }

    /// At most one: the same comment twice is no second document.
    func findComment(_ request: FindRequest, _ call: Call) throws(Failure) -> [Written] {
        guard let sent = request.sent, !sent.isNull else {
            throw Failure(.unsupported, zh: "没有评论的原文就无法查找", en: "a comment is looked up by its text, which is missing")
        }
        let (instance, text) = try Self.parts(sent)
        let records = try self.instance(instance, call)["operationRecords"]?.array ?? []
        let isThere = records.contains { Self.trimmed(Text.of($0["remark"])) == Self.trimmed(text) }
        return isThere ? [Written(number: instance, id: instance)] : []
    }

    private func instance(_ id: String, _ call: Call) throws(Failure) -> JSON {
        guard let instance = try client.instance(id, call) else {
            throw .invalidRecord(zh: "没有审批 \(id)", en: "there is no approval \(id)", field: "/document")
        }
        return instance
    }

    private static func trimmed(_ text: String) -> Substring {
        var rest = Substring(text)
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return rest
    }

    private static func parts(_ document: JSON) throws(Failure) -> (instance: String, text: String) {
        guard let instance = Text.filled(document["document"]), let text = Text.filled(document["text"]) else {
            throw .invalidRecord(zh: "评论缺少 document 或 text", en: "a comment needs document and text")
        }
        return (instance, shortened(text))
    }

    /// As much as the vendor takes; a cut is marked. Whole characters only.
    private static func shortened(_ text: String) -> String {
        guard text.utf16.count > Limits.commentCharacters else { return text }
        var room = Limits.commentCharacters - 1
        var kept = ""
        for character in text {
            room -= character.utf16.count
            if room < 0 { break }
            kept.append(character)
        }
        return kept + "…"
    }

    // MARK: messages

    /// `{"to": {"group": true} | {"users": […]}, "title", "markdown"}`.
    func message(_ record: WriteRecord, _ call: Call) throws(Failure) -> WriteOutcome {
        let document = record.document
        guard let title = Text.filled(document["title"]), let markdown = Text.filled(document["markdown"]) else {
            throw .invalidRecord(zh: "消息缺少 title 或 markdown", en: "a message needs title and markdown")
        }
        if document["to"]?["group"]?.bool == true { return try group(record.key, title, markdown, call) }
        let listed = document["to"]?["users"]?.array ?? []
        let users = listed.compactMap { Text.filled($0) }
        guard users.count == listed.count, !users.isEmpty, !users.contains(where: { $0.contains(",") }),
            users.count <= Limits.notificationReceivers
        else {
            throw .invalidRecord(
                zh: "消息要有 1 到 \(Limits.notificationReceivers) 个接收人, 或 to.group",
                en: "a message needs 1 to \(Limits.notificationReceivers) users, or to.group",
                field: "/to")
        }
        return try notify(users, title, markdown, call)
    }

    /// The group robot; `msgUuid` makes a repeat harmless [DOC].
    private func group(_ key: String, _ title: String, _ markdown: String, _ call: Call) throws(Failure) -> WriteOutcome
    {
        guard settings.hasRobotToken else {
            throw .invalidRecord(
                zh: "发群消息要配置密钥 robot_token", en: "a group message needs the secret robot_token", field: "/to/group")
        }
        let body: JSON = [
            "msgtype": "markdown", "markdown": ["title": .string(title), "text": .string(markdown)],
            "at": ["isAtAll": false], "msgUuid": .string(key),
        ]
        guard body.serialized().count <= Limits.robotBytes else {
            throw .invalidRecord(
                zh: "群消息超过 \(Limits.robotBytes) 字节", en: "a group message is above \(Limits.robotBytes) bytes",
                field: "/markdown")
        }
        var url: TemplateBytes =
            "\(settings.oldBase)/robot/send?access_token=\(secret: SecretExpression("robot_token").url)"
        if settings.hasRobotSecret {
            let timestamp = String(try call.now())
            let signature = try call.crypto.hmac(
                .sha256, key: .secret("robot_secret"), [.text(timestamp + "\n"), .secret("robot_secret")])
            url.append("&timestamp=\(timestamp)&sign=" + Percent.encode(Base64.encode(signature)))
        }
        _ = try client.bare(url, .value(body), effect: .write, isOld: true, meter: "robot", call)
        return .applied(Written(number: key))
    }

    /// A work notification. Accepted is not delivered; the vendor drops what is over its limits without a word, and so
    /// the same text to the same person on one day [DOC]: the time below it makes each a text of its own.
    private func notify(_ users: [String], _ title: String, _ markdown: String, _ call: Call) throws(Failure)
        -> WriteOutcome
    {
        guard let agent = settings.agent else {
            throw .invalidRecord(zh: "发工作通知要设置 agent_id", en: "a work notification needs the setting agent_id")
        }
        let time = VendorTime.wall(Instant(ms: try call.now()), zone: settings.zone) ?? ""
        let message: JSON = [
            "msgtype": "markdown",
            "markdown": ["title": .string(title), "text": .string("\(markdown)\n\n> \(time)")],
        ]
        guard message.serialized().count <= Limits.notificationBytes else {
            throw .invalidRecord(
                zh: "工作通知超过 \(Limits.notificationBytes) 字节",
                en: "a work notification is above \(Limits.notificationBytes) bytes",
                field: "/markdown")
        }
        let answer = try client.old(
            "/topapi/message/corpconversation/asyncsend_v2",
            [
                "agent_id": JSONNumber(agent).map { .number($0) } ?? .string(agent),
                "userid_list": .string(users.joined(separator: ",")), "msg": message,
            ], effect: .write, metered: true, call)
        guard let task = Text.filled(answer["task_id"]) else {
            throw Failure(.unknownOutcome, zh: "应答没有 task_id", en: "no task_id in the answer")
        }
        return .applied(Written(number: task))
    }
}
