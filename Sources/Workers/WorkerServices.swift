/// Which call a service request belongs to.
public struct CallIdentity: Sendable, Hashable {
    /// The connection whose worker asks.
    public var connection: String
    /// The worker's generation: rises with every start.
    public var generation: UInt64
    /// Unique in that generation.
    public var callID: UInt64
    /// What the call does.
    public var kind: PluginRequest.Kind
    /// The records' idempotency keys in order: `checkpoint` names a record by its index here.
    public var keys: [String]
    /// Deadline, fence, attempt, trace, flags.
    public var context: CallContext

    /// An identity.
    public init(
        connection: String, generation: UInt64, callID: UInt64, kind: PluginRequest.Kind, keys: [String],
        context: CallContext
    ) {
        self.connection = connection
        self.generation = generation
        self.callID = callID
        self.kind = kind
        self.keys = keys
        self.context = context
    }
}

/// What the host offers to plugins. Implemented by the host, called by a worker's conversation.
public protocol WorkerServices: Sendable {
    /// Answer one service request. One call asks one thing at a time; different calls ask at once. The task is
    /// cancelled when the call ends or its deadline passes; the plugin has its answer by then
    /// (`cancelled`), and what is returned here later is dropped. The reply must fit the request (see
    /// `ServiceRequest`); one that does not counts as `denied`.
    func serve(_ request: ServiceRequest, for call: CallIdentity) async -> ServiceReply

    /// Log line, metric or sign of life. Never blocks: it runs on the thread that reads all workers. In the order
    /// the plugin wrote them.
    func note(_ note: PluginNote, for call: CallIdentity)

    /// The call has ended (answered, failed, or its worker died) and no `serve` of it is running any more. Exactly
    /// once per call that was sent. Places in sessions and log-in leases are given back here.
    func callEnded(_ call: CallIdentity) async
}

/// What a plugin says without waiting.
public enum PluginNote: Sendable, Hashable {
    /// One line for the engineer.
    case log(LogLevel, String)
    /// Add to a counter.
    case metric(name: String, amount: Int64)
    /// How far a long call is; total 0: unknown.
    case progress(done: UInt64, total: UInt64)

    /// Levels of a log line.
    public enum LogLevel: UInt32, Sendable, Hashable {
        /// For the author.
        case debug = 1
        /// Normal course.
        case info = 2
        /// Odd, but it went on.
        case warning = 3
        /// Something failed.
        case error = 4
    }
}

/// What a plugin asks of the host and waits for. Each case names the reply it takes; `refused` fits all.
public enum ServiceRequest: Sendable, Hashable {
    /// One HTTP exchange → `.http`.
    case http(HTTP)
    /// One declared statement → `.bytes`, a JSON array of objects.
    case sql(SQL)
    /// A vendor algorithm over secrets → `.bytes`; verify → `.done`.
    case crypto(Crypto)
    /// Does the connection have this secret → `.number(0 or 1)`.
    case secretExists(name: String)
    /// The bytes of a secret expression → `.bytes`, wiped in the worker when the call ends.
    case secretReveal(expression: String)
    /// Store a new version, durable → `.done`.
    case secretReplace(name: String, value: [UInt8])
    /// A session's value or the lease to log in → `.session`.
    case sessionAcquire(Session)
    /// What the log-in gave; `ttlMs` as the vendor says → `.done`.
    case sessionPublish(lease: UInt64, value: [UInt8], ttlMs: Int64)
    /// The log-in failed → `.done`.
    case sessionAbandon(lease: UInt64, errorClass: ErrorClass)
    /// The vendor refused this value → `.done`.
    case sessionInvalidate(Session, value: [UInt8])
    /// Connector state; absent is empty → `.bytes`.
    case stateGet(key: [UInt8])
    /// Store connector state, durable → `.done`.
    case statePut(key: [UInt8], value: [UInt8])
    /// Remember how far record `index` (into `CallIdentity.keys`) is, durable → `.done`.
    case checkpoint(index: Int, bytes: [UInt8])
    /// Size of a blob → `.number`.
    case blobLength(blob: [UInt8])
    /// Part of a blob → `.bytes`, at most `size`.
    case blobRead(blob: [UInt8], offset: UInt64, size: UInt64)
    /// Keep bytes as a blob → `.bytes`, the handle.
    case blobCreate(bytes: [UInt8], mediaType: String)
    /// Milliseconds since 1970 → `.number`.
    case now
    /// `count` unpredictable bytes (at most 1024) → `.bytes`.
    case random(count: Int)

    /// What a request may do at the vendor.
    public enum Effect: UInt32, Sendable, Hashable {
        /// Repeating it changes nothing.
        case read = 1
        /// May create or change a business document.
        case write = 2
        /// Log-in, token.
        case auth = 3
    }

    /// A secret to put in at a byte offset.
    public struct Insertion: Sendable, Hashable {
        /// Where.
        public enum Part: Sendable, Hashable {
            /// In the URL.
            case url
            /// In the value of the header with this index.
            case header(Int)
            /// In the body.
            case body
        }
        /// URL, header or body.
        public var part: Part
        /// Counted in the bytes as passed, before any insertion; ascending within a part.
        public var offset: Int
        /// A secret expression: a name, then steps, `app_id | after:_ | base64`.
        public var secret: String

        /// An insertion.
        public init(part: Part, offset: Int, secret: String) {
            self.part = part
            self.offset = offset
            self.secret = secret
        }
    }

    /// One HTTP request.
    public struct HTTP: Sendable, Hashable {
        /// What is sent.
        public enum Body: Sendable, Hashable {
            /// Exactly these bytes, after insertions. Empty: no body.
            case bytes([UInt8])
            /// The blob with this handle.
            case blob([UInt8])
        }
        /// What it may do.
        public var effect: Effect
        /// nil, or more than that: what the call's deadline leaves, less a little for the answer.
        public var timeoutMs: UInt32?
        /// "GET", "POST" …
        public var method: String
        /// Absolute, as bytes: insertion offsets count in them.
        public var url: [UInt8]
        /// Name and value as bytes, in order.
        public var headers: [RawHeader]
        /// Body.
        public var body: Body
        /// Secrets to fill in.
        public var insertions: [Insertion]
        /// Whose cookie jar, or empty: no cookies.
        public var session: String
        /// nil: the host's default.
        public var maxReplyBytes: UInt64?
        /// Which limits this call spends; "" for all calls.
        public var meter: String
        /// The vendor breaks on HTTP/2.
        public var http11: Bool
        /// Keep the reply's body in a blob; the reply's body is then its handle.
        public var replyToBlob: Bool

        /// A request.
        public init(
            effect: Effect, timeoutMs: UInt32? = nil, method: String, url: [UInt8], headers: [RawHeader] = [],
            body: Body = .bytes([]), insertions: [Insertion] = [], session: String = "",
            maxReplyBytes: UInt64? = nil, meter: String = "", http11: Bool = false, replyToBlob: Bool = false
        ) {
            self.effect = effect
            self.timeoutMs = timeoutMs
            self.method = method
            self.url = url
            self.headers = headers
            self.body = body
            self.insertions = insertions
            self.session = session
            self.maxReplyBytes = maxReplyBytes
            self.meter = meter
            self.http11 = http11
            self.replyToBlob = replyToBlob
        }
    }

    /// A header whose value may be any bytes (vendors put UTF-8 and worse there).
    public struct RawHeader: Sendable, Hashable {
        /// The name.
        public var name: String
        /// The value, before insertions.
        public var value: [UInt8]

        /// A header.
        public init(name: String, value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// One statement, declared in the connection and named here.
    public struct SQL: Sendable, Hashable {
        /// What it may do.
        public var effect: Effect
        /// nil: what the call's deadline leaves.
        public var timeoutMs: UInt32?
        /// The declared name.
        public var statement: String
        /// JSON object: name → string, null or boolean.
        public var parameters: [UInt8]
        /// At most so many rows; 0: the host's default.
        public var maxRows: UInt64
        /// At most so many bytes; 0: the host's default.
        public var maxBytes: UInt64

        /// A statement.
        public init(
            effect: Effect, timeoutMs: UInt32? = nil, statement: String, parameters: [UInt8], maxRows: UInt64 = 0,
            maxBytes: UInt64 = 0
        ) {
            self.effect = effect
            self.timeoutMs = timeoutMs
            self.statement = statement
            self.parameters = parameters
            self.maxRows = maxRows
            self.maxBytes = maxBytes
        }
    }

    /// A piece of input of an algorithm.
    public enum Segment: Sendable, Hashable {
        /// These bytes.
        case literal([UInt8])
        /// A secret expression.
        case secret(String)
    }

    /// A vendor algorithm.
    public struct Crypto: Sendable, Hashable {
        /// What to do.
        public enum Operation: UInt32, Sendable, Hashable {
            /// md5 sha1 sha256 sha512 sm3.
            case digest = 1
            /// sha1 sha256 sha512; key.
            case hmac = 2
            /// aes-128-cbc aes-256-cbc aes-256-ctr aes-256-gcm; key, iv.
            case encrypt = 3
            /// The reverse.
            case decrypt = 4
            /// rsa-sha256 rsa-sha1 rsa-pss-sha256 ed25519; key is a PEM.
            case sign = 5
            /// `.done`, or refused as denied.
            case verify = 6
            /// rsa-oaep-sha256 rsa-pkcs1; key is a public PEM.
            case seal = 7
            /// The reverse.
            case open = 8
        }
        /// What to do.
        public var operation: Operation
        /// With what.
        public var algorithm: String
        /// The key; an empty literal where none is needed.
        public var key: Segment
        /// Initialisation vector, or empty.
        public var iv: [UInt8]
        /// Joined in order, or after sorting.
        public var input: [Segment]
        /// Verify: the signature.
        public var signature: [UInt8]
        /// GCM: authenticated data.
        public var additional: [UInt8]
        /// Order the segments bytewise ascending before joining.
        public var sortSegments: Bool
        /// CBC: the plugin pads.
        public var noPadding: Bool

        /// An operation.
        public init(
            operation: Operation, algorithm: String, key: Segment = .literal([]), iv: [UInt8] = [],
            input: [Segment] = [], signature: [UInt8] = [], additional: [UInt8] = [], sortSegments: Bool = false,
            noPadding: Bool = false
        ) {
            self.operation = operation
            self.algorithm = algorithm
            self.key = key
            self.iv = iv
            self.input = input
            self.signature = signature
            self.additional = additional
            self.sortSegments = sortSegments
            self.noPadding = noPadding
        }
    }

    /// Which session.
    public struct Session: Sendable, Hashable {
        /// "token" or "login"; the cookie jar of the same name goes with it.
        public var name: String
        /// Who logs in; part of the session's key.
        public var principal: String
        /// Calls the vendor bears at once in it; nil: no bound.
        public var maxInFlight: UInt32?

        /// A session's name.
        public init(name: String, principal: String, maxInFlight: UInt32? = nil) {
            self.name = name
            self.principal = principal
            self.maxInFlight = maxInFlight
        }
    }

    /// What it may do at the vendor; nil: it does not leave the host.
    public var effect: Effect? {
        switch self {
        case .http(let http): http.effect
        case .sql(let sql): sql.effect
        default: nil
        }
    }
}

/// What the host answers.
public enum ServiceReply: Sendable, Hashable {
    /// It is done; there is nothing to say.
    case done
    /// Bytes.
    case bytes([UInt8])
    /// A number.
    case number(Int64)
    /// An HTTP answer of any status that arrived whole.
    case http(HTTP)
    /// A session's value, or the lease to log in.
    case session(SessionReply)
    /// Not done, and why. `mayHaveArrived` counts only where the request had effect `write`: false proves that
    /// nothing reached the vendor. The text is for the plugin's author and is never shown as the document's fault.
    case refused(ErrorClass, String, mayHaveArrived: Bool = false)

    /// An HTTP answer.
    public struct HTTP: Sendable, Hashable {
        /// HTTP status.
        public var status: Int32
        /// Names in lower case; repeated headers stay separate.
        public var headers: [ServiceRequest.RawHeader]
        /// The body, or the blob's handle where the request asked for one.
        public var body: [UInt8]

        /// An answer.
        public init(status: Int32, headers: [ServiceRequest.RawHeader] = [], body: [UInt8] = []) {
            self.status = status
            self.headers = headers
            self.body = body
        }
    }

    /// What an `acquire` gives.
    public enum SessionReply: Sendable, Hashable {
        /// The session is there.
        case value([UInt8])
        /// The caller must log in, then publish or abandon under this lease.
        case lease(UInt64)
    }
}
