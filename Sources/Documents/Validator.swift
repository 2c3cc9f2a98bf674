import Values

/// Walks a value along the nodes of a schema and gathers what is wrong. Places are put before a violation on the way
/// back up, so that a valid document costs no paths.
struct Validator {
    private let boxes: [Schema.Box]
    var violations: [Violation] = []
    /// While a branch of `oneOf` is only tried, the first violation ends it and no text is made.
    private var isTrial = false
    private var trialFailed = false

    init(_ boxes: [Schema.Box]) { self.boxes = boxes }

    private var isDone: Bool { isTrial ? trialFailed : violations.count >= Limits.violations }

    private mutating func prefix(from start: Int, _ token: @autoclosure () -> String) {
        guard start < violations.count else { return }
        let token = "/" + token()
        for at in violations.indices[start...] { violations[at].pointer = token + violations[at].pointer }
    }

    private mutating func report(_ code: String, zh: @autoclosure () -> String, en: @autoclosure () -> String) {
        guard !isTrial else {
            trialFailed = true
            return
        }
        guard !isDone else { return }
        violations.append(Violation(pointer: "", code: code, text: Problem.Text(zh: zh(), en: en())))
    }

    mutating func check(_ value: JSON, _ index: Int) {
        let box = boxes[index]
        if let reference = box.node.reference { check(value, reference) }
        if let types = box.node.types, !Self.matches(value, types) {
            report(
                "E-DOC-001", zh: "类型不对：应为 \(types.text)，实际为“\(seen(value))”。",
                en: "wrong type: expected \(types.text), seen \"\(seen(value))\".")
            return
        }
        if let allowed = box.node.allowed, !allowed.contains(value) {
            report(
                "E-DOC-004", zh: "“\(seen(value))”不是允许的值（\(Self.list(allowed))）。",
                en: "\"\(seen(value))\" is none of the allowed values (\(Self.list(allowed))).")
        }
        switch value {
        case .string(let text): check(text, box)
        case .array(let elements):
            check(elements, box)
        case .object(let object): check(object, box)
        default: break
        }
        if !box.node.oneOf.isEmpty { checkOneOf(value, box.node.oneOf) }
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

    private mutating func check(_ text: String, _ box: Schema.Box) {
        if let minimum = box.node.minLength, text.unicodeScalars.count < minimum {
            report(
                "E-DOC-011", zh: minimum == 1 ? "不能为空。" : "太短：至少 \(minimum) 个字符。",
                en: minimum == 1 ? "must not be empty." : "too short: at least \(minimum) characters.")
        }
        if let maximum = box.node.maxLength, text.unicodeScalars.count > maximum {
            report(
                "E-DOC-012", zh: "太长：最多 \(maximum) 个字符，实际 \(text.unicodeScalars.count)。",
                en: "too long: at most \(maximum) characters, seen \(text.unicodeScalars.count).")
        }
        switch box.node.format {
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

    private mutating func check(_ elements: [JSON], _ box: Schema.Box) {
        if let minimum = box.node.minItems, elements.count < minimum {
            report(
                "E-DOC-009", zh: "条目太少：至少 \(minimum) 条，实际 \(elements.count)。",
                en: "too few entries: at least \(minimum), seen \(elements.count).")
        }
        if let maximum = box.node.maxItems, elements.count > maximum {
            report(
                "E-DOC-010", zh: "条目太多：最多 \(maximum) 条，实际 \(elements.count)。",
                en: "too many entries: at most \(maximum), seen \(elements.count).")
        }
        guard let items = box.node.items else { return }
        for (at, element) in elements.enumerated() where !isDone {
            let before = violations.count
            check(element, items)
            prefix(from: before, "\(at)")
        }
    }

    private mutating func check(_ object: JSONObject, _ box: Schema.Box) {
        for key in box.node.required where object[key] == nil {
            let before = violations.count
            report("E-DOC-002", zh: "缺少必填项。", en: "required, but missing.")
            prefix(from: before, pointerToken(key))
        }
        if box.node.properties.isEmpty, box.node.additional == .any { return }
        for (key, value) in object where !isDone {
            let before = violations.count
            if let property = box.node.properties[key] {
                check(value, property)
            } else {
                switch box.node.additional {
                case .any: break
                case .none: report("E-DOC-003", zh: "未定义的字段。", en: "a field nobody defined.")
                case .schema(let index): check(value, index)
                }
            }
            prefix(from: before, pointerToken(key))
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
            if closest.isEmpty || Self.distance(violations) < Self.distance(closest) { closest = violations }
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
    private static func distance(_ violations: [Violation]) -> Int {
        let otherType = violations.count == 1 && violations[0].code == "E-DOC-001" && violations[0].pointer.isEmpty
        return otherType ? Limits.violations : violations.count
    }
}

/// Digits with an optional sign and fraction that fit an exact decimal; no exponent.
package func isPlainDecimal(_ text: String) -> Bool {
    ExactDecimal(text) != nil && !text.utf8.contains { $0 | 0x20 == UInt8(ascii: "e") }
}
