import Glibc
import Values

/// A draft on its way to become the next revision: read, checked against its connectors, compared with what runs.
///
/// Made by whoever owns the workspace: the running host, or a command that holds the run lock. What a person agreed to
/// is named by `content`; `freeze` refuses anything else.
struct Application: Sendable {
    let root: String
    /// Nil where `datong.yaml` cannot be used.
    let draft: Draft?
    var problems: [ConfigurationProblem]
    /// The connectors that the draft's connections use.
    let connectors: [Connector]
    /// The revision that runs now; nil before the first one and where it cannot be loaded.
    let running: Revision?
    /// Why the running revision cannot be loaded. A new revision is the way out, so this stops nothing.
    let damage: Problem?
    let changes: [ConfigurationChange]
    /// Hex SHA-256 over files and connectors, the same as the manifest's of the revision it becomes.
    let content: String

    /// Reads and checks everything. Throws only where nobody can say which revision runs (`E-REVISION-004`).
    static func prepare(_ root: String, inspector: any ConnectorInspector) async throws(Problem) -> Application {
        let store = RevisionStore(root)
        var running: Revision?
        var damage: Problem?
        if let number = try store.activeNumber() {
            do throws(Problem) { running = try store.load(number) } catch { damage = error }
        }
        var (draft, problems) = Draft.load(root)
        var used: [Connector] = []
        if let read = draft {
            let catalogue = await ConnectorCatalogue.scan(read.connectorFolders, inspector)
            problems += read.check(catalogue)
            problems.sort { ($0.file, $0.line) < ($1.file, $1.line) }
            let ids = Set(read.connections.map(\.connector))
            used = catalogue.connectors.filter { ids.contains($0.id) }.sorted { $0.id < $1.id }
        }
        let manifest = draft.map { RevisionStore.manifest($0, used, number: 0, created: "", user: "") }
        let changes = draft.map {
            Difference.between(
                running?.draft, $0, oldConnectors: running?.manifest.connectors ?? [],
                newConnectors: manifest?.connectors ?? [])
                + $0.openedHosts(by: used, before: running)
        }
        return Application(
            root: root, draft: draft, problems: problems, connectors: used, running: running, damage: damage,
            changes: changes ?? [],
            content: manifest?.content ?? "")
    }

    /// Makes it the next revision.
    /// - Parameter content: what the person saw; nil where nobody looked.
    func freeze(expecting content: String?, created: String, user: String) throws(Problem) -> RevisionManifest {
        guard let draft, problems.isEmpty else { throw .draftHasProblems(problems) }
        if let content, content != self.content { throw .draftMoved }
        return try RevisionStore(root).freeze(draft, connectors: connectors, created: created, user: user)
    }

    /// The answer of the control verb `apply` with `dry_run`.
    var json: JSON {
        [
            "running": running.map { .number(JSONNumber(Int64($0.number))) } ?? .null, "content": .string(content),
            "damage": damage.map { Terminal.json($0) } ?? .null, "changes": .array(changes.map(\.json)),
            "problems": .array(problems.map(\.json)),
        ]
    }
}

extension Draft {
    /// What connectors open beside the endpoints the operator wrote: told wherever connection or library is a new one.
    /// The library is frozen with the revision, so it can name no other origin later.
    fileprivate func openedHosts(by connectors: [Connector], before: Revision?) -> [ConfigurationChange] {
        connections.compactMap { connection in
            guard let connector = connectors.first(where: { $0.id == connection.connector }),
                let hosts = connector.product(connection.product)?["hosts"]?.array?.compactMap(\.string), !hosts.isEmpty
            else { return nil }
            let isKnown =
                before?.draft.connection(connection.name)?.product == connection.product
                && before?.manifest.connectors.contains { $0.sha256 == connector.sha256 } == true
            if isKnown { return nil }
            let list = hosts.joined(separator: ", ")
            return ConfigurationChange(
                subject: .connection, name: connection.name, kind: .changed,
                detail: .init(zh: "除 endpoint 外还可访问 \(list)", en: "may also reach \(list)"))
        }
    }

    /// The folders searched for connector libraries: those of the configuration, then those beside the executable.
    var connectorFolders: [String] {
        workspace.connectors.map { FileStore.expand($0, in: root) } + Self.installedConnectorFolders
    }

    /// `connectors/` and the folder of the executable itself, where a build puts the libraries.
    static var installedConnectorFolders: [String] {
        let executable = FileStore.absolute("/proc/self/exe")
        let folder = FileStore.folder(of: executable)
        return [folder + "/connectors", folder]
    }
}

/// The system user that runs this process.
enum SystemUser {
    static var name: String { name(of: getuid()) }

    /// The name of a user id, or the number where it has none.
    static func name(of id: uid_t) -> String {
        guard let entry = getpwuid(id), let name = entry.pointee.pw_name else { return "\(id)" }
        return String(cString: name)
    }
}

extension Problem {
    static func draftHasProblems(_ problems: [ConfigurationProblem]) -> Problem {
        let first = problems.first.map { "\($0.problem.code) \($0.place)" } ?? Draft.workspaceFile
        return Problem(
            "E-CONF-046", zh: "草稿有 \(problems.count) 个问题,第一个:\(first)",
            en: "the draft has \(problems.count) problems, the first: \(first)",
            nextZH: "用 datong apply --dry-run 逐条查看", nextEN: "see them with datong apply --dry-run")
    }

    static var draftMoved: Problem {
        Problem(
            "E-CONF-047", zh: "草稿在确认期间又被修改", en: "the draft was changed while it was being agreed to",
            nextZH: "重新运行 datong apply", nextEN: "run datong apply again")
    }
}
