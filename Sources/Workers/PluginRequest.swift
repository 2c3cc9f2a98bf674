/// One call of a plugin's ability. JSON crosses as bytes and is not looked into here.
public enum PluginRequest: Sendable, Hashable {
    /// `datong.describe/1`: what the library is and can do. Needs no connection.
    case describe
    /// `datong.probe/1`: prove address, credentials and permissions.
    case probe
    /// `datong.read/1`: one page since a cursor, or named documents.
    case read(Read)
    /// `datong.write/1`: bring documents into effect.
    case write(Write)
    /// `datong.poll/1`: what became of accepted or waiting records. Each record's `token` is set.
    case poll(Write)
    /// `datong.void/1`: take back. Each record's `token` is the target's number.
    case undo(Write)
    /// `datong.find/1`: look for a document without changing anything.
    case find(Find)
    /// `datong.query/1`: answered to a person, on demand. Parameters are a JSON object.
    case query(name: String, parameters: [UInt8])
    /// `datong.rotate/1`: change a credential at the vendor.
    case rotate(secret: String, step: RotateStep)
    /// `datong.listen/1`: where to connect now.
    case listenOpen
    /// `datong.listen/1`: one text or binary frame of the vendor's stream.
    case listenFrame([UInt8])
    /// `datong.receive/1`: verify, decrypt and answer one webhook.
    case receive(Webhook)
    /// `datong.identify/1`: who is this person at the vendor.
    case identify(user: String)
    /// `datong.migrate-state/1`: one state value of schema `from` into this version's schema. No connection.
    case migrateState(from: UInt32, key: [UInt8], value: [UInt8])

    /// What a read asks for.
    public struct Read: Sendable, Hashable {
        /// What to read.
        public enum Selection: Sendable, Hashable {
            /// The next page: an opaque cursor (empty at the beginning, at most 4096 bytes), never before
            /// `sinceMs` (since 1970; nil: no bound), at most `max` records.
            case page(cursor: [UInt8], sinceMs: Int64?, max: Int)
            /// Exactly these documents; one that does not exist is left out of the answer.
            case documents([String])
        }
        /// Document type, "approval".
        public var document: String
        /// JSON object the stream narrows by, as describe declares it; empty: no filter.
        public var filter: [UInt8]
        /// Page or named documents.
        public var selection: Selection

        /// A read of one document type.
        public init(document: String, filter: [UInt8] = [], selection: Selection) {
            self.document = document
            self.filter = filter
            self.selection = selection
        }
    }

    /// What a write, poll or undo asks for.
    public struct Write: Sendable, Hashable {
        /// Document type, "voucher".
        public var document: String
        /// The flow's `to.settings`, a JSON object.
        public var settings: [UInt8]
        /// At least one.
        public var records: [WriteRecord]

        /// Records of one document type under one flow's settings.
        public init(document: String, settings: [UInt8] = [], records: [WriteRecord]) {
            self.document = document
            self.settings = settings
            self.records = records
        }
    }

    /// What a find asks for.
    public struct Find: Sendable, Hashable {
        /// Document type.
        public var document: String
        /// The flow's `to.settings`, a JSON object.
        public var settings: [UInt8]
        /// Idempotency key, or empty.
        public var key: String
        /// JSON object of business fields (amount, date, person), or empty.
        public var business: [UInt8]
        /// The document as it was sent, or empty.
        public var json: [UInt8]
        /// What an attempt saved, or empty.
        public var checkpoint: [UInt8]

        /// A look-up by key, by business fields or by what was sent.
        public init(
            document: String, settings: [UInt8] = [], key: String = "", business: [UInt8] = [], json: [UInt8] = [],
            checkpoint: [UInt8] = []
        ) {
            self.document = document
            self.settings = settings
            self.key = key
            self.business = business
            self.json = json
            self.checkpoint = checkpoint
        }
    }

    /// Which half of a rotation.
    public enum RotateStep: String, Sendable, Hashable {
        /// Make the new secret current at the vendor.
        case apply
        /// Revoke the old one.
        case retire
    }

    /// One HTTP request a vendor sent to us.
    public struct Webhook: Sendable, Hashable {
        /// "POST" …
        public var method: String
        /// Path as received.
        public var path: String
        /// Query string without "?", as received.
        public var query: String
        /// In the order received, names in lower case.
        public var headers: [Header]
        /// The body, untouched.
        public var body: [UInt8]

        /// A webhook request.
        public init(method: String, path: String, query: String, headers: [Header], body: [UInt8]) {
            self.method = method
            self.path = path
            self.query = query
            self.headers = headers
            self.body = body
        }
    }

    /// The kind of a request, without its contents: for logs.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Making the connection object, before any request.
        case open
        /// See the request of the same name.
        case describe, probe, read, write, poll, undo, find, query, rotate
        /// See the request of the same name.
        case listenOpen, listenFrame, receive, identify, migrateState
    }

    /// The kind of this request.
    public var kind: Kind {
        switch self {
        case .describe: .describe
        case .probe: .probe
        case .read: .read
        case .write: .write
        case .poll: .poll
        case .undo: .undo
        case .find: .find
        case .query: .query
        case .rotate: .rotate
        case .listenOpen: .listenOpen
        case .listenFrame: .listenFrame
        case .receive: .receive
        case .identify: .identify
        case .migrateState: .migrateState
        }
    }

    /// The idempotency keys of the records, in order: what `checkpoint` indices point into.
    public var keys: [String] {
        switch self {
        case .write(let write), .poll(let write), .undo(let write): write.records.map(\.key)
        default: []
        }
    }
}

/// One record of a write, poll or undo.
public struct WriteRecord: Sendable, Hashable {
    /// Idempotency key, within the length and alphabet describe declares.
    public var key: String
    /// The document.
    public var json: [UInt8]
    /// What an earlier attempt saved, or empty.
    public var checkpoint: [UInt8]
    /// Poll: what `accepted` or `waiting` gave. Undo: the target's number.
    public var token: [UInt8]
    /// The version the target must still have, or empty.
    public var expected: [UInt8]

    /// A record; poll and undo set the token.
    public init(
        key: String, json: [UInt8], checkpoint: [UInt8] = [], token: [UInt8] = [], expected: [UInt8] = []
    ) {
        self.key = key
        self.json = json
        self.checkpoint = checkpoint
        self.token = token
        self.expected = expected
    }
}

/// One HTTP header. A repeated header is two of these.
public struct Header: Sendable, Hashable {
    /// The name; lower case in everything the host hands to a plugin.
    public var name: String
    /// The value.
    public var value: String

    /// A name and a value.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What goes with one call, whatever it asks.
public struct CallContext: Sendable, Hashable {
    /// Properties of a call.
    public struct Flags: OptionSet, Sendable, Hashable {
        /// The bits as they cross.
        public let rawValue: UInt32
        /// From the bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Use a fresh session scope: prove the credentials anew.
        public static let probe = Flags(rawValue: 1)
        /// The workspace is marked `practice`.
        public static let practice = Flags(rawValue: 2)
    }

    /// Host clock, milliseconds since 1970: the call ends by then, or its worker does.
    public var deadlineMs: Int64
    /// The writer generation.
    public var fenceEpoch: UInt64
    /// 1 for the first delivery of a document.
    public var attempt: UInt32
    /// Goes into every log line about this work.
    public var traceID: String
    /// Properties.
    public var flags: Flags

    /// A context; only the deadline is needed.
    public init(
        deadlineMs: Int64, fenceEpoch: UInt64 = 0, attempt: UInt32 = 1, traceID: String = "", flags: Flags = []
    ) {
        self.deadlineMs = deadlineMs
        self.fenceEpoch = fenceEpoch
        self.attempt = attempt
        self.traceID = traceID
        self.flags = flags
    }
}

/// What a worker's connection object is made from.
public struct OpenRequest: Sendable, Hashable {
    /// The connection's name.
    public var connection: String
    /// Product line, as describe lists it.
    public var product: String
    /// Base URL as the operator wrote it.
    public var endpoint: String
    /// JSON object, already checked against describe's schema.
    public var settings: [UInt8]
    /// The names of the secrets this connection has.
    public var secrets: [String]
    /// The customer's zone, "Asia/Shanghai".
    public var timeZone: String

    /// A connection to open.
    public init(
        connection: String, product: String, endpoint: String, settings: [UInt8], secrets: [String], timeZone: String
    ) {
        self.connection = connection
        self.product = product
        self.endpoint = endpoint
        self.settings = settings
        self.secrets = secrets
        self.timeZone = timeZone
    }
}
