import WorkerCore

// What a call gives, out of its frame. docs/worker-protocol.md gives the layouts.

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
        let after = try reader.milliseconds()
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
        let pollAfterMs = max(try reader.milliseconds(), 0)
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

    /// What the caller gets. `ending`: the call was being ended before it answered.
    func result(for request: PluginRequest, _ ending: Ending?, reachedVendor: Bool) -> CallResult {
        func failed(_ failure: CallFailure) -> CallResult {
            CallResult(outcome: .failure(failure), reachedVendor: reachedVendor, known: outcomes)
        }
        if !breaches.isEmpty { return failed(.broken(breaches)) }
        if let failure {
            return switch (failure.errorClass, ending) {
            case (.cancelled, .deadline?): failed(.deadlineExceeded)
            case (.cancelled, .overrun?): failed(.overran(Problems.overran()))
            case (.cancelled, .cancelled?): failed(.cancelled)
            default: failed(.plugin(failure))
            }
        }
        guard let response = response(to: request) else {
            return failed(.broken(["OK without the answer that belongs to it"]))
        }
        return CallResult(outcome: .success(response), reachedVendor: reachedVendor)
    }

    /// The typed answer to a request, or nil when what is needed is not there.
    private func response(to request: PluginRequest) -> PluginResponse? {
        switch request {
        case .describe, .probe, .query, .rotate, .identify, .migrateState: texts.first.map { .text($0) }
        case .read: .page(ReadPage(records: records, position: position))
        case .write(let write), .poll(let write), .undo(let write):
            outcomes.keys.sorted() == Array(write.records.indices)
                ? .outcomes(write.records.indices.compactMap { outcomes[$0] }) : nil
        case .find: .found(found)
        case .listenOpen: endpoint.map { .endpoint($0) }
        case .listenFrame: .event(event)
        case .receive: answer.map { .webhook(WebhookResult(hints: event.hints, answer: $0)) }
        }
    }
}

extension CallFailure {
    /// The contract was broken in these ways.
    static func broken(_ breaches: [String]) -> CallFailure {
        .contractBreach(ContractBreach(breaches: breaches, problem: Problems.contractBroken(breaches)))
    }
}
