import PluginKit
import Values

extension Client {
    /// One page of ExecuteBillQuery: rows of cells in the order of `fields`.
    func query(
        form: String, fields: [String], filter: String, order: String = "", start: Int = 0,
        limit: Int = Limits.queryRows, _ call: Call
    ) throws(Failure) -> [[JSON]] {
        let data: JSON = [
            "FormId": .string(form), "FieldKeys": .string(fields.joined(separator: ",")),
            "FilterString": .string(filter), "OrderString": .string(order), "TopRowCount": 0,
            "StartRow": .number(JSONNumber(Int64(start))), "Limit": .number(JSONNumber(Int64(limit))),
        ]
        let answer = try operate("ExecuteBillQuery", form: nil, data, .read, call)
        guard let rows = answer.array else { throw Self.drift }
        var result: [[JSON]] = []
        for row in rows {
            guard let cells = row.array, cells.count == fields.count else { throw Self.drift }
            result.append(cells)
        }
        return result
    }

    private static let drift = Failure(
        .schemaDrift, zh: "查询的应答不是与所问字段对应的行", en: "a query's answer is not rows of the fields asked for")

    /// A text as a literal of the query language, which goes into SQL: quotes are doubled.
    static func literal(_ text: String) -> String {
        var quoted = "'"
        for character in text.unicodeScalars {
            if character == "'" { quoted += "'" }
            quoted.unicodeScalars.append(character)
        }
        return quoted + "'"
    }

    /// A cell as text; the vendor's empty text is one space.
    static func cell(_ value: JSON) -> String {
        var text = Substring(AnswerReader.text(value))
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
