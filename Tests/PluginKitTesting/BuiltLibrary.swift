import Glibc

/// A connector's library as it was built beside the tests: what it shows and what it needs.
public struct BuiltLibrary {
    private let path: String

    /// The library `libNAME.so`; nil where it is not built (`swift build --product NAME`).
    public init?(_ name: String) {
        guard let line = Self.output("cat /proc/\(getpid())/maps").first(where: { $0.hasSuffix(".xctest") }),
            let start = line.firstIndex(of: "/"), let end = line.lastIndex(of: "/")
        else { return nil }
        path = "\(line[start..<end])/lib\(name).so"
        guard access(path, R_OK) == 0 else { return nil }
    }

    /// The symbols it defines for others.
    public var symbols: [String] {
        Self.output("nm -D --defined-only '\(path)'").compactMap { $0.split(separator: " ").last.map(String.init) }
    }

    /// The lines that name the libraries it needs.
    public var needed: [String] { Self.output("readelf -d '\(path)'").filter { $0.contains("NEEDED") } }

    private static func output(_ command: String) -> [String] {
        guard let pipe = popen(command, "r") else { return [] }
        defer { pclose(pipe) }
        var text = ""
        var buffer = [CChar](repeating: 0, count: 4096)
        while fgets(&buffer, Int32(buffer.count), pipe) != nil {
            text += String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return text.split(separator: "\n").map(String.init)
    }
}
