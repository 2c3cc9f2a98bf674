import Synchronization
import Testing

@testable import Network

@Suite("Cookies")
struct CookieJarTests {
    private func header(_ jar: CookieJar, _ url: String) -> String? {
        jar.header(for: url).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        "which cookie goes where",
        arguments: [
            // Set-Cookie, from, to, expected Cookie header
            ("sid=1", "http://erp.example.com/k3/login", "http://erp.example.com/k3/save", "sid=1"),
            ("sid=1", "http://erp.example.com/k3/login", "http://erp.example.com/k3", "sid=1"),
            ("sid=1", "http://erp.example.com/k3/login", "http://erp.example.com/k3x", nil),
            ("sid=1", "http://erp.example.com/k3/login", "http://erp.example.com/", nil),
            ("sid=1", "http://erp.example.com/login", "http://erp.example.com/other", "sid=1"),
            ("sid=1; Path=/", "http://erp.example.com/k3/login", "http://erp.example.com/", "sid=1"),
            ("sid=1; path=/k3/", "http://erp.example.com/", "http://erp.example.com/k3/a", "sid=1"),
            ("sid=1; path=/k3", "http://erp.example.com/", "http://erp.example.com/k33", nil),
            ("sid=1; path=relative", "http://erp.example.com/a/b", "http://erp.example.com/a/c", "sid=1"),
            ("sid=1;;; ;Path=/;", "http://erp.example.com/a/b", "http://erp.example.com/", "sid=1"),
            ("sid=a=b==; HttpOnly", "http://erp.example.com/", "http://erp.example.com/", "sid=a=b=="),
            ("sid=\"a b\"", "http://erp.example.com/", "http://erp.example.com/", "sid=\"a b\""),
            ("  sid  =  1  ; Path = / ", "http://erp.example.com/a/", "http://erp.example.com/", "sid=1"),
            ("sid=", "http://erp.example.com/", "http://erp.example.com/", "sid="),
            ("=1", "http://erp.example.com/", "http://erp.example.com/", nil),
            ("sid", "http://erp.example.com/", "http://erp.example.com/", nil),
            ("", "http://erp.example.com/", "http://erp.example.com/", nil),
            ("sid=1", "http://erp.example.com/", "http://other.example.com/", nil),
            ("sid=1", "http://erp.example.com/", "http://a.erp.example.com/", nil),
            ("sid=1; Domain=.example.com", "http://erp.example.com/", "http://other.example.com/", "sid=1"),
            ("sid=1; Domain=example.com", "http://erp.example.com/", "http://badexample.com/", nil),
            ("sid=1; Domain=other.com", "http://erp.example.com/", "http://other.com/", nil),
            ("sid=1; Domain=com", "http://erp.example.com/", "http://erp.example.com/", nil),
            ("sid=1; Domain=com.cn", "http://erp.example.com.cn/", "http://evil.com.cn/", nil),
            ("sid=1; Domain=0.0.1", "http://127.0.0.1/", "http://127.0.0.1/", nil),
            ("sid=1; Domain=127.0.0.1", "http://127.0.0.1/", "http://127.0.0.1/", "sid=1"),
            ("sid=1; Secure", "https://erp.example.com/", "http://erp.example.com/", nil),
            ("sid=1; Secure", "https://erp.example.com/", "https://erp.example.com/", "sid=1"),
            ("sid=1; Max-Age=60", "http://erp.example.com/", "http://erp.example.com/", "sid=1"),
            ("sid=1; Max-Age=0", "http://erp.example.com/", "http://erp.example.com/", nil),
            (
                "sid=1; Max-Age=-1; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "http://erp.example.com/",
                "http://erp.example.com/", nil
            ),
            ("sid=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://erp.example.com/", "http://erp.example.com/", nil),
            (
                "sid=1; Expires=Thu, 01-Jan-2099 00:00:00 GMT", "http://erp.example.com/", "http://erp.example.com/",
                "sid=1"
            ),
            ("sid=1; Expires=soon", "http://erp.example.com/", "http://erp.example.com/", "sid=1"),
            ("sid=1\u{1}", "http://erp.example.com/", "http://erp.example.com/", nil),
        ] as [(String, String, String, String?)])
    func table(set: String, from: String, to: String, expected: String?) {
        let jar = CookieJar { 1_000_000_000 }
        jar.store(Array(set.utf8), from: from)
        #expect(header(jar, to) == expected)
    }

    @Test("a new value replaces the old one, longer paths come first, and time passes")
    func life() {
        let now = Mutex<Int64>(1000)
        let jar = CookieJar { now.withLock { $0 } }
        let url = "http://erp.example.com/k3/a"
        for cookie in ["a=1; Path=/", "b=2; Path=/k3", "c=3; Path=/; Max-Age=10", "a=9; Path=/"] {
            jar.store(Array(cookie.utf8), from: url)
        }
        #expect(header(jar, url) == "b=2; a=9; c=3")
        now.withLock { $0 = 1010 }
        #expect(header(jar, url) == "b=2; a=9")
        jar.store(Array("b=; Path=/k3; Max-Age=0".utf8), from: url)
        #expect(header(jar, url) == "a=9")
        jar.removeAll()
        #expect(header(jar, url) == nil)
    }

    @Test("a jar is bounded: the oldest goes, the oversized is ignored")
    func bounded() {
        let jar = CookieJar()
        let url = "http://erp.example.com/"
        for index in 0..<(Limits.cookies + 10) { jar.store(Array("c\(index)=1".utf8), from: url) }
        #expect(jar.count == Limits.cookies)
        #expect(header(jar, url)?.contains("c9=1") == false)
        #expect(header(jar, url)?.contains("c10=1") == true)
        jar.removeAll()
        jar.store(Array("big=\(String(repeating: "x", count: Limits.cookieBytes))".utf8), from: url)
        #expect(jar.count == 0)
    }

    @Test(
        "dates in the spellings servers use",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 29 Feb 2028 12:00:00 GMT", 1_835_438_400), ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
            ("soon", nil), ("Sun, 06 Nov 1994", nil), ("Sun, 32 Nov 1994 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 25:49:37 GMT", nil),
        ] as [(String, Int64?)])
    func dates(text: String, expected: Int64?) { #expect(CookieDate.parse(text) == expected) }
}
