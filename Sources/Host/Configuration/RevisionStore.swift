import Glibc
import Values
import Vault

/// What a revision says about itself: `revisions/NNNN/manifest.json`.
struct RevisionManifest: Sendable, Hashable {
    /// One frozen file.
    struct File: Sendable, Hashable {
        let path: String
        let sha256: String
        let bytes: Int
    }

    /// One frozen connector library.
    struct Library: Sendable, Hashable {
        let id: String
        let version: String
        let sha256: String
        /// Relative to the workspace: `bundles/<sha256>/<file>.so`.
        let path: String
    }

    /// Why it was made.
    enum Origin: Sendable, Hashable {
        case apply
        case rollback(to: Int)
    }

    static let format = "datong.revision/1"

    let number: Int
    /// Instant with offset.
    let created: String
    /// The system user that made it.
    let user: String
    let origin: Origin
    let files: [File]
    let connectors: [Library]

    /// Hex SHA-256 over all files and libraries: equal for equal content whatever number, time and user.
    var content: String {
        var text = ""
        for file in files { text += "file \(file.sha256) \(file.bytes) \(file.path)\n" }
        for library in connectors {
            text += "connector \(library.sha256) \(library.id) \(library.version) \(library.path)\n"
        }
        return Hash.sha256Hex(Array(text.utf8))
    }

    var json: JSON {
        var object: JSONObject = [
            "format": .string(Self.format), "number": .number(JSONNumber(Int64(number))), "created": .string(created),
            "user": .string(user),
        ]
        switch origin {
        case .apply: object["origin"] = "apply"
        case .rollback(let to):
            object["origin"] = "rollback"
            object["rollback_to"] = .number(JSONNumber(Int64(to)))
        }
        object["content"] = .string(content)
        object["files"] = .array(
            files.map {
                ["path": .string($0.path), "sha256": .string($0.sha256), "bytes": .number(JSONNumber(Int64($0.bytes)))]
            })
        object["connectors"] = .array(
            connectors.map {
                [
                    "id": .string($0.id), "version": .string($0.version), "sha256": .string($0.sha256),
                    "path": .string($0.path),
                ]
            })
        return .object(object)
    }

    init(number: Int, created: String, user: String, origin: Origin, files: [File], connectors: [Library]) {
        self.number = number
        self.created = created
        self.user = user
        self.origin = origin
        self.files = files
        self.connectors = connectors
    }

    /// Nil unless every part is there, every path is one of ours and the content hash is that of the parts.
    init?(_ json: JSON) {
        guard json["format"]?.string == Self.format, let number = json["number"]?.int,
            let created = json["created"]?.string, let user = json["user"]?.string,
            let files = json["files"]?.array, let connectors = json["connectors"]?.array
        else { return nil }
        self.number = Int(number)
        self.created = created
        self.user = user
        switch json["origin"]?.string {
        case "apply": origin = .apply
        case "rollback":
            guard let to = json["rollback_to"]?.int else { return nil }
            origin = .rollback(to: Int(to))
        default: return nil
        }
        self.files = files.compactMap {
            guard let path = $0["path"]?.string, Self.isOurs(path), let sha256 = $0["sha256"]?.string,
                let bytes = $0["bytes"]?.int
            else { return nil }
            return File(path: path, sha256: sha256, bytes: Int(bytes))
        }
        self.connectors = connectors.compactMap {
            guard let id = $0["id"]?.string, let version = $0["version"]?.string, let sha256 = $0["sha256"]?.string,
                let path = $0["path"]?.string, Self.isLibrary(path, sha256: sha256)
            else { return nil }
            return Library(id: id, version: version, sha256: sha256, path: path)
        }
        guard self.files.count == files.count, self.connectors.count == connectors.count,
            json["content"]?.string == content
        else { return nil }
    }

    /// `datong.yaml`, or one file name in one of the four folders.
    private static func isOurs(_ path: String) -> Bool {
        if path == Draft.workspaceFile { return true }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && Draft.folders.contains { $0.name == parts[0] && parts[1].hasSuffix($0.suffix) }
            && !parts[1].hasPrefix(".")
    }

    private static func isLibrary(_ path: String, sha256: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0] == "bundles" && parts[1] == sha256 && !parts[2].isEmpty
            && !parts[2].hasPrefix(".") && sha256.utf8.count == 64
    }
}

/// A revision read back and checked.
struct Revision: Sendable {
    let manifest: RevisionManifest
    /// Its configuration; `root` is the workspace.
    let draft: Draft
    var number: Int { manifest.number }
}

/// The frozen revisions of a workspace. One process writes at a time: whoever holds the workspace's run lock.
///
/// A revision is written in a folder of its own beside the others, made durable, and then gets its number as one step;
/// `active` is replaced as one step after that. A crash anywhere leaves the revision that ran before.
struct RevisionStore: Sendable {
    /// The places where a process may die while a revision is made, in order.
    enum Point: String, Sendable, CaseIterable {
        case librariesCopied = "libraries-copied"
        case filesWritten = "files-written"
        case manifestWritten = "manifest-written"
        case numbered
        case activated
    }

    /// The workspace.
    let root: String
    /// Called at each point; a test throws here to end the work as a crash would.
    var atPoint: @Sendable (Point) throws(Problem) -> Void = { (_) throws(Problem) in }

    init(_ root: String) { self.root = root }

    private var folder: String { root + "/revisions" }
    private var activeFile: String { folder + "/active" }
    private func folder(_ number: Int) -> String {
        let digits = String(number)
        return folder + "/" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// The numbers of all revisions, ascending.
    var numbers: [Int] {
        FileStore.names(in: folder).compactMap { $0.utf8.count == 4 ? Int($0) : nil }.filter { $0 > 0 }.sorted()
    }

    /// The number of the revision that runs; nil before the first `apply`.
    func activeNumber() throws(Problem) -> Int? {
        guard FileStore.exists(activeFile) else { return nil }
        let bytes = try FileStore.read(activeFile, limit: 64)
        let text = String(decoding: bytes, as: UTF8.self).trimmed
        guard let number = Int(text), number > 0 else { throw .activeUnreadable }
        return number
    }

    /// The revision that runs, checked against its hashes; nil before the first `apply`.
    func active() throws(Problem) -> Revision? {
        guard let number = try activeNumber() else { return nil }
        return try load(number)
    }

    /// All manifests, ascending.
    func list() throws(Problem) -> [RevisionManifest] {
        var manifests: [RevisionManifest] = []
        for number in numbers { manifests.append(try manifest(number)) }
        return manifests
    }

    /// The manifest of a revision.
    func manifest(_ number: Int) throws(Problem) -> RevisionManifest {
        let path = folder(number) + "/manifest.json"
        guard FileStore.exists(folder(number)) else { throw .noRevision(number, known: numbers) }
        guard let bytes = try? FileStore.read(path, limit: ConfigurationLimits.fileBytes),
            let json = try? JSON.parse(bytes), let manifest = RevisionManifest(json), manifest.number == number
        else { throw .revisionTampered(number, "manifest.json") }
        return manifest
    }

    /// A revision; every file and every library is checked against its hash.
    func load(_ number: Int) throws(Problem) -> Revision {
        let manifest = try manifest(number)
        let files = try files(of: manifest)
        for library in manifest.connectors {
            _ = try self.library(library, revision: number)
        }
        let (draft, problems) = Draft.read(files, root: root)
        guard let draft, problems.isEmpty else {
            throw .revisionUnusable(number, problems.first)
        }
        return Revision(manifest: manifest, draft: draft)
    }

    /// The absolute path of a revision's library after its bytes were checked: the only path that is ever loaded.
    func library(_ library: RevisionManifest.Library, revision: Int) throws(Problem) -> String {
        let path = root + "/" + library.path
        guard let bytes = try? FileStore.read(path, limit: ConfigurationLimits.libraryBytes),
            Hash.sha256Hex(bytes) == library.sha256
        else { throw .revisionTampered(revision, library.path) }
        return path
    }

    /// Freezes a draft that has no problems as the next revision and makes it the active one.
    /// - Parameters:
    ///   - connectors: the libraries of the connectors that the draft's connections use.
    ///   - created: instant with offset.
    ///   - user: the system user.
    /// - Returns: the manifest of the new revision.
    /// - Throws: `E-REVISION-006` where nothing differs from the active revision.
    func freeze(_ draft: Draft, connectors: [Connector], created: String, user: String) throws(Problem)
        -> RevisionManifest
    {
        for connector in connectors { try adopt(connector) }
        try atPoint(.librariesCopied)
        let number = (numbers.last ?? 0) + 1
        let manifest = Self.manifest(draft, connectors, number: number, created: created, user: user)
        // A damaged revision is no reason to refuse its own content anew.
        if let active = try activeNumber(), (try? load(active))?.manifest.content == manifest.content {
            throw .nothingChanged(active)
        }
        try write(manifest, draft.files)
        return manifest
    }

    /// The manifest that a draft gets.
    static func manifest(
        _ draft: Draft, _ connectors: [Connector], number: Int, created: String, user: String
    ) -> RevisionManifest {
        RevisionManifest(
            number: number, created: created, user: user, origin: .apply,
            files: draft.files.map {
                RevisionManifest.File(path: $0.path, sha256: Hash.sha256Hex($0.bytes), bytes: $0.bytes.count)
            }, connectors: connectors.sorted { $0.id < $1.id }.map(library))
    }

    private static func library(_ connector: Connector) -> RevisionManifest.Library {
        let name = connector.path.split(separator: "/").last.map(String.init) ?? ""
        return RevisionManifest.Library(
            id: connector.id, version: connector.version, sha256: connector.sha256,
            path: "bundles/\(connector.sha256)/\(name)")
    }

    /// Makes the content of an earlier revision the next revision and the active one.
    func rollback(to earlier: Int, created: String, user: String) throws(Problem) -> RevisionManifest {
        let revision = try load(earlier)
        let active = try activeNumber()
        if active == earlier { throw .nothingChanged(earlier) }
        let manifest = RevisionManifest(
            number: (numbers.last ?? 0) + 1, created: created, user: user, origin: .rollback(to: earlier),
            files: revision.manifest.files, connectors: revision.manifest.connectors)
        try write(manifest, revision.draft.files)
        return manifest
    }

    /// The revision that `rollback` without a number means: the one whose content ran before the last `apply`. A rollback
    /// counts as the revision it went back to, so that the next one goes further back and never forward again.
    func previous() throws(Problem) -> Int? {
        guard let active = try activeNumber() else { return nil }
        // A damaged active manifest differs from every whole one.
        let content = (try? manifest(active))?.content
        var applied = active
        while case .rollback(let to)? = (try? manifest(applied))?.origin, to < applied { applied = to }
        for number in numbers.reversed() where number < applied {
            guard let manifest = try? manifest(number) else { continue }
            if manifest.content != content { return number }
        }
        return nil
    }

    // MARK: Writing

    private func files(of manifest: RevisionManifest) throws(Problem) -> [DraftFile] {
        var files: [DraftFile] = []
        for file in manifest.files {
            let path = folder(manifest.number) + "/files/" + file.path
            guard let bytes = try? FileStore.read(path, limit: ConfigurationLimits.tableBytes),
                bytes.count == file.bytes, Hash.sha256Hex(bytes) == file.sha256
            else { throw .revisionTampered(manifest.number, file.path) }
            files.append(DraftFile(path: file.path, bytes: bytes))
        }
        return files
    }

    private func write(_ manifest: RevisionManifest, _ files: [DraftFile]) throws(Problem) {
        guard manifest.number <= ConfigurationLimits.revisions else { throw .tooManyRevisions }
        try FileStore.makeFolder(folder)
        // What a crash left behind has no number and is nobody's.
        for name in FileStore.names(in: folder) where name.hasPrefix(".new-") {
            FileStore.removeTree(folder + "/" + name)
        }
        let temporary = folder + "/.new-\(getpid())"
        var folders: Set<String> = [temporary + "/files"]
        try FileStore.makeFolder(temporary + "/files")
        for file in files {
            let path = temporary + "/files/" + file.path
            let parent = FileStore.folder(of: path)
            if folders.insert(parent).inserted { try FileStore.makeFolder(parent) }
            try FileStore.writeNew(path, file.bytes, mode: 0o444)
        }
        for folder in folders { try FileStore.sync(folder) }
        try atPoint(.filesWritten)
        try FileStore.writeNew(temporary + "/manifest.json", manifest.json.serialized() + [10], mode: 0o444)
        try FileStore.sync(temporary)
        try atPoint(.manifestWritten)
        try FileStore.rename(temporary, to: folder(manifest.number))
        try atPoint(.numbered)
        try FileStore.replace(activeFile, Array("\(manifest.number)\n".utf8))
        try atPoint(.activated)
    }

    /// Copies a library to `bundles/<sha256>/`, read-only; a copy that is already there is checked.
    private func adopt(_ connector: Connector) throws(Problem) {
        let bytes = try FileStore.read(connector.path, limit: ConfigurationLimits.libraryBytes)
        // The description was given by other bytes: the library was replaced while the draft was checked.
        guard Hash.sha256Hex(bytes) == connector.sha256 else { throw .libraryChanged(connector.path) }
        let library = Self.library(connector)
        let target = root + "/" + library.path
        if FileStore.exists(target) {
            guard let there = try? FileStore.read(target, limit: ConfigurationLimits.libraryBytes), there == bytes
            else {
                throw .revisionTampered(0, library.path)
            }
            return
        }
        let parent = FileStore.folder(of: target)
        try FileStore.makeFolder(parent)
        let temporary = "\(parent)/.new-\(getpid())"
        unlink(temporary)
        try FileStore.writeNew(temporary, bytes, mode: 0o555)
        try FileStore.rename(temporary, to: target)
        try FileStore.sync(FileStore.folder(of: parent))
    }
}

extension String {
    /// Without spaces and line ends at both ends.
    var trimmed: String {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}

extension Problem {
    static func noRevision(_ number: Int, known: [Int]) -> Problem {
        let span = known.isEmpty ? "" : "\(known.first ?? 0)…\(known.last ?? 0)"
        return Problem(
            "E-REVISION-001", zh: "没有版本 \(number)", en: "there is no revision \(number)",
            nextZH: known.isEmpty ? "先运行 datong apply" : "现有 \(span),见 datong revision list",
            nextEN: known.isEmpty ? "run datong apply first" : "there are \(span): datong revision list")
    }

    static func revisionTampered(_ number: Int, _ path: String) -> Problem {
        Problem(
            "E-REVISION-002",
            zh: number > 0 ? "版本 \(number) 的 \(path) 与冻结时不一致" : "\(path) 与其内容编号不一致",
            en: number > 0
                ? "\(path) of revision \(number) is not what was frozen" : "\(path) is not what its name says",
            nextZH: "未加载任何内容。从备份恢复该文件,或 datong rollback 到其他版本;并查明是谁改的",
            nextEN:
                "nothing was loaded. Restore it from a backup or roll back to another revision, and find out who changed it"
        )
    }

    static func revisionUnusable(_ number: Int, _ first: ConfigurationProblem?) -> Problem {
        let place = first.map { "\($0.problem.code) \($0.place)" } ?? Draft.workspaceFile
        return Problem(
            "E-REVISION-003", zh: "版本 \(number) 无法在此版本的主机上使用(\(place))",
            en: "revision \(number) cannot be used by this version of the host (\(place))",
            nextZH: "修改草稿后 datong apply,或换回原来的主机版本",
            nextEN: "mend the draft and run datong apply, or go back to the earlier host")
    }

    static var activeUnreadable: Problem {
        Problem(
            "E-REVISION-004", zh: "revisions/active 内容无法识别", en: "revisions/active cannot be understood",
            nextZH: "写入要运行的版本号(datong revision list)",
            nextEN: "write the number of the revision to run into it (datong revision list)")
    }

    static func libraryChanged(_ path: String) -> Problem {
        Problem(
            "E-REVISION-005", zh: "\(path) 在校验期间被替换", en: "\(path) was replaced while the draft was checked",
            nextZH: "重新运行 datong apply", nextEN: "run datong apply again")
    }

    static func nothingChanged(_ number: Int) -> Problem {
        Problem(
            "E-REVISION-006", zh: "与正在运行的版本 \(number) 相同", en: "nothing differs from the running revision \(number)",
            nextZH: "无需操作", nextEN: "there is nothing to do")
    }

    static var tooManyRevisions: Problem {
        Problem(
            "E-REVISION-007", zh: "版本号已用到 \(ConfigurationLimits.revisions)",
            en: "the revision numbers are used up at \(ConfigurationLimits.revisions)",
            nextZH: "把配置迁到新工作区", nextEN: "move the configuration to a new workspace")
    }
}
