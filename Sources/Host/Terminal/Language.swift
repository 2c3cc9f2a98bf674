import Glibc
import Values

/// The language of screens.
enum Language: String, Sendable, CaseIterable {
    case zh, en

    /// `--lang` first, then `LC_ALL`, `LC_MESSAGES`, `LANG`. Where none says anything, Chinese.
    static func choose(option: Language?, environment: (String) -> String?) -> Language {
        if let option { return option }
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
    static func choose(option: Language?) -> Language {
        choose(option: option) { name in getenv(name).map { String(cString: $0) } }
    }
}

extension Problem.Text {
    /// In one language.
    subscript(_ language: Language) -> String { language == .zh ? zh : en }
}
