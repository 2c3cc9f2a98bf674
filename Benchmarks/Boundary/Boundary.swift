import Glibc
import Workers

/// Times the border between host and plugin: how long a worker takes to its first answer, and what one call costs.
///
///     datong-bench-boundary LIBRARY WORKER
///
/// The plugin's `query` "echo" gives 1 KB of JSON back. One JSON object on standard output, microseconds.
@main
struct Boundary {
    private static let starts = 20
    private static let warmUp = 500
    private static let calls = 10_000
    private static let atOnce = 64

    static func main() async {
        let arguments = CommandLine.arguments
        guard arguments.count == 3 else {
            print("datong-bench-boundary LIBRARY WORKER")
            exit(64)
        }
        do {
            let worker = try await measure(arguments[1], .worker(executable: arguments[2]))
            let inside = try await measure(arguments[1], .inProcess)
            print("{\"worker\":\(worker),\"in_process\":\(inside)}")
        } catch {
            print("\(error)")
            exit(1)
        }
    }

    private static func measure(_ library: String, _ isolation: Isolation) async throws -> String {
        let configuration = WorkerConfiguration(
            isolation: isolation, plugin: library,
            open: OpenRequest(
                connection: "bench", product: "source", endpoint: "http://127.0.0.1:1/", settings: Array("{}".utf8),
                secrets: [], timeZone: "UTC"),
            concurrency: Concurrency([.query: atOnce]))
        let payload = Array(("{\"text\":\"" + String(repeating: "x", count: 1_013) + "\"}").utf8)

        var first: [Double] = []
        for _ in 0..<starts {
            let began = now()
            let worker = try await Worker.start(configuration, services: NoServices())
            try await ask(worker, payload)
            first.append(now() - began)
            await worker.stop()
        }

        let worker = try await Worker.start(configuration, services: NoServices())
        for _ in 0..<warmUp { try await ask(worker, payload) }
        var one: [Double] = []
        for _ in 0..<calls {
            let began = now()
            try await ask(worker, payload)
            one.append(now() - began)
        }
        let many16 = try await together(worker, payload, 16)
        let many64 = try await together(worker, payload, atOnce)
        await worker.stop()
        first.sort()
        one.sort()
        return """
            {"start_median":\(first[starts / 2]),"start_max":\(first[starts - 1]),"call_median":\(one[calls / 2]),\
            "call_p99":\(one[calls * 99 / 100]),"call_min":\(one[0]),"call_at_16":\(many16),"call_at_64":\(many64)}
            """
    }

    /// Microseconds per call with so many on their way at once.
    private static func together(_ worker: Worker, _ payload: [UInt8], _ places: Int) async throws -> Double {
        let began = now()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<places {
                group.addTask { for _ in 0..<(calls / places) { try await ask(worker, payload) } }
            }
            try await group.waitForAll()
        }
        return (now() - began) / Double(calls / places * places)
    }

    private struct Wrong: Error { var result: CallResult }

    private static func ask(_ worker: Worker, _ payload: [UInt8]) async throws {
        let context = CallContext(deadlineMs: Int64(now() / 1000) + 60_000 + realOffsetMs, traceID: "bench")
        let result = await worker.call(.query(name: "echo", parameters: payload), context: context)
        guard case .success(.text(let bytes)) = result.outcome, bytes.count == payload.count else {
            throw Wrong(result: result)
        }
    }

    /// Microseconds of the monotonic clock.
    private static func now() -> Double { seconds(CLOCK_MONOTONIC) * 1e6 }

    private static let realOffsetMs = Int64((seconds(CLOCK_REALTIME) - seconds(CLOCK_MONOTONIC)) * 1000)

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private struct NoServices: WorkerServices {
        func serve(_ request: ServiceRequest, for call: CallIdentity) async -> ServiceReply {
            .refused(.denied, "the benchmark offers no service")
        }
        func note(_ note: PluginNote, for call: CallIdentity) {}
        func callEnded(_ call: CallIdentity) async {}
    }
}
