import PluginKit
import Values

/// How a connection of the product line `galaxy` is set up.
struct Settings: Sendable, Hashable {
    /// The ways in, see the vendor's manual on third-party log-in authorisation.
    enum Authentication: String, Sendable, CaseIterable {
        /// Two signatures on every request; no log-in call. The vendor's own SDK does it this way.
        case signedHeaders = "signed-headers"
        /// One log-in whose five parts are hashed.
        case loginBySign = "login-by-sign"
        /// One log-in that carries the application's secret.
        case loginByAppSecret = "login-by-app-secret"
    }

    /// With a slash at its end.
    let base: String
    /// The path of `base`, from its first slash on.
    let basePath: String
    let zone: TimeZoneRule
    let accountSet: String
    let user: String
    let language: Int64
    let organisation: String
    let authentication: Authentication
    let digest: CryptoService.Hash
    let dataAsString: Bool
    let externalField: String
    let numberField: String
    let voucherForm: String
    let rateType: String
    let dimensions: [String: String]
    let groups: [String: String]
    let currencies: [String: String]
    let duplicateMessages: [String]
    let sessionMessages: [String]

    init(_ configuration: ConnectionConfiguration) throws(Failure) {
        let settings = configuration.settings
        func text(_ name: String, _ standard: String) throws(Failure) -> String {
            guard let value = settings[name], !value.isNull else { return standard }
            if let text = value.string { return text }
            if case .number(let number) = value { return number.text }
            throw Self.wrong(name)
        }
        func map(_ name: String, _ standard: [String: String]) throws(Failure) -> [String: String] {
            guard let value = settings[name], !value.isNull else { return standard }
            guard let object = value.object else { throw Self.wrong(name) }
            var result = standard
            for (key, code) in object {
                guard let code = code.string, !code.isEmpty else { throw Self.wrong(name) }
                result[key] = code
            }
            return result
        }
        func list(_ name: String, _ standard: [String]) throws(Failure) -> [String] {
            guard let value = settings[name], !value.isNull else { return standard }
            guard let items = value.array else { throw Self.wrong(name) }
            var result = standard
            for item in items {
                guard let item = item.string, !item.isEmpty else { throw Self.wrong(name) }
                result.append(item)
            }
            return result
        }

        guard let marker = configuration.endpoint.firstRange(of: "://"), configuration.endpoint.hasPrefix("http")
        else { throw Self.wrong("endpoint") }
        base = configuration.endpoint.hasSuffix("/") ? configuration.endpoint : configuration.endpoint + "/"
        let rest = base[marker.upperBound...]
        basePath = rest.firstIndex(of: "/").map { String(rest[$0...]) } ?? "/"
        do { zone = try TimeZoneRule(named: configuration.timeZone) } catch { throw Failure(.invalidRecord, error) }

        accountSet = try text("account_set", "")
        user = try text("user", "")
        guard !accountSet.isEmpty else { throw Self.wrong("account_set") }
        // The four parts of X-Kd-Appdata are joined with commas.
        guard !user.isEmpty, !user.contains(","), !accountSet.contains(",") else { throw Self.wrong("user") }
        guard let language = Int64(try text("language", "2052")) else { throw Self.wrong("language") }
        self.language = language
        organisation = try text("organisation", "0")
        guard let authentication = Authentication(rawValue: try text("auth", "signed-headers")) else {
            throw Self.wrong("auth")
        }
        self.authentication = authentication
        switch try text("digest", "sha256") {
        case "sha256": digest = .sha256
        case "sha1": digest = .sha1
        default: throw Self.wrong("digest")
        }
        dataAsString = settings["data_as_string"]?.bool ?? false
        externalField = try text("ext_id_field", "F_KYDD_ExtID")
        numberField = try text("number_field", "FBillNo")
        // Both go into queries: an identifier cannot end one.
        guard Self.isIdentifier(externalField) else { throw Self.wrong("ext_id_field") }
        guard Self.isIdentifier(numberField) else { throw Self.wrong("number_field") }
        voucherForm = try text("voucher_form", "GL_VOUCHER")
        rateType = try text("rate_type", "HLTX01_SYS")
        dimensions = try map(
            "dimensions",
            [
                "supplier": "FDETAILID__FFLEX4", "department": "FDETAILID__FFLEX5", "customer": "FDETAILID__FFLEX6",
                "employee": "FDETAILID__FFLEX7", "expense": "FDETAILID__FFLEX9",
            ])
        groups = try map("groups", ["记": "PRE001"])
        currencies = try map("currencies", ["CNY": "PRE001"])
        duplicateMessages = try list("duplicate_messages", ["已经被使用", "违反字段唯一性", "数据包重复"])
        sessionMessages = try list("session_messages", ["会话信息已丢失", "ctx == null", "未登录"])
    }

    private static func wrong(_ name: String) -> Failure {
        .invalidRecord(
            zh: "连接设置 \(name) 缺失或不对", en: "the connection's setting \(name) is missing or wrong",
            field: "/settings/\(name)")
    }

    private static func isIdentifier(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f: true
                default: false
                }
            }
    }

    /// Who logs in: a session belongs to all four.
    var principal: String { "\(accountSet),\(user),\(language),\(organisation)" }
}

/// What a flow says about the vouchers it writes.
struct FlowSettings: Sendable, Hashable {
    /// The book, where the document names none.
    let book: String?
    /// The voucher word, where the document names none.
    let group: String?
    /// How far a voucher is taken.
    let finish: Stage

    init(_ settings: JSONObject) throws(Failure) {
        book = settings["book"]?.string
        group = settings["group"]?.string
        switch settings["finish"]?.string ?? "save" {
        case "save": finish = .saved
        case "submit": finish = .submitted
        case "audit": finish = .audited
        default:
            throw .invalidRecord(
                zh: "finish 只能是 save、submit 或 audit", en: "finish is one of save, submit and audit",
                field: "/settings/finish")
        }
    }
}
