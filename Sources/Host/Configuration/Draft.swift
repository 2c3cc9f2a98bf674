import Glibc
import Mapping
import Values

/// One file of a draft or of a revision, with its bytes.
struct DraftFile: Sendable, Hashable {
    /// Relative to the workspace, e.g. `flows/expense-voucher.yaml`.
    let path: String
    let bytes: [UInt8]
}

/// `mappings/<name>.yaml`, as JSON; the Mapping room gives it its meaning.
struct MappingFile: Sendable {
    let name: String
    let file: String
    let root: Located

    var json: JSON { root.json }
}

/// The whole configuration of a workspace: what a person edits, or what a revision froze.
struct Draft: Sendable {
    /// The folder that relative paths are meant in.
    let root: String
    /// Every file that belongs to it, by path.
    let files: [DraftFile]
    let workspace: WorkspaceFile
    let connections: [ConnectionFile]
    let flows: [FlowFile]
    let mappings: [MappingFile]
    let tables: [CodeTable]
    /// The YAML files with their lines, by path.
    let sources: [String: Located]

    /// The four folders and what they hold.
    static let folders = [
        (name: "connections", suffix: ".yaml"), (name: "flows", suffix: ".yaml"), (name: "mappings", suffix: ".yaml"),
        (name: "tables", suffix: ".csv"),
    ]
    static let workspaceFile = "datong.yaml"

    func connection(_ name: String) -> ConnectionFile? { connections.first { $0.name == name } }
    func flow(_ name: String) -> FlowFile? { flows.first { $0.name == name } }
    func mapping(_ name: String) -> MappingFile? { mappings.first { $0.name == name } }
    func table(_ name: String) -> CodeTable? { tables.first { ConnectionFile.stem($0.file) == name } }

    /// Reads the draft of a workspace and collects all its problems. The draft is nil only where `datong.yaml` itself
    /// cannot be used; a draft beside problems holds what could be read.
    static func load(_ root: String) -> (draft: Draft?, problems: [ConfigurationProblem]) {
        let findings = Findings()
        let files = collect(root, findings: findings)
        let draft = read(files, root: root, findings: findings)
        return (draft, findings.sorted)
    }

    /// The same from files already in memory: a revision.
    static func read(_ files: [DraftFile], root: String) -> (draft: Draft?, problems: [ConfigurationProblem]) {
        let findings = Findings()
        let draft = read(files, root: root, findings: findings)
        return (draft, findings.sorted)
    }

    // MARK: Reading

    private static func collect(_ root: String, findings: Findings) -> [DraftFile] {
        var files: [DraftFile] = []
        func take(_ path: String, limit: Int) {
            do throws(Problem) {
                files.append(DraftFile(path: path, bytes: try FileStore.read(root + "/" + path, limit: limit)))
            } catch {
                findings.add(path, 0, error)
            }
        }
        if FileStore.exists(root + "/" + workspaceFile) {
            take(workspaceFile, limit: ConfigurationLimits.fileBytes)
        } else {
            findings.add(workspaceFile, 0, .fileMissing(workspaceFile))
        }
        for folder in folders {
            let names = FileStore.names(in: root + "/" + folder.name)
            if names.count > ConfigurationLimits.filesPerFolder {
                let what = Problem.Text(zh: "\(folder.name)/ 中的文件", en: "files in \(folder.name)/")
                findings.add(folder.name, 0, .tooMany(what, limit: ConfigurationLimits.filesPerFolder))
                continue
            }
            for name in names {
                let path = "\(folder.name)/\(name)"
                // Editors and version control leave files that begin with a dot or end with a tilde.
                if name.hasPrefix(".") || name.hasSuffix("~") { continue }
                guard name.hasSuffix(folder.suffix) else {
                    findings.add(path, 0, .strayFile(path, expected: "*" + folder.suffix))
                    continue
                }
                let isTable = folder.suffix == ".csv"
                take(path, limit: isTable ? ConfigurationLimits.tableBytes : ConfigurationLimits.fileBytes)
            }
        }
        return files
    }

    private static func read(_ files: [DraftFile], root: String, findings: Findings) -> Draft? {
        var workspace: WorkspaceFile?
        var connections: [ConnectionFile] = []
        var flows: [FlowFile] = []
        var mappings: [MappingFile] = []
        var tables: [CodeTable] = []
        var sources: [String: Located] = [:]
        for file in files {
            do throws(ConfigurationProblem) {
                let stem = ConnectionFile.stem(file.path)
                if file.path.hasPrefix("tables/") {
                    if !Name.isValid(stem) { findings.add(file.path, 0, .badName(stem)) }
                    if let table = table(file, findings) { tables.append(table) }
                    continue
                }
                let source = try YAMLReader.read(file.bytes, file: file.path)
                sources[file.path] = source
                switch file.path.prefix(while: { $0 != "/" }) {
                case "connections":
                    if let read = ConnectionFile(source, file: file.path, findings: findings) {
                        connections.append(read)
                    }
                case "flows":
                    if let read = FlowFile(source, file: file.path, findings: findings) { flows.append(read) }
                case "mappings":
                    if !Name.isValid(stem) { findings.add(file.path, 0, .badName(stem)) }
                    mappings.append(MappingFile(name: stem, file: file.path, root: source))
                    if let name = source.child("mapping")?.text, name != stem {
                        findings.add(file.path, source.line(at: ["mapping"]), .nameIsNotFileName(name, file: file.path))
                    }
                default:
                    workspace = WorkspaceFile(source, file: file.path, findings: findings)
                }
            } catch {
                findings.add(error)
            }
        }
        guard let workspace else { return nil }
        let draft = Draft(
            root: root, files: files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) },
            workspace: workspace, connections: connections, flows: flows, mappings: mappings, tables: tables,
            sources: sources)
        draft.checkNames(findings)
        draft.checkMappings(findings)
        return draft
    }

    private static func table(_ file: DraftFile, _ findings: Findings) -> CodeTable? {
        do throws(MappingProblems) {
            return try CodeTable(file: file.path, csv: file.bytes)
        } catch {
            for problem in error.problems { findings.add(file.path, tableLine(of: problem), problem) }
            return nil
        }
    }

    /// What can be said without knowing the connectors.
    private func checkNames(_ findings: Findings) {
        if case .keyFile(let path) = workspace.unlock,
            FileStore.isInside(FileStore.expand(path, in: root), folder: root)
        {
            let line = sources[Self.workspaceFile]?.line(at: ["vault", "unlock", "key_file"]) ?? 0
            findings.add(Self.workspaceFile, line, .keyFileInWorkspace)
        }
        for connection in connections where connection.isolation == .inProcess && !workspace.practice {
            add(findings, "connections/\(connection.name).yaml", ["isolation"], .inProcessOutsidePractice)
        }
        // A file that could not be read is known by its name, so that one mistake is not reported twice.
        let connectionNames = files.filter { $0.path.hasPrefix("connections/") }.map { ConnectionFile.stem($0.path) }
        let mappingNames = files.filter { $0.path.hasPrefix("mappings/") }.map { ConnectionFile.stem($0.path) }
        var identities: [String: String] = [:]
        for flow in flows {
            let file = "flows/\(flow.name).yaml"
            for (end, key) in [(flow.from, "from"), (flow.to, "to")] where !connectionNames.contains(end.connection) {
                let kind = Problem.Text(zh: "连接", en: "connection")
                add(
                    findings, file, [key, "connection"],
                    .unknownName(kind, end.connection, among: connectionNames))
            }
            if !mappingNames.contains(flow.mapping) {
                let kind = Problem.Text(zh: "映射", en: "mapping")
                add(findings, file, ["mapping"], .unknownName(kind, flow.mapping, among: mappingNames))
            }
            if let other = identities.updateValue(file, forKey: flow.id) {
                add(findings, file, ["id"], .sameIdentity(flow.id, other: other))
            }
        }
    }

    /// Adds a problem at the line of a path in a file.
    func add(_ findings: Findings, _ file: String, _ path: [String], _ problem: Problem) {
        findings.add(file, sources[file]?.line(at: path) ?? 0, problem)
    }
}
