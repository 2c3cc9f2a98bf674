import ArgumentParser
import Documents
import Glibc
import Mapping
import Values

/// `datong connection`.
struct ConnectionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connection", abstract: "连接 · connections", subcommands: [List.self, Check.self])

    struct List: DatongCommand {
        static let configuration = CommandConfiguration(abstract: "列出草稿中的连接 · list those of the draft")
        @OptionGroup var global: GlobalOptions

        func perform(_ session: Session) async throws -> ExitStatus {
            let draft = try session.draft()
            session.terminal.result([
                "connections": .array(
                    draft.connections.map {
                        [
                            "name": .string($0.name), "connector": .string($0.connector),
                            "product": .string($0.product),
                            "endpoint": .string($0.endpoint),
                        ]
                    })
            ])
            let terminal = session.terminal
            var table = ScreenTable(
                terminal.words("连接", "connection"), terminal.words("连接器", "connector"),
                terminal.words("产品", "product"), terminal.words("地址", "endpoint"))
            table.rows = draft.connections.map { [$0.name, $0.connector, $0.product, $0.endpoint] }
            terminal.table(table)
            return .done
        }
    }

    struct Check: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "试连:网络、登录、权限、版本 · try it: network, log-in, permissions, version")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "连接名 · name") var name: String

        func perform(_ session: Session) async throws -> ExitStatus {
            session.terminal.progress(session.terminal.words("正在连接 \(name)…", "trying \(name)…"))
            defer { session.terminal.progressDone() }
            let answer = try await session.request("connection.check", ["name": .string(name)])
            session.terminal.progressDone()
            session.terminal.result(answer)
            let worst = session.terminal.checks(answer["checks"]?.array ?? [])
            if answer["ok"]?.bool == true {
                let version = session.terminal.plain(answer["version"] ?? answer["fingerprint"])
                session.terminal.say(
                    Problem.Text(zh: "连接 \(name) 可用 \(version)", en: "connection \(name) works \(version)"))
            }
            return answer["ok"]?.bool == true ? worst : .problem
        }
    }
}

/// `datong flow`.
struct FlowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flow", abstract: "流程 · flows",
        subcommands: [
            List.self, Validate.self, Preview.self, Try.self, RunFlow.self, Pause.self, Resume.self,
        ])

    struct List: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "列出草稿中的流程及四项决定 · flows of the draft and their four decisions")
        @OptionGroup var global: GlobalOptions

        func perform(_ session: Session) async throws -> ExitStatus {
            let draft = try session.draft()
            let terminal = session.terminal
            terminal.result(["flows": .array(draft.flows.map(\.summary))])
            var table = ScreenTable(
                terminal.words("流程", "flow"), terminal.words("从", "from"), terminal.words("到", "to"),
                terminal.words("方向", "direction"), terminal.words("时机", "trigger"), terminal.words("主", "master"))
            for flow in draft.flows {
                let summary = flow.summary
                table.rows.append([
                    flow.name, "\(flow.from.connection)/\(flow.from.document)",
                    "\(flow.to.connection)/\(flow.to.document)",
                    flow.direction.rawValue, summary["trigger"]?.string ?? "", summary["master"]?.string ?? "",
                ])
            }
            terminal.table(table)
            return .done
        }
    }

    struct Validate: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "校验整份草稿,不改变任何东西 · check the whole draft, change nothing")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "只看一个流程的问题 · problems of one flow only") var name: String?

        func perform(_ session: Session) async throws -> ExitStatus {
            let application = try await Application.prepare(session.root, inspector: session.services.inspector)
            var problems = application.problems
            if let name, let draft = application.draft {
                guard draft.files.contains(where: { $0.path == "flows/\(name).yaml" }) else {
                    let kind = Problem.Text(zh: "流程", en: "flow")
                    throw Problem.unknownName(kind, name, among: draft.flows.map(\.name))
                }
                let files = draft.files(of: name)
                problems = problems.filter { files.contains($0.file) }
            }
            guard problems.isEmpty else {
                session.terminal.problems(problems)
                return .problem
            }
            session.terminal.result(["problems": []])
            session.terminal.say(
                Problem.Text(zh: "草稿通过校验", en: "the draft is in order"),
                next: Problem.Text(zh: "datong apply 使其生效", en: "datong apply puts it in force"))
            return .done
        }
    }

    struct Preview: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "用一个单据文件试草稿的映射,不连接任何系统 · map a document file by the draft, without any system")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "流程 · flow") var name: String
        @Option(help: "来源单据的 JSON 文件 · JSON file with the source document") var document: String

        func perform(_ session: Session) async throws -> ExitStatus {
            let draft = try session.draft()
            guard let flow = draft.flow(name) else {
                let kind = Problem.Text(zh: "流程", en: "flow")
                throw Problem.unknownName(kind, name, among: draft.flows.map(\.name))
            }
            let source = try JSON.parse(try FileStore.read(document, limit: ConfigurationLimits.fileBytes))
            let answer = try draft.preview(flow, source)
            session.terminal.result(answer)
            return session.terminal.mapped(answer)
        }
    }

    struct Try: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "取一张真实单据试映射,不写入 · fetch a real document and map it, write nothing")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "流程 · flow") var name: String
        @Option(help: "来源单据的 id · id of the source document") var instance: String

        func perform(_ session: Session) async throws -> ExitStatus {
            let answer = try await session.request("flow.try", ["flow": .string(name), "instance": .string(instance)])
            session.terminal.result(answer)
            return session.terminal.mapped(answer)
        }
    }

    struct RunFlow: DatongCommand {
        static let configuration = CommandConfiguration(
            commandName: "run", abstract: "现在就查一遍来源 · look at the source now")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "流程 · flow") var name: String

        func perform(_ session: Session) async throws -> ExitStatus {
            let answer = try await session.request("flow.run", ["flow": .string(name)])
            session.terminal.result(answer)
            session.terminal.say(
                Problem.Text(zh: "流程 \(name) 已开始核查来源", en: "flow \(name) is looking at its source"),
                next: Problem.Text(zh: "datong status", en: "datong status"))
            return .done
        }
    }

    struct Pause: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "暂停:继续接收,不再发送 · pause: still receives, sends nothing")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "流程 · flow") var name: String
        @Option(help: "原因,记入审计 · why, for the audit") var why: String?

        func perform(_ session: Session) async throws -> ExitStatus {
            var arguments: JSONObject = ["flow": .string(name)]
            if let why { arguments["why"] = .string(why) }
            session.terminal.result(try await session.request("flow.pause", arguments))
            session.terminal.say(
                Problem.Text(zh: "流程 \(name) 已暂停", en: "flow \(name) is paused"),
                means: Problem.Text(zh: "新单据照常接收并排队", en: "new documents are received and queued"),
                next: Problem.Text(zh: "datong flow resume \(name)", en: "datong flow resume \(name)"))
            return .done
        }
    }

    struct Resume: DatongCommand {
        static let configuration = CommandConfiguration(abstract: "恢复 · resume")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "流程 · flow") var name: String

        func perform(_ session: Session) async throws -> ExitStatus {
            session.terminal.result(try await session.request("flow.resume", ["flow": .string(name)]))
            session.terminal.say(Problem.Text(zh: "流程 \(name) 已恢复", en: "flow \(name) runs again"))
            return .done
        }
    }
}

extension Draft {
    /// The files that a flow stands on: its own, its connections', its mapping and every table.
    func files(of name: String) -> Set<String> {
        var files: Set<String> = ["flows/\(name).yaml", Draft.workspaceFile]
        files.formUnion(tables.map(\.file))
        if let flow = flow(name) {
            files.formUnion(["connections/\(flow.from.connection).yaml", "connections/\(flow.to.connection).yaml"])
            files.insert("mappings/\(flow.mapping).yaml")
        }
        return files
    }
}

extension FlowFile {
    /// Name, ends and the four decisions, for a list.
    var summary: JSON {
        let trigger =
            switch self.trigger {
            case .realtime: "realtime"
            case .onDemand: "on-demand"
            case .schedule(let cron, _, _): "schedule \(cron)"
            }
        let master =
            switch self.master {
            case .connection(let name): name
            case .fields(let fields):
                fields.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
            }
        return [
            "name": .string(name), "title": .string(title), "id": .string(id),
            "from": ["connection": .string(from.connection), "document": .string(from.document)],
            "to": ["connection": .string(to.connection), "document": .string(to.document)],
            "direction": .string(direction.rawValue), "trigger": .string(trigger), "master": .string(master),
        ]
    }
}

extension Terminal {
    /// The result of mapping one document, from `flow.try` or `flow preview`.
    func mapped(_ answer: JSON) -> ExitStatus {
        let problems = answer["problems"]?.array ?? []
        for (index, result) in (answer["results"]?.array ?? []).enumerated() {
            line(words("目标单据 \(index + 1)", "target document \(index + 1)"))
            for text in Self.pretty(result).split(separator: "\n") { line("  " + text) }
        }
        if let rule = answer["skipped"], let text = rule.text(language) {
            line(words("此单据会被跳过:", "this document would be skipped: ") + Screen.safe(text))
        }
        for problem in problems {
            line("\(problem["code"]?.string ?? "") \(Screen.safe(problem.text(language) ?? ""))")
            if let next = problem.text(language, "next_") { line("  → " + Screen.safe(next)) }
        }
        if problems.isEmpty {
            line(words("仅试算,未写入任何系统", "only tried; nothing was written anywhere"))
        }
        return problems.isEmpty ? .done : .problem
    }

    /// JSON over several lines, keys in their order.
    static func pretty(_ value: JSON, indent: String = "") -> String {
        switch value {
        case .object(let object) where !object.isEmpty:
            let inner = indent + "  "
            let lines = object.map { key, value in
                "\(inner)\(JSON.string(key).text): \(pretty(value, indent: inner))"
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        case .array(let items) where items.contains { $0.object != nil || $0.array != nil }:
            let inner = indent + "  "
            return "[\n" + items.map { inner + pretty($0, indent: inner) }.joined(separator: ",\n") + "\n\(indent)]"
        default: return value.text
        }
    }
}

/// `datong run`.
struct Run: DatongCommand {
    static let configuration = CommandConfiguration(
        abstract: "运行主机:全部流程 · the host: all active flows")
    @OptionGroup var global: GlobalOptions

    func perform(_ session: Session) async throws -> ExitStatus {
        guard FileStore.exists(session.root + "/" + Draft.workspaceFile) else {
            throw Problem.notAWorkspace(session.root)
        }
        try await session.services.run(session.root, session.terminal)
        return .done
    }
}

/// `datong simulate`.
struct Simulate: DatongCommand {
    static let configuration = CommandConfiguration(
        abstract: "在本机回环地址启动厂商模拟器 · vendor simulators on loopback")
    @OptionGroup var global: GlobalOptions
    @Argument(parsing: .captureForPassthrough, help: "厂商和选项,原样交给模拟器 · vendors and options, given on as they are")
    var arguments: [String] = []

    func perform(_ session: Session) async throws -> ExitStatus {
        let path = Session.toolFolder + "/datong-simulator"
        guard access(path, X_OK) == 0 else { throw Problem.noSimulator(path) }
        var words = ([path] + arguments).map { strdup($0) } + [nil]
        execv(path, &words)
        throw Problem.noSimulator("\(path): \(FileStore.reason())")
    }
}

extension Problem {
    static func noSimulator(_ path: String) -> Problem {
        Problem(
            "E-COMMAND-003", zh: "无法启动模拟器 \(path)", en: "the simulator \(path) cannot be started",
            nextZH: "模拟器 datong-simulator 应与 datong 在同一文件夹;重新构建或安装",
            nextEN: "datong-simulator belongs beside datong: build or install it again")
    }
}
