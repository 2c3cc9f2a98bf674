@testable import Engine

extension SmallWorld {
    /// What must hold in every world, whatever happens next.
    func check() throws {
        // Every received document has an item, and every item that is not settled is the engine's.
        for document in books.indices where durable.versions[document] > 0 {
            guard durable.rows.keys.contains(where: { durable.document[$0] == document }) else {
                throw Broken(description: "document \(document) was received and has no item")
            }
        }
        for row in durable.rows.values where !row.state.isSettled {
            guard let item = engine.item(row.id) else { throw Broken(description: "item \(row.id) is lost") }
            guard item.state.seen == row.state.seen, item.orderKey == row.orderKey else {
                throw Broken(description: "item \(row.id) is \(item.state), the ledger says \(row.state)")
            }
        }
        let open = durable.rows.values.filter { !$0.state.isSettled }.count
        guard engine.openCount == open else {
            throw Broken(description: "the engine holds \(engine.openCount) of \(open)")
        }
        // What a newer form may replace is certainly in no books and on no way there.
        for row in durable.rows.values where row.isReplaceable && durable.keyed.contains(row.id) {
            guard let place = durable.document[row.id].map({ books[$0] }) else { continue }
            if place.ours > 0 || place.lateBefore != nil || place.isAccepted {
                throw Broken(description: "item \(row.id) is \(row.state) and may be in the books")
            }
        }
        // The cursor never passes what is durable.
        guard durable.versions.prefix(durable.cursor).allSatisfy({ $0 > 0 }) else {
            throw Broken(description: "the cursor is beyond the inbox")
        }
        // A call is on its way exactly for what is being delivered.
        let underWay =
            calls.compactMap { if case .write(let id, _) = $0 { id } else { nil } }
            + todo.compactMap { if case .deliver(let id, _) = $0 { id } else { nil } }
        let delivering = engine.openItems.filter(\.state.isOnItsWay).map(\.id)
        guard underWay.sorted() == delivering, durable.intents == Set(delivering),
            engine.inFlight(of: 1) == delivering.count
        else {
            throw Broken(description: "under way \(underWay.sorted()), delivering \(delivering), \(durable.intents)")
        }
        guard engine.pause(of: 1) == durable.pause else { throw Broken(description: "the pause is not durable") }
    }

    /// What must hold where nothing more happens by itself: every document is done, skipped, or in a person's hands.
    func checkEnd() throws {
        for row in durable.rows.values {
            switch row.state.seen {
            case .done, .skipped, .held: continue
            case .pending where isBehindHeld(row): continue
            case .pending, .checking: throw Broken(description: "item \(row.id) stays \(row.state) for ever")
            }
        }
        for (document, place) in books.enumerated() where durable.versions[document] > 0 {
            let own = durable.rows.values.filter {
                durable.document[$0.id] == document && durable.keyed.contains($0.id)
            }
            guard let last = own.max(by: { $0.id < $1.id }) else {
                throw Broken(description: "document \(document) has no item of its own")
            }
            if last.state == .done && place.ours + place.byHand == 0 && !setup.settlesUnknown {
                throw Broken(description: "document \(document) is done and not in the books")
            }
            if place.lateBefore != nil { throw Broken(description: "document \(document) is still to come") }
        }
    }

    /// Held blocks its key, and only that.
    private func isBehindHeld(_ row: Item) -> Bool {
        durable.rows.values.contains { $0.id < row.id && $0.orderKey == row.orderKey && $0.state.seen == .held }
    }

    /// Two worlds with one fingerprint go on alike: times count from now, generations and attempts only by what they
    /// decide.
    func fingerprint() -> Fingerprint {
        var words: [Int64] = [Int64(nextItem), Int64(durable.revision % 2), Int64(durable.cursor)]
        func add(_ time: Milliseconds) { words.append(max(time - now, -2 * Self.horizon)) }
        func add(_ state: ItemState) {
            switch state {
            case .ready: words.append(1)
            case .delivering(let epoch): words += [2, durable.epoch - epoch]
            case .retrying(let at, let cls):
                words += [3, Int64(cls.rawValue)]
                add(max(at, now))
            case .checking(let check):
                words += [4, Int64(min(check.looks, 2)), check.asking ? 1 : 0]
                add(check.since)
                add(check.nextAt)
            case .atVendor(let wait):
                words += [5, Int64(wait.reason.rawValue), wait.asking ? 1 : 0]
                add(max(wait.pollAt, now))
            case .held(let cause):
                words.append(6)
                switch cause {
                case .mapping: words.append(1)
                case .changedAfterEffect: words.append(2)
                case .refused(let cls): words += [3, Int64(cls.rawValue)]
                case .triesSpent(let cls): words += [4, Int64(cls.rawValue)]
                case .severalFound: words.append(5)
                case .cannotFind: words.append(6)
                case .vendorSilent: words.append(7)
                case .otherBooks: words.append(8)
                }
            case .done: words.append(7)
            case .skipped(let rule): words += [8, Int64(rule.rawValue)]
            }
        }
        func age(_ id: ItemID, _ attempt: Int) -> Int64 { Int64((durable.rows[id]?.attempts ?? 0) - attempt) }
        for id in durable.rows.keys.sorted() {
            guard let row = durable.rows[id] else { continue }
            words += [
                id, Int64(durable.document[id] ?? -1), durable.keyed.contains(id) ? 1 : 0, Int64(row.triesSpent),
                row.everAttempted ? 1 : 0, row.orderKey.isEmpty ? 0 : 1,
            ]
            add(row.state)
            if let item = engine.item(id) {
                words.append(Int64(item.triesSpent))
                add(item.state)
            }
        }
        for version in durable.versions { words.append(Int64(version)) }
        words.append(-1)
        for place in books {
            words += [
                Int64(place.ours), Int64(place.former), Int64(place.byHand), place.isAccepted ? 1 : 0,
                place.isFormer ? 1 : 0,
                place.lateBefore == nil ? 0 : 1,
            ]
            if let before = place.lateBefore { add(before) }
        }
        for document in books.indices {
            guard let debt = debts[document] else { continue }
            words += [-2, Int64(document), Int64(min(debt.looks, 2)), debt.lastWasLate ? 1 : 0]
            add(debt.horizon)
        }
        words.append(-3)
        for call in calls {
            switch call {
            case .write(let id, let epoch):
                words += [1, id, durable.epoch - epoch, epoch < durable.booksSince ? 1 : 0]
            case .find(let id, let attempt, let count, let at):
                words += [2, id, age(id, attempt), Int64(count)]
                add(at)
            case .poll(let id, let attempt): words += [3, id, age(id, attempt)]
            }
        }
        words.append(-4)
        for action in todo {
            switch action {
            case .deliver(let id, let epoch): words += [1, id, durable.epoch - epoch]
            case .find(let id, let attempt): words += [2, id, age(id, attempt)]
            case .poll(let id, let attempt): words += [3, id, age(id, attempt)]
            }
        }
        words.append(-5)
        if let lane = engine.lanes[1] {
            switch lane.pause {
            case nil: words.append(0)
            case .stopped(let cls): words += [1, Int64(cls?.rawValue ?? 0)]
            case .until(let at, let cls):
                words += [2, Int64(cls.rawValue)]
                add(max(at, now))
            }
            words += [Int64(lane.troubles), Int64(lane.inFlight)]
            words.append(-6)
            for key in lane.queues.keys.sorted() { words += [-7] + (lane.queues[key] ?? []) }
            words.append(-8)
            words += lane.candidates[lane.taken...]
        }
        words.append(-9)
        for timer in engine.timers.entries.sorted(by: { ($0.at, $0.item) < ($1.at, $1.item) }) {
            words.append(timer.item)
            add(max(timer.at, now))
        }
        return Fingerprint(words, left)
    }

    /// 128 bits of a world.
    struct Fingerprint: Hashable {
        private var high: Int
        private var low: Int

        init(_ words: [Int64], _ left: Left) {
            var one = Hasher()
            var two = Hasher()
            two.combine(0x5bd1)
            one.combine(left)
            two.combine(left)
            for word in words {
                one.combine(word)
                two.combine(word)
            }
            high = one.finalize()
            low = two.finalize()
        }
    }
}

/// Walks every world that can be reached from a beginning.
struct Explorer {
    private final class Step {
        let what: String
        let before: Step?
        init(_ what: String, _ before: Step?) {
            self.what = what
            self.before = before
        }
    }

    struct Report {
        var states = 0
        var steps = 0
        var ends = 0
        /// The states of documents where nothing more happens.
        var seenAtEnds: Set<String> = []
    }

    struct Found: Error, CustomStringConvertible {
        var description: String
    }

    /// Throws the first story that breaks an invariant, as it happened.
    static func explore(_ setup: SmallWorld.Setup) async throws -> Report {
        var report = Report()
        var seen: Set<SmallWorld.Fingerprint> = []
        let first = try SmallWorld(setup)
        seen.insert(first.fingerprint())
        var stack: [(SmallWorld, Step?)] = [(first, nil)]
        while let (world, step) = stack.popLast() {
            report.states += 1
            // Other tests wait for answers in time: none of the pool's few threads is kept for long.
            if report.states.isMultiple(of: 100) { await Task.yield() }
            do {
                let following = try world.following()
                if following.isEmpty {
                    try world.checkEnd()
                    report.ends += 1
                    for row in world.durable.rows.values { report.seenAtEnds.insert(row.state.seen.rawValue) }
                }
                for next in following {
                    report.steps += 1
                    if seen.insert(next.world.fingerprint()).inserted {
                        stack.append((next.world, Step(next.what, step)))
                    }
                }
            } catch let broken as SmallWorld.Broken {
                throw Found(description: "\(setup.name): \(story(step)) → \(broken.description)")
            }
        }
        return report
    }

    private static func story(_ last: Step?) -> String {
        var steps: [String] = []
        var step = last
        while let current = step {
            steps.append(current.what)
            step = current.before
        }
        return steps.reversed().joined(separator: " → ")
    }
}
