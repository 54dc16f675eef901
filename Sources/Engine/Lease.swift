import Foundation
public import Postgres

/// The right to run a migration: one martlet at a time has it, and only that one writes.
///
/// It is an advisory lock of a session on the target, so it ends with the session, however martlet
/// ends. A row beside it tells who holds it, for the one that is refused.
///
/// A martlet can lose it without noticing: it was stopped (SIGSTOP, a machine that sleeps), or its connection to the
/// target broke while the one to the source lived. So the servers keep it from writing, not its own good will:
///
/// 1. The holder has one session on each server that holds a lock with the run's number (``take(of:on:)``, ``extend(to:)``).
/// 2. Every other session of the run first takes a shared lock that marks it as the run's, then looks whether the
///    holder's lock is still there, and gives up if it is not (``bind(_:)``).
/// 3. Who takes the lease over ends all marked sessions of earlier runs, and waits until they are gone.
///
/// A session of an old run is either marked before 3, and ended, or it looks after the holder's lock is gone, and gives up.
public struct Lease: Sendable {
    private let migration: String
    /// The number of the run; another one whenever somebody takes the lease.
    public let run: Int

    /// The SQLSTATE of the refusal: object in use.
    public static let refusedState = "55006"

    /// How long nothing must have been heard of the holder before somebody else may take the lease from it, in seconds.
    static let patience = 30

    /// Tells this process from one of the same number on a host of the same name.
    private static let instance = String(UInt64.random(in: 0 ... .max), radix: 36)

    /// Takes the lease of a migration for as long as the session on the target lives, and ends what earlier runs left there.
    ///
    /// One that this process holds already, by a session that it has lost, is taken from itself; so is that of a martlet that
    /// has not been heard of for 30 seconds.
    ///
    /// - Throws: an error that names the host and the process of the martlet that has it.
    public static func take(of migration: String, on connection: Connection) async throws -> Lease {
        if try !lock(connection) {
            let silent = try connection.query(
                """
                SELECT FROM martlet.lease WHERE instance = $1 OR beat < clock_timestamp() - make_interval(secs => $2::int)
                """,
                instance,
                patience
            )
            guard !silent.isEmpty else { throw try refusal(on: connection) }
            try await insist(on: connection, holders: "classid = \(key >> 32) AND objid = \(key & 0xFFFF_FFFF)") {
                () throws(PostgresError) in try lock(connection)
            }
        }
        let lease = Lease(migration: migration, run: Int.random(in: 1..<(1 << 29)))
        try connection.query(
            """
            INSERT INTO martlet.lease (host, pid, instance, run) VALUES ($1, $2::int, $3, $4::int)
            ON CONFLICT (only_row) DO UPDATE SET host = excluded.host, pid = excluded.pid, instance = excluded.instance,
                   run = excluded.run, started = now(), beat = now()
            """,
            ProcessInfo.processInfo.hostName,
            Int(ProcessInfo.processInfo.processIdentifier),
            instance,
            lease.run
        )
        try await lease.hold(on: connection)
        return lease
    }

    /// Holds the lease on the other server, too, for as long as the session there lives, and ends what earlier runs left there.
    public func extend(to connection: Connection) async throws {
        try await hold(on: connection)
    }

    /// The lease that a martlet holds now, for those on other machines that help it; nil when none does.
    ///
    /// Their sessions are bound to it like those of the holder (``bind(_:)``), and end with its run.
    public static func held(of migration: String, on connection: Connection) throws(PostgresError) -> Lease? {
        guard let row = try connection.query("SELECT run FROM martlet.lease").first else { return nil }
        let lease = Lease(migration: migration, run: try row("run"))
        return try lease.isHeld(on: connection) ? lease : nil
    }

    /// Whether the run goes on, as far as this server knows.
    public func isHeld(on connection: Connection) throws(PostgresError) -> Bool {
        try !connection.query(holderLock).isEmpty
    }

    /// Runs `body`, in which every new session on either server is marked, and refused once the lease is lost.
    public func bind<Result>(_ body: () async throws -> Result) async throws -> Result {
        let (space, member, holderLock) = (space, member, holderLock)
        return try await SessionPrologue.$current.withValue(
            { connection in
                // Simple statements: a session that streams knows no others. Nothing is safe to ask before the path is set.
                let rows = try connection.queryLast(
                    """
                    SET search_path = pg_catalog;
                    SELECT pg_catalog.pg_advisory_lock_shared(\(space), \(member));
                    \(holderLock)
                    """
                )
                if rows.isEmpty { throw Self.lost }
            },
            operation: body
        )
    }

    /// Shows that we live.
    ///
    /// - Throws: a loss of the connection when somebody else has the lease now.
    public func beat(on connection: Connection) throws(PostgresError) {
        let rows = try connection.query("UPDATE martlet.lease SET beat = now() WHERE run = $1::int RETURNING run", run)
        if rows.isEmpty { throw Self.lost }
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

    private static let ofThisDatabase: SQL = """
        locktype = 'advisory' AND database = (SELECT oid FROM pg_catalog.pg_database
            WHERE datname = pg_catalog.current_database())
        """

    private static let lost = PostgresError(
        "this martlet has lost the right to run the migration",
        detail: "Its session on the target or on the source has ended, or another martlet has taken over.",
        sqlState: "08006"
    )

    /// The first of two numbers of the migration's locks: FNV-1a of its id, so that moves of one source do not meet.
    private var space: Int {
        var hash: UInt32 = 2_166_136_261
        for byte in migration.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return Int(hash & 0x7FFF_FFFF)
    }

    /// The second number of the lock that marks a session of the run; even.
    private var member: Int { run * 2 }
    /// The second number of the lock that the run's two first sessions hold; odd.
    private var holder: Int { run * 2 + 1 }

    private var holderLock: SQL {
        """
        SELECT FROM pg_catalog.pg_locks
         WHERE \(Self.ofThisDatabase) AND classid = \(space) AND objid = \(holder) AND objsubid = 2 AND granted
           AND mode = 'ExclusiveLock'
        """
    }

    private func hold(on connection: Connection) async throws {
        try connection.query("SELECT pg_advisory_lock(\(space), \(holder))")
        let (space, run) = (space, run)
        try await Self.insist(on: connection, holders: "classid = \(space) AND objid::bigint / 2 <> \(run)") {
            () throws(PostgresError) in
            try connection.query(
                "SELECT FROM pg_locks WHERE \(Self.ofThisDatabase) AND classid = \(space) AND objid::bigint / 2 <> \(run)"
            ).isEmpty
        }
    }

    private static func lock(_ connection: Connection) throws(PostgresError) -> Bool {
        let row = try connection.query("SELECT pg_try_advisory_lock(\(key)) AS taken").first
        return try row?("taken", as: Bool.self) == true
    }

    /// Ends the sessions that hold certain advisory locks of this database, until `isDone`.
    private static func insist(
        on connection: Connection,
        holders: SQL,
        until isDone: () throws(PostgresError) -> Bool
    ) async throws {
        let end = ContinuousClock.now + .seconds(20)
        while try !isDone() {
            guard ContinuousClock.now < end else {
                throw PostgresError(
                    "could not end the sessions of an earlier martlet on \(connection.target.place)",
                    hint: "End what its pg_stat_activity shows as \"martlet…\", then run the same command again."
                )
            }
            try connection.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_locks
                 WHERE \(ofThisDatabase) AND \(holders) AND pid <> pg_backend_pid()
                """
            )
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private static func refusal(on connection: Connection) throws(PostgresError) -> PostgresError {
        let holder = try holder(on: connection)
        let who = holder.map { "process \($0.pid) on host \"\($0.host)\"" } ?? "another process"
        return PostgresError(
            "another martlet runs this migration",
            detail: "It is \(who).",
            hint: "Look at it with martlet status, or stop it before you start another. "
                + "One that is dead to the world is replaced when nothing was heard of it for \(patience) seconds.",
            sqlState: refusedState
        )
    }
}
