/// A table of text for a terminal: columns are aligned by what a terminal shows, where a Chinese character is two cells.
struct ScreenTable {
    /// Which side a column's text stands at.
    enum Side { case left, right }

    var columns: [(title: String, side: Side)]
    var rows: [[String]] = []

    init(_ columns: [(title: String, side: Side)]) { self.columns = columns }

    /// Every column on the left.
    init(_ titles: String...) { columns = titles.map { ($0, .left) } }

    /// One line per row, the titles first; two spaces between columns and none at the end of a line.
    var lines: [String] {
        var widths = columns.map { Screen.width($0.title) }
        for row in rows {
            for (index, cell) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], Screen.width(cell))
            }
        }
        return ([columns.map(\.title)] + rows).map { row in
            let cells = row.enumerated().map { index, cell in
                let gap = String(repeating: " ", count: max(0, widths[index] - Screen.width(cell)))
                return columns[index].side == .left ? cell + gap : gap + cell
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

/// How wide text is on a terminal.
enum Screen {
    /// Cells: two for wide East Asian characters and emoji, none for combining marks and control characters.
    static func width(_ text: String) -> Int {
        text.reduce(0) { sum, character in sum + width(character) }
    }

    /// Cut to at most `cells`, with an ellipsis where something was cut.
    static func cut(_ text: String, to cells: Int) -> String {
        guard width(text) > cells else { return text }
        var result = ""
        var used = 0
        for character in text {
            let next = width(character)
            if used + next > cells - 1 { break }
            result.append(character)
            used += next
        }
        return result + "…"
    }

    /// Text of a vendor or a document on one line, with control characters made visible: a document cannot drive the terminal.
    static func safe(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A, 0x0D, 0x09: result.append(" ")
            case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: result.append("\u{FFFD}")
            default: result.append(scalar)
            }
        }
        return String(result)
    }

    private static func width(_ character: Character) -> Int {
        // A flag or a family is one picture of two cells, however many scalars it takes.
        character.unicodeScalars.map(width).max() ?? 0
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.properties.generalCategory {
        case .control, .format, .nonspacingMark, .enclosingMark: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115F, 0x231A...0x231B, 0x2329...0x232A, 0x23E9...0x23EC, 0x2E80...0x303E, 0x3041...0x33FF,
            0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF,
            0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}
