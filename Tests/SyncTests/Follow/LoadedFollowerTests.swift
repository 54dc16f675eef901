import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Sync

/// A follower while the source is written to.
struct LoadedFollowerTests {
    static let tables: SQL = """
        CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL, pad text);
        CREATE TABLE b (id int PRIMARY KEY, u int UNIQUE DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE log (id bigserial, text text)
        """
    static let rows: SQL = """
        INSERT INTO a SELECT i, 0, 'pad' FROM generate_series(1, 500) i; INSERT INTO b SELECT i, i FROM generate_series(1, 50) i
        """

    @Test func `pitfall 23: nothing is lost or done twice when it is stopped at random moments`() async throws {
        let seed = SeededGenerator()
        try await Way.with(tables: Self.tables, rows: Self.rows) { way in
            var way = way
            way.laneCount = 3
            try await Self.whileWriting(to: way) { [way] in
                var random = seed
                for _ in 0..<12 {
                    let rest = Int.random(in: 1...250, using: &random)
                    try await way.follow { follower, _ in
                        follower.release()
                        // A position that never comes: what is random here is the moment of the stop.
                        _ = try follower.waitApplied(LSN(.max), within: .milliseconds(rest))
                    }
                }
            }
            try await way.follow { [way] follower, _ in
                follower.release()
                try await way.settle(follower)
            }
            #expect(try await way.differences() == [], "seed \(seed.seed)")
            #expect(try await ask(way.places.target, "SELECT sum(n) = (SELECT count(*) FROM log) FROM a") == "t")
        }
    }

    @Test func `at a barrier both snapshots are equal`() async throws {
        try await Way.with(tables: Self.tables, rows: Self.rows) { way in
            var way = way
            way.laneCount = 3
            try await Self.whileWriting(to: way) { [way] in
                try await way.follow { follower, plan in
                    follower.release()
                    for round in 0..<20 {
                        try await Self.compare(way, follower, plan, round)
                    }
                }
            }
        }
    }

    @Test func `pitfall 20: a transaction of 300,000 rows needs little memory`() async throws {
        try await Way.with(tables: Self.tables, rows: Self.rows) { way in
            try await way.follow { follower, _ in
                follower.release()
                try await way.write(["INSERT INTO a SELECT i, 0, repeat('x', 50) FROM generate_series(1000, 3000) i"])
                try await way.settle(follower)
                let before = try Self.residentMegabytes()
                let peak = Peak()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await eventually("the transaction is applied", within: .seconds(300)) {
                            let now = try Self.residentMegabytes()
                            peak.value.withLock { $0 = max($0, now) }
                            return Task.isCancelled
                        }
                    }
                    try await way.write([
                        """
                        INSERT INTO a SELECT i, 0, repeat('x', 100) FROM generate_series(10000, 209999) i;
                        UPDATE a SET n = 1 WHERE id BETWEEN 10000 AND 109999
                        """
                    ])
                    try await way.settle(follower, within: .seconds(240))
                    group.cancelAll()
                }
                #expect(peak.value.withLock { $0 } - before < 60)
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test func `pitfall 21: a hundred thousand subtransactions in one transaction arrive, without those that failed`()
        async throws
    {
        try await Way.with(tables: Self.tables, rows: Self.rows) { way in
            try await way.follow { follower, _ in
                follower.release()
                try await way.write([
                    """
                    DO $$ BEGIN
                      FOR i IN 1 .. 100000 LOOP
                        BEGIN
                          UPDATE a SET n = n + 1 WHERE id = i % 500 + 1;
                          IF i % 3 = 0 THEN RAISE EXCEPTION 'undone'; END IF;
                        EXCEPTION WHEN raise_exception THEN NULL;
                        END;
                      END LOOP;
                    END $$
                    """
                ])
                try await way.settle(follower, within: .seconds(240))
            }
            #expect(try await way.differences() == [])
            #expect(try await ask(way.places.target, "SELECT sum(n) FROM a") == "66667")
        }
    }

    private static func compare(_ way: Way, _ follower: Follower, _ plan: FollowPlan, _ round: Int) async throws {
        let name = Identifier("\(way.slot.name)_\(round)")
        try await follower.atBarrier(plan, temporarySlot: name, waiting: { _ in }) { source, target, _ in
            let (here, there) = (
                try await digest(way.places.source, source), try await digest(way.places.target, target)
            )
            #expect(here == there, "round \(round)")
        }
    }

    private static func digest(_ place: ConnectionString, _ snapshot: Snapshot) async throws -> [String?] {
        try await withNeutralConnection(to: place) { connection in
            try connection.begin(sharing: snapshot)
            return try ["a", "b", "log"].map { table in
                try connection.query(
                    """
                    SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0)
                      FROM \(QualifiedName(schema: "public", name: table)) t
                    """
                )[0].text(0)
            }
        }
    }

    /// Lets three sessions change rows for as long as `body` runs.
    private static func whileWriting(to way: Way, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for writer in 0..<3 {
                group.addTask { try await write(to: way, writer) }
            }
            group.addTask {
                try await body()
                return true
            }
            while let isOver = try await group.next(), !isOver {}
            group.cancelAll()
            while !group.isEmpty {
                // A writer that is stopped says so.
                _ = try? await group.next()
            }
        }
    }

    private static func write(to way: Way, _ writer: Int) async throws -> Bool {
        try await withConnection(to: way.places.source) { source in
            while !Task.isCancelled {
                let id = Int.random(in: 1...500)
                try source.execute(
                    """
                    BEGIN; UPDATE a SET n = n + 1, pad = NULL WHERE id = \(id); INSERT INTO log (text) VALUES ('w'); COMMIT
                    """
                )
                guard id % 10 == writer else { continue }
                let (x, y) = (id % 25 + 1, id % 25 + 26)
                try source.execute(
                    """
                    BEGIN; UPDATE b SET u = -u WHERE id IN (\(x), \(y)); UPDATE b SET u = -u WHERE id IN (\(x), \(y));
                    DELETE FROM b WHERE id = \(y); INSERT INTO b VALUES (\(y), \(y)); COMMIT
                    """
                )
            }
            return false
        }
    }

    private static func residentMegabytes() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return (Int(fields[1]) ?? 0) * 4096 >> 20
    }
}

private final class Peak: Sendable {
    let value = Mutex(0)
}
