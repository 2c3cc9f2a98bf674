import Engine
import Ledger
import Logging
import Values

/// The newest audit line, noted beside the ledger: a ledger that is older than the note is found out.
///
/// The note may lag behind, never run ahead: it is written after its line is durable.
struct AuditAnchor: Sendable {
    private let path: String

    init(paths: WorkspacePaths) { path = paths.auditHead }

    /// What was noted last; nil where nothing ever was.
    func noted() throws(Problem) -> [UInt8]? {
        FileStore.exists(path) ? try FileStore.read(path, limit: HostLimits.auditHeadBytes) : nil
    }

    /// A process takes the ledger up. Where the chain lacks the line that was noted, that becomes a line of the chain
    /// itself: the note goes on with the ledger there is, and what was missing is not forgotten.
    func join(_ ledger: any Ledger, at now: Milliseconds, _ log: Logger) throws(Problem) {
        let head = try ledger.auditHead()
        let known = try noted()
        let isHeld = if let known { try ledger.holdsAudit(known) } else { head.line == 0 }
        if !isHeld {
            let detail: JSON = [
                "line": .int(Int(head.line)), "note": .string(known == nil ? "missing" : "not in the chain"),
            ]
            try ledger.commit([.audit(actor: "host", action: AuditLine.gap, detail: detail.text, at: now)])
            log.warning("the ledger is older than the audit line noted beside it: datong audit verify")
        }
        keep(ledger, log)
    }

    /// Notes the newest line. A note that cannot be written only lags: the ledger goes on.
    func keep(_ ledger: any Ledger, _ log: Logger) {
        do throws(Problem) {
            let head = try ledger.auditHead().sealed
            if try noted() != head { try FileStore.replace(path, head, mode: 0o600) }
        } catch {
            log.warning("\(error)")
        }
    }
}

extension HostProcess {
    /// The whole chain, against the note beside it.
    func auditReport() async throws(Problem) -> AuditReport {
        let known = try AuditAnchor(paths: paths).noted()
        return try await read { [ledger] () throws(Problem) in try ledger.verifyAudit(knowing: known) }
    }

    func verifyAudit() async throws(Problem) -> JSON {
        let report = try await auditReport()
        var broken = JSON.null
        if let found = report.broken {
            var cause = ControlSocket.json(found.problem)["problem"]?.object ?? JSONObject()
            cause["line"] = .int(Int(found.line))
            broken = .object(cause)
        }
        return [
            "lines": .int(Int(report.lines)), "newest": .int(Int(report.head.line)),
            "chain": .string(report.head.chain.map { Self.hex($0) }.joined()),
            "gaps": .array(report.gaps.map { .int(Int($0)) }), "broken": broken,
        ]
    }

    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
