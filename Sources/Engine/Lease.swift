import Foundation
public import Postgres

/// The right to run a migration: one martlet at a time has it.
///
/// It is an advisory lock of a session on the target, so it ends with the session, however martlet
/// ends. A row beside it tells who holds it, for the one that is refused.
public enum Lease {
    /// Takes the lease for as long as the session lives.
    ///
    /// - Throws: an error that names the host and the process of the martlet that has it.
    public static func take(on connection: Connection) throws(PostgresError) {
        let row = try connection.query("SELECT pg_try_advisory_lock(\(key)) AS taken").first
        guard try row?("taken", as: Bool.self) == true else { throw try refusal(on: connection) }
        try connection.query(
            """
            INSERT INTO martlet.lease (host, pid) VALUES ($1, $2::int)
            ON CONFLICT (only_row) DO UPDATE SET host = excluded.host, pid = excluded.pid, started = now(), beat = now()
            """,
            ProcessInfo.processInfo.hostName,
            Int(ProcessInfo.processInfo.processIdentifier)
        )
    }

    /// Shows that we live.
    public static func beat(on connection: Connection) throws(PostgresError) {
        try connection.execute("UPDATE martlet.lease SET beat = now()")
    }

    /// Whether a martlet holds the lease now.
    public static func isTaken(on connection: Connection) throws(PostgresError) -> Bool {
        let row = try connection.query("SELECT pg_try_advisory_xact_lock_shared(\(key)) AS free").first
        return try row?("free", as: Bool.self) == false
    }

    /// Who holds the lease, or held it last: host and process.
    public static func holder(on connection: Connection) throws(PostgresError) -> (host: String, pid: Int)? {
        guard let row = try connection.query("SELECT host, pid FROM martlet.lease").first else { return nil }
        return (try row("host"), try row("pid"))
    }

    /// The advisory lock's key: "martlet" in ASCII.
    private static let key: Int64 = 0x6D_6172_746C_6574

    private static func refusal(on connection: Connection) throws(PostgresError) -> PostgresError {
        let holder = try holder(on: connection)
        let who = holder.map { "process \($0.pid) on host \"\($0.host)\"" } ?? "another process"
        return PostgresError(
            "another martlet runs this migration",
            detail: "It is \(who).",
            hint: "Look at it with martlet status, or stop it before you start another."
        )
    }
}
