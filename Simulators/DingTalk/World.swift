import SimulatorKit

/// Everything the simulated vendor knows, apart from the Stream connections.
struct World: Sendable {
    struct Config {
        var appKey = "dingdemoappkey000001"
        var appSecret = "demo-secret-for-the-simulator-only-0123456789"
        var corp = "ding0f1e2d3c4b5a69788"
        var agent = 3_001_002_003
        var robotToken = "5f2d0c7a9b8e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a29181706"
        var robotSecret = "SEC0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        var keywordRobotToken = "1111111122222222333333334444444455555555666666667777777788888888"
        var keyword = "日报"
        var group = "cidSample0001=="
        /// How many DINGs are left: none in the standard edition.
        var dings = 0
        var callsPerSecond = DingTalkLimits.callsPerSecond
        var tokensPerMinute = DingTalkLimits.tokensPerMinute
        var tokenLife = DingTalkLimits.tokenLife
        var monthlyCalls = DingTalkLimits.monthlyCalls
        var monthlyPushes = DingTalkLimits.monthlyPushes
        /// 400, or 401 as some answers have been seen.
        var authenticationStatus = 400
    }

    struct Token {
        let value: String
        var expires: Int64
    }

    struct Robot {
        enum Security {
            case sign(secret: String)
            case keyword(String)
        }

        let security: Security
        var stopped = false
        var sent: [Int64] = []
        var shutUntil: Int64 = 0
        var delivered: Set<String> = []
    }

    struct Message {
        let robot: String
        let at: Int64
        let body: SimJSON
    }

    struct Notification {
        let task: Int64
        let at: Int64
        let receivers: [String]
        let invalid: [String]
        let delivered: [String]
        let silent: [String]
        let message: SimJSON
    }

    struct Download {
        let file: Instance.File
        let expires: Int64
    }

    static let allScopes: Set<String> = [
        "Workflow.Instance.Read", "Workflow.Instance.Write", "Workflow.Form.Read", "qyapi_get_member",
        "qyapi_get_department_list", "qyapi_get_department_member", "fieldMobile", "qyapi_send_work_msg",
        "qyapi_robot_sendmsg",
    ]

    var config: Config
    var random: SeededGenerator
    var baseURL = ""

    var token: Token?
    var expiredTokens: Set<String> = []
    var tokensIssued = 0
    var scopes = World.allScopes

    var windows: [String: [Int64]] = [:]
    var calls: [String: Int] = [:]
    var refusals: [String: Int] = [:]
    var countedCalls: [String: Int] = [:]
    var countedPushes: [String: Int] = [:]

    var instances: [String: Instance] = [:]
    var order: [String] = []
    var downloads: [String: Download] = [:]

    var robots: [String: Robot]
    var messages: [Message] = []
    var notifications: [Notification] = []
    var sessions: [String: Int64] = [:]
    var sessionReplies: [SimJSON] = []
    var appMessages: [SimJSON] = []

    init(config: Config, seed: UInt64) {
        self.config = config
        random = SeededGenerator(seed: seed)
        robots = [
            config.robotToken: Robot(security: .sign(secret: config.robotSecret)),
            config.keywordRobotToken: Robot(security: .keyword(config.keyword)),
        ]
    }

    mutating func requestID() -> String { random.hex(16) }

    mutating func add(_ instance: Instance) {
        if instances.updateValue(instance, forKey: instance.id) == nil { order.append(instance.id) }
    }

    var agreed: [Instance] {
        order.compactMap { instances[$0] }.filter { $0.outcome == .agreed && $0.action == "NONE" }
    }

    /// Ends the life of every token.
    mutating func expireTokens() {
        if let token { expiredTokens.insert(token.value) }
        token = nil
    }

    /// The token of the app: the same while it is valid, its time renewed; a new one afterwards.
    mutating func issueToken(now: Int64) -> String {
        if let token, token.expires <= now { expireTokens() }
        let value = token?.value ?? random.hex(32)
        if token == nil { tokensIssued += 1 }
        token = Token(value: value, expires: now + Int64(config.tokenLife) * 1000)
        return value
    }

    enum TokenState { case valid, expired, unknown }

    mutating func state(of value: String, now: Int64) -> TokenState {
        if let token, token.expires <= now { expireTokens() }
        if value == token?.value { return .valid }
        return expiredTokens.contains(value) ? .expired : .unknown
    }

    /// Counts a call into a sliding window; false when the window is full.
    mutating func admit(_ window: String, limit: Int, milliseconds: Int64, now: Int64) -> Bool {
        var recent = windows[window, default: []]
        recent.removeAll { $0 <= now - milliseconds }
        let free = recent.count < limit
        if free { recent.append(now) }
        windows[window] = recent
        return free
    }

    /// Counts a push against the month; false when the month's pushes are spent.
    mutating func countPush(now: Int64) -> Bool {
        let month = Time.month(now)
        guard countedPushes[month, default: 0] < config.monthlyPushes else { return false }
        countedPushes[month, default: 0] += 1
        return true
    }
}
