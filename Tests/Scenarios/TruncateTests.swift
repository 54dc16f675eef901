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
