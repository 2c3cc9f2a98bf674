import SimulatorKit

/// The account set: base data, vouchers, closed periods, and the trail of what was done.
struct Books: Sendable {
    struct Period: Sendable, Hashable {
        let book: String
        let year: Int
        let period: Int
    }

    private struct Series: Hashable, Sendable {
        let group: String
        let period: Period
    }

    let dimensions: [Dimension]
    var base: [String: BaseTable]
    private(set) var vouchers: [Int64: Voucher] = [:]
    private var usedGroupNumbers: [Series: Set<Int>] = [:]
    private var nextVoucherID: Int64 = 100_001
    private var nextBillNumber = 1
    private var nextEntryID: Int64 = 200_001
    private var numberOfBill: [String: Int64] = [:]
    /// Ids of all vouchers, ascending, and of those with an external id (as the database compares text): a year of
    /// vouchers is asked for by external id before every write.
    private var ids: [Int64] = []
    private var idsOfExternal: [String: [Int64]] = [:]
    /// Periods of a book that are closed (结账).
    var closed: Set<Period> = []
    /// Bill numbers somebody has open in the client: network control refuses changes.
    var edited: Set<String> = []
    /// Packages saved with ValidateRepeatJson: text → when.
    private var packages: [String: Int64] = [:]
    private(set) var trail: [SimJSON] = []
    private(set) var operations = 0
    private(set) var replaced = 0

    init(dimensions: [Dimension], at now: Int64) {
        self.dimensions = dimensions
        base = SampleCompany.tables(at: Moment(milliseconds: now))
    }

    /// All vouchers by ascending id, or only those whose external id is this text.
    func vouchers(externalID: String?) -> [Voucher] {
        let wanted = externalID.map { idsOfExternal[Filter.folded($0)] ?? [] } ?? ids
        return wanted.compactMap { vouchers[$0] }
    }

    func voucher(number: String) -> Voucher? { numberOfBill[number].flatMap { vouchers[$0] } }

    func groupNumberIsUsed(_ number: Int, group: String, in period: Period) -> Bool {
        usedGroupNumbers[Series(group: group, period: period)]?.contains(number) == true
    }

    func nextGroupNumber(group: String, in period: Period) -> Int {
        (usedGroupNumbers[Series(group: group, period: period)]?.max() ?? 0) + 1
    }

    mutating func newBillNumber() -> String {
        while true {
            let digits = String(nextBillNumber)
            let number = "PZ" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
            nextBillNumber += 1
            if numberOfBill[number] == nil { return number }
        }
    }

    mutating func newVoucherID() -> Int64 {
        defer { nextVoucherID += 1 }
        return nextVoucherID
    }

    mutating func newEntryID() -> Int64 {
        defer { nextEntryID += 1 }
        return nextEntryID
    }

    /// Enters a voucher, in place of the one with its id if there is one.
    mutating func put(_ voucher: Voucher) {
        if vouchers[voucher.id] != nil {
            forget(voucher.id)
            replaced += 1
        }
        vouchers[voucher.id] = voucher
        Self.insert(voucher.id, into: &ids)
        Self.insert(voucher.id, into: &idsOfExternal[Filter.folded(voucher.externalID), default: []])
        numberOfBill[voucher.billNumber] = voucher.id
        usedGroupNumbers[series(of: voucher), default: []].insert(voucher.groupNumber)
    }

    mutating func set(_ status: BillStatus, of id: Int64, at moment: Moment) {
        vouchers[id]?.status = status
        vouchers[id]?.modified = moment
    }

    mutating func remove(_ id: Int64) { forget(id) }

    private mutating func forget(_ id: Int64) {
        guard let old = vouchers.removeValue(forKey: id) else { return }
        numberOfBill[old.billNumber] = nil
        usedGroupNumbers[series(of: old)]?.remove(old.groupNumber)
        ids.removeAll { $0 == id }
        idsOfExternal[Filter.folded(old.externalID)]?.removeAll { $0 == id }
    }

    /// Ids nearly always grow, so the place is sought from the end.
    private static func insert(_ id: Int64, into ids: inout [Int64]) {
        ids.insert(id, at: ids.lastIndex { $0 < id }.map { $0 + 1 } ?? 0)
    }

    private func series(of voucher: Voucher) -> Series {
        Series(
            group: voucher.group, period: Period(book: voucher.book, year: voucher.year, period: voucher.period))
    }

    /// True when the identical package was saved within the span (milliseconds); remembers it otherwise.
    mutating func isRepeated(_ package: String, at now: Int64, span: Int) -> Bool {
        packages = packages.filter { now - $0.value < Int64(span) }
        return packages.updateValue(now, forKey: package) != nil
    }

    /// A package that was refused may come again.
    mutating func forgetPackage(_ package: String) { packages[package] = nil }

    mutating func note(
        _ operation: String, id: Int64?, number: String?, user: String, at now: Int64, refusal: Refusal? = nil
    ) {
        operations += 1
        var entry: SimJSON = [
            "order": SimJSON(operations), "time": .string(Moment(milliseconds: now).text), "user": .string(user),
            "operation": .string(operation),
        ]
        if let id { entry["id"] = SimJSON(id) }
        if let number { entry["number"] = .string(number) }
        if let refusal {
            entry["refused"] = SimJSON(refusal.code)
            entry["message"] = .string(refusal.errors.map(\.message).joined(separator: "；"))
        }
        trail.append(entry)
        if trail.count > Limits.trailEntries { trail.removeFirst() }
    }
}

extension Books {
    /// Counts and sums, and the external ids that stand in the books more than once.
    var totals: SimJSON {
        let ordered = vouchers(externalID: nil)
        let withID = ordered.filter { !$0.externalID.isEmpty }
        let copies = Dictionary(grouping: withID, by: \.externalID).mapValues(\.count)
        let statuses = Dictionary(grouping: ordered, by: \.status.rawValue).mapValues(\.count)
        return [
            "count": SimJSON(ordered.count),
            "distinct_ext_ids": SimJSON(copies.count),
            "doubled_ext_ids": SimJSON(copies.filter { $0.value > 1 }.keys.sorted()),
            "without_ext_id": SimJSON(ordered.count - withID.count),
            "debits": .string(ordered.reduce(.zero) { $0 + $1.debits }.text(places: 2)),
            "credits": .string(ordered.reduce(.zero) { $0 + $1.credits }.text(places: 2)),
            "by_status": .object(
                statuses.sorted { $0.key < $1.key }.reduce(into: SimObject()) { $0[$1.key] = SimJSON($1.value) }),
            "replaced": SimJSON(replaced),
        ]
    }

    var closedPeriods: SimJSON { SimJSON(closed.map { "\($0.book):\($0.year)-\($0.period)" }.sorted()) }

    /// What `/_sim/books` shows: every voucher with its lines in the order they were first saved, totals, the trail.
    var json: SimJSON {
        [
            "vouchers": .array(vouchers(externalID: nil).enumerated().map { Self.json($1, order: $0 + 1) }),
            "totals": totals, "closed_periods": closedPeriods, "trail": .array(trail),
        ]
    }

    private static func json(_ voucher: Voucher, order: Int) -> SimJSON {
        [
            "order": SimJSON(order), "id": SimJSON(voucher.id), "number": .string(voucher.billNumber),
            "group": .string(voucher.group), "group_number": SimJSON(voucher.groupNumber),
            "book": .string(voucher.book), "date": .string(voucher.date.date),
            "business_date": .string(voucher.businessDate.date), "year": SimJSON(voucher.year),
            "period": SimJSON(voucher.period), "status": .string(voucher.status.rawValue),
            "status_title": .string(voucher.status.title), "ext_id": .string(voucher.externalID),
            "attachments": SimJSON(voucher.attachments), "creator": .string(voucher.creator),
            "debits": .string(voucher.debits.text(places: 2)), "credits": .string(voucher.credits.text(places: 2)),
            "lines": .array(
                voucher.lines.map { line in
                    [
                        "summary": .string(line.explanation), "account": .string(line.account),
                        "dimensions": .object(
                            line.dimensions.reduce(into: SimObject()) { $0[$1.key] = .string($1.code) }),
                        "currency": .string(line.currency), "rate": .string(line.rate.text()),
                        "amount_in_currency": .string(line.amountInCurrency.text(places: 2)),
                        "debit": .string(line.debit.text(places: 2)), "credit": .string(line.credit.text(places: 2)),
                    ]
                }),
        ]
    }
}
