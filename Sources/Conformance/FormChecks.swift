import Documents
import Synchronization
import Values
import Workers

/// What the file says, before any of it runs.
enum LibraryChecks {
    static let all: [Check] = [
        Check("library.file", "文件是本平台的共享库", "the file is a shared object of this platform") {
            $0.file == nil ? .fail($0.fileProblem) : .pass
        },
        Check("library.symbol", "只导出一个数据符号", "exactly one symbol is exported, a data object") { kit in
            guard let file = kit.file else { return .skip("no library") }
            let names = file.exports.map(\.name)
            guard names == ["datong_plugin_v0"] else {
                return .fail(
                    names.isEmpty ? "nothing is exported" : "exported: " + names.prefix(8).joined(separator: ", "))
            }
            return file.exports[0].isObject ? .pass : .fail("datong_plugin_v0 is no data object")
        },
        Check("library.links", "加载方式安全", "bound at once, no text relocations, no executable stack") { kit in
            guard let file = kit.file else { return .skip("no library") }
            return file.warnings.isEmpty ? .pass : .fail(file.warnings.joined(separator: "; "))
        },
        Check(
            "library.calls", "不引入套接字、线程、睡眠等函数", "imports no function for sockets, threads, sleep, signals"
        ) { kit in
            guard let file = kit.file else { return .skip("no library") }
            return file.forbidden.isEmpty ? .pass : .fail("imports " + file.forbidden.joined(separator: ", "))
        },
    ]
}

/// The table behind the symbol, and hosts of other ages.
enum EntryChecks {
    static let all: [Check] = [
        Check("entry.table", "入口表合契约,能加载", "the entry table is sound and init succeeds") { kit in
            kit.startProblem.map { .fail($0.code + " " + $0.what.en) } ?? .pass
        },
        Check("entry.range", "接口版本在本机范围内", "the range of minors meets this host's") { kit in
            guard let problem = kit.startProblem else { return .pass }
            return ["E-WORKER-008", "E-WORKER-011", "E-WORKER-012"].contains(problem.code)
                ? .fail(problem.what.en) : .skip("it does not start")
        },
        Check("entry.unknown-ability", "不认识的能力回答没有", "an ability no contract has is not offered") { kit in
            guard let hello = kit.hello else { return .skip("it does not start") }
            let odd = hello.abilities.filter { $0 == "datong.write/99" || $0 == "datong.nothing/1" }
            return odd.isEmpty ? .pass : .fail("offers " + odd.joined(separator: ", "))
        },
        Check("entry.later-host", "更新的主机(更大的结构)照常工作", "works with a later host's longer structs") { kit in
            guard let described = kit.described else { return .skip("it does not describe itself") }
            return await kit.with(.laterHost, opens: false) { worker in
                let result = await kit.call(.describe, worker)
                if case .success(.text(described)) = result.outcome { return .pass }
                return .fail(kit.crime(result) ?? "another description than for this host")
            }
        },
        Check("entry.bare-host", "没有任何服务时不崩溃", "without services it refuses or works, and does not crash") { kit in
            guard kit.hello != nil else { return .skip("it does not start") }
            do throws(Problem) {
                let worker = try await kit.start(.bareHost, opens: false)
                let result = await kit.call(.describe, worker)
                await worker.stop(withinMs: ConformanceLimits.startMs)
                return kit.crime(result).map { .fail($0) } ?? .pass
            } catch { return error.code == "E-WORKER-013" ? .pass : .fail(error.what.en) }
        },
    ]
}

/// What the connector says about itself.
enum DescribeChecks {
    private static let schema: Schema = {
        let json = try! JSON.parse(PackageResources.describe_json)
        return try! Schema(json)
    }()

    static func violations(_ json: JSON) -> [Violation] { schema.validate(json) }

    static let all: [Check] = [
        Check("describe.shape", "自述符合 docs/describe.md", "the description has the shape of docs/describe.md") { kit in
            guard let described = kit.described else { return .fail("no description") }
            guard let json = try? JSON.parse(described) else { return .fail("the description is no JSON") }
            let found = violations(json)
            return found.isEmpty
                ? .pass : .fail(found.prefix(5).map { "\($0.pointer) \($0.text.en)" }.joined(separator: "; "))
        },
        Check("describe.same", "自述每次相同", "the description is always the same text") { kit in
            guard let described = kit.described else { return .skip("no description") }
            return await kit.with(opens: false) { worker in
                for _ in 0..<3 {
                    guard case .success(.text(described)) = await kit.call(.describe, worker).outcome else {
                        return .fail("another text the second time")
                    }
                }
                return .pass
            }
        },
        Check("describe.identity", "自述与入口表的 id、版本一致", "id and version equal the entry table's") { kit in
            guard let hello = kit.hello, let json = kit.json else { return .skip("no description") }
            let (id, version) = (json["id"]?.string ?? "", json["version"]?.string ?? "")
            return (id, version) == (hello.id, hello.version)
                ? .pass : .fail("described \(id) \(version), in the table \(hello.id) \(hello.version)")
        },
        Check("describe.abilities", "声明的能力都有", "every ability it declares is offered, and none beside") { kit in
            guard let json = kit.json else { return .skip("no description") }
            var declared: Set<String> = []
            for product in json["products"]?.array ?? [] {
                for part in (product["documents"]?.array ?? []) + (product["streams"]?.array ?? []) {
                    declared.formUnion((part["abilities"]?.array ?? []).compactMap(\.string))
                }
            }
            let missing = declared.filter { !kit.offers($0) }.sorted()
            if !missing.isEmpty { return .fail("declared but not offered: " + missing.joined(separator: ", ")) }
            let silent = ["read", "write", "poll", "void", "find", "listen", "receive"].filter {
                kit.offers($0) && !declared.contains($0)
            }
            return silent.isEmpty ? .pass : .fail("offered but not declared: " + silent.joined(separator: ", "))
        },
        Check("describe.find", "丢了回音的单据查得到", "what it writes it can look for, or a repeat does no harm") { kit in
            guard let json = kit.json else { return .skip("no description") }
            for product in json["products"]?.array ?? [] {
                for document in product["documents"]?.array ?? [] {
                    let abilities = (document["abilities"]?.array ?? []).compactMap(\.string)
                    if abilities.contains("write"), !abilities.contains("find"),
                        document["unknown"]?.string != "settle"
                    {
                        return .fail("\(document["type"]?.string ?? "") is written and cannot be found")
                    }
                }
            }
            return .pass
        },
        Check("describe.schemas", "设置都是对象", "settings of products and documents are objects") { kit in
            guard let json = kit.json else { return .skip("no description") }
            for product in json["products"]?.array ?? [] {
                let parts = (product["documents"]?.array ?? []).compactMap { $0["settings"] }
                for part in [product["settings"] ?? [:]] + parts {
                    guard part["type"]?.string == "object" else { return .fail("settings that are no object") }
                }
            }
            return .pass
        },
        Check("describe.quiet", "自述不用任何服务", "describe asks no service but log") { kit in
            guard kit.described != nil else { return .skip("no description") }
            let ears = Ears()
            do throws(Problem) {
                let worker = try await kit.start(opens: false, services: ears)
                _ = await kit.call(.describe, worker)
                await worker.stop(withinMs: ConformanceLimits.startMs)
            } catch { return .fail(error.what.en) }
            return ears.heard == 0 ? .pass : .fail("\(ears.heard) service requests")
        },
    ]

    private final class Ears: WorkerServices {
        private let count = Mutex(0)
        var heard: Int { count.withLock { $0 } }
        func serve(_ request: ServiceRequest, for call: CallIdentity) async -> ServiceReply {
            count.withLock { $0 += 1 }
            return .refused(.denied, "describe may use no service but log")
        }
        func note(_ note: PluginNote, for call: CallIdentity) {}
        func callEnded(_ call: CallIdentity) async {}
    }
}

extension Kit {
    fileprivate var json: JSON? { described.flatMap { try? JSON.parse($0) } }
}

/// Making a connection.
enum OpenChecks {
    static let all: [Check] = [
        Check("open.quiet", "打开连接不联系对方", "open succeeds with the settings and talks to nobody") { kit in
            kit.host.begin()
            return await kit.with { _ in
                let asked = kit.host.seen.requests.filter { $0.0.effect != nil }
                return asked.isEmpty ? .pass : .fail("open sent \(asked.count) requests")
            }
        },
        Check("open.later-host", "更新的主机也能打开连接", "a later host can open it too") { kit in
            kit.host.begin()
            return await kit.with(.laterHost) { _ in .pass }
        },
        Check("open.odd-settings", "奇怪的设置不致崩溃", "settings it never declared are refused or ignored, not fatal") { kit in
            for odd in ["{}", "[]", "not json", "{\"a\":" + String(repeating: "[", count: 200) + "}"] {
                var other = kit
                other.host.begin()
                other.subject.settings = .null
                var request = other.openRequest
                request.settings = Array(odd.utf8)
                do throws(Problem) {
                    let worker = try await other.startOdd(request)
                    await worker.stop(withinMs: ConformanceLimits.startMs)
                } catch {
                    if error.code != "E-WORKER-023" { return .fail("\(odd.prefix(20)): \(error.what.en)") }
                }
            }
            return .pass
        },
        Check("open.cycles", "反复打开关闭不泄漏", "opening and closing again and again leaks no memory and no file") { kit in
            kit.host.begin()
            return await kit.with(.cycles(ConformanceLimits.openCycles)) { worker in
                // A metric is written before the call's end, and read before it.
                var grown: [String: Int64] = [:]
                for case .metric(let name, let amount) in kit.host.seen.notes { grown[name] = amount }
                guard let memory = grown["resident_kib"], let files = grown["descriptors"] else {
                    return .skip("the worker did not measure")
                }
                if files > 0 { return .fail("\(files) descriptors stayed open") }
                return memory <= ConformanceLimits.openGrowthKiB
                    ? .pass : .fail("\(memory) KiB more after \(ConformanceLimits.openCycles) connections")
            }
        },
    ]
}

extension Kit {
    fileprivate func startOdd(_ request: OpenRequest) async throws(Problem) -> Worker {
        try await Worker.start(
            WorkerConfiguration(
                isolation: .worker(executable: conformance.worker), plugin: library, open: request,
                runtimeFolder: conformance.runtimeFolder, graceMs: ConformanceLimits.graceMs,
                helloMs: ConformanceLimits.startMs, nowMs: now), services: host)
    }
}
