import CCurl
import Glibc
import Values

/// A request as it goes out, secrets filled in: URL, header lines and body in one block that is wiped when the
/// exchange ends. Never printed, never copied into an error.
final class Wire: @unchecked Sendable {
    private let block: UnsafeMutableRawPointer
    private let capacity: Int
    private let nodes: UnsafeMutablePointer<curl_slist>
    private let bodyOffset: Int

    /// Bytes of the body.
    let bodyCount: Int
    /// The URL holds a secret: libcurl must not keep its handle's copy.
    let urlHoldsSecret: Bool
    /// Header lines for the server.
    let headers: UnsafeMutablePointer<curl_slist>?
    /// Header lines for the proxy.
    let proxyHeaders: UnsafeMutablePointer<curl_slist>?

    var url: UnsafePointer<CChar> { UnsafePointer(block.assumingMemoryBound(to: CChar.self)) }
    var body: UnsafeMutableRawPointer { block + bodyOffset }

    /// Fills in the secrets. Throws E-NET-010 … E-NET-014, or what the secret source throws.
    init(
        _ request: HTTPRequest, address: Address, proxy: EgressPolicy.Proxy?, secrets: SecretSource
    ) throws(Problem) {
        try Self.check(request, address)
        var writer = Writer(
            reserving: request.url.utf8.count + request.body.count
                + request.headers.reduce(256) { $0 + $1.name.utf8.count + $1.value.count + 4 })
        do throws(Problem) {
            var lines: [Int] = []
            lines.reserveCapacity(request.headers.count + 4)
            let url = Array(request.url.utf8)
            try writer.part(url, .url, request.insertions, secrets)
            writer.byte(0)

            let cookie = request.cookies?.header(for: address)
            var hasType = false
            var hasAgent = false
            var cookieSent = cookie == nil
            for (index, header) in request.headers.enumerated() {
                let start = writer.count
                lines.append(start)
                writer.text(header.name)
                let mark = writer.count
                writer.text(": ")
                let value = writer.count
                try writer.part(header.value, .header(index), request.insertions, secrets)
                switch header.name.utf8.count {
                case 6 where header.name.lowercased() == "cookie":
                    if let cookie, !cookieSent {
                        if writer.count > value { writer.text("; ") }
                        writer.bytes(cookie)
                        cookieSent = true
                    }
                case 10 where header.name.lowercased() == "user-agent": hasAgent = true
                case 12 where header.name.lowercased() == "content-type": hasType = true
                default: break
                }
                // libcurl's spelling of a header without a value.
                if writer.isBlank(from: value) { writer.replace(from: mark, with: UInt8(ascii: ";")) }
                writer.byte(0)
            }
            if let cookie, !cookieSent {
                lines.append(writer.count)
                writer.text("Cookie: ")
                writer.bytes(cookie)
                writer.byte(0)
            }
            if !hasAgent {
                lines.append(writer.count)
                writer.text("User-Agent: datong\0")
            }
            if !hasType {
                // libcurl would claim a form.
                lines.append(writer.count)
                writer.text("Content-Type:\0")
            }
            // No waiting for 100 Continue: many on-premise servers never send it.
            lines.append(writer.count)
            writer.text("Expect:\0")
            let serverLines = lines.count
            if let credentials = proxy?.credentials {
                lines.append(writer.count)
                writer.text("Proxy-Authorization: Basic ")
                var lent = false
                try secrets(credentials) { value in
                    lent = true
                    Base64.encode(value) { writer.byte($0) }
                }
                guard lent else { throw Problems.noSecrets(credentials) }
                writer.byte(0)
            }
            guard writer.count <= Limits.urlBytes + Limits.requestHeaderBytes else {
                throw Problems.malformedRequest("请求头过大", "the headers are too large")
            }
            bodyOffset = writer.count
            try writer.part(request.body, .body, request.insertions, secrets)
            bodyCount = writer.count - bodyOffset

            (block, capacity) = writer.give()
            urlHoldsSecret = request.insertions.contains { $0.part == .url }
            nodes = .allocate(capacity: lines.count)
            for (position, line) in lines.enumerated() {
                let text = (block + line).assumingMemoryBound(to: CChar.self)
                let isLast = position == serverLines - 1 || position == lines.count - 1
                (nodes + position).initialize(to: curl_slist(data: text, next: isLast ? nil : nodes + position + 1))
            }
            headers = nodes
            proxyHeaders = lines.count > serverLines ? nodes + serverLines : nil
        } catch {
            writer.wipe()
            throw error
        }
    }

    deinit {
        explicit_bzero(block, capacity)
        free(block)
        nodes.deallocate()
    }

    /// Everything that can be refused before a secret is asked for.
    private static func check(_ request: HTTPRequest, _ address: Address) throws(Problem) {
        guard (1...16).contains(request.method.utf8.count),
            request.method.utf8.allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }),
            request.method != "CONNECT", request.method != "TRACE"
        else { throw Problems.malformedRequest("方法无效", "the method is not valid") }
        guard !address.isWebSocket else {
            throw Problems.malformedRequest("ws 网址不能用于 HTTP 请求", "a ws URL is not for an HTTP request")
        }
        let times = 1...Limits.longestMilliseconds
        guard times.contains(request.timeoutMilliseconds), times.contains(request.connectTimeoutMilliseconds),
            request.maxReplyBytes >= 0
        else {
            throw Problems.malformedRequest("期限或上限无效", "a time-out or a limit is not valid")
        }
        guard request.body.count <= Limits.requestBodyBytes else {
            throw Problems.malformedRequest("正文过大", "the body is too large")
        }
        guard request.headers.count <= Limits.requestHeaders else {
            throw Problems.malformedRequest("请求头过多", "there are too many headers")
        }
        for header in request.headers {
            guard !header.name.isEmpty, header.name.utf8.allSatisfy(isTokenByte) else {
                throw Problems.malformedRequest("请求头名称无效", "a header's name is not valid")
            }
            guard header.value.allSatisfy(isHeaderByte) else {
                throw Problems.malformedRequest("请求头 \(header.name) 含换行", "header \(header.name) holds a line break")
            }
            let name = header.name.lowercased()
            if reservedHeaders.contains(name) || name.hasPrefix("proxy-") { throw Problems.reservedHeader(header.name) }
        }
        guard request.insertions.count <= Limits.insertions else {
            throw Problems.malformedRequest("插入过多", "there are too many insertions")
        }
        try checkInsertions(request, address)
    }

    private static func checkInsertions(_ request: HTTPRequest, _ address: Address) throws(Problem) {
        var last: [Insertion.Part: Int] = [:]
        for insertion in request.insertions {
            let count: Int
            switch insertion.part {
            case .url: count = request.url.utf8.count
            case .header(let index):
                guard request.headers.indices.contains(index) else {
                    throw Problems.insertionOutside(insertion.secret, "没有该请求头", "there is no such header")
                }
                count = request.headers[index].value.count
            case .body: count = request.body.count
            }
            guard (0...count).contains(insertion.offset) else {
                throw Problems.insertionOutside(insertion.secret, "超出范围", "it lies outside")
            }
            if insertion.part == .url, insertion.offset <= address.authorityEnd {
                throw Problems.insertionOutside(insertion.secret, "不得在主机名内", "it would choose the host")
            }
            guard insertion.offset >= last[insertion.part] ?? 0 else {
                throw Problems.insertionOutside(insertion.secret, "次序错误", "insertions of a part must ascend")
            }
            last[insertion.part] = insertion.offset
        }
    }

    /// What decides the framing of the message or the host it is for.
    static let reservedHeaders: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "expect", "upgrade", "te", "trailer",
        "http2-settings",
    ]

    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default:
            "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    static func isHeaderByte(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7f || byte == 0x09 }
}

/// Grows a block on the C heap and wipes every copy it leaves behind.
private struct Writer {
    private var block: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    init(reserving bytes: Int) {
        capacity = max(bytes, 64)
        block = malloc(capacity)!
    }

    private mutating func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        let grown = max(count + more, capacity * 2)
        let fresh = malloc(grown)!
        fresh.copyMemory(from: block, byteCount: count)
        explicit_bzero(block, capacity)
        free(block)
        (block, capacity) = (fresh, grown)
    }

    mutating func bytes(_ source: UnsafeRawBufferPointer) {
        guard let base = source.baseAddress, source.count > 0 else { return }
        reserve(source.count)
        (block + count).copyMemory(from: base, byteCount: source.count)
        count += source.count
    }

    mutating func bytes(_ source: [UInt8]) { source.withUnsafeBytes { bytes($0) } }

    mutating func byte(_ value: UInt8) {
        reserve(1)
        block.storeBytes(of: value, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    mutating func text(_ value: String) {
        for value in value.utf8 { byte(value) }
    }

    func isBlank(from start: Int) -> Bool {
        UnsafeRawBufferPointer(start: block + start, count: count - start).allSatisfy { $0 == 0x20 || $0 == 0x09 }
    }

    mutating func replace(from start: Int, with value: UInt8) {
        count = start
        byte(value)
    }

    /// One part of a request with its insertions.
    mutating func part(
        _ source: [UInt8], _ part: Insertion.Part, _ insertions: [Insertion], _ secrets: SecretSource
    ) throws(Problem) {
        var done = 0
        for insertion in insertions where insertion.part == part {
            source.withUnsafeBytes { bytes(UnsafeRawBufferPointer(rebasing: $0[done..<insertion.offset])) }
            done = insertion.offset
            let start = count
            var size: Int?
            try secrets(insertion.secret) { value in
                size = value.count
                if value.count <= Limits.insertedBytes { bytes(value) }
            }
            guard let size else { throw Problems.noSecrets(insertion.secret) }
            guard size <= Limits.insertedBytes else {
                throw Problems.insertionOutside(insertion.secret, "值过大", "the value is too large")
            }
            let filled = UnsafeRawBufferPointer(start: block + start, count: count - start)
            switch part {
            case .url:
                guard filled.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") }) else {
                    throw Problems.insertionBreaks(insertion.secret, "URL")
                }
            case .header:
                guard filled.allSatisfy(Wire.isHeaderByte) else {
                    throw Problems.insertionBreaks(insertion.secret, "header")
                }
            case .body: break
            }
        }
        if done == 0 {
            bytes(source)
        } else {
            source.withUnsafeBytes { bytes(UnsafeRawBufferPointer(rebasing: $0[done...])) }
        }
    }

    /// Hands the block over; the new owner wipes and frees it.
    func give() -> (UnsafeMutableRawPointer, Int) { (block, capacity) }

    func wipe() {
        explicit_bzero(block, capacity)
        free(block)
    }
}
