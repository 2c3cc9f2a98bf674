import Dispatch
import Foundation
import Glibc
import SimulatorKit

/// A WebSocket client of a few lines on a plain socket: independent of the library that the server is made of, and
/// able to break the protocol.
final class SocketClient: @unchecked Sendable {
    enum Frame: Equatable {
        case text(String)
        case ping(String)
        case pong(String)
        case close(Int)
        case gone
    }

    struct Refused: Error {
        let status: Int
    }

    private let descriptor: Int32
    private let queue = DispatchQueue(label: "socket client")

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { Glibc.close(descriptor) }

    /// Connects and upgrades; `Refused` with the status when the server does not.
    static func open(_ url: String) async throws -> SocketClient {
        let rest = url.drop { $0 != "/" }.dropFirst(2)
        let target = rest.drop { $0 != "/" }
        let host = rest.prefix { $0 != "/" }
        guard let port = UInt16(host.split(separator: ":").last ?? "") else { throw URLError(.badURL) }
        let client = SocketClient(descriptor: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        return try await client.run {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let connected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(client.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard connected == 0 else { throw URLError(.cannotConnectToHost) }
            var patience = timeval(tv_sec: 120, tv_usec: 0)
            setsockopt(client.descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            client.write(
                Array(
                    """
                    GET \(target) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
                    """.utf8))
            var head = ""
            while !head.hasSuffix("\r\n\r\n"), let byte = client.read(1)?.first {
                head.unicodeScalars.append(Unicode.Scalar(byte))
            }
            let status = Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0
            guard status == 101 else { throw Refused(status: status) }
            return client
        }
    }

    private func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }

    private func read(_ count: Int) -> [UInt8]? {
        var out: [UInt8] = []
        while out.count < count {
            var chunk = [UInt8](repeating: 0, count: count - out.count)
            let got = Glibc.read(descriptor, &chunk, chunk.count)
            guard got > 0 else { return nil }
            out += chunk.prefix(got)
        }
        return out
    }

    private func write(_ bytes: [UInt8]) { _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    /// Sends a frame; unmasked ones break the protocol on purpose.
    func send(_ text: String, opcode: UInt8 = 1, final: Bool = true, masked: Bool = true) {
        let bytes = Array(text.utf8)
        var out: [UInt8] = [(final ? 0x80 : 0) | opcode]
        let mask: UInt8 = masked ? 0x80 : 0
        if bytes.count < 126 {
            out.append(mask | UInt8(bytes.count))
        } else {
            out += [mask | 126, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)]
        }
        let key: [UInt8] = [0x12, 0x34, 0x56, 0x78]
        if masked { out += key }
        out += masked ? bytes.enumerated().map { $1 ^ key[$0 % 4] } : bytes
        write(out)
    }

    /// The next frame.
    func next() async throws -> Frame {
        try await run { [self] in
            guard let head = read(2) else { return .gone }
            var length = Int(head[1] & 0x7F)
            if length == 126 { length = (read(2) ?? [0, 0]).reduce(0) { $0 << 8 | Int($1) } }
            if length == 127 { length = (read(8) ?? []).reduce(0) { $0 << 8 | Int($1) } }
            guard let bytes = length == 0 ? [] : read(length) else { return .gone }
            let text = String(decoding: bytes, as: UTF8.self)
            switch head[0] & 0x0F {
            case 8: return .close(bytes.count >= 2 ? Int(bytes[0]) << 8 | Int(bytes[1]) : 0)
            case 9: return .ping(text)
            case 10: return .pong(text)
            default: return .text(text)
            }
        }
    }

    /// The next text frame as JSON.
    func json() async throws -> SimJSON {
        guard case .text(let text) = try await next() else { throw URLError(.networkConnectionLost) }
        return try SimJSON.parse(text)
    }

    /// Hangs up without a word.
    func drop() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}
