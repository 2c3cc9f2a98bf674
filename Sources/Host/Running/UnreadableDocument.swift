import Values

/// What stands in the inbox for a document the source names and nobody can read, so that it counts and a person sees it.
enum UnreadableDocument {
    private static let mark = "$unreadable"

    static func content(_ hint: Conductor.Hinted) -> JSON {
        [mark: .string(hint.document), "known": .string(hint.known)]
    }

    static func isOne(_ content: JSON) -> Bool { content[mark] != nil }

    /// What to fetch again, when the content stands for an unreadable document.
    static func hint(_ content: JSON) -> Conductor.Hinted? {
        guard let document = content[mark]?.string else { return nil }
        return Conductor.Hinted(document: document, known: content["known"]?.string ?? "")
    }
}
