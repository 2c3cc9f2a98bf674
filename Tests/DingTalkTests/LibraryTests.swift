import Glibc
import Testing

@Suite struct LibraryTests {
    /// What the tests run from: the library is built beside it.
    private var buildFolder: String? {
        guard let line = output("cat /proc/\(getpid())/maps").first(where: { $0.hasSuffix(".xctest") }),
            let start = line.firstIndex(of: "/"), let end = line.lastIndex(of: "/")
        else { return nil }
        return String(line[start..<end])
    }

    private func output(_ command: String) -> [String] {
        guard let pipe = popen(command, "r") else { return [] }
        defer { pclose(pipe) }
        var text = ""
        var buffer = [CChar](repeating: 0, count: 4096)
        while fgets(&buffer, Int32(buffer.count), pipe) != nil {
            text += String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return text.split(separator: "\n").map(String.init)
    }

    @Test func theLibraryExportsOneSymbolAndNothingElse() throws {
        let folder = try #require(buildFolder)
        let library = "\(folder)/libDingTalk.so"
        try #require(access(library, R_OK) == 0, "build it first: swift build --product DingTalk")
        let symbols = output("nm -D --defined-only '\(library)'").compactMap {
            $0.split(separator: " ").last
        }
        #expect(symbols == ["datong_plugin_v0"])
    }

    @Test func theLibraryNeedsNoFoundation() throws {
        let library = "\(try #require(buildFolder))/libDingTalk.so"
        let needed = output("readelf -d '\(library)'").filter { $0.contains("NEEDED") }
        #expect(!needed.isEmpty)
        #expect(!needed.contains { $0.contains("Foundation") })
    }
}
