import Documents
import Engine
import Ledger
import Mapping
import Values
import Vault

/// Receiving and mapping: what becomes of a document on its way from a stream to the items that will be sent.
extension ConductorLoop {
    // MARK: receiving and mapping

    /// A page at once: one question to the ledger tells which documents are new, and only the others cost more.
    mutating func receive(_ documents: [Conductor.Received], _ streamID: Int64) {
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
            die(error)
        }
    }

    mutating func receive(
        _ received: Conductor.Received, _ stream: PlannedStream, isNew: Bool
    ) throws(Problem) {
        let flows = stream.flows.compactMap { plan.flows[$0] }.filter { $0.concerns(received.content) }
        if flows.isEmpty { return }
        let place = "\(stream.id) \(received.id)"
        var read: [UInt8] = []
        for flow in flows { read += flow.hashInput(received.content) }
        let hash = try keyedHash(read)
        if !isNew {
            // The ledger answers for earlier forms: it must know all that was decided about them in this round.
            flush()
            if failed { return }
            if let latest = try ledger.latest(stream: stream.id, document: received.id) {
                if latest.hash == hash { return }
                // A mapping that reads more than its predecessor changes the hash, not the document. Where retention took
                // the earlier form there is nothing to compare with: it counts as changed.
                let known = latest.payload.isEmpty ? .null : try JSON.parse(latest.payload)
                if known != .null, !UnreadableDocument.isOne(known),
                    flows.allSatisfy({ $0.concerns(known) && $0.hashInput(known) == $0.hashInput(received.content) })
                {
                    return
                }
            }
        }
        let inbox = inboxRow(stream.id, received.id, received.content, hash)
        fresh.insert(place)
        for flow in flows { try makeItems(flow, received.content, received.id, inbox, isNew: isNew) }
    }

    mutating func inboxRow(_ stream: Int64, _ document: String, _ content: JSON, _ hash: [UInt8]) -> InboxRow {
        let inbox = InboxRow(
            id: nextInbox, stream: stream, document: document, number: content["number"]?.string ?? document,
            hash: hash, at: now(), revision: plan.revision, payload: content.serialized())
        nextInbox += 1
        changes.append(.inbox(inbox))
        return inbox
    }

    /// The items of one flow for one form of a document, reckoning with every part of earlier forms.
    mutating func makeItems(
        _ flow: PlannedFlow, _ content: JSON, _ document: String, _ inbox: InboxRow, isNew: Bool
    ) throws(Problem) {
        let forms = Form.make(flow, content, timeZone: plan.timeZone)
        let parts = isNew ? [] : try ledger.liveParts(flow: flow.id, stream: inbox.stream, document: document)
        // The engine knows more than the ledger's last commit: what it has sent meanwhile is no longer replaceable.
        let effect = parts.first { part in
            !part.isChange && !(part.isReplaceable && engine.item(part.id)?.isReplaceable ?? true)
        }
        if let effect {
            for form in forms { makeItem(form, flow, inbox.id, document, .effect(effect.id)) }
            return
        }
        // Nothing of the document is in effect: the newer form takes the place of all of the older one.
        for part in parts where !part.isChange && !forms.contains(where: { $0.ordinal == part.ordinal }) {
            step(.supersede(part.id))
        }
        for form in forms {
            let old = parts.first { $0.ordinal == form.ordinal && !$0.isChange }
            makeItem(form, flow, inbox.id, document, old.map { .unattempted($0.id) } ?? .none)
        }
    }

    mutating func makeItem(
        _ form: Form, _ flow: PlannedFlow, _ inbox: Int64, _ document: String, _ prior: Prior
    ) {
        let id = nextItem
        nextItem += 1
        var form = form
        // A form that must not be sent (the document changed after its effect) has no key to send under.
        var key: String? = idempotencyKey(flow, document, form.ordinal)
        switch prior {
        case .effect(let earlier):
            key = nil
            form.detail = Words.changed(earlier)
        case .unattempted: break
        case .none:
            // The key may be taken by another road: the source connection has a new name, the flow an old id.
            if let taken = key.flatMap({ keysOfRound[$0] ?? (try? ledger.liveItem(key: $0)) }) {
                key = nil
                form = Form(
                    ordinal: form.ordinal, result: .skip(.duplicate), bytes: nil, detail: Words.duplicate(taken))
            }
        }
        if let key { keysOfRound[key] = id }
        let origin = ItemOrigin(
            id: id, inbox: inbox, flow: flow.id, lane: flow.lane, document: flow.file.to.document,
            ordinal: form.ordinal, key: key)
        open[id] = Open(
            origin: origin, bytes: form.bytes, settings: flow.settings, checkpoint: [], token: [], detail: form.detail)
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

    /// A document the source names and nobody can read: a row and a held item, so that it is in the counts.
    mutating func receiveUnreadable(_ hint: Conductor.Hinted, _ streamID: Int64, _ cause: String) {
        guard let stream = plan.streams[streamID] else { return }
        let known = (try? JSON.parse(hint.known)) ?? .null
        let flows = stream.flows.compactMap { plan.flows[$0] }.filter { $0.mayConcern(known) }
        flush()
        if failed || flows.isEmpty { return }
        do throws(Problem) {
            let content = UnreadableDocument.content(hint)
            let hash = try keyedHash(content.canonical())
            if try ledger.latest(stream: streamID, document: hint.document)?.hash == hash { return }
            var waiting: [(flow: PlannedFlow, prior: Prior)] = []
            for flow in flows {
                let parts = try ledger.liveParts(flow: flow.id, stream: streamID, document: hint.document)
                if parts.contains(where: { !$0.isReplaceable }) { continue }
                waiting.append((flow, parts.first.map { .unattempted($0.id) } ?? .none))
            }
            // Without an item the row would only hide the form that the next one is to be compared with.
            if waiting.isEmpty { return }
            let inbox = inboxRow(streamID, hint.document, content, hash)
            for (flow, prior) in waiting {
                let held = Form(ordinal: 0, result: .hold, bytes: nil, detail: cause)
                makeItem(held, flow, inbox.id, hint.document, prior)
            }
        } catch {
            die(error)
        }
    }

    /// A flow that is new on a stream that has documents already: they are its documents too.
    mutating func replay(_ flow: PlannedFlow) {
        do throws(Problem) {
            let key = "replayed \(flow.id)"
            if try !ledger.state(connection: Self.ownState, key: key).isEmpty { return }
            var after: Int64 = 0
            while true {
                let rows = try ledger.newestForms(stream: flow.stream, after: after, limit: 200)
                guard let last = rows.last else { break }
                after = last
                for row in rows {
                    let inbox = try ledger.payload(inbox: row)
                    let content = try JSON.parse(inbox.payload)
                    guard !UnreadableDocument.isOne(content), flow.concerns(content),
                        try ledger.ordinals(inbox: row, flow: flow.id).isEmpty
                    else { continue }
                    try makeItems(flow, content, inbox.document, inbox, isNew: false)
                }
                flush()
                if failed { return }
            }
            changes.append(.state(connection: Self.ownState, key: key, bytes: [1]))
        } catch {
            die(error)
        }
    }

    /// Under this name the host keeps state of its own beside the connectors'.
    static let ownState = "@host"

    /// Whose books each lane leads to, and since which writer generation: what was sent to others is not looked for here.
    /// Gives the lanes that lead elsewhere than before.
    mutating func noteBooks() -> [LaneID] {
        var elsewhere: [LaneID] = []
        do throws(Problem) {
            for lane in plan.lanes.values.sorted(by: { $0.id < $1.id }) {
                guard let tenant = plan.connections[lane.connection]?.tenant else { continue }
                let keys = try keyForm(lane)
                plan.lanes[lane.id]?.keys = keys
                let known = try ledger.state(connection: Self.ownState, key: "target \(lane.id)")
                if known == Array(tenant.utf8) {
                    let since = try Self.booksSince(lane.id, ledger)
                    plan.lanes[lane.id]?.rules.booksSince = since
                } else if known.isEmpty {
                    changes.append(
                        .state(connection: Self.ownState, key: "target \(lane.id)", bytes: Array(tenant.utf8)))
                } else {
                    plan.lanes[lane.id]?.rules.booksSince = lane.rules.epoch
                    elsewhere.append(lane.id)
                }
            }
        } catch {
            die(error)
        }
        return elsewhere
    }

    /// The form a target's keys began with stays, whatever its connector says later: a document that is known there under
    /// one key must not come again under another.
    private mutating func keyForm(_ lane: PlannedLane) throws(Problem) -> IdempotencyKey.Form {
        let name = "keys \(lane.id)"
        let known = try ledger.state(connection: Self.ownState, key: name)
        if let form = IdempotencyKey.Form(stored: String(decoding: known, as: UTF8.self)) { return form }
        changes.append(.state(connection: Self.ownState, key: name, bytes: Array(lane.keys.stored.utf8)))
        return lane.keys
    }

    /// The writer generation since which a lane leads to the books it leads to now.
    static func booksSince(_ lane: LaneID, _ ledger: any Ledger) throws(Problem) -> Int64 {
        let since = try ledger.state(connection: ownState, key: "target since \(lane)")
        return Int64(String(decoding: since, as: UTF8.self)) ?? 0
    }

    /// Holds what was sent to the former books. The items first: a commit in between must not make the host forget them.
    mutating func hold(_ elsewhere: [LaneID]) {
        for lane in elsewhere {
            guard let planned = plan.lanes[lane], let tenant = plan.connections[planned.connection]?.tenant else {
                continue
            }
            step(.targetChanged(lane))
            let epoch = Array("\(planned.rules.epoch)".utf8)
            changes.append(.state(connection: Self.ownState, key: "target since \(lane)", bytes: epoch))
            changes.append(.state(connection: Self.ownState, key: "target \(lane)", bytes: Array(tenant.utf8)))
        }
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
        return IdempotencyKey.make(
            parts: [flow.file.id, tenant, document, flow.file.to.document, "\(ordinal)"],
            as: plan.lanes[flow.lane]?.keys ?? .standard)
    }

    /// Maps an item again under the running revision. One whose effect is half there keeps its bytes, and so does one
    /// that may have to go to another connection than the flow's: bytes, settings and target stay together.
    mutating func remap(_ id: ItemID) {
        guard let entry = open[id], let item = engine.item(id) else { return }
        let orderKey = entry.origin.key ?? "item \(id)"
        let lane = plan.flows[entry.origin.flow]?.lane ?? entry.origin.lane
        let isMoved = lane != entry.origin.lane
        let mayStand = !entry.checkpoint.isEmpty || isMoved && !item.isReplaceable
        if mayStand || plan.writeBackFlows.contains(entry.origin.flow) {
            if entry.bytes != nil { step(.remapped(id, .ready(orderKey: orderKey), revision: item.revision)) }
            return
        }
        // A flow that is not part of the revision: its items stay where they are until it comes back.
        guard let flow = plan.flows[entry.origin.flow] else { return }
        do throws(Problem) {
            let inbox = try ledger.payload(inbox: entry.origin.inbox)
            let document = try JSON.parse(inbox.payload)
            if let hint = UnreadableDocument.hint(document) {
                // Nothing to map yet: the source is asked again, and what it gives takes this item's place.
                changes.append(.hint(stream: inbox.stream, document: hint.document, known: hint.known, at: now()))
                actions.append(.fetch(stream: inbox.stream, [hint]))
                return
            }
            let forms = Form.make(flow, document, timeZone: plan.timeZone)
            let form =
                forms.first { $0.ordinal == entry.origin.ordinal }
                ?? forms.first { $0.isHold }.map {
                    Form(ordinal: entry.origin.ordinal, result: .hold, bytes: nil, detail: $0.detail)
                } ?? Form(ordinal: entry.origin.ordinal, result: .skip(.mapping), bytes: nil, detail: nil)
            if isMoved && form.isReady {
                // An item belongs to its target: the flow's new one gets an item of its own under the same key.
                makeItem(form, flow, inbox.id, inbox.document, .unattempted(id))
                return try makeMissingParts(forms.filter { !$0.isHold }, flow, inbox)
            }
            open[id]?.bytes = form.bytes
            open[id]?.areStored = false
            open[id]?.settings = flow.settings
            open[id]?.detail = form.detail
            // One that was sent before keeps its bytes over a restart: from here on these, not the refused ones.
            if item.everAttempted, let bytes = form.bytes {
                changes.append(.mapped(id, bytes: bytes, settings: flow.settings))
                open[id]?.areStored = true
            }
            step(.remapped(id, form.disposition(key: orderKey), revision: plan.revision))
            try makeMissingParts(forms.filter { !$0.isHold }, flow, inbox)
        } catch {
            open[id]?.detail = Words.problem(error)
            step(.remapped(id, .hold, revision: plan.revision))
        }
    }

    /// The mapping may split the document otherwise than it did: each new part is an item of its own.
    mutating func makeMissingParts(
        _ forms: [Form], _ flow: PlannedFlow, _ inbox: InboxRow
    ) throws(Problem) {
        guard forms.contains(where: { $0.ordinal != 0 }) else { return }
        flush()
        if failed { return }
        let known = try ledger.ordinals(inbox: inbox.id, flow: flow.id)
        for form in forms where !known.contains(form.ordinal) {
            makeItem(form, flow, inbox.id, inbox.document, .none)
        }
    }
}
