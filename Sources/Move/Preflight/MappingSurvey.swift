import Catalog
import Postgres
import Sync

/// What a mapping makes of the source, as a preflight sees it.
struct MappingSurvey: Sendable {
    let database: MappedDatabase
    /// What goes with the columns that are left out.
    let dependents: [Dependent]
    /// Filters that the server does not take, by table.
    let denials: [(table: QualifiedName, error: PostgresError)]

    static func read(
        _ connection: Connection,
        _ mapping: TableMapping,
        _ schema: Schema
    ) throws(PostgresError) -> MappingSurvey {
        let database = MappedDatabase(mapping, schema)
        var denials: [(QualifiedName, PostgresError)] = []
        for table in schema.tables where !table.isPartition {
            guard let filter = database.tables[table.oid]?.map.filter, database.problems.isEmpty else { continue }
            do throws(PostgresError) {
                // Reads the values as values of the columns' types, and no row.
                try connection.query("SELECT FROM ONLY \(table.name) WHERE \(filter) LIMIT 0")
            } catch {
                guard !error.isConnectionLoss, error != .cancelled else { throw error }
                denials.append((table.name, error))
            }
        }
        let dependents = try Dependent.readAll(ofColumns: database.removedColumns(of: schema), connection)
        return MappingSurvey(database: database, dependents: dependents, denials: denials)
    }
}
