import Engine
import Postgres

/// Which server a switch has opened, as the source notes it, for the case that the target should forget it.
///
/// A target that was restored to an older state, or a standby that took over and lacks the last transactions, has a journal in
/// which the switch was never done. Who believes that opens the server that was left, beside the one that is in use.
enum OpenedServer: String {
    case source, target

    private func mark(_ id: String) -> String { "opened \(rawValue) of \(id)" }

    /// Notes that it is open; may be repeated.
    func note(_ run: Run) async throws {
        try await withNeutralConnection(to: run.endpoints.source) { try note(run, on: $0) }
    }

    /// Notes it in the session's transaction; does nothing where the end of the move has removed the place for it.
    func note(_ run: Run, on source: Connection) throws(PostgresError) {
        guard try isReadable(on: source) else { return }
        try source.query(
            "INSERT INTO martlet.position (stream, lane, lsn) VALUES ($1, 0, '0/0') ON CONFLICT DO NOTHING",
            mark(run.names.id)
        )
    }

    /// Refuses to let writers in on the other server when the journal does not know any more that this one was opened.
    func refuseIfForgotten(_ run: Run) async throws {
        let isOpened = try await withNeutralConnection(to: run.endpoints.source) {
            try isNoted(of: run.names.id, on: $0)
        }
        guard isOpened else { return }
        // Nothing is gained by trying again.
        run.monitor.isSwitching = false
        throw forgotten
    }

    /// Refuses what must not be done to a move that has opened this server.
    func refuseIfNoted(of id: String, on source: Connection) throws(PostgresError) {
        if try isNoted(of: id, on: source) { throw forgotten }
    }

    private func isNoted(of id: String, on source: Connection) throws(PostgresError) -> Bool {
        guard try isReadable(on: source) else { return false }
        return try !source.query("SELECT FROM martlet.position WHERE stream = $1", mark(id)).isEmpty
    }

    /// It may be another move's, of another role.
    private func isReadable(on source: Connection) throws(PostgresError) -> Bool {
        try !source.query(
            """
            SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'martlet' AND c.relname = 'position'
               AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
            """
        ).isEmpty
    }

    private var forgotten: PostgresError {
        let (kind, other) = self == .target ? ("cutover", "source") : ("rollback", "target")
        return PostgresError(
            "the target does not know any more that the \(kind) was done",
            detail:
                "The source notes that the \(rawValue) was opened, the journal on the target that it was not: the target was restored "
                + "to an older state, or a standby took over that lacked the last transactions, so that rows, sequences and large "
                + "objects of the time around the \(kind) may be missing there. The \(other) stays closed to writers.",
            hint: self == .target
                ? "Decide which server the application is to work on. To go back to the source: martlet abort --keep-copy, which opens "
                    + "it. To stay on the target, look first what it lacks (both can be read); then, there, UPDATE martlet.migration "
                    + "SET phase = 'switched', and martlet finish."
                : "The source has everything, and the application is to work on it. On the target: UPDATE martlet.migration SET phase "
                    + "= 'rolledBack'; then martlet abort."
        )
    }
}
