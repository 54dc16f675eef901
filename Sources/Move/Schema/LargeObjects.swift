import Catalog
import Postgres

/// The large objects of a database, which are in no stream: they are compared by content, and copied where they differ.
struct LargeObjects {
    /// One of them.
    private struct Entry: Hashable {
        let bytes: Int
        let digest: String
        /// The statements that give it its owner, rights and comment.
        let properties: String
    }

    /// How many are made in one transaction: to drop one, or to change its owner, takes a lock that is kept until the end.
    private static let batch = 500
    /// How many bytes go through a temporary table at once, as long as it is not one object.
    private static let batchBytes = 256 << 20

    let options: SchemaArchive.Options

    /// Makes the large objects on `to` as they are on `from`, with owners, privileges and comments; returns how many had to be made.
    ///
    /// Those that are equal stay; those that are gone on `from` are removed, unless they were on the target before the
    /// move. May be repeated: what was done before a failure is equal.
    @discardableResult
    func copy(from: Connection, to: Connection) async throws -> Int {
        let wanted = try read(from)
        let present = try read(to)
        guard wanted != present else { return 0 }
        let gone = present.keys.filter { wanted[$0] != present[$0] }.sorted()
        for start in stride(from: 0, to: gone.count, by: Self.batch) {
            try to.query("SELECT lo_unlink(o) FROM unnest($1::oid[]) AS o", Array(gone[start...].prefix(Self.batch)))
        }
        let new = wanted.filter { $0.value != present[$0.key] }.sorted { $0.key < $1.key }
        for batch in Self.batches(new) {
            try await to.transaction { try make(batch, from: from, to: to) }
        }
        return new.count
    }

    private func make(
        _ batch: ArraySlice<(key: UInt32, value: Entry)>,
        from: Connection,
        to: Connection
    ) throws(PostgresError) {
        let list = SQL.joined(batch.map { "\($0.key)" })
        try to.execute("CREATE TEMPORARY TABLE martlet_lo (oid oid, start bigint, content bytea) ON COMMIT DROP")
        try to.execute("SELECT lo_create(o) FROM unnest(ARRAY[\(list)]::oid[]) AS o")
        let lengths = SQL.joined(batch.map { "(\($0.key)::oid, \($0.value.bytes)::bigint)" })
        _ = try to.copyIn(
            "COPY pg_temp.martlet_lo FROM STDIN (FORMAT binary)",
            from: from,
            """
            COPY (SELECT o, page << 20, lo_get(o, page << 20, 1 << 20) FROM (VALUES \(lengths)) AS l (o, bytes),
                         generate_series(0, greatest(bytes - 1, 0) >> 20) AS page) TO STDOUT (FORMAT binary)
            """
        ) { _, _ in }
        try to.execute("SELECT lo_put(oid, start, content) FROM pg_temp.martlet_lo")
        // The server wrote them, and quoted the names.
        try to.execute(SQL(trusting: batch.map(\.value.properties).joined(separator: "; ")))
    }

    private static func batches(_ all: [(key: UInt32, value: Entry)]) -> [ArraySlice<(key: UInt32, value: Entry)>] {
        var batches: [ArraySlice<(key: UInt32, value: Entry)>] = []
        var (start, bytes) = (0, 0)
        for (place, object) in all.enumerated() {
            bytes += object.value.bytes
            guard place + 1 - start == batch || bytes >= batchBytes || place + 1 == all.count else { continue }
            batches.append(all[start...place])
            (start, bytes) = (place + 1, 0)
        }
        return batches
    }

    /// All of them but those that are no part of the move, because they were on the target before.
    private func read(_ connection: Connection) throws(PostgresError) -> [UInt32: Entry] {
        var entries: [UInt32: Entry] = [:]
        let rows = try connection.query(MoveSQL.largeObjects, options.keepsOwners, options.keepsPrivileges)
        for row in rows {
            entries[try row("oid")] = Entry(
                bytes: try row("bytes"),
                digest: try row("digest"),
                properties: try row("properties")
            )
        }
        guard !entries.isEmpty,
            try connection.query("SELECT FROM pg_class WHERE oid = to_regclass('martlet.before')").count > 0
        else { return entries }
        for row in try connection.query(
            "SELECT oid FROM martlet.before WHERE catalog = 'pg_largeobject_metadata'::regclass"
        ) {
            entries[try row("oid")] = nil
        }
        return entries
    }
}
