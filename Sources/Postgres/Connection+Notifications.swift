private import CLibPQ
import Foundation

extension Connection {
    /// Has the server tell this session what is sent to a channel by NOTIFY from now on.
    public func listen(to channel: Identifier) throws(PostgresError) {
        try execute("LISTEN \(channel)")
    }

    /// Waits until somebody notifies a channel that this session listens to, and returns false when nobody did in time.
    ///
    /// All notifications that have come are taken. What they are about must be looked up before each wait: those that came
    /// during a statement count, those from before ``listen(to:)`` never come.
    public func waitForNotification(within limit: Duration) throws(PostgresError) -> Bool {
        let end = ContinuousClock.now + limit
        while true {
            if canceller.isCancelled { throw .cancelled }
            guard unsafe PQconsumeInput(handle) == 1 else { throw libpqFailure() }
            var hasCome = false
            while let notification = unsafe PQnotifies(handle) {
                unsafe PQfreemem(notification)
                hasCome = true
            }
            if hasCome { return true }
            let left = ContinuousClock.now.duration(to: end)
            guard left > .zero else { return false }
            var socket = unsafe pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
            // Nobody wakes the thread when the task is cancelled.
            _ = unsafe poll(&socket, 1, left > .milliseconds(50) ? 50 : Int32(left / .milliseconds(1)) + 1)
        }
    }
}
