import Foundation
import Synchronization
import Values
import Workers

/// Builds the worker and the fixture plugins once per run, with the system's C compiler.
enum Built {
    private static let made = Mutex<[String: String]>([:])
    private static let folder: URL = {
        let folder = FileManager.default.temporaryDirectory.appending(path: "datong-workers-\(getpid())")
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        atexit { Built.remove() }
        return folder
    }()
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let fixtures = root.appending(path: "Tests/WorkersTests/Fixtures")

    private static func remove() { try? FileManager.default.removeItem(at: folder) }

    /// `datong-worker`, by the one command the Makefile uses.
    static var worker: String {
        build("datong-worker") { output in
            let folder = root.appending(path: "Sources/Worker")
            let sources =
                (try? FileManager.default.contentsOfDirectory(atPath: folder.path))?
                .filter { $0.hasSuffix(".c") }.sorted().map { folder.appending(path: $0).path } ?? []
            return [
                "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror",
                "-I\(root.path)/Sources/PluginABI/include", "-I\(root.path)/Sources/Worker/include",
            ] + sources + ["-ldl", "-lpthread", "-o", output]
        }
    }

    /// A fixture plugin, its entry bent by macros.
    static func plugin(_ source: String, _ flags: [String] = []) -> String {
        build(source + flags.joined() + ".so") { output in
            var arguments = [
                "-std=c11", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-fvisibility=hidden",
                "-I\(root.path)/Sources/PluginABI/include", fixtures.appending(path: source).path,
            ]
            arguments.append(contentsOf: flags)
            arguments.append(contentsOf: ["-o", output])
            return arguments
        }
    }

    /// A fixture program.
    static func program(_ source: String) -> String {
        build(source + ".exe") { output in
            ["-std=c11", "-D_GNU_SOURCE", "-O1", fixtures.appending(path: source).path, "-o", output]
        }
    }

    /// A file that is no library.
    static func file(_ name: String, _ bytes: [UInt8]) -> String {
        let path = folder.appending(path: name).path
        _ = FileManager.default.createFile(atPath: path, contents: Data(bytes))
        return path
    }

    static func path(_ name: String) -> String { folder.appending(path: name).path }

    private static func build(_ name: String, _ arguments: (String) -> [String]) -> String {
        made.withLock { made in
            if let path = made[name] { return path }
            let safe = String(name.map { $0.isLetter || $0.isNumber || $0 == "." || $0 == "-" ? $0 : "_" })
            let path = folder.appending(path: safe).path
            let ended = run("cc", arguments(path))
            precondition(ended.status == 0, "cc failed for \(name): \(ended.output)")
            made[name] = path
            return path
        }
    }
}

/// Run a program to its end: its exit status and what it wrote. Not Foundation's Process, which learns of an end by a
/// descriptor that other children inherit.
func run(_ program: String, _ arguments: [String]) -> (status: Int32, output: String) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return (-1, "pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
    var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for pointer in argv { free(pointer) } }
    var pid: pid_t = 0
    let error = posix_spawnp(&pid, program, &actions, nil, &argv, environ)
    close(ends[1])
    defer { close(ends[0]) }
    guard error == 0 else { return (-1, "spawn \(error)") }
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = read(ends[0], &buffer, buffer.count)
        if count <= 0 { break }
        output.append(contentsOf: buffer[0..<count])
    }
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    return ((status & 0x7f) == 0 ? (status >> 8) & 0xff : -(status & 0x7f), String(decoding: output, as: UTF8.self))
}

/// Services as a test wants them: one closure answers, everything else is written down.
final class FakeServices: WorkerServices {
    struct Seen {
        var requests: [(ServiceRequest, CallIdentity)] = []
        var notes: [(PluginNote, CallIdentity)] = []
        var ended: [CallIdentity] = []
        var endWaiters: [(Int, CheckedContinuation<Void, Never>)] = []
        var noteWaiters: [(Int, CheckedContinuation<Void, Never>)] = []
    }
    private let seen = Mutex(Seen())
    private let answer: @Sendable (ServiceRequest, CallIdentity) async -> ServiceReply

    init(_ answer: @escaping @Sendable (ServiceRequest, CallIdentity) async -> ServiceReply = { _, _ in .done }) {
        self.answer = answer
    }

    func serve(_ request: ServiceRequest, for call: CallIdentity) async -> ServiceReply {
        seen.withLock { $0.requests.append((request, call)) }
        return await answer(request, call)
    }
    func note(_ note: PluginNote, for call: CallIdentity) {
        let ready = seen.withLock { seen in
            seen.notes.append((note, call))
            let ready = seen.noteWaiters.filter { $0.0 <= seen.notes.count }
            seen.noteWaiters.removeAll { $0.0 <= seen.notes.count }
            return ready
        }
        for (_, waiter) in ready { waiter.resume() }
    }
    func callEnded(_ call: CallIdentity) async {
        let ready = seen.withLock { seen in
            seen.ended.append(call)
            let ready = seen.endWaiters.filter { $0.0 <= seen.ended.count }
            seen.endWaiters.removeAll { $0.0 <= seen.ended.count }
            return ready
        }
        for (_, waiter) in ready { waiter.resume() }
    }

    var requests: [(ServiceRequest, CallIdentity)] { seen.withLock { $0.requests } }
    var notes: [(PluginNote, CallIdentity)] { seen.withLock { $0.notes } }
    var ended: [CallIdentity] { seen.withLock { $0.ended } }

    /// Wait until so many calls have ended for the services.
    func untilEnded(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let now = seen.withLock { seen in
                if seen.ended.count >= count { return true }
                seen.endWaiters.append((count, continuation))
                return false
            }
            if now { continuation.resume() }
        }
    }

    /// Wait until so many notes have come.
    func untilNotes(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let now = seen.withLock { seen in
                if seen.notes.count >= count { return true }
                seen.noteWaiters.append((count, continuation))
                return false
            }
            if now { continuation.resume() }
        }
    }
}

/// Lets nobody through until so many have come.
actor Barrier {
    private let count: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private(set) var most = 0
    init(_ count: Int) { self.count = count }
    func pass() async {
        await withCheckedContinuation { continuation in
            waiting.append(continuation)
            most = max(most, waiting.count)
            if waiting.count == count {
                for one in waiting { one.resume() }
                waiting = []
            }
        }
    }
}

/// A door that is opened once.
actor Door {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    func open() {
        isOpen = true
        for one in waiting { one.resume() }
        waiting = []
    }
    func pass() async {
        if isOpen { return }
        await withCheckedContinuation { waiting.append($0) }
    }
}

func nowMs() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

/// Far enough away that a slow machine does not meet it.
func context(inMs: Int64 = 60_000) -> CallContext {
    CallContext(deadlineMs: nowMs() + inMs, fenceEpoch: 7, attempt: 2, traceID: "trace-1", flags: [.probe])
}

/// Both ways of running a plugin; what a test says must hold for each.
let isolations: [Isolation] = [.worker(executable: Built.worker), .inProcess]

func configuration(
    _ isolation: Isolation = .worker(executable: Built.worker), plugin: String = Built.plugin("puppet.c"),
    product: String = "galaxy", concurrency: Concurrency = Concurrency(), graceMs: Int64 = 300
) -> WorkerConfiguration {
    WorkerConfiguration(
        isolation: isolation, plugin: plugin,
        open: OpenRequest(
            connection: "erp", product: product, endpoint: "https://erp.example.com/",
            settings: Array("{\"a\":1}".utf8),
            secrets: ["app_secret"], timeZone: "Asia/Shanghai"), concurrency: concurrency, graceMs: graceMs)
}

func start(
    _ configuration: WorkerConfiguration, _ services: any WorkerServices = FakeServices()
) async throws -> Worker {
    try await Worker.start(configuration, services: services)
}

/// A write of so many records whose document type tells the puppet what to do.
func write(_ what: String, _ count: Int = 2) -> PluginRequest {
    .write(
        .init(
            document: what, settings: Array("{}".utf8),
            records: (0..<count).map { WriteRecord(key: "key-\($0)", json: Array("{\"n\":\($0)}".utf8)) }))
}

/// The problem a start ends with.
func problem(_ configuration: WorkerConfiguration) async -> Problem? {
    do {
        let worker = try await Worker.start(configuration, services: FakeServices())
        await worker.stop()
        return nil
    } catch {
        return error
    }
}

extension CallResult {
    var response: PluginResponse? { try? outcome.get() }
    var failure: CallFailure? {
        if case .failure(let failure) = outcome { return failure }
        return nil
    }
    var numbers: [String] {
        guard case .outcomes(let outcomes)? = response else { return [] }
        return outcomes.map { if case .applied(let written) = $0 { written.number } else { "?" } }
    }
    var text: String? {
        guard case .text(let bytes)? = response else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
    var death: WorkerDeath? {
        if case .workerDied(let death)? = failure { return death }
        return nil
    }
    var breaches: [String] {
        if case .contractBreach(let breach)? = failure { return breach.breaches }
        return []
    }
    var pluginFailure: Failure? {
        if case .plugin(let failure)? = failure { return failure }
        return nil
    }
    /// The code it is told under when the deadline passed inside the plugin.
    var overran: String? {
        if case .overran(let problem)? = failure { return problem.code }
        return nil
    }
    var isDeadline: Bool {
        if case .deadlineExceeded? = failure { return true }
        return false
    }
}
