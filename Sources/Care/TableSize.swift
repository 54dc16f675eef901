public import Postgres

/// What a table takes on disk, with its partitions; all sizes in bytes.
public struct TableSize: Sendable, Hashable {
    /// The table, or the one at the top of its partitions.
    public let name: QualifiedName
    /// How many tables hold its rows.
    public let parts: Int
    /// Its rows, free space and visibility maps.
    public let heap: Int
    /// All its indexes.
    public let indexes: Int
    /// Values that are kept apart, with their index.
    public let toast: Int
    /// All of it.
    public let total: Int
    /// How many rows there were when it was analyzed last; nil when it never was.
    public let rows: Int?

    /// Reads the size of all tables and materialized views of a database, the largest first.
    ///
    /// Takes a lock that conflicts with an exclusive one only, on one table at a time.
    public static func all(on connection: Connection) throws(PostgresError) -> [TableSize] {
        try connection.query(CareSQL.size).map { row throws(PostgresError) in
            TableSize(
                name: QualifiedName(schema: try row("nspname"), name: try row("relname")),
                parts: try row("parts"),
                heap: try row("heap"),
                indexes: try row("indexes"),
                toast: try row("toast"),
                total: try row("total"),
                rows: try row.optional("rows")
            )
        }
    }
}
