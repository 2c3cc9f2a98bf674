import Foundation
import Testing
import Values
import Workers

/// A plugin that means harm, under a file name of its own, so that its processes are told from those of other tests.
private struct Hostile {
    let path: String

    init(_ flags: [String] = []) throws {
        let built = Built.plugin("hostile.c", flags + ["-lpthread"])
        path = Built.path("hostile-\(UUID().uuidString).so")
        try FileManager.default.copyItem(atPath: built, toPath: path)
    }

    func start(_ services: any WorkerServices = FakeServices { _, _ in answered }, graceMs: Int64 = 300) async throws
        -> Worker
    {
        try await Worker.start(
            configuration(plugin: path, concurrency: Concurrency([.write: 2]), graceMs: graceMs), services: services)
    }

    /// Processes that still run it.
    var processes: [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.filter { name in
            guard Int(name) != nil, let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
                return false
            }
            return String(decoding: line, as: UTF8.self).contains(path)
        }
    }
}

private let answered = ServiceReply.http(.init(status: 200, body: Array("ok".utf8)))

@Suite("Hostile plugins: whatever one does costs one worker or one call, with a code, and no outcome is lost")
struct HostileTests {
    /// What ends the process, with the ends it may have.
    static let fatal: [(deed: String, causes: [WorkerDeath.Cause])] = [
        ("exit", [.exited(7)]), ("_exit", [.exited(8)]), ("exit-loop", [.killedForDeadline]),
        ("thread-exit", [.killedForDeadline]), ("loop", [.killedForDeadline]), ("wild-call", [.signal(SIGSEGV)]),
        ("longjmp", [.signal(SIGSEGV), .signal(SIGABRT)]),
        ("heap", [.signal(SIGSEGV), .signal(SIGABRT), .killedForDeadline]),
        ("stack", [.signal(SIGSEGV), .signal(SIGABRT)]), ("scribble", [.signal(SIGSEGV)]),
        ("forge", [.killedForProtocol]), ("hoard", [.signal(SIGABRT)]), ("recurse", [.signal(SIGSEGV)]),
        ("jump-out", [.killedForProtocol, .killedForDeadline]),
    ]

    @Test(
        "What ends the process ends it alone: a code, the next worker, the neighbour's call, nothing left behind",
        .timeLimit(.minutes(5)), arguments: fatal.map(\.deed))
    func deadly(deed: String) async throws {
        let causes = try #require(Self.fatal.first { $0.deed == deed }).causes
        let hostile = try Hostile()
        let door = Door()
        let neighbourServices = FakeServices { _, _ in
            await door.pass()
            return answered
        }
        let neighbour = try await start(configuration(), neighbourServices)
        let waiting = Task { await neighbour.call(write("post", 1), context: context()) }
        while neighbourServices.requests.isEmpty { await Task.yield() }

        // A host function that is jumped out of waits for a vendor that answers when all is over.
        let vendor = Door()
        let services = FakeServices { _, _ in
            if deed == "jump-out" { await vendor.pass() }
            return answered
        }
        let worker = try await hostile.start(services)
        let isLate = causes.contains(.killedForDeadline)
        let result = await worker.call(write(deed), context: context(inMs: isLate ? 300 : 60_000))
        let death = await worker.ended()
        #expect(causes.contains(death.cause), "\(death.cause)")
        #expect(death.problem.code == "E-WORKER-030")
        #expect(result.response == nil)
        #expect(result.known.isEmpty)
        #expect(result.reachedVendor == (deed == "jump-out"))
        await vendor.open()

        let next = try await hostile.start()
        #expect(await next.call(write("well", 1), context: context()).numbers == ["done"])
        await next.stop()
        await door.open()
        #expect(await waiting.value.numbers == ["200  ok"])
        #expect(neighbour.death == nil)
        await neighbour.stop()
        #expect(hostile.processes == [])
    }

    @Test(
        "A write whose first byte left stays unknown, its own and its neighbour's in the worker",
        .timeLimit(.minutes(5)), arguments: fatal.map(\.deed).filter { $0 != "jump-out" })
    func nothingLost(deed: String) async throws {
        let hostile = try Hostile()
        let door = Door()
        let services = FakeServices { _, call in
            if call.kind == .poll { await door.pass() }
            return answered
        }
        let worker = try await hostile.start(services)
        let poll = PluginRequest.poll(.init(document: "wait", records: [WriteRecord(key: "k", json: [])]))
        let inTheAir = Task { await worker.call(poll, context: context()) }
        while services.requests.isEmpty { await Task.yield() }
        let result = await worker.call(write("sent+" + deed, 1), context: context(inMs: 500))
        #expect(result.response == nil)
        #expect(result.reachedVendor)
        let other = await inTheAir.value
        #expect(other.response == nil)
        #expect(other.reachedVendor)
        #expect(other.death?.problem.code == "E-WORKER-030")
        await door.open()
        #expect(hostile.processes == [])
    }

    @Test(
        "A deed that is only a lie costs its worker, or the call alone where it said why: the breach is named",
        arguments: [
            ("null-result", "datong_write_result; fewer results than records"),
            ("null-context", "fewer results than records; a host function or sink was used outside its call"),
            ("endless-number", "number; fewer results than records"),
            ("far-index", "a result for a record that is not in the request"),
            ("fail-size-0", "size of datong_failure"), ("fail-size-huge", "size of datong_failure"),
            ("fail-null", "failure is NULL"), ("fail-no-messages", "messages of datong_failure are NULL"),
            ("fail-no-count", "a failure without a message"), ("fail-flags", "flags of datong_failure"),
            ("fail-length", "message text"), ("fail-field", "field"),
        ])
    func lies(deed: String, breach: String) async throws {
        let worker = try await Hostile().start()
        let result = await worker.call(write(deed, 1), context: context())
        #expect(result.breaches == [breach])
        #expect(!result.reachedVendor)
        if case .contractBreach(let broken)? = result.failure { #expect(broken.problem.code == "E-WORKER-040") }
        await worker.endsOrGoesOn(after: result)
    }

    @Test(
        "A request that is wrong in its sizes, pointers or lengths reaches no service",
        arguments: [
            "ask-size-0", "ask-size-huge", "ask-reply-size", "ask-url", "ask-body", "ask-headers", "ask-null-headers",
            "ask-insertions", "ask-segments", "ask-state", "ask-null-reply", "ask-session", "ask-log",
        ])
    func requests(deed: String) async throws {
        let services = FakeServices()
        let worker = try await Hostile().start(services)
        let result = await worker.call(write(deed, 1), context: context())
        #expect(result.breaches.count == 1)
        #expect(!result.reachedVendor)
        #expect(services.requests.isEmpty)
        #expect(services.notes.isEmpty)
        await worker.endsOrGoesOn(after: result)
    }

    @Test("Text that is not UTF-8 never becomes a number, and in a message it is mended")
    func badText() async throws {
        let worker = try await Hostile().start()
        let number = await worker.call(write("sent+bad-number", 1), context: context())
        #expect(number.response == nil)
        #expect(number.known.isEmpty)
        #expect(number.reachedVendor)
        #expect(number.breaches == ["number is not UTF-8"])
        await worker.endsOrGoesOn(after: number)
        let another = try await Hostile().start()
        let message = await another.call(write("fail-text", 1), context: context())
        #expect(message.pluginFailure?.messages.first?.text.hasPrefix("a") == true)
        await another.endsOrGoesOn(after: message)
    }

    @Test("Replies that are never given back are the call's, and go with it", .timeLimit(.minutes(5)))
    func keptReplies() async throws {
        // Together more than the worker's address space.
        let body = [UInt8](repeating: 0x20, count: 4 << 20)
        let worker = try await Hostile().start(FakeServices { _, _ in .http(.init(status: 200, body: body)) })
        for _ in 0..<30 {
            #expect(await worker.call(write("keep-replies", 1), context: context()).numbers == ["done"])
        }
        await worker.stop()
    }

    @Test(
        "A plugin that does harm while it starts is refused with a code", .timeLimit(.minutes(5)),
        arguments: [
            ("-DINIT_LOOPS", "E-WORKER-021"), ("-DINIT_EXITS", "E-WORKER-022"), ("-DOPEN_CRASHES", "E-WORKER-022"),
            ("-DOPEN_GIVES_NOTHING", "E-WORKER-040"),
        ])
    func starts(flag: String, code: String) async throws {
        let hostile = try Hostile([flag])
        var configuration = configuration(plugin: hostile.path)
        configuration.helloMs = flag == "-DINIT_LOOPS" ? 300 : configuration.helloMs
        do throws(Problem) {
            _ = try await Worker.start(configuration, services: FakeServices())
            Issue.record("it started")
        } catch {
            #expect(error.code == code)
        }
    }

    @Test(
        "A plugin that does harm while it ends is ended", .timeLimit(.minutes(5)),
        arguments: ["-DSHUTDOWN_LOOPS", "-DCLOSE_CRASHES"])
    func ends(flag: String) async throws {
        let hostile = try Hostile([flag])
        let worker = try await hostile.start()
        #expect(await worker.call(write("well", 1), context: context()).numbers == ["done"])
        let death = await worker.stop(withinMs: 300)
        #expect(death.cause == (flag == "-DSHUTDOWN_LOOPS" ? .stopped : .signal(SIGABRT)))
        #expect(hostile.processes == [])
    }

    @Test("An ability without its function is a breach")
    func emptyAbility() async throws {
        let worker = try await Hostile(["-DABILITY_WITHOUT_FUNCTION"]).start()
        let poll = PluginRequest.poll(.init(document: "well", records: []))
        #expect(await worker.call(poll, context: context()).breaches == ["an ability without its function"])
        await worker.stop()
    }
}

extension Worker {
    /// A call that ended as a breach took its worker along; any other left it working.
    fileprivate func endsOrGoesOn(after result: CallResult) async {
        if case .contractBreach? = result.failure {
            #expect(await ended().cause == .killedForBreach)
        } else {
            #expect(await call(write("well", 1), context: context()).numbers == ["done"])
            await stop()
        }
    }
}
