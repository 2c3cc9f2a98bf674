import SimulatorKit
import Synchronization

/// DingTalk: tokens of both generations, Stream, approvals, people, robots and work notifications, with sample data.
///
/// Settings (all optional): `app_key`, `app_secret`, `corp_id`, `agent_id`; limits `calls_per_second`,
/// `tokens_per_minute`, `monthly_calls`, `monthly_pushes`, `token_seconds`, `auth_status` (400 or 401), `dings` (left; 0); Stream
/// `ack_ms`, `later_ms`, `ping_ms` (0: none), `disconnect_ms`, `retention_ms`; and approvals that are there from the
/// start: `approvals`, `rejected`, `withdrawn`, `running`, `missing_code`, `revoked`, `modified`, `filed_days_ago`,
/// `templates` (comma list of expense, payment, loan).
public final class DingTalkSimulator: Simulator {
    /// `dingtalk`
    public static let name = "dingtalk"
    /// The time it lives in.
    public let clock: any SimClock
    /// Names that only this vendor uses for secrets.
    public var secretNames: Set<String> { ["session", "systemToken"] }

    private let world: Mutex<World>
    private let hub: StreamHub
    private let maker: Mutex<ApprovalMaker>

    /// A simulator with its organisation and templates in place.
    public init(options: SimulatorOptions) throws {
        if let unknown = options.settings.keys.sorted().first(where: { !Self.settingNames.contains($0) }) {
            throw SimulatorOptionError(setting: unknown, value: options.settings[unknown] ?? "")
        }
        var config = World.Config()
        config.appKey = options.settings["app_key"] ?? config.appKey
        config.appSecret = options.settings["app_secret"] ?? config.appSecret
        config.corp = options.settings["corp_id"] ?? config.corp
        config.agent = try options.int("agent_id", default: config.agent)
        config.callsPerSecond = try options.int("calls_per_second", default: config.callsPerSecond)
        config.tokensPerMinute = try options.int("tokens_per_minute", default: config.tokensPerMinute)
        config.tokenLife = try options.int("token_seconds", default: config.tokenLife)
        config.monthlyCalls = try options.int("monthly_calls", default: config.monthlyCalls)
        config.monthlyPushes = try options.int("monthly_pushes", default: config.monthlyPushes)
        config.authenticationStatus = try options.int("auth_status", default: config.authenticationStatus)
        config.dings = try options.int("dings", default: config.dings)
        guard [400, 401].contains(config.authenticationStatus) else {
            throw SimulatorOptionError(setting: "auth_status", value: "\(config.authenticationStatus)")
        }
        var stream = StreamHub.Settings()
        stream.acknowledge = try options.int("ack_ms", default: stream.acknowledge)
        stream.later = try options.int("later_ms", default: stream.later)
        stream.ping = try options.int("ping_ms", default: stream.ping)
        stream.disconnectGrace = try options.int("disconnect_ms", default: stream.disconnectGrace)
        stream.retention = Int64(try options.int("retention_ms", default: Int(stream.retention)))

        clock = options.clock
        let world = World(config: config, seed: options.seed)
        self.world = Mutex(world)
        maker = Mutex(ApprovalMaker(random: SeededGenerator(seed: options.seed &+ 1)))
        let clock = options.clock
        let purse = Purse()
        hub = StreamHub(
            clock: clock, seed: options.seed &+ 2, app: config.appKey, corp: config.corp, settings: stream,
            afford: { purse.afford() })
        purse.fill { [weak self] in self?.world.withLock { $0.countPush(now: clock.now()) } ?? false }

        var wanted = SimObject()
        for key in Self.planKeys { if let text = options.settings[key] { wanted[key] = .number(text) } }
        if let count = options.settings["approvals"] { wanted["count"] = .number(count) }
        if let templates = options.settings["templates"] {
            wanted["templates"] = SimJSON(templates.split(separator: ",").map(String.init))
        }
        if wanted["count"] != nil {
            do {
                _ = generate(try Self.plan(.object(wanted)))
            } catch {
                throw SimulatorOptionError(setting: "approvals", value: error.reason)
            }
        }
    }

    /// Learns its own address, for download links and the Stream endpoint.
    public func started(at baseURL: String) async { world.withLock { $0.baseURL = baseURL } }

    /// Drops the Stream connections.
    public func stopped() async { await hub.stop() }

    // MARK: Requests

    /// The vendor's operation behind a request.
    public func operation(of request: SimRequest) -> String? {
        if let found = Operation.find(request) { return found.operation.name }
        switch (request.method, request.path) {
        case ("POST", "/v1.0/gateway/connections/open"): return "stream.open"
        case ("GET", "/connect"): return "stream.connect"
        case ("GET", let path) where path.hasPrefix("/_file/"): return "file.download"
        default: return nil
        }
    }

    /// Answers a vendor request.
    public func handle(_ request: SimRequest) async -> SimResponse {
        let now = clock.now()
        switch operation(of: request) {
        case "stream.open": return open(request, now: now)
        case "stream.connect": return .text("ticket is invalid", status: 401)
        case "file.download":
            return world.withLock { $0.download(String(request.path.dropFirst("/_file/".count)), now: now) }
        default: return world.withLock { $0.answer(request, now: now) }
        }
    }

    private func open(_ request: SimRequest, now: Int64) -> SimResponse {
        do {
            let (url, subscriptions) = try world.withLock { world throws(Refusal) in
                world.calls["stream.open", default: 0] += 1
                guard let body = try? SimJSON.parse(request.body), body.object != nil,
                    request.header("content-type")?.lowercased().hasPrefix("application/json") == true
                else { throw .bad("invalidParameter", "请求体不是合法的JSON") }
                guard body["clientId"]?.string == world.config.appKey,
                    body["clientSecret"]?.string == world.config.appSecret
                else { throw .new(status: 401, code: "invalidClientIdOrSecret", message: "无效的clientId或者clientSecret") }
                let subscriptions = try StreamHub.subscriptions(body["subscriptions"])
                guard world.admit("stream.open", limit: world.config.callsPerSecond, milliseconds: 1_000, now: now)
                else { throw .tooFast(.new) }
                return (world.baseURL, subscriptions)
            }
            let endpoint = "ws" + url.dropFirst("http".count) + "/connect"
            return .json(["endpoint": .string(endpoint), "ticket": .string(hub.ticket(subscriptions))])
        } catch {
            return world.withLock { world in
                world.refusals["stream.open", default: 0] += 1
                return error.response(request: world.requestID())
            }
        }
    }

    /// Takes an upgrade with a good ticket.
    public func accepts(socket request: SimRequest) async -> Bool {
        request.path == "/connect" && hub.holds(request.query("ticket"))
    }

    /// Serves a Stream connection.
    public func serve(_ socket: SimSocket, request: SimRequest) async {
        await hub.serve(socket, ticket: request.query("ticket"))
    }

    /// The vendor's own shapes of misbehaviour; further kinds: `ipBan` and `punish` (the two pages of a shut-out
    /// address), `quota` (the month's calls are spent), `flowControl` (a message to people reaches none of them),
    /// `error:CODE` (any refusal of the operation's generation).
    public func answer(to fault: Fault.Kind, _ request: SimRequest) async -> SimResponse? {
        let found = Operation.find(request)?.operation
        let generation = found?.generation ?? (request.path.hasPrefix("/topapi/") ? .old : .new)
        switch fault {
        case .expireTokens:
            world.withLock { $0.expireTokens() }
            return nil
        case .rateLimit:
            let refusal: Refusal =
                found?.name == "robot.send"
                ? .old(errcode: 410100, errmsg: "发送速度太快而限流") : .tooFast(generation)
            return world.withLock { refusal.response(request: $0.requestID()) }
        case .http500: return world.withLock { Refusal.failure(generation).response(request: $0.requestID()) }
        case .htmlPage, .vendor("ipBan"): return .html(Self.banPage)
        case .vendor("punish"):
            return .json(["status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": .string(Self.banID)])
        case .vendor("quota"):
            return world.withLock { Refusal.quotaSpent(generation).response(request: $0.requestID()) }
        case .vendor("flowControl") where found?.name == "app.person":
            let body = try? SimJSON.parse(request.body)
            return .json([
                "processQueryKey": "0", "invalidStaffIdList": [], "flowControlledStaffIdList": body?["userIds"] ?? [],
            ])
        case .vendor(let name) where name.hasPrefix("error:"):
            let refusal = Self.refusal(String(name.dropFirst("error:".count)), generation)
            return world.withLock { refusal.response(request: $0.requestID()) }
        default: return nil
        }
    }

    /// A refusal with any code: `error:IpNotInWhiteList`, `error:90002`, `error:88/60020`.
    private static func refusal(_ code: String, _ generation: Generation) -> Refusal {
        switch generation {
        case .new:
            let status =
                code.hasPrefix("Forbidden.")
                ? 403
                : code == "ServiceUnavailable"
                    ? 503 : ["systemError", "system.error", "server.error", "unknown.error"].contains(code) ? 500 : 400
            return .new(status: status, code: code, message: code)
        case .old:
            let parts = code.split(separator: "/")
            guard parts.count == 2 else { return .old(errcode: Int(code) ?? -1, errmsg: code) }
            return .gateway(subCode: String(parts[1]), subMessage: String(parts[1]))
        }
    }

    private static let banID = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
    private static let banPage = """
        <!DOCTYPE html><html><head><meta charset="utf-8"><title>访问被拒绝</title></head>
        <body><h1>很抱歉，由于您访问的URL有可能对网站造成安全威胁，您的访问被阻断。</h1><p>\(banID)</p></body></html>
        """

    // MARK: What a test or a demo can ask for

    /// Makes approvals at once, without telling anybody; give their number to `push` to tell.
    @discardableResult
    public func generate(_ plan: ApprovalPlan, seed: UInt64? = nil) -> [String] {
        let made = make(plan, seed: seed)
        world.withLock { world in for instance in made { world.add(instance) } }
        return made.map(\.id)
    }

    /// Pushes the event of an approval's last change to the Stream.
    public func push(_ id: String) async {
        let (instance, event) = world.withLock { world in (world.instances[id], world.random.hex(32)) }
        guard let instance else { return }
        await hub.push(
            event: "bpms_instance_change", id: event,
            data: instance.event(event, kind: instance.change, at: clock.now()))
    }

    private func make(_ plan: ApprovalPlan, seed: UInt64?) -> [Instance] {
        let before = world.withLock { $0.agreed }
        let now = clock.now()
        if let seed {
            var own = ApprovalMaker(random: SeededGenerator(seed: seed))
            return own.make(plan, agreedBefore: before, now: now)
        }
        return maker.withLock { $0.make(plan, agreedBefore: before, now: now) }
    }

    static let settingNames: Set<String> = Set(
        [
            "app_key", "app_secret", "corp_id", "agent_id", "calls_per_second", "tokens_per_minute", "token_seconds",
            "monthly_calls", "monthly_pushes", "auth_status", "dings", "ack_ms", "later_ms", "ping_ms",
            "disconnect_ms", "retention_ms", "approvals", "templates",
        ] + planKeys)

    static let planKeys = [
        "rejected", "withdrawn", "running", "missing_code", "revoked", "modified", "filed_days_ago",
    ]

    static func plan(_ json: SimJSON) throws(FaultError) -> ApprovalPlan {
        func count(_ name: String, _ fallback: Int) throws(FaultError) -> Int {
            guard let value = json[name], !value.isNull else { return fallback }
            guard let number = value.int else { throw FaultError(reason: "\(name) must be a whole number") }
            return number
        }
        let templates: [String]
        switch json["templates"] ?? json["template"] {
        case .string("mix"): templates = Template.all.map(\.key)
        case .string(let one): templates = [one]
        case .array(let list): templates = list.map { $0.string ?? "" }
        default: templates = ["expense"]
        }
        let plan = ApprovalPlan(
            count: try count("count", 1), rejected: try count("rejected", 0), withdrawn: try count("withdrawn", 0),
            running: try count("running", 0), missingCode: try count("missing_code", 0),
            revoked: try count("revoked", 0), modified: try count("modified", 0), templates: templates,
            filedDaysAgo: try count("filed_days_ago", 0))
        if let objection = plan.objection { throw FaultError(reason: objection) }
        return plan
    }

    /// Answers `/_sim/approvals/generate`, `/_sim/approvals/push`, `/_sim/stream/…`, `/_sim/robot/…`,
    /// `/_sim/tokens/expire` and `/_sim/scopes`.
    public func control(_ request: SimRequest) async -> SimResponse? {
        guard request.method == "POST" else { return nil }
        let body: SimJSON
        if request.body.isEmpty {
            body = [:]
        } else {
            guard let read = try? SimJSON.parse(request.body), read.object != nil else {
                return .json(["error": "the body is not a JSON object"], status: 400)
            }
            body = read
        }
        let connection = body["connection"]?.string
        switch request.path {
        case "/_sim/approvals/generate": return generate(body)
        case "/_sim/approvals/push":
            guard let ids = body["ids"]?.array?.compactMap(\.string) else {
                return .json(["error": "ids is missing"], status: 400)
            }
            for id in ids { await push(id) }
            return .json(["pushed": SimJSON(ids.count)])
        case "/_sim/stream/ping": return .json(["connections": SimJSON(await hub.pingAll(connection))])
        case "/_sim/stream/disconnect": return .json(["connections": SimJSON(await hub.disconnect(connection))])
        case "/_sim/stream/drop": return .json(["connections": SimJSON(await hub.drop(connection))])
        case "/_sim/stream/silence": return .json(["connections": SimJSON(hub.silence(connection))])
        case "/_sim/stream/duplicate":
            let count = body["count"]?.int ?? 1
            hub.duplicate(next: count)
            return .json(["next": SimJSON(count)])
        case "/_sim/robot/message": return await say(body)
        case "/_sim/robot/stop":
            let stopped = body["stopped"]?.bool ?? true
            world.withLock { world in for key in world.robots.keys { world.robots[key]?.stopped = stopped } }
            return .json(["stopped": .bool(stopped)])
        case "/_sim/tokens/expire":
            world.withLock { $0.expireTokens() }
            return .json(["expired": true])
        case "/_sim/scopes":
            let scopes = world.withLock { world in
                for scope in body["remove"]?.array ?? [] { world.scopes.remove(scope.string ?? "") }
                for scope in body["grant"]?.array ?? [] { world.scopes.insert(scope.string ?? "") }
                return world.scopes.sorted()
            }
            return .json(["scopes": SimJSON(scopes)])
        default: return nil
        }
    }

    private func generate(_ body: SimJSON) -> SimResponse {
        let plan: ApprovalPlan
        do {
            plan = try Self.plan(body)
        } catch {
            return .json(["error": .string(error.reason)], status: 400)
        }
        let made = make(plan, seed: body["seed"]?.int.map { UInt64(bitPattern: Int64($0)) })
        let tell = body["push"]?.bool ?? true
        let pause = body["interval_ms"]?.int ?? 0
        if pause == 0 { world.withLock { world in for instance in made { world.add(instance) } } }
        Task {
            for instance in made {
                if pause > 0 {
                    try? await clock.sleep(milliseconds: pause)
                    var late = instance
                    if late.finished != nil { late.finished = clock.now() }
                    world.withLock { [late] in $0.add(late) }
                }
                if tell { await push(instance.id) }
            }
        }
        return .json(["created": .array(made.map(\.line))])
    }

    /// Lets a person say something to the robot.
    private func say(_ body: SimJSON) async -> SimResponse {
        guard let text = body["text"]?.string else { return .json(["error": "text is missing"], status: 400) }
        let user = body["user"]?.string ?? "user001"
        let group = body["group"]?.bool ?? true
        let now = clock.now()
        let (message, session, url, config, spent) = world.withLock { world in
            let message = "msg" + world.random.hex(20)
            let session = world.random.hex(32)
            world.sessions[session] = now + DingTalkLimits.sessionLife
            let spent = world.countedPushes[Time.month(now), default: 0] >= world.config.monthlyPushes
            return (message, session, world.baseURL, world.config, spent)
        }
        var data: SimJSON = [
            "conversationId": .string(config.group), "conversationType": group ? "2" : "1", "msgId": .string(message),
            "msgtype": "text", "senderNick": .string(Organisation.person(user)?.name ?? "访客"),
            "senderId": .string("$:LWCP_v1:$\(message)"), "senderCorpId": .string(config.corp),
            "chatbotCorpId": .string(config.corp), "chatbotUserId": "$:LWCP_v1:$bot",
            "robotCode": .string(config.appKey), "isAdmin": false, "isInAtList": .bool(group),
            "createAt": SimJSON(now), "sessionWebhook": .string("\(url)/robot/sendBySession?session=\(session)"),
            "sessionWebhookExpiredTime": SimJSON(now + DingTalkLimits.sessionLife),
        ]
        if group {
            data["conversationTitle"] = "销售群"
            data["atUsers"] = [["dingtalkId": "$:LWCP_v1:$bot"]]
        }
        // Only people of the own organisation carry their id.
        if Organisation.person(user) != nil { data["senderStaffId"] = .string(user) }
        if spent {
            data["errCode"] = 20001
        } else {
            data["text"] = ["content": .string(group ? " " + text : text)]
        }
        await hub.push(callback: "/v1.0/im/bot/messages/get", id: message, data: data, charged: !spent)
        return .json(["msgId": .string(message)])
    }

    /// Instances, comments, messages, counters, tokens and Stream.
    public func books() async -> SimJSON {
        let stream = hub.books
        let now = clock.now()
        return world.withLock { world in
            let instances = world.order.compactMap { world.instances[$0] }
            let agreed = instances.filter { $0.outcome == .agreed }
            let normal = agreed.filter { $0.action == "NONE" }
            func counters(_ values: [String: Int]) -> SimJSON {
                var out = SimObject()
                for key in values.keys.sorted() { out[key] = SimJSON(values[key] ?? 0) }
                return .object(out)
            }
            let month = Time.month(now)
            return [
                "instances": .array(instances.map(\.line)),
                "expected": [
                    "agreed": SimJSON(normal.count), "refused": SimJSON(instances.count { $0.outcome == .refused }),
                    "withdrawn": SimJSON(instances.count { $0.outcome == .withdrawn }),
                    "running": SimJSON(instances.count { $0.outcome == .running }),
                    "missing_code": SimJSON(normal.count { $0.missingCode }),
                    "revoked": SimJSON(agreed.count { $0.action == "REVOKE" }),
                    "modified": SimJSON(agreed.count { $0.action == "MODIFY" }),
                    "agreed_amount": .string(Money.plain(normal.reduce(0) { $0 + $1.cents })),
                ],
                "comments": SimJSON(instances.reduce(0) { $0 + $1.comments.count }),
                "messages": .array(
                    world.messages.map {
                        ["robot": .string($0.robot), "at": SimJSON($0.at), "body": $0.body]
                    }),
                "replies": .array(world.sessionReplies), "app_messages": .array(world.appMessages),
                "notifications": .array(
                    world.notifications.map {
                        [
                            "task_id": SimJSON($0.task), "receivers": SimJSON($0.receivers),
                            "delivered": SimJSON($0.delivered), "invalid": SimJSON($0.invalid),
                            "silently_dropped": SimJSON($0.silent), "message": $0.message,
                        ]
                    }),
                "calls": counters(world.calls), "refused": counters(world.refusals),
                "quota": [
                    "month": .string(month), "calls": SimJSON(world.countedCalls[month, default: 0]),
                    "calls_limit": SimJSON(world.config.monthlyCalls),
                    "pushes": SimJSON(world.countedPushes[month, default: 0]),
                    "pushes_limit": SimJSON(world.config.monthlyPushes),
                ],
                "tokens_issued": SimJSON(world.tokensIssued), "stream": stream,
            ]
        }
    }

    /// What a client needs: app key and secret, organisation, agent, robots, templates, acting user.
    public func credentials() async -> SimJSON {
        world.withLock { world in
            var templates = SimObject()
            for template in Template.all { templates[template.key] = .string(template.code) }
            return [
                "base_url": .string(world.baseURL), "app_key": .string(world.config.appKey),
                "app_secret": .string(world.config.appSecret), "corp_id": .string(world.config.corp),
                "agent_id": SimJSON(world.config.agent), "user_id": "manager01",
                "robot_code": .string(world.config.appKey), "open_conversation_id": .string(world.config.group),
                "robot": [
                    "access_token": .string(world.config.robotToken), "secret": .string(world.config.robotSecret),
                ],
                "keyword_robot": [
                    "access_token": .string(world.config.keywordRobotToken), "keyword": .string(world.config.keyword),
                ],
                "templates": .object(templates),
            ]
        }
    }
}

/// Lets the Stream ask the world whether a push can be afforded, without the two owning each other.
private final class Purse: Sendable {
    private let ask = Mutex<(@Sendable () -> Bool)?>(nil)

    func fill(_ answer: @escaping @Sendable () -> Bool) { ask.withLock { $0 = answer } }
    func afford() -> Bool { ask.withLock(\.self)?() ?? false }
}
