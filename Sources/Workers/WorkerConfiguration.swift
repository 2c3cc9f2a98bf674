import WorkerCore

/// Where plugin code runs.
public enum Isolation: Sendable, Hashable {
    /// In a process of its own, by the `datong-worker` at this path.
    case worker(executable: String)
    /// On threads of this process, with the same frames. For tests and practice workspaces: a crash of the plugin
    /// is a crash of the host, and a call that does not come back keeps its thread for ever.
    case inProcess
}

/// How many calls of each ability a plugin takes at once, as its `describe` says.
public struct Concurrency: Sendable, Hashable {
    /// The abilities that are counted apart. Each has its own places, so a long read never delays a query.
    public enum Ability: String, Sendable, Hashable, CaseIterable {
        /// Named as in describe's `concurrency`; `undo` is `void` there, `state` is `migrate-state`.
        case describe, probe, read, write, poll, void, find, query, rotate, listen, receive, identify
        /// The ability `datong.migrate-state/1`.
        case migrateState = "migrate-state"
    }

    private var places: [Ability: Int]

    /// Places per ability; an ability that is not named has one. Figures are held within 1 and
    /// `Limits.maxConcurrencyPerAbility`.
    public init(_ places: [Ability: Int] = [:]) {
        self.places = places
    }

    /// From describe's `concurrency` object; names that are no ability are ignored.
    public init(described: [String: Int]) {
        places = [:]
        for (name, count) in described {
            if let ability = Ability(rawValue: name) { places[ability] = count }
        }
    }

    /// Places of one ability, at least 1.
    public subscript(_ ability: Ability) -> Int {
        min(max(places[ability] ?? 1, 1), Limits.maxConcurrencyPerAbility)
    }

    /// All places together: how many threads the worker may need.
    public var total: Int { Ability.allCases.reduce(0) { $0 + self[$1] } }
}

extension PluginRequest {
    /// Whose places a call takes.
    public var ability: Concurrency.Ability {
        switch self {
        case .describe: .describe
        case .probe: .probe
        case .read: .read
        case .write: .write
        case .poll: .poll
        case .undo: .void
        case .find: .find
        case .query: .query
        case .rotate: .rotate
        case .listenOpen, .listenFrame: .listen
        case .receive: .receive
        case .identify: .identify
        case .migrateState: .migrateState
        }
    }
}

/// What a worker plays for its plugin. Only a worker in a process of its own can rehearse.
public enum Rehearsal: Sendable, Hashable {
    /// The host as it is.
    case service
    /// A host of a later minor: longer structs, a higher range.
    case laterHost
    /// A host that offers no service.
    case bareHost
    /// `open` and `close` so many times before the connection is opened; metrics `resident_kib` and `descriptors` then
    /// say by how much the process grew after the first quarter.
    case cycles(Int)
    /// The plugin's threads may not open sockets, write files, start threads or processes, sleep or install signal
    /// handlers: the worker leaves with `watchStatus`, or with `unwatchedStatus` where the system cannot watch.
    case watch

    /// See `watch`.
    public static let watchStatus = Int32(DW_WATCH_STATUS)
    /// See `watch`.
    public static let unwatchedStatus = Int32(DW_UNWATCHED_STATUS)

    /// The worker's third argument; nil: none.
    var argument: String? {
        switch self {
        case .service: nil
        case .laterHost: "later"
        case .bareHost: "bare"
        case .cycles(let count): "cycles:\(count)"
        case .watch: "watch"
        }
    }
}

/// What a worker is started from.
public struct WorkerConfiguration: Sendable {
    /// Where plugin code runs.
    public var isolation: Isolation
    /// Path of the shared library. Content-addressed: a version never changes in place.
    public var plugin: String
    /// The connection to open; nil: only `describe` and `migrateState` can be called.
    public var open: OpenRequest?
    /// Calls at once.
    public var concurrency: Concurrency
    /// Folder with the Swift runtime the plugin was built with; nil for a plugin that needs none.
    public var runtimeFolder: String?
    /// Milliseconds a call may take to come back after its deadline or cancellation, before the worker is killed.
    public var graceMs: Int64
    /// Milliseconds the library may take to load.
    public var helloMs: Int64
    /// What the worker plays; `service` everywhere but in the conformance kit.
    public var rehearsal = Rehearsal.service
    /// The host's clock, milliseconds since 1970: what deadlines are measured on.
    public var nowMs: @Sendable () -> Int64

    /// A configuration; `nowMs` is the system's clock unless given.
    public init(
        isolation: Isolation, plugin: String, open: OpenRequest?, concurrency: Concurrency = Concurrency(),
        runtimeFolder: String? = nil, graceMs: Int64 = Limits.graceMs, helloMs: Int64 = Limits.helloMs,
        nowMs: (@Sendable () -> Int64)? = nil
    ) {
        self.isolation = isolation
        self.plugin = plugin
        self.open = open
        self.concurrency = concurrency
        self.runtimeFolder = runtimeFolder
        self.graceMs = graceMs
        self.helloMs = helloMs
        self.nowMs = nowMs ?? systemNowMs
    }

    /// Milliseconds left until a deadline, between none and `Limits.longestCallMs`.
    func remainingMs(until deadlineMs: Int64) -> Int64 {
        let (left, overflow) = deadlineMs.subtractingReportingOverflow(nowMs())
        if overflow { return deadlineMs < 0 ? 0 : Limits.longestCallMs }
        return min(max(left, 0), Limits.longestCallMs)
    }
}
