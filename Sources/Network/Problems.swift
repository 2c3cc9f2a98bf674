import Values

/// Every problem this room raises. None carries bytes of a request, a reply or a secret: names, sizes and
/// positions only.
enum Problems {
    // MARK: URL and allow-list

    static func malformedURL(_ zh: String, _ en: String) -> Problem {
        Problem(
            "E-NET-001", zh: "网址不合格式: \(zh)", en: "the URL is malformed: \(en)",
            nextZH: "请写完整网址,如 https://erp.example.com/path,不含账号、空格和非 ASCII 字符",
            nextEN: "write an absolute URL such as https://erp.example.com/path: no user name, no space, ASCII only")
    }

    static func userInfo() -> Problem {
        Problem(
            "E-NET-002", zh: "网址中带有账号", en: "the URL carries a user name",
            nextZH: "请从网址中去掉 @ 及其前面的部分,凭据放入保险库",
            nextEN: "remove everything up to the @; credentials belong into the vault")
    }

    static func notAllowed(_ origin: Origin) -> Problem {
        Problem(
            "E-NET-003", zh: "\(origin) 不在此连接的放行名单上", en: "\(origin) is not on this connection's allow-list",
            nextZH: "如确需访问,请把它写入连接的放行名单后执行 datong apply",
            nextEN: "if it is meant to be reached, add it to the connection's allow-list and run datong apply")
    }

    static func plainNotAllowed(_ origin: Origin) -> Problem {
        Problem(
            "E-NET-004", zh: "\(origin) 未加密,只放行了它的 https", en: "\(origin) is not encrypted; only its https is allowed",
            nextZH: "请改用 https;若系统只有 http,请在放行名单中逐字写出该 http 地址",
            nextEN: "use https; if the system has only http, write that http origin literally on the allow-list")
    }

    static func localAddress(_ host: String) -> Problem {
        Problem(
            "E-NET-005", zh: "\(host) 指向链路本地或云元数据地址", en: "\(host) leads to a link-local or cloud metadata address",
            nextZH: "请核对域名解析;确需访问时在放行名单中逐字写出该 IP",
            nextEN: "check the name's DNS entry; if it is meant, write that IP address literally on the allow-list")
    }

    static func badAllowEntry(_ entry: String, _ zh: String, _ en: String) -> Problem {
        Problem(
            "E-NET-006", zh: "放行名单中的 \(entry) 无效: \(zh)", en: "allow-list entry \(entry) is not valid: \(en)",
            nextZH: "写作 https://主机[:端口] 或 https://*.域名", nextEN: "write https://host[:port] or https://*.domain")
    }

    static func badPin(_ position: Int) -> Problem {
        Problem(
            "E-NET-007", zh: "第 \(position + 1) 个公钥指纹无效", en: "pin number \(position + 1) is not valid",
            nextZH: "写作 sha256// 加公钥 SPKI 的 SHA-256 的 base64",
            nextEN: "write sha256// followed by the base64 of the SHA-256 of the key's SPKI")
    }

    static func unreadableCA(_ path: String) -> Problem {
        Problem(
            "E-NET-008", zh: "无法读取 CA 文件 \(path)", en: "the CA file \(path) cannot be read",
            nextZH: "请给出可读的 PEM 文件", nextEN: "name a readable PEM file")
    }

    static func badProxy() -> Problem {
        Problem(
            "E-NET-009", zh: "代理地址无效", en: "the proxy's address is not valid",
            nextZH: "写出主机名和 1-65535 的端口", nextEN: "give a host name and a port from 1 to 65535")
    }

    // MARK: the request

    static func malformedRequest(_ zh: String, _ en: String) -> Problem {
        Problem(
            "E-NET-010", zh: "请求不合规: \(zh)", en: "the request is not valid: \(en)",
            nextZH: "连接器违反约定,请联系其作者", nextEN: "the connector breaks its contract: tell its author")
    }

    static func reservedHeader(_ name: String) -> Problem {
        Problem(
            "E-NET-011", zh: "请求头 \(name) 由主机填写", en: "the host sets the header \(name) itself",
            nextZH: "请从连接器中去掉它", nextEN: "remove it from the connector")
    }

    static func insertionOutside(_ expression: String, _ zh: String, _ en: String) -> Problem {
        Problem(
            "E-NET-012", zh: "密钥插入位置错误(\(expression)): \(zh)", en: "insertion of \(expression) is misplaced: \(en)",
            nextZH: "连接器违反约定,请联系其作者", nextEN: "the connector breaks its contract: tell its author")
    }

    static func insertionBreaks(_ expression: String, _ part: String) -> Problem {
        Problem(
            "E-NET-013", zh: "\(expression) 的值含有 \(part) 中不允许的字符",
            en: "the value of \(expression) holds characters that \(part) cannot carry",
            nextZH: "请在表达式后加上 | url 或 | base64", nextEN: "add a step such as | url or | base64 to the expression")
    }

    static func noSecrets(_ expression: String) -> Problem {
        Problem(
            "E-NET-014", zh: "此处不提供密钥: \(expression)", en: "no secrets are offered here: \(expression)",
            nextZH: "请检查连接的 secrets 配置", nextEN: "check the connection's `secrets`")
    }

    // MARK: on the way

    static func noName(_ host: String) -> Problem {
        Problem(
            "E-NET-020", zh: "无法解析主机名 \(host)", en: "the name \(host) cannot be resolved",
            nextZH: "请检查 DNS 和连接的 endpoint", nextEN: "check DNS and the connection's endpoint")
    }

    static func noConnection(_ origin: String, _ detail: String) -> Problem {
        Problem(
            "E-NET-021", zh: "连不上 \(origin): \(detail)", en: "no connection to \(origin): \(detail)",
            nextZH: "请检查网络、防火墙和对方服务是否运行", nextEN: "check the network, the firewall and that the service runs")
    }

    static func connectTimeout(_ origin: String) -> Problem {
        Problem(
            "E-NET-022", zh: "连接 \(origin) 超时,未发出任何内容", en: "connecting to \(origin) took too long; nothing was sent",
            nextZH: "请检查网络、防火墙和代理", nextEN: "check the network, the firewall and the proxy")
    }

    static func tlsFailed(_ origin: String) -> Problem {
        Problem(
            "E-NET-023", zh: "与 \(origin) 的 TLS 握手失败", en: "the TLS handshake with \(origin) failed",
            nextZH: "对方须支持 TLS 1.2 以上;请用 datong connection check 查看",
            nextEN: "the peer needs TLS 1.2 or newer; look with datong connection check")
    }

    static func untrusted(_ origin: String) -> Problem {
        Problem(
            "E-NET-024", zh: "\(origin) 的证书不受信任或与主机名不符",
            en: "the certificate of \(origin) is not trusted or is for another name",
            nextZH: "请把签发它的 CA 配入连接;验证不能关闭",
            nextEN: "configure the CA that issued it; verification cannot be switched off")
    }

    static func pinMismatch(_ origin: String) -> Problem {
        Problem(
            "E-NET-025", zh: "\(origin) 的公钥与配置的指纹不符", en: "the public key of \(origin) matches no configured pin",
            nextZH: "先向对方核实是否更换了密钥,再更新指纹",
            nextEN: "ask the peer whether the key was changed, then update the pin")
    }

    static func noFreeConnection(_ origin: String) -> Problem {
        Problem(
            "E-NET-026", zh: "等待到 \(origin) 的空闲连接超时,未发出任何内容",
            en: "no connection to \(origin) became free in time; nothing was sent",
            nextZH: "请降低并发或放宽期限", nextEN: "lower the concurrency or allow more time")
    }

    static func proxyRefused(_ origin: String) -> Problem {
        Problem(
            "E-NET-027", zh: "代理拒绝连接 \(origin)", en: "the proxy refused to connect to \(origin)",
            nextZH: "请检查代理地址、账号和规则", nextEN: "check the proxy's address, account and rules")
    }

    static func timedOut(_ origin: String, _ milliseconds: Int) -> Problem {
        Problem(
            "E-NET-030", zh: "\(origin) 在 \(milliseconds) 毫秒内没有完整答复",
            en: "\(origin) did not answer completely within \(milliseconds) ms",
            nextZH: "写操作的结果须核对", nextEN: "the outcome of a write must be looked up")
    }

    static func interrupted(_ origin: String, _ zh: String, _ en: String) -> Problem {
        Problem(
            "E-NET-031", zh: "与 \(origin) 的连接在答复完整之前中断: \(zh)",
            en: "the connection to \(origin) broke before the reply was complete: \(en)",
            nextZH: "写操作的结果须核对", nextEN: "the outcome of a write must be looked up")
    }

    static func bodyTooLarge(_ origin: String, _ limit: Int) -> Problem {
        Problem(
            "E-NET-032", zh: "\(origin) 的答复超过 \(limit) 字节,已放弃",
            en: "the reply of \(origin) exceeds \(limit) bytes and was dropped",
            nextZH: "请缩小每页数量,或由连接器提高上限", nextEN: "ask for smaller pages, or let the connector raise the limit")
    }

    static func headersTooLarge(_ origin: String) -> Problem {
        Problem(
            "E-NET-033", zh: "\(origin) 的答复头超过 \(Limits.replyHeaderBytes) 字节",
            en: "the reply headers of \(origin) exceed \(Limits.replyHeaderBytes) bytes",
            nextZH: "请检查该地址是否真是业务系统", nextEN: "check that this address is the business system")
    }

    static func malformedReply(_ origin: String, _ zh: String, _ en: String) -> Problem {
        Problem(
            "E-NET-034", zh: "\(origin) 的答复不是合格的 HTTP: \(zh)",
            en: "the reply of \(origin) is not valid HTTP: \(en)",
            nextZH: "请检查地址、端口和中间的代理", nextEN: "check address, port and any proxy in between")
    }

    static func cancelled() -> Problem {
        Problem(
            "E-NET-035", zh: "请求被主机取消", en: "the host cancelled the request",
            nextZH: "无需处理", nextEN: "nothing to do")
    }

    static func stopped() -> Problem {
        Problem(
            "E-NET-036", zh: "网络出口已关闭", en: "the way out is closed",
            nextZH: "主机正在停止", nextEN: "the host is stopping")
    }

    static func cannotStart(_ detail: String) -> Problem {
        Problem(
            "E-NET-037", zh: "网络出口无法启动: \(detail)", en: "the way out cannot start: \(detail)",
            nextZH: "请检查系统资源与 libcurl", nextEN: "check system resources and libcurl")
    }

    static func keyLog() -> Problem {
        Problem(
            "E-NET-038", zh: "环境变量 SSLKEYLOGFILE 会把 TLS 密钥写入文件",
            en: "the environment variable SSLKEYLOGFILE would write TLS keys into a file",
            nextZH: "请去掉该变量后重新启动", nextEN: "unset it and start again")
    }

    // MARK: WebSocket

    static func upgradeRefused(_ origin: String, _ status: Int) -> Problem {
        Problem(
            "E-NET-050", zh: "\(origin) 拒绝建立 WebSocket,状态 \(status)",
            en: "\(origin) refused the WebSocket with status \(status)",
            nextZH: "票据可能已用过或过期,请重新获取", nextEN: "the ticket may be used up or expired: ask for a new one")
    }

    static func upgradeInvalid(_ origin: String) -> Problem {
        Problem(
            "E-NET-051", zh: "\(origin) 的 WebSocket 应答无效", en: "the WebSocket answer of \(origin) is not valid",
            nextZH: "请检查地址和中间的代理", nextEN: "check the address and any proxy in between")
    }

    static func pongMissed() -> Problem {
        Problem(
            "E-NET-052", zh: "对方没有回应我们的 ping", en: "the peer did not answer our ping",
            nextZH: "连接已断开,将重新连接", nextEN: "the stream was closed; it will be opened again")
    }

    static func idle(_ milliseconds: Int) -> Problem {
        Problem(
            "E-NET-053", zh: "\(milliseconds) 毫秒内没有收到任何内容", en: "nothing was heard for \(milliseconds) ms",
            nextZH: "连接已断开,将重新连接", nextEN: "the stream was closed; it will be opened again")
    }

    static func closedByPeer(_ code: Int) -> Problem {
        Problem(
            "E-NET-054", zh: "对方以代码 \(code) 关闭了连接", en: "the peer closed the stream with code \(code)",
            nextZH: "将重新连接", nextEN: "it will be opened again")
    }

    static func streamCut() -> Problem {
        Problem(
            "E-NET-055", zh: "WebSocket 连接中断", en: "the WebSocket broke without a close frame",
            nextZH: "将重新连接", nextEN: "it will be opened again")
    }

    static func messageTooLarge(_ limit: Int) -> Problem {
        Problem(
            "E-NET-056", zh: "收到的消息超过 \(limit) 字节", en: "a received message exceeds \(limit) bytes",
            nextZH: "连接已断开;请联系对方", nextEN: "the stream was closed; ask the peer")
    }

    static func protocolBroken(_ zh: String, _ en: String) -> Problem {
        Problem(
            "E-NET-057", zh: "对方违反 WebSocket 协议: \(zh)", en: "the peer broke the WebSocket protocol: \(en)",
            nextZH: "连接已断开,将重新连接", nextEN: "the stream was closed; it will be opened again")
    }

    static func notOpen() -> Problem {
        Problem(
            "E-NET-058", zh: "WebSocket 已关闭,消息未发出", en: "the WebSocket is closed; the message was not sent",
            nextZH: "重新连接后再发", nextEN: "send it after the next connection")
    }
}
