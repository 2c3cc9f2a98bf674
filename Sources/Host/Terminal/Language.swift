import Glibc
import Values

/// The language of screens.
enum Language: String, Sendable, CaseIterable {
    case zh, en

    /// As `datong.yaml` writes it in `locale`.
    var locale: String { self == .zh ? "zh-CN" : "en" }

    /// Nil for a `locale` that is none of ours.
    init?(locale: String) {
        guard let language = Language.allCases.first(where: { $0.locale == locale }) else { return nil }
        self = language
    }

    /// `--lang` first, then the workspace's `locale`, then `LC_ALL`, `LC_MESSAGES`, `LANG`. Where none says anything,
    /// Chinese.
    static func choose(option: Language?, workspace: Language? = nil, environment: (String) -> String?) -> Language {
        if let chosen = option ?? workspace { return chosen }
        for name in ["LC_ALL", "LC_MESSAGES", "LANG"] {
            guard let value = environment(name)?.lowercased(), !value.isEmpty else { continue }
            if value.hasPrefix("zh") { return .zh }
            // `C` and `POSIX` are what a service or a container has when nobody chose.
            if value.hasPrefix("c.") || value == "c" || value == "posix" { continue }
            return .en
        }
        return .zh
    }

    /// The same from this process's environment.
    static func choose(option: Language?, workspace: Language? = nil) -> Language {
        choose(option: option, workspace: workspace) { name in getenv(name).map { String(cString: $0) } }
    }

    /// What the draft of a workspace says in `locale`. Nil where it says nothing, or cannot be read: what is wrong with it
    /// is told by the commands that need it.
    static func ofWorkspace(_ root: String) -> Language? {
        let file = root + "/" + Draft.workspaceFile
        guard let bytes = try? FileStore.read(file, limit: ConfigurationLimits.fileBytes),
            let root = try? YAMLReader.read(bytes, file: Draft.workspaceFile)
        else { return nil }
        return root.child("locale")?.text.flatMap { Language(locale: $0) }
    }
}

extension Problem.Text {
    /// In one language.
    subscript(_ language: Language) -> String { language == .zh ? zh : en }
}
