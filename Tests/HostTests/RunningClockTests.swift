import Engine
import Testing
import Values

@testable import Host

@Suite("A machine's clock is set, and no time passes by it")
struct RunningClockTests {
    /// A document whose outcome is unknown and that was looked for once.
    private func looked() throws -> Rehearsal {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.failed(try host.delivery, .transient, arrived: true))
        host.later(EngineLimits.firstLookAfter)
        return host
    }

    @Test(
        "set an hour ahead while a document is looked for: the target has no less time to commit", arguments: [1, -1])
    func horizon(_ direction: Int64) throws {
        let host = try looked()
        host.clock.step(direction * 3_600_000)
        host.round(.found(try #require(host.actor.log.finds.last), .absent, nil, detail: nil))
        host.later(HostLimits.commitHorizonMs - EngineLimits.firstLookAfter - 1)
        #expect(host.actor.log.finds.count == 1)
        host.later(1)
        #expect(host.actor.log.finds.count == 2)
        host.round(.found(try #require(host.actor.log.finds.last), .absent, nil, detail: nil))
        host.later(ConfigurationLimits.standardLadder[0])
        #expect(host.actor.log.deliveries.count == 2)
    }

    @Test("set back by a day: what waits for its next try goes when its time has passed, not a day later")
    func backwards() throws {
        let host = try Rehearsal()
        host.round(host.received(Rehearsal.claim("a")))
        host.round(Rehearsal.failed(try host.delivery, .transient))
        host.clock.step(-86_400_000)
        host.later(ConfigurationLimits.standardLadder[0])
        #expect(host.actor.log.deliveries.count == 2)
    }

    @Test("rows bear the machine's time, for people")
    func rows() throws {
        let host = try Rehearsal()
        host.clock.step(86_400_000)
        host.round(host.received(Rehearsal.claim("a")))
        #expect(try host.items().first?.at == host.clock.both.wall())
    }

    @Test("the machine's clocks begin together and go on")
    func system() {
        let clock = HostClock.system
        let (wall, steady) = (clock.wall(), clock.steady())
        #expect(abs(wall - steady) < 60_000)
        #expect(clock.steady() >= steady)
    }
}
