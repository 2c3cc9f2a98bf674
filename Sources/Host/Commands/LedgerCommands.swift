import ArgumentParser
import Values

/// `datong ledger`.
struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "每张单据的去向 · what became of every document",
        subcommands: [List.self, Show.self, Retry.self, Resolve.self, Skip.self])

    struct List: DatongCommand {
        static let configuration = CommandConfiguration(abstract: "列出单据 · list documents")
        @OptionGroup var global: GlobalOptions
        @Option(help: "只看一个流程 · one flow only") var flow: String?
        @Option(help: "只看一种状态:done skipped pending held checking · one state only") var state: StateWord?
        @Option(help: "最多几行 · at most so many") var limit = 50

        func validate() throws {
            guard (1...1000).contains(limit) else { throw ValidationError("--limit 1…1000") }
        }

        func perform(_ session: Session) async throws -> ExitStatus {
            var arguments: JSONObject = ["limit": .int(limit)]
            if let flow { arguments["flow"] = .string(flow) }
            if let state { arguments["state"] = .string(state.rawValue) }
            let answer = try await session.request("ledger.list", arguments)
            session.terminal.result(answer)
            session.terminal.ledgerList(answer)
            return .done
        }
    }

    struct Show: DatongCommand {
        static let configuration = CommandConfiguration(abstract: "一张单据的全部经过 · the whole history of one document")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "编号,见 ledger list · number, see ledger list") var item: Int

        func perform(_ session: Session) async throws -> ExitStatus {
            let answer = try await session.request("ledger.show", ["item": .int(item)])
            session.terminal.result(answer)
            session.terminal.ledgerItem(answer)
            return .done
        }
    }

    struct Retry: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "重试一张或一批需人工的单据 · try a held document, or many, again")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "编号 · number") var item: Int?
        @Option(help: "流程 · flow") var flow: String?
        @Option(help: "状态 · state") var state: StateWord = .held

        func validate() throws {
            guard (item == nil) != (flow == nil) else {
                throw ValidationError("编号或 --flow 二选一 · a number or --flow, not both")
            }
        }

        func perform(_ session: Session) async throws -> ExitStatus {
            var arguments: JSONObject = [:]
            if let item { arguments["item"] = .int(item) }
            if let flow {
                arguments["flow"] = .string(flow)
                arguments["state"] = .string(state.rawValue)
            }
            let answer = try await session.request("ledger.retry", arguments)
            session.terminal.result(answer)
            let count = answer["retried"]?.int ?? 0
            session.terminal.say(
                Problem.Text(zh: "\(count) 张单据重新进入队列", en: "\(count) documents are queued again"),
                means: Problem.Text(
                    zh: "曾经发送过的先按单号核对,不会重复生成", en: "what was ever sent is looked up first and not sent twice"))
            return .done
        }
    }

    struct Resolve: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "人工确认:目标系统已有此单,或确实没有 · a person says: the target has it, or has it not")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "编号 · number") var item: Int
        @Option(help: "目标系统中的单号 · the target's number") var number: String?
        @Flag(help: "已查过,目标系统没有此单,重新发送 · looked there: the target has it not; it goes again") var absent = false
        @Flag(help: "人工录入,不带我们的标识 · keyed in by hand, without our key") var byHand = false
        @Option(help: "依据,记入审计 · why, for the audit") var why: String

        func validate() throws {
            guard (number != nil) != absent else {
                throw ValidationError("用 --number 或 --absent 之一 · one of --number and --absent")
            }
            guard !(absent && byHand) else {
                throw ValidationError("--by-hand 只与 --number 同用 · --by-hand goes with --number")
            }
        }

        func perform(_ session: Session) async throws -> ExitStatus {
            var arguments: JSONObject = ["item": .int(item)]
            if let number { arguments["number"] = .string(number) }
            if absent { arguments["absent"] = true }
            if byHand { arguments["by_hand"] = true }
            arguments["why"] = .string(why)
            let answer = try await session.request("ledger.resolve", arguments)
            session.terminal.result(answer)
            session.terminal.settled(answer)
            return .done
        }
    }

    struct Skip: DatongCommand {
        static let configuration = CommandConfiguration(abstract: "人工决定:不处理此单 · a person says: leave this one out")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "编号 · number") var item: Int
        @Option(help: "原因,记入审计 · why, for the audit") var why: String

        func perform(_ session: Session) async throws -> ExitStatus {
            let answer = try await session.request("ledger.skip", ["item": .int(item), "why": .string(why)])
            session.terminal.result(answer)
            session.terminal.settled(answer)
            return .done
        }
    }
}

extension StateWord: ExpressibleByArgument {}

extension Terminal {
    /// The word of a state.
    func state(_ value: JSON?) -> String {
        let name = value?.string ?? ""
        return StateWord(rawValue: name)?.text[language] ?? name
    }

    /// The number a person knows a document by.
    private func document(_ item: JSON) -> String {
        let document = item["document"]
        return Screen.safe(document?["number"]?.string ?? document?["id"]?.string ?? "")
    }

    func ledgerList(_ answer: JSON) {
        let items = answer["items"]?.array ?? []
        guard !items.isEmpty else {
            line(words("没有符合条件的单据", "no such documents"))
            return
        }
        var table = ScreenTable([
            (words("编号", "item"), .right), (words("状态", "state"), .left), (words("流程", "flow"), .left),
            (words("单据", "document"), .left), (words("目标单号", "target"), .left), (words("次数", "tries"), .right),
            (words("更新", "changed"), .left), (words("原因", "cause"), .left),
        ])
        for item in items {
            let cause = item["cause"].flatMap { cause in
                cause.text(language).map { [cause["code"]?.string, $0].compactMap(\.self).joined(separator: " ") }
            }
            table.rows.append([
                item["item"]?.text ?? "", state(item["state"]), item["flow"]?.string ?? "", document(item),
                Screen.safe(item["target"]?["number"]?.string ?? ""), item["attempts"]?.text ?? "",
                item["changed"]?.string ?? "", Screen.cut(Screen.safe(cause ?? ""), to: 60),
            ])
        }
        self.table(table)
        if answer["more"]?.bool == true { line(words("还有更多,用 --limit 加大", "there are more: raise --limit")) }
    }

    func ledgerItem(_ answer: JSON) {
        let item = answer["item"] ?? .null
        line("\(document(item))  \(Screen.safe(item["document"]?["title"]?.string ?? ""))")
        line("  " + words("状态", "state") + "  " + state(item["state"]))
        if let cause = item["cause"], let text = cause.text(language) {
            line("  " + words("原因", "cause") + "  \(cause["code"]?.string ?? "") \(Screen.safe(text))")
            if let next = cause.text(language, "next_") { line("  → " + Screen.safe(next)) }
        }
        let source = answer["source"] ?? .null
        let target = answer["target"] ?? .null
        func end(_ value: JSON) -> String {
            ["connection", "document", "number"].compactMap { value[$0]?.string }.map(Screen.safe).joined(
                separator: " / ")
        }
        line("  " + words("来源", "source") + "  " + end(source))
        line("  " + words("目标", "target") + "  " + end(target))
        if let key = answer["key"]?.string { line("  " + words("幂等键", "key") + "  " + key) }
        line(words("经过", "history"))
        var table = ScreenTable("", "", "")
        for event in answer["history"]?.array ?? [] {
            let attempt = event["attempt"]?.int.map { "#\($0)" } ?? ""
            let said = [event["code"]?.string, event.text(language)].compactMap(\.self).joined(separator: " ")
            table.rows.append([event["at"]?.string ?? "", attempt, Screen.safe(said)])
        }
        for text in table.lines.dropFirst() { line("  " + text) }
        let next = answer["next"]?.array ?? []
        if !next.isEmpty { line(words("可以做", "possible now")) }
        for step in next { line("  \(step["command"]?.string ?? "")  \(step.text(language) ?? "")") }
    }

    func settled(_ answer: JSON) {
        let item = answer["item"]?.text ?? ""
        say(
            Problem.Text(
                zh: "单据 \(item) 现在是:\(state(answer["state"]))", en: "document \(item) is now \(state(answer["state"]))"),
            means: answer["looked_up"] == "no"
                ? Problem.Text(zh: "未到目标系统核对", en: "nothing was looked up at the target") : nil)
    }
}
