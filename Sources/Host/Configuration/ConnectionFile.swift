import Values

/// `connections/<name>.yaml`: how one system of the customer is reached.
struct ConnectionFile: Sendable, Hashable {
    /// Where the connector's code runs.
    enum Isolation: String, Sendable, CaseIterable {
        /// A process of its own, locked down.
        case worker
        /// Inside the host; practice workspaces only.
        case inProcess = "in-process"
    }

    /// What is trusted on TLS connections beside the system's certificate store.
    struct Trust: Sendable, Hashable {
        /// PEM file with further authorities, relative to the workspace or absolute.
        var authorityFile: String?
        /// `sha256/…` pins of the server's public key; empty pins nothing.
        var pins: [String]
    }

    /// The name; also the file's.
    var name: String
    /// The plugin's id.
    var connector: String
    /// The product line.
    var product: String
    /// The base address.
    var endpoint: String
    /// The connector's settings, checked against its `describe`.
    var settings: JSONObject
    /// Secret's name in `describe` → name in the vault (without `vault:`).
    var secrets: [String: String]
    /// Limit id in `describe` → figure, at most the vendor's.
    var limits: [String: Int]
    /// TLS.
    var tls: Trust
    /// Proxy address.
    var proxy: String?
    /// Origins allowed beside the endpoint's own.
    var hosts: [String]
    /// Where the code runs.
    var isolation: Isolation
    /// Milliseconds within which the target may still commit a write that was not answered; nil: the connector's figure.
    var commitHorizon: Int64?
    /// Milliseconds per kind of call (`connect`, `read`, `write`, …); absent: the host's figure.
    var timeouts: [String: Int64]

    static let keys = [
        "connection", "connector", "product", "endpoint", "settings", "secrets", "limits", "tls", "proxy", "hosts",
        "isolation", "commit_horizon", "timeouts",
    ]
    static let timeoutKeys = ["connect", "probe", "read", "write", "find", "poll"]

    /// Nil if something needed is wrong; `findings` has all of it.
    init?(_ root: Located, file: String, findings: Findings) {
        guard let reader = MappingReader(root, file: file, keys: Self.keys, findings: findings) else { return nil }
        let name = reader.name("connection", write: Self.stem(file))
        if let name, name != Self.stem(file) { reader.report("connection", .nameIsNotFileName(name, file: file)) }
        let connector = reader.text("connector", write: "CONNECTOR")
        let product = reader.text("product", write: "PRODUCT")
        let endpoint = reader.required("endpoint", write: "https://…/").flatMap { reader.address($0, "endpoint") }

        settings = JSONObject()
        if let section = reader.section("settings", keys: nil) {
            for entry in section.all { settings[entry.key] = entry.value.json }
        }
        secrets = [:]
        if let section = reader.section("secrets", keys: nil) {
            for entry in section.all {
                guard let text = entry.value.text, let reference = VaultReference(text) else {
                    section.report(entry.key, .plaintextSecret(section.full(entry.key)))
                    continue
                }
                secrets[entry.key] = reference.name
            }
        }
        limits = [:]
        if let section = reader.section("limits", keys: nil) {
            for entry in section.all {
                limits[entry.key] = section.integer(entry.value, entry.key, in: 1...ConfigurationLimits.calls)
            }
        }
        tls = Trust(authorityFile: nil, pins: [])
        if let section = reader.section("tls", keys: ["ca", "pin"]) {
            tls.authorityFile = section.optionalText("ca", write: "tls/ca.pem")
            if let pin = section.entry("pin")?.value {
                let values: [Located] = if case .sequence(let list) = pin.content { list } else { [pin] }
                for value in values {
                    guard let text = value.text, Self.isPin(text) else {
                        findings.add(file, value.line, .badPin("tls.pin"))
                        continue
                    }
                    tls.pins.append(text)
                }
            }
        }
        proxy = reader.entry("proxy").flatMap { reader.address($0.value, "proxy", originOnly: true) }
        hosts = (reader.list("hosts", write: "https://…") ?? []).compactMap {
            reader.address($0, "hosts", originOnly: true, sockets: true)
        }
        isolation = reader.choice("isolation", Isolation.self) ?? .worker
        commitHorizon = reader.duration("commit_horizon")
        timeouts = [:]
        if let section = reader.section("timeouts", keys: Self.timeoutKeys) {
            for entry in section.all where Self.timeoutKeys.contains(entry.key) {
                timeouts[entry.key] = section.duration(entry.value, entry.key, shortest: 100)
            }
        }
        guard let name, let connector, let product, let endpoint else { return nil }
        self.name = name
        self.connector = connector
        self.product = product
        self.endpoint = endpoint
    }

    /// `erp` of `connections/erp.yaml`.
    static func stem(_ file: String) -> String {
        let last = file.split(separator: "/").last.map(String.init) ?? file
        return last.lastIndex(of: ".").map { String(last[..<$0]) } ?? last
    }

    private static func isPin(_ text: String) -> Bool {
        guard text.hasPrefix("sha256/") else { return false }
        let base64 = text.dropFirst(7).utf8
        return base64.count == 44 && base64.last == UInt8(ascii: "=")
            && base64.dropLast().allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 43 || $0 == 47
            }
    }
}

/// `vault:<name>`: the only way a configuration speaks of a secret.
struct VaultReference: Sendable, Hashable {
    /// The entry's name in the vault.
    let name: String

    /// Nil for anything that is not `vault:` and a name of letters, digits, `-`, `_`, `.` and `/`.
    init?(_ text: String) {
        guard text.hasPrefix("vault:") else { return nil }
        let name = text.dropFirst(6)
        guard !name.isEmpty, name.utf8.count <= 128, name.first != "/", name.last != "/", !name.contains("//"),
            name.utf8.allSatisfy({
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                    || [45, 46, 47, 95].contains($0)
            })
        else { return nil }
        self.name = String(name)
    }
}
