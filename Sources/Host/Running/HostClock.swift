import Engine
import Glibc

/// The host's two clocks. A machine's clock is set now and then, by hours on a machine that starts without one; what waits
/// must not jump with it, or a target's commit horizon would seem to have passed.
struct HostClock: Sendable {
    /// Milliseconds since 1970 as the machine has it: for what people read and what vendors check.
    let wall: @Sendable () -> Milliseconds
    /// Milliseconds that pass as time passes, while the machine sleeps too. They begin where the wall clock stood when the
    /// process started: for waits, horizons and limits.
    let steady: @Sendable () -> Milliseconds

    /// The machine's.
    static let system: HostClock = {
        let begin = (wall: read(CLOCK_REALTIME), steady: read(CLOCK_BOOTTIME))
        return HostClock(
            wall: { read(CLOCK_REALTIME) }, steady: { begin.wall + read(CLOCK_BOOTTIME) - begin.steady })
    }()

    private static func read(_ clock: clockid_t) -> Milliseconds {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
