import Glibc

/// Bridges the connector's blocking calls and the simulator's asynchronous ones.
public enum Handover {
    private final class Slot<Value: Sendable>: @unchecked Sendable {
        // Written before the semaphore is posted, read after it was waited for.
        var value: Value?
        let done: UnsafeMutablePointer<sem_t>

        init() {
            done = .allocate(capacity: 1)
            sem_init(done, 0, 0)
        }

        deinit {
            sem_destroy(done)
            done.deallocate()
        }
    }

    private final class Job: Sendable {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }

    /// Waits on this thread for what a task of its own gives.
    public static func wait<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
        let slot = Slot<Value>()
        Task.detached {
            slot.value = await body()
            sem_post(slot.done)
        }
        sem_wait(slot.done)
        guard let value = slot.value else { fatalError("the task ended without its value") }
        return value
    }

    /// Runs what blocks on a thread of its own.
    public static func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            let job = Unmanaged.passRetained(Job { continuation.resume(with: Result { try body() }) }).toOpaque()
            var thread = pthread_t()
            pthread_create(
                &thread, nil,
                { pointer in
                    guard let pointer else { return nil }
                    Unmanaged<Job>.fromOpaque(pointer).takeRetainedValue().work()
                    return nil
                }, job)
            pthread_detach(thread)
        }
    }
}
