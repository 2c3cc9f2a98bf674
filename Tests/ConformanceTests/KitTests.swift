import Foundation
import Testing
import Values

@testable import Conformance

@Suite("The kit passes what is sound, says what it looked at, and shows nothing it should not")
struct KitTests {
    @Test("The example builds with its README's one command and passes every check that needs no vendor")
    func example() async throws {
        let folder = Folder()
        let report = try await examine(try Self.example(in: folder))
        #expect(report.isGood, "\(report.failures)")
        #expect(report.ids("skip").allSatisfy { $0.hasPrefix("vendor.") }, "\(report.ids("skip"))")
        #expect(report.checks.map(\.id) == Conformance.checks.map(\.id))
        #expect((report.id, report.version, report.product) == ("memo", "0.1.0", "standard"))
    }

    /// Builds the example as its README says, from the root of the project, into a folder.
    static func example(in folder: Folder) throws -> String {
        let readme = root + "/Examples/memo-connector/README.md"
        let commands = try commands(readme, beginningWith: "cc")
        #expect(commands.count == 1)
        let library = folder.path + "/libMemo.so"
        try shell(try #require(commands.first).replacing("-o libMemo.so", with: "-o \(library)"), in: root)
        return library
    }

    @Test("Every check has an id of its own, and is told of in the documentation")
    func documented() throws {
        let ids = Conformance.checks.map(\.id)
        #expect(Set(ids).count == ids.count)
        let page = try String(contentsOfFile: root + "/docs/conformance.md", encoding: .utf8)
        for id in ids {
            let parts = id.split(separator: ".")
            let isFault = ["probe", "read", "find", "write"].contains(parts[0]) && page.contains("| `\(parts[1])` |")
            #expect(isFault || page.contains("`\(id)`"), "\(id)")
        }
    }

    @Test("The example of the documentation passes the shape it shows")
    func describeExample() async throws {
        let page = try String(contentsOfFile: root + "/docs/describe.md", encoding: .utf8)
        let fence = try #require(page.split(separator: "```json\n").dropFirst().first?.split(separator: "```").first)
        let text = fence.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "")
        let folder = Folder()
        let source = folder.write(
            "small.c",
            """
            #include "datong_plugin.h"
            #include <string.h>
            static int32_t init(const datong_host *host) { return host ? DATONG_OK : DATONG_BUG; }
            static void shut(void) {}
            static int32_t describe(const datong_call *call, const datong_text_sink *sink) {
                static const char words[] = "\(text)";
                (void)call;
                sink->put(sink->context, (datong_bytes){(const uint8_t *)words, sizeof words - 1});
                return DATONG_OK;
            }
            static const datong_describe_ability d = {sizeof d, 0, describe};
            static const void *ability(const char *id) { return strcmp(id, DATONG_ABILITY_DESCRIBE) == 0 ? &d : NULL; }
            static int32_t open_it(const datong_call *call, const datong_open_request *request, void **connection) {
                static int nothing;
                (void)call;
                (void)request;
                *connection = &nothing;
                return DATONG_OK;
            }
            static void close_it(void *connection) { (void)connection; }
            DATONG_DEFINE_PLUGIN("example", "0.1.0", "", init, shut, ability, open_it, close_it);
            """)
        let library = folder.path + "/libSmall.so"
        try shell(BadConnectors.compiler + " \(source) -o \(library)", in: root)
        let report = try await examine(library)
        // It declares what so small a library does not offer, and nothing else is wrong with it.
        #expect(report.ids("fail") == ["describe.abilities"], "\(report.failures)")
    }

    @Test("What is no library fails the first check and is not run")
    func rubbish() async throws {
        let folder = Folder()
        for text in ["", "rubbish", "\u{7f}ELF" + String(repeating: "\u{2}\u{1}\u{3}", count: 60)] {
            let report = try await examine(folder.write("x.so", text))
            #expect(report.ids("fail").first == "library.file")
            #expect(report.ids("pass").isEmpty)
        }
    }

    @Test("A page escapes what connectors say, and JSON carries the same verdicts")
    func page() {
        let evil = "<script>alert('x')</script>&\"\u{1}"
        let report = Report(
            library: "/x/" + evil, sha256: "00", id: evil, version: "1", product: evil, seed: 7, vendor: false,
            checks: [
                CheckResult(id: "a.b", proves: .init(zh: "证明", en: "proves <b>"), verdict: .fail(evil)),
                CheckResult(id: "a.c", proves: .init(zh: "证明", en: "proves"), verdict: .pass),
            ])
        #expect(!report.html.contains("<script>"))
        #expect(report.html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;</td>"))
        #expect(!report.html.contains("\u{1}"))
        #expect(report.json["checks"]?[0]?["reason"]?.string == evil)
        #expect(report.json["failed"]?.int == 1)
        #expect(!report.isGood)
    }

    @Test("A settings file with secrets that others may read is refused")
    func openSettings() async throws {
        let folder = Folder()
        let library = try Self.example(in: folder)
        let file = folder.write("settings.json", "{\"secrets\":{\"token\":\"abc\"}}")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        await #expect(throws: Problem.self) { try await examine(library, settings: file) }
        do { _ = try await examine(library, settings: folder.write("bad.json", "[")) } catch {
            #expect(error.code == "E-KIT-001")
        }
    }
}
