public import Catalog
public import Postgres

/// How one table is found again on the other server: by which names, with which rows, columns and values.
public struct TableMap: Sendable, Hashable {
    /// Its name where rows come from.
    public var source: QualifiedName
    /// Its name where they go.
    public var target: QualifiedName
    /// The columns that are called otherwise there, by their names here.
    public var names: [Identifier: Identifier] = [:]
    /// The columns that stay behind.
    public var left: Set<Identifier> = []
    /// The columns whose values are changed, by their names on the source.
    public var changes: [Identifier: ValueChange] = [:]
    /// The columns that only the target has.
    public var added: Set<Identifier> = []
    /// The columns of a key that only the target has, by their names on the source.
    public var keyed: Set<Identifier> = []
    /// Which rows are taken, as a condition on the source's columns; nil takes all.
    public var filter: SQL?

    /// Describes a table that is called as it was until told otherwise.
    public init(_ source: QualifiedName, target: QualifiedName? = nil) {
        self.source = source
        self.target = target ?? source
    }

    /// What a column is called on the target.
    public func target(_ column: Identifier) -> Identifier { names[column] ?? column }

    /// Whether nothing but names differs, so that rows can come back.
    public var isReversible: Bool {
        left.isEmpty && changes.isEmpty && added.isEmpty && keyed.isEmpty && filter == nil
    }

    /// Whether it says nothing.
    public var isPlain: Bool { isReversible && source == target && names.isEmpty }

    /// The way back; only for one that is reversible.
    var reversed: TableMap {
        var map = TableMap(target, target: source)
        for (from, to) in names { map.names[to] = from }
        return map
    }

    /// The same before the target's tables and columns have got their names.
    var unrenamed: TableMap {
        var map = self
        (map.target, map.names) = (source, [:])
        return map
    }
}

/// The tables that are not moved as they are; all others are the same on both servers.
public struct TableMaps: Sendable, Hashable {
    /// No table is changed.
    public static let none = TableMaps([])

    private let bySource: [QualifiedName: TableMap]
    private let sources: [QualifiedName: QualifiedName]
    /// Schemas that are called otherwise on the target, for what is not a table.
    public let schemas: [Identifier: Identifier]
    /// The columns of the source's tables about which the rules were asked; nil asks nothing.
    private let columns: [QualifiedName: Set<Identifier>]?

    /// Keeps those that say something.
    ///
    /// `columns` are all those of the tables on the source: one that is not among them must not arrive, because rules may say
    /// something about it.
    public init(
        _ maps: [TableMap],
        schemas: [Identifier: Identifier] = [:],
        columns: [QualifiedName: Set<Identifier>]? = nil
    ) {
        let maps = maps.filter { !$0.isPlain }
        bySource = Dictionary(maps.map { ($0.source, $0) }) { first, _ in first }
        sources = Dictionary(maps.map { ($0.target, $0.source) }) { first, _ in first }
        self.schemas = schemas
        self.columns = columns
    }

    /// Whether the rules were asked about a column of a table of the source.
    public func knows(_ column: Identifier, of table: QualifiedName) -> Bool {
        columns.map { $0[table]?.contains(column) == true } ?? true
    }

    /// All of them.
    public var all: [TableMap] { bySource.values.sorted { $0.source < $1.source } }

    /// What is said of a table of the source.
    public subscript(table: QualifiedName) -> TableMap? { bySource[table] }

    /// What a table of the source is called on the target.
    public func target(of table: QualifiedName) -> QualifiedName { bySource[table]?.target ?? table }

    /// What a table of the target was called on the source.
    public func source(of table: QualifiedName) -> QualifiedName { sources[table] ?? table }

    /// What anything that is not a table is called on the target.
    public func targetInSchema(_ name: QualifiedName) -> QualifiedName {
        QualifiedName(schema: schemas[Identifier(name.schema)]?.name ?? name.schema, name: name.name)
    }

    /// Whether values must travel as text, because some are changed.
    public var changesValues: Bool { bySource.values.contains { !$0.changes.isEmpty } }

    /// Whether anything has another name on the target.
    public var renames: Bool {
        !schemas.isEmpty || bySource.values.contains { $0.source != $0.target || !$0.names.isEmpty }
    }

    /// Whether rows can come back.
    public var isReversible: Bool { bySource.values.allSatisfy(\.isReversible) }

    /// The way back.
    public var reversed: TableMaps {
        TableMaps(
            bySource.values.map(\.reversed),
            schemas: Dictionary(schemas.map { ($1, $0) }) { first, _ in first }
        )
    }

    /// The same before the target's objects have got their names.
    public var unrenamed: TableMaps { TableMaps(bySource.values.map(\.unrenamed), columns: columns) }

    /// What tables and columns are to be on the target, for a look at how they have become different.
    public var counterparts: Drift.Counterparts {
        Drift.Counterparts(
            tables: bySource.mapValues { map in
                Drift.Counterparts.Table(
                    name: map.target,
                    names: map.names,
                    left: map.left,
                    added: map.added,
                    types: map.changes.mapValues(\.targetType.text),
                    neverNull: map.keyed
                )
            },
            schemas: schemas
        )
    }
}
