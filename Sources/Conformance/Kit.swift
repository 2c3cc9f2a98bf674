import Glibc
import Values
import Vault
import Workers

/// One thing the kit looks at.
struct Check: Sendable {
    /// Stable; never used for another meaning.
    var id: String
    var zh: String
    var en: String
    var run: @Sendable (Kit) async -> Verdict

    init(_ id: String, _ zh: String, _ en: String, _ run: @escaping @Sendable (Kit) async -> Verdict) {
        (self.id, self.zh, self.en, self.run) = (id, zh, en, run)
    }
}

/// The conformance kit: loads a connector in workers of its own, plays the host and the vendor, and says what holds.
public struct Conformance: Sendable {
    /// `datong-worker`.
    public var worker: String
    /// Folder with the Swift runtime, nil for the loader's own.
    public var runtimeFolder: String?
    /// What random parts are drawn from.
    public var seed: UInt64

    /// A kit.
    public init(worker: String, runtimeFolder: String? = nil, seed: UInt64) {
        (self.worker, self.runtimeFolder, self.seed) = (worker, runtimeFolder, seed)
    }

    /// Runs every check on a library. Throws `E-KIT-0NN` where the settings file cannot be used, or what `read` throws
    /// for a library that cannot be read; what is wrong with the connector is in the report.
    public func test(
        library: String, settings: String?, read: (String) throws(Problem) -> [UInt8],
        progress: @Sendable (String) -> Void = { _ in }
    ) async throws(Problem) -> Report {
        let bytes = try read(library)
        var kit = Kit(
            conformance: self, library: library, subject: try Subject(file: settings, read), seed: seed)
        var report = Report(
            library: library, sha256: Hash.sha256Hex(bytes), id: "", version: "", product: "", seed: seed,
            vendor: kit.subject.isLive, checks: [])
        func run(_ checks: [Check]) async {
            for check in checks {
                progress(check.id)
                kit.random = Seeded(seed ^ UInt64(report.checks.count &* 7919 &+ 1))
                report.checks.append(
                    CheckResult(
                        id: check.id, proves: Problem.Text(zh: check.zh, en: check.en),
                        verdict: bounded(await check.run(kit))))
            }
        }
        func skip(_ checks: [Check], _ why: String) {
            for check in checks {
                report.checks.append(
                    CheckResult(id: check.id, proves: Problem.Text(zh: check.zh, en: check.en), verdict: .skip(why)))
            }
        }
        var why = ""
        kit.file = Library(bytes, why: &why)
        kit.fileProblem = why
        await run(LibraryChecks.all)
        let (described, hello, problem) = await kit.firstWords()
        kit.described = described
        kit.hello = hello
        kit.startProblem = problem
        await run(EntryChecks.all)
        report.id = hello?.id ?? ""
        report.version = hello?.version ?? ""
        guard let described, let json = try? JSON.parse(described), !kit.describeIsWrong(json) else {
            await run(DescribeChecks.all)
            skip(OpenChecks.all + CallChecks.all + MannerChecks.all + VendorChecks.all, "there is no sound description")
            return report
        }
        var random = Seeded(seed)
        kit.subject.complete(json, &random)
        report.product = kit.subject.product
        await run(DescribeChecks.all)
        do throws(Problem) {
            kit.host = try ScriptedHost(kit.subject, now: kit.now)
        } catch {
            skip(OpenChecks.all + CallChecks.all + MannerChecks.all + VendorChecks.all, error.what.en)
            return report
        }
        await run(OpenChecks.all)
        guard case .pass = report.checks.first(where: { $0.id == "open.quiet" })?.verdict else {
            skip(CallChecks.all + MannerChecks.all + VendorChecks.all, "no connection can be opened")
            return report
        }
        await run(CallChecks.all + MannerChecks.all)
        if kit.subject.isLive {
            await run(VendorChecks.all)
        } else {
            skip(VendorChecks.all, "no vendor: the settings file names none")
        }
        return report
    }

    /// Every check there is, in its order.
    public static var checks: [(id: String, proves: Problem.Text)] {
        (LibraryChecks.all + EntryChecks.all + DescribeChecks.all + OpenChecks.all + CallChecks.all + MannerChecks.all
            + VendorChecks.all).map { ($0.id, Problem.Text(zh: $0.zh, en: $0.en)) }
    }

    private func bounded(_ verdict: Verdict) -> Verdict {
        func cut(_ text: String) -> String { String(text.prefix(ConformanceLimits.reasonCharacters)) }
        return switch verdict {
        case .pass: .pass
        case .fail(let reason): .fail(cut(reason))
        case .skip(let reason): .skip(cut(reason))
        }
    }
}

/// What a check works with.
struct Kit: Sendable {
    /// What a worker said of the library.
    struct Hello: Sendable {
        var id: String
        var version: String
        var abilities: [String]
        var minors: String
    }

    let conformance: Conformance
    let library: String
    var subject: Subject
    let seed: UInt64
    var random: Seeded
    var file: Library?
    var fileProblem = ""
    var described: [UInt8]?
    var hello: Hello?
    var startProblem: Problem?
    var host: ScriptedHost!

    init(conformance: Conformance, library: String, subject: Subject, seed: UInt64) {
        (self.conformance, self.library, self.subject, self.seed) = (conformance, library, subject, seed)
        random = Seeded(seed)
    }

    let now: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    var openRequest: OpenRequest {
        OpenRequest(
            connection: "conformance", product: subject.product, endpoint: subject.endpoint,
            settings: subject.settings.serialized(), secrets: subject.secrets.keys.sorted(), timeZone: "Asia/Shanghai")
    }

    /// How many calls at once the description declares.
    var concurrency: Concurrency {
        var places: [String: Int] = [:]
        for (name, count) in subject.line["concurrency"]?.object ?? [:] { places[name] = count.int.map(Int.init) }
        return Concurrency(described: places)
    }

    func start(_ rehearsal: Rehearsal = .service, opens: Bool = true, services: (any WorkerServices)? = nil)
        async throws(Problem) -> Worker
    {
        var configuration = WorkerConfiguration(
            isolation: .worker(executable: conformance.worker), plugin: library, open: opens ? openRequest : nil,
            concurrency: concurrency, runtimeFolder: conformance.runtimeFolder, graceMs: ConformanceLimits.graceMs,
            helloMs: ConformanceLimits.startMs, nowMs: now)
        configuration.rehearsal = rehearsal
        return try await Worker.start(configuration, services: services ?? host ?? Silent())
    }

    /// A worker for the time of `body`.
    func with(_ rehearsal: Rehearsal = .service, opens: Bool = true, _ body: (Worker) async -> Verdict) async -> Verdict
    {
        do throws(Problem) {
            let worker = try await start(rehearsal, opens: opens)
            let verdict = await body(worker)
            await worker.stop(withinMs: ConformanceLimits.startMs)
            return verdict
        } catch { return .fail(error.code + " " + error.what.en) }
    }

    func call(_ request: PluginRequest, _ worker: Worker, withinMs: Int64? = nil) async -> CallResult {
        let limit = withinMs ?? (subject.isLive ? ConformanceLimits.liveCallMs : ConformanceLimits.callMs)
        return await worker.call(request, context: CallContext(deadlineMs: now() + limit, traceID: "conformance"))
    }

    /// A worker's first words and the description, without a connection.
    func firstWords() async -> (described: [UInt8]?, hello: Hello?, Problem?) {
        do throws(Problem) {
            let worker = try await start(opens: false, services: Silent())
            let minors = worker.minors
            let hello = Hello(
                id: worker.pluginID, version: worker.pluginVersion, abilities: worker.abilities,
                minors: "needs \(minors.needs), built \(minors.built), host \(minors.hostMin)...\(minors.hostMax)")
            let result = await call(.describe, worker)
            await worker.stop(withinMs: ConformanceLimits.startMs)
            if case .success(.text(let bytes)) = result.outcome { return (bytes, hello, nil) }
            return (nil, hello, nil)
        } catch { return (nil, nil, error) }
    }

    func describeIsWrong(_ json: JSON) -> Bool { !DescribeChecks.violations(json).isEmpty }

    func offers(_ ability: String) -> Bool { hello?.abilities.contains("datong.\(ability)/1") ?? false }

    // MARK: what can be called

    /// One call of each kind the connector offers, by a name for people.
    func calls(_ random: inout Seeded, of kinds: Set<PluginRequest.Kind>? = nil) -> [(
        name: String, request: PluginRequest
    )] {
        var calls: [(String, PluginRequest)] = []
        if offers("probe") { calls.append(("probe", .probe)) }
        if offers("read") {
            for stream in subject.streams where subject.takes(stream, "read") {
                let name = stream["document"]?.string ?? ""
                let filter = (subject.filters[name] ?? [:]).serialized()
                calls.append(
                    (
                        "read \(name)",
                        .read(
                            .init(
                                document: name, filter: filter,
                                selection: .page(
                                    cursor: [], sinceMs: now() - ConformanceLimits.sinceMs,
                                    max: ConformanceLimits.pageRecords)))
                    ))
                calls.append(
                    (
                        "read \(name) by id",
                        .read(.init(document: name, filter: filter, selection: .documents(["kit-" + random.hex(8)])))
                    ))
            }
        }
        for document in subject.documents {
            let type = document["type"]?.string ?? ""
            let (flow, key, json) = (subject.flow(document), subject.key(document, &random), subject.sample(type))
            if offers("write"), subject.takes(document, "write") {
                calls.append(
                    (
                        "write \(type)",
                        .write(.init(document: type, settings: flow, records: [WriteRecord(key: key, json: json)]))
                    ))
            }
            if offers("find"), subject.takes(document, "find") {
                calls.append(("find \(type)", .find(.init(document: type, settings: flow, key: key, json: json))))
            }
        }
        return calls.filter { kinds?.contains($0.1.kind) ?? true }
    }

    /// Why a result is none a connector may give at all; nil: it may.
    func crime(_ result: CallResult, bugIsOne: Bool = true) -> String? {
        switch result.outcome {
        case .failure(.workerDied(let death)): "the worker ended: " + death.problem.what.en
        case .failure(.contractBreach(let breach)):
            "the contract was broken: " + breach.breaches.joined(separator: "; ")
        case .failure(.notSent(let problem)): problem.what.en
        case .failure(.plugin(let failure)) where failure.errorClass == .bug && bugIsOne:
            "class bug: " + (failure.messages.first?.text ?? "")
        default: nil
        }
    }

    private struct Silent: WorkerServices {
        func serve(_ request: ServiceRequest, for call: CallIdentity) async -> ServiceReply {
            .refused(.denied, "no service before a connection is open")
        }
        func note(_ note: PluginNote, for call: CallIdentity) {}
        func callEnded(_ call: CallIdentity) async {}
    }
}
