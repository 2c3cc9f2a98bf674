import Network
import Synchronization
import Values
import Workers

/// Access tokens and logged-in sessions, in memory only, shared by every worker and connection of one principal.
///
/// One log-in at a time: the first caller gets the lease, the others wait for what it publishes. A value is
/// invalidated by naming it, so sixteen refusals of one token cost one log-in. A refused log-in is remembered for
/// a while, so that a wrong secret never hammers a vendor into locking the account.
final class SessionStore: Sendable {
    /// Which session.
    struct Key: Sendable, Hashable {
        /// Connector id and base address: two companies never share a session by accident.
        var connector: String
        var endpoint: String
        var name: String
        var principal: String
        /// The versions of the secrets behind it: a rotated secret is another session.
        var credential: String
        /// Empty, or a name of its own for a probe that must prove the secrets anew.
        var scope: String
    }

    /// Which call, in which worker generation of which connection.
    struct CallKey: Sendable, Hashable {
        var connection: String
        var generation: UInt64
        var call: UInt64

        init(_ call: CallIdentity) {
            connection = call.connection
            generation = call.generation
            self.call = call.callID
        }
    }

    private enum State {
        case empty
        case loggingIn(lease: UInt64, by: CallKey)
        case ready(value: [UInt8], until: Int64)
        case refused(until: Int64)
    }

    private struct Waiter {
        var id: UInt64
        var call: CallKey
        var resume: @Sendable (ServiceReply) -> Void
    }

    private struct Session {
        var state = State.empty
        var waiters: [Waiter] = []
        var insiders: Set<CallKey> = []
        var maxInFlight: Int?
        let jar = CookieJar()
    }

    private struct Store {
        var sessions: [Key: Session] = [:]
        var leases: [UInt64: Key] = [:]
        /// What each running call has to do with sessions, to be given back when it ends; the last of a name is the one
        /// whose jar the call means.
        var calls: [CallKey: [Key]] = [:]
        var next: UInt64 = 1
    }

    private let store = Mutex(Store())
    private let now: @Sendable () -> Int64
    /// Told of every value, so that logs mask it.
    private let learned: @Sendable ([UInt8]) -> Void

    init(now: @escaping @Sendable () -> Int64, learned: @escaping @Sendable ([UInt8]) -> Void) {
        self.now = now
        self.learned = learned
    }

    /// The value, or the lease to log in; waits while another call logs in or the session is full.
    func acquire(_ key: Key, call: CallKey, maxInFlight: Int?) async -> ServiceReply {
        let ticket = store.withLock { store -> UInt64 in
            defer { store.next += 1 }
            return store.next
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let run = store.withLock { store -> [Ready] in
                    store.calls[call, default: []].removeAll { $0 == key }
                    store.calls[call]?.append(key)
                    store.sessions[key, default: Session()].maxInFlight = maxInFlight
                    store.sessions[key]?.waiters.append(
                        Waiter(id: ticket, call: call) { continuation.resume(returning: $0) })
                    return admit(key, &store)
                }
                Self.finish(run)
                // Cancelled before it was in the list: the handler below found nothing to take out.
                if Task.isCancelled { withdraw(ticket, key) }
            }
        } onCancel: {
            withdraw(ticket, key)
        }
    }

    private func withdraw(_ ticket: UInt64, _ key: Key) {
        let waiter = store.withLock { store -> Waiter? in
            guard let index = store.sessions[key]?.waiters.firstIndex(where: { $0.id == ticket }) else { return nil }
            return store.sessions[key]?.waiters.remove(at: index)
        }
        waiter?.resume(.refused(.cancelled, "the call ended while waiting for the session"))
    }

    private typealias Ready = (waiter: Waiter, reply: ServiceReply)

    private static func finish(_ ready: [Ready]) {
        for entry in ready { entry.waiter.resume(entry.reply) }
    }

    /// Lets in whoever may go in now, in the order they came.
    private func admit(_ key: Key, _ store: inout Store) -> [Ready] {
        guard var session = store.sessions[key] else { return [] }
        defer { store.sessions[key] = session }
        var ready: [Ready] = []
        var waiting: [Waiter] = []
        if case .ready(_, let until) = session.state, until <= now() { session.state = .empty }
        if case .refused(let until) = session.state, until <= now() { session.state = .empty }
        for waiter in session.waiters {
            let isInside = session.insiders.contains(waiter.call)
            if !isInside, let bound = session.maxInFlight, session.insiders.count >= bound {
                waiting.append(waiter)
                continue
            }
            switch session.state {
            case .ready(let value, _):
                session.insiders.insert(waiter.call)
                ready.append((waiter, .session(.value(value))))
            case .empty:
                let lease = store.next
                store.next += 1
                store.leases[lease] = key
                session.state = .loggingIn(lease: lease, by: waiter.call)
                session.insiders.insert(waiter.call)
                ready.append((waiter, .session(.lease(lease))))
            case .loggingIn: waiting.append(waiter)
            case .refused:
                ready.append((waiter, .refused(.authDenied, "the vendor refused the last log-in; not tried again yet")))
            }
        }
        session.waiters = waiting
        return ready
    }

    /// What the log-in gave. Renewed a tenth of its life early, at most ten minutes.
    func publish(lease: UInt64, call: CallKey, value: [UInt8], ttlMs: Int64) -> ServiceReply {
        learned(value)
        return end(lease, call) { session in
            let early = min(max(ttlMs / 10, 0), HostLimits.longestEarlyRenewalMs)
            session.state = .ready(value: value, until: self.now() + max(ttlMs - early, 0))
        }
    }

    /// The log-in failed.
    func abandon(lease: UInt64, call: CallKey, errorClass: ErrorClass) -> ServiceReply {
        end(lease, call) { session in
            session.state =
                errorClass == .authDenied ? .refused(until: self.now() + HostLimits.refusedLoginRestMs) : .empty
        }
    }

    private func end(_ lease: UInt64, _ call: CallKey, _ change: (inout Session) -> Void) -> ServiceReply {
        let (reply, ready) = store.withLock { store -> (ServiceReply, [Ready]) in
            guard let key = store.leases[lease], case .loggingIn(lease, call)? = store.sessions[key]?.state,
                var session = store.sessions[key]
            else { return (.refused(.denied, "no such log-in lease, or not yours"), []) }
            store.leases[lease] = nil
            change(&session)
            store.sessions[key] = session
            return (.done, admit(key, &store))
        }
        Self.finish(ready)
        return reply
    }

    /// The vendor refused this value. Nothing happens when the session has another one by now.
    func invalidate(_ key: Key, value: [UInt8]) -> ServiceReply {
        let ready = store.withLock { store -> [Ready] in
            guard case .ready(value, _)? = store.sessions[key]?.state else { return [] }
            store.sessions[key]?.state = .empty
            return admit(key, &store)
        }
        Self.finish(ready)
        return .done
    }

    /// A person changed the credentials or asks to try again: forget a refused log-in.
    func forgetRefusals(connector: String) {
        store.withLock { store in
            for (key, session) in store.sessions where key.connector == connector {
                if case .refused = session.state { store.sessions[key]?.state = .empty }
            }
        }
    }

    /// The jar of a session the call has acquired.
    func jar(named name: String, call: CallKey) -> CookieJar? {
        store.withLock { store in
            store.calls[call]?.last { $0.name == name }.flatMap { store.sessions[$0]?.jar }
        }
    }

    /// Gives back places and leases of a call that has ended.
    func callEnded(_ call: CallKey) {
        let ready = store.withLock { store -> [Ready] in
            guard let keys = store.calls.removeValue(forKey: call) else { return [] }
            var ready: [Ready] = []
            for key in keys {
                store.sessions[key]?.insiders.remove(call)
                if case .loggingIn(let lease, call)? = store.sessions[key]?.state {
                    store.leases[lease] = nil
                    store.sessions[key]?.state = .empty
                }
                ready += admit(key, &store)
                if !key.scope.isEmpty && store.sessions[key]?.insiders.isEmpty == true
                    && store.sessions[key]?.waiters.isEmpty == true
                {
                    store.sessions[key] = nil
                }
            }
            return ready
        }
        Self.finish(ready)
    }
}
