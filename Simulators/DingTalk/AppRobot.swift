import SimulatorKit

/// Messages of the application's own robot: to a group, to people, as DING.
extension World {
    private static let messageKeys: [String: [String]] = {
        var keys = [
            "sampleText": ["content"], "sampleMarkdown": ["title", "text"],
            "sampleLink": ["title", "text", "messageUrl"],
            "sampleActionCard": ["title", "text", "singleTitle", "singleURL"], "sampleImageMsg": ["photoURL"],
            "sampleFile": ["mediaId", "fileName", "fileType"],
        ]
        // Cards of several buttons, whose names are the vendor's matter.
        for count in 2...6 { keys["sampleActionCard\(count)"] = ["title", "text"] }
        return keys
    }()

    /// Checks what both kinds of message need and gives the message.
    private func checked(_ body: SimJSON) throws(Refusal) -> SimJSON {
        guard let robot = body["robotCode"]?.string, !robot.isEmpty else {
            throw .bad("invalidParameter.robotCode.empty", "robotCode不能为空")
        }
        // The vendor's spelling.
        guard robot == config.appKey else { throw .bad("invalidParameter.robotCode.notExsit", "robotCode不存在") }
        guard let key = body["msgKey"]?.string, !key.isEmpty else {
            throw .bad("invalidParameter.msgKey.empty", "msgKey不能为空")
        }
        guard let needs = Self.messageKeys[key] else { throw .bad("invalidParameter.msgKey.invalid", "msgKey不合法") }
        guard let text = body["msgParam"]?.string, let message = try? SimJSON.parse(text),
            needs.allSatisfy({ message[$0]?.string?.isEmpty == false })
        else { throw .bad("invalidParameter.msgParam.invalid", "msgParam不合法") }
        guard text.utf8.count <= DingTalkLimits.appMessageBytes else {
            throw .bad("invalidParameter.msgParam.tooLong", "msgParam超过最大长度")
        }
        return message
    }

    mutating func groupMessage(_ call: Call) throws(Refusal) -> SimJSON {
        let message = try checked(call.body)
        guard let group = call.body["openConversationId"]?.string, !group.isEmpty else {
            throw .bad("miss.openConversationId", "缺少openConversationId")
        }
        guard group == config.group else { throw .bad("invalid.openConversationId", "openConversationId不合法") }
        appMessages.append(["to": ["group": .string(group)], "at": SimJSON(call.now), "message": message])
        return ["processQueryKey": .string(random.hex(32))]
    }

    mutating func personMessage(_ call: Call) throws(Refusal) -> SimJSON {
        let message = try checked(call.body)
        let people = call.body["userIds"]?.array?.compactMap(\.string) ?? []
        guard !people.isEmpty else { throw .bad("invalidParameter.userIds.empty", "userIds不能为空") }
        guard people.count <= DingTalkLimits.appMessageUsers else {
            throw .bad("invalidParameter.userIds.overMax", "userIds最多20个")
        }
        // Part of the people can fail while the call succeeds.
        let invalid = people.filter { Organisation.person($0) == nil }
        let reached = people.filter { Organisation.person($0) != nil }
        appMessages.append(["to": ["users": SimJSON(reached)], "at": SimJSON(call.now), "message": message])
        return [
            "processQueryKey": .string(random.hex(32)), "invalidStaffIdList": SimJSON(invalid),
            "flowControlledStaffIdList": [],
        ]
    }

    mutating func ding(_ call: Call) throws(Refusal) -> SimJSON {
        guard call.body["robotCode"]?.string == config.appKey else {
            throw .bad("invalid.chatbotId", "机器人不存在")
        }
        let people = call.body["receiverUserIdList"]?.array?.compactMap(\.string) ?? []
        guard !people.isEmpty else { throw .bad("miss.staffId", "接收人不能为空") }
        guard let kind = call.body["remindType"]?.int, (1...3).contains(kind),
            let content = call.body["content"]?.string, !content.isEmpty
        else { throw .bad("send.ding.exception", "DING消息发送失败") }
        let most = kind == 3 ? DingTalkLimits.dingCalls : DingTalkLimits.dingUsers
        guard people.count <= most else { throw .bad("ding.receivercount.limit", "接收人数超过上限") }
        guard config.dings > 0 else { throw .bad("ding.serverquota.insufficient", "DING额度不足") }
        config.dings -= 1
        var failed = SimObject()
        for person in people where Organisation.person(person) == nil { failed[person] = "invalid" }
        appMessages.append([
            "to": ["ding": SimJSON(people)], "at": SimJSON(call.now), "message": ["content": .string(content)],
        ])
        return ["openDingId": .string(random.hex(24)), "failedList": .object(failed)]
    }
}
