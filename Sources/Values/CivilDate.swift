/// A day of the proleptic Gregorian calendar, years 1...9999. No zone, no time of day.
public struct CivilDate: Sendable, Hashable, Comparable {
    /// 1...9999.
    public let year: Int
    /// 1...12.
    public let month: Int
    /// 1...31.
    public let day: Int

    /// A day; nil when there is no such day.
    public init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month), day >= 1,
            day <= Self.days(inMonth: month, of: year)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
    }

    /// A day from `2026-01-05`, exactly ten characters; nil for any other text or a day that does not exist.
    public init?(_ text: String) {
        var copy = text
        let parts: (Int, Int, Int)? = copy.withUTF8 { bytes in
            guard bytes.count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
                let year = digits(bytes, 0..<4), let month = digits(bytes, 5..<7), let day = digits(bytes, 8..<10)
            else { return nil }
            return (year, month, day)
        }
        guard let (year, month, day) = parts else { return nil }
        self.init(year: year, month: month, day: day)
    }

    /// The day a number of days after 1970-01-01; nil outside years 1...9999.
    public init?(dayNumber: Int) {
        guard (-719_162...2_932_896).contains(dayNumber) else { return nil }
        // Days are counted from 0000-03-01 in eras of 400 years, so the leap day is the last of its year.
        let shifted = dayNumber + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Days since 1970-01-01, negative before.
    public var dayNumber: Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// `2026-01-05`.
    public var text: String {
        String(unsafeUninitializedCapacity: 10) { buffer in
            write(year, digits: 4, at: 0, of: buffer)
            buffer[4] = UInt8(ascii: "-")
            write(month, digits: 2, at: 5, of: buffer)
            buffer[7] = UInt8(ascii: "-")
            write(day, digits: 2, at: 8, of: buffer)
            return 10
        }
    }

    /// The day a number of days later (earlier when negative); nil outside years 1...9999.
    public func adding(days: Int) -> CivilDate? {
        let (number, over) = dayNumber.addingReportingOverflow(days)
        return over ? nil : CivilDate(dayNumber: number)
    }

    /// The first day of this month.
    public var firstOfMonth: CivilDate { CivilDate(unchecked: year, month, 1) }
    /// The last day of this month.
    public var lastOfMonth: CivilDate { CivilDate(unchecked: year, month, Self.days(inMonth: month, of: year)) }

    /// Monday is 1, Sunday is 7.
    public var weekday: Int {
        let rest = (dayNumber + 3) % 7
        return (rest < 0 ? rest + 7 : rest) + 1
    }

    /// How many days a month has.
    public static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Order in time.
    public static func < (left: CivilDate, right: CivilDate) -> Bool {
        (left.year, left.month, left.day) < (right.year, right.month, right.day)
    }

    private init(unchecked year: Int, _ month: Int, _ day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }
}

extension CivilDate: CustomStringConvertible {
    /// `2026-01-05`.
    public var description: String { text }
}

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
public struct Instant: Sendable, Hashable, Comparable {
    /// Milliseconds since 1970-01-01T00:00:00Z, negative before.
    public var ms: Int64

    /// A moment from its milliseconds.
    public init(ms: Int64) { self.ms = ms }

    /// A moment from RFC 3339 text with an offset: `2026-01-05T18:34:00+08:00`, `…Z`, with or without a fraction
    /// (below a millisecond it is cut). Nil for anything else: a time without an offset is no moment. Second 60 is
    /// refused.
    public init?(_ text: String) {
        var copy = text
        guard let ms = copy.withUTF8({ Self.read($0) }) else { return nil }
        self.ms = ms
    }

    private static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> Int64? {
        guard bytes.count >= 20, bytes.count <= 40, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] | 0x20 == UInt8(ascii: "t"), bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let year = digits(bytes, 0..<4), let month = digits(bytes, 5..<7), let day = digits(bytes, 8..<10),
            let hour = digits(bytes, 11..<13), let minute = digits(bytes, 14..<16),
            let second = digits(bytes, 17..<19), hour < 24, minute < 60, second < 60,
            let date = CivilDate(year: year, month: month, day: day)
        else { return nil }
        var at = 19
        var fraction = 0
        if bytes[at] == UInt8(ascii: ".") {
            at += 1
            let start = at
            var weight = 100
            while at < bytes.count, let digit = digits(bytes, at..<at + 1) {
                fraction += digit * weight
                weight /= 10
                at += 1
            }
            guard at > start, at < bytes.count else { return nil }
        }
        guard let offset = readOffset(UnsafeBufferPointer(rebasing: bytes[at...])) else { return nil }
        let seconds = date.dayNumber * 86_400 + hour * 3600 + minute * 60 + second - offset
        return Int64(seconds) * 1000 + Int64(fraction)
    }

    /// Seconds east of UTC of `Z` or `+08:00`.
    static func readOffset(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        if bytes.count == 1, bytes[0] | 0x20 == UInt8(ascii: "z") { return 0 }
        guard bytes.count == 6, bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-"),
            bytes[3] == UInt8(ascii: ":"), let hour = digits(bytes, 1..<3), let minute = digits(bytes, 4..<6),
            hour < 24, minute < 60
        else { return nil }
        let seconds = hour * 3600 + minute * 60
        return bytes[0] == UInt8(ascii: "-") ? -seconds : seconds
    }

    /// RFC 3339 text at a fixed offset of whole minutes east of UTC: `2026-01-05T18:34:00+08:00`. The fraction is
    /// written (three digits) only when it is not zero; offset 0 is written `Z`. Nil outside years 1...9999 or for
    /// an offset of a day or more.
    public func text(offsetMinutes: Int) -> String? {
        guard abs(offsetMinutes) < 1440 else { return nil }
        let (local, over) = ms.addingReportingOverflow(Int64(offsetMinutes) * 60_000)
        guard !over else { return nil }
        let (day, inDay) = floorDivide(local, 86_400_000)
        guard let date = CivilDate(dayNumber: Int(day)) else { return nil }
        let rest = Int(inDay)
        return String(unsafeUninitializedCapacity: 32) { buffer in
            write(date.year, digits: 4, at: 0, of: buffer)
            buffer[4] = UInt8(ascii: "-")
            write(date.month, digits: 2, at: 5, of: buffer)
            buffer[7] = UInt8(ascii: "-")
            write(date.day, digits: 2, at: 8, of: buffer)
            buffer[10] = UInt8(ascii: "T")
            write(rest / 3_600_000, digits: 2, at: 11, of: buffer)
            buffer[13] = UInt8(ascii: ":")
            write(rest / 60_000 % 60, digits: 2, at: 14, of: buffer)
            buffer[16] = UInt8(ascii: ":")
            write(rest / 1000 % 60, digits: 2, at: 17, of: buffer)
            var count = 19
            if rest % 1000 != 0 {
                buffer[19] = UInt8(ascii: ".")
                write(rest % 1000, digits: 3, at: 20, of: buffer)
                count = 23
            }
            if offsetMinutes == 0 {
                buffer[count] = UInt8(ascii: "Z")
                return count + 1
            }
            buffer[count] = offsetMinutes < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")
            write(abs(offsetMinutes) / 60, digits: 2, at: count + 1, of: buffer)
            buffer[count + 3] = UInt8(ascii: ":")
            write(abs(offsetMinutes) % 60, digits: 2, at: count + 4, of: buffer)
            return count + 6
        }
    }

    /// Order in time.
    public static func < (left: Instant, right: Instant) -> Bool { left.ms < right.ms }
}

extension Instant: CustomStringConvertible {
    /// RFC 3339 text in UTC.
    public var description: String { text(offsetMinutes: 0) ?? "\(ms) ms" }
}

/// The digits of a range as a number; nil when one of them is no digit.
func digits(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int? {
    var value = 0
    for at in range {
        let digit = bytes[at] &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        value = value * 10 + Int(digit)
    }
    return value
}

private func write(_ value: Int, digits: Int, at: Int, of buffer: UnsafeMutableBufferPointer<UInt8>) {
    var rest = value
    for place in stride(from: at + digits - 1, through: at, by: -1) {
        buffer[place] = UInt8(ascii: "0") + UInt8(rest % 10)
        rest /= 10
    }
}

/// Division that rounds down, and what is left, never negative.
func floorDivide(_ value: Int64, _ by: Int64) -> (quotient: Int64, rest: Int64) {
    let (quotient, rest) = value.quotientAndRemainder(dividingBy: by)
    return rest < 0 ? (quotient - 1, rest + by) : (quotient, rest)
}
