import Documents
import Mapping
import Values

extension Draft {
    /// The code tables by name, as mappings look them up.
    var tablesByName: [String: CodeTable] {
        Dictionary(tables.map { (ConnectionFile.stem($0.file), $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Compiles a mapping between two document types.
    /// - Throws: the first problem of the mapping. A draft without problems and a revision have none.
    func compile(_ mapping: MappingFile, from source: String, to target: String) throws(Problem) -> Mapping {
        let types = (from: try DocumentType.named(source), to: try DocumentType.named(target))
        do throws(MappingProblems) {
            return try Mapping.compile(mapping.json, tables: tablesByName, from: types.from, to: types.to)
        } catch {
            throw error.problems[0]
        }
    }

    /// What a flow of this draft makes of one source document: the answer of the control verb `flow.try`.
    func preview(_ flow: FlowFile, _ source: JSON) throws(Problem) -> JSON {
        let type = try DocumentType.named(flow.from.document)
        let violations = type.validate(source)
        guard violations.isEmpty else {
            let problems = violations.map {
                Problem(
                    $0.code, zh: "来源单据 \($0.pointer) \($0.text.zh)", en: "source document \($0.pointer): \($0.text.en)",
                    nextZH: "单据格式见 datong schema \(type.name)", nextEN: "see datong schema \(type.name)")
            }
            return ["source": source, "results": [], "problems": Terminal.json(problems)["problems"] ?? []]
        }
        let filter: SourceFilter
        do throws(MappingProblems) {
            filter = try SourceFilter(.object(flow.where), from: type)
        } catch {
            throw error.problems[0]
        }
        var answer: JSONObject = ["source": source, "results": [], "problems": []]
        if let unmet = filter.firstUnmet(source) {
            let seen = unmet.seen?.text ?? "–"
            answer["skipped"] = [
                "zh": .string("不符合流程条件 \(unmet.condition.path),单据为 \(seen)"),
                "en": .string("the flow's where does not match: \(unmet.condition.path) is \(seen)"),
            ]
            return .object(answer)
        }
        guard let mapping = mapping(flow.mapping) else {
            throw .unknownName(Problem.Text(zh: "映射", en: "mapping"), flow.mapping, among: mappings.map(\.name))
        }
        switch try compile(mapping, from: flow.from.document, to: flow.to.document).run(source: source) {
        case .mapped(let documents): answer["results"] = .array(documents.map(\.document))
        case .skipped(let rule): answer["skipped"] = ["zh": .string(rule), "en": .string(rule)]
        case .failed(let failures): answer["problems"] = Terminal.json(failures.map(\.problem))["problems"] ?? []
        }
        return .object(answer)
    }

    /// Compiles the mapping and the filter of every flow, and reports all that is wrong with its line.
    func checkMappings(_ findings: Findings) {
        let tables = tablesByName
        var compiled: Set<[String]> = []
        for flow in flows {
            let file = "flows/\(flow.name).yaml"
            guard let source = type(flow.from.document, file, "from", findings) else { continue }
            do throws(MappingProblems) {
                _ = try SourceFilter(.object(flow.where), from: source)
            } catch {
                for problem in error.problems { add(findings, file, ["from"] + Self.steps(of: problem), problem) }
            }
            guard let target = type(flow.to.document, file, "to", findings), let mapping = mapping(flow.mapping),
                compiled.insert([mapping.name, source.name, target.name]).inserted
            else { continue }
            do throws(MappingProblems) {
                _ = try Mapping.compile(mapping.json, tables: tables, from: source, to: target)
            } catch {
                for problem in error.problems where !isOfUnreadableTable(problem) {
                    add(findings, mapping.file, Self.steps(of: problem), problem)
                }
            }
        }
    }

    /// A table that cannot be read is told by its own problem: that a mapping then finds none says nothing more.
    private func isOfUnreadableTable(_ problem: Problem) -> Bool {
        guard problem.code == "E-MAP-107" else { return false }
        let read = tablesByName
        return files.contains { file in
            file.path.hasPrefix("tables/") && read[ConnectionFile.stem(file.path)] == nil
                && problem.next.en.contains("\(file.path) ")
        }
    }

    private func type(_ name: String, _ file: String, _ end: String, _ findings: Findings) -> DocumentType? {
        do throws(Problem) {
            return try DocumentType.named(name)
        } catch {
            add(findings, file, [end, "document"], error)
            return nil
        }
    }

    /// The steps of the place a mapping's problem names: `Mapping document.lines[0].line.account: …`.
    private static func steps(of problem: Problem) -> [String] {
        let text = problem.what.en
        guard text.hasPrefix("Mapping "), let end = text.range(of: ": ") else { return [] }
        let place = text[text.index(text.startIndex, offsetBy: 8)..<end.lowerBound]
        return place.split { $0 == "." || $0 == "[" || $0 == "]" }.map(String.init)
    }

    /// The line that a table's problem names: `Code table tables/x.csv line 7: …`; 0 for the whole file.
    static func tableLine(of problem: Problem) -> Int {
        guard let start = problem.what.en.range(of: " line ") else { return 0 }
        return Int(problem.what.en[start.upperBound...].prefix { $0.isNumber }) ?? 0
    }
}
