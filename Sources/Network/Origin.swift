import Glibc
import Values

/// Where a request goes: scheme, host and port. `wss` counts as `https` and `ws` as `http`, because the same
/// server answers both and the same trust is needed.
public struct Origin: Sendable, Hashable, CustomStringConvertible {
    /// `https` or `http`.
    public let scheme: String
    /// Lower case; an IPv6 address without its brackets.
    public let host: String
    /// 1...65535, also where the URL leaves it out.
    public let port: Int

    /// The origin of an absolute URL. The path, query and fragment may be anything a URL can hold.
    /// Throws E-NET-001 for what is no URL and E-NET-002 for one with a user name.
    public init(url: String) throws(Problem) {
        self = try Address(url).origin
    }

    init(scheme: String, host: String, port: Int) {
        self.scheme = scheme
        self.host = host
        self.port = port
    }

    /// `https://host` or `https://host:port`, as an allow-list writes it.
    public var description: String {
        let shown = host.contains(":") ? "[\(host)]" : host
        let usual = scheme == "https" ? 443 : 80
        return port == usual ? "\(scheme)://\(shown)" : "\(scheme)://\(shown):\(port)"
    }
}

/// A URL taken apart strictly. libcurl parses the same text again, so whatever two parsers could read
/// differently (user names, backslashes, short or octal IPv4 forms, non-ASCII) is refused here.
struct Address {
    let origin: Origin
    /// `ws` or `wss`.
    let isWebSocket: Bool
    /// Offset of the first byte after the authority: path, query or end.
    let authorityEnd: Int
    /// Path without query, at least "/".
    let path: String
    /// Path and query as they go onto the wire, at least "/". No fragment.
    let target: String

    init(_ url: String) throws(Problem) {
        let bytes = Array(url.utf8)
        guard !bytes.isEmpty, bytes.count <= Limits.urlBytes else {
            throw Problems.malformedURL("长度为 \(bytes.count) 字节", "it is \(bytes.count) bytes long")
        }
        if let bad = bytes.firstIndex(where: { $0 <= 0x20 || $0 >= 0x7f || $0 == UInt8(ascii: "\\") }) {
            throw Problems.malformedURL("第 \(bad) 字节不允许", "byte \(bad) is not allowed")
        }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon <= 5,
            bytes.count > colon + 3, bytes[colon + 1] == UInt8(ascii: "/"), bytes[colon + 2] == UInt8(ascii: "/")
        else {
            throw Problems.malformedURL("缺少 https://", "it does not begin with https://")
        }
        let written = String(decoding: bytes[..<colon], as: UTF8.self).lowercased()
        let scheme: String
        switch written {
        case "https", "wss": scheme = "https"
        case "http", "ws": scheme = "http"
        default: throw Problems.malformedURL("不支持的协议", "the scheme is not supported")
        }
        let start = colon + 3
        let end =
            bytes[start...].firstIndex {
                $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#")
            } ?? bytes.count
        let authority = bytes[start..<end]
        if authority.contains(UInt8(ascii: "@")) { throw Problems.userInfo() }
        let (host, port) = try Self.hostAndPort(authority)
        origin = Origin(scheme: scheme, host: host, port: port ?? (scheme == "https" ? 443 : 80))
        isWebSocket = written.hasPrefix("ws")
        authorityEnd = end
        let visible = bytes[end...].prefix { $0 != UInt8(ascii: "#") }
        let pathBytes = visible.prefix { $0 != UInt8(ascii: "?") }
        path = pathBytes.isEmpty ? "/" : String(decoding: pathBytes, as: UTF8.self)
        target = (pathBytes.isEmpty ? "/" : "") + String(decoding: visible, as: UTF8.self)
    }

    private static func hostAndPort(_ authority: ArraySlice<UInt8>) throws(Problem) -> (String, Int?) {
        let hostBytes: ArraySlice<UInt8>
        let rest: ArraySlice<UInt8>
        if authority.first == UInt8(ascii: "[") {
            guard let close = authority.firstIndex(of: UInt8(ascii: "]")) else {
                throw Problems.malformedURL("IPv6 地址缺少 ]", "the IPv6 address has no ]")
            }
            hostBytes = authority[(authority.startIndex + 1)..<close]
            rest = authority[(close + 1)...]
        } else {
            let colon = authority.firstIndex(of: UInt8(ascii: ":")) ?? authority.endIndex
            hostBytes = authority[..<colon]
            rest = authority[colon...]
        }
        var port: Int?
        if !rest.isEmpty {
            let digits = rest.dropFirst()
            guard rest.first == UInt8(ascii: ":"), (1...5).contains(digits.count),
                digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let value = Int(String(decoding: digits, as: UTF8.self)), (1...65535).contains(value)
            else {
                throw Problems.malformedURL("端口无效", "the port is not valid")
            }
            port = value
        }
        let host = String(decoding: hostBytes, as: UTF8.self).lowercased()
        if authority.first == UInt8(ascii: "[") {
            guard let address = NetworkAddress(text: host), address.bytes.count == 16 else {
                throw Problems.malformedURL("IPv6 地址无效", "the IPv6 address is not valid")
            }
        } else {
            guard isHostName(host) else {
                throw Problems.malformedURL("主机名无效", "the host name is not valid")
            }
        }
        return (host, port)
    }

    /// A DNS name in ASCII, or an IPv4 address in its one canonical form.
    static func isHostName(_ host: String) -> Bool {
        guard !host.isEmpty, host.utf8.count <= 253 else { return false }
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        for label in labels {
            guard !label.isEmpty, label.utf8.count <= 63, label.first != "-", label.last != "-",
                label.utf8.allSatisfy({
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
                        || $0 == UInt8(ascii: "_")
                })
            else { return false }
        }
        // A last label of digits, or 0x…, is read as a number by some resolvers: "0x7f.1", "2130706433".
        if let last = labels.last,
            last.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) || last.hasPrefix("0x")
        {
            return NetworkAddress(text: host)?.bytes.count == 4
        }
        return true
    }
}

/// An IPv4 (4 bytes) or IPv6 (16 bytes) address.
struct NetworkAddress: Hashable {
    let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// From its canonical text; nil for everything else.
    init?(text: String) {
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            bytes = withUnsafeBytes(of: &v4) { Array($0) }
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            bytes = withUnsafeBytes(of: &v6) { Array($0) }
        } else {
            return nil
        }
    }

    /// From a socket address; nil for other families.
    init?(_ address: UnsafePointer<sockaddr>) {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            bytes = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { pointer in
                withUnsafeBytes(of: pointer.pointee.sin_addr) { Array($0) }
            }
        case AF_INET6:
            bytes = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
                withUnsafeBytes(of: pointer.pointee.sin6_addr) { Array($0) }
            }
        default:
            return nil
        }
    }

    /// The IPv4 address inside a mapped, compatible, NAT64 or 6to4 IPv6 address, else the address itself.
    private var unwrapped: [UInt8] {
        guard bytes.count == 16 else { return bytes }
        let mapped = bytes[0..<10].allSatisfy { $0 == 0 } && (bytes[10], bytes[11]) == (0xff, 0xff)
        let compatible = bytes[0..<12].allSatisfy { $0 == 0 } && bytes[12] != 0
        // RFC 6052's prefix and the one of RFC 8215 for local use.
        let translated = bytes.starts(with: [0x00, 0x64, 0xff, 0x9b])
        if mapped || compatible || translated { return Array(bytes[12...]) }
        return bytes.starts(with: [0x20, 0x02]) ? Array(bytes[2..<6]) : bytes
    }

    /// Link-local, or where a cloud offers credentials to whoever asks from inside.
    var isLinkLocalOrMetadata: Bool {
        let value = unwrapped
        if value.count == 4 {
            // Beside the usual 169.254.169.254: Alibaba Cloud, Azure's host and Oracle Cloud.
            return value.starts(with: [169, 254])
                || [[100, 100, 100, 200], [168, 63, 129, 16], [192, 0, 0, 192]].contains(value)
        }
        if value[0] == 0xfe, value[1] & 0xc0 == 0x80 { return true }
        return value == [0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54]
    }
}
