public import Foundation
public import Postgres

extension Journal {
    /// Has the move hold from now on, whoever runs it, if it is in one of these phases; a pause that is there stays.
    ///
    /// - Returns: since when it is paused; nil when it is in another phase.
    public static func pause(in phases: [String], on connection: Connection) throws(PostgresError) -> Date? {
        let row = try connection.query(
            """
            UPDATE martlet.migration SET paused = coalesce(paused, clock_timestamp()), changed = now()
             WHERE phase = ANY ($1::text[]) RETURNING extract(epoch FROM paused)::float8 AS paused
            """,
            phases
        ).first
        guard let row else { return nil }
        return Date(timeIntervalSince1970: try row("paused"))
    }

    /// Lets a paused move go on.
    ///
    /// - Returns: for how long it was paused, in seconds; nil when it was not.
    public static func resume(on connection: Connection) throws(PostgresError) -> Double? {
        let row = try connection.query(
            """
            UPDATE martlet.migration AS m SET paused = NULL, changed = now() FROM martlet.migration AS old
             WHERE m.id = old.id AND m.paused IS NOT NULL
            RETURNING extract(epoch FROM clock_timestamp() - old.paused)::float8 AS seconds
            """
        ).first
        return try row?("seconds")
    }

    /// Since when the move is paused; nil when it is not.
    ///
    /// - Throws: SQLSTATE 42P01 or 3F000 when there is no journal.
    public static func paused(on connection: Connection) throws(PostgresError) -> Date? {
        let row = try connection.query("SELECT extract(epoch FROM paused)::float8 AS paused FROM martlet.migration")
            .first
        return try row?.optional("paused", as: Double.self).map { Date(timeIntervalSince1970: $0) }
    }

    /// Whether the martlet that runs a paused move has said that it holds.
    public static func isPauseObeyed(on connection: Connection) throws(PostgresError) -> Bool {
        let row = try connection.query(
            """
            SELECT s.at > m.paused AND s.report #>> '{hold,reason}' = 'paused' AS is_held
              FROM martlet.migration AS m, martlet.status AS s
            """
        ).first
        return try row?.optional("is_held", as: Bool.self) == true
    }
}
