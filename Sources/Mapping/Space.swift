/// The text without white space around it, the full-width and the non-breaking space included.
func trimmed(_ text: String) -> String {
    guard mayHaveSpace(text.utf8.first) || mayHaveSpaceAtEnd(text) else { return text }
    let scalars = text.unicodeScalars
    guard let start = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
        let end = scalars.lastIndex(where: { !$0.properties.isWhitespace })
    else { return "" }
    if start == scalars.startIndex, scalars.index(after: end) == scalars.endIndex { return text }
    return String(scalars[start...end])
}

/// Whether there is nothing in a text but white space.
func isBlank(_ text: String) -> Bool {
    mayHaveSpace(text.utf8.first) && text.unicodeScalars.allSatisfy(\.properties.isWhitespace)
}

/// Whether a text that begins with this byte may begin with white space; most texts are decided by it, and asking
/// Unicode about each would cost more than the rest of a mapping. All white space is ASCII up to the space, or begins
/// with C2 (U+0085, U+00A0), E1 (U+1680), E2 (U+2000...U+205F) or E3 (U+3000).
private func mayHaveSpace(_ first: UInt8?) -> Bool {
    guard let first else { return true }
    return first <= 0x20 || first == 0xc2 || (0xe1...0xe3).contains(first)
}

/// The same for the end: a white space ends in an ASCII byte up to the space or in a byte of a longer sequence.
private func mayHaveSpaceAtEnd(_ text: String) -> Bool {
    guard let last = text.utf8.last else { return false }
    if last <= 0x20 { return true }
    guard last >= 0x80, let scalar = text.unicodeScalars.last else { return false }
    return scalar.properties.isWhitespace
}
