import PluginABI
import Values

/// The context of one call and the host's services. Valid until the connector's function returns.
public struct Call {
    let pointer: UnsafePointer<datong_call>
    let context: datong_call
    let host: datong_host

    init(_ pointer: UnsafePointer<datong_call>?) throws(Failure) {
        let context = try received(pointer, into: datong_call())
        guard let pointer else { throw .bug(zh: "宿主给出了空指针", en: "the host passed a null pointer") }
        self.pointer = pointer
        self.context = context
        host = try received(context.host, into: datong_host())
    }

    /// Milliseconds since 1970 on the host's clock: return before it.
    public var deadline: Int64 { context.deadline_ms }
    /// 1 for the first delivery of a document.
    public var attempt: Int { Int(context.attempt) }
    /// Goes into every log line about this work.
    public var traceID: String { context.trace_id.text }
    /// The credentials are to be proved anew.
    public var isProbe: Bool { context.flags & DATONG_CALL_PROBE != 0 }
    /// The workspace is marked `practice`.
    public var isPractice: Bool { context.flags & DATONG_CALL_PRACTICE != 0 }
    /// The host wants this call to end early.
    public var isCancelled: Bool { host.is_cancelled.map { $0(pointer) != 0 } ?? false }

    /// Throws `cancelled` once the host wants this call to end: for long loops, before the next step.
    public func checkCancelled() throws(Failure) {
        if isCancelled { throw Failure(.cancelled, zh: "宿主要求停止", en: "the host asked to stop") }
    }

    /// The one way out.
    public var http: HTTPService { HTTPService(call: self) }
    /// Vendor algorithms over secrets the connector never sees.
    public var crypto: CryptoService { CryptoService(call: self) }
    /// Which secrets there are, and storing a rotated one.
    public var secrets: SecretService { SecretService(call: self) }
    /// State of this connection that survives the worker.
    public var state: StateService { StateService(call: self) }
    /// Invoices and attachments by reference.
    public var blobs: BlobService { BlobService(call: self) }

    /// A logged-in session or token the host keeps, see `Session`.
    ///
    /// `name` also names the cookie jar. `principal` is who logs in and part of the key. `maxInFlight` is
    /// how many calls the vendor bears at once in it; 0 = no bound.
    public func session(name: String, principal: String, maxInFlight: UInt32 = 0) -> Session {
        Session(call: self, name: name, principal: principal, maxInFlight: maxInFlight)
    }

    /// Milliseconds since 1970, UTC, on the host's clock. Throws `cancelled` once the host answers this call no more: a
    /// sweep up to 1970 would find nothing and call it all.
    public func now() throws(Failure) -> Int64 {
        let service = try service(DATONG_SERVICE_CLOCK, datong_clock_service())
        guard let now = service.now_ms else { throw Self.missing(DATONG_SERVICE_CLOCK) }
        let time = now(pointer)
        guard time != 0 else {
            throw Failure(.cancelled, zh: "宿主不再回答本次调用", en: "the host answers this call no more")
        }
        return time
    }

    /// Unpredictable bytes, at most 1024, for nonces and padding.
    public func random(_ count: Int) throws(Failure) -> [UInt8] {
        let service = try service(DATONG_SERVICE_ID, datong_id_service())
        guard let random = service.random else { throw Self.missing(DATONG_SERVICE_ID) }
        guard (0...Limits.randomBytes).contains(count) else {
            throw .bug(zh: "一次最多取 1024 个随机字节", en: "at most 1024 random bytes at once")
        }
        var reply = datong_reply()
        reply.size = UInt32(MemoryLayout<datong_reply>.size)
        let code = random(pointer, UInt64(count), &reply)
        guard code == DATONG_OK else { throw refusal(code) }
        let bytes = reply.bytes.array
        guard bytes.count == count else {
            throw .bug(zh: "宿主给出的随机字节数不对", en: "the host gave another number of random bytes")
        }
        return bytes
    }

    /// Remembers how far record `index` of the current write or poll has come: at most 4 KiB, durable before
    /// it returns, handed back in the record on the next attempt.
    public func checkpoint(_ index: Int, _ bytes: [UInt8]) throws(Failure) {
        let service = try service(DATONG_SERVICE_CHECKPOINT, datong_checkpoint_service())
        guard let save = service.save else { throw Self.missing(DATONG_SERVICE_CHECKPOINT) }
        guard index >= 0, bytes.count <= Limits.checkpointBytes else {
            throw .bug(zh: "检查点最多 4 KiB", en: "a checkpoint holds at most 4 KiB")
        }
        let arena = Arena()
        let code = withExtendedLifetime(arena) { save(pointer, UInt64(index), arena.bytes(bytes)) }
        guard code == DATONG_OK else { throw refusal(code) }
    }

    /// How loud a log line is.
    public enum LogLevel: Sendable, Hashable {
        /// For the author of the connector.
        case debug
        /// Normal course.
        case info
        /// Odd, but handled.
        case warning
        /// A failure that is not reported otherwise.
        case error
    }

    /// One line for the engineer. Nothing happens where the host keeps no log.
    public func log(_ level: LogLevel, _ text: String) {
        guard let service = try? service(DATONG_SERVICE_LOG, datong_log_service()), let write = service.write
        else { return }
        let number =
            switch level {
            case .debug: DATONG_LOG_DEBUG
            case .info: DATONG_LOG_INFO
            case .warning: DATONG_LOG_WARNING
            case .error: DATONG_LOG_ERROR
            }
        let arena = Arena()
        withExtendedLifetime(arena) { write(pointer, number, arena.text(text)) }
    }

    /// How far a long call is, and that it is alive. `total` 0: unknown.
    public func progress(_ done: Int, of total: Int = 0) {
        guard let service = try? service(DATONG_SERVICE_PROGRESS, datong_progress_service()),
            let report = service.report
        else { return }
        report(pointer, UInt64(max(0, done)), UInt64(max(0, total)))
    }

    // MARK: - Towards the services

    /// The service's table, as far as both sides know it.
    func service<T: BitwiseCopyable>(_ id: String, _ zero: T) throws(Failure) -> T {
        guard let find = host.get_service, let table = id.withCString({ find($0) }) else { throw Self.missing(id) }
        return try received(table.assumingMemoryBound(to: T.self), into: zero)
    }

    static func missing(_ id: String) -> Failure {
        Failure(
            .denied, zh: "宿主没有提供或没有批准服务 \(id)",
            en: "the host does not offer the service \(id), or it was not approved")
    }

    /// What a service answered, with the host's own explanation.
    func refusal(_ code: Int32) -> Failure {
        let text = host.explain.map { $0(pointer).text } ?? ""
        let kind = Failure.Kind(code: code)
        if text.isEmpty {
            return Failure(kind, zh: "宿主服务拒绝（类别 \(code)）", en: "a host service refused (class \(code))")
        }
        // What the network did comes with its code before the words.
        guard text.hasPrefix("E-NET-"), let end = text.firstIndex(of: " ") else {
            return Failure(kind, messages: [Failure.Message(text, .en)])
        }
        let words = String(text[text.index(after: end)...])
        return Failure(kind, messages: [Failure.Message(words, .en, vendorCode: String(text[..<end]))])
    }

    /// Reports why the call fails; the connector's function then returns `DATONG_FAILED`.
    func fail(_ failure: Failure) {
        guard let fail = host.fail else { return }
        let arena = Arena()
        var raw = failure.laidOut(in: arena)
        withExtendedLifetime(arena) { fail(pointer, &raw) }
    }
}
