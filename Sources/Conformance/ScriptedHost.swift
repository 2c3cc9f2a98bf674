import Network
import Synchronization
import Values
import Vault
import Workers

/// The host as the kit plays it: it answers every service, writes down what it was asked, and gives each HTTP request
/// the answer the running check wants.
final class ScriptedHost: WorkerServices {
    /// What it has seen since `begin`.
    struct Seen: Sendable {
        var requests: [(ServiceRequest, CallIdentity)] = []
        var notes: [PluginNote] = []
        var http: [ServiceRequest.HTTP] { requests.compactMap { if case .http(let http) = $0.0 { http } else { nil } } }
        var logIns = 0
        var texts: [[UInt8]] = []
    }

    private struct State {
        var seen = Seen()
        var plan: @Sendable (ServiceRequest.HTTP, Int) -> Answer = { _, _ in .vendor }
        var served = 0
        var sessions: [String: [UInt8]] = [:]
        var leases: [UInt64: String] = [:]
        var nextLease: UInt64 = 1
        var values: [[UInt8]: [UInt8]] = [:]
        var jars: [String: CookieJar] = [:]
        var nextRequestMs: Int64 = 0
        var gathering: (want: Int, waiting: [CheckedContinuation<Void, Never>])?
    }
    private let state = Mutex(State())
    private let subject: Subject
    private let vendor: (client: HTTPClient, egress: EgressPolicy)?
    private let now: @Sendable () -> Int64

    init(_ subject: Subject, now: @escaping @Sendable () -> Int64) throws(Problem) {
        self.subject = subject
        self.now = now
        guard subject.isLive else {
            vendor = nil
            return
        }
        vendor = (try HTTPClient(), try EgressPolicy(allow: [subject.endpointOrigin] + subject.allow))
    }

    /// A check begins: forget what was seen, and answer by `plan`, which is told how many requests came before.
    func begin(
        keepSessions: Bool = false,
        _ plan: @escaping @Sendable (ServiceRequest.HTTP, Int) -> Answer = { _, _ in .vendor }
    ) {
        state.withLock { state in
            state.seen = Seen()
            state.served = 0
            state.plan = plan
            // A real vendor is not asked to log in for every check: it counts.
            if !keepSessions, !subject.isLive {
                (state.sessions, state.leases, state.jars, state.values) = ([:], [:], [:], [:])
            }
        }
    }

    /// Answer by another plan from here on, and forget nothing.
    func plan(_ plan: @escaping @Sendable (ServiceRequest.HTTP, Int) -> Answer) { state.withLock { $0.plan = plan } }
    /// Note a result's text.
    func keep(_ text: [UInt8]) { state.withLock { $0.seen.texts.append(text) } }
    /// Whether calls are still held back.
    var isGathering: Bool { state.withLock { $0.gathering != nil } }
    var seen: Seen { state.withLock { $0.seen } }

    /// Hold requests back until so many wait at once.
    func gather(_ count: Int) { state.withLock { $0.gathering = (count, []) } }
    /// Let those go that wait, and hold back no more; how many waited.
    @discardableResult
    func scatter() -> Int {
        let waiting = state.withLock { state in
            defer { state.gathering = nil }
            return state.gathering?.waiting ?? []
        }
        for one in waiting { one.resume() }
        return waiting.count
    }

    // MARK: WorkerServices

    func note(_ note: PluginNote, for call: CallIdentity) { state.withLock { $0.seen.notes.append(note) } }
    func callEnded(_ call: CallIdentity) async {}

    func serve(_ request: ServiceRequest, for call: CallIdentity) async -> ServiceReply {
        state.withLock { $0.seen.requests.append((request, call)) }
        switch request {
        case .http(let http): return await exchange(http, call)
        case .crypto(let crypto): return self.crypto(crypto)
        case .secretExists(let name): return .number(subject.secrets[name] == nil ? 0 : 1)
        case .secretReveal(let expression):
            // Given, so that it shows what becomes of it.
            do throws(Problem) {
                return .bytes(try SecretExpression(expression).evaluate(read).withBytes { Array($0) })
            } catch { return .refused(.denied, error.what.en) }
        case .secretReplace, .checkpoint: return .done
        case .sessionAcquire(let session): return acquire(session)
        case .sessionPublish(let lease, let value, _):
            return state.withLock { state in
                guard let key = state.leases.removeValue(forKey: lease) else {
                    return .refused(.denied, "no such lease")
                }
                state.sessions[key] = value
                return .done
            }
        case .sessionAbandon(let lease, _):
            state.withLock { _ = $0.leases.removeValue(forKey: lease) }
            return .done
        case .sessionInvalidate(let session, let value):
            state.withLock { if $0.sessions[Self.key(session)] == value { $0.sessions[Self.key(session)] = nil } }
            return .done
        case .stateGet(let key): return .bytes(state.withLock { $0.values[key] ?? [] })
        case .statePut(let key, let value):
            state.withLock { $0.values[key] = value }
            return .done
        case .now: return .number(now())
        case .random(let count): return .bytes([UInt8](repeating: 0x5a, count: min(max(count, 0), 1024)))
        case .sql, .blobLength, .blobRead, .blobCreate: return .refused(.denied, "the kit does not offer the service")
        }
    }

    private static func key(_ session: ServiceRequest.Session) -> String { session.name + "\n" + session.principal }

    private func acquire(_ session: ServiceRequest.Session) -> ServiceReply {
        state.withLock { state in
            if state.jars[session.name] == nil { state.jars[session.name] = CookieJar() }
            if let value = state.sessions[Self.key(session)] { return .session(.value(value)) }
            state.seen.logIns += 1
            state.nextLease += 1
            state.leases[state.nextLease] = Self.key(session)
            return .session(.lease(state.nextLease))
        }
    }

    private func read(_ name: String) throws(Problem) -> SecretBytes {
        guard let value = subject.secrets[name] else { throw .noSuchSecret(name) }
        return SecretBytes(copying: Array(value.utf8))
    }

    private func crypto(_ request: ServiceRequest.Crypto) -> ServiceReply {
        func segment(_ segment: ServiceRequest.Segment) -> CryptoRequest.Segment {
            switch segment {
            case .literal(let bytes): .literal(bytes)
            case .secret(let expression): .secret(expression)
            }
        }
        guard let operation = CryptoRequest.Operation(rawValue: request.operation.rawValue) else {
            return .refused(.denied, "no such operation")
        }
        do throws(Problem) {
            let result = try VendorCrypto.run(
                CryptoRequest(
                    operation, request.algorithm, key: segment(request.key), iv: request.iv,
                    input: request.input.map(segment), signature: request.signature, additional: request.additional,
                    sortSegments: request.sortSegments, noPadding: request.noPadding), resolve: read)
            return request.operation == .verify ? .done : .bytes(result)
        } catch { return .refused(.denied, error.what.en) }
    }

    // MARK: http

    private func exchange(_ request: ServiceRequest.HTTP, _ call: CallIdentity) async -> ServiceReply {
        let answer = state.withLock { state in
            defer { state.served += 1 }
            return state.plan(request, state.served)
        }
        await wait()
        switch answer {
        case .notSent: return Answer.refused(answer, request.effect)!
        case .lost:
            if vendor != nil { _ = await forward(request, call) }
            return Answer.refused(answer, request.effect)!
        case .reply(let status, let headers, let body):
            return .http(
                .init(
                    status: status,
                    headers: headers.sorted { $0.key < $1.key }.map {
                        .init(name: $0.key, value: Array($0.value.utf8))
                    }, body: Array(body.utf8)))
        case .silence:
            while !Task.isCancelled { try? await Task.sleep(for: .milliseconds(ConformanceLimits.callMs)) }
            return .refused(.cancelled, "the call has ended")
        case .vendor:
            if vendor != nil { return await forward(request, call) }
            return .http(
                .init(
                    status: 200, headers: [.init(name: "content-type", value: Array("application/json".utf8))],
                    body: Array("{}".utf8)))
        }
    }

    /// Where calls are gathered, until all are there.
    private func wait() async {
        await withCheckedContinuation { continuation in
            let ready: [CheckedContinuation<Void, Never>] = state.withLock { state in
                guard var gathering = state.gathering else { return [continuation] }
                gathering.waiting.append(continuation)
                if gathering.waiting.count < gathering.want {
                    state.gathering = gathering
                    return []
                }
                state.gathering = nil
                return gathering.waiting
            }
            for one in ready { one.resume() }
        }
    }

    /// To the vendor of the settings file, secrets filled in on the way.
    private func forward(_ request: ServiceRequest.HTTP, _ call: CallIdentity) async -> ServiceReply {
        guard let vendor, case .bytes(let body) = request.body else { return .refused(.denied, "no blobs") }
        let pause = state.withLock { state in
            let at = max(now(), state.nextRequestMs)
            state.nextRequestMs = at + subject.paceMs
            return at - now()
        }
        if pause > 0 { try? await Task.sleep(for: .milliseconds(pause)) }
        let jar = request.session.isEmpty ? nil : state.withLock { $0.jars[request.session] }
        let outgoing = HTTPRequest(
            request.method, String(decoding: request.url, as: UTF8.self),
            headers: request.headers.map { HTTPHeader($0.name, bytes: $0.value) }, body: body,
            insertions: request.insertions.map { insertion in
                let part: Insertion.Part =
                    switch insertion.part {
                    case .url: .url
                    case .header(let index): .header(index)
                    case .body: .body
                    }
                return Insertion(part, at: insertion.offset, secret: insertion.secret)
            }, timeoutMilliseconds: Int(max(call.context.deadlineMs - now(), 1)), http11: true,
            repeatable: request.effect != .write, cookies: jar)
        let secrets: SecretSource = { [self] (expression, lend) throws(Problem) in
            try SecretExpression(expression).evaluate(read).withBytes(lend)
        }
        switch await vendor.client.send(outgoing, through: vendor.egress, secrets: secrets) {
        case .success(let response):
            return .http(
                .init(
                    status: Int32(response.status),
                    headers: response.headers.indices.map {
                        .init(name: response.headers[$0].name, value: Array(response.headers.valueBytes($0)))
                    }, body: response.body))
        case .failure(let failure):
            let written = failure.mayHaveArrived && request.effect == .write
            let unsent: ErrorClass = failure.kind == .denied ? .denied : .unreachable
            return .refused(
                written ? .unknownOutcome : failure.mayHaveArrived ? .transient : unsent, failure.problem.what.en,
                mayHaveArrived: failure.mayHaveArrived)
        }
    }
}

extension Subject {
    /// Milliseconds between two requests to a real vendor, so that its own rate is kept.
    var paceMs: Int64 {
        if let ownPaceMs { return ownPaceMs }
        return (line["limits"]?.array ?? []).compactMap { limit -> Int64? in
            guard let window = limit["window_ms"]?.int, window <= ConformanceLimits.paceWindowMs,
                limit["meter"]?.string == "", let most = limit["default"]?.int ?? limit["max"]?.int, most > 0
            else { return nil }
            return window / most + 1
        }.max() ?? 0
    }

    /// The endpoint without its path: what the allow-list takes.
    var endpointOrigin: String {
        guard let mark = endpoint.firstRange(of: "://") else { return endpoint }
        return String(endpoint[..<mark.upperBound] + endpoint[mark.upperBound...].prefix { $0 != "/" })
    }
}

extension Problem {
    static func noSuchSecret(_ name: String) -> Problem {
        Problem(
            "E-KIT-003", zh: "连接器用了没有声明的密钥:\(name)", en: "The connector uses a secret it does not declare: \(name)",
            nextZH: "在自述的 secrets 中列出它。", nextEN: "List it among the description's secrets.")
    }
}
