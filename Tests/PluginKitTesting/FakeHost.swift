import Glibc
import PluginABI
import PluginKit
import Values

/// A request as it would leave for the network.
public struct SeenRequest: Sendable {
    /// A secret the connector asked the host to fill in.
    public struct Insertion: Sendable, Hashable {
        /// `url`, `body`, or the header's name.
        public var part: String
        /// Where, in the bytes as the connector passed them.
        public var offset: Int
        /// Which.
        public var expression: String
    }

    /// `POST` …
    public var method: String
    /// With the secrets filled in.
    public var url: String
    /// With the secrets filled in, names as the connector wrote them.
    public var headers: [(name: String, value: String)]
    /// With the secrets filled in.
    public var body: [UInt8]
    /// What the connector said repeating it would change.
    public var effect: HTTPRequest.Effect
    /// Whether HTTP/2 was ruled out.
    public var http11Only: Bool
    /// Whose cookie jar.
    public var session: String
    /// The cookies that jar holds.
    public var cookies: [String: String]
    /// Which limits it spends.
    public var meter: String
    /// The secrets in it.
    public var insertions: [Insertion]
    /// Everything the connector itself wrote, without the secrets: url, headers and body.
    public var literal: String

    /// The first header of this name, whatever its case.
    public func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The body as JSON.
    public var json: JSON? { try? JSON.parse(body) }
    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }
    /// The part of the URL after the host, with the query.
    public var path: String {
        let marker = url.firstIndex(of: ":").map { url[$0...].dropFirst(3) }
        guard let rest = marker else { return url }
        return rest.firstIndex(of: "/").map { String(rest[$0...]) } ?? "/"
    }
}

/// What a scripted vendor answers.
public enum FakeAnswer: Sendable {
    /// An HTTP answer.
    case reply(status: Int, headers: [(name: String, value: String)], body: [UInt8])
    /// What `send` returns instead, e.g. `unknownOutcome`.
    case failure(Failure.Kind, String)

    /// An answer with a JSON body.
    public static func json(_ body: JSON, status: Int = 200, cookies: [String] = []) -> FakeAnswer {
        .reply(
            status: status,
            headers: [(name: "content-type", value: "application/json")]
                + cookies.map { (name: "set-cookie", value: $0) }, body: body.serialized())
    }

    /// An answer with a text body.
    public static func text(_ body: String, status: Int = 200) -> FakeAnswer {
        .reply(status: status, headers: [(name: "content-type", value: "text/html")], body: Array(body.utf8))
    }
}

/// A host in memory for tests of connectors: real C tables backed by what the test says. A connector is
/// driven through its C face, so the border itself is under test.
public final class FakeHost: @unchecked Sendable {
    /// How a test answers one request. May block; it runs on the calling thread, outside every lock.
    public typealias Vendor = @Sendable (SeenRequest) -> FakeAnswer

    let monitor = Monitor()
    private let vendor: Vendor
    private let withoutServices: Bool

    // Everything below is read and changed under `monitor`.
    private var secrets: [String: [UInt8]]
    private var clock: Int64
    private var seen: [SeenRequest] = []
    private var sessions: [String: SessionState] = [:]
    private var inside: [String: Set<UInt64>] = [:]
    private var jars: [String: [String: String]] = [:]
    private var acquired: [UInt64: Set<String>] = [:]
    private var states: [String: [UInt8]] = [:]
    private var saved: [String: [UInt8]] = [:]
    private var checkpointLog: [String] = []
    private var lines: [String] = []
    private var nextLease: UInt64 = 1
    private var randomSeed: UInt8 = 0
    private var cancelAfter: Int?
    private var logIns = 0

    /// A host.
    ///
    /// `now` is milliseconds since 1970. `withoutServices` makes a host that offers none.
    public init(
        secrets: [String: String] = [:], now: Int64 = 1_767_225_600_000, withoutServices: Bool = false,
        vendor: @escaping Vendor
    ) {
        self.secrets = secrets.mapValues { Array($0.utf8) }
        self.clock = now
        self.withoutServices = withoutServices
        self.vendor = vendor
    }

    // MARK: - What a test sets and looks at

    /// Milliseconds since 1970 on the host's clock.
    public var now: Int64 {
        get { monitor.locked { clock } }
        set { monitor.locked { clock = newValue } }
    }
    /// Every request sent so far.
    public var requests: [SeenRequest] { monitor.locked { seen } }
    /// Forgets the requests seen so far.
    public func forgetRequests() { monitor.locked { seen = [] } }
    /// Checkpoints by record key; handed back on the next write of the same key.
    public var checkpoints: [String: [UInt8]] {
        get { monitor.locked { saved } }
        set { monitor.locked { saved = newValue } }
    }
    /// Every checkpoint saved, in order, as text.
    public var checkpointHistory: [String] { monitor.locked { checkpointLog } }
    /// Connector state by key.
    public var state: [String: [UInt8]] {
        get { monitor.locked { states } }
        set { monitor.locked { states = newValue } }
    }
    /// Secrets by name, replaced ones included.
    public var secretValues: [String: [UInt8]] { monitor.locked { secrets } }
    /// Log lines.
    public var log: [String] { monitor.locked { lines } }
    /// How many log-in leases were given out.
    public var logInCount: Int { monitor.locked { logIns } }
    /// Ends calls as if the host wanted to stop, once so many requests were sent.
    public func cancel(afterRequests count: Int?) { monitor.locked { cancelAfter = count } }
    /// Makes every session gone at the host, as a restart of it would.
    public func forgetSessions() { monitor.locked { sessions = [:] } }

    /// Opens a connection of a plugin.
    public func open(
        _ plugin: PluginFunctions, product: String = "", endpoint: String = "https://vendor.example.test/",
        settings: JSON = [:], name: String = "connection", timeZone: String = "Asia/Shanghai"
    ) throws(Failure) -> FakeConnection {
        let arena = BytesArena()
        var raw = datong_open_request()
        raw.size = UInt32(MemoryLayout<datong_open_request>.size)
        raw.connection = arena.text(name)
        raw.product = arena.text(product)
        raw.endpoint = arena.text(endpoint)
        raw.settings = arena.bytes(settings.serialized())
        raw.secrets = arena.bytes(JSON.array(secretValues.keys.sorted().map(JSON.string)).serialized())
        raw.time_zone = arena.text(timeZone)
        var pointer: UnsafeMutableRawPointer?
        try call(flags: 0, attempt: 1) { context in
            withExtendedLifetime(arena) { plugin.open(context, &raw, &pointer) }
        }
        return FakeConnection(host: self, plugin: plugin, pointer: pointer)
    }

    /// The plugin's description.
    public func describe(_ plugin: PluginFunctions) throws(Failure) -> JSON {
        guard let table = plugin.table(DATONG_ABILITY_DESCRIBE, datong_describe_ability.self) else {
            throw Failure(.unsupported, zh: "没有 describe", en: "no describe")
        }
        return try text { context, sink in table.describe(context, sink) }
    }

    // MARK: - Calls

    /// Runs one plugin function with a fresh context; throws what it reported through `fail`.
    func call(
        flags: UInt32, attempt: Int, keys: [String] = [], _ body: (UnsafePointer<datong_call>) -> Int32
    ) throws(Failure) {
        let active = ActiveCall(host: self, keys: keys)
        let id = CallRegistry.add(active)
        defer {
            CallRegistry.remove(id)
            leave(id)
        }
        let trace = BytesArena()
        var raw = datong_call()
        raw.size = UInt32(MemoryLayout<datong_call>.size)
        raw.flags = flags
        raw.host = withoutServices ? HostTables.bare : HostTables.full
        raw.call_id = id
        raw.deadline_ms = now + 60_000
        raw.fence_epoch = 1
        raw.attempt = UInt32(clamping: attempt)
        raw.trace_id = trace.text("trace-\(id)")
        let code = withExtendedLifetime(trace) { body(&raw) }
        if code == DATONG_OK {
            if let failure = active.failure {
                throw Failure(.bug, zh: "报告失败却返回成功：\(failure)", en: "failed but returned OK: \(failure)")
            }
            return
        }
        throw active.failure ?? Failure(.bug, zh: "未说明失败", en: "DATONG_FAILED without `fail`")
    }

    /// Runs a function that puts one JSON text.
    func text(
        flags: UInt32 = 0, _ body: (UnsafePointer<datong_call>, UnsafePointer<datong_text_sink>) -> Int32
    ) throws(Failure) -> JSON {
        let box = Box<[[UInt8]]>([])
        var sink = datong_text_sink()
        sink.size = UInt32(MemoryLayout<datong_text_sink>.size)
        sink.context = box.pointer
        sink.put = { context, bytes in
            Box<[[UInt8]]>.at(context).value.append(bytes.copied)
            return 0
        }
        try call(flags: flags, attempt: 1) { context in body(context, &sink) }
        guard box.value.count == 1 else { throw Failure(.bug, zh: "没有给出一个文本", en: "not exactly one text") }
        do { return try JSON.parse(box.value[0]) } catch { throw Failure(.bug, error) }
    }

    // MARK: - Services

    func evaluate(_ expression: String) -> [UInt8]? {
        SecretEvaluator(secrets: secretValues).evaluate(expression)
    }

    func isCancelled() -> Bool {
        monitor.locked { cancelAfter.map { seen.count >= $0 } ?? false }
    }

    func answer(_ request: SeenRequest) -> FakeAnswer {
        var request = request
        monitor.locked {
            request.cookies = request.session.isEmpty ? [:] : jars[request.session] ?? [:]
            seen.append(request)
        }
        let answer = vendor(request)
        if case .reply(_, let headers, _) = answer, !request.session.isEmpty {
            monitor.locked {
                for header in headers where header.name == "set-cookie" {
                    let pair = header.value.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1)
                    if pair.count == 2 { jars[request.session, default: [:]][String(pair[0])] = String(pair[1]) }
                }
            }
        }
        return answer
    }

    enum SessionState {
        case loggingIn(lease: UInt64)
        case ready([UInt8])
        case refused
    }

    enum AcquireAnswer {
        case value([UInt8])
        case lease(UInt64)
        case denied
    }

    /// Whether the call may use the session's cookie jar: it must have acquired the session itself.
    func hasAcquired(_ name: String, _ call: UInt64) -> Bool {
        monitor.locked { acquired[call]?.contains(name) == true }
    }

    func acquire(_ key: String, named name: String, maxInFlight: Int, by call: UInt64) -> AcquireAnswer {
        monitor.lock()
        defer { monitor.unlock() }
        acquired[call, default: []].insert(name)
        while true {
            if maxInFlight > 0, inside[key]?.contains(call) != true, inside[key]?.count ?? 0 >= maxInFlight {
                monitor.wait()
                continue
            }
            switch sessions[key] {
            case .loggingIn: monitor.wait()
            case .refused: return .denied
            case .ready(let value):
                inside[key, default: []].insert(call)
                return .value(value)
            case nil:
                inside[key, default: []].insert(call)
                let lease = nextLease
                nextLease += 1
                logIns += 1
                sessions[key] = .loggingIn(lease: lease)
                return .lease(lease)
            }
        }
    }

    func settle(_ lease: UInt64, _ state: SessionState?) -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        guard
            let key = sessions.first(where: {
                if case .loggingIn(let held) = $0.value { held == lease } else { false }
            })?.key
        else { return false }
        sessions[key] = state
        monitor.broadcast()
        return true
    }

    func invalidate(_ key: String, _ value: [UInt8]) {
        monitor.locked {
            if case .ready(let current) = sessions[key], current == value { sessions[key] = nil }
        }
    }

    private func leave(_ call: UInt64) {
        monitor.lock()
        for key in inside.keys { inside[key]?.remove(call) }
        acquired[call] = nil
        monitor.broadcast()
        monitor.unlock()
    }

    func replaceSecret(_ name: String, _ value: [UInt8]) { monitor.locked { secrets[name] = value } }
    func stateValue(_ key: String) -> [UInt8] { monitor.locked { states[key] ?? [] } }
    func putState(_ key: String, _ value: [UInt8]) { monitor.locked { states[key] = value } }
    func addLog(_ line: String) { monitor.locked { lines.append(line) } }

    func saveCheckpoint(_ key: String, _ bytes: [UInt8]) {
        monitor.locked {
            saved[key] = bytes
            checkpointLog.append(String(decoding: bytes, as: UTF8.self))
        }
    }

    func random(_ count: Int) -> [UInt8] {
        monitor.locked {
            (0..<count).map { _ in
                randomSeed &+= 1
                return randomSeed
            }
        }
    }
}

/// One call that is running, found by its id: the C functions of the host get nothing else.
final class ActiveCall: @unchecked Sendable {
    // Used on the calling thread only, as the contract's [in-call] says.
    let host: FakeHost
    let keys: [String]
    let arena = BytesArena()
    var failure: Failure?
    var explanation = ""

    init(host: FakeHost, keys: [String]) {
        self.host = host
        self.keys = keys
    }

    /// Refuses a service call with a reason `explain` gives.
    func refuse(_ kind: Failure.Kind, _ text: String) -> Int32 {
        explanation = text
        return kind.wire
    }
}

enum CallRegistry {
    private static let monitor = Monitor()
    nonisolated(unsafe) private static var calls: [UInt64: ActiveCall] = [:]
    nonisolated(unsafe) private static var next: UInt64 = 1

    static func add(_ call: ActiveCall) -> UInt64 {
        monitor.locked {
            let id = next
            next += 1
            calls[id] = call
            return id
        }
    }

    static func remove(_ id: UInt64) { monitor.locked { calls[id] = nil } }

    static func call(_ pointer: UnsafePointer<datong_call>?) -> ActiveCall? {
        guard let pointer else { return nil }
        return monitor.locked { calls[pointer.pointee.call_id] }
    }
}

/// Bytes that stay in place.
final class BytesArena {
    private var blocks: [UnsafeMutablePointer<UInt8>] = []
    private var lists: [UnsafeMutableRawPointer] = []

    deinit {
        for block in blocks { block.deallocate() }
        for list in lists { list.deallocate() }
    }

    func bytes(_ bytes: [UInt8]) -> datong_bytes {
        guard !bytes.isEmpty else { return datong_bytes() }
        let block = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
        block.initialize(from: bytes, count: bytes.count)
        blocks.append(block)
        return datong_bytes(data: UnsafePointer(block), size: UInt64(bytes.count))
    }

    func text(_ text: String) -> datong_bytes { bytes(Array(text.utf8)) }

    func list<T: BitwiseCopyable>(_ items: [T]) -> UnsafeMutablePointer<T>? {
        guard !items.isEmpty else { return nil }
        let block = UnsafeMutablePointer<T>.allocate(capacity: items.count)
        for (offset, item) in items.enumerated() { (block + offset).initialize(to: item) }
        lists.append(UnsafeMutableRawPointer(block))
        return block
    }
}

extension datong_bytes {
    var copied: [UInt8] { data.map { [UInt8](UnsafeBufferPointer(start: $0, count: Int(size))) } ?? [] }
    var string: String { String(decoding: copied, as: UTF8.self) }
}

/// A value behind a C context pointer; the owner keeps it alive.
final class Box<Value> {
    var value: Value
    init(_ value: Value) { self.value = value }
    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }
    static func at(_ pointer: UnsafeMutableRawPointer?) -> Box {
        guard let pointer else { fatalError("the plugin lost the sink's context") }
        return Unmanaged<Box>.fromOpaque(pointer).takeUnretainedValue()
    }
}

extension Failure.Kind {
    var wire: Int32 {
        switch self {
        case .transient: DATONG_TRANSIENT
        case .throttled: DATONG_THROTTLED
        case .quotaSpent: DATONG_QUOTA_SPENT
        case .authExpired: DATONG_AUTH_EXPIRED
        case .authDenied: DATONG_AUTH_DENIED
        case .unreachable: DATONG_UNREACHABLE
        case .unknownOutcome: DATONG_UNKNOWN_OUTCOME
        case .conflict: DATONG_CONFLICT
        case .invalidRecord: DATONG_INVALID_RECORD
        case .schemaDrift: DATONG_SCHEMA_DRIFT
        case .unsupported: DATONG_UNSUPPORTED
        case .bug: DATONG_BUG
        case .cancelled: DATONG_CANCELLED
        case .denied: DATONG_DENIED
        }
    }

    init(wire: UInt32) {
        self = Self.allCases.first { $0.wire == Int32(clamping: wire) } ?? .bug
    }
}

extension Failure {
    /// Reads a failure as a host reads it.
    init(_ raw: datong_failure) {
        var messages: [Message] = []
        if let first = raw.messages {
            for index in 0..<Int(raw.message_count) {
                let language: Message.Language =
                    switch first[index].language.string {
                    case "zh": .zh
                    case "en": .en
                    default: .vendor
                    }
                messages.append(
                    Message(first[index].text.string, language, vendorCode: first[index].vendor_code.string))
            }
        }
        self.init(
            Kind(wire: raw.error_class), messages: messages, vendorCode: raw.vendor_code.string,
            field: raw.field.string, existing: raw.existing.string,
            retryAfterMilliseconds: raw.retry_after_ms < 0 ? nil : raw.retry_after_ms)
    }
}
