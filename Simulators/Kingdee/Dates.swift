/// A date and time of the server's wall clock: China time without a zone, as the vendor stores it.
struct Moment: Sendable, Hashable, Comparable {
    let year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int

    /// Milliseconds since 1970 in UTC, shown in UTC+8.
    init(milliseconds: Int64) {
        let seconds = Int(milliseconds / 1000) + 8 * 3600
        let (days, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
        // Days to a civil date by the 400-year cycle of the Gregorian calendar, years counted from March.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60)
    }

    /// Reads `yyyy-MM-dd`, optionally with ` HH:mm:ss` or `THH:mm:ss` (a fraction of a second is dropped).
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ (48...57).contains($0) }) else {
                return nil
            }
            return bytes[range].reduce(0) { $0 * 10 + Int($1 - 48) }
        }
        guard bytes.count >= 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            (1...12).contains(month), (1...Self.days(year, month)).contains(day), year >= 1900
        else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
        if bytes.count == 10 {
            (hour, minute, second) = (0, 0, 0)
            return
        }
        guard bytes.count >= 19, bytes[10] == UInt8(ascii: " ") || bytes[10] == UInt8(ascii: "T"),
            bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            hour < 24, minute < 60, second < 60,
            bytes.count == 19 || bytes[19] == UInt8(ascii: ".")
        else { return nil }
        (self.hour, self.minute, self.second) = (hour, minute, second)
    }

    private static func days(_ year: Int, _ month: Int) -> Int {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return month == 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// `yyyy-MM-dd`.
    var date: String { "\(Self.pad(year, 4))-\(Self.pad(month))-\(Self.pad(day))" }
    /// `yyyy-MM-ddTHH:mm:ss`: how the vendor answers every date.
    var text: String { "\(date)T\(Self.pad(hour)):\(Self.pad(minute)):\(Self.pad(second))" }

    static func < (a: Moment, b: Moment) -> Bool { a.text < b.text }

    private static func pad(_ value: Int, _ width: Int = 2) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
