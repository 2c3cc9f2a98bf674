/// SHA-256 and its keyed form: written here so that a mistake in the connector's signature cannot hide in shared code.
enum Digest {
    private static let constants: [UInt32] = primes(64).map { fraction($0, root: 3) }
    private static let start: [UInt32] = primes(8).map { fraction($0, root: 2) }

    static func sha256(_ message: [UInt8]) -> [UInt8] {
        var state = start
        var padded = message
        padded.append(0x80)
        while padded.count % 64 != 56 { padded.append(0) }
        let bits = UInt64(message.count) * 8
        for shift in stride(from: 56, through: 0, by: -8) { padded.append(UInt8(truncatingIfNeeded: bits >> shift)) }
        for block in stride(from: 0, to: padded.count, by: 64) { compress(&state, padded[block..<block + 64]) }
        return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
    }

    static func hmacSHA256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var block = key.count > 64 ? sha256(key) : key
        block += Array(repeating: 0, count: 64 - block.count)
        return sha256(block.map { $0 ^ 0x5C } + sha256(block.map { $0 ^ 0x36 } + message))
    }

    static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var out = ""
        for index in stride(from: 0, to: bytes.count, by: 3) {
            let group = Array(bytes[index..<min(index + 3, bytes.count)])
            let word =
                UInt32(group[0]) << 16 | (group.count > 1 ? UInt32(group[1]) << 8 : 0)
                | (group.count > 2 ? UInt32(group[2]) : 0)
            for place in 0..<4 {
                out.append(place <= group.count ? alphabet[Int(word >> (18 - 6 * place)) & 63] : "=")
            }
        }
        return out
    }

    private static func compress(_ state: inout [UInt32], _ block: ArraySlice<UInt8>) {
        func right(_ word: UInt32, _ by: UInt32) -> UInt32 { word >> by | word << (32 - by) }
        var words: [UInt32] = []
        for index in stride(from: block.startIndex, to: block.endIndex, by: 4) {
            words.append(block[index..<index + 4].reduce(0) { $0 << 8 | UInt32($1) })
        }
        for index in 16..<64 {
            let early = words[index - 15]
            let late = words[index - 2]
            let first = right(early, 7) ^ right(early, 18) ^ early >> 3
            let second = right(late, 17) ^ right(late, 19) ^ late >> 10
            words.append(words[index - 16] &+ first &+ words[index - 7] &+ second)
        }
        var s = state
        for index in 0..<64 {
            let sum1 = right(s[4], 6) ^ right(s[4], 11) ^ right(s[4], 25)
            let choice = (s[4] & s[5]) ^ (~s[4] & s[6])
            let first = s[7] &+ sum1 &+ choice &+ constants[index] &+ words[index]
            let sum0 = right(s[0], 2) ^ right(s[0], 13) ^ right(s[0], 22)
            let majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2])
            s = [first &+ sum0 &+ majority, s[0], s[1], s[2], s[3] &+ first, s[4], s[5], s[6]]
        }
        for index in 0..<8 { state[index] = state[index] &+ s[index] }
    }

    private static func primes(_ count: Int) -> [UInt64] {
        var found: [UInt64] = []
        var candidate: UInt64 = 2
        while found.count < count {
            if found.allSatisfy({ candidate % $0 != 0 }) { found.append(candidate) }
            candidate += 1
        }
        return found
    }

    /// The first 32 bits of the fraction of a root, by bisection over whole numbers: root(n · 2^(32·k)) mod 2^32.
    private static func fraction(_ number: UInt64, root: Int) -> UInt32 {
        let target = UInt128(number) << (32 * root)
        var low: UInt128 = 0
        var high: UInt128 = 1 << 40
        while high - low > 1 {
            let middle = (low + high) / 2
            let power = root == 2 ? middle * middle : middle * middle * middle
            if power <= target { low = middle } else { high = middle }
        }
        return UInt32(truncatingIfNeeded: low)
    }
}
