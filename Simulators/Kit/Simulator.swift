/// What a server needs of whatever answers its requests.
public protocol SimulatorService: Sendable {
    /// The time everything of this simulator follows.
    var clock: any SimClock { get }
    /// Further names whose values the journal must mask.
    var secretNames: Set<String> { get }

    /// Called once the server listens, with `http://127.0.0.1:PORT`.
    func started(at baseURL: String) async
    /// Called before the server closes.
    func stopped() async

    /// The vendor's operation behind a request, e.g. `approval.detail`: what faults and the journal call it.
    func operation(of request: SimRequest) -> String?
    /// Answers a vendor request.
    func handle(_ request: SimRequest) async -> SimResponse
    /// The vendor's own answer under a fault; nil: the server answers generally (for `expireTokens`: it goes on).
    func answer(to fault: Fault.Kind, _ request: SimRequest) async -> SimResponse?

    /// Answers `/_sim/…` requests other than faults, journal, books and credentials; nil is 404.
    func control(_ request: SimRequest) async -> SimResponse?
    /// What the vendor's side holds now: documents, counters, connections.
    func books() async -> SimJSON
    /// What a client needs to log in; printed only by `--credentials-out`.
    func credentials() async -> SimJSON

    /// Whether a WebSocket upgrade is taken; a refused one is answered by `handle`.
    func accepts(socket request: SimRequest) async -> Bool
    /// Serves one WebSocket until it ends.
    func serve(_ socket: SimSocket, request: SimRequest) async
}

extension SimulatorService {
    /// The machine's clock.
    public var clock: any SimClock { RealClock() }
    /// None.
    public var secretNames: Set<String> { [] }
    /// Nothing to do.
    public func started(at baseURL: String) async {}
    /// Nothing to do.
    public func stopped() async {}
    /// Unnamed.
    public func operation(of request: SimRequest) -> String? { nil }
    /// General answers only.
    public func answer(to fault: Fault.Kind, _ request: SimRequest) async -> SimResponse? { nil }
    /// None.
    public func control(_ request: SimRequest) async -> SimResponse? { nil }
    /// Empty.
    public func books() async -> SimJSON { [:] }
    /// Empty.
    public func credentials() async -> SimJSON { [:] }
    /// Refused.
    public func accepts(socket request: SimRequest) async -> Bool { false }
    /// Closed at once.
    public func serve(_ socket: SimSocket, request: SimRequest) async { await socket.close() }
}

/// A vendor simulator that the command can start.
public protocol Simulator: SimulatorService {
    /// The word on the command line, e.g. `kingdee`.
    static var name: String { get }
    /// A simulator with its data in place; throws `SimulatorOptionError` for a setting it cannot read.
    init(options: SimulatorOptions) throws
}

/// How a simulator is set up.
public struct SimulatorOptions: Sendable {
    /// Every random choice follows from it.
    public var seed: UInt64
    /// The time it lives in.
    public var clock: any SimClock
    /// Settings of the vendor, as the command's `--set vendor.name=value` or a test gives them.
    public var settings: [String: String]

    /// Options; without arguments: seed 1, real time, the vendor's usual settings.
    public init(seed: UInt64 = 1, clock: any SimClock = RealClock(), settings: [String: String] = [:]) {
        self.seed = seed
        self.clock = clock
        self.settings = settings
    }

    /// A whole number from the settings, or the default.
    public func int(_ name: String, default fallback: Int) throws(SimulatorOptionError) -> Int {
        guard let text = settings[name] else { return fallback }
        guard let value = Int(text) else { throw SimulatorOptionError(setting: name, value: text) }
        return value
    }
}

/// A setting that cannot be read.
public struct SimulatorOptionError: Error, Sendable, CustomStringConvertible {
    /// Its name.
    public let setting: String
    /// What was given.
    public let value: String
    /// Which setting, and what was given.
    public var description: String { "setting \(setting): \"\(value)\" cannot be used" }

    /// A refusal of one setting.
    public init(setting: String, value: String) {
        self.setting = setting
        self.value = value
    }
}

/// A service made of one closure: for tests that need any HTTP server.
public struct Routes: SimulatorService {
    private let answer: @Sendable (SimRequest) async -> SimResponse

    /// Answers every request by the closure.
    public init(_ answer: @escaping @Sendable (SimRequest) async -> SimResponse) { self.answer = answer }

    /// The closure's answer.
    public func handle(_ request: SimRequest) async -> SimResponse { await answer(request) }
}
