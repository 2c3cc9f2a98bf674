import Glibc
import Values

/// The words for an error number of the system, for a message.
private func words(_ errno: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(errno, &buffer, buffer.count) == 0 else { return "errno \(errno)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// What can be wrong with a vault file, its lock or a request to it.
enum VaultProblems {
    static func notAVault(_ path: String) -> Problem {
        Problem(
            "E-VAULT-001", zh: "\(path) 不是保险库文件(文件头不对)。", en: "\(path) is not a vault file (wrong magic).",
            nextZH: "检查路径;若确是保险库,请从备份恢复。", nextEN: "Check the path; if it is the vault, restore it from a backup.")
    }

    static func version(major: UInt16, minor: UInt16) -> Problem {
        Problem(
            "E-VAULT-002", zh: "保险库格式为 \(major).\(minor),本程序只认识 1.0。",
            en: "The vault has format \(major).\(minor); this program knows 1.0 only.",
            nextZH: "请用写出该文件的版本或更新的版本打开。", nextEN: "Open it with the version that wrote it, or a newer one.")
    }

    static func damaged(_ detail: String) -> Problem {
        Problem(
            "E-VAULT-003", zh: "保险库文件已损坏(\(detail))。", en: "The vault file is damaged (\(detail)).",
            nextZH: "从备份恢复;若要沿用旁边的 .previous(少最后一次改动),把它改名放回,删去 state/vault.generation,并记下原因。",
            nextEN: "Restore a backup; to go on with the .previous beside it (without the last change), put it "
                + "in place, remove state/vault.generation, and write down why.")
    }

    static var wrongKey: Problem {
        Problem(
            "E-VAULT-004", zh: "口令或密钥文件不对;文件本身的校验和完好。",
            en: "Wrong passphrase or key file; the file's own checksum is intact.",
            nextZH: "请重新输入口令,或换用正确的密钥文件。", nextEN: "Enter the passphrase again, or name the right key file.")
    }

    static func tampered(_ part: String) -> Problem {
        Problem(
            "E-VAULT-005", zh: "保险库被改动过:\(part) 的鉴别码不符,而校验和是新算的。",
            en: "The vault was altered: the authentication of its \(part) fails although the checksum was made anew.",
            nextZH: "停止使用该文件,保留作证据,从备份恢复并更换其中的密钥。",
            nextEN: "Stop using the file, keep it as evidence, restore a backup and rotate the secrets in it.")
    }

    static func malformed(_ detail: String, at offset: Int) -> Problem {
        Problem(
            "E-VAULT-006", zh: "保险库第 \(offset) 字节处结构不合规:\(detail)。",
            en: "The vault's structure is not canonical at byte \(offset): \(detail).",
            nextZH: "从备份恢复 vault.datong。", nextEN: "Restore vault.datong from a backup.")
    }

    static func rolledBack(found: UInt64, expected: UInt64) -> Problem {
        Problem(
            "E-VAULT-007", zh: "保险库是旧的:文件为第 \(found) 代,本机记录为第 \(expected) 代。",
            en: "The vault is an old one: the file is generation \(found), this machine has seen \(expected).",
            nextZH: "放回最新的文件;若确实要用旧文件,删去 state/vault.generation,并记下原因。",
            nextEN: "Put the newest file back; to use the old one, remove state/vault.generation and write down why.")
    }

    static func exists(_ path: String) -> Problem {
        Problem(
            "E-VAULT-008", zh: "\(path) 已经存在。", en: "\(path) exists already.",
            nextZH: "换一个路径,或先移走旧文件。", nextEN: "Choose another path, or move the old file away.")
    }

    static func missing(_ path: String) -> Problem {
        Problem(
            "E-VAULT-009", zh: "没有保险库文件 \(path)。", en: "There is no vault file \(path).",
            nextZH: "运行 datong vault init。", nextEN: "Run datong vault init.")
    }

    /// Missing, damaged, altered: the `.previous` beside the file may help.
    static func meansFileIsLost(_ problem: Problem) -> Bool {
        ["E-VAULT-001", "E-VAULT-003", "E-VAULT-005", "E-VAULT-006", "E-VAULT-009"].contains(problem.code)
    }

    static func scryptBounds(logN: Int, r: Int, p: Int) -> Problem {
        Problem(
            "E-VAULT-010", zh: "scrypt 参数越界:log2 N=\(logN), r=\(r), p=\(p)。",
            en: "scrypt parameters out of bounds: log2 N=\(logN), r=\(r), p=\(p).",
            nextZH: "log2 N 取 14 到 19,r 取 1 到 16,p 取 1 到 4,且内存不超过 512 MiB。",
            nextEN: "Use log2 N from 14 to 19, r from 1 to 16, p from 1 to 4, and at most 512 MiB of memory.")
    }

    static func passphraseLength(_ count: Int) -> Problem {
        Problem(
            "E-VAULT-011", zh: "口令为 \(count) 字节,应为 8 到 1024 字节。",
            en: "The passphrase has \(count) bytes; it must have 8 to 1024.",
            nextZH: "换一个口令,例如四个以上互不相干的词。", nextEN: "Choose another, for example four or more unrelated words.")
    }

    static func keyFileInWorkspace(_ path: String) -> Problem {
        Problem(
            "E-VAULT-012", zh: "密钥文件 \(path) 在工作区目录之内:锁和钥匙会一起被备份或拷走。",
            en: "The key file \(path) lies inside the workspace: lock and key would be copied together.",
            nextZH: "把它移到工作区之外,例如 /etc/datong/。", nextEN: "Move it out of the workspace, for example to /etc/datong/.")
    }

    static func keyFileMode(_ path: String, detail: String) -> Problem {
        Problem(
            "E-VAULT-013", zh: "密钥文件 \(path) 的属性不合规(\(detail))。",
            en: "The key file \(path) is not kept safely (\(detail)).",
            nextZH: "须为普通文件、无其他硬链接、归本用户所有、权限 0600:chmod 600。",
            nextEN: "It must be a regular file without other hard links, owned by this user, mode 0600: chmod 600.")
    }

    static func keyFileLength(_ path: String, count: Int) -> Problem {
        Problem(
            "E-VAULT-014", zh: "密钥文件 \(path) 长 \(count) 字节,应为 32 到 4096 字节。",
            en: "The key file \(path) has \(count) bytes; it must have 32 to 4096.",
            nextZH: "移走它,datong vault init 会在 datong.yaml 所写的位置生成新的。",
            nextEN: "Move it away: datong vault init makes a new one where datong.yaml names it.")
    }

    static func keyFileUnreadable(_ path: String, errno: Int32) -> Problem {
        Problem(
            "E-VAULT-015", zh: "读不到密钥文件 \(path):\(words(errno))。",
            en: "Cannot read the key file \(path): \(words(errno)).",
            nextZH: "检查路径和权限。", nextEN: "Check the path and its permissions.")
    }

    static func noSlot(_ kind: String) -> Problem {
        Problem(
            "E-VAULT-016", zh: "该保险库没有“\(kind)”这种解锁方式。", en: "This vault has no slot of kind \"\(kind)\".",
            nextZH: "核对 datong.yaml 的 unlock:口令还是密钥文件。",
            nextEN: "Compare unlock in datong.yaml: passphrase or key file.")
    }

    static func slotKind(_ kind: UInt16) -> Problem {
        Problem(
            "E-VAULT-017", zh: "解锁方式 \(kind) 在本版本中不可用。", en: "Slot kind \(kind) is not available in this version.",
            nextZH: "使用口令或密钥文件的解锁方式。", nextEN: "Use a passphrase or a key file.")
    }

    static func unknownSecret(_ name: String) -> Problem {
        Problem(
            "E-VAULT-018", zh: "保险库里没有 \(name)。", en: "The vault holds no \(name).",
            nextZH: "运行 datong vault put \(name)。", nextEN: "Run datong vault put \(name).")
    }

    static func badName(length: Int) -> Problem {
        Problem(
            "E-VAULT-019", zh: "密钥名称不合规(\(length) 字节)。", en: "Not a valid secret name (\(length) bytes).",
            nextZH: "用 1 到 128 个字符:字母、数字和 . _ @ / -,例如 erp/app-secret。",
            nextEN: "Use 1 to 128 of letters, digits and . _ @ / -, for example erp/app-secret.")
    }

    static func valueLength(_ count: Int) -> Problem {
        Problem(
            "E-VAULT-020", zh: "密钥值为 \(count) 字节,应为 1 到 65536 字节。",
            en: "The secret has \(count) bytes; it must have 1 to 65536.",
            nextZH: "检查输入的文件或管道。", nextEN: "Check the file or pipe it was read from.")
    }

    static func full(_ what: String, limit: Int) -> Problem {
        Problem(
            "E-VAULT-021", zh: "保险库已满:\(what) 最多 \(limit) 个。", en: "The vault is full: at most \(limit) \(what).",
            nextZH: "删除不再使用的密钥。", nextEN: "Remove secrets that are no longer used.")
    }

    static func busy(_ path: String) -> Problem {
        Problem(
            "E-VAULT-022", zh: "另一个进程正在写 \(path)。", en: "Another process is writing \(path).",
            nextZH: "稍后重试;运行中的 datong 请通过其控制口操作。",
            nextEN: "Try again shortly; go through the running datong's control socket.")
    }

    static func changedElsewhere(path: String) -> Problem {
        Problem(
            "E-VAULT-023", zh: "\(path) 已被另一个进程改写。", en: "\(path) was rewritten by another process.",
            nextZH: "重新打开保险库后再试。", nextEN: "Open the vault again and repeat.")
    }

    static func fileSystem(_ operation: String, path: String, errno: Int32) -> Problem {
        Problem(
            "E-VAULT-024", zh: "\(operation) \(path) 失败:\(words(errno))。",
            en: "\(operation) \(path) failed: \(words(errno)).",
            nextZH: "检查磁盘空间和权限后重试。", nextEN: "Check disk space and permissions, then repeat.")
    }

    static func readBack(_ path: String) -> Problem {
        Problem(
            "E-VAULT-025", zh: "写出的 \(path) 读回后不一致,未启用。保险库未改变。",
            en: "\(path) did not read back as written and was not put in place. The vault is unchanged.",
            nextZH: "检查磁盘。", nextEN: "Check the disk.")
    }

    static func anchorUnreadable(_ detail: String) -> Problem {
        Problem(
            "E-VAULT-026", zh: "读不到代数锚(\(detail)),无法判断保险库是否被换成旧的。",
            en: "The generation anchor cannot be read (\(detail)), so an old vault would go unnoticed.",
            nextZH: "检查 state 目录和台账。", nextEN: "Check the state directory and the ledger.")
    }

    static func wrappedKey(_ label: String) -> Problem {
        Problem(
            "E-VAULT-027", zh: "用保险库包裹的密钥“\(label)”解不开:不是本保险库包裹的,或标签、内容不符。",
            en: "The wrapped key \"\(label)\" does not open: another vault's, another label's, or altered.",
            nextZH: "把同一次备份中的保险库和台账放在一起。", nextEN: "Put vault and ledger of the same backup together.")
    }

    static func library(_ operation: String, code: UInt) -> Problem {
        Problem(
            "E-VAULT-028", zh: "密码库操作失败:\(operation)(OpenSSL \(code))。",
            en: "The crypto library failed: \(operation) (OpenSSL \(code)).",
            nextZH: "运行 datong doctor。", nextEN: "Run datong doctor.")
    }

    static func tooLarge(_ path: String) -> Problem {
        Problem(
            "E-VAULT-029", zh: "\(path) 超过 \(VaultLimits.fileBytes) 字节。",
            en: "\(path) is larger than \(VaultLimits.fileBytes) bytes.",
            nextZH: "检查路径,或删除不再使用的密钥。", nextEN: "Check the path, or remove secrets no longer used.")
    }

    static func suite(_ number: UInt16) -> Problem {
        Problem(
            "E-VAULT-030", zh: "保险库使用密码套件 \(number),本程序只认识 1。",
            en: "The vault uses cipher suite \(number); this program knows 1 only.",
            nextZH: "请用更新的版本打开。", nextEN: "Open it with a newer version.")
    }

    static func storedUnconfirmed(_ cause: Problem) -> Problem {
        Problem(
            "E-VAULT-031", zh: "新内容已写入并生效,但收尾未完成(\(cause.code) \(cause.what.zh));断电后可能回到上一代。",
            en: "The new content is in place, but finishing failed (\(cause.code) \(cause.what.en)); "
                + "a power cut may bring the previous one back.",
            nextZH: "排除磁盘或台账故障后,运行 datong vault verify。",
            nextEN: "Repair the disk or the ledger, then run datong vault verify.")
    }

    static func badText(_ what: String, limit: Int) -> Problem {
        Problem(
            "E-VAULT-032", zh: "\(what) 须为 1 到 \(limit) 字节的文字。", en: "The \(what) must be text of 1 to \(limit) bytes.",
            nextZH: "改短或补上。", nextEN: "Shorten it or fill it in.")
    }

    static func payload(_ purpose: String) -> Problem {
        Problem(
            "E-VAULT-033", zh: "封存的内容解不开(\(purpose)):密钥、所属行或内容不符。",
            en: "The sealed payload does not open (\(purpose)): another key, another row, or altered.",
            nextZH: "运行 datong doctor;把同一次备份中的保险库和台账放在一起。",
            nextEN: "Run datong doctor; put vault and ledger of the same backup together.")
    }

    static func rollbackReason() -> Problem {
        Problem(
            "E-VAULT-034", zh: "接受旧保险库必须写明原因。", en: "Accepting an old vault needs a reason.",
            nextZH: "用一句话写明原因。", nextEN: "Say why, in one sentence.")
    }
}

/// What can be wrong with a secret's bytes or an expression over one.
enum SecretProblems {
    static func expression(_ detail: String, step: Int) -> Problem {
        Problem(
            "E-SECRET-001", zh: "密钥表达式第 \(step) 段写错:\(detail)。", en: "Secret expression, part \(step): \(detail).",
            nextZH: "写法见 datong_plugin.h 的 datong_segment。", nextEN: "See datong_segment in datong_plugin.h.")
    }

    static func expressionLength(_ count: Int) -> Problem {
        Problem(
            "E-SECRET-002", zh: "密钥表达式为 \(count) 字节,最多 \(ExpressionLimits.textBytes)。",
            en: "The secret expression has \(count) bytes; at most \(ExpressionLimits.textBytes).",
            nextZH: "改短。", nextEN: "Shorten it.")
    }

    static func notEncoded(_ encoding: String, name: String) -> Problem {
        Problem(
            "E-SECRET-003", zh: "密钥 \(name) 在该步骤处不是合法的 \(encoding)。",
            en: "The secret \(name) is not valid \(encoding) at that step.",
            nextZH: "核对保险库中的值:datong vault put。", nextEN: "Check the value in the vault: datong vault put.")
    }

    static func wrongLength(name: String, expected: Int, found: Int) -> Problem {
        Problem(
            "E-SECRET-004", zh: "密钥 \(name) 在该步骤处应为 \(expected) 字节,实为 \(found)。",
            en: "The secret \(name) must have \(expected) bytes at that step and has \(found).",
            nextZH: "核对保险库中的值:datong vault put。", nextEN: "Check the value in the vault: datong vault put.")
    }

    static func valueTooLarge(name: String) -> Problem {
        Problem(
            "E-SECRET-005", zh: "密钥 \(name) 的表达式结果超过 \(ExpressionLimits.valueBytes) 字节。",
            en: "The expression over secret \(name) gives more than \(ExpressionLimits.valueBytes) bytes.",
            nextZH: "减少编码步骤。", nextEN: "Use fewer encoding steps.")
    }

    static func unreadable(errno: Int32) -> Problem {
        Problem(
            "E-SECRET-008", zh: "读取密钥失败:\(words(errno))。", en: "Reading the secret failed: \(words(errno)).",
            nextZH: "检查输入的文件或管道。", nextEN: "Check the file or pipe.")
    }

    static func tooLong(limit: Int) -> Problem {
        Problem(
            "E-SECRET-009", zh: "输入超过 \(limit) 字节。", en: "The input is longer than \(limit) bytes.",
            nextZH: "检查输入的文件或管道。", nextEN: "Check the file or pipe.")
    }

    static func notHardened(errno: Int32) -> Problem {
        Problem(
            "E-SECRET-010", zh: "无法关闭核心转储:\(words(errno))。", en: "Core dumps cannot be switched off: \(words(errno)).",
            nextZH: "运行 datong doctor。", nextEN: "Run datong doctor.")
    }

    static func maskFull() -> Problem {
        Problem(
            "E-SECRET-011", zh: "需要遮盖的值太多(上限 \(MaskLimits.patterns) 个样式)。",
            en: "Too many values to mask (at most \(MaskLimits.patterns) patterns).",
            nextZH: "释放过期的会话令牌。", nextEN: "Forget expired session tokens.")
    }
}

/// What can be wrong with a request for a vendor's algorithm.
enum CryptoProblems {
    static func algorithm(_ name: String, operation: String) -> Problem {
        Problem(
            "E-CRYPTO-001", zh: "\(operation) 没有算法 \(name)。", en: "\(operation) has no algorithm \(name).",
            nextZH: "可用的算法见 datong_plugin.h。", nextEN: "See datong_plugin.h for the algorithms.")
    }

    static func key(_ detail: String) -> Problem {
        Problem(
            "E-CRYPTO-002", zh: "密钥不可用:\(detail)。", en: "The key cannot be used: \(detail).",
            nextZH: "核对保险库中的密钥及其表达式。", nextEN: "Check the key in the vault and its expression.")
    }

    static func initialVector(expected: String, found: Int) -> Problem {
        Problem(
            "E-CRYPTO-003", zh: "IV 应为 \(expected) 字节,实为 \(found)。",
            en: "The IV must have \(expected) bytes and has \(found).",
            nextZH: "这是连接器的错误,请联系其提供者。", nextEN: "This is the connector's fault; tell its provider.")
    }

    static func input(_ detail: String) -> Problem {
        Problem(
            "E-CRYPTO-004", zh: "输入不可用:\(detail)。", en: "The input cannot be used: \(detail).",
            nextZH: "这是连接器的错误,或对方发来的数据不完整。",
            nextEN: "The connector's fault, or the vendor's data is incomplete.")
    }

    /// One answer for bad padding, bad tag and wrong key: telling them apart would be an oracle.
    static var doesNotOpen: Problem {
        Problem(
            "E-CRYPTO-005", zh: "解不开:密钥不对,或密文被改动。", en: "It does not open: wrong key, or altered ciphertext.",
            nextZH: "核对保险库中的密钥与对方后台所设是否一致。", nextEN: "Compare the key in the vault with the vendor's console.")
    }

    static var doesNotVerify: Problem {
        Problem(
            "E-CRYPTO-006", zh: "签名不符。", en: "The signature does not verify.",
            nextZH: "核对公钥;若是回调请求,按伪造处理。", nextEN: "Check the public key; treat a webhook as forged.")
    }

    static func library(_ operation: String) -> Problem {
        Problem(
            "E-CRYPTO-007", zh: "密码库拒绝:\(operation)。", en: "The crypto library refused: \(operation).",
            nextZH: "核对密钥与输入的长度。", nextEN: "Check the key and the length of the input.")
    }
}
