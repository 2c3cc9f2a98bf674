import Values
import Vault

/// Describes a connector library: the host starts a worker on the file, asks `describe` and ends the worker.
protocol ConnectorInspector: Sendable {
    /// The library's `datong.describe/1` answer.
    func describe(library path: String) async throws(Problem) -> JSON
}

/// A connector library that answered `describe`.
struct Connector: Sendable, Hashable {
    let id: String
    let version: String
    /// Absolute path of the library.
    let path: String
    /// Hex SHA-256 of the library.
    let sha256: String
    /// The whole answer.
    let describe: JSON

    /// Nil where the answer lacks id or version.
    init?(path: String, sha256: String, describe: JSON) {
        guard let id = describe["id"]?.string, let version = describe["version"]?.string else { return nil }
        self.id = id
        self.version = version
        self.path = path
        self.sha256 = sha256
        self.describe = describe
    }

    /// The ids of the product lines.
    var products: [String] { (describe["products"]?.array ?? []).compactMap { $0["id"]?.string } }

    /// One product line's entry.
    func product(_ id: String) -> JSON? {
        describe["products"]?.array?.first { $0["id"]?.string == id }
    }
}

/// The connectors that a workspace can use.
struct ConnectorCatalogue: Sendable {
    /// One per id: the highest version found.
    var connectors: [Connector] = []
    /// Where it was looked.
    var folders: [String] = []
    /// Libraries that could not be used, with the reason.
    var refused: [(path: String, problem: Problem)] = []

    func connector(_ id: String) -> Connector? { connectors.first { $0.id == id } }

    /// Looks at every `*.so` in the folders. Folders that do not exist hold none.
    static func scan(_ folders: [String], _ inspector: any ConnectorInspector) async -> ConnectorCatalogue {
        var catalogue = ConnectorCatalogue(folders: folders)
        for folder in folders {
            for name in FileStore.names(in: folder) where name.hasSuffix(".so") {
                await catalogue.add(FileStore.absolute(folder + "/" + name), inspector)
            }
        }
        return catalogue
    }

    private mutating func add(_ path: String, _ inspector: any ConnectorInspector) async {
        do throws(Problem) {
            let sha256 = Hash.sha256Hex(try FileStore.read(path, limit: ConfigurationLimits.libraryBytes))
            let describe = try await inspector.describe(library: path)
            guard let connector = Connector(path: path, sha256: sha256, describe: describe) else {
                throw .describeIncomplete(path)
            }
            guard let index = connectors.firstIndex(where: { $0.id == connector.id }) else {
                connectors.append(connector)
                return
            }
            let known = connectors[index]
            if known.version == connector.version, known.sha256 != connector.sha256 {
                throw .twoConnectors(connector.id, connector.version, known.path)
            }
            if Version.isHigher(connector.version, than: known.version) { connectors[index] = connector }
        } catch {
            refused.append((path, error))
        }
    }
}

/// Versions of connectors, `MAJOR.MINOR.PATCH` with an optional `-pre` part.
enum Version {
    /// Compares numbers as numbers; a pre-release is below its release.
    static func isHigher(_ left: String, than right: String) -> Bool {
        func parts(_ text: String) -> (numbers: [Int], isRelease: Bool, pre: String) {
            let halves = text.split(separator: "-", maxSplits: 1)
            let numbers = (halves.first ?? "").split(separator: ".").map { Int($0) ?? 0 }
            return (numbers, halves.count < 2, halves.count < 2 ? "" : String(halves[1]))
        }
        let a = parts(left)
        let b = parts(right)
        for index in 0..<max(a.numbers.count, b.numbers.count) {
            let x = index < a.numbers.count ? a.numbers[index] : 0
            let y = index < b.numbers.count ? b.numbers[index] : 0
            if x != y { return x > y }
        }
        if a.isRelease != b.isRelease { return a.isRelease }
        return a.pre > b.pre
    }
}
