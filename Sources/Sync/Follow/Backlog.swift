import Foundation
import Postgres

/// What the source has written while nobody followed, read by queries into the spool until little is left for a stream.
///
/// A query is several times less work for the source than a stream (see
/// ``Connection/readSlot(_:publication:upTo:isBinary:largeChange:patience:_:)``), and more where it has to decode again
/// what was read before: from the oldest transaction that was open. It reads a share of the log at a time, and the slot
/// moves on when that is safe in the spool. The first share is small; the next is twice as large when it took less than
/// four seconds, because the source holds a snapshot, and keeps the rows in a temporary file, for as long as it takes.
/// What is too much for a query is left to the stream: a transaction that alone is larger than 20 seconds of decoding,
/// or one that was left open for longer than a gigabyte of log.
struct Backlog {
    let plan: FollowPlan
    let writer: SpoolWriter
    let state: FollowState

    /// From so many bytes of log on it is worth it; a test sets it low.
    static let least = ProcessInfo.processInfo.environment["MARTLET_BACKLOG"].flatMap { UInt64($0) } ?? 16 << 20

    private static let firstShare: UInt64 = 64 << 20
    private static let largestShare: UInt64 = 1 << 30
    private static let goodTime = Duration.seconds(4)
    private static let patience = Duration.seconds(20)

    /// Reads until less than ``FollowPlan/backlog`` is left, or a query is not the way.
    func read(on source: Connection) throws(PostgresError) {
        // What is not applied may not be forgotten, and what is not forgotten would be read again and again.
        guard plan.confirmation == .spooled else { return }
        var share = Self.firstShare
        while let end = try nextEnd(share, on: source) {
            let began = ContinuousClock.now
            guard try read(upTo: end, on: source) else { return }
            writer.advance(to: end)
            if began.duration(to: .now) < Self.goodTime { share = min(2 * share, Self.largestShare) }
        }
    }

    /// Moves the slot to what is safe, and says how far to read next; nil when the rest is for the stream.
    private func nextEnd(_ share: UInt64, on source: Connection) throws(PostgresError) -> LSN? {
        let safe = try writer.sync()
        state.update {
            ($0.received, $0.spooled) = (writer.through, safe)
        }
        writer.spool.discard(before: state.current.keepFrom)
        guard let slot = try position(on: source) else { return nil }
        if safe > slot.confirmed {
            try whenSlotIsFree { () throws(PostgresError) in
                _ = try source.query("SELECT pg_catalog.pg_replication_slot_advance($1, $2)", plan.slot, safe)
            }
        }
        state.update { $0.confirmed = max($0.confirmed, safe) }
        let again = max(safe, slot.confirmed).bytes(since: slot.restart)
        guard slot.end.bytes(since: safe) >= plan.backlog, again <= Self.largestShare else { return nil }
        return min(slot.end, LSN(safe.value + max(share, again)))
    }

    private func position(on source: Connection) throws(PostgresError) -> (confirmed: LSN, restart: LSN, end: LSN)? {
        let row = try source.query(
            """
            SELECT confirmed_flush_lsn AS confirmed, restart_lsn AS restart,
                   CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END AS end
              FROM pg_catalog.pg_replication_slots WHERE slot_name = $1
            """,
            plan.slot
        ).first
        return try row.map { row throws(PostgresError) in
            (confirmed: try row("confirmed"), restart: try row("restart"), end: try row("end"))
        }
    }

    /// Reads one share; false when the stream has to do it.
    private func read(upTo end: LSN, on source: Connection) throws(PostgresError) -> Bool {
        var (watch, waited) = (Stopwatch(), source.serverWait)
        var hasBegun = false
        var unpublished = 0
        do throws(PostgresError) {
            let isRead = try whenSlotIsFree { () throws(PostgresError) in
                try source.readSlot(
                    plan.slot,
                    publication: plan.publication,
                    upTo: end,
                    isBinary: plan.isBinary,
                    largeChange: Spool.wholeChange,
                    patience: Self.patience
                ) { message throws(PostgresError) in
                    hasBegun = true
                    unpublished += try writer.append(message)
                    guard unpublished >= 256 << 10 else { return }
                    unpublished = 0
                    try writer.publish()
                    state.update { $0.received = writer.through }
                }
            }
            guard isRead else { return false }
        } catch {
            // The stream tells what is really wrong with the slot.
            guard hasBegun || error.isConnectionLoss || error == .cancelled else { return false }
            guard hasBegun, !error.isConnectionLoss, error != .cancelled else { throw error }
            // The spool ends within a transaction: who opens it again cuts that off.
            throw PostgresError(
                "lost the stream: the server did not send a backlog to its end",
                detail: error.message,
                sqlState: "08006"
            )
        }
        var tally = writer.takeTally()
        tally.queries = 1
        tally.seconds = watch.lap()
        tally.idleSeconds = (source.serverWait - waited) / .seconds(1)
        state.stages.add(tally)
        return true
    }
}
