import Foundation
import Glibc
import Logging
import Synchronization
import Testing
import Values
import Vault

@testable import Host

/// What a host logs, as text.
struct CapturedLog: LogHandler {
    let lines = Held<[String]>([])
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.change { $0.append("\(event.message) \(event.metadata?.description ?? "")") }
    }
}

/// The sample workspace on disk between two connectors that say what files tell them to (`Fixtures/stage.c`): the whole
/// host in this process, its workers and its ledger real.
final class Stage {
    static let secret = "K4n4ry-books-token-7f3a"
    let folder = TemporaryFolder()
    let captured = Captured()
    let log = CapturedLog()
    var root: String { folder.path + "/workspace" }
    var keyFile: String { folder.path + "/keys/test.key" }
    private var terminal: Terminal { captured.terminal(.en, json: false) }

    init(_ sample: Sample = Rehearsal.sample("sweep: { every: 10s, look_back: 30d }\n")) async throws {
        try sample.replacing("datong.yaml", "/keys/example.key", keyFile).write(to: root)
        try FileStore.makeFolder(root + "/connectors")
        for (name, described) in [("office", Sample.office), ("books", Sample.books)] {
            try FileStore.makeFolder(folder.path + "/" + name)
            // Nothing tells of documents but the list.
            try set(name, "describe", described.text.replacing(",\"listen\"", with: ""))
            let version = try #require(described["version"]?.string)
            try set(name, "probe", #"{"checks":[{"ok":true,"zh":"凭证","en":"credentials"}]}"#)
            try await compile(name, version)
        }
        try set("books", "write", "记-1")
        let workspace = try #require(Draft.load(root).draft?.workspace)
        let vault = try WorkspaceVault.create(root, workspace, terminal)
        _ = try vault.put(name: "books/token", value: SecretBytes(copying: Array(Self.secret.utf8)))
        _ = try vault.put(name: "office/app-secret", value: SecretBytes(copying: Array("K4n4ry-office".utf8)))
        _ = try await Application.prepare(root, inspector: WorkerInspector(executable: WorkerInspector.workerPath))
            .freeze(expecting: nil, created: "2026-11-24T00:00:00Z", user: "test")
    }

    /// The workspace's vault.
    func vault() throws -> Vault {
        try WorkspaceVault.open(root, try #require(Draft.load(root).draft?.workspace), terminal)
    }

    private func compile(_ name: String, _ version: String) async throws {
        let child = try Child(
            "/usr/bin/cc",
            [
                "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
                "-DNAME=\"\(name)\"", "-DVERSION=\"\(version)\"", "-DFOLDER=\"\(folder.path)/\(name)\"",
                "-I\(Programs.root)/Sources/PluginABI/include", "\(Programs.root)/Tests/HostTests/Fixtures/stage.c",
                "-o", "\(root)/connectors/lib\(name).so",
            ], output: folder.path + "/cc.out", errors: folder.path + "/cc.err")
        let end = await child.end(within: 60_000)
        let words =
            FileStore.exists(folder.path + "/cc.err") ? try FileStore.read(folder.path + "/cc.err", limit: 9_999) : []
        #expect(end == .exit(0), "\(String(decoding: words, as: UTF8.self))")
    }

    /// What a connector says from here on.
    func set(_ connector: String, _ scene: String, _ words: String) throws {
        try FileStore.replace("\(folder.path)/\(connector)/\(scene)", Array(words.utf8))
    }

    /// A document of the source, named in its list.
    func file(_ id: String, _ content: String? = nil) throws {
        try set("office", "doc-" + id, content ?? Rehearsal.claim(id).content.text)
        try set("office", "page", id)
    }

    /// Runs the host, then ends it.
    func run(_ body: (HostProcess) async throws -> Void) async throws {
        let log = log
        let host = try await HostProcess.start(
            root, mode: .serve, terminal: terminal, log: Logger(label: "test") { _ in log })
        do {
            try await body(host)
        } catch {
            await host.stop()
            throw error
        }
        await host.stop()
    }

    /// Asks again until it is so.
    func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        for _ in 1...1_200 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("not so after a minute: \(what)")
        throw CancellationError()
    }

    func connection(_ host: HostProcess, _ name: String) async throws -> JSON {
        let all = try await host.answer("status", [:])["connections"]?.array ?? []
        return try #require(all.first { $0["name"]?.string == name })
    }

    func counts(_ host: HostProcess) async throws -> JSON {
        try await host.answer("status", [:])["flows"]?[0]?["counts"] ?? .null
    }
}
