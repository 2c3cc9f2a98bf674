import SimulatorKit

extension World {
    func templates(_ call: Call) throws(Refusal) -> SimJSON {
        guard let size = call.request.query("maxResults").flatMap({ Int($0) }),
            (1...DingTalkLimits.templatePage).contains(size)
        else { throw .bad("invalidMaxResults", "分页大小不合法") }
        guard let from = call.request.query("nextToken").flatMap({ Int($0) }), from >= 0 else {
            throw .bad("invalidNextToken", "分页起始值不合法")
        }
        if let user = call.request.query("userId"), !user.isEmpty, Organisation.person(user) == nil {
            throw .bad("invalidUserId", "用户不存在")
        }
        let page = Template.all.dropFirst(from).prefix(size)
        var result: SimJSON = [
            "processList": .array(
                page.map { template in
                    [
                        "name": .string(template.name), "processCode": .string(template.code),
                        "url": .string("https://aflow.example.com/process?code=\(template.code)"),
                        "iconUrl": "https://static.example.com/icon.png",
                    ]
                })
        ]
        if from + page.count < Template.all.count { result["nextToken"] = SimJSON(from + page.count) }
        return ["success": true, "result": result]
    }

    func schema(_ call: Call) throws(Refusal) -> SimJSON {
        guard let template = Template.code(call.request.query("processCode") ?? "") else {
            throw .bad("invalidProcessCode", "审批模板不存在")
        }
        return [
            "success": true,
            "result": [
                "name": .string(template.name), "formCode": .string(template.code),
                "bizType": .string(template.category),
                "status": "PUBLISHED", "creatorUserId": "manager01", "gmtModified": "2026-01-01T02:00Z",
                "schemaContent": [
                    "title": .string(template.name), "icon": "approval",
                    "items": .array(template.components.map(\.schema)),
                ],
            ],
        ]
    }

    func instanceIDs(_ call: Call) throws(Refusal) -> SimJSON {
        let body = call.body
        guard let template = Template.code(body["processCode"]?.string ?? "") else {
            throw .bad("invalidProcessCode", "审批模板不存在")
        }
        let end = body["endTime"].flatMap { $0.isNull ? nil : $0 }
        guard let start = body["startTime"]?.int.map({ Int64($0) }), start > 0,
            start >= call.now - (end == nil ? DingTalkLimits.window : DingTalkLimits.lookBack)
        else { throw .bad("invalidInstanceListIdsStartTime", "开始时间不合法") }
        var until = call.now
        if let end {
            guard let time = end.int.map({ Int64($0) }), time >= start, time - start <= DingTalkLimits.window else {
                throw .bad("invalidEndTime", "结束时间不合法，时间范围不能超过120天")
            }
            until = time
        }
        guard let from = body["nextToken"]?.int, (0...DingTalkLimits.queryDepth).contains(from) else {
            throw .bad("invalidNextToken", "分页起始值不合法")
        }
        guard let size = body["maxResults"]?.int, (1...DingTalkLimits.pageSize).contains(size) else {
            throw .bad("invalidMaxResults", "分页大小不合法，最大20")
        }
        let users = body["userIds"]?.array?.compactMap(\.string)
        if let given = body["userIds"], !given.isNull {
            guard let users, users.count == given.array?.count, users.count <= DingTalkLimits.queryUsers else {
                throw .bad("invalidUserIds", "发起人列表不合法，最多10个")
            }
        }
        let statuses = body["statuses"]?.array?.compactMap(\.string)
        if let given = body["statuses"], !given.isNull {
            let known: Set<String> = ["NEW", "RUNNING", "TERMINATED", "COMPLETED", "CANCELED"]
            guard let statuses, statuses.count == given.array?.count, known.isSuperset(of: statuses) else {
                throw .bad("invalidParameter", "流程实例状态不合法")
            }
        }

        // By the time of filing, not of approval: an old claim approved today lies outside today's window.
        let found = order.compactMap { instances[$0] }.filter { instance in
            instance.template.code == template.code && (start...until).contains(instance.created)
                && (statuses.map { $0.isEmpty || $0.contains(instance.status) } ?? true)
                && (users.map { $0.isEmpty || $0.contains(instance.applicant.id) } ?? true)
        }.sorted { ($0.created, $0.id) < ($1.created, $1.id) }.prefix(DingTalkLimits.queryDepth)
        let page = found.dropFirst(from).prefix(size)
        var result: SimJSON = ["list": SimJSON(page.map(\.id))]
        if from + page.count < found.count { result["nextToken"] = .string("\(from + page.count)") }
        return ["success": true, "result": result]
    }

    private func instance(_ id: String?) throws(Refusal) -> Instance {
        guard let id, !id.isEmpty else { throw .bad("invalidParameter", "缺少参数processInstanceId") }
        guard let instance = instances[id] else { throw .bad("processInstanceNotExist", "审批实例不存在") }
        return instance
    }

    func instanceDetail(_ call: Call) throws(Refusal) -> SimJSON {
        // `success` is text here, and a Boolean everywhere else.
        ["success": "true", "result": try instance(call.request.query("processInstanceId")).detail]
    }

    mutating func comment(_ call: Call) throws(Refusal) -> SimJSON {
        var instance = try instance(call.body["processInstanceId"]?.string)
        guard let text = call.body["text"]?.string, !text.isEmpty, text.utf16.count <= DingTalkLimits.comment else {
            throw .bad("invalidParameter", "评论内容不能为空，最多1024个字符")
        }
        guard let user = call.body["commentUserId"]?.string, Organisation.person(user) != nil else {
            throw .bad("invalidUserId", "评论人不存在")
        }
        instance.comments.append(Instance.Comment(user: user, text: text, at: call.now))
        instances[instance.id] = instance
        return ["result": true, "success": true]
    }

    mutating func attachment(_ call: Call) throws(Refusal) -> SimJSON {
        let instance = try instance(call.body["processInstanceId"]?.string)
        guard let id = call.body["fileId"]?.string, let file = instance.files.first(where: { $0.id == id }) else {
            throw .bad("invalidParameter", "附件不存在")
        }
        downloads = downloads.filter { $0.value.expires > call.now }
        let key = random.hex(24)
        downloads[key] = Download(file: file, expires: call.now + DingTalkLimits.downloadLife)
        return [
            "success": true,
            "result": [
                "spaceId": 1_635_000_658, "fileId": .string(file.id), "downloadUri": .string("\(baseURL)/_file/\(key)"),
            ],
        ]
    }

    /// The bytes behind a download address.
    func download(_ key: String, now: Int64) -> SimResponse {
        guard let download = downloads[key] else { return .text("not found", status: 404) }
        guard download.expires > now else { return .text("expired", status: 403) }
        let head = Array("%PDF-1.4\n% sample \(download.file.name)\n".utf8)
        let body = head + Array(repeating: UInt8(ascii: " "), count: max(0, download.file.size - head.count))
        return SimResponse(headers: [("Content-Type", "application/pdf")], body: body)
    }

    mutating func terminate(_ call: Call) throws(Refusal) -> SimJSON {
        var instance = try instance(call.body["processInstanceId"]?.string)
        guard instance.outcome == .running else { throw .bad("processInstanceStatusError", "审批实例已结束") }
        guard call.now - instance.created >= DingTalkLimits.terminateAfter else {
            throw .bad("processInstanceStatusError", "发起15秒内不能撤销")
        }
        instance.outcome = .withdrawn
        instance.finished = call.now
        instances[instance.id] = instance
        return ["result": true, "success": true]
    }
}
