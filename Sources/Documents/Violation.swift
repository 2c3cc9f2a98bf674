import Values

/// One thing wrong with one place of a document.
public struct Violation: Sendable, Hashable {
    /// Where, as a JSON pointer (RFC 6901); empty for the whole document.
    public internal(set) var pointer: String
    /// `E-DOC-0NN`, listed in docs/documents.md.
    public let code: String
    /// What is wrong, with the value seen.
    public let text: Problem.Text

    /// A violation with its place, code and text.
    public init(pointer: String, code: String, text: Problem.Text) {
        self.pointer = pointer
        self.code = code
        self.text = text
    }
}

extension Violation: CustomStringConvertible {
    /// One line: place, code, Chinese, English.
    public var description: String { "\(pointer.isEmpty ? "/" : pointer) \(code) \(text.zh) | \(text.en)" }
}

/// A value as a person recognizes it: its text, shortened.
func seen(_ value: JSON) -> String {
    let text =
        switch value {
        case .string(let text): text
        case .array(let elements): "[…] × \(elements.count)"
        case .object(let object): "{…} × \(object.count)"
        default: value.text
        }
    return text.count > Limits.seenCharacters ? text.prefix(Limits.seenCharacters) + "…" : text
}

/// A key or text as one token of a JSON pointer.
package func pointerToken(_ key: String) -> String {
    guard key.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return key }
    return key.reduce(into: "") { text, letter in
        switch letter {
        case "~": text += "~0"
        case "/": text += "~1"
        default: text.append(letter)
        }
    }
}
