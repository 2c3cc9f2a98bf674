import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Synchronization
import Values

/// Opens WebSockets (RFC 6455) over NIO under the same policy as HTTP.
public struct WebSocketClient: Sendable {
    private let group: any EventLoopGroup

    /// A client on NIO's shared threads.
    public init() {
        group = MultiThreadedEventLoopGroup.singleton
    }

    /// Connects, through the policy's proxy where it has one, verifies the certificate and upgrades.
    ///
    /// - Parameters:
    ///   - url: absolute `ws` or `wss` URL; its query may hold a ticket and appears in no error.
    ///   - headers: further headers of the upgrade request.
    ///   - policy: the origin must be on its list (`wss` as `https`, `ws` as `http`).
    ///   - pingInterval: milliseconds between our own pings; 0: none.
    ///   - idleTimeout: milliseconds without any frame after which the stream is dead; 0: never.
    ///   - maxMessageBytes: bytes of one message, its fragments together.
    ///   - pongTimeout: milliseconds the peer has to answer a ping.
    ///   - secrets: gives the proxy's credentials.
    ///
    /// Throws E-NET-001 … E-NET-005 and E-NET-010/011 before anything is sent, E-NET-020 … E-NET-027 for no
    /// connection, E-NET-050/051 for a refused upgrade, E-NET-035 when the task is cancelled.
    public func connect(
        url: String, headers: [HTTPHeader] = [], policy: EgressPolicy, pingInterval: Int? = nil,
        idleTimeout: Int? = nil, maxMessageBytes: Int? = nil, pongTimeout: Int? = nil,
        secrets: SecretSource = noSecrets
    ) async throws(Problem) -> WebSocketConnection {
        let address = try policy.permit(Address(url))
        guard address.isWebSocket else {
            throw Problems.malformedRequest("不是 ws 网址", "it is no ws URL")
        }
        var plan = WebSocketPlan(
            address: address, policy: policy, head: try Self.head(address, headers),
            proxyAuthorization: nil, tls: nil,
            terms: WebSocketTerms(
                pingInterval: pingInterval ?? Limits.webSocketPingMilliseconds,
                pongTimeout: pongTimeout ?? Limits.webSocketPongMilliseconds,
                idleTimeout: idleTimeout ?? Limits.webSocketIdleMilliseconds,
                maxMessageBytes: maxMessageBytes ?? Limits.webSocketMessageBytes))
        if let credentials = policy.proxy?.credentials {
            var encoded: [UInt8]?
            try secrets(credentials) { encoded = Base64.encode($0) }
            guard let encoded else { throw Problems.noSecrets(credentials) }
            plan.proxyAuthorization = "Basic " + String(decoding: encoded, as: UTF8.self)
        }
        if address.origin.scheme == "https" { plan.tls = try policy.tlsContext(address.origin) }
        return try await open(plan)
    }

    private static func head(_ address: Address, _ headers: [HTTPHeader]) throws(Problem) -> HTTPRequestHead {
        var fields = HTTPHeaders()
        let origin = address.origin
        fields.add(name: "Host", value: String("\(origin)".dropFirst(origin.scheme.utf8.count + 3)))
        fields.add(name: "Connection", value: "Upgrade")
        fields.add(name: "Upgrade", value: "websocket")
        guard headers.count <= Limits.requestHeaders else {
            throw Problems.malformedRequest("请求头过多", "there are too many headers")
        }
        for header in headers {
            guard !header.name.isEmpty, header.name.utf8.allSatisfy(Wire.isTokenByte),
                header.value.allSatisfy(Wire.isHeaderByte)
            else { throw Problems.malformedRequest("请求头无效", "a header is not valid") }
            let name = header.name.lowercased()
            // No extension is spoken, so none may be offered.
            guard !Wire.reservedHeaders.contains(name), !name.hasPrefix("proxy-"),
                !name.hasPrefix("sec-websocket-") || name == "sec-websocket-protocol"
            else { throw Problems.reservedHeader(header.name) }
            fields.add(name: header.name, value: String(decoding: header.value, as: UTF8.self))
        }
        if !fields.contains(name: "user-agent") { fields.add(name: "User-Agent", value: "datong") }
        return HTTPRequestHead(version: .http1_1, method: .GET, uri: address.target, headers: fields)
    }

    private func open(_ plan: WebSocketPlan) async throws(Problem) -> WebSocketConnection {
        let origin = plan.address.origin
        let host = plan.policy.proxy?.host ?? origin.host
        let port = plan.policy.proxy?.port ?? origin.port
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(.milliseconds(Int64(Limits.connectMilliseconds)))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
        let opening = Mutex<Opening>(.connecting)
        let result: Result<WebSocketConnection, Problem>
        result = await withTaskCancellationHandler {
            do {
                // A literal address asks no resolver, whose threads others may keep busy.
                let literal = try? SocketAddress(ipAddress: host, port: port)
                let channel =
                    if let literal {
                        try await bootstrap.connect(to: literal).get()
                    } else { try await bootstrap.connect(host: host, port: port).get() }
                let goOn = opening.withLock { state in
                    if case .cancelled = state { return false }
                    state = .open(channel)
                    return true
                }
                guard goOn else {
                    channel.close(promise: nil)
                    return .failure(Problems.cancelled())
                }
                // Nothing has been sent: the resolved address is known now.
                guard let remote = channel.remoteAddress?.withSockAddr({ address, _ in NetworkAddress(address) }),
                    plan.policy.permits(remote)
                else {
                    channel.close(promise: nil)
                    return .failure(Problems.localAddress(host))
                }
                return .success(try await plan.start(channel).get())
            } catch {
                if case .cancelled = opening.withLock({ $0 }) { return .failure(Problems.cancelled()) }
                return .failure(Self.problem(error, host: host, origin: "\(origin)"))
            }
        } onCancel: {
            opening.withLock { state in
                if case .open(let channel) = state { channel.close(promise: nil) }
                state = .cancelled
            }
        }
        return try result.get()
    }

    private enum Opening: Sendable {
        case connecting
        case open(any Channel)
        case cancelled
    }

    private static func isTimeout(_ error: any Error) -> Bool {
        if case ChannelError.connectTimeout = error { true } else { false }
    }

    private static func problem(_ error: any Error, host: String, origin: String) -> Problem {
        switch error {
        case let problem as Problem: problem
        case let error as NIOConnectionError:
            error.connectionErrors.isEmpty
                ? Problems.noName(host)
                : error.connectionErrors.contains { isTimeout($0.error) }
                    ? Problems.connectTimeout(origin) : Problems.noConnection(origin, "TCP")
        case ChannelError.connectTimeout: Problems.connectTimeout(origin)
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: Problems.tlsFailed(origin)
        default: Problems.noConnection(origin, "TCP")
        }
    }
}

/// How a stream is watched.
struct WebSocketTerms: Sendable {
    let pingInterval: Int
    let pongTimeout: Int
    let idleTimeout: Int
    let maxMessageBytes: Int
}

/// Everything an opened TCP connection needs to become a WebSocket: CONNECT, TLS and pin, upgrade.
struct WebSocketPlan: Sendable {
    let address: Address
    let policy: EgressPolicy
    let head: HTTPRequestHead
    var proxyAuthorization: String?
    var tls: NIOSSLContext?
    let terms: WebSocketTerms

    func start(_ channel: any Channel) -> EventLoopFuture<WebSocketConnection> {
        let promise = channel.eventLoop.makePromise(of: WebSocketConnection.self)
        let origin = "\(address.origin)"
        let deadline = channel.eventLoop.scheduleTask(in: .milliseconds(Int64(Limits.webSocketOpenMilliseconds))) {
            promise.fail(Problems.connectTimeout(origin))
            channel.close(promise: nil)
        }
        promise.futureResult.whenComplete { _ in deadline.cancel() }
        channel.eventLoop.execute {
            do {
                if policy.proxy != nil {
                    try channel.pipeline.syncOperations.addHandler(ProxyTunnel(plan: self, promise: promise))
                } else {
                    try secure(channel, promise)
                }
            } catch {
                promise.fail(Problems.noConnection(origin, "closed"))
                channel.close(promise: nil)
            }
        }
        return promise.futureResult
    }

    /// TLS where the scheme asks for it, then the upgrade.
    func secure(_ channel: any Channel, _ promise: EventLoopPromise<WebSocketConnection>) throws {
        guard let tls else {
            try upgrade(channel, promise)
            return
        }
        let name = NetworkAddress(text: address.origin.host) == nil ? address.origin.host : nil
        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
        try channel.pipeline.syncOperations.addHandler(TrustGate(plan: self, promise: promise))
    }

    func upgrade(_ channel: any Channel, _ promise: EventLoopPromise<WebSocketConnection>) throws {
        let encoder = HTTPRequestEncoder()
        let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
        let handshake = UpgradeHandler(plan: self, encoder: encoder, decoder: decoder, promise: promise)
        try channel.pipeline.syncOperations.addHandler(encoder)
        try channel.pipeline.syncOperations.addHandler(decoder)
        try channel.pipeline.syncOperations.addHandler(handshake)
    }
}
