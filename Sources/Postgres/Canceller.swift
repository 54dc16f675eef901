private import CLibPQ
import Dispatch
import Synchronization

/// Turns the cancellation of a task into the cancellation of the statement it waits for.
///
/// A cancel request that reaches an idle server is forgotten, so it is repeated while a statement
/// runs: between our check and the server's start of the statement no request is lost.
final class Canceller: Sendable {
    private struct State {
        var running = false
        var cancelled = false
    }

    private let state = Mutex(State())

    /// The address of libpq's `PGcancel`, which may be used from any thread (manual, section "Canceling Queries in Progress").
    private let request: UInt

    init(of connection: OpaquePointer) {
        request = unsafe UInt(bitPattern: PQgetCancel(connection))
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
    }

    private func repeatRequest() {
        guard state.withLock(\.running) else { return }
        var reason = [CChar](repeating: 0, count: 256)
        _ = unsafe PQcancel(OpaquePointer(bitPattern: request), &reason, Int32(reason.count))
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(100)) { self.repeatRequest() }
    }
}
