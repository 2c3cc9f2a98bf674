import SimulatorKit

/// How this tenant and its server are set up. Every option has a text name, used by `--set kingdee.NAME=VALUE`, by a
/// test and by `POST /_sim/options`.
struct Options: Sendable {
    /// A gateway in front checks X-Api-Signature as well (public cloud); false = on premises, only X-Kd-Signature.
    var gateway = true
    /// The caller-owned text field of the voucher head; empty = this tenant has none.
    var externalField = "F_KYDD_ExtID"
    /// Sliding life of a session, seconds.
    var sessionSeconds = Limits.sessionSeconds
    /// A new login ends the user's earlier sessions.
    var kickOldSession = false
    /// A login while another of the same user is still in flight is refused.
    var refuseParallelLogins = false
    /// How long a login takes, milliseconds: makes logins overlap.
    var loginMilliseconds = 0
    /// Server before 8.0.0.202205: LoginBySign knows only SHA-1.
    var sha1Only = false
    /// Server from 2023-09 on: BillQuery exists.
    var billQuery = true
    /// Older server: `data` must be a JSON string.
    var dataAsString = false
    /// `MsgCode` comes as text.
    var messageCodeAsText = false
    /// Calls within the window before MsgCode 14; 0 = no limit.
    var callLimit = 0
    var callWindowMilliseconds = 1000
    /// How long ValidateRepeatJson remembers a package.
    var repeatMilliseconds = Limits.repeatedPackageMilliseconds
    /// Rows of one query; a tenant may raise it to 10000.
    var queryRows = Limits.queryRows
    /// Form calls at once before MsgCode 14; 0 = no limit.
    var mostInFlight = 0
    /// How long a form call takes, milliseconds: makes calls overlap.
    var workMilliseconds = 0
    /// The integration user's API licence.
    var licensed = true
    /// Submit starts a workflow, and Audit by API is refused until it ends.
    var workflow = false
    /// Good answers leave out the last success entity, as some servers did.
    var dropsSuccessEntities = false
    /// After an upgrade: forms carry one field more, so the answer of QueryBusinessInfo changes.
    var upgraded = false
    /// The tenant's dimension keys; fixed once the company stands.
    var dimensions = Dimension.usual
    /// `Operation` or `FormId.Operation` names (lower case) the integration user may not do.
    var denied: Set<String> = []

    init() {}

    init(_ settings: [String: String]) throws(SimulatorOptionError) {
        for name in settings.keys.sorted() { try set(name, to: settings[name] ?? "") }
    }

    mutating func set(_ name: String, to value: String) throws(SimulatorOptionError) {
        func flag() throws(SimulatorOptionError) -> Bool {
            guard let flag = Bool(value) else { throw SimulatorOptionError(setting: name, value: value) }
            return flag
        }
        func number() throws(SimulatorOptionError) -> Int {
            guard let number = Int(value), number >= 0 else { throw SimulatorOptionError(setting: name, value: value) }
            return number
        }
        switch name {
        case "gateway": gateway = try flag()
        case "ext_field": externalField = value
        case "session_seconds": sessionSeconds = try number()
        case "kick_old_session": kickOldSession = try flag()
        case "refuse_parallel_logins": refuseParallelLogins = try flag()
        case "login_ms": loginMilliseconds = try number()
        case "sha1_only": sha1Only = try flag()
        case "bill_query": billQuery = try flag()
        case "data_as_string": dataAsString = try flag()
        case "msgcode_as_text": messageCodeAsText = try flag()
        case "call_limit": callLimit = try number()
        case "call_window_ms": callWindowMilliseconds = try number()
        case "max_in_flight": mostInFlight = try number()
        case "repeat_ms": repeatMilliseconds = try number()
        case "work_ms": workMilliseconds = try number()
        case "dimensions": dimensions = try Self.dimensions(value)
        case "query_rows":
            queryRows = try number()
            guard (1...Limits.mostQueryRows).contains(queryRows) else {
                throw SimulatorOptionError(setting: name, value: value)
            }
        case "licensed": licensed = try flag()
        case "workflow": workflow = try flag()
        case "drop_success_entities": dropsSuccessEntities = try flag()
        case "upgraded": upgraded = try flag()
        case "denied": denied = Set(value.lowercased().split(separator: ",").map(String.init))
        default: throw SimulatorOptionError(setting: name, value: value)
        }
    }

    /// Reads `BD_Department:FF100001,BD_Empinfo:FF100002`; dimensions not named keep their usual key.
    private static func dimensions(_ text: String) throws(SimulatorOptionError) -> [Dimension] {
        var out = Dimension.usual
        for pair in text.split(separator: ",") {
            let parts = pair.split(separator: ":").map(String.init)
            guard parts.count == 2, let place = out.firstIndex(where: { $0.form == parts[0] }) else {
                throw SimulatorOptionError(setting: "dimensions", value: text)
            }
            out[place] = Dimension(key: parts[1], form: parts[0], title: out[place].title)
        }
        return out
    }

    var json: SimJSON {
        [
            "gateway": .bool(gateway), "ext_field": .string(externalField), "session_seconds": SimJSON(sessionSeconds),
            "kick_old_session": .bool(kickOldSession), "refuse_parallel_logins": .bool(refuseParallelLogins),
            "login_ms": SimJSON(loginMilliseconds), "sha1_only": .bool(sha1Only), "bill_query": .bool(billQuery),
            "data_as_string": .bool(dataAsString), "msgcode_as_text": .bool(messageCodeAsText),
            "call_limit": SimJSON(callLimit), "call_window_ms": SimJSON(callWindowMilliseconds),
            "max_in_flight": SimJSON(mostInFlight), "work_ms": SimJSON(workMilliseconds),
            "repeat_ms": SimJSON(repeatMilliseconds),
            "dimensions": .string(dimensions.map { "\($0.form):\($0.key)" }.joined(separator: ",")),
            "query_rows": SimJSON(queryRows), "licensed": .bool(licensed), "workflow": .bool(workflow),
            "drop_success_entities": .bool(dropsSuccessEntities), "upgraded": .bool(upgraded),
            "denied": .string(denied.sorted().joined(separator: ",")),
        ]
    }
}
