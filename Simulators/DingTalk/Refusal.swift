import SimulatorKit

/// Which of the vendor's two interface generations an operation belongs to, and so how it takes the token and refuses.
enum Generation {
    /// Token in the header `x-acs-dingtalk-access-token`, errors by HTTP status.
    case new
    /// Token in the query, HTTP 200 always, errors by errcode.
    case old
}

/// Why an operation is refused.
enum Refusal: Error {
    /// HTTP status, code, message, and the scopes that are missing.
    case new(status: Int, code: String, message: String, scopes: [String] = [])
    /// errcode and errmsg.
    case old(errcode: Int, errmsg: String)
    /// errcode 88 with the cause beneath.
    case gateway(subCode: String, subMessage: String)

    /// 400 of the new generation.
    static func bad(_ code: String, _ message: String) -> Refusal { .new(status: 400, code: code, message: message) }

    func response(request id: String) -> SimResponse {
        switch self {
        case .new(let status, let code, let message, let scopes):
            var body: SimJSON = [
                "code": .string(code), "message": .string(message), "requestid": .string(id.uppercased()),
            ]
            if !scopes.isEmpty { body["accessdenieddetail"] = ["requiredScopes": SimJSON(scopes)] }
            return .json(body, status: status)
        case .old(let errcode, let errmsg):
            return .json(["errcode": SimJSON(errcode), "errmsg": .string(errmsg), "request_id": .string(id)])
        case .gateway(let code, let message):
            return .json([
                "errcode": 88, "sub_code": .string(code), "sub_msg": .string(message),
                "errmsg": .string("ding talk error[subcode=\(code),submsg=\(message)]"), "request_id": .string(id),
            ])
        }
    }

    static func tooFast(_ generation: Generation) -> Refusal {
        generation == .new
            ? .new(
                status: 403, code: "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
                message: "您的服务器调用钉钉开放平台当前接口的所有请求都被暂时禁用了，请稍后重试")
            : .gateway(subCode: "90018", subMessage: "您的服务器调用钉钉开放平台当前接口的QPS超过上限，请稍后重试")
    }

    static func tooManyTokens(_ generation: Generation) -> Refusal {
        generation == .new
            ? .new(
                status: 403, code: "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi",
                message: "您的服务器调用钉钉开放平台当前接口的每分钟请求数超过上限")
            : .gateway(subCode: "90006", subMessage: "您的服务器调用钉钉开放平台当前接口的每分钟请求数超过上限")
    }

    static func quotaSpent(_ generation: Generation) -> Refusal {
        generation == .new
            ? .new(
                status: 403, code: "Forbidden.AccessDenied.ApiCountLimitForOrg", message: "您的企业本月接口调用次数已用完")
            : .gateway(subCode: "90020", subMessage: "您的企业本月接口调用次数已用完")
    }

    static func failure(_ generation: Generation) -> Refusal {
        generation == .new
            ? .new(status: 500, code: "systemError", message: "系统错误，请稍后重试") : .old(errcode: -1, errmsg: "系统繁忙")
    }
}
