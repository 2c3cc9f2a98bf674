import SimulatorKit
import Synchronization

/// Kingdee Galaxy 云星空 as a client sees it: one company with two books, every operation at
/// `{server}/k3cloud/….common.kdsvc`, strict where the vendor is strict and silent where it is silent.
///
/// Settings (`--set kingdee.NAME=VALUE`; all but `dimensions` also by `POST /_sim/options`, which GET shows):
///
/// - server: `gateway`, `sha1_only`, `bill_query`, `data_as_string`, `msgcode_as_text`, `drop_success_entities`,
///   `upgraded` (true or false), `query_rows`, `repeat_ms` (memory of ValidateRepeatJson);
/// - sessions: `session_seconds`, `kick_old_session`, `refuse_parallel_logins`, `login_ms`;
/// - limits: `call_limit` in `call_window_ms`, `max_in_flight`, `work_ms`, `licensed`, `denied` (`audit,gl_voucher.save`);
/// - tenant: `ext_field` (empty: none), `dimensions` (`BD_Department:FF100001,…`), `workflow`.
///
/// Faults beside the general ones: nothing done, and answered so: `responseError`, `ctxNull`, `exception`, `database`,
/// `networkControl`, `licence`, `noPermission`, `sessionLost`; done, and answered as if not: `responseErrorAfterCommit`,
/// `http500AfterCommit`, `htmlAfterCommit`, `databaseAfterCommit`, `hangAfterCommit`; never answered, and done MS
/// milliseconds later: `hangCommitLate:MS`.
///
/// Control beside the general one: POST `/_sim/options` (`{"call_limit":5}`), `/_sim/periods/close` and `/open`
/// (`{"book":"001","year":2026,"period":1}`), `/_sim/sessions/end`, `/_sim/edited` (`{"numbers":[…]}`: documents somebody
/// has open), `/_sim/users` (`{"name":…,"login_result":-3}`), `/_sim/credentials` (`{"app_secret":…}`); GET
/// `/_sim/options`, `/_sim/base` (codes), `/_sim/totals` (the totals of `/_sim/books` alone).
public final class KingdeeSimulator: Simulator {
    /// `kingdee`.
    public static let name = "kingdee"
    /// The time sessions, periods and documents follow.
    public let clock: any SimClock

    private let galaxy: Mutex<Galaxy>
    private let baseURL = Mutex("http://127.0.0.1")

    /// The sample company. Throws `SimulatorOptionError` for a setting it does not know.
    public init(options: SimulatorOptions) throws {
        clock = options.clock
        galaxy = Mutex(Galaxy(options: try Options(options.settings), seed: options.seed, now: options.clock.now()))
    }

    /// Signatures, and session ids in every spelling.
    public var secretNames: Set<String> {
        ["x-api-signature", "x-kd-signature", "kdservice-sessionid", "kdsvcsessionid", "usertoken", "sessionid"]
    }

    /// Remembers the address for the credentials.
    public func started(at baseURL: String) async { self.baseURL.withLock { $0 = baseURL } }

    /// `save`, `executebillquery`, `login` …: the vendor's word in lower case.
    public func operation(of request: SimRequest) -> String? { Operation(path: request.path)?.name }

    /// Answers a vendor request.
    public func handle(_ request: SimRequest) async -> SimResponse {
        guard let operation = Operation(path: request.path) else { return .text("Not Found", status: 404) }
        guard request.method == "POST" else { return .text("Method Not Allowed", status: 405) }
        switch operation {
        case .form(let name):
            let wait = galaxy.withLock { galaxy in
                galaxy.enterCall()
                return galaxy.options.workMilliseconds
            }
            if wait > 0 { try? await clock.sleep(milliseconds: wait) }
            let now = clock.now()
            let (reply, caller) = galaxy.withLock { galaxy in
                defer { galaxy.leaveCall() }
                return galaxy.call(name, request, at: now)
            }
            return Self.response(reply, opening: caller.flatMap { $0.isNew ? $0.session : nil })
        case .login(let name): return await login(name, request)
        case .logout:
            let ended = galaxy.withLock { galaxy in Galaxy.sessionID(of: request).map { galaxy.sessions.end($0) } }
            return .json(.bool(ended ?? false))
        case .dataCentres:
            let id = galaxy.withLock { $0.credentials.accountID }
            return .json([["Id": .string(id), "Number": "001", "Name": "示例科技"]])
        case .unknown(let service): return .text("response_error:找不到服务 \(service)", status: 200)
        }
    }

    private func login(_ name: String, _ request: SimRequest) async -> SimResponse {
        let arguments: Arguments
        do {
            arguments = try Arguments(body: request.body, contentType: request.header("content-type"))
        } catch {
            return Self.response(galaxy.withLock { $0.refused(error, by: name) }, opening: nil)
        }
        let user = arguments.text("username", at: 1) ?? ""
        let (entered, wait) = galaxy.withLock { galaxy in
            (
                galaxy.sessions.enterLogin(user, alone: galaxy.options.refuseParallelLogins),
                galaxy.options.loginMilliseconds
            )
        }
        guard entered else { return Self.response(galaxy.withLock { $0.busyLogin() }, opening: nil) }
        if wait > 0 { try? await clock.sleep(milliseconds: wait) }
        let now = clock.now()
        let (reply, session) = galaxy.withLock { galaxy in
            galaxy.sessions.leaveLogin(user)
            return galaxy.login(name, arguments, at: now)
        }
        return Self.response(reply, opening: session)
    }

    private static func response(_ reply: Reply, opening session: Session?) -> SimResponse {
        var response: SimResponse =
            switch reply {
            case .json(let json): .json(json)
            case .text(let text, let status): .text(text, status: status)
            }
        if let session {
            response.headers.append(("Set-Cookie", "kdservice-sessionid=\(session.id); path=/"))
            response.headers.append(("Set-Cookie", "ASP.NET_SessionId=\(session.aspID); path=/; HttpOnly"))
        }
        return response
    }

    /// The vendor's shape of a planned misbehaviour.
    public func answer(to fault: Fault.Kind, _ request: SimRequest) async -> SimResponse? {
        let name = Operation(path: request.path)?.name ?? ""
        func refused(_ refusal: Refusal) -> SimResponse {
            Self.response(galaxy.withLock { $0.refused(refusal, by: name) }, opening: nil)
        }
        switch fault {
        case .rateLimit: return refused(.callLimit)
        case .expireTokens:
            galaxy.withLock { $0.sessions.endAll() }
            return nil
        case .vendor("responseError"): return .text("response_error:服务器内部异常，未将对象引用设置到对象的实例。")
        case .vendor("ctxNull"): return .text("ctx == null")
        case .vendor("exception"): return refused(Refusal(4, "未将对象引用设置到对象的实例。"))
        case .vendor("database"): return refused(.database)
        case .vendor("networkControl"): return refused(.networkControl)
        case .vendor("licence"): return refused(.licence)
        case .vendor("noPermission"): return refused(.noPermission)
        case .vendor("sessionLost"):
            galaxy.withLock { $0.sessions.endAll() }
            return refused(.contextLost)
        case .vendor("responseErrorAfterCommit"):
            _ = await handle(request)
            return .text("response_error:操作超时")
        case .vendor("http500AfterCommit"):
            _ = await handle(request)
            return .text("internal error", status: 500)
        case .vendor("htmlAfterCommit"):
            _ = await handle(request)
            return .html("<!DOCTYPE html><html><body><h1>504 Gateway Time-out</h1></body></html>", status: 504)
        case .vendor("databaseAfterCommit"):
            _ = await handle(request)
            return refused(.database)
        case .vendor("hangAfterCommit"):
            _ = await handle(request)
            return SimResponse(delivery: .never)
        case .vendor(let text) where text.hasPrefix("hangCommitLate:"):
            guard let milliseconds = Int(text.dropFirst("hangCommitLate:".count)) else { return nil }
            Task {
                try? await clock.sleep(milliseconds: milliseconds)
                _ = await handle(request)
            }
            return SimResponse(delivery: .never)
        default: return nil
        }
    }

    /// Vouchers, totals, trail, sessions and options.
    public func books() async -> SimJSON {
        galaxy.withLock { galaxy in
            var out = galaxy.books.json
            out["partners"] = galaxy.books.partners
            out["sessions"] = galaxy.sessions.json
            out["load"] = galaxy.load.json
            out["options"] = galaxy.options.json
            return out
        }
    }

    /// What a connector needs to log in, in each mode.
    public func credentials() async -> SimJSON {
        let url = baseURL.withLock { $0 }
        return galaxy.withLock { galaxy in
            let credentials = galaxy.credentials
            return [
                "server_url": .string("\(url)/k3cloud/"), "acct_id": .string(credentials.accountID),
                "username": .string(credentials.user), "password": .string(credentials.password),
                "app_id": .string(credentials.appID), "app_secret": .string(credentials.appSecret), "lcid": 2052,
                "org_num": 0, "ext_field": .string(galaxy.options.externalField), "book": "001",
                "voucher_group": "PRE001",
            ]
        }
    }

    /// Answers the vendor's own controls.
    public func control(_ request: SimRequest) async -> SimResponse? {
        let body: SimJSON
        do {
            body = request.body.isEmpty ? [:] : try SimJSON.parse(request.body)
        } catch {
            return .json(["error": .string("\(error)")], status: 400)
        }
        switch (request.method, request.path) {
        case ("GET", "/_sim/options"): return .json(galaxy.withLock { $0.options.json })
        case ("POST", "/_sim/options"):
            do {
                return .json(
                    try galaxy.withLock { galaxy in
                        var changed = galaxy.options
                        for key in body.object?.keys ?? [] {
                            if key == "dimensions" {
                                throw SimulatorOptionError(setting: key, value: "only at the start")
                            }
                            try changed.set(key, to: body[key]?.plainText ?? body[key]?.bool.map { "\($0)" } ?? "")
                        }
                        galaxy.options = changed
                        return changed.json
                    })
            } catch {
                return .json(["error": .string("\(error)")], status: 400)
            }
        case ("POST", "/_sim/periods/close"), ("POST", "/_sim/periods/open"):
            guard let year = body["year"]?.int, let period = body["period"]?.int, (1...12).contains(period) else {
                return .json(["error": "year and period are needed"], status: 400)
            }
            let key = Books.Period(book: body["book"]?.string ?? SampleCompany.bookNumber, year: year, period: period)
            return .json(
                galaxy.withLock { galaxy in
                    if request.path.hasSuffix("close") {
                        galaxy.books.closed.insert(key)
                    } else {
                        galaxy.books.closed.remove(key)
                    }
                    return galaxy.books.closedPeriods
                })
        case ("POST", "/_sim/sessions/end"):
            galaxy.withLock { $0.sessions.endAll() }
            return .json([:])
        case ("POST", "/_sim/edited"):
            galaxy.withLock { $0.books.edited = Set((body["numbers"]?.array ?? []).compactMap(\.string)) }
            return .json(body)
        case ("POST", "/_sim/users"):
            guard let user = body["name"]?.string, let result = body["login_result"]?.int else {
                return .json(["error": "name and login_result are needed"], status: 400)
            }
            galaxy.withLock { $0.loginResults[user] = result }
            return .json(body)
        case ("POST", "/_sim/credentials"):
            galaxy.withLock { galaxy in
                if let text = body["acct_id"]?.string { galaxy.credentials.accountID = text }
                if let text = body["username"]?.string { galaxy.credentials.user = text }
                if let text = body["password"]?.string { galaxy.credentials.password = text }
                if let text = body["app_id"]?.string { galaxy.credentials.appID = text }
                if let text = body["app_secret"]?.string { galaxy.credentials.appSecret = text }
            }
            return .json([:])
        case ("GET", "/_sim/totals"): return .json(galaxy.withLock { $0.books.totals })
        case ("GET", "/_sim/base"):
            return .json(galaxy.withLock { $0.baseJSON })
        default: return nil
        }
    }
}

extension Galaxy {
    /// The answer to a login while another of the same user is under way.
    mutating func busyLogin() -> Reply {
        sessions.refused()
        return .json([
            "Message": "该用户正在登录，请稍后再试", "MessageCode": "LoginFailed", "LoginResultType": -1, "Context": nil,
            "KDSVCSessionId": nil, "IsSuccessByAPI": false,
        ])
    }

    /// Number and name of every base data row, by form.
    var baseJSON: SimJSON {
        .object(
            books.base.sorted { $0.key < $1.key }.reduce(into: SimObject()) { out, entry in
                out[entry.key] = .array(
                    entry.value.records.map { record in
                        [
                            "number": .string(record.number), "name": .string(record.name),
                            "forbidden": .bool(record.isForbidden),
                            "required_dimensions": SimJSON(record.requiredDimensions),
                        ]
                    })
            })
    }
}
