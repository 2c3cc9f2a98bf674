import Engine
import Foundation
import Ledger
import Logging
import Network
import Synchronization
import Values
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
        /// Documents to fetch, per stream, oldest first.
        var wanted: [Int64: [Conductor.Hinted]] = [:]
        /// Documents in `wanted` or being fetched: an event repeated meanwhile adds nothing.
        var known: [Int64: Set<String>] = [:]
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
        var trouble: String?
    }

    private let state = Mutex(State())
    private let conductor: Conductor
    private let ledger: Ledger
    private let log: Logger
    private let now: @Sendable () -> Int64

    init(conductor: Conductor, ledger: Ledger, log: Logger, now: @escaping @Sendable () -> Int64) {
        self.conductor = conductor
        self.ledger = ledger
        self.log = log
        self.now = now
    }

    /// Runs the streams of a plan; what runs already with the same filter goes on.
    func run(_ plan: Plan, workers: [String: ConnectionWorker]) {
        let (old, oldListeners) = state.withLock { state in
            defer {
                state.plan = plan
                state.workers = workers
                state.sweeps = [:]
                state.listeners = [:]
            }
            return (state.sweeps, state.listeners)
        }
        for task in old.values { task.cancel() }
        for task in oldListeners.values { task.cancel() }
        for stream in plan.streams.values.sorted(by: { $0.id < $1.id }) {
            let task = Task { await sweepForever(stream) }
            state.withLock { $0.sweeps[stream.id] = task }
        }
        for connection in Set(plan.streams.values.filter(\.listens).map(\.connection)) {
            let task = Task { await listenForever(connection) }
            state.withLock { $0.listeners[connection] = task }
        }
        // What was wanted before the workers were there.
        let waiting = state.withLock { Array($0.wanted.keys) }
        for stream in waiting { startFetchers(stream) }
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
            do {
                try await sweep(stream)
                failures = 0
                state.withLock { state in
                    state.reports[stream.id, default: Report()].lastSweepAt = now()
                    state.reports[stream.id]?.trouble = nil
                }
                try await Task.sleep(for: .milliseconds(stream.sweepEvery))
            } catch is CancellationError {
                return
            } catch {
                failures += 1
                trouble(stream.id, "sweep", error)
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
                    documents.append(Conductor.Received(id: record.id, content: try JSON.parse(bytes)))
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
            await withCheckedContinuation { continuation in
                let received = documents
                conductor.send(
                    .received(stream: stream.id, received, cursor: unseen.isEmpty ? sealed : nil, fetched: []) {
                        continuation.resume()
                    })
            }
            if !unseen.isEmpty {
                await withCheckedContinuation { continuation in
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
            let open = await withCheckedContinuation { continuation in
                conductor.send(.inspect { engine in continuation.resume(returning: engine.openCount) })
            }
            if open < HostLimits.openItemsHighWater { return }
            try? await Task.sleep(for: .milliseconds(HostLimits.roomPollMs))
        }
    }

    // MARK: fetches

    func fetch(_ stream: Int64, _ hints: [Conductor.Hinted]) {
        state.withLock { state in
            for hint in hints where state.known[stream, default: []].insert(hint.document).inserted {
                state.wanted[stream, default: []].append(hint)
            }
        }
        startFetchers(stream)
    }

    private func startFetchers(_ streamID: Int64) {
        while true {
            let start = state.withLock { state -> PlannedStream? in
                guard !state.stopped, let stream = state.plan?.streams[streamID],
                    let worker = state.workers[stream.connection],
                    state.fetchers[streamID, default: 0] < worker.readers,
                    !state.wanted[streamID, default: []].isEmpty,
                    state.fetchers[streamID, default: 0] * HostLimits.fetchBatch
                        < state.wanted[streamID, default: []].count
                else { return nil }
                state.fetchers[streamID, default: 0] += 1
                return stream
            }
            guard let start else { return }
            Task { await fetchAll(start) }
        }
    }

    private func fetchAll(_ stream: PlannedStream) async {
        var failures = 0
        while true {
            let batch = state.withLock { state -> [Conductor.Hinted] in
                let wanted = state.wanted[stream.id] ?? []
                if wanted.isEmpty || state.stopped {
                    state.fetchers[stream.id, default: 1] -= 1
                    return []
                }
                let batch = Array(wanted.prefix(HostLimits.fetchBatch))
                state.wanted[stream.id]?.removeFirst(batch.count)
                return batch
            }
            if batch.isEmpty { return }
            do {
                guard let worker = worker(stream.connection) else { throw Problem.noConnection(stream.connection) }
                let page = try await worker.read(
                    PluginRequest.Read(document: stream.document, selection: .documents(batch.map(\.document))))
                var documents: [Conductor.Received] = []
                for record in page.records {
                    if case .document(let bytes) = record.content {
                        let known = batch.first { $0.document == record.id }?.known ?? ""
                        documents.append(
                            Conductor.Received(id: record.id, content: Self.complete(try JSON.parse(bytes), known)))
                    }
                }
                CrashPoint.fetched.reach()
                let gone = batch.count - documents.count
                if gone > 0 { log.notice("hinted documents are gone", metadata: ["count": "\(gone)"]) }
                let received = documents
                await withCheckedContinuation { continuation in
                    conductor.send(
                        .received(stream: stream.id, received, cursor: nil, fetched: batch.map(\.document)) {
                            continuation.resume()
                        })
                }
                state.withLock { state in for hint in batch { state.known[stream.id]?.remove(hint.document) } }
                failures = 0
            } catch {
                // The hints stay durable; these go to the end of the queue and are asked for again.
                failures += 1
                trouble(stream.id, "fetch", error)
                state.withLock { $0.wanted[stream.id, default: []].append(contentsOf: batch) }
                let wait = min(HostLimits.firstRetryMs << Int64(min(failures - 1, 10)), HostLimits.longestRetryMs)
                try? await Task.sleep(for: .milliseconds(wait))
            }
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
            let began = now()
            do {
                try await listenOnce(connection)
                failures = 0
            } catch is CancellationError {
                return
            } catch {
                failures = now() - began > HostLimits.longestRetryMs ? 0 : failures + 1
                for stream in streams(connection) { trouble(stream.id, "listen", error) }
            }
            for stream in streams(connection) { state.withLock { $0.reports[stream.id]?.listening = false } }
            let wait = min(HostLimits.firstRetryMs << Int64(min(failures, 10)), HostLimits.longestRetryMs / 2)
            try? await Task.sleep(for: .milliseconds(failures == 0 ? 0 : Int64.random(in: wait / 2...wait)))
        }
    }

    /// One connection of the vendor's stream, until it ends or the vendor asks for the next one. Make before break: the
    /// old stream is read on by a task of its own until it closes.
    private func listenOnce(_ connection: String) async throws {
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
        try await withTaskCancellationHandler {
            for try await message in socket.messages {
                let bytes: [UInt8] =
                    switch message {
                    case .text(let text): Array(text.utf8)
                    case .binary(let bytes): bytes
                    }
                if try await handle(bytes, connection, worker, socket) {
                    Task { await readOn(connection, worker, socket) }
                    return
                }
            }
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
            await withCheckedContinuation { continuation in
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
        let text = (error as? Problem).map { "\($0.code) \($0.what.zh)" } ?? "\(error)"
        state.withLock { $0.reports[stream, default: Report()].trouble = text }
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
