import Testing

/// A place that a law does not fit, and why.
struct Exception {
    var path: String
    var reason: String
}

/// The laws of the house, held on the whole tree. What they mean is in ARCHITECTURE.md.
@Suite("The house is tidy")
struct TidyTests {
    private let house = House.shared

    /// Findings that no exception covers; an exception that covers nothing is one too.
    private func judge(
        _ law: (TextFile) -> [Finding], in files: [TextFile]? = nil, except exceptions: [Exception] = []
    ) -> [Finding] {
        let found = (files ?? house.files).flatMap(law)
        let excused = Set(exceptions.map(\.path))
        let idle = excused.subtracting(found.map(\.path)).map {
            Finding(path: $0, line: 0, what: "an exception that nothing needs any more")
        }
        return found.filter { !excused.contains($0.path) } + idle
    }

    @Test("the tree was found and read")
    func treeIsThere() {
        #expect(house.file("Package.swift") != nil)
        #expect(house.sources.count > 200)
        for room in Laws.rooms {
            #expect(house.files.contains { $0.isIn(room.folder) }, "\(room.folder) is gone: take it out of the table")
        }
    }

    @Test("law 1: no vendor's name in the host")
    func noVendorInTheHost() { #expect(judge(Laws.vendorNames) == []) }

    @Test("law 2: the engine imports nothing and has no clock")
    func engineIsPure() { #expect(judge(Laws.pureEngine) == []) }

    @Test("law 3: imports point down, and there is no circle")
    func importsPointDown() {
        #expect(judge(Laws.imports) == [])
        #expect(judge(Laws.includes) == [])
        var below: Set<String> = []
        let ours = Set(Laws.rooms.map(\.module))
        for room in Laws.rooms {
            let up = room.mayImport.intersection(ours).subtracting(below)
            #expect(up.isEmpty, "\(room.module) points up to \(up)")
            below.insert(room.module)
        }
    }

    @Test("law 4: a connector leaves sockets, threads, files and clocks to the host")
    func pluginsArePlain() { #expect(judge(Laws.plainPlugins) == []) }

    @Test("law 6: limits have names and reasons, in a file of their own")
    func limitsHaveNames() {
        #expect(
            judge(
                Laws.limitsInTheirFile,
                except: [
                    Exception(path: "Sources/Values/CivilDate.swift", reason: "units of the calendar"),
                    Exception(path: "Sources/Values/TimeZoneRule.swift", reason: "units of the calendar"),
                    Exception(path: "Sources/PluginKit/Dates.swift", reason: "units of the calendar"),
                    Exception(
                        path: "Sources/Host/Configuration/MappingReader.swift", reason: "what `5m` and `1h` mean"),
                    Exception(
                        path: "Plugins/DingTalk/Sources/Components.swift", reason: "what tells milliseconds from a day"),
                    Exception(
                        path: "Plugins/DingTalk/Sources/Description.swift", reason: "the vendor's published figures"),
                ]) == [])
    }

    @Test("law 6 in C: limits have names and reasons, in a header of their own")
    func limitsOfCHaveNames() { #expect(judge(Laws.limitsInTheirHeader) == []) }

    @Test("law 6: a room has one file of limits")
    func limitsHaveOnePlace() {
        // What a draft may hold and how the running host bounds itself are read by different people, and change apart.
        let two = "Sources/Host/Running/HostLimits.swift"
        #expect(Laws.furtherLimits(house.files).map(\.path) == [two])
    }

    @Test("nothing unfinished is in the tree")
    func nothingUnfinished() { #expect(judge(Laws.finished) == []) }

    @Test("no reason is left to notes that are not in the tree")
    func reasonsAreHere() { #expect(judge(Laws.foreignNotes) == []) }

    @Test("no path of one machine is in the tree")
    func noMachinePaths() { #expect(judge(Laws.machinePaths) == []) }

    @Test("no binary floating point near an amount")
    func numbersAreExact() { #expect(judge(Laws.exactNumbers) == []) }

    @Test("files are short")
    func filesAreShort() {
        #expect(
            judge(
                Laws.shortFiles,
                except: [
                    Exception(
                        path: "Sources/PluginABI/include/datong_plugin.h",
                        reason: "the contract is one header, and most of it is its documentation")
                ]) == [])
    }

    @Test("an error code is defined in one place")
    func codesHaveOneMeaning() {
        #expect(house.files.flatMap(Laws.codes).count > 150)
        #expect(Laws.doubledCodes(house.files) == [])
    }

    @Test("the documents name only commands that exist")
    func commandsExist() {
        let commands = Laws.commands(house.files.filter { $0.isIn("Sources/Host/Commands") })
        #expect(commands.count > 10)
        #expect(commands["ledger"]?.contains("resolve") == true)
        let documents = house.files.filter { $0.path.hasSuffix(".md") }
        #expect(judge({ Laws.unknownCommands($0, commands) }, in: documents) == [])
    }

    @Test("links and paths in the documents lead somewhere")
    func linksLead() {
        let paths = Set(house.files.map(\.path))
        func exists(_ path: String) -> Bool {
            paths.contains(path) || paths.contains { $0.hasPrefix(path + "/") }
        }
        #expect(judge { Laws.deadLinks($0, exists: exists) } == [])
        let all = paths.sorted()
        #expect(judge { Laws.deadPaths($0, paths: all) } == [])
    }

    @Test("every function of the contract says what it is for, what it takes and how it fails")
    func contractIsDocumented() throws {
        let header = try #require(house.file("Sources/PluginABI/include/datong_plugin.h"))
        #expect(Laws.silentFunctions(header) == [])
        #expect(header.lines.count { $0.contains("(*") } > 50)
    }

    @Test("the changelog tells of the version in the source")
    func versionIsTold() throws {
        let source = try #require(house.file("Sources/Host/Commands/Command.swift"))
        let changelog = try #require(house.file("CHANGELOG.md"))
        #expect(Laws.untoldVersion(source: source, changelog: changelog) == [])
        // The worker, which has nothing of Swift, tells connectors the same.
        let worker = try #require(house.file("Sources/Worker/include/datong_worker.h"))
        let stated = source.lines.first { $0.contains("static let version = \"") }?.split(separator: "\"")[1]
        #expect(worker.lines.contains("#define DW_VERSION \"\(stated ?? "")\""))
    }
}
