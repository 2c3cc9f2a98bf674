import Glibc
import Testing
import Values

@testable import Vault

/// A secret is used in every way there is; then all owners end, and the memory of the process is searched.
@Suite("No secret stays in memory")
struct CanaryTests {
    @Test func canaryIsNotFoundAfterUse() async {
        await #expect(processExitsWith: .success) {
            // The search must find what is there, or it proves nothing.
            do {
                let canary = Canary.make()
                guard Canary.occurrences() >= 1 else { fatalError("the search is blind") }
                _ = canary.count
            }
            try Canary.useInEveryWay()
            let left = Canary.occurrences()
            guard left == 0 else { fatalError("\(left) copies left") }
        }
    }

    @Test func takingBytesOverWipesTheOriginal() async {
        await #expect(processExitsWith: .success) {
            // A thousand bytes: a block that is not used again at once.
            var bytes = [UInt8](unsafeUninitializedCapacity: 1000) { room, count in
                count = room.count
                for index in 0..<count { room[index] = Canary.masked[index % Canary.masked.count] ^ 0x5b }
            }
            let start = bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress!) }
            guard Canary.occurrences(in: [(start, start + 1000)]) == 40 else { fatalError("the search is blind") }
            let taken = SecretBytes(wiping: &bytes)
            let left = Canary.occurrences(in: [(start, start + 1000)])
            guard left == 0, taken.count > 0 else { fatalError("\(left) copies left") }
        }
    }

    @Test func aNewKeyFileLeavesNothingBehind() async {
        await #expect(processExitsWith: .success) {
            let path = "/tmp/datong-canary-key-\(getpid())"
            defer { unlink(path) }
            let memory = Canary.memory()
            try UnlockMaterial.createKeyFile(path: path, workspace: "/usr")
            let left = Canary.occurrences(of: Canary.masked(file: path), in: memory)
            guard left == 0 else { fatalError("\(left) copies left") }
        }
    }
}

private enum Canary {
    /// The canary under a mask, so that neither this table nor the search holds it in clear.
    static let masked: [UInt8] = Array("K4n4ry-5f1e2d3c-b4a5-9687".utf8).map { $0 ^ 0x5a }

    static func make() -> SecretBytes {
        // One bit off the constant above: the text in the program's own data is not the canary.
        SecretBytes(count: masked.count) { room in
            for index in 0..<room.count { room[index] = masked[index] ^ 0x5b }
        }
    }

    /// The middle of a file under the same mask. It is read into a page of its own, so that no block that the program
    /// gave back is used again.
    static func masked(file: String) -> [UInt8] {
        let descriptor = open(file, O_RDONLY)
        defer { close(descriptor) }
        let page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        defer { munmap(page, 4096) }
        guard read(descriptor, page, 4096) == 65 else { fatalError("no key file") }
        return UnsafeRawBufferPointer(start: page, count: 65)[20..<45].map { $0 ^ 0x5b }
    }

    /// The writable memory of this process. Looked up before what is tested where that leaves small blocks behind: the
    /// look-up would use them again.
    static func memory() -> [(UInt, UInt)] {
        guard let maps = fopen("/proc/self/maps", "r") else { fatalError("no maps") }
        defer { fclose(maps) }
        var ranges: [(UInt, UInt)] = []
        var line = [CChar](repeating: 0, count: 1024)
        while fgets(&line, Int32(line.count), maps) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            let parts = text.split(separator: " ")
            let ends = parts[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            if parts[1].hasPrefix("rw"), !text.contains("[vvar") { ranges.append((ends[0], ends[1])) }
        }
        return ranges
    }

    /// How often the canary, or what else lies under its mask, is in memory.
    static func occurrences(of needle: [UInt8] = masked, in memory: [(UInt, UInt)] = memory()) -> Int {
        var found = 0
        for (start, end) in memory {
            var place = UnsafePointer<UInt8>(bitPattern: start)!
            let last = UnsafePointer<UInt8>(bitPattern: end)! - needle.count
            while place <= last, let hit = memchr(place, Int32(needle[0] ^ 0x5b), last - place + 1) {
                let candidate = hit.assumingMemoryBound(to: UInt8.self)
                var length = 0
                while length < needle.count, candidate[length] == needle[length] ^ 0x5b { length += 1 }
                if length == needle.count { found += 1 }
                place = UnsafePointer(candidate) + 1
            }
        }
        return found
    }

    static func useInEveryWay() throws {
        let path = "/tmp/datong-canary-\(getpid())"
        defer { for suffix in ["", ".lock", ".previous"] { unlink(path + suffix) } }
        let vault = try Vault.create(
            path: path, customer: "c", unlock: .passphrase(make()), parameters: cheap, anchor: MemoryAnchor())
        try vault.put(name: "canary", value: make())
        try vault.put(name: "canary", value: make())
        try vault.rotateKey()
        try vault.verify()
        let again = try Vault.open(path: path, unlock: .passphrase(make()), anchor: MemoryAnchor())
        _ = try again.with(name: "canary") { $0.count }
        _ = try again.readPrevious(name: "canary")
        for steps in ["after:4", "base64 | base64-decode", "json", "url-twice", "sha256", "utf8", "require-length:25"] {
            _ = try SecretExpression("canary | \(steps)").evaluate { (name) throws(Problem) in
                try again.read(name: name)
            }
        }
        for operation in [CryptoRequest.Operation.digest, .hmac] {
            _ = try VendorCrypto.run(
                CryptoRequest(
                    operation, "sha256", key: .secret("canary"), input: [.secret("canary"), .literal([1])],
                    sortSegments: true)
            ) { (name) throws(Problem) in try again.read(name: name) }
        }
        _ = try VendorCrypto.run(
            CryptoRequest(
                .encrypt, "aes-256-cbc", key: .secret("canary | sha256"), iv: [UInt8](repeating: 0, count: 16),
                input: [.secret("canary")])
        ) { (name) throws(Problem) in try again.read(name: name) }
        let mask = SecretMask()
        try mask.add(again.read(name: "canary"), name: "canary")
        _ = mask.mask("nothing to see")
        let sealer = try PayloadSealer(
            dataKey: SecretBytes(count: 50) { room in
                for index in 0..<room.count { room[index] = masked[index % masked.count] ^ 0x5b }
            })
        _ = try sealer.seal([1, 2, 3], aad: [])
        _ = try again.wrap(label: "l", key: make())
        _ = code {
            _ = try Vault.open(path: path, unlock: .passphrase(secret("wrong passphrase")), anchor: MemoryAnchor())
        }
    }
}
