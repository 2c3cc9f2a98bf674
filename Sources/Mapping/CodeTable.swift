import Glibc
import Values

/// A code table as finance people keep it in a spreadsheet: a header row, then rows of codes.
///
/// Every cell is a text without spaces around it. Rows that are wholly empty are left out. The line of each row is
/// kept, so that a problem can name it.
public struct CodeTable: Sendable, Hashable {
    /// The file it came from, as a person finds it, e.g. `tables/expense-accounts.csv`.
    public let file: String
    /// The columns' names from the header row: none empty, none twice.
    public let columns: [String]
    /// The rows, each with as many cells as there are columns.
    public let rows: [[String]]
    /// The line of the file each row begins in, from 1.
    public let lines: [Int]

    /// Reads a CSV file (RFC 4180, comma, any line end). The encoding is UTF-8 where the bytes are valid UTF-8 (with
    /// or without a byte order mark), else GB18030. Throws every problem found, `E-TABLE-0NN` with file and line.
    public init(file: String, csv bytes: [UInt8]) throws(MappingProblems) {
        self.file = file
        let text = try decode(bytes, file: file)
        var reader = CSVReader(bytes: text, file: file)
        var problems: [Problem] = []
        var records = reader.records(&problems)
        guard problems.isEmpty else { throw MappingProblems(problems: problems) }
        guard !records.isEmpty else { throw MappingProblems(problems: [.tableEmpty(file)]) }
        let header = records.removeFirst()
        columns = header.cells
        try Self.checkHeader(header.cells, file: file)
        for record in records {
            guard problems.count < Limits.problems else { break }
            guard record.cells.count == columns.count else {
                problems.append(
                    .tableRagged(file, record.line, cells: record.cells.count, columns: header.cells.count))
                continue
            }
            for (column, cell) in zip(header.cells, record.cells) where isScientific(cell) {
                problems.append(.tableScientific(file, record.line, column: column, cell: cell))
            }
        }
        guard problems.isEmpty else { throw MappingProblems(problems: problems) }
        rows = records.map(\.cells)
        lines = records.map(\.line)
    }

    private static func checkHeader(_ header: [String], file: String) throws(MappingProblems) {
        if header.count == 1 {
            for (separator, zh, en) in [
                ("\t", "制表符", "tabs"), (";", "分号", "semicolons"), ("，", "全角逗号", "full-width commas"),
            ] where header[0].contains(separator) {
                throw MappingProblems(problems: [.tableSeparator(file, zh: zh, en: en)])
            }
            throw MappingProblems(problems: [
                .tableHeader(file, zh: "只有一列，对照表至少两列。", en: "there is one column; a code table has two or more.")
            ])
        }
        var problems: [Problem] = []
        if header.count > Limits.tableColumns {
            problems.append(.tableTooLarge(file, zh: "\(header.count) 列", en: "\(header.count) columns"))
        }
        for (at, name) in header.enumerated() {
            if name.isEmpty {
                problems.append(
                    .tableHeader(file, zh: "标题行第 \(at + 1) 列没有名称。", en: "column \(at + 1) has no name in the header."))
            } else if header[..<at].contains(name) {
                problems.append(
                    .tableHeader(file, zh: "标题行有两个“\(name)”。", en: "the header has \"\(name)\" twice."))
            }
        }
        guard problems.isEmpty else { throw MappingProblems(problems: problems) }
    }

    /// Where a column is; nil when there is none of this name.
    func position(_ column: String) -> Int? { columns.firstIndex(of: column) }
}

/// `2.02601E+17`: what a spreadsheet makes of a long code that was not formatted as text.
private func isScientific(_ cell: String) -> Bool {
    let parts = cell.utf8.split(separator: UInt8(ascii: "E"), omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].first == UInt8(ascii: "+"), parts[0].contains(UInt8(ascii: ".")) else {
        return false
    }
    return ExactDecimal(String(decoding: parts[0], as: UTF8.self)) != nil
        && parts[1].dropFirst().allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
}

/// The table's bytes as UTF-8 without a byte order mark.
private func decode(_ bytes: [UInt8], file: String) throws(MappingProblems) -> [UInt8] {
    func refuse(_ problem: Problem) -> MappingProblems { MappingProblems(problems: [problem]) }
    guard bytes.count <= Limits.tableBytes else {
        throw refuse(.tableTooLarge(file, zh: "\(bytes.count) 字节", en: "\(bytes.count) bytes"))
    }
    if bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff]) {
        throw refuse(.tableEncoding(file, zh: "是 UTF-16 编码。", en: "the encoding is UTF-16."))
    }
    guard !bytes.contains(0) else {
        throw refuse(.tableEncoding(file, zh: "含有零字节，不是文本文件。", en: "there are zero bytes, this is no text file."))
    }
    let marked = bytes.starts(with: [0xef, 0xbb, 0xbf])
    if String(validating: bytes, as: UTF8.self) != nil { return Array(bytes.dropFirst(marked ? 3 : 0)) }
    guard !marked else {
        throw refuse(.tableEncoding(file, zh: "标记为 UTF-8，但内容不是。", en: "marked as UTF-8, but the bytes are not."))
    }
    guard let converted = fromGB18030(bytes) else {
        throw refuse(
            .tableEncoding(file, zh: "既不是 UTF-8 也不是 GB18030 编码。", en: "the bytes are neither UTF-8 nor GB18030."))
    }
    return converted
}

/// GB18030 bytes as UTF-8, by the C library; nil when they are none, or the library has no such converter.
private func fromGB18030(_ bytes: [UInt8]) -> [UInt8]? {
    guard let converter = iconv_open("UTF-8", "GB18030"), Int(bitPattern: converter) != -1 else { return nil }
    defer { iconv_close(converter) }
    var input = bytes.map { CChar(bitPattern: $0) }
    // Two bytes become three at most, four become four.
    var output = [CChar](repeating: 0, count: bytes.count * 2 + 16)
    let written: Int? = input.withUnsafeMutableBufferPointer { from in
        output.withUnsafeMutableBufferPointer { to in
            var source = from.baseAddress
            var sourceLeft = from.count
            var target = to.baseAddress
            var targetLeft = to.count
            let result = iconv(converter, &source, &sourceLeft, &target, &targetLeft)
            return result == Int(bitPattern: UInt.max) || sourceLeft != 0 ? nil : to.count - targetLeft
        }
    }
    return written.map { output[0..<$0].map { UInt8(bitPattern: $0) } }
}

/// RFC 4180 over UTF-8 bytes.
private struct CSVReader {
    struct Record {
        var line: Int
        var cells: [String]
    }

    let bytes: [UInt8]
    let file: String
    private var at = 0
    private var line = 1

    init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    /// Every record that is not empty; what is wrong goes into `problems`.
    mutating func records(_ problems: inout [Problem]) -> [Record] {
        var records: [Record] = []
        while at < bytes.count, problems.count < Limits.problems {
            var record = Record(line: line, cells: [])
            repeat {
                record.cells.append(cell(&problems))
                if record.cells[record.cells.count - 1].utf8.count > Limits.cellBytes {
                    problems.append(.tableCell(file, record.line))
                }
            } while skipComma()
            skipLineEnd()
            if record.cells.contains(where: { !$0.isEmpty }) { records.append(record) }
            if records.count > Limits.tableRows + 1 {
                problems.append(
                    .tableTooLarge(file, zh: "超过 \(Limits.tableRows) 行", en: "more than \(Limits.tableRows) rows"))
                return records
            }
        }
        return records
    }

    private func isEnd(_ byte: UInt8) -> Bool { byte == 0x0a || byte == 0x0d }

    private mutating func skipComma() -> Bool {
        guard at < bytes.count, bytes[at] == UInt8(ascii: ",") else { return false }
        at += 1
        return true
    }

    private mutating func skipLineEnd() {
        guard at < bytes.count else { return }
        let pair = bytes[at] == 0x0d && at + 1 < bytes.count && bytes[at + 1] == 0x0a
        at += pair ? 2 : 1
        line += 1
    }

    /// One cell, up to the comma or line end after it.
    private mutating func cell(_ problems: inout [Problem]) -> String {
        if at < bytes.count, bytes[at] == UInt8(ascii: "\"") { return quoted(&problems) }
        let start = at
        while at < bytes.count, bytes[at] != UInt8(ascii: ","), !isEnd(bytes[at]) {
            if bytes[at] == UInt8(ascii: "\"") {
                problems.append(
                    .tableQuote(
                        file, line, zh: "引号出现在未加引号的格中。", en: "a quotation mark inside a cell that is not quoted."))
                skipRest()
                return ""
            }
            at += 1
        }
        return trimmed(String(decoding: bytes[start..<at], as: UTF8.self))
    }

    private mutating func quoted(_ problems: inout [Problem]) -> String {
        let opened = line
        var content: [UInt8] = []
        at += 1
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if byte == UInt8(ascii: "\"") {
                guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else {
                    if at < bytes.count, bytes[at] != UInt8(ascii: ","), !isEnd(bytes[at]) {
                        problems.append(
                            .tableQuote(
                                file, line, zh: "右引号之后还有内容。", en: "something follows the closing quotation mark."))
                        skipRest()
                    }
                    return trimmed(String(decoding: content, as: UTF8.self))
                }
                at += 1
            } else if byte == 0x0a || (byte == 0x0d && !(at < bytes.count && bytes[at] == 0x0a)) {
                line += 1
            }
            content.append(byte)
        }
        problems.append(.tableQuote(file, opened, zh: "引号没有关闭。", en: "a quotation mark is never closed."))
        return ""
    }

    private mutating func skipRest() {
        while at < bytes.count, !isEnd(bytes[at]) { at += 1 }
    }
}
