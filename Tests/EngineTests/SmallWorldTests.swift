import Glibc
import Testing

@testable import Engine

/// All interleavings of a few documents with crashes, lost and late answers, changes, revisions and people, each until
/// nothing more happens. What each world must keep at every moment is in `SmallWorldCheck.swift` and where the effects
/// are taken in (`SmallWorld.tell`); `docs/invariants.md` says which test holds which invariant.
@Suite("Every story of a small world")
struct SmallWorldTests {
    private static var isFull: Bool { getenv("DATONG_FULL").map { String(cString: $0) == "1" } ?? false }
    private static let lost: [SmallWorld.Fate] = [.applied, .lostCommitted, .lostNothing, .lostLate]

    static let worlds: [SmallWorld.Setup] = [
        .init(name: "lost answers and two crashes", orderKeys: ["A"], fates: lost, faults: 2, crashes: 2),
        .init(name: "lost answers and a crash, two documents", fates: lost, faults: 2, crashes: 1),
        .init(
            name: "three documents, two keys", orderKeys: ["A", "A", "B"], fates: [.applied, .lostLate, .refused],
            faults: 1, crashes: 1),
        .init(
            name: "one at a time", orderKeys: ["A", "A", "B"], maxInFlight: 1,
            fates: [.applied, .lostCommitted, .transientNotSent], faults: 2, crashes: 1),
        .init(name: "a target that refuses duplicates", enforcesUniqueKey: true, fates: lost, faults: 2, crashes: 1),
        .init(
            name: "a target that cannot be looked into", canFind: false, fates: lost, faults: 2, crashes: 1, persons: 2),
        .init(
            name: "messages", canFind: false, settlesUnknown: true, fates: lost + [.refused, .unreachable], faults: 2,
            crashes: 1),
        .init(
            name: "a change is held", orderKeys: ["A"], fates: lost + [.refused, .conflict], faults: 2, crashes: 1,
            changes: 2, duplicates: 1),
        .init(
            name: "changes are ignored", orderKeys: ["A"], onChange: .ignore, fates: lost + [.conflict], faults: 2,
            crashes: 1, changes: 2, duplicates: 1),
        .init(
            name: "a revision and a rollback", fates: [.applied, .lostLate], faults: 1, crashes: 1, revisions: 2,
            heldByMapping: [1]),
        .init(
            name: "trouble of the connection",
            fates: [.applied, .throttled, .denied, .unreachable, .transientNotSent, .connectorCrash, .lostLate],
            faults: 3),
        .init(
            name: "trouble and a crash", fates: [.applied, .denied, .unreachable, .lostCommitted], faults: 2, crashes: 1
        ),
        .init(
            name: "accepted, then asked for", orderKeys: ["A"], fates: [.applied, .accepted, .waiting, .lostCommitted],
            faults: 3, crashes: 1, changes: 1, persons: 1),
        .init(name: "keyed in by hand as well", fates: lost, faults: 1, crashes: 1, byHand: 1),
        .init(
            name: "other books", orderKeys: ["A"], fates: lost + [.accepted], faults: 2, crashes: 1, persons: 2,
            otherBooks: 1),
        .init(
            name: "everything, once", orderKeys: ["A"], fates: SmallWorld.Fate.allCases, faults: 1, crashes: 1,
            changes: 1, duplicates: 1, revisions: 2, heldByMapping: [0], persons: 1, byHand: 1),
    ]

    /// Minutes each.
    static let largeWorlds: [SmallWorld.Setup] = [
        .init(name: "lost answers, two crashes, two documents", fates: lost, faults: 2, crashes: 2),
        .init(
            name: "changes of two documents", fates: lost + [.refused], faults: 1, crashes: 1, changes: 1,
            duplicates: 1,
            persons: 1),
        .init(
            name: "revisions and people", fates: [.applied, .lostCommitted, .lostLate, .refused], faults: 1, crashes: 1,
            revisions: 2, heldByMapping: [1], persons: 1),
        .init(
            name: "accepted, two documents", fates: [.applied, .accepted, .waiting, .lostCommitted], faults: 2,
            crashes: 1, persons: 1),
        .init(
            name: "other books, two documents", fates: lost + [.accepted], faults: 1, crashes: 1, persons: 1,
            otherBooks: 1),
        .init(
            name: "everything, twice", orderKeys: ["A"], fates: SmallWorld.Fate.allCases, faults: 2, crashes: 1,
            changes: 1, duplicates: 1, revisions: 2, heldByMapping: [0], persons: 2, byHand: 1),
    ]

    @Test(arguments: worlds)
    func everyStoryKeepsTheInvariants(_ setup: SmallWorld.Setup) async throws { try await explore(setup) }

    @Test(.enabled(if: isFull), arguments: largeWorlds)
    func everyStoryOfALargerWorldKeepsTheInvariants(_ setup: SmallWorld.Setup) async throws { try await explore(setup) }

    private func explore(_ setup: SmallWorld.Setup) async throws {
        let report = try await Explorer.explore(setup)
        let ends = report.seenAtEnds.sorted().joined(separator: " ")
        print(
            "small world, \(setup.name): \(report.states) states, \(report.steps) steps, \(report.ends) ends: \(ends)")
        #expect(report.ends > 0)
    }
}
