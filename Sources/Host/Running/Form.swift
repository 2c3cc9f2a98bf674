import Documents
import Engine
import Mapping
import Values

/// What one flow makes of one received document: a target document, a rule that skips it, or a cause for a person.
struct Form {
    enum Result {
        case ready
        case hold
        case skip(SkipRule)
    }

    /// Which of several effects.
    var ordinal: Int
    var result: Result
    /// The target document, JSON.
    var bytes: [UInt8]?
    /// Rule or cause for people, JSON text.
    var detail: String?

    var isReady: Bool { if case .ready = result { true } else { false } }
    var isHold: Bool { if case .hold = result { true } else { false } }

    func disposition(key: String) -> Disposition {
        switch result {
        case .ready: .ready(orderKey: key)
        case .hold: .hold
        case .skip(let rule): .skip(rule)
        }
    }

    /// Filter, history, amendment, mapping, in this order. Pure: the same document under the same revision gives the same forms.
    static func make(_ flow: PlannedFlow, _ document: JSON, timeZone: String) -> [Form] {
        if let (condition, seen) = flow.filter.firstUnmet(document) {
            return [Form(ordinal: 0, result: .skip(.filter), detail: Words.filtered(condition, seen))]
        }
        if flow.file.history.before != .create, let day = businessDay(document), day < flow.file.history.start {
            return [Form(ordinal: 0, result: .skip(.history), detail: Words.history(day, flow.file.history))]
        }
        // A document that amends or revokes another is a change of that one, under an id of its own: the same money
        // must not be booked twice.
        if let main = document["main_id"]?.string, let action = document["action"]?.string, action != "none" {
            let isIgnored = flow.file.onChange == .ignore
            return [
                Form(
                    ordinal: 0, result: isIgnored ? .skip(.changeIgnored) : .hold, bytes: nil,
                    detail: Words.amends(main, action))
            ]
        }
        switch flow.mapping.run(source: document) {
        case .mapped(let documents):
            return documents.map {
                Form(ordinal: $0.ordinal, result: .ready, bytes: $0.document.serialized(), detail: nil)
            }
        case .skipped(let rule):
            return [Form(ordinal: 0, result: .skip(.mapping), detail: Words.mappingSkipped(rule))]
        case .failed(let failures):
            return [Form(ordinal: 0, result: .hold, detail: Words.mappingFailed(failures))]
        }
    }

    /// The day a document counts as of, in the offset it was written with.
    private static func businessDay(_ document: JSON) -> String? {
        for field in ["finished_at", "date", "created_at"] {
            if let text = document[field]?.string, text.utf8.count >= 10 { return String(text.prefix(10)) }
        }
        return nil
    }
}
