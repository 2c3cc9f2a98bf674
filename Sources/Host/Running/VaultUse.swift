import Ledger
import Values
import Vault

/// A command's use of one secret, for the audit: never its value.
struct VaultUse: Sendable {
    enum Action: String, Sendable {
        case put, get, remove
    }

    let action: Action
    let secret: String
    /// The version that was put or read.
    let version: Int?

    init(_ action: Action, _ secret: String, version: Int? = nil) {
        self.action = action
        self.secret = secret
        self.version = version
    }

    /// As the control socket carries it.
    init(_ arguments: JSON) throws(Problem) {
        guard let action = arguments["action"]?.string.flatMap({ Action(rawValue: $0) }) else {
            throw .badArgument("vault.record", "action")
        }
        guard let secret = arguments["secret"]?.string, VaultReference("vault:" + secret) != nil else {
            throw .badArgument("vault.record", "secret")
        }
        self.init(action, secret, version: arguments["version"]?.int.map { Int($0) })
    }

    var arguments: JSONObject {
        var arguments: JSONObject = ["action": .string(action.rawValue), "secret": .string(secret)]
        if let version { arguments["version"] = .int(version) }
        return arguments
    }
    /// The audit line's action.
    var name: String { "vault.\(action.rawValue)" }
    var detail: JSON {
        var detail: JSONObject = ["secret": .string(secret)]
        if let version { detail["version"] = .int(version) }
        return .object(detail)
    }

    /// Writes the line while no host runs: under the run lock, into the ledger if the workspace has one yet.
    func recordAlone(_ root: String, _ vault: Vault) async throws(Problem) {
        let paths = WorkspacePaths(root: root)
        guard FileStore.exists(paths.ledger) else { return }
        let result: Result<Void, Problem> = await Blocking.run {
            do throws(Problem) { return .success(try write(paths, vault)) } catch { return .failure(error) }
        }
        try result.get()
    }

    private func write(_ paths: WorkspacePaths, _ vault: Vault) throws(Problem) {
        let lock = try RunLock(paths.lock, role: .command)
        defer { lock.release() }
        let ledger = try SQLiteLedger(path: paths.ledger, sealer: try LedgerSealer(paths: paths, vault: vault))
        defer { ledger.close() }
        let (anchor, now) = (AuditAnchor(paths: paths), HostProcess.clock())
        try anchor.join(ledger, at: now, HostLog.quiet)
        try ledger.commit([.audit(actor: SystemUser.name, action: name, detail: detail.text, at: now)])
        anchor.keep(ledger, HostLog.quiet)
    }
}

extension HostProcess {
    /// A command has used the vault; a changed one is opened anew.
    func recordVault(_ arguments: JSON) async throws(Problem) -> JSON {
        let use = try VaultUse(arguments)
        if use.action != .get { try reloadVault() }
        return try await ask(.audit(actor: Self.person, action: use.name, detail: use.detail))
    }
}
