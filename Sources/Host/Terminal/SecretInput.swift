import Glibc
import Values
import Vault

/// Where a secret comes from. There is no case for the command line: other users can read it there.
enum SecretInput: Sendable, Hashable {
    /// Typed twice on the terminal, without echo.
    case prompt
    /// Typed once on the terminal, without echo: a passphrase that exists already.
    case promptOnce
    /// The bytes of a file, without one line end at the end.
    case file(String)
    /// Standard input to its end, without one line end at the end.
    case standardInput

    /// The secret. `name` is what it is for, shown in the question.
    func read(_ name: String, _ terminal: Terminal) throws(Problem) -> SecretBytes {
        let secret: SecretBytes
        switch self {
        case .prompt:
            let first = try Self.typed(name, terminal)
            let again = try Self.typed(terminal.words("再输入一次", "once more"), terminal)
            guard first == again else { throw .secretsDiffer }
            secret = first
        case .promptOnce: secret = try Self.typed(name, terminal)
        case .file(let path):
            let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
            guard descriptor >= 0 else { throw .fileUnreadable("\(path): \(FileStore.reason())") }
            defer { close(descriptor) }
            secret = try SecretBytes.read(descriptor: descriptor, trimmingNewline: true)
        case .standardInput:
            secret = try SecretBytes.read(descriptor: STDIN_FILENO, trimmingNewline: true)
        }
        guard secret.count > 0 else { throw .secretEmpty(name) }
        return secret
    }

    private static func typed(_ question: String, _ terminal: Terminal) throws(Problem) -> SecretBytes {
        let descriptor = open(terminal.secretDevice, O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw .noTerminal }
        defer { close(descriptor) }
        var before = termios()
        guard tcgetattr(descriptor, &before) == 0 else { throw .noTerminal }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        silent.c_lflag |= tcflag_t(ICANON | ECHONL)
        guard tcsetattr(descriptor, TCSAFLUSH, &silent) == 0 else { throw .noTerminal }
        defer { _ = tcsetattr(descriptor, TCSAFLUSH, &before) }
        let prompt = Array((question + ": ").utf8)
        _ = prompt.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        // The kernel gives a line of at most 4095 bytes; the room is reserved so that no copy is left behind by growth.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4096)
        var byte: UInt8 = 0
        while bytes.count < 4096, Glibc.read(descriptor, &byte, 1) == 1, byte != 10 { bytes.append(byte) }
        return SecretBytes(wiping: &bytes)
    }
}

extension Problem {
    static var noTerminal: Problem {
        Problem(
            "E-TERM-001", zh: "没有终端可供输入", en: "there is no terminal to type on",
            nextZH: "用 --from-file 文件 或 --stdin 提供", nextEN: "give it by --from-file FILE or --stdin")
    }

    static func secretEmpty(_ name: String) -> Problem {
        Problem(
            "E-TERM-002", zh: "\(name) 为空", en: "\(name) is empty",
            nextZH: "重新输入;文件不能为空", nextEN: "type it again; a file must not be empty")
    }

    static var secretsDiffer: Problem {
        Problem(
            "E-TERM-003", zh: "两次输入不一致", en: "the two entries differ",
            nextZH: "重新运行并输入两次相同内容", nextEN: "run it again and type the same twice")
    }

    static var consentNeeded: Problem {
        Problem(
            "E-TERM-004", zh: "需要确认,但没有终端", en: "consent is needed and there is no terminal",
            nextZH: "看过内容后加 --yes", nextEN: "read it, then add --yes")
    }
}
