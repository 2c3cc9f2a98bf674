import Foundation
import Testing
import Workers

@Suite("Handshake: a library is refused with the exact reason, or says what it is")
struct HandshakeTests {
    @Test("A missing file, a text, a cut-off header and a program for another machine are four different refusals")
    func files() async {
        #expect(await problem(configuration(plugin: "/nonexistent/x.so"))?.code == "E-WORKER-001")
        #expect(await problem(configuration(plugin: Built.path("").appending("/")))?.code == "E-WORKER-002")
        #expect(mkfifo(Built.path("pipe.so"), 0o600) == 0)
        #expect(await problem(configuration(plugin: Built.path("pipe.so")))?.code == "E-WORKER-002")
        #expect(
            await problem(configuration(plugin: Built.file("text.so", Array("no library".utf8))))?.code
                == "E-WORKER-003")
        #expect(
            await problem(configuration(plugin: Built.file("cut.so", [0x7f, 0x45, 0x4c, 0x46])))?.code == "E-WORKER-003"
        )
        var foreign = [UInt8](FileManager.default.contents(atPath: Built.plugin("entry.c")) ?? Data())
        foreign[18] = 8
        let machine = await problem(configuration(plugin: Built.file("mips.so", foreign)))
        #expect(machine?.code == "E-WORKER-004")
        #expect(machine?.what.en.contains("machine 8") == true)
    }

    @Test("A missing dependency is named")
    func dependency() async throws {
        let helper = Built.path("libhelper.so")
        let source = Built.file("helper.c", Array("int helper(void) { return 1; }\n".utf8))
        #expect(run("cc", ["-shared", "-fPIC", source, "-o", helper]).status == 0)
        let plugin = Built.plugin("entry.c", ["-DDEPENDS", "-L\(Built.path(""))", "-lhelper"])
        try FileManager.default.removeItem(atPath: helper)
        let refused = await problem(configuration(plugin: plugin))
        #expect(refused?.code == "E-WORKER-005")
        #expect(refused?.what.en.contains("libhelper.so") == true)
    }

    @Test("No symbol, another epoch's symbol and a wrong magic are told apart")
    func symbols() async {
        #expect(
            await problem(configuration(plugin: Built.plugin("entry.c", ["-DSYMBOL=something"])))?.code
                == "E-WORKER-007")
        let later = await problem(configuration(plugin: Built.plugin("entry.c", ["-DSYMBOL=datong_plugin_v1"])))
        #expect(later?.code == "E-WORKER-008")
        #expect(later?.what.en.contains("datong_plugin_v1") == true)
        #expect(await problem(configuration(plugin: Built.plugin("entry.c", ["-DMAGIC=1"])))?.code == "E-WORKER-009")
    }

    @Test("A bent entry is refused: size, id, init")
    func entry() async {
        #expect(await problem(configuration(plugin: Built.plugin("entry.c", ["-DSIZE=8"])))?.code == "E-WORKER-010")
        #expect(
            await problem(configuration(plugin: Built.plugin("entry.c", ["-DID=\"Not An Id\""])))?.code
                == "E-WORKER-010")
        #expect(
            await problem(configuration(plugin: Built.plugin("entry.c", ["-DINIT_RESULT=1"])))?.code == "E-WORKER-013")
    }

    @Test("Minors out of range are refused with all four numbers and the side to upgrade")
    func minors() async {
        let newer = await problem(configuration(plugin: Built.plugin("entry.c", ["-DNEEDS=9", "-DBUILT=9"])))
        #expect(newer?.code == "E-WORKER-011")
        #expect(newer?.what.en.contains("needs 9, built 9, host 1...1") == true)
        #expect(newer?.next.en == "Upgrade datong.")
        let older = await problem(configuration(plugin: Built.plugin("entry.c", ["-DNEEDS=0", "-DBUILT=0"])))
        #expect(older?.code == "E-WORKER-012")
        #expect(older?.what.en.contains("needs 0, built 0, host 1...1") == true)
        #expect(older?.next.en == "Upgrade the connector.")
    }

    @Test("A plugin built for a later minor that still bears ours agrees on ours", arguments: isolations)
    func laterMinor(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation, plugin: Built.plugin("entry.c", ["-DBUILT=5"])))
        #expect(worker.minors.built == 5)
        #expect(worker.minors.agreed == 1)
        await worker.stop()
    }

    @Test("A constructor that crashes costs the worker, and its words are kept")
    func constructor() async {
        let crashed = await problem(configuration(plugin: Built.plugin("entry.c", ["-DCONSTRUCTOR_CRASHES"])))
        #expect(crashed?.code == "E-WORKER-022")
        #expect(crashed?.what.en.contains("constructor says goodbye") == true)
        #expect(crashed?.what.en.contains("signal 6") == true)
    }

    @Test("A worker executable that is missing is a problem of the installation")
    func executable() async {
        let refused = await problem(configuration(.worker(executable: "/nonexistent/datong-worker")))
        #expect(refused?.code == "E-WORKER-020")
    }

    @Test("A plugin may refuse the connection with its reason", arguments: isolations)
    func refusesToOpen(isolation: Isolation) async {
        let refused = await problem(configuration(isolation, product: "closed"))
        #expect(refused?.code == "E-WORKER-023")
        #expect(refused?.what.en.contains("this product line is closed") == true)
    }

    @Test("A good plugin says its id, version, build and abilities", arguments: isolations)
    func hello(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation))
        #expect(worker.pluginID == "puppet")
        #expect(worker.pluginVersion == "0.1.0")
        #expect(worker.pluginBuild == "fixture")
        #expect(worker.abilities.count == 13)
        #expect(worker.abilities.contains("datong.write/1"))
        #expect(await worker.stop().cause == .stopped)
    }

    @Test("Without a connection only describe and migrate-state can be called", arguments: isolations)
    func noConnection(isolation: Isolation) async throws {
        var bare = configuration(isolation)
        bare.open = nil
        let worker = try await start(bare)
        #expect(await worker.call(.describe, context: context()).text == "{\"id\":\"puppet\"}")
        let migrated = await worker.call(
            .migrateState(from: 3, key: Array("k".utf8), value: Array("v".utf8)), context: context())
        #expect(migrated.text == "3 k v")
        #expect(await worker.call(.probe, context: context()).pluginFailure?.errorClass == .bug)
        await worker.stop()
    }

    @Test("An ability the plugin does not have is unsupported", arguments: isolations)
    func unsupported(isolation: Isolation) async throws {
        let worker = try await start(configuration(isolation, plugin: Built.plugin("entry.c")))
        #expect(await worker.call(.describe, context: context()).pluginFailure?.errorClass == .unsupported)
        await worker.stop()
    }
}
