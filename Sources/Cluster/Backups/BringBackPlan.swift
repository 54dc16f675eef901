import Catalog
import Postgres

/// What is made again, where rows are copied to, and into which tables that are there they are merged.
struct BringBackPlan {
    let lost: LostObjects
    /// What is to be made.
    let made: [LostObjects.Object]
    /// The relations among it.
    let madeRelations: [LostObjects.Relation]
    /// Tables that are made, and get their rows.
    let copied: [LostObjects.Relation]
    /// Tables whose rows go into one that is there: itself, or the one that it is a partition of.
    private(set) var merged: [(table: LostObjects.Relation, target: QualifiedName)]
    /// The tables that rows are merged into.
    var targets: [QualifiedName] {
        var seen: Set<QualifiedName> = []
        return merged.map(\.target).filter { seen.insert($0).inserted }
    }

    /// Plans for what was lost and is missing; a TRUNCATE has taken rows only.
    init(_ lost: LostObjects, missing: [LostObjects.Object], _ kind: TableLoss.Kind) {
        self.lost = lost
        let gone = Set(missing.filter { $0.catalog == LostObjects.relationCatalog }.map(\.oid))
        // A partition that is not there any more belongs to a table that is, which has its own way to be cut.
        func isCovered(_ relation: LostObjects.Relation) -> Bool {
            relation.root != relation.oid && lost.relations[relation.root] != nil && !gone.contains(relation.root)
        }
        func isThere(_ relation: LostObjects.Relation) -> Bool { !gone.contains(relation.oid) || isCovered(relation) }
        // Definitions of a table that is there are its own.
        made =
            kind == .emptied
            ? []
            : missing.filter { object in
                guard let owner = lost.owner(of: object) else { return true }
                return !isThere(owner)
            }
        let oids = Set(made.filter { $0.catalog == LostObjects.relationCatalog }.map(\.oid))
        madeRelations = lost.relations("r", "p", "f", "v", "m", "S").filter { oids.contains($0.oid) }
        let tables = lost.relations("r")
        copied = tables.filter { oids.contains($0.oid) }
        merged = tables.filter(isThere).map { table in
            (table, isCovered(table) ? lost.relations[table.root]?.name ?? table.name : table.name)
        }
    }

    /// Leaves tables alone that inherit from one that was emptied, and were not.
    mutating func leaveOut(
        where isWhole: (QualifiedName) throws(PostgresError) -> Bool,
        but main: UInt32
    ) throws(PostgresError) {
        var rest: [(table: LostObjects.Relation, target: QualifiedName)] = []
        for entry in merged {
            if entry.table.root != main, try isWhole(entry.target) { continue }
            rest.append(entry)
        }
        merged = rest
    }
}
