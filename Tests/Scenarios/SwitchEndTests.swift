import Foundation
import Postgres
import TestSupport
import Testing

/// How switches end, and what is left of those that did not happen.
struct SwitchEndTests {
    private static let table: SQL = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"
    private static let slots: SQL = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"

    @Test(.timeLimit(.minutes(5)))
    func `what nobody waits for any more is not begun`() async throws {
        try await withMove(of: Self.table) { move in
            try await move.follow {
                // No process has such a number.
                try await execute(
                    move.target,
                    "INSERT INTO martlet.request (kind, arguments, asker) VALUES ('abort', '{\"dropsCopy\": true}', 2000000000)"
                )
                try await move.mustBeEqual()
                #expect(try await ask(move.target, "SELECT state FROM martlet.request WHERE kind = 'abort'") == "asked")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func `no slot stays that nobody will read`(hasWayBack: Bool) async throws {
        try await withMove(of: Self.table) { move in
            try await move.follow(then: .none) {
                if hasWayBack {
                    try await move.must("cutover")
                    try await move.must("rollback")
                } else {
                    try await move.must("cutover", "--no-rollback")
                }
            }
            for place in [move.source, move.target] { #expect(try await ask(place, Self.slots) == "0", "\(place)") }
            try await move.must("finish")
            #expect(try await move.leftovers() == "")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a table that was made anew on the new server is in the way of a rollback, also after a restart`() async throws
    {
        try await withMove(of: Self.table) { move in
            let first = try await move.run("migrate") { process in
                try await move.untilFollowing(process)
                try await move.must("cutover")
                try await execute(
                    move.target,
                    "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"
                )
                kill(process, SIGTERM)
            }
            #expect(first.status == 130, "\(first.error)")
            let second = try await move.run("migrate") { _ in
                try await move.untilWaiting(in: "reversing")
                let refused = try await move.run("rollback")
                #expect(refused.status == 1)
                #expect(refused.error.contains(#"table "public.t" was dropped and made anew"#), "\(refused.error)")
                try await move.must("finish")
            }
            #expect(second.status == 0, "\(second.error)")
        }
    }

    /// To drop a trigger takes a lock that who only reads is in the way of.
    @Test(.timeLimit(.minutes(5)))
    func `a cutover is undone beside a long report, and the next one succeeds beside it`() async throws {
        try await withMove(of: Self.table) { move in
            let migration = try await move.stopping(at: "forward: before drain").run("migrate") { process in
                try await move.untilFollowing(process)
                try await withConnection(to: move.source) { report in
                    try report.execute("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE")
                    let withdrawn = try await move.run("cutover") { asker in
                        try await TestMove.untilStopped(process)
                        kill(asker, SIGINT)
                        try await eventually("it is withdrawn") {
                            try await ask(move.target, "SELECT state FROM martlet.request") == "withdrawn"
                        }
                        kill(process, SIGCONT)
                    }
                    #expect(withdrawn.status == 130, "\(withdrawn.error)")
                    try await execute(move.source, "INSERT INTO t VALUES (2)")
                    try await move.mustBeEqual()
                    try await move.must("cutover")
                    #expect(try await ask(move.target, "SELECT phase FROM martlet.migration") == "reversing")
                }
                try await move.must("finish")
            }
            #expect(migration.status == 0, "\(migration.error)")
            #expect(try await move.leftovers() == "")
        }
    }

    /// Without pg_read_all_stats the server does not tell how old a transaction is.
    @Test(.timeLimit(.minutes(5)))
    func `a comparison waits for transactions that its role may not see`() async throws {
        let rights = { (role: Identifier) -> (SQL, SQL) in
            ("REVOKE pg_monitor FROM \(role)", "REVOKE pg_monitor FROM \(role)")
        }
        try await withManagedMove(of: Self.table, rights: rights) { managed in
            try await managed.move.follow {
                try await withConnection(to: managed.sourceAdmin) { writer in
                    try writer.execute("BEGIN; INSERT INTO t VALUES (2)")
                    async let verdict = managed.move.run("verify")
                    try await eventually("the blocker is named") {
                        let said: SQL = "SELECT report::text LIKE '%of user%' FROM martlet.status"
                        return try await ask(managed.move.target, said) == "t"
                    }
                    try writer.execute("COMMIT")
                    let outcome = try await verdict
                    #expect(outcome.status == 0, "\(outcome.output)\(outcome.error)")
                }
            }
        }
    }
}
