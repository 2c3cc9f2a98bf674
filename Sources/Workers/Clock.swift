import Glibc

/// The system's wall clock, milliseconds since 1970.
@Sendable func systemNowMs() -> Int64 { milliseconds(of: CLOCK_REALTIME) }

/// A clock that nobody sets: for time-outs that must not jump.
func monotonicNowMs() -> Int64 { milliseconds(of: CLOCK_MONOTONIC) }

private func milliseconds(of clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
