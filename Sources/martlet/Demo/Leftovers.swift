import Postgres

/// What a move may have left on a server that it should have removed.
enum Leftovers {
    /// Looks for everything that martlet makes on servers; what is found is told with its kind and its name.
    ///
    /// Only for servers of our own: other people's slots and publications would be found as well.
    static func find(on database: ConnectionString, name server: String) async throws -> [String] {
        try await withNeutralConnection(to: database, application: "demo leftovers") { connection in
            let rows = try connection.query(
                """
                SELECT 'schema' AS kind, nspname::text AS name FROM pg_namespace WHERE nspname LIKE 'martlet%'
                UNION ALL SELECT 'slot', slot_name FROM pg_replication_slots
                UNION ALL SELECT 'publication', pubname FROM pg_publication
                UNION ALL SELECT 'subscription', subname FROM pg_subscription
                UNION ALL SELECT 'replication origin', roname FROM pg_replication_origin
                UNION ALL SELECT 'event trigger', evtname FROM pg_event_trigger
                UNION ALL SELECT 'trigger', format('%s on %s', tgname, tgrelid::regclass) FROM pg_trigger
                           WHERE tgname LIKE 'martlet%'
                UNION ALL SELECT 'function', proname FROM pg_proc WHERE proname LIKE 'martlet%'
                UNION ALL SELECT 'prepared transaction', gid FROM pg_prepared_xacts
                UNION ALL SELECT 'session', application_name FROM pg_stat_activity
                           WHERE application_name LIKE 'martlet%' AND datname = current_database()
                """
            )
            return try rows.map { row throws(PostgresError) in
                "\(try row("kind", as: String.self)) \"\(try row("name", as: String.self))\" on the \(server) server"
            }
        }
    }

    /// The first line in which two texts differ.
    static func difference(_ before: String, _ after: String) -> String {
        let (old, new) = (before.split(separator: "\n"), after.split(separator: "\n"))
        let first = zip(old, new).enumerated().first { $0.element.0 != $0.element.1 }
        let place = first?.offset ?? min(old.count, new.count)
        let lines = (old.dropFirst(place).first ?? "(end)", new.dropFirst(place).first ?? "(end)")
        return "\"\(lines.0)\" has become \"\(lines.1)\""
    }
}
