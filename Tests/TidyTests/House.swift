import Foundation

/// Something that breaks a law of the house.
struct Finding: Hashable, CustomStringConvertible {
    var path: String
    var line: Int
    var what: String

    var description: String { "\(path):\(line)  \(what)" }
}

/// A text file of the project.
struct TextFile: CustomStringConvertible {
    /// From the root of the project.
    var path: String
    var text: String
    var lines: [Substring]
    /// The lines with comments and the insides of string literals blanked out, of Swift and C. Interpolations go with
    /// their string.
    var code: [Substring]

    init(_ path: String, _ text: String) {
        self.path = path
        self.text = text
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let isCode = [".swift", ".c", ".h"].contains(where: path.hasSuffix)
        code = isCode ? CodeScanner.code(lines) : []
    }

    var description: String { path }
    var isSwift: Bool { path.hasSuffix(".swift") }
    var isC: Bool { path.hasSuffix(".c") || path.hasSuffix(".h") }
    var name: String { String(path.split(separator: "/").last ?? "") }

    /// Whether the file lies in one of the folders.
    func isIn(_ folders: String...) -> Bool { folders.contains { path.hasPrefix($0 + "/") } }

    /// Whether one of the words stands anywhere in the text, case aside: most files need no look at their lines.
    func mentions(_ words: some Sequence<String>) -> Bool {
        let all = path.lowercased() + "\n" + text.lowercased()
        return words.contains { all.contains($0.lowercased()) }
    }

    /// A finding for every line that `judge` has something to say about.
    func findings(of lines: [Substring], _ judge: (Substring) -> String?) -> [Finding] {
        lines.enumerated().compactMap { index, line in
            judge(line).map { Finding(path: path, line: index + 1, what: $0) }
        }
    }
}

/// The project's tree as the tests see it.
struct House: CustomStringConvertible {
    let root: String
    let files: [TextFile]

    var description: String { root }

    /// Read once for all tests.
    static let shared = House(from: #filePath)

    /// The tree that holds the file `place`, up to the folder with Package.swift.
    private init(from place: String) {
        var folder = URL(fileURLWithPath: place).deletingLastPathComponent()
        while folder.path != "/", !FileManager.default.fileExists(atPath: folder.path + "/Package.swift") {
            folder.deleteLastPathComponent()
        }
        let root = folder.path
        let endings = [
            ".swift", ".c", ".h", ".md", ".json", ".yaml", ".yml", ".csv", ".py", ".sh", ".map", ".modulemap",
        ]
        var files: [TextFile] = []
        let own = ["Sources", "Plugins", "Simulators", "Tests", "Examples", "Benchmarks", "Fuzz", "Scripts", "docs"]
        var paths = own.flatMap { top in
            (FileManager.default.enumerator(atPath: root + "/" + top)?.compactMap { $0 as? String } ?? [])
                .map { "\(top)/\($0)" }
        }
        paths += (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        for path in paths.sorted() where endings.contains(where: path.hasSuffix) || path == "Makefile" {
            if path.contains("__pycache__") || path.contains("/.") { continue }
            guard let text = try? String(contentsOfFile: root + "/" + path, encoding: .utf8) else { continue }
            files.append(TextFile(path, text))
        }
        self.root = root
        self.files = files
    }

    func file(_ path: String) -> TextFile? { files.first { $0.path == path } }

    /// Files of Swift and C.
    var sources: [TextFile] { files.filter { $0.isSwift || $0.isC } }
}

/// Tells code from comments and literals, in Swift and in C.
enum CodeScanner {
    private enum State: Equatable {
        case code
        case blockComment(depth: Int)
        /// `hashes` is the number of `#` of a raw string.
        case string(hashes: Int)
        case longString(hashes: Int)
    }

    static func code(_ lines: [Substring]) -> [Substring] {
        var state = State.code
        return lines.map { line in
            if state == .code, !line.utf8.contains(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "/") }) {
                return line
            }
            var out: [UInt8] = []
            let bytes = Array(line.utf8)
            var index = 0
            func starts(_ text: String) -> Bool { bytes[index...].starts(with: text.utf8) }
            scan: while index < bytes.count {
                switch state {
                case .code:
                    if starts("//") { break scan }
                    if starts("/*") {
                        state = .blockComment(depth: 1)
                        index += 2
                        continue
                    }
                    var hashes = 0
                    while index + hashes < bytes.count, bytes[index + hashes] == UInt8(ascii: "#") { hashes += 1 }
                    let quote = index + hashes
                    if quote < bytes.count, bytes[quote] == UInt8(ascii: "\"") {
                        let isLong = bytes[quote...].starts(with: "\"\"\"".utf8)
                        state = isLong ? .longString(hashes: hashes) : .string(hashes: hashes)
                        out.append(UInt8(ascii: "\""))
                        index = quote + (isLong ? 3 : 1)
                        continue
                    }
                    out.append(bytes[index])
                    index += 1
                case .blockComment(let depth):
                    if starts("*/") {
                        state = depth == 1 ? .code : .blockComment(depth: depth - 1)
                        index += 2
                    } else if starts("/*") {
                        state = .blockComment(depth: depth + 1)
                        index += 2
                    } else {
                        index += 1
                    }
                case .string(let hashes):
                    if hashes == 0, bytes[index] == UInt8(ascii: "\\") {
                        index += 2
                    } else if starts("\"" + String(repeating: "#", count: hashes)) {
                        out.append(UInt8(ascii: "\""))
                        state = .code
                        index += 1 + hashes
                    } else {
                        index += 1
                    }
                case .longString(let hashes):
                    if hashes == 0, bytes[index] == UInt8(ascii: "\\") {
                        index += 2
                    } else if starts("\"\"\"" + String(repeating: "#", count: hashes)) {
                        out.append(UInt8(ascii: "\""))
                        state = .code
                        index += 3 + hashes
                    } else {
                        index += 1
                    }
                }
            }
            // A plain literal ends with its line.
            if case .string = state { state = .code }
            return Substring(String(decoding: out, as: UTF8.self))
        }
    }

    /// The identifiers of a line.
    static func words(_ line: Substring) -> [String] {
        line.utf8.split { byte in
            !(byte >= 0x80 || byte == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20))
        }.map { String(decoding: Array($0), as: UTF8.self) }
    }
}
