import Kingdee
import PluginKit
import PluginKitTesting
import Testing
import Values

extension WriteOutcome? {
    var failure: Failure? {
        if case .refused(let failure) = self { failure } else { nil }
    }
    var applied: Written? {
        if case .applied(let written) = self { written } else { nil }
    }
    var existed: Written? {
        if case .existed(let written) = self { written } else { nil }
    }
}

@Suite struct VoucherTests {
    let galaxy = FakeGalaxy()
    let host: FakeHost
    let connection: FakeConnection

    init() throws {
        host = Sample.host(galaxy)
        connection = try Sample.connection(host)
    }

    private func write(_ document: JSON = Sample.voucher, finish: String = "save") throws -> WriteOutcome? {
        try connection.write(
            "voucher", settings: ["finish": .string(finish)], [FakeRecord(key: Sample.key, document)])[0]
    }

    private func changed(_ path: [String], _ value: JSON) -> JSON {
        func set(_ json: JSON, _ path: ArraySlice<String>) -> JSON {
            guard let first = path.first else { return value }
            if let index = Int(first), var items = json.array {
                items[index] = set(items[index], path.dropFirst())
                return .array(items)
            }
            var object = json.object ?? [:]
            object[first] = set(object[first] ?? [:], path.dropFirst())
            return .object(object)
        }
        return set(Sample.voucher, path[...])
    }

    // MARK: - Refused before anything is sent

    static let hopeless: [(path: [String], value: JSON, pointer: String)] = [
        (["book"], JSON.null, "/book"), (["group"], "转", "/group"), (["date"], "2026-02-30", "/date"),
        (["date"], "2026/01/15", "/date"), (["business_date"], "yesterday", "/business_date"),
        (["lines"], [], "/lines"), (["attachment_count"], "two", "/attachment_count"),
        (["lines", "0", "account"], "", "/lines/0/account"),
        (["lines", "0", "debit"], "0", "/lines/0/debit"), (["lines", "0", "credit"], "1", "/lines/0/debit"),
        (["lines", "0", "debit"], "1000.001", "/lines/0/debit"), (["lines", "2", "credit"], "x", "/lines/2/credit"),
        (["lines", "1", "currency"], "USD", "/lines/1/currency"),
        (["lines", "0", "rate"], "7.1", "/lines/0/extra/amount"),
        (["extra"], ["FVoucherID": 100_317], "/extra/FVoucherID"),
        (["lines", "1", "extra"], ["FEntryID": 1], "/lines/1/extra/FEntryID"),
        (["lines", "0", "dimensions"], ["project": "P1"], "/lines/0/dimensions/project"),
    ]

    @Test(arguments: hopeless)
    func aDocumentThatCanNeverPassNamesItsField(_ path: [String], _ value: JSON, _ pointer: String) throws {
        let failure = try write(changed(path, value)).failure
        #expect(failure?.kind == .invalidRecord)
        #expect(failure?.field == pointer)
        #expect(host.requests.isEmpty)
    }

    @Test func aForeignLineWithoutItsRateIsNotTakenForOneInYuan() throws {
        let foreign = try Sample.connection(host, ["currencies": ["USD": "PRE007"]])
        let document = changed(["lines", "1", "currency"], "USD")
        let failure = try foreign.write("voucher", [FakeRecord(key: Sample.key, document)])[0].failure
        #expect(failure?.kind == .invalidRecord)
        #expect(failure?.field == "/lines/1/rate")
        #expect(host.requests.isEmpty)
    }

    @Test func anotherDocumentTypeIsRefused() throws {
        let failure = #expect(throws: Failure.self) {
            try connection.write("customer", [FakeRecord(key: "k", [:])])
        }
        #expect(failure?.kind == .unsupported)
    }

    // MARK: - Refused by the vendor

    @Test func aRefusedFieldIsNamedInOurDocument() throws {
        galaxy.fault("Save", .instead(FakeGalaxy.bad(11, "第2行分录科目“6601.02”必录维度未录入：部门", field: "FDetailID")))
        let failure = try write().failure
        #expect(failure?.kind == .invalidRecord)
        #expect(failure?.field == "/lines/1/dimensions")
        #expect(failure?.messages.first?.text == "第2行分录科目“6601.02”必录维度未录入：部门")
        #expect(failure?.messages.first?.language == .vendor)
        #expect(failure?.vendorCode == "11")
        #expect(galaxy.books.isEmpty)
        #expect(host.checkpoints.isEmpty)
    }

    @Test(arguments: [
        ("FDate", "账簿“001”2026年1期已结账", "/date"), ("FAccountBookID", "不存在", "/book"),
        ("FVOUCHERGROUPID", "必填", "/group"), ("FDEBIT", "第1行分录借方金额和贷方金额不能同时为零", "/lines/0/debit"),
        ("FDETAILID__FFLEX5", "第 3 行 部门不存在", "/lines/2/dimensions/department"),
        ("FACCOUNTID", "字段“科目编码”的值“9”在系统中不存在", "/lines"), ("FEntity", "借贷不平衡", "/lines"), ("FOTHER", "不对", ""),
    ])
    func fieldsMapToPointers(_ field: String, _ message: String, _ pointer: String) throws {
        galaxy.fault("Save", .instead(FakeGalaxy.bad(11, message, field: .string(field))))
        #expect(try write().failure?.field == pointer)
    }

    @Test func anotherVoucherUnderTheKeyWithOtherContentsIsAConflict() throws {
        _ = try write()
        host.checkpoints = [:]
        let failure = try write(changed(["date"], "2026-01-16")).failure
        #expect(failure?.kind == .conflict)
        #expect(failure?.existing == "记-1")
        #expect(galaxy.books.count == 1)
    }

    @Test func twoVouchersUnderOneKeyAreAConflictForAPerson() throws {
        _ = try write()
        galaxy.books.append(galaxy.books[0])
        galaxy.books[1].id += 1
        host.checkpoints = [:]
        let failure = try write().failure
        #expect(failure?.kind == .conflict)
        #expect(failure?.existing == "记-1, 记-2")
        #expect(try connection.find("voucher", key: Sample.key).count == 2)
    }

    @Test func aMissingExternalFieldIsSeenBeforeAnythingIsSaved() throws {
        galaxy.fault("ExecuteBillQuery", .instead(FakeGalaxy.badQuery(9, "列名 'F_KYDD_ExtID' 无效")))
        let failure = try write().failure
        #expect(failure?.kind == .invalidRecord)
        #expect(galaxy.history == ["ExecuteBillQuery"])
    }

    // MARK: - Unclear answers

    static let unclear: [FakeAnswer] = [
        .failure(.unknownOutcome, "timeout"), .text("response_error:boom"), .text("<html>502</html>"),
        .text(""), .text("null"), .text("\"\""), .text("not json"), .text("", status: 500), .text("", status: 502),
        .text("", status: 504), .json([:]), .json([]), FakeGalaxy.bad(6, "数据库访问失败"),
        .json(["Result": ["ResponseStatus": ["IsSuccess": true, "MsgCode": 0], "Id": "", "Number": ""]]),
        .json(["Result": ["ResponseStatus": ["IsSuccess": true, "MsgCode": 4]]]),
    ]

    @Test(arguments: unclear)
    func aSaveWithoutAClearAnswerIsUnknownAndTheNextAttemptFindsIt(_ answer: FakeAnswer) throws {
        galaxy.fault("Save", .afterwards(answer))
        #expect(try write().failure?.kind == .unknownOutcome)
        #expect(host.checkpoints.isEmpty)
        #expect(try connection.find("voucher", key: Sample.key).map(\.number) == ["记-1"])
        let again = try write()
        #expect(again.existed?.number == "记-1")
        #expect(again.existed?.id == "100317")
        #expect(galaxy.books.count == 1)
        #expect(galaxy.history.filter { $0 == "Save" }.count == 1)
    }

    @Test func aRefusalThatNamesADocumentIsUnknown() throws {
        var answer = FakeGalaxy.refusal(11, "提交失败").object ?? [:]
        var result = answer["Result"]?.object ?? [:]
        result["Id"] = 100_317
        answer["Result"] = .object(result)
        galaxy.fault("Save", .instead(.json(.object(answer))))
        #expect(try write().failure?.kind == .unknownOutcome)
    }

    @Test func alreadyUsedMeansLookAndItExisted() throws {
        _ = try write()
        host.checkpoints = [:]
        // The look-up before the save does not see it yet, the save does.
        galaxy.fault("ExecuteBillQuery", .instead(.json([])))
        galaxy.fault("Save", .instead(FakeGalaxy.bad(11, "违反字段唯一性要求：外部标识。x在当前系统中已经被使用。")))
        #expect(try write().existed?.number == "记-1")
        #expect(galaxy.books.count == 1)
    }

    @Test func alreadyUsedByAVoucherThatIsNotOursIsAConflict() throws {
        galaxy.fault("Save", .instead(FakeGalaxy.bad(11, "违反字段唯一性要求：单据编号。x在当前系统中已经被使用。")))
        #expect(try write().failure?.kind == .conflict)
    }

    // MARK: - Done

    @Test func aVoucherIsLookedUpAndSavedOnce() throws {
        let written = try #require(try write().applied)
        #expect(written.number == "记-1")
        #expect(written.id == "100317")
        #expect(galaxy.history == ["ExecuteBillQuery", "Save"])
        let save = try #require(host.requests.last)
        #expect(save.effect == .write)
        #expect(host.requests.first?.effect == .read)
        #expect(save.json?["formid"] == "GL_VOUCHER")
        let data = try #require(save.json?["data"])
        #expect(data["IsVerifyBaseDataField"] == "true")
        let model = try #require(data["Model"])
        let expected: JSON = [
            "FVOUCHERID": 0, "FAccountBookID": ["FNumber": "001"], "FDate": "2026-01-15", "FBUSDATE": "2026-01-14",
            "FYEAR": 2026, "FPERIOD": 1, "FVOUCHERGROUPID": ["FNumber": "PRE001"], "FVOUCHERGROUPNO": "",
            "FATTACHMENTS": 2, "F_KYDD_ExtID": .string(Sample.key),
        ]
        for (name, value) in try #require(expected.object) { #expect(model[name] == value) }
        let line = try #require(model["FEntity"]?[0])
        #expect(line["FEXPLANATION"] == "机票")
        #expect(
            line["FDetailID"]
                == ["FDETAILID__FFLEX5": ["FNumber": "BM002"], "FDETAILID__FFLEX7": ["FNumber": "E001"]])
        #expect(line["FCURRENCYID"] == ["FNumber": "PRE001"])
        #expect(model["FEntity"]?[1]?["FEXPLANATION"] == "张三差旅费")
        // The text of an amount reaches the wire as it came.
        #expect(save.text.contains(#""FDEBIT":1000.00,"FCREDIT":0"#))
        #expect(save.text.contains(#""FAMOUNTFOR":1200.50"#))
    }

    @Test func whatOnlyThisERPKnowsGoesAlong() throws {
        var document = changed(["extra"], ["F_KYDD_Approval": "2026-0001", "note": "ours"])
        document =
            document.object.map { object in
                var object = object
                object["lines"] = [
                    [
                        "account": "1002.02", "currency": "CNY", "rate": "7.1234", "debit": "712.34", "credit": "0",
                        "extra": ["amount": "100.00", "F_KYDD_Line": "x"],
                    ], ["account": "1002.01", "currency": "CNY", "debit": "0", "credit": "712.34"],
                ]
                return .object(object)
            } ?? document
        #expect(try write(document).applied != nil)
        let model = try #require(host.requests.last?.json?["data"]?["Model"])
        #expect(model["F_KYDD_Approval"] == "2026-0001")
        #expect(model["note"] == nil)
        #expect(model["FEntity"]?[0]?["F_KYDD_Line"] == "x")
        #expect(host.requests.last?.text.contains(#""FEXCHANGERATE":7.1234,"FAMOUNTFOR":100.00"#) == true)
    }

    @Test func whatIsReadBackIsTheSameHoweverItIsLearned() throws {
        let applied = try #require(try write().applied)
        let found = try connection.find("voucher", key: Sample.key)
        #expect(found == [applied])
        #expect(applied.readBack?["debit"] == "1200.50")
    }

    @Test func theFlowMayGiveBookAndGroup() throws {
        var document = Sample.voucher.object ?? [:]
        document["book"] = nil
        document["group"] = nil
        let outcomes = try connection.write(
            "voucher", settings: ["book": "009", "group": "PRE001"], [FakeRecord(key: Sample.key, .object(document))])
        #expect(outcomes[0].applied?.number == "记-1")
        #expect(galaxy.books.first?.book == "009")
    }

    // MARK: - The chain

    @Test func aVoucherIsTakenAsFarAsTheFlowSaysAndEachStepIsRemembered() throws {
        #expect(try write(finish: "audit").applied?.number == "记-1")
        #expect(galaxy.history == ["ExecuteBillQuery", "Save", "Submit", "Audit"])
        #expect(galaxy.books.first?.status == "C")
        let stages = try host.checkpointHistory.map { try JSON.parse($0)["stage"]?.string }
        #expect(stages == ["saved", "submitted", "audited"])
    }

    @Test func aRefusedSubmitKeepsTheNumberAndTheNextAttemptDoesNotSaveAgain() throws {
        galaxy.fault("Submit", .instead(FakeGalaxy.bad(11, "提交条件不满足")))
        let failure = try write(finish: "audit").failure
        #expect(failure?.kind == .invalidRecord)
        #expect(failure?.existing == "记-1")
        galaxy.forget()
        #expect(try write(finish: "audit").applied?.number == "记-1")
        #expect(galaxy.history == ["ExecuteBillQuery", "Submit", "Audit"])
        #expect(galaxy.books.count == 1)
    }

    @Test(arguments: ["Submit", "Audit"])
    func aLostAnswerInTheChainIsSettledByLooking(_ operation: String) throws {
        galaxy.fault(operation, .afterwards(.failure(.unknownOutcome, "lost")))
        #expect(try write(finish: "audit").applied?.number == "记-1")
        #expect(galaxy.books.first?.status == "C")
    }

    @Test(arguments: ["Submit", "Audit"])
    func aStepThatDidNotHappenIsUnknownAndIsTakenUpWhereItStopped(_ operation: String) throws {
        galaxy.fault(operation, .instead(.failure(.unknownOutcome, "lost")))
        #expect(try write(finish: "audit").failure?.kind == .unknownOutcome)
        // The host looks: not in effect as far as the flow asks, so it may try again.
        #expect(try connection.find("voucher", settings: ["finish": "audit"], key: Sample.key).isEmpty)
        galaxy.forget()
        #expect(try write(finish: "audit").applied?.number == "记-1")
        #expect(!galaxy.history.contains("Save"))
        #expect(galaxy.books.count == 1)
        #expect(try connection.find("voucher", settings: ["finish": "audit"], key: Sample.key).count == 1)
    }

    @Test func successWithoutTheVoucherInTheListIsUnknown() throws {
        galaxy.fault(
            "Submit",
            .instead(.json(["Result": ["ResponseStatus": ["IsSuccess": true, "MsgCode": 0, "SuccessEntitys": []]]])))
        #expect(try write(finish: "submit").failure?.kind == .unknownOutcome)
    }

    @Test func aStepThatHappenedAfterAllIsNotRepeated() throws {
        galaxy.fault("Submit", .instead(.failure(.unknownOutcome, "lost")))
        _ = try write(finish: "submit")
        galaxy.books[0].status = "B"
        galaxy.forget()
        #expect(try write(finish: "submit").applied?.number == "记-1")
        #expect(galaxy.history == ["ExecuteBillQuery"])
    }

    @Test func aFinishedVoucherCostsNoCall() throws {
        _ = try write()
        galaxy.forget()
        #expect(try write().applied?.number == "记-1")
        #expect(galaxy.history.isEmpty)
    }

    @Test func aSavedVoucherSomebodyDeletedIsAConflictAndNotSavedAgain() throws {
        galaxy.fault("Submit", .instead(FakeGalaxy.bad(11, "x")))
        _ = try write(finish: "submit")
        galaxy.books = []
        let failure = try write(finish: "submit").failure
        #expect(failure?.kind == .conflict)
        #expect(failure?.existing == "记-1")
        #expect(galaxy.books.isEmpty)
    }

    @Test func withoutItsCheckpointTheChainGoesOnFromWhatTheERPSays() throws {
        galaxy.fault("Audit", .instead(FakeGalaxy.bad(11, "x")))
        _ = try write(finish: "audit")
        host.checkpoints = [:]
        galaxy.forget()
        #expect(try write(finish: "audit").existed?.number == "记-1")
        #expect(galaxy.history == ["ExecuteBillQuery", "Audit"])
    }

    // MARK: - Finding

    @Test func aQuoteInAKeyCannotLeaveItsText() throws {
        _ = try connection.find("voucher", key: "x' or '1'='1")
        let filter = host.requests.last?.json?["data"]?["FilterString"]
        #expect(filter == "F_KYDD_ExtID='x'' or ''1''=''1'")
    }

    @Test func nothingToLookByIsRefused() throws {
        #expect(throws: Failure.self) { try connection.find("voucher") }
        #expect(throws: Failure.self) { try connection.find("voucher", business: ["date": "2026-01-15"]) }
    }

    @Test func vouchersKeyedByHandAreFoundByDayAndAmount() throws {
        _ = try write()
        let found = try connection.find("voucher", business: ["date": "2026-01-15", "amount": "1200.5"])
        #expect(found.map(\.number) == ["记-1"])
        #expect(try connection.find("voucher", business: ["date": "2026-01-15", "amount": "1200.51"]).isEmpty)
    }

    /// Vouchers of two lines each on one day, a page at a time as the ERP gives them.
    private func busyDay(_ vouchers: Int) throws -> FakeConnection {
        let rows = (0..<vouchers * 2).map { line -> JSON in
            let id = Int64(line / 2 + 1)
            return [
                .number(JSONNumber(id)), .string("PZ\(id)"), "记", .string("\(id)"), "001", "2026-01-15T00:00:00", "A",
                .number(JSONNumber(line % 2 == 0 ? id : 0)),
            ]
        }
        let host = FakeHost(secrets: ["app_id": Sample.appID, "app_secret": Sample.appSecret]) { request in
            let data = request.json?["data"]
            let start = Int(data?["StartRow"]?.int ?? 0)
            return .json(.array(Array(rows.dropFirst(start).prefix(Int(data?["Limit"]?.int ?? 0)))))
        }
        return try Sample.connection(host)
    }

    @Test func aDayOfMoreLinesThanOneQueryGivesIsReadToItsEnd() throws {
        let found = try busyDay(1_500).find("voucher", business: ["date": "2026-01-15", "amount": "1400"])
        #expect(found.map(\.number) == ["记-1400"])
    }

    @Test func aDayBeyondAllBoundsIsNotGuessedAt() throws {
        let failure = #expect(throws: Failure.self) {
            try busyDay(11_000).find("voucher", business: ["date": "2026-01-15", "amount": "1"])
        }
        #expect(failure?.kind == .unsupported)
    }
}
