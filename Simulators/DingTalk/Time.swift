/// Calendar arithmetic on epoch milliseconds.
enum Time {
    static let day: Int64 = 86_400_000
    private static let beijing: Int64 = 8 * 3_600_000

    /// `2026-01-05T10:34Z`: how the new generation writes instants.
    static func minute(_ milliseconds: Int64) -> String {
        let part = parts(milliseconds)
        return "\(part.date)T\(part.time.prefix(5))Z"
    }

    /// Days since 1970 in Beijing.
    static func dayNumber(_ milliseconds: Int64) -> Int64 { (milliseconds + beijing) / day }

    /// `2026-01-05`, the day in Beijing.
    static func day(_ milliseconds: Int64) -> String { parts(milliseconds + beijing).date }

    /// `2026-01-05 18:34:00`, Beijing time.
    static func local(_ milliseconds: Int64) -> String {
        let part = parts(milliseconds + beijing)
        return "\(part.date) \(part.time)"
    }

    /// `202601051834`, Beijing time: how an approval's number begins.
    static func stamp(_ milliseconds: Int64) -> String { String(local(milliseconds).filter(\.isNumber).prefix(12)) }

    /// `2026-01`: the month in Beijing that a quota belongs to.
    static func month(_ milliseconds: Int64) -> String { String(day(milliseconds).prefix(7)) }

    private static func parts(_ milliseconds: Int64) -> (date: String, time: String) {
        let seconds = milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let rest = seconds - days * 86_400
        // Days to civil date, with years that begin in March so that the leap day is the last one.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return (
            "\(year)-\(two(month))-\(two(day))",
            "\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
        )
    }
}

/// Money in cents and its spellings.
enum Money {
    /// `1280.50`
    static func plain(_ cents: Int) -> String { "\(cents / 100).\(cents % 100 < 10 ? "0" : "")\(cents % 100)" }

    /// `12,800.00`: how old templates write it.
    static func grouped(_ cents: Int) -> String {
        var groups = ""
        for (index, digit) in String(cents / 100).reversed().enumerated() {
            if index > 0, index % 3 == 0 { groups.append(",") }
            groups.append(digit)
        }
        return String(groups.reversed()) + String(plain(cents).suffix(3))
    }

    /// `壹仟贰佰捌拾元伍角`: the capital form of cheques.
    static func capital(_ cents: Int) -> String {
        let digits = Array("零壹贰叁肆伍陆柒捌玖")
        let places = ["", "拾", "佰", "仟"]
        let groups = ["", "万", "亿"]
        var yuan = cents / 100
        var parts: [String] = []
        var level = 0
        while yuan > 0 {
            let group = yuan % 10_000
            var text = ""
            var gap = false
            for place in stride(from: 3, through: 0, by: -1) {
                let digit = group / [1, 10, 100, 1000][place] % 10
                if digit == 0 {
                    gap = !text.isEmpty
                } else {
                    if gap { text += "零" }
                    gap = false
                    text += String(digits[digit]) + places[place]
                }
            }
            if !text.isEmpty {
                let needsZero = group < 1000 && yuan >= 10_000
                parts.insert((needsZero ? "零" : "") + text + groups[level], at: 0)
            }
            yuan /= 10_000
            level += 1
        }
        let jiao = cents / 10 % 10
        let fen = cents % 10
        var out = parts.isEmpty ? "零元" : parts.joined() + "元"
        if jiao == 0, fen == 0 { return out + "整" }
        if jiao > 0 { out += String(digits[jiao]) + "角" } else { out += "零" }
        if fen > 0 { out += String(digits[fen]) + "分" }
        return out
    }
}
