import Catalog
import Postgres
import Sync

/// What the rules make of one table of the source.
struct MappedTable: Sendable, Hashable {
    /// A column that only the target has.
    struct Added: Sendable, Hashable {
        let name: Identifier
        let type: SQL
        /// What the server computes it from; nil leaves it null.
        let expression: SQL?
    }

    /// A key that is made on the target.
    struct Key: Sendable, Hashable {
        let name: Identifier
        /// The columns, as the target calls them.
        let columns: [Identifier]
        let isUniqueIndex: Bool
    }

    /// The table on the source.
    let oid: UInt32
    var map: TableMap
    /// The columns that stay behind, with their numbers.
    var removed: [(name: Identifier, number: Int)] = []
    var added: [Added] = []
    var key: Key?
    /// The columns of the filter.
    var filtered: Set<Identifier> = []
    /// The higher, the earlier it is copied.
    var order: Int?
    /// What happens to it, in words, each with the rules that say so.
    var story: [String] = []

    static func == (left: Self, right: Self) -> Bool { left.oid == right.oid && left.map == right.map }
    func hash(into hasher: inout Hasher) { hasher.combine(oid) }
}
