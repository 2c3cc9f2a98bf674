import Values

/// Walks a value along the nodes of a schema and gathers what is wrong.
struct Validator {
    private enum Step {
        case key(String)
        case index(Int)
    }

    private let boxes: [Schema.Box]
    var violations: [Violation] = []
    private var path: [Step] = []
    /// While a branch of `oneOf` is only tried, the first violation ends it and no text is made.
    private var isTrial = false
    private var trialFailed = false

    init(_ boxes: [Schema.Box]) { self.boxes = boxes }

    private var isDone: Bool { isTrial ? trialFailed : violations.count >= Limits.violations }

    private var pointer: String {
        path.reduce(into: "") { text, step in
            switch step {
            case .key(let key): text += "/" + pointerToken(key)
            case .index(let index): text += "/\(index)"
            }
        }
    }

    private mutating func report(_ code: String, zh: @autoclosure () -> String, en: @autoclosure () -> String) {
        guard !isTrial else {
            trialFailed = true
            return
        }
        guard !isDone else { return }
        violations.append(Violation(pointer: pointer, code: code, text: Problem.Text(zh: zh(), en: en())))
    }

    mutating func check(_ value: JSON, _ index: Int) { check(value, boxes[index].node) }

    private mutating func check(_ value: JSON, _ node: Schema.Node) {
        if let reference = node.reference { check(value, reference) }
        if let types = node.types, !Self.matches(value, types) {
            report(
                "E-DOC-001", zh: "类型不对：应为 \(types.text)，实际为“\(seen(value))”。",
                en: "wrong type: expected \(types.text), seen \"\(seen(value))\".")
            return
        }
        if let allowed = node.allowed, !allowed.contains(value) {
            report(
                "E-DOC-004", zh: "“\(seen(value))”不是允许的值（\(Self.list(allowed))）。",
                en: "\"\(seen(value))\" is none of the allowed values (\(Self.list(allowed))).")
        }
        switch value {
        case .string(let text): check(text, node)
        case .array(let elements):
            check(elements, node)
        case .object(let object): check(object, node)
        default: break
        }
        if !node.oneOf.isEmpty { checkOneOf(value, node.oneOf) }
    }

    private static func list(_ values: [JSON]) -> String { values.map { seen($0) }.joined(separator: ", ") }

    private static func matches(_ value: JSON, _ types: Schema.Types) -> Bool {
        switch value {
        case .null: types.contains(.null)
        case .bool: types.contains(.boolean)
        case .string: types.contains(.string)
        case .array: types.contains(.array)
        case .object: types.contains(.object)
        case .number(let number): types.contains(.number) || types.contains(.integer) && Int128(number.text) != nil
        }
    }

    private mutating func check(_ text: String, _ node: Schema.Node) {
        if let minimum = node.minLength, text.unicodeScalars.count < minimum {
            report(
                "E-DOC-011", zh: minimum == 1 ? "不能为空。" : "太短：至少 \(minimum) 个字符。",
                en: minimum == 1 ? "must not be empty." : "too short: at least \(minimum) characters.")
        }
        if let maximum = node.maxLength, text.unicodeScalars.count > maximum {
            report(
                "E-DOC-012", zh: "太长：最多 \(maximum) 个字符，实际 \(text.unicodeScalars.count)。",
                en: "too long: at most \(maximum) characters, seen \(text.unicodeScalars.count).")
        }
        switch node.format {
        case .decimal? where !isPlainDecimal(text):
            report(
                "E-DOC-006", zh: "不是十进制数：“\(seen(.string(text)))”。", en: "not a decimal: \"\(seen(.string(text)))\".")
        case .date? where CivilDate(text) == nil:
            report(
                "E-DOC-007", zh: "不是日期（YYYY-MM-DD）：“\(seen(.string(text)))”。",
                en: "not a date (YYYY-MM-DD): \"\(seen(.string(text)))\".")
        case .dateTime? where Instant(text) == nil:
            report(
                "E-DOC-008", zh: "不是带时区的时间（RFC 3339）：“\(seen(.string(text)))”。",
                en: "not a time with an offset (RFC 3339): \"\(seen(.string(text)))\".")
        default: break
        }
    }

    private mutating func check(_ elements: [JSON], _ node: Schema.Node) {
        if let minimum = node.minItems, elements.count < minimum {
            report(
                "E-DOC-009", zh: "条目太少：至少 \(minimum) 条，实际 \(elements.count)。",
                en: "too few entries: at least \(minimum), seen \(elements.count).")
        }
        if let maximum = node.maxItems, elements.count > maximum {
            report(
                "E-DOC-010", zh: "条目太多：最多 \(maximum) 条，实际 \(elements.count)。",
                en: "too many entries: at most \(maximum), seen \(elements.count).")
        }
        guard let items = node.items else { return }
        for (at, element) in elements.enumerated() where !isDone {
            path.append(.index(at))
            check(element, items)
            path.removeLast()
        }
    }

    private mutating func check(_ object: JSONObject, _ node: Schema.Node) {
        for key in node.required where object[key] == nil {
            path.append(.key(key))
            report("E-DOC-002", zh: "缺少必填项。", en: "required, but missing.")
            path.removeLast()
        }
        if node.properties.isEmpty, node.additional == .any { return }
        for (key, value) in object where !isDone {
            path.append(.key(key))
            defer { path.removeLast() }
            if let property = node.properties[ByteKey(text: key)] {
                check(value, property)
                continue
            }
            switch node.additional {
            case .any: break
            case .none: report("E-DOC-003", zh: "未定义的字段。", en: "a field nobody defined.")
            case .schema(let index): check(value, index)
            }
        }
    }

    /// Exactly one branch must match. When none does, the branch that was closest says what is wrong.
    private mutating func checkOneOf(_ value: JSON, _ branches: [Int]) {
        let matching = branches.count { fits(value, $0) }
        if matching > 1 {
            report(
                "E-DOC-013", zh: "同时符合 \(matching) 种互斥的形状。",
                en: "fits \(matching) shapes that exclude each other.")
        }
        guard matching == 0 else { return }
        guard !isTrial else {
            trialFailed = true
            return
        }
        let before = violations
        var closest: [Violation] = []
        for branch in branches {
            violations = []
            check(value, branch)
            if closest.isEmpty || distance(violations) < distance(closest) { closest = violations }
        }
        violations = before + closest
    }

    private mutating func fits(_ value: JSON, _ branch: Int) -> Bool {
        let outer = (isTrial, trialFailed)
        (isTrial, trialFailed) = (true, false)
        check(value, branch)
        defer { (isTrial, trialFailed) = outer }
        return !trialFailed
    }

    /// A branch of another type altogether is further away than one with something wrong inside.
    private func distance(_ violations: [Violation]) -> Int {
        let otherType = violations.count == 1 && violations[0].code == "E-DOC-001" && violations[0].pointer == pointer
        return otherType ? Limits.violations : violations.count
    }
}

/// Digits with an optional sign and fraction that fit an exact decimal; no exponent.
package func isPlainDecimal(_ text: String) -> Bool {
    ExactDecimal(text) != nil && !text.utf8.contains { $0 | 0x20 == UInt8(ascii: "e") }
}
