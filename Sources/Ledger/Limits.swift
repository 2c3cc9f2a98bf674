/// Bounds of the ledger.
public enum LedgerLimits {
    /// Seconds a statement waits for the file: only readers and a checkpoint compete with the one writer.
    public static let busyTimeoutSeconds = 10.0
    /// Reads at once, of status, lists and fetches; each is a file handle and a page cache.
    public static let readers = 4
    /// Documents pruned in one transaction: the writer must not wait longer than a few ordinary commits take.
    public static let prunedAtOnce = 200
}
