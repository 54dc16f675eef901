import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Cutovers that must not happen, or not yet.
struct CutoverTests {
    @Test(.timeLimit(.minutes(5)))
    func `a row that is missing on the target is found by every cutover, also by the second one`() async throws {
        try await following { move in
            let verdict = try await move.run("verify")
            #expect(verdict.status == 0, "\(verdict.output)\(verdict.error)")
            try await execute(move.target, "SET session_replication_role = replica; DELETE FROM t WHERE id = 2")
            for options in [[], [], ["--since-verify"]] {
                let refused = try await move.run("cutover", options)
                #expect(refused.status == 1)
                #expect(refused.error.contains("the two databases differ"), "\(options): \(refused.error)")
            }
            try await execute(move.target, "SET session_replication_role = replica; INSERT INTO t VALUES (2, 'b')")
            let done = try await move.run("cutover")
            try #require(done.status == 0, "\(done.error)")
            let finished = try await move.run("finish")
            try #require(finished.status == 0, "\(finished.error)")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `an interrupted cutover is withdrawn, and writers go on`() async throws {
        try await following { move in
            try await withConnection(to: move.source) { writer in
                try writer.execute("BEGIN; INSERT INTO t VALUES (3, 'c')")
                let interrupted = try await move.run("cutover") { process in
                    try await eventually("the cutover waits for the writer") {
                        let waits: SQL = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                        return try await ask(move.source, waits) != "0"
                    }
                    kill(process, SIGINT)
                }
                #expect(interrupted.status == 130, "\(interrupted.error)")
                try writer.execute("INSERT INTO t VALUES (4, 'd'); COMMIT; INSERT INTO t VALUES (5, 'e')")
            }
            let verdict = try await move.run("verify")
            #expect(verdict.status == 0, "\(verdict.output)\(verdict.error)")
            #expect(try await ask(move.target, "SELECT phase FROM martlet.migration") == "following")
            #expect(try await ask(move.source, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'martlet%'") == "0")
            let aborted = try await move.run("abort")
            try #require(aborted.status == 0, "\(aborted.error)")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a table that was made during the move is in the way, and so is a session that stayed`() async throws {
        try await following { move in
            try await execute(move.source, #"CREATE TABLE "It's new" (a int)"#)
            for options in [["--dry-run"], []] {
                let refused = try await move.run("cutover", options)
                #expect(refused.status != 0)
                #expect("\(refused.output)\(refused.error)".contains("It's new"), "\(refused.output)\(refused.error)")
            }
            try await execute(move.source, #"DROP TABLE "It's new""#)
            try await withConnection(to: move.source, application: "old shop") { straggler in
                try straggler.execute("SELECT 1")
                let done = try await move.run("cutover")
                try #require(done.status == 0, "\(done.error)")
                let refused = try await move.run("finish")
                #expect(refused.status == 1)
                #expect(refused.error.contains("old shop"), "\(refused.error)")
            }
            let finished = try await move.run("finish")
            try #require(finished.status == 0, "\(finished.error)")
        }
    }

    /// Starts a move of a small table, waits until it follows changes, and expects that `body` ends it well.
    private func following(_ body: (TestMove) async throws -> Void) async throws {
        try await withServer { source in
            try await withServer { target in
                try await withTemporaryDirectory { directory in
                    let place = source.connection()
                    try await execute(
                        place,
                        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')"
                    )
                    try await execute(target.connection(), "CREATE DATABASE copy")
                    let move = TestMove(
                        source: place,
                        target: target.connection(to: "copy"),
                        directory: directory
                    )
                    let migration = try await move.run("migrate") { _ in
                        try await move.untilFollowing()
                        try await body(move)
                    }
                    #expect(migration.status == 0, "\(migration.error)")
                }
            }
        }
    }
}
