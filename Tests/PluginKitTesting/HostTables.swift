import PluginABI
import PluginKit
import Values

/// The host's C tables. They live as long as the process and find the host by the call's id.
enum HostTables {
    nonisolated(unsafe) static let full = table { id in
        guard let id else { return nil }
        return service(String(cString: id))
    }
    nonisolated(unsafe) static let bare = table { _ in nil }

    private static func table(
        _ getService: @escaping @convention(c) (UnsafePointer<CChar>?) -> UnsafeRawPointer?
    ) -> UnsafePointer<datong_host> {
        var host = datong_host()
        host.size = UInt32(MemoryLayout<datong_host>.size)
        host.minor_max = DATONG_MINOR
        host.get_service = getService
        host.fail = { call, failure in
            guard let active = CallRegistry.call(call), active.failure == nil, let failure else { return }
            active.failure = Failure(failure.pointee)
        }
        host.explain = { call in
            guard let active = CallRegistry.call(call) else { return datong_bytes() }
            return active.arena.text(active.explanation)
        }
        host.is_cancelled = { call in CallRegistry.call(call)?.host.isCancelled() == true ? 1 : 0 }
        return kept(host)
    }

    private static func service(_ id: String) -> UnsafeRawPointer? {
        switch id {
        case DATONG_SERVICE_HTTP: UnsafeRawPointer(http)
        case DATONG_SERVICE_CRYPTO: UnsafeRawPointer(crypto)
        case DATONG_SERVICE_SECRET: UnsafeRawPointer(secret)
        case DATONG_SERVICE_SESSION: UnsafeRawPointer(session)
        case DATONG_SERVICE_STATE: UnsafeRawPointer(state)
        case DATONG_SERVICE_CHECKPOINT: UnsafeRawPointer(checkpoint)
        case DATONG_SERVICE_CLOCK: UnsafeRawPointer(clock)
        case DATONG_SERVICE_ID: UnsafeRawPointer(identifiers)
        case DATONG_SERVICE_LOG: UnsafeRawPointer(log)
        default: nil
        }
    }

    private static func kept<T>(_ value: T) -> UnsafePointer<T> {
        let pointer = UnsafeMutablePointer<T>.allocate(capacity: 1)
        pointer.initialize(to: value)
        return UnsafePointer(pointer)
    }

    nonisolated(unsafe) private static let http = kept(
        datong_http_service(
            size: UInt32(MemoryLayout<datong_http_service>.size), flags: 0,
            send: { call, request, reply in
                guard let call, let active = CallRegistry.call(call), let request = request?.pointee, let reply
                else { return DATONG_BUG }
                let session = request.session.string
                guard session.isEmpty || active.host.hasAcquired(session, call.pointee.call_id) else {
                    return active.refuse(.denied, "session \(session) was not acquired in this call")
                }
                guard let seen = SeenRequest(request, active.host) else {
                    return active.refuse(.denied, "a secret in the request is unknown or was refused")
                }
                switch active.host.answer(seen) {
                case .failure(let kind, let text): return active.refuse(kind, text)
                case .reply(let status, let headers, let body):
                    let list = headers.map {
                        datong_header(
                            name: active.arena.text($0.name.lowercased()), value: active.arena.text($0.value))
                    }
                    reply.pointee.status = Int32(status)
                    reply.pointee.may_have_arrived = 1
                    reply.pointee.headers = active.arena.list(list).map { UnsafePointer($0) }
                    reply.pointee.header_count = UInt64(list.count)
                    reply.pointee.body = active.arena.bytes(body)
                    return DATONG_OK
                }
            },
            release: { _, _ in }))

    nonisolated(unsafe) private static let crypto = kept(
        datong_crypto_service(
            size: UInt32(MemoryLayout<datong_crypto_service>.size), flags: 0,
            run: { call, request, reply in
                guard let active = CallRegistry.call(call), let request = request?.pointee, let reply
                else { return DATONG_BUG }
                guard let output = FakeCrypto.run(request, active.host) else {
                    return active.refuse(.denied, "unknown algorithm or secret")
                }
                reply.pointee.bytes = active.arena.bytes(output)
                return DATONG_OK
            }))

    nonisolated(unsafe) private static let secret = kept(
        datong_secret_service(
            size: UInt32(MemoryLayout<datong_secret_service>.size), flags: 0,
            exists: { call, name in CallRegistry.call(call)?.host.secretValues[name.string] != nil ? 1 : 0 },
            reveal: { call, _, _ in
                CallRegistry.call(call)?.refuse(.denied, "reveal was not approved") ?? DATONG_BUG
            },
            replace: { call, name, value in
                CallRegistry.call(call)?.host.replaceSecret(name.string, value.copied)
                return DATONG_OK
            }))

    nonisolated(unsafe) private static let session = kept(
        datong_session_service(
            size: UInt32(MemoryLayout<datong_session_service>.size), flags: 0,
            acquire: { call, request, reply in
                guard let call, let active = CallRegistry.call(call), let request = request?.pointee, let reply
                else { return DATONG_BUG }
                let bound = Int(request.max_in_flight)
                let answer = active.host.acquire(
                    key(request), named: request.name.string, maxInFlight: bound, by: call.pointee.call_id)
                switch answer {
                case .denied: return active.refuse(.authDenied, "the last log-in was refused a moment ago")
                case .lease(let lease):
                    reply.pointee.must_log_in = 1
                    reply.pointee.lease = lease
                case .value(let value):
                    reply.pointee.must_log_in = 0
                    reply.pointee.value = active.arena.bytes(value)
                }
                return DATONG_OK
            },
            publish: { call, lease, value, _ in
                guard let active = CallRegistry.call(call) else { return DATONG_BUG }
                return active.host.settle(lease, .ready(value.copied))
                    ? DATONG_OK : active.refuse(.bug, "nobody holds this lease")
            },
            abandon: { call, lease, errorClass in
                guard let active = CallRegistry.call(call) else { return DATONG_BUG }
                let denied = errorClass == UInt32(DATONG_AUTH_DENIED)
                return active.host.settle(lease, denied ? .refused : nil)
                    ? DATONG_OK : active.refuse(.bug, "nobody holds this lease")
            },
            invalidate: { call, request, value in
                guard let active = CallRegistry.call(call), let request = request?.pointee else { return DATONG_BUG }
                active.host.invalidate(key(request), value.copied)
                return DATONG_OK
            }))

    private static func key(_ request: datong_session_request) -> String {
        "\(request.name.string)\u{0}\(request.principal.string)"
    }

    nonisolated(unsafe) private static let state = kept(
        datong_state_service(
            size: UInt32(MemoryLayout<datong_state_service>.size), flags: 0,
            get: { call, key, reply in
                guard let active = CallRegistry.call(call), let reply else { return DATONG_BUG }
                reply.pointee.bytes = active.arena.bytes(active.host.stateValue(key.string))
                return DATONG_OK
            },
            put: { call, key, value in
                CallRegistry.call(call)?.host.putState(key.string, value.copied)
                return DATONG_OK
            }))

    nonisolated(unsafe) private static let checkpoint = kept(
        datong_checkpoint_service(
            size: UInt32(MemoryLayout<datong_checkpoint_service>.size), flags: 0,
            save: { call, index, bytes in
                guard let active = CallRegistry.call(call), index < UInt64(active.keys.count) else {
                    return CallRegistry.call(call)?.refuse(.denied, "no such record") ?? DATONG_BUG
                }
                active.host.saveCheckpoint(active.keys[Int(index)], bytes.copied)
                return DATONG_OK
            }))

    nonisolated(unsafe) private static let clock = kept(
        datong_clock_service(
            size: UInt32(MemoryLayout<datong_clock_service>.size), flags: 0,
            now_ms: { call in CallRegistry.call(call)?.host.now ?? 0 }))

    nonisolated(unsafe) private static let identifiers = kept(
        datong_id_service(
            size: UInt32(MemoryLayout<datong_id_service>.size), flags: 0,
            random: { call, count, reply in
                guard let active = CallRegistry.call(call), let reply else { return DATONG_BUG }
                reply.pointee.bytes = active.arena.bytes(active.host.random(Int(count)))
                return DATONG_OK
            }))

    nonisolated(unsafe) private static let log = kept(
        datong_log_service(
            size: UInt32(MemoryLayout<datong_log_service>.size), flags: 0,
            write: { call, _, text in CallRegistry.call(call)?.host.addLog(text.string) }))
}

extension SeenRequest {
    /// Reads a request as a host reads it; nil where a secret is refused.
    init?(_ raw: datong_http_request, _ host: FakeHost) {
        var names: [String] = []
        var values: [[UInt8]] = []
        if let first = raw.headers {
            for index in 0..<Int(raw.header_count) {
                names.append(first[index].name.string)
                values.append(first[index].value.copied)
            }
        }
        var url = raw.url.copied
        var body = raw.body_blob.size > 0 ? raw.body_blob.copied : raw.body.copied
        literal =
            String(decoding: url, as: UTF8.self)
            + values.map { "\n" + String(decoding: $0, as: UTF8.self) }.joined() + "\n"
            + String(decoding: body, as: UTF8.self)
        insertions = []
        var refused = false
        // From the last to the first, so that offsets still count the bytes as passed.
        for index in (0..<Int(raw.insertion_count)).reversed() {
            guard let insertion = raw.insertions?[index], let value = host.evaluate(insertion.secret.string) else {
                refused = true
                break
            }
            let offset = Int(insertion.offset)
            let header = Int(insertion.index)
            let part: String
            switch insertion.part {
            case DATONG_PART_URL where offset <= url.count:
                url.insert(contentsOf: value, at: offset)
                part = "url"
            case DATONG_PART_HEADER where header < values.count && offset <= values[header].count:
                values[header].insert(contentsOf: value, at: offset)
                part = names[header]
            case DATONG_PART_BODY where offset <= body.count:
                body.insert(contentsOf: value, at: offset)
                part = "body"
            default:
                refused = true
                part = ""
            }
            insertions.insert(
                Insertion(part: part, offset: offset, expression: insertion.secret.string), at: 0)
        }
        guard !refused else { return nil }
        method = raw.method.string
        self.url = String(decoding: url, as: UTF8.self)
        headers = zip(names, values).map { (name: $0, value: String(decoding: $1, as: UTF8.self)) }
        self.body = body
        switch raw.effect {
        case DATONG_EFFECT_WRITE: effect = .write
        case DATONG_EFFECT_AUTH: effect = .auth
        default: effect = .read
        }
        http11Only = raw.flags & DATONG_HTTP_HTTP11 != 0
        session = raw.session.string
        cookies = [:]
        meter = raw.meter.string
    }
}

/// The digests and keyed hashes of `datong.crypto/1`; the rest is refused.
enum FakeCrypto {
    static func run(_ raw: datong_crypto_request, _ host: FakeHost) -> [UInt8]? {
        func bytes(_ segment: datong_segment) -> [UInt8]? {
            segment.secret.size > 0 ? host.evaluate(segment.secret.string) : segment.literal.copied
        }
        var parts: [[UInt8]] = []
        if let first = raw.input {
            for index in 0..<Int(raw.input_count) {
                guard let part = bytes(first[index]) else { return nil }
                parts.append(part)
            }
        }
        if raw.flags & DATONG_CRYPTO_SORT_SEGMENTS != 0 { parts.sort { $0.lexicographicallyPrecedes($1) } }
        let message = parts.flatMap { $0 }
        let hash: ([UInt8]) -> [UInt8]
        switch raw.algorithm.string {
        case "sha256": hash = Digests.sha256
        case "sha1": hash = Digests.sha1
        case "md5": hash = Digests.md5
        default: return nil
        }
        switch raw.operation {
        case DATONG_CRYPTO_DIGEST: return hash(message)
        case DATONG_CRYPTO_HMAC: return bytes(raw.key).map { Digests.hmac(hash, key: $0, message) }
        default: return nil
        }
    }
}
