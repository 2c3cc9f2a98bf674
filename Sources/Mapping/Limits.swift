/// What this module bounds, each figure with its reason. Together they make every mapping end, and end small.
enum Limits {
    /// Levels of expressions inside each other. Real mappings use four; the evaluator recurses.
    static let expressionDepth = 24
    /// Bytes of one text a mapping makes. The longest summary an ERP takes is a few hundred bytes.
    static let textBytes = 16 * 1024
    /// Lines one mapping makes for one document, over all groups; the largest vouchers we know have some hundreds.
    static let lines = 10_000
    /// Target documents one source document is split into.
    static let parts = 1_000
    /// Problems gathered in one compilation: a person fixes them from the top.
    static let problems = 100
    /// Failures gathered for one document.
    static let failures = 100
    /// Characters of a seen value that are repeated in a failure.
    static let seenCharacters = 80
    /// Bytes of one code table. A chart of accounts with 50,000 rows has about 3 MB.
    static let tableBytes = 16 * 1024 * 1024
    /// Rows of one code table.
    static let tableRows = 200_000
    /// Columns of one code table.
    static let tableColumns = 64
    /// Bytes of one cell: codes and names, not texts.
    static let cellBytes = 2_048
}
