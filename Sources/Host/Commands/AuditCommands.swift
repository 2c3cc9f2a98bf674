import ArgumentParser
import Values

/// `datong audit`.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "审计:谁在何时做了什么 · who did what, and when", subcommands: [Verify.self])

    struct Verify: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "核对整条审计链,指出第一处断开 · walk the whole audit chain and name its first break")
        @OptionGroup var global: GlobalOptions

        func perform(_ session: Session) async throws -> ExitStatus {
            let answer = try await session.request("audit.verify")
            session.terminal.result(answer)
            return session.terminal.audit(answer)
        }
    }
}

extension Terminal {
    /// What the walk found; `attention` where the chain is whole and says itself that lines were missing once.
    func audit(_ answer: JSON) -> ExitStatus {
        guard let lines = answer["lines"]?.int else {
            problem(.badAnswer("audit.verify"))
            return .problem
        }
        if let broken = answer["broken"], broken != .null {
            say(Problem.Text(zh: "审计链共 \(lines) 行,已断开", en: "the audit chain has \(lines) lines and is broken"))
            line("  \(broken["code"]?.string ?? "") \(Screen.safe(broken.text(language) ?? ""))")
            if let next = broken.text(language, "next_") { line("  → " + Screen.safe(next)) }
            return .problem
        }
        say(
            Problem.Text(zh: "审计链完整,共 \(lines) 行", en: "the audit chain is whole, \(lines) lines"),
            means: Problem.Text(
                zh: "末行 \(plain(answer["newest"])),链值 \(plain(answer["chain"]).prefix(16))",
                en: "newest line \(plain(answer["newest"])), chain \(plain(answer["chain"]).prefix(16))"))
        let gaps = (answer["gaps"]?.array ?? []).map { plain($0) }
        if gaps.isEmpty { return .done }
        say(
            Problem.Text(
                zh: "第 \(gaps.joined(separator: "、")) 行记录:启动时账本比记下的旧",
                en:
                    "line \(gaps.joined(separator: ", ")) tells that the ledger was older at a start than had been noted"
            ),
            next: Problem.Text(
                zh: "若那时没有恢复备份,就是有人换过账本:与备份比较",
                en: "unless a backup was restored then, somebody replaced the ledger: compare it with a backup"))
        return .attention
    }
}
