import Catalog
import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Moves tables whose rows the log cannot name without help.
struct IdentityTests {
    @Test(.timeLimit(.minutes(5)))
    func `pitfall 8: no way back is made that would break the application's own UPDATE on the new server`() async throws
    {
        let tables: SQL =
            "CREATE TABLE g (a int, b int GENERATED ALWAYS AS (a + 1) STORED); INSERT INTO g VALUES (1), (1)"
        try await withMove(to: 18, of: tables) { move in
            try await move.follow(then: .none) {
                try await execute(move.source, "UPDATE g SET a = 2; INSERT INTO g VALUES (3)")
                try await move.mustBeEqual()
                let refused = try await move.run("cutover")
                #expect(refused.status == 1)
                #expect(refused.error.contains("would refuse its UPDATE if changes flowed back"), "\(refused.error)")
                try await execute(move.source, "DELETE FROM g WHERE a = 3")
                try await move.must("cutover", "--no-rollback")
            }
            try await execute(move.target, "UPDATE g SET a = 4")
            #expect(try await ask(move.target, "SELECT string_agg(b::text, ' ') FROM g") == "5 5")
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: ["finish", "abort"])
    func `pitfall 2: both servers end with the replica identities that the source had`(command: String) async throws {
        try await withServer { source in
            try await withServer { target in
                try await withTemporaryDirectory { directory in
                    let place = source.connection()
                    try await execute(
                        place,
                        """
                        CREATE TABLE keyed (id int PRIMARY KEY); CREATE TABLE keyless (id int, n int);
                        CREATE TABLE "In""dexed" (id int NOT NULL); CREATE UNIQUE INDEX ON "In""dexed" (id);
                        CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL;
                        CREATE TABLE silent (id int); ALTER TABLE silent REPLICA IDENTITY NOTHING;
                        CREATE TABLE sale (id int) PARTITION BY RANGE (id);
                        CREATE TABLE low PARTITION OF sale FOR VALUES FROM (0) TO (100);
                        INSERT INTO keyless VALUES (1, 1), (1, 1)
                        """
                    )
                    try await execute(target.connection(), "CREATE DATABASE copy")
                    let copy = target.connection(to: "copy")
                    let programs = try await Installation.client(atLeast: source.binaries.major)
                    let before = try await programs.definitions(of: place)
                    try await move(TestMove(source: place, target: copy, directory: directory), to: command)
                    #expect(try await programs.definitions(of: copy) == before)
                    #expect(try await programs.definitions(of: place) == before)
                }
            }
        }
    }

    /// What this move has set may have become what somebody else needs: a publication made meanwhile, or a second move.
    @Test(.timeLimit(.minutes(5)))
    func `pitfall 2: an identity that a publication needs by now is not taken back`() async throws {
        let tables: SQL = """
            CREATE TABLE t (id int); CREATE TABLE u (id int) PARTITION BY LIST (id); CREATE TABLE free (id int);
            CREATE TABLE leaf PARTITION OF u DEFAULT; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)
            """
        try await withMove(of: tables) { first in
            try await withMove { other in
                let second = TestMove(source: first.source, target: other.target, directory: other.directory)
                try await first.follow(["--exclude", "u"], then: .none) {
                    try await execute(first.source, "CREATE PUBLICATION theirs FOR TABLE t")
                    try await first.must("abort")
                }
                try await execute(first.source, "UPDATE t SET id = 2; DROP PUBLICATION theirs")
                #expect(try await ask(first.source, Self.identities) == "free d,leaf d,t f")
                try await first.follow(then: .none) {
                    try await second.follow(["--exclude", "t", "--exclude", "free"]) {
                        try await first.must("abort")
                        try await execute(
                            first.source,
                            "UPDATE u SET id = 2; DELETE FROM leaf; INSERT INTO leaf VALUES (3)"
                        )
                    }
                }
                #expect(try await ask(first.source, Self.identities) == "free d,leaf f,t f")
            }
        }
    }

    private static let identities: SQL = """
        SELECT string_agg(relname || ' ' || relreplident::text, ',' ORDER BY relname) FROM pg_class
         WHERE relname IN ('t', 'leaf', 'free')
        """

    private func move(_ move: TestMove, to command: String) async throws {
        let migration = try await move.run("migrate") { _ in
            try await move.untilFollowing()
            try await execute(move.source, "UPDATE keyless SET n = 2 WHERE ctid = (SELECT min(ctid) FROM keyless)")
            if command == "finish" {
                let done = try await move.run("cutover")
                try #require(done.status == 0, "\(done.error)")
                #expect(try await ask(move.target, "SELECT sum(n) FROM keyless") == "3")
            }
            let ended = try await move.run(command, command == "abort" ? ["--keep-copy"] : [])
            try #require(ended.status == 0, "\(ended.error)")
        }
        #expect(migration.status == 0, "\(migration.error)")
    }
}
