import ArgumentParser
import Glibc
import Values
import Vault

/// Where a workspace's vault lies and how it is opened.
enum WorkspaceVault {
    static func path(_ root: String) -> String { root + "/vault.datong" }

    /// The newest generation seen: an older vault put back in place is noticed.
    static func anchor(_ root: String) -> FileGenerationAnchor {
        FileGenerationAnchor(path: root + "/state/vault.generation")
    }

    /// What opens the vault. A passphrase is asked on the terminal; without one the process cannot go on (`E-TERM-001`).
    /// - Parameter new: the passphrase is being chosen: it is asked for twice.
    static func material(
        _ root: String, _ unlock: WorkspaceFile.Unlock, _ terminal: Terminal, new: Bool = false
    ) throws(Problem) -> UnlockMaterial {
        switch unlock {
        case .keyFile(let path): return .keyFile(path: FileStore.expand(path, in: root), workspace: root)
        case .passphrase:
            let question =
                new
                ? terminal.words("新保险库的口令", "passphrase of the new vault") : terminal.words("保险库口令", "vault passphrase")
            return .passphrase(try (new ? SecretInput.prompt : .promptOnce).read(question, terminal))
        }
    }

    /// Opens the vault of a workspace.
    static func open(_ root: String, _ workspace: WorkspaceFile, _ terminal: Terminal) throws(Problem) -> Vault {
        let material = try material(root, workspace.unlock, terminal)
        return try Vault.open(path: path(root), unlock: material, anchor: anchor(root))
    }

    /// Makes the vault, and the key file where the configuration names one that does not exist yet.
    static func create(_ root: String, _ workspace: WorkspaceFile, _ terminal: Terminal) throws(Problem) -> Vault {
        if case .keyFile(let name) = workspace.unlock {
            let keyFile = FileStore.expand(name, in: root)
            if !FileStore.exists(keyFile) {
                try FileStore.makeFolder(FileStore.folder(of: keyFile), mode: 0o700)
                try UnlockMaterial.createKeyFile(path: keyFile, workspace: root)
            }
        }
        try FileStore.makeFolder(root + "/state", mode: 0o700)
        let material = try material(root, workspace.unlock, terminal, new: true)
        return try Vault.create(
            path: path(root), customer: workspace.customer, unlock: material, anchor: anchor(root))
    }
}

extension Session {
    /// `datong.yaml` alone: the vault works while flows are still being written.
    func workspaceFile() throws(Problem) -> WorkspaceFile {
        guard FileStore.exists(root + "/" + Draft.workspaceFile) else { throw .notAWorkspace(root) }
        let (draft, problems) = Draft.load(root)
        guard let draft else {
            throw problems.first { $0.file == Draft.workspaceFile }?.problem ?? .notAWorkspace(root)
        }
        return draft.workspace
    }

    /// The opened vault.
    func vault() throws(Problem) -> Vault { try WorkspaceVault.open(root, try workspaceFile(), terminal) }

    /// Writes a use of the vault into the audit: through the running host, which opens a changed vault anew, or alone.
    func record(_ use: VaultUse, _ vault: Vault) async throws(Problem) {
        do throws(Problem) {
            _ = try await services.control(root, terminal).request("vault.record", .object(use.arguments))
        } catch  where error.code == Problem.hostNotRunning.code {
            try await use.recordAlone(root, vault)
        }
    }
}

/// `datong vault`.
struct VaultCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vault", abstract: "保险库:密钥唯一的存放处 · the only place with secrets",
        subcommands: [Create.self, Put.self, Get.self, List.self, Remove.self, Verify.self])

    struct Create: DatongCommand {
        static let configuration = CommandConfiguration(
            commandName: "init", abstract: "按 datong.yaml 建立保险库 · make the vault as datong.yaml says")
        @OptionGroup var global: GlobalOptions

        func perform(_ session: Session) async throws -> ExitStatus {
            let vault = try WorkspaceVault.create(session.root, try session.workspaceFile(), session.terminal)
            session.terminal.result(["path": .string(vault.path)])
            session.terminal.say(
                Problem.Text(zh: "保险库已建立", en: "the vault is made"),
                next: Problem.Text(zh: "datong vault put 名称", en: "datong vault put NAME"))
            return .done
        }
    }

    struct Put: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "存入一个密钥,从提示、文件或标准输入读取 · store a secret from prompt, file or standard input")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "名称,如 erp/app-secret · name, as in vault:NAME") var name: String
        @Option(help: "从文件读取 · read from a file") var fromFile: String?
        @Flag(help: "从标准输入读取 · read from standard input") var stdin = false

        func validate() throws {
            guard fromFile == nil || !stdin else {
                throw ValidationError("--from-file 与 --stdin 二选一 · --from-file or --stdin, not both")
            }
        }

        func perform(_ session: Session) async throws -> ExitStatus {
            guard VaultReference("vault:" + name) != nil else { throw Problem.badSecretName(name.utf8.count) }
            let vault = try session.vault()
            let input: SecretInput = fromFile.map { .file($0) } ?? (stdin ? .standardInput : .prompt)
            let secret = try input.read(name, session.terminal)
            let version = try vault.put(name: name, value: secret)
            try await session.record(VaultUse(.put, name, version: Int(version)), vault)
            session.terminal.result(["name": .string(name), "version": .int(Int(version))])
            session.terminal.say(
                Problem.Text(zh: "\(name) 已存入", en: "\(name) is stored"),
                next: Problem.Text(zh: "配置里写 vault:\(name)", en: "write vault:\(name) in the configuration"))
            return .done
        }
    }

    struct Get: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "查看一个密钥的版本;--reveal 输出明文 · version of a secret; --reveal prints it")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "名称 · name") var name: String
        @Flag(help: "把明文写到标准输出 · write the secret itself to standard output") var reveal = false

        func perform(_ session: Session) async throws -> ExitStatus {
            let vault = try session.vault()
            if reveal {
                let secret = try vault.read(name: name)
                // Written down first: nothing is revealed that nobody can be asked about.
                try await session.record(
                    VaultUse(.get, name, version: vault.version(of: name).map { Int($0) }), vault)
                secret.withBytes { bytes in
                    var rest = bytes[...]
                    while !rest.isEmpty {
                        let count = write(STDOUT_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                        if count <= 0 { break }
                        rest = rest.dropFirst(count)
                    }
                }
                return .done
            }
            guard let info = vault.list().first(where: { $0.name == name }) else {
                throw Problem.unknownName(Problem.Text(zh: "密钥", en: "secret"), name, among: vault.list().map(\.name))
            }
            session.terminal.result(info.json)
            session.terminal.secrets([info])
            return .done
        }
    }

    struct List: DatongCommand {
        static let configuration = CommandConfiguration(abstract: "列出名称和版本,不含内容 · names and versions, never contents")
        @OptionGroup var global: GlobalOptions

        func perform(_ session: Session) async throws -> ExitStatus {
            let secrets = try session.vault().list()
            session.terminal.result(["secrets": .array(secrets.map(\.json))])
            session.terminal.secrets(secrets)
            return .done
        }
    }

    struct Remove: DatongCommand {
        static let configuration = CommandConfiguration(abstract: "删除一个密钥 · remove a secret")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "名称 · name") var name: String
        @Flag(help: "不再询问 · do not ask") var yes = false

        func perform(_ session: Session) async throws -> ExitStatus {
            let terminal = session.terminal
            let users = Draft.load(session.root).draft?.connections.filter { $0.secrets.values.contains(name) } ?? []
            if !yes {
                guard terminal.canAsk else { throw Problem.consentNeeded }
                let used =
                    users.isEmpty
                    ? ""
                    : terminal.words(
                        ",正被 \(users.map(\.name).joined(separator: "、")) 使用",
                        ", used by \(users.map(\.name).joined(separator: ", "))")
                guard terminal.confirm(terminal.words("删除 \(name)\(used)?", "remove \(name)\(used)?")) else {
                    return .attention
                }
            }
            let vault = try session.vault()
            try vault.remove(name: name)
            try await session.record(VaultUse(.remove, name), vault)
            terminal.result(["removed": .string(name)])
            terminal.say(Problem.Text(zh: "\(name) 已删除", en: "\(name) is removed"))
            return .done
        }
    }

    struct Verify: DatongCommand {
        static let configuration = CommandConfiguration(
            abstract: "逐条解密核对,并核对配置引用 · open every entry, and compare with the configuration")
        @OptionGroup var global: GlobalOptions

        func perform(_ session: Session) async throws -> ExitStatus {
            let vault = try session.vault()
            let report = try vault.verify()
            let wanted = Set((Draft.load(session.root).draft?.connections ?? []).flatMap { $0.secrets.values })
            let missing = wanted.filter { !vault.contains($0) }.sorted()
            session.terminal.result([
                "secrets": .int(report.secrets), "generation": .int(Int(report.generation)),
                "missing": .array(missing.map { .string($0) }),
            ])
            session.terminal.say(
                Problem.Text(zh: "保险库完好,\(report.secrets) 个密钥", en: "the vault is whole, \(report.secrets) secrets"))
            for name in missing {
                session.terminal.say(
                    Problem.Text(
                        zh: "配置引用了 \(name),保险库里没有", en: "the configuration refers to \(name), which is not in the vault"
                    ),
                    next: Problem.Text(zh: "datong vault put \(name)", en: "datong vault put \(name)"))
            }
            return missing.isEmpty ? .done : .attention
        }
    }
}

extension SecretInfo {
    /// Name and version, never the content.
    var json: JSON { ["name": .string(name), "version": .int(Int(version)), "created": .int(Int(created))] }
}

extension Terminal {
    func secrets(_ secrets: [SecretInfo]) {
        var table = ScreenTable([
            (words("名称", "name"), .left), (words("版本", "version"), .right), (words("存入时间", "stored"), .left),
        ])
        for secret in secrets {
            let created = Instant(ms: Int64(secret.created) * 1000).text(offsetMinutes: 0) ?? ""
            table.rows.append([secret.name, "\(secret.version)", created])
        }
        self.table(table)
    }
}

extension Problem {
    static func badSecretName(_ bytes: Int) -> Problem {
        Problem(
            "E-COMMAND-004", zh: "密钥名称不合规则(\(bytes) 字节)", en: "not a valid name for a secret (\(bytes) bytes)",
            nextZH: "用字母、数字和 - _ . /,至多 128 字节,如 erp/app-secret;密钥本身不要写在命令行",
            nextEN: "use letters, digits and - _ . /, at most 128 bytes, e.g. erp/app-secret; never the secret itself")
    }
}
