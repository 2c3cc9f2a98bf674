import Foundation
import Glibc
import Synchronization
import Testing
import Values
import Vault

@testable import Host

/// A terminal whose text can be looked at.
final class Captured: Sendable {
    private let texts = Mutex((output: "", errors: ""))
    var output: String { texts.withLock { $0.output } }
    var errors: String { texts.withLock { $0.errors } }

    func terminal(
        _ language: Language, json: Bool, interactive: Bool = false, secretDevice: String = "/nowhere"
    ) -> Terminal {
        Terminal(
            language: language, json: json, interactive: interactive, secretDevice: secretDevice,
            output: { text in self.texts.withLock { $0.output += text } },
            errors: { text in self.texts.withLock { $0.errors += text } })
    }
}

@Suite("What a person sees")
struct TerminalTests {
    @Test(
        "cells of a text",
        arguments: [
            ("", 0), ("abc", 3), ("凭证", 4), ("a凭b", 4), ("（全角）", 8), ("é", 1), ("e\u{301}", 1), ("👨‍👩‍👧", 2), ("—", 1),
            ("한글", 4), ("\u{200B}", 0),
        ])
    func width(_ text: String, _ cells: Int) {
        #expect(Screen.width(text) == cells)
    }

    @Test("columns line up where Chinese and Latin stand together")
    func alignment() {
        var table = ScreenTable([("流程", .left), ("read", .right), ("状态", .left)])
        table.rows = [["报销凭证", "7", "运行"], ["loan", "12345", "已暂停"]]
        let lines = table.lines
        #expect(lines == ["流程       read  状态", "报销凭证      7  运行", "loan      12345  已暂停"])
        func cellsBefore(_ line: String, _ word: String) -> Int {
            line.range(of: word).map { Screen.width(String(line[..<$0.lowerBound])) } ?? -1
        }
        #expect(cellsBefore(lines[1], "运行") == cellsBefore(lines[2], "已暂停"))
    }

    @Test("a long cause is cut between characters, never inside a cell")
    func cut() {
        #expect(Screen.cut("凭证生成失败", to: 7) == "凭证生…")
        #expect(Screen.cut("凭证", to: 4) == "凭证")
    }

    @Test("a document cannot drive the terminal")
    func control() {
        #expect(Screen.safe("a\u{1B}[2Jb\nc\u{202E}d") == "a\u{FFFD}[2Jb c\u{FFFD}d")
    }

    @Test(
        "the language: the option, then the locale, else Chinese",
        arguments: [
            (Language?.none, [:], Language.zh), (.en, ["LANG": "zh_CN.UTF-8"], .en),
            (nil, ["LANG": "zh_CN.UTF-8"], .zh),
            (nil, ["LANG": "en_US.UTF-8"], .en), (nil, ["LANG": "C.UTF-8"], .zh),
            (nil, ["LANG": "en_US", "LC_ALL": "zh_TW"], .zh),
            (nil, ["LANG": "zh_CN", "LC_ALL": "", "LC_MESSAGES": "de_DE"], .en), (nil, ["LANG": "POSIX"], .zh),
        ])
    func language(_ option: Language?, _ environment: [String: String], _ expected: Language) {
        #expect(Language.choose(option: option) { environment[$0] } == expected)
    }

    @Test("the workspace's locale comes after the option and before the environment")
    func workspaceLanguage() {
        let chinese: (String) -> String? = { $0 == "LANG" ? "zh_CN.UTF-8" : nil }
        #expect(Language.choose(option: nil, workspace: .en, environment: chinese) == .en)
        #expect(Language.choose(option: .zh, workspace: .en) { _ in "en_US" } == .zh)
        #expect(Language.choose(option: nil, workspace: nil, environment: chinese) == .zh)
    }

    @Test("a problem is its code, one sentence and the next step; results stay on standard output")
    func problemVoice() {
        let captured = Captured()
        captured.terminal(.en, json: false).problem(.hostNotRunning)
        #expect(captured.errors == "E-CONTROL-001 no host runs in this workspace\n  → start it with datong run\n")
        #expect(captured.output == "")
    }

    @Test("JSON mode says the same in JSON, in both languages, and nothing else")
    func jsonVoice() throws {
        let captured = Captured()
        let terminal = captured.terminal(.zh, json: true)
        terminal.line("words for people")
        terminal.problem(.hostNotRunning)
        let answer = try JSON.parse(captured.output)
        #expect(answer["problems"]?[0]?["code"]?.string == "E-CONTROL-001")
        #expect(answer["problems"]?[0]?["next_en"]?.string == "start it with datong run")
    }

    @Test("progress is written over on a terminal and absent elsewhere")
    func progress() {
        let seen = Captured()
        let terminal = seen.terminal(.zh, json: false, interactive: true)
        terminal.progress("读取 3/10")
        terminal.progressDone()
        #expect(seen.errors == "\r\u{1B}[K读取 3/10\r\u{1B}[K")
        let piped = Captured()
        piped.terminal(.zh, json: false).progress("读取 3/10")
        #expect(piped.errors == "")
    }

    @Test("exit codes keep their numbers")
    func exitCodes() {
        #expect(ExitStatus.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5])
        #expect(ExitStatus(.hostNotRunning) == .notRunning)
        #expect(ExitStatus(.notAWorkspace("x")) == .problem)
    }

    @Test("a secret from a file loses one line end, and an empty one is refused")
    func secretFromFile() throws {
        let folder = TemporaryFolder()
        let terminal = Captured().terminal(.en, json: false)
        func secret(_ text: String) throws -> [UInt8] {
            let path = folder.path + "/secret"
            try FileStore.replace(path, Array(text.utf8))
            let secret = try SecretInput.file(path).read("x", terminal)
            return secret.withBytes { [UInt8]($0) }
        }
        #expect(try secret("abc\n") == Array("abc".utf8))
        #expect(try secret("abc\r\n") == Array("abc".utf8))
        #expect(try secret(" abc \n\n") == Array(" abc \n".utf8))
        #expect(throws: Problem.secretEmpty("x")) { try secret("\n") }
        #expect(throws: Problem.self) { try secret(String(repeating: "x", count: 100_000)) }
    }

    @Test("a secret is typed twice and never shown; different and empty entries and a missing terminal are refused")
    func typedSecret() throws {
        func typed(_ lines: [String]) throws -> (secret: [UInt8], screen: String) {
            let person = Typist(lines)
            let terminal = Captured().terminal(.en, json: false, secretDevice: person.device)
            let secret = try SecretInput.prompt.read("x", terminal)
            return (secret.withBytes { [UInt8]($0) }, person.screen)
        }
        let (secret, screen) = try typed(["s3cr3t 凭证", "s3cr3t 凭证"])
        #expect(secret == Array("s3cr3t 凭证".utf8))
        #expect(screen.contains("x: ") && screen.contains("once more: ") && !screen.contains("s3cr3t"))
        #expect(throws: Problem.secretsDiffer) { try typed(["one", "two"]) }
        #expect(throws: Problem.secretEmpty("x")) { try typed(["", ""]) }
        #expect(throws: Problem.noTerminal) {
            _ = try SecretInput.prompt.read("x", Captured().terminal(.en, json: false)).count
        }
        let codes = [Problem.noTerminal, .secretEmpty("x"), .secretsDiffer, .consentNeeded].map(\.code)
        #expect(codes == ["E-TERM-001", "E-TERM-002", "E-TERM-003", "E-TERM-004"])
    }
}

/// Somebody at a pseudo-terminal who answers every prompt with the next line.
private final class Typist: Sendable {
    private let master: Int32
    let device: String
    private let seen = Mutex("")

    init(_ lines: [String]) {
        let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        self.master = master
        var unlocked: Int32 = 0
        var number: Int32 = -1
        // TIOCSPTLCK and TIOCGPTN: unlock the other end, and ask which it is.
        _ = ioctl(master, 0x4004_5431, &unlocked)
        _ = ioctl(master, 0x8004_5430, &number)
        device = "/dev/pts/\(number)"
        // Held open, so that the screen outlives the program's own look at the terminal.
        let held = open(device, O_RDWR | O_NOCTTY)
        Thread.detachNewThread { [self] in
            var rest = lines[...]
            var bytes = [UInt8](repeating: 0, count: 4096)
            var unanswered = ""
            while !rest.isEmpty {
                let count = read(master, &bytes, bytes.count)
                guard count > 0 else { return }
                let text = String(decoding: bytes.prefix(count), as: UTF8.self)
                seen.withLock { $0 += text }
                unanswered += text
                guard unanswered.hasSuffix(": ") else { continue }
                unanswered = ""
                let line = rest.removeFirst() + "\n"
                _ = line.withCString { write(master, $0, strlen($0)) }
            }
            close(held)
        }
    }

    /// What appeared until the last answer.
    var screen: String { seen.withLock { $0 } }

    deinit { close(master) }
}
