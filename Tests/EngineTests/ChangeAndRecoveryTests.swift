import Engine
import Testing

@Suite struct ChangeAndRecoveryTests {
    @Test func aNewerFormReplacesOneThatWasNeverSent() {
        var bench = Bench(maxInFlight: 0)
        bench.receive(1, key: "doc")
        bench.receive(2, key: "doc", prior: .unattempted(1))
        #expect(bench.settled == [1: .skipped(.superseded)])
        #expect(bench.state(2) == .ready)
    }

    @Test func aFormThatWasSentMeanwhileIsNotReplaced() {
        var bench = Bench()
        bench.receive(1, key: "doc")
        bench.receive(2, key: "doc", prior: .unattempted(1))
        #expect(bench.state(1) == .delivering(epoch: 7))
        #expect(bench.state(2) == .held(.changedAfterEffect))
        #expect(bench.delivered.isEmpty)
    }

    @Test func aCorrectionReplacesWhatWasClearlyRefused() {
        var bench = Bench()
        bench.receive(1, key: "doc")
        bench.fail(1, .invalidRecord, arrived: true)
        bench.receive(2, key: "doc", prior: .unattempted(1))
        #expect(bench.settled == [1: .skipped(.superseded)])
        #expect(bench.delivered == [2])
    }

    @Test func whatTheTargetSaysExistsIsNotReplaced() {
        var bench = Bench()
        bench.receive(1, key: "doc")
        bench.fail(1, .conflict, arrived: true)
        bench.receive(2, key: "doc", prior: .unattempted(1))
        #expect(bench.state(2) == .held(.changedAfterEffect))
    }

    @Test func aPartThatIsGoneIsSupersededUnlessItWasSent() {
        var bench = Bench(maxInFlight: 1)
        bench.receive(1)
        bench.receive(2)
        bench.step(.supersede(2))
        #expect(bench.settled == [2: .skipped(.superseded)])
        bench.step(.supersede(1))
        #expect(bench.said == [.dropped(1, .wrongState)])
    }

    @Test func aFlowThatIsGoneSendsNothingUntilItIsBack() {
        var bench = Bench(maxInFlight: 1)
        bench.receive(1)
        bench.receive(2)
        bench.step(.flowGone(1))
        bench.answer(1, .applied)
        #expect(bench.delivered.isEmpty)
        bench.step(.flow(1, FlowRules(ladder: [1], onChange: .hold)))
        #expect(bench.delivered == [2])
    }

    @Test func aLaneThatComesBackTakesItsItemsIn() {
        var bench = Bench()
        bench.step(
            .recovered(
                Item(id: 5, flow: 1, lane: 9, orderKey: "a", state: .delivering(epoch: 6), attempts: 1, revision: 1)))
        bench.step(
            .recovered(
                Item(
                    id: 6, flow: 1, lane: 9, orderKey: "b", state: .retrying(at: 0, class: .transient), attempts: 1,
                    revision: 1)))
        bench.step(.lane(9, LaneRules(maxInFlight: 1, canFind: true, commitHorizon: 1, epoch: 8)))
        #expect(bench.state(5)?.seen == .checking)
        #expect(bench.delivered == [6])
    }

    @Test func aChangeAfterTheEffectFollowsTheFlow() {
        var hold = Bench(onChange: .hold)
        hold.receive(2, prior: .effect(1))
        #expect(hold.state(2) == .held(.changedAfterEffect))
        var ignore = Bench(onChange: .ignore)
        ignore.receive(2, prior: .effect(1))
        #expect(ignore.settled == [2: .skipped(.changeIgnored)])
    }

    @Test func aCrashWithTheCallOnItsWayIsUnknown() {
        var bench = Bench()
        bench.step(
            .recovered(
                Item(id: 1, flow: 1, lane: 1, orderKey: "k", state: .delivering(epoch: 6), attempts: 1, revision: 1)))
        #expect(bench.state(1)?.seen == .checking)
        #expect(bench.said.contains(.closeIntent(1, attempt: 1, .unknown)))
        #expect(bench.delivered.isEmpty)
    }

    @Test func aQuestionOpenAtTheCrashIsAskedAgain() {
        var bench = Bench()
        bench.step(
            .recovered(
                Item(
                    id: 1, flow: 1, lane: 1, orderKey: "k",
                    state: .checking(Check(since: 0, nextAt: 10, looks: 1, asking: true)), attempts: 1, revision: 1)))
        bench.pass(0)
        #expect(bench.found == [1])
    }

    @Test func whatWasNeverSentIsMappedAgainUnderTheNewRevision() {
        var bench = Bench(maxInFlight: 1)
        bench.receive(1)
        bench.receive(2)
        bench.step(.revision(2))
        #expect(bench.said == [.remap(2)])
        bench.step(.remapped(2, .skip(.mapping), revision: 2))
        #expect(bench.settled == [2: .skipped(.mapping)])
        bench.step(.remapped(1, .ready(orderKey: "x"), revision: 2))
        #expect(bench.said == [.dropped(1, .wrongState)])
    }

    @Test func aHeldMappingIsMappedAgainWhenAPersonRetries() {
        var bench = Bench()
        bench.step(.received(1, flow: 1, lane: 1, .hold, prior: .none, revision: 1))
        #expect(bench.state(1) == .held(.mapping))
        bench.step(.retry(1))
        #expect(bench.said == [.remap(1)])
        bench.step(.remapped(1, .ready(orderKey: "k"), revision: 2))
        #expect(bench.delivered == [1])
        #expect(bench.engine.item(1)?.revision == 2)
    }

    @Test func aRefusedDocumentIsMappedAgainAndSentAgainWhenAPersonRetries() {
        var bench = Bench()
        bench.receive(1)
        bench.fail(1, .invalidRecord, arrived: true)
        bench.step(.retry(1))
        #expect(bench.said == [.remap(1)])
        bench.step(.remapped(1, .ready(orderKey: "k1"), revision: 2))
        #expect(bench.delivered == [1])
        #expect(bench.said.contains(.openIntent(1, attempt: 2, epoch: 7)))
    }

    @Test func personsCannotMoveWhatIsOnItsWay() {
        var bench = Bench()
        bench.receive(1)
        for event in [Event.skip(1), .resolve(1), .retry(1)] {
            bench.step(event)
            #expect(bench.said == [.dropped(1, .wrongState)])
        }
    }

    @Test func anUnknownOutcomeIsResolvedButNotSkipped() {
        var bench = Bench()
        bench.receive(1)
        bench.fail(1, .transient, arrived: true)
        bench.step(.skip(1))
        #expect(bench.said == [.dropped(1, .wrongState)])
        bench.step(.resolve(1))
        #expect(bench.settled == [1: .done])
    }

    @Test func theHorizonIsMeasuredByOneProcess() {
        // The process that wrote this had its clock an hour behind: not an hour has passed.
        var bench = Bench()
        let check = Check(since: bench.now - 3_600_000, nextAt: bench.now - 1, looks: 1)
        bench.step(
            .recovered(Item(id: 1, flow: 1, lane: 1, orderKey: "k1", state: .checking(check), attempts: 1, revision: 1))
        )
        bench.pass(0)
        #expect(bench.found == [1])
        bench.look(1, .absent)
        #expect(bench.state(1)?.seen == .checking)
        bench.pass(60_000)
        bench.look(1, .absent)
        #expect(bench.state(1)?.seen == .pending)
    }

    @Test func whatAProcessWithAClockAheadLeftWaitsNoLongerThanItsLadder() {
        var bench = Bench()
        let state = ItemState.retrying(at: bench.now + 86_400_000, class: .transient)
        bench.step(
            .recovered(Item(id: 1, flow: 1, lane: 1, orderKey: "k1", state: state, attempts: 1, revision: 1)))
        bench.pass(300_000)
        #expect(bench.delivered == [1])
    }
}
