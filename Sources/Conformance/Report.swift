import Values

/// What one check found.
public enum Verdict: Sendable, Hashable {
    /// It holds.
    case pass
    /// It does not; the reason names what was seen.
    case fail(String)
    /// It could not be looked at, and why.
    case skip(String)

    /// `pass`, `fail` or `skip`.
    public var word: String {
        switch self {
        case .pass: "pass"
        case .fail: "fail"
        case .skip: "skip"
        }
    }

    /// What was seen; empty where it holds.
    public var reason: String {
        switch self {
        case .pass: ""
        case .fail(let reason), .skip(let reason): reason
        }
    }
}

/// One check of the kit and what it found.
public struct CheckResult: Sendable, Hashable {
    /// Stable: never used for another meaning.
    public var id: String
    /// What it proves.
    public var proves: Problem.Text
    /// What it found.
    public var verdict: Verdict
}

/// What the kit found out about one library.
public struct Report: Sendable, Hashable {
    /// Path of the library.
    public var library: String
    /// Hex SHA-256 of the library.
    public var sha256: String
    /// The connector's id and version, empty where it could not be asked.
    public var id: String
    /// See `id`.
    public var version: String
    /// The product line that was tried.
    public var product: String
    /// What the random parts were drawn from: the same seed draws the same.
    public var seed: UInt64
    /// Whether a vendor answered, or only the kit's own responder.
    public var vendor: Bool
    /// In the order they ran.
    public var checks: [CheckResult]

    /// Nothing failed.
    public var isGood: Bool { failed == 0 }
    /// Checks that failed.
    public var failed: Int { count("fail") }
    /// Checks that hold.
    public var passed: Int { count("pass") }
    /// Checks that could not be looked at.
    public var skipped: Int { count("skip") }

    private func count(_ word: String) -> Int { checks.count { $0.verdict.word == word } }

    /// The report for a program.
    public var json: JSON {
        [
            "library": .string(library), "sha256": .string(sha256), "id": .string(id), "version": .string(version),
            "product": .string(product), "seed": .string(String(seed)), "vendor": .bool(vendor),
            "passed": .number(JSONNumber(Int64(passed))), "failed": .number(JSONNumber(Int64(failed))),
            "skipped": .number(JSONNumber(Int64(skipped))),
            "checks": .array(
                checks.map { check in
                    [
                        "id": .string(check.id), "zh": .string(check.proves.zh), "en": .string(check.proves.en),
                        "verdict": .string(check.verdict.word), "reason": .string(check.verdict.reason),
                    ]
                }),
        ]
    }

    /// The report for people, one page that needs nothing from elsewhere. Every text in it is escaped: reasons quote
    /// what connectors and vendors said.
    public var html: String {
        var rows = ""
        for check in checks {
            rows += """
                <tr class="\(check.verdict.word)"><td><code>\(escaped(check.id))</code></td>\
                <td>\(check.verdict.word)</td>\
                <td lang="zh">\(escaped(check.proves.zh))</td><td lang="en">\(escaped(check.proves.en))</td>\
                <td>\(escaped(check.verdict.reason))</td></tr>

                """
        }
        return """
            <!doctype html>
            <html lang="zh"><head><meta charset="utf-8">
            <title>\(escaped(id)) \(escaped(version)) · 一致性报告 conformance</title>
            <style>
            body{font:15px/1.5 sans-serif;margin:2em;color:#222}table{border-collapse:collapse}
            td,th{border:1px solid #ccc;padding:.3em .6em;text-align:left;vertical-align:top}
            .pass td:nth-child(2){color:#176117}.fail{background:#fde8e8}.fail td:nth-child(2){color:#a01010;font-weight:bold}
            .skip{color:#777}
            </style></head><body>
            <h1>\(escaped(id)) \(escaped(version))</h1>
            <p>\(escaped(library))<br>sha256 <code>\(escaped(sha256))</code><br>product \(escaped(product)) · \
            seed \(seed) · \(vendor ? "vendor" : "scripted responder")</p>
            <p><b>pass \(passed) · fail \(failed) · skip \(skipped)</b></p>
            <table><tr><th>id</th><th></th><th>证明什么</th><th>what it proves</th><th>reason</th></tr>
            \(rows)</table></body></html>

            """
    }

    private func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            case "\n", "\t": out.unicodeScalars.append(scalar)
            default: if scalar.value >= 0x20, scalar.value != 0x7f { out.unicodeScalars.append(scalar) }
            }
        }
        return out
    }
}
