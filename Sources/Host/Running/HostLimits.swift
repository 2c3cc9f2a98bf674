/// The running host's own bounds, each with its reason.
enum HostLimits {
    /// A token is renewed at most this long before its end: vendors advise ten minutes of two hours.
    static let longestEarlyRenewalMs: Int64 = 600_000
    /// After a refused log-in nobody tries again for so long: vendors lock an account after a handful.
    static let refusedLoginRestMs: Int64 = 60_000
    /// Longest a write may take when the connection file says nothing; slow ERPs need most of a minute.
    static let writeTimeoutMs: Int64 = 60_000
    /// See `writeTimeoutMs`; vendors answer large reads after up to three minutes.
    static let readTimeoutMs: Int64 = 200_000
    /// See `writeTimeoutMs`.
    static let findTimeoutMs: Int64 = 60_000
    /// A probe is waited for by a person.
    static let probeTimeoutMs: Int64 = 30_000
    /// One frame of an event stream: the vendor wants its answer in seconds.
    static let frameTimeoutMs: Int64 = 10_000
    /// Longest the conductor waits without looking at the clock again.
    static let longestConductorWaitMs: Int64 = 60_000
    /// Documents fetched with one call: a failing call costs at most so many.
    static let fetchBatch = 4
    /// Documents received and not yet sent; above it sweeps wait. Bounds memory, not the ledger.
    static let openItemsHighWater = 5_000
    /// Records asked for per page.
    static let pageRecords = 100
    /// A reply body when the plugin names no bound. Vendors send lists of tens of megabytes.
    static let replyBytes: UInt64 = 16 << 20
    /// The most a plugin may ask for.
    static let maxReplyBytes: UInt64 = 40 << 20
    /// One key of connector state.
    static let stateBytes = 65_536
    /// One checkpoint.
    static let checkpointBytes = 4_096
    /// First wait before a failed fetch, sweep or stream is tried again; doubled up to `longestRetryMs`.
    static let firstRetryMs: Int64 = 1_000
    /// See `firstRetryMs`.
    static let longestRetryMs: Int64 = 60_000
    /// When the process has no descriptor left for a command, it looks again so much later: one ends soon.
    static let acceptAgainMicroseconds: UInt32 = 100_000
    /// One request or answer on the control socket.
    static let controlBytes = 16 << 20
    /// How long a stopping host waits for calls on their way before it leaves them to the next start.
    static let stopGraceMs: Int64 = 10_000
    /// Between two looks whether the last of these calls has come back; a person waits for the end.
    static let drainPollMs: Int64 = 20
    /// Between two looks whether `openItemsHighWater` leaves room; a page is read in some hundred milliseconds.
    static let roomPollMs: Int64 = 50
    /// Documents of one flow that one `ledger retry --flow` queues. More is a second call.
    static let retriedAtOnce = 100_000
    /// An idle worker is stopped after so long.
    static let idleWorkerMs: Int64 = 600_000
    /// Parts a durable window's allowance is debited in: a crash loses at most one part.
    static let blocksPerWindow = 100
    /// Windows at least this long are debited durably; shorter ones pass while a host starts.
    static let durableWindowMs: Int64 = 60_000
    /// After so long without an answer a slow ERP has committed or never will, when the connector names no horizon.
    static let commitHorizonMs: Int64 = 120_000
    /// A sweep finds what events missed; more often only spends the vendor's quota.
    static let sweepEveryMs: Int64 = 6 * 3_600_000
    /// An approval can take weeks from its creation, by which sources list.
    static let lookBackMs: Int64 = 45 * 86_400_000
    /// A burst of throttled answers halves the rate once.
    static let throttleOnceMs: Int64 = 1_000
    /// However often a vendor throttles, some calls must tell us when it stops.
    static let lowestRatePercent = 5
    /// Windows up to here are rates and go slower after a throttled answer; longer ones are allowances.
    static let slowableWindowMs: Int64 = 3_600_000
    /// A document that cannot be read is asked for again ever more rarely, at last by the hour.
    static let longestFetchRetryMs: Int64 = 3_600_000
    /// Failed fetches of one document before a person is told: about a minute of trying.
    static let fetchTries = 6
    /// Fetches that leave a document out before it counts as gone; a vendor's list runs ahead of its detail.
    static let goneTries = 3
    /// Fetches whose answer is older than the event before it is taken as it is.
    static let lagTries = 5
    /// Starts of one supervisor before its numbers could meet another's; the restart budget ends it long before.
    static let generationsPerWorker: UInt64 = 1 << 32
    /// Between two rounds of housekeeping; lines of the audit newer than that could be cut off unseen after a crash.
    static let housekeepingMs: Int64 = 60_000
    /// The note of the newest audit line: some hundred bytes, sealed.
    static let auditHeadBytes = 4_096
    /// How often a held lock is looked at again.
    static let lockPollMs: Int64 = 20
    /// A host that has taken the workspace listens within this many looks.
    static let startingHostTries = 100
    /// See `startingHostTries`.
    static let startingHostWaitMs: Int64 = 50
    /// A command without a host holds the workspace for a second or two; longer, and something hangs.
    static let commandLockWaitMs: Int64 = 15_000
    /// To a ready connection, TLS included; a LAN answers in milliseconds, a far cloud in a second.
    static let connectTimeoutMs: Int64 = 10_000
    /// Of a call's time, what its connector keeps to tell that the vendor took too long.
    static let lastWordMs: Int64 = 500
    /// Windows a connection file may bound although the connector's profile does not name them.
    static let namedWindows: [String: Int64] = [
        "per_second": 1_000, "per_minute": 60_000, "per_hour": 3_600_000, "per_day": 86_400_000,
        "per_month": 31 * 86_400_000,
    ]
    /// Our own pings on an event stream: a half-open socket shows within two of them.
    static let pingEveryMs = 30_000
    /// An event stream that says nothing for so long is dead, whatever TCP believes.
    static let streamIdleMs = 120_000
}
