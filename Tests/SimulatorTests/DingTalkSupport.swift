import DingTalkSimulator
import Foundation
import SimulatorKit

/// A simulator without a socket and with a clock that only the test moves: every limit can be met exactly.
struct DingTalk {
    static let key = "dingdemoappkey000001"
    static let secret = "demo-secret-for-the-simulator-only-0123456789"
    static let corp = "ding0f1e2d3c4b5a69788"

    let clock: VirtualClock
    let simulator: DingTalkSimulator

    init(_ settings: [String: String] = [:], seed: UInt64 = 1) throws {
        clock = VirtualClock()
        simulator = try DingTalkSimulator(
            options: SimulatorOptions(seed: seed, clock: clock, settings: settings))
    }

    /// Any request.
    func ask(
        _ method: String, _ target: String, _ body: SimJSON? = nil,
        headers: [(name: String, value: String)] = [("Content-Type", "application/json")]
    ) async -> Answer {
        let response = await simulator.handle(
            SimRequest(method: method, target: target, headers: headers, body: body?.bytes ?? []))
        return Answer(status: response.status, bytes: response.body, headers: [:])
    }

    func token() async -> String {
        let answer = await ask(
            "POST", "/v1.0/oauth2/accessToken", ["appKey": .string(Self.key), "appSecret": .string(Self.secret)])
        return answer.json["accessToken"]?.string ?? ""
    }

    /// A request of the new generation with a good token.
    func new(_ method: String, _ target: String, _ body: SimJSON? = nil) async -> Answer {
        await ask(
            method, target, body,
            headers: [("Content-Type", "application/json"), ("x-acs-dingtalk-access-token", await token())])
    }

    /// A request of the old generation with a good token.
    func old(_ target: String, _ body: SimJSON) async -> Answer {
        await ask("POST", "\(target)?access_token=\(await token())", body)
    }

    /// Asks the simulator's own control.
    func control(_ target: String, _ body: SimJSON = [:]) async -> SimJSON {
        let response = await simulator.control(SimRequest(method: "POST", target: target, body: body.bytes))
        return response.flatMap { try? SimJSON.parse($0.body) } ?? .null
    }

    /// The usual query for ids: the last 30 days, completed.
    func query(_ change: (inout SimJSON) -> Void = { _ in }) -> SimJSON {
        var query: SimJSON = [
            "processCode": "PROC-EXPENSE", "startTime": SimJSON(clock.now() - 30 * 86_400_000),
            "endTime": SimJSON(clock.now()), "nextToken": 0, "maxResults": 20, "statuses": ["COMPLETED"],
        ]
        change(&query)
        return query
    }

    /// The detail of an approval.
    func detail(_ id: String) async -> SimJSON {
        await new("GET", "/v1.0/workflow/processInstances?processInstanceId=\(id)").json["result"] ?? .null
    }
}

extension Answer {
    /// The new generation's code.
    var code: String? { json["code"]?.string }
    /// The old generation's errcode.
    var errcode: Int? { json["errcode"]?.int ?? json["errcode"]?.string.flatMap { Int($0) } }
}
