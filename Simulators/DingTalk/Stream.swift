import SimulatorKit
import Synchronization

/// The Stream gateway: tickets, connections, and pushes that come again until they are acknowledged.
final class StreamHub: Sendable {
    struct Subscription: Hashable {
        let type: String
        let topic: String
    }

    struct Settings {
        var acknowledge = DingTalkLimits.acknowledge
        var later = DingTalkLimits.later
        var ping = DingTalkLimits.ping
        var disconnectGrace = DingTalkLimits.disconnectGrace
        var attempts = DingTalkLimits.attempts
        var retention = DingTalkLimits.retention
    }

    private struct Ticket {
        let expires: Int64
        let subscriptions: Set<Subscription>
    }

    private enum Line {
        /// Pushes may come.
        case open
        /// The client was told to go; nothing comes any more.
        case leaving
        /// TCP lives, nothing is delivered: a half-open line.
        case silent
    }

    private struct Connection {
        let id: String
        let number: Int
        let socket: SimSocket
        let subscriptions: Set<Subscription>
        let opened: Int64
        var line = Line.open
        var frames = 0
        var acknowledged = 0
    }

    private enum Progress {
        case waiting
        case sent(message: String, connection: String)
        case later
        case done
        case lost(String)

        var word: String {
            switch self {
            case .waiting: "waiting"
            case .sent: "sent"
            case .later: "later"
            case .done: "done"
            case .lost(let why): "lost: \(why)"
            }
        }
    }

    /// A push on its way.
    private struct Push {
        let id: String
        let subscription: Subscription
        let headers: SimObject
        let data: SimJSON
        let born: Int64
        /// Comes again until acknowledged.
        let durable: Bool
        /// Counts against the month.
        let charged: Bool
        var copies: Int
        var attempts = 0
        var progress = Progress.waiting
        var acknowledgements: [SimJSON] = []
    }

    private struct State {
        var random: SeededGenerator
        var settings = Settings()
        var tickets: [String: Ticket] = [:]
        var connections: [String: Connection] = [:]
        var opened = 0
        var pushes: [String: Push] = [:]
        var order: [String] = []
        var messages: [String: String] = [:]
        var pings: [String: String] = [:]
        var pingsSent = 0
        var pingsAnswered = 0
        var duplicateNext = 0
        var badFrames = 0
        var stopped = false
    }

    private let clock: any SimClock
    private let app: String
    private let corp: String
    private let state: Mutex<State>
    /// Counts a push against the month; false when there is none left.
    private let afford: @Sendable () -> Bool

    init(
        clock: any SimClock, seed: UInt64, app: String, corp: String, settings: Settings,
        afford: @escaping @Sendable () -> Bool
    ) {
        self.clock = clock
        self.app = app
        self.corp = corp
        self.afford = afford
        state = Mutex(State(random: SeededGenerator(seed: seed), settings: settings))
    }

    // MARK: The gateway

    /// Reads the subscriptions of `connections/open`.
    static func subscriptions(_ json: SimJSON?) throws(Refusal) -> Set<Subscription> {
        guard let list = json?.array, !list.isEmpty else { throw .bad("invalidParameter", "subscriptions不能为空") }
        var out: Set<Subscription> = []
        for item in list {
            guard let type = item["type"]?.string, let topic = item["topic"]?.string, !topic.isEmpty else {
                throw .bad("invalidParameter", "subscriptions不合法")
            }
            switch type {
            case "EVENT" where topic == "*": break
            case "CALLBACK" where topic.hasPrefix("/"): break
            default: throw .bad("invalidParameter", "subscriptions不支持 \(type) \(topic)")
            }
            out.insert(Subscription(type: type, topic: topic))
        }
        return out
    }

    /// A ticket for one connection.
    func ticket(_ subscriptions: Set<Subscription>) -> String {
        state.withLock { state in
            let now = clock.now()
            state.tickets = state.tickets.filter { $0.value.expires > now }
            let ticket = state.random.hex(32)
            state.tickets[ticket] = Ticket(
                expires: clock.now() + DingTalkLimits.ticketLife, subscriptions: subscriptions)
            return ticket
        }
    }

    /// Whether the ticket is there, unused and young.
    func holds(_ ticket: String?) -> Bool {
        state.withLock { state in
            guard let ticket, let found = state.tickets[ticket] else { return false }
            return found.expires > clock.now()
        }
    }

    /// Serves one connection until it ends. The ticket is used up.
    func serve(_ socket: SimSocket, ticket: String?) async {
        let connection = state.withLock { state -> Connection? in
            guard !state.stopped, let ticket, let found = state.tickets.removeValue(forKey: ticket),
                found.expires > clock.now()
            else { return nil }
            state.opened += 1
            let connection = Connection(
                id: state.random.hex(16), number: state.opened, socket: socket, subscriptions: found.subscriptions,
                opened: clock.now())
            state.connections[connection.id] = connection
            return connection
        }
        guard let connection else { return await socket.close(code: 1008) }
        let pinger = Task {
            while socket.isOpen {
                let pause = state.withLock { $0.settings.ping }
                guard pause > 0, (try? await clock.sleep(milliseconds: pause)) != nil else { return }
                await ping(connection.id)
            }
        }
        let waiting = state.withLock { state in
            state.order.filter { if case .waiting = state.pushes[$0]?.progress { true } else { false } }
        }
        for id in waiting { await deliver(id) }
        for await message in socket.messages {
            if case .text(let text) = message { receive(text, on: connection.id) }
        }
        pinger.cancel()
        state.withLock { $0.connections[connection.id] = nil }
    }

    /// Ends everything.
    func stop() async {
        let sockets = state.withLock { state in
            state.stopped = true
            return state.connections.values.map(\.socket)
        }
        for socket in sockets { await socket.drop() }
    }

    // MARK: Acknowledgements

    private func receive(_ text: String, on connection: String) {
        // An acknowledgement carries its data as JSON inside text: an object is none.
        guard let frame = try? SimJSON.parse(text), let code = frame["code"]?.int,
            let message = frame["headers"]?["messageId"]?.string,
            frame["headers"]?["contentType"] == "application/json",
            let data = frame["data"]?.string.flatMap({ try? SimJSON.parse($0) })
        else {
            state.withLock { $0.badFrames += 1 }
            return
        }
        let again = state.withLock { state -> (push: String, pause: Int)? in
            state.connections[connection]?.acknowledged += 1
            if let opaque = state.pings.removeValue(forKey: message) {
                if code == 200, data["opaque"]?.string == opaque { state.pingsAnswered += 1 }
                return nil
            }
            guard let id = state.messages[message], var push = state.pushes[id] else { return nil }
            defer { state.pushes[id] = push }
            push.acknowledgements.append(["code": SimJSON(code), "data": data])
            if case .done = push.progress { return nil }
            // Clients differ in what they put into data, so the code decides, but for an explicit LATER.
            if code == 200, data["status"]?.string != "LATER" {
                push.progress = .done
                return nil
            }
            guard push.durable else {
                push.progress = .lost("refused with \(code)")
                return nil
            }
            push.progress = .later
            return (id, state.settings.later)
        }
        if let again {
            Task {
                try? await clock.sleep(milliseconds: again.pause)
                await deliver(again.push)
            }
        }
    }

    // MARK: Pushes

    /// Pushes an event. It comes again until it is acknowledged.
    func push(event type: String, id: String, data: SimJSON) async {
        let now = clock.now()
        await push(
            id: id, Subscription(type: "EVENT", topic: "*"), durable: true, charged: true, data: data,
            headers: [
                "eventType": .string(type), "eventId": .string(id), "eventCorpId": .string(corp),
                "eventBornTime": .string("\(now)"), "eventUnifiedAppId": .string("unified-\(app)"),
            ])
    }

    /// Pushes a callback. Nobody there: it is lost. Uncharged: the vendor's note that the month's pushes are spent.
    func push(callback topic: String, id: String, data: SimJSON, charged: Bool) async {
        await push(
            id: id, Subscription(type: "CALLBACK", topic: topic), durable: false, charged: charged, data: data,
            headers: SimObject())
    }

    private func push(
        id: String, _ subscription: Subscription, durable: Bool, charged: Bool, data: SimJSON, headers: SimObject
    ) async {
        state.withLock { state in
            let copies = state.duplicateNext > 0 ? 2 : 1
            if state.duplicateNext > 0 { state.duplicateNext -= 1 }
            state.pushes[id] = Push(
                id: id, subscription: subscription, headers: headers, data: data, born: clock.now(), durable: durable,
                charged: charged, copies: copies)
            state.order.append(id)
        }
        await deliver(id)
    }

    /// Sends a push to one connection chosen at random, and looks after it.
    private func deliver(_ id: String) async {
        enum Step {
            case send([(socket: SimSocket, frame: String)], message: String, wait: Int)
            case nothing
        }
        let step = state.withLock { state -> Step in
            guard !state.stopped, var push = state.pushes[id] else { return .nothing }
            defer { state.pushes[id] = push }
            switch push.progress {
            case .done, .lost: return .nothing
            case .waiting, .sent, .later: break
            }
            if clock.now() - push.born > state.settings.retention || push.attempts >= state.settings.attempts {
                push.progress = .lost("not taken in time")
                return .nothing
            }
            let open = state.connections.values.filter { connection in
                if case .leaving = connection.line { return false }
                return connection.subscriptions.contains(push.subscription)
            }.sorted { $0.number < $1.number }
            guard !open.isEmpty else {
                push.progress = push.durable ? .waiting : .lost("nobody connected")
                return .nothing
            }
            guard !push.charged || afford() else {
                push.progress = .lost("the month's pushes are spent")
                return .nothing
            }
            push.attempts += 1
            var sends: [(SimSocket, String)] = []
            var last = ""
            for _ in 0..<push.copies {
                let chosen = state.random.pick(open)
                let message = state.random.hex(24)
                last = message
                state.messages[message] = id
                state.connections[chosen.id]?.frames += 1
                push.progress = .sent(message: message, connection: chosen.id)
                if case .silent = chosen.line { continue }
                let frame = self.frame(
                    push.subscription.type, topic: push.subscription.topic, message: message, connection: chosen.id,
                    more: push.headers, data: push.data)
                sends.append((chosen.socket, frame))
            }
            push.copies = 1
            return .send(sends, message: last, wait: push.durable ? state.settings.acknowledge : 0)
        }
        guard case .send(let sends, let message, let wait) = step else { return }
        for send in sends { await send.socket.send(send.frame) }
        guard wait > 0 else { return }
        Task {
            try? await clock.sleep(milliseconds: wait)
            let overdue = state.withLock { state in
                if case .sent(message, _) = state.pushes[id]?.progress { true } else { false }
            }
            if overdue { await deliver(id) }
        }
    }

    private func frame(
        _ type: String, topic: String, message: String, connection: String, more: SimObject, data: SimJSON
    ) -> String {
        var headers: SimJSON = [
            "appId": .string("app-\(app)"), "connectionId": .string(connection), "contentType": "application/json",
            "messageId": .string(message), "time": .string("\(clock.now())"), "topic": .string(topic),
        ]
        for key in more.keys { headers[key] = more[key] }
        let frame: SimJSON = [
            "specVersion": "1.0", "type": .string(type), "headers": headers, "data": .string(data.text),
        ]
        return frame.text
    }

    // MARK: What a test can ask for

    private func system(_ topic: String, to connection: String, _ data: SimJSON) async {
        let send = state.withLock { state -> (SimSocket, String)? in
            guard let found = state.connections[connection] else { return nil }
            if case .open = found.line {} else { return nil }
            let message = state.random.hex(24)
            if topic == "ping" {
                state.pings[message] = data["opaque"]?.string
                state.pingsSent += 1
            }
            return (
                found.socket,
                frame("SYSTEM", topic: topic, message: message, connection: connection, more: SimObject(), data: data)
            )
        }
        if let send { await send.0.send(send.1) }
    }

    private func all(_ only: String?) -> [String] {
        state.withLock { state in
            state.connections.values.sorted { $0.number < $1.number }.map(\.id).filter { only == nil || $0 == only }
        }
    }

    private func ping(_ connection: String) async {
        let opaque = state.withLock { $0.random.hex(16) }
        await system("ping", to: connection, ["opaque": .string(opaque)])
    }

    /// Asks every connection, or one, for a sign of life. Gives how many were asked.
    func pingAll(_ only: String?) async -> Int {
        let asked = all(only)
        for connection in asked { await ping(connection) }
        return asked.count
    }

    /// Tells the connections to go: silent from now on, closed later.
    func disconnect(_ only: String?) async -> Int {
        let told = all(only)
        for connection in told {
            await system("disconnect", to: connection, ["reason": "connection is expired"])
            let (socket, grace) = state.withLock { state in
                state.connections[connection]?.line = .leaving
                return (state.connections[connection]?.socket, state.settings.disconnectGrace)
            }
            Task {
                try? await clock.sleep(milliseconds: grace)
                await socket?.drop()
            }
        }
        return told.count
    }

    /// Cuts the lines without a word.
    func drop(_ only: String?) async -> Int {
        let cut = all(only)
        let sockets = state.withLock { state in cut.compactMap { state.connections[$0]?.socket } }
        for socket in sockets { await socket.drop() }
        return cut.count
    }

    /// Makes the lines half open: they live, and nothing is delivered.
    func silence(_ only: String?) -> Int {
        let quiet = all(only)
        state.withLock { state in for connection in quiet { state.connections[connection]?.line = .silent } }
        return quiet.count
    }

    /// The next pushes come twice.
    func duplicate(next count: Int) { state.withLock { $0.duplicateNext += count } }

    /// How many connections are open.
    var connections: Int { state.withLock { $0.connections.count } }

    /// The books' part.
    var books: SimJSON {
        state.withLock { state in
            [
                "opened": SimJSON(state.opened), "pings_sent": SimJSON(state.pingsSent),
                "pings_answered": SimJSON(state.pingsAnswered), "bad_frames": SimJSON(state.badFrames),
                "connections": .array(
                    state.connections.values.sorted { $0.number < $1.number }.map { connection in
                        [
                            "id": .string(connection.id), "opened_at": SimJSON(connection.opened),
                            "line": .string("\(connection.line)"), "frames": SimJSON(connection.frames),
                            "acknowledged": SimJSON(connection.acknowledged),
                            "subscriptions": SimJSON(
                                connection.subscriptions.map { "\($0.type) \($0.topic)" }.sorted()),
                        ]
                    }),
                "pushes": .array(
                    state.order.compactMap { state.pushes[$0] }.map { push in
                        [
                            "id": .string(push.id), "type": .string(push.subscription.type),
                            "topic": .string(push.subscription.topic), "attempts": SimJSON(push.attempts),
                            "state": .string(push.progress.word), "data": push.data,
                            "acknowledgements": .array(push.acknowledgements),
                        ]
                    }),
            ]
        }
    }
}
