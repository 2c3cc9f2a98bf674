import Engine
import Values

/// Documents of one stream that are to be fetched, in the order they were asked for. Pure: time is given.
struct FetchQueue: Sendable {
    /// One document to fetch.
    struct Entry: Sendable, Equatable {
        var hint: Conductor.Hinted
        /// Fetches that did not give it.
        var attempts = 0
        /// Not asked for again before.
        var notBefore: Int64 = 0
    }

    private var waiting: [Entry] = []
    private var waitingIDs: Set<String> = []
    /// Documents being fetched; a hint that came meanwhile is kept, since the answer may be older than it.
    private var inFlight: [String: Conductor.Hinted?] = [:]

    var isEmpty: Bool { waiting.isEmpty }
    var count: Int { waiting.count }

    mutating func add(_ hint: Conductor.Hinted) {
        if inFlight.keys.contains(hint.document) {
            inFlight[hint.document] = .some(hint)
        } else if waitingIDs.insert(hint.document).inserted {
            waiting.append(Entry(hint: hint))
        }
    }

    /// The next documents to ask for together. One that failed before is asked for alone: it must not take good ones along.
    mutating func take(_ now: Int64, atMost most: Int) -> [Entry] {
        var taken: [Entry] = []
        var index = 0
        while index < waiting.count, taken.count < most {
            let entry = waiting[index]
            if entry.notBefore > now || (entry.attempts > 0 && !taken.isEmpty) {
                index += 1
                continue
            }
            taken.append(waiting.remove(at: index))
            if entry.attempts > 0 { break }
        }
        for entry in taken {
            waitingIDs.remove(entry.hint.document)
            inFlight[entry.hint.document] = .some(nil)
        }
        return taken
    }

    /// When `take` has something again; nil while nothing waits.
    var nextAt: Int64? { waiting.map(\.notBefore).min() }

    /// The document was received, or is given up.
    mutating func finish(_ entry: Entry) {
        if let newer = inFlight.removeValue(forKey: entry.hint.document) ?? nil { add(newer) }
    }

    /// It is to be asked for again; `spends` counts the attempt.
    mutating func putBack(_ entry: Entry, spends: Bool, _ now: Int64) {
        let newer = inFlight.removeValue(forKey: entry.hint.document) ?? nil
        var again = entry
        if let newer { again.hint = newer }
        if spends {
            again.attempts += 1
            let doubled = HostLimits.firstRetryMs << Int64(min(again.attempts - 1, 12))
            again.notBefore = now + min(doubled, HostLimits.longestFetchRetryMs)
        }
        if waitingIDs.insert(again.hint.document).inserted { waiting.append(again) }
    }
}

/// Trouble of a source connection: it stands still, and no document is to blame.
struct SourcePause: Sendable, Equatable {
    /// Until then; `Int64.max`: until a person has checked the connection.
    var until: Int64
    var cls: FailureClass
    /// Troubles in a row.
    var troubles: Int

    init(_ cls: FailureClass, retryAfter: Int64?, after earlier: SourcePause?, now: Int64) {
        self.cls = cls
        troubles = (earlier?.troubles ?? 0) + 1
        let backOff = min(HostLimits.firstRetryMs << Int64(min(troubles - 1, 10)), HostLimits.longestRetryMs)
        switch cls {
        case .authDenied: until = .max
        case .quotaSpent: until = now + max(retryAfter ?? EngineLimits.quotaPause, 1)
        case .throttled: until = now + max(retryAfter ?? EngineLimits.throttledPause, 1)
        default: until = now + max(retryAfter ?? 0, backOff)
        }
    }
}

/// A failed call to a source, with the class that decides what to do.
struct ConnectionTrouble: Error {
    var problem: Problem
    var cls: FailureClass
    var retryAfter: Int64?
}
