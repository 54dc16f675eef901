import Catalog
public import Postgres

/// Looks at both servers before anything is done to them, and says what would go wrong.
///
/// It reads catalogs and tries rights inside a transaction that is rolled back; it changes nothing,
/// locks no table, and may be run at any time and as often as one likes. Three sessions, some
/// twenty round trips, whatever the number of tables.
public enum Preflight {
    /// What the move is to be; it decides what is in its way.
    public struct Options: Sendable, Hashable {
        /// Which tables are moved.
        public var tables = TableFilter.all
        /// What a mapping file says.
        public var mapping: TableMapping?
        /// Task settings that are only answered.
        public var taskSettings: TableMapping?
        /// Whether the rows are copied once, and no change is followed.
        public var isOnce = false
        /// Whether changes shall stream back after the cutover, so that one can return.
        public var wantsRollback = true
        /// How many pairs of connections copy at once; nil chooses.
        public var jobs: Int?
        /// Whether objects keep their owners.
        public var keepsOwners = true
        /// Whether objects keep their privileges.
        public var keepsPrivileges = true
        /// How many bytes a load has for which advice is worth while.
        public var smallestAdvised = 1 << 30
        /// From which age in seconds a transaction that has written counts as long.
        public var longTransaction = 10.0

        /// Describes a move of everything, followed, with a way back.
        public init() {}
    }

    /// Looks at both servers.
    ///
    /// - Parameters:
    ///   - source: where the database is.
    ///   - target: where it is moved to; nil looks at the source alone.
    ///   - options: what the move is to be.
    /// - Returns: the outcome of every check. Blockers are not errors.
    /// - Throws: a ``PostgresError`` when a server cannot be reached, or its catalog cannot be read.
    public static func run(
        source: ConnectionString,
        target: ConnectionString?,
        options: Options
    ) async throws -> Findings {
        try await withServer(at: source) { session, server in
            guard ServerChecks.canLookOn(server) else { return partial(server) }
            let survey = try await SourceSurvey.read(session, server: server, options: options)
            guard let target else { return findings(source: survey, target: nil, options: options) }
            // The source's session stays open, so that both are seen at one time.
            return try await withServer(at: target) { connection, server in
                guard ServerChecks.canLookOn(server) else {
                    return findings(source: survey, target: nil, options: options)
                        .adding(ServerChecks.first(of: server, on: .target), target: server.facts)
                }
                let target = try await TargetSurvey.read(
                    connection,
                    server: server,
                    for: survey,
                    beside: session,
                    options: options
                )
                return findings(source: survey, target: target, options: options)
            }
        }
    }

    /// Opens a session and looks what is at its other end.
    ///
    /// A pooler that shares server sessions between clients would hand our settings on to the next
    /// one, a `search_path` without his tables; so behind a pooler nothing is set for longer than a transaction.
    private static func withServer<Result>(
        at place: ConnectionString,
        _ body: (Connection, ServerSurvey) async throws -> Result
    ) async throws -> Result {
        try await withConnection(to: place, application: "martlet preflight") { connection in
            let row = try connection.query("SELECT pg_catalog.pg_backend_pid() AS pid").first
            guard try row?("pid") == connection.processID else {
                let server = try await connection.transaction {
                    try connection.execute("SET LOCAL search_path = pg_catalog")
                    return try ServerSurvey(connection)
                }
                return try await body(connection, server)
            }
            try connection.useNeutralSettings(encoding: "UTF8")
            return try await body(connection, try ServerSurvey(connection))
        }
    }

    /// Checks what was read; the same surveys give the same findings.
    static func findings(source: SourceSurvey, target: TargetSurvey?, options: Options) -> Findings {
        let choice = options.jobs == nil ? JobChoice.choose(source: source, target: target, options: options) : nil
        var options = options
        options.jobs = options.jobs ?? choice?.count
        var findings = SourceChecks(source: source, options: options).all
        if let target {
            findings += TargetChecks(source: source, target: target, options: options).all
        }
        if let settings = settings(source: source, target: target) { findings.append(settings) }
        if let choice { findings.append(Finding(choice)) }
        return Findings(
            findings: findings,
            source: source.server.facts,
            target: target?.server.facts,
            volume: Volume.measure(source, jobs: options.jobCount),
            jobs: choice
        )
    }

    /// All there is to say of a source that we cannot look at any further.
    private static func partial(_ server: ServerSurvey) -> Findings {
        Findings(
            findings: ServerChecks.first(of: server, on: .source),
            source: server.facts,
            target: nil,
            volume: Volume.estimate(tables: [], largeObjects: 0, jobs: 1),
            jobs: nil
        )
    }
}

extension Findings {
    /// The same with the findings of a target that could not be looked at any further.
    fileprivate func adding(_ more: [Finding], target: Server) -> Findings {
        Findings(findings: findings + more, source: source, target: target, volume: volume, jobs: jobs)
    }
}

/// How much is moved, and how long that takes.
enum Volume {
    /// What one pair of connections copies in a second, and how many of them help: assumed from small machines, where
    /// the target's log and its disks are the limit.
    static let bytesPerSecond = 60_000_000
    static let mostEffectiveJobs = 2

    static func measure(_ source: SourceSurvey, jobs: Int) -> Findings.Volume {
        estimate(tables: source.tables, largeObjects: source.largeObjects.count, jobs: jobs)
    }

    static func estimate(tables: [Table], largeObjects: Int, jobs: Int) -> Findings.Volume {
        let stored = tables.filter { $0.kind == .ordinary }
        let bytes = stored.reduce(0) { $0 + $1.bytes }
        let indexBytes = stored.reduce(0) { $0 + $1.indexes.reduce(0) { $0 + $1.bytes } }
        let effective = max(1, min(jobs, mostEffectiveJobs))
        let largest = stored.sorted { $0.bytes > $1.bytes }.prefix(10)
        return Findings.Volume(
            tables: stored.count,
            tableBytes: bytes,
            indexBytes: indexBytes,
            largest: largest.map { .init(table: $0.name.description, bytes: $0.bytes, rows: $0.estimatedRows) },
            largeObjects: largeObjects,
            estimatedSeconds: Double(bytes + indexBytes) / Double(bytesPerSecond * effective),
            assumption: "assuming \(Finding.bytes(bytesPerSecond)) of tables and indexes per second and job, "
                + "and that \(Finding.count(effective, "job")) at a time can be that fast"
        )
    }
}
