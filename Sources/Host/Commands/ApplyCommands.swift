import ArgumentParser
import Values

/// `datong apply`.
struct Apply: DatongCommand {
    static let configuration = CommandConfiguration(
        abstract: "校验草稿、列出变更,冻结为下一版本并运行 · check the draft, show what changes, freeze and run it")
    @OptionGroup var global: GlobalOptions
    @Flag(help: "不再询问 · do not ask") var yes = false
    @Flag(help: "只校验和列出变更 · only check and show") var dryRun = false

    func perform(_ session: Session) async throws -> ExitStatus {
        let terminal = session.terminal
        terminal.progress(terminal.words("校验草稿…", "checking the draft…"))
        let plan = try await session.request("apply", ["dry_run": true])
        terminal.progressDone()
        if let damage = plan["damage"], let text = damage.text(terminal.language), !terminal.json {
            terminal.note("\(damage["code"]?.string ?? "") \(Screen.safe(text))")
            terminal.note("  → \(Screen.safe(damage.text(terminal.language, "next_") ?? ""))")
        }
        let problems = plan["problems"]?.array ?? []
        guard problems.isEmpty else {
            terminal.found(plan)
            return .problem
        }
        let changes = plan["changes"]?.array ?? []
        if changes.isEmpty, let running = plan["running"]?.int {
            terminal.result(plan)
            let nothing = Problem.nothingChanged(Int(running))
            terminal.say(nothing.what, next: nothing.next)
            return .done
        }
        if dryRun || !terminal.json { terminal.changes(changes) }
        if dryRun {
            terminal.result(plan)
            terminal.say(
                Problem.Text(zh: "草稿通过校验,未做更改", en: "the draft is in order; nothing was changed"),
                next: Problem.Text(zh: "datong apply 使其生效", en: "datong apply puts it in force"))
            return changes.isEmpty ? .done : .attention
        }
        if !yes {
            guard terminal.canAsk else { throw Problem.consentNeeded }
            guard terminal.confirm(terminal.words("使这些变更生效?", "put these changes in force?")) else {
                terminal.say(Problem.Text(zh: "未做更改", en: "nothing was changed"))
                return .attention
            }
        }
        let answer = try await session.request("apply", ["content": plan["content"] ?? .null])
        terminal.result(answer)
        terminal.inForce(answer)
        return .done
    }
}

/// `datong rollback`.
struct Rollback: DatongCommand {
    static let configuration = CommandConfiguration(
        abstract: "让较早的版本成为下一版本 · make an earlier revision the next one")
    @OptionGroup var global: GlobalOptions
    @Argument(help: "版本号,默认上一次 apply 之前的内容 · revision, else what ran before the last apply") var revision: Int?
    @Flag(help: "不再询问 · do not ask") var yes = false

    func perform(_ session: Session) async throws -> ExitStatus {
        let terminal = session.terminal
        let to: JSON = revision.map { .int($0) } ?? .null
        let plan = try await session.request("rollback", ["to": to, "dry_run": true])
        guard let target = plan["to"] else { throw Problem.badAnswer("rollback") }
        if !terminal.json { terminal.changes(plan["changes"]?.array ?? []) }
        if !yes {
            guard terminal.canAsk else { throw Problem.consentNeeded }
            guard terminal.confirm(terminal.words("回退到版本 \(target.text)?", "go back to revision \(target.text)?"))
            else {
                terminal.say(Problem.Text(zh: "未做更改", en: "nothing was changed"))
                return .attention
            }
        }
        let answer = try await session.request("rollback", ["to": target])
        terminal.result(answer)
        terminal.inForce(answer)
        let running = answer["revision"]?.int.flatMap { try? RevisionStore(session.root).load(Int($0)) }
        if running?.draft.files != Draft.load(session.root).draft?.files {
            terminal.say(
                Problem.Text(
                    zh: "草稿文件仍是另一内容: 下一次 datong apply 会再使其生效",
                    en: "the draft files still hold the other content: the next datong apply would put it back"),
                next: Problem.Text(zh: "datong apply --dry-run 查看差异", en: "datong apply --dry-run shows the difference")
            )
        }
        return .done
    }
}

extension Terminal {
    /// The changes of a plan, one line each.
    func changes(_ changes: [JSON]) {
        for change in changes { line("  " + Screen.safe(change.text(language) ?? "")) }
        line(words("共 \(changes.count) 处变更", "\(changes.count) changes"))
    }

    /// The problems inside an answer.
    func found(_ answer: JSON) {
        if json {
            result(answer)
            return
        }
        let list = answer["problems"]?.array ?? []
        for item in list {
            let line = item["line"]?.int ?? 0
            let file = item["file"]?.string ?? ""
            let place = line > 0 ? "\(file):\(line)" : file
            note("\(item["code"]?.string ?? "") \(place)  \(Screen.safe(item.text(language) ?? ""))")
            note("  → \(Screen.safe(item.text(language, "next_") ?? ""))")
        }
        note(words("共 \(list.count) 个问题,未做任何更改", "\(list.count) problems; nothing was changed"))
    }

    /// What an `apply` or `rollback` did.
    func inForce(_ answer: JSON) {
        let number = answer["revision"]?.text ?? "?"
        let runs = answer["host_running"]?.bool == true
        say(
            Problem.Text(zh: "版本 \(number) 已生效", en: "revision \(number) is in force"),
            means: Problem.Text(
                zh: "未发送过的单据按新版本重新映射;已发送过的保持原样直到有结论",
                en: "documents never sent are mapped again; those ever sent keep their bytes until the outcome is known"
            ),
            next: runs ? nil : Problem.Text(zh: "datong run 启动主机", en: "datong run starts the host"))
    }
}
