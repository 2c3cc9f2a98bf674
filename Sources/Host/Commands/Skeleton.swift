import ArgumentParser
import Values

/// The files of a new connector.
struct Skeleton {
    /// The connector's id.
    let id: String

    init(_ id: String) throws(Problem) {
        let isName = id.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d }
        guard isName, (1...32).contains(id.utf8.count), let first = id.utf8.first, (0x61...0x7a).contains(first) else {
            throw .skeletonName(id)
        }
        self.id = id
    }

    /// As a type and a module: `my-erp` is `MyErp`.
    var typeName: String {
        id.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }
    /// As a prefix of C functions: `my-erp` is `my_erp`.
    var prefix: String { String(id.map { $0 == "-" ? "_" : $0 }) }

    /// Name and text of every file. `source` is where datong's sources are, absolute.
    func files(_ language: SkeletonLanguage, source: String) throws(Problem) -> [(file: String, text: String)] {
        guard FileStore.exists(source + "/Sources/PluginABI/include/datong_plugin.h") else {
            throw .skeletonSource(source)
        }
        let templates: [(String, [UInt8])] =
            switch language {
            case .c:
                [("\(id).c", PackageResources.connector_c_txt), ("README.md", PackageResources.readme_c_txt)]
            case .swift:
                [
                    ("Package.swift", PackageResources.package_swift_txt),
                    ("Sources/\(typeName).swift", PackageResources.connector_swift_txt),
                    ("Sources/Entry.swift", PackageResources.entry_swift_txt),
                    ("Shim/plugin.c", PackageResources.shim_c_txt),
                    ("Shim/include/\(typeName)Shim.h", Array("/* One symbol, and nothing to call. */\n".utf8)),
                    ("export.map", Array("{ global: datong_plugin_v0; local: *; };\n".utf8)),
                    ("README.md", PackageResources.readme_swift_txt),
                ]
            }
        return templates.map { file, text in
            var out = String(decoding: text, as: UTF8.self)
            for (mark, value) in [("NAME", id), ("TYPE", typeName), ("PREFIX", prefix), ("SOURCE", source)] {
                out = out.split(separator: "@\(mark)@", omittingEmptySubsequences: false).joined(separator: value)
            }
            return (file, out)
        }
    }
}

extension Problem {
    static func skeletonSource(_ path: String) -> Problem {
        Problem(
            "E-COMMAND-012", zh: "\(path) 不是 datong 的源码(没有 datong_plugin.h)",
            en: "\(path) does not hold datong's sources (no datong_plugin.h)",
            nextZH: "用 --source 指定源码所在的文件夹", nextEN: "name the folder of the sources with --source")
    }
}

/// What a skeleton is written in.
enum SkeletonLanguage: String, ExpressibleByArgument, CaseIterable {
    case swift, c
}

extension Problem {
    static func skeletonFolder(_ path: String) -> Problem {
        Problem(
            "E-COMMAND-010", zh: "\(path) 不是空文件夹", en: "\(path) is not an empty folder",
            nextZH: "换一个文件夹", nextEN: "name another folder")
    }

    static func skeletonName(_ name: String) -> Problem {
        Problem(
            "E-COMMAND-011", zh: "连接器的 id 不合规则:\(name)", en: "not a valid connector id: \(name)",
            nextZH: "用 a-z 开头,只含 a-z、0-9 和 -,最多 32 个字符", nextEN: "begin with a-z; only a-z, 0-9 and -, at most 32")
    }
}
