import NIOCore
import NIOWebSocket

/// What came over a WebSocket.
public enum SimSocketMessage: Sendable, Hashable {
    /// A text message.
    case text(String)
    /// A binary message.
    case binary([UInt8])
    /// A control frame of the client; already answered.
    case ping([UInt8])
    /// The answer to our own control frame.
    case pong([UInt8])
}

/// One WebSocket connection of a client.
public final class SimSocket: Sendable {
    /// Messages in their order; ends when the connection does.
    public let messages: AsyncStream<SimSocketMessage>
    private let channel: any Channel

    init(channel: any Channel, messages: AsyncStream<SimSocketMessage>) {
        self.channel = channel
        self.messages = messages
    }

    /// Sends a text message; false when the connection is gone.
    @discardableResult
    public func send(_ text: String) async -> Bool {
        await write(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: text)))
    }

    /// Sends a ping control frame; false when the connection is gone.
    @discardableResult
    public func ping(_ bytes: [UInt8] = []) async -> Bool {
        await write(WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer(bytes: bytes)))
    }

    /// Says good-bye with a close frame, then closes.
    public func close(code: Int = 1000) async {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: WebSocketErrorCode(codeNumber: code))
        _ = await write(WebSocketFrame(fin: true, opcode: .connectionClose, data: data))
        try? await channel.close().get()
    }

    /// Closes TCP without a word, as a broken line does.
    public func drop() async { try? await channel.close().get() }

    /// True while the connection is open.
    public var isOpen: Bool { channel.isActive }

    private func write(_ frame: WebSocketFrame) async -> Bool {
        do {
            try await channel.writeAndFlush(frame).get()
            return true
        } catch {
            return false
        }
    }
}

/// Refuses unmasked frames (RFC 6455, 5.1). Before the aggregator, which takes the masks off.
final class MaskHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard unwrapInboundIn(data).maskKey == nil else { return context.fireChannelRead(data) }
        context.leave(.protocolError)
    }
}

extension ChannelHandlerContext {
    /// Sends a close frame, then closes.
    fileprivate func leave(_ code: WebSocketErrorCode) {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        let channel = channel
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
        channel.writeAndFlush(frame).whenComplete { _ in channel.close(promise: nil) }
    }
}

/// Turns frames into messages; answers pings and close frames.
final class SocketHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let feed: AsyncStream<SimSocketMessage>.Continuation

    init(feed: AsyncStream<SimSocketMessage>.Continuation) { self.feed = feed }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        let bytes = Array(frame.unmaskedData.readableBytesView)
        switch frame.opcode {
        case .text:
            guard let text = String(validating: bytes, as: UTF8.self) else {
                return context.leave(.dataInconsistentWithMessage)
            }
            feed.yield(.text(text))
        case .binary: feed.yield(.binary(bytes))
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, data: ByteBuffer(bytes: bytes))
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
            feed.yield(.ping(bytes))
        case .pong: feed.yield(.pong(bytes))
        case .connectionClose:
            let close = WebSocketFrame(fin: true, opcode: .connectionClose, data: ByteBuffer(bytes: bytes.prefix(2)))
            let channel = context.channel
            context.writeAndFlush(wrapOutboundOut(close)).whenComplete { _ in channel.close(promise: nil) }
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        feed.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        feed.finish()
        context.close(promise: nil)
    }
}
