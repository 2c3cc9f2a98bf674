import SimulatorKit
import Testing

@testable import DingTalkSimulator

@Suite("DingTalk: approvals")
struct DingTalkApprovalTests {
    private static let day = 86_400_000
    private static let list = "/v1.0/workflow/processes/instanceIds/query"
    private static let comments = "/v1.0/workflow/processInstances/comments"

    /// What breaks a query for ids, and with which code it is refused.
    struct Rule: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let code: String
        let change: @Sendable (inout SimJSON, Int) -> Void

        init(_ description: String, _ code: String, _ change: @escaping @Sendable (inout SimJSON, Int) -> Void) {
            testDescription = description
            self.code = code
            self.change = change
        }
    }

    static let rules: [Rule] = [
        Rule("no template", "invalidProcessCode") { query, _ in query["processCode"] = nil },
        Rule("unknown template", "invalidProcessCode") { query, _ in query["processCode"] = "PROC-X" },
        Rule("no start", "invalidInstanceListIdsStartTime") { query, _ in query["startTime"] = nil },
        Rule("start as text", "invalidInstanceListIdsStartTime") { query, now in query["startTime"] = "\(now)" },
        Rule("start more than 365 days ago", "invalidInstanceListIdsStartTime") { query, now in
            query["startTime"] = SimJSON(now - 366 * day)
            query["endTime"] = SimJSON(now - 300 * day)
        },
        Rule("no end and start more than 120 days ago", "invalidInstanceListIdsStartTime") { query, now in
            query["startTime"] = SimJSON(now - 121 * day)
            query["endTime"] = nil
        },
        Rule("end before start", "invalidEndTime") { query, now in query["endTime"] = SimJSON(now - 31 * day) },
        Rule("window over 120 days", "invalidEndTime") { query, now in query["startTime"] = SimJSON(now - 121 * day) },
        Rule("no nextToken", "invalidNextToken") { query, _ in query["nextToken"] = nil },
        Rule("nextToken as text", "invalidNextToken") { query, _ in query["nextToken"] = "20" },
        Rule("nextToken beyond 10000", "invalidNextToken") { query, _ in query["nextToken"] = 10_001 },
        Rule("no maxResults", "invalidMaxResults") { query, _ in query["maxResults"] = nil },
        Rule("maxResults 0", "invalidMaxResults") { query, _ in query["maxResults"] = 0 },
        Rule("maxResults 21", "invalidMaxResults") { query, _ in query["maxResults"] = 21 },
        Rule("eleven users", "invalidUserIds") { query, _ in
            query["userIds"] = SimJSON((1...11).map { "user\($0)" })
        },
        Rule("users as text", "invalidUserIds") { query, _ in query["userIds"] = "user001" },
        Rule("unknown status", "invalidParameter") { query, _ in query["statuses"] = ["DONE"] },
    ]

    @Test("a query for ids that breaks a rule is refused", arguments: rules)
    func refuses(_ rule: Rule) async throws {
        let ding = try DingTalk()
        let answer = await ding.new("POST", Self.list, ding.query { rule.change(&$0, Int(ding.clock.now())) })
        #expect(answer.status == 400)
        #expect(answer.code == rule.code)
    }

    @Test("the edges of the rules are allowed")
    func edges() async throws {
        let ding = try DingTalk()
        let now = Int(ding.clock.now())
        let changes: [(inout SimJSON) -> Void] = [
            { $0["startTime"] = SimJSON(now - 120 * Self.day) },
            {
                $0["startTime"] = SimJSON(now - 365 * Self.day)
                $0["endTime"] = SimJSON(now - 245 * Self.day)
            },
            {
                $0["startTime"] = SimJSON(now - 120 * Self.day)
                $0["endTime"] = nil
            },
            { $0["maxResults"] = 1 }, { $0["nextToken"] = 10_000 },
            { $0["userIds"] = SimJSON((1...10).map { "user\($0)" }) }, { $0["statuses"] = nil },
        ]
        for change in changes {
            let answer = await ding.new("POST", Self.list, ding.query(change))
            #expect(answer.status == 200)
            #expect(answer.json["success"] == true)
        }
    }

    @Test("pages hold at most 20 ids; the next page's mark is text, the last page has none")
    func pages() async throws {
        let ding = try DingTalk()
        let made = ding.simulator.generate(ApprovalPlan(count: 45))
        var got: [String] = []
        var mark = 0
        var pages = 0
        while true {
            let result = await ding.new("POST", Self.list, ding.query { $0["nextToken"] = SimJSON(mark) }).json[
                "result"]
            got += result?["list"]?.array?.compactMap(\.string) ?? []
            pages += 1
            guard let next = result?["nextToken"] else { break }
            mark = try #require(next.string.flatMap { Int($0) })
        }
        #expect(pages == 3)
        #expect(got.count == 45)
        #expect(Set(got) == Set(made))
    }

    @Test("the window is about filing, not approval; status and applicant narrow it")
    func filters() async throws {
        let ding = try DingTalk()
        let old = ding.simulator.generate(ApprovalPlan(count: 2, filedDaysAgo: 40))
        let young = ding.simulator.generate(ApprovalPlan(count: 6, rejected: 1, withdrawn: 2, running: 1))
        func ids(_ change: (inout SimJSON) -> Void) async -> Set<String> {
            let answer = await ding.new("POST", Self.list, ding.query(change))
            return Set(answer.json["result"]?["list"]?.array?.compactMap(\.string) ?? [])
        }
        #expect(await ids { _ in }.count == 3)
        #expect(await ids { $0["startTime"] = SimJSON(ding.clock.now() - 45 * 86_400_000) }.isSuperset(of: old))
        #expect(await ids { $0["statuses"] = ["TERMINATED"] }.count == 2)
        #expect(await ids { $0["statuses"] = ["RUNNING", "TERMINATED"] }.count == 3)
        #expect(await ids { $0["statuses"] = nil } == Set(young))
        #expect(await ids { $0["processCode"] = "PROC-LOAN" }.isEmpty)
        let applicant = try #require(await ding.detail(young[0])["originatorUserId"]?.string)
        let own = await ids {
            $0["statuses"] = nil
            $0["userIds"] = [.string(applicant)]
        }
        #expect(own.contains(young[0]))
        #expect(own.count < young.count)
    }

    @Test("the detail has the documented shape: text success, text values, tables as JSON inside text")
    func detail() async throws {
        let ding = try DingTalk()
        let ids = ding.simulator.generate(ApprovalPlan(count: 60))
        var rows: Set<Int> = []
        var empties: Set<String> = []
        var types: Set<String> = []
        var departments: Set<String> = []
        for id in ids {
            ding.clock.advance(milliseconds: 2_000)
            let answer = await ding.new("GET", "/v1.0/workflow/processInstances?processInstanceId=\(id)").json
            #expect(answer["success"] == "true")
            let result = try #require(answer["result"])
            #expect(result["status"] == "COMPLETED")
            #expect(result["result"] == "agree")
            #expect(result["bizAction"] == "NONE")
            #expect(result["mainProcessInstanceId"] == .null)
            #expect(result["businessId"]?.string?.count == 21)
            #expect(result["createTime"]?.string?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\dZ/) != nil)
            departments.insert(result["originatorDeptId"]?.string ?? "")
            var byKind: [String: SimJSON] = [:]
            for component in result["formComponentValues"]?.array ?? [] {
                let value = component["value"]
                #expect(value == .null || value?.string != nil)
                byKind[component["componentType"]?.string ?? ""] = component
                if component["componentType"] == "TextareaField" {
                    empties.insert(value == .null ? "null" : value == "null" ? "text" : "filled")
                }
            }
            if byKind["TextareaField"] == nil { empties.insert("absent") }
            let table = try SimJSON.parse(try #require(byKind["TableField"]?["value"]?.string))
            rows.insert(table.array?.count ?? 0)
            var sum = SimJSON.number("0").decimal ?? 0
            for (index, row) in (table.array ?? []).enumerated() {
                #expect(row["rowNumber"] == .string("TableField-K2E_\(index + 1)"))
                for cell in row["rowValue"]?.array ?? [] {
                    if cell["key"] == "MoneyField-R1" { sum += try #require(cell["value"]?.decimal) }
                    if cell["key"] == "DDSelectField-R0" { types.insert(cell["value"]?.string ?? "") }
                }
            }
            #expect(byKind["MoneyField"]?["value"]?.decimal == sum)
            let capital = try SimJSON.parse(try #require(byKind["MoneyField"]?["extValue"]?.string))
            #expect(capital["upper"]?.string?.contains("元") == true)
        }
        #expect(rows.contains(1))
        #expect(rows.contains { $0 > 4 })
        #expect(types.count >= 6)
        #expect(departments.count >= 5)
        #expect(empties == ["null", "text", "filled", "absent"])
    }

    @Test("an approval that is not there, or not named, is refused")
    func noDetail() async throws {
        let ding = try DingTalk()
        let path = "/v1.0/workflow/processInstances"
        #expect(await ding.new("GET", path).code == "invalidParameter")
        #expect(await ding.new("GET", path + "?processInstanceId=x").code == "processInstanceNotExist")
    }

    @Test("refused, withdrawn, running, revoking and correcting approvals show as such")
    func kinds() async throws {
        let ding = try DingTalk()
        let ids = ding.simulator.generate(
            ApprovalPlan(count: 12, rejected: 1, withdrawn: 1, running: 1, missingCode: 1, revoked: 1, modified: 1))
        var seen: [String: Int] = [:]
        for id in ids {
            let result = await ding.detail(id)
            let words = ["status", "result", "bizAction"].map { result[$0]?.string ?? "-" }
            seen[words.joined(separator: " "), default: 0] += 1
            if result["bizAction"] != "NONE" {
                #expect(ids.contains(result["mainProcessInstanceId"]?.string ?? ""))
            }
        }
        #expect(
            seen == [
                "COMPLETED agree NONE": 7, "COMPLETED refuse NONE": 1, "TERMINATED  NONE": 1, "RUNNING  NONE": 1,
                "COMPLETED agree REVOKE": 1, "COMPLETED agree MODIFY": 1,
            ])
        let books = await ding.simulator.books()
        #expect(books["expected"]?["missing_code"]?.int == 1)
        let odd = books["instances"]?.array?.first { $0["missing_code"] == true }
        let form = await ding.detail(odd?["id"]?.string ?? "").text
        #expect(form.contains("无人机租赁费"))
    }

    @Test("a comment is at most 1024 characters, by a known person, on a known approval, and shows in the records")
    func comment() async throws {
        let ding = try DingTalk()
        let id = ding.simulator.generate(ApprovalPlan(count: 1))[0]
        func say(_ text: SimJSON, id: String, user: String = "manager01") async -> Answer {
            await ding.new(
                "POST", Self.comments,
                ["processInstanceId": .string(id), "text": text, "commentUserId": .string(user)])
        }
        #expect(await say(.string(String(repeating: "记", count: 1025)), id: id).code == "invalidParameter")
        // Characters as most servers count them: a rare one is two.
        #expect(await say(.string(String(repeating: "𠮷", count: 513)), id: id).code == "invalidParameter")
        #expect(await say("", id: id).code == "invalidParameter")
        #expect(await say(1, id: id).code == "invalidParameter")
        #expect(await say("x", id: "nobody").code == "processInstanceNotExist")
        #expect(await say("x", id: id, user: "nobody").code == "invalidUserId")
        let long = String(repeating: "记", count: 1024)
        let taken = await say(.string(long), id: id).json
        #expect(taken == ["result": true, "success": true])
        let last = await ding.detail(id)["operationRecords"]?.array?.last
        #expect(last?["type"] == "ADD_REMARK")
        #expect(last?["remark"] == .string(long))
        #expect(await ding.simulator.books()["comments"]?.int == 1)
    }

    @Test("templates come in pages, and each has a form schema that matches its approvals")
    func schemas() async throws {
        let ding = try DingTalk()
        let path = "/v1.0/workflow/processes/userVisibilities/templates"
        #expect(await ding.new("GET", path + "?nextToken=0").code == "invalidMaxResults")
        #expect(await ding.new("GET", path + "?nextToken=0&maxResults=101").code == "invalidMaxResults")
        #expect(await ding.new("GET", path + "?maxResults=100").code == "invalidNextToken")
        let first = await ding.new("GET", path + "?nextToken=0&maxResults=2").json["result"]
        #expect(first?["nextToken"]?.int == 2)
        let all = await ding.new("GET", path + "?nextToken=0&maxResults=100&userId=user001").json["result"]
        let codes = all?["processList"]?.array?.compactMap { $0["processCode"]?.string } ?? []
        #expect(codes == ["PROC-EXPENSE", "PROC-PAYMENT", "PROC-LOAN"])
        let schema = "/v1.0/workflow/forms/schemas/processCodes?processCode="
        #expect(await ding.new("GET", schema + "PROC-X").code == "invalidProcessCode")
        let ids = ding.simulator.generate(ApprovalPlan(count: 9, templates: ["expense", "payment", "loan"]))
        for (index, code) in codes.enumerated() {
            let items = await ding.new("GET", schema + code).json["result"]?["schemaContent"]?["items"]?.array ?? []
            let known = Set(items.compactMap { $0["props"]?["id"]?.string })
            let used = await ding.detail(ids[index])["formComponentValues"]?.array ?? []
            #expect(!used.isEmpty)
            #expect(known.isSuperset(of: used.compactMap { $0["id"]?.string }))
            for item in items { #expect(item["props"]?["label"]?.string?.isEmpty == false) }
        }
    }

    @Test("payments may carry thousands separators, loans carry ranges, people and departments as JSON inside text")
    func otherTemplates() async throws {
        let ding = try DingTalk()
        var grouped = 0
        for id in ding.simulator.generate(ApprovalPlan(count: 40, templates: ["payment"])) {
            ding.clock.advance(milliseconds: 2_000)
            let values = await ding.detail(id)["formComponentValues"]?.array ?? []
            let money = try #require(values.first { $0["componentType"] == "MoneyField" }?["value"]?.string)
            #expect(money.wholeMatch(of: /(\d{1,3}(,\d{3})*|\d+)\.\d\d/) != nil)
            if money.contains(",") { grouped += 1 }
        }
        #expect((1..<40).contains(grouped))
        let loan = ding.simulator.generate(ApprovalPlan(count: 1, templates: ["loan"]))[0]
        let values = await ding.detail(loan)["formComponentValues"]?.array ?? []
        let range = try #require(values.first { $0["componentType"] == "DDDateRangeField" })
        #expect(try SimJSON.parse(range["name"]?.string ?? "").array?.count == 2)
        #expect(try SimJSON.parse(range["value"]?.string ?? "").array?.count == 2)
        let person = try #require(values.first { $0["componentType"] == "InnerContactField" })
        #expect(try SimJSON.parse(person["extValue"]?.string ?? "")[0]?["emplId"]?.string?.hasPrefix("user") == true)
    }

    @Test("an attachment's address works for 15 minutes")
    func attachment() async throws {
        let ding = try DingTalk()
        let path = "/v1.0/workflow/processInstances/spaces/files/urls/download"
        let id = ding.simulator.generate(ApprovalPlan(count: 1, templates: ["payment"]))[0]
        let values = await ding.detail(id)["formComponentValues"]?.array ?? []
        let files = try SimJSON.parse(
            try #require(values.first { $0["componentType"] == "DDAttachment" }?["value"]?.string))
        let file = try #require(files[0])
        #expect(
            await ding.new("POST", path, ["processInstanceId": .string(id), "fileId": "1"]).code == "invalidParameter")
        #expect(
            await ding.new("POST", path, ["processInstanceId": "x", "fileId": "1"]).code == "processInstanceNotExist")
        let answer = await ding.new(
            "POST", path, ["processInstanceId": .string(id), "fileId": file["fileId"] ?? .null])
        let address = try #require(answer.json["result"]?["downloadUri"]?.string)
        let bytes = await ding.ask("GET", address).bytes
        #expect("\(bytes.count)" == file["fileSize"]?.string)
        ding.clock.advance(milliseconds: 900_000)
        #expect(await ding.ask("GET", address).status == 403)
        #expect(await ding.ask("GET", "/_file/nothing").status == 404)
    }

    @Test("only a running approval can be withdrawn")
    func terminate() async throws {
        let ding = try DingTalk()
        let path = "/v1.0/workflow/processInstances/terminate"
        let done = ding.simulator.generate(ApprovalPlan(count: 1))[0]
        let running = ding.simulator.generate(ApprovalPlan(count: 1, running: 1))[0]
        #expect(await ding.new("POST", path, ["processInstanceId": .string(done)]).code == "processInstanceStatusError")
        #expect(await ding.new("POST", path, ["processInstanceId": .string(running)]).status == 200)
        #expect(await ding.detail(running)["status"] == "TERMINATED")
    }

    /// An approval filed at the given time, without a form.
    private func bare(_ id: String, filed: Int64, _ outcome: Instance.Outcome) throws -> Instance {
        Instance(
            id: id, number: id, template: Template.all[0], applicant: try #require(Organisation.claimants.first),
            created: filed, outcome: outcome, finished: outcome == .running ? nil : filed, cents: 1,
            missingCode: false, values: [])
    }

    @Test("an approval cannot be withdrawn in its first 15 seconds")
    func tooEarly() throws {
        let now: Int64 = 1_767_225_600_000
        var world = World(config: World.Config(), seed: 1)
        world.add(try bare("pi-1", filed: now, .running))
        func call(_ time: Int64) -> Call {
            Call(
                request: SimRequest(method: "POST", target: "/"), body: ["processInstanceId": "pi-1"], now: time,
                parameters: [:])
        }
        #expect(throws: Refusal.self) { try world.terminate(call(now + 14_999)) }
        #expect(world.instances["pi-1"]?.outcome == .running)
        _ = try world.terminate(call(now + 15_000))
        #expect(world.instances["pi-1"]?.outcome == .withdrawn)
    }

    @Test("a query gives 10000 ids in all its pages and no mark beyond")
    func depth() throws {
        let now: Int64 = 1_767_225_600_000
        var world = World(config: World.Config(), seed: 1)
        for number in 0...10_000 {
            world.add(try bare("pi-\(number)", filed: now - Int64(number) * 1_000, .agreed))
        }
        func page(_ mark: Int) throws -> SimJSON? {
            let body: SimJSON = [
                "processCode": "PROC-EXPENSE", "startTime": SimJSON(now - 30 * 86_400_000), "endTime": SimJSON(now),
                "nextToken": SimJSON(mark), "maxResults": 20,
            ]
            return try world.instanceIDs(
                Call(request: SimRequest(method: "POST", target: "/"), body: body, now: now, parameters: [:]))["result"]
        }
        #expect(try page(9_960)?["nextToken"] == "9980")
        let last = try page(9_980)
        #expect(last?["list"]?.array?.count == 20)
        #expect(last?["nextToken"] == nil)
    }

    @Test("the same seed gives the same approvals, and the plan's parts must fit into it")
    func generation() async throws {
        let plan = ApprovalPlan(count: 20, rejected: 3, templates: ["expense", "payment", "loan"])
        let first = try DingTalk()
        let second = try DingTalk()
        #expect(first.simulator.generate(plan, seed: 9) == second.simulator.generate(plan, seed: 9))
        #expect(first.simulator.generate(plan, seed: 9) != second.simulator.generate(plan, seed: 10))
        for body: SimJSON in [
            ["count": 2, "rejected": 3], ["count": 0], ["count": "2"], ["count": 1, "template": "holiday"],
            ["count": 2, "missing_code": 1, "template": "loan"], ["count": 2, "rejected": -1],
        ] {
            #expect(await first.control("/_sim/approvals/generate", body)["error"]?.string != nil)
        }
    }
}
