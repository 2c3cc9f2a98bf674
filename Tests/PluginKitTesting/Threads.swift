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

/// A lock with a condition.
public final class Monitor: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    /// A free lock.
    public init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Takes the lock.
    public func lock() { pthread_mutex_lock(mutex) }
    /// Gives it back.
    public func unlock() { pthread_mutex_unlock(mutex) }
    /// Gives the lock back until somebody broadcasts.
    public func wait() { pthread_cond_wait(condition, mutex) }
    /// Wakes all who wait.
    public func broadcast() { pthread_cond_broadcast(condition) }

    /// Does something under the lock.
    public func locked<Result>(_ body: () -> Result) -> Result {
        lock()
        defer { unlock() }
        return body()
    }
}
