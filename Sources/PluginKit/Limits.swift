/// Figures this module keeps to, with their units and reasons.
enum Limits {
    /// Bytes. The contract refuses longer spans; below it a length always fits an `Int`.
    static let spanBytes: UInt64 = 1 << 31
    /// Bytes. What `datong.state/1` takes for one key.
    static let stateBytes = 64 * 1024
    /// Bytes. What `datong.checkpoint/1` takes for one record.
    static let checkpointBytes = 4 * 1024
    /// Bytes. What `datong.id/1` gives in one call.
    static let randomBytes = 1024
    /// Bytes. How far a cursor may grow.
    static let cursorBytes = 4096
    /// Bytes. How long a document's id may be.
    static let idBytes = 256
}
