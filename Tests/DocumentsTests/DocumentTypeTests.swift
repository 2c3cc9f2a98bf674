import Documents
import Testing
import Values

private func json(_ text: String) -> JSON {
    do throws(Problem) {
        return try JSON.parse(text)
    } catch {
        fatalError("\(error) in \(text)")
    }
}

private func line(_ debit: String, _ credit: String, _ currency: String = "CNY") -> JSON {
    [
        "summary": "机票", "account": "6601.01", "dimensions": ["department": "BM002"], "currency": .string(currency),
        "rate": "1", "debit": .string(debit), "credit": .string(credit),
    ]
}

private func voucher(_ lines: [JSON]) -> JSON {
    [
        "book": "001", "date": "2026-01-15", "business_date": "2026-01-15", "group": "记", "attachment_count": 2,
        "reference": "202601051034000123456", "summary": "差旅费", "lines": .array(lines),
        "source": ["document": "approval", "id": "pi-0001", "number": nil], "extra": [:],
    ]
}

private func found(_ type: DocumentType, _ document: JSON) -> [String] {
    type.validate(document).map { "\($0.code) \($0.pointer)" }
}

@Suite("A voucher that does not hold is refused")
struct VoucherRules {
    @Test("debits and credits balance in every currency, to the last digit")
    func balance() {
        #expect(found(.voucher, voucher([line("10", "0"), line("0", "10.00")])) == [])
        #expect(found(.voucher, voucher([line("-10", "0"), line("0", "-10")])) == [])
        #expect(found(.voucher, voucher([line("10.01", "0"), line("0", "10")])) == ["E-DOC-020 /lines"])
        let mixed = [line("10", "0"), line("0", "10", "USD"), line("5", "0", "EUR"), line("0", "5", "EUR")]
        #expect(found(.voucher, voucher(mixed)) == ["E-DOC-020 /lines", "E-DOC-020 /lines"])
        let text = DocumentType.voucher.validate(voucher([line("0.3", "0"), line("0", "0.1")]))[0].text
        #expect(text.zh == "CNY 借贷不平：借 0.3，贷 0.1。")
        #expect(text.en == "CNY does not balance: debit 0.3, credit 0.1.")
    }

    @Test("a sum that leaves the range is told, not trapped")
    func overflow() {
        let large = String(repeating: "9", count: 38)
        #expect(found(.voucher, voucher([line(large, "0"), line(large, "0"), line("0", "1")])) == ["E-DOC-023 /lines"])
    }

    @Test("a line has exactly one side")
    func oneSide() {
        let lines = [line("10", "10"), line("0", "0.00"), line("0", "5"), line("5", "0")]
        #expect(found(.voucher, voucher(lines)) == ["E-DOC-021 /lines/0", "E-DOC-021 /lines/1"])
    }

    @Test("what is missing or misnamed is told with its place")
    func shape() {
        var document = voucher([["acount": "1"], line("0", "5")])
        #expect(
            found(.voucher, document) == [
                "E-DOC-002 /lines/0/summary", "E-DOC-002 /lines/0/account", "E-DOC-002 /lines/0/currency",
                "E-DOC-002 /lines/0/debit", "E-DOC-002 /lines/0/credit", "E-DOC-003 /lines/0/acount",
            ])
        document = voucher([line("5", "0")])
        #expect(found(.voucher, document).contains("E-DOC-009 /lines"))
        document = voucher([line("5", "0"), line("0", "1e1")])
        #expect(found(.voucher, document).contains("E-DOC-006 /lines/1/credit"))
        #expect(found(.voucher, []) == ["E-DOC-001 "])
    }
}

@Suite("An approval is checked on its way in")
struct ApprovalShape {
    let good = json(
        """
        {"id":"pi-0001","number":"2026","template":"PROC-EXPENSE","title":"差旅","status":"completed","result":"agree",
         "action":"none","main_id":null,"applicant":{"id":"u1","name":"张三","employee_number":null,"department":null},
         "created_at":"2026-01-05T18:34:00+08:00","finished_at":null,
         "fields":[{"id":"T","alias":null,"label":"事由","kind":"text","value":null},
                   {"id":"D","label":"部门","kind":"department","value":{"id":"1"}},
                   {"id":"L","label":"明细","kind":"table","rows":[{"fields":[{"id":"M","kind":"money","value":"1"}]}]}],
         "attachments":[{"id":"1","name":"a.pdf","size":33300}],"extra":{"anything":[1]}}
        """)

    private func with(_ key: String, _ value: JSON?) -> JSON {
        var object = good.object ?? [:]
        object[key] = value
        return .object(object)
    }

    @Test("wrong ones")
    func wrong() {
        #expect(found(.approval, with("status", "done")) == ["E-DOC-004 /status"])
        #expect(found(.approval, with("result", nil)) == ["E-DOC-002 /result"])
        #expect(found(.approval, with("finished_at", "2026-01-04T00:00:00+08:00")) == ["E-DOC-022 /finished_at"])
        #expect(found(.approval, with("finished_at", "yesterday")) == ["E-DOC-008 /finished_at"])
        #expect(
            found(.approval, with("fields", [["id": "T", "kind": "colour", "value": 1]])) == [
                "E-DOC-004 /fields/0/kind"
            ])
        #expect(
            found(
                .approval,
                with("fields", [["id": "T", "kind": "table", "rows": [["fields": [["id": "x", "kind": "money"]]]]]]))
                == ["E-DOC-002 /fields/0/rows/0/fields/0/value"])
        #expect(
            found(.approval, with("applicant", ["id": "u", "department": ["name": "x"]])) == [
                "E-DOC-002 /applicant/department/id"
            ])
    }

    @Test("right ones")
    func right() {
        #expect(found(.approval, good) == [])
        #expect(found(.approval, with("finished_at", "2026-01-05T10:34:00Z")) == [])
    }

    @Test("the published text is the schema that is used")
    func published() throws {
        for type in DocumentType.all {
            let again = try DocumentType(name: type.name, schemaText: Array(type.schemaText.utf8))
            #expect(again.validate(type.name == "approval" ? good : voucher([line("1", "0"), line("0", "1")])).isEmpty)
            #expect(json(type.schemaText)["$id"]?.string == "datong:\(type.name):1")
        }
    }
}
