import Engine
import Values

extension Problem {
    static func secretNotNamed(_ name: String) -> Problem {
        Problem(
            "E-HOST-001", zh: "连接没有名为 \(name) 的凭据", en: "the connection names no secret \(name)",
            nextZH: "在 connections/*.yaml 的 secrets 中加上 \(name): vault:…",
            nextEN: "add \(name): vault:… under secrets of the connection file")
    }
    static func noOpenItem(_ id: ItemID) -> Problem {
        Problem(
            "E-HOST-002", zh: "单据 \(id) 不存在或已完结", en: "item \(id) does not exist or is settled",
            nextZH: "datong ledger show \(id)", nextEN: "datong ledger show \(id)")
    }
    static func cannotMove(_ id: ItemID, _ state: FiveStates) -> Problem {
        Problem(
            "E-HOST-003", zh: "单据 \(id) 的状态是 \(state.rawValue), 不能这样处理",
            en: "item \(id) is \(state.rawValue): this cannot be done to it",
            nextZH: "结果未知的单据只能核对 (retry) 或确认 (resolve); datong ledger show \(id)",
            nextEN: "an unknown outcome can only be looked up (retry) or resolved; datong ledger show \(id)")
    }
    static func halfDone(_ id: ItemID) -> Problem {
        Problem(
            "E-HOST-021", zh: "单据 \(id) 在目标系统中已有一半 (例如已保存未提交), 不能跳过",
            en: "half of item \(id) stands at the target (saved, not submitted, say): it cannot be skipped",
            nextZH: "datong ledger retry \(id) 继续, 或在目标系统处理后 datong ledger resolve \(id) --number NUMBER --why WHY",
            nextEN:
                "datong ledger retry \(id) goes on, or settle it at the target and datong ledger resolve \(id) --number NUMBER --why WHY"
        )
    }
    static func numberTaken(_ number: String, by other: ItemID) -> Problem {
        Problem(
            "E-HOST-022", zh: "目标单号 \(number) 已属于单据 \(other)", en: "number \(number) already belongs to item \(other)",
            nextZH: "核对单号: datong ledger show \(other)", nextEN: "check the number: datong ledger show \(other)")
    }
    static func otherNumber(_ id: ItemID, _ number: String, found: [String]) -> Problem {
        let there = found.joined(separator: ", ")
        return Problem(
            "E-HOST-023", zh: "目标系统中带单据 \(id) 标识的是 \(there), 不是 \(number)",
            en: "the target has \(there) under the key of item \(id), not \(number)",
            nextZH: "datong ledger resolve \(id) --number \(found[0]) --why WHY",
            nextEN: "datong ledger resolve \(id) --number \(found[0]) --why WHY")
    }
    static func absentThere(_ id: ItemID, _ number: String) -> Problem {
        Problem(
            "E-HOST-024", zh: "已核对: 目标系统没有带单据 \(id) 标识的单据",
            en: "looked up: the target has no document under the key of item \(id)",
            nextZH: "datong ledger retry \(id); 若 \(number) 是人工录入的 (不带我们的标识), 加 --by-hand",
            nextEN: "datong ledger retry \(id); if \(number) was keyed in by hand, without our key, add --by-hand")
    }
    static func notLookedUp(_ id: ItemID, _ cause: Problem) -> Problem {
        Problem(
            "E-HOST-025", zh: "无法到目标系统核对单据 \(id): \(cause.what.zh) (\(cause.code))",
            en: "item \(id) cannot be looked up at the target: \(cause.what.en) (\(cause.code))",
            nextZH: "稍后再试; 确认是人工录入的, 加 --by-hand",
            nextEN: "try again later; if you know that it was keyed in by hand, add --by-hand")
    }
    static func secretMissing(_ connection: String, _ secret: String, _ name: String) -> Problem {
        Problem(
            "E-HOST-026", zh: "连接 \(connection) 的密钥 \(secret) 不在保险库里 (\(name))",
            en: "the secret \(secret) of connection \(connection) is not in the vault (\(name))",
            nextZH: "datong vault put \(name)", nextEN: "datong vault put \(name)")
    }
    static func notRetried(_ id: ItemID, _ cause: JSON) -> Problem {
        let code = cause["code"]?.string ?? "–"
        return Problem(
            "E-HOST-027", zh: "重试没有改变单据 \(id): \(code) \(cause["zh"]?.string ?? "")",
            en: "trying again changes nothing for item \(id): \(code) \(cause["en"]?.string ?? "")",
            nextZH: cause["next_zh"]?.string ?? "datong ledger show \(id)",
            nextEN: cause["next_en"]?.string ?? "datong ledger show \(id)")
    }
    static func workspaceInUse(_ pid: String) -> Problem {
        Problem(
            "E-HOST-004", zh: "工作区正被另一个 datong 进程使用 (\(pid))",
            en: "another datong process uses this workspace (\(pid))",
            nextZH: "先停止它, 或直接使用其他命令: 它们会与运行中的主机对话",
            nextEN: "stop it first; other commands talk to the running host by themselves")
    }
    static func hostGone(_ reason: String) -> Problem {
        Problem(
            "E-HOST-005", zh: "与运行中的主机对话失败: \(reason)", en: "talking to the running host failed: \(reason)",
            nextZH: "datong status 看主机是否在运行", nextEN: "datong status tells whether the host runs")
    }
    static func noFlow(_ name: String) -> Problem {
        Problem(
            "E-HOST-008", zh: "运行的版本中没有流程 \(name)", en: "the running revision has no flow \(name)",
            nextZH: "datong flow list", nextEN: "datong flow list")
    }
    static func noConnection(_ name: String) -> Problem {
        Problem(
            "E-HOST-009", zh: "运行的版本中没有连接 \(name)", en: "the running revision has no connection \(name)",
            nextZH: "datong connection list", nextEN: "datong connection list")
    }
    static func noActiveRevision() -> Problem {
        Problem(
            "E-HOST-010", zh: "还没有可运行的版本", en: "there is no revision to run yet",
            nextZH: "先运行 datong apply", nextEN: "run datong apply first")
    }
    static func noItem(_ name: String) -> Problem {
        Problem(
            "E-HOST-012", zh: "账本中没有 \(name)", en: "the ledger has no \(name)",
            nextZH: "datong ledger list", nextEN: "datong ledger list")
    }
    static func workerMissing(_ path: String) -> Problem {
        Problem(
            "E-HOST-014", zh: "找不到 datong-worker (\(path))", en: "datong-worker is not at \(path)",
            nextZH: "重新安装, datong 与 datong-worker 须在同一目录",
            nextEN: "install again: datong and datong-worker belong in one folder")
    }
    static func otherConnector(_ path: String, said: [String], table: [String]) -> Problem {
        let (said, table) = (said.joined(separator: " "), table.joined(separator: " "))
        return Problem(
            "E-HOST-028", zh: "\(path) 自称 \(said), 库中的表是 \(table)",
            en: "\(path) describes itself as \(said), its table says \(table)",
            nextZH: "这是连接器的缺陷: 换一个构建", nextEN: "a defect of the connector: take another build")
    }

    static func streamTrouble(_ words: String) -> Problem {
        Problem(
            "E-HOST-029", zh: "读取来源时出错: \(words)", en: "reading the source failed: \(words)",
            nextZH: "datong doctor", nextEN: "datong doctor")
    }
    static func ledgerSealing(_ reason: String) -> Problem {
        Problem(
            "E-HOST-020", zh: "账本内容无法加密: \(reason)", en: "the ledger's payloads cannot be sealed: \(reason)",
            nextZH: "重新启动 datong; 若重复出现, 检查 OpenSSL 安装",
            nextEN: "start datong again; if it repeats, check the OpenSSL installation")
    }
}
