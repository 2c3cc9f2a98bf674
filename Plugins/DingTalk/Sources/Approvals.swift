import PluginKit
import Values

/// Fetches an approval and gives it the shape all connectors share, `docs/documents.md`.
struct Approvals {
    let client: Client
    let people: People

    private var settings: Settings { client.settings }

    /// The approval, or nil when the vendor knows no such instance.
    func approval(_ id: String, _ call: Call) throws(Failure) -> JSON? {
        guard let result = try client.instance(id, call) else { return nil }
        let user = Text.of(result["originatorUserId"])
        guard !user.isEmpty else {
            throw Failure(.schemaDrift, zh: "审批详情没有申请人", en: "nobody is named as the approval's applicant")
        }
        let person = try people.person(user, client, call)
        let department: JSON =
            Text.filled(result["originatorDeptId"])
            .map { ["id": .string($0), "name": Self.text(result["originatorDeptName"])] } ?? .null
        var attachments: [JSON] = []
        let fields = try Components(zone: settings.zone).fields(
            result["formComponentValues"]?.array ?? [], &attachments)
        return [
            "id": .string(id), "number": Self.text(result["businessId"]),
            // The detail does not name it [DOC]; lists and events do, and the host completes the document from them.
            "template": Self.text(result["processCode"]),
            "title": .string(Text.of(result["title"])), "status": .string(try Self.status(result["status"])),
            "result": try Self.result(result["result"]), "action": .string(try Self.action(result["bizAction"])),
            "main_id": Self.text(result["mainProcessInstanceId"]),
            "applicant": [
                "id": .string(user), "name": (person.name ?? Self.applicant(result)).map { .string($0) } ?? .null,
                "employee_number": person.jobNumber.map { .string($0) } ?? .null, "department": department,
            ], "created_at": try time(result["createTime"]), "finished_at": try time(result["finishTime"]),
            "fields": .array(fields), "attachments": .array(attachments), "extra": [:],
        ]
    }

    private static func text(_ value: JSON?) -> JSON { Text.filled(value).map { .string($0) } ?? .null }

    /// Without the contacts permission the title still says who: "张三提交的…".
    private static func applicant(_ result: JSON) -> String? {
        let title = Text.of(result["title"])
        guard let end = title.firstRange(of: "提交的"), end.lowerBound > title.startIndex else { return nil }
        return String(title[..<end.lowerBound])
    }

    private static func status(_ value: JSON?) throws(Failure) -> String {
        switch Text.of(value).uppercased() {
        case "NEW", "RUNNING": return "running"
        case "COMPLETED": return "completed"
        case "TERMINATED": return "terminated"
        case "CANCELED", "CANCELLED": return "canceled"
        default:
            throw Failure(
                .schemaDrift, zh: "不认识审批状态 \(Text.of(value))", en: "unknown approval status \(Text.of(value))")
        }
    }

    private static func result(_ value: JSON?) throws(Failure) -> JSON {
        switch Text.of(value).lowercased() {
        case "agree": return "agree"
        case "refuse": return "refuse"
        case "", "null", "none": return .null
        default:
            throw Failure(
                .schemaDrift, zh: "不认识审批结果 \(Text.of(value))", en: "unknown approval result \(Text.of(value))")
        }
    }

    private static func action(_ value: JSON?) throws(Failure) -> String {
        switch Text.of(value).uppercased() {
        case "", "NULL", "NONE": return "none"
        case "MODIFY": return "modify"
        case "REVOKE": return "revoke"
        default:
            // Guessing "none" would post what may be a reversal.
            throw Failure(
                .schemaDrift, zh: "不认识审批动作 \(Text.of(value))", en: "unknown approval action \(Text.of(value))")
        }
    }

    /// `2026-01-05T11:52Z`, to the minute, in a zone that is a setting, or Beijing wall text without one [DOC];
    /// given out in the customer's zone.
    private func time(_ value: JSON?) throws(Failure) -> JSON {
        guard let text = Text.filled(value) else { return .null }
        var instant = VendorTime.instant(isoMinutes: text)
        if let utc = instant, text.hasSuffix("Z"), settings.timesZone.offsetSeconds(at: utc) != 0 {
            instant = Instant(ms: utc.ms - Int64(settings.timesZone.offsetSeconds(at: utc)) * 1000)
        }
        instant = instant ?? VendorTime.instant(wall: text, zone: .shanghai)
        guard let instant, let given = settings.zone.text(of: instant) else {
            throw Failure(.schemaDrift, zh: "读不懂时间 \(text)", en: "the time \(text) cannot be read")
        }
        return .string(given)
    }
}
