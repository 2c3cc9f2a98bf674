import Mapping
import Testing

private func refusal(_ bytes: [UInt8]) -> [String] {
    do throws(MappingProblems) {
        _ = try CodeTable(file: "t.csv", csv: bytes)
        return []
    } catch {
        return error.problems.map { "\($0.code) \($0.what.en)" }
    }
}

@Suite("A code table is refused by file and line")
struct CodeTableRefusals {
    static let texts: [(String, [String])] = [
        ("", ["E-TABLE-003 Code table t.csv: there is no header row."]),
        ("\n\r\n,,\n", ["E-TABLE-003 Code table t.csv: there is no header row."]),
        ("a\tb\n1\t2\n", ["E-TABLE-004 Code table t.csv line 1: looks separated by tabs; commas are needed."]),
        ("a;b\n1;2\n", ["E-TABLE-004 Code table t.csv line 1: looks separated by semicolons; commas are needed."]),
        (
            "a，b\n1，2\n",
            ["E-TABLE-004 Code table t.csv line 1: looks separated by full-width commas; commas are needed."]
        ),
        ("a\n1\n", ["E-TABLE-005 Code table t.csv line 1: there is one column; a code table has two or more."]),
        ("a,,c\n", ["E-TABLE-005 Code table t.csv line 1: column 2 has no name in the header."]),
        ("a,b, a\n", ["E-TABLE-005 Code table t.csv line 1: the header has \"a\" twice."]),
        (
            "a,b\n1\n\n1,2,3\n1,2\n",
            [
                "E-TABLE-006 Code table t.csv line 2: 1 cells, but the header has 2 columns.",
                "E-TABLE-006 Code table t.csv line 4: 3 cells, but the header has 2 columns.",
            ]
        ),
        ("a,b\n1,x\"y\n", ["E-TABLE-007 Code table t.csv line 2: a quotation mark inside a cell that is not quoted."]),
        (
            "a,b\n1,\"x\"y\n\"2,3",
            [
                "E-TABLE-007 Code table t.csv line 2: something follows the closing quotation mark.",
                "E-TABLE-007 Code table t.csv line 3: a quotation mark is never closed.",
            ]
        ),
        ("a,b\n\"1\n2\",x\n3,4,5\n", ["E-TABLE-006 Code table t.csv line 4: 3 cells, but the header has 2 columns."]),
        (
            "a,b\n1,2.02601E+17\n",
            ["E-TABLE-009 Code table t.csv line 2: the spreadsheet turned the code in \"b\" into \"2.02601E+17\"."]
        ),
        (
            "a,b\n1," + String(repeating: "x", count: 2049) + "\n",
            ["E-TABLE-008 Code table t.csv line 2: a cell has more than 2048 bytes."]
        ),
        ("a,b\0\n", ["E-TABLE-002 Code table t.csv: there are zero bytes, this is no text file."]),
        ((0..<65).map { "c\($0)" }.joined(separator: ","), ["E-TABLE-001 Code table t.csv: too large: 65 columns."]),
    ]

    // Not among the arguments: the runner prints every one of them.
    @Test("more rows than a table may have")
    func tooManyRows() {
        let text = "a,b\n" + String(repeating: "1,2\n", count: 200_001)
        #expect(refusal(Array(text.utf8)) == ["E-TABLE-001 Code table t.csv: too large: more than 200000 rows."])
    }

    @Test("all of it", arguments: texts)
    func refused(text: String, expected: [String]) { #expect(refusal(Array(text.utf8)) == expected) }

    @Test("encodings that are neither")
    func encodings() {
        #expect(refusal([0xff, 0xfe, 0x61, 0x00]).first?.hasPrefix("E-TABLE-002") == true)
        #expect(refusal([0xfe, 0xff, 0x00, 0x61]).first?.contains("UTF-16") == true)
        #expect(refusal([0xef, 0xbb, 0xbf, 0x61, 0x2c, 0xff]).first?.contains("marked as UTF-8") == true)
        #expect(refusal([0x61, 0x2c, 0xff, 0xff]).first?.contains("neither UTF-8 nor GB18030") == true)
        #expect(refusal([0x61, 0x2c, 0x81]).first?.contains("neither UTF-8 nor GB18030") == true)
        #expect(refusal([UInt8](repeating: 0x61, count: 16 * 1024 * 1024 + 1)).first?.hasPrefix("E-TABLE-001") == true)
    }
}

@Suite("A code table is read as the spreadsheet wrote it")
struct CodeTableReading {
    @Test("quotes, line ends, spaces and empty rows")
    func shapes() throws {
        let text =
            "\u{FEFF}费用类型 , code,\"no\"\"te\"\r\n差旅费,6601.01,\"a,b\r\nc\"\r\n\r\n,,\r\n \u{3000}招待费\u{A0},\" 001 \",\n\"\",x,\ry,,z"
        let table = try CodeTable(file: "t.csv", csv: Array(text.utf8))
        #expect(table.columns == ["费用类型", "code", "no\"te"])
        #expect(table.rows == [["差旅费", "6601.01", "a,b\r\nc"], ["招待费", "001", ""], ["", "x", ""], ["y", "", "z"]])
        #expect(table.lines == [2, 6, 7, 8])
        #expect(table.file == "t.csv")
    }

    @Test("GB18030 as Chinese spreadsheets write it, four-byte letters included")
    func gb18030() throws {
        // 费用类型,科目 / 差旅费,660101 / 㐀,€
        let bytes: [UInt8] =
            [0xb7, 0xd1, 0xd3, 0xc3, 0xc0, 0xe0, 0xd0, 0xcd, 0x2c, 0xbf, 0xc6, 0xc4, 0xbf, 0x0d, 0x0a]
            + [0xb2, 0xee, 0xc2, 0xc3, 0xb7, 0xd1, 0x2c] + Array("660101".utf8) + [0x0d, 0x0a]
            + [0x81, 0x39, 0xee, 0x39, 0x2c, 0xa2, 0xe3]
        let table = try CodeTable(file: "t.csv", csv: bytes)
        #expect(table.columns == ["费用类型", "科目"])
        #expect(table.rows == [["差旅费", "660101"], ["㐀", "€"]])
    }

    @Test("a header alone is a table without rows")
    func headerOnly() throws {
        #expect(try CodeTable(file: "t.csv", csv: Array("a,b".utf8)).rows.isEmpty)
    }
}
