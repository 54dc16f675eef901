public import Postgres

/// What is in a database, as far as moving it needs to know.
///
/// Read with one round trip per kind of object, whatever their number. Extension-owned tables, the
/// system's schemas and the schema `martlet` are left out.
public struct Schema: Sendable {
    /// The tables, partitioned ones and partitions too, by name.
    public let tables: [Table]
    /// The foreign keys.
    public let foreignKeys: [ForeignKey]

    private let byOID: [UInt32: Int]
    private let byName: [QualifiedName: Int]
    private let partitionedIndexes: [UInt32: Index]

    /// Reads the catalog of the database that `connection` is in, under the snapshot of its transaction.
    public init(_ connection: Connection) throws(PostgresError) {
        let types = try DataType.readAll(connection)
        var tables = try connection.query(CatalogSQL.tables).map { row throws(PostgresError) in try Table(row) }
        var places: [UInt32: Int] = [:]
        for (place, table) in tables.enumerated() { places[table.oid] = place }
        for row in try connection.query(CatalogSQL.columns) {
            guard let place = places[try row("table")], let type = types[try row("type")] else { continue }
            tables[place].columns.append(
                Column(
                    number: try row("number"),
                    name: try row("name"),
                    type: type,
                    declaredType: try row("declared_type"),
                    isNotNull: try row("is_not_null"),
                    isGenerated: try row("generated", as: String.self) != "",
                    isIdentityAlways: try row("identity", as: String.self) == "a"
                )
            )
        }
        for row in try connection.query(CatalogSQL.indexes) {
            let index = try Index(row)
            if let place = places[index.table] { tables[place].indexes.append(index) }
        }
        foreignKeys = try connection.query(CatalogSQL.foreignKeys).map { row throws(PostgresError) in
            try ForeignKey(row)
        }
        self.tables = tables
        byOID = places
        partitionedIndexes = Dictionary(
            uniqueKeysWithValues: tables.flatMap(\.indexes).filter(\.isPartitioned).map { ($0.oid, $0) }
        )
        byName = Dictionary(uniqueKeysWithValues: tables.enumerated().map { ($1.name, $0) })
    }

    /// The same without some columns and objects: what is moved of a database from which they are left out.
    ///
    /// `columns`: attribute numbers by the OIDs of their tables; `objects`: OIDs of indexes and constraints.
    public func without(columns: [UInt32: Set<Int>], objects: Set<UInt32>) -> Schema {
        Schema(
            tables: tables.map { table in
                var table = table
                table.columns.removeAll { columns[table.oid]?.contains($0.number) == true }
                table.indexes.removeAll { objects.contains($0.oid) }
                return table
            },
            foreignKeys: foreignKeys.filter { !objects.contains($0.oid) },
            byOID: byOID,
            byName: byName,
            partitionedIndexes: partitionedIndexes.filter { !objects.contains($0.key) }
        )
    }

    private init(
        tables: [Table],
        foreignKeys: [ForeignKey],
        byOID: [UInt32: Int],
        byName: [QualifiedName: Int],
        partitionedIndexes: [UInt32: Index]
    ) {
        (self.tables, self.foreignKeys, self.byOID, self.byName) = (tables, foreignKeys, byOID, byName)
        self.partitionedIndexes = partitionedIndexes
    }

    /// The table of an OID.
    public func table(oid: UInt32) -> Table? { byOID[oid].map { tables[$0] } }

    /// The table of a name.
    public func table(named name: QualifiedName) -> Table? { byName[name].map { tables[$0] } }

    /// The index of a partitioned table that has an OID.
    func index(oid: UInt32) -> Index? { partitionedIndexes[oid] }

    /// Whether both have the same tables, made of the same columns in the same order.
    public func hasSameRows(as other: Schema) -> Bool {
        tables.count == other.tables.count
            && tables.allSatisfy { table in
                guard let counterpart = other.table(named: table.name) else { return false }
                return table.rowType == counterpart.rowType && table.columns == counterpart.columns
            }
    }

    /// The partitioned table that a partition must be loaded through, because the target may place its rows otherwise;
    /// nil when partition goes into partition.
    public func loadingRoot(of table: Table) -> Table? {
        var current = table
        var isPlacedByServer = false
        while current.isPartition, let parent = current.parent.flatMap({ self.table(oid: $0) }) {
            current = parent
            isPlacedByServer = isPlacedByServer || parent.isPlacedByServer
        }
        return isPlacedByServer ? current : nil
    }

    /// The partitioned table at the top of the tree that a partition is in; the table itself when it is no partition.
    public func root(of table: Table) -> Table {
        var current = table
        while current.isPartition, let parent = current.parent.flatMap({ self.table(oid: $0) }) { current = parent }
        return current
    }
}
