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

    init(_ schema: Schema, options: MigrationOptions) throws(PostgresError) {
        self.schema = schema
        let filter = try TableFilter(including: options.include, excluding: options.exclude)
        tables = schema.tables.filter { schema.selects($0, filter) }
        excluded = schema.tables.filter { !schema.selects($0, filter) }
    }

    /// The tables that hold rows.
    var stored: [Table] { tables.filter { $0.kind == .ordinary } }

    /// The tables that a publication names: partitioned tables for all their partitions, and the others; none that is unlogged.
    var published: [Table] { tables.filter { !$0.isPartition && !$0.isUnlogged } }

    /// Whether all that is published can travel in binary form.
    var isBinary: Bool {
        published.allSatisfy { $0.storedColumns.allSatisfy(\.type.portability.binary) }
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

extension Schema {
    /// Whether a filter chooses a table; a partition goes with the table that it is part of.
    func selects(_ table: Table, _ filter: TableFilter) -> Bool { filter.selects(root(of: table).name) }
}
