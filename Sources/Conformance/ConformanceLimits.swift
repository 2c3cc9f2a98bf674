/// The figures of this room, each with its reason.
enum ConformanceLimits {
    /// Milliseconds a call gets: the scripted host answers at once, so that only a hang or a slow machine needs them.
    static let callMs: Int64 = 30_000
    /// Milliseconds a call gets from a vendor that really answers.
    static let liveCallMs: Int64 = 60_000
    /// Milliseconds until the deadline where a vendor never answers: the check waits them out.
    static let shortCallMs: Int64 = 300
    /// Milliseconds after its deadline in which a call has to come back, before it counts as hanging. Far above what a
    /// connector needs that looks at `is_cancelled`, so that a busy machine is not taken for a hang.
    static let graceMs: Int64 = 10_000
    /// Milliseconds for a library to load, and for a worker to leave.
    static let startMs: Int64 = 15_000
    /// Times a connection is opened and closed in one process: enough that a leak of one small block a time shows.
    static let openCycles = 4000
    /// KiB by which that may grow after the first quarter: arenas and lazily made tables, no block a time.
    static let openGrowthKiB: Int64 = 512
    /// Rounds of every call in one process, and the first of them from which growth is measured.
    static let callRounds = 300
    /// See `callRounds`.
    static let warmRounds = 100
    /// KiB by which a process may grow over the later rounds.
    static let callGrowthKiB: Int64 = 2048
    /// Calls of the walk in random order.
    static let walkCalls = 150
    /// Calls at once that are tried of one ability, whatever it declares: the point is more than one.
    static let concurrentCalls = 16
    /// Milliseconds a scripted vendor waits for all the calls at once before it answers those that came.
    static let gatherMs: Int64 = 2000
    /// Windows of a vendor's limits up to this many milliseconds are kept by pacing; a day's allowance is the tester's.
    static let paceWindowMs: Int64 = 60_000
    /// Milliseconds a sweep looks back: a day.
    static let sinceMs: Int64 = 86_400_000
    /// Pages a sweep of a vendor may take before it counts as endless.
    static let pages = 1000
    /// Records asked for per page: few, so that there is more than one page.
    static let pageRecords = 5
    /// Polls of an accepted document before it counts as never done, and the longest wait between two in milliseconds.
    static let polls = 20
    /// See `polls`.
    static let pollWaitMs: Int64 = 500
    /// Bytes of a secret below which finding it somewhere proves nothing.
    static let canaryBytes = 8
    /// Bytes of a settings file: a page of text.
    static let settingsBytes = 1 << 20
    /// Bytes of a library: as the catalogue takes.
    static let libraryBytes = 256 << 20
    /// Longest reason kept of a check, in characters: for people.
    static let reasonCharacters = 600
}
