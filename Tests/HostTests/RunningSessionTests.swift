import Synchronization
import Testing
import Values
import Workers

@testable import Host

@Suite("Sessions: one log-in at a time, whoever asks")
struct RunningSessionTests {
    private let clock = FakeClock()

    private func store() -> SessionStore {
        let clock = clock
        return SessionStore(now: { clock.now }) { _ in }
    }

    private func key(_ principal: String = "app", scope: String = "", credential: String = "1") -> SessionStore.Key {
        SessionStore.Key(
            connector: "books", endpoint: "https://books.example.com/", name: "token", principal: principal,
            credential: credential, scope: scope)
    }

    private func call(_ number: UInt64, generation: UInt64 = 1) -> SessionStore.CallKey {
        SessionStore.CallKey(
            CallIdentity(
                connection: "books", generation: generation, callID: number, kind: .write, keys: [],
                context: CallContext(deadlineMs: .max, traceID: "t")))
    }

    private func lease(_ reply: ServiceReply) throws -> UInt64 {
        guard case .session(.lease(let lease)) = reply else { throw Unexpected(reply: reply) }
        return lease
    }

    private struct Unexpected: Error { var reply: ServiceReply }

    /// Starts an acquire and returns when the store knows of it.
    private func waiting(
        _ store: SessionStore, _ key: SessionStore.Key, _ call: SessionStore.CallKey, max: Int? = nil
    ) async -> Task<ServiceReply, Never> {
        let task = Task { await store.acquire(key, call: call, maxInFlight: max) }
        while store.jar(named: key.name, call: call) == nil { try? await Task.sleep(for: .milliseconds(1)) }
        return task
    }

    /// The reply, or `cancelled` when none comes: a lost place fails the test instead of hanging it.
    private func soon(_ task: Task<ServiceReply, Never>) async -> ServiceReply {
        let guardian = Task {
            try? await Task.sleep(for: .seconds(120))
            if !Task.isCancelled { task.cancel() }
        }
        defer { guardian.cancel() }
        return await task.value
    }

    private func acquire(
        _ store: SessionStore, _ key: SessionStore.Key, _ call: SessionStore.CallKey, max: Int? = nil
    ) async -> ServiceReply {
        await soon(Task { await store.acquire(key, call: call, maxInFlight: max) })
    }

    // MARK: failures

    @Test("a refused log-in is told to all who wait and to all who come, without a log-in, until the rest is over")
    func refusedLogin() async throws {
        let store = store()
        let lease = try lease(await acquire(store, key(), call(1)))
        let others = [await waiting(store, key(), call(2)), await waiting(store, key(), call(3))]
        #expect(store.abandon(lease: lease, call: call(1), errorClass: .authDenied) == .done)
        for other in others { #expect(Self.refusal(await soon(other)) == .authDenied) }
        clock.advance(HostLimits.refusedLoginRestMs - 1)
        #expect(Self.refusal(await acquire(store, key(), call(4))) == .authDenied)
        // Another secret is another session: it is not refused.
        _ = try self.lease(await acquire(store, key(credential: "2"), call(5)))
        clock.advance(1)
        _ = try self.lease(await acquire(store, key(), call(6)))
    }

    @Test("a person's check forgets a refusal of that connector only")
    func forgetRefusals() async throws {
        let store = store()
        let lease = try lease(await acquire(store, key(), call(1)))
        _ = store.abandon(lease: lease, call: call(1), errorClass: .authDenied)
        store.forgetRefusals(connector: "office")
        #expect(Self.refusal(await acquire(store, key(), call(2))) == .authDenied)
        store.forgetRefusals(connector: "books")
        _ = try self.lease(await acquire(store, key(), call(3)))
    }

    @Test("a log-in that failed otherwise goes to the next who waits")
    func failedLogin() async throws {
        let store = store()
        let first = try lease(await acquire(store, key(), call(1)))
        let next = await waiting(store, key(), call(2))
        #expect(store.abandon(lease: first, call: call(1), errorClass: .unreachable) == .done)
        let second = try lease(await soon(next))
        #expect(second != first)
    }

    @Test("the caller dies with the lease: the next one logs in, and the dead one's lease is worth nothing")
    func callerDies() async throws {
        let store = store()
        let first = try lease(await acquire(store, key(), call(1)))
        let next = await waiting(store, key(), call(2))
        store.callEnded(call(1))
        let second = try lease(await soon(next))
        #expect(Self.refusal(store.publish(lease: first, call: call(1), value: [1], ttlMs: 1_000)) == .denied)
        #expect(Self.refusal(store.abandon(lease: first, call: call(1), errorClass: .authDenied)) == .denied)
        #expect(store.publish(lease: second, call: call(2), value: [2], ttlMs: 60_000) == .done)
        #expect(await acquire(store, key(), call(3)) == .session(.value([2])))
    }

    @Test("a lease belongs to the call that got it, and is used once")
    func foreignLease() async throws {
        let store = store()
        let lease = try lease(await acquire(store, key(), call(1)))
        #expect(Self.refusal(store.publish(lease: lease, call: call(2), value: [9], ttlMs: 1_000)) == .denied)
        #expect(
            Self.refusal(store.publish(lease: lease, call: call(1, generation: 2), value: [9], ttlMs: 1_000))
                == .denied)
        #expect(store.publish(lease: lease, call: call(1), value: [1], ttlMs: 60_000) == .done)
        #expect(Self.refusal(store.publish(lease: lease, call: call(1), value: [2], ttlMs: 60_000)) == .denied)
    }

    @Test("cancelled while waiting for the log-in: refused, and nobody else is held up")
    func cancelled() async throws {
        let store = store()
        let lease = try lease(await acquire(store, key(), call(1)))
        let impatient = await waiting(store, key(), call(2))
        let patient = await waiting(store, key(), call(3))
        impatient.cancel()
        #expect(Self.refusal(await soon(impatient)) == .cancelled)
        store.callEnded(call(2))
        #expect(store.publish(lease: lease, call: call(1), value: [7], ttlMs: 60_000) == .done)
        #expect(await soon(patient) == .session(.value([7])))
    }

    @Test("two principals in one call: both places come back when it ends")
    func twoPrincipals() async throws {
        let store = store()
        for principal in ["one", "two"] {
            let lease = try lease(await acquire(store, key(principal), call(1), max: 1))
            #expect(store.publish(lease: lease, call: call(1), value: [1], ttlMs: 60_000) == .done)
        }
        store.callEnded(call(1))
        for principal in ["one", "two"] {
            #expect(await acquire(store, key(principal), call(2), max: 1) == .session(.value([1])))
        }
    }

    // MARK: the way it should go

    @Test("sixteen at once: one lease, and all get its value")
    func sixteen() async throws {
        let store = store()
        let key = key()
        let leases = Held(0)
        let values = await withTaskGroup(of: ServiceReply.self, returning: [ServiceReply].self) { group in
            for number in 1...16 as ClosedRange<UInt64> {
                let call = call(number)
                group.addTask {
                    let reply = await store.acquire(key, call: call, maxInFlight: nil)
                    guard case .session(.lease(let lease)) = reply else { return reply }
                    leases.change { $0 += 1 }
                    for _ in 1...50 { await Task.yield() }
                    _ = store.publish(lease: lease, call: call, value: [42], ttlMs: 60_000)
                    return .session(.value([42]))
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(leases.value == 1)
        #expect(values == Array(repeating: .session(.value([42])), count: 16))
    }

    @Test("sixteen refusals of one value cost one log-in, and a value that is gone already costs none")
    func invalidated() async throws {
        let store = store()
        let first = try lease(await acquire(store, key(), call(1)))
        _ = store.publish(lease: first, call: call(1), value: [1], ttlMs: 60_000)
        for _ in 1...8 { #expect(store.invalidate(key(), value: [1]) == .done) }
        let second = try lease(await acquire(store, key(), call(2)))
        let other = await waiting(store, key(), call(3))
        for _ in 1...8 { #expect(store.invalidate(key(), value: [1]) == .done) }
        _ = store.publish(lease: second, call: call(2), value: [2], ttlMs: 60_000)
        #expect(await soon(other) == .session(.value([2])))
        _ = store.invalidate(key(), value: [1])
        #expect(await acquire(store, key(), call(4)) == .session(.value([2])))
    }

    @Test("a value is renewed before its end: a tenth of its life early, ten minutes at most")
    func renewed() async throws {
        let store = store()
        let first = try lease(await acquire(store, key(), call(1)))
        _ = store.publish(lease: first, call: call(1), value: [1], ttlMs: 7_200_000)
        clock.advance(7_200_000 - HostLimits.longestEarlyRenewalMs - 1)
        #expect(await acquire(store, key(), call(2)) == .session(.value([1])))
        clock.advance(1)
        let second = try lease(await acquire(store, key(), call(3)))
        _ = store.publish(lease: second, call: call(3), value: [2], ttlMs: 1_000)
        clock.advance(899)
        #expect(await acquire(store, key(), call(4)) == .session(.value([2])))
        clock.advance(1)
        _ = try lease(await acquire(store, key(), call(5)))
    }

    @Test("places of a session are given in the order they were asked for, and come back when the call ends")
    func places() async throws {
        let store = store()
        let lease = try lease(await acquire(store, key(), call(1), max: 1))
        _ = store.publish(lease: lease, call: call(1), value: [1], ttlMs: 60_000)
        let second = await waiting(store, key(), call(2), max: 1)
        let third = await waiting(store, key(), call(3), max: 1)
        let order = Held<[Int]>([])
        let watchers = [(2, second), (3, third)].map { number, task in
            Task {
                _ = await task.value
                order.change { $0.append(number) }
            }
        }
        // Who is inside may ask again.
        #expect(await acquire(store, key(), call(1), max: 1) == .session(.value([1])))
        #expect(order.value == [])
        store.callEnded(call(1))
        #expect(await soon(second) == .session(.value([1])))
        await watchers[0].value
        #expect(order.value == [2])
        store.callEnded(call(2))
        #expect(await soon(third) == .session(.value([1])))
        await watchers[1].value
        #expect(order.value == [2, 3])
    }

    @Test("a probe logs in for itself, whatever the working session holds, and leaves nothing behind")
    func probe() async throws {
        let store = store()
        let lease = try lease(await acquire(store, key(), call(1)))
        _ = store.publish(lease: lease, call: call(1), value: [1], ttlMs: 60_000)
        let probing = try self.lease(await acquire(store, key(scope: "probe 1 2"), call(2)))
        _ = store.publish(lease: probing, call: call(2), value: [2], ttlMs: 60_000)
        #expect(await acquire(store, key(), call(3)) == .session(.value([1])))
        store.callEnded(call(2))
        _ = try self.lease(await acquire(store, key(scope: "probe 1 2"), call(4)))
    }

    @Test("a cookie jar belongs to the session, and only calls that acquired it reach it")
    func jar() async throws {
        let store = store()
        #expect(store.jar(named: "token", call: call(1)) == nil)
        let lease = try lease(await acquire(store, key(), call(1)))
        _ = store.publish(lease: lease, call: call(1), value: [1], ttlMs: 60_000)
        _ = await acquire(store, key(), call(2))
        let (one, two) = (store.jar(named: "token", call: call(1)), store.jar(named: "token", call: call(2)))
        #expect(one != nil && one === two)
        #expect(store.jar(named: "other", call: call(1)) == nil)
        store.callEnded(call(1))
        #expect(store.jar(named: "token", call: call(1)) == nil)
    }

    @Test("every value is told to the log's mask before anybody has it")
    func masked() async throws {
        let told = Mutex<[[UInt8]]>([])
        let clock = clock
        let store = SessionStore(now: { clock.now }) { value in told.withLock { $0.append(value) } }
        let lease = try lease(await acquire(store, key(), call(1)))
        _ = store.publish(lease: lease, call: call(1), value: [5], ttlMs: 60_000)
        #expect(told.withLock { $0 } == [[5]])
    }

    private static func refusal(_ reply: ServiceReply) -> ErrorClass? {
        if case .refused(let cls, _, _) = reply { cls } else { nil }
    }
}
