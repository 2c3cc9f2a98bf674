import Engine
import Synchronization
import Values

/// One limit of a connection as it runs: the connector's profile, lowered by the connection file.
struct LimitRule: Sendable, Hashable {
    /// As the profile names it, `per_second`.
    var id: String
    /// Milliseconds; nil: a bound on calls at once.
    var window: Milliseconds?
    var max: Int
    /// Which calls it counts; empty: all.
    var meter: String
}

/// Keeps every limit of every connection, for all flows and workers together.
///
/// Long windows are debited in durable parts before the calls are made: a crash counts a part as spent, so no window
/// ever holds more than its figure. A window shorter than a minute begins full instead: it is over
/// before it could matter.
final class LimitKeeper: Sendable {
    private struct Window {
        var rule: LimitRule
        var window: SlidingWindow
        /// What is left of durable parts, oldest first.
        var paid: [Debit] = []
        /// A part is being made durable: others wait for it instead of paying for more.
        var isPaying = false
    }

    /// Calls debited for a rule at a time.
    private struct Debit {
        var rule: LimitRule
        var at: Milliseconds
        var calls: Int
    }

    private struct Waiter {
        var id: UInt64
        var resume: @Sendable (Bool) -> Void
    }

    /// The rate after a throttled answer: halved, then ten per cent more for each quiet minute.
    private struct Rate {
        var percent = 100
        var since: Milliseconds = 0

        mutating func throttled(_ now: Milliseconds) {
            // Sixteen refusals of one moment are one: the rate is halved once a second at most.
            if percent < 100 && now - since < HostLimits.throttleOnceMs { return }
            percent = max(percent(at: now) / 2, HostLimits.lowestRatePercent)
            since = now
        }

        func percent(at now: Milliseconds) -> Int {
            min(percent + Int(max(now - since, 0) / 60_000) * 10, 100)
        }
    }

    private struct Site {
        var rate = Rate()
        var rules: [LimitRule] = []
        var windows: [Window] = []
        var atOnce: Int?
        var running = 0
        var waiters: [Waiter] = []
    }

    private struct State {
        var sites: [String: Site] = [:]
        var next: UInt64 = 0
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> Milliseconds
    private let pay: @Sendable (_ bucket: String, _ at: Milliseconds, _ calls: Int) async -> Void
    private let paid: @Sendable (_ bucket: String, _ from: Milliseconds) -> [(at: Milliseconds, calls: Int)]

    /// `pay` makes a debit durable before it returns; `paid` reads earlier debits.
    init(
        now: @escaping @Sendable () -> Milliseconds,
        pay: @escaping @Sendable (String, Milliseconds, Int) async -> Void,
        paid: @escaping @Sendable (String, Milliseconds) -> [(at: Milliseconds, calls: Int)]
    ) {
        self.now = now
        self.pay = pay
        self.paid = paid
    }

    /// The limits of a connection; unchanged rules keep their counts. Not called for one connection twice at once.
    func set(_ connection: String, _ rules: [LimitRule]) {
        let at = now()
        let fresh = rules.filter { $0.window != nil }.map { rule -> Window in
            let length = rule.window ?? 1
            var window = SlidingWindow(length: length, max: rule.max, parts: HostLimits.blocksPerWindow)
            if Self.isDurable(rule) {
                // A block covers calls to the end of its part: it leaves the window that much later.
                let from = at - length - length / Milliseconds(HostLimits.blocksPerWindow) - 1
                for block in paid(Self.bucket(connection, rule), from) { window.count(block.calls, at: block.at) }
            } else {
                window.count(rule.max, at: at)
            }
            return Window(rule: rule, window: window)
        }
        let run = state.withLock { state -> [Waiter] in
            let known = state.sites[connection]?.windows ?? []
            state.sites[connection, default: Site()].rules = rules
            state.sites[connection]?.windows = fresh.map { new in known.first { $0.rule == new.rule } ?? new }
            state.sites[connection]?.atOnce = rules.filter { $0.window == nil }.map(\.max).min()
            return Self.admit(connection, &state)
        }
        for waiter in run { waiter.resume(true) }
    }

    private static func isDurable(_ rule: LimitRule) -> Bool { (rule.window ?? 0) >= HostLimits.durableWindowMs }
    private static func bucket(_ connection: String, _ rule: LimitRule) -> String { "\(connection)/\(rule.id)" }

    /// Waits for every limit the call spends. False: not before `deadline`, or cancelled; nothing was spent.
    func enter(_ connection: String, meter: String, deadline: Milliseconds) async -> Bool {
        guard await takePlace(connection) else { return false }
        while true {
            let at = now()
            if at > deadline {
                leave(connection)
                return false
            }
            switch step(connection, meter, at) {
            case .go: return true
            case .wait(let wait):
                if at + wait > deadline {
                    leave(connection)
                    return false
                }
                do {
                    try await Task.sleep(for: .milliseconds(wait))
                } catch {
                    leave(connection)
                    return false
                }
            case .pay(let debits):
                for debit in debits {
                    await pay(Self.bucket(connection, debit.rule), at, debit.calls)
                    credit(connection, debit)
                }
            case .move(let debits):
                for debit in debits {
                    // Taken back first: a crash in between loses calls that were never made.
                    await pay(Self.bucket(connection, debit.rule), debit.at, -debit.calls)
                    await pay(Self.bucket(connection, debit.rule), at, debit.calls)
                    credit(connection, Debit(rule: debit.rule, at: at, calls: debit.calls))
                }
            }
        }
    }

    private enum Step {
        case go
        case wait(Milliseconds)
        /// Make these debits durable, then look again.
        case pay([Debit])
        /// Make durable that these count as of now, then look again.
        case move([Debit])
    }

    private func step(_ connection: String, _ meter: String, _ at: Milliseconds) -> Step {
        state.withLock { state -> Step in
            guard var site = state.sites[connection] else { return .go }
            defer { state.sites[connection] = site }
            let spending = site.windows.indices.filter {
                site.windows[$0].rule.meter.isEmpty || site.windows[$0].rule.meter == meter
            }
            var moving: [Debit] = []
            for index in spending { moving += Self.takeStale(&site.windows[index], at) }
            if !moving.isEmpty { return .move(moving) }
            var wait: Milliseconds = 0
            var due: [Debit] = []
            for index in spending where site.windows[index].paid.isEmpty {
                if site.windows[index].isPaying { return .wait(1) }
                let rule = site.windows[index].rule
                let isRate = (rule.window ?? 0) < HostLimits.slowableWindowMs
                let percent = isRate ? site.rate.percent(at: at) : 100
                wait = max(wait, site.windows[index].window.wait(at, percent: percent))
                if wait == 0 && Self.isDurable(rule) {
                    let room = rule.max - site.windows[index].window.spent(at)
                    let part = min(max(rule.max / HostLimits.blocksPerWindow, 1), room)
                    due.append(Debit(rule: rule, at: at, calls: part))
                }
            }
            if wait > 0 { return .wait(wait) }
            if !due.isEmpty {
                // Counted before it is durable, so that nobody else pays for the same part.
                for debit in due {
                    guard let index = spending.first(where: { site.windows[$0].rule == debit.rule }) else { continue }
                    site.windows[index].window.count(debit.calls, at: at)
                    site.windows[index].isPaying = true
                }
                return .pay(due)
            }
            for index in spending {
                if !Self.isDurable(site.windows[index].rule) {
                    site.windows[index].window.count(at: at)
                } else {
                    site.windows[index].paid[0].calls -= 1
                    if site.windows[index].paid[0].calls == 0 { site.windows[index].paid.removeFirst() }
                }
            }
            return .go
        }
    }

    /// What is left of debits too old to stand for a call made now: such a call would still lie in the window when its
    /// debit has left it. Given back to be debited as of now; what has left the window already is void.
    private static func takeStale(_ window: inout Window, _ at: Milliseconds) -> [Debit] {
        let stale = window.paid.filter { !window.window.covers($0.at, at) }
        if stale.isEmpty { return [] }
        window.paid.removeAll { !window.window.covers($0.at, at) }
        return stale.compactMap { debit in
            let moved = window.window.move(debit.calls, from: debit.at, to: at)
            return moved == 0 ? nil : Debit(rule: debit.rule, at: debit.at, calls: moved)
        }
    }

    /// The debit is durable: its calls may be made.
    private func credit(_ connection: String, _ debit: Debit) {
        state.withLock { state in
            guard let index = state.sites[connection]?.windows.firstIndex(where: { $0.rule == debit.rule }) else {
                return
            }
            state.sites[connection]?.windows[index].paid.append(debit)
            state.sites[connection]?.windows[index].isPaying = false
        }
    }

    /// Whether an allowance (and not a rate) leaves no call now: nothing helps but waiting for its window.
    func isSpent(_ connection: String, meter: String) -> Bool {
        let at = now()
        return state.withLock { state in
            guard var site = state.sites[connection] else { return false }
            return site.windows.indices.contains { index in
                let rule = site.windows[index].rule
                return Self.isDurable(rule) && (rule.meter.isEmpty || rule.meter == meter)
                    && site.windows[index].paid.isEmpty && site.windows[index].window.wait(at) > 0
            }
        }
    }

    /// The vendor throttled us below its own figure: go slower for a while.
    func throttled(_ connection: String) {
        let at = now()
        state.withLock { $0.sites[connection]?.rate.throttled(at) }
    }

    /// The call is over: its place is free.
    func leave(_ connection: String) {
        let run = state.withLock { state -> [Waiter] in
            state.sites[connection]?.running -= 1
            return Self.admit(connection, &state)
        }
        for waiter in run { waiter.resume(true) }
    }

    private func takePlace(_ connection: String) async -> Bool {
        let id = state.withLock { state -> UInt64? in
            guard let site = state.sites[connection], let bound = site.atOnce,
                site.running >= bound || !site.waiters.isEmpty
            else {
                state.sites[connection]?.running += 1
                return nil
            }
            state.next += 1
            return state.next
        }
        guard let id else { return true }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let run = state.withLock { state -> [Waiter] in
                    state.sites[connection]?.waiters.append(Waiter(id: id) { continuation.resume(returning: $0) })
                    return Self.admit(connection, &state)
                }
                for waiter in run { waiter.resume(true) }
                if Task.isCancelled { withdraw(connection, id) }
            }
        } onCancel: {
            withdraw(connection, id)
        }
    }

    private func withdraw(_ connection: String, _ id: UInt64) {
        let waiter = state.withLock { state -> Waiter? in
            guard let index = state.sites[connection]?.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.sites[connection]?.waiters.remove(at: index)
        }
        waiter?.resume(false)
    }

    private static func admit(_ connection: String, _ state: inout State) -> [Waiter] {
        guard var site = state.sites[connection] else { return [] }
        var run: [Waiter] = []
        while let first = site.waiters.first, site.running < site.atOnce ?? .max {
            site.waiters.removeFirst()
            site.running += 1
            run.append(first)
        }
        state.sites[connection] = site
        return run
    }

    /// Per bucket, the time before which no debit counts any more: twice the window, because clocks are set back.
    func outlived() -> [String: Milliseconds] {
        let at = now()
        return state.withLock { state in
            var outlived: [String: Milliseconds] = [:]
            for (connection, site) in state.sites {
                for rule in site.rules where Self.isDurable(rule) {
                    outlived[Self.bucket(connection, rule)] = at - 2 * (rule.window ?? 0)
                }
            }
            return outlived
        }
    }

    /// What is spent of each window, for `status`.
    func report(_ connection: String) -> [JSON] {
        let at = now()
        return state.withLock { state in
            guard var site = state.sites[connection] else { return [] }
            return site.windows.indices.map { index in
                let rule = site.windows[index].rule
                let spent =
                    site.windows[index].window.spent(at)
                    - site.windows[index].paid.reduce(0) { $0 + $1.calls }
                return [
                    "id": .string(rule.id), "window_ms": .int(Int(rule.window ?? 0)), "max": .int(rule.max),
                    "spent": .int(spent),
                ]
            }
        }
    }
}
