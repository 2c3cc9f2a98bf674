import Foundation
import Testing

/// `Simulators/rules.csv`: every rule of a vendor that an operation offered here must keep, with the test that breaks
/// it, or the reason why it is left out. `case` names a row of that test's table.
@Suite("The vendors' rules")
struct VendorRuleTests {
    private struct Rule {
        let vendor: String
        let name: String
        let mark: String
        let topic: String
        let test: String
        let row: String
        var isLeftOut: Bool { test.hasPrefix("left out: ") }
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The cells of a line; a cell in quotes may hold commas.
    private static func cells(_ line: Substring) -> [String] {
        var cells = [""]
        var isQuoted = false
        for character in line {
            switch character {
            case "\"": isQuoted.toggle()
            case "," where !isQuoted: cells.append("")
            default: cells[cells.count - 1].append(character)
            }
        }
        return cells
    }

    private static func rules() throws -> [Rule] {
        let text = try String(contentsOf: root.appendingPathComponent("Simulators/rules.csv"), encoding: .utf8)
        let lines = text.split(separator: "\n").map(cells)
        try #require(lines.first == ["vendor", "rule", "mark", "says", "topic", "test", "case"])
        return try lines.dropFirst().map { cells in
            try #require(cells.count == 7, "\(cells)")
            return Rule(
                vendor: cells[0], name: cells[1], mark: cells[2], topic: cells[4], test: cells[5], row: cells[6])
        }
    }

    /// The tests of this folder, as text.
    private static func sources() throws -> String {
        let folder = root.appendingPathComponent("Tests/SimulatorTests")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        return try files.filter { $0.hasSuffix(".swift") && $0 != "VendorRuleTests.swift" }.map {
            try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)
        }.joined(separator: "\n")
    }

    @Test("every rule names a test that is there, or says why it is left out")
    func named() throws {
        let sources = try Self.sources()
        let rules = try Self.rules()
        let displayed = Set(sources.matches(of: /@Test\(\s*"((?:[^"\\]|\\.)*)"/).map { String($0.output.1) })
        for rule in rules where !rule.isLeftOut {
            #expect(displayed.contains(rule.test), "\(rule.vendor) \(rule.name): no test \"\(rule.test)\"")
            #expect(
                rule.row.isEmpty || sources.contains("\"\(rule.row)\""),
                "\(rule.vendor) \(rule.name): no case \"\(rule.row)\"")
        }
        for vendor in Set(rules.map(\.vendor)).sorted() {
            let own = rules.filter { $0.vendor == vendor }
            let leftOut = own.count { $0.isLeftOut }
            print("Rules of \(vendor): \(own.count), tested \(own.count - leftOut), left out \(leftOut).")
        }
    }

    @Test("every rule stands once and comes from the vendor's documentation or its own client")
    func sound() throws {
        let rules = try Self.rules()
        #expect(Set(rules.map(\.vendor)) == ["dingtalk", "kingdee"])
        #expect(Set(rules.map { "\($0.vendor) \($0.name)" }).count == rules.count)
        for rule in rules {
            #expect(["DOC", "SDK", "DOC SDK"].contains(rule.mark), "\(rule.name): \(rule.mark)")
            // What a reader looks for in the vendor's documentation: words, not a number of somebody's notes.
            #expect(rule.topic.contains { $0.isLetter }, "\(rule.name): no topic")
        }
    }
}
