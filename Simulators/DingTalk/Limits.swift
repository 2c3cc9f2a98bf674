/// Figures of the vendor, with where each comes from ([DOC] documentation, [INF] our choice where none is published).
enum DingTalkLimits {
    /// A token lives so long, seconds [DOC].
    static let tokenLife = 7200
    /// Calls a second of one app to one interface, standard edition [DOC].
    static let callsPerSecond = 20
    /// Token calls a minute [INF: a limit is documented, its figure is not].
    static let tokensPerMinute = 60
    /// Interface calls a month of a standard-edition organisation [DOC].
    static let monthlyCalls = 5_000
    /// Pushes a month of a standard-edition organisation [DOC].
    static let monthlyPushes = 3_000
    /// A Stream ticket lives so long, milliseconds [DOC].
    static let ticketLife: Int64 = 90_000
    /// After `disconnect` the line is silent and closed so much later, milliseconds [DOC].
    static let disconnectGrace = 10_000
    /// A push that is not acknowledged comes again after so long, milliseconds [INF].
    static let acknowledge = 10_000
    /// A push answered LATER comes again after so long, milliseconds [INF].
    static let later = 5_000
    /// A push is tried so often [INF].
    static let attempts = 20
    /// An event waits so long for a connection, milliseconds [INF].
    static let retention: Int64 = 600_000
    /// The server asks for a sign of life so often, milliseconds [INF].
    static let ping = 30_000
    /// Instance ids on one page [DOC].
    static let pageSize = 20
    /// Ids that one query can page through [DOC].
    static let queryDepth = 10_000
    /// The widest window of a query, milliseconds: 120 days [DOC].
    static let window: Int64 = 120 * 86_400_000
    /// How far back a window may start, milliseconds: 365 days [DOC].
    static let lookBack: Int64 = 365 * 86_400_000
    /// Applicants of one query [DOC].
    static let queryUsers = 10
    /// Templates on one page [DOC].
    static let templatePage = 100
    /// Characters of a comment, as UTF-16 counts them [DOC; how they are counted is ours].
    static let comment = 1024
    /// An instance cannot be withdrawn this early, milliseconds [DOC].
    static let terminateAfter: Int64 = 15_000
    /// A download address lives so long, milliseconds [DOC].
    static let downloadLife: Int64 = 900_000
    /// Receivers of one work notification [DOC].
    static let notificationUsers = 100
    /// Departments of one work notification [DOC].
    static let notificationDepartments = 20
    /// Bytes of a work notification's message [DOC].
    static let notificationBytes = 2048
    /// Work notifications a person and day [DOC].
    static let notificationsPerDay = 500
    /// Receivers of all work notifications of a minute [DOC].
    static let notificationReceiversPerMinute = 5_000
    /// Messages a minute of a custom robot [DOC].
    static let robotPerMinute = 20
    /// A robot that was too fast is shut out so long, milliseconds [DOC].
    static let robotPenalty: Int64 = 600_000
    /// How far a robot's timestamp may be off, milliseconds [DOC].
    static let robotClock: Int64 = 3_600_000
    /// Bytes of an app robot's message [DOC].
    static let appMessageBytes = 15_000
    /// People of one app robot message [DOC].
    static let appMessageUsers = 20
    /// People of one DING in the app [DOC].
    static let dingUsers = 200
    /// People of one DING by telephone [DOC].
    static let dingCalls = 20
    /// A reply address of a robot message lives so long, milliseconds [DOC: about 90 minutes].
    static let sessionLife: Int64 = 5_400_000
}
