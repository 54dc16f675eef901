import Foundation
import Postgres

/// What the source has written while nobody followed, read by queries into the spool until little is left for a stream.
///
/// A query is several times less work for the source than a stream (see
/// ``Connection/readSlot(_:publication:upTo:limit:isBinary:largeChange:patience:_:)``), but it decodes everything from the slot's
/// `restart_lsn` on again; what the slot has left behind already costs a quarter of what is new. It brings a share of the
/// changes, and the slot moves on when that is safe in the spool. Shares are small, so that lanes have something to do and
/// the source keeps few rows and no snapshot for long; they double when more than twice their log was decoded again.
/// What is too much for a query is left to the stream: a transaction that alone is larger than 20 seconds of decoding,
/// or one that was left open for longer than two gigabytes of log.
struct Backlog {
    let plan: FollowPlan
    let writer: SpoolWriter
    let state: FollowState

    /// From so many bytes of log on it is worth it; a test sets it low.
    static let least = ProcessInfo.processInfo.environment["MARTLET_BACKLOG"].flatMap { UInt64($0) } ?? 16 << 20

    private static let firstShare = 100_000
    private static let largestShare = 3_200_000
    private static let mostLog: UInt64 = 1 << 30
    private static let patience = Duration.seconds(20)

    /// Reads until less than ``FollowPlan/backlog`` is left, or a query is not the way.
    func read(on source: Connection) throws(PostgresError) {
        // What is not applied may not be forgotten, and what is not forgotten would be read again and again.
        guard plan.confirmation == .spooled else { return }
        var share = Self.firstShare
        while let (end, again) = try nextPart(on: source) {
            let start = writer.through
            guard let messages = try read(share, upTo: end, on: source) else { return }
            // Where the share was full, what is behind its last transaction was not read.
            if messages < share { writer.advance(to: end) }
            // It was full of messages that belong to no transaction: the next would be the same again.
            guard writer.through > start else { return }
            if again > 2 * writer.through.bytes(since: start) { share = min(2 * share, Self.largestShare) }
        }
    }

    /// Moves the slot to what is safe, and says how far a query may read and how much it reads again; nil when the rest is for the stream.
    private func nextPart(on source: Connection) throws(PostgresError) -> (end: LSN, again: UInt64)? {
        let safe = try writer.sync()
        state.update {
            ($0.received, $0.spooled) = (writer.through, safe)
        }
        writer.spool.discard(before: state.current.keepFrom)
        guard let slot = try position(on: source) else { return nil }
        if safe > slot.confirmed {
            do throws(PostgresError) {
                try whenSlotIsFree { () throws(PostgresError) in
                    _ = try source.query("SELECT pg_catalog.pg_replication_slot_advance($1, $2)", plan.slot, safe)
                }
            } catch {
                // A stream moves the slot without it.
                guard !error.isConnectionLoss, error != .cancelled else { throw error }
                return nil
            }
        }
        state.update { $0.confirmed = max($0.confirmed, safe) }
        let again = max(safe, slot.confirmed).bytes(since: slot.restart)
        guard slot.end.bytes(since: safe) >= plan.backlog, again <= 2 * Self.mostLog else { return nil }
        return (min(slot.end, LSN(safe.value + Self.mostLog)), again)
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

    /// Reads about `share` messages, and returns how many there were; nil when the stream has to do it.
    private func read(_ share: Int, upTo end: LSN, on source: Connection) throws(PostgresError) -> Int? {
        var (watch, waited) = (Stopwatch(), source.serverWait)
        var hasBegun = false
        var unpublished = 0
        let messages: Int?
        do throws(PostgresError) {
            messages = try whenSlotIsFree { () throws(PostgresError) in
                try source.readSlot(
                    plan.slot,
                    publication: plan.publication,
                    upTo: end,
                    limit: share,
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
        } catch {
            // Of our own disk, of a connection that is lost, or of a task that is cancelled.
            if error.sqlState == nil || error.isConnectionLoss || error == .cancelled { throw error }
            // The stream tells what is really wrong with the slot.
            guard hasBegun else { return nil }
            // The spool ends within a transaction: who opens it again cuts that off.
            throw PostgresError(
                "lost the stream: the server did not send a backlog to its end",
                detail: error.message,
                sqlState: "08006"
            )
        }
        guard let messages else { return nil }
        var tally = writer.takeTally()
        tally.queries = 1
        tally.seconds = watch.lap()
        tally.idleSeconds = (source.serverWait - waited) / .seconds(1)
        state.stages.add(tally)
        return messages
    }
}
