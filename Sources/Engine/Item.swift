/// One intended effect of one source document on one target: the thing that must happen exactly once.
///
/// An item is made when a document is received and mapped, and lives until it is `done` or `skipped`.
/// Its identity at the target is the idempotency key, which the host derives and the engine never sees:
/// one item is one key.
public struct Item: Sendable, Equatable {
    /// The ledger's row number; never reused.
    public let id: ItemID
    /// The flow that wants the effect.
    public let flow: FlowID
    /// The target connection.
    public let lane: LaneID
    /// What must stay in order: one open intent per key and lane. Free across keys.
    public internal(set) var orderKey: String
    /// Where it stands.
    public internal(set) var state: ItemState
    /// Deliveries that spent a try of the ladder. Connection trouble spends none.
    public internal(set) var triesSpent: Int
    /// Deliveries ever begun; the next intent has this number plus one.
    public internal(set) var attempts: Int
    /// The revision its mapped form was made under.
    public internal(set) var revision: Int

    /// An item as the ledger holds it.
    public init(
        id: ItemID, flow: FlowID, lane: LaneID, orderKey: String, state: ItemState, triesSpent: Int = 0,
        attempts: Int = 0, revision: Int
    ) {
        self.id = id
        self.flow = flow
        self.lane = lane
        self.orderKey = orderKey
        self.state = state
        self.triesSpent = triesSpent
        self.attempts = attempts
        self.revision = revision
    }

    /// Certainly not in effect at the target: never sent, or clearly refused. A newer form may replace it.
    public var isReplaceable: Bool {
        switch state {
        case .held(.refused(.conflict)): false
        case .held(.refused): true
        default: !everAttempted && !state.isSettled
        }
    }

    /// Moves by itself: on its way now or later. What waits for a person or for the target does not count.
    public var isMoving: Bool {
        switch state {
        case .ready, .retrying, .delivering: true
        case .checking, .atVendor, .held, .done, .skipped: false
        }
    }

    /// Ever sent, so its exact bytes are kept and only an outcome moves it.
    public var everAttempted: Bool { attempts > 0 }
}

/// A row number of the ledger.
public typealias ItemID = Int64
/// A flow, by its row number in the ledger.
public typealias FlowID = Int64
/// A connection, by its row number in the ledger.
public typealias LaneID = Int64
/// Milliseconds since 1970, from the host's clock. The engine has none of its own.
public typealias Milliseconds = Int64

/// Where an item stands. The five words people see are `FiveStates`.
public enum ItemState: Sendable, Equatable {
    /// Mapped, never sent, free to go when its turn comes.
    case ready
    /// An intent is durable, the call is on its way.
    case delivering(epoch: Int64)
    /// The target clearly did not take it this time; the same bytes go again at `at`.
    case retrying(at: Milliseconds, class: FailureClass)
    /// It may or may not have taken effect.
    case checking(Check)
    /// The target has it, and will say later what became of it.
    case atVendor(AtVendor)
    /// A person must decide.
    case held(HoldCause)
    /// In effect at the target.
    case done
    /// No effect wanted, by a rule that is recorded.
    case skipped(SkipRule)
}

/// How far the search for an unknown outcome has come.
public struct Check: Sendable, Equatable {
    /// When the request may last have reached the target.
    public var since: Milliseconds
    /// The next look-up.
    public var nextAt: Milliseconds
    /// Look-ups that were answered.
    public var looks: Int
    /// A look-up is on its way.
    public var asking: Bool

    /// A check as the ledger holds it.
    public init(since: Milliseconds, nextAt: Milliseconds, looks: Int = 0, asking: Bool = false) {
        self.since = since
        self.nextAt = nextAt
        self.looks = looks
        self.asking = asking
    }
}

/// A document the target accepted without finishing it.
public struct AtVendor: Sendable, Equatable {
    /// Why it is not finished.
    public enum Reason: Int, Sendable {
        /// Queued; the target works through it by itself.
        case accepted = 1
        /// A person at the target must act (approval procedure).
        case waiting = 2
    }
    /// Why it is not finished.
    public var reason: Reason
    /// When the target has it from.
    public var since: Milliseconds
    /// The next question.
    public var pollAt: Milliseconds
    /// A question is on its way.
    public var asking: Bool

    /// A wait as the ledger holds it.
    public init(reason: Reason, since: Milliseconds, pollAt: Milliseconds, asking: Bool = false) {
        self.reason = reason
        self.since = since
        self.pollAt = pollAt
        self.asking = asking
    }
}

/// The classes a failure can have; numbers as in `datong_plugin.h`.
public enum FailureClass: Int, Sendable, CaseIterable {
    /// May work later; certainly not applied.
    case transient = 10
    /// A rate limit.
    case throttled = 11
    /// A daily or monthly allowance is used up.
    case quotaSpent = 12
    /// The session is gone and logging in once did not help.
    case authExpired = 13
    /// Wrong secret, locked, or no permission.
    case authDenied = 14
    /// No connection; nothing was sent.
    case unreachable = 15
    /// A write may have been applied.
    case unknownOutcome = 16
    /// It exists already, or changed meanwhile.
    case conflict = 17
    /// This document can never pass as it is.
    case invalidRecord = 18
    /// The vendor's answer is not what the connector was built for.
    case schemaDrift = 19
    /// The product line or edition cannot do this.
    case unsupported = 20
    /// The connector broke its contract, or crashed.
    case bug = 21
    /// Stopped by the host, or out of time.
    case cancelled = 22

    /// A clear "no" of the target: the document is certainly not in effect, even if bytes were sent.
    /// Everything else, once a byte was sent, is an unknown outcome: a plugin's word does not prove that nothing arrived.
    public var isDefinitiveRefusal: Bool {
        switch self {
        case .throttled, .quotaSpent, .authExpired, .authDenied, .conflict, .invalidRecord, .unsupported: true
        case .transient, .unreachable, .unknownOutcome, .schemaDrift, .bug, .cancelled: false
        }
    }

    /// Trouble of the connection and not of the document: it pauses the lane and spends no try.
    public var isConnectionTrouble: Bool {
        switch self {
        case .throttled, .quotaSpent, .authExpired, .authDenied, .unreachable: true
        default: false
        }
    }
}

/// Why a person must decide. The details (field, value, vendor's words) stand beside it in the ledger.
public enum HoldCause: Sendable, Equatable {
    /// The mapping could not make a valid target document.
    case mapping
    /// The source document changed after its first form was sent or settled (`on_change: hold`).
    case changedAfterEffect
    /// The target said no to this document.
    case refused(FailureClass)
    /// Every try of the ladder failed.
    case triesSpent(FailureClass)
    /// The outcome is unknown and more than one document at the target carries the key.
    case severalFound
    /// The outcome is unknown and the connector cannot look.
    case cannotFind
    /// The target keeps saying it has not finished.
    case vendorSilent
    /// The outcome is unknown and the connection leads to other books by now: looking there proves nothing.
    case otherBooks
}

/// Why no effect is wanted.
public enum SkipRule: Int, Sendable {
    /// The flow's `where` does not match.
    case filter = 1
    /// The mapping's own rule said so.
    case mapping = 2
    /// A newer form of the same document replaced it before it was ever sent.
    case superseded = 3
    /// `on_change: ignore`.
    case changeIgnored = 4
    /// A person decided.
    case person = 5
    /// Older than the flow's history start.
    case history = 6
    /// The same effect stands already under its key, received by another road (a renamed connection).
    case duplicate = 7
}

/// The five states people see, the same words everywhere.
public enum FiveStates: String, Sendable, CaseIterable {
    /// In effect at the target.
    case done
    /// No effect wanted, by rule.
    case skipped
    /// On its way.
    case pending
    /// A person must decide.
    case held
    /// The outcome is unknown and being looked up.
    case checking
}

extension ItemState {
    /// The word people see for this state.
    public var seen: FiveStates {
        switch self {
        case .ready, .delivering, .retrying, .atVendor: .pending
        case .checking: .checking
        case .held: .held
        case .done: .done
        case .skipped: .skipped
        }
    }

    /// A call with it is on its way.
    var isOnItsWay: Bool { if case .delivering = self { true } else { false } }

    /// It may or may not be in the books: whoever waits for this waits for a look there.
    var isUnknown: Bool {
        switch self {
        case .checking, .atVendor: true
        case .held(.severalFound), .held(.cannotFind), .held(.otherBooks), .held(.vendorSilent): true
        case .held(.triesSpent(.unknownOutcome)): true
        default: false
        }
    }

    /// Nothing more will happen by itself or by a person's retry.
    public var isSettled: Bool {
        switch self {
        case .done, .skipped: true
        default: false
        }
    }
}
