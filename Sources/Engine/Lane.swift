/// One target connection as the engine sees it: what may go, in which order, and whether anything may.
struct Lane: Sendable, Equatable {
    var rules: LaneRules
    var pause: LanePause?
    /// Pauses in a row without a success between them; sets the next pause's length.
    var troubles = 0
    var inFlight = 0
    /// The first writer generation whose writes went to the books this lane leads to now.
    var booksSince: Int64 = 0
    /// Unsettled items per order key, oldest first. Only the first may go.
    private var queues: [String: [ItemID]] = [:]
    /// Candidates, oldest first. A candidate is checked again when it is taken.
    private var candidates: [ItemID] = []
    private var taken = 0

    init(rules: LaneRules) { self.rules = rules }

    mutating func enqueue(_ item: ItemID, key: String) {
        queues[key, default: []].append(item)
    }

    func isFirst(_ item: ItemID, key: String) -> Bool { queues[key]?.first == item }

    /// Takes a settled or moved item out and names the item that is first now.
    mutating func leave(_ item: ItemID, key: String) -> ItemID? {
        guard var queue = queues[key] else { return nil }
        let wasFirst = queue.first == item
        queue.removeAll { $0 == item }
        queues[key] = queue.isEmpty ? nil : queue
        return wasFirst ? queue.first : nil
    }

    mutating func offer(_ item: ItemID) { candidates.append(item) }

    /// Forgets the candidates: whoever may go is offered anew.
    mutating func forgetCandidates() {
        candidates = []
        taken = 0
    }

    mutating func takeCandidate() -> ItemID? {
        guard taken < candidates.count else { return nil }
        defer {
            taken += 1
            if taken > 64, taken * 2 > candidates.count {
                candidates.removeFirst(taken)
                taken = 0
            }
        }
        return candidates[taken]
    }

    var mayDeliver: Bool { pause == nil && inFlight < rules.maxInFlight }
}
