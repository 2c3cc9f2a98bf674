/// Who may log in to the sample company, and the vendor's signatures over it.
///
/// The data are those of the public test vectors of this protocol; nothing here opens anything real.
struct Credentials: Sendable {
    var accountID = "66f0a1b2c3d4e5"
    var user = "Connector"
    var password = "practice-only"
    /// The part after `_` is 32 characters of base64, as the vendor issues it.
    var appID = "268001_TtMxQzDFyPq91dYJ45wX78zK2uDb6CxF"
    var appSecret = "0123456789abcdef0123456789abcdef"
    /// Persons besides the integration user: name → password (mode D only).
    var persons = ["张三": "practice-only-2"]
    let administrator = "Administrator"

    /// The gateway's half of the app id.
    var clientID: String { String(appID.prefix { $0 != "_" }) }

    /// The gateway's secret, hidden in the app id: its 24 bytes XOR a constant of the vendor's SDK; empty when the part
    /// after `_` is not 32 characters.
    var clientSecret: String {
        let parts = appID.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.count == 32, let bytes = Digest.decodeBase64(String(parts[1])) else {
            return ""
        }
        return Digest.base64(zip(bytes, Array("0054f397c6234378b09ca7d3e5debce7".utf8)).map { $0 ^ $1 })
    }

    /// base64 of the lower-case hex of HMAC-SHA256: the 64 characters, not the 32 bytes [SDK].
    static func signature(key: String, _ message: String) -> String {
        Digest.base64(Array(Digest.hex(Digest.hmacSHA256(key: Array(key.utf8), Array(message.utf8))).utf8))
    }

    /// X-Api-Signature of a POST to `path` (with its leading `/`).
    func gatewaySignature(path: String, nonce: String, timestamp: String) -> String {
        Self.signature(
            key: clientSecret,
            "POST\n\(Self.encoded(path))\n\nx-api-nonce:\(nonce)\nx-api-timestamp:\(timestamp)\n")
    }

    /// X-Kd-Signature over the decoded X-Kd-Appdata.
    func applicationSignature(appData: String) -> String { Self.signature(key: appSecret, appID + appData) }

    /// `sign` of LoginBySign: hash of the five texts in byte order, joined.
    func loginSignature(user: String, timestamp: String, sha1: Bool) -> String {
        let parts = [accountID, user, appID, appSecret, timestamp].map { Array($0.utf8) }
        let joined = parts.sorted { $0.lexicographicallyPrecedes($1) }.flatMap(\.self)
        return Digest.hex(sha1 ? Digest.sha1(joined) : Digest.sha256(joined))
    }

    /// Percent-encoded once with upper-case hex, `/` included.
    private static func encoded(_ path: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return path.utf8.reduce(into: "") { out, byte in
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: out.unicodeScalars.append(Unicode.Scalar(byte))
            default: out += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }
}
