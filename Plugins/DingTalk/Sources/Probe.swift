import PluginKit
import Values

/// Proves the app's credentials and permissions with harmless calls.
struct Probe {
    let client: Client

    func run(_ call: Call) throws(Failure) -> ProbeReport {
        var checks: [ProbeReport.Check] = []
        // The contacts' root: costs nothing of the monthly allowance.
        let contacts = Result { () throws(Failure) in
            try client.old("/topapi/v2/department/listsubid", ["dept_id": 1], metered: false, call)
        }
        switch contacts {
        case .success:
            checks.append(.init("token", isGood: true, zh: "应用凭据有效", en: "the app's credentials work"))
            checks.append(.init("contacts", isGood: true, zh: "可以读取通讯录", en: "contacts can be read"))
        case .failure(let failure):
            guard failure.kind == .authDenied, ["60011", "88/60011", "50002"].contains(failure.vendorCode) else {
                throw failure
            }
            checks.append(.init("token", isGood: true, zh: "应用凭据有效", en: "the app's credentials work"))
            checks.append(
                .init(
                    "contacts", isGood: false, zh: "没有通讯录权限: 工号会为空",
                    en: "no contacts permission: job numbers stay empty"))
        }
        // An instance that cannot exist: the answer tells whether approvals may be read at all.
        do {
            _ = try client.new(
                "GET", "/v1.0/workflow/processInstances?processInstanceId=datong-probe", metered: true, call)
            checks.append(.init("approvals", isGood: true, zh: "可以读取审批", en: "approvals can be read"))
        } catch {
            let isAllowed = error.kind == .invalidRecord
            guard isAllowed || error.kind == .authDenied else { throw error }
            let zh = error.messages.first { $0.language == .zh }?.text ?? ""
            let en = error.messages.first { $0.language == .en }?.text ?? ""
            checks.append(
                .init(
                    "approvals", isGood: isAllowed, zh: isAllowed ? "可以读取审批" : "不能读取审批: \(zh)",
                    en: isAllowed ? "approvals can be read" : "approvals cannot be read: \(en)"))
        }
        return ProbeReport(
            vendor: "DingTalk", version: "v1.0/topapi", fingerprint: client.settings.corporation, checks: checks)
    }
}
