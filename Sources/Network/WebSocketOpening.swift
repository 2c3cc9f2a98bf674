import COpenSSL
import NIOCore
import NIOHTTP1
import NIOSSL
import NIOTLS
import NIOWebSocket
import Values

/// Asks an HTTP proxy for a tunnel (CONNECT), then steps aside.
final class ProxyTunnel: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let plan: WebSocketPlan
    private let promise: EventLoopPromise<WebSocketConnection>
    private var received: [UInt8] = []

    init(plan: WebSocketPlan, promise: EventLoopPromise<WebSocketConnection>) {
        self.plan = plan
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let origin = plan.address.origin
        let host = origin.host.contains(":") ? "[\(origin.host)]" : origin.host
        var text = "CONNECT \(host):\(origin.port) HTTP/1.1\r\nHost: \(host):\(origin.port)\r\n"
        if let authorization = plan.proxyAuthorization { text += "Proxy-Authorization: \(authorization)\r\n" }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text + "\r\n")), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += Array(unwrapInboundIn(data).readableBytesView)
        guard let end = received.firstRange(of: "\r\n\r\n".utf8) else {
            if received.count > Limits.proxyReplyBytes { refuse(context) }
            return
        }
        // A server speaks after us, so nothing may follow the proxy's answer.
        let status = received.split(separator: UInt8(ascii: " "), maxSplits: 2).dropFirst().first ?? []
        guard received.starts(with: "HTTP/1.".utf8), status.count == 3, status.first == UInt8(ascii: "2"),
            end.upperBound == received.count
        else {
            refuse(context)
            return
        }
        let channel = context.channel
        let loop = context.eventLoop
        let (plan, promise) = (plan, promise)
        context.pipeline.syncOperations.removeHandler(self).whenComplete { _ in
            loop.assertInEventLoop()
            do {
                try plan.secure(channel, promise)
            } catch {
                promise.fail(Problems.noConnection("\(plan.address.origin)", "closed"))
                channel.close(promise: nil)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) { refuse(context) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { refuse(context) }

    private func refuse(_ context: ChannelHandlerContext) {
        promise.fail(Problems.proxyRefused("\(plan.address.origin)"))
        context.close(promise: nil)
    }
}

/// Waits for TLS and compares the peer's key with the policy's pins before a byte of ours goes out.
final class TrustGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let plan: WebSocketPlan
    private let promise: EventLoopPromise<WebSocketConnection>

    init(plan: WebSocketPlan, promise: EventLoopPromise<WebSocketConnection>) {
        self.plan = plan
        self.promise = promise
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.handshakeCompleted) = event as? TLSUserEvent else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        do {
            guard try keyIsPinned(context) else {
                refuse(context, Problems.pinMismatch("\(plan.address.origin)"))
                return
            }
            try plan.upgrade(context.channel, promise)
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            refuse(context, Problems.tlsFailed("\(plan.address.origin)"))
        }
    }

    private func keyIsPinned(_ context: ChannelHandlerContext) throws -> Bool {
        guard !plan.policy.pins.isEmpty else { return true }
        guard let certificate = try context.pipeline.syncOperations.nioSSL_peerCertificate() else { return false }
        let key = try certificate.extractPublicKey().toSPKIBytes()
        var digest = [UInt8](repeating: 0, count: 32)
        guard EVP_Digest(key, key.count, &digest, nil, EVP_sha256(), nil) == 1 else { return false }
        return plan.policy.pins.contains(digest)
    }

    func channelInactive(context: ChannelHandlerContext) {
        refuse(context, Problems.tlsFailed("\(plan.address.origin)"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The chain's failure is known only by BoringSSL's own word for it.
        let isTrust =
            error as? NIOSSLExtraError == .failedToValidateHostname
            || String(describing: error).contains("CERTIFICATE_VERIFY_FAILED")
        let origin = "\(plan.address.origin)"
        refuse(context, isTrust ? Problems.untrusted(origin) : Problems.tlsFailed(origin))
    }

    private func refuse(_ context: ChannelHandlerContext, _ problem: Problem) {
        promise.fail(problem)
        context.close(promise: nil)
    }
}

/// Sends the upgrade request, checks the answer, and replaces HTTP by frames.
final class UpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private enum State {
        case waiting
        case accepted
        /// HTTP is being taken out; what arrives meanwhile are frames.
        case changing([NIOAny])
        case over
    }

    private let plan: WebSocketPlan
    private let encoder: HTTPRequestEncoder
    private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
    private let promise: EventLoopPromise<WebSocketConnection>
    private let key: String
    private let rules: NIOWebSocketClientUpgrader
    private var state = State.waiting

    init(
        plan: WebSocketPlan, encoder: HTTPRequestEncoder, decoder: ByteToMessageHandler<HTTPResponseDecoder>,
        promise: EventLoopPromise<WebSocketConnection>
    ) {
        self.plan = plan
        self.encoder = encoder
        self.decoder = decoder
        self.promise = promise
        key = NIOWebSocketClientUpgrader.randomRequestKey()
        rules = NIOWebSocketClientUpgrader(requestKey: key) { channel, _ in channel.eventLoop.makeSucceededVoidFuture()
        }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        var head = plan.head
        rules.addCustom(upgradeRequestHeaders: &head.headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .waiting:
            guard case .head(let head) = unwrapInboundIn(data) else { return }
            guard head.status == .switchingProtocols else {
                refuse(context, Problems.upgradeRefused("\(plan.address.origin)", Int(head.status.code)))
                return
            }
            guard rules.shouldAllowUpgrade(upgradeResponse: head),
                head.headers[canonicalForm: "upgrade"].contains(where: { $0.lowercased() == "websocket" }),
                head.headers["sec-websocket-extensions"].isEmpty
            else {
                refuse(context, Problems.upgradeInvalid("\(plan.address.origin)"))
                return
            }
            state = .accepted
        case .accepted:
            guard case .end = unwrapInboundIn(data) else { return }
            state = .changing([])
            change(context)
        case .changing(var early):
            early.append(data)
            state = .changing(early)
        case .over: break
        }
    }

    private func change(_ context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        let removals = [pipeline.removeHandler(encoder), pipeline.removeHandler(decoder)]
        EventLoopFuture.andAllSucceed(removals, on: context.eventLoop).assumeIsolated()
            .whenComplete { [self] result in
                do {
                    try result.get()
                    let connection = WebSocketConnection(context.channel)
                    try pipeline.addHandler(WebSocketFrameEncoder())
                    try pipeline.addHandler(
                        ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: plan.terms.maxMessageBytes)))
                    try pipeline.addHandler(WebSocketHandler(plan.terms, connection.mailbox))
                    guard case .changing(let early) = state else { return }
                    state = .over
                    promise.succeed(connection)
                    for data in early { context.fireChannelRead(data) }
                    context.fireChannelReadComplete()
                    pipeline.removeHandler(self, promise: nil)
                } catch {
                    refuse(context, Problems.upgradeInvalid("\(plan.address.origin)"))
                }
            }
    }

    func channelInactive(context: ChannelHandlerContext) {
        refuse(context, Problems.upgradeInvalid("\(plan.address.origin)"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        refuse(context, Problems.upgradeInvalid("\(plan.address.origin)"))
    }

    private func refuse(_ context: ChannelHandlerContext, _ problem: Problem) {
        if case .over = state { return }
        state = .over
        promise.fail(problem)
        context.close(promise: nil)
    }
}
