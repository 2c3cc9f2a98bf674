import Foundation
import Synchronization
import Testing
import Values
import Vault

@testable import Host

/// A host that answers from a script and remembers what it was asked.
private final class ScriptedHost: HostServices, HostControl {
    private let answers: [String: JSON]
    private let asked = Mutex<[(verb: String, arguments: JSON)]>([])

    init(_ answers: [String: JSON] = [:]) { self.answers = answers }

    var requests: [String] { asked.withLock { $0.map { "\($0.verb) \($0.arguments.text)" } } }

    func control(_ root: String, _ terminal: Terminal) -> any HostControl { self }
    var inspector: any ConnectorInspector { FileInspector() }
    func run(_ root: String, _ terminal: Terminal) async throws(Problem) { throw .hostNotRunning }

    func request(_ verb: String, _ arguments: JSON) async throws(Problem) -> JSON {
        asked.withLock { $0.append((verb, arguments)) }
        let isPlan = arguments["dry_run"]?.bool == true
        guard let answer = answers[isPlan ? verb + "?" : verb] else { throw .hostNotRunning }
        return answer
    }
}

/// Runs a command line against a host and gives what was seen.
private func run(_ words: [String], _ host: ScriptedHost = ScriptedHost()) async -> (
    status: Int32, out: String, err: String
) {
    let captured = Captured()
    let status = await Session.$services.withValue(host) {
        await Session.$terminal.withValue({ captured.terminal($0, json: $1) }) { await CommandLineTool.run(words) }
    }
    return (status, captured.output, captured.errors)
}

private func workspace(_ sample: Sample = Sample()) throws -> TemporaryFolder {
    let folder = TemporaryFolder()
    try sample.write(to: folder.path)
    try FileStore.makeFolder(folder.path + "/connectors")
    try FileStore.replace(folder.path + "/connectors/libOffice.so", Sample.office.serialized())
    try FileStore.replace(folder.path + "/connectors/libBooks.so", Sample.books.serialized())
    return folder
}

@Suite("Commands ask, show, and end with a status that tells the caller what to do")
struct CommandTests {
    @Test(
        "a wrong command line is 2",
        arguments: [
            ["apply", "--yess"], ["ledger", "retry"], ["ledger", "retry", "5", "--flow", "x"],
            ["ledger", "list", "--state", "lost"], ["ledger", "list", "--limit", "0"],
            ["ledger", "resolve", "5", "--number", "1"], ["ledger", "resolve", "5", "--why", "x"],
            ["ledger", "resolve", "5", "--number", "1", "--absent", "--why", "x"],
            ["ledger", "resolve", "5", "--absent", "--by-hand", "--why", "x"],
            ["vault", "put", "a", "--from-file", "b", "--stdin"],
            ["teleport"],
        ])
    func usage(_ words: [String]) async {
        #expect(await run(words).status == 2)
    }

    @Test("the process is closed to core dumps and debuggers before any command runs")
    func hardened() async {
        await #expect(processExitsWith: .success) {
            let status = await CommandLineTool.start(["--version"])
            exit(status == 0 && ProcessHardening.isApplied ? 0 : 1)
        }
    }

    @Test("a folder that is no workspace is said before anything is asked")
    func noWorkspace() async {
        let folder = TemporaryFolder()
        let host = ScriptedHost()
        let result = await run(["-w", folder.path, "--lang", "en", "status"], host)
        #expect(result.status == 1)
        #expect(result.err.hasPrefix("E-COMMAND-001 "))
        #expect(host.requests == [])
    }

    @Test("commands speak the workspace's language where none was asked for")
    func workspaceLanguage() async throws {
        func said(_ locale: String, _ words: [String]) async throws -> String {
            let folder = try workspace(Sample().replacing("datong.yaml", "practice: true", "practice: true\n\(locale)"))
            return await run(["-w", folder.path] + words).err
        }
        #expect(try await said("locale: en", ["status"]).contains("no host runs"))
        #expect(try await said("locale: zh-CN", ["status"]).contains("没有运行中的主机"))
        #expect(try await said("locale: en", ["--lang", "zh", "status"]).contains("没有运行中的主机"))
        #expect(try await said("locale: zh-CN", ["--lang", "en", "status"]).contains("no host runs"))
    }

    @Test("a host that does not run is 4")
    func notRunning() async throws {
        let folder = try workspace()
        #expect(await run(["-w", folder.path, "status"]).status == 4)
        #expect(await run(["-w", folder.path, "run"]).status == 4)
    }

    @Test(
        "options of every command may stand before its name",
        arguments: [
            (["-w", "d", "status"], ["status", "-w", "d"]),
            (["--json", "ledger", "list"], ["ledger", "list", "--json"]),
            (["--lang=en", "flow", "try", "x"], ["flow", "try", "--lang=en", "x"]),
            (["status", "-w", "d"], ["status", "-w", "d"]),
            (["-w", "d", "simulate", "a", "--port", "1"], ["simulate", "-w", "d", "a", "--port", "1"]),
            (["-h"], ["-h"]), (["-w"], ["-w"]),
        ])
    func globals(_ given: [String], _ meant: [String]) {
        #expect(CommandLineTool.hoistingGlobals(given) == meant)
    }

    private func flow(_ read: Int, done: Int, held: Int = 0) -> JSON {
        [
            "name": "claims", "state": "active",
            "counts": [
                "read": .int(read), "done": .int(done), "skipped": 1, "pending": 0, "held": .int(held), "checking": 0,
            ],
        ]
    }

    private func status(_ flow: JSON, stopped: Bool = false) -> ScriptedHost {
        ScriptedHost([
            "status": [
                "title": "示例", "practice": true, "revision": 3, "host": ["version": "0.1.0"],
                "connections": [
                    [
                        "name": "books", "state": "paused", "connector": "books", "version": "2.3.0",
                        "confinement": "worker", "waits_for_person": .bool(stopped),
                        "quota": [["id": "per_day", "used": 120, "max": 5000]],
                        "cause": [
                            "code": "I-1", "zh": "额度用完", "en": "quota spent", "next_zh": "等到明天",
                            "next_en": "wait for tomorrow",
                        ],
                    ]
                ], "flows": [flow], "notes": [["zh": "未验证:X", "en": "not proved: X"]],
            ]
        ])
    }

    @Test(
        "status: green is 0, a document or a connection that waits for a person is 3, counts that do not add up are 1")
    func statusExit() async throws {
        let folder = try workspace()
        let words = ["-w", folder.path, "--lang", "zh", "status"]
        #expect(await run(words, status(flow(11, done: 10))).status == 0)
        #expect(await run(words, status(flow(12, done: 10, held: 1))).status == 3)
        #expect(await run(words, status(flow(11, done: 10), stopped: true)).status == 3)
        let lying = await run(words, status(flow(12, done: 10)))
        #expect(lying.status == 1)
        #expect(lying.out.contains("E-COMMAND-002"))
    }

    @Test("status is one screen in the person's language, and JSON as it came")
    func statusScreen() async throws {
        let folder = try workspace()
        let host = status(flow(11, done: 10))
        let zh = await run(["-w", folder.path, "--lang", "zh", "status"], host).out
        #expect(
            zh == """
                示例  版本 3  datong 0.1.0  [练习工作区,未签署]

                连接   状态    连接器       隔离    额度
                books  已暂停  books 2.3.0  worker  per_day 120/5000
                  books: I-1 额度用完
                  → 等到明天

                流程    状态  已读  成功  跳过  待处理  需人工  核对中  最近成功
                claims  运行    11    10     1       0       0       0  —
                · 未验证:X

                """)
        let en = await run(["-w", folder.path, "--lang", "en", "status"], host).out
        #expect(en.contains("claims  active    11    10        1"))
        let json = try JSON.parse(await run(["-w", folder.path, "--json", "status"], host).out)
        #expect(json["flows"]?[0]?["counts"]?["done"]?.int == 10)
    }

    private var plan: JSON {
        [
            "running": 1, "content": "abc", "problems": [],
            "changes": [
                ["subject": "table", "name": "accounts", "kind": "changed", "zh": "新增行 X", "en": "row added X"]
            ],
        ]
    }

    @Test("apply: shown and not applied is 3, without a person to ask it is refused, with --yes exactly what was shown")
    func apply() async throws {
        let folder = try workspace()
        let host = ScriptedHost(["apply?": plan, "apply": ["revision": 2, "host_running": true]])
        let dry = await run(["-w", folder.path, "--lang", "en", "apply", "--dry-run"], host)
        #expect(dry.status == 3 && dry.out.contains("row added X"))
        let unasked = await run(["-w", folder.path, "--lang", "en", "apply"], host)
        #expect(unasked.status == 1 && unasked.err.hasPrefix("E-TERM-004 "))
        #expect(host.requests == [#"apply {"dry_run":true}"#, #"apply {"dry_run":true}"#])

        let yes = await run(["-w", folder.path, "--lang", "en", "apply", "--yes"], host)
        #expect(yes.status == 0 && yes.out.contains("revision 2 is in force"))
        #expect(host.requests.last == #"apply {"content":"abc"}"#)
        let json = try JSON.parse(await run(["-w", folder.path, "--json", "apply", "--yes"], host).out)
        #expect(json["revision"]?.int == 2)
    }

    @Test("apply: problems are listed with their places and nothing is frozen")
    func applyProblems() async throws {
        let folder = try workspace()
        let found: JSON = [
            "running": nil, "content": "", "changes": [],
            "problems": [
                [
                    "code": "E-CONF-020", "file": "flows/claims.yaml", "line": 7, "zh": "未定", "en": "open",
                    "next_zh": "写", "next_en": "write",
                ]
            ],
        ]
        let host = ScriptedHost(["apply?": found])
        let result = await run(["-w", folder.path, "--lang", "en", "apply", "--yes"], host)
        #expect(result.status == 1)
        #expect(result.err == "E-CONF-020 flows/claims.yaml:7  open\n  → write\n1 problems; nothing was changed\n")
        #expect(host.requests.count == 1)
    }

    @Test("rollback asks for the content it showed")
    func rollback() async throws {
        let folder = try workspace()
        let host = ScriptedHost([
            "rollback?": ["to": 4, "changes": []], "rollback": ["revision": 6, "host_running": false],
        ])
        let result = await run(["-w", folder.path, "--lang", "en", "rollback", "--yes"], host)
        #expect(
            result.status == 0 && result.out.contains("revision 6 is in force") && result.out.contains("datong run"))
        #expect(host.requests == [#"rollback {"to":null,"dry_run":true}"#, #"rollback {"to":4}"#])
        #expect(result.out.contains("the next datong apply would put it back"))
        let broken = await run(
            ["-w", folder.path, "--lang", "en", "rollback", "--yes"], ScriptedHost(["rollback?": [:]]))
        #expect(broken.err.hasPrefix("E-CONTROL-004 "))
    }

    @Test("ledger: a list, one document's whole history, and what a person decides")
    func ledger() async throws {
        let folder = try workspace()
        let item: JSON = [
            "item": 17, "flow": "claims", "state": "held",
            "document": ["id": "p1", "number": "2026-0042", "title": "差旅"],
            "cause": ["code": "E-MAP-001", "zh": "缺码 无人机租赁费", "en": "no code", "next_zh": "补表", "next_en": "add it"],
            "target": ["number": nil], "attempts": 1, "changed": "2026-01-05T10:00:00+08:00",
        ]
        let host = ScriptedHost([
            "ledger.list": ["items": [item], "more": true],
            "ledger.show": [
                "item": item, "key": "abc",
                "source": ["connection": "office", "document": "approval", "number": "2026-0042"],
                "target": ["connection": "books", "document": "voucher"],
                "history": [["at": "10:00", "attempt": 1, "zh": "已收到", "en": "received"]],
                "next": [["command": "datong ledger retry 17", "zh": "重试", "en": "retry"]],
            ], "ledger.retry": ["retried": 3], "ledger.resolve": ["item": 17, "state": "done"],
            "ledger.skip": ["item": 17, "state": "skipped"],
        ])
        let list = await run(
            ["-w", folder.path, "--lang", "zh", "ledger", "list", "--state", "held", "--flow", "claims"], host)
        #expect(list.status == 0 && list.out.contains("需人工") && list.out.contains("E-MAP-001 缺码 无人机租赁费"))
        #expect(host.requests.last == #"ledger.list {"limit":50,"flow":"claims","state":"held"}"#)
        let show = await run(["-w", folder.path, "--lang", "zh", "ledger", "show", "17"], host)
        #expect(
            show.out.contains("2026-0042  差旅") && show.out.contains("→ 补表")
                && show.out.contains("datong ledger retry 17"))
        #expect(show.out.contains("10:00  #1  已收到"))
        _ = await run(["-w", folder.path, "ledger", "retry", "17"], host)
        #expect(host.requests.last == #"ledger.retry {"item":17}"#)
        _ = await run(["-w", folder.path, "ledger", "retry", "--flow", "claims"], host)
        #expect(host.requests.last == #"ledger.retry {"flow":"claims","state":"held"}"#)
        let done = await run(
            ["-w", folder.path, "--lang", "zh", "ledger", "resolve", "17", "--number", "记-9", "--why", "人工已录"], host)
        #expect(done.out.contains("现在是:成功"))
        #expect(host.requests.last == #"ledger.resolve {"item":17,"number":"记-9","why":"人工已录"}"#)
        let byHand = ["ledger", "resolve", "17", "--number", "9", "--by-hand", "--why", "x"]
        _ = await run(["-w", folder.path] + byHand, host)
        #expect(host.requests.last == #"ledger.resolve {"item":17,"number":"9","by_hand":true,"why":"x"}"#)
        let blind = ScriptedHost(["ledger.resolve": ["item": 17, "state": "done", "looked_up": "no"]])
        let said = await run(["-w", folder.path, "--lang", "en"] + byHand, blind)
        #expect(said.out.contains("nothing was looked up at the target"))
        _ = await run(["-w", folder.path, "ledger", "resolve", "17", "--absent", "--why", "looked"], host)
        #expect(host.requests.last == #"ledger.resolve {"item":17,"absent":true,"why":"looked"}"#)
        let skip = await run(["-w", folder.path, "--lang", "zh", "ledger", "skip", "17", "--why", "重复"], host)
        #expect(skip.out.contains("已跳过"))
    }

    @Test("audit verify: whole is 0, a gap that is on record 3, a break 1 with its line and what to do")
    func audit() async throws {
        let folder = try workspace()
        func verify(_ answer: JSON, _ more: [String] = ["--lang", "en"]) async -> (Int32, String) {
            let result = await run(
                ["-w", folder.path] + more + ["audit", "verify"], ScriptedHost(["audit.verify": answer]))
            return (result.status, result.out + result.err)
        }
        var answer: JSONObject = ["lines": 42, "newest": 42, "chain": "00ff", "gaps": [], "broken": nil]
        let whole = await verify(.object(answer))
        #expect(whole.0 == 0 && whole.1.contains("whole, 42 lines") && whole.1.contains("00ff"))
        #expect(await verify(.object(answer), ["--lang", "zh"]).1.contains("完整,共 42 行"))
        answer["gaps"] = [7, 9]
        let gaps = await verify(.object(answer))
        #expect(gaps.0 == 3 && gaps.1.contains("line 7, 9") && gaps.1.contains("→"))
        answer["broken"] = [
            "line": 8, "code": "E-LEDGER-006", "zh": "断在 8", "en": "breaks at 8", "next_zh": "保留", "next_en": "keep it",
        ]
        let broken = await verify(.object(answer))
        #expect(broken.0 == 1 && broken.1.contains("E-LEDGER-006 breaks at 8") && broken.1.contains("→ keep it"))
        #expect(await verify(.object(answer), ["--json"]).1.contains(#""line":8"#))
        #expect(await verify([:]).1.hasPrefix("E-CONTROL-004 "))
    }

    @Test("the five states have five words")
    func words() {
        #expect(StateWord.allCases.map(\.rawValue) == ["done", "skipped", "pending", "held", "checking"])
        #expect(StateWord.allCases.map(\.text.zh) == ["成功", "已跳过", "待处理", "需人工", "结果未知,正在核对"])
    }

    @Test("flows, connections, doctor")
    func operation() async throws {
        let folder = try workspace()
        let checks: JSON = [
            ["state": "ok", "zh": "登录成功", "en": "logged in"],
            [
                "state": "failed", "zh": "无权限", "en": "no permission",
                "problem": ["code": "E-1", "zh": "缺权限", "en": "lacks", "next_zh": "开通", "next_en": "grant"],
            ],
        ]
        let host = ScriptedHost([
            "flow.pause": ["state": "paused"], "flow.resume": ["state": "active"], "flow.run": ["started": true],
            "flow.try": ["results": [["date": "2026-01-05"]], "problems": []],
            "connection.check": ["ok": false, "checks": checks], "doctor": ["checks": checks],
        ])
        let base = ["-w", folder.path, "--lang", "en"]
        #expect(await run(base + ["flow", "pause", "claims", "--why", "month end"], host).status == 0)
        #expect(host.requests.last == #"flow.pause {"flow":"claims","why":"month end"}"#)
        #expect(await run(base + ["flow", "resume", "claims"], host).status == 0)
        #expect(await run(base + ["flow", "run", "claims"], host).status == 0)
        let tried = await run(base + ["flow", "try", "claims", "--instance", "p1"], host)
        #expect(
            tried.status == 0 && tried.out.contains("\"date\": \"2026-01-05\"")
                && tried.out.contains("nothing was written"))
        #expect(host.requests.last == #"flow.try {"flow":"claims","instance":"p1"}"#)
        let check = await run(base + ["connection", "check", "books"], host)
        #expect(check.status == 1 && check.out.contains("✗ no permission\n    E-1 lacks\n    → grant"))
        #expect(await run(base + ["doctor"], host).status == 1)
    }

    @Test("flow validate, list and connection list read the draft without a host")
    func draftCommands() async throws {
        let folder = try workspace()
        #expect(await run(["-w", folder.path, "flow", "validate"]).status == 0)
        #expect(await run(["-w", folder.path, "flow", "validate", "claim"]).err.contains("claims"))
        let list = try JSON.parse(await run(["-w", folder.path, "--json", "flow", "list"]).out)
        #expect(list["flows"]?[0]?["direction"]?.string == "one-way")
        #expect(await run(["-w", folder.path, "connection", "list"]).out.contains("https://books.example.com/api/"))
        try Sample().replacing("connections/books.yaml", "company:", "compnay:").write(to: folder.path)
        let wrong = await run(["-w", folder.path, "--lang", "en", "flow", "validate"])
        #expect(wrong.status == 1 && wrong.err.contains("E-CONF-012 connections/books.yaml:5"))
    }

    @Test("connector list and inspect tell what the libraries say of themselves")
    func connectors() async throws {
        let folder = try workspace()
        try FileStore.replace(folder.path + "/connectors/libBad.so", Array("no description".utf8))
        let list = await run(["-w", folder.path, "--lang", "en", "connector", "list"])
        #expect(list.status == 3 && list.out.contains("books      2.3.0    ledger") && list.err.contains("libBad.so"))
        let inspect = await run(["--lang", "en", "connector", "inspect", folder.path + "/connectors/libBooks.so"])
        #expect(inspect.status == 0 && inspect.out.contains("secret") && inspect.out.contains("token"))
    }

    @Test("inspect marks what no flow of this version can carry, and nothing else")
    func notInFlows() async throws {
        let folder = try workspace()
        var office = Sample.office.object ?? [:]
        var product = office["products"]?[0]?.object ?? [:]
        product["documents"] = [
            ["type": "approval-comment", "abilities": ["write"], "comments_on": "approval"],
            ["type": "message", "abilities": ["write"]],
        ]
        product["streams"] = [
            ["document": "approval", "abilities": ["read"]], ["document": "account", "abilities": ["read"]],
        ]
        office["products"] = [.object(product)]
        let library = folder.path + "/connectors/libOffice.so"
        try FileStore.replace(library, JSON.object(office).serialized())
        let shown = await run(["--lang", "en", "connector", "inspect", library]).out.split(separator: "\n")
        let marked = shown.filter { $0.contains("not usable in flows of this version") }
        #expect(marked.count == 2 && marked[0].contains("account") && marked[1].contains("message"), "\(shown)")
        #expect(await run(["--lang", "zh", "connector", "inspect", library]).out.contains("本版本流程尚不可用"))
        let told = try JSON.parse(await run(["--json", "connector", "inspect", library]).out)
        #expect(told["not_in_flows"] == ["account", "message"])
    }

    @Test("schema prints the published schema as it is")
    func schema() async throws {
        let result = await run(["schema", "voucher"])
        #expect(try JSON.parse(result.out)["$id"]?.string == "datong:voucher:1")
        #expect(await run(["schema", "vocher"]).status == 1)
    }

    @Test("revisions: list, show and diff")
    func revisions() async throws {
        let folder = try workspace()
        let application = try await Application.prepare(folder.path, inspector: FileInspector())
        _ = try application.freeze(expecting: nil, created: "2026-01-05T10:00:00+08:00", user: "tester")
        #expect(
            await run(["-w", folder.path, "--lang", "en", "revision", "list"]).out.contains(
                "*  1         2026-01-05T10:00:00+08:00  tester  apply"))
        #expect(await run(["-w", folder.path, "revision", "show"]).out.contains("tables/accounts.csv"))
        #expect(await run(["-w", folder.path, "revision", "show", "7"]).err.hasPrefix("E-REVISION-001"))
        #expect(await run(["-w", folder.path, "revision", "diff", "1"]).status == 0)
        try Sample().with("tables/accounts.csv", "费用类型,科目\n差旅费,6601.01\n办公费,6602.04\n").write(to: folder.path)
        let diff = await run(["-w", folder.path, "--lang", "en", "revision", "diff", "1"])
        #expect(diff.status == 3 && diff.out.contains("差旅费 → 6602.01 is now 差旅费 → 6601.01"))
    }

    @Test("flow preview: mapped, skipped by the filter, held for a missing code, refused for a wrong document")
    func preview() async throws {
        let folder = try workspace()
        func preview(_ type: String, result: String = "agree", amount: String = "100.50") async throws -> (
            status: Int32, out: String, err: String
        ) {
            let text = """
                {"id":"p1","number":"N1","template":"T1","title":"差旅","status":"completed","result":"\(result)","action":"none",
                 "applicant":{"id":"u1"},"created_at":"2026-01-05T18:34:00+08:00","finished_at":"2026-01-05T19:52:00+08:00",
                 "fields":[{"id":"a","label":"总金额","kind":"money","value":"\(amount)"},{"id":"b","label":"费用类型","kind":"select","value":"\(type)"}]}
                """
            try FileStore.replace(folder.path + "/p1.json", Array(text.utf8))
            return await run([
                "-w", folder.path, "--lang", "en", "flow", "preview", "claims", "--document", folder.path + "/p1.json",
            ])
        }
        let good = try await preview("差旅费")
        #expect(
            good.status == 0 && good.out.contains("\"account\": \"6602.01\"")
                && good.out.contains("\"debit\": \"100.50\""))
        let skipped = try await preview("差旅费", result: "refuse")
        #expect(skipped.status == 0 && skipped.out.contains("would be skipped"))
        let held = try await preview("无人机租赁费")
        #expect(held.status == 1 && held.out.contains("E-MAP-001") && held.out.contains("tables/accounts.csv"))
        try FileStore.replace(folder.path + "/p2.json", Array("{\"id\":\"p2\"}".utf8))
        let wrong = await run([
            "-w", folder.path, "--lang", "en", "flow", "preview", "claims", "--document", folder.path + "/p2.json",
        ])
        #expect(wrong.status == 1 && wrong.out.contains("datong schema approval"))
        #expect(
            await run(["-w", folder.path, "flow", "preview", "x", "--document", folder.path + "/p2.json"]).err
                .hasPrefix("E-CONF-025"))
    }

    @Test("the vault: made, filled from a file, listed without contents, verified against the configuration, emptied")
    func vault() async throws {
        let keys = TemporaryFolder()
        let folder = try workspace(Sample().replacing("datong.yaml", "/keys/example.key", keys.path + "/example.key"))
        let base = ["-w", folder.path, "--lang", "en"]
        #expect(await run(base + ["vault", "list"]).status == 1)
        #expect(await run(base + ["vault", "init"]).status == 0)
        #expect(FileStore.exists(keys.path + "/example.key"))
        try FileStore.replace(keys.path + "/secret.txt", Array("t0p-secret\n".utf8))
        let verify = await run(base + ["vault", "verify"])
        #expect(verify.status == 3 && verify.out.contains("datong vault put books/token"))
        for name in ["books/token", "office/app-secret"] {
            let put = await run(base + ["vault", "put", name, "--from-file", keys.path + "/secret.txt"])
            #expect(put.status == 0, "\(put.err)")
        }
        #expect(
            await run(base + ["vault", "put", "t0p secret!", "--from-file", keys.path + "/secret.txt"]).err.hasPrefix(
                "E-COMMAND-004"))
        #expect(await run(base + ["vault", "verify"]).status == 0)
        let list = await run(base + ["vault", "list"])
        #expect(list.out.contains("books/token") && !list.out.contains("t0p-secret"))
        let get = await run(base + ["vault", "get", "books/token"])
        #expect(get.status == 0 && !get.out.contains("t0p-secret"))
        #expect(await run(base + ["vault", "get", "book/token"]).err.contains("did you mean books/token"))
        // Every use is told to a running host, for the audit; listing names is none.
        let host = ScriptedHost(["vault.record": .null])
        _ = await run(base + ["vault", "put", "books/token", "--from-file", keys.path + "/secret.txt"], host)
        _ = await run(base + ["vault", "get", "books/token"], host)
        _ = await run(base + ["vault", "list"], host)
        _ = await run(base + ["vault", "get", "books/token", "--reveal"], host)
        _ = await run(base + ["vault", "remove", "office/app-secret", "--yes"], host)
        #expect(
            host.requests == [
                #"vault.record {"action":"put","secret":"books/token","version":4}"#,
                #"vault.record {"action":"get","secret":"books/token","version":4}"#,
                #"vault.record {"action":"remove","secret":"office/app-secret"}"#,
            ])
        #expect(await run(base + ["vault", "remove", "books/token", "--yes"]).status == 0)
        #expect(await run(base + ["vault", "verify"]).status == 3)
        for name in FileStore.names(in: folder.path) where !["state", "connectors", "vault.datong"].contains(name) {
            #expect(!FileStore.names(in: folder.path + "/" + name).contains("secret.txt"))
        }
    }

    @Test("init writes a practice workspace from what the connectors say, and it validates")
    func initPractice() async throws {
        let home = try workspace()
        let target = TemporaryFolder()
        let words = [
            "--lang", "en", "init", target.path + "/new", "--practice", "--customer", "example", "--title", "示例: 五金 #1",
            "--connectors", home.path + "/connectors", "--source", "office/suite", "--target", "books/ledger",
            "--source-endpoint", "https://office.example.com/", "--target-endpoint", "http://127.0.0.1:8702/x/",
            "--key-file", target.path + "/keys/example.key",
        ]
        let made = await run(words)
        #expect(made.status == 0, "\(made.err)")
        let root = target.path + "/new"
        #expect(FileStore.exists(root + "/vault.datong") && FileStore.exists(target.path + "/keys/example.key"))
        let (draft, problems) = Draft.load(root)
        #expect(problems.map { "\($0.place) \($0.problem.code)" } == ["flows/approval-to-voucher.yaml:12 E-CONF-041"])
        #expect(draft?.workspace.title == "示例: 五金 #1")
        #expect(draft?.connection("books")?.secrets == ["token": "books/token"])
        #expect(draft?.flows.first?.direction == .oneWay)
        // What only the customer knows is left to fill in, and said.
        let validate = await run(["-w", root, "--lang", "en", "flow", "validate"])
        #expect(validate.err.contains("settings.company") && validate.err.contains("from.where.template"))
        #expect(await run(words).err.hasPrefix("E-COMMAND-005"))
    }

    @Test("init without practice leaves the decisions open rather than taking them")
    func initOpen() async throws {
        let home = try workspace()
        let target = TemporaryFolder()
        let made = await run([
            "--json", "init", target.path + "/new", "--customer", "example", "--connectors", home.path + "/connectors",
            "--source", "office/suite", "--target", "books/ledger", "--no-vault",
        ])
        let codes = try JSON.parse(made.out)["problems"]?.array?.compactMap { $0["code"]?.string } ?? []
        #expect(codes.filter { $0 == "E-CONF-020" }.count == 3)
        let missing = await run([
            "--lang", "en", "init", target.path + "/other", "--connectors", home.path + "/connectors",
        ])
        #expect(missing.status == 1 && missing.err.hasPrefix("E-COMMAND-006 --customer"))
        // What `apply` would refuse is said at once.
        let early = try JSON.parse(
            await run([
                "--json", "init", target.path + "/early", "--practice", "--customer", "example", "--connectors",
                home.path + "/connectors", "--source", "office/suite", "--target", "books/ledger", "--no-vault",
                "--source-endpoint", "https://o.example.com/", "--target-endpoint", "https://b.example.com/",
                "--direction", "two-way", "--history-before", "link", "--documents", "approval/voucher",
            ]).out)
        let refused = early["problems"]?.array?.filter { $0["code"] == "E-CONF-049" }
        #expect(refused?.count == 2, "\(early.text)")
        let unknown = await run([
            "--lang", "en", "init", target.path + "/other", "--customer", "example", "--connectors",
            home.path + "/connectors",
            "--source", "ofice/suite", "--target", "books/ledger",
        ])
        #expect(unknown.err.contains("did you mean office/suite"))
    }

    @Test("a simulator that is not beside the executable is said")
    func noSimulator() async {
        // The simulator takes the place of the process that finds it: not in a test's process.
        let said = await Session.$toolFolder.withValue("/nonexistent") {
            await run(["--lang", "en", "simulate", "x"]).err
        }
        #expect(said.hasPrefix("E-COMMAND-003 "))
    }

    @Test("every code of configuration, terminal and commands stands in a test")
    func everyCodeIsTested() throws {
        func codes(in folder: String) throws -> Set<String> {
            var found: Set<String> = []
            for name in FileStore.names(in: folder) where name.hasSuffix(".swift") {
                let text = String(decoding: try FileStore.read(folder + "/" + name, limit: 1 << 20), as: UTF8.self)
                for match in text.matches(of: /E-(CONF|REVISION|TERM|COMMAND)-[0-9]{3}/) {
                    found.insert(String(match.output.0))
                }
            }
            return found
        }
        var made: Set<String> = []
        for folder in ["Configuration", "Terminal", "Commands"] {
            made.formUnion(try codes(in: Repository.root + "/Sources/Host/" + folder))
        }
        let tested = try codes(in: Repository.root + "/Tests/HostTests")
        #expect(made.subtracting(tested).sorted() == [])
    }
}
