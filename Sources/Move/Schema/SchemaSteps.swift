import Catalog
import Engine
import Foundation
import Postgres
import Sync

/// Makes on the target what was defined on the source: tables before the rows, the rest after them.
struct SchemaSteps: Sendable {
    let endpoints: Endpoints
    let options: MigrationOptions
    let names: Names
    let directory: URL

    private var archiveFile: URL { directory.appending(path: "schema.dump") }

    /// Dumps the definitions as the snapshot sees them and makes the tables, in one transaction with its entry in the journal.
    func makeTables(_ selection: Selection, snapshot: Snapshot, sourceMajor: Int) async throws {
        let programs = try await Installation.client(atLeast: sourceMajor)
        let dependents = try await dependents(selection, snapshot)
        var schema = options.schema
        schema.keepsTablespaces = try await withNeutralConnection(to: endpoints.source) { source in
            try await withNeutralConnection(to: endpoints.target) { try Self.hasTablespaces(of: source, $0) }
        }
        try FileManager.default.createDirectory(
            at: directory,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        let rights = try await RestoreRights.read(endpoints)
        let there = try await schemasOnTarget()
        let archive = rights.archive(
            try await SchemaArchive.dump(
                endpoints.source,
                snapshot: snapshot.id,
                excluding: selection.excluded.map(\.name),
                leavingOut: dependents + selection.columnDependents,
                options: schema,
                with: programs,
                to: archiveFile
            )
        ).leavingOut { $0.kind == .schema && there.contains($0.oid) }
        let tables = rights.pieces(.preData, of: archive, size: Self.mostEntries)
        let reshape = Reshape(selection: selection)
        let keys = foreignKeys(selection).map { Self.addition(of: $1, to: $0) }
        let ours = try await ownPublication()
        let ofPublic = sourceMajor < 15 ? try await publicSchema() : []
        let indexes = selection.tables.lazy.flatMap(\.indexes)
        let built = Set(indexes.map(\.oid))
        let constraints = Set(indexes.compactMap(\.constraint?.oid))
        let strange = Self.foreignKeysOfExtensions(selection)
        let later = archive.leavingOut {
            isBuiltByUs($0, indexes: built, constraints: constraints) && !strange.contains($0.oid)
                || ours.contains($0.oid)
                || reshape.isOfRemovedColumn($0)
        }
        var rest: [SQL] = []
        for piece in rights.pieces(.postData, of: later, size: Self.mostEntries) {
            rest.append(try await rights.script(of: piece))
        }
        try await withSchemaSession { connection in
            // A run that ended between two pieces has left some.
            if tables.count > 1 { try connection.execute(MoveSQL.dropCopied) }
            // Before the tables: their owners may need the right to create in it.
            for statement in ofPublic { try connection.execute(statement) }
            for (number, piece) in tables.enumerated() {
                try await make(try await rights.script(of: piece), isFinal: false, on: connection) {
                    guard number == tables.count - 1 else { return }
                    try reshape.shape(on: connection, foreignKeys: keys)
                    try Journal.noteSchema(rest: .joined(rest, separator: "\n"), on: connection)
                }
            }
        }
    }

    /// How many objects are made in one transaction: a table takes about four locks until its end, and a server of default
    /// settings has room for some 8,000 (`max_locks_per_transaction`).
    private static let mostEntries = 1000

    /// A session that makes definitions; names mean the same whatever search_path the role or the database has.
    ///
    /// Event triggers of the application do not fire for what we make, as long as the role may act as a replica.
    private func withSchemaSession(_ body: (Connection) async throws -> Void) async throws {
        try await withNeutralConnection(to: endpoints.target, application: "martlet schema") { connection in
            // A copy that follows nothing does without the right to it.
            if !options.isOnce { try connection.execute(options.sessionRoles.target.settings) }
            try await body(connection)
        }
    }

    /// Runs a script of definitions; see ``DefinitionFailure`` for `isFinal`.
    private func make(
        _ script: SQL,
        isFinal: Bool,
        on connection: Connection,
        _ note: () async throws -> Void
    ) async throws {
        try await connection.transaction {
            do throws(PostgresError) {
                try connection.execute(script)
            } catch {
                throw DefinitionFailure.explain(error, in: script, isFinal: isFinal)
            }
            // What pg_dump sets for its script.
            try connection.useNeutralSettings(encoding: "UTF8")
            try await note()
        }
    }

    /// Makes foreign keys, triggers, rules, policies, statistics and comments, and fills materialized views.
    ///
    /// Rows must be consistent: no lane may apply anything meanwhile. Foreign keys are added without
    /// looking at rows, then validated side by side.
    func makeConstraints(_ selection: Selection) async throws {
        try await withNeutralConnection(to: endpoints.target, application: "martlet constraints") { connection in
            if !options.isOnce { try connection.execute(options.sessionRoles.target.settings) }
            let keys = foreignKeys(selection)
            let existing = try existingConstraints(on: connection)
            for (table, key) in keys where !existing.contains(ConstraintName(table: table.name, name: key.name)) {
                try unlessFiltered(key, selection, on: connection) { () throws(PostgresError) in
                    try connection.execute(Self.addition(of: key, to: table))
                }
            }
            try await validate(keys, selection)
            try await makeRest(selection)
        }
    }

    /// Whether the target has every tablespace that something of the source is in.
    static func hasTablespaces(of source: Connection, _ target: Connection) throws(PostgresError) -> Bool {
        let used = try source.query(
            """
            SELECT spcname AS name FROM pg_tablespace WHERE spcname !~ '^pg_'
               AND oid IN (SELECT reltablespace FROM pg_class)
            """
        ).map { row throws(PostgresError) in try row("name", as: String.self) }
        return try target.query("SELECT FROM pg_tablespace WHERE spcname = ANY ($1::text[])", used).count == used.count
    }

    /// The OIDs on the source of schemas that the target has already: an operator has made them, or they are an extension's,
    /// which stays when a move is given up.
    private func schemasOnTarget() async throws -> Set<UInt32> {
        let names = try await withNeutralConnection(to: endpoints.target) { target in
            try target.query(
                """
                SELECT nspname FROM pg_namespace
                 WHERE oid IN (SELECT extnamespace FROM pg_extension)
                    OR oid IN (SELECT oid FROM martlet.before WHERE catalog = 'pg_namespace'::regclass)
                """
            ).map { row throws(PostgresError) in try row("nspname", as: String.self) }
        }
        return try await withNeutralConnection(to: endpoints.source) { source in
            // The entry of the public schema that every database has does not make it, and gives it its owner.
            let rows = try source.query(
                "SELECT oid FROM pg_namespace WHERE nspname = ANY ($1::text[]) AND oid <> 2200",
                names
            )
            return Set(try rows.map { row throws(PostgresError) in try row("oid", as: UInt32.self) })
        }
    }

    /// What the dump does not say of schema `public`.
    private func publicSchema() async throws -> [SQL] {
        let there = try await withNeutralConnection(to: endpoints.source) { try PublicSchema($0) }
        let here = try await withNeutralConnection(to: endpoints.target) { try PublicSchema($0) }
        guard let there, let here else { return [] }
        return there.statements(here, options: options.schema)
    }

    // MARK: Foreign keys

    private func foreignKeys(_ selection: Selection) -> [(Table, ForeignKey)] {
        let chosen = Set(selection.tables.map(\.oid))
        return selection.schema.foreignKeys.compactMap { key in
            guard chosen.contains(key.referenced), chosen.contains(key.table),
                let table = selection.schema.table(oid: key.table)
            else { return nil }
            return (table, key)
        }
    }

    /// Those to or from tables of extensions, which are not moved: they are made as they were dumped.
    private static func foreignKeysOfExtensions(_ selection: Selection) -> Set<UInt32> {
        let (moved, excluded) = (Set(selection.tables.map(\.oid)), Set(selection.excluded.map(\.oid)))
        let keys = selection.schema.foreignKeys.filter { key in
            let sides: Set = [key.table, key.referenced]
            return !sides.isSubset(of: moved) && sides.isDisjoint(with: excluded)
        }
        return Set(keys.map(\.oid))
    }

    private static func addition(of key: ForeignKey, to table: Table) -> SQL {
        // A partitioned table can take neither ONLY nor NOT VALID (before PostgreSQL 18).
        let isPartitioned = table.kind == .partitioned
        let only: SQL = isPartitioned ? "" : "ONLY "
        let definition = SQL(trusting: key.definition)
        let notValid: SQL = isPartitioned || !key.isValid ? "" : " NOT VALID"
        return "ALTER TABLE \(only)\(table.name) ADD CONSTRAINT \(Identifier(key.name)) \(definition)\(notValid)"
    }

    /// Validates what was valid on the source; the keys of one table one after the other, because they exclude each other.
    private func validate(_ keys: [(Table, ForeignKey)], _ selection: Selection) async throws {
        let valid = keys.filter { $0.0.kind == .ordinary && $0.1.isValid }
        let byTable = Dictionary(grouping: valid, by: { $0.0.oid }).values.sorted { $0[0].0.bytes > $1[0].0.bytes }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<min(options.jobs, byTable.count) {
                let share = stride(from: worker, to: byTable.count, by: options.jobs).flatMap { byTable[$0] }
                group.addTask {
                    try await withNeutralConnection(to: endpoints.target, application: "martlet validate") {
                        connection in
                        for (table, key) in share {
                            try unlessFiltered(key, selection, on: connection) { () throws(PostgresError) in
                                try connection.execute(
                                    "ALTER TABLE ONLY \(table.name) VALIDATE CONSTRAINT \(Identifier(key.name))"
                                )
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Does a step of a foreign key; one whose referenced rows a filter left behind stays not validated, and that is noted.
    private func unlessFiltered(
        _ key: ForeignKey,
        _ selection: Selection,
        on connection: Connection,
        _ step: () throws(PostgresError) -> Void
    ) throws(PostgresError) {
        do throws(PostgresError) {
            try step()
        } catch {
            let foreignKeyViolation = "23503"
            guard error.sqlState == foreignKeyViolation, selection.mapped[key.referenced]?.map.filter != nil else {
                throw error
            }
            let what = "foreign key \"\(key.name)\" is not validated: a filter of the mapping left rows behind"
            try Journal.note("\(what) (\(error.detail ?? error.message))", on: connection)
        }
    }

    private struct ConstraintName: Hashable {
        let table: QualifiedName
        let name: Identifier

        init(table: QualifiedName, name: String) {
            (self.table, self.name) = (table, Identifier(name))
        }
    }

    private func existingConstraints(on connection: Connection) throws(PostgresError) -> Set<ConstraintName> {
        let rows = try connection.query(
            """
            SELECT n.nspname, t.relname, c.conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
              JOIN pg_namespace n ON n.oid = t.relnamespace WHERE c.contype = 'f'
            """
        )
        return Set(
            try rows.map { row throws(PostgresError) in
                let table = QualifiedName(schema: try row("nspname"), name: try row("relname"))
                return ConstraintName(table: table, name: try row("conname"))
            }
        )
    }

    // MARK: The rest

    /// Runs the rest of the definitions and gives everything its name, in one transaction with its entry in the journal.
    ///
    /// No trigger can see a row that martlet writes: those that would are set aside before they are there for anybody.
    private func makeRest(_ selection: Selection) async throws {
        try await withSchemaSession { connection in
            let rest = try Journal.restOfSchema(on: connection)
            try await make(rest, isFinal: true, on: connection) {
                // Views that group by a primary key, and policies, are there only now.
                try await refreshViews(selection, on: connection)
                try Self.analyze(connection)
                try Reshape(selection: selection).finish(on: connection)
                if !options.isOnce {
                    try await withNeutralConnection(to: endpoints.target) { journal in
                        let tables = try Schema(connection).tables.map(\.oid)
                        try SetAside(side: .target, role: options.sessionRoles.target, tables: tables)
                            .suspend(on: connection, journal: journal)
                    }
                }
                try Journal.noteConstraints(on: connection)
            }
        }
    }

    private func refreshViews(_ selection: Selection, on target: Connection) async throws {
        let dependents = Set((try await dependents(selection, nil) + selection.columnDependents).map(\.oid))
        let views = try await withNeutralConnection(to: endpoints.source) { connection in
            try connection.query(MoveSQL.materializedViews).compactMap { row throws(PostgresError) -> QualifiedName? in
                guard !dependents.contains(try row("oid")) else { return nil }
                return QualifiedName(schema: try row("schema"), name: try row("name"))
            }
        }
        // Its owner sees what policies let him see.
        try target.execute("SET LOCAL row_security = on")
        for view in views { try target.execute("REFRESH MATERIALIZED VIEW \(view)") }
        try target.execute("SET LOCAL row_security = off")
    }

    /// Gathers the statistics that autovacuum never will, or not for long: each table's own are there since it was loaded.
    private static func analyze(_ target: Connection) throws(PostgresError) {
        for row in try target.query(MoveSQL.unanalyzed, target.majorVersion >= 18) {
            let name = QualifiedName(schema: try row("nspname"), name: try row("relname"))
            try target.execute("SAVEPOINT statistics")
            do throws(PostgresError) {
                try target.execute("ANALYZE \(SQL(trusting: try row("only")))\(name)")
            } catch  where !error.isConnectionLoss && error != .cancelled {
                // A foreign table among the partitions may be out of reach.
                try target.execute("ROLLBACK TO SAVEPOINT statistics")
                try Journal.note("table \"\(name)\" was not analyzed: \(error.message)", on: target)
            }
            try target.execute("RELEASE SAVEPOINT statistics")
        }
    }

    /// What needs a table that is left out, and is left out too.
    private func dependents(_ selection: Selection, _ snapshot: Snapshot?) async throws -> [Dependent] {
        let excluded = selection.excluded.map(\.oid)
        return try await withNeutralConnection(to: endpoints.source) { connection in
            if let snapshot { try connection.begin(sharing: snapshot) }
            return try Dependent.readAll(of: excluded, connection)
        }
    }

    /// Whether an entry of the dump is an index or a constraint that the load builds, or a foreign key.
    private func isBuiltByUs(_ entry: SchemaArchive.Entry, indexes: Set<UInt32>, constraints: Set<UInt32>) -> Bool {
        // The catalogs pg_class and pg_constraint.
        if entry.catalog == 1259 { return indexes.contains(entry.oid) }
        // A NOT NULL constraint that was never validated is an entry of the same kind, and made here.
        if entry.catalog == 2606, entry.description.begins(with: "CONSTRAINT ") {
            return constraints.contains(entry.oid)
        }
        return ["FK CONSTRAINT ", "INDEX ATTACH "].contains { entry.description.begins(with: $0) }
    }

    /// The OIDs of our own publication and its members, which are not part of the application.
    private func ownPublication() async throws -> Set<UInt32> {
        try await withNeutralConnection(to: endpoints.source) { connection in
            let rows = try connection.query(
                """
                SELECT oid FROM pg_publication WHERE pubname = $1
                UNION ALL
                SELECT r.oid FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = $1
                """,
                names.publication
            )
            return Set(try rows.map { row throws(PostgresError) in try row("oid", as: UInt32.self) })
        }
    }
}
