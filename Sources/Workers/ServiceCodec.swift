import WorkerCore

// What plugins ask of the host and what it answers. docs/worker-protocol.md gives the layouts.

/// What came in a SERVICE frame.
struct ServiceQuestion {
    /// The plugin thread that waits; goes back unchanged.
    var slot: UInt16
    var sequence: UInt32
    var function: UInt32
    /// nil: not understood (a name that is no UTF-8, an unknown figure); to be refused.
    var request: ServiceRequest?

    /// The shape the plugin's side waits for.
    var shape: UInt32 {
        switch function {
        case DW_HTTP_SEND: DW_SHAPE_HTTP
        case DW_SESSION_ACQUIRE: DW_SHAPE_SESSION
        case DW_SECRET_EXISTS, DW_BLOB_LENGTH, DW_CLOCK_NOW: DW_SHAPE_NUMBER
        case DW_SQL_RUN, DW_SECRET_REVEAL, DW_STATE_GET, DW_BLOB_READ, DW_BLOB_CREATE, DW_ID_RANDOM: DW_SHAPE_BYTES
        case DW_CRYPTO_RUN:
            if case .crypto(let crypto)? = request, crypto.operation == .verify {
                DW_SHAPE_NONE
            } else {
                DW_SHAPE_BYTES
            }
        default: DW_SHAPE_NONE
        }
    }

    init(_ frame: Frame) throws(WireError) {
        slot = frame.flags
        var reader = FrameReader(frame.body)
        sequence = try reader.u32()
        function = try reader.u32()
        request = try ServiceQuestion.decode(function, &reader)
    }

    private static func text(_ reader: inout FrameReader) throws(WireError) -> String? {
        String(validating: try reader.span(), as: UTF8.self)
    }

    private static func decode(_ function: UInt32, _ reader: inout FrameReader) throws(WireError) -> ServiceRequest? {
        switch function {
        case DW_HTTP_SEND: return try http(&reader)
        case DW_SQL_RUN: return try sql(&reader)
        case DW_CRYPTO_RUN: return try crypto(&reader)
        case DW_SECRET_EXISTS: return try text(&reader).map { .secretExists(name: $0) }
        case DW_SECRET_REVEAL: return try text(&reader).map { .secretReveal(expression: $0) }
        case DW_SECRET_REPLACE:
            let name = try text(&reader)
            let value = try reader.span()
            return name.map { .secretReplace(name: $0, value: value) }
        case DW_SESSION_ACQUIRE: return try session(&reader).map { .sessionAcquire($0) }
        case DW_SESSION_PUBLISH:
            let lease = try reader.u64()
            let ttl = try reader.milliseconds()
            return .sessionPublish(lease: lease, value: try reader.span(), ttlMs: ttl)
        case DW_SESSION_ABANDON:
            return .sessionAbandon(lease: try reader.u64(), errorClass: ErrorClass(contract: try reader.u32()))
        case DW_SESSION_INVALIDATE:
            let session = try session(&reader)
            let value = try reader.span()
            return session.map { .sessionInvalidate($0, value: value) }
        case DW_STATE_GET: return .stateGet(key: try reader.span())
        case DW_STATE_PUT: return .statePut(key: try reader.span(), value: try reader.span())
        case DW_CHECKPOINT_SAVE: return .checkpoint(index: Int(try reader.u32()), bytes: try reader.span())
        case DW_BLOB_LENGTH: return .blobLength(blob: try reader.span())
        case DW_BLOB_READ:
            return .blobRead(blob: try reader.span(), offset: try reader.u64(), size: try reader.u64())
        case DW_BLOB_CREATE:
            let type = try text(&reader)
            let bytes = try reader.span()
            return type.map { .blobCreate(bytes: bytes, mediaType: $0) }
        case DW_CLOCK_NOW: return .now
        case DW_ID_RANDOM: return .random(count: Int(try reader.u32()))
        default: throw WireError(what: "unknown service")
        }
    }

    private static func session(_ reader: inout FrameReader) throws(WireError) -> ServiceRequest.Session? {
        let places = try reader.u32()
        let name = try text(&reader)
        let principal = try text(&reader)
        guard let name, let principal else { return nil }
        return .init(name: name, principal: principal, maxInFlight: places == 0 ? nil : places)
    }

    private static func http(_ reader: inout FrameReader) throws(WireError) -> ServiceRequest? {
        let effect = ServiceRequest.Effect(rawValue: try reader.u32())
        let flags = try reader.u32()
        let timeout = try reader.u32()
        let maxReply = try reader.u64()
        let method = try text(&reader)
        let url = try reader.span()
        let session = try text(&reader)
        let meter = try text(&reader)
        let blob = try reader.span()
        var headers: [ServiceRequest.RawHeader] = []
        var understood = true
        for _ in 0..<(try reader.count(least: 8)) {
            let name = try text(&reader)
            headers.append(.init(name: name ?? "", value: try reader.span()))
            if name == nil { understood = false }
        }
        var insertions: [ServiceRequest.Insertion] = []
        for _ in 0..<(try reader.count(least: 20)) {
            let part = try reader.u32()
            let index = Int(try reader.u32())
            let offset = Int(clamping: try reader.u64())
            let secret = try text(&reader)
            let place: ServiceRequest.Insertion.Part = part == 1 ? .url : part == 2 ? .header(index) : .body
            insertions.append(.init(part: place, offset: offset, secret: secret ?? ""))
            if secret == nil || (part == 2 && index >= headers.count) { understood = false }
        }
        let body = try reader.span()
        guard understood, let effect, let method, let session, let meter else { return nil }
        return .http(
            .init(
                effect: effect, timeoutMs: timeout == 0 ? nil : timeout, method: method, url: url, headers: headers,
                body: blob.isEmpty ? .bytes(body) : .blob(blob), insertions: insertions, session: session,
                maxReplyBytes: maxReply == 0 ? nil : maxReply, meter: meter, http11: flags & 1 != 0,
                replyToBlob: flags & 2 != 0))
    }

    private static func sql(_ reader: inout FrameReader) throws(WireError) -> ServiceRequest? {
        let effect = ServiceRequest.Effect(rawValue: try reader.u32())
        let timeout = try reader.u32()
        let rows = try reader.u64()
        let bytes = try reader.u64()
        let statement = try text(&reader)
        let parameters = try reader.span()
        guard let effect, let statement else { return nil }
        return .sql(
            .init(
                effect: effect, timeoutMs: timeout == 0 ? nil : timeout, statement: statement, parameters: parameters,
                maxRows: rows, maxBytes: bytes))
    }

    private static func segment(_ reader: inout FrameReader) throws(WireError) -> ServiceRequest.Segment? {
        let isSecret = try reader.u8() != 0
        let bytes = try reader.span()
        guard isSecret else { return .literal(bytes) }
        return String(validating: bytes, as: UTF8.self).map { .secret($0) }
    }

    private static func crypto(_ reader: inout FrameReader) throws(WireError) -> ServiceRequest? {
        let operation = ServiceRequest.Crypto.Operation(rawValue: try reader.u32())
        let flags = try reader.u32()
        let algorithm = try text(&reader)
        let key = try segment(&reader)
        let iv = try reader.span()
        let signature = try reader.span()
        let additional = try reader.span()
        var input: [ServiceRequest.Segment] = []
        var understood = true
        for _ in 0..<(try reader.count(least: 5)) {
            if let part = try segment(&reader) { input.append(part) } else { understood = false }
        }
        guard understood, let operation, let algorithm, let key else { return nil }
        return .crypto(
            .init(
                operation: operation, algorithm: algorithm, key: key, iv: iv, input: input, signature: signature,
                additional: additional, sortSegments: flags & 1 != 0, noPadding: flags & 2 != 0))
    }
}

extension PluginNote {
    init(_ body: [UInt8]) throws(WireError) {
        var reader = FrameReader(body)
        _ = try reader.u32()
        switch try reader.u32() {
        case DW_NOTE_LOG:
            let level = LogLevel(rawValue: try reader.u32()) ?? .info
            self = .log(level, try reader.repairedText())
        case DW_NOTE_METRIC: self = .metric(name: try reader.repairedText(), amount: try reader.i64())
        case DW_NOTE_PROGRESS: self = .progress(done: try reader.u64(), total: try reader.u64())
        default: throw WireError(what: "unknown note")
        }
    }
}

extension ServiceReply {
    /// The body of a SERVICE_REPLY. A reply that does not fit the question is refused instead.
    func encoded(for question: ServiceQuestion) -> [UInt8] {
        var out = FrameWriter()
        out.u32(question.sequence)
        if case .refused(let errorClass, let text, let mayHaveArrived) = self {
            out.u32(errorClass.rawValue)
            out.u8(mayHaveArrived ? 1 : 0)
            out.text(text)
            out.u8(UInt8(DW_SHAPE_NONE))
            return out.bytes
        }
        guard shape == question.shape, size <= Int(DW_MAX_RESULT_BYTES) else {
            return ServiceReply.refused(.denied, "the host has no fitting answer", mayHaveArrived: true)
                .encoded(for: question)
        }
        out.u32(0)
        if case .http = self { out.u8(1) } else { out.u8(0) }
        out.text("")
        out.u8(UInt8(shape))
        switch self {
        case .done, .refused: break
        case .bytes(let bytes): out.span(bytes)
        case .number(let number): out.i64(number)
        case .http(let http):
            out.u32(UInt32(bitPattern: http.status))
            out.u32(UInt32(http.headers.count))
            for header in http.headers {
                out.text(header.name)
                out.span(header.value)
            }
            out.span(http.body)
        case .session(.value(let value)):
            out.u8(0)
            out.u64(0)
            out.span(value)
        case .session(.lease(let lease)):
            out.u8(1)
            out.u64(lease)
            out.span([])
        }
        return out.bytes
    }

    private var shape: UInt32 {
        switch self {
        case .done, .refused: DW_SHAPE_NONE
        case .bytes: DW_SHAPE_BYTES
        case .number: DW_SHAPE_NUMBER
        case .http: DW_SHAPE_HTTP
        case .session: DW_SHAPE_SESSION
        }
    }

    private var size: Int {
        switch self {
        case .bytes(let bytes), .session(.value(let bytes)): bytes.count
        case .http(let http): http.headers.reduce(http.body.count) { $0 + $1.name.utf8.count + $1.value.count + 8 }
        default: 0
        }
    }
}
