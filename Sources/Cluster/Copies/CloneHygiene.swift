import Postgres

/// Cuts a fresh clone off from what its source is connected to, in every database.
struct CloneHygiene {
    private let server: ConnectionString
    /// Whether prepared transactions are rolled back, whose coordinator will not come: their locks would stay for ever.
    private let endsPrepared: Bool

    init(_ server: ConnectionString, endsPrepared: Bool = false) {
        (self.server, self.endsPrepared) = (server, endsPrepared)
    }

    /// Drops subscriptions without telling their publishers, whose slots belong to the source, and replication slots.
    func run() async throws {
        if endsPrepared { try await rollBackPrepared() }
        let databases = try await withNeutralConnection(to: server, application: "martlet clone") { session in
            try session.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
            return try session.query(
                "SELECT DISTINCT d.datname FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid WHERE d.datallowconn"
            ).map { row throws(PostgresError) in try row("datname", as: String.self) }
        }
        for database in databases {
            try await withNeutralConnection(to: server.with("dbname", database), application: "martlet clone") {
                session in
                let names = try session.query(
                    "SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
                ).map { row throws(PostgresError) in try row("subname", as: Identifier.self) }
                for name in names {
                    try session.execute("ALTER SUBSCRIPTION \(name) DISABLE")
                    // Slots of tables that are still being copied would be dropped on the publisher; they are the source's.
                    try session.execute(
                        "ALTER SUBSCRIPTION \(name) CONNECTION 'host=/nowhere dbname=nowhere password=none'"
                    )
                    try session.execute("ALTER SUBSCRIPTION \(name) SET (slot_name = NONE)")
                    try session.execute("DROP SUBSCRIPTION \(name)")
                }
            }
        }
    }

    private func rollBackPrepared() async throws {
        let prepared = try await withNeutralConnection(to: server, application: "martlet clone") { session in
            try session.query("SELECT gid, database FROM pg_prepared_xacts").map { row throws(PostgresError) in
                (try row("gid", as: String.self), try row("database", as: String.self))
            }
        }
        for (name, database) in prepared {
            try await withNeutralConnection(to: server.with("dbname", database), application: "martlet clone") {
                try $0.execute("ROLLBACK PREPARED \(literal: name)")
            }
        }
    }
}
