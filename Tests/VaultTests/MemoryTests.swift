import Glibc
import Testing
import Values
import VaultMemory

@testable import Vault

@Suite("Memory for secrets")
struct MemoryTests {
    /// The flags the kernel keeps for the mapping that holds an address.
    private func flags(of address: UInt) throws -> [Substring] {
        let map = try #require(fopen("/proc/self/smaps", "r"))
        defer { fclose(map) }
        var inside = false
        var line = [CChar](repeating: 0, count: 1024)
        while fgets(&line, Int32(line.count), map) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if let range = text.split(separator: " ").first?.split(separator: "-"), range.count == 2,
                let start = UInt(range[0], radix: 16), let end = UInt(range[1], radix: 16)
            {
                inside = start <= address && address < end
            } else if inside, text.hasPrefix("VmFlags:") {
                return text.split(whereSeparator: { $0 == " " || $0 == "\n" })
            }
        }
        return []
    }

    @Test func pagesAreLockedOutOfDumpsAndOutOfChildren() throws {
        let value = secret("canary")
        let address = value.withBytes { UInt(bitPattern: $0.baseAddress!) }
        let flags = try flags(of: address)
        #expect(flags.contains("dd"), "no core dump")
        #expect(flags.contains("wf"), "wiped in a forked child")
        #expect(flags.contains("lo") || SecretBytes.unlockedRegions > 0, "locked")
    }

    @Test(arguments: [1, 6, 4095, 4096, 4097, 70_000])
    func bytesEndAtTheFence(size: Int) throws {
        let value = SecretBytes(copying: [UInt8](repeating: 7, count: size))
        let end = value.withBytes { UInt(bitPattern: $0.baseAddress!) + UInt($0.count) }
        #expect(end % 4096 == 0)
        // Neither readable nor writable nor executable.
        #expect(try !self.flags(of: end).contains("rd"))
        #expect(value.withBytes { $0.allSatisfy { $0 == 7 } })
    }

    @Test func readingPastTheEndStopsTheProcess() async {
        await #expect(processExitsWith: .failure) {
            let value = SecretBytes(copying: [1, 2, 3])
            value.withBytes { bytes in
                let beyond = bytes.baseAddress! + 3
                _ = unsafeRead(beyond)
            }
        }
    }

    @Test func writingBeforeThePagesStopsTheProcess() async {
        await #expect(processExitsWith: .failure) {
            let value = SecretBytes(copying: [1, 2, 3])
            value.withBytes { bytes in
                UnsafeMutableRawPointer(mutating: bytes.baseAddress! - 4096).storeBytes(of: 1, as: UInt8.self)
            }
        }
    }

    @Test func releasedBytesAreWiped() {
        var locked: Int32 = 0
        let room = datong_vault_memory_allocate(64, &locked)!
        memset(room, 0x5a, 64)
        datong_vault_memory_release(room, 64, locked)
        // One-page regions are kept for re-use, so one of the next ones is the same; all come zeroed.
        var next: [(UnsafeMutableRawPointer, Int32)] = []
        for _ in 0..<80 {
            var locked: Int32 = 0
            next.append((datong_vault_memory_allocate(64, &locked)!, locked))
        }
        for (bytes, locked) in next {
            #expect(UnsafeRawBufferPointer(start: bytes, count: 64).allSatisfy { $0 == 0 })
            datong_vault_memory_release(bytes, 64, locked)
        }
    }

    @Test func failureWhileFillingIsPassedOn() {
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            let value = try SecretBytes(count: 4) { (_) throws(Stop) in throw Stop() }
            _ = value.count
        }
    }

    @Test func equalityIsOfContent() {
        let one = secret("value")
        let copy = one.copy()
        let same = (one == secret("value"), one == copy, secret("") == secret(""))
        #expect(same == (true, true, true))
        let other = (one == secret("valuf"), one == secret("valu"), one == secret(""))
        #expect(other == (false, false, false))
    }

    /// That nothing stays of the original is seen among the canaries.
    @Test func takingBytesOverEmptiesTheOriginal() {
        var array = Array("canary-canary".utf8)
        let taken = SecretBytes(wiping: &array)
        #expect(text(taken) == "canary-canary")
        #expect(array.isEmpty)
    }

    @Test func descriptorIsReadWithoutItsNewline() throws {
        for (given, expected) in [
            ("abc\n", "abc"), ("abc\r\n", "abc"), ("abc\n\n", "abc\n"), ("abc", "abc"), ("\n", ""), ("", ""),
        ] {
            var ends: [Int32] = [0, 0]
            pipe(&ends)
            let bytes = Array(given.utf8)
            write(ends[1], bytes, bytes.count)
            close(ends[1])
            let value = try SecretBytes.read(descriptor: ends[0], limit: 5, trimmingNewline: true)
            close(ends[0])
            #expect(text(value) == expected)
        }
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        write(ends[1], "123456", 6)
        close(ends[1])
        #expect(
            code { _ = try SecretBytes.read(descriptor: ends[0], limit: 5, trimmingNewline: true) } == "E-SECRET-009")
        close(ends[0])
        #expect(code { _ = try SecretBytes.read(descriptor: -1, limit: 5, trimmingNewline: true) } == "E-SECRET-008")
    }

    @Test func hardenedProcessLeavesNoCore() async {
        await #expect(processExitsWith: .success) {
            try ProcessHardening.apply()
            guard ProcessHardening.isApplied else { fatalError("not hardened") }
        }
        // This process was not: the answer is not a constant.
        #expect(!ProcessHardening.isApplied)
    }
}

/// Kept from the optimiser's eyes.
@inline(never)
private func unsafeRead(_ pointer: UnsafeRawPointer) -> UInt8 { pointer.load(as: UInt8.self) }
