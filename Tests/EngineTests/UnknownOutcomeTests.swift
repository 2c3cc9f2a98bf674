import Engine
import Testing

@Suite struct UnknownOutcomeTests {
    /// One item whose outcome is unknown.
    private func unknown(_ bench: Bench = Bench()) -> Bench {
        var bench = bench
        bench.receive(1)
        bench.fail(1, .transient, arrived: true)
        return bench
    }

    @Test(arguments: FailureClass.allCases.filter { !$0.isDefinitiveRefusal })
    func afterTheFirstByteOnlyAClearAnswerEndsTheAttempt(_ cls: FailureClass) {
        var bench = Bench()
        bench.receive(1)
        bench.fail(1, cls, arrived: true)
        #expect(bench.state(1)?.seen == .checking)
        #expect(bench.said.contains(.closeIntent(1, attempt: 1, .unknown)))
        #expect(bench.delivered.isEmpty)
    }

    @Test func whatNeverLeftIsNotUnknown() {
        var bench = Bench()
        bench.receive(1)
        bench.fail(1, .unknownOutcome, arrived: false)
        #expect(bench.state(1)?.seen == .pending)
    }

    @Test func foundOnceIsDone() {
        var bench = unknown()
        bench.pass(EngineLimits.firstLookAfter)
        #expect(bench.found == [1])
        bench.look(1, .found(count: 1))
        #expect(bench.settled == [1: .done])
    }

    @Test func foundTwiceNeedsAPersonAndIsNeverSkipped() {
        var bench = unknown()
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .found(count: 2))
        #expect(bench.state(1) == .held(.severalFound))
        bench.step(.skip(1))
        #expect(bench.said == [.dropped(1, .wrongState)])
        bench.step(.resolve(1))
        #expect(bench.settled == [1: .done])
    }

    @Test func oneAbsentAnswerProvesNothing() {
        var bench = unknown(Bench(horizon: 60_000))
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .absent)
        #expect(bench.state(1)?.seen == .checking)
        bench.pass(50_000)
        #expect(bench.found.isEmpty && bench.delivered.isEmpty)
        bench.pass(9_000)
        #expect(bench.found == [1])
        // The slow target committed meanwhile.
        bench.look(1, .found(count: 1))
        #expect(bench.settled == [1: .done])
    }

    @Test func absentTwiceTheSecondTimeAfterTheHorizonGoesAgain() {
        var bench = unknown(Bench(horizon: 60_000, ladder: [1_000]))
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .absent)
        bench.pass(60_000)
        bench.look(1, .absent)
        #expect(bench.state(1)?.seen == .pending)
        bench.pass(1_000)
        #expect(bench.delivered == [1])
        #expect(bench.engine.item(1)?.attempts == 2)
    }

    @Test func aLookAskedBeforeTheHorizonDoesNotCountAsTheLast() {
        var bench = unknown(Bench(horizon: 60_000))
        bench.pass(EngineLimits.firstLookAfter)
        // The answer takes longer than the horizon: it still speaks of the time it was asked.
        bench.now += 90_000
        bench.look(1, .absent)
        #expect(bench.state(1)?.seen == .checking)
    }

    @Test func aSecondAbsenceBeforeTheHorizonProvesNothingEither() {
        var bench = unknown(Bench(horizon: 60_000, ladder: [1]))
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .absent)
        // A person is in a hurry, more than once.
        for _ in 1...3 {
            bench.step(.retry(1))
            bench.pass(1_000)
            #expect(bench.found == [1])
            bench.look(1, .absent)
            #expect(bench.state(1)?.seen == .checking)
        }
        // Nor one that was asked for before it and answered after it.
        bench.step(.retry(1))
        bench.pass(0)
        bench.now += 90_000
        bench.look(1, .absent)
        #expect(bench.state(1)?.seen == .checking)
        bench.pass(EngineLimits.firstLookAfter)
        #expect(bench.found == [1])
        bench.look(1, .absent)
        #expect(bench.state(1)?.seen == .pending)
    }

    @Test func aFirstAbsenceAfterTheHorizonIsStillOnlyOne() {
        var bench = unknown(Bench(horizon: 500, ladder: [1]))
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .absent)
        #expect(bench.state(1)?.seen == .checking)
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .absent)
        #expect(bench.state(1)?.seen == .pending)
    }

    @Test func aTargetThatRefusesDuplicatesIsAskedOnlyOnce() {
        var bench = unknown(Bench(unique: true, ladder: [1]))
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .absent)
        bench.pass(1)
        #expect(bench.delivered == [1])
    }

    @Test func withoutFindAPersonMustLook() {
        var bench = unknown(Bench(canFind: false))
        #expect(bench.state(1) == .held(.cannotFind))
        bench.pass(86_400_000)
        #expect(bench.delivered.isEmpty)
        bench.step(.retry(1))
        #expect(bench.said == [.dropped(1, .wrongState)])
    }

    @Test func messagesTakeAnUnknownOutcomeAsDone() {
        let bench = unknown(Bench(canFind: false, settlesUnknown: true))
        #expect(bench.settled == [1: .done])
    }

    @Test func aMessageThatCanBeLookedForIsLookedForFirst() {
        var bench = unknown(Bench(settlesUnknown: true))
        #expect(bench.state(1)?.seen == .checking)
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .unsupported)
        #expect(bench.settled == [1: .done])
    }

    @Test func anotherCompanysBooksProveNothing() {
        var bench = unknown()
        bench.step(.targetChanged(1))
        #expect(bench.state(1) == .held(.otherBooks))
        bench.step(.retry(1))
        #expect(bench.said == [.dropped(1, .wrongState)])
        bench.step(.skip(1))
        #expect(bench.said == [.dropped(1, .wrongState)])
    }

    @Test func whatWaitsForAPersonToLookWaitsForOneWhoLooksInTheFormerBooks() {
        var bench = unknown()
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .found(count: 2))
        bench.step(.targetChanged(1))
        #expect(bench.state(1) == .held(.otherBooks))
        // A retry would look in the new books, find nothing and send it again.
        bench.step(.retry(1))
        #expect(bench.said == [.dropped(1, .wrongState)])
    }

    @Test func whatIsOnItsWayToTheFormerBooksIsNotLookedForInTheNewOnes() {
        var bench = Bench()
        for id: ItemID in 1...4 { bench.receive(id) }
        bench.step(.targetChanged(1))
        bench.step(.lane(1, LaneRules(maxInFlight: 16, canFind: true, commitHorizon: 60_000, epoch: 8, booksSince: 8)))
        bench.fail(1, .transient, arrived: true)
        #expect(bench.state(1) == .held(.otherBooks))
        bench.answer(2, .atVendor(.accepted, pollAfter: 1_000))
        #expect(bench.state(2) == .held(.otherBooks))
        // What certainly did not get there goes on to the new books, and is looked for there.
        bench.fail(3, .transient)
        bench.pass(20_000)
        #expect(bench.delivered == [3])
        bench.answer(3, .failed(.transient, mayHaveArrived: true, retryAfter: nil), epoch: 8)
        #expect(bench.state(3)?.seen == .checking)
        bench.answer(4, .applied)
        #expect(bench.settled == [4: .done])
    }

    @Test func whatWasOnItsWayToTheFormerBooksAtACrashIsNotLookedForInTheNewOnes() {
        var bench = Bench()
        bench.step(.lane(1, LaneRules(maxInFlight: 16, canFind: true, commitHorizon: 60_000, epoch: 8, booksSince: 8)))
        for (id, epoch) in [(1, 7), (2, 8)] {
            let state = ItemState.delivering(epoch: Int64(epoch))
            bench.step(
                .recovered(
                    Item(id: ItemID(id), flow: 1, lane: 1, orderKey: "k\(id)", state: state, attempts: 1, revision: 1)))
        }
        #expect(bench.state(1) == .held(.otherBooks))
        #expect(bench.state(2)?.seen == .checking)
    }

    @Test func aPersonSaysThatItIsNotThereWhereNobodyElseCanLook() {
        var bench = unknown(Bench(canFind: false))
        bench.step(.absent(1))
        #expect(bench.delivered == [1])
        bench.step(.absent(1))
        #expect(bench.said == [.dropped(1, .wrongState)])
        // What the host can look up itself is looked up.
        var checking = unknown()
        checking.step(.absent(1))
        #expect(checking.said == [.dropped(1, .wrongState)])
        checking.step(.absent(9))
        #expect(checking.said == [.dropped(9, .unknownItem)])
    }

    @Test func failedLooksAreAskedAgainEverMoreSeldom() {
        var bench = unknown()
        bench.pass(EngineLimits.firstLookAfter)
        var waits: [Milliseconds] = []
        for _ in 1...12 {
            bench.look(1, .failed(.transient, retryAfter: nil))
            let asked = bench.now
            while let wake = bench.engine.nextWake, bench.found.isEmpty { bench.pass(max(wake - bench.now, 0)) }
            waits.append(bench.now - asked)
        }
        #expect(waits.first == EngineLimits.failedLookWait)
        #expect(waits.last == EngineLimits.longestLookWait)
        #expect(waits == waits.sorted())
    }

    @Test func theAnswerOfALookAfterAnEarlierAttemptIsNotHeard() {
        var bench = unknown()
        bench.pass(EngineLimits.firstLookAfter)
        #expect(bench.said == [.find(1, attempt: 1)])
        // While it is looked for, the connection is led elsewhere, a person looks, and it is sent again.
        bench.step(.targetChanged(1))
        bench.step(.absent(1))
        bench.fail(1, .transient, arrived: true)
        bench.pass(EngineLimits.firstLookAfter)
        #expect(bench.said == [.find(1, attempt: 2)])
        for late in [FindAnswer.absent, .found(count: 1)] {
            bench.step(.found(1, attempt: 1, late))
            #expect(bench.said == [.dropped(1, .stale)])
        }
        bench.look(1, .found(count: 1))
        #expect(bench.settled == [1: .done])
    }

    @Test func aFailedLookIsRepeatedAndSendsNothing() {
        var bench = unknown()
        for _ in 1...20 {
            while bench.found.isEmpty { bench.pass(1_000) }
            bench.look(1, .failed(.transient, retryAfter: nil))
            #expect(bench.delivered.isEmpty)
            #expect(bench.state(1)?.seen == .checking)
        }
    }

    @Test func anUnreachableTargetIsNotAskedWhileTheLaneIsPaused() {
        var bench = unknown()
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .failed(.authDenied, retryAfter: nil))
        bench.pass(86_400_000)
        #expect(bench.found.isEmpty)
        bench.step(.resumeLane(1))
        bench.pass(0)
        #expect(bench.found == [1])
    }

    @Test func theLadderEndsResending() {
        var bench = unknown(Bench(unique: true, ladder: [1]))
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .absent)
        bench.pass(1)
        bench.fail(1, .transient, arrived: true)
        bench.pass(EngineLimits.firstLookAfter)
        bench.look(1, .absent)
        #expect(bench.state(1) == .held(.triesSpent(.unknownOutcome)))
        // A person's retry looks again, and what is then absent goes again.
        bench.step(.retry(1))
        bench.pass(0)
        #expect(bench.found == [1])
        bench.look(1, .absent)
        bench.pass(1)
        #expect(bench.delivered == [1])
    }
}
