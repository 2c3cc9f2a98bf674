import Glibc
import Synchronization
import Testing
import Values

@testable import Vault

/// What parent and child of the kill test agree on, found by the process id of the parent.
private struct Scene {
    let vault: String
    let key: String
    let anchor: FileGenerationAnchor
    /// The last number whose `put` has returned.
    let acknowledged: String

    init(of process: pid_t) {
        let base = "/tmp/datong-kill-\(process)"
        vault = base + ".vault"
        key = base + ".key"
        anchor = FileGenerationAnchor(path: base + ".generation")
        acknowledged = base + ".acknowledged"
    }

    func open() throws -> Vault {
        try Vault.open(path: vault, unlock: .keyFile(path: key, workspace: "/usr"), anchor: anchor)
    }

    func number(_ vault: Vault) throws -> Int { Int(text(try vault.read(name: "n")))! }

    func remove() {
        let base = String(vault.dropLast(".vault".count))
        for suffix in ["", ".lock", ".previous", ".next", ".previous.next"] { unlink(vault + suffix) }
        for suffix in [".key", ".generation", ".generation.next", ".acknowledged"] { unlink(base + suffix) }
    }
}

@Suite("A killed writer", .serialized)
struct KillTests {
    @Test func killedAtAnyMomentLosesNothingThatWasAcknowledged() async throws {
        let scene = Scene(of: getpid())
        scene.remove()
        defer { scene.remove() }
        try UnlockMaterial.createKeyFile(path: scene.key, workspace: "/usr")
        let first = try Vault.create(
            path: scene.vault, customer: "c", unlock: .keyFile(path: scene.key, workspace: "/usr"), anchor: scene.anchor
        )
        try first.put(name: "n", value: secret("0"))
        store(Array("0".utf8), at: scene.acknowledged)
        var last = 0
        var rounds = 0
        // On a machine under load a child may be killed before its first change: then there is more to see.
        while rounds < 8 || (last == 0 && rounds < 100) {
            rounds += 1
            await #expect(processExitsWith: .signal(SIGKILL)) {
                let scene = Scene(of: getppid())
                let vault = try scene.open()
                var thread = pthread_t()
                pthread_create(
                    &thread, nil,
                    { _ in
                        usleep(UInt32.random(in: 1000...40_000))
                        kill(getpid(), SIGKILL)
                        return nil
                    }, nil)
                var number = try scene.number(vault)
                while true {
                    number += 1
                    try vault.put(name: "n", value: secret("\(number)"))
                    store(Array("\(number)".utf8), at: scene.acknowledged + ".new")
                    rename(scene.acknowledged + ".new", scene.acknowledged)
                }
            }
            let vault = try scene.open()
            try vault.verify()
            let acknowledged = Int(String(decoding: load(scene.acknowledged), as: UTF8.self))!
            let number = try scene.number(vault)
            #expect(acknowledged <= number && number <= acknowledged + 1)
            #expect(vault.recovery == nil)
            store(Array("\(number)".utf8), at: scene.acknowledged)
            last = number
        }
        unlink(scene.acknowledged + ".new")
        #expect(last > 0)
    }
}
