import Catalog
import Engine
import Postgres
import Synchronization

/// The large objects of a database, which are in no stream: they are compared by content, and copied where they differ.
struct LargeObjects {
    /// What a pass has made equal, so that the next one looks only at what was changed since.
    struct Mark: Sendable {
        /// The oldest transaction that ran when the pass began; the pass has seen all before it.
        fileprivate let transaction: Int
        fileprivate let objects: [UInt32]
        fileprivate let described: [UInt32]
    }

    /// One of them.
    private struct Entry: Hashable, Sendable {
        let bytes: Int
        /// As it is written in a statement; nil where owners do not count.
        let owner: SQL?
        /// The statements that give it its rights and comment.
        let properties: SQL
        let isDescribed: Bool

        /// The statements that give a new one what it is to have; each of them takes a lock that is kept until the end.
        func statements(for oid: UInt32, owner present: SQL) -> [SQL] {
            let ownership = owner.flatMap { $0 == present ? nil : "ALTER LARGE OBJECT \(oid) OWNER TO \($0)" as SQL }
            return [ownership, properties == "" ? nil : properties].compactMap(\.self)
        }
    }

    private typealias Object = (key: UInt32, value: Entry)

    /// How many are dropped in one transaction, or made with statements of their own by all sessions at once: each takes a lock
    /// that is kept until the end.
    private static let batch = 500
    /// How many are made in one transaction at most.
    private static let batchObjects = 10_000
    /// How many bytes are hashed, or go through a temporary table, at once, as long as it is not one object.
    private static let batchBytes = 64 << 20

    /// How long transactions that have changed large objects may keep the writers waiting.
    private static let patience = Duration.seconds(2)

    let options: SchemaArchive.Options
    /// How many sessions on each server work at once.
    let jobs: Int
    var throttle = Throttle.none
    /// Gets how many bytes were copied, and how many are to be copied in all.
    var tell: @Sendable (_ done: Int, _ all: Int) -> Void = { _, _ in }

    /// Makes the large objects on `to` as they are on `from`, with owners, privileges and comments.
    ///
    /// Those that are equal stay; those that are gone on `from` are removed, unless they were on the target before the
    /// move. May be repeated: what was done before a failure is equal.
    func copy(from: Connection, to: Connection) async throws -> Mark {
        let transaction = try Self.oldestTransaction(on: from)
        let wanted = try await copy(nil, from, to)
        return Mark(
            transaction: transaction,
            objects: Array(wanted.keys),
            described: wanted.filter(\.value.isDescribed).map(\.key)
        )
    }

    /// Copies what was changed since ``copy(from:to:)``, when writers have been stopped; waits for transactions that may have
    /// changed some and go on.
    ///
    /// What was not changed is not hashed again. Where the role may not look into `pg_largeobject`, everything is.
    func copy(from: Connection, to: Connection, since mark: Mark) async throws {
        try await waitForWriters(on: from)
        guard try Self.canLook(into: from) else {
            _ = try await copy(nil, from, to)
            return
        }
        let changed = try Self.changed(on: from, since: mark.transaction, mark.objects, mark.described)
        guard !changed.isEmpty else { return }
        _ = try await copy(changed, from, to)
    }

    /// Those that were changed on a server since a transaction, or are gone.
    private static func changed(
        on server: Connection,
        since transaction: Int,
        _ objects: [UInt32] = [],
        _ described: [UInt32] = []
    ) throws(PostgresError) -> [UInt32] {
        // The rows tell the last 32 bits of a transaction, and so no more than whether it is of the last half round.
        let isLongAgo = try nextTransaction(on: server) >= transaction + (1 << 31)
        let rows =
            isLongAgo
            ? try server.query("SELECT oid FROM pg_largeobject_metadata")
            : try server.query(
                MoveSQL.changedLargeObjects,
                String(UInt32(truncatingIfNeeded: transaction)),
                objects,
                described
            )
        return try rows.map { row throws(PostgresError) in try row("oid") }
    }

    /// Brings back what was changed on `from` since the cutover to `to`, which tables that were not moved go on using.
    ///
    /// What was changed there stays, and nothing is removed. The journal knows since when both were equal. Writers have been
    /// stopped; it waits for transactions that may have changed some and go on.
    ///
    /// - Throws: an error that names objects that were changed on both.
    func bringBack(from: Connection, to: Connection, journal: Connection) async throws {
        guard try Self.areThere(on: from) else { return }
        guard let since = try Journal.equalObjects(on: journal) else {
            throw PostgresError("the journal does not tell since when large objects may differ")
        }
        try await waitForWriters(on: from)
        let now = Journal.EqualObjects(
            source: try Self.oldestTransaction(on: to),
            target: try Self.oldestTransaction(on: from)
        )
        let changed = try Self.changed(on: from, since: since.target)
        if !changed.isEmpty {
            let (wanted, present) = (try read(from, changed), try read(to, changed))
            let same = try await unchanged(among: wanted.filter { $0.value.bytes == present[$0.key]?.bytes }, from, to)
            var different = wanted.filter { !same.contains($0.key) || $0.value != present[$0.key] }
            if !different.isEmpty {
                let theirs = Set(try Self.changed(on: to, since: since.source))
                try Self.refuse(different.keys.filter { theirs.contains($0) && !same.contains($0) })
                // What they have granted or commented stays.
                different = different.filter { !theirs.contains($0.key) }
            }
            try unlink(different.keys.filter { present[$0] != nil }.sorted(), on: to)
            try await make(different, from, to)
        }
        try Journal.note(now, on: journal)
    }

    private static func refuse(_ disputed: [UInt32]) throws(PostgresError) {
        guard !disputed.isEmpty else { return }
        let numbers = disputed.sorted().prefix(10).map(String.init).joined(separator: ", ")
        throw PostgresError(
            "large objects were changed on both servers since the cutover",
            detail: "Some tables were not moved and are in use on the old server. Objects: \(numbers)"
                + (disputed.count > 10 ? " …." : "."),
            hint:
                "Give each the same content on both (lo_put, lo_truncate). Where they are two objects of one number, give one of "
                + "them another number (lo_from_bytea(0, …)), and update what refers to it."
        )
    }

    /// Whether a server has any.
    static func areThere(on server: Connection) throws(PostgresError) -> Bool {
        try server.query("SELECT FROM pg_largeobject_metadata LIMIT 1").count > 0
    }

    /// Whether the role may see which were changed, and what they hold.
    static func canLook(into server: Connection) throws(PostgresError) -> Bool {
        try server.query("SELECT WHERE has_table_privilege('pg_largeobject', 'SELECT')").count > 0
    }

    /// The oldest transaction that runs on a server: all before it are seen by who looks now.
    static func oldestTransaction(on server: Connection) throws(PostgresError) -> Int {
        try server.query("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xid")[0]("xid")
    }

    private static func nextTransaction(on server: Connection) throws(PostgresError) -> Int {
        try server.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid")[0]("xid")
    }

    private func waitForWriters(on server: Connection) async throws {
        let end = ContinuousClock.now + Self.patience
        while case let writers = try server.query(MoveSQL.largeObjectWriters), !writers.isEmpty {
            guard ContinuousClock.now < end else {
                let sessions = try writers.map { row throws(PostgresError) in try row("pid", as: Int.self) }
                throw PostgresError(
                    "transactions that have changed large objects do not end",
                    detail: "Sessions: \(sessions.map(String.init).joined(separator: ", ")).",
                    hint: "Nothing was lost. End them, or try again when they have ended."
                )
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Copies all, or those of `scope`; returns what is on `from`.
    private func copy(_ scope: [UInt32]?, _ from: Connection, _ to: Connection) async throws -> [UInt32: Entry] {
        let (wanted, present) = (try read(from, scope), try read(to, scope))
        let equal = try await unchanged(among: wanted.filter { $0.value == present[$0.key] }, from, to)
        try unlink(present.keys.filter { !equal.contains($0) }.sorted(), on: to)
        try await make(wanted.filter { !equal.contains($0.key) }, from, to)
        return wanted
    }

    private func unlink(_ objects: [UInt32], on server: Connection) throws(PostgresError) {
        for start in stride(from: 0, to: objects.count, by: Self.batch) {
            let batch = Array(objects[start...].prefix(Self.batch))
            try server.query("SELECT lo_unlink(o) FROM unnest($1::oid[]) AS o", batch)
        }
    }

    /// Those whose content is the same on both servers.
    private func unchanged(
        among objects: [UInt32: Entry],
        _ from: Connection,
        _ to: Connection
    ) async throws -> Set<UInt32> {
        let same = Mutex<Set<UInt32>>([])
        try await eachBatch(of: objects, from, to, isLocked: { _ in false }) { batch, from, to in
            let digests = try Self.digests(of: batch, on: from).intersection(Self.digests(of: batch, on: to))
            same.withLock { $0.formUnion(digests.map(\.oid)) }
        }
        return same.withLock(\.self)
    }

    private func make(_ objects: [UInt32: Entry], _ from: Connection, _ to: Connection) async throws {
        guard !objects.isEmpty else { return }
        let owner = SQL(trusting: try to.query("SELECT quote_ident(current_user) AS name")[0]("name"))
        let all = objects.values.reduce(0) { $0 + $1.bytes }
        let done = Mutex(0)
        let isLocked = { (object: Object) in !object.value.statements(for: object.key, owner: owner).isEmpty }
        try await eachBatch(of: objects, from, to, isLocked: isLocked) { [throttle, tell] batch, from, to in
            try Self.make(batch, owner: owner, from: from, to: to, throttle)
            done.withLock {
                $0 += batch.reduce(0) { $0 + $1.value.bytes }
                tell($0, all)
            }
        }
    }

    private static func make(
        _ batch: ArraySlice<Object>,
        owner: SQL,
        from: Connection,
        to: Connection,
        _ throttle: Throttle
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
            COPY (SELECT o, page << 20, lo_get(o, page << 20, 1 << 20) FROM (VALUES \(lengths)) AS l (o, bytes)
                    JOIN pg_largeobject_metadata AS m ON m.oid = l.o,
                         generate_series(0, greatest(bytes - 1, 0) >> 20) AS page) TO STDOUT (FORMAT binary)
            """
        ) { _, bytes throws(PostgresError) in try throttle.pass(bytes) }
        let made = try to.query(
            "SELECT lo_from_bytea(oid, content) AS oid FROM pg_temp.martlet_lo WHERE start = 0"
        )
        try to.execute("SELECT lo_put(oid, start, content) FROM pg_temp.martlet_lo WHERE start > 0")
        // Some may have been dropped on the source since they were listed.
        let there = Set(try made.map { row throws(PostgresError) in try row("oid", as: UInt32.self) })
        let statements = batch.filter { there.contains($0.key) }.flatMap {
            $0.value.statements(for: $0.key, owner: owner)
        }
        if !statements.isEmpty { try to.execute(.joined(statements, separator: "; ")) }
    }

    // MARK: In batches

    /// Does the work in a transaction of `to` for each batch; several sessions share what is more than one.
    private func eachBatch(
        of objects: [UInt32: Entry],
        _ from: Connection,
        _ to: Connection,
        isLocked: (Object) -> Bool,
        _ work: @escaping @Sendable (ArraySlice<Object>, _ from: Connection, _ to: Connection) throws -> Void
    ) async throws {
        let sorted = objects.sorted { $0.key < $1.key }
        let batches = Self.batches(sorted, locks: max(1, Self.batch / jobs), isLocked: isLocked)
        let sessions = min(jobs, batches.count)
        guard sessions > 1 else {
            for batch in batches {
                try throttle.pass()
                try await to.transaction { try work(batch, from, to) }
            }
            return
        }
        let queue = WorkQueue(batches)
        let (source, target, throttle) = (from.target, to.target, throttle)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<sessions {
                group.addTask {
                    let name = "martlet large objects \(number)"
                    try await withNeutralConnection(to: target, application: name) { to in
                        try await withNeutralConnection(to: source, application: name) { from in
                            // It may have to wait for us, for hours when the copy is held.
                            try from.execute("SET tcp_user_timeout = 0")
                            while let batch = queue.next() {
                                try throttle.pass()
                                try await to.transaction { try work(batch, from, to) }
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func batches(_ all: [Object], locks: Int, isLocked: (Object) -> Bool) -> [ArraySlice<Object>] {
        var batches: [ArraySlice<Object>] = []
        var (start, bytes, locked) = (0, 0, 0)
        for (place, object) in all.enumerated() {
            bytes += object.value.bytes
            locked += isLocked(object) ? 1 : 0
            let isFull = place + 1 - start == batchObjects || locked == locks || bytes >= batchBytes
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
        of objects: ArraySlice<Object>,
        on connection: Connection
    ) throws(PostgresError) -> Set<Digest> {
        let rows = try connection.query(MoveSQL.largeObjectDigests, objects.map(\.key), objects.map(\.value.bytes))
        return Set(
            try rows.map { row throws(PostgresError) in Digest(oid: try row("oid"), digest: try row("digest")) }
        )
    }

    /// All of them, or those of `scope`, but for those that are no part of the move, because they were on the target before.
    private func read(_ connection: Connection, _ scope: [UInt32]?) throws(PostgresError) -> [UInt32: Entry] {
        var entries: [UInt32: Entry] = [:]
        let rows = try connection.query(MoveSQL.largeObjects, options.keepsOwners, options.keepsPrivileges, scope)
        for row in rows {
            entries[try row("oid")] = Entry(
                bytes: try row("bytes"),
                // The server wrote them, and quoted the names.
                owner: try row.optional("owner").map { SQL(trusting: $0) },
                properties: SQL(trusting: try row("properties")),
                isDescribed: try row("is_described")
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
