/// The vendor's own figures where they are public, ours where they are not.
enum Limits {
    /// Rows of one query: the vendor's documented ceiling; more is cut without a word.
    static let queryRows = 2000
    /// Base data fields of one query: the vendor asks for fewer than 30.
    static let baseDataFields = 29
    /// Rows a tenant may raise the ceiling of a query to.
    static let mostQueryRows = 10_000
    /// Sessions, and results of asynchronous calls, kept before dead ones are swept: bounds a soak.
    static let keptSessions = 1000
    /// Seconds an idle session lives: 20 minutes sliding, documented.
    static let sessionSeconds = 1200
    /// Digits of a number: the vendor's columns are decimal(23,10), so more can only be a mistake.
    static let amountDigits = 18
    /// Digits after the point of an amount of money in yuan.
    static let moneyPlaces = 2
    /// Characters of a line's summary (摘要) column.
    static let explanationCharacters = 255
    /// Characters of the caller-owned text field of the voucher.
    static let externalIDCharacters = 100
    /// Characters of a customer's or supplier's text columns.
    static let textCharacters = 255
    /// Entries of the operation trail kept: newest win, a long demo must not grow without end.
    static let trailEntries = 10_000
    /// Milliseconds the "repeated package" check remembers. The vendor's span is undocumented; short, so that nobody who
    /// relies on it instead of looking first gets away with it.
    static let repeatedPackageMilliseconds = 5_000
    /// Depth of parentheses in a filter: a recursion guard.
    static let filterDepth = 32
    /// Bytes of a filter text.
    static let filterBytes = 20_000
}
