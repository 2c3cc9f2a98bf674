import CCurl
import Values

/// One exchange between `send` and the client's thread. Everything but the constants belongs to that thread.
final class Transfer: @unchecked Sendable {
    /// How far the request got.
    enum Stage {
        /// Waits for a connection to become free.
        case waiting
        /// Its name is looked up, or a socket was opened for it.
        case connecting
        /// The connection stands; the request follows. Bytes libcurl had sent before (a proxy's CONNECT).
        case sending(after: Int)
    }

    /// Why one of our callbacks ended the exchange.
    enum Refusal {
        case localAddress
        case bodyTooLarge
        case headersTooLarge
        case headerMalformed
        case wouldRepeat
    }

    typealias Answer = Result<HTTPResponse, HTTPFailure>

    let wire: Wire
    let policy: EgressPolicy
    let origin: Origin
    let method: String
    let timeoutMilliseconds: Int
    let connectTimeoutMilliseconds: Int
    let maxReplyBytes: Int
    let http11: Bool
    let repeatable: Bool

    var continuation: CheckedContinuation<Answer, Never>?
    /// Cancelled before its start was seen.
    var isCancelled = false
    var slot: Slot?
    /// Milliseconds of the monotonic clock.
    var deadline: Int64 = 0
    var stage = Stage.waiting
    var refusal: Refusal?
    var headers = ReplyHeaders()
    /// The empty line was seen: what follows are trailers, or another answer after a 1xx.
    var headersAreComplete = false
    var body: [UInt8] = []

    init(_ request: HTTPRequest, wire: Wire, policy: EgressPolicy, origin: Origin) {
        self.wire = wire
        self.policy = policy
        self.origin = origin
        method = request.method
        timeoutMilliseconds = request.timeoutMilliseconds
        connectTimeoutMilliseconds = request.connectTimeoutMilliseconds
        maxReplyBytes = request.maxReplyBytes
        http11 = request.http11
        repeatable = request.repeatable
    }

    func finish(_ answer: Answer) {
        let waiting = continuation
        continuation = nil
        waiting?.resume(returning: answer)
    }

    func fail(_ kind: HTTPFailure.Kind, mayHaveArrived: Bool, _ problem: Problem) {
        finish(.failure(HTTPFailure(kind, mayHaveArrived: mayHaveArrived, problem)))
    }
}

/// One libcurl handle, used again and again. Its callbacks' context for life.
final class Slot {
    let easy: UnsafeMutableRawPointer
    /// The policy its fixed options were set for.
    private(set) var policy: EgressPolicy
    var transfer: Transfer?
    /// Its place among the running ones.
    var position = -1
    /// What the last request left set.
    private var customMethod = false
    private var http11: Bool?

    /// nil when libcurl has no memory.
    init?(_ policy: EgressPolicy) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        self.policy = policy
        let context = Unmanaged.passUnretained(self).toOpaque()
        for option in [
            CURLOPT_PRIVATE, CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_PREREQDATA, CURLOPT_OPENSOCKETDATA,
            CURLOPT_RESOLVER_START_DATA,
        ] {
            datong_curl_set_pointer(easy, option, context)
        }
        datong_curl_set_bytes_callback(easy, CURLOPT_WRITEFUNCTION, receiveBody)
        datong_curl_set_bytes_callback(easy, CURLOPT_HEADERFUNCTION, receiveHeader)
        datong_curl_set_prerequest_callback(easy, beforeRequest)
        datong_curl_set_socket_callback(easy, openSocket)
        datong_curl_set_resolve_callback(easy, beforeLookUp)
        datong_curl_set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        datong_curl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        datong_curl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        datong_curl_set_long(easy, CURLOPT_TCP_NODELAY, 1)
        datong_curl_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1)
        datong_curl_set_long(easy, CURLOPT_HTTP09_ALLOWED, 0)
        datong_curl_set_long(easy, CURLOPT_PATH_AS_IS, 1)
        datong_curl_set_long(easy, CURLOPT_SSL_VERIFYPEER, 1)
        datong_curl_set_long(easy, CURLOPT_SSL_VERIFYHOST, 2)
        datong_curl_set_long(easy, CURLOPT_SSLVERSION, numericCast(CURL_SSLVERSION_TLSv1_2))
        datong_curl_set_long(easy, CURLOPT_MAXAGE_CONN, Limits.idleConnectionSeconds)
        datong_curl_set_long(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        datong_curl_set_long(easy, CURLOPT_HEADEROPT, numericCast(CURLHEADER_SEPARATE))
        datong_curl_set_text(easy, CURLOPT_NOPROXY, "")
        guard apply(policy) == CURLE_OK else {
            curl_easy_cleanup(easy)
            return nil
        }
    }

    deinit { curl_easy_cleanup(easy) }

    /// The options that depend on the policy alone.
    private func apply(_ policy: EgressPolicy) -> CURLcode {
        self.policy = policy
        var results: [CURLcode] = []
        if let caFile = policy.caFile {
            // Only these certificates: without the second line libcurl would trust the system's beside them.
            results.append(datong_curl_set_text(easy, CURLOPT_CAINFO, caFile))
            results.append(datong_curl_set_text(easy, CURLOPT_CAPATH, nil))
        }
        if let pins = policy.pinText {
            results.append(datong_curl_set_text(easy, CURLOPT_PINNEDPUBLICKEY, pins))
        }
        if let proxy = policy.proxy {
            let host = proxy.host.contains(":") ? "[\(proxy.host)]" : proxy.host
            results.append(datong_curl_set_text(easy, CURLOPT_PROXY, "http://\(host):\(proxy.port)"))
        } else {
            // Empty, not unset: unset would read http_proxy from the environment.
            results.append(datong_curl_set_text(easy, CURLOPT_PROXY, ""))
        }
        return results.first { $0 != CURLE_OK } ?? CURLE_OK
    }

    /// Sets what this request asks for. Anything but CURLE_OK: the request was not started.
    func prepare(_ transfer: Transfer) -> CURLcode {
        let wire = transfer.wire
        let hasBody = wire.bodyCount > 0
        var code = datong_curl_set_text(easy, CURLOPT_URL, wire.url)
        guard code == CURLE_OK else { return code }
        datong_curl_set_pointer(easy, CURLOPT_HTTPHEADER, wire.headers)
        datong_curl_set_pointer(easy, CURLOPT_PROXYHEADER, wire.proxyHeaders)
        if transfer.method == "HEAD" {
            datong_curl_set_long(easy, CURLOPT_NOBODY, 1)
        } else if hasBody || transfer.method == "POST" || transfer.method == "PUT" || transfer.method == "PATCH" {
            datong_curl_set_long(easy, CURLOPT_POST, 1)
            datong_curl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(wire.bodyCount))
            datong_curl_set_pointer(easy, CURLOPT_POSTFIELDS, wire.body)
        } else {
            datong_curl_set_long(easy, CURLOPT_HTTPGET, 1)
        }
        let usual = transfer.method == "HEAD" || transfer.method == "POST" || transfer.method == "GET" && !hasBody
        if !usual {
            code = datong_curl_set_text(easy, CURLOPT_CUSTOMREQUEST, transfer.method)
            customMethod = true
        } else if customMethod {
            code = datong_curl_set_text(easy, CURLOPT_CUSTOMREQUEST, nil)
            customMethod = false
        }
        guard code == CURLE_OK else { return code }
        if http11 != transfer.http11 {
            http11 = transfer.http11
            datong_curl_set_long(
                easy, CURLOPT_HTTP_VERSION,
                numericCast(transfer.http11 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS))
        }
        datong_curl_set_long(easy, CURLOPT_TIMEOUT_MS, transfer.timeoutMilliseconds)
        datong_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, transfer.connectTimeoutMilliseconds)
        return CURLE_OK
    }

    /// Bytes libcurl has handed to the network for this exchange.
    var sentBytes: Int {
        var sent = 0
        datong_curl_get_long(easy, CURLINFO_REQUEST_SIZE, &sent)
        return sent
    }

    /// Whether any byte of the request itself went out.
    var requestMayHaveArrived: Bool {
        guard let transfer, case .sending(let before) = transfer.stage else { return false }
        return sentBytes > before || transfer.headers.count > 0
    }
}

// What libcurl calls, on the client's thread. File-level functions: a C callback carries no Swift context.

private func slot(_ context: UnsafeMutableRawPointer?) -> Slot? {
    context.map { Unmanaged<Slot>.fromOpaque($0).takeUnretainedValue() }
}

private func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let slot = slot(context), let transfer = slot.transfer, let bytes else { return 0 }
    let length = size * count
    if transfer.body.isEmpty {
        var announced: curl_off_t = -1
        datong_curl_get_offset(slot.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced)
        // Given up before the first byte is kept.
        if announced > transfer.maxReplyBytes {
            transfer.refusal = .bodyTooLarge
            return 0
        }
        transfer.body.reserveCapacity(min(max(Int(announced), length), Limits.reservedReplyBytes))
    }
    guard transfer.body.count + length <= transfer.maxReplyBytes else {
        transfer.refusal = .bodyTooLarge
        return 0
    }
    transfer.body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: length))
    return length
}

private func receiveHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let transfer = slot(context)?.transfer, let bytes else { return 0 }
    let length = size * count
    var line = UnsafeRawBufferPointer(start: bytes, count: length)
    while let last = line.last, last == 0x0a || last == 0x0d {
        line = UnsafeRawBufferPointer(rebasing: line.dropLast())
    }
    if line.isEmpty {
        transfer.headersAreComplete = true
    } else if line.starts(with: "HTTP/".utf8) {
        // The final answer after a 1xx, or the first one of a repeated request.
        transfer.headers.removeAll()
        transfer.headersAreComplete = false
    } else if !transfer.headersAreComplete {
        guard transfer.headers.size + length <= Limits.replyHeaderBytes else {
            transfer.refusal = .headersTooLarge
            return 0
        }
        guard transfer.headers.append(line: line) else {
            transfer.refusal = .headerMalformed
            return 0
        }
    }
    return length
}

/// The connection stands, the request comes next. libcurl also comes here to repeat a request on a fresh
/// connection when a kept one turned out closed; a request that may have arrived is not sent twice.
private func beforeRequest(
    _ context: UnsafeMutableRawPointer?, _ remote: UnsafeMutablePointer<CChar>?, _ local: UnsafeMutablePointer<CChar>?,
    _ remotePort: Int32, _ localPort: Int32
) -> Int32 {
    guard let slot = slot(context), let transfer = slot.transfer else { return CURL_PREREQFUNC_ABORT }
    switch transfer.stage {
    case .waiting, .connecting:
        transfer.stage = .sending(after: slot.sentBytes)
    case .sending(let before):
        if !transfer.repeatable, slot.sentBytes > before {
            transfer.refusal = .wouldRepeat
            return CURL_PREREQFUNC_ABORT
        }
    }
    return CURL_PREREQFUNC_OK
}

private func beforeLookUp(
    _ resolver: UnsafeMutableRawPointer?, _ reserved: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    if let transfer = slot(context)?.transfer, case .waiting = transfer.stage { transfer.stage = .connecting }
    return 0
}

/// The place where a name has become an address and nothing is connected yet.
private func openSocket(
    _ context: UnsafeMutableRawPointer?, _ purpose: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let transfer = slot(context)?.transfer, let address else { return -1 }
    if case .waiting = transfer.stage { transfer.stage = .connecting }
    let target = withUnsafePointer(to: &address.pointee.addr) { NetworkAddress($0) }
    guard let target, transfer.policy.permits(target) else {
        transfer.refusal = .localAddress
        return -1
    }
    return socket(
        address.pointee.family, address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue), address.pointee.protocol)
}
