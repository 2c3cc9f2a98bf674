/// The one error of the house: a stable code, what is wrong with the value seen, and what to do.
///
/// Every room throws `Problem`; a person reads it as three lines, a program reads `code`. A problem never
/// carries a secret: whoever builds one puts in names, lengths and positions, not contents.
public struct Problem: Error, Sendable, Hashable {
    /// A text in the two languages of the product.
    public struct Text: Sendable, Hashable {
        /// Chinese, read first.
        public var zh: String
        /// English.
        public var en: String

        /// Both languages at once.
        public init(zh: String, en: String) {
            self.zh = zh
            self.en = en
        }
    }

    /// Stable, `E-ROOM-NNN`, e.g. `E-VAULT-003`. Never reused for another meaning.
    public var code: String
    /// What is wrong with the value seen, in one sentence.
    public var what: Text
    /// What to do next, with the command to run where there is one.
    public var next: Text

    /// A problem with its code, what is wrong and what to do.
    public init(_ code: String, zh: String, en: String, nextZH: String, nextEN: String) {
        self.code = code
        self.what = Text(zh: zh, en: en)
        self.next = Text(zh: nextZH, en: nextEN)
    }
}

extension Problem: CustomStringConvertible {
    /// One line: code, Chinese, English.
    public var description: String { "\(code) \(what.zh) | \(what.en)" }
}
