import Mapping
import Values

/// One change between two configurations, in words.
struct ConfigurationChange: Sendable, Hashable {
    enum Kind: String, Sendable { case added, removed, changed }
    enum Subject: String, Sendable, CaseIterable { case workspace, connection, flow, mapping, table, connector }

    let subject: Subject
    /// Name of the connection, flow, …; empty for the workspace.
    let name: String
    let kind: Kind
    /// What changed, without subject and name; empty where the whole thing came or went.
    let detail: Problem.Text

    var text: Problem.Text {
        let zhSubject =
            switch subject {
            case .workspace: "工作区"
            case .connection: "连接"
            case .flow: "流程"
            case .mapping: "映射"
            case .table: "码表"
            case .connector: "连接器"
            }
        let zhKind =
            switch kind {
            case .added: "新增"
            case .removed: "删除"
            case .changed: "修改"
            }
        let name = self.name.isEmpty ? "" : " " + self.name
        let zh = detail.zh.isEmpty ? "" : ":" + detail.zh
        let en = detail.en.isEmpty ? "" : ": " + detail.en
        return Problem.Text(
            zh: "\(zhKind)\(zhSubject)\(name)\(zh)", en: "\(subject.rawValue)\(name) \(kind.rawValue)\(en)")
    }

    var json: JSON {
        [
            "subject": .string(subject.rawValue), "name": .string(name), "kind": .string(kind.rawValue),
            "zh": .string(text.zh), "en": .string(text.en),
        ]
    }
}

/// The difference between two configurations.
enum Difference {
    /// Every change that leads from `old` (nil: nothing yet) to `new`.
    static func between(
        _ old: Draft?, _ new: Draft, oldConnectors: [RevisionManifest.Library] = [],
        newConnectors: [RevisionManifest.Library] = []
    ) -> [ConfigurationChange] {
        var changes: [ConfigurationChange] = []
        if let old {
            changes += fields(
                .workspace, "", old.sources[Draft.workspaceFile]?.json, new.sources[Draft.workspaceFile]?.json)
        }
        changes += files(.connection, "connections/", old, new)
        changes += files(.flow, "flows/", old, new)
        changes += files(.mapping, "mappings/", old, new)
        changes += tables(old, new)
        changes += libraries(oldConnectors, newConnectors)
        return changes
    }

    private static func files(_ subject: ConfigurationChange.Subject, _ prefix: String, _ old: Draft?, _ new: Draft)
        -> [ConfigurationChange]
    {
        let before = (old?.sources ?? [:]).filter { $0.key.hasPrefix(prefix) }
        let after = new.sources.filter { $0.key.hasPrefix(prefix) }
        return Set(before.keys).union(after.keys).sorted().flatMap { path -> [ConfigurationChange] in
            let name = ConnectionFile.stem(path)
            switch (before[path], after[path]) {
            case (nil, _): return [ConfigurationChange(subject: subject, name: name, kind: .added, detail: .none)]
            case (_, nil): return [ConfigurationChange(subject: subject, name: name, kind: .removed, detail: .none)]
            case (let a?, let b?): return fields(subject, name, a.json, b.json)
            }
        }
    }

    /// Field by field: one change per leaf that differs.
    private static func fields(_ subject: ConfigurationChange.Subject, _ name: String, _ old: JSON?, _ new: JSON?)
        -> [ConfigurationChange]
    {
        leaves(old, new, path: "").map {
            ConfigurationChange(subject: subject, name: name, kind: .changed, detail: $0)
        }
    }

    private static func leaves(_ old: JSON?, _ new: JSON?, path: String) -> [Problem.Text] {
        if old == new { return [] }
        switch (old, new) {
        case (.object(let a)?, .object(let b)?):
            let keys = a.keys + b.keys.filter { a[$0] == nil }
            return keys.flatMap { leaves(a[$0], b[$0], path: path.isEmpty ? $0 : "\(path).\($0)") }
        case (.array(let a)?, .array(let b)?) where (a + b).allSatisfy { $0.object != nil }:
            return rows(a, b, path: path)
        default: break
        }
        switch (old, new) {
        case (nil, let value?):
            return [Problem.Text(zh: "\(path) 新写 \(short(value))", en: "\(path) is now \(short(value))")]
        case (let value?, nil):
            return [Problem.Text(zh: "\(path) 不再是 \(short(value))", en: "\(path) no longer says \(short(value))")]
        case (let a?, let b?):
            return [
                Problem.Text(zh: "\(path) 由 \(short(a)) 改为 \(short(b))", en: "\(path) from \(short(a)) to \(short(b))")
            ]
        case (nil, nil): return []
        }
    }

    /// Lists of objects: by what names their elements, else by position.
    private static func rows(_ old: [JSON], _ new: [JSON], path: String) -> [Problem.Text] {
        guard let before = named(old), let after = named(new) else {
            return (0..<max(old.count, new.count)).flatMap { index in
                leaves(
                    index < old.count ? old[index] : nil, index < new.count ? new[index] : nil,
                    path: "\(path)[\(index)]")
            }
        }
        let names = before.map(\.name) + after.map(\.name).filter { name in !before.contains { $0.name == name } }
        let texts = names.flatMap { name in
            leaves(
                before.first { $0.name == name }?.value, after.first { $0.name == name }?.value,
                path: "\(path)[\(name)]")
        }
        // Equal rules in another order are a change too: the first that fits wins.
        return texts.isEmpty ? [Problem.Text(zh: "\(path) 的顺序变了", en: "\(path) is in another order")] : texts
    }

    /// The elements with their names, if every one has such a key and no two share it.
    private static func named(_ elements: [JSON]) -> [(name: String, value: JSON)]? {
        for key in ["name", "id", "rule"] {
            let names = elements.compactMap { $0[key]?.string }
            if names.count == elements.count, Set(names).count == names.count {
                return Array(zip(names, elements).map { (name: $0, value: $1) })
            }
        }
        return nil
    }

    private static func short(_ value: JSON) -> String {
        let text = value.string ?? value.text
        return text.count <= 80 ? text : text.prefix(77) + "…"
    }

    private static func tables(_ old: Draft?, _ new: Draft) -> [ConfigurationChange] {
        func name(_ table: CodeTable) -> String { ConnectionFile.stem(table.file) }
        let names = Set((old?.tables ?? []).map(name)).union(new.tables.map(name)).sorted()
        return names.flatMap { name -> [ConfigurationChange] in
            func change(_ kind: ConfigurationChange.Kind, _ detail: Problem.Text) -> ConfigurationChange {
                ConfigurationChange(subject: .table, name: name, kind: kind, detail: detail)
            }
            switch (old?.table(name), new.table(name)) {
            case (_, nil): return [change(.removed, .none)]
            case (nil, let after?):
                return [change(.added, .init(zh: "\(after.rows.count) 行", en: "\(after.rows.count) rows"))]
            case (let before?, let after?): return rows(before, after).map { change(.changed, $0) }
            }
        }
    }

    /// Row by row: by the first column where it tells rows apart in both tables, else by whole rows.
    private static func rows(_ before: CodeTable, _ after: CodeTable) -> [Problem.Text] {
        var texts: [Problem.Text] = []
        if before.columns != after.columns {
            texts.append(
                .init(
                    zh: "列由 \(words(before.columns)) 改为 \(words(after.columns))",
                    en: "columns from \(words(before.columns)) to \(words(after.columns))"))
        }
        let isKeyed = [before, after].allSatisfy { table in Set(table.rows.map { $0[0] }).count == table.rows.count }
        func key(_ row: [String]) -> String { isKeyed ? row[0] : words(row) }
        func rest(_ row: [String]) -> String { isKeyed ? " → " + words(Array(row.dropFirst())) : "" }
        let left = Dictionary(before.rows.map { (key($0), $0) }, uniquingKeysWith: { first, _ in first })
        let right = Dictionary(after.rows.map { (key($0), $0) }, uniquingKeysWith: { first, _ in first })
        for row in after.rows {
            let new = key(row) + rest(row)
            if let was = left[key(row)] {
                guard was != row else { continue }
                texts.append(
                    .init(zh: "\(key(was) + rest(was)) 改为 \(new)", en: "\(key(was) + rest(was)) is now \(new)"))
            } else {
                texts.append(.init(zh: "新增行 \(new)", en: "row added: \(new)"))
            }
        }
        for row in before.rows where right[key(row)] == nil {
            texts.append(.init(zh: "删除行 \(key(row) + rest(row))", en: "row removed: \(key(row) + rest(row))"))
        }
        return texts
    }

    private static func words(_ cells: [String]) -> String { cells.joined(separator: ", ") }

    private static func libraries(_ old: [RevisionManifest.Library], _ new: [RevisionManifest.Library])
        -> [ConfigurationChange]
    {
        let ids = Set(old.map(\.id)).union(new.map(\.id)).sorted()
        return ids.compactMap { id -> ConfigurationChange? in
            let before = old.first { $0.id == id }
            let after = new.first { $0.id == id }
            func change(_ kind: ConfigurationChange.Kind, _ detail: String) -> ConfigurationChange {
                ConfigurationChange(subject: .connector, name: id, kind: kind, detail: .init(zh: detail, en: detail))
            }
            switch (before, after) {
            case (nil, let b?): return change(.added, b.version)
            case (let a?, nil): return change(.removed, a.version)
            case (let a?, let b?) where a.sha256 != b.sha256:
                let same = a.version == b.version
                return change(
                    .changed,
                    same ? "\(a.version) \(a.sha256.prefix(8)) → \(b.sha256.prefix(8))" : "\(a.version) → \(b.version)")
            default: return nil
            }
        }
    }
}

extension Problem.Text {
    static let none = Problem.Text(zh: "", en: "")
}
