import Values
import Vault

extension Draft {
    /// What only the connectors know: products, settings, secrets, limits, documents, filters.
    func check(_ catalogue: ConnectorCatalogue) -> [ConfigurationProblem] {
        let findings = Findings()
        for connection in connections { check(connection, catalogue, findings) }
        for flow in flows { check(flow, catalogue, findings) }
        checkRunnable(findings)
        return findings.sorted
    }

    /// The product entry of a connection, if the catalogue has it.
    func product(of connection: String, _ catalogue: ConnectorCatalogue) -> JSON? {
        guard let connection = self.connection(connection) else { return nil }
        return catalogue.connector(connection.connector)?.product(connection.product)
    }

    private func check(_ connection: ConnectionFile, _ catalogue: ConnectorCatalogue, _ findings: Findings) {
        let file = "connections/\(connection.name).yaml"
        guard let connector = catalogue.connector(connection.connector) else {
            // A library whose name says it is the one meant explains more than "unknown".
            let wanted = connection.connector.lowercased()
            let cause = catalogue.refused.first { $0.path.lowercased().contains(wanted) }?.problem
            let unknown = Problem.connectorMissing(
                connection.connector, known: catalogue.connectors.map(\.id), folders: catalogue.folders)
            add(findings, file, ["connector"], cause.map { .connectorUnknown($0) } ?? unknown)
            return
        }
        guard let product = connector.product(connection.product) else {
            let kind = Problem.Text(zh: "产品", en: "product")
            add(findings, file, ["product"], .unknownName(kind, connection.product, among: connector.products))
            return
        }
        let source = sources[file]
        if let source, let schema = product["settings"] {
            SettingsCheck(file: file, findings: findings).check(
                source.child("settings"), schema, path: "settings", line: source.line)
        }
        let declared = product["secrets"]?.object ?? [:]
        for name in connection.settings.keys where declared[name] != nil {
            add(findings, file, ["settings", name], .plaintextSecret("settings.\(name)"))
        }
        for name in connection.secrets.keys.sorted() where declared[name] == nil {
            add(findings, file, ["secrets", name], .unknownKey("secrets.\(name)", in: declared.keys))
        }
        for (name, entry) in declared where entry["required"]?.bool == true && connection.secrets[name] == nil {
            let write = "\(name): vault:\(connection.name)/\(name.replacing("_", with: "-"))"
            add(findings, file, ["secrets"], .missingKey("secrets.\(name)", write: write))
        }
        let limits = product["limits"]?.array ?? []
        let known = limits.compactMap { $0["id"]?.string }
        for (name, figure) in connection.limits.sorted(by: { $0.key < $1.key }) {
            guard let limit = limits.first(where: { $0["id"]?.string == name }) else {
                add(findings, file, ["limits", name], .unknownKey("limits.\(name)", in: known))
                continue
            }
            if let max = limit["max"]?.int, figure > max {
                add(
                    findings, file, ["limits", name],
                    .limitAboveVendor("limits.\(name)", seen: figure, vendor: Int(max)))
            }
        }
    }

    private func check(_ flow: FlowFile, _ catalogue: ConnectorCatalogue, _ findings: Findings) {
        let file = "flows/\(flow.name).yaml"
        if let product = product(of: flow.from.connection, catalogue) { checkSource(flow, product, file, findings) }
        if let product = product(of: flow.to.connection, catalogue) { checkTarget(flow, product, file, findings) }
    }

    private func checkSource(_ flow: FlowFile, _ product: JSON, _ file: String, _ findings: Findings) {
        let streams = product["streams"]?.array ?? []
        let stream = streams.first { $0["document"]?.string == flow.from.document }
        guard let stream, abilities(stream).contains("read") else {
            let what = Problem.Text(
                zh: "可读取的单据 \(flow.from.document)", en: "the document \(flow.from.document) for reading")
            let offered = streams.compactMap { $0["document"]?.string }
            add(findings, file, ["from", "document"], .notOffered(what, by: flow.from.connection, offered: offered))
            return
        }
        if case .realtime = flow.trigger, !abilities(stream).contains("listen"), !abilities(stream).contains("receive"),
            flow.sweep == nil
        {
            let what = Problem.Text(
                zh: "实时事件(可写 sweep 定期核查)", en: "events (sweep would look regularly instead)")
            add(findings, file, ["trigger"], .notOffered(what, by: flow.from.connection, offered: abilities(stream)))
        }
        let filter = stream["filter"]?["properties"]?.object ?? [:]
        for key in flow.where.keys {
            guard let schema = filter[key], let value = sources[file]?.child("from")?.child("where")?.child(key) else {
                continue
            }
            // One wanted value or several: a source that takes a list gets a list, else it is asked for each.
            let values: [Located] = if case .sequence(let list) = value.content { list } else { [value] }
            let one = schema["type"]?.string == "array" ? schema["items"] ?? [:] : schema
            for value in values {
                SettingsCheck(file: file, findings: findings).checkValue(value, one, path: "from.where.\(key)")
            }
        }
        for key in (stream["filter"]?["required"]?.array ?? []).compactMap(\.string) where flow.where[key] == nil {
            add(findings, file, ["from", "where"], .missingKey("from.where.\(key)", write: "\(key): …"))
        }
        if flow.writeBack == .comment {
            let entry = documents(product).first { $0["comments_on"]?.string == flow.from.document }
            if entry.map({ abilities($0).contains("write") }) != true {
                let what = Problem.Text(zh: "评论回写", en: "writing a comment")
                let offered = documents(product).compactMap { $0["type"]?.string }
                add(findings, file, ["write_back"], .notOffered(what, by: flow.from.connection, offered: offered))
            }
            if let entry { checkKeys(entry, of: flow.from.connection, file, ["write_back"], findings) }
        }
    }

    private func checkTarget(_ flow: FlowFile, _ product: JSON, _ file: String, _ findings: Findings) {
        let entries = documents(product)
        let entry = entries.first { $0["type"]?.string == flow.to.document }
        guard let entry, abilities(entry).contains("write") else {
            let what = Problem.Text(
                zh: "可写入的单据 \(flow.to.document)", en: "the document \(flow.to.document) for writing")
            let offered = entries.filter { abilities($0).contains("write") }.compactMap { $0["type"]?.string }
            add(findings, file, ["to", "document"], .notOffered(what, by: flow.to.connection, offered: offered))
            return
        }
        checkKeys(entry, of: flow.to.connection, file, ["to", "document"], findings)
        if let schema = entry["settings"] {
            let source = sources[file]
            SettingsCheck(file: file, findings: findings).check(
                source?.child("to")?.child("settings"), schema, path: "to.settings",
                line: source?.line(at: ["to", "settings"]) ?? 0)
        }
    }

    private func checkKeys(
        _ entry: JSON, of connection: String, _ file: String, _ place: [String], _ findings: Findings
    ) {
        guard IdempotencyKey.Form(describe: entry) == nil else { return }
        let document = entry["type"]?.string ?? ""
        add(findings, file, place, .keysTooFew(connection, document, IdempotencyKey.Form.wish(entry)))
    }

    private func documents(_ product: JSON) -> [JSON] { product["documents"]?.array ?? [] }
    private func abilities(_ entry: JSON) -> [String] { (entry["abilities"]?.array ?? []).compactMap(\.string) }
}

extension Located {
    /// The value of a key.
    func child(_ key: String) -> Located? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key == key }?.value
    }
}

extension Draft {
    /// What the format knows and this version of the host does not carry out is refused rather than ignored.
    func checkRunnable(_ findings: Findings) {
        for key in ["ledger", "alerts"] where sources[Self.workspaceFile]?.child(key) != nil {
            add(findings, Self.workspaceFile, [key], .notRunnable(key, "{ … }"))
        }
        for flow in flows {
            let file = "flows/\(flow.name).yaml"
            func refuse(_ path: [String], _ seen: String) {
                add(findings, file, path, .notRunnable(path.joined(separator: "."), seen))
            }
            if flow.direction == .twoWay { refuse(["direction"], flow.direction.rawValue) }
            if flow.trigger != .realtime { refuse(["trigger"], flow.summary["trigger"]?.string ?? "") }
            if case .fields = flow.master { refuse(["master"], "…") }
            if flow.onChange == .voidAndRedo { refuse(["on_change"], flow.onChange.rawValue) }
            if flow.history.before == .link { refuse(["history", "before"], flow.history.before.rawValue) }
            // Submitting or auditing our own documents needs the signed agreement, which only practice does without.
            if !workspace.practice, let finish = flow.settings["finish"]?.string, finish != "save" {
                refuse(["to", "settings", "finish"], finish)
            }
            if flow.closedPeriod == .nextOpen { refuse(["closed_period"], flow.closedPeriod.rawValue) }
        }
    }
}

/// Checks settings against the schema in a connector's `describe`, with the line of every problem.
///
/// The subset that settings use: `type`, `properties`, `additionalProperties`, `required`, `enum`, `items`, `minLength`, `minimum`, `maximum`.
struct SettingsCheck {
    let file: String
    let findings: Findings

    /// A whole settings object; an absent one counts as empty.
    func check(_ value: Located?, _ schema: JSON, path: String, line: Int) {
        let properties = schema["properties"]?.object ?? [:]
        let entries: [Located.Entry]
        switch value?.content {
        case .mapping(let list)?: entries = list
        case nil: entries = []
        default:
            findings.add(
                file, value?.line ?? line,
                .wrongType(path, seen: value?.kind ?? .init(zh: "空", en: "nothing"), write: "{ … }"))
            return
        }
        for entry in entries {
            guard let property = properties[entry.key] else {
                switch schema["additionalProperties"] {
                case .object(let any)?: checkValue(entry.value, .object(any), path: "\(path).\(entry.key)")
                case .bool(true)?: break
                default: findings.add(file, entry.line, .unknownKey("\(path).\(entry.key)", in: properties.keys))
                }
                continue
            }
            checkValue(entry.value, property, path: "\(path).\(entry.key)")
        }
        for key in (schema["required"]?.array ?? []).compactMap(\.string)
        where !entries.contains(where: { $0.key == key }) {
            let title = properties[key]?["title"]?["zh"]?.string ?? "…"
            findings.add(file, value?.line ?? line, .missingKey("\(path).\(key)", write: "\(key): \(title)"))
        }
    }

    /// One value.
    func checkValue(_ value: Located, _ schema: JSON, path: String) {
        let json = value.json
        if let choices = schema["enum"]?.array, !choices.contains(json) {
            let words = choices.map { $0.string ?? $0.text }
            findings.add(file, value.line, .notAChoice(path, seen: value.text ?? json.text, choices: words))
            return
        }
        let types: [String] =
            switch schema["type"] {
            case .string(let type)?: [type]
            case .array(let list)?: list.compactMap(\.string)
            default: []
            }
        guard types.isEmpty || types.contains(where: { matches(json, $0) }) else {
            if json.isNull {
                findings.add(file, value.line, .emptyValue(path))
                return
            }
            let asText = types.contains("string") && value.text != nil
            let write = asText ? "\"\(value.text ?? "")\"" : types.joined(separator: " | ")
            findings.add(file, value.line, .wrongType(path, seen: value.kind, write: write))
            return
        }
        if case .object = json, schema["properties"] != nil || schema["additionalProperties"] != nil {
            check(value, schema, path: path, line: value.line)
        }
        if case .sequence(let items) = value.content, let itemSchema = schema["items"] {
            for (index, item) in items.enumerated() { checkValue(item, itemSchema, path: "\(path)[\(index)]") }
        }
        if let text = json.string, let shortest = schema["minLength"]?.int, text.unicodeScalars.count < shortest {
            findings.add(file, value.line, .emptyValue(path))
        }
        if let number = json.int {
            let low = schema["minimum"]?.int ?? Int64.min
            let high = schema["maximum"]?.int ?? Int64.max
            if number < low || number > high {
                let problem = Problem.outOfRange(path, seen: "\(number)", low: Int(low), high: Int(high))
                findings.add(file, value.line, problem)
            }
        }
    }

    private func matches(_ json: JSON, _ type: String) -> Bool {
        switch (json, type) {
        case (.string, "string"), (.bool, "boolean"), (.number, "number"), (.array, "array"), (.object, "object"),
            (.null, "null"):
            true
        case (.number(let number), "integer"): Int64(number.text) != nil
        default: false
        }
    }
}
