extension Problem {
    /// The problem of a JSON text that was refused, `E-JSON-0NN` and the byte offset.
    static func json(_ fault: JSONFault) -> Problem {
        let (number, zh, en) = fault.kind.words
        return Problem(
            "E-JSON-\(number)", zh: "JSON 第 \(fault.offset) 字节处：\(zh)", en: "JSON at byte \(fault.offset): \(en)",
            nextZH: "请检查发送方给出的 JSON。", nextEN: "Check the JSON that the sender gave.")
    }

    /// A decimal's result that does not fit.
    static func decimalOverflow(_ operation: String) -> Problem {
        Problem(
            "E-DECIMAL-001", zh: "小数运算超出范围（\(operation)）：结果超过 38 位数字。",
            en: "Decimal out of range (\(operation)): the result needs more than 38 digits.",
            nextZH: "请检查参与运算的金额或数量。", nextEN: "Check the amounts or quantities that went in.")
    }

    /// A division by zero.
    static func decimalDivisionByZero() -> Problem {
        Problem(
            "E-DECIMAL-002", zh: "小数除以零。", en: "A decimal was divided by zero.", nextZH: "请检查作为除数的字段。",
            nextEN: "Check the field used as the divisor.")
    }

    /// A zone nobody knows.
    static func unknownZone(_ name: String) -> Problem {
        Problem(
            "E-TIME-001", zh: "未知时区：\(name)。", en: "Unknown time zone: \(name).",
            nextZH: "请使用 Asia/Shanghai、UTC、+08:00 或 /usr/share/zoneinfo 中的名称。",
            nextEN: "Use Asia/Shanghai, UTC, +08:00 or a name found in /usr/share/zoneinfo.")
    }

    /// A zone file that is not one.
    static func badZoneFile(_ name: String) -> Problem {
        Problem(
            "E-TIME-002", zh: "时区文件无法识别：\(name)。", en: "The zone file of \(name) cannot be understood.",
            nextZH: "请重新安装 tzdata，或改用固定偏移（如 +08:00）。",
            nextEN: "Reinstall tzdata, or use a fixed offset such as +08:00.")
    }
}
