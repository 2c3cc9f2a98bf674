import PluginKit

// The functions the shim's table points at; every one forwards to the kit.

private let entry = ConnectorEntry(DingTalkConnector.self, describe: dingtalkDescribe)

/// Accepts a host this plugin can work with.
@c(dingtalk_init) public func dingtalkInit(_ host: ABI.Host) -> Int32 { entry.initialize(host) }

/// Nothing is kept beside connections.
@c(dingtalk_shutdown) public func dingtalkShutdown() { entry.shutdown() }

/// The abilities: describe, probe, read, write, find, listen.
@c(dingtalk_ability) public func dingtalkAbility(_ id: ABI.AbilityID) -> ABI.Ability { entry.ability(id) }

/// The description, as `docs/describe.md` shapes it.
@c(dingtalk_describe) public func dingtalkDescribe(_ call: ABI.Call, _ sink: ABI.TextSink) -> Int32 {
    entry.describe(call, sink)
}

/// Makes a connection.
@c(dingtalk_open) public func dingtalkOpen(
    _ call: ABI.Call, _ request: ABI.OpenRequest, _ slot: ABI.ConnectionSlot
) -> Int32 { entry.open(call, request, slot) }

/// Gives a connection up.
@c(dingtalk_close) public func dingtalkClose(_ connection: ABI.Connection) { entry.close(connection) }
