import ArgumentParser
import DingTalkSimulator
import KingdeeSimulator
import Dispatch
import Foundation
import KingdeeSimulator
import SimulatorKit

/// Runs vendor simulators on loopback until it is told to stop.
@main
struct SimulatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "datong-simulator",
        abstract: "Vendor simulators on loopback. One JSON line per simulator says where it listens.",
        discussion: """
            Settings are given as VENDOR.NAME=VALUE, e.g. --set dingtalk.approvals=20 --set dingtalk.rejected=2.
            A fault file holds a list of faults for all, or an object with a list per vendor; the same objects can be
            posted to /_sim/faults of the running simulator. Stop with SIGTERM or SIGINT.
            """)

    static let known: [any Simulator.Type] = [DingTalkSimulator.self, KingdeeSimulator.self]

    @Argument(help: "Which vendors: \(known.map { $0.name }.joined(separator: ", ")).")
    var vendors: [String]

    @Option(name: .customLong("port-dingtalk"), help: "Port of dingtalk; 0 takes a free one.")
    var portDingTalk = 0

    @Option(name: .customLong("port-kingdee"), help: "Port of kingdee; 0 takes a free one.")
    var portKingdee = 0

    @Option(help: "Every random choice follows from it.")
    var seed: UInt64 = 1

    @Option(name: .customLong("set"), help: "VENDOR.NAME=VALUE; may be given again.")
    var settings: [String] = []

    @Option(help: "JSON file of faults to start with.")
    var faults: String?

    @Option(
        name: .customLong("credentials-out"), help: "Writes app keys, secrets and addresses there as JSON, mode 0600.")
    var credentialsOut: String?

    func validate() throws {
        guard !vendors.isEmpty else { throw ValidationError("Name at least one vendor.") }
        for vendor in vendors where !Self.known.contains(where: { $0.name == vendor }) {
            throw ValidationError("There is no simulator \"\(vendor)\".")
        }
        guard Set(vendors).count == vendors.count else { throw ValidationError("A vendor is named twice.") }
        _ = try split()
    }

    /// The settings by vendor.
    private func split() throws -> [String: [String: String]] {
        var out: [String: [String: String]] = [:]
        for setting in settings {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let names = parts[0].split(separator: ".", maxSplits: 1)
            guard parts.count == 2, names.count == 2, vendors.contains(String(names[0])) else {
                throw ValidationError("\"\(setting)\" is not VENDOR.NAME=VALUE of a vendor that runs.")
            }
            out[String(names[0]), default: [:]][String(names[1])] = String(parts[1])
        }
        return out
    }

    private func planned(for vendor: String) throws -> [Fault] {
        guard let faults else { return [] }
        let json = try SimJSON.parse(Array(Data(contentsOf: URL(fileURLWithPath: faults))))
        return try (json.array ?? json[vendor]?.array ?? []).map { try Fault.read($0) }
    }

    func run() async throws {
        let settings = try split()
        var running: [SimulatorServer] = []
        var credentials: SimJSON = [:]
        var lines: [SimJSON] = []
        for vendor in vendors {
            guard let kind = Self.known.first(where: { $0.name == vendor }) else { continue }
            let simulator = try kind.init(options: SimulatorOptions(seed: seed, settings: settings[vendor] ?? [:]))
            let server = SimulatorServer(
                simulator, port: vendor == "dingtalk" ? portDingTalk : portKingdee, seed: seed)
            for fault in try planned(for: vendor) { server.faults.add(fault) }
            let url = try await server.start()
            running.append(server)
            credentials[vendor] = await simulator.credentials()
            lines.append(["simulator": .string(vendor), "url": .string(url)])
        }
        // First the file, then the lines: who has read a line finds the file whole.
        if let credentialsOut { try write(credentials.text + "\n", to: credentialsOut) }
        for line in lines { FileHandle.standardOutput.write(Data((line.text + "\n").utf8)) }
        await untilStopped()
        for server in running { await server.stop() }
    }

    /// Writes a file that only its owner can read, from its first byte on.
    private func write(_ text: String, to path: String) throws {
        let part = path + ".part"
        unlink(part)
        let descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ValidationError("\(path) cannot be written.") }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
        guard rename(part, path) == 0 else { throw ValidationError("\(path) cannot be written.") }
    }

    private func untilStopped() async {
        let (stops, feed) = AsyncStream<Void>.makeStream()
        let sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { feed.yield() }
            source.resume()
            return source
        }
        for await _ in stops { break }
        for source in sources { source.cancel() }
    }
}
