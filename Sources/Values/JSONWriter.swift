extension JSON {
    /// Compact UTF-8 JSON: object order kept, numbers exactly as they came, only what must be escaped is.
    public func serialized() -> [UInt8] {
        var writer = JSONWriter(sorted: false)
        writer.write(self)
        return writer.bytes
    }

    /// The same with the keys of every object sorted bytewise: equal documents have equal bytes, for hashes.
    public func canonical() -> [UInt8] {
        var writer = JSONWriter(sorted: true)
        writer.write(self)
        return writer.bytes
    }

    /// The compact text, see `serialized()`.
    public var text: String { String(decoding: serialized(), as: UTF8.self) }
}

struct JSONWriter {
    let sorted: Bool
    private(set) var bytes: [UInt8] = []

    init(sorted: Bool) {
        self.sorted = sorted
        bytes.reserveCapacity(2048)
    }

    mutating func write(_ value: JSON) {
        switch value {
        case .null: append("null")
        case .bool(true): append("true")
        case .bool(false): append("false")
        case .number(let number): appendRaw(number.text)
        case .string(let text): write(text)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            var first = true
            for element in elements {
                if !first { bytes.append(UInt8(ascii: ",")) }
                first = false
                write(element)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            let members = object.members
            if sorted {
                let order = members.indices.sorted { bytewiseLess(members[$0].key, members[$1].key) }
                for (place, at) in order.enumerated() { write(members[at], first: place == 0) }
            } else {
                for at in members.indices { write(members[at], first: at == 0) }
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private mutating func write(_ member: JSONObject.Member, first: Bool) {
        if !first { bytes.append(UInt8(ascii: ",")) }
        write(member.key)
        bytes.append(UInt8(ascii: ":"))
        write(member.value)
    }

    private mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func appendRaw(_ text: String) {
        var copy = text
        copy.withUTF8 { bytes.append(contentsOf: $0) }
    }

    private mutating func write(_ text: String) {
        var copy = text
        copy.withUTF8 { utf8 in
            bytes.append(UInt8(ascii: "\""))
            var start = 0
            for at in utf8.indices {
                let byte = utf8[at]
                guard byte < 0x20 || byte == 0x22 || byte == 0x5c else { continue }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<at]))
                escape(byte)
                start = at + 1
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start...]))
            bytes.append(UInt8(ascii: "\""))
        }
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case 0x22: append("\\\"")
        case 0x5c: append("\\\\")
        case 0x08: append("\\b")
        case 0x09: append("\\t")
        case 0x0a: append("\\n")
        case 0x0c: append("\\f")
        case 0x0d: append("\\r")
        default:
            append("\\u00")
            for digit in [byte >> 4, byte & 0xf] {
                bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }
}

/// Whether the bytes of one text come before those of another.
func bytewiseLess(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
