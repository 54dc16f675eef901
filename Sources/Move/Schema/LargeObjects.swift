import Catalog
import Postgres

/// The large objects of a database, which are in no stream: they are compared by content, and copied where they differ.
struct LargeObjects {
    /// One of them.
    private struct Entry: Hashable {
        let bytes: Int
        /// As it is written in a statement; nil where owners do not count.
        let owner: String?
        /// The statements that give it its rights and comment.
        let properties: String

        /// The statements that give a new one what it is to have; each of them takes a lock that is kept until the end.
        func statements(for oid: UInt32, owner present: String) -> [String] {
            let ownership = owner.flatMap { $0 == present ? nil : "ALTER LARGE OBJECT \(oid) OWNER TO \($0)" }
            return [ownership, properties.isEmpty ? nil : properties].compactMap(\.self)
        }
    }

    private typealias Object = (key: UInt32, value: Entry)

    /// How many are dropped in one transaction, or made with statements of their own: each takes a lock that is kept until the end.
    private static let batch = 500
    /// How many are made in one transaction at most.
    private static let batchObjects = 10_000
    /// How many bytes go through a temporary table at once, as long as it is not one object.
    private static let batchBytes = 64 << 20

    let options: SchemaArchive.Options

    /// Makes the large objects on `to` as they are on `from`, with owners, privileges and comments; returns how many had to be made.
    ///
    /// Those that are equal stay; those that are gone on `from` are removed, unless they were on the target before the
    /// move. May be repeated: what was done before a failure is equal.
    @discardableResult
    func copy(from: Connection, to: Connection) async throws -> Int {
        let (wanted, present) = (try read(from), try read(to))
        let alike = wanted.filter { $0.value == present[$0.key] }.map { ($0.key, $0.value.bytes) }
        let same = try Self.digests(of: alike, on: from).intersection(Self.digests(of: alike, on: to))
        let equal = Set(same.map(\.oid))
        let gone = present.keys.filter { !equal.contains($0) }.sorted()
        for start in stride(from: 0, to: gone.count, by: Self.batch) {
            try to.query("SELECT lo_unlink(o) FROM unnest($1::oid[]) AS o", Array(gone[start...].prefix(Self.batch)))
        }
        let new = wanted.filter { !equal.contains($0.key) }.sorted { $0.key < $1.key }
        guard !new.isEmpty else { return 0 }
        let owner: String = try to.query("SELECT quote_ident(current_user) AS name").first?("name") ?? ""
        for batch in Self.batches(new, owner: owner) {
            try await to.transaction { try make(batch, owner: owner, from: from, to: to) }
        }
        return new.count
    }

    private func make(
        _ batch: ArraySlice<Object>,
        owner: String,
        from: Connection,
        to: Connection
    ) throws(PostgresError) {
        try to.execute(
            """
            CREATE TEMPORARY TABLE martlet_lo (oid oid, start bigint, content bytea) ON COMMIT DROP;
            ALTER TABLE pg_temp.martlet_lo ALTER content SET STORAGE EXTERNAL
            """
        )
        let lengths = SQL.joined(batch.map { "(\($0.key)::oid, \($0.value.bytes)::bigint)" })
        _ = try to.copyIn(
            "COPY pg_temp.martlet_lo FROM STDIN (FORMAT binary)",
            from: from,
            """
            COPY (SELECT o, page << 20, lo_get(o, page << 20, 1 << 20) FROM (VALUES \(lengths)) AS l (o, bytes),
                         generate_series(0, greatest(bytes - 1, 0) >> 20) AS page) TO STDOUT (FORMAT binary)
            """
        ) { _, _ in }
        try to.execute(
            """
            SELECT lo_from_bytea(oid, content) FROM pg_temp.martlet_lo WHERE start = 0;
            SELECT lo_put(oid, start, content) FROM pg_temp.martlet_lo WHERE start > 0
            """
        )
        // The server wrote them, and quoted the names.
        let statements = batch.flatMap { $0.value.statements(for: $0.key, owner: owner) }
        if !statements.isEmpty { try to.execute(SQL(trusting: statements.joined(separator: "; "))) }
    }

    private static func batches(_ all: [Object], owner: String) -> [ArraySlice<Object>] {
        var batches: [ArraySlice<Object>] = []
        var (start, bytes, locked) = (0, 0, 0)
        for (place, object) in all.enumerated() {
            bytes += object.value.bytes
            locked += object.value.statements(for: object.key, owner: owner).isEmpty ? 0 : 1
            let isFull = place + 1 - start == batchObjects || locked == batch || bytes >= batchBytes
            guard isFull || place + 1 == all.count else { continue }
            batches.append(all[start...place])
            (start, bytes, locked) = (place + 1, 0, 0)
        }
        return batches
    }

    private struct Digest: Hashable {
        let oid: UInt32
        let digest: String
    }

    private static func digests(
        of objects: [(oid: UInt32, bytes: Int)],
        on connection: Connection
    ) throws(PostgresError) -> Set<Digest> {
        guard !objects.isEmpty else { return [] }
        let rows = try connection.query(MoveSQL.largeObjectDigests, objects.map(\.oid), objects.map(\.bytes))
        return Set(
            try rows.map { row throws(PostgresError) in Digest(oid: try row("oid"), digest: try row("digest")) }
        )
    }

    /// All of them but those that are no part of the move, because they were on the target before.
    private func read(_ connection: Connection) throws(PostgresError) -> [UInt32: Entry] {
        var entries: [UInt32: Entry] = [:]
        let rows = try connection.query(MoveSQL.largeObjects, options.keepsOwners, options.keepsPrivileges)
        for row in rows {
            entries[try row("oid")] = Entry(
                bytes: try row("bytes"),
                owner: try row.optional("owner"),
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
