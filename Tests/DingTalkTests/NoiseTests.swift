import DingTalk
import PluginKit
import PluginKitTesting
import Testing
import Values

/// Answers with broken bytes, cut ends and odd types: nothing a vendor sends may stop the worker, and nothing but a
/// clear success may count as one.
@Suite struct NoiseTests {
    private static let components: [JSON] = [
        ["id": "TextField-1", "name": "事由", "value": "拜访", "componentType": "TextField", "bizAlias": "reason"],
        ["id": "MoneyField-1", "name": "金额", "value": "1,280.50", "componentType": "MoneyField"],
        ["id": "DDDateField-1", "name": "日期", "value": "9223372036854775807", "componentType": "DDDateField"],
        [
            "id": "DDDateRangeField-1", "name": "[\"始\",\"终\"]", "value": ["2026-01-03", "1767369600000"],
            "componentType": "DDDateRangeField",
        ],
        [
            "id": "InnerContactField-1", "name": "人", "value": "李四", "componentType": "InnerContactField",
            "extValue": ["list": [["emplId": "user002"]]],
        ],
        [
            "id": "TableField-1", "name": "明细", "componentType": "TableField",
            "value": [["rowValue": [["key": "MoneyField-2", "label": "金额", "value": "1"]]]],
        ],
        [
            "id": "DDAttachment-1", "name": "附件", "componentType": "DDAttachment",
            "value": [["fileId": 1, "fileName": "a.pdf", "fileSize": "5"]],
        ], ["componentType": "DDBizSuite", "value": [["id": "TextField-2", "value": "x"]]],
    ]

    private static let event: JSON = [
        "type": "EVENT",
        "headers": ["topic": "*", "messageId": "m", "eventType": "bpms_instance_change", "eventId": "e"],
        "data": ["processInstanceId": "pi-1", "type": "finish", "result": "agree", "processCode": "PROC-A"],
    ]

    @Test(arguments: 1...8) func noAnswerStopsTheConnector(_ seed: UInt64) throws {
        for round in 0..<60 {
            let noise = Noise(seed: seed &* 1000 &+ UInt64(round))
            let vendor = FakeDingTalk()
            vendor.put("pi-1", Sample.approval([:], Self.components))
            let operation = noise.pick([
                "token", "detail", "user", "list", "stream", "comment", "robot", "notify", "departments",
            ])
            let host = FakeHost(secrets: Sample.everySecret) { request in
                let answer = vendor.answer(request)
                return FakeDingTalk.operation(of: request) == operation ? noise.noisy(answer) : answer
            }
            let connection = try Sample.connection(host, ["comment_user": "clerk"])
            _ = try? connection.probe()
            _ = try? connection.endpoint()
            _ = try? connection.read("approval", filter: ["template": ["PROC-A"]])
            for record in (try? connection.read("approval", ids: ["pi-1"]).records) ?? [] {
                #expect(record.document?["id"] == "pi-1", "seed \(seed), round \(round)")
                let status = record.document?["status"]?.string ?? ""
                #expect(["completed", "running", "terminated", "canceled"].contains(status))
            }
            let comment = FakeRecord(key: Sample.key, ["document": "pi-1", "text": "记-12"])
            let applied = try connection.write("approval-comment", [comment])[0].applied
            #expect(applied == nil || vendor.history.contains("comment"), "seed \(seed), round \(round)")
            for to in [["group": true], ["users": ["user001"]]] as [JSON] {
                let record = FakeRecord(key: Sample.key, ["to": to, "title": "t", "markdown": "m"])
                // Written or refused, but always answered.
                #expect(try connection.write("message", [record])[0] != nil, "seed \(seed), round \(round)")
            }
            if let heard = try? connection.frame(noise.bent(Self.event).serialized()) {
                // What is acknowledged at once is no hint, and a hint is acknowledged once it is durable.
                #expect(heard.hints.isEmpty || heard.sentNow.isEmpty, "seed \(seed), round \(round)")
            }
        }
    }
}
