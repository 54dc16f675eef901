import Postgres
import Synchronization

/// Tells whether a partition was emptied, rewritten, dropped or detached since a comparison began.
///
/// A partitioned table is followed as a whole, so a TRUNCATE of one partition is not in the stream.
/// But it gives the partition a new file, as a rewrite does.
final class PartitionFiles: Sendable {
    private let compared = Mutex<[UInt32: UInt32]?>(nil)

    /// Notes the files as they are when a comparison of everything begins.
    func note(_ server: Connection) throws(PostgresError) {
        let files = try Self.read(server)
        compared.withLock { $0 = files }
    }

    /// The partitions whose file is another one than before the last comparison, or that are gone, by their OIDs.
    func changed(on server: Connection) throws(PostgresError) -> [UInt32] {
        guard let before = compared.withLock({ $0 }) else { return [] }
        let now = try Self.read(server)
        return before.filter { now[$0.key] != $0.value }.keys.sorted()
    }

    /// The file of every partition that holds rows, by its OID.
    private static func read(_ server: Connection) throws(PostgresError) -> [UInt32: UInt32] {
        var files: [UInt32: UInt32] = [:]
        for row in try server.query("SELECT oid, relfilenode FROM pg_class WHERE relispartition AND relkind = 'r'") {
            files[try row("oid", as: UInt32.self)] = try row("relfilenode", as: UInt32.self)
        }
        return files
    }
}
