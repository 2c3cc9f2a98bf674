import Glibc
import Testing
import Values

@testable import Host

/// One way to spoil the sample, the code and the line a person is told.
struct Spoiled: Sendable, CustomTestStringConvertible {
    let story: String
    let file: String
    let old: String
    let new: String
    let code: String
    let line: Int

    init(_ story: String, _ file: String, _ old: String, _ new: String, _ code: String, _ line: Int) {
        self.story = story
        self.file = file
        self.old = old
        self.new = new
        self.code = code
        self.line = line
    }

    var testDescription: String { story }
}

@Suite("A draft says everything that is wrong with it, with file and line")
struct ConfigurationTests {
    @Test("the sample itself has no problem")
    func soundDraft() throws {
        let (draft, problems) = Sample().read()
        #expect(problems == [])
        let sound = try #require(draft)
        #expect(sound.check(Sample.catalogue) == [])
        #expect(sound.flows[0].ladder == ConfigurationLimits.standardLadder)
        #expect(sound.connections.first { $0.name == "books" }?.secrets == ["token": "books/token"])
    }

    static let yaml: [Spoiled] = [
        Spoiled("broken syntax", "flows/claims.yaml", "direction: one-way", "direction: [one-way", "E-CONF-005", 6),
        Spoiled("an anchor", "connections/books.yaml", "product: ledger", "product: &p ledger", "E-CONF-006", 3),
        Spoiled("an alias", "connections/books.yaml", "product: ledger", "product: *p", "E-CONF-006", 3),
        Spoiled("a tag", "connections/books.yaml", "product: ledger", "product: !!str ledger", "E-CONF-006", 3),
        Spoiled("a key twice", "connections/books.yaml", "product: ledger", "connector: ledger", "E-CONF-007", 2),
        Spoiled(
            "a key twice, once in quotes", "connections/books.yaml", "product: ledger", "\"connector\": ledger",
            "E-CONF-007", 2),
        Spoiled("two documents", "datong.yaml", "practice: true", "practice: true\n---\na: b", "E-CONF-008", 3),
        Spoiled(
            "brackets without end", "connections/books.yaml", "{ company: \"7\" }", String(repeating: "[", count: 4000),
            "E-CONF-009", 5),
        Spoiled(
            "dashes without end", "connections/books.yaml", "settings: {",
            String(repeating: "- ", count: 4000) + "x: {",
            "E-CONF-009", 5),
        Spoiled("a list as a key", "connections/books.yaml", "product: ledger", "[a, b]: ledger", "E-CONF-011", 1),
    ]

    static let keys: [Spoiled] = [
        Spoiled("a mistyped key", "connections/books.yaml", "endpoint:", "endpiont:", "E-CONF-012", 4),
        Spoiled("a missing key", "connections/books.yaml", "product: ledger\n", "", "E-CONF-013", 1),
        Spoiled("a list for a text", "connections/books.yaml", "product: ledger", "product: [ledger]", "E-CONF-014", 3),
        Spoiled("a text for a set of keys", "connections/books.yaml", "{ company: \"7\" }", "seven", "E-CONF-014", 5),
        Spoiled("a text for yes or no", "datong.yaml", "practice: true", "practice: yes", "E-CONF-014", 2),
        Spoiled("a word outside the choices", "flows/claims.yaml", "one-way", "oneway", "E-CONF-015", 5),
        Spoiled("an unknown trigger", "flows/claims.yaml", "realtime", "real-time", "E-CONF-015", 6),
        Spoiled("an unknown locale", "datong.yaml", "practice: true", "locale: zh", "E-CONF-015", 2),
        Spoiled(
            "a duration without unit", "connections/books.yaml", "limits:", "timeouts: { read: 20 }\nlimits:",
            "E-CONF-016", 7),
        Spoiled(
            "a ladder below a second", "flows/claims.yaml", "mapping: claims",
            "mapping: claims\nretry: { ladder: [20ms] }",
            "E-CONF-016", 9),
        Spoiled(
            "an empty ladder", "flows/claims.yaml", "mapping: claims", "mapping: claims\nretry: { ladder: [] }",
            "E-CONF-017", 9
        ),
        Spoiled("a limit of nothing", "connections/books.yaml", "per_second: 5", "per_second: 0", "E-CONF-017", 7),
        Spoiled("an id that is no UUID", "flows/claims.yaml", "0197a3c2-", "0197A3C2-", "E-CONF-018", 2),
        Spoiled("an empty text", "connections/books.yaml", "product: ledger", "product: \"\"", "E-CONF-041", 3),
        Spoiled(
            "a connection name with a space", "connections/books.yaml", "connection: books", "connection: my books",
            "E-CONF-021", 1),
        Spoiled(
            "a name that is not the file's", "connections/books.yaml", "connection: books", "connection: book",
            "E-CONF-022", 1),
        Spoiled(
            "a mapping name that is not the file's", "mappings/claims.yaml", "mapping: claims", "mapping: claim",
            "E-CONF-022", 1),
        Spoiled("an address with a question mark", "connections/books.yaml", "/api/", "/api/?a=b", "E-CONF-034", 4),
        Spoiled(
            "a socket where pages are meant", "connections/books.yaml", "https://books", "wss://books", "E-CONF-034", 4),
        Spoiled("an address without scheme", "connections/books.yaml", "https://books", "books", "E-CONF-034", 4),
        Spoiled(
            "a further host with a path", "connections/books.yaml", "limits:",
            "hosts: [https://a.example.com/x]\nlimits:",
            "E-CONF-034", 7),
        Spoiled(
            "a bad cron", "flows/claims.yaml", "realtime", "{ schedule: { cron: \"61 2 1 * *\" } }", "E-CONF-035", 6),
        Spoiled(
            "a zone nobody has", "flows/claims.yaml", "realtime",
            "{ schedule: { cron: \"0 2 1 * *\", timezone: Asia/Nowhere } }", "E-CONF-036", 6),
        Spoiled("a day that does not exist", "flows/claims.yaml", "2026-01-01", "2026-02-30", "E-CONF-037", 9),
        Spoiled(
            "a pin that is none", "connections/books.yaml", "limits:", "tls: { pin: sha256/abc }\nlimits:",
            "E-CONF-039", 7),
        Spoiled("a third party as master", "flows/claims.yaml", "master: office", "master: bank", "E-CONF-042", 7),
    ]

    static let secrets: [Spoiled] = [
        Spoiled("a secret in the file", "connections/books.yaml", "vault:books/token", "s3cr3t-value", "E-CONF-019", 6),
        Spoiled("a number as a secret", "connections/books.yaml", "vault:books/token", "123456", "E-CONF-019", 6),
        Spoiled(
            "a reference with nothing behind", "connections/books.yaml", "vault:books/token", "\"vault:\"",
            "E-CONF-019", 6),
        Spoiled(
            "an account in an address", "connections/books.yaml", "https://", "https://me:s3cr3t-value@", "E-CONF-019",
            4),
    ]

    static let decisions: [Spoiled] = [
        Spoiled("which documents, left out", "flows/claims.yaml", "from: {", "form: {", "E-CONF-020", 1),
        Spoiled("direction, with a question mark", "flows/claims.yaml", "one-way", "\"?\"", "E-CONF-020", 5),
        Spoiled("trigger, left empty", "flows/claims.yaml", "realtime", "", "E-CONF-020", 6),
        Spoiled("master, left empty", "flows/claims.yaml", "master: office", "master: \"\"", "E-CONF-020", 7),
    ]

    static let crossing: [Spoiled] = [
        Spoiled(
            "a connection that is not there", "flows/claims.yaml", "connection: books", "connection: book",
            "E-CONF-025", 4),
        Spoiled(
            "a mapping that is not there", "flows/claims.yaml", "mapping: claims", "mapping: claim", "E-CONF-025", 8),
        Spoiled(
            "an unknown document type", "flows/claims.yaml", "document: approval", "document: aproval", "E-DOC-101", 3),
        Spoiled("a filter on nothing", "flows/claims.yaml", "result: agree", "reslut: agree", "E-MAP-104", 3),
        Spoiled("a mapping to no field", "mappings/claims.yaml", "currency: CNY", "curency: CNY", "E-MAP-105", 5),
        Spoiled(
            "a mapping with no such table", "mappings/claims.yaml", "lookup: accounts", "lookup: account", "E-MAP-107",
            7),
        Spoiled("a ragged table", "tables/accounts.csv", "办公费,6602.04", "办公费", "E-TABLE-006", 3),
        Spoiled("a key file in the workspace", "datong.yaml", "/keys/example.key", "state/my.key", "E-CONF-031", 4),
    ]

    @Test("wrong YAML", arguments: yaml)
    func wrongYAML(_ spoiled: Spoiled) { expect(spoiled) }

    @Test("wrong keys and values", arguments: keys)
    func wrongKeys(_ spoiled: Spoiled) { expect(spoiled) }

    @Test("a secret outside the vault, and the message does not repeat it", arguments: secrets)
    func plaintextSecret(_ spoiled: Spoiled) {
        expect(spoiled)
        let problems = Sample().replacing(spoiled.file, spoiled.old, spoiled.new).read().problems
        #expect(!problems.contains { "\($0)".contains("s3cr3t-value") || "\($0)".contains("123456") })
    }

    @Test("one of the four decisions open", arguments: decisions)
    func openDecision(_ spoiled: Spoiled) { expect(spoiled) }

    @Test("names and files that do not fit each other", arguments: crossing)
    func crossChecks(_ spoiled: Spoiled) { expect(spoiled) }

    private func expect(_ spoiled: Spoiled) {
        let problems = Sample().replacing(spoiled.file, spoiled.old, spoiled.new).read().problems
        #expect(
            problems.contains { $0.problem.code == spoiled.code && $0.file == spoiled.file && $0.line == spoiled.line },
            "\(problems.map { "\($0.place) \($0.problem.code)" })")
    }

    @Test("a table that cannot be read is told once, by its own problem")
    func unreadableTable() {
        let problems = Sample().replacing("tables/accounts.csv", "办公费,6602.04", "办公费").read().problems
        #expect(problems.map { "\($0.place) \($0.problem.code)" } == ["tables/accounts.csv:3 E-TABLE-006"])
    }

    @Test("a mistyped key is told with the key that was meant")
    func didYouMean() {
        let problems = Sample().replacing("connections/books.yaml", "endpoint:", "endpiont:").read().problems
        #expect(problems.contains { $0.problem.what.en == "unknown key endpiont, did you mean endpoint?" })
        #expect(problems.contains { $0.problem.code == "E-CONF-013" && $0.problem.what.en.contains("endpoint") })
    }

    @Test("all problems of all files are told in one run, in the order of files and lines")
    func everythingAtOnce() {
        let problems = Sample().replacing("connections/books.yaml", "product: ledger", "product: \"\"")
            .replacing("flows/claims.yaml", "realtime", "sometimes").replacing(
                "flows/claims.yaml", "2026-01-01", "soon"
            )
            .read().problems
        #expect(problems.map(\.place) == ["connections/books.yaml:3", "flows/claims.yaml:6", "flows/claims.yaml:9"])
    }

    @Test("numbers and texts keep what was written")
    func scalarsKeepTheirText() throws {
        let text = """
            a: 6601.10
            b: 007
            c: 1e3
            d: 2026-01-05
            e: "12"
            f: yes
            g: -0.50
            h: ~
            i: 12345678901234567890.123
            j: true
            k: +5

            """
        let json = try YAMLReader.read(Array(text.utf8), file: "x.yaml").json
        #expect(
            json.text
                == #"{"a":6601.10,"b":"007","c":"1e3","d":"2026-01-05","e":"12","f":"yes","g":-0.50,"h":null,"i":12345678901234567890.123,"j":true,"k":"+5"}"#
        )
    }

    @Test("marks inside quotes, comments and texts are no anchors")
    func harmlessMarks() throws {
        let text = "a: \"x: *y\"  # see *this* & that\nb: 5 * 3 & more\nc: '!important'\nd: a&b\n"
        let json = try YAMLReader.read(Array(text.utf8), file: "x.yaml").json
        #expect(json["a"]?.string == "x: *y")
        #expect(json["b"]?.string == "5 * 3 & more")
        #expect(json["c"]?.string == "!important")
    }

    @Test("a tower of aliases is refused before it unfolds")
    func billionLaughs() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let refs = (0..<10).map { _ in "*a\(level - 1)" }.joined(separator: ", ")
            text += "a\(level): &a\(level) [\(refs)]\n"
        }
        text += "? *a9\n: 1\n"
        #expect(throws: ConfigurationProblem("x.yaml", 1, .anchor)) {
            try YAMLReader.read(Array(text.utf8), file: "x.yaml")
        }
    }

    @Test("a file of another kind of bytes, an empty one and a huge one are refused")
    func unreadableContent() {
        func code(_ bytes: [UInt8]) -> String? {
            do {
                _ = try YAMLReader.read(bytes, file: "x.yaml")
                return nil
            } catch { return error.problem.code }
        }
        #expect(code([0x61, 0x3A, 0x20, 0xC4, 0xE3]) == "E-CONF-004")
        #expect(code(Array("# only a comment\n".utf8)) == "E-CONF-010")
        #expect(code([UInt8](repeating: 0x20, count: ConfigurationLimits.fileBytes + 1)) == "E-CONF-002")
    }

    @Test("whatever bytes a file holds, reading ends with a draft or with problems")
    func spoiltBytes() {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        func random(_ below: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(below))
        }
        let marks = Array("[]{}:,-?&*!|>'\"#%@` \n\t\\~".utf8) + [0, 0xC4, 0xFF]
        let files = Sample().draftFiles
        for round in 0..<1_000 {
            var spoilt = files
            let which = random(files.count)
            var bytes = files[which].bytes
            for _ in 0...random(4) {
                let at = random(bytes.count)
                switch random(3) {
                case 0: bytes[at] = marks[random(marks.count)]
                case 1: bytes.insert(marks[random(marks.count)], at: at)
                default: bytes.remove(at: at)
                }
            }
            spoilt[which] = DraftFile(path: files[which].path, bytes: bytes)
            let (draft, problems) = Draft.read(spoilt, root: "/workspace")
            #expect(draft != nil || !problems.isEmpty, "round \(round)")
        }
    }

    @Test("two flows with one id")
    func sameIdentity() {
        let sample = Sample()
        let copy = sample.files["flows/claims.yaml"]?.replacing("flow: claims", with: "flow: more")
        let problems = sample.with("flows/more.yaml", copy).read().problems
        #expect(problems.map { "\($0.place) \($0.problem.code)" } == ["flows/more.yaml:2 E-CONF-024"])
    }

    @Test("in-process is for practice workspaces only")
    func inProcess() {
        let sample = Sample().replacing("connections/books.yaml", "limits:", "isolation: in-process\nlimits:")
        #expect(sample.read().problems == [])
        let real = sample.replacing("datong.yaml", "practice: true", "practice: false").read().problems
        #expect(real.map { "\($0.place) \($0.problem.code)" } == ["connections/books.yaml:7 E-CONF-030"])
    }

    @Test("a two-way flow names a master per field, and a default")
    func masterPerField() throws {
        let good = Sample().replacing(
            "flows/claims.yaml", "master: office", "master: { default: office, phone: books }")
        let draft = try #require(good.read().draft)
        #expect(draft.flows[0].master == .fields(["default": "office", "phone": "books"]))
        let open = Sample().replacing("flows/claims.yaml", "master: office", "master: { phone: books }").read().problems
        #expect(open.map(\.problem.code) == ["E-CONF-013"])
    }

    @Test("a whole connection file is read as written")
    func fullConnection() throws {
        let sample = Sample().replacing(
            "connections/books.yaml", "limits: { per_second: 5 }",
            """
            limits: { per_second: 3, concurrency: 2 }
            tls: { ca: tls/ca.pem, pin: [sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=] }
            proxy: http://proxy.example.com:3128
            hosts: [https://files.example.com, wss://push.example.com]
            isolation: worker
            commit_horizon: 2m
            timeouts: { connect: 500ms, write: 90s }
            """)
        let (draft, problems) = sample.read()
        #expect(problems == [])
        let books = try #require(draft?.connection("books"))
        #expect(books.limits == ["per_second": 3, "concurrency": 2])
        #expect(books.tls.pins.count == 1 && books.tls.authorityFile == "tls/ca.pem")
        #expect(books.proxy == "http://proxy.example.com:3128")
        #expect(books.hosts == ["https://files.example.com", "wss://push.example.com"])
        #expect(books.commitHorizon == 120_000)
        #expect(books.timeouts == ["connect": 500, "write": 90_000])
    }

    @Test(
        "durations",
        arguments: [("500ms", 500), ("20s", 20_000), ("5m", 300_000), ("1h", 3_600_000), ("45d", 3_888_000_000)])
    func durations(_ text: String, _ milliseconds: Int64) {
        #expect(DurationText.milliseconds(text) == milliseconds)
        #expect(DurationText.text(milliseconds) == text)
    }

    @Test("what is no duration", arguments: ["", "5", "m", "5 m", "-5m", "1.5h", "5M", "9999999999999d", "٥m"])
    func noDurations(_ text: String) {
        #expect(DurationText.milliseconds(text) == nil)
    }

    @Test(
        "what is no cron",
        arguments: [
            "", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "*/0 * * * *", "5-1 * * * *", "a * * * *",
            "* * * * * *", "1,,2 * * * *",
        ])
    func noCron(_ text: String) {
        #expect(!CronText.isValid(text))
    }

    @Test("cron expressions", arguments: ["0 2 1 * *", "*/10 8-18 * * 1-5", "0,30 * * * 7"])
    func cron(_ text: String) {
        #expect(CronText.isValid(text))
    }

    @Test(
        "addresses that are none",
        arguments: [
            "ftp://a", "https://", "https:///x", "https://a b", "https://a:0", "https://a:99999", "https://a#b",
            "https://a\\b", "HTTPS://a",
        ])
    func noAddress(_ text: String) {
        #expect(WebAddress(text) == nil)
    }
}

@Suite("What the connectors know is checked against them")
struct ConfigurationConnectorTests {
    static let cases: [Spoiled] = [
        Spoiled(
            "a connector nobody has", "connections/books.yaml", "connector: books", "connector: bokos", "E-CONF-048", 2),
        Spoiled(
            "a product the connector lacks", "connections/books.yaml", "product: ledger", "product: ledgers",
            "E-CONF-025", 3),
        Spoiled("a required setting missing", "connections/books.yaml", "company: \"7\"", "", "E-CONF-013", 5),
        Spoiled("a setting nobody knows", "connections/books.yaml", "company:", "compnay:", "E-CONF-012", 5),
        Spoiled("a number where a text is meant", "connections/books.yaml", "\"7\"", "7", "E-CONF-014", 5),
        Spoiled("a figure out of range", "connections/books.yaml", "\"7\"", "\"7\", year: 1999", "E-CONF-017", 5),
        Spoiled(
            "a word map with a number", "connections/books.yaml", "\"7\"", "\"7\", words: { a: 1 }", "E-CONF-014", 5),
        Spoiled("a secret nobody asks for", "connections/books.yaml", "token:", "tokn:", "E-CONF-012", 6),
        Spoiled(
            "a secret missing", "connections/office.yaml", "secrets:\n  app_secret: vault:office/app-secret",
            "hosts: []", "E-CONF-013", 1),
        Spoiled(
            "a limit above the vendor's", "connections/books.yaml", "per_second: 5", "per_second: 6", "E-CONF-027", 7),
        Spoiled("a limit nobody has", "connections/books.yaml", "per_second: 5", "per_minute: 5", "E-CONF-012", 7),
        Spoiled(
            "a document that cannot be read", "flows/claims.yaml",
            "connection: office, document: approval, where: { template: T1, result: agree }",
            "connection: books, document: approval", "E-CONF-028", 3),
        Spoiled(
            "a document that cannot be written", "flows/claims.yaml", "connection: books", "connection: office",
            "E-CONF-028", 4),
        Spoiled(
            "a target setting out of its choices", "flows/claims.yaml", "finish: save", "finish: post", "E-CONF-015", 4),
        Spoiled("a filter the source needs", "flows/claims.yaml", "template: T1, ", "", "E-CONF-013", 3),
        Spoiled("a secret among the settings", "connections/books.yaml", "\"7\"", "\"7\", token: abc", "E-CONF-019", 5),
        Spoiled("a setting left empty", "connections/books.yaml", "\"7\"", "\"\"", "E-CONF-041", 5),
        Spoiled(
            "alerts", "datong.yaml", "practice: true", "alerts: { command: [/usr/local/bin/notify] }", "E-CONF-049", 2),
        Spoiled(
            "how long payloads are kept", "datong.yaml", "practice: true", "ledger: { keep: 90d }", "E-CONF-049", 2),
        Spoiled("two-way", "flows/claims.yaml", "one-way", "two-way", "E-CONF-049", 5),
        Spoiled(
            "a schedule", "flows/claims.yaml", "realtime", "{ schedule: { cron: \"0 2 1 * *\" } }", "E-CONF-049", 6),
        Spoiled("on demand", "flows/claims.yaml", "realtime", "on-demand", "E-CONF-049", 6),
        Spoiled(
            "a master per field", "flows/claims.yaml", "master: office", "master: { default: office }", "E-CONF-049", 7),
        Spoiled(
            "void and redo", "flows/claims.yaml", "mapping: claims", "mapping: claims\non_change: void-and-redo",
            "E-CONF-049",
            9),
        Spoiled(
            "the next open period", "flows/claims.yaml", "mapping: claims", "mapping: claims\nclosed_period: next-open",
            "E-CONF-049", 9),
        Spoiled(
            "a filter of the wrong kind", "flows/claims.yaml", "template: T1", "template: [T1, 5]", "E-CONF-014", 3),
    ]

    @Test("against describe", arguments: cases)
    func against(_ spoiled: Spoiled) throws {
        let draft = try #require(Sample().replacing(spoiled.file, spoiled.old, spoiled.new).read().draft)
        let problems = draft.check(Sample.catalogue)
        #expect(
            problems.contains { $0.problem.code == spoiled.code && $0.file == spoiled.file && $0.line == spoiled.line },
            "\(problems.map { "\($0.place) \($0.problem.code)" })")
    }

    @Test("a comment written back needs a source that takes comments")
    func writeBack() throws {
        let sample = Sample().replacing("flows/claims.yaml", "mapping: claims", "mapping: claims\nwrite_back: comment")
        let draft = try #require(sample.read().draft)
        #expect(draft.check(Sample.catalogue) == [])
        var silent = Sample.office.object ?? [:]
        var product = silent["products"]?[0]?.object ?? [:]
        product["documents"] = []
        silent["products"] = [.object(product)]
        var catalogue = Sample.catalogue
        catalogue.connectors[0] = try #require(Connector(path: "/x.so", sha256: "", describe: .object(silent)))
        #expect(draft.check(catalogue).map { "\($0.place) \($0.problem.code)" } == ["flows/claims.yaml:9 E-CONF-028"])
    }

    @Test("a target whose keys are too few to tell documents apart is refused, one with short keys is not")
    func keys() throws {
        let draft = try #require(Sample().read().draft)
        func codes(_ keys: JSON) throws -> [String] {
            var catalogue = Sample.catalogue
            catalogue.connectors[1] = try #require(
                Connector(path: "/x.so", sha256: "", describe: Sample.books(keys: keys)))
            return draft.check(catalogue).map { "\($0.place) \($0.problem.code)" }
        }
        #expect(try codes(["max_bytes": 20, "alphabet": "A-Z0-9"]) == [])
        #expect(try codes(["max_bytes": 12, "alphabet": "a-z0-9"]) == ["flows/claims.yaml:4 E-CONF-050"])
    }

    @Test("a library that was refused explains itself where its connector is named")
    func refusedLibrary() throws {
        let draft = try #require(Sample().read().draft)
        var catalogue = Sample.catalogue
        catalogue.connectors.removeAll { $0.id == "books" }
        catalogue.refused = [
            ("/connectors/libBooks.so", Problem("E-ABI-003", zh: "版本", en: "range", nextZH: "升级", nextEN: "upgrade"))
        ]
        let problems = draft.check(catalogue)
        #expect(problems.map(\.problem.code) == ["E-CONF-040"])
        #expect(problems[0].problem.what.en.contains("E-ABI-003"))
    }

    @Test("the higher version wins, and two libraries of one version are refused")
    func catalogueScan() async throws {
        let folder = TemporaryFolder()
        func put(_ name: String, _ text: String) throws {
            try FileStore.replace(folder.path + "/" + name, Array(text.utf8))
        }
        try put("a.so", #"{"id":"books","version":"1.9.0"}"#)
        try put("b.so", #"{"id":"books","version":"1.10.0"}"#)
        try put("c.so", #"{"id":"books","version":"1.10.0-rc1"}"#)
        try put("d.so", #"{"id":"books","version":"1.10.0","title":"other bytes"}"#)
        try put("e.so", #"{"id":"books"}"#)
        try put("notes.txt", "no library")
        let catalogue = await ConnectorCatalogue.scan([folder.path, "/nowhere"], FileInspector())
        #expect(catalogue.connectors.map(\.version) == ["1.10.0"])
        #expect(catalogue.connectors[0].path.hasSuffix("b.so"))
        #expect(catalogue.refused.map(\.problem.code) == ["E-CONF-044", "E-CONF-043"])
    }
}

@Suite("Files of a workspace")
struct ConfigurationFilesTests {
    @Test("no datong.yaml, files that would not be read, names that are none")
    func folderProblems() throws {
        let folder = TemporaryFolder()
        let (none, missing) = Draft.load(folder.path)
        #expect(none == nil && missing.map(\.problem.code) == ["E-CONF-001"])
        try Sample().write(to: folder.path)
        #expect(Draft.load(folder.path).problems == [])
        try FileStore.replace(folder.path + "/flows/old.yml", [])
        try FileStore.replace(folder.path + "/flows/claims.yaml~", [])
        try FileStore.replace(folder.path + "/tables/My Table.csv", Array("a,b\n1,2\n".utf8))
        let problems = Draft.load(folder.path).problems
        #expect(
            problems.map { "\($0.place) \($0.problem.code)" } == [
                "flows/old.yml E-CONF-023", "tables/My Table.csv E-CONF-021",
            ])
    }

    @Test("what is no ordinary file is not read")
    func notAFile() throws {
        let folder = TemporaryFolder()
        try Sample().write(to: folder.path)
        try FileStore.makeFolder(folder.path + "/flows/x.yaml")
        let problems = Draft.load(folder.path).problems
        #expect(problems.map { "\($0.place) \($0.problem.code)" } == ["flows/x.yaml E-CONF-003"])
    }

    @Test("a folder with too many files is named instead of read")
    func tooManyFiles() throws {
        let folder = TemporaryFolder()
        try Sample().write(to: folder.path)
        for index in 0...ConfigurationLimits.filesPerFolder {
            close(creat(folder.path + "/mappings/m\(index).yaml", 0o600))
        }
        #expect(Draft.load(folder.path).problems.contains { $0.problem.code == "E-CONF-038" && $0.file == "mappings" })
    }

    @Test("the example of the repository has no problem of its own")
    func example() throws {
        let root = Repository.root + "/Examples/expense-voucher"
        let (draft, problems) = Draft.load(root)
        #expect(problems.map { "\($0.place) \($0.problem)" } == [])
        #expect(draft?.flows.count == 3)
    }
}

/// The repository these tests were built from.
enum Repository {
    static let root = String(#filePath.dropLast("/Tests/HostTests/ConfigurationTests.swift".count))
}
