import PluginABI

/// Memory that stays in place while the host reads a request: C structs point into it.
final class Arena {
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit {
        for block in blocks { block.deallocate() }
    }

    /// A copy of `bytes` that lives as long as the arena.
    func bytes(_ bytes: some Collection<UInt8>) -> datong_bytes {
        guard !bytes.isEmpty else { return datong_bytes() }
        let block = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 1)
        blocks.append(block)
        let buffer = UnsafeMutableRawBufferPointer(start: block, count: bytes.count)
        buffer.copyBytes(from: bytes)
        return datong_bytes(
            data: UnsafePointer(block.assumingMemoryBound(to: UInt8.self)), size: UInt64(bytes.count))
    }

    func text(_ text: String) -> datong_bytes { bytes(text.utf8) }

    /// A copy of plain C structs; nil where there are none.
    func list<T: BitwiseCopyable>(_ items: [T]) -> UnsafePointer<T>? {
        guard !items.isEmpty else { return nil }
        let block = UnsafeMutablePointer<T>.allocate(capacity: items.count)
        blocks.append(UnsafeMutableRawPointer(block))
        for (offset, item) in items.enumerated() { (block + offset).initialize(to: item) }
        return UnsafePointer(block)
    }
}

extension datong_bytes {
    /// The bytes, copied. A span longer than the contract allows counts as empty.
    var array: [UInt8] {
        guard let data, size > 0, size <= Limits.spanBytes else { return [] }
        return [UInt8](UnsafeBufferPointer(start: data, count: Int(size)))
    }

    /// The bytes as text; what is no UTF-8 becomes the replacement character.
    var text: String {
        guard let data, size > 0, size <= Limits.spanBytes else { return "" }
        return String(decoding: UnsafeBufferPointer(start: data, count: Int(size)), as: UTF8.self)
    }
}

/// Reads a struct as the contract says: as many bytes as both sides know, zero for the rest; an unknown
/// flag in the high half refuses it. Every struct begins with `size` and `flags`.
func received<T: BitwiseCopyable>(_ pointer: UnsafePointer<T>?, into zero: T) throws(Failure) -> T {
    guard let pointer else { throw .bug(zh: "宿主给出了空指针", en: "the host passed a null pointer") }
    var value = zero
    let raw = UnsafeRawPointer(pointer)
    let size = Int(raw.loadUnaligned(as: UInt32.self))
    let flags = raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
    guard size >= 8, flags & 0xffff_0000 == 0 else {
        throw .bug(
            zh: "宿主给出的结构不可读（size \(size)，flags \(flags)）",
            en: "the host passed a struct that cannot be read (size \(size), flags \(flags))")
    }
    withUnsafeMutableBytes(of: &value) { target in
        target.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: min(size, target.count)))
    }
    return value
}

/// Reads an array of sized structs. The stride is what the writer says each element is long.
func receivedList<T: BitwiseCopyable>(
    _ first: UnsafePointer<T>?, count: UInt64, into zero: T
) throws(Failure) -> [T] {
    guard count > 0 else { return [] }
    guard let first, count < Limits.spanBytes else {
        throw .bug(zh: "宿主给出的列表不可读", en: "the host passed a list that cannot be read")
    }
    var items: [T] = []
    var raw = UnsafeRawPointer(first)
    for _ in 0..<count {
        items.append(try received(raw.assumingMemoryBound(to: T.self), into: zero))
        raw += Int(raw.loadUnaligned(as: UInt32.self))
    }
    return items
}
