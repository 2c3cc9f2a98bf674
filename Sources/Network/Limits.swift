/// Every bound of this room, with its unit and its reason.
enum Limits {
    /// Bytes of a URL. Vendors put signed queries of 2 to 4 KB there; common servers refuse above 8 KB.
    static let urlBytes = 16 * 1024
    /// Headers a request may carry: the largest seen need is 12, a loop in a connector makes thousands.
    static let requestHeaders = 64
    /// Bytes of all request headers together; common servers refuse above 8 to 32 KB.
    static let requestHeaderBytes = 64 * 1024
    /// Bytes of a request body; larger files travel in parts.
    static let requestBodyBytes = 128 * 1024 * 1024
    /// Insertions of one request: a log-in needs two or three.
    static let insertions = 32
    /// Bytes one insertion may expand to: a certificate chain in base64 fits, a mistake does not.
    static let insertedBytes = 64 * 1024

    /// Bytes of a reply body where the request names no figure: a page of 100 documents is below 1 MB.
    static let replyBytes = 8 * 1024 * 1024
    /// Bytes of all reply headers of one answer; real ones are below 8 KB.
    static let replyHeaderBytes = 64 * 1024
    /// Bytes reserved at once for an announced body, so that a false Content-Length costs no memory.
    static let reservedReplyBytes = 1024 * 1024

    /// Milliseconds for a whole exchange where the request names none.
    static let timeoutMilliseconds = 60_000
    /// Milliseconds to a ready connection, with name look-up, proxy and TLS.
    static let connectMilliseconds = 10_000
    /// Milliseconds a request may ask for, a day: libcurl takes no more than 2^31 and then keeps the time before.
    static let longestMilliseconds = 86_400_000
    /// Milliseconds the client's thread sleeps at most; a message wakes it earlier.
    static let pollMilliseconds: Int32 = 60_000

    /// Open connections to one host, unless the caller says otherwise.
    static let connectionsPerHost = 16
    /// Connections kept open over all hosts.
    static let cachedConnections = 64
    /// Seconds an unused connection is kept. Common servers close after 20 to 120 s, and a connection closed
    /// under a write leaves an outcome nobody knows.
    static let idleConnectionSeconds = 15
    /// libcurl handles kept for the next request, about 6 KB each.
    static let idleHandles = 64

    /// Origins on one allow-list.
    static let allowedOrigins = 64
    /// Pins of one policy: the current key, the next one, and one for a certificate change in two steps.
    static let pins = 8

    /// Cookies of one session: ERP sessions use two to ten.
    static let cookies = 64
    /// Bytes of one cookie with its attributes (RFC 6265 asks for at least 4,096).
    static let cookieBytes = 8 * 1024

    /// Bytes of one WebSocket message, fragments together. Event frames are below 64 KB.
    static let webSocketMessageBytes = 1024 * 1024
    /// Received messages nobody has taken yet; above it the socket is not read.
    static let webSocketBacklog = 256
    /// Bytes of them, likewise: the count alone would let 256 of the largest lie here.
    static let webSocketBacklogBytes = 8 * 1024 * 1024
    /// Milliseconds to an open WebSocket: connection, proxy, TLS and upgrade together.
    static let webSocketOpenMilliseconds = 15_000
    /// Milliseconds between our own pings where the caller names none: below the idle time of common gateways.
    static let webSocketPingMilliseconds = 30_000
    /// Milliseconds without any frame after which a stream is dead, where the caller names none: four pings.
    static let webSocketIdleMilliseconds = 120_000
    /// Milliseconds the peer has to answer our ping.
    static let webSocketPongMilliseconds = 20_000
    /// Milliseconds the peer has to answer our close frame.
    static let webSocketCloseMilliseconds = 5_000
    /// Bytes of a proxy's answer to CONNECT.
    static let proxyReplyBytes = 16 * 1024

    /// Bytes of a body shown in a log line.
    static let loggedBodyBytes = 4 * 1024
    /// Bytes of a header value shown in a log line.
    static let loggedHeaderBytes = 512
}
