import PluginKitTesting
import Testing

@Suite struct LibraryTests {
    @Test func theLibraryExportsOneSymbolAndNothingElse() throws {
        let library = try #require(BuiltLibrary("Kingdee"), "build it first: swift build --product Kingdee")
        #expect(library.symbols == ["datong_plugin_v0"])
    }

    @Test func theLibraryNeedsNoFoundation() throws {
        let needed = try #require(BuiltLibrary("Kingdee"), "build it first: swift build --product Kingdee").needed
        #expect(!needed.isEmpty)
        #expect(!needed.contains { $0.contains("Foundation") })
    }
}
