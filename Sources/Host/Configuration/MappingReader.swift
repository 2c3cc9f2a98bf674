import Values

/// Reads one set of keys of a configuration file: what is missing, unknown or of the wrong kind becomes a problem with
/// its line, and reading goes on, so that one run shows everything there is to mend.
struct MappingReader {
    let file: String
    /// The path of this set of keys for messages: `history` of `history.start`; empty at the root.
    let path: String
    let line: Int
    let findings: Findings
    private let entries: [Located.Entry]

    /// Nil, with a problem, where the value is no set of keys. `keys` are those allowed here; nil allows any.
    init?(_ value: Located, file: String, path: String = "", keys: [String]?, findings: Findings) {
        self.file = file
        self.path = path
        self.line = value.line
        self.findings = findings
        guard case .mapping(let entries) = value.content else {
            let write = (keys ?? []).prefix(3).map { "\($0): …" }.joined(separator: ", ")
            let name = path.isEmpty ? file : path
            findings.add(file, value.line, .wrongType(name, seen: value.kind, write: "{ \(write) }"))
            return nil
        }
        self.entries = entries
        guard let keys else { return }
        for entry in entries where !keys.contains(entry.key) {
            findings.add(file, entry.line, .unknownKey(full(entry.key), in: keys))
        }
    }

    /// All keys, in the order written.
    var all: [Located.Entry] { entries }

    func entry(_ key: String) -> Located.Entry? { entries.first { $0.key == key } }

    /// The path of a key for messages.
    func full(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func report(_ key: String, _ problem: Problem) {
        findings.add(file, entry(key)?.line ?? line, problem)
    }

    /// A key that has to be there; `write` is what a person would put.
    func required(_ key: String, write: String) -> Located? {
        guard let entry = entry(key) else {
            findings.add(file, line, .missingKey(full(key), write: "\(key): \(write)"))
            return nil
        }
        return entry.value
    }

    // MARK: Kinds of values. Each returns nil after reporting what is wrong.

    /// A non-empty text. A plain number counts as text with its own digits, so that `account_set: 67` works unquoted.
    func text(_ key: String, write: String) -> String? {
        required(key, write: write).flatMap { text($0, key, write: write) }
    }

    func optionalText(_ key: String, write: String) -> String? {
        entry(key).flatMap { text($0.value, key, write: write) }
    }

    func text(_ value: Located, _ key: String, write: String) -> String? {
        let text: String
        switch value.json {
        case .string(let string): text = string
        case .number(let number): text = number.text
        default:
            findings.add(file, value.line, .wrongType(full(key), seen: value.kind, write: "\(key): \(write)"))
            return nil
        }
        guard !text.isEmpty else {
            findings.add(file, value.line, .emptyValue(full(key)))
            return nil
        }
        return text
    }

    func bool(_ key: String, default standard: Bool) -> Bool {
        guard let value = entry(key)?.value else { return standard }
        guard case .bool(let bool) = value.json else {
            findings.add(file, value.line, .wrongType(full(key), seen: value.kind, write: "\(key): true / false"))
            return standard
        }
        return bool
    }

    func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        entry(key).flatMap { integer($0.value, key, in: range) }
    }

    func integer(_ value: Located, _ key: String, in range: ClosedRange<Int>) -> Int? {
        guard case .number(let number) = value.json else {
            let write = "\(key): \(range.lowerBound)…\(range.upperBound)"
            findings.add(file, value.line, .wrongType(full(key), seen: value.kind, write: write))
            return nil
        }
        guard let int = Int(number.text), range.contains(int) else {
            let problem = Problem.outOfRange(
                full(key), seen: number.text, low: range.lowerBound, high: range.upperBound)
            findings.add(file, value.line, problem)
            return nil
        }
        return int
    }

    /// A duration in milliseconds.
    func duration(
        _ key: String, shortest: Int64 = ConfigurationLimits.shortestInterval
    ) -> Int64? {
        entry(key).flatMap { duration($0.value, key, shortest: shortest) }
    }

    func duration(
        _ value: Located, _ key: String, shortest: Int64 = ConfigurationLimits.shortestInterval
    ) -> Int64? {
        guard let text = value.text else {
            findings.add(file, value.line, .wrongType(full(key), seen: value.kind, write: "\(key): 5m"))
            return nil
        }
        guard let duration = DurationText.milliseconds(text), duration >= shortest,
            duration <= ConfigurationLimits.longestInterval
        else {
            findings.add(file, value.line, .badDuration(full(key), seen: text))
            return nil
        }
        return duration
    }

    /// A word out of a closed list.
    func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, _ type: Choice.Type) -> Choice?
    where Choice.RawValue == String {
        guard let value = entry(key)?.value else { return nil }
        let choices = type.allCases.map(\.rawValue)
        guard let text = value.text else {
            let write = "\(key): \(choices.joined(separator: " | "))"
            findings.add(file, value.line, .wrongType(full(key), seen: value.kind, write: write))
            return nil
        }
        guard let choice = type.init(rawValue: text) else {
            findings.add(file, value.line, .notAChoice(full(key), seen: text, choices: choices))
            return nil
        }
        return choice
    }

    /// A name: it becomes a file name and stands on screens.
    func name(_ key: String, write: String) -> String? {
        guard let text = text(key, write: write) else { return nil }
        guard Name.isValid(text) else {
            report(key, .badName(text))
            return nil
        }
        return text
    }

    /// A calendar date `YYYY-MM-DD`.
    func date(_ key: String) -> String? {
        guard let text = text(key, write: "2026-01-01") else { return nil }
        guard CivilDate(text) != nil else {
            report(key, .badDate(full(key), seen: text))
            return nil
        }
        return text
    }

    /// The values of a list.
    func list(_ key: String, write: String) -> [Located]? {
        guard let value = entry(key)?.value else { return nil }
        guard case .sequence(let items) = value.content else {
            findings.add(file, value.line, .wrongType(full(key), seen: value.kind, write: "\(key): [\(write)]"))
            return nil
        }
        return items
    }

    /// A set of keys below this one.
    func section(_ key: String, keys: [String]?) -> MappingReader? {
        guard let value = entry(key)?.value else { return nil }
        return MappingReader(value, file: file, path: full(key), keys: keys, findings: findings)
    }

    /// An http(s) address without account, query and fragment. `originOnly` allows no path either, `sockets` also ws(s).
    func address(_ value: Located, _ key: String, originOnly: Bool = false, sockets: Bool = false) -> String? {
        guard let text = text(value, key, write: "https://…/") else { return nil }
        guard let address = WebAddress(text), sockets || address.scheme.hasPrefix("http") else {
            findings.add(file, value.line, .badURL(full(key)))
            return nil
        }
        guard !address.hasAccount else {
            findings.add(file, value.line, .plaintextSecret(full(key)))
            return nil
        }
        guard !originOnly || address.path.isEmpty || address.path == "/" else {
            findings.add(file, value.line, .badURL(full(key)))
            return nil
        }
        return text
    }
}

/// Names of connections, flows, mappings and tables.
enum Name {
    /// A lower-case letter, then letters, digits and hyphens.
    static func isValid(_ text: String) -> Bool {
        guard let first = text.utf8.first, (97...122).contains(first) else { return false }
        guard text.utf8.count <= ConfigurationLimits.nameBytes else { return false }
        return text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
    }
}

/// Durations as people write them.
enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    /// `20s`, `5m`, `1h`, `45d`, `500ms`; nil for anything else and for what overflows.
    static func milliseconds(_ text: String) -> Int64? {
        let digits = text.utf8.prefix { (48...57).contains($0) }
        guard !digits.isEmpty, digits.count <= 12, let count = Int64(String(digits) ?? "") else { return nil }
        guard let unit = units.first(where: { $0.suffix == text.dropFirst(digits.count) }) else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
        return overflow ? nil : product
    }

    /// The shortest way to write it.
    static func text(_ milliseconds: Int64) -> String {
        let unit = units.last { milliseconds % $0.milliseconds == 0 && milliseconds >= $0.milliseconds } ?? units[0]
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }
}

/// The parts of an http(s) or ws(s) address that the configuration cares about.
struct WebAddress: Hashable {
    let scheme: String
    let host: String
    let path: String
    let hasAccount: Bool

    /// Nil unless `http(s)://` or `ws(s)://host[:port][/path]`; query, fragment, spaces and control characters are refused.
    init?(_ text: String) {
        guard let separator = text.range(of: "://") else { return nil }
        scheme = String(text[..<separator.lowerBound])
        guard ["https", "http", "wss", "ws"].contains(scheme) else { return nil }
        let rest = text[separator.upperBound...]
        guard
            rest.unicodeScalars.allSatisfy({ $0.value > 32 && $0.value != 127 && $0 != "?" && $0 != "#" && $0 != "\\" })
        else { return nil }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        path = String(rest[slash...])
        var authority = rest[..<slash]
        hasAccount = authority.contains("@")
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        let portStart: Substring.Index
        if authority.first == "[" {
            guard let close = authority.firstIndex(of: "]") else { return nil }
            portStart = authority.index(after: close)
        } else {
            portStart = authority.firstIndex(of: ":") ?? authority.endIndex
        }
        host = String(authority[..<portStart])
        guard !host.isEmpty else { return nil }
        let port = authority[portStart...]
        guard port.isEmpty || (port.first == ":" && UInt16(port.dropFirst()).map { $0 > 0 } == true) else { return nil }
    }
}

/// Five-field cron expressions, as far as the configuration checks them.
enum CronText {
    private static let ranges = [0...59, 0...23, 1...31, 1...12, 0...7]

    /// Minute, hour, day, month, weekday; each `*`, numbers, ranges `a-b`, steps `/n` and lists.
    static func isValid(_ text: String) -> Bool {
        let fields = text.split(separator: " ", omittingEmptySubsequences: false)
        guard fields.count == ranges.count else { return false }
        return zip(fields, ranges).allSatisfy { field, range in
            let items = field.split(separator: ",", omittingEmptySubsequences: false)
            return !items.isEmpty && items.allSatisfy { isValid(item: $0, in: range) }
        }
    }

    private static func isValid(item: Substring, in range: ClosedRange<Int>) -> Bool {
        let parts = item.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let span = parts.first else { return false }
        if parts.count == 2 {
            guard let step = Int(parts[1]), (1...range.upperBound).contains(step) else { return false }
        }
        if span == "*" { return true }
        let ends = span.split(separator: "-", omittingEmptySubsequences: false)
        let numbers = ends.compactMap { $0.utf8.allSatisfy({ (48...57).contains($0) }) ? Int($0) : nil }
        guard numbers.count == ends.count, (1...2).contains(numbers.count), numbers.allSatisfy(range.contains) else {
            return false
        }
        return numbers.count == 1 || numbers[0] <= numbers[1]
    }
}

extension TimeZoneRule {
    /// Whether this machine knows the zone.
    static func exists(_ name: String) -> Bool {
        (try? TimeZoneRule(named: name)) != nil
    }
}
