/// An exact decimal: `coefficient / 10^scale`. Money and rates never touch binary floating point.
struct Amount: Sendable, Hashable, Comparable {
    let coefficient: Int128
    let scale: Int

    static let zero = Amount(coefficient: 0, scale: 0)

    init(coefficient: Int128, scale: Int) {
        var (value, places) = (coefficient, scale)
        while places > 0, value % 10 == 0 { (value, places) = (value / 10, places - 1) }
        self.coefficient = value
        self.scale = places
    }

    /// Reads plain or exponent notation, at most `Limits.amountDigits` digits; nil for anything else.
    init?(_ text: String) {
        var rest = Substring(text)
        var negative = false
        if rest.first == "-" || rest.first == "+" { negative = rest.removeFirst() == "-" }
        var exponent = 0
        if let mark = rest.firstIndex(where: { $0 == "e" || $0 == "E" }) {
            guard let value = Int(rest[rest.index(after: mark)...]), abs(value) <= Limits.amountDigits else {
                return nil
            }
            exponent = value
            rest = rest[..<mark]
        }
        let parts = rest.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } })
        else {
            return nil
        }
        let digits = parts.joined()
        guard digits.utf8.count <= Limits.amountDigits, var value = Int128(digits) else { return nil }
        var places = (parts.count == 2 ? parts[1].utf8.count : 0) - exponent
        while places < 0 {
            guard value < Int128.max / 10 else { return nil }
            (value, places) = (value * 10, places + 1)
        }
        guard places <= Limits.amountDigits else { return nil }
        self.init(coefficient: negative ? -value : value, scale: places)
    }

    var isZero: Bool { coefficient == 0 }

    static func < (a: Amount, b: Amount) -> Bool {
        let (x, y, _) = aligned(a, b)
        return x < y
    }

    static func + (a: Amount, b: Amount) -> Amount {
        let (x, y, scale) = aligned(a, b)
        return Amount(coefficient: x + y, scale: scale)
    }

    private static func aligned(_ a: Amount, _ b: Amount) -> (Int128, Int128, Int) {
        let scale = max(a.scale, b.scale)
        return (a.coefficient * power(scale - a.scale), b.coefficient * power(scale - b.scale), scale)
    }

    private static func power(_ n: Int) -> Int128 { (0..<n).reduce(1) { value, _ in value * 10 } }

    /// Plain text with at least `places` digits after the point.
    func text(places: Int = 0) -> String {
        let shown = max(places, scale)
        let digits = String((coefficient < 0 ? -coefficient : coefficient) * Self.power(shown - scale))
        let padded = String(repeating: "0", count: max(0, shown + 1 - digits.count)) + digits
        let sign = coefficient < 0 ? "-" : ""
        return shown == 0 ? sign + padded : sign + padded.dropLast(shown) + "." + padded.suffix(shown)
    }
}
