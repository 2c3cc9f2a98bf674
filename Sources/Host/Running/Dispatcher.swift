import Engine
import Ledger
import Logging
import Synchronization
import Values
import Vault
import Workers

/// Carries out what the conductor decided: calls to target connections, and fetches from source connections.
final class Dispatcher: Conductor.Actor {
    private struct Running {
        var plan: Plan?
        var workers: [String: ConnectionWorker] = [:]
        var conductor: Conductor?
        var streams: SourceStreams?
    }

    private let running = Mutex(Running())
    private let services: PluginServices
    private let mask: SecretMask
    private let log: Logger
    private let now: @Sendable () -> Int64
    private let died: @Sendable (Problem) -> Void

    init(
        services: PluginServices, mask: SecretMask, log: Logger, now: @escaping @Sendable () -> Int64,
        died: @escaping @Sendable (Problem) -> Void
    ) {
        self.services = services
        self.mask = mask
        self.log = log
        self.now = now
        self.died = died
    }

    func set(plan: Plan, workers: [String: ConnectionWorker]) {
        running.withLock {
            $0.plan = plan
            $0.workers = workers
        }
    }

    func join(_ conductor: Conductor, _ streams: SourceStreams) {
        running.withLock {
            $0.conductor = conductor
            $0.streams = streams
        }
    }

    private func send(_ message: Conductor.Message) { running.withLock { $0.conductor }?.send(message) }

    private struct Target {
        var lane: PlannedLane
        var connection: PlannedConnection
        var worker: ConnectionWorker
        var settings: [UInt8]
    }

    private func target(_ delivery: Conductor.Delivery) -> Target? {
        running.withLock { running in
            guard let plan = running.plan, let lane = plan.lanes[delivery.lane],
                let connection = plan.connections[lane.connection], let worker = running.workers[lane.connection]
            else { return nil }
            return Target(
                lane: lane, connection: connection, worker: worker,
                settings: delivery.settings.isEmpty ? Array("{}".utf8) : delivery.settings)
        }
    }

    // MARK: Conductor.Actor

    func ledgerDied(_ problem: Problem) { died(problem) }

    func fetch(stream: Int64, _ hints: [Conductor.Hinted]) {
        running.withLock { $0.streams }?.fetch(stream, hints)
    }

    func deliver(_ delivery: Conductor.Delivery) {
        guard let target = target(delivery) else {
            return send(.delivered(delivery, Self.gone))
        }
        Task {
            CrashPoint.beforeDelivery.reach()
            services.begin(delivery.item, key: delivery.key)
            let record = WriteRecord(key: delivery.key, json: delivery.bytes, checkpoint: delivery.checkpoint)
            let result = await target.worker.call(
                .write(
                    PluginRequest.Write(document: target.lane.document, settings: target.settings, records: [record])),
                context: context(target, delivery, "write", HostLimits.writeTimeoutMs))
            services.end(key: delivery.key)
            CrashPoint.outcomeArrived.reach()
            send(.delivered(delivery, answer(result, target.worker)))
        }
    }

    func poll(_ delivery: Conductor.Delivery, token: [UInt8]) {
        guard let target = target(delivery) else { return send(.polled(delivery, Self.gone)) }
        Task {
            services.begin(delivery.item, key: delivery.key)
            let record = WriteRecord(
                key: delivery.key, json: delivery.bytes, checkpoint: delivery.checkpoint, token: token)
            let result = await target.worker.call(
                .poll(
                    PluginRequest.Write(document: target.lane.document, settings: target.settings, records: [record])),
                context: context(target, delivery, "poll", HostLimits.writeTimeoutMs))
            services.end(key: delivery.key)
            send(.polled(delivery, answer(result, target.worker)))
        }
    }

    func find(_ delivery: Conductor.Delivery) {
        guard let target = target(delivery) else {
            return send(.found(delivery, .failed(.unreachable, retryAfter: nil), nil, detail: Words.noConnection))
        }
        Task {
            let result = await target.worker.call(
                .find(
                    PluginRequest.Find(
                        document: target.lane.document, settings: target.settings, key: delivery.key,
                        json: delivery.bytes, checkpoint: delivery.checkpoint)),
                context: context(target, delivery, "find", HostLimits.findTimeoutMs))
            CrashPoint.findAnswered.reach()
            switch result.outcome {
            case .success(.found(let found)):
                let answer: FindAnswer = found.isEmpty ? .absent : .found(count: found.count)
                send(.found(delivery, answer, found.first, detail: Words.found(found)))
            case .success: send(.found(delivery, .unsupported, nil, detail: nil))
            case .failure(let failure):
                let told = Self.told(failure)
                let answer: FindAnswer =
                    told.cls == .unsupported ? .unsupported : .failed(told.cls, retryAfter: told.retryAfter)
                send(.found(delivery, answer, nil, detail: mask.mask(told.detail)))
            }
        }
    }

    /// The answer with every known secret masked in what people will read.
    private func answer(_ result: CallResult, _ worker: ConnectionWorker) -> Conductor.Answer {
        var answer = Self.answer(result, worker)
        answer.detail = answer.detail.map { mask.mask($0) }
        return answer
    }

    private func context(
        _ target: Target, _ delivery: Conductor.Delivery, _ kind: String, _ standard: Int64
    ) -> CallContext {
        CallContext(
            deadlineMs: now() + (target.connection.file.timeouts[kind] ?? standard),
            fenceEpoch: UInt64(max(delivery.epoch, 0)), attempt: UInt32(clamping: delivery.attempt),
            traceID: "\(delivery.item)-\(delivery.attempt)")
    }

    private static let gone = Conductor.Answer(
        outcome: .failed(.unreachable, mayHaveArrived: false, retryAfter: nil), detail: Words.noConnection)

    // MARK: what an answer means

    static func answer(_ result: CallResult, _ worker: ConnectionWorker) -> Conductor.Answer {
        // A proper outcome counts even when the call as a whole broke the contract afterwards.
        if let outcome = result.known[0] { return answer(outcome, reached: result.reachedVendor) }
        switch result.outcome {
        case .success(.outcomes(let outcomes)):
            guard let outcome = outcomes.first else { break }
            return answer(outcome, reached: result.reachedVendor)
        default: break
        }
        guard case .failure(let failure) = result.outcome else {
            return Conductor.Answer(
                outcome: .failed(.bug, mayHaveArrived: result.reachedVendor, retryAfter: nil), detail: Words.noOutcome)
        }
        let told = told(failure)
        return Conductor.Answer(
            outcome: .failed(told.cls, mayHaveArrived: result.reachedVendor, retryAfter: told.retryAfter),
            detail: told.detail)
    }

    private static func answer(_ outcome: WriteOutcome, reached: Bool) -> Conductor.Answer {
        switch outcome {
        case .applied(let written), .existed(let written):
            return Conductor.Answer(outcome: .applied, detail: nil, written: written)
        case .accepted(let token, let after):
            return Conductor.Answer(
                outcome: .atVendor(.accepted, pollAfter: after), detail: Words.accepted, token: token)
        case .waiting(let written, let token, let after):
            return Conductor.Answer(
                outcome: .atVendor(.waiting, pollAfter: after), detail: Words.waiting(written.number), token: token)
        case .refused(let failure):
            let told = told(.plugin(failure))
            return Conductor.Answer(
                outcome: .failed(told.cls, mayHaveArrived: reached, retryAfter: told.retryAfter), detail: told.detail)
        }
    }

    /// A failed call as the engine and a person need it.
    static func told(_ failure: CallFailure) -> (cls: FailureClass, retryAfter: Int64?, detail: String) {
        switch failure {
        case .plugin(let failure):
            // A service the host refused (`denied`) is a connector asking for what it may not: its bug, not the document's.
            let cls = FailureClass(rawValue: Int(failure.errorClass.rawValue)) ?? .bug
            return (cls, failure.retryAfterMs, Words.failure(failure))
        case .workerDied(let death):
            // One that we ended ourselves, for another call or at a stop, says nothing about this document.
            let isOurs = [.stopped, .killedForDeadline, .killedForBreach].contains(death.cause)
            return (isOurs ? .cancelled : .bug, nil, Words.died(death))
        // Before any byte of a write it must not come back for ever without a try.
        case .deadlineExceeded: return (.transient, nil, Words.deadline)
        case .overran(let problem): return (.bug, nil, Words.problem(problem))
        case .cancelled: return (.cancelled, nil, Words.cancelled)
        case .contractBreach(let breach): return (.bug, nil, Words.problem(breach.problem))
        case .notSent(let problem): return (.unreachable, nil, Words.problem(problem))
        }
    }
}
