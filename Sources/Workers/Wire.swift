import WorkerCore

/// Bytes that are no message of the protocol. The worker that sent them is not to be trusted any further.
struct WireError: Error {
    var what: String
}

/// The body of a frame being written: little-endian numbers, spans with their length in front.
struct FrameWriter {
    var bytes: [UInt8] = []

    mutating func u8(_ value: UInt8) { bytes.append(value) }
    mutating func u32(_ value: UInt32) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
    mutating func u64(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
    mutating func i64(_ value: Int64) { u64(UInt64(bitPattern: value)) }
    mutating func span(_ value: [UInt8]) {
        u32(UInt32(value.count))
        bytes.append(contentsOf: value)
    }
    mutating func text(_ value: String) {
        u32(UInt32(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }
}

/// The body of a frame being read. Never passes the end.
struct FrameReader {
    private let bytes: [UInt8]
    private var at: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        at = 0
    }

    var isAtEnd: Bool { at == bytes.count }

    private mutating func number<T: FixedWidthInteger>(_ type: T.Type) throws(WireError) -> T {
        let size = MemoryLayout<T>.size
        guard bytes.count - at >= size else { throw WireError(what: "short body") }
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: T.self) }
        at += size
        return T(littleEndian: value)
    }
    mutating func u8() throws(WireError) -> UInt8 { try number(UInt8.self) }
    mutating func u32() throws(WireError) -> UInt32 { try number(UInt32.self) }
    mutating func u64() throws(WireError) -> UInt64 { try number(UInt64.self) }
    mutating func i64() throws(WireError) -> Int64 { try number(Int64.self) }

    /// A wait or a lifetime, within `Limits.longestSpanMs`; below 0 where none was named.
    mutating func milliseconds() throws(WireError) -> Int64 { min(try i64(), Limits.longestSpanMs) }

    mutating func span() throws(WireError) -> [UInt8] {
        let size = Int(try u32())
        guard bytes.count - at >= size else { throw WireError(what: "short span") }
        defer { at += size }
        return Array(bytes[at..<at + size])
    }

    /// Text people read: bad UTF-8 is repaired.
    mutating func repairedText() throws(WireError) -> String { String(decoding: try span(), as: UTF8.self) }

    /// A count of elements of at least `least` bytes each.
    mutating func count(least: Int) throws(WireError) -> Int {
        let count = Int(try u32())
        guard count <= (bytes.count - at) / least else { throw WireError(what: "count beyond the body") }
        return count
    }
}

/// One frame as it came.
struct Frame {
    var kind: UInt32
    var flags: UInt16
    var id: UInt64
    var body: [UInt8]

    /// Header and body, to be appended to what is sent.
    static func append(
        _ kind: UInt32, flags: UInt16 = 0, id: UInt64, body: [UInt8] = [], to bytes: inout [UInt8]
    ) {
        bytes.reserveCapacity(bytes.count + Int(DW_HEADER_BYTES) + body.count)
        withUnsafeBytes(of: UInt32(body.count).littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt16(kind).littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: flags.littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: id.littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: body)
    }

    /// Every whole frame at the front of `bytes`; what is left of the last one stays.
    static func take(from bytes: inout [UInt8]) throws(WireError) -> [Frame] {
        var frames: [Frame] = []
        var at = 0
        let header = Int(DW_HEADER_BYTES)
        while bytes.count - at >= header {
            let (size, kind, flags, id) = bytes.withUnsafeBytes { raw in
                (
                    UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt32.self)),
                    UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: at + 4, as: UInt16.self)),
                    UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: at + 6, as: UInt16.self)),
                    UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self))
                )
            }
            guard size <= DW_MAX_BODY_BYTES else { throw WireError(what: "frame of \(size) bytes") }
            guard bytes.count - at - header >= Int(size) else { break }
            let start = at + header
            frames.append(
                Frame(kind: UInt32(kind), flags: flags, id: id, body: Array(bytes[start..<start + Int(size)])))
            at = start + Int(size)
        }
        if at == bytes.count {
            bytes.removeAll(keepingCapacity: at <= Limits.keptBufferBytes)
        } else if at > 0 {
            bytes.removeFirst(at)
        }
        return frames
    }
}
