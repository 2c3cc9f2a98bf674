import Logging
import Values

/// Where the running host's log goes: standard error, one line an entry, for systemd or a terminal.
enum HostLog {
    /// A logger that says nothing, for commands that look into a workspace.
    static let quiet = Logger(label: "datong") { _ in SwiftLogNoOpLogHandler() }

    /// The host's log at the workspace's level.
    static func standard(_ level: WorkspaceFile.LogLevel) -> Logger {
        var logger = Logger(label: "datong") { StreamLogHandler.standardError(label: $0) }
        switch level {
        case .debug: logger.logLevel = .debug
        case .info: logger.logLevel = .info
        case .warning: logger.logLevel = .warning
        case .error: logger.logLevel = .error
        }
        return logger
    }
}
