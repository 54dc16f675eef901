import Foundation
import Postgres

/// What the source has written while nobody followed, read by queries into the spool until little is left for a stream.
///
/// A query is several times less work for the source than a stream (see
/// ``Connection/readSlot(_:publication:upTo:limit:isBinary:largeChange:patience:_:)``), but it decodes everything from the slot's
/// `restart_lsn` on again; what the slot has left behind already costs a quarter of what is new. It brings a share of the
/// changes, and the slot moves on. That is a temporary copy of the slot, which ends with the session: the slot itself moves only
/// to what is safe in the spool, and once a gigabyte, because that reads the log once more. Shares are small, so that lanes have
/// something to do and the source keeps few rows and no snapshot for long; they double when as much was decoded again as
/// was new. What is too much for a query is left to the stream: a transaction that alone is larger than 20 seconds of
/// decoding, or one that was left open for longer than two gigabytes of log.
struct Backlog {
    let plan: FollowPlan
    let writer: SpoolWriter
    let state: FollowState

    /// From so many bytes of log on it is worth it; a test sets it low.
    static let least = ProcessInfo.processInfo.environment["MARTLET_BACKLOG"].flatMap { UInt64($0) } ?? 16 << 20

    private static let firstShare = 100_000
    private static let largestShare = 3_200_000
    private static let mostLog: UInt64 = 1 << 30
    private static let mostAgain: UInt64 = 2 << 30
    private static let patience = Duration.seconds(20)

    /// Reads until less than ``FollowPlan/backlog`` is left, or a query is not the way.
    func read(on source: Connection) throws(PostgresError) {
        // What is not applied may not be forgotten, and what is not forgotten would be read again and again.
        guard plan.confirmation == .spooled, Self.isMended(source.serverVersion) else { return }
        do throws(PostgresError) {
            guard let slot = try position(of: plan.slot, on: source), !slot.waitsForStandbys,
                slot.end.bytes(since: max(writer.through, slot.confirmed)) >= plan.backlog,
                slot.again <= Self.mostAgain
            else { return }
            // The copy of a session that is gone may still be there for a moment.
            let copy = Identifier("\(plan.slot.name)_backlog_\(source.processID)")
            // The last slot that is free is left to a comparison.
            let copied = try source.query(
                """
                SELECT pg_catalog.pg_copy_logical_replication_slot($1, $2, true)
                 WHERE (SELECT count(*) FROM pg_catalog.pg_replication_slots) + 1 < current_setting('max_replication_slots')::int
                """,
                plan.slot,
                copy
            )
            guard !copied.isEmpty else { return }
            try move(copy, to: save(), on: source)
            guard try readShares(of: copy, least: plan.backlog, on: source) else { return }
            // A stream decodes again, too: for two gigabytes it would be silent for seconds. The first move makes the slot
            // forget, and only the next brings its `restart_lsn` past all that was forgotten.
            for _ in 1...2 { try move(plan.slot, to: save(), on: source) }
            _ = try readShares(of: copy, least: 1, on: source)
        } catch {
            // A stream needs neither a copy nor to move a slot.
            guard isForTheStream(error) else { throw error }
        }
    }

    /// Whether a server has no fault that a query of a slot, or moving one, would meet.
    ///
    /// Until 14.7 and 15.2 a session ends after ten of them ("out of relcache_callback_list slots"); until 14.17, 15.12, 16.8
    /// and 17.4 moving a slot could let the server remove catalog rows that decoding still needs.
    static func isMended(_ version: Int) -> Bool {
        let (major, minor) = version.quotientAndRemainder(dividingBy: 10_000)
        return major > 17 || minor >= [14: 18, 15: 13, 16: 9, 17: 5][major, default: .max]
    }

    /// Reads share after share until less than `least` bytes of log are left; false when a query is not the way any more.
    private func readShares(of copy: Identifier, least: UInt64, on source: Connection) throws(PostgresError) -> Bool {
        var (share, isFull) = (Self.firstShare, false)
        var kept = LSN(.max)
        var leftBefore = UInt64.max
        while let slot = try position(of: copy, on: source) {
            let safe = try save()
            let start = max(safe, slot.confirmed)
            let left = slot.end.bytes(since: start)
            // What a full share has left is not left to the stream, which would decode everything again for it. Where the
            // source writes as fast as shares are read, a stream is the better way.
            guard isFull || left >= least else { return true }
            guard isFull || left < leftBefore, slot.again <= Self.mostAgain else { return false }
            leftBefore = left
            kept = min(kept, slot.restart)
            if slot.restart.bytes(since: kept) > Self.mostLog {
                try move(plan.slot, to: safe, on: source)
                kept = slot.restart
            }
            let end = min(slot.end, LSN(start.value + Self.mostLog))
            guard let messages = try read(share, of: copy, upTo: end, on: source) else { return false }
            isFull = messages >= share
            // Where the share was full, what is behind its last transaction was not read.
            if !isFull { writer.advance(to: end) }
            if slot.again >= writer.through.bytes(since: start) { share = min(2 * share, Self.largestShare) }
        }
        return false
    }

    /// Makes what was read safe, and returns how far that is.
    private func save() throws(PostgresError) -> LSN {
        let safe = try writer.sync()
        state.update {
            ($0.received, $0.spooled) = (writer.through, safe)
        }
        let current = state.current
        writer.spool.discard(before: current.keepFrom, applied: current.durable)
        return safe
    }

    /// Makes a slot forget what is safe.
    private func move(_ slot: Identifier, to safe: LSN, on source: Connection) throws(PostgresError) {
        guard let place = try position(of: slot, on: source), safe >= place.confirmed else { return }
        try whenSlotIsFree { () throws(PostgresError) in
            _ = try source.query("SELECT pg_catalog.pg_replication_slot_advance($1, $2)", slot, safe)
        }
        if slot == plan.slot { state.update { $0.confirmed = max($0.confirmed, safe) } }
    }

    private struct Position {
        let confirmed: LSN
        let restart: LSN
        /// The end of the source's log.
        let end: LSN
        /// Whether a stream of it keeps back what named standbys do not have yet, which a query of its copy would not.
        let waitsForStandbys: Bool

        /// Bytes of log that are decoded though they were confirmed.
        var again: UInt64 { confirmed.bytes(since: restart) }
    }

    /// Where a slot stands; nil when it is gone, or has lost its log.
    private func position(of slot: Identifier, on source: Connection) throws(PostgresError) -> Position? {
        let row = try source.query(
            """
            SELECT confirmed_flush_lsn AS confirmed, restart_lsn AS restart,
                   CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END AS end,
                   coalesce((to_jsonb(s) ->> 'failover')::bool
                       AND current_setting('synchronized_standby_slots', true) <> '', false) AS waits
              FROM pg_catalog.pg_replication_slots s WHERE slot_name = $1 AND restart_lsn IS NOT NULL
            """,
            slot
        ).first
        return try row.map { row throws(PostgresError) in
            Position(
                confirmed: try row("confirmed"),
                restart: try row("restart"),
                end: try row("end"),
                waitsForStandbys: try row("waits")
            )
        }
    }

    /// Whether the server refused something, and not our own disk, a lost connection, or who cancelled the task; the
    /// stream tells what is really wrong with the slot.
    private func isForTheStream(_ error: PostgresError) -> Bool {
        error.sqlState != nil && !error.isConnectionLoss && error != .cancelled
    }

    /// Reads about `share` messages, and returns how many there were; nil when the stream has to do it.
    private func read(
        _ share: Int,
        of copy: Identifier,
        upTo end: LSN,
        on source: Connection
    ) throws(PostgresError) -> Int? {
        var (watch, waited) = (Stopwatch(), source.serverWait)
        var hasBegun = false
        var unpublished = 0
        let messages: Int?
        do throws(PostgresError) {
            messages = try source.readSlot(
                copy,
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
        } catch {
            guard isForTheStream(error) else { throw error }
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
