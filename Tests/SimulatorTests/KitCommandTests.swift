import Foundation
import SimulatorKit
import Testing

/// The command beside the test bundle.
private func command(_ arguments: [String]) throws -> (process: Process, output: Pipe) {
    let folder = Bundle.main.executableURL?.deletingLastPathComponent() ?? URL(fileURLWithPath: ".")
    let bundles = CommandLine.arguments.compactMap { argument in
        argument.hasSuffix(".xctest") ? URL(fileURLWithPath: argument).deletingLastPathComponent() : nil
    }
    let found = (bundles + [folder]).map { $0.appendingPathComponent("datong-simulator") }.first {
        FileManager.default.isExecutableFile(atPath: $0.path)
    }
    let process = Process()
    let executable: URL = try #require(found, "datong-simulator is not built; run: swift build")
    process.executableURL = executable
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    return (process, output)
}

@Suite("The command starts simulators and stops when told")
struct KitCommandTests {
    @Test(
        "refuses what it cannot do",
        arguments: [
            ["nothing"], [], ["dingtalk", "dingtalk"], ["dingtalk", "--set", "dingtalk.approvals"],
            ["dingtalk", "--set", "kingdee.x=1"], ["dingtalk", "--set", "dingtalk.approvals=x"],
            ["dingtalk", "--faults", "/nonexistent"], ["dingtalk", "--port-dingtalk", "x"],
        ])
    func refuses(_ arguments: [String]) throws {
        let (process, output) = try command(arguments)
        process.waitUntilExit()
        #expect(process.terminationStatus != 0)
        #expect(output.fileHandleForReading.availableData.isEmpty)
    }

    @Test("says in one line where it listens, writes credentials for the owner only, plans faults, ends on SIGTERM")
    func runs() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let faults = folder.appendingPathComponent("faults.json")
        try Data("{\"dingtalk\":[{\"match\":\"token.new\",\"kind\":\"http500\",\"times\":1}]}".utf8).write(to: faults)
        let credentials = folder.appendingPathComponent("credentials.json")
        let (process, output) = try command([
            "dingtalk", "kingdee", "--set", "dingtalk.approvals=3", "--faults", faults.path, "--credentials-out",
            credentials.path,
        ])
        let reading = output.fileHandleForReading
        var said: [UInt8] = []
        while said.count(where: { $0 == 10 }) < 2 {
            let chunk = reading.availableData
            try #require(!chunk.isEmpty, "the command ended")
            said += chunk
        }
        let lines = try said.split(separator: 10).map { try SimJSON.parse(Array($0)) }
        #expect(lines.map { $0["simulator"] } == ["dingtalk", "kingdee"])
        let line = lines[0]
        let client = Client(try #require(line["url"]?.string))
        let mode = try FileManager.default.attributesOfItem(atPath: credentials.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let given = try SimJSON.parse(Array(Data(contentsOf: credentials)))["dingtalk"]
        let pair: SimJSON = ["appKey": given?["app_key"] ?? .null, "appSecret": given?["app_secret"] ?? .null]
        #expect(try await client.ask("POST", "/v1.0/oauth2/accessToken", pair).status == 500)
        #expect(try await client.ask("POST", "/v1.0/oauth2/accessToken", pair).status == 200)
        #expect(try await client.ask("GET", "/_sim/books").json["instances"]?.array?.count == 3)
        #expect(given?["base_url"] == line["url"])
        let other = Client(try #require(lines[1]["url"]?.string))
        #expect(try await other.ask("GET", "/_sim/ready").json == ["ready": true])
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == 0)
    }
}
