import Documents
import Engine
import Mapping
import Network
import Values
import Vault
import Workers

/// What one revision runs, compiled: everything the conductor and the streams need, nothing to look up in files.
struct Plan: Sendable {
    /// The revision's number.
    var revision: Int
    /// By connection name.
    var connections: [String: PlannedConnection]
    /// By flow row number.
    var flows: [FlowID: PlannedFlow]
    /// By stream row number.
    var streams: [Int64: PlannedStream]
    /// By lane row number.
    var lanes: [LaneID: PlannedLane]
    /// The customer's zone.
    var timeZone: String

    /// Row numbers under which write-backs count.
    var writeBackFlows: Set<FlowID> { Set(flows.values.compactMap { $0.writeBack?.flow }) }
}

/// A connection as it runs.
struct PlannedConnection: Sendable {
    var file: ConnectionFile
    /// The chosen product's part of the connector's `describe`.
    var product: JSON
    /// Content-addressed path of the library.
    var library: String
    /// Connector id, version and content hash, for status and audit.
    var connectorVersion: String
    /// Identity settings of the tenant behind the connection: part of every idempotency key of documents from it.
    var tenant: String
    var egress: EgressPolicy
}

/// A target connection and document type.
struct PlannedLane: Sendable {
    var id: LaneID
    var connection: String
    var document: String
    /// How the connector wants its idempotency keys.
    var keys: IdempotencyKey.Form
    var rules: LaneRules
}

/// A flow as it runs.
struct PlannedFlow: Sendable {
    var id: FlowID
    var file: FlowFile
    var mapping: Mapping
    var filter: SourceFilter
    /// `where` conditions the source itself can narrow by: a document outside them is none of this flow's.
    var narrowing: [String: Set<String>]
    var stream: Int64
    var lane: LaneID
    /// `to.settings`, JSON bytes.
    var settings: [UInt8]
    /// Where the target's number is written back to, if the flow asks for it.
    var writeBack: PlannedWriteBack?

    /// Whether the document belongs to this flow at all; the rest of `where` decides between doing and skipping.
    func concerns(_ document: JSON) -> Bool {
        narrowing.allSatisfy { key, allowed in
            guard let text = document[key]?.string else { return false }
            return allowed.contains(text)
        }
    }

    /// What this flow looks at in a document: a change of anything else is no change.
    func hashInput(_ document: JSON) -> [UInt8] {
        var bytes = mapping.readHashInput(source: document)
        for condition in filter.conditions { bytes += (document[condition.path] ?? .null).canonical() }
        return bytes
    }

    /// Whether a hint that knows these fields can be of interest; unknown fields exclude nothing.
    func mayConcern(_ known: JSON) -> Bool {
        narrowing.allSatisfy { key, allowed in known[key]?.string.map(allowed.contains) ?? true }
    }
}

/// The effect that tells the source document the target's number.
struct PlannedWriteBack: Sendable {
    /// Its own row, so that its items do not count as the flow's documents.
    var flow: FlowID
    var lane: LaneID
    /// Document type on the source side, e.g. `approval-comment`.
    var document: String
}

/// A source stream as it runs.
struct PlannedStream: Sendable, Equatable {
    var id: Int64
    var connection: String
    var document: String
    /// What the connector narrows by: the union of the flows' wishes, canonical JSON.
    var filter: [UInt8]
    var flows: [FlowID]
    var sweepEvery: Milliseconds
    var lookBack: Milliseconds
    /// The connector has events for it.
    var listens: Bool
}
