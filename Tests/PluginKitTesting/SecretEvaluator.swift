import PluginKit
import Values

/// Evaluates secret expressions as the header's `datong_segment` describes them.
struct SecretEvaluator {
    var secrets: [String: [UInt8]]

    /// nil: unknown secret or step, or a step that refuses its input.
    func evaluate(_ expression: String) -> [UInt8]? {
        var parts: [String] = []
        for part in expression.split(separator: "|", omittingEmptySubsequences: false) {
            parts.append(String(part).trimmed)
        }
        guard let name = parts.first, var value = secrets[name] else { return nil }
        for step in parts.dropFirst() {
            guard let next = apply(step, to: value) else { return nil }
            value = next
        }
        return value
    }

    private func apply(_ step: String, to value: [UInt8]) -> [UInt8]? {
        let colon = step.firstIndex(of: ":")
        let name = colon.map { String(step[..<$0]) } ?? step
        let argument = colon.map { Array(step[step.index(after: $0)...].utf8) } ?? []
        switch name {
        case "after":
            guard let place = place(of: argument, in: value) else { return [] }
            return Array(value[(place + argument.count)...])
        case "before":
            guard let place = place(of: argument, in: value) else { return value }
            return Array(value[..<place])
        case "upper": return Array(String(decoding: value, as: UTF8.self).uppercased().utf8)
        case "lower": return Array(String(decoding: value, as: UTF8.self).lowercased().utf8)
        case "hex": return Array(Hex.encode(value).utf8)
        case "hex-decode": return Hex.decode(String(decoding: value, as: UTF8.self))
        case "base64": return Array(Base64.encode(value).utf8)
        case "base64url": return Array(Base64.encode(value, alphabet: .url).utf8)
        case "base64-decode": return Base64.decode(String(decoding: value, as: UTF8.self))
        case "url": return Array(Percent.encode(value).utf8)
        case "url-twice": return Array(Percent.encode(Array(Percent.encode(value).utf8)).utf8)
        case "json":
            return Array(JSON.string(String(decoding: value, as: UTF8.self)).serialized().dropFirst().dropLast())
        case "utf8": return String(validating: value, as: UTF8.self).map { Array($0.utf8) }
        case "xor-text": return xor(value, argument)
        case "xor-hex": return Hex.decode(String(decoding: argument, as: UTF8.self)).flatMap { xor(value, $0) }
        case "sha1": return Digests.sha1(value)
        case "sha256": return Digests.sha256(value)
        case "md5": return Digests.md5(value)
        case "require-length": return value.count == Int(String(decoding: argument, as: UTF8.self)) ? value : nil
        default: return nil
        }
    }

    private func xor(_ value: [UInt8], _ key: [UInt8]) -> [UInt8]? {
        guard !key.isEmpty else { return nil }
        return value.enumerated().map { $0.element ^ key[$0.offset % key.count] }
    }

    private func place(of needle: [UInt8], in value: [UInt8]) -> Int? {
        guard !needle.isEmpty, value.count >= needle.count else { return nil }
        return (0...(value.count - needle.count)).first { Array(value[$0..<$0 + needle.count]) == needle }
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = Substring(self)
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
