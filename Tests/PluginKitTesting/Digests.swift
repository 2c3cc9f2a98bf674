/// The digests vendors sign with, written from the standards for tests only: FIPS 180-4, RFC 1321, RFC 2104.
public enum Digests {
    /// SHA-256, 32 bytes.
    public static func sha256(_ message: [UInt8]) -> [UInt8] {
        var state: [UInt32] = [
            0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
        ]
        for block in blocks(message, bigEndian: true) {
            var schedule = words(block, bigEndian: true)
            for index in 16..<64 {
                let before15 = schedule[index - 15]
                let before2 = schedule[index - 2]
                let first = rotate(before15, 25) ^ rotate(before15, 14) ^ (before15 >> 3)
                let second = rotate(before2, 15) ^ rotate(before2, 13) ^ (before2 >> 10)
                schedule.append(schedule[index - 16] &+ first &+ schedule[index - 7] &+ second)
            }
            var work = state
            for index in 0..<64 {
                let high = rotate(work[4], 26) ^ rotate(work[4], 21) ^ rotate(work[4], 7)
                let choice = (work[4] & work[5]) ^ (~work[4] & work[6])
                let first = work[7] &+ high &+ choice &+ sha256Constants[index] &+ schedule[index]
                let low = rotate(work[0], 30) ^ rotate(work[0], 19) ^ rotate(work[0], 10)
                let majority = (work[0] & work[1]) ^ (work[0] & work[2]) ^ (work[1] & work[2])
                work = [
                    first &+ low &+ majority, work[0], work[1], work[2], work[3] &+ first, work[4], work[5], work[6],
                ]
            }
            for index in 0..<8 { state[index] = state[index] &+ work[index] }
        }
        return bytes(state, bigEndian: true)
    }

    /// SHA-1, 20 bytes.
    public static func sha1(_ message: [UInt8]) -> [UInt8] {
        var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
        for block in blocks(message, bigEndian: true) {
            var schedule = words(block, bigEndian: true)
            for index in 16..<80 {
                schedule.append(
                    rotate(schedule[index - 3] ^ schedule[index - 8] ^ schedule[index - 14] ^ schedule[index - 16], 1))
            }
            var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
            for index in 0..<80 {
                let (mix, constant): (UInt32, UInt32) =
                    switch index {
                    case 0..<20: ((b & c) | (~b & d), 0x5a82_7999)
                    case 20..<40: (b ^ c ^ d, 0x6ed9_eba1)
                    case 40..<60: ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc)
                    default: (b ^ c ^ d, 0xca62_c1d6)
                    }
                let next = rotate(a, 5) &+ mix &+ e &+ constant &+ schedule[index]
                (a, b, c, d, e) = (next, a, rotate(b, 30), c, d)
            }
            for (index, value) in [a, b, c, d, e].enumerated() { state[index] = state[index] &+ value }
        }
        return bytes(state, bigEndian: true)
    }

    /// MD5, 16 bytes.
    public static func md5(_ message: [UInt8]) -> [UInt8] {
        var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476]
        let shifts: [[UInt32]] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]]
        for block in blocks(message, bigEndian: false) {
            let input = words(block, bigEndian: false)
            var (a, b, c, d) = (state[0], state[1], state[2], state[3])
            for index in 0..<64 {
                let (mix, word): (UInt32, Int) =
                    switch index / 16 {
                    case 0: ((b & c) | (~b & d), index)
                    case 1: ((d & b) | (~d & c), (5 * index + 1) % 16)
                    case 2: (b ^ c ^ d, (3 * index + 5) % 16)
                    default: (c ^ (b | ~d), (7 * index) % 16)
                    }
                let turned = rotate(a &+ mix &+ md5Constants[index] &+ input[word], shifts[index / 16][index % 4])
                (a, b, c, d) = (d, b &+ turned, b, c)
            }
            for (index, value) in [a, b, c, d].enumerated() { state[index] = state[index] &+ value }
        }
        return bytes(state, bigEndian: false)
    }

    /// The keyed hash over one of the above, all of which work on blocks of 64 bytes.
    public static func hmac(_ hash: ([UInt8]) -> [UInt8], key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var key = key.count > 64 ? hash(key) : key
        key += [UInt8](repeating: 0, count: 64 - key.count)
        return hash(key.map { $0 ^ 0x5c } + hash(key.map { $0 ^ 0x36 } + message))
    }

    private static func rotate(_ value: UInt32, _ left: UInt32) -> UInt32 { (value << left) | (value >> (32 - left)) }

    private static func blocks(_ message: [UInt8], bigEndian: Bool) -> [ArraySlice<UInt8>] {
        var padded = message + [0x80]
        while padded.count % 64 != 56 { padded.append(0) }
        let bits = UInt64(message.count) * 8
        for byte in 0..<8 {
            padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(8 * (bigEndian ? 7 - byte : byte))))
        }
        return stride(from: 0, to: padded.count, by: 64).map { padded[$0..<$0 + 64] }
    }

    private static func words(_ block: ArraySlice<UInt8>, bigEndian: Bool) -> [UInt32] {
        var words = [UInt32](repeating: 0, count: 16)
        for (index, byte) in block.enumerated() {
            let place = bigEndian ? 3 - index % 4 : index % 4
            words[index / 4] |= UInt32(byte) << UInt32(8 * place)
        }
        return words
    }

    private static func bytes(_ words: [UInt32], bigEndian: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        for word in words {
            for index in 0..<4 {
                let place = bigEndian ? 3 - index : index
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(8 * place)))
            }
        }
        return bytes
    }

    private static let sha256Constants: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]

    private static let md5Constants: [UInt32] = [
        0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
        0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
        0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
        0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
        0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
        0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
        0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
        0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
    ]
}
