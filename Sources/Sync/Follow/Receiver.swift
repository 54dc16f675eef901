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

    private static let statusInterval = Duration.seconds(1)
    /// After so long without a word the server is asked for one.
    private static let patience = Duration.seconds(10)
    /// After so long it is taken for lost.
    ///
    /// A server that lives answers at once, but not in the middle of a large transaction of which nothing is published: then it
    /// says something after half of `wal_sender_timeout` (WalSndUpdateProgress), a minute (``ReceiverSettings``).
    private static let silence = Duration.seconds(90)

    /// Receives until the task is cancelled or the stream breaks.
    func run() throws(PostgresError) {
        var nextStatus = ContinuousClock.now + Self.statusInterval
        var wantsReply = false
        var heard = ContinuousClock.now
        var idle = Duration.zero
        var began = heard
        var watch = Stopwatch()
        while true {
            let any = try stream.receive(timeout: 20) { message throws(PostgresError) in
                try writer.append(message)
                if case .keepalive(_, let reply) = message { wantsReply = wantsReply || reply }
            }
            if any {
                try writer.publish()
                state.update { $0.received = writer.through }
                heard = .now
            }
            let now = ContinuousClock.now
            if !any { idle += began.duration(to: now) }
            if wantsReply || now >= nextStatus {
                let silence = heard.duration(to: now)
                guard silence < Self.silence else { throw Self.isSilent }
                try report(asking: silence > Self.patience)
                wantsReply = false
                nextStatus = now + Self.statusInterval
                var tally = writer.takeTally()
                tally.seconds = watch.lap()
                tally.idleSeconds = idle / .seconds(1)
                state.stages.add(tally)
                idle = .zero
            }
            began = any ? .now : now
        }
    }

    private static let isSilent = PostgresError(
        "lost the stream: the server has not said anything for \(silence.components.seconds) seconds",
        sqlState: "08006"
    )

    private func report(asking: Bool) throws(PostgresError) {
        let spooled = try writer.sync()
        let current = state.current
        let isSpoolEnough = confirmation == .spooled || state.confirmsSpooled
        let confirmed = isSpoolEnough ? spooled : min(spooled, current.durable)
        try stream.sendStatus(received: writer.through, flushed: confirmed, wantsReply: asking)
        state.update {
            $0.spooled = spooled
            $0.confirmed = max($0.confirmed, confirmed)
        }
        writer.spool.discard(before: current.keepFrom, applied: current.durable)
    }
}

/// What the source is told to forget.
public enum Confirmation: String, Sendable, Hashable, Codable, CaseIterable {
    /// What is safe in our spool.
    case spooled
    /// What is safe on the target.
    case applied
}
