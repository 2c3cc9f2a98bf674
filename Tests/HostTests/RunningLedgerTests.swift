import Engine
import Ledger
import Testing
import Values

@testable import Host

@Suite("What a person decides about a document of the ledger")
struct RunningLedgerTests {
    private func problem(_ host: HostProcess, _ verb: String, _ arguments: JSON) async -> Problem? {
        do throws(Problem) {
            _ = try await host.answer(verb, arguments)
            return nil
        } catch { return error }
    }

    @Test("a number is believed only when the target does not contradict it, and once")
    func resolve() async throws {
        let stage = try await Stage()
        try stage.set("books", "write", "!18 -1 refused")
        for id in ["a", "b", "c", "d"] { try stage.set("office", "doc-" + id, Rehearsal.claim(id).content.text) }
        try stage.set("office", "page", "a\nb\nc\nd")
        try await stage.run { host in
            try await stage.until("all are held") { try await stage.counts(host)["held"] == 4 }
            func resolve(_ item: Int, _ number: String, byHand: Bool = false) async -> Problem? {
                var arguments: JSONObject = ["item": .int(item), "number": .string(number), "why": "looked"]
                if byHand { arguments["by_hand"] = true }
                return await problem(host, "ledger.resolve", .object(arguments))
            }
            // The target has it not.
            #expect(await resolve(1, "记-1")?.code == "E-HOST-024")
            // It has another one, and a person's word does not change that.
            try stage.set("books", "find", "记-7")
            let other = await resolve(1, "记-1")
            #expect(other?.code == "E-HOST-023")
            #expect(other?.what.en.contains("记-7") == true)
            #expect(await resolve(1, "记-1", byHand: true)?.code == "E-HOST-023")
            // It cannot be asked.
            try stage.set("books", "find", "!10 -1 VENDORWORD")
            let unknown = await resolve(1, "记-1")
            #expect(unknown?.code == "E-HOST-025")
            #expect(unknown?.what.en.contains("VENDORWORD") == true)
            #expect(try await stage.counts(host)["held"] == 4, "nothing was believed")

            try stage.set("books", "find", "记-7")
            #expect(await resolve(1, "记-7") == nil)
            try stage.set("books", "find", "")
            let taken = await resolve(2, " 记-7 ", byHand: true)
            #expect(taken?.code == "E-HOST-022")
            #expect(taken?.what.en.contains("item 1") == true)
            #expect(await resolve(2, "记-8", byHand: true) == nil)
            try stage.set("books", "find", "!10 -1 not now")
            #expect(await resolve(3, "记-9", byHand: true) == nil)
            // A connector that cannot look for this one.
            try stage.set("books", "find", "!20 -1 cannot")
            let settled = try await host.answer("ledger.resolve", ["item": 4, "number": "记-10", "why": "x"])
            #expect(settled["looked_up"] == "no")
            let lines = try host.ledger.audit(limit: 100).filter { $0.action == "ledger.resolve" }
            #expect(lines.count == 4)
            let details = try lines.map { try JSON.parse($0.detail) }
            #expect(details.map { $0["looked_up"]?.string } == ["found", "absent", "failed", "no"])
            #expect(details.map { $0["by_hand"]?.bool } == [nil, true, true, nil])
        }
    }

    @Test("what was sent to other books is not looked for in those of now, whose numbers begin anew")
    func otherBooks() async throws {
        let stage = try await Stage()
        try stage.set("books", "write", "!18 -1 refused")
        for id in ["a", "b", "c"] { try stage.set("office", "doc-" + id, Rehearsal.claim(id).content.text) }
        try stage.set("office", "page", "a\nb")
        try await stage.run { host in
            func resolve(_ item: Int, _ number: String) async throws -> JSON {
                try await host.answer("ledger.resolve", ["item": .int(item), "number": .string(number), "why": "x"])
            }
            try await stage.until("both are held") { try await stage.counts(host)["held"] == 2 }
            try stage.set("books", "find", "记-1")
            #expect(try await resolve(1, "记-1")["looked_up"] == "found")
            let path = stage.root + "/connections/books.yaml"
            let file = String(decoding: try FileStore.read(path, limit: 9_999), as: UTF8.self)
            try FileStore.replace(path, Array(file.replacing(#"company: "7""#, with: #"company: "8""#).utf8))
            _ = try await host.answer("apply", [:])
            #expect(try await resolve(2, "记-2")["looked_up"] == "no")
            try stage.set("office", "page", "a\nb\nc")
            _ = try await host.answer("flow.run", ["flow": "claims"])
            try await stage.until("the third is held") { try await stage.counts(host)["held"] == 1 }
            #expect(try await resolve(3, "记-1")["looked_up"] == "found")
        }
    }

    @Test("whoever names one item to retry is told why nothing came of it; a flow with nothing to do is no failure")
    func retry() async throws {
        let stage = try await Stage()
        try stage.set("office", "doc-a", Rehearsal.claim("a").content.text)
        try stage.set("office", "doc-b", Rehearsal.claim("b", type: "无人机").content.text)
        try stage.set("office", "page", "a\nb")
        try await stage.run { host in
            try await stage.until("one is done, one held") {
                let counts = try await stage.counts(host)
                return counts["done"] == 1 && counts["held"] == 1
            }
            let items = try await host.answer("ledger.list", [:])["items"]?.array ?? []
            func item(_ state: String) throws -> JSON {
                try #require(items.first { $0["state"]?.string == state }?["item"])
            }
            #expect(await problem(host, "ledger.retry", ["item": 99_999])?.code == "E-HOST-012")
            #expect(await problem(host, "ledger.retry", ["item": try item("done")])?.code == "E-HOST-002")
            let again = await problem(host, "ledger.retry", ["item": try item("held")])
            #expect(again?.code == "E-HOST-027")
            #expect(again?.what.en.contains("E-MAP-001") == true)
            #expect(try await host.answer("ledger.retry", ["flow": "claims", "state": "pending"])["retried"] == 0)
        }
    }

    @Test("an amending document names the first one, its commands carry its own number, and retry is not offered")
    func amends() async throws {
        let stage = try await Stage()
        try stage.file("first")
        try await stage.run { host in
            try await stage.until("the first is a voucher") { try await stage.counts(host)["done"] == 1 }
            var object = try #require(Rehearsal.claim("second").content.object)
            object["action"] = "modify"
            object["main_id"] = "first"
            try stage.file("second", JSON.object(object).text)
            try await stage.until("the second is held") { try await stage.counts(host)["held"] == 1 }
            let held = try await host.answer("ledger.list", ["state": "held"])["items"]?[0] ?? .null
            let number = try #require(held["item"]?.int)
            let shown = try await host.answer("ledger.show", ["item": .int(Int(number))])
            let cause = shown["item"]?["cause"] ?? .null
            #expect(cause["code"] == "E-AMENDS")
            #expect(cause["en"]?.string?.contains("the earlier one is item 1, number 记-1") == true, "\(cause.text)")
            for next in [cause["next_zh"], cause["next_en"]] {
                #expect(next?.string?.contains("datong ledger resolve \(number) --number NUMBER --why WHY") == true)
                #expect(next?.string?.contains("datong ledger skip \(number) --why WHY") == true)
            }
            let commands = (shown["next"]?.array ?? []).compactMap { $0["command"]?.string }
            #expect(commands.count == 2 && !commands.contains { $0.contains("retry") })
            // Correcting the first voucher keeps its number: it settles the second document too.
            let arguments: JSON = ["item": .int(Int(number)), "number": "记-1", "why": "corrected"]
            #expect(try await host.answer("ledger.resolve", arguments)["state"] == "done")
        }
    }

    @Test("the comments of a flow are listed and retried under the name that status shows")
    func writeBack() async throws {
        let stage = try await Stage(
            Rehearsal.sample("sweep: { every: 10s, look_back: 30d }\nwrite_back: comment\n"))
        try stage.file("a")
        try await stage.run { host in
            try await stage.until("the comment has its row") {
                try await host.answer("ledger.list", ["flow": "claims/write-back"])["items"]?.array?.count == 1
            }
            let listed = try await host.answer("ledger.list", ["flow": "claims/write-back"])["items"]?[0]
            #expect(listed?["flow"] == "claims/write-back")
            let retried = try await host.answer("ledger.retry", ["flow": "claims/write-back", "state": "skipped"])
            #expect(retried["retried"] == 0)
            #expect(await problem(host, "ledger.list", ["flow": "nobody"])?.code == "E-HOST-008")
        }
    }
}
