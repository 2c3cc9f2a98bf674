import Values

/// A kind of business document that connectors share, as data: a name and a published schema.
public struct DocumentType: Sendable {
    /// Its name, e.g. `voucher`.
    public let name: String
    /// The published schema, as `datong schema NAME` prints it.
    public let schemaText: String
    /// The compiled schema.
    public let schema: Schema

    /// A document type of a schema's bytes (UTF-8 JSON). Throws what the parser or `Schema` refuses.
    public init(name: String, schemaText bytes: [UInt8]) throws(Problem) {
        self.name = name
        schema = try Schema(try JSON.parse(bytes))
        schemaText = String(decoding: bytes, as: UTF8.self)
    }

    /// The approval of an office system.
    public static let approval = builtIn("approval", PackageResources.approval_json)
    /// The accounting voucher.
    public static let voucher = builtIn("voucher", PackageResources.voucher_json)
    /// Every document type of the house, by name.
    public static let all = [approval, voucher]

    /// A document type of the house; throws `E-DOC-101` for a name nobody knows.
    public static func named(_ name: String) throws(Problem) -> DocumentType {
        for type in all where type.name == name { return type }
        throw .unknownDocument(name, known: all.map(\.name))
    }

    /// Everything wrong with a document, see `Schema.validate`.
    public func validate(_ document: JSON) -> [Violation] { schema.validate(document) }

    private static func builtIn(_ name: String, _ bytes: [UInt8]) -> DocumentType {
        do throws(Problem) {
            return try DocumentType(name: name, schemaText: bytes)
        } catch {
            preconditionFailure("the schema of \(name) was built in broken: \(error)")
        }
    }
}
