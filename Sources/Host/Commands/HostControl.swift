import Values

/// The way from a command to the process that owns the workspace. The verbs, their arguments and answers are in
/// `docs/control.md`.
protocol HostControl: Sendable {
    /// Carries out one verb.
    /// - Throws: what the host says; `E-CONTROL-001` where no host runs and the verb needs one.
    func request(_ verb: String, _ arguments: JSON) async throws(Problem) -> JSON
}

/// What the commands need from the running part of the host.
protocol HostServices: Sendable {
    /// The way to the owner of a workspace: its control socket, or this process once it holds the run lock.
    func control(_ root: String, _ terminal: Terminal) -> any HostControl
    /// Describes connector libraries.
    var inspector: any ConnectorInspector { get }
    /// Runs the host until it is told to stop.
    func run(_ root: String, _ terminal: Terminal) async throws(Problem)
}

/// The words of the five states, the same on every screen.
enum StateWord: String, Sendable, CaseIterable {
    case done, skipped, pending, held, checking

    var text: Problem.Text {
        switch self {
        case .done: Problem.Text(zh: "成功", en: "done")
        case .skipped: Problem.Text(zh: "已跳过", en: "skipped")
        case .pending: Problem.Text(zh: "待处理", en: "pending")
        case .held: Problem.Text(zh: "需人工", en: "held")
        case .checking: Problem.Text(zh: "结果未知,正在核对", en: "checking")
        }
    }
}

extension Problem {
    static var hostNotRunning: Problem {
        Problem(
            "E-CONTROL-001", zh: "此工作区没有运行中的主机", en: "no host runs in this workspace",
            nextZH: "先运行 datong run", nextEN: "start it with datong run")
    }

    static func unknownVerb(_ verb: String) -> Problem {
        Problem(
            "E-CONTROL-002", zh: "主机不认识请求 \(verb)", en: "the host does not know the request \(verb)",
            nextZH: "命令与主机版本不同,重启主机", nextEN: "command and host differ in version: restart the host")
    }

    static func badArgument(_ verb: String, _ name: String) -> Problem {
        Problem(
            "E-CONTROL-003", zh: "请求 \(verb) 的参数 \(name) 缺失或有误",
            en: "the argument \(name) of the request \(verb) is missing or wrong",
            nextZH: "参数见 docs/control.md", nextEN: "see docs/control.md")
    }

    static func badAnswer(_ verb: String) -> Problem {
        Problem(
            "E-CONTROL-004", zh: "主机对 \(verb) 的答复不完整", en: "the host's answer to \(verb) is incomplete",
            nextZH: "命令与主机版本不同,重启主机", nextEN: "command and host differ in version: restart the host")
    }
}

extension JSON {
    /// A whole number.
    static func int(_ value: Int) -> JSON { .number(JSONNumber(Int64(value))) }

    /// `{"zh": …, "en": …}` in one language; also the two keys with a prefix, as problems have them.
    func text(_ language: Language, _ prefix: String = "") -> String? {
        self[prefix + language.rawValue]?.string
    }
}
