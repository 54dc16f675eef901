import Foundation
import Postgres
import TestSupport
import Testing

/// Changes of structure, and strangers' writes, while a move goes on.
struct DriftTests {
    private static let tables: SQL = """
        CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE o (id int PRIMARY KEY, t int REFERENCES t);
        INSERT INTO t SELECT n, n FROM generate_series(1, 50) AS n; INSERT INTO o SELECT n, n FROM generate_series(1, 50) AS n
        """

    @Test(.timeLimit(.minutes(5)))
    func `a new column stops its table alone, is told with its ALTER, and keeps a cutover away until it is there`()
        async throws
    {
        try await withMove(of: Self.tables) { move in
            try await move.follow(then: .finish) {
                try await execute(
                    move.source,
                    "ALTER TABLE t ADD COLUMN note text; UPDATE t SET note = 'x' WHERE id = 1; DELETE FROM o WHERE id = 2"
                )
                try await eventually("table t stands still, and the others go on") {
                    guard try await standing(move) == "t" else { return false }
                    return try await ask(move.target, "SELECT count(*) FROM o") == "49"
                }
                // What status shows is written once a second, and not in the transaction that notes the standstill.
                try await eventually("status tells it") {
                    let status = try await move.program("status", "--target", move.target.secretURI).output
                    return status.contains(#"table "public.t" stands still since"#)
                        && status.contains(#"ALTER TABLE "public"."t" ADD COLUMN "note" text;"#)
                }
                let refused = try await move.run("cutover")
                #expect(refused.status == 1)
                #expect(refused.error.contains(#"table "public.t" stands still"#), "\(refused.error)")
                try await execute(move.target, "ALTER TABLE t ADD COLUMN note text")
                try await eventually("table t goes on") { try await standing(move) == nil }
            }
            #expect(try await ask(move.target, "SELECT note FROM t WHERE id = 1") == "x")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a column that nobody has written to yet is in the way of a cutover, and so is a new partition`() async throws
    {
        let tables: SQL = """
            CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (1)
            """
        try await withMove(of: tables) { move in
            try await move.follow {
                try await execute(
                    move.source,
                    "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); ALTER TABLE p ADD COLUMN n int"
                )
                let rehearsal = try await move.run("cutover", ["--dry-run"])
                #expect(rehearsal.status == 2)
                #expect(rehearsal.output.contains(#"column "n" of table "public.p" is new"#), "\(rehearsal.output)")
                #expect(rehearsal.output.contains(#"CREATE TABLE "public"."p2" PARTITION OF"#), "\(rehearsal.output)")
                try await execute(
                    move.target,
                    "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); ALTER TABLE p ADD COLUMN n int"
                )
                try await move.must("cutover", "--dry-run")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `rows that a stranger changed on the target are brought back by verify with repair`() async throws {
        try await withMove(of: "\(Self.tables); CREATE TABLE k (v text); INSERT INTO k VALUES ('a'), ('a')") { move in
            try await move.follow(then: .finish) {
                try await execute(
                    move.target,
                    """
                    SET session_replication_role = replica; DELETE FROM t WHERE id = 7; UPDATE t SET n = 0 WHERE id = 8;
                    INSERT INTO t VALUES (1000, 1); DELETE FROM k WHERE ctid = '(0,1)'
                    """
                )
                let found = try await move.run("verify")
                #expect(found.status == 2, "\(found.output)")
                let repaired = try await move.run("verify", ["--repair"])
                #expect(repaired.status == 0, "\(repaired.output)\(repaired.error)")
                try await execute(move.source, "UPDATE t SET n = n + 1; INSERT INTO k VALUES ('b')")
            }
            #expect(try await ask(move.target, "SELECT count(*) || ' ' || sum(n) FROM t") == "50 1325")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a table that stands still because a row is missing is copied again, while it is written to`() async throws {
        try await withMove(of: Self.tables) { move in
            try await move.follow(then: .finish) {
                try await execute(move.target, "SET session_replication_role = replica; DELETE FROM t WHERE id < 20")
                try await execute(move.source, "UPDATE t SET n = 100 WHERE id < 30")
                try await eventually("table t stands still") { try await standing(move) == "t" }
                let refused = try await move.program("resync", "--target", move.target.secretURI, "--table", "nothing")
                #expect(refused.status == 1)
                #expect(refused.error.contains("no table of this move is called nothing"), "\(refused.error)")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        let places = move
                        try await withConnection(to: places.source) { writer in
                            for round in 1...40 { try writer.execute("UPDATE t SET n = n + \(round)") }
                        }
                    }
                    let done = try await move.program("resync", "--target", move.target.secretURI, "--table", "t")
                    #expect(done.status == 0, "\(done.error)")
                    #expect(done.output.contains(#"table "public.t": 50 rows copied, and caught up"#), "\(done.output)")
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a table that stands still on the way back loses nothing when a connection breaks`() async throws {
        try await withMove(of: Self.tables) { move in
            try await move.follow(then: .none) {
                try await move.must("cutover")
                try await execute(
                    move.target,
                    """
                    ALTER TABLE t ADD COLUMN note text; UPDATE t SET note = 'x', n = 1001 WHERE id = 1; UPDATE o SET t = 3 WHERE id = 2
                    """
                )
                try await eventually("table t stands still on the old server, and o goes on") {
                    guard try await standing(move, on: move.source) == "t" else { return false }
                    return try await ask(move.source, "SELECT t FROM o WHERE id = 2") == "3"
                }
                let broken: SQL = """
                    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name LIKE 'martlet apply%'
                    """
                #expect(try await ask(move.source, broken) == "1")
                try await execute(move.target, "UPDATE o SET t = 4 WHERE id = 2")
                try await eventually("the stream is back") {
                    try await ask(move.source, "SELECT t FROM o WHERE id = 2") == "4"
                }
                try await execute(move.source, "ALTER TABLE t ADD COLUMN note text")
                try await eventually("table t goes on") { try await standing(move, on: move.source) == nil }
                #expect(try await ask(move.source, "SELECT n || note FROM t WHERE id = 1") == "1001x")
                try await move.must("rollback")
            }
            try await move.must("abort")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func
        `a partition and a column that were made meanwhile are behind the fence, a table that was dropped is not missed`()
        async throws
    {
        let tables: SQL = """
            CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE gone (id int PRIMARY KEY);
            CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (1); INSERT INTO gone VALUES (1)
            """
        try await withMove(of: tables) { move in
            try await move.follow(then: .none) {
                for place in [move.target, move.source] {
                    try await execute(
                        place,
                        """
                        CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (1000000); ALTER TABLE p ADD COLUMN n int;
                        DROP TABLE gone
                        """
                    )
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    // The last stretch of the stream, too, has rows with the new column.
                    group.addTask {
                        let source = move.source
                        try await withConnection(to: source) { writer in
                            var number = 11
                            do throws(PostgresError) {
                                while true {
                                    try writer.execute("INSERT INTO p2 VALUES (\(number), 5)")
                                    number += 1
                                }
                            } catch {
                                #expect(error.sqlState == "25006", "\(error)")
                            }
                        }
                    }
                    try await move.must("cutover")
                    try await group.waitForAll()
                }
                try await move.mustBeEqual()
                try await move.must("finish")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: ["random()", "clock_timestamp()::text", "now()::text"])
    func `a default that is another on each server is found, also by who trusts an earlier comparison`(
        value: String
    ) async throws {
        try await withMove(of: Self.tables) { move in
            try await move.follow(then: .none) {
                try await move.mustBeEqual()
                for place in [move.source, move.target] {
                    try await execute(
                        place,
                        "ALTER TABLE t ADD COLUMN made text NOT NULL DEFAULT \(SQL(trusting: value))"
                    )
                }
                let refused = try await move.run("cutover", ["--since-verify"])
                #expect(refused.status == 1 && refused.error.contains("the two databases differ"), "\(refused.error)")
                try await move.must("abort")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `rows are repaired by the key that they were found by`() async throws {
        let tables: SQL = """
            CREATE TABLE coded (id int PRIMARY KEY, code text NOT NULL UNIQUE, n int); INSERT INTO coded VALUES (1, 'a', 1), (2, 'b', 2);
            ALTER TABLE coded REPLICA IDENTITY USING INDEX coded_code_key
            """
        try await withMove(of: tables) { move in
            try await move.follow {
                try await execute(
                    move.target,
                    "SET session_replication_role = replica; UPDATE coded SET n = 7 WHERE id = 1"
                )
                let repaired = try await move.run("verify", ["--repair"])
                #expect(repaired.status == 0, "\(repaired.output)\(repaired.error)")
                #expect(try await ask(move.target, "SELECT n FROM coded WHERE id = 1") == "1")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a table that was made while the slot waited is told, and not copied without its changes`() async throws {
        try await withMoveFromOwnServer(of: Self.tables) { move in
            try await withConnection(to: move.source) { owner in
                try owner.execute("BEGIN; INSERT INTO t VALUES (100, 1)")
                let migration = try await move.run("migrate") { process in
                    try await eventually("the slot waits") {
                        try await ask(move.source, "SELECT count(*) FROM pg_publication") == "1"
                    }
                    try await execute(
                        move.source,
                        "CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)"
                    )
                    try owner.execute("COMMIT")
                    try await move.untilFollowing(process)
                    let refused = try await move.run("cutover")
                    #expect(
                        refused.error.contains(#"table "public.late" was made since and is not moved"#),
                        "\(refused.error)"
                    )
                    try await execute(move.source, "DROP TABLE late")
                    try await move.must("cutover", "--dry-run")
                    try await move.must("abort")
                }
                #expect(migration.status == 0, "\(migration.error)")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a table that was dropped and made anew is in the way of a cutover, other new tables are not`() async throws {
        try await withMove(of: "\(Self.tables); CREATE TABLE feed (id int PRIMARY KEY); INSERT INTO feed VALUES (1)") {
            move in
            try await move.follow {
                try await execute(
                    move.source,
                    "CREATE TABLE next (LIKE feed INCLUDING ALL); INSERT INTO next VALUES (2)"
                )
                try await execute(move.source, "DROP TABLE feed; ALTER TABLE next RENAME TO feed")
                let refused = try await move.run("cutover")
                #expect(refused.status == 1)
                #expect(refused.error.contains(#"table "public.feed" was dropped and made anew"#), "\(refused.error)")
                let verdict = try await move.run("verify")
                #expect(verdict.status == 2, "\(verdict.output)")
                for place in [move.source, move.target] {
                    try await execute(place, "DROP TABLE feed; CREATE TABLE other (id int)")
                }
                try await move.must("cutover", "--dry-run")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a partition that was detached is in the way of a cutover until it is dropped`() async throws {
        let definitions: SQL = """
            CREATE TABLE sale (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE old PARTITION OF sale FOR VALUES FROM (0) TO (100);
            CREATE TABLE new PARTITION OF sale FOR VALUES FROM (100) TO (200);
            INSERT INTO sale SELECT generate_series(50, 149)
            """
        try await withMove(of: definitions) { move in
            try await move.follow {
                for place in [move.source, move.target] {
                    try await execute(place, "ALTER TABLE sale DETACH PARTITION old")
                }
                let refused = try await move.run("cutover")
                #expect(refused.status == 1)
                #expect(
                    refused.error.contains(#"table "public.old" was dropped and made anew, or detached"#),
                    "\(refused.error)"
                )
                for place in [move.source, move.target] { try await execute(place, "DROP TABLE old") }
                try await move.must("cutover", "--dry-run")
                try await move.mustBeEqual()
            }
        }
    }

    /// The names of the tables that stand still, as the journal has them.
    private func standing(_ move: TestMove, on place: ConnectionString? = nil) async throws -> String? {
        try await ask(
            place ?? move.target,
            "SELECT string_agg(failure ->> 'name', ',') FROM martlet.position WHERE failure IS NOT NULL"
        )
    }
}
