import Postgres

/// Tries what a move will have to do, each in a savepoint of one transaction that is rolled back.
///
/// What a role may do depends on attributes, memberships, parameters and the provider's own hooks;
/// trying is the only way to know. Nothing stays behind but a transaction number. No table of the
/// user is locked.
enum Probe {
    /// What can be tried; the statement needs exactly the right that it is named after.
    enum Attempt: String, CaseIterable, Sendable {
        case publication
        case marker
        case fence
        case schema
        case replicaRole

        static let onSource: [Attempt] = [.publication, .marker, .fence, .replicaRole]
        static let onTarget: [Attempt] = [.schema, .replicaRole]

        var sql: SQL {
            switch self {
            case .publication: "CREATE PUBLICATION martlet_preflight"
            case .marker: "SELECT pg_logical_emit_message(true, 'martlet', 'preflight')"
            case .fence:
                """
                CREATE SCHEMA martlet_preflight;
                CREATE FUNCTION martlet_preflight.refuse() RETURNS trigger LANGUAGE plpgsql
                    AS 'BEGIN RAISE EXCEPTION ''fenced''; END'
                """
            case .schema: "CREATE SCHEMA martlet_preflight; CREATE TABLE martlet_preflight.probe (id int)"
            case .replicaRole: "SET LOCAL session_replication_role = replica"
            }
        }
    }

    /// Tries them; what is missing from the answer succeeded.
    ///
    /// - Throws: only when the session is lost or the task is cancelled.
    static func denials(
        of attempts: [Attempt],
        on connection: Connection
    ) throws(PostgresError) -> [Attempt: PostgresError] {
        try connection.execute("BEGIN READ WRITE; SET LOCAL lock_timeout = '2s'; SAVEPOINT role")
        do throws(PostgresError) {
            // As the move does it, see keepEventTriggersQuiet().
            try connection.execute("SET LOCAL session_replication_role = replica")
        } catch  where error.sqlState == "42501" {
            try connection.execute("ROLLBACK TO SAVEPOINT role")
        }
        var denials: [Attempt: PostgresError] = [:]
        for attempt in attempts { denials[attempt] = try denial(of: attempt.sql, on: connection) }
        try connection.execute("ROLLBACK")
        return denials
    }

    /// Tries one in a savepoint of the transaction that is open; returns why not.
    ///
    /// - Throws: only when the session is lost or the task is cancelled.
    static func denial(of attempt: SQL, on connection: Connection) throws(PostgresError) -> PostgresError? {
        var denial: PostgresError?
        do throws(PostgresError) {
            try connection.execute("SAVEPOINT probe")
            try connection.execute(attempt)
        } catch {
            if error.isConnectionLoss || error.sqlState == PostgresError.cancelled.sqlState { throw error }
            denial = error
        }
        try connection.execute("ROLLBACK TO SAVEPOINT probe")
        return denial
    }

    /// Opens a session that may replicate, the way the stream will: rights and pg_hba.conf both have their say.
    ///
    /// - Returns: why not; nil when it is allowed.
    static func replicationDenial(at place: ConnectionString) async throws -> PostgresError? {
        do {
            try await withConnection(to: place.with("replication", "database"), application: "martlet preflight") {
                _ = try $0.queryLast("IDENTIFY_SYSTEM")
            }
            return nil
        } catch let error as PostgresError where error.sqlState != PostgresError.cancelled.sqlState {
            return error
        }
    }
}
