import Catalog
import Postgres

/// One table on both sides, and how its rows are put side by side.
///
/// Columns are matched by name, in the order of the source. What only one side has is a problem of
/// its own: it is reported, and the rest is compared all the same.
struct TablePair: Sendable {
    let name: QualifiedName
    let source: Table?
    let target: Table?
    /// What is known of the way from one to the other; nil when they are the same.
    let map: TableMap?
    let problems: [String]
    /// Columns that both sides have and not both compute.
    let columns: [(source: Column, target: Column)]
    /// The columns that name a row, as the target calls them; empty when none do on both sides.
    let key: [Identifier]
    /// The size on the source, with partitions.
    let bytes: Int

    init(_ name: QualifiedName, source: Schema, target: Schema, map: TableMap? = nil) {
        self.name = name
        self.map = map
        let left = source.table(named: name)
        let right = target.table(named: map?.target ?? name)
        self.source = left
        self.target = right
        bytes = left.map { Self.bytes(of: $0, in: source) } ?? 0
        guard let left, let right else {
            let renamed = map.flatMap { $0.target == name ? nil : " as \"\($0.target)\"" } ?? ""
            problems = [left == nil ? "the source has no such table" : "the target has no such table\(renamed)"]
            (columns, key) = ([], [])
            return
        }
        var problems: [String] = []
        var columns: [(Column, Column)] = []
        var expected = map?.added ?? []
        for column in left.columns where map?.left.contains(column.identifier) != true {
            let name = map?.target(column.identifier) ?? column.identifier
            expected.insert(name)
            guard let other = right.columns.first(where: { $0.identifier == name }) else {
                problems.append("column \"\(column.name)\" is only on the source")
                continue
            }
            if !(column.isGenerated && other.isGenerated) { columns.append((column, other)) }
        }
        for column in right.columns where !expected.contains(column.identifier) {
            problems.append("column \"\(column.name)\" is only on the target")
        }
        self.problems = problems
        self.columns = columns
        let key = Self.key(of: left).map { map?.target(Identifier($0)) ?? Identifier($0) }
        self.key = key.allSatisfy { name in columns.contains { $1.identifier == name } } ? key : []
    }

    private static func key(of table: Table) -> [String] {
        guard let index = table.primaryKey ?? table.identityIndex ?? table.candidateIdentity else { return [] }
        return index.key.compactMap { number in table.columns.first { $0.number == number }?.name }
    }

    private static func bytes(of table: Table, in schema: Schema) -> Int {
        guard table.kind == .partitioned else { return table.bytes }
        return schema.tables.lazy.filter { $0.isPartition && schema.root(of: $0).oid == table.oid }
            .reduce(0) { $0 + $1.bytes }
    }

    /// The hash of a row under a method.
    func rowHash(_ method: RowHash.Method) -> RowHash {
        let parts = columns.map { source, target in
            RowHash.Part(
                name: target.identifier,
                type: commonType(source, target),
                isNotNull: source.isNotNull && target.isNotNull
            )
        }
        return RowHash(parts: parts, method: method)
    }

    /// The types that both sides agree on.
    var types: Set<QualifiedName> {
        Set(columns.compactMap { commonType($0, $1) })
    }

    /// The type of a column's values on both sides; nil when they differ.
    private func commonType(_ source: Column, _ target: Column) -> QualifiedName? {
        // What is changed is compared as it should be on the target.
        let isSame = map?.changes[source.identifier] != nil || source.type.name == target.type.name
        return isSame ? target.type.name : nil
    }

    /// Stands after FROM, as `t`: the source's rows as they should be on the target, under the target's names.
    ///
    /// A column of the key is there as it is, too, as ``rawKey(_:)``, so that its index can be used.
    var sourceRows: SQL? {
        guard let map, let source else { return nil }
        let values = columns.map { column, other -> SQL in
            let name: SQL = "\(column.identifier)"
            return "\(map.changes[column.identifier]?.value(of: name) ?? name) AS \(other.identifier)"
        }
        let raw = columns.filter { key.contains($1.identifier) || target?.key.contains($1) == true }
            .map { "\($0.identifier) AS \(Self.rawKey($1))" as SQL }
        let only: SQL = source.kind == .partitioned ? "" : "ONLY "
        let restriction: SQL = map.filter.map { " WHERE \($0)" } ?? ""
        return "(SELECT \(.joined(values + raw)) FROM \(only)\(source.name)\(restriction))"
    }

    /// What a column of the key is called in ``sourceRows`` as it is on the source.
    static func rawKey(_ column: Column) -> Identifier { Identifier("martlet key \(column.number)") }
}

/// The statements that read one table on one side.
struct TableReading: Sendable {
    /// What stands after FROM: the table as `t`, joined to keys or not.
    let from: SQL
    /// The hash of a row of `t`.
    let hash: SQL
    /// What decides the bucket of a row of `t`: its key alone, so that a row that was changed stays in its bucket.
    let bucket: SQL
    let key: [Identifier]

    /// `rows`: what to read in the place of the table.
    init(_ table: Table, rows: SQL? = nil, hash: RowHash, key: [Identifier], joinedTo keys: SQL = "") {
        // A partitioned table is nothing but its partitions; another one leaves its children alone.
        let only: SQL = table.kind == .partitioned ? "" : "ONLY "
        from = "FROM \(rows ?? "\(only)\(table.name)") AS t\(keys)"
        self.hash = hash.sql
        bucket = key.isEmpty ? self.hash : hash.only(key).sql
        self.key = key
    }

    /// How many rows, and the exact sum of their hashes: the sum of bigint is numeric.
    var total: SQL { "SELECT count(*), coalesce(sum(\(hash)), 0) \(from)" }

    /// The same for each bucket of rows.
    func buckets(mask: Int) -> SQL {
        "SELECT b & \(mask), count(*), sum(h) FROM (SELECT \(bucket) AS b, \(hash) AS h \(from)) AS r GROUP BY 1"
    }

    /// Key and hash of every row in some buckets; without a key every hash and how many rows have it.
    func rows(inBuckets buckets: [Int]?, mask: Int) -> SQL {
        let texts = key.enumerated().map { "t.\($1)::text AS \(Identifier("k\($0)"))" as SQL }
        let names = key.indices.map { "\(Identifier("k\($0)"))" as SQL }
        let list = SQL.joined((buckets ?? []).map { "\($0)" })
        let filter: SQL = buckets == nil ? "" : " WHERE (\(bucket)) & \(mask) IN (\(list))"
        let inner: SQL = "SELECT \(.joined(texts + ["\(hash) AS h"])) \(from)\(filter)"
        let outer: SQL = key.isEmpty ? "h, count(*)" : .joined(names + ["h"])
        return "SELECT \(outer) FROM (\(inner)) AS r\(key.isEmpty ? " GROUP BY h" : "" as SQL)"
    }
}
