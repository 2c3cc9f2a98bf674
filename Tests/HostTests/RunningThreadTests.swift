import Engine
import Foundation
import Ledger
import Synchronization
import Testing
import Values
import Workers

@testable import Host

@Suite("The conductor's thread")
struct RunningConductorThreadTests {
    private func conductor(_ host: Rehearsal) throws -> Conductor {
        let clock = host.clock
        let conductor = Conductor(
            ledger: host.ledger, sealer: host.sealer, actor: host.actor, log: HostLog.quiet, clock: clock.both)
        conductor.begin(try host.ledger.start(), plan: host.plan)
        return conductor
    }

    @Test("a person who asks while the ledger dies is told why, and so is whoever asks afterwards")
    func deadLedgerAnswers() async throws {
        let host = try Rehearsal()
        let conductor = try conductor(host)
        let document = Rehearsal.claim("a")
        let stream = host.flow.stream
        host.sealer.fail(true)
        let replies = [Reply(), Reply()]
        conductor.send(.received(stream: stream, [document], cursor: nil, fetched: []) {})
        for reply in replies {
            await answered(reply) { conductor.send(.person(.audit(actor: "li", action: "x", detail: [:]), reply: $0)) }
        }
        #expect(replies.map(\.code) == ["E-LEDGER-003", "E-LEDGER-003"])
        // A command that ends beside a dead ledger ends: it hangs on nothing.
        let stopped = await within { done in conductor.send(.stop(done: done)) }
        #expect(stopped)
        let looked = await within { done in conductor.send(.inspect { _ in done() }) }
        #expect(looked)
        #expect(host.actor.log.order == ["died"])
    }

    @Test("documents that arrive together are acknowledged together, and stop comes after all of them")
    func stop() async throws {
        let host = try Rehearsal()
        let conductor = try conductor(host)
        let actor = host.actor
        let stream = host.flow.stream
        for name in 1...20 {
            conductor.send(
                .received(stream: stream, [Rehearsal.claim("\(name)")], cursor: nil, fetched: []) {
                    actor.note("ack")
                })
        }
        let stopped = await within { done in conductor.send(.stop(done: done)) }
        #expect(stopped)
        #expect(actor.log.order.filter { $0 == "ack" }.count == 20)
        #expect(try host.ledger.counts().first?.read == 20)
    }

    private func answered(_ reply: Reply, _ ask: (@escaping @Sendable (Result<JSON, Problem>) -> Void) -> Void) async {
        _ = await within { done in
            ask {
                reply.take($0)
                done()
            }
        }
    }
}

/// Whether `body` calls `done` at all; the bound is only there so that a lost answer fails instead of hanging.
func within(_ body: (@escaping @Sendable () -> Void) -> Void) async -> Bool {
    let box = Box()
    return await withCheckedContinuation { continuation in
        box.state.withLock { $0 = continuation }
        body { box.finish(true) }
        Task {
            try? await Task.sleep(for: .seconds(120))
            box.finish(false)
        }
    }
}

private final class Box: Sendable {
    let state = Mutex<CheckedContinuation<Bool, Never>?>(nil)
    func finish(_ value: Bool) {
        let waiting = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            defer { state = nil }
            return state
        }
        waiting?.resume(returning: value)
    }
}
