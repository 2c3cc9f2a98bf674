import Kingdee
import PluginKit
import PluginKitTesting
import Values

/// A small vendor for unit tests: vouchers in memory, answers in the shapes of the public specification, and faults
/// a test puts before or after an operation takes effect.
final class FakeGalaxy: @unchecked Sendable {
    struct Voucher {
        var id: Int
        var externalID: String
        var book: String
        var date: String
        var debits: [String]
        var status = "A"
    }

    enum Fault {
        /// Answer so, and do nothing.
        case instead(FakeAnswer)
        /// Do it, and then answer so.
        case afterwards(FakeAnswer)
    }

    // Single-threaded tests only touch these; the concurrent one uses `answer` alone, which locks.
    private let mutex = Monitor()
    private var vouchers: [Voucher] = []
    private var faults: [String: [Fault]] = [:]
    private var operations: [String] = []
    private var logIns = 0
    var fields = FakeGalaxy.standardFields

    static let standardFields = [
        "FVOUCHERID", "FBillNo", "FAccountBookID", "FDate", "FBUSDATE", "FYEAR", "FPERIOD", "FVOUCHERGROUPID",
        "FVOUCHERGROUPNO", "FATTACHMENTS", "FDocumentStatus", "F_KYDD_ExtID", "FEXPLANATION", "FACCOUNTID",
        "FDetailID", "FCURRENCYID", "FEXCHANGERATETYPE", "FEXCHANGERATE", "FAMOUNTFOR", "FDEBIT", "FCREDIT",
    ]

    func fault(_ operation: String, _ faults: Fault...) {
        mutex.locked { self.faults[operation, default: []] += faults }
    }

    var books: [Voucher] {
        get { mutex.locked { vouchers } }
        set { mutex.locked { vouchers = newValue } }
    }
    /// The operations called, in order.
    var history: [String] { mutex.locked { operations } }
    func forget() { mutex.locked { operations = [] } }

    func answer(_ request: SeenRequest) -> FakeAnswer {
        let operation = Self.operation(of: request)
        let fault: Fault? = mutex.locked {
            operations.append(operation)
            guard var queue = faults[operation], !queue.isEmpty else { return nil }
            let next = queue.removeFirst()
            faults[operation] = queue
            return next
        }
        switch fault {
        case .instead(let answer): return answer
        case .afterwards(let answer):
            _ = mutex.locked { perform(operation, request) }
            return answer
        case nil: return mutex.locked { perform(operation, request) }
        }
    }

    static func operation(of request: SeenRequest) -> String {
        let parts = request.path.split(separator: ".")
        guard let kdsvc = parts.lastIndex(of: "common"), kdsvc > 0 else { return request.path }
        return String(parts[kdsvc - 1])
    }

    private func perform(_ operation: String, _ request: SeenRequest) -> FakeAnswer {
        var data = request.json?["data"] ?? .null
        if let text = data.string { data = (try? JSON.parse(text)) ?? .null }
        switch operation {
        case "LoginBySign", "LoginByAppSecret":
            logIns += 1
            let session = "session-\(logIns)"
            return .json(
                ["LoginResultType": 1, "KDSVCSessionId": .string(session), "IsSuccessByAPI": true, "Message": nil],
                cookies: ["kdservice-sessionid=\(session); path=/", "ASP.NET_SessionId=asp; path=/"])
        case "Save":
            let model = data["Model"] ?? .null
            let id = 100_317 + vouchers.count
            let lines = model["FEntity"]?.array ?? []
            vouchers.append(
                Voucher(
                    id: id, externalID: model["F_KYDD_ExtID"]?.string ?? "",
                    book: model["FAccountBookID"]?["FNumber"]?.string ?? "", date: model["FDate"]?.string ?? "",
                    debits: lines.compactMap { $0["FDEBIT"]?.decimal?.text }))
            return Self.good(id: id, returned: ["FVOUCHERGROUPNO": .string("\(vouchers.count)")])
        case "Submit", "Audit":
            let id = data["Ids"]?.string.flatMap { Int($0) } ?? 0
            guard let index = vouchers.firstIndex(where: { $0.id == id }) else {
                return Self.bad(10, "数据不存在")
            }
            let needed = operation == "Submit" ? ["A", "D", "Z"] : ["B"]
            guard needed.contains(vouchers[index].status) else { return Self.bad(12, "状态不允许\(operation)") }
            vouchers[index].status = operation == "Submit" ? "B" : "C"
            return Self.good(id: id)
        case "ExecuteBillQuery": return query(data)
        case "QueryBusinessInfo":
            return .json([
                "Result": [
                    "ResponseStatus": ["IsSuccess": true, "MsgCode": 0, "Errors": []],
                    "NeedReturnData": [
                        "Id": "GL_VOUCHER",
                        "Entrys": [
                            [
                                "Key": "FBillHead",
                                "Fields": .array(
                                    fields.map {
                                        ["Key": .string($0), "ElementType": "TextField", "MustInput": 0]
                                    }),
                            ]
                        ],
                    ],
                ]
            ])
        default: return .text("response_error:no such operation \(operation)")
        }
    }

    private func query(_ data: JSON) -> FakeAnswer {
        let filter = data["FilterString"]?.string ?? ""
        let asked = (data["FieldKeys"]?.string ?? "").split(separator: ",").map(String.init)
        var rows: [JSON] = []
        for (index, voucher) in vouchers.enumerated() {
            let day = voucher.date
            let matches =
                filter == "F_KYDD_ExtID='\(voucher.externalID)'" || filter == "FVOUCHERID=\(voucher.id)"
                || filter == "FDate>='\(day) 00:00:00' and FDate<='\(day) 23:59:59'"
            guard matches else { continue }
            for debit in voucher.debits {
                rows.append(
                    .array(
                        asked.map { field in
                            switch field {
                            case "FVOUCHERID": .number(JSONNumber(Int64(voucher.id)))
                            case "FBillNo": .string("PZ\(voucher.id)")
                            case "FVOUCHERGROUPID.FName": "记"
                            case "FVOUCHERGROUPNO": .string("\(index + 1)")
                            case "FAccountBookID.FNumber": .string(voucher.book)
                            case "FDate": .string("\(day)T00:00:00")
                            case "FDocumentStatus": .string(voucher.status)
                            // As servers do: a number without its trailing zeros.
                            case "FDEBIT": .number(JSONNumber(Self.trimmed(debit)) ?? JSONNumber(0))
                            default: " "
                            }
                        }))
            }
        }
        return .json(.array(rows))
    }

    private static func trimmed(_ text: String) -> String {
        guard text.contains(".") else { return text }
        var text = text
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return text
    }

    static func good(id: Int, returned: JSON = [:]) -> FakeAnswer {
        .json([
            "Result": [
                "ResponseStatus": [
                    "IsSuccess": true, "Errors": [],
                    "SuccessEntitys": [
                        ["Id": .number(JSONNumber(Int64(id))), "Number": .string("PZ\(id)"), "DIndex": 0]
                    ],
                    "SuccessMessages": [], "MsgCode": 0,
                ], "Id": .number(JSONNumber(Int64(id))), "Number": .string("PZ\(id)"), "NeedReturnData": [returned],
            ]
        ])
    }

    static func refusal(_ code: JSON, _ message: String, field: JSON = nil) -> JSON {
        [
            "Result": [
                "ResponseStatus": [
                    "ErrorCode": 500, "IsSuccess": false,
                    "Errors": [["FieldName": field, "Message": .string(message), "DIndex": 0]],
                    "SuccessEntitys": [], "SuccessMessages": [], "MsgCode": code,
                ], "Id": "", "Number": "", "NeedReturnData": [[:]],
            ]
        ]
    }

    static func bad(_ code: JSON, _ message: String, field: JSON = nil) -> FakeAnswer {
        .json(refusal(code, message, field: field))
    }

    /// As ExecuteBillQuery nests it.
    static func badQuery(_ code: JSON, _ message: String) -> FakeAnswer { .json([[refusal(code, message)]]) }
}

/// The vendor's data of the public signature vectors.
enum Sample {
    static let appID = "268001_TtMxQzDFyPq91dYJ45wX78zK2uDb6CxF"
    static let appSecret = "0123456789abcdef0123456789abcdef"
    static let key = "abcdefghijklmnopqrstuvwxyz234567"

    static let voucher: JSON = [
        "book": "001", "date": "2026-01-15", "business_date": "2026-01-14", "group": "记", "attachment_count": 2,
        "summary": "张三差旅费",
        "lines": [
            [
                "summary": "机票", "account": "6601.01", "dimensions": ["department": "BM002", "employee": "E001"],
                "currency": "CNY", "rate": "1", "debit": "1000.00", "credit": "0",
            ],
            ["account": "6601.02", "currency": "CNY", "debit": "200.50", "credit": "0"],
            ["account": "1002.01", "currency": "CNY", "rate": "1", "debit": "0", "credit": "1200.50"],
        ],
    ]

    static func host(_ galaxy: FakeGalaxy, now: Int64 = 1_767_225_600_000) -> FakeHost {
        FakeHost(secrets: ["app_id": appID, "app_secret": appSecret], now: now) { galaxy.answer($0) }
    }

    static var plugin: PluginFunctions {
        PluginFunctions(
            initialize: { kingdeeInit($0) }, ability: { kingdeeAbility($0) }, open: { kingdeeOpen($0, $1, $2) },
            close: { kingdeeClose($0) })
    }

    static func connection(_ host: FakeHost, _ more: JSONObject = [:]) throws -> FakeConnection {
        var settings: JSONObject = ["account_set": "66f0a1b2c3d4e5", "user": "Connector", "organisation": "100"]
        for (name, value) in more { settings[name] = value }
        return try host.open(
            plugin, product: "galaxy", endpoint: "http://erp.example.test/k3cloud/", settings: .object(settings))
    }
}
