import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The time of a simulator: real, or moved by a test.
public protocol SimClock: Sendable {
    /// Milliseconds since 1970-01-01T00:00Z.
    func now() -> Int64
    /// Waits for as long on this clock; throws when the task is cancelled.
    func sleep(milliseconds: Int) async throws
}

/// The machine's clock.
public struct RealClock: SimClock {
    /// A clock that follows the machine.
    public init() {}

    /// The machine's time, milliseconds since 1970.
    public func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Sleeps in real time.
    public func sleep(milliseconds: Int) async throws { try await Task.sleep(for: .milliseconds(milliseconds)) }
}

/// A clock that stands still until `advance` moves it; sleepers wake when their time has come.
public final class VirtualClock: SimClock {
    private struct Sleeper {
        let id: Int
        let due: Int64
        let wake: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Int64
        var nextID = 0
        var sleepers: [Sleeper] = []
        var cancelled: Set<Int> = []
    }

    private let state: Mutex<State>

    /// A clock that shows `milliseconds` since 1970.
    public init(at milliseconds: Int64 = 1_767_225_600_000) { state = Mutex(State(now: milliseconds)) }

    /// What the clock shows.
    public func now() -> Int64 { state.withLock { $0.now } }

    /// How many tasks wait on this clock.
    public var sleepers: Int { state.withLock { $0.sleepers.count } }

    /// Moves the clock and wakes those whose time has come, the earliest first.
    public func advance(milliseconds: Int) {
        let due = state.withLock { state in
            state.now += Int64(milliseconds)
            let due = state.sleepers.filter { $0.due <= state.now }.sorted { $0.due < $1.due }
            state.sleepers.removeAll { $0.due <= state.now }
            return due
        }
        for sleeper in due { sleeper.wake.resume() }
    }

    /// Waits until the clock has been moved by as much.
    public func sleep(milliseconds: Int) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
                    if milliseconds <= 0 { return .success(()) }
                    state.sleepers.append(
                        Sleeper(id: id, due: state.now + Int64(milliseconds), wake: continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: index)
            }
            sleeper?.wake.resume(throwing: CancellationError())
        }
        _ = state.withLock { $0.cancelled.remove(id) }
    }
}

/// A small random generator with a seed (SplitMix64): the same seed gives the same scenario on every machine.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator that starts at `seed`.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A whole number of the range.
    public mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// One element; the list must not be empty.
    public mutating func pick<Element>(_ list: [Element]) -> Element { list[int(0...list.count - 1)] }

    /// True with the given probability.
    public mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }

    /// So many lower-case hex digits.
    public mutating func hex(_ digits: Int) -> String {
        String((0..<digits).map { _ in pick(Array("0123456789abcdef")) })
    }
}
