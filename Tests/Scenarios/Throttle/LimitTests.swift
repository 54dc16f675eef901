import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Runs moves under limits.
struct LimitTests {
    @Test(.timeLimit(.minutes(5))) func `no more is copied in a second than --max-rate says`() async throws {
        // 8 MB in two tables, at 2 MB a second.
        let tables: SQL = """
            CREATE TABLE a (id int PRIMARY KEY, pad text); CREATE TABLE b (id int PRIMARY KEY, pad text);
            INSERT INTO a SELECT i, repeat('x', 1000) FROM generate_series(1, 4000) i; INSERT INTO b SELECT * FROM a;
            """
        try await withMove(of: tables) { move in
            let begun = ContinuousClock.now
            try await move.must("migrate", "--once", "--max-rate", "2MB")
            let seconds = begun.duration(to: .now) / .seconds(1)
            let bytes = try await ask(move.target, "SELECT sum(bytes_done) FROM martlet.table_load").flatMap {
                Double($0)
            }
            let copied = try #require(bytes)
            #expect(copied > 8_000_000)
            // What is sent last is not waited for: a buffer of 128 KiB and a quarter of a second for each worker.
            #expect(copied <= 2 * 1_048_576 * (seconds + 0.5) + 2 * 131_072, "\(copied) bytes in \(seconds) s")
            #expect(try await ask(move.target, "SELECT report ->> 'maxRate' FROM martlet.status") == "2097152")
            try await mustTellTime(move)
            try await move.must("finish")
        }
    }

    /// Looks whether the status and the log tell where the time of a limited copy went.
    private func mustTellTime(_ move: TestMove) async throws {
        let load: SQL = "SELECT (report #> '{stages,load}') FROM martlet.status"
        let told: SQL = """
            SELECT (l ->> 'parts')::int = 2 AND (l ->> 'rows')::int = 8000 AND (l ->> 'indexes')::int = 2
                   AND (l ->> 'bytes')::bigint = (SELECT sum(bytes_done) FROM martlet.table_load)
                   AND (l ->> 'heldSeconds')::float8 > 2 AND (l ->> 'seconds')::float8 > (l ->> 'heldSeconds')::float8
              FROM (\(load)) AS load(l)
            """
        let found = try await ask(move.target, load) ?? ""
        #expect(try await ask(move.target, told) == "t", "\(found)")
        let log = try FileManager.default.contentsOfDirectory(atPath: move.directory).filter { $0.hasSuffix(".log") }
        let text = try log.map { try String(contentsOfFile: move.directory + "/" + $0, encoding: .utf8) }.joined()
        #expect(text.contains("where the time went, of all workers of a stage:\n    load: "))
        #expect(text.contains(" % held") && text.contains("; 8,000 rows, "))
    }

    @Test(.timeLimit(.minutes(5))) func `a copy holds while others are busy on the source`() async throws {
        try await withMoveFromOwnServer(of: PauseTests.rows) { move in
            try await withConnection(to: move.source) { busy in
                // Two sessions at work: this one waits for the other one's lock, which waits for the server.
                try busy.execute("BEGIN; LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<2 {
                        group.addTask {
                            // What is named martlet is not counted.
                            try await execute(
                                move.source.with("application_name", "shop"),
                                "BEGIN; LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE; COMMIT"
                            )
                        }
                    }
                    let migration = try await move.run("migrate", ["--once", "--max-source-load", "1"]) { _ in
                        try await eventually("the copy holds") {
                            try await hold(move) == "2 active sessions on the source, limit 1"
                        }
                        #expect(try await ask(move.target, "SELECT count(*) FROM t") == "0")
                        #expect(try await move.must("status").output.contains("held: 2 active sessions"))
                        try busy.execute("COMMIT")
                    }
                    #expect(migration.status == 0, "\(migration.error)")
                    #expect(migration.error.contains("  held: 2 active sessions on the source, limit 1"))
                    #expect(migration.error.contains("  goes on, after having been held for"))
                    try await group.waitForAll()
                }
            }
            #expect(try await ask(move.target, "SELECT count(*) FROM t") == "30000")
            try await move.must("finish")
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func `a copy holds while a replica is behind, of the source or of the target`(ofSource: Bool) async throws {
        try await withServer { server in
            try await withReplica(of: server) { replica in
                try await withMove { other in
                    let own = server.connection(to: ofSource ? "postgres" : "copy")
                    if !ofSource { try await execute(server.connection(), "CREATE DATABASE copy") }
                    let move = TestMove(
                        source: ofSource ? own : other.source,
                        target: ofSource ? other.target : own,
                        directory: other.directory
                    )
                    try await execute(move.source, PauseTests.rows)
                    try await eventually("the replica streams") {
                        try await ask(own, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1"
                    }
                    try await execute(replica.connection(), "SELECT pg_wal_replay_pause()")
                    try await eventually("the replica stands still") {
                        try await ask(replica.connection(), "SELECT pg_get_wal_replay_pause_state()") == "paused"
                    }
                    try await execute(server.connection(), "CREATE TABLE more (id int)")
                    try await holds(move, as: ofSource ? "source" : "target") {
                        try await execute(replica.connection(), "SELECT pg_wal_replay_resume()")
                    }
                }
            }
        }
    }

    /// Copies slowly enough to meet the replica; `release` lets that go on.
    private func holds(_ move: TestMove, as side: String, release: () async throws -> Void) async throws {
        let options = ["--once", "--max-replica-lag", "2s", "--max-rate", "1MB"]
        let migration = try await move.run("migrate", options) { _ in
            try await eventually("the copy holds") {
                let hold = try await hold(move) ?? ""
                return hold.contains("of the \(side) is ") && hold.hasSuffix("s behind, limit 2 s")
            }
            try await release()
        }
        #expect(migration.status == 0, "\(migration.error)")
        #expect(try await ask(move.target, "SELECT count(*) FROM t") == "30000")
    }

    @Test(.timeLimit(.minutes(5))) func `a limit that the role cannot see to is refused before anything is begun`()
        async throws
    {
        // Other tests use the same server.
        let role = Identifier("o'dd \(UInt32.random(in: 0 ... .max))")
        try await withMove(of: "CREATE ROLE \(role) LOGIN") { move in
            let blind = TestMove(
                source: move.source.with("user", role.name),
                target: move.target,
                directory: move.directory
            )
            for option in [["--max-source-load", "5"], ["--max-replica-lag", "5s"]] {
                let outcome = try await blind.run("migrate", ["--once"] + option)
                #expect(outcome.status == 1)
                #expect(outcome.error.contains("GRANT pg_read_all_stats TO \(role.quoted)"), "\(outcome.error)")
            }
            #expect(try await ask(move.target, "SELECT to_regnamespace('martlet')") == nil)
            try await execute(move.source, "DROP ROLE \(role)")
        }
    }

    @Test(
        arguments: [
            ["--max-rate", "fast"], ["--max-rate", "50"], ["--max-rate", "-1MB"], ["--max-source-load", "-1"],
            ["--max-source-load", "many"], ["--max-replica-lag", "10"], ["--max-replica-lag", "0s"],
        ]
    )
    func `nonsense is refused as a wrong call`(options: [String]) async throws {
        let nowhere = ["--source", "host=/nowhere", "--target", "host=/nowhere"]
        // A value that begins with a hyphen is only one behind an equals sign.
        let outcome = try await MartletProgram().run(["migrate"] + nowhere + ["\(options[0])=\(options[1])"])
        #expect(outcome.status == 64 && outcome.error.contains(options[0]), "\(outcome.error)")
    }

    private func hold(_ move: TestMove) async throws -> String? {
        guard try await ask(move.target, "SELECT to_regclass('martlet.status') IS NOT NULL") == "t" else { return nil }
        return try await ask(move.target, "SELECT report #>> '{hold,text}' FROM martlet.status")
    }
}
