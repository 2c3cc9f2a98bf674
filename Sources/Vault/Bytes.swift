import Values

/// Writes the fixed-width big-endian fields of the vault format.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func raw(_ more: [UInt8]) { bytes.append(contentsOf: more) }
    mutating func u16(_ value: UInt16) { integer(UInt64(value), width: 2) }
    mutating func u32(_ value: UInt32) { integer(UInt64(value), width: 4) }
    mutating func u64(_ value: UInt64) { integer(value, width: 8) }

    /// A length of two bytes and the UTF-8.
    mutating func text(_ value: String) {
        let utf8 = Array(value.utf8)
        u16(UInt16(utf8.count))
        raw(utf8)
    }

    /// A length of four bytes and the bytes.
    mutating func counted(_ value: [UInt8]) {
        u32(UInt32(value.count))
        raw(value)
    }

    /// A length of eight bytes and the bytes.
    mutating func counted64(_ value: [UInt8]) {
        u64(UInt64(value.count))
        raw(value)
    }

    private mutating func integer(_ value: UInt64, width: Int) {
        for shift in stride(from: (width - 1) * 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}

/// Reads them back from bytes nobody vouches for: every length is compared with what is left and with its
/// limit before it is used.
struct ByteReader {
    private let bytes: ArraySlice<UInt8>
    private(set) var offset: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        offset = bytes.startIndex
    }

    var left: Int { bytes.endIndex - offset }

    func malformed(_ detail: String) -> Problem { VaultProblems.malformed(detail, at: offset) }

    mutating func raw(_ count: Int) throws(Problem) -> [UInt8] {
        guard count >= 0, count <= left else { throw malformed("\(count) bytes wanted, \(left) left") }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    mutating func u16() throws(Problem) -> UInt16 { UInt16(try integer(width: 2)) }
    mutating func u32() throws(Problem) -> UInt32 { UInt32(try integer(width: 4)) }
    mutating func u64() throws(Problem) -> UInt64 { try integer(width: 8) }

    /// Text of 1...limit bytes (0...limit with `mayBeEmpty`), valid UTF-8, without control characters.
    mutating func text(limit: Int, mayBeEmpty: Bool = false) throws(Problem) -> String {
        let count = Int(try u16())
        guard count <= limit, count > 0 || mayBeEmpty else { throw malformed("text of \(count) bytes, limit \(limit)") }
        let utf8 = try raw(count)
        guard let text = String(validating: utf8, as: UTF8.self), utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw malformed("not clean UTF-8")
        }
        return text
    }

    /// Bytes with a length of four bytes in front.
    mutating func counted(limit: Int) throws(Problem) -> [UInt8] {
        let count = Int(try u32())
        guard count <= limit else { throw malformed("\(count) bytes, limit \(limit)") }
        return try raw(count)
    }

    /// A count of two bytes within a range.
    mutating func count16(_ range: ClosedRange<Int>) throws(Problem) -> Int {
        let count = Int(try u16())
        guard range.contains(count) else { throw malformed("count \(count), allowed \(range)") }
        return count
    }

    /// A count of four bytes up to a limit.
    mutating func count32(limit: Int) throws(Problem) -> Int {
        let count = Int(try u32())
        guard count <= limit else { throw malformed("count \(count), limit \(limit)") }
        return count
    }

    func end() throws(Problem) {
        guard left == 0 else { throw malformed("\(left) bytes too many") }
    }

    private mutating func integer(width: Int) throws(Problem) -> UInt64 {
        guard width <= left else { throw malformed("\(width) bytes wanted, \(left) left") }
        var value: UInt64 = 0
        for index in 0..<width { value = value << 8 | UInt64(bytes[offset + index]) }
        offset += width
        return value
    }
}
