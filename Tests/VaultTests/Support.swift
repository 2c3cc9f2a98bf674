import Glibc
import Synchronization
import Testing
import Values

@testable import Vault

/// The code of the problem that `body` throws, or `nil`.
func code(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch let problem as Problem {
        return problem.code
    } catch {
        return "\(type(of: error))"
    }
}

func secret(_ text: String) -> SecretBytes { SecretBytes(copying: Array(text.utf8)) }

func text(_ secret: borrowing SecretBytes) -> String { secret.withBytes { String(decoding: $0, as: UTF8.self) } }

func bytes(_ secret: borrowing SecretBytes) -> [UInt8] { secret.withBytes { Array($0) } }

/// The length of a secret that may be absent.
func length(_ secret: consuming SecretBytes?) -> Int? {
    switch consume secret {
    case .some(let secret): secret.count
    case .none: nil
    }
}

func hex(_ digits: String) -> [UInt8] { Codec.hexDecoded(Array(digits.utf8))! }

func base64(_ bytes: [UInt8]) -> String {
    text(SecretBytes(copying: bytes).withBytes { Codec.encoded($0, as: .base64) })
}

func fromBase64(_ text: String) -> [UInt8] {
    let decoded = SecretBytes(copying: Array(text.utf8)).withBytes { Codec.base64Decoded($0) }
    return bytes(decoded!)
}

/// The cheapest cost the vault accepts.
let cheap = ScryptParameters(logN: 14)

let passphrase = "correct horse battery"

func unlock(_ text: String = passphrase) -> UnlockMaterial { .passphrase(secret(text)) }

/// An anchor in memory that can be told to fail.
final class MemoryAnchor: GenerationAnchor {
    struct Broken: Error {}
    private let state = Mutex<(value: UInt64?, fails: Bool)>((nil, false))

    var value: UInt64? {
        get { state.withLock { $0.value } }
        set { state.withLock { $0.value = newValue } }
    }

    var fails: Bool {
        get { state.withLock { $0.fails } }
        set { state.withLock { $0.fails = newValue } }
    }

    func read() throws -> UInt64? { value }

    func write(_ generation: UInt64) throws {
        if fails { throw Broken() }
        value = generation
    }
}

/// A directory that is gone after the test.
func withDirectory<R>(_ body: (String) throws -> R) throws -> R {
    var template = Array("/tmp/datong-vault-XXXXXX".utf8CString)
    let path = String(cString: mkdtemp(&template)!)
    defer {
        for name in (try? names(in: path)) ?? [] { unlink(path + "/" + name); rmdir(path + "/" + name) }
        rmdir(path)
    }
    return try body(path)
}

func names(in path: String) throws -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

func load(_ path: String) -> [UInt8] { try! SystemFiles().read(path, limit: VaultLimits.fileBytes)! }

func store(_ bytes: [UInt8], at path: String) { try! SystemFiles().write(path, bytes) }

/// A key file in a directory of its own, gone with its owner.
final class KeyFileFixture: Sendable {
    let directory: String

    init() {
        var template = Array("/tmp/datong-key-XXXXXX".utf8CString)
        directory = String(cString: mkdtemp(&template)!)
        try! UnlockMaterial.createKeyFile(path: directory + "/key", workspace: "/usr")
    }

    var unlock: UnlockMaterial { .keyFile(path: directory + "/key", workspace: "/usr") }

    deinit {
        Glibc.unlink(directory + "/key")
        rmdir(directory)
    }
}
