import Engine
import Glibc
import Ledger
import Values
import Workers

/// What commands ask of the running host; `docs/control.md` gives each verb's arguments and answer.
extension HostProcess: HostControl {
    func request(_ verb: String, _ arguments: JSON) async throws(Problem) -> JSON { try await answer(verb, arguments) }

    func answer(_ verb: String, _ arguments: JSON) async throws(Problem) -> JSON {
        switch verb {
        case "status": return try await status()
        case "doctor": return try await doctor()
        case "apply": return try await apply(arguments)
        case "rollback": return try await rollback(arguments)
        case "connection.check": return try await checkConnection(arguments)
        case "flow.pause": return try await pauseFlow(arguments, true)
        case "flow.resume": return try await pauseFlow(arguments, false)
        case "flow.run": return try await runFlow(arguments)
        case "flow.try": return try await tryFlow(arguments)
        case "vault.record": return try await recordVault(arguments)
        case "audit.verify": return try await verifyAudit()
        case "ledger.list": return try await list(arguments)
        case "ledger.show": return try await show(arguments)
        case "ledger.retry": return try await retry(arguments)
        case "ledger.resolve": return try await resolve(arguments)
        case "ledger.skip": return try await skip(arguments)
        default: throw .unknownVerb(verb)
        }
    }

    func ask(_ request: PersonRequest) async throws(Problem) -> JSON {
        let result: Result<JSON, Problem> = await withCheckedContinuation { continuation in
            conductor.send(.person(request) { continuation.resume(returning: $0) })
        }
        return try result.get()
    }

    func read<T: Sendable>(_ body: @escaping @Sendable () throws(Problem) -> T) async throws(Problem) -> T {
        let result: Result<T, Problem> = await Blocking.run {
            do throws(Problem) { return .success(try body()) } catch { return .failure(error) }
        }
        return try result.get()
    }

    func text(_ arguments: JSON, _ name: String, _ verb: String) throws(Problem) -> String {
        guard let text = arguments[name]?.string, !text.isEmpty else { throw .badArgument(verb, name) }
        return text
    }

    func flow(_ arguments: JSON, _ verb: String) throws(Problem) -> PlannedFlow {
        let name = try text(arguments, "flow", verb)
        guard let flow = plan.flows.values.first(where: { $0.file.name == name }) else { throw .noFlow(name) }
        return flow
    }

    func item(_ arguments: JSON, _ verb: String) throws(Problem) -> ItemID {
        guard let item = arguments["item"]?.int else { throw .badArgument(verb, "item") }
        return item
    }

    func time(_ at: Milliseconds) -> JSON {
        guard let zone = try? TimeZoneRule(named: plan.timeZone), let text = zone.text(of: Instant(ms: at)) else {
            return .string(Instant(ms: at).description)
        }
        return .string(text)
    }

    func cause(_ detail: String?) -> JSON { detail.flatMap { try? JSON.parse($0) } ?? .null }

    // MARK: status

    private func status() async throws(Problem) -> JSON {
        let plan = plan
        let workspace = workspace
        let counts = try await read { [ledger] () throws(Problem) in try ledger.counts() }
        let pauses = await pauses(plan)
        var connections: [JSON] = []
        for connection in plan.connections.values.sorted(by: { $0.file.name < $1.file.name }) {
            let name = connection.file.name
            let pause = plan.lanes.values.filter { $0.connection == name }.compactMap { pauses.lanes[$0.id] }.first
            let trouble = plan.streams.values.filter { $0.connection == name }.compactMap {
                streams.report($0.id).trouble
            }
            .first
            let standing = streams.pause(name)
            let state =
                mode == .command
                ? "idle" : pause != nil || standing != nil ? "paused" : trouble != nil ? "down" : "ready"
            let why = pause ?? standing.map { $0.until == .max ? .stopped($0.cls) : .until($0.until, $0.cls) }
            // A secret that is not there explains whatever else the connection suffers from.
            let missing = missingSecrets(connection.file).first.map {
                ControlSocket.json($0.problem)["problem"] ?? .null
            }
            let isStopped = if case .stopped? = why { true } else { false }
            connections.append([
                "name": .string(name), "state": .string(state), "connector": .string(connection.file.connector),
                "version": .string(connection.connectorVersion),
                "confinement": .string(connection.file.isolation == .inProcess ? "in-process" : "worker"),
                "quota": .array(
                    // Rates of seconds say nothing on a screen.
                    limits.report(name).filter { ($0["window_ms"]?.int ?? 0) >= HostLimits.durableWindowMs }.map {
                        ["id": $0["id"] ?? .null, "used": $0["spent"] ?? .null, "max": $0["max"] ?? .null]
                    }),
                "waits_for_person": .bool(isStopped || missing != nil),
                "cause": missing ?? why.map { self.words($0, name) }
                    ?? trouble.map {
                        [
                            "code": .string($0.code), "zh": .string($0.what.zh), "en": .string($0.what.en),
                            "next_zh": .string($0.next.zh), "next_en": .string($0.next.en),
                        ]
                    } ?? .null,
                "listening": .bool(
                    plan.streams.values.contains { $0.connection == name && streams.report($0.id).listening }),
            ])
        }
        var flows: [JSON] = []
        for flow in plan.flows.values.sorted(by: { $0.file.name < $1.file.name }) {
            let count = counts.first { $0.flow == flow.id }
            let own = five(count ?? FlowCounts(flow: flow.id, counts: [:], read: 0))
            let back = flow.writeBack.flatMap { back in counts.first { $0.flow == back.flow } }
            var entry: JSONObject = [
                "name": .string(flow.file.name), "title": .string(flow.file.title),
                "state": .string(pauses.flows[flow.id] == true ? "paused" : "active"), "counts": own,
            ]
            if let last = count?.lastDone { entry["last_done"] = time(last) }
            if let back { entry["write_back"] = five(back) }
            flows.append(.object(entry))
            // A comment that needs a person is shown as a row of its own; the rest go without saying.
            if let back, (back.counts[.held] ?? 0) + (back.counts[.checking] ?? 0) > 0 {
                flows.append([
                    "name": .string("\(flow.file.name)/write-back"), "title": "", "state": "active",
                    "counts": five(back),
                ])
            }
        }
        let known = Set(plan.flows.keys).union(plan.writeBackFlows)
        for count in counts where !known.contains(count.flow) && count.read > 0 {
            flows.append([
                "name": .string(flowName(count.flow)), "title": "", "state": "removed", "counts": five(count),
            ])
        }
        var notes: [JSON] = []
        let waiting = plan.streams.keys.reduce(0) { $0 + streams.waiting($1) }
        if waiting > 0 {
            notes.append([
                "zh": .string("\(waiting) 张单据等待读取"), "en": .string("\(waiting) documents wait to be read"),
            ])
        }
        if !workspace.practice {
            notes.append([
                "zh": "对接方案未签署: 本版本尚不能签署", "en": "the agreement is not signed: this version cannot take signatures yet",
            ])
        }
        if mode == .command { notes.append(["zh": "主机没有运行", "en": "no host is running"]) }
        return [
            "customer": .string(workspace.customer), "title": .string(workspace.title),
            "practice": .bool(workspace.practice), "revision": .int(plan.revision),
            "host": [
                "version": .string(DatongRoot.version), "running": .bool(mode == .serve), "pid": .int(Int(getpid())),
                "since": time(startedAt),
            ], "connections": .array(connections), "flows": .array(flows), "notes": .array(notes),
        ]
    }

    /// Secrets that a connection names and the vault does not hold.
    private func missingSecrets(_ connection: ConnectionFile) -> [(name: String, problem: Problem)] {
        let vault = vault.current
        return connection.secrets.sorted { $0.key < $1.key }.filter { !vault.contains($0.value) }.map {
            ($0.key, .secretMissing(connection.name, $0.key, $0.value))
        }
    }

    private func five(_ count: FlowCounts) -> JSON {
        var five: JSONObject = ["read": .int(count.read)]
        for state in FiveStates.allCases { five[state.rawValue] = .int(count.counts[state] ?? 0) }
        return .object(five)
    }

    private func pauses(_ plan: Plan) async -> (lanes: [LaneID: LanePause], flows: [FlowID: Bool]) {
        await withCheckedContinuation { continuation in
            conductor.send(
                .inspect { engine in
                    var lanes: [LaneID: LanePause] = [:]
                    for id in plan.lanes.keys { lanes[id] = engine.pause(of: id) }
                    var flows: [FlowID: Bool] = [:]
                    for id in plan.flows.keys { flows[id] = engine.isPaused(flow: id) }
                    continuation.resume(returning: (lanes, flows))
                })
        }
    }

    private func words(_ pause: LanePause, _ connection: String) -> JSON {
        switch pause {
        case .stopped(let cls):
            let name = cls.map { "\($0)" } ?? "person"
            return [
                "code": .string("I-PAUSED-\(name)"), "zh": .string("已停止发送 (\(name)), 等人处理"),
                "en": .string("sending stopped (\(name)) until someone acts"),
                "next_zh": .string("改正原因后 datong connection check \(connection)"),
                "next_en": .string("mend the cause, then datong connection check \(connection)"),
            ]
        case .until(let at, let cls):
            // The engine counts in steady time, people in the machine's.
            let when = time(HostClock.system.wall() + at - HostClock.system.steady()).string ?? ""
            return [
                "code": .string("I-PAUSED-\(cls)"), "zh": .string("暂停发送到 \(when) (\(cls))"),
                "en": .string("sending pauses until \(when) (\(cls))"),
            ]
        }
    }

    // MARK: connections

    private func checkConnection(_ arguments: JSON) async throws(Problem) -> JSON {
        let name = try text(arguments, "name", "connection.check")
        guard let connection = plan.connections[name] else { throw .noConnection(name) }
        if let missing = missingSecrets(connection.file).first { throw missing.problem }
        sessions.forgetRefusals(connector: connection.file.connector)
        await worker(name)?.resume()
        let report = try await probe(name)
        var checks: [JSON] = []
        var works = true
        for check in report["checks"]?.array ?? [] {
            let passed = check["ok"]?.bool == true
            if !passed { works = false }
            checks.append([
                "state": .string(passed ? "ok" : "failed"), "zh": check["zh"] ?? .null, "en": check["en"] ?? .null,
            ])
        }
        // A connector's first check is its credentials: while they are refused nothing goes on, or a wrong secret would
        // be tried once a document. With them in order what stood still goes on; another check that failed
        // is told, and whether it matters shows with the next document.
        if report["checks"]?.array?.first?["ok"]?.bool == true {
            streams.resume(name)
            for lane in plan.lanes.values where lane.connection == name { conductor.send(.lane(lane.id, nil)) }
        }
        return [
            "ok": .bool(works), "checks": .array(checks), "vendor": report["vendor"] ?? .null,
            "version": report["version"] ?? .null, "fingerprint": report["fingerprint"] ?? .null,
        ]
    }

    // MARK: revisions

    private func created() -> String { time(Self.clock()).string ?? "" }

    private func apply(_ arguments: JSON) async throws(Problem) -> JSON {
        var application = try await Application.prepare(paths.root, inspector: connectorInspector)
        for connection in application.draft?.connections ?? [] {
            let file = "connections/\(connection.name).yaml"
            for (name, problem) in missingSecrets(connection) {
                let line = application.draft?.sources[file]?.line(at: ["secrets", name]) ?? 0
                application.problems.append(ConfigurationProblem(file, line, problem))
            }
        }
        if arguments["dry_run"]?.bool == true { return application.json }
        let manifest = try application.freeze(
            expecting: arguments["content"]?.string, created: created(), user: Self.person)
        return try await putInForce(manifest, "apply")
    }

    private func rollback(_ arguments: JSON) async throws(Problem) -> JSON {
        let store = RevisionStore(paths.root)
        let plan = try RevisionChange.rollback(store, to: arguments["to"]?.int.map { Int($0) })
        if arguments["dry_run"]?.bool == true { return plan.json }
        let manifest = try store.rollback(to: plan.target, created: created(), user: Self.person)
        return try await putInForce(manifest, "rollback")
    }

    private func putInForce(_ manifest: RevisionManifest, _ action: String) async throws(Problem) -> JSON {
        CrashPoint.revisionFrozen.reach()
        try await runActiveRevision()
        _ = try await ask(
            .audit(
                actor: Self.person, action: action,
                detail: ["revision": .int(manifest.number), "content": .string(manifest.content)]))
        return ["revision": .int(manifest.number), "host_running": .bool(mode == .serve)]
    }

    // MARK: flows

    private func pauseFlow(_ arguments: JSON, _ pause: Bool) async throws(Problem) -> JSON {
        let flow = try flow(arguments, pause ? "flow.pause" : "flow.resume")
        return try await ask(
            .pauseFlow(flow.id, pause, why: arguments["why"]?.string ?? "", actor: Self.person))
    }

    private func runFlow(_ arguments: JSON) async throws(Problem) -> JSON {
        let flow = try flow(arguments, "flow.run")
        guard mode == .serve else { throw .hostNotRunning }
        guard let stream = plan.streams[flow.stream] else { throw .noFlow(flow.file.name) }
        Task { [streams, log] in
            do { try await streams.sweepNow(stream) } catch { log.warning("flow run: \(error)") }
        }
        return ["started": true]
    }

    /// A real read, mapped as the running revision would; nothing is written anywhere.
    private func tryFlow(_ arguments: JSON) async throws(Problem) -> JSON {
        let flow = try flow(arguments, "flow.try")
        let instance = try text(arguments, "instance", "flow.try")
        guard let worker = worker(flow.file.from.connection) else { throw .noConnection(flow.file.from.connection) }
        let page: ReadPage
        do throws(ConnectionTrouble) {
            page = try await worker.read(
                PluginRequest.Read(document: flow.file.from.document, selection: .documents([instance])))
        } catch {
            throw error.problem
        }
        guard let record = page.records.first, case .document(let bytes) = record.content else {
            throw .noItem(instance)
        }
        var document = try JSON.parse(bytes)
        // What the vendor tells only in lists and events (the template): the person has chosen the flow.
        if var object = document.object {
            for (key, allowed) in flow.narrowing where object[key] == nil || object[key] == .null {
                if allowed.count == 1, let only = allowed.first { object[key] = .string(only) }
            }
            document = .object(object)
        }
        var results: [JSON] = []
        var problems: [JSON] = []
        var skipped: JSON = .null
        for form in Form.make(flow, document, timeZone: plan.timeZone) {
            switch form.result {
            case .ready: if let bytes = form.bytes { results.append(try JSON.parse(bytes)) }
            case .hold: problems.append(cause(form.detail))
            case .skip: skipped = cause(form.detail)
            }
        }
        var answer: JSONObject = ["source": document, "results": .array(results), "problems": .array(problems)]
        if skipped != .null { answer["skipped"] = skipped }
        return .object(answer)
    }
}

/// What a rollback would do.
struct RevisionChange: Sendable {
    let target: Int
    let json: JSON

    static func rollback(_ store: RevisionStore, to wanted: Int?) throws(Problem) -> RevisionChange {
        // A damaged active revision is what a rollback is for: it must not stand in its way.
        let running = try? store.active()
        let previous = try store.previous()
        guard let target = wanted ?? previous else { throw .noEarlierRevision() }
        let earlier = try store.load(target)
        let changes = Difference.between(
            running?.draft, earlier.draft, oldConnectors: running?.manifest.connectors ?? [],
            newConnectors: earlier.manifest.connectors)
        return RevisionChange(
            target: target, json: ["to": .int(target), "changes": .array(changes.map(\.json))])
    }
}

extension Problem {
    static func noEarlierRevision() -> Problem {
        Problem(
            "E-HOST-019", zh: "没有更早的不同版本可以回退", en: "there is no earlier revision that differs",
            nextZH: "datong revision list, 再 datong rollback 版本号",
            nextEN: "datong revision list, then datong rollback NUMBER")
    }
}

/// Reaches the running host, or does the command itself while none runs: one process owns a workspace.
struct WorkspaceControl: HostControl {
    let root: String
    let terminal: Terminal

    func request(_ verb: String, _ arguments: JSON) async throws(Problem) -> JSON {
        let client = ControlClient(path: WorkspacePaths(root: root).socket)
        if client.isAlive() { return try await client.request(verb, arguments) }
        return try await alone(verb, arguments, client)
    }

    private func alone(_ verb: String, _ arguments: JSON, _ client: ControlClient) async throws(Problem) -> JSON {
        if verb == "vault.record" { throw .hostNotRunning }
        if verb == "apply" || verb == "rollback" { return try await withoutLedger(verb, arguments) }
        let process: HostProcess
        do throws(Problem) {
            process = try await HostProcess.start(root, mode: .command, terminal: terminal, log: HostLog.quiet)
        } catch {
            // A host took the workspace at this moment and is about to listen.
            guard error.code == Problem.workspaceInUse("").code, await client.isAliveSoon() else { throw error }
            return try await client.request(verb, arguments)
        }
        do throws(Problem) {
            let answer = try await process.request(verb, arguments)
            await process.stop()
            return answer
        } catch {
            await process.stop()
            throw error
        }
    }

    /// A first `apply` has no revision to run yet, and no need of the vault.
    private func withoutLedger(_ verb: String, _ arguments: JSON) async throws(Problem) -> JSON {
        let paths = WorkspacePaths(root: root)
        try paths.prepare()
        let lock = try RunLock(paths.lock, role: .command)
        defer { lock.release() }
        let created = Instant(ms: HostProcess.clock())
        let isDry = arguments["dry_run"]?.bool == true
        if verb == "rollback" {
            let store = RevisionStore(root)
            let plan = try RevisionChange.rollback(store, to: arguments["to"]?.int.map { Int($0) })
            if isDry { return plan.json }
            let zone = try store.load(plan.target).draft.workspace.timeZone
            let manifest = try store.rollback(
                to: plan.target, created: Self.text(created, zone), user: SystemUser.name)
            return ["revision": .int(manifest.number), "host_running": false]
        }
        let worker = WorkerInspector.workerPath
        guard access(worker, X_OK) == 0 else { throw .workerMissing(worker) }
        let application = try await Application.prepare(root, inspector: WorkerInspector(executable: worker))
        if isDry { return application.json }
        let manifest = try application.freeze(
            expecting: arguments["content"]?.string,
            created: Self.text(created, application.draft?.workspace.timeZone ?? "UTC"), user: SystemUser.name)
        return ["revision": .int(manifest.number), "host_running": false]
    }

    private static func text(_ instant: Instant, _ zone: String) -> String {
        (try? TimeZoneRule(named: zone))?.text(of: instant) ?? instant.description
    }
}
