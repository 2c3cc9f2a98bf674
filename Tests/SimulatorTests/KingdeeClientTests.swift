import Foundation
import SimulatorKit
import Testing

@testable import KingdeeSimulator

@Suite("Kingdee: the vendor's own client")
struct KingdeeClientTests {
    /// Set when this machine has no vendor clients and is not meant to have them.
    private static let skipped = ProcessInfo.processInfo.environment["DATONG_SKIP_SDK"] == "1"

    @Test("the vendor's Python SDK works against the simulator", .enabled(if: !skipped))
    func pythonSDK() async throws {
        let here = URL(filePath: #filePath).deletingLastPathComponent()
        let root = here.deletingLastPathComponent().deletingLastPathComponent()
        let environment = ProcessInfo.processInfo.environment
        let venv = environment["DATONG_VENV"].map { URL(filePath: $0) } ?? root.appending(path: ".venv")
        let python = venv.appending(path: "bin/python")
        try #require(FileManager.default.isExecutableFile(atPath: python.path), "run: make venv")

        let simulator = try KingdeeSimulator(options: SimulatorOptions())
        try await withServer(simulator) { _, _ in
            let folder = FileManager.default.temporaryDirectory.appending(path: "kingdee-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let credentials = folder.appending(path: "credentials.json")
            try Data(await simulator.credentials().bytes).write(to: credentials)

            let process = Process()
            process.executableURL = python
            process.arguments = [here.appending(path: "Clients/kingdee_client.py").path, credentials.path]
            process.environment = environment.merging(["NO_PROXY": "127.0.0.1", "PYTHONIOENCODING": "utf-8"]) { $1 }
            let output = folder.appending(path: "output.txt")
            try Data().write(to: output)
            let handle = try FileHandle(forWritingTo: output)
            process.standardOutput = handle
            process.standardError = handle
            let status = try await withCheckedThrowingContinuation { continuation in
                process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
                do { try process.run() } catch { continuation.resume(throwing: error) }
            }
            try handle.close()
            let text = String(decoding: try Data(contentsOf: output), as: UTF8.self)
            #expect(status == 0, "\(text)")
            print("Kingdee Python SDK: \(text.split(separator: "\n").last ?? "")")

            let totals = await simulator.books()["totals"]
            #expect(totals?["distinct_ext_ids"] == 4)
            #expect(totals?["doubled_ext_ids"] == [])
        }
    }
}
