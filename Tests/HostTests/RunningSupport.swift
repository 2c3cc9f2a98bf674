import Engine
import Foundation
import Ledger
import Logging
import Mapping
import Synchronization
import Testing
import Values
import Vault
import Workers

@testable import Host

/// A clock that stands until it is moved.
final class FakeClock: Sendable {
    private let value: Mutex<Int64>
    init(_ start: Int64 = 1_800_000_000_000) { value = Mutex(start) }
    var now: Int64 { value.withLock { $0 } }
    func advance(_ by: Int64) { value.withLock { $0 += by } }
    private let set = Mutex<Int64>(0)
    /// Somebody sets the machine's clock: no time passes.
    func step(_ by: Int64) { set.withLock { $0 += by } }
    var both: HostClock { HostClock(wall: { self.now + self.set.withLock { $0 } }, steady: { self.now }) }
}

/// A value that several tasks change.
final class Held<Value: Sendable>: Sendable {
    private let held: Mutex<Value>
    init(_ value: Value) { held = Mutex(value) }
    var value: Value { held.withLock { $0 } }
    func change(_ body: (inout Value) -> Void) {
        held.withLock { value in
            var copy = value
            body(&copy)
            value = copy
        }
    }
}

/// The product's sealer under a random key, which can be made to fail as a disk does.
final class TestSealer: PayloadSealing {
    private struct Refused: Error {}
    private let sealer: PayloadSealer
    private let broken = Mutex(false)

    init() throws { sealer = try PayloadSealer(dataKey: try SecretBytes.random(count: 32)) }

    func fail(_ fails: Bool) { broken.withLock { $0 = fails } }

    func seal(_ bytes: [UInt8], context: String) throws -> [UInt8] {
        if broken.withLock({ $0 }) { throw Refused() }
        return try sealer.seal(bytes, aad: Array(context.utf8))
    }
    func open(_ sealed: [UInt8], context: String) throws -> [UInt8] {
        try sealer.open(sealed, aad: Array(context.utf8))
    }
    func keyedHash(_ bytes: [UInt8]) throws -> [UInt8] { sealer.keyedHash(bytes) }
}

/// Writes down what the conductor wants done, and what the ledger held at that moment.
final class FakeActor: Conductor.Actor {
    struct Log: Sendable {
        var order: [String] = []
        var deliveries: [Conductor.Delivery] = []
        var finds: [Conductor.Delivery] = []
        var polls: [(Conductor.Delivery, token: [UInt8])] = []
        var fetched: [String] = []
        var deaths: [Problem] = []
        /// Open intents of the item when its delivery was asked for.
        var openIntents: [Int] = []
        /// The bytes the ledger held for it then.
        var stored: [[UInt8]?] = []
    }
    private let ledger: any Ledger
    private let kept = Mutex(Log())

    init(_ ledger: any Ledger) { self.ledger = ledger }

    var log: Log { kept.withLock { $0 } }
    func note(_ what: String) { kept.withLock { $0.order.append(what) } }

    func deliver(_ delivery: Conductor.Delivery) {
        let open = (try? ledger.intents(delivery.item).filter { $0.closedAt == nil }.count) ?? -1
        let stored = try? ledger.mapped(delivery.item)
        kept.withLock {
            $0.order.append("deliver")
            $0.deliveries.append(delivery)
            $0.openIntents.append(open)
            $0.stored.append(stored)
        }
    }
    func find(_ delivery: Conductor.Delivery) { kept.withLock { $0.finds.append(delivery) } }
    func poll(_ delivery: Conductor.Delivery, token: [UInt8]) { kept.withLock { $0.polls.append((delivery, token)) } }
    func fetch(stream: Int64, _ hints: [Conductor.Hinted]) {
        kept.withLock { $0.fetched += hints.map(\.document) }
    }
    func ledgerDied(_ problem: Problem) {
        kept.withLock {
            $0.order.append("died")
            $0.deaths.append(problem)
        }
    }
}

/// The answer a person got.
final class Reply: Sendable {
    private let held = Mutex<[Result<JSON, Problem>]>([])
    func take(_ result: Result<JSON, Problem>) { held.withLock { $0.append(result) } }
    var all: [Result<JSON, Problem>] { held.withLock { $0 } }
    var json: JSON? { if case .success(let json)? = all.first { json } else { nil } }
    var code: String? { if case .failure(let problem)? = all.first { problem.code } else { nil } }
}

/// The conductor's loop over a real ledger and a real plan; the test is its thread.
final class Rehearsal {
    let folder = TemporaryFolder()
    let clock = FakeClock()
    let sealer: TestSealer
    private(set) var ledger: any Ledger
    private(set) var actor: FakeActor
    var loop: ConductorLoop
    private(set) var plan: Plan
    private var builder: PlanBuilder

    /// The sample workspace; `flow` is added to the flow's file.
    init(_ sample: Sample = Rehearsal.sample(), books: JSON = Sample.books) throws {
        sealer = try TestSealer()
        ledger = try SQLiteLedger(path: folder.path + "/ledger.sqlite", sealer: sealer)
        actor = FakeActor(ledger)
        builder = try Self.builder(sample, books: books, revision: 1, epoch: 1, names: [:])
        plan = try builder.build()
        try ledger.commit(builder.newNames)
        loop = Self.loop(ledger, sealer, actor, clock, try ledger.start())
        loop.recover(try ledger.start(), plan)
        _ = loop.finishRound()
    }

    static func sample(_ more: String = "") -> Sample {
        let sample = Sample()
        return sample.with("flows/claims.yaml", (sample.files["flows/claims.yaml"] ?? "") + more)
    }

    static func builder(
        _ sample: Sample, books: JSON = Sample.books, revision: Int, epoch: Int64,
        names: [NameKind: [String: Int64]]
    ) throws -> PlanBuilder {
        let (draft, problems) = sample.read()
        guard let draft else { throw try #require(problems.first).problem }
        let manifest = RevisionManifest(
            number: revision, created: "2026-11-24T00:00:00Z", user: "test", origin: .apply, files: [], connectors: [])
        return PlanBuilder(
            revision: Revision(manifest: manifest, draft: draft),
            connectors: ["office": Sample.office, "books": books],
            libraries: ["office": "/office.so", "books": "/books.so"], epoch: epoch, names: names)
    }

    private static func loop(
        _ ledger: any Ledger, _ sealer: TestSealer, _ actor: FakeActor, _ clock: FakeClock, _ start: LedgerStart
    ) -> ConductorLoop {
        ConductorLoop(
            ledger: ledger, sealer: sealer, actor: actor, log: HostLog.quiet, clock: clock.both, start: start)
    }

    /// One round: what has arrived, a look at the clock, one commit, then the actions.
    @discardableResult
    func round(_ messages: Conductor.Message...) -> Bool {
        for message in messages { loop.handle(message) }
        loop.tick()
        return loop.finishRound()
    }

    /// Moves the clock, then has a round.
    func later(_ milliseconds: Int64) {
        clock.advance(milliseconds)
        round()
    }

    /// The process dies and comes back with what is durable, running `next` where a revision was frozen meanwhile.
    func restart(_ next: Sample? = nil) throws {
        ledger.close()
        ledger = try SQLiteLedger(path: folder.path + "/ledger.sqlite", sealer: sealer)
        actor = FakeActor(ledger)
        let start = try ledger.start()
        builder =
            if let next {
                try Self.builder(
                    next, revision: plan.revision + 1, epoch: ledger.epoch, names: start.names)
            } else {
                PlanBuilder(
                    revision: builder.revision, connectors: builder.connectors, libraries: builder.libraries,
                    epoch: ledger.epoch, names: start.names)
            }
        plan = try builder.build()
        try ledger.commit(builder.newNames)
        loop = Self.loop(ledger, sealer, actor, clock, start)
        loop.recover(start, plan)
        _ = loop.finishRound()
    }

    /// The next revision.
    func apply(_ sample: Sample) throws {
        builder = try Self.builder(
            sample, revision: plan.revision + 1, epoch: try ledger.raiseFence(), names: builder.names)
        plan = try builder.build()
        try ledger.commit(builder.newNames)
        round(.plan(plan))
    }

    func ask(_ request: PersonRequest) -> Reply {
        let reply = Reply()
        round(.person(request) { reply.take($0) })
        return reply
    }

    var flow: PlannedFlow { plan.flows.values.first { $0.file.name == "claims" }! }

    // MARK: documents and answers

    static func claim(
        _ id: String, type: String = "差旅费", amount: String = "100.00", title: String = "张三的报销", template: String = "T1",
        result: String = "agree"
    ) -> Conductor.Received {
        Conductor.Received(
            id: id,
            content: [
                "id": .string(id), "number": .string("No-\(id)"), "template": .string(template),
                "title": .string(title), "status": "completed", "result": .string(result), "action": "none",
                "created_at": "2026-02-01T09:00:00+08:00", "finished_at": "2026-02-02T09:00:00+08:00",
                "fields": [
                    ["id": "F1", "label": "费用类型", "kind": "select", "value": .string(type)],
                    ["id": "F2", "label": "总金额", "kind": "money", "value": .string(amount)],
                ], "attachments": [],
            ])
    }

    /// Documents arrive; the acknowledgement is written into the actor's log.
    func received(_ documents: Conductor.Received..., cursor: [UInt8]? = nil) -> Conductor.Message {
        let actor = actor
        return .received(
            stream: flow.stream, documents, cursor: cursor,
            fetched: documents.map { Conductor.Fetched(document: $0.id, at: .max) }
        ) {
            actor.note("ack")
        }
    }

    /// The delivery that was asked for last.
    var delivery: Conductor.Delivery {
        get throws { try #require(actor.log.deliveries.last) }
    }

    static func applied(_ delivery: Conductor.Delivery, number: String = "记-1") -> Conductor.Message {
        .delivered(
            delivery,
            Conductor.Answer(
                outcome: .applied, detail: nil, written: Written(number: number, id: "100", readBack: [])))
    }

    static func failed(
        _ delivery: Conductor.Delivery, _ cls: FailureClass, arrived: Bool = false, retryAfter: Int64? = nil
    ) -> Conductor.Message {
        .delivered(
            delivery,
            Conductor.Answer(
                outcome: .failed(cls, mayHaveArrived: arrived, retryAfter: retryAfter), detail: Words.deadline))
    }

    func items() throws -> [ItemView] {
        try ledger.list(flow: nil, hidingDone: [], state: nil, limit: 1_000, ids: nil).reversed()
    }

    func states() throws -> [ItemState] { try items().map(\.item.state) }

    func counts(_ flow: FlowID) throws -> [FiveStates: Int] {
        try ledger.counts().first { $0.flow == flow }?.counts ?? [:]
    }
}
