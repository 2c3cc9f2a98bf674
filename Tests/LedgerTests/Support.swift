import Engine
import Foundation
import GRDB
import Ledger
import Testing
import Values

/// A sealer whose algorithm only has to hide text and notice changes: a stream of a mixed counter, and a tag over
/// context and content.
struct ToySealer: PayloadSealing {
    struct Refused: Error {}

    var key: UInt64 = 0x9e37_79b9_7f4a_7c15
    /// Content that cannot be sealed, to fail in the middle of a commit.
    var poison: [UInt8]?

    func seal(_ bytes: [UInt8], context: String) throws -> [UInt8] {
        if let poison, bytes == poison { throw Refused() }
        let hidden = stream(bytes, context)
        return hidden + tag(Array(context.utf8) + [0] + hidden)
    }

    func open(_ sealed: [UInt8], context: String) throws -> [UInt8] {
        guard sealed.count >= 32 else { throw Refused() }
        let hidden = Array(sealed.dropLast(32))
        guard Array(sealed.suffix(32)) == tag(Array(context.utf8) + [0] + hidden) else { throw Refused() }
        return stream(hidden, context)
    }

    func keyedHash(_ bytes: [UInt8]) throws -> [UInt8] { tag(bytes) }

    private func stream(_ bytes: [UInt8], _ context: String) -> [UInt8] {
        var state = mix(key, Array(context.utf8))
        return bytes.map { byte in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return byte ^ UInt8(truncatingIfNeeded: state >> 33)
        }
    }

    private func tag(_ bytes: [UInt8]) -> [UInt8] {
        (1...4).flatMap { round -> [UInt8] in
            let word = mix(key &* UInt64(round), bytes)
            return (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
        }
    }

    private func mix(_ seed: UInt64, _ bytes: [UInt8]) -> UInt64 {
        var state = seed ^ 0xcbf2_9ce4_8422_2325
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return state ^ (state >> 29)
    }
}

/// Where a ledger's truth lies. Every suite in `Behaviour` runs over each of them: a second backend is one more case
/// here and keeps what they say.
enum Backend: CaseIterable {
    case sqlite

    /// Opens or makes the ledger of a folder.
    func open(_ folder: String, _ sealer: ToySealer) throws -> any Ledger {
        switch self {
        case .sqlite: try SQLiteLedger(path: folder + "/ledger.sqlite", sealer: sealer)
        }
    }
}

/// A ledger of its own, its folder gone with it.
final class Books {
    let folder: String
    let backend: Backend
    let sealer: ToySealer
    private(set) var ledger: any Ledger
    /// The file of the SQLite backend.
    var path: String { folder + "/ledger.sqlite" }
    /// The SQLite backend itself.
    var sqlite: SQLiteLedger { ledger as! SQLiteLedger }

    init(_ backend: Backend, sealer: ToySealer = ToySealer()) throws {
        folder = NSTemporaryDirectory() + "datong-ledger-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        self.backend = backend
        self.sealer = sealer
        ledger = try backend.open(folder, sealer)
    }

    deinit {
        ledger.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// The same file in a new process' place.
    func reopen() throws {
        ledger.close()
        ledger = try backend.open(folder, sealer)
    }

    /// What somebody with another tool does to the file.
    func tamper(_ sql: String, _ arguments: StatementArguments = []) throws {
        let other = try DatabaseQueue(path: path)
        try other.write { db in try db.execute(sql: sql, arguments: arguments) }
        try other.close()
    }

    /// Every byte of the database and its companions.
    func bytes() throws -> [UInt8] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted().flatMap {
            [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $0)))
        }
    }

    /// A document and its item, in one commit.
    func add(
        _ id: ItemID, document: String = "doc-1", stream: Int64 = 1, flow: FlowID = 1, ordinal: Int = 0,
        key: String? = nil, state: ItemState = .ready, attempts: Int = 0, hash: [UInt8]? = nil
    ) throws {
        try ledger.commit(
            Self.receive(
                id, document: document, stream: stream, flow: flow, ordinal: ordinal, key: key, state: state,
                attempts: attempts, hash: hash))
    }

    static func receive(
        _ id: ItemID, document: String = "doc-1", stream: Int64 = 1, flow: FlowID = 1, ordinal: Int = 0,
        key: String? = nil, state: ItemState = .ready, attempts: Int = 0, hash: [UInt8]? = nil,
        payload: [UInt8] = Array("{}".utf8)
    ) -> [Change] {
        [
            .inbox(
                InboxRow(
                    id: id, stream: stream, document: document, number: "N-\(document)", hash: hash ?? [UInt8(id)],
                    at: 1_000 + id, revision: 1, payload: payload)),
            .origin(
                ItemOrigin(
                    id: id, inbox: id, flow: flow, lane: 1, document: "voucher", ordinal: ordinal, key: key)),
            .item(
                item(id, flow: flow, state: state, attempts: attempts), detail: nil, at: 2_000 + id),
        ]
    }

    static func item(_ id: ItemID, flow: FlowID = 1, state: ItemState, attempts: Int = 0) -> Item {
        Item(id: id, flow: flow, lane: 1, orderKey: "key \(id)", state: state, attempts: attempts, revision: 1)
    }
}

/// The code of the problem that `body` throws; nil when it throws none.
func code<T>(_ body: () throws -> T) -> String? {
    do {
        _ = try body()
        return nil
    } catch let problem as Problem {
        return problem.code
    } catch {
        return "\(type(of: error))"
    }
}

func contains(_ haystack: [UInt8], _ text: String) -> Bool {
    Data(haystack).range(of: Data(text.utf8)) != nil
}

extension Ledger {
    /// The lines of a chain that is whole; a problem at its first break.
    func verifiedLines(knowing other: [UInt8]? = nil) throws -> Int64 {
        let report = try verifyAudit(knowing: other)
        if let broken = report.broken { throw broken.problem }
        return report.lines
    }

    /// Items for people, whatever flow.
    func all(limit: Int = 1_000) throws -> [ItemView] {
        try list(flow: nil, hidingDone: [], state: nil, limit: limit, ids: nil)
    }
}

/// A folder that goes with the test; its path has no links in it.
final class TemporaryFolder {
    let path: String

    init() throws {
        let path = NSTemporaryDirectory() + "datong-ledger-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        self.path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
