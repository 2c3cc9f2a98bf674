import Engine
import Ledger

/// Commits that touch every table once: what the fixtures of earlier schemas hold, and the workload of the fault tests.
///
/// Never changed: a fixture is what an earlier version made of exactly these.
enum Story {
    static let commits: [[Change]] = [
        [
            .name(kind: .stream, id: 1, name: "office/approval"), .name(kind: .lane, id: 1, name: "books/voucher"),
            .name(kind: .flow, id: 1, name: "0197a3c2"),
        ],
        [.audit(actor: "host", action: "apply", detail: "{\"revision\":1}", at: 900)],
        [.hint(stream: 1, document: "doc-1", known: "{\"t\":1}", at: 950)],
        received(1) + [
            .hintDone(stream: 1, document: "doc-1", before: 1_000), .cursor(stream: 1, bytes: [1], at: 1_000),
        ],
        [
            .limitBlock(bucket: "books/per_day", from: 1_100, calls: 5),
            .state(connection: "books", key: "page", bytes: Array("page 3".utf8)),
        ],
        [
            .item(item(1, .delivering(epoch: 7), attempts: 1), detail: nil, at: 1_200),
            .mapped(1, bytes: Array("{\"amount\":\"1.00\"}".utf8), settings: Array("{\"group\":\"记\"}".utf8)),
            .openIntent(1, attempt: 1, epoch: 7, at: 1_200),
        ],
        [.checkpoint(1, bytes: Array("saved".utf8)), .token(1, bytes: Array("token".utf8))],
        [
            .closeIntent(1, attempt: 1, end: .applied, detail: "{\"zh\":\"成功\"}", at: 1_300),
            .item(item(1, .done, attempts: 1), detail: nil, at: 1_300),
            .link(LinkRow(item: 1, number: "记-1", targetID: "100", readBack: Array("{\"n\":1}".utf8), at: 1_300)),
        ],
        received(2) + received(3) + received(4),
        [
            .item(item(2, .held(.mapping)), detail: "{\"field\":\"科目\"}", at: 1_400),
            .item(item(3, .skipped(.filter)), detail: nil, at: 1_400),
            .item(
                item(4, .checking(Check(since: 1_400, nextAt: 1_500, looks: 1)), attempts: 1), detail: nil, at: 1_400),
            .openIntent(4, attempt: 1, epoch: 7, at: 1_350),
            .closeIntent(4, attempt: 1, end: .unknown, detail: nil, at: 1_400),
        ],
        [
            .lane(1, .until(5_000, .throttled)), .flowPaused(1, true, at: 1_450),
            .limitBlock(bucket: "books/per_day", from: 1_100, calls: 2),
            .audit(actor: "li", action: "flow.pause", detail: "{\"flow\":\"claims\"}", at: 1_450),
            .audit(actor: "li", action: "ledger.retry", detail: "{\"items\":[\"2\"]}", at: 1_460),
        ],
        [.hint(stream: 1, document: "doc-9", known: "", at: 1_470), .cursor(stream: 1, bytes: [2, 3], at: 1_470)],
    ]

    private static func item(_ id: ItemID, _ state: ItemState, attempts: Int = 0) -> Item {
        Item(id: id, flow: 1, lane: 1, orderKey: "key \(id)", state: state, attempts: attempts, revision: 1)
    }

    private static func received(_ id: ItemID) -> [Change] {
        [
            .inbox(
                InboxRow(
                    id: id, stream: 1, document: "doc-\(id)", number: "N-\(id)", hash: [UInt8(id)], at: 1_000 + id,
                    revision: 1, payload: Array("{\"id\":\"\(id)\"}".utf8))),
            .origin(
                ItemOrigin(id: id, inbox: id, flow: 1, lane: 1, document: "voucher", ordinal: 0, key: "effect-\(id)")),
            .item(item(id, .ready), detail: nil, at: 1_000 + id),
        ]
    }
}
