import Engine
import Mapping
import Values
import Workers

/// Causes as people read them, Chinese first. A cause is stored as JSON text:
/// `{"code","zh","en","field"?,"document"?,"next_zh"?,"next_en"?,"vendor_code"?}`.
enum Words {
    private static func cause(
        _ code: String, zh: String, en: String, nextZH: String? = nil, nextEN: String? = nil,
        _ more: [(String, String)] = []
    ) -> String {
        var object: JSONObject = ["code": .string(code), "zh": .string(zh), "en": .string(en)]
        if let nextZH { object["next_zh"] = .string(nextZH) }
        if let nextEN { object["next_en"] = .string(nextEN) }
        for (key, value) in more where !value.isEmpty { object[key] = .string(value) }
        return JSON.object(object).text
    }

    static func problem(_ problem: Problem) -> String {
        cause(
            problem.code, zh: problem.what.zh, en: problem.what.en, nextZH: problem.next.zh, nextEN: problem.next.en)
    }

    /// What this version does not prove and does not have: the same points as in README, "Not proved here".
    static let notProved = [
        Problem.Text(zh: "从未连过真实的厂商系统: 只对模拟器验证", en: "no vendor's real system was ever reached: proved on simulators"),
        Problem.Text(
            zh: "本版本只有一个场景(审批 → 凭证)和两个连接器", en: "this version has one scenario (approval → voucher) and two connectors"),
        Problem.Text(
            zh: "厂商先受理、后完成的单据, 只用测试用的连接器试过",
            en:
                "documents that a vendor accepts first and finishes later were tried with connectors made for tests only"
        ),
        Problem.Text(
            zh: "本版本没有签署与签名包、告警、网页、定时、按需与双向流程、PostgreSQL 账本",
            en:
                "this version has no signed agreements and bundles, no alerts, no web pages, no scheduled, on-demand or two-way"
                + " flows, no PostgreSQL ledger"),
    ]

    static func code(_ error: any Error) -> String { (error as? Problem)?.code ?? "\(type(of: error))" }

    static func filtered(_ condition: SourceFilter.Condition, _ seen: JSON?) -> String {
        let wanted = condition.allowed.map { $0.string ?? $0.text }.joined(separator: " | ")
        let found = seen.map { $0.string ?? $0.text } ?? "—"
        return cause(
            "S-FILTER", zh: "不符合流程条件: \(condition.path) 为 \(found), 需要 \(wanted)",
            en: "the flow's where does not match: \(condition.path) is \(found), wanted \(wanted)")
    }

    static func history(_ day: String, _ history: FlowFile.History) -> String {
        cause(
            "S-HISTORY", zh: "日期 \(day) 早于上线日 \(history.start), 按历史方案 \(history.before.rawValue) 处理, 不生成新单据",
            en:
                "dated \(day), before the cut-over \(history.start); history is \(history.before.rawValue): no new document"
        )
    }

    static func mappingSkipped(_ rule: String) -> String {
        cause("S-MAPPING", zh: "映射规则跳过: \(rule)", en: "skipped by the mapping's rule: \(rule)")
    }

    static func resolved(_ number: String, _ why: String) -> String {
        cause(
            "I-RESOLVED", zh: "人工确认: 目标系统单号 \(number); \(why)",
            en: "settled by a person: \(number) at the target; \(why)")
    }

    static func absent(_ why: String) -> String {
        cause(
            "I-ABSENT", zh: "人工确认: 目标系统没有此单, 重新发送; \(why)",
            en: "a person says that the target has it not: it goes again; \(why)")
    }

    static func skipped(_ why: String) -> String {
        cause("S-PERSON", zh: "人工跳过: \(why)", en: "skipped by a person: \(why)")
    }

    static func changed(_ earlier: ItemID) -> String {
        cause(
            "E-CHANGED", zh: "审批在发送之后又被修改 (先前的单据 \(earlier))",
            en: "the document changed after it was sent (earlier item \(earlier))",
            nextZH:
                "在目标系统中改正后 datong ledger resolve ITEM --number NUMBER --why WHY, 或 datong ledger skip ITEM --why WHY",
            nextEN:
                "correct it at the target, then datong ledger resolve ITEM --number NUMBER --why WHY, or datong ledger skip ITEM --why WHY"
        )
    }

    static func amends(_ main: String, _ action: String) -> String {
        let isRevoked = action == "revoke"
        return cause(
            "E-AMENDS", zh: "这张单据\(isRevoked ? "撤销" : "修改")了先前的单据 \(main), 不自动入账",
            en: "this document \(isRevoked ? "revokes" : "modifies") the earlier \(main) and is not booked by itself",
            nextZH:
                "在目标系统中红冲或改正原凭证, 然后 datong ledger resolve ITEM --number NUMBER --why WHY, 或 datong ledger skip ITEM --why WHY",
            nextEN:
                "reverse or correct the first voucher at the target, then datong ledger resolve ITEM --number NUMBER --why WHY, or datong ledger skip ITEM --why WHY"
        )
    }

    static func duplicate(_ earlier: ItemID) -> String {
        cause(
            "S-DUPLICATE", zh: "同一效果已由单据 \(earlier) 承担 (来源连接改过名)",
            en: "item \(earlier) stands for the same effect (the source connection has a new name)")
    }

    static func unreadable(_ error: String) -> String {
        cause(
            "E-SOURCE-UNREADABLE", zh: "来源给出的这张单据读不出来: \(error)",
            en: "this document of the source cannot be read: \(error)",
            nextZH: "改正原因后 datong ledger retry ITEM: 会重新读取",
            nextEN: "mend the cause, then datong ledger retry ITEM reads it again")
    }

    static let sourceGone = cause(
        "E-SOURCE-GONE", zh: "来源通知了这张单据, 但读取时没有给出 (已删除或无权限)",
        en: "the source told of this document but does not give it (deleted, or no permission)",
        nextZH: "确认后 datong ledger retry ITEM 再读, 或 datong ledger skip ITEM --why WHY",
        nextEN: "check, then datong ledger retry ITEM to read again, or datong ledger skip ITEM --why WHY")
    static let targetChanged = cause(
        "E-TARGET-CHANGED", zh: "目标连接换成了另一个账套, 在那里核对没有意义",
        en: "the target connection leads to other books: looking there proves nothing",
        nextZH:
            "在原账套中查找: 有则 datong ledger resolve ITEM --number NUMBER --why WHY, 没有则 datong ledger resolve ITEM --absent --why WHY",
        nextEN:
            "look in the former books: there, datong ledger resolve ITEM --number NUMBER --why WHY; not there, datong ledger resolve ITEM --absent --why WHY"
    )

    static func mappingFailed(_ failures: [MappingFailure]) -> String {
        guard let first = failures.first else { return cause("E-MAP-000", zh: "映射失败", en: "the mapping failed") }
        let more =
            failures.count > 1 ? (" (另有 \(failures.count - 1) 处)", " (and \(failures.count - 1) more)") : ("", "")
        return cause(
            first.code, zh: first.what.zh + more.0, en: first.what.en + more.1,
            nextZH: first.next.zh, nextEN: first.next.en,
            [
                ("field", first.source ?? first.target), ("value", first.seen ?? ""), ("table", first.table ?? ""),
            ])
    }

    static func failure(_ failure: Failure) -> String {
        let first = failure.messages.first
        let zh = failure.messages.first { $0.language == "zh" } ?? first
        let en = failure.messages.first { $0.language == "en" } ?? first
        let rest = failure.messages.dropFirst().filter { $0.language.isEmpty }.map(\.text)
        let tail = rest.isEmpty ? "" : "; " + rest.joined(separator: "; ")
        return cause(
            failure.ownCode ?? "E-TARGET-\(failure.errorClass)", zh: (zh?.text ?? "目标系统拒绝") + tail,
            en: (en?.text ?? "the target refused") + tail,
            [
                ("field", failure.field), ("vendor_code", failure.vendorCode), ("existing", failure.existing),
            ])
    }

    static func died(_ death: WorkerDeath) -> String { problem(death.problem) }

    static func found(_ found: [Written]) -> String? {
        if found.isEmpty { return nil }
        let numbers = found.map(\.number).joined(separator: ", ")
        if found.count == 1 { return cause("I-FOUND", zh: "核对到目标单据 \(numbers)", en: "found at the target: \(numbers)") }
        return cause(
            "E-SEVERAL-FOUND", zh: "目标系统有 \(found.count) 张单据带同一标识: \(numbers)",
            en: "\(found.count) documents at the target carry the key: \(numbers)",
            nextZH: "在目标系统中保留一张, 然后 datong ledger resolve ITEM --number NUMBER --why WHY",
            nextEN: "keep one at the target, then datong ledger resolve ITEM --number NUMBER --why WHY")
    }

    static func waiting(_ number: String) -> String {
        cause("I-WAITING", zh: "目标系统等待人工审批, 单号 \(number)", en: "waits for a person at the target, number \(number)")
    }

    static func writtenBack(_ number: String) -> String { "已生成凭证 \(number)" }

    static let accepted = cause("I-ACCEPTED", zh: "目标系统已受理, 正在处理", en: "accepted by the target, being processed")
    static let deadline = cause("E-DEADLINE", zh: "目标系统在限定时间内没有答复", en: "no answer within the time allowed")
    static let cancelled = cause("E-CANCELLED", zh: "主机中止了这次调用", en: "the host ended this call")
    static let noConnection = cause(
        "E-NO-CONNECTION", zh: "目标连接不在运行的版本中", en: "the target connection is not part of the running revision",
        nextZH: "恢复该连接的配置后 datong apply", nextEN: "restore the connection's file, then datong apply")
    static let noOutcome = cause("E-NO-OUTCOME", zh: "连接器没有给出结果", en: "the connector gave no outcome")
    static let unreadable = cause(
        "E-UNREADABLE", zh: "账本中这张单据的内容读不出来", en: "the document's bytes in the ledger cannot be read",
        nextZH: "从备份恢复账本", nextEN: "restore the ledger from a backup")
}

extension Failure {
    /// Our own code of what the network or the answer as such did, where the connector passed it on. It cannot borrow
    /// any other.
    var ownCode: String? {
        messages.lazy.map(\.code).first { code in
            ["E-NET-", "E-ANSWER-"].contains { code.hasPrefix($0) }
                && code.split(separator: "-").last.map { $0.count == 3 && $0.allSatisfy(\.isWholeNumber) } == true
        }
    }
}
