import Kingdee
import PluginKit
import PluginKitTesting
import Testing
import Values

/// Answers with broken bytes, cut ends and odd types: nothing a vendor sends may stop the worker, and nothing but a
/// clear success may count as one.
@Suite struct NoiseTests {
    /// A small generator, so that a failing round can be run again.
    private struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 33)
        }
    }

    private static let odd: [JSON] = [
        nil, true, false, "", " ", "0", "1", 0, -1, 9_223_372_036_854_775_807, [], [[]], [nil], [:],
        .number(JSONNumber("1e999") ?? JSONNumber(0)),
        .number(JSONNumber("-0.0000000000000000000000000001") ?? JSONNumber(0)),
        .string(String(repeating: "9", count: 60)), ["Result": nil], [[["Result": ["ResponseStatus": []]]]],
    ]

    /// The value with one node, somewhere, replaced by something odd.
    private static func bent(_ json: JSON, _ dice: inout Dice) -> JSON {
        if Int.random(in: 0..<4, using: &dice) == 0 { return odd.randomElement(using: &dice) ?? .null }
        switch json {
        case .array(var items):
            guard let index = items.indices.randomElement(using: &dice) else { return json }
            items[index] = bent(items[index], &dice)
            return .array(items)
        case .object(var object):
            guard let key = object.keys.randomElement(using: &dice), let value = object[key] else { return json }
            object[key] = bent(value, &dice)
            return .object(object)
        case .null, .bool, .number, .string: return odd.randomElement(using: &dice) ?? .null
        }
    }

    private static func noisy(_ answer: FakeAnswer, _ dice: inout Dice) -> FakeAnswer {
        guard case .reply(let status, let headers, var body) = answer else { return answer }
        switch Int.random(in: 0..<4, using: &dice) {
        case 0:
            for _ in 0..<3 {
                guard let index = body.indices.randomElement(using: &dice) else { break }
                body[index] = UInt8.random(in: 0...255, using: &dice)
            }
        case 1: body = Array(body.prefix(Int.random(in: 0...body.count, using: &dice)))
        default: if let json = try? JSON.parse(body) { body = bent(json, &dice).serialized() }
        }
        return .reply(status: status, headers: headers, body: body)
    }

    @Test(arguments: 1...8) func noAnswerStopsTheConnector(_ seed: UInt64) throws {
        final class Noise: @unchecked Sendable {
            // One thread only: the connector's.
            var dice: Dice
            var broken = ""
            init(_ seed: UInt64) { dice = Dice(state: seed) }
        }
        for round in 0..<40 {
            let noise = Noise(seed &* 1000 &+ UInt64(round))
            let galaxy = FakeGalaxy()
            let operation = ["ExecuteBillQuery", "Save", "Submit", "Audit", "LoginBySign", "QueryBusinessInfo"]
                .randomElement(using: &noise.dice)
            let host = FakeHost(secrets: ["app_id": Sample.appID, "app_secret": Sample.appSecret]) { request in
                let answer = galaxy.answer(request)
                return FakeGalaxy.operation(of: request) == operation ? Self.noisy(answer, &noise.dice) : answer
            }
            let connection = try Sample.connection(host, ["auth": "login-by-sign"])
            _ = try? connection.probe()
            _ = try? connection.find("voucher", business: ["date": "2026-01-15", "amount": "1200.50"])
            _ = try? connection.read("department")
            let outcome = try connection.write(
                "voucher", settings: ["finish": "audit"], [FakeRecord(key: Sample.key, Sample.voucher)])[0]
            if outcome.applied != nil || outcome.existed != nil {
                #expect(galaxy.books.map(\.status) == ["C"], "seed \(seed), round \(round)")
            }
            // However the answers looked, a second attempt does not save a second voucher.
            _ = try connection.write(
                "voucher", settings: ["finish": "audit"], [FakeRecord(key: Sample.key, Sample.voucher)])
            #expect(galaxy.books.count <= 1 || operation == "ExecuteBillQuery", "seed \(seed), round \(round)")
        }
    }
}
