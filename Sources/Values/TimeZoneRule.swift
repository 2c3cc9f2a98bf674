import Glibc

/// The offset from UTC of a place, at any moment.
///
/// `Asia/Shanghai` (+08:00 without change since September 1991), `UTC` and fixed offsets such as `+08:00` need no
/// file. Every other name is read once from the IANA zone files (RFC 8536) under `/usr/share/zoneinfo`.
public struct TimeZoneRule: Sendable, Hashable {
    /// The name it was asked for by.
    public let name: String
    private let kind: Kind

    private enum Kind: Sendable, Hashable {
        case fixed(seconds: Int)
        case table(ZoneTable)
    }

    /// Where the IANA zone files are.
    public static let zoneFolder = "/usr/share/zoneinfo"
    /// UTC.
    public static let utc = TimeZoneRule(name: "UTC", kind: .fixed(seconds: 0))
    /// China's time, +08:00.
    public static let shanghai = TimeZoneRule(name: "Asia/Shanghai", kind: .fixed(seconds: 28_800))

    private init(name: String, kind: Kind) {
        self.name = name
        self.kind = kind
    }

    /// A zone by its name: `Asia/Shanghai`, `UTC`, `Z`, `+08:00`, or a name of the IANA files. Throws `E-TIME-001`
    /// for a name nobody knows and `E-TIME-002` for a file that is no zone file.
    public init(named name: String) throws(Problem) {
        switch name {
        case "Asia/Shanghai": self = .shanghai
        case "UTC", "Etc/UTC", "Z": self.init(name: name, kind: .fixed(seconds: 0))
        default:
            var copy = name
            if let offset = copy.withUTF8({ Instant.readOffset($0) }) {
                self.init(name: name, kind: .fixed(seconds: offset))
                return
            }
            guard Self.isSafe(name), let bytes = readFile("\(Self.zoneFolder)/\(name)") else {
                throw .unknownZone(name)
            }
            guard let table = ZoneTable(bytes) else { throw .badZoneFile(name) }
            self.init(name: name, kind: .table(table))
        }
    }

    /// A name that cannot lead out of the folder.
    private static func isSafe(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return !name.isEmpty && name.utf8.count <= Limits.zoneNameBytes
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.allSatisfy { byte in
                        switch byte {
                        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "+"),
                            UInt8(ascii: "-"):
                            true
                        default: false
                        }
                    }
            }
    }

    /// Seconds east of UTC at a moment.
    public func offsetSeconds(at instant: Instant) -> Int {
        switch kind {
        case .fixed(let seconds): seconds
        case .table(let table): table.offset(at: floorDivide(instant.ms, 1000).quotient)
        }
    }

    /// The calendar day at a moment; nil outside years 1...9999.
    public func date(at instant: Instant) -> CivilDate? {
        let (local, over) = instant.ms.addingReportingOverflow(Int64(offsetSeconds(at: instant)) * 1000)
        return over ? nil : CivilDate(dayNumber: Int(floorDivide(local, 86_400_000).quotient))
    }

    /// RFC 3339 text of a moment in this zone; nil outside years 1...9999.
    public func text(of instant: Instant) -> String? {
        instant.text(offsetMinutes: offsetSeconds(at: instant) / 60)
    }

    /// The moment of a wall-clock time, in seconds after midnight (0..<86400). A time a clock change skips is the
    /// same distance after the change; of a time that comes twice it is the first.
    public func instant(of date: CivilDate, secondsOfDay: Int = 0) -> Instant {
        let wall = Int64(date.dayNumber) * 86_400 + Int64(secondsOfDay)
        // The offset before and the offset after the wall time are the only candidates.
        let before = offsetSeconds(at: Instant(ms: (wall - 86_400) * 1000))
        let after = offsetSeconds(at: Instant(ms: (wall + 86_400) * 1000))
        for offset in [before, after] {
            let candidate = Instant(ms: (wall - Int64(offset)) * 1000)
            if offsetSeconds(at: candidate) == offset { return candidate }
        }
        return Instant(ms: (wall - Int64(before)) * 1000)
    }
}

/// The transitions of a zone file and the rule for what comes after them (RFC 8536).
struct ZoneTable: Sendable, Hashable {
    private let transitions: [Int64]
    private let offsets: [Int]
    private let first: Int
    private let tail: ZoneTail?

    func offset(at seconds: Int64) -> Int {
        guard let last = transitions.last, let earliest = transitions.first else {
            return tail?.offset(at: seconds) ?? first
        }
        if seconds < earliest { return first }
        if seconds >= last { return tail?.offset(at: seconds) ?? offsets[offsets.count - 1] }
        var low = 0
        var high = transitions.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if transitions[middle] <= seconds { low = middle } else { high = middle - 1 }
        }
        return offsets[low]
    }

    /// Reads version 2 or later; nil for anything else.
    init?(_ bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard let old = reader.header(), old.version >= UInt8(ascii: "2"),
            reader.skip(old.size(timeBytes: 4)), let head = reader.header(), head.types > 0
        else { return nil }
        var transitions: [Int64] = []
        for _ in 0..<head.transitions {
            guard let time = reader.integer(8) else { return nil }
            transitions.append(time)
        }
        guard zip(transitions, transitions.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        var indices: [Int] = []
        for _ in 0..<head.transitions {
            guard let index = reader.byte(), Int(index) < head.types else { return nil }
            indices.append(Int(index))
        }
        var types: [Int] = []
        for _ in 0..<head.types {
            guard let offset = reader.integer(4), reader.skip(2), abs(offset) <= 93_600 else { return nil }
            types.append(Int(offset))
        }
        guard reader.skip(head.characters + head.leaps * 12 + head.standard + head.universal) else { return nil }
        self.transitions = transitions
        offsets = indices.map { types[$0] }
        first = types[0]
        guard let footer = reader.line() else { return nil }
        if footer.isEmpty {
            tail = nil
        } else {
            guard let rule = ZoneTail(footer) else { return nil }
            tail = rule
        }
    }

    private struct Header {
        var version: UInt8
        var universal, standard, leaps, transitions, types, characters: Int

        func size(timeBytes: Int) -> Int {
            transitions * (timeBytes + 1) + types * 6 + characters + leaps * (timeBytes + 4) + standard + universal
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var at = 0

        mutating func byte() -> UInt8? {
            guard at < bytes.count else { return nil }
            at += 1
            return bytes[at - 1]
        }

        mutating func integer(_ width: Int) -> Int64? {
            guard at + width <= bytes.count else { return nil }
            var value: Int64 = bytes[at] >= 0x80 ? -1 : 0
            for offset in 0..<width { value = value << 8 | Int64(bytes[at + offset]) }
            at += width
            return value
        }

        mutating func skip(_ count: Int) -> Bool {
            guard count <= bytes.count - at else { return false }
            at += count
            return true
        }

        mutating func header() -> Header? {
            guard at + 44 <= bytes.count, Array(bytes[at..<at + 4]) == Array("TZif".utf8) else { return nil }
            let version = bytes[at + 4]
            at += 20
            var counts: [Int] = []
            for _ in 0..<6 {
                guard let count = integer(4), (0...Int64(Limits.zoneFileBytes)).contains(count) else { return nil }
                counts.append(Int(count))
            }
            return Header(
                version: version, universal: counts[0], standard: counts[1], leaps: counts[2], transitions: counts[3],
                types: counts[4], characters: counts[5])
        }

        /// The footer between two line feeds.
        mutating func line() -> [UInt8]? {
            guard byte() == 0x0a, let end = bytes[at...].firstIndex(of: 0x0a) else { return nil }
            return Array(bytes[at..<end])
        }
    }
}

/// The rule of a zone file's last line (POSIX `TZ`, as RFC 8536 extends it), e.g. `CET-1CEST,M3.5.0,M10.5.0/3`.
struct ZoneTail: Sendable, Hashable {
    private let standard: Int
    private let summer: Summer?

    private struct Summer: Hashable {
        var offset: Int
        var start: Change
        var end: Change
    }

    private struct Change: Hashable {
        enum Day: Hashable {
            /// Month 1...12, week 1...5 (5 is the last), weekday with Sunday as 0.
            case weekday(month: Int, week: Int, weekday: Int)
            /// Day 1...365, February 29 never counted.
            case julian(Int)
            /// Day 0...365, February 29 counted.
            case zeroBased(Int)
        }
        var day: Day
        var seconds: Int

        /// Seconds since 1970 by the wall clock before the change.
        func wallSeconds(in year: Int) -> Int64? {
            guard let newYear = CivilDate(year: year, month: 1, day: 1)?.dayNumber else { return nil }
            let number: Int
            switch day {
            case .julian(let day):
                let leap = CivilDate.days(inMonth: 2, of: year) == 29
                number = newYear + day - 1 + (leap && day >= 60 ? 1 : 0)
            case .zeroBased(let day):
                number = newYear + day
            case .weekday(let month, let week, let weekday):
                guard let start = CivilDate(year: year, month: month, day: 1) else { return nil }
                let firstHit = (weekday - start.weekday % 7 + 7) % 7
                var day = 1 + firstHit + (week - 1) * 7
                if day > CivilDate.days(inMonth: month, of: year) { day -= 7 }
                number = start.dayNumber + day - 1
            }
            return Int64(number) * 86_400 + Int64(seconds)
        }
    }

    func offset(at seconds: Int64) -> Int {
        guard let summer else { return standard }
        let local = floorDivide(seconds + Int64(standard), 86_400).quotient
        guard let date = CivilDate(dayNumber: Int(local)), let start = summer.start.wallSeconds(in: date.year),
            let end = summer.end.wallSeconds(in: date.year)
        else { return standard }
        let from = start - Int64(standard)
        let to = end - Int64(summer.offset)
        let inSummer = from < to ? seconds >= from && seconds < to : !(seconds >= to && seconds < from)
        return inSummer ? summer.offset : standard
    }

    init?(_ bytes: [UInt8]) {
        var at = 0
        guard Self.name(bytes, &at), let west = Self.time(bytes, &at) else { return nil }
        standard = -west
        if at == bytes.count {
            summer = nil
            return
        }
        guard Self.name(bytes, &at) else { return nil }
        var offset = standard + 3600
        if at < bytes.count, bytes[at] != UInt8(ascii: ",") {
            guard let west = Self.time(bytes, &at) else { return nil }
            offset = -west
        }
        guard let start = Self.change(bytes, &at), let end = Self.change(bytes, &at), at == bytes.count else {
            return nil
        }
        summer = Summer(offset: offset, start: start, end: end)
    }

    private static func name(_ bytes: [UInt8], _ at: inout Int) -> Bool {
        let start = at
        if at < bytes.count, bytes[at] == UInt8(ascii: "<") {
            guard let end = bytes[at...].firstIndex(of: UInt8(ascii: ">")) else { return false }
            at = end + 1
            return true
        }
        while at < bytes.count, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(bytes[at] | 0x20) { at += 1 }
        return at > start
    }

    private static func number(_ bytes: [UInt8], _ at: inout Int, max: Int) -> Int? {
        let start = at
        var value = 0
        while at < bytes.count, bytes[at] &- UInt8(ascii: "0") < 10 {
            value = value * 10 + Int(bytes[at] - UInt8(ascii: "0"))
            guard value <= max else { return nil }
            at += 1
        }
        return at > start ? value : nil
    }

    /// `[+-]h[:mm[:ss]]` in seconds.
    private static func time(_ bytes: [UInt8], _ at: inout Int) -> Int? {
        var sign = 1
        if at < bytes.count, bytes[at] == UInt8(ascii: "-") || bytes[at] == UInt8(ascii: "+") {
            sign = bytes[at] == UInt8(ascii: "-") ? -1 : 1
            at += 1
        }
        guard let hours = number(bytes, &at, max: 167) else { return nil }
        var total = hours * 3600
        for unit in [60, 1] {
            guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { break }
            at += 1
            guard let part = number(bytes, &at, max: 59) else { return nil }
            total += part * unit
        }
        return sign * total
    }

    private static func change(_ bytes: [UInt8], _ at: inout Int) -> Change? {
        guard at + 1 < bytes.count, bytes[at] == UInt8(ascii: ",") else { return nil }
        at += 1
        let day: Change.Day
        switch bytes[at] {
        case UInt8(ascii: "M"):
            at += 1
            guard let month = number(bytes, &at, max: 12), month > 0, dot(bytes, &at),
                let week = number(bytes, &at, max: 5), week > 0, dot(bytes, &at),
                let weekday = number(bytes, &at, max: 6)
            else { return nil }
            day = .weekday(month: month, week: week, weekday: weekday)
        case UInt8(ascii: "J"):
            at += 1
            guard let number = number(bytes, &at, max: 365), number > 0 else { return nil }
            day = .julian(number)
        default:
            guard let number = number(bytes, &at, max: 365) else { return nil }
            day = .zeroBased(number)
        }
        var seconds = 7200
        if at < bytes.count, bytes[at] == UInt8(ascii: "/") {
            at += 1
            guard let time = time(bytes, &at) else { return nil }
            seconds = time
        }
        return Change(day: day, seconds: seconds)
    }

    private static func dot(_ bytes: [UInt8], _ at: inout Int) -> Bool {
        guard at < bytes.count, bytes[at] == UInt8(ascii: ".") else { return false }
        at += 1
        return true
    }
}

/// A small file's bytes; nil when it is missing, no regular file, unreadable or too large.
private func readFile(_ path: String) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var info = stat()
    guard fstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size <= Limits.zoneFileBytes else {
        return nil
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 8192)
    while bytes.count <= Limits.zoneFileBytes {
        let count = read(file, &chunk, chunk.count)
        if count == 0 { return bytes }
        if count < 0 {
            if errno == EINTR { continue }
            return nil
        }
        bytes.append(contentsOf: chunk[0..<count])
    }
    return nil
}
