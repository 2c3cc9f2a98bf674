import PluginKit
import Values

/// DingTalk 钉钉, product line `standard`: approvals read and heard, comments and messages written.
public struct DingTalkConnector: Probing, Reading, Writing, Finding, Listening {
    private let settings: Settings
    private let people: People

    /// Refuses settings it cannot work with, naming the setting.
    public init(_ configuration: ConnectionConfiguration) throws(Failure) {
        guard configuration.product == "standard" else {
            throw Failure(
                .unsupported, zh: "不支持产品线 \(configuration.product), 目前只有 standard(企业内部应用)",
                en: "the product line \(configuration.product) is not supported, only standard is")
        }
        settings = try Settings(configuration)
        people = People()
    }

    private var client: Client { Client(settings: settings) }

    /// Token, contacts, approvals; the fingerprint is the organisation, since forms belong to flows.
    public func probe(_ call: Call) throws(Failure) -> ProbeReport { try Probe(client: client).run(call) }

    /// Ids of finished approvals, or named approvals.
    public func read(_ request: ReadRequest, into sink: ReadSink, _ call: Call) throws(Failure) {
        guard request.document == "approval" else { throw Self.unknown(request.document) }
        let approvals = Approvals(client: client, people: people)
        switch request.selection {
        case .page(let cursor, let since):
            try Sweep(client: client).page(request, cursor, since: since, into: sink, call)
        case .ids(let ids):
            for id in ids {
                try call.checkCancelled()
                guard let approval = try approvals.approval(id, call) else { continue }
                if try !sink.record(id: id, approval) { return }
            }
        }
    }

    /// Comments on approvals, and messages.
    public func write(_ request: WriteRequest, into sink: WriteSink, _ call: Call) throws(Failure) {
        let messages = Messages(client: client)
        switch request.document {
        case "approval-comment":
            try request.each(into: sink, call) { record throws(Failure) in try messages.comment(record, call) }
        case "message":
            try request.each(into: sink, call) { record throws(Failure) in try messages.message(record, call) }
        default: throw Self.unknown(request.document)
        }
    }

    /// A comment by its text. Messages cannot be looked up.
    public func find(_ request: FindRequest, _ call: Call) throws(Failure) -> [Written] {
        switch request.document {
        case "approval-comment": return try Messages(client: client).findComment(request, call)
        case "message":
            throw Failure(.unsupported, zh: "消息发出后无法查询", en: "a message cannot be looked up once sent")
        default: throw Self.unknown(request.document)
        }
    }

    /// A ticket for the stream; it works once, for 90 seconds.
    public func endpoint(_ call: Call) throws(Failure) -> ListenEndpoint { try Stream(client: client).open(call) }

    /// One frame of the stream.
    public func frame(_ bytes: [UInt8], into sink: EventSink, _ call: Call) throws(Failure) {
        try Stream(client: client).frame(bytes, into: sink)
    }

    private static func unknown(_ document: String) -> Failure {
        Failure(.unsupported, zh: "不认识单据类型 \(document)", en: "the document type \(document) is not known here")
    }
}
