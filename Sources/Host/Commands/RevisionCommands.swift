import ArgumentParser
import Documents
import Values

/// `datong revision`.
struct RevisionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revision", abstract: "查看冻结的版本 · frozen revisions", subcommands: [List.self, Show.self, Diff.self])

    struct List: DatongCommand {
        static let configuration = CommandConfiguration(abstract: "列出全部版本 · list all")
        @OptionGroup var global: GlobalOptions

        func perform(_ session: Session) async throws -> ExitStatus {
            let store = RevisionStore(session.root)
            let active = try store.activeNumber()
            let manifests = try store.list()
            session.terminal.result([
                "active": active.map { .int($0) } ?? .null,
                "revisions": .array(
                    manifests.map {
                        var entry = $0.json.object ?? [:]
                        entry["active"] = .bool($0.number == active)
                        return .object(entry)
                    }),
            ])
            let terminal = session.terminal
            var table = ScreenTable(
                "", terminal.words("版本", "revision"), terminal.words("时间", "created"), terminal.words("操作人", "by"),
                terminal.words("来源", "origin"), terminal.words("内容", "content"))
            for manifest in manifests {
                let origin =
                    switch manifest.origin {
                    case .apply: "apply"
                    case .rollback(let to): "rollback \(to)"
                    }
                table.rows.append([
                    manifest.number == active ? "*" : "", "\(manifest.number)", manifest.created, manifest.user, origin,
                    String(manifest.content.prefix(12)),
                ])
            }
            terminal.table(table)
            return .done
        }
    }

    struct Show: DatongCommand {
        static let configuration = CommandConfiguration(abstract: "查看并核验一个版本 · show one and check its hashes")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "版本号,默认正在运行的 · number, else the active one") var revision: Int?

        func perform(_ session: Session) async throws -> ExitStatus {
            let store = RevisionStore(session.root)
            let active = try store.activeNumber()
            guard let number = revision ?? active else { throw Problem.noRevision(1, known: store.numbers) }
            let manifest = try store.load(number).manifest
            let terminal = session.terminal
            terminal.result(manifest.json)
            terminal.line(
                terminal.words("版本 \(number)", "revision \(number)") + "  \(manifest.created)  \(manifest.user)")
            terminal.line("sha256 \(manifest.content)")
            var table = ScreenTable([("", .left), ("", .right), ("", .left)])
            table.rows = manifest.files.map { [$0.path, "\($0.bytes)", String($0.sha256.prefix(12))] }
            table.rows += manifest.connectors.map { [$0.path, $0.version, String($0.sha256.prefix(12))] }
            for line in table.lines.dropFirst() { terminal.line("  " + line) }
            return .done
        }
    }

    struct Diff: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "两个版本之间的变更 · what changed between two revisions")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "较早的版本 · the earlier one") var old: Int
        @Argument(help: "较新的版本,默认当前草稿 · the later one, else the draft") var new: Int?

        func perform(_ session: Session) async throws -> ExitStatus {
            let store = RevisionStore(session.root)
            let before = try store.load(old)
            let changes: [ConfigurationChange]
            if let new {
                let after = try store.load(new)
                changes = Difference.between(
                    before.draft, after.draft, oldConnectors: before.manifest.connectors,
                    newConnectors: after.manifest.connectors)
            } else {
                changes = Difference.between(before.draft, try session.draft())
            }
            session.terminal.result(["changes": .array(changes.map(\.json))])
            if !session.terminal.json { session.terminal.changes(changes.map(\.json)) }
            return changes.isEmpty ? .done : .attention
        }
    }
}

/// `datong schema`.
struct SchemaCommand: DatongCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "打印单据的 JSON Schema · print a document's JSON Schema")
    @OptionGroup var global: GlobalOptions
    @Argument(help: "单据类型,如 voucher · document type, e.g. voucher") var document: String

    func perform(_ session: Session) async throws -> ExitStatus {
        session.terminal.raw(try DocumentType.named(document).schemaText)
        return .done
    }
}
