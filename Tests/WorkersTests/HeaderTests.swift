import Foundation
import Testing

/// The contract must be readable by every compiler a connector's author may bring.
@Suite struct HeaderTests {
    @Test(arguments: [["c", "c11"], ["c", "c17"], ["c++", "c++17"], ["c++", "c++20"]])
    func theHeaderIsCleanIn(_ dialect: [String]) {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let ended = run(
            "clang",
            [
                "-x", dialect[0], "-std=\(dialect[1])", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only",
                "-include", root.appendingPathComponent("Sources/PluginABI/include/datong_plugin.h").path, "/dev/null",
            ])
        #expect(ended.status == 0, "\(ended.output)")
    }
}
