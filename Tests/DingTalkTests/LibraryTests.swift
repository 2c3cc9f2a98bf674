import PluginKitTesting
import Testing

@Suite struct LibraryTests {
    @Test func theLibraryExportsOneSymbolAndNothingElse() throws {
        let library = try #require(BuiltLibrary("DingTalk"), "build it first: swift build --product DingTalk")
        #expect(library.symbols == ["datong_plugin_v0"])
    }

    @Test func theLibraryNeedsNoFoundation() throws {
        let needed = try #require(BuiltLibrary("DingTalk"), "build it first: swift build --product DingTalk").needed
        #expect(!needed.isEmpty)
        #expect(!needed.contains { $0.contains("Foundation") })
    }
}
