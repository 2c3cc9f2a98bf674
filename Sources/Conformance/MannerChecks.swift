import Glibc
import Values
import Workers

/// How a connector behaves in its process, and what becomes of secrets.
enum MannerChecks {
    static let all: [Check] = [
        Check(
            "manners.watched", "不开套接字、线程、文件,不睡眠", "opens no socket, thread or file for writing, never sleeps", watched),
        Check("manners.threads", "不留线程", "leaves no thread behind", threads),
        Check("memory.calls", "反复调用不泄漏", "calling again and again leaks no memory", memory),
        Check("order.walk", "任意次序、任意回答都不崩溃", "calls in any order under any answer end in order (by seed)", walk),
        Check("secrets.declared", "只用声明过的密钥", "every secret it uses is declared", declared),
        Check("secrets.reveal", "不索取密钥明文", "asks for no secret's bytes", reveal),
        Check("secrets.canary", "密钥从不以明文出现", "no secret stands in requests, logs, results or state", canary),
    ]

    /// Every call once for each of some answers; stops at the first crime.
    private static func everything(_ kit: Kit, _ worker: Worker, _ answers: [Answer]) async -> String? {
        var random = kit.random
        for answer in answers {
            for (name, request) in kit.calls(&random) {
                let known = kit.logIn
                kit.host.plan { http, _ in http.effect == .auth ? known ?? answer : answer }
                let result = await kit.call(request, worker)
                if case .failure(.workerDied(let death)) = result.outcome {
                    return "\(name): \(death.problem.what.en)"
                }
                if case .success(.text(let text)) = result.outcome { kit.host.keep(text) }
            }
        }
        return nil
    }

    private static let mixed: [Answer] = [.vendor, Fault.named("html-page").answer, Fault.named("status-401").answer]

    private static func watched(_ kit: Kit) async -> Verdict {
        kit.host.begin()
        do throws(Problem) {
            let worker = try await kit.start(.watch)
            let trouble = await everything(kit, worker, mixed)
            let death = worker.death
            if trouble == nil { await worker.stop(withinMs: ConformanceLimits.startMs) }
            return verdict(trouble, death)
        } catch {
            if error.what.en.contains("status \(Rehearsal.unwatchedStatus)") {
                return .skip("this system does not let a process be watched")
            }
            return .fail(error.what.en)
        }
    }

    private static func verdict(_ trouble: String?, _ death: WorkerDeath?) -> Verdict {
        guard let trouble else { return .pass }
        if death?.cause == .exited(Rehearsal.unwatchedStatus) {
            return .skip("this system does not let a process be watched")
        }
        return .fail(trouble)
    }

    private static func threads(_ kit: Kit) async -> Verdict {
        kit.host.begin()
        return await kit.with { worker in
            if let trouble = await everything(kit, worker, mixed) { return .fail(trouble) }
            let uncounted = Verdict.skip("threads cannot be counted")
            guard let pid = worker.processID, let first = taskCount(pid) else { return uncounted }
            var last = first
            // The worker's own pool grows as calls happen to meet, by no more than its places: a thread a round outgrows it.
            let rounds = worker.configuration.concurrency.total + 1
            for _ in 0..<rounds {
                if let trouble = await everything(kit, worker, mixed) { return .fail(trouble) }
                guard let count = taskCount(pid) else { return uncounted }
                if count <= last { return .pass }
                last = count
            }
            return .fail("\(first) threads after one round, \(last) after \(rounds + 1)")
        }
    }

    private static func taskCount(_ pid: Int32) -> Int? {
        guard let folder = opendir("/proc/\(pid)/task") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            if entry.pointee.d_name.0 != 0x2e { count += 1 }
        }
        return count
    }

    private static func resident(_ pid: Int32) -> Int64? {
        guard let file = fopen("/proc/\(pid)/statm", "re") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, 128, file) != nil else { return nil }
        let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
            separator: " ")
        return words.count > 1 ? Int64(words[1]).map { $0 * Int64(sysconf(Int32(_SC_PAGESIZE))) / 1024 } : nil
    }

    private static func memory(_ kit: Kit) async -> Verdict {
        kit.host.begin()
        return await kit.with { worker in
            guard let pid = worker.processID, resident(pid) != nil else { return .skip("memory cannot be measured") }
            var before: Int64 = 0
            for round in 0..<ConformanceLimits.callRounds {
                if round == ConformanceLimits.warmRounds { before = resident(pid) ?? 0 }
                kit.host.begin(keepSessions: true)
                if let trouble = await everything(kit, worker, [Fault.named("status-500").answer]) {
                    return .fail(trouble)
                }
            }
            let grown = (resident(pid) ?? 0) - before
            return grown <= ConformanceLimits.callGrowthKiB
                ? .pass
                : .fail("\(grown) KiB more after \(ConformanceLimits.callRounds - ConformanceLimits.warmRounds) rounds")
        }
    }

    private static func walk(_ kit: Kit) async -> Verdict {
        var random = kit.random
        kit.host.begin()
        let answers = Fault.all.map(\.answer).filter { $0 != .silence } + [.vendor]
        var draws = random
        let pool = (0..<64).map { _ in answers.randomElement(using: &draws)! }
        kit.host.begin { _, count in pool[count % pool.count] }
        return await kit.with { worker in
            for step in 0..<ConformanceLimits.walkCalls {
                guard
                    let (name, request) = (kit.calls(&random) + [("describe", .describe)]).randomElement(using: &random)
                else { return .skip("nothing can be called") }
                if let crime = kit.crime(await kit.call(request, worker)) {
                    return .fail("seed \(kit.seed), step \(step), \(name): \(crime)")
                }
            }
            return .pass
        }
    }

    // MARK: secrets

    private static func observed(_ kit: Kit, _ judge: (ScriptedHost.Seen) -> Verdict) async -> Verdict {
        kit.host.begin()
        return await kit.with { worker in
            if let trouble = await everything(kit, worker, mixed) { return .fail(trouble) }
            return judge(kit.host.seen)
        }
    }

    private static func declared(_ kit: Kit) async -> Verdict {
        let names = Set((kit.subject.line["secrets"]?.object ?? [:]).map(\.key))
        return await observed(kit) { seen in
            for expression in seen.requests.flatMap({ $0.0.expressions }) {
                let name = expression.prefix { $0 != "|" && $0 != " " }
                if !names.contains(String(name)) { return .fail("uses \(name), which it does not declare") }
            }
            return .pass
        }
    }

    private static func reveal(_ kit: Kit) async -> Verdict {
        await observed(kit) { seen in
            let asked = seen.requests.compactMap { if case .secretReveal(let what) = $0.0 { what } else { nil } }
            return asked.isEmpty ? .pass : .fail("asks for the bytes of \(asked[0])")
        }
    }

    private static func canary(_ kit: Kit) async -> Verdict {
        let secrets = kit.subject.secrets.filter { $0.value.utf8.count >= ConformanceLimits.canaryBytes }
        if secrets.isEmpty { return .skip("it has no secret") }
        return await observed(kit) { seen in
            for (name, value) in secrets.sorted(by: { $0.key < $1.key }) {
                let wanted = Array(value.utf8)
                for (request, _) in seen.requests where request.plain.contains(where: { $0.contains(bytes: wanted) }) {
                    return .fail("\(name) stands in a request to the host")
                }
                for case .log(_, let text) in seen.notes where Array(text.utf8).contains(bytes: wanted) {
                    return .fail("\(name) stands in a log line")
                }
                if seen.texts.contains(where: { $0.contains(bytes: wanted) }) {
                    return .fail("\(name) stands in a result")
                }
            }
            return .pass
        }
    }
}

extension ServiceRequest {
    /// The secret expressions a request names.
    fileprivate var expressions: [String] {
        func of(_ segment: Segment) -> [String] { if case .secret(let name) = segment { [name] } else { [] } }
        return switch self {
        case .http(let http): http.insertions.map(\.secret)
        case .crypto(let crypto): of(crypto.key) + crypto.input.flatMap(of)
        case .secretReveal(let expression): [expression]
        default: []
        }
    }

    /// What a request holds in clear.
    fileprivate var plain: [[UInt8]] {
        switch self {
        case .http(let http):
            var parts = [http.url] + http.headers.map(\.value)
            if case .bytes(let bytes) = http.body { parts.append(bytes) }
            return parts
        case .crypto(let crypto):
            return ([crypto.key] + crypto.input).map { if case .literal(let bytes) = $0 { bytes } else { [] } }
        case .sessionPublish(_, let value, _), .statePut(_, let value), .checkpoint(_, let value): return [value]
        case .sessionAcquire(let session): return [Array(session.principal.utf8)]
        default: return []
        }
    }
}
