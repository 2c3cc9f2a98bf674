import Documents
import Glibc
import Mapping
import Values

@testable import Host
@testable import Network
@testable import Vault
@testable import Workers

/// What is fed with bytes nobody has looked at: it must answer or refuse, and what it accepts it must give again.
enum FuzzTarget: String, CaseIterable {
    /// Vendors' answers, documents.
    case json
    /// Amounts, dates, instants.
    case values
    /// Code tables that finance people keep.
    case csv
    /// Files of a workspace.
    case configuration
    /// The mapping language, compiled and run over a document.
    case mapping
    /// What a worker says.
    case frames
    /// The body of a plugin's result.
    case results
    /// Addresses that a vendor gives.
    case addresses
    /// Cookies that a vendor sets.
    case cookies
    /// What a plugin writes where a secret is to go.
    case secretExpressions
    /// A vendor's encrypted callback, opened under a known key.
    case callbackCrypto
    /// The vault's file.
    case vault

    /// What this process feeds; `main.swift` has seen that it exists.
    static let chosen = getenv("DATONG_FUZZ_TARGET").flatMap { FuzzTarget(rawValue: String(cString: $0)) } ?? .json

    func feed(_ bytes: [UInt8]) {
        switch self {
        case .json: Self.json(bytes)
        case .values: Self.values(String(decoding: bytes, as: UTF8.self))
        case .csv: Self.csv(bytes)
        case .configuration: Self.configuration(bytes)
        case .mapping: Self.mapping(bytes)
        case .frames: Self.frames(bytes)
        case .results: _ = try? DecodedResult(bytes)
        case .addresses: Self.addresses(String(decoding: bytes, as: UTF8.self))
        case .cookies: Self.cookies(bytes)
        case .secretExpressions: Self.secretExpressions(String(decoding: bytes, as: UTF8.self))
        case .callbackCrypto: Self.callbackCrypto(bytes)
        case .vault:
            _ = try? VaultFile.readHeader(bytes, path: "fuzz")
            _ = try? VaultFile.Entry.parse(bytes)
        }
    }

    private static func json(_ bytes: [UInt8]) {
        guard let json = try? JSON.parse(bytes) else { return }
        precondition((try? JSON.parse(json.serialized())) == json, "JSON is not what it was")
        precondition((try? JSON.parse(json.canonical())) == json, "canonical JSON is not what it was")
    }

    private static func values(_ text: String) {
        if let amount = ExactDecimal(text) {
            precondition(ExactDecimal("\(amount)") == amount, "an amount is not what it was")
            _ = try? amount + amount
            _ = try? amount * amount
        }
        if let date = CivilDate(text) { precondition(CivilDate("\(date)") == date, "a date is not what it was") }
        if let instant = Instant(text) {
            precondition(Instant("\(instant)") == instant, "an instant is not what it was")
        }
    }

    private static func csv(_ bytes: [UInt8]) { _ = try? CodeTable(file: "tables/fuzz.csv", csv: bytes) }

    private static func configuration(_ bytes: [UInt8]) {
        _ = Draft.read([DraftFile(path: "datong.yaml", bytes: bytes)], root: "/fuzz")
        _ = Draft.read([DraftFile(path: "flows/fuzz.yaml", bytes: bytes)], root: "/fuzz")
        _ = Draft.read([DraftFile(path: "connections/fuzz.yaml", bytes: bytes)], root: "/fuzz")
    }

    private static func mapping(_ bytes: [UInt8]) {
        guard let source = try? DocumentType.named("approval"), let target = try? DocumentType.named("voucher"),
            let table = try? CodeTable(file: "tables/accounts.csv", csv: Array("费用类型,科目\n差旅费,6602.01\n".utf8)),
            let file = try? YAMLReader.read(bytes, file: "mappings/fuzz.yaml"),
            let mapping = try? Mapping.compile(file.json, tables: ["accounts": table], from: source, to: target)
        else { return }
        _ = mapping.run(source: claim)
        _ = mapping.readHashInput(source: claim)
    }

    private static let claim: JSON = [
        "id": "a", "number": "1", "template": "T", "title": "报销", "status": "completed", "result": "agree",
        "action": "none", "created_at": "2026-02-01T09:00:00+08:00", "finished_at": "2026-02-02T09:00:00+08:00",
        "fields": [
            ["id": "F1", "label": "费用类型", "kind": "select", "value": "差旅费"],
            ["id": "F2", "label": "总金额", "kind": "money", "value": "100.00"],
        ], "attachments": [],
    ]

    private static func frames(_ bytes: [UInt8]) {
        var input = bytes
        while let frames = try? Frame.take(from: &input), !frames.isEmpty {
            for frame in frames { _ = try? Message(frame) }
        }
    }

    private static func addresses(_ text: String) {
        guard let origin = try? Origin(url: text) else { return }
        precondition((try? Origin(url: origin.description)) == origin, "an origin is not what it was")
        _ = try? EgressPolicy(allow: [origin.description]).permit(Address(text))
    }

    private static func cookies(_ bytes: [UInt8]) {
        guard let address = try? Address("https://erp.example.com/a/b?c=d") else { return }
        let jar = CookieJar()
        jar.store(bytes[...], from: address)
    }

    private static func secretExpressions(_ text: String) {
        guard let expression = try? SecretExpression(text) else { return }
        _ = try? expression.evaluate { (_) throws(Problem) in SecretBytes(copying: Array("abc_def".utf8)) }
    }

    private static func callbackCrypto(_ bytes: [UInt8]) {
        let request = CryptoRequest(
            .decrypt, "aes-256-cbc", key: .secret("key"), iv: [UInt8](repeating: 7, count: 16),
            input: [.literal(bytes)], noPadding: bytes.count.isMultiple(of: 2))
        _ = try? VendorCrypto.run(request) { (_) throws(Problem) in SecretBytes(copying: Array(repeating: 9, count: 32))
        }
    }
}
