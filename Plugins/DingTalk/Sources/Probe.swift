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
        case .failure(let failure) where Codes.isPermission(failure.vendorCode):
            checks.append(.init("token", isGood: true, zh: "应用凭据有效", en: "the app's credentials work"))
            checks.append(
                .init(
                    "contacts", isGood: false, zh: "没有通讯录权限: 工号会为空",
                    en: "no contacts permission: job numbers stay empty"))
        case .failure(let failure) where [.authDenied, .authExpired, .denied].contains(failure.kind):
            checks.append(
                .init(
                    "token", isGood: false, zh: "应用凭据无效: \(Self.words(failure, .zh))",
                    en: "the app's credentials do not work: \(Self.words(failure, .en))"))
            return report(checks)
        case .failure(let failure): throw failure
        }
        // An instance that cannot exist: the answer tells whether approvals may be read at all.
        do {
            _ = try client.new(
                "GET", "/v1.0/workflow/processInstances?processInstanceId=datong-probe", metered: true, call)
            checks.append(.init("approvals", isGood: true, zh: "可以读取审批", en: "approvals can be read"))
        } catch {
            let isAllowed = error.kind == .invalidRecord
            guard isAllowed || error.kind == .authDenied else { throw error }
            checks.append(
                .init(
                    "approvals", isGood: isAllowed, zh: isAllowed ? "可以读取审批" : "不能读取审批: \(Self.words(error, .zh))",
                    en: isAllowed ? "approvals can be read" : "approvals cannot be read: \(Self.words(error, .en))"))
        }
        return report(checks)
    }

    private func report(_ checks: [ProbeReport.Check]) -> ProbeReport {
        ProbeReport(
            vendor: "DingTalk", version: "v1.0/topapi", fingerprint: client.settings.corporation, checks: checks)
    }

    /// Our words, and the vendor's where it had any.
    private static func words(_ failure: Failure, _ language: Failure.Message.Language) -> String {
        let ours = failure.messages.first { $0.language == language }
        let theirs = failure.messages.first { $0.language == .vendor }
        // What a host service says comes in one language.
        let any = ours == nil && theirs == nil ? failure.messages.first : nil
        return [ours, theirs, any].compactMap { $0?.text }.joined(separator: ", ")
    }
}
