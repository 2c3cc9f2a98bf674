/// Figures of the vendor's, each with its source: [DOC] its documentation, [INF] inferred from it, [3P] what others met.
enum Limits {
    /// Ids a list call gives at most [DOC].
    static let listSize = 20
    /// Longest window of a list call: 120 days, by creation time [DOC]; one day less, so that a clock cannot break it.
    static let listWindowMilliseconds: Int64 = 119 * 86_400_000
    /// The oldest start of a list call: 365 days back [DOC]; one day less for the same reason.
    static let oldestStartMilliseconds: Int64 = 364 * 86_400_000
    /// How far a sweep under way may fall behind that start before it begins again: half the day kept back above.
    static let oldestStartSlackMilliseconds: Int64 = 43_200_000
    /// Ids one list query gives in all its pages [DOC]; a window that holds more is cut.
    static let listIDs: Int64 = 10_000
    /// The narrowest window of a list call: an hour, in which no organisation starts 10,000 forms of one template.
    static let listNarrowestMilliseconds: Int64 = 3_600_000
    /// The end of the year 9999 in milliseconds since 1970: no cursor of ours is later.
    static let latestMilliseconds: Int64 = 253_402_300_799_999
    /// A token lives two hours [DOC], whatever longer life an answer might claim.
    static let tokenSeconds: Int64 = 7_200
    /// The longest `Retry-After` that is believed: a day.
    static let retryAfterSeconds: Int64 = 86_400
    /// How late a comment may still appear after its answer was lost. The vendor names no figure; two minutes are beyond
    /// what a gateway keeps a request for, and a comment nobody waits for costs nothing by coming late.
    static let commentHorizonMilliseconds: Int64 = 120_000
    /// Characters of a comment, as UTF-16 counts them [DOC].
    static let commentCharacters = 1024
    /// Bytes of a work notification's message [DOC].
    static let notificationBytes = 2048
    /// Bytes of a group robot's message [INF].
    static let robotBytes = 20_000
    /// Receivers of one work notification [DOC].
    static let notificationReceivers = 100
    /// How long a ban of our address lasts [DOC].
    static let addressBanMilliseconds: Int64 = 300_000
    /// A rate limit counts by the second [DOC].
    static let secondMilliseconds: Int64 = 1_000
    /// A rate limit by the minute [DOC].
    static let minuteMilliseconds: Int64 = 60_000
    /// The group robot is silent for ten minutes once it is throttled [DOC].
    static let robotMilliseconds: Int64 = 600_000
    /// Our own pings on the stream: every 30 seconds [3P: half-open sockets].
    static let pingMilliseconds: UInt32 = 30_000
    /// The server pings too; a stream that says nothing for two minutes is dead.
    static let idleMilliseconds: UInt32 = 120_000
    /// How long a name and a job number are taken from memory: a working day.
    static let personMilliseconds: Int64 = 8 * 3_600_000
    /// How long it is remembered that somebody could not be looked up: until a permission may have been granted.
    static let strangerMilliseconds: Int64 = 600_000
    /// People kept in memory: their names rarely change, and a look-up costs a call.
    static let people = 2_000
    /// How deep suites nest components.
    static let nesting = 8
}
