/// The flow state machine: events in, effects out. No I/O, no clock, no import.
///
/// The same code runs in production, in the exhaustive small-world test and in the simulator. It holds every
/// item that is not settled, and forgets an item the moment it is done or skipped.
///
///     received ─▶ ready ─▶ delivering ─▶ done
///                   ▲          │ ├─────▶ retrying ─▶ ready            clear no, or nothing was sent
///                   │          │ ├─────▶ atVendor ─▶ done             the target answers later
///                   │          │ └─────▶ held                         a person decides
///                   │          └───────▶ checking ─▶ done             found under our key
///                   └──────────────────────┘                          absent twice, the second time after
///                                                                     the target's commit horizon
public struct Engine: Sendable {
    private var items: [ItemID: Item] = [:]
    private(set) var lanes: [LaneID: Lane] = [:]
    private var flows: [FlowID: FlowRules] = [:]
    private(set) var timers = TimerHeap()
    private var effects: [Effect] = []

    /// An engine that knows nothing yet: lanes and flows first, then the ledger's items, then work.
    public init() {}

    /// The item, while it is not settled.
    public func item(_ id: ItemID) -> Item? { items[id] }

    /// Every unsettled item; for tests and checks, not for the path of a document.
    public var openItems: [Item] { items.values.sorted { $0.id < $1.id } }

    /// Unsettled items.
    public var openCount: Int { items.count }

    /// Items that move by themselves; what sweeps wait for.
    public var movingCount: Int { items.values.reduce(0) { $0 + ($1.isMoving ? 1 : 0) } }

    /// Why a lane stands still, if it does.
    public func pause(of lane: LaneID) -> LanePause? { lanes[lane]?.pause }

    /// Deliveries on their way in a lane.
    public func inFlight(of lane: LaneID) -> Int { lanes[lane]?.inFlight ?? 0 }

    /// Whether a person stopped a flow.
    public func isPaused(flow: FlowID) -> Bool { flows[flow]?.isPaused ?? true }

    /// When `tick` has something to do next.
    public var nextWake: Milliseconds? {
        var earliest = timers.first?.at
        for lane in lanes.values {
            if case .until(let at, _)? = lane.pause { earliest = min(earliest ?? at, at) }
        }
        return earliest
    }

    /// One event, and what it makes necessary. `persist`, `openIntent`, `closeIntent` and `persistLane` are made
    /// durable, in one transaction, before any other effect of the list is carried out.
    public mutating func step(_ event: Event, now: Milliseconds) -> [Effect] {
        effects.removeAll(keepingCapacity: true)
        apply(event, now)
        return effects
    }

    private mutating func apply(_ event: Event, _ now: Milliseconds) {
        switch event {
        case .lane(let id, let rules):
            laneRules(id, rules, now)
        case .flow(let id, let rules):
            flows[id] = rules
            offerAll(now) { $0.flow == id }
        case .flowGone(let id): flows[id] = nil
        case .targetChanged(let id): targetChanged(id, now)
        case .supersede(let id):
            if items[id]?.isReplaceable == true {
                settle(id, .skipped(.superseded), now)
            } else {
                drop(id, .wrongState)
            }
        case .recovered(let item): recover(item, now)
        case .received(let id, let flow, let lane, let disposition, let prior, let revision):
            let item = Item(id: id, flow: flow, lane: lane, orderKey: "", state: .held(.mapping), revision: revision)
            receive(item, disposition, prior, now)
        case .remapped(let id, let disposition, let revision): remap(id, disposition, revision, now)
        case .delivered(let id, let epoch, let outcome): delivered(id, epoch, outcome, now)
        case .found(let id, let attempt, let answer): found(id, attempt, answer, now)
        case .polled(let id, let attempt, let outcome): polled(id, attempt, outcome, now)
        case .tick: tick(now)
        case .pauseLane(let id, let pause): pauseLane(id, pause)
        case .resumeLane(let id): resumeLane(id, now)
        case .pauseFlow(let id, let paused):
            flows[id]?.isPaused = paused
            if !paused { offerAll(now) { $0.flow == id } }
        case .revision:
            for item in openItems where item.state == .ready && !item.everAttempted { effects.append(.remap(item.id)) }
        case .retry(let id): retry(id, now)
        case .resolve(let id): resolve(id, now)
        case .absent(let id): absent(id, now)
        case .skip(let id): skip(id, now)
        }
    }

    // MARK: receiving

    private mutating func receive(_ new: Item, _ disposition: Disposition, _ prior: Prior, _ now: Milliseconds) {
        var item = new
        switch prior {
        case .none: break
        case .unattempted(let old) where items[old]?.isReplaceable == true:
            settle(old, .skipped(.superseded), now)
        case .unattempted(let old) where items[old] == nil: break
        case .unattempted, .effect:
            if flows[item.flow]?.onChange == .ignore {
                item.state = .skipped(.changeIgnored)
                effects.append(.persist(item))
            } else {
                item.state = .held(.changedAfterEffect)
                admit(item, now)
            }
            return
        }
        switch disposition {
        case .ready(let key):
            item.orderKey = key
            item.state = .ready
            admit(item, now)
        case .hold:
            item.state = .held(.mapping)
            admit(item, now)
        case .skip(let rule):
            item.state = .skipped(rule)
            effects.append(.persist(item))
        }
    }

    /// What was sent to the former books cannot be looked for in the new ones.
    private mutating func targetChanged(_ id: LaneID, _ now: Milliseconds) {
        for item in openItems where item.lane == id && item.state.isUnknown {
            set(item.id, .held(.otherBooks), now)
        }
    }

    /// A lane that is new takes in the items that were recovered while nobody knew it.
    private mutating func laneRules(_ id: LaneID, _ rules: LaneRules, _ now: Milliseconds) {
        if lanes[id] != nil {
            lanes[id]?.rules = rules
            return dispatch(id, now)
        }
        lanes[id] = Lane(rules: rules)
        for item in openItems where item.lane == id { recover(item, now) }
    }

    /// Takes an item in as it is: durable, in its queue, and on its way if it may go.
    private mutating func admit(_ item: Item, _ now: Milliseconds) {
        items[item.id] = item
        effects.append(.persist(item))
        lanes[item.lane]?.enqueue(item.id, key: item.queueKey)
        proceed(item.id, now)
    }

    private mutating func recover(_ found: Item, _ now: Milliseconds) {
        guard !found.state.isSettled else { return }
        var item = found
        switch item.state {
        case .delivering(let epoch):
            // The host died with the call on its way: the request may have left a moment before.
            effects.append(.closeIntent(item.id, attempt: item.attempts, .unknown))
            items[item.id] = item
            lanes[item.lane]?.enqueue(item.id, key: item.queueKey)
            becomeUnknown(item.id, epoch, now)
            return
        case .checking(var check):
            // Two processes may disagree about the time: the horizon is measured by one, which is only slower.
            check.since = now
            check.nextAt = min(check.nextAt, now + EngineLimits.longestLookWait)
            check.asking = false
            item.state = .checking(check)
        case .retrying(let at, let cls) where !cls.isConnectionTrouble:
            let longest = flows[item.flow]?.ladder.max() ?? EngineLimits.longestLookWait
            item.state = .retrying(at: min(at, now + longest), class: cls)
        case .atVendor(var wait):
            wait.pollAt = min(wait.pollAt, now + EngineLimits.longestPoll)
            wait.asking = false
            item.state = .atVendor(wait)
        default: break
        }
        items[item.id] = item
        lanes[item.lane]?.enqueue(item.id, key: item.queueKey)
        if item.state == .ready && !item.everAttempted {
            effects.append(.remap(item.id))
        } else {
            proceed(item.id, now)
        }
    }

    private mutating func remap(_ id: ItemID, _ disposition: Disposition, _ revision: Int, _ now: Milliseconds) {
        guard var item = items[id] else { return drop(id, .unknownItem) }
        switch item.state {
        case .ready where !item.everAttempted: break
        case .held(.mapping), .held(.refused), .held(.triesSpent): break
        default: return drop(id, .wrongState)
        }
        let next = lanes[item.lane]?.leave(id, key: item.queueKey)
        item.revision = revision
        switch disposition {
        case .ready(let key):
            item.orderKey = key
            item.triesSpent = 0
            item.state = item.everAttempted ? .retrying(at: now, class: .transient) : .ready
        case .hold: item.state = .held(.mapping)
        case .skip(let rule): item.state = .skipped(rule)
        }
        items[id] = item.state.isSettled ? nil : item
        effects.append(.persist(item))
        if !item.state.isSettled { lanes[item.lane]?.enqueue(id, key: item.queueKey) }
        if let next { proceed(next, now) }
        if !item.state.isSettled { proceed(id, now) }
    }

    // MARK: going out

    /// Whatever this item can do now by itself: be offered, or set its timer.
    private mutating func proceed(_ id: ItemID, _ now: Milliseconds) {
        guard let item = items[id] else { return }
        switch item.state {
        case .ready:
            lanes[item.lane]?.offer(id)
            dispatch(item.lane, now)
        case .retrying(let at, _):
            if at <= now {
                lanes[item.lane]?.offer(id)
                dispatch(item.lane, now)
            } else {
                timers.push(at, id)
            }
        case .checking(let check): timers.push(check.nextAt, id)
        case .atVendor(let wait): timers.push(wait.pollAt, id)
        case .delivering, .held, .done, .skipped: break
        }
    }

    private mutating func offerAll(_ now: Milliseconds, where matches: (Item) -> Bool) {
        for item in openItems where matches(item) { proceed(item.id, now) }
    }

    private mutating func dispatch(_ laneID: LaneID, _ now: Milliseconds) {
        while let lane = lanes[laneID], lane.mayDeliver, let id = lanes[laneID]?.takeCandidate() {
            guard var item = items[id], lane.isFirst(id, key: item.queueKey), item.mayGo(now),
                flows[item.flow]?.isPaused == false
            else { continue }
            item.attempts += 1
            item.state = .delivering(epoch: lane.rules.epoch)
            items[id] = item
            lanes[laneID]?.inFlight += 1
            effects.append(.persist(item))
            effects.append(.openIntent(id, attempt: item.attempts, epoch: lane.rules.epoch))
            effects.append(.deliver(id, attempt: item.attempts, epoch: lane.rules.epoch))
        }
    }

    // MARK: coming back

    private mutating func delivered(_ id: ItemID, _ epoch: Int64, _ outcome: Outcome, _ now: Milliseconds) {
        guard let item = items[id] else { return drop(id, .unknownItem) }
        guard case .delivering(let sent) = item.state, sent == epoch else { return drop(id, .stale) }
        lanes[item.lane]?.inFlight -= 1
        switch outcome {
        case .applied:
            lanes[item.lane]?.troubles = 0
            close(item, .applied)
            settle(id, .done, now)
        case .atVendor(let reason, let after):
            lanes[item.lane]?.troubles = 0
            close(item, .atVendor)
            if isForeign(item, sent) {
                set(id, .held(.otherBooks), now)
            } else {
                set(id, .atVendor(AtVendor(reason: reason, since: now, pollAt: now + bounded(after))), now)
            }
        case .failed(let cls, let arrived, let retryAfter):
            if arrived && !cls.isDefinitiveRefusal {
                close(item, .unknown)
                becomeUnknown(id, sent, now)
            } else {
                close(item, .notApplied)
                notApplied(id, cls, retryAfter, now)
            }
        }
        dispatch(item.lane, now)
    }

    private mutating func notApplied(
        _ id: ItemID, _ cls: FailureClass, _ retryAfter: Milliseconds?, _ now: Milliseconds
    ) {
        guard let item = items[id] else { return }
        if cls.isConnectionTrouble {
            let at = trouble(item.lane, cls, retryAfter, now)
            set(id, .retrying(at: at, class: cls), now)
            return
        }
        switch cls {
        case .invalidRecord, .conflict, .unsupported, .schemaDrift: set(id, .held(.refused(cls)), now)
        case .cancelled: set(id, .retrying(at: now + EngineLimits.firstLookAfter, class: cls), now)
        default: spendTry(id, cls, retryAfter, now)
        }
    }

    /// The next step of the ladder, or a person.
    private mutating func spendTry(_ id: ItemID, _ cls: FailureClass, _ retryAfter: Milliseconds?, _ now: Milliseconds)
    {
        guard var item = items[id] else { return }
        let ladder = flows[item.flow]?.ladder ?? []
        item.triesSpent += 1
        items[id] = item
        let allowed = cls == .bug ? min(ladder.count, EngineLimits.bugTries - 1) : ladder.count
        if item.triesSpent > allowed {
            set(id, .held(.triesSpent(cls)), now)
        } else {
            let wait = max(ladder[item.triesSpent - 1], retryAfter ?? 0)
            set(id, .retrying(at: now + wait, class: cls), now)
        }
    }

    /// Sent to the books this connection led to before.
    private func isForeign(_ item: Item, _ epoch: Int64) -> Bool {
        lanes[item.lane].map { epoch < $0.rules.booksSince } ?? false
    }

    private mutating func becomeUnknown(_ id: ItemID, _ epoch: Int64, _ now: Milliseconds) {
        guard let item = items[id], let rules = lanes[item.lane]?.rules else { return }
        if rules.settlesUnknown && !rules.canFind {
            settle(id, .done, now)
        } else if isForeign(item, epoch) {
            set(id, .held(.otherBooks), now)
        } else if !rules.canFind {
            set(id, .held(.cannotFind), now)
        } else {
            set(id, .checking(Check(since: now, nextAt: now + EngineLimits.firstLookAfter)), now)
        }
    }

    private mutating func found(_ id: ItemID, _ attempt: Int, _ answer: FindAnswer, _ now: Milliseconds) {
        guard let item = items[id] else { return drop(id, .unknownItem) }
        guard attempt == item.attempts else { return drop(id, .stale) }
        guard case .checking(var check) = item.state, check.asking, let rules = lanes[item.lane]?.rules else {
            return drop(id, .wrongState)
        }
        check.asking = false
        let asked = check.nextAt
        switch answer {
        case .found(1): settle(id, .done, now)
        case .found(let count) where count > 1: set(id, .held(.severalFound), now)
        case .unsupported:
            if rules.settlesUnknown { settle(id, .done, now) } else { set(id, .held(.cannotFind), now) }
        case .found, .absent:
            check.looks += 1
            let horizonPassed = asked >= check.since + rules.commitHorizon
            if rules.enforcesUniqueKey || (horizonPassed && check.looks >= 2) {
                // Proved not applied as far as anyone can: the same bytes go again, and that costs a try.
                spendTry(id, .unknownOutcome, nil, now)
            } else {
                check.nextAt = max(now + EngineLimits.firstLookAfter, check.since + rules.commitHorizon)
                set(id, .checking(check), now)
            }
        case .failed(let cls, let retryAfter):
            // As long again as it has been unknown: the waits double by themselves.
            var wait = max(EngineLimits.failedLookWait, now - check.since, retryAfter ?? 0)
            if cls.isConnectionTrouble { wait = max(wait, trouble(item.lane, cls, retryAfter, now) - now) }
            check.nextAt = now + min(wait, EngineLimits.longestLookWait)
            set(id, .checking(check), now)
        }
        dispatch(item.lane, now)
    }

    private mutating func polled(_ id: ItemID, _ attempt: Int, _ outcome: Outcome, _ now: Milliseconds) {
        guard let item = items[id] else { return drop(id, .unknownItem) }
        guard attempt == item.attempts else { return drop(id, .stale) }
        guard case .atVendor(var wait) = item.state, wait.asking else { return drop(id, .wrongState) }
        wait.asking = false
        switch outcome {
        case .applied: settle(id, .done, now)
        case .atVendor(let reason, let after):
            if reason == .accepted && now >= wait.since + EngineLimits.longestQueued {
                set(id, .held(.vendorSilent), now)
            } else {
                wait.reason = reason
                wait.pollAt = now + bounded(after)
                set(id, .atVendor(wait), now)
            }
        case .failed(let cls, _, let retryAfter):
            switch cls {
            case .invalidRecord, .conflict: set(id, .held(.refused(cls)), now)
            // Nobody can ask: it may be in effect all the same.
            case .unsupported: set(id, .held(.vendorSilent), now)
            default:
                var next = now + bounded(retryAfter ?? EngineLimits.failedLookWait)
                if cls.isConnectionTrouble { next = max(next, trouble(item.lane, cls, retryAfter, now)) }
                wait.pollAt = next
                set(id, .atVendor(wait), now)
            }
        }
        dispatch(item.lane, now)
    }

    // MARK: time and lanes

    private mutating func tick(_ now: Milliseconds) {
        // In the order of their numbers: the same events give the same effects in every process.
        for id in lanes.keys.sorted() {
            if case .until(let at, _)? = lanes[id]?.pause, at <= now { resumeLane(id, now) }
        }
        while let entry = timers.first, entry.at <= now {
            _ = timers.pop()
            guard let item = items[entry.item], let lane = lanes[item.lane] else { continue }
            switch item.state {
            case .retrying(let at, _) where at <= now:
                lanes[item.lane]?.offer(item.id)
                dispatch(item.lane, now)
            case .checking(var check) where check.nextAt <= now && !check.asking && lane.pause == nil:
                check.asking = true
                check.nextAt = now
                items[item.id]?.state = .checking(check)
                effects.append(.find(item.id, attempt: item.attempts))
            case .atVendor(var wait) where wait.pollAt <= now && !wait.asking && lane.pause == nil:
                wait.asking = true
                items[item.id]?.state = .atVendor(wait)
                effects.append(.poll(item.id, attempt: item.attempts))
            default: continue
            }
        }
    }

    /// Pauses a lane for trouble of the connection and says until when.
    private mutating func trouble(
        _ id: LaneID, _ cls: FailureClass, _ retryAfter: Milliseconds?, _ now: Milliseconds
    ) -> Milliseconds {
        guard let lane = lanes[id] else { return now }
        if cls == .authDenied {
            pauseLane(id, .stopped(cls))
            return now
        }
        // Sixteen refusals of one moment are one trouble.
        if case .until(let earlier, _)? = lane.pause, retryAfter == nil { return earlier }
        let doubled = EngineLimits.firstLanePause << Milliseconds(min(lane.troubles, 20))
        let backOff = min(doubled, EngineLimits.longestLanePause)
        let wait: Milliseconds =
            switch cls {
            case .throttled: retryAfter ?? max(EngineLimits.throttledPause, backOff)
            case .quotaSpent: retryAfter ?? EngineLimits.quotaPause
            default: max(retryAfter ?? 0, backOff)
            }
        let at = now + max(wait, 1)
        switch lane.pause {
        case .stopped?: return at
        case .until(let earlier, _)? where earlier >= at: return earlier
        default:
            if lane.pause == nil { lanes[id]?.troubles += 1 }
            pauseLane(id, .until(at, cls))
            return at
        }
    }

    private mutating func pauseLane(_ id: LaneID, _ pause: LanePause) {
        guard lanes[id] != nil, lanes[id]?.pause != pause else { return }
        lanes[id]?.pause = pause
        effects.append(.persistLane(id, pause))
    }

    private mutating func resumeLane(_ id: LaneID, _ now: Milliseconds) {
        guard lanes[id]?.pause != nil else { return }
        lanes[id]?.pause = nil
        lanes[id]?.forgetCandidates()
        effects.append(.persistLane(id, nil))
        for item in items.values where item.lane == id {
            // What waited for the connection, and not for its own ladder, goes at once.
            if case .retrying(let at, let cls) = item.state, cls.isConnectionTrouble, at > now {
                items[item.id]?.state = .retrying(at: now, class: cls)
            }
        }
        offerAll(now) { $0.lane == id }
    }

    // MARK: people

    private mutating func retry(_ id: ItemID, _ now: Milliseconds) {
        guard let item = items[id] else { return drop(id, .unknownItem) }
        switch item.state {
        case .held(.mapping), .held(.refused), .held(.triesSpent(.transient)), .held(.triesSpent(.bug)):
            effects.append(.remap(id))
        case .held(.severalFound), .held(.cannotFind), .held(.triesSpent):
            guard lanes[item.lane]?.rules.canFind == true else { return drop(id, .wrongState) }
            // Since: the target has had all this time already, so the horizon counts from the last attempt's end;
            // the engine no longer knows it and counts anew, which is only slower.
            items[id]?.triesSpent = 0
            set(id, .checking(Check(since: now, nextAt: now)), now)
        case .held(.vendorSilent): set(id, .atVendor(AtVendor(reason: .accepted, since: now, pollAt: now)), now)
        case .retrying(_, let cls): set(id, .retrying(at: now, class: cls), now)
        case .checking(var check) where !check.asking:
            check.nextAt = now
            set(id, .checking(check), now)
        case .atVendor(var wait) where !wait.asking:
            wait.pollAt = now
            set(id, .atVendor(wait), now)
        default: drop(id, .wrongState)
        }
    }

    private mutating func resolve(_ id: ItemID, _ now: Milliseconds) {
        guard let item = items[id] else { return drop(id, .unknownItem) }
        switch item.state {
        case .held, .checking, .atVendor: settle(id, .done, now)
        default: drop(id, .wrongState)
        }
    }

    private mutating func absent(_ id: ItemID, _ now: Milliseconds) {
        guard let item = items[id] else { return drop(id, .unknownItem) }
        switch item.state {
        case .held(.cannotFind), .held(.otherBooks), .held(.vendorSilent), .held(.triesSpent(.unknownOutcome)):
            items[id]?.triesSpent = 0
            set(id, .retrying(at: now, class: .unknownOutcome), now)
        default: drop(id, .wrongState)
        }
    }

    private mutating func skip(_ id: ItemID, _ now: Milliseconds) {
        guard let item = items[id] else { return drop(id, .unknownItem) }
        switch item.state {
        // An unknown outcome cannot be skipped: it may be in the books. It is looked up or resolved.
        case let state where state.isUnknown: drop(id, .wrongState)
        case .held, .ready, .retrying: settle(id, .skipped(.person), now)
        default: drop(id, .wrongState)
        }
    }

    // MARK: moves

    private mutating func set(_ id: ItemID, _ state: ItemState, _ now: Milliseconds) {
        guard var item = items[id] else { return }
        item.state = state
        items[id] = item
        effects.append(.persist(item))
        proceed(id, now)
    }

    private mutating func settle(_ id: ItemID, _ state: ItemState, _ now: Milliseconds) {
        guard var item = items.removeValue(forKey: id) else { return }
        item.state = state
        effects.append(.persist(item))
        if let next = lanes[item.lane]?.leave(id, key: item.queueKey) { proceed(next, now) }
    }

    private mutating func close(_ item: Item, _ end: IntentEnd) {
        effects.append(.closeIntent(item.id, attempt: item.attempts, end))
    }

    private mutating func drop(_ id: ItemID, _ reason: DropReason) { effects.append(.dropped(id, reason)) }

    private func bounded(_ wait: Milliseconds) -> Milliseconds {
        min(max(wait, EngineLimits.shortestPoll), EngineLimits.longestPoll)
    }
}

extension Item {
    /// An item without a key of its own (held before it had one) stands in no one's way.
    var queueKey: String { orderKey.isEmpty ? "item \(id)" : orderKey }

    func mayGo(_ now: Milliseconds) -> Bool {
        switch state {
        case .ready: true
        case .retrying(let at, _): at <= now
        default: false
        }
    }
}
