import SimulatorKit

/// What the server says to one call.
enum Reply: Sendable {
    case json(SimJSON)
    /// Anything else: text at a status.
    case text(String, status: Int)
}

/// One entry of `Errors`.
struct FieldError: Sendable, Hashable {
    let field: String?
    let message: String
}

/// A refusal in the vendor's terms: MsgCode and what is wrong.
///
/// MsgCode [DOC]: 1 context lost · 2 no permission · 3 operation id empty · 4 exception · 5 form id empty ·
/// 6 database failure · 7 licence · 8 bad parameter · 9 field or value does not exist · 10 no such data ·
/// 11 validation failed · 12 operation not possible · 13 network control conflict · 14 call limit ·
/// 15 administrator login forbidden.
struct Refusal: Error, Sendable {
    let code: Int
    let errors: [FieldError]
    /// The document exists although the answer is a failure (save committed, submit or audit refused).
    var committed: SuccessEntity?

    init(_ code: Int, _ message: String, field: String? = nil) {
        self.code = code
        errors = [FieldError(field: field, message: message)]
    }

    init(_ code: Int, errors: [FieldError]) {
        self.code = code
        self.errors = errors
    }

    static let contextLost = Refusal(1, "会话信息已丢失，请重新登录")
    /// Wrong credentials under signed headers say the same words as a lost session: measured on real servers.
    static let notAuthorized = Refusal(1, "会话信息已丢失，请重新登录")
    static let noPermission = Refusal(2, "您没有该操作的权限，请联系系统管理员")
    static let database = Refusal(6, "数据库访问失败，请稍后重试")
    static let licence = Refusal(7, "许可校验失败：没有可用的WebAPI许可")
    static let networkControl = Refusal(13, "网控冲突：该数据正在被其他用户编辑，请稍后再试")
    static let callLimit = Refusal(14, "调用次数超出限制，请稍后再试")
    static let administrator = Refusal(15, "不允许使用管理员登录")
}

/// One entry of `SuccessEntitys`.
struct SuccessEntity: Sendable, Hashable {
    let id: Int64
    let number: String
    var index = 0
}

/// One failed member of an operation on several documents.
struct FailedMember: Sendable {
    let index: Int
    let refusal: Refusal
}

/// Makes the vendor's answer objects.
struct AnswerWriter: Sendable {
    let messageCodeAsText: Bool
    let dropsSuccessEntities: Bool

    init(_ options: Options) {
        messageCodeAsText = options.messageCodeAsText
        dropsSuccessEntities = options.dropsSuccessEntities
    }

    func status(succeeded: [SuccessEntity], failed: [FailedMember]) -> SimJSON {
        let good = failed.isEmpty
        var listed = succeeded
        if good, dropsSuccessEntities, !listed.isEmpty { listed.removeLast() }
        let code = failed.first?.refusal.code ?? 0
        var status: SimJSON = [:]
        if !good { status["ErrorCode"] = 500 }
        status["IsSuccess"] = .bool(good)
        status["Errors"] = .array(
            failed.flatMap { member in
                member.refusal.errors.map { error -> SimJSON in
                    [
                        "FieldName": SimJSON(error.field), "Message": .string(error.message),
                        "DIndex": SimJSON(member.index),
                    ]
                }
            })
        status["SuccessEntitys"] = .array(
            listed.map { ["Id": SimJSON($0.id), "Number": .string($0.number), "DIndex": SimJSON($0.index)] })
        status["SuccessMessages"] = []
        status["MsgCode"] = messageCodeAsText ? .string(String(code)) : SimJSON(code)
        return status
    }

    func refusal(_ refusal: Refusal) -> SimJSON {
        [
            "Result": [
                "ResponseStatus": status(succeeded: [], failed: [FailedMember(index: 0, refusal: refusal)]),
                "Id": .string(refusal.committed.map { String($0.id) } ?? ""),
                "Number": .string(refusal.committed?.number ?? ""), "NeedReturnData": [[:]],
            ]
        ]
    }

    /// The answer of Save, BatchSave and Draft.
    func saved(_ succeeded: [SuccessEntity], failed: [FailedMember], returned: [SimJSON], single: Bool) -> SimJSON {
        var result: SimJSON = ["ResponseStatus": status(succeeded: succeeded, failed: failed)]
        let shown = succeeded.first ?? failed.lazy.compactMap(\.refusal.committed).first
        if single {
            result["Id"] = shown.map { SimJSON($0.id) } ?? ""
            result["Number"] = .string(shown?.number ?? "")
        }
        result["NeedReturnData"] = .array(returned.isEmpty ? [[:]] : returned)
        return ["Result": result]
    }

    /// The answer of Submit, Audit, UnAudit, Delete, CancelAssign and ExecuteOperation.
    func operated(_ succeeded: [SuccessEntity], failed: [FailedMember]) -> SimJSON {
        ["Result": ["ResponseStatus": status(succeeded: succeeded, failed: failed)]]
    }
}

extension Cell {
    /// As a query answers it: empty text is one space, dates have no zone, numbers are JSON numbers.
    var json: SimJSON {
        switch self {
        case .text(let text): .string(text.isEmpty ? " " : text)
        case .integer(let value): SimJSON(value)
        case .decimal(let amount): .number(amount.text())
        case .moment(let moment): .string(moment.text)
        case .null: .null
        }
    }
}

/// `[{"Key":2052,"Value":"…"}]`: a text per language.
func localized(_ text: String) -> SimJSON { [["Key": 2052, "Value": .string(text)]] }
