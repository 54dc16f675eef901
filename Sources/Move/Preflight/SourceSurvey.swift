import Catalog
import Engine
import Postgres

/// The source as a preflight sees it.
struct SourceSurvey: Sendable {
    /// An object that is not a plain table, by a word for its kind.
    struct Object: Sendable, Hashable {
        let kind: String
        let name: QualifiedName
        let detail: String
    }

    /// A transaction that has written and is open, or is prepared.
    struct OpenTransaction: Sendable, Hashable {
        let pid: Int?
        let gid: String?
        let database: String?
        let role: String?
        let application: String
        let state: String?
        /// Its age; nil when we may not see it.
        let seconds: Double?
    }

    /// A role that something depends on.
    struct RoleUse: Sendable, Hashable {
        let role: Identifier
        let isOwner: Bool
        /// Whether default privileges are his.
        let isGrantor: Bool
        /// The relation, when it is one.
        let relation: QualifiedName?
    }

    /// Who owns something in which schema; without a schema, in the database itself.
    struct Ownership: Sendable, Hashable {
        let owner: Identifier
        let schema: Identifier?
        let schemaOwner: Identifier?
        /// Whether a grant that a dump carries along lets him create there.
        let isGranted: Bool
    }

    /// An extension, installed or available.
    struct Extension: Sendable, Hashable {
        let name: String
        let installed: String?
        /// The schema that it is installed in, quoted where that is needed.
        var schema: String?
        let available: String?
        let needsSuperuser: Bool
    }

    let server: ServerSurvey
    let schema: Schema
    /// Those of the schema's tables that are moved.
    let tables: [Table]
    /// What needs a table that is not moved.
    let dependents: [Dependent]
    /// What a mapping makes of the tables.
    let mapping: MappingSurvey?
    /// The OIDs of `tables`, and the names of the relations in `dependents`.
    private let chosen: Set<UInt32>
    private let left: Set<QualifiedName>
    let sequences: [Catalog.Sequence]
    let objects: [Object]
    let transactions: [OpenTransaction]
    let subscriptions: [String]
    let roles: [RoleUse]
    let ownerships: [Ownership]
    let extensions: [Extension]
    /// What only a superuser can make.
    let privileged: [PrivilegedObject]
    /// Settings of the database, and of roles in it.
    let settings: [DatabaseSetting]
    /// Schema `martlet`.
    let ownSchema: OwnSchema.State
    let denials: [Probe.Attempt: PostgresError]
    let replicationDenial: PostgresError?

    /// Reads it in a dozen round trips, however many tables there are.
    static func read(
        _ connection: Connection,
        server: ServerSurvey,
        options: Preflight.Options
    ) async throws -> SourceSurvey {
        let schema = try Schema(connection)
        let mapping = try options.mapping.map { mapping throws(PostgresError) in
            try MappingSurvey.read(connection, mapping, schema)
        }
        let tables = schema.tables.filter { table in
            schema.selects(table, options.tables) && (mapping == nil || mapping?.database.tables[table.oid] != nil)
        }
        let chosen = Set(tables.map(\.oid))
        let others = schema.tables.map(\.oid).filter { !chosen.contains($0) }
        let dependents = try Dependent.readAll(of: others, connection)
        let objects = try objects(connection)
        // pg_sequence_last_value refuses the whole query when it may not read one of them.
        let cannotReadSequences = objects.contains { $0.kind == "unreadable" && $0.detail == "S" }
        let follows = !options.isOnce && !server.isStandby
        return SourceSurvey(
            server: server,
            schema: schema,
            tables: tables,
            dependents: dependents,
            mapping: mapping,
            chosen: chosen,
            left: Set(dependents.compactMap(\.relation)),
            sequences: cannotReadSequences ? [] : try Catalog.Sequence.readAll(connection),
            objects: objects,
            transactions: try transactions(connection),
            subscriptions: try connection.query(PreflightSQL.subscriptions).map { row throws(PostgresError) in
                try row("name")
            },
            roles: try roles(connection),
            ownerships: try ownerships(connection),
            extensions: try extensions(connection),
            privileged: try PrivilegedObject.readAll(connection),
            settings: try DatabaseSetting.readAll(connection),
            ownSchema: try OwnSchema.state(on: connection),
            denials: follows ? try Probe.denials(of: Probe.Attempt.onSource, on: connection) : [:],
            replicationDenial: follows ? try await Probe.replicationDenial(at: connection.target) : nil
        )
    }

    private static func objects(_ connection: Connection) throws(PostgresError) -> [Object] {
        try connection.query(PreflightSQL.objects).map { row throws(PostgresError) in
            Object(
                kind: try row("kind"),
                name: QualifiedName(schema: try row("schema"), name: try row("name")),
                detail: try row("detail")
            )
        }
    }

    private static func transactions(_ connection: Connection) throws(PostgresError) -> [OpenTransaction] {
        try connection.query(PreflightSQL.transactions).map { row throws(PostgresError) in
            OpenTransaction(
                pid: try row.optional("pid"),
                gid: try row.optional("gid"),
                database: try row.optional("database"),
                role: try row.optional("role"),
                application: try row("application"),
                state: try row.optional("state"),
                seconds: try row.optional("seconds")
            )
        }
    }

    private static func roles(_ connection: Connection) throws(PostgresError) -> [RoleUse] {
        try connection.query(PreflightSQL.roles).map { row throws(PostgresError) in
            var relation: QualifiedName?
            if let name: String = try row.optional("name") {
                relation = QualifiedName(schema: try row("schema"), name: name)
            }
            return RoleUse(
                role: try row("role"),
                isOwner: try row("is_owner"),
                isGrantor: try row("is_grantor"),
                relation: relation
            )
        }
    }

    private static func ownerships(_ connection: Connection) throws(PostgresError) -> [Ownership] {
        try connection.query(PreflightSQL.owners).map { row throws(PostgresError) in
            Ownership(
                owner: try row("owner"),
                schema: try row.optional("schema"),
                schemaOwner: try row.optional("schema_owner"),
                isGranted: try row("is_granted")
            )
        }
    }

    /// Reads the extensions of either side.
    static func extensions(_ connection: Connection) throws(PostgresError) -> [Extension] {
        try connection.query(PreflightSQL.extensions).map { row throws(PostgresError) in
            Extension(
                name: try row("name"),
                installed: try row.optional("installed"),
                schema: try row.optional("schema"),
                available: try row.optional("available"),
                needsSuperuser: try row("needs_superuser")
            )
        }
    }

    /// Whether a relation is moved: a table that is chosen, or anything else that needs no table that is not.
    func isMoved(_ relation: QualifiedName) -> Bool {
        guard let table = schema.table(named: relation) else { return !left.contains(relation) }
        return chosen.contains(table.oid)
    }

    /// Those of the privileged objects that are moved.
    var needs: Set<PrivilegedObject.Need> { Set(movedPrivileged.map(\.need)) }

    var movedPrivileged: [PrivilegedObject] {
        let places = Set(dependents.map { [$0.catalog, $0.oid] })
        return privileged.filter { !places.contains([$0.catalog, $0.oid]) }
    }

    /// What acts by itself when rows of tables that are moved change.
    struct Bystanders: Hashable {
        let triggers: Int
        let rules: Int
        let foreignKeys: Int

        var isNone: Bool { triggers + rules + foreignKeys == 0 }

        /// As people read it: `2 triggers, 1 rule and 3 foreign keys`.
        var text: String {
            let counts = [(triggers, "trigger"), (rules, "rule"), (foreignKeys, "foreign key")]
            let parts = counts.filter { $0.0 > 0 }.map { Finding.count($0.0, $0.1) }
            guard parts.count > 1, let last = parts.last else { return parts.first ?? "nothing" }
            return parts.dropLast().joined(separator: ", ") + " and " + last
        }
    }

    var bystanders: Bystanders {
        let moved = objects.filter { isMoved($0.name) }
        return Bystanders(
            triggers: moved.count { ["trigger", "always trigger"].contains($0.kind) },
            rules: moved.count { $0.kind == "rule" },
            foreignKeys: schema.foreignKeys.count { chosen.contains($0.table) || chosen.contains($0.referenced) }
        )
    }

    /// How many large objects there are, and how much they take on disk.
    var largeObjects: (count: Int, bytes: Int) {
        guard let object = objects.first(where: { $0.kind == "large objects" }) else { return (0, 0) }
        return (Int(object.name.name) ?? 0, Int(object.detail) ?? 0)
    }

    /// The objects of a kind, as people read their names.
    func names(of kind: String) -> [String] {
        objects.filter { $0.kind == kind }.map { $0.name.schema.isEmpty ? $0.name.name : $0.name.description }
    }
}
