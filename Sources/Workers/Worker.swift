import Glibc
import PluginABI
import Synchronization
import Values
import WorkerCore

/// One running plugin: a `datong-worker` process, or its threads in this process, and the conversation with it.
///
/// Nothing here blocks a thread of the cooperative pool: calls suspend, the switchboard's thread reads, and writes
/// never wait for room. What is known of it is one `WorkerState` behind one lock, which only this file takes;
/// `WorkerProcess`, `Incoming` and `Outgoing` are the process and the two directions of the socket.
public final class Worker: Sendable {
    /// What it was started from.
    public let configuration: WorkerConfiguration
    /// Rises with every start; given by the supervisor.
    public let generation: UInt64

    /// What the switchboard knows it by.
    let number: UInt64
    private let services: any WorkerServices
    private let socket: Descriptor
    private let incoming: Incoming
    private let outgoing: Outgoing
    private let state: Mutex<WorkerState>

    // MARK: Start

    private init(
        configuration: WorkerConfiguration, generation: UInt64, services: any WorkerServices, socket: Descriptor
    ) {
        self.configuration = configuration
        self.generation = generation
        self.services = services
        self.socket = socket
        number = Switchboard.shared.newNumber()
        incoming = Incoming(socket)
        outgoing = Outgoing(socket, of: number)
        state = Mutex(WorkerState(calls: CallTable(configuration.concurrency, outgoing)))
    }

    /// Start a worker, load the plugin and open the connection. Throws `E-WORKER-001` … `027` when the library is
    /// refused, the process cannot be started, dies, is late, or the plugin refuses to open.
    public static func start(
        _ configuration: WorkerConfiguration, generation: UInt64 = 1, services: any WorkerServices
    ) async throws(Problem) -> Worker {
        guard let (ours, theirs) = socketPair() else {
            throw Problems.cannotSpawn(executable: "socketpair", errno: errno)
        }
        let worker = Worker(configuration: configuration, generation: generation, services: services, socket: ours)
        let hello = await withCheckedContinuation { continuation in
            worker.state.withLock {
                $0.greeting = .awaited(continuation, untilMs: monotonicNowMs() + configuration.helloMs)
            }
            Switchboard.shared.perform { worker.launch(theirs) }
        }
        switch hello {
        case .success(let hello): worker.state.withLock { $0.hello = hello }
        case .failure(let problem):
            // One that refused the library leaves by itself, unless it does not.
            worker.kill(.stopped)
            throw problem
        }
        if let problem = await worker.open() {
            worker.kill(.stopped)
            throw problem
        }
        return worker
    }

    /// On the switchboard's thread.
    private func launch(_ theirs: Int32) {
        Switchboard.shared.enroll(self)
        Switchboard.shared.watch(socket.number, of: number, as: .socket)
        switch configuration.isolation {
        case .inProcess: WorkerThread.start(plugin: configuration.plugin, socket: theirs)
        case .worker(let executable):
            defer { close(theirs) }
            do throws(Problem) {
                let process = try WorkerProcess.start(executable, configuration, socket: theirs)
                state.withLock { $0.process = process }
                Switchboard.shared.watch(process.output.number, of: number, as: .output)
                Switchboard.shared.watch(process.handle.number, of: number, as: .process)
            } catch {
                Switchboard.shared.unwatch(socket.number)
                Switchboard.shared.dismiss(self)
                greet(.failure(error))
                return
            }
        }
        Switchboard.shared.startTicking()
    }

    /// Its first word, or why there is none.
    private func greet(_ result: Result<Hello, Problem>) {
        let waiting: CheckedContinuation<Result<Hello, Problem>, Never>? = state.withLock { state in
            guard case .awaited(let continuation, _) = state.greeting else { return nil }
            state.greeting = .done
            return continuation
        }
        waiting?.resume(returning: result)
    }

    /// Ask the plugin to open the connection; nil when it did.
    private func open() async -> Problem? {
        var body = FrameWriter()
        OpenRequest.encode(configuration.open, into: &body)
        let context = CallContext(deadlineMs: configuration.nowMs() + Limits.openMs, traceID: "open")
        let ended = await perform(.open, operation: DW_OP_OPEN, ability: nil, body: body.bytes, keys: [], context)
        switch ended.how {
        case .died(let death): return Problems.diedAtStart(death)
        case .ended: return Problems.noHello(plugin: configuration.plugin)
        case .notSent(let problem): return problem
        case .answered(let body, _):
            guard let result = try? DecodedResult(body) else {
                return Problems.contractBroken(["an unreadable result"])
            }
            if !result.breaches.isEmpty { return Problems.contractBroken(result.breaches) }
            if let failure = result.failure { return Problems.openFailed(failure.messages.first?.text ?? "") }
            return nil
        }
    }

    // MARK: What it is doing

    /// What its first word said of the plugin; nil before.
    var hello: Hello? { state.withLock { $0.hello } }
    /// Its process, while there is one.
    public var processID: Int32? { state.withLock { $0.process?.pid } }
    /// Calls that were sent and have not ended.
    public var callsInFlight: Int { state.withLock { $0.calls.sent } }
    /// Calls that wait for a place of their ability.
    public var callsWaiting: Int { state.withLock { $0.calls.waiting } }
    /// False once it is stopping, is being killed or has ended.
    public var takesCalls: Bool { state.withLock { $0.takesCalls } }
    /// It was killed here, and its end is a matter of moments.
    var isDoomed: Bool { state.withLock { $0.killedFor != nil } }
    /// How it ended; nil while it runs.
    public var death: WorkerDeath? { state.withLock { $0.death } }

    // MARK: Calls

    /// Call the plugin and wait for its answer, for its end, or for the deadline. Calls of one ability beyond its
    /// places wait in the order they came. When the surrounding task is cancelled the plugin is told, and the
    /// result is what it then answers.
    public func call(_ request: PluginRequest, context: CallContext) async -> CallResult {
        let body = request.encoded()
        guard body.count + context.traceID.utf8.count + 64 <= Int(DW_MAX_BODY_BYTES) else {
            return CallResult(outcome: .failure(.notSent(Problems.tooLarge(body.count))), reachedVendor: false)
        }
        let ended = await perform(
            request.kind, operation: request.operation, ability: request.ability, body: body, keys: request.keys,
            context)
        func failed(_ failure: CallFailure) -> CallResult {
            CallResult(outcome: .failure(failure), reachedVendor: ended.reachedVendor)
        }
        switch ended.how {
        case .notSent(let problem): return failed(.notSent(problem))
        case .died(let death): return failed(.workerDied(death))
        case .ended(.deadline): return failed(.deadlineExceeded)
        case .ended(.overrun): return failed(.overran(Problems.overran()))
        case .ended(.cancelled): return failed(.cancelled)
        case .answered(let body, let ending):
            guard let result = try? DecodedResult(body) else {
                kill(.killedForProtocol)
                return failed(.broken(["an unreadable result"]))
            }
            let answer = result.result(for: request, ending, reachedVendor: ended.reachedVendor)
            // What it gets wrong once it may get wrong again, in memory that its other calls share.
            if case .failure(.contractBreach) = answer.outcome { kill(.killedForBreach) }
            return answer
        }
    }

    private func perform(
        _ kind: PluginRequest.Kind, operation: UInt32, ability: Concurrency.Ability?, body: [UInt8], keys: [String],
        _ context: CallContext
    ) async -> Ended {
        let id = state.withLock { $0.calls.newID() }
        let identity = CallIdentity(
            connection: configuration.open?.connection ?? "", generation: generation, callID: id, kind: kind,
            keys: keys, context: context)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let deadline = monotonicNowMs() + configuration.remainingMs(until: context.deadlineMs)
                enter(
                    Call(
                        identity: identity, ability: ability, operation: operation, body: body, deadlineMs: deadline,
                        continuation: continuation))
                // The handler below finds nothing when it ran before the call was entered.
                if Task.isCancelled { end(id, .cancelled) }
            }
        } onCancel: {
            end(id, .cancelled)
        }
    }

    private func enter(_ call: Call) {
        let refused: Problem? = state.withLock { state in
            switch state.life {
            case .ended(let death): return death.problem
            case .stopping: return Problems.stopped(connection: call.identity.connection)
            case .running:
                if let cause = state.killedFor { return Problems.died(cause, tail: "") }
                state.calls.enter(call)
                return nil
            }
        }
        if let refused { return call.conclude(.notSent(refused), services) }
        Switchboard.shared.startTicking()
        outgoing.flush()
    }

    /// The deadline has passed, or the caller has gone.
    private func end(_ id: UInt64, _ ending: Ending) {
        let removed: Call? = state.withLock { state in
            let call = state.calls.end(id, ending, graceMs: configuration.graceMs)
            state.closeIfIdle(outgoing)
            return call
        }
        removed?.conclude(.ended(ending), services)
        outgoing.flush()
    }

    // MARK: Hearing (on the switchboard's thread)

    /// A descriptor of this worker is ready.
    func ready(_ source: Switchboard.Source, events: UInt32) {
        switch source {
        case .socket:
            if events & EPOLLOUT.rawValue != 0 { outgoing.roomAgain() }
            if events & ~EPOLLOUT.rawValue != 0 { readSocket(untilEmpty: false) }
        case .output:
            guard let process = state.withLock({ $0.process }) else { return }
            if process.readOutput() { Switchboard.shared.unwatch(process.output.number) }
        case .process: processEnded()
        }
    }

    private func readSocket(untilEmpty: Bool) {
        do throws(WireError) {
            if try incoming.read(untilEmpty: untilEmpty, hear) { socketEnded() }
        } catch {
            kill(.killedForProtocol)
            socketEnded()
        }
    }

    private func hear(_ message: Message) throws(WireError) {
        switch message {
        case .hello(let hello): greet(.success(hello))
        case .refused(let refusal):
            greet(.failure(Problems.refused(plugin: configuration.plugin, refusal: refusal)))
        case .otherProtocol(let other):
            greet(.failure(Problems.otherProtocol(other)))
            kill(.killedForProtocol)
        case .result(let id, let body): try takeResult(id, body)
        case .service(let id, let question): try serve(id, question)
        case .note(let id, let note):
            if let identity = state.withLock({ $0.calls.identity(id) }) { services.note(note, for: identity) }
        case .goodbye: break
        }
    }

    private func takeResult(_ id: UInt64, _ body: [UInt8]) throws(WireError) {
        let ended: (Call, Ending?)? = state.withLock { state in
            defer { state.closeIfIdle(outgoing) }
            return state.calls.answered(id)
        }
        guard let (call, ending) = ended else {
            throw WireError(what: "a result for no call, or for one that waits for a service")
        }
        call.conclude(.answered(body, ending), services)
        outgoing.flush()
    }

    private func serve(_ id: UInt64, _ question: ServiceQuestion) throws(WireError) {
        let understood = state.withLock { state in
            state.calls.asked(id, question) { request, identity in
                Task.detached { [self] in
                    let reply = await services.serve(request, for: identity)
                    self.state.withLock { $0.calls.served(id, question, reply) }
                    outgoing.flush()
                }
            }
        }
        guard understood else { throw WireError(what: "two service requests at once") }
        outgoing.flush()
    }

    private func socketEnded() {
        Switchboard.shared.unwatch(socket.number)
        let hungUp: WorkerDeath.Cause? = state.withLock { state in
            state.lingersUntilMs = monotonicNowMs() + Limits.lingerMs
            if state.process != nil { return nil }
            if let cause = state.killedFor { return cause }
            if case .stopping = state.life { return .stopped }
            return .hungUp
        }
        if let hungUp { finish(hungUp) }
        Switchboard.shared.startTicking()
    }

    private func processEnded() {
        guard let process = state.withLock({ $0.process }) else { return }
        let exit = process.reap()
        if case .running = exit { return }
        Switchboard.shared.unwatch(process.handle.number)
        // What it sent before it ended still counts; whoever else holds its end of the socket can send no more.
        shutdown(socket.number, Int32(SHUT_RD))
        readSocket(untilEmpty: true)
        _ = process.readOutput()
        finish(state.withLock { $0.cause(of: exit) })
    }

    // MARK: Ending

    /// Look at the clock. True while there is something to wait for.
    func tick(_ now: Int64) -> Bool {
        let due = state.withLock { $0.due(now) }
        for id in due.late { end(id, .deadline) }
        if let fatal = due.fatal { kill(fatal) }
        return due.waits
    }

    /// End the worker at once. In-process its threads cannot be killed: the conversation ends, and a plugin function
    /// that never returns keeps its thread.
    private func kill(_ cause: WorkerDeath.Cause) {
        let process: WorkerProcess? = state.withLock { state in
            if state.death != nil { return nil }
            if state.killedFor == nil { state.killedFor = cause }
            return state.process
        }
        if let process {
            process.kill()
        } else if case .inProcess = configuration.isolation {
            shutdown(socket.number, Int32(SHUT_RDWR))
            finish(cause)
        }
    }

    /// Take no new calls, let the open ones end, let the plugin close and shut down, and go. What has not gone by
    /// then is killed. Returns how it ended.
    @discardableResult
    public func stop(withinMs: Int64 = Limits.stopMs) async -> WorkerDeath {
        state.withLock { state in
            guard case .running = state.life else { return }
            state.life = .stopping(killAtMs: monotonicNowMs() + withinMs, closeSent: false)
            state.closeIfIdle(outgoing)
        }
        Switchboard.shared.startTicking()
        outgoing.flush()
        return await ended()
    }

    /// Wait for its end, whatever the reason.
    public func ended() async -> WorkerDeath {
        await withCheckedContinuation { continuation in
            let death: WorkerDeath? = state.withLock { state in
                if let death = state.death { return death }
                state.endWaiters.append(continuation)
                return nil
            }
            if let death { continuation.resume(returning: death) }
        }
    }

    /// The end: every open call ends with it.
    private func finish(_ cause: WorkerDeath.Cause) {
        let tail = state.withLock { $0.process }?.lastWords ?? ""
        let death = WorkerDeath(cause: cause, stderrTail: tail, problem: Problems.died(cause, tail: tail))
        let left: (process: WorkerProcess?, calls: [Call], waiters: [CheckedContinuation<WorkerDeath, Never>])? =
            state.withLock { state in
                if state.death != nil { return nil }
                state.life = .ended(death)
                defer { (state.process, state.endWaiters) = (nil, []) }
                return (state.process, state.calls.removeAll(), state.endWaiters)
            }
        guard let left else { return }
        Switchboard.shared.unwatch(socket.number)
        if let process = left.process { Switchboard.shared.unwatch(process.output.number) }
        Switchboard.shared.dismiss(self)
        greet(
            .failure(
                cause == .killedForDeadline
                    ? Problems.noHello(plugin: configuration.plugin) : Problems.diedAtStart(death)))
        for call in left.calls { call.conclude(with: death, services) }
        for waiter in left.waiters { waiter.resume(returning: death) }
    }
}
