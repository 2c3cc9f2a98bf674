import Values
import Vault

/// SHA-256 of contents, hex.
enum SHA256 {
    static func hex(_ bytes: [UInt8]) -> String {
        do throws(Problem) {
            return try Hash.sha256Hex(bytes)
        } catch {
            preconditionFailure("libcrypto has SHA-256: \(error)")
        }
    }
}
