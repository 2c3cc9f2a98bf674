import Values

/// What a plugin answered, when it did not fail as a whole.
public enum PluginResponse: Sendable, Hashable {
    /// describe, probe, query, rotate, identify: one JSON text. migrateState: the new value.
    case text([UInt8])
    /// read.
    case page(ReadPage)
    /// write, poll, undo: one outcome for every record, in the records' order.
    case outcomes([WriteOutcome])
    /// find: every match. Empty: absent now, which alone proves nothing.
    case found([Found])
    /// listenOpen.
    case endpoint(ListenEndpoint)
    /// listenFrame.
    case event(EventResult)
    /// receive.
    case webhook(WebhookResult)
}

/// One page of a read, or the named documents.
public struct ReadPage: Sendable, Hashable {
    /// Where the reader stands after this page.
    public enum Position: Sendable, Hashable {
        /// More is there now: ask again at once with this cursor.
        case more(cursor: [UInt8])
        /// All seen: the next sweep begins at this cursor.
        case end(cursor: [UInt8])
        /// No position: named documents were asked for.
        case none
    }
    /// In the vendor's order.
    public var records: [ReadRecord]
    /// What to do next.
    public var position: Position

    /// A page.
    public init(records: [ReadRecord], position: Position) {
        self.records = records
        self.position = position
    }
}

/// One document of a page.
public struct ReadRecord: Sendable, Hashable {
    /// How much is known.
    public enum Content: Sendable, Hashable {
        /// The document, JSON.
        case document([UInt8])
        /// To be fetched if it is news. What is known without fetching: a JSON object by the document's own names, or empty.
        case hint(known: [UInt8])
        /// The vendor says it is gone.
        case deleted
    }
    /// The document's id at the vendor, stable, at most 256 bytes.
    public var id: String
    /// The vendor's own version or time of change, or empty.
    public var version: String
    /// Document, hint or deletion.
    public var content: Content

    /// A record.
    public init(id: String, version: String = "", content: Content) {
        self.id = id
        self.version = version
        self.content = content
    }
}

/// What a target holds for one record.
public struct Written: Sendable, Hashable {
    /// What a person finds the document by.
    public var number: String
    /// The vendor's internal id, or empty.
    public var id: String
    /// JSON the vendor now holds, or empty.
    public var readBack: [UInt8]

    /// A document at the target.
    public init(number: String, id: String = "", readBack: [UInt8] = []) {
        self.number = number
        self.id = id
        self.readBack = readBack
    }
}

/// What became of one record of a write, poll or undo.
public enum WriteOutcome: Sendable, Hashable {
    /// Done. After undo: the reversal, or what was deleted.
    case applied(Written)
    /// It was there already under our key.
    case existed(Written)
    /// Queued at the vendor: poll with the token, not before that many milliseconds.
    case accepted(token: [UInt8], pollAfterMs: Int64)
    /// Stored, but a person at the vendor must act. The token is for poll.
    case waiting(Written, token: [UInt8], pollAfterMs: Int64)
    /// Refused, with the reason.
    case refused(Failure)
}

/// One match of a find.
public typealias Found = Written

/// Where a vendor's stream is reached now.
public struct ListenEndpoint: Sendable, Hashable {
    /// ws:// or wss://; to be checked against the allow-list again.
    public var url: String
    /// Headers of the upgrade request.
    public var headers: [Header]
    /// Our own pings; nil: the host's default.
    public var pingIntervalMs: UInt32?
    /// Nothing heard for so long: the stream is dead. nil: the host's default.
    public var idleTimeoutMs: UInt32?

    /// An endpoint.
    public init(url: String, headers: [Header] = [], pingIntervalMs: UInt32? = nil, idleTimeoutMs: UInt32? = nil) {
        self.url = url
        self.headers = headers
        self.pingIntervalMs = pingIntervalMs
        self.idleTimeoutMs = idleTimeoutMs
    }
}

/// News of one document: what is made durable before a vendor's event is acknowledged.
public struct Hint: Sendable, Hashable {
    /// Document type.
    public var document: String
    /// Which document: it is fetched for the truth.
    public var id: String
    /// The vendor's id of the event, for de-duplication, or empty.
    public var eventID: String
    /// The vendor's word for what happened, for logs.
    public var kind: String
    /// What the event itself says, a JSON object or empty: for an interactive request the message, else fields by the
    /// document's own names.
    public var json: [UInt8]

    /// A hint.
    public init(document: String, id: String, eventID: String = "", kind: String = "", json: [UInt8] = []) {
        self.document = document
        self.id = id
        self.eventID = eventID
        self.kind = kind
        self.json = json
    }
}

/// What one frame of a stream means.
public struct EventResult: Sendable, Hashable {
    /// To be made durable.
    public var hints: [Hint]
    /// Frames to send at once (pong, hello).
    public var sendNow: [[UInt8]]
    /// Frames to send once every hint is durable: the acknowledgement.
    public var sendAfterDurable: [[UInt8]]
    /// The vendor will close this stream, and why: open the next one now and keep reading the old.
    public var reconnect: String?

    /// What a frame means; nothing by default.
    public init(
        hints: [Hint] = [], sendNow: [[UInt8]] = [], sendAfterDurable: [[UInt8]] = [], reconnect: String? = nil
    ) {
        self.hints = hints
        self.sendNow = sendNow
        self.sendAfterDurable = sendAfterDurable
        self.reconnect = reconnect
    }
}

/// What one webhook means.
public struct WebhookResult: Sendable, Hashable {
    /// The HTTP answer.
    public struct Answer: Sendable, Hashable {
        /// HTTP status.
        public var status: UInt32
        /// Headers.
        public var headers: [Header]
        /// Body.
        public var body: [UInt8]
        /// True: only after every hint is durable.
        public var afterDurable: Bool

        /// An answer.
        public init(status: UInt32, headers: [Header] = [], body: [UInt8] = [], afterDurable: Bool) {
            self.status = status
            self.headers = headers
            self.body = body
            self.afterDurable = afterDurable
        }
    }
    /// To be made durable.
    public var hints: [Hint]
    /// The answer to give. A `receive` that ends without one broke the contract.
    public var answer: Answer

    /// Hints and the answer.
    public init(hints: [Hint] = [], answer: Answer) {
        self.hints = hints
        self.answer = answer
    }
}

/// How one call ended.
public struct CallResult: Sendable {
    /// The plugin's answer, or why there is none.
    public var outcome: Result<PluginResponse, CallFailure>
    /// True when an HTTP or SQL call with effect `write` was begun for this call and not proved unsent. Then only
    /// a clear success or refusal ends the attempt; everything else is an unknown outcome, whatever class the
    /// plugin gave.
    public var reachedVendor: Bool
    /// Write, poll, undo that failed as a whole: the results the plugin gave before, by record index, each once and
    /// proper. A record that is missing here has an unknown outcome when the vendor was reached.
    public var known: [Int: WriteOutcome]

    /// An outcome, whether the vendor may have been reached, and what is known in spite of a failure.
    public init(
        outcome: Result<PluginResponse, CallFailure>, reachedVendor: Bool, known: [Int: WriteOutcome] = [:]
    ) {
        self.outcome = outcome
        self.reachedVendor = reachedVendor
        self.known = known
    }
}

/// Why a call has no answer.
public enum CallFailure: Error, Sendable {
    /// The plugin says so.
    case plugin(Failure)
    /// The worker ended before it answered; the problem holds signal or exit status and the last lines of stderr.
    case workerDied(WorkerDeath)
    /// The deadline passed while the host had something to give: a place, a vendor's answer, room within a limit.
    case deadlineExceeded
    /// The deadline passed while the plugin itself was at work, or it did not come back in the grace time and its worker
    /// was killed: counts as class `bug`.
    case overran(Problem)
    /// The task that made the call was cancelled.
    case cancelled
    /// The plugin broke the contract: counts as class `bug`, and its worker is killed.
    case contractBreach(ContractBreach)
    /// Never sent: the worker could not be started, ended or was stopped before, or its restart budget is spent.
    case notSent(Problem)
}

/// How a worker ended.
public struct WorkerDeath: Sendable, Hashable {
    /// The end of a process.
    public enum Cause: Sendable, Hashable {
        /// A signal nobody here sent.
        case signal(Int32)
        /// It left by itself with this status.
        case exited(Int32)
        /// Killed here because another call did not come back from its deadline.
        case killedForDeadline
        /// Killed here because the plugin broke its contract in another call.
        case killedForBreach
        /// Killed here because it sent something that is no frame of the protocol.
        case killedForProtocol
        /// Killed here because the host stopped it.
        case stopped
        /// In-process isolation: the worker's threads ended the conversation.
        case hungUp
    }
    /// How.
    public var cause: Cause
    /// The last bytes it wrote to stderr, at most `Limits.stderrTailBytes`.
    public var stderrTail: String
    /// The same for people, with code `E-WORKER-NNN`.
    public var problem: Problem

    /// An end with its tail and its text.
    public init(cause: Cause, stderrTail: String, problem: Problem) {
        self.cause = cause
        self.stderrTail = stderrTail
        self.problem = problem
    }
}

/// What a plugin did against the contract.
public struct ContractBreach: Sendable, Hashable {
    /// Each breach in words, for the engineer.
    public var breaches: [String]
    /// The same for people.
    public var problem: Problem

    /// A breach.
    public init(breaches: [String], problem: Problem) {
        self.breaches = breaches
        self.problem = problem
    }
}
