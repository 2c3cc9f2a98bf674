import Engine
import Testing
import Values

@testable import Ledger

@Suite("Retention takes contents, never what honesty, keys and the audit need")
struct RetentionTests {
    /// Settled at 2_001 and 2_002, held, and settled at 2_004 — see `Books.receive` for the times.
    private func books(_ backend: Backend) throws -> Books {
        let books = try Books(backend)
        try books.add(1, document: "a", key: "k1", state: .done, attempts: 1)
        try books.add(2, document: "b", state: .skipped(.filter))
        try books.add(3, document: "c", key: "k3", state: .held(.mapping))
        try books.add(4, document: "d", key: "k4", state: .done, attempts: 1)
        for id in [1, 3, 4] as [ItemID] {
            try books.ledger.commit([
                .mapped(id, bytes: [1], settings: [2]), .token(id, bytes: [3]),
                .openIntent(id, attempt: 1, epoch: 1, at: 1), .checkpoint(id, bytes: [4]),
            ])
        }
        try books.ledger.commit([
            .link(LinkRow(item: 1, number: "记-1", targetID: "1", readBack: [], at: 1)),
            .audit(actor: "li", action: "ledger.skip", detail: "{}", at: 1),
        ])
        return books
    }

    @Test(
        "contents of documents that settled before the time are gone, those of others stay", arguments: Backend.allCases
    )
    func contents(_ backend: Backend) throws {
        let books = try books(backend)
        let ledger = books.ledger
        #expect(try ledger.prune(Retention(settledBefore: 2_004)) == Pruned(documents: 2))
        for _ in 1...2 {
            let ledger = books.ledger
            #expect(try ledger.payload(inbox: 1).payload == [])
            #expect(try ledger.payload(inbox: 2).payload == [])
            #expect(try ledger.mapped(1) == nil && ledger.settings(1) == nil && ledger.token(1) == nil)
            #expect(try ledger.checkpoint(1) == nil && ledger.intents(1).isEmpty)
            for id in [3, 4] as [ItemID] {
                #expect(try ledger.payload(inbox: id).payload == Array("{}".utf8))
                #expect(try ledger.mapped(id) == [1] && ledger.intents(id).count == 1)
            }
            try books.reopen()
        }
        // A second time there is nothing left to do.
        #expect(try books.ledger.prune(Retention(settledBefore: 2_004)) == Pruned())
    }

    @Test("the document stays known: counts, hash, key, numbers, link and audit", arguments: Backend.allCases)
    func known(_ backend: Backend) throws {
        let books = try books(backend)
        let ledger = books.ledger
        let counts = try ledger.counts()
        _ = try ledger.prune(Retention(settledBefore: 2_004))
        #expect(try ledger.counts() == counts)
        #expect(try ledger.latest(stream: 1, document: "a")?.hash == [1])
        #expect(try ledger.latest(stream: 1, document: "a")?.payload == [])
        #expect(try ledger.unseen(stream: 1, of: ["a", "b", "z"]) == ["z"])
        #expect(try ledger.liveItem(key: "k1") == 1)
        #expect(code { try books.add(5, document: "a", key: "k1") } == "E-LEDGER-003")
        #expect(try ledger.liveParts(flow: 1, stream: 1, document: "a").map(\.isReplaceable) == [false])
        let line = try #require(try ledger.all().last)
        #expect((line.document, line.number, line.targetNumber) == ("a", "N-a", "记-1"))
        #expect(try ledger.verifiedLines() == 1)
        // No new flow can be given what is gone.
        #expect(try ledger.newestForms(stream: 1, after: 0, limit: 9) == [3, 4])
    }

    @Test("a document with one open part keeps everything", arguments: Backend.allCases)
    func openPart(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.add(1, state: .done)
        let second = ItemOrigin(id: 2, inbox: 1, flow: 1, lane: 1, document: "comment", ordinal: 0, key: nil)
        try books.ledger.commit([.origin(second), .item(Books.item(2, state: .ready), detail: nil, at: 1)])
        #expect(try books.ledger.prune(Retention(settledBefore: .max)) == Pruned())
        try books.ledger.commit([.item(Books.item(2, state: .done), detail: nil, at: 5)])
        #expect(try books.ledger.prune(Retention(settledBefore: .max)) == Pruned(documents: 1))
    }

    @Test("more than one piece is more than one transaction, and all of it goes", arguments: Backend.allCases)
    func pieces(_ backend: Backend) throws {
        let books = try Books(backend)
        let count = LedgerLimits.prunedAtOnce + 1
        var changes: [Change] = []
        for id in 1...Int64(count) {
            changes += Books.receive(id, document: "doc-\(id)", state: .skipped(.filter), hash: [1])
        }
        try books.ledger.commit(changes)
        #expect(try books.ledger.prune(Retention(settledBefore: .max)) == Pruned(documents: count))
    }

    @Test("limit blocks that began before the time are forgotten, the others still count", arguments: Backend.allCases)
    func limitBlocks(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.ledger.commit([
            .limitBlock(bucket: "a", from: 100, calls: 1), .limitBlock(bucket: "a", from: 200, calls: 2),
            .limitBlock(bucket: "b", from: 50, calls: 3),
        ])
        #expect(try books.ledger.prune(Retention(limitBlocksBefore: ["a": 200, "c": 200])) == Pruned(limitBlocks: 1))
        #expect(try books.ledger.limitBlocks(bucket: "a", from: 0).map(\.calls) == [2])
        #expect(try books.ledger.limitBlocks(bucket: "b", from: 0).map(\.calls) == [3])
    }
}
