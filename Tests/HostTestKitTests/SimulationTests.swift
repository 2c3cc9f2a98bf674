import Foundation
import Glibc
import Testing

@testable import HostTestKit

@Suite("A customer's days in virtual time")
struct SimulationTests {
    /// Seeds of stories that once went wrong: they are lived through again every time.
    static let seeds: [UInt64] = [1, 2, 3]

    private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// On a thread of its own: the pools' few threads are for tests that wait for answers in time.
    private func run(_ plan: Simulation.Plan) async throws -> Simulation.Report {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try Self.live(plan) }) }
        }
    }

    private static func live(_ plan: Simulation.Plan) throws -> Simulation.Report {
        // In memory where the machine has that: nothing here is about the disk.
        var template = Array(((access("/dev/shm", W_OK) == 0) ? "/dev/shm" : "/tmp").utf8CString.dropLast())
        template += Array("/datong-days-XXXXXX".utf8CString)
        let folder = String(cString: mkdtemp(&template))
        defer {
            for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] { unlink(folder + "/" + name) }
            rmdir(folder)
        }
        return try Simulation.run(plan, folder: folder)
    }

    @Test(arguments: seeds)
    func someMonths(_ seed: UInt64) async throws {
        let report = try await run(Simulation.Plan(seed: seed, days: 120))
        let misfortunes = report.misfortunes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        print(
            "virtual days, seed \(seed): \(report.days) days, \(report.claims) claims, \(report.approved) approved, \(report.booked) booked; \(misfortunes.joined(separator: ", "))"
        )
        #expect(report.booked == report.approved)
        #expect(report.misfortunes.count >= 15)
    }

    /// `make sim`: as many years as asked for, with seeds nobody has tried; `DATONG_SEED` for one of them again.
    @Test(.enabled(if: environment("DATONG_SIM_YEARS") != nil))
    func manyYears() async throws {
        let years = Self.environment("DATONG_SIM_YEARS").flatMap { Int($0) } ?? 1
        let chosen = Self.environment("DATONG_SEED").flatMap { UInt64($0) }
        for year in 1...max(years, 1) {
            let seed = chosen ?? UInt64.random(in: 1_000...UInt64(UInt32.max))
            let report = try await run(Simulation.Plan(seed: seed, days: 359))
            print(
                "virtual year \(year), seed \(seed): \(report.claims) claims, \(report.booked) booked, all accounted for"
            )
            if chosen != nil { return }
        }
    }

    @Test func theSameSeedIsTheSameStory() async throws {
        let plan = Simulation.Plan(seed: 7, days: 20)
        let (one, two) = (try await run(plan), try await run(plan))
        #expect(one.trace == two.trace)
    }
}
