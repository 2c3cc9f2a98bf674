import DingTalk
import PluginKit
import PluginKitTesting
import Testing
import Values

@Suite struct ApprovalTests {
    // MARK: - what cannot be read

    private func failure(_ more: JSONObject = [:], _ components: [JSON] = []) -> Failure? {
        #expect(throws: Failure.self) { try Sample.document(components, more) }
    }

    @Test(arguments: [
        ("status", JSON.string("ARCHIVED")), ("status", nil), ("result", "maybe"), ("bizAction", "SPLIT"),
        ("originatorUserId", nil), ("createTime", "yesterday"), ("createTime", "2026-13-05T10:34Z"),
        ("finishTime", "2026-01-05"),
    ])
    func whatTheConnectorWasNotBuiltForIsDrift(_ member: String, _ value: JSON) {
        #expect(failure([member: value])?.kind == .schemaDrift)
    }

    @Test(arguments: ["no JSON", "{\"a\":1}", "[{\"rowNumber\":\"1\"}]", "[5]"])
    func aTableOfAnotherShapeIsDrift(_ value: String) {
        let table: JSON = ["id": "TableField-1", "name": "明细", "componentType": "TableField", "value": .string(value)]
        #expect(failure([:], [table])?.kind == .schemaDrift)
    }

    @Test func endlessNestingIsDrift() {
        var suite: JSON = ["componentType": "TextField", "id": "TextField-1", "name": "x", "value": "y"]
        for _ in 0..<20 { suite = ["componentType": "DDBizSuite", "id": "DDBizSuite-1", "children": [suite]] }
        #expect(failure([:], [suite])?.kind == .schemaDrift)
    }

    @Test(arguments: [
        JSON.object(["success": "false", "result": [:]]), ["success": false, "result": [:]], ["success": true],
        ["success": "true", "result": []], [:],
    ])
    func aDetailWithoutItsResultIsDrift(_ answer: JSON) throws {
        let vendor = FakeDingTalk()
        vendor.always("detail", .json(answer))
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(vendor)).read("approval", ids: ["pi-1"])
        }
        #expect(failure?.kind == .schemaDrift)
    }

    @Test(arguments: ["processInstanceNotExist", "processInstanceIdError", "ProcessInstanceNotExist"])
    func whatDoesNotExistIsLeftOut(_ code: String) throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-2", Sample.approval())
        vendor.script("detail", FakeDingTalk.bad(.string(code)))
        let page = try Sample.connection(Sample.host(vendor)).read("approval", ids: ["gone", "pi-2"])
        #expect(page.records.map(\.id) == ["pi-2"])
        #expect(page.next == nil)
    }

    @Test func aReadStopsWhenTheHostWantsIt() throws {
        let vendor = FakeDingTalk()
        vendor.put("pi-1", Sample.approval())
        let host = Sample.host(vendor)
        host.cancel(afterRequests: 3)
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(host).read("approval", ids: ["pi-1", "pi-1"])
        }
        #expect(failure?.kind == .cancelled)
        #expect(vendor.history == ["token", "detail", "user"])
    }

    @Test func anotherTypeIsNotRead() throws {
        let failure = #expect(throws: Failure.self) {
            try Sample.connection(Sample.host(FakeDingTalk())).read("voucher", ids: ["1"])
        }
        #expect(failure?.kind == .unsupported)
    }

    @Test func anIdIsEncodedInTheAddress() throws {
        let host = Sample.host(FakeDingTalk())
        _ = try Sample.connection(host).read("approval", ids: ["a&b=c/d 张"])
        #expect(host.requests.last?.url.hasSuffix("?processInstanceId=a%26b%3Dc%2Fd%20%E5%BC%A0") == true)
    }

    // MARK: - the whole document

    @Test(arguments: [JSON.string("true"), true, nil])
    func anApprovalHasTheSharedShape(_ success: JSON) throws {
        let vendor = FakeDingTalk()
        let result = Sample.approval(
            [:], [["id": "T-1", "name": "事由", "value": "拜访", "componentType": "TextField", "bizAlias": "reason"]])
        vendor.always("detail", .json(["success": success, "result": result]))
        let record = try #require(
            try Sample.connection(Sample.host(vendor)).read("approval", ids: ["pi-0001"]).records.first)
        #expect(record.id == "pi-0001")
        #expect(
            record.document == [
                "id": "pi-0001", "number": "202601051034000123456", "template": nil, "title": "张三提交的差旅报销",
                "status": "completed", "result": "agree", "action": "none", "main_id": nil,
                "applicant": [
                    "id": "user001", "name": "张三", "employee_number": "E001",
                    "department": ["id": "1001", "name": "销售部"],
                ], "created_at": "2026-01-05T18:34:00+08:00", "finished_at": "2026-01-05T19:52:00+08:00",
                "fields": [["id": "T-1", "alias": "reason", "label": "事由", "kind": "text", "value": "拜访"]],
                "attachments": [], "extra": [:],
            ])
    }

    @Test func theTemplateIsLeftToTheHostUnlessTheDetailNamesIt() throws {
        #expect(try Sample.document([], ["processCode": "PROC-X"])["template"] == "PROC-X")
        #expect(try Sample.document()["template"] == JSON.null)
    }

    @Test(arguments: [
        ("NEW", "running"), ("RUNNING", "running"), ("running", "running"), ("COMPLETED", "completed"),
        ("TERMINATED", "terminated"), ("CANCELED", "canceled"), ("CANCELLED", "canceled"),
    ])
    func everyStatusIsTranslated(_ theirs: String, _ ours: String) throws {
        #expect(try Sample.document([], ["status": .string(theirs)])["status"]?.string == ours)
    }

    @Test(arguments: [
        (JSON.string("agree"), JSON.string("agree")), ("AGREE", "agree"), ("refuse", "refuse"), ("", nil),
        (nil, nil), ("NONE", nil),
    ])
    func everyResultIsTranslated(_ theirs: JSON, _ ours: JSON) throws {
        #expect(try Sample.document([], ["result": theirs])["result"] == ours)
    }

    @Test(arguments: [
        (JSON.string("NONE"), "none"), ("", "none"), (nil, "none"), ("MODIFY", "modify"), ("revoke", "revoke"),
    ])
    func everyActionIsTranslated(_ theirs: JSON, _ ours: String) throws {
        let document = try Sample.document([], ["bizAction": theirs, "mainProcessInstanceId": "pi-0000"])
        #expect(document["action"]?.string == ours)
        #expect(document["main_id"] == "pi-0000")
    }

    @Test func aDepartmentMayBeMissingAndTheRootIsMinusOne() throws {
        #expect(try Sample.document([], ["originatorDeptId": nil])["applicant"]?["department"] == JSON.null)
        let root = try Sample.document([], ["originatorDeptId": -1, "originatorDeptName": nil])
        #expect(root["applicant"]?["department"] == ["id": "-1", "name": nil])
    }

    @Test(arguments: [
        ("2026-01-05T10:34Z", "UTC", "Asia/Shanghai", "2026-01-05T18:34:00+08:00"),
        ("2026-01-05T10:34:56Z", "UTC", "Asia/Shanghai", "2026-01-05T18:34:56+08:00"),
        ("2026-01-05T10:34Z", "UTC", "UTC", "2026-01-05T10:34:00Z"),
        // The zone setting is for servers whose Z is a lie.
        ("2026-01-05T10:34Z", "Asia/Shanghai", "Asia/Shanghai", "2026-01-05T10:34:00+08:00"),
        ("2026-01-05T10:34+08:00", "Asia/Shanghai", "Asia/Shanghai", "2026-01-05T10:34:00+08:00"),
        ("2026-01-05T23:30+00:00", "UTC", "Asia/Shanghai", "2026-01-06T07:30:00+08:00"),
        // Without a zone: Beijing's clock, wherever the customer is.
        ("2026-01-05 10:34:00", "UTC", "Asia/Shanghai", "2026-01-05T10:34:00+08:00"),
        ("2026-01-05 10:34:00", "UTC", "Asia/Tokyo", "2026-01-05T11:34:00+09:00"),
    ])
    func timesAreGivenInTheCustomersZone(_ theirs: String, _ said: String, _ customer: String, _ ours: String) throws {
        let document = try Sample.document(
            [], ["createTime": .string(theirs), "finishTime": nil], settings: ["times_zone": .string(said)],
            timeZone: customer)
        #expect(document["created_at"]?.string == ours)
        #expect(document["finished_at"] == JSON.null)
    }
}

@Suite struct ComponentTests {
    private func value(_ type: String, _ value: JSON, _ more: JSONObject = [:]) throws -> JSON? {
        var component: JSONObject = [
            "id": .string("\(type)-1"), "name": "标签", "componentType": .string(type), "value": value,
        ]
        for (name, value) in more { component[name] = value }
        return try Sample.field(.object(component))
    }

    @Test(arguments: [
        ("TextField", "text"), ("TextareaField", "text"), ("TextNote", "text"), ("IdCardField", "text"),
        ("PhoneField", "text"), ("MoneyField", "money"), ("NumberField", "number"), ("CalculateField", "number"),
        ("DDDateField", "date"), ("DDDateRangeField", "date-range"), ("DDSelectField", "select"),
        ("RadioField", "select"), ("DDMultiSelectField", "multi-select"), ("InnerContactField", "person"),
        ("DepartmentField", "department"), ("DDAttachment", "attachment"), ("DDPhotoField", "attachment"),
        ("RelateField", "relation"), ("SignatureField", "other"), ("SomethingNew", "other"),
    ])
    func everyKindIsNamedAndEmptyIsNull(_ type: String, _ kind: String) throws {
        for empty in [JSON.null, "", "null"] {
            let field = try value(type, empty)
            #expect(field?["kind"]?.string == kind)
            #expect(field?["value"] == JSON.null)
        }
        // A cell of a table has no type; there the id begins with it.
        let cell = try Sample.field(["key": .string("\(type)-R1"), "label": "x"])
        #expect(cell?["kind"]?.string == kind)
        #expect(cell?["id"]?.string == "\(type)-R1")
        #expect(cell?["value"] == JSON.null)
    }

    @Test(arguments: [
        ("1280.50", "1280.50"), ("1,280.50", "1280.50"), ("1，280，000.00", "1280000.00"), ("0.10", "0.10"),
        ("-12.3400", "-12.3400"), ("9007199254740993.01", "9007199254740993.01"), ("0", "0"),
    ])
    func moneyIsKeptToTheLastDigit(_ theirs: String, _ ours: String) throws {
        for type in ["MoneyField", "NumberField"] {
            #expect(try value(type, .string(theirs))?["value"]?.string == ours)
        }
    }

    @Test func aNumberThatIsNoTextKeepsItsDigits() throws {
        let number = JSON.number(try #require(JSONNumber("9007199254740993.10")))
        #expect(try value("MoneyField", number)?["value"] == "9007199254740993.10")
    }

    @Test(arguments: [
        ("2026-01-03", "2026-01-03"), ("2026-01-03 10:30", "2026-01-03 10:30"), ("1767369600000", "2026-01-03"),
    ])
    func aDateIsADay(_ theirs: String, _ ours: String) throws {
        #expect(try value("DDDateField", .string(theirs))?["value"]?.string == ours)
    }

    @Test func aRangeHasTwoEndsAndTwoNames() throws {
        let field = try value(
            "DDDateRangeField", "[\"2026-01-03\",\"2026-01-05\",\"3\"]", ["name": "[\"开始时间\",\"结束时间\"]"])
        #expect(field?["label"] == "开始时间/结束时间")
        #expect(field?["value"] == ["from": "2026-01-03", "to": "2026-01-05"])
        #expect(try value("DDDateRangeField", "[\"2026-01-03\"]")?["value"] == ["from": "2026-01-03", "to": nil])
        #expect(try value("DDDateRangeField", "[\"\",\"\"]")?["value"] == JSON.null)
        #expect(try value("DDDateRangeField", "三天")?["value"] == "三天")
    }

    @Test func selectionsAreTextAndLists() throws {
        let one = try value("DDSelectField", "差旅费", ["extValue": "{\"label\":\"差旅费\",\"key\":\"option_1\"}"])
        #expect(one?["value"] == "差旅费")
        #expect(try value("DDMultiSelectField", "[\"机票\",\"酒店\"]")?["value"] == ["机票", "酒店"])
        #expect(try value("DDMultiSelectField", "机票")?["value"] == ["机票"])
        #expect(try value("DDMultiSelectField", "[]")?["value"] == JSON.null)
    }

    @Test(arguments: [
        (
            "InnerContactField", JSON.string("[{\"emplId\":\"user002\",\"name\":\"李四\"},{\"emplId\":\"user003\"}]"),
            ["user002", "user003"]
        ),
        ("InnerContactField", "{\"emplId\":\"user002\"}", ["user002"]),
        (
            "DepartmentField", "[{\"id\":1001,\"name\":\"销售部\"},{\"id\":\"9007199254740993\"}]",
            ["1001", "9007199254740993"]
        ),
        ("DepartmentField", "[{\"id\":9007199254740993}]", ["9007199254740993"]),
        ("RelateField", "{\"list\":[{\"procInstId\":\"pi-9\"}]}", ["pi-9"]), ("RelateField", "[\"pi-8\"]", ["pi-8"]),
        ("InnerContactField", JSON.array([["emplId": "user002"]]), ["user002"]),
    ])
    func whoIsMeantIsInTheExtra(_ type: String, _ second: JSON, _ ids: [String]) throws {
        for (first, other) in [("extValue", "extendValue"), ("extendValue", "extValue")] {
            let field = try value(type, "名字", [first: second, other: nil])
            #expect(field?["value"] == "名字")
            #expect(field?["extra"]?["ids"]?.array?.compactMap(\.string) == ids)
        }
        #expect(try value(type, "名字")?["extra"] == nil)
    }

    static let tables: [(String, String)] = [
        (
            "as read",
            #"[{"rowValue":[{"label":"金额","value":"1,000.00","key":"MoneyField-R1"},{"label":"摘要","value":"机票","key":"TextField-R2"}],"rowNumber":"T_1"},{"rowValue":[{"label":"摘要","value":null,"key":"TextField-R2"}],"rowNumber":"T_2"}]"#
        ),
        (
            "as started",
            #"[[{"name":"金额","value":"1,000.00","id":"MoneyField-R1"},{"name":"摘要","value":"机票","id":"TextField-R2"}],[{"name":"摘要","value":"null","id":"TextField-R2"}]]"#
        ),
    ]

    @Test(arguments: tables) func bothShapesOfATableAreRead(_ name: String, _ text: String) throws {
        let rows: JSON = [
            [
                "fields": [
                    ["id": "MoneyField-R1", "alias": nil, "label": "金额", "kind": "money", "value": "1000.00"],
                    ["id": "TextField-R2", "alias": nil, "label": "摘要", "kind": "text", "value": "机票"],
                ]
            ], ["fields": [["id": "TextField-R2", "alias": nil, "label": "摘要", "kind": "text", "value": nil]]],
        ]
        #expect(try value("TableField", .string(text))?["rows"] == rows)
        #expect(try value("TableField", try JSON.parse(text))?["rows"] == rows)
        #expect(try value("TableField", .string(text))?["value"] == nil)
    }

    @Test func anEmptyTableHasNoRowsAndOldCellsAreFoundByLabel() throws {
        for empty in [JSON.null, "", "null", "[]", []] { #expect(try value("TableField", empty)?["rows"] == []) }
        let old = try value("TableField", "[[{\"name\":\"金额\",\"value\":\"5\"}]]")
        #expect(old?["rows"]?[0]?["fields"]?[0]?["id"] == "金额")
        #expect(old?["rows"]?[0]?["fields"]?[0]?["kind"] == "other")
    }

    @Test func aSuiteIsOpenedHoweverDeepItsComponentsLie() throws {
        let inner =
            #"[{"key":"DDBizSuite-2","value":[{"id":"TextField-9","label":"说明","bizAlias":"note","value":"x"}]}]"#
        let document = try Sample.document([
            [
                "id": "DDBizSuite-1", "componentType": "DDBizSuite", "bizAlias": "reimbursement",
                "value": .string(
                    #"[{"id":"MoneyField-8","name":"合计","componentType":"MoneyField","value":"1,200.50","bizAlias":"total"},"#
                        + #"{"id":"TableField-7","name":"明细","componentType":"TableField","value":"[{\"rowValue\":[{\"key\":\"MoneyField-6\",\"label\":\"金额\",\"value\":\"1200.50\"}]}]"}]"#
                ),
            ], ["id": "BizSuite-3", "componentType": "BizSuite", "children": try JSON.parse(inner)],
        ])
        let fields = try #require(document["fields"]?.array)
        #expect(fields.map { $0["id"]?.string } == ["MoneyField-8", "TableField-7", "TextField-9"])
        #expect(fields.map { $0["alias"]?.string } == ["total", nil, "note"])
        #expect(fields[1]["rows"]?[0]?["fields"]?[0]?["value"] == "1200.50")
    }

    @Test func aSuiteThatHoldsNoComponentsIsNotLost() throws {
        let field = try value("DDBizSuite", "自由文字")
        #expect(field?["kind"] == "other")
        #expect(field?["value"] == "自由文字")
    }

    @Test func attachmentsAreListedWhereverTheyStand() throws {
        let files =
            #"[{"spaceId":"9007199254740993","fileName":"发票.pdf","fileSize":"33300","fileType":"pdf","fileId":"643000140"},"#
            + #"{"fileName":"b.pdf","fileSize":"?","fileId":9007199254740993},{"fileName":"无编号"}]"#
        let cell: JSON = [["rowValue": [["key": "DDAttachment-R1", "label": "票", "value": .string(files)]]]]
        let document = try Sample.document([
            ["id": "DDAttachment-1", "name": "附件", "componentType": "DDAttachment", "value": .string(files)],
            ["id": "TableField-1", "name": "明细", "componentType": "TableField", "value": .string(cell.text)],
            [
                "id": "DDPhotoField-1", "name": "照片", "componentType": "DDPhotoField",
                "value": #"["https://img.example.test/a/p1.jpg?x=1"]"#,
            ], ["id": "DDAttachment-2", "name": "空", "componentType": "DDAttachment", "value": "[]"],
        ])
        let two: [JSON] = [
            ["id": "643000140", "name": "发票.pdf", "size": 33300], ["id": "9007199254740993", "name": "b.pdf"],
        ]
        let photo: JSON = ["id": "https://img.example.test/a/p1.jpg?x=1", "name": "p1.jpg"]
        #expect(document["attachments"] == .array(two + two + [photo]))
        #expect(document["fields"]?[0]?["value"] == "发票.pdf, b.pdf")
        #expect(document["fields"]?[2]?["value"] == "p1.jpg")
        #expect(document["fields"]?[3]?["value"] == JSON.null)
    }

    @Test func aFieldAlwaysHasAnId() throws {
        #expect(try Sample.field(["name": "事由", "componentType": "TextField", "value": "x"])?["id"] == "事由")
        #expect(try Sample.field(["componentType": "TextField"])?["id"] == "TextField")
        #expect(try Sample.field([:])?["id"] == "unnamed")
    }
}
