import Engine
import Foundation
import Ledger
import Logging
import Network
import Synchronization
import Values
import Vault
import Workers

/// Reads what happens at the sources: events for speed, sweeps for what events missed, fetches for the truth.
///
/// An event only says that something happened to a document; the hint is durable before the vendor is acknowledged,
/// and the document is fetched afterwards. A sweep asks for identifiers far back and fetches only those the
/// stream has never received.
final class SourceStreams: Sendable {
    private struct State {
        var plan: Plan?
        var workers: [String: ConnectionWorker] = [:]
        var sweeps: [Int64: Task<Void, Never>] = [:]
        var listeners: [String: Task<Void, Never>] = [:]
        /// Documents to fetch, per stream.
        var queues: [Int64: FetchQueue] = [:]
        /// Source connections that stand still.
        var pauses: [String: SourcePause] = [:]
        var fetchers: [Int64: Int] = [:]
        var stopped = false
        /// What `status` tells of each stream.
        var reports: [Int64: Report] = [:]
    }

    /// What a stream is doing, for people.
    struct Report: Sendable {
        var lastSweepAt: Int64?
        var lastEventAt: Int64?
        var listening = false
        var trouble: Problem?
    }

    private let state = Mutex(State())
    private let conductor: Conductor
    private let ledger: any Ledger
    private let mask: SecretMask
    private let log: Logger
    private let now: @Sendable () -> Int64

    init(
        conductor: Conductor, ledger: any Ledger, mask: SecretMask, log: Logger, now: @escaping @Sendable () -> Int64
    ) {
        self.conductor = conductor
        self.ledger = ledger
        self.mask = mask
        self.log = log
        self.now = now
    }

    /// Runs the streams of a plan; what is unchanged goes on undisturbed, so that an `apply` costs no sweep.
    func run(_ plan: Plan, workers: [String: ConnectionWorker]) {
        let (ending, starting, listening) = state.withLock { state in
            let before = state.plan
            let oldWorkers = state.workers
            state.plan = plan
            state.workers = workers
            func isKept(_ connection: String) -> Bool {
                oldWorkers[connection].map { old in workers[connection] === old } ?? false
            }
            var ending: [Task<Void, Never>] = []
            for (id, task) in state.sweeps {
                if let stream = plan.streams[id], stream == before?.streams[id], isKept(stream.connection) { continue }
                ending.append(task)
                state.sweeps[id] = nil
            }
            let wanted = Set(plan.streams.values.filter(\.listens).map(\.connection))
            for (connection, task) in state.listeners where !wanted.contains(connection) || !isKept(connection) {
                ending.append(task)
                state.listeners[connection] = nil
            }
            // A connection with a new worker may have mended what it stood still for.
            for connection in state.pauses.keys where !isKept(connection) { state.pauses[connection] = nil }
            let starting = plan.streams.values.filter { state.sweeps[$0.id] == nil }.sorted { $0.id < $1.id }
            return (ending, starting, wanted.filter { state.listeners[$0] == nil })
        }
        for task in ending { task.cancel() }
        for stream in starting {
            let task = Task { await sweepForever(stream) }
            state.withLock { $0.sweeps[stream.id] = task }
        }
        for connection in listening {
            let task = Task { await listenForever(connection) }
            state.withLock { $0.listeners[connection] = task }
        }
        // What was wanted before the workers were there.
        let waiting = state.withLock { Array($0.queues.keys) }
        for stream in waiting { startFetchers(stream) }
    }

    // MARK: standing still

    /// A person has checked the connection: go on at once.
    func resume(_ connection: String) { state.withLock { $0.pauses[connection] = nil } }

    /// Why a source stands still, if it does.
    func pause(_ connection: String) -> SourcePause? {
        let at = now()
        return state.withLock { state in state.pauses[connection].flatMap { $0.until > at ? $0 : nil } }
    }

    /// Trouble of the connection stops everything on it; false when the trouble is another one.
    private func standStill(_ connection: String, _ error: any Error) -> Bool {
        guard let trouble = error as? ConnectionTrouble, trouble.cls.isConnectionTrouble else { return false }
        let at = now()
        state.withLock { state in
            let earlier = state.pauses[connection]
            if let earlier, earlier.until > at { return }
            state.pauses[connection] = SourcePause(trouble.cls, retryAfter: trouble.retryAfter, after: earlier, now: at)
        }
        return true
    }

    private func works(_ connection: String) { state.withLock { $0.pauses[connection] = nil } }

    private func waitWhilePaused(_ connection: String) async {
        while !Task.isCancelled, let pause = pause(connection) {
            let wait = min(pause.until - now(), HostLimits.firstRetryMs)
            try? await Task.sleep(for: .milliseconds(max(wait, 1)))
        }
    }

    func stop() {
        let tasks = state.withLock { state in
            state.stopped = true
            defer {
                state.sweeps = [:]
                state.listeners = [:]
            }
            return Array(state.sweeps.values) + Array(state.listeners.values)
        }
        for task in tasks { task.cancel() }
    }

    func report(_ stream: Int64) -> Report { state.withLock { $0.reports[stream] ?? Report() } }

    private func worker(_ connection: String) -> ConnectionWorker? { state.withLock { $0.workers[connection] } }

    // MARK: sweeps

    private func sweepForever(_ stream: PlannedStream) async {
        var failures = 0
        while !Task.isCancelled {
            await waitWhilePaused(stream.connection)
            do {
                try await sweep(stream)
                works(stream.connection)
                failures = 0
                state.withLock { state in
                    state.reports[stream.id, default: Report()].lastSweepAt = now()
                    state.reports[stream.id]?.trouble = nil
                }
                try await Task.sleep(for: .milliseconds(stream.sweepEvery))
            } catch is CancellationError {
                return
            } catch {
                trouble(stream.id, "sweep", error)
                if standStill(stream.connection, error) { continue }
                failures += 1
                let wait = min(HostLimits.firstRetryMs << Int64(min(failures, 10)), HostLimits.longestRetryMs)
                try? await Task.sleep(for: .milliseconds(wait))
            }
        }
    }

    /// Sweeps a stream now, once; for `flow run`.
    func sweepNow(_ stream: PlannedStream) async throws { try await sweep(stream) }

    private func sweep(_ stream: PlannedStream) async throws {
        // A cursor belongs to what was asked for: another filter begins anew, and the inbox drops what it knows.
        let stored = try await Blocking.run { [ledger] in try ledger.cursor(stream: stream.id) }
        var cursor = Cursor.opened(stored, filter: stream.filter)
        while !Task.isCancelled {
            await waitForRoom()
            guard let worker = worker(stream.connection) else { throw Problem.noConnection(stream.connection) }
            let page = try await worker.read(
                PluginRequest.Read(
                    document: stream.document, filter: stream.filter,
                    selection: .page(
                        cursor: cursor, sinceMs: now() - stream.lookBack, max: HostLimits.pageRecords)))
            var documents: [Conductor.Received] = []
            var hints: [Conductor.Hinted] = []
            for record in page.records {
                switch record.content {
                case .document(let bytes):
                    if let content = try? JSON.parse(bytes) {
                        documents.append(Conductor.Received(id: record.id, content: content))
                    } else {
                        // Asked for by itself: one that is no JSON then either is held, and stops no other.
                        hints.append(Conductor.Hinted(document: record.id, known: ""))
                    }
                case .hint(let known):
                    hints.append(
                        Conductor.Hinted(document: record.id, known: String(decoding: known, as: UTF8.self)))
                case .deleted: continue
                }
            }
            let asked = hints.map(\.document)
            let new = Set(try await Blocking.run { [ledger] in try ledger.unseen(stream: stream.id, of: asked) })
            let unseen = hints.filter { new.contains($0.document) }
            let next: [UInt8]? =
                switch page.position {
                case .more(let cursor), .end(let cursor): cursor
                case .none: nil
                }
            let sealed = next.map { Cursor.sealed($0, filter: stream.filter) }
            await withUnsafeContinuation { continuation in
                let received = documents
                conductor.send(
                    .received(stream: stream.id, received, cursor: unseen.isEmpty ? sealed : nil, fetched: []) {
                        continuation.resume()
                    })
            }
            if !unseen.isEmpty {
                await withUnsafeContinuation { continuation in
                    conductor.send(
                        .hints(stream: stream.id, unseen, cursor: sealed) {
                            continuation.resume()
                        })
                }
            }
            guard case .more = page.position, let next else { return }
            cursor = next
        }
    }

    /// Sweeps wait while more is open than memory should hold; events do not.
    private func waitForRoom() async {
        while !Task.isCancelled {
            let open = await withUnsafeContinuation { continuation in
                conductor.send(.inspect { engine in continuation.resume(returning: engine.movingCount) })
            }
            if open < HostLimits.openItemsHighWater { return }
            try? await Task.sleep(for: .milliseconds(HostLimits.roomPollMs))
        }
    }

    // MARK: fetches

    func fetch(_ stream: Int64, _ hints: [Conductor.Hinted]) {
        state.withLock { state in
            for hint in hints { state.queues[stream, default: FetchQueue()].add(hint) }
        }
        startFetchers(stream)
    }

    /// Documents waiting to be fetched, for `status`.
    func waiting(_ stream: Int64) -> Int { state.withLock { $0.queues[stream]?.count ?? 0 } }

    private func startFetchers(_ streamID: Int64) {
        while true {
            let start = state.withLock { state -> PlannedStream? in
                guard !state.stopped, let stream = state.plan?.streams[streamID],
                    let worker = state.workers[stream.connection], let queue = state.queues[streamID], !queue.isEmpty
                else { return nil }
                let running = state.fetchers[streamID, default: 0]
                guard running < worker.readers, running * HostLimits.fetchBatch < queue.count else { return nil }
                state.fetchers[streamID] = running + 1
                return stream
            }
            guard let start else { return }
            Task { await fetchAll(start) }
        }
    }

    private enum Next {
        case entries([FetchQueue.Entry])
        case later(Int64)
        case none
    }

    private func fetchAll(_ stream: PlannedStream) async {
        while true {
            await waitWhilePaused(stream.connection)
            let at = now()
            let next = state.withLock { state -> Next in
                if !state.stopped {
                    let taken = state.queues[stream.id]?.take(at, atMost: HostLimits.fetchBatch) ?? []
                    if !taken.isEmpty { return .entries(taken) }
                    if let due = state.queues[stream.id]?.nextAt { return .later(due) }
                }
                state.fetchers[stream.id, default: 1] -= 1
                return .none
            }
            switch next {
            case .none: return
            case .later(let due):
                try? await Task.sleep(for: .milliseconds(min(max(due - at, 1), HostLimits.firstRetryMs)))
            case .entries(let entries): await fetch(entries, stream)
            }
        }
    }

    /// One call for these documents; every one of them is received, put back, or told to be unreadable.
    private func fetch(_ entries: [FetchQueue.Entry], _ stream: PlannedStream) async {
        let at = now()
        do {
            guard let worker = worker(stream.connection) else { throw Problem.noConnection(stream.connection) }
            let page = try await worker.read(
                PluginRequest.Read(
                    document: stream.document, selection: .documents(entries.map(\.hint.document))))
            var given: [String: JSON] = [:]
            for record in page.records {
                if case .document(let bytes) = record.content { given[record.id] = try JSON.parse(bytes) }
            }
            works(stream.connection)
            state.withLock { $0.reports[stream.id]?.trouble = nil }
            CrashPoint.fetched.reach()
            var received: [FetchQueue.Entry] = []
            var documents: [Conductor.Received] = []
            for entry in entries {
                guard let document = given[entry.hint.document] else {
                    await notGiven(entry, stream, HostLimits.goneTries, Words.sourceGone, at)
                    continue
                }
                if Self.isOlder(document, entry.hint.known), entry.attempts < HostLimits.lagTries {
                    putBack(entry, stream, spends: true)
                    continue
                }
                received.append(entry)
                documents.append(
                    Conductor.Received(id: entry.hint.document, content: Self.complete(document, entry.hint.known)))
            }
            if received.isEmpty { return }
            let fetched = received.map { Conductor.Fetched(document: $0.hint.document, at: at) }
            let sending = documents
            await withUnsafeContinuation { continuation in
                conductor.send(
                    .received(stream: stream.id, sending, cursor: nil, fetched: fetched) {
                        continuation.resume()
                    })
            }
            let finished = received
            state.withLock { state in for entry in finished { state.queues[stream.id]?.finish(entry) } }
        } catch {
            trouble(stream.id, "fetch", error)
            if standStill(stream.connection, error) || (error as? ConnectionTrouble)?.cls == .cancelled {
                for entry in entries { putBack(entry, stream, spends: false) }
                if pause(stream.connection) == nil {
                    try? await Task.sleep(for: .milliseconds(HostLimits.firstRetryMs))
                }
            } else if entries.count > 1 {
                // Which of them it is shows when each is asked for alone.
                for entry in entries { putBack(entry, stream, spends: true) }
            } else {
                let problem = (error as? ConnectionTrouble)?.problem
                let words = mask.mask(problem.map { "\($0.code) \($0.what.zh)" } ?? "\(error)")
                for entry in entries {
                    await notGiven(entry, stream, HostLimits.fetchTries, Words.unreadable(words), at)
                }
            }
        }
    }

    private func putBack(_ entry: FetchQueue.Entry, _ stream: PlannedStream, spends: Bool) {
        let at = now()
        state.withLock { $0.queues[stream.id]?.putBack(entry, spends: spends, at) }
    }

    /// Tried again a few times, then a person sees it among the held.
    private func notGiven(
        _ entry: FetchQueue.Entry, _ stream: PlannedStream, _ tries: Int, _ cause: String, _ at: Int64
    ) async {
        if entry.attempts + 1 < tries { return putBack(entry, stream, spends: true) }
        await withUnsafeContinuation { continuation in
            conductor.send(.unreadable(stream: stream.id, entry.hint, cause: cause, at: at) { continuation.resume() })
        }
        state.withLock { $0.queues[stream.id]?.finish(entry) }
    }

    /// The vendor's detail can lag behind its event: a field the event told is different in the answer.
    private static func isOlder(_ document: JSON, _ known: String) -> Bool {
        guard !known.isEmpty, let told = try? JSON.parse(known).object else { return false }
        return told.contains { key, value in
            guard let seen = document[key], seen != .null else { return false }
            return seen != value
        }
    }

    /// Puts what the hint knew where the vendor's answer says nothing.
    private static func complete(_ document: JSON, _ known: String) -> JSON {
        guard var object = document.object, !known.isEmpty, let more = try? JSON.parse(known).object else {
            return document
        }
        for (key, value) in more where object[key] == nil || object[key] == .null { object[key] = value }
        return .object(object)
    }

    // MARK: events

    private func listenForever(_ connection: String) async {
        var failures = 0
        while !Task.isCancelled {
            await waitWhilePaused(connection)
            let began = now()
            do {
                // The vendor asked for the next stream: at once, while the old one is still read.
                if try await listenOnce(connection) { continue }
                failures = 0
            } catch is CancellationError {
                return
            } catch {
                failures = now() - began > HostLimits.longestRetryMs ? 0 : failures + 1
                for stream in streams(connection) { trouble(stream.id, "listen", error) }
                _ = standStill(connection, error)
            }
            for stream in streams(connection) { state.withLock { $0.reports[stream.id]?.listening = false } }
            // A stream that ended at once is not opened again at once, however politely it was closed.
            if now() - began < HostLimits.longestRetryMs && failures == 0 { failures = 1 }
            let wait = min(HostLimits.firstRetryMs << Int64(min(failures, 10)), HostLimits.longestRetryMs / 2)
            try? await Task.sleep(for: .milliseconds(failures == 0 ? 0 : Int64.random(in: wait / 2...wait)))
        }
    }

    /// One connection of the vendor's stream, until it ends or the vendor asks for the next one. Make before break: the
    /// old stream is read on by a task of its own until it closes.
    private func listenOnce(_ connection: String) async throws -> Bool {
        guard let worker = worker(connection), let egress = plan?.connections[connection]?.egress else {
            throw Problem.noConnection(connection)
        }
        let endpoint = try await worker.listenOpen()
        let socket = try await WebSocketClient().connect(
            url: endpoint.url, headers: endpoint.headers.map { HTTPHeader($0.name, $0.value) }, policy: egress,
            pingInterval: endpoint.pingIntervalMs.map(Int.init) ?? HostLimits.pingEveryMs,
            idleTimeout: endpoint.idleTimeoutMs.map(Int.init) ?? HostLimits.streamIdleMs)
        for stream in streams(connection) {
            state.withLock { state in
                state.reports[stream.id, default: Report()].listening = true
                state.reports[stream.id]?.trouble = nil
            }
        }
        return try await withTaskCancellationHandler {
            for try await message in socket.messages {
                let bytes: [UInt8] =
                    switch message {
                    case .text(let text): Array(text.utf8)
                    case .binary(let bytes): bytes
                    }
                if try await handle(bytes, connection, worker, socket) {
                    Task { await readOn(connection, worker, socket) }
                    return true
                }
            }
            return false
        } onCancel: {
            Task { await socket.close() }
        }
    }

    private func readOn(_ connection: String, _ worker: ConnectionWorker, _ socket: WebSocketConnection) async {
        do {
            for try await message in socket.messages {
                if case .text(let text) = message {
                    _ = try await handle(Array(text.utf8), connection, worker, socket)
                }
            }
        } catch {
            log.info("old stream ended", metadata: ["connection": "\(connection)"])
        }
        await socket.close()
    }

    /// One frame. True when the vendor will close this stream.
    private func handle(
        _ frame: [UInt8], _ connection: String, _ worker: ConnectionWorker, _ socket: WebSocketConnection
    ) async throws -> Bool {
        let event = try await worker.listenFrame(frame)
        for frame in event.sendNow { try await socket.send(text: String(decoding: frame, as: UTF8.self)) }
        for stream in streams(connection) {
            let hints = event.hints.filter { $0.document == stream.document && concerns($0, stream) }
            if hints.isEmpty { continue }
            state.withLock { $0.reports[stream.id, default: Report()].lastEventAt = now() }
            await withUnsafeContinuation { continuation in
                conductor.send(
                    .hints(
                        stream: stream.id,
                        hints.map {
                            Conductor.Hinted(document: $0.id, known: String(decoding: $0.json, as: UTF8.self))
                        }, cursor: nil
                    ) {
                        continuation.resume()
                    })
            }
        }
        if !event.hints.isEmpty { CrashPoint.hintDurable.reach() }
        for frame in event.sendAfterDurable { try await socket.send(text: String(decoding: frame, as: UTF8.self)) }
        return event.reconnect != nil
    }

    private func concerns(_ hint: Hint, _ stream: PlannedStream) -> Bool {
        guard !hint.json.isEmpty, let known = try? JSON.parse(hint.json), let plan else { return true }
        return stream.flows.contains { plan.flows[$0]?.mayConcern(known) ?? false }
    }

    private var plan: Plan? { state.withLock { $0.plan } }

    private func streams(_ connection: String) -> [PlannedStream] {
        plan?.streams.values.filter { $0.connection == connection } ?? []
    }

    private func trouble(_ stream: Int64, _ doing: String, _ error: any Error) {
        let problem = (error as? ConnectionTrouble)?.problem ?? error as? Problem ?? .streamTrouble("\(error)")
        let masked = Problem(
            problem.code, zh: mask.mask(problem.what.zh), en: mask.mask(problem.what.en), nextZH: problem.next.zh,
            nextEN: problem.next.en)
        let text = "\(masked.code) \(masked.what.zh)"
        state.withLock { $0.reports[stream, default: Report()].trouble = masked }
        log.warning("\(doing): \(text)", metadata: ["stream": "\(stream)"])
    }
}

/// A stored cursor carries the filter it belongs to.
enum Cursor {
    static func sealed(_ cursor: [UInt8], filter: [UInt8]) -> [UInt8] {
        Array("\(filter.count):".utf8) + filter + cursor
    }

    /// The connector's cursor, or empty where the filter has changed since.
    static func opened(_ stored: [UInt8], filter: [UInt8]) -> [UInt8] {
        let head = Array("\(filter.count):".utf8) + filter
        return stored.starts(with: head) ? Array(stored.dropFirst(head.count)) : []
    }
}
