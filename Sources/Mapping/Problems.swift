import Values

/// Everything a compilation or a table found wrong, so that one look is enough to correct all of it.
public struct MappingProblems: Error, Sendable, Hashable {
    /// The problems in the order of the file, at least one.
    public let problems: [Problem]
}

extension MappingProblems: CustomStringConvertible {
    /// One line per problem.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// What is wrong with a mapping file or a filter, with the place in it.
extension Problem {
    private static func mapping(
        _ code: String, _ at: String, zh: String, en: String,
        nextZH: String = "请修改映射文件中的这一处；语法见 docs/mapping.md。",
        nextEN: String = "Correct this place of the mapping; docs/mapping.md has the language."
    ) -> Problem {
        let place = at.isEmpty ? "." : at
        return Problem(code, zh: "映射 \(place)：\(zh)", en: "Mapping \(place): \(en)", nextZH: nextZH, nextEN: nextEN)
    }

    static func unknownKey(_ at: String, _ key: String, allowed: [String]) -> Problem {
        let list = allowed.sorted().joined(separator: ", ")
        return mapping("E-MAP-101", at, zh: "不认识“\(key)”，可用：\(list)。", en: "unknown \"\(key)\"; known: \(list).")
    }
    static func wrongShape(_ at: String, zh: String, en: String) -> Problem {
        mapping("E-MAP-102", at, zh: "应为：\(zh)。", en: "expected \(en).")
    }
    static func badPath(_ at: String, _ path: String) -> Problem {
        mapping(
            "E-MAP-103", at, zh: "路径“\(path)”写法不对。", en: "the path \"\(path)\" is not well formed.",
            nextZH: "例：applicant.department.id、fields[总金额]、lines[0]、row.fields[金额]。",
            nextEN: "Examples: applicant.department.id, fields[总金额], lines[0], row.fields[金额].")
    }
    static func noSuchSource(_ at: String, _ path: String, _ step: String, known: [String]) -> Problem {
        let list = known.joined(separator: ", ")
        return mapping(
            "E-MAP-104", at, zh: "源单据没有“\(path)”：“\(step)”处只有 \(list.isEmpty ? "单个值" : list)。",
            en:
                "the source document has no \"\(path)\": at \"\(step)\" there is only \(list.isEmpty ? "one value" : list)."
        )
    }
    static func noSuchTarget(_ at: String, _ key: String, known: [String]) -> Problem {
        let list = known.joined(separator: ", ")
        return mapping(
            "E-MAP-105", at, zh: "目标单据没有字段“\(key)”，可用：\(list)。",
            en: "the target document has no field \"\(key)\"; known: \(list).")
    }
    static func requiredTarget(_ at: String, _ key: String) -> Problem {
        mapping(
            "E-MAP-106", at, zh: "缺少目标单据必填的“\(key)”，或它被写成可省略的。",
            en: "the target document requires \"\(key)\": it is not mapped, or is marked optional.")
    }
    static func unknownTable(_ at: String, _ name: String, known: [String]) -> Problem {
        let list = known.isEmpty ? "–" : known.sorted().joined(separator: ", ")
        return mapping(
            "E-MAP-107", at, zh: "没有对照表“\(name)”，现有：\(list)。",
            en: "there is no code table \"\(name)\"; there are: \(list).",
            nextZH: "请把 tables/\(name).csv 放进工作区，或改用现有的表。",
            nextEN: "Put tables/\(name).csv into the workspace, or use one that is there.")
    }
    static func unknownColumn(_ at: String, _ column: String, file: String, known: [String]) -> Problem {
        let list = known.joined(separator: ", ")
        return mapping(
            "E-MAP-108", at, zh: "对照表 \(file) 没有列“\(column)”，现有：\(list)。",
            en: "the code table \(file) has no column \"\(column)\"; it has: \(list).")
    }
    static func duplicateRows(_ at: String, file: String, columns: [String], key: String, lines: [Int]) -> Problem {
        let rows = lines.map(String.init).joined(separator: ", ")
        let names = columns.joined(separator: " + ")
        return mapping(
            "E-MAP-109", at, zh: "对照表 \(file) 第 \(rows) 行的“\(names)”重复：“\(key)”。",
            en: "the code table \(file) has the key \"\(key)\" of \(names) in lines \(rows).",
            nextZH: "请在 \(file) 中只留一行。", nextEN: "Keep one of the lines in \(file).")
    }
    static func constantDoesNotFit(_ at: String, _ value: String, zh: String, en: String) -> Problem {
        mapping(
            "E-MAP-110", at, zh: "常量“\(value)”不能放在这里：\(zh)", en: "the constant \"\(value)\" does not fit here: \(en)")
    }
    static func kindDoesNotFit(_ at: String, given: String, wanted: String) -> Problem {
        mapping(
            "E-MAP-111", at, zh: "这里需要 \(wanted)，给出的是 \(given)。",
            en: "this place needs \(wanted), the expression gives \(given).")
    }
    static func outOfScope(_ at: String, _ root: String) -> Problem {
        mapping(
            "E-MAP-112", at, zh: "“\(root).”只能用在 \(root == "row" ? "each 之内" : "有 split 的映射中")。",
            en: "\"\(root).\" only means something \(root == "row" ? "inside an each" : "in a mapping with a split").")
    }
    static func tooDeep(_ at: String) -> Problem {
        mapping("E-MAP-113", at, zh: "嵌套过深。", en: "nested too deep.")
    }
    static func otherDocument(_ at: String, given: String, expected: String) -> Problem {
        mapping(
            "E-MAP-114", at, zh: "映射写的是“\(given)”，流程中是“\(expected)”。",
            en: "the mapping says \"\(given)\", the flow says \"\(expected)\".")
    }
    static func notScalar(_ at: String, _ path: String) -> Problem {
        mapping(
            "E-MAP-115", at, zh: "“\(path)”不是单个值。", en: "\"\(path)\" is not a single value.",
            nextZH: "列表请用 each、join 或 count，对象请写到其中的字段。",
            nextEN: "Use each, join or count for a list; name a part of an object.")
    }
    static func notList(_ at: String, _ path: String) -> Problem {
        mapping("E-MAP-116", at, zh: "“\(path)”不是列表。", en: "\"\(path)\" is not a list.")
    }
    static func badNumber(_ at: String, _ value: String) -> Problem {
        mapping("E-MAP-117", at, zh: "“\(value)”不是数字。", en: "\"\(value)\" is not a number.")
    }
    static func inMapping(_ at: String, _ problem: Problem) -> Problem {
        mapping(
            problem.code, at, zh: problem.what.zh, en: problem.what.en, nextZH: problem.next.zh,
            nextEN: problem.next.en)
    }
}

/// What is wrong with a code table, with file and line.
extension Problem {
    private static func table(
        _ code: String, _ file: String, _ line: Int?, zh: String, en: String,
        nextZH: String = "请改正后再导入。", nextEN: String = "Correct the file and import it again."
    ) -> Problem {
        Problem(
            code, zh: "对照表 \(file)\(line.map { " 第 \($0) 行" } ?? "")：\(zh)",
            en: "Code table \(file)\(line.map { " line \($0)" } ?? ""): \(en)", nextZH: nextZH, nextEN: nextEN)
    }

    static func tableTooLarge(_ file: String, zh: String, en: String) -> Problem {
        table("E-TABLE-001", file, nil, zh: "太大：\(zh)。", en: "too large: \(en).")
    }
    static func tableEncoding(_ file: String, zh: String, en: String) -> Problem {
        table(
            "E-TABLE-002", file, nil, zh: zh, en: en, nextZH: "请在电子表格软件中另存为“CSV UTF-8（逗号分隔）”。",
            nextEN: "Save it from the spreadsheet as \"CSV UTF-8 (comma delimited)\".")
    }
    static func tableEmpty(_ file: String) -> Problem {
        table("E-TABLE-003", file, nil, zh: "没有标题行。", en: "there is no header row.")
    }
    static func tableSeparator(_ file: String, zh: String, en: String) -> Problem {
        table(
            "E-TABLE-004", file, 1, zh: "看起来以\(zh)分隔，需要逗号。", en: "looks separated by \(en); commas are needed.",
            nextZH: "请在电子表格软件中另存为“CSV UTF-8（逗号分隔）”。",
            nextEN: "Save it from the spreadsheet as \"CSV UTF-8 (comma delimited)\".")
    }
    static func tableHeader(_ file: String, zh: String, en: String) -> Problem {
        table("E-TABLE-005", file, 1, zh: zh, en: en)
    }
    static func tableRagged(_ file: String, _ line: Int, cells: Int, columns: Int) -> Problem {
        table(
            "E-TABLE-006", file, line, zh: "有 \(cells) 格，标题行有 \(columns) 列。",
            en: "\(cells) cells, but the header has \(columns) columns.")
    }
    static func tableQuote(_ file: String, _ line: Int, zh: String, en: String) -> Problem {
        table("E-TABLE-007", file, line, zh: zh, en: en)
    }
    static func tableCell(_ file: String, _ line: Int) -> Problem {
        table(
            "E-TABLE-008", file, line, zh: "有一格超过 \(Limits.cellBytes) 字节。",
            en: "a cell has more than \(Limits.cellBytes) bytes.")
    }
    static func tableScientific(_ file: String, _ line: Int, column: String, cell: String) -> Problem {
        table(
            "E-TABLE-009", file, line, zh: "列“\(column)”的编码被电子表格改成了科学计数“\(cell)”。",
            en: "the spreadsheet turned the code in \"\(column)\" into \"\(cell)\".",
            nextZH: "请把该列设为“文本”格式，重新填写编码后再导出。",
            nextEN: "Format the column as text, enter the code again and export once more.")
    }
}
