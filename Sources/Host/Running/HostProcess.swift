import Dispatch
import Engine
import Foundation
import Glibc
import Ledger
import Logging
import Network
import Synchronization
import Values
import Vault
import Workers

/// One workspace, running: the wiring of the rooms, from the run lock to the last worker.
final class HostProcess: Sendable {
    /// What a process wants of the workspace.
    enum Mode: Sendable {
        /// The host: reads, delivers, answers commands.
        case serve
        /// One command while no host runs: looks and changes the ledger, sends nothing by itself.
        case command
    }

    private struct State {
        var plan: Plan
        var builder: PlanBuilder
        var workers: [String: ConnectionWorker] = [:]
        var signatures: [String: String] = [:]
        var server: ControlServer?
        var housekeeping: Task<Void, Never>?
        var stopping = false
        /// Worker generations are unique in the host: sessions know calls by them.
        var generation: UInt64 = 1
    }

    let paths: WorkspacePaths
    let mode: Mode
    let ledger: any Ledger
    let conductor: Conductor
    let streams: SourceStreams
    let limits: LimitKeeper
    let sessions: SessionStore
    let log: Logger
    let startedAt: Int64
    private let http: HTTPClient
    private let services: PluginServices
    private let dispatcher: Dispatcher
    private let inspector: WorkerInspector
    let vault: CurrentVault
    private let mask: SecretMask
    private let terminal: Terminal
    private let lock: RunLock
    private let state: Mutex<State>
    private let ended: Ending

    /// Who asks; the account at the other end of the control socket.
    @TaskLocal static var person = SystemUser.name

    static let clock = HostClock.system.wall

    // MARK: starting

    /// Opens everything, recovers what a crash left, and runs the active revision.
    static func start(
        _ root: String, mode: Mode, terminal: Terminal, log: Logger
    ) async throws(Problem) -> HostProcess {
        let paths = WorkspacePaths(root: root)
        // Whatever this process writes is its account's alone.
        umask(0o077)
        try paths.prepare()
        let lock: RunLock
        do {
            // The wait for another command's lock must not hold one of the cooperative pool's threads.
            lock = try await Blocking.run { try RunLock(paths.lock, role: mode == .serve ? .host : .command) }
        } catch {
            throw error as? Problem ?? .hostGone("\(error)")
        }
        do throws(Problem) {
            return try await HostProcess(paths: paths, lock: lock, mode: mode, terminal: terminal, log: log)
        } catch {
            lock.release()
            throw error
        }
    }

    private init(
        paths: WorkspacePaths, lock: RunLock, mode: Mode, terminal: Terminal, log: Logger
    ) async throws(Problem) {
        let now = Self.clock
        guard let revision = try RevisionStore(paths.root).active() else { throw .noActiveRevision() }
        if revision.draft.workspace.practice { CrashPoint.arm() }
        let worker = WorkerInspector.workerPath
        guard access(worker, X_OK) == 0 else { throw .workerMissing(worker) }
        let inspector = WorkerInspector(executable: worker)

        let vault = CurrentVault(try WorkspaceVault.open(paths.root, revision.draft.workspace, terminal))
        let mask = SecretMask()
        let sealer = try LedgerSealer(paths: paths, vault: vault.current)
        let ledger = try SQLiteLedger(path: paths.ledger, sealer: sealer)
        try AuditAnchor(paths: paths).join(ledger, at: now(), log)
        let start = try ledger.start()

        let (connectors, libraries) = try await Self.describe(revision, paths, inspector)
        var builder = PlanBuilder(
            revision: revision, connectors: connectors, libraries: libraries, epoch: ledger.epoch,
            names: start.names)
        var plan = try builder.build()
        if mode == .command { plan.holdDeliveries() }
        try ledger.commit(builder.newNames)

        let ended = Ending()
        let conductorBox = Mutex<Conductor?>(nil)
        let commit: @Sendable ([Change]) async -> Void = { changes in
            await conductorBox.withLock { $0 }?.commit(changes)
        }
        let sessions = SessionStore(now: now) { try? mask.add(SecretBytes(copying: $0), name: "session") }
        let limits = LimitKeeper(
            now: HostClock.system.steady,
            pay: { bucket, at, calls in await commit([.limitBlock(bucket: bucket, from: at, calls: calls)]) },
            paid: { bucket, from in (try? ledger.limitBlocks(bucket: bucket, from: from)) ?? [] })
        let http = try HTTPClient()
        let services = PluginServices(
            http: http, vault: vault, ledger: ledger, sessions: sessions, limits: limits, mask: mask, log: log,
            now: now,
            commit: commit, post: { changes in conductorBox.withLock { $0 }?.send(.commit(changes) {}) })
        let dispatcher = Dispatcher(services: services, mask: mask, log: log, now: now) { ended.end(with: $0) }
        let conductor = Conductor(ledger: ledger, sealer: sealer, actor: dispatcher, log: log, clock: .system)
        conductorBox.withLock { $0 = conductor }
        let streams = SourceStreams(conductor: conductor, ledger: ledger, mask: mask, log: log, now: now)
        dispatcher.join(conductor, streams)

        self.paths = paths
        self.lock = lock
        self.mode = mode
        self.ledger = ledger
        self.conductor = conductor
        self.streams = streams
        self.limits = limits
        self.sessions = sessions
        self.log = log
        self.http = http
        self.services = services
        self.dispatcher = dispatcher
        self.inspector = inspector
        self.vault = vault
        self.mask = mask
        self.terminal = terminal
        self.ended = ended
        startedAt = now()
        state = Mutex(State(plan: plan, builder: builder))

        try learnSecrets()
        prepareWorkers(plan)
        conductor.begin(start, plan: plan)
        if mode == .serve {
            streams.run(plan, workers: state.withLock { $0.workers })
            let server = try ControlServer(path: paths.socket) { [weak self] verb, arguments throws(Problem) in
                guard let self else { throw .hostGone("stopping") }
                return try await self.answer(verb, arguments)
            }
            let housekeeping = Task { await keepHouse() }
            state.withLock {
                $0.server = server
                $0.housekeeping = housekeeping
            }
        }
    }

    private static func describe(
        _ revision: Revision, _ paths: WorkspacePaths, _ inspector: WorkerInspector
    ) async throws(Problem) -> (connectors: [String: JSON], libraries: [String: String]) {
        var connectors: [String: JSON] = [:]
        var libraries: [String: String] = [:]
        for library in revision.manifest.connectors {
            let path = paths.root + "/" + library.path
            connectors[library.id] = try await inspector.describe(library: path)
            libraries[library.id] = path
        }
        return (connectors, libraries)
    }

    /// Logs mask every value the vault holds.
    private func learnSecrets() throws(Problem) {
        let vault = vault.current
        for secret in vault.list() { try mask.add(try vault.read(name: secret.name), name: secret.name) }
    }

    /// A command changed the vault file: open it anew. Sessions under changed secrets are other sessions from here on.
    func reloadVault() throws(Problem) {
        vault.current = try WorkspaceVault.open(paths.root, workspace, terminal)
        try learnSecrets()
        for connection in plan.connections.values { services.set(connection.file.name, site(connection)) }
    }

    // MARK: workers

    /// Workers for every connection of the plan; one whose file and library are unchanged is kept.
    private func prepareWorkers(_ plan: Plan) {
        let workspace = state.withLock { $0.builder.revision.draft.workspace }
        var retired: [ConnectionWorker] = []
        for connection in plan.connections.values {
            let name = connection.file.name
            let signature = "\(connection.library) \(connection.file)"
            let kept = state.withLock { $0.signatures[name] == signature && $0.workers[name] != nil }
            limits.set(name, Self.rules(connection))
            services.set(name, site(connection))
            if kept { continue }
            let described = (connection.product["concurrency"]?.object ?? JSONObject()).compactMap { entry in
                entry.value.int.map { (entry.key, Int($0)) }
            }
            let concurrency = Concurrency(described: Dictionary(described) { first, _ in first })
            let configuration = WorkerConfiguration(
                isolation: connection.file.isolation == .inProcess
                    ? .inProcess : .worker(executable: WorkerInspector.workerPath),
                plugin: connection.library,
                open: OpenRequest(
                    connection: name, product: connection.file.product, endpoint: connection.file.endpoint,
                    settings: JSON.object(connection.file.settings).serialized(),
                    secrets: connection.file.secrets.keys.sorted(), timeZone: plan.timeZone),
                concurrency: concurrency, runtimeFolder: WorkerInspector.runtimeFolder, nowMs: Self.clock)
            let generation = state.withLock { state -> UInt64 in
                defer { state.generation += HostLimits.generationsPerWorker }
                return state.generation
            }
            let supervisor = WorkerSupervisor(
                configuration, services: services, policy: WorkerSupervisor.Policy(idleMs: HostLimits.idleWorkerMs),
                firstGeneration: generation)
            let worker = ConnectionWorker(
                connection: name, readers: concurrency[.read], supervisor: supervisor,
                timeouts: connection.file.timeouts,
                isPractice: workspace.practice, limits: limits, mask: mask, now: Self.clock)
            let old = state.withLock { state -> ConnectionWorker? in
                defer {
                    state.workers[name] = worker
                    state.signatures[name] = signature
                }
                return state.workers[name]
            }
            if let old { retired.append(old) }
        }
        let gone = state.withLock { state -> [ConnectionWorker] in
            let names = state.workers.keys.filter { plan.connections[$0] == nil }
            for name in names { state.signatures[name] = nil }
            return names.compactMap { state.workers.removeValue(forKey: $0) }
        }
        dispatcher.set(plan: plan, workers: state.withLock { $0.workers })
        let leaving = retired + gone
        // Calls on their way keep the old worker until they are answered; nothing new goes to it.
        Task { for worker in leaving { await worker.stop() } }
    }

    private func site(_ connection: PlannedConnection) -> PluginServices.Site {
        return PluginServices.Site(
            connector: connection.file.connector, endpoint: connection.file.endpoint, egress: connection.egress,
            secrets: connection.file.secrets,
            connectTimeoutMs: Int(connection.file.timeouts["connect"] ?? HostLimits.connectTimeoutMs),
            http11: connection.product["http"]?["version"]?.string == "1.1")
    }

    private static func rules(_ connection: PlannedConnection) -> [LimitRule] {
        var rules: [LimitRule] = []
        for entry in connection.product["limits"]?.array ?? [] {
            guard let id = entry["id"]?.string, let max = entry["max"]?.int else { continue }
            let standard = entry["default"]?.int ?? max
            let chosen = connection.file.limits[id].map { Swift.min($0, Int(max)) } ?? Int(standard)
            rules.append(
                LimitRule(id: id, window: entry["window_ms"]?.int, max: chosen, meter: entry["meter"]?.string ?? ""))
        }
        for (id, max) in connection.file.limits where !rules.contains(where: { $0.id == id }) {
            guard let window = HostLimits.namedWindows[id] else { continue }
            rules.append(LimitRule(id: id, window: window, max: max, meter: ""))
        }
        return rules
    }

    // MARK: running revisions

    var plan: Plan { state.withLock { $0.plan } }
    var workspace: WorkspaceFile { state.withLock { $0.builder.revision.draft.workspace } }
    var draft: Draft { state.withLock { $0.builder.revision.draft } }
    /// The immutable id of a flow's row, of earlier revisions too.
    func name(ofFlow id: Int64) -> String? {
        state.withLock { $0.builder.names[.flow]?.first { $0.value == id }?.key }
    }
    /// See `name(ofFlow:)`.
    func row(ofFlow name: String) -> Int64? { state.withLock { $0.builder.names[.flow]?[name] } }
    func worker(_ connection: String) -> ConnectionWorker? { state.withLock { $0.workers[connection] } }
    var connectorInspector: any ConnectorInspector { inspector }

    /// Runs the revision that is active now.
    func runActiveRevision() async throws(Problem) {
        guard let revision = try RevisionStore(paths.root).active() else { throw .noActiveRevision() }
        let (connectors, libraries) = try await Self.describe(revision, paths, inspector)
        let epoch = try await read { [ledger] () throws(Problem) in try ledger.raiseFence() }
        let names = state.withLock { $0.builder.names }
        var builder = PlanBuilder(
            revision: revision, connectors: connectors, libraries: libraries, epoch: epoch, names: names)
        var plan = try builder.build()
        if mode == .command { plan.holdDeliveries() }
        await conductor.commit(builder.newNames)
        let (next, built) = (plan, builder)
        state.withLock {
            $0.plan = next
            $0.builder = built
        }
        prepareWorkers(plan)
        conductor.send(.plan(plan))
        if mode == .serve { streams.run(plan, workers: state.withLock { $0.workers }) }
    }

    /// Notes the newest audit line and forgets what no limit counts any more, until the host stops. It also notices that
    /// another host has taken the ledger while this one had nothing to write.
    private func keepHouse() async {
        while !Task.isCancelled {
            let retention = Retention(limitBlocksBefore: limits.outlived())
            do throws(Problem) {
                _ = try await read { [ledger, paths, log] () throws(Problem) in
                    AuditAnchor(paths: paths).keep(ledger, log)
                    return try ledger.prune(retention)
                }
            } catch {
                return ended.end(with: error)
            }
            try? await Task.sleep(for: .milliseconds(HostLimits.housekeepingMs))
        }
    }

    // MARK: ending

    /// Returns when the host has ended: nil after `stop`, else why it could not go on.
    func wait() async -> Problem? { await ended.wait() }

    /// Stops taking work, gives calls on their way a moment, and leaves the rest to the next start.
    func stop() async {
        let first = state.withLock { state -> Bool in
            defer { state.stopping = true }
            return !state.stopping
        }
        if !first { return }
        state.withLock { $0.server }?.stop()
        streams.stop()
        let deadline = Self.clock() + HostLimits.stopGraceMs
        for lane in plan.lanes.keys { conductor.send(.drain(lane)) }
        while Self.clock() < deadline {
            let busy = await withCheckedContinuation { continuation in
                let lanes = plan.lanes.keys
                conductor.send(
                    .inspect { engine in
                        continuation.resume(returning: lanes.contains { engine.inFlight(of: $0) > 0 })
                    })
            }
            if !busy { break }
            try? await Task.sleep(for: .milliseconds(HostLimits.drainPollMs))
        }
        await withCheckedContinuation { continuation in conductor.send(.stop { continuation.resume() }) }
        for worker in state.withLock({ Array($0.workers.values) }) { await worker.stop() }
        let housekeeping = state.withLock { $0.housekeeping }
        housekeeping?.cancel()
        await housekeeping?.value
        await Blocking.run { [ledger, paths, log] in
            AuditAnchor(paths: paths).keep(ledger, log)
            ledger.close()
        }
        lock.release()
        ended.end(with: nil)
    }
}

/// Ends once, for whoever waits.
final class Ending: Sendable {
    private enum State {
        case running([@Sendable (Problem?) -> Void])
        case ended(Problem?)
    }
    private let state = Mutex(State.running([]))

    func end(with problem: Problem?) {
        let waiting = state.withLock { state -> [@Sendable (Problem?) -> Void] in
            guard case .running(let waiting) = state else { return [] }
            state = .ended(problem)
            return waiting
        }
        for resume in waiting { resume(problem) }
    }

    func wait() async -> Problem? {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state -> Problem?? in
                switch state {
                case .ended(let problem): return .some(problem)
                case .running(let waiting):
                    state = .running(waiting + [{ continuation.resume(returning: $0) }])
                    return nil
                }
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}

/// The vault as it was last opened.
final class CurrentVault: Sendable {
    private let held: Mutex<Vault>

    init(_ vault: Vault) { held = Mutex(vault) }

    var current: Vault {
        get { held.withLock { $0 } }
        set { held.withLock { $0 = newValue } }
    }
}

extension Plan {
    /// Nothing leaves: for a command that runs beside no host.
    mutating func holdDeliveries() {
        for id in lanes.keys { lanes[id]?.rules.maxInFlight = 0 }
    }
}

/// Payloads at rest under a data key of their own; the vault only wraps the key, so rotating the vault never
/// rewrites the ledger.
struct LedgerSealer: PayloadSealing {
    private let sealer: PayloadSealer

    init(paths: WorkspacePaths, vault: Vault) throws(Problem) {
        if FileStore.exists(paths.ledgerKey) {
            let wrapped = try FileStore.read(paths.ledgerKey, limit: 4096)
            sealer = try PayloadSealer(dataKey: try vault.unwrap(label: "ledger", wrapped: wrapped))
        } else {
            if FileStore.exists(paths.ledger) { throw .ledgerKeyMissing(paths.ledgerKey) }
            let key = try SecretBytes.random(count: 32)
            try FileStore.replace(paths.ledgerKey, try vault.wrap(label: "ledger", key: key), mode: 0o600)
            sealer = try PayloadSealer(dataKey: key)
        }
    }

    func seal(_ bytes: [UInt8], context: String) throws -> [UInt8] { try sealer.seal(bytes, aad: Array(context.utf8)) }
    func open(_ sealed: [UInt8], context: String) throws -> [UInt8] {
        try sealer.open(sealed, aad: Array(context.utf8))
    }
    func keyedHash(_ bytes: [UInt8]) throws -> [UInt8] { sealer.keyedHash(bytes) }
}

extension Problem {
    static func ledgerKeyMissing(_ path: String) -> Problem {
        Problem(
            "E-HOST-018", zh: "账本在, 但它的密钥文件 \(path) 不见了", en: "the ledger is there but its key file \(path) is gone",
            nextZH: "从备份恢复该文件; 没有它账本内容读不出来",
            nextEN: "restore the file from a backup: without it the ledger's payloads cannot be read")
    }
}

/// Asks a library what it is, in a worker of its own.
struct WorkerInspector: ConnectorInspector {
    let executable: String

    /// `datong-worker` stands beside the running program, or where the environment says (tests, packagers).
    static var workerPath: String {
        ProcessInfo.processInfo.environment["DATONG_WORKER"]
            ?? FileStore.folder(of: FileStore.absolute("/proc/self/exe")) + "/datong-worker"
    }

    /// The Swift runtime that Swift connectors were built with: beside the program, else the toolchain's own.
    static var runtimeFolder: String? {
        let folder = FileStore.folder(of: FileStore.absolute("/proc/self/exe"))
        return FileStore.exists(folder + "/runtime/libswiftCore.so") ? folder + "/runtime" : nil
    }

    func describe(library path: String) async throws(Problem) -> JSON {
        let configuration = WorkerConfiguration(
            isolation: .worker(executable: executable), plugin: path, open: nil, runtimeFolder: Self.runtimeFolder,
            nowMs: HostProcess.clock)
        let supervisor = WorkerSupervisor(configuration, services: NoServices())
        let context = CallContext(deadlineMs: HostProcess.clock() + HostLimits.probeTimeoutMs, traceID: "describe")
        let result = await supervisor.call(.describe, context: context)
        let status = await supervisor.status
        await supervisor.shutDown()
        switch result.outcome {
        case .success(.text(let bytes)):
            let describe = try JSON.parse(bytes)
            // Which version runs is read from here, and which one was built from the table: they must not differ.
            if case .running(_, let id, let version) = status {
                let said = [describe["id"]?.string ?? "", describe["version"]?.string ?? ""]
                guard said == [id, version] else { throw .otherConnector(path, said: said, table: [id, version]) }
            }
            return describe
        case .success: throw .connectorAnswered(path, "describe")
        case .failure(let failure): throw .called(path, failure)
        }
    }

    private struct NoServices: WorkerServices {
        func serve(_ request: ServiceRequest, for call: CallIdentity) async -> ServiceReply {
            .refused(.denied, "describe may use no service but log")
        }
        func note(_ note: PluginNote, for call: CallIdentity) {}
        func callEnded(_ call: CallIdentity) async {}
    }
}
