import Values
import Workers

/// What a connector makes of a vendor that misbehaves. Without a vendor of its own the kit's answers mean nothing to a
/// connector; so only what must hold for any connector is looked at.
enum CallChecks {
    static let all: [Check] =
        [Ability.probe, .read, .find, .write].flatMap { ability in Fault.all.map { check(ability, $0) } } + [
            Check("read.unknown-document", "读没有声明的单据被拒绝", "reading a document it never declared is refused") { kit in
                await refused(
                    kit, "read",
                    .read(.init(document: "x-nothing", selection: .page(cursor: [], sinceMs: nil, max: 5))))
            },
            Check("write.unknown-document", "写没有声明的单据被拒绝", "writing a document it never declared is refused") { kit in
                await refused(
                    kit, "write",
                    .write(
                        .init(
                            document: "x-nothing", settings: Array("{}".utf8),
                            records: [
                                WriteRecord(key: "kit0", json: Array("{}".utf8))
                            ])))
            },
            Check(
                "read.odd-cursor", "不认识的游标不致崩溃", "a cursor it never gave is refused or begins anew, not fatal",
                oddCursor),
            Check(
                "write.odd-document", "坏单据在发送前被拒绝", "a document that is none is refused before anything is written",
                oddDocument),
            Check(
                "write.deadline", "到期就返回,工作进程还在", "a call comes back from its deadline and keeps its worker", deadline),
            Check("write.cancel", "取消后就返回", "a cancelled call comes back and keeps its worker", cancel),
            Check("find.key", "按幂等键查找", "find asks the vendor for the key it is given", findKey),
            Check("concurrency.declared", "能同时处理所声明的数目", "it takes as many calls at once as it declares", concurrency),
        ]

    enum Ability: String { case probe, read, find, write }

    private static func check(_ ability: Ability, _ fault: Fault) -> Check {
        let zh: [Ability: String] = [
            .probe: "检查连接", .read: "读取不会漏", .find: "查找不会误报没有", .write: "写入不会误报成功",
        ]
        let en: [Ability: String] = [
            .probe: "probe says so or fails", .read: "read fails, and never ends a page",
            .find: "find fails, and never says absent or found",
            .write: "write is neither a success nor a final refusal",
        ]
        return Check(
            "\(ability.rawValue).\(fault.name)", "\(fault.zh):\(zh[ability]!)", "\(fault.en): \(en[ability]!)"
        ) { kit in
            var random = kit.random
            let kind = PluginRequest.Kind(rawValue: ability.rawValue)!
            let calls = kit.calls(&random, of: [kind])
            guard !calls.isEmpty else { return .skip("the connector does not \(ability.rawValue)") }
            return await kit.with { worker in
                for (name, request) in calls {
                    let known = kit.logIn
                    kit.host.begin { http, _ in http.effect == .auth ? known ?? fault.answer : fault.answer }
                    let isSilent = fault.answer == .silence
                    let result = await kit.call(
                        request, worker, withinMs: isSilent ? ConformanceLimits.shortCallMs : nil)
                    if let wrong = judge(result, ability, fault, kit) { return .fail("\(name): \(wrong)") }
                }
                return .pass
            }
        }
    }

    private static func judge(_ result: CallResult, _ ability: Ability, _ fault: Fault, _ kit: Kit) -> String? {
        if let crime = kit.crime(result) { return crime }
        let seen = kit.host.seen
        // Nothing was asked, so nothing went wrong yet: refused for the document's own sake.
        let wasAsked = !seen.http.isEmpty
        func about(_ failure: Failure) -> String? {
            guard wasAsked, !fault.classes.contains(failure.errorClass) else {
                if failure.errorClass == .throttled, let wait = failure.retryAfterMs, fault.name == "status-429",
                    wait != 7000
                {
                    return "the vendor said 7 s, the connector \(wait) ms"
                }
                return nil
            }
            return "class \(failure.errorClass) (\(failure.messages.first?.text ?? ""))"
        }
        if fault.name != "status-401" {
            var asked: [ServiceRequest.HTTP: Int] = [:]
            for http in seen.http { asked[http, default: 0] += 1 }
            if asked.values.contains(where: { $0 > 1 }) { return "it repeats a request by itself" }
        } else if seen.logIns > 2 || seen.http.count(where: { $0.effect == .write }) > 2 {
            return "it hammers: \(seen.logIns) log-ins, \(seen.http.count) requests"
        }
        switch result.outcome {
        case .failure(.plugin(let failure)): return about(failure)
        case .failure(.deadlineExceeded): return fault.answer == .silence ? nil : "it did not come back in time"
        case .failure: return nil
        case .success(let response):
            guard wasAsked else { return nil }
            switch (response, ability) {
            case (.outcomes(let outcomes), _):
                for outcome in outcomes {
                    guard case .refused(let failure) = outcome else { return "reported as done: \(outcome)" }
                    if let wrong = about(failure) { return wrong }
                }
                return nil
            case (.found(let found), _): return found.isEmpty ? "said absent" : "said found"
            case (.page(let page), _):
                return page.records.isEmpty
                    ? "took it for an empty page" : "took it for \(page.records.count) documents"
            case (.text(let bytes), .probe): return probeProblem(bytes, mustFail: true)
            default: return nil
            }
        }
    }

    static func probeProblem(_ bytes: [UInt8], mustFail: Bool) -> String? {
        guard let json = try? JSON.parse(bytes), let checks = json["checks"]?.array else {
            return "a report that is none"
        }
        for check in checks where check["id"]?.string == nil || check["ok"]?.bool == nil {
            return "a check without id or ok"
        }
        if mustFail, checks.allSatisfy({ $0["ok"]?.bool == true }) { return "everything is said to be well" }
        return nil
    }

    private static func refused(_ kit: Kit, _ ability: String, _ request: PluginRequest) async -> Verdict {
        guard kit.offers(ability) else { return .skip("the connector does not \(ability)") }
        kit.host.begin()
        return await kit.with { worker in
            let result = await kit.call(request, worker)
            if let crime = kit.crime(result) { return .fail(crime) }
            let written = kit.host.seen.http.contains { $0.effect == .write }
            switch result.outcome {
            case .failure(.plugin): return written ? .fail("a write was sent") : .pass
            case .success(.outcomes(let outcomes)):
                let isRefused = outcomes.allSatisfy { if case .refused = $0 { true } else { false } }
                return isRefused && !written ? .pass : .fail("taken: \(outcomes)")
            default: return .fail("taken as if it were declared")
            }
        }
    }

    private static func oddCursor(_ kit: Kit) async -> Verdict {
        var random = kit.random
        let reads = kit.calls(&random, of: [.read])
        guard !reads.isEmpty else { return .skip("the connector does not read") }
        return await kit.with { worker in
            for (name, request) in reads {
                guard case .read(var read) = request, case .page = read.selection else { continue }
                for cursor in [Array("nonsense".utf8), [0xff, 0, 0x22], [UInt8](repeating: 0x31, count: 4096)] {
                    read.selection = .page(cursor: cursor, sinceMs: nil, max: 5)
                    kit.host.begin()
                    let result = await kit.call(.read(read), worker)
                    if let crime = kit.crime(result, bugIsOne: false) { return .fail("\(name): \(crime)") }
                }
            }
            return .pass
        }
    }

    private static func oddDocument(_ kit: Kit) async -> Verdict {
        var random = kit.random
        let writes = kit.calls(&random, of: [.write])
        guard !writes.isEmpty else { return .skip("the connector does not write") }
        let odd = ["[]", "\"x\"", "7", "not json", "{\"a\":\"\u{0}", "", String(repeating: "[", count: 4096)]
        return await kit.with { worker in
            for (name, request) in writes {
                for text in odd {
                    guard case .write(var write) = request else { continue }
                    write.records[0].json = Array(text.utf8)
                    kit.host.begin()
                    let result = await kit.call(.write(write), worker)
                    // What is no JSON no host sends: a connector may call it the host's bug.
                    if let crime = kit.crime(result, bugIsOne: false) {
                        return .fail("\(name) \(text.prefix(12)): \(crime)")
                    }
                    if kit.host.seen.http.contains(where: { $0.effect == .write }) {
                        return .fail("\(name) \(text.prefix(12)): a write was sent")
                    }
                    if case .success(.outcomes(let outcomes)) = result.outcome,
                        outcomes.contains(where: { if case .refused = $0 { false } else { true } })
                    {
                        return .fail("\(name) \(text.prefix(12)): taken")
                    }
                }
            }
            return .pass
        }
    }

    private static func deadline(_ kit: Kit) async -> Verdict {
        var random = kit.random
        guard let (name, request) = kit.calls(&random).last else { return .skip("nothing can be called") }
        return await kit.with { worker in
            kit.host.begin { _, _ in .silence }
            let result = await kit.call(request, worker, withinMs: ConformanceLimits.shortCallMs)
            if let crime = kit.crime(result) { return .fail("\(name): \(crime)") }
            let again = await kit.call(.describe, worker)
            return kit.crime(again).map { .fail("afterwards: \($0)") } ?? .pass
        }
    }

    private static func cancel(_ kit: Kit) async -> Verdict {
        var random = kit.random
        guard let (name, request) = kit.calls(&random).last else { return .skip("nothing can be called") }
        return await kit.with { worker in
            kit.host.begin { _, _ in .silence }
            let running = Task { await kit.call(request, worker) }
            let until = kit.now() + ConformanceLimits.gatherMs
            while kit.host.seen.http.isEmpty, kit.now() < until { await Task.yield() }
            running.cancel()
            let result = await running.value
            if let crime = kit.crime(result) { return .fail("\(name): \(crime)") }
            let again = await kit.call(.describe, worker)
            return kit.crime(again).map { .fail("afterwards: \($0)") } ?? .pass
        }
    }

    private static func findKey(_ kit: Kit) async -> Verdict {
        var random = kit.random
        let finds = kit.calls(&random, of: [.find])
        guard !finds.isEmpty else { return .skip("the connector does not find") }
        return await kit.with { worker in
            var asked = false
            for (name, request) in finds {
                guard case .find(let find) = request else { continue }
                let known = kit.logIn
                kit.host.begin { http, _ in http.effect == .auth ? known ?? .vendor : .vendor }
                if let crime = kit.crime(await kit.call(request, worker)) { return .fail("\(name): \(crime)") }
                let requests = kit.host.seen.http.filter { $0.effect == .read }
                if requests.isEmpty { continue }
                asked = true
                if !requests.contains(where: { $0.holds(find.key) }) {
                    return .fail("\(name): no request holds the key")
                }
            }
            return asked ? .pass : .skip("the responder's answers did not bring it as far")
        }
    }

    private static func concurrency(_ kit: Kit) async -> Verdict {
        var random = kit.random
        var tried = false
        for (name, request) in kit.calls(&random, of: [.read, .write, .find]) {
            let wanted = min(kit.concurrency[request.ability], ConformanceLimits.concurrentCalls)
            if wanted < 2 { continue }
            let verdict = await kit.with { worker in
                let known = kit.logIn
                kit.host.begin { http, _ in http.effect == .auth ? known ?? .vendor : .vendor }
                if kit.subject.isLive { _ = await kit.call(request, worker) }
                kit.host.gather(wanted)
                let calls = (0..<wanted).map { _ in Task { await kit.call(request, worker) } }
                let until = kit.now() + ConformanceLimits.gatherMs
                while kit.host.isGathering, kit.now() < until { try? await Task.sleep(nanoseconds: 1_000_000) }
                let isShort = kit.host.isGathering
                let met = kit.host.scatter()
                for call in calls {
                    if let crime = kit.crime(await call.value) { return .fail("\(name): \(crime)") }
                }
                if isShort, met > 0 { return .fail("\(name): declares \(wanted), \(met) met") }
                return isShort ? .skip("nothing was asked") : .pass
            }
            if case .fail = verdict { return verdict }
            if case .pass = verdict { tried = true }
        }
        return tried ? .pass : .skip("no ability takes more than one call, or none asks the vendor")
    }
}

extension Kit {
    /// How the kit's vendor answers a log-in, where the settings file says so.
    var logIn: Answer? {
        if subject.isLive { return .vendor }
        return subject.logIn.map { .reply(200, ["content-type": "application/json"], $0.text) }
    }
}

extension ServiceRequest.HTTP {
    /// Whether a text stands anywhere in what goes out.
    func holds(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        var parts = [url] + headers.map(\.value)
        if case .bytes(let bytes) = body { parts.append(bytes) }
        return parts.contains { $0.contains(bytes: wanted) }
    }
}

extension [UInt8] {
    func contains(bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, count >= bytes.count else { return false }
        return (0...(count - bytes.count)).contains {
            self[$0] == first && self[$0..<($0 + bytes.count)].elementsEqual(bytes)
        }
    }
}
