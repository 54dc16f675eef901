import Postgres

/// How far a replica is.
public struct ReplicaState: Sendable, Encodable {
    /// Its name.
    public let name: String
    /// What it follows.
    public let source: String
    /// `streaming`, `catching up`, `not following`, `stopped`, or why it cannot be told.
    public let state: String
    /// What it has not replayed yet, in bytes of the log.
    public let behindBytes: Int?
    /// How old the last transaction is that it has replayed, when it lacks some; 0 when it lacks none.
    public let behindSeconds: Double?
    /// How much log its slot keeps on the source.
    public let keptBytes: Int?

    /// Whether it gets what its source writes.
    public var isFollowing: Bool { state == "streaming" || state == "catching up" }

    /// Asks a replica and its source.
    public static func read(_ replica: Sandbox) async -> ReplicaState {
        guard let origin = replica.origin else {
            return ReplicaState(replica.name, source: "-", state: "not a replica")
        }
        guard replica.status == .running, let connection = replica.ownConnection else {
            return ReplicaState(replica.name, source: origin.source, state: replica.status.rawValue)
        }
        do {
            return try await read(replica.name, origin, connection)
        } catch {
            let reason = (error as? PostgresError)?.message ?? "\(error)"
            return ReplicaState(replica.name, source: origin.source, state: "cannot be told: \(reason)")
        }
    }

    private static func read(_ name: String, _ origin: Origin, _ replica: ConnectionString) async throws -> ReplicaState
    {
        let written = try await withNeutralConnection(to: origin.place, application: "martlet replica") { session in
            let row = try session.query(
                """
                SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS written,
                       -- Of other users nothing but the process is told to who may not read all statistics.
                       (SELECT coalesce(r.state, CASE WHEN s.active THEN 'streaming' END)
                          FROM pg_replication_slots AS s LEFT JOIN pg_stat_replication AS r ON s.active_pid = r.pid
                         WHERE s.slot_name = $1) AS state,
                       (SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                                    ELSE pg_current_wal_lsn() END, restart_lsn)::bigint
                          FROM pg_replication_slots WHERE slot_name = $1) AS kept
                """,
                origin.slot
            ).first
            return (
                lsn: try row?("written", as: LSN.self), state: try row?.optional("state", as: String.self),
                kept: try row?.optional("kept", as: Int.self)
            )
        }
        return try await withNeutralConnection(to: replica, application: "martlet replica") { session in
            let row = try session.query(
                """
                SELECT greatest(pg_wal_lsn_diff($1::pg_lsn, pg_last_wal_replay_lsn()), 0)::bigint AS behind,
                       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS seconds
                """,
                written.lsn
            ).first
            let behind = try row?.optional("behind", as: Int.self)
            let seconds = try row?.optional("seconds", as: Double.self)
            return ReplicaState(
                name: name,
                source: origin.source,
                state: written.state.map { $0 == "catchup" ? "catching up" : $0 } ?? "not following",
                behindBytes: behind,
                behindSeconds: behind == 0 ? 0 : seconds,
                keptBytes: written.kept
            )
        }
    }

    private init(_ name: String, source: String, state: String) {
        self.init(name: name, source: source, state: state, behindBytes: nil, behindSeconds: nil, keptBytes: nil)
    }

    private init(
        name: String,
        source: String,
        state: String,
        behindBytes: Int?,
        behindSeconds: Double?,
        keptBytes: Int?
    ) {
        (self.name, self.source, self.state) = (name, source, state)
        (self.behindBytes, self.behindSeconds, self.keptBytes) = (behindBytes, behindSeconds, keptBytes)
    }
}
