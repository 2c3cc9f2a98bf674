/// The laws of the house as functions of a file, so that each can be shown a bad sample.
enum Laws {
    // MARK: 1, no vendor's name

    /// Parts of words, in lower case. What is a word of a language too stands in `vendorWords`.
    private static let vendorNames = [
        "dingtalk", "dingding", "kingdee", "yonyou", "ufida", "yongyou", "digiwin", "sudaa", "钉钉", "金蝶", "用友", "鼎捷",
        "速达", "宜搭", "云星空", "云星辰", "畅捷通", "思爱普", "k3cloud",
    ]
    private static let vendorWords: Set<String> = ["sap", "galaxy", "cosmic", "jdy", "yida", "yonbip", "tplus"]

    /// A vendor's name in the host: DingTalk is a connector like any other.
    static func vendorNames(_ file: TextFile) -> [Finding] {
        guard file.isIn("Sources"), file.mentions(vendorNames + vendorWords) else { return [] }
        return file.findings(of: [Substring(file.path)] + file.lines) { line in
            let text = line.lowercased()
            let name =
                vendorNames.first { text.contains($0) }
                ?? CodeScanner.words(Substring(text)).first { word in
                    word.split(separator: "_").contains { vendorWords.contains(String($0)) }
                }
            return name.map { "the vendor's name “\($0)” in the host" }
        }.map { Finding(path: $0.path, line: $0.line - 1, what: $0.what) }
    }

    // MARK: 2, the engine is pure

    private static let impure: Set<String> = [
        "ContinuousClock", "SuspendingClock", "Task", "async", "await", "print", "debugPrint", "readLine", "random",
        "shuffled", "randomElement", "shuffle", "SystemRandomNumberGenerator", "CommandLine",
    ]

    /// Anything in the engine that is not a function of its arguments.
    static func pureEngine(_ file: TextFile) -> [Finding] {
        guard file.isIn("Sources/Engine"), file.isSwift else { return [] }
        return file.findings(of: file.code) { line in
            if let module = importedModule(line) { return "the engine imports \(module)" }
            return CodeScanner.words(line).first { impure.contains($0) }.map { "\($0) is no business of the engine" }
        }
    }

    // MARK: 3 and 4, imports

    /// The rooms from the ground up. A room may import its list and nothing else, and every room of ours in a
    /// list stands above it here: so there are no circles.
    static let rooms: [(folder: String, module: String, mayImport: Set<String>)] = [
        ("Sources/PluginABI", "PluginABI", []),
        ("Sources/Values", "Values", ["Glibc"]),
        ("Sources/PluginKit", "PluginKit", ["Glibc", "PluginABI", "Values"]),
        ("Sources/Engine", "Engine", []),
        ("Sources/Documents", "Documents", ["Values"]),
        ("Sources/Mapping", "Mapping", ["Documents", "Glibc", "Values"]),
        ("Sources/COpenSSL", "COpenSSL", []),
        ("Sources/CCurl", "CCurl", []),
        ("Sources/VaultMemory", "VaultMemory", []),
        ("Sources/Vault", "Vault", ["COpenSSL", "Glibc", "Synchronization", "Values", "VaultMemory"]),
        ("Sources/Ledger", "Ledger", ["Engine", "Foundation", "GRDB", "GRDBSQLite", "Synchronization", "Values"]),
        (
            "Sources/Network", "Network",
            [
                "CCurl", "COpenSSL", "Glibc", "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL", "NIOTLS", "NIOWebSocket",
                "Synchronization", "Values",
            ]
        ),
        ("Sources/Worker", "WorkerCore", []),
        ("Sources/Workers", "Workers", ["Glibc", "PluginABI", "Synchronization", "Values", "WorkerCore"]),
        // The conformance kit plays the host, so it stands on the same rooms; it knows neither engine nor ledger.
        (
            "Sources/Conformance", "Conformance",
            ["Documents", "Glibc", "Network", "Synchronization", "Values", "Vault", "Workers"]
        ),
        (
            "Sources/Host", "Host",
            [
                "ArgumentParser", "Conformance", "Dispatch", "Documents", "Engine", "Foundation", "Glibc", "Ledger",
                "Logging",
                "Mapping", "Network", "Synchronization", "Values", "Vault", "Workers", "Yams",
            ]
        ),
        ("Sources/HostTestKit", "HostTestKit", ["Engine", "Host", "Ledger", "Synchronization", "Values", "Vault"]),
        ("Sources/Datong", "datong", ["Glibc", "Host"]),
    ]

    private static let pluginImports: Set<String> = ["PluginKit", "Values", "Synchronization", "Glibc"]
    private static let simulatorImports: Set<String> = [
        "SimulatorKit", "Synchronization", "Glibc", "Dispatch", "Foundation", "FoundationEssentials", "NIOCore",
        "NIOPosix", "NIOHTTP1", "NIOWebSocket", "ArgumentParser",
    ]

    /// The module of an import line of Swift: `@testable import struct Foundation.Data` is Foundation.
    static func importedModule(_ line: Substring) -> String? {
        var words = line.split(separator: " ").map(String.init)
        while let first = words.first,
            first.hasPrefix("@") || ["public", "internal", "package", "private", "fileprivate"].contains(first)
        {
            words.removeFirst()
        }
        guard words.first == "import", words.count > 1 else { return nil }
        let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let named = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
        return named.split(separator: ".").first.map(String.init)
    }

    /// An import that points up, or out of a room that has none.
    static func imports(_ file: TextFile) -> [Finding] {
        guard file.isSwift, file.isIn("Sources", "Plugins", "Simulators") else { return [] }
        let allowed: Set<String>
        if file.isIn("Plugins") {
            allowed = pluginImports
        } else if file.isIn("Simulators/Command") {
            allowed = simulatorImports.union(["DingTalkSimulator", "KingdeeSimulator"])
        } else if file.isIn("Simulators") {
            allowed = simulatorImports
        } else if let room = rooms.first(where: { file.isIn($0.folder) }) {
            allowed = room.mayImport
        } else {
            return [Finding(path: file.path, line: 1, what: "a room that is not in the table of rooms")]
        }
        return file.findings(of: file.code) { line in
            guard let module = importedModule(line), !allowed.contains(module) else { return nil }
            return "may not import \(module)"
        }
    }

    /// A header of another room in C code: `PluginABI` is open to all, the rest to their own folder.
    static func includes(_ file: TextFile) -> [Finding] {
        guard file.isC, file.isIn("Sources", "Plugins") else { return [] }
        let own: [String: [String]] = [
            "Sources/PluginABI": [],
            "Sources/Worker": ["datong_process.h", "datong_worker.h", "worker.h", "worker_limits.h"],
            "Sources/COpenSSL": ["openssl_limits.h"],
            "Sources/VaultMemory": ["vault_memory.h", "vault_memory_limits.h"],
        ]
        let allowed = (own.first { file.isIn($0.key) }?.value ?? []) + ["datong_plugin.h"]
        return file.findings(of: file.lines) { line in
            let words = line.split(separator: "\"")
            guard line.hasPrefix("#include \""), words.count > 1, !allowed.contains(String(words[1])) else {
                return nil
            }
            return "may not include \(words[1])"
        }
    }

    private static let notForPlugins: Set<String> = [
        "Task", "Thread", "DispatchQueue", "async", "await", "sleep", "usleep", "nanosleep", "socket", "fopen",
        "getenv",
        "pthread_create", "clock_gettime", "gettimeofday", "fork", "system",
    ]

    /// A connector opens no socket and no file, starts no thread, never sleeps and asks the host for the time.
    static func plainPlugins(_ file: TextFile) -> [Finding] {
        guard file.isIn("Plugins") else { return [] }
        return file.findings(of: file.code) { line in
            for word in notForPlugins where line.contains(word) {
                let calls = ["\(word)(", "\(word) {", "\(word)."]
                guard CodeScanner.words(line).contains(word) else { continue }
                let isKeyword = word == "async" || word == "await"
                if isKeyword || calls.contains(where: { starts(line, with: $0) }) {
                    return "\(word) is the host's business"
                }
            }
            return nil
        }
    }

    /// Whether `call` stands in the line where no member or longer name ends.
    private static func starts(_ line: Substring, with call: String) -> Bool {
        let bytes = Array(line.utf8)
        let wanted = Array(call.utf8)
        guard bytes.count >= wanted.count else { return false }
        for index in 0...(bytes.count - wanted.count) where bytes[index...].starts(with: wanted) {
            if index == 0 { return true }
            let before = bytes[index - 1]
            let isPart = !CodeScanner.words(Substring(String(decoding: [before], as: UTF8.self))).isEmpty
            if !isPart && before != UInt8(ascii: ".") { return true }
        }
        return false
    }

    // MARK: 6, limits

    /// A figure that bounds something, outside the room's file of limits.
    static func limitsInTheirFile(_ file: TextFile) -> [Finding] {
        guard file.isSwift, file.isIn("Sources", "Plugins") else { return [] }
        if file.name.hasSuffix("Limits.swift") {
            return file.lines.indices.compactMap { index in
                guard file.lines[index].contains("static let "), index > 0 else { return nil }
                let above = file.lines[index - 1].drop { $0 == " " }
                if above.hasPrefix("///") || above.hasPrefix("@") { return nil }
                return Finding(path: file.path, line: index + 1, what: "a limit without its reason")
            }
        }
        return file.findings(of: file.code) { line in
            let words = CodeScanner.words(line)
            if let at = words.firstIndex(of: "enum"), at + 1 < words.count, words[at + 1].hasSuffix("Limits") {
                return "limits outside a file named *Limits.swift"
            }
            for unit in [".seconds(", ".milliseconds(", ".minutes(", ".hours(", "sleep("] {
                guard let range = line.firstRange(of: unit) else { continue }
                let next = line[range.upperBound...].first
                if let next, next.isASCII, next.isNumber, next != "0" { return "a time without a name" }
            }
            // A round figure of thousands is a bound somebody chose, unless it turns one unit into another.
            let figure = words.first {
                $0.first?.isNumber == true && $0.hasSuffix("_000") && $0 != "1_000_000" && $0 != "1_000_000_000"
                    && !line.contains("/ \($0)") && !line.contains("% \($0)")
            }
            return figure.map { "the figure \($0) has no name" }
        }
    }

    /// The same in C: a figure that bounds something outside the room's `*_limits.h`, or in it without a reason. The
    /// contract's header states its figures itself, where a connector's author reads them.
    static func limitsInTheirHeader(_ file: TextFile) -> [Finding] {
        guard file.isC, file.isIn("Sources", "Plugins"), !file.isIn("Sources/PluginABI") else { return [] }
        func name(_ line: Substring) -> Substring? {
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count == 3, words[0] == "#define",
                words[2].drop(while: { $0 == "(" }).first?.isNumber == true
            else { return nil }
            return words[1]
        }
        if file.name.hasSuffix("_limits.h") {
            return file.lines.indices.compactMap { index in
                guard name(file.lines[index]) != nil, index > 0, !file.lines[index - 1].hasSuffix("*/") else {
                    return nil
                }
                return Finding(path: file.path, line: index + 1, what: "a limit without its reason")
            }
        }
        return file.findings(of: file.code) { line in
            if let name = name(line) {
                // A header's numbers are the words of a protocol; what bounds says so in its name.
                let bounds = file.name.hasSuffix(".c") || name.contains("MAX") || name.hasSuffix("_KEPT")
                return bounds ? "the limit \(name) outside a file named *_limits.h" : nil
            }
            let figure = CodeScanner.words(line).first { word in
                let digits = word.prefix { $0.isNumber }
                return digits.count > 3 && !line.contains("/ \(word)") && !line.contains("* \(word)")
                    && word.dropFirst(digits.count).allSatisfy { "uUlL".contains($0) }
            }
            return figure.map { "the figure \($0) has no name" }
        }
    }

    /// A room with a second file of limits: who looks for a figure has one place to look.
    static func furtherLimits(_ files: [TextFile]) -> [Finding] {
        let limits = files.filter {
            $0.isIn("Sources", "Plugins") && ($0.name.hasSuffix("Limits.swift") || $0.name.hasSuffix("_limits.h"))
        }
        let rooms = Dictionary(grouping: limits) { $0.path.split(separator: "/").prefix(2).joined(separator: "/") }
        return rooms.values.flatMap { own in
            own.sorted { $0.path < $1.path }.dropFirst().map {
                Finding(path: $0.path, line: 1, what: "a second file of limits")
            }
        }.sorted { $0.path < $1.path }
    }

    // MARK: texts

    /// Words of unfinished work, and of how the text came to be.
    private static let unfinished: Set<String> = [
        "TODO", "FIXME", "HACK", "WIP", "TBD", "stub", "stubs", "Stub", "placeholder", "placeholders", "Placeholder",
        "unimplemented", "Unimplemented",
    ]
    private static let unfinishedPhrases = [
        "not implemented", "not yet implemented", "for now,", "in a later version", "coming soon", "XXX:", "未实现", "待实现",
        "暂未", "占位", "待补充", "敬请期待",
    ]

    /// Words of unfinished work in any text of ours.
    static func finished(_ file: TextFile) -> [Finding] {
        guard !file.isIn("Tests/TidyTests"), file.mentions(unfinished.union(unfinishedPhrases)) else { return [] }
        return file.findings(of: file.lines) { line in
            if let word = CodeScanner.words(line).first(where: { unfinished.contains($0) }) {
                return "unfinished: \(word)"
            }
            return unfinishedPhrases.first { line.contains($0) }.map { "unfinished: \($0)" }
        }
    }

    private static let foreignNotes = ["(ruling ", "§", "of the specification"]

    /// A number of a list that a reader of this repository does not have: the reason itself belongs there.
    static func foreignNotes(_ file: TextFile) -> [Finding] {
        guard !file.isIn("Tests/TidyTests"), file.mentions(foreignNotes) else { return [] }
        return file.findings(of: file.lines) { line in
            foreignNotes.first { line.contains($0) }.map { "refers to notes that are not here: \($0)" }
        }
    }

    /// The path of one machine or one person.
    static func machinePaths(_ file: TextFile) -> [Finding] {
        let starts = ["/home/", "/Users/", "/root/", "/work/"]
        guard !file.isIn("Tests/TidyTests"), file.mentions(starts) else { return [] }
        return file.findings(of: file.lines) { line in
            for start in starts {
                var rest = line
                while let range = rest.firstRange(of: start) {
                    let before = range.lowerBound == line.startIndex ? nil : line[line.index(before: range.lowerBound)]
                    let isInside = before.map { $0.isLetter || $0.isNumber || ".}*_-~".contains($0) } ?? false
                    if !isInside { return "a path of one machine: \(start)…" }
                    rest = rest[range.upperBound...]
                }
            }
            return nil
        }
    }

    private static let floating: Set<String> = [
        "Double", "Float", "Float16", "Float32", "Float64", "CGFloat", "double", "float", "strtod", "atof",
    ]

    /// Binary floating point where amounts pass.
    static func exactNumbers(_ file: TextFile) -> [Finding] {
        guard file.isIn("Sources/Values", "Sources/Documents", "Sources/Mapping", "Sources/PluginKit", "Plugins")
        else { return [] }
        return file.findings(of: file.code) { line in
            CodeScanner.words(line).first { floating.contains($0) }.map { "\($0) near an amount" }
        }
    }

    /// Lines of the longest file that is still read in one sitting.
    static let longestFile = 600

    /// A file that should be two.
    static func shortFiles(_ file: TextFile) -> [Finding] {
        guard file.isSwift || file.isC, file.lines.count > longestFile + 1 else { return [] }
        return [
            Finding(path: file.path, line: longestFile + 1, what: "\(file.lines.count) lines, at most \(longestFile)")
        ]
    }

    // MARK: codes

    /// Places that define an `E-ROOM-NNN`: the literal is the first argument of a call or the value of `code:`. Places
    /// that ask for one (`case "…"`, `== "…"`) do not count.
    static func codes(_ file: TextFile) -> [(code: String, at: Finding)] {
        guard file.isSwift, file.isIn("Sources", "Plugins") else { return [] }
        var last: Character = "\n"
        var found: [(String, Finding)] = []
        for (index, line) in file.lines.enumerated() {
            let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
            for (place, part) in parts.enumerated() {
                if place % 2 == 1, part.hasPrefix("E-"), part.split(separator: "-").count == 3,
                    part.last?.isNumber == true, last == "(" || last == ":"
                {
                    found.append((String(part), Finding(path: file.path, line: index + 1, what: "defines \(part)")))
                }
                if place % 2 == 0, let end = part.last(where: { $0 != " " }) { last = end }
                if place % 2 == 1 { last = "\"" }
            }
        }
        return found
    }

    /// Codes that are defined in more than one place.
    static func doubledCodes(_ files: [TextFile]) -> [Finding] {
        Dictionary(grouping: files.flatMap(codes), by: \.code).sorted { $0.key < $1.key }.flatMap { code, places in
            places.count < 2
                ? []
                : places.map {
                    Finding(path: $0.at.path, line: $0.at.line, what: "\(code) is defined \(places.count) times")
                }
        }
    }

    // MARK: documents

    /// The commands of `datong`, each with its own, from `Sources/Host/Commands`.
    static func commands(_ files: [TextFile]) -> [String: Set<String>] {
        var commands: [String: Set<String>] = [:]
        for file in files {
            var root: String?
            for (index, line) in file.lines.enumerated() {
                let words = line.split(separator: " ")
                guard words.count >= 3, words[0] == "struct", line.hasSuffix("Command {"), words[1].hasSuffix(":")
                else {
                    continue
                }
                let isInner = line.hasPrefix(" ")
                var name = words[1].dropLast().lowercased()
                for next in file.lines[(index + 1)...].prefix(6) {
                    if next.contains("struct ") { break }
                    if let range = next.firstRange(of: "commandName: \"") {
                        name = String(next[range.upperBound...].prefix { $0 != "\"" })
                        break
                    }
                }
                if isInner, let root {
                    commands[root, default: []].insert(name)
                } else {
                    root = name
                    commands[name, default: []] = []
                }
            }
        }
        return commands
    }

    /// A `datong …` in a document that the program does not have. Looked for in code only: between backticks, and in
    /// fences that show a terminal.
    static func unknownCommands(_ file: TextFile, _ commands: [String: Set<String>]) -> [Finding] {
        var inFence = false
        return file.findings(of: file.lines) { line in
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                inFence.toggle()
                return nil
            }
            let pieces =
                inFence
                ? [line]
                : line.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter {
                    $0.offset % 2 == 1
                }.map(\.element)
            for piece in pieces {
                var words = piece.split(separator: " ").map(String.init)[...]
                if words.first == "$" { words.removeFirst() }
                guard words.first == "datong" else { continue }
                words.removeFirst()
                while let option = words.first, option.hasPrefix("-") {
                    words.removeFirst(["-w", "--workspace", "--lang"].contains(option) ? min(2, words.count) : 1)
                }
                guard let name = words.first, isName(name) else { continue }
                guard let own = commands[name] else { return "datong has no command \(name)" }
                if own.isEmpty { continue }
                guard let inner = words.dropFirst().first, isName(inner) else { continue }
                // `ledger list|show` names several.
                for one in inner.split(separator: "|") where !own.contains(String(one)) {
                    return "datong \(name) has no command \(one)"
                }
            }
            return nil
        }
    }

    private static func isName(_ word: String) -> Bool {
        word.allSatisfy { $0.isASCII && ($0.isLowercase || $0 == "-" || $0 == "|") } && word.first?.isLowercase == true
    }

    /// Relative links of a document that lead nowhere.
    static func deadLinks(_ file: TextFile, exists: (String) -> Bool) -> [Finding] {
        guard file.path.hasSuffix(".md") else { return [] }
        let folder = file.path.split(separator: "/").dropLast().map(String.init)
        return file.findings(of: file.lines) { line in
            var rest = line
            while let open = rest.firstRange(of: "](") {
                rest = rest[open.upperBound...]
                let target = String(rest.prefix { $0 != ")" && $0 != "#" && $0 != " " })
                if target.isEmpty || target.contains("://") || target.hasPrefix("mailto:") { continue }
                var parts = folder
                for part in target.split(separator: "/") {
                    if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(String(part)) }
                }
                if !exists(parts.joined(separator: "/")) { return "leads nowhere: \(target)" }
            }
            return nil
        }
    }

    /// Files named between backticks, with a folder before their name, that no file of the tree is.
    static func deadPaths(_ file: TextFile, paths: [String]) -> [Finding] {
        guard file.path.hasSuffix(".md") else { return [] }
        let endings = [".swift", ".c", ".h", ".py", ".sh", ".md"]
        return file.findings(of: file.lines) { line in
            let pieces = line.split(separator: "`", omittingEmptySubsequences: false)
            for (place, piece) in pieces.enumerated() where place % 2 == 1 {
                guard piece.contains("/"), !piece.contains("://"), !piece.hasPrefix("../"), !piece.contains("NAME"),
                    endings.contains(where: piece.hasSuffix), !piece.contains(where: { " *{<…".contains($0) })
                else { continue }
                if !paths.contains(where: { $0 == piece || $0.hasSuffix("/" + piece) }) {
                    return "there is no \(piece)"
                }
            }
            return nil
        }
    }

    /// Function pointers of a C header without a comment of their own right above them.
    static func silentFunctions(_ file: TextFile) -> [Finding] {
        file.lines.indices.compactMap { index in
            guard index > 0, file.lines[index].contains("(*"), file.lines[index].hasPrefix("    "),
                !file.lines[index].drop(while: { $0 == " " }).hasPrefix("*"), !file.lines[index - 1].hasSuffix("*/")
            else { return nil }
            return Finding(path: file.path, line: index + 1, what: "a function without its comment")
        }
    }

    /// The version in the source that the changelog does not tell of.
    static func untoldVersion(source: TextFile, changelog: TextFile) -> [Finding] {
        for (index, line) in source.lines.enumerated() where line.contains("static let version = \"") {
            let version = line.split(separator: "\"").dropFirst().first.map(String.init) ?? ""
            let isTold = changelog.lines.contains { $0 == "## \(version)" || $0.hasPrefix("## \(version) ") }
            return isTold
                ? []
                : [Finding(path: source.path, line: index + 1, what: "\(changelog.path) has no section ## \(version)")]
        }
        return [Finding(path: source.path, line: 1, what: "no version is stated")]
    }
}
