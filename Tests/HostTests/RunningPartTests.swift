import Engine
import Ledger
import Testing
import Values

@testable import Host

@Suite("A document of several parts: each part once, none forgotten, none against the document")
struct RunningPartTests {
    /// One voucher for every row of the table.
    private static func sample() -> Sample {
        Rehearsal.sample().with(
            "mappings/claims.yaml",
            """
            mapping: claims
            split: { each: "fields[明细]" }
            skip:
              - when: { path: action, equals: revoke }
                rule: 撤销
            document:
              date: { date: { path: finished_at } }
              lines:
                - line:
                    summary: { path: title }
                    account:
                      lookup: accounts
                      where: { 费用类型: { path: "part.fields[费用类型]" } }
                      give: 科目
                    currency: CNY
                    debit: { path: "part.fields[金额]" }
                    credit: "0"
                - line:
                    summary: { path: title }
                    account: "1002.01"
                    currency: CNY
                    debit: "0"
                    credit: { path: "part.fields[金额]" }

            """)
    }

    private static func claim(_ rows: [(type: String, amount: String)], action: String = "none") -> Conductor.Received {
        let table: [JSON] = rows.map { row in
            [
                "fields": [
                    ["id": "R1", "label": "费用类型", "kind": "select", "value": .string(row.type)],
                    ["id": "R2", "label": "金额", "kind": "money", "value": .string(row.amount)],
                ]
            ]
        }
        var claim = Rehearsal.claim("a")
        var object = claim.content.object ?? JSONObject()
        object["action"] = .string(action)
        object["fields"] = [["id": "T1", "label": "明细", "kind": "table", "rows": .array(table)]]
        claim.content = .object(object)
        return claim
    }

    /// A host whose flow is paused: everything is mapped, nothing is sent.
    private func paused() throws -> Rehearsal {
        let host = try Rehearsal(Self.sample())
        _ = host.ask(.pauseFlow(host.flow.id, true, why: "", actor: "li"))
        return host
    }

    private func sent(_ host: Rehearsal) throws -> [String] {
        _ = host.ask(.pauseFlow(host.flow.id, false, why: "", actor: "li"))
        for _ in 1...5 {
            guard let last = host.actor.log.deliveries.last, host.loop.engine.item(last.item) != nil else { break }
            host.round(Rehearsal.applied(last))
        }
        return try host.actor.log.deliveries.map { delivery in
            try #require(try JSON.parse(delivery.bytes)["lines"]?[0]?["debit"]?.string)
        }
    }

    @Test("held for one missing code, all its parts go once the table is mended")
    func heldThenMended() throws {
        let host = try Rehearsal(Self.sample())
        host.round(host.received(Self.claim([("差旅费", "1.00"), ("招待费", "2.00"), ("差旅费", "3.00")])))
        #expect(try host.states() == [.held(.mapping)])
        let sample = Self.sample()
        try host.apply(
            sample.with("tables/accounts.csv", (sample.files["tables/accounts.csv"] ?? "") + "招待费,6602.09\n"))
        _ = host.ask(.retry([1], actor: "li"))
        #expect(try sent(host) == ["1.00", "2.00", "3.00"])
        #expect(try host.counts(host.flow.id) == [.done: 3])
        #expect(Set(try host.items().compactMap(\.key)).count == 3)
    }

    @Test("a part that the document lost before it was sent is not sent")
    func lostPart() throws {
        let host = try paused()
        host.round(host.received(Self.claim([("差旅费", "1.00"), ("差旅费", "2.00")])))
        host.round(host.received(Self.claim([("差旅费", "1.00")])))
        #expect(try sent(host) == ["1.00"])
    }

    @Test("a document revoked before it was sent sends none of its parts")
    func revoked() throws {
        let host = try paused()
        host.round(host.received(Self.claim([("差旅费", "1.00"), ("差旅费", "2.00")])))
        host.round(host.received(Self.claim([("差旅费", "1.00"), ("差旅费", "2.00")], action: "revoke")))
        #expect(try sent(host) == [])
        #expect(Set(try host.states().map(\.seen)) == [.skipped])
    }

    @Test(
        "a document that amends or revokes another is held, under whatever id it comes",
        arguments: ["modify", "revoke"])
    func amends(action: String) throws {
        let host = try paused()
        var claim = Self.claim([("差旅费", "1.00")], action: action)
        var object = claim.content.object ?? JSONObject()
        object["main_id"] = "the first"
        claim.content = .object(object)
        host.round(host.received(claim))
        #expect(try host.states() == [.held(.mapping)])
        let detail = try #require(try host.items().first?.detail)
        #expect(try JSON.parse(detail)["code"] == "E-AMENDS")
        #expect(try sent(host) == [])
    }

    @Test("a form that cannot be mapped holds the document, and once it can be, all its parts go")
    func unmappable() throws {
        let host = try paused()
        host.round(host.received(Self.claim([("差旅费", "1.00"), ("差旅费", "2.00")])))
        host.round(host.received(Self.claim([("招待费", "1.00"), ("差旅费", "2.00")])))
        #expect(try sent(host) == [])
        let held = try #require(try host.items().first { $0.item.state == .held(.mapping) }?.id)
        let sample = Self.sample()
        try host.apply(
            sample.with("tables/accounts.csv", (sample.files["tables/accounts.csv"] ?? "") + "招待费,6602.09\n"))
        _ = host.ask(.retry([held], actor: "li"))
        #expect(try sent(host) == ["1.00", "2.00"])
    }

    @Test("a document that lost a part which is in the books is shown to a person")
    func lostAfterEffect() throws {
        let host = try Rehearsal(Self.sample())
        host.round(host.received(Self.claim([("差旅费", "1.00"), ("差旅费", "2.00")])))
        #expect(try sent(host) == ["1.00", "2.00"])
        host.round(host.received(Self.claim([("差旅费", "1.00")])))
        #expect(try host.states() == [.done, .done, .held(.changedAfterEffect)])
    }

    @Test("a revision under which the document cannot be mapped holds each part, and the next one sends each")
    func revisions() throws {
        let host = try paused()
        host.round(host.received(Self.claim([("差旅费", "1.00"), ("差旅费", "2.00")])))
        try host.apply(Self.sample().replacing("tables/accounts.csv", "差旅费,6602.01\n", ""))
        #expect(try host.states() == [.held(.mapping), .held(.mapping)])
        try host.apply(Self.sample())
        _ = host.ask(.retry([1, 2], actor: "li"))
        #expect(try sent(host) == ["1.00", "2.00"])
        #expect(try host.items().count == 2)
    }
}
