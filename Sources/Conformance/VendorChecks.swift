import Values
import Workers

/// What holds with a vendor that answers: a test tenant or a simulator, named in the settings file.
enum VendorChecks {
    static let all: [Check] = [
        Check("vendor.probe", "检查连接全部通过", "probe finds everything well") { kit in
            guard kit.offers("probe") else { return .skip("the connector does not probe") }
            kit.host.begin()
            return await kit.with { worker in
                let result = await kit.call(.probe, worker)
                guard case .success(.text(let bytes)) = result.outcome else { return .fail("\(result.outcome)") }
                if let problem = CallChecks.probeProblem(bytes, mustFail: false) { return .fail(problem) }
                let report = try? JSON.parse(bytes)
                let bad = (report?["checks"]?.array ?? []).filter { $0["ok"]?.bool != true }
                return bad.isEmpty ? .pass : .fail(bad.map { $0["en"]?.string ?? "" }.joined(separator: "; "))
            }
        },
        Check(
            "vendor.read", "翻页到底,重读相同", "a sweep ends, a page holds no more than asked, the same cursor reads the same",
            sweep),
        Check("vendor.absent", "没写过的查不到", "a key never written is absent") { kit in
            await each(kit, .find) { worker, request in
                guard case .success(.found(let found)) = await kit.call(request, worker).outcome else {
                    return "it fails"
                }
                return found.isEmpty ? nil : "found \(found.count)"
            }
        },
        Check(
            "vendor.write", "写入生效,发出的请求标为写", "a write comes into effect, by a request of effect write with the key",
            write),
        Check("vendor.again", "同一幂等键再写一次仍是一张", "the same key again gives the same document", again),
        Check("vendor.lost-answer", "回音丢失后不重复", "after a lost answer: unknown, then found or written, and once", lost),
        Check("vendor.session", "会话失效只重新登录一次", "a session the vendor forgot costs one log-in", session),
    ]

    /// Every call of a kind; `judge` says what is wrong.
    private static func each(
        _ kit: Kit, _ kind: PluginRequest.Kind, _ judge: (Worker, PluginRequest) async -> String?
    ) async -> Verdict {
        var random = kit.random
        let calls = kit.calls(&random, of: [kind])
        guard !calls.isEmpty else { return .skip("the connector does not \(kind.rawValue)") }
        kit.host.begin()
        return await kit.with { worker in
            for (name, request) in calls {
                if let wrong = await judge(worker, request) { return .fail("\(name): \(wrong)") }
            }
            return .pass
        }
    }

    private static func sweep(_ kit: Kit) async -> Verdict {
        await each(kit, .read) { worker, request in
            guard case .read(var read) = request, case .page(_, let since, let max) = read.selection else { return nil }
            var cursor: [UInt8] = []
            var seen = 0
            for _ in 0..<ConformanceLimits.pages {
                read.selection = .page(cursor: cursor, sinceMs: since, max: max)
                guard case .success(.page(let page)) = await kit.call(.read(read), worker).outcome else {
                    return "it fails at cursor \(String(decoding: cursor, as: UTF8.self))"
                }
                guard case .success(.page(let again)) = await kit.call(.read(read), worker).outcome else {
                    return "it fails the second time"
                }
                if again.records.map(\.id) != page.records.map(\.id) { return "the same cursor gave other documents" }
                if page.records.count > max { return "\(page.records.count) documents, \(max) were asked for" }
                seen += page.records.count
                guard case .more(let next) = page.position else { return nil }
                if next == cursor { return "the cursor stands still" }
                cursor = next
            }
            return "no end after \(seen) documents"
        }
    }

    /// Writes once and polls until it is in effect; nil: it is not, and why.
    private static func effect(_ kit: Kit, _ worker: Worker, _ write: PluginRequest.Write) async -> (
        written: Written?, why: String
    ) {
        var request = PluginRequest.write(write)
        for _ in 0..<ConformanceLimits.polls {
            let result = await kit.call(request, worker)
            guard case .success(.outcomes(let outcomes)) = result.outcome, let outcome = outcomes.first else {
                return (nil, "\(result.outcome)")
            }
            switch outcome {
            case .applied(let written), .existed(let written), .waiting(let written, _, _): return (written, "")
            case .refused(let failure):
                return (nil, "refused as \(failure.errorClass): \(failure.messages.first?.text ?? "")")
            case .accepted(let token, let wait):
                var next = write
                next.records[0].token = token
                request = .poll(next)
                try? await Task.sleep(nanoseconds: UInt64(min(max(wait, 0), ConformanceLimits.pollWaitMs)) * 1_000_000)
            }
        }
        return (nil, "accepted, and never done")
    }

    private static func write(_ kit: Kit) async -> Verdict {
        await each(kit, .write) { worker, request in
            guard case .write(let write) = request else { return nil }
            kit.host.begin(keepSessions: true)
            let (written, why) = await effect(kit, worker, write)
            guard written != nil else { return why }
            let writes = kit.host.seen.http.filter { $0.effect == .write }
            if writes.isEmpty { return "in effect, and no request said that it writes" }
            let settles = kit.subject.documents.first { $0["type"]?.string == write.document }?["unknown"] == "settle"
            if !settles, !writes.contains(where: { $0.holds(write.records[0].key) }) {
                return "the key was not passed on to the vendor"
            }
            return nil
        }
    }

    private static func found(_ kit: Kit, _ worker: Worker, _ write: PluginRequest.Write) async -> [Found]? {
        let find = PluginRequest.Find(
            document: write.document, settings: write.settings, key: write.records[0].key, json: write.records[0].json)
        guard case .success(.found(let found)) = await kit.call(.find(find), worker).outcome else { return nil }
        return found
    }

    /// Whether a document can be looked for: a message that settles is not held to the laws of keys.
    private static func isKeyed(_ kit: Kit, _ type: String) -> Bool {
        kit.subject.documents.contains { $0["type"]?.string == type && kit.subject.takes($0, "find") }
            && kit.offers("find")
    }

    private static func again(_ kit: Kit) async -> Verdict {
        await each(kit, .write) { worker, request in
            guard case .write(let write) = request, isKeyed(kit, write.document) else { return nil }
            let (first, why) = await effect(kit, worker, write)
            guard let first else { return why }
            let (second, whyNot) = await effect(kit, worker, write)
            guard let second else { return "the second time: \(whyNot)" }
            if second.number != first.number { return "\(first.number), then \(second.number)" }
            guard let all = await found(kit, worker, write) else { return "find fails" }
            return all.count == 1 && all[0].number == first.number ? nil : "find gives \(all.map(\.number))"
        }
    }

    private static func lost(_ kit: Kit) async -> Verdict {
        await each(kit, .write) { worker, request in
            guard case .write(let write) = request, isKeyed(kit, write.document) else { return nil }
            kit.host.begin(keepSessions: true) { http, _ in http.effect == .write ? .lost : .vendor }
            let result = await kit.call(request, worker)
            if let crime = kit.crime(result) { return crime }
            guard kit.host.seen.http.contains(where: { $0.effect == .write }) else { return "no write was sent" }
            if case .success(.outcomes(let outcomes)) = result.outcome {
                for outcome in outcomes {
                    guard case .refused(let failure) = outcome else { return "reported as done without an answer" }
                    if failure.errorClass != .unknownOutcome { return "class \(failure.errorClass) for a lost answer" }
                }
            } else if case .failure(.plugin(let failure)) = result.outcome, failure.errorClass != .unknownOutcome {
                return "class \(failure.errorClass) for a lost answer"
            }
            kit.host.begin(keepSessions: true)
            let (written, why) = await effect(kit, worker, write)
            guard written != nil else { return "afterwards: \(why)" }
            guard let all = await found(kit, worker, write) else { return "find fails" }
            return all.count == 1 ? nil : "\(all.count) documents under one key"
        }
    }

    private static func session(_ kit: Kit) async -> Verdict {
        await each(kit, .find) { worker, request in
            if case .failure(let failure) = await kit.call(request, worker).outcome { return "\(failure)" }
            let first = Fault.named("status-401").answer
            kit.host.begin(keepSessions: true) { _, count in count == 0 ? first : .vendor }
            let result = await kit.call(request, worker)
            if let crime = kit.crime(result) { return crime }
            let seen = kit.host.seen
            return seen.logIns <= 1 && seen.http.count(where: { $0.effect == .auth }) <= 2
                ? nil : "\(seen.logIns) log-ins"
        }
    }
}
