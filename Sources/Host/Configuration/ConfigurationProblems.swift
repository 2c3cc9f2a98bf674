import Values

/// The problems of the configuration room, `E-CONF-NNN`. Sentences name the key and what may stand there; they repeat
/// a value only where it cannot be a secret.
extension Problem {
    static func fileMissing(_ path: String) -> Problem {
        Problem(
            "E-CONF-001", zh: "缺少文件 \(path)", en: "the file \(path) is missing",
            nextZH: "写入该文件,或运行 datong init 建立工作区", nextEN: "write it, or create a workspace with datong init")
    }

    static func fileTooLarge(_ bytes: Int, limit: Int) -> Problem {
        Problem(
            "E-CONF-002", zh: "文件 \(bytes) 字节,超过上限 \(limit) 字节", en: "the file has \(bytes) bytes, more than \(limit)",
            nextZH: "配置文件只放配置;数据请放 tables/ 下的 CSV", nextEN: "keep data out of it: tables/*.csv is the place for data")
    }

    static func fileUnreadable(_ reason: String) -> Problem {
        Problem(
            "E-CONF-003", zh: "文件无法读取:\(reason)", en: "the file cannot be read: \(reason)",
            nextZH: "检查文件权限和类型(必须是普通文件)", nextEN: "check its permissions; it has to be an ordinary file")
    }

    static var notUTF8: Problem {
        Problem(
            "E-CONF-004", zh: "文件不是 UTF-8 编码", en: "the file is not UTF-8",
            nextZH: "另存为 UTF-8(电子表格:“CSV UTF-8”)", nextEN: "save it as UTF-8 (spreadsheets: \"CSV UTF-8\")")
    }

    static func yamlSyntax(_ reason: String) -> Problem {
        Problem(
            "E-CONF-005", zh: "YAML 语法错误:\(reason)", en: "not valid YAML: \(reason)",
            nextZH: "检查该行的缩进、冒号后的空格和引号", nextEN: "check the indentation, the space after the colon and the quotes")
    }

    static var anchor: Problem {
        Problem(
            "E-CONF-006", zh: "不允许 YAML 锚点、引用或标签(& * !)", en: "YAML anchors, aliases and tags (& * !) are not allowed",
            nextZH: "把内容写全;若是普通文字,请加引号", nextEN: "write the value out; if it is plain text, put it in quotes")
    }

    static func duplicateKey(_ key: String) -> Problem {
        Problem(
            "E-CONF-007", zh: "键 \(key) 写了两次", en: "the key \(key) stands twice",
            nextZH: "只保留一处", nextEN: "keep one of them")
    }

    static var severalDocuments: Problem {
        Problem(
            "E-CONF-008", zh: "一个文件只能有一个 YAML 文档", en: "a file holds one YAML document only",
            nextZH: "删除 --- 之后的内容,或拆成两个文件", nextEN: "remove what follows ---, or make two files of it")
    }

    static var tooDeep: Problem {
        Problem(
            "E-CONF-009", zh: "嵌套超过 \(ConfigurationLimits.depth) 层",
            en: "nested deeper than \(ConfigurationLimits.depth) levels",
            nextZH: "检查括号和缩进", nextEN: "check brackets and indentation")
    }

    static var emptyFile: Problem {
        Problem(
            "E-CONF-010", zh: "文件为空", en: "the file is empty",
            nextZH: "写入内容,或删除该文件", nextEN: "write it, or delete the file")
    }

    static var keyIsNotText: Problem {
        Problem(
            "E-CONF-011", zh: "键必须是一个词", en: "a key has to be one word",
            nextZH: "写成 键: 值", nextEN: "write key: value")
    }

    static func unknownKey(_ key: String, in known: [String]) -> Problem {
        let meant = nearest(key, among: known)
        return Problem(
            "E-CONF-012",
            zh: "未知的键 \(key)" + (meant.map { ",是否想写 \($0)?" } ?? ""),
            en: "unknown key \(key)" + (meant.map { ", did you mean \($0)?" } ?? ""),
            nextZH: "此处可写:\(known.joined(separator: "、"))", nextEN: "allowed here: \(known.joined(separator: ", "))")
    }

    static func missingKey(_ key: String, write: String) -> Problem {
        Problem(
            "E-CONF-013", zh: "缺少键 \(key)", en: "the key \(key) is missing",
            nextZH: "写入 \(write)", nextEN: "write \(write)")
    }

    static func wrongType(_ key: String, seen: Text, write: String) -> Problem {
        Problem(
            "E-CONF-014", zh: "\(key) 的值是\(seen.zh)", en: "the value of \(key) is \(seen.en)",
            nextZH: "写成 \(write)", nextEN: "write \(write)")
    }

    static func notAChoice(_ key: String, seen: String, choices: [String]) -> Problem {
        let meant = nearest(seen, among: choices)
        return Problem(
            "E-CONF-015",
            zh: "\(key) 不能是 \(seen)" + (meant.map { ",是否想写 \($0)?" } ?? ""),
            en: "\(key) cannot be \(seen)" + (meant.map { ", did you mean \($0)?" } ?? ""),
            nextZH: "写其中之一:\(choices.joined(separator: "、"))",
            nextEN: "write one of: \(choices.joined(separator: ", "))")
    }

    static func badDuration(_ key: String, seen: String) -> Problem {
        Problem(
            "E-CONF-016", zh: "\(key) 的时长 \(seen) 无法识别", en: "\(seen) is no duration for \(key)",
            nextZH: "写整数加单位:500ms、20s、5m、1h、45d,至少 1s(超时可更短)",
            nextEN: "write a whole number and a unit: 500ms, 20s, 5m, 1h, 45d; at least 1s (time-outs may be shorter)")
    }

    static func outOfRange(_ key: String, seen: String, low: Int, high: Int) -> Problem {
        Problem(
            "E-CONF-017", zh: "\(key) 的值 \(seen) 超出范围", en: "\(key) \(seen) is out of range",
            nextZH: "写 \(low) 到 \(high) 之间的整数", nextEN: "write a whole number from \(low) to \(high)")
    }

    static func badIdentity(_ seen: String) -> Problem {
        Problem(
            "E-CONF-018", zh: "id 必须是小写 UUID", en: "the id has to be a lower-case UUID",
            nextZH: "新流程用 datong init 生成,已有流程从旧版本抄回原 id,永不更改",
            nextEN:
                "datong init makes one for a new flow; an existing flow keeps its own for ever: copy it from the last revision"
        )
    }

    static func plaintextSecret(_ key: String) -> Problem {
        Problem(
            "E-CONF-019", zh: "\(key) 不是保险库引用:密钥不得写在配置里",
            en: "\(key) is no vault reference: a secret must not stand in a configuration",
            nextZH: "写 vault:名称,用 datong vault put 名称 存入;曾写出的密钥请更换",
            nextEN: "write vault:NAME and store it with datong vault put NAME; replace the secret that stood here")
    }

    static func openDecision(_ key: String, question: Text, write: String) -> Problem {
        Problem(
            "E-CONF-020", zh: "四项决定之一未定:\(question.zh)(\(key))",
            en: "one of the four decisions is open: \(question.en) (\(key))",
            nextZH: "与客户商定后写 \(write)", nextEN: "agree it with the customer and write \(write)")
    }

    static func badName(_ seen: String) -> Problem {
        Problem(
            "E-CONF-021", zh: "名称 \(seen) 不合规则", en: "\(seen) is no valid name",
            nextZH: "用小写字母、数字和短横线,字母开头,至多 \(ConfigurationLimits.nameBytes) 个",
            nextEN:
                "use lower-case letters, digits and hyphens, a letter first, at most \(ConfigurationLimits.nameBytes)")
    }

    static func nameIsNotFileName(_ name: String, file: String) -> Problem {
        Problem(
            "E-CONF-022", zh: "名称 \(name) 与文件名 \(file) 不一致", en: "the name \(name) is not that of the file \(file)",
            nextZH: "两处写成一样", nextEN: "make them equal")
    }

    static func strayFile(_ path: String, expected: String) -> Problem {
        Problem(
            "E-CONF-023", zh: "\(path) 不会被读取", en: "\(path) would not be read",
            nextZH: "此文件夹只放 \(expected);改名或移走", nextEN: "this folder is for \(expected): rename it or move it away")
    }

    static func sameIdentity(_ id: String, other: String) -> Problem {
        Problem(
            "E-CONF-024", zh: "两个流程的 id 相同(另一个在 \(other))", en: "two flows have one id (the other stands in \(other))",
            nextZH: "复制流程时换一个新的 UUID", nextEN: "give the copied flow a new UUID")
    }

    static func unknownName(_ kind: Text, _ name: String, among known: [String]) -> Problem {
        let meant = nearest(name, among: known)
        return Problem(
            "E-CONF-025",
            zh: "没有名为 \(name) 的\(kind.zh)" + (meant.map { ",是否想写 \($0)?" } ?? ""),
            en: "there is no \(kind.en) \(name)" + (meant.map { ", did you mean \($0)?" } ?? ""),
            nextZH: known.isEmpty ? "先建立一个\(kind.zh)" : "现有:\(known.joined(separator: "、"))",
            nextEN: known.isEmpty ? "create one first" : "there are: \(known.joined(separator: ", "))")
    }

    static func limitAboveVendor(_ key: String, seen: Int, vendor: Int) -> Problem {
        Problem(
            "E-CONF-027", zh: "\(key) \(seen) 高于厂商允许的 \(vendor)", en: "\(key) \(seen) is above the vendor's \(vendor)",
            nextZH: "写不大于 \(vendor) 的值,或删除此行使用厂商上限", nextEN: "write at most \(vendor), or remove the line")
    }

    static func notOffered(_ what: Text, by connection: String, offered: [String]) -> Problem {
        Problem(
            "E-CONF-028", zh: "连接 \(connection) 的产品不提供\(what.zh)",
            en: "the product of connection \(connection) does not offer \(what.en)",
            nextZH: offered.isEmpty ? "换一个连接或连接器版本" : "它提供:\(offered.joined(separator: "、"))",
            nextEN: offered.isEmpty
                ? "use another connection or connector version" : "it offers: \(offered.joined(separator: ", "))")
    }

    static var inProcessOutsidePractice: Problem {
        Problem(
            "E-CONF-030", zh: "正式工作区不允许 isolation: in-process",
            en: "isolation: in-process is for practice workspaces only",
            nextZH: "删除此行(默认独立进程)", nextEN: "remove the line: a worker process is the default")
    }

    static var keyFileInWorkspace: Problem {
        Problem(
            "E-CONF-031", zh: "密钥文件在工作区内:备份会把钥匙和锁放在一起",
            en: "the key file lies inside the workspace: a backup would hold key and lock together",
            nextZH: "移到工作区外,如 ~/.config/datong/keys/", nextEN: "move it outside, e.g. to ~/.config/datong/keys/")
    }

    static func badURL(_ key: String) -> Problem {
        Problem(
            "E-CONF-034", zh: "\(key) 不是可用的地址", en: "\(key) is no usable address",
            nextZH: "写 https://主机/路径/,不带账号、问号和井号",
            nextEN: "write https://HOST/PATH/ without account, question mark or hash")
    }

    static func badCron(_ seen: String) -> Problem {
        Problem(
            "E-CONF-035", zh: "cron 表达式 \(seen) 无法识别", en: "\(seen) is no cron expression",
            nextZH: "五段:分 时 日 月 周,如 \"0 2 1 * *\"",
            nextEN: "five fields: minute hour day month weekday, e.g. \"0 2 1 * *\"")
    }

    static func badTimeZone(_ seen: String) -> Problem {
        Problem(
            "E-CONF-036", zh: "没有时区 \(seen)", en: "there is no time zone \(seen)",
            nextZH: "写 Asia/Shanghai 这样的名称", nextEN: "write a name such as Asia/Shanghai")
    }

    static func badDate(_ key: String, seen: String) -> Problem {
        Problem(
            "E-CONF-037", zh: "\(key) 的日期 \(seen) 不存在", en: "\(key): there is no date \(seen)",
            nextZH: "写 2026-01-31 这样的日期", nextEN: "write a date such as 2026-01-31")
    }

    static func tooMany(_ what: Text, limit: Int) -> Problem {
        Problem(
            "E-CONF-038", zh: "\(what.zh)超过 \(limit) 个", en: "more than \(limit) \(what.en)",
            nextZH: "检查是否选错了文件夹", nextEN: "check whether this is the right folder")
    }

    static func badPin(_ key: String) -> Problem {
        Problem(
            "E-CONF-039", zh: "\(key) 不是证书公钥指纹", en: "\(key) is no public key pin",
            nextZH: "写 sha256/ 加 44 位 Base64", nextEN: "write sha256/ and 44 characters of base64")
    }

    static func connectorUnknown(_ cause: Problem) -> Problem {
        Problem(
            "E-CONF-040", zh: "连接器无法使用(\(cause.code)):\(cause.what.zh)",
            en: "the connector cannot be used (\(cause.code)): \(cause.what.en)",
            nextZH: cause.next.zh, nextEN: cause.next.en)
    }

    static func connectorMissing(_ id: String, known: [String], folders: [String]) -> Problem {
        let meant = nearest(id, among: known)
        return Problem(
            "E-CONF-048",
            zh: "没有连接器 \(id)" + (meant.map { ",是否想写 \($0)?" } ?? ""),
            en: "there is no connector \(id)" + (meant.map { ", did you mean \($0)?" } ?? ""),
            nextZH: "把它的库文件放进这些文件夹之一:\(folders.joined(separator: "、"))",
            nextEN: "put its library into one of: \(folders.joined(separator: ", "))")
    }

    static func notRunnable(_ key: String, _ seen: String) -> Problem {
        Problem(
            "E-CONF-049", zh: "此版本的主机还不能执行 \(key): \(seen)",
            en: "this version of the host does not carry out \(key): \(seen)",
            nextZH: "删除此项,或改用它能执行的写法,见 docs/configuration.md",
            nextEN: "remove it, or write what it carries out: docs/configuration.md")
    }

    static func emptyValue(_ key: String) -> Problem {
        Problem(
            "E-CONF-041", zh: "\(key) 为空", en: "\(key) is empty",
            nextZH: "写入内容,或删除此行", nextEN: "write it, or remove the line")
    }

    static func masterUndecided(_ key: String, connections: [String]) -> Problem {
        Problem(
            "E-CONF-042", zh: "\(key) 必须是流程的两个连接之一", en: "\(key) has to be one of the flow's two connections",
            nextZH: "写 \(connections.joined(separator: " 或 "))",
            nextEN: "write \(connections.joined(separator: " or "))")
    }
}

extension Problem {
    static func describeIncomplete(_ path: String) -> Problem {
        Problem(
            "E-CONF-043", zh: "\(path) 的自述缺少 id 或 version", en: "the description of \(path) lacks id or version",
            nextZH: "向连接器作者索取完整版本", nextEN: "ask the connector's author for a complete one")
    }

    static func twoConnectors(_ id: String, _ version: String, _ other: String) -> Problem {
        Problem(
            "E-CONF-044", zh: "连接器 \(id) \(version) 有两个内容不同的库(另一个:\(other))",
            en: "two different libraries say they are \(id) \(version) (the other: \(other))",
            nextZH: "移走其中一个", nextEN: "remove one of them")
    }

    static func notWritten(_ path: String, _ reason: String) -> Problem {
        Problem(
            "E-CONF-045", zh: "\(path) 无法写入:\(reason)", en: "\(path) cannot be written: \(reason)",
            nextZH: "检查磁盘空间和文件夹权限", nextEN: "check the disk's space and the folder's permissions")
    }
}
