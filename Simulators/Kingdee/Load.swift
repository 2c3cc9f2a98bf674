import SimulatorKit

/// How hard the server is worked: what a client's own limits are judged by, and the server's limits themselves.
struct Load: Sendable {
    private var window: [Int64] = []
    private var second: [Int64] = []
    private(set) var calls = 0
    private(set) var refused = 0
    private(set) var mostPerSecond = 0
    private(set) var inFlight = 0
    private(set) var mostInFlight = 0

    mutating func enter() {
        inFlight += 1
        mostInFlight = max(mostInFlight, inFlight)
    }

    mutating func leave() { inFlight -= 1 }

    /// Counts a call, and refuses it above one of the server's limits.
    mutating func count(at now: Int64, _ options: Options) throws(Refusal) {
        calls += 1
        second.removeAll { now - $0 >= 1000 }
        second.append(now)
        mostPerSecond = max(mostPerSecond, second.count)
        if options.mostInFlight > 0, inFlight > options.mostInFlight {
            refused += 1
            throw .callLimit
        }
        guard options.callLimit > 0 else { return }
        window.removeAll { now - $0 >= Int64(options.callWindowMilliseconds) }
        guard window.count < options.callLimit else {
            refused += 1
            throw .callLimit
        }
        window.append(now)
    }

    var json: SimJSON {
        [
            "calls": SimJSON(calls), "refused_by_limit": SimJSON(refused), "most_per_second": SimJSON(mostPerSecond),
            "most_in_flight": SimJSON(mostInFlight),
        ]
    }
}
