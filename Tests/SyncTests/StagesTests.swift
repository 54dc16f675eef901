import Catalog
import Postgres
import TestSupport
import Testing

@testable import Sync

struct StagesTests {
    /// What lanes counted when everything was applied.
    private static func lanes(
        _ tables: SQL,
        _ rows: SQL = "",
        _ changes: [SQL]
    ) async throws -> (LaneTally, FollowCounters, ReceiveTally) {
        try await Way.with(tables: tables, rows: rows) { way in
            try await way.follow { follower, _ in
                try await way.write(changes)
                try await eventually("the lanes stand before the changes") {
                    follower.state.current.lanes.allSatisfy(\.isParked)
                }
                follower.release()
                try await way.settle(follower)
                // The receiver tells once a second.
                try await eventually("the receiver has told") { follower.state.stages.report.receive.messages > 0 }
                let report = follower.state.stages.report
                return (report.lanes, follower.progress.counters, report.receive)
            }
        }
    }

    @Test func `lanes count what they fold, and why they send rows alone`() async throws {
        let (lanes, counters, receive) = try await Self.lanes(
            """
            CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE k (a int); ALTER TABLE k REPLICA IDENTITY FULL
            """,
            "INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO k VALUES (1), (2)",
            [
                "UPDATE t SET n = n + 1; UPDATE t SET n = n + 1 WHERE id = 1; UPDATE t SET id = 3 WHERE id = 2",
                "UPDATE k SET a = 5 WHERE a = 1; DELETE FROM k WHERE a = 2",
            ]
        )
        #expect(lanes.changes == 6 && counters.changes == 6)
        // Two changes of row 1 are one row.
        #expect(lanes.rows == 5 && counters.rows == 5)
        #expect(lanes.fallbacks.keyChanges == 1 && lanes.fallbacks.orderedRows == 2)
        #expect(lanes.fallbacks.uniqueReplays == 0 && lanes.fallbacks.otherReplays == 0)
        #expect(lanes.groups == counters.groups && lanes.largestGroup >= 4)
        #expect(lanes.inputSeconds + lanes.serverSeconds + lanes.parkedSeconds <= lanes.seconds + 0.001)
        #expect(lanes.parkedSeconds > 0 && lanes.serverSeconds > 0)
        #expect(receive.bytes > 0 && receive.idleSeconds <= receive.seconds && receive.syncs > 0)
    }

    @Test func `a replay tells its reason`() async throws {
        let (lanes, counters, _) = try await Self.lanes(
            "CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE)",
            "INSERT INTO t VALUES (1, 1), (2, 2)",
            ["UPDATE t SET n = 3 WHERE id = 1; UPDATE t SET n = 1 WHERE id = 2; UPDATE t SET n = 2 WHERE id = 1"]
        )
        #expect(lanes.fallbacks.uniqueReplays == 1 && counters.replays == 1)
    }

    @Test func `new rows in numbers go by COPY, with what COPY and INSERT might take differently`() async throws {
        let tables: SQL = """
            CREATE DOMAIN word AS text NOT NULL;
            CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int UNIQUE DEFERRABLE, "a b" word,
                twice int GENERATED ALWAYS AS (n * 2) STORED, list int[] DEFAULT '{1}');
            CREATE TABLE p (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
            CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);
            CREATE TABLE p2 (at int, id int, PRIMARY KEY (id, at));
            ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (1000) TO (9999);
            CREATE RULE nowhere AS ON INSERT TO t WHERE false DO INSTEAD NOTHING
            """
        try await Way.with(tables: tables) { way in
            let lanes = try await way.follow { follower, _ in
                // A lane has to learn how quickly the server answers.
                follower.release()
                for number in 1...5 {
                    try await way.write(["INSERT INTO t (n, \"a b\") VALUES (-\(number), 'one')"])
                    try await way.settle(follower)
                }
                try await way.write([
                    """
                    INSERT INTO t (n, "a b", list) SELECT i, repeat('é', i % 500), CASE WHEN i % 3 > 0 THEN ARRAY[i, NULL] END
                      FROM generate_series(1, 6000) AS i;
                    INSERT INTO p SELECT i, i FROM generate_series(1, 3000) AS i
                    """
                ])
                try await way.settle(follower)
                return follower.state.stages.report.lanes
            }
            #expect(lanes.rows == 9005 && lanes.copiedRows == 9000)
            #expect(try await way.differences() == [])
        }
    }

    @Test func `a row that COPY is refused is replayed, and told`() async throws {
        let target: SQL = "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n <> 1500))"
        try await Way.with(tables: FollowerTests.table, targetTables: target) { way in
            try await way.follow { follower, _ in
                try await way.write(["INSERT INTO t SELECT i, i FROM generate_series(1, 2000) AS i"])
                follower.release()
                let error = try await way.standstill(of: "t", follower)
                #expect(error.detail?.hasPrefix("Row (id=1500). new row for relation \"t\" violates") == true)
                try await execute(way.places.target, "ALTER TABLE t DROP CONSTRAINT t_n_check")
                try await way.untilAllGo(follower)
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test func `the slowest index builds are kept`() {
        let stages = Stages()
        for number in 1...30 { stages.note(.init(index: "i\(number)", seconds: Double(number % 17))) }
        let slowest = stages.report.slowestIndexes
        #expect(slowest.count == 10 && slowest.map(\.seconds) == slowest.map(\.seconds).sorted(by: >))
        #expect(slowest.first?.seconds == 16)
    }
}
