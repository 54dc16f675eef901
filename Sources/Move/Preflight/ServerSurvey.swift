import Catalog
import Postgres

/// One server as a preflight sees it: its version, its limits, and who we are on it.
struct ServerSurvey: Sendable {
    let version: Int
    let versionText: String
    let database: String
    let systemIdentifier: String?
    let started: String
    /// The process that answers queries; behind a pooler it is another one than the connection was told of.
    let backendPID: Int
    let connectionPID: Int
    let isStandby: Bool
    let encoding: String
    let locale: Locale
    let bytes: Int
    let dataDirectory: String?
    let walLevel: String
    let slots: Room
    let senders: Room
    /// In megabytes; -1 is no limit.
    let slotKeepMegabytes: Int
    let maxWALMegabytes: Int
    let idleSlotTimeout: String
    let walCompression: String
    /// `logical_decoding_work_mem`, with its unit.
    let decodingMemory: String
    /// What slots have counted of transactions that did not fit into it.
    let spilledTransactions: Int
    let spilledBytes: Int
    /// How many client backends of others are at work, as far as we may see.
    let busySessions: Int
    let connections: Room
    let databaseConnections: Room?
    let roleConnections: Room?
    /// `max_locks_per_transaction`, and by how many sessions it is multiplied to make room for locks.
    let locks: (each: Int, sessions: Int)
    /// Whether the server can compress values with LZ4.
    let hasLZ4: Bool
    let role: String
    let isSuperuser: Bool
    let bypassesRowSecurity: Bool
    let canCreate: Bool
    /// How the session is protected that has asked; all others are opened by the same connection string.
    let protection: SessionProtection
    /// Whether the server would encrypt a session that asks for it.
    let takesTLS: Bool

    /// How much of a bounded resource is taken.
    struct Room: Sendable, Hashable {
        let used: Int
        let limit: Int
        var free: Int { limit - used }
    }

    /// How text is sorted and classified.
    struct Locale: Sendable, Hashable {
        let provider: String
        let collate: String
        let ctype: String
        let name: String?
        let version: String?
    }

    var majorVersion: Int { version / 10_000 }

    /// Reads it in one round trip.
    init(_ connection: Connection) throws(PostgresError) {
        guard let row = try connection.query(PreflightSQL.server).first else {
            throw PostgresError("could not read what the server at \(connection.target.place) is")
        }
        version = try row("version")
        versionText = try row("version_text")
        database = try row("database")
        systemIdentifier = try row.optional("system_identifier")
        started = try row("started")
        backendPID = try row("backend_pid")
        connectionPID = connection.processID
        isStandby = try row("is_standby")
        encoding = try row("encoding")
        locale = Locale(
            provider: try row("locale_provider"),
            collate: try row("collate"),
            ctype: try row("ctype"),
            name: try row.optional("locale"),
            version: try row.optional("collation_version")
        )
        bytes = try row("bytes")
        dataDirectory = try row.optional("data_directory")
        walLevel = try row("wal_level")
        slots = Room(used: try row("used_slots"), limit: try row("max_slots"))
        senders = Room(used: try row("used_senders"), limit: try row("max_senders"))
        slotKeepMegabytes = try row.optional("slot_keep_megabytes") ?? -1
        maxWALMegabytes = try row("max_wal_megabytes")
        idleSlotTimeout = try row("idle_slot_timeout")
        walCompression = try row("wal_compression")
        decodingMemory = try row("decoding_memory")
        spilledTransactions = try row("spilled_transactions")
        spilledBytes = try row("spilled_bytes")
        busySessions = try row("busy_sessions")
        connections = Room(used: try row("used_connections"), limit: try row("max_connections"))
        databaseConnections = try Self.room(row, used: "database_connections", limit: "database_connection_limit")
        roleConnections = try Self.room(row, used: "role_connections", limit: "role_connection_limit")
        locks = (try row("locks_per_session"), try row("lock_sessions"))
        hasLZ4 = try row.optional("has_lz4") ?? false
        role = try row("role")
        isSuperuser = try row("is_superuser")
        bypassesRowSecurity = try row("bypasses_row_security")
        canCreate = try row("can_create")
        protection = connection.protection
        takesTLS = try row("takes_tls")
    }

    /// A limit of -1 is none, and superusers are above all of them.
    private static func room(_ row: Row, used: String, limit: String) throws(PostgresError) -> Room? {
        let most: Int = try row(limit)
        guard most >= 0, try !row("is_superuser", as: Bool.self) else { return nil }
        return Room(used: try row(used), limit: most)
    }

    /// What to do after ALTER SYSTEM: a comment in SQL, with a command for the server's machine.
    var restart: String { "-- then restart the server: \(restartCommand)" }

    /// The service where the data are where Debian's packages put them, or where we cannot see them; else `pg_ctl`.
    private var restartCommand: String {
        guard let dataDirectory else { return "systemctl restart postgresql@\(majorVersion)-main" }
        if let cluster = dataDirectory.wholeMatch(of: /\/var\/lib\/postgresql\/([0-9]+)\/([A-Za-z0-9_]+)\/?/) {
            return "systemctl restart postgresql@\(cluster.1)-\(cluster.2)"
        }
        return "pg_ctl restart -D \(ShellWord(dataDirectory).quoted)"
    }

    /// What people and planners need to know of it.
    var facts: Findings.Server {
        Findings.Server(
            version: version,
            versionText: versionText,
            database: database,
            encoding: encoding,
            collation: locale.name ?? locale.collate,
            bytes: bytes,
            systemIdentifier: systemIdentifier
        )
    }
}

/// The questions of the preflight, one file each, embedded at build time.
enum PreflightSQL {
    static let server = text(PackageResources.preflight_server_sql)
    static let transactions = text(PackageResources.preflight_transactions_sql)
    static let objects = text(PackageResources.preflight_objects_sql)
    static let subscriptions = text(PackageResources.preflight_subscriptions_sql)
    static let roles = text(PackageResources.preflight_roles_sql)
    static let privileged = text(PackageResources.preflight_privileged_sql)
    static let owners = text(PackageResources.preflight_owners_sql)
    static let creators = text(PackageResources.preflight_creators_sql)
    static let extensions = text(PackageResources.preflight_extensions_sql)
    static let targetRoles = text(PackageResources.preflight_target_roles_sql)
    static let occupants = text(PackageResources.preflight_occupants_sql)
    static let settings = text(PackageResources.preflight_settings_sql)
    static let defaultPrivileges = text(PackageResources.preflight_default_privileges_sql)
    static let names = text(PackageResources.preflight_names_sql)

    private static func text(_ bytes: [UInt8]) -> SQL {
        SQL(trusting: String(decoding: bytes, as: UTF8.self))
    }
}
