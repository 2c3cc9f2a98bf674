import Values

/// The target system's books: what was committed under each key, and when the rest will be.
struct VirtualBooks {
    struct Voucher {
        let number: String
        /// Cents on the debit side.
        let amount: Int64
        let at: Int64
    }

    /// By idempotency key.
    private(set) var vouchers: [String: [Voucher]] = [:]
    private var count = 0

    /// Commits a document; gives its number.
    mutating func commit(_ key: String, _ bytes: [UInt8], at: Int64) throws(Problem) -> String {
        count += 1
        let number = "V\(count)"
        let voucher = Voucher(number: number, amount: try Self.debit(bytes), at: at)
        vouchers[key, default: []].append(voucher)
        return number
    }

    /// The sum of the lines' debits; a comment has none.
    private static func debit(_ bytes: [UInt8]) throws(Problem) -> Int64 {
        var sum: Int64 = 0
        for line in try JSON.parse(bytes)["lines"]?.array ?? [] {
            let text = line["debit"]?.string ?? "0"
            let parts = text.split(separator: ".")
            let cents = parts.count > 1 ? (parts[1] + "00").prefix(2) : "00"
            sum += (Int64(parts[0]) ?? 0) * 100 + (Int64(cents) ?? 0)
        }
        return sum
    }
}
