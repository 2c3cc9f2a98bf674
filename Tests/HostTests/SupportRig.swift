import Foundation
import FoundationNetworking
import Glibc
import Synchronization
import Testing
import Values

@testable import Host

/// A workspace between two simulators, driven by the real programs: the way an operator meets it.
final class Rig: Sendable {
    struct Trouble: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    /// How the workspace differs from the example.
    struct Setting: Sendable {
        /// How far a voucher is taken: `save`, `submit` or `audit`.
        var finish = "save"
        /// How long the target may commit late.
        var horizon: String? = "2s"
        /// Waits after which a call counts as unanswered.
        var timeouts = "{ write: 3s, find: 3s, read: 3s }"
        /// All three flows, nothing in them changed, in place of one with short waits.
        var asShipped = false
        /// Further settings of the simulators, `kingdee.work_ms=50`.
        var simulators: [String] = []
    }

    private struct State {
        var host: Child?
        var simulators: Child?
        var urls: [String: String] = [:]
        var made: [JSON] = []
        var secrets: [String] = []
        var started = 0
    }

    let folder: String
    var workspace: String { folder + "/workspace" }
    private let setting: Setting
    private let state = Mutex(State())
    static let flow = "expense-voucher"
    /// What a slow machine may take to get one step done, milliseconds.
    static let patience = 120_000

    private init(_ setting: Setting) {
        var template = Array("/tmp/datong-end-XXXXXX\0".utf8CString)
        folder = String(cString: mkdtemp(&template))
        self.setting = setting
    }

    /// Runs a test in a rig of its own, and ends everything that was started.
    static func with(_ setting: Setting = Setting(), _ body: (Rig) async throws -> Void) async throws {
        let rig = Rig(setting)
        do {
            try await rig.prepare()
            try await body(rig)
        } catch {
            let log = rig.tail("host.err")
            await rig.end()
            throw Trouble("\(error)\nthe host's last words:\n\(log)")
        }
        await rig.end()
    }

    private func end() async {
        let (host, simulators) = state.withLock { ($0.host, $0.simulators) }
        for child in [host, simulators].compactMap(\.self) {
            child.send(SIGTERM)
            if await child.end(within: 15_000) == nil {
                child.send(SIGKILL)
                _ = await child.end(within: 5_000)
            }
        }
        FileStore.removeTree(folder)
    }

    // MARK: preparing

    private func prepare() async throws {
        let simulators = try Child(
            try Programs.path("datong-simulator"),
            ["dingtalk", "kingdee", "--set", "kingdee.repeat_ms=0", "--set", "dingtalk.calls_per_second=1000"]
                + setting.simulators.flatMap { ["--set", $0] } + ["--credentials-out", folder + "/credentials.json"],
            output: folder + "/simulators.out", errors: folder + "/simulators.err")
        state.withLock { $0.simulators = simulators }
        try await until("the simulators listen") {
            for line in self.tail("simulators.out").split(separator: "\n") {
                guard let json = try? JSON.parse(String(line)), let name = json["simulator"]?.string else { continue }
                self.state.withLock { $0.urls[name] = json["url"]?.string }
            }
            return self.state.withLock { $0.urls.count } == 2
        }
        try FileManager.default.copyItem(atPath: Programs.root + "/Examples/expense-voucher", toPath: workspace)
        try edit("datong.yaml", "~/.config/datong/keys/example-hardware.key", folder + "/keys/test.key")
        try edit("connections/dingtalk.yaml", "http://127.0.0.1:8701", url("dingtalk"))
        let horizon = setting.horizon.map { "commit_horizon: \($0)\n" } ?? ""
        try append("connections/dingtalk.yaml", horizon + "timeouts: { read: 3s, write: 3s, find: 3s }\n")
        try edit("connections/kingdee.yaml", "http://127.0.0.1:8702", url("kingdee"))
        try edit("connections/kingdee.yaml", "per_second: 5, concurrency: 4", "per_second: 50, concurrency: 4")
        try append("connections/kingdee.yaml", horizon + "timeouts: \(setting.timeouts)\n")
        if !setting.asShipped { try hurry() }
        try await succeed(["vault", "init"])
        let credentials = try JSON.parse(
            [UInt8](FileManager.default.contents(atPath: folder + "/credentials.json") ?? Data()))
        for (name, vendor, key) in [
            ("dingtalk/app-key", "dingtalk", "app_key"), ("dingtalk/app-secret", "dingtalk", "app_secret"),
            ("kingdee/app-id", "kingdee", "app_id"), ("kingdee/app-secret", "kingdee", "app_secret"),
        ] {
            let secret = try #require(credentials[vendor]?[key]?.string)
            state.withLock { $0.secrets.append(secret) }
            try await succeed(["vault", "put", name, "--stdin"], input: secret)
        }
        try await succeed(["apply", "--yes"])
    }

    /// One flow is enough for a story, and a start compiles less; its waits are short enough to watch.
    private func hurry() throws {
        try edit("flows/\(Rig.flow).yaml", "ladder: [20s, 5m, 1h, 4h, 20h]", "ladder: [1s, 1s, 1s, 2s, 2s, 5s]")
        try edit("flows/\(Rig.flow).yaml", "finish: save", "finish: \(setting.finish)")
        for name in ["loan-voucher", "payment-voucher"] {
            try FileManager.default.removeItem(atPath: workspace + "/flows/\(name).yaml")
            try FileManager.default.removeItem(atPath: workspace + "/mappings/\(name).yaml")
        }
    }

    func edit(_ file: String, _ old: String, _ new: String) throws {
        let path = workspace + "/" + file
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard text.contains(old) else { throw Trouble("\(file) does not hold \(old)") }
        try text.replacingOccurrences(of: old, with: new).write(toFile: path, atomically: true, encoding: .utf8)
    }

    func append(_ file: String, _ more: String) throws {
        let path = workspace + "/" + file
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try (text + more).write(toFile: path, atomically: true, encoding: .utf8)
    }

    func tail(_ file: String) -> String {
        let text = (try? String(contentsOfFile: folder + "/" + file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(12).joined(separator: "\n")
    }

    /// What a program wrote, line by line.
    func lines(_ file: String) -> [Substring] {
        ((try? String(contentsOfFile: folder + "/" + file, encoding: .utf8)) ?? "").split(separator: "\n")
    }

    /// Empties what a program that has ended wrote.
    func forget(_ file: String) { truncate(folder + "/" + file, 0) }

    /// Asks again until it is so.
    func until(
        _ what: String, within milliseconds: Int = Rig.patience, _ condition: () async throws -> Bool
    ) async throws {
        let start = ContinuousClock.now
        while try await !condition() {
            if ContinuousClock.now - start > .milliseconds(milliseconds) {
                throw Trouble("not within \(milliseconds / 1000) s: \(what)")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    // MARK: commands

    /// Runs a command of `datong` in the workspace.
    func datong(_ words: [String], input: String? = nil) async throws -> Ran {
        let number = state.withLock { state -> Int in
            state.started += 1
            return state.started
        }
        let base = folder + "/command-\(number)"
        var source = "/dev/null"
        if let input {
            source = base + ".in"
            _ = FileManager.default.createFile(
                atPath: source, contents: Data(input.utf8), attributes: [.posixPermissions: 0o600])
        }
        defer { for end in ["in", "out", "err"] { unlink("\(base).\(end)") } }
        let child = try Child(
            try Programs.path("datong"), ["-w", workspace, "--lang", "en"] + words, input: source,
            output: base + ".out", errors: base + ".err")
        guard let end = await child.end(within: Rig.patience) else {
            child.send(SIGKILL)
            _ = await child.end(within: 5_000)
            throw Trouble("datong \(words.joined(separator: " ")) does not end")
        }
        func text(_ end: String) -> String { (try? String(contentsOfFile: "\(base).\(end)", encoding: .utf8)) ?? "" }
        return Ran(status: end, out: text("out"), err: text("err"))
    }

    /// A command that must end with 0.
    func succeed(_ words: [String], input: String? = nil) async throws {
        let ran = try await datong(words, input: input)
        guard ran.status == .exit(0) else {
            throw Trouble("datong \(words.joined(separator: " ")) ended with \(ran.status): \(ran.err)\(ran.out)")
        }
    }

    /// Asks the running host.
    func ask(_ verb: String, _ arguments: JSON = [:]) async throws -> JSON {
        try await ControlClient(path: workspace + "/state/control.sock").request(verb, arguments)
    }

    // MARK: the host

    var host: Child? { state.withLock { $0.host } }

    /// Starts the host; returns at once.
    func startHost(crashAt point: String? = nil) throws {
        let environment: [String: String] = point.map { ["DATONG_CRASH_AT": $0] } ?? [:]
        let child = try Child(
            try Programs.path("datong"), ["run", "-w", workspace, "--lang", "en"], output: folder + "/host.out",
            errors: folder + "/host.err", environment: environment)
        state.withLock { $0.host = child }
    }

    /// Waits until the host answers.
    func hostRuns() async throws {
        try await until("the host answers") {
            try await self.mustRun()
            return (try? await self.ask("status")) != nil
        }
    }

    private func mustRun() async throws {
        if let host, let end = await host.end(within: 0) {
            state.withLock { $0.host = nil }
            throw Trouble("the host ended by itself: \(end)")
        }
    }

    /// How the host ended, if it did in that time.
    func hostEnds(within milliseconds: Int) async -> Child.End? {
        guard let host else { return nil }
        let end = await host.end(within: milliseconds)
        if end != nil { state.withLock { $0.host = nil } }
        return end
    }

    /// kill -9, and waits until nothing is left of it.
    func killHost() async {
        host?.send(SIGKILL)
        _ = await hostEnds(within: 10_000)
    }

    /// An orderly end.
    func stopHost() async throws {
        host?.send(SIGTERM)
        guard let end = await hostEnds(within: 30_000) else { throw Trouble("the host does not stop") }
        guard end == .exit(0) else { throw Trouble("the host stopped with \(end)") }
    }

    // MARK: the simulators

    func url(_ vendor: String) -> String { state.withLock { $0.urls[vendor] ?? "" } }

    /// Calls a simulator's control address; POST where there is a body.
    func simulator(_ vendor: String, _ path: String, _ body: JSON? = nil, method: String? = nil) async throws -> JSON {
        guard let url = URL(string: url(vendor) + path) else { throw Trouble("no address of \(vendor)") }
        var request = URLRequest(url: url)
        request.httpMethod = method ?? (body == nil ? "GET" : "POST")
        request.httpBody = body.map { Data($0.serialized()) }
        let (data, _) = try await URLSession.shared.data(for: request)
        return try JSON.parse([UInt8](data))
    }

    /// Files approvals; each is told over the event stream.
    func file(
        _ count: Int, rejected: Int = 0, withdrawn: Int = 0, missing: Int = 0, every milliseconds: Int = 0,
        template: String = "expense"
    ) async throws {
        let answer = try await simulator(
            "dingtalk", "/_sim/approvals/generate",
            [
                "count": .int(count), "template": .string(template), "rejected": .int(rejected),
                "withdrawn": .int(withdrawn), "missing_code": .int(missing), "push": true,
                "interval_ms": .int(milliseconds),
            ])
        guard let created = answer["created"]?.array else { throw Trouble("no approvals: \(answer.text)") }
        state.withLock { $0.made += created }
    }

    var made: [JSON] { state.withLock { $0.made } }

    /// What is in the vault.
    var secrets: [String] { state.withLock { $0.secrets } }

    /// Plans a fault.
    func fault(_ vendor: String, _ match: String, _ kind: String, _ more: JSONObject = [:]) async throws {
        var fault: JSONObject = ["match": .string(match), "kind": .string(kind)]
        for (key, value) in more { fault[key] = value }
        _ = try await simulator(vendor, "/_sim/faults", .object(fault))
    }

    /// How often planned faults struck; forgets them.
    func faultsStruck(_ vendor: String) async throws -> Int64 {
        let planned = try await simulator(vendor, "/_sim/faults")
        _ = try await simulator(vendor, "/_sim/faults", method: "DELETE")
        return (planned.array ?? []).reduce(Int64(0)) { $0 + ($1["struck"]?.int ?? 0) }
    }

    // MARK: what must be so

    /// The five counts of the flow, and of its comments.
    func counts(_ name: String = Rig.flow) async throws -> (flow: JSON, back: JSON) {
        let status = try await ask("status")
        guard let flow = status["flows"]?.array?.first(where: { $0["name"]?.string == name }),
            let counts = flow["counts"]
        else { throw Trouble("status has no counts: \(status.text)") }
        return (counts, flow["write_back"] ?? .null)
    }

    /// The codes in the histories of the last documents.
    func codes() async throws -> Set<String> {
        var codes: Set<String> = []
        for item in try await ask("ledger.list", ["flow": .string(Rig.flow), "limit": 6])["items"]?.array ?? [] {
            let shown = try await ask("ledger.show", ["item": item["item"] ?? .null])
            codes.formUnion((shown["history"]?.array ?? []).compactMap { $0["code"]?.string })
        }
        return codes
    }

    /// Waits until every approval filed was read and nothing of it is under way.
    func drain() async throws {
        let expected = Int64(made.count)
        var last = ""
        do {
            try await until("all is settled") {
                try await self.mustRun()
                guard let (flow, back) = try? await self.counts() else { return false }
                last = "\(flow.text) \(back.text)"
                let open = [flow, back].flatMap { [$0["pending"]?.int ?? Int64(0), $0["checking"]?.int ?? Int64(0)] }
                return (flow["read"]?.int ?? 0) >= expected && open.allSatisfy { $0 == 0 }
            }
        } catch let trouble as Trouble {
            let items = (try? await ask("ledger.list", ["flow": .string(Rig.flow), "limit": 8]))?.text ?? ""
            throw Trouble("\(trouble): \(last) of \(expected); \(items)")
        }
    }

    /// The simulator's own books and the ledger hold each approval once, to the cent.
    func expectExact(_ when: String, _ location: SourceLocation = #_sourceLocation) async throws {
        let books = try await simulator("kingdee", "/_sim/books")
        let agreed = made.filter { $0["result"]?.string == "agree" }
        let wanted = agreed.filter { $0["missing_code"]?.bool != true }
        let vouchers = books["vouchers"]?.array ?? []
        func sorted(_ amounts: [String?]) -> [ExactDecimal] {
            amounts.compactMap { $0.flatMap { ExactDecimal($0) } }.sorted()
        }
        let entered = sorted(vouchers.map { $0["debits"]?.string })
        #expect(entered == sorted(wanted.map { $0["amount"]?.string }), "\(when)", sourceLocation: location)
        #expect(
            entered == sorted(vouchers.map { $0["credits"]?.string }), "\(when): debits and credits",
            sourceLocation: location)
        #expect(books["totals"]?["doubled_ext_ids"] == [], "\(when): a voucher twice", sourceLocation: location)
        if setting.finish != "save" {
            let status = setting.finish == "audit" ? "C" : "B"
            #expect(
                vouchers.allSatisfy { $0["status"]?.string == status }, "\(when): not all \(setting.finish)",
                sourceLocation: location)
        }
        let (flow, back) = try await counts()
        let expected: JSON = [
            "read": .int(made.count), "done": .int(wanted.count), "skipped": .int(made.count - agreed.count),
            "pending": 0, "held": .int(agreed.count - wanted.count), "checking": 0,
        ]
        if flow != expected {
            let held = (try? await ask("ledger.list", ["state": "held", "limit": 3]))?.text ?? ""
            Issue.record(
                "\(when): the ledger says \(flow.text), not \(expected.text); \(held)", sourceLocation: location)
        }
        #expect(back["done"]?.int == Int64(wanted.count), "\(when): comments in the ledger", sourceLocation: location)
        let comments = try await simulator("dingtalk", "/_sim/books")["comments"]?.int ?? 0
        #expect(comments == Int64(wanted.count), "\(when): comments on the approvals", sourceLocation: location)
    }
}

/// Small random numbers from a seed, the same on every machine.
struct SmallRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
