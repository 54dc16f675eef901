import Catalog
import Postgres

/// A table as one lane sees it: how the source's columns lie in the target's row, and what must be kept in order.
final class LaneTable {
    /// How changes of a table may be applied.
    enum Mode {
        /// Folded to one net change per key and sent as sets.
        case folded
        /// One statement per change, in the order of the source.
        case ordered
    }

    struct Column {
        let name: Identifier
        /// The OID of the type on the target.
        let type: UInt32
        /// Whether its values are names of other objects, which must be there.
        let isReference: Bool
        let declaredType: SQL
        /// Whether equality of the type can be asked; json, xml and point have none.
        let comparesAsText: Bool
        /// Whether values that are equal are the same.
        let isExact: Bool
        let isKey: Bool
        /// The key's equality, with its schema: our search_path has no extensions.
        let equality: SQL
        /// Whether an UPDATE may set it.
        let isSettable: Bool
        /// What becomes of its values.
        let change: ValueChange?
    }

    /// The OID of the table on the source, by which the stream calls it.
    let relation: UInt32
    let name: QualifiedName
    /// What it is called on the server that is followed, by which people name it.
    let followedName: QualifiedName
    /// `ONLY` for a table that others inherit from; a partitioned table cannot be named so.
    let only: SQL
    let rowType: UInt32
    /// The columns as the stream sends them; nothing is known of those that stay behind.
    let columns: [Column?]
    /// Places of the columns that are not left behind.
    let places: [Int]
    /// Places of the key among ``columns``; empty when the whole row is the key.
    let keyPlaces: [Int]
    /// For every column of the target's row type, in order: its type and its place among ``columns``, or nil for one that is not sent.
    let rowLayout: [(type: UInt32, place: Int?)]
    /// Whether an UPDATE has to delete and insert, because GENERATED ALWAYS forbids to set a column.
    let updatesByReplacing: Bool
    /// Whether a column outside the key is of a domain that may refuse NULL, so that no row array can leave it out.
    let refusesNulls: Bool
    /// Whether TRUNCATE would fail because a foreign key points here.
    let isReferenced: Bool
    /// Changes of transactions that committed before it are in the copy already.
    let watermark: LSN

    private(set) var mode: Mode
    let changes: ChangeSet
    private var trips = 0

    init(
        relation: PgOutput.Relation,
        target: Table,
        map: TableMap?,
        isReferenced: Bool,
        watermark: LSN
    ) throws(PostgresError) {
        self.relation = relation.id
        name = target.name
        followedName = relation.name
        only = target.kind == .partitioned ? "" : "ONLY "
        rowType = target.rowType
        self.watermark = watermark
        self.isReferenced = isReferenced
        let keyNames = Set(target.key.map(\.identifier))
        let equalities = Dictionary(
            uniqueKeysWithValues: zip(target.key.map(\.identifier), target.identityIndex?.equality ?? [])
        )
        var places: [Identifier: Int] = [:]
        let columns = try relation.columns.enumerated().map { place, sent throws(PostgresError) -> Column? in
            let (sentName, name) = (Identifier(sent.name), map?.target(Identifier(sent.name)) ?? Identifier(sent.name))
            if map?.left.contains(sentName) == true { return nil }
            guard let column = target.columns.first(where: { $0.identifier == name }) else {
                throw Self.missing(column: name.name, of: target)
            }
            places[column.identifier] = place
            return Column(
                name: column.identifier,
                type: column.type.oid,
                isReference: column.type.isReference,
                declaredType: SQL(trusting: column.declaredType),
                comparesAsText: !column.type.portability.hash,
                isExact: column.type.isExact,
                isKey: keyNames.contains(column.identifier),
                equality: SQL(trusting: equalities[column.identifier] ?? "="),
                isSettable: !column.isIdentityAlways,
                change: map?.changes[sentName]
            )
        }
        self.columns = columns
        self.places = columns.indices.filter { columns[$0] != nil }
        keyPlaces = target.key.compactMap { places[$0.identifier] }
        rowLayout = target.columns.map { ($0.type.oid, $0.isGenerated ? nil : places[$0.identifier]) }
        let hasIdentityOutsideKey = target.columns.contains { $0.isIdentityAlways && !keyNames.contains($0.identifier) }
        refusesNulls = target.columns.contains { $0.type.refusesNull && !keyNames.contains($0.identifier) }
        let refusesRowArrays = zip(target.columns, rowLayout).contains { $0.type.refusesNull && $1.place == nil }
        updatesByReplacing = target.columns.contains(where: \.isIdentityAlways)
        mode = keyPlaces.isEmpty || hasIdentityOutsideKey || refusesRowArrays ? .ordered : .folded
        changes = ChangeSet(keyPlaces: keyPlaces)
    }

    /// Notes that a group with this table had to be replayed; a table that does so often is kept in order from then on.
    func trip() {
        trips += 1
        if trips >= 3 { mode = .ordered }
    }

    /// Whether the row arrays cannot carry the table's rows.
    var settablePlaces: [Int] { places.filter { !self[$0].isKey && self[$0].isSettable } }

    /// A column that is not left behind.
    subscript(place: Int) -> Column {
        guard let column = columns[place] else { preconditionFailure("a column that stays behind was asked for") }
        return column
    }

    private static func missing(column: String, of table: Table) -> PostgresError {
        PostgresError(
            "table \"\(table.name)\" on the target has no column \"\(column)\"",
            detail: "The column was added on the source after the move began; changes of structure are not followed.",
            hint: "Add the column on the target as it is on the source, or as it was before it was dropped there; "
                + "the table then goes on by itself.",
            sqlState: "42703"
        )
    }
}
