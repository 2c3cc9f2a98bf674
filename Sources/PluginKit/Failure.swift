import PluginABI
import Values

/// Why a call or one record of it failed: the only error a connector throws.
///
/// The class decides what the host does next, the messages are shown to people. Messages never carry a
/// secret, a token or a whole request.
public struct Failure: Error, Sendable, Hashable {
    /// The error classes of the contract. What each makes the host do is in `docs/describe.md`.
    public enum Kind: Sendable, Hashable, CaseIterable {
        /// May work later; the vendor certainly did not apply it.
        case transient
        /// A rate limit.
        case throttled
        /// A daily or monthly allowance is used up.
        case quotaSpent
        /// The session is gone and one new log-in did not help.
        case authExpired
        /// Wrong secret, locked account or missing permission: an operator must act.
        case authDenied
        /// No connection; nothing was sent.
        case unreachable
        /// A write may have been applied.
        case unknownOutcome
        /// It exists already or changed meanwhile.
        case conflict
        /// This document can never pass as it is.
        case invalidRecord
        /// The vendor's answer or form is not what the connector was built for.
        case schemaDrift
        /// The product line or edition cannot do this.
        case unsupported
        /// The plugin, or the host towards it, broke the contract.
        case bug
        /// The host asked to stop, or the deadline passed.
        case cancelled
        /// A host service refused: not declared, not approved, too large. Thrown on by a connector it
        /// reaches the host as `authDenied`, because an operator must act.
        case denied
    }

    /// One sentence for people.
    public struct Message: Sendable, Hashable {
        /// In which words a message is.
        public enum Language: Sendable, Hashable {
            /// Chinese, written by us.
            case zh
            /// English, written by us.
            case en
            /// The vendor's own words, as they came.
            case vendor
        }

        /// What is shown.
        public var text: String
        /// Whose words.
        public var language: Language
        /// The vendor's code of this message, or the host's where the network or the answer as such is the matter, or
        /// empty.
        public var vendorCode: String

        /// A message.
        public init(_ text: String, _ language: Language, vendorCode: String = "") {
            self.text = text
            self.language = language
            self.vendorCode = vendorCode
        }
    }

    /// The class.
    public var kind: Kind
    /// At least one, the cause first.
    public var messages: [Message]
    /// The vendor's code as the vendor wrote it, or empty.
    public var vendorCode: String
    /// JSON pointer into the record, e.g. `/lines/0/account`, or empty.
    public var field: String
    /// The vendor's number of the document already there, or empty.
    public var existing: String
    /// Milliseconds from now after which it may work again; nil when the vendor did not say.
    public var retryAfterMilliseconds: Int64?

    /// A failure with its messages, the cause first.
    public init(
        _ kind: Kind, messages: [Message], vendorCode: String = "", field: String = "", existing: String = "",
        retryAfterMilliseconds: Int64? = nil
    ) {
        self.kind = kind
        self.messages = messages
        self.vendorCode = vendorCode
        self.field = field
        self.existing = existing
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }

    /// A failure in our own words.
    public init(
        _ kind: Kind, zh: String, en: String, vendorCode: String = "", field: String = "", existing: String = "",
        retryAfterMilliseconds: Int64? = nil
    ) {
        self.init(
            kind, messages: [Message(zh, .zh), Message(en, .en)], vendorCode: vendorCode, field: field,
            existing: existing, retryAfterMilliseconds: retryAfterMilliseconds)
    }

    /// A document that can never pass as it is. `field` is a JSON pointer into it.
    public static func invalidRecord(zh: String, en: String, field: String = "") -> Failure {
        Failure(.invalidRecord, zh: zh, en: en, field: field)
    }

    /// The contract was broken.
    public static func bug(zh: String, en: String) -> Failure { Failure(.bug, zh: zh, en: en) }

    /// A problem of the shared value types, under the class that fits where it came from.
    public init(_ kind: Kind, _ problem: Problem) {
        self.init(kind, zh: problem.what.zh, en: problem.what.en)
    }

    /// What is wrong with an answer as such, whatever it wants to say: the code a person is told.
    public enum AnswerFault: String, Sendable {
        /// A web page in place of data.
        case page = "E-ANSWER-001"
        /// Cut, or no JSON.
        case unreadable = "E-ANSWER-002"
        /// Nothing at all.
        case empty = "E-ANSWER-003"
    }

    /// The same failure, told under the code of what is wrong with the answer.
    public func told(as fault: AnswerFault) -> Failure {
        var other = self
        for index in other.messages.indices where other.messages[index].language != .vendor {
            other.messages[index].vendorCode = fault.rawValue
        }
        return other
    }

    /// The same failure under another class.
    public func `as`(_ kind: Kind) -> Failure {
        var other = self
        other.kind = kind
        return other
    }

    /// Whether the whole connection is in trouble, not one record: nothing further need be tried now.
    public var concernsConnection: Bool {
        switch kind {
        case .throttled, .quotaSpent, .authExpired, .authDenied, .unreachable, .cancelled, .denied: true
        case .transient, .unknownOutcome, .conflict, .invalidRecord, .schemaDrift, .unsupported, .bug: false
        }
    }
}

extension Failure: CustomStringConvertible {
    /// One line for logs and tests.
    public var description: String {
        var line = "\(kind)"
        if !vendorCode.isEmpty { line += " [\(vendorCode)]" }
        if !field.isEmpty { line += " \(field)" }
        for message in messages { line += " | \(message.text)" }
        return line
    }
}

extension Failure.Kind {
    /// The number of this class on the wire.
    var code: UInt32 {
        switch self {
        case .transient: UInt32(DATONG_TRANSIENT)
        case .throttled: UInt32(DATONG_THROTTLED)
        case .quotaSpent: UInt32(DATONG_QUOTA_SPENT)
        case .authExpired: UInt32(DATONG_AUTH_EXPIRED)
        case .authDenied, .denied: UInt32(DATONG_AUTH_DENIED)
        case .unreachable: UInt32(DATONG_UNREACHABLE)
        case .unknownOutcome: UInt32(DATONG_UNKNOWN_OUTCOME)
        case .conflict: UInt32(DATONG_CONFLICT)
        case .invalidRecord: UInt32(DATONG_INVALID_RECORD)
        case .schemaDrift: UInt32(DATONG_SCHEMA_DRIFT)
        case .unsupported: UInt32(DATONG_UNSUPPORTED)
        case .bug: UInt32(DATONG_BUG)
        case .cancelled: UInt32(DATONG_CANCELLED)
        }
    }

    /// The class a service answered with; an unknown one counts as a bug.
    init(code: Int32) {
        switch code {
        case DATONG_TRANSIENT: self = .transient
        case DATONG_THROTTLED: self = .throttled
        case DATONG_QUOTA_SPENT: self = .quotaSpent
        case DATONG_AUTH_EXPIRED: self = .authExpired
        case DATONG_AUTH_DENIED: self = .authDenied
        case DATONG_UNREACHABLE: self = .unreachable
        case DATONG_UNKNOWN_OUTCOME: self = .unknownOutcome
        case DATONG_CONFLICT: self = .conflict
        case DATONG_INVALID_RECORD: self = .invalidRecord
        case DATONG_SCHEMA_DRIFT: self = .schemaDrift
        case DATONG_UNSUPPORTED: self = .unsupported
        case DATONG_CANCELLED: self = .cancelled
        case DATONG_DENIED: self = .denied
        default: self = .bug
        }
    }
}

extension Failure {
    /// Lays the failure out as the contract wants it; valid as long as the arena.
    func laidOut(in arena: Arena) -> datong_failure {
        let shown = messages.isEmpty ? [Message("未说明原因", .zh), Message("no reason was given", .en)] : messages
        let list = shown.map { message in
            let language =
                switch message.language {
                case .zh: "zh"
                case .en: "en"
                case .vendor: ""
                }
            return datong_message(
                text: arena.text(message.text), language: arena.text(language),
                vendor_code: arena.text(message.vendorCode))
        }
        var failure = datong_failure()
        failure.size = UInt32(MemoryLayout<datong_failure>.size)
        failure.error_class = kind.code
        failure.message_count = UInt32(clamping: list.count)
        failure.messages = arena.list(list)
        failure.vendor_code = arena.text(vendorCode)
        failure.field = arena.text(field)
        failure.existing = arena.text(existing)
        failure.retry_after_ms = retryAfterMilliseconds ?? -1
        return failure
    }
}
