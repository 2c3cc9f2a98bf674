@testable import Engine

/// What may happen next in a small world.
extension SmallWorld {
    /// Every world that can follow, with what happened.
    func following() throws -> [(what: String, world: SmallWorld)] {
        var next: [(String, SmallWorld)] = []
        func may(_ what: String, _ change: (inout SmallWorld) throws -> Void) throws {
            var world = self
            do {
                try change(&world)
                try world.check()
            } catch let broken as Broken {
                throw Broken(description: "\(what): \(broken.description)")
            }
            next.append((what, world))
        }
        try crashes(may)
        if !todo.isEmpty {
            try may("do \(todo[0])") { try $0.doNext() }
            return next
        }
        for index in calls.indices { try answers(index, may) }
        for document in books.indices where books[document].lateBefore != nil {
            try may("document \(document) commits late") { world in
                world.books[document].lateBefore = nil
                try world.commitToBooks(document, former: books[document].isFormer)
            }
        }
        for document in books.indices where books[document].isAccepted {
            try may("document \(document) is worked through") { world in
                world.books[document].isAccepted = false
                try world.commitToBooks(document, former: books[document].isFormer)
            }
        }
        try time(may)
        try documents(may)
        try people(may)
        return next
    }

    private typealias May = (String, (inout SmallWorld) throws -> Void) throws -> Void

    // MARK: crashes

    private func crashes(_ may: May) throws {
        guard left.crashes > 0 else { return }
        // Each write on its way may have reached the target or not, or reach it later.
        let writes = calls.compactMap { if case .write(let id, let epoch) = $0 { (id: id, epoch: epoch) } else { nil } }
        var ways: [[Fate]] = [[]]
        for _ in writes {
            ways = ways.flatMap { way in [Fate.lostNothing, .lostCommitted, .lostLate].map { way + [$0] } }
        }
        for way in ways {
            try may("crash \(way.map(\.rawValue))") { world in
                world.left.crashes -= 1
                for (write, fate) in zip(writes, way) { try world.reach(write.id, write.epoch, fate) }
                let old = world.durable.epoch
                world.durable.epoch += 1
                try world.begin()
                // The answer of a dead generation changes nothing.
                for id in writes.map(\.id) {
                    let said = world.engine.step(.delivered(id, epoch: old, .applied), now: world.now)
                    guard case .dropped? = said.first, said.count == 1 else {
                        throw Broken(description: "an answer of generation \(old) was heard")
                    }
                }
            }
        }
    }

    private mutating func reach(_ id: ItemID, _ epoch: Int64, _ fate: Fate) throws {
        guard let document = durable.document[id] else { return }
        let isFormer = epoch < durable.booksSince
        switch fate {
        case .lostCommitted: try commitToBooks(document, former: isFormer)
        case .lostLate:
            books[document].lateBefore = now + Self.horizon
            books[document].isFormer = isFormer
        default: break
        }
    }

    // MARK: calls

    private mutating func doNext() throws {
        switch todo.removeFirst() {
        case .deliver(let id, let epoch):
            guard let document = durable.document[id], durable.keyed.contains(id) else {
                throw Broken(description: "\(id) must not be sent")
            }
            if let debt = debts.removeValue(forKey: document) {
                let known =
                    setup.enforcesUniqueKey ? debt.looks >= 1 : debt.looks >= 2 && debt.lastWasLate
                if !known { throw Broken(description: "\(id) is sent again, its outcome is unknown") }
            }
            calls.append(.write(id, epoch: epoch))
        case .find(let id, let attempt):
            guard let document = durable.document[id] else { return }
            let place = books[document]
            calls.append(.find(id, attempt: attempt, count: place.ours - place.former + place.byHand, at: now))
        case .poll(let id, let attempt): calls.append(.poll(id, attempt: attempt))
        }
    }

    private func answers(_ index: Int, _ may: May) throws {
        switch calls[index] {
        case .write(let id, let epoch):
            for fate in setup.fates where fate == .applied || left.faults > 0 {
                try may("\(id) \(fate.rawValue)") { world in
                    world.calls.remove(at: index)
                    if fate != .applied { world.left.faults -= 1 }
                    try world.answerWrite(id, epoch, fate)
                }
            }
        case .find(let id, let attempt, let count, let at):
            try may("\(id) looked for: \(count)") { world in
                world.calls.remove(at: index)
                if count == 0, world.engine.item(id)?.attempts == attempt, let document = world.durable.document[id] {
                    world.debts[document]?.looks += 1
                    if let horizon = world.debts[document]?.horizon {
                        world.debts[document]?.lastWasLate = at >= horizon
                    }
                }
                try world.tell(.found(id, attempt: attempt, count == 0 ? .absent : .found(count: count)))
            }
            if left.faults > 0 {
                for cls in [FailureClass.transient, .unreachable] {
                    try may("\(id) cannot be looked for: \(cls)") { world in
                        world.calls.remove(at: index)
                        world.left.faults -= 1
                        try world.tell(.found(id, attempt: attempt, .failed(cls, retryAfter: nil)))
                    }
                }
            }
        case .poll(let id, let attempt): try answerPoll(id, attempt, index, may)
        }
    }

    private mutating func answerWrite(_ id: ItemID, _ epoch: Int64, _ fate: Fate) throws {
        guard let document = durable.document[id] else { return }
        func failed(_ cls: FailureClass, arrived: Bool) -> Outcome {
            .failed(cls, mayHaveArrived: arrived, retryAfter: nil)
        }
        let outcome: Outcome
        switch fate {
        case .applied:
            try commitToBooks(document, former: epoch < durable.booksSince)
            outcome = .applied
        case .lostCommitted, .lostNothing, .lostLate:
            try reach(id, epoch, fate)
            outcome = failed(.transient, arrived: true)
        case .refused: outcome = failed(.invalidRecord, arrived: true)
        case .conflict: outcome = failed(.conflict, arrived: true)
        case .throttled: outcome = failed(.throttled, arrived: true)
        case .denied: outcome = failed(.authDenied, arrived: true)
        case .unreachable: outcome = failed(.unreachable, arrived: false)
        case .transientNotSent: outcome = failed(.transient, arrived: false)
        case .connectorCrash: outcome = failed(.bug, arrived: false)
        case .accepted, .waiting:
            books[document].isAccepted = true
            books[document].isFormer = epoch < durable.booksSince
            outcome = .atVendor(fate == .accepted ? .accepted : .waiting, pollAfter: 1_000)
        }
        try tell(.delivered(id, epoch: epoch, outcome))
    }

    private func answerPoll(_ id: ItemID, _ attempt: Int, _ index: Int, _ may: May) throws {
        guard let document = durable.document[id] else { return }
        func answer(_ what: String, _ outcome: Outcome, faults: Int = 1, refuses: Bool = false) throws {
            if left.faults < faults { return }
            try may("\(id) \(what)") { world in
                world.calls.remove(at: index)
                world.left.faults -= faults
                if refuses { world.books[document].isAccepted = false }
                try world.tell(.polled(id, attempt: attempt, outcome))
            }
        }
        func failed(_ cls: FailureClass) -> Outcome { .failed(cls, mayHaveArrived: true, retryAfter: nil) }
        if books[document].isAccepted && books[document].isFormer {
            try answer("is not known in these books", failed(.invalidRecord), faults: 0)
        } else if books[document].isAccepted {
            try answer("is not finished", .atVendor(.accepted, pollAfter: 1_000))
            try answer("is refused after all", failed(.invalidRecord), refuses: true)
        } else if books[document].ours > 0 {
            try answer("is in effect", .applied, faults: 0)
        } else {
            // Refused after all, and the answer of it was lost.
            try answer("was refused", failed(.invalidRecord), faults: 0)
        }
        try answer("cannot be reached", failed(.unreachable))
        try answer("cannot be asked for", failed(.unsupported))
    }

    // MARK: time

    /// Time goes to the next moment at which the engine wants to be told of it. A late commit comes before its time.
    private func time(_ may: May) throws {
        guard let wake = engine.nextWake else { return }
        let then = max(wake, now)
        if books.contains(where: { $0.lateBefore.map { $0 <= then } ?? false }) { return }
        try may("time passes") { world in
            world.now = then
            try world.tell(.tick)
        }
    }

    // MARK: documents and revisions

    private func documents(_ may: May) throws {
        for document in books.indices {
            let version = durable.versions[document]
            if version == 0 {
                // The cursor goes on only when what it passes is durable: documents come in their order.
                if durable.cursor == document {
                    try may("document \(document)") { try $0.receive(document, version: 1) }
                }
                continue
            }
            if left.changes > 0 {
                try may("document \(document) changes") { world in
                    world.left.changes -= 1
                    try world.receive(document, version: version + 1)
                }
            }
            if left.duplicates > 0 {
                try may("document \(document) is told again") { world in
                    world.left.duplicates -= 1
                    try world.receive(document, version: version)
                    if world.durable.rows.values.contains(where: {
                        world.durable.document[$0.id] == document && world.durable.keyed.contains($0.id)
                            && $0.state.seen != .skipped
                    }) {
                        try world.receiveAgain(document)
                    }
                }
            }
            if left.byHand > 0, books[document].ours == 1, books[document].byHand == 0 {
                try may("document \(document) is keyed in by hand too") { world in
                    world.left.byHand -= 1
                    world.books[document].byHand = 1
                }
            }
        }
        if left.revisions > 0 {
            try may(left.revisions == 1 ? "rollback" : "revision") { world in
                world.left.revisions -= 1
                world.durable.revision += 1
                world.durable.epoch += 1
                try world.tell(.lane(1, world.laneRules))
                try world.tell(.flow(1, FlowRules(ladder: [20_000], onChange: world.setup.onChange)))
                try world.tell(.revision(world.durable.revision))
            }
        }
        if left.otherBooks > 0 {
            try may("the connection leads to other books") { world in
                world.left.otherBooks -= 1
                world.durable.epoch += 1
                world.durable.booksSince = world.durable.epoch
                for document in world.books.indices {
                    world.books[document].former = world.books[document].ours
                    world.books[document].isFormer = true
                }
                try world.tell(.targetChanged(1))
                try world.tell(.lane(1, world.laneRules))
            }
        }
    }

    // MARK: people

    private func people(_ may: May) throws {
        if case .stopped? = durable.pause {
            try may("a person checks the connection") { try $0.tell(.resumeLane(1)) }
        }
        guard left.persons > 0 else { return }
        for item in engine.openItems {
            guard let document = durable.document[item.id] else { continue }
            let id = item.id
            let place = books[document]
            let isQuiet = place.lateBefore == nil && !place.isAccepted && !item.state.isOnItsWay
            try person("retries \(id)", .retry(id), may)
            // People tell the truth: they have looked.
            if place.ours + place.byHand > 0 { try person("resolves \(id)", .resolve(id), may) }
            if place.ours + place.byHand == 0 && isQuiet {
                try person("says \(id) is not there", .absent(id), may)
                try person("skips \(id)", .skip(id), may)
            }
        }
    }

    private func person(_ what: String, _ event: Event, _ may: May) throws {
        try may("a person \(what)") { world in
            world.left.persons -= 1
            // Who looked where the host cannot has looked for it.
            if case .absent(let id) = event, case .held? = world.engine.item(id)?.state,
                let document = world.durable.document[id]
            {
                world.debts[document] = nil
            }
            try world.tell(event)
        }
    }
}
