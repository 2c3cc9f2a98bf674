import Values

/// `tables/<name>.csv`: a code table that finance people keep in a spreadsheet.
///
/// RFC 4180 with comma, UTF-8 with or without byte order mark, LF or CRLF. The first row names the columns; the first
/// column is the key and does not repeat. Empty lines are skipped. Values are text exactly as they stand: `0501` stays `0501`.
struct TableFile: Sendable, Hashable {
    /// One row.
    struct Row: Sendable, Hashable {
        /// Line in the file, counted from 1.
        let line: Int
        /// As many as there are columns.
        let values: [String]
    }

    let name: String
    let file: String
    let columns: [String]
    let rows: [Row]

    /// - Throws: the first problem, with its line.
    init(_ bytes: [UInt8], file: String) throws(ConfigurationProblem) {
        self.file = file
        name = ConnectionFile.stem(file)
        guard bytes.count <= ConfigurationLimits.tableBytes else {
            throw ConfigurationProblem(file, 0, .fileTooLarge(bytes.count, limit: ConfigurationLimits.tableBytes))
        }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let content = bytes.starts(with: mark) ? bytes.dropFirst(3) : bytes[...]
        guard String(validating: content, as: UTF8.self) != nil else { throw ConfigurationProblem(file, 0, .notUTF8) }
        var records = try Self.records(content, file: file)
        guard !records.isEmpty else { throw ConfigurationProblem(file, 0, .emptyFile) }
        let header = records.removeFirst()
        for (index, column) in header.values.enumerated()
        where column.isEmpty || header.values[..<index].contains(column) {
            let reason = Problem.Text(
                zh: column.isEmpty ? "第 \(index + 1) 列没有列名" : "列名 \(column) 重复",
                en: column.isEmpty ? "column \(index + 1) has no name" : "the column \(column) stands twice")
            throw ConfigurationProblem(file, header.line, .badTable(reason))
        }
        var keys: Set<String> = []
        for record in records {
            guard record.values.count == header.values.count else {
                let reason = Problem.Text(
                    zh: "此行 \(record.values.count) 列,表头 \(header.values.count) 列",
                    en: "\(record.values.count) values under \(header.values.count) columns")
                throw ConfigurationProblem(file, record.line, .badTable(reason))
            }
            guard !record.values[0].isEmpty else {
                let reason = Problem.Text(zh: "此行的\(header.values[0])为空", en: "\(header.values[0]) is empty here")
                throw ConfigurationProblem(file, record.line, .badTable(reason))
            }
            guard keys.insert(record.values[0]).inserted else {
                let reason = Problem.Text(zh: "\(record.values[0]) 重复", en: "\(record.values[0]) stands twice")
                throw ConfigurationProblem(file, record.line, .badTable(reason))
            }
        }
        columns = header.values
        rows = records
    }

    private static func records(_ bytes: ArraySlice<UInt8>, file: String) throws(ConfigurationProblem) -> [Row] {
        var records: [Row] = []
        var values: [String] = []
        var field: [UInt8] = []
        var line = 1
        var recordLine = 1
        var quoted = false
        var wasQuoted = false
        var index = bytes.startIndex

        func endField() {
            values.append(String(decoding: field, as: UTF8.self))
            field = []
            wasQuoted = false
        }
        func endRecord() {
            let isEmptyLine = values.isEmpty && field.isEmpty && !wasQuoted
            if !isEmptyLine {
                endField()
                if !values.allSatisfy(\.isEmpty) { records.append(Row(line: recordLine, values: values)) }
            }
            values = []
            recordLine = line
        }
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            if quoted {
                if byte == UInt8(ascii: "\"") {
                    if index < bytes.endIndex, bytes[index] == byte {
                        field.append(byte)
                        index += 1
                    } else {
                        quoted = false
                        wasQuoted = true
                    }
                } else {
                    if byte == 10 { line += 1 }
                    field.append(byte)
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\"") where field.isEmpty && !wasQuoted: quoted = true
            case UInt8(ascii: ","): endField()
            case 13 where index < bytes.endIndex && bytes[index] == 10: break
            case 10:
                line += 1
                endRecord()
            default:
                guard !wasQuoted, byte != UInt8(ascii: "\"") else {
                    let reason = Problem.Text(zh: "引号位置不对", en: "a quote stands where none may")
                    throw ConfigurationProblem(file, line, .badTable(reason))
                }
                field.append(byte)
            }
        }
        guard !quoted else {
            let reason = Problem.Text(zh: "引号没有结束", en: "a quote is not closed")
            throw ConfigurationProblem(file, recordLine, .badTable(reason))
        }
        endRecord()
        return records
    }
}
