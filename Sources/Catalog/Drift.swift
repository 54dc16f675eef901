public import Postgres

/// A way in which tables have become different since they were copied, so that rows of one server find no place on the other.
///
/// Looks at what rows need and no more: the columns of tables, their partitions, the labels of enums.
public struct Drift: Sendable, Hashable {
    /// The table, for a partition the one at the top of its tree; nil for a type.
    public let table: QualifiedName?
    /// What is different, for people.
    public let text: String
    /// Makes the target as the source is.
    public let remedy: SQL

    /// What is different between two databases, among the objects that both have; whole tables and types that one lacks do not count.
    ///
    /// Reads both catalogs with one query each, and locks nothing.
    ///
    /// `counterparts` say what is called otherwise on the target, and is not to be the same; ``Drift/table`` is the target's name.
    public static func find(
        from source: Connection,
        to target: Connection,
        as counterparts: Counterparts = Counterparts()
    ) throws(PostgresError) -> [Drift] {
        let present = try Shape(target)
        let wanted = try Shape(source).mapped(by: counterparts, onto: present)
        return wanted.columnDrift(from: present) + wanted.partitionDrift(from: present)
            + wanted.labelDrift(from: present)
    }
}

/// What `shape.sql` tells of one database.
private struct Shape {
    struct Column {
        let name: Identifier
        let type: String
        let isNotNull: Bool
        let definition: String
    }

    struct Partition {
        let parent: QualifiedName
        let bound: String
        let definition: String
    }

    var columns: [QualifiedName: [Column]] = [:]
    var partitions: [QualifiedName: Partition] = [:]
    var labels: [QualifiedName: [String]] = [:]

    init(_ connection: Connection) throws(PostgresError) {
        for row in try connection.query(CatalogSQL.shape) {
            let name = QualifiedName(schema: try row("schema"), name: try row("name"))
            let (item, value): (Identifier, String) = (try row("item"), try row("value"))
            switch try row("kind", as: String.self) {
            case "column":
                let isNotNull = value.hasSuffix(Self.notNull)
                let column = Column(
                    name: item,
                    type: isNotNull ? String(value.dropLast(Self.notNull.count)) : value,
                    isNotNull: isNotNull,
                    definition: try row("definition")
                )
                columns[name, default: []].append(column)
            case "partition":
                let parent = QualifiedName(schema: try row("item_schema"), name: item.name)
                partitions[name] = Partition(parent: parent, bound: value, definition: try row("definition"))
            default: labels[name, default: []].append(item.name)
            }
        }
    }

    private static let notNull = " NOT NULL"

    // MARK: Columns

    func columnDrift(from present: Shape) -> [Drift] {
        columns.keys.sorted().flatMap { table -> [Drift] in
            guard let there = present.columns[table], let here = columns[table] else { return [] }
            let missing = here.filter { column in !there.contains { $0.name == column.name } }
            let extra = there.filter { column in !here.contains { $0.name == column.name } }
            if let renamed = rename(missing, extra, here, there) { return [drift(table, renamed: renamed)] }
            return missing.map { drift(table, missing: $0) } + extra.map { drift(table, extra: $0) }
                + here.flatMap { column in
                    there.filter { $0.name == column.name }.flatMap { drift(table, column, from: $0) }
                }
        }
    }

    /// One column that has another name at the same place, and is otherwise the same: it was renamed.
    private func rename(
        _ missing: [Column],
        _ extra: [Column],
        _ here: [Column],
        _ there: [Column]
    ) -> (from: Identifier, to: Identifier)? {
        guard missing.count == 1, extra.count == 1, missing[0].type == extra[0].type,
            here.firstIndex(where: { $0.name == missing[0].name })
                == there.firstIndex(where: { $0.name == extra[0].name })
        else { return nil }
        return (extra[0].name, missing[0].name)
    }

    private func drift(_ table: QualifiedName, renamed names: (from: Identifier, to: Identifier)) -> Drift {
        Drift(
            table: table,
            text: "column \"\(names.from.name)\" of table \"\(table)\" is called \"\(names.to.name)\" on the source",
            remedy: "ALTER TABLE \(table) RENAME COLUMN \(names.from) TO \(names.to)"
        )
    }

    private func drift(_ table: QualifiedName, missing column: Column) -> Drift {
        Drift(
            table: table,
            text: "column \"\(column.name.name)\" of table \"\(table)\" is new on the source",
            remedy: "ALTER TABLE \(table) ADD COLUMN \(column.name) \(SQL(trusting: column.definition))"
        )
    }

    private func drift(_ table: QualifiedName, extra column: Column) -> Drift {
        Drift(
            table: table,
            text: "column \"\(column.name.name)\" of table \"\(table)\" is gone on the source",
            remedy: "ALTER TABLE \(table) DROP COLUMN \(column.name)"
        )
    }

    private func drift(_ table: QualifiedName, _ column: Column, from there: Column) -> [Drift] {
        let name = column.name
        var found: [Drift] = []
        if column.type != there.type {
            found.append(
                Drift(
                    table: table,
                    text:
                        "column \"\(column.name.name)\" of table \"\(table)\" is of type \(column.type) on the source, "
                        + "and \(there.type) on the target",
                    remedy: "ALTER TABLE \(table) ALTER COLUMN \(name) TYPE \(SQL(trusting: column.type))"
                )
            )
        }
        if column.isNotNull != there.isNotNull {
            let action: SQL = column.isNotNull ? "SET" : "DROP"
            found.append(
                Drift(
                    table: table,
                    text: "column \"\(column.name.name)\" of table \"\(table)\" "
                        + (column.isNotNull ? "is NOT NULL on the source" : "may be NULL on the source"),
                    remedy: "ALTER TABLE \(table) ALTER COLUMN \(name) \(action) NOT NULL"
                )
            )
        }
        return found
    }

    // MARK: What is not to be the same

    /// The shape that the target is to have.
    ///
    /// What may differ is taken from the target as it is.
    func mapped(by counterparts: Drift.Counterparts, onto present: Shape) -> Shape {
        var shape = self
        shape.columns = [:]
        for (name, columns) in columns {
            let table = counterparts.tables[name] ?? Drift.Counterparts.Table(name: name)
            let there = present.columns[table.name] ?? []
            let wanted = columns.filter { !table.left.contains($0.name) }.map { column -> Column in
                let name = table.names[column.name] ?? column.name
                let same = there.first { $0.name == name }
                let changed = table.types[column.name]
                return Column(
                    name: name,
                    type: changed.map { same?.type ?? $0 } ?? counterparts.type(column.type),
                    isNotNull: table.neverNull.contains(column.name) ? same?.isNotNull ?? true : column.isNotNull,
                    definition: changed ?? column.definition
                )
            }
            shape.columns[table.name] = wanted + there.filter { table.added.contains($0.name) }
        }
        shape.partitions = [:]
        for (name, partition) in partitions {
            shape.partitions[counterparts.target(of: name)] = Partition(
                parent: counterparts.target(of: partition.parent),
                bound: partition.bound,
                definition: partition.definition
            )
        }
        shape.labels = Dictionary(labels.map { (counterparts.inSchema($0), $1) }) { first, _ in first }
        return shape
    }

    // MARK: Partitions

    func partitionDrift(from present: Shape) -> [Drift] {
        partitions.keys.sorted().compactMap { name in
            guard let partition = partitions[name], present.partitions[name] == nil else { return nil }
            let root = root(of: name)
            let isTable = present.columns[name] != nil
            // A tree that the target does not have is a table that is new.
            guard present.columns[root] != nil else { return nil }
            return Drift(
                table: root,
                text: "partition \"\(name)\" of table \"\(root)\" is new on the source",
                remedy: isTable
                    ? "ALTER TABLE \(partition.parent) ATTACH PARTITION \(name) \(SQL(trusting: partition.bound))"
                    : "CREATE TABLE \(name) PARTITION OF \(partition.parent) \(SQL(trusting: partition.definition))"
            )
        }
            + present.partitions.keys.sorted().compactMap { name in
                guard let partition = present.partitions[name], partitions[name] == nil else { return nil }
                let root = present.root(of: name)
                guard columns[root] != nil else { return nil }
                let isTable = columns[name] != nil
                return Drift(
                    table: root,
                    text:
                        "partition \"\(name)\" of table \"\(root)\" is \(isTable ? "detached" : "gone") on the source",
                    remedy: isTable
                        ? "ALTER TABLE \(partition.parent) DETACH PARTITION \(name)" : "DROP TABLE \(name)"
                )
            }
    }

    private func root(of name: QualifiedName) -> QualifiedName {
        var current = name
        while let parent = partitions[current]?.parent { current = parent }
        return current
    }

    // MARK: Enums

    func labelDrift(from present: Shape) -> [Drift] {
        labels.keys.sorted().flatMap { type -> [Drift] in
            guard let here = labels[type], let there = present.labels[type] else { return [] }
            return here.indices.filter { place in !there.contains { $0.utf8.elementsEqual(here[place].utf8) } }.map {
                place in
                let position: SQL = place > 0 ? " AFTER \(literal: here[place - 1])" : " BEFORE \(literal: here[1])"
                return Drift(
                    table: nil,
                    text: "label \"\(here[place])\" of type \"\(type)\" is new on the source",
                    remedy: "ALTER TYPE \(type) ADD VALUE \(literal: here[place])\(here.count > 1 ? position : "")"
                )
            }
        }
    }
}
