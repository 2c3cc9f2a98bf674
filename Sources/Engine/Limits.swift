/// The engine's own bounds, each with its reason.
public enum EngineLimits {
    /// First look-up after an unknown outcome. At once would mostly meet a target that is still busy.
    public static let firstLookAfter: Milliseconds = 1_000
    /// Shortest wait after a look-up that itself failed; the waits double up to `longestLookWait`.
    public static let failedLookWait: Milliseconds = 5_000
    /// Longest wait between look-ups: a person reads "checking" as soon, not as tomorrow.
    public static let longestLookWait: Milliseconds = 300_000
    /// First pause of a lane that cannot be reached; doubled up to `longestLanePause`.
    public static let firstLanePause: Milliseconds = 1_000
    /// Longest pause of an unreachable lane: the target is back in the books within this time.
    public static let longestLanePause: Milliseconds = 60_000
    /// Pause for a throttled answer that names no time; vendors count in seconds or minutes.
    public static let throttledPause: Milliseconds = 2_000
    /// Pause for a spent allowance that names no reset.
    public static let quotaPause: Milliseconds = 3_600_000
    /// Contract breaches or crashes in one document before a person must look: a poison document.
    public static let bugTries = 3
    /// Shortest and longest time between questions about a document the target has accepted.
    public static let shortestPoll: Milliseconds = 500
    /// See `shortestPoll`.
    public static let longestPoll: Milliseconds = 3_600_000
    /// How long a queued document may stay silent before a person must look.
    public static let longestQueued: Milliseconds = 86_400_000
}
