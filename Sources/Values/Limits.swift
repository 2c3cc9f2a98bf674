/// What this module refuses, each figure with its reason.
enum Limits {
    /// Members above which an object keeps an index. Business documents have fewer keys per object and a walk
    /// over sixteen short keys is quicker than hashing; a hostile object with a million keys stays linear to read.
    static let objectIndexAbove = 16
    /// Decimal digits behind the point. 10^38 is the largest power of ten an Int128 holds.
    static let decimalScale = 38
    /// Bytes of a decimal's text: sign, 39 digits, point, exponent, and leading zeros some systems pad with.
    static let decimalTextBytes = 128
    /// Bytes of one zone file. The largest of the IANA set is below 4 kB.
    static let zoneFileBytes = 256 * 1024
    /// Bytes of a zone's name. The longest of the IANA set has 32.
    static let zoneNameBytes = 64
}

/// How large a JSON text may be.
public struct JSONLimits: Sendable, Hashable {
    /// Bytes of the whole text.
    public var maxBytes: Int
    /// Arrays and objects inside each other. The parser recurses, so this also bounds its stack.
    public var maxDepth: Int

    /// Limits of the caller's own.
    public init(maxBytes: Int, maxDepth: Int) {
        self.maxBytes = maxBytes
        self.maxDepth = maxDepth
    }

    /// 32 MiB, above any page an ERP answers with, and 64 levels: documents use about ten, and 64 levels of
    /// recursion fit the smallest thread stack we run on (512 KiB) many times over.
    public static let standard = JSONLimits(maxBytes: 32 * 1024 * 1024, maxDepth: 64)
}
