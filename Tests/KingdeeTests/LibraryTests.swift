import Glibc
import Kingdee
import Testing

@Suite struct LibraryTests {
    /// What the tests run from: the library is built beside it.
    private var buildFolder: String? {
        var info = Dl_info()
        let address = unsafeBitCast(
            kingdeeClose as @convention(c) (UnsafeMutableRawPointer?) -> Void, to: UnsafeRawPointer.self)
        guard dladdr(address, &info) != 0, let name = info.dli_fname else { return nil }
        let path = String(cString: name)
        guard let slash = path.lastIndex(of: "/") else { return nil }
        return String(path[..<slash])
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
        let library = "\(folder)/libKingdee.so"
        try #require(access(library, R_OK) == 0, "build it first: swift build --product Kingdee")
        let symbols = output("nm -D --defined-only --extern-only '\(library)'").compactMap {
            $0.split(separator: " ").last
        }
        #expect(symbols == ["datong_plugin_v0"])
    }

    @Test func theLibraryNeedsNoFoundation() throws {
        let library = "\(try #require(buildFolder))/libKingdee.so"
        let needed = output("readelf -d '\(library)'").filter { $0.contains("NEEDED") }
        #expect(!needed.isEmpty)
        #expect(!needed.contains { $0.contains("Foundation") })
    }
}
