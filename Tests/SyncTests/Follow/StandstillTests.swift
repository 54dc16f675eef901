import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Sync

/// Tables that stand still, while somebody else takes care of them.
struct StandstillTests {
    /// A row that is missing on the target, so that table t stands still.
    private static func lose(_ way: Way, _ follower: Follower) async throws -> UInt32 {
        follower.release()
        try await way.write(["INSERT INTO t VALUES (1, 1)"])
        try await way.settle(follower)
        try await execute(way.places.target, "DELETE FROM t")
        try await way.write(["UPDATE t SET n = 2"])
        return try await way.standstill(of: "t", follower).relation
    }

    @Test func `a table that was tried in vain goes on when it was mended and is given back`() async throws {
        try await Way.with(tables: FollowerTests.table) { way in
            try await way.follow { follower, _ in
                let table = try await Self.lose(way, follower)
                try await eventually("it was tried once more") { (follower.standing.first?.tries ?? 0) > 0 }
                try await follower.stop([table])
                try await execute(way.places.target, "INSERT INTO t VALUES (1, 1)")
                follower.go([table])
                try await follower.untilGoing([table], within: .seconds(60))
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test func `a table that is just being tried is left alone only when that is over`() async throws {
        try await Way.with(tables: FollowerTests.table) { way in
            try await way.follow { follower, _ in
                let table = try await Self.lose(way, follower)
                let lock = Lock()
                try await withConnection(to: way.places.target) { stranger in
                    try stranger.execute("BEGIN; LOCK TABLE t")
                    try await eventually("the lane tries the table, and waits") {
                        let waiting: SQL =
                            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass"
                        return try stranger.query(waiting)[0].text(0) == "1"
                    }
                    async let wasLocked = Self.stop(table, follower, lock)
                    try await eventually("it was asked for the table") { !follower.state.current.asked.isEmpty }
                    try stranger.execute("INSERT INTO t VALUES (1, 1)")
                    lock.isHeld.store(false, ordering: .sequentiallyConsistent)
                    try stranger.execute("COMMIT")
                    #expect(try await !wasLocked)
                }
                follower.go([table])
                try await way.untilAllGo(follower)
            }
            #expect(try await way.differences() == [])
        }
    }

    private final class Lock: Sendable {
        let isHeld = Atomic(true)
    }

    private static func stop(_ table: UInt32, _ follower: Follower, _ lock: Lock) async throws -> Bool {
        try await follower.stop([table])
        return lock.isHeld.load(ordering: .sequentiallyConsistent)
    }
}
