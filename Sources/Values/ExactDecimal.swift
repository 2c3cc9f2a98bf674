/// An exact decimal: `coefficient` times ten to the minus `scale`. Money and quantities are only ever this.
///
/// The scale is kept (`1.50` stays `1.50`), equality and hash are by value (`1.5 == 1.50`). Nothing traps:
/// arithmetic that leaves 38 digits throws `E-DECIMAL-001`.
public struct ExactDecimal: Sendable {
    /// All digits, with the sign.
    public let coefficient: Int128
    /// Digits behind the point, 0...38.
    public let scale: Int

    /// How a digit that is cut off decides the last one that stays.
    public enum Rounding: String, Sendable, Hashable, CaseIterable {
        /// A half goes away from zero (四舍五入).
        case halfUp = "half-up"
        /// A half goes to the even digit (四舍六入五成双).
        case halfEven = "half-even"
        /// Cut off, towards zero (截断).
        case down
        /// Anything cut off goes away from zero (进一).
        case up
    }

    /// Zero, scale 0.
    public static let zero = ExactDecimal(0)

    /// A whole number.
    public init(_ whole: Int) {
        coefficient = Int128(whole)
        scale = 0
    }

    /// A decimal from its parts; nil when the scale is outside 0...38.
    public init?(coefficient: Int128, scale: Int) {
        guard (0...Limits.decimalScale).contains(scale) else { return nil }
        self.coefficient = coefficient
        self.scale = scale
    }

    private init(_ coefficient: Int128, _ scale: Int) {
        self.coefficient = coefficient
        self.scale = scale
    }

    /// A decimal from plain text: an optional `-`, digits, at most one point with digits on both sides, an
    /// optional exponent as JSON numbers have it. No spaces, no thousands separators, no `+`. Nil otherwise, or
    /// when it has more digits than fit.
    public init?(_ text: String) {
        var copy = text
        guard let value = copy.withUTF8({ Self.read($0) }) else { return nil }
        self = value
    }

    private static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> ExactDecimal? {
        guard bytes.count <= Limits.decimalTextBytes else { return nil }
        var at = 0
        let negative = bytes.first == UInt8(ascii: "-")
        if negative { at = 1 }
        var coefficient: Int128 = 0
        // Up to eighteen digits are gathered in a machine word: that is nearly every amount there is.
        var small: Int64 = 0
        var smallDigits = 0
        var scale = 0
        var digits = 0
        var pointAt: Int?
        scan: while at < bytes.count {
            let byte = bytes[at]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let digit = Int64(byte - UInt8(ascii: "0"))
                if smallDigits < 18 {
                    small = small * 10 + digit
                    if small != 0 { smallDigits += 1 }
                    coefficient = Int128(small)
                } else {
                    let (shifted, over) = coefficient.multipliedReportingOverflow(by: 10)
                    let (sum, overSum) = shifted.addingReportingOverflow(Int128(digit))
                    guard !over, !overSum else { return nil }
                    coefficient = sum
                }
                digits += 1
                if pointAt != nil { scale += 1 }
            case UInt8(ascii: "."):
                guard pointAt == nil, digits > 0 else { return nil }
                pointAt = at
            default: break scan
            }
            at += 1
        }
        guard digits > 0, pointAt == nil || scale > 0 else { return nil }
        var exponent = 0
        if at < bytes.count {
            guard bytes[at] | 0x20 == UInt8(ascii: "e") else { return nil }
            at += 1
            var down = false
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") {
                down = bytes[at] == UInt8(ascii: "-")
                at += 1
            }
            guard at < bytes.count else { return nil }
            while at < bytes.count {
                let digit = Int(bytes[at]) - Int(UInt8(ascii: "0"))
                guard (0...9).contains(digit), exponent < 1000 else { return nil }
                exponent = exponent * 10 + digit
                at += 1
            }
            if down { exponent = -exponent }
        }
        if negative { coefficient = -coefficient }
        scale -= exponent
        if scale < 0 {
            guard let power = powerOfTen(-scale) else { return coefficient == 0 ? .zero : nil }
            let (shifted, over) = coefficient.multipliedReportingOverflow(by: power)
            guard !over else { return nil }
            coefficient = shifted
            scale = 0
        }
        guard scale <= Limits.decimalScale else { return nil }
        return ExactDecimal(coefficient, scale)
    }

    /// Plain text, no exponent, the scale kept: `-1280.50`.
    public var text: String {
        guard scale > 0 else { return String(coefficient) }
        var digits = String(coefficient.magnitude)
        if digits.utf8.count <= scale { digits = String(repeating: "0", count: scale + 1 - digits.utf8.count) + digits }
        let point = digits.utf8.index(digits.startIndex, offsetBy: digits.utf8.count - scale)
        return (coefficient < 0 ? "-" : "") + digits[..<point] + "." + digits[point...]
    }

    /// Whether the value is zero, whatever the scale.
    public var isZero: Bool { coefficient == 0 }
    /// Whether the value is below zero.
    public var isNegative: Bool { coefficient < 0 }

    /// The value with the other sign.
    public func negated() throws(Problem) -> ExactDecimal {
        let (value, over) = Int128.zero.subtractingReportingOverflow(coefficient)
        guard !over else { throw .decimalOverflow("-") }
        return ExactDecimal(value, scale)
    }

    /// The same value without zeros at the end of its fraction.
    public var normalized: ExactDecimal {
        if coefficient == 0 { return .zero }
        var (value, places) = (coefficient, scale)
        while places > 0 {
            let (quotient, rest) = value.quotientAndRemainder(dividingBy: 10)
            guard rest == 0 else { break }
            value = quotient
            places -= 1
        }
        return ExactDecimal(value, places)
    }

    /// The value with exactly `scale` digits behind the point, cut by `rule`; zeros are added where there are fewer.
    /// Throws `E-DECIMAL-001` when the result does not fit or `scale` is outside 0...38.
    public func rounded(scale target: Int, rule: Rounding) throws(Problem) -> ExactDecimal {
        guard (0...Limits.decimalScale).contains(target) else { throw .decimalOverflow("round") }
        if target >= scale {
            guard let value = Self.raise(coefficient, by: target - scale) else { throw .decimalOverflow("round") }
            return ExactDecimal(value, target)
        }
        guard let divisor = powerOfTen(scale - target) else { throw .decimalOverflow("round") }
        let (quotient, rest) = coefficient.magnitude.quotientAndRemainder(dividingBy: divisor.magnitude)
        let magnitude = Self.settle(quotient, rest: rest, divisor: divisor.magnitude, rule: rule)
        guard let value = Self.signed(magnitude, negative: coefficient < 0) else { throw .decimalOverflow("round") }
        return ExactDecimal(value, target)
    }

    /// The quotient with exactly `scale` digits behind the point, cut by `rule`. Throws `E-DECIMAL-002` for a
    /// divisor of zero and `E-DECIMAL-001` when the result does not fit.
    public func divided(by divisor: ExactDecimal, scale target: Int, rule: Rounding) throws(Problem) -> ExactDecimal {
        guard !divisor.isZero else { throw .decimalDivisionByZero() }
        guard (0...Limits.decimalScale).contains(target) else { throw .decimalOverflow("/") }
        let numerator = normalized
        let denominator = divisor.normalized
        let shift = target + denominator.scale - numerator.scale
        var by = denominator.coefficient.magnitude
        if shift < 0 {
            guard let power = powerOfTen(-shift) else { throw .decimalOverflow("/") }
            let (product, over) = by.multipliedReportingOverflow(by: power.magnitude)
            // Past 128 bits the divisor is more than twice any numerator: nothing is left but a small rest.
            if over {
                let rest: UInt128 = numerator.isZero ? 0 : 1
                let magnitude = Self.settle(0, rest: rest, divisor: 3, rule: rule)
                let negative = numerator.isNegative != denominator.isNegative
                return ExactDecimal(negative ? -Int128(magnitude) : Int128(magnitude), target)
            }
            by = product
        }
        var (quotient, rest) = numerator.coefficient.magnitude.quotientAndRemainder(dividingBy: by)
        for _ in 0..<max(shift, 0) {
            // A rest is below the divisor, so its tenfold divided by it is one digit.
            let digit = by.dividingFullWidth(rest.multipliedFullWidth(by: 10))
            let (shifted, over) = quotient.multipliedReportingOverflow(by: 10)
            guard !over, shifted <= Int128.max.magnitude else { throw .decimalOverflow("/") }
            quotient = shifted + digit.quotient
            rest = digit.remainder
        }
        let magnitude = Self.settle(quotient, rest: rest, divisor: by, rule: rule)
        guard let value = Self.signed(magnitude, negative: numerator.isNegative != denominator.isNegative) else {
            throw .decimalOverflow("/")
        }
        return ExactDecimal(value, target)
    }

    /// The sum; the larger scale is kept. Throws `E-DECIMAL-001` when it does not fit at that scale.
    public static func + (left: ExactDecimal, right: ExactDecimal) throws(Problem) -> ExactDecimal {
        guard let (a, b, scale) = align(left, right) ?? align(left.normalized, right.normalized) else {
            throw .decimalOverflow("+")
        }
        let (sum, over) = a.addingReportingOverflow(b)
        guard !over else { throw .decimalOverflow("+") }
        return ExactDecimal(sum, scale)
    }

    /// The difference; the larger scale is kept. Throws `E-DECIMAL-001` when it does not fit at that scale.
    public static func - (left: ExactDecimal, right: ExactDecimal) throws(Problem) -> ExactDecimal {
        guard let (a, b, scale) = align(left, right) ?? align(left.normalized, right.normalized) else {
            throw .decimalOverflow("-")
        }
        let (difference, over) = a.subtractingReportingOverflow(b)
        guard !over else { throw .decimalOverflow("-") }
        return ExactDecimal(difference, scale)
    }

    /// The exact product; the scales add up, or those of the factors without their last zeros where that alone fits.
    /// Throws `E-DECIMAL-001` when neither fits.
    public static func * (left: ExactDecimal, right: ExactDecimal) throws(Problem) -> ExactDecimal {
        guard let product = multiply(left, right) ?? multiply(left.normalized, right.normalized) else {
            throw .decimalOverflow("*")
        }
        return product
    }

    private static func multiply(_ left: ExactDecimal, _ right: ExactDecimal) -> ExactDecimal? {
        let (product, over) = left.coefficient.multipliedReportingOverflow(by: right.coefficient)
        guard !over, left.scale + right.scale <= Limits.decimalScale else { return nil }
        return ExactDecimal(product, left.scale + right.scale)
    }

    private static func align(_ left: ExactDecimal, _ right: ExactDecimal) -> (Int128, Int128, Int)? {
        let scale = max(left.scale, right.scale)
        guard let a = raise(left.coefficient, by: scale - left.scale),
            let b = raise(right.coefficient, by: scale - right.scale)
        else { return nil }
        return (a, b, scale)
    }

    private static func raise(_ coefficient: Int128, by places: Int) -> Int128? {
        if places == 0 { return coefficient }
        guard let power = powerOfTen(places) else { return coefficient == 0 ? 0 : nil }
        let (value, over) = coefficient.multipliedReportingOverflow(by: power)
        return over ? nil : value
    }

    private static func settle(_ quotient: UInt128, rest: UInt128, divisor: UInt128, rule: Rounding) -> UInt128 {
        // `rest` is below `divisor`, so comparing with what is missing to the divisor avoids doubling it.
        let missing = divisor - rest
        let up =
            switch rule {
            case .down: false
            case .up: rest > 0
            case .halfUp: rest >= missing && rest > 0
            case .halfEven: rest > missing || (rest == missing && quotient & 1 == 1)
            }
        return up ? quotient &+ 1 : quotient
    }

    private static func signed(_ magnitude: UInt128, negative: Bool) -> Int128? {
        guard let value = Int128(exactly: magnitude) else { return nil }
        return negative ? -value : value
    }
}

extension ExactDecimal: Hashable, Comparable {
    /// Equality by value: `1.0 == 1.00`.
    public static func == (left: ExactDecimal, right: ExactDecimal) -> Bool {
        if left.scale == right.scale { return left.coefficient == right.coefficient }
        return compare(left, right) == 0
    }

    /// Order by value.
    public static func < (left: ExactDecimal, right: ExactDecimal) -> Bool { compare(left, right) < 0 }

    private static func compare(_ left: ExactDecimal, _ right: ExactDecimal) -> Int {
        let scale = max(left.scale, right.scale)
        let a = raise(left.coefficient, by: scale - left.scale)
        let b = raise(right.coefficient, by: scale - right.scale)
        // Only the one with fewer places is raised; when it leaves the range its sign alone decides.
        guard let a else { return left.coefficient < 0 ? -1 : 1 }
        guard let b else { return right.coefficient < 0 ? 1 : -1 }
        return a < b ? -1 : (a > b ? 1 : 0)
    }

    /// Hashes the value, not the scale.
    public func hash(into hasher: inout Hasher) {
        let plain = normalized
        hasher.combine(plain.coefficient)
        hasher.combine(plain.scale)
    }
}

extension ExactDecimal: CustomStringConvertible {
    /// The plain text.
    public var description: String { text }
}

private let powersOfTen: [Int128] = {
    var powers: [Int128] = [1]
    for _ in 0..<Limits.decimalScale { powers.append(powers[powers.count - 1] * 10) }
    return powers
}()

private func powerOfTen(_ exponent: Int) -> Int128? {
    powersOfTen.indices.contains(exponent) ? powersOfTen[exponent] : nil
}
