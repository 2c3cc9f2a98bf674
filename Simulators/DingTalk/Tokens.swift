import SimulatorKit

extension World {
    mutating func newToken(_ call: Call) throws(Refusal) -> SimJSON {
        guard let key = call.body["appKey"]?.string, !key.isEmpty else {
            throw .bad("MissingappKey", "appKey is mandatory for this action.")
        }
        guard let secret = call.body["appSecret"]?.string, !secret.isEmpty else {
            throw .bad("MissingappSecret", "appSecret is mandatory for this action.")
        }
        guard key == config.appKey, secret == config.appSecret else {
            throw .bad("invalidClientIdOrSecret", "无效的clientId或者clientSecret")
        }
        return ["accessToken": .string(issueToken(now: call.now)), "expireIn": SimJSON(config.tokenLife)]
    }

    mutating func unifiedToken(_ call: Call) throws(Refusal) -> SimJSON {
        guard call.body["grant_type"]?.string == "client_credentials" else {
            throw .bad("unsupported.grant.type", "不支持的grant_type")
        }
        guard call.body["client_id"]?.string == config.appKey else {
            throw .new(status: 401, code: "unauthorized.client", message: "未授权的client")
        }
        guard call.body["client_secret"]?.string == config.appSecret, call.parameters["corpId"] == config.corp else {
            throw .bad("invalid.client", "无效的client_id或client_secret")
        }
        return ["access_token": .string(issueToken(now: call.now)), "expires_in": SimJSON(config.tokenLife)]
    }

    mutating func oldToken(_ call: Call) throws(Refusal) -> SimJSON {
        guard call.request.query("appkey") == config.appKey, call.request.query("appsecret") == config.appSecret else {
            throw .old(errcode: 40089, errmsg: "不合法的corpid或corpsecret")
        }
        return [
            "errcode": 0, "errmsg": "ok", "access_token": .string(issueToken(now: call.now)),
            "expires_in": SimJSON(config.tokenLife),
        ]
    }
}
