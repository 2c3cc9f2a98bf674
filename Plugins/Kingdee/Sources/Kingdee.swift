import PluginKit
import Values

/// stub
public struct KingdeeConnector: Connector {
    /// d
    public static var description: JSON { ["id": "kingdee"] }
    /// i
    public init(_ configuration: ConnectionConfiguration) throws(Failure) {}
}
