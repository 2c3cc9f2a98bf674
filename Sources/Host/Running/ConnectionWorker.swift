import Values
import Vault
import Workers

/// A connection's worker with the connection's own time-outs, and failures as problems where a stream needs them: what a
/// vendor says in them is masked, wherever they go.
final class ConnectionWorker: Sendable {
    let connection: String
    /// Reads the connector takes at once.
    let readers: Int
    private let supervisor: WorkerSupervisor
    private let timeouts: [String: Int64]
    private let isPractice: Bool
    private let limits: LimitKeeper
    private let mask: SecretMask
    private let now: @Sendable () -> Int64

    init(
        connection: String, readers: Int, supervisor: WorkerSupervisor, timeouts: [String: Int64], isPractice: Bool,
        limits: LimitKeeper, mask: SecretMask, now: @escaping @Sendable () -> Int64
    ) {
        self.connection = connection
        self.readers = readers
        self.supervisor = supervisor
        self.timeouts = timeouts
        self.isPractice = isPractice
        self.limits = limits
        self.mask = mask
        self.now = now
    }

    /// One call, as it comes back.
    func call(_ request: PluginRequest, context: CallContext) async -> CallResult {
        var context = context
        if isPractice { context.flags.insert(.practice) }
        let result = await supervisor.call(request, context: context)
        if Self.isThrottled(result) { limits.throttled(connection) }
        return result
    }

    private static func isThrottled(_ result: CallResult) -> Bool {
        switch result.outcome {
        case .failure(.plugin(let failure)): failure.errorClass == .throttled
        case .success(.outcomes(let outcomes)):
            outcomes.contains { if case .refused(let failure) = $0 { failure.errorClass == .throttled } else { false } }
        default: false
        }
    }

    func read(_ read: PluginRequest.Read) async throws(ConnectionTrouble) -> ReadPage {
        guard case .page(let page) = try await ask(.read(read), timeouts["read"] ?? HostLimits.readTimeoutMs) else {
            throw drift("read")
        }
        return page
    }

    func listenOpen() async throws(ConnectionTrouble) -> ListenEndpoint {
        guard case .endpoint(let endpoint) = try await ask(.listenOpen, HostLimits.probeTimeoutMs) else {
            throw drift("listen")
        }
        return endpoint
    }

    func listenFrame(_ frame: [UInt8]) async throws(ConnectionTrouble) -> EventResult {
        guard case .event(let event) = try await ask(.listenFrame(frame), HostLimits.frameTimeoutMs) else {
            throw drift("listen")
        }
        return event
    }

    /// Looks for a document at the target for a person. Nil where the connector cannot look for this one.
    func numbers(of find: PluginRequest.Find) async throws(ConnectionTrouble) -> [String]? {
        do throws(ConnectionTrouble) {
            guard case .found(let found) = try await ask(.find(find), timeouts["find"] ?? HostLimits.findTimeoutMs)
            else { throw drift("find") }
            return found.map { mask.mask($0.number) }
        } catch {
            if error.cls == .unsupported { return nil }
            throw error
        }
    }

    /// Proves address, credentials and permissions anew; the connector's JSON.
    func probe() async throws(Problem) -> JSON {
        let wait = timeouts["probe"] ?? HostLimits.probeTimeoutMs
        let answer: PluginResponse
        do throws(ConnectionTrouble) { answer = try await ask(.probe, wait, flags: .probe) } catch {
            throw error.problem
        }
        guard case .text(let bytes) = answer else { throw .connectorAnswered(connection, "probe") }
        return try JSON.parse(mask.mask(bytes))
    }

    /// A worker that was paused because it kept ending may start again.
    func resume() async { await supervisor.resume() }

    func stop() async { await supervisor.shutDown() }

    private func ask(
        _ request: PluginRequest, _ wait: Int64, flags: CallContext.Flags = []
    ) async throws(ConnectionTrouble) -> PluginResponse {
        let context = CallContext(
            deadlineMs: now() + wait, traceID: "\(connection)-\(request.kind.rawValue)", flags: flags)
        switch await call(request, context: context).outcome {
        case .success(let response): return response
        case .failure(let failure):
            let told = Dispatcher.told(failure)
            throw ConnectionTrouble(
                problem: masked(.called(connection, failure)), cls: told.cls, retryAfter: told.retryAfter)
        }
    }

    private func masked(_ problem: Problem) -> Problem {
        Problem(
            problem.code, zh: mask.mask(problem.what.zh), en: mask.mask(problem.what.en), nextZH: problem.next.zh,
            nextEN: problem.next.en)
    }

    private func drift(_ ability: String) -> ConnectionTrouble {
        ConnectionTrouble(problem: .connectorAnswered(connection, ability), cls: .bug, retryAfter: nil)
    }
}

extension Problem {
    static func connectorAnswered(_ connection: String, _ ability: String) -> Problem {
        Problem(
            "E-HOST-016", zh: "连接 \(connection) 的连接器对 \(ability) 给出了别的东西",
            en: "the connector of \(connection) answered \(ability) with something else",
            nextZH: "这是连接器的缺陷: 换回上一版本", nextEN: "a defect of the connector: go back to its last version")
    }

    /// A failed call that is no document's, for people.
    static func called(_ connection: String, _ failure: CallFailure) -> Problem {
        switch failure {
        case .plugin(let failure):
            let zh = failure.messages.first { $0.language == "zh" } ?? failure.messages.first
            let en = failure.messages.first { $0.language == "en" } ?? failure.messages.first
            return Problem(
                failure.ownCode ?? "E-CALL-\(failure.errorClass)",
                zh: "连接 \(connection): \(zh?.text ?? "\(failure.errorClass)") \(failure.vendorCode)",
                en: "connection \(connection): \(en?.text ?? "\(failure.errorClass)") \(failure.vendorCode)",
                nextZH: "datong connection check \(connection)", nextEN: "datong connection check \(connection)")
        case .workerDied(let death): return death.problem
        case .contractBreach(let breach): return breach.problem
        case .notSent(let problem), .overran(let problem): return problem
        case .deadlineExceeded, .cancelled:
            return Problem(
                "E-CALL-cancelled", zh: "连接 \(connection) 在限定时间内没有答复",
                en: "connection \(connection) did not answer in time",
                nextZH: "datong connection check \(connection)", nextEN: "datong connection check \(connection)")
        }
    }
}
