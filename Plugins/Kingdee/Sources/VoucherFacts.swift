import PluginKit
import Values

/// How far a voucher has come. The vendor's letters: Z draft, A created, D reopened, B in review, C audited.
enum Stage: Int, Sendable, Hashable, Comparable {
    case saved
    case submitted
    case audited

    init?(letter: String) {
        switch letter {
        case "Z", "A", "D": self = .saved
        case "B": self = .submitted
        case "C": self = .audited
        default: return nil
        }
    }

    /// The operation that leads on, and where to.
    var next: (operation: String, stage: Stage)? {
        switch self {
        case .saved: ("Submit", .submitted)
        case .submitted: ("Audit", .audited)
        case .audited: nil
        }
    }

    var name: String {
        switch self {
        case .saved: "saved"
        case .submitted: "submitted"
        case .audited: "audited"
        }
    }

    static func < (left: Stage, right: Stage) -> Bool { left.rawValue < right.rawValue }
}

/// A voucher as the ERP holds it: what is compared, remembered in a checkpoint and read back.
struct VoucherFacts: Sendable, Hashable {
    var id: String
    /// The ERP's own number of the document, e.g. `PZ000012`.
    var number: String
    /// The voucher word, e.g. 记.
    var group: String
    /// The number under that word, in its book and period.
    var groupNumber: String
    var book: String
    /// `yyyy-MM-dd`
    var date: String
    /// Sum of the debits, in yuan, two decimals.
    var debit: ExactDecimal
    var stage: Stage

    /// What an accountant looks for: 记-12, else the ERP's own number.
    var shownNumber: String { group.isEmpty || groupNumber.isEmpty ? number : "\(group)-\(groupNumber)" }

    var json: JSON {
        [
            "id": .string(id), "number": .string(number), "group": .string(group),
            "group_number": .string(groupNumber), "book": .string(book), "date": .string(date),
            "debit": .string(debit.text), "stage": .string(stage.name),
        ]
    }

    var written: Written { Written(number: shownNumber, id: id, readBack: json) }
}

extension VoucherFacts {
    /// Reads a checkpoint; nil where there is none, or none of ours: then the voucher is looked up.
    init?(checkpoint: [UInt8]) {
        guard !checkpoint.isEmpty, let json = try? JSON.parse(checkpoint), let id = json["id"]?.string, !id.isEmpty,
            let number = json["number"]?.string, let group = json["group"]?.string,
            let groupNumber = json["group_number"]?.string, let book = json["book"]?.string,
            let date = json["date"]?.string, let debit = json["debit"]?.decimal,
            let stage = [Stage.saved, .submitted, .audited].first(where: { $0.name == json["stage"]?.string })
        else { return nil }
        self.init(
            id: id, number: number, group: group, groupNumber: groupNumber, book: book, date: date, debit: debit,
            stage: stage)
    }
}
