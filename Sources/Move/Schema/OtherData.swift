import Catalog
import Postgres

/// Copies what is not in tables: sequences and large objects.
///
/// None of it is in the stream.
enum OtherData {
    /// Sets every sequence on `to` to where it stands on `from`; returns how many.
    ///
    /// Exact: the next value drawn on either server is the same. One round trip for all.
    @discardableResult
    static func copySequences(from: Connection, to: Connection) throws(PostgresError) -> Int {
        let sequences = try Sequence.readAll(from)
        let known = Set(try Sequence.readAll(to).map(\.name))
        let common = sequences.filter { known.contains($0.name) }
        guard !common.isEmpty else { return 0 }
        try to.query(
            """
            SELECT setval(format('%I.%I', schema, name)::regclass, value, is_called)
              FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bool[]) AS s (schema, name, value, is_called)
            """,
            common.map(\.name.schema),
            common.map(\.name.name),
            common.map { $0.lastValue ?? $0.start },
            common.map { $0.lastValue != nil }
        )
        return common.count
    }

    /// Makes the large objects on `to` as they are on `from`; returns how many had to be copied.
    ///
    /// Those that are equal stay; those that are gone on `from` are removed.
    @discardableResult
    static func copyLargeObjects(from: Connection, to: Connection) async throws -> Int {
        let wanted = try digests(from)
        let present = try digests(to)
        guard wanted != present else { return 0 }
        let gone = present.keys.filter { wanted[$0] != present[$0] }
        let new = wanted.keys.filter { wanted[$0] != present[$0] }.sorted()
        try await to.transaction {
            try to.query("SELECT lo_unlink(o) FROM unnest($1::oid[]) AS o", gone.sorted())
            try to.execute("CREATE TEMPORARY TABLE martlet_lo (oid oid, content bytea) ON COMMIT DROP")
            let list = SQL.joined(new.map { "\($0)" })
            if !new.isEmpty {
                _ = try to.copyIn(
                    "COPY pg_temp.martlet_lo FROM STDIN (FORMAT binary)",
                    from: from,
                    "COPY (SELECT o, lo_get(o) FROM unnest(ARRAY[\(list)]::oid[]) AS o) TO STDOUT (FORMAT binary)"
                ) { _, _ in }
            }
            try to.execute("SELECT lo_from_bytea(oid, content) FROM pg_temp.martlet_lo")
        }
        return new.count
    }

    private static func digests(_ connection: Connection) throws(PostgresError) -> [UInt32: String] {
        var digests: [UInt32: String] = [:]
        for row in try connection.query(MoveSQL.largeObjects) { digests[try row("oid")] = try row("digest") }
        return digests
    }
}
