import Glibc
import WorkerCore

/// A worker on a thread of this process, for tests and practice workspaces: the same conversation over the same socket.
enum WorkerThread {
    /// The thread owns the socket from here on; when it cannot be made the socket is closed, and that is heard.
    static func start(plugin: String, socket: Int32) {
        let argument = Unmanaged.passRetained(Argument(socket: socket, plugin: plugin)).toOpaque()
        var thread = pthread_t()
        if pthread_create(&thread, nil, workerThreadMain, argument) == 0 {
            pthread_detach(thread)
        } else {
            Unmanaged<Argument>.fromOpaque(argument).release()
            close(socket)
        }
    }

    fileprivate final class Argument {
        let socket: Int32
        let plugin: String
        init(socket: Int32, plugin: String) {
            self.socket = socket
            self.plugin = plugin
        }
    }
}

private func workerThreadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<WorkerThread.Argument>.fromOpaque(argument).takeRetainedValue()
    _ = datong_worker_run(start.socket, start.plugin, 1)
    return nil
}
