import Engine
import Testing
import Values

@testable import Ledger

@Suite("The parts a newer form must reckon with")
struct LivePartTests {
    private func parts(_ books: Books) throws -> [LivePart] {
        try books.ledger.liveParts(flow: 1, stream: 1, document: "doc-1")
    }

    @Test("nothing, and only skipped forms, are no parts", arguments: Backend.allCases)
    func none(_ backend: Backend) throws {
        let books = try Books(backend)
        #expect(try parts(books) == [])
        for rule in (1...7).compactMap({ SkipRule(rawValue: $0) }) {
            try books.add(Int64(rule.rawValue), state: .skipped(rule))
        }
        #expect(try parts(books) == [])
    }

    @Test("another flow, stream or document is another matter; every ordinal counts", arguments: Backend.allCases)
    func others(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.add(1, flow: 2, state: .done)
        try books.add(2, stream: 2, state: .done)
        try books.add(3, document: "doc-2", state: .done)
        try books.add(4, ordinal: 1, key: "k4", state: .done)
        #expect(try parts(books) == [LivePart(id: 4, ordinal: 1, isReplaceable: false, isChange: false)])
    }

    @Test(
        "never sent or clearly refused: it can be replaced",
        arguments: Backend.allCases,
        [
            (ItemState.ready, 0), (.held(.mapping), 0), (.held(.refused(.invalidRecord)), 1),
            (.held(.refused(.schemaDrift)), 2),
        ])
    func replaceable(_ backend: Backend, form: (state: ItemState, attempts: Int)) throws {
        let books = try Books(backend)
        try books.add(1, state: form.state, attempts: form.attempts)
        #expect(try parts(books).map(\.isReplaceable) == [true])
    }

    @Test(
        "sent, on its way, existing or settled: an effect",
        arguments: Backend.allCases,
        [
            (ItemState.delivering(epoch: 1), 1), (.retrying(at: 1, class: .transient), 1),
            (.checking(Check(since: 1, nextAt: 2)), 1), (.atVendor(AtVendor(reason: .waiting, since: 1, pollAt: 2)), 1),
            (.held(.refused(.conflict)), 1), (.held(.severalFound), 1), (.held(.cannotFind), 1), (.done, 1), (.done, 0),
        ])
    func effect(_ backend: Backend, form: (state: ItemState, attempts: Int)) throws {
        let books = try Books(backend)
        try books.add(1, state: form.state, attempts: form.attempts)
        #expect(try parts(books).map(\.isReplaceable) == [false])
    }

    @Test("a refused document of which half stands at the target is an effect", arguments: Backend.allCases)
    func half(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.add(1, state: .held(.refused(.invalidRecord)), attempts: 1)
        try books.ledger.commit([.checkpoint(1, bytes: [1])])
        #expect(try parts(books).map(\.isReplaceable) == [false])
    }

    @Test("a changed form that waits for a person is told apart", arguments: Backend.allCases)
    func changed(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.add(1, state: .held(.changedAfterEffect))
        #expect(try parts(books).map(\.isChange) == [true])
    }

    @Test("a key is taken while its item is not skipped", arguments: Backend.allCases)
    func keys(_ backend: Backend) throws {
        let books = try Books(backend)
        try books.add(1, key: "k1", state: .done)
        #expect(try books.ledger.liveItem(key: "k1") == 1)
        #expect(try books.ledger.liveItem(key: "k2") == nil)
        try books.add(2, key: "k2", state: .skipped(.superseded))
        #expect(try books.ledger.liveItem(key: "k2") == nil)
    }
}
