import Synchronization

/// One planned misbehaviour.
///
/// JSON: `{"match":"approval.detail","kind":"slow","ms":500,"times":2}`; `match` is an operation name or a path, each
/// may end in `*`, and `*` alone matches everything. Without `times`, `nth` and `probability` every matching request is
/// struck until the plan is cleared.
public struct Fault: Sendable, Hashable {
    /// What goes wrong.
    public enum Kind: Sendable, Hashable {
        /// The vendor's own "too fast" answer.
        case rateLimit
        /// All tokens or sessions end before this request is looked at.
        case expireTokens
        /// HTTP 500, nothing done.
        case http500
        /// An HTML page in place of JSON, nothing done.
        case htmlPage
        /// The request waits so many milliseconds, then is done and answered.
        case slow(milliseconds: Int)
        /// Never answered, nothing done.
        case hang
        /// Done, and the connection closed without an answer.
        case loseAnswerAfterCommit
        /// The connection is closed at once; the request is done so many milliseconds later.
        case commitLate(milliseconds: Int)
        /// Done, but the answer breaks off in the middle.
        case cutBody
        /// Done, and answered with the first half of the answer as if it were the whole.
        case cutJSON
        /// Done, and answered with 50 MB.
        case hugeBody
        /// A misbehaviour only this vendor has, by name.
        case vendor(String)
    }

    /// Operation name or path, see above.
    public var match: String
    /// What goes wrong.
    public var kind: Kind
    /// How often at most; nil = no bound.
    public var times: Int?
    /// 0...1 per matching request; nil = always.
    public var probability: Double?
    /// Only the n-th matching request, counted from 1.
    public var nth: Int?

    /// A planned misbehaviour.
    public init(
        match: String = "*", kind: Kind, times: Int? = nil, probability: Double? = nil, nth: Int? = nil
    ) {
        self.match = match
        self.kind = kind
        self.times = times
        self.probability = probability
        self.nth = nth
    }

    /// Reads the JSON form; nil with a reason when it is none.
    public static func read(_ json: SimJSON) throws(FaultError) -> Fault {
        guard let name = json["kind"]?.string else { throw FaultError(reason: "kind is missing") }
        let milliseconds = json["ms"]?.int
        func needed() throws(FaultError) -> Int {
            guard let milliseconds, milliseconds >= 0 else { throw FaultError(reason: "\(name) needs ms") }
            return milliseconds
        }
        let kind: Kind =
            switch name {
            case "rateLimit": .rateLimit
            case "expireTokens": .expireTokens
            case "http500": .http500
            case "htmlPage": .htmlPage
            case "slow": .slow(milliseconds: try needed())
            case "hang": .hang
            case "loseAnswerAfterCommit": .loseAnswerAfterCommit
            case "commitLate": .commitLate(milliseconds: try needed())
            case "cutBody": .cutBody
            case "cutJSON": .cutJSON
            case "hugeBody": .hugeBody
            default: .vendor(name)
            }
        return Fault(
            match: json["match"]?.string ?? "*", kind: kind, times: json["times"]?.int,
            probability: json["probability"].flatMap { if case .number(let text) = $0 { Double(text) } else { nil } },
            nth: json["nth"]?.int)
    }

    /// The JSON form.
    public var json: SimJSON {
        var out: SimJSON = ["match": .string(match)]
        let name: String
        switch kind {
        case .rateLimit: name = "rateLimit"
        case .expireTokens: name = "expireTokens"
        case .http500: name = "http500"
        case .htmlPage: name = "htmlPage"
        case .slow(let milliseconds):
            name = "slow"
            out["ms"] = SimJSON(milliseconds)
        case .hang: name = "hang"
        case .loseAnswerAfterCommit: name = "loseAnswerAfterCommit"
        case .commitLate(let milliseconds):
            name = "commitLate"
            out["ms"] = SimJSON(milliseconds)
        case .cutBody: name = "cutBody"
        case .cutJSON: name = "cutJSON"
        case .hugeBody: name = "hugeBody"
        case .vendor(let text): name = text
        }
        out["kind"] = .string(name)
        if let times { out["times"] = SimJSON(times) }
        if let probability { out["probability"] = .number("\(probability)") }
        if let nth { out["nth"] = SimJSON(nth) }
        return out
    }

    func matches(operation: String?, path: String) -> Bool {
        [operation, path].compactMap(\.self).contains { name in
            match.hasSuffix("*") ? name.hasPrefix(match.dropLast()) : name == match
        }
    }
}

/// Why a planned misbehaviour cannot be read.
public struct FaultError: Error, Sendable, CustomStringConvertible {
    /// What is wrong.
    public let reason: String
    /// The reason.
    public var description: String { reason }

    /// An objection.
    public init(reason: String) { self.reason = reason }
}

/// The misbehaviours planned for a running simulator.
public final class FaultPlan: Sendable {
    private struct Planned {
        let fault: Fault
        var seen = 0
        var struck = 0
    }

    private struct State {
        var planned: [Planned] = []
        var random: SeededGenerator
    }

    private let state: Mutex<State>

    init(seed: UInt64) { state = Mutex(State(random: SeededGenerator(seed: seed))) }

    /// Adds one.
    public func add(_ fault: Fault) { state.withLock { $0.planned.append(Planned(fault: fault)) } }

    /// Forgets all.
    public func clear() { state.withLock { $0.planned.removeAll() } }

    /// All, with how often each was seen and struck.
    public var json: SimJSON {
        state.withLock { state in
            .array(
                state.planned.map { planned in
                    var json = planned.fault.json
                    json["seen"] = SimJSON(planned.seen)
                    json["struck"] = SimJSON(planned.struck)
                    return json
                })
        }
    }

    /// The misbehaviour this request meets: the first planned one that applies.
    func strike(operation: String?, path: String) -> Fault.Kind? {
        state.withLock { state in
            for index in state.planned.indices
            where state.planned[index].fault.matches(operation: operation, path: path) {
                let fault = state.planned[index].fault
                state.planned[index].seen += 1
                if let nth = fault.nth, state.planned[index].seen != nth { continue }
                if let times = fault.times, state.planned[index].struck >= times { continue }
                if let probability = fault.probability, !state.random.chance(probability) { continue }
                state.planned[index].struck += 1
                return fault.kind
            }
            return nil
        }
    }
}
