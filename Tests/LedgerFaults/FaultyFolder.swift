import CFaultVFS

/// A folder below which SQLite's files fail on purpose, for tests and for simulated time: the n-th operation fails, or
/// the power goes and what was not synced is lost.
///
/// Make it before the first ledger in the folder is opened. Nothing is really synced to the disk.
public final class FaultyFolder: Sendable {
    /// What becomes of the operation; counted are those it can happen to.
    public enum Fault: Sendable, CaseIterable {
        /// Any operation fails.
        case failure
        /// A write leaves its first half and fails.
        case shortWrite
        /// A write finds the disk full.
        case diskFull
        /// An operation that changes something, and all after it, fail; see `losePower`.
        case powerLoss
    }

    /// The folder, absolute and without links in it.
    public let path: String

    /// Begins to watch a folder: what its files hold now counts as synced.
    public init(_ path: String) {
        self.path = path
        precondition(fault_vfs_install() == 0, "SQLite takes no other file system")
        precondition(fault_vfs_watch(path), "\(path) is watched already, or too many folders are")
    }

    deinit { fault_vfs_forget(path) }

    /// The operation number `at` (from 1, counted from here) meets the fault, and every later one `forEver`.
    public func plan(_ fault: Fault, at: Int, forEver: Bool) {
        let kind =
            switch fault {
            case .failure: FAULT_IO
            case .shortWrite: FAULT_SHORT
            case .diskFull: FAULT_FULL
            case .powerLoss: FAULT_POWER
            }
        fault_vfs_plan(path, kind, Int64(at), forEver)
    }

    /// No faults from here; counts anew.
    public func mend() { fault_vfs_plan(path, FAULT_NONE, 0, false) }

    /// Operations since `plan` or `mend`.
    public var operations: Int { Int(fault_vfs_operations(path)) }

    /// Whether the planned operation was reached.
    public var wasHit: Bool { fault_vfs_was_hit(path) }

    /// After the power went and every ledger of the folder was closed: leaves what the disk would hold. Of the sectors
    /// written since their file's last sync each is kept or lost, by the seed; with seed 0 all are lost.
    public func losePower(seed: UInt64) { fault_vfs_lose_power(path, seed) }
}
