import Glibc
import Values

/// What is tried, and with what: a library, a product line of it, and what an operator would have written.
///
/// A settings file is JSON, every member optional:
/// `{"product", "endpoint", "vendor": true, "settings": {…}, "secrets": {"name": "value"}, "samples": {"voucher": {…}},
/// "flow_settings": {"voucher": {…}}, "filters": {"approval": {…}}, "allow": ["http://…"], "log_in": {…}, "pace_ms": 0}`. With `"vendor": true` the endpoint is a test
/// tenant or a simulator that answers; secrets are that tenant's.
struct Subject: Sendable {
    var describe: JSON = .null
    var product = ""
    var endpoint = "https://vendor.example.com/"
    var isLive = false
    var allow: [String] = []
    var settings: JSON = [:]
    var secrets: [String: String] = [:]
    var samples: [String: JSON] = [:]
    var flowSettings: [String: JSON] = [:]
    var filters: [String: JSON] = [:]
    /// Milliseconds between two requests to a real vendor, where its own limits do not say it.
    var ownPaceMs: Int64?
    /// What the scripted vendor answers to a log-in.
    var logIn: JSON?

    /// Reads a settings file. Secrets in it are for a test tenant; still nobody else may read them.
    init(file: String?, _ read: (String) throws(Problem) -> [UInt8]) throws(Problem) {
        guard let file else { return }
        let json: JSON
        do { json = try JSON.parse(try read(file)) } catch { throw .settingsUnreadable(file, error.what.en) }
        guard json.object != nil else { throw .settingsUnreadable(file, "not an object") }
        product = json["product"]?.string ?? ""
        endpoint = json["endpoint"]?.string ?? endpoint
        isLive = json["vendor"]?.bool ?? false
        allow = (json["allow"]?.array ?? []).compactMap(\.string)
        settings = json["settings"] ?? settings
        logIn = json["log_in"]
        ownPaceMs = json["pace_ms"]?.int
        for (name, value) in json["secrets"]?.object ?? [:] { secrets[name] = value.string }
        for (name, value) in json["samples"]?.object ?? [:] { samples[name] = value }
        for (name, value) in json["flow_settings"]?.object ?? [:] { flowSettings[name] = value }
        for (name, value) in json["filters"]?.object ?? [:] { filters[name] = value }
        var status = stat()
        if !secrets.isEmpty, stat(file, &status) == 0, status.st_mode & 0o077 != 0 { throw .settingsOpen(file) }
    }

    /// The product line's own part of the description.
    var line: JSON {
        describe["products"]?.array?.first { product.isEmpty || $0["id"]?.string == product } ?? .null
    }

    /// Fills in what the settings file left out, from the description: the first product line, a value for every
    /// required setting, and a canary for every secret.
    mutating func complete(_ describe: JSON, _ random: inout Seeded) {
        self.describe = describe
        if product.isEmpty { product = line["id"]?.string ?? "" }
        settings = Self.filled(settings, by: line["settings"] ?? [:], endpoint)
        for (name, _) in line["secrets"]?.object ?? [:] where secrets[name] == nil && !isLive {
            secrets[name] = "canary-" + random.hex(12) + "-" + name
        }
    }

    /// An object with a value for every property its schema requires.
    static func filled(_ value: JSON, by schema: JSON, _ endpoint: String) -> JSON {
        var object = value.object ?? [:]
        let required = (schema["required"]?.array ?? []).compactMap(\.string)
        for name in required where object[name] == nil {
            guard let property = schema["properties"]?[name] else { continue }
            object[name] = sample(of: property, endpoint)
        }
        return .object(object)
    }

    private static func sample(of schema: JSON, _ endpoint: String) -> JSON {
        if let standard = schema["default"] { return standard }
        if let first = schema["enum"]?.array?.first { return first }
        if let only = schema["const"] { return only }
        switch schema["type"]?.string {
        case "integer", "number": return 1
        case "boolean": return false
        case "array": return []
        case "object": return filled([:], by: schema, endpoint)
        default: break
        }
        switch schema["format"]?.string {
        case "uri": return .string(endpoint)
        case "date": return "2026-01-05"
        case "date-time": return "2026-01-05T18:34:00+08:00"
        case "decimal": return "1.00"
        default: return "conformance"
        }
    }

    /// What can be written, in the description's order.
    var documents: [JSON] { line["documents"]?.array ?? [] }
    /// What can be read.
    var streams: [JSON] { line["streams"]?.array ?? [] }

    func takes(_ document: JSON, _ ability: String) -> Bool {
        (document["abilities"]?.array ?? []).contains { $0.string == ability }
    }

    func flow(_ document: JSON) -> [UInt8] {
        let type = document["type"]?.string ?? ""
        return Self.filled(flowSettings[type] ?? [:], by: document["settings"] ?? [:], endpoint).serialized()
    }

    /// A document of the type, as the settings file gives it or the house knows it.
    func sample(_ type: String) -> [UInt8] {
        (samples[type] ?? Self.known[type] ?? ["title": "conformance", "text": "conformance"]).serialized()
    }

    private static let known: [String: JSON] = [
        "voucher": [
            "book": "001", "date": "2026-01-05", "group": "记", "reference": "CONFORMANCE-1",
            "lines": [
                [
                    "summary": "conformance", "account": "6602.01", "currency": "CNY", "debit": "12.50", "credit": "0",
                ],
                ["summary": "conformance", "account": "1002", "currency": "CNY", "debit": "0", "credit": "12.50"],
            ],
        ]
    ]

    /// A key as the document's description allows it.
    func key(_ document: JSON, _ random: inout Seeded) -> String {
        let bytes = min(Int(document["key"]?["max_bytes"]?.int ?? 32), 32)
        return String(("kit" + random.hex(16)).prefix(max(bytes, 8)))
    }
}

/// Random numbers that come again with their seed (SplitMix64).
struct Seeded: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func hex(_ digits: Int) -> String {
        (0..<digits).map { _ in String(UInt8.random(in: 0..<16, using: &self), radix: 16) }.joined()
    }
}

extension Problem {
    static func settingsUnreadable(_ path: String, _ why: String) -> Problem {
        Problem(
            "E-KIT-001", zh: "设置文件无法使用(\(why)):\(path)", en: "The settings file cannot be used (\(why)): \(path)",
            nextZH: "按 docs/conformance.md 的格式改正。", nextEN: "Write it as docs/conformance.md shows.")
    }

    static func settingsOpen(_ path: String) -> Problem {
        Problem(
            "E-KIT-002", zh: "设置文件含有密钥,但他人可读:\(path)",
            en: "The settings file holds secrets and others may read it: \(path)",
            nextZH: "chmod 600 后再运行。", nextEN: "chmod 600 it and run again.")
    }
}
