/// The figures of virtual days, in milliseconds where nothing else is said.
enum VirtualLimits {
    /// A Monday, midnight in China, milliseconds since 1970.
    static let begin: Int64 = 1_798_387_200_000
    /// A day.
    static let day: Int64 = 86_400_000
    /// An hour.
    static let hour: Int64 = 3_600_000
    /// Days without new claims and misfortunes at the end: everything must come to rest.
    static let quietDays = 6
    /// As an operator with a small quota would have it.
    static let sweepEvery: Int64 = 2 * hour
    /// A week: longer than any outage here, and what is older was seen.
    static let lookBack: Int64 = 7 * day
    /// The host's patience with one answer.
    static let timeout: Int64 = 60_000
    /// How long the books may take to commit after the last byte, as their connector says.
    static let commitHorizon: Int64 = 120_000
    /// How long a system takes to answer.
    static let latency: ClosedRange<Int64> = 200...3_000
    /// From an approval to its event.
    static let eventDelay: ClosedRange<Int64> = 100...5_000
    /// The same, of one that is late.
    static let lateEvent: ClosedRange<Int64> = 60_000...hour
    /// From an event to its double.
    static let doubleDelay: ClosedRange<Int64> = 0...600_000
    /// From a failed fetch to the next.
    static let fetchAgain: ClosedRange<Int64> = 5_000...60_000
    /// From a death to the next start: a watchdog, or a person.
    static let restart: ClosedRange<Int64> = 1_000...600_000
    /// How long accepted documents lie with the target.
    static let acceptedFor: ClosedRange<Int64> = 60_000...(2 * hour)
    /// When the target wants to be asked about them.
    static let pollAfter: Int64 = 600_000
    /// By how much a clock is set.
    static let clockStep: ClosedRange<Int64> = 60_000...(2 * hour)
    /// From an approval to its change.
    static let change: ClosedRange<Int64> = 1_000...(2 * day)
    /// Amounts of claims, in cents.
    static let cents: ClosedRange<Int64> = 100...1_000_000
    /// The host waking so often without anything else happening is a loop.
    static let wakesInARow = 10_000
    /// Chances are counted in thousandths.
    static let perMille = 1_000
}
