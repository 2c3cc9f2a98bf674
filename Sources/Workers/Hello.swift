import WorkerCore

/// What a worker said first.
struct Hello: Sendable {
    var id: String
    var version: String
    var build: String
    var minor: UInt32
    var needs: UInt32
    var built: UInt32
    var hostMin: UInt32
    var hostMax: UInt32
    var abilities: [String]

    /// nil: the worker speaks another protocol, whose number is in `other`.
    static func decode(_ body: [UInt8], other: inout UInt32) throws(WireError) -> Hello? {
        var reader = FrameReader(body)
        other = try reader.u32()
        guard other == DW_PROTOCOL else { return nil }
        _ = try reader.u32()
        let hostMin = try reader.u32()
        let hostMax = try reader.u32()
        let needs = try reader.u32()
        let built = try reader.u32()
        let minor = try reader.u32()
        var hello = Hello(
            id: try reader.repairedText(), version: try reader.repairedText(), build: try reader.repairedText(),
            minor: minor, needs: needs, built: built, hostMin: hostMin, hostMax: hostMax, abilities: [])
        for _ in 0..<(try reader.count(least: 4)) { hello.abilities.append(try reader.repairedText()) }
        return hello
    }
}

extension Worker {
    /// The plugin's id.
    public var pluginID: String { hello?.id ?? "" }
    /// The plugin's version.
    public var pluginVersion: String { hello?.version ?? "" }
    /// The plugin's build text, for support.
    public var pluginBuild: String { hello?.build ?? "" }
    /// The abilities it offers, "datong.write/1".
    public var abilities: [String] { hello?.abilities ?? [] }
    /// Minors of the contract: what the plugin needs and was built with, what the host bears, and what was agreed.
    public var minors: (needs: UInt32, built: UInt32, hostMin: UInt32, hostMax: UInt32, agreed: UInt32) {
        guard let hello else { return (0, 0, 0, 0, 0) }
        return (hello.needs, hello.built, hello.hostMin, hello.hostMax, hello.minor)
    }
}

/// What a worker said when it refused a library.
struct Refusal {
    var code: UInt32
    var hostMin: UInt32
    var hostMax: UInt32
    var needs: UInt32
    var built: UInt32
    var detail: String

    /// nil: the worker speaks another protocol, whose number is in `other`.
    static func decode(_ body: [UInt8], other: inout UInt32) throws(WireError) -> Refusal? {
        var reader = FrameReader(body)
        other = try reader.u32()
        guard other == DW_PROTOCOL else { return nil }
        return Refusal(
            code: try reader.u32(), hostMin: try reader.u32(), hostMax: try reader.u32(), needs: try reader.u32(),
            built: try reader.u32(), detail: try reader.repairedText())
    }
}
