import ArgumentParser
import Foundation
import Values

/// `datong init`.
struct Init: DatongCommand {
    static let configuration = CommandConfiguration(
        abstract: "新建工作区:写出带注释的草稿、密钥文件和保险库 · a new workspace: commented drafts, key file and vault",
        discussion: """
            有终端时逐项提问;否则用选项。厂商和产品取自连接器库的自述。
            Asks on a terminal, else takes the options. Vendors and products come from what the connector libraries say of themselves.
            """)
    @OptionGroup var global: GlobalOptions
    @Argument(help: "新工作区的文件夹 · folder of the new workspace") var folder: String
    @Flag(help: "练习工作区:无需签署 · practice workspace: needs no signatures") var practice = false
    @Option(help: "客户简称,小写字母、数字、短横线 · the customer's short name") var customer: String?
    @Option(help: "客户名称 · the customer's name") var title: String?
    @Option(help: "连接器库所在文件夹,可多次 · folder with connector libraries, may be repeated") var connectors: [String] = []
    @Option(help: "来源:连接器/产品 · source: CONNECTOR/PRODUCT") var source: String?
    @Option(help: "目标:连接器/产品 · target: CONNECTOR/PRODUCT") var target: String?
    @Option(help: "来源地址 · the source's address") var sourceEndpoint: String?
    @Option(help: "目标地址 · the target's address") var targetEndpoint: String?
    @Option(help: "场景,如 approval-to-voucher · scenario") var scenario = "approval-to-voucher"
    @Option(help: "流程名 · name of the flow") var flow: String?
    @Option(help: "决定一:来源单据/目标单据 · which documents: SOURCE/TARGET") var documents: String?
    @Option(help: "决定二:one-way(本版本不执行 two-way) · direction (this version does not carry out two-way)") var direction:
        FlowFile.Direction?
    @Option(help: "决定三:realtime(本版本不执行定时、按需) · trigger (this version does not carry out schedules and on-demand)")
    var trigger: String?
    @Option(help: "决定四:谁是主,写连接名 · who is master, a connection") var master: String?
    @Option(help: "从哪天起的单据 · documents from this day on") var historyStart: String?
    @Option(help: "之前的单据:create ignore(本版本不执行 link) · documents before it (this version does not carry out link)")
    var historyBefore: FlowFile.History.Before?
    @Option(help: "密钥文件,默认 ~/.config/datong/keys/客户.key · key file") var keyFile: String?
    @Flag(help: "用口令而不用密钥文件 · a passphrase instead of a key file") var passphrase = false
    @Flag(help: "不建立保险库 · make no vault") var noVault = false

    func perform(_ session: Session) async throws -> ExitStatus {
        let terminal = session.terminal
        let root = FileStore.absolute(folder)
        guard FileStore.names(in: root).isEmpty else { throw Problem.folderNotEmpty(root) }
        let folders = connectors.map { FileStore.absolute($0) } + Draft.installedConnectorFolders
        let catalogue = await ConnectorCatalogue.scan(folders, session.services.inspector)

        let customer = try ask(terminal, self.customer, "--customer", zh: "客户简称", en: "the customer's short name")
        guard Name.isValid(customer) else { throw Problem.badName(customer) }
        let known = catalogue.connectors.flatMap { connector in connector.products.map { "\(connector.id)/\($0)" } }
        if terminal.canAsk { terminal.note(terminal.words("可用:", "available: ") + known.joined(separator: ", ")) }
        let from = try end(
            catalogue, known, try ask(terminal, source, "--source", zh: "来源 连接器/产品", en: "source CONNECTOR/PRODUCT"))
        let to = try end(
            catalogue, known, try ask(terminal, target, "--target", zh: "目标 连接器/产品", en: "target CONNECTOR/PRODUCT"))

        let (sourceDocument, targetDocument) = try documentTypes()
        let recommended = Scaffold.recommended(scenario)
        let scaffold = Scaffold(
            language: terminal.language, customer: customer,
            title: title ?? terminal.askIfPossible(terminal.words("客户名称", "the customer's name"), customer),
            practice: practice, connectors: connectors.map { FileStore.absolute($0) },
            unlock: passphrase ? .passphrase : .keyFile(keyFile ?? "~/.config/datong/keys/\(customer).key"),
            source: Scaffold.End(
                name: from.0.id, connector: from.0, product: from.1,
                endpoint: terminal.askIfPossible(sourceEndpoint, terminal.words("来源地址", "the source's address"))),
            target: Scaffold.End(
                name: to.0.id == from.0.id ? to.0.id + "-target" : to.0.id, connector: to.0, product: to.1,
                endpoint: terminal.askIfPossible(targetEndpoint, terminal.words("目标地址", "the target's address"))),
            flow: flow ?? scenario, flowID: UUID().uuidString.lowercased(), scenario: scenario,
            sourceDocument: sourceDocument, targetDocument: targetDocument,
            direction: decide(
                terminal, direction?.rawValue, zh: "单向还是双向(本版本执行 one-way)",
                en: "one way or two (this version carries out one-way)", recommended.direction),
            trigger: decide(
                terminal, trigger, zh: "实时、定时还是按需(本版本执行 realtime)",
                en: "real time, scheduled or on demand (this version carries out realtime)", recommended.trigger),
            master: decide(terminal, master, zh: "谁是主", en: "who is master", from.0.id),
            historyStart: decide(
                terminal, historyStart, zh: "从哪天起 YYYY-MM-DD", en: "from which day YYYY-MM-DD",
                practice ? "2026-01-01" : ""),
            historyBefore: decide(
                terminal, historyBefore?.rawValue, zh: "之前的单据 create/ignore",
                en: "documents before it create/ignore",
                practice ? "ignore" : ""))
        guard Name.isValid(scaffold.flow) else { throw Problem.badName(scaffold.flow) }

        for file in scaffold.files {
            try FileStore.makeFolder(FileStore.folder(of: root + "/" + file.path))
            try FileStore.writeNew(root + "/" + file.path, file.bytes)
        }
        try FileStore.makeFolder(root + "/state", mode: 0o700)
        let (draft, open) = Draft.load(root)
        // What `apply` will refuse is said now, while the decisions are still on the table.
        let refused = Findings()
        draft?.checkRunnable(refused)
        let problems = open + refused.sorted
        if let draft, !noVault { _ = try WorkspaceVault.create(root, draft.workspace, terminal) }

        let secrets = draft?.connections.flatMap { $0.secrets.values }.sorted() ?? []
        terminal.result([
            "workspace": .string(root), "files": .array(scaffold.files.map { .string($0.path) }),
            "secrets": .array(secrets.map { .string($0) }), "problems": .array(problems.map(\.json)),
        ])
        terminal.say(
            Problem.Text(zh: "工作区已建立:\(root)", en: "the workspace is made: \(root)"),
            means: practice
                ? Problem.Text(zh: "练习工作区,不可用于正式账套", en: "a practice workspace, not for real books") : nil)
        for file in scaffold.files { terminal.line("  " + file.path) }
        if !problems.isEmpty {
            terminal.line(terminal.words("还需填写:", "still to be filled in:"))
            for problem in problems { terminal.line("  \(problem.place)  \(problem.problem.what[terminal.language])") }
        }
        for name in secrets { terminal.line("  → datong -w \(folder) vault put \(name)") }
        terminal.line("  → datong -w \(folder) apply")
        return .done
    }

    private func documentTypes() throws -> (String, String) {
        let text = documents ?? Scaffold.recommended(scenario).documents
        let parts = text.split(separator: "/").map(String.init)
        guard parts.count == 2 else { throw Problem.optionMissing("--documents", "SOURCE/TARGET") }
        return (parts[0], parts[1])
    }

    /// An option's value, or the answer on the terminal.
    private func ask(_ terminal: Terminal, _ value: String?, _ option: String, zh: String, en: String) throws -> String
    {
        if let value { return value }
        guard let answer = terminal.ask(terminal.words(zh, en)), !answer.isEmpty else {
            throw Problem.optionMissing(option, terminal.words(zh, en))
        }
        return answer
    }

    /// A decision: from the option, the terminal, in a practice workspace the recommended one, else left open.
    private func decide(_ terminal: Terminal, _ value: String?, zh: String, en: String, _ recommended: String) -> String
    {
        if let value { return value }
        if practice { return recommended }
        return terminal.ask(terminal.words(zh, en), standard: recommended) ?? ""
    }

    private func end(_ catalogue: ConnectorCatalogue, _ known: [String], _ text: String) throws -> (Connector, JSON) {
        let parts = text.split(separator: "/").map(String.init)
        guard parts.count == 2, let connector = catalogue.connector(parts[0]), let product = connector.product(parts[1])
        else {
            throw Problem.unknownName(Problem.Text(zh: "连接器/产品", en: "connector/product"), text, among: known)
        }
        return (connector, product)
    }
}

extension FlowFile.Direction: ExpressibleByArgument {}
extension FlowFile.History.Before: ExpressibleByArgument {}

extension Terminal {
    /// A question with a standard answer that also holds where nobody can be asked.
    func askIfPossible(_ question: String, _ standard: String) -> String {
        ask(question, standard: standard) ?? standard
    }

    /// An option's value, else the answer on the terminal, else nothing.
    func askIfPossible(_ value: String?, _ question: String) -> String {
        value ?? ask(question) ?? ""
    }
}

/// The files of a new workspace, generated from what the connectors say of themselves.
struct Scaffold {
    /// One side.
    struct End {
        var name: String
        var connector: Connector
        var product: JSON
        var endpoint: String
    }

    var language: Language
    var customer: String
    var title: String
    var practice: Bool
    var connectors: [String]
    var unlock: WorkspaceFile.Unlock
    var source: End
    var target: End
    var flow: String
    var flowID: String
    var scenario: String
    var sourceDocument: String
    var targetDocument: String
    var direction: String
    var trigger: String
    var master: String
    var historyStart: String
    var historyBefore: String

    /// What suits a scenario, unless the customer decides otherwise.
    static func recommended(_ scenario: String) -> (documents: String, direction: String, trigger: String) {
        switch scenario {
        case "approval-to-voucher": ("approval/voucher", "one-way", "realtime")
        default: ("", "one-way", "realtime")
        }
    }

    /// All files, in the order a person would read them.
    var files: [DraftFile] {
        [
            file("datong.yaml", workspace), file("connections/\(source.name).yaml", connection(source)),
            file("connections/\(target.name).yaml", connection(target)), file("flows/\(flow).yaml", flowText),
            file("mappings/\(flow).yaml", mapping),
        ] + tables
    }

    private func file(_ path: String, _ text: String) -> DraftFile { DraftFile(path: path, bytes: Array(text.utf8)) }

    private var workspace: String {
        let unlock =
            switch self.unlock {
            case .keyFile(let path): "{ key_file: \(Self.quoted(path)) }   # 放在工作区之外 · outside the workspace"
            case .passphrase: "passphrase   # 启动时输入 · typed at every start"
            }
        let folders = connectors.isEmpty ? "[connectors]" : "[\(connectors.map(Self.quoted).joined(separator: ", "))]"
        return """
            # 一个客户的工作区 · one customer's workspace
            customer: \(customer)
            title: \(Self.quoted(title))
            practice: \(practice)              # true:练习,无需签署 · practice, needs no signatures
            locale: \(language.locale)
            time_zone: Asia/Shanghai
            connectors: \(folders)   # 连接器库所在文件夹 · folders with connector libraries
            vault:
              unlock: \(unlock)
            log: { level: info }

            """
    }

    private func connection(_ end: End) -> String {
        var text = """
            # \(Self.title(end.product["title"]))
            connection: \(end.name)
            connector: \(end.connector.id)
            product: \(end.product["id"]?.string ?? "")
            endpoint: \(end.endpoint.isEmpty ? "   # https://… 必填 · required" : Self.quoted(end.endpoint))

            """
        let properties = end.product["settings"]?["properties"]?.object ?? [:]
        let required = (end.product["settings"]?["required"]?.array ?? []).compactMap(\.string)
        if !properties.isEmpty {
            text += required.isEmpty ? "#settings:\n" : "settings:\n"
            for (name, property) in properties {
                let mark = required.contains(name) ? "  " : "#  "
                let standard = property["default"].map { $0.string.map(Self.quoted) ?? $0.text } ?? ""
                let choices = (property["enum"]?.array ?? []).map { $0.string ?? $0.text }.joined(separator: " | ")
                text += "\(mark)\(name): \(standard)   # \(Self.title(property["title"])) \(choices)".trimmedEnd + "\n"
            }
        }
        let secrets = end.product["secrets"]?.object ?? [:]
        if !secrets.isEmpty {
            text += "secrets:   # 只写引用,内容用 datong vault put 存入 · references only; datong vault put stores them\n"
            for (name, secret) in secrets {
                let mark = secret["required"]?.bool == true ? "  " : "#  "
                let reference = "vault:\(end.name)/\(name.replacing("_", with: "-"))"
                text += "\(mark)\(name): \(reference)   # \(Self.title(secret["title"]))".trimmedEnd + "\n"
            }
        }
        let limits = end.product["limits"]?.array ?? []
        if !limits.isEmpty {
            text += "#limits:   # 可低于、不可高于厂商上限 · may be below the vendor's figures, never above\n"
            for limit in limits {
                let window = limit["window_ms"]?.int.map { " / " + DurationText.text($0) } ?? ""
                text +=
                    "#  \(limit["id"]?.string ?? ""): \(limit["max"]?.text ?? "")\(window.isEmpty ? "" : "   #\(window)")\n"
            }
        }
        return text
    }

    private var flowText: String {
        let stream = (source.product["streams"]?.array ?? []).first { $0["document"]?.string == sourceDocument }
        let required = (stream?["filter"]?["required"]?.array ?? []).compactMap(\.string)
        let properties = stream?["filter"]?["properties"]?.object ?? [:]
        // Only what was agreed has an effect in the books.
        var filter = sourceDocument == "approval" ? "    result: agree\n" : ""
        for (name, property) in properties {
            filter +=
                "\(required.contains(name) ? "    " : "#    ")\(name):    # \(Self.title(property["title"]))".trimmedEnd
                + "\n"
        }
        let entry = (target.product["documents"]?.array ?? []).first { $0["type"]?.string == targetDocument }
        let needed = (entry?["settings"]?["required"]?.array ?? []).compactMap(\.string)
        var settings = ""
        for (name, property) in entry?["settings"]?["properties"]?.object ?? [:] {
            let standard = property["default"].map { $0.string.map(Self.quoted) ?? $0.text } ?? ""
            let choices = (property["enum"]?.array ?? []).map { $0.string ?? $0.text }.joined(separator: " | ")
            let mark = needed.contains(name) ? "    " : "#    "
            settings += "\(mark)\(name): \(standard)   # \(Self.title(property["title"])) \(choices)".trimmedEnd + "\n"
        }
        return """
            flow: \(flow)
            id: \(flowID)   # 永不更改 · never changes
            scenario: \(scenario)

            # 四项决定,与客户商定并签署 · the four decisions, agreed with the customer and signed
            # 一 哪些单据 · which documents
            from:
              connection: \(source.name)
              document: \(sourceDocument)
              \(required.isEmpty && filter.first != " " ? "#where:" : "where:")
            \(filter)to:
              connection: \(target.name)
              document: \(targetDocument)
              \(needed.isEmpty ? "#settings:" : "settings:")
            \(settings)# 二 单向还是双向:one-way(本版本不执行 two-way) · this version does not carry out two-way
            direction: \(direction)
            # 三 实时、定时还是按需:realtime(本版本不执行定时、按需) · this version does not carry out schedules and on-demand
            trigger: \(trigger)
            # 四 谁是主 · who is master
            master: \(master)

            mapping: \(flow)
            # 上线前的历史单据:create 补建 | ignore 不管 · documents from before the start
            history: { start: \(historyStart), before: \(historyBefore) }
            on_change: hold          # ignore | hold
            closed_period: hold
            retry: { ladder: [20s, 5m, 1h, 4h, 20h] }
            sweep: { every: 6h, look_back: 45d }   # 查漏 · finds what events missed

            """
    }

    /// A mapping that compiles for the scenario with a template of its own; else the required fields to fill in.
    private var mapping: String {
        guard scenario == "approval-to-voucher", sourceDocument == "approval", targetDocument == "voucher" else {
            return """
                # 字段映射,写法见 docs/mapping.md · the field mapping, see docs/mapping.md
                mapping: \(flow)
                from: \(sourceDocument)
                to: \(targetDocument)
                document: {}

                """
        }
        return """
            # 字段映射,写法见 docs/mapping.md;方括号里是表单的字段名,按实际表单修改
            # The field mapping, see docs/mapping.md; names in brackets are the form's fields: change them to yours
            mapping: \(flow)
            from: approval
            to: voucher
            document:
              date: { date: { path: finished_at }, zone: Asia/Shanghai }
              attachment_count: { count: attachments }
              summary: { path: title }
              lines:
                - each: fields[费用明细]
                  line:
                    summary: { path: title }
                    account: { lookup: accounts, where: { 费用类型: { path: "row.fields[费用类型]" } }, give: 科目 }
                    currency: CNY
                    debit: { path: "row.fields[金额]" }
                    credit: "0"
                - line:
                    summary: { path: title }
                    account: { lookup: accounts, where: { 费用类型: 付款 }, give: 科目 }
                    currency: CNY
                    debit: "0"
                    credit: { path: "fields[总金额]" }
              source: { document: approval, id: { path: id }, number: { optional: { path: number } } }

            """
    }

    /// The code table of the template; the codes are the customer's own chart of accounts.
    private var tables: [DraftFile] {
        guard scenario == "approval-to-voucher" else { return [] }
        return [file("tables/accounts.csv", "费用类型,科目\n付款,1002\n差旅费,6602.01\n")]
    }

    private static func title(_ value: JSON?) -> String {
        [value?["zh"]?.string, value?["en"]?.string].compactMap(\.self).joined(separator: " · ")
    }

    /// A YAML scalar that means exactly this text.
    static func quoted(_ text: String) -> String {
        let plain = text.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || "0123456789-_./~".unicodeScalars.contains($0)
        }
        let startsPlain = text.unicodeScalars.first.map { $0.properties.isAlphabetic || $0 == "/" } ?? false
        if plain, startsPlain, !["true", "false", "null"].contains(text) { return text }
        return JSON.string(text).text
    }
}

extension String {
    /// Without spaces at the end.
    var trimmedEnd: String {
        var rest = self[...]
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}

extension Problem {
    static func folderNotEmpty(_ path: String) -> Problem {
        Problem(
            "E-COMMAND-005", zh: "\(path) 不是空文件夹", en: "\(path) is not empty",
            nextZH: "换一个新文件夹;不会覆盖任何文件", nextEN: "name a new folder; nothing is ever overwritten")
    }

    static func optionMissing(_ option: String, _ what: String) -> Problem {
        Problem(
            "E-COMMAND-006", zh: "缺少 \(option)(\(what))", en: "\(option) is missing (\(what))",
            nextZH: "没有终端可提问,请在命令行给出", nextEN: "there is no terminal to ask on: give it on the command line")
    }
}
