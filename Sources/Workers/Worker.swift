import Glibc
import PluginABI
import Synchronization
import Values
import WorkerCore

/// One running plugin: a `datong-worker` process, or its threads in this process, and the conversation with it.
///
/// Nothing here blocks a thread of the cooperative pool: calls suspend, the switchboard's thread reads, and writes
/// never wait for room.
public final class Worker: Sendable {
    /// What it was started from.
    public let configuration: WorkerConfiguration
    /// Rises with every start; given by the supervisor.
    public let generation: UInt64

    private let services: any WorkerServices
    private let socket: Descriptor
    private let state: Mutex<State>
    /// Read and written on the switchboard's thread only.
    private let heard = Mutex(Heard())

    // MARK: State

    /// Until HELLO or REFUSED has come.
    private enum Greeting {
        case awaited(CheckedContinuation<Result<Hello, Problem>, Never>, untilMs: Int64)
        case done
    }

    /// Why a call is being ended before it answered.
    private enum Ending {
        case deadline
        case cancelled
    }

    private enum Stage {
        /// Waits for a place of its ability.
        case queued
        case running
        /// CANCEL was sent; the worker dies when it has not answered by `killAtMs`.
        case ending(Ending, killAtMs: Int64)
    }

    /// The service request a call has open: a plugin thread waits for one at a time.
    private enum Service {
        case none
        case open(ServiceQuestion, task: Task<Void, Never>, writes: Bool)
    }

    private struct Call {
        var identity: CallIdentity
        var ability: Concurrency.Ability?
        var operation: UInt32
        var body: [UInt8]
        var deadlineMs: Int64
        var stage: Stage
        var service = Service.none
        var lastSequence: UInt32 = 0
        var reachedVendor = false
        /// Tasks of service requests whose answer the plugin no longer waits for.
        var leftovers: [Task<Void, Never>] = []
        var continuation: CheckedContinuation<Ended, Never>

        /// Counting a write under way: nobody can say yet that it did not arrive.
        var mayHaveReachedVendor: Bool {
            if case .open(_, _, writes: true) = service { return true }
            return reachedVendor
        }
    }

    /// How a call ended, before the answer is looked into.
    private struct Ended {
        enum How {
            case answered([UInt8], Ending?)
            case died(WorkerDeath)
            case ended(Ending)
            case notSent(Problem)
        }
        var how: How
        var reachedVendor: Bool
    }

    private enum Life {
        case running
        /// No new calls; CLOSE once the last has ended; killed at the time given.
        case stopping(killAtMs: Int64, closeSent: Bool)
        case ended(WorkerDeath)
    }

    private struct State {
        var number: UInt64 = 0
        var greeting = Greeting.done
        var life = Life.running
        var process: Descriptor?
        /// Set when this side kills it, so that its end is told apart from a crash.
        var killedFor: WorkerDeath.Cause?
        /// The socket has ended but the process has not.
        var lingersUntilMs: Int64?
        var calls: [UInt64: Call] = [:]
        var nextCall: UInt64 = 1
        var inFlight: [Concurrency.Ability: Int] = [:]
        var queues: [Concurrency.Ability: [UInt64]] = [:]
        var sent = 0
        var endWaiters: [CheckedContinuation<WorkerDeath, Never>] = []
        var hello: Hello?

        var outbox: [UInt8] = []
        var writer = Writer.idle
    }

    private enum Writer {
        case idle
        case writing
        /// The socket was full: the rest goes first when it has room again.
        case full(rest: [UInt8], from: Int)
    }

    private struct Heard {
        var input: [UInt8] = []
        var stderrTail: [UInt8] = []
        var output: Descriptor?
        var socketEnded = false
    }

    // MARK: Start

    private init(
        configuration: WorkerConfiguration, generation: UInt64, services: any WorkerServices, socket: Descriptor
    ) {
        self.configuration = configuration
        self.generation = generation
        self.services = services
        self.socket = socket
        state = Mutex(State())
    }

    /// Start a worker, load the plugin and open the connection. Throws `E-WORKER-001` … `027` when the library is
    /// refused, the process cannot be started, dies, is late, or the plugin refuses to open.
    public static func start(
        _ configuration: WorkerConfiguration, generation: UInt64 = 1, services: any WorkerServices
    ) async throws(Problem) -> Worker {
        guard let (ours, theirs) = socketPair() else {
            throw Problems.cannotSpawn(executable: "socketpair", errno: errno)
        }
        _ = fcntl(ours.number, F_SETFL, O_NONBLOCK)
        let worker = Worker(configuration: configuration, generation: generation, services: services, socket: ours)
        let hello = await withCheckedContinuation { continuation in
            worker.state.withLock {
                $0.greeting = .awaited(continuation, untilMs: monotonicNowMs() + configuration.helloMs)
            }
            Switchboard.shared.perform { worker.launch(theirs) }
        }
        switch hello {
        case .success(let hello): worker.state.withLock { $0.hello = hello }
        case .failure(let problem): throw problem
        }
        let opened = await worker.open()
        if let problem = opened {
            worker.kill(.stopped)
            throw problem
        }
        return worker
    }

    /// On the switchboard's thread.
    private func launch(_ theirs: Int32) {
        let number = Switchboard.shared.enroll(self)
        state.withLock { $0.number = number }
        switch configuration.isolation {
        case .inProcess:
            Switchboard.shared.watch(socket.number, of: number, as: .socket)
            startThread(theirs)
        case .worker(let executable):
            let error = startProcess(executable, theirs, number)
            close(theirs)
            if error != 0 {
                Switchboard.shared.dismiss(number)
                greet(.failure(Problems.cannotSpawn(executable: executable, errno: error)))
                return
            }
        }
        Switchboard.shared.startTicking()
    }

    private func startProcess(_ executable: String, _ theirs: Int32, _ number: UInt64) -> Int32 {
        guard let (reading, writing) = readablePipe() else { return errno }
        var environment = ["LANG=C.UTF-8", "SWIFT_BACKTRACE=enable=no"]
        if let folder = configuration.runtimeFolder { environment.append("LD_LIBRARY_PATH=\(folder)") }
        var pid: pid_t = 0
        let error = spawn(
            executable, ["3", configuration.plugin], environment: environment, socket: theirs, output: writing,
            pid: &pid)
        close(writing)
        guard error == 0 else { return error }
        // The child is not reaped yet, so its number cannot be anybody else's.
        let process = datong_pidfd_open(pid)
        guard process >= 0 else {
            let code = errno
            Glibc.kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            return code
        }
        state.withLock { $0.process = Descriptor(process) }
        heard.withLock { $0.output = reading }
        Switchboard.shared.watch(socket.number, of: number, as: .socket)
        Switchboard.shared.watch(reading.number, of: number, as: .output)
        Switchboard.shared.watch(process, of: number, as: .process)
        return 0
    }

    private func startThread(_ theirs: Int32) {
        let argument = Unmanaged.passRetained(ThreadArgument(socket: theirs, plugin: configuration.plugin)).toOpaque()
        var thread = pthread_t()
        if pthread_create(&thread, nil, workerThreadMain, argument) == 0 {
            pthread_detach(thread)
        } else {
            Unmanaged<ThreadArgument>.fromOpaque(argument).release()
            close(theirs)
        }
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

    // MARK: What the plugin is

    /// The plugin's id.
    public var pluginID: String { state.withLock { $0.hello?.id ?? "" } }
    /// The plugin's version.
    public var pluginVersion: String { state.withLock { $0.hello?.version ?? "" } }
    /// The plugin's build text, for support.
    public var pluginBuild: String { state.withLock { $0.hello?.build ?? "" } }
    /// The abilities it offers, "datong.write/1".
    public var abilities: [String] { state.withLock { $0.hello?.abilities ?? [] } }
    /// Minors of the contract: what the plugin needs and was built with, what the host bears, and what was agreed.
    public var minors: (needs: UInt32, built: UInt32, hostMin: UInt32, hostMax: UInt32, agreed: UInt32) {
        state.withLock {
            guard let hello = $0.hello else { return (0, 0, 0, 0, 0) }
            return (hello.needs, hello.built, hello.hostMin, hello.hostMax, hello.minor)
        }
    }
    /// Calls that were sent and have not ended.
    public var callsInFlight: Int { state.withLock { $0.sent } }
    /// Calls that wait for a place of their ability.
    public var callsWaiting: Int { state.withLock { $0.calls.count - $0.sent } }
    /// False once it is stopping or has ended.
    public var takesCalls: Bool {
        state.withLock {
            if case .running = $0.life { return true }
            return false
        }
    }
    /// How it ended; nil while it runs.
    public var death: WorkerDeath? {
        state.withLock {
            if case .ended(let death) = $0.life { return death }
            return nil
        }
    }

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
        func failed(_ failure: CallFailure, _ known: [Int: WriteOutcome] = [:]) -> CallResult {
            CallResult(outcome: .failure(failure), reachedVendor: ended.reachedVendor, known: known)
        }
        switch ended.how {
        case .notSent(let problem): return failed(.notSent(problem))
        case .died(let death): return failed(.workerDied(death))
        case .ended(.deadline): return failed(.deadlineExceeded)
        case .ended(.cancelled): return failed(.cancelled)
        case .answered(let body, let ending):
            guard let result = try? DecodedResult(body) else {
                kill(.killedForProtocol)
                return failed(broken(["an unreadable result"]))
            }
            if !result.breaches.isEmpty { return failed(broken(result.breaches), result.outcomes) }
            if let failure = result.failure {
                switch (failure.errorClass, ending) {
                case (.cancelled, .deadline?): return failed(.deadlineExceeded, result.outcomes)
                case (.cancelled, .cancelled?): return failed(.cancelled, result.outcomes)
                default: return failed(.plugin(failure), result.outcomes)
                }
            }
            guard let response = result.response(to: request) else {
                return failed(broken(["OK without the answer that belongs to it"]), result.outcomes)
            }
            return CallResult(outcome: .success(response), reachedVendor: ended.reachedVendor)
        }
    }

    private func broken(_ breaches: [String]) -> CallFailure {
        .contractBreach(ContractBreach(breaches: breaches, problem: Problems.contractBroken(breaches)))
    }

    private func perform(
        _ kind: PluginRequest.Kind, operation: UInt32, ability: Concurrency.Ability?, body: [UInt8], keys: [String],
        _ context: CallContext
    ) async -> Ended {
        let id = state.withLock { state in
            defer { state.nextCall += 1 }
            return state.nextCall
        }
        let identity = CallIdentity(
            connection: configuration.open?.connection ?? "", generation: generation, callID: id, kind: kind,
            keys: keys, context: context)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let deadline = monotonicNowMs() + remaining(until: context.deadlineMs)
                enter(
                    Call(
                        identity: identity, ability: ability, operation: operation, body: body, deadlineMs: deadline,
                        stage: .queued, continuation: continuation))
                // The handler below finds nothing when it ran before the call was entered.
                if Task.isCancelled { end(id, .cancelled) }
            }
        } onCancel: {
            end(id, .cancelled)
        }
    }

    /// Milliseconds left, between none and `Limits.longestCallMs`.
    private func remaining(until deadlineMs: Int64) -> Int64 {
        let (left, overflow) = deadlineMs.subtractingReportingOverflow(configuration.nowMs())
        if overflow { return deadlineMs < 0 ? 0 : Limits.longestCallMs }
        return min(max(left, 0), Limits.longestCallMs)
    }

    private func enter(_ call: Call) {
        let refused: Ended.How? = state.withLock { state in
            switch state.life {
            case .ended(let death): return .notSent(death.problem)
            case .stopping: return .notSent(Problems.stopped(connection: call.identity.connection))
            case .running: break
            }
            let id = call.identity.callID
            state.calls[id] = call
            guard let ability = call.ability else {
                send(id, &state)
                return nil
            }
            if state.inFlight[ability, default: 0] < configuration.concurrency[ability] {
                send(id, &state)
            } else {
                state.queues[ability, default: []].append(id)
            }
            return nil
        }
        if let refused {
            call.continuation.resume(returning: Ended(how: refused, reachedVendor: false))
            return
        }
        Switchboard.shared.startTicking()
        flush()
    }

    /// Put a call's frame into the outbox; the caller flushes.
    private func send(_ id: UInt64, _ state: inout State) {
        guard var call = state.calls[id] else { return }
        var body = FrameWriter()
        body.u32(call.operation == DW_OP_OPEN ? UInt32(configuration.concurrency.total) : call.operation)
        call.identity.context.encode(into: &body, remainingMs: call.deadlineMs - monotonicNowMs())
        body.bytes.append(contentsOf: call.body)
        Frame.append(call.operation == DW_OP_OPEN ? DW_OPEN : DW_CALL, id: id, body: body.bytes, to: &state.outbox)
        call.stage = .running
        call.body = []
        state.calls[id] = call
        state.sent += 1
        if let ability = call.ability { state.inFlight[ability, default: 0] += 1 }
    }

    /// Take an ended call out, give its place to the next, and send CLOSE after the last. Resuming is the caller's.
    private func remove(_ id: UInt64, _ state: inout State) -> Call? {
        guard let call = state.calls.removeValue(forKey: id) else { return nil }
        if case .queued = call.stage {
            if let ability = call.ability { state.queues[ability]?.removeAll { $0 == id } }
        } else {
            state.sent -= 1
            if let ability = call.ability {
                state.inFlight[ability, default: 1] -= 1
                if let next = state.queues[ability]?.first {
                    state.queues[ability]?.removeFirst()
                    send(next, &state)
                }
            }
        }
        closeIfIdle(&state)
        return call
    }

    /// Hand the end of a call to whoever waits for it, and to the services once nothing of it runs any more.
    private func conclude(_ call: Call, _ how: Ended.How) {
        var leftovers = call.leftovers
        if case .open(_, let task, _) = call.service { leftovers.append(task) }
        for task in leftovers { task.cancel() }
        call.continuation.resume(returning: Ended(how: how, reachedVendor: call.mayHaveReachedVendor))
        if case .queued = call.stage { return }
        let (services, identity, tasks) = (services, call.identity, leftovers)
        Task.detached {
            for task in tasks { await task.value }
            await services.callEnded(identity)
        }
    }

    /// The deadline has passed, or the caller has gone. A call that waits for a place ends here; one that runs is told,
    /// and whatever service it waits for is answered at once, so that a slow service cannot cost the worker.
    private func end(_ id: UInt64, _ ending: Ending) {
        let removed: Call? = state.withLock { state in
            guard var call = state.calls[id] else { return nil }
            switch call.stage {
            case .queued: return remove(id, &state)
            case .ending: return nil
            case .running: break
            }
            Frame.append(DW_CANCEL, id: id, to: &state.outbox)
            call.stage = .ending(ending, killAtMs: monotonicNowMs() + configuration.graceMs)
            if case .open(let question, let task, let writes) = call.service {
                answer(&call, question, .refused(.cancelled, "the call has ended", mayHaveArrived: writes), &state)
                task.cancel()
                call.leftovers.append(task)
            }
            state.calls[id] = call
            return nil
        }
        if let removed { conclude(removed, .ended(ending)) }
        flush()
    }

    // MARK: Services

    /// Write a SERVICE_REPLY down and note what it says about the vendor.
    private func answer(_ call: inout Call, _ question: ServiceQuestion, _ reply: ServiceReply, _ state: inout State) {
        if case .open(_, _, writes: true) = call.service {
            if case .refused(_, _, mayHaveArrived: false) = reply {} else { call.reachedVendor = true }
        }
        call.service = .none
        Frame.append(
            DW_SERVICE_REPLY, flags: question.slot, id: call.identity.callID, body: reply.encoded(for: question),
            to: &state.outbox)
    }

    /// On the switchboard's thread. False: the worker broke the protocol.
    private func serve(_ frame: Frame) throws(WireError) {
        var question = try ServiceQuestion(frame.body)
        question.slot = frame.flags
        let asked = question
        let understood: Bool = state.withLock { state in
            // A call that has ended here may still have been asking.
            guard var call = state.calls[frame.id] else { return true }
            guard case .none = call.service, asked.sequence != call.lastSequence else { return false }
            call.lastSequence = asked.sequence
            defer { state.calls[frame.id] = call }
            guard let request = asked.request else {
                answer(&call, asked, .refused(.denied, "not understood"), &state)
                return true
            }
            if case .ending = call.stage {
                answer(&call, asked, .refused(.cancelled, "the call has ended"), &state)
                return true
            }
            let identity = call.identity
            let task = Task.detached { [self] in
                finish(frame.id, asked, await services.serve(request, for: identity))
            }
            call.service = .open(asked, task: task, writes: request.effect == .write)
            return true
        }
        guard understood else { throw WireError(what: "two service requests at once") }
        flush()
    }

    private func finish(_ id: UInt64, _ question: ServiceQuestion, _ reply: ServiceReply) {
        state.withLock { state in
            guard var call = state.calls[id], case .open(let open, _, _) = call.service,
                open.sequence == question.sequence
            else { return }
            answer(&call, question, reply, &state)
            state.calls[id] = call
        }
        flush()
    }

    // MARK: Writing

    /// Write what is in the outbox, unless somebody does already: then they take ours along.
    private func flush() {
        let mine: Bool = state.withLock { state in
            guard case .idle = state.writer, !state.outbox.isEmpty else { return false }
            state.writer = .writing
            return true
        }
        if mine { write([], from: 0) }
    }

    private func write(_ first: [UInt8], from start: Int) {
        var chunk = first
        var at = start
        while true {
            if at == chunk.count {
                chunk = state.withLock { state in
                    let next = state.outbox
                    state.outbox = []
                    if next.isEmpty { state.writer = .idle }
                    return next
                }
                at = 0
                if chunk.isEmpty { return }
            }
            let written = chunk.withUnsafeBytes { raw in
                Glibc.send(socket.number, raw.baseAddress! + at, raw.count - at, Int32(MSG_NOSIGNAL))
            }
            if written >= 0 {
                at += written
            } else if errno == EINTR {
                continue
            } else if errno == EAGAIN {
                let number = state.withLock { state in
                    state.writer = .full(rest: chunk, from: at)
                    return state.number
                }
                Switchboard.shared.watch(socket.number, of: number, as: .socket, writable: true, again: true)
                return
            } else {
                // The other side is gone; its end is heard by the switchboard.
                state.withLock {
                    $0.writer = .idle
                    $0.outbox = []
                }
                return
            }
        }
    }

    /// On the switchboard's thread.
    private func roomAgain() {
        let left: (rest: [UInt8], from: Int)? = state.withLock { state in
            guard case .full(let rest, let from) = state.writer else { return nil }
            state.writer = .writing
            return (rest, from)
        }
        guard let left else { return }
        Switchboard.shared.watch(
            socket.number, of: state.withLock { $0.number }, as: .socket, writable: false, again: true)
        write(left.rest, from: left.from)
    }

    // MARK: Hearing (on the switchboard's thread)

    /// A descriptor of this worker is ready.
    func ready(_ source: Switchboard.Source, events: UInt32) {
        switch source {
        case .socket:
            if events & EPOLLOUT.rawValue != 0 { roomAgain() }
            if events & ~EPOLLOUT.rawValue != 0 { readSocket(untilEmpty: false) }
        case .output: readOutput()
        case .process: processEnded()
        }
    }

    private func readSocket(untilEmpty: Bool) {
        var hearing = heard.withLock { heard in
            defer { heard.input = [] }
            return heard
        }
        var ended = hearing.socketEnded
        if ended { return }
        let buffer = Switchboard.shared.buffer
        repeat {
            let count = recv(socket.number, buffer.baseAddress, buffer.count, 0)
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { break }
            if count <= 0 {
                ended = true
                break
            }
            hearing.input.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
            do {
                for frame in try Frame.take(from: &hearing.input) { try hear(frame) }
            } catch {
                kill(.killedForProtocol)
                ended = true
            }
        } while untilEmpty && !ended
        let left = hearing.input
        heard.withLock {
            $0.input = left
            $0.socketEnded = ended
        }
        if ended { socketEnded() }
    }

    private func hear(_ frame: Frame) throws(WireError) {
        switch frame.kind {
        case DW_HELLO:
            var other: UInt32 = 0
            if let hello = try Hello.decode(frame.body, other: &other) {
                greet(.success(hello))
            } else {
                greet(.failure(Problems.otherProtocol(other)))
                kill(.killedForProtocol)
            }
        case DW_REFUSED:
            var other: UInt32 = 0
            if let refusal = try Refusal.decode(frame.body, other: &other) {
                greet(.failure(Problems.refused(plugin: configuration.plugin, refusal: refusal)))
            } else {
                greet(.failure(Problems.otherProtocol(other)))
            }
        case DW_OPENED, DW_RESULT: try takeResult(frame)
        case DW_SERVICE: try serve(frame)
        case DW_NOTE:
            let identity = state.withLock { $0.calls[frame.id]?.identity }
            if let identity, let note = try PluginNote(frame.body) { services.note(note, for: identity) }
        case DW_GOODBYE: break
        default: throw WireError(what: "unknown kind")
        }
    }

    private func takeResult(_ frame: Frame) throws(WireError) {
        let ended: (Call, Ending?)? = state.withLock { state in
            guard let call = state.calls[frame.id] else { return nil }
            let ending: Ending?
            switch call.stage {
            case .queued: return nil
            // The plugin looks at the clock as well, and may be quicker than this side's tick.
            case .running: ending = monotonicNowMs() >= call.deadlineMs ? .deadline : nil
            case .ending(let why, _): ending = why
            }
            return remove(frame.id, &state).map { ($0, ending) }
        }
        guard let (call, ending) = ended else { throw WireError(what: "a result for no call") }
        conclude(call, .answered(frame.body, ending))
        flush()
    }

    private func greet(_ result: Result<Hello, Problem>) {
        let waiting: CheckedContinuation<Result<Hello, Problem>, Never>? = state.withLock { state in
            guard case .awaited(let continuation, _) = state.greeting else { return nil }
            state.greeting = .done
            return continuation
        }
        waiting?.resume(returning: result)
    }

    private func readOutput() {
        let output = heard.withLock { $0.output }
        guard let output else { return }
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(output.number, &buffer, buffer.count)
            if count > 0 {
                heard.withLock { heard in
                    heard.stderrTail.append(contentsOf: buffer[0..<count])
                    let over = heard.stderrTail.count - Limits.stderrTailBytes
                    if over > 0 { heard.stderrTail.removeFirst(over) }
                }
                continue
            }
            if count < 0 && errno == EINTR { continue }
            if count == 0 {
                Switchboard.shared.unwatch(output.number)
                heard.withLock { $0.output = nil }
            }
            return
        }
    }

    private func socketEnded() {
        Switchboard.shared.unwatch(socket.number)
        let isProcess: Bool = state.withLock { state in
            state.lingersUntilMs = monotonicNowMs() + Limits.lingerMs
            return state.process != nil
        }
        if !isProcess {
            let stopping: Bool = state.withLock {
                if case .stopping = $0.life { return true }
                return false
            }
            finish(stopping ? .stopped : .hungUp)
        }
        Switchboard.shared.startTicking()
    }

    private func processEnded() {
        guard let process = state.withLock({ $0.process }) else { return }
        var status: Int32 = 0
        let how = datong_pidfd_reap(process.number, &status)
        if how == 0 { return }
        Switchboard.shared.unwatch(process.number)
        // What it sent before it ended still counts.
        readSocket(untilEmpty: true)
        readOutput()
        let cause: WorkerDeath.Cause = state.withLock { state in
            if let killedFor = state.killedFor, how == 2, status == SIGKILL { return killedFor }
            if case .stopping(_, closeSent: true) = state.life, how == 1, status == 0 { return .stopped }
            switch how {
            case 1: return .exited(status)
            case 2: return .signal(status)
            default: return .hungUp  // somebody else took its status
            }
        }
        finish(cause)
    }

    /// The end: every open call ends with it.
    private func finish(_ cause: WorkerDeath.Cause) {
        let tail = heard.withLock { String(decoding: $0.stderrTail, as: UTF8.self) }
            .split(separator: "\n").joined(separator: "\n")
        let death = WorkerDeath(cause: cause, stderrTail: tail, problem: Problems.died(cause, tail: tail))
        let left: (number: UInt64, calls: [Call], waiters: [CheckedContinuation<WorkerDeath, Never>])? =
            state.withLock { state in
                if case .ended = state.life { return nil }
                state.life = .ended(death)
                defer {
                    state.calls = [:]
                    state.queues = [:]
                    state.inFlight = [:]
                    state.sent = 0
                    state.endWaiters = []
                    state.process = nil
                    state.outbox = []
                }
                return (state.number, Array(state.calls.values), state.endWaiters)
            }
        guard let left else { return }
        Switchboard.shared.unwatch(socket.number)
        if let output = heard.withLock({ $0.output }) { Switchboard.shared.unwatch(output.number) }
        heard.withLock { $0.output = nil }
        Switchboard.shared.dismiss(left.number)
        greet(
            .failure(
                cause == .killedForDeadline
                    ? Problems.noHello(plugin: configuration.plugin) : Problems.diedAtStart(death)))
        for call in left.calls.sorted(by: { $0.identity.callID < $1.identity.callID }) {
            switch call.stage {
            case .ending(let ending, _) where cause == .killedForDeadline: conclude(call, .ended(ending))
            case .queued: conclude(call, .notSent(death.problem))
            default: conclude(call, .died(death))
            }
        }
        for waiter in left.waiters { waiter.resume(returning: death) }
    }

    // MARK: Ending

    /// Look at the clock. True while there is something to wait for.
    func tick(_ now: Int64) -> Bool {
        var late: [UInt64] = []
        var fatal: WorkerDeath.Cause?
        let waits: Bool = state.withLock { state in
            if case .ended = state.life { return false }
            if case .awaited(_, let until) = state.greeting, now >= until { fatal = .killedForDeadline }
            for (id, call) in state.calls {
                switch call.stage {
                case .queued, .running: if now >= call.deadlineMs { late.append(id) }
                case .ending(_, let killAt): if now >= killAt { fatal = .killedForDeadline }
                }
            }
            if let until = state.lingersUntilMs, now >= until { fatal = fatal ?? .killedForProtocol }
            if case .stopping(let killAt, _) = state.life, now >= killAt { fatal = .stopped }
            if case .awaited = state.greeting { return true }
            if case .stopping = state.life { return true }
            return !state.calls.isEmpty || state.lingersUntilMs != nil
        }
        for id in late.sorted() { end(id, .deadline) }
        if let fatal { kill(fatal) }
        return waits
    }

    /// End the worker at once. In-process its threads cannot be killed: the conversation ends, and a plugin function
    /// that never returns keeps its thread.
    private func kill(_ cause: WorkerDeath.Cause) {
        let process: Descriptor? = state.withLock { state in
            if case .ended = state.life { return nil }
            if state.killedFor == nil { state.killedFor = cause }
            return state.process
        }
        if let process {
            datong_pidfd_kill(process.number, SIGKILL)
        } else if case .inProcess = configuration.isolation {
            shutdown(socket.number, Int32(SHUT_RDWR))
            finish(cause)
        }
    }

    private func closeIfIdle(_ state: inout State) {
        guard case .stopping(let killAt, closeSent: false) = state.life, state.calls.isEmpty else { return }
        Frame.append(DW_CLOSE, id: 0, to: &state.outbox)
        state.life = .stopping(killAtMs: killAt, closeSent: true)
    }

    /// Take no new calls, let the open ones end, let the plugin close and shut down, and go. What has not gone by
    /// then is killed. Returns how it ended.
    @discardableResult
    public func stop(withinMs: Int64 = Limits.stopMs) async -> WorkerDeath {
        state.withLock { state in
            guard case .running = state.life else { return }
            state.life = .stopping(killAtMs: monotonicNowMs() + withinMs, closeSent: false)
            closeIfIdle(&state)
        }
        Switchboard.shared.startTicking()
        flush()
        return await ended()
    }

    /// Wait for its end, whatever the reason.
    public func ended() async -> WorkerDeath {
        await withCheckedContinuation { continuation in
            let death: WorkerDeath? = state.withLock { state in
                if case .ended(let death) = state.life { return death }
                state.endWaiters.append(continuation)
                return nil
            }
            if let death { continuation.resume(returning: death) }
        }
    }
}

/// What the thread of an in-process worker starts from.
private final class ThreadArgument {
    let socket: Int32
    let plugin: String
    init(socket: Int32, plugin: String) {
        self.socket = socket
        self.plugin = plugin
    }
}

private func workerThreadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<ThreadArgument>.fromOpaque(argument).takeRetainedValue()
    _ = datong_worker_run(start.socket, start.plugin, 1)
    return nil
}
