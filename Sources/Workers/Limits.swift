/// The figures of this room, each with its reason.
public enum Limits {
    /// Calls of one ability at once. Vendors bear a handful; beyond this a declaration is a mistake.
    public static let maxConcurrencyPerAbility = 64
    /// Bytes of stderr kept per worker: a crash message and its surroundings, not a log.
    public static let stderrTailBytes = 4096
    /// Milliseconds from the start of the process to its HELLO. Loading takes milliseconds; a cold disk seconds.
    public static let helloMs: Int64 = 15_000
    /// Milliseconds for `open`, which talks to nobody.
    public static let openMs: Int64 = 10_000
    /// Milliseconds a call may take to come back after its deadline or its cancellation, before the worker is
    /// killed. Long enough for a plugin that looks between two records, short against any deadline.
    public static let graceMs: Int64 = 2_000
    /// Milliseconds of its own that a plugin may have used when the deadline strikes without being blamed for it: it
    /// builds a request and reads an answer in a few. A plugin that was busy with itself for longer is what took too long.
    static let ownTimeMs: Int64 = 1_000
    /// Milliseconds from the end of the socket to the end of the process: exit handlers, then a kill.
    public static let lingerMs: Int64 = 1_000
    /// Milliseconds between two looks at the deadlines. Deadlines are seconds.
    public static let tickMs: Int32 = 50
    /// No call lasts longer, whatever deadline it was given: one day.
    static let longestCallMs: Int64 = 86_400_000
    /// No wait or lifetime that a plugin names is longer: four years. A figure beyond it is a vendor's "never", and
    /// added to a clock it must not overflow.
    public static let longestSpanMs: Int64 = 126_230_400_000
    /// Bytes read with one system call: some hundred small frames.
    static let readBytes = 256 * 1024
    /// Frame buffers above this are given back when they are empty.
    static let keptBufferBytes = 1024 * 1024
    /// Unplanned ends of a worker within `restartWindowMs` after which the connection is paused. One crash is an
    /// accident; five in a minute are a connector that cannot work.
    public static let restartBudget = 5
    /// The window of the restart budget, in milliseconds.
    public static let restartWindowMs: Int64 = 60_000
    /// Milliseconds without a call after which a worker is stopped. A start costs milliseconds.
    public static let idleMs: Int64 = 300_000
    /// Milliseconds a stopped worker may take to finish its calls and leave.
    public static let stopMs: Int64 = 10_000
}
