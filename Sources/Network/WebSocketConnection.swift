import NIOCore
import NIOWebSocket
import Synchronization
import Values

/// One message, its fragments joined.
public enum WebSocketMessage: Sendable, Hashable {
    /// A text message.
    case text(String)
    /// A binary message.
    case binary([UInt8])

    /// Its bytes.
    var size: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .binary(let bytes): bytes.count
        }
    }
}

/// An open WebSocket.
///
/// Read `messages` to the end: it ends without error after `close()` or when the peer closes with code 1000 or
/// 1001, and throws a `Problem` otherwise: E-NET-052 ping unanswered, E-NET-053 idle, E-NET-054 closed with another
/// code, E-NET-055 cut, E-NET-056 message too large, E-NET-057 protocol broken. When messages are not taken the
/// socket is not read, so that the peer waits and nothing is dropped.
public final class WebSocketConnection: Sendable {
    /// What the peer sends, for one reader.
    public let messages: AsyncThrowingStream<WebSocketMessage, any Error>
    let mailbox: Mailbox
    private let channel: any Channel

    init(_ channel: any Channel) {
        self.channel = channel
        let mailbox = Mailbox(channel)
        self.mailbox = mailbox
        messages = AsyncThrowingStream(unfolding: { try await mailbox.next() })
    }

    deinit { channel.close(promise: nil) }

    /// Sends a text message; returns when it was handed to the network. Throws E-NET-058 when the stream is closed.
    public func send(text: String) async throws(Problem) {
        try await send(.text, ByteBuffer(string: text))
    }

    /// Sends a binary message; as `send(text:)`.
    public func send(binary: [UInt8]) async throws(Problem) {
        try await send(.binary, ByteBuffer(bytes: binary))
    }

    private func send(_ opcode: WebSocketOpcode, _ data: ByteBuffer) async throws(Problem) {
        do {
            try await channel.writeAndFlush(WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data))
        } catch {
            throw Problems.notOpen()
        }
    }

    /// Closes with code 1000, waits for the peer's answer or 5 s, and returns when the connection is gone.
    public func close() async {
        channel.triggerUserOutboundEvent(WebSocketHandler.Close(), promise: nil)
        try? await channel.closeFuture.get()
    }
}

/// Between the event loop and the reader: bounded by not reading the socket.
final class Mailbox: Sendable {
    private struct State {
        var messages: [WebSocketMessage] = []
        /// Index of the next message in `messages`.
        var first = 0
        /// Bytes of the messages not taken.
        var bytes = 0
        var end: Result<Void, Problem>?
        var waiting: CheckedContinuation<WebSocketMessage?, any Error>?
        var isPaused = false
    }

    private let state = Mutex(State())
    private let channel: any Channel

    init(_ channel: any Channel) { self.channel = channel }

    func next() async throws -> WebSocketMessage? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let resumes = state.withLock { state in
                    if state.first < state.messages.count {
                        let message = state.messages[state.first]
                        continuation.resume(returning: message)
                        state.first += 1
                        state.bytes -= message.size
                        if state.first == state.messages.count {
                            state.messages.removeAll(keepingCapacity: true)
                            state.first = 0
                        }
                        let resumes =
                            state.isPaused && state.messages.count - state.first < Limits.webSocketBacklog / 2
                            && state.bytes < Limits.webSocketBacklogBytes / 2
                        if resumes { state.isPaused = false }
                        return resumes
                    }
                    if let end = state.end {
                        continuation.resume(with: end.map { nil }.mapError { $0 as any Error })
                    } else if Task.isCancelled {
                        continuation.resume(returning: nil)
                    } else {
                        state.waiting = continuation
                    }
                    return false
                }
                if resumes { channel.pipeline.fireUserInboundEventTriggered(WebSocketHandler.Resume()) }
            }
        } onCancel: {
            state.withLock { state in
                state.waiting?.resume(returning: nil)
                state.waiting = nil
            }
        }
    }

    /// True when the reader is so far behind that the socket must rest.
    func put(_ message: WebSocketMessage) -> Bool {
        state.withLock { state in
            guard state.end == nil else { return false }
            if let waiting = state.waiting {
                state.waiting = nil
                waiting.resume(returning: message)
                return false
            }
            state.messages.append(message)
            state.bytes += message.size
            if state.messages.count - state.first >= Limits.webSocketBacklog
                || state.bytes >= Limits.webSocketBacklogBytes
            {
                state.isPaused = true
            }
            return state.isPaused
        }
    }

    /// The first end is the one that counts.
    func finish(_ end: Result<Void, Problem>) {
        state.withLock { state in
            guard state.end == nil else { return }
            state.end = end
            state.waiting?.resume(with: end.map { nil }.mapError { $0 as any Error })
            state.waiting = nil
        }
    }
}

/// Frames on the event loop: joins fragments, answers pings, watches for silence, closes in order.
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    /// The owner wants to close.
    struct Close: Sendable {}
    /// The reader has caught up.
    struct Resume: Sendable {}

    private enum State {
        case open
        /// Our close frame is out; its answer is awaited.
        case closing(Result<Void, Problem>)
        case closed
    }

    private enum Ping {
        case none
        case awaited(since: NIODeadline)
    }

    private let terms: WebSocketTerms
    private let mailbox: Mailbox
    private var state = State.open
    private var ping = Ping.none
    private var lastHeard = NIODeadline.now()
    private var lastPing = NIODeadline.now()
    private var watchdog: Scheduled<Void>?
    private var closeDeadline: Scheduled<Void>?
    private var isPaused = false
    /// A message whose last fragment is still to come.
    private var partial: (opcode: WebSocketOpcode, bytes: [UInt8])?

    init(_ terms: WebSocketTerms, _ mailbox: Mailbox) {
        self.terms = terms
        self.mailbox = mailbox
    }

    func handlerAdded(context: ChannelHandlerContext) {
        lastHeard = .now()
        lastPing = lastHeard
        watch(context)
    }

    // MARK: silence

    private func watch(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        var next: NIODeadline?
        func consider(_ deadline: NIODeadline) { next = min(next ?? deadline, deadline) }
        // While we do not read we cannot hear: silence means nothing then.
        if !isPaused {
            if case .awaited(let since) = ping {
                let deadline = since + .milliseconds(Int64(terms.pongTimeout))
                if deadline <= now {
                    end(context, .failure(Problems.pongMissed()))
                    return
                }
                consider(deadline)
            }
            if terms.idleTimeout > 0 {
                let deadline = lastHeard + .milliseconds(Int64(terms.idleTimeout))
                if deadline <= now {
                    end(context, .failure(Problems.idle(terms.idleTimeout)))
                    return
                }
                consider(deadline)
            }
            if terms.pingInterval > 0, case .none = ping {
                var deadline = lastPing + .milliseconds(Int64(terms.pingInterval))
                if deadline <= now {
                    ping = .awaited(since: now)
                    lastPing = now
                    write(context, .ping, ByteBuffer(string: "datong"))
                    deadline = now + .milliseconds(Int64(terms.pongTimeout))
                }
                consider(deadline)
            }
        }
        watchdog?.cancel()
        watchdog = nil
        guard let next else { return }
        watchdog = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) { [self] in
            if case .open = state { watch(context) }
        }
    }

    // MARK: frames

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        lastHeard = .now()
        if case .closed = state { return }
        guard frame.maskKey == nil else {
            fail(context, .protocolError, Problems.protocolBroken("服务器帧带掩码", "a server's frame is masked"))
            return
        }
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
            fail(context, .protocolError, Problems.protocolBroken("使用了未约定的扩展", "an extension nobody agreed on"))
            return
        }
        switch frame.opcode {
        case .ping:
            // A peer that does not read our answers gets none: they would pile up here.
            if case .open = state, context.channel.isWritable { write(context, .pong, frame.data) }
        case .pong: if case .awaited = ping { pongCame(context) }
        case .connectionClose: peerCloses(context, frame.data)
        case .text, .binary, .continuation: take(context, frame)
        default: fail(context, .protocolError, Problems.protocolBroken("未知操作码", "an unknown opcode"))
        }
    }

    private func pongCame(_ context: ChannelHandlerContext) {
        ping = .none
        watch(context)
    }

    private func take(_ context: ChannelHandlerContext, _ frame: WebSocketFrame) {
        guard case .open = state else { return }
        // Taken out before it grows: appending in place, or many small fragments would be copied over and over.
        var whole = partial ?? (frame.opcode, [])
        guard (frame.opcode == .continuation) == (partial != nil) else {
            fail(context, .protocolError, Problems.protocolBroken("分片次序错误", "fragments out of order"))
            return
        }
        partial = nil
        guard whole.bytes.count + frame.data.readableBytes <= terms.maxMessageBytes else {
            fail(context, .messageTooLarge, Problems.messageTooLarge(terms.maxMessageBytes))
            return
        }
        whole.bytes.append(contentsOf: frame.data.readableBytesView)
        guard frame.fin else {
            partial = whole
            return
        }
        let message: WebSocketMessage
        if whole.opcode == .text {
            guard let text = String(validating: whole.bytes, as: UTF8.self) else {
                fail(
                    context, .dataInconsistentWithMessage,
                    Problems.protocolBroken("文本不是 UTF-8", "text that is not UTF-8"))
                return
            }
            message = .text(text)
        } else {
            message = .binary(whole.bytes)
        }
        if mailbox.put(message), !isPaused {
            isPaused = true
            context.channel.setOption(.autoRead, value: false).whenFailure { _ in }
        }
    }

    // MARK: closing

    private func peerCloses(_ context: ChannelHandlerContext, _ data: ByteBuffer) {
        var data = data
        let code = data.readInteger(as: UInt16.self).map(Int.init) ?? 1005
        switch state {
        case .open:
            // 1000 and 1001: done, or going away. 1005: no code given.
            let clean = [1000, 1001, 1005].contains(code)
            var echo = ByteBuffer()
            if code != 1005 { echo.writeInteger(UInt16(code)) }
            write(context, .connectionClose, echo)
            end(context, clean ? .success(()) : .failure(Problems.closedByPeer(code)))
        case .closing(let result): end(context, result)
        case .closed: break
        }
    }

    /// The peer broke a rule: tell it which and close.
    private func fail(_ context: ChannelHandlerContext, _ code: WebSocketErrorCode, _ problem: Problem) {
        beginClose(context, code, .failure(problem))
    }

    private func beginClose(
        _ context: ChannelHandlerContext, _ code: WebSocketErrorCode, _ result: Result<Void, Problem>
    ) {
        guard case .open = state else { return }
        state = .closing(result)
        mailbox.finish(result)
        watchdog?.cancel()
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        write(context, .connectionClose, data)
        resume(context)
        closeDeadline = context.eventLoop.assumeIsolated().scheduleTask(
            in: .milliseconds(Int64(Limits.webSocketCloseMilliseconds))
        ) { [self] in end(context, result) }
    }

    private func end(_ context: ChannelHandlerContext, _ result: Result<Void, Problem>) {
        if case .closed = state { return }
        state = .closed
        mailbox.finish(result)
        watchdog?.cancel()
        closeDeadline?.cancel()
        context.close(promise: nil)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        if event is Close {
            beginClose(context, .normalClosure, .success(()))
            promise?.succeed()
        } else {
            context.triggerUserOutboundEvent(event, promise: promise)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is Resume {
            resume(context)
            if case .open = state { watch(context) }
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func resume(_ context: ChannelHandlerContext) {
        guard isPaused else { return }
        isPaused = false
        lastHeard = .now()
        // A pong may lie unread in the socket.
        if case .awaited = ping { ping = .awaited(since: lastHeard) }
        context.channel.setOption(.autoRead, value: true).whenFailure { _ in }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .open = state else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        context.write(data, promise: promise)
    }

    private func write(_ context: ChannelHandlerContext, _ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        context.writeAndFlush(
            wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .closing(let result) = state {
            end(context, result)
        } else {
            end(context, .failure(Problems.streamCut()))
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength:
            fail(context, .messageTooLarge, Problems.messageTooLarge(terms.maxMessageBytes))
        case is NIOWebSocketError:
            fail(context, .protocolError, Problems.protocolBroken("帧无效", "a frame is not valid"))
        default:
            end(context, .failure(Problems.streamCut()))
        }
    }
}
