import Documents
import Values

/// What makes one place of the target document.
indirect enum Build: Sendable {
    case object([Member])
    case list([Group])
    case leaf(Leaf)

    struct Member: Sendable {
        var key: String
        var build: Build
    }

    /// Lines made one after another: one of each row of a list, or just one.
    struct Group: Sendable {
        var each: Path?
        var condition: Condition?
        var line: Build
    }

    struct Leaf: Sendable {
        var expression: Expression
        var shape: Shape
    }

    /// What the target's schema wants here.
    enum Shape: String, Sendable {
        case text
        case integer
        case decimal
        case date
        case any
    }
}

extension Build.Shape {
    /// The value as the place wants it, or what is wrong with it.
    func fit(_ value: JSON) -> Result<JSON, FitFault> {
        switch (self, value) {
        case (.any, _): return .success(value)
        case (_, .array), (_, .object), (_, .null): return .failure(FitFault(.notText))
        case (.text, .string): return .success(value)
        case (.text, _): return .success(.string(scalarText(value) ?? ""))
        case (.decimal, .string(let text)):
            guard plainDecimal(value) != nil else { return .failure(FitFault(.notNumber)) }
            return .success(.string(trimmed(text)))
        case (.decimal, _):
            guard let decimal = plainDecimal(value) else { return .failure(FitFault(.notNumber)) }
            return .success(.string(decimal.text))
        case (.integer, _):
            guard let decimal = plainDecimal(value)?.normalized else { return .failure(FitFault(.notNumber)) }
            guard decimal.scale == 0, let number = JSONNumber(decimal.text) else {
                return .failure(FitFault(.notInteger))
            }
            return .success(.number(number))
        case (.date, .string(let text)):
            guard let date = CivilDate(trimmed(text)) else { return .failure(FitFault(.notDate)) }
            return .success(.string(date.text))
        case (.date, _): return .failure(FitFault(.notDate))
        }
    }
}

/// Why a value does not fit.
struct FitFault: Error {
    let fault: Fault

    init(_ fault: Fault) { self.fault = fault }
}

/// Makes one target document and gathers every failure on the way.
struct Builder {
    var failures: [MappingFailure] = []
    private var lines = 0

    /// The value of a place; nil when it is left out, or failed.
    mutating func make(_ build: Build, _ scope: Scope) -> JSON? {
        switch build {
        case .leaf(let leaf): return make(leaf, scope)
        case .object(let members):
            var object = JSONObject(capacity: members.count)
            for member in members {
                let before = failures.count
                if let value = make(member.build, scope) { object.append(newKey: member.key, value) }
                prefix(from: before, member.key)
            }
            return .object(object)
        case .list(let groups):
            var list: [JSON] = []
            for group in groups { make(group, scope, &list) }
            return .array(list)
        }
    }

    private mutating func make(_ leaf: Build.Leaf, _ scope: Scope) -> JSON? {
        do throws(MappingFailure) {
            guard let value = try leaf.expression.value(scope) else {
                if !leaf.expression.toleratesNothing(scope) { fail(leaf.expression.explain(scope)) }
                return nil
            }
            switch leaf.shape.fit(value) {
            case .success(let fitting): return fitting
            case .failure(let problem):
                throw MappingFailure(
                    problem.fault, source: leaf.expression.firstPath.map(scope.place), seen: value)
            }
        } catch {
            fail(error)
            return nil
        }
    }

    private mutating func make(_ group: Build.Group, _ scope: Scope, _ list: inout [JSON]) {
        guard let each = group.each else {
            line(group, scope, &list)
            return
        }
        do throws(MappingFailure) {
            for (index, row) in try scope.rows(each).enumerated() {
                guard failures.count < Limits.failures, lines <= Limits.lines else { return }
                line(group, scope.with(row, index, of: each), &list)
            }
        } catch {
            fail(error)
        }
    }

    private mutating func line(_ group: Build.Group, _ scope: Scope, _ list: inout [JSON]) {
        let before = failures.count
        do throws(MappingFailure) {
            if let condition = group.condition, try !condition.holds(scope) { return }
        } catch {
            fail(error)
            prefix(from: before, "\(list.count)")
            return
        }
        lines += 1
        guard lines <= Limits.lines else {
            fail(MappingFailure(.tooManyLines, source: group.each.map(scope.place), seen: nil))
            return
        }
        let made = make(group.line, scope)
        prefix(from: before, "\(list.count)")
        list.append(made ?? .null)
    }

    private mutating func fail(_ failure: MappingFailure) {
        if failures.count < Limits.failures { failures.append(failure) }
    }

    private mutating func prefix(from start: Int, _ step: String) {
        guard start < failures.count else { return }
        for at in failures.indices[start...] { failures[at].target = "/\(pointerToken(step))" + failures[at].target }
    }
}
