/// One vendor limit over a sliding window: never more than `max` calls in any `length` milliseconds.
///
/// Calls are counted in parts of the window; a part counts as long as any of it can lie inside the window, so the
/// true figure is never above the count. A clock that steps back counts into the newest part.
public struct SlidingWindow: Sendable, Equatable {
    /// Milliseconds.
    public let length: Milliseconds
    /// Calls in any window.
    public let max: Int
    private let part: Milliseconds
    private var parts: [(at: Milliseconds, calls: Int)] = []
    private var sum = 0

    /// A window; `parts` says how finely old calls leave it.
    public init(length: Milliseconds, max: Int, parts: Int = 100) {
        self.length = Swift.max(length, 1)
        self.max = max
        part = Swift.max(self.length / Milliseconds(Swift.max(parts, 1)), 1)
    }

    /// How long until one more call fits; 0 when it fits now. `percent` of the figure may be used: a vendor that
    /// throttles below its own figure is believed.
    public mutating func wait(_ now: Milliseconds, percent: Int = 100) -> Milliseconds {
        forget(now)
        let allowed = Swift.max(max * percent / 100, 1)
        if sum < allowed { return 0 }
        // The calls that must leave the window before one more fits.
        var gone = sum - allowed + 1
        for entry in parts {
            gone -= entry.calls
            if gone <= 0 { return Swift.max(entry.at + part + length - now, 1) }
        }
        return length
    }

    /// Counts calls, whether they fit or not: what was spent was spent.
    public mutating func count(_ calls: Int = 1, at now: Milliseconds) {
        forget(now)
        sum += calls
        let at = now - now % part
        if let last = parts.last, last.at >= at {
            parts[parts.count - 1].calls += calls
        } else {
            parts.append((at, calls))
        }
    }

    /// Whether a call made now is still covered by one counted at `at`: both lie in one part.
    public func covers(_ at: Milliseconds, _ now: Milliseconds) -> Bool { now < at - at % part + part }

    /// Calls counted in advance at `from` and not made yet count as of now. Gives how many: none when they have left
    /// the window meanwhile, for then they are no longer counted anywhere.
    public mutating func move(_ calls: Int, from: Milliseconds, to now: Milliseconds) -> Int {
        forget(now)
        guard let index = parts.firstIndex(where: { $0.at == from - from % part }) else { return 0 }
        let moved = Swift.min(calls, parts[index].calls)
        parts[index].calls -= moved
        sum -= moved
        if parts[index].calls == 0 { parts.remove(at: index) }
        count(moved, at: now)
        return moved
    }

    /// Calls that may still lie in the window.
    public mutating func spent(_ now: Milliseconds) -> Int {
        forget(now)
        return sum
    }

    private mutating func forget(_ now: Milliseconds) {
        var gone = 0
        while gone < parts.count, parts[gone].at + part + length <= now {
            sum -= parts[gone].calls
            gone += 1
        }
        if gone > 0 { parts.removeFirst(gone) }
    }

    /// Two windows that would answer alike.
    public static func == (a: SlidingWindow, b: SlidingWindow) -> Bool {
        a.length == b.length && a.max == b.max && a.sum == b.sum && a.parts.elementsEqual(b.parts) { $0 == $1 }
    }
}
