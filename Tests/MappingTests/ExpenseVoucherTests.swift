import Documents
import Mapping
import Testing
import Values

@Suite("An approved expense claim becomes a voucher, or says why not")
struct ExpenseVoucher {
    let mapping: Mapping

    init() throws { mapping = try compile(expenseMapping) }

    @Test("a value that cannot be mapped holds the document, with the field and the table to correct")
    func failures() {
        struct Case {
            var name: String
            var path: [String]
            var value: JSON?
            var code: String
            var target: String
            var source: String?
            var seen: String?
            var table: String?
        }
        let row = ["fields", "3", "rows", "1", "fields"]
        let cases = [
            Case(
                name: "unknown expense type", path: row + ["2", "value"], value: "培训费", code: "E-MAP-001",
                target: "/lines/1/account", source: "fields[费用明细][1].fields[费用类型]", seen: "培训费",
                table: "tables/expense-accounts.csv"),
            Case(
                name: "a type nobody filled in the table", path: row + ["2", "value"], value: "办公费", code: "E-MAP-002",
                target: "/lines/1/account", source: "fields[费用明细][1].fields[费用类型]", seen: "办公费",
                table: "tables/expense-accounts.csv"),
            Case(
                name: "unknown department", path: ["applicant", "department", "id"], value: "9", code: "E-MAP-001",
                target: "/lines/0/dimensions/department", source: "applicant.department.id", seen: "9",
                table: "tables/departments.csv"),
            Case(
                name: "no department", path: ["applicant", "department"], value: .null, code: "E-MAP-003",
                target: "/lines/0/dimensions/department", source: "applicant.department.id"),
            Case(
                name: "empty reason", path: ["fields", "0", "value"], value: .null, code: "E-MAP-003",
                target: "/summary",
                source: "fields[报销事由]"),
            Case(
                name: "blank reason", path: ["fields", "0", "value"], value: " \u{3000}", code: "E-MAP-003",
                target: "/summary", source: "fields[报销事由]"),
            Case(
                name: "the form lost a field", path: ["fields", "0"], value: nil, code: "E-MAP-004", target: "/summary",
                source: "fields[报销事由]"),
            Case(
                name: "the form lost its table", path: ["fields", "3"], value: nil, code: "E-MAP-004", target: "/lines",
                source: "fields[费用明细]"),
            Case(
                name: "an empty amount", path: row + ["0", "value"], value: .null, code: "E-MAP-003",
                target: "/lines/1/debit", source: "fields[费用明细][1].fields[金额]"),
            Case(
                name: "an amount with a separator", path: row + ["0", "value"], value: "1,280.50", code: "E-MAP-005",
                target: "/lines/1/debit", source: "fields[费用明细][1].fields[金额]", seen: "1,280.50"),
            Case(
                name: "an amount in words", path: row + ["0", "value"], value: "贰佰", code: "E-MAP-005",
                target: "/lines/1/debit", source: "fields[费用明细][1].fields[金额]", seen: "贰佰"),
            Case(
                name: "a list where a text belongs", path: ["fields", "0", "value"], value: ["a", "b"],
                code: "E-MAP-007", target: "/summary", source: "fields[报销事由]", seen: "[…] × 2"),
            Case(
                name: "not finished", path: ["finished_at"], value: .null, code: "E-MAP-003", target: "/date",
                source: "finished_at"),
            Case(
                name: "a time without offset", path: ["finished_at"], value: "2026-01-05T18:34:00", code: "E-MAP-006",
                target: "/date", source: "finished_at", seen: "2026-01-05T18:34:00"),
            Case(
                name: "attachments that are no list", path: ["attachments"], value: "x", code: "E-MAP-013",
                target: "/attachment_count", source: "attachments", seen: "x"),
            Case(
                name: "a zero amount", path: row + ["0", "value"], value: "0.00", code: "E-DOC-021", target: "/lines/1"),
            Case(
                name: "no rows at all", path: ["fields", "3", "rows"], value: [], code: "E-DOC-009", target: "/lines"),
        ]
        for one in cases {
            let failures = mapping.run(source: approval { $0.set(one.path, one.value) }).failures
            let hit = failures.first { $0.target == one.target && $0.code == one.code }
            #expect(hit != nil, "\(one.name): \(failures)")
            #expect(hit?.source == one.source, "\(one.name)")
            #expect(hit?.seen == one.seen, "\(one.name)")
            #expect(hit?.table == one.table, "\(one.name)")
        }
    }

    @Test("all failures of a document are told at once")
    func allAtOnce() {
        let source = approval {
            $0.set(["fields", "3", "rows", "0", "fields", "2", "value"], "培训费")
            $0.set(["fields", "3", "rows", "1", "fields", "2", "value"], "会议费")
            $0.set(["finished_at"], .null)
        }
        let failures = mapping.run(source: source).failures
        #expect(failures.map(\.target) == ["/date", "/lines/0/account", "/lines/1/account"])
        #expect(failures[1].what.zh.contains("“培训费”在对照表 tables/expense-accounts.csv"))
        #expect(failures[1].next.en == "Add a row for \"培训费\" to tables/expense-accounts.csv, then retry the document.")
    }

    @Test("a revoked claim is skipped by its rule")
    func skipped() {
        #expect(mapping.run(source: approval { $0.set(["action"], "revoke") }).rule == "撤销单不生成凭证")
    }

    @Test("a claim becomes one balanced voucher: a line per row and one credit of the sum")
    func mapped() throws {
        let documents = mapping.run(source: approval()).documents
        let expected = json(
            """
            {"book":"001","date":"2026-02-01","business_date":"2026-01-05","group":"记","attachment_count":2,
             "reference":"202601051034000123456","summary":"张三 北京客户拜访",
             "lines":[
               {"summary":"机票","account":"6601.01","dimensions":{"department":"BM002","employee":"E001"},
                "currency":"CNY","rate":"1","debit":"1000.00","credit":"0"},
               {"summary":"招待费","account":"6601.02","dimensions":{"department":"BM002","employee":"E001"},
                "currency":"CNY","rate":"1","debit":"280.50","credit":"0"},
               {"summary":"张三报销","account":"2241","currency":"CNY","rate":"1","debit":"0","credit":"1280.50"}],
             "source":{"document":"approval","id":"pi-0001","number":"202601051034000123456"}}
            """)
        #expect(documents == [expected])
        #expect(DocumentType.voucher.validate(expected).isEmpty)
        #expect(DocumentType.approval.validate(approval()).isEmpty)
    }

    @Test("cash goes to the cash account, a missing employee number leaves the dimension out")
    func branches() {
        let source = approval {
            $0.set(["fields", "2", "value"], "现金")
            $0.set(["applicant", "employee_number"], .null)
        }
        let voucher = mapping.run(source: source).documents.first
        #expect(voucher?["lines"]?[2]?["account"] == "1001")
        #expect(voucher?["lines"]?[0]?["dimensions"] == ["department": "BM002"])
    }

    @Test("the mapping names what it reads, and only that changes the hash")
    func reads() {
        #expect(
            mapping.reads == [
                "action", "applicant.department.id", "applicant.employee_number", "applicant.name", "attachments#",
                "created_at", "fields[报销事由]", "fields[支付方式]", "fields[费用明细]#", "fields[费用明细][*].fields[摘要]",
                "fields[费用明细][*].fields[费用类型]", "fields[费用明细][*].fields[金额]", "finished_at", "id", "number",
            ])
        let base = mapping.readHashInput(source: approval())
        #expect(base == mapping.readHashInput(source: approval { $0.set(["title"], "别的标题") }))
        #expect(base == mapping.readHashInput(source: approval { $0.set(["attachments", "0", "name"], "x.pdf") }))
        #expect(base == mapping.readHashInput(source: approval { $0.set(["fields", "1", "value"], "1.00") }))
        #expect(base != mapping.readHashInput(source: approval { $0.set(["attachments", "0"], nil) }))
        #expect(base != mapping.readHashInput(source: approval { $0.set(["fields", "0", "value"], "x") }))
        #expect(base != mapping.readHashInput(source: approval { $0.set(["fields", "3", "rows", "1"], nil) }))
        #expect(
            base
                != mapping.readHashInput(
                    source: approval { $0.set(["fields", "3", "rows", "0", "fields", "0", "value"], "9") }))
        #expect(base != mapping.readHashInput(source: approval { $0.set(["fields", "0"], nil) }))
    }
}
