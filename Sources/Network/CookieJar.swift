import Glibc
import Synchronization
import Values

/// The cookies of one session: what RFC 6265 asks of a client, without a public suffix list (a Domain of one
/// label, or a country's second level such as `com.cn`, is refused). Safe from any thread. In memory only.
public final class CookieJar: Sendable {
    private struct Cookie: Sendable {
        let name: [UInt8]
        let value: [UInt8]
        let domain: String
        /// Only for exactly this host.
        let hostOnly: Bool
        let path: String
        let secure: Bool
        /// Seconds since 1970; nil: as long as the jar.
        let expires: Int64?
    }

    private let cookies = Mutex<[Cookie]>([])
    private let now: @Sendable () -> Int64

    /// An empty jar.
    public convenience init() {
        self.init { Int64(time(nil)) }
    }

    /// An empty jar with another clock: seconds since 1970.
    init(now: @escaping @Sendable () -> Int64) {
        self.now = now
    }

    /// How many cookies it holds, expired ones included.
    public var count: Int { cookies.withLock { $0.count } }

    /// Forgets everything: a log-out.
    public func removeAll() { cookies.withLock { $0.removeAll() } }

    /// The value of the `Cookie` header for a URL, or nil when no cookie is meant for it.
    public func header(for url: String) -> [UInt8]? {
        (try? Address(url)).flatMap { header(for: $0) }
    }

    /// Takes one `Set-Cookie` value that came from a URL. What cannot be a cookie of that host is ignored.
    public func store(_ value: [UInt8], from url: String) {
        if let address = try? Address(url) { store(value[...], from: address) }
    }

    func header(for address: Address) -> [UInt8]? {
        let origin = address.origin
        return cookies.withLock { cookies -> [UInt8]? in
            guard !cookies.isEmpty else { return nil }
            let now = now()
            cookies.removeAll { ($0.expires ?? .max) <= now }
            var chosen = cookies.filter { cookie in
                (cookie.hostOnly
                    ? origin.host == cookie.domain : Self.host(origin.host, isWithin: cookie.domain))
                    && Self.path(address.path, isWithin: cookie.path)
                    && (!cookie.secure || origin.scheme == "https")
            }
            guard !chosen.isEmpty else { return nil }
            // Longer paths first, then the older one: swift's sort is stable.
            chosen.sort { $0.path.utf8.count > $1.path.utf8.count }
            var header: [UInt8] = []
            for cookie in chosen {
                if !header.isEmpty { header += [UInt8(ascii: ";"), UInt8(ascii: " ")] }
                header += cookie.name + [UInt8(ascii: "=")] + cookie.value
            }
            return header
        }
    }

    func store(_ value: ArraySlice<UInt8>, from address: Address) {
        guard value.count <= Limits.cookieBytes, value.allSatisfy(Wire.isHeaderByte) else { return }
        let now = now()
        guard let cookie = Self.parse(value, from: address, now: now) else { return }
        cookies.withLock { cookies in
            let same = cookies.firstIndex {
                $0.name == cookie.name && $0.domain == cookie.domain && $0.path == cookie.path
            }
            if let expires = cookie.expires, expires <= now {
                if let same { cookies.remove(at: same) }
            } else if let same {
                cookies[same] = cookie
            } else {
                if cookies.count >= Limits.cookies { cookies.removeFirst() }
                cookies.append(cookie)
            }
        }
    }

    private static func parse(_ value: ArraySlice<UInt8>, from address: Address, now: Int64) -> Cookie? {
        let host = address.origin.host
        var parts = value.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)[...]
        guard let pair = parts.popFirst(), let equals = pair.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        let name = trim(pair[..<equals])
        guard !name.isEmpty else { return nil }

        var domain: String?
        var path: String?
        var secure = false
        var expires: Int64?
        var maxAge: Int64?
        for part in parts {
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            let attribute = String(decoding: trim(part[..<equals]), as: UTF8.self).lowercased()
            let content = String(decoding: equals < part.endIndex ? trim(part[(equals + 1)...]) : [], as: UTF8.self)
            switch attribute {
            case "domain":
                domain = (content.hasPrefix(".") ? String(content.dropFirst()) : content).lowercased()
            case "path": path = content.hasPrefix("/") ? content : nil
            case "secure": secure = true
            case "expires": if let date = CookieDate.parse(content) { expires = date }
            case "max-age":
                if let seconds = Int64(content) { maxAge = seconds }
            default: break
            }
        }
        if let maxAge {
            expires = maxAge <= 0 ? 0 : now.addingReportingOverflow(maxAge).overflow ? nil : now + maxAge
        }
        var hostOnly = true
        if let wanted = domain, !wanted.isEmpty, wanted != host {
            guard Self.host(host, isWithin: wanted), NetworkAddress(text: host) == nil, !isPublicSuffix(wanted) else {
                return nil
            }
            hostOnly = false
        } else if let wanted = domain, wanted == host, NetworkAddress(text: host) == nil, !isPublicSuffix(host) {
            hostOnly = false
        }
        return Cookie(
            name: Array(name), value: Array(trim(pair[(equals + 1)...])), domain: hostOnly ? host : domain ?? host,
            hostOnly: hostOnly, path: path ?? defaultPath(address.path), secure: secure, expires: expires)
    }

    private static func trim(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes
        while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        return bytes
    }

    private static func host(_ host: String, isWithin domain: String) -> Bool {
        host == domain || host.hasSuffix("." + domain)
    }

    private static func path(_ path: String, isWithin prefix: String) -> Bool {
        path == prefix
            || path.hasPrefix(prefix) && (prefix.hasSuffix("/") || path.dropFirst(prefix.count).hasPrefix("/"))
    }

    private static func defaultPath(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    private static func isPublicSuffix(_ domain: String) -> Bool {
        let labels = domain.split(separator: ".")
        guard labels.count > 1 else { return true }
        return labels.count == 2 && labels[1].utf8.count == 2
            && ["com", "net", "org", "gov", "edu", "co", "ac", "or", "ne"].contains(labels[0])
    }
}

/// Dates as cookies write them (RFC 6265, 5.1.1): any order of day, month, year and time, in UTC.
enum CookieDate {
    /// Seconds since 1970, or nil.
    static func parse(_ text: String) -> Int64? {
        var day: Int64?
        var month: Int64?
        var year: Int64?
        var clock: Int64?
        let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        for token in text.lowercased().split(whereSeparator: {
            !$0.isASCII || !($0.isLetter || $0.isNumber || $0 == ":")
        }) {
            let parts = token.split(separator: ":").map { Int64($0) }
            if clock == nil, parts.count == 3, let h = parts[0], let m = parts[1], let s = parts[2] {
                guard h < 24, m < 60, s < 60 else { return nil }
                clock = h * 3600 + m * 60 + s
            } else if day == nil, (1...2).contains(token.count), let value = Int64(token) {
                day = value
            } else if month == nil, let index = months.firstIndex(of: String(token.prefix(3))) {
                month = Int64(index + 1)
            } else if year == nil, (2...4).contains(token.count), let value = Int64(token) {
                year = value < 70 ? value + 2000 : value < 100 ? value + 1900 : value
            }
        }
        guard let day, let month, let year, let clock, (1...31).contains(day), year >= 1601 else { return nil }
        // Days from 1970-01-01 in the proleptic Gregorian calendar; the year begins in March.
        let y = month > 2 ? year : year - 1
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let days = 365 * y + y / 4 - y / 100 + y / 400 + dayOfYear - 719_468
        return days * 86_400 + clock
    }
}
