import PluginKit
import Values

/// Proves a connection with harmless calls: log-in, permission on the voucher form, and that every field a voucher
/// needs is on the tenant's form. The ERP ignores unknown members without a word, so a missing one must be seen here.
struct Probe: Sendable {
    let settings: Settings
    let client: Client

    init(_ settings: Settings) {
        self.settings = settings
        client = Client(settings: settings)
    }

    private static let needed = [
        "FAccountBookID", "FDate", "FBUSDATE", "FYEAR", "FPERIOD", "FVOUCHERGROUPID", "FVOUCHERGROUPNO",
        "FATTACHMENTS", "FEXPLANATION", "FACCOUNTID", "FDetailID", "FCURRENCYID", "FEXCHANGERATETYPE",
        "FEXCHANGERATE", "FAMOUNTFOR", "FDEBIT", "FCREDIT", "FDocumentStatus",
    ]

    func run(_ call: Call) throws(Failure) -> ProbeReport {
        let answer: JSON
        do {
            answer = try client.operate(
                "QueryBusinessInfo", form: nil, ["FormId": .string(settings.voucherForm)], .read, call)
        } catch {
            switch error.kind {
            case .authDenied, .authExpired: return report("", [Self.failed("login", error)])
            case .invalidRecord, .unsupported, .denied:
                return report("", [Self.failed("voucher-form", error)])
            default: throw error
            }
        }
        var fields: [String] = []
        Self.collect(AnswerReader.result(in: answer) ?? .null, into: &fields)
        let known = Set(fields.map { $0.prefix { $0 != ":" }.lowercased() })
        let form = settings.voucherForm
        var checks = [
            ProbeReport.Check("login", isGood: true, zh: "登录成功", en: "logged in"),
            ProbeReport.Check(
                "voucher-form", isGood: !fields.isEmpty, zh: "凭证表单 \(form) 有 \(fields.count) 个字段",
                en: "the voucher form \(form) has \(fields.count) fields"),
        ]
        let external = settings.externalField
        let hasExternal = known.contains(external.lowercased())
        checks.append(
            ProbeReport.Check(
                "ext-id-field", isGood: hasExternal,
                zh: hasExternal
                    ? "外部标识字段 \(external) 在表单上" : "表单 \(form) 上没有字段 \(external)：请用 BOS 设计器添加一个文本字段，否则无法保证不重复",
                en: hasExternal
                    ? "the field \(external) is on the form"
                    : "the form \(form) lacks \(external): add a text field with the form designer, "
                        + "without it nothing keeps documents from doubling"))
        let missing = (Self.needed + [settings.numberField]).filter { !known.contains($0.lowercased()) }
        checks.append(
            ProbeReport.Check(
                "fields", isGood: missing.isEmpty,
                zh: missing.isEmpty ? "所需字段齐全" : "表单 \(form) 缺少字段：\(missing.joined(separator: "、"))",
                en: missing.isEmpty
                    ? "every field needed is there" : "the form \(form) lacks \(missing.joined(separator: ", "))"))
        let shape = Bytewise.sorted(fields).joined(separator: "\n")
        return report(Hex.encode(try call.crypto.digest(.sha256, [.text(shape)])), checks)
    }

    private func report(_ fingerprint: String, _ checks: [ProbeReport.Check]) -> ProbeReport {
        ProbeReport(vendor: "金蝶云星空", version: "", fingerprint: fingerprint, checks: checks)
    }

    private static func failed(_ id: String, _ failure: Failure) -> ProbeReport.Check {
        let zh = failure.messages.filter { $0.language != .en }.map(\.text).joined(separator: "；")
        let en = failure.messages.filter { $0.language != .zh }.map(\.text).joined(separator: "; ")
        // What a host service says comes in one language.
        return ProbeReport.Check(id, isGood: false, zh: zh.isEmpty ? en : zh, en: en.isEmpty ? zh : en)
    }

    /// Every part of the form that has a key, wherever the answer nests it: `key:type:compulsory`, as far as it says.
    private static func collect(_ json: JSON, into fields: inout [String]) {
        switch json {
        case .array(let items):
            for item in items { collect(item, into: &fields) }
        case .object(let object):
            if let key = object["Key"]?.string {
                let (type, must) = (AnswerReader.text(object["ElementType"]), AnswerReader.text(object["MustInput"]))
                fields.append("\(key):\(type):\(must)")
            }
            for (_, value) in object { collect(value, into: &fields) }
        case .null, .bool, .number, .string: return
        }
    }
}
