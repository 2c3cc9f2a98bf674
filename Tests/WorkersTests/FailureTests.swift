import Foundation
import Testing
import WorkerCore
import Workers

@Suite("Failure: a crash, a hang or a lie costs one worker and gives one clear answer")
struct FailureTests {
    private static func answer(_ request: ServiceRequest) -> ServiceReply {
        guard case .http = request else { return .done }
        return .http(.init(status: 200, body: Array("ok".utf8)))
    }

    @Test(
        "A crash names its signal, an exit its status",
        arguments: [
            ("segv", WorkerDeath.Cause.signal(11)), ("abort", .signal(6)), ("exit", .exited(7)),
        ])
    func crash(what: String, cause: WorkerDeath.Cause) async throws {
        let worker = try await start(configuration())
        let result = await worker.call(write(what), context: context())
        #expect(result.death?.cause == cause)
        #expect(result.death?.problem.code == "E-WORKER-030")
        #expect(!result.reachedVendor)
        #expect(await worker.ended().cause == cause)
        guard case .notSent(let problem)? = await worker.call(.describe, context: context()).failure else {
            Issue.record("a dead worker took a call")
            return
        }
        #expect(problem == result.death?.problem)
    }

    @Test("A call that waited for its place when the worker died was never sent", .timeLimit(.minutes(5)))
    func queuedAtDeath() async throws {
        let door = Door()
        let services = FakeServices { request, _ in
            await door.pass()
            return Self.answer(request)
        }
        let worker = try await start(configuration(concurrency: Concurrency([.poll: 1])), services)
        let first = Task { await worker.call(write("post", 1), context: context()) }
        while services.requests.isEmpty { await Task.yield() }
        let second = Task { await worker.call(write("post", 1), context: context()) }
        while worker.callsWaiting == 0 { await Task.yield() }
        let crash = PluginRequest.poll(.init(document: "segv", records: []))
        #expect(await worker.call(crash, context: context()).death != nil)
        #expect(await first.value.death != nil)
        guard case .notSent? = await second.value.failure else {
            Issue.record("sent")
            return
        }
        #expect(await !second.value.reachedVendor)
        await door.open()
    }

    @Test("A deadline beyond all time, or before it, is a deadline all the same")
    func oddDeadlines() async throws {
        let worker = try await start(configuration())
        #expect(await worker.call(.describe, context: CallContext(deadlineMs: .max)).text != nil)
        #expect(await worker.call(write("polite-loop"), context: CallContext(deadlineMs: .min)).isDeadline)
        await worker.stop()
    }

    @Test("The last words on stderr are kept, within their bound")
    func stderr() async throws {
        let worker = try await start(configuration())
        let death = await worker.call(write("say-and-die"), context: context()).death
        #expect(death?.stderrTail.hasSuffix("the last words") == true)
        #expect(death?.stderrTail.contains("line 999") == true)
        #expect(death?.stderrTail.contains("line 0\n") == false)
        #expect((death?.stderrTail.utf8.count ?? 0) <= Limits.stderrTailBytes)
        #expect(death?.problem.what.en.contains("the last words") == true)
    }

    @Test("A plugin that never stops writing to stderr is killed after its deadline", .timeLimit(.minutes(5)))
    func shouting() async throws {
        let worker = try await start(configuration())
        #expect(await worker.call(write("shout"), context: context(inMs: 200)).overran == "E-WORKER-041")
        #expect(await worker.ended().stderrTail == String(repeating: "!", count: Limits.stderrTailBytes))
    }

    @Test("What a plugin started ends with its worker", .timeLimit(.minutes(5)))
    func child() async throws {
        let worker = try await start(configuration())
        let death = await worker.call(write("fork-and-die"), context: context()).death
        let pid = try #require(death.flatMap { pid_t($0.stderrTail.dropFirst("child ".count)) })
        let handle = datong_pidfd_open(pid)
        defer { close(handle) }
        // None when it is gone for good already.
        if handle >= 0 {
            var end = pollfd(fd: handle, events: Int16(POLLIN), revents: 0)
            #expect(poll(&end, 1, 60_000) == 1)
        }
    }

    @Test(
        "A child that writes to the socket for ever does not keep its dead parent's calls open",
        .timeLimit(.minutes(5)))
    func floodingChild() async throws {
        let worker = try await start(configuration())
        #expect(await worker.call(write("flood-and-die"), context: context()).death?.cause == .signal(6))
    }

    @Test("Two workers: one crashes, the other does not notice")
    func neighbours() async throws {
        let door = Door()
        let services = FakeServices { request, _ in
            await door.pass()
            return Self.answer(request)
        }
        let one = try await start(configuration())
        let other = try await start(configuration(), services)
        let waiting = Task { await other.call(write("post", 1), context: context()) }
        while services.requests.isEmpty { await Task.yield() }
        #expect(await one.call(write("segv"), context: context()).death != nil)
        #expect(other.death == nil)
        await door.open()
        #expect(await waiting.value.numbers == ["200  ok"])
        await other.stop()
    }

    @Test(
        "An endless loop is killed after its deadline, and its neighbours in the worker end with it",
        .timeLimit(.minutes(5)))
    func endlessLoop() async throws {
        let services = FakeServices { request, _ in
            await Door().pass()
            return Self.answer(request)
        }
        let worker = try await start(configuration(concurrency: Concurrency([.write: 2])), services)
        let neighbour = Task { await worker.call(write("post", 1), context: context()) }
        while services.requests.isEmpty { await Task.yield() }
        let looping = await worker.call(write("loop"), context: context(inMs: 200))
        #expect(looping.overran == "E-WORKER-041")
        let other = await neighbour.value
        #expect(other.death?.cause == .killedForDeadline)
        #expect(other.reachedVendor)
        #expect(await worker.ended().cause == .killedForDeadline)
    }

    @Test("A loader that never ends is killed", .timeLimit(.minutes(5)))
    func endlessLoad() async {
        var loops = configuration(plugin: Built.plugin("entry.c", ["-DCONSTRUCTOR_LOOPS"]))
        loops.helloMs = 300
        let stuck = await problem(loops)
        #expect(stuck?.code == "E-WORKER-021")
    }

    @Test(
        "A plugin that looks for cancellation comes back from its deadline and keeps its worker", arguments: isolations)
    func politeDeadline(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation, graceMs: 30_000))
        #expect(await worker.call(write("polite-loop"), context: context(inMs: 100)).isDeadline)
        #expect(await worker.call(.describe, context: context()).text != nil)
        await worker.stop()
    }

    @Test(
        "A plugin that was busy with itself when its deadline came is told as what took too long", arguments: isolations
    )
    func politeOverrun(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation, graceMs: 30_000))
        let result = await worker.call(write("polite-loop"), context: context(inMs: 1_200))
        #expect(result.overran == "E-WORKER-041")
        #expect(worker.death == nil)
        await worker.stop()
    }

    @Test(
        "A plugin that waited for a vendor when its deadline came is not blamed", .timeLimit(.minutes(5)),
        arguments: isolations)
    func vendorIsLate(isolation: Isolation) async throws {
        let door = Door()
        let services = FakeServices { request, _ in
            await door.pass()
            return Self.answer(request)
        }
        let worker = try await start(configuration(isolation, graceMs: 30_000), services)
        let result = await worker.call(write("post-and-pass-on"), context: context(inMs: 1_200))
        #expect(result.isDeadline)
        #expect(result.reachedVendor)
        await door.open()
        await worker.stop()
    }

    @Test(
        "A plugin that returns when its sink says so has ended early, and broken nothing", .timeLimit(.minutes(5)),
        arguments: isolations)
    func stoppedBySink(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation, graceMs: 30_000))
        let read = PluginRequest.read(
            .init(document: "until-stopped", selection: .page(cursor: [], sinceMs: nil, max: 1_000_000)))
        #expect(await worker.call(read, context: context(inMs: 100)).isDeadline)
        let result = await worker.call(write("until-stopped", 3), context: context(inMs: 100))
        #expect(result.isDeadline)
        #expect(result.known.keys.sorted() == [0, 1])
        await worker.stop()
    }

    @Test(
        "Documents, matches and hints that a plugin left out when told to stop do not count as not being there",
        .timeLimit(.minutes(5)), arguments: isolations)
    func stoppedBeforeTheLast(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation, graceMs: 30_000))
        func named(_ ids: [String]) -> PluginRequest {
            .read(.init(document: "until-stopped", selection: .documents(ids)))
        }
        #expect(await worker.call(named(["a", "b"]), context: context(inMs: 100)).isDeadline)
        #expect(await worker.call(named(["a"]), context: context(inMs: 100)).response != nil)
        let find = PluginRequest.find(.init(document: "until-stopped", key: "k"))
        #expect(await worker.call(find, context: context(inMs: 100)).isDeadline)
        let frame = PluginRequest.listenFrame(Array("until-stopped".utf8))
        #expect(await worker.call(frame, context: context(inMs: 100)).isDeadline)
        await worker.stop()
    }

    @Test("A result that comes within the grace time counts", arguments: isolations)
    func lateSuccess(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation, graceMs: 30_000))
        #expect(await worker.call(write("late-success", 1), context: context(inMs: 100)).numbers == ["late"])
        await worker.stop()
    }

    @Test(
        "Cancelling the task cancels the call, running or waiting for its place", .timeLimit(.minutes(5)),
        arguments: isolations)
    func cancel(isolation: Isolation) async throws {
        let services = FakeServices()
        let worker = try await start(configuration(isolation, graceMs: 30_000), services)
        let running = Task { await worker.call(write("polite-loop"), context: context()) }
        await services.untilNotes(1)
        let queued = Task { await worker.call(write("echo"), context: context()) }
        queued.cancel()
        let second = await queued.value
        running.cancel()
        let first = await running.value
        for result in [first, second] {
            guard case .cancelled? = result.failure else {
                Issue.record("not cancelled: \(result)")
                continue
            }
        }
        #expect(await worker.call(.describe, context: context()).text != nil)
        await worker.stop()
    }

    @Test("A call cancelled while a thread takes it up is told so", .timeLimit(.minutes(5)), arguments: isolations)
    func cancelAtOnce(isolation: Isolation) async throws {
        let worker = try await start(
            configuration(isolation, concurrency: Concurrency([.write: 16]), graceMs: 30_000))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3000 {
                group.addTask {
                    let call = Task { await worker.call(write("polite-loop"), context: context()) }
                    call.cancel()
                    _ = await call.value
                }
            }
        }
        #expect(worker.death == nil)
        await worker.stop()
    }

    @Test(
        "A service that does not answer by the deadline costs the call, not the worker", .timeLimit(.minutes(5)),
        arguments: isolations)
    func slowService(isolation: Isolation) async throws {
        let door = Door()
        let services = FakeServices { request, _ in
            await door.pass()
            return Self.answer(request)
        }
        let worker = try await start(configuration(isolation, graceMs: 30_000), services)
        let result = await worker.call(write("post-and-fail"), context: context(inMs: 200))
        #expect(result.pluginFailure?.messages.first?.text == "!22 1 the call has ended")
        #expect(result.reachedVendor)
        #expect(services.ended.map(\.kind) == [.open])
        await door.open()
        await services.untilEnded(2)
        #expect(await worker.call(.describe, context: context()).text != nil)
        await worker.stop()
    }

    @Test("Waiting for a place does not outlast the deadline", .timeLimit(.minutes(5)))
    func queuedDeadline() async throws {
        let door = Door()
        let services = FakeServices { request, _ in
            await door.pass()
            return Self.answer(request)
        }
        let worker = try await start(configuration(), services)
        let first = Task { await worker.call(write("post", 1), context: context()) }
        while services.requests.isEmpty { await Task.yield() }
        let second = await worker.call(write("post", 1), context: context(inMs: 100))
        #expect(second.isDeadline)
        #expect(!second.reachedVendor)
        await door.open()
        #expect(await first.value.numbers == ["200  ok"])
        await worker.stop()
    }

    @Test("Whether the vendor was reached is known whatever the plugin says")
    func reached() async throws {
        func result(_ what: String, _ reply: ServiceReply) async throws -> CallResult {
            let worker = try await start(configuration(), FakeServices { _, _ in reply })
            defer { Task { await worker.stop() } }
            return await worker.call(write(what), context: context())
        }
        let ok = ServiceReply.http(.init(status: 500))
        #expect(try await result("post-and-fail", ok).reachedVendor)
        #expect(try await result("post-and-die", ok).reachedVendor)
        #expect(try await result("post-and-fail", .refused(.unknownOutcome, "", mayHaveArrived: true)).reachedVendor)
        #expect(try await !result("post-and-fail", .refused(.unreachable, "")).reachedVendor)
        #expect(try await !result("post-and-die", .refused(.throttled, "")).reachedVendor)
        #expect(try await !result("read-and-fail", ok).reachedVendor)
    }

    @Test("A worker that dies while a write is under way may have reached the vendor", .timeLimit(.minutes(5)))
    func diesDuringWrite() async throws {
        let door = Door()
        let services = FakeServices { request, call in
            await door.pass()
            return Self.answer(request)
        }
        let worker = try await start(configuration(concurrency: Concurrency([.write: 2])), services)
        let writing = Task { await worker.call(write("post", 1), context: context()) }
        while services.requests.isEmpty { await Task.yield() }
        #expect(await worker.call(write("segv"), context: context()).death != nil)
        let result = await writing.value
        #expect(result.death?.cause == .signal(11))
        #expect(result.reachedVendor)
        await door.open()
        await services.untilEnded(3)
    }

    @Test("A worker that closes its socket and stays is killed", .timeLimit(.minutes(5)))
    func closesSocket() async throws {
        let worker = try await start(configuration())
        #expect(await worker.call(write("close-socket"), context: context()).death?.cause == .killedForProtocol)
    }

    @Test("A worker goes when its host dies, even while it is stuck in a loader", .timeLimit(.minutes(5)))
    func parentDeath() async throws {
        // The parent's parent lives on, so that the worker's end is its host's doing.
        let words = run(Built.program("parent.c"), [Built.worker, Built.plugin("entry.c", ["-DCONSTRUCTOR_LOOPS"])])
        let pids = words.output.split(separator: " ").compactMap { pid_t($0) }
        try #require(pids.count == 2)
        let (host, pid) = (pids[0], pids[1])
        let handle = datong_pidfd_open(pid)
        #expect(handle >= 0)
        // Once it is loading, and so past its own start.
        while (try? String(contentsOfFile: "/proc/\(pid)/maps", encoding: .utf8))?.contains("entry.c") == false {
            await Task.yield()
        }
        kill(host, SIGKILL)
        var end = pollfd(fd: handle, events: Int16(POLLIN), revents: 0)
        #expect(poll(&end, 1, 30_000) == 1)
        close(handle)
    }
}

@Suite("Breaches: a plugin that breaks the contract is a bug, whatever it returns")
struct BreachTests {
    @Test(
        "Each breach of a write is named",
        arguments: [
            ("short", "fewer results than records"), ("range", "a result for a record that is not in the request"),
            ("twice", "a record has two results"), ("no-reason", "DATONG_FAILED without a reason"),
            ("ok-after-fail", "DATONG_OK after fail"),
            ("return-99", "neither DATONG_OK nor DATONG_FAILED was returned"),
            ("wrong-size", "datong_write_result; fewer results than records"),
            ("absurd-size", "datong_write_result; fewer results than records"),
            ("huge-length", "number; fewer results than records"), ("null-data", "number; fewer results than records"),
            ("must-understand", "flags of datong_write_result; fewer results than records"),
            ("odd-outcome", "an outcome this host does not know; fewer results than records"),
            ("no-effect", "effect is mandatory"), ("null-request", "http request or reply is NULL"),
            ("rogue-thread", "a host function or sink was used outside its call"),
            ("checkpoint-range", "checkpoint for a record that is not in the request"),
        ])
    func write(what: String, breach: String) async throws {
        let worker = try await start(configuration())
        let result = await worker.call(WorkersTests.write(what), context: context())
        #expect(result.breaches == [breach])
        guard case .contractBreach(let broken)? = result.failure else { return }
        #expect(broken.problem.code == "E-WORKER-040")
        #expect(await worker.ended().cause == .killedForBreach)
    }

    @Test(
        "A breach costs its worker: what was answered counts, what is open ends, what waits goes to the next",
        .timeLimit(.minutes(5)), arguments: isolations)
    func costsItsWorker(isolation: Isolation) async throws {
        let door = Door()
        let services = FakeServices { _, call in
            if call.generation == 1 { await door.pass() }
            return .http(.init(status: 200, body: Array("ok".utf8)))
        }
        let supervisor = WorkerSupervisor(
            configuration(isolation, concurrency: Concurrency([.poll: 1])), services: services)
        let worker = try await supervisor.start()
        let answered = await supervisor.call(.describe, context: context())
        let open = Task { await supervisor.call(WorkersTests.write("post", 1), context: context()) }
        while services.requests.isEmpty { await Task.yield() }
        let waiting = Task { await supervisor.call(WorkersTests.write("post", 1), context: context()) }
        while worker.callsWaiting == 0 { await Task.yield() }
        let short = await supervisor.call(
            .poll(
                .init(document: "short", records: [WriteRecord(key: "a", json: []), WriteRecord(key: "b", json: [])])),
            context: context())
        #expect(short.breaches == ["fewer results than records"])
        #expect(short.known == [0: .applied(Written(number: "only"))])
        #expect(answered.text != nil)
        let ended = await open.value
        #expect(ended.death?.cause == .killedForBreach)
        #expect(ended.reachedVendor)
        #expect(await waiting.value.numbers == ["200  ok"])
        #expect(await supervisor.crashes == 1)
        #expect(await supervisor.status == .running(generation: 2, plugin: "puppet", version: "0.1.0"))
        await door.open()
        await supervisor.shutDown()
    }

    @Test("In-process the same breaches are seen", arguments: ["short", "range", "twice", "no-reason", "wrong-size"])
    func inProcess(what: String) async throws {
        let worker = try await start(configuration(.inProcess))
        #expect(await worker.call(WorkersTests.write(what), context: context()).breaches.count == 1)
        await worker.stop()
    }

    @Test("What was said properly in spite of a breach is kept")
    func known() async throws {
        func known(_ what: String) async throws -> [Int: WriteOutcome] {
            let worker = try await start(configuration())
            return await worker.call(WorkersTests.write(what), context: context()).known
        }
        #expect(try await known("short") == [0: .applied(Written(number: "only"))])
        #expect(
            try await known("twice") == [0: .applied(Written(number: "a")), 1: .applied(Written(number: "b"))])
    }

    @Test("A flag in the low half is ignored")
    func lowFlag() async throws {
        let worker = try await start(configuration())
        #expect(await worker.call(WorkersTests.write("may-ignore"), context: context()).numbers == ["a", "b"])
        await worker.stop()
    }

    @Test(
        "An answer after the call has ended is recognised, through a sink or a call kept too long",
        arguments: isolations)
    func afterTheEnd(isolation: Isolation) async throws {
        for what in ["use-kept-sink", "use-kept-call"] {
            let worker = try await start(configuration(isolation))
            #expect(await worker.call(WorkersTests.write("keep"), context: context()).numbers == ["a", "b"])
            let late = await worker.call(WorkersTests.write(what), context: context())
            #expect(late.breaches == ["a host function or sink was used outside its call"])
            #expect(late.known.count == 2)
            await worker.stop()
        }
    }

    @Test(
        "A read without its page, with too many records, after its page, without end or with bad text is a breach",
        arguments: [
            ("no-page", "a page read without its page"), ("too-many", "more records than asked for"),
            ("after-page", "a record after the page"), ("bad-text", "record id is not UTF-8"),
        ])
    func read(what: String, breach: String) async throws {
        let worker = try await start(configuration())
        let request = PluginRequest.read(
            .init(document: what, selection: .page(cursor: [], sinceMs: nil, max: 3)))
        #expect(await worker.call(request, context: context()).breaches == [breach])
        await worker.stop()
    }

    @Test("A flood of records stops at the limit", .timeLimit(.minutes(5)))
    func flood() async throws {
        let worker = try await start(configuration())
        let request = PluginRequest.read(
            .init(document: "flood", selection: .page(cursor: [], sinceMs: nil, max: 1_000_000)))
        #expect(await worker.call(request, context: context()).breaches == ["more than 64 MiB in one result"])
        await worker.stop()
    }

    @Test("Headers beyond the limit are refused, in a request and in an answer", arguments: isolations)
    func fatHeaders(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation), FakeServices { _, _ in .http(.init(status: 200)) })
        let request = await worker.call(WorkersTests.write("fat-headers"), context: context())
        #expect(request.pluginFailure?.errorClass == .denied)
        let fat = PluginRequest.Webhook(method: "POST", path: "/fat", query: "", headers: [], body: [])
        #expect(
            await worker.call(.receive(fat), context: context()).breaches
                == ["more than 64 MiB in one result; a webhook without an answer"])
        await worker.stop()
    }

    @Test("An ability with a flag that must be understood is not used")
    func abilityFlag() async throws {
        let query = PluginRequest.query(name: "echo", parameters: Array("x".utf8))
        for (flags, breaches) in [("0x8000", []), ("0x10000", ["flags of an ability"])] {
            let plugin = Built.plugin("puppet.c", ["-DQUERY_FLAGS=\(flags)"])
            let worker = try await start(configuration(plugin: plugin))
            #expect(await worker.call(query, context: context()).breaches == breaches)
            await worker.stop()
        }
    }

    @Test("A wait or a lifetime beyond all calendars is a long one, and no number to overflow with")
    func endlessTimes() async throws {
        let services = FakeServices()
        let worker = try await start(configuration(), services)
        let result = await worker.call(WorkersTests.write("endless-times"), context: context())
        guard case .outcomes(let outcomes)? = result.response, outcomes.count == 2,
            case .accepted(_, Limits.longestSpanMs) = outcomes[0], case .refused(let failure) = outcomes[1]
        else {
            Issue.record("not as bounded: \(result)")
            return
        }
        #expect(failure.retryAfterMs == Limits.longestSpanMs)
        #expect(
            services.requests.map(\.0)
                == [.sessionPublish(lease: 1, value: Array("tok".utf8), ttlMs: Limits.longestSpanMs)])
        await worker.stop()
    }

    @Test("OK without its text or answer, and a text given twice, are breaches", arguments: isolations)
    func texts(isolation: Isolation) async throws {
        func breaches(_ request: PluginRequest) async throws -> [String] {
            let worker = try await start(configuration(isolation))
            return await worker.call(request, context: context()).breaches
        }
        #expect(try await breaches(.query(name: "silent", parameters: [])) == ["OK without its text"])
        #expect(try await breaches(.query(name: "both", parameters: [])) == ["text twice"])
        let silent = PluginRequest.Webhook(method: "POST", path: "/silent", query: "", headers: [], body: [])
        #expect(try await breaches(.receive(silent)) == ["a webhook without an answer"])
    }
}
