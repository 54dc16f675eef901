public import Catalog
import Engine
public import Postgres

/// Builds indexes from their definitions on the source, and the constraints that stand on them.
///
/// Every step looks first whether its result is there, so that it can be done twice.
public enum IndexBuilder {
    /// Builds one index; an interrupted build leaves nothing behind, so one that exists is complete.
    static func build(_ index: Index, on connection: Connection) throws(PostgresError) {
        try build(index.creation, in: index.tablespace, on: connection)
    }

    /// The same by its definition, such as another machine is given it.
    static func build(_ creation: SQL, in tablespace: String?, on connection: Connection) throws(PostgresError) {
        try choose(tablespace, on: connection)
        try connection.execute(creation)
    }

    /// Lets what is built next go into a tablespace, if the target has one of the name.
    private static func choose(_ tablespace: String?, on connection: Connection) throws(PostgresError) {
        try connection.query(
            """
            SELECT set_config('default_tablespace', coalesce((SELECT spcname FROM pg_tablespace WHERE spcname = $1), ''), false)
            """,
            tablespace ?? ""
        )
    }

    /// Puts the constraints of a table on their indexes, sets what hangs on an index, analyses, and notes that it is ready.
    ///
    /// Takes ACCESS EXCLUSIVE on the table for a moment per constraint.
    static func finish(_ table: Table, on connection: Connection) async throws {
        let existing = try constraints(of: table.name, on: connection)
        try await connection.transaction {
            for index in table.indexes where !index.isPartitioned && index.isValid {
                if let constraint = index.constraint, !existing.contains(Identifier(constraint.name)) {
                    try choose(index.tablespace, on: connection)
                    try connection.execute("ALTER TABLE ONLY \(table.name) \(index.addition(of: constraint))")
                }
                try setProperties(of: index, table, on: connection)
            }
            try Journal.noteReady(table.name, on: connection)
        }
        if table.kind == .ordinary { try connection.execute("ANALYZE \(table.name)") }
    }

    /// Makes the indexes of partitioned tables as a roof over those of their partitions.
    public static func finishPartitioned(_ schema: Schema, tables: [Table], on connection: Connection) async throws {
        let indexes = tables.flatMap(\.indexes)
        let byOID = Dictionary(uniqueKeysWithValues: indexes.map { ($0.oid, $0) })
        for table in tables where table.kind == .partitioned {
            let existing = try constraints(of: table.name, on: connection)
            for index in table.indexes {
                if let constraint = index.constraint {
                    guard !existing.contains(Identifier(constraint.name)) else { continue }
                    try connection.execute("ALTER TABLE ONLY \(table.name) \(index.addition(of: constraint))")
                } else {
                    try connection.execute(index.creation)
                }
            }
        }
        // An invalid one was left out, though somebody has attached it on the source.
        for child in indexes where child.isValid || child.isPartitioned {
            guard let parent = child.parent.flatMap({ byOID[$0] }) else { continue }
            try connection.execute("ALTER INDEX \(parent.name) ATTACH PARTITION \(child.name)")
        }
        for table in tables where table.kind == .partitioned {
            for index in table.indexes { try setProperties(of: index, table, on: connection) }
            try Journal.noteReady(table.name, on: connection)
        }
    }

    private static func setProperties(
        of index: Index,
        _ table: Table,
        on connection: Connection
    ) throws(PostgresError) {
        if index.isReplicaIdentity {
            let name = Identifier(index.name.name)
            try connection.execute("ALTER TABLE ONLY \(table.name) REPLICA IDENTITY USING INDEX \(name)")
        }
        if index.isClustered {
            try connection.execute("ALTER TABLE \(table.name) CLUSTER ON \(Identifier(index.name.name))")
        }
        if let statistics = index.statistics {
            try connection.execute("ALTER INDEX \(index.name) \(SQL(trusting: statistics))")
        }
    }

    private static func constraints(
        of table: QualifiedName,
        on connection: Connection
    ) throws(PostgresError) -> Set<Identifier> {
        let rows = try connection.query(
            """
            SELECT conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
              JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = $1 AND t.relname = $2
            """,
            table.schema,
            table.name
        )
        return Set(try rows.map { row throws(PostgresError) in try row("conname") })
    }
}

extension Index {
    /// The index's definition, made repeatable.
    var creation: SQL {
        // pg_get_indexdef begins with one of these two (ruleutils.c, pg_get_indexdef_worker).
        let prefix = definition.hasPrefix("CREATE UNIQUE INDEX ") ? "CREATE UNIQUE INDEX " : "CREATE INDEX "
        return SQL(trusting: prefix + "IF NOT EXISTS " + definition.dropFirst(prefix.count))
    }

    /// The action of ALTER TABLE that adds the constraint, on the index that was built where that is possible.
    fileprivate func addition(of constraint: Constraint) -> SQL {
        let name = Identifier(constraint.name)
        guard isBuiltAlone else {
            return "ADD CONSTRAINT \(name) \(SQL(trusting: constraint.definition))"
        }
        let kind: SQL = constraint.kind == "p" ? "PRIMARY KEY" : "UNIQUE"
        let deferrable: SQL = constraint.isDeferrable ? " DEFERRABLE" : ""
        let deferred: SQL = constraint.isDeferred ? " INITIALLY DEFERRED" : ""
        return "ADD CONSTRAINT \(name) \(kind) USING INDEX \(Identifier(self.name.name))\(deferrable)\(deferred)"
    }
}
