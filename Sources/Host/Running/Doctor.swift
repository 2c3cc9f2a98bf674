import Ledger
import Values

/// Everything that can be checked, for `datong doctor`.
extension HostProcess {
    func doctor() async throws(Problem) -> JSON {
        var checks: [JSON] = []
        func check(_ state: String, _ zh: String, _ en: String, _ problem: Problem? = nil) {
            var entry: JSONObject = ["state": .string(state), "zh": .string(zh), "en": .string(en)]
            if let problem { entry["problem"] = ControlSocket.json(problem)["problem"] ?? .null }
            checks.append(.object(entry))
        }
        check("ok", "账本已打开, synchronous=FULL", "the ledger is open, synchronous=FULL")
        do throws(Problem) {
            // Opened anew: the running host would not notice a key file that is gone before its next start.
            try reloadVault()
            check("ok", "保险库可以打开", "the vault opens")
        } catch {
            check("failed", "保险库", "the vault", error)
        }
        do throws(Problem) {
            _ = try RevisionStore(paths.root).active()
            check("ok", "运行的版本未被改动", "the running revision is unaltered")
        } catch {
            check("failed", "运行的版本", "the running revision", error)
        }
        do throws(Problem) {
            let report = try await auditReport()
            if let broken = report.broken { throw broken.problem }
            check("ok", "审计链完整, \(report.lines) 行", "the audit chain is whole, \(report.lines) lines")
        } catch {
            check("failed", "审计链", "the audit chain", error)
        }
        let counts = try await read { [ledger] () throws(Problem) in try ledger.counts() }
        let unbalanced = counts.filter { !$0.isBalanced }.count
        check(
            unbalanced == 0 ? "ok" : "failed", "已读 = 成功 + 跳过 + 待处理 + 需人工 + 核对中",
            "read = done + skipped + pending + held + checking")
        let held = counts.reduce(0) { $0 + ($1.counts[.held] ?? 0) }
        if held > 0 {
            check(
                "warning", "\(held) 张单据需人工: datong ledger list --state held",
                "\(held) documents are held: datong ledger list --state held")
        }
        for stream in plan.streams.values.sorted(by: { $0.id < $1.id }) {
            guard let trouble = streams.report(stream.id).trouble else { continue }
            check(
                "warning", "连接 \(stream.connection) 读取 \(stream.document) 有困难",
                "connection \(stream.connection) has trouble with reading \(stream.document)", trouble)
        }
        for connection in plan.connections.keys.sorted() {
            do throws(Problem) {
                let report = try await probe(connection)
                let bad = (report["checks"]?.array ?? []).filter { $0["ok"]?.bool != true }
                check(
                    bad.isEmpty ? "ok" : "failed",
                    "连接 \(connection): \(bad.isEmpty ? "可用" : bad.compactMap { $0["zh"]?.string }.joined(separator: "; "))",
                    "connection \(connection): \(bad.isEmpty ? "works" : bad.compactMap { $0["en"]?.string }.joined(separator: "; "))"
                )
            } catch {
                check("failed", "连接 \(connection)", "connection \(connection)", error)
            }
        }
        for note in Words.notProved { check("note", note.zh, note.en) }
        return ["checks": .array(checks)]
    }

    func probe(_ connection: String) async throws(Problem) -> JSON {
        guard let worker = worker(connection) else { throw .noConnection(connection) }
        return try await worker.probe()
    }
}
