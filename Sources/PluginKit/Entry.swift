import PluginABI
import Values

/// The C types a plugin's own entry functions mention.
public enum ABI {
    /// The host's table.
    public typealias Host = UnsafePointer<datong_host>?
    /// The context of a call.
    public typealias Call = UnsafePointer<datong_call>?
    /// Where `describe` puts its text.
    public typealias TextSink = UnsafePointer<datong_text_sink>?
    /// What `open` is told.
    public typealias OpenRequest = UnsafePointer<datong_open_request>?
    /// Where `open` puts the connection.
    public typealias ConnectionSlot = UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    /// A connection `open` made.
    public typealias Connection = UnsafeMutableRawPointer?
    /// An ability's id.
    public typealias AbilityID = UnsafePointer<CChar>?
    /// An ability's table.
    public typealias Ability = UnsafeRawPointer?
    /// The signature of `describe`.
    public typealias Describe = @convention(c) (Call, TextSink) -> Int32
}

/// The C face of a connector. A plugin keeps one and forwards its entry functions to it:
///
///     private let entry = ConnectorEntry(ExampleConnector.self, describe: exampleDescribe)
///     @c(example_describe) public func exampleDescribe(_ call: ABI.Call, _ sink: ABI.TextSink) -> Int32 {
///         entry.describe(call, sink)
///     }
///     @c(example_init) public func exampleInit(_ host: ABI.Host) -> Int32 { entry.initialize(host) }
///     @c(example_shutdown) public func exampleShutdown() { entry.shutdown() }
///     @c(example_ability) public func exampleAbility(_ id: ABI.AbilityID) -> ABI.Ability { entry.ability(id) }
///     @c(example_open) public func exampleOpen(
///         _ call: ABI.Call, _ request: ABI.OpenRequest, _ slot: ABI.ConnectionSlot
///     ) -> Int32 { entry.open(call, request, slot) }
///     @c(example_close) public func exampleClose(_ connection: ABI.Connection) { entry.close(connection) }
///
/// The functions' C names begin with the plugin's name, since several plugins share one test binary.
public final class ConnectorEntry: Sendable {
    private let type: any Connector.Type
    private let describeTable: Table<datong_describe_ability>

    /// The face of `type`. `describe` is the plugin's own C function, because it is called without a
    /// connection.
    public init(_ type: any Connector.Type, describe: ABI.Describe) {
        self.type = type
        var table = datong_describe_ability()
        table.size = UInt32(MemoryLayout<datong_describe_ability>.size)
        table.describe = describe
        describeTable = Table(table)
    }

    /// Refuses a host this kit was not built for.
    public func initialize(_ host: ABI.Host) -> Int32 {
        guard let host = try? received(host, into: datong_host()), host.get_service != nil, host.fail != nil
        else { return DATONG_FAILED }
        return DATONG_OK
    }

    /// Nothing is kept beside connections.
    public func shutdown() {}

    /// The table of an ability the connector offers, else NULL.
    public func ability(_ id: ABI.AbilityID) -> ABI.Ability {
        guard let id else { return nil }
        let metatype: Any.Type = type
        switch String(cString: id) {
        case DATONG_ABILITY_DESCRIBE: return describeTable.raw
        case DATONG_ABILITY_PROBE: return metatype is any Probing.Type ? Tables.probe.raw : nil
        case DATONG_ABILITY_READ: return metatype is any Reading.Type ? Tables.read.raw : nil
        case DATONG_ABILITY_WRITE: return metatype is any Writing.Type ? Tables.write.raw : nil
        case DATONG_ABILITY_POLL: return metatype is any Polling.Type ? Tables.poll.raw : nil
        case DATONG_ABILITY_VOID: return metatype is any Undoing.Type ? Tables.undo.raw : nil
        case DATONG_ABILITY_FIND: return metatype is any Finding.Type ? Tables.find.raw : nil
        case DATONG_ABILITY_QUERY: return metatype is any Querying.Type ? Tables.query.raw : nil
        case DATONG_ABILITY_LISTEN: return metatype is any Listening.Type ? Tables.listen.raw : nil
        case DATONG_ABILITY_RECEIVE: return metatype is any Receiving.Type ? Tables.receive.raw : nil
        case DATONG_ABILITY_IDENTIFY: return metatype is any Identifying.Type ? Tables.identify.raw : nil
        default: return nil
        }
    }

    /// Puts the description into the sink.
    public func describe(_ call: ABI.Call, _ sink: ABI.TextSink) -> Int32 {
        run(call) { _ throws(Failure) in try put(type.description, into: sink) }
    }

    /// Makes a connection.
    public func open(_ call: ABI.Call, _ request: ABI.OpenRequest, _ slot: ABI.ConnectionSlot) -> Int32 {
        run(call) { _ throws(Failure) in
            let raw = try received(request, into: datong_open_request())
            let secrets = try json(raw.secrets, or: [])
            let configuration = ConnectionConfiguration(
                name: raw.connection.text, product: raw.product.text, endpoint: raw.endpoint.text,
                settings: try object(raw.settings), secrets: (secrets.array ?? []).compactMap(\.string),
                timeZone: raw.time_zone.text)
            guard let slot else { throw .bug(zh: "宿主给出了空指针", en: "the host passed a null pointer") }
            slot.pointee = Unmanaged.passRetained(Opened(try type.init(configuration))).toOpaque()
        }
    }

    /// Gives a connection up.
    public func close(_ connection: ABI.Connection) {
        guard let connection else { return }
        Unmanaged<Opened>.fromOpaque(connection).release()
    }
}

/// A connection behind the opaque pointer.
private final class Opened: Sendable {
    let connector: any Connector
    init(_ connector: any Connector) { self.connector = connector }
}

/// A C table that lives as long as the process.
private struct Table<T: BitwiseCopyable>: @unchecked Sendable {
    // Written once before anybody sees it, never freed: the contract wants ability tables constant.
    private let pointer: UnsafeMutablePointer<T>
    init(_ value: T) {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: value)
    }
    var raw: UnsafeRawPointer { UnsafeRawPointer(pointer) }
}

/// The ability tables. They serve every connector: which one is behind the connection's pointer.
private enum Tables {
    static let probe = Table(
        datong_probe_ability(size: UInt32(MemoryLayout<datong_probe_ability>.size), flags: 0) {
            connection, call, sink in
            run(call) { call throws(Failure) in
                try put(try connector(connection, as: (any Probing).self).probe(call).json, into: sink)
            }
        })

    static let read = Table(
        datong_read_ability(size: UInt32(MemoryLayout<datong_read_ability>.size), flags: 0) {
            connection, call, request, sink in
            run(call) { call throws(Failure) in
                let raw = try received(request, into: datong_read_request())
                let selection: ReadRequest.Selection
                if let ids = raw.ids {
                    var names: [String] = []
                    for index in 0..<Int(clamping: min(raw.id_count, Limits.spanBytes)) {
                        names.append(ids[index].text)
                    }
                    selection = .ids(names)
                } else {
                    selection = .page(cursor: raw.cursor.array, since: raw.since_ms < 0 ? nil : raw.since_ms)
                }
                let request = ReadRequest(
                    document: raw.document.text, filter: try object(raw.filter), selection: selection,
                    maximumRecords: Int(clamping: raw.max_records))
                try connector(connection, as: (any Reading).self).read(request, into: try ReadSink(sink), call)
            }
        })

    static let write = Table(
        datong_write_ability(size: UInt32(MemoryLayout<datong_write_ability>.size), flags: 0) {
            connection, call, request, sink in
            run(call) { call throws(Failure) in
                let request = try writeRequest(request)
                let sink = try WriteSink(sink, records: request.records.count)
                try connector(connection, as: (any Writing).self).write(request, into: sink, call)
                try sink.finish()
            }
        })

    static let poll = Table(
        datong_poll_ability(size: UInt32(MemoryLayout<datong_poll_ability>.size), flags: 0) {
            connection, call, request, sink in
            run(call) { call throws(Failure) in
                let request = try writeRequest(request)
                let sink = try WriteSink(sink, records: request.records.count)
                try connector(connection, as: (any Polling).self).poll(request, into: sink, call)
                try sink.finish()
            }
        })

    static let undo = Table(
        datong_void_ability(size: UInt32(MemoryLayout<datong_void_ability>.size), flags: 0) {
            connection, call, request, sink in
            run(call) { call throws(Failure) in
                let request = try writeRequest(request)
                let sink = try WriteSink(sink, records: request.records.count)
                try connector(connection, as: (any Undoing).self).undo(request, into: sink, call)
                try sink.finish()
            }
        })

    static let find = Table(
        datong_find_ability(size: UInt32(MemoryLayout<datong_find_ability>.size), flags: 0) {
            connection, call, request, sink in
            run(call) { call throws(Failure) in
                let raw = try received(request, into: datong_find_request())
                // Spelt out: a conditional expression would make the missing document a JSON null.
                var sent: JSON?
                if raw.json.size > 0 { sent = .some(try json(raw.json, or: .null)) }
                let request = FindRequest(
                    document: raw.document.text, settings: try object(raw.settings), key: raw.key.text,
                    business: try object(raw.business), sent: sent, checkpoint: raw.checkpoint.array)
                let sink = try received(sink, into: datong_find_sink())
                for match in try connector(connection, as: (any Finding).self).find(request, call) {
                    let arena = Arena()
                    let more = withExtendedLifetime(arena) {
                        sink.found?(
                            sink.context, arena.text(match.number), arena.text(match.id),
                            match.readBack.map { arena.bytes($0.serialized()) } ?? datong_bytes()) ?? 1
                    }
                    guard more == 0 else { return }
                }
            }
        })

    static let query = Table(
        datong_query_ability(size: UInt32(MemoryLayout<datong_query_ability>.size), flags: 0) {
            connection, call, name, parameters, sink in
            run(call) { call throws(Failure) in
                let answer = try connector(connection, as: (any Querying).self)
                    .query(name.text, try object(parameters), call)
                try put(answer, into: sink)
            }
        })

    static let identify = Table(
        datong_identify_ability(size: UInt32(MemoryLayout<datong_identify_ability>.size), flags: 0) {
            connection, call, user, sink in
            run(call) { call throws(Failure) in
                try put(try connector(connection, as: (any Identifying).self).identify(user.text, call), into: sink)
            }
        })

    static let listen = Table(
        datong_listen_ability(
            size: UInt32(MemoryLayout<datong_listen_ability>.size), flags: 0,
            open: { connection, call, sink in
                run(call) { call throws(Failure) in
                    let sink = try received(sink, into: datong_listen_sink())
                    let endpoint = try connector(connection, as: (any Listening).self).endpoint(call)
                    guard endpoint.headers.allSatisfy({ $0.value.insertions.isEmpty }) else {
                        throw .bug(
                            zh: "流的请求头里不能插入密钥", en: "no secret can be inserted into a stream's headers")
                    }
                    let arena = Arena()
                    let headers = endpoint.headers.map {
                        datong_header(name: arena.text($0.name), value: arena.bytes($0.value.literal))
                    }
                    var raw = datong_listen_endpoint()
                    raw.size = UInt32(MemoryLayout<datong_listen_endpoint>.size)
                    raw.url = arena.text(endpoint.url)
                    raw.headers = arena.list(headers)
                    raw.header_count = UInt64(headers.count)
                    raw.ping_interval_ms = endpoint.pingIntervalMilliseconds
                    raw.idle_timeout_ms = endpoint.idleTimeoutMilliseconds
                    withExtendedLifetime(arena) { _ = sink.endpoint?(sink.context, &raw) }
                }
            },
            frame: { connection, call, frame, sink in
                run(call) { call throws(Failure) in
                    try connector(connection, as: (any Listening).self)
                        .frame(frame.array, into: try EventSink(sink), call)
                }
            }))

    static let receive = Table(
        datong_receive_ability(size: UInt32(MemoryLayout<datong_receive_ability>.size), flags: 0) {
            connection, call, request, sink in
            run(call) { call throws(Failure) in
                let raw = try received(request, into: datong_receive_request())
                var headers: [HTTPRequest.Header] = []
                if let first = raw.headers, raw.header_count < Limits.spanBytes {
                    for index in 0..<Int(raw.header_count) {
                        headers.append(
                            HTTPRequest.Header(first[index].name.text, TemplateBytes(first[index].value.array)))
                    }
                }
                let request = ReceivedRequest(
                    method: raw.method.text, path: raw.path.text, query: raw.query.text, headers: headers,
                    body: raw.body.array)
                try connector(connection, as: (any Receiving).self)
                    .receive(request, into: try ReceiveSink(sink), call)
            }
        })
}

/// Runs a connector's function and turns what it throws into `fail`.
private func run(_ pointer: ABI.Call, _ body: (Call) throws(Failure) -> Void) -> Int32 {
    let call: Call
    // Without a readable context there is nobody to tell.
    do { call = try Call(pointer) } catch { return DATONG_FAILED }
    do {
        try body(call)
        return DATONG_OK
    } catch {
        call.fail(error)
        return DATONG_FAILED
    }
}

private func connector<T>(_ pointer: ABI.Connection, as type: T.Type) throws(Failure) -> T {
    guard let pointer, let found = Unmanaged<Opened>.fromOpaque(pointer).takeUnretainedValue().connector as? T
    else { throw .bug(zh: "连接没有这项能力", en: "the connection does not offer this ability") }
    return found
}

private func put(_ answer: JSON, into sink: ABI.TextSink) throws(Failure) {
    let sink = try received(sink, into: datong_text_sink())
    let arena = Arena()
    withExtendedLifetime(arena) { _ = sink.put?(sink.context, arena.bytes(answer.serialized())) }
}

private func json(_ bytes: datong_bytes, or absent: JSON) throws(Failure) -> JSON {
    guard bytes.size > 0 else { return absent }
    do { return try JSON.parse(bytes.array) } catch { throw Failure(.bug, error) }
}

private func object(_ bytes: datong_bytes) throws(Failure) -> JSONObject {
    guard let object = try json(bytes, or: .object([:])).object else {
        throw .bug(zh: "宿主给出的 JSON 不是对象", en: "the host passed JSON that is no object")
    }
    return object
}

private func writeRequest(_ pointer: UnsafePointer<datong_write_request>?) throws(Failure) -> WriteRequest {
    let raw = try received(pointer, into: datong_write_request())
    var records: [WriteRecord] = []
    for item in try receivedList(raw.records, count: raw.record_count, into: datong_write_record()) {
        records.append(
            WriteRecord(
                index: records.count, key: item.key.text, document: try json(item.json, or: .null),
                checkpoint: item.checkpoint.array, token: item.token.text, expected: item.expected.text))
    }
    return WriteRequest(document: raw.document.text, settings: try object(raw.settings), records: records)
}
