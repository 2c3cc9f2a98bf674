import Values

/// One header of a request.
public struct HTTPHeader: Sendable, Hashable {
    /// A token of RFC 9110.
    public var name: String
    /// The value's bytes: no CR, LF or NUL.
    public var value: [UInt8]

    /// A header with a value in UTF-8.
    public init(_ name: String, _ value: String) {
        self.init(name, bytes: Array(value.utf8))
    }

    /// A header with a value in any encoding.
    public init(_ name: String, bytes: [UInt8]) {
        self.name = name
        self.value = bytes
    }
}

/// A secret's place in a request. By position and not by a marker in the text: what a person typed can never
/// become a secret.
public struct Insertion: Sendable, Hashable {
    /// The part of the request that the offset counts in.
    public enum Part: Sendable, Hashable {
        /// The URL; behind the authority only, so that no secret chooses the host.
        case url
        /// The value of the header at this index.
        case header(Int)
        /// The body.
        case body
    }

    /// Where it goes.
    public let part: Part
    /// Bytes before it, counted in the part as given, before any insertion. Ascending within one part.
    public let offset: Int
    /// The secret expression, e.g. `app_secret | url`.
    public let secret: String

    /// An insertion.
    public init(_ part: Part, at offset: Int, secret: String) {
        self.part = part
        self.offset = offset
        self.secret = secret
    }
}

/// Lends the value of a secret expression to a closure, once, and keeps it afterwards as it likes. Called by
/// `send` on the caller's task. The borrowed bytes are copied into the outgoing request, which is wiped when
/// the exchange ends.
public typealias SecretSource =
    @Sendable (_ expression: String, _ lend: (UnsafeRawBufferPointer) -> Void) throws(Problem) -> Void

/// One HTTP exchange to make. Holds no secret: insertions name them, and they are filled in on the way out.
public struct HTTPRequest: Sendable {
    /// Upper-case letters, e.g. "POST".
    public var method: String
    /// Absolute `http` or `https` URL.
    public var url: String
    /// In this order. Host, Content-Length, Connection and their like are set by the room.
    public var headers: [HTTPHeader]
    /// Sent exactly as given, after insertions.
    public var body: [UInt8]
    /// Secrets to fill in, ascending within each part.
    public var insertions: [Insertion]
    /// Milliseconds for the whole exchange, from 1 to those of a day.
    public var timeoutMilliseconds: Int
    /// Milliseconds to a ready connection, from 1 to those of a day.
    public var connectTimeoutMilliseconds: Int
    /// Bytes of reply body above which the exchange is given up early.
    public var maxReplyBytes: Int
    /// Speak HTTP/1.1 only; else HTTP/2 where TLS offers it.
    public var http11: Bool
    /// Repeating it changes nothing (a read, a log-in). A kept connection may turn out closed after the request
    /// went out on it; only a repeatable request is then sent once more on a fresh one, any other is reported
    /// as interrupted.
    public var repeatable: Bool
    /// The session's cookies, sent and stored; nil: none.
    public var cookies: CookieJar?

    /// A request; what is left out has the room's default.
    public init(
        _ method: String, _ url: String, headers: [HTTPHeader] = [], body: [UInt8] = [],
        insertions: [Insertion] = [], timeoutMilliseconds: Int? = nil, connectTimeoutMilliseconds: Int? = nil,
        maxReplyBytes: Int? = nil, http11: Bool = false, repeatable: Bool = false, cookies: CookieJar? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.insertions = insertions
        self.timeoutMilliseconds = timeoutMilliseconds ?? Limits.timeoutMilliseconds
        self.connectTimeoutMilliseconds = connectTimeoutMilliseconds ?? Limits.connectMilliseconds
        self.maxReplyBytes = maxReplyBytes ?? Limits.replyBytes
        self.http11 = http11
        self.repeatable = repeatable
        self.cookies = cookies
    }
}

/// An answer that arrived whole.
public struct HTTPResponse: Sendable {
    /// Status, 200...599. A 3xx is an answer like any other: it is not followed.
    public let status: Int
    /// In the order received, names in lower case, repeated ones kept.
    public let headers: ReplyHeaders
    /// The body, without transfer coding.
    public let body: [UInt8]

    /// An answer from elsewhere than the network: a test.
    public init(status: Int, headers: ReplyHeaders, body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The headers of an answer, kept as the bytes that came.
public struct ReplyHeaders: Sendable, RandomAccessCollection {
    private struct Field {
        let name: Range<Int>
        let value: Range<Int>
    }

    private var bytes: [UInt8] = []
    private var fields: [Field] = []

    init() {}

    /// The headers of a recorded answer, names lowered.
    public init(_ headers: [HTTPHeader]) {
        for header in headers {
            let line = Array(header.name.utf8) + [UInt8(ascii: ":")] + header.value
            line.withUnsafeBytes { _ = append(line: $0) }
        }
    }

    /// The first position, 0.
    public var startIndex: Int { 0 }
    /// How many headers there are.
    public var endIndex: Int { fields.count }

    /// A header: its name in lower case, its value as text with unreadable bytes replaced.
    public subscript(position: Int) -> (name: String, value: String) {
        (
            String(decoding: bytes[fields[position].name], as: UTF8.self),
            String(decoding: bytes[fields[position].value], as: UTF8.self)
        )
    }

    /// The bytes of a header's name.
    public func nameBytes(_ position: Int) -> ArraySlice<UInt8> { bytes[fields[position].name] }

    /// The bytes of a header's value, in the encoding the peer chose.
    public func valueBytes(_ position: Int) -> ArraySlice<UInt8> { bytes[fields[position].value] }

    /// The value of the first header of this lower-case name.
    public func first(_ name: String) -> String? {
        indices.first { bytes[fields[$0].name].elementsEqual(name.utf8) }.map { self[$0].value }
    }

    /// The values of every header of this lower-case name.
    public func all(_ name: String) -> [String] {
        indices.filter { bytes[fields[$0].name].elementsEqual(name.utf8) }.map { self[$0].value }
    }

    /// Bytes held.
    var size: Int { bytes.count }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
    }

    /// Takes "Name: value", without line end. False for what is no header.
    mutating func append(line: UnsafeRawBufferPointer) -> Bool {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return false }
        var first = colon + 1
        var last = line.count
        while first < last, line[first] == 0x20 || line[first] == 0x09 { first += 1 }
        while last > first, line[last - 1] == 0x20 || line[last - 1] == 0x09 { last -= 1 }
        if bytes.isEmpty {
            bytes.reserveCapacity(512)
            fields.reserveCapacity(12)
        }
        let start = bytes.count
        for byte in line[..<colon] {
            bytes.append((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte)
        }
        let middle = bytes.count
        bytes.append(contentsOf: line[first..<last])
        fields.append(Field(name: start..<middle, value: middle..<bytes.count))
        return true
    }
}

/// Why there is no answer.
public struct HTTPFailure: Error, Sendable {
    /// What happened.
    public enum Kind: String, Sendable {
        /// A rule of this room forbids it: allow-list, form of the request, a secret.
        case denied
        /// No connection that may be used: refused, no such name, TLS or pin.
        case unreachable
        /// No complete answer within the request's time.
        case timedOut
        /// The connection broke before the answer was complete.
        case interrupted
        /// The answer exceeds a limit; it was given up early.
        case tooLarge
        /// What came back is not HTTP.
        case malformedReply
        /// The task was cancelled, or the client shut down.
        case cancelled
    }

    /// What happened.
    public let kind: Kind
    /// True once any byte of the request itself was handed to the network. A proxy's CONNECT and a TLS handshake
    /// are not the request. False means: the peer certainly did not see it.
    public let mayHaveArrived: Bool
    /// Code and text for a person; no byte of the request, the reply or a secret.
    public let problem: Problem

    /// A failure; `mayHaveArrived` is for a request of which a byte left.
    public init(_ kind: Kind, mayHaveArrived: Bool = false, _ problem: Problem) {
        self.kind = kind
        self.mayHaveArrived = mayHaveArrived
        self.problem = problem
    }
}

extension HTTPFailure: CustomStringConvertible {
    /// Kind, whether it may have arrived, and the problem's one line.
    public var description: String {
        "\(kind.rawValue)\(mayHaveArrived ? " (may have arrived)" : ""): \(problem)"
    }
}
