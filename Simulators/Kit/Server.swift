import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Synchronization

/// An HTTP/1.1 and WebSocket server on loopback that lets a simulator answer, and misbehaves where it was told to.
///
/// Beside the vendor's own paths it answers `/_sim/faults` (GET, POST one object or a list, DELETE), `/_sim/journal`
/// (GET, DELETE), `/_sim/books` (GET), `/_sim/ready` (GET), and hands every other `/_sim/…` to the simulator.
public final class SimulatorServer: Sendable {
    /// The planned misbehaviours.
    public let faults: FaultPlan
    /// What was asked and answered.
    public let journal: Journal

    private struct State {
        var listener: (any Channel)?
        var connections: [ObjectIdentifier: any Channel] = [:]
    }

    private let service: any SimulatorService
    private let port: Int
    private let state = Mutex(State())

    /// A server for one simulator; port 0 takes a free one.
    public init(_ service: any SimulatorService, port: Int = 0, seed: UInt64 = 1) {
        self.service = service
        self.port = port
        faults = FaultPlan(seed: seed)
        journal = Journal(secrets: service.secretNames)
    }

    /// A server that answers by a closure.
    public convenience init(_ answer: @escaping @Sendable (SimRequest) async -> SimResponse) {
        self.init(Routes(answer))
    }

    /// Listens on 127.0.0.1; gives `http://127.0.0.1:PORT`. Throws when the port is taken.
    @discardableResult
    public func start() async throws -> String {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.configure(channel) }
            }
            .bind(host: "127.0.0.1", port: port).get()
        state.withLock { $0.listener = listener }
        let url = "http://127.0.0.1:\(listener.localAddress?.port ?? 0)"
        await service.started(at: url)
        return url
    }

    /// Closes the port and every connection.
    public func stop() async {
        await service.stopped()
        let (listener, open) = state.withLock { state in
            let out = (state.listener, Array(state.connections.values))
            state = State()
            return out
        }
        try? await listener?.close().get()
        for channel in open { try? await channel.close().get() }
    }

    private func configure(_ channel: any Channel) throws {
        let id = ObjectIdentifier(channel)
        state.withLock { $0.connections[id] = channel }
        channel.closeFuture.whenComplete { _ in self.state.withLock { $0.connections[id] = nil } }

        let struck = Struck()
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: KitLimits.socketMessage,
            shouldUpgrade: { channel, head in
                let promise = channel.eventLoop.makePromise(of: HTTPHeaders?.self)
                let request = SimRequest(head, body: [], peer: channel.remoteAddress)
                Task { promise.succeed(await self.upgrade(request, struck) ? HTTPHeaders() : nil) }
                return promise.futureResult
            },
            upgradePipelineHandler: { channel, head in
                let request = SimRequest(head, body: [], peer: channel.remoteAddress)
                let (messages, feed) = AsyncStream<SimSocketMessage>.makeStream()
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        MaskHandler(),
                        NIOWebSocketFrameAggregator(
                            minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: KitLimits.socketFragments,
                            maxAccumulatedFrameSize: KitLimits.socketMessage),
                        SocketHandler(feed: feed),
                    ])
                    let socket = SimSocket(channel: channel, messages: messages)
                    Task {
                        await self.service.serve(socket, request: request)
                        await socket.drop()
                    }
                }
            })
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withServerUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in
                    guard let http = try? context.pipeline.syncOperations.handler(type: HTTPHandler.self) else {
                        return
                    }
                    context.pipeline.syncOperations.removeHandler(http, promise: nil)
                }
            ))
        try channel.pipeline.syncOperations.addHandler(HTTPHandler(server: self, struck: struck))
    }

    private func upgrade(_ request: SimRequest, _ struck: Struck) async -> Bool {
        let operation = service.operation(of: request)
        if let fault = faults.strike(operation: operation, path: request.path) {
            struck.set(.fault(fault))
            return false
        }
        struck.set(.nothing)
        guard await service.accepts(socket: request) else { return false }
        journal.note(request, operation: operation, fault: nil, answer: nil, at: service.clock.now())
        return true
    }

    fileprivate func answer(_ request: SimRequest, struck: Struck.Outcome?) async -> SimResponse {
        if request.path.hasPrefix("/_sim/") { return await control(request) }
        let operation = service.operation(of: request)
        let fault: Fault.Kind? =
            switch struck {
            case .fault(let kind): kind
            case .nothing: nil
            case nil: faults.strike(operation: operation, path: request.path)
            }
        let answer = await answer(request, under: fault)
        journal.note(request, operation: operation, fault: fault, answer: answer, at: service.clock.now())
        return answer
    }

    private func answer(_ request: SimRequest, under fault: Fault.Kind?) async -> SimResponse {
        guard let fault else { return await service.handle(request) }
        switch fault {
        case .slow(let milliseconds):
            try? await service.clock.sleep(milliseconds: milliseconds)
            return await service.handle(request)
        case .hang: return SimResponse(delivery: .never)
        case .loseAnswerAfterCommit:
            _ = await service.handle(request)
            return SimResponse(delivery: .closed)
        case .commitLate(let milliseconds):
            Task {
                try? await service.clock.sleep(milliseconds: milliseconds)
                let late = await service.handle(request)
                journal.note(
                    request, operation: service.operation(of: request), fault: fault, answer: late,
                    at: service.clock.now())
            }
            return SimResponse(delivery: .closed)
        case .cutBody:
            var whole = await service.handle(request)
            whole.delivery = .cut
            return whole
        case .cutJSON:
            var whole = await service.handle(request)
            whole.body.removeLast(whole.body.count / 2)
            return whole
        case .hugeBody:
            _ = await service.handle(request)
            return SimResponse(
                headers: [("Content-Type", "application/json")], delivery: .huge(bytes: KitLimits.hugeBody))
        case .http500:
            return await service.answer(to: fault, request) ?? .text("internal error", status: 500)
        case .htmlPage:
            return await service.answer(to: fault, request)
                ?? .html("<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>")
        case .rateLimit:
            return await service.answer(to: fault, request)
                ?? SimResponse(status: 429, headers: [("Retry-After", "1")], body: Array("too fast".utf8))
        case .expireTokens, .vendor:
            if let answer = await service.answer(to: fault, request) { return answer }
            return await service.handle(request)
        }
    }

    private func control(_ request: SimRequest) async -> SimResponse {
        switch (request.method, request.path) {
        case ("GET", "/_sim/ready"): return .json(["ready": true])
        case ("GET", "/_sim/faults"): return .json(faults.json)
        case ("POST", "/_sim/faults"):
            do {
                let json = try SimJSON.parse(request.body)
                let read = try (json.array ?? [json]).map { try Fault.read($0) }
                for fault in read { faults.add(fault) }
                return .json(faults.json)
            } catch {
                return .json(["error": .string("\(error)")], status: 400)
            }
        case ("DELETE", "/_sim/faults"):
            faults.clear()
            return .json([])
        case ("GET", "/_sim/journal"): return .json(journal.json)
        case ("DELETE", "/_sim/journal"):
            journal.clear()
            return .json([])
        case ("GET", "/_sim/books"): return .json(await service.books())
        default:
            return await service.control(request)
                ?? .json(["error": .string("no control \(request.method) \(request.path)")], status: 404)
        }
    }
}

/// What the upgrade decision of a connection's first request already struck, so that the request is not struck twice.
private final class Struck: Sendable {
    enum Outcome {
        case nothing
        case fault(Fault.Kind)
    }

    private let outcome = Mutex<Outcome?>(nil)

    func set(_ new: Outcome) { outcome.withLock { $0 = new } }

    func take() -> Outcome? {
        outcome.withLock { outcome in
            defer { outcome = nil }
            return outcome
        }
    }
}

extension SimRequest {
    init(_ head: HTTPRequestHead, body: [UInt8], peer: SocketAddress?) {
        self.init(
            method: head.method.rawValue, target: head.uri, headers: head.headers.map { ($0.name, $0.value) },
            body: body, peer: "\(peer?.ipAddress ?? ""):\(peer?.port ?? 0)")
    }
}

/// Collects a request, asks the server for the answer, and delivers it as told.
private final class HTTPHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case idle
        case reading(HTTPRequestHead)
        /// Too large and told so: the rest is not looked at.
        case refused
    }

    private let server: SimulatorServer
    private let struck: Struck
    private var state = State.idle
    private var body: [UInt8] = []

    init(server: SimulatorServer, struck: Struck) {
        self.server = server
        self.struck = struck
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (unwrapInboundIn(data), state) {
        case (.head(let head), .idle):
            if head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) {
                let proceed = HTTPResponseHead(version: head.version, status: .continue)
                context.writeAndFlush(wrapOutboundOut(.head(proceed)), promise: nil)
            }
            body = []
            state = .reading(head)
        case (.body(let part), .reading(let head)):
            body += part.readableBytesView
            guard body.count > KitLimits.requestBody else { return }
            body = []
            state = .refused
            let channel = context.channel
            Task {
                await channel.deliver(.text("request too large", status: 413), to: head)
                try? await channel.close().get()
            }
        case (.end, .reading(let head)):
            state = .idle
            let request = SimRequest(head, body: body, peer: context.remoteAddress)
            body = []
            let channel = context.channel
            let server = server
            let already = struck.take()
            Task {
                let answer = await server.answer(request, struck: already)
                await channel.deliver(answer, to: head)
            }
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A refused upgrade is no broken connection: the request comes through as a plain one.
        if error is NIOWebSocketUpgradeError { return }
        context.close(promise: nil)
    }
}

extension Channel {
    fileprivate func deliver(_ answer: SimResponse, to request: HTTPRequestHead) async {
        var head = HTTPResponseHead(
            version: request.version, status: HTTPResponseStatus(statusCode: answer.status),
            headers: HTTPHeaders(answer.headers.map { ($0.name, $0.value) }))
        do {
            switch answer.delivery {
            case .never: return
            case .closed: try await close().get()
            case .whole:
                head.headers.replaceOrAdd(name: "Content-Length", value: "\(answer.body.count)")
                if !request.isKeepAlive { head.headers.replaceOrAdd(name: "Connection", value: "close") }
                write(HTTPServerResponsePart.head(head), promise: nil)
                if request.method != .HEAD {
                    write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: answer.body))), promise: nil)
                }
                try await writeAndFlush(HTTPServerResponsePart.end(nil)).get()
                if !request.isKeepAlive { try await close().get() }
            case .cut:
                head.headers.replaceOrAdd(name: "Content-Length", value: "\(max(answer.body.count, 2))")
                write(HTTPServerResponsePart.head(head), promise: nil)
                let half = ByteBuffer(bytes: answer.body.prefix(answer.body.count / 2))
                try await writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(half))).get()
                try await close().get()
            case .huge(let bytes):
                write(HTTPServerResponsePart.head(head), promise: nil)
                try await writeAndFlush(
                    HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: "{\"data\":\"")))
                ).get()
                let chunk = ByteBuffer(repeating: UInt8(ascii: "x"), count: KitLimits.hugeChunk)
                for _ in 0..<(bytes / KitLimits.hugeChunk) {
                    try await writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(chunk))).get()
                }
                write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: "\"}"))), promise: nil)
                try await writeAndFlush(HTTPServerResponsePart.end(nil)).get()
            }
        } catch {
            // The client has gone: that is its right, and some tests wait for exactly this.
            close(promise: nil)
        }
    }
}
