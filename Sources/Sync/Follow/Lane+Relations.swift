import Catalog
import Postgres

/// What the stream says of the tables, and what is wrong with them.
extension Lane {
    /// Takes in how a table's columns are sent from now on.
    ///
    /// One that the target has no place for counts with the first change that is sent so, not before:
    /// every segment of the spool begins with descriptions, and those of changes that were applied
    /// long ago are read again.
    func learn(_ payload: UnsafeRawBufferPointer) throws(PostgresError) {
        let id = PgOutput.relation(of: payload)
        guard let watermark = configuration.tables[id] else { return }
        let bytes = Array(payload)
        guard !tables.knows(bytes, of: id) else { return }
        if let entry = tables[id] { try send(entry.table, entry.statements) }
        let outcome = Result<LaneTables.Entry, PostgresError> { () throws(PostgresError) in
            try entry(for: PgOutput.Relation(payload), watermark)
        }
        tables.describe(id, by: bytes, as: outcome)
    }

    /// A rule that masks or removes columns could be about one that was not there when the rules were applied.
    private static func unruled(column: String, of table: QualifiedName) -> PostgresError {
        PostgresError(
            "the rules of the mapping were applied to table \"\(table)\" without its column \"\(column)\"",
            detail:
                "The source's columns have become others after martlet migrate was started; what the rules say about "
                + "this one is not known to the stream.",
            hint:
                "Stop martlet migrate and start it again, which applies the rules anew. When the column is gone from the "
                + "source by now, martlet resync copies the table again without it.",
            sqlState: Refusal.unruledColumn
        )
    }

    private func entry(for relation: PgOutput.Relation, _ watermark: LSN) throws(PostgresError) -> LaneTables.Entry {
        if let column = relation.columns.first(where: {
            !configuration.maps.knows(Identifier($0.name), of: relation.name)
        }) {
            throw Self.unruled(column: column.name, of: relation.name)
        }
        let map = configuration.maps[relation.name]
        let name = map?.target ?? relation.name
        guard let target = schema.table(named: name) else {
            throw PostgresError(
                "table \"\(name)\" does not exist on the target",
                hint:
                    "Create it on the target as it is on the source; it then goes on by itself. To leave it out: martlet abort, then "
                    + "begin anew with --exclude.",
                sqlState: "42P01"
            )
        }
        let table = try LaneTable(
            relation: relation,
            target: target,
            map: map,
            isReferenced: configuration.referenced.contains(relation.id),
            watermark: watermark
        )
        return (table, ApplyStatements(table: table, format: configuration.format))
    }

    /// The failure of a change of a table that is nobody's.
    func unknown(_ relation: UInt32) -> PostgresError {
        PostgresError(
            "the stream has changes of a table that is not part of this move",
            detail: "The table's OID on the source is \(relation); somebody added it to martlet's publication.",
            hint: "Remove it from the publication, then run martlet migrate again."
        )
    }

    /// The failure of a change that came without the row it is about.
    func malformed(_ table: LaneTable) -> PostgresError {
        culprit = table.relation
        return PostgresError(
            "a change of table \"\(table.name)\" came without the row it is about",
            hint: "Check the table's REPLICA IDENTITY on the source with martlet assess."
        )
    }
}
