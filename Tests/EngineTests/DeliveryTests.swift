import Engine
import Testing

@Suite struct DeliveryTests {
    @Test func intentIsPersistedBeforeTheDocumentIsSent() throws {
        var bench = Bench()
        bench.receive(1)
        let intent = try #require(bench.said.firstIndex(of: .openIntent(1, attempt: 1, epoch: 7)))
        let send = try #require(bench.said.firstIndex(of: .deliver(1, attempt: 1, epoch: 7)))
        #expect(intent < send)
        #expect(bench.state(1) == .delivering(epoch: 7))
    }

    @Test func appliedIsDoneAndForgotten() {
        var bench = Bench()
        bench.receive(1)
        bench.answer(1, .applied)
        #expect(bench.settled == [1: .done])
        #expect(bench.engine.openCount == 0)
        #expect(bench.said.contains(.closeIntent(1, attempt: 1, .applied)))
    }

    @Test func neverMoreInFlightThanTheLaneBears() {
        var bench = Bench(maxInFlight: 2)
        for id: ItemID in 1...5 { bench.receive(id) }
        #expect(bench.engine.inFlight(of: 1) == 2)
        bench.answer(1, .applied)
        #expect(bench.delivered == [3])
        #expect(bench.engine.inFlight(of: 1) == 2)
    }

    @Test func oneKeyIsStrictlyOrderedAndHeldBlocksOnlyIt() {
        var bench = Bench()
        bench.receive(1, key: "A")
        bench.receive(2, key: "A")
        bench.receive(3, key: "B")
        #expect(bench.state(2) == .ready)
        #expect(bench.state(3) == .delivering(epoch: 7))
        bench.fail(1, .invalidRecord, arrived: true)
        #expect(bench.state(1) == .held(.refused(.invalidRecord)))
        #expect(bench.state(2) == .ready)
        bench.step(.skip(1))
        #expect(bench.delivered == [2])
    }

    @Test func aLateAnswerOfAnOlderGenerationChangesNothing() {
        var bench = Bench()
        bench.receive(1)
        bench.answer(1, .applied, epoch: 6)
        #expect(bench.said == [.dropped(1, .stale)])
        #expect(bench.state(1) == .delivering(epoch: 7))
        bench.answer(1, .applied)
        bench.answer(1, .applied)
        #expect(bench.said == [.dropped(1, .unknownItem)])
    }

    @Test(arguments: [FailureClass.invalidRecord, .conflict, .unsupported, .schemaDrift])
    func aClearNoToTheDocumentIsHeld(_ cls: FailureClass) {
        var bench = Bench()
        bench.receive(1)
        bench.fail(1, cls)
        #expect(bench.state(1) == .held(.refused(cls)))
    }

    @Test func transientClimbsTheLadderThenAPersonMustLook() {
        var bench = Bench(ladder: [10_000, 60_000])
        bench.receive(1)
        bench.fail(1, .transient)
        #expect(bench.state(1) == .retrying(at: bench.now + 10_000, class: .transient))
        bench.pass(9_999)
        #expect(bench.delivered.isEmpty)
        bench.pass(1)
        #expect(bench.delivered == [1])
        bench.fail(1, .transient)
        bench.pass(60_000)
        bench.fail(1, .transient)
        #expect(bench.state(1) == .held(.triesSpent(.transient)))
        #expect(bench.engine.item(1)?.attempts == 3)
    }

    @Test func aPoisonDocumentStopsAfterThreeCrashesWhateverTheLadder() {
        var bench = Bench(ladder: [1, 1, 1, 1, 1, 1])
        bench.receive(1)
        for _ in 1...3 {
            bench.fail(1, .bug)
            bench.pass(10)
        }
        #expect(bench.state(1) == .held(.triesSpent(.bug)))
    }

    @Test(arguments: [FailureClass.throttled, .quotaSpent, .authExpired, .unreachable])
    func connectionTroublePausesTheLaneAndSpendsNoTry(_ cls: FailureClass) {
        var bench = Bench(maxInFlight: 1)
        bench.receive(1)
        bench.receive(2)
        bench.fail(1, cls, retryAfter: 5_000)
        #expect(bench.engine.item(1)?.triesSpent == 0)
        #expect(bench.delivered.isEmpty)
        guard case .until(let at, cls)? = bench.engine.pause(of: 1) else {
            Issue.record("the lane is not paused: \(String(describing: bench.engine.pause(of: 1)))")
            return
        }
        bench.pass(at - bench.now)
        #expect(bench.engine.pause(of: 1) == nil)
        #expect(bench.delivered == [1] || bench.delivered == [2])
    }

    @Test func deniedCredentialsStopTheLaneUntilSomeoneResumesIt() {
        var bench = Bench(maxInFlight: 1)
        bench.receive(1)
        bench.fail(1, .authDenied)
        bench.pass(86_400_000)
        #expect(bench.delivered.isEmpty)
        bench.step(.resumeLane(1))
        #expect(bench.delivered == [1])
    }

    @Test func sixteenRefusalsOfOneMomentAreOneTrouble() {
        var bench = Bench()
        for id: ItemID in 1...16 { bench.receive(id) }
        for id: ItemID in 1...16 { bench.fail(id, .unreachable) }
        #expect(bench.engine.pause(of: 1) == .until(bench.now + EngineLimits.firstLanePause, .unreachable))
    }

    @Test func aPausedFlowReceivesAndSendsNothing() {
        var bench = Bench()
        bench.step(.pauseFlow(1, true))
        bench.receive(1)
        #expect(bench.delivered.isEmpty)
        bench.step(.pauseFlow(1, false))
        #expect(bench.delivered == [1])
    }

    @Test func acceptedIsAskedForUntilItIsInEffect() {
        var bench = Bench()
        bench.receive(1)
        bench.answer(1, .atVendor(.accepted, pollAfter: 2_000))
        #expect(bench.state(1)?.seen == .pending)
        bench.pass(2_000)
        #expect(bench.said.contains(.poll(1, attempt: 1)))
        bench.poll(1, .atVendor(.accepted, pollAfter: 2_000))
        bench.pass(2_000)
        bench.poll(1, .applied)
        #expect(bench.settled == [1: .done])
    }

    @Test func aRefusalFoundByPollingIsHeldAndNeverResent() {
        var bench = Bench()
        bench.receive(1)
        bench.answer(1, .atVendor(.accepted, pollAfter: 1_000))
        bench.pass(1_000)
        bench.poll(1, .failed(.invalidRecord, mayHaveArrived: false, retryAfter: nil))
        #expect(bench.state(1) == .held(.refused(.invalidRecord)))
        bench.pass(86_400_000)
        #expect(bench.delivered.isEmpty)
    }

    @Test func whatNobodyCanAskForIsNotTakenAsRefused() {
        var bench = Bench()
        bench.receive(1)
        bench.answer(1, .atVendor(.accepted, pollAfter: 1_000))
        bench.pass(1_000)
        bench.poll(1, .failed(.unsupported, mayHaveArrived: true, retryAfter: nil))
        #expect(bench.state(1) == .held(.vendorSilent))
        // It may be in effect: a correction does not take its place.
        bench.receive(2, key: "k1", prior: .unattempted(1))
        #expect(bench.state(1) == .held(.vendorSilent))
        #expect(bench.state(2) == .held(.changedAfterEffect))
    }

    @Test func silenceForADayAfterAcceptanceNeedsAPerson() {
        var bench = Bench()
        bench.receive(1)
        bench.answer(1, .atVendor(.accepted, pollAfter: 3_600_000))
        for _ in 0..<30 {
            bench.pass(3_600_000)
            bench.poll(1, .atVendor(.accepted, pollAfter: 3_600_000))
        }
        #expect(bench.state(1) == .held(.vendorSilent))
    }
}
