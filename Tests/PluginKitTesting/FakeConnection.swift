import PluginABI
import PluginKit
import Values

/// The entry functions of a plugin, as its shim names them.
public struct PluginFunctions: Sendable {
    /// The signature of `init`.
    public typealias Initialize = @convention(c) (ABI.Host) -> Int32
    /// The signature of `shutdown`.
    public typealias Shutdown = @convention(c) () -> Void
    /// The signature of `get_ability`.
    public typealias Ability = @convention(c) (ABI.AbilityID) -> ABI.Ability
    /// The signature of `open`.
    public typealias Open = @convention(c) (ABI.Call, ABI.OpenRequest, ABI.ConnectionSlot) -> Int32
    /// The signature of `close`.
    public typealias Close = @convention(c) (ABI.Connection) -> Void

    let ability: Ability
    let open: Open
    let close: Close

    /// The functions; `initialize` is called here with a host that offers no service.
    public init(
        initialize: Initialize, ability: @escaping Ability, open: @escaping Open, close: @escaping Close
    ) {
        precondition(initialize(HostTables.bare) == DATONG_OK, "the plugin refused the host")
        self.ability = ability
        self.open = open
        self.close = close
    }

    /// Whether the ability, e.g. `datong.write/1`, is offered.
    public func offers(_ id: String) -> Bool { ability(id) != nil }

    func table<T>(_ id: String, _ type: T.Type) -> T? {
        ability(id)?.assumingMemoryBound(to: type).pointee
    }
}

/// One document to write.
public struct FakeRecord: Sendable {
    var key: String
    var document: JSON
    var token: String

    /// A record; its checkpoint is what the host holds under `key`.
    public init(key: String, _ document: JSON, token: String = "") {
        self.key = key
        self.document = document
        self.token = token
    }
}

/// A document or hint a connector read.
public struct FakeReadRecord: Sendable, Hashable {
    /// The document's id.
    public var id: String
    /// The vendor's version, or empty.
    public var version: String
    /// The document; nil with a hint or a deletion.
    public var document: JSON?
    /// Whether the vendor says it is gone.
    public var isDeleted: Bool
}

/// What one `read` gave.
public struct FakePage: Sendable {
    /// In order.
    public var records: [FakeReadRecord] = []
    /// Where to go on; nil when no page was reported.
    public var next: [UInt8]?
    /// Whether to ask again at once.
    public var more = false
}

/// What one frame or webhook gave.
public struct FakeEvents: Sendable {
    /// Hints in order.
    public var hints: [Hint] = []
    /// Frames sent at once.
    public var sentNow: [[UInt8]] = []
    /// Frames sent once the hints are durable.
    public var sentAfterDurable: [[UInt8]] = []
    /// Reasons to reconnect.
    public var reconnects: [String] = []
    /// Answers of a webhook.
    public var answers: [Answer] = []

    /// The answer of a webhook.
    public struct Answer: Sendable {
        /// HTTP status.
        public var status: Int
        /// Body.
        public var body: [UInt8]
        /// Whether it waits for the hints.
        public var afterDurable: Bool
    }
}

/// A connection of a plugin, driven through the C tables.
public final class FakeConnection: @unchecked Sendable {
    private let host: FakeHost
    private let plugin: PluginFunctions
    // The plugin says which calls may come at once; the pointer itself never changes.
    private let pointer: UnsafeMutableRawPointer?

    init(host: FakeHost, plugin: PluginFunctions, pointer: UnsafeMutableRawPointer?) {
        self.host = host
        self.plugin = plugin
        self.pointer = pointer
    }

    deinit { plugin.close(pointer) }

    private func table<T>(_ id: String, _ type: T.Type) throws(Failure) -> T {
        guard let table = plugin.table(id, type) else { throw Failure(.unsupported, zh: "没有 \(id)", en: "no \(id)") }
        return table
    }

    /// Runs `probe`.
    public func probe() throws(Failure) -> JSON {
        let table = try table(DATONG_ABILITY_PROBE, datong_probe_ability.self)
        return try host.text(flags: DATONG_CALL_PROBE) { call, sink in table.probe(pointer, call, sink) }
    }

    /// Runs `query`.
    public func query(_ name: String, _ parameters: JSON = [:]) throws(Failure) -> JSON {
        let table = try table(DATONG_ABILITY_QUERY, datong_query_ability.self)
        let arena = BytesArena()
        return try host.text { call, sink in
            withExtendedLifetime(arena) {
                table.query(pointer, call, arena.text(name), arena.bytes(parameters.serialized()), sink)
            }
        }
    }

    /// Runs `identify`.
    public func identify(_ user: String) throws(Failure) -> JSON {
        let table = try table(DATONG_ABILITY_IDENTIFY, datong_identify_ability.self)
        let arena = BytesArena()
        return try host.text { call, sink in
            withExtendedLifetime(arena) { table.identify(pointer, call, arena.text(user), sink) }
        }
    }

    /// Runs `read`, a page or the named documents.
    public func read(
        _ document: String, filter: JSON = [:], cursor: [UInt8] = [], since: Int64? = nil, ids: [String]? = nil,
        maximumRecords: Int = 100
    ) throws(Failure) -> FakePage {
        let table = try table(DATONG_ABILITY_READ, datong_read_ability.self)
        let arena = BytesArena()
        var raw = datong_read_request()
        raw.size = UInt32(MemoryLayout<datong_read_request>.size)
        raw.document = arena.text(document)
        raw.filter = arena.bytes(filter.serialized())
        raw.cursor = arena.bytes(cursor)
        raw.since_ms = since ?? -1
        if let ids {
            // Never nil here, even for no id at all.
            raw.ids = UnsafePointer(arena.list(ids.map { arena.text($0) } + [datong_bytes()]))
            raw.id_count = UInt64(ids.count)
        }
        raw.max_records = UInt64(maximumRecords)
        let box = Box(FakePage())
        var sink = datong_read_sink()
        sink.size = UInt32(MemoryLayout<datong_read_sink>.size)
        sink.context = box.pointer
        sink.record = { context, record in
            guard let record = record?.pointee else { return 1 }
            let page = Box<FakePage>.at(context)
            let json = record.json.copied
            page.value.records.append(
                FakeReadRecord(
                    id: record.id.string, version: record.version.string,
                    document: json.isEmpty ? nil : try? JSON.parse(json),
                    isDeleted: record.flags & DATONG_RECORD_DELETED != 0))
            return 0
        }
        sink.page = { context, cursor, more in
            Box<FakePage>.at(context).value.next = cursor.copied
            Box<FakePage>.at(context).value.more = more == 1
            return 0
        }
        try host.call(flags: 0, attempt: 1) { call in
            withExtendedLifetime((arena, box)) { table.read(pointer, call, &raw, &sink) }
        }
        return box.value
    }

    /// Runs `write`; one outcome per record, in the records' order, nil where none was reported.
    public func write(
        _ document: String, settings: JSON = [:], _ records: [FakeRecord], attempt: Int = 1
    ) throws(Failure) -> [WriteOutcome?] {
        let table = try table(DATONG_ABILITY_WRITE, datong_write_ability.self)
        return try run(table.write, document, settings, records, attempt)
    }

    /// Runs `poll`.
    public func poll(
        _ document: String, settings: JSON = [:], _ records: [FakeRecord]
    ) throws(Failure) -> [WriteOutcome?] {
        let table = try table(DATONG_ABILITY_POLL, datong_poll_ability.self)
        return try run(table.poll, document, settings, records, 1)
    }

    /// Runs `undo`.
    public func undo(
        _ document: String, settings: JSON = [:], _ records: [FakeRecord]
    ) throws(Failure) -> [WriteOutcome?] {
        let table = try table(DATONG_ABILITY_VOID, datong_void_ability.self)
        return try run(table.undo, document, settings, records, 1)
    }

    private typealias WriteFunction =
        @convention(c) (
            UnsafeMutableRawPointer?, UnsafePointer<datong_call>?, UnsafePointer<datong_write_request>?,
            UnsafePointer<datong_write_sink>?
        ) -> Int32

    private func run(
        _ function: WriteFunction?, _ document: String, _ settings: JSON, _ records: [FakeRecord], _ attempt: Int
    ) throws(Failure) -> [WriteOutcome?] {
        guard let function else { throw Failure(.bug, zh: "空函数", en: "a null function") }
        let arena = BytesArena()
        let checkpoints = host.checkpoints
        let list = records.map { record in
            var raw = datong_write_record()
            raw.size = UInt32(MemoryLayout<datong_write_record>.size)
            raw.key = arena.text(record.key)
            raw.json = arena.bytes(record.document.serialized())
            raw.checkpoint = arena.bytes(checkpoints[record.key] ?? [])
            raw.token = arena.text(record.token)
            return raw
        }
        var raw = datong_write_request()
        raw.size = UInt32(MemoryLayout<datong_write_request>.size)
        raw.document = arena.text(document)
        raw.settings = arena.bytes(settings.serialized())
        raw.records = UnsafePointer(arena.list(list))
        raw.record_count = UInt64(list.count)
        let box = Box([WriteOutcome?](repeating: nil, count: records.count))
        var sink = datong_write_sink()
        sink.size = UInt32(MemoryLayout<datong_write_sink>.size)
        sink.context = box.pointer
        sink.result = { context, result in
            guard let result = result?.pointee else { return 1 }
            let outcomes = Box<[WriteOutcome?]>.at(context)
            let index = Int(result.index)
            precondition(outcomes.value.indices.contains(index) && outcomes.value[index] == nil, "reported twice")
            outcomes.value[index] = WriteOutcome(result)
            return 0
        }
        try host.call(flags: 0, attempt: attempt, keys: records.map(\.key)) { call in
            withExtendedLifetime((arena, box)) { function(pointer, call, &raw, &sink) }
        }
        return box.value
    }

    /// Runs `find`.
    public func find(
        _ document: String, settings: JSON = [:], key: String = "", business: JSON = [:], sent: JSON? = nil
    ) throws(Failure) -> [Written] {
        let table = try table(DATONG_ABILITY_FIND, datong_find_ability.self)
        let arena = BytesArena()
        var raw = datong_find_request()
        raw.size = UInt32(MemoryLayout<datong_find_request>.size)
        raw.document = arena.text(document)
        raw.settings = arena.bytes(settings.serialized())
        raw.key = arena.text(key)
        raw.business = arena.bytes(business.serialized())
        if let sent { raw.json = arena.bytes(sent.serialized()) }
        raw.checkpoint = arena.bytes(host.checkpoints[key] ?? [])
        let box = Box<[Written]>([])
        var sink = datong_find_sink()
        sink.size = UInt32(MemoryLayout<datong_find_sink>.size)
        sink.context = box.pointer
        sink.found = { context, number, id, readBack in
            Box<[Written]>.at(context).value
                .append(
                    Written(
                        number: number.string, id: id.string,
                        readBack: readBack.size > 0 ? try? JSON.parse(readBack.copied) : nil))
            return 0
        }
        try host.call(flags: 0, attempt: 1) { call in
            withExtendedLifetime((arena, box)) { table.find(pointer, call, &raw, &sink) }
        }
        return box.value
    }

    /// Runs `listen`'s `open`.
    public func endpoint() throws(Failure) -> ListenEndpoint {
        let table = try table(DATONG_ABILITY_LISTEN, datong_listen_ability.self)
        let box = Box<ListenEndpoint?>(nil)
        var sink = datong_listen_sink()
        sink.size = UInt32(MemoryLayout<datong_listen_sink>.size)
        sink.context = box.pointer
        sink.endpoint = { context, endpoint in
            guard let endpoint = endpoint?.pointee else { return 1 }
            var headers: [HTTPRequest.Header] = []
            for index in 0..<Int(endpoint.header_count) {
                guard let header = endpoint.headers?[index] else { continue }
                headers.append(HTTPRequest.Header(header.name.string, TemplateBytes(header.value.copied)))
            }
            Box<ListenEndpoint?>.at(context).value = ListenEndpoint(
                url: endpoint.url.string, headers: headers, pingIntervalMilliseconds: endpoint.ping_interval_ms,
                idleTimeoutMilliseconds: endpoint.idle_timeout_ms)
            return 0
        }
        try host.call(flags: 0, attempt: 1) { call in
            withExtendedLifetime(box) { table.open(pointer, call, &sink) }
        }
        guard let endpoint = box.value else { throw Failure(.bug, zh: "没有给出地址", en: "no endpoint was given") }
        return endpoint
    }

    /// Runs `listen`'s `frame`.
    public func frame(_ bytes: [UInt8]) throws(Failure) -> FakeEvents {
        let table = try table(DATONG_ABILITY_LISTEN, datong_listen_ability.self)
        let arena = BytesArena()
        let box = Box(FakeEvents())
        var sink = datong_event_sink()
        sink.size = UInt32(MemoryLayout<datong_event_sink>.size)
        sink.context = box.pointer
        sink.hint = { context, hint in
            guard let hint = hint?.pointee else { return 1 }
            Box<FakeEvents>.at(context).value.hints.append(Hint(hint))
            return 0
        }
        sink.send_now = { context, frame in
            Box<FakeEvents>.at(context).value.sentNow.append(frame.copied)
            return 0
        }
        sink.send_after_durable = { context, frame in
            Box<FakeEvents>.at(context).value.sentAfterDurable.append(frame.copied)
            return 0
        }
        sink.reconnect = { context, reason in
            Box<FakeEvents>.at(context).value.reconnects.append(reason.string)
            return 0
        }
        try host.call(flags: 0, attempt: 1) { call in
            withExtendedLifetime((arena, box)) { table.frame(pointer, call, arena.bytes(bytes), &sink) }
        }
        return box.value
    }

    /// Runs `receive`.
    public func receive(
        method: String = "POST", path: String = "/", query: String = "",
        headers: [(name: String, value: String)] = [], body: [UInt8]
    ) throws(Failure) -> FakeEvents {
        let table = try table(DATONG_ABILITY_RECEIVE, datong_receive_ability.self)
        let arena = BytesArena()
        var raw = datong_receive_request()
        raw.size = UInt32(MemoryLayout<datong_receive_request>.size)
        raw.method = arena.text(method)
        raw.path = arena.text(path)
        raw.query = arena.text(query)
        let list = headers.map { datong_header(name: arena.text($0.name), value: arena.text($0.value)) }
        raw.headers = arena.list(list).map { UnsafePointer($0) }
        raw.header_count = UInt64(list.count)
        raw.body = arena.bytes(body)
        let box = Box(FakeEvents())
        var sink = datong_receive_sink()
        sink.size = UInt32(MemoryLayout<datong_receive_sink>.size)
        sink.context = box.pointer
        sink.hint = { context, hint in
            guard let hint = hint?.pointee else { return 1 }
            Box<FakeEvents>.at(context).value.hints.append(Hint(hint))
            return 0
        }
        sink.answer = { context, status, _, _, body, afterDurable in
            Box<FakeEvents>.at(context).value.answers
                .append(FakeEvents.Answer(status: Int(status), body: body.copied, afterDurable: afterDurable == 1))
            return 0
        }
        try host.call(flags: 0, attempt: 1) { call in
            withExtendedLifetime((arena, box)) { table.receive(pointer, call, &raw, &sink) }
        }
        return box.value
    }
}

extension Hint {
    fileprivate init(_ raw: datong_hint) {
        self.init(
            document: raw.document.string, id: raw.id.string, eventID: raw.event_id.string, kind: raw.kind.string,
            message: raw.json.size > 0 ? try? JSON.parse(raw.json.copied) : nil)
    }
}

extension WriteOutcome {
    fileprivate init(_ raw: datong_write_result) {
        let written = Written(
            number: raw.number.string, id: raw.id.string,
            readBack: raw.read_back.size > 0 ? try? JSON.parse(raw.read_back.copied) : nil)
        switch raw.outcome {
        case DATONG_APPLIED: self = .applied(written)
        case DATONG_EXISTED: self = .existed(written)
        case DATONG_ACCEPTED:
            self = .accepted(
                token: raw.token.string, pollAfterMilliseconds: raw.poll_after_ms, number: raw.number.string)
        case DATONG_WAITING:
            self = .waiting(
                token: raw.token.string, number: raw.number.string, pollAfterMilliseconds: raw.poll_after_ms)
        default:
            let failure = raw.failure.map { Failure($0.pointee) }
            self = .refused(failure ?? Failure(.bug, zh: "没有说明", en: "refused without a failure"))
        }
    }
}
