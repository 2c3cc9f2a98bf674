import Glibc
import WorkerCore

/// What a worker says, taken out of its frame.
enum Message {
    case hello(Hello)
    case refused(Refusal)
    /// The first word of another protocol, with its number.
    case otherProtocol(UInt32)
    case result(call: UInt64, [UInt8])
    case service(call: UInt64, ServiceQuestion)
    case note(call: UInt64, PluginNote)
    case goodbye

    init(_ frame: Frame) throws(WireError) {
        var other: UInt32 = 0
        switch frame.kind {
        case DW_HELLO:
            let hello = try Hello.decode(frame.body, other: &other)
            self = hello.map { .hello($0) } ?? .otherProtocol(other)
        case DW_REFUSED:
            let refusal = try Refusal.decode(frame.body, other: &other)
            self = refusal.map { .refused($0) } ?? .otherProtocol(other)
        case DW_OPENED, DW_RESULT: self = .result(call: frame.id, frame.body)
        case DW_SERVICE: self = .service(call: frame.id, try ServiceQuestion(frame))
        case DW_NOTE: self = .note(call: frame.id, try PluginNote(frame.body))
        case DW_GOODBYE: self = .goodbye
        default: throw WireError(what: "unknown kind")
        }
    }
}

/// The host's ear: bytes off the socket, messages out of them. Used on the switchboard's thread only.
final class Incoming: Sendable {
    private let socket: Descriptor
    /// The beginning of a frame whose rest is still to come.
    private nonisolated(unsafe) var input: [UInt8] = []
    private nonisolated(unsafe) var isOver = false

    init(_ socket: Descriptor) { self.socket = socket }

    /// Read once, or until nothing is there, and hand on every whole message. True when this was the end of the
    /// conversation, which is told once; a throw is the end as well.
    func read(untilEmpty: Bool, _ hear: (Message) throws(WireError) -> Void) throws(WireError) -> Bool {
        let buffer = Switchboard.shared.buffer
        while !isOver {
            let count = recv(socket.number, buffer.baseAddress, buffer.count, 0)
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { return false }
            if count <= 0 {
                isOver = true
                return true
            }
            input.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
            do throws(WireError) {
                for frame in try Frame.take(from: &input) { try hear(try Message(frame)) }
            } catch {
                isOver = true
                throw error
            }
            if !untilEmpty { return false }
        }
        return false
    }
}
