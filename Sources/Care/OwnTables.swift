public import Postgres

extension QualifiedName {
    /// The tables of a database that are an application's own: no partitions, and none that an extension brought.
    public static func ownTables(on connection: Connection) throws(PostgresError) -> [QualifiedName] {
        try connection.query(CareSQL.ownTables).map { row throws(PostgresError) in
            QualifiedName(schema: try row("nspname"), name: try row("relname"))
        }
    }
}
