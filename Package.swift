// swift-tools-version: 6.2
import PackageDescription

// Warnings are errors in our own code. The C targets get the same strictness.
// `make fuzz` builds everything so that libFuzzer sees which way the bytes went.
let isFuzzing = Context.environment["DATONG_FUZZ"] == "1"
let strict: [SwiftSetting] =
    [.treatAllWarnings(as: .error)] + (isFuzzing ? [.unsafeFlags(["-sanitize=fuzzer"])] : [])
let strictC: [CSetting] = [.unsafeFlags(["-std=c11", "-Wall", "-Wextra", "-Werror"]), .define("_GNU_SOURCE")]

// A plugin exports one symbol: the version script hides the rest, and the linker refuses what is missing. With lld,
// because gold keeps what it hides in the table of dynamic symbols.
let pluginLink: [LinkerSetting] = [
    .unsafeFlags([
        "-use-ld=lld", "-Xlinker", "--version-script=Plugins/export.map", "-Xlinker", "-z", "-Xlinker", "now",
        "-Xlinker", "-z", "-Xlinker", "noexecstack",
    ])
]

let nioHTTP: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOWebSocket", package: "swift-nio"),
]

/// A connector: Swift sources and the C shim that defines the exported symbol.
func connector(_ name: String) -> [Target] {
    [
        .target(
            name: name, dependencies: ["PluginKit", "Values"], path: "Plugins/\(name)/Sources", swiftSettings: strict),
        .target(
            name: "\(name)Shim", dependencies: ["PluginABI", .target(name: name)], path: "Plugins/\(name)/Shim",
            cSettings: strictC, linkerSettings: pluginLink),
        .testTarget(
            name: "\(name)Tests",
            dependencies: [
                .target(name: name), .target(name: "\(name)Simulator"), "PluginKit", "PluginKitTesting", "SimulatorKit",
                "Values",
            ],
            path: "Tests/\(name)Tests", swiftSettings: strict),
    ]
}

let package = Package(
    name: "datong",
    products: [
        .executable(name: "datong", targets: ["datong"]),
        .executable(name: "datong-simulator", targets: ["datong-simulator"]),
        .library(name: "HostTestKit", targets: ["HostTestKit"]),
        .library(name: "DingTalk", type: .dynamic, targets: ["DingTalk", "DingTalkShim"]),
        .library(name: "Kingdee", type: .dynamic, targets: ["Kingdee", "KingdeeShim"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
    ],
    targets: [
        // The contract, and what is shared with plugins.
        .target(name: "PluginABI", path: "Sources/PluginABI", cSettings: strictC),
        .target(name: "Values", swiftSettings: strict),
        .target(name: "PluginKit", dependencies: ["PluginABI", "Values"], swiftSettings: strict),
        .target(
            name: "PluginKitTesting", dependencies: ["PluginKit", "PluginABI", "Values"],
            path: "Tests/PluginKitTesting",
            swiftSettings: strict),

        // The rooms of the host, from the ground up.
        .target(name: "Engine", swiftSettings: strict),
        .target(
            name: "Documents", dependencies: ["Values"],
            resources: [.embedInCode("Schemas/approval.json"), .embedInCode("Schemas/voucher.json")],
            swiftSettings: strict),
        .target(name: "Mapping", dependencies: ["Documents", "Values"], swiftSettings: strict),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "VaultMemory", cSettings: strictC),
        .target(name: "Vault", dependencies: ["COpenSSL", "VaultMemory", "Values"], swiftSettings: strict),
        .target(
            name: "Ledger",
            dependencies: [
                "Engine", "Values", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ], swiftSettings: strict),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(
            name: "Network",
            dependencies: ["CCurl", "COpenSSL", "Values", .product(name: "NIOSSL", package: "swift-nio-ssl")] + nioHTTP,
            swiftSettings: strict),
        .target(
            name: "WorkerCore", dependencies: ["PluginABI"], path: "Sources/Worker", exclude: ["main.c"],
            cSettings: strictC, linkerSettings: [.linkedLibrary("dl"), .linkedLibrary("pthread")]),
        .target(name: "Workers", dependencies: ["PluginABI", "WorkerCore", "Values"], swiftSettings: strict),
        .target(
            name: "Conformance", dependencies: ["Documents", "Network", "Values", "Vault", "Workers"],
            resources: [.embedInCode("Schemas/describe.json")], swiftSettings: strict),
        .target(
            name: "Host",
            dependencies: [
                "Conformance", "Documents", "Engine", "Ledger", "Mapping", "Network", "Values", "Vault", "Workers",
                "Yams",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [
                .embedInCode("Skeletons/connector_c.txt"), .embedInCode("Skeletons/connector_swift.txt"),
                .embedInCode("Skeletons/entry_swift.txt"), .embedInCode("Skeletons/package_swift.txt"),
                .embedInCode("Skeletons/readme_c.txt"), .embedInCode("Skeletons/readme_swift.txt"),
                .embedInCode("Skeletons/shim_c.txt"),
            ], swiftSettings: strict),
        .target(
            name: "HostTestKit", dependencies: ["Host", "Engine", "Ledger", "Values", "Vault"], swiftSettings: strict),
        .executableTarget(name: "datong", dependencies: ["Host"], path: "Sources/Datong", swiftSettings: strict),

        // Vendor simulators: they share nothing with the connectors, not even Values.
        .target(name: "SimulatorKit", dependencies: nioHTTP, path: "Simulators/Kit", swiftSettings: strict),
        .target(
            name: "DingTalkSimulator", dependencies: ["SimulatorKit"], path: "Simulators/DingTalk",
            swiftSettings: strict),
        .target(
            name: "KingdeeSimulator", dependencies: ["SimulatorKit"], path: "Simulators/Kingdee",
            swiftSettings: strict),
        .executableTarget(
            name: "datong-simulator",
            dependencies: [
                "SimulatorKit", "DingTalkSimulator", "KingdeeSimulator",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], path: "Simulators/Command", swiftSettings: strict),

        // Times the plugin boundary for `make bench`.
        .executableTarget(
            name: "datong-bench-boundary", dependencies: ["Workers"], path: "Benchmarks/Boundary", swiftSettings: strict
        ),

        // Tests mirror modules.
        .testTarget(name: "ValuesTests", dependencies: ["Values"], swiftSettings: strict),
        .testTarget(
            name: "PluginKitTests", dependencies: ["PluginKit", "PluginKitTesting", "Values"], swiftSettings: strict),
        .testTarget(name: "DocumentsTests", dependencies: ["Documents", "Values"], swiftSettings: strict),
        .testTarget(name: "MappingTests", dependencies: ["Mapping", "Documents", "Values"], swiftSettings: strict),
        .testTarget(name: "EngineTests", dependencies: ["Engine"], swiftSettings: strict),
        .testTarget(
            name: "VaultTests", dependencies: ["Vault", "VaultMemory", "COpenSSL", "Values"], swiftSettings: strict),
        .testTarget(
            name: "LedgerTests",
            dependencies: [
                "Ledger", "LedgerFaults", "Engine", "Values", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            exclude: ["Fixtures"], swiftSettings: strict),
        // SQLite files that fail on purpose, for tests and for simulated time.
        .target(
            name: "CFaultVFS", path: "Tests/CFaultVFS", cSettings: strictC, linkerSettings: [.linkedLibrary("sqlite3")]),
        .target(name: "LedgerFaults", dependencies: ["CFaultVFS"], path: "Tests/LedgerFaults", swiftSettings: strict),
        .testTarget(
            name: "NetworkTests",
            dependencies: [
                "CCurl", "Network", "COpenSSL", "Values", .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + nioHTTP,
            swiftSettings: strict),
        .testTarget(
            name: "WorkersTests", dependencies: ["Workers", "WorkerCore", "PluginABI", "Values"],
            exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(name: "ConformanceTests", dependencies: ["Conformance", "Values"], swiftSettings: strict),
        .testTarget(
            name: "SimulatorTests", dependencies: ["SimulatorKit", "DingTalkSimulator", "KingdeeSimulator"],
            exclude: ["Clients"], swiftSettings: strict),
        .testTarget(
            name: "HostTests",
            dependencies: ["Host", "SimulatorKit", "DingTalkSimulator", "KingdeeSimulator"], exclude: ["Fixtures"],
            swiftSettings: strict),
        .testTarget(name: "HostTestKitTests", dependencies: ["HostTestKit"], swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ] + connector("DingTalk") + connector("Kingdee")
)

if isFuzzing {
    package.targets.append(
        .executableTarget(
            name: "datong-fuzz",
            dependencies: ["Documents", "Host", "Mapping", "Network", "Values", "Vault", "Workers"],
            path: "Fuzz", exclude: ["corpus"], swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-use-ld=lld"]), .linkedLibrary("stdc++")]))
}
