import PluginKit
import Values

/// Form components of an approval as fields: id, alias, label, kind, value or rows.
///
/// Every component's value is a string; structured ones are JSON inside it [DOC].
struct Components {
    let zone: TimeZoneRule

    func fields(_ components: [JSON], _ attachments: inout [JSON], depth: Int = 0) throws(Failure) -> [JSON] {
        guard depth < Limits.nesting else {
            throw Failure(.schemaDrift, zh: "表单控件嵌套过深", en: "form components are nested too deep")
        }
        var fields: [JSON] = []
        for component in components {
            let type = Self.type(component)
            // A suite's own components stand inside it; the mapping finds them by alias, id or label.
            if Self.suites.contains(type),
                let inside = Self.parsed(component["value"])?.array ?? component["children"]?.array
            {
                fields += try self.fields(inside, &attachments, depth: depth + 1)
            } else {
                fields.append(try field(component, type, &attachments, depth))
            }
        }
        return fields
    }

    private static let suites: Set<String> = ["DDBizSuite", "BizSuite", "FormRelateField"]

    private func field(_ component: JSON, _ type: String, _ attachments: inout [JSON], _ depth: Int) throws(Failure)
        -> JSON
    {
        let kind = Self.kind(type)
        let name = Text.filled(component["name"]) ?? Text.filled(component["label"]) ?? ""
        let label = kind == "date-range" ? Self.rangeLabel(name) : name
        let id = Text.filled(component["id"]) ?? Text.filled(component["key"])
        var field: JSONObject = [
            "id": .string(id ?? [label, type].first { !$0.isEmpty } ?? "unnamed"),
            "alias": Text.filled(component["bizAlias"]).map { .string($0) } ?? .null,
            "label": .string(label), "kind": .string(kind),
        ]
        if kind == "table" {
            field["rows"] = .array(try rows(component["value"], &attachments, depth))
            return .object(field)
        }
        let value = Self.filled(component["value"])
        field["value"] = value.map { .string($0) } ?? .null
        switch kind {
        case "attachment":
            guard let files = Self.parsed(component["value"])?.array else { break }
            let found = files.compactMap(Self.attachment)
            attachments += found
            let names = found.map { Text.of($0["name"]) }
            field["value"] = names.isEmpty ? .null : .string(names.joined(separator: ", "))
        case "money", "number": field["value"] = value.map { .string(Self.number($0)) } ?? .null
        case "date": field["value"] = value.map { .string(day($0)) } ?? .null
        case "date-range":
            guard let range = Self.parsed(component["value"])?.array else { break }
            func end(_ index: Int) -> JSON {
                let text = range.indices.contains(index) ? Text.filled(range[index]) : nil
                return text.map { .string(day($0)) } ?? .null
            }
            field["value"] = end(0).isNull && end(1).isNull ? .null : ["from": end(0), "to": end(1)]
        case "person", "department", "relation":
            let ids = Self.ids(component)
            if !ids.isEmpty { field["extra"] = ["ids": .array(ids)] }
        case "multi-select":
            if let list = Self.parsed(component["value"])?.array {
                field["value"] = list.isEmpty ? .null : .array(list.map { .string(Text.of($0)) })
            } else {
                field["value"] = value.map { .array([.string($0)]) } ?? .null
            }
        default: break
        }
        return .object(field)
    }

    /// Read: `[{"rowValue":[…],"rowNumber":…}]`; as started: `[[{"name","value"}]]`. Both occur.
    private func rows(_ value: JSON?, _ attachments: inout [JSON], _ depth: Int) throws(Failure) -> [JSON] {
        guard Self.filled(value) != nil else { return [] }
        guard let list = Self.parsed(value)?.array else {
            throw Failure(.schemaDrift, zh: "明细不是行的列表", en: "a table's value is no list of rows")
        }
        var rows: [JSON] = []
        for row in list {
            guard let cells = row["rowValue"]?.array ?? row.array else {
                throw Failure(.schemaDrift, zh: "明细的一行没有 rowValue", en: "a table's row has no rowValue")
            }
            rows.append(["fields": .array(try fields(cells, &attachments, depth: depth + 1))])
        }
        return rows
    }

    /// JSON in a string, or JSON already.
    private static func parsed(_ value: JSON?) -> JSON? {
        switch value {
        case .string(let text)?: try? JSON.parse(text)
        case .array?, .object?: value
        default: nil
        }
    }

    /// The text of a component that holds anything; what is structured already keeps its JSON.
    private static func filled(_ value: JSON?) -> String? {
        switch value {
        case .array(let list)?: list.isEmpty ? nil : value?.text
        case .object?: value?.text
        default: Text.filled(value)
        }
    }

    /// The component's type; cells of a table have none, there the id begins with it ("MoneyField-R1").
    private static func type(_ component: JSON) -> String {
        if let type = Text.filled(component["componentType"]) { return type }
        let id = Text.filled(component["id"]) ?? Text.filled(component["key"]) ?? ""
        return String(id.prefix { $0 != "-" && $0 != "_" })
    }

    private static func kind(_ type: String) -> String {
        switch type {
        case "TextField", "TextareaField", "TextNote", "IdCardField", "PhoneField": "text"
        case "MoneyField": "money"
        case "NumberField", "CalculateField": "number"
        case "DDDateField": "date"
        case "DDDateRangeField": "date-range"
        case "DDSelectField", "RadioField": "select"
        case "DDMultiSelectField": "multi-select"
        case "InnerContactField": "person"
        case "DepartmentField": "department"
        case "DDAttachment", "DDPhotoField": "attachment"
        case "RelateField": "relation"
        case "TableField": "table"
        default: "other"
        }
    }

    /// Decimal text; old templates send thousands separators [INF], full width too.
    private static func number(_ text: String) -> String {
        var plain = ""
        for character in text {
            if character == "," || character == "，" || character == " " { continue }
            plain.append(character)
        }
        return plain
    }

    /// A date component gives "2026-01-03", with a time where the form asks for one.
    private func day(_ text: String) -> String {
        if let milliseconds = Int64(text), milliseconds > 10_000_000_000,
            let date = zone.date(at: Instant(ms: milliseconds))
        {
            return date.text
        }
        return text
    }

    private static func rangeLabel(_ label: String) -> String {
        guard let names = try? JSON.parse(label), let list = names.array else { return label }
        return list.map { Text.of($0) }.joined(separator: "/")
    }

    /// Who or what is meant, from the second value: a list, one object, or a list inside an object.
    private static func ids(_ component: JSON) -> [JSON] {
        let second = parsed(component["extValue"]) ?? parsed(component["extendValue"])
        let entries = second?.array ?? second?["list"]?.array ?? [second].compactMap { $0 }
        return entries.compactMap { entry in
            let names = ["emplId", "procInstId", "processInstanceId", "id"]
            let id = names.lazy.compactMap { Text.filled(entry[$0]) }.first ?? Text.filled(entry)
            return id.map { .string($0) }
        }
    }

    /// A file by its id; a photo is no more than its address.
    private static func attachment(_ file: JSON) -> JSON? {
        if let url = Text.filled(file) {
            let name = url.split(separator: "?").first?.split(separator: "/").last.map(String.init)
            return ["id": .string(url), "name": .string(name ?? url)]
        }
        guard let id = Text.filled(file["fileId"]) else { return nil }
        var attachment: JSONObject = ["id": .string(id), "name": .string(Text.filled(file["fileName"]) ?? id)]
        if let size = Text.integer(file["fileSize"]), size >= 0 { attachment["size"] = .number(JSONNumber(size)) }
        return .object(attachment)
    }
}
