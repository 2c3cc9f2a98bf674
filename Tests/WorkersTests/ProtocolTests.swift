import Foundation
import Testing
import Workers

@Suite("Protocol: whatever a worker sends, the host stays whole")
struct ProtocolTests {
    private func liar(_ lie: String) -> WorkerConfiguration {
        var configuration = configuration(.worker(executable: Built.program("liar.c")), plugin: lie)
        configuration.helloMs = 20_000
        return configuration
    }

    @Test(
        "A worker that starts with no HELLO of ours is not used", .timeLimit(.minutes(5)),
        arguments: [
            ("noise", "E-WORKER-022"), ("protocol", "E-WORKER-026"), ("short-hello", "E-WORKER-022"),
            ("silence", "E-WORKER-022"),
        ])
    func start(lie: String, code: String) async {
        #expect(await problem(liar(lie))?.code == code)
    }

    @Test(
        "Frames that are none of the protocol end the worker", .timeLimit(.minutes(5)),
        arguments: [
            "long-frame", "unknown-kind", "other-call", "two-services", "result-while-asking",
            "unknown-service", "cut-service",
        ])
    func frames(lie: String) async throws {
        let door = Door()
        let services = FakeServices { _, _ in
            await door.pass()
            return .number(1)
        }
        let worker = try await Worker.start(liar(lie), services: services)
        #expect(await worker.call(.describe, context: context()).death?.cause == .killedForProtocol)
        await door.open()
    }

    @Test(
        "A result that cannot be read is a breach", .timeLimit(.minutes(5)),
        arguments: [
            ("short-result", "an unreadable result"), ("many-items", "an unreadable result"),
            ("long-span", "an unreadable result"), ("empty-result", "OK without the answer that belongs to it"),
        ])
    func results(lie: String, breach: String) async throws {
        let worker = try await Worker.start(liar(lie), services: FakeServices())
        #expect(await worker.call(.describe, context: context()).breaches == [breach])
        await worker.stop(withinMs: 0)
    }

    @Test("An outcome of a record that was not sent is nobody's")
    func oddIndex() async throws {
        let worker = try await Worker.start(liar("odd-index"), services: FakeServices())
        let result = await worker.call(write("x", 1), context: context())
        #expect(result.breaches == ["OK without the answer that belongs to it"])
        await worker.stop(withinMs: 0)
    }

    @Test("A worker that refuses a library and stays is killed", .timeLimit(.minutes(5)))
    func refusesAndStays() async throws {
        let refused = await problem(liar("refuse-and-stay"))
        let pid = try #require(refused.flatMap { pid_t($0.what.en.suffix(10)) })
        while kill(pid, 0) == 0 { await Task.yield() }
    }

    @Test("By hand the worker says who starts it, and leaves")
    func byHand() {
        let ended = run(Built.worker, ["x", "y"])
        #expect(ended.status == 64)
        #expect(ended.output == "usage: datong-worker FD PLUGIN_PATH (started by datong)\n")
    }

    @Test("A worker has three standard descriptors, its socket and nothing else of the host")
    func bare() async throws {
        setenv("DATONG_TEST_LEAK", "1", 1)
        let leaked = open("/dev/null", O_RDONLY)
        defer { close(leaked) }
        let worker = try await Worker.start(configuration(), services: FakeServices())
        let text = await worker.call(.query(name: "inspect", parameters: []), context: context()).text
        #expect(
            text == """
                descriptors 0 1 2 3
                dumpable 0
                no-new-privileges 1
                core 0
                files 64
                stdin empty
                environment LANG=C.UTF-8 SWIFT_BACKTRACE=enable=no
                own process group

                """)
        await worker.stop()
    }
}
