import Dispatch
import Glibc
import Logging
import Synchronization
import Values

/// What the commands use of the running side.
struct RunningServices: HostServices {
    func control(_ root: String, _ terminal: Terminal) -> any HostControl {
        WorkspaceControl(root: root, terminal: terminal)
    }

    var inspector: any ConnectorInspector { WorkerInspector(executable: WorkerInspector.workerPath) }

    /// Runs the host until SIGINT or SIGTERM, or until it cannot go on.
    func run(_ root: String, _ terminal: Terminal) async throws(Problem) {
        guard let revision = try RevisionStore(root).active() else { throw .noActiveRevision() }
        let workspace = revision.draft.workspace
        let process = try await HostProcess.start(
            root, mode: .serve, terminal: terminal, log: HostLog.standard(workspace.logLevel))
        let practice = workspace.practice ? terminal.words(" [练习工作区,未签署]", " [practice workspace, unsigned]") : ""
        terminal.say(
            Problem.Text(
                zh: "主机已启动: 版本 \(revision.number), \(revision.draft.flows.count) 个流程\(practice)",
                en: "the host runs: revision \(revision.number), \(revision.draft.flows.count) flows\(practice)"),
            next: Problem.Text(zh: "datong status 查看, Ctrl-C 停止", en: "datong status to look, Ctrl-C to stop"))
        let signals = [SIGINT, SIGTERM].map { number -> any DispatchSourceSignal in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { Task { await process.stop() } }
            source.resume()
            return source
        }
        let problem = await process.wait()
        for source in signals { source.cancel() }
        if let problem { throw problem }
    }
}
