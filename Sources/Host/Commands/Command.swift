import ArgumentParser
import Glibc
import Values
import Vault

extension Language: ExpressibleByArgument {}

/// Options of every command.
struct GlobalOptions: ParsableArguments {
    @Option(name: [.customShort("w"), .long], help: "工作区文件夹 · folder of the workspace")
    var workspace: String = "."

    @Flag(help: "输出 JSON · print JSON")
    var json = false

    @Option(help: "语言 zh 或 en,默认随工作区的 locale,再随系统 · language, else the workspace's locale, else the system's")
    var lang: Language?
}

/// What a command works with.
struct Session: Sendable {
    /// The workspace, absolute.
    let root: String
    let terminal: Terminal
    let services: any HostServices

    /// The services of this process; a test puts its own in.
    /// Where the tools beside `datong` are.
    @TaskLocal static var toolFolder = FileStore.folder(of: FileStore.absolute("/proc/self/exe"))
    @TaskLocal static var services: any HostServices = RunningServices()
    /// Where screens go; a test puts its own in.
    @TaskLocal static var terminal: (@Sendable (Language, _ json: Bool) -> Terminal)?

    init(_ options: GlobalOptions) {
        root = FileStore.absolute(options.workspace)
        let language = Language.choose(
            option: options.lang, workspace: options.lang == nil ? Language.ofWorkspace(root) : nil)
        terminal = Session.terminal?(language, options.json) ?? Terminal(language: language, json: options.json)
        services = Session.services
    }

    /// Asks the owner of the workspace.
    func request(_ verb: String, _ arguments: JSONObject = [:]) async throws(Problem) -> JSON {
        guard FileStore.exists(root + "/" + Draft.workspaceFile) else { throw .notAWorkspace(root) }
        return try await services.control(root, terminal).request(verb, .object(arguments))
    }

    /// The draft; its problems are shown and end the command.
    func draft() throws -> Draft {
        let (draft, problems) = Draft.load(root)
        guard let draft, problems.isEmpty else {
            terminal.problems(problems)
            throw CommandEnd(.problem)
        }
        return draft
    }
}

/// The end of a command with its exit status; everything has been said.
struct CommandEnd: Error {
    let status: ExitStatus
    init(_ status: ExitStatus) { self.status = status }
}

/// A command of `datong`: thin, it asks and shows.
protocol DatongCommand: AsyncParsableCommand {
    var global: GlobalOptions { get }
    func perform(_ session: Session) async throws -> ExitStatus
}

extension DatongCommand {
    mutating func run() async throws {
        let session = Session(global)
        do {
            let status = try await perform(session)
            if status != .done { throw CommandEnd(status) }
        } catch let problem as Problem {
            session.terminal.problem(problem)
            throw CommandEnd(ExitStatus(problem))
        } catch let found as ConfigurationProblem {
            session.terminal.problems([found])
            throw CommandEnd(.problem)
        }
    }
}

extension ExitStatus {
    /// The status that says what a problem means for the caller.
    init(_ problem: Problem) {
        switch problem.code {
        // No host, or one that does not answer on its socket.
        case Problem.hostNotRunning.code, "E-HOST-005": self = .notRunning
        // Another process holds the run lock.
        case "E-HOST-004": self = .busy
        default: self = .problem
        }
    }
}

extension Problem {
    static func notAWorkspace(_ path: String) -> Problem {
        Problem(
            "E-COMMAND-001", zh: "\(path) 不是工作区(没有 datong.yaml)", en: "\(path) is no workspace (it has no datong.yaml)",
            nextZH: "用 -w 指定工作区,或 datong init 新建", nextEN: "name the workspace with -w, or create one with datong init")
    }
}

/// The command line of `datong`.
public enum CommandLineTool {
    /// Closes the process to core dumps and debuggers, because any command may open the vault, and runs its arguments
    /// (without its name). Returns the exit status.
    public static func start(_ arguments: [String]) async -> Int32 {
        do throws(Problem) {
            try ProcessHardening.apply()
        } catch {
            Terminal(language: Language.choose(option: nil), json: false).problem(error)
            return ExitStatus.problem.rawValue
        }
        return await run(arguments)
    }

    /// Runs a command line and returns the exit status.
    static func run(_ arguments: [String]) async -> Int32 {
        do {
            var command = try DatongRoot.parseAsRoot(hoistingGlobals(arguments))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return ExitStatus.done.rawValue
        } catch let end as CommandEnd {
            return end.status.rawValue
        } catch {
            let isHelp = DatongRoot.exitCode(for: error) == .success
            let message = DatongRoot.fullMessage(for: error)
            Terminal.write(message + "\n", to: isHelp ? STDOUT_FILENO : STDERR_FILENO)
            return (isHelp ? ExitStatus.done : .usage).rawValue
        }
    }
}

extension CommandLineTool {
    /// `datong -w DIR --json ledger list` means the same as `datong ledger list -w DIR --json`: options of every command
    /// that stand before its name are moved behind it.
    static func hoistingGlobals(_ arguments: [String]) -> [String] {
        var rest = arguments[...]
        var globals: [String] = []
        while let first = rest.first, first.hasPrefix("-") {
            if first == "--json" || first.hasPrefix("--workspace=") || first.hasPrefix("--lang=") {
                globals.append(rest.removeFirst())
            } else if ["-w", "--workspace", "--lang"].contains(first), rest.count > 1 {
                globals += [rest.removeFirst(), rest.removeFirst()]
            } else {
                break
            }
        }
        guard !globals.isEmpty else { return arguments }
        var path: [String] = []
        var here: any ParsableCommand.Type = DatongRoot.self
        while let word = rest.first,
            let next = here.configuration.allSubcommands.first(where: { $0._commandName == word })
        {
            path.append(word)
            rest.removeFirst()
            here = next
        }
        return path + globals + rest
    }
}

extension CommandConfiguration {
    /// Those of groups too.
    fileprivate var allSubcommands: [any ParsableCommand.Type] {
        subcommands + groupedSubcommands.flatMap(\.subcommands)
    }
}

/// `datong`.
struct DatongRoot: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "datong",
        abstract: "把办公系统与 ERP 打通,每张单据只生效一次 · carries business documents between systems, each exactly once",
        version: version,
        groupedSubcommands: [
            CommandGroup(name: "起步 · Start", subcommands: [Init.self, Run.self, Status.self, Doctor.self]),
            CommandGroup(
                name: "配置 · Configuration",
                subcommands: [Apply.self, Rollback.self, RevisionCommand.self, SchemaCommand.self]),
            CommandGroup(
                name: "运行 · Operation",
                subcommands: [ConnectionCommand.self, FlowCommand.self, LedgerCommand.self, AuditCommand.self]),
            CommandGroup(
                name: "密钥与连接器 · Secrets and connectors", subcommands: [VaultCommand.self, ConnectorCommand.self]),
            CommandGroup(name: "练习 · Practice", subcommands: [Simulate.self]),
        ])
}
