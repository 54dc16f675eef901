import Catalog
import Engine
import Postgres
import Sync

/// The tables of a move, and what follows from their choice.
struct Selection: Sendable {
    let schema: Schema
    /// All chosen tables, partitioned ones and partitions too.
    let tables: [Table]
    /// Tables that are left out.
    let excluded: [Table]
    /// What the rules of a mapping make of the tables, by their OIDs on the source; nothing when there are none.
    let mapped: [UInt32: MappedTable]
    /// The tables that are not the same on the other server.
    let maps: TableMaps
    /// What goes with the columns that are left out.
    let columnDependents: [Dependent]

    /// Reads the tables of the source, without the columns that rules leave out.
    ///
    /// - Throws: what of the mapping cannot be done with these tables.
    static func ofSource(_ connection: Connection, options: MigrationOptions) throws(PostgresError) -> Selection {
        let schema = try Schema(connection)
        let filter = try TableFilter(including: options.include, excluding: options.exclude)
        guard let mapping = options.mapping else {
            return Selection(schema, chosen: Set(schema.tables.filter { schema.selects($0, filter) }.map(\.oid)))
        }
        let database = MappedDatabase(mapping, schema)
        if let problem = database.problems.first { throw problem.error }
        if let rule = database.unused.first(where: { $0.withholds && options.usedRules?.contains($0.id) == true }) {
            throw Self.lost(rule)
        }
        let dependents = try Dependent.readAll(ofColumns: database.removedColumns(of: schema), connection)
        if let problem = MappedDatabase.problem(with: dependents) { throw problem.error }
        let chosen = schema.tables.filter { schema.selects($0, filter) && database.tables[$0.oid] != nil }
        return Selection(
            database.reduced(schema, dependents),
            chosen: Set(chosen.map(\.oid)),
            mapped: database.tables,
            maps: database.maps,
            columnDependents: dependents
        )
    }

    /// A rule keeps its pattern when a table or a column is renamed: what it withheld would arrive as it is.
    private static func lost(_ rule: MappingRule) -> PostgresError {
        PostgresError(
            "\(rule.title) of the mapping is about nothing any more that is on the source",
            detail:
                "It masks, removes or filters, and what it was about when the move began has another name now, or is gone. "
                + "Its values could arrive on the target as they are.",
            hint:
                "Give the table or the column its old name again (or add an empty one of that name, when it was dropped), then run "
                + "the same command; or begin again with another mapping: martlet abort, martlet migrate."
        )
    }

    /// Reads the same tables on the target, where `source` says how they are called, and those that were made there since.
    static func ofTarget(
        _ connection: Connection,
        source: Selection,
        options: MigrationOptions
    ) throws(PostgresError) -> Selection {
        let schema = try Schema(connection)
        let filter = try TableFilter(including: options.include, excluding: options.exclude)
        guard options.mapping != nil else {
            return Selection(schema, chosen: Set(schema.tables.filter { schema.selects($0, filter) }.map(\.oid)))
        }
        // All that is on the target was moved there, or is new.
        return Selection(schema, chosen: Set(schema.tables.map(\.oid)), maps: source.maps.reversed)
    }

    private init(
        _ schema: Schema,
        chosen: Set<UInt32>,
        mapped: [UInt32: MappedTable] = [:],
        maps: TableMaps = .none,
        columnDependents: [Dependent] = []
    ) {
        self.schema = schema
        tables = schema.tables.filter { chosen.contains($0.oid) }
        excluded = schema.tables.filter { !chosen.contains($0.oid) }
        self.mapped = mapped
        self.maps = maps
        self.columnDependents = columnDependents
    }

    /// The same without tables that would have to be published and are not, with their partitions.
    func keeping(published: Set<UInt32>) -> Selection {
        let unknown = Set(self.published.map(\.oid)).subtracting(published)
        guard !unknown.isEmpty else { return self }
        return Selection(
            schema,
            chosen: Set(tables.filter { !unknown.contains(schema.root(of: $0).oid) }.map(\.oid)),
            mapped: mapped,
            maps: maps,
            columnDependents: columnDependents
        )
    }

    /// The tables that hold rows.
    var stored: [Table] { tables.filter { $0.kind == .ordinary } }

    /// The tables that a publication names: partitioned tables for all their partitions, and the others; none that is unlogged.
    var published: [Table] { tables.filter { !$0.isPartition && !$0.isUnlogged } }

    /// Whether all that is published can travel in binary form.
    var isBinary: Bool {
        !maps.changesValues && published.allSatisfy { $0.storedColumns.allSatisfy(\.type.portability.binary) }
    }

    /// Distributes the published tables over lanes, the biggest first, each to the lane with the least.
    func loads(lanes: Int) -> [Journal.TableLoad] {
        var laneOf: [UInt32: Int] = [:]
        var filled = Array(repeating: 0, count: max(lanes, 1))
        var sizes: [UInt32: Int] = [:]
        for table in stored { sizes[schema.root(of: table).oid, default: 0] += table.bytes }
        for (unit, size) in sizes.sorted(by: { ($0.value, $0.key) > ($1.value, $1.key) }) {
            let lane = filled.indices.min { filled[$0] < filled[$1] } ?? 0
            laneOf[unit] = lane
            filled[lane] += size + 1
        }
        return tables.map { table in
            let unit = schema.root(of: table).oid
            return Journal.TableLoad(
                table: table.name,
                sourceOID: table.oid,
                unit: unit,
                lane: laneOf[unit] ?? 0,
                bytes: table.bytes
            )
        }
    }
}

extension MappedDatabase {
    /// The columns that are left out, of partitions too.
    func removedColumns(of schema: Schema) -> [(table: UInt32, number: Int)] {
        schema.tables.flatMap { table -> [(table: UInt32, number: Int)] in
            guard let mapped = tables[table.oid] else { return [] }
            let left = mapped.map.left
            return table.columns.filter { left.contains($0.identifier) }.map { (table.oid, $0.number) }
        }
    }

    /// A column that is computed from one that is removed.
    static func problem(with dependents: [Dependent]) -> MappingProblem? {
        let computed = dependents.filter { $0.kind == "generated column" }
        guard let first = computed.first else { return nil }
        return MappingProblem(
            "the mapping removes a column from which another is computed: \(first.name)",
            detail: "Remove the computed column, too, or keep both."
        )
    }

    /// The source's catalog without them, and without what goes with them.
    func reduced(_ schema: Schema, _ dependents: [Dependent]) -> Schema {
        let columns = Dictionary(grouping: removedColumns(of: schema), by: \.table)
        return schema.without(columns: columns.mapValues { Set($0.map(\.number)) }, objects: Set(dependents.map(\.oid)))
    }
}

extension Schema {
    /// Whether a filter chooses a table; a partition goes with the table that it is part of.
    func selects(_ table: Table, _ filter: TableFilter) -> Bool { filter.selects(root(of: table).name) }
}
