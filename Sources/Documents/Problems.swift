import Values

extension Problem {
    private static func schema(_ code: String, _ pointer: String, zh: String, en: String) -> Problem {
        Problem(
            code, zh: "文档模式 \(pointer.isEmpty ? "/" : pointer)：\(zh)",
            en: "Document schema \(pointer.isEmpty ? "/" : pointer): \(en)",
            nextZH: "请修改该文档类型的模式文件；可用的关键字见 docs/documents.md。",
            nextEN: "Correct the schema of this document type; docs/documents.md lists the keywords.")
    }

    static func unknownDocument(_ name: String, known: [String]) -> Problem {
        Problem(
            "E-DOC-101", zh: "没有名为“\(name)”的业务文档。", en: "There is no business document named \"\(name)\".",
            nextZH: "可用：\(known.joined(separator: "、"))。", nextEN: "Known: \(known.joined(separator: ", ")).")
    }
    static func unknownKeyword(_ pointer: String, _ keyword: String) -> Problem {
        schema("E-SCHEMA-001", pointer, zh: "不支持的关键字“\(keyword)”。", en: "unsupported keyword \"\(keyword)\".")
    }
    static func keywordValue(_ pointer: String, zh: String, en: String) -> Problem {
        schema("E-SCHEMA-002", pointer, zh: "值不正确，应为\(zh)。", en: "wrong value, expected \(en).")
    }
    static func badReference(_ pointer: String, _ reference: String) -> Problem {
        schema(
            "E-SCHEMA-003", pointer, zh: "引用“\(reference)”无效，只支持 #/$defs/名称。",
            en: "reference \"\(reference)\" leads nowhere; only #/$defs/NAME is supported.")
    }
    static func unknownFormat(_ pointer: String, _ format: String) -> Problem {
        schema("E-SCHEMA-004", pointer, zh: "不支持的格式“\(format)”。", en: "unsupported format \"\(format)\".")
    }
    static func unknownRule(_ pointer: String, _ rule: String) -> Problem {
        schema("E-SCHEMA-005", pointer, zh: "不支持的跨字段规则“\(rule)”。", en: "unsupported cross-field rule \"\(rule)\".")
    }
    static func referenceCircle(_ pointer: String) -> Problem {
        schema("E-SCHEMA-006", pointer, zh: "引用形成循环。", en: "references run in a circle.")
    }
    static func schemaTooDeep(_ pointer: String) -> Problem {
        schema("E-SCHEMA-007", pointer, zh: "嵌套过深。", en: "nested too deep.")
    }
}
