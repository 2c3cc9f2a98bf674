import Conformance
import Foundation
import Glibc
import Testing

/// The example's vendor, for the time of a test.
final class Vendor: Sendable {
    let settings: String
    private let pid: pid_t

    init(_ folder: Folder) throws {
        let output = folder.path + "/vendor.txt"
        pid = try start("exec python3 Examples/memo-connector/vendor.py", in: root, output: output)
        var address = ""
        while !address.hasSuffix("\n"), kill(pid, 0) == 0 {
            usleep(10_000)
            address = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
        }
        settings = folder.write(
            "settings.json",
            "{\"vendor\":true,\"endpoint\":\"\(address.dropLast())\",\"secrets\":{\"token\":\"memo-token-for-trials\"}}"
        )
    }
    deinit {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }
}

@Suite("Connectors that are bad in one way, and connectors in service", .serialized)
struct ConformanceLongRunTests {
    @Test("A bad connector fails exactly its checks", arguments: BadConnectors.all)
    func bad(connector: BadConnector) async throws {
        let folder = Folder()
        var text = try String(contentsOfFile: root + "/Examples/memo-connector/memo.c", encoding: .utf8)
        for (old, new) in connector.changes {
            try #require(text.contains(old), "the example no longer holds: \(old)")
            text = text.replacing(old, with: new)
        }
        let library = folder.path + "/libBad.so"
        let source = folder.write("bad.c", text)
        try shell("\(BadConnectors.compiler) \(connector.flags) \(source) -o \(library)", in: root)
        let vendor = connector.vendor ? try Vendor(folder) : nil
        let report = try await examine(library, settings: vendor?.settings)
        #expect(report.ids("fail") == connector.fails, "\(report.failures)")
    }

    @Test("The example passes every check with its vendor")
    func exampleWithVendor() async throws {
        let folder = Folder()
        let library = try KitTests.example(in: folder)
        let vendor = try Vendor(folder)
        let report = try await examine(library, settings: vendor.settings)
        #expect(report.passed == report.checks.count, "\(report.failures)")
    }

    @Test("Connectors in service pass", arguments: ["libDingTalk.so", "libKingdee.so"])
    func inService(library: String) async throws {
        let report = try await examine(try built(library))
        #expect(report.isGood, "\(report.failures)")
        #expect(report.passed >= 65)
    }

    @Test("The same seed gives the same verdicts")
    func seeds() async throws {
        let folder = Folder()
        let library = try KitTests.example(in: folder)
        let (one, two) = (try await examine(library, seed: 5), try await examine(library, seed: 5))
        #expect(one.checks == two.checks)
        withExtendedLifetime(folder) {}
    }
}
