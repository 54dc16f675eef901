import Postgres
import Synchronization

/// Tells whether a table was emptied, rewritten, given a column, dropped or detached since the position of a comparison.
///
/// The stream tells nothing of a rewrite (ALTER TABLE … USING, a new column with a volatile default), of what a new column's
/// default was, nor, because a partitioned table is followed as a whole, of a TRUNCATE of one partition. But a rewrite and a
/// TRUNCATE give a table a new file, and no number of a column is given twice.
final class ComparedFiles: Sendable {
    private struct Table: Hashable {
        let file: UInt32
        /// How many columns it has ever had.
        let columns: Int
        /// The table at the top that it is a partition of, or itself.
        let root: UInt32
    }

    private let compared = Mutex<[UInt32: Table]?>(nil)

    /// Notes the files as a comparison of everything sees them.
    func note(_ server: Connection) throws(PostgresError) {
        let tables = try Self.read(server)
        compared.withLock { $0 = tables }
    }

    /// The OIDs of the tables that have, or a partition of which has, another file or another column than was noted, or is gone.
    func changedTables(on server: Connection) throws(PostgresError) -> Set<UInt32> {
        Self.changed(from: compared.withLock(\.self), to: try Self.read(server))
    }

    /// As ``changedTables(on:)``, and notes the files as they are seen.
    func takeChangedTables(on server: Connection) throws(PostgresError) -> Set<UInt32> {
        let now = try Self.read(server)
        let before = compared.withLock { noted in
            defer { noted = now }
            return noted
        }
        return Self.changed(from: before, to: now)
    }

    private static func changed(from before: [UInt32: Table]?, to now: [UInt32: Table]) -> Set<UInt32> {
        Set((before ?? [:]).filter { now[$0.key] != $0.value }.values.map(\.root))
    }

    /// Every table that holds rows, by its OID.
    private static func read(_ server: Connection) throws(PostgresError) -> [UInt32: Table] {
        let question: SQL = """
            SELECT oid, relfilenode AS file, relnatts AS columns, coalesce(pg_partition_root(oid)::oid, oid) AS root
              FROM pg_class WHERE relkind = 'r' AND relpersistence = 'p' AND oid >= 16384
            """
        var tables: [UInt32: Table] = [:]
        for row in try server.query(question) {
            tables[try row("oid", as: UInt32.self)] = Table(
                file: try row("file"),
                columns: try row("columns"),
                root: try row("root")
            )
        }
        return tables
    }
}
