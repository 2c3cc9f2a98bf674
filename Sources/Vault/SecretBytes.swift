import Glibc
import Values
import VaultMemory

/// A secret in memory of its own: locked, fenced by guard pages, left out of core dumps and of forked
/// children, wiped when the owner ends.
///
/// It cannot be copied by accident, printed, or turned into a `String`: the bytes are lent inside a closure.
/// Immutable once made, so it may be read from several threads.
public struct SecretBytes: ~Copyable, @unchecked Sendable {
    private let base: UnsafeMutableRawPointer
    private let locked: Int32
    /// Length in bytes.
    public let count: Int

    /// Reserves `count` zeroed bytes and lets `fill` write them. What `fill` throws is passed on, and the
    /// memory is wiped.
    public init<E: Error>(count: Int, fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void) throws(E) {
        precondition(count >= 0)
        var locked: Int32 = 0
        guard let base = datong_vault_memory_allocate(count, &locked) else {
            fatalError("no memory for a secret of \(count) bytes")
        }
        do {
            try fill(UnsafeMutableRawBufferPointer(start: base, count: count))
        } catch {
            datong_vault_memory_release(base, count, locked)
            throw error
        }
        self.base = base
        self.locked = locked
        self.count = count
    }

    /// A copy of bytes that live elsewhere. The caller wipes the original where that matters.
    public init(copying bytes: UnsafeRawBufferPointer) {
        self.init(count: bytes.count) { room in
            if !bytes.isEmpty { room.copyMemory(from: bytes) }
        }
    }

    /// A copy of an array, for values that are no secret yet (tests, a text the host composed).
    public init(copying bytes: [UInt8]) {
        self.init(count: bytes.count) { $0.copyBytes(from: bytes) }
    }

    /// Takes the bytes over and zeroes the array in place. The array must not have been copied before.
    public init(wiping bytes: inout [UInt8]) {
        self.init(copying: bytes)
        bytes.withUnsafeMutableBytes { datong_vault_memory_wipe($0.baseAddress, $0.count) }
        bytes = []
    }

    /// `count` bytes of the system's random generator.
    public static func random(count: Int) throws(Problem) -> SecretBytes {
        try SecretBytes(count: count) { room throws(Problem) in try Primitives.random(into: room) }
    }

    /// Reads a descriptor to its end: a prompt, a pipe or a file, without a detour through a `String`.
    ///
    /// More than `limit` bytes are refused with `E-SECRET-009`. With `trimmingNewline` one final LF or CRLF
    /// is dropped, because `echo` and editors add it.
    public static func read(
        descriptor: Int32, limit: Int = VaultLimits.secretBytes, trimmingNewline: Bool
    ) throws(Problem) -> SecretBytes {
        var length = 0
        let whole = try SecretBytes(count: limit + 1) { room throws(Problem) in
            while length < room.count {
                let got = Glibc.read(descriptor, room.baseAddress! + length, room.count - length)
                if got == 0 { return }
                if got < 0 {
                    if errno == EINTR { continue }
                    throw SecretProblems.unreadable(errno: errno)
                }
                length += got
            }
            throw SecretProblems.tooLong(limit: limit)
        }
        return whole.withBytes { bytes in
            var end = length
            if trimmingNewline, end > 0, bytes[end - 1] == 0x0a {
                end -= 1
                if end > 0, bytes[end - 1] == 0x0d { end -= 1 }
            }
            return SecretBytes(copying: UnsafeRawBufferPointer(rebasing: bytes[0..<end]))
        }
    }

    /// Lends the bytes. They must not be kept, copied into other memory or returned.
    public borrowing func withBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// A second secret with the same bytes, for a second owner.
    public borrowing func copy() -> SecretBytes {
        withBytes { SecretBytes(copying: $0) }
    }

    /// Equal in content. The time depends on the lengths only.
    public static func == (left: borrowing SecretBytes, right: borrowing SecretBytes) -> Bool {
        left.count == right.count && datong_vault_memory_equal(left.base, right.base, left.count) == 1
    }

    /// How many secrets live in pages the system refused to lock into RAM (`ulimit -l`). Not 0: warn.
    public static var unlockedRegions: UInt64 { datong_vault_memory_unlocked_regions() }

    deinit { datong_vault_memory_release(base, count, locked) }
}

/// A secret with several owners: what a collection holds, since `SecretBytes` cannot be in one.
final class SharedSecret: Sendable {
    let bytes: SecretBytes
    init(_ bytes: consuming SecretBytes) { self.bytes = bytes }
}

/// Closes the process to core dumps, debuggers and `/proc/PID/mem` of the same user.
///
/// Called once, early, by every program that opens a vault.
public enum ProcessHardening {
    /// Applies it; `E-SECRET-010` when the system refuses.
    public static func apply() throws(Problem) {
        if datong_vault_memory_harden_process() != 0 { throw SecretProblems.notHardened(errno: errno) }
    }

    /// Whether the process is closed in that way, for `doctor`.
    public static var isApplied: Bool { datong_vault_memory_process_is_hardened() == 1 }
}
