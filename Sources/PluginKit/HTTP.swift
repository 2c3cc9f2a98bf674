import PluginABI
import Values

/// One HTTP request. The host sends it once, enforces the allow-list and limits, fills in secrets and never
/// follows a redirect.
public struct HTTPRequest: Sendable, Hashable {
    /// What repeating the request would change. It decides what an unclear end means.
    public enum Effect: Sendable, Hashable {
        /// Repeating it changes nothing.
        case read
        /// May create or change a business document: an unclear end is an unknown outcome.
        case write
        /// Log-in or token: changes nothing in the books.
        case auth
    }

    /// One header.
    public struct Header: Sendable, Hashable {
        /// Its name as it is sent.
        public var name: String
        /// Its value.
        public var value: TemplateBytes

        /// A header.
        public init(_ name: String, _ value: TemplateBytes) {
            self.name = name
            self.value = value
        }
    }

    /// What is sent after the headers.
    public enum Body: Sendable, Hashable {
        /// Bytes, possibly with secrets in them.
        case bytes(TemplateBytes)
        /// A blob of the host, by its handle.
        case blob([UInt8])
    }

    /// `GET`, `POST` …
    public var method: String
    /// Absolute; its origin must be on the connection's allow-list.
    public var url: TemplateBytes
    /// In the order they are sent.
    public var headers: [Header] = []
    /// What is sent.
    public var body: Body = .bytes(TemplateBytes())
    /// What repeating it would change.
    public var effect: Effect
    /// Milliseconds; 0, or more than that: what the call's deadline leaves, less a little for the answer.
    public var timeoutMilliseconds: UInt32 = 0
    /// The session whose cookie jar is used, or empty: no cookies.
    public var session: String = ""
    /// Bytes above which the reply is refused; 0: the host's default.
    public var maximumReplyBytes: UInt64 = 0
    /// Which limits of the profile the request spends; empty: those that count every request.
    public var meter: String = ""
    /// The vendor breaks on HTTP/2.
    public var http11Only = false
    /// Keep the reply's body in a blob; `body` of the reply then is its handle.
    public var replyToBlob = false

    /// A request. `effect` is mandatory because a wrong guess doubles documents.
    public init(_ method: String, _ url: TemplateBytes, effect: Effect) {
        self.method = method
        self.url = url
        self.effect = effect
    }

    /// Appends a header.
    public mutating func header(_ name: String, _ value: TemplateBytes) { headers.append(Header(name, value)) }

    /// Sets a JSON body and its content type, which has no charset parameter (RFC 8259).
    public mutating func json(_ body: JSONTemplate) {
        header("Content-Type", "application/json")
        self.body = .bytes(body.bytes)
    }
}

/// An HTTP answer of any status that arrived whole.
public struct HTTPReply: Sendable, Hashable {
    /// The status, 100 to 599.
    public var status: Int
    /// Names in lower case; repeated headers stay separate.
    public var headers: [(name: String, value: String)] {
        zip(headerNames, headerValues).map { (name: $0, value: $1) }
    }
    /// The body, or the handle of the blob that holds it.
    public var body: [UInt8]
    private var headerNames: [String]
    private var headerValues: [String]

    /// An answer.
    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.body = body
        headerNames = headers.map(\.name)
        headerValues = headers.map(\.value)
    }

    /// The first header of this name, given in lower case.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The body as text; what is no UTF-8 becomes the replacement character.
    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as JSON; schema drift when it is none, with the place but not the contents.
    public func json() throws(Failure) -> JSON {
        do { return try JSON.parse(body) } catch { throw Failure(.schemaDrift, error).told(as: .unreadable) }
    }
}

/// The one way out: `call.http`.
public struct HTTPService {
    let call: Call

    /// Sends one request and waits for the whole answer, whatever its status.
    ///
    /// Throws `unreachable` (nothing was sent), `transient` (a read or log-in failed on the way),
    /// `unknownOutcome` (a write may have arrived), `cancelled` (the deadline, or our own limits leave no call before
    /// it; nothing was sent), `quotaSpent` (our own allowance; nothing was sent) or `denied` (allow-list, size, malformed).
    public func send(_ request: HTTPRequest) throws(Failure) -> HTTPReply {
        let service = try call.service(DATONG_SERVICE_HTTP, datong_http_service())
        guard let send = service.send else { throw Call.missing(DATONG_SERVICE_HTTP) }
        let arena = Arena()
        var insertions: [datong_insertion] = []
        func lay(_ template: TemplateBytes, part: UInt32, index: Int = 0) -> datong_bytes {
            for insertion in template.insertions {
                insertions.append(
                    datong_insertion(
                        part: part, index: UInt32(clamping: index), offset: UInt64(insertion.offset),
                        secret: arena.text(insertion.secret.text)))
            }
            return arena.bytes(template.literal)
        }
        var raw = datong_http_request()
        raw.size = UInt32(MemoryLayout<datong_http_request>.size)
        if request.http11Only { raw.flags |= DATONG_HTTP_HTTP11 }
        if request.replyToBlob { raw.flags |= DATONG_HTTP_REPLY_TO_BLOB }
        switch request.effect {
        case .read: raw.effect = DATONG_EFFECT_READ
        case .write: raw.effect = DATONG_EFFECT_WRITE
        case .auth: raw.effect = DATONG_EFFECT_AUTH
        }
        raw.timeout_ms = request.timeoutMilliseconds
        raw.method = arena.text(request.method)
        raw.url = lay(request.url, part: DATONG_PART_URL)
        var headers: [datong_header] = []
        for (index, header) in request.headers.enumerated() {
            headers.append(
                datong_header(
                    name: arena.text(header.name), value: lay(header.value, part: DATONG_PART_HEADER, index: index)))
        }
        raw.headers = arena.list(headers)
        raw.header_count = UInt64(headers.count)
        switch request.body {
        case .bytes(let template): raw.body = lay(template, part: DATONG_PART_BODY)
        case .blob(let handle): raw.body_blob = arena.bytes(handle)
        }
        raw.insertions = arena.list(insertions)
        raw.insertion_count = UInt64(insertions.count)
        raw.session = arena.text(request.session)
        raw.max_reply_bytes = request.maximumReplyBytes
        raw.meter = arena.text(request.meter)

        var reply = datong_http_reply()
        reply.size = UInt32(MemoryLayout<datong_http_reply>.size)
        let code = withExtendedLifetime(arena) { send(call.pointer, &raw, &reply) }
        guard code == DATONG_OK else { throw call.refusal(code) }
        defer { service.release?(call.pointer, &reply) }
        var seen: [(name: String, value: String)] = []
        if let first = reply.headers, reply.header_count < Limits.spanBytes {
            for index in 0..<Int(reply.header_count) {
                seen.append((name: first[index].name.text, value: first[index].value.text))
            }
        }
        return HTTPReply(status: Int(reply.status), headers: seen, body: reply.body.array)
    }
}
