import DingTalkSimulator
import Foundation
import SimulatorKit
import Testing

/// The Python that has the vendors' own clients.
enum VendorClients {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let environment = ProcessInfo.processInfo.environment

    /// True when the run leaves these tests out on purpose.
    static var skipped: Bool {
        guard environment["DATONG_SKIP_SDK"] == "1" else { return false }
        print("The vendors' own clients are not run: DATONG_SKIP_SDK=1.")
        return true
    }

    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    /// Starts a script of Tests/SimulatorTests/Clients with the environment's Python.
    static func start(_ script: String, _ arguments: [String], environment more: [String: String] = [:]) throws
        -> (process: Process, output: Pipe)
    {
        let folder = environment["DATONG_VENV"].map { URL(fileURLWithPath: $0) } ?? root.appendingPathComponent(".venv")
        let python = folder.appendingPathComponent("bin/python")
        guard FileManager.default.isExecutableFile(atPath: python.path) else {
            throw Missing(description: "\(python.path) is missing; run: make venv")
        }
        let process = Process()
        process.executableURL = python
        process.arguments = [root.appendingPathComponent("Tests/SimulatorTests/Clients/\(script)").path] + arguments
        process.environment = environment.merging(more) { _, new in new }.merging(["no_proxy": "*"]) { _, new in new }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        return (process, output)
    }
}

/// Lines of a process, as they come.
private func lines(of pipe: Pipe) -> AsyncStream<String> {
    AsyncStream { feed in
        let handle = pipe.fileHandleForReading
        DispatchQueue.global().async {
            var rest = Data()
            while true {
                let chunk = handle.availableData
                if chunk.isEmpty { break }
                rest += chunk
                while let end = rest.firstIndex(of: 10) {
                    feed.yield(String(decoding: rest[rest.startIndex..<end], as: UTF8.self))
                    rest = Data(rest[rest.index(after: end)...])
                }
            }
            feed.finish()
        }
    }
}

@Suite("DingTalk: the vendor's own clients work against the simulator", .disabled(if: VendorClients.skipped))
struct DingTalkClientTests {
    @Test(
        "OpenAPI client: tokens, ids page by page, detail, comment, schema, templates, error codes",
        .timeLimit(.minutes(5)))
    func openAPI() async throws {
        let simulator = try DingTalkSimulator(
            options: SimulatorOptions(settings: ["approvals": "25", "rejected": "2"]))
        try await withServer(simulator) { (_, client) async throws in
            let (process, output) = try VendorClients.start(
                "dingtalk_openapi.py", [client.base, DingTalk.key, DingTalk.secret, DingTalk.corp])
            var last = ""
            for await line in lines(of: output) { last = line }
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            let said = try SimJSON.parse(last)
            #expect(said["same_token"] == true)
            #expect(said["expire_in"]?.int == 7200)
            #expect(said["unified"]?.int == 7200)
            #expect(said["wrong_pair"] == "invalidClientIdOrSecret")
            #expect(said["bad_token"] == "InvalidAuthentication")
            #expect(said["no_instance"] == "processInstanceNotExist")
            let books = await simulator.books()
            let known = Set(books["instances"]?.array?.compactMap { $0["id"]?.string } ?? [])
            #expect(Set(said["ids"]?.array?.compactMap(\.string) ?? []) == known)
            #expect(said["success"] == "true")
            #expect(said["remarks"] == ["凭证 记-12"])
            #expect(said["templates"] == ["PROC-EXPENSE", "PROC-PAYMENT", "PROC-LOAN"])
            #expect(said["schema"]?[0] == "reason")
            #expect((said["rows"]?.int ?? 0) > 0)
            #expect(books["comments"]?.int == 1)
        }
    }

    @Test("Stream client: connects, answers pings, takes events, answers a robot message", .timeLimit(.minutes(5)))
    func stream() async throws {
        let simulator = try DingTalkSimulator(options: SimulatorOptions())
        try await withServer(simulator) { (_, client) async throws in
            let (process, output) = try VendorClients.start(
                "dingtalk_stream_client.py", [DingTalk.key, DingTalk.secret, "4"],
                environment: ["DINGTALK_OPENAPI_ENDPOINT": client.base])
            var said: SimJSON = .null
            var pinged = false
            for await line in lines(of: output) {
                if line == "READY" {
                    try await client.ask("POST", "/_sim/stream/ping", [:])
                    try await client.ask("POST", "/_sim/approvals/generate", ["count": 4, "rejected": 1])
                    try await client.ask("POST", "/_sim/robot/message", ["text": "库存 A001"])
                } else if line == "SYSTEM ping" {
                    pinged = true
                } else if line.hasPrefix("{") {
                    said = try SimJSON.parse(line)
                }
            }
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(pinged)
            let books = await simulator.books()
            let known = Set(books["instances"]?.array?.compactMap { $0["id"]?.string } ?? [])
            let events = said["events"]?.array ?? []
            #expect(Set(events.compactMap { $0["instance"]?.string }) == known)
            #expect(events.count { $0["result"] == "refuse" } == 1)
            #expect(events.allSatisfy { $0["type"] == "bpms_instance_change" && $0["kind"] == "finish" })
            #expect(said["texts"] == [" 库存 A001"])
            #expect(books["stream"]?["pings_answered"]?.int == 1)
            #expect(books["replies"]?[0]?["text"]?["content"] == "库存 12 台")
            let states = books["stream"]?["pushes"]?.array?.compactMap { $0["state"]?.string } ?? []
            #expect(states == Array(repeating: "done", count: 5))
        }
    }
}
