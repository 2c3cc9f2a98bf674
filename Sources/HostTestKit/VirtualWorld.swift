import Engine
import Host
import Ledger
import Synchronization
import Values

/// Everything outside the host, and time.
struct VirtualWorld {
    enum Happening {
        case morning(Int)
        case approved(String)
        case changed(String)
        case event(String)
        case sweep
        case fetched([String], process: Int, askedAt: Int64)
        case fetchAgain([String], process: Int)
        case committed(String, [UInt8])
        case answered(VirtualHost.Call, Fate, process: Int)
        case looked(VirtualHost.Call, count: Int, process: Int)
        case polled(VirtualHost.Call, process: Int)
        case killed
        case started
        case clockSet(Int64)
    }

    /// What becomes of a write.
    enum Fate: String {
        case applied, lostCommitted, lostNothing, lostLate, refused, throttled, sessionGone, unreachable, crash,
            accepted
        case denied
    }

    /// What the machine shows. Shared with the host's closures.
    final class Time: Sendable {
        private let state = Mutex<(now: Int64, offset: Int64)>((VirtualLimits.begin, 0))
        /// Milliseconds that have passed, and began as the true time.
        var now: Int64 {
            get { state.withLock { $0.now } }
            set { state.withLock { $0.now = newValue } }
        }
        var wall: Int64 { state.withLock { $0.now + $0.offset } }
        func set(by step: Int64) { state.withLock { $0.offset += step } }
    }

    let plan: Simulation.Plan
    let folder: String
    let sealer: SimulationSealer
    let time = Time()
    var random: SeededRandom
    var agenda = Agenda<Happening>()
    var host: VirtualHost?
    var ledger: (any Ledger)?
    /// Which process the host is; answers to an earlier one are heard by nobody.
    var process = 0
    var steadyBegin: (now: Int64, wall: Int64) = (0, 0)
    var revision = 1
    var isComplete = false
    /// The next thing the host does is the last of this process, and what it wants then is not done.
    var diesAtNextStep = false
    var claims: [String: Claim] = [:]
    var order: [String] = []
    var amounts: [String: Set<Int64>] = [:]
    var books = VirtualBooks()
    var booksDownUntil: Int64 = 0
    var report = Simulation.Report()

    init(_ plan: Simulation.Plan, folder: String) throws {
        self.plan = plan
        self.folder = folder
        sealer = try SimulationSealer()
        random = SeededRandom(seed: plan.seed)
    }

    /// Where it is, for messages.
    var moment: String {
        "day \((time.now - VirtualLimits.begin) / VirtualLimits.day), \(Instant(ms: time.now).description)"
    }

    var isQuiet: Bool { time.now >= VirtualLimits.begin + Int64(plan.days) * VirtualLimits.day }

    func broken(_ what: String) -> Simulation.Broken {
        Simulation.Broken(description: "seed \(plan.seed), \(moment): \(what)")
    }

    mutating func note(_ misfortune: String) { report.misfortunes[misfortune, default: 0] += 1 }

    /// Everything that happens goes into the trace, in its order.
    private mutating func trace(_ text: String) {
        for byte in "\(time.now) \(text)".utf8 { report.trace = (report.trace ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }

    // MARK: time

    mutating func live() throws {
        agenda.add(VirtualLimits.begin, .started)
        agenda.add(VirtualLimits.begin + 1, .sweep)
        let days = plan.days + VirtualLimits.quietDays
        for day in 0..<days {
            agenda.add(VirtualLimits.begin + Int64(day) * VirtualLimits.day + VirtualLimits.hour, .morning(day))
        }
        let end = VirtualLimits.begin + Int64(days) * VirtualLimits.day
        var wakesInARow = 0
        while true {
            let wake = hostWake
            if let wake, wake <= agenda.nextAt ?? .max {
                if wake > end { break }
                wakesInARow = wake <= time.now ? wakesInARow + 1 : 0
                if wakesInARow > VirtualLimits.wakesInARow { throw broken("the host wakes without end") }
                time.now = max(time.now, wake)
                try tell { try $0.tick() }
            } else if let at = agenda.nextAt, at <= end {
                time.now = max(time.now, at)
                wakesInARow = 0
                try happen(agenda.take())
            } else {
                break
            }
        }
        report.days = days
        count()
        try checkEnd()
    }

    /// When the host wants to be woken, in true time.
    private var hostWake: Int64? { host?.nextWake.map { $0 - steadyBegin.wall + steadyBegin.now } }

    /// Tells the host something, then does what it wants.
    mutating func tell(_ what: (VirtualHost) throws -> Void) throws {
        guard let host else { return }
        try what(host)
        let wishes = host.takeWishes()
        if diesAtNextStep {
            diesAtNextStep = false
            note("killed before acting")
            kill()
            return
        }
        for wish in wishes { try grant(wish) }
    }

    // MARK: what happens

    private mutating func happen(_ happening: Happening) throws {
        switch happening {
        case .morning(let day): try morning(day)
        case .approved(let id):
            trace("approved \(id)")
            tellOfClaim(id)
        case .changed(let id):
            note("changed")
            claims[id]?.amount += 100
            claims[id]?.version += 1
            if let amount = claims[id]?.amount { amounts[id, default: []].insert(amount) }
            tellOfClaim(id)
        case .event(let id): try tell { try $0.hear([id]) }
        case .sweep:
            agenda.add(time.now + VirtualLimits.sweepEvery, .sweep)
            let since = time.now - VirtualLimits.lookBack
            let ids = order.filter { id in
                claims[id].map { $0.finishedAt > since && $0.finishedAt <= time.now } ?? false
            }
            let cursor = Array("\(time.now)".utf8)
            try tell { try $0.sweep(ids, cursor: cursor) }
        case .fetched(let ids, let process, let askedAt):
            guard process == self.process else { return }
            let documents = ids.compactMap { claims[$0] }.map { (id: $0.id, content: $0.document) }
            try tell { try $0.receive(documents, askedAt: askedAt) }
        case .fetchAgain(let ids, let process):
            if process == self.process { try grant(.fetch(ids)) }
        case .committed(let key, let bytes): try commit(key, bytes)
        case .answered(let call, let fate, let process):
            trace("\(call.key) \(fate.rawValue)")
            if process == self.process { try answer(call, fate) }
        case .looked(let call, let count, let process):
            guard process == self.process else { return }
            if !isQuiet && random.happens(plan.faults.look) {
                note("look-up failed")
                return try tell { try $0.answer(call, found: .failed(.transient, retryAfter: nil)) }
            }
            let written = books.vouchers[call.key]?.first.map { VirtualHost.Written(number: $0.number) }
            let answer: FindAnswer = count == 0 ? .absent : .found(count: count)
            try tell { try $0.answer(call, found: answer, written: count == 0 ? nil : written) }
        case .polled(let call, let process):
            guard process == self.process else { return }
            if let voucher = books.vouchers[call.key]?.first {
                let written = VirtualHost.Written(number: voucher.number)
                try tell { try $0.answer(call, polled: .applied, written: written) }
            } else {
                try tell { try $0.answer(call, polled: .atVendor(.accepted, pollAfter: VirtualLimits.pollAfter)) }
            }
        case .killed:
            note("killed")
            if random.happens(500) { diesAtNextStep = true } else { kill() }
        case .started: try start()
        case .clockSet(let step):
            note("clock set")
            time.set(by: step)
        }
    }

    private mutating func commit(_ key: String, _ bytes: [UInt8]) throws {
        trace("commit \(key)")
        _ = try books.commit(key, bytes, at: time.now)
        if (books.vouchers[key]?.count ?? 0) > 1 { throw broken("\(key) is in the books twice") }
    }

    /// The office tells of a claim, or does not, or twice, or late.
    private mutating func tellOfClaim(_ id: String) {
        let faults = plan.faults
        let soon = time.now + random.wait(VirtualLimits.eventDelay)
        if isQuiet { return agenda.add(soon, .event(id)) }
        if random.happens(faults.lostEvent) { return note("event lost") }
        if random.happens(faults.lateEvent) {
            note("event late")
            return agenda.add(time.now + random.wait(VirtualLimits.lateEvent), .event(id))
        }
        agenda.add(soon, .event(id))
        if random.happens(faults.doubledEvent) {
            note("event doubled")
            agenda.add(soon + random.wait(VirtualLimits.doubleDelay), .event(id))
        }
    }

    // MARK: processes

    mutating func kill() {
        host = nil
        ledger?.close()
        ledger = nil
        process += 1
        agenda.add(time.now + random.wait(VirtualLimits.restart), .started)
    }

    private mutating func start() throws {
        if host != nil { return }
        process += 1
        trace("start")
        let ledger = try SQLiteLedger(path: folder + "/ledger.sqlite", sealer: sealer)
        self.ledger = ledger
        let time = time
        let begin = (now: time.now, wall: time.wall)
        steadyBegin = begin
        host = try VirtualHost(
            files: VirtualCustomer.files(complete: isComplete), revision: revision,
            connectors: VirtualCustomer.connectors,
            ledger: ledger, sealer: sealer, wall: { time.wall }, steady: { begin.wall + time.now - begin.now })
        try tell { _ in }
    }

    // MARK: the systems

    private mutating func grant(_ wish: VirtualHost.Wish) throws {
        let latency = random.wait(VirtualLimits.latency)
        switch wish {
        case .fetch(let ids):
            if ids.isEmpty { return }
            if !isQuiet && random.happens(plan.faults.fetch) {
                note("fetch failed")
                agenda.add(time.now + random.wait(VirtualLimits.fetchAgain), .fetchAgain(ids, process: process))
            } else {
                agenda.add(time.now + latency, .fetched(ids, process: process, askedAt: time.wall))
            }
        case .write(let call): write(call, latency)
        case .find(let call):
            let count = books.vouchers[call.key]?.count ?? 0
            agenda.add(time.now + latency, .looked(call, count: count, process: process))
        case .poll(let call): agenda.add(time.now + latency, .polled(call, process: process))
        }
    }

    private mutating func write(_ call: VirtualHost.Call, _ latency: Int64) {
        let fate = fate(call)
        if fate != .applied { note(fate.rawValue) }
        var answerAt = time.now + latency
        var commitAt: Int64?
        switch fate {
        case .applied: commitAt = time.now + latency / 2
        case .lostCommitted:
            commitAt = time.now + latency
            answerAt = time.now + VirtualLimits.timeout
        case .lostNothing: answerAt = time.now + VirtualLimits.timeout
        case .lostLate:
            answerAt = time.now + VirtualLimits.timeout
            commitAt = answerAt + random.wait(0...(VirtualLimits.commitHorizon - 1))
            // The moment at which a clock that is set does the most harm.
            if random.happens(plan.faults.clockWhileLate) {
                agenda.add(answerAt + 1, .clockSet(random.wait(VirtualLimits.clockStep)))
            }
        case .crash: if random.happens(500) { commitAt = time.now + latency / 2 }
        case .accepted: commitAt = time.now + random.wait(VirtualLimits.acceptedFor)
        case .refused, .throttled, .sessionGone, .unreachable, .denied: break
        }
        if let commitAt { agenda.add(commitAt, .committed(call.key, call.bytes)) }
        agenda.add(answerAt, .answered(call, fate, process: process))
    }

    private mutating func fate(_ call: VirtualHost.Call) -> Fate {
        if isQuiet { return .applied }
        if time.now < booksDownUntil { return .unreachable }
        let faults = plan.faults
        let isVoucher = call.document == "voucher"
        let chances: [(Fate, Int)] = [
            (.lostCommitted, faults.lostCommitted), (.lostNothing, faults.lostNothing), (.lostLate, faults.lostLate),
            (.refused, isVoucher ? faults.refused : 0), (.throttled, faults.throttled),
            (.sessionGone, faults.sessionGone), (.unreachable, faults.unreachable), (.crash, faults.crash),
            (.accepted, isVoucher ? faults.accepted : 0), (.denied, faults.denied),
        ]
        for (fate, chance) in chances where random.happens(chance) { return fate }
        return .applied
    }

    private mutating func answer(_ call: VirtualHost.Call, _ fate: Fate) throws {
        func failed(_ cls: FailureClass, arrived: Bool) -> Outcome {
            .failed(cls, mayHaveArrived: arrived, retryAfter: nil)
        }
        let outcome: Outcome =
            switch fate {
            case .applied: .applied
            case .lostCommitted, .lostNothing, .lostLate: failed(.transient, arrived: true)
            case .refused: failed(.invalidRecord, arrived: true)
            case .throttled: failed(.throttled, arrived: true)
            case .sessionGone: failed(.authExpired, arrived: true)
            case .unreachable: failed(.unreachable, arrived: false)
            case .crash: failed(.bug, arrived: true)
            case .accepted: .atVendor(.accepted, pollAfter: VirtualLimits.pollAfter)
            case .denied: failed(.authDenied, arrived: true)
            }
        let number = fate == .applied ? books.vouchers[call.key]?.first?.number : nil
        try tell { try $0.answer(call, outcome, written: number.map { VirtualHost.Written(number: $0) }) }
    }
}

/// What is to happen, by time; what comes at one time comes in the order it was added.
struct Agenda<Happening> {
    private var entries: [(at: Int64, order: Int, what: Happening)] = []
    private var order = 0

    /// When the next thing happens.
    var nextAt: Int64? { entries.first?.at }

    mutating func add(_ at: Int64, _ what: Happening) {
        order += 1
        entries.append((at, order, what))
        var child = entries.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// The next thing; there must be one.
    mutating func take() -> Happening {
        let first = entries[0].what
        let last = entries.removeLast()
        if entries.isEmpty { return first }
        entries[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count && precedes(child, least) {
                least = child
            }
            if least == parent { return first }
            entries.swapAt(parent, least)
            parent = least
        }
    }

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        (entries[a].at, entries[a].order) < (entries[b].at, entries[b].order)
    }
}
