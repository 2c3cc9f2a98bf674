import PluginABI
import Values

/// Where `read` puts documents. Every function returns false when the host wants no more: then return.
public final class ReadSink {
    private let raw: datong_read_sink

    init(_ pointer: UnsafePointer<datong_read_sink>?) throws(Failure) {
        raw = try received(pointer, into: datong_read_sink())
    }

    /// One document. `version` is the vendor's own version or time of change, or empty.
    @discardableResult
    public func record(id: String, version: String = "", _ document: JSON) throws(Failure) -> Bool {
        try put(id: id, version: version, json: document.serialized(), flags: 0)
    }

    /// Little but the id is known: the host fetches the document if it is news. `known`: fields by the document's
    /// own names; the host puts them into the document where the vendor's answer leaves them out.
    @discardableResult
    public func hint(id: String, version: String = "", known: JSONObject = [:]) throws(Failure) -> Bool {
        try put(
            id: id, version: version, json: known.isEmpty ? [] : JSON.object(known).serialized(),
            flags: DATONG_RECORD_HINT)
    }

    /// The vendor says the document is gone.
    @discardableResult
    public func deleted(id: String, version: String = "") throws(Failure) -> Bool {
        try put(id: id, version: version, json: [], flags: DATONG_RECORD_DELETED)
    }

    /// At most once, last. `more` true: ask again at once with this cursor. False: all seen; the cursor is
    /// where the next sweep begins. At most 4096 bytes.
    public func page(next cursor: [UInt8], more: Bool) throws(Failure) {
        guard cursor.count <= Limits.cursorBytes else {
            throw .bug(zh: "游标超过 4096 字节", en: "a cursor holds at most 4096 bytes")
        }
        let arena = Arena()
        withExtendedLifetime(arena) { _ = raw.page?(raw.context, arena.bytes(cursor), more ? 1 : 0) }
    }

    private func put(id: String, version: String, json: [UInt8], flags: UInt32) throws(Failure) -> Bool {
        guard let record = raw.record, !id.isEmpty, id.utf8.count <= Limits.idBytes else {
            throw .bug(zh: "文档编号须为 1 至 256 字节", en: "a document's id has 1 to 256 bytes")
        }
        let arena = Arena()
        var item = datong_record()
        item.size = UInt32(MemoryLayout<datong_record>.size)
        item.flags = flags
        item.id = arena.text(id)
        item.version = arena.text(version)
        item.json = arena.bytes(json)
        return withExtendedLifetime(arena) { record(raw.context, &item) } == 0
    }
}

/// Where `write`, `poll` and `undo` report what became of each record.
public final class WriteSink {
    private let raw: datong_write_sink
    private var open: Set<Int>

    init(_ pointer: UnsafePointer<datong_write_sink>?, records: Int) throws(Failure) {
        raw = try received(pointer, into: datong_write_sink())
        open = Set(0..<records)
    }

    /// The outcome of one record; exactly once for every record.
    public func report(_ index: Int, _ outcome: WriteOutcome) throws(Failure) {
        guard let put = raw.result, open.remove(index) != nil else {
            throw .bug(
                zh: "第 \(index) 条记录的结果重复或无此记录", en: "record \(index) was reported twice or does not exist")
        }
        let arena = Arena()
        var result = datong_write_result()
        result.size = UInt32(MemoryLayout<datong_write_result>.size)
        result.index = UInt64(index)
        switch outcome {
        case .applied(let written):
            result.outcome = DATONG_APPLIED
            lay(written, into: &result, arena)
        case .existed(let written):
            result.outcome = DATONG_EXISTED
            lay(written, into: &result, arena)
        case .accepted(let token, let after, let number):
            result.outcome = DATONG_ACCEPTED
            result.token = arena.text(token)
            result.poll_after_ms = after
            result.number = arena.text(number)
        case .waiting(let token, let number, let after):
            result.outcome = DATONG_WAITING
            result.token = arena.text(token)
            result.number = arena.text(number)
            result.poll_after_ms = after
        case .refused(let failure):
            result.outcome = DATONG_REFUSED
            result.failure = arena.list([failure.laidOut(in: arena)])
        }
        withExtendedLifetime(arena) { _ = put(raw.context, &result) }
    }

    /// Throws when a record was left without a result.
    func finish() throws(Failure) {
        if let index = open.min() {
            throw .bug(zh: "第 \(index) 条记录没有结果", en: "record \(index) has no result")
        }
    }

    private func lay(_ written: Written, into result: inout datong_write_result, _ arena: Arena) {
        result.number = arena.text(written.number)
        result.id = arena.text(written.id)
        if let readBack = written.readBack { result.read_back = arena.bytes(readBack.serialized()) }
    }
}

/// Where `frame` puts what a frame means.
public final class EventSink {
    private let raw: datong_event_sink

    init(_ pointer: UnsafePointer<datong_event_sink>?) throws(Failure) {
        raw = try received(pointer, into: datong_event_sink())
    }

    /// Something happened to a document.
    public func hint(_ hint: Hint) {
        withLaidOut(hint) { _ = raw.hint?(raw.context, $0) }
    }

    /// Sent at once (pong, hello).
    public func sendNow(_ frame: [UInt8]) {
        let arena = Arena()
        withExtendedLifetime(arena) { _ = raw.send_now?(raw.context, arena.bytes(frame)) }
    }

    /// Sent once every hint of this call is durable: the acknowledgement.
    public func sendAfterDurable(_ frame: [UInt8]) {
        let arena = Arena()
        withExtendedLifetime(arena) { _ = raw.send_after_durable?(raw.context, arena.bytes(frame)) }
    }

    /// The vendor will close this stream: the host opens the next one and keeps reading the old.
    public func reconnect(_ reason: String) {
        let arena = Arena()
        withExtendedLifetime(arena) { _ = raw.reconnect?(raw.context, arena.text(reason)) }
    }
}

/// Where `receive` puts what a webhook means, and its answer.
public final class ReceiveSink {
    private let raw: datong_receive_sink

    init(_ pointer: UnsafePointer<datong_receive_sink>?) throws(Failure) {
        raw = try received(pointer, into: datong_receive_sink())
    }

    /// Something happened to a document.
    public func hint(_ hint: Hint) {
        withLaidOut(hint) { _ = raw.hint?(raw.context, $0) }
    }

    /// The answer, once. `afterDurable` waits until every hint of this call is durable.
    public func answer(
        status: Int, headers: [(name: String, value: String)] = [], body: [UInt8], afterDurable: Bool
    ) {
        let arena = Arena()
        let list = headers.map { datong_header(name: arena.text($0.name), value: arena.text($0.value)) }
        withExtendedLifetime(arena) {
            _ = raw.answer?(
                raw.context, UInt32(clamping: status), arena.list(list), UInt64(list.count), arena.bytes(body),
                afterDurable ? 1 : 0)
        }
    }
}

private func withLaidOut(_ hint: Hint, _ body: (UnsafePointer<datong_hint>) -> Void) {
    let arena = Arena()
    var raw = datong_hint()
    raw.size = UInt32(MemoryLayout<datong_hint>.size)
    raw.document = arena.text(hint.document)
    raw.id = arena.text(hint.id)
    raw.event_id = arena.text(hint.eventID)
    raw.kind = arena.text(hint.kind)
    if let message = hint.message { raw.json = arena.bytes(message.serialized()) }
    withExtendedLifetime(arena) { withUnsafePointer(to: raw, body) }
}
