import Foundation
import Glibc
import Testing
import Values

@testable import Host

/// The real programs between the two simulators. One after another: each of them is several busy processes.
@Suite("End to end: each approval is one voucher, whatever happens", .serialized)
struct EndToEndTests {
    // MARK: what an operator does wrong

    @Test("A workspace that cannot run says why with one code")
    func refusals() async throws {
        try await Rig.with { rig in
            func refused(_ words: [String], _ status: Int32, _ code: String, _ what: Comment) async throws {
                let ran = try await rig.datong(words)
                #expect(ran.status == .exit(status), "\(what): \(ran.err)\(ran.out)")
                let text = ran.err + ran.out
                #expect(text.contains(code), "\(what): \(text)")
                #expect(text.split(separator: "\n").count { $0.contains("E-") } == 1, "\(what): \(text)")
            }

            try rig.startHost()
            try await rig.hostRuns()
            try await refused(["run"], 5, "E-HOST-004", "a second host")
            try await rig.stopHost()

            // An unknown word in a file is never ignored.
            try rig.append("flows/\(Rig.flow).yaml", "retries: 5\n")
            try await refused(["apply", "--yes"], 1, "E-CONF-012", "an unknown key")
            try rig.edit("flows/\(Rig.flow).yaml", "retries: 5\n", "")

            // Libraries that are no connector of this host.
            try FileManager.default.createDirectory(
                atPath: rig.workspace + "/connectors", withIntermediateDirectories: true)
            let library = rig.workspace + "/connectors/libother.so"
            try rig.edit("connections/kingdee.yaml", "connector: kingdee", "connector: other")
            try Data("this is no library".utf8).write(to: URL(filePath: library))
            try await refused(["apply", "--yes"], 1, "E-WORKER-003", "a library that is none")
            let compiled = try Child(
                "/usr/bin/cc",
                [
                    "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-fvisibility=hidden",
                    "-DSYMBOL=datong_plugin_v1", "-I\(Programs.root)/Sources/PluginABI/include",
                    "\(Programs.root)/Tests/WorkersTests/Fixtures/entry.c", "-o", library,
                ], output: rig.folder + "/cc.out", errors: rig.folder + "/cc.err")
            #expect(await compiled.end(within: Rig.patience) == .exit(0))
            try await refused(["apply", "--yes"], 1, "E-WORKER-008", "a connector of another epoch")
            try rig.edit("connections/kingdee.yaml", "connector: other", "connector: kingdee")

            // One flipped bit in the vault.
            let vault = URL(filePath: rig.workspace + "/vault.datong")
            let whole = try Data(contentsOf: vault)
            var broken = whole
            broken[broken.count / 2] ^= 1
            try broken.write(to: vault)
            try await refused(["run"], 1, "E-VAULT-003", "a broken vault")
            try whole.write(to: vault)
            try rig.startHost()
            try await rig.hostRuns()
        }
    }

    // MARK: nothing goes wrong

    @Test("30 approvals: 26 vouchers, 3 skipped, 1 held until its code is there", arguments: ["save", "audit"])
    func happyPath(finish: String) async throws {
        try await Rig.with(Rig.Setting(finish: finish)) { rig in
            try rig.startHost()
            try await rig.hostRuns()
            try await rig.file(30, rejected: 3, missing: 1)
            try await rig.drain()
            try await rig.expectExact("nothing went wrong")
            let comments = try await rig.simulator("dingtalk", "/_sim/books")["comments"]?.int
            #expect(comments == 26)
            let held = try await rig.ask("ledger.list", ["state": "held", "limit": 10])["items"]?.array ?? []
            #expect(held.map { $0["cause"]?["code"]?.string } == ["E-MAP-001"])
            #expect(held.first?["cause"]?["en"]?.string?.contains("expense-accounts.csv") == true)
            try await rig.stopHost()

            // Stopped and started again: nothing is done twice.
            try rig.startHost()
            try await rig.hostRuns()
            try await rig.drain()
            try await rig.expectExact("after a restart")

            try rig.append("tables/expense-accounts.csv", "无人机租赁费,6602.06,管理费用_其他\n")
            try await rig.succeed(["apply", "--yes"])
            try await rig.succeed(["ledger", "retry", "--flow", Rig.flow])
            try await rig.until("the held one is a voucher") {
                try await rig.simulator("kingdee", "/_sim/totals")["count"]?.int == 27
            }
            try await rig.until("its comment is written") {
                try await rig.simulator("dingtalk", "/_sim/books")["comments"]?.int == 27
            }
            let (flow, _) = try await rig.counts()
            #expect(flow["done"]?.int == 27)
            #expect(flow["held"]?.int == 0)

            // The audit is whole, asked of the host and alone; a use of the vault on the command line is part of it.
            try await rig.succeed(["audit", "verify"])
            let lines = try await rig.ask("audit.verify")["lines"]?.int ?? 0
            try await rig.stopHost()
            try await rig.succeed(["vault", "put", "spare/secret", "--stdin"], input: "not-used-anywhere\n")
            let alone = try await rig.datong(["audit", "verify", "--json"])
            #expect(alone.status == .exit(0))
            #expect(try (JSON.parse(Array(alone.out.utf8))["lines"]?.int ?? 0) > lines)
        }
    }

    @Test("The example as it is shipped: claims, payments and loans, some refused, some withdrawn")
    func shipped() async throws {
        try await Rig.with(Rig.Setting(asShipped: true)) { rig in
            try rig.startHost()
            try await rig.hostRuns()
            let kinds = [("expense", "expense-voucher"), ("payment", "payment-voucher"), ("loan", "loan-voucher")]
            for (template, _) in kinds { try await rig.file(6, rejected: 1, withdrawn: 1, template: template) }
            for (_, flow) in kinds {
                try await rig.until("\(flow): four vouchers and their comments, two skipped") {
                    let (five, back) = try await rig.counts(flow)
                    return five
                        == ["read": 6, "done": 4, "skipped": 2, "pending": 0, "held": 0, "checking": 0]
                        && back["done"] == 4
                }
            }
            let vouchers = try await rig.simulator("kingdee", "/_sim/books")["vouchers"]?.array ?? []
            let wanted = rig.made.filter { $0["result"]?.string == "agree" }
            #expect(wanted.count == 12)
            func sorted(_ amounts: [JSON?]) -> [ExactDecimal] {
                amounts.compactMap { $0?.string.flatMap { ExactDecimal($0) } }.sorted()
            }
            #expect(sorted(vouchers.map { $0["debits"] }) == sorted(wanted.map { $0["amount"] }))
            // A loan is owed by the employee: no other voucher touches this account.
            let loans = vouchers.filter { ($0["lines"]?.array ?? []).contains { $0["account"] == "1221" } }
            #expect(loans.count == 4)
            #expect(try await rig.simulator("dingtalk", "/_sim/books")["comments"] == 12)
        }
    }

    @Test("No secret is on a command line or in an environment, of the host or of a worker")
    func processes() async throws {
        try await Rig.with { rig in
            try rig.startHost()
            try await rig.hostRuns()
            try await rig.file(3)
            try await rig.drain()
            let host = try #require(rig.host)
            let processes = [host.pid] + host.workers.map(\.pid)
            #expect(processes.count == 3)
            #expect(rig.secrets.count == 4)
            for pid in processes {
                let words = Child.bytes("/proc/\(pid)/cmdline")
                #expect(!words.isEmpty)
                // A worker forbids being read: then nobody but root can look at all.
                let environment = Child.bytes("/proc/\(pid)/environ")
                #expect(!environment.isEmpty || getuid() != 0)
                for secret in rig.secrets {
                    #expect(words.firstRange(of: Array(secret.utf8)) == nil)
                    #expect(environment.firstRange(of: Array(secret.utf8)) == nil)
                }
            }
        }
    }

    // MARK: kill -9

    @Test("kill -9 of the host at every named point of the code")
    func crashPoints() async throws {
        try await Rig.with(Rig.Setting(finish: "audit")) { rig in
            let times = Programs.isFull ? [1, 2, 5] : [1]
            for (point, time) in CrashPoint.allCases.flatMap({ point in times.map { (point, $0) } }) {
                let isApply = point == .revisionFrozen
                if isApply && time > 1 { continue }
                let name = time == 1 ? point.rawValue : "\(point.rawValue):\(time)"
                // A look-up follows only where an answer is missing.
                if point == .findAnswered {
                    try await rig.fault("kingdee", "save", "loseAnswerAfterCommit", ["times": .int(time)])
                }
                try rig.startHost(crashAt: name)
                if isApply {
                    try await rig.hostRuns()
                    let before = try await rig.ask("status")["revision"]?.int ?? 0
                    try rig.append("tables/expense-accounts.csv", "印刷费,6602.06,管理费用_其他\n")
                    let ran = try await rig.datong(["apply", "--yes"])
                    #expect(ran.status != .exit(0), "apply cannot have an answer of a host that died")
                    #expect(await rig.hostEnds(within: Rig.patience) == .signal(SIGKILL), "\(name) was not reached")
                    try rig.startHost()
                    try await rig.hostRuns()
                    // What was frozen is what runs.
                    #expect(try await rig.ask("status")["revision"]?.int == before + 1)
                } else {
                    // Several documents may pass a point together: more come until it was passed often enough.
                    var end: Child.End?
                    for _ in 0..<12 where end == nil {
                        try await rig.file(6, rejected: 1, every: 20)
                        end = await rig.hostEnds(within: Rig.patience / 12)
                    }
                    #expect(end == .signal(SIGKILL), "\(name) was not reached")
                    _ = try await rig.faultsStruck("kingdee")
                    try rig.startHost()
                    try await rig.hostRuns()
                }
                try await rig.drain()
                try await rig.expectExact("killed at \(name)")
                #expect(try await rig.ask("audit.verify")["broken"] == .null, "killed at \(name)")
                try await rig.stopHost()
                print("crash point \(name): hit")
            }
        }
    }

    @Test("kill -9 of the workers at every named point of the code")
    func workerCrashPoints() async throws {
        try await Rig.with(Rig.Setting(finish: "audit")) { rig in
            let times = Programs.isFull ? [1, 2, 5] : [1]
            for (point, time) in CrashPoint.allCases.flatMap({ point in times.map { (point, $0) } }) {
                let isApply = point == .revisionFrozen
                if isApply && time > 1 { continue }
                let name = "worker:\(point.rawValue):\(time)"
                if point == .findAnswered {
                    try await rig.fault("kingdee", "save", "loseAnswerAfterCommit", ["times": .int(time)])
                }
                func killed() -> Int {
                    let told = rig.lines("host.err").last { $0.hasPrefix("crash point \(point.rawValue): ") }
                    return told.flatMap { Int($0.split(separator: " ")[3]) } ?? 0
                }
                rig.forget("host.err")
                try rig.startHost(crashAt: name)
                try await rig.hostRuns()
                try await rig.file(2)
                if isApply {
                    try await rig.drain()
                    try rig.append("tables/expense-accounts.csv", "装订费,6602.06,管理费用_其他\n")
                    try await rig.succeed(["apply", "--yes"])
                }
                try await rig.until("\(name): workers are killed") {
                    if killed() > 0 { return true }
                    try await rig.file(3, rejected: 1, every: 20)
                    try await Task.sleep(for: .seconds(2))
                    return killed() > 0
                }
                try await rig.file(2)
                try await rig.drain()
                _ = try await rig.faultsStruck("kingdee")
                try await rig.expectExact("killed at \(name)")
                print("crash point \(name): \(killed()) workers killed")
                try await rig.stopHost()
            }
        }
    }

    @Test("kill -9 of the host at random moments", arguments: ["save", "audit"])
    func randomKills(finish: String) async throws {
        let seed = Programs.seed
        let kills = Programs.isFull ? 100 : 15
        print("random kills, \(finish): \(kills), DATONG_SEED=\(seed)")
        var random = SmallRandom(seed: seed)
        try await Rig.with(Rig.Setting(finish: finish, simulators: ["kingdee.work_ms=20"])) { rig in
            var deaths = 0
            for _ in 0..<kills {
                try rig.startHost()
                try await rig.file(4, rejected: Int.random(in: 0...1, using: &random), every: 40)
                let wait = Int.random(in: 100...2_500, using: &random)
                if let end = await rig.hostEnds(within: wait) {
                    Issue.record("seed \(seed): the host ended by itself: \(end)")
                    return
                }
                await rig.killHost()
                deaths += 1
            }
            #expect(deaths == kills)
            try rig.startHost()
            try await rig.hostRuns()
            try await rig.drain()
            try await rig.expectExact("seed \(seed)")
            let doctor = try await rig.ask("doctor")["checks"]?.array ?? []
            #expect(!doctor.contains { $0["state"]?.string == "failed" }, "seed \(seed): \(JSON.array(doctor).text)")
        }
    }

    @Test("kill -9 of workers at random moments costs nothing but time")
    func workerKills() async throws {
        let seed = Programs.seed
        let rounds = Programs.isFull ? 12 : 2
        print("worker kills: \(rounds * 8), DATONG_SEED=\(seed)")
        var random = SmallRandom(seed: seed)
        try await Rig.with(Rig.Setting(finish: "audit", simulators: ["kingdee.work_ms=60"])) { rig in
            for round in 1...rounds {
                try rig.startHost()
                try await rig.hostRuns()
                // Four of each: one more within a minute pauses the connection, which is another test. A worker is
                // started by a call, so there is always something to do.
                var left = ["DingTalk": 4, "Kingdee": 4]
                try await rig.until("the workers were killed") {
                    try await rig.file(3, rejected: Int.random(in: 0...1, using: &random), every: 50)
                    try await Task.sleep(for: .milliseconds(Int.random(in: 50...700, using: &random)))
                    let workers = (rig.host?.workers ?? []).filter { left[$0.library, default: 0] > 0 }
                    if let victim = workers.randomElement(using: &random) {
                        kill(victim.pid, SIGKILL)
                        left[victim.library, default: 0] -= 1
                    }
                    return left.values.allSatisfy { $0 == 0 }
                }
                try await rig.drain()
                try await rig.expectExact("seed \(seed), round \(round)")
                try await rig.stopHost()
            }
        }
    }

    @Test("A connector that keeps crashing disturbs no other connection, and comes back when it is checked")
    func crashLoop() async throws {
        try await Rig.with(Rig.Setting(simulators: ["kingdee.work_ms=200"])) { rig in
            func connection(_ name: String) async throws -> JSON {
                let connections = try await rig.ask("status")["connections"]?.array ?? []
                return try #require(connections.first { $0["name"]?.string == name })
            }
            try rig.startHost()
            try await rig.hostRuns()
            var killed = 0
            try await rig.until("five crashes") {
                try await rig.file(1)
                for worker in rig.host?.workers ?? [] where worker.library == "Kingdee" {
                    kill(worker.pid, SIGKILL)
                    killed += 1
                }
                return killed >= 5
            }
            // The other connection reads on.
            try await rig.file(5, rejected: 2)
            try await rig.until("everything is read") {
                try await rig.counts().flow["read"]?.int == Int64(rig.made.count)
            }
            #expect(try await connection("dingtalk")["state"] == "ready")
            try await rig.until("the crashing one is said to stand still") {
                try await connection("kingdee")["state"] != "ready"
            }
            #expect(try await connection("kingdee")["cause"]?["code"] != nil)
            try await rig.until("a check brings it back") {
                (try? await rig.ask("connection.check", ["name": "kingdee"]))?["ok"]?.bool == true
            }
            try await rig.drain()
            try await rig.expectExact("after the crashes")
        }
    }

    // MARK: what vendors do

    private struct Misfortune {
        var vendor: String
        var match: String
        var kind: String
        var more: JSONObject
        var struck: Int64 = 1
        /// Somebody must say that the connection is well again.
        var needsCheck = false
        /// Under which code an operator is told.
        var code: String?

        init(
            _ vendor: String, _ match: String, _ kind: String, _ more: JSONObject = ["times": 1],
            needsCheck: Bool = false, code: String? = nil
        ) {
            self.vendor = vendor
            self.match = match
            self.kind = kind
            self.more = more
            self.needsCheck = needsCheck
            self.code = code
        }
    }

    private static let misfortunes = [
        Misfortune("kingdee", "save", "loseAnswerAfterCommit", ["times": 2]),
        Misfortune("kingdee", "save", "commitLate", ["ms": 1_200, "times": 2]),
        Misfortune("kingdee", "save", "cutBody", code: "E-NET-031"),
        Misfortune("kingdee", "save", "cutJSON", code: "E-ANSWER-002"),
        Misfortune("kingdee", "save", "hugeBody", code: "E-NET-032"),
        Misfortune("kingdee", "save", "http500", ["times": 2]),
        Misfortune("kingdee", "save", "htmlPage", ["times": 2], code: "E-ANSWER-001"),
        Misfortune("kingdee", "save", "hang", code: "E-NET-030"),
        Misfortune("kingdee", "save", "hangAfterCommit"),
        Misfortune("kingdee", "save", "hangCommitLate:4000"),
        Misfortune("kingdee", "save", "http500AfterCommit"),
        Misfortune("kingdee", "save", "htmlAfterCommit", code: "E-ANSWER-001"),
        Misfortune("kingdee", "save", "responseErrorAfterCommit"),
        Misfortune("kingdee", "save", "databaseAfterCommit"),
        Misfortune("kingdee", "save", "database"),
        Misfortune("kingdee", "save", "networkControl"),
        Misfortune("kingdee", "save", "exception"),
        Misfortune("kingdee", "*", "expireTokens"),
        // The signature of every request was right a moment ago: somebody must look.
        Misfortune("kingdee", "*", "sessionLost", needsCheck: true),
        Misfortune("kingdee", "executebillquery", "http500", ["times": 3]),
        Misfortune("kingdee", "save", "rateLimit", needsCheck: true),
        Misfortune("dingtalk", "approval.detail", "rateLimit", ["times": 2]),
        Misfortune("dingtalk", "approval.detail", "http500", ["times": 2]),
        // A page in place of data is the vendor's ban of our address for five minutes: a person may know better.
        Misfortune("dingtalk", "approval.detail", "htmlPage", needsCheck: true, code: "E-ANSWER-001"),
        Misfortune("dingtalk", "approval.detail", "hang"),
        Misfortune("dingtalk", "approval.detail", "cutBody", code: "E-NET-031"),
        Misfortune("dingtalk", "approval.detail", "cutJSON", code: "E-ANSWER-002"),
        Misfortune("dingtalk", "approval.detail", "hugeBody", code: "E-NET-032"),
        Misfortune("dingtalk", "approval.detail", "expireTokens"),
        Misfortune("dingtalk", "approval.comment", "http500"),
        Misfortune("dingtalk", "approval.comment", "expireTokens"),
        Misfortune("dingtalk", "approval.comment", "loseAnswerAfterCommit", ["times": 2]),
        Misfortune("dingtalk", "approval.comment", "commitLate", ["ms": 1_200, "times": 2]),
        Misfortune("dingtalk", "approval.comment", "hang"),
        Misfortune("dingtalk", "approval.comment", "cutBody"),
    ]

    @Test("What comes 60 s late comes once, with the horizons that the connectors name themselves")
    func minuteLate() async throws {
        try await Rig.with(Rig.Setting(horizon: nil)) { rig in
            try rig.startHost()
            try await rig.hostRuns()
            for (vendor, operation) in [("kingdee", "save"), ("dingtalk", "approval.comment")] {
                try await rig.fault(vendor, operation, "commitLate", ["ms": 60_000, "times": 1])
            }
            try await rig.file(4, rejected: 1)
            try await rig.until("all is settled", within: 2 * Rig.patience) {
                let (flow, back) = try await rig.counts()
                return flow["done"]?.int == 3 && back["done"]?.int == 3
            }
            try await rig.expectExact("a minute late")
            for vendor in ["kingdee", "dingtalk"] { #expect(try await rig.faultsStruck(vendor) == 1) }
        }
    }

    @Test("Lost, late, broken, refused and missing answers leave the books exact")
    func misfortunes() async throws {
        try await Rig.with(Rig.Setting(horizon: "5s")) { rig in
            try rig.startHost()
            try await rig.hostRuns()
            for misfortune in Self.misfortunes {
                let name = "\(misfortune.vendor) \(misfortune.match) \(misfortune.kind)"
                try await rig.fault(misfortune.vendor, misfortune.match, misfortune.kind, misfortune.more)
                try await rig.file(3)
                if misfortune.needsCheck {
                    try await rig.until("\(name): the connection stands still") {
                        let connections = try await rig.ask("status")["connections"]?.array ?? []
                        return connections.contains {
                            $0["name"]?.string == misfortune.vendor && $0["state"]?.string == "paused"
                        }
                    }
                    #expect(try await rig.ask("connection.check", ["name": .string(misfortune.vendor)])["ok"] == true)
                }
                do {
                    try await rig.drain()
                } catch {
                    throw Rig.Trouble("\(name): \(error)")
                }
                #expect(try await rig.faultsStruck(misfortune.vendor) >= 1, "\(name) did not strike")
                if let code = misfortune.code {
                    // A write's trouble is in its document's history, a read's in the log: no document stands for it.
                    let told =
                        misfortune.match == "save"
                        ? try await rig.codes().contains(code)
                        : rig.lines("host.err").contains { $0.contains("fetch: \(code) ") }
                    #expect(told, "\(name) is not told as \(code)")
                }
                rig.forget("host.err")
                try await rig.expectExact(name)
            }
        }
    }

    @Test("The event stream is cut, silent and doubled: nothing is missed, nothing comes twice")
    func streamTrouble() async throws {
        try await Rig.with { rig in
            try rig.startHost()
            try await rig.hostRuns()
            _ = try await rig.simulator("dingtalk", "/_sim/stream/duplicate", ["count": 5])
            try await rig.file(5)
            try await rig.drain()
            _ = try await rig.simulator("dingtalk", "/_sim/stream/drop", [:])
            try await rig.file(5)
            try await rig.drain()
            _ = try await rig.simulator("dingtalk", "/_sim/stream/disconnect", [:])
            try await rig.file(5, rejected: 1, every: 50)
            try await rig.drain()
            try await rig.expectExact("after the stream's troubles")
        }
    }
}
