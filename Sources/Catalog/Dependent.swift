public import Postgres

/// An object that cannot be made without certain tables, directly or by way of other objects.
///
/// What pg_depend knows: views, functions whose body or signature needs them, triggers, rules, policies,
/// foreign keys, types, tables that inherit. The text of a function in another language is not looked at.
public struct Dependent: Sendable, Hashable {
    /// The OID of the catalog that it is in.
    public let catalog: UInt32
    /// Its OID.
    public let oid: UInt32
    /// The word for what it is: `view`, `function`, `foreign key`.
    public let kind: String
    /// Its name as the server identifies it: `public.totals`, `public.total(integer)`, `audit on public.orders`.
    public let name: String
    /// Its name when it is a relation.
    public let relation: QualifiedName?
    /// Whether people would name it, and not only the object that it is a part of.
    public let isNamed: Bool

    /// Reads what depends on tables, under the snapshot of the connection's transaction.
    ///
    /// What the tables consist of (indexes, constraints, row types) is among it; the tables themselves are not.
    public static func readAll(
        of tables: [UInt32],
        _ connection: Connection
    ) throws(PostgresError) -> [Dependent] {
        guard !tables.isEmpty else { return [] }
        return try read(connection.query(CatalogSQL.dependents, tables))
    }

    /// Reads what goes away with columns of tables: indexes, constraints, statistics, and what is defined by them.
    ///
    /// A default of the column itself is not among it, nor is a CHECK's table.
    public static func readAll(
        ofColumns columns: [(table: UInt32, number: Int)],
        _ connection: Connection
    ) throws(PostgresError) -> [Dependent] {
        guard !columns.isEmpty else { return [] }
        return try read(connection.query(CatalogSQL.columnDependents, columns.map(\.table), columns.map(\.number)))
    }

    private static func read(_ rows: Rows) throws(PostgresError) -> [Dependent] {
        try rows.map { row throws(PostgresError) in
            let schema: String? = try row.optional("schema")
            let relation: String? = try row.optional("relation")
            return Dependent(
                catalog: try row("catalog"),
                oid: try row("oid"),
                kind: try row("kind"),
                name: try row("name"),
                relation: schema.flatMap { schema in relation.map { QualifiedName(schema: schema, name: $0) } },
                isNamed: try row("is_named")
            )
        }
    }
}

extension Dependent {
    /// The OIDs by catalog.
    static func places(of dependents: [Dependent]) -> [UInt32: Set<UInt32>] {
        Dictionary(grouping: dependents, by: \.catalog).mapValues { Set($0.map(\.oid)) }
    }
}
