import PluginKit
import Values

/// Kingdee 金蝶, product line `galaxy` (云星空): vouchers written, found and never doubled; codes read for tables.
public struct KingdeeConnector: Probing, Reading, Writing, Finding {
    private let settings: Settings

    /// Refuses settings it cannot work with, naming the setting.
    public init(_ configuration: ConnectionConfiguration) throws(Failure) {
        guard configuration.product == "galaxy" else {
            throw Failure(
                .unsupported, zh: "不支持产品线 \(configuration.product)，目前只有 galaxy（云星空）",
                en: "the product line \(configuration.product) is not supported, only galaxy is")
        }
        settings = try Settings(configuration)
    }

    /// Log-in, permission and the voucher form's fields; the fingerprint is a hash of the form.
    public func probe(_ call: Call) throws(Failure) -> ProbeReport { try Probe(settings).run(call) }

    /// Codes and names of base data, page by page or by code.
    public func read(_ request: ReadRequest, into sink: ReadSink, _ call: Call) throws(Failure) {
        try Codes(settings).read(request, into: sink, call)
    }

    /// Vouchers, one by one.
    public func write(_ request: WriteRequest, into sink: WriteSink, _ call: Call) throws(Failure) {
        let flow = try flow(request.document, request.settings)
        let vouchers = Vouchers(settings)
        try request.each(into: sink, call) { record throws(Failure) in try vouchers.write(record, flow, call) }
    }

    /// A voucher by its key, or by day and amount.
    public func find(_ request: FindRequest, _ call: Call) throws(Failure) -> [Written] {
        try Vouchers(settings).find(request, try flow(request.document, request.settings), call)
    }

    private func flow(_ document: String, _ settings: JSONObject) throws(Failure) -> FlowSettings {
        guard document == "voucher" else {
            throw Failure(
                .unsupported, zh: "不能写入单据类型 \(document)", en: "documents of type \(document) cannot be written")
        }
        return try FlowSettings(settings)
    }
}
