private import CLibPQ
import Dispatch
import Foundation
import Synchronization

/// Turns the cancellation of a task into the cancellation of the statement it waits for.
///
/// A cancel request that reaches an idle server is forgotten, so it is repeated while a statement
/// runs: between our check and the server's start of the statement no request is lost. A request
/// that comes too late hits an idle session, because every later statement is refused here.
///
/// A server that does not answer cannot be asked anything. So ten seconds later the session's socket is shut down,
/// whereupon libpq stops waiting: no cancellation takes longer.
final class Canceller: Sendable {
    private struct State {
        var running = false
        var cancelled = false
    }

    private let state = Mutex(State())

    /// The address of libpq's `PGcancel`, which any thread may use (manual, "Canceling Queries in Progress").
    private let request: UInt

    /// The session's socket; looked at only while a statement runs, when libpq has it open.
    private let socket: Int32

    init(of connection: OpaquePointer) {
        request = unsafe UInt(bitPattern: PQgetCancel(connection))
        socket = unsafe PQsocket(connection)
    }

    deinit {
        unsafe PQfreeCancel(OpaquePointer(bitPattern: request))
    }

    var isCancelled: Bool { state.withLock(\.cancelled) }

    /// Marks the start of a wait for the server.
    func begin() throws(PostgresError) {
        let cancelled = state.withLock { state in
            state.running = !state.cancelled
            return state.cancelled
        }
        if cancelled { throw .cancelled }
    }

    /// Marks the end of a wait for the server.
    func end() {
        state.withLock { $0.running = false }
    }

    /// Refuses every later statement, and asks the server to stop the present one.
    func cancel() {
        state.withLock { $0.cancelled = true }
        DispatchQueue.global().async { self.repeatRequest() }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(10)) {
            self.state.withLock { state in
                if state.running { _ = shutdown(self.socket, Int32(SHUT_RDWR)) }
            }
        }
    }

    private func repeatRequest() {
        guard state.withLock(\.running) else { return }
        sendRequest()
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(100)) { self.repeatRequest() }
    }

    /// Asks the server once to stop what it runs now; returns when the server has taken note.
    func sendRequest() {
        // PQcancel sends without MSG_NOSIGNAL, and the signal of a server that went away would kill the process.
        var pipe = sigset_t()
        var before = sigset_t()
        unsafe sigemptyset(&pipe)
        unsafe sigaddset(&pipe, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &pipe, &before)
        var reason = [CChar](repeating: 0, count: 256)
        _ = unsafe PQcancel(OpaquePointer(bitPattern: request), &reason, Int32(reason.count))
        var pending = sigset_t()
        var taken: Int32 = 0
        if unsafe sigpending(&pending) == 0, unsafe sigismember(&pending, SIGPIPE) == 1 {
            unsafe sigwait(&pipe, &taken)
        }
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
    }
}
