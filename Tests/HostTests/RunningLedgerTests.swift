import Engine
import Ledger
import Testing
import Values

@testable import Host

@Suite("What a person decides about a document of the ledger")
struct RunningLedgerTests {
    private func code(_ host: HostProcess, _ verb: String, _ arguments: JSON) async -> String? {
        do throws(Problem) {
            _ = try await host.answer(verb, arguments)
            return nil
        } catch { return error.code }
    }

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
}
