import Glibc
import Testing
import Values

@testable import Host

/// A workspace on disk with two libraries, and a store over it.
private final class Workspace {
    let folder = TemporaryFolder()
    var root: String { folder.path }
    var store: RevisionStore { RevisionStore(root) }

    init(_ sample: Sample = Sample()) throws {
        try put(sample)
        for (name, describe) in [("libOffice.so", Sample.office), ("libBooks.so", Sample.books)] {
            try FileStore.makeFolder(root + "/connectors")
            try FileStore.replace(root + "/connectors/" + name, describe.serialized())
        }
    }

    func put(_ sample: Sample) throws { try sample.write(to: root) }

    func prepare() async throws -> Application { try await Application.prepare(root, inspector: FileInspector()) }

    @discardableResult
    func apply(expecting content: String? = nil) async throws -> RevisionManifest {
        try await prepare().freeze(expecting: content, created: "2026-01-05T10:00:00+08:00", user: "tester")
    }

    func rollback(to number: Int) throws -> RevisionManifest {
        try store.rollback(to: number, created: "2026-01-06T10:00:00+08:00", user: "tester")
    }

    /// Overwrites a file that was made read-only.
    func spoil(_ path: String, _ text: String) throws {
        unlink(root + "/" + path)
        try FileStore.replace(root + "/" + path, Array(text.utf8))
    }
}

private func code(_ work: () throws -> Void) -> String? {
    do {
        try work()
        return nil
    } catch { return (error as? Problem)?.code }
}

@Suite("A revision is frozen, numbered, and nothing else runs")
struct RevisionTests {
    @Test("nothing to run before the first apply")
    func empty() throws {
        let workspace = try Workspace()
        #expect(try workspace.store.active() == nil)
        #expect(workspace.store.numbers == [])
        #expect(code { _ = try workspace.store.load(1) } == "E-REVISION-001")
    }

    @Test("a draft with problems is not frozen")
    func problems() async throws {
        let workspace = try Workspace(Sample().replacing("flows/claims.yaml", "master: office", "master: \"\""))
        let application = try await workspace.prepare()
        #expect(application.problems.map(\.problem.code) == ["E-CONF-020"])
        #expect(code { _ = try application.freeze(expecting: nil, created: "", user: "") } == "E-CONF-046")
        #expect(workspace.store.numbers == [])
    }

    @Test("what was agreed to is what is frozen")
    func draftMoved() async throws {
        let workspace = try Workspace()
        let seen = try await workspace.prepare()
        try workspace.put(Sample().replacing("tables/accounts.csv", "6602.04", "6602.09"))
        let moved = try await workspace.prepare()
        #expect(code { _ = try moved.freeze(expecting: seen.content, created: "", user: "") } == "E-CONF-047")
    }

    @Test("apply, change, apply, roll back: every step is the next number, and the earlier content runs again")
    func lifecycle() async throws {
        let workspace = try Workspace()
        let first = try await workspace.apply()
        #expect(first.number == 1)
        #expect(try workspace.store.active()?.draft.table("accounts")?.rows.count == 2)
        await #expect(throws: Problem.nothingChanged(1)) { try await workspace.apply() }

        try workspace.put(Sample().with("tables/accounts.csv", "费用类型,科目\n差旅费,6602.01\n"))
        #expect(try await workspace.apply().number == 2)
        // The draft alone changes nothing that runs.
        try workspace.put(Sample().with("tables/accounts.csv", "费用类型,科目\n"))
        #expect(try workspace.store.active()?.draft.table("accounts")?.rows.count == 1)

        #expect(try workspace.store.previous() == 1)
        let third = try workspace.rollback(to: 1)
        #expect(third.number == 3)
        #expect(third.origin == .rollback(to: 1))
        #expect(third.content == first.content)
        #expect(try workspace.store.active()?.draft.table("accounts")?.rows.count == 2)
        #expect(try workspace.store.list().map(\.number) == [1, 2, 3])
        #expect(code { _ = try workspace.rollback(to: 3) } == "E-REVISION-006")
        #expect(try workspace.store.previous() == nil, "a rollback is not undone by the next one")
        // What ran before the last apply, however it came into force.
        try await workspace.apply()
        #expect(try workspace.store.previous() == 3)
        _ = try workspace.rollback(to: 2)
        #expect(try workspace.store.previous() == 1)
    }

    @Test("the libraries are kept by content and read-only, and a new one beside them does not matter")
    func libraries() async throws {
        let workspace = try Workspace()
        let manifest = try await workspace.apply()
        #expect(manifest.connectors.map(\.id) == ["books", "office"])
        let kept = try workspace.store.library(manifest.connectors[0], revision: 1)
        var status = stat()
        #expect(stat(kept, &status) == 0 && status.st_mode & 0o777 == 0o555)
        try FileStore.replace(workspace.root + "/connectors/libBooks.so", Array("something else".utf8))
        #expect(try workspace.store.active()?.manifest.connectors == manifest.connectors)
    }

    @Test("apply names what a new connection or a new library may reach beside its endpoint, once")
    func hosts() async throws {
        let workspace = try Workspace()
        func set(_ hosts: [String]) throws {
            let books = Sample.changed(Sample.books) { $0["hosts"] = .array(hosts.map { .string($0) }) }
            try FileStore.replace(workspace.root + "/connectors/libBooks.so", books.serialized())
        }
        func said() async throws -> [String] {
            try await workspace.prepare().changes.map(\.text.en).filter { $0.contains("may also reach") }
        }
        #expect(try await said() == [])
        try set(["https://files.example.com"])
        #expect(try await said() == ["connection books changed: may also reach https://files.example.com"])
        try await workspace.apply()
        #expect(try await said() == [])
        try set(["https://files.example.com", "wss://push.example.com"])
        #expect(
            try await said()
                == ["connection books changed: may also reach https://files.example.com, wss://push.example.com"])
    }

    @Test("a library that is replaced while the draft is checked is not frozen")
    func libraryReplaced() async throws {
        let workspace = try Workspace()
        let application = try await workspace.prepare()
        let other = Sample.books.text + " "
        try FileStore.replace(workspace.root + "/connectors/libBooks.so", Array(other.utf8))
        #expect(code { _ = try application.freeze(expecting: nil, created: "", user: "") } == "E-REVISION-005")
        #expect(workspace.store.numbers == [])
    }

    @Test(
        "whatever of a revision is altered, it is not loaded",
        arguments: [
            "revisions/0001/files/tables/accounts.csv", "revisions/0001/files/datong.yaml",
            "revisions/0001/manifest.json",
        ])
    func tampered(_ path: String) async throws {
        let workspace = try Workspace()
        try await workspace.apply()
        let text = String(decoding: try FileStore.read(workspace.root + "/" + path, limit: 1 << 20), as: UTF8.self)
        try workspace.spoil(
            path,
            text.replacing("6602.04", with: "6602.05").replacing("true", with: "false").replacing(
                "tester", with: "somebody"
            ).replacing("\"bytes\":4", with: "\"bytes\":5"))
        #expect(code { _ = try workspace.store.load(1) } == "E-REVISION-002")
        #expect(code { _ = try workspace.store.active() } == "E-REVISION-002")
    }

    @Test("a removed file, an altered library and a manifest with other paths are not loaded")
    func tamperedFurther() async throws {
        let workspace = try Workspace()
        let manifest = try await workspace.apply()
        let library = manifest.connectors[0].path
        let bytes = try FileStore.read(workspace.root + "/" + library, limit: 1 << 20)
        try workspace.spoil(library, "elf")
        #expect(code { _ = try workspace.store.load(1) } == "E-REVISION-002")
        // A draft cannot adopt a spoilt copy either.
        try workspace.put(Sample().with("tables/accounts.csv", "费用类型,科目\n差旅费,1\n"))
        let draft = try #require(Draft.load(workspace.root).draft)
        let connectors = await ConnectorCatalogue.scan(draft.connectorFolders, FileInspector()).connectors
        #expect(
            code { _ = try workspace.store.freeze(draft, connectors: connectors, created: "", user: "") }
                == "E-REVISION-002")
        try workspace.spoil(library, String(decoding: bytes, as: UTF8.self))
        #expect(try workspace.store.load(1).number == 1)
        unlink(workspace.root + "/revisions/0001/files/flows/claims.yaml")
        #expect(code { _ = try workspace.store.load(1) } == "E-REVISION-002")

        let escaping = RevisionManifest(
            number: 1, created: "", user: "", origin: .apply,
            files: [.init(path: "../../etc/passwd", sha256: "", bytes: 0)], connectors: [])
        #expect(RevisionManifest(escaping.json) == nil)
        let elsewhere = RevisionManifest(
            number: 1, created: "", user: "", origin: .apply, files: [],
            connectors: [.init(id: "x", version: "1", sha256: "ab", path: "/tmp/x.so")])
        #expect(RevisionManifest(elsewhere.json) == nil)
    }

    @Test("a damaged revision is replaced by applying its own content again")
    func damageIsMended() async throws {
        let workspace = try Workspace()
        try await workspace.apply()
        unlink(workspace.root + "/revisions/0001/files/flows/claims.yaml")
        let application = try await workspace.prepare()
        #expect(application.damage?.code == "E-REVISION-002")
        #expect(application.json["damage"]?["code"]?.string == "E-REVISION-002")
        #expect(application.changes.count == 5 + 2)
        #expect(try await workspace.apply().number == 2)
        #expect(try workspace.store.active()?.number == 2)
    }

    @Test("an `active` that is no number is refused")
    func activeSpoilt() async throws {
        let workspace = try Workspace()
        try await workspace.apply()
        try workspace.spoil("revisions/active", "latest")
        #expect(code { _ = try workspace.store.active() } == "E-REVISION-004")
    }

    @Test("a revision that this host does not understand is named, not half loaded")
    func notUnderstood() async throws {
        let workspace = try Workspace()
        let draft = try #require(Sample().read().draft)
        // Frozen by a host that knew a key that this one does not.
        let odd = Draft(
            root: workspace.root,
            files: Sample().with("datong.yaml", (Sample().files["datong.yaml"] ?? "") + "telepathy: on\n").draftFiles,
            workspace: draft.workspace, connections: draft.connections, flows: draft.flows, mappings: draft.mappings,
            tables: draft.tables, sources: draft.sources)
        _ = try workspace.store.freeze(odd, connectors: [], created: "", user: "")
        #expect(code { _ = try workspace.store.load(1) } == "E-REVISION-003")
    }

    @Test("the numbers end somewhere")
    func numbersEnd() async throws {
        let workspace = try Workspace()
        try await workspace.apply()
        try FileStore.rename(workspace.root + "/revisions/0001", to: workspace.root + "/revisions/9999")
        try workspace.put(Sample().with("tables/accounts.csv", "费用类型,科目\n差旅费,1\n"))
        let application = try #require(Draft.load(workspace.root).draft)
        #expect(
            code { _ = try workspace.store.freeze(application, connectors: [], created: "", user: "") }
                == "E-REVISION-007")
    }

    @Test(
        "a death at any point leaves the earlier revision running or the new one whole",
        arguments: RevisionStore.Point.allCases)
    func death(at point: RevisionStore.Point) async throws {
        let workspace = try Workspace()
        try await workspace.apply()
        try workspace.put(Sample().with("tables/accounts.csv", "费用类型,科目\n差旅费,1\n"))
        let application = try await workspace.prepare()
        let draft = try #require(application.draft)
        let death = Problem("E-TEST-001", zh: "死", en: "death", nextZH: "", nextEN: "")
        var dying = workspace.store
        dying.atPoint = { (here) throws(Problem) in if here == point { throw death } }
        #expect(
            code { _ = try dying.freeze(draft, connectors: application.connectors, created: "", user: "") }
                == "E-TEST-001")

        let active = try #require(try workspace.store.active())
        #expect(active.number == (point == .activated ? 2 : 1))
        for number in workspace.store.numbers { #expect(try workspace.store.load(number).number == number) }
        // The next apply works and leaves nothing of the dead one behind.
        try workspace.put(Sample().with("tables/accounts.csv", "费用类型,科目\n差旅费,2\n"))
        let next = try await workspace.apply()
        #expect(next.number == (workspace.store.numbers.last ?? 0))
        #expect(try workspace.store.active()?.number == next.number)
        #expect(!FileStore.names(in: workspace.root + "/revisions").contains { $0.hasPrefix(".new-") })
    }

    @Test("a folder that cannot be written is said with its path")
    func notWritten() {
        #expect(code { try FileStore.writeNew("/proc/nothing/here", []) } == "E-CONF-045")
    }
}

@Suite("A difference is told in words")
struct RevisionDifferenceTests {
    private func words(_ old: Sample?, _ new: Sample) throws -> [String] {
        let before = try old.map { try #require($0.read().draft) }
        return Difference.between(before, try #require(new.read().draft)).map { "\($0.text.zh) | \($0.text.en)" }
    }

    @Test("nothing changed, nothing said")
    func same() throws {
        #expect(try words(Sample(), Sample()) == [])
    }

    @Test("the first revision lists what there is")
    func first() throws {
        #expect(
            try words(nil, Sample()) == [
                "新增连接 books | connection books added", "新增连接 office | connection office added",
                "新增流程 claims | flow claims added", "新增映射 claims | mapping claims added",
                "新增码表 accounts:2 行 | table accounts added: 2 rows",
            ])
    }

    @Test("a field of a connection, a flow and the workspace")
    func fields() throws {
        let new = Sample().replacing("connections/books.yaml", "per_second: 5", "per_second: 3, concurrency: 2")
            .replacing("flows/claims.yaml", "result: agree", "result: refuse").replacing("datong.yaml", "true", "false")
        #expect(
            try words(Sample(), new) == [
                "修改工作区:practice 由 true 改为 false | workspace changed: practice from true to false",
                "修改连接 books:limits.per_second 由 5 改为 3 | connection books changed: limits.per_second from 5 to 3",
                "修改连接 books:limits.concurrency 新写 2 | connection books changed: limits.concurrency is now 2",
                "修改流程 claims:from.where.result 由 agree 改为 refuse | flow claims changed: from.where.result from agree to refuse",
            ])
    }

    @Test("a mapping, field by field")
    func mapping() throws {
        let new = Sample().replacing("mappings/claims.yaml", "\"1002.01\"", "\"1002.02\"")
        #expect(
            try words(Sample(), new) == [
                "修改映射 claims:document.lines[1].line.account 由 1002.01 改为 1002.02 | mapping claims changed: document.lines[1].line.account from 1002.01 to 1002.02"
            ])
    }

    @Test("rows of a code table added, removed and changed")
    func rows() throws {
        let new = Sample().with("tables/accounts.csv", "费用类型,科目\n差旅费,6601.01\n会议费,6602.06\n")
        #expect(
            try words(Sample(), new) == [
                "修改码表 accounts:差旅费 → 6602.01 改为 差旅费 → 6601.01 | table accounts changed: 差旅费 → 6602.01 is now 差旅费 → 6601.01",
                "修改码表 accounts:新增行 会议费 → 6602.06 | table accounts changed: row added: 会议费 → 6602.06",
                "修改码表 accounts:删除行 办公费 → 6602.04 | table accounts changed: row removed: 办公费 → 6602.04",
            ])
    }

    @Test("a table whose first column repeats is compared by whole rows")
    func unkeyedRows() throws {
        let old = Sample().with("tables/pairs.csv", "部门,科目\n销售,1\n销售,2\n")
        let new = Sample().with("tables/pairs.csv", "部门,科目\n销售,2\n销售,3\n")
        #expect(
            try words(old, new) == [
                "修改码表 pairs:新增行 销售, 3 | table pairs changed: row added: 销售, 3",
                "修改码表 pairs:删除行 销售, 1 | table pairs changed: row removed: 销售, 1",
            ])
    }

    @Test("connectors: another version, and another library of the same version")
    func connectors() throws {
        let draft = try #require(Sample().read().draft)
        func library(_ version: String, _ hash: String) -> [RevisionManifest.Library] {
            [.init(id: "books", version: version, sha256: hash, path: "")]
        }
        func said(_ old: [RevisionManifest.Library], _ new: [RevisionManifest.Library]) -> [String] {
            Difference.between(draft, draft, oldConnectors: old, newConnectors: new).map(\.text.zh)
        }
        #expect(said(library("1.0.0", "aaaaaaaa11"), library("1.1.0", "bbbbbbbb22")) == ["修改连接器 books:1.0.0 → 1.1.0"])
        #expect(
            said(library("1.0.0", "aaaaaaaa11"), library("1.0.0", "bbbbbbbb22"))
                == ["修改连接器 books:1.0.0 aaaaaaaa → bbbbbbbb"])
        #expect(said(library("1.0.0", "a"), []) == ["删除连接器 books:1.0.0"])
    }
}
