import Foundation
import Values
import Yams

/// A value of a YAML file that still knows its line, with every scalar's text exactly as it was written.
struct Located: Sendable {
    /// One key of a mapping.
    struct Entry: Sendable {
        let key: String
        let line: Int
        let value: Located
    }

    /// What stands there.
    enum Content: Sendable {
        /// `plain` is false for quoted and block text, which is always a string.
        case scalar(String, plain: Bool)
        case sequence([Located])
        case mapping([Entry])
    }

    /// Counted from 1.
    let line: Int
    let content: Content

    /// The JSON meant by the text: plain `true`, `false`, `null`, `~`, integers and decimals are what they look like,
    /// with the number's own digits; everything else is a string. `yes`, `007`, `1e3` and `2026-01-05` are strings.
    var json: JSON {
        switch content {
        case .scalar(let text, plain: false): return .string(text)
        case .scalar(let text, plain: true):
            switch text {
            case "", "~", "null": return .null
            case "true": return .bool(true)
            case "false": return .bool(false)
            default:
                guard Self.looksLikeNumber(text), let number = JSONNumber(text) else { return .string(text) }
                return .number(number)
            }
        case .sequence(let items): return .array(items.map(\.json))
        case .mapping(let entries):
            var object = JSONObject()
            for entry in entries { object[entry.key] = entry.value.json }
            return .object(object)
        }
    }

    /// The words for the kind of value, for a person.
    var kind: Problem.Text {
        switch json {
        case .null: Problem.Text(zh: "空", en: "nothing")
        case .bool: Problem.Text(zh: "是/否值", en: "true or false")
        case .number: Problem.Text(zh: "数字", en: "a number")
        case .string: Problem.Text(zh: "文字", en: "text")
        case .array: Problem.Text(zh: "列表", en: "a list")
        case .object: Problem.Text(zh: "一组键值", en: "a set of keys")
        }
    }

    /// The text as written, of a scalar.
    var text: String? {
        if case .scalar(let text, _) = content { text } else { nil }
    }

    /// The line of the deepest part of `path` (JSON Pointer steps) that exists.
    func line(at path: some Swift.Sequence<String>) -> Int {
        var here = self
        var line = self.line
        for step in path {
            switch here.content {
            case .mapping(let entries):
                guard let entry = entries.first(where: { $0.key == step }) else { return line }
                line = entry.line
                here = entry.value
            case .sequence(let items):
                guard let index = Int(step), items.indices.contains(index) else { return line }
                here = items[index]
                line = here.line
            case .scalar: return line
            }
        }
        return line
    }

    /// An integer or a decimal without exponent, plus sign or leading zero: an account set `67e1` or a code `007` is text.
    private static func looksLikeNumber(_ text: String) -> Bool {
        var digits = text.utf8[...]
        if digits.first == UInt8(ascii: "-") { digits = digits.dropFirst() }
        guard let first = digits.first, (48...57).contains(first) else { return false }
        if first == 48, digits.count > 1, digits.dropFirst().first != UInt8(ascii: ".") { return false }
        let parts = digits.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count <= 2 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { (48...57).contains($0) } }
    }
}

/// Reads one YAML file into `Located`: one document, no anchors, aliases or tags, no duplicate keys, bounded.
enum YAMLReader {
    /// The root of the document.
    /// - Throws: a `ConfigurationProblem` with the line.
    static func read(_ bytes: [UInt8], file: String) throws(ConfigurationProblem) -> Located {
        guard bytes.count <= ConfigurationLimits.fileBytes else {
            throw ConfigurationProblem(file, 0, .fileTooLarge(bytes.count, limit: ConfigurationLimits.fileBytes))
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationProblem(file, 0, .notUTF8)
        }
        if let (line, problem) = firstForbiddenToken(bytes) { throw ConfigurationProblem(file, line, problem) }
        let node: Node?
        // The parser holds the anchors of the tree weakly: it has to outlive the walk.
        let parser: Yams.Parser
        do {
            parser = try Yams.Parser(yaml: text, encoding: .utf8)
            node = try parser.singleRoot()
        } catch let error as YamlError {
            throw translate(error, file: file)
        } catch {
            throw ConfigurationProblem(file, 0, .yamlSyntax("\(type(of: error))"))
        }
        guard let node else { throw ConfigurationProblem(file, 0, .emptyFile) }
        defer { withExtendedLifetime(parser) {} }
        return try locate(node, file: file, depth: 0)
    }

    private static func locate(_ node: Node, file: String, depth: Int) throws(ConfigurationProblem) -> Located {
        let line = node.mark?.line ?? 0
        guard depth < ConfigurationLimits.depth else { throw ConfigurationProblem(file, line, .tooDeep) }
        guard node.anchor == nil else { throw ConfigurationProblem(file, line, .anchor) }
        switch node {
        case .alias: throw ConfigurationProblem(file, line, .anchor)
        case .scalar(let scalar):
            let plain = scalar.style == .plain || scalar.style == .any
            return Located(line: line, content: .scalar(scalar.string, plain: plain))
        case .sequence(let sequence):
            var items: [Located] = []
            for item in sequence { items.append(try locate(item, file: file, depth: depth + 1)) }
            return Located(line: line, content: .sequence(items))
        case .mapping(let mapping):
            var entries: [Located.Entry] = []
            var seen: Set<String> = []
            for (key, value) in mapping {
                guard case .scalar(let scalar) = key else { throw ConfigurationProblem(file, line, .keyIsNotText) }
                let keyLine = scalar.mark?.line ?? line
                guard seen.insert(scalar.string).inserted else {
                    throw ConfigurationProblem(file, keyLine, .duplicateKey(scalar.string))
                }
                let value = try locate(value, file: file, depth: depth + 1)
                entries.append(Located.Entry(key: scalar.string, line: keyLine, value: value))
            }
            return Located(line: line, content: .mapping(entries))
        }
    }

    private static func translate(_ error: YamlError, file: String) -> ConfigurationProblem {
        switch error {
        case .duplicatedKeysInMapping(let duplicates, let context):
            ConfigurationProblem(file, context.mark.line, .duplicateKey(duplicates.first ?? ""))
        case .composer(_, let problem, let mark, _) where problem.contains("another document"):
            ConfigurationProblem(file, mark.line, .severalDocuments)
        case .composer(_, _, let mark, _):
            ConfigurationProblem(file, mark.line, .anchor)
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _):
            ConfigurationProblem(file, mark.line, .yamlSyntax(problem))
        case .reader(let problem, _, _, _):
            ConfigurationProblem(file, 0, .yamlSyntax(problem))
        default:
            ConfigurationProblem(file, 0, .yamlSyntax("unreadable"))
        }
    }

    /// Looks at the bytes before the YAML library does, because that one recurses per level and expands aliases in keys:
    /// refuses deep nesting and every anchor, alias or tag at the place where a value begins.
    private static func firstForbiddenToken(_ bytes: [UInt8]) -> (line: Int, problem: Problem)? {
        var line = 1
        var flowDepth = 0
        var dashes = 0
        var quote: UInt8?
        var valueMayBegin = true
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            let next = index + 1 < bytes.count ? bytes[index + 1] : 10
            let nextIsSpace = next == 32 || next == 10 || next == 13 || next == 9
            index += 1
            if byte == 10 { line += 1 }
            if let open = quote {
                if byte == UInt8(ascii: "\\"), open == UInt8(ascii: "\"") {
                    if next == 10 { line += 1 }
                    index += 1
                } else if byte == open {
                    quote = nil
                    valueMayBegin = false
                }
                continue
            }
            switch byte {
            case 10:
                valueMayBegin = true
                dashes = 0
            case 32, 9, 13: break
            case UInt8(ascii: "#") where index < 2 || bytes[index - 2] == 32 || bytes[index - 2] == 10:
                while index < bytes.count, bytes[index] != 10 { index += 1 }
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                if valueMayBegin { quote = byte }
            case UInt8(ascii: "&"), UInt8(ascii: "*"), UInt8(ascii: "!"):
                if valueMayBegin, !nextIsSpace { return (line, .anchor) }
                valueMayBegin = false
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                flowDepth += 1
                if flowDepth > ConfigurationLimits.depth { return (line, .tooDeep) }
                valueMayBegin = true
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                flowDepth = max(0, flowDepth - 1)
                valueMayBegin = false
            case UInt8(ascii: ","): valueMayBegin = flowDepth > 0
            case UInt8(ascii: "-"), UInt8(ascii: "?"):
                if valueMayBegin, nextIsSpace {
                    dashes += 1
                    if dashes > ConfigurationLimits.depth { return (line, .tooDeep) }
                } else {
                    valueMayBegin = false
                }
            case UInt8(ascii: ":"): valueMayBegin = nextIsSpace || flowDepth > 0
            default: valueMayBegin = false
            }
        }
        return nil
    }
}
