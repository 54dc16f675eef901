import Catalog
import Postgres

/// Rows from one server into another one, as text, which any other version reads.
struct RowCopy {
    private let old: Connection
    private let new: Connection

    init(from old: Connection, to new: Connection) {
        (self.old, self.new) = (old, new)
    }

    /// Copies the rows of a table into a new one of the same name; children that inherit have rows of their own.
    func copy(_ table: QualifiedName) throws(PostgresError) {
        let columns = SQL.joined(try Self.columns(of: table, on: old).map { "\($0)" as SQL })
        _ = try new.copyIn("COPY \(table) (\(columns)) FROM STDIN", from: old, "COPY \(table) (\(columns)) TO STDOUT") {
            _,
            _ in
        }
    }

    /// Puts the rows of a table into one that is there, without firing its triggers; returns how many it has taken.
    ///
    /// - Throws: when that one has rows, and no unique key by which those that are there already could be told.
    func merge(_ table: QualifiedName, into target: QualifiedName) throws -> Int {
        try checkKey(of: target)
        let known = Set(try Self.columns(of: target, on: new))
        let common = try Self.columns(of: table, on: old).filter(known.contains)
        guard !common.isEmpty else { return 0 }
        let columns = SQL.joined(common.map { "\($0)" as SQL })
        try new.execute(
            "CREATE TEMP TABLE martlet_rows ON COMMIT DROP AS SELECT \(columns) FROM \(target) WITH NO DATA"
        )
        _ = try new.copyIn(
            "COPY pg_temp.martlet_rows FROM STDIN",
            from: old,
            "COPY \(table) (\(columns)) TO STDOUT"
        ) { _, _ in }
        let merged = try withoutTriggers(of: target) { () throws(PostgresError) in
            try new.query(
                """
                INSERT INTO \(target) (\(columns)) OVERRIDING SYSTEM VALUE
                SELECT \(columns) FROM pg_temp.martlet_rows ON CONFLICT DO NOTHING
                """
            ).affected
        }
        try new.execute("DROP TABLE pg_temp.martlet_rows")
        return merged
    }

    private func checkKey(of target: QualifiedName) throws(PostgresError) {
        let hasKey = try !new.query(
            """
            SELECT FROM pg_index WHERE indrelid = to_regclass($1) AND indisunique AND indisvalid AND indimmediate
               AND indpred IS NULL
            """,
            target.quoted
        ).isEmpty
        guard !hasKey else { return }
        guard try !new.query("SELECT FROM \(target) LIMIT 1").isEmpty else { return }
        throw PostgresError(
            "cannot merge rows into table \"\(target)\"",
            detail: "It has rows and no unique key, so nobody could tell which of the lost ones it has already.",
            hint: "Rename it, bring the lost one back, and merge them by hand."
        )
    }

    /// Lets what triggers would do undone: the rows are those that were there, and what they caused has been caused.
    ///
    /// Where there are triggers the table is locked against writers (SHARE ROW EXCLUSIVE) until the end of the transaction.
    private func withoutTriggers(
        of target: QualifiedName,
        _ body: () throws(PostgresError) -> Int
    ) throws(PostgresError) -> Int {
        let triggers = try new.query(
            """
            SELECT n.nspname, c.relname, t.tgname, t.tgenabled::text AS state
              FROM (SELECT to_regclass($1)::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree(to_regclass($1))) AS tree
              JOIN pg_trigger AS t ON t.tgrelid = tree.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'
              JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
            """,
            target.quoted
        ).map { row throws(PostgresError) in
            (
                table: QualifiedName(schema: try row("nspname"), name: try row("relname")),
                name: try row("tgname", as: Identifier.self), state: try row("state", as: String.self)
            )
        }
        for trigger in triggers {
            try new.execute("ALTER TABLE ONLY \(trigger.table) DISABLE TRIGGER \(trigger.name)")
        }
        let result = try body()
        if !triggers.isEmpty { try new.execute("SET CONSTRAINTS ALL IMMEDIATE") }
        for trigger in triggers {
            let state: SQL = trigger.state == "A" ? "ALWAYS " : trigger.state == "R" ? "REPLICA " : ""
            try new.execute("ALTER TABLE ONLY \(trigger.table) ENABLE \(state)TRIGGER \(trigger.name)")
        }
        return result
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
}
