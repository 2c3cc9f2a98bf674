/// The figures of this room, each with its reason.
public enum Limits {
    /// Calls of one ability at once. Vendors bear a handful; beyond this a declaration is a mistake.
    public static let maxConcurrencyPerAbility = 64
    /// Bytes of stderr kept per worker: a crash message and its surroundings, not a log.
    public static let stderrTailBytes = 4096
}
