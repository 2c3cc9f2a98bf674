/// Figures of this connector, with their units and reasons.
enum Limits {
    /// Milliseconds. A session lives twenty minutes after its last use [DOC].
    static let sessionMilliseconds: Int64 = 20 * 60 * 1000
    /// Rows. One query gives at most 2000 and cuts the rest without a word [DOC].
    static let queryRows = 2000
    /// Lines of vouchers one look-up reads: a day of a large company, in ten queries.
    static let lookUpRows = 20_000
    /// Milliseconds. "调用限制" (MsgCode 14) asks for minutes; the vendor does not say how many.
    static let throttledMilliseconds: Int64 = 2 * 60 * 1000
    /// Seconds. A longer pause than a day is not what a rate limit means.
    static let daySeconds: Int64 = 86_400
    /// Rows. A sweep's cursor that counts further is none of ours.
    static let cursorRows = 1 << 40
    /// Milliseconds. How far a sweep looks back behind its mark: rows committed late carry an older time.
    static let overlapMilliseconds: Int64 = 5 * 60 * 1000
    /// Milliseconds. How late a write may still appear after its answer was lost.
    static let commitHorizonMilliseconds: Int64 = 120_000
    /// Decimals of an amount in yuan [DOC].
    static let moneyScale = 2
    /// Bytes. How much of an unreadable answer is shown to people.
    static let shownAnswerBytes = 120
    /// Codes named in one query; above it the list is asked in parts.
    static let codesPerQuery = 200
}
