import Testing
import Values

@testable import Vault

@Suite("Sealed payloads")
struct SealerTests {
    private let sealer = try! PayloadSealer(dataKey: secret("0123456789abcdef0123456789abcdef"))
    private let row = PayloadSealer.aad(purpose: "item", identity: ["flow-1", "pi-0001"])

    @Test(arguments: [0, 1, 15, 16, 17, 1000, 100_000])
    func whatIsSealedComesBack(size: Int) throws {
        let plain = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        let sealed = try sealer.seal(plain, aad: row)
        #expect(sealed.count == size + 29)
        #expect(try sealer.open(sealed, aad: row) == plain)
    }

    @Test func everyFlippedByteAndTruncationIsRefused() throws {
        let sealed = try sealer.seal(Array("{\"amount\":\"1280.50\"}".utf8), aad: row)
        for place in sealed.indices {
            var bad = sealed
            bad[place] ^= 1
            #expect(code { _ = try sealer.open(bad, aad: row) } == "E-VAULT-033", "byte \(place)")
            #expect(code { _ = try sealer.open(Array(sealed.prefix(place)), aad: row) } == "E-VAULT-033")
        }
        #expect(code { _ = try sealer.open(sealed + [0], aad: row) } == "E-VAULT-033")
        // A refusal leaves the context fit for the next payload.
        #expect(try sealer.open(sealed, aad: row) == Array("{\"amount\":\"1280.50\"}".utf8))
    }

    @Test func anotherRowPurposeOrKeyIsRefused() throws {
        let sealed = try sealer.seal([1, 2, 3], aad: row)
        for other in [
            PayloadSealer.aad(purpose: "item", identity: ["flow-1", "pi-0002"]),
            PayloadSealer.aad(purpose: "inbox", identity: ["flow-1", "pi-0001"]),
            PayloadSealer.aad(purpose: "item", identity: ["flow-1pi", "-0001"]),
            PayloadSealer.aad(purpose: "item", identity: ["flow-1"]), [],
        ] {
            #expect(code { _ = try sealer.open(sealed, aad: other) } == "E-VAULT-033")
        }
        let foreign = try PayloadSealer(dataKey: secret("0123456789abcdef0123456789abcdeX"))
        #expect(code { _ = try foreign.open(sealed, aad: row) } == "E-VAULT-033")
        #expect(code { _ = try PayloadSealer(dataKey: secret("too short")) } == "E-VAULT-020")
    }

    @Test func noncesNeverRepeatAcrossRefillsOfThePool() throws {
        var seen: Set<[UInt8]> = []
        for _ in 0..<3000 { seen.insert(Array(try sealer.seal([], aad: [])[1..<13])) }
        #expect(seen.count == 3000)
    }

    @Test func severalThreadsSealAtOnce() async throws {
        let (sealer, row) = (sealer, row)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for thread in 0..<8 {
                group.addTask {
                    for round in 0..<500 {
                        let plain = Array("\(thread) \(round)".utf8)
                        let opened = try sealer.open(sealer.seal(plain, aad: row), aad: row)
                        #expect(opened == plain)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func keyedHashDependsOnKeyAndContent() throws {
        let hash = sealer.keyedHash(Array("content".utf8))
        #expect(hash.count == 32)
        #expect(hash == sealer.keyedHash(Array("content".utf8)))
        #expect(hash != sealer.keyedHash(Array("Content".utf8)))
        #expect(hash != Hash.sha256(Array("content".utf8)))
        let same = try PayloadSealer(dataKey: secret("0123456789abcdef0123456789abcdef"))
        #expect(hash == same.keyedHash(Array("content".utf8)))
        let foreign = try PayloadSealer(dataKey: secret("0123456789abcdef0123456789abcdeX"))
        #expect(hash != foreign.keyedHash(Array("content".utf8)))
    }

    @Test func idempotencyKeyIsStableAndUnambiguous() {
        let key = IdempotencyKey.make(parts: ["flow", "tenant", "pi-0001", "voucher", "0"])
        // Computed with another program: base32 of the first 20 bytes of SHA-256 over the counted parts.
        #expect(key == "33pm6ccwkljj2el7r7zxsijx3ccf7rrs")
        #expect(key.utf8.count == 32)
        #expect(key.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x32...0x37).contains($0) })
        #expect(IdempotencyKey.make(parts: ["ab", "c"]) != IdempotencyKey.make(parts: ["a", "bc"]))
        #expect(IdempotencyKey.make(parts: ["a", ""]) != IdempotencyKey.make(parts: ["a"]))
    }

    @Test func aTargetWithShorterKeysOrOtherCharactersGetsKeysThatFit() throws {
        let parts = ["flow", "tenant", "pi-0001", "voucher", "0"]
        func key(_ maxBytes: Int?, _ alphabet: String?) -> String? {
            IdempotencyKey.Form(maxBytes: maxBytes, alphabet: alphabet).map {
                IdempotencyKey.make(parts: parts, as: $0)
            }
        }
        for (maxBytes, alphabet) in [(nil, nil), (64, "a-z0-9-"), (32, "a-z2-7"), (40, "A-Za-z0-9_")]
            as [(Int?, String?)]
        {
            #expect(key(maxBytes, alphabet) == "33pm6ccwkljj2el7r7zxsijx3ccf7rrs")
        }
        // Computed with another program: SHA-256 as one number, its lowest digits first.
        #expect(key(20, "a-z0-9-") == "e3zmd6ad98new5o4815d")
        #expect(key(29, "0-9") == "45734837271839505955390755790")
        #expect(key(24, "A-F0-9") == "A204610E0A286AB0F8CDA8A5")
        for form in [IdempotencyKey.Form.standard, .digits(Array("0123456789abcdef".utf8), count: 24)] {
            #expect(IdempotencyKey.Form(stored: form.stored) == form)
        }
        // Of both cases one is used: a target that ignores case must not take two keys for one.
        #expect(key(30, "A-Za-z0-9") == key(30, "a-z0-9"))
        #expect(key(30, "A-Z0-9") == key(30, "a-z0-9")?.uppercased())
    }

    @Test(arguments: [
        (18, "a-z0-9"), (28, "0-9"), (23, "0-9a-f"), (64, "a"), (64, "-_"), (0, "a-z"), (64, "z-a"), (64, "é"),
    ])
    func keysThatAreTooFewAreRefused(maxBytes: Int, alphabet: String) {
        #expect(IdempotencyKey.Form(maxBytes: maxBytes, alphabet: alphabet) == nil)
    }
}
