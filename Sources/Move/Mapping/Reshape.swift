import Catalog
import Engine
import Postgres
import Sync

/// Makes the target's tables what the rules say.
///
/// pg_dump writes definitions with the names of the source, and so does everything that refers to them: indexes,
/// constraints, views. So columns are dropped, changed and added while the tables are empty, and names are given last,
/// in the transaction that ends the making of the constraints.
struct Reshape: Sendable {
    let selection: Selection

    /// The tables whose columns are changed, partitions left out: they follow.
    private var shaped: [(table: Table, mapped: MappedTable)] {
        selection.tables.compactMap { table in
            guard !table.isPartition, let mapped = selection.mapped[table.oid] else { return nil }
            return (table, mapped)
        }
    }

    /// Drops, changes and adds columns of empty tables.
    var columns: [SQL] {
        shaped.flatMap { table, mapped -> [SQL] in
            let drops = mapped.removed.map { "DROP COLUMN \($0.name)" as SQL }
            let changes = table.columns.compactMap { column -> SQL? in
                guard let change = mapped.map.changes[column.identifier],
                    change.targetType.text != column.declaredType
                else { return nil }
                // There is no row whose value would have to be kept.
                return "ALTER COLUMN \(column.identifier) TYPE \(change.targetType) USING NULL"
            }
            let additions = mapped.added.map { added -> SQL in
                let content: SQL = added.expression.map { " GENERATED ALWAYS AS (\($0)) STORED" } ?? ""
                return "ADD COLUMN \(added.name) \(added.type)\(content)"
            }
            let only: SQL = table.kind == .partitioned ? "" : "ONLY "
            // A column cannot be computed from one whose type the same statement changes.
            return [drops + changes, additions].filter { !$0.isEmpty }.map { actions in
                "ALTER TABLE \(only)\(table.name) \(.joined(actions))"
            }
        }
    }

    /// Makes keys, then gives columns, tables and schemas their names.
    func names(on connection: Connection) throws(PostgresError) -> [SQL] {
        let existing = Set(
            try connection.query("SELECT nspname FROM pg_namespace").map { row throws(PostgresError) -> Identifier in
                try row("nspname")
            }
        )
        return keys.before + columnNames + keys.after + tableNames + schemaNames(existing: existing)
    }

    private var keys: (before: [SQL], after: [SQL]) {
        let keys = shaped.compactMap { table, mapped -> SQL? in
            guard let key = mapped.key else { return nil }
            let columns = SQL.joined(key.columns.map { "\($0)" })
            return key.isUniqueIndex
                ? "CREATE UNIQUE INDEX \(key.name) ON \(table.name) (\(columns))"
                : "ALTER TABLE \(table.name) ADD CONSTRAINT \(key.name) PRIMARY KEY (\(columns))"
        }
        return ([], keys)
    }

    private var columnNames: [SQL] {
        shaped.flatMap { table, mapped -> [SQL] in
            let renames = table.columns.compactMap { column in
                mapped.map.names[column.identifier].map { (from: column.identifier, to: $0) }
            }
            return Self.inOrder(renames) { "ALTER TABLE \(table.name) RENAME COLUMN \($0) TO \($1)" }
        }
    }

    private var tableNames: [SQL] {
        let renames = selection.tables.compactMap { table -> (schema: Identifier, from: Identifier, to: Identifier)? in
            guard let target = selection.mapped[table.oid]?.map.target else { return nil }
            let (from, to) = (Identifier(table.name.name), Identifier(target.name))
            return from == to ? nil : (Identifier(table.name.schema), from, to)
        }
        return Dictionary(grouping: renames, by: \.schema).sorted { $0.key < $1.key }.flatMap { schema, renames in
            Self.inOrder(renames.map { ($0.from, $0.to) }) { from, to in
                "ALTER TABLE \(schema).\(from) RENAME TO \(to)"
            }
        }
    }

    /// A schema that was made for the move gets another name; what is in one that was there before, or becomes one that
    /// is there, goes over piece by piece.
    private func schemaNames(existing: Set<Identifier>) -> [SQL] {
        selection.maps.schemas.sorted { $0.key < $1.key }.flatMap { from, to -> [SQL] in
            guard from == "public" || existing.contains(to) else { return ["ALTER SCHEMA \(from) RENAME TO \(to)"] }
            let move: [SQL] = [
                "CREATE SCHEMA IF NOT EXISTS \(to)",
                "SELECT set_config('martlet.from', \(literal: from.name), true), set_config('martlet.to', \(literal: to.name), true)",
                MoveSQL.moveSchema,
            ]
            return from == "public" ? move : move + ["DROP SCHEMA \(from)"]
        }
    }

    /// Renames in two steps where a new name is an old one of another.
    private static func inOrder(
        _ renames: [(from: Identifier, to: Identifier)],
        _ rename: (Identifier, Identifier) -> SQL
    ) -> [SQL] {
        let old = Set(renames.map(\.from))
        guard renames.contains(where: { old.contains($0.to) }) else { return renames.map { rename($0.from, $0.to) } }
        let between = renames.indices.map { Identifier("martlet_\($0)") }
        return zip(renames, between).map { rename($0.from, $1) } + zip(renames, between).map { rename($1, $0.to) }
    }

    /// Whether a definition is a privilege or a comment on a column that is not there: `ACL public COLUMN orders.note`.
    func isOfRemovedColumn(_ entry: SchemaArchive.Entry) -> Bool {
        guard entry.description.holds(" COLUMN ") else { return false }
        return selection.mapped.values.contains { mapped in
            let name = mapped.map.source
            return mapped.map.left.contains {
                entry.description.holds(" \(name.schema) COLUMN \(name.name).\($0.name) ")
            }
        }
    }

    // MARK: Doing it

    /// Shapes the columns of the tables that were just made, and tries out all that comes later.
    ///
    /// So what cannot be done shows before rows are copied. Part of the transaction that makes the tables.
    func shape(on connection: Connection, foreignKeys: [SQL]) throws(PostgresError) {
        guard !selection.mapped.isEmpty else { return }
        do throws(PostgresError) {
            for statement in columns { try connection.execute(statement) }
            try connection.execute("SAVEPOINT martlet_rehearsal")
            let indexes = selection.tables.flatMap(\.indexes).filter { $0.isValid && $0.parent == nil }
            for index in indexes { try connection.execute(index.rehearsal(on: selection.schema)) }
            for key in foreignKeys { try connection.execute(key) }
            for statement in try names(on: connection) { try connection.execute(statement) }
            try connection.execute("ROLLBACK TO SAVEPOINT martlet_rehearsal; RELEASE SAVEPOINT martlet_rehearsal")
        } catch {
            guard !error.isConnectionLoss, error != .cancelled else { throw error }
            throw error.explained(
                as: "the mapping cannot be applied to the tables of the source",
                hint: "Change its rules, then begin again: martlet abort, then martlet migrate with the new file."
            )
        }
    }

    /// Gives everything its name; part of the transaction that makes the last definitions.
    func finish(on connection: Connection) throws(PostgresError) {
        for statement in try names(on: connection) { try connection.execute(statement) }
        for object in try Journal.objects(kinds: [SourceObjects.identityKind], on: connection)
        where object.side == .target {
            guard let map = selection.maps.all.first(where: { $0.source.description == object.name }),
                map.source != map.target
            else { continue }
            let undo = SQL(trusting: object.undo.text.replacing(map.source.quoted, with: map.target.quoted))
            try Journal.noteRemoved(object, on: connection)
            try Journal.note(
                Journal.Object(side: .target, kind: object.kind, name: map.target.description, undo: undo),
                on: connection
            )
        }
    }
}

extension Index {
    /// Makes the index, or the constraint that it stands for, on an empty table.
    fileprivate func rehearsal(on schema: Schema) -> SQL {
        guard let constraint, let table = schema.table(oid: self.table) else { return SQL(trusting: definition) }
        return
            "ALTER TABLE \(table.name) ADD CONSTRAINT \(Identifier(constraint.name)) \(SQL(trusting: constraint.definition))"
    }
}
