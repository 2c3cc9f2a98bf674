import Values

/// Keeps one connection's worker of one version: starts it when a call comes, starts it again after an end nobody asked
/// for, stops it when it has been idle, and pauses when it keeps ending.
public actor WorkerSupervisor {
    /// The figures a supervisor goes by.
    public struct Policy: Sendable, Hashable {
        /// Unplanned ends within the window that are one too many.
        public var restartBudget: Int
        /// Milliseconds.
        public var restartWindowMs: Int64
        /// Milliseconds without a call after which the worker is stopped; nil: never.
        public var idleMs: Int64?

        /// The house's figures unless given.
        public init(
            restartBudget: Int = Limits.restartBudget, restartWindowMs: Int64 = Limits.restartWindowMs,
            idleMs: Int64? = Limits.idleMs
        ) {
            self.restartBudget = restartBudget
            self.restartWindowMs = restartWindowMs
            self.idleMs = idleMs
        }
    }

    /// What a status screen shows.
    public enum Status: Sendable, Hashable {
        /// Nothing runs; the next call starts it.
        case stopped
        /// A worker is being started.
        case starting
        /// A worker of this generation runs this plugin.
        case running(generation: UInt64, plugin: String, version: String)
        /// The restart budget is spent: calls are refused with this problem until `resume`.
        case paused(Problem)
        /// `shutDown` was called.
        case shutDown
    }

    private enum Phase {
        case stopped
        case starting(Task<Result<Worker, Problem>, Never>)
        case running(Worker)
        case paused(Problem)
        case shutDown
    }

    private let configuration: WorkerConfiguration
    private let services: any WorkerServices
    private let policy: Policy
    private var phase = Phase.stopped
    private var nextGeneration: UInt64
    private var recentEnds: [Int64] = []
    private var calls = 0
    private var idleTimer: Task<Void, Never>?

    /// Unplanned ends since the supervisor was made, failed starts among them.
    public private(set) var crashes = 0
    /// The last unplanned end, for status.
    public private(set) var lastProblem: Problem?

    /// A supervisor; nothing is started yet. Generations count from `firstGeneration`.
    public init(
        _ configuration: WorkerConfiguration, services: any WorkerServices, policy: Policy = Policy(),
        firstGeneration: UInt64 = 1
    ) {
        self.configuration = configuration
        self.services = services
        self.policy = policy
        nextGeneration = firstGeneration
    }

    /// What it is doing.
    public var status: Status {
        switch phase {
        case .stopped: .stopped
        case .starting: .starting
        case .running(let worker):
            .running(generation: worker.generation, plugin: worker.pluginID, version: worker.pluginVersion)
        case .paused(let problem): .paused(problem)
        case .shutDown: .shutDown
        }
    }

    /// Start it now if it does not run. Throws `E-WORKER-0NN` as `Worker.start` does, `024` when paused, `025` after
    /// `shutDown`.
    public func start() async throws(Problem) -> Worker {
        // An end that is on its way counts like one that has come: it is not to be taken for a stop.
        if case .running(let worker) = phase, worker.isDoomed { bury(worker, await worker.ended()) }
        // Its end may be known to it before it is known here.
        if case .running(let worker) = phase, let death = worker.death { bury(worker, death) }
        if case .running(let worker) = phase, !worker.takesCalls { phase = .stopped }
        switch phase {
        case .running(let worker): return worker
        case .paused(let problem): throw problem
        case .shutDown: throw Problems.stopped(connection: name)
        case .starting(let task): return try await task.value.get()
        case .stopped: break
        }
        let generation = nextGeneration
        nextGeneration += 1
        let (configuration, services) = (configuration, services)
        let task = Task.detached { () -> Result<Worker, Problem> in
            do throws(Problem) {
                return .success(try await Worker.start(configuration, generation: generation, services: services))
            } catch {
                return .failure(error)
            }
        }
        phase = .starting(task)
        // Settled by a task of its own: the caller may be cancelled, the start goes on for the others.
        Task { await settle(task) }
        return try await task.value.get()
    }

    /// One call, starting a worker if there is none. A call is sent at most once: only one that was never sent, because
    /// its worker ended or was stopped first, goes to the next generation.
    public func call(_ request: PluginRequest, context: CallContext) async -> CallResult {
        calls += 1
        idleTimer?.cancel()
        idleTimer = nil
        defer {
            calls -= 1
            startIdleTimer()
        }
        do throws(Problem) {
            while true {
                let worker = try await start()
                let result = await worker.call(request, context: context)
                if case .failure(.notSent) = result.outcome, !worker.takesCalls, !Task.isCancelled { continue }
                return result
            }
        } catch {
            return CallResult(outcome: .failure(.notSent(error)), reachedVendor: false)
        }
    }

    /// Let the open calls end and stop the worker; the next call starts a new generation.
    public func stop() async {
        switch phase {
        case .running(let worker):
            phase = .stopped
            await worker.stop()
        case .starting(let task):
            // Nobody adopts what it starts any more; a call that waits for it starts the next one.
            phase = .stopped
            if case .success(let worker) = await task.value { await worker.stop() }
        case .stopped, .paused, .shutDown: return
        }
    }

    /// Stop for good: calls are refused from here on.
    public func shutDown() async {
        idleTimer?.cancel()
        let before = phase
        phase = .shutDown
        switch before {
        case .running(let worker): await worker.stop()
        case .starting(let task): if case .success(let worker) = await task.value { await worker.stop() }
        case .stopped, .paused, .shutDown: break
        }
    }

    /// Forget the crashes and allow starts again.
    public func resume() {
        guard case .paused = phase else { return }
        recentEnds = []
        phase = .stopped
    }

    // MARK: Inside

    private var name: String { configuration.open?.connection ?? configuration.plugin }

    private func settle(_ task: Task<Result<Worker, Problem>, Never>) async {
        let result = await task.value
        guard case .starting(let current) = phase, current == task else { return }
        switch result {
        case .success(let worker):
            phase = .running(worker)
            startIdleTimer()
            Task { await watch(worker) }
        case .failure(let problem):
            phase = .stopped
            countEnd(problem)
        }
    }

    private func watch(_ worker: Worker) async {
        bury(worker, await worker.ended())
    }

    /// Once per worker: afterwards it is no longer the one that runs.
    private func bury(_ worker: Worker, _ death: WorkerDeath) {
        guard case .running(let current) = phase, current === worker else { return }
        phase = .stopped
        if death.cause != .stopped { countEnd(death.problem) }
    }

    private func countEnd(_ problem: Problem) {
        crashes += 1
        lastProblem = problem
        let now = monotonicNowMs()
        recentEnds = recentEnds.filter { now - $0 < policy.restartWindowMs } + [now]
        guard recentEnds.count >= policy.restartBudget, case .stopped = phase else { return }
        phase = .paused(
            Problems.budgetSpent(
                connection: name, crashes: recentEnds.count, seconds: policy.restartWindowMs / 1000, last: problem))
    }

    private func startIdleTimer() {
        guard calls == 0, let idleMs = policy.idleMs, case .running = phase else { return }
        idleTimer?.cancel()
        idleTimer = Task { [weak self] in
            do { try await Task.sleep(for: .milliseconds(idleMs)) } catch { return }
            await self?.stopIfIdle()
        }
    }

    private func stopIfIdle() async {
        guard calls == 0, case .running(let worker) = phase else { return }
        phase = .stopped
        await worker.stop()
    }
}
