import Values

/// The ways vendors write moments, on top of `Instant`, `CivilDate` and `TimeZoneRule`.
public enum VendorTime {
    /// `2026-01-05 18:34:00` as a clock on the wall of `zone` shows it. A `T` may stand for the space, the
    /// seconds and a fraction of them may be there or not; the fraction is kept to the millisecond. Anything
    /// else, an offset too, is nil.
    public static func instant(wall text: String, zone: TimeZoneRule) -> Instant? {
        guard let wall = Wall(text) else { return nil }
        let start = zone.instant(of: wall.date, secondsOfDay: wall.seconds)
        return Instant(ms: start.ms + Int64(wall.milliseconds))
    }

    /// `2026-01-05 18:34:00` on the wall of `zone`; nil outside years 1 to 9999.
    public static func wall(_ instant: Instant, zone: TimeZoneRule, separator: Character = " ") -> String? {
        let (local, overflow) = instant.ms.addingReportingOverflow(Int64(zone.offsetSeconds(at: instant)) * 1000)
        guard !overflow, let date = zone.date(at: instant) else { return nil }
        let dayMilliseconds: Int64 = 86_400_000
        let rest = (local % dayMilliseconds + dayMilliseconds) % dayMilliseconds / 1000
        return "\(date.text)\(separator)\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
    }

    /// `2026-01-05T18:34Z` or `2026-01-05T18:34+08:00`: ISO 8601 whose seconds may be missing. nil without an
    /// offset.
    public static func instant(isoMinutes text: String) -> Instant? {
        if let full = Instant(text) { return full }
        let bytes = Array(text.utf8)
        // yyyy-MM-ddTHH:mm, then the offset.
        guard bytes.count > 16, bytes[16] != 0x3a else { return nil }
        let head = String(decoding: bytes[..<16], as: UTF8.self)
        let tail = String(decoding: bytes[16...], as: UTF8.self)
        return Instant("\(head):00\(tail)")
    }

    /// Milliseconds since 1970, as a number or as text.
    public static func instant(epochMilliseconds value: JSON) -> Instant? {
        if let number = value.int { return Instant(ms: number) }
        guard let text = value.string, let number = Int64(text) else { return nil }
        return Instant(ms: number)
    }

    /// `/Date(1767225600000)/`, `/Date(1767225600000+0800)/`: milliseconds since 1970. The offset says how the
    /// vendor would show the moment and does not move it.
    public static func instant(slashDate text: String) -> Instant? {
        guard text.hasPrefix("/Date("), text.hasSuffix(")/") else { return nil }
        let inner = text.dropFirst(6).dropLast(2)
        var digits = inner.first == "-" ? "-" : ""
        for character in inner.dropFirst(digits.count) {
            guard character.isASCII, character.isNumber else {
                guard character == "+" || character == "-" else { return nil }
                break
            }
            digits.append(character)
        }
        return Int64(digits).map { Instant(ms: $0) }
    }

    /// `/Date(1767225600000)/`.
    public static func slashDate(_ instant: Instant) -> String { "/Date(\(instant.ms))/" }

    private static func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }

    /// A wall clock's reading.
    private struct Wall {
        let date: CivilDate
        let seconds: Int
        let milliseconds: Int

        init?(_ text: String) {
            let bytes = Array(text.utf8)
            guard bytes.count >= 16, bytes[10] == 0x20 || bytes[10] == 0x54, bytes[13] == 0x3a,
                let date = CivilDate(String(decoding: bytes[..<10], as: UTF8.self)),
                let hours = Self.number(bytes[11..<13]), hours < 24, let minutes = Self.number(bytes[14..<16]),
                minutes < 60
            else { return nil }
            var seconds = 0
            var milliseconds = 0
            if bytes.count > 16 {
                guard bytes.count >= 19, bytes[16] == 0x3a, let read = Self.number(bytes[17..<19]), read < 60
                else { return nil }
                seconds = read
            }
            if bytes.count > 19 {
                let fraction = bytes[20...]
                guard bytes[19] == 0x2e, !fraction.isEmpty, fraction.allSatisfy({ (0x30...0x39).contains($0) })
                else { return nil }
                let padded = Array(fraction.prefix(3)) + [UInt8](repeating: 0x30, count: max(0, 3 - fraction.count))
                milliseconds = Self.number(padded[...]) ?? 0
            }
            self.date = date
            self.seconds = hours * 3600 + minutes * 60 + seconds
            self.milliseconds = milliseconds
        }

        private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
            var value = 0
            for digit in digits {
                guard (0x30...0x39).contains(digit) else { return nil }
                value = value * 10 + Int(digit - 0x30)
            }
            return value
        }
    }
}
