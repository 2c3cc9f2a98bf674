import SimulatorKit

@testable import KingdeeSimulator

/// A client at the counter of the simulated ERP, without a socket: calls, headers and cookies as a real one would send.
final class KingdeeDesk: Sendable {
    static let start: Int64 = 1_768_449_600_000  // 2026-01-15 12:00 in China
    let simulator: KingdeeSimulator
    let clock = VirtualClock(at: KingdeeDesk.start)

    init(_ settings: [String: String] = [:]) throws {
        simulator = try KingdeeSimulator(options: SimulatorOptions(seed: 7, clock: clock, settings: settings))
    }

    static let forms = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService."
    static let logins = "Kingdee.BOS.WebApi.ServicesStub.AuthService."

    static func path(_ operation: String, service: String = forms, prefix: String = "/k3cloud/") -> String {
        "\(prefix)\(service)\(operation).common.kdsvc"
    }

    /// The headers of mode A; `change` may spoil them.
    static func signed(
        path: String, timestamp: String = "1768449600", user: String = "Connector", account: String = "66f0a1b2c3d4e5",
        secret: String = "0123456789abcdef0123456789abcdef"
    ) -> [(name: String, value: String)] {
        var credentials = Credentials()
        credentials.appSecret = secret
        let data = "\(account),\(user),2052,100"
        return [
            ("Content-Type", "application/json"), ("X-Api-ClientID", credentials.clientID),
            ("X-Api-Auth-Version", "2.0"), ("x-api-timestamp", timestamp), ("x-api-nonce", timestamp),
            ("x-api-signheaders", "x-api-timestamp,x-api-nonce"),
            (
                "X-Api-Signature",
                credentials.gatewaySignature(path: path, nonce: timestamp, timestamp: timestamp)
            ),
            ("X-Kd-Appkey", credentials.appID), ("X-Kd-Appdata", Digest.base64(Array(data.utf8))),
            ("X-Kd-Signature", credentials.applicationSignature(appData: data)),
        ]
    }

    func send(
        _ path: String, _ body: SimJSON, headers: [(name: String, value: String)] = []
    ) async -> SimResponse {
        await simulator.handle(SimRequest(method: "POST", target: path, headers: headers, body: body.bytes))
    }

    /// A signed call whose answer must be JSON.
    func call(_ operation: String, _ body: SimJSON) async throws -> SimJSON {
        let path = Self.path(operation)
        return try SimJSON.parse(await send(path, body, headers: Self.signed(path: path)).body)
    }

    func form(_ operation: String, _ data: SimJSON, form: String = "GL_VOUCHER") async throws -> SimJSON {
        try await call(operation, ["formid": .string(form), "data": data])
    }

    func save(_ model: SimJSON, _ options: SimJSON = ["IsVerifyBaseDataField": "true"]) async throws -> SimJSON {
        var data = options
        data["Model"] = model
        return try await form("Save", data)
    }

    func query(
        _ form: String, _ fields: String, filter: String = "", more: SimJSON = [:]
    ) async throws -> SimJSON {
        var data = more
        data["FormId"] = .string(form)
        data["FieldKeys"] = .string(fields)
        data["FilterString"] = .string(filter)
        return try await call("ExecuteBillQuery", ["data": data])
    }

    func set(_ name: String, _ value: SimJSON) async {
        _ = await control("options", [name: value])
    }

    @discardableResult
    func control(_ name: String, _ body: SimJSON) async -> SimResponse? {
        await simulator.control(SimRequest(method: "POST", target: "/_sim/\(name)", body: body.bytes))
    }

    func totals() async -> SimJSON { await simulator.books()["totals"] ?? [:] }
    func vouchers() async -> [SimJSON] { await simulator.books()["vouchers"]?.array ?? [] }
}

/// What an answer says, wherever it says it: MsgCode, IsSuccess, the messages.
struct KingdeeAnswer {
    let success: Bool?
    let code: Int?
    let messages: [String]
    let fields: [String]
    let indices: [Int]
    let succeeded: [SimJSON]

    init(_ json: SimJSON) {
        let object = json[0]?[0] ?? json
        let status = object["Result"]?["ResponseStatus"]
        success = status?["IsSuccess"]?.bool
        code = status?["MsgCode"]?.int
        let errors = status?["Errors"]?.array ?? []
        messages = errors.compactMap { $0["Message"]?.string }
        fields = errors.compactMap { $0["FieldName"]?.string }
        indices = errors.compactMap { $0["DIndex"]?.int }
        succeeded = status?["SuccessEntitys"]?.array ?? []
    }
}

extension SimJSON {
    /// The value at a path of keys and indices, set in place.
    mutating func put(_ path: [String], _ value: SimJSON?) {
        guard let head = path.first else { return }
        let rest = Array(path.dropFirst())
        if let index = Int(head), case .array(var list) = self {
            if rest.isEmpty {
                if let value { list[index] = value } else { list.remove(at: index) }
            } else {
                list[index].put(rest, value)
            }
            self = .array(list)
            return
        }
        if rest.isEmpty {
            self[head] = value
        } else {
            var inner = self[head] ?? [:]
            inner.put(rest, value)
            self[head] = inner
        }
    }

    func with(_ path: String, _ value: SimJSON?) -> SimJSON {
        var copy = self
        copy.put(path.split(separator: "/").map(String.init), value)
        return copy
    }
}

/// A voucher the simulator takes: travel expenses of the sales department, paid from the bank.
func goodVoucher(_ external: String = "proc-1", amount: String = "1200.50") -> SimJSON {
    [
        "FVOUCHERID": 0, "FAccountBookID": ["FNumber": "001"], "FDate": "2026-01-15", "FBUSDATE": "2026-01-15",
        "FYEAR": 2026, "FPERIOD": 1, "FVOUCHERGROUPID": ["FNumber": "PRE001"], "FVOUCHERGROUPNO": "",
        "FATTACHMENTS": 2, "FISADJUSTVOUCHER": "false", "F_KYDD_ExtID": .string(external),
        "FEntity": [
            [
                "FEXPLANATION": "王小明差旅费", "FACCOUNTID": ["FNumber": "6601.01"],
                "FDetailID": ["FDETAILID__FFLEX5": ["FNumber": "BM002"]], "FCURRENCYID": ["FNumber": "PRE001"],
                "FEXCHANGERATETYPE": ["FNumber": "HLTX01_SYS"], "FEXCHANGERATE": 1, "FAMOUNTFOR": .number(amount),
                "FDEBIT": .number(amount), "FCREDIT": 0,
            ],
            [
                "FEXPLANATION": "王小明差旅费", "FACCOUNTID": ["FNUMBER": "1002.01"], "FCURRENCYID": ["FNumber": "PRE001"],
                "FEXCHANGERATETYPE": ["FNumber": "HLTX01_SYS"], "FEXCHANGERATE": "1", "FAMOUNTFOR": .string(amount),
                "FDEBIT": "0", "FCREDIT": .string(amount),
            ],
        ],
    ]
}
