import Glibc
import Values

/// The way to the person or program that runs a command: results on standard output, the rest on standard error.
///
/// The voice is three lines: what happened, what it means, what to do.
struct Terminal: Sendable {
    let language: Language
    /// Results are JSON, one document per command.
    let json: Bool
    /// Standard error is a terminal: progress is shown on one line that is written over.
    let interactive: Bool
    /// There is somebody to ask: standard input is a terminal.
    let canAsk: Bool
    /// Where secrets are typed.
    let secretDevice: String
    private let output: @Sendable (String) -> Void
    private let errors: @Sendable (String) -> Void

    /// A terminal of this process.
    init(language: Language, json: Bool) {
        self.init(
            language: language, json: json, interactive: isatty(STDERR_FILENO) == 1, canAsk: isatty(STDIN_FILENO) == 1,
            output: { Self.write($0, to: STDOUT_FILENO) }, errors: { Self.write($0, to: STDERR_FILENO) })
    }

    /// A terminal whose text goes elsewhere.
    init(
        language: Language, json: Bool, interactive: Bool = false, canAsk: Bool = false,
        secretDevice: String = "/dev/tty",
        output: @escaping @Sendable (String) -> Void,
        errors: @escaping @Sendable (String) -> Void
    ) {
        self.language = language
        self.json = json
        self.interactive = interactive
        self.canAsk = canAsk
        self.secretDevice = secretDevice
        self.output = output
        self.errors = errors
    }

    /// A text in the person's language.
    func words(_ zh: String, _ en: String) -> String { language == .zh ? zh : en }

    /// One line of result. Nothing in JSON mode.
    func line(_ text: String = "") {
        if !json { output(text + "\n") }
    }

    /// Bytes as they are: a schema, a document.
    func raw(_ text: String) { output(text) }

    /// The result for a program. Nothing outside JSON mode.
    func result(_ value: JSON) {
        if json { output(value.text + "\n") }
    }

    /// A table of results.
    func table(_ table: ScreenTable) {
        for text in table.lines { line(text) }
    }

    /// What happened, what it means, what to do.
    func say(_ what: Problem.Text, means: Problem.Text? = nil, next: Problem.Text? = nil) {
        line(what[language])
        if let means { line("  " + means[language]) }
        if let next { line("  → " + next[language]) }
    }

    /// A problem: code and sentence, then what to do. JSON mode gets `{"problems":[…]}` on standard output.
    func problem(_ problem: Problem) {
        if json {
            output(Self.json([problem]).text + "\n")
        } else {
            errors(
                "\(problem.code) \(Screen.safe(problem.what[language]))\n  → \(Screen.safe(problem.next[language]))\n")
        }
    }

    /// All problems of a draft, with their places.
    func problems(_ found: [ConfigurationProblem]) {
        if json {
            output(JSON.object(["problems": .array(found.map(\.json))]).text + "\n")
            return
        }
        for item in found {
            errors("\(item.problem.code) \(item.place)  \(Screen.safe(item.problem.what[language]))\n")
            errors("  → \(Screen.safe(item.problem.next[language]))\n")
        }
        let limit = ConfigurationLimits.problems
        let more = found.count >= limit ? words(",只列出前 \(limit) 个", ", only the first \(limit) are listed") : ""
        errors(words("共 \(found.count) 个问题\(more),未做任何更改\n", "\(found.count) problems\(more); nothing was changed\n"))
    }

    static func json(_ problems: [Problem]) -> JSON { ["problems": .array(problems.map(json))] }

    /// A problem as every answer has it.
    static func json(_ problem: Problem) -> JSON {
        [
            "code": .string(problem.code), "zh": .string(problem.what.zh), "en": .string(problem.what.en),
            "next_zh": .string(problem.next.zh), "next_en": .string(problem.next.en),
        ]
    }

    /// A line about what goes on; on a terminal it is written over by the next one and by `progressDone`.
    func progress(_ text: String) {
        if interactive && !json { errors("\r\u{1B}[K" + Screen.cut(Screen.safe(text), to: 78)) }
    }

    /// Clears the progress line.
    func progressDone() {
        if interactive && !json { errors("\r\u{1B}[K") }
    }

    /// A line for the person that is no result.
    func note(_ text: String) {
        errors(text + "\n")
    }

    /// Asks a question on the terminal; the answer, or `standard` for an empty one. Nil where there is no terminal.
    func ask(_ question: String, standard: String = "") -> String? {
        guard canAsk else { return nil }
        errors(question + (standard.isEmpty ? ": " : " [\(standard)]: "))
        guard let answer = readLine()?.trimmed else { return nil }
        return answer.isEmpty ? standard : answer
    }

    /// Asks for consent; `y`, `yes`, `是` agree. False where there is no terminal.
    func confirm(_ question: String) -> Bool {
        guard let answer = ask(question + words(" (是/否)", " (y/n)"))?.lowercased() else { return false }
        return ["y", "yes", "是", "好"].contains(answer)
    }

    /// Writes all of it to a descriptor.
    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            // A reader that went away (`| head`) is no problem of ours.
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
