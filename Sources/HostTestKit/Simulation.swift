import Engine
import Host
import Ledger
import Values
import Vault

/// Days of a customer in virtual time: the real configuration, mapping, engine, conductor and ledger between an office
/// system and books that do everything systems do. Ends with every document accounted for, or throws the first thing
/// that is not right, with the seed that makes it happen again.
public struct Simulation {
    /// How much of everything.
    public struct Plan: Sendable {
        /// What chance makes of it.
        public var seed: UInt64
        /// Days with claims; the books have quiet days after them to come to rest.
        public var days: Int
        /// Claims on a working day.
        public var claimsPerDay = 10
        /// Chances per thousand of each misfortune.
        public var faults = Faults()

        /// A plan.
        public init(seed: UInt64, days: Int) {
            self.seed = seed
            self.days = days
        }
    }

    /// Chances per thousand.
    public struct Faults: Sendable {
        /// Of an event: never comes, comes twice, comes an hour late.
        public var lostEvent = 80, doubledEvent = 80, lateEvent = 80
        /// Of a claim: changes after it was approved.
        public var change = 20
        /// Of a fetch: fails.
        public var fetch = 50
        /// Of a write: each of its fates but success.
        public var lostCommitted = 20, lostNothing = 15, lostLate = 15, refused = 10, throttled = 20, sessionGone = 20
        /// See `lostCommitted`.
        public var unreachable = 20, crash = 10, accepted = 20, denied = 2
        /// Of a commit that comes late: the clock is set ahead meanwhile.
        public var clockWhileLate = 200
        /// Of a look-up or a poll: fails.
        public var look = 50
        /// Of a day: the host is killed, is killed in the middle of an answer, its clock is set, the books are down all day.
        public var kill = 300, clock = 50, down = 10
    }

    /// What happened.
    public struct Report: Sendable {
        /// Claims filed, approved ones among them, and of these those with a voucher.
        public var claims = 0, approved = 0, booked = 0
        /// Claims a person settled otherwise.
        public var byPerson = 0
        /// Misfortunes by name.
        public var misfortunes: [String: Int] = [:]
        /// Virtual days, with the quiet ones.
        public var days = 0
        /// Depends on everything that happened, in its order.
        public var trace: UInt64 = 0xcbf2_9ce4_8422_2325
    }

    /// Something that must never be.
    public struct Broken: Error, CustomStringConvertible {
        /// What, when, and the seed.
        public let description: String
    }

    /// Runs it in a folder, where the ledger's file is kept.
    public static func run(_ plan: Plan, folder: String) throws -> Report {
        var world = try VirtualWorld(plan, folder: folder)
        do {
            try world.live()
            return world.report
        } catch let broken as Broken {
            throw broken
        } catch {
            throw Broken(description: "seed \(plan.seed), \(world.moment): \(error)")
        }
    }
}

/// The product's sealer under a key of the simulation.
struct SimulationSealer: PayloadSealing {
    private let sealer: PayloadSealer

    init() throws { sealer = try PayloadSealer(dataKey: try SecretBytes.random(count: 32)) }

    func seal(_ bytes: [UInt8], context: String) throws -> [UInt8] { try sealer.seal(bytes, aad: Array(context.utf8)) }
    func open(_ sealed: [UInt8], context: String) throws -> [UInt8] {
        try sealer.open(sealed, aad: Array(context.utf8))
    }
    func keyedHash(_ bytes: [UInt8]) throws -> [UInt8] { sealer.keyedHash(bytes) }
}
