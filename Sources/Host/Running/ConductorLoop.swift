import Documents
import Engine
import Ledger
import Logging
import Mapping
import Values
import Vault
import Workers

/// The conductor's own state: touched by its thread only.
struct ConductorLoop {
    /// What an open item needs beyond the engine's view: where it comes from, and the bytes to send.
    struct Open {
        var origin: ItemOrigin
        var bytes: [UInt8]?
        /// `bytes` are what the ledger holds as mapped.
        var areStored = false
        /// The flow's target settings the bytes go with; kept with them.
        var settings: [UInt8] = []
        var checkpoint: [UInt8]
        var token: [UInt8]
        /// Cause for people, kept with the next state that is written.
        var detail: String?
    }

    enum Action {
        case deliver(ItemID, attempt: Int, epoch: Int64)
        case find(ItemID, attempt: Int)
        case poll(ItemID, attempt: Int)
        case fetch(stream: Int64, [Conductor.Hinted])
    }

    private(set) var engine = Engine()
    let ledger: any Ledger
    let sealer: any PayloadSealing
    let actor: any Conductor.Actor
    let log: Logger
    let clock: HostClock
    var plan: Plan
    var open: [ItemID: Open] = [:]
    var nextInbox: Int64
    var nextItem: Int64
    var changes: [Change] = []
    var actions: [Action] = []
    /// Told when the round is durable, or why it never will be.
    var acknowledgements: [@Sendable (Problem?) -> Void] = []
    /// Source documents written in this round and not yet durable: the ledger cannot answer for them.
    var fresh: Set<String> = []
    /// Keys taken in this round, for the same reason.
    var keysOfRound: [String: ItemID] = [:]
    /// Why nothing can be done any more.
    private(set) var death: Problem?
    var failed: Bool { death != nil }

    init(
        ledger: any Ledger, sealer: any PayloadSealing, actor: any Conductor.Actor, log: Logger,
        clock: HostClock, start: LedgerStart
    ) {
        self.ledger = ledger
        self.sealer = sealer
        self.actor = actor
        self.log = log
        self.clock = clock
        plan = Plan(revision: 0, connections: [:], flows: [:], streams: [:], lanes: [:], timeZone: "UTC")
        nextInbox = start.nextInbox
        nextItem = start.nextItem
    }

    /// What rows and people get.
    func now() -> Milliseconds { clock.wall() }

    // MARK: a round

    /// Commits the round, acknowledges, acts. False when the ledger is dead: nothing more may be done.
    mutating func finishRound() -> Bool {
        flush()
        if failed { return false }
        // An action may find that it cannot be carried out (an unreadable row) and hold the item instead.
        while !actions.isEmpty {
            let doing = actions
            actions = []
            for action in doing { perform(action) }
            flush()
            if failed { return false }
        }
        return true
    }

    mutating func flush() {
        if failed { return }
        let writing = changes
        changes = []
        fresh = []
        keysOfRound = [:]
        do throws(Problem) {
            if !writing.isEmpty { CrashPoint.beforeCommit.reach() }
            try ledger.commit(writing)
            if !writing.isEmpty { CrashPoint.afterCommit.reach() }
        } catch {
            die(error)
            return
        }
        let waiting = acknowledgements
        acknowledgements = []
        for acknowledge in waiting { acknowledge(nil) }
    }

    mutating func die(_ problem: Problem) {
        death = problem
        actor.ledgerDied(problem)
        let waiting = acknowledgements
        acknowledgements = []
        for acknowledge in waiting { acknowledge(problem) }
    }

    mutating func tick() {
        guard let wake = engine.nextWake, wake <= clock.steady() else { return }
        step(.tick)
    }

    /// Lets the engine decide, and turns its effects into changes and actions.
    mutating func step(_ event: Event, detail: String? = nil) {
        let at = now()
        for effect in engine.step(event, now: clock.steady()) {
            switch effect {
            case .persist(let item):
                let detail = item.state == .held(.otherBooks) ? Words.targetChanged : detail
                if let detail { open[item.id]?.detail = detail }
                changes.append(.item(item, detail: open[item.id]?.detail ?? detail, at: at))
                if item.state.isSettled { open[item.id] = nil }
            case .openIntent(let id, let attempt, let epoch):
                if let bytes = open[id]?.bytes, open[id]?.areStored == false {
                    changes.append(.mapped(id, bytes: bytes, settings: open[id]?.settings ?? []))
                    open[id]?.areStored = true
                }
                open[id]?.detail = nil
                changes.append(.openIntent(id, attempt: attempt, epoch: epoch, at: at))
            case .closeIntent(let id, let attempt, let end):
                changes.append(.closeIntent(id, attempt: attempt, end: end, detail: detail, at: at))
            case .persistLane(let id, let pause): changes.append(.lane(id, pause))
            case .deliver(let id, let attempt, let epoch):
                actions.append(.deliver(id, attempt: attempt, epoch: epoch))
            case .find(let id, let attempt): actions.append(.find(id, attempt: attempt))
            case .poll(let id, let attempt): actions.append(.poll(id, attempt: attempt))
            case .remap(let id): remap(id)
            case .dropped(let id, let reason):
                log.notice("event dropped", metadata: ["item": "\(id)", "reason": "\(reason)"])
            }
        }
    }

    // MARK: what happened

    mutating func handle(_ message: Conductor.Message) {
        if let death { return Conductor.refuse(message, death) }
        switch message {
        case .plan(let plan):
            _ = run(plan)
        case .received(let stream, let documents, let cursor, let fetched, let done):
            receive(documents, stream)
            for done in fetched {
                changes.append(.hintDone(stream: stream, document: done.document, before: done.at))
            }
            if let cursor { changes.append(.cursor(stream: stream, bytes: cursor, at: now())) }
            acknowledgements.append { if $0 == nil { done() } }
        case .unreadable(let stream, let hint, let cause, let at, let done):
            receiveUnreadable(hint, stream, cause)
            changes.append(.hintDone(stream: stream, document: hint.document, before: at))
            acknowledgements.append { if $0 == nil { done() } }
        case .hints(let stream, let hints, let cursor, let done):
            for hint in hints {
                changes.append(.hint(stream: stream, document: hint.document, known: hint.known, at: now()))
            }
            if let cursor { changes.append(.cursor(stream: stream, bytes: cursor, at: now())) }
            if !hints.isEmpty { actions.append(.fetch(stream: stream, hints)) }
            acknowledgements.append { if $0 == nil { done() } }
        case .delivered(let delivery, let answer):
            guard case .delivering(delivery.epoch)? = engine.item(delivery.item)?.state else { return stale(delivery) }
            settle(delivery, answer)
            step(.delivered(delivery.item, epoch: delivery.epoch, answer.outcome), detail: answer.detail)
        case .polled(let delivery, let answer):
            guard isAsked(delivery) else { return stale(delivery) }
            settle(delivery, answer)
            step(.polled(delivery.item, attempt: delivery.attempt, answer.outcome), detail: answer.detail)
        case .found(let delivery, let answer, let written, let detail):
            guard isAsked(delivery) else { return stale(delivery) }
            if answer == .found(count: 1), let written { link(delivery, written) }
            step(.found(delivery.item, attempt: delivery.attempt, answer), detail: detail)
        case .commit(let more, let done):
            for change in more {
                if case .checkpoint(let id, let bytes) = change { open[id]?.checkpoint = bytes }
            }
            changes += more
            acknowledgements.append { if $0 == nil { done() } }
        case .lane(let id, let pause):
            step(pause.map { .pauseLane(id, $0) } ?? .resumeLane(id))
        case .drain(let id):
            guard var rules = plan.lanes[id]?.rules else { return }
            rules.maxInFlight = 0
            step(.lane(id, rules))
        case .person(let request, let reply): answer(request, reply)
        case .inspect(let look): look(engine)
        case .stop: break
        }
    }

    /// The question is still open: it was asked about the last attempt, and nothing has settled it meanwhile.
    private func isAsked(_ delivery: Conductor.Delivery) -> Bool {
        guard let item = engine.item(delivery.item), item.attempts == delivery.attempt else { return false }
        switch item.state {
        case .checking(let check): return check.asking
        case .atVendor(let wait): return wait.asking
        default: return false
        }
    }

    private func stale(_ delivery: Conductor.Delivery) {
        log.notice("answer of an older attempt", metadata: ["item": "\(delivery.item)"])
    }

    /// Runs a plan. Gives the lanes that lead to other books than before: at a start their items are yet to come.
    mutating func run(_ next: Plan) -> [LaneID] {
        let remaps = plan.revision != 0
        let before = plan
        plan = next
        let gone = Set(before.flows.keys).union(before.writeBackFlows)
            .subtracting(next.flows.keys).subtracting(next.writeBackFlows)
        for flow in gone.sorted() { step(.flowGone(flow)) }
        let elsewhere = noteBooks()
        if remaps { hold(elsewhere) }
        let lanes = plan.lanes.values.sorted { $0.id < $1.id }
        for lane in lanes {
            // Nothing leaves before it was mapped again: a lane opens last.
            var rules = lane.rules
            if remaps { rules.maxInFlight = 0 }
            step(.lane(lane.id, rules))
        }
        for flow in next.flows.values.sorted(by: { $0.id < $1.id }) {
            let paused = pausedFlows[flow.id] ?? false
            let onChange: ChangePolicy = flow.file.onChange == .ignore ? .ignore : .hold
            step(.flow(flow.id, FlowRules(ladder: flow.file.ladder, onChange: onChange, isPaused: paused)))
            if let back = flow.writeBack {
                step(.flow(back.flow, FlowRules(ladder: flow.file.ladder, onChange: .ignore, isPaused: paused)))
            }
        }
        if remaps {
            step(.revision(next.revision))
            for flow in next.flows.values.sorted(by: { $0.id < $1.id }) { replay(flow) }
            for lane in lanes { step(.lane(lane.id, lane.rules)) }
        }
        return elsewhere
    }

    var pausedFlows: [FlowID: Bool] = [:]

    mutating func recover(_ start: LedgerStart, _ plan: Plan) {
        pausedFlows = start.pausedFlows
        let elsewhere = run(plan)
        for (lane, pause) in start.lanes { step(.pauseLane(lane, pause)) }
        for (item, origin) in start.items {
            var entry = Open(origin: origin, bytes: nil, checkpoint: [], token: [])
            do throws(Problem) {
                entry.bytes = try ledger.mapped(item.id)
                entry.areStored = entry.bytes != nil
                entry.settings = try ledger.settings(item.id) ?? plan.flows[item.flow]?.settings ?? []
                if item.everAttempted {
                    entry.checkpoint = try ledger.checkpoint(item.id) ?? []
                    entry.token = try ledger.token(item.id) ?? []
                }
            } catch {
                log.error("\(error)")
            }
            open[item.id] = entry
            step(.recovered(item))
        }
        hold(elsewhere)
        for flow in plan.flows.values.sorted(by: { $0.id < $1.id }) { replay(flow) }
        for (stream, hints) in Dictionary(grouping: start.hints, by: \.stream).sorted(by: { $0.key < $1.key }) {
            let wanted = hints.map { Conductor.Hinted(document: $0.document, known: $0.known) }
            actions.append(.fetch(stream: stream, wanted))
        }
    }

    // MARK: settling

    mutating func settle(_ delivery: Conductor.Delivery, _ answer: Conductor.Answer) {
        if let token = answer.token {
            open[delivery.item]?.token = token
            changes.append(.token(delivery.item, bytes: token))
        }
        if case .applied = answer.outcome, let written = answer.written { link(delivery, written) }
    }

    mutating func link(_ delivery: Conductor.Delivery, _ written: Written) {
        changes.append(
            .link(
                LinkRow(
                    item: delivery.item, number: written.number, targetID: written.id, readBack: written.readBack,
                    at: now())))
        if let flow = plan.flows[delivery.flow], let back = flow.writeBack, let entry = open[delivery.item] {
            writeBack(back, flow, entry.origin, written.number)
        }
    }

    /// The source document is told the target's number, as an effect of its own.
    mutating func writeBack(
        _ back: PlannedWriteBack, _ flow: PlannedFlow, _ origin: ItemOrigin, _ number: String
    ) {
        guard let source = try? ledger.payload(inbox: origin.inbox) else { return }
        // One per effect: a changed form that a person settles by hand has a number of its own to tell.
        let effect = origin.key ?? "\(flow.file.id) \(origin.id)"
        let key = IdempotencyKey.make(
            parts: [effect, back.document], as: plan.lanes[back.lane]?.keys ?? .standard)
        if keysOfRound[key] != nil || (try? ledger.liveItem(key: key)) != nil { return }
        keysOfRound[key] = nextItem
        let id = nextItem
        nextItem += 1
        let document: JSON = [
            "document": .string(source.document), "text": .string(Words.writtenBack(number)), "number": .string(number),
        ]
        let made = ItemOrigin(
            id: id, inbox: origin.inbox, flow: back.flow, lane: back.lane, document: back.document,
            ordinal: origin.ordinal, key: key)
        // Nothing makes these bytes again after a restart: they are durable with the item.
        let bytes = document.serialized()
        open[id] = Open(origin: made, bytes: bytes, areStored: true, checkpoint: [], token: [])
        changes += [.origin(made), .mapped(id, bytes: bytes, settings: [])]
        step(
            .received(
                id, flow: back.flow, lane: back.lane, .ready(orderKey: key), prior: .none, revision: plan.revision))
    }

    // MARK: people

    mutating func answer(_ request: PersonRequest, _ reply: @escaping @Sendable (Result<JSON, Problem>) -> Void) {
        let at = now()
        switch request {
        case .retry(let ids, let actor):
            var moved = 0
            for id in ids where engine.item(id) != nil {
                let before = engine.item(id)
                step(.retry(id))
                if engine.item(id) != before { moved += 1 }
            }
            audit(actor, "ledger.retry", ["items": .array(ids.map { .string("\($0)") })])
            acknowledge(reply, .success(["asked": .int(ids.count), "retried": .int(moved)]))
        case .resolve(let id, let number, let why, let evidence, let actor):
            guard let entry = open[id], let item = engine.item(id) else { return reply(.failure(.noOpenItem(id))) }
            step(.resolve(id), detail: Words.resolved(number, why))
            guard engine.item(id) == nil else { return reply(.failure(.cannotMove(id, item.state.seen))) }
            changes.append(.link(LinkRow(item: id, number: number, targetID: "", readBack: [], at: at)))
            if let flow = plan.flows[entry.origin.flow], let back = flow.writeBack {
                writeBack(back, flow, entry.origin, number)
            }
            var detail: JSONObject = ["item": .string("\(id)"), "number": .string(number), "why": .string(why)]
            for (key, value) in evidence { detail[key] = value }
            audit(actor, "ledger.resolve", .object(detail))
            acknowledge(reply, .success(["item": .int(Int(id)), "state": "done"]))
        case .absent(let id, let why, let actor):
            guard let item = engine.item(id) else { return reply(.failure(.noOpenItem(id))) }
            step(.absent(id), detail: Words.absent(why))
            guard engine.item(id)?.state != item.state else { return reply(.failure(.cannotMove(id, item.state.seen))) }
            // Nothing of it is there: the next attempt begins at the beginning.
            open[id]?.checkpoint = []
            open[id]?.token = []
            changes += [.checkpoint(id, bytes: []), .token(id, bytes: [])]
            audit(actor, "ledger.absent", ["item": .string("\(id)"), "why": .string(why)])
            acknowledge(reply, .success(["item": .int(Int(id)), "state": "pending"]))
        case .skip(let id, let why, let actor):
            guard let item = engine.item(id) else { return reply(.failure(.noOpenItem(id))) }
            // Half of the effect stands at the target: leaving it out would leave it there unseen.
            if open[id]?.checkpoint.isEmpty == false { return reply(.failure(.halfDone(id))) }
            step(.skip(id), detail: Words.skipped(why))
            guard engine.item(id) == nil else { return reply(.failure(.cannotMove(id, item.state.seen))) }
            audit(actor, "ledger.skip", ["item": .string("\(id)"), "why": .string(why)])
            acknowledge(reply, .success(["item": .int(Int(id)), "state": "skipped"]))
        case .pauseFlow(let id, let paused, let why, let actor):
            pausedFlows[id] = paused
            changes.append(.flowPaused(id, paused, at: at))
            step(.pauseFlow(id, paused))
            if let back = plan.flows[id]?.writeBack { step(.pauseFlow(back.flow, paused)) }
            audit(
                actor, paused ? "flow.pause" : "flow.resume",
                [
                    "flow": .string(plan.flows[id]?.file.name ?? "\(id)"), "why": .string(why),
                ])
            acknowledge(
                reply,
                .success(["flow": .string(plan.flows[id]?.file.name ?? ""), "state": paused ? "paused" : "active"]))
        case .audit(let actor, let action, let detail):
            audit(actor, action, detail)
            acknowledge(reply, .success(.null))
        }
    }

    mutating func audit(_ actor: String, _ action: String, _ detail: JSON) {
        changes.append(.audit(actor: actor, action: action, detail: detail.text, at: now()))
    }

    mutating func acknowledge(
        _ reply: @escaping @Sendable (Result<JSON, Problem>) -> Void, _ result: Result<JSON, Problem>
    ) {
        acknowledgements.append { reply($0.map { .failure($0) } ?? result) }
    }

    // MARK: acting

    mutating func perform(_ action: Action) {
        switch action {
        case .fetch(let stream, let hints): actor.fetch(stream: stream, hints)
        case .deliver(let id, let attempt, let epoch):
            guard let delivery = delivery(id, attempt, epoch) else {
                // Nothing was sent, so nothing is unknown: a person must look at the row.
                step(
                    .delivered(id, epoch: epoch, .failed(.invalidRecord, mayHaveArrived: false, retryAfter: nil)),
                    detail: Words.unreadable)
                return
            }
            actor.deliver(delivery)
        case .find(let id, let attempt):
            guard let delivery = delivery(id, attempt, 0) else {
                step(.found(id, attempt: attempt, .unsupported), detail: Words.unreadable)
                return
            }
            actor.find(delivery)
        case .poll(let id, let attempt):
            guard let delivery = delivery(id, attempt, 0) else {
                // Whatever became of it there, this host can no longer tell: a person must look.
                step(
                    .polled(id, attempt: attempt, .failed(.unsupported, mayHaveArrived: true, retryAfter: nil)),
                    detail: Words.unreadable)
                return
            }
            actor.poll(delivery, token: open[id]?.token ?? [])
        }
    }

    func delivery(_ id: ItemID, _ attempt: Int, _ epoch: Int64) -> Conductor.Delivery? {
        guard let entry = open[id], let bytes = entry.bytes, let key = entry.origin.key else { return nil }
        return Conductor.Delivery(
            item: id, lane: entry.origin.lane, flow: entry.origin.flow, key: key, bytes: bytes,
            settings: entry.settings, checkpoint: entry.checkpoint, attempt: attempt, epoch: epoch)
    }
}
