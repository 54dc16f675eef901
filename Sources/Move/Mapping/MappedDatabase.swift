import Catalog
import Postgres
import Sync

/// What a mapping makes of a database: its rules, applied to a catalog.
///
/// The same rules and the same catalog give the same, so that a move that is resumed finds it again.
struct MappedDatabase: Sendable {
    let mapping: TableMapping
    /// The tables that are chosen, partitions too, by their OIDs.
    private(set) var tables: [UInt32: MappedTable] = [:]
    /// Schemas that get another name.
    private(set) var schemas: [Identifier: Identifier] = [:]
    /// The columns of all tables, about which the rules were asked.
    private let columns: [QualifiedName: Set<Identifier>]
    /// What cannot be done.
    private(set) var problems: [MappingProblem] = []
    /// The numbers of the rules that are about something that is there.
    private(set) var used: Set<Int> = []

    /// Applies the rules.
    init(_ mapping: TableMapping, _ schema: Schema) {
        self.mapping = mapping
        columns = Dictionary(
            uniqueKeysWithValues: schema.tables.map { ($0.name, Set($0.columns.map(\.identifier))) }
        )
        nameSchemas(schema)
        for table in schema.tables where !table.isPartition {
            guard let includes = includes(table.name) else { continue }
            var work = TableWork(table, schema: schema, rules: mapping.rules)
            work.choose(includes)
            work.shape()
            take(work)
        }
        for table in schema.tables where table.isPartition {
            guard let root = tables[schema.root(of: table).oid] else { continue }
            tables[table.oid] = partition(table, of: root)
        }
        nameTables(schema)
        checkNames()
    }

    /// What to know where rows are read and written.
    var maps: TableMaps { TableMaps(tables.values.map(\.map), schemas: schemas, columns: columns) }

    /// Rules that are about nothing that is there.
    var unused: [MappingRule] {
        mapping.rules.filter { rule in
            if case .tuning = rule.action { return false }
            return !used.contains(rule.id)
        }
    }

    private mutating func take(_ work: TableWork) {
        tables[work.table.oid] = work.mapped
        problems += work.problems
        used.formUnion(work.used)
    }

    /// The rules that choose a table; nil when it is left out.
    private mutating func includes(_ table: QualifiedName) -> [MappingRule]? {
        let rules = mapping.rules.filter { $0.isAbout(table) }
        let excludes = rules.filter { if case .exclude = $0.action { true } else { false } }
        used.formUnion(excludes.map(\.id))
        guard mapping.isSelecting else { return excludes.isEmpty ? [] : nil }
        let includes = rules.filter { if case .include = $0.action { true } else { false } }
        used.formUnion(includes.map(\.id))
        return excludes.isEmpty && !includes.isEmpty ? includes : nil
    }

    /// A partition: it has the rows and columns of the table that it is part of, and a name of its own.
    private func partition(_ table: Table, of root: MappedTable) -> MappedTable {
        var mapped = MappedTable(oid: table.oid, map: root.map)
        mapped.map.source = table.name
        mapped.map.target = table.name
        mapped.filtered = root.filtered
        mapped.order = root.order
        return mapped
    }
}

// MARK: Names

extension MappedDatabase {
    private mutating func nameSchemas(_ schema: Schema) {
        for old in Set(schema.tables.map { Identifier($0.name.schema) }).sorted() {
            let rules = mapping.rules.compactMap { rule -> (MappingRule, MappingRule.Renaming)? in
                guard case .rename(.schema, let renaming) = rule.action, rule.schema.matches(old.name) else {
                    return nil
                }
                return (rule, renaming)
            }
            used.formUnion(rules.map(\.0.id))
            guard let (_, renaming) = rules.first else { continue }
            let new = Identifier(renaming.name(for: old.name))
            if new != old { schemas[old] = new }
        }
    }

    private mutating func nameTables(_ schema: Schema) {
        for table in schema.tables {
            guard var mapped = tables[table.oid] else { continue }
            let rules = mapping.rules.compactMap { rule -> (MappingRule, MappingRule.Renaming)? in
                guard case .rename(.table, let renaming) = rule.action, rule.isAbout(table.name) else { return nil }
                return (rule, renaming)
            }
            used.formUnion(rules.map(\.0.id))
            let name = rules.first?.1.name(for: table.name.name) ?? table.name.name
            let schema = schemas[Identifier(table.name.schema)]?.name ?? table.name.schema
            mapped.map.target = QualifiedName(schema: schema, name: name)
            if mapped.map.target != table.name {
                mapped.story.insert("is called \(mapped.map.target)", at: 0)
            }
            for (rule, _) in rules.dropFirst() {
                mapped.story.append("\(rule.title) does not count for its name: \(rules[0].0.title) comes first")
            }
            tables[table.oid] = mapped
        }
    }

    private mutating func checkNames() {
        let named = tables.values.sorted { $0.map.source < $1.map.source }
        for (target, same) in Dictionary(grouping: named, by: \.map.target) where same.count > 1 {
            let sources = same.map(\.map.source.description).sorted()
            problems.append(
                MappingProblem(
                    "the mapping makes one table \"\(target)\" of \(Finding.list(sources))",
                    detail: "Rows of several tables cannot be told apart any more."
                )
            )
        }
        for (new, old) in Dictionary(grouping: schemas.sorted { $0.key < $1.key }, by: \.value) where old.count > 1 {
            problems.append(
                MappingProblem("the mapping makes one schema \"\(new.name)\" of \(Finding.list(old.map(\.key.name)))")
            )
        }
        let names = named.flatMap { [$0.map.target.name] + $0.map.names.values.map(\.name) + $0.added.map(\.name.name) }
        for name in Set(names + schemas.values.map(\.name)).sorted() where !(1...63).contains(name.utf8.count) {
            problems.append(
                MappingProblem(
                    "the mapping makes the name \"\(name)\", which has \(Finding.count(name.utf8.count, "byte"))",
                    detail: "PostgreSQL's names have 1 to 63 bytes."
                )
            )
        }
        for (old, new) in schemas.sorted(by: { $0.key < $1.key }) where Self.isReserved(new.name) {
            problems.append(
                MappingProblem(
                    "the mapping gives schema \"\(old.name)\" the name \"\(new.name)\"",
                    detail: "Names that begin with pg_, and information_schema, are PostgreSQL's, and martlet is ours."
                )
            )
        }
    }

    private static func isReserved(_ schema: String) -> Bool {
        schema.utf8.starts(with: "pg_".utf8) || ["information_schema", "martlet"].contains(schema)
    }
}

extension MappingRule {
    /// Whether a table's name is as the rule says.
    func isAbout(_ name: QualifiedName) -> Bool { schema.matches(name.schema) && table.matches(name.name) }
}

extension TableMapping {
    /// Whether rules choose tables; a file of settings alone chooses all.
    var isSelecting: Bool { rules.contains { if case .include = $0.action { true } else { false } } }
}
