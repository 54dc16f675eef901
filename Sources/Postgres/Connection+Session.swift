extension Connection {
    /// Gives the session settings under which values and names mean the same on every server, and nothing times out by itself.
    ///
    /// Text forms are those that PostgreSQL's own replication asks for (libpqwalreceiver); names are
    /// always written with their schema; row security raises an error instead of hiding rows. `synchronous_commit` is not off.
    ///
    /// - Parameter encoding: the encoding both sides speak; nil leaves the session's.
    /// - Throws: when the server refuses one of them, which no supported version does.
    public func useNeutralSettings(encoding: String? = nil) throws(PostgresError) {
        var settings: [(String, String)] = [
            ("search_path", "pg_catalog"), ("datestyle", "ISO"), ("intervalstyle", "postgres"), ("timezone", "UTC"),
            ("extra_float_digits", "3"), ("bytea_output", "hex"), ("array_nulls", "on"), ("xmloption", "content"),
            ("lc_monetary", "C"), ("transform_null_equals", "off"), ("default_transaction_read_only", "off"),
            ("default_transaction_isolation", "read committed"), ("default_transaction_deferrable", "off"),
            ("row_security", "off"), ("statement_timeout", "0"), ("lock_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            // The server notices within a minute that we are gone; a session through a Unix socket ignores them.
            ("tcp_keepalives_idle", "20"), ("tcp_keepalives_interval", "10"), ("tcp_keepalives_count", "3"),
        ]
        if majorVersion >= 14 { settings.append(("idle_session_timeout", "0")) }
        if majorVersion >= 17 { settings.append(("transaction_timeout", "0")) }
        if let encoding { settings.append(("client_encoding", encoding)) }
        let statements = settings.map { name, value -> SQL in "SET \(Identifier(name)) = \(literal: value)" }
        // A commit that was acknowledged must outlive a crash, whatever the role or the database has.
        let durable: SQL = """
            SELECT pg_catalog.set_config('synchronous_commit', 'local', false)
             WHERE pg_catalog.current_setting('synchronous_commit') = 'off'
            """
        try execute(.joined(statements + [durable], separator: "; "))
    }
}

extension Connection {
    /// Keeps the database's event triggers from firing for what this session makes, if the role may act as a replica.
    ///
    /// What we make and remove for ourselves is none of the application's definitions. Event triggers that
    /// are ENABLE ALWAYS or ENABLE REPLICA fire all the same (filter_event_trigger).
    public func keepEventTriggersQuiet() throws(PostgresError) {
        do {
            try execute("SET session_replication_role = replica")
        } catch  where error.sqlState == "42501" {}
    }
}

/// Opens a session with ``Connection/useNeutralSettings(encoding:)``; otherwise as ``withConnection(to:application:_:)``.
public func withNeutralConnection<Result>(
    to target: ConnectionString,
    application: String = "martlet",
    encoding: String? = nil,
    _ body: (Connection) async throws -> Result
) async throws -> Result {
    try await withConnection(to: target, application: application) { connection in
        try connection.useNeutralSettings(encoding: encoding)
        return try await body(connection)
    }
}
