import ArgumentParser
import Conformance
import Documents
import Values
import Vault

/// `datong connector`.
struct ConnectorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connector", abstract: "连接器 · connectors",
        subcommands: [List.self, Inspect.self, Test.self, New.self])

    struct List: DatongCommand {
        static let configuration = CommandConfiguration(abstract: "列出可用的连接器 · list what can be used")
        @OptionGroup var global: GlobalOptions

        func perform(_ session: Session) async throws -> ExitStatus {
            let folders = Draft.load(session.root).draft?.connectorFolders ?? Draft.installedConnectorFolders
            let catalogue = await ConnectorCatalogue.scan(folders, session.services.inspector)
            let terminal = session.terminal
            terminal.result([
                "connectors": .array(
                    catalogue.connectors.map {
                        [
                            "id": .string($0.id), "version": .string($0.version), "path": .string($0.path),
                            "sha256": .string($0.sha256), "products": .array($0.products.map { .string($0) }),
                        ]
                    }),
                "refused": .array(
                    catalogue.refused.map { ["path": .string($0.path), "code": .string($0.problem.code)] }),
            ])
            var table = ScreenTable(
                terminal.words("连接器", "connector"), terminal.words("版本", "version"), terminal.words("产品", "products"),
                terminal.words("文件", "file"))
            table.rows = catalogue.connectors.map {
                [$0.id, $0.version, $0.products.joined(separator: ", "), $0.path]
            }
            terminal.table(table)
            for refused in catalogue.refused where !terminal.json {
                terminal.note("\(refused.path)")
                terminal.problem(refused.problem)
            }
            if catalogue.connectors.isEmpty {
                terminal.line(terminal.words("查找过:", "looked in: ") + folders.joined(separator: ", "))
            }
            return catalogue.refused.isEmpty ? .done : .attention
        }
    }

    struct Inspect: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "一个库的自述:产品、设置、密钥、额度、单据 · what a library says of itself")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "库文件 · library") var file: String

        func perform(_ session: Session) async throws -> ExitStatus {
            let path = FileStore.absolute(file)
            let bytes = try FileStore.read(path, limit: ConfigurationLimits.libraryBytes)
            let describe = try await session.services.inspector.describe(library: path)
            var answer = describe.object ?? [:]
            answer["not_in_flows"] = .array(OfferedDocument.notInFlows(describe).map(JSON.string))
            session.terminal.result(.object(answer))
            session.terminal.connector(describe, sha256: Hash.sha256Hex(bytes))
            return .done
        }
    }

    /// `datong connector test`.
    struct Test: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "一致性检查:在工作进程中试一个库,逐项说明 · try a library in worker processes, check by check")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "库文件 · library") var file: String
        @Option(help: "产品、设置、密钥、样张,JSON · product, settings, secrets, samples as JSON") var settings: String?
        @Option(help: "随机部分的种子,默认每次不同 · seed of the random parts") var seed: UInt64?
        @Option(help: "把报告写成网页 · write the report as a page") var html: String?

        func perform(_ session: Session) async throws -> ExitStatus {
            let kit = Conformance(
                worker: WorkerInspector.workerPath, runtimeFolder: WorkerInspector.runtimeFolder,
                seed: seed ?? UInt64.random(in: 0...UInt64(UInt32.max)))
            let terminal = session.terminal
            let report = try await kit.test(
                library: FileStore.absolute(file), settings: settings.map { FileStore.absolute($0) },
                read: { (path) throws(Problem) in try FileStore.read(path, limit: ConfigurationLimits.libraryBytes) },
                progress: { terminal.progress($0) })
            terminal.progressDone()
            terminal.result(report.json)
            var table = ScreenTable("", terminal.words("检查", "check"), terminal.words("证明什么", "what it proves"))
            for check in report.checks {
                let sign = ["pass": "✓", "fail": "✗", "skip": "–"][check.verdict.word] ?? ""
                table.rows.append([sign, check.id, check.proves[terminal.language]])
            }
            terminal.table(table)
            for check in report.checks where check.verdict.word != "pass" {
                terminal.line("\(check.verdict.word) \(check.id): \(Screen.safe(check.verdict.reason))")
            }
            terminal.say(
                Problem.Text(
                    zh:
                        "\(report.id) \(report.version): 通过 \(report.passed), 不通过 \(report.failed), 未能检查 \(report.skipped)",
                    en:
                        "\(report.id) \(report.version): pass \(report.passed), fail \(report.failed), skip \(report.skipped)"
                ),
                next: Problem.Text(
                    zh: "用 --seed \(report.seed) 重复; docs/conformance.md 说明每一项",
                    en: "repeat with --seed \(report.seed); docs/conformance.md explains each check"))
            if let html { try FileStore.replace(FileStore.absolute(html), Array(report.html.utf8)) }
            return report.isGood ? .done : .problem
        }
    }

    /// `datong connector new`.
    struct New: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "新连接器的骨架,能编译并通过检查 · a skeleton that builds and passes the checks")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "连接器的 id,a-z0-9- · the connector's id") var name: String
        @Option(help: "swift 或 c · language") var language: SkeletonLanguage
        @Argument(help: "文件夹,默认与 id 同名 · folder, else the id") var folder: String?
        @Option(help: "datong 的源码,Swift 骨架依赖它 · datong's sources, which a Swift skeleton depends on")
        var source: String = ".."

        func perform(_ session: Session) async throws -> ExitStatus {
            let skeleton = try Skeleton(name)
            let path = FileStore.absolute(folder ?? name)
            guard FileStore.names(in: path).isEmpty else { throw Problem.skeletonFolder(path) }
            let files = try skeleton.files(language, source: FileStore.absolute(source))
            for (file, text) in files {
                let place = path + "/" + file
                try FileStore.makeFolder(FileStore.folder(of: place))
                try FileStore.writeNew(place, Array(text.utf8))
            }
            session.terminal.result([
                "folder": .string(path), "files": .array(files.map { .string($0.file) }),
            ])
            session.terminal.say(
                Problem.Text(zh: "已生成 \(path): \(files.count) 个文件", en: "\(path) holds \(files.count) files"),
                next: Problem.Text(zh: "README.md 说明如何编译和检查", en: "its README.md says how to build and test it"))
            return .done
        }
    }
}

/// A document of a connector's description, and whether a flow of this version can carry it.
struct OfferedDocument {
    let name: String
    let abilities: [String]
    /// A flow has it as its source or target, or writes it back on its source as a comment.
    let isInFlows: Bool

    /// An entry of `streams`.
    init(stream: JSON) {
        name = stream["document"]?.string ?? ""
        abilities = (stream["abilities"]?.array ?? []).compactMap(\.string)
        isInFlows = Self.hasType(name)
    }

    /// An entry of `documents`.
    init(document: JSON) {
        name = document["type"]?.string ?? ""
        abilities = (document["abilities"]?.array ?? []).compactMap(\.string)
        isInFlows = Self.hasType(name) || document["comments_on"]?.string.map(Self.hasType) == true
    }

    private static func hasType(_ name: String) -> Bool { DocumentType.all.contains { $0.name == name } }

    /// Names a connector offers in vain, each once, in its own order.
    static func notInFlows(_ describe: JSON) -> [String] {
        var names: [String] = []
        for product in describe["products"]?.array ?? [] {
            let offered =
                (product["streams"]?.array ?? []).map { OfferedDocument(stream: $0) }
                + (product["documents"]?.array ?? []).map { OfferedDocument(document: $0) }
            for document in offered where !document.isInFlows && !names.contains(document.name) {
                names.append(document.name)
            }
        }
        return names
    }
}

extension Terminal {
    /// A text in both languages inside a description.
    private func title(_ value: JSON?) -> String {
        Screen.safe(value?.text(language) ?? value?.text(.en) ?? value?.text(.zh) ?? "")
    }

    func connector(_ describe: JSON, sha256: String) {
        line("\(describe["id"]?.string ?? "") \(describe["version"]?.string ?? "")  \(title(describe["title"]))")
        line("sha256 \(sha256)")
        for product in describe["products"]?.array ?? [] {
            line()
            line(words("产品 ", "product ") + "\(product["id"]?.string ?? "")  \(title(product["title"]))")
            let settings = product["settings"]
            let required = (settings?["required"]?.array ?? []).compactMap(\.string)
            var table = ScreenTable("", "", "", "")
            for (name, property) in settings?["properties"]?.object ?? [:] {
                table.rows.append([
                    words("设置", "setting"), name, required.contains(name) ? words("必填", "required") : "",
                    title(property["title"]),
                ])
            }
            for (name, secret) in product["secrets"]?.object ?? [:] {
                table.rows.append([
                    words("密钥", "secret"), name,
                    secret["required"]?.bool == true ? words("必填", "required") : "", title(secret["title"]),
                ])
            }
            for limit in product["limits"]?.array ?? [] {
                let window = limit["window_ms"]?.int.map { DurationText.text($0) } ?? ""
                table.rows.append([words("额度", "limit"), limit["id"]?.string ?? "", limit["max"]?.text ?? "", window])
            }
            func add(_ kind: String, _ document: OfferedDocument) {
                let mark = document.isInFlows ? "" : words("  (本版本流程尚不可用)", "  (not usable in flows of this version)")
                table.rows.append([kind, document.name, "", document.abilities.joined(separator: " ") + mark])
            }
            for stream in product["streams"]?.array ?? [] { add(words("读", "reads"), OfferedDocument(stream: stream)) }
            for document in product["documents"]?.array ?? [] {
                add(words("写", "writes"), OfferedDocument(document: document))
            }
            for text in table.lines.dropFirst() { line("  " + text) }
        }
    }
}
