import Postgres

/// A foreign key, as it was declared; partitions inherit it.
public struct ForeignKey: Sendable, Hashable {
    /// The constraint's OID.
    public let oid: UInt32
    /// The constraint's name.
    public let name: String
    /// The OID of the referencing table.
    public let table: UInt32
    /// The OID of the referenced table.
    public let referenced: UInt32
    /// The attribute numbers of the referencing columns.
    public let columns: [Int]
    /// The attribute numbers of the referenced columns.
    public let referencedColumns: [Int]
    /// Whether every row is known to satisfy it.
    public let isValid: Bool
    /// As `pg_get_constraintdef` writes it, `NOT VALID` included.
    public let definition: String

    init(_ row: Row) throws(PostgresError) {
        oid = try row("oid")
        name = try row("name")
        table = try row("table")
        columns = try row("columns")
        referencedColumns = try row("referenced_columns")
        referenced = try row("referenced")
        isValid = try row("is_valid")
        definition = try row("definition")
    }
}
