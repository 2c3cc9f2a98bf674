import Values
import WorkerCore

/// What goes wrong with workers, in words. `E-WORKER-001` … `013`: a library was refused. `02x`: a worker could not
/// run. `03x`: it ended. `04x`: the plugin broke the contract.
enum Problems {
    static func refused(plugin: String, refusal: Refusal) -> Problem {
        let detail = refusal.detail
        let numbers =
            "needs \(refusal.needs), built \(refusal.built), host \(refusal.hostMin)...\(refusal.hostMax)"
        func problem(_ number: String, _ zh: String, _ en: String, _ nextZH: String, _ nextEN: String) -> Problem {
            Problem("E-WORKER-\(number)", zh: zh, en: en, nextZH: nextZH, nextEN: nextEN)
        }
        let reinstallZH = "请重新安装该连接器的包(datong bundle install)。"
        let reinstallEN = "Install the connector's bundle again (datong bundle install)."
        let authorZH = "请向连接器的提供方索取正确的构建。"
        let authorEN = "Ask the connector's provider for a correct build."
        switch refusal.code {
        case DW_FILE_MISSING:
            return problem(
                "001", "连接器文件不存在:\(plugin)", "The connector's file is missing: \(plugin)", reinstallZH, reinstallEN)
        case DW_FILE_UNREADABLE:
            return problem(
                "002", "连接器文件无法读取(\(detail)):\(plugin)", "The connector's file cannot be read (\(detail)): \(plugin)",
                "请检查文件的权限。", "Check the file's permissions.")
        case DW_NOT_ELF:
            return problem(
                "003", "连接器文件不是共享库(\(detail)):\(plugin)",
                "The connector's file is not a shared library (\(detail)): \(plugin)", reinstallZH, reinstallEN)
        case DW_WRONG_MACHINE:
            return problem(
                "004", "连接器是为另一种机器构建的(\(detail))", "The connector was built for another machine (\(detail))",
                "请安装本机架构的包。", "Install the bundle for this machine's architecture.")
        case DW_MISSING_DEPENDENCY:
            return problem(
                "005", "连接器缺少依赖:\(detail)", "The connector lacks a dependency: \(detail)",
                "请安装包中声明的运行库版本。", "Install the runtime version that the bundle names.")
        case DW_LOAD_FAILED:
            return problem(
                "006", "连接器加载失败:\(detail)", "The connector could not be loaded: \(detail)", authorZH, authorEN)
        case DW_MISSING_SYMBOL:
            return problem(
                "007", "文件没有导出 \(detail),不是连接器", "The file does not export \(detail): it is no connector",
                authorZH, authorEN)
        case DW_OTHER_EPOCH:
            return problem(
                "008", "连接器属于另一代接口(\(detail),本机为 v\(DATONG_EPOCH_NUMBER))",
                "The connector is of another contract epoch (\(detail); this host is v\(DATONG_EPOCH_NUMBER))",
                "请升级两者中较旧的一方。", "Upgrade whichever of the two is older.")
        case DW_BAD_MAGIC:
            return problem(
                "009", "连接器的标识不对:\(detail)", "The connector's entry is not one: \(detail)", authorZH, authorEN)
        case DW_BAD_ENTRY:
            return problem(
                "010", "连接器的入口不合契约:\(detail)", "The connector's entry breaks the contract: \(detail)", authorZH,
                authorEN)
        case DW_MINOR_TOO_NEW:
            return problem(
                "011", "连接器需要更新的主机(\(numbers))", "The connector needs a newer host (\(numbers))",
                "请升级 datong。", "Upgrade datong.")
        case DW_MINOR_TOO_OLD:
            return problem(
                "012", "连接器对本机来说太旧(\(numbers))", "The connector is too old for this host (\(numbers))",
                "请升级连接器。", "Upgrade the connector.")
        default:
            return problem(
                "013", "连接器初始化失败:\(detail)", "The connector could not be initialised: \(detail)", authorZH, authorEN)
        }
    }

    static func cannotSpawn(executable: String, errno code: Int32) -> Problem {
        Problem(
            "E-WORKER-020", zh: "无法启动 \(executable):\(message(of: code))",
            en: "Cannot start \(executable): \(message(of: code))",
            nextZH: "请检查 datong-worker 是否与 datong 一起安装。",
            nextEN: "Check that datong-worker is installed beside datong.")
    }

    static func noHello(plugin: String) -> Problem {
        Problem(
            "E-WORKER-021", zh: "连接器在规定时间内没有完成加载:\(plugin)",
            en: "The connector did not finish loading in time: \(plugin)",
            nextZH: "请查看连接器的日志;若反复出现,请回退到上一版本(datong rollback)。",
            nextEN: "Look at the connector's log; if it happens again, go back (datong rollback).")
    }

    static func diedAtStart(_ death: WorkerDeath) -> Problem {
        Problem(
            "E-WORKER-022", zh: "连接器在启动时退出:\(death.problem.what.zh)",
            en: "The connector ended while starting: \(death.problem.what.en)",
            nextZH: death.problem.next.zh, nextEN: death.problem.next.en)
    }

    static func openFailed(_ reason: String) -> Problem {
        Problem(
            "E-WORKER-023", zh: "连接器拒绝打开连接:\(reason)", en: "The connector refused to open the connection: \(reason)",
            nextZH: "请用 datong connection check 检查该连接的设置。",
            nextEN: "Check the connection's settings with datong connection check.")
    }

    static func budgetSpent(connection: String, crashes: Int, seconds: Int64, last: Problem?) -> Problem {
        Problem(
            "E-WORKER-024",
            zh: "连接 \(connection) 的连接器在 \(seconds) 秒内意外结束 \(crashes) 次,已暂停。\(last?.what.zh ?? "")",
            en: "The connector of \(connection) ended unexpectedly \(crashes) times in \(seconds) s and is paused. "
                + (last?.what.en ?? ""),
            nextZH: "请查看原因后恢复该连接,或回退到上一版本(datong rollback)。",
            nextEN: "Find the cause and resume the connection, or go back (datong rollback).")
    }

    static func stopped(connection: String) -> Problem {
        Problem(
            "E-WORKER-025", zh: "连接 \(connection) 的连接器已停止", en: "The connector of \(connection) has been stopped",
            nextZH: "主机运行后会再次启动。", nextEN: "It starts again when the host runs.")
    }

    static func otherProtocol(_ number: UInt32) -> Problem {
        Problem(
            "E-WORKER-026", zh: "datong-worker 的协议版本是 \(number),本机需要 \(DW_PROTOCOL)",
            en: "datong-worker speaks protocol \(number), this host needs \(DW_PROTOCOL)",
            nextZH: "请把 datong 与 datong-worker 一起重新安装。", nextEN: "Install datong and datong-worker together again.")
    }

    static func tooLarge(_ size: Int) -> Problem {
        Problem(
            "E-WORKER-027", zh: "请求过大(\(size) 字节),不能交给连接器",
            en: "The request is too large (\(size) bytes) for a connector",
            nextZH: "请减小批量或把附件作为文件句柄传递。", nextEN: "Send fewer records, or attachments as blobs.")
    }

    static func died(_ cause: WorkerDeath.Cause, tail: String) -> Problem {
        let zh: String
        let en: String
        switch cause {
        case .signal(let number):
            (zh, en) = ("因信号 \(number)(\(signalName(number)))崩溃", "crashed by signal \(number) (\(signalName(number)))")
        case .exited(let status): (zh, en) = ("自行退出,状态 \(status)", "left by itself with status \(status)")
        case .killedForDeadline: (zh, en) = ("超时后没有返回,已被终止", "did not come back from a deadline and was killed")
        case .killedForBreach: (zh, en) = ("违反接口契约,已被终止", "broke its contract and was killed")
        case .killedForProtocol: (zh, en) = ("发送了无法识别的数据,已被终止", "sent what is no message and was killed")
        case .stopped: (zh, en) = ("已按要求停止", "was stopped")
        case .hungUp: (zh, en) = ("中断了对话", "ended the conversation")
        }
        let lines = tail.isEmpty ? "" : " [stderr: \(tail)]"
        return Problem(
            "E-WORKER-030", zh: "连接器\(zh)\(lines)", en: "The connector \(en)\(lines)",
            nextZH: "主机会自动重新启动它;若反复出现,请把这段信息交给连接器的提供方。",
            nextEN: "The host starts it again by itself; if it happens again, give this to the connector's provider.")
    }

    static func overran() -> Problem {
        Problem(
            "E-WORKER-041", zh: "连接器在限定时间内没有返回,也不是在等对方系统",
            en: "The connector did not come back in the time allowed, and not for want of an answer",
            nextZH: "这是连接器的缺陷;请告知其提供方,必要时回退(datong rollback)。",
            nextEN: "This is a defect of the connector: tell its provider, or go back (datong rollback).")
    }

    static func contractBroken(_ breaches: [String]) -> Problem {
        let list = breaches.joined(separator: "; ")
        return Problem(
            "E-WORKER-040", zh: "连接器违反了接口契约:\(list)", en: "The connector broke its contract: \(list)",
            nextZH: "这是连接器的缺陷;请把这段信息交给其提供方,必要时回退(datong rollback)。",
            nextEN: "This is a defect of the connector: give this to its provider, or go back (datong rollback).")
    }
}
