/// Shows a request or an answer in a log without its secrets.
///
/// Insertions appear as `‹app_secret›`. The value behind any name that sounds like a credential (`access_token`,
/// `password`, `sign` …) is replaced by `‹hidden›`: in query strings, forms, JSON, JSON inside JSON strings, XML
/// elements and header values. Bodies are cut. Masking errs on the side of hiding.
public struct Redaction: Sendable {
    private static let hidden = "‹hidden›"

    /// Parts of names, letters only and in lower case.
    private static let secretParts = [
        "token", "secret", "password", "passwd", "pwd", "passphrase", "signature", "authorization", "credential",
        "apikey", "appkey", "privatekey", "accesskey", "sessionid", "cookie", "ticket",
    ]
    /// Whole names, letters only and in lower case: too short to look for inside others.
    private static let secretNames: Set<String> = ["sign", "key", "auth", "pass", "sid"]

    private let extraNames: Set<String>
    private let bodyBytes: Int

    /// A renderer.
    ///
    /// - Parameters:
    ///   - names: further names to hide, e.g. a connector's own; letter case and punctuation do not matter.
    ///   - bodyBytes: bytes of a body to show.
    public init(names: Set<String> = [], bodyBytes: Int? = nil) {
        extraNames = Set(names.map { Self.letters($0.utf8) })
        self.bodyBytes = bodyBytes ?? Limits.loggedBodyBytes
    }

    /// Several lines: method and URL, one line per header, the body.
    public func render(_ request: HTTPRequest) -> String {
        func filled(_ bytes: [UInt8], _ part: Insertion.Part) -> [UInt8] {
            var shown: [UInt8] = []
            var done = 0
            for insertion in request.insertions where insertion.part == part {
                guard (done...bytes.count).contains(insertion.offset) else { continue }
                shown += bytes[done..<insertion.offset]
                shown += Array("‹\(insertion.secret)›".utf8)
                done = insertion.offset
            }
            return shown + bytes[done...]
        }
        var lines = ["\(request.method) " + mask(filled(Array(request.url.utf8), .url))]
        for (index, header) in request.headers.enumerated() {
            let inserted = request.insertions.filter { $0.part == .header(index) }.map { "‹\($0.secret)›" }
            lines.append(line(header.name, filled(header.value, .header(index)), insertions: inserted.joined()))
        }
        lines.append(body(filled(request.body, .body), whole: request.body.count))
        return lines.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    /// Several lines: status, one line per header, the body.
    public func render(_ response: HTTPResponse) -> String {
        var lines = ["\(response.status)"]
        for index in response.headers.indices {
            let name = String(decoding: response.headers.nameBytes(index), as: UTF8.self)
            lines.append(line(name, Array(response.headers.valueBytes(index)), insertions: ""))
        }
        lines.append(body(response.body, whole: response.body.count))
        return lines.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    /// A URL with the values of secret parameters hidden.
    public func render(url: String) -> String { mask(Array(url.utf8)) }

    private func line(_ name: String, _ value: [UInt8], insertions: String) -> String {
        // Of a header that is wholly a credential only the insertions' names are shown.
        if isSecret(name.utf8) {
            return "\(name): " + (insertions.isEmpty ? Self.hidden : insertions)
        }
        let cut = value.count > Limits.loggedHeaderBytes
        return "\(name): " + mask(Array(value.prefix(Limits.loggedHeaderBytes))) + (cut ? "…" : "")
    }

    private func body(_ bytes: [UInt8], whole: Int) -> String {
        guard !bytes.isEmpty else { return "" }
        var shown = bytes.prefix(bodyBytes)
        // The cut must not fall into a character.
        while shown.count < bytes.count, let last = shown.last, last & 0x80 != 0 {
            shown.removeLast()
            if last & 0xc0 == 0xc0 { break }
        }
        guard String(validating: shown, as: UTF8.self) != nil else { return "‹\(whole) bytes, not text›" }
        return mask(Array(shown)) + (shown.count < bytes.count ? "… ‹\(whole) bytes›" : "")
    }

    private func isSecret(_ name: some Collection<UInt8>) -> Bool {
        let letters = Self.letters(name)
        return Self.secretNames.contains(letters) || extraNames.contains(letters)
            || Self.secretParts.contains { letters.contains($0) }
    }

    private static func letters(_ name: some Collection<UInt8>) -> String {
        String(
            decoding: name.compactMap { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
                default: nil
                }
            }, as: UTF8.self)
    }

    /// Looks for `name` followed by `=`, `:` or `>` and hides what comes after it.
    private func mask(_ text: [UInt8]) -> String {
        func isNameByte(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        var shown: [UInt8] = []
        shown.reserveCapacity(text.count)
        var position = 0
        while position < text.count {
            guard isNameByte(text[position]) else {
                shown.append(text[position])
                position += 1
                continue
            }
            let start = position
            while position < text.count, isNameByte(text[position]) { position += 1 }
            shown += text[start..<position]
            guard isSecret(text[start..<position]), let value = valueRange(text, start: start, after: position) else {
                continue
            }
            shown += text[position..<value.lowerBound]
            // An insertion's name is no secret; what stands behind it is.
            var hidden = value
            if text[value].starts(with: "‹".utf8) {
                let end = text[value.lowerBound...].firstRange(of: "›".utf8)?.upperBound ?? value.upperBound
                shown += text[value.lowerBound..<end]
                hidden = end..<max(end, value.upperBound)
            }
            if !hidden.isEmpty { shown += Array(Self.hidden.utf8) }
            position = hidden.upperBound
        }
        return String(decoding: shown, as: UTF8.self)
    }

    /// Where the value of the name that ends at `end` lies; nil when the name is not a key here.
    private func valueRange(_ text: [UInt8], start: Int, after end: Int) -> Range<Int>? {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d }
        var position = end
        // The closing quote of the key, with the backslashes of JSON inside JSON.
        while position < text.count, text[position] == UInt8(ascii: "\\") { position += 1 }
        if position < text.count, text[position] == UInt8(ascii: "\"") || text[position] == UInt8(ascii: "'") {
            position += 1
        } else if position > end {
            return nil
        }
        while position < text.count, isSpace(text[position]) { position += 1 }
        guard position < text.count else { return nil }

        if text[position] == UInt8(ascii: ">") {
            // <Password>…</Password>, also with a prefix.
            let value = position + 1
            return value..<(text[value...].firstIndex(of: UInt8(ascii: "<")) ?? text.count)
        }
        guard text[position] == UInt8(ascii: "=") || text[position] == UInt8(ascii: ":") else { return nil }
        // In a query or a form only these end a value; behind a colon it may be JSON.
        let ends = text[position] == UInt8(ascii: "=") ? "&<\"" : ",&}];<\""
        position += 1
        while position < text.count, isSpace(text[position]) { position += 1 }
        let open = position
        while position < text.count, text[position] == UInt8(ascii: "\\") { position += 1 }
        if position < text.count, text[position] == UInt8(ascii: "\"") {
            // Ends at the next quote with as many backslashes before it.
            let slashes = position - open
            let value = position + 1
            position = value
            while position < text.count {
                guard text[position] == UInt8(ascii: "\"") else {
                    position += 1
                    continue
                }
                var before = 0
                while position - before > value, text[position - before - 1] == UInt8(ascii: "\\") { before += 1 }
                if before == slashes { return value..<(position - before) }
                position += 1
            }
            return value..<text.count
        }
        if position < text.count, text[position] == UInt8(ascii: "[") || text[position] == UInt8(ascii: "{") {
            return open..<closing(text, from: position)
        }
        let value = open
        position = open
        while position < text.count, !isSpace(text[position]), !ends.utf8.contains(text[position]) {
            position += 1
        }
        return value..<position
    }

    /// Behind the bracket that closes the one at `start`; the end where none does.
    private func closing(_ text: [UInt8], from start: Int) -> Int {
        var depth = 0
        for position in start..<text.count {
            switch text[position] {
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                depth -= 1
                if depth == 0 { return position + 1 }
            default: break
            }
        }
        return text.count
    }
}

extension HTTPRequest: CustomStringConvertible {
    /// Method and URL with secret parameters hidden, and the body's size.
    public var description: String { "\(method) \(Redaction().render(url: url)) (\(body.count) bytes)" }
}

extension HTTPResponse: CustomStringConvertible {
    /// Status and the body's size.
    public var description: String { "\(status) (\(body.count) bytes)" }
}
