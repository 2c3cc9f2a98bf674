import Synchronization
import Values

/// Takes known secrets out of text and bytes that go into logs and error reports.
///
/// A value is found as it is and in the encodings it travels in: percent-encoded, form, base64 (also inside a
/// longer base64, as in a Basic authorization), hexadecimal, JSON and XML escapes; a value of several lines
/// also line by line. It is replaced by `[secret:NAME]`. Values shorter than six bytes are not masked.
///
/// The patterns lie in locked memory; the index tells sixteen bits of a keyed hash of their first bytes. May be
/// used from several threads. A secret cut in two by the caller's chunks is not found: mask whole lines and bodies.
public final class SecretMask: Sendable {
    /// One form of one value. All forms of a value share one piece of locked memory: pages are few.
    private struct Pattern: Sendable {
        let name: String
        let block: SharedSecret
        let range: Range<Int>

        var count: Int { range.count }

        func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
            block.bytes.withBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
        }
    }

    private struct Index: Sendable {
        var buckets: [UInt16: [Pattern]] = [:]
        /// One bit per bucket, so that a byte that begins no pattern costs one look.
        var occupied = [UInt64](repeating: 0, count: 1024)
        var count = 0
        /// The values of each name, oldest first.
        var blocks: [String: [SharedSecret]] = [:]
        let multiplier: UInt64

        func bucket(_ firstSix: UInt64) -> UInt16 { UInt16(truncatingIfNeeded: firstSix &* multiplier >> 48) }

        mutating func insert(_ pattern: Pattern) {
            let bucket = self.bucket(pattern.withBytes { SecretMask.firstSix($0, at: 0) })
            buckets[bucket, default: []].append(pattern)
            occupied[Int(bucket >> 6)] |= 1 << UInt64(bucket & 63)
            count += 1
        }

        mutating func remove(_ isGone: (Pattern) -> Bool) {
            for (bucket, patterns) in buckets {
                let rest = patterns.filter { !isGone($0) }
                guard rest.count < patterns.count else { continue }
                buckets[bucket] = rest.isEmpty ? nil : rest
                count -= patterns.count - rest.count
                if rest.isEmpty { occupied[Int(bucket >> 6)] &= ~(1 << UInt64(bucket & 63)) }
            }
        }
    }

    private let index: Mutex<Index>

    /// A mask that knows no secret yet.
    public init() {
        index = Mutex(Index(multiplier: UInt64.random(in: .min ... .max) | 1))
    }

    /// Learns a value under a name, beside the ones learned before: an old version may still turn up. A name
    /// keeps its newest 64 values, so tokens may be added for ever; give each connection's tokens a name of their
    /// own. `E-SECRET-011` when there are too many values in all.
    public func add(_ value: borrowing SecretBytes, name: String) throws(Problem) {
        guard value.count >= MaskLimits.valueBytesMin else { return }
        let isKnown = index.withLock { index in
            value.withBytes { bytes in
                (index.buckets[index.bucket(Self.firstSix(bytes, at: 0))] ?? []).contains {
                    $0.name == name && $0.count == bytes.count && Self.matches($0, bytes, at: 0)
                }
            }
        }
        if isKnown { return }
        let forms = Self.forms(of: value, name: name)
        try index.withLock { index throws(Problem) in
            if let blocks = index.blocks[name], blocks.count >= MaskLimits.valuesPerName {
                let oldest = index.blocks[name]!.removeFirst()
                index.remove { $0.block === oldest }
            }
            guard index.count + forms.count <= MaskLimits.patterns else { throw SecretProblems.maskFull() }
            for form in forms { index.insert(form) }
            index.blocks[name, default: []].append(forms[0].block)
        }
    }

    /// Forgets every value of a name: an expired session, a removed secret.
    public func forget(name: String) {
        index.withLock { index in
            index.blocks[name] = nil
            index.remove { $0.name == name }
        }
    }

    /// The text without secrets.
    public func mask(_ text: String) -> String {
        let bytes = Array(text.utf8)
        guard let masked = masked(bytes) else { return text }
        return String(decoding: masked, as: UTF8.self)
    }

    /// The bytes without secrets.
    public func mask(_ bytes: [UInt8]) -> [UInt8] { masked(bytes) ?? bytes }

    /// `nil` when nothing was found. Overlapping finds are one find: no tail of the second stays behind.
    private func masked(_ bytes: [UInt8]) -> [UInt8]? {
        let index = index.withLock { $0 }
        guard index.count > 0, bytes.count >= MaskLimits.valueBytesMin else { return nil }
        return bytes.withUnsafeBytes { bytes -> [UInt8]? in
            var out: [UInt8]?
            var copied = 0
            var found: (start: Int, end: Int, name: String)?
            func close() {
                guard let find = found else { return }
                out = (out ?? []) + bytes[copied..<find.start] + Array("[secret:\(find.name)]".utf8)
                copied = find.end
                found = nil
            }
            for place in 0...(bytes.count - MaskLimits.valueBytesMin) {
                if let find = found, place >= find.end { close() }
                let bucket = index.bucket(Self.firstSix(bytes, at: place))
                guard index.occupied[Int(bucket >> 6)] >> UInt64(bucket & 63) & 1 == 1 else { continue }
                for pattern in index.buckets[bucket] ?? [] where Self.matches(pattern, bytes, at: place) {
                    let end = place + pattern.count
                    found = (found?.start ?? place, max(found?.end ?? end, end), found?.name ?? pattern.name)
                }
            }
            close()
            return out.map { $0 + bytes[copied...] }
        }
    }

    private static func firstSix(_ bytes: UnsafeRawBufferPointer, at place: Int) -> UInt64 {
        if place + 8 <= bytes.count {
            return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) & 0xffff_ffff_ffff
        }
        var window: UInt64 = 0
        for index in 0..<MaskLimits.valueBytesMin { window |= UInt64(bytes[place + index]) << UInt64(8 * index) }
        return window
    }

    private static func matches(_ pattern: Pattern, _ bytes: UnsafeRawBufferPointer, at place: Int) -> Bool {
        guard place + pattern.count <= bytes.count else { return false }
        return pattern.withBytes {
            $0.elementsEqual(UnsafeRawBufferPointer(rebasing: bytes[place..<place + pattern.count]))
        }
    }

    // MARK: The forms a value travels in

    private static func forms(of value: borrowing SecretBytes, name: String) -> [Pattern] {
        var forms: [SharedSecret] = []
        func take(_ form: consuming SecretBytes) {
            guard form.count >= MaskLimits.valueBytesMin else { return }
            let form = SharedSecret(form)
            if !forms.contains(where: { $0.bytes == form.bytes }) { forms.append(form) }
        }
        take(value.copy())
        value.withBytes { bytes in
            for encoding in Codec.Encoding.allCases { take(Codec.encoded(bytes, as: encoding)) }
            Codec.encoded(bytes, as: .url).withBytes { take(Codec.encoded($0, as: .url)) }
            for shift in 0...2 {
                take(base64Core(bytes, shift: shift, as: .base64))
                take(base64Core(bytes, shift: shift, as: .base64url))
            }
            for line in bytes.split(separator: 0x0a) where line.count < bytes.count {
                let isArmour = line.starts(with: Array("-----".utf8))
                if line.count >= MaskLimits.lineBytesMin, !isArmour {
                    take(SecretBytes(copying: UnsafeRawBufferPointer(rebasing: line)))
                }
            }
        }
        var ranges: [Range<Int>] = []
        for form in forms {
            let start = ranges.last?.upperBound ?? 0
            ranges.append(start..<start + form.bytes.count)
        }
        let block = SharedSecret(
            SecretBytes(count: ranges.last!.upperBound) { room in
                for (form, range) in zip(forms, ranges) {
                    form.bytes.withBytes { UnsafeMutableRawBufferPointer(rebasing: room[range]).copyMemory(from: $0) }
                }
            })
        return ranges.map { Pattern(name: name, block: block, range: $0) }
    }

    /// The digits of a base64 text that this value alone decides when `shift` bytes stand before it (modulo 3)
    /// and anything follows.
    private static func base64Core(
        _ bytes: UnsafeRawBufferPointer, shift: Int, as encoding: Codec.Encoding
    ) -> SecretBytes {
        let shifted = SecretBytes(count: shift + bytes.count) { room in
            UnsafeMutableRawBufferPointer(rebasing: room[shift...]).copyMemory(from: bytes)
        }
        let text = shifted.withBytes { Codec.encoded($0, as: encoding) }
        let first = (shift * 8 + 5) / 6
        let end = (shift + bytes.count) * 8 / 6
        return text.withBytes { SecretBytes(copying: UnsafeRawBufferPointer(rebasing: $0[first..<max(first, end)])) }
    }
}
