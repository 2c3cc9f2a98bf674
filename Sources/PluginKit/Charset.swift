import Glibc

/// Texts in the encodings of older systems, through the C library's `iconv`.
public enum Charset: String, Sendable {
    /// The Chinese national encoding; a superset of GBK and GB 2312.
    case gb18030 = "GB18030"
    /// The encoding of Traditional Chinese systems.
    case big5 = "BIG5"

    /// The text of the bytes; nil where they are not of this encoding, or the C library does not know it.
    public func decode(_ bytes: [UInt8]) -> String? {
        Self.convert(bytes, from: rawValue, to: "UTF-8").flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The bytes of the text; nil where it has characters this encoding lacks.
    public func encode(_ text: String) -> [UInt8]? { Self.convert(Array(text.utf8), from: "UTF-8", to: rawValue) }

    private static func convert(_ input: [UInt8], from source: String, to target: String) -> [UInt8]? {
        // `iconv_open` answers (iconv_t)-1 when it does not know a name.
        guard let converter = iconv_open(target, source), Int(bitPattern: converter) != -1 else { return nil }
        defer { iconv_close(converter) }
        // No character of these encodings takes more than four bytes on either side.
        var output = [UInt8](repeating: 0, count: input.count * 4)
        var input = input
        var used = 0
        let isWhole = input.withUnsafeMutableBytes { source in
            output.withUnsafeMutableBytes { target in
                var from = source.baseAddress?.assumingMemoryBound(to: CChar.self)
                var fromLeft = source.count
                var to = target.baseAddress?.assumingMemoryBound(to: CChar.self)
                var toLeft = target.count
                let result = iconv(converter, &from, &fromLeft, &to, &toLeft)
                used = target.count - toLeft
                return result == 0 && fromLeft == 0
            }
        }
        return isWhole ? Array(output[..<used]) : nil
    }
}
