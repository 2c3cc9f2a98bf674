import WorkerCore

// From Swift values to the bodies of frames and back. docs/worker-protocol.md gives the layouts.

extension PluginRequest {
    /// The number of the call.
    var operation: UInt32 {
        switch self {
        case .describe: DW_OP_DESCRIBE
        case .probe: DW_OP_PROBE
        case .read: DW_OP_READ
        case .write: DW_OP_WRITE
        case .poll: DW_OP_POLL
        case .undo: DW_OP_UNDO
        case .find: DW_OP_FIND
        case .query: DW_OP_QUERY
        case .rotate: DW_OP_ROTATE
        case .listenOpen: DW_OP_LISTEN_OPEN
        case .listenFrame: DW_OP_LISTEN_FRAME
        case .receive: DW_OP_RECEIVE
        case .identify: DW_OP_IDENTIFY
        case .migrateState: DW_OP_MIGRATE_STATE
        }
    }

    /// What follows the context in a CALL.
    func encoded() -> [UInt8] {
        var out = FrameWriter()
        switch self {
        case .describe, .probe, .listenOpen: break
        case .read(let read):
            out.text(read.document)
            out.span(read.filter)
            switch read.selection {
            case .page(let cursor, let sinceMs, let max):
                out.u8(0)
                out.span(cursor)
                out.i64(sinceMs ?? -1)
                out.u64(UInt64(clamping: max))
            case .documents(let ids):
                out.u8(1)
                out.u32(UInt32(ids.count))
                for id in ids { out.text(id) }
            }
        case .write(let write), .poll(let write), .undo(let write):
            out.text(write.document)
            out.span(write.settings)
            out.u32(UInt32(write.records.count))
            for record in write.records {
                out.text(record.key)
                out.span(record.json)
                out.span(record.checkpoint)
                out.span(record.token)
                out.span(record.expected)
            }
        case .find(let find):
            out.text(find.document)
            out.span(find.settings)
            out.text(find.key)
            out.span(find.business)
            out.span(find.json)
            out.span(find.checkpoint)
        case .query(let name, let parameters):
            out.text(name)
            out.span(parameters)
        case .rotate(let secret, let step):
            out.text(secret)
            out.text(step.rawValue)
        case .listenFrame(let frame): out.span(frame)
        case .receive(let webhook):
            out.text(webhook.method)
            out.text(webhook.path)
            out.text(webhook.query)
            out.u32(UInt32(webhook.headers.count))
            for header in webhook.headers {
                out.text(header.name)
                out.text(header.value)
            }
            out.span(webhook.body)
        case .identify(let user): out.text(user)
        case .migrateState(let from, let key, let value):
            out.u32(from)
            out.span(key)
            out.span(value)
        }
        return out.bytes
    }
}

extension CallContext {
    /// Deadline in the plugin's terms, and what is left of it in the worker's.
    func encode(into out: inout FrameWriter, remainingMs: Int64) {
        out.i64(deadlineMs)
        out.i64(max(remainingMs, 0))
        out.u64(fenceEpoch)
        out.u32(attempt)
        out.u32(flags.rawValue)
        out.text(traceID)
    }
}

extension OpenRequest {
    /// What follows the context in an OPEN.
    static func encode(_ open: OpenRequest?, into out: inout FrameWriter) {
        guard let open else { return out.u8(0) }
        out.u8(1)
        out.text(open.connection)
        out.text(open.product)
        out.text(open.endpoint)
        out.span(open.settings.isEmpty ? Array("{}".utf8) : open.settings)
        out.text(jsonArray(open.secrets))
        out.text(open.timeZone)
    }

    /// Secret names as a JSON array. Names are plain words, but a quote in one must not make another document.
    private static func jsonArray(_ names: [String]) -> String {
        let items = names.map { name in
            var text = "\""
            for scalar in name.unicodeScalars {
                switch scalar {
                case "\"", "\\": text += "\\\(scalar)"
                case _ where scalar.value < 0x20:
                    let hex = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                default: text.unicodeScalars.append(scalar)
                }
            }
            return text + "\""
        }
        return "[" + items.joined(separator: ",") + "]"
    }
}

/// What a worker said first.
struct Hello: Sendable {
    var id: String
    var version: String
    var build: String
    var minor: UInt32
    var needs: UInt32
    var built: UInt32
    var hostMin: UInt32
    var hostMax: UInt32
    var abilities: [String]

    /// nil: the worker speaks another protocol, whose number is in `other`.
    static func decode(_ body: [UInt8], other: inout UInt32) throws(WireError) -> Hello? {
        var reader = FrameReader(body)
        other = try reader.u32()
        guard other == DW_PROTOCOL else { return nil }
        _ = try reader.u32()
        let hostMin = try reader.u32()
        let hostMax = try reader.u32()
        let needs = try reader.u32()
        let built = try reader.u32()
        let minor = try reader.u32()
        var hello = Hello(
            id: try reader.repairedText(), version: try reader.repairedText(), build: try reader.repairedText(),
            minor: minor, needs: needs, built: built, hostMin: hostMin, hostMax: hostMax, abilities: [])
        for _ in 0..<(try reader.count(least: 4)) { hello.abilities.append(try reader.repairedText()) }
        return hello
    }
}

extension Refusal {
    static func decode(_ body: [UInt8], other: inout UInt32) throws(WireError) -> Refusal? {
        var reader = FrameReader(body)
        other = try reader.u32()
        guard other == DW_PROTOCOL else { return nil }
        return Refusal(
            code: try reader.u32(), hostMin: try reader.u32(), hostMax: try reader.u32(), needs: try reader.u32(),
            built: try reader.u32(), detail: try reader.repairedText())
    }
}

extension Failure {
    init(from reader: inout FrameReader) throws(WireError) {
        self.init(ErrorClass(contract: try reader.u32()))
        for _ in 0..<(try reader.count(least: 12)) {
            messages.append(
                Message(
                    text: try reader.repairedText(), language: try reader.repairedText(),
                    code: try reader.repairedText()))
        }
        vendorCode = try reader.repairedText()
        field = try reader.repairedText()
        existing = try reader.repairedText()
        let after = try reader.i64()
        retryAfterMs = after < 0 ? nil : after
    }
}

/// A RESULT, taken apart: what the plugin gave, what it failed with, and what it did wrong.
struct DecodedResult {
    var failure: Failure?
    var breaches: [String] = []
    var texts: [[UInt8]] = []
    var records: [ReadRecord] = []
    var position = ReadPage.Position.none
    var outcomes: [Int: WriteOutcome] = [:]
    var found: [Found] = []
    var event = EventResult()
    var endpoint: ListenEndpoint?
    var answer: WebhookResult.Answer?

    init(_ body: [UInt8]) throws(WireError) {
        var reader = FrameReader(body)
        let bits = try reader.u32()
        let text = try reader.repairedText()
        if bits != 0 { breaches.append(text.isEmpty ? "breach \(bits)" : text) }
        if try reader.u8() != 0 { failure = try Failure(from: &reader) }
        for _ in 0..<(try reader.count(least: 1)) { try item(&reader) }
        guard reader.isAtEnd else { throw WireError(what: "bytes after the result") }
    }

    /// Ids, numbers and cursors are used as they are; one that is no UTF-8 cannot be, and is a breach.
    private mutating func exact(_ reader: inout FrameReader, _ what: String) throws(WireError) -> String {
        let bytes = try reader.span()
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        breaches.append("\(what) is not UTF-8")
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func written(_ reader: inout FrameReader) throws(WireError) -> Written {
        Written(number: try exact(&reader, "number"), id: try exact(&reader, "id"), readBack: try reader.span())
    }

    private mutating func headers(_ reader: inout FrameReader) throws(WireError) -> [Header] {
        var headers: [Header] = []
        for _ in 0..<(try reader.count(least: 8)) {
            headers.append(Header(try exact(&reader, "header name"), try exact(&reader, "header value")))
        }
        return headers
    }

    private mutating func item(_ reader: inout FrameReader) throws(WireError) {
        switch UInt32(try reader.u8()) {
        case DW_ITEM_TEXT: texts.append(try reader.span())
        case DW_ITEM_RECORD:
            let kind = try reader.u8()
            let id = try exact(&reader, "record id")
            let version = try exact(&reader, "record version")
            let json = try reader.span()
            let content: ReadRecord.Content = kind == 1 ? .hint(known: json) : kind == 2 ? .deleted : .document(json)
            records.append(ReadRecord(id: id, version: version, content: content))
        case DW_ITEM_PAGE:
            let cursor = try reader.span()
            position = try reader.u8() == 0 ? .end(cursor: cursor) : .more(cursor: cursor)
        case DW_ITEM_WRITE: try writeItem(&reader)
        case DW_ITEM_FOUND: found.append(try written(&reader))
        case DW_ITEM_HINT:
            event.hints.append(
                Hint(
                    document: try exact(&reader, "hint document"), id: try exact(&reader, "hint id"),
                    eventID: try exact(&reader, "event id"), kind: try exact(&reader, "event kind"),
                    json: try reader.span()))
        case DW_ITEM_SEND_NOW: event.sendNow.append(try reader.span())
        case DW_ITEM_SEND_AFTER_DURABLE: event.sendAfterDurable.append(try reader.span())
        case DW_ITEM_RECONNECT: event.reconnect = try reader.repairedText()
        case DW_ITEM_ENDPOINT:
            let url = try exact(&reader, "url")
            let headers = try headers(&reader)
            let ping = try reader.u32()
            let idle = try reader.u32()
            endpoint = ListenEndpoint(
                url: url, headers: headers, pingIntervalMs: ping == 0 ? nil : ping,
                idleTimeoutMs: idle == 0 ? nil : idle)
        case DW_ITEM_ANSWER:
            let status = try reader.u32()
            let headers = try headers(&reader)
            let body = try reader.span()
            answer = .init(status: status, headers: headers, body: body, afterDurable: try reader.u8() != 0)
        default: throw WireError(what: "unknown item")
        }
    }

    private mutating func writeItem(_ reader: inout FrameReader) throws(WireError) {
        let index = Int(try reader.u32())
        let kind = try reader.u32()
        let breachesBefore = breaches.count
        let written = try written(&reader)
        let token = try reader.span()
        let pollAfterMs = max(try reader.i64(), 0)
        let outcome: WriteOutcome
        switch kind {
        case 1: outcome = .applied(written)
        case 2: outcome = .existed(written)
        case 3: outcome = .accepted(token: token, pollAfterMs: pollAfterMs)
        case 4: outcome = .waiting(written, token: token, pollAfterMs: pollAfterMs)
        case 5: outcome = .refused(try Failure(from: &reader))
        default: throw WireError(what: "unknown outcome")
        }
        if breaches.count == breachesBefore { outcomes[index] = outcome }
    }

    /// The typed answer to a request, or nil when what is needed is not there.
    func response(to request: PluginRequest) -> PluginResponse? {
        switch request {
        case .describe, .probe, .query, .rotate, .identify, .migrateState: texts.first.map { .text($0) }
        case .read: .page(ReadPage(records: records, position: position))
        case .write(let write), .poll(let write), .undo(let write):
            outcomes.count == write.records.count
                ? .outcomes(outcomes.sorted { $0.key < $1.key }.map(\.value)) : nil
        case .find: .found(found)
        case .listenOpen: endpoint.map { .endpoint($0) }
        case .listenFrame: .event(event)
        case .receive: answer.map { .webhook(WebhookResult(hints: event.hints, answer: $0)) }
        }
    }
}

/// What came in a SERVICE frame.
struct ServiceQuestion {
    /// The plugin thread that waits; goes back unchanged.
    var slot: UInt16 = 0
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

    init(_ body: [UInt8]) throws(WireError) {
        var reader = FrameReader(body)
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
            let ttl = try reader.i64()
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
    init?(_ body: [UInt8]) throws(WireError) {
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
