import Foundation
import Values

/// `flows/<name>.yaml`: one kind of document carried from one system to another, with the four decisions.
struct FlowFile: Sendable, Hashable {
    /// One-way or two-way.
    enum Direction: String, Sendable, CaseIterable {
        case oneWay = "one-way"
        case twoWay = "two-way"
    }

    /// When it runs.
    enum Trigger: Sendable, Hashable {
        /// What happens with runs that were due while the host was down.
        enum Missed: String, Sendable, CaseIterable {
            case runOnce = "run-once"
            case skip
        }
        case realtime
        case schedule(cron: String, timeZone: String?, missed: Missed)
        case onDemand
    }

    /// Who is right when both sides changed.
    enum Master: Sendable, Hashable {
        /// One connection for all fields.
        case connection(String)
        /// Field → connection, `default` for the rest.
        case fields([String: String])
    }

    /// Documents finished before the flow began.
    struct History: Sendable, Hashable {
        enum Before: String, Sendable, CaseIterable { case link, create, ignore }
        /// `YYYY-MM-DD`, in the workspace's zone.
        var start: String
        var before: Before
    }

    /// A new version of a document that has already been carried.
    enum OnChange: String, Sendable, CaseIterable {
        case ignore, hold
        case voidAndRedo = "void-and-redo"
    }

    /// What happens in a closed accounting period.
    enum ClosedPeriod: String, Sendable, CaseIterable {
        case hold
        case nextOpen = "next-open"
    }

    /// What is written on the source document when it is done.
    enum WriteBack: String, Sendable, CaseIterable {
        /// A comment with the target's number.
        case comment
    }

    /// The look for what events missed.
    struct Sweep: Sendable, Hashable {
        /// Milliseconds between two sweeps.
        var every: Int64
        /// Milliseconds that a sweep looks back.
        var lookBack: Int64
    }

    /// The source's or target's side.
    struct End: Sendable, Hashable {
        var connection: String
        /// Document type.
        var document: String
    }

    /// The name; also the file's.
    var name: String
    /// For screens; the name if the file has none.
    var title: String
    /// Immutable UUID, lower case: part of every idempotency key.
    var id: String
    /// The scenario it follows, e.g. `approval-to-voucher`: a note for people, nothing depends on it.
    var scenario: String?
    var from: End
    /// Filter of the source documents: key → wanted value, or list of wanted values.
    var `where`: JSONObject
    var to: End
    /// Settings of the target document type, checked against `describe`.
    var settings: JSONObject
    var direction: Direction
    var trigger: Trigger
    var master: Master
    var mapping: String
    var history: History
    var onChange: OnChange
    var closedPeriod: ClosedPeriod
    /// Milliseconds before each repetition; after the last rung the document is held.
    var ladder: [Int64]
    var writeBack: WriteBack?
    var sweep: Sweep?

    static let keys = [
        "flow", "title", "id", "scenario", "from", "to", "direction", "trigger", "master", "mapping", "history",
        "on_change", "closed_period", "retry", "write_back", "sweep",
    ]

    /// Nil if something needed is wrong; `findings` has all of it.
    init?(_ root: Located, file: String, findings: Findings) {
        guard let reader = MappingReader(root, file: file, keys: Self.keys, findings: findings) else { return nil }
        let stem = ConnectionFile.stem(file)
        let name = reader.name("flow", write: stem)
        if let name, name != stem { reader.report("flow", .nameIsNotFileName(name, file: file)) }
        title = reader.optionalText("title", write: "…") ?? name ?? stem
        let id = Self.identity(reader)
        scenario = reader.optionalText("scenario", write: "approval-to-voucher")

        let fromReader =
            Self.decided(
                reader, "from", Problem.Text(zh: "打通哪些单据", en: "which documents"),
                write: "from: { connection: …, document: …, where: { … } }"
            ) ? reader.section("from", keys: ["connection", "document", "where"]) : nil
        let toReader =
            Self.decided(
                reader, "to", Problem.Text(zh: "打通哪些单据", en: "which documents"),
                write: "to: { connection: …, document: …, settings: { … } }"
            ) ? reader.section("to", keys: ["connection", "document", "settings"]) : nil
        let from = fromReader.flatMap { Self.end($0) }
        let to = toReader.flatMap { Self.end($0) }
        `where` = JSONObject()
        if let section = fromReader?.section("where", keys: nil) {
            for entry in section.all {
                switch entry.value.json {
                case .null: section.report(entry.key, .emptyValue(section.full(entry.key)))
                case .object:
                    section.report(
                        entry.key,
                        .wrongType(section.full(entry.key), seen: entry.value.kind, write: "\(entry.key): … | […, …]"))
                default: `where`[entry.key] = entry.value.json
                }
            }
        }
        settings = JSONObject()
        if let section = toReader?.section("settings", keys: nil) {
            for entry in section.all { settings[entry.key] = entry.value.json }
        }

        let direction =
            Self.decided(
                reader, "direction", Problem.Text(zh: "单向还是双向", en: "one-way or two-way"),
                write: "direction: one-way | two-way") ? reader.choice("direction", Direction.self) : nil
        let trigger =
            Self.decided(
                reader, "trigger", Problem.Text(zh: "实时、定时还是按需", en: "real time, scheduled or on demand"),
                write: "trigger: realtime | schedule: { cron: … } | on-demand") ? Self.trigger(reader) : nil
        let master =
            Self.decided(
                reader, "master", Problem.Text(zh: "谁是主", en: "who is master"),
                write: "master: " + (from?.connection ?? "CONNECTION"))
            ? Self.master(reader, ends: [from, to].compactMap { $0?.connection }) : nil
        let mapping = reader.name("mapping", write: stem)

        var history: History?
        if reader.required("history", write: "{ start: 2026-01-01, before: link | create | ignore }") != nil,
            let section = reader.section("history", keys: ["start", "before"])
        {
            let start = section.date("start")
            if section.entry("before") == nil { _ = section.required("before", write: "link | create | ignore") }
            if let start, let before = section.choice("before", History.Before.self) {
                history = History(start: start, before: before)
            }
        }
        onChange = reader.choice("on_change", OnChange.self) ?? .hold
        closedPeriod = reader.choice("closed_period", ClosedPeriod.self) ?? .hold
        ladder = Self.ladder(reader) ?? ConfigurationLimits.standardLadder
        writeBack = reader.choice("write_back", WriteBack.self)
        sweep = nil
        if let section = reader.section("sweep", keys: ["every", "look_back"]) {
            _ = section.required("every", write: "10m")
            _ = section.required("look_back", write: "45d")
            if let every = section.duration("every", shortest: ConfigurationLimits.shortestSweep),
                let lookBack = section.duration("look_back")
            {
                sweep = Sweep(every: every, lookBack: lookBack)
            }
        }

        guard let name, let id, let from, let to, let direction, let trigger, let master, let mapping, let history
        else { return nil }
        self.name = name
        self.id = id
        self.from = from
        self.to = to
        self.direction = direction
        self.trigger = trigger
        self.master = master
        self.mapping = mapping
        self.history = history
    }

    /// Whether a decision has been taken; an absent, empty or question-marked one is reported as open.
    private static func decided(
        _ reader: MappingReader, _ key: String, _ question: Problem.Text, write: String
    ) -> Bool {
        let open: Bool =
            switch reader.entry(key)?.value.json {
            case nil, .null?: true
            case .string(let text)?: text.isEmpty || text == "?" || text == "？"
            default: false
            }
        if open { reader.report(key, .openDecision(key, question: question, write: write)) }
        return !open
    }

    private static func identity(_ reader: MappingReader) -> String? {
        guard let text = reader.text("id", write: UUID().uuidString.lowercased()) else { return nil }
        guard text.utf8.count == 36, let uuid = UUID(uuidString: text), uuid.uuidString.lowercased() == text else {
            reader.report("id", .badIdentity(text))
            return nil
        }
        return text
    }

    private static func end(_ reader: MappingReader) -> End? {
        let connection = reader.name("connection", write: "CONNECTION")
        let document = reader.text("document", write: "approval")
        guard let connection, let document else { return nil }
        return End(connection: connection, document: document)
    }

    private static func trigger(_ reader: MappingReader) -> Trigger? {
        guard let value = reader.entry("trigger")?.value else { return nil }
        let choices = ["realtime", "on-demand", "{ schedule: { cron: … } }"]
        switch value.content {
        case .scalar("realtime", _): return .realtime
        case .scalar("on-demand", _): return .onDemand
        case .scalar(let text, _):
            reader.report("trigger", .notAChoice("trigger", seen: text, choices: choices))
            return nil
        default: break
        }
        guard let outer = reader.section("trigger", keys: ["schedule"]),
            outer.required("schedule", write: "{ cron: \"0 2 1 * *\" }") != nil,
            let section = outer.section("schedule", keys: ["cron", "timezone", "missed"])
        else { return nil }
        let zone = section.optionalText("timezone", write: "Asia/Shanghai")
        if let zone, !TimeZoneRule.exists(zone) { section.report("timezone", .badTimeZone(zone)) }
        let missed = section.choice("missed", Trigger.Missed.self) ?? .runOnce
        guard let cron = section.text("cron", write: "\"0 2 1 * *\"") else { return nil }
        guard CronText.isValid(cron) else {
            section.report("cron", .badCron(cron))
            return nil
        }
        return .schedule(cron: cron, timeZone: zone, missed: missed)
    }

    private static func master(_ reader: MappingReader, ends: [String]) -> Master? {
        guard let value = reader.entry("master")?.value else { return nil }
        if case .mapping(let entries) = value.content {
            guard let section = reader.section("master", keys: nil) else { return nil }
            var fields: [String: String] = [:]
            for entry in entries {
                guard let text = section.text(entry.value, entry.key, write: ends.first ?? "CONNECTION") else {
                    continue
                }
                if ends.count == 2, !ends.contains(text) {
                    section.report(entry.key, .masterUndecided(section.full(entry.key), connections: ends))
                }
                fields[entry.key] = text
            }
            if fields["default"] == nil { _ = section.required("default", write: ends.first ?? "CONNECTION") }
            return .fields(fields)
        }
        guard let text = reader.text(value, "master", write: ends.first ?? "CONNECTION") else { return nil }
        if ends.count == 2, !ends.contains(text) {
            reader.report("master", .masterUndecided("master", connections: ends))
        }
        return .connection(text)
    }

    private static func ladder(_ reader: MappingReader) -> [Int64]? {
        guard let section = reader.section("retry", keys: ["ladder"]),
            let rungs = section.list("ladder", write: "20s, 5m, 1h, 4h, 20h")
        else { return nil }
        guard (1...ConfigurationLimits.rungs).contains(rungs.count) else {
            section.report(
                "ladder",
                .outOfRange(section.full("ladder"), seen: "\(rungs.count)", low: 1, high: ConfigurationLimits.rungs))
            return nil
        }
        return rungs.compactMap { section.duration($0, "ladder") }
    }
}
