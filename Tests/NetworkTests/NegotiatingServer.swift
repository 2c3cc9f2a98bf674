import NIOCore
import NIOHPACK
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

@testable import Network

/// A TLS server that offers protocols by ALPN and speaks the one that was chosen. A request's path says what becomes
/// of it; over HTTP/1.1 every request is answered.
///
/// - `/hold`: answered once `/release` comes on the same connection.
/// - `/reset`, `/refuse`: the stream alone is reset, as failed or as never looked at.
/// - `/leave`: GOAWAY that disowns the request, then the connection is closed.
/// - `/last`: GOAWAY after this request, which is still answered.
/// - anything else: answered.
final class NegotiatingServer: Sendable {
    struct Seen: Sendable, Hashable {
        var connection: Int
        var version: String
        var line: String
    }

    let port: Int
    let seen = Notes<Seen>()
    private let channel: any Channel

    init(_ authority: Authority, offers: [String]) async throws {
        var configuration = try TLSConfiguration.makeServerConfiguration(
            certificateChain: NIOSSLCertificate.fromPEMFile(authority.certificateFile).map { .certificate($0) },
            privateKey: .privateKey(NIOSSLPrivateKey(file: authority.keyFile, format: .pem)))
        configuration.applicationProtocols = offers
        let context = try NIOSSLContext(configuration: configuration)
        let connections = Counter()
        let seen = seen
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { inner in
                inner.eventLoop.makeCompletedFuture {
                    let connection = connections.next()
                    let choice = ApplicationProtocolNegotiationHandler { result, channel in
                        channel.eventLoop.makeCompletedFuture {
                            let pipeline = channel.pipeline.syncOperations
                            if case .negotiated("h2") = result {
                                try pipeline.addHandler(NIOHTTP2Handler(mode: .server))
                                try pipeline.addHandler(Streams(connection, seen))
                            } else {
                                try pipeline.configureHTTPServerPipeline()
                                try pipeline.addHandler(Requests(connection, seen))
                            }
                        }
                    }
                    try inner.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    try inner.pipeline.syncOperations.addHandler(choice)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress!.port!
    }

    func stop() async throws { try await channel.close() }
}

private final class Counter: Sendable {
    private let value = Mutex(0)
    func next() -> Int {
        value.withLock {
            $0 += 1
            return $0
        }
    }
}

private final class Streams: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    private let connection: Int
    private let seen: Notes<NegotiatingServer.Seen>
    private var lines: [HTTP2StreamID: String] = [:]
    private var held: [HTTP2StreamID] = []

    init(_ connection: Int, _ seen: Notes<NegotiatingServer.Seen>) {
        self.connection = connection
        self.seen = seen
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .headers(let part):
            lines[frame.streamID] = part.headers[":method"].joined() + " " + part.headers[":path"].joined()
            if part.endStream { act(context, frame.streamID) }
        case .data(let part):
            if part.endStream { act(context, frame.streamID) }
        default: break
        }
    }

    private func act(_ context: ChannelHandlerContext, _ stream: HTTP2StreamID) {
        let line = lines[stream] ?? ""
        seen.add(.init(connection: connection, version: "HTTP/2", line: line))
        switch line.split(separator: " ").last {
        case "/hold": held.append(stream)
        case "/release":
            for stream in held + [stream] { reply(context, stream) }
            held = []
        case "/reset": write(context, stream, .rstStream(.internalError))
        case "/refuse": write(context, stream, .rstStream(.refusedStream))
        case "/leave":
            write(context, .rootStream, .goAway(lastStreamID: .rootStream, errorCode: .noError, opaqueData: nil))
            context.close(promise: nil)
        case "/last":
            write(context, .rootStream, .goAway(lastStreamID: stream, errorCode: .noError, opaqueData: nil))
            reply(context, stream)
        default: reply(context, stream)
        }
    }

    private func reply(_ context: ChannelHandlerContext, _ stream: HTTP2StreamID) {
        write(context, stream, .headers(.init(headers: [":status": "200", "x-version": "2"])))
        write(context, stream, .data(.init(data: .byteBuffer(ByteBuffer(string: "{}")), endStream: true)))
    }

    private func write(_ context: ChannelHandlerContext, _ stream: HTTP2StreamID, _ payload: HTTP2Frame.FramePayload) {
        context.writeAndFlush(wrapOutboundOut(HTTP2Frame(streamID: stream, payload: payload)), promise: nil)
    }
}

private final class Requests: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let connection: Int
    private let seen: Notes<NegotiatingServer.Seen>
    private var line = ""

    init(_ connection: Int, _ seen: Notes<NegotiatingServer.Seen>) {
        self.connection = connection
        self.seen = seen
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): line = "\(head.method) \(head.uri)"
        case .body: break
        case .end:
            seen.add(.init(connection: connection, version: "HTTP/1.1", line: line))
            let headers: HTTPHeaders = ["content-length": "2", "x-version": "1.1"]
            context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: .ok, headers: headers))), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "{}")))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

/// Runs a test against such a server and stops it whatever happens.
func withNegotiation(
    offers: [String] = ["h2", "http/1.1"], _ test: (NegotiatingServer, EgressPolicy) async throws -> Void
) async throws {
    let authority = try Authority()
    defer { authority.remove() }
    let server = try await NegotiatingServer(authority, offers: offers)
    do {
        try await test(
            server, EgressPolicy(allow: ["https://localhost:\(server.port)"], caFile: authority.caFile))
    } catch {
        try await server.stop()
        throw error
    }
    try await server.stop()
}
