import Glibc

/// Runs the same work on so many threads at once; how many of them threw.
public func onThreads(_ count: Int, _ work: @escaping @Sendable () throws -> Void) -> Int {
    final class Job: Sendable {
        let work: @Sendable () throws -> Void
        init(_ work: @escaping @Sendable () throws -> Void) { self.work = work }
    }
    var threads: [pthread_t] = []
    for _ in 0..<count {
        var thread = pthread_t()
        let job = Unmanaged.passRetained(Job(work)).toOpaque()
        pthread_create(
            &thread, nil,
            { pointer in
                guard let pointer else { return nil }
                let job = Unmanaged<Job>.fromOpaque(pointer).takeRetainedValue()
                do {
                    try job.work()
                    return nil
                } catch { return UnsafeMutableRawPointer(bitPattern: 1) }
            }, job)
        threads.append(thread)
    }
    var failures = 0
    for thread in threads {
        var result: UnsafeMutableRawPointer?
        pthread_join(thread, &result)
        if result != nil { failures += 1 }
    }
    return failures
}
