import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Moves a table that is emptied and filled again all the time.
struct TruncateTests {
    @Test(.timeLimit(.minutes(5)))
    func `pitfall 5: a table that is truncated while it is loaded arrives as it is`() async throws {
        try await withServer { source in
            try await withServer { target in
                try await withTemporaryDirectory { directory in
                    let place = source.connection()
                    try await execute(
                        place,
                        "CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL); INSERT INTO t SELECT n, 0 FROM generate_series(1, 100) n"
                    )
                    try await execute(target.connection(), "CREATE DATABASE copy")
                    let copy = target.connection(to: "copy")
                    let move = TestMove(source: place, target: copy, directory: directory)
                    try await follow(move)
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `pitfall 5: tables that are truncated together keep their foreign key, though one was copied before`()
        async throws
    {
        let definitions: SQL = """
            CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 1000);
            CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, filler text DEFAULT repeat('x', 200));
            INSERT INTO child SELECT n, n % 1000 + 1 FROM generate_series(1, 200000) AS n
            """
        try await withMoveFromOwnServer(of: definitions) { move in
            let migration = try await move.run("migrate", ["--jobs", "1"]) { process in
                let copied: SQL = "SELECT state FROM martlet.table_load WHERE name = 'child'"
                let isThere: SQL =
                    "SELECT to_regclass('public.child') IS NOT NULL AND to_regclass('martlet.table_load') IS NOT NULL"
                try await eventually("the child is being copied") {
                    guard try await ask(move.target, isThere) == "t" else { return false }
                    return try await ask(move.target, "SELECT EXISTS (SELECT FROM pg_stat_progress_copy)") == "t"
                }
                try await withConnection(to: move.source) { session in
                    // The smaller table waits for its copy until both are empty.
                    try session.execute("BEGIN; LOCK TABLE parent IN ACCESS EXCLUSIVE MODE")
                    try await eventually("the child is copied") { try await ask(move.target, copied) != "waiting" }
                    try session.execute("TRUNCATE parent, child; COMMIT")
                }
                try await move.untilFollowing(process)
                try await move.mustBeEqual()
                try await move.must("abort")
            }
            #expect(migration.status == 0, "\(migration.output)\(migration.error)")
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func `a table that is rewritten before it is read is not taken for empty`(isOnce: Bool) async throws {
        let definitions: SQL = """
            CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small SELECT generate_series(1, 1000);
            CREATE TABLE large (id int PRIMARY KEY, filler text DEFAULT repeat('x', 200));
            INSERT INTO large SELECT n FROM generate_series(1, 200000) AS n
            """
        try await withMoveFromOwnServer(of: definitions) { move in
            let migrate = ["--jobs", "1"] + (isOnce ? ["--once"] : [])
            let refused = try await move.run("migrate", migrate) { _ in
                let isThere: SQL =
                    "SELECT to_regclass('public.large') IS NOT NULL AND to_regclass('martlet.table_load') IS NOT NULL"
                try await eventually("the large table is being copied") {
                    guard try await ask(move.target, isThere) == "t" else { return false }
                    return try await ask(move.target, "SELECT EXISTS (SELECT FROM pg_stat_progress_copy)") == "t"
                }
                // A snapshot from before sees nothing in the new file.
                try await execute(move.source, "ALTER TABLE small ALTER id TYPE int USING id + 0")
            }
            #expect(refused.status == 1, "\(refused.output)\(refused.error)")
            #expect(refused.error.contains("rewritten on the source while they were copied"), "\(refused.error)")
            #expect(refused.error.contains(#""public.small""#), "\(refused.error)")
            if isOnce {
                try await move.must("migrate", "--jobs", "1", "--once")
                #expect(try await ask(move.target, "SELECT count(*) FROM small") == "1000")
                try await move.mustBeEqual()
            } else {
                try await move.follow { try await move.mustBeEqual() }
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a table that is truncated before it is compared is in nobody's way`() async throws {
        let definitions: SQL = "CREATE TABLE scratch (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)"
        try await withMove(of: definitions) { move in
            try await move.follow(then: .none) {
                try await move.mustBeEqual()
                // The position at which a cutover compares is one after this transaction.
                try await withConnection(to: move.source) { writer in
                    try writer.execute("BEGIN; INSERT INTO other VALUES (1)")
                    async let cutover = move.run("cutover", ["--since-verify"])
                    try await eventually("the cutover waits for its slot") {
                        let waits: SQL = """
                            SELECT EXISTS (SELECT FROM pg_stat_activity
                                            WHERE application_name = 'martlet slot' AND wait_event_type = 'Lock'
                                              AND datname = current_database())
                            """
                        return try await ask(move.source, waits) == "t"
                    }
                    try await execute(move.source, "TRUNCATE scratch; INSERT INTO scratch VALUES (1)")
                    try writer.execute("COMMIT")
                    let outcome = try await cutover
                    #expect(outcome.status == 0, "\(outcome.error)")
                }
                try await move.must("finish")
            }
        }
    }

    private func follow(_ move: TestMove) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let outcome = try await move.run("migrate")
                #expect(outcome.status == 0, "\(outcome.error)")
            }
            try await withConnection(to: move.source) { writer in
                var rounds = 0
                while try await !isFollowing(move) || rounds < 50 {
                    // One after the other, or in one transaction, of which only the end counts for an empty copy.
                    let isOne = rounds % 2 == 0
                    if isOne { try writer.execute("BEGIN") }
                    try writer.execute("UPDATE t SET v = v + 1 WHERE id % 3 = 0; DELETE FROM t WHERE id % 3 = 1")
                    try writer.execute("TRUNCATE t")
                    try writer.execute("INSERT INTO t SELECT n, \(rounds) FROM generate_series(1, 100) n")
                    if isOne { try writer.execute("COMMIT") }
                    rounds += 1
                }
            }
            let verdict = try await move.run("verify")
            try #require(verdict.status == 0, "\(verdict.output)\(verdict.error)")
            let aborted = try await move.run("abort")
            try #require(aborted.status == 0, "\(aborted.error)")
            try await group.waitForAll()
        }
    }

    private func isFollowing(_ move: TestMove) async throws -> Bool {
        guard try await ask(move.target, "SELECT to_regclass('martlet.status') IS NOT NULL") == "t" else {
            return false
        }
        return try await ask(move.target, "SELECT report ->> 'activity' = 'waiting for changes' FROM martlet.status")
            == "t"
    }
}
