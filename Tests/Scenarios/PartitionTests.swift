import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Truncates single partitions, which is not in the stream.
struct PartitionTests {
    @Test(.timeLimit(.minutes(5)))
    func `pitfall 13: a partition that was truncated after the comparison does not slip through a cutover`()
        async throws
    {
        try await withServer { source in
            try await withServer { target in
                try await withTemporaryDirectory { directory in
                    let place = source.connection()
                    try await execute(
                        place,
                        """
                        CREATE TABLE sale (id int PRIMARY KEY) PARTITION BY RANGE (id);
                        CREATE TABLE low PARTITION OF sale FOR VALUES FROM (0) TO (100);
                        CREATE TABLE "High" PARTITION OF sale FOR VALUES FROM (100) TO (200);
                        INSERT INTO sale SELECT n FROM generate_series(50, 149) AS n
                        """
                    )
                    try await execute(target.connection(), "CREATE DATABASE copy")
                    let copy = target.connection(to: "copy")
                    try await truncate(TestMove(source: place, target: copy, directory: directory))
                }
            }
        }
    }

    private func truncate(_ move: TestMove) async throws {
        let migration = try await move.run("migrate") { _ in
            try await move.untilFollowing()
            let verdict = try await move.run("verify")
            try #require(verdict.status == 0, "\(verdict.output)\(verdict.error)")
            try await execute(move.source, #"TRUNCATE "High""#)
            let refused = try await move.run("cutover", ["--since-verify"])
            #expect(refused.status != 0)
            #expect(refused.error.contains("the two databases differ"), "\(refused.error)")
            try await execute(move.source, "INSERT INTO sale VALUES (1)")
            try await execute(move.target, #"TRUNCATE "High""#)
            let done = try await move.run("cutover")
            try #require(done.status == 0, "\(done.error)")
            #expect(try await ask(move.target, "SELECT count(*) FROM sale") == "51")
            let finished = try await move.run("finish")
            try #require(finished.status == 0, "\(finished.error)")
        }
        #expect(migration.status == 0, "\(migration.error)")
    }
}
