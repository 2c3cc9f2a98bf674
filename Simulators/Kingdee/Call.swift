import SimulatorKit

/// The service and operation a URL names.
enum Operation: Sendable, Equatable {
    case form(String)
    case login(String)
    case logout
    case dataCentres
    case unknown(String)

    /// Reads `/k3cloud/{service}.common.kdsvc`, case ignored as IIS does; nil for any other path.
    init?(path: String) {
        let lowered = path.lowercased()
        let prefix = "/k3cloud/"
        let suffix = ".common.kdsvc"
        guard lowered.hasPrefix(prefix), lowered.hasSuffix(suffix) else { return nil }
        let service = String(lowered.dropFirst(prefix.count).dropLast(suffix.count))
        guard let dot = service.lastIndex(of: ".") else {
            self = .unknown(service)
            return
        }
        let (owner, name) = (service[..<dot], String(service[service.index(after: dot)...]))
        switch owner {
        case "kingdee.bos.webapi.servicesstub.dynamicformservice": self = .form(name)
        case "kingdee.bos.webapi.servicesstub.authservice": self = name == "logout" ? .logout : .login(name)
        case "kingdee.bos.servicefacade.servicesstub.account.accountservice" where name == "getdatacenterlist":
            self = .dataCentres
        default: self = .unknown(service)
        }
    }

    /// As faults and the journal call it: the vendor's own word in lower case (`save`, `executebillquery`, `login`).
    var name: String {
        switch self {
        case .form(let name): name
        case .login: "login"
        case .logout: "logout"
        case .dataCentres: "getdatacenterlist"
        case .unknown: "unknown"
        }
    }
}

/// The arguments of a call, whichever of the body encodings carried them.
struct Arguments: Sendable {
    private var named: [String: SimJSON] = [:]
    private var positional: [SimJSON] = []

    /// Reads an object, an object with `parameters`, an array or a form-urlencoded body. Refused with MsgCode 8 when it
    /// is none of these.
    init(body: [UInt8], contentType: String?) throws(Refusal) {
        if body.isEmpty { return }
        if contentType?.lowercased().hasPrefix("application/x-www-form-urlencoded") == true {
            for pair in formDecoded(String(decoding: body, as: UTF8.self)) {
                named[pair.name.lowercased()] = .string(pair.value)
            }
        } else {
            let json: SimJSON
            do { json = try SimJSON.parse(body) } catch { throw Refusal(8, "请求数据不是有效的JSON：\(error.reason)") }
            switch json {
            case .array(let values): positional = values
            case .object(let object):
                for key in object.keys { named[key.lowercased()] = object[key] }
            default: throw Refusal(8, "请求数据不是有效的JSON：应为对象或数组")
            }
        }
        guard let parameters = named["parameters"] else { return }
        if case .string(let text) = parameters {
            guard let values = (try? SimJSON.parse(text))?.array else { throw Refusal(8, "parameters 应为数组") }
            positional = values
        } else if case .array(let values) = parameters {
            positional = values
        } else {
            throw Refusal(8, "parameters 应为数组")
        }
    }

    /// An argument by name, or by its place in the operation's signature.
    func value(_ name: String, at position: Int) -> SimJSON? {
        named[name.lowercased()] ?? (positional.indices.contains(position) ? positional[position] : nil)
    }

    /// Text, or a number as its text.
    func text(_ name: String, at position: Int) -> String? { value(name, at: position)?.plainText }

    /// `data`: an object, or JSON text that holds one.
    func data(at position: Int, onlyText: Bool) throws(Refusal) -> SimJSON {
        switch value("data", at: position) {
        case .string(let text):
            guard let json = try? SimJSON.parse(text), json.object != nil else {
                throw Refusal(8, "参数 data 不是有效的JSON对象")
            }
            return json
        case .object(let object):
            if onlyText { throw Refusal(8, "参数 data 应为字符串") }
            return .object(object)
        case nil: throw Refusal(8, "参数 data 不能为空")
        default: throw Refusal(8, "参数 data 应为对象")
        }
    }
}

extension SimJSON {
    /// Text, or a number as its text.
    var plainText: String? {
        switch self {
        case .string(let text), .number(let text): text
        default: nil
        }
    }

    /// `true`, `"true"`, `"True"`, `"1"`; nil when it is no truth value.
    var truth: Bool? {
        switch self {
        case .bool(let value): value
        case .string(let text):
            switch text.lowercased() {
            case "true", "1": true
            case "false", "0", "": false
            default: nil
            }
        case .number("1"): true
        case .number("0"): false
        default: nil
        }
    }
}
