import Values

/// `datong.yaml`: one customer's workspace.
struct WorkspaceFile: Sendable, Hashable {
    /// How the vault is opened.
    enum Unlock: Sendable, Hashable {
        /// A file outside the workspace; `~` is the home of the user that runs the host.
        case keyFile(String)
        /// A passphrase asked on the terminal. `run` without a terminal refuses it.
        case passphrase
    }

    /// How much the log says.
    enum LogLevel: String, Sendable, CaseIterable { case debug, info, warning, error }

    /// The short name of the customer, used in names of files.
    var customer: String
    /// The customer's name for screens and reports.
    var title: String
    /// A workspace without signatures, for demonstrations and tests. Says so on every screen.
    var practice: Bool
    /// `zh-CN` or `en`: the language of this workspace's commands where `--lang` says nothing; nil: the environment's.
    var locale: String?
    /// IANA name of the zone that dates without one are meant in.
    var timeZone: String
    /// Folders with connector libraries, relative to the workspace or absolute.
    var connectors: [String]
    /// How the vault is opened.
    var unlock: Unlock
    /// Log level.
    var logLevel: LogLevel

    /// `ledger` and `alerts` are known so that `apply` can say that this version does not carry them out.
    static let keys = [
        "customer", "title", "practice", "locale", "time_zone", "connectors", "vault", "ledger", "alerts", "log",
    ]

    /// Nil if something needed is wrong; `findings` has all of it.
    init?(_ root: Located, file: String, findings: Findings) {
        guard let reader = MappingReader(root, file: file, keys: Self.keys, findings: findings) else { return nil }
        let customer = reader.name("customer", write: "hengda")
        title = reader.optionalText("title", write: "…") ?? customer ?? ""
        practice = reader.bool("practice", default: false)
        locale = reader.optionalText("locale", write: "zh-CN")
        if let locale, Language(locale: locale) == nil {
            reader.report("locale", .notAChoice("locale", seen: locale, choices: Language.allCases.map(\.locale)))
        }
        timeZone = reader.optionalText("time_zone", write: "Asia/Shanghai") ?? "Asia/Shanghai"
        if !TimeZoneRule.exists(timeZone) { reader.report("time_zone", .badTimeZone(timeZone)) }
        connectors = (reader.list("connectors", write: "connectors") ?? []).compactMap {
            reader.text($0, "connectors", write: "connectors")
        }

        var unlock: Unlock?
        if reader.required("vault", write: "{ unlock: { key_file: ~/.config/datong/keys/CUSTOMER.key } }") != nil,
            let vault = reader.section("vault", keys: ["unlock"]),
            let value = vault.required("unlock", write: "{ key_file: PATH } | passphrase")
        {
            if value.text == "passphrase" {
                unlock = .passphrase
            } else if case .scalar(let text, _) = value.content {
                vault.report(
                    "unlock", .notAChoice("vault.unlock", seen: text, choices: ["passphrase", "{ key_file: PATH }"]))
            } else if let section = vault.section("unlock", keys: ["key_file"]),
                let path = section.text("key_file", write: "~/.config/datong/keys/CUSTOMER.key")
            {
                unlock = .keyFile(path)
            }
        }

        let log = reader.section("log", keys: ["level"])
        logLevel = log?.choice("level", LogLevel.self) ?? .info

        guard let customer, let unlock else { return nil }
        self.customer = customer
        self.unlock = unlock
    }
}
