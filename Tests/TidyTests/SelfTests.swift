import Testing

/// Each law is shown something that breaks it, and something that only looks like it.
@Suite("The laws can fail")
struct SelfTests {
    private func lines(_ found: [Finding]) -> [Int] { found.map(\.line) }

    @Test("a vendor's name is found in code, comment, text and path, in both scripts")
    func vendorNames() {
        let bad = TextFile(
            "Sources/Network/Client.swift",
            """
            let a = "https://api.DingTalk.com"
            // 金蝶的接口
            func kingdeeLogin() {}
            let sapClient = 1, sap_client = 2
            let disappear = "a sapling and the asap list"
            """)
        #expect(lines(Laws.vendorNames(bad)) == [1, 2, 3, 4])
        #expect(lines(Laws.vendorNames(TextFile("Sources/Network/Yonyou.swift", ""))) == [0])
        #expect(Laws.vendorNames(TextFile("Plugins/Kingdee/Sources/Kingdee.swift", "// 金蝶")).isEmpty)
    }

    @Test("an import, a clock and a task are found in the engine, a comment about them is not")
    func pureEngine() {
        let bad = TextFile(
            "Sources/Engine/Engine.swift",
            """
            import Dispatch
            /// No Task, no import Foundation.
            let now = ContinuousClock.now
            let dice = Int.random(in: 1...6)
            let text = "await"
            """)
        #expect(lines(Laws.pureEngine(bad)) == [1, 3, 4])
    }

    @Test("an import that points up, sideways or out is found, however it is written")
    func imports() {
        let up = TextFile("Sources/Ledger/Ledger.swift", "import Engine\n@testable import Host\n")
        #expect(lines(Laws.imports(up)) == [2])
        let kind = TextFile("Sources/Values/JSON.swift", "public import struct Foundation.Data\n// import Foundation\n")
        #expect(Laws.imports(kind).map(\.what) == ["may not import Foundation"])
        let plugin = TextFile("Plugins/Kingdee/Sources/Client.swift", "import PluginKit\nimport Network\n")
        #expect(lines(Laws.imports(plugin)) == [2])
        let simulator = TextFile("Simulators/Kingdee/Call.swift", "import SimulatorKit\nimport Values\n")
        #expect(lines(Laws.imports(simulator)) == [2])
        #expect(!Laws.imports(TextFile("Sources/Attic/Old.swift", "")).isEmpty)
    }

    @Test("a header of another room is found")
    func includes() {
        let bad = TextFile(
            "Plugins/Kingdee/Shim/plugin.c", "#include \"datong_plugin.h\"\n#include \"datong_worker.h\"\n")
        #expect(lines(Laws.includes(bad)) == [2])
    }

    @Test("a connector that sleeps, starts a task or asks the clock is found; a function of its own name is not")
    func plainPlugins() {
        let bad = TextFile(
            "Plugins/Kingdee/Sources/Client.swift",
            """
            usleep(1000)
            Task { go() }
            try await go()
            let when = self.sleep(5) + asleep(1)
            """)
        #expect(lines(Laws.plainPlugins(bad)) == [1, 2, 3])
    }

    @Test("a figure without a name, a time without a name and a limit without a reason are found")
    func limits() {
        let bad = TextFile(
            "Sources/Host/Running/Loop.swift",
            """
            try await Task.sleep(for: .milliseconds(20))
            let many = 5_000
            enum LoopLimits {}
            try await Task.sleep(for: .milliseconds(wait))
            let ms = nanoseconds / 1_000_000, minute = at / 60_000
            // 10_000 documents
            """)
        #expect(lines(Laws.limitsInTheirFile(bad)) == [1, 2, 3])
        let bare = TextFile("Sources/Host/Running/Limits.swift", "/// Why.\nstatic let a = 1_000\nstatic let b = 2\n")
        #expect(lines(Laws.limitsInTheirFile(bare)) == [3])
    }

    @Test("in C too: a bound outside its header, a figure without a name, a limit without a reason")
    func limitsInC() {
        let bad = TextFile(
            "Sources/Worker/call.c",
            """
            #define ROOM_BYTES (64u * 1024u)
            if (size > 4096u) return 0;
            int64_t ms = seconds * 1000 + nanoseconds / 1000000;
            #define WHOLE sizeof(struct call)
            /* 8192 bytes */
            """)
        #expect(lines(Laws.limitsInTheirHeader(bad)) == [1, 2])
        let header = TextFile("Sources/Worker/worker.h", "#define DW_HELLO 1u\n#define DW_MAX_BODY 9u\n")
        #expect(lines(Laws.limitsInTheirHeader(header)) == [2])
        let bare = TextFile("Sources/Worker/worker_limits.h", "/* Why. */\n#define A 1u\n#define B 2u\n")
        #expect(lines(Laws.limitsInTheirHeader(bare)) == [3])
    }

    @Test("a second file of limits in a room is found")
    func oneFileOfLimits() {
        let files = ["Sources/Host/A/Limits.swift", "Sources/Host/B/BLimits.swift", "Sources/Vault/Limits.swift"]
        #expect(Laws.furtherLimits(files.map { TextFile($0, "") }).map(\.path) == ["Sources/Host/B/BLimits.swift"])
    }

    @Test("words of unfinished work are found in any text")
    func unfinished() {
        let bad = TextFile(
            "docs/guide.md",
            "TODO: write\nThe list is a Placeholder.\nThis is not implemented.\n此功能暂未开放\nMETODOS todos\n")
        #expect(lines(Laws.finished(bad)) == [1, 2, 3, 4])
    }

    @Test("a number of notes that are not here is found, a number of ours is not")
    func foreignNotes() {
        let bad = TextFile("docs/guide.md", "Sealed (ruling 3).\nSee §4.\nSee adr/0003, 4 rulings.\n")
        #expect(lines(Laws.foreignNotes(bad)) == [1, 2])
    }

    @Test("a path of one machine is found, a path of a URL or of a home is not")
    func machinePaths() {
        let bad = TextFile(
            "docs/guide.md", "cd /work/main\nsee \"/home/lin/x\"\nGET https://h.example/work/list\n~/work/x ../home/y\n"
        )
        #expect(lines(Laws.machinePaths(bad)) == [1, 2])
    }

    @Test("floating point is found where amounts pass, and nowhere else")
    func exactNumbers() {
        let bad = "let a: Double = 1\n// no Double here\nlet b = \"Float\"\n"
        #expect(lines(Laws.exactNumbers(TextFile("Sources/Mapping/Sum.swift", bad))) == [1])
        #expect(Laws.exactNumbers(TextFile("Sources/Host/Sum.swift", bad)).isEmpty)
    }

    @Test("a long file is found, one of just the length is not")
    func shortFiles() {
        let line = "let a = 1\n"
        func file(_ count: Int) -> TextFile { TextFile("Sources/Host/A.swift", String(repeating: line, count: count)) }
        #expect(Laws.shortFiles(file(Laws.longestFile)).isEmpty)
        #expect(lines(Laws.shortFiles(file(Laws.longestFile + 1))) == [Laws.longestFile + 1])
    }

    @Test("a code with two places is found, a question for it is none")
    func codes() {
        let one = TextFile(
            "Sources/A/A.swift", "Problem(\n    \"E-ROOM-001\", zh: \"\")\nlet x = code == \"E-ROOM-001\"\n")
        let two = TextFile("Sources/B/B.swift", "case \"E-ROOM-001\": break\nviolation(\"E-ROOM-001\", 1)\n")
        #expect(Laws.doubledCodes([one]).isEmpty)
        #expect(Laws.doubledCodes([one, two]).map(\.line) == [1 + 1, 2])
    }

    @Test("a command nobody has is found in fences and between backticks, not in prose")
    func commands() {
        let source = TextFile(
            "Sources/Host/Commands/A.swift",
            """
            struct LedgerCommand: AsyncParsableCommand {
                static let configuration = CommandConfiguration(
                    commandName: "ledger", abstract: "", subcommands: [Show.self])
                struct Show: DatongCommand {
                    static let configuration = CommandConfiguration(abstract: "")
                }
            }
            struct Run: DatongCommand {
            """)
        let known = Laws.commands([source])
        #expect(known == ["ledger": ["show"], "run": []])
        let text = TextFile(
            "README.md",
            """
            datong flies by itself. `datong run` and `datong -w DIR ledger show 3` work.
            `datong ledger burn 3`
            ```
            $ datong fly
            datong run anything
            ```
            `datong ledger show|burn`
            """)
        #expect(lines(Laws.unknownCommands(text, known)) == [2, 4, 7])
    }

    @Test("a dead link is found, from a folder too")
    func links() {
        let text = TextFile("docs/a.md", "[a](b.md) [b](../README.md#top) [c](https://x.example/)\n[d](gone.md)\n")
        let there: Set = ["docs/b.md", "README.md"]
        #expect(lines(Laws.deadLinks(text) { there.contains($0) }) == [2])
    }

    @Test("a path that no file has is found; a pattern and a bare name are not looked at")
    func paths() {
        let text = TextFile(
            "A.md", "`Engine/Item.swift` `gone/Item.swift`\n`Item.swift` `Engine/*.swift` `a b/c.swift`\n")
        #expect(lines(Laws.deadPaths(text, paths: ["Sources/Engine/Item.swift"])) == [1])
        let good = TextFile("A.md", "`Sources/Engine/Item.swift` and `Engine/Item.swift`\n")
        #expect(Laws.deadPaths(good, paths: ["Sources/Engine/Item.swift"]).isEmpty)
    }

    @Test("a function of a header without its comment is found")
    func silentFunctions() {
        let header = TextFile(
            "a.h", "    /* Why. */\n    void (*a)(int x);\n    int (*b)(void);\n     * see (*b)\nint c(void);\n")
        #expect(lines(Laws.silentFunctions(header)) == [3])
    }

    @Test("a version nobody told of is found")
    func version() {
        let source = TextFile("Command.swift", "static let version = \"0.2.0\"")
        let old = TextFile("CHANGELOG.md", "# Changes\n## 0.1.0\n## 0.2.01\n")
        let told = TextFile("CHANGELOG.md", "## 0.2.0 (2026-12-01)\n")
        #expect(lines(Laws.untoldVersion(source: source, changelog: old)) == [1])
        #expect(Laws.untoldVersion(source: source, changelog: told).isEmpty)
    }

    @Test("comments and literals are told from code, over lines and raw strings too")
    func scanner() {
        let file = TextFile(
            "a.swift",
            """
            let a = "x // y" + b // c
            /* one /* two */ three */ d
            let e = #"say "import""# + f
            let g = \"\"\"
                import h
                \"\"\" + i
            """)
        #expect(
            file.code.map { CodeScanner.words($0).joined(separator: " ") } == [
                "let a b", "d", "let e f", "let g", "", "i",
            ])
    }
}
