/// A request as the simulator saw it.
public struct SimRequest: Sendable {
    /// `GET`, `POST` …
    public var method: String
    /// The path, percent-decoded, without the query.
    public var path: String
    /// The query in its order, decoded (`+` is a blank).
    public var query: [(name: String, value: String)]
    /// Header fields in their order.
    public var headers: [(name: String, value: String)]
    /// The whole body.
    public var body: [UInt8]
    /// The client's address, `127.0.0.1:PORT`.
    public var peer: String

    /// A request, also for tests that speak to a simulator without a socket.
    public init(
        method: String = "GET", target: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        peer: String = ""
    ) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        self.method = method
        path = percentDecoded(String(parts.first ?? ""), plusIsBlank: false)
        query = parts.count > 1 ? formDecoded(String(parts[1])) : []
        self.headers = headers
        self.body = body
        self.peer = peer
    }

    /// The first header field of the name, case ignored.
    public func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }

    /// The first query value of the name.
    public func query(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// The body read as form fields.
    public var form: [(name: String, value: String)] { formDecoded(String(decoding: body, as: UTF8.self)) }
}

/// What the simulator answers, and how it reaches the client.
public struct SimResponse: Sendable {
    /// How the bytes travel; everything but `whole` is a fault.
    public enum Delivery: Sendable, Hashable {
        /// All of it.
        case whole
        /// Nothing: the connection is closed.
        case closed
        /// Nothing, and the connection stays open until the client gives up.
        case never
        /// Full length announced, half of the body sent, connection closed.
        case cut
        /// Status 200 and an endless-looking JSON text of so many bytes.
        case huge(bytes: Int)
    }

    /// HTTP status.
    public var status: Int
    /// Header fields without `Content-Length`.
    public var headers: [(name: String, value: String)]
    /// The body.
    public var body: [UInt8]
    /// How it travels.
    public var delivery: Delivery

    /// An answer.
    public init(
        status: Int = 200, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        delivery: Delivery = .whole
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.delivery = delivery
    }

    /// A JSON answer.
    public static func json(_ value: SimJSON, status: Int = 200) -> SimResponse {
        SimResponse(status: status, headers: [("Content-Type", "application/json; charset=utf-8")], body: value.bytes)
    }

    /// A plain text answer.
    public static func text(_ text: String, status: Int = 200) -> SimResponse {
        SimResponse(status: status, headers: [("Content-Type", "text/plain; charset=utf-8")], body: Array(text.utf8))
    }

    /// An HTML page.
    public static func html(_ page: String, status: Int = 200) -> SimResponse {
        SimResponse(status: status, headers: [("Content-Type", "text/html; charset=utf-8")], body: Array(page.utf8))
    }
}

/// Decodes `%41`; a broken escape stays as it is.
public func percentDecoded(_ text: String, plusIsBlank: Bool) -> String {
    let bytes = Array(text.utf8)
    var out: [UInt8] = []
    var index = 0
    while index < bytes.count {
        if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, bytes[index + 1].isHexDigit,
            bytes[index + 2].isHexDigit,
            let byte = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
        {
            out.append(byte)
            index += 3
        } else {
            out.append(plusIsBlank && bytes[index] == UInt8(ascii: "+") ? UInt8(ascii: " ") : bytes[index])
            index += 1
        }
    }
    return String(decoding: out, as: UTF8.self)
}

/// Reads `a=1&b=2`.
public func formDecoded(_ text: String) -> [(name: String, value: String)] {
    text.split(separator: "&").map { pair in
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return (
            percentDecoded(String(parts[0]), plusIsBlank: true),
            parts.count > 1 ? percentDecoded(String(parts[1]), plusIsBlank: true) : ""
        )
    }
}
