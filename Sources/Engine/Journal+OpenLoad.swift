public import Postgres

extension Journal {
    /// A load that martlets on other machines may join, with all that they need to do as the one does that leads it.
    public struct OpenLoad: Sendable, Hashable {
        /// The run of the lease that leads it.
        public var run: Int
        /// The snapshot of the source that rows are read from; nil when none are left to copy.
        public var snapshot: String?
        /// The encoding that both sides speak.
        public var encoding: String
        /// What each session on the target sets.
        public var settings: SQL
        /// The role of the one that leads it, on the source.
        public var sourceRole: String
        /// Its role on the target.
        public var targetRole: String

        /// Describes a load.
        public init(
            run: Int,
            snapshot: String?,
            encoding: String,
            settings: SQL,
            sourceRole: String,
            targetRole: String
        ) {
            self.run = run
            self.snapshot = snapshot
            self.encoding = encoding
            self.settings = settings
            self.sourceRole = sourceRole
            self.targetRole = targetRole
        }
    }

    /// What can be said of a load to somebody who wants to join it.
    public enum Joinable: Sendable, Hashable {
        /// This run has none yet.
        case notYet
        /// It may be joined.
        case open(OpenLoad)
        /// This run has had one, and has completed it.
        case over
    }

    /// Which form of ``OpenLoad`` and of pieces this martlet writes and reads; raised whenever either changes.
    static let loadForm = 1

    /// Lets others join a load; replaces that of an earlier run.
    public static func open(_ load: OpenLoad, on connection: Connection) throws(PostgresError) {
        try connection.query(
            """
            INSERT INTO martlet.load (run, form, snapshot, encoding, settings, source_role, target_role)
            VALUES ($1::int, $2::int, $3, $4, $5, $6, $7)
            ON CONFLICT (only_row) DO UPDATE SET run = excluded.run, form = excluded.form, snapshot = excluded.snapshot,
                   encoding = excluded.encoding, settings = excluded.settings, source_role = excluded.source_role,
                   target_role = excluded.target_role, opened = clock_timestamp(), closed = NULL
            """,
            load.run,
            loadForm,
            load.snapshot,
            load.encoding,
            load.settings.text,
            load.sourceRole,
            load.targetRole
        )
    }

    /// Notes that nothing is left to do of the load of a run.
    public static func closeLoad(of run: Int, on connection: Connection) throws(PostgresError) {
        try connection.query(
            "UPDATE martlet.load SET closed = clock_timestamp() WHERE run = $1::int AND closed IS NULL",
            run
        )
    }

    /// Whether the load of a run can be joined.
    ///
    /// - Throws: when the martlet that leads it is of another version, whose pieces this one would misread.
    public static func joinable(of run: Int, on connection: Connection) throws(PostgresError) -> Joinable {
        // A journal that an older martlet has made has no such table.
        let form = try connection.query(
            """
            SELECT to_regclass('martlet.load') IS NOT NULL AS is_there
            """
        ).first
        guard try form?("is_there", as: Bool.self) == true else { throw otherVersion("an older one") }
        let other = try connection.query("SELECT form FROM martlet.load WHERE run = $1::int", run).first
        guard let other else { return .notYet }
        let theirs: Int = try other("form")
        guard theirs == loadForm else { throw otherVersion(theirs > loadForm ? "a newer one" : "an older one") }
        let row = try connection.query(
            """
            SELECT snapshot, encoding, settings, source_role, target_role, closed IS NOT NULL AS is_over
              FROM martlet.load WHERE run = $1::int
            """,
            run
        ).first
        guard let row else { return .notYet }
        if try row("is_over") { return .over }
        return .open(
            OpenLoad(
                run: run,
                snapshot: try row.optional("snapshot"),
                encoding: try row("encoding"),
                settings: SQL(trusting: try row("settings")),
                sourceRole: try row("source_role"),
                targetRole: try row("target_role")
            )
        )
    }

    private static func otherVersion(_ which: String) -> PostgresError {
        PostgresError(
            "the martlet that runs the move is of another version",
            detail: "It is \(which), and gives out its work in another form than this one understands.",
            hint: "Use the same version of martlet on all machines: martlet --version."
        )
    }
}
