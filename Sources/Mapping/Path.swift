import Documents
import Values

/// A path into a source document: `applicant.department.id`, `lines[0]`, `fields[总金额]`, `row.fields[金额]`.
///
/// `[3]` is an element of a list. `[text]` is the field of a list of form fields whose alias, else id, else label is
/// the text; it gives the field's value, or its rows. `["text"]` is the same for texts with brackets, quotes or
/// nothing but digits.
struct Path: Sendable, Hashable {
    enum Root: String, Sendable {
        case document = "doc"
        case row
        case part
    }

    enum Step: Sendable, Hashable {
        case key(String)
        case index(Int)
        case field(String)
    }

    /// As it was written.
    let text: String
    /// The text after the root.
    let relative: String
    let root: Root
    let steps: [Step]

    init?(_ text: String) {
        self.text = text
        var scanner = PathScanner(text: Array(text.unicodeScalars))
        guard var steps = scanner.steps() else { return nil }
        if case .key(let name)? = steps.first, let root = Root(rawValue: name) {
            self.root = root
            steps.removeFirst()
            let rest = text.dropFirst(name.count)
            relative = rest.first == "." ? String(rest.dropFirst()) : String(rest)
        } else {
            root = .document
            relative = text
        }
        self.steps = steps
    }

    init(text: String, relative: String, root: Root, steps: [Step]) {
        self.text = text
        self.relative = relative
        self.root = root
        self.steps = steps
    }

    /// The value; nil when a part is missing. Whether the value is empty is not looked at.
    func find(in value: JSON) -> JSON? {
        var value = value
        for step in steps {
            guard let next = Self.take(step, of: value) else { return nil }
            value = next
        }
        return value
    }

    /// How many steps lead somewhere.
    func reach(in value: JSON) -> Int {
        var value = value
        for (count, step) in steps.enumerated() {
            guard let next = Self.take(step, of: value) else { return count }
            value = next
        }
        return steps.count
    }

    private static func take(_ step: Step, of value: JSON) -> JSON? {
        switch step {
        case .key(let key): value[key]
        case .index(let index): value[index]
        case .field(let name): field(name, of: value)
        }
    }

    private static func field(_ name: String, of value: JSON) -> JSON? {
        guard case .array(let elements) = value else { return nil }
        var byID: JSONObject?
        var byLabel: JSONObject?
        for element in elements {
            guard case .object(let field) = element else { continue }
            if case .string(let alias)? = field["alias"], sameBytes(alias, name) { return content(field) }
            if byID == nil, case .string(let id)? = field["id"], sameBytes(id, name) { byID = field }
            if byLabel == nil, case .string(let label)? = field["label"], sameBytes(label, name) { byLabel = field }
        }
        return (byID ?? byLabel).flatMap(content)
    }

    private static func content(_ field: JSONObject) -> JSON? { field["value"] ?? field["rows"] }
}

private struct PathScanner {
    let text: [Unicode.Scalar]
    var at = 0

    mutating func steps() -> [Path.Step]? {
        var steps: [Path.Step] = []
        while true {
            let start = at
            while at < text.count, text[at] != ".", text[at] != "[" {
                guard text[at] != "]", text[at] != "\"", !text[at].properties.isWhitespace else { return nil }
                at += 1
            }
            guard at > start else { return nil }
            steps.append(.key(string(start..<at)))
            while at < text.count, text[at] == "[" {
                guard let step = bracket() else { return nil }
                steps.append(step)
            }
            if at == text.count { return steps }
            guard text[at] == "." else { return nil }
            at += 1
        }
    }

    private func string(_ range: Range<Int>) -> String {
        String(String.UnicodeScalarView(text[range]))
    }

    private mutating func bracket() -> Path.Step? {
        at += 1
        if at < text.count, text[at] == "\"" {
            guard let close = text[(at + 1)...].firstIndex(of: "\""), close > at + 1, close + 1 < text.count,
                text[close + 1] == "]"
            else { return nil }
            let name = string(at + 1..<close)
            at = close + 2
            return .field(name)
        }
        guard let close = text[at...].firstIndex(of: "]"), close > at else { return nil }
        let name = string(at..<close)
        at = close + 1
        guard !name.contains("["), !name.contains("\"") else { return nil }
        guard name.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return .field(name)
        }
        return Int(name).map { .index($0) }
    }
}

/// Where a path may lead by the source's schema.
enum Place: Sendable {
    case known(SchemaPlace)
    case anything

    /// What went wrong on the way.
    struct Lost: Error {
        var step: String
        var known: [String]
    }

    /// Follows a path; a list wanted at its end makes a form field mean its rows.
    func follow(_ path: Path, wantsList: Bool) throws(Lost) -> Place {
        var place = self
        for (at, step) in path.steps.enumerated() {
            guard case .known(let here) = place else { return .anything }
            switch step {
            case .key(let key): place = try Self.settle(here.member(key), key)
            case .index(let index): place = try Self.settle(here.element, "[\(index)]")
            case .field(let name):
                guard case .place(let field) = here.element else {
                    place = try Self.settle(here.element, "[\(name)]")
                    continue
                }
                let wanted = wantsList && at == path.steps.count - 1 ? "rows" : "value"
                if case .place(let content) = field.member(wanted) {
                    place = .known(content)
                } else {
                    place = try Self.settle(field.member("value"), "[\(name)]")
                }
            }
        }
        return place
    }

    /// An element of the list here.
    var element: Place {
        if case .known(let place) = self, case .place(let element) = place.element {
            .known(element)
        } else {
            .anything
        }
    }

    private static func settle(_ step: SchemaPlace.Step, _ name: String) throws(Lost) -> Place {
        switch step {
        case .place(let place): .known(place)
        case .anything: .anything
        case .nothing(let known): throw Lost(step: name, known: known)
        }
    }
}
