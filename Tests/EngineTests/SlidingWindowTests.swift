import Engine
import Testing

@Suite struct SlidingWindowTests {
    @Test func noWindowOfAnyPositionHoldsMoreThanItsFigure() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20 {
            let length = Milliseconds.random(in: 10...5_000, using: &random)
            let most = Int.random(in: 1...40, using: &random)
            var window = SlidingWindow(length: length, max: most)
            var calls: [Milliseconds] = []
            var now: Milliseconds = 0
            for _ in 0..<3_000 {
                now += Milliseconds.random(in: 0...(length / 20 + 1), using: &random)
                if window.wait(now) == 0 {
                    window.count(at: now)
                    calls.append(now)
                }
            }
            for (index, first) in calls.enumerated() {
                let inside = calls[index...].prefix { $0 < first + length }.count
                #expect(inside <= most, "window \(length) ms, \(most) calls, at \(first)")
            }
            #expect(calls.count > most, "the window lets calls through again")
        }
    }

    @Test func theWaitIsEnough() {
        var window = SlidingWindow(length: 1_000, max: 2)
        window.count(2, at: 500)
        let wait = window.wait(600)
        #expect(wait > 0)
        #expect(window.wait(600 + wait) == 0)
    }

    @Test func aClockThatStepsBackFreesNothing() {
        var window = SlidingWindow(length: 1_000, max: 1)
        window.count(at: 10_000)
        #expect(window.wait(9_000) > 0)
        window.count(at: 9_000)
        #expect(window.spent(9_000) == 2)
    }
}

@Suite struct SlowedWindowTests {
    @Test func aSlowedRateLetsFewerCallsThroughAndRecovers() {
        var window = SlidingWindow(length: 1_000, max: 10)
        for _ in 0..<5 {
            #expect(window.wait(0, percent: 50) == 0)
            window.count(at: 0)
        }
        let wait = window.wait(0, percent: 50)
        #expect(wait > 0)
        #expect(window.wait(0) == 0)
        #expect(window.wait(wait, percent: 50) == 0)
    }

    @Test func theLowestRateStillLetsOneCallThrough() {
        var window = SlidingWindow(length: 1_000, max: 3)
        #expect(window.wait(0, percent: 5) == 0)
        window.count(at: 0)
        #expect(window.wait(0, percent: 5) > 0)
    }
}
