import Postgres
import Synchronization

/// Tells whether a partition was emptied, rewritten, dropped or detached since a comparison began.
///
/// A partitioned table is followed as a whole, so a TRUNCATE of one partition is not in the stream.
/// But it gives the partition a new file, as a rewrite does, and as a TRUNCATE of the whole table does, which is in the stream.
final class PartitionFiles: Sendable {
    private struct Partition: Hashable {
        let file: UInt32
        /// The table at the top that it is a partition of.
        let root: UInt32
    }

    private let compared = Mutex<[UInt32: Partition]?>(nil)

    /// Notes the files as they are when a comparison of everything begins.
    func note(_ server: Connection) throws(PostgresError) {
        let partitions = try Self.read(server)
        compared.withLock { $0 = partitions }
    }

    /// The OIDs of the tables of which a partition has another file than was noted, or is gone.
    func changedTables(on server: Connection) throws(PostgresError) -> Set<UInt32> {
        Self.changed(from: compared.withLock(\.self), to: try Self.read(server))
    }

    /// As ``changedTables(on:)``, and notes the files as they are.
    func takeChangedTables(on server: Connection) throws(PostgresError) -> Set<UInt32> {
        let now = try Self.read(server)
        let before = compared.withLock { noted in
            defer { noted = now }
            return noted
        }
        return Self.changed(from: before, to: now)
    }

    private static func changed(from before: [UInt32: Partition]?, to now: [UInt32: Partition]) -> Set<UInt32> {
        Set((before ?? [:]).filter { now[$0.key] != $0.value }.values.map(\.root))
    }

    /// Every partition that holds rows, by its OID.
    private static func read(_ server: Connection) throws(PostgresError) -> [UInt32: Partition] {
        let partitions: SQL = """
            SELECT oid, relfilenode AS file, pg_partition_root(oid)::oid AS root
              FROM pg_class WHERE relispartition AND relkind = 'r'
            """
        var files: [UInt32: Partition] = [:]
        for row in try server.query(partitions) {
            files[try row("oid", as: UInt32.self)] = Partition(file: try row("file"), root: try row("root"))
        }
        return files
    }
}
