import Engine

/// An item's state in columns: one number for the kind, up to three for its payload.
///
/// The numbers are the format: they are never reused. `kind` is what indexes and counts use.
struct StateCode: Equatable {
    var kind: Int
    var a: Int64 = 0
    var b: Int64 = 0
    var c: Int64 = 0

    static let ready = 1
    static let delivering = 2
    static let retrying = 3
    static let checking = 4
    static let atVendor = 5
    static let held = 6
    static let done = 7
    static let skipped = 8

    init(_ state: ItemState) {
        switch state {
        case .ready: self.init(kind: Self.ready)
        case .delivering(let epoch): self.init(kind: Self.delivering, a: epoch)
        case .retrying(let at, let cls): self.init(kind: Self.retrying, a: at, b: Int64(cls.rawValue))
        case .checking(let check):
            self.init(kind: Self.checking, a: check.since, b: check.nextAt, c: Int64(check.looks))
        case .atVendor(let wait):
            self.init(kind: Self.atVendor, a: wait.since, b: wait.pollAt, c: Int64(wait.reason.rawValue))
        case .held(let cause):
            switch cause {
            case .mapping: self.init(kind: Self.held, a: 1)
            case .changedAfterEffect: self.init(kind: Self.held, a: 2)
            case .refused(let cls): self.init(kind: Self.held, a: 3, b: Int64(cls.rawValue))
            case .triesSpent(let cls): self.init(kind: Self.held, a: 4, b: Int64(cls.rawValue))
            case .severalFound: self.init(kind: Self.held, a: 5)
            case .cannotFind: self.init(kind: Self.held, a: 6)
            case .vendorSilent: self.init(kind: Self.held, a: 7)
            case .otherBooks: self.init(kind: Self.held, a: 8)
            }
        case .done: self.init(kind: Self.done)
        case .skipped(let rule): self.init(kind: Self.skipped, a: Int64(rule.rawValue))
        }
    }

    init(kind: Int, a: Int64 = 0, b: Int64 = 0, c: Int64 = 0) {
        self.kind = kind
        self.a = a
        self.b = b
        self.c = c
    }

    /// The state, or nil when a column holds what no version wrote.
    var state: ItemState? {
        switch kind {
        case Self.ready: return .ready
        case Self.delivering: return .delivering(epoch: a)
        case Self.retrying:
            guard let cls = FailureClass(rawValue: Int(b)) else { return nil }
            return .retrying(at: a, class: cls)
        case Self.checking: return .checking(Check(since: a, nextAt: b, looks: Int(c)))
        case Self.atVendor:
            guard let reason = AtVendor.Reason(rawValue: Int(c)) else { return nil }
            return .atVendor(AtVendor(reason: reason, since: a, pollAt: b))
        case Self.held:
            switch a {
            case 1: return .held(.mapping)
            case 2: return .held(.changedAfterEffect)
            case 3: return FailureClass(rawValue: Int(b)).map { .held(.refused($0)) }
            case 4: return FailureClass(rawValue: Int(b)).map { .held(.triesSpent($0)) }
            case 5: return .held(.severalFound)
            case 6: return .held(.cannotFind)
            case 7: return .held(.vendorSilent)
            case 8: return .held(.otherBooks)
            default: return nil
            }
        case Self.done: return .done
        case Self.skipped: return SkipRule(rawValue: Int(a)).map { .skipped($0) }
        default: return nil
        }
    }

    /// The kinds that make up one of the five words.
    static func kinds(of seen: FiveStates) -> [Int] {
        switch seen {
        case .pending: [ready, delivering, retrying, atVendor]
        case .checking: [checking]
        case .held: [held]
        case .done: [done]
        case .skipped: [skipped]
        }
    }
}
