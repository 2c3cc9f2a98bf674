import Testing
import Values

@Suite("Days of the calendar")
struct CivilDates {
    @Test(
        "texts that are no day",
        arguments: [
            "", "2026-1-05", "2026-01-5", "2026/01/05", "20260105", "2026-02-29", "1900-02-29", "2026-13-01",
            "2026-00-01", "2026-04-31", "2026-01-00", "0000-01-01", "2026-01-05 ", " 2026-01-05", "2026-01-0a",
            "２０２６-01-05", "-026-01-05", "2026-01-05T",
        ])
    func refused(text: String) { #expect(CivilDate(text) == nil) }

    @Test("every day of four centuries has its number, its text and its weekday")
    func everyDay() {
        guard let start = CivilDate("1900-01-01") else {
            Issue.record("1900-01-01")
            return
        }
        #expect(start.weekday == 1)
        var (year, month, day) = (1900, 1, 1)
        for offset in 0..<146_097 {
            let date = CivilDate(dayNumber: start.dayNumber + offset)
            guard let date, date.year == year, date.month == month, date.day == day else {
                Issue.record("\(year)-\(month)-\(day): \(String(describing: date))")
                return
            }
            guard date.dayNumber == start.dayNumber + offset, date.weekday == offset % 7 + 1,
                CivilDate(date.text) == date
            else {
                Issue.record("\(date)")
                return
            }
            day += 1
            if day > CivilDate.days(inMonth: month, of: year) { (day, month) = (1, month + 1) }
            if month > 12 { (month, year) = (1, year + 1) }
        }
        #expect(year == 2300)
    }

    @Test("the ends of the calendar, and known days")
    func ends() {
        #expect(CivilDate("1970-01-01")?.dayNumber == 0)
        #expect(CivilDate("2000-02-29")?.dayNumber == 11_016)
        #expect(CivilDate("0001-01-01")?.dayNumber == -719_162)
        #expect(CivilDate("9999-12-31")?.dayNumber == 2_932_896)
        #expect(CivilDate(dayNumber: -719_162)?.text == "0001-01-01")
        #expect(CivilDate(dayNumber: -719_163) == nil)
        #expect(CivilDate(dayNumber: 2_932_897) == nil)
        #expect(CivilDate("9999-12-31")?.adding(days: 1) == nil)
        #expect(CivilDate("9999-12-31")?.adding(days: .max) == nil)
        #expect(CivilDate("2024-02-28")?.adding(days: 2)?.text == "2024-03-01")
        #expect(CivilDate("2024-02-10")?.lastOfMonth.text == "2024-02-29")
        #expect(CivilDate("2024-02-10")?.firstOfMonth.text == "2024-02-01")
        #expect(CivilDate("2026-01-05")?.weekday == 1)
        #expect(CivilDate("2025-12-31")! < CivilDate("2026-01-01")!)
        #expect(CivilDate(year: 2026, month: 2, day: 30) == nil)
    }
}

@Suite("Moments")
struct Instants {
    @Test(
        "texts that are no moment",
        arguments: [
            "", "2026-01-05", "2026-01-05T18:34:00", "2026-01-05 18:34:00Z", "2026-01-05T18:34Z",
            "2026-01-05T24:00:00Z",
            "2026-01-05T18:60:00Z", "2026-01-05T23:59:60Z", "2026-02-30T00:00:00Z", "2026-01-05T18:34:00+0800",
            "2026-01-05T18:34:00+8:00", "2026-01-05T18:34:00+24:00", "2026-01-05T18:34:00+08:60",
            "2026-01-05T18:34:00.Z",
            "2026-01-05T18:34:00.5", "2026-01-05T18:34:00ZZ", "2026-01-05T18:34:00Z ", "2026-01-05X18:34:00Z",
            "2026-01-05T18:34:00.000000000000000000000Z",
        ])
    func refused(text: String) { #expect(Instant(text) == nil) }

    @Test(
        "text to milliseconds and back",
        arguments: [
            ("1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"),
            ("2026-01-05T18:34:00+08:00", 1_767_609_240_000, 480, "2026-01-05T18:34:00+08:00"),
            ("2026-01-05t18:34:00.5z", 1_767_638_040_500, -300, "2026-01-05T13:34:00.500-05:00"),
            ("2026-01-05T18:34:00.1239999Z", 1_767_638_040_123, 330, "2026-01-06T00:04:00.123+05:30"),
            ("1969-12-31T23:59:59.999Z", -1, 0, "1969-12-31T23:59:59.999Z"),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000, 0, "0001-01-01T00:00:00Z"),
        ] as [(String, Int64, Int, String)])
    func roundTrip(text: String, ms: Int64, offset: Int, back: String) {
        #expect(Instant(text)?.ms == ms)
        #expect(Instant(ms: ms).text(offsetMinutes: offset) == back)
        #expect(Instant(back)?.ms == ms)
    }

    @Test("moments outside of the calendar have no text, but an order")
    func outside() {
        #expect(Instant(ms: .max).text(offsetMinutes: 0) == nil)
        #expect(Instant(ms: .max).text(offsetMinutes: 60) == nil)
        #expect(Instant(ms: 0).text(offsetMinutes: 1440) == nil)
        #expect(Instant("0001-01-01T00:00:00Z")?.text(offsetMinutes: -60) == nil)
        #expect(Instant(ms: 1) < Instant(ms: 2))
        #expect(Instant(ms: 0).description == "1970-01-01T00:00:00Z")
        #expect(Instant(ms: .min).description == "-9223372036854775808 ms")
    }
}

@Suite("Zones")
struct Zones {
    @Test(
        "names nobody knows",
        arguments: [
            "", "Asia/Atlantis", "../etc/passwd", "Asia/../../etc/passwd", "/etc/passwd", "Asia/", "Asia", "+8",
            "+08:00x",
            "北京", "tzdata.zi/x", String(repeating: "a", count: 65),
        ])
    func refused(name: String) {
        let problem = #expect(throws: Problem.self) { try TimeZoneRule(named: name) }
        #expect(problem?.code == "E-TIME-001")
    }

    @Test("a file that is no zone file")
    func noZoneFile() {
        let problem = #expect(throws: Problem.self) { try TimeZoneRule(named: "leapseconds") }
        // Machines without that file do not know the name either.
        #expect(problem?.code == "E-TIME-002" || problem?.code == "E-TIME-001")
    }

    @Test("fixed zones need no file")
    func fixed() throws {
        let noon = Instant("2026-01-05T16:30:00Z")!
        #expect(try TimeZoneRule(named: "Asia/Shanghai").date(at: noon)?.text == "2026-01-06")
        #expect(try TimeZoneRule(named: "UTC").date(at: noon)?.text == "2026-01-05")
        #expect(try TimeZoneRule(named: "-05:00").text(of: noon) == "2026-01-05T11:30:00-05:00")
        #expect(try TimeZoneRule(named: "Z").offsetSeconds(at: noon) == 0)
        #expect(
            try TimeZoneRule(named: "+05:45").instant(of: CivilDate("2026-01-05")!) == Instant("2026-01-04T18:15:00Z"))
        #expect(TimeZoneRule.shanghai.date(at: Instant(ms: .max)) == nil)
    }

    @Test(
        "zones of the IANA files, before, between and after their last written change",
        .enabled(if: (try? TimeZoneRule(named: "Europe/Berlin")) != nil),
        arguments: [
            ("Europe/Berlin", "2026-03-29T00:59:59Z", 3600), ("Europe/Berlin", "2026-03-29T01:00:00Z", 7200),
            ("Europe/Berlin", "2026-10-25T00:59:59Z", 7200), ("Europe/Berlin", "2026-10-25T01:00:00Z", 3600),
            ("Europe/Berlin", "2090-07-01T00:00:00Z", 7200), ("Europe/Berlin", "2090-12-01T00:00:00Z", 3600),
            ("America/New_York", "2099-03-08T06:59:59Z", -18000), ("America/New_York", "2099-03-08T07:00:00Z", -14400),
            ("Australia/Sydney", "2080-01-15T00:00:00Z", 39600), ("Australia/Sydney", "2080-07-15T00:00:00Z", 36000),
            ("Asia/Tokyo", "2050-01-01T00:00:00Z", 32400), ("Asia/Kolkata", "2026-01-01T00:00:00Z", 19800),
            ("Asia/Hong_Kong", "1970-07-01T00:00:00Z", 32400), ("Europe/Berlin", "1850-01-01T00:00:00Z", 3208),
        ])
    func files(name: String, moment: String, offset: Int) throws {
        #expect(try TimeZoneRule(named: name).offsetSeconds(at: Instant(moment)!) == offset)
    }

    @Test(
        "wall-clock times around a change", .enabled(if: (try? TimeZoneRule(named: "Europe/Berlin")) != nil))
    func wallClock() throws {
        let berlin = try TimeZoneRule(named: "Europe/Berlin")
        let skipped = berlin.instant(of: CivilDate("2026-03-29")!, secondsOfDay: 2 * 3600 + 1800)
        #expect(berlin.text(of: skipped) == "2026-03-29T03:30:00+02:00")
        let twice = berlin.instant(of: CivilDate("2026-10-25")!, secondsOfDay: 2 * 3600 + 1800)
        #expect(berlin.text(of: twice) == "2026-10-25T02:30:00+02:00")
        #expect(berlin.text(of: berlin.instant(of: CivilDate("2026-07-01")!)) == "2026-07-01T00:00:00+02:00")
    }
}
