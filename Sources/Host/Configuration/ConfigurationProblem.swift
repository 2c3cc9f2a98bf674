import Values

/// A problem with the place in the draft where it stands.
struct ConfigurationProblem: Error, Sendable, Hashable {
    /// Relative to the workspace, e.g. `flows/expense-voucher.yaml`.
    let file: String
    /// Counted from 1; 0 where the whole file is meant.
    let line: Int
    /// Code, what is wrong, what to write.
    let problem: Problem

    init(_ file: String, _ line: Int, _ problem: Problem) {
        self.file = file
        self.line = line
        self.problem = problem
    }

    /// `file:line`, or the file alone.
    var place: String { line > 0 ? "\(file):\(line)" : file }

    /// For `--json`: `{"code","file","line","zh","en","next_zh","next_en"}`.
    var json: JSON {
        [
            "code": .string(problem.code), "file": .string(file), "line": .number(JSONNumber(Int64(line))),
            "zh": .string(problem.what.zh), "en": .string(problem.what.en), "next_zh": .string(problem.next.zh),
            "next_en": .string(problem.next.en),
        ]
    }
}

/// The problems of a draft while it is read; all of them are collected, up to a limit.
final class Findings {
    private(set) var list: [ConfigurationProblem] = []

    func add(_ file: String, _ line: Int, _ problem: Problem) {
        add(ConfigurationProblem(file, line, problem))
    }

    func add(_ found: ConfigurationProblem) {
        if list.count < ConfigurationLimits.problems { list.append(found) }
    }

    /// By file and line; the order of finding decides between equals.
    var sorted: [ConfigurationProblem] {
        list.enumerated().sorted {
            ($0.element.file, $0.element.line, $0.offset) < ($1.element.file, $1.element.line, $1.offset)
        }
        .map(\.element)
    }
}

/// The nearest of `candidates` to a mistyped word, if one is near enough to be meant.
func nearest(_ word: String, among candidates: some Sequence<String>) -> String? {
    let distances = candidates.map { (distance: editDistance(word.lowercased(), $0.lowercased()), name: $0) }
    guard let best = distances.min(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) else { return nil }
    let allowed = min(ConfigurationLimits.typoDistance, max(1, word.count / 2))
    return best.distance <= allowed ? best.name : nil
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.
private func editDistance(_ left: String, _ right: String) -> Int {
    let a = Array(left.unicodeScalars)
    let b = Array(right.unicodeScalars)
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
        var row = [i + 1]
        for j in b.indices {
            var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforeLast[j - 1] + 1) }
            row.append(best)
        }
        beforeLast = last
        last = row
    }
    return last[b.count]
}
