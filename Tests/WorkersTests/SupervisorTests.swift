import Testing
import Values
import Workers

@Suite("Supervisor: starts on demand, again after a crash, and knows when to stop")
struct SupervisorTests {
    private func supervisor(
        _ configuration: WorkerConfiguration = configuration(), budget: Int = 5, idleMs: Int64? = nil,
        services: any WorkerServices = FakeServices()
    ) -> WorkerSupervisor {
        WorkerSupervisor(
            configuration, services: services,
            policy: .init(restartBudget: budget, restartWindowMs: 600_000, idleMs: idleMs))
    }

    @Test("Nothing runs before the first call; calls at once share one start", arguments: isolations)
    func onDemand(isolation: Isolation) async {
        let supervisor = supervisor(configuration(isolation, concurrency: Concurrency([.query: 4])))
        #expect(await supervisor.status == .stopped)
        let texts = await withTaskGroup(of: String?.self) { group in
            for number in 0..<20 {
                group.addTask {
                    let query = PluginRequest.query(name: "echo", parameters: Array("\(number)".utf8))
                    return await supervisor.call(query, context: context()).text
                }
            }
            return await group.reduce(into: Set<String>()) { $0.insert($1 ?? "nil") }
        }
        #expect(texts == Set((0..<20).map(String.init)))
        #expect(await supervisor.status == .running(generation: 1, plugin: "puppet", version: "0.1.0"))
        await supervisor.shutDown()
        #expect(await supervisor.status == .shutDown)
    }

    @Test("After a crash the next call runs in a new generation, and the crashed call is not repeated")
    func restart() async {
        let services = FakeServices()
        let supervisor = supervisor(services: services)
        #expect(await supervisor.call(write("segv"), context: context()).death?.cause == .signal(11))
        #expect(await supervisor.call(write("echo"), context: context()).numbers.count == 2)
        #expect(await supervisor.status == .running(generation: 2, plugin: "puppet", version: "0.1.0"))
        #expect(await supervisor.crashes == 1)
        #expect(await supervisor.lastProblem?.code == "E-WORKER-030")
        await services.untilEnded(4)
        #expect(services.ended.map(\.generation).sorted() == [1, 1, 2, 2])
        await supervisor.shutDown()
    }

    @Test("A spent budget pauses the connection with the last reason, until it is resumed")
    func budget() async {
        let supervisor = supervisor(budget: 3)
        for _ in 0..<3 { #expect(await supervisor.call(write("abort"), context: context()).death != nil) }
        let refused = await supervisor.call(write("echo"), context: context())
        guard case .notSent(let problem)? = refused.failure else {
            Issue.record("sent: \(refused)")
            return
        }
        #expect(problem.code == "E-WORKER-024")
        #expect(problem.what.en.contains("signal 6"))
        #expect(await supervisor.status == .paused(problem))
        await supervisor.resume()
        #expect(await supervisor.call(write("echo"), context: context()).numbers.count == 2)
        #expect(await supervisor.status == .running(generation: 4, plugin: "puppet", version: "0.1.0"))
        await supervisor.shutDown()
    }

    @Test("A library that is refused spends the budget as well", arguments: isolations)
    func refusedLibrary(isolation: Isolation) async {
        let supervisor = supervisor(configuration(isolation, plugin: "/nonexistent/x.so"), budget: 2)
        var codes: [String] = []
        for _ in 0..<4 {
            if case .notSent(let problem)? = await supervisor.call(.describe, context: context()).failure {
                codes.append(problem.code)
            }
        }
        #expect(codes == ["E-WORKER-001", "E-WORKER-001", "E-WORKER-024", "E-WORKER-024"])
    }

    @Test(
        "An idle worker is stopped and started again by the next call", .timeLimit(.minutes(5)), arguments: isolations)
    func idle(isolation: Isolation) async throws {
        let supervisor = supervisor(configuration(isolation), idleMs: 20)
        let first = try await supervisor.start()
        #expect(await supervisor.call(.describe, context: context()).text != nil)
        #expect(await first.ended().cause == .stopped)
        #expect(await supervisor.call(.describe, context: context()).text != nil)
        #expect(await supervisor.crashes == 0)
        await supervisor.shutDown()
    }

    @Test("Stopping lets the open calls end", .timeLimit(.minutes(5)), arguments: isolations)
    func stop(isolation: Isolation) async {
        let door = Door()
        let services = FakeServices { _, _ in
            await door.pass()
            return .http(.init(status: 200))
        }
        let supervisor = supervisor(configuration(isolation), services: services)
        let open = Task { await supervisor.call(write("post", 1), context: context()) }
        while services.requests.isEmpty { await Task.yield() }
        let stopping = Task { await supervisor.stop() }
        while await supervisor.status != .stopped { await Task.yield() }
        await door.open()
        #expect(await open.value.numbers == ["200  "])
        await stopping.value
        #expect(await supervisor.crashes == 0)
        await supervisor.shutDown()
        let refused = await supervisor.call(.describe, context: context())
        guard case .notSent(let problem)? = refused.failure else {
            Issue.record("sent: \(refused)")
            return
        }
        #expect(problem.code == "E-WORKER-025")
    }
}
