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
        if user == nil { user = Text.filled(try detail(instance, call)["originatorUserId"]) }
        guard let user else {
            throw .invalidRecord(zh: "不知道以谁的身份评论: 设置 comment_user", en: "nobody to comment as: set comment_user")
        }
        let answer = try client.new(
            "POST", "/v1.0/workflow/processInstances/comments",
            ["processInstanceId": .string(instance), "text": .string(text), "commentUserId": .string(user)],
            effect: .write, metered: true, call)
        guard Text.of(answer["success"]) != "false", Text.of(answer["result"]) != "false" else {
            throw Failure(.invalidRecord, zh: "评论没有被接受", en: "the comment was not accepted")
        }
        return .applied(Written(number: instance, id: instance))
    }

    func findComment(_ request: FindRequest, _ call: Call) throws(Failure) -> [Written] {
        guard let sent = request.sent else { return [] }
        let (instance, text) = try Self.parts(sent)
        let records = try detail(instance, call)["operationRecords"]?.array ?? []
        return records.filter { Text.of($0["remark"]).contains(text) }.map { _ in
            Written(number: instance, id: instance)
        }
    }

    private func detail(_ instance: String, _ call: Call) throws(Failure) -> JSON {
        try client.new(
            "GET", "/v1.0/workflow/processInstances?processInstanceId=" + Percent.encode(instance), metered: true, call
        )["result"] ?? .null
    }

    private static func parts(_ document: JSON) throws(Failure) -> (instance: String, text: String) {
        guard let instance = Text.filled(document["document"]), let text = Text.filled(document["text"]) else {
            throw .invalidRecord(zh: "评论缺少 document 或 text", en: "a comment needs document and text")
        }
        return (instance, String(text.prefix(Limits.commentCharacters)))
    }

    // MARK: messages

    /// `{"to": {"group": true} | {"users": […]}, "title", "markdown"}`.
    func message(_ record: WriteRecord, _ call: Call) throws(Failure) -> WriteOutcome {
        let document = record.document
        guard let title = Text.filled(document["title"]), let markdown = Text.filled(document["markdown"]) else {
            throw .invalidRecord(zh: "消息缺少 title 或 markdown", en: "a message needs title and markdown")
        }
        if document["to"]?["group"]?.bool == true { return try group(record.key, title, markdown, call) }
        let users = (document["to"]?["users"]?.array ?? []).compactMap(\.string)
        guard !users.isEmpty, users.count <= Limits.notificationReceivers else {
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
        var url: TemplateBytes =
            "\(settings.oldBase)/robot/send?access_token=\(secret: SecretExpression("robot_token").url)"
        if settings.hasRobotSecret {
            let timestamp = String(try call.now())
            let signature = try call.crypto.hmac(
                .sha256, key: .secret("robot_secret"), [.text(timestamp + "\n"), .secret("robot_secret")])
            url.append("&timestamp=\(timestamp)&sign=" + Percent.encode(Base64.encode(signature)))
        }
        let body: JSON = [
            "msgtype": "markdown", "markdown": ["title": .string(title), "text": .string(markdown)],
            "at": ["isAtAll": false], "msgUuid": .string(key),
        ]
        _ = try client.bare(url, .value(body), effect: .write, isOld: true, call)
        return .applied(Written(number: key))
    }

    /// A work notification. Accepted is not delivered; the vendor drops what is over its limits without a word.
    private func notify(_ users: [String], _ title: String, _ markdown: String, _ call: Call) throws(Failure)
        -> WriteOutcome
    {
        guard let agent = settings.agent else {
            throw .invalidRecord(zh: "发工作通知要设置 agent_id", en: "a work notification needs the setting agent_id")
        }
        let message: JSON = [
            "msgtype": "markdown", "markdown": ["title": .string(title), "text": .string(markdown)],
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
        return .applied(Written(number: Text.of(answer["task_id"])))
    }
}
