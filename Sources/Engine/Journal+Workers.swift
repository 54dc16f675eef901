public import Postgres

extension Journal {
    /// A martlet on another machine that helps to load.
    public struct Worker: Sendable, Hashable {
        /// Its number in this move.
        public let id: Int
        /// Its host.
        public let host: String
        /// Its process there.
        public let pid: Int
        /// How many pieces it works at side by side.
        public let sessions: Int
        /// The rows and bytes so far of each piece that it copies.
        public let progress: [Int: Amount]
        /// For how many seconds nothing was heard of it, by the target's clock.
        public let silence: Double
        /// Whether the session of its heartbeat is there.
        public let isConnected: Bool
        /// Whether it has left, or was sent away.
        public let isEnded: Bool
    }

    /// Rows, and their bytes as they go over the wire.
    public struct Amount: Sendable, Hashable, Codable {
        /// Rows.
        public var rows: Int
        /// Bytes.
        public var bytes: Int

        /// Counts.
        public init(rows: Int = 0, bytes: Int = 0) {
            self.rows = rows
            self.bytes = bytes
        }
    }

    /// Tells those who lead a load that something has changed; see ``toLeader``.
    static let callLeader: SQL = "SELECT pg_notify('martlet_work', '')"

    /// The channel on which the one that leads a load hears of workers and of their pieces.
    public static let toLeader = Identifier("martlet_work")

    /// Joins the load of a run; this session is the one of its heartbeat.
    ///
    /// Returns the worker's number.
    public static func join(
        run: Int,
        host: String,
        pid: Int,
        sessions: Int,
        on connection: Connection
    ) throws(PostgresError) -> Int {
        let row = try connection.query(
            "INSERT INTO martlet.worker (run, host, pid, sessions) VALUES ($1::int, $2, $3::int, $4::int) RETURNING id",
            run,
            host,
            pid,
            sessions
        ).first
        try connection.execute(callLeader)
        guard let row else { throw PostgresError("could not write a worker to the journal") }
        return try row("id")
    }

    /// How fast a worker may be.
    public struct Pace: Sendable, Hashable {
        /// Its share of the rate in bytes a second; nil is as fast as it goes.
        public var rate: Int?
        /// Whether it holds, in the middle of what it does.
        public var isHeld: Bool

        /// Describes a pace.
        public init(rate: Int?, isHeld: Bool) {
            self.rate = rate
            self.isHeld = isHeld
        }
    }

    /// Shows that a worker lives, and how far it is; returns how fast it may be, and nil when it was sent away.
    public static func beat(
        _ worker: Int,
        progress: [Int: Amount],
        on connection: Connection
    ) throws(PostgresError) -> Pace? {
        let row = try connection.query(
            """
            UPDATE martlet.worker SET beat = clock_timestamp(),
                   progress = (SELECT coalesce(jsonb_object_agg(p, jsonb_build_array(r, b)), '{}')
                                 FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS x (p, r, b))
             WHERE id = $1::bigint AND ended IS NULL RETURNING rate, is_held
            """,
            worker,
            Array(progress.keys),
            progress.keys.map { progress[$0]?.rows ?? 0 },
            progress.keys.map { progress[$0]?.bytes ?? 0 }
        ).first
        guard let row else { return nil }
        return Pace(rate: try row.optional("rate"), isHeld: try row("is_held"))
    }

    /// Tells a worker how fast it may be.
    public static func set(_ pace: Pace, of worker: Int, on connection: Connection) throws(PostgresError) {
        try connection.query(
            "UPDATE martlet.worker SET rate = $2::bigint, is_held = $3 WHERE id = $1::bigint AND ended IS NULL",
            worker,
            pace.rate,
            pace.isHeld
        )
    }

    /// The workers of a run that are there, or that `known` tells of.
    public static func workers(
        of run: Int,
        known: [Int],
        on connection: Connection
    ) throws(PostgresError) -> [Worker] {
        let rows = try connection.query(
            """
            SELECT w.id, host, w.pid, sessions, progress, ended IS NOT NULL AS is_ended,
                   extract(epoch FROM clock_timestamp() - beat)::float8 AS silence,
                   EXISTS (SELECT FROM pg_stat_activity AS a
                            WHERE a.pid = w.backend AND a.backend_start < w.joined) AS is_connected,
                   ARRAY(SELECT key FROM jsonb_each(progress)) AS pieces,
                   ARRAY(SELECT (value ->> 0)::bigint FROM jsonb_each(progress)) AS rows,
                   ARRAY(SELECT (value ->> 1)::bigint FROM jsonb_each(progress)) AS bytes
              FROM martlet.worker AS w
             WHERE run = $1::int AND (ended IS NULL OR w.id = ANY ($2::bigint[])) ORDER BY w.id
            """,
            run,
            known
        )
        return try rows.map { row throws(PostgresError) in try Worker(row) }
    }

    /// Notes that a worker has left or was sent away; it gets no piece any more.
    public static func end(_ worker: Int, on connection: Connection) throws(PostgresError) {
        try connection.query(
            "UPDATE martlet.worker SET ended = clock_timestamp() WHERE id = $1::bigint AND ended IS NULL",
            worker
        )
    }

    /// Leaves a load: gives back what the worker has not done.
    ///
    /// Its sessions must have ended before.
    public static func leave(_ worker: Int, on connection: Connection) throws(PostgresError) {
        try end(worker, on: connection)
        try connection.query(
            """
            UPDATE martlet.piece SET state = 'returned', ended = clock_timestamp()
             WHERE worker = $1::bigint AND state IN ('asked', 'given')
            """,
            worker
        )
        try connection.execute(callLeader)
    }
}

extension Journal.Worker {
    fileprivate init(_ row: Row) throws(PostgresError) {
        let pieces: [Int] = try row("pieces")
        let rows: [Int] = try row("rows")
        let bytes: [Int] = try row("bytes")
        var progress: [Int: Journal.Amount] = [:]
        for (index, piece) in pieces.enumerated() {
            progress[piece] = Journal.Amount(rows: rows[index], bytes: bytes[index])
        }
        self.init(
            id: try row("id"),
            host: try row("host"),
            pid: try row("pid"),
            sessions: try row("sessions"),
            progress: progress,
            silence: try row("silence"),
            isConnected: try row("is_connected"),
            isEnded: try row("is_ended")
        )
    }
}
