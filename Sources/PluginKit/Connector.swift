import Values

/// A connector: a value made once per connection and called from several threads at once, so it locks
/// what it changes, or better changes nothing. The host keeps sessions and state.
///
/// A connector opens no socket and no file, starts no thread, never sleeps and never retries; it asks the
/// services of the `Call`. What it offers beside this it says by conforming to `Probing`, `Reading`,
/// `Writing`, `Polling`, `Finding`, `Undoing`, `Querying`, `Listening`, `Receiving` and `Identifying`.
public protocol Connector: Sendable {
    /// What the library is and can do; the shape is in `docs/describe.md`. Always the same.
    static var description: JSON { get }

    /// A connection. Must not talk to the vendor: `probe` does.
    init(_ configuration: ConnectionConfiguration) throws(Failure)
}

/// What a connection was configured with.
public struct ConnectionConfiguration: Sendable, Hashable {
    /// The connection's name.
    public var name: String
    /// The product line, as `description` lists it.
    public var product: String
    /// The base URL as the operator wrote it.
    public var endpoint: String
    /// Checked against the schema of `description` already.
    public var settings: JSONObject
    /// The names of the secrets the connection has.
    public var secrets: [String]
    /// The customer's zone, e.g. `Asia/Shanghai`.
    public var timeZone: String

    /// A configuration.
    public init(
        name: String, product: String, endpoint: String, settings: JSONObject, secrets: [String], timeZone: String
    ) {
        self.name = name
        self.product = product
        self.endpoint = endpoint
        self.settings = settings
        self.secrets = secrets
        self.timeZone = timeZone
    }
}

// MARK: - probe

/// Proves address, credentials and permissions with harmless calls.
public protocol Probing: Connector {
    /// What was found. A failed check is no failure of the call.
    func probe(_ call: Call) throws(Failure) -> ProbeReport
}

/// What a probe found.
public struct ProbeReport: Sendable, Hashable {
    /// One thing that was looked at.
    public struct Check: Sendable, Hashable {
        /// Stable name, e.g. `login`.
        public var id: String
        /// Whether it is as it should be.
        public var isGood: Bool
        /// What was seen, Chinese.
        public var zh: String
        /// What was seen, English.
        public var en: String

        /// A check.
        public init(_ id: String, isGood: Bool, zh: String, en: String) {
            self.id = id
            self.isGood = isGood
            self.zh = zh
            self.en = en
        }
    }

    /// The vendor's product, e.g. `Example ERP`.
    public var vendor: String
    /// The vendor's version, or empty.
    public var version: String
    /// Changes when the vendor's version or the customer's schema changes.
    public var fingerprint: String
    /// What was looked at.
    public var checks: [Check]

    /// A report.
    public init(vendor: String, version: String, fingerprint: String, checks: [Check]) {
        self.vendor = vendor
        self.version = version
        self.fingerprint = fingerprint
        self.checks = checks
    }

    var json: JSON {
        [
            "vendor": .string(vendor), "version": .string(version), "fingerprint": .string(fingerprint),
            "checks": .array(
                checks.map { check in
                    [
                        "id": .string(check.id), "ok": .bool(check.isGood), "zh": .string(check.zh),
                        "en": .string(check.en),
                    ]
                }),
        ]
    }
}

// MARK: - read

/// Reads documents, page by page or by id.
public protocol Reading: Connector {
    /// One page, or the named documents. A named document that does not exist is left out.
    func read(_ request: ReadRequest, into sink: ReadSink, _ call: Call) throws(Failure)
}

/// What to read.
public struct ReadRequest: Sendable, Hashable {
    /// Which documents.
    public enum Selection: Sendable, Hashable {
        /// A page from this cursor on, empty at the beginning; never before `since` (milliseconds since 1970).
        case page(cursor: [UInt8], since: Int64?)
        /// Exactly these, no paging.
        case ids([String])
    }

    /// Document type, e.g. `approval`.
    public var document: String
    /// What the stream narrows by, as `description` declares it.
    public var filter: JSONObject
    /// Which documents.
    public var selection: Selection
    /// A page need not be full; never more.
    public var maximumRecords: Int

    /// A request.
    public init(document: String, filter: JSONObject, selection: Selection, maximumRecords: Int) {
        self.document = document
        self.filter = filter
        self.selection = selection
        self.maximumRecords = maximumRecords
    }
}

// MARK: - write, poll, undo

/// Brings documents into effect.
public protocol Writing: Connector {
    /// Reports every record of the request exactly once to the sink, resuming from each record's checkpoint.
    /// `request.each` runs records one by one.
    func write(_ request: WriteRequest, into sink: WriteSink, _ call: Call) throws(Failure)
}

/// Asks what became of accepted or waiting records.
public protocol Polling: Connector {
    /// As `write`; each record carries the `token` it was given.
    func poll(_ request: WriteRequest, into sink: WriteSink, _ call: Call) throws(Failure)
}

/// Takes back what was written.
public protocol Undoing: Connector {
    /// As `write`; each record's `token` is the target's number. `applied` carries the reversal's number, or
    /// the deleted one's.
    func undo(_ request: WriteRequest, into sink: WriteSink, _ call: Call) throws(Failure)
}

/// One document to write.
public struct WriteRecord: Sendable, Hashable {
    /// Its place in the request: what `checkpoint` and the sink are told.
    public var index: Int
    /// The idempotency key.
    public var key: String
    /// The document.
    public var document: JSON
    /// What an earlier attempt saved, or empty.
    public var checkpoint: [UInt8]
    /// Poll: what `accepted` or `waiting` gave. Undo: the target's number.
    public var token: String
    /// The version the target must still have, or empty.
    public var expected: String

    /// A record.
    public init(
        index: Int, key: String, document: JSON, checkpoint: [UInt8] = [], token: String = "", expected: String = ""
    ) {
        self.index = index
        self.key = key
        self.document = document
        self.checkpoint = checkpoint
        self.token = token
        self.expected = expected
    }
}

/// Documents of one type to write.
public struct WriteRequest: Sendable, Hashable {
    /// Document type, e.g. `voucher`.
    public var document: String
    /// The flow's `to.settings`.
    public var settings: JSONObject
    /// In the order they are to be written.
    public var records: [WriteRecord]

    /// A request.
    public init(document: String, settings: JSONObject, records: [WriteRecord]) {
        self.document = document
        self.settings = settings
        self.records = records
    }

    /// Writes record by record: what `body` returns is the record's outcome, what it throws its refusal.
    /// Once the connection is in trouble (`Failure.concernsConnection`) the rest is refused with the same
    /// failure and nothing more is sent.
    public func each(
        into sink: WriteSink, _ call: Call, _ body: (WriteRecord) throws(Failure) -> WriteOutcome
    ) throws(Failure) {
        var trouble: Failure?
        for record in records {
            var outcome: WriteOutcome
            if let trouble {
                outcome = .refused(trouble)
            } else {
                do {
                    try call.checkCancelled()
                    outcome = try body(record)
                } catch { outcome = .refused(error) }
            }
            if case .refused(let failure) = outcome, failure.concernsConnection { trouble = failure }
            try sink.report(record.index, outcome)
        }
    }
}

/// A document at the vendor.
public struct Written: Sendable, Hashable {
    /// What a person finds it by.
    public var number: String
    /// The vendor's internal id, or empty.
    public var id: String
    /// What the vendor now holds, for hashes and links.
    public var readBack: JSON?

    /// A document at the vendor.
    public init(number: String, id: String = "", readBack: JSON? = nil) {
        self.number = number
        self.id = id
        self.readBack = readBack
    }
}

/// What became of one record.
public enum WriteOutcome: Sendable, Hashable {
    /// Done.
    case applied(Written)
    /// It was there already under our key.
    case existed(Written)
    /// Queued at the vendor: ask `poll` with the token after so many milliseconds.
    case accepted(token: String, pollAfterMilliseconds: Int64, number: String)
    /// Stored, but a person at the vendor must act.
    case waiting(token: String, number: String, pollAfterMilliseconds: Int64)
    /// Not done, or not known to be done, as the failure's class says.
    case refused(Failure)
}

// MARK: - find, query, identify

/// Looks for a document without changing anything.
public protocol Finding: Connector {
    /// Every match; none = absent now.
    func find(_ request: FindRequest, _ call: Call) throws(Failure) -> [Written]
}

/// What to look for.
public struct FindRequest: Sendable, Hashable {
    /// Document type.
    public var document: String
    /// The flow's `to.settings`.
    public var settings: JSONObject
    /// Idempotency key, or empty.
    public var key: String
    /// Business fields (amount, date, person), or empty.
    public var business: JSONObject
    /// The document as it was sent, for connectors that compare.
    public var sent: JSON?
    /// What an earlier attempt saved, or empty.
    public var checkpoint: [UInt8]

    /// A request.
    public init(
        document: String, settings: JSONObject, key: String, business: JSONObject = [:], sent: JSON? = nil,
        checkpoint: [UInt8] = []
    ) {
        self.document = document
        self.settings = settings
        self.key = key
        self.business = business
        self.sent = sent
        self.checkpoint = checkpoint
    }
}

/// Answers questions on demand, read-only.
public protocol Querying: Connector {
    /// `name` and `parameters` as `description` declares them; one JSON document back.
    func query(_ name: String, _ parameters: JSONObject, _ call: Call) throws(Failure) -> JSON
}

/// Says who a person is at the vendor.
public protocol Identifying: Connector {
    /// Roles and departments of a user.
    func identify(_ user: String, _ call: Call) throws(Failure) -> JSON
}

// MARK: - events

/// Hears events over a stream whose socket the host owns.
public protocol Listening: Connector {
    /// Where to connect now. Called before every connection: tickets work once.
    func endpoint(_ call: Call) throws(Failure) -> ListenEndpoint
    /// One text or binary frame from the vendor.
    func frame(_ bytes: [UInt8], into sink: EventSink, _ call: Call) throws(Failure)
}

/// Where to connect.
public struct ListenEndpoint: Sendable, Hashable {
    /// `ws://` or `wss://`; checked against the allow-list again.
    public var url: String
    /// Further headers.
    public var headers: [HTTPRequest.Header]
    /// Milliseconds between our own pings; 0: the host's default.
    public var pingIntervalMilliseconds: UInt32
    /// Milliseconds of silence after which the stream is dead; 0: the host's default.
    public var idleTimeoutMilliseconds: UInt32

    /// An endpoint. Secrets cannot be inserted into its headers.
    public init(
        url: String, headers: [HTTPRequest.Header] = [], pingIntervalMilliseconds: UInt32 = 0,
        idleTimeoutMilliseconds: UInt32 = 0
    ) {
        self.url = url
        self.headers = headers
        self.pingIntervalMilliseconds = pingIntervalMilliseconds
        self.idleTimeoutMilliseconds = idleTimeoutMilliseconds
    }
}

/// Verifies, decrypts and answers webhooks.
public protocol Receiving: Connector {
    /// One webhook; the answer is given to the sink once.
    func receive(_ request: ReceivedRequest, into sink: ReceiveSink, _ call: Call) throws(Failure)
}

/// One webhook as it came.
public struct ReceivedRequest: Sendable, Hashable {
    /// `POST` …
    public var method: String
    /// The path, percent-encoded as it came.
    public var path: String
    /// What follows `?`, as it came.
    public var query: String
    /// As they came.
    public var headers: [HTTPRequest.Header]
    /// As it came.
    public var body: [UInt8]

    /// A webhook.
    public init(
        method: String, path: String, query: String = "", headers: [HTTPRequest.Header] = [], body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// The first header of this name, whatever its case.
    public func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }
            .map { String(decoding: $0.value.literal, as: UTF8.self) }
    }
}

/// That something happened to a document, which the host then fetches for the truth.
public struct Hint: Sendable, Hashable {
    /// Document type.
    public var document: String
    /// Which document.
    public var id: String
    /// The vendor's id of this event, for de-duplication, or empty.
    public var eventID: String
    /// The vendor's word for what happened, for logs.
    public var kind: String
    /// What the event itself says, an object: for an interactive request the message, else fields by the document's
    /// own names, so that the host need not fetch what no flow wants.
    public var message: JSON?

    /// A hint.
    public init(document: String, id: String, eventID: String = "", kind: String = "", message: JSON? = nil) {
        self.document = document
        self.id = id
        self.eventID = eventID
        self.kind = kind
        self.message = message
    }
}
