import PluginKit

// The functions the shim's table points at; every one forwards to the kit.

private let entry = ConnectorEntry(KingdeeConnector.self, describe: kingdeeDescribe)

/// Accepts a host this plugin can work with.
@c(kingdee_init) public func kingdeeInit(_ host: ABI.Host) -> Int32 { entry.initialize(host) }

/// Nothing is kept beside connections.
@c(kingdee_shutdown) public func kingdeeShutdown() { entry.shutdown() }

/// The abilities: describe, probe, read, write, find.
@c(kingdee_ability) public func kingdeeAbility(_ id: ABI.AbilityID) -> ABI.Ability { entry.ability(id) }

/// The description, as `docs/describe.md` shapes it.
@c(kingdee_describe) public func kingdeeDescribe(_ call: ABI.Call, _ sink: ABI.TextSink) -> Int32 {
    entry.describe(call, sink)
}

/// Makes a connection.
@c(kingdee_open) public func kingdeeOpen(
    _ call: ABI.Call, _ request: ABI.OpenRequest, _ slot: ABI.ConnectionSlot
) -> Int32 { entry.open(call, request, slot) }

/// Gives a connection up.
@c(kingdee_close) public func kingdeeClose(_ connection: ABI.Connection) { entry.close(connection) }
