import Catalog
import Foundation
public import Postgres

/// Brings a lost table back into its database, with what went with it.
public struct BringBack: Sendable {
    /// What came of it.
    public struct Report: Sendable {
        /// Each table that holds rows, how many it had, and how many there are now.
        public internal(set) var tables: [(name: QualifiedName, before: Int, now: Int)] = []
        /// How many rows were put into tables that were there.
        public internal(set) var merged: Int?
        /// What was made again, for people.
        public internal(set) var objects: [String] = []
        /// What could not be, and why, for people.
        public internal(set) var problems: [String] = []
    }

    private let sandboxes: Sandboxes
    private let source: BackupSource
    private let server: ConnectionString?
    private let database: String
    private let loss: TableLoss

    /// Brings back what `loss` took from a database of a server whose backups are kept.
    ///
    /// `server` is where it runs; of a sandbox, and of a server whose backups martlet keeps, that is known.
    public init(
        from source: BackupSource,
        to server: ConnectionString? = nil,
        database: String,
        _ loss: TableLoss,
        _ sandboxes: Sandboxes = Sandboxes()
    ) {
        (self.source, self.server, self.database, self.loss, self.sandboxes) =
            (source, server, database, loss, sandboxes)
    }

    /// Restores a server beside as it was before the loss, copies the table and all that went with it, and removes that server.
    ///
    /// Definitions, rows and indexes come in one transaction. Then materialized views are filled and foreign keys added, NOT VALID
    /// first and then validated; what of that fails is reported, and does not undo the rest. A lock on a live table is waited for
    /// ten seconds at most. With `merges` rows go into a table of this name that is there: those whose keys it has already stay
    /// away, its definitions stay as they are, and its triggers do not fire.
    ///
    /// - Throws: when there is a table of this name and `merges` is false, when the server is not the one that the backups are of, or
    ///   what the servers say; nothing is changed then.
    public func run(merges: Bool, progress: @escaping @Sendable (String) -> Void) async throws -> Report {
        let target = try await Self.target(source, server, database: database, sandboxes)
        let isThere = try await withNeutralConnection(to: target, application: "martlet restore") { session in
            try session.query("SELECT FROM pg_class WHERE oid = to_regclass($1)", loss.name.quoted).first != nil
        }
        guard merges || !isThere || loss.kind == .emptied else { throw isThereAlready }
        let name = "back-\(UInt32.random(in: 0 ... .max))"
        progress("restoring a server as it was before the loss")
        let restore = Restore(of: source, to: .lsn(loss.place), sandboxes)
        // Should martlet be killed, the next one removes it.
        let restored = try await restore.run(as: name, expires: .now.addingTimeInterval(86_400)) { _ in }
        do {
            guard let place = restored.sandbox.ownConnection?.with("dbname", database) else {
                throw PostgresError("the server that was restored has gone")
            }
            let report = try await bring(from: place, into: target, merges: merges, progress)
            try await withoutCancellation { try await sandboxes.remove(name) }
            return report
        } catch {
            // The first failure is the one to tell.
            try? await withoutCancellation { try await sandboxes.remove(name) }
            throw error
        }
    }

    /// The database that tables go back to.
    ///
    /// - Throws: when it cannot be reached, is one of a standby, or of a server that the backups are not of.
    @discardableResult
    public static func target(
        _ source: BackupSource,
        _ server: ConnectionString?,
        database: String,
        _ sandboxes: Sandboxes = Sandboxes()
    ) async throws -> ConnectionString {
        let found: CopySource
        if case .sandbox(let name) = source, server == nil {
            found = try await Backups(of: sandboxes).source(of: name)
        } else if let server {
            found = try await CopySource.read(server.with("dbname", database), title: server.place)
        } else {
            throw PostgresError("nobody has said where \(source.title) runs")
        }
        guard !found.isRecovering else {
            throw PostgresError("server \(found.title) is a standby", hint: "Name its primary.")
        }
        let system = try await source.archive(sandboxes).list().last?.system ?? ""
        guard system.isEmpty || found.system == system else {
            throw PostgresError(
                "server \(found.title) is not the one that the backups are of",
                detail: "Its system identifier is \(found.system), and theirs is \(system).",
                hint: "To take a table elsewhere, restore a server and move it from there: martlet restore server"
            )
        }
        return found.connection.with("dbname", database)
    }

    private var isThereAlready: PostgresError {
        PostgresError(
            "there is a table \"\(loss.name)\" in database \"\(database)\"",
            hint: "To put the rows of the lost one into it: --merge. Rows whose keys it has already stay away."
        )
    }

    private func bring(
        from place: ConnectionString,
        into target: ConnectionString,
        merges: Bool,
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> Report {
        try await withNeutralConnection(to: place, application: "martlet restore") { old in
            try await withNeutralConnection(to: target, application: "martlet restore") { new in
                let oid = try old.query("SELECT to_regclass($1)::oid AS oid", loss.name.quoted).first?
                    .optional("oid", as: UInt32.self)
                guard let oid else { throw PostgresError("the restored server has no table \"\(loss.name)\"") }
                let lost = try LostObjects(of: oid, on: old)
                var plan = BringBackPlan(lost, missing: try lost.missing(on: new), loss.kind)
                if loss.kind == .emptied {
                    try plan.leaveOut(
                        where: { table throws(PostgresError) in try !Self.isEmpty(table, on: new) },
                        but: oid
                    )
                }
                // A table that a TRUNCATE has left empty asks for its rows by itself.
                let isEmpty = try loss.kind == .emptied && plan.targets.allSatisfy { try Self.isEmpty($0, on: new) }
                guard merges || plan.merged.isEmpty || isEmpty else { throw isThereAlready }
                var report = try await make(plan, place, old, new, progress)
                try await finish(plan, old, new, progress, &report)
                try count(plan, old, new, &report)
                return report
            }
        }
    }

    private static func isEmpty(_ table: QualifiedName, on session: Connection) throws(PostgresError) -> Bool {
        try session.query(
            """
            SELECT FROM \(table) WHERE tableoid IN
                   (SELECT relid FROM pg_partition_tree(to_regclass($1)) UNION SELECT to_regclass($1)) LIMIT 1
            """,
            table.quoted
        ).isEmpty
    }

    // MARK: In one transaction

    private func make(
        _ plan: BringBackPlan,
        _ place: ConnectionString,
        _ old: Connection,
        _ new: Connection,
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> Report {
        try await LostDefinitions.with(plan.made, of: plan.lost, at: place, old, new) { definitions in
            var report = Report()
            report.objects = plan.made.filter { $0.isNamed && !definitions.isLeftOut($0) }.map(\.title)
            report.problems = definitions.leftOut
            try await new.transaction {
                progress("making what was lost")
                try await new.execute(definitions.beforeRows())
                try new.execute("SET LOCAL lock_timeout = '10s'")
                for table in plan.copied {
                    progress("copying table \(table.name)")
                    try RowCopy(from: old, to: new).copy(table.name)
                }
                for (table, target) in plan.merged {
                    progress("merging rows into table \(target)")
                    report.merged =
                        try (report.merged ?? 0) + RowCopy(from: old, to: new).merge(table.name, into: target)
                }
                try setSequences(plan, old, new)
                progress("building indexes")
                try await new.execute(definitions.afterRows())
                for relation in plan.madeRelations { try revokeExtras(of: relation, old, new) }
            }
            try new.useNeutralSettings()
            return report
        }
    }

    /// Sets new sequences to where they were; one that was there is not set back.
    private func setSequences(_ plan: BringBackPlan, _ old: Connection, _ new: Connection) throws(PostgresError) {
        let made = Set(plan.made.map(\.oid))
        for sequence in plan.lost.relations("S") {
            guard let row = try old.query("SELECT last_value, is_called FROM \(sequence.name)").first else { continue }
            let last: Int = try row("last_value")
            if made.contains(sequence.oid) {
                let isCalled: Bool = try row("is_called")
                try new.query(
                    "SELECT setval(to_regclass($1), $2::bigint, $3::boolean)",
                    sequence.name.quoted,
                    last,
                    isCalled
                )
            } else {
                try advance(sequence.name.quoted, to: last, on: new)
            }
        }
        for target in plan.targets {
            let columns = try new.query(
                """
                SELECT attname, pg_get_serial_sequence($1, attname) AS sequence FROM pg_attribute
                 WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
                   AND atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                   AND pg_get_serial_sequence($1, attname) IS NOT NULL
                """,
                target.quoted
            )
            for column in columns {
                let (name, sequence): (Identifier, String) = (try column("attname"), try column("sequence"))
                let ends = try new.query(
                    "SELECT max(\(name))::bigint AS most, min(\(name))::bigint AS least FROM \(target)"
                ).first
                for end in ["most", "least"] {
                    guard let value = try ends?.optional(end, as: Int.self) else { continue }
                    try advance(sequence, to: value, on: new)
                }
            }
        }
    }

    /// Moves a sequence on, in the direction in which it goes, and never back.
    private func advance(_ sequence: String, to value: Int, on new: Connection) throws(PostgresError) {
        try new.query(
            """
            SELECT setval(s.seqrelid::regclass, $2::bigint) FROM pg_sequence AS s
             WHERE s.seqrelid = to_regclass($1) AND $2::bigint BETWEEN s.seqmin AND s.seqmax
               AND CASE WHEN s.seqincrement > 0
                        THEN $2::bigint > coalesce(pg_sequence_last_value(s.seqrelid), s.seqstart - 1)
                        ELSE $2::bigint < coalesce(pg_sequence_last_value(s.seqrelid), s.seqstart + 1) END
            """,
            sequence,
            value
        )
    }

    /// Takes away what default privileges of the database have added to a relation.
    private func revokeExtras(
        of relation: LostObjects.Relation,
        _ old: Connection,
        _ new: Connection
    ) throws(PostgresError) {
        func rights(_ session: Connection) throws(PostgresError) -> Set<[String?]> {
            Set(
                try session.query(
                    """
                    SELECT a.privilege_type AS name, CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END AS role
                      FROM pg_class AS c, aclexplode(coalesce(c.relacl,
                           acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner))) AS a
                     WHERE c.oid = to_regclass($1)
                    """,
                    relation.name.quoted
                ).map { row throws(PostgresError) in
                    [try row("name", as: String.self), try row.optional("role", as: String.self)]
                }
            )
        }
        for extra in try rights(new).subtracting(rights(old)) {
            // The server's own words for rights.
            guard let name = extra[0], name.allSatisfy({ $0.isASCII && $0.isLetter }) else { continue }
            let role: SQL = extra[1].map { "\(Identifier($0))" } ?? "PUBLIC"
            let kind: SQL = relation.kind == "S" ? "SEQUENCE" : "TABLE"
            try new.execute("REVOKE \(SQL(trusting: name)) ON \(kind) \(relation.name) FROM \(role)")
        }
    }

    // MARK: After it

    /// Fills materialized views and adds foreign keys; what fails does not undo the rest.
    private func finish(
        _ plan: BringBackPlan,
        _ old: Connection,
        _ new: Connection,
        _ progress: @escaping @Sendable (String) -> Void,
        _ report: inout Report
    ) async throws {
        for view in plan.madeRelations where view.kind == "m" && view.isPopulated {
            progress("filling materialized view \(view.name)")
            await note(&report, "materialized view \(view.name)") {
                try new.execute("REFRESH MATERIALIZED VIEW \(view.name)")
            }
        }
        progress("checking foreign keys")
        let keys = try old.query(
            """
            SELECT k.conname, n.nspname, c.relname, c.relkind, pg_get_constraintdef(k.oid) AS definition
              FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE k.oid = ANY ($1::oid[]) AND k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conname
            """,
            plan.made.filter { $0.catalog == 2606 }.map(\.oid)
        )
        for row in keys {
            let table = QualifiedName(schema: try row("nspname"), name: try row("relname"))
            let name: Identifier = try row("conname")
            let definition = SQL(trusting: try row("definition"))
            // Of partitioned tables the server takes them whole only.
            let isWhole =
                try row("relkind", as: String.self) == "p"
                || [" NOT VALID", " NOT ENFORCED"].contains { definition.text.hasSuffix($0) }
            await note(&report, "foreign key \(name.quoted) of \(table)") {
                try await patiently(on: new) {
                    try new.execute(
                        "ALTER TABLE \(table) ADD CONSTRAINT \(name) \(definition)\(isWhole ? "" : " NOT VALID" as SQL)"
                    )
                }
                guard !isWhole else { return }
                try await patiently(on: new) { try new.execute("ALTER TABLE \(table) VALIDATE CONSTRAINT \(name)") }
            }
        }
    }

    private func note(_ report: inout Report, _ what: String, _ body: () async throws -> Void) async {
        do { try await body() } catch {
            report.problems.append("\(what): \((error as? PostgresError)?.line ?? "\(error)")")
        }
    }

    /// Asks for locks a moment at a time, so that nobody queues behind us for long.
    private func patiently(on session: Connection, _ body: () throws -> Void) async throws {
        for attempt in 1...30 {
            do {
                try session.execute("SET lock_timeout = '1s'")
                try body()
                return try session.execute("SET lock_timeout = 0")
            } catch let error as PostgresError {
                guard error.sqlState == "55P03", attempt < 30 else { throw error }
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private func count(
        _ plan: BringBackPlan,
        _ old: Connection,
        _ new: Connection,
        _ report: inout Report
    ) throws(PostgresError) {
        func rows(_ table: QualifiedName, _ session: Connection) throws(PostgresError) -> Int {
            try session.query("SELECT count(*) AS rows FROM \(table)").first?("rows") ?? 0
        }
        func rowsAlone(_ table: QualifiedName, _ session: Connection) throws(PostgresError) -> Int {
            try session.query("SELECT count(*) AS rows FROM ONLY \(table)").first?("rows") ?? 0
        }
        for table in plan.copied {
            report.tables.append((table.name, try rowsAlone(table.name, old), try rowsAlone(table.name, new)))
        }
        for target in plan.targets {
            var before = 0
            for (table, place) in plan.merged where place == target { before += try rowsAlone(table.name, old) }
            report.tables.append((target, before, try rows(target, new)))
        }
    }
}
