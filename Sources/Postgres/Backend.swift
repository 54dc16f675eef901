/// The server's process behind a session, so that another session can end it and no stranger's.
///
/// A process number alone may belong to somebody else by now; with the moment of the start it does not.
public struct Backend: Sendable, Hashable {
    /// Its process number.
    public let pid: Int
    /// When it started, as the server writes it in text.
    public let start: String

    /// Names a backend.
    public init(pid: Int, start: String) {
        self.pid = pid
        self.start = start
    }
}

extension Connection {
    /// The backend of this session.
    public func backend() throws(PostgresError) -> Backend {
        let row = try query("SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()").first
        return Backend(pid: processID, start: try row?("backend_start") ?? "")
    }

    /// Ends backends; may be repeated.
    ///
    /// Needs their role, or a role that may end theirs. The session's time zone must be the one in which the backends were
    /// named, as neutral settings make it.
    ///
    /// - Returns: how many of them are still there.
    public func terminate(_ backends: [Backend]) throws(PostgresError) -> Int {
        try query(
            """
            SELECT pg_terminate_backend(a.pid)
              FROM unnest($1::int[], $2::text[]) AS b (pid, start)
              JOIN pg_stat_activity AS a ON a.pid = b.pid AND a.backend_start::text = b.start
             WHERE a.pid <> pg_backend_pid()
            """,
            backends.map(\.pid),
            backends.map(\.start)
        ).count
    }
}
