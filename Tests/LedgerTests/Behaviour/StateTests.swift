import Engine
import Testing
import Values

@testable import Ledger

@Suite("Every state comes back as it was written")
struct StateTests {
    /// Every state there is, every cause, class and rule among them.
    static let all: [ItemState] = {
        var states: [ItemState] = [
            .ready, .delivering(epoch: 42), .done, .checking(Check(since: 1_700_000_000_123, nextAt: 5, looks: 3)),
            .atVendor(AtVendor(reason: .accepted, since: 7, pollAt: 8)),
            .atVendor(AtVendor(reason: .waiting, since: 9, pollAt: .max)),
            .held(.mapping), .held(.changedAfterEffect), .held(.severalFound), .held(.cannotFind), .held(.vendorSilent),
            .held(.otherBooks),
        ]
        for cls in FailureClass.allCases {
            states += [.retrying(at: 11, class: cls), .held(.refused(cls)), .held(.triesSpent(cls))]
        }
        states += (1...7).compactMap { SkipRule(rawValue: $0) }.map { .skipped($0) }
        return states
    }()

    @Test(
        "numbers no version wrote are no state",
        arguments: [
            StateCode(kind: 0), StateCode(kind: 9), StateCode(kind: -1), StateCode(kind: 3, b: 9),
            StateCode(kind: 3, b: 23),
            StateCode(kind: 5, c: 0), StateCode(kind: 5, c: 3), StateCode(kind: 6, a: 0), StateCode(kind: 6, a: 9),
            StateCode(kind: 6, a: 3), StateCode(kind: 6, a: 4, b: 99), StateCode(kind: 8, a: 0),
            StateCode(kind: 8, a: 8),
        ])
    func unknown(code: StateCode) {
        #expect(code.state == nil)
    }

    @Test("through the columns and through the ledger, and in the word people see", arguments: Backend.allCases)
    func roundTrip(_ backend: Backend) throws {
        #expect(Self.all.count == 11 + 3 * 13 + 8)
        let books = try Books(backend)
        for (index, state) in Self.all.enumerated() {
            let id = Int64(index + 1)
            #expect(StateCode(state).state == state)
            #expect(StateCode.kinds(of: state.seen).contains(StateCode(state).kind))
            let item = Item(
                id: id, flow: 1, lane: 1, orderKey: "order \(id)", state: state, triesSpent: index, attempts: index + 1,
                revision: index + 2)
            try books.add(id, document: "doc-\(id)")
            try books.ledger.commit([.item(item, detail: "{\"n\":\(id)}", at: 5_000 + id)])
        }
        try books.reopen()
        let open = try books.ledger.start().items.map(\.0)
        let views = try books.ledger.list(flow: nil, hidingDone: [], state: nil, limit: 1_000, ids: nil).reversed()
        #expect(views.map(\.item.state) == Self.all)
        #expect(open.map(\.state) == Self.all.filter { !$0.isSettled })
        for (index, view) in views.enumerated() {
            #expect(view.item.triesSpent == index)
            #expect(view.item.attempts == index + 1)
            #expect(view.item.revision == index + 2)
            #expect(view.item.orderKey == "order \(index + 1)")
            #expect(view.detail == "{\"n\":\(index + 1)}")
        }
    }

    @Test("a question on its way is not remembered: after a restart it is asked again")
    func asking() {
        let check = ItemState.checking(Check(since: 1, nextAt: 2, looks: 1, asking: true))
        #expect(StateCode(check).state == .checking(Check(since: 1, nextAt: 2, looks: 1)))
        let wait = ItemState.atVendor(AtVendor(reason: .waiting, since: 1, pollAt: 2, asking: true))
        #expect(StateCode(wait).state == .atVendor(AtVendor(reason: .waiting, since: 1, pollAt: 2)))
    }

    @Test("each kind belongs to exactly one of the five words")
    func fiveWords() {
        let kinds = FiveStates.allCases.flatMap { StateCode.kinds(of: $0) }
        #expect(kinds.sorted() == Array(1...8))
    }
}
