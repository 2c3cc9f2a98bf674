import Values

/// Why one value of one document could not be mapped, and what to correct. The document is held with it.
public struct MappingFailure: Error, Sendable, Hashable {
    /// `E-MAP-0NN`, or `E-DOC-0NN` for what the target document's own rules find wrong; docs/mapping.md lists them.
    public let code: String
    /// Where in the target document, as a JSON pointer; empty when it is not about one place of it.
    public internal(set) var target: String
    /// The path of the source value, rows counted from 0, e.g. `fields[费用明细][1].fields[费用类型]`; nil when there
    /// is no single one.
    public let source: String?
    /// The source value seen, shortened; nil when there was none.
    public let seen: String?
    /// The table file to correct; nil when the failure is not about a table.
    public let table: String?
    /// What is wrong.
    public let what: Problem.Text
    /// What to do.
    public let next: Problem.Text

    /// The failure as the one error of the house.
    public var problem: Problem {
        Problem(code, zh: what.zh, en: what.en, nextZH: next.zh, nextEN: next.en)
    }
}

extension MappingFailure: CustomStringConvertible {
    /// One line: code, Chinese, English.
    public var description: String { problem.description }
}

/// What went wrong while a value was made.
enum Fault: Sendable {
    case missingCode(file: String, columns: [String], column: String)
    case emptyCode(file: String, line: Int, column: String)
    case emptyValue
    case noSuchField
    case notNumber
    case notDate
    case notText
    case noCase
    case arithmetic(Problem)
    case tooLong
    case tooManyLines
    case notInteger
    case notList
    case tooManyParts
}

extension MappingFailure {
    /// A failure with its words. `source` and `seen` may be missing.
    init(_ fault: Fault, source: String?, seen value: JSON?) {
        let seen = value.map(shortened)
        let place = source ?? "–"
        let shown = seen ?? ""
        var table: String?
        let code: String
        let what: Problem.Text
        let next: Problem.Text
        let correctSource = Problem.Text(
            zh: "请在源系统中改正该单据，或调整映射。", en: "Correct the document in its source system, or change the mapping.")
        switch fault {
        case .missingCode(let file, let columns, let column):
            code = "E-MAP-001"
            table = file
            let names = columns.joined(separator: " + ")
            what = .init(
                zh: "\(place) 的值“\(shown)”在对照表 \(file)（\(names)）中没有对应的“\(column)”。",
                en: "\"\(shown)\" of \(place) has no \"\(column)\" in the code table \(file) (\(names)).")
            next = .init(
                zh: "请在 \(file) 中补上“\(shown)”一行，然后重试该单据。",
                en: "Add a row for \"\(shown)\" to \(file), then retry the document.")
        case .emptyCode(let file, let line, let column):
            code = "E-MAP-002"
            table = file
            what = .init(
                zh: "对照表 \(file) 第 \(line) 行的“\(column)”没有填写（\(place) 的值为“\(shown)”）。",
                en: "line \(line) of the code table \(file) has no \"\(column)\" (\(place) is \"\(shown)\").")
            next = .init(
                zh: "请填写 \(file) 第 \(line) 行，然后重试该单据。", en: "Fill in line \(line) of \(file), then retry the document.")
        case .emptyValue:
            code = "E-MAP-003"
            what = .init(zh: "\(place) 没有填写，但凭它生成的字段是必需的。", en: "\(place) is empty, but what is made of it is needed.")
            next = correctSource
        case .noSuchField:
            code = "E-MAP-004"
            what = .init(zh: "单据中没有 \(place)。", en: "the document has no \(place).")
            next = .init(
                zh: "表单模板可能已修改：请核对字段名称，再调整映射。",
                en: "The form's template may have changed: compare the field's name, then adjust the mapping.")
        case .notNumber:
            code = "E-MAP-005"
            what = .init(zh: "\(place) 的值“\(shown)”不是数字。", en: "\"\(shown)\" of \(place) is not a number.")
            next = correctSource
        case .notDate:
            code = "E-MAP-006"
            what = .init(zh: "\(place) 的值“\(shown)”不是日期。", en: "\"\(shown)\" of \(place) is not a date.")
            next = correctSource
        case .notText:
            code = "E-MAP-007"
            what = .init(zh: "\(place) 不是单个值：“\(shown)”。", en: "\(place) is not a single value: \"\(shown)\".")
            next = .init(zh: "请在映射中写到具体字段，或使用 join。", en: "Name a part of it in the mapping, or use join.")
        case .noCase:
            code = "E-MAP-008"
            what = .init(zh: "\(place) 的值“\(shown)”没有对应的分支。", en: "no case applies to \"\(shown)\" of \(place).")
            next = .init(zh: "请在映射中补上该分支或 else。", en: "Add the case, or an else, to the mapping.")
        case .arithmetic(let problem):
            code = "E-MAP-009"
            what = .init(zh: "\(place)：\(problem.what.zh)", en: "\(place): \(problem.what.en)")
            next = problem.next
        case .tooLong:
            code = "E-MAP-010"
            what = .init(
                zh: "\(place) 生成的文本超过 \(Limits.textBytes) 字节。",
                en: "the text made of \(place) has more than \(Limits.textBytes) bytes.")
            next = .init(zh: "请在映射中用 substring 截短。", en: "Shorten it with substring in the mapping.")
        case .tooManyLines:
            code = "E-MAP-011"
            what = .init(zh: "生成的行超过 \(Limits.lines) 行。", en: "more than \(Limits.lines) lines come out.")
            next = correctSource
        case .notInteger:
            code = "E-MAP-012"
            what = .init(zh: "\(place) 的值“\(shown)”不是整数。", en: "\"\(shown)\" of \(place) is not a whole number.")
            next = correctSource
        case .notList:
            code = "E-MAP-013"
            what = .init(zh: "\(place) 不是列表：“\(shown)”。", en: "\(place) is not a list: \"\(shown)\".")
            next = .init(zh: "请核对映射中的 each 路径。", en: "Compare the path of each in the mapping.")
        case .tooManyParts:
            code = "E-MAP-014"
            what = .init(zh: "拆分超过 \(Limits.parts) 份。", en: "more than \(Limits.parts) parts come out.")
            next = correctSource
        }
        self.init(code: code, target: "", source: source, seen: seen, table: table, what: what, next: next)
    }
}

/// A value as a person recognizes it.
private func shortened(_ value: JSON) -> String {
    let text =
        switch value {
        case .string(let text): text
        case .array(let elements): "[…] × \(elements.count)"
        case .object(let object): "{…} × \(object.count)"
        default: value.text
        }
    return text.count > Limits.seenCharacters ? text.prefix(Limits.seenCharacters) + "…" : text
}
