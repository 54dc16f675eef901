import Engine
import Postgres

/// The target as a preflight sees it.
struct TargetSurvey: Sendable {
    let server: ServerSurvey
    let extensions: [SourceSurvey.Extension]
    /// The roles, with whether we may hand ownership over to each.
    let roles: [Identifier: Bool]
    /// Relations that are there already.
    let occupants: [QualifiedName]
    /// Large objects that are there already and on the source, too.
    let sharedObjects: [UInt32]
    /// Schema `martlet`.
    let ownSchema: OwnSchema.State
    /// A migration that was begun and not yet finished.
    let migration: Journal.Migration?
    /// The roles that may create in the database, and in each schema that is there.
    let creators: [Identifier?: Set<Identifier>]
    let tablespaces: Set<Identifier>
    /// Those of the tablespaces that we may not put anything into.
    let closedTablespaces: Set<Identifier>
    let collations: Set<Identifier>
    let settings: [DatabaseSetting]
    /// Takes back what default privileges would give others on all that our role makes.
    let defaultPrivilegeRevokes: [String]
    let denials: [Probe.Attempt: PostgresError]
    /// Why what only a superuser can make by nature cannot be made.
    let privilegeDenials: [PrivilegedObject.Need: PostgresError]
    /// Why an extension that needs a superuser by nature cannot be made.
    let extensionDenials: [String: PostgresError]
    let replicationDenial: PostgresError?

    /// Reads it in half a dozen round trips.
    static func read(
        _ connection: Connection,
        server: ServerSurvey,
        for source: SourceSurvey,
        beside sourceSession: Connection,
        options: Preflight.Options
    ) async throws -> TargetSurvey {
        let streams = !options.isOnce && options.wantsRollback && !server.isStandby
        var roles: [Identifier: Bool] = [:]
        for row in try connection.query(PreflightSQL.targetRoles) { roles[try row("name")] = try row("is_ours") }
        var names: [String: Set<Identifier>] = [:]
        for row in try connection.query(PreflightSQL.names) {
            names[try row("kind"), default: []].insert(try row("name"))
        }
        var creators: [Identifier?: Set<Identifier>] = [:]
        for row in try connection.query(PreflightSQL.creators) {
            creators[try row.optional("schema"), default: []].insert(try row("role"))
        }
        let extensions = try SourceSurvey.extensions(connection)
        let ownSchema = try OwnSchema.state(on: connection)
        let hasJournal = if case .ours(hasJournal: true) = ownSchema { true } else { false }
        let canTry = !server.isStandby && !server.isSuperuser
        return TargetSurvey(
            server: server,
            extensions: extensions,
            roles: roles,
            occupants: try connection.query(PreflightSQL.occupants).map { row throws(PostgresError) in
                QualifiedName(schema: try row("schema"), name: try row("name"))
            },
            sharedObjects: hasJournal ? [] : try sharedObjects(sourceSession, connection),
            ownSchema: ownSchema,
            migration: hasJournal ? try Journal.migration(on: connection) : nil,
            creators: creators,
            tablespaces: names["tablespace"] ?? [],
            closedTablespaces: names["closed tablespace"] ?? [],
            collations: names["collation"] ?? [],
            settings: try DatabaseSetting.readAll(connection),
            defaultPrivilegeRevokes: try connection.query(PreflightSQL.defaultPrivileges).map {
                row throws(PostgresError) in
                try row("revoke")
            },
            denials: server.isStandby ? [:] : try Probe.denials(of: Probe.Attempt.onTarget, on: connection),
            privilegeDenials: canTry ? try PrivilegedObject.Need.denials(of: source.needs, on: connection) : [:],
            extensionDenials: canTry ? try denials(of: source.extensions, among: extensions, on: connection) : [:],
            replicationDenial: streams ? try await Probe.replicationDenial(at: connection.target) : nil
        )
    }

    private static func sharedObjects(_ source: Connection, _ target: Connection) throws(PostgresError) -> [UInt32] {
        func objects(_ rows: Rows) throws(PostgresError) -> [UInt32] {
            try rows.map { row throws(PostgresError) in try row("oid") }
        }
        let there = try objects(target.query("SELECT oid FROM pg_largeobject_metadata ORDER BY oid LIMIT 100000"))
        guard !there.isEmpty else { return [] }
        return try objects(
            source.query("SELECT oid FROM pg_largeobject_metadata WHERE oid = ANY ($1::oid[]) ORDER BY oid", there)
        )
    }

    /// Tries to create the extensions that need a superuser by nature, in one transaction that is rolled back.
    private static func denials(
        of used: [SourceSurvey.Extension],
        among available: [SourceSurvey.Extension],
        on connection: Connection
    ) throws(PostgresError) -> [String: PostgresError] {
        let names = Set(used.filter { $0.installed != nil }.map(\.name))
        let locked = available.filter { names.contains($0.name) && $0.installed == nil && $0.needsSuperuser }
        guard !locked.isEmpty else { return [:] }
        var denials: [String: PostgresError] = [:]
        try connection.execute("BEGIN READ WRITE; SET LOCAL lock_timeout = '2s'; SET LOCAL client_min_messages = error")
        for one in locked {
            let attempt: SQL = "CREATE EXTENSION \(Identifier(one.name)) CASCADE"
            denials[one.name] = try Probe.denial(of: attempt, on: connection)
        }
        try connection.execute("ROLLBACK")
        return denials
    }
}
