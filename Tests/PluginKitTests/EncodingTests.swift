import PluginKit
import PluginKitTesting
import Testing
import Values

@Suite struct EncodingTests {
    @Test(arguments: ["A", "AA=", "A===", "AA A", "AB==", "!!!!", "AAAAA"])
    func brokenBase64IsRefused(_ text: String) { #expect(Base64.decode(text) == nil) }

    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func base64FollowsItsStandard(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test func base64OfAddressesHasItsOwnAlphabet() {
        #expect(Base64.encode([0xfb, 0xff, 0xfe], alphabet: .url) == "-__-")
        #expect(Base64.encode([0xfb], alphabet: .url) == "-w")
        #expect(Base64.decode("-w") == [0xfb])
    }

    @Test(arguments: ["a", "0g", "é0"]) func brokenHexIsRefused(_ text: String) { #expect(Hex.decode(text) == nil) }

    @Test func hexIsLowerCaseAndReadsBoth() {
        #expect(Hex.encode([0, 0xaf]) == "00af")
        #expect(Hex.decode("00aF") == [0, 0xaf])
    }

    @Test(arguments: ["%", "%4", "%4g"]) func brokenPercentIsRefused(_ text: String) {
        #expect(Percent.decode(text) == nil)
    }

    @Test func percentEncodesAllButTheUnreserved() {
        #expect(Percent.encode("/a b-._~客") == "%2Fa%20b-._~%E5%AE%A2")
        #expect(Percent.decode("%2Fa+b") == Array("/a+b".utf8))
    }

    @Test func formsGoThereAndBack() {
        let text = Form.encode([(name: "a b", value: "1&2"), (name: "客", value: "")])
        #expect(text == "a%20b=1%262&%E5%AE%A2=")
        let fields = Form.decode(text + "&c=1+1")
        #expect(fields?.map(\.name) == ["a b", "客", "c"])
        #expect(fields?.map(\.value) == ["1&2", "", "1 1"])
        #expect(Form.decode("a=%ff") == nil)
    }

    @Test func aMultipartNameCannotEndItsLine() {
        var body = Multipart(boundary: "b")
        body.field("a\"\r\nX: 1", "v\(secret: "key")")
        body.file("f", fileName: "票.pdf", mediaType: "application/pdf", [1, 2])
        let text = String(decoding: body.body.literal, as: UTF8.self)
        #expect(
            text == "--b\r\nContent-Disposition: form-data; name=\"a%22%0D%0AX: 1\"\r\n\r\nv\r\n--b\r\n"
                + "Content-Disposition: form-data; name=\"f\"; filename=\"票.pdf\"\r\nContent-Type: application/pdf\r\n"
                + "\r\n\u{1}\u{2}\r\n--b--\r\n")
        #expect(body.body.insertions.count == 1)
        #expect(body.contentType == "multipart/form-data; boundary=b")
    }

    @Test func bytewiseIsNotAlphabetical() {
        #expect(Bytewise.sorted(["b", "B", "啊", "0", "a"]) == ["0", "B", "a", "b", "啊"])
    }

    @Test func gb18030GoesThereAndBackAndRefusesWhatItLacks() {
        #expect(Charset.gb18030.encode("金额€") == [0xbd, 0xf0, 0xb6, 0xee, 0xa2, 0xe3])
        #expect(Charset.gb18030.decode([0xbd, 0xf0, 0xb6, 0xee]) == "金额")
        #expect(Charset.gb18030.decode([0xbd]) == nil)
        #expect(Charset.gb18030.decode([]) == "")
        #expect(Charset.big5.encode("\u{1F600}") == nil)
    }

    @Test func theDigestsOfTheTestsFollowTheirStandards() {
        let abc = Array("abc".utf8)
        #expect(
            Hex.encode(Digests.sha256(abc)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(Hex.encode(Digests.sha1(abc)) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(Hex.encode(Digests.md5(abc)) == "900150983cd24fb0d6963f7d28e17f72")
        #expect(
            Hex.encode(
                Digests.hmac(Digests.sha256, key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }
}

@Suite struct VendorTimeTests {
    @Test(arguments: [
        "2026-01-05", "2026-13-05 10:00:00", "2026-01-05 24:00:00", "2026-01-05 10:60:00", "2026-01-05 10:00:0",
        "2026-01-05 10:00:00.", "2026-01-05 10:00:00+08:00", "2026/01/05 10:00:00", "",
    ])
    func whatIsNoWallClockIsRefused(_ text: String) {
        #expect(VendorTime.instant(wall: text, zone: .shanghai) == nil)
    }

    @Test func aWallClockIsReadInItsZone() {
        let instant = VendorTime.instant(wall: "2026-01-05 18:34:00", zone: .shanghai)
        #expect(instant == Instant("2026-01-05T18:34:00+08:00"))
        #expect(VendorTime.instant(wall: "2026-01-05T18:34", zone: .shanghai) == instant)
        let exact = VendorTime.instant(wall: "2026-01-05T18:34:00.1234", zone: .utc)
        #expect(exact == Instant("2026-01-05T18:34:00.123Z"))
    }

    @Test func aWallClockIsWrittenInItsZone() {
        #expect(VendorTime.wall(Instant(ms: 0), zone: .shanghai) == "1970-01-01 08:00:00")
        #expect(VendorTime.wall(Instant(ms: -1), zone: .utc, separator: "T") == "1969-12-31T23:59:59")
    }

    @Test func minutesWithAnOffsetAreAMoment() {
        #expect(VendorTime.instant(isoMinutes: "2026-01-05T18:34+08:00") == Instant("2026-01-05T10:34:00Z"))
        #expect(VendorTime.instant(isoMinutes: "2026-01-05T18:34Z") == Instant("2026-01-05T18:34:00Z"))
        #expect(VendorTime.instant(isoMinutes: "2026-01-05T18:34:05Z") == Instant("2026-01-05T18:34:05Z"))
        #expect(VendorTime.instant(isoMinutes: "2026-01-05T18:34") == nil)
    }

    @Test func slashDatesCountMilliseconds() {
        #expect(VendorTime.instant(slashDate: "/Date(1767225600000+0800)/") == Instant(ms: 1_767_225_600_000))
        #expect(VendorTime.instant(slashDate: "/Date(-5)/") == Instant(ms: -5))
        #expect(VendorTime.instant(slashDate: "/Date(x)/") == nil)
        #expect(VendorTime.instant(slashDate: "Date(1)") == nil)
        #expect(VendorTime.slashDate(Instant(ms: 7)) == "/Date(7)/")
        #expect(VendorTime.instant(epochMilliseconds: "1767225600000") == Instant(ms: 1_767_225_600_000))
        #expect(VendorTime.instant(epochMilliseconds: 7) == Instant(ms: 7))
        #expect(VendorTime.instant(epochMilliseconds: "7.5") == nil)
    }
}
