import DingTalk
import PluginKit
import PluginKitTesting
import Synchronization
import Values

/// A small vendor for unit tests: answers in the shapes of the public specification, and answers a test puts first.
final class FakeDingTalk: Sendable {
    private struct State {
        var script: [String: [FakeAnswer]] = [:]
        var standing: [String: FakeAnswer] = [:]
        var history: [String] = []
        var tokens = 0
        var approvals: [String: JSON] = [:]
    }

    private let state = Mutex(State())

    /// These answers come once each, before the ordinary ones.
    func script(_ operation: String, _ answers: FakeAnswer...) {
        state.withLock { $0.script[operation, default: []] += answers }
    }

    /// This answer comes every time.
    func always(_ operation: String, _ answer: FakeAnswer) { state.withLock { $0.standing[operation] = answer } }

    /// The approval `id`, as the `result` of the detail call.
    func put(_ id: String, _ result: JSON) { state.withLock { $0.approvals[id] = result } }

    /// The operations called, in order.
    var history: [String] { state.withLock { $0.history } }
    func forget() { state.withLock { $0.history = [] } }

    func answer(_ request: SeenRequest) -> FakeAnswer {
        let operation = Self.operation(of: request)
        return state.withLock { state in
            state.history.append(operation)
            if var queue = state.script[operation], !queue.isEmpty {
                let next = queue.removeFirst()
                state.script[operation] = queue
                return next
            }
            return state.standing[operation] ?? Self.perform(operation, request, &state)
        }
    }

    static func operation(of request: SeenRequest) -> String {
        let path = String(request.path.prefix { $0 != "?" })
        return switch path {
        case "/v1.0/oauth2/accessToken": "token"
        case "/v1.0/workflow/processInstances": "detail"
        case "/v1.0/workflow/processInstances/comments": "comment"
        case "/v1.0/workflow/processes/instanceIds/query": "list"
        case "/v1.0/gateway/connections/open": "stream"
        case "/topapi/v2/user/get": "user"
        case "/topapi/v2/department/listsubid": "departments"
        case "/topapi/message/corpconversation/asyncsend_v2": "notify"
        case "/robot/send": "robot"
        default: path
        }
    }

    private static func perform(_ operation: String, _ request: SeenRequest, _ state: inout State) -> FakeAnswer {
        switch operation {
        case "token":
            state.tokens += 1
            return .json(["accessToken": .string("token-\(state.tokens)"), "expireIn": 7200])
        case "detail":
            let id = request.url.split(separator: "=").last.map(String.init) ?? ""
            guard let result = state.approvals[id] else { return bad("processInstanceNotExist") }
            return .json(["success": "true", "result": result])
        case "comment": return .json(["result": true, "success": true])
        case "list": return .json(["success": true, "result": ["list": []]])
        case "stream": return .json(["endpoint": "wss://stream.example.test:443/connect", "ticket": "t+/= 1"])
        case "user":
            let user = request.json?["userid"]?.string ?? ""
            guard user == "user001" else { return old(60121, "找不到该用户") }
            return .json(["errcode": 0, "errmsg": "ok", "result": ["name": "张三", "job_number": "E001"]])
        case "departments": return .json(["errcode": 0, "errmsg": "ok", "result": ["dept_id_list": [2, 3]]])
        case "notify":
            return .reply(
                status: 200, headers: [],
                body: Array(#"{"errcode":0,"task_id":9007199254740993,"request_id":"r"}"#.utf8))
        case "robot": return .json(["errcode": "0", "errmsg": "ok"])
        default: return .text("not found", status: 404)
        }
    }

    // MARK: - answers

    /// A refusal of the new API.
    static func bad(_ code: JSON, status: Int = 400, _ message: String = "说明") -> FakeAnswer {
        .json(["code": code, "message": .string(message), "requestid": "9A2B-7F"], status: status)
    }

    /// A refusal of the old API.
    static func old(_ code: JSON, _ message: String = "说明") -> FakeAnswer {
        .json(["errcode": code, "errmsg": .string(message), "request_id": "5imj"])
    }

    /// The old API's gateway: the real code is inside.
    static func gateway(_ sub: JSON, code: JSON = 88) -> FakeAnswer {
        .json(["errcode": code, "sub_code": sub, "sub_msg": "原因", "errmsg": "ding talk error", "request_id": "5imj"])
    }
}

enum Sample {
    static let appKey = "dingexampleappkey01"
    static let appSecret = "AppSecret_example_0123456789"
    static let robotToken = "robot+token/0123"
    static let robotSecret = "SEC0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static let key = "abcdefghijklmnopqrstuvwxyz234567"

    static let everySecret = [
        "app_key": appKey, "app_secret": appSecret, "robot_token": robotToken, "robot_secret": robotSecret,
    ]

    static func host(_ vendor: FakeDingTalk, secrets: [String: String] = everySecret) -> FakeHost {
        FakeHost(secrets: secrets) { vendor.answer($0) }
    }

    static var plugin: PluginFunctions {
        PluginFunctions(
            initialize: { dingtalkInit($0) }, ability: { dingtalkAbility($0) }, open: { dingtalkOpen($0, $1, $2) },
            close: { dingtalkClose($0) })
    }

    static func connection(
        _ host: FakeHost, _ more: JSONObject = [:], name: String = "dingtalk", timeZone: String = "Asia/Shanghai"
    ) throws -> FakeConnection {
        var settings: JSONObject = [
            "corp_id": "ding0123456789abcdef", "old_endpoint": "https://oapi.example.test", "agent_id": "3001002003",
        ]
        for (name, value) in more { settings[name] = value }
        return try host.open(
            plugin, product: "standard", endpoint: "https://api.example.test/", settings: .object(settings), name: name,
            timeZone: timeZone)
    }

    /// The `result` of a detail call, with these members changed and these components.
    static func approval(_ more: JSONObject = [:], _ components: [JSON] = []) -> JSON {
        var result: JSONObject = [
            "title": "张三提交的差旅报销", "businessId": "202601051034000123456", "status": "COMPLETED", "result": "agree",
            "bizAction": "NONE", "originatorUserId": "user001", "originatorDeptId": "1001",
            "originatorDeptName": "销售部", "createTime": "2026-01-05T10:34Z", "finishTime": "2026-01-05T11:52Z",
            "mainProcessInstanceId": nil, "formComponentValues": .array(components),
        ]
        for (name, value) in more { result[name] = value }
        return .object(result)
    }

    /// Reads one approval made of these components and gives its first field.
    static func field(_ component: JSON) throws -> JSON? { try document([component])["fields"]?[0] }

    /// Reads one approval made so.
    static func document(
        _ components: [JSON] = [], _ more: JSONObject = [:], settings: JSONObject = [:],
        timeZone: String = "Asia/Shanghai"
    ) throws -> JSON {
        let vendor = FakeDingTalk()
        vendor.put("pi-0001", approval(more, components))
        let connection = try connection(host(vendor), settings, timeZone: timeZone)
        return try connection.read("approval", ids: ["pi-0001"]).records.first?.document ?? .null
    }
}
