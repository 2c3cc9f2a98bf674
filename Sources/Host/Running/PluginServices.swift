import Engine
import Ledger
import Logging
import Network
import Synchronization
import Values
import Vault
import Workers

/// What plugins ask of the host, answered: the one way to the network, the vault, the ledger and the clock.
final class PluginServices: WorkerServices {
    /// A connection as its plugin's requests see it.
    struct Site: Sendable {
        var connector: String
        var endpoint: String
        var egress: EgressPolicy
        /// The connection's own names for vault entries.
        var secrets: [String: String]
        var connectTimeoutMs: Int
        /// The product breaks on HTTP/2.
        var http11: Bool
    }

    private let http: HTTPClient
    private let vault: CurrentVault
    private let ledger: any Ledger
    private let sessions: SessionStore
    private let limits: LimitKeeper
    private let mask: SecretMask
    private let commit: @Sendable ([Change]) async -> Void
    /// Makes changes durable without being waited for.
    private let post: @Sendable ([Change]) -> Void
    /// Secret uses of this minute that the audit has already.
    private let audited = Mutex<(minute: Int64, uses: Set<String>)>((0, []))
    private let log: Logger
    private let now: @Sendable () -> Int64
    private let sites = Mutex<[String: Site]>([:])
    /// Items on their way, by idempotency key: where a checkpoint belongs.
    private let items = Mutex<[String: ItemID]>([:])

    init(
        http: HTTPClient, vault: CurrentVault, ledger: any Ledger, sessions: SessionStore, limits: LimitKeeper,
        mask: SecretMask,
        log: Logger, now: @escaping @Sendable () -> Int64, commit: @escaping @Sendable ([Change]) async -> Void,
        post: @escaping @Sendable ([Change]) -> Void
    ) {
        self.http = http
        self.vault = vault
        self.ledger = ledger
        self.sessions = sessions
        self.limits = limits
        self.mask = mask
        self.log = log
        self.now = now
        self.commit = commit
        self.post = post
    }

    func set(_ connection: String, _ site: Site?) { sites.withLock { $0[connection] = site } }

    func begin(_ item: ItemID, key: String) { items.withLock { $0[key] = item } }
    func end(key: String) { _ = items.withLock { $0.removeValue(forKey: key) } }

    func note(_ note: PluginNote, for call: CallIdentity) {
        if case .progress(let done, let total) = note {
            log.debug("\(done) of \(total)", metadata: ["trace": "\(call.context.traceID)"])
        }
        guard case .log(let level, let text) = note else { return }
        let line = mask.mask(text)
        let severity: Logger.Level =
            switch level {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        log.log(
            level: severity, "\(line)",
            metadata: ["connection": "\(call.connection)", "trace": "\(call.context.traceID)"])
    }

    func callEnded(_ call: CallIdentity) async { sessions.callEnded(SessionStore.CallKey(call)) }

    func serve(_ request: ServiceRequest, for call: CallIdentity) async -> ServiceReply {
        guard let site = sites.withLock({ $0[call.connection] }) else {
            return .refused(.denied, "the connection is not part of the running revision")
        }
        switch request {
        case .http(let request): return await send(request, call, site)
        case .crypto(let request): return crypto(request, call, site)
        case .secretExists(let name):
            return .number(site.secrets[name].map { vault.current.contains($0) } == true ? 1 : 0)
        case .secretReveal:
            return .refused(
                .denied, "revealing needs the capability `reveal`, which no bundle of this workspace grants")
        case .secretReplace(let name, let value):
            guard let entry = site.secrets[name] else {
                return .refused(.denied, "the connection names no such secret")
            }
            do {
                try await Blocking.run { [vault, mask] in
                    _ = try vault.current.put(name: entry, value: SecretBytes(copying: value))
                    try mask.add(SecretBytes(copying: value), name: entry)
                }
                await commit([
                    .audit(
                        actor: "host", action: "secret.replace",
                        detail: (["connection": .string(call.connection), "secret": .string(entry)] as JSON).text,
                        at: now())
                ])
                return .done
            } catch {
                return .refused(.denied, "the vault did not take the new value: \(Words.code(error))")
            }
        case .sessionAcquire(let session):
            return await sessions.acquire(
                key(session, call, site), call: SessionStore.CallKey(call),
                maxInFlight: session.maxInFlight.map(Int.init))
        case .sessionPublish(let lease, let value, let ttl):
            return sessions.publish(lease: lease, call: SessionStore.CallKey(call), value: value, ttlMs: ttl)
        case .sessionAbandon(let lease, let cls):
            return sessions.abandon(lease: lease, call: SessionStore.CallKey(call), errorClass: cls)
        case .sessionInvalidate(let session, let value):
            return sessions.invalidate(key(session, call, site), value: value)
        case .stateGet, .statePut, .checkpoint: return await remember(request, call)
        case .now: return .number(now())
        case .random(let count):
            guard (0...1024).contains(count) else { return .refused(.denied, "at most 1024 random bytes") }
            var generator = SystemRandomNumberGenerator()
            return .bytes((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
        case .sql, .blobLength, .blobRead, .blobCreate:
            return .refused(.denied, "this host does not offer the service")
        }
    }

    private func key(_ session: ServiceRequest.Session, _ call: CallIdentity, _ site: Site) -> SessionStore.Key {
        SessionStore.Key(
            connector: site.connector, endpoint: site.endpoint, name: session.name, principal: session.principal,
            credential: credential(site),
            scope: call.context.flags.contains(.probe) ? "probe \(call.generation) \(call.callID)" : "")
    }

    /// The vault's versions of every secret of the connection: a rotated secret is another session.
    private func credential(_ site: Site) -> String {
        let vault = vault.current
        return site.secrets.values.sorted().map { "\($0)@\(vault.version(of: $0) ?? 0)" }.joined(separator: " ")
    }

    // MARK: http

    private func send(_ request: ServiceRequest.HTTP, _ call: CallIdentity, _ site: Site) async -> ServiceReply {
        guard case .bytes(let body) = request.body, !request.replyToBlob else {
            return .refused(.denied, "this host does not offer blobs")
        }
        guard let url = String(validating: request.url, as: UTF8.self) else {
            return .refused(.denied, "the URL is not UTF-8")
        }
        var jar: CookieJar?
        if !request.session.isEmpty {
            jar = sessions.jar(named: request.session, call: SessionStore.CallKey(call))
            if jar == nil { return .refused(.denied, "session \(request.session) was not acquired in this call") }
        }
        func patience() -> Int64 { Self.patience(asked: request.timeoutMs, left: call.context.deadlineMs - now()) }
        if patience() <= 0 { return .refused(.cancelled, "the deadline has passed") }
        guard await limits.enter(call.connection, meter: request.meter, deadline: call.context.deadlineMs) else {
            if limits.isSpent(call.connection, meter: request.meter) {
                return .refused(.quotaSpent, "our own allowance for this connection is spent")
            }
            // Not `throttled`: the vendor has said nothing, and its rate is not to be halved for our own figure.
            return .refused(.cancelled, "our own limit for this connection leaves no call before the deadline")
        }
        defer { limits.leave(call.connection) }
        let timeout = patience()
        if timeout <= 0 { return .refused(.cancelled, "the deadline has passed") }
        let outgoing = HTTPRequest(
            request.method, url,
            headers: request.headers.map { HTTPHeader($0.name, bytes: $0.value) }, body: body,
            insertions: request.insertions.map { insertion in
                let part: Insertion.Part =
                    switch insertion.part {
                    case .url: .url
                    case .header(let index): .header(index)
                    case .body: .body
                    }
                return Insertion(part, at: insertion.offset, secret: insertion.secret)
            }, timeoutMilliseconds: Int(timeout),
            connectTimeoutMilliseconds: site.connectTimeoutMs,
            maxReplyBytes: Int(min(request.maxReplyBytes ?? HostLimits.replyBytes, HostLimits.maxReplyBytes)),
            http11: request.http11 || site.http11, repeatable: request.effect != .write, cookies: jar)
        let source: SecretSource = { [self] (expression, lend) throws(Problem) in
            try secret(expression, call, site, lend)
        }
        if request.effect == .write { CrashPoint.beforeWriteSent.reach() }
        let answer = await http.send(outgoing, through: site.egress, secrets: source)
        if request.effect == .write { CrashPoint.writeAnswered.reach() }
        switch answer {
        case .success(let response):
            var headers: [ServiceRequest.RawHeader] = []
            for index in response.headers.indices {
                headers.append(
                    ServiceRequest.RawHeader(
                        name: response.headers[index].name, value: Array(response.headers.valueBytes(index))))
            }
            return .http(ServiceReply.HTTP(status: Int32(response.status), headers: headers, body: response.body))
        case .failure(let failure):
            return .refused(
                Self.errorClass(failure, request.effect),
                "\(failure.problem.code) \(mask.mask(failure.problem.what.en))",
                mayHaveArrived: failure.mayHaveArrived)
        }
    }

    /// How long the vendor may take, of what is left of the call: a little less, so that the connector can still say that it
    /// was the vendor.
    static func patience(asked: UInt32?, left: Int64) -> Int64 {
        min(Int64(asked ?? .max), left - min(left / 10, HostLimits.lastWordMs))
    }

    private static func errorClass(_ failure: HTTPFailure, _ effect: ServiceRequest.Effect) -> ErrorClass {
        switch failure.kind {
        case .denied: return .denied
        case .cancelled where !failure.mayHaveArrived: return .cancelled
        case .unreachable where !failure.mayHaveArrived: return .unreachable
        default: return failure.mayHaveArrived && effect == .write ? .unknownOutcome : .transient
        }
    }

    /// Evaluates a secret expression of the connection and lends the result.
    private func secret(
        _ expression: String, _ call: CallIdentity, _ site: Site, _ lend: (UnsafeRawBufferPointer) -> Void
    ) throws(Problem) {
        let value = try SecretExpression(expression).evaluate { (name) throws(Problem) -> SecretBytes in
            try read(name, call, site)
        }
        value.withBytes(lend)
    }

    /// A secret of the connection, and its line in the audit: one per version, worker generation and minute, because a
    /// line per use would bury the rest.
    private func read(_ name: String, _ call: CallIdentity, _ site: Site) throws(Problem) -> SecretBytes {
        guard let entry = site.secrets[name] else { throw Problem.secretNotNamed(name) }
        let vault = vault.current
        let value = try vault.read(name: entry)
        let at = now()
        let version = vault.version(of: entry) ?? 0
        let use = "\(call.connection) \(entry)@\(version) \(call.generation)"
        let isNews = audited.withLock { audited in
            if audited.minute != at / 60_000 { audited = (at / 60_000, []) }
            return audited.uses.insert(use).inserted
        }
        if isNews {
            let detail: JSON = [
                "connection": .string(call.connection), "secret": .string(entry), "version": .int(Int(version)),
                "generation": .int(Int(call.generation)), "for": .string(call.kind.rawValue),
            ]
            post([.audit(actor: "host", action: "secret.use", detail: detail.text, at: at)])
        }
        return value
    }

    // MARK: crypto

    private func crypto(_ request: ServiceRequest.Crypto, _ call: CallIdentity, _ site: Site) -> ServiceReply {
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
                    input: request.input.map { segment($0) }, signature: request.signature,
                    additional: request.additional,
                    sortSegments: request.sortSegments, noPadding: request.noPadding)
            ) { (name) throws(Problem) -> SecretBytes in
                try read(name, call, site)
            }
            return request.operation == .verify ? .done : .bytes(result)
        } catch {
            return .refused(.denied, "\(error.code) \(error.what.en)")
        }
    }

    // MARK: memory

    private func remember(_ request: ServiceRequest, _ call: CallIdentity) async -> ServiceReply {
        switch request {
        case .stateGet(let key):
            guard let name = String(validating: key, as: UTF8.self) else {
                return .refused(.denied, "key is not UTF-8")
            }
            return await Blocking.run { [ledger] in
                do throws(Problem) {
                    return .bytes(try ledger.state(connection: call.connection, key: name))
                } catch {
                    return .refused(.transient, error.what.en)
                }
            }
        case .statePut(let key, let value):
            guard let name = String(validating: key, as: UTF8.self), value.count <= HostLimits.stateBytes else {
                return .refused(.denied, "key is not UTF-8, or the value is above 64 KiB")
            }
            await commit([.state(connection: call.connection, key: name, bytes: value)])
            return .done
        case .checkpoint(let index, let bytes):
            guard bytes.count <= HostLimits.checkpointBytes else {
                return .refused(.denied, "a checkpoint above 4 KiB")
            }
            guard call.keys.indices.contains(index), let item = items.withLock({ $0[call.keys[index]] }) else {
                return .refused(.denied, "no such record in this call")
            }
            await commit([.checkpoint(item, bytes: bytes)])
            CrashPoint.checkpointDurable.reach()
            return .done
        default: return .refused(.denied, "this host does not offer the service")
        }
    }
}
