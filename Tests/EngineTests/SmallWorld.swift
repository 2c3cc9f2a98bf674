@testable import Engine

/// Everything one target connection and a few documents can go through: the engine, what is durable, the calls on their
/// way, the target's books, and all that may happen next.
///
/// A step of the engine is made durable as a whole, then its actions are carried out one by one: a crash may fall before
/// each of them. What a crash before the commit would leave is what a crash before the event leaves.
struct SmallWorld {
    /// What a world is made of, and how much of each misfortune it has.
    struct Setup: Sendable, CustomStringConvertible {
        var name: String
        /// The order key of each document.
        var orderKeys = ["A", "B"]
        var maxInFlight = 2
        var enforcesUniqueKey = false
        var canFind = true
        var settlesUnknown = false
        var onChange = ChangePolicy.hold
        /// What may become of a write.
        var fates: [Fate] = [.applied]
        /// Fates other than `applied`, failed look-ups and polls that say "not yet", altogether.
        var faults = 0
        var crashes = 0
        /// New versions of a document.
        var changes = 0
        /// Hints for what is known already, on the same and on another road.
        var duplicates = 0
        /// Revisions after the first; the last is a rollback.
        var revisions = 0
        /// Documents whose mapping fails under the revisions with even numbers.
        var heldByMapping: Set<Int> = []
        /// What people ask for.
        var persons = 0
        /// Somebody keys a document in by hand, under our key.
        var byHand = 0
        /// The connection leads to other books.
        var otherBooks = 0

        var description: String { name }
    }

    /// What may become of a write.
    enum Fate: String, CaseIterable, Sendable {
        case applied, lostCommitted, lostNothing, lostLate, refused, conflict, throttled, denied, unreachable
        case transientNotSent, connectorCrash, accepted, waiting
    }

    struct Broken: Error, CustomStringConvertible {
        var description: String
    }

    enum Action: Equatable {
        case deliver(ItemID, epoch: Int64)
        case find(ItemID, attempt: Int)
        case poll(ItemID, attempt: Int)
    }

    enum Call: Equatable {
        case write(ItemID, epoch: Int64)
        /// What the target answers is what stands in its books when it is asked.
        case find(ItemID, attempt: Int, count: Int, at: Milliseconds)
        case poll(ItemID, attempt: Int)
    }

    /// What survives a crash.
    struct Durable {
        var rows: [ItemID: Item] = [:]
        /// Which document an item is of, and whether it may be sent under the document's key.
        var document: [ItemID: Int] = [:]
        var keyed: Set<ItemID> = []
        var intents: Set<ItemID> = []
        var pause: LanePause?
        /// The newest version of each document; 0: not received.
        var versions: [Int]
        var cursor = 0
        var revision = 1
        var epoch: Int64 = 1
        /// The first generation that writes into the books of now.
        var booksSince: Int64 = 0
    }

    /// A document's place in the target's books.
    struct Books: Hashable {
        var ours = 0
        /// Of these, in books the connection led to before: no look-up shows them.
        var former = 0
        var byHand = 0
        /// A write of ours that the target has not worked through: it will commit before then.
        var lateBefore: Milliseconds?
        /// Accepted, not in effect yet.
        var isAccepted = false
        /// What is late or accepted is so in the former books.
        var isFormer = false
    }

    /// What must be known before the document may be sent again.
    struct Debt: Hashable {
        var horizon: Milliseconds
        var looks = 0
        var lastWasLate = false
    }

    let setup: Setup
    var engine = Engine()
    var now: Milliseconds = 1_000_000_000
    var durable: Durable
    var todo: [Action] = []
    var calls: [Call] = []
    var books: [Books]
    var debts: [Int: Debt] = [:]
    var nextItem: ItemID = 1
    /// The intents of the dead process are closed one after the other, in one commit.
    private var isBeginning = false
    var left: Left

    /// How much of each misfortune is left.
    struct Left: Hashable {
        var faults: Int
        var crashes: Int
        var changes: Int
        var duplicates: Int
        var revisions: Int
        var persons: Int
        var byHand: Int
        var otherBooks: Int
    }

    static let horizon: Milliseconds = 60_000

    init(_ setup: Setup) throws {
        self.setup = setup
        durable = Durable(versions: Array(repeating: 0, count: setup.orderKeys.count))
        books = Array(repeating: Books(), count: setup.orderKeys.count)
        left = Left(
            faults: setup.faults, crashes: setup.crashes, changes: setup.changes, duplicates: setup.duplicates,
            revisions: setup.revisions, persons: setup.persons, byHand: setup.byHand, otherBooks: setup.otherBooks)
        try begin()
    }

    // MARK: the host

    var laneRules: LaneRules {
        LaneRules(
            maxInFlight: setup.maxInFlight, enforcesUniqueKey: setup.enforcesUniqueKey, canFind: setup.canFind,
            commitHorizon: Self.horizon, epoch: durable.epoch, settlesUnknown: setup.settlesUnknown,
            booksSince: durable.booksSince)
    }

    /// A process starts on what is durable.
    mutating func begin() throws {
        engine = Engine()
        todo = []
        calls = []
        isBeginning = true
        try tell(.lane(1, laneRules))
        try tell(.flow(1, FlowRules(ladder: [20_000], onChange: setup.onChange)))
        if let pause = durable.pause { _ = engine.step(.pauseLane(1, pause), now: now) }
        for id in durable.rows.keys.sorted() {
            guard let row = durable.rows[id], !row.state.isSettled else { continue }
            try tell(.recovered(row))
            if engine.item(id) == nil, durable.rows[id]?.state.isSettled != true {
                throw Broken(description: "item \(id) was lost at the start")
            }
        }
        isBeginning = false
    }

    private func disposition(_ document: Int) -> Disposition {
        durable.revision % 2 == 0 && setup.heldByMapping.contains(document)
            ? .hold : .ready(orderKey: setup.orderKeys[document])
    }

    /// One event; its rows are durable when this returns, its actions wait in `todo`.
    mutating func tell(_ event: Event) throws {
        for effect in engine.step(event, now: now) {
            switch effect {
            case .persist(let item): try persist(item)
            case .openIntent(let id, _, let epoch):
                guard durable.intents.insert(id).inserted else { throw Broken(description: "two intents for \(id)") }
                guard epoch == durable.epoch else { throw Broken(description: "an intent of generation \(epoch)") }
                try oneIntentPerOrderKey(id)
            case .closeIntent(let id, _, let end):
                guard durable.intents.remove(id) != nil else {
                    throw Broken(description: "no intent of \(id) to close")
                }
                if end == .unknown, let document = durable.document[id] {
                    debts[document] = Debt(horizon: now + Self.horizon)
                }
            case .persistLane(_, let pause):
                // One alert and one recovery: a pause is told when it begins or becomes another, an end only after one.
                guard pause != durable.pause else {
                    throw Broken(description: "told twice: \(String(describing: pause))")
                }
                durable.pause = pause
            case .deliver(let id, _, let epoch):
                guard durable.intents.contains(id) else { throw Broken(description: "\(id) sent without an intent") }
                guard durable.pause == nil else { throw Broken(description: "\(id) sent while the lane stands still") }
                todo.append(.deliver(id, epoch: epoch))
            case .find(let id, let attempt): todo.append(.find(id, attempt: attempt))
            case .poll(let id, let attempt): todo.append(.poll(id, attempt: attempt))
            case .remap(let id):
                guard let document = durable.document[id] else { continue }
                try tell(.remapped(id, disposition(document), revision: durable.revision))
            case .dropped: break
            }
        }
    }

    private mutating func persist(_ item: Item) throws {
        if let before = durable.rows[item.id], before.state.isSettled {
            throw Broken(description: "item \(item.id) was \(before.state) and became \(item.state)")
        }
        durable.rows[item.id] = item
        if item.state == .done, let document = durable.document[item.id], !setup.settlesUnknown,
            books[document].ours + books[document].byHand == 0
        {
            throw Broken(description: "item \(item.id) is done and not in the books")
        }
        if case .skipped = item.state, durable.keyed.contains(item.id), let document = durable.document[item.id] {
            let heirs = durable.rows.values.contains { $0.id > item.id && durable.document[$0.id] == document }
            if books[document].ours > 0 && !heirs {
                throw Broken(description: "item \(item.id) is skipped and stands in the books")
            }
        }
    }

    private func oneIntentPerOrderKey(_ id: ItemID) throws {
        let key = durable.rows[id]?.orderKey
        let others = durable.intents.filter { $0 != id && durable.rows[$0]?.orderKey == key }
        if let other = others.first { throw Broken(description: "\(id) and \(other) are under way under one key") }
        if durable.intents.count > setup.maxInFlight && !isBeginning {
            throw Broken(description: "more under way than allowed")
        }
    }

    /// A document arrives in a version; what the host finds in its ledger decides how.
    mutating func receive(_ document: Int, version: Int) throws {
        // The same change twice is one row.
        if durable.versions[document] >= version { return }
        let live = durable.rows.values.filter {
            durable.document[$0.id] == document && durable.keyed.contains($0.id) && $0.state.seen != .skipped
        }
        .max { $0.id < $1.id }
        let prior: Prior =
            live.map {
                ($0.isReplaceable && engine.item($0.id)?.isReplaceable ?? true) ? .unattempted($0.id) : .effect($0.id)
            }
            ?? .none
        durable.versions[document] = version
        durable.cursor = max(durable.cursor, document + 1)
        let id = nextItem
        nextItem += 1
        durable.document[id] = document
        if case .effect = prior {} else { durable.keyed.insert(id) }
        try tell(
            .received(
                id, flow: 1, lane: 1, disposition(document), prior: prior, revision: durable.revision))
        guard durable.rows[id] != nil else { throw Broken(description: "document \(document) left no row") }
    }

    /// The same document by another road: its key is taken.
    mutating func receiveAgain(_ document: Int) throws {
        let id = nextItem
        nextItem += 1
        durable.document[id] = document
        try tell(.received(id, flow: 1, lane: 1, .skip(.duplicate), prior: .none, revision: durable.revision))
    }

    // MARK: the target

    mutating func commitToBooks(_ document: Int, former: Bool) throws {
        let place = books[document]
        let known = former ? place.former : place.ours - place.former + place.byHand
        if setup.enforcesUniqueKey && known > 0 { return }
        books[document].ours += 1
        if former { books[document].former += 1 }
        if books[document].ours > 1 { throw Broken(description: "document \(document) is in the books twice") }
    }
}
