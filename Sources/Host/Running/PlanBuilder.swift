import Documents
import Engine
import Ledger
import Mapping
import Network
import Values
import Vault

/// Compiles a frozen revision into what runs. Row numbers come from the ledger; new names get new ones.
struct PlanBuilder {
    let revision: Revision
    /// Each connector's `describe`, by id.
    let connectors: [String: JSON]
    /// Content-addressed library paths, by connector id.
    let libraries: [String: String]
    /// The writer generation of this plan.
    let epoch: Int64
    private(set) var names: [NameKind: [String: Int64]]
    /// Names that are new and must be made durable with the plan.
    private(set) var newNames: [Change] = []

    init(
        revision: Revision, connectors: [String: JSON], libraries: [String: String], epoch: Int64,
        names: [NameKind: [String: Int64]]
    ) {
        self.revision = revision
        self.connectors = connectors
        self.libraries = libraries
        self.epoch = epoch
        self.names = names
    }

    mutating func build() throws(Problem) -> Plan {
        let draft = revision.draft
        var plan = Plan(
            revision: revision.number, connections: [:], flows: [:], streams: [:], lanes: [:],
            timeZone: draft.workspace.timeZone)
        for file in draft.connections { plan.connections[file.name] = try connection(file) }
        for file in draft.flows {
            guard let source = plan.connections[file.from.connection], let target = plan.connections[file.to.connection]
            else { throw .noConnection(file.from.connection) }
            try add(file, source, target, &plan)
        }
        // What is on its way to a target that no flow names any more is finished there.
        for name in (names[.lane] ?? [:]).keys.sorted() {
            guard let slash = name.firstIndex(of: "/"), let target = plan.connections[String(name[..<slash])]
            else { continue }
            _ = try? lane(target, String(name[name.index(after: slash)...]), &plan)
        }
        return plan
    }

    private mutating func number(_ kind: NameKind, _ name: String) -> Int64 {
        if let known = names[kind]?[name] { return known }
        let next = (names[kind]?.values.max() ?? 0) + 1
        names[kind, default: [:]][name] = next
        newNames.append(.name(kind: kind, id: next, name: name))
        return next
    }

    private func connection(_ file: ConnectionFile) throws(Problem) -> PlannedConnection {
        guard let describe = connectors[file.connector], let library = libraries[file.connector],
            let product = describe["products"]?.array?.first(where: { $0["id"]?.string == file.product })
        else { throw .noConnection(file.name) }
        let hosts = (product["hosts"]?.array ?? []).compactMap(\.string)
        let egress = try EgressPolicy(
            allow: [try Origin(url: file.endpoint).description] + hosts + file.hosts
                + (try settingOrigins(file, product)),
            caFile: file.tls.authorityFile.map { FileStore.expand($0, in: revision.draft.root) }, pins: file.tls.pins,
            proxy: try Self.proxy(file.proxy))
        return PlannedConnection(
            file: file, product: product, library: library,
            connectorVersion: describe["version"]?.string ?? "", tenant: Self.tenant(file, product), egress: egress)
    }

    /// A setting that is an address (`"format": "uri"`) opens its origin: the operator wrote it.
    private func settingOrigins(_ file: ConnectionFile, _ product: JSON) throws(Problem) -> [String] {
        var origins: [String] = []
        for (key, schema) in product["settings"]?["properties"]?.object ?? JSONObject()
        where schema["format"]?.string == "uri" {
            if let text = file.settings[key]?.string { origins.append(try Origin(url: text).description) }
        }
        return origins
    }

    private static func proxy(_ text: String?) throws(Problem) -> EgressPolicy.Proxy? {
        guard let text else { return nil }
        let origin = try Origin(url: text)
        return EgressPolicy.Proxy(host: origin.host, port: origin.port)
    }

    /// Every setting marked `identity`, or the endpoint where the connector marks none.
    private static func tenant(_ file: ConnectionFile, _ product: JSON) -> String {
        let properties = product["settings"]?["properties"]?.object ?? JSONObject()
        var identity = JSONObject()
        for (key, schema) in properties where schema["identity"]?.bool == true {
            identity[key] = file.settings[key] ?? .null
        }
        if identity.isEmpty { identity["endpoint"] = .string(file.endpoint) }
        return String(decoding: JSON.object(identity).canonical(), as: UTF8.self)
    }

    private static func document(_ product: JSON, _ type: String) -> JSON? {
        product["documents"]?.array?.first { $0["type"]?.string == type }
    }

    /// How long the target may still commit. A practice workspace may say less than the connector: a typo elsewhere
    /// would double documents.
    private func horizon(_ connection: PlannedConnection, _ entry: JSON) -> Milliseconds {
        let declared = entry["commit_horizon_ms"]?.int ?? HostLimits.commitHorizonMs
        guard let chosen = connection.file.commitHorizon else { return declared }
        return revision.draft.workspace.practice ? chosen : max(chosen, declared)
    }

    private mutating func lane(_ connection: PlannedConnection, _ document: String, _ plan: inout Plan) throws(Problem)
        -> LaneID
    {
        guard let entry = Self.document(connection.product, document),
            let abilities = entry["abilities"]?.array?.compactMap(\.string), abilities.contains("write")
        else { throw .cannotWrite(connection.file.name, document) }
        guard let keys = IdempotencyKey.Form(describe: entry) else {
            throw .keysTooFew(connection.file.name, document, IdempotencyKey.Form.wish(entry))
        }
        let id = number(.lane, "\(connection.file.name)/\(document)")
        let declared = connection.product["concurrency"]?["write"]?.int ?? 1
        let bound = connection.file.limits["concurrency"].map(Int64.init) ?? declared
        plan.lanes[id] = PlannedLane(
            id: id, connection: connection.file.name, document: document, keys: keys,
            rules: LaneRules(
                maxInFlight: Int(max(min(declared, bound), 1)),
                enforcesUniqueKey: entry["unique_key"]?.bool ?? false, canFind: abilities.contains("find"),
                commitHorizon: horizon(connection, entry), epoch: epoch,
                settlesUnknown: entry["unknown"]?.string == "settle"))
        return id
    }

    private mutating func add(
        _ file: FlowFile, _ source: PlannedConnection, _ target: PlannedConnection, _ plan: inout Plan
    ) throws(Problem) {
        let streamEntry = source.product["streams"]?.array?.first { $0["document"]?.string == file.from.document }
        guard let streamEntry else { throw .cannotRead(source.file.name, file.from.document) }
        let narrows = streamEntry["filter"]?["properties"]?.object?.map(\.key) ?? []
        var narrowing: [String: Set<String>] = [:]
        for key in narrows {
            guard let wanted = file.where[key] else { continue }
            narrowing[key] = Set(wanted.array?.compactMap(\.string) ?? [wanted.string].compactMap { $0 })
        }
        let streamID = number(.stream, "\(source.file.name)/\(file.from.document)")
        let flowID = number(.flow, file.id)
        let laneID = try lane(target, file.to.document, &plan)
        var back: PlannedWriteBack?
        if file.writeBack == .comment {
            let comment = source.product["documents"]?.array?.first {
                $0["comments_on"]?.string == file.from.document
            }
            guard let document = comment?["type"]?.string else { throw .cannotWrite(source.file.name, "comment") }
            back = PlannedWriteBack(
                flow: number(.flow, file.id + "/write-back"), lane: try lane(source, document, &plan),
                document: document)
        }
        plan.flows[flowID] = PlannedFlow(
            id: flowID, file: file, mapping: try mapping(file), filter: try filter(file), narrowing: narrowing,
            stream: streamID, lane: laneID, settings: JSON.object(file.settings).serialized(), writeBack: back)
        addStream(streamID, flowID, file, streamEntry, &plan)
    }

    private func addStream(
        _ id: Int64, _ flow: FlowID, _ file: FlowFile, _ entry: JSON, _ plan: inout Plan
    ) {
        var stream =
            plan.streams[id]
            ?? PlannedStream(
                id: id, connection: file.from.connection, document: file.from.document, filter: [], flows: [],
                sweepEvery: .max, lookBack: 0,
                listens: (entry["abilities"]?.array ?? []).contains("listen"))
        stream.flows.append(flow)
        stream.sweepEvery = min(stream.sweepEvery, file.sweep?.every ?? HostLimits.sweepEveryMs)
        stream.lookBack = max(stream.lookBack, file.sweep?.lookBack ?? HostLimits.lookBackMs)
        // The union of what the flows narrow to: a key counts only where every flow narrows by it.
        var union: [String: Set<String>]?
        for flow in stream.flows.compactMap({ plan.flows[$0] }) {
            if let known = union {
                union = known.filter { flow.narrowing[$0.key] != nil }
                for key in union?.keys ?? [:].keys { union?[key]?.formUnion(flow.narrowing[key] ?? []) }
            } else {
                union = flow.narrowing
            }
        }
        var filter = JSONObject()
        for (key, values) in (union ?? [:]).sorted(by: { $0.key < $1.key }) {
            filter[key] = .array(values.sorted().map { .string($0) })
        }
        stream.filter = JSON.object(filter).canonical()
        plan.streams[id] = stream
    }

    private func mapping(_ file: FlowFile) throws(Problem) -> Mapping {
        guard let mapping = revision.draft.mapping(file.mapping) else { throw .noFlow(file.mapping) }
        return try revision.draft.compile(mapping, from: file.from.document, to: file.to.document)
    }

    private func filter(_ file: FlowFile) throws(Problem) -> SourceFilter {
        let source = try DocumentType.named(file.from.document)
        do throws(MappingProblems) {
            return try SourceFilter(.object(file.where), from: source)
        } catch {
            throw error.problems.first ?? .noFlow(file.name)
        }
    }
}

extension IdempotencyKey.Form {
    /// What an entry of `documents` says under `key`.
    init?(describe entry: JSON) {
        self.init(
            maxBytes: entry["key"]?["max_bytes"]?.int.map { Int(clamping: $0) },
            alphabet: entry["key"]?["alphabet"]?.string)
    }

    /// The same in words, for people.
    static func wish(_ entry: JSON) -> String { entry["key"]?.text ?? "" }
}

extension Problem {
    static func keysTooFew(_ connection: String, _ document: String, _ wish: String) -> Problem {
        Problem(
            "E-CONF-050", zh: "连接 \(connection) 的 \(document) 只允许这样的幂等键: \(wish),不足以区分单据",
            en:
                "connection \(connection) takes only such idempotency keys for \(document): \(wish), too few to tell documents apart",
            nextZH: "换用允许至少 19 位字母数字键的连接器或单据类型",
            nextEN: "use a connector or document type that takes keys of at least 19 letters and digits")
    }

    static func cannotWrite(_ connection: String, _ document: String) -> Problem {
        Problem(
            "E-HOST-015", zh: "连接 \(connection) 不能写入 \(document)",
            en: "connection \(connection) cannot write \(document)",
            nextZH: "datong connector inspect 列出可写的单据类型", nextEN: "datong connector inspect lists what can be written")
    }
    static func cannotRead(_ connection: String, _ document: String) -> Problem {
        Problem(
            "E-HOST-017", zh: "连接 \(connection) 不能读取 \(document)",
            en: "connection \(connection) cannot read \(document)",
            nextZH: "datong connector inspect 列出可读的单据类型", nextEN: "datong connector inspect lists what can be read")
    }
}
