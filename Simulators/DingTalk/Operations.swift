import SimulatorKit

/// One request with what was read from it.
struct Call: Sendable {
    let request: SimRequest
    /// The JSON body; `null` when there is none.
    let body: SimJSON
    let now: Int64
    /// The variable parts of the path.
    let parameters: [String: String]
}

/// One interface of the vendor.
struct Operation: Sendable {
    let name: String
    let method: String
    let path: String
    let generation: Generation
    /// Needs the app's token.
    var token = true
    /// The permission it needs.
    var scope: String?
    /// Counts against the month.
    var counted = true
    let run: @Sendable (inout World, Call) throws(Refusal) -> SimJSON

    static let all: [Operation] = [
        // Tokens and Stream: neither needs a token, neither counts.
        Operation(
            name: "token.new", method: "POST", path: "/v1.0/oauth2/accessToken", generation: .new, token: false,
            counted: false, run: { world, call throws(Refusal) in try world.newToken(call) }),
        Operation(
            name: "token.unified", method: "POST", path: "/v1.0/oauth2/{corpId}/token", generation: .new, token: false,
            counted: false, run: { world, call throws(Refusal) in try world.unifiedToken(call) }),
        Operation(
            name: "token.old", method: "GET", path: "/gettoken", generation: .old, token: false, counted: false,
            run: { world, call throws(Refusal) in try world.oldToken(call) }),

        // Approvals.
        Operation(
            name: "approval.templates", method: "GET", path: "/v1.0/workflow/processes/userVisibilities/templates",
            generation: .new, scope: "Workflow.Form.Read",
            run: { world, call throws(Refusal) in try world.templates(call) }),
        Operation(
            name: "approval.schema", method: "GET", path: "/v1.0/workflow/forms/schemas/processCodes",
            generation: .new, scope: "Workflow.Form.Read",
            run: { world, call throws(Refusal) in try world.schema(call) }),
        Operation(
            name: "approval.list", method: "POST", path: "/v1.0/workflow/processes/instanceIds/query",
            generation: .new, scope: "Workflow.Instance.Read",
            run: { world, call throws(Refusal) in try world.instanceIDs(call) }),
        Operation(
            name: "approval.detail", method: "GET", path: "/v1.0/workflow/processInstances", generation: .new,
            scope: "Workflow.Instance.Read", run: { world, call throws(Refusal) in try world.instanceDetail(call) }),
        Operation(
            name: "approval.comment", method: "POST", path: "/v1.0/workflow/processInstances/comments",
            generation: .new, scope: "Workflow.Instance.Write",
            run: { world, call throws(Refusal) in try world.comment(call) }),
        Operation(
            name: "approval.attachment", method: "POST",
            path: "/v1.0/workflow/processInstances/spaces/files/urls/download", generation: .new,
            scope: "Workflow.Instance.Read", run: { world, call throws(Refusal) in try world.attachment(call) }),
        Operation(
            name: "approval.terminate", method: "POST", path: "/v1.0/workflow/processInstances/terminate",
            generation: .new, scope: "Workflow.Instance.Write",
            run: { world, call throws(Refusal) in try world.terminate(call) }),

        // People: these do not count against the month.
        Operation(
            name: "contact.user", method: "POST", path: "/topapi/v2/user/get", generation: .old,
            scope: "qyapi_get_member", counted: false,
            run: { world, call throws(Refusal) in try world.user(call) }),
        Operation(
            name: "contact.department", method: "POST", path: "/topapi/v2/department/get", generation: .old,
            scope: "qyapi_get_department_list", counted: false,
            run: { world, call throws(Refusal) in try world.department(call) }),
        Operation(
            name: "contact.departments", method: "POST", path: "/topapi/v2/department/listsub", generation: .old,
            scope: "qyapi_get_department_list", counted: false,
            run: { world, call throws(Refusal) in try world.departments(call) }),
        Operation(
            name: "contact.departmentIds", method: "POST", path: "/topapi/v2/department/listsubid", generation: .old,
            scope: "qyapi_get_department_list", counted: false,
            run: { world, call throws(Refusal) in try world.departmentIDs(call) }),
        Operation(
            name: "contact.userIds", method: "POST", path: "/topapi/user/listid", generation: .old,
            scope: "qyapi_get_department_member", counted: false,
            run: { world, call throws(Refusal) in try world.userIDs(call) }),

        // Messages.
        Operation(
            name: "robot.send", method: "POST", path: "/robot/send", generation: .old, token: false, counted: false,
            run: { world, call throws(Refusal) in try world.robotSend(call) }),
        Operation(
            name: "robot.reply", method: "POST", path: "/robot/sendBySession", generation: .old, token: false,
            counted: false, run: { world, call throws(Refusal) in try world.robotReply(call) }),
        Operation(
            name: "app.group", method: "POST", path: "/v1.0/robot/groupMessages/send", generation: .new,
            scope: "qyapi_robot_sendmsg", run: { world, call throws(Refusal) in try world.groupMessage(call) }),
        Operation(
            name: "app.person", method: "POST", path: "/v1.0/robot/oToMessages/batchSend", generation: .new,
            scope: "qyapi_robot_sendmsg", run: { world, call throws(Refusal) in try world.personMessage(call) }),
        Operation(
            name: "app.ding", method: "POST", path: "/v1.0/robot/ding/send", generation: .new,
            scope: "qyapi_robot_sendmsg", run: { world, call throws(Refusal) in try world.ding(call) }),
        Operation(
            name: "notification.send", method: "POST", path: "/topapi/message/corpconversation/asyncsend_v2",
            generation: .old, scope: "qyapi_send_work_msg",
            run: { world, call throws(Refusal) in try world.notify(call) }),
        Operation(
            name: "notification.result", method: "POST", path: "/topapi/message/corpconversation/getsendresult",
            generation: .old, scope: "qyapi_send_work_msg",
            run: { world, call throws(Refusal) in try world.notificationResult(call) }),
    ]

    /// The operation of a request with the variable parts of its path.
    static func find(_ request: SimRequest) -> (operation: Operation, parameters: [String: String])? {
        for operation in all where operation.method == request.method {
            if let parameters = operation.match(request.path) { return (operation, parameters) }
        }
        return nil
    }

    private func match(_ actual: String) -> [String: String]? {
        if path == actual { return [:] }
        let wanted = path.split(separator: "/")
        let given = actual.split(separator: "/")
        guard path.contains("{"), wanted.count == given.count else { return nil }
        var parameters: [String: String] = [:]
        for (name, value) in zip(wanted, given) {
            if name.hasPrefix("{") {
                parameters[String(name.dropFirst().dropLast())] = String(value)
            } else if name != value {
                return nil
            }
        }
        return parameters
    }
}

extension World {
    /// Answers a request of either generation.
    mutating func answer(_ request: SimRequest, now: Int64) -> SimResponse {
        guard let (operation, parameters) = Operation.find(request) else { return unknown(request) }
        do {
            return .json(try perform(operation, request, parameters, now: now))
        } catch {
            refusals[operation.name, default: 0] += 1
            return error.response(request: requestID())
        }
    }

    private mutating func unknown(_ request: SimRequest) -> SimResponse {
        let id = requestID()
        if request.path.hasPrefix("/v1.0/") || request.path.hasPrefix("/v2.0/") {
            return Refusal.new(
                status: 404, code: "InvalidAction.NotFound",
                message: "Specified api is not found, please check your url and method."
            ).response(request: id)
        }
        return .json([
            "errcode": 22, "errmsg": "Invalid method[submsg=不合法的接口]", "sub_msg": "不合法的接口",
            "request_id": .string(id),
        ])
    }

    private mutating func perform(
        _ operation: Operation, _ request: SimRequest, _ parameters: [String: String], now: Int64
    ) throws(Refusal) -> SimJSON {
        calls[operation.name, default: 0] += 1
        if operation.token { try authenticate(operation, request, now: now) }
        if let scope = operation.scope { try permit(scope, operation.generation) }
        if !operation.token, operation.name.hasPrefix("token.") {
            guard admit("tokens", limit: config.tokensPerMinute, milliseconds: 60_000, now: now) else {
                throw .tooManyTokens(operation.generation)
            }
        }
        if !operation.name.hasPrefix("robot.") {
            guard admit(operation.name, limit: config.callsPerSecond, milliseconds: 1_000, now: now) else {
                throw .tooFast(operation.generation)
            }
        }
        if operation.counted {
            let month = Time.month(now)
            guard countedCalls[month, default: 0] < config.monthlyCalls else {
                throw .quotaSpent(operation.generation)
            }
            countedCalls[month, default: 0] += 1
        }
        let body = try read(request, operation)
        return try operation.run(&self, Call(request: request, body: body, now: now, parameters: parameters))
    }

    private func read(_ request: SimRequest, _ operation: Operation) throws(Refusal) -> SimJSON {
        guard request.method != "GET" else { return .null }
        let type = request.header("content-type")?.lowercased() ?? ""
        switch operation.generation {
        case .new:
            guard type.hasPrefix("application/json"), let body = try? SimJSON.parse(request.body), body.object != nil
            else { throw .bad("invalidParameter", "请求体不是合法的JSON") }
            return body
        case .old:
            // Robots take JSON only.
            if !operation.name.hasPrefix("robot."), type.hasPrefix("application/x-www-form-urlencoded") {
                var out = SimObject()
                for (name, value) in request.form { out[name] = (try? SimJSON.parse(value)) ?? .string(value) }
                return .object(out)
            }
            guard type.hasPrefix("application/json") else {
                throw .old(errcode: 43004, errmsg: "无效的HTTP HEADER Content-Type")
            }
            guard let body = try? SimJSON.parse(request.body), body.object != nil else {
                throw .old(errcode: 40035, errmsg: "不合法的参数")
            }
            return body
        }
    }

    private mutating func authenticate(_ operation: Operation, _ request: SimRequest, now: Int64) throws(Refusal) {
        switch operation.generation {
        case .new:
            guard let value = request.header("x-acs-dingtalk-access-token"), !value.isEmpty else {
                throw .new(
                    status: config.authenticationStatus, code: "InvalidAuthentication", message: "缺少access_token")
            }
            guard state(of: value, now: now) == .valid else {
                throw .new(
                    status: config.authenticationStatus, code: "InvalidAuthentication",
                    message: "不合法的access_token")
            }
        case .old:
            guard let value = request.query("access_token"), !value.isEmpty else {
                throw .old(errcode: 41001, errmsg: "缺少access_token参数")
            }
            switch state(of: value, now: now) {
            case .valid: return
            case .expired: throw .old(errcode: 42001, errmsg: "access_token超时")
            case .unknown:
                // The gateway of topapi wraps the cause, the older calls say it plainly.
                guard operation.path.hasPrefix("/topapi/v2/") else {
                    throw .old(errcode: 40014, errmsg: "不合法的access_token")
                }
                throw .gateway(subCode: "40014", subMessage: "不合法的access_token")
            }
        }
    }

    private func permit(_ scope: String, _ generation: Generation) throws(Refusal) {
        guard !scopes.contains(scope) else { return }
        switch generation {
        case .new:
            throw .new(
                status: 403, code: "Forbidden.AccessDenied.AccessTokenPermissionDenied",
                message: "应用尚未开通所需的权限：[\(scope)]", scopes: [scope])
        case .old: throw .gateway(subCode: "60011", subMessage: "没有调用该接口的权限")
        }
    }

    /// The success shape of the old generation.
    mutating func ok(_ result: SimJSON? = nil) -> SimJSON {
        var out: SimJSON = ["errcode": 0, "errmsg": "ok"]
        if let result { out["result"] = result }
        out["request_id"] = .string(requestID())
        return out
    }
}
