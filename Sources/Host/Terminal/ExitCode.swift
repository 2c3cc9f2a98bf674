/// What `datong` tells the program that started it. Documented in `docs/control.md`; never renumbered.
enum ExitStatus: Int32, Sendable, CaseIterable {
    /// Done.
    case done = 0
    /// Refused, or a problem was found; the last lines say which.
    case problem = 1
    /// The command line itself is wrong.
    case usage = 2
    /// Nothing is wrong, but something waits for a person: differences shown and not applied, documents held.
    case attention = 3
    /// No host runs in this workspace and the command needs one.
    case notRunning = 4
    /// Another process owns the workspace.
    case busy = 5
}
