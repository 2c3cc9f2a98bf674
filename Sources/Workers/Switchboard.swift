import Glibc
import Synchronization
import WorkerCore

/// The one thread that hears all workers: their sockets, their stderr, their ends and their deadlines. It also starts
/// them, because the kernel ties a child's parent-death signal to the thread that made it, and threads of the
/// cooperative pool come and go.
final class Switchboard: Sendable {
    static let shared = Switchboard()

    /// What a readiness event is about; part of the event's token.
    enum Source: UInt64 {
        case socket = 0
        case output = 1
        case process = 2
    }

    private struct State {
        var workers: [UInt64: Worker] = [:]
        var jobs: [@Sendable () -> Void] = []
        var lastNumber: UInt64 = 0
    }

    /// What the thread reads into; nobody else touches it.
    nonisolated(unsafe) let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Limits.readBytes, alignment: 16)

    private let poll: Int32
    private let bell: Int32
    private let state = Mutex(State())
    private let ticking = Atomic<Bool>(false)

    private init() {
        poll = epoll_create1(Int32(EPOLL_CLOEXEC))
        bell = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.u64 = 0
        precondition(poll >= 0 && bell >= 0 && epoll_ctl(poll, EPOLL_CTL_ADD, bell, &event) == 0, "epoll")
        var thread = pthread_t()
        let me = Unmanaged.passRetained(self).toOpaque()
        let error = pthread_create(&thread, nil, switchboardMain, me)
        precondition(error == 0, "no thread for the switchboard")
        pthread_detach(thread)
    }

    /// Run something short on the switchboard's thread, in order.
    func perform(_ job: @escaping @Sendable () -> Void) {
        state.withLock { $0.jobs.append(job) }
        ring()
    }

    /// A number for a new worker; its events carry it.
    func newNumber() -> UInt64 {
        state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
    }

    /// Know a worker by its number, and keep it alive.
    func enroll(_ worker: Worker) {
        state.withLock { $0.workers[worker.number] = worker }
    }

    /// Forget an ended worker.
    func dismiss(_ worker: Worker) {
        state.withLock { _ = $0.workers.removeValue(forKey: worker.number) }
    }

    /// Hear a descriptor.
    func watch(_ descriptor: Int32, of worker: UInt64, as source: Source, writable: Bool = false, again: Bool = false) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | (writable ? EPOLLOUT.rawValue : 0)
        event.data.u64 = worker << 2 | source.rawValue
        epoll_ctl(poll, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, &event)
    }

    /// Hear it no more.
    func unwatch(_ descriptor: Int32) {
        var event = epoll_event()
        epoll_ctl(poll, EPOLL_CTL_DEL, descriptor, &event)
    }

    /// Something has a deadline now: look at the clock from here on.
    func startTicking() {
        if !ticking.exchange(true, ordering: .sequentiallyConsistent) { ring() }
    }

    private func ring() {
        var one: UInt64 = 1
        _ = write(bell, &one, 8)
    }

    fileprivate func run() {
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        var lastTick = monotonicNowMs()
        while true {
            let wait = ticking.load(ordering: .sequentiallyConsistent) ? Limits.tickMs : -1
            let count = epoll_wait(poll, &events, Int32(events.count), wait)
            for index in 0..<max(Int(count), 0) {
                let token = events[index].data.u64
                if token == 0 {
                    answerBell()
                    continue
                }
                let worker = state.withLock { $0.workers[token >> 2] }
                worker?.ready(Source(rawValue: token & 3) ?? .socket, events: events[index].events)
            }
            let now = monotonicNowMs()
            if now - lastTick >= Int64(Limits.tickMs) {
                lastTick = now
                tick(now)
            }
        }
    }

    private func answerBell() {
        var count: UInt64 = 0
        _ = read(bell, &count, 8)
        let jobs = state.withLock { state in
            defer { state.jobs = [] }
            return state.jobs
        }
        for job in jobs { job() }
    }

    /// Set back before looking: whoever adds a deadline meanwhile finds it off and rings.
    private func tick(_ now: Int64) {
        guard ticking.exchange(false, ordering: .sequentiallyConsistent) else { return }
        let workers = state.withLock { Array($0.workers.values) }
        var waiting = false
        for worker in workers where worker.tick(now) { waiting = true }
        if waiting { ticking.store(true, ordering: .sequentiallyConsistent) }
    }
}

private func switchboardMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument { Unmanaged<Switchboard>.fromOpaque(argument).takeUnretainedValue().run() }
    return nil
}
