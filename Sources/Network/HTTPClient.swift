import CCurl
import Glibc
import Synchronization
import Values

/// Sends HTTP requests: libcurl's multi interface on one thread of its own.
///
/// One client serves every connection of the host; what may be reached is the policy given with each request.
/// Connections are kept and shared between requests of the same trust (libcurl compares CA, pins and proxy).
/// Nothing is retried and no redirect is followed.
public final class HTTPClient: Sendable {
    private let loop: Loop

    /// Starts the thread.
    ///
    /// - Parameter connectionsPerHost: connections open to one host at once; a request above that waits for a free
    ///   one within its time.
    ///
    /// Throws E-NET-037 when the system lacks resources, E-NET-038 when the environment would leak TLS keys.
    public init(connectionsPerHost: Int? = nil) throws(Problem) {
        guard getenv("SSLKEYLOGFILE") == nil else { throw Problems.keyLog() }
        guard curlIsReady else { throw Problems.cannotStart("curl_global_init") }
        guard let loop = Loop(connectionsPerHost: connectionsPerHost ?? Limits.connectionsPerHost) else {
            throw Problems.cannotStart("curl_multi_init")
        }
        guard loop.start() else { throw Problems.cannotStart("pthread_create") }
        self.loop = loop
    }

    deinit { _ = loop.post(.stop(nil)) }

    /// Makes one exchange. Any status is an answer. Cancelling the task aborts it.
    ///
    /// - Parameters:
    ///   - request: the exchange.
    ///   - policy: what may be reached; its object identity lets handles be reused, so keep one per connection.
    ///   - secrets: gives the values of insertions and of the proxy's credentials, on the calling task.
    public func send(
        _ request: HTTPRequest, through policy: EgressPolicy, secrets: SecretSource = noSecrets
    ) async -> Result<HTTPResponse, HTTPFailure> {
        let address: Address
        let transfer: Transfer
        do throws(Problem) {
            address = try policy.permit(Address(request.url))
            let wire = try Wire(request, address: address, proxy: policy.proxy, secrets: secrets)
            transfer = Transfer(request, wire: wire, policy: policy, origin: address.origin)
        } catch {
            return .failure(HTTPFailure(.denied, error))
        }
        let loop = loop
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                transfer.continuation = continuation
                if !loop.post(.start(transfer)) {
                    transfer.fail(.cancelled, mayHaveArrived: false, Problems.stopped())
                }
            }
        } onCancel: {
            _ = loop.post(.cancel(transfer))
        }
        if let jar = request.cookies, case .success(let response) = answer {
            for index in response.headers.indices
            where response.headers.nameBytes(index).elementsEqual("set-cookie".utf8) {
                jar.store(response.headers.valueBytes(index), from: address)
            }
        }
        return answer
    }

    /// Ends the thread. Exchanges under way end as `cancelled`; returns when the last one has.
    public func shutDown() async {
        await withCheckedContinuation { continuation in
            if !loop.post(.stop(continuation)) { continuation.resume() }
        }
    }
}

/// The secret source of requests without insertions: refuses every expression with E-NET-014.
public let noSecrets: SecretSource = { (expression, _) throws(Problem) in throw Problems.noSecrets(expression) }

private func monotonicMilliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
}

/// Once per process; wipes what libcurl frees.
private let curlIsReady = datong_curl_global_init() == CURLE_OK

/// The thread and what belongs to it. Only `inbox` is touched from elsewhere.
private final class Loop: @unchecked Sendable {
    enum Message {
        case start(Transfer)
        case cancel(Transfer)
        case stop(CheckedContinuation<Void, Never>?)
    }

    private struct Inbox {
        var messages: [Message] = []
        var isOpen = true
    }

    private let multi: UnsafeMutableRawPointer
    private let inbox = Mutex(Inbox())
    private var taken: [Message] = []
    private var running: [Slot] = []
    private var idle: [Slot] = []
    private let connectionsPerHost: Int

    init?(connectionsPerHost: Int) {
        guard let multi = curl_multi_init() else { return nil }
        self.multi = multi
        self.connectionsPerHost = connectionsPerHost
        datong_curl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, connectionsPerHost)
        datong_curl_multi_set_long(
            multi, CURLMOPT_MAXCONNECTS, max(Limits.cachedConnections, connectionsPerHost))
    }

    /// Runs until stopped; the thread keeps the loop alive.
    func start() -> Bool {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let result = pthread_create(
            &thread, &attributes,
            { raw in
                if let raw { Unmanaged<Loop>.fromOpaque(raw).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        if result != 0 {
            context.release()
            curl_multi_cleanup(multi)
        }
        return result == 0
    }

    /// False once the loop has stopped: the message was not taken.
    func post(_ message: Message) -> Bool {
        inbox.withLock { inbox in
            guard inbox.isOpen else { return false }
            inbox.messages.append(message)
            // Under the lock, so that the handle is still alive.
            if inbox.messages.count == 1 { curl_multi_wakeup(multi) }
            return true
        }
    }

    private func run() {
        datong_name_this_thread("datong-net")
        // Signals are for other threads; above all SIGPIPE, which TLS over a closed socket raises.
        var signals = sigset_t()
        sigfillset(&signals)
        for signal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT] { sigdelset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)

        var stops: [CheckedContinuation<Void, Never>] = []
        var isStopping = false
        while !isStopping {
            inbox.withLock { inbox in swap(&inbox.messages, &taken) }
            for message in taken {
                switch message {
                case .start(let transfer): begin(transfer)
                case .cancel(let transfer): cancel(transfer, Problems.cancelled())
                case .stop(let waiting):
                    isStopping = true
                    if let waiting { stops.append(waiting) }
                }
            }
            taken.removeAll(keepingCapacity: true)
            if isStopping { break }
            var left: Int32 = 0
            curl_multi_perform(multi, &left)
            collect()
            curl_multi_poll(multi, nil, 0, expireWaiting(), nil)
        }
        stop(&stops)
    }

    /// libcurl runs no timer for a transfer that waits for a free connection; this does. Returns the milliseconds
    /// until it must look again.
    private func expireWaiting() -> Int32 {
        // Nobody waits while there are no more transfers than connections to one host.
        guard running.count > connectionsPerHost else { return Limits.pollMilliseconds }
        let now = monotonicMilliseconds()
        var next = Int64(Limits.pollMilliseconds)
        for slot in running.reversed() {
            guard let transfer = slot.transfer, case .waiting = transfer.stage else { continue }
            if transfer.deadline <= now {
                retire(slot)
                transfer.fail(.timedOut, mayHaveArrived: false, Problems.noFreeConnection("\(transfer.origin)"))
            } else {
                next = min(next, transfer.deadline - now)
            }
        }
        return Int32(next)
    }

    private func stop(_ stops: inout [CheckedContinuation<Void, Never>]) {
        let rest = inbox.withLock { inbox in
            inbox.isOpen = false
            return inbox.messages
        }
        for message in rest {
            switch message {
            case .start(let transfer): transfer.fail(.cancelled, mayHaveArrived: false, Problems.stopped())
            case .cancel: break
            case .stop(let waiting): if let waiting { stops.append(waiting) }
            }
        }
        while let slot = running.last, let transfer = slot.transfer { cancel(transfer, Problems.stopped()) }
        idle.removeAll()
        curl_multi_cleanup(multi)
        for waiting in stops { waiting.resume() }
    }

    private func begin(_ transfer: Transfer) {
        guard !transfer.isCancelled else {
            transfer.fail(.cancelled, mayHaveArrived: false, Problems.cancelled())
            return
        }
        guard let slot = takeSlot(transfer.policy) else {
            transfer.fail(
                .unreachable, mayHaveArrived: false, Problems.noConnection("\(transfer.origin)", "curl_easy_init"))
            return
        }
        slot.transfer = transfer
        transfer.slot = slot
        transfer.deadline = monotonicMilliseconds() + Int64(transfer.timeoutMilliseconds)
        guard slot.prepare(transfer) == CURLE_OK, curl_multi_add_handle(multi, slot.easy) == CURLM_OK else {
            slot.transfer = nil
            transfer.slot = nil
            transfer.fail(
                .denied, mayHaveArrived: false, Problems.malformedRequest("libcurl 不接受", "libcurl does not take it"))
            return
        }
        slot.position = running.count
        running.append(slot)
    }

    /// An idle handle already set up for the policy, or a new one.
    private func takeSlot(_ policy: EgressPolicy) -> Slot? {
        if let index = idle.lastIndex(where: { $0.policy === policy }) {
            idle.swapAt(index, idle.count - 1)
            return idle.removeLast()
        }
        return Slot(policy)
    }

    private func cancel(_ transfer: Transfer, _ problem: Problem) {
        guard let slot = transfer.slot else {
            // Finished already, or its start is still to come.
            transfer.isCancelled = true
            return
        }
        let mayHaveArrived = slot.requestMayHaveArrived
        retire(slot)
        transfer.fail(.cancelled, mayHaveArrived: mayHaveArrived, problem)
    }

    /// Takes the handle out of the multi and keeps it for the next request where it is worth it.
    private func retire(_ slot: Slot) {
        curl_multi_remove_handle(multi, slot.easy)
        running.swapAt(slot.position, running.count - 1)
        running[slot.position].position = slot.position
        running.removeLast()
        let keepsSecret = slot.transfer?.wire.urlHoldsSecret ?? false
        slot.transfer?.slot = nil
        slot.transfer = nil
        if !keepsSecret, idle.count < Limits.idleHandles { idle.append(slot) }
    }

    private func collect() {
        var code = CURLE_OK
        while let easy = datong_curl_next_finished(multi, &code) {
            var context: UnsafeMutableRawPointer?
            datong_curl_get_pointer(easy, CURLINFO_PRIVATE, &context)
            guard let context else { continue }
            let slot = Unmanaged<Slot>.fromOpaque(context).takeUnretainedValue()
            guard let transfer = slot.transfer else { continue }
            let answer = Verdict.answer(code, slot, transfer)
            retire(slot)
            transfer.finish(answer)
        }
    }
}
