import ArgumentParser
import Values

/// `datong status`.
struct Status: DatongCommand {
    static let configuration = CommandConfiguration(
        abstract: "一屏看清:连接、流程、五种状态、额度、版本 · one screen of connections, flows, states, quotas, versions")
    @OptionGroup var global: GlobalOptions

    func perform(_ session: Session) async throws -> ExitStatus {
        let answer = try await session.request("status")
        session.terminal.result(answer)
        return session.terminal.status(answer)
    }
}

/// `datong doctor`.
struct Doctor: DatongCommand {
    static let configuration = CommandConfiguration(
        abstract: "检查能检查的一切,并给出下一条命令 · everything that can be checked, with the next command")
    @OptionGroup var global: GlobalOptions

    func perform(_ session: Session) async throws -> ExitStatus {
        let answer = try await session.request("doctor")
        session.terminal.result(answer)
        return session.terminal.checks(answer["checks"]?.array ?? [])
    }
}

extension Terminal {
    /// The status screen; `attention` where a document or a connection waits for a person, `problem` where the counts do not add up.
    func status(_ answer: JSON) -> ExitStatus {
        let title = Screen.safe(answer["title"]?.string ?? answer["customer"]?.string ?? "")
        let practice =
            answer["practice"]?.bool == true ? words("  [练习工作区,未签署]", "  [practice workspace, unsigned]") : ""
        let revision =
            answer["revision"]?.int.map { words("版本 \($0)", "revision \($0)") } ?? words("未生效", "nothing in force")
        line("\(title)  \(revision)  datong \(answer["host"]?["version"]?.string ?? "")\(practice)")
        connections(answer["connections"]?.array ?? [])
        let flows = answer["flows"]?.array ?? []
        let honest = self.flows(flows)
        for note in answer["notes"]?.array ?? [] { line("· " + Screen.safe(note.text(language) ?? "")) }
        guard honest else { return .problem }
        let waiting = flows.contains { flow in
            (flow["counts"]?["held"]?.int ?? 0) + (flow["counts"]?["checking"]?.int ?? 0) > 0
        }
        let stopped = (answer["connections"]?.array ?? []).contains { $0["waits_for_person"]?.bool == true }
        return waiting || stopped ? .attention : .done
    }

    private func connections(_ connections: [JSON]) {
        var table = ScreenTable(
            words("连接", "connection"), words("状态", "state"), words("连接器", "connector"), words("隔离", "confinement"),
            words("额度", "quota"))
        for connection in connections {
            let quota = (connection["quota"]?.array ?? []).map { limit in
                "\(plain(limit["id"])) \(plain(limit["used"]))/\(plain(limit["max"]))"
            }
            table.rows.append([
                connection["name"]?.string ?? "", connectionState(connection["state"]?.string ?? ""),
                "\(connection["connector"]?.string ?? "") \(connection["version"]?.string ?? "")",
                connection["confinement"]?.string ?? "", quota.joined(separator: "  "),
            ])
        }
        if !connections.isEmpty {
            line()
            self.table(table)
        }
        for connection in connections {
            guard let cause = connection["cause"], let text = cause.text(language) else { continue }
            line("  \(connection["name"]?.string ?? ""): \(cause["code"]?.string ?? "") \(Screen.safe(text))")
            if let next = cause.text(language, "next_") { line("  → " + Screen.safe(next)) }
        }
    }

    /// A text without quotes, a number with its digits.
    func plain(_ value: JSON?) -> String { value.map { Screen.safe($0.string ?? $0.text) } ?? "" }

    private func connectionState(_ state: String) -> String {
        switch state {
        case "ready": words("正常", "ready")
        case "idle": words("空闲", "idle")
        case "paused": words("已暂停", "paused")
        case "down": words("不可用", "down")
        default: state
        }
    }

    /// The flows with their five counts; false where read is not the sum of the five.
    private func flows(_ flows: [JSON]) -> Bool {
        guard !flows.isEmpty else { return true }
        var table = ScreenTable([
            (words("流程", "flow"), .left), (words("状态", "state"), .left), (words("已读", "read"), .right),
            (words("成功", "done"), .right), (words("跳过", "skipped"), .right), (words("待处理", "pending"), .right),
            (words("需人工", "held"), .right), (words("核对中", "checking"), .right), (words("最近成功", "last done"), .left),
        ])
        var dishonest: [String] = []
        for flow in flows {
            let counts = flow["counts"] ?? .null
            let five = StateWord.allCases.map { counts[$0.rawValue]?.int ?? 0 }
            let read = counts["read"]?.int ?? 0
            let name = flow["name"]?.string ?? ""
            if read != five.reduce(0, +) { dishonest.append(name) }
            let state =
                switch flow["state"]?.string {
                case "active": words("运行", "active")
                case "removed": words("已移除", "removed")
                default: words("已暂停", "paused")
                }
            table.rows.append([name, state, "\(read)"] + five.map { "\($0)" } + [flow["last_done"]?.string ?? "—"])
        }
        line()
        self.table(table)
        for name in dishonest {
            let problem = Problem.countsDoNotAddUp(name)
            line("\(problem.code) \(problem.what[language])")
            line("  → \(problem.next[language])")
        }
        return dishonest.isEmpty
    }

    /// A list of checks; `problem` where one failed, `attention` where one warns.
    func checks(_ checks: [JSON]) -> ExitStatus {
        var worst = ExitStatus.done
        for check in checks {
            let mark: String
            switch check["state"]?.string ?? "" {
            case "ok": mark = "✓"
            case "warning":
                mark = "!"
                if worst == .done { worst = .attention }
            case "failed":
                mark = "✗"
                worst = .problem
            default: mark = "–"
            }
            line("\(mark) \(Screen.safe(check.text(language) ?? ""))")
            guard let problem = check["problem"], let text = problem.text(language) else { continue }
            line("    \(problem["code"]?.string ?? "") \(Screen.safe(text))")
            if let next = problem.text(language, "next_") { line("    → " + Screen.safe(next)) }
        }
        return worst
    }
}

extension Problem {
    static func countsDoNotAddUp(_ flow: String) -> Problem {
        Problem(
            "E-COMMAND-002", zh: "流程 \(flow) 的已读不等于五种状态之和", en: "flow \(flow): read is not the sum of the five states",
            nextZH: "停止主机,备份 state/ 并联系支持", nextEN: "stop the host, back up state/ and ask for support")
    }
}
