import Values
import WorkerCore

/// Why a call is being ended before it answered.
enum Ending {
    /// The deadline passed while the host had something to give it: a place, a vendor's answer, room within a limit.
    case deadline
    /// The deadline passed while the plugin itself was at work, or it did not come back from it.
    case overrun
    case cancelled
}

/// How a call ended, before the answer is looked into.
struct Ended {
    enum How {
        case answered([UInt8], Ending?)
        case died(WorkerDeath)
        case ended(Ending)
        case notSent(Problem)
    }
    var how: How
    var reachedVendor: Bool
}

/// A call from its entry to its end.
struct Call {
    enum Stage {
        /// Waits for a place of its ability.
        case queued
        case running
        /// CANCEL was sent; the worker dies when it has not answered by `killAtMs`.
        case ending(Ending, killAtMs: Int64)
    }

    /// The service request a call has open: a plugin thread waits for one at a time.
    enum Service {
        case none
        case open(ServiceQuestion, task: Task<Void, Never>, writes: Bool)
    }

    var identity: CallIdentity
    /// Whose places it takes; nil for `open`, which comes before everything else.
    var ability: Concurrency.Ability?
    var operation: UInt32
    var body: [UInt8]
    var deadlineMs: Int64
    var continuation: CheckedContinuation<Ended, Never>
    var stage = Stage.queued
    var service = Service.none
    var lastSequence: UInt32 = 0
    /// When the plugin was last given what it waits for, the call itself first: its own time runs from there.
    var servedAtMs: Int64 = 0
    var reachedVendor = false
    /// Tasks of service requests whose answer the plugin no longer waits for.
    var leftovers: [Task<Void, Never>] = []

    /// Counting a write under way: nobody can say yet that it did not arrive.
    var mayHaveReachedVendor: Bool {
        if case .open(_, _, writes: true) = service { return true }
        return reachedVendor
    }

    /// Whose fault it is that the deadline has passed.
    var lateness: Ending {
        if case .open = service { return .deadline }
        return deadlineMs - servedAtMs > Limits.ownTimeMs ? .overrun : .deadline
    }

    /// It ends with its worker: one that was not sent is told so, one that was told to end and did not has its own end.
    func conclude(with death: WorkerDeath, _ services: any WorkerServices) {
        switch stage {
        case .queued: conclude(.notSent(death.problem), services)
        case .ending(let ending, let killAtMs) where death.cause == .killedForDeadline:
            let hangs = ending != .cancelled && monotonicNowMs() >= killAtMs
            conclude(.ended(hangs ? .overrun : ending), services)
        case .running, .ending: conclude(.died(death), services)
        }
    }

    /// Hand its end to whoever waits for it, and to the services once nothing of it runs any more.
    func conclude(_ how: Ended.How, _ services: any WorkerServices) {
        var tasks = leftovers
        if case .open(_, let task, _) = service { tasks.append(task) }
        for task in tasks { task.cancel() }
        continuation.resume(returning: Ended(how: how, reachedVendor: mayHaveReachedVendor))
        if case .queued = stage { return }
        let (identity, open) = (identity, tasks)
        Task.detached {
            for task in open { await task.value }
            await services.callEnded(identity)
        }
    }
}

/// A worker's open calls: which run, which wait for a place, what each has asked and whether the vendor may have heard
/// of it. A value inside the worker's lock; it writes frames down and leaves the sending to the worker.
struct CallTable {
    private let concurrency: Concurrency
    private let outgoing: Outgoing
    private var calls: [UInt64: Call] = [:]
    private var next: UInt64 = 1
    private var inFlight: [Concurrency.Ability: Int] = [:]
    private var queues: [Concurrency.Ability: [UInt64]] = [:]
    /// Calls that were sent and have not ended.
    private(set) var sent = 0

    init(_ concurrency: Concurrency, _ outgoing: Outgoing) {
        self.concurrency = concurrency
        self.outgoing = outgoing
    }

    var isEmpty: Bool { calls.isEmpty }
    /// Calls that wait for a place of their ability.
    var waiting: Int { calls.count - sent }

    /// A number for a new call.
    mutating func newID() -> UInt64 {
        defer { next += 1 }
        return next
    }

    func identity(_ id: UInt64) -> CallIdentity? { calls[id]?.identity }

    /// Send a call, or let it wait for its place.
    mutating func enter(_ call: Call) {
        let id = call.identity.callID
        calls[id] = call
        if let ability = call.ability, inFlight[ability, default: 0] >= concurrency[ability] {
            queues[ability, default: []].append(id)
        } else {
            send(id)
        }
    }

    private mutating func send(_ id: UInt64) {
        guard var call = calls[id] else { return }
        let isOpen = call.operation == DW_OP_OPEN
        var body = FrameWriter()
        body.u32(isOpen ? UInt32(concurrency.total) : call.operation)
        call.identity.context.encode(into: &body, remainingMs: call.deadlineMs - monotonicNowMs())
        body.bytes.append(contentsOf: call.body)
        outgoing.append(isOpen ? DW_OPEN : DW_CALL, id: id, body: body.bytes)
        call.stage = .running
        call.servedAtMs = monotonicNowMs()
        call.body = []
        calls[id] = call
        sent += 1
        if let ability = call.ability { inFlight[ability, default: 0] += 1 }
    }

    /// Take an ended call out and give its place to the next.
    private mutating func remove(_ id: UInt64) -> Call? {
        guard let call = calls.removeValue(forKey: id) else { return nil }
        if case .queued = call.stage {
            if let ability = call.ability { queues[ability]?.removeAll { $0 == id } }
            return call
        }
        sent -= 1
        if let ability = call.ability {
            inFlight[ability, default: 1] -= 1
            if let next = queues[ability]?.first {
                queues[ability]?.removeFirst()
                send(next)
            }
        }
        return call
    }

    /// A result has come: the call, and whether it was being ended. nil: no call runs under this number, or the call
    /// still waits for a service. A plugin function that returns while it waits has jumped over the worker's frames,
    /// and what it says of a write whose answer it never saw is worth nothing.
    mutating func answered(_ id: UInt64) -> (Call, Ending?)? {
        guard let call = calls[id], case .none = call.service else { return nil }
        let ending: Ending?
        switch call.stage {
        case .queued: return nil
        // The plugin looks at the clock as well, and may be quicker than this side's tick.
        case .running: ending = monotonicNowMs() >= call.deadlineMs ? call.lateness : nil
        case .ending(let why, _): ending = why
        }
        return remove(id).map { ($0, ending) }
    }

    /// The deadline has passed, or the caller has gone. A call that waits for a place ends here and is returned; one
    /// that runs is told, and whatever service it waits for is answered at once, so that a slow service cannot cost
    /// the worker.
    mutating func end(_ id: UInt64, _ ending: Ending, graceMs: Int64) -> Call? {
        guard var call = calls[id] else { return nil }
        switch call.stage {
        case .queued: return remove(id)
        case .ending: return nil
        case .running: break
        }
        outgoing.append(DW_CANCEL, id: id)
        let why = ending == .cancelled ? .cancelled : call.lateness
        call.stage = .ending(why, killAtMs: monotonicNowMs() + graceMs)
        if case .open(let question, let task, let writes) = call.service {
            answer(&call, question, .refused(.cancelled, "the call has ended", mayHaveArrived: writes))
            task.cancel()
            call.leftovers.append(task)
        }
        calls[id] = call
        return nil
    }

    /// The calls whose deadline has passed, in order, and whether one that was told so has not come back in time.
    func late(_ now: Int64) -> (calls: [UInt64], hangs: Bool) {
        var late: [UInt64] = []
        var hangs = false
        for (id, call) in calls {
            switch call.stage {
            case .queued, .running: if now >= call.deadlineMs { late.append(id) }
            case .ending(_, let killAt): if now >= killAt { hangs = true }
            }
        }
        return (late.sorted(), hangs)
    }

    /// Every call, in order; none is left.
    mutating func removeAll() -> [Call] {
        defer { (calls, queues, inFlight, sent) = ([:], [:], [:], 0) }
        return calls.values.sorted { $0.identity.callID < $1.identity.callID }
    }

    // MARK: Services

    /// A plugin asks for a service; `start` begins to serve it. False: the worker broke the protocol.
    mutating func asked(
        _ id: UInt64, _ question: ServiceQuestion, start: (ServiceRequest, CallIdentity) -> Task<Void, Never>
    ) -> Bool {
        // A call that has ended here may still have been asking.
        guard var call = calls[id] else { return true }
        guard case .none = call.service, question.sequence != call.lastSequence else { return false }
        call.lastSequence = question.sequence
        defer { calls[id] = call }
        guard let request = question.request else {
            answer(&call, question, .refused(.denied, "not understood"))
            return true
        }
        if case .ending = call.stage {
            answer(&call, question, .refused(.cancelled, "the call has ended"))
            return true
        }
        call.service = .open(
            question, task: start(request, call.identity), writes: request.effect == .write)
        return true
    }

    /// A service has its reply, unless the call was answered for it meanwhile.
    mutating func served(_ id: UInt64, _ question: ServiceQuestion, _ reply: ServiceReply) {
        guard var call = calls[id], case .open(let open, _, _) = call.service, open.sequence == question.sequence
        else { return }
        answer(&call, question, reply)
        calls[id] = call
    }

    /// Write a SERVICE_REPLY down and note what it says about the vendor.
    private func answer(_ call: inout Call, _ question: ServiceQuestion, _ reply: ServiceReply) {
        if case .open(_, _, writes: true) = call.service {
            if case .refused(_, _, mayHaveArrived: false) = reply {} else { call.reachedVendor = true }
        }
        call.service = .none
        call.servedAtMs = monotonicNowMs()
        outgoing.append(
            DW_SERVICE_REPLY, flags: question.slot, id: call.identity.callID, body: reply.encoded(for: question))
    }
}
