import SimulatorKit

extension World {
    /// Checks a robot message body: the type, and what the type needs.
    private func check(message body: SimJSON) throws(Refusal) {
        let needs: [String: [String]] = [
            "text": ["content"], "markdown": ["title", "text"], "link": ["title", "text", "messageUrl"],
            "actionCard": ["title", "text"], "feedCard": ["links"],
        ]
        guard let type = body["msgtype"]?.string, let fields = needs[type] else {
            throw .old(errcode: 400105, errmsg: "不支持的消息类型")
        }
        guard let content = body[type], content.object != nil else {
            throw .old(errcode: 40035, errmsg: "缺少参数 \(type)")
        }
        func has(_ field: String) -> Bool {
            content[field].map { $0.string?.isEmpty == false || $0.array?.isEmpty == false } ?? false
        }
        if let missing = fields.first(where: { !has($0) }) {
            throw .old(errcode: 40035, errmsg: "缺少参数 \(type).\(missing)")
        }
        // One button, or a list of them.
        guard type != "actionCard" || (has("singleTitle") && has("singleURL")) || has("btns") else {
            throw .old(errcode: 40035, errmsg: "缺少参数 actionCard.btns")
        }
    }

    mutating func robotSend(_ call: Call) throws(Refusal) -> SimJSON {
        let key = call.request.query("access_token") ?? ""
        guard var robot = robots[key] else { throw .old(errcode: 400101, errmsg: "access_token不存在") }
        guard !robot.stopped else { throw .old(errcode: 400102, errmsg: "机器人已停用") }
        try check(message: call.body)
        switch robot.security {
        case .sign(let secret):
            guard let stamp = call.request.query("timestamp"), let time = Int64(stamp),
                abs(call.now - time) <= DingTalkLimits.robotClock
            else { throw .old(errcode: 310000, errmsg: "invalid timestamp") }
            let wanted = Digest.base64(Digest.hmacSHA256(key: Array(secret.utf8), Array("\(stamp)\n\(secret)".utf8)))
            guard call.request.query("sign") == wanted else { throw .old(errcode: 310000, errmsg: "sign not match") }
        case .keyword(let word):
            let type = call.body["msgtype"]?.string ?? ""
            let shown = (call.body[type] ?? .null).text
            guard shown.contains(word) else { throw .old(errcode: 310000, errmsg: "keywords not in content") }
        }
        guard robot.shutUntil <= call.now else { throw .old(errcode: 410100, errmsg: "发送速度太快而限流") }
        let uuid = call.body["msgUuid"]?.string
        if let uuid, robot.delivered.contains(uuid) { return ["errcode": 0, "errmsg": "ok"] }
        robot.sent.removeAll { $0 <= call.now - 60_000 }
        guard robot.sent.count < DingTalkLimits.robotPerMinute else {
            robot.shutUntil = call.now + DingTalkLimits.robotPenalty
            robots[key] = robot
            throw .old(errcode: 410100, errmsg: "发送速度太快而限流")
        }
        robot.sent.append(call.now)
        if let uuid { robot.delivered.insert(uuid) }
        robots[key] = robot
        messages.append(Message(robot: key == config.robotToken ? "sign" : "keyword", at: call.now, body: call.body))
        // The number is text now and then: a client must take both.
        return ["errcode": messages.count % 3 == 0 ? "0" : 0, "errmsg": "ok"]
    }

    mutating func robotReply(_ call: Call) throws(Refusal) -> SimJSON {
        guard let expires = sessions[call.request.query("session") ?? ""], expires > call.now else {
            throw .old(errcode: 300001, errmsg: "session 不存在或已过期")
        }
        try check(message: call.body)
        sessionReplies.append(call.body)
        return ["errcode": 0, "errmsg": "ok"]
    }

    private func agent(_ body: SimJSON) throws(Refusal) {
        guard body["agent_id"]?.int == config.agent || body["agent_id"]?.string == "\(config.agent)" else {
            throw .gateway(subCode: "400002", subMessage: "无效的参数 agent_id")
        }
    }

    mutating func notify(_ call: Call) throws(Refusal) -> SimJSON {
        let body = call.body
        try agent(body)
        guard let message = body["msg"], message["msgtype"]?.string != nil else {
            throw .old(errcode: 40035, errmsg: "不合法的参数[msg]")
        }
        guard message.bytes.count <= DingTalkLimits.notificationBytes else {
            throw .gateway(subCode: "400002", subMessage: "消息体超过2048字节")
        }
        let type = message["msgtype"]?.string ?? ""
        let needs = ["text": ["content"], "markdown": ["title", "text"]]
        guard let content = message[type], content.object != nil,
            (needs[type] ?? []).allSatisfy({ content[$0]?.string?.isEmpty == false })
        else { throw .old(errcode: 40035, errmsg: "不合法的参数[msg.\(type)]") }

        var receivers: [String] = []
        if body["to_all_user"]?.bool == true {
            receivers = Organisation.people.map(\.id)
        } else if let list = body["userid_list"]?.string, !list.isEmpty {
            receivers = list.split(separator: ",").map(String.init)
            guard receivers.count <= DingTalkLimits.notificationUsers else {
                throw .gateway(subCode: "400002", subMessage: "userid_list最多100个")
            }
        } else if let list = body["dept_id_list"]?.string, !list.isEmpty {
            let ids = list.split(separator: ",").compactMap { Int($0) }
            guard ids.count <= DingTalkLimits.notificationDepartments else {
                throw .gateway(subCode: "400002", subMessage: "dept_id_list最多20个")
            }
            receivers = Organisation.people.filter { ids.contains($0.department) }.map(\.id)
        } else {
            throw .gateway(subCode: "400002", subMessage: "userid_list、dept_id_list、to_all_user不能同时为空")
        }

        // Taken now, delivered later: what is not delivered shows only in getsendresult, or not at all.
        let invalid = receivers.filter { Organisation.person($0) == nil }
        let today = notifications.filter { Time.dayNumber($0.at) == Time.dayNumber(call.now) }
        let minute = notifications.filter { $0.at > call.now - 60_000 }.reduce(0) { $0 + $1.receivers.count }
        let isFlood = minute + receivers.count > DingTalkLimits.notificationReceiversPerMinute
        let silent = receivers.filter { receiver in
            let got = today.filter { $0.delivered.contains(receiver) }
            return isFlood || got.count >= DingTalkLimits.notificationsPerDay
                || got.contains { $0.message == message }
        }
        let task = 256_271_667_526 + Int64(notifications.count) * 17
        notifications.append(
            Notification(
                task: task, at: call.now, receivers: receivers, invalid: invalid,
                delivered: receivers.filter { !invalid.contains($0) && !silent.contains($0) }, silent: silent,
                message: message))
        var out = ok()
        out["task_id"] = SimJSON(task)
        return out
    }

    mutating func notificationResult(_ call: Call) throws(Refusal) -> SimJSON {
        try agent(call.body)
        let asked = call.body["task_id"]?.int ?? call.body["task_id"]?.string.flatMap { Int($0) }
        guard let asked, let found = notifications.first(where: { $0.task == asked }) else {
            throw .gateway(subCode: "400002", subMessage: "无效的参数 task_id")
        }
        var out = ok()
        out["send_result"] = [
            "invalid_user_id_list": SimJSON(found.invalid), "forbidden_user_id_list": [], "failed_user_id_list": [],
            "read_user_id_list": [], "unread_user_id_list": SimJSON(found.delivered), "invalid_dept_id_list": [],
            "forbidden_list": .array(
                found.silent.map { ["code": "143105", "count": 1, "userid": .string($0)] }),
        ]
        return out
    }
}
