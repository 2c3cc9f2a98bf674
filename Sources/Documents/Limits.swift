/// What this module bounds, each figure with its reason.
enum Limits {
    /// Violations reported for one document. A person fixes the first few; a document of ten thousand bad lines
    /// must not make ten thousand texts.
    static let violations = 100
    /// Characters of a seen value repeated in a violation: enough to recognize it on a screen.
    static let seenCharacters = 80
    /// Levels a schema may nest, above any document type there is.
    static let schemaDepth = 48
}
