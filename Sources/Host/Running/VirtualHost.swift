import Engine
import Ledger
import Logging
import Synchronization
import Values
import Workers

/// The host without threads, processes, network and clock of its own: the real configuration, mapping, engine, conductor
/// and ledger, driven step by step. Simulations stand in for the systems and for time (`HostTestKit`).
package final class VirtualHost {
    /// One thing the host wants done outside. Nothing is wanted before what it follows from is durable.
    package enum Wish: Sendable {
        /// Send this to the target.
        case write(Call)
        /// Look for it at the target, under its key.
        case find(Call)
        /// Ask what became of it.
        case poll(Call)
        /// Fetch these documents of the source.
        case fetch([String])
    }

    /// A call to the target.
    package struct Call: Sendable {
        let delivery: Conductor.Delivery
        /// The idempotency key.
        package var key: String { delivery.key }
        /// The target document, JSON.
        package var bytes: [UInt8] { delivery.bytes }
        /// Type of the target document.
        package let document: String
    }

    /// A document the target has.
    package struct Written: Sendable {
        let number: String

        /// By its number.
        package init(number: String) { self.number = number }
    }

    /// One unsettled or settled document, as people see it.
    package struct Shown: Sendable {
        /// Its number in the ledger.
        package let item: ItemID
        /// The source document's id.
        package let document: String
        /// What the engine knows.
        package let state: ItemState
        /// Idempotency key, if it may be sent under one.
        package let key: String?
        /// Whether it is the flow's own effect or a write-back.
        package let isWriteBack: Bool
    }

    private final class Wishes: Conductor.Actor {
        private let list = Mutex<[Wish]>([])
        private let documents: Mutex<[LaneID: String]>

        init(_ documents: [LaneID: String]) { self.documents = Mutex(documents) }

        func set(_ documents: [LaneID: String]) { self.documents.withLock { $0 = documents } }

        func take() -> [Wish] {
            list.withLock { list in
                defer { list = [] }
                return list
            }
        }

        private func call(_ delivery: Conductor.Delivery) -> Call {
            Call(delivery: delivery, document: documents.withLock { $0[delivery.lane] } ?? "")
        }
        private func add(_ wish: Wish) { list.withLock { $0.append(wish) } }
        func deliver(_ delivery: Conductor.Delivery) { add(.write(call(delivery))) }
        func find(_ delivery: Conductor.Delivery) { add(.find(call(delivery))) }
        func poll(_ delivery: Conductor.Delivery, token: [UInt8]) { add(.poll(call(delivery))) }
        func fetch(stream: Int64, _ hints: [Conductor.Hinted]) { add(.fetch(hints.map(\.document))) }
        func ledgerDied(_ problem: Problem) {}
    }

    private let ledger: any Ledger
    private let wishes: Wishes
    private var loop: ConductorLoop
    private var builder: PlanBuilder
    private var plan: Plan
    private let connectors: [String: JSON]
    private let stream: Int64
    /// What the engine counts in.
    private let clock: HostClock

    /// Starts on what the ledger holds and runs the configuration in `files` (path to text; one flow).
    ///
    /// - Parameters:
    ///   - connectors: each connector's `describe`, by id.
    ///   - wall: what the machine's clock shows, milliseconds since 1970.
    ///   - steady: milliseconds that pass as time passes.
    package init(
        files: [String: String], revision: Int, connectors: [String: JSON], ledger: any Ledger,
        sealer: any PayloadSealing,
        wall: @escaping @Sendable () -> Int64, steady: @escaping @Sendable () -> Int64
    ) throws {
        self.ledger = ledger
        self.connectors = connectors
        let clock = HostClock(wall: wall, steady: steady)
        self.clock = clock
        let start = try ledger.start()
        builder = try Self.builder(files, revision, connectors, ledger.epoch, start.names)
        plan = try builder.build()
        try ledger.commit(builder.newNames)
        wishes = Wishes(plan.lanes.mapValues(\.document))
        guard let stream = plan.streams.keys.first else { throw Problem.noFlow("") }
        self.stream = stream
        loop = ConductorLoop(
            ledger: ledger, sealer: sealer, actor: wishes, log: HostLog.quiet, clock: clock, start: start)
        loop.recover(start, plan)
        try finish()
    }

    private static func builder(
        _ files: [String: String], _ revision: Int, _ connectors: [String: JSON], _ epoch: Int64,
        _ names: [NameKind: [String: Int64]]
    ) throws -> PlanBuilder {
        let draftFiles = files.sorted { $0.key < $1.key }.map { DraftFile(path: $0.key, bytes: Array($0.value.utf8)) }
        let (draft, problems) = Draft.read(draftFiles, root: "/virtual")
        if let first = problems.first { throw first.problem }
        guard let draft else { throw Problem.noActiveRevision() }
        let manifest = RevisionManifest(
            number: revision, created: "", user: "", origin: .apply, files: [], connectors: [])
        return PlanBuilder(
            revision: Revision(manifest: manifest, draft: draft), connectors: connectors,
            libraries: connectors.mapValues { _ in "/virtual.so" }, epoch: epoch, names: names)
    }

    // MARK: what happens

    /// Another revision runs.
    package func apply(_ files: [String: String], revision: Int) throws {
        builder = try Self.builder(files, revision, connectors, try ledger.raiseFence(), builder.names)
        plan = try builder.build()
        try ledger.commit(builder.newNames)
        wishes.set(plan.lanes.mapValues(\.document))
        try round(.plan(plan))
    }

    /// Events: something happened to these documents. Durable when this returns.
    package func hear(_ documents: [String]) throws {
        try round(.hints(stream: stream, documents.map { Conductor.Hinted(document: $0, known: "") }, cursor: nil) {})
    }

    /// A sweep named these documents; those never received are fetched.
    package func sweep(_ documents: [String], cursor: [UInt8]) throws {
        let new = try ledger.unseen(stream: stream, of: documents)
        let hints = new.map { Conductor.Hinted(document: $0, known: "") }
        try round(.hints(stream: stream, hints, cursor: cursor) {})
    }

    /// The source gave these documents, asked for at `at` (machine's time).
    package func receive(_ documents: [(id: String, content: JSON)], askedAt at: Int64) throws {
        try round(
            .received(
                stream: stream, documents.map { Conductor.Received(id: $0.id, content: $0.content) }, cursor: nil,
                fetched: documents.map { Conductor.Fetched(document: $0.id, at: at) }
            ) {})
    }

    /// The answer to a write. `written` where the document is in effect.
    package func answer(_ call: Call, _ outcome: Outcome, written: Written? = nil) throws {
        try round(.delivered(call.delivery, answer(outcome, written)))
    }

    /// The answer to a look-up.
    package func answer(_ call: Call, found: FindAnswer, written: Written? = nil) throws {
        try round(.found(call.delivery, found, written.map(Self.written), detail: nil))
    }

    /// The answer to a question about an accepted document.
    package func answer(_ call: Call, polled outcome: Outcome, written: Written? = nil) throws {
        try round(.polled(call.delivery, answer(outcome, written)))
    }

    private func answer(_ outcome: Outcome, _ written: Written?) -> Conductor.Answer {
        var token: [UInt8]?
        if case .atVendor = outcome { token = [1] }
        return Conductor.Answer(outcome: outcome, detail: nil, written: written.map(Self.written), token: token)
    }

    private static func written(_ written: Written) -> Workers.Written {
        Workers.Written(number: written.number, id: written.number, readBack: [])
    }

    /// A person checked the target's connection and it works.
    package func resumeConnections() throws {
        for lane in plan.lanes.keys.sorted() { try round(.lane(lane, nil)) }
    }

    /// A person wants these tried again.
    package func retry(_ items: [ItemID]) throws { try ask(.retry(items, actor: "person")) }

    /// A person says that the target has it.
    package func resolve(_ item: ItemID, number: String) throws {
        try ask(.resolve(item, number: number, why: "looked", actor: "person"))
    }

    /// A person says that the target has it not, where the host cannot look.
    package func absent(_ item: ItemID) throws { try ask(.absent(item, why: "looked", actor: "person")) }

    /// A person says that no effect is wanted.
    package func skip(_ item: ItemID) throws { try ask(.skip(item, why: "decided", actor: "person")) }

    private func ask(_ request: PersonRequest) throws { try round(.person(request) { _ in }) }

    /// Time has passed.
    package func tick() throws {
        loop.tick()
        try finish()
    }

    private func round(_ message: Conductor.Message) throws {
        loop.handle(message)
        loop.tick()
        try finish()
    }

    private func finish() throws {
        if !loop.finishRound() { throw loop.death ?? .hostGone("") }
    }

    // MARK: what it wants, and what it knows

    /// What it wants done since it was last asked.
    package func takeWishes() -> [Wish] { wishes.take() }

    /// When `tick` has something to do, in steady time.
    package var nextWake: Int64? { loop.engine.nextWake }

    /// Whether a connection stands still until a person has checked it.
    package var isStopped: Bool {
        plan.lanes.keys.contains { if case .stopped? = loop.engine.pause(of: $0) { true } else { false } }
    }

    /// Every document in the ledger, oldest first; `openOnly`: those not settled.
    package func shown(openOnly: Bool) throws -> [Shown] {
        let back = plan.writeBackFlows
        let ids = openOnly ? loop.engine.openItems.map(\.id) : nil
        if ids?.isEmpty == true { return [] }
        return try ledger.list(flow: nil, hidingDone: [], state: nil, limit: .max, ids: ids).reversed().map {
            Shown(
                item: $0.id, document: $0.document, state: $0.item.state, key: $0.key,
                isWriteBack: back.contains($0.flow))
        }
    }
}
