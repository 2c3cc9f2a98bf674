import Documents
import Values

/// The fields of a document type that the host itself can filter by.
enum DocumentFields {
    /// The top-level properties of the published schema; none for a type this host does not know.
    static func names(of document: String) -> [String] {
        guard let type = try? DocumentType.named(document), let schema = try? JSON.parse(type.schemaText) else {
            return []
        }
        return schema["properties"]?.object?.keys ?? []
    }
}
