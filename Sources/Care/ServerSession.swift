public import Postgres

/// A session of a server, as `pg_stat_activity` shows it.
public struct ServerSession: Sendable, Hashable {
    /// Its process.
    public let pid: Int
    /// Its user; empty for a process of the server's own, as are the database and the client.
    public let user: String
    /// The database that it is connected to.
    public let database: String
    /// Address of the client, or `local` for a Unix socket.
    public let client: String
    /// What the client calls itself.
    public let application: String
    /// `client backend`, `walsender`, or the name of another kind of process.
    public let kind: String
    /// `active`, `idle`, `idle in transaction`; empty for processes that have none.
    public let state: String
    /// What it waits for: `Lock: transactionid`; nil when it works or is idle without a wait.
    public let wait: String?
    /// The statement that runs, or ran last.
    public let query: String
    /// For how long the session is there, in seconds.
    public let seconds: Double
    /// For how long its transaction is open, in seconds.
    public let transactionSeconds: Double?
    /// For how long its statement runs, or it is in its state, in seconds.
    public let stateSeconds: Double?
    /// The processes that it waits for the locks of; 0 is a prepared transaction.
    public let blockers: [Int]

    /// Reads the sessions of one database, or of the server, the one with the oldest transaction first; ours is not among them.
    ///
    /// Whoever blocks one of them is there as well. Locks nothing; without `pg_read_all_stats` the server hides the
    /// statements of other users.
    public static func all(of database: String?, on connection: Connection) throws(PostgresError) -> [ServerSession] {
        try connection.query(CareSQL.sessions, database).map { row throws(PostgresError) in try ServerSession(row) }
    }

    private init(_ row: Row) throws(PostgresError) {
        pid = try row("pid")
        user = try row("usename")
        database = try row("datname")
        client = try row("client")
        application = try row("application_name")
        kind = try row("backend_type")
        state = try row("state")
        let (type, event) = (
            try row.optional("wait_event_type", as: String.self), try row.optional("wait_event", as: String.self)
        )
        // An idle session waits for its client, which is no news.
        wait = type == nil || type == "Client" || type == "Activity" ? nil : "\(type ?? ""): \(event ?? "")"
        query = try row("query")
        seconds = try row("session_seconds")
        transactionSeconds = try row.optional("transaction_seconds")
        stateSeconds = try row.optional("state_seconds")
        blockers = try row("blockers", as: [Int].self)
    }
}

/// Sessions as a tree: below each those that wait for it.
public struct SessionTree: Sendable {
    /// One line of the tree.
    public struct Line: Sendable, Hashable {
        /// The session; nil for a prepared transaction, which has none.
        public let session: ServerSession?
        /// How many sessions stand above it, each of which the next waits for.
        public let depth: Int
        /// How many sessions wait for it, directly or by others.
        public let waiters: Int
    }

    /// The lines from the top.
    public let lines: [Line]

    /// Makes the tree; each session is there once, under the first of those that it waits for.
    ///
    /// In a ring of sessions that wait for each other, which the server is about to break, the first one stands at the top.
    public init(_ sessions: [ServerSession], onlyBlocked: Bool = false) {
        let present = Set(sessions.map(\.pid))
        var waiters: [Int: [ServerSession]] = [:]
        for session in sessions {
            // Somebody may have ended between the two looks.
            guard let first = session.blockers.first(where: { $0 == 0 || present.contains($0) }) else { continue }
            waiters[first, default: []].append(session)
        }
        var (lines, seen): ([Line], Set<Int>) = ([], [])
        func add(_ pid: Int, _ session: ServerSession?, depth: Int) {
            guard seen.insert(pid).inserted else { return }
            let place = lines.count
            lines.append(Line(session: session, depth: depth, waiters: 0))
            for waiter in waiters[pid] ?? [] { add(waiter.pid, waiter, depth: depth + 1) }
            lines[place] = Line(session: session, depth: depth, waiters: lines.count - place - 1)
        }
        if waiters[0] != nil { add(0, nil, depth: 0) }
        let waiting = Set(waiters.values.joined().map(\.pid))
        for session in sessions where !waiting.contains(session.pid) {
            guard !onlyBlocked || waiters[session.pid] != nil else { continue }
            add(session.pid, session, depth: 0)
        }
        for session in sessions where waiting.contains(session.pid) { add(session.pid, session, depth: 0) }
        self.lines = lines
    }
}
