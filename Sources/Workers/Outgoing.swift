import Glibc
import Synchronization

/// The host's mouth: frames wait here and leave with as few system calls as can be. Nobody waits for room: the one who
/// finds nobody writing writes for all, and what does not fit goes when the switchboard hears of room.
final class Outgoing: Sendable {
    private enum Writer {
        case idle
        case writing
        /// The socket was full: the rest goes first when it has room again.
        case full(rest: [UInt8], from: Int)
    }

    private struct State {
        var frames: [UInt8] = []
        var writer = Writer.idle
    }

    private let socket: Descriptor
    private let worker: UInt64
    private let state = Mutex(State())

    /// `worker` is the number the switchboard knows the socket's worker by.
    init(_ socket: Descriptor, of worker: UInt64) {
        self.socket = socket
        self.worker = worker
    }

    /// Add a frame; it leaves with the next `flush`.
    func append(_ kind: UInt32, flags: UInt16 = 0, id: UInt64, body: [UInt8] = []) {
        state.withLock { Frame.append(kind, flags: flags, id: id, body: body, to: &$0.frames) }
    }

    /// Write what there is, unless somebody does already: then they take ours along.
    func flush() {
        let mine: Bool = state.withLock { state in
            guard case .idle = state.writer, !state.frames.isEmpty else { return false }
            state.writer = .writing
            return true
        }
        if mine { write([], from: 0) }
    }

    /// On the switchboard's thread: the socket has room.
    func roomAgain() {
        let left: (rest: [UInt8], from: Int)? = state.withLock { state in
            guard case .full(let rest, let from) = state.writer else { return nil }
            state.writer = .writing
            return (rest, from)
        }
        guard let left else { return }
        Switchboard.shared.watch(socket.number, of: worker, as: .socket, writable: false, again: true)
        write(left.rest, from: left.from)
    }

    private func write(_ first: [UInt8], from start: Int) {
        var chunk = first
        var at = start
        while true {
            if at == chunk.count {
                chunk = state.withLock { state in
                    let next = state.frames
                    state.frames = []
                    if next.isEmpty { state.writer = .idle }
                    return next
                }
                at = 0
                if chunk.isEmpty { return }
            }
            let written = chunk.withUnsafeBytes { raw in
                Glibc.send(socket.number, raw.baseAddress! + at, raw.count - at, Int32(MSG_NOSIGNAL))
            }
            if written >= 0 {
                at += written
            } else if errno == EINTR {
                continue
            } else if errno == EAGAIN {
                state.withLock { $0.writer = .full(rest: chunk, from: at) }
                Switchboard.shared.watch(socket.number, of: worker, as: .socket, writable: true, again: true)
                return
            } else {
                // The other side is gone, or a frame is cut for want of memory: either way this is the end, and the
                // switchboard hears it.
                shutdown(socket.number, Int32(SHUT_RDWR))
                state.withLock { $0 = State() }
                return
            }
        }
    }
}
