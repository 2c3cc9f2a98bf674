/// Where a bill stands (FDocumentStatus).
enum BillStatus: String, Sendable {
    case draft = "Z"
    case created = "A"
    case inReview = "B"
    case audited = "C"
    case reopened = "D"

    var title: String {
        switch self {
        case .draft: "暂存"
        case .created: "创建"
        case .inReview: "审核中"
        case .audited: "已审核"
        case .reopened: "重新审核"
        }
    }

    /// Editing and deleting: only before review.
    var isEditable: Bool { self == .draft || self == .created || self == .reopened }
}

/// A voucher as it stands in the books.
struct Voucher: Sendable {
    var id: Int64
    /// 单据编号, one series for the whole tenant.
    var billNumber: String
    /// 凭证号, a series per book, voucher word and period.
    var groupNumber: Int
    var book: String
    var group: String
    var date: Moment
    var businessDate: Moment
    var year: Int
    var period: Int
    var attachments: Int64
    var isAdjustment: Bool
    var externalID: String
    var status: BillStatus
    var creator: String
    var created: Moment
    var modified: Moment
    var lines: [VoucherLine]

    var debits: Amount { lines.reduce(.zero) { $0 + $1.debit } }
    var credits: Amount { lines.reduce(.zero) { $0 + $1.credit } }
}

/// One line (分录).
struct VoucherLine: Sendable {
    var id: Int64
    var explanation: String
    /// Empty only in a voucher saved without checks.
    var account: String
    /// In the order of the tenant's dimensions.
    var dimensions: [DimensionValue]
    var currency: String
    var rateType: String
    var rate: Amount
    var amountInCurrency: Amount
    var debit: Amount
    var credit: Amount
}

struct DimensionValue: Sendable, Hashable {
    let dimension: Dimension
    let code: String

    var key: String { dimension.key }
}
