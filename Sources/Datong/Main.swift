import Glibc
import Host

/// The `datong` command.
@main
struct Main {
    static func main() async {
        // A reader of our output that goes away ends the writing, not the host.
        signal(SIGPIPE, SIG_IGN)
        exit(await CommandLineTool.start(Array(CommandLine.arguments.dropFirst())))
    }
}
