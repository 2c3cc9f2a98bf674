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
            let type = Text.of(component["componentType"])
            if type == "DDBizSuite" || type == "BizSuite" || type == "FormRelateField" {
                // A suite's own components stand inside it; the mapping finds them by alias, id or label.
                let inside = Self.parsed(component["value"])?.array ?? component["children"]?.array ?? []
                fields += try self.fields(inside, &attachments, depth: depth + 1)
                continue
            }
            fields.append(try field(component, type, &attachments, depth))
        }
        return fields
    }

    private func field(_ component: JSON, _ type: String, _ attachments: inout [JSON], _ depth: Int) throws(Failure)
        -> JSON
    {
        let id = Text.filled(component["id"]) ?? Text.filled(component["key"]) ?? ""
        let label = Text.filled(component["name"]) ?? Text.filled(component["label"]) ?? ""
        var field: JSONObject = [
            "id": .string(id.isEmpty ? label : id),
            "alias": Text.filled(component["bizAlias"]).map { .string($0) } ?? .null,
            "label": .string(label), "kind": .string(Self.kind(type, id)),
        ]
        let kind = Self.kind(type, id)
        let value = Text.filled(component["value"])
        switch kind {
        case "table":
            field["rows"] = .array(try rows(component["value"], &attachments, depth))
            return .object(field)
        case "attachment":
            let files = Self.parsed(component["value"])?.array ?? []
            for file in files { attachments.append(Self.attachment(file)) }
            field["value"] =
                files.isEmpty ? .null : .string(files.map { Text.of($0["fileName"]) }.joined(separator: ", "))
        case "money", "number": field["value"] = value.map { .string(Self.number($0)) } ?? .null
        case "date": field["value"] = value.map { .string(day($0)) } ?? .null
        case "date-range":
            let range = Self.parsed(component["value"])?.array ?? []
            field["label"] = .string(Self.rangeLabel(label))
            field["value"] =
                range.count < 2
                ? .null : .object(["from": .string(day(Text.of(range[0]))), "to": .string(day(Text.of(range[1])))])
        case "person", "department":
            field["value"] = value.map { .string($0) } ?? .null
            field["ids"] = .array(Self.ids(component["extValue"] ?? component["extendValue"]))
        case "multi-select":
            if let list = Self.parsed(component["value"])?.array {
                field["value"] = .array(list.map { .string(Text.of($0)) })
            } else {
                field["value"] = value.map { .array([.string($0)]) } ?? .null
            }
        default: field["value"] = value.map { .string($0) } ?? .null
        }
        return .object(field)
    }

    /// Read: `[{"rowValue":[…],"rowNumber":…}]`; as started: `[[{"name","value"}]]`. Both occur.
    private func rows(_ value: JSON?, _ attachments: inout [JSON], _ depth: Int) throws(Failure) -> [JSON] {
        guard Text.filled(value) != nil || value?.array != nil else { return [] }
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

    /// By the component's type; cells of a table have none, there the id begins with it ("MoneyField-R1").
    private static func kind(_ type: String, _ id: String) -> String {
        let name = type.isEmpty ? String(id.prefix { $0 != "-" && $0 != "_" }) : type
        return switch name {
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

    private static func ids(_ value: JSON?) -> [JSON] {
        let list = parsed(value)
        let entries = list?.array ?? [list].compactMap { $0 }
        return entries.compactMap { entry in
            Text.filled(entry["emplId"] ?? entry["id"]).map { .string($0) }
        }
    }

    private static func attachment(_ file: JSON) -> JSON {
        var attachment: JSONObject = [
            "id": .string(Text.of(file["fileId"])), "name": .string(Text.of(file["fileName"])),
        ]
        if let size = Text.integer(file["fileSize"]), size >= 0 { attachment["size"] = .number(JSONNumber(size)) }
        return .object(attachment)
    }
}
