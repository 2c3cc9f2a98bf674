import Engine
import Dispatch
import Foundation
import Ledger
import Logging
import Mapping
import Synchronization
import Values
import Vault
import Workers

/// The one writer: takes what happened, lets the engine decide, makes it durable, then lets it be done.
///
/// One thread runs the loop. Whatever arrives while a commit waits for the disk shares the next commit, so the
/// ledger commits in groups without anyone arranging it, and nobody is acknowledged before the fsync:
///
///     messages ─▶ engine.step ─▶ changes ─▶ one commit ─▶ acknowledgements ─▶ actions (deliver, find, fetch …)
final class Conductor: Sendable {
    /// What the conductor has done outside its thread. Called after the changes are durable, on the conductor's
    /// thread: start a task, never wait.
    protocol Actor: Sendable {
        /// Send the exact bytes to the target.
        func deliver(_ delivery: Delivery)
        /// Look for the document under its key.
        func find(_ delivery: Delivery)
        /// Ask what became of an accepted document.
        func poll(_ delivery: Delivery, token: [UInt8])
        /// Fetch documents something happened to.
        func fetch(stream: Int64, _ hints: [Hinted])
        /// The ledger cannot be written: stop everything, now.
        func ledgerDied(_ problem: Problem)
    }

    /// One attempt as the target connection needs it.
    struct Delivery: Sendable {
        var item: ItemID
        var lane: LaneID
        var flow: FlowID
        var key: String
        var bytes: [UInt8]
        /// The flow's target settings the bytes were mapped for.
        var settings: [UInt8]
        var checkpoint: [UInt8]
        var attempt: Int
        var epoch: Int64
    }

    /// What a call to the target gave.
    struct Answer: Sendable {
        var outcome: Outcome
        /// The cause for people, JSON text.
        var detail: String?
        /// Number, id and read-back where there is a document.
        var written: Written?
        var token: [UInt8]?
    }

    /// A document that is to be fetched, and what is known of it already (JSON text by its own names, or empty).
    struct Hinted: Sendable, Hashable {
        var document: String
        var known: String
    }

    /// A document that was asked for at a time: hints up to then are answered.
    struct Fetched: Sendable, Hashable {
        var document: String
        var at: Milliseconds
    }

    /// A document as a stream read it.
    struct Received: Sendable {
        var id: String
        var content: JSON
    }

    enum Message: Sendable {
        case plan(Plan)
        case received(stream: Int64, [Received], cursor: [UInt8]?, fetched: [Fetched], done: @Sendable () -> Void)
        /// The source names it and nobody can read it; `cause` for people.
        case unreadable(stream: Int64, Hinted, cause: String, at: Milliseconds, done: @Sendable () -> Void)
        case hints(stream: Int64, [Hinted], cursor: [UInt8]?, done: @Sendable () -> Void)
        case delivered(Delivery, Answer)
        case found(Delivery, FindAnswer, Written?, detail: String?)
        case polled(Delivery, Answer)
        case commit([Change], done: @Sendable () -> Void)
        case lane(LaneID, LanePause?)
        /// Nothing new leaves by this lane until the process ends; not durable.
        case drain(LaneID)
        case person(PersonRequest, reply: @Sendable (Result<JSON, Problem>) -> Void)
        case inspect(@Sendable (borrowing Engine) -> Void)
        case stop(done: @Sendable () -> Void)
    }

    private struct Inbox {
        var messages: [Message] = []
        var ended: Problem?
    }

    private let inbox = Mutex(Inbox())
    private let bell = DispatchSemaphore(value: 0)
    private let ledger: any Ledger
    private let sealer: any PayloadSealing
    private let actor: any Actor
    private let log: Logger
    private let clock: HostClock

    init(
        ledger: any Ledger, sealer: any PayloadSealing, actor: any Actor, log: Logger, clock: HostClock
    ) {
        self.ledger = ledger
        self.sealer = sealer
        self.actor = actor
        self.log = log
        self.clock = clock
    }

    /// Starts the thread. `start` is what the ledger held, `plan` what runs.
    func begin(_ start: LedgerStart, plan: Plan) {
        let thread = Thread { [self] in
            var loop = ConductorLoop(ledger: ledger, sealer: sealer, actor: actor, log: log, clock: clock, start: start)
            loop.recover(start, plan)
            if !loop.finishRound() { return end(loop.death ?? .hostGone("it is stopping")) }
            while true {
                let messages = next(until: loop.engine.nextWake)
                var stop: (@Sendable () -> Void)?
                for message in messages {
                    if case .stop(let done) = message { stop = done } else { loop.handle(message) }
                }
                loop.tick()
                if loop.finishRound() && stop == nil { continue }
                end(loop.death ?? .hostGone("it is stopping"))
                stop?()
                return
            }
        }
        thread.name = "conductor"
        thread.stackSize = 4 << 20
        thread.start()
    }

    /// Nothing more is done; whoever has asked and not been heard, or asks from here on, is told.
    private func end(_ problem: Problem) {
        let unheard = inbox.withLock { inbox in
            inbox.ended = problem
            defer { inbox.messages = [] }
            return inbox.messages
        }
        for message in unheard { Self.refuse(message, problem) }
    }

    /// Answers whoever waits for a message that will never be carried out. Who waits for something to become durable
    /// waits on: it does not, and the process is about to end.
    static func refuse(_ message: Message, _ problem: Problem) {
        switch message {
        case .person(_, let reply): reply(.failure(problem))
        case .inspect(let look): look(Engine())
        case .stop(let done): done()
        default: break
        }
    }

    /// Gives the conductor something to do. Never blocks.
    func send(_ message: Message) {
        let (first, ended) = inbox.withLock { inbox -> (Bool, Problem?) in
            if let ended = inbox.ended { return (false, ended) }
            inbox.messages.append(message)
            return (inbox.messages.count == 1, nil)
        }
        if let ended { Self.refuse(message, ended) }
        if first { bell.signal() }
    }

    /// Makes changes durable and returns when they are.
    func commit(_ changes: [Change]) async {
        // Unsafe, because it is right never to resume: a dead ledger makes nothing durable, and the process ends.
        await withUnsafeContinuation { continuation in send(.commit(changes) { continuation.resume() }) }
    }

    private func next(until wake: Milliseconds?) -> [Message] {
        while true {
            let taken = inbox.withLock { inbox in
                let taken = inbox.messages
                inbox.messages = []
                return taken
            }
            if !taken.isEmpty { return taken }
            if let wake {
                let wait = min(wake - clock.steady(), HostLimits.longestConductorWaitMs)
                if wait <= 0 { return [] }
                if bell.wait(timeout: .now() + .milliseconds(Int(wait))) == .timedOut { return [] }
            } else {
                bell.wait()
            }
        }
    }
}

/// What a person asks of the conductor.
enum PersonRequest: Sendable {
    case retry([ItemID], actor: String)
    /// `evidence`: what the host itself knows of that number, for the audit.
    case resolve(ItemID, number: String, why: String, evidence: JSONObject = [:], actor: String)
    case absent(ItemID, why: String, actor: String)
    case skip(ItemID, why: String, actor: String)
    case pauseFlow(FlowID, Bool, why: String, actor: String)
    case audit(actor: String, action: String, detail: JSON)
}
