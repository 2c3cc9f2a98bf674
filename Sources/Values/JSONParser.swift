import Glibc

/// What stopped the parser, and where.
struct JSONFault: Error {
    enum Kind {
        case tooLarge, tooDeep, unexpected, end, badUTF8, loneSurrogate, duplicateKey, trailing, badNumber
        case controlCharacter, badEscape

        var words: (number: String, zh: String, en: String) {
            switch self {
            case .tooLarge: ("001", "文本超过允许的字节数", "the text is larger than allowed")
            case .tooDeep: ("002", "嵌套层数超过限制", "nested deeper than allowed")
            case .unexpected: ("003", "出现不应有的字符", "a character that cannot stand here")
            case .end: ("004", "文本提前结束", "the text ends too early")
            case .badUTF8: ("005", "字符串不是有效的 UTF-8", "a string is not valid UTF-8")
            case .loneSurrogate: ("006", "不成对的代理项转义", "an escaped surrogate without its partner")
            case .duplicateKey: ("007", "对象中有重复的键", "an object has the same key twice")
            case .trailing: ("008", "值之后还有多余内容", "something follows the value")
            case .badNumber: ("009", "数字格式错误", "a number not of JSON's grammar")
            case .controlCharacter: ("010", "字符串中有未转义的控制字符", "a control character in a string")
            case .badEscape: ("011", "未知的转义序列", "an unknown escape")
            }
        }
    }

    var kind: Kind
    var offset: Int
}

extension JSON {
    /// Parses one JSON text (RFC 8259). Refused: bad UTF-8, lone surrogates, duplicate keys, trailing bytes, and
    /// more bytes or levels than `limits`; the problem (`E-JSON-0NN`) names the byte offset.
    public static func parse(_ bytes: UnsafeRawBufferPointer, limits: JSONLimits = .standard) throws(Problem) -> JSON {
        do throws(JSONFault) {
            var scanner = JSONScanner(bytes: bytes.bindMemory(to: UInt8.self), limits: limits)
            return try scanner.document()
        } catch {
            throw .json(error)
        }
    }

    /// Parses one JSON text, see `parse(_: UnsafeRawBufferPointer)`.
    public static func parse(_ bytes: [UInt8], limits: JSONLimits = .standard) throws(Problem) -> JSON {
        let result = bytes.withUnsafeBytes { raw in Result { () throws(Problem) in try parse(raw, limits: limits) } }
        return try result.get()
    }

    /// Parses one JSON text, see `parse(_: UnsafeRawBufferPointer)`.
    public static func parse(_ text: String, limits: JSONLimits = .standard) throws(Problem) -> JSON {
        var copy = text
        let result = copy.withUTF8 { bytes in
            Result { () throws(Problem) in try parse(UnsafeRawBufferPointer(bytes), limits: limits) }
        }
        return try result.get()
    }
}

/// A recursive-descent parser over bytes. Runs of plain string bytes are found eight at a time.
struct JSONScanner {
    let bytes: UnsafeBufferPointer<UInt8>
    let limits: JSONLimits
    private(set) var at = 0
    private var depth = 0
    private var scratch: [UInt8] = []

    init(bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func document() throws(JSONFault) -> JSON {
        guard bytes.count <= limits.maxBytes else { throw JSONFault(kind: .tooLarge, offset: limits.maxBytes) }
        let value = try value()
        skipSpace()
        guard at == bytes.count else { throw fault(.trailing) }
        return value
    }

    private func fault(_ kind: JSONFault.Kind) -> JSONFault { JSONFault(kind: kind, offset: at) }

    @inline(__always)
    private mutating func skipSpace() {
        while at < bytes.count {
            let byte = bytes[at]
            guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return }
            at += 1
        }
    }

    /// The next byte that is no space, not consumed.
    @inline(__always)
    private mutating func peek() throws(JSONFault) -> UInt8 {
        skipSpace()
        guard at < bytes.count else { throw fault(.end) }
        return bytes[at]
    }

    private mutating func value() throws(JSONFault) -> JSON {
        switch try peek() {
        case UInt8(ascii: "\""):
            return .string(try string())
        case UInt8(ascii: "{"):
            return try object()
        case UInt8(ascii: "["):
            return try array()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let start = at
            try skipNumber()
            let run = UnsafeBufferPointer(rebasing: bytes[start..<at])
            return .number(JSONNumber(unchecked: String(decoding: run, as: UTF8.self)))
        case UInt8(ascii: "t"):
            try word("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try word("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try word("null")
            return .null
        default:
            throw fault(.unexpected)
        }
    }

    private mutating func word(_ word: StaticString) throws(JSONFault) {
        for offset in 0..<word.utf8CodeUnitCount {
            guard at < bytes.count else { throw fault(.end) }
            guard bytes[at] == word.utf8Start[offset] else { throw fault(.unexpected) }
            at += 1
        }
    }

    private mutating func enter() throws(JSONFault) {
        guard depth < limits.maxDepth else { throw fault(.tooDeep) }
        depth += 1
        at += 1
    }

    private mutating func array() throws(JSONFault) -> JSON {
        try enter()
        var elements: [JSON] = []
        if try peek() == UInt8(ascii: "]") {
            at += 1
            depth -= 1
            return .array(elements)
        }
        while true {
            elements.append(try value())
            switch try peek() {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "]"):
                at += 1
                depth -= 1
                return .array(elements)
            default: throw fault(.unexpected)
            }
        }
    }

    private mutating func object() throws(JSONFault) -> JSON {
        let start = at
        try enter()
        var members: [JSONObject.Member] = []
        if try peek() == UInt8(ascii: "}") {
            at += 1
            depth -= 1
            return .object(JSONObject())
        }
        members.reserveCapacity(8)
        while true {
            guard try peek() == UInt8(ascii: "\"") else { throw fault(.unexpected) }
            let key = try string()
            guard try peek() == UInt8(ascii: ":") else { throw fault(.unexpected) }
            at += 1
            members.append(JSONObject.Member(key: key, value: try value()))
            switch try peek() {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "}"):
                guard let object = JSONObject(members: members) else {
                    throw JSONFault(kind: .duplicateKey, offset: start)
                }
                at += 1
                depth -= 1
                return .object(object)
            default: throw fault(.unexpected)
            }
        }
    }

    /// Moves over one number of JSON's grammar.
    mutating func skipNumber() throws(JSONFault) {
        if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
        if at < bytes.count, bytes[at] == UInt8(ascii: "0") {
            at += 1
            if at < bytes.count, isDigit(bytes[at]) { throw fault(.badNumber) }
        } else {
            try skipDigits()
        }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            try skipDigits()
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            try skipDigits()
        }
    }

    private mutating func skipDigits() throws(JSONFault) {
        let start = at
        while at < bytes.count, isDigit(bytes[at]) { at += 1 }
        guard at > start else { throw fault(.badNumber) }
    }

    @inline(__always)
    private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    /// Moves over bytes that stand for themselves inside a string, eight at a time.
    @inline(__always)
    private mutating func skipPlain() {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        guard let base = bytes.baseAddress else { return }
        while at + 8 <= bytes.count {
            let word = UnsafeRawPointer(base + at).loadUnaligned(as: UInt64.self)
            // A byte's high bit is set where it is a quote, a backslash or below 0x20; bytes above 0x7f never are.
            let quote = word ^ (ones &* 0x22)
            let slash = word ^ (ones &* 0x5c)
            let hit =
                ((quote &- ones) & ~quote | (slash &- ones) & ~slash | (word &- ones &* 0x20) & ~word) & highs
            if hit != 0 {
                at += hit.trailingZeroBitCount / 8
                return
            }
            at += 8
        }
        while at < bytes.count {
            let byte = bytes[at]
            if byte == 0x22 || byte == 0x5c || byte < 0x20 { return }
            at += 1
        }
    }

    /// The string of UTF-8 bytes; nil when they are none. Decoding repairs what is wrong, so bytes that come out
    /// as they went in were right; this is quicker than the library's validating initializer.
    @inline(__always)
    private static func text(_ run: UnsafeBufferPointer<UInt8>) -> String? {
        let text = String(decoding: run, as: UTF8.self)
        let same = text.utf8.withContiguousStorageIfAvailable { made in
            guard made.count == run.count else { return false }
            guard let from = made.baseAddress, let to = run.baseAddress else { return true }
            return memcmp(from, to, run.count) == 0
        }
        return same ?? false ? text : nil
    }

    private mutating func string() throws(JSONFault) -> String {
        at += 1
        let start = at
        skipPlain()
        guard at < bytes.count else { throw fault(.end) }
        if bytes[at] == UInt8(ascii: "\"") {
            let run = UnsafeBufferPointer(rebasing: bytes[start..<at])
            guard let text = Self.text(run) else {
                throw JSONFault(kind: .badUTF8, offset: start)
            }
            at += 1
            return text
        }
        return try escapedString(from: start)
    }

    /// A string with at least one escape: plain runs and decoded escapes are gathered first.
    private mutating func escapedString(from start: Int) throws(JSONFault) -> String {
        scratch.removeAll(keepingCapacity: true)
        var runStart = start
        while true {
            scratch.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[runStart..<at]))
            guard at < bytes.count else { throw fault(.end) }
            switch bytes[at] {
            case UInt8(ascii: "\""):
                guard let text = scratch.withUnsafeBufferPointer({ Self.text($0) }) else {
                    throw JSONFault(kind: .badUTF8, offset: start)
                }
                at += 1
                return text
            case UInt8(ascii: "\\"):
                try escape()
            default:
                throw fault(.controlCharacter)
            }
            runStart = at
            skipPlain()
        }
    }

    private mutating func escape() throws(JSONFault) {
        guard at + 1 < bytes.count else { throw fault(.end) }
        let letter = bytes[at + 1]
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(letter)
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "f"): scratch.append(0x0c)
        case UInt8(ascii: "n"): scratch.append(0x0a)
        case UInt8(ascii: "r"): scratch.append(0x0d)
        case UInt8(ascii: "t"): scratch.append(0x09)
        case UInt8(ascii: "u"):
            try unicodeEscape()
            return
        default: throw fault(.badEscape)
        }
        at += 2
    }

    private mutating func unicodeEscape() throws(JSONFault) {
        let first = try hex4(at + 2)
        var code = UInt32(first)
        var length = 6
        if first & 0xf800 == 0xd800 {
            guard first < 0xdc00, at + 7 < bytes.count, bytes[at + 6] == UInt8(ascii: "\\"),
                bytes[at + 7] == UInt8(ascii: "u")
            else { throw fault(.loneSurrogate) }
            let second = try hex4(at + 8)
            guard second & 0xfc00 == 0xdc00 else { throw fault(.loneSurrogate) }
            code = 0x10000 + (UInt32(first & 0x3ff) << 10 | UInt32(second & 0x3ff))
            length = 12
        }
        guard let scalar = Unicode.Scalar(code) else { throw fault(.loneSurrogate) }
        scratch.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
        at += length
    }

    private func hex4(_ from: Int) throws(JSONFault) -> UInt16 {
        guard from + 4 <= bytes.count else { throw JSONFault(kind: .end, offset: bytes.count) }
        var value: UInt16 = 0
        for offset in from..<from + 4 {
            let digit: UInt8
            switch bytes[offset] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = bytes[offset] - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = bytes[offset] - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = bytes[offset] - UInt8(ascii: "A") + 10
            default: throw JSONFault(kind: .badEscape, offset: offset)
            }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}
