public import Postgres

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

/// A sequence and where it stands.
public struct Sequence: Sendable, Hashable {
    /// The sequence's name.
    public let name: QualifiedName
    /// Where it started.
    public let start: Int64
    /// What each step adds; may be negative.
    public let increment: Int64
    /// The least value.
    public let minimum: Int64
    /// The greatest value.
    public let maximum: Int64
    /// Whether it starts again at its end.
    public let isCycle: Bool
    /// The last value that was drawn; nil when none was.
    public let lastValue: Int64?
    /// The OID of the table that owns it.
    public let ownerTable: UInt32?
    /// The attribute number of the column that owns it.
    public let ownerColumn: Int?

    init(_ row: Row) throws(PostgresError) {
        name = QualifiedName(schema: try row("schema"), name: try row("name"))
        start = try row("start")
        increment = try row("increment")
        minimum = try row("minimum")
        maximum = try row("maximum")
        isCycle = try row("is_cycle")
        lastValue = try row.optional("last_value")
        ownerTable = try row.optional("owner_table")
        ownerColumn = try row.optional("owner_column")
    }

    /// How many values are left, as a share of all it can give; nil when it starts again.
    public var shareLeft: Double? {
        guard !isCycle else { return nil }
        let at = Double(lastValue ?? start)
        let span = Double(maximum) - Double(minimum)
        guard span > 0 else { return 0 }
        return (increment > 0 ? Double(maximum) - at : at - Double(minimum)) / span
    }
}

extension Sequence {
    /// Reads where every sequence of a database stands.
    public static func readAll(_ connection: Connection) throws(PostgresError) -> [Sequence] {
        try connection.query(CatalogSQL.sequences).map { row throws(PostgresError) in try Sequence(row) }
    }
}
