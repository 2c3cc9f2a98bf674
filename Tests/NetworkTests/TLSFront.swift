import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// A certificate authority of the test's own, made by the openssl command in a directory that goes with the test.
final class Authority: Sendable {
    let directory: String
    var caFile: String { directory + "/ca.pem" }
    var certificateFile: String { directory + "/server.pem" }
    var keyFile: String { directory + "/server.key" }
    /// `sha256//…` of the server's key, computed by openssl.
    let pin: String

    struct CommandFailed: Error { let command: String }

    init(names: String = "DNS:localhost,IP:127.0.0.1") throws {
        var template = Array("/tmp/datong-network-XXXXXX".utf8CString)
        directory = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
        let files = directory
        func run(_ command: String) throws {
            guard system("cd \(files) && (\(command)) >>log 2>&1") == 0 else { throw CommandFailed(command: command) }
        }
        let newKey = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        try run("openssl req -x509 \(newKey) -keyout ca.key -out ca.pem -days 2 -subj '/CN=Test CA'")
        try run("openssl req \(newKey) -keyout server.key -out server.csr -subj '/CN=server'")
        try run("echo 'subjectAltName=\(names)' > extensions")
        try run(
            "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out server.pem"
        )
        try run("openssl pkey -in server.key -pubout -outform DER | openssl dgst -sha256 -binary | base64 > pin")
        guard let file = fopen(directory + "/pin", "r") else { throw CommandFailed(command: "pin") }
        var buffer = [CChar](repeating: 0, count: 100)
        _ = fgets(&buffer, 100, file)
        fclose(file)
        pin = "sha256//" + String(decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8($0) }, as: UTF8.self)
    }

    func remove() { _ = system("rm -rf \(directory)") }
}

/// Speaks TLS in front of a plain server and passes the bytes on.
final class TLSFront: Sendable {
    let port: Int
    private let channel: any Channel

    init(_ authority: Authority, to target: Int) async throws {
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: NIOSSLCertificate.fromPEMFile(authority.certificateFile).map { .certificate($0) },
                privateKey: .privateKey(NIOSSLPrivateKey(file: authority.keyFile, format: .pem))))
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { inner in
                inner.eventLoop.makeCompletedFuture {
                    try inner.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                }.flatMap {
                    ClientBootstrap(group: inner.eventLoop).channelInitializer { outer in
                        outer.eventLoop.makeCompletedFuture {
                            try outer.pipeline.syncOperations.addHandler(Pipe(inner))
                        }
                    }.connect(host: "127.0.0.1", port: target)
                }.flatMap { outer in
                    inner.eventLoop.makeCompletedFuture {
                        try inner.pipeline.syncOperations.addHandler(Pipe(outer))
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress!.port!
    }

    func stop() async throws { try await channel.close() }
}

/// Writes into another channel what it reads from its own.
private final class Pipe: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let other: any Channel

    init(_ other: any Channel) { self.other = other }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        other.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }
    func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Runs a test against a plain server with TLS in front of it.
func withTLS<T>(
    _ script: @escaping @Sendable (LoopbackServer.Peer) -> Void, names: String = "DNS:localhost,IP:127.0.0.1",
    _ test: (TLSFront, Authority, LoopbackServer) async throws -> T
) async throws -> T {
    let authority = try Authority(names: names)
    defer { authority.remove() }
    return try await withServer(script) { server in
        let front = try await TLSFront(authority, to: server.port)
        do {
            let value = try await test(front, authority, server)
            try await front.stop()
            return value
        } catch {
            try await front.stop()
            throw error
        }
    }
}

/// A proxy that knows CONNECT: passes a tunnel on to the port the client asks for.
func tunnel(_ peer: LoopbackServer.Peer, _ notes: Notes<LoopbackServer.Seen>) {
    guard let request = peer.request() else { return }
    notes.add(request)
    let target = request.line.split(separator: " ")[1].split(separator: ":").last.flatMap { UInt16($0) } ?? 0
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = target.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let connected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    let server = LoopbackServer.Peer(descriptor)
    defer { server.finish() }
    guard connected == 0 else { return }
    peer.write("HTTP/1.1 200 Connection established\r\n\r\n")
    var watched = [
        pollfd(fd: peer.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
    ]
    while poll(&watched, 2, -1) > 0 {
        for (index, ends) in [(peer, server), (server, peer)].enumerated() where watched[index].revents != 0 {
            let bytes = ends.0.read()
            if bytes.isEmpty || !ends.1.write(bytes) { return }
        }
    }
}
