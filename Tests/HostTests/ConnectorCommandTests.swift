import Foundation
import Testing
import Values

@testable import Host

private func run(_ words: [String]) async -> (status: Int32, out: String, err: String) {
    let captured = Captured()
    let status = await Session.$terminal.withValue({ captured.terminal($0, json: $1) }) {
        await CommandLineTool.run(words)
    }
    return (status, captured.output, captured.errors)
}

/// Runs the commands of a README's fences that begin with one of these words, in its folder.
private func follow(_ folder: String, _ words: Set<String>) async throws {
    var inFence = false
    for line in try String(contentsOfFile: folder + "/README.md", encoding: .utf8).split(separator: "\n") {
        if line.hasPrefix("```") { inFence.toggle() }
        guard inFence, let word = line.split(separator: " ").first, words.contains(String(word)) else { continue }
        let child = try Child(
            "/bin/sh", ["-c", "cd '\(folder)' && \(line)"], output: folder + ".out", errors: folder + ".out")
        #expect(await child.end(within: 600_000) == .exit(0), "\(line)")
    }
}

@Suite("Commands for those who write connectors")
struct ConnectorCommandTests {
    @Test("A new connector in C builds as its README says and passes; the reports agree")
    func newC() async throws {
        let folder = TemporaryFolder()
        let place = folder.path + "/my-erp"
        let made = await run([
            "connector", "new", "my-erp", place, "--language", "c", "--source", Programs.root, "--json",
        ])
        #expect(made.status == 0, "\(made.err)")
        #expect(try JSON.parse(made.out)["files"] == ["my-erp.c", "README.md"])
        try await follow(place, ["cc"])
        let page = folder.path + "/report.html"
        let tested = await run([
            "connector", "test", place + "/libMyErp.so", "--seed", "3", "--json", "--html", page,
        ])
        let report = try JSON.parse(tested.out)
        #expect(tested.status == 0, "\(tested.out)")
        #expect((report["failed"]?.int, report["seed"]?.string, report["id"]?.string) == (0, "3", "my-erp"))
        #expect(try String(contentsOfFile: page, encoding: .utf8).contains("<h1>my-erp 0.1.0</h1>"))
        // What is there stays.
        let again = await run(["connector", "new", "my-erp", place, "--language", "c", "--source", Programs.root])
        #expect(again.status == 1)
        #expect(again.err.hasPrefix("E-COMMAND-010 "))
    }

    @Test("The example is what `connector new` writes")
    func example() throws {
        let files = try Skeleton("memo").files(.c, source: Programs.root)
        let example = try String(contentsOfFile: Programs.root + "/Examples/memo-connector/memo.c", encoding: .utf8)
        #expect(files.first { $0.file == "memo.c" }?.text == example)
    }

    @Test("A library that is none is reported check by check, with exit status 1, in the person's language")
    func rubbish() async throws {
        let folder = TemporaryFolder()
        try FileStore.replace(folder.path + "/x.so", Array("rubbish".utf8))
        let zh = await run(["connector", "test", folder.path + "/x.so", "--lang", "zh"])
        #expect(zh.status == 1)
        #expect(zh.out.contains("fail library.file"))
        #expect(await run(["connector", "test", folder.path + "/absent.so"]).status == 1)
    }

    @Test(
        "A name that is none, a folder without the sources and a language that is none are refused",
        arguments: [("My-ERP", "c", "E-COMMAND-011"), ("9erp", "c", "E-COMMAND-011"), ("erp", "c", "E-COMMAND-012")])
    func refused(name: String, language: String, code: String) async {
        let folder = TemporaryFolder()
        let result = await run([
            "connector", "new", name, folder.path + "/x", "--language", language, "--source", folder.path,
        ])
        #expect(result.status == 1)
        #expect(result.err.hasPrefix(code + " "), "\(result.err)")
        #expect(await run(["connector", "new", "erp", "--language", "cobol"]).status == 2)
    }
}

@Suite("A new connector in Swift")
struct ConnectorSkeletonLongRunTests {
    @Test("builds as its README says and passes", .timeLimit(.minutes(10)))
    func newSwift() async throws {
        let folder = TemporaryFolder()
        let place = folder.path + "/my-erp"
        let made = await run(["connector", "new", "my-erp", place, "--language", "swift", "--source", Programs.root])
        #expect(made.status == 0, "\(made.err)")
        try await follow(place, ["ln", "swift"])
        let tested = await run(["connector", "test", place + "/.build/debug/libMyErp.so", "--lang", "en"])
        #expect(tested.status == 0, "\(tested.out)")
    }
}
