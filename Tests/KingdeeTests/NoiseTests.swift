import Kingdee
import PluginKit
import PluginKitTesting
import Testing
import Values

/// Answers with broken bytes, cut ends and odd types: nothing a vendor sends may stop the worker, and nothing but a
/// clear success may count as one.
@Suite struct NoiseTests {
    @Test(arguments: 1...8) func noAnswerStopsTheConnector(_ seed: UInt64) throws {
        for round in 0..<40 {
            let noise = Noise(seed: seed &* 1000 &+ UInt64(round))
            let galaxy = FakeGalaxy()
            let operation = noise.pick([
                "ExecuteBillQuery", "Save", "Submit", "Audit", "LoginBySign", "QueryBusinessInfo",
            ])
            let host = FakeHost(secrets: ["app_id": Sample.appID, "app_secret": Sample.appSecret]) { request in
                let answer = galaxy.answer(request)
                return FakeGalaxy.operation(of: request) == operation ? noise.noisy(answer) : answer
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
