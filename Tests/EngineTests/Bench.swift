import Engine

/// An engine with one lane, one flow and a clock, and what its last step said.
struct Bench {
    var engine = Engine()
    var now: Milliseconds = 1_000_000
    var said: [Effect] = []

    init(
        maxInFlight: Int = 16, unique: Bool = false, canFind: Bool = true, horizon: Milliseconds = 60_000,
        settlesUnknown: Bool = false, onChange: ChangePolicy = .hold, ladder: [Milliseconds] = [20_000, 300_000]
    ) {
        _ = engine.step(
            .lane(
                1,
                LaneRules(
                    maxInFlight: maxInFlight, enforcesUniqueKey: unique, canFind: canFind, commitHorizon: horizon,
                    epoch: 7, settlesUnknown: settlesUnknown)), now: now)
        _ = engine.step(.flow(1, FlowRules(ladder: ladder, onChange: onChange)), now: now)
    }

    @discardableResult mutating func step(_ event: Event) -> [Effect] {
        said = engine.step(event, now: now)
        return said
    }

    /// Time passes, and the engine is told.
    mutating func pass(_ time: Milliseconds) {
        now += time
        step(.tick)
    }

    mutating func receive(_ id: ItemID, key: String? = nil, prior: Prior = .none) {
        step(.received(id, flow: 1, lane: 1, .ready(orderKey: key ?? "k\(id)"), prior: prior, revision: 1))
    }

    mutating func answer(_ id: ItemID, _ outcome: Outcome, epoch: Int64 = 7) {
        step(.delivered(id, epoch: epoch, outcome))
    }

    mutating func fail(_ id: ItemID, _ cls: FailureClass, arrived: Bool = false, retryAfter: Milliseconds? = nil) {
        answer(id, .failed(cls, mayHaveArrived: arrived, retryAfter: retryAfter))
    }

    /// The answer to the last look-up.
    mutating func look(_ id: ItemID, _ answer: FindAnswer) {
        step(.found(id, attempt: engine.item(id)?.attempts ?? 0, answer))
    }

    /// The answer to the last question about an accepted document.
    mutating func poll(_ id: ItemID, _ outcome: Outcome) {
        step(.polled(id, attempt: engine.item(id)?.attempts ?? 0, outcome))
    }

    func state(_ id: ItemID) -> ItemState? { engine.item(id)?.state }

    /// Items sent by the last step.
    var delivered: [ItemID] {
        said.compactMap { if case .deliver(let id, _, _) = $0 { id } else { nil } }
    }
    var found: [ItemID] { said.compactMap { if case .find(let id, _) = $0 { id } else { nil } } }
    var settled: [ItemID: ItemState] {
        var settled: [ItemID: ItemState] = [:]
        for case .persist(let item) in said where item.state.isSettled { settled[item.id] = item.state }
        return settled
    }
}
