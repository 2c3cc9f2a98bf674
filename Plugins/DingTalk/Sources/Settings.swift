import PluginKit
import Values

/// How a connection of the product line `standard` (an internal app) is set up.
struct Settings: Sendable, Hashable {
    /// Base of the new API, without a slash at its end.
    let base: String
    /// Base of the old API, without a slash at its end.
    let oldBase: String
    let corporation: String
    /// The connection's name.
    let connection: String
    /// The numeric id of the app: work notifications need it.
    let agent: String?
    /// Who writes comments; nil: the applicant of the approval.
    let commentUser: String?
    /// The customer's zone: instants are given in it.
    let zone: TimeZoneRule
    /// The zone of the new API's times, which end in Z [DOC] but have been doubted.
    let timesZone: TimeZoneRule
    let hasRobotToken: Bool
    let hasRobotSecret: Bool

    init(_ configuration: ConnectionConfiguration) throws(Failure) {
        let settings = configuration.settings
        func text(_ name: String) throws(Failure) -> String? {
            guard let value = settings[name], !value.isNull else { return nil }
            if case .number(let number) = value { return number.text }
            guard let text = value.string, !text.isEmpty else { throw Self.wrong(name) }
            return text
        }
        base = try Self.base(configuration.endpoint, "endpoint")
        oldBase = try Self.base(try text("old_endpoint") ?? "https://oapi.dingtalk.com", "old_endpoint")
        connection = configuration.name
        corporation = try text("corp_id") ?? ""
        agent = try text("agent_id")
        if let agent, agent.contains(where: { !$0.isASCII || !$0.isNumber }) { throw Self.wrong("agent_id") }
        commentUser = try text("comment_user")
        zone = try Self.zone(configuration.timeZone, "time_zone")
        timesZone = try Self.zone(try text("times_zone") ?? "UTC", "times_zone")
        hasRobotToken = configuration.secrets.contains("robot_token")
        hasRobotSecret = configuration.secrets.contains("robot_secret")
    }

    private static func base(_ text: String, _ name: String) throws(Failure) -> String {
        let scheme = ["http://", "https://"].first { text.hasPrefix($0) }
        guard let scheme, text.utf8.count > scheme.utf8.count else { throw wrong(name) }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    private static func zone(_ name: String, _ setting: String) throws(Failure) -> TimeZoneRule {
        do { return try TimeZoneRule(named: name) } catch { throw wrong(setting) }
    }

    private static func wrong(_ name: String) -> Failure {
        .invalidRecord(
            zh: "连接设置 \(name) 缺失或不对", en: "the connection's setting \(name) is missing or wrong",
            field: "/settings/\(name)")
    }
}
