import Workers

/// What the kit's vendor does with a request.
enum Answer: Sendable, Hashable {
    /// No connection: nothing left.
    case notSent
    /// The first byte left, and no answer came. With a real vendor behind it, the vendor has had the request.
    case lost
    /// An answer.
    case reply(Int32, [String: String], String)
    /// No answer until the call's end.
    case silence
    /// What the vendor says, or a plain `{}` where there is none.
    case vendor

    /// The class a fault gives a request, as the host's services do.
    static func refused(_ answer: Answer, _ effect: ServiceRequest.Effect) -> ServiceReply? {
        switch answer {
        case .notSent: .refused(.unreachable, "no connection")
        case .lost:
            .refused(effect == .write ? .unknownOutcome : .transient, "the answer was lost", mayHaveArrived: true)
        default: nil
        }
    }
}

/// One thing that goes wrong at a vendor, and what a connector may make of it.
struct Fault: Sendable {
    /// Part of a check's id.
    var name: String
    var zh: String
    var en: String
    var answer: Answer
    /// Classes a connector may give. None of them says something final about a document.
    var classes: Set<ErrorClass>

    /// A page of a proxy or a portal in place of an answer.
    static let page = "<!DOCTYPE html><html><head><title>502</title></head><body>Bad gateway</body></html>"
    /// What may be made of an answer that is not what the connector was built for.
    private static let strange: Set<ErrorClass> = [.schemaDrift, .transient, .unknownOutcome, .unsupported]

    static let all: [Fault] = [
        Fault(
            name: "not-sent", zh: "连不上对方", en: "no connection", answer: .notSent,
            classes: [.unreachable, .transient, .cancelled]),
        Fault(
            name: "lost-answer", zh: "发出后没有回音", en: "the answer is lost", answer: .lost,
            classes: [.unknownOutcome, .transient, .schemaDrift]),
        Fault(
            name: "status-500", zh: "500", en: "status 500",
            answer: .reply(500, ["content-type": "application/json"], "{\"error\":\"internal\"}"),
            classes: strange.union([.unreachable, .throttled])),
        Fault(
            name: "html-page", zh: "200 却是网页", en: "an HTML page with status 200",
            answer: .reply(200, ["content-type": "text/html"], page),
            // A portal that blocks an address shows a page too, and only the connector knows its vendor's.
            classes: strange.union([.throttled])),
        Fault(
            name: "cut-json", zh: "JSON 被截断", en: "JSON that is cut off",
            answer: .reply(200, ["content-type": "application/json"], "{\"result\":{\"id\":\"1\",\"li"),
            classes: strange),
        Fault(
            name: "empty-body", zh: "200 却没有内容", en: "status 200 without a body",
            answer: .reply(200, ["content-type": "application/json"], ""), classes: strange),
        Fault(
            name: "status-401", zh: "一直 401", en: "status 401 for ever",
            answer: .reply(401, ["content-type": "application/json"], "{\"error\":\"unauthorized\"}"),
            classes: strange.union([.authExpired, .authDenied])),
        Fault(
            name: "status-429", zh: "429,7 秒后再来", en: "status 429 with retry-after 7",
            answer: .reply(429, ["content-type": "application/json", "retry-after": "7"], "{\"error\":\"slow down\"}"),
            classes: strange.union([.throttled, .quotaSpent])),
        Fault(
            name: "silence", zh: "对方不答", en: "a vendor that never answers", answer: .silence,
            classes: [.cancelled, .transient, .unknownOutcome, .unreachable]),
    ]

    static func named(_ name: String) -> Fault { all.first { $0.name == name }! }
}
