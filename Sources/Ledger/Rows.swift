import Engine

/// Seals and opens what the ledger keeps at rest. The host gives one over the vault's data key.
public protocol PayloadSealing: Sendable {
    /// Sealed bytes, bound to `context` (table and row): opened anywhere else they are refused.
    func seal(_ bytes: [UInt8], context: String) throws -> [UInt8]
    /// The bytes again, or an error when they were changed or moved.
    func open(_ sealed: [UInt8], context: String) throws -> [UInt8]
    /// 32 bytes that depend on a key and on every input byte: content hashes, and the audit chain.
    func keyedHash(_ bytes: [UInt8]) throws -> [UInt8]
}

/// A received form of a document; two forms in a row never have the same hash of what the mappings read.
public struct InboxRow: Sendable, Equatable {
    /// Row number.
    public var id: Int64
    /// The stream it came by.
    public var stream: Int64
    /// The document's id at the source.
    public var document: String
    /// What people call it (approval number), for lists.
    public var number: String
    /// Keyed hash of what the mappings read.
    public var hash: [UInt8]
    /// When it became durable.
    public var at: Milliseconds
    /// The revision that received it.
    public var revision: Int
    /// The document, JSON; sealed at rest.
    public var payload: [UInt8]

    /// A received document.
    public init(
        id: Int64, stream: Int64, document: String, number: String, hash: [UInt8], at: Milliseconds, revision: Int,
        payload: [UInt8]
    ) {
        self.id = id
        self.stream = stream
        self.document = document
        self.number = number
        self.hash = hash
        self.at = at
        self.revision = revision
        self.payload = payload
    }
}

/// What never changes of an item: where it comes from and where it goes.
public struct ItemOrigin: Sendable, Equatable {
    /// Row number, the engine's `ItemID`.
    public var id: ItemID
    /// The inbox row it was made from.
    public var inbox: Int64
    /// The flow's row number.
    public var flow: FlowID
    /// The target connection's row number.
    public var lane: LaneID
    /// Target document type.
    public var document: String
    /// Which of several effects of one source document.
    public var ordinal: Int
    /// The idempotency key, or nil for a form that must not be sent (changed after effect).
    public var key: String?

    /// An item's origin.
    public init(
        id: ItemID, inbox: Int64, flow: FlowID, lane: LaneID, document: String, ordinal: Int, key: String?
    ) {
        self.id = id
        self.inbox = inbox
        self.flow = flow
        self.lane = lane
        self.document = document
        self.ordinal = ordinal
        self.key = key
    }
}

/// One item of a source document that a newer form of it must reckon with.
public struct LivePart: Sendable, Equatable {
    /// The item.
    public var id: ItemID
    /// Which of several effects.
    public var ordinal: Int
    /// Certainly not in effect: never sent, or clearly refused with nothing begun.
    public var isReplaceable: Bool
    /// A changed form that was held without a key.
    public var isChange: Bool
}

/// Everything that can become durable. One `commit` is one transaction and one fsync.
public enum Change: Sendable {
    /// A stream, connection or flow gets its row number. `kind`: stream, lane, flow.
    case name(kind: NameKind, id: Int64, name: String)
    /// A received document.
    case inbox(InboxRow)
    /// A new item, with the state of the `item` change that follows in the same commit.
    case origin(ItemOrigin)
    /// An item's state; `detail` is the cause in JSON for people, kept until the next state.
    case item(Item, detail: String?, at: Milliseconds)
    /// The exact bytes that will be sent, and the flow's target settings they go with; sealed at rest.
    case mapped(ItemID, bytes: [UInt8], settings: [UInt8])
    /// An attempt begins.
    case openIntent(ItemID, attempt: Int, epoch: Int64, at: Milliseconds)
    /// An attempt ended.
    case closeIntent(ItemID, attempt: Int, end: IntentEnd, detail: String?, at: Milliseconds)
    /// How far the connector has come with the item; empty bytes forget it.
    case checkpoint(ItemID, bytes: [UInt8])
    /// The token of an accepted document.
    case token(ItemID, bytes: [UInt8])
    /// Source document and target document belong together.
    case link(LinkRow)
    /// The stream has been read up to here.
    case cursor(stream: Int64, bytes: [UInt8], at: Milliseconds)
    /// Something happened to a document; it is to be fetched. `known`: what is known of it already, JSON text or empty.
    case hint(stream: Int64, document: String, known: String, at: Milliseconds)
    /// The document was fetched at `before`; a hint that came later stays.
    case hintDone(stream: Int64, document: String, before: Milliseconds)
    /// A connector's own state.
    case state(connection: String, key: String, bytes: [UInt8])
    /// Calls debited in advance for a window of a limit: a crash counts them as spent.
    case limitBlock(bucket: String, from: Milliseconds, calls: Int)
    /// A lane stands still, or runs.
    case lane(LaneID, LanePause?)
    /// A flow is paused or runs: runtime state, no revision changes it.
    case flowPaused(FlowID, Bool, at: Milliseconds)
    /// Who did what; chained.
    case audit(actor: String, action: String, detail: String, at: Milliseconds)
}

/// What has a name and a row number.
public enum NameKind: String, Sendable {
    /// A source stream: what is read once, however many flows it feeds; `connection/document`.
    case stream
    /// A target connection and document type, `connection/document`.
    case lane
    /// A flow; the name is its immutable id.
    case flow
}

/// Both ids of one effect, and what both sides last agreed on.
public struct LinkRow: Sendable, Equatable {
    /// The item whose effect it is.
    public var item: ItemID
    /// The target's number, for people.
    public var number: String
    /// The target's internal id.
    public var targetID: String
    /// What the target holds, JSON; sealed at rest; may be empty.
    public var readBack: [UInt8]
    /// When it settled.
    public var at: Milliseconds

    /// A link.
    public init(item: ItemID, number: String, targetID: String, readBack: [UInt8], at: Milliseconds) {
        self.item = item
        self.number = number
        self.targetID = targetID
        self.readBack = readBack
        self.at = at
    }
}

/// One line of `ledger list`.
public struct ItemView: Sendable {
    /// Row number.
    public var id: ItemID
    /// The flow's row number.
    public var flow: FlowID
    /// Document id at the source.
    public var document: String
    /// What people call the source document.
    public var number: String
    /// The engine's item.
    public var item: Item
    /// Cause and details, JSON text.
    public var detail: String?
    /// The idempotency key.
    public var key: String?
    /// Target document type.
    public var targetDocument: String
    /// The target's number once it is known.
    public var targetNumber: String?
    /// When the state last changed.
    public var at: Milliseconds
}

/// One attempt of an item.
public struct IntentView: Sendable {
    /// Which attempt.
    public var attempt: Int
    /// The writer generation.
    public var epoch: Int64
    /// When its intent became durable.
    public var openedAt: Milliseconds
    /// When it ended.
    public var closedAt: Milliseconds?
    /// How it ended.
    public var end: IntentEnd?
    /// The outcome for people, JSON text.
    public var detail: String?
}

/// The five counts of a flow and what was read: read = done + skipped + held + pending + checking.
public struct FlowCounts: Sendable, Equatable {
    /// The flow's row number.
    public var flow: FlowID
    /// Items per state.
    public var counts: [FiveStates: Int]
    /// Items ever made.
    public var read: Int
    /// When the newest `done` settled.
    public var lastDone: Milliseconds?

    /// The counts of a flow.
    public init(flow: FlowID, counts: [FiveStates: Int], read: Int, lastDone: Milliseconds? = nil) {
        self.flow = flow
        self.counts = counts
        self.read = read
        self.lastDone = lastDone
    }

    /// The honesty law.
    public var isBalanced: Bool { counts.values.reduce(0, +) == read }
}
