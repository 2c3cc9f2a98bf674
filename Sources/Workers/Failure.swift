/// What went wrong decides what the host does: the error classes of the plugin contract.
public enum ErrorClass: UInt32, Sendable, Hashable, CaseIterable {
    /// May work later; the vendor certainly did not apply it.
    case transient = 10
    /// A rate limit.
    case throttled = 11
    /// A daily or monthly allowance is spent.
    case quotaSpent = 12
    /// The session is gone and one new log-in did not help.
    case authExpired = 13
    /// Wrong secret, locked, or a permission is missing. Never to be hammered.
    case authDenied = 14
    /// No connection: nothing was sent.
    case unreachable = 15
    /// A write may have been applied: look before sending again.
    case unknownOutcome = 16
    /// It exists already, or it changed meanwhile.
    case conflict = 17
    /// This document can never pass as it is.
    case invalidRecord = 18
    /// The vendor's answer or form is not what the connector was built for.
    case schemaDrift = 19
    /// The product line or edition cannot do this.
    case unsupported = 20
    /// The plugin broke the contract.
    case bug = 21
    /// The host asked to stop, or the deadline passed.
    case cancelled = 22
    /// A service refused: not declared, not approved, too large.
    case denied = 23

    /// The class a plugin sent. A class this host does not know counts as `bug`, as the contract says.
    public init(contract value: UInt32) {
        self = ErrorClass(rawValue: value) ?? .bug
    }
}

/// Why a plugin says something failed.
public struct Failure: Sendable, Hashable {
    /// One message for people.
    public struct Message: Sendable, Hashable {
        /// The words. Never a secret.
        public var text: String
        /// "zh", "en", or empty for the vendor's own words.
        public var language: String
        /// The vendor's code of this message, or empty.
        public var code: String

        /// A message with its language and the vendor's code.
        public init(text: String, language: String = "", code: String = "") {
            self.text = text
            self.language = language
            self.code = code
        }
    }

    /// What the host goes by.
    public var errorClass: ErrorClass
    /// The cause first.
    public var messages: [Message]
    /// As the vendor wrote it, or empty.
    public var vendorCode: String
    /// JSON pointer into the record ("/lines/0/account"), or empty.
    public var field: String
    /// The vendor's number of the document already there, or empty.
    public var existing: String
    /// Milliseconds from now; nil when the vendor did not say.
    public var retryAfterMs: Int64?

    /// A failure; only the class is needed.
    public init(
        _ errorClass: ErrorClass, messages: [Message] = [], vendorCode: String = "", field: String = "",
        existing: String = "", retryAfterMs: Int64? = nil
    ) {
        self.errorClass = errorClass
        self.messages = messages
        self.vendorCode = vendorCode
        self.field = field
        self.existing = existing
        self.retryAfterMs = retryAfterMs
    }
}
