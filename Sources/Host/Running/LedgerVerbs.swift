import Engine
import Ledger
import Values
import Workers

/// What a person asks of the ledger: lists, one document's history, and what was decided about it by hand.
extension HostProcess {
    private func view(_ item: ItemView) -> JSON {
        [
            "item": .int(Int(item.id)), "state": .string(item.item.state.seen.rawValue),
            "flow": .string(flowName(item.flow)),
            "document": ["id": .string(item.document), "number": .string(item.number)],
            "target": [
                "document": .string(item.targetDocument), "number": item.targetNumber.map { .string($0) } ?? .null,
            ],
            "attempts": .int(item.item.attempts), "changed": time(item.at), "cause": cause(of: item),
        ]
    }

    /// Its cause, with the item's own number in the next step.
    private func cause(of item: ItemView) -> JSON {
        let cause = cause(item.detail)
        guard var object = cause.object else { return cause }
        for key in ["next_zh", "next_en"] {
            guard let text = object[key]?.string else { continue }
            object[key] = .string(text.replacing("ITEM", with: "\(item.id)"))
        }
        return .object(object)
    }

    /// Which item and number an amending document means, where the ledger has the first one.
    private func amended(_ item: ItemView, _ main: String) async throws(Problem) -> Problem.Text? {
        let first = try await read { [ledger] () throws(Problem) in
            let named = try ledger.list(
                flow: item.flow, hidingDone: [], state: nil, limit: 20, ids: try ledger.items(named: main)
            ).filter { $0.document == main }
            return named.first { $0.targetNumber != nil } ?? named.first
        }
        guard let first else { return nil }
        let number = first.targetNumber.map { Problem.Text(zh: ", 目标单号 \($0)", en: ", number \($0) at the target") }
        return Problem.Text(
            zh: " (先前的单据是 \(first.id)\(number?.zh ?? ""))",
            en: " (the earlier one is item \(first.id)\(number?.en ?? ""))")
    }

    /// The flow's name; a write-back under its flow's; the immutable id of one that is not part of the revision.
    func flowName(_ id: FlowID) -> String {
        let plan = plan
        if let flow = plan.flows[id] { return flow.file.name }
        if let flow = plan.flows.values.first(where: { $0.writeBack?.flow == id }) {
            return "\(flow.file.name)/write-back"
        }
        return name(ofFlow: id) ?? "\(id)"
    }

    func list(_ arguments: JSON) async throws(Problem) -> JSON {
        let flow = arguments["flow"] == nil ? nil : try flowRow(arguments, "ledger.list")
        let state = arguments["state"]?.string.flatMap { FiveStates(rawValue: $0) }
        let limit = Int(arguments["limit"]?.int ?? 50)
        // Comments that were written go without saying, unless they are asked for.
        let quiet = flow == nil ? plan.writeBackFlows : []
        let items = try await read { [ledger] () throws(Problem) in
            try ledger.list(flow: flow, hidingDone: quiet, state: state, limit: limit + 1, ids: nil)
        }
        return ["items": .array(items.prefix(limit).map(view)), "more": .bool(items.count > limit)]
    }

    func show(_ arguments: JSON) async throws(Problem) -> JSON {
        let id = try item(arguments, "ledger.show")
        let (items, intents, origin) = try await read { [ledger] () throws(Problem) in
            (
                try ledger.list(flow: nil, hidingDone: [], state: nil, limit: 1, ids: [id]), try ledger.intents(id),
                try ledger.origin(id)
            )
        }
        guard let item = items.first, let origin else { throw .noItem("\(id)") }
        let inbox = try await read { [ledger] () throws(Problem) in try ledger.payload(inbox: origin.inbox) }
        let flow = plan.flows[item.flow]
        let source = try? JSON.parse(inbox.payload)
        var history: [JSON] = [
            [
                "at": time(inbox.at), "zh": .string("收到, 版本 \(inbox.revision)"),
                "en": .string("received, revision \(inbox.revision)"),
            ]
        ]
        for intent in intents {
            history.append([
                "at": time(intent.openedAt), "attempt": .int(intent.attempt), "zh": "开始发送", "en": "sending begins",
            ])
            guard let closed = intent.closedAt, let end = intent.end else { continue }
            let words: (String, String) =
                switch end {
                case .applied: ("目标系统已生效", "in effect at the target")
                case .atVendor: ("目标系统已受理", "accepted by the target")
                case .notApplied: ("未生效", "not applied")
                case .unknown: ("结果未知, 开始核对", "outcome unknown, looking it up")
                }
            let detail = cause(intent.detail)
            history.append([
                "at": time(closed), "attempt": .int(intent.attempt), "code": detail["code"] ?? .null,
                "zh": .string([words.0, detail["zh"]?.string].compactMap { $0 }.joined(separator: ": ")),
                "en": .string([words.1, detail["en"]?.string].compactMap { $0 }.joined(separator: ": ")),
            ])
        }
        if let number = item.targetNumber {
            history.append([
                "at": time(item.at), "zh": .string("目标单号 \(number)"), "en": .string("target number \(number)"),
            ])
        }
        var shown = view(item).object ?? JSONObject()
        shown["document"] = [
            "id": .string(item.document), "number": .string(item.number), "title": source?["title"] ?? .null,
        ]
        if case .object(var cause)? = shown["cause"], cause["code"] == "E-AMENDS",
            let main = source?["main_id"]?.string,
            let earlier = try await amended(item, main)
        {
            cause["zh"] = .string((cause["zh"]?.string ?? "") + earlier.zh)
            cause["en"] = .string((cause["en"]?.string ?? "") + earlier.en)
            shown["cause"] = .object(cause)
        }
        return [
            "item": .object(shown), "key": item.key.map { .string($0) } ?? .null,
            "source": [
                "connection": .string(flow?.file.from.connection ?? ""),
                "document": .string(flow?.file.from.document ?? ""),
                "number": .string(item.number),
            ],
            "target": [
                "connection": .string(flow?.file.to.connection ?? ""), "document": .string(item.targetDocument),
                "number": item.targetNumber.map { .string($0) } ?? .null,
            ], "history": .array(history), "next": .array(next(item)),
        ]
    }

    private func next(_ item: ItemView) -> [JSON] {
        let retry: JSON = [
            "command": .string("datong ledger retry \(item.id)"), "zh": "再试; 曾发送过的先核对",
            "en": "try again; what was sent is looked up first",
        ]
        let resolve: JSON = [
            "command": .string("datong ledger resolve \(item.id) --number NUMBER --why WHY"), "zh": "目标系统已有此单",
            "en": "the target has it",
        ]
        let skip: JSON = [
            "command": .string("datong ledger skip \(item.id) --why WHY"), "zh": "不处理此单", "en": "leave it out",
        ]
        let absent: JSON = [
            "command": .string("datong ledger resolve \(item.id) --absent --why WHY"), "zh": "已查过: 目标系统没有此单, 重新发送",
            "en": "looked there: the target has it not; it goes again",
        ]
        switch item.item.state {
        case .held(.severalFound), .checking: return [resolve, retry]
        case .held(.vendorSilent), .held(.triesSpent(.unknownOutcome)): return [retry, resolve, absent]
        case .held(.cannotFind), .held(.otherBooks): return [resolve, absent]
        case .held(.changedAfterEffect): return [resolve, skip]
        // Mapped again it is held again.
        case .held where cause(item.detail)["code"] == "E-AMENDS": return [resolve, skip]
        case .held: return [retry, resolve, skip]
        case .retrying, .atVendor: return [retry]
        default: return []
        }
    }

    func retry(_ arguments: JSON) async throws(Problem) -> JSON {
        if arguments["item"] != nil { return try await retryOne(try item(arguments, "ledger.retry")) }
        let flow = try flowRow(arguments, "ledger.retry")
        let state = FiveStates(rawValue: arguments["state"]?.string ?? "held") ?? .held
        let ids: [ItemID] = try await read { [ledger] () throws(Problem) in
            try ledger.list(flow: flow, hidingDone: [], state: state, limit: HostLimits.retriedAtOnce, ids: nil).map(
                \.id
            )
            .reversed()
        }
        return try await ask(.retry(ids, actor: Self.person))
    }

    /// One item: whoever names it is told why nothing came of it.
    private func retryOne(_ id: ItemID) async throws(Problem) -> JSON {
        guard let before = try await one(id) else { throw .noItem("\(id)") }
        if before.item.state.isSettled { throw .noOpenItem(id) }
        let answer = try await ask(.retry([id], actor: Self.person))
        guard answer["retried"]?.int == 0, let item = try await one(id) else { return answer }
        let cause = cause(of: item)
        switch item.item.state {
        // The look-up is on its way.
        case .checking, .atVendor: break
        // The source is asked again.
        case .held where ["E-SOURCE-UNREADABLE", "E-SOURCE-GONE"].contains(cause["code"]?.string): break
        case .held: throw .notRetried(id, cause)
        default: throw .cannotMove(id, item.item.state.seen)
        }
        return ["asked": 1, "retried": 1]
    }

    private func one(_ id: ItemID) async throws(Problem) -> ItemView? {
        try await read { [ledger] () throws(Problem) in
            try ledger.list(flow: nil, hidingDone: [], state: nil, limit: 1, ids: [id]).first
        }
    }

    /// The row of the flow that `status` shows under this name: its comments' and a removed one's too.
    private func flowRow(_ arguments: JSON, _ verb: String) throws(Problem) -> FlowID {
        let name = try text(arguments, "flow", verb)
        let flows = plan.flows.values
        if let flow = flows.first(where: { $0.file.name == name }) { return flow.id }
        if let back = flows.first(where: { "\($0.file.name)/write-back" == name })?.writeBack { return back.flow }
        guard let removed = row(ofFlow: name) else { throw .noFlow(name) }
        return removed
    }

    func resolve(_ arguments: JSON) async throws(Problem) -> JSON {
        let item = try item(arguments, "ledger.resolve")
        let why = try text(arguments, "why", "ledger.resolve")
        if arguments["absent"]?.bool == true { return try await ask(.absent(item, why: why, actor: Self.person)) }
        let number = try text(arguments, "number", "ledger.resolve").trimmed
        let byHand = arguments["by_hand"]?.bool == true
        var lookedUp = LookedUp.notNeeded
        if let open = try await openItem(item) {
            try await refuseTaken(number, open)
            lookedUp = try await lookUp(number, open, byHand: byHand)
        }
        var evidence: JSONObject = ["looked_up": .string(lookedUp.rawValue)]
        if byHand { evidence["by_hand"] = true }
        let settled = try await ask(
            .resolve(item, number: number, why: why, evidence: evidence, actor: Self.person))
        var answer = settled.object ?? JSONObject()
        answer["looked_up"] = .string(lookedUp.rawValue)
        return .object(answer)
    }

    /// What the target itself said of a number that a person gave.
    private enum LookedUp: String {
        /// Nothing was ever sent: there is nothing of ours to look for.
        case notNeeded = "not-needed"
        /// The host cannot look: no host runs, or connector or books do not allow it.
        case no
        case found, absent, failed
    }

    /// An item that a person may resolve; nil leaves the refusal to the conductor.
    private func openItem(_ id: ItemID) async throws(Problem) -> ItemView? {
        let item = try await one(id)
        switch item?.item.state {
        case .held, .checking, .atVendor: return item
        default: return nil
        }
    }

    /// One document of the target stands for one of the source: its number cannot settle two. A changed or amended
    /// document may be booked by correcting the first one, which keeps its number.
    private func refuseTaken(_ number: String, _ item: ItemView) async throws(Problem) {
        let lane = item.item.lane
        let (holders, main) = try await read { [ledger] () throws(Problem) in
            // Other books count their documents anew.
            let since = try ConductorLoop.booksSince(lane, ledger)
            var holders: [(item: ItemID, document: String)] = []
            for holder in try ledger.holders(ofNumber: number, lane: lane) where holder.item != item.id {
                if let last = try ledger.intents(holder.item).last, last.epoch < since { continue }
                holders.append(holder)
            }
            guard !holders.isEmpty, let origin = try ledger.origin(item.id) else { return (holders, String?.none) }
            let source = try? JSON.parse(try ledger.payload(inbox: origin.inbox).payload)
            return (holders, source?["main_id"]?.string)
        }
        let other = holders.first { $0.document != item.document && $0.document != main }
        if let other { throw .numberTaken(number, by: other.item) }
    }

    /// Asks the target for what was sent under the item's key: a number that it does not know under that key is a
    /// mistake, or was keyed in by hand, which the person must say.
    private func lookUp(_ number: String, _ item: ItemView, byHand: Bool) async throws(Problem) -> LookedUp {
        guard item.item.attempts > 0, let key = item.key else { return .notNeeded }
        guard mode == .serve, item.item.state != .held(.otherBooks), let lane = plan.lanes[item.item.lane],
            lane.rules.canFind, let worker = worker(lane.connection)
        else { return .no }
        let (since, intents, bytes, settings, checkpoint) = try await read { [ledger] () throws(Problem) in
            (
                try ConductorLoop.booksSince(lane.id, ledger), try ledger.intents(item.id), try ledger.mapped(item.id),
                try ledger.settings(item.id),
                try ledger.checkpoint(item.id)
            )
        }
        // Sent to other books than those the connection leads to now: looking here proves nothing.
        guard let last = intents.last, last.epoch >= since, let bytes else { return .no }
        let found: [String]
        do throws(ConnectionTrouble) {
            let asked = try await worker.numbers(
                of: PluginRequest.Find(
                    document: lane.document, settings: settings.flatMap { $0.isEmpty ? nil : $0 } ?? Array("{}".utf8),
                    key: key, json: bytes, checkpoint: checkpoint ?? []))
            guard let asked else { return .no }
            found = asked
        } catch {
            if byHand { return .failed }
            throw .notLookedUp(item.id, error.problem)
        }
        if found.contains(number) { return .found }
        guard found.isEmpty else { throw .otherNumber(item.id, number, found: found) }
        guard byHand else { throw .absentThere(item.id, number) }
        return .absent
    }

    func skip(_ arguments: JSON) async throws(Problem) -> JSON {
        try await ask(
            .skip(
                try item(arguments, "ledger.skip"), why: try text(arguments, "why", "ledger.skip"),
                actor: Self.person))
    }
}
