import Engine
import Values

/// Durable truth: inbox, items, intents, links, cursors, limits, audit.
///
/// One writer calls `commit`; a commit is durable as a whole, or nothing of it is, whatever number of changes it holds.
/// Reads come from other threads and see the last commit. Every call blocks: never on Swift's cooperative pool.
///
/// *One writer generation.* Opening a ledger claims its next epoch, and every write checks in its own transaction that
/// nobody has claimed a later one (`E-LEDGER-007`): a host that lost its lock without noticing cannot write any more.
public protocol Ledger: Sendable {
    /// The epoch this writer has claimed; it only ever rises.
    var epoch: Int64 { get }
    /// Claims the next epoch for this writer, durably.
    func raiseFence() throws(Problem) -> Int64
    /// Makes the changes durable together, or none of them.
    func commit(_ changes: [Change]) throws(Problem)
    /// Removes what the retention lets go.
    func prune(_ retention: Retention) throws(Problem) -> Pruned
    /// Ends the connections.
    func close()

    /// What a starting host needs.
    func start() throws(Problem) -> LedgerStart
    /// The newest received form of a document: its hash, and itself, empty where retention removed it. Nil when there is
    /// none.
    func latest(stream: Int64, document: String) throws(Problem) -> (hash: [UInt8], payload: [UInt8])?
    /// Received documents of a stream, newest form of each, in the order they came, after a row number; without those
    /// whose payload is gone.
    func newestForms(stream: Int64, after: Int64, limit: Int) throws(Problem) -> [Int64]
    /// Which of these documents the stream has never received: a sweep fetches only those.
    func unseen(stream: Int64, of documents: [String]) throws(Problem) -> [String]
    /// Every item of a source document in a flow that is not skipped: the parts a newer form must reckon with.
    func liveParts(flow: FlowID, stream: Int64, document: String) throws(Problem) -> [LivePart]
    /// The item that holds an idempotency key now; nil when the key is free.
    func liveItem(key: String) throws(Problem) -> ItemID?
    /// Which parts of a received document a flow has items for, parts a mapping left out not among them.
    func ordinals(inbox: Int64, flow: FlowID) throws(Problem) -> Set<Int>
    /// The received document an item was made from; its payload is empty where retention removed it.
    func payload(inbox: Int64) throws(Problem) -> InboxRow
    /// The exact bytes that were, or will be, sent; nil before the first intent.
    func mapped(_ item: ItemID) throws(Problem) -> [UInt8]?
    /// The flow's target settings the mapped bytes go with.
    func settings(_ item: ItemID) throws(Problem) -> [UInt8]?
    /// How far the connector had come with the item.
    func checkpoint(_ item: ItemID) throws(Problem) -> [UInt8]?
    /// The token of an accepted document.
    func token(_ item: ItemID) throws(Problem) -> [UInt8]?
    /// Where a stream's next sweep begins; empty before the first.
    func cursor(stream: Int64) throws(Problem) -> [UInt8]
    /// A connector's own state; empty when it never put any.
    func state(connection: String, key: String) throws(Problem) -> [UInt8]
    /// Blocks of a limit that began at or after `from`.
    func limitBlocks(bucket: String, from: Milliseconds) throws(Problem) -> [(at: Milliseconds, calls: Int)]

    /// The five counts per flow.
    func counts() throws(Problem) -> [FlowCounts]
    /// Items for people, newest first. Those of `quiet` flows only while they are not done.
    func list(
        flow: FlowID?, hidingDone quiet: Set<FlowID>, state: FiveStates?, limit: Int, ids: [ItemID]?
    ) throws(Problem) -> [ItemView]
    /// Items by row number, source document id, source number or target number, newest first.
    func items(named name: String) throws(Problem) -> [ItemID]
    /// Settled items of a lane that have this number at the target, with the document each was made from.
    func holders(ofNumber number: String, lane: LaneID) throws(Problem) -> [(item: ItemID, document: String)]
    /// The attempts of an item, first to last.
    func intents(_ item: ItemID) throws(Problem) -> [IntentView]
    /// An item's origin, while it exists.
    func origin(_ item: ItemID) throws(Problem) -> ItemOrigin?

    /// The newest audit lines, oldest first.
    func audit(limit: Int) throws(Problem) -> [AuditLine]
    /// The newest line, for somebody to keep elsewhere.
    func auditHead() throws(Problem) -> AuditHead
    /// Whether a line that was once the newest (`AuditHead.sealed`) is still there, unchanged.
    func holdsAudit(_ head: [UInt8]) throws(Problem) -> Bool
    /// Walks the whole chain. `knowing` is a sealed head kept elsewhere: the chain must hold its line.
    func verifyAudit(knowing: [UInt8]?) throws(Problem) -> AuditReport
}

/// Everything the host needs to go on where it stopped.
public struct LedgerStart: Sendable {
    /// Names by kind: name to row number.
    public var names: [NameKind: [String: Int64]] = [:]
    /// Next free row numbers.
    public var nextInbox: Int64 = 1
    /// See `nextInbox`.
    public var nextItem: Int64 = 1
    /// Unsettled items, oldest first.
    public var items: [(Item, ItemOrigin)] = []
    /// Paused lanes.
    public var lanes: [LaneID: LanePause] = [:]
    /// Flows that a person paused or resumed.
    public var pausedFlows: [FlowID: Bool] = [:]
    /// Hints without their document yet.
    public var hints: [(stream: Int64, document: String, known: String)] = []
}

/// How much of the past may go; what is not named stays.
public struct Retention: Sendable, Equatable {
    /// Documents all of whose items settled before this lose payloads, bytes, causes and attempts. Rows, hashes, keys,
    /// counts, links and the audit stay: the same document is still known, and a key is still taken.
    public var settledBefore: Milliseconds?
    /// Per bucket: limit blocks that began before this are forgotten. It must lie before any window that is still read.
    public var limitBlocksBefore: [String: Milliseconds]

    /// A retention.
    public init(settledBefore: Milliseconds? = nil, limitBlocksBefore: [String: Milliseconds] = [:]) {
        self.settledBefore = settledBefore
        self.limitBlocksBefore = limitBlocksBefore
    }
}

/// What a retention has removed.
public struct Pruned: Sendable, Equatable {
    /// Received documents that lost their payload.
    public var documents = 0
    /// Limit blocks.
    public var limitBlocks = 0
}
