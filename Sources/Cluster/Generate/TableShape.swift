public import Postgres

/// What rows of a table must look like, as its catalog tells.
public struct TableShape: Sendable {
    /// The OID of the table.
    let oid: UInt32
    /// Its name.
    public let name: QualifiedName
    /// Its columns, in their order.
    var columns: [Column] = []
    /// What must be true of each row.
    var checks: [Check] = []
    /// Which columns must differ from row to row; the primary key comes first.
    var keys: [Key] = []
    /// Its foreign keys.
    var references: [Reference] = []

    /// A column of it.
    struct Column: Sendable, Hashable {
        let number: Int
        let name: String
        /// Its type with modifiers, as DDL would write it; of a domain the type that it stands on.
        let plainType: String
        /// Its collation; nil for a type that has none.
        let collation: QualifiedName?
        /// Whether it is NOT NULL, by itself or by its domain.
        let isNotNull: Bool
        /// Whether the server computes it.
        let isGenerated: Bool
        /// Whether the server draws it from a sequence when nothing is said.
        let isNumbered: Bool
        let hasDefault: Bool
        /// The type's name in the catalog, without domains and of an array that of its elements: `varchar`, `int4`.
        let type: String
        /// `b` base type, `e` enum, `c` composite, `r` range, `m` multirange.
        let kind: String
        let isArray: Bool
        /// The type's modifier (`atttypmod`); -1 when it has none.
        let modifier: Int
        /// The type of the bounds of a range.
        let bound: String
        /// The labels of an enum.
        let labels: [String]
    }

    /// Something that must be true of each row.
    struct Check: Sendable, Hashable {
        enum Kind: String, Sendable { case table, domain, partition }
        let name: String
        let kind: Kind
        /// Attribute numbers of its columns; empty when they are not told.
        let columns: [Int]
        /// As the server prints it; of a domain with `VALUE` for the column.
        let expression: String
    }

    /// Columns that must differ from row to row, together.
    struct Key: Sendable, Hashable {
        let name: String
        /// Their attribute numbers.
        let columns: [Int]
        /// Whether an expression of them must differ, or an operator of an exclusion constraint decides.
        let isOwnRule: Bool
        /// What must differ, in terms of the columns: their names, or expressions of them.
        let definitions: [String]
        /// The operators by which it is the same.
        let operators: [String]
    }

    /// A foreign key.
    struct Reference: Sendable, Hashable {
        let name: String
        let columns: [Int]
        let referenced: UInt32
        let table: QualifiedName
        let referencedNames: [String]
        let referencedColumns: [Int]
    }

    /// Reads tables of the database; those of these OIDs, or all of an application's own.
    ///
    /// Locks nothing.
    ///
    /// - Throws: when one of them is no table, or a partition, whose rows go through the table at the top.
    static func read(_ oids: [UInt32]?, on connection: Connection) throws(PostgresError) -> [TableShape] {
        var shapes: [TableShape] = []
        for row in try connection.query(GenerateSQL.tables, oids) {
            let name = QualifiedName(schema: try row("schema"), name: try row("name"))
            try refuse(name, kind: try row("kind"), isPartition: try row("is_partition"))
            shapes.append(TableShape(oid: try row("oid"), name: name))
        }
        let all = shapes.map(\.oid)
        let places = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1, $0) })
        for row in try connection.query(GenerateSQL.columns, all) {
            if let place = places[try row("table")] { shapes[place].columns.append(try Column(row)) }
        }
        for row in try connection.query(GenerateSQL.checks, all) {
            if let place = places[try row("table")] { shapes[place].checks.append(try Check(row)) }
        }
        for row in try connection.query(GenerateSQL.keys, all) {
            if let place = places[try row("table")] { shapes[place].keys.append(try Key(row)) }
        }
        for row in try connection.query(GenerateSQL.references, all) {
            if let place = places[try row("table")] { shapes[place].references.append(try Reference(row)) }
        }
        return shapes
    }

    private static func refuse(_ name: QualifiedName, kind: String, isPartition: Bool) throws(PostgresError) {
        guard ["r", "p"].contains(kind) else {
            throw PostgresError("\"\(name)\" is not a table", hint: "Rows can be made for tables only.")
        }
        guard !isPartition else {
            throw PostgresError(
                "table \"\(name)\" is a partition",
                hint: "Name the partitioned table: its rows find their partitions."
            )
        }
    }

    /// Whether it has no rows.
    public func isEmpty(at place: ConnectionString) async throws -> Bool {
        try await withNeutralConnection(to: place) { try $0.query("SELECT FROM \(name) LIMIT 1").isEmpty }
    }

    /// Whether it has a column of this name.
    public func hasColumn(_ name: String) -> Bool { columns.contains { $0.name.utf8.elementsEqual(name.utf8) } }

    /// A name that none of its columns has.
    func freeName(_ start: String) -> String {
        var name = start
        while hasColumn(name) { name += "_" }
        return name
    }

    /// The column of an attribute number.
    func column(_ number: Int) -> Column? { columns.first { $0.number == number } }
}

extension TableShape.Column {
    fileprivate init(_ row: Row) throws(PostgresError) {
        number = try row("number")
        self.name = try row("name")
        plainType = try row("plain_type")
        let schema: String? = try row.optional("collation_schema")
        let name: String? = try row.optional("collation")
        collation = schema.flatMap { schema in name.map { QualifiedName(schema: schema, name: $0) } }
        isNotNull = try row("is_not_null")
        isGenerated = try row("is_generated")
        isNumbered = try row("is_numbered")
        hasDefault = try row("has_default")
        type = try row("type")
        kind = try row("kind")
        isArray = try row("is_array")
        modifier = try row("modifier")
        bound = try row("bound")
        labels = try row("labels")
    }
}

extension TableShape.Check {
    fileprivate init(_ row: Row) throws(PostgresError) {
        name = try row("name")
        kind = Kind(rawValue: try row("kind")) ?? .table
        columns = try row.optional("columns") ?? []
        expression = try row("expression")
    }
}

extension TableShape.Key {
    fileprivate init(_ row: Row) throws(PostgresError) {
        name = try row("name")
        columns = try row.optional("columns") ?? []
        let hasExpression: Bool = try row("has_expression")
        isOwnRule = try row("is_exclusion") || hasExpression
        definitions = try row("definitions")
        operators = try row("operators")
    }
}

extension TableShape.Reference {
    fileprivate init(_ row: Row) throws(PostgresError) {
        name = try row("name")
        columns = try row("columns")
        referenced = try row("referenced")
        table = QualifiedName(schema: try row("schema"), name: try row("relation"))
        referencedNames = try row("referenced_names")
        referencedColumns = try row("referenced_columns")
    }
}
