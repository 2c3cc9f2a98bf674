import Glibc
import NIOSSL
import Values

/// What one connection may reach, and whom it trusts there. The same object rules libcurl and WebSocket.
///
/// Certificates are always verified; there is no switch. Redirects are never followed. `http://` is reachable
/// only where that origin is written on the list literally. Immutable; make a new one for a new configuration.
public final class EgressPolicy: Sendable {
    /// An HTTP proxy; TLS goes through it by CONNECT.
    public struct Proxy: Sendable, Hashable {
        /// Host name or address.
        public let host: String
        /// 1...65535.
        public let port: Int
        /// A secret expression whose value is `user:password` (sent as Basic), or nil.
        public let credentials: String?

        /// A proxy, with the secret expression of its `user:password` where it wants one.
        public init(host: String, port: Int, credentials: String? = nil) {
            self.host = host
            self.port = port
            self.credentials = credentials
        }
    }

    private struct Rule: Sendable {
        let scheme: String
        /// Exact host, or for a wildcard the suffix with its dot: ".example.com".
        let host: String
        let isWildcard: Bool
        let port: Int

        func matches(_ origin: Origin) -> Bool {
            guard scheme == origin.scheme, port == origin.port else { return false }
            guard isWildcard else { return host == origin.host }
            return origin.host.hasSuffix(host) && origin.host.utf8.count > host.utf8.count
        }
    }

    private let rules: [Rule]
    /// IP addresses written literally: they may be link-local.
    private let literals: Set<NetworkAddress>
    /// PEM file that replaces the system's trust, or nil for the system's.
    public let caFile: String?
    /// SHA-256 digests of the accepted public keys (SPKI); empty: no pinning. A pin is asked for beside the
    /// trusted chain, not instead of it.
    let pins: [[UInt8]]
    /// The proxy, or nil. Proxy variables of the environment are ignored.
    public let proxy: Proxy?
    /// The pins as libcurl wants them, or nil.
    let pinText: String?

    /// A policy.
    ///
    /// - Parameters:
    ///   - allow: origins such as `https://erp.example.com`, `https://*.example.com:8443` (any depth below, not
    ///     the domain itself) or `http://10.0.0.5:8080`. `wss`/`ws` may be written for `https`/`http`.
    ///   - caFile: PEM file with the only certificates to trust; nil: the system's.
    ///   - pins: `sha256//` and the base64 of the SHA-256 of an accepted key's SPKI; any one must match.
    ///   - proxy: the proxy for every origin.
    ///
    /// Throws E-NET-006 … E-NET-009.
    public init(allow: [String], caFile: String? = nil, pins: [String] = [], proxy: Proxy? = nil) throws(Problem) {
        guard allow.count <= Limits.allowedOrigins else {
            throw Problems.badAllowEntry(
                "#\(Limits.allowedOrigins + 1)", "超过 \(Limits.allowedOrigins) 项",
                "more than \(Limits.allowedOrigins) entries")
        }
        var rules: [Rule] = []
        var literals: Set<NetworkAddress> = []
        for entry in allow {
            let rule = try Self.rule(entry)
            if !rule.isWildcard, let address = NetworkAddress(text: rule.host) { literals.insert(address) }
            rules.append(rule)
        }
        if let proxy {
            guard (1...65535).contains(proxy.port),
                Address.isHostName(proxy.host.lowercased()) || NetworkAddress(text: proxy.host) != nil
            else { throw Problems.badProxy() }
            if let address = NetworkAddress(text: proxy.host) { literals.insert(address) }
        }
        if let caFile {
            guard access(caFile, R_OK) == 0 else { throw Problems.unreadableCA(caFile) }
        }
        guard pins.count <= Limits.pins else { throw Problems.badPin(Limits.pins) }
        var digests: [[UInt8]] = []
        for (position, pin) in pins.enumerated() {
            let text = pin.hasPrefix("sha256//") ? String(pin.dropFirst(8)) : pin
            guard let digest = Base64.decode(text), digest.count == 32 else { throw Problems.badPin(position) }
            digests.append(digest)
        }
        self.rules = rules
        self.literals = literals
        self.caFile = caFile
        self.proxy = proxy
        self.pins = digests
        self.pinText =
            digests.isEmpty
            ? nil
            : digests.map { "sha256//" + String(decoding: Base64.encode($0), as: UTF8.self) }.joined(separator: ";")
    }

    private static func rule(_ entry: String) throws(Problem) -> Rule {
        let wildcard = "://*."
        var text = entry
        var isWildcard = false
        if let mark = entry.firstRange(of: wildcard) {
            isWildcard = true
            text.replaceSubrange(mark, with: "://")
        }
        let address: Address
        do {
            address = try Address(text)
        } catch {
            throw Problems.badAllowEntry(entry, error.what.zh, error.what.en)
        }
        guard address.target == "/", !text.contains("#"), !text.contains("?") else {
            throw Problems.badAllowEntry(entry, "只写来源,不写路径", "an origin has no path")
        }
        guard isWildcard else {
            return Rule(
                scheme: address.origin.scheme, host: address.origin.host, isWildcard: false, port: address.origin.port)
        }
        guard address.origin.scheme == "https" else {
            throw Problems.badAllowEntry(entry, "http 须逐字写出", "http must be written literally")
        }
        guard address.origin.host.contains("."), NetworkAddress(text: address.origin.host) == nil else {
            throw Problems.badAllowEntry(entry, "通配符后至少两级域名", "a wildcard needs a domain of two labels")
        }
        return Rule(scheme: "https", host: "." + address.origin.host, isWildcard: true, port: address.origin.port)
    }

    /// The origin of a URL this policy lets out. Also for URLs that a vendor's reply names.
    /// Throws E-NET-001 … E-NET-005 and says which origin was refused.
    @discardableResult
    public func check(url: String) throws(Problem) -> Origin {
        try permit(Address(url)).origin
    }

    func permit(_ address: Address) throws(Problem) -> Address {
        let origin = address.origin
        guard rules.contains(where: { $0.matches(origin) }) else {
            let encrypted = Origin(scheme: "https", host: origin.host, port: origin.port == 80 ? 443 : origin.port)
            if origin.scheme == "http", rules.contains(where: { $0.matches(encrypted) }) {
                throw Problems.plainNotAllowed(origin)
            }
            throw Problems.notAllowed(origin)
        }
        return address
    }

    /// Whether a resolved address may be connected to: a public name can point at the cloud's metadata service.
    func permits(_ address: NetworkAddress) -> Bool {
        !address.isLinkLocalOrMetadata || literals.contains(address)
    }

    /// The same trust for NIO. Built per connection: certificates may have been renewed.
    func tlsContext(_ origin: Origin) throws(Problem) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .fullVerification
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        if let caFile { configuration.trustRoots = .file(caFile) }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw caFile.map(Problems.unreadableCA) ?? Problems.untrusted("\(origin)")
        }
    }
}
