import Catalog
import Engine
import Foundation
import Postgres
import Sync

/// Keeps everybody from writing to the tables of one server: the database refuses, not the application.
///
/// A statement trigger on every table raises an error for INSERT, UPDATE, DELETE and TRUNCATE. All
/// of them are made in one transaction that first takes SHARE ROW EXCLUSIVE on all tables: so it
/// waits until every transaction that has written has ended, and one that writes later meets the
/// trigger. It holds for every role, superusers too, for sessions that were open before, and for those with
/// `session_replication_role = replica`; it does not depend on martlet staying alive. Only sessions that say
/// `SET martlet.passes = 'yes'` pass, which those of the reverse stream do. What a subscription writes fires no
/// statement trigger, so an enabled one is an obstacle to the cutover.
///
/// It is opened before it is taken down. To drop a trigger takes ACCESS EXCLUSIVE, and whoever waits for
/// that makes writers wait: autovacuum gives way only after a second, a report or a dump when it ends.
/// So the function of the triggers is replaced first, which lets everybody in at once and waits for no table.
struct Fence {
    static let kind = "fence"

    let tables: [Table]
    let side: Journal.Side
    /// How martlet writes to that side, once its writers are stopped.
    var role = SessionRole.replica

    private static let trigger: Identifier = "martlet_fence"
    private static let gate = Gate(lockTimeout: .milliseconds(250), attempts: 20, pause: .milliseconds(250))

    /// Puts the fence up.
    ///
    /// The locks are asked for a moment at a time: while we wait for one, writers wait for us. Who holds a table may wait for one
    /// that we have already; then the next try begins with the table that could not be got, and so finds the order in
    /// which the writers take them.
    ///
    /// `locked`: called when the lock is got, from which moment on writers stand still.
    /// Throws, after the last try, an error that names the sessions in the way; nothing is left behind then.
    func raise(on server: Connection, journal: Connection, locked: () -> Void) async throws {
        try Journal.note(object, on: journal)
        try await server.transaction {
            try OwnSchema.make(on: server)
            // Triggers that an earlier try had to leave obey it at once.
            if try server.query("SELECT WHERE to_regprocedure('martlet.fence()') IS NULL").count > 0 {
                try server.execute(MoveSQL.fence)
            }
            // Elsewhere the journal is in it, on which the operator may have granted something.
            if side == .source { try OwnSchema.close(on: server) }
        }
        var order = tables.map(Self.lock)
        var tries = 0
        do {
            try await Self.gate.pass(server) {
                tries += 1
                if tries <= 3 { try sendAutovacuumAway(on: server) }
                do throws(PostgresError) {
                    let block = "BEGIN\n\(.joined(order, separator: ";\n"));\nEND" as SQL
                    try server.execute("DO \(literal: block.text)")
                } catch {
                    // PL/pgSQL names the statement that it was at.
                    if let place = order.firstIndex(where: { error.context?.contains($0.text) == true }) {
                        order.insert(order.remove(at: place), at: 0)
                    }
                    throw error
                }
                locked()
                try server.execute(MoveSQL.fence)
                try server.execute(.joined(tables.map(creation), separator: "; "))
                // The old server is written to next, by the way back. The locks are held already.
                if side == .source {
                    try ReplicaTriggers(side: side, role: role, tables: tables.map(\.oid))
                        .suspend(on: server, journal: journal)
                }
            }
        } catch let error as PostgresError where error.isTransient {
            throw try refusal(error, on: server)
        }
    }

    /// Has autovacuum let go of the tables, and keeps it away until the transaction ends.
    ///
    /// It gives way to who has waited for a second (`deadlock_timeout`), four times as long as we let writers wait for us.
    /// Nobody who writes waits for this lock. One that prevents a wraparound stays, and ends the try.
    private func sendAutovacuumAway(on server: Connection) throws(PostgresError) {
        let held = try server.query(
            """
            SELECT DISTINCT l.relation AS oid, current_setting('lock_timeout') AS usual
              FROM pg_locks l JOIN pg_stat_activity a USING (pid)
             WHERE l.relation = ANY ($1::oid[]) AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'
               -- No other process that takes such a lock is nobody's. What kind it is, not everybody may see.
               AND a.usesysid IS NULL AND a.datname = current_database()
            """,
            tables.map(\.oid)
        )
        guard let usual = try held.first?("usual", as: String.self) else { return }
        let oids = Set(try held.map { row throws(PostgresError) in try row("oid", as: UInt32.self) })
        let locks = tables.filter { oids.contains($0.oid) }
            .map { "LOCK TABLE ONLY \($0.name) IN SHARE UPDATE EXCLUSIVE MODE" as SQL }
        try server.execute("SET LOCAL lock_timeout = '3s'; \(.joined(locks, separator: "; "))")
        try server.execute("SET LOCAL lock_timeout = \(literal: usual)")
    }

    /// Lets writers in to all tables at once; does nothing where no fence is, and may be repeated.
    static func open(on server: Connection) throws(PostgresError) {
        try server.execute(MoveSQL.fenceOpen)
    }

    /// Whether the fence is there and lets everybody in.
    static func isOpen(on server: Connection) throws(PostgresError) -> Bool {
        try !server.query("SELECT FROM pg_proc WHERE oid = to_regprocedure('martlet.fence()') AND prosrc !~ 'RAISE'")
            .isEmpty
    }

    /// The tables that have a trigger of the fence, or, with `holding`, only those where it keeps out everybody.
    static func tables(on server: Connection, holding: Bool = false) throws(PostgresError) -> [QualifiedName] {
        var tables: [QualifiedName] = []
        for row in try server.query(MoveSQL.fenceTriggers) {
            let holds: Bool = try row("holds")
            if holds || !holding { tables.append(QualifiedName(schema: try row("nspname"), name: try row("relname"))) }
        }
        return tables
    }

    /// Drops the triggers of an open fence, each by itself and for a moment at a time, so that nobody waits long.
    ///
    /// May be repeated. A trigger whose table somebody holds on to for long stays, for the undo in the journal, which insists.
    static func drop(on server: Connection) async throws {
        // Writers are at work again: whoever waits for the lock makes them wait.
        let gate = Gate(lockTimeout: .milliseconds(50), attempts: 40, pause: .milliseconds(250))
        for table in try tables(on: server) {
            do {
                try await gate.pass(server) {
                    try server.execute("DROP TRIGGER IF EXISTS \(Self.trigger) ON \(table)")
                }
            } catch let error as PostgresError where error.isTransient {}
        }
    }

    private static func lock(_ table: Table) -> SQL {
        "LOCK TABLE ONLY \(table.name) IN SHARE ROW EXCLUSIVE MODE"
    }

    /// The journal's entry, whose undo takes the fence down.
    var object: Journal.Object {
        let drops = tables.map { table -> SQL in
            "DROP TRIGGER IF EXISTS \(Self.trigger) ON \(table.name)"
        }
        return Journal.Object(
            side: side,
            kind: Self.kind,
            name: "fence on the \(side.rawValue)",
            undo: .joined(drops, separator: ";\n")
        )
    }

    private func creation(_ table: Table) -> SQL {
        """
        CREATE OR REPLACE TRIGGER \(Self.trigger) BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON \(table.name) \
        FOR EACH STATEMENT EXECUTE FUNCTION martlet.fence();
        ALTER TABLE \(table.name) ENABLE ALWAYS TRIGGER \(Self.trigger)
        """
    }

    private func refusal(_ error: PostgresError, on server: Connection) throws -> PostgresError {
        let rows = try server.query(
            """
            SELECT DISTINCT format('pid %s, application "%s", user "%s", %s since %s s, query: %s', a.pid, a.application_name,
                                   a.usename, a.state, extract(epoch FROM now() - a.xact_start)::int,
                                   left(regexp_replace(a.query, '\\s+', ' ', 'g'), 60)) AS who
              FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
             WHERE l.relation = ANY ($1::oid[]) AND l.granted AND a.pid <> pg_backend_pid()
               AND a.datname = current_database() AND a.xact_start IS NOT NULL
               AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                              'ExclusiveLock', 'AccessExclusiveLock')
            UNION ALL
            SELECT format('prepared transaction "%s"', gid) FROM pg_prepared_xacts WHERE database = current_database()
            """,
            tables.map(\.oid)
        )
        let who = try rows.map { row throws(PostgresError) in try row("who", as: String.self) }
        return PostgresError(
            "could not stop the writers of the \(side.rawValue): a transaction holds on to its tables",
            detail: who.isEmpty ? error.message : "In the way were: " + who.joined(separator: "; ") + ".",
            hint: "End these transactions, with pg_terminate_backend(pid) if need be, then run the command again."
        )
    }
}
