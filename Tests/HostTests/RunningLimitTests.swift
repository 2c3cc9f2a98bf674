import Engine
import Synchronization
import Testing
import Values

@testable import Host

@Suite("Limits: no window above its figure, across restarts")
struct RunningLimitTests {
    /// What the ledger holds of debits, added up per bucket and beginning as the table does.
    final class Debits: Sendable {
        private let rows = Mutex<[String: [Milliseconds: Int]]>([:])
        func pay(_ bucket: String, _ at: Milliseconds, _ calls: Int) {
            rows.withLock { $0[bucket, default: [:]][at, default: 0] += calls }
        }
        func paid(_ bucket: String, from: Milliseconds) -> [(at: Milliseconds, calls: Int)] {
            rows.withLock { rows in
                (rows[bucket] ?? [:]).filter { $0.key >= from }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            }
        }
        var total: Int { rows.withLock { $0.values.reduce(0) { $0 + $1.values.reduce(0, +) } } }
    }

    private let clock = FakeClock(600_000)
    private let debits = Debits()

    private func keeper() -> LimitKeeper {
        let (clock, debits) = (clock, debits)
        return LimitKeeper(
            now: { clock.now }, pay: { debits.pay($0, $1, $2) }, paid: { debits.paid($0, from: $1) })
    }

    private func rule(_ id: String, window: Int64?, max: Int, meter: String = "") -> LimitRule {
        LimitRule(id: id, window: window, max: max, meter: meter)
    }

    /// Calls that go at this moment, at most `most`.
    private func goingNow(_ keeper: LimitKeeper, meter: String = "", most: Int = 1_000) async -> Int {
        var count = 0
        while count < most, await keeper.enter("books", meter: meter, deadline: clock.now) {
            keeper.leave("books")
            count += 1
        }
        return count
    }

    private func spent(_ keeper: LimitKeeper, _ id: String) -> Int? {
        keeper.report("books").first { $0["id"]?.string == id }.flatMap { $0["spent"]?.int.map { Int($0) } }
    }

    // MARK: failures

    @Test("a debit is outlived after twice its window, never before; what is not durable has none")
    func outlived() {
        let keeper = keeper()
        keeper.set(
            "books",
            [
                rule("per_second", window: 1_000, max: 3), rule("per_hour", window: 3_600_000, max: 3),
                rule("at_once", window: nil, max: 3),
            ])
        clock.advance(10_000_000)
        #expect(keeper.outlived() == ["books/per_hour": clock.now - 7_200_000])
    }

    @Test("not before the deadline: refused at once, and nothing is spent")
    func deadline() async {
        let keeper = keeper()
        keeper.set("books", [rule("per_second", window: 1_000, max: 3)])
        #expect(await goingNow(keeper) == 0, "a short window begins full: what ran before the start may lie in it")
        clock.advance(1_010)
        #expect(await goingNow(keeper) == 3)
        #expect(await keeper.enter("books", meter: "", deadline: clock.now + 500) == false)
        clock.advance(1_010)
        #expect(await goingNow(keeper) == 3)
    }

    @Test("a deadline that has passed is refused though there is room: also after waiting for a place")
    func passedDeadline() async {
        let keeper = keeper()
        keeper.set("books", [rule("concurrency", window: nil, max: 1)])
        guard await !keeper.enter("books", meter: "", deadline: clock.now - 1) else {
            Issue.record("a call after its deadline")
            return
        }
        #expect(await keeper.enter("books", meter: "", deadline: clock.now + 10))
        let deadline = clock.now + 10
        let late = Task { await keeper.enter("books", meter: "", deadline: deadline) }
        for _ in 1...50 { await Task.yield() }
        clock.advance(11)
        keeper.leave("books")
        #expect(await late.value == false)
        #expect(await keeper.enter("books", meter: "", deadline: clock.now), "the refused call gave its place back")
    }

    @Test("cancelled while waiting for a place or for time: refused, and the place goes to the next")
    func cancelled() async {
        let keeper = keeper()
        keeper.set("books", [rule("concurrency", window: nil, max: 1), rule("per_second", window: 1_000, max: 1)])
        clock.advance(1_010)
        #expect(await keeper.enter("books", meter: "", deadline: .max / 2))
        let forPlace = Task { await keeper.enter("books", meter: "", deadline: .max / 2) }
        forPlace.cancel()
        #expect(await forPlace.value == false)
        keeper.leave("books")
        let forTime = Task { await keeper.enter("books", meter: "", deadline: .max / 2) }
        forTime.cancel()
        #expect(await forTime.value == false)
        clock.advance(1_010)
        #expect(await keeper.enter("books", meter: "", deadline: clock.now))
    }

    @Test("what is left of a block paid long ago does not come on top of a full window")
    func oldRemainder() async {
        let keeper = keeper()
        // Blocks of two calls.
        keeper.set("books", [rule("per_minute", window: 60_000, max: 200)])
        #expect(await goingNow(keeper, most: 1) == 1)
        clock.advance(59_000)
        #expect(await goingNow(keeper, most: 1) == 1, "the second call of the block, 59 seconds later")
        clock.advance(2_000)
        #expect(await goingNow(keeper) == 199, "with the one two seconds ago that is the figure")
        #expect(debits.total >= 201)
    }

    @Test("what is left of such a block does not come on top either when the process died in between")
    func oldRemainderOverRestart() async {
        let first = keeper()
        first.set("books", [rule("per_minute", window: 60_000, max: 200)])
        #expect(await goingNow(first, most: 1) == 1)
        clock.advance(59_000)
        #expect(await goingNow(first, most: 1) == 1)
        clock.advance(2_000)
        let second = keeper()
        second.set("books", [rule("per_minute", window: 60_000, max: 200)])
        #expect(await goingNow(second) <= 199)
    }

    @Test("a figure lowered by a revision counts what was spent under the old one")
    func lowered() async {
        let keeper = keeper()
        keeper.set("books", [rule("per_second", window: 1_000, max: 5), rule("per_minute", window: 60_000, max: 100)])
        clock.advance(1_010)
        #expect(await goingNow(keeper) == 5)
        keeper.set("books", [rule("per_second", window: 1_000, max: 3), rule("per_minute", window: 60_000, max: 100)])
        #expect(await goingNow(keeper) == 0, "five went in this second already")
        clock.advance(1_010)
        #expect(await goingNow(keeper) == 3)
        #expect(spent(keeper, "per_minute") == 8)
        keeper.set("books", [rule("per_minute", window: 60_000, max: 7)])
        #expect(await goingNow(keeper) == 0)
    }

    @Test("a crash counts the block as spent")
    func restart() async {
        let rules = [rule("per_day", window: 86_400_000, max: 1_000)]
        let first = keeper()
        first.set("books", rules)
        #expect(await goingNow(first, most: 3) == 3)
        #expect(spent(first, "per_day") == 3)
        // Blocks of ten were paid: after a crash nobody knows how many calls of it went.
        let second = keeper()
        second.set("books", rules)
        #expect(spent(second, "per_day") == 10)
        #expect(await goingNow(second, most: 2_000) == 990)
        clock.advance(3_600_000)
        let third = keeper()
        third.set("books", rules)
        #expect(await goingNow(third) == 0)
        clock.advance(86_400_000)
        #expect(await goingNow(third, most: 2_000) == 1_000)
    }

    // MARK: the way it should go

    @Test("eight tasks against one window: exactly the figure goes in each window, whoever comes first")
    func eightTasks() async {
        let keeper = keeper()
        keeper.set("books", [rule("burst", window: 100, max: 5)])
        let gone = Held(0)
        let tasks = (1...8).map { _ in
            Task { [clock] in
                for _ in 1...5 {
                    guard await keeper.enter("books", meter: "", deadline: clock.now + 1_000_000) else { return }
                    gone.change { $0 += 1 }
                    keeper.leave("books")
                }
            }
        }
        for window in 0...8 {
            // While the clock stands, exactly so many can go; the pause is long enough for one too many to show.
            let expected = min(5 * window, 40)
            while gone.value < expected { try? await Task.sleep(for: .milliseconds(1)) }
            try? await Task.sleep(for: .milliseconds(120))
            #expect(gone.value == expected)
            clock.advance(window.isMultiple(of: 2) ? 101 : 150)
        }
        for task in tasks { await task.value }
    }

    @Test("calls at once: never above the figure, and all get their turn")
    func concurrency() async {
        let keeper = keeper()
        keeper.set("books", [rule("concurrency", window: nil, max: 3)])
        let running = Held((now: 0, most: 0))
        await withTaskGroup(of: Void.self) { group in
            for _ in 1...8 {
                group.addTask { [clock] in
                    for _ in 1...20 {
                        guard await keeper.enter("books", meter: "", deadline: clock.now + 1_000) else { return }
                        running.change {
                            $0.now += 1
                            $0.most = max($0.most, $0.now)
                        }
                        await Task.yield()
                        running.change { $0.now -= 1 }
                        keeper.leave("books")
                    }
                }
            }
        }
        #expect(running.value.most <= 3)
        #expect(running.value.most > 1)
    }

    @Test("a meter's window counts its own calls only; a window without a meter counts all")
    func meters() async {
        let keeper = keeper()
        keeper.set(
            "books",
            [
                rule("writes", window: 60_000, max: 2, meter: "write"), rule("all", window: 60_000, max: 5),
            ])
        #expect(await goingNow(keeper, meter: "write") == 2)
        #expect(await goingNow(keeper, meter: "read") == 3)
        #expect(spent(keeper, "writes") == 2)
        #expect(spent(keeper, "all") == 5)
    }

    @Test("another connection, and one without limits, are not held up")
    func others() async {
        let keeper = keeper()
        keeper.set("books", [rule("per_minute", window: 60_000, max: 1)])
        keeper.set("office", [])
        #expect(await goingNow(keeper) == 1)
        #expect(await keeper.enter("office", meter: "", deadline: clock.now))
        #expect(await keeper.enter("nobody", meter: "", deadline: clock.now))
    }

    @Test(
        "a throttled answer halves the rate of short windows, once for answers of one moment; quiet minutes bring it back"
    )
    func throttled() async {
        let keeper = keeper()
        keeper.set(
            "books", [rule("per_second", window: 1_000, max: 10), rule("per_day", window: 86_400_000, max: 500)])
        clock.advance(1_010)
        #expect(await goingNow(keeper) == 10)
        for _ in 1...16 { keeper.throttled("books") }
        clock.advance(1_010)
        #expect(await goingNow(keeper) == 5)
        clock.advance(60_000)
        #expect(await goingNow(keeper) == 6)
        clock.advance(600_000)
        #expect(await goingNow(keeper) == 10)
        #expect(spent(keeper, "per_day") == 31)
    }

    @Test("a revision that changes nothing keeps the counts")
    func unchanged() async {
        let keeper = keeper()
        let rules = [
            rule("per_second", window: 1_000, max: 3), rule("per_minute", window: 60_000, max: 10),
            rule("per_day", window: 86_400_000, max: 1_000),
        ]
        keeper.set("books", rules)
        clock.advance(1_010)
        #expect(await goingNow(keeper) == 3)
        keeper.set("books", rules)
        #expect(await goingNow(keeper) == 0)
        #expect(spent(keeper, "per_minute") == 3)
        #expect(spent(keeper, "per_day") == 3, "what is left of a block is not lost with every revision")
    }
}
