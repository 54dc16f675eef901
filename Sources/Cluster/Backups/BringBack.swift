import Catalog
import Foundation
public import Postgres

/// Brings a lost table back into its database, with what went with it.
public struct BringBack: Sendable {
    /// What came of it.
    public struct Report: Sendable {
        /// Each table that holds rows, how many it had, and how many there are now.
        public internal(set) var tables: [(name: QualifiedName, before: Int, now: Int)] = []
        /// How many rows were put into a table that was there.
        public internal(set) var merged: Int?
        /// What was made again, for people.
        public internal(set) var objects: [String] = []
    }

    private let sandboxes: Sandboxes
    private let source: String
    private let database: String
    private let table: String
    private let loss: TableLoss

    /// Brings back what `loss` took from a table of a database of a sandbox.
    public init(
        from source: String,
        database: String,
        table: String,
        _ loss: TableLoss,
        _ sandboxes: Sandboxes = Sandboxes()
    ) {
        (self.source, self.database, self.table) = (source, database, table)
        (self.loss, self.sandboxes) = (loss, sandboxes)
    }

    /// Restores a server beside as it was before the loss, copies the table and all that went with it, and removes that server.
    ///
    /// Definitions, rows and indexes come in one transaction; then foreign keys, NOT VALID first and then validated, so that
    /// other tables are locked for moments only. With `merges` rows go into a table of this name that is there: those whose
    /// keys it has already stay away.
    ///
    /// - Throws: when there is a table of this name and `merges` is false, or what the servers say.
    public func run(merges: Bool, progress: @escaping @Sendable (String) -> Void) async throws -> Report {
        let target = try await Backups(of: sandboxes).source(of: source).connection.with("dbname", database)
        let exists = try await withConnection(to: target, application: "martlet restore") { session in
            try session.query("SELECT to_regclass($1) IS NOT NULL AS there", table).first?("there", as: Bool.self)
                == true
        }
        guard merges || !exists || loss.kind == .emptied else {
            throw PostgresError(
                "there is a table \"\(table)\" in database \"\(database)\"",
                hint: "To put the rows of the lost one into it: --merge. Rows whose keys it has already stay away."
            )
        }
        let name = "back-\(UInt32.random(in: 0 ... .max))"
        progress("restoring a server as it was before the loss")
        let restored = try await Restore(of: .sandbox(source), to: .lsn(loss.place), sandboxes).run(as: name) { _ in }
        do {
            guard let place = restored.sandbox.ownConnection?.with("dbname", database) else {
                throw PostgresError("the server that was restored has gone")
            }
            let report = try await bring(from: place, into: target, exists: exists, progress)
            try await withoutCancellation { try await sandboxes.remove(name) }
            return report
        } catch {
            // The first failure is the one to tell.
            try? await withoutCancellation { try await sandboxes.remove(name) }
            throw error
        }
    }

    private func bring(
        from place: ConnectionString,
        into target: ConnectionString,
        exists: Bool,
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> Report {
        let oid = try await withConnection(to: place, application: "martlet restore") { session in
            try session.query("SELECT to_regclass($1)::oid AS oid", table).first?.optional("oid", as: UInt32.self)
        }
        guard let oid else { throw PostgresError("the restored server has no table \"\(table)\"") }
        return try await withNeutralConnection(to: place, application: "martlet restore") { old in
            try await withNeutralConnection(to: target, application: "martlet restore") { new in
                let lost = try LostObjects(of: oid, on: old)
                let missing = try lost.missing(on: new)
                var report = Report()
                if exists {
                    progress("merging rows")
                    report.merged = try await merge(lost, old, new)
                }
                try await make(missing, lost, place, old, new, copies: !exists, progress)
                for table in lost.tables {
                    let counts = try [old, new].map { session throws(PostgresError) -> Int in
                        try session.query("SELECT count(*) AS rows FROM \(table)").first?("rows") ?? 0
                    }
                    report.tables.append((table, counts[0], counts[1]))
                }
                report.objects = missing.filter(\.isNamed).map(\.title)
                return report
            }
        }
    }

    // MARK: What is not there

    private func make(
        _ missing: [LostObjects.Object],
        _ lost: LostObjects,
        _ place: ConnectionString,
        _ old: Connection,
        _ new: Connection,
        copies: Bool,
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws {
        guard !missing.isEmpty else { return }
        let folder = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // What cannot be removed is definitions only, in a folder of temporary files.
        defer { try? FileManager.default.removeItem(at: folder) }
        let archive = try await SchemaArchive.dump(
            place,
            snapshot: nil,
            excluding: [],
            options: .init(),
            with: .server(major: old.majorVersion),
            to: folder.appending(path: "schema")
        )
        let places = Dictionary(grouping: missing, by: \.catalog).mapValues { Set($0.map(\.oid)) }
        let kept = archive.leavingOut { entry in
            let isForeignKey = entry.description.hasPrefix("FK CONSTRAINT")
            return isForeignKey
                || places[entry.catalog]?.contains(entry.oid) != true && !archive.isPart(entry, of: places)
        }
        try await new.transaction {
            progress("making what was lost")
            try await new.execute(kept.pieces(.preData)[0].script())
            if copies {
                for table in lost.tables {
                    progress("copying table \(table)")
                    try copy(table, from: old, to: new)
                }
                try setSequences(lost, old, new)
            }
            progress("building indexes")
            try await new.execute(kept.pieces(.postData)[0].script())
        }
        try new.useNeutralSettings()
        progress("checking foreign keys")
        try addForeignKeys(places[2606] ?? [], old, new)
    }

    /// Copies the rows of a table as text, which any other version reads.
    private func copy(_ table: QualifiedName, from old: Connection, to new: Connection) throws(PostgresError) {
        let columns = SQL.joined(try Self.columns(of: table, on: old).map { "\($0)" as SQL })
        _ = try new.copyIn("COPY \(table) (\(columns)) FROM STDIN", from: old, "COPY \(table) (\(columns)) TO STDOUT") {
            _,
            _ in
        }
    }

    private static func columns(of table: QualifiedName, on session: Connection) throws(PostgresError) -> [Identifier] {
        try session.query(
            """
            SELECT attname FROM pg_attribute
             WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
            """,
            table.quoted
        ).map { row throws(PostgresError) in try row("attname") }
    }

    private func setSequences(_ lost: LostObjects, _ old: Connection, _ new: Connection) throws(PostgresError) {
        for sequence in lost.sequences {
            guard let row = try old.query("SELECT last_value, is_called FROM \(sequence)").first else { continue }
            try new.query(
                "SELECT setval(to_regclass($1), $2::bigint, $3::boolean)",
                sequence.quoted,
                try row("last_value", as: Int.self),
                try row("is_called", as: Bool.self)
            )
        }
    }

    /// Adds foreign keys, which hold for new rows at once and are looked at for old ones while others write.
    private func addForeignKeys(_ oids: Set<UInt32>, _ old: Connection, _ new: Connection) throws(PostgresError) {
        let keys = try old.query(
            """
            SELECT k.conname, n.nspname, c.relname, c.relkind, pg_get_constraintdef(k.oid) AS definition
              FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE k.oid = ANY ($1::oid[]) AND k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conname
            """,
            oids.sorted()
        )
        for row in keys {
            let table = QualifiedName(schema: try row("nspname"), name: try row("relname"))
            let name: Identifier = try row("conname")
            let definition = SQL(trusting: try row("definition"))
            // Of partitioned tables the server takes them whole only.
            let isWhole = try row("relkind", as: String.self) == "p" || definition.text.hasSuffix(" NOT VALID")
            try new.execute(
                "ALTER TABLE \(table) ADD CONSTRAINT \(name) \(definition)\(isWhole ? "" : " NOT VALID" as SQL)"
            )
            if !isWhole { try new.execute("ALTER TABLE \(table) VALIDATE CONSTRAINT \(name)") }
        }
    }

    // MARK: A table that is there

    /// Puts the lost rows into the table that is there; returns how many it has taken.
    private func merge(_ lost: LostObjects, _ old: Connection, _ new: Connection) async throws -> Int {
        var merged = 0
        try await new.transaction {
            for table in lost.tables {
                let known = Set(try Self.columns(of: table, on: new))
                let columns = SQL.joined(
                    try Self.columns(of: table, on: old).filter(known.contains).map { "\($0)" as SQL }
                )
                guard !known.isEmpty, !columns.text.isEmpty else { continue }
                try new.execute(
                    "CREATE TEMP TABLE martlet_rows ON COMMIT DROP AS SELECT \(columns) FROM \(table) WITH NO DATA"
                )
                _ = try new.copyIn(
                    "COPY pg_temp.martlet_rows FROM STDIN",
                    from: old,
                    "COPY \(table) (\(columns)) TO STDOUT"
                ) { _, _ in }
                merged += try new.query(
                    """
                    INSERT INTO \(table) (\(columns)) OVERRIDING SYSTEM VALUE
                    SELECT \(columns) FROM pg_temp.martlet_rows ON CONFLICT DO NOTHING
                    """
                ).affected
                try new.execute("DROP TABLE pg_temp.martlet_rows")
            }
            for sequence in lost.sequences {
                // One that is ahead stays where it is.
                try new.query(
                    """
                    SELECT setval(to_regclass($1), greatest($2::bigint, pg_sequence_last_value(to_regclass($1)::oid)))
                     WHERE to_regclass($1) IS NOT NULL
                    """,
                    sequence.quoted,
                    try old.query("SELECT last_value FROM \(sequence)").first?("last_value", as: Int.self)
                )
            }
        }
        return merged
    }
}
