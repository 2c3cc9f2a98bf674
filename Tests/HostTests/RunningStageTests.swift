import Engine
import Glibc
import Ledger
import Testing
import Values

@testable import Host

@Suite("A whole host between two connectors that misbehave on demand")
struct RunningStageTests {
    private static let sound = #"{"checks":[{"ok":true,"zh":"凭证","en":"credentials"}]}"#
    private static let broken = #"{"checks":[{"ok":false,"zh":"凭证","en":"credentials"},{"ok":true,"zh":"x","en":"x"}]}"#

    // MARK: a source that cannot be listed

    @Test("refused credentials stop the source until a check finds them in order; a failed check resumes nothing")
    func listingDenied() async throws {
        let stage = try await Stage()
        try stage.set("office", "page", "!14 -1 wrong secret")
        try await stage.run { host in
            try await stage.until("it stands still") { host.streams.pause("office") != nil }
            #expect(host.streams.pause("office")?.until == .max)
            #expect(try await stage.connection(host, "office")["cause"]?["code"] == "I-PAUSED-authDenied")
            #expect(try await stage.connection(host, "office")["waits_for_person"] == true)
            try stage.file("a")

            try stage.set("office", "probe", Self.broken)
            #expect(try await host.answer("connection.check", ["name": "office"])["ok"] == false)
            #expect(host.streams.pause("office")?.until == .max)
            try stage.set("office", "probe", "!14 -1 wrong secret")
            await #expect(throws: Problem.self) { try await host.answer("connection.check", ["name": "office"]) }
            #expect(host.streams.pause("office")?.until == .max)

            try stage.set("office", "probe", Self.sound)
            #expect(try await host.answer("connection.check", ["name": "office"])["ok"] == true)
            #expect(host.streams.pause("office") == nil)
            try await stage.until("the document is a voucher") { try await stage.counts(host)["done"] == 1 }
        }
    }

    @Test("so with a target: what waits for it goes after a sound check, and not after a failed one")
    func targetDenied() async throws {
        let stage = try await Stage()
        try stage.set("books", "write", "!14 -1 wrong secret")
        try stage.file("a")
        try await stage.run { host in
            func isPaused() async throws -> Bool { try await stage.connection(host, "books")["state"] == "paused" }
            try await stage.until("it stands still") { try await isPaused() }
            try stage.set("books", "write", "记-1")
            try stage.set("books", "probe", Self.broken)
            #expect(try await host.answer("connection.check", ["name": "books"])["ok"] == false)
            #expect(try await isPaused())
            try stage.set("books", "probe", Self.sound)
            #expect(try await host.answer("connection.check", ["name": "books"])["ok"] == true)
            try await stage.until("the document is a voucher") { try await stage.counts(host)["done"] == 1 }
        }
    }

    @Test(
        "a source that has trouble, or throttles, is listed again by itself", arguments: ["10 -1", "11 1500", "15 -1"])
    func listingTroubled(failure: String) async throws {
        let stage = try await Stage()
        try stage.set("office", "page", "!\(failure) not now")
        try await stage.run { host in
            try await stage.until("the trouble is told") {
                try await stage.connection(host, "office")["state"] != "ready"
            }
            #expect(host.streams.pause("office")?.until != .max)
            try stage.file("a")
            try await stage.until("the document is a voucher") { try await stage.counts(host)["done"] == 1 }
            #expect(try await stage.connection(host, "office")["state"] == "ready")
        }
    }

    // MARK: documents nobody can read

    @Test("a library that describes itself as another than its table says is refused")
    func otherDescribe() async throws {
        let stage = try await Stage()
        try stage.set("books", "describe", Sample.books.text.replacing("2.3.0", with: "2.4.0"))
        let application = try await Application.prepare(
            stage.root, inspector: WorkerInspector(executable: WorkerInspector.workerPath))
        #expect(application.problems.contains { $0.problem.what.en.contains("E-HOST-028") })
    }

    @Test("what the network did to a source is told under its code by status and doctor")
    func sourceCode() async throws {
        let stage = try await Stage()
        try stage.set("office", "page", "!10 -1 E-NET-032 the reply is too large")
        try await stage.run { host in
            try await stage.until("status tells") {
                try await stage.connection(host, "office")["cause"]?["code"] == "E-NET-032"
            }
            let checks = try await host.answer("doctor", [:])["checks"]?.array ?? []
            #expect(checks.contains { $0["problem"]?["code"] == "E-NET-032" })
        }
    }

    @Test("a connector that hangs or leaves a result out is told as the defect it is")
    func defects() async throws {
        for (words, code) in [("!hang", "E-WORKER-041"), ("!short", "E-WORKER-040")] {
            let stage = try await Stage(
                Rehearsal.sample("sweep: { every: 10s, look_back: 30d }\n").replacing(
                    "connections/books.yaml", "limits:", "timeouts: { write: 1s }\nlimits:"))
            try stage.set("books", "write", words)
            try stage.file("a")
            try await stage.run { host in
                func cause() async throws -> String? {
                    try await host.answer("ledger.list", ["limit": 1])["items"]?[0]?["cause"]?["code"]?.string
                }
                try await stage.until("\(words) is told as \(code)") { try await cause() == code }
                #expect(try await stage.connection(host, "office")["state"] == "ready")
            }
        }
    }

    @Test("a document that is no JSON in a list is held with its reason, and stops no other")
    func unreadable() async throws {
        let stage = try await Stage()
        try stage.file("good")
        try stage.set("office", "doc-bad", "<html>")
        try stage.set("office", "page", "bad=<html>\ngood")
        try await stage.run { host in
            try await stage.until("the good one is a voucher") { try await stage.counts(host)["done"] == 1 }
            try await stage.until("the bad one is held") { try await stage.counts(host)["held"] == 1 }
            let held = try await host.answer("ledger.list", ["state": "held"])["items"]?[0]
            #expect(held?["cause"]?["code"] == "E-SOURCE-UNREADABLE")
        }
    }

    // MARK: secrets

    @Test(
        "a vendor that repeats our secret: masked in the ledger, in the answer and in the log, and its use is audited")
    func canary() async throws {
        let stage = try await Stage()
        try stage.set("books", "write", "!18 -1 the key \(Stage.secret) is nobody's, says VENDORWORD")
        try stage.file("a")
        try await stage.run { host in
            try await stage.until("it is held") { try await stage.counts(host)["held"] == 1 }
            let item = try await host.answer("ledger.list", ["state": "held"])
            #expect(item.text.contains("VENDORWORD"))
            #expect(!item.text.contains(Stage.secret))
            let shown = try await host.answer("ledger.show", ["item": item["items"]?[0]?["item"] ?? .null])
            #expect(shown.text.contains("VENDORWORD"))
            #expect(!shown.text.contains(Stage.secret))
            let uses = try host.ledger.audit(limit: 100).filter { $0.action == "secret.use" }
            #expect(uses.contains { $0.detail.contains("books/token") && $0.detail.contains("\"write\"") })

            try stage.set("books", "probe", "!14 -1 \(Stage.secret) is wrong")
            do {
                _ = try await host.answer("connection.check", ["name": "books"])
                Issue.record("the check passed")
            } catch {
                #expect(!"\(error)".contains(Stage.secret))
            }
            try stage.set(
                "books", "probe", #"{"checks":[{"ok":false,"zh":"\#(Stage.secret)","en":"\#(Stage.secret)"}]}"#)
            for (verb, arguments) in [("connection.check", ["name": "books"]), ("doctor", [:])] as [(String, JSON)] {
                let told = try await host.answer(verb, arguments).text
                #expect(!told.contains(Stage.secret), "\(verb)")
            }
            try stage.set("office", "page", "!10 -1 \(Stage.secret) again")
            _ = try await host.answer("flow.run", ["flow": "claims"])
            try await stage.until("the listing's trouble is logged") {
                stage.log.lines.value.contains { $0.contains("again") }
            }
            let status = try await host.answer("status", [:]).text
            #expect(!status.contains(Stage.secret))
        }
        let log = stage.log.lines.value.joined(separator: "\n")
        #expect(log.contains("VENDORWORD"), "the connector's own line")
        #expect(!log.contains(Stage.secret))
    }

    @Test("a secret that its vendor replaces: audited without its value, and masked from then on")
    func replaced() async throws {
        let stage = try await Stage()
        let fresh = "Fr3sh-books-token-91c2"
        try stage.set("books", "replace", fresh)
        try stage.set("books", "write", "!18 -1 VENDORWORD \(fresh)")
        try stage.file("a")
        try await stage.run { host in
            try await stage.until("it is held") { try await stage.counts(host)["held"] == 1 }
            try await stage.until("the use is audited") {
                try host.ledger.audit(limit: 100).contains { $0.action == "secret.use" }
            }
            let lines = try host.ledger.audit(limit: 100)
            #expect(lines.contains { $0.action == "secret.replace" && $0.detail.contains("books/token") })
            #expect(!lines.contains { $0.detail.contains(fresh) })
            let item = try await host.answer("ledger.list", ["state": "held"])
            #expect(item.text.contains("VENDORWORD"))
            #expect(!item.text.contains(fresh))
        }
        #expect(!stage.log.lines.value.joined().contains(fresh))
    }

    @Test("doctor opens the vault anew: a key file that is gone is told while the host still runs")
    func doctor() async throws {
        let stage = try await Stage()
        try await stage.run { host in
            func expect(_ state: String) async throws {
                let checks = try await host.answer("doctor", [:])["checks"]?.array ?? []
                let vault = checks.first { $0["en"]?.string?.contains("vault") == true }
                #expect(vault?["state"]?.string == state)
                // What README says is not proved, point by point.
                let notes = checks.filter { $0["state"] == "note" }.compactMap { $0["en"]?.string }.joined(
                    separator: "\n")
                for point in [
                    "real system", "one scenario", "finishes later", "signed", "alerts", "web pages", "two-way",
                    "PostgreSQL",
                ] {
                    #expect(notes.contains(point), "\(point)")
                }
            }
            try await expect("ok")
            rename(stage.keyFile, stage.keyFile + ".away")
            try await expect("failed")
            rename(stage.keyFile + ".away", stage.keyFile)
            try await expect("ok")
        }
    }

    private func code(_ host: HostProcess, _ verb: String, _ arguments: JSON) async -> String? {
        do throws(Problem) {
            _ = try await host.answer(verb, arguments)
            return nil
        } catch { return error.code }
    }

    @Test("a secret that the vault does not hold: refused at apply, told by status and check, in both languages")
    func missingSecret() async throws {
        let stage = try await Stage()
        try await stage.run { host in
            #expect(try await stage.connection(host, "books")["waits_for_person"] == false)
            let path = stage.root + "/connections/books.yaml"
            let file = String(decoding: try FileStore.read(path, limit: 9_999), as: UTF8.self)
            try FileStore.replace(path, Array(file.replacing("vault:books/token", with: "vault:books/other").utf8))
            let plan = try await host.answer("apply", ["dry_run": true])
            let found = plan["problems"]?[0]
            #expect(found?["code"] == "E-HOST-026")
            #expect(found?["file"] == "connections/books.yaml")
            #expect(found?["next_zh"] == "datong vault put books/other")
            #expect(await code(host, "apply", [:]) == "E-CONF-046")

            try host.vault.current.remove(name: "books/token")
            let books = try await stage.connection(host, "books")
            #expect(books["waits_for_person"] == true)
            #expect(books["cause"]?["code"] == "E-HOST-026")
            #expect(books["cause"]?["zh"]?.string?.contains("不在保险库里") == true)
            #expect(await code(host, "connection.check", ["name": "books"]) == "E-HOST-026")
        }
    }
}
