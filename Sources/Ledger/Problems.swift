import Values

extension Problem {
    static func ledgerCannotOpen(_ path: String, _ reason: String) -> Problem {
        Problem(
            "E-LEDGER-001", zh: "账本 \(path) 打不开: \(reason)", en: "the ledger \(path) cannot be opened: \(reason)",
            nextZH: "检查磁盘和权限; 若文件损坏, 用最近的备份恢复后再运行 datong doctor",
            nextEN: "check disk and permissions; if the file is damaged restore the last backup, then run datong doctor"
        )
    }
    static func ledgerNotDurable(_ seen: Int) -> Problem {
        Problem(
            "E-LEDGER-002", zh: "账本的 synchronous 设置为 \(seen), 需要 2 (FULL)",
            en: "the ledger's synchronous setting reads \(seen), 2 (FULL) is needed",
            nextZH: "不要用其他工具打开账本; 重新启动 datong", nextEN: "open the ledger with nothing else; start datong again")
    }
    static func ledgerWriteFailed(_ reason: String) -> Problem {
        Problem(
            "E-LEDGER-003", zh: "账本写入失败: \(reason)。主机已停止, 没有单据在未记账的情况下发出",
            en: "writing the ledger failed: \(reason). The host has stopped; nothing is sent without being recorded",
            nextZH: "检查磁盘空间和权限 (df -h); 若原因是 UNIQUE 或 constraint, 保留 state/ 并联系支持; 然后 datong run",
            nextEN:
                "check disk space and permissions (df -h); if the reason is UNIQUE or constraint keep state/ and ask for support; then datong run"
        )
    }
    static func ledgerNewer(_ version: String) -> Problem {
        Problem(
            "E-LEDGER-004", zh: "账本由更新的版本写成 (\(version)), 本版本不能打开",
            en: "the ledger was written by a newer version (\(version)); this one must not open it",
            nextZH: "升级 datong", nextEN: "upgrade datong")
    }
    static func ledgerRowUnreadable(_ table: String, _ id: Int64) -> Problem {
        Problem(
            "E-LEDGER-005", zh: "账本 \(table) 第 \(id) 行读不懂或被改动",
            en: "row \(id) of \(table) cannot be read or was altered",
            nextZH: "用最近的备份恢复; datong ledger show \(id) 给出其余内容",
            nextEN: "restore the last backup; datong ledger show \(id) gives what is readable")
    }
    static func auditBroken(_ seq: Int64) -> Problem {
        Problem(
            "E-LEDGER-006", zh: "审计链在第 \(seq) 行断开: 行被改动、删除或插入",
            en: "the audit chain breaks at line \(seq): a line was changed, removed or inserted",
            nextZH: "保留文件作为证据, 与备份比较", nextEN: "keep the file as evidence and compare it with a backup")
    }
    static func ledgerFenced(own: Int64, claimed: Int64) -> Problem {
        Problem(
            "E-LEDGER-007", zh: "另一个主机已接管账本 (第 \(claimed) 代, 本机是第 \(own) 代), 本机不能再写",
            en:
                "another host has taken the ledger over (epoch \(claimed), this one is \(own)); this one may not write it",
            nextZH: "只让一个主机使用此工作区: 停掉其余的, 再运行 datong run",
            nextEN: "let one host use this workspace: stop the others, then datong run")
    }
    static func ledgerReplaced(_ path: String) -> Problem {
        Problem(
            "E-LEDGER-008", zh: "账本 \(path) 在使用中被移走或替换, 写入已停止",
            en: "the ledger \(path) was moved or replaced while it was open; nothing more is written",
            nextZH: "停主机后才能恢复或移动账本; 确认文件无误后运行 datong run",
            nextEN: "stop the host before the ledger is restored or moved; when the file is right, datong run")
    }
    static func auditHeadUnreadable() -> Problem {
        Problem(
            "E-LEDGER-009", zh: "审计链的末行记录读不懂或被改动",
            en: "the record of the newest audit line cannot be read or was altered",
            nextZH: "保留 state/ 作为证据, 从备份恢复账本", nextEN: "keep state/ as evidence and restore the ledger from a backup")
    }
    static func auditCut(after line: Int64, newest: Int64) -> Problem {
        Problem(
            "E-LEDGER-010", zh: "审计链缺少第 \(line + 1) 行起的内容: 曾有第 \(newest) 行",
            en: "the audit chain ends before line \(line + 1), but line \(newest) was there",
            nextZH: "末尾被删除, 或恢复了较旧的账本: 保留文件作为证据, 与备份比较",
            nextEN:
                "its end was cut off, or an older ledger was restored: keep the file as evidence and compare it with a backup"
        )
    }
}
