import PluginKit
import Values

/// The vendor's error codes and what each means, from the error code tables of its documentation. Decided by code, never by text.
enum Codes {
    /// What a code makes of a failure.
    struct Meaning: Hashable {
        var kind: Failure.Kind
        var retryAfter: Int64?

        init(_ kind: Failure.Kind, after: Int64? = nil) {
            self.kind = kind
            retryAfter = after
        }
    }

    /// Codes of the new API, compared without regard to case.
    static let new: [String: Meaning] = {
        var table: [String: Meaning] = [:]
        func add(_ kind: Failure.Kind, _ codes: [String], after: Int64? = nil) {
            for code in codes { table[code.lowercased()] = Meaning(kind, after: after) }
        }
        add(.authExpired, ["InvalidAuthentication"])
        add(
            .transient,
            ["systemError", "system.error", "server.error", "ServiceUnavailable", "unknown.error"])
        add(
            .throttled,
            [
                "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
                "Forbidden.AccessDenied.QpsLimitForSuitekeyAndOrgAndApi",
                "Forbidden.AccessDenied.QpsLimitForApi", "request.too.frequent", "autoflowLikeTriggerRateLimited",
            ], after: Limits.secondMilliseconds)
        add(
            .throttled, ["Forbidden.AccessDenied.QpmLimitForAppkeyAndApi", "toomuch.msg"],
            after: Limits.minuteMilliseconds)
        add(
            .quotaSpent,
            ["Forbidden.AccessDenied.ApiCountLimitForOrg", "daily.call.limit", "ding.serverquota.insufficient"])
        add(
            .authDenied,
            [
                "invalidClientIdOrSecret", "invalid.client", "unauthorized.client", "unsupported.grant.type",
                "Forbidden.AccessDenied.AccessTokenPermissionDenied", "AccessTokenPermissionDenied", "needAuth",
                "Forbidden.AccessDenied.IpNotInWhiteList", "IpNotInWhiteList", "accessKeyNotMatch",
            ])
        add(
            .invalidRecord,
            [
                "invalidParameter", "processInstanceIdError", "processInstanceNotExist", "invalidProcessCode",
                "invalidInstanceListIdsStartTime", "invalidNextToken", "invalidMaxResults", "invalidEndTime",
                "invalidUserIds", "formConverterError",
            ])
        add(.conflict, ["same.data.exists"])
        add(.unsupported, ["crm.not.installed"])
        return table
    }()

    /// Codes of the old API.
    static let old: [String: Meaning] = {
        var table: [String: Meaning] = [:]
        func add(_ kind: Failure.Kind, _ codes: [Int], after: Int64? = nil) {
            for code in codes { table[String(code)] = Meaning(kind, after: after) }
        }
        add(.authExpired, [40014, 42001, 40001, 41001])
        add(.transient, [-1])
        add(.throttled, [90002, 90018, 90014, 45009], after: Limits.secondMilliseconds)
        add(.throttled, [90005, 90006, 90007, 90008], after: Limits.minuteMilliseconds)
        add(.throttled, [410100, 130101], after: Limits.robotMilliseconds)
        add(.quotaSpent, [90020])
        add(.authDenied, [40089, 40078, 40096, 60011, 60020, 50002, 310000, 400101, 400102])
        add(
            .invalidRecord,
            [
                400002, 40035, 33012, 60003, 60121, 43004, 400105, 400106, 400013, 430101, 430102, 430103, 430104,
            ])
        add(.unsupported, [22])
        return table
    }()

    /// What a person does about a code that no other attempt will change; `88/60020` counts as `60020`.
    static func advice(_ code: String) -> (zh: String, en: String)? {
        let inner = code.split(separator: "/").last.map(String.init) ?? code
        return switch inner.lowercased().split(separator: ".").last ?? "" {
        case "invalidclientidorsecret", "client", "40089", "40078", "40096":
            ("请核对 app_key 与 app_secret", "check app_key and app_secret")
        case "ipnotinwhitelist", "60020":
            ("请把本机的出口 IP 加入应用的白名单", "add this machine's public address to the app's list")
        case "apicountlimitfororg", "90020":
            ("本月额度已用完, 请升级或等到下月", "the month's allowance is spent: upgrade, or wait for the next month")
        case "60011", "50002": ("请在开发者后台为应用开通权限", "grant the app the permission")
        case "310000":
            ("请核对 robot_secret、机器人的安全设置与本机时钟", "check robot_secret, the robot's security settings and the clock")
        case "400101": ("请核对 robot_token", "check robot_token")
        case "400102": ("请在群里重新启用机器人", "enable the robot in its group again")
        default: nil
        }
    }

    /// The old API's ways to say that the app lacks a permission while its token is good.
    static func isPermission(_ vendorCode: String) -> Bool {
        ["60011", "88/60011", "50002", "88/50002"].contains(vendorCode)
    }

    /// The meaning of a new API's code; an unknown one by HTTP status.
    static func meaning(new code: String, status: Int) -> Meaning {
        if let known = new[code.lowercased()] { return known }
        let lower = code.lowercased()
        if lower.hasPrefix("invalidparameter.") || lower.hasPrefix("missing") { return Meaning(.invalidRecord) }
        if lower.contains("apicountlimit") { return Meaning(.quotaSpent) }
        if lower.contains("qpslimit") { return Meaning(.throttled, after: Limits.secondMilliseconds) }
        if lower.contains("qpmlimit") { return Meaning(.throttled, after: Limits.minuteMilliseconds) }
        let byStatus = meaning(status: status)
        return byStatus.kind == .schemaDrift ? Meaning(.invalidRecord) : byStatus
    }

    /// The meaning of an answer that has neither generation's shape, by its status alone.
    static func meaning(status: Int) -> Meaning {
        switch status {
        case 429: Meaning(.throttled, after: Limits.secondMilliseconds)
        case 401, 403: Meaning(.authDenied)
        case 500...: Meaning(.transient)
        default: Meaning(.schemaDrift)
        }
    }

    /// The meaning of an old API's code; the gateway's 88 hides the real one in `sub_code`.
    static func meaning(old code: String, sub: String) -> Meaning {
        if code == "88", sub.isEmpty { return Meaning(.transient) }
        if code == "88" { return old[sub] ?? Meaning(.invalidRecord) }
        return old[code] ?? Meaning(.invalidRecord)
    }
}
