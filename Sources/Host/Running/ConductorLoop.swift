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
    private struct Open {
        var origin: ItemOrigin
        var bytes: [UInt8]?
        /// `bytes` are what the ledger holds as mapped.
        var areStored = false
        var checkpoint: [UInt8]
        var token: [UInt8]
        /// Cause for people, kept with the next state that is written.
        var detail: String?
    }

    private enum Action {
        case deliver(ItemID, attempt: Int, epoch: Int64)
        case find(ItemID)
        case poll(ItemID)
        case fetch(stream: Int64, [Conductor.Hinted])
    }

    private(set) var engine = Engine()
    private let ledger: Ledger
    private let sealer: any PayloadSealing
    private let actor: any Conductor.Actor
    private let log: Logger
    private let now: @Sendable () -> Milliseconds
    private var plan: Plan
    private var open: [ItemID: Open] = [:]
    private var nextInbox: Int64
    private var nextItem: Int64
    private var changes: [Change] = []
    private var actions: [Action] = []
    private var acknowledgements: [@Sendable () -> Void] = []
    /// Source documents written in this round and not yet durable: the ledger cannot answer for them.
    private var fresh: Set<String> = []
    private var failed = false

    init(
        ledger: Ledger, sealer: any PayloadSealing, actor: any Conductor.Actor, log: Logger,
        now: @escaping @Sendable () -> Milliseconds, start: Ledger.Start
    ) {
        self.ledger = ledger
        self.sealer = sealer
        self.actor = actor
        self.log = log
        self.now = now
        plan = Plan(revision: 0, connections: [:], flows: [:], streams: [:], lanes: [:], timeZone: "UTC")
        nextInbox = start.nextInbox
        nextItem = start.nextItem
    }

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

    private mutating func flush() {
        if failed { return }
        let writing = changes
        changes = []
        fresh = []
        do throws(Problem) {
            if !writing.isEmpty { CrashPoint.beforeCommit.reach() }
            try ledger.commit(writing)
            if !writing.isEmpty { CrashPoint.afterCommit.reach() }
        } catch {
            failed = true
            actor.ledgerDied(error)
            return
        }
        let waiting = acknowledgements
        acknowledgements = []
        for acknowledge in waiting { acknowledge() }
    }

    mutating func tick() {
        guard let wake = engine.nextWake, wake <= now() else { return }
        step(.tick)
    }

    /// Lets the engine decide, and turns its effects into changes and actions.
    private mutating func step(_ event: Event, detail: String? = nil) {
        let at = now()
        for effect in engine.step(event, now: at) {
            switch effect {
            case .persist(let item):
                if let detail { open[item.id]?.detail = detail }
                changes.append(.item(item, detail: open[item.id]?.detail ?? detail, at: at))
                if item.state.isSettled { open[item.id] = nil }
            case .openIntent(let id, let attempt, let epoch):
                if let bytes = open[id]?.bytes, open[id]?.areStored == false {
                    changes.append(.mapped(id, bytes: bytes))
                    open[id]?.areStored = true
                }
                open[id]?.detail = nil
                changes.append(.openIntent(id, attempt: attempt, epoch: epoch, at: at))
            case .closeIntent(let id, let attempt, let end):
                changes.append(.closeIntent(id, attempt: attempt, end: end, detail: detail, at: at))
            case .persistLane(let id, let pause): changes.append(.lane(id, pause))
            case .deliver(let id, let attempt, let epoch):
                actions.append(.deliver(id, attempt: attempt, epoch: epoch))
            case .find(let id): actions.append(.find(id))
            case .poll(let id): actions.append(.poll(id))
            case .remap(let id): remap(id)
            case .dropped(let id, let reason):
                log.notice("event dropped", metadata: ["item": "\(id)", "reason": "\(reason)"])
            }
        }
    }

    // MARK: what happened

    mutating func handle(_ message: Conductor.Message) {
        if failed { return }
        switch message {
        case .plan(let plan): run(plan)
        case .received(let stream, let documents, let cursor, let fetched, let done):
            receive(documents, stream)
            for document in fetched { changes.append(.hintDone(stream: stream, document: document)) }
            if let cursor { changes.append(.cursor(stream: stream, bytes: cursor, at: now())) }
            acknowledgements.append(done)
        case .hints(let stream, let hints, let cursor, let done):
            for hint in hints {
                changes.append(.hint(stream: stream, document: hint.document, known: hint.known, at: now()))
            }
            if let cursor { changes.append(.cursor(stream: stream, bytes: cursor, at: now())) }
            if !hints.isEmpty { actions.append(.fetch(stream: stream, hints)) }
            acknowledgements.append(done)
        case .delivered(let delivery, let answer):
            guard case .delivering(delivery.epoch)? = engine.item(delivery.item)?.state else {
                log.notice("answer of an older attempt", metadata: ["item": "\(delivery.item)"])
                return
            }
            settle(delivery, answer)
            step(.delivered(delivery.item, epoch: delivery.epoch, answer.outcome), detail: answer.detail)
        case .polled(let delivery, let answer):
            settle(delivery, answer)
            step(.polled(delivery.item, answer.outcome), detail: answer.detail)
        case .found(let delivery, let answer, let written, let detail):
            if answer == .found(count: 1), let written { link(delivery, written) }
            step(.found(delivery.item, answer), detail: detail)
        case .commit(let more, let done):
            for change in more {
                if case .checkpoint(let id, let bytes) = change { open[id]?.checkpoint = bytes }
            }
            changes += more
            acknowledgements.append(done)
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

    private mutating func run(_ next: Plan) {
        let remaps = plan.revision != 0
        plan = next
        for lane in next.lanes.values.sorted(by: { $0.id < $1.id }) { step(.lane(lane.id, lane.rules)) }
        for flow in next.flows.values.sorted(by: { $0.id < $1.id }) {
            let paused = pausedFlows[flow.id] ?? false
            let onChange: ChangePolicy = flow.file.onChange == .ignore ? .ignore : .hold
            step(.flow(flow.id, FlowRules(ladder: flow.file.ladder, onChange: onChange, isPaused: paused)))
            if let back = flow.writeBack {
                step(.flow(back.flow, FlowRules(ladder: flow.file.ladder, onChange: .ignore, isPaused: paused)))
            }
        }
        if remaps { step(.revision(next.revision)) }
    }

    private var pausedFlows: [FlowID: Bool] = [:]

    mutating func recover(_ start: Ledger.Start, _ plan: Plan) {
        pausedFlows = start.pausedFlows
        run(plan)
        for (lane, pause) in start.lanes { step(.pauseLane(lane, pause)) }
        for (item, origin) in start.items {
            var entry = Open(origin: origin, bytes: nil, checkpoint: [], token: [])
            do throws(Problem) {
                if item.everAttempted {
                    entry.bytes = try ledger.mapped(item.id)
                    entry.areStored = true
                    entry.checkpoint = try ledger.checkpoint(item.id) ?? []
                    entry.token = try ledger.token(item.id) ?? []
                }
            } catch {
                log.error("\(error)")
            }
            open[item.id] = entry
            step(.recovered(item))
        }
        for (stream, hints) in Dictionary(grouping: start.hints, by: \.stream) {
            let wanted = hints.map { Conductor.Hinted(document: $0.document, known: $0.known) }
            actions.append(.fetch(stream: stream, wanted))
        }
    }

    // MARK: receiving and mapping

    /// A page at once: one question to the ledger tells which documents are new, and only the others cost more.
    private mutating func receive(_ documents: [Conductor.Received], _ streamID: Int64) {
        guard let stream = plan.streams[streamID], !documents.isEmpty else { return }
        do throws(Problem) {
            // What is written in this round the ledger cannot know yet, nor that a page may name a document twice.
            var new = Set(try ledger.unseen(stream: streamID, of: documents.map(\.id)))
            new = new.filter { !fresh.contains("\(streamID) \($0)") }
            for document in documents where !failed {
                try receive(document, stream, isNew: new.remove(document.id) != nil)
            }
        } catch {
            // What is known cannot even be looked up: the documents stay at the source, the cursor does not move.
            failed = true
            actor.ledgerDied(error)
        }
    }

    private mutating func receive(
        _ received: Conductor.Received, _ stream: PlannedStream, isNew: Bool
    ) throws(Problem) {
        let flows = stream.flows.compactMap { plan.flows[$0] }.filter { $0.concerns(received.content) }
        if flows.isEmpty { return }
        let place = "\(stream.id) \(received.id)"
        if fresh.contains(place) { flush() }
        if failed { return }

        var read: [UInt8] = []
        for flow in flows {
            read += flow.hashInput(received.content)
        }
        let hash = try keyedHash(read)
        if !isNew {
            if try ledger.hasInbox(stream: stream.id, document: received.id, hash: hash) { return }
            // A mapping that reads more than its predecessor changes the hash, not the document.
            if let earlier = try ledger.latestPayload(stream: stream.id, document: received.id) {
                let known = try JSON.parse(earlier)
                if flows.allSatisfy({ $0.concerns(known) && $0.hashInput(known) == $0.hashInput(received.content) }) {
                    return
                }
            }
        }
        let inbox = InboxRow(
            id: nextInbox, stream: stream.id, document: received.id,
            number: received.content["number"]?.string ?? received.id, hash: hash, at: now(),
            revision: plan.revision, payload: received.content.serialized())
        nextInbox += 1
        changes.append(.inbox(inbox))
        fresh.insert(place)
        for flow in flows {
            for form in Form.make(flow, received.content, timeZone: plan.timeZone) {
                let prior =
                    isNew
                    ? .none
                    : try ledger.prior(
                        flow: flow.id, stream: stream.id, document: received.id, ordinal: form.ordinal)
                makeItem(form, flow, inbox.id, received.id, prior)
            }
        }
    }

    private mutating func makeItem(
        _ form: Form, _ flow: PlannedFlow, _ inbox: Int64, _ document: String, _ prior: Prior
    ) {
        let id = nextItem
        nextItem += 1
        // A form that must not be sent (the document changed after its effect) has no key to send under.
        var key: String? = idempotencyKey(flow, document, form.ordinal)
        if case .effect = prior { key = nil }
        let origin = ItemOrigin(
            id: id, inbox: inbox, flow: flow.id, lane: flow.lane, document: flow.file.to.document,
            ordinal: form.ordinal, key: key)
        open[id] = Open(origin: origin, bytes: form.bytes, checkpoint: [], token: [], detail: form.detail)
        // The earlier form gives its key up before this one takes it: the order of the changes matters.
        var before: [Change] = []
        swap(&before, &changes)
        step(
            .received(
                id, flow: flow.id, lane: flow.lane, form.disposition(key: key ?? "item \(id)"), prior: prior,
                revision: plan.revision))
        swap(&before, &changes)
        let own = before.firstIndex { if case .item(let item, _, _) = $0 { item.id == id } else { false } }
        before.insert(.origin(origin), at: own ?? 0)
        changes += before
    }

    private func keyedHash(_ bytes: [UInt8]) throws(Problem) -> [UInt8] {
        do {
            return try sealer.keyedHash(bytes)
        } catch {
            throw .ledgerSealing("\(error)")
        }
    }

    private func idempotencyKey(
        _ flow: PlannedFlow, _ document: String, _ ordinal: Int
    ) -> String {
        let tenant = plan.connections[flow.file.from.connection]?.tenant ?? ""
        return IdempotencyKey.make(parts: [flow.file.id, tenant, document, flow.file.to.document, "\(ordinal)"])
    }

    /// Maps an item again under the running revision. One whose effect is half there keeps its bytes.
    private mutating func remap(_ id: ItemID) {
        guard let entry = open[id], let item = engine.item(id) else { return }
        let orderKey = entry.origin.key ?? "item \(id)"
        if !entry.checkpoint.isEmpty || plan.flows[entry.origin.flow] == nil {
            if entry.bytes != nil { step(.remapped(id, .ready(orderKey: orderKey), revision: item.revision)) }
            return
        }
        guard let flow = plan.flows[entry.origin.flow] else { return }
        do throws(Problem) {
            let inbox = try ledger.payload(inbox: entry.origin.inbox)
            let document = try JSON.parse(inbox.payload)
            let forms = Form.make(flow, document, timeZone: plan.timeZone)
            let form =
                forms.first { $0.ordinal == entry.origin.ordinal }
                ?? Form(ordinal: entry.origin.ordinal, result: .skip(.mapping), bytes: nil, detail: nil)
            open[id]?.bytes = form.bytes
            open[id]?.areStored = false
            open[id]?.detail = form.detail
            step(.remapped(id, form.disposition(key: orderKey), revision: plan.revision))
            // The mapping may split the document further than it did: each new part is an item of its own.
            if forms.count > 1 {
                flush()
                if failed { return }
                let known = try ledger.ordinals(inbox: inbox.id, flow: flow.id)
                for form in forms where !known.contains(form.ordinal) {
                    makeItem(form, flow, inbox.id, inbox.document, .none)
                }
            }
        } catch {
            open[id]?.detail = Words.problem(error)
            step(.remapped(id, .hold, revision: plan.revision))
        }
    }

    // MARK: settling

    private mutating func settle(_ delivery: Conductor.Delivery, _ answer: Conductor.Answer) {
        if let token = answer.token {
            open[delivery.item]?.token = token
            changes.append(.token(delivery.item, bytes: token))
        }
        if case .applied = answer.outcome, let written = answer.written { link(delivery, written) }
    }

    private mutating func link(_ delivery: Conductor.Delivery, _ written: Written) {
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
    private mutating func writeBack(
        _ back: PlannedWriteBack, _ flow: PlannedFlow, _ origin: ItemOrigin, _ number: String
    ) {
        guard let source = try? ledger.payload(inbox: origin.inbox) else { return }
        let key = IdempotencyKey.make(parts: [flow.file.id, source.document, back.document, "\(origin.ordinal)"])
        let id = nextItem
        nextItem += 1
        let document: JSON = [
            "document": .string(source.document), "text": .string(Words.writtenBack(number)), "number": .string(number),
        ]
        let made = ItemOrigin(
            id: id, inbox: origin.inbox, flow: back.flow, lane: back.lane, document: back.document,
            ordinal: origin.ordinal, key: key)
        open[id] = Open(origin: made, bytes: document.serialized(), checkpoint: [], token: [])
        changes.append(.origin(made))
        step(
            .received(
                id, flow: back.flow, lane: back.lane, .ready(orderKey: key), prior: .none, revision: plan.revision))
    }

    // MARK: people

    private mutating func answer(_ request: PersonRequest, _ reply: @escaping @Sendable (Result<JSON, Problem>) -> Void)
    {
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
        case .resolve(let id, let number, let why, let actor):
            guard let entry = open[id], let item = engine.item(id) else { return reply(.failure(.noOpenItem(id))) }
            step(.resolve(id))
            guard engine.item(id) == nil else { return reply(.failure(.cannotMove(id, item.state.seen))) }
            changes.append(.link(LinkRow(item: id, number: number, targetID: "", readBack: [], at: at)))
            if let flow = plan.flows[entry.origin.flow], let back = flow.writeBack {
                writeBack(back, flow, entry.origin, number)
            }
            audit(actor, "ledger.resolve", ["item": .string("\(id)"), "number": .string(number), "why": .string(why)])
            acknowledge(reply, .success(["item": .int(Int(id)), "state": "done"]))
        case .skip(let id, let why, let actor):
            guard let item = engine.item(id) else { return reply(.failure(.noOpenItem(id))) }
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
            acknowledge(reply, .success(["paused": .bool(paused)]))
        case .audit(let actor, let action, let detail):
            audit(actor, action, detail)
            acknowledge(reply, .success(.null))
        }
    }

    private mutating func audit(_ actor: String, _ action: String, _ detail: JSON) {
        changes.append(.audit(actor: actor, action: action, detail: detail.text, at: now()))
    }

    private mutating func acknowledge(
        _ reply: @escaping @Sendable (Result<JSON, Problem>) -> Void, _ result: Result<JSON, Problem>
    ) {
        acknowledgements.append { reply(result) }
    }

    // MARK: acting

    private mutating func perform(_ action: Action) {
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
        case .find(let id):
            guard let item = engine.item(id), let delivery = delivery(id, item.attempts, 0) else {
                step(.found(id, .unsupported), detail: Words.unreadable)
                return
            }
            actor.find(delivery)
        case .poll(let id):
            guard let item = engine.item(id), let delivery = delivery(id, item.attempts, 0) else { return }
            actor.poll(delivery, token: open[id]?.token ?? [])
        }
    }

    private func delivery(_ id: ItemID, _ attempt: Int, _ epoch: Int64) -> Conductor.Delivery? {
        guard let entry = open[id], let bytes = entry.bytes, let key = entry.origin.key else { return nil }
        return Conductor.Delivery(
            item: id, lane: entry.origin.lane, flow: entry.origin.flow, key: key, bytes: bytes,
            checkpoint: entry.checkpoint, attempt: attempt, epoch: epoch)
    }
}
