public import Foundation
public import Postgres

/// The durable memory of one migration: schema `martlet` in the database that is moved to.
///
/// Position and data commit together there, and it can be read from any terminal. Every function
/// takes the session it works in, so that an entry can be part of the transaction that it tells of.
public enum Journal {
    /// One of the two servers.
    public enum Side: String, Sendable, Hashable, Codable {
        /// The server that is moved from.
        case source
        /// The server that is moved to.
        case target
    }

    /// What is being moved, and in which phase the move is.
    public struct Migration: Sendable, Hashable {
        /// A short random name, part of the names of all that is made for the migration.
        public let id: String
        /// The phase, as the state machine of the move names it.
        public let phase: String
        /// Where it comes from, for people.
        public let source: String
        /// The source's system identifier: another server is another source, whatever its address.
        public let sourceSystem: String
        /// The source database's name.
        public let sourceDatabase: String
        /// What was decided when the move began, as JSON.
        public let plan: Data
        /// Where the slot starts; nil until it is made.
        public let slotStart: LSN?
        /// Whether the tables are made.
        public let hasSchema: Bool
        /// Whether foreign keys, triggers and the like are made.
        public let hasConstraints: Bool
        /// Since when it is paused; nil when it is not.
        public let paused: Date?

        /// Describes a migration that begins.
        public init(
            id: String,
            phase: String,
            source: String,
            sourceSystem: String,
            sourceDatabase: String,
            plan: Data
        ) {
            self.init(
                id: id,
                phase: phase,
                source: source,
                sourceSystem: sourceSystem,
                sourceDatabase: sourceDatabase,
                plan: plan,
                slotStart: nil,
                hasSchema: false,
                hasConstraints: false,
                paused: nil
            )
        }

        init(
            id: String,
            phase: String,
            source: String,
            sourceSystem: String,
            sourceDatabase: String,
            plan: Data,
            slotStart: LSN?,
            hasSchema: Bool,
            hasConstraints: Bool,
            paused: Date? = nil
        ) {
            self.id = id
            self.phase = phase
            self.source = source
            self.sourceSystem = sourceSystem
            self.sourceDatabase = sourceDatabase
            self.plan = plan
            self.slotStart = slotStart
            self.hasSchema = hasSchema
            self.hasConstraints = hasConstraints
            self.paused = paused
        }
    }

    /// Whether the database has a journal.
    ///
    /// - Throws: a ``PostgresError`` when the schema is not ours, see ``OwnSchema/state(on:)``.
    public static func exists(on connection: Connection) throws(PostgresError) -> Bool {
        switch try OwnSchema.state(on: connection) {
        case .absent: false
        case .ours(let hasJournal): hasJournal
        case .foreign(let why): throw why
        }
    }

    /// Makes the schema `martlet` with a migration in its first phase, in one transaction.
    public static func create(_ migration: Migration, on connection: Connection) async throws {
        try await connection.transaction {
            try OwnSchema.make(on: connection)
            try connection.execute(EngineSQL.journal)
            try OwnSchema.close(on: connection)
            try connection.query(
                """
                INSERT INTO martlet.migration (id, phase, source, source_system, source_database, plan)
                VALUES ($1, $2, $3, $4, $5, $6::jsonb)
                """,
                migration.id,
                migration.phase,
                migration.source,
                migration.sourceSystem,
                migration.sourceDatabase,
                String(decoding: migration.plan, as: UTF8.self)
            )
        }
    }

    /// Reads the migration; nil when the database has none.
    public static func migration(on connection: Connection) throws(PostgresError) -> Migration? {
        guard try exists(on: connection) else { return nil }
        let row = try connection.query(
            """
            SELECT id, phase, source, source_system, source_database, plan, slot_start, has_schema, has_constraints,
                   extract(epoch FROM paused)::float8 AS paused
              FROM martlet.migration
            """
        ).first
        guard let row else { return nil }
        return Migration(
            id: try row("id"),
            phase: try row("phase"),
            source: try row("source"),
            sourceSystem: try row("source_system"),
            sourceDatabase: try row("source_database"),
            plan: Data(try row("plan", as: String.self).utf8),
            slotStart: try row.optional("slot_start"),
            hasSchema: try row("has_schema"),
            hasConstraints: try row("has_constraints"),
            paused: try row.optional("paused", as: Double.self).map { Date(timeIntervalSince1970: $0) }
        )
    }

    /// Enters a phase from another one; the caller has checked that it may follow.
    ///
    /// Returns false, and changes nothing, when the move is no longer in the phase that is left, or is paused and must not be
    /// for this one.
    public static func enter(
        _ phase: String,
        from present: String,
        unlessPaused: Bool = false,
        on connection: Connection
    ) throws(PostgresError) -> Bool {
        // One statement: a session may be broken off between two.
        try !connection.query(
            """
            WITH entered AS (
                UPDATE martlet.migration SET phase = $1, changed = now()
                 WHERE phase = $2 AND (paused IS NULL OR NOT $3::boolean) RETURNING phase)
            INSERT INTO martlet.event (text) SELECT 'phase: ' || phase FROM entered RETURNING text
            """,
            phase,
            present,
            unlessPaused
        ).isEmpty
    }

    /// The transactions of each server (`xid8`) since which large objects may have been changed there.
    public struct EqualObjects: Sendable, Hashable {
        /// On the source.
        public var source: Int
        /// On the target.
        public var target: Int

        /// Names both.
        public init(source: Int, target: Int) {
            (self.source, self.target) = (source, target)
        }
    }

    /// Notes since when both servers have the same large objects.
    public static func note(_ objects: EqualObjects, on connection: Connection) throws(PostgresError) {
        try connection.query(
            "UPDATE martlet.migration SET source_objects = $1::bigint, target_objects = $2::bigint",
            objects.source,
            objects.target
        )
    }

    /// Since when both servers have the same large objects; nil before a cutover.
    public static func equalObjects(on connection: Connection) throws(PostgresError) -> EqualObjects? {
        let row = try connection.query(
            """
            SELECT source_objects AS source, target_objects AS target FROM martlet.migration
             WHERE source_objects IS NOT NULL
            """
        ).first
        return try row.map { row throws(PostgresError) in
            EqualObjects(source: try row("source"), target: try row("target"))
        }
    }

    /// Runs `body` in a transaction while nobody else can change the phase, if the move is in this one; false if it is not.
    ///
    /// A session of ours that was broken off in the middle of a COMMIT may still hold the phase, or change it later: it is
    /// ended, so that the answer is final.
    public static func whileHolding(
        _ phase: String,
        on connection: Connection,
        _ body: () async throws -> Void
    ) async throws -> Bool {
        var attempt = 1
        while true {
            do {
                return try await connection.transaction {
                    try connection.execute("SET LOCAL lock_timeout = '2s'")
                    let row = try connection.query("SELECT phase FROM martlet.migration FOR UPDATE").first
                    guard try row?("phase", as: String.self) == phase else { return false }
                    try await body()
                    return true
                }
            } catch let error as PostgresError where error.sqlState == "55P03" && attempt < 5 {
                attempt += 1
                try connection.execute(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_locks
                     WHERE relation = 'martlet.migration'::regclass
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                       AND mode IN ('RowExclusiveLock', 'RowShareLock')
                       AND pid <> pg_backend_pid()
                    """
                )
            }
        }
    }

    /// Notes where the slot starts.
    public static func noteSlotStart(_ lsn: LSN, on connection: Connection) throws(PostgresError) {
        try connection.query("UPDATE martlet.migration SET slot_start = $1::pg_lsn, changed = now()", lsn)
    }

    /// Notes that the tables are made, and keeps the definitions that have to wait for the rows; part of the
    /// transaction that makes the tables.
    public static func noteSchema(rest: SQL, on connection: Connection) throws(PostgresError) {
        try connection.query(
            "UPDATE martlet.migration SET has_schema = true, rest_of_schema = $1, changed = now()",
            rest.text
        )
    }

    /// The definitions that have to wait for the rows.
    public static func restOfSchema(on connection: Connection) throws(PostgresError) -> SQL {
        let row = try connection.query("SELECT rest_of_schema FROM martlet.migration").first
        return SQL(trusting: try row?.optional("rest_of_schema") ?? "")
    }

    /// Notes that foreign keys, triggers and the like are made.
    public static func noteConstraints(on connection: Connection) throws(PostgresError) {
        try connection.query("UPDATE martlet.migration SET has_constraints = true, changed = now()")
    }

    /// Tells people what happens.
    public static func note(_ text: String, on connection: Connection) throws(PostgresError) {
        try connection.query("INSERT INTO martlet.event (text) VALUES ($1)", text)
    }

    /// Removes the journal.
    public static func remove(on connection: Connection) throws(PostgresError) {
        try connection.execute("DROP SCHEMA IF EXISTS martlet CASCADE")
    }
}

/// The statements of this target, one file each, embedded at build time.
enum EngineSQL {
    static let journal = SQL(trusting: String(decoding: PackageResources.journal_sql, as: UTF8.self))
    static let throttleReplicas = SQL(trusting: String(decoding: PackageResources.throttle_replicas_sql, as: UTF8.self))
    static let throttleSourceLoad = SQL(
        trusting: String(decoding: PackageResources.throttle_source_load_sql, as: UTF8.self)
    )
    static let onlyOurs = SQL(trusting: String(decoding: PackageResources.only_ours_sql, as: UTF8.self))
}
