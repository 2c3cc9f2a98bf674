import SimulatorKit
import Testing

@testable import DingTalkSimulator

@Suite("DingTalk: spellings")
struct DingTalkSpellingTests {
    @Test(
        "money in its three spellings",
        arguments: [
            (128_050, "1280.50", "1,280.50", "壹仟贰佰捌拾元伍角"), (5, "0.05", "0.05", "零元零伍分"), (100, "1.00", "1.00", "壹元整"),
            (100_000_00, "100000.00", "100,000.00", "壹拾万元整"), (1_000_503, "10005.03", "10,005.03", "壹万零伍元零叁分"),
            (100_100_00, "100100.00", "100,100.00", "壹拾万零壹佰元整"),
            (123_456_789, "1234567.89", "1,234,567.89", "壹佰贰拾叁万肆仟伍佰陆拾柒元捌角玖分"),
        ])
    func money(_ cents: Int, _ plain: String, _ grouped: String, _ capital: String) {
        #expect(Money.plain(cents) == plain)
        #expect(Money.grouped(cents) == grouped)
        #expect(Money.capital(cents) == capital)
    }

    @Test("instants in their spellings, over leap days and the day line of Beijing")
    func instants() {
        #expect(Time.minute(1_767_225_600_000) == "2026-01-01T00:00Z")
        #expect(Time.local(1_767_225_600_000) == "2026-01-01 08:00:00")
        #expect(Time.day(1_767_225_600_000 - 1) == "2026-01-01")
        #expect(Time.day(1_767_225_600_000 - 8 * 3_600_000 - 1) == "2025-12-31")
        #expect(Time.local(1_709_164_800_000) == "2024-02-29 08:00:00")
        #expect(Time.day(1_709_251_200_000) == "2024-03-01")
        #expect(Time.minute(951_782_400_000) == "2000-02-29T00:00Z")
        #expect(Time.minute(-60_000) == "1969-12-31T23:59Z")
        #expect(Time.stamp(1_767_225_600_000) == "202601010800")
    }

    @Test("SHA-256 and its keyed form give the published digests")
    func digests() {
        func hex(_ bytes: [UInt8]) -> String {
            bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        #expect(
            hex(Digest.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            hex(Digest.sha256(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            hex(Digest.hmacSHA256(key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            ["", "f", "fo", "foo", "foob"].map { Digest.base64(Array($0.utf8)) } == [
                "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==",
            ])
    }
}
