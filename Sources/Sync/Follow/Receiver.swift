import Foundation
import Postgres

/// Takes the stream of a slot into the spool, and never waits for anything but the server.
///
/// It knows nothing of tables. It answers keepalives, so that the server does not give us up while
/// we apply, and confirms what the server may forget:
///
/// - ``Confirmation/spooled``: what is safe on our disk. The source keeps little log, however long the load takes.
/// - ``Confirmation/applied``: what is safe on the target. The spool can be lost without harm.
struct Receiver {
    let stream: ReplicationStream
    let writer: SpoolWriter
    let state: FollowState
    let confirmation: Confirmation

    private static let statusInterval: TimeInterval = 1

    /// Receives until the task is cancelled or the stream breaks.
    func run() throws(PostgresError) {
        var nextStatus = Date(timeIntervalSinceNow: Self.statusInterval)
        var wantsReply = false
        while true {
            let any = try stream.receive(timeout: 20) { message throws(PostgresError) in
                switch message {
                case .change(let lsn, let payload):
                    try writer.append(payload, lsn: lsn)
                case .keepalive(let end, let reply):
                    // Between two transactions there is nothing before `end` that was not sent.
                    writer.advance(to: end)
                    wantsReply = wantsReply || reply
                }
            }
            if any {
                try writer.publish()
                state.update { $0.received = writer.through }
            }
            if wantsReply || Date() >= nextStatus {
                try report()
                wantsReply = false
                nextStatus = Date(timeIntervalSinceNow: Self.statusInterval)
            }
        }
    }

    private func report() throws(PostgresError) {
        let spooled = try writer.sync()
        let current = state.current
        let confirmed = confirmation == .spooled ? spooled : min(spooled, current.durable)
        try stream.sendStatus(received: writer.through, flushed: confirmed)
        state.update {
            $0.spooled = spooled
            $0.confirmed = max($0.confirmed, confirmed)
        }
        writer.spool.discard(before: current.keepFrom)
    }
}

/// What the source is told to forget.
public enum Confirmation: String, Sendable, Hashable, Codable, CaseIterable {
    /// What is safe in our spool.
    case spooled
    /// What is safe on the target.
    case applied
}
